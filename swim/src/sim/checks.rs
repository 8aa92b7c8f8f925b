//! What must hold of every process at every step.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use crate::event::{Event, EventKind, State};
use crate::members::{Incarnation, Instance, Name, Tags};
use crate::node::Node;
use crate::time::Time;

/// A rule that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The name of the rule.
    pub property: &'static str,
    /// When it was seen.
    pub at: Time,
    /// The process at which it was seen; of the whole cluster: empty.
    pub process: String,
    /// What was seen.
    pub text: String,
}

/// Follows one node from outside: by its events alone one must know what its table says.
#[derive(Debug)]
pub(super) struct Watch {
    me: Name,
    instance: Instance,
    seen: BTreeMap<Name, Seen>,
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
    addr: SocketAddr,
    tags: Tags,
}

/// A node that wants to be woken more often at one instant than this is in a busy loop.
const WAKES_AT_ONCE: u32 = 64;

impl Watch {
    pub(super) fn new(node: &Node) -> Watch {
        let identity = node.identity();
        Watch {
            me: identity.name.clone(),
            instance: identity.instance,
            seen: BTreeMap::new(),
            wakes: (Time::ZERO, 0),
            steps: 0,
            forgetful: node.config().forget_after < Duration::from_secs(3600),
        }
    }

    /// The node was woken and drained.
    pub(super) fn on_wake(&mut self, node: &Node, now: Time) {
        let (at, count) = self.wakes;
        self.wakes = if at == now {
            (now, count + 1)
        } else {
            (now, 1)
        };
        assert!(
            self.wakes.1 <= WAKES_AT_ONCE,
            "{} is in a busy loop: {:?}",
            self.me,
            node.poll_timeout()
        );
        if let Some(deadline) = node.poll_timeout() {
            assert!(
                deadline.at >= now,
                "{} wants to be woken in the past: {deadline:?}",
                self.me
            );
        }
    }

    /// The node told something.
    pub(super) fn on_event(&mut self, event: &Event) {
        let member = &event.member;
        let expected = match &event.kind {
            EventKind::Reachable => Some(State::Alive),
            EventKind::Suspect { .. } => Some(State::Suspect),
            EventKind::Unreachable { .. } => Some(State::Unreachable),
            EventKind::Left => Some(State::Left),
            EventKind::Updated if member.is_self => {
                assert_eq!(member.name, self.me);
                return;
            }
            EventKind::Updated => None,
            EventKind::SelfRemoved { .. } => {
                assert_eq!(
                    member.name, self.me,
                    "only the node itself is removed itself"
                );
                return;
            }
        };
        assert!(
            member.name != self.me && !member.is_self,
            "{} reports itself: {event:?}",
            self.me
        );
        if let Some(state) = expected {
            assert_eq!(
                member.state, state,
                "the member is as it was right after: {event:?}"
            );
        }
        let seen = Seen {
            instance: member.instance,
            incarnation: member.incarnation,
            state: member.state,
            addr: member.addr,
            tags: member.tags.clone(),
        };
        if let Some(before) = self.seen.get(&member.name) {
            let (old, new) = (
                (before.instance, before.incarnation),
                (seen.instance, seen.incarnation),
            );
            assert!(
                old <= new,
                "{} runs backwards at {}: {event:?}",
                member.name,
                self.me
            );
            // That a member is back and that it has changed are told one after the other.
            let changed_too = event.kind == EventKind::Updated;
            assert!(
                before != &seen || changed_too,
                "{} tells no news: {event:?}",
                self.me
            );
        } else {
            assert!(
                expected.is_some(),
                "{} updates an unknown member: {event:?}",
                self.me
            );
        }
        self.seen.insert(member.name.clone(), seen);
    }

    /// The node was driven: compares it whole now and then, so that a step costs the same on
    /// average however many members there are.
    pub(super) fn on_step(&mut self, node: &Node) {
        let identity_holds = node.me().instance >= self.instance;
        assert!(identity_holds, "{} became an older life of itself", self.me);
        self.instance = node.me().instance;
        if self.forgetful {
            self.forget(node);
        }
        self.steps += 1;
        if self.steps > self.seen.len() {
            self.steps = 0;
            self.compare(node);
        }
    }

    /// Compares the table with what the events told.
    pub(super) fn compare(&mut self, node: &Node) {
        node.check_invariants();
        let mut remembered = 0;
        for member in node.members().filter(|member| !member.is_self) {
            remembered += 1;
            let Some(seen) = self.seen.get_mut(&member.name) else {
                panic!("{} never told of {member:?}", self.me);
            };
            assert!(
                seen.instance == member.instance && seen.incarnation <= member.incarnation,
                "{} holds {member:?} and told {seen:?}",
                self.me
            );
            seen.incarnation = member.incarnation;
            assert!(
                (seen.state, seen.addr, &seen.tags) == (member.state, member.addr, &member.tags),
                "{} holds {member:?} and told {seen:?}",
                self.me
            );
        }
        if remembered < self.seen.len() {
            self.forget(node);
        }
    }

    /// Members that are gone for long are forgotten without a word; others are not.
    fn forget(&mut self, node: &Node) {
        let me = &self.me;
        self.seen.retain(|name, seen| {
            let remembered = node.member(name.as_str()).is_some();
            let gone = matches!(seen.state, State::Unreachable | State::Left);
            assert!(
                remembered || gone,
                "{me} forgot {name} that it told as {seen:?}"
            );
            remembered
        });
    }
}
