//! A cluster on virtual time around one docket: what members find depends on how they are.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::config::Config;
use crate::coordinator::docket::{Docket, Order, Report, Ruling, Summons};
use crate::coordinator::{Finding, Reason};
use crate::event::Silence;
use crate::members::{Instance, Name};
use crate::time::Time;

/// How long a failed probe round takes.
const ROUND: Duration = Duration::from_millis(450);

/// How a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    Well,
    /// Its process is gone, its host lives.
    Killed,
    /// Its host is gone.
    CutOff,
    /// Its process pauses until then.
    Stalled(Time),
    /// Nothing reaches it; what it sends arrives.
    Deaf,
    /// Members with odd numbers do not reach it.
    Gray,
    /// It answers the others; asked as a witness it tells nothing.
    Mute,
    /// As a witness it finds nobody.
    Liar,
}

/// What happens later.
enum Event {
    Report(Report),
    Testimony {
        subject: Name,
        instance: Instance,
        by: Name,
        finding: Finding,
    },
    Refutation(Name),
    Removed(Name, Instance),
    Condition(Name, Condition),
}

pub(super) struct Court {
    pub(super) docket: Docket,
    pub(super) now: Time,
    members: BTreeSet<Name>,
    voters: usize,
    conditions: BTreeMap<Name, Condition>,
    agenda: BTreeMap<(Time, u64), Event>,
    posted: u64,
    /// Whether rulings are committed, 5 ms later.
    pub(super) commits: bool,
    /// Who was asked about whom, and when.
    pub(super) asked: Vec<(Time, Name, Name)>,
    pub(super) summoned: Vec<(Time, Name)>,
    pub(super) cuts: Vec<(Time, Vec<Ruling>)>,
    pub(super) readmitted: Vec<(Time, Name)>,
}

pub(super) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(super) fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

pub(super) fn at(millis: u64) -> Time {
    Time::ZERO + ms(millis)
}

pub(super) fn name(number: usize) -> Name {
    Name::new(&format!("n{number:04}")).expect("a valid name")
}

/// All have lived once.
pub(super) const LIFE: Instance = Instance(1);

impl Court {
    /// Members `n0000` and up, the first of them this coordinator, the first `voters` voters.
    pub(super) fn new(members: usize, voters: usize) -> Court {
        Court {
            docket: Docket::new(&Config::lan(), &name(0), Time::ZERO),
            now: Time::ZERO,
            members: (0..members).map(name).collect(),
            voters,
            conditions: BTreeMap::new(),
            agenda: BTreeMap::new(),
            posted: 0,
            commits: true,
            asked: Vec::new(),
            summoned: Vec::new(),
            cuts: Vec::new(),
            readmitted: Vec::new(),
        }
    }

    pub(super) fn set(&mut self, number: usize, condition: Condition) {
        self.conditions.insert(name(number), condition);
    }

    fn is(&self, name: &Name) -> Condition {
        *self.conditions.get(name).unwrap_or(&Condition::Well)
    }

    fn post(&mut self, when: Time, event: Event) {
        self.posted += 1;
        self.agenda.insert((when, self.posted), event);
    }

    pub(super) fn set_at(&mut self, when: Time, number: usize, condition: Condition) {
        self.post(when, Event::Condition(name(number), condition));
    }

    /// A member reports another at a point in time.
    pub(super) fn report(&mut self, when: Time, by: usize, subject: usize, silence: Silence) {
        self.report_in_health(when, by, subject, silence, 0);
    }

    pub(super) fn report_in_health(
        &mut self,
        when: Time,
        by: usize,
        subject: usize,
        silence: Silence,
        health: u8,
    ) {
        let report = Report {
            subject: name(subject),
            instance: LIFE,
            by: name(by),
            silence,
            health,
        };
        self.post(when, Event::Report(report));
    }

    /// Its buddies report it, one after the other, if they can.
    pub(super) fn buddies_report(
        &mut self,
        when: Time,
        subject: usize,
        silence: Silence,
        step: Duration,
    ) {
        let mut when = when;
        for buddy in self.buddies(&name(subject)) {
            let able = matches!(
                self.is(&buddy),
                Condition::Well | Condition::Gray | Condition::Deaf
            );
            if able {
                self.report(when, number(&buddy), subject, silence);
                when += step;
            }
        }
    }

