//! Who says that something was decided: voters sign the views, and what they write to each other,
//! so that no other member can make up either.
//!
//! A voter's number is a hash of its public key, and rosters name voters by their numbers: whoever
//! holds a roster knows whose signature leads to the next one. Ed25519 (RFC 8032).

use std::fmt;

use blake2::Blake2s256;
use blake2::digest::{FixedOutput, Update};
use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::cut::{Lineage, View, Voter, VoterId};
use crate::members::Instance;

/// What makes the memory of a voter its own: a secret, from which its number follows. Drawn when
/// the memory was new, and lost with it.
#[derive(Clone, PartialEq, Eq)]
pub struct VoterKey(SigningKey);

impl VoterKey {
    /// From 32 random bytes.
    pub fn from_seed(seed: &[u8; 32]) -> VoterKey {
        VoterKey(SigningKey::from_bytes(seed))
    }

    /// What it was made from: to be kept where nobody else reads it.
    pub fn to_seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// The number of the voter that has it.
    pub fn id(&self) -> VoterId {
        id_of(self.0.verifying_key().as_bytes())
    }

    pub(crate) fn sign(&self, said: &Said) -> Signature {
        let signature = self.0.sign(&said.0);
        Signature {
            key: self.0.verifying_key().to_bytes(),
            r: *signature.r_bytes(),
            s: *signature.s_bytes(),
        }
    }

    /// What stands for a signature where all who look at it hold the key as well: a hash in place
    /// of some hundred thousand instructions. Nobody without the key can make it.
    #[cfg(feature = "sim")]
    pub(crate) fn stand_in(&self, said: &Said) -> Signature {
        Signature {
            key: self.0.verifying_key().to_bytes(),
            r: hash("muster simulation", &[self.0.as_bytes(), &said.0]),
            s: [0; 32],
        }
    }
}

impl fmt::Debug for VoterKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("VoterKey").field(&self.id()).finish()
    }
}

/// 64 bits of a hash: to find another key with the number of a voter, one has to try 2^64.
fn id_of(key: &[u8; 32]) -> VoterId {
    let [a, b, c, d, e, f, g, h, ..] = hash("muster voter", &[key]);
    VoterId(u64::from_le_bytes([a, b, c, d, e, f, g, h]).max(1))
}

fn hash(context: &str, parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Blake2s256::default();
    // No context begins like another one.
    hash.update(context.as_bytes());
    for part in parts {
        hash.update(part);
    }
    hash.finalize_fixed().into()
}

/// Something that a voter says: the hash of it, which is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Said([u8; 32]);

impl Said {
    /// "This cut, of which these are the bytes, was committed and led to this view."
    pub(crate) fn cut(lineage: Lineage, view: View, cut: &[u8]) -> Said {
        Said::of("muster cut", lineage, view.0, cut)
    }

    /// "This is the roster of this view", of which these are the bytes.
    pub(crate) fn roster(lineage: Lineage, view: View, roster: &[u8]) -> Said {
        Said::of("muster roster", lineage, view.0, roster)
    }

    /// A letter to this voter, of a configuration.
    pub(crate) fn letter(
        lineage: Lineage,
        configuration: u32,
        to: VoterId,
        postmark: Postmark,
        bytes: &[u8],
    ) -> Said {
        let numbers = [
            to.0,
            postmark.instance.0,
            postmark.number,
            postmark.by_stream.into(),
        ];
        let numbers = numbers.map(u64::to_le_bytes);
        let inner = hash("muster addressee", &[&numbers.concat(), bytes]);
        Said::of("muster letter", lineage, configuration.into(), &inner)
    }

    fn of(context: &str, lineage: Lineage, number: u64, bytes: &[u8]) -> Said {
        Said(hash(
            context,
            &[
                &lineage.family.to_le_bytes(),
                &lineage.generation.to_le_bytes(),
                &number.to_le_bytes(),
                bytes,
            ],
        ))
    }
}

/// Which of all letters of a voter it is, so that none is read twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Postmark {
    /// The life of the writer.
    pub(crate) instance: Instance,
    /// Counts its letters: those that go by datagram and, apart from them as they take longer,
    /// those that go by stream.
    pub(crate) number: u64,
    pub(crate) by_stream: bool,
}

