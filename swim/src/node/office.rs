//! What this node does while it is the coordinator: it admits, hears reports, has members looked
//! at, and says what the next cut is (DESIGN 4.2, 4.3).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::cutting::{Content, STEADY};
use super::{Lifecycle, Node, Timer};
use crate::coordinator::{
    Change, Cut, Docket, Epoch, Evidence, Finding, Order, Reason, Report, Ruling, Summons, Turn,
    Verdict,
};
use crate::detector::Purpose;
use crate::event::Silence;
use crate::members::{Instance, Name, Status};
use crate::time::Time;
use crate::wire::{Errand, Reply};

/// A coordinator at work.
#[derive(Debug)]
pub(super) struct InOffice {
    pub(super) docket: Docket,
    pub(super) since: Time,
    pub(super) epoch: Epoch,
    /// Since when it has no lease and decides nothing.
    pub(super) rests_since: Option<Time>,
    /// Members that something happened to.
    pub(super) review: BTreeSet<Name>,
    /// Members of the view that are not present here, and present ones that wait to be in it:
    /// looked at again and again.
    pub(super) absent: BTreeSet<Name>,
    pub(super) next_look: Time,
    /// What must be said without delay, the last word on each member.
    pub(super) urgent: BTreeMap<Name, Change>,
    /// Who waits to be admitted, with others that come at the same time.
    pub(super) newcomers: BTreeMap<Name, Instance>,
    pub(super) window: Option<Window>,
    pub(super) rulings: VecDeque<Vec<Ruling>>,
    /// When a life became a member, in this term.
    pub(super) admitted: BTreeMap<Name, Time>,
    /// Since when there are more voters than suit the cluster.
    pub(super) surplus_since: Option<Time>,
    /// When its voters were last found to be the right ones.
    pub(super) content: Content,
}

/// Newcomers are gathered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    first: Time,
    pub(super) until: Time,
    /// How many came since it was last made longer.
    fresh: usize,
}

/// How long newcomers wait for others (DESIGN 4.4: at most 100 ms).
const GATHER: Duration = Duration::from_millis(50);

/// A crowd is gathered as long as it grows, up to this: every view goes to all members.
const GATHER_CROWD: Duration = Duration::from_secs(1);

/// How often members that are not present are looked at.
pub(super) const LOOK: Duration = Duration::from_secs(2);

/// How long a new coordinator waits for members of whom it knows nothing but the name.
const UNHEARD_OF: Duration = Duration::from_secs(30);

/// Witnesses beside the buddies (DESIGN 4.2).
const RANDOM_WITNESSES: usize = 2;

impl Node {
    /// Does what a coordinator has to do now; true when it proposed something.
    pub(super) fn govern(&mut self, now: Time) -> bool {
        if !self.leads(now) {
            self.rest_from_office(now);
            return false;
        }
        let idle = self
            .agreed
            .voting
            .as_ref()
            .is_some_and(|voting| voting.is_idle());
        if idle && !self.holds_office() && self.lifecycle != Lifecycle::Leaving {
            return self.take_office(now);
        }
        if !self.go_on_in_office(now) && self.holds_office() {
            self.begin_term(now);
        }
        self.review_members(now);
        self.run_docket(now);
        let cut = if idle { self.next_cut(now) } else { None };
        let proposed = cut.is_some_and(|cut| self.propose(cut, now));
        self.arm_governing(now);
        proposed
    }

    pub(super) fn propose(&mut self, cut: Cut, now: Time) -> bool {
        let voting = self.agreed.voting.as_mut();
        voting.is_some_and(|voting| voting.consensus.propose(cut, now).is_ok())
    }

    /// A member that the view says is degraded is looked at until it is not.
    pub(super) fn take_up(&mut self, name: &Name, instance: Instance, now: Time) {
        if *name == self.me.name {
            // Whoever leads is reached by a majority of the voters.
            let name = name.clone();
            return self.say(Change::Restored { name, instance });
        }
        if let Some(office) = &mut self.agreed.office {
            office.docket.on_degraded(name, instance, now);
        }
    }

    /// Something about a member changed here: a coordinator looks at it.
    pub(super) fn note_for_office(&mut self, name: &Name, now: Time) {
        if let Some(office) = &mut self.agreed.office {
            office.review.insert(name.clone());
            self.set_timer(Timer::Govern, now);
        }
    }

