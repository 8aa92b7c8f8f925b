//! The coordinator's docket: reports about members come in, witnesses are asked, their words are
//! weighed, and what follows is decided in cuts (DESIGN 4.2).
//!
//! A case goes this way: `on_report` opens it -> `summon`: witnesses are asked -> `on_testimony`
//! -> `hearing` closes when all have told, or at its deadline -> acquitted, heard again, degraded
//! or convicted -> `hold` until no other case is about to be -> `Order::Decide`.
//!
//! It sends nothing, and knows neither the table nor the consensus: its owner names witnesses,
//! carries out the orders and says what was committed.

mod case;
mod closing;
mod credit;
mod hearing;
mod hold;
mod readmit;
mod weigh;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::evidence::{Evidence, Finding, Reason};
use crate::config::Config;
use crate::event::Silence;
use crate::limits;
use crate::members::{Instance, Name};
use crate::time::Time;
use case::{Case, Stage};
use credit::Credit;
use hold::Removed;
use readmit::Candidates;

/// Over two probe rounds, witnesses have so long to tell.
const HEARING_SLACK: Duration = Duration::from_millis(300);

/// After so long without a removal a name's first one counts as the first again.
const CALM: Duration = Duration::from_secs(3600);

/// An accuser's word about a member of the view, or about a candidate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) subject: Name,
    pub(crate) instance: Instance,
    /// Who says so.
    pub(crate) by: Name,
    /// What its probe met.
    pub(crate) silence: Silence,
    /// Its local health, 0 (fine) to [`limits::HEALTH`].
    pub(crate) health: u8,
}

/// Whom to ask about a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Summons {
    /// Its buddies and two random members; this coordinator is always one of them.
    pub(crate) witnesses: Vec<Name>,
    /// All voters, dead ones as well; the subject's word does not count.
    pub(crate) voters: Vec<Name>,
    /// How many are members of the view now.
    pub(crate) members: usize,
}

/// What the owner of the docket must do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Have this member probe the subject now and tell. The witness may be the owner itself.
    Ask {
        witness: Name,
        subject: Name,
        instance: Instance,
    },
    /// Call [`Docket::summon`]: a case, or one whose witnesses could not tell, needs others.
    Summon { subject: Name, instance: Instance },
    /// Decide all of these as one cut; at most [`limits::CUT_CHANGES`].
    Decide(Vec<Ruling>),
    /// This removed member may be one again.
    Readmit { name: Name, instance: Instance },
}

/// What was found about one member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ruling {
    /// It is gone.
    Convict {
        name: Name,
        instance: Instance,
        evidence: Arc<Evidence>,
    },
    /// Some reach it and some do not.
    Degrade {
        name: Name,
        instance: Instance,
        evidence: Arc<Evidence>,
    },
    /// It is degraded no more.
    Restore { name: Name, instance: Instance },
}

impl Ruling {
    /// Whether it removes a member.
    pub(crate) fn convicts(&self) -> bool {
        match self {
            Ruling::Convict { .. } => true,
            Ruling::Degrade { .. } | Ruling::Restore { .. } => false,
        }
    }
}

/// All cases of one coordinator. Begins empty with each term.
///
/// After any call drain [`Docket::poll_order`], then re-arm one timer from
/// [`Docket::poll_timeout`]. Early, late and repeated calls of `handle_timeout` are harmless.
#[derive(Debug)]
pub(crate) struct Docket {
    me: Name,
    /// How long witnesses have to tell.
    patience: Duration,
    stall_timeout: Duration,
    /// An accuser has waited at least so long: for the ack, and then for relays and a stream.
    round: Duration,
    /// The last `now`.
    clock: Time,
    /// At most [`limits::CASES`], by the name of the subject.
    cases: BTreeMap<Name, Case>,
    candidates: Candidates,
    credit: Credit,
    removed: Removed,
    /// Members of the view, as the last summons had it. Until then nobody counts as alone.
    members: usize,
    /// Whether a case was dropped that others went by.
    stirred: bool,
    rulings: Vec<Ruling>,
    orders: VecDeque<Order>,
    dropped: u64,
}