/// A voter's signature under something, with the key that shows whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Signature {
    key: [u8; 32],
    r: [u8; 32],
    s: [u8; 32],
}

impl Signature {
    /// Which voter made it, if it holds.
    pub(crate) fn voter(&self) -> VoterId {
        id_of(&self.key)
    }

    /// Whether it is by one of these voters.
    pub(crate) fn is_of(&self, voters: &[Voter]) -> bool {
        let voter = self.voter();
        voters.iter().any(|known| known.id == voter)
    }

    /// Whether it stands under this.
    pub(crate) fn holds(&self, said: &Said) -> bool {
        let signature = ed25519_dalek::Signature::from_components(self.r, self.s);
        let key = VerifyingKey::from_bytes(&self.key);
        key.is_ok_and(|key| key.verify_strict(&said.0, &signature).is_ok())
    }

    /// As if somebody had signed: for tests of what refuses it.
    #[cfg(test)]
    pub(crate) const fn made_up() -> Signature {
        Signature {
            key: [7; 32],
            r: [8; 32],
            s: [9; 32],
        }
    }
}

/// The key of a member in tests.
#[cfg(test)]
pub(crate) fn key_of(name: &str) -> VoterKey {
    let mut seed = [0; 32];
    seed[..name.len()].copy_from_slice(name.as_bytes());
    VoterKey::from_seed(&seed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::members::Name;

    const LINEAGE: Lineage = Lineage {
        family: 5,
        generation: 1,
    };

    const POSTMARK: Postmark = Postmark {
        instance: Instance(100),
        number: 4,
        by_stream: false,
    };

    fn key(seed: u8) -> VoterKey {
        VoterKey::from_seed(&[seed; 32])
    }

    #[test]
    fn a_signature_holds_for_what_was_signed_and_by_whom() {
        let said = Said::cut(LINEAGE, View(7), b"cut");
        let signature = key(1).sign(&said);
        assert!(signature.holds(&said));
        assert_eq!(signature.voter(), key(1).id());
        assert_ne!(key(1).id(), key(2).id());
        assert_ne!(key(1).id(), VoterId::NEVER);
        let voters = |seed| {
            let name = Name::new("a").expect("a name");
            let id = key(seed).id();
            [Voter { name, id }]
        };
        assert!(signature.is_of(&voters(1)) && !signature.is_of(&voters(2)));

        let other = Lineage {
            generation: 2,
            ..LINEAGE
        };
        for wrong in [
            Said::cut(other, View(7), b"cut"),
            Said::cut(LINEAGE, View(8), b"cut"),
            Said::cut(LINEAGE, View(7), b"cu"),
            Said::roster(LINEAGE, View(7), b"cut"),
            Said::letter(LINEAGE, 7, key(1).id(), POSTMARK, b"cut"),
        ] {
            assert!(!signature.holds(&wrong), "{wrong:?}");
        }
        assert!(!Signature::made_up().holds(&said));
    }

    #[test]
    fn a_letter_names_its_reader() {
        let said = |to, postmark| Said::letter(LINEAGE, 3, to, postmark, b"letter");
        let signature = key(1).sign(&said(key(2).id(), POSTMARK));
        assert!(signature.holds(&said(key(2).id(), POSTMARK)));
        assert!(!signature.holds(&said(key(3).id(), POSTMARK)));
        let next = Postmark {
            number: 5,
            ..POSTMARK
        };
        assert!(!signature.holds(&said(key(2).id(), next)));
    }

    /// No bit of it can be changed.
    #[test]
    fn a_signature_with_a_flipped_bit_does_not_hold() {
        let said = Said::cut(LINEAGE, View(7), b"cut");
        let bytes = postcard::to_allocvec(&key(1).sign(&said)).expect("into memory");
        assert_eq!(bytes.len(), crate::limits::SIGNATURE_BYTES);
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let changed: Signature = postcard::from_bytes(&changed).expect("any bytes are one");
            let of_another = changed.voter() != key(1).id();
            assert!(of_another || !changed.holds(&said), "bit {bit}");
        }
    }

    #[test]
    fn a_key_is_not_shown() {
        let shown = format!("{:?}", key(0xab));
        assert!(
            !shown.contains("171") && !shown.contains("ab, ab"),
            "{shown}"
        );
    }
}