    /// What was committed, for the coordinator's own books.
    pub(super) fn record_turn(&mut self, turn: &Turn, now: Time) {
        let members = self.agreed.roster().map(|roster| roster.standings().len());
        let Some(office) = &mut self.agreed.office else {
            return;
        };
        match turn {
            Turn::Up(name, _) => {
                if members == Some(2) {
                    // This history is not alone any more: who may be of another one and was put
                    // off for that need not wait for the next look.
                    office.next_look = now;
                }
                office.newcomers.remove(name);
                office.admitted.insert(name.clone(), now);
                office.docket.on_admitted(name, now);
            }
            Turn::Gone(name, instance, Verdict::Dead) => {
                office.admitted.remove(name);
                office.docket.on_removed(name, *instance, now);
            }
            Turn::Replaced(name, _) | Turn::Gone(name, _, Verdict::Left | Verdict::Up) => {
                office.admitted.remove(name);
                office.docket.on_gone(name, now);
            }
            Turn::Degraded(name, instance) => self.take_up(name, *instance, now),
            Turn::Restored(name, instance) => office.docket.on_restored(name, *instance, now),
        }
    }

    /// A member spoke for itself: it raised its incarnation.
    pub(super) fn note_refutation(&mut self, name: &Name, now: Time) {
        if let Some(office) = &mut self.agreed.office {
            office.docket.on_refutation(name, now);
            self.set_timer(Timer::Govern, now);
        }
    }

    pub(super) fn on_govern_timeout(&mut self, now: Time) {
        self.agree(now);
    }

    fn arm_governing(&mut self, now: Time) {
        let Some(office) = &self.agreed.office else {
            return;
        };
        // While a cut is under way nothing can be added: its commit is the next occasion.
        let voting = self.agreed.voting.as_ref();
        let idle = voting.is_some_and(|voting| voting.is_idle());
        let window = office.window.filter(|_| idle).map(|window| window.until);
        let absent = (!office.absent.is_empty()).then_some(office.next_look);
        let voters = self.voters_wanted().then(|| now + STEADY);
        let docket = office.docket.poll_timeout();
        let next = [window, absent, voters, docket].into_iter().flatten().min();
        match next {
            Some(at) => self.set_timer(Timer::Govern, at.max(now)),
            None => self.timers.cancel(&Timer::Govern),
        }
    }

    fn review_members(&mut self, now: Time) {
        let Some(office) = &mut self.agreed.office else {
            return;
        };
        let mut names = std::mem::take(&mut office.review);
        if office.next_look <= now {
            office.next_look = now + LOOK;
            names.extend(office.absent.iter().cloned());
        }
        for name in names {
            self.review(&name, now);
        }
    }