    pub(super) fn refute(&mut self, when: Time, subject: usize) {
        self.post(when, Event::Refutation(name(subject)));
    }

    pub(super) fn buddies(&self, subject: &Name) -> Vec<Name> {
        let others: Vec<&Name> = self
            .members
            .iter()
            .filter(|name| *name != subject)
            .collect();
        let count = others.len();
        let place = others
            .iter()
            .position(|other| *other > subject)
            .unwrap_or(0);
        let mut buddies = BTreeSet::new();
        for step in 0..3.min(count) {
            buddies.insert(others[(place + step) % count].clone());
            buddies.insert(others[(place + count - 1 - step) % count].clone());
        }
        buddies.into_iter().collect()
    }

    /// Whom the owner would name.
    pub(super) fn summons(&self, subject: &Name) -> Summons {
        let mut witnesses = self.buddies(subject);
        let others: Vec<&Name> = self
            .members
            .iter()
            .filter(|name| *name != subject)
            .collect();
        for random in [self.asked.len() * 7 + 3, self.asked.len() * 13 + 5] {
            if !others.is_empty() {
                witnesses.push(others[random % others.len()].clone());
            }
        }
        let voters = (0..self.voters).map(name).filter(|name| name != subject);
        Summons {
            witnesses,
            voters: voters.collect(),
            members: self.members.len(),
        }
    }

    /// Goes on until a point in time.
    pub(super) fn run(&mut self, until: Time) {
        let mut steps_now = 0;
        loop {
            let posted = self.agenda.keys().next().map(|(when, _)| *when);
            let due = self.docket.poll_timeout();
            let next = posted.into_iter().chain(due).min();
            let Some(next) = next.filter(|next| *next <= until) else {
                break;
            };
            steps_now = if next > self.now { 0 } else { steps_now + 1 };
            assert!(steps_now < 20_000, "time goes on: {next:?}");
            self.now = self.now.max(next);
            match self.agenda.first_entry() {
                Some(entry) if entry.key().0 <= self.now => {
                    let event = entry.remove();
                    self.happen(event);
                }
                _ => self.docket.handle_timeout(self.now),
            }
            self.drain();
            self.docket.check_invariants();
        }
        self.now = self.now.max(until);
    }

    fn happen(&mut self, event: Event) {
        let now = self.now;
        match event {
            Event::Report(report) => {
                let subject = report.subject.clone();
                if self.members.contains(&subject) && self.docket.on_report(report, now) {
                    self.summon(&subject);
                }
            }
            Event::Testimony {
                subject,
                instance,
                by,
                finding,
            } => self
                .docket
                .on_testimony(&subject, instance, &by, finding, 0, now),
            Event::Refutation(subject) => self.docket.on_refutation(&subject, now),
            Event::Removed(name, instance) => {
                self.members.remove(&name);
                self.docket.on_removed(&name, instance, now);
            }
            Event::Condition(name, condition) => {
                self.conditions.insert(name, condition);
            }
        }
    }

    pub(super) fn summon(&mut self, subject: &Name) {
        let summons = self.summons(subject);
        self.docket.summon(subject, summons, self.now);
        self.drain();
    }

    /// There was no lease for a moment; the voters are the same.
    pub(super) fn hear_again(&mut self, now: Time) {
        let voters: Vec<Name> = (0..self.voters).map(name).collect();
        self.docket.hear_again(&voters, now);
        self.drain();
    }

    /// The view says that it is degraded.
    pub(super) fn degraded_in_view(&mut self, number: usize) {
        self.docket.on_degraded(&name(number), LIFE, self.now);
        self.drain();
    }

    /// It answers again after a removal, as a new life.
    pub(super) fn candidate(&mut self, number: usize, removals: u8) {
        let life = Instance(LIFE.0 + u64::from(removals));
        if self
            .docket
            .on_candidate(&name(number), life, removals, self.now)
        {
            self.summon(&name(number));
        }
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(order) = self.docket.poll_order() {
            match order {
                Order::Ask {
                    witness,
                    subject,
                    instance,
                } => self.on_ask(witness, subject, instance),
                Order::Summon { subject, .. } => {
                    self.summoned.push((self.now, subject.clone()));
                    let summons = self.summons(&subject);
                    self.docket.summon(&subject, summons, self.now);
                }
                Order::Decide(rulings) => self.on_decide(rulings),
                Order::Readmit { name, .. } => self.readmitted.push((self.now, name)),
            }
        }
    }

