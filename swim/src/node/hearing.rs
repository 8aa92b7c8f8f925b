//! Whether this node hears anybody at all: one that does not knows nothing of others, and troubles
//! nobody with what it finds (DESIGN guarantee 5).

use super::Node;
use crate::detector::{Round, Stage};
use crate::event::Silence;
use crate::time::Time;

/// What came of the network lately.
#[derive(Debug, Default)]
pub(super) struct Hearing {
    /// When anybody was last heard.
    last: Time,
    /// A round failed in which nobody at all was heard, nor since.
    deaf: bool,
    /// When that was over the last time.
    resumed: Time,
}

impl Node {
    /// Somebody was heard, whatever it said.
    pub(super) fn hear_somebody(&mut self, now: Time) {
        self.hearing.last = now;
        if std::mem::take(&mut self.hearing.deaf) {
            self.hearing.resumed = now;
            self.recheck_suspects(now);
            self.resume_reports(now);
        }
    }

    /// Whether a round began while nobody was heard, and somebody is now: it is to be held anew.
    pub(super) fn is_out_of_deafness(&self, round: &Round) -> bool {
        !self.hearing.deaf && round.sent < self.hearing.resumed
    }

    /// A round failed. When none of the relays was heard either, nor anybody else for longer than a
    /// quiet moment, it says more of this node than of its target. Without relays nobody is deaf,
    /// nor where nobody decides ever: SWIM and Lifeguard know nothing of it.
    pub(super) fn listen_after(&mut self, round: &Round, silence: Silence, now: Time) {
        if !self.config.parts.verdicts {
            return;
        }
        match silence {
            Silence::CutOff | Silence::Stalled => {
                let relayed = round.stage == Stage::Indirect && round.silent_relays() > 0;
                let quiet = now.since(self.hearing.last) >= self.config.probe_timeout_max * 2;
                self.hearing.deaf |= relayed && quiet && self.hearing.last <= round.sent;
            }
            // The host of the target was heard.
            Silence::Refused | Silence::Replaced => self.hear_somebody(now),
        }
    }

    /// Whether nobody at all is heard.
    pub(super) fn is_deaf(&self) -> bool {
        self.hearing.deaf
    }
}
