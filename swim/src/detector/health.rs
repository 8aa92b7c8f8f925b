//! Local health: how much this node may trust its own observations (Lifeguard section IV-A).

use std::time::Duration;

use crate::limits;

/// The local health score, 0 (fine) to [`limits::HEALTH`]. It stretches this node's own timeouts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Health(u8);

impl Health {
    pub(crate) fn score(self) -> u8 {
        self.0
    }

    /// Something speaks against this node: a nack missed, a suspicion refuted, a timer late.
    pub(crate) fn worsen(&mut self, by: u8) {
        self.0 = self.0.saturating_add(by).min(limits::HEALTH);
    }

    /// A probe was answered.
    pub(crate) fn improve(&mut self) {
        self.0 = self.0.saturating_sub(1);
    }

    /// A timeout of this node, stretched: (score + 1) times as long.
    pub(crate) fn stretch(self, timeout: Duration) -> Duration {
        timeout * (u32::from(self.0) + 1)
    }
}