    fn review(&mut self, name: &Name, now: Time) {
        let Some(roster) = self.agreed.roster() else {
            return;
        };
        let standing = roster.standing(name.as_str()).cloned();
        let removals = roster
            .removal(name.as_str())
            .map(|removal| removal.removals)
            .or(standing.as_ref().map(|standing| standing.removals));
        let held = self.table.get(name.as_str()).map(|member| {
            let held = &member.statement;
            let record = &held.record;
            (held.status, record.instance, record.returns)
        });
        let by_itself = self.left_by_itself(name);
        let condemned =
            held.is_some_and(|(_, instance, _)| roster.is_condemned(name.as_str(), instance));
        let since = self
            .agreed
            .office
            .as_ref()
            .map_or(now, |office| office.since);
        let unheard_of = now.since(since) >= UNHEARD_OF;
        let mut absent = false;
        match (held, standing) {
            (Some((Status::Alive | Status::Suspect, instance, _)), Some(standing))
                if standing.instance == instance => {}
            (Some((Status::Alive | Status::Suspect, ..)), _) if condemned => {}
            (Some((status @ (Status::Alive | Status::Suspect), instance, returns)), standing) => {
                let removals = removals.unwrap_or(0);
                if self.may_be_of_another_history(name) {
                    absent = true;
                } else if status == Status::Alive {
                    // Who waits to come back may be given up by the witnesses, and answers later.
                    absent = returns > 0;
                    self.on_newcomer(name, instance, returns, removals, standing.is_some(), now);
                } else if standing.is_none()
                    && let Some(office) = &mut self.agreed.office
                {
                    // One of its buddies does not reach it: its waiting begins anew.
                    office.docket.on_gone(name, now);
                }
            }
            (Some((Status::Left, instance, _)), Some(standing))
                if standing.instance <= instance && by_itself =>
            {
                self.say(Change::Left {
                    name: name.clone(),
                    instance: standing.instance,
                });
            }
            (Some((Status::Unreachable | Status::Left, instance, _)), Some(standing)) => {
                absent = true;
                if instance > standing.instance || instance < standing.instance && unheard_of {
                    // A newer life came and went before it was a member, or the member itself was
                    // never met: it is looked for where another life was.
                    let me = self.me.name.clone();
                    let silence = Silence::CutOff;
                    self.on_report(name, standing.instance, &me, silence, 0, now);
                } else if instance == standing.instance {
                    self.probe(name, Purpose::Watch, now);
                }
            }
            (None, Some(standing)) => {
                absent = true;
                if unheard_of {
                    let me = self.me.name.clone();
                    let silence = Silence::CutOff;
                    self.on_report(name, standing.instance, &me, silence, 0, now);
                }
            }
            (Some((Status::Unreachable | Status::Left, ..)) | None, None) => {}
        }
        if let Some(office) = &mut self.agreed.office {
            if absent {
                office.absent.insert(name.clone());
            } else {
                office.absent.remove(name);
            }
        }
    }

    /// A life that answers and is no member yet.
    fn on_newcomer(
        &mut self,
        name: &Name,
        instance: Instance,
        returns: u32,
        removals: u8,
        replaces: bool,
        now: Time,
    ) {
        let crowd = self
            .agreed
            .roster()
            .map_or(0, |roster| roster.standings().len() / 8);
        let Some(office) = &mut self.agreed.office else {
            return;
        };
        if returns > 0 {
            // The same process comes back: it waits (DESIGN 4.2, readmission).
            let removals = removals.max(1);
            if office.docket.on_candidate(name, instance, removals, now) {
                self.summon(name, now);
            }
            return;
        }
        if replaces || *name == self.me.name {
            return self.say(Change::Up {
                name: name.clone(),
                instance,
                removals: 0,
            });
        }
        if office.newcomers.insert(name.clone(), instance) == Some(instance) {
            return;
        }
        match &mut office.window {
            Some(window) => {
                window.fresh += 1;
                if window.fresh > crowd.max(8) {
                    window.fresh = 0;
                    let longest = window.first + GATHER_CROWD;
                    window.until = (now + 2 * GATHER).min(longest).max(window.until);
                }
            }
            None => {
                office.window = Some(Window {
                    first: now,
                    until: now + GATHER,
                    fresh: 1,
                });
            }
        }
    }

    /// Puts something into the next cut.
    fn say(&mut self, change: Change) {
        if let Some(office) = &mut self.agreed.office {
            let name = change.subject().0.clone();
            office.urgent.insert(name, change);
        }
    }

    /// An accuser's word, this node's own included.
    pub(super) fn on_report(
        &mut self,
        subject: &Name,
        instance: Instance,
        by: &Name,
        silence: Silence,
        health: u8,
        now: Time,
    ) {
        let Some(roster) = self.agreed.roster() else {
            return;
        };
        let is_member = |name: &Name| roster.standing(name.as_str());
        // One that was removed and waits to be a member again is looked at as well.
        let waits = roster.removal(subject.as_str()).is_some();
        let about = is_member(subject).map_or(waits, |held| held.instance == instance);
        if !about || is_member(by).is_none() || subject == by || *subject == self.me.name {
            return;
        }
        let report = Report {
            subject: subject.clone(),
            instance,
            by: by.clone(),
            silence,
            health,
        };
        let member = is_member(subject).is_some();
        let Some(office) = &mut self.agreed.office else {
            return;
        };
        if !member && !office.docket.is_candidate(subject) {
            // What is no member and does not want to be cannot be decided about.
            return;
        }
        if office.docket.on_report(report, now) {
            self.summon(subject, now);
        }
        self.set_timer(Timer::Govern, now);
    }

