//! What the users of a node see of its members, before and after what was agreed has changed: each
//! difference is told once.

use std::collections::VecDeque;

use hashbrown::HashSet;

use super::Node;
use crate::coordinator::Verdict;
use crate::event::{DeadCause, Event, EventKind, State, UnreachableCause};
use crate::members::{Instance, MemberId, Name};
use crate::time::Time;

impl Node {
    /// What its users see of a member that a cut or a roster may change.
    pub(super) fn stand(&self, id: MemberId) -> Stand {
        let member = self.table.member(id);
        let held = &member.statement.record;
        let (name, instance) = (held.name.as_str(), held.instance);
        let roster = self.agreed.roster();
        let agreed = roster.and_then(|roster| roster.agreed_on(name, instance));
        let state = member.state();
        Stand {
            id,
            state: agreed.map_or(state, |(verdict, _, degraded)| {
                state_under(verdict, degraded, state)
            }),
            verdict: agreed.map(|(verdict, ..)| verdict),
        }
    }

    /// Tells of those whose state is another one since `before` under the new roster, without a
    /// turn of theirs: lives that were never members, verdicts of a history that was given up.
    /// What was told begins at that place in the queue.
    pub(super) fn tell_rest(&mut self, before: Vec<Stand>, told: usize, now: Time) {
        let mut known = Known::new(told, self.events.len());
        for old in before {
            let held = &self.table.member(old.id).statement.record;
            if known.is_next(&self.events, &held.name, held.instance) {
                continue;
            }
            let Stand { state, verdict, .. } = self.stand(old.id);
            if (old.state, old.verdict) == (state, verdict) {
                continue;
            }
            let (name, instance) = (held.name.clone(), held.instance);
            if name == self.me.name || !known.is_news(&self.events, &name, instance) {
                continue;
            }
            if verdict.is_some_and(|verdict| verdict != Verdict::Up) {
                self.bury(&name, now);
            }
            let Some(info) = self.info_of(name.as_str()) else {
                continue;
            };
            let standing = self.agreed.roster().and_then(|roster| {
                let standing = roster.standing(info.name.as_str())?;
                Some(standing.instance)
            });
            let kind = match info.state {
                State::Dead => EventKind::Dead {
                    cause: standing.map_or(DeadCause::Unknown, |instance| DeadCause::Replaced {
                        instance,
                    }),
                },
                State::Left if info.verdict.is_some() => EventKind::Left,
                State::Left | State::Unreachable => EventKind::Unreachable {
                    cause: UnreachableCause::Verdict,
                },
                State::Degraded => EventKind::Degraded { evidence: None },
                State::Alive if old.state != State::Alive => EventKind::Reachable,
                State::Alive | State::Suspect => EventKind::Updated,
            };
            self.tell(info, kind, now);
        }
    }
}

/// What the users of this node see of a member.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stand {
    pub(super) id: MemberId,
    pub(super) state: State,
    verdict: Option<Verdict>,
}

/// What was told in one stretch of the queue of events.
struct Known {
    from: usize,
    to: usize,
    /// Most is asked for in the order in which it was told.
    next: usize,
    /// All of it, once something was asked for out of order.
    all: Option<HashSet<(Name, Instance)>>,
}

impl Known {
    fn new(from: usize, to: usize) -> Known {
        Known {
            from,
            to,
            next: from,
            all: None,
        }
    }

    /// Whether this life is the one that was told of after the last one that was asked for.
    fn is_next(&mut self, events: &VecDeque<Event>, name: &Name, instance: Instance) -> bool {
        let next = events.get(self.next).filter(|_| self.next < self.to);
        let is_it = next
            .is_some_and(|event| event.member.instance == instance && event.member.name == *name);
        self.next += usize::from(is_it);
        is_it
    }

    /// Whether nothing was told of this life. From now on it counts as told: a cut may name a
    /// member more than once.
    fn is_news(&mut self, events: &VecDeque<Event>, name: &Name, instance: Instance) -> bool {
        let all = self.all.get_or_insert_with(|| {
            let told = events.range(self.from..self.to);
            told.map(|event| (event.member.name.clone(), event.member.instance))
                .collect()
        });
        all.insert((name.clone(), instance))
    }
}

/// The state of a member on which there is a verdict.
pub(super) fn state_under(verdict: Verdict, degraded: bool, state: State) -> State {
    match verdict {
        Verdict::Up if degraded && state == State::Alive => State::Degraded,
        Verdict::Up => state,
        Verdict::Dead => State::Dead,
        Verdict::Left => State::Left,
    }
}
