//! Bytes that may be keys, or what is sealed for others: nothing of them stays in memory that was
//! given back.

use std::fmt;
use std::ops::{Deref, DerefMut};

/// A buffer that is zeroed when it is dropped, and in whatever part it gives up: what it is cut to,
/// and what it outgrew.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Wiped(Vec<u8>);

impl Wiped {
    pub(crate) fn with_capacity(capacity: usize) -> Wiped {
        Wiped(Vec::with_capacity(capacity))
    }

    pub(crate) fn push(&mut self, byte: u8) {
        self.reserve(1);
        self.0.push(byte);
    }

    pub(crate) fn extend_from_slice(&mut self, bytes: &[u8]) {
        self.reserve(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    /// More zeroes at the end.
    pub(crate) fn extend_zeroed(&mut self, count: usize) {
        self.reserve(count);
        self.0.resize(self.0.len() + count, 0);
    }

    pub(crate) fn truncate(&mut self, length: usize) {
        if let Some(rest) = self.0.get_mut(length..) {
            zero(rest);
        }
        self.0.truncate(length);
    }

    /// Gives up so many bytes at the front.
    pub(crate) fn remove_front(&mut self, count: usize) {
        if count == 0 {
            return;
        }
        self.0.copy_within(count.., 0);
        self.truncate(self.0.len() - count);
    }

    /// The bytes, for where nothing is sealed.
    pub(crate) fn into_plain(mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }

    fn reserve(&mut self, more: usize) {
        let needed = self.0.len() + more;
        if needed > self.0.capacity() {
            let mut grown = Wiped::with_capacity(needed.max(2 * self.0.capacity()));
            grown.0.extend_from_slice(&self.0);
            *self = grown;
        }
    }
}

/// What can be written to.
pub(crate) trait Buffer {
    /// One more byte.
    fn add(&mut self, byte: u8);
    /// More of them.
    fn add_all(&mut self, bytes: &[u8]);
}

impl Buffer for Wiped {
    fn add(&mut self, byte: u8) {
        self.push(byte);
    }

    fn add_all(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

impl Buffer for Vec<u8> {
    fn add(&mut self, byte: u8) {
        self.push(byte);
    }

    fn add_all(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

impl Drop for Wiped {
    fn drop(&mut self) {
        zero(&mut self.0);
    }
}

/// As fast as any other zeroes, which `zeroize` on a `Vec` is not; the barrier keeps them.
fn zero(bytes: &mut [u8]) {
    #[cfg(test)]
    counting::ZEROED.set(counting::ZEROED.get() + bytes.len());
    bytes.fill(0);
    zeroize::optimization_barrier(bytes);
}

impl Deref for Wiped {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl DerefMut for Wiped {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl From<Vec<u8>> for Wiped {
    fn from(bytes: Vec<u8>) -> Wiped {
        Wiped(bytes)
    }
}

impl fmt::Debug for Wiped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wiped({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod counting {
    thread_local! {
        pub(super) static ZEROED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
    }
}

/// What this thread has zeroed: nobody can look into memory that was given back.
#[cfg(test)]
pub(crate) fn zeroed_so_far() -> usize {
    counting::ZEROED.get()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many bytes were zeroed meanwhile.
    fn zeroed(act: impl FnOnce()) -> usize {
        let before = zeroed_so_far();
        act();
        zeroed_so_far() - before
    }

    #[test]
    fn whatever_it_gives_up_is_zeroed() {
        let mut wiped = Wiped::from(vec![1; 100]);
        assert_eq!(zeroed(|| wiped.push(1)), 100, "it grew");
        assert_eq!(zeroed(|| wiped.extend_from_slice(&[1; 9])), 0);
        assert_eq!(zeroed(|| wiped.extend_zeroed(1000)), 110);
        assert_eq!(zeroed(|| wiped.truncate(50)), 1060);
        assert_eq!(zeroed(|| wiped.remove_front(20)), 20);
        assert_eq!(zeroed(|| drop(wiped)), 30);
    }

    #[test]
    fn it_holds_what_a_vector_would() {
        let (mut wiped, mut plain) = (Wiped::default(), Vec::new());
        for byte in 0..200_u8 {
            wiped.push(byte);
            wiped.extend_from_slice(&[byte; 3]);
            wiped.extend_zeroed(2);
            plain.extend([byte, byte, byte, byte, 0, 0]);
            if byte % 5 == 0 {
                wiped.remove_front(4);
                plain.drain(..4);
            }
            if byte % 7 == 6 {
                wiped.truncate(wiped.len() - 3);
                plain.truncate(plain.len() - 3);
            }
            assert_eq!(*wiped, *plain);
        }
        wiped.truncate(10_000);
        assert_eq!(wiped.into_plain(), plain);
    }
}
