//! The clock of one process: it may run faster or slower than the world's.

use smallvec::SmallVec;

use crate::time::Time;

/// Reads `(1 + ppm / 1,000,000)` times the world's time. Its rate may change; it never goes back.
#[derive(Clone, Debug)]
pub(super) struct Clock {
    /// In order: each counts until the next one.
    pieces: SmallVec<[Piece; 1]>,
}

/// From a point of the world's time on it runs at one rate.
#[derive(Clone, Copy, Debug)]
struct Piece {
    world: Time,
    read: Time,
    ppm: i32,
}

const MILLION: u128 = 1_000_000;

/// The most by which a clock may be off: 1 % (guarantee 1).
pub(super) const PPM_MAX: i32 = 10_000;

impl Clock {
    /// A clock that is so many millionths too fast, or too slow when negative.
    pub(super) fn new(ppm: i32) -> Clock {
        let mut clock = Clock {
            pieces: SmallVec::new(),
        };
        clock.push(Time::ZERO, Time::ZERO, ppm);
        clock
    }

    /// Runs at another rate from now on; false when it does so already.
    pub(super) fn change(&mut self, ppm: i32, world: Time) -> bool {
        let last = self.pieces.last();
        if last.is_some_and(|piece| piece.ppm == ppm) {
            return false;
        }
        self.push(world, self.read(world), ppm);
        true
    }

    fn push(&mut self, world: Time, read: Time, ppm: i32) {
        assert!(
            (-PPM_MAX..=PPM_MAX).contains(&ppm),
            "clocks are off by at most {PPM_MAX} millionths: {ppm}"
        );
        self.pieces.push(Piece { world, read, ppm });
    }

    /// What it reads at a point of the world's time.
    pub(super) fn read(&self, world: Time) -> Time {
        let piece = self.piece(|piece| piece.world <= world);
        if piece.ppm == 0 {
            return piece.read + world.since(piece.world);
        }
        let passed = u128::from(world.since(piece.world).as_nanos() as u64);
        after(piece.read, passed * piece.rate() / MILLION)
    }

    /// The first point of the world's time at which it reads so much or more.
    pub(super) fn world(&self, read: Time) -> Time {
        let piece = self.piece(|piece| piece.read <= read);
        if piece.ppm == 0 {
            return piece.world + read.since(piece.read);
        }
        let passed = u128::from(read.since(piece.read).as_nanos() as u64);
        after(piece.world, (passed * MILLION).div_ceil(piece.rate()))
    }

    /// The last piece that has begun.
    fn piece(&self, has_begun: impl Fn(&Piece) -> bool) -> Piece {
        let mut pieces = self.pieces.iter().rev();
        *pieces
            .find(|piece| has_begun(piece))
            .expect("the first piece begins at zero")
    }
}

impl Piece {
    fn rate(self) -> u128 {
        u128::try_from(1_000_000 + i64::from(self.ppm)).unwrap_or(MILLION)
    }
}

fn after(start: Time, nanos: u128) -> Time {
    let nanos = u64::try_from(nanos).unwrap_or(u64::MAX);
    Time::from_nanos(start.as_nanos().saturating_add(nanos))
}

#[cfg(test)]
mod tests;
