//! Suspicions on their way to the coordinator, and what witnesses find (DESIGN 4.2).

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::{Node, Timer};
use crate::coordinator::Finding;
use crate::detector::{Purpose, Round};
use crate::event::Silence;
use crate::limits;
use crate::members::{Instance, Name, NameHash};
use crate::time::Time;
use crate::wire::{Errand, LineageTag, Message};

/// Reports that no coordinator has confirmed yet.
#[derive(Debug, Default)]
pub(super) struct Reporting {
    open: BTreeMap<Name, Open>,
    /// When somebody who decides was last heard of.
    heard: Option<Time>,
    /// When a rare one was last sent.
    asked: Option<Time>,
}

#[derive(Debug)]
struct Open {
    instance: Instance,
    silence: Silence,
    seq: u32,
    since: Time,
}

impl Reporting {
    /// The oldest of those that have waited for long, of all when this node is `deaf`, and when it
    /// is its turn.
    fn rare(&self, deaf: bool, now: Time) -> Option<(&Name, Time)> {
        let rare = self.open.iter();
        let rare = rare.filter(|(_, open)| deaf || open.is_rare(now));
        let (subject, _) = rare.min_by_key(|(_, open)| open.since)?;
        let heard = self.heard.is_some_and(|heard| now.since(heard) < LONG);
        let pause = if heard { TO_ALL } else { RARE };
        Some((subject, self.asked.map_or(now, |asked| asked + pause)))
    }

    /// Those to be sent now.
    fn due(&self, deaf: bool, now: Time) -> Vec<Name> {
        let often = self.open.iter();
        let often = often.filter(|(_, open)| !deaf && !open.is_rare(now));
        let often = often.map(|(subject, _)| subject);
        let rare = self.rare(deaf, now).filter(|(_, turn)| *turn <= now);
        let rare = rare.map(|(subject, _)| subject);
        often.chain(rare).cloned().collect()
    }

    /// When to look again, if `coordinator` is known or not.
    fn next(&self, coordinator: bool, deaf: bool, now: Time) -> Option<Time> {
        let often = self.open.values();
        let often = often.filter(|open| !deaf && !open.is_rare(now));
        let pause = |open: &Open| {
            if coordinator && !open.goes_to_all(now) {
                AGAIN
            } else {
                TO_ALL
            }
        };
        let often = often.map(pause).min().map(|pause| now + pause);
        let rare = self.rare(deaf, now).map(|(_, turn)| turn);
        often.into_iter().chain(rare).min()
    }
}

impl Open {
    fn goes_to_all(&self, now: Time) -> bool {
        now.since(self.since) >= TO_ALL
    }

    fn is_rare(&self, now: Time) -> bool {
        now.since(self.since) >= LONG
    }
}

/// How long a report waits for its ack before it is sent again.
const AGAIN: Duration = Duration::from_millis(100);

/// After so long without an ack nobody decides, or not here. Of all that have waited so long only
/// the oldest is sent, until it is confirmed: who is cut off accuses all of its cluster.
const LONG: Duration = Duration::from_secs(3);

/// How long that one waits, unless somebody who decides was just heard of.
const RARE: Duration = Duration::from_secs(2);

/// After so long it goes to all voters (DESIGN 4.2).
const TO_ALL: Duration = Duration::from_millis(300);

/// After so long it is given up: the next round that fails, while it is watched, makes another one.
const GIVE_UP: Duration = Duration::from_secs(30);

/// Pings of a witness: where every fourth packet is lost, several witnesses would often lose a
/// single one at once, and what they say decides.
const WITNESS_PINGS: usize = 2;

impl Node {
    /// A round of ours failed: the coordinator must hear of it.
    pub(super) fn report(
        &mut self,
        subject: &Name,
        instance: Instance,
        silence: Silence,
        now: Time,
    ) {
        let concerns = self.agreed.roster().is_some_and(|roster| {
            let waits = roster.removal(subject.as_str()).is_some();
            let standing = roster.standing(subject.as_str());
            standing.map_or(waits, |standing| standing.instance == instance)
        });
        if !concerns || self.is_condemned(subject.as_str(), instance) {
            return;
        }
        if self.in_office(now) {
            let (me, health) = (self.me.name.clone(), self.health.score());
            return self.on_report(subject, instance, &me, silence, health, now);
        }
        if self.is_deaf() {
            return;
        }
        if self.agreed.reporting.open.len() >= limits::REPORTS
            && !self.agreed.reporting.open.contains_key(subject)
        {
            self.stats.dropped.busy += 1;
            return;
        }
        let seq = self.next_seq();
        let open = Open {
            instance,
            silence,
            seq,
            since: now,
        };
        self.agreed.reporting.open.insert(subject.clone(), open);
        self.send_report(subject, now);
        self.repeat_reports(now);
    }

