//! What a node tells its users.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use crate::members::{Incarnation, Instance, Name, Tags};
use crate::time::Time;

/// The state of a member as this node believes it now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// It answers, to us or to others.
    Alive,
    /// Somebody could not reach it; it may still refute that.
    Suspect,
    /// Nobody reaches it.
    Unreachable,
    /// It said goodbye.
    Left,
}

impl State {
    /// The word used in listings and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Alive => "alive",
            State::Suspect => "suspect",
            State::Unreachable => "unreachable",
            State::Left => "left",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// A member as it stands in the table, copied out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberInfo {
    /// Unique in the cluster.
    pub name: Name,
    /// Where it listens.
    pub addr: SocketAddr,
    /// Its present life.
    pub instance: Instance,
    /// Its version within that life.
    pub incarnation: Incarnation,
    /// What this node believes of it.
    pub state: State,
    /// Since when it has that state here.
    pub since: Time,
    /// What it publishes.
    pub tags: Tags,
    /// Whether it is this node.
    pub is_self: bool,
    /// Smoothed round-trip time, once it was measured.
    pub rtt: Option<Duration>,
}

/// What an unanswered probe met, from weakest to strongest evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Silence {
    /// The host accepts connections, the process does not answer.
    Stalled,
    /// Not even the host answers.
    CutOff,
    /// The host says that the process is gone.
    Refused,
    /// Another process answers at its address.
    Replaced,
}

impl Silence {
    /// The word used in events and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Silence::Stalled => "stalled",
            Silence::CutOff => "cut-off",
            Silence::Refused => "refused",
            Silence::Replaced => "replaced",
        }
    }
}

impl fmt::Display for Silence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// Something happened. `time` is the `now` of the call in which it did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When, on the caller's clock.
    pub time: Time,
    /// The member it is about, as it was right after.
    pub member: MemberInfo,
    /// What.
    pub kind: EventKind,
}

/// The kinds of event; [`EventKind::as_str`] is the `type` in logs and JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// A member was heard of first, or answers again, or came back as a new instance.
    Reachable,
    /// `by` could not reach the member. `silence` is what the probe met, when it was our own.
    Suspect {
        /// Who says so.
        by: Name,
        /// What its probe met, known only for our own.
        silence: Option<Silence>,
    },
    /// The member did not refute the suspicion in time, or another instance took its place.
    Unreachable {
        /// Why.
        cause: UnreachableCause,
    },
    /// The member said goodbye.
    Left,
    /// The member has new tags or a new address.
    Updated,
    /// This node is no longer a member and must stop: see the cause.
    SelfRemoved {
        /// Why.
        cause: RemovedCause,
    },
}

/// Why a member became unreachable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnreachableCause {
    /// This node's own timer of the suspicion ended.
    Timeout {
        /// Who suspected it, first accuser first.
        accusers: Vec<Name>,
    },
    /// Another node said so.
    Told {
        /// Who did.
        by: Name,
    },
    /// A newer instance took its name.
    Superseded {
        /// The newer one.
        instance: Instance,
    },
}

/// Why this node had to stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemovedCause {
    /// A newer instance with this name is alive elsewhere.
    NameTaken {
        /// Where it listens.
        addr: SocketAddr,
        /// Its life.
        instance: Instance,
    },
}

impl EventKind {
    /// The event's type as the interfaces name it.
    pub fn as_str(&self) -> &'static str {
        match self {
            EventKind::Reachable => "member-reachable",
            EventKind::Suspect { .. } => "member-suspect",
            EventKind::Unreachable { .. } => "member-unreachable",
            EventKind::Left => "member-left",
            EventKind::Updated => "member-updated",
            EventKind::SelfRemoved { .. } => "self-removed",
        }
    }
}
