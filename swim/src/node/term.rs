//! When this node is the coordinator: it takes the office, begins a term, and rests from it while
//! it has no lease.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::cutting::Content;
use super::office::{InOffice, LOOK};
use super::{Node, Timer};
use crate::coordinator::{Change, Cut, Docket, Epoch, Office};
use crate::members::{Instance, Name, Status};
use crate::time::Time;

impl Node {
    /// Whether this node decides now: it leads, holds the lease, and its office was committed.
    pub(super) fn in_office(&self, now: Time) -> bool {
        self.agreed.office.is_some() && self.leads(now) && self.holds_office()
    }

    pub(super) fn leads(&self, now: Time) -> bool {
        let voting = self.agreed.voting.as_ref();
        voting.is_some_and(|voting| voting.consensus.leads(now))
    }

    pub(super) fn holds_office(&self) -> bool {
        let roster = self.agreed.roster();
        let office = roster.and_then(|roster| roster.head.office.as_ref());
        office.is_some_and(|office| {
            office.coordinator == self.me.name && office.instance == self.me.instance
        })
    }

    pub(super) fn take_office(&mut self, now: Time) -> bool {
        if self.agreed.roster().is_none() {
            return false;
        }
        let office = Office {
            epoch: self.epoch().next(),
            coordinator: self.me.name.clone(),
            instance: self.me.instance,
        };
        let cut = Cut {
            office: Some(office),
            ..Cut::default()
        };
        self.propose(cut, now)
    }

    /// Zero before there is a history.
    pub(super) fn epoch(&self) -> Epoch {
        self.agreed
            .roster()
            .map_or(Epoch(0), |roster| roster.epoch())
    }

    /// It has no lease, for a moment as a rule: voters are exchanged.
    pub(super) fn rest_from_office(&mut self, now: Time) {
        let (holds, longest) = (self.holds_office(), self.config.lease);
        if let Some(office) = &mut self.agreed.office {
            self.timers.cancel(&Timer::Govern);
            let since = *office.rests_since.get_or_insert(now);
            if !holds || now.since(since) > longest {
                self.agreed.office = None;
            }
        }
    }

    /// True when it is at work. The cases of one that rested no longer than a lease are heard again
    /// and not begun anew: patience with a stalled process would begin anew as well.
    pub(super) fn go_on_in_office(&mut self, now: Time) -> bool {
        let (epoch, longest) = (self.epoch(), self.config.lease);
        let Some(office) = &mut self.agreed.office else {
            return false;
        };
        let rested = office.rests_since.take();
        if office.epoch != epoch || rested.is_some_and(|since| now.since(since) > longest) {
            self.agreed.office = None;
            return false;
        }
        if rested.is_some() {
            self.resume(now);
        }
        true
    }

    /// What could have become untrue meanwhile is found again before it is decided.
    fn resume(&mut self, now: Time) {
        let (everybody, voters) = (self.everybody(), self.all_voters());
        let Some(office) = &mut self.agreed.office else {
            return;
        };
        office.review = everybody;
        for rulings in &mut office.rulings {
            rulings.retain(|ruling| !ruling.convicts());
        }
        office.rulings.retain(|rulings| !rulings.is_empty());
        // Whoever asks for the removal of one that is there asks again.
        let table = &self.table;
        office.urgent.retain(|name, change| {
            let held = table.get(name.as_str()).map(|held| held.statement.status);
            let present = matches!(held, Some(Status::Alive | Status::Suspect));
            !(present && matches!(change, Change::Dead { .. }))
        });
        office.docket.hear_again(&voters, now);
        self.take_up_degraded(now);
    }

    /// All that are in the view, or in the table.
    fn everybody(&self) -> BTreeSet<Name> {
        let standings = self.agreed.roster().map(|roster| roster.standings());
        let names = standings.unwrap_or_default().iter().map(|held| &held.name);
        names
            .chain(self.table.iter().map(|held| &held.statement.record.name))
            .cloned()
            .collect()
    }

    pub(super) fn begin_term(&mut self, now: Time) {
        self.agreed.office = Some(InOffice {
            docket: Docket::new(&self.config, &self.me.name, now),
            since: now,
            epoch: self.epoch(),
            rests_since: None,
            review: self.everybody(),
            absent: BTreeSet::new(),
            next_look: now + LOOK,
            urgent: BTreeMap::new(),
            newcomers: BTreeMap::new(),
            window: None,
            rulings: VecDeque::new(),
            admitted: BTreeMap::new(),
            surplus_since: None,
            content: Content::default(),
        });
        self.take_up_degraded(now);
        let me = self.me.name.clone();
        for name in std::mem::take(&mut self.agreed.given_up) {
            self.remove_on_request(&name, false, &me);
        }
    }

    /// Members that an earlier coordinator found degraded are looked at again.
    fn take_up_degraded(&mut self, now: Time) {
        let standings = self.agreed.roster().map(|roster| roster.standings());
        let degraded: Vec<(Name, Instance)> = standings
            .unwrap_or_default()
            .iter()
            .filter(|standing| standing.degraded)
            .map(|standing| (standing.name.clone(), standing.instance))
            .collect();
        for (name, instance) in degraded {
            self.take_up(&name, instance, now);
        }
    }
}