    /// Repeats what was not confirmed.
    pub(super) fn send_reports(&mut self, now: Time) {
        let open = &mut self.agreed.reporting.open;
        open.retain(|_, open| now.since(open.since) < GIVE_UP);
        if self.in_office(now) {
            // It took office since: they are its own cases.
            let (me, health) = (self.me.name.clone(), self.health.score());
            for (subject, open) in std::mem::take(&mut self.agreed.reporting.open) {
                self.on_report(&subject, open.instance, &me, open.silence, health, now);
            }
            return;
        }
        for subject in self.agreed.reporting.due(self.is_deaf(), now) {
            self.send_report(&subject, now);
        }
        self.repeat_reports(now);
    }

    /// Has the reports repeated in time.
    fn repeat_reports(&mut self, now: Time) {
        let coordinator = self.office_holder().is_some();
        let next = self.agreed.reporting.next(coordinator, self.is_deaf(), now);
        if let Some(at) = next {
            self.send_reports_at(at);
        }
    }

    /// Somebody is heard again: what waits for an ack is sent again.
    pub(super) fn resume_reports(&mut self, now: Time) {
        if !self.agreed.reporting.open.is_empty() {
            self.send_reports_at(now);
        }
    }

    /// Has them repeated then, or earlier.
    fn send_reports_at(&mut self, at: Time) {
        let timer = Timer::Reports;
        if !self.timers.is_set(&timer) || self.timers.is_set_after(&timer, at) {
            self.set_timer(timer, at);
        }
    }

    /// Somebody who decides was heard of: what waited for that goes at once.
    pub(super) fn on_decider_heard(&mut self, now: Time) {
        let reporting = &mut self.agreed.reporting;
        reporting.heard = Some(now);
        if reporting.rare(false, now).is_some() {
            reporting.asked = None;
            self.send_reports_at(now);
        }
    }

    /// Sends one to the coordinator, or to all voters when it does not confirm or is not known.
    fn send_report(&mut self, subject: &Name, now: Time) {
        let Some(open) = self.agreed.reporting.open.get(subject) else {
            return;
        };
        if self.is_deaf() || open.is_rare(now) {
            self.agreed.reporting.asked = Some(now);
        }
        let errand = Errand::Report {
            seq: open.seq,
            subject: subject.clone(),
            instance: open.instance,
            silence: open.silence,
            health: self.health.score(),
        };
        let to = match self.office_holder() {
            Some(coordinator) if !open.goes_to_all(now) => vec![coordinator],
            Some(_) | None => self.other_voters(),
        };
        for name in to {
            self.send_errand(&name, errand.clone());
        }
    }

    /// The member in office, as far as this node knows.
    pub(super) fn office_holder(&self) -> Option<Name> {
        let office = self.agreed.roster()?.head.office.as_ref()?;
        Some(office.coordinator.clone())
    }

    /// The member that decides: the one in office, unless another life of it is known. An office
    /// that was only handed on to be taken anew ([`Node::recover`]) is nobody's.
    pub(super) fn decider(&self) -> Option<Name> {
        let office = self.agreed.roster()?.head.office.as_ref()?;
        let known = self.table.get(office.coordinator.as_str());
        let instance = known.map(|member| member.statement.record.instance);
        let is_its_life = instance.is_none_or(|instance| instance == office.instance);
        (is_its_life && office.instance != Instance(0)).then(|| office.coordinator.clone())
    }

    pub(super) fn send_errand(&mut self, to: &Name, errand: Errand) {
        if let Some(member) = self.table.get(to.as_str()) {
            let to = (NameHash::of(to.as_str()), member.statement.record.addr);
            self.send_plain(to, Message::Errand(errand));
        }
    }

    /// Somebody decides, and has this report.
    pub(super) fn on_reported(&mut self, seq: u32, now: Time) {
        let open = &mut self.agreed.reporting.open;
        let before = open.len();
        open.retain(|_, open| open.seq != seq);
        if open.len() < before {
            self.on_decider_heard(now);
        }
    }

    /// What a report was about is decided.
    pub(super) fn forget_report(&mut self, subject: &Name, instance: Instance) {
        let open = self.agreed.reporting.open.get(subject);
        if open.is_some_and(|open| open.instance <= instance) {
            self.agreed.reporting.open.remove(subject);
        }
    }

