//! What must hold of every process at every step.

use std::net::SocketAddr;
use std::time::Duration;

use hashbrown::HashMap;

use super::apps::AppsTold;
use super::{Findings, Property, Violation};
use crate::coordinator::Verdict;
use crate::event::{Event, EventKind, MemberInfo, RemovedCause, State};
use crate::members::{Incarnation, Instance, Name, Tags};
use crate::node::{Lifecycle, Node};
use crate::time::Time;

/// Follows one node from outside: by its events alone one must know what its table says.
#[derive(Debug)]
pub(in crate::sim) struct Watch {
    me: Name,
    instance: Instance,
    seen: HashMap<Name, Seen>,
    apps: AppsTold,
    /// The last life of each member that was told to be one, in the present history.
    ups: HashMap<Name, Instance>,
    family: Option<u64>,
    /// Lives of its own that it told to be removed by a verdict, since the last step.
    removed: Vec<Instance>,
    /// Whether it told that it decides, since it last did not.
    told_deciding: bool,
    /// Wake-ups at one instant.
    wakes: (Time, u32),
    steps: usize,
    /// Whether it forgets soon: then what it forgot is looked for at every step.
    forgetful: bool,
}

/// A member as the events told it.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    instance: Instance,
    incarnation: Incarnation,
    state: State,
    verdict: Option<Verdict>,
    addr: SocketAddr,
    tags: Tags,
}

/// A node that wants to be woken more often at one instant than this, while nothing arrives, is in
/// a busy loop.
const WAKES_AT_ONCE: u32 = 64;

impl Watch {
    pub(in crate::sim) fn new(node: &Node) -> Watch {
        let identity = node.identity();
        Watch {
            me: identity.name.clone(),
            instance: identity.instance,
            seen: HashMap::new(),
            apps: AppsTold::default(),
            ups: HashMap::new(),
            family: None,
            removed: Vec::new(),
            told_deciding: false,
            wakes: (Time::ZERO, 0),
            steps: 0,
            forgetful: node.config().forget_after < Duration::from_secs(3600),
        }
    }

    /// The node was woken and drained at `now`, on its own clock `read`. False when it is in a busy
    /// loop: time must pass before it is woken again.
    pub(in crate::sim) fn on_wake(
        &mut self,
        node: &Node,
        now: Time,
        read: Time,
        found: &mut Findings,
    ) -> bool {
        let (at, count) = self.wakes;
        let count = if at == now { count + 1 } else { 1 };
        self.wakes = (now, count);
        let deadline = node.poll_timeout();
        if let Some(deadline) = deadline.filter(|deadline| deadline.at < read) {
            let text = format!("wants to be woken in the past: {deadline:?} at {read:?}");
            self.report(Property::NothingInThePast, now, text, found);
        }
        if count > WAKES_AT_ONCE {
            let text = format!("woken {count} times at once: {deadline:?}");
            self.report(Property::NoBusyLoop, now, text, found);
        }
        count <= WAKES_AT_ONCE
    }

    /// Something arrived: that is a reason to be woken again.
    pub(in crate::sim) fn on_input(&mut self) {
        self.wakes.1 = 0;
    }

    /// The node is about to be driven, at `read` on its own clock.
    pub(in crate::sim) fn before_step(&mut self, node: &Node, read: Time) {
        self.told_deciding &= node.decides(read);
    }

    /// The node is in this history now.
    pub(in crate::sim) fn on_history(&mut self, family: Option<u64>) {
        if self.family != family {
            self.family = family;
            self.ups.clear();
        }
    }

