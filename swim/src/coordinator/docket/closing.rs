//! How a hearing ends: when it is over, and what follows from what was found.

use std::sync::Arc;
use std::time::Duration;

use super::case::{Case, Cause, Degraded, Stage, Word};
use super::hearing::RECESS;
use super::weigh::{self, CORROBORATED, Doubts, Outcome, Patience, Tally};
use super::{Docket, Ruling, hold};
use crate::coordinator::evidence::{Evidence, Reason};
use crate::members::Name;
use crate::time::Time;

/// One that stays unclear is heard again more and more seldom, up to this.
const RECESS_MAX: Duration = Duration::from_secs(4);

/// So many hearings in a row find a member disputed before it counts as degraded: the first may
/// have come while it went.
const DISPUTES: u32 = 2;

/// A degraded member is looked at so often without new reports.
const DEGRADED_RECESS: Duration = Duration::from_secs(2);

/// A member that stays degraded for so long is removed as a whole, when half of those that look, by
/// their weight, do not reach it.
const DEGRADED_FOR: Duration = Duration::from_secs(15);

/// After so long without trouble a degraded member is restored.
const DEGRADED_CALM: Duration = Duration::from_secs(10);

/// A ruling that is not committed for so long is looked at again.
const DECIDED_FOR: Duration = Duration::from_secs(10);

/// How often one change is followed through all cases: each changes who is waited for.
const ROUNDS: usize = 3;

impl Docket {
    /// Looks whether a case can go on, and at all others if that changes who is waited for and
    /// how much a word counts.
    pub(super) fn touch(&mut self, subject: &Name, now: Time) {
        self.settle(subject, now);
        if self.note_flux(subject) {
            self.settle_all(now);
        }
    }

