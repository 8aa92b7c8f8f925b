//! How a case goes on: opened, heard, heard again.

use std::time::Duration;

use super::case::{Case, Cause, Degraded, Stage};
use super::weigh::CORROBORATED;
use super::{Docket, Order, Summons, hold};
use crate::coordinator::evidence::Finding;
use crate::limits;
use crate::members::{Instance, Name};
use crate::time::Time;

/// A host answers for a process that is gone within a round trip: whoever has not told by then
/// is not waited for.
const REFUSAL_SETTLES: Duration = Duration::from_millis(50);

/// A case is heard at most so often.
pub(super) const RECESS: Duration = Duration::from_secs(1);

impl Docket {
    /// The first word about a life. True when witnesses are to be named.
    pub(super) fn open(
        &mut self,
        subject: &Name,
        instance: Instance,
        by: &Name,
        finding: Finding,
        health: u8,
        now: Time,
    ) -> bool {
        if !self.has_room() {
            return false;
        }
        let mine = *by == self.me;
        let doubted = self.opened_alone(by) >= limits::CASES_ON_ONE_WORD
            || (!mine && self.credit.refuted(by, now).is_some());
        if doubted && !mine && !self.credit.may_look(by, now) {
            self.dropped += 1;
            return false;
        }
        let stage = if doubted {
            let until = now + self.patience;
            Stage::Doubted { until }
        } else {
            self.first_hearing(now)
        };
        let mut case = Case::new(instance, stage, now);
        case.accuse(by, finding, health, now);
        if doubted && !mine && case.ask(&self.me) {
            self.orders.push_back(ask(&self.me, subject, instance));
        }
        self.cases.insert(subject.clone(), case);
        !doubted
    }

    /// Another word of an accuser about a life. True when witnesses are to be named.
    pub(super) fn on_accusation(
        &mut self,
        subject: &Name,
        by: &Name,
        finding: Finding,
        health: u8,
        now: Time,
    ) -> bool {
        let trusted = *by == self.me || self.credit.refuted(by, now).is_none();
        let first_hearing = self.first_hearing(now);
        let case = self.cases.get_mut(subject).expect("the caller looked");
        if !case.accuse(by, finding, health, now) {
            self.dropped += 1;
            return false;
        }
        if trusted && let Some(degraded) = &mut case.degraded {
            degraded.trouble = now;
        }
        let corroborated = case.unreached_by() >= CORROBORATED;
        match &mut case.stage {
            // A second observer says the same: now it is a case.
            Stage::Doubted { .. } if corroborated => {
                case.stage = first_hearing;
                return true;
            }
            Stage::Recess { until, cause } => {
                let hasten = match cause {
                    Cause::Disputed | Cause::Unclear => true,
                    Cause::Degraded => trusted,
                    Cause::Stalled => false,
                };
                if hasten {
                    *until = (*until).min(case.heard + RECESS).max(now);
                }
            }
            Stage::Doubted { .. }
            | Stage::Hearing { .. }
            | Stage::Convicted { .. }
            | Stage::Decided { .. } => {}
        }
        false
    }

    /// It counts as degraded, and is looked at until it does not.
    pub(super) fn note_degraded(&mut self, subject: &Name, instance: Instance, now: Time) {
        if let Some(case) = self.cases.get(subject)
            && case.instance < instance
        {
            self.drop_case(subject);
        }
        let known = self.cases.contains_key(subject);
        if !known && !self.has_room() {
            return;
        }
        let first_hearing = self.first_hearing(now);
        let case = self.cases.entry(subject.clone());
        let case = case.or_insert_with(|| Case::new(instance, first_hearing, now));
        if case.instance != instance || case.degraded.is_some() {
            return;
        }
        case.degraded = Some(Degraded {
            since: now,
            trouble: now,
        });
        if let Stage::Doubted { .. } = case.stage {
            self.promote(subject, now);
        } else if !known {
            let subject = subject.clone();
            self.orders.push_back(Order::Summon { subject, instance });
        }
    }