    /// The node told something at `now`; its own clock said `read`.
    pub(in crate::sim) fn on_event(
        &mut self,
        event: &Event,
        now: Time,
        read: Time,
        found: &mut Findings,
    ) {
        if event.time != read {
            let text = format!("tells at {read:?} what happened at another time: {event:?}");
            self.report(Property::NothingInThePast, now, text, found);
        }
        if let Some(wrong) = self.apps.on_event(event) {
            let text = format!("{wrong}: {event:?}");
            self.report(Property::NoNewsTwice, now, text, found);
        }
        let member = &event.member;
        self.told_deciding |= event.kind == EventKind::CoordinatorChanged && member.is_self;
        let (expected, of_itself) = expected_of(event);
        if event.kind == EventKind::Up {
            let before = self.ups.insert(member.name.clone(), member.instance);
            if before == Some(member.instance) {
                self.report(Property::NoNewsTwice, now, format!("{event:?}"), found);
            }
        }
        if of_itself != (member.name == self.me) || of_itself != member.is_self {
            let text = format!("mistakes itself for another, or another for itself: {event:?}");
            return self.report(Property::NoSelfReport, now, text, found);
        }
        if of_itself {
            if let EventKind::SelfRemoved {
                cause: RemovedCause::Verdict { .. },
            } = event.kind
            {
                self.removed.push(member.instance);
            }
            return;
        }
        let fits = expected.is_empty() || expected.contains(&member.state);
        if !fits {
            let text = format!("tells a member that is not as it was right after: {event:?}");
            self.report(Property::EventsTellTheTable, now, text, found);
        }
        let of_old_life = self
            .seen
            .get(&member.name)
            .is_some_and(|seen| seen.instance > member.instance);
        if of_old_life && matches!(event.kind, EventKind::Dead { .. } | EventKind::Left) {
            // The verdict on a life comes after the first sign of the next one.
            return;
        }
        self.compare_with_before(event, !expected.is_empty(), now, found);
        self.seen.insert(member.name.clone(), Seen::of(member));
    }

    /// Holds an event against what was told of the member before.
    fn compare_with_before(
        &self,
        event: &Event,
        tells_a_state: bool,
        now: Time,
        found: &mut Findings,
    ) {
        let member = &event.member;
        let Some(before) = self.seen.get(&member.name) else {
            if !tells_a_state {
                let text = format!("updates a member that it never told of: {event:?}");
                self.report(Property::EventsTellTheTable, now, text, found);
            }
            return;
        };
        if (before.instance, before.incarnation) > (member.instance, member.incarnation) {
            let text = format!("told {before:?} before: {event:?}");
            self.report(Property::InstanceNeverGoesBack, now, text, found);
        }
        // That a member is back and that it has changed are told one after the other.
        let changed_too = matches!(
            event.kind,
            EventKind::Updated
                | EventKind::CoordinatorChanged
                | EventKind::Up
                | EventKind::AppUp { .. }
                | EventKind::AppDown { .. }
                | EventKind::AppHealth { .. }
        );
        if *before == Seen::of(member) && !changed_too {
            self.report(Property::NoNewsTwice, now, format!("{event:?}"), found);
        }
    }

    /// The life as which it was at the last step.
    pub(in crate::sim) fn instance(&self) -> Instance {
        self.instance
    }

    /// The node was driven: compares it whole now and then, so that a step costs the same on
    /// average however many members there are. Whether it did so now.
    pub(in crate::sim) fn on_step(
        &mut self,
        node: &Node,
        now: Time,
        read: Time,
        found: &mut Findings,
    ) -> bool {
        if node.decides(read) && !self.told_deciding {
            let text = "decides, and told nothing of it".to_owned();
            self.report(Property::EventsTellTheTable, now, text, found);
        }
        self.told_deciding = node.decides(read);
        let instance = node.identity().instance;
        if instance < self.instance {
            let text = format!("became {instance:?} after {:?}", self.instance);
            self.report(Property::InstanceNeverGoesBack, now, text, found);
        }
        self.look_at_own_life(node, instance, now, found);
        self.instance = instance;
        if self.forgetful && node.remembered() <= self.seen.len() {
            self.forget(node, now, found);
        }
        if found.every_step() {
            node.check_invariants();
        }
        self.steps += 1;
        let is_due = self.steps > self.seen.len();
        if is_due {
            self.steps = 0;
            self.compare(node, now, found);
        }
        is_due
    }

