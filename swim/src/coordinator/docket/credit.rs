//! Which observers are believed less, and how much work their word may still cause.

use std::collections::BTreeMap;
use std::time::Duration;

use super::weigh::REFUTED_FOR;
use crate::limits;
use crate::members::Name;
use crate::time::Time;

/// An accuser whose word alone opens no case has this coordinator look for it so often.
const LOOK_EVERY: Duration = Duration::from_millis(250);

#[derive(Clone, Debug, Default)]
pub(super) struct Credit {
    /// When a member that it accused was last found well. At most [`limits::REFUTED`].
    refuted: BTreeMap<Name, Time>,
    /// When this coordinator last looked on its word alone. At most [`limits::REFUTED`].
    looked: BTreeMap<Name, Time>,
}

impl Credit {
    /// A member that it accused was found well.
    pub(super) fn refute(&mut self, name: &Name, now: Time) {
        remember(&mut self.refuted, name, now);
    }

    /// How long ago it was refuted, if lately.
    pub(super) fn refuted(&self, name: &Name, now: Time) -> Option<Duration> {
        let ago = now.since(*self.refuted.get(name)?);
        (ago < REFUTED_FOR).then_some(ago)
    }

    /// Whether this coordinator looks at a member on this doubtful word: it then has.
    pub(super) fn may_look(&mut self, name: &Name, now: Time) -> bool {
        let last = self.looked.get(name);
        if last.is_some_and(|last| now.since(*last) < LOOK_EVERY) {
            return false;
        }
        remember(&mut self.looked, name, now);
        true
    }

    pub(super) fn expire(&mut self, now: Time) {
        self.refuted.retain(|_, at| now.since(*at) < REFUTED_FOR);
        self.looked.retain(|_, at| now.since(*at) < LOOK_EVERY);
    }

    pub(super) fn check_invariants(&self) {
        assert!(self.refuted.len() <= limits::REFUTED);
        assert!(self.looked.len() <= limits::REFUTED);
    }
}

/// Notes a time under a name; with too many, the oldest is forgotten.
fn remember(times: &mut BTreeMap<Name, Time>, name: &Name, now: Time) {
    times.insert(name.clone(), now);
    if times.len() > limits::REFUTED {
        let oldest = times.iter().min_by_key(|(_, at)| **at);
        let oldest = oldest.map(|(name, _)| name.clone());
        oldest.and_then(|name| times.remove(&name));
    }
}
