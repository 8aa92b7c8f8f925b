//! A prober that is a thread of its own and stops in a send that blocks, as memberlist's does.
//!
//! For the simulator only: what the papers measured can be had no other way. While it is held, the
//! first probe that comes due sends into the block and then nothing of the prober moves until it is
//! let go; all other timers run.

use super::{Node, Timer};
use crate::detector::Stage;
use crate::time::Time;

/// How far the prober is.
#[derive(Clone, Debug, Default)]
pub(super) struct Prober {
    held: bool,
    /// It has sent something that is held.
    stuck: bool,
    /// What came due meanwhile, in order.
    due: Vec<Timer>,
}

impl Prober {
    /// Whether this timer came due and waits for the prober.
    pub(super) fn holds(&self, timer: &Timer) -> bool {
        self.due.contains(timer)
    }
}

impl Node {
    /// From now on what the prober sends is held.
    pub fn hold_prober(&mut self) {
        self.prober.held = true;
    }

    /// What was held is out: the prober goes on. A round whose time is over by then asks its relays
    /// and fails without waiting for them.
    pub fn release_prober(&mut self, now: Time) {
        self.enter(now);
        let Prober { due, .. } = std::mem::take(&mut self.prober);
        for timer in due {
            if let Timer::Round(seq) = timer {
                self.on_held_round(seq, now);
            } else {
                self.on_timer(timer, now);
            }
        }
    }

    fn on_held_round(&mut self, seq: u32, now: Time) {
        let Some(round) = self.probes.get(seq) else {
            return;
        };
        let over = now.since(round.sent) >= self.health.stretch(self.config.period);
        let widens = round.stage == Stage::Direct;
        if widens {
            self.widen_round(seq, now);
        }
        // Those that were asked before have had their time.
        if over || !widens {
            self.on_round_failed(seq, None, now);
        }
    }

    /// Whether the timer has to wait for the prober.
    pub(super) fn prober_waits(&mut self, timer: &Timer) -> bool {
        let (Timer::Tick | Timer::Beat(_) | Timer::Round(_)) = timer else {
            return false;
        };
        if self.prober.stuck {
            self.prober.due.push(timer.clone());
            return true;
        }
        let only_judges = |seq: &u32| {
            let round = self.probes.get(*seq);
            round.is_none_or(|round| round.stage == Stage::Indirect)
        };
        let sends = !matches!(timer, Timer::Round(seq) if only_judges(seq));
        self.prober.stuck = self.prober.held && sends;
        false
    }
}