    /// Whether the node knows of its own removal, and told of it, when its life was removed.
    fn look_at_own_life(
        &mut self,
        node: &Node,
        present: Instance,
        now: Time,
        found: &mut Findings,
    ) {
        let me = self.me.clone();
        let condemned = |instance| {
            let verdict = node.verdict_on(me.as_str(), instance);
            verdict.is_some_and(|(verdict, _)| verdict != Verdict::Up)
        };
        let lives = match node.lifecycle() {
            Lifecycle::Joining | Lifecycle::Member => true,
            Lifecycle::Leaving | Lifecycle::Left | Lifecycle::Removed => false,
        };
        let told = std::mem::take(&mut self.removed);
        if lives && condemned(present) {
            let text = format!("goes on as {present:?}, of which it knows that it was removed");
            self.report(Property::SelfRemoved, now, text, found);
        }
        if let Some(wrong) = told.iter().find(|instance| !condemned(**instance)) {
            let text = format!("told the removal of {wrong:?}, which was not removed");
            self.report(Property::SelfRemoved, now, text, found);
        }
        let up = self.ups.get(&me) == Some(&self.instance);
        let silent = present > self.instance && up && !told.contains(&self.instance);
        if lives && silent && condemned(self.instance) {
            let text = format!("was removed as {:?} and told nothing of it", self.instance);
            self.report(Property::SelfRemoved, now, text, found);
        }
    }

    /// Compares the table with what the events told.
    pub(in crate::sim) fn compare(&mut self, node: &Node, now: Time, found: &mut Findings) {
        if found.fail_fast() && !found.every_step() {
            node.check_invariants();
        }
        let mut remembered = 0;
        for member in node.members() {
            if !self.apps.tells(node, &member) {
                let text = format!("told other apps than it holds: {member:?}");
                self.report(Property::EventsTellTheTable, now, text, found);
            }
            if member.is_self {
                continue;
            }
            remembered += 1;
            let told = self.seen.get_mut(&member.name);
            if let Some(told) = told.filter(|told| told.tells(&member)) {
                told.incarnation = member.incarnation;
                continue;
            }
            let told = self.seen.get(&member.name);
            let text = format!("holds {member:?} and told {told:?}");
            self.report(Property::EventsTellTheTable, now, text, found);
            self.seen.insert(member.name.clone(), Seen::of(&member));
        }
        if remembered < self.seen.len() {
            self.forget(node, now, found);
        }
    }

    /// Members that are gone for long are forgotten without a word; others are not.
    fn forget(&mut self, node: &Node, now: Time, found: &mut Findings) {
        let mut lost = Vec::new();
        self.seen.retain(|name, seen| {
            let remembered = node.member(name.as_str()).is_some();
            let gone = matches!(seen.state, State::Unreachable | State::Left | State::Dead);
            if !remembered && !gone {
                lost.push(format!("forgot {name}, told as {seen:?}"));
            }
            remembered
        });
        self.apps.forget(node);
        // In an order that does not depend on the map's.
        lost.sort();
        for text in lost {
            self.report(Property::EventsTellTheTable, now, text, found);
        }
    }

    fn report(&self, property: Property, at: Time, text: String, found: &mut Findings) {
        let process = self.me.to_string();
        found.push(Violation {
            property,
            at,
            process,
            text,
        });
    }
}

/// The states in which a member can be right after an event of a kind, none if any; and whether it
/// is told of the teller itself.
fn expected_of(event: &Event) -> (&'static [State], bool) {
    match &event.kind {
        EventKind::Reachable => (&[State::Alive, State::Degraded], false),
        EventKind::Suspect { .. } => (&[State::Suspect], false),
        EventKind::Unreachable { .. } => (&[State::Unreachable, State::Left], false),
        EventKind::Degraded { .. } => (&[State::Degraded], false),
        EventKind::Dead { .. } => (&[State::Dead], false),
        EventKind::Left => (&[State::Left], false),
        EventKind::Updated
        | EventKind::Up
        | EventKind::CoordinatorChanged
        | EventKind::AppUp { .. }
        | EventKind::AppDown { .. }
        | EventKind::AppHealth { .. } => (&[], event.member.is_self),
        EventKind::QuorumLost
        | EventKind::QuorumRegained { .. }
        | EventKind::SelfRemoved { .. }
        | EventKind::SelfReadmitted => (&[], true),
    }
}

impl Seen {
    fn of(member: &MemberInfo) -> Seen {
        Seen {
            instance: member.instance,
            incarnation: member.incarnation,
            state: member.state,
            verdict: member.verdict,
            addr: member.addr,
            tags: member.tags.clone(),
        }
    }

    /// Whether this is what a table holds, but for an incarnation that was raised to refute.
    fn tells(&self, held: &MemberInfo) -> bool {
        self.instance == held.instance
            && self.incarnation <= held.incarnation
            && (self.state, self.verdict, self.addr, &self.tags)
                == (held.state, held.verdict, held.addr, &held.tags)
    }
}
