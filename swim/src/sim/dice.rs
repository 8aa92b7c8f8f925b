//! The one source of randomness of a simulation.

use std::ops::Range;
use std::time::Duration;

use rand::{Rng as _, RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Draws everything that is random; the same seed draws the same.
#[derive(Clone, Debug)]
pub struct Dice(Xoshiro256PlusPlus);

impl Dice {
    /// The dice of one seed.
    pub fn new(seed: u64) -> Dice {
        Dice(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    /// The dice of one topic under a seed: what other topics draw, and how many topics there are,
    /// does not matter to it.
    pub fn of_topic(seed: u64, topic: &str) -> Dice {
        Dice::new(xxh3_64_with_seed(topic.as_bytes(), seed))
    }

    /// Any number: the seed of something else.
    pub fn seed(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number from `range`, which must not be empty.
    pub fn number(&mut self, range: Range<usize>) -> usize {
        self.0.random_range(range)
    }

    /// Whether something of this probability (0 to 1) happens.
    pub fn chance(&mut self, probability: f64) -> bool {
        // Draws nothing when nothing is open, so that a fault that is off changes no trace.
        probability > 0.0 && self.0.random_bool(probability.min(1.0))
    }

    /// A duration from `range`; its start when the range is empty.
    pub fn duration(&mut self, range: &Range<Duration>) -> Duration {
        if range.is_empty() {
            return range.start;
        }
        let nanos = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(self.0.random_range(nanos(range.start)..nanos(range.end)))
    }

    /// One of `things`, which must not be empty.
    pub fn pick<'a, T>(&mut self, things: &'a [T]) -> &'a T {
        &things[self.number(0..things.len())]
    }

    /// Up to `count` different ones of `things`, in random order.
    pub fn sample<T: Copy>(&mut self, things: &[T], count: usize) -> Vec<T> {
        let mut left = things.to_vec();
        let mut taken = Vec::new();
        while taken.len() < count && !left.is_empty() {
            taken.push(left.swap_remove(self.number(0..left.len())));
        }
        taken
    }
}

#[cfg(test)]
mod tests;
