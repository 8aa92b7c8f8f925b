//! The clock of one process: it may run faster or slower than the world's.

use crate::time::Time;

/// Reads `(1 + ppm / 1,000,000)` times the world's time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clock {
    ppm: i32,
}

const MILLION: u128 = 1_000_000;

/// The most by which a clock may be off: 1 % (guarantee 1).
const PPM_MAX: i32 = 10_000;

impl Clock {
    /// A clock that is so many millionths too fast, or too slow when negative.
    pub(super) fn new(ppm: i32) -> Clock {
        assert!(
            (-PPM_MAX..=PPM_MAX).contains(&ppm),
            "clocks are off by at most {PPM_MAX} millionths: {ppm}"
        );
        Clock { ppm }
    }

    /// What it reads at a point of the world's time.
    pub(super) fn read(self, world: Time) -> Time {
        if self.ppm == 0 {
            return world;
        }
        let nanos = u128::from(world.as_nanos()) * self.rate() / MILLION;
        Time::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// The first point of the world's time at which it reads so much or more.
    pub(super) fn world(self, read: Time) -> Time {
        if self.ppm == 0 {
            return read;
        }
        let nanos = (u128::from(read.as_nanos()) * MILLION).div_ceil(self.rate());
        Time::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    fn rate(self) -> u128 {
        u128::try_from(1_000_000 + i64::from(self.ppm)).unwrap_or(MILLION)
    }
}

#[cfg(test)]
mod tests;