impl Docket {
    pub(crate) fn new(config: &Config, me: &Name, now: Time) -> Docket {
        let patience = config.probe_timeout_max * 2 + HEARING_SLACK;
        let shortest = config.probe_timeout_min;
        Docket {
            me: me.clone(),
            patience,
            stall_timeout: config.stall_timeout,
            round: shortest + (shortest * 4).min(config.probe_timeout_max),
            clock: now,
            cases: BTreeMap::new(),
            candidates: Candidates::new(me, config.readmission, patience),
            credit: Credit::default(),
            removed: Removed::default(),
            members: usize::MAX,
            stirred: false,
            rulings: Vec::new(),
            orders: VecDeque::new(),
            dropped: 0,
        }
    }

    /// An accuser's word. True when a case was opened: then [`Docket::summon`] is due.
    pub(crate) fn on_report(&mut self, report: Report, now: Time) -> bool {
        self.clock = now;
        let Report {
            subject,
            instance,
            by,
            silence,
            health,
        } = report;
        if subject == self.me || by == subject || self.removed.includes(&subject, instance) {
            return false;
        }
        if self.candidates.contains(&subject) {
            let orders = self.candidates.on_report(&subject, instance, now);
            self.orders.extend(orders);
            return false;
        }
        if let Some(case) = self.cases.get(&subject)
            && case.instance != instance
        {
            if case.instance > instance {
                return false;
            }
            // Whoever saw a newer life knows that the older one is over.
            self.drop_case(&subject);
        }
        let finding = Finding::Unreached(silence);
        let opened = if self.cases.contains_key(&subject) {
            self.on_accusation(&subject, &by, finding, health, now)
        } else {
            self.open(&subject, instance, &by, finding, health, now)
        };
        self.touch(&subject, now);
        self.finish(now);
        opened
    }

    /// The view says that a member is degraded: told when a term begins and when that is committed.
    ///
    /// A ruling may be committed in a later term than it was handed out in; whatever the view says
    /// has a case, or nobody would ever take it back.
    pub(crate) fn on_degraded(&mut self, subject: &Name, instance: Instance, now: Time) {
        self.clock = now;
        if *subject == self.me {
            return;
        }
        self.candidates.remove(subject);
        self.note_degraded(subject, instance, now);
        self.touch(subject, now);
        self.finish(now);
    }

    /// A committed cut says that it is degraded no more.
    pub(crate) fn on_restored(&mut self, subject: &Name, instance: Instance, now: Time) {
        self.clock = now;
        let case = self.cases.get(subject);
        if case.is_some_and(|case| case.instance == instance && case.is_only_degraded()) {
            self.drop_case(subject);
        }
        self.finish(now);
    }

    /// Names the witnesses of a case, or of a candidate.
    pub(crate) fn summon(&mut self, subject: &Name, summons: Summons, now: Time) {
        self.clock = now;
        let before = std::mem::replace(&mut self.members, summons.members);
        // Whether anybody else is there to corroborate may have changed, for all.
        self.stirred |= weigh::is_alone(before) != weigh::is_alone(self.members);
        self.removed.expire(now);
        self.removed.note_view(summons.members);
        if self.candidates.contains(subject) {
            let orders = self.candidates.summon(subject, &summons.witnesses, now);
            self.orders.extend(orders);
        }
        self.call_witnesses(subject, summons, now);
        self.touch(subject, now);
        self.finish(now);
    }

    /// What a witness found.
    pub(crate) fn on_testimony(
        &mut self,
        subject: &Name,
        instance: Instance,
        by: &Name,
        finding: Finding,
        health: u8,
        now: Time,
    ) {
        self.clock = now;
        if self.candidates.contains(subject) {
            let order = self
                .candidates
                .on_testimony(subject, instance, by, finding, now);
            self.orders.extend(order);
            return;
        }
        self.hear_witness(subject, instance, by, finding, health, now);
        self.touch(subject, now);
        self.finish(now);
    }

    /// The subject raised its incarnation: it lives, or did until just now.
    ///
    /// What was said before counts no more. It is no proof that others reach it: one whose every
    /// fifth packet gets out refutes as well.
    pub(crate) fn on_refutation(&mut self, subject: &Name, now: Time) {
        self.clock = now;
        self.hear_subject(subject, now);
        self.touch(subject, now);
        self.finish(now);
    }

