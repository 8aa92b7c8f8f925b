//! Removed members that answer again: when they may be members again (DESIGN 4.2, readmission).
//!
//! A candidate waits until it was reachable in both directions for a while. Witnesses look at it
//! again and again meanwhile; a lapse that two of them see begins the wait anew.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Order;
use super::weigh::CORROBORATED;
use crate::coordinator::evidence::Finding;
use crate::limits;
use crate::members::{Instance, Name};
use crate::time::Time;

/// How many times [`Config::readmission`](crate::Config) a name waits after so many removals.
const WAITS: [u32; 4] = [1, 6, 24, 60];

/// Witnesses look at a candidate at least so often: more often than a link flaps that matters.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// A report about a candidate has it looked at at once, but not more often than this.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// A candidate that was silent and not reached for so long is forgotten until it answers.
const FORGET_AFTER: Duration = Duration::from_secs(30);

/// How long a name that was removed so often must be reachable.
pub(super) fn wait(readmission: Duration, removals: u8) -> Duration {
    let at = usize::from(removals.max(1)) - 1;
    readmission * WAITS[at.min(WAITS.len() - 1)]
}

/// Witnesses were asked and tell.
#[derive(Clone, Debug)]
struct Look {
    until: Time,
    waiting: Vec<Name>,
    reached: usize,
    unreached: usize,
}

#[derive(Clone, Debug)]
struct Candidate {
    instance: Instance,
    wait: Duration,
    /// Since when it is reachable without a lapse.
    since: Time,
    /// When it last asked to be a member.
    heard: Time,
    /// When it was last looked at without a lapse.
    reached: Time,
    /// At most [`limits::WITNESSES`]; some of them look each time, in turn.
    witnesses: Vec<Name>,
    turn: usize,
    look: Option<Look>,
    looked: Time,
    /// When they look next.
    next: Time,
}

impl Candidate {
    fn interval(&self) -> Duration {
        (self.wait / 5).min(LOOK_EVERY)
    }

    /// When something is due.
    fn deadline(&self) -> Time {
        self.look.as_ref().map_or(self.next, |look| look.until)
    }
}

#[derive(Clone, Debug)]
pub(super) struct Candidates {
    me: Name,
    readmission: Duration,
    /// How long witnesses have to tell.
    patience: Duration,
    /// At most [`limits::CANDIDATES`].
    candidates: BTreeMap<Name, Candidate>,
}

impl Candidates {
    pub(super) fn new(me: &Name, readmission: Duration, patience: Duration) -> Candidates {
        Candidates {
            me: me.clone(),
            readmission,
            patience,
            candidates: BTreeMap::new(),
        }
    }

    pub(super) fn contains(&self, name: &Name) -> bool {
        self.candidates.contains_key(name)
    }

    /// It asks to be a member. True when it is a new candidate: then it needs witnesses.
    pub(super) fn on_candidate(
        &mut self,
        name: &Name,
        instance: Instance,
        removals: u8,
        now: Time,
    ) -> bool {
        let wait = wait(self.readmission, removals);
        if let Some(candidate) = self.candidates.get_mut(name)
            && candidate.instance >= instance
        {
            if candidate.instance == instance {
                candidate.wait = wait;
                candidate.heard = now;
            }
            return false;
        }
        if !self.contains(name) && self.candidates.len() >= limits::CANDIDATES {
            return false;
        }
        let candidate = Candidate {
            instance,
            wait,
            since: now,
            heard: now,
            reached: now,
            witnesses: Vec::new(),
            turn: 0,
            look: None,
            looked: now,
            next: now + wait,
        };
        self.candidates.insert(name.clone(), candidate);
        true
    }

    /// Who looks at it, from now on.
    pub(super) fn summon(&mut self, name: &Name, witnesses: &[Name], now: Time) -> Vec<Order> {
        let Some(candidate) = self.candidates.get_mut(name) else {
            return Vec::new();
        };
        candidate.witnesses.clear();
        candidate.turn = 0;
        for witness in std::iter::once(&self.me).chain(witnesses) {
            let news = witness != name && !candidate.witnesses.contains(witness);
            if news && candidate.witnesses.len() < limits::WITNESSES {
                candidate.witnesses.push(witness.clone());
            }
        }
        self.look(name, now)
    }

