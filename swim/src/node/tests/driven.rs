//! A node with its outputs taken after every call, and time that passes from deadline to deadline.

use std::net::SocketAddr;
use std::time::Duration;

use super::name;
use crate::config::Config;
use crate::event::{DeadCause, Event, EventKind, RemovedCause, UnreachableCause};
use crate::limits;
use crate::members::{Incarnation, Instance, Tags};
use crate::node::{Action, Identity, Memory, Node, Stop, StreamId};
use crate::time::Time;
use crate::wire::accepted::{owned_frame, owned_update};
use crate::wire::{ClusterId, Frame, FrameReader, Message, Update, decode};

/// A datagram that the node sent.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sent {
    pub(super) to: SocketAddr,
    pub(super) incarnation: Incarnation,
    pub(super) message: Message,
    pub(super) updates: Vec<Update>,
    pub(super) bytes: Vec<u8>,
}

/// A node and what it gave out and nobody looked at yet.
pub(super) struct Driven {
    pub(super) node: Node,
    pub(super) now: Time,
    pub(super) sent: Vec<Sent>,
    pub(super) actions: Vec<Action>,
    pub(super) events: Vec<Event>,
    /// Why it stopped.
    pub(super) stop: Option<Stop>,
}

pub(super) fn cluster() -> ClusterId {
    ClusterId::of(&name("test"))
}

/// The address of host number `host`.
pub(super) fn address(host: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, (2 + host / 250) as u8, (host % 250) as u8], 7946))
}

pub(super) fn identity(of: &str, host: u16, instance: u64) -> Identity {
    Identity {
        cluster: name("test"),
        name: name(of),
        addr: address(host),
        instance: Instance(instance),
        tags: Tags::default(),
    }
}

impl Driven {
    /// The node `me` on host 1 in its life 100, with the settings of a LAN.
    pub(super) fn new() -> Driven {
        Driven::with(Config::lan(), identity("me", 1, 100))
    }

    pub(super) fn with(config: Config, identity: Identity) -> Driven {
        Driven::with_memory(config, identity, Memory::never_votes())
    }

    pub(super) fn with_memory(config: Config, identity: Identity, memory: Memory) -> Driven {
        let now = Time::from_nanos(1_000_000_000);
        let node = Node::new(config, identity, memory, 1, now).expect("valid settings");
        Driven {
            node,
            now,
            sent: vec![],
            actions: vec![],
            events: vec![],
            stop: None,
        }
    }

    /// Calls the node and takes what it gives out, as the draining rule says.
    pub(super) fn call<T>(&mut self, act: impl FnOnce(&mut Node, Time) -> T) -> T {
        let result = act(&mut self.node, self.now);
        let mut buffer = Vec::new();
        while let Some(to) = self.node.poll_transmit(&mut buffer) {
            assert!(
                buffer.len() <= limits::PLAIN_DATAGRAM_BYTES,
                "room is left for sealing"
            );
            let datagram = decode(&buffer, cluster()).expect("a node sends what others accept");
            self.sent.push(Sent {
                to,
                incarnation: datagram.header.incarnation,
                message: datagram.message,
                updates: datagram.updates.iter().map(owned_update).collect(),
                bytes: buffer.clone(),
            });
        }
        while let Some(action) = self.node.poll_action() {
            match action {
                Action::Stopped(stop) => {
                    assert_eq!(self.stop, None, "it stops once");
                    self.stop = Some(stop);
                }
                action @ (Action::Connect { .. }
                | Action::Send { .. }
                | Action::Close { .. }
                | Action::Resolve { .. }
                | Action::Save { .. }
                | Action::KeepKeys { .. }
                | Action::Answered { .. }) => self.actions.push(action),
            }
        }
        while let Some(event) = self.node.poll_event() {
            self.events.push(event);
        }
        self.node.check_invariants();
        result
    }

    /// When the node wants to be woken.
    pub(super) fn deadline(&self) -> Option<Time> {
        self.node.poll_timeout().map(|deadline| deadline.at)
    }