    /// The parent names witnesses: those are asked that have not told yet.
    pub(super) fn call_witnesses(&mut self, subject: &Name, summons: Summons, now: Time) {
        let Some(case) = self.cases.get_mut(subject) else {
            return;
        };
        let Stage::Hearing {
            since,
            until,
            settled,
        } = &mut case.stage
        else {
            return;
        };
        if since.is_none() {
            (*since, *until, *settled) = (Some(now), now + self.patience, false);
        }
        case.name_voters(&summons.voters, subject, &self.me);
        for witness in std::iter::once(&self.me).chain(&summons.witnesses) {
            if witness != subject && case.ask(witness) {
                self.orders.push_back(ask(witness, subject, case.instance));
            }
        }
        if case.unclear > 0 {
            // Whoever was named before could not tell. A majority of the voters lives, or nothing
            // is decided at all.
            let asked = case.ask_voters();
            let asked = asked.iter().map(|voter| ask(voter, subject, case.instance));
            self.orders.extend(asked);
        }
    }

    /// A witness has told.
    pub(super) fn hear_witness(
        &mut self,
        subject: &Name,
        instance: Instance,
        by: &Name,
        finding: Finding,
        health: u8,
        now: Time,
    ) {
        let Some(case) = self.cases.get_mut(subject) else {
            return;
        };
        if case.instance != instance || !case.testify(by, finding, health, now) {
            return;
        }
        if let Stage::Doubted { .. } = case.stage {
            // Only this coordinator was asked.
            match finding {
                Finding::Unreached(_) => self.promote(subject, now),
                Finding::Reached => self.acquit(subject, now),
                Finding::NoTestimony => self.drop_case(subject),
            }
        }
    }

    /// The subject spoke for itself.
    pub(super) fn hear_subject(&mut self, subject: &Name, now: Time) {
        let Some(case) = self.cases.get_mut(subject) else {
            return;
        };
        if case.degraded.is_some() {
            // That it lives was never in doubt.
            return;
        }
        match &case.stage {
            Stage::Doubted { .. } => self.acquit(subject, now),
            Stage::Hearing { .. } => case.void(),
            Stage::Recess { cause, .. } => {
                let stalled = *cause == Cause::Stalled;
                case.void();
                if stalled {
                    self.begin(subject, false, now);
                }
            }
            Stage::Convicted { .. } => {
                case.void();
                self.begin(subject, false, now);
            }
            // Too late: it will hear of it and come back.
            Stage::Decided { .. } => {}
        }
    }

    /// A case's time is up.
    pub(super) fn on_deadline(&mut self, subject: &Name, now: Time) {
        let Some(case) = self.cases.get_mut(subject) else {
            return;
        };
        match &mut case.stage {
            Stage::Doubted { .. } => self.on_doubted_deadline(subject, now),
            // What follows is up to `touch`.
            Stage::Hearing { settled, .. } => *settled = true,
            Stage::Recess { cause, .. } => {
                let anew = *cause == Cause::Unclear;
                self.begin(subject, anew, now);
            }
            // The voters did not bear witness.
            Stage::Convicted { until, .. } if *until <= now => self.pause(subject, now),
            // The hold ends: `finish` sees to it.
            Stage::Convicted { .. } => {}
            Stage::Decided { .. } => self.begin(subject, true, now),
        }
    }

    /// This coordinator was to look first, and either did not tell or has too many cases of its
    /// own open.
    fn on_doubted_deadline(&mut self, subject: &Name, now: Time) {
        let mine = self.opened_alone(&self.me) < limits::CASES_ON_ONE_WORD;
        let Some(case) = self.cases.get_mut(subject) else {
            return;
        };
        if !case.is_accused_by(&self.me) {
            self.drop_case(subject);
        } else if mine {
            self.promote(subject, now);
        } else {
            let until = now + RECESS;
            case.stage = Stage::Doubted { until };
        }
    }

    /// What was doubted is a case now; what was said of it counts.
    fn promote(&mut self, subject: &Name, now: Time) {
        let first_hearing = self.first_hearing(now);
        let Some(case) = self.cases.get_mut(subject) else {
            return;
        };
        case.stage = first_hearing;
        let (subject, instance) = (subject.clone(), case.instance);
        self.orders.push_back(Order::Summon { subject, instance });
    }

    /// Hears a case again, with the same witnesses and accusers, or `anew` with others.
    pub(super) fn begin(&mut self, subject: &Name, anew: bool, now: Time) {
        let Some(case) = self.cases.get_mut(subject) else {
            return;
        };
        case.begin(anew, now);
        case.stage = Stage::Hearing {
            since: (!anew).then_some(now),
            until: now + self.patience,
            settled: false,
        };
        let instance = case.instance;
        if anew {
            let subject = subject.clone();
            self.orders.push_back(Order::Summon { subject, instance });
            return;
        }
        for witness in case.ask_again() {
            self.orders.push_back(ask(&witness, subject, instance));
        }
    }

