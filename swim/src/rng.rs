//! The node's one source of randomness, seeded from outside.

use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// What a node's randomness begins with. All that it keeps secret comes from here: outside of
/// tests and simulations it must be drawn from the operating system.
#[derive(Clone)]
pub struct Seed(pub [u8; 32]);

impl Seed {
    pub(crate) fn number(&self) -> u64 {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&self.0[..8]);
        u64::from_le_bytes(bytes)
    }
}

/// For tests and simulations: easy to guess, easy to repeat.
impl From<u64> for Seed {
    fn from(number: u64) -> Seed {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&number.to_le_bytes());
        Seed(bytes)
    }
}

/// A portable generator: the same seed draws the same numbers on every machine.
#[derive(Clone, Debug)]
pub(crate) struct Rng(Xoshiro256PlusPlus);

impl Rng {
    pub(crate) fn new(seed: u64) -> Rng {
        Rng(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    /// A number below `end`, which must not be zero.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        debug_assert!(end > 0, "nothing lies below zero");
        self.0.random_range(0..end as u64) as usize
    }

    /// A duration from zero to just below `end`.
    pub(crate) fn up_to(&mut self, end: Duration) -> Duration {
        let nanos = u64::try_from(end.as_nanos()).unwrap_or(u64::MAX).max(1);
        Duration::from_nanos(self.0.random_range(0..nanos))
    }

    /// `middle`, up to a tenth shorter or longer: keeps members from falling into step.
    pub(crate) fn around(&mut self, middle: Duration) -> Duration {
        middle * 9 / 10 + self.up_to(middle / 5)
    }
}