    fn on_ask(&mut self, witness: Name, subject: Name, instance: Instance) {
        self.asked
            .push((self.now, witness.clone(), subject.clone()));
        let mine = witness == name(0);
        let transit = if mine { ms(0) } else { ms(1) };
        let asked = self.now + transit;
        let Some((finding, after)) = self.find(&witness, &subject, asked) else {
            return;
        };
        // A deaf coordinator hears no witness.
        if !mine && self.is(&name(0)) == Condition::Deaf {
            return;
        }
        let event = Event::Testimony {
            subject,
            instance,
            by: witness,
            finding,
        };
        self.post(after + transit, event);
    }

    /// What a member finds that begins to look then, and when it knows.
    fn find(&self, witness: &Name, subject: &Name, when: Time) -> Option<(Finding, Time)> {
        let mine = *witness == name(0);
        let lost = Some((Finding::Unreached(Silence::CutOff), when + ROUND));
        match self.is(witness) {
            Condition::Deaf if mine => return lost,
            Condition::Killed | Condition::CutOff | Condition::Deaf | Condition::Mute => {
                return None;
            }
            Condition::Stalled(until) if until > when => return None,
            Condition::Liar => return lost,
            Condition::Stalled(_) | Condition::Well | Condition::Gray => {}
        }
        let reached = Some((Finding::Reached, when + ms(1)));
        match self.is(subject) {
            Condition::Well | Condition::Mute | Condition::Liar => reached,
            Condition::Gray if number(witness).is_multiple_of(2) => reached,
            Condition::Gray | Condition::CutOff | Condition::Deaf => lost,
            Condition::Killed => Some((Finding::Unreached(Silence::Refused), when + ms(1))),
            Condition::Stalled(until) if until <= when + ROUND => {
                Some((Finding::Reached, when.max(until) + ms(1)))
            }
            Condition::Stalled(_) => Some((Finding::Unreached(Silence::Stalled), when + ROUND)),
        }
    }

    fn on_decide(&mut self, rulings: Vec<Ruling>) {
        assert!(!rulings.is_empty(), "a cut says something");
        for ruling in &rulings {
            if let Ruling::Convict { name, instance, .. } = ruling
                && self.commits
            {
                self.post(self.now + ms(5), Event::Removed(name.clone(), *instance));
            }
        }
        self.cuts.push((self.now, rulings));
    }

    /// Who was convicted when and why, in order.
    pub(super) fn convicted(&self) -> Vec<(Time, usize, Reason)> {
        let mut convicted = Vec::new();
        for (when, rulings) in &self.cuts {
            for ruling in rulings {
                if let Ruling::Convict { name, evidence, .. } = ruling {
                    convicted.push((*when, number(name), evidence.reason.clone()));
                }
            }
        }
        convicted
    }

    /// The numbers of the convicted, in order.
    pub(super) fn gone(&self) -> Vec<usize> {
        let convicted = self.convicted().into_iter();
        convicted.map(|(_, number, _)| number).collect()
    }

    /// Who was found degraded when.
    pub(super) fn degraded(&self) -> Vec<(Time, usize)> {
        let mut degraded = Vec::new();
        for (when, rulings) in &self.cuts {
            for ruling in rulings {
                if let Ruling::Degrade { name, .. } = ruling {
                    degraded.push((*when, number(name)));
                }
            }
        }
        degraded
    }

    /// Who was restored when.
    pub(super) fn restored(&self) -> Vec<(Time, usize)> {
        let mut restored = Vec::new();
        for (when, rulings) in &self.cuts {
            for ruling in rulings {
                if let Ruling::Restore { name, .. } = ruling {
                    restored.push((*when, number(name)));
                }
            }
        }
        restored
    }
}

pub(super) fn number(name: &Name) -> usize {
    name.as_str()[1..].parse().expect("names are numbers here")
}