    /// Somebody does not reach it. One observer alone does not keep anybody out: others look.
    pub(super) fn on_report(&mut self, name: &Name, instance: Instance, now: Time) -> Vec<Order> {
        let Some(candidate) = self.candidates.get_mut(name) else {
            return Vec::new();
        };
        if candidate.instance != instance {
            return Vec::new();
        }
        if candidate.witnesses.is_empty() {
            candidate.since = now;
            candidate.next = now + candidate.wait;
            return Vec::new();
        }
        if candidate.look.is_some() {
            return Vec::new();
        }
        candidate.next = candidate.next.min(candidate.looked + LOOK_AGAIN);
        if candidate.next <= now {
            return self.look(name, now);
        }
        Vec::new()
    }

    /// What a witness found.
    pub(super) fn on_testimony(
        &mut self,
        name: &Name,
        instance: Instance,
        by: &Name,
        finding: Finding,
        now: Time,
    ) -> Option<Order> {
        let candidate = self.candidates.get_mut(name)?;
        if candidate.instance != instance {
            return None;
        }
        let look = candidate.look.as_mut()?;
        let at = look.waiting.iter().position(|waiting| waiting == by)?;
        look.waiting.swap_remove(at);
        match finding {
            Finding::Reached => look.reached += 1,
            Finding::Unreached(_) => look.unreached += 1,
            Finding::NoTestimony => {}
        }
        if look.waiting.is_empty() {
            self.conclude(name, now)
        } else {
            None
        }
    }

    pub(super) fn remove(&mut self, name: &Name) {
        self.candidates.remove(name);
    }

    pub(super) fn handle_timeout(&mut self, now: Time) -> Vec<Order> {
        let due = self.candidates.iter();
        let due: Vec<Name> = due
            .filter(|(_, candidate)| candidate.deadline() <= now)
            .map(|(name, _)| name.clone())
            .collect();
        let mut orders = Vec::new();
        for name in due {
            let candidate = &self.candidates[&name];
            if candidate.look.is_some() || candidate.witnesses.is_empty() {
                orders.extend(self.conclude(&name, now));
            } else {
                orders.extend(self.look(&name, now));
            }
        }
        orders
    }

    pub(super) fn poll_timeout(&self) -> Option<Time> {
        self.candidates.values().map(Candidate::deadline).min()
    }

    /// The next few witnesses look at it.
    fn look(&mut self, name: &Name, now: Time) -> Vec<Order> {
        let Some(candidate) = self.candidates.get_mut(name) else {
            return Vec::new();
        };
        let count = candidate.witnesses.len();
        let mut waiting = Vec::new();
        for _ in 0..count.min(limits::CANDIDATE_WITNESSES) {
            waiting.push(candidate.witnesses[candidate.turn % count].clone());
            candidate.turn = (candidate.turn + 1) % count;
        }
        let ask = |witness: &Name| Order::Ask {
            witness: witness.clone(),
            subject: name.clone(),
            instance: candidate.instance,
        };
        let orders = waiting.iter().map(ask).collect();
        candidate.looked = now;
        candidate.look = Some(Look {
            until: now + self.patience,
            waiting,
            reached: 0,
            unreached: 0,
        });
        orders
    }

    /// All have told, or time is up.
    fn conclude(&mut self, name: &Name, now: Time) -> Option<Order> {
        let candidate = self.candidates.get_mut(name)?;
        let look = candidate.look.take();
        let lapsed = look.is_some_and(|look| look.reached == 0 || look.unreached >= CORROBORATED);
        if lapsed {
            if now.since(candidate.heard.max(candidate.reached)) >= FORGET_AFTER {
                self.candidates.remove(name);
                return None;
            }
            candidate.since = now;
        } else {
            candidate.reached = now;
            let waited = candidate.looked.since(candidate.since) >= candidate.wait;
            if waited || candidate.witnesses.is_empty() {
                let (name, instance) = (name.clone(), candidate.instance);
                self.candidates.remove(&name);
                return Some(Order::Readmit { name, instance });
            }
        }
        let soon = (now + candidate.interval()).min(candidate.since + candidate.wait);
        // The last look may have begun just before the end: then the next one follows at once.
        candidate.next = soon.max(now + Duration::from_millis(1));
        None
    }

    pub(super) fn check_invariants(&self) {
        assert!(self.candidates.len() <= limits::CANDIDATES);
        for candidate in self.candidates.values() {
            assert!(candidate.witnesses.len() <= limits::WITNESSES);
            let look = candidate.look.as_ref();
            assert!(look.is_none_or(|look| look.waiting.len() <= limits::CANDIDATE_WITNESSES));
        }
    }
}
