//! When convictions are handed out: together, and never more than a minority of the view without
//! the voters' own witness.
//!
//! Rapid (Suresh et al., USENIX ATC 2018, section 4.2) holds what has more than H reports while
//! anything has between L and H. Here two observers are L, the weighing is H, and the hold has an
//! end: what stays between is disputed, and not waited for. Hosts that are cut off together are
//! found one after the other, as they were to be pinged: there one observer is L, and after a first
//! removal a conviction waits for a moment whether another hearing begins.

use std::collections::BTreeMap;
use std::time::Duration;

use super::case::{Case, Stage};
use super::weigh::{self, Patience};
use super::{Docket, Order, Ruling, hearing};
use crate::coordinator::evidence::Reason;
use crate::limits;
use crate::members::{Instance, Name};
use crate::time::Time;

/// How long a conviction by refusals is held for others, and one of a stalled process: both were
/// certain before, refusals by the host's word, a stall by a first hearing.
const CERTAIN: Duration = Duration::from_millis(300);

/// How long any conviction is held for others.
pub(super) const LONGEST: Duration = Duration::from_secs(1);

/// And no longer than this after its first report: a hearing whose witnesses are gone as well has
/// taken its time already.
const FROM_REPORT: Duration = Duration::from_secs(2);

/// So long a conviction by silence waits for the next hearing, if another member was removed in the
/// last two seconds: of ten hosts that are cut off at once two are found within that of each other.
pub(super) const GATHER: Duration = Duration::from_millis(200);

/// Removals that are so fresh count as one with what is decided now.
const TOGETHER: Duration = Duration::from_secs(60);

/// Until when a conviction is held for others, of a case that was opened then.
pub(super) fn held_until(opened: Time, since: Time, patience: Patience) -> Time {
    match patience {
        Patience::Refused | Patience::Stalled => since + CERTAIN,
        Patience::CutOff => (since + LONGEST).min(opened + FROM_REPORT),
    }
}

/// Members that were removed in the last minute and are not back.
#[derive(Clone, Debug, Default)]
pub(super) struct Removed {
    /// Which life, and when.
    lives: BTreeMap<Name, (Instance, Time)>,
    /// Members of the view if none of them had been removed.
    view: usize,
}

impl Removed {
    pub(super) fn add(&mut self, name: &Name, instance: Instance, now: Time) {
        if self.lives.len() < limits::MEMBERS {
            self.lives.insert(name.clone(), (instance, now));
        }
    }

    pub(super) fn take_back(&mut self, name: &Name) {
        self.lives.remove(name);
    }

    pub(super) fn contains(&self, name: &Name) -> bool {
        self.lives.contains_key(name)
    }

    /// Whether this life is one of them, or older.
    pub(super) fn includes(&self, name: &Name, instance: Instance) -> bool {
        self.lives.get(name).is_some_and(|(of, _)| *of >= instance)
    }

    /// Whether one was removed lately enough for others to go with it.
    fn goes_on(&self, now: Time) -> bool {
        let mut removed = self.lives.values();
        removed.any(|(_, at)| now.since(*at) < 2 * LONGEST)
    }

    pub(super) fn expire(&mut self, now: Time) {
        self.lives.retain(|_, (_, at)| now.since(*at) < TOGETHER);
    }

    /// So many are members now.
    pub(super) fn note_view(&mut self, members: usize) {
        self.view = members.saturating_add(self.lives.len());
    }

    pub(super) fn check_invariants(&self) {
        assert!(self.lives.len() <= limits::MEMBERS);
    }
}

impl Docket {
    /// Ends every call: releases what need not be held any longer.
    pub(super) fn finish(&mut self, now: Time) {
        if std::mem::take(&mut self.stirred) {
            self.settle_all(now);
        }
        let guarded = self.needs_voters();
        if guarded {
            self.ask_voters(now);
        }
        if self.may_release(now) {
            self.release(guarded, now);
        }
        while !self.rulings.is_empty() {
            let most = self.rulings.len().min(limits::CUT_CHANGES);
            let cut: Vec<Ruling> = self.rulings.drain(..most).collect();
            self.orders.push_back(Order::Decide(cut));
        }
    }

    /// Whether what is in flux, decided and lately removed is more than a minority of the view.
    fn needs_voters(&self) -> bool {
        let removing = self.cases.values().filter(|case| is_going(case)).count();
        removing > 0 && weigh::needs_voters(removing + self.removed.lives.len(), self.removed.view)
    }

    /// The voters are asked about all that may be removed.
    fn ask_voters(&mut self, now: Time) {
        let until = now + self.patience;
        for (subject, case) in &mut self.cases {
            let going = is_going(case);
            let heard = match case.stage {
                Stage::Hearing { since, .. } => since.is_some(),
                Stage::Convicted { .. } => true,
                Stage::Doubted { .. } | Stage::Recess { .. } | Stage::Decided { .. } => false,
            };
            if !going || !heard {
                continue;
            }
            let asked = case.ask_voters();
            if !asked.is_empty() {
                case.postpone(until);
            }
            let asked = asked.iter();
            let asked = asked.map(|voter| hearing::ask(voter, subject, case.instance));
            self.orders.extend(asked);
        }
    }

    /// Whether nothing more is to be convicted with what is held, or it was waited for long enough.
    fn may_release(&self, now: Time) -> bool {
        let goes_on = self.removed.goes_on(now);
        let mut end: Option<Time> = None;
        // What a conviction that was certain before waits for, and what one by silence waits for.
        let mut others = false;
        let mut any = false;
        let mut certain = false;
        for case in self.cases.values() {
            match &case.stage {
                Stage::Convicted {
                    since, patience, ..
                } => {
                    let ends = held_until(case.opened, *since, *patience);
                    end = Some(end.map_or(ends, |end| end.min(ends)));
                    certain |= *patience != Patience::CutOff;
                    any |= goes_on && now < *since + GATHER;
                }
                Stage::Hearing { .. } if case.degraded.is_none() => {
                    any = true;
                    others |= case.in_flux || case.is_refused();
                }
                Stage::Hearing { .. }
                | Stage::Doubted { .. }
                | Stage::Recess { .. }
                | Stage::Decided { .. } => {}
            }
        }
        let waits = if certain { others } else { any };
        end.is_some_and(|end| !waits || now >= end)
    }

    fn release(&mut self, guarded: bool, now: Time) {
        let mut released: Vec<(Name, Reason)> = Vec::new();
        for (name, case) in &self.cases {
            if let Stage::Convicted { reason, .. } = &case.stage
                && (!guarded || voters_agree(case))
            {
                released.push((name.clone(), reason.clone()));
            }
        }
        for (name, reason) in released {
            self.decide(&name, reason, now);
        }
    }
}

/// Whether it is about to be removed, or is being.
fn is_going(case: &Case) -> bool {
    match case.stage {
        Stage::Doubted { .. } => false,
        Stage::Hearing { .. } | Stage::Recess { .. } => case.in_flux,
        Stage::Convicted { .. } | Stage::Decided { .. } => true,
    }
}

/// Whether enough voters do not reach it themselves.
fn voters_agree(case: &Case) -> bool {
    let unreached = case.voters.iter().filter(|voter| case.unreached_for(voter));
    weigh::voters_agree(unreached.count(), case.voters.len())
}