    pub(super) fn settle_all(&mut self, now: Time) {
        for _ in 0..ROUNDS {
            let mut changed = false;
            let names: Vec<Name> = self.cases.keys().cloned().collect();
            for name in names {
                self.settle(&name, now);
                changed |= self.note_flux(&name);
            }
            if !changed {
                return;
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

    /// Closes a hearing that is over; looks again at what is held.
    fn settle(&mut self, subject: &Name, now: Time) {
        let Some(case) = self.cases.get(subject) else {
            return;
        };
        let tally = self.tally(case, now);
        let outcome = weigh::judge(&tally, self.members);
        let refused = outcome == Outcome::Unreached && tally.patience() == Patience::Refused;
        let refused = refused && !case.refuted;
        let (close, convict) = match &case.stage {
            Stage::Hearing {
                since,
                until,
                settled,
            } => {
                let complete = since.is_some() && tally.waiting == 0;
                (now >= *until || complete, refused && *settled)
            }
            // A host may say in between that the process is gone.
            Stage::Recess { .. } => (false, refused),
            Stage::Convicted { reason, .. } => {
                let too_long = *reason == Reason::DegradedTooLong
                    && outcome == Outcome::Disputed
                    && tally.unreached_by >= CORROBORATED;
                let stands = outcome == Outcome::Unreached || too_long;
                (!stands, false)
            }
            Stage::Doubted { .. } | Stage::Decided { .. } => return,
        };
        if close {
            self.close(subject, tally, outcome, now);
        } else if convict {
            self.convict(subject, Patience::Refused, Reason::Unreached, now);
        }
    }

    fn close(&mut self, subject: &Name, tally: Tally, outcome: Outcome, now: Time) {
        let (stall_timeout, round) = (self.stall_timeout, self.round);
        let Some(case) = self.cases.get_mut(subject) else {
            return;
        };
        let outcome = match outcome {
            // It spoke for itself since: it is asked again before it is convicted.
            Outcome::Unreached if case.refuted => Outcome::Disputed,
            Outcome::Unreached | Outcome::Reached | Outcome::Disputed | Outcome::Unclear => outcome,
        };
        let stalled = outcome == Outcome::Unreached && tally.patience() == Patience::Stalled;
        if !stalled {
            case.patient_until = None;
        }
        match outcome {
            Outcome::Unclear => case.unclear = case.unclear.saturating_add(1),
            Outcome::Unreached | Outcome::Reached => (case.unclear, case.disputes) = (0, 0),
            Outcome::Disputed => {
                case.unclear = 0;
                case.disputes = case.disputes.saturating_add(1);
            }
        }
        match outcome {
            Outcome::Unreached if stalled => {
                let patient_until = case.note_stalled(stall_timeout, round);
                if case.heard < patient_until {
                    case.end();
                    self.recess(subject, Cause::Stalled, patient_until, now);
                } else {
                    self.convict(subject, Patience::Stalled, Reason::Unreached, now);
                }
            }
            Outcome::Unreached => {
                self.convict(subject, tally.patience(), Reason::Unreached, now);
            }
            Outcome::Reached => self.close_reached(subject, now),
            Outcome::Disputed => self.close_disputed(subject, tally, now),
            Outcome::Unclear => self.pause(subject, now),
        }
    }

    /// It is well: whoever says otherwise counts less for a while.
    fn close_reached(&mut self, subject: &Name, now: Time) {
        self.blame(subject, now);
        let Some(case) = self.cases.get_mut(subject) else {
            return;
        };
        case.end();
        let Some(degraded) = &case.degraded else {
            self.drop_case(subject);
            return;
        };
        if now.since(degraded.trouble) >= DEGRADED_CALM {
            let (name, instance) = (subject.clone(), case.instance);
            self.drop_case(subject);
            self.rulings.push(Ruling::Restore { name, instance });
            return;
        }
        self.recess_degraded(subject, now);
    }

    /// Some reach it and some do not.
    fn close_disputed(&mut self, subject: &Name, tally: Tally, now: Time) {
        let Some(case) = self.cases.get_mut(subject) else {
            return;
        };
        if let Some(degraded) = &mut case.degraded {
            degraded.trouble = now;
            let long = now.since(degraded.since) >= DEGRADED_FOR;
            // Where every fourth packet is lost everybody is degraded now and then.
            let many = tally.unreached() >= tally.reached;
            if long && many && tally.unreached_by >= CORROBORATED {
                self.convict(subject, tally.patience(), Reason::DegradedTooLong, now);
                return;
            }
        } else if case.disputes < DISPUTES {
            case.end();
            let until = case.heard + RECESS;
            self.recess(subject, Cause::Disputed, until, now);
            return;
        } else {
            self.degrade(subject, now);
        }
        if let Some(case) = self.cases.get_mut(subject) {
            case.end();
        }
        self.recess_degraded(subject, now);
    }

    fn degrade(&mut self, subject: &Name, now: Time) {
        let case = &self.cases[subject];
        let evidence = Arc::new(self.evidence(case, Reason::Disputed, now));
        let instance = case.instance;
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
    }

    pub(super) fn convict(
        &mut self,
        subject: &Name,
        patience: Patience,
        reason: Reason,
        now: Time,
    ) {
        let until = now + self.patience + hold::LONGEST;
        if let Some(case) = self.cases.get_mut(subject) {
            case.stage = Stage::Convicted {
                since: now,
                until,
                patience,
                reason,
            };
        }
    }

    /// A convicted member is handed out to be removed.
    pub(super) fn decide(&mut self, subject: &Name, reason: Reason, now: Time) {
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

    /// Whoever still accuses it counts less for a while.
    pub(super) fn blame(&mut self, subject: &Name, now: Time) {
        let Some(case) = self.cases.get(subject) else {
            return;
        };
        for accuser in case.stubborn() {
            self.credit.refute(accuser, now);
        }
    }

    /// Nothing can be said now. Others will be asked, later and later.
    pub(super) fn pause(&mut self, subject: &Name, now: Time) {
        let Some(case) = self.cases.get_mut(subject) else {
            return;
        };
        case.end();
        let steps = case.unclear.saturating_sub(1).min(4);
        let recess = (RECESS * 2u32.pow(steps)).min(RECESS_MAX);
        self.recess(subject, Cause::Unclear, now + recess, now);
    }

    fn recess_degraded(&mut self, subject: &Name, now: Time) {
        let until = self.cases[subject].heard + DEGRADED_RECESS;
        self.recess(subject, Cause::Degraded, until, now);
    }

    /// Between two hearings; the next one begins no earlier than now.
    fn recess(&mut self, subject: &Name, cause: Cause, until: Time, now: Time) {
        let Some(case) = self.cases.get_mut(subject) else {
            return;
        };
        if until > now {
            case.stage = Stage::Recess { until, cause };
        } else {
            self.begin(subject, cause == Cause::Unclear, now);
        }
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
            |by| self.is_in_flux(by) || self.removed.contains(by),
        )
    }

    pub(super) fn evidence(&self, case: &Case, reason: Reason, now: Time) -> Evidence {
        case.evidence(reason, |by, word| self.weight(by, word, now), now)
    }
}