    /// An errand arrived from `from`, who is at `at`.
    pub(super) fn on_errand(
        &mut self,
        errand: Errand,
        from: &str,
        tag: LineageTag,
        at: SocketAddr,
        now: Time,
    ) {
        if !self.config.parts.verdicts {
            return;
        }
        let same_history = tag == self.agreed.tag() && !tag.is_none();
        match errand {
            Errand::Found { seq } => self.on_found(seq, from, at, now),
            Errand::Grant { seq } => self.on_grant(seq, from, now),
            // The header told all of it.
            Errand::View => {}
            Errand::Cut {
                view,
                cut,
                signature,
            } => self.on_cut(tag, view, (&cut, signature), now),
            Errand::Letter {
                configuration,
                postmark,
                bytes,
                signature,
            } => {
                let letter = (postmark, &*bytes, &signature);
                self.on_letter(from, tag, configuration, letter, now);
            }
            Errand::Report { .. }
            | Errand::Reported { .. }
            | Errand::Summon { .. }
            | Errand::Testimony { .. }
            | Errand::Ask { .. }
            | Errand::Told { .. }
                if !same_history =>
            {
                self.stats.dropped.unexpected += 1;
            }
            Errand::Report {
                seq,
                subject,
                instance,
                silence,
                health,
            } => {
                if let Ok(by) = Name::new(from)
                    && self.in_office(now)
                {
                    let reported = Errand::Reported { seq };
                    self.send_plain((NameHash::of(from), at), Message::Errand(reported));
                    self.on_report(&subject, instance, &by, silence, health, now);
                }
            }
            Errand::Reported { seq } => self.on_reported(seq, now),
            Errand::Summon {
                subject,
                instance,
                addr,
            } => {
                let asker = (NameHash::of(from), at);
                self.on_summon(&subject, instance, addr, asker, now);
            }
            Errand::Testimony {
                subject,
                instance,
                finding,
                health,
            } => {
                if let Ok(by) = Name::new(from) {
                    self.on_testimony(&subject, instance, &by, finding, health, now);
                }
            }
            Errand::Ask { seq, question } => {
                if let Ok(by) = Name::new(from) {
                    self.on_ask(seq, &question, &by, at, now);
                }
            }
            Errand::Told { seq, reply } => self.on_told(seq, reply, now),
        }
    }

    /// The coordinator wants to know what this node finds.
    fn on_summon(
        &mut self,
        subject: &Name,
        instance: Instance,
        addr: Option<SocketAddr>,
        asker: (NameHash, SocketAddr),
        now: Time,
    ) {
        if *subject == self.me.name {
            // Whoever is asked about itself answers for itself.
            let finding = Finding::Reached;
            return self.testify(subject, instance, finding, Some(asker), now);
        }
        self.witness(subject, instance, addr, Some(asker), now);
    }

    /// Probes a member at once, by itself, to tell `asker`; `None`: itself as the coordinator.
    pub(super) fn witness(
        &mut self,
        subject: &Name,
        instance: Instance,
        addr: Option<SocketAddr>,
        asker: Option<(NameHash, SocketAddr)>,
        now: Time,
    ) {
        let known = self.table.get(subject.as_str());
        let known = known.map(|member| &member.statement.record);
        let addr = known
            .filter(|record| record.instance == instance)
            .map(|record| record.addr)
            .or(addr);
        let Some(addr) = addr else {
            // It cannot be reached by one who does not know where it is.
            let finding = Finding::Unreached(Silence::CutOff);
            return self.testify(subject, instance, finding, asker, now);
        };
        let seq = self.next_seq();
        let round = Round::new(subject, instance, addr, Purpose::Witness { asker }, now);
        if !self.probes.start(seq, round) {
            // A round for the same asker runs, and will tell; or there are too many.
            return;
        }
        for _ in 0..WITNESS_PINGS {
            self.ping_life(subject, addr, instance, seq);
        }
        self.stream_beside(seq, now);
        let patience = self
            .health
            .stretch(self.round_trip_of(subject).patience(&self.config));
        self.set_timer(Timer::Round(seq), now + patience);
    }

    /// A witness round is over.
    pub(super) fn testify(
        &mut self,
        subject: &Name,
        instance: Instance,
        finding: Finding,
        asker: Option<(NameHash, SocketAddr)>,
        now: Time,
    ) {
        let health = self.health.score();
        let Some(asker) = asker else {
            let me = self.me.name.clone();
            return self.on_testimony(subject, instance, &me, finding, health, now);
        };
        let errand = Errand::Testimony {
            subject: subject.clone(),
            instance,
            finding,
            health,
        };
        self.send_plain(asker, Message::Errand(errand));
    }
}
