//! Sealing: nothing can be read, forged, replayed or joined without a key of the cluster
//! (DESIGN guarantee 10, section 4.5).
//!
//! A sealed datagram is `[version | 0x80][key number][nonce, 24 bytes][sealed][tag, 16 bytes]`: a
//! plain one without its version, under XChaCha20-Poly1305. The nonce is
//! `[sender, 8][life, 8][counter, 8]`: a hash of the sender's name, a random number drawn when its
//! process began, and a counter. It is never used twice, needs no clock, and tells which datagrams
//! of this sender came before (a window as in RFC 4303, section 3.4.3). The version, the key
//! number, a hash of the receiver's name and the cluster's name are associated data.
//!
//! A sealed stream is `[version][key number][0xff, 0xff]`, then messages `[length, u16][bytes]`:
//! the two of the handshake `Noise_NNpsk0_25519_ChaChaPoly_BLAKE2s`, then its transport (Noise,
//! revision 34, sections 7.5 and 9). No plain frame begins like that.

mod datagram;
mod keyring;
mod replay;
mod stream;

#[cfg(test)]
mod tests;

use std::fmt;

use blake2::Blake2sMac256;
use blake2::digest::{FixedOutput, KeyInit, Update};
use chacha20poly1305::XChaCha20Poly1305;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

pub(crate) use datagram::Origin;
pub(crate) use keyring::WireKey;
pub use keyring::{HeldKeys, Key, KeyError, KeyId, KeyInfo, Keyring};
pub(crate) use replay::Windows;
pub(crate) use stream::{Channel, Fault};

use crate::members::Name;
use crate::time::Time;

/// What is done about traffic that is not sealed, while there is a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Plaintext {
    /// It is dropped, and none is sent.
    #[default]
    Refuse,
    /// It is understood, and none is sent: the second step of turning encryption on.
    Accept,
    /// It is understood and sent, what is sealed is understood as well: the first step.
    Send,
}

impl Plaintext {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Plaintext::Refuse => "refuse",
            Plaintext::Accept => "accept",
            Plaintext::Send => "send",
        }
    }
}

/// All that a node needs to seal and to open.
pub(crate) struct Seal {
    cluster: Name,
    keys: Option<Keys>,
    plaintext: Plaintext,
    rng: StdRng,
    life: [u8; 8],
    counter: u64,
    windows: Windows,
}

/// A keyring with what is derived from it, in the same order.
struct Keys {
    ring: Keyring,
    derived: Vec<Derived>,
}

struct Derived {
    id: KeyId,
    datagrams: XChaCha20Poly1305,
    /// The pre-shared key of streams.
    streams: Zeroizing<[u8; 32]>,
}

impl Seal {
    /// Without a key: nothing is sealed.
    pub(crate) fn new(cluster: Name, entropy: [u8; 32]) -> Seal {
        let mut rng = StdRng::from_seed(entropy);
        Seal {
            cluster,
            keys: None,
            plaintext: Plaintext::default(),
            life: rng.random(),
            counter: 0,
            windows: Windows::default(),
            rng,
        }
    }

    pub(crate) fn keyring(&self) -> Option<&Keyring> {
        self.keys.as_ref().map(|keys| &keys.ring)
    }

    /// Whether what is sealed under this key still opens.
    pub(crate) fn has(&self, id: KeyId) -> bool {
        let ring = self.keyring();
        ring.is_some_and(|ring| ring.keys().any(|key| key.id() == id))
    }

    pub(crate) fn plaintext(&self) -> Plaintext {
        self.plaintext
    }

    /// From now on these keys, or none.
    pub(crate) fn set(&mut self, ring: Option<Keyring>, plaintext: Plaintext) {
        self.plaintext = plaintext;
        self.keys = ring.map(|ring| Keys {
            derived: ring.keys().map(Derived::of).collect(),
            ring,
        });
    }

    /// Forgets the keys whose time is over; whether there were any.
    pub(crate) fn expire(&mut self, now: Time) -> bool {
        let ring = self.keyring().and_then(|ring| ring.expired(now));
        let expires = ring.is_some();
        if expires {
            self.set(ring, self.plaintext);
        }
        expires
    }

    /// Whether what is sent is sealed.
    pub(crate) fn seals(&self) -> bool {
        match self.plaintext {
            Plaintext::Refuse | Plaintext::Accept => self.keys.is_some(),
            Plaintext::Send => false,
        }
    }

    /// Whether what is not sealed is understood.
    pub(crate) fn takes_plain(&self) -> bool {
        match self.plaintext {
            Plaintext::Refuse => self.keys.is_none(),
            Plaintext::Accept | Plaintext::Send => true,
        }
    }

    /// A number that nobody can guess.
    pub(crate) fn draw(&mut self) -> u32 {
        self.rng.random()
    }

    fn primary(&self) -> Option<&Derived> {
        self.keys.as_ref()?.derived.first()
    }

    /// The keys that have this number, as a rule one or none.
    fn numbered(&self, number: u8) -> impl Iterator<Item = &Derived> {
        let each = self.keys.iter().flat_map(|keys| &keys.derived);
        each.filter(move |derived| derived.id.number() == number)
    }
}

impl Derived {
    /// A key is used for nothing but to derive others from it.
    fn of(key: &Key) -> Derived {
        let datagrams = key.derive("muster datagrams");
        Derived {
            id: key.id(),
            datagrams: <XChaCha20Poly1305 as chacha20poly1305::KeyInit>::new((&*datagrams).into()),
            streams: key.derive("muster streams"),
        }
    }
}

impl Key {
    fn derive(&self, context: &str) -> Zeroizing<[u8; 32]> {
        let mut mac = Blake2sMac256::new(self.bytes().into());
        mac.update(context.as_bytes());
        Zeroizing::new(mac.finalize_fixed().into())
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seal")
            .field("keyring", &self.keyring())
            .field("plaintext", &self.plaintext)
            .finish_non_exhaustive()
    }
}
