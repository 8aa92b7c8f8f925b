//! An input as a script: read from its front, so that a piece put in or cut out leaves the rest
//! what it was.

use std::time::Duration;

/// What is left of an input. Beyond its end everything is zero.
#[derive(Debug)]
pub(super) struct Script<'a>(pub(super) &'a [u8]);

impl<'a> Script<'a> {
    pub(super) fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn byte(&mut self) -> u8 {
        let Some((&byte, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        byte
    }

    /// A number below `end`, which is not zero.
    pub(super) fn below(&mut self, end: usize) -> usize {
        usize::from(self.byte()) % end
    }

    pub(super) fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    pub(super) fn choose<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// As many bytes as one byte says, or two when that is 255.
    pub(super) fn bytes(&mut self) -> &'a [u8] {
        let length = match self.byte() {
            u8::MAX => usize::from(self.byte()) << 8 | usize::from(self.byte()),
            length => usize::from(length),
        };
        let (bytes, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        bytes
    }

    pub(super) fn text(&mut self) -> String {
        String::from_utf8_lossy(self.bytes()).into_owned()
    }

    pub(super) fn duration(&mut self) -> Duration {
        let millis = [0, 1, 5, 20, 60, 150, 400, 1000, 2500, 6000];
        Duration::from_millis(self.choose(&millis))
    }
}