    /// It is no member any more without a verdict of ours: it said goodbye, or a newer life came.
    pub(crate) fn on_gone(&mut self, subject: &Name, now: Time) {
        self.clock = now;
        self.candidates.remove(subject);
        self.drop_case(subject);
        self.strike(subject, now);
        self.finish(now);
    }

    /// A committed cut removed it.
    pub(crate) fn on_removed(&mut self, subject: &Name, instance: Instance, now: Time) {
        self.clock = now;
        self.removed.add(subject, instance, now);
        self.drop_case(subject);
        self.strike(subject, now);
        self.finish(now);
    }

    /// A committed cut admitted it, or a newer life of it.
    pub(crate) fn on_admitted(&mut self, name: &Name, now: Time) {
        self.clock = now;
        self.removed.take_back(name);
        self.candidates.remove(name);
        self.drop_case(name);
        self.finish(now);
    }

    /// A removed member answers again and wants back in, after so many removals. True when it is
    /// a new candidate: then [`Docket::summon`] is due.
    pub(crate) fn on_candidate(
        &mut self,
        name: &Name,
        instance: Instance,
        removals: u8,
        now: Time,
    ) -> bool {
        self.clock = now;
        if *name == self.me {
            return false;
        }
        self.drop_case(name);
        let news = self.candidates.on_candidate(name, instance, removals, now);
        self.finish(now);
        news
    }

    /// Whether a removed member waits to be one again.
    pub(crate) fn is_candidate(&self, name: &Name) -> bool {
        self.candidates.contains(name)
    }

    /// Time has passed.
    pub(crate) fn handle_timeout(&mut self, now: Time) {
        self.clock = now;
        self.removed.expire(now);
        self.credit.expire(now);
        let due = self.cases.iter();
        let due: Vec<Name> = due
            .filter(|(_, case)| self.deadline(case) <= now)
            .map(|(name, _)| name.clone())
            .collect();
        for name in due {
            self.on_deadline(&name, now);
            self.touch(&name, now);
        }
        let orders = self.candidates.handle_timeout(now);
        self.orders.extend(orders);
        self.finish(now);
    }

    /// When [`Docket::handle_timeout`] is due.
    #[must_use]
    pub(crate) fn poll_timeout(&self) -> Option<Time> {
        let cases = self.cases.values().map(|case| self.deadline(case));
        cases.chain(self.candidates.poll_timeout()).min()
    }

    /// What is to be done next.
    #[must_use]
    pub(crate) fn poll_order(&mut self) -> Option<Order> {
        self.orders.pop_front()
    }

    /// What is known so far of a member while a case about it is open.
    pub(crate) fn open_case(&self, name: &Name) -> Option<Evidence> {
        let case = self.cases.get(name)?;
        let reason = match &case.stage {
            Stage::Convicted { reason, .. } => reason.clone(),
            Stage::Doubted { .. }
            | Stage::Hearing { .. }
            | Stage::Recess { .. }
            | Stage::Decided { .. } => match case.degraded {
                Some(_) => Reason::Disputed,
                None => Reason::Unreached,
            },
        };
        Some(self.evidence(case, reason, self.clock))
    }

    /// How many reports were dropped since the last call, because a maximum was reached.
    pub(crate) fn take_dropped(&mut self) -> u64 {
        std::mem::take(&mut self.dropped)
    }

    /// Asserts what must always hold. For the simulator and tests.
    pub(crate) fn check_invariants(&self) {
        assert!(self.cases.len() <= limits::CASES);
        assert!(self.rulings.is_empty(), "rulings are handed out at once");
        for (name, case) in &self.cases {
            case.check_invariants(name, &self.me);
            assert!(
                !self.candidates.contains(name),
                "{name} is a member or wants to be"
            );
        }
        self.candidates.check_invariants();
        self.credit.check_invariants();
        self.removed.check_invariants();
    }
}

/// How many removals a name has after another one, when it had so many and was a member for so
/// long since the last.
pub(crate) fn removals_after(before: u8, up_for: Duration) -> u8 {
    if up_for >= CALM {
        1
    } else {
        before.saturating_add(1)
    }
}