    /// Time passes with the node woken at each of its deadlines.
    pub(super) fn wait(&mut self, duration: Duration) {
        let until = self.now + duration;
        while let Some(at) = self.deadline().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.call(Node::handle_timeout);
        }
        self.now = until;
    }

    /// Time passes and nobody wakes the node.
    pub(super) fn sleep(&mut self, duration: Duration) {
        self.now += duration;
    }

    /// The datagrams since the last look.
    pub(super) fn sent(&mut self) -> Vec<Sent> {
        std::mem::take(&mut self.sent)
    }

    /// The messages to a host since the last look; forgets those to others.
    pub(super) fn messages_to(&mut self, to: SocketAddr) -> Vec<Message> {
        self.sent()
            .into_iter()
            .filter(|sent| sent.to == to)
            .map(|sent| sent.message)
            .collect()
    }

    pub(super) fn actions(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }

    /// The streams that were asked for since the last look, and whereto; forgets other actions.
    pub(super) fn connects(&mut self) -> Vec<(StreamId, SocketAddr)> {
        let connect = |action| match action {
            Action::Connect { stream, to } => Some((stream, to)),
            Action::Send { .. }
            | Action::Close { .. }
            | Action::Resolve { .. }
            | Action::Save { .. }
            | Action::KeepKeys { .. }
            | Action::Answered { .. }
            | Action::Stopped(_) => None,
        };
        self.actions().into_iter().filter_map(connect).collect()
    }

    /// The frames sent on a stream since the last look, and whether it was then closed; forgets
    /// other actions.
    pub(super) fn frames(&mut self, of: StreamId) -> (Vec<Frame>, bool) {
        let (mut reader, mut closed) = (FrameReader::default(), false);
        for action in self.actions() {
            match action {
                Action::Send { stream, bytes } if stream == of => reader.push(&bytes),
                Action::Close { stream } if stream == of => closed = true,
                Action::Send { .. }
                | Action::Close { .. }
                | Action::Connect { .. }
                | Action::Resolve { .. }
                | Action::Save { .. }
                | Action::KeepKeys { .. }
                | Action::Answered { .. }
                | Action::Stopped(_) => {}
            }
        }
        let next = || {
            let frame = reader.next().expect("a node sends valid frames");
            frame.map(owned_frame)
        };
        (std::iter::from_fn(next).collect(), closed)
    }

    /// The seeds to resolve since the last look; forgets other actions.
    pub(super) fn resolves(&mut self) -> Vec<String> {
        let resolve = |action| match action {
            Action::Resolve { seed } => Some(seed),
            Action::Connect { .. }
            | Action::Send { .. }
            | Action::Close { .. }
            | Action::Save { .. }
            | Action::KeepKeys { .. }
            | Action::Answered { .. }
            | Action::Stopped(_) => None,
        };
        self.actions().into_iter().filter_map(resolve).collect()
    }

    /// The events since the last look, in words.
    pub(super) fn events(&mut self) -> Vec<String> {
        std::mem::take(&mut self.events).iter().map(words).collect()
    }

    /// The state of a member in a word, `none` when it is not known.
    pub(super) fn state(&self, of: &str) -> &'static str {
        self.node
            .member(of)
            .map_or("none", |member| member.state.as_str())
    }
}

fn words(event: &Event) -> String {
    let about = &event.member.name;
    match &event.kind {
        EventKind::Reachable => format!("{about} reachable"),
        EventKind::Suspect { by, silence: None } => format!("{about} suspect by {by}"),
        EventKind::Suspect {
            by,
            silence: Some(silence),
        } => {
            format!("{about} suspect by {by}, {silence}")
        }
        EventKind::Unreachable {
            cause: UnreachableCause::Timeout { accusers },
        } => {
            let accusers: Vec<&str> = accusers.iter().map(|name| name.as_str()).collect();
            format!("{about} unreachable, accused by {}", accusers.join(" "))
        }
        EventKind::Unreachable {
            cause: UnreachableCause::Told { by },
        } => {
            format!("{about} unreachable, told by {by}")
        }
        EventKind::Unreachable {
            cause: UnreachableCause::Superseded { instance },
        } => {
            format!("{about} unreachable, superseded by {instance}")
        }
        EventKind::Unreachable {
            cause: UnreachableCause::Goodbye,
        } => {
            format!("{about} unreachable, goodbye")
        }
        EventKind::Unreachable {
            cause: UnreachableCause::Verdict,
        } => {
            format!("{about} unreachable, verdict")
        }
        EventKind::Degraded { evidence } => {
            let known = if evidence.is_some() {
                "with"
            } else {
                "without"
            };
            format!("{about} degraded, {known} evidence")
        }
        EventKind::Up => format!("{about} up in {}", event.view),
        EventKind::Dead { cause } => {
            let cause = match cause {
                DeadCause::Convicted { .. } => "convicted".to_owned(),
                DeadCause::Replaced { instance } => format!("replaced by {instance}"),
                DeadCause::Unknown => "unknown why".to_owned(),
            };
            format!("{about} dead in {}, {cause}", event.view)
        }
        EventKind::Left => format!("{about} left in {}", event.view),
        EventKind::CoordinatorChanged => format!("{about} coordinates in {}", event.epoch),
        EventKind::QuorumLost => "quorum lost".to_owned(),
        EventKind::QuorumRegained { recovered: false } => "quorum regained".to_owned(),
        EventKind::QuorumRegained { recovered: true } => "quorum recovered".to_owned(),
        EventKind::SelfReadmitted => format!("{about} readmitted in {}", event.view),
        EventKind::SelfRemoved {
            cause: RemovedCause::Verdict { view },
        } => {
            format!("{about} removed in {view}")
        }
        EventKind::Updated => format!("{about} updated"),
        EventKind::AppUp { app, .. } => format!("{about} app {app} up"),
        EventKind::AppDown { app, cause, .. } => format!("{about} app {app} down, {cause:?}"),
        EventKind::AppHealth { app, is_now } => format!("{about} app {app} {:?}", is_now.state),
        EventKind::SelfRemoved {
            cause: RemovedCause::NameTaken { addr, instance },
        } => {
            format!("{about} removed, name taken by {instance} at {addr}")
        }
    }
}
