//! The sidecar's clock: monotonic for the core, wall time for people.

use std::cell::Cell;
use std::time::{Duration, Instant, SystemTime};

use muster_swim::Time;

/// The wall clock may differ from what it was at the start, by so much, before it counts as set
/// anew. Smaller differences are ignored so that one point in time is always shown as the same.
const WALL_TOLERANCE: Duration = Duration::from_millis(100);

/// Counts from the start of the agent on the monotonic clock.
#[derive(Clone, Debug)]
pub struct Clock {
    origin: Instant,
    origin_wall: Cell<SystemTime>,
}

impl Clock {
    /// A clock whose [`Time::ZERO`] is now.
    pub fn start() -> Clock {
        Clock {
            origin: Instant::now(),
            origin_wall: Cell::new(SystemTime::now()),
        }
    }

    /// The time since the start.
    pub fn now(&self) -> Time {
        let nanos = u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX);
        Time::from_nanos(nanos)
    }

    /// The wall time of a point on this clock, also when the wall clock was set meanwhile.
    pub fn wall(&self, time: Time) -> SystemTime {
        let origin = SystemTime::now() - self.origin.elapsed();
        if distance(origin, self.origin_wall.get()) > WALL_TOLERANCE {
            self.origin_wall.set(origin);
        }
        self.origin_wall.get() + Duration::from_nanos(time.as_nanos())
    }

    /// The same point for timers; `None` beyond what they can hold.
    pub(crate) fn instant(&self, time: Time) -> Option<Instant> {
        self.origin
            .checked_add(Duration::from_nanos(time.as_nanos()))
    }
}

fn distance(a: SystemTime, b: SystemTime) -> Duration {
    a.duration_since(b)
        .unwrap_or_else(|earlier| earlier.duration())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_point_is_always_shown_as_the_same_wall_time() {
        let clock = Clock::start();
        let time = clock.now();
        let first = clock.wall(time);
        for _ in 0..1000 {
            assert_eq!(clock.wall(time), first);
        }
    }

    #[test]
    fn a_wall_clock_that_was_set_moves_what_is_shown() {
        let clock = Clock::start();
        let hour = Duration::from_secs(3600);
        clock.origin_wall.set(clock.origin_wall.get() - hour);
        assert!(distance(clock.wall(clock.now()), SystemTime::now()) < Duration::from_secs(60));
    }
}