    /// Those that vote with this node, and this node.
    pub(super) fn all_voters(&self) -> Vec<Name> {
        let mut voters = self.other_voters();
        voters.push(self.me.name.clone());
        voters
    }

    /// Who is asked about a member: its other buddies, two random ones, this node itself; all
    /// voters when it comes to that.
    fn summon(&mut self, subject: &Name, now: Time) {
        let standings = self.agreed.roster().map(|roster| roster.standings());
        let members = standings.map_or(0, |standings| standings.len());
        let mut witnesses = self.table.buddies_of(subject);
        let random = self
            .table
            .some_present(RANDOM_WITNESSES, &mut self.rng, |other| {
                let held = &other.statement;
                held.status == Status::Alive && held.record.name != *subject
            });
        witnesses.extend(random);
        witnesses.insert(self.me.name.clone());
        witnesses.remove(subject);
        let voters = self.all_voters();
        let summons = Summons {
            witnesses: witnesses.into_iter().collect(),
            voters,
            members,
        };
        if let Some(office) = &mut self.agreed.office {
            office.docket.summon(subject, summons, now);
        }
    }

    /// What a witness found, this node itself included.
    pub(super) fn on_testimony(
        &mut self,
        subject: &Name,
        instance: Instance,
        by: &Name,
        finding: Finding,
        health: u8,
        now: Time,
    ) {
        if let Some(office) = &mut self.agreed.office {
            office
                .docket
                .on_testimony(subject, instance, by, finding, health, now);
            self.set_timer(Timer::Govern, now);
        }
    }

    fn run_docket(&mut self, now: Time) {
        let Some(office) = &mut self.agreed.office else {
            return;
        };
        office.docket.handle_timeout(now);
        self.stats.dropped.busy += office.docket.take_dropped();
        while let Some(order) = self
            .agreed
            .office
            .as_mut()
            .and_then(|office| office.docket.poll_order())
        {
            match order {
                Order::Ask {
                    witness,
                    subject,
                    instance,
                } => self.ask_witness(&witness, &subject, instance, now),
                Order::Summon { subject, .. } => self.summon(&subject, now),
                Order::Decide(rulings) => {
                    if let Some(office) = &mut self.agreed.office {
                        office.rulings.push_back(rulings);
                    }
                }
                Order::Readmit { name, instance } => {
                    let removals = self.removals(&name);
                    self.say(Change::Up {
                        name,
                        instance,
                        removals,
                    });
                }
            }
        }
    }

    fn removals(&self, name: &Name) -> u8 {
        let roster = self.agreed.roster();
        let removal = roster.and_then(|roster| roster.removal(name.as_str()));
        removal.map_or(0, |removal| removal.removals)
    }

    fn ask_witness(&mut self, witness: &Name, subject: &Name, instance: Instance, now: Time) {
        let held = self.table.get(subject.as_str());
        let addr = held.map(|member| member.statement.record.addr);
        if *witness == self.me.name {
            return self.witness(subject, instance, addr, None, now);
        }
        let errand = Errand::Summon {
            subject: subject.clone(),
            instance,
            addr,
        };
        self.send_errand(witness, errand);
    }

    /// A member is to be removed on request. `None`: it will be; ask again.
    pub(super) fn remove_on_request(
        &mut self,
        name: &Name,
        force: bool,
        at: &Name,
    ) -> Option<Reply> {
        let roster = self.agreed.roster()?;
        let Some(standing) = roster.standing(name.as_str()) else {
            let removal = roster.removal(name.as_str());
            return Some(
                removal.map_or(Reply::NoSuchMember, |removal| Reply::Removed(removal.view)),
            );
        };
        let (instance, before) = (standing.instance, standing.removals);
        let held = self
            .table
            .get(name.as_str())
            .map(|member| member.statement.status);
        let present = matches!(held, Some(Status::Alive | Status::Suspect));
        if *name == self.me.name || present && !force {
            return Some(Reply::StillAlive);
        }
        let evidence = Arc::new(Evidence {
            reason: Reason::Operator { at: at.clone() },
            testimonies: Vec::new(),
            took_ms: 0,
        });
        self.say(Change::Dead {
            name: name.clone(),
            instance,
            removals: before.saturating_add(1),
            evidence,
        });
        None
    }
}
