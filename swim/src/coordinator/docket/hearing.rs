//! How a case goes on: opened, heard, closed, heard again.

use std::sync::Arc;
use std::time::Duration;

use super::case::{Case, Cause, Degraded, Stage, Word};
use super::weigh::{self, CORROBORATED, Doubts, Patience, Tally};
use super::{Docket, Order, Ruling, Summons, hold};
use crate::coordinator::evidence::{Evidence, Finding, Reason};
use crate::limits;
use crate::members::{Instance, Name};
use crate::time::Time;

/// A host answers for a process that is gone within a round trip: whoever has not told by then
/// is not waited for.
const REFUSAL_SETTLES: Duration = Duration::from_millis(50);

/// A case is heard again at most so often.
const RECESS: Duration = Duration::from_secs(1);

/// One that stays unclear is heard again more and more seldom, up to this.
const RECESS_MAX: Duration = Duration::from_secs(4);

/// A degraded member is looked at so often without new reports.
const DEGRADED_RECESS: Duration = Duration::from_secs(2);

/// A member that stays degraded for so long is removed as a whole.
const DEGRADED_FOR: Duration = Duration::from_secs(15);

/// After so long without trouble a degraded member is restored.
const DEGRADED_CALM: Duration = Duration::from_secs(10);

/// A ruling that is not committed for so long is looked at again.
const DECIDED_FOR: Duration = Duration::from_secs(10);

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
        match &mut case.stage {
            Stage::Doubted { .. } => {
                // A second observer says the same: now it is a case.
                let second = case.unreached_by() >= CORROBORATED;
                if second {
                    case.stage = first_hearing;
                }
                second
            }
            Stage::Recess { until, cause } => {
                match cause {
                    Cause::Disputed | Cause::Unclear => {
                        *until = (*until).min(case.heard + RECESS).max(now);
                    }
                    Cause::Degraded if trusted => {
                        *until = (*until).min(case.heard + RECESS).max(now);
                    }
                    Cause::Stalled | Cause::Degraded => {}
                }
                if trusted && let Some(degraded) = &mut case.degraded {
                    degraded.trouble = now;
                }
                false
            }
            Stage::Hearing { .. } | Stage::Convicted { .. } | Stage::Decided { .. } => {
                if trusted && let Some(degraded) = &mut case.degraded {
                    degraded.trouble = now;
                }
                false
            }
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
        (*since, *until, *settled) = (Some(now), now + self.patience, false);
        case.voters = summons.voters;
        case.voters
            .retain(|voter| voter != subject && *voter != self.me);
        case.voters.truncate(limits::VOTERS - 1);
        case.voters.push(self.me.clone());
        for witness in std::iter::once(&self.me).chain(&summons.witnesses) {
            if witness != subject && case.ask(witness) {
                self.orders.push_back(ask(witness, subject, case.instance));
            }
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
                Finding::Unreached(_) => self.begin(subject, true, now),
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
            Stage::Hearing { .. } => {
                case.void();
                case.refuted = true;
            }
            Stage::Recess { cause, .. } => match cause {
                Cause::Stalled => self.begin(subject, false, now),
                Cause::Disputed | Cause::Unclear | Cause::Degraded => case.void(),
            },
            Stage::Convicted { .. } => self.begin(subject, false, now),
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
            Stage::Convicted { until, .. } if *until <= now => self.pause(subject, now),
            // The hold ends: `finish` sees to it.
            Stage::Convicted { .. } => {}
            Stage::Decided { .. } => self.begin(subject, true, now),
        }
    }

    /// This coordinator was to look first, and either did not tell or has too many cases of its
    /// own open.
    fn on_doubted_deadline(&mut self, subject: &Name, now: Time) {
        let case = &self.cases[subject];
        if !case.accusers().any(|accuser| *accuser == self.me) {
            self.drop_case(subject);
        } else if self.opened_alone(&self.me) < limits::CASES_ON_ONE_WORD {
            self.begin(subject, true, now);
        } else if let Some(case) = self.cases.get_mut(subject) {
            case.stage = Stage::Doubted {
                until: now + RECESS,
            };
        }
    }

    /// Looks whether a case can go on, and at all others if that changes who is waited for and
    /// how much a word counts.
    pub(super) fn touch(&mut self, subject: &Name, now: Time) {
        self.settle(subject, now);
        if !self.note_flux(subject) {
            return;
        }
        let mut changed = true;
        // Each round settles what the last one changed; a case can change each a few times only.
        for _ in 0..3 {
            if !changed {
                break;
            }
            changed = false;
            let names: Vec<Name> = self.cases.keys().cloned().collect();
            for name in names {
                self.settle(&name, now);
                changed |= self.note_flux(&name);
            }
        }
    }

    /// True when it changed.
    fn note_flux(&mut self, subject: &Name) -> bool {
        let Some(case) = self.cases.get_mut(subject) else {
            return false;
        };
        let in_flux = case.is_in_flux();
        std::mem::replace(&mut case.in_flux, in_flux) != in_flux
    }

    /// Closes a hearing that is over.
    fn settle(&mut self, subject: &Name, now: Time) {
        let Some(case) = self.cases.get(subject) else {
            return;
        };
        let (over, settled) = match case.stage {
            Stage::Hearing {
                since,
                until,
                settled,
            } => (now >= until, since.is_some().then_some(settled)),
            // A host may say in between that the process is gone.
            Stage::Recess { .. } => (false, Some(true)),
            Stage::Doubted { .. } | Stage::Convicted { .. } | Stage::Decided { .. } => return,
        };
        let recess = matches!(case.stage, Stage::Recess { .. });
        let tally = self.tally(case, now);
        let finding = weigh::judge(&tally, self.members);
        let complete = tally.waiting == 0 && settled.is_some() && !recess;
        if over || complete {
            self.close(subject, tally, finding, now);
            return;
        }
        let refused = finding == weigh::Finding::Unreached && tally.patience() == Patience::Refused;
        if refused && settled == Some(true) && !case.refuted {
            self.convict(subject, Patience::Refused, Reason::Unreached, now);
        }
    }

    fn close(&mut self, subject: &Name, tally: Tally, finding: weigh::Finding, now: Time) {
        let stall_timeout = self.stall_timeout;
        let Some(case) = self.cases.get_mut(subject) else {
            return;
        };
        case.end();
        let finding = match finding {
            // It spoke for itself since: it must be asked again before it is convicted.
            weigh::Finding::Unreached if case.refuted => weigh::Finding::Disputed,
            weigh::Finding::Unreached
            | weigh::Finding::Reached
            | weigh::Finding::Disputed
            | weigh::Finding::Unclear => finding,
        };
        case.unclear = match finding {
            weigh::Finding::Unclear => case.unclear.saturating_add(1),
            weigh::Finding::Unreached | weigh::Finding::Reached | weigh::Finding::Disputed => 0,
        };
        case.disputes = match finding {
            weigh::Finding::Disputed => case.disputes.saturating_add(1),
            weigh::Finding::Unclear => case.disputes,
            weigh::Finding::Unreached | weigh::Finding::Reached => 0,
        };
        let patient = tally.patience() == Patience::Stalled;
        let pause_ends = case.opened + stall_timeout;
        match finding {
            weigh::Finding::Unreached if patient && case.heard < pause_ends => {
                self.recess(subject, Cause::Stalled, pause_ends, now);
            }
            weigh::Finding::Unreached => {
                self.convict(subject, tally.patience(), Reason::Unreached, now);
            }
            _ if case.degraded.is_some() => self.close_degraded(subject, tally, finding, now),
            weigh::Finding::Reached => self.acquit(subject, now),
            weigh::Finding::Disputed if case.disputes < 2 => {
                let until = (case.heard + RECESS).max(now);
                self.recess(subject, Cause::Disputed, until, now);
            }
            weigh::Finding::Disputed => self.degrade(subject, now),
            weigh::Finding::Unclear => self.pause(subject, now),
        }
    }

    /// A degraded member was heard again and not found gone.
    fn close_degraded(&mut self, subject: &Name, tally: Tally, finding: weigh::Finding, now: Time) {
        let Some(case) = self.cases.get_mut(subject) else {
            return;
        };
        let Some(degraded) = &mut case.degraded else {
            return;
        };
        match finding {
            weigh::Finding::Reached if now.since(degraded.trouble) >= DEGRADED_CALM => {
                let instance = case.instance;
                self.drop_case(subject);
                let name = subject.clone();
                self.rulings.push(Ruling::Restore { name, instance });
                return;
            }
            weigh::Finding::Reached => self.blame(subject, now),
            weigh::Finding::Disputed => {
                degraded.trouble = now;
                let long = now.since(degraded.since) >= DEGRADED_FOR;
                if long && tally.unreached_by >= CORROBORATED {
                    self.convict(subject, tally.patience(), Reason::DegradedTooLong, now);
                    return;
                }
            }
            weigh::Finding::Unclear => {
                self.pause(subject, now);
                return;
            }
            weigh::Finding::Unreached => unreachable!("it was convicted, or waits for a pause"),
        }
        let case = &self.cases[subject];
        let until = (case.heard + DEGRADED_RECESS).max(now);
        self.recess(subject, Cause::Degraded, until, now);
    }

    fn degrade(&mut self, subject: &Name, now: Time) {
        let case = &self.cases[subject];
        let evidence = Arc::new(self.evidence(case, Reason::Disputed, now));
        let instance = case.instance;
        let until = (case.heard + DEGRADED_RECESS).max(now);
        if let Some(case) = self.cases.get_mut(subject) {
            case.degraded = Some(Degraded {
                since: now,
                trouble: now,
            });
        }
        self.rulings.push(Ruling::Degrade {
            name: subject.clone(),
            instance,
            evidence,
        });
        self.recess(subject, Cause::Degraded, until, now);
    }

    fn convict(&mut self, subject: &Name, patience: Patience, reason: Reason, now: Time) {
        let wait = self.patience + hold::LONGEST;
        if let Some(case) = self.cases.get_mut(subject) {
            case.stage = Stage::Convicted {
                since: now,
                until: now + wait,
                patience,
                reason,
            };
        }
    }

    /// It is well: whoever still says otherwise counts less for a while.
    fn acquit(&mut self, subject: &Name, now: Time) {
        self.blame(subject, now);
        self.drop_case(subject);
    }

    fn blame(&mut self, subject: &Name, now: Time) {
        let Some(case) = self.cases.get(subject) else {
            return;
        };
        for accuser in case.stubborn() {
            self.credit.refute(accuser, now);
        }
    }

    /// Nothing can be said now. Others will be asked, later and later.
    fn pause(&mut self, subject: &Name, now: Time) {
        let Some(case) = self.cases.get(subject) else {
            return;
        };
        let steps = case.unclear.saturating_sub(1).min(4);
        let recess = (RECESS * 2u32.pow(steps)).min(RECESS_MAX);
        self.recess(subject, Cause::Unclear, now + recess, now);
    }

    fn recess(&mut self, subject: &Name, cause: Cause, until: Time, now: Time) {
        let Some(case) = self.cases.get_mut(subject) else {
            return;
        };
        case.stage = Stage::Recess { until, cause };
        if until <= now {
            let anew = cause == Cause::Unclear;
            self.begin(subject, anew, now);
        }
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
            self.orders.push_back(Order::Summon {
                subject: subject.clone(),
                instance,
            });
            return;
        }
        for witness in case.ask_again() {
            self.orders.push_back(ask(&witness, subject, instance));
        }
    }

    pub(super) fn first_hearing(&self, now: Time) -> Stage {
        Stage::Hearing {
            since: None,
            until: now + self.patience,
            settled: false,
        }
    }

    pub(super) fn has_room(&mut self) -> bool {
        let room = self.cases.len() < limits::CASES;
        self.dropped += u64::from(!room);
        room
    }

    pub(super) fn drop_case(&mut self, subject: &Name) {
        self.cases.remove(subject);
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
                let mut accusers = case.accusers();
                accusers.next() == Some(by) && accusers.next().is_none() && !case.in_flux
            }
            Stage::Doubted { .. } | Stage::Convicted { .. } | Stage::Decided { .. } => false,
        };
        self.cases.values().filter(alone).count()
    }

    fn weight(&self, by: &Name, word: &Word, now: Time) -> u32 {
        weigh::weight(Doubts {
            health: word.health,
            accused: self.is_in_flux(by),
            refuted: self.credit.refuted(by, now),
        })
    }

    fn is_in_flux(&self, name: &Name) -> bool {
        self.cases.get(name).is_some_and(|case| case.in_flux)
    }

    fn tally(&self, case: &Case, now: Time) -> Tally {
        case.tally(
            &self.me,
            |by, word| self.weight(by, word, now),
            |by| self.is_in_flux(by),
        )
    }

    pub(super) fn evidence(&self, case: &Case, reason: Reason, now: Time) -> Evidence {
        case.evidence(reason, |by, word| self.weight(by, word, now), now)
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
                let held = *since + hold::longest(*patience);
                if held > self.clock { held } else { *until }
            }
        }
    }

    pub(super) fn decided(&mut self, subject: &Name, reason: Reason, now: Time) {
        let case = &self.cases[subject];
        let evidence = Arc::new(self.evidence(case, reason, now));
        let instance = case.instance;
        if let Some(case) = self.cases.get_mut(subject) {
            case.stage = Stage::Decided {
                until: now + DECIDED_FOR,
            };
        }
        self.rulings.push(Ruling::Convict {
            name: subject.clone(),
            instance,
            evidence,
        });
    }
}

pub(super) fn ask(witness: &Name, subject: &Name, instance: Instance) -> Order {
    Order::Ask {
        witness: witness.clone(),
        subject: subject.clone(),
        instance,
    }
}
