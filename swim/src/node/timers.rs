//! The node's timers, of which the caller sees only the earliest.

use std::collections::BTreeSet;

use hashbrown::HashMap;

use super::StreamId;
use crate::members::Name;
use crate::time::Time;

/// What a timer is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Timer {
    /// The next probe of a random member.
    Tick,
    /// The next beat on a ring.
    Beat(usize),
    /// A beat that should have come is overdue.
    Overdue,
    /// A stage of a probe round.
    Round(u32),
    /// A ping for somebody else.
    Relay(u32),
    /// A suspicion ends.
    Suspicion(Name),
    /// The next push of fresh updates.
    Push,
    /// The next comparison of tables with a random member.
    PushPull,
    /// A stream made no progress.
    Stream(StreamId),
    /// The next try of a seed.
    Seed(String),
    /// The next contact to a lost member or seed.
    Reconnect,
    /// The next goodbye, or the end of waiting.
    Leave,
    /// The namesake has had its time to answer.
    Namesake,
    /// A lost or departed member is forgotten.
    Forget(Name),
    /// The consensus wants to be woken.
    Voting,
    /// The coordinator looks at what has become due.
    Govern,
    /// Reports that nobody confirmed are sent again.
    Reports,
    /// Questions that nobody answered are put again.
    Ask,
    /// Whether those that are expected have found each other.
    Found,
    /// No sign of a quorum came for too long.
    Quorum,
    /// A key is forgotten.
    Keys,
}

impl Timer {
    /// A word for logs and traces.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Timer::Tick => "tick",
            Timer::Beat(_) => "beat",
            Timer::Overdue => "overdue",
            Timer::Round(_) => "round",
            Timer::Relay(_) => "relay",
            Timer::Suspicion(_) => "suspicion",
            Timer::Push => "push",
            Timer::PushPull => "push-pull",
            Timer::Stream(_) => "stream",
            Timer::Seed(_) => "seed",
            Timer::Reconnect => "reconnect",
            Timer::Leave => "leave",
            Timer::Namesake => "namesake",
            Timer::Forget(_) => "forget",
            Timer::Voting => "voting",
            Timer::Govern => "govern",
            Timer::Reports => "reports",
            Timer::Ask => "ask",
            Timer::Found => "found",
            Timer::Quorum => "quorum",
            Timer::Keys => "keys",
        }
    }
}

/// Timers in the order of their deadlines, each kind set at most once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timers {
    order: BTreeSet<(Time, Timer)>,
    deadlines: HashMap<Timer, Time>,
}

impl Timers {
    /// Sets a timer, or moves it.
    pub(crate) fn set(&mut self, timer: Timer, at: Time) {
        self.cancel(&timer);
        self.deadlines.insert(timer.clone(), at);
        self.order.insert((at, timer));
    }

    pub(crate) fn cancel(&mut self, timer: &Timer) {
        if let Some(at) = self.deadlines.remove(timer) {
            self.order.remove(&(at, timer.clone()));
        }
    }

    pub(crate) fn is_set(&self, timer: &Timer) -> bool {
        self.deadlines.contains_key(timer)
    }

    /// Whether it is set to a time after this.
    pub(crate) fn is_set_after(&self, timer: &Timer, time: Time) -> bool {
        self.deadlines.get(timer).is_some_and(|at| *at > time)
    }

    pub(crate) fn first(&self) -> Option<(Time, &Timer)> {
        self.order.first().map(|(at, timer)| (*at, timer))
    }

    /// Takes the earliest timer that is due.
    pub(crate) fn take_due(&mut self, now: Time) -> Option<Timer> {
        if self.order.first()?.0 > now {
            return None;
        }
        let (_, timer) = self.order.pop_first()?;
        self.deadlines.remove(&timer);
        Some(timer)
    }

    /// Moves every timer that is overdue to `now`.
    pub(crate) fn catch_up(&mut self, now: Time) {
        while let Some((at, _)) = self.first()
            && at < now
        {
            let timer = self.take_due(now).expect("the first timer is due");
            self.set(timer, now);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.order.clear();
        self.deadlines.clear();
    }

    pub(crate) fn check_invariants(&self) {
        assert_eq!(
            self.order.len(),
            self.deadlines.len(),
            "every timer stands in order once"
        );
    }
}
