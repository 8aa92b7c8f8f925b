//! The sidecar's clock: monotonic for the core, wall time for people.

use std::cell::Cell;
use std::time::{Duration, Instant, SystemTime};

use muster_swim::Time;
use rustix::time::{ClockId, clock_gettime};

/// The wall clock may differ from what it was at the start, by so much, before it counts as set
/// anew. Smaller differences are ignored so that one point in time is always shown as the same.
const WALL_TOLERANCE: Duration = Duration::from_millis(100);

/// Counts from the start of the agent, also while the machine sleeps (`CLOCK_BOOTTIME`): a
/// coordinator that was suspended must find that its lease is over. [`Instant`] stands still then.
#[derive(Clone, Debug)]
pub struct Clock {
    /// Since the machine was started.
    origin: Duration,
    origin_wall: Cell<SystemTime>,
}

impl Clock {
    /// A clock whose [`Time::ZERO`] is now.
    pub fn start() -> Clock {
        Clock {
            origin: since_boot(),
            origin_wall: Cell::new(SystemTime::now()),
        }
    }

    /// The time since the start.
    pub fn now(&self) -> Time {
        let nanos = u64::try_from(self.elapsed().as_nanos()).unwrap_or(u64::MAX);
        Time::from_nanos(nanos)
    }

    /// The wall time of a point on this clock, also when the wall clock was set meanwhile.
    pub fn wall(&self, time: Time) -> SystemTime {
        let origin = SystemTime::now() - self.elapsed();
        if distance(origin, self.origin_wall.get()) > WALL_TOLERANCE {
            self.origin_wall.set(origin);
        }
        self.origin_wall.get() + Duration::from_nanos(time.as_nanos())
    }

    /// The same point for timers, now if it has passed; `None` beyond what they can hold.
    pub(crate) fn instant(&self, time: Time) -> Option<Instant> {
        let ahead = Duration::from_nanos(time.as_nanos()).saturating_sub(self.elapsed());
        Instant::now().checked_add(ahead)
    }

    fn elapsed(&self) -> Duration {
        since_boot().saturating_sub(self.origin)
    }
}

fn since_boot() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    let (seconds, nanos) = (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec));
    Duration::new(seconds.unwrap_or(0), nanos.unwrap_or(0))
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
    fn a_point_is_the_same_for_timers_and_one_that_passed_is_now() {
        let clock = Clock::start();
        let (before, second) = (Instant::now(), Duration::from_secs(1));
        let in_a_second = clock.instant(clock.now() + second).expect("it is near");
        assert!(in_a_second >= before + second && in_a_second <= Instant::now() + second);
        assert!(clock.instant(Time::ZERO).expect("it is near") <= Instant::now());
    }

    #[test]
    fn a_wall_clock_that_was_set_moves_what_is_shown() {
        let clock = Clock::start();
        let hour = Duration::from_secs(3600);
        clock.origin_wall.set(clock.origin_wall.get() - hour);
        assert!(distance(clock.wall(clock.now()), SystemTime::now()) < Duration::from_secs(60));
    }
}