    /// What was told or decided lately may have been missed: whatever hangs on it is heard again.
    /// Patience with a stalled process goes on. These are all `voters` now.
    pub(crate) fn hear_again(&mut self, voters: &[Name], now: Time) {
        self.clock = now;
        self.orders.retain_mut(|order| match order {
            Order::Decide(rulings) => {
                rulings.retain(|ruling| !ruling.convicts());
                !rulings.is_empty()
            }
            Order::Ask { .. } | Order::Summon { .. } | Order::Readmit { .. } => true,
        });
        let mut hang = Vec::new();
        for (name, case) in &mut self.cases {
            case.exchange_voters(voters, name, &self.me);
            match case.stage {
                Stage::Hearing { until, .. } => hang.push((name.clone(), until)),
                Stage::Convicted { .. } | Stage::Decided { .. } => hang.push((name.clone(), now)),
                Stage::Recess { .. } | Stage::Doubted { .. } => {}
            }
        }
        // Whoever told before does so again in two rounds; the others have what is left of their
        // time, and of those that were given up nobody is waited for any longer.
        let repeated = now + self.round * 2;
        for (name, before) in hang {
            self.begin(&name, false, now);
            if let Some(case) = self.cases.get_mut(&name)
                && let Stage::Hearing { until, .. } = &mut case.stage
            {
                *until = (*until).min(before.max(repeated));
            }
            self.touch(&name, now);
        }
        self.finish(now);
    }

    /// Until the parent names witnesses there is nobody to wait for.
    pub(super) fn first_hearing(&self, now: Time) -> Stage {
        Stage::Hearing {
            since: None,
            until: now + self.patience,
            settled: false,
        }
    }

    fn acquit(&mut self, subject: &Name, now: Time) {
        self.blame(subject, now);
        self.drop_case(subject);
    }

    pub(super) fn has_room(&mut self) -> bool {
        let room = self.cases.len() < limits::CASES;
        self.dropped += u64::from(!room);
        room
    }

    pub(super) fn drop_case(&mut self, subject: &Name) {
        if let Some(case) = self.cases.remove(subject)
            && case.in_flux
        {
            self.stirred = true;
        }
    }

    /// A member that is gone tells nothing any more: no case waits for it.
    pub(super) fn strike(&mut self, gone: &Name, now: Time) {
        let cases = self.cases.iter_mut();
        let waited: Vec<Name> = cases
            .filter_map(|(name, case)| case.strike(gone).then(|| name.clone()))
            .collect();
        for name in waited {
            self.touch(&name, now);
        }
    }

    /// How many open cases rest on this observer's word alone.
    fn opened_alone(&self, by: &Name) -> usize {
        let alone = |case: &&Case| match case.stage {
            Stage::Hearing { .. } | Stage::Recess { .. } => {
                !case.in_flux && case.is_accused_by(by) && case.accusers().count() == 1
            }
            Stage::Doubted { .. } | Stage::Convicted { .. } | Stage::Decided { .. } => false,
        };
        self.cases.values().filter(alone).count()
    }

    /// When a case goes on by itself.
    pub(super) fn deadline(&self, case: &Case) -> Time {
        match &case.stage {
            Stage::Doubted { until } | Stage::Recess { until, .. } | Stage::Decided { until } => {
                *until
            }
            Stage::Hearing {
                since: Some(since),
                settled: false,
                ..
            } => *since + REFUSAL_SETTLES,
            Stage::Hearing { until, .. } => *until,
            Stage::Convicted {
                since,
                until,
                patience,
                ..
            } => {
                let held = hold::held_until(case.opened, *since, *patience);
                let ends = [(*since + hold::GATHER).min(held), held];
                let next = ends.into_iter().find(|end| *end > self.clock);
                next.unwrap_or(*until)
            }
        }
    }
}

pub(super) fn ask(witness: &Name, subject: &Name, instance: Instance) -> Order {
    Order::Ask {
        witness: witness.clone(),
        subject: subject.clone(),
        instance,
    }
}
