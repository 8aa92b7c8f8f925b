//! How a fresh cluster forms: one member begins its history, once as many as expected have found
//! each other (DESIGN 4.3; compare Consul's bootstrap-expect).
//!
//! Every one of those that found each other must let the first by name do it, and each lets only
//! one at a time. So two histories can begin only among twice as many as expected, of whom no half
//! knows the other.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use super::{Lifecycle, Node, Timer};
use crate::coordinator::{Lineage, Roster, Voter, VoterId};
use crate::members::{Name, NameHash, Status};
use crate::time::Time;
use crate::wire::{Errand, Message};

/// How far this node is with forming a cluster, or letting another do it.
#[derive(Debug, Default)]
pub(super) struct Founding {
    /// The round of asking, and who must still grant.
    asking: Option<(u32, BTreeSet<Name>)>,
    /// Whom this node lets form the cluster, until when.
    granted: Option<(Name, Time)>,
}

/// How often a member looks whether those it expects are there.
const LOOK: Duration = Duration::from_millis(250);

/// Random bits of a family.
const FAMILY_BITS: u32 = 22;

/// How long nobody else is let: longer than a round of asking.
const GRANT: Duration = Duration::from_secs(2);

impl Node {
    /// Whether this node is in no history and may begin one.
    fn may_found(&self) -> bool {
        self.config.parts.verdicts
            && self.agreed.history.is_none()
            && self.agreed.voter != VoterId::NEVER
            && !self.agreed.saves.failed
            && self.lifecycle == Lifecycle::Member
    }

    pub(super) fn on_found_timeout(&mut self, now: Time) {
        let never = self.agreed.voter == VoterId::NEVER || !self.config.parts.verdicts;
        if never || self.agreed.history.is_some() {
            return;
        }
        if self.config.expect == 1 {
            // What stands under a seed may change: that looks again.
            if self.may_found() && self.has_only_own_seeds() {
                self.found(now);
            }
            return;
        }
        self.set_timer(Timer::Found, now + LOOK);
        self.agreed.founding.asking = None;
        if !self.may_found() {
            return;
        }
        let candidates = self.candidates();
        let first = candidates.first().is_none_or(|first| self.me.name < *first);
        if candidates.len() + 1 < self.config.expect || !first || !self.may_grant(None, now) {
            return;
        }
        let seq = self.next_seq();
        for candidate in &candidates {
            self.send_errand(candidate, Errand::Found { seq });
        }
        self.agreed.founding.asking = Some((seq, candidates));
    }

    /// Others that may vote and answer.
    fn candidates(&self) -> BTreeSet<Name> {
        let members = self.table.iter().map(|member| &member.statement);
        members
            .filter(|held| held.status == Status::Alive && held.record.voter != VoterId::NEVER)
            .map(|held| held.record.name.clone())
            .filter(|name| *name != self.me.name)
            .collect()
    }

    /// Whether nobody but this one was granted to form the cluster.
    fn may_grant(&self, founder: Option<&str>, now: Time) -> bool {
        match &self.agreed.founding.granted {
            Some((name, until)) => *until <= now || Some(name.as_str()) == founder,
            None => true,
        }
    }

    pub(super) fn on_found(&mut self, seq: u32, from: &str, at: SocketAddr, now: Time) {
        let Ok(founder) = Name::new(from) else {
            return;
        };
        let joins = matches!(self.lifecycle, Lifecycle::Joining | Lifecycle::Member);
        let free = self.agreed.history.is_none() && joins;
        let votes = self.agreed.voter != VoterId::NEVER;
        let first = founder < self.me.name && self.candidates().first() == Some(&founder);
        if !free || !votes || !first || !self.may_grant(Some(from), now) {
            return;
        }
        self.agreed.founding.granted = Some((founder, now + GRANT));
        self.send_plain(
            (NameHash::of(from), at),
            Message::Errand(Errand::Grant { seq }),
        );
    }

    pub(super) fn on_grant(&mut self, seq: u32, from: &str, now: Time) {
        let Some((asked, waiting)) = &mut self.agreed.founding.asking else {
            return;
        };
        if *asked != seq {
            return;
        }
        waiting.retain(|name| name.as_str() != from);
        if waiting.is_empty() && self.may_found() {
            self.found(now);
        }
    }

    /// Begins the history of the cluster, with this node as its one voter.
    fn found(&mut self, now: Time) {
        // The older is the smaller; two that form in one millisecond differ in the rest.
        let unique = self.rng.below(1 << FAMILY_BITS) as u64;
        let lineage = Lineage {
            family: (self.me.instance.0 >> 10) << FAMILY_BITS | unique,
            generation: 0,
        };
        let founder = Voter {
            name: self.me.name.clone(),
            id: self.agreed.voter,
        };
        self.adopt(Roster::genesis(lineage, founder), now);
        self.agree(now);
    }

    /// There is a history: no other one is begun.
    pub(super) fn stop_founding(&mut self) {
        self.agreed.founding = Founding::default();
        self.timers.cancel(&Timer::Found);
    }
}
