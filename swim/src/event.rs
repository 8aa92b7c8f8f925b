//! What a node tells its users.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::coordinator::{Epoch, Evidence, Verdict, View};
use crate::members::{App, Apps, Attachment, Ending, Incarnation, Instance, Name, Tags};
use crate::time::Time;

/// The state of a member as this node believes it now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// It answers, to us or to others.
    Alive,
    /// Somebody could not reach it; it may still refute that.
    Suspect,
    /// The coordinator found that some reach it and some do not.
    Degraded,
    /// Nobody reaches it.
    Unreachable,
    /// It said goodbye.
    Left,
    /// The verdict is that it is gone.
    Dead,
}

impl State {
    /// The word used in listings and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Alive => "alive",
            State::Suspect => "suspect",
            State::Degraded => "degraded",
            State::Unreachable => "unreachable",
            State::Left => "left",
            State::Dead => "dead",
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
    /// What lives beside it, and what did.
    pub apps: Apps,
    /// Whether it is this node.
    pub is_self: bool,
    /// Smoothed round-trip time, once it was measured.
    pub rtt: Option<Duration>,
    /// What was agreed about its present life.
    pub verdict: Option<Verdict>,
    /// The view in which that was agreed; 0 without a verdict.
    pub view: View,
    /// Whether it votes.
    pub voter: bool,
}

/// What an unanswered probe met, from weakest to strongest evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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
    /// The last view that this node knew.
    pub view: View,
    /// The coordinator's term in that view.
    pub epoch: Epoch,
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
    /// The coordinator found that some reach the member and some do not.
    Degraded {
        /// Who found what; `None`: this node was behind and learned only the outcome.
        evidence: Option<Arc<Evidence>>,
    },
    /// Verdict: this life is a member.
    Up,
    /// Verdict: this life is gone.
    Dead {
        /// Why.
        cause: DeadCause,
    },
    /// Verdict: this life said goodbye.
    Left,
    /// The member has new tags or a new address.
    Updated,
    /// An app of the member runs.
    AppUp {
        /// Its name.
        app: Arc<str>,
        /// Its attachment, as it was then.
        as_was: App,
    },
    /// An app of the member runs no more.
    AppDown {
        /// Its name.
        app: Arc<str>,
        /// Which attachment ended.
        attachment: Attachment,
        /// Why.
        cause: AppDownCause,
    },
    /// An app of the member reports another health.
    AppHealth {
        /// Its name.
        app: Arc<str>,
        /// How it is now.
        is_now: App,
    },
    /// The member is the coordinator from now on. Of this node itself: it decides from now on, also
    /// when it is again in the same epoch, after its lease was missing for a while.
    CoordinatorChanged,
    /// No majority of the voters is known to work: nothing is decided until it is.
    QuorumLost,
    /// A majority of the voters works.
    QuorumRegained {
        /// Whether an operator rebuilt it ([`Node::recover`](crate::Node::recover)).
        recovered: bool,
    },
    /// This node is no longer a member: see the cause.
    SelfRemoved {
        /// Why.
        cause: RemovedCause,
    },
    /// This node is a member again.
    SelfReadmitted,
}

/// Why an app runs no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppDownCause {
    /// It ended.
    Ended(Ending),
    /// It ended, and something else has taken its place since: how is not known any more.
    Unknown,
    /// The verdict is that its member is gone.
    MemberDead,
    /// Its member said goodbye.
    MemberLeft,
    /// A newer life of its member took the place of the one it lived beside.
    MemberReplaced {
        /// The newer one.
        instance: Instance,
    },
}

impl AppDownCause {
    /// The word used in events and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            AppDownCause::Ended(ending) => ending.as_str(),
            AppDownCause::Unknown => "unknown",
            AppDownCause::MemberDead => "member-dead",
            AppDownCause::MemberLeft => "member-left",
            AppDownCause::MemberReplaced { .. } => "member-replaced",
        }
    }
}

/// Why a member was declared dead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeadCause {
    /// The coordinator convicted it.
    Convicted {
        /// On what grounds.
        evidence: Arc<Evidence>,
    },
    /// A newer life of the same name is a member.
    Replaced {
        /// The newer one.
        instance: Instance,
    },
    /// This node was behind and learned only the outcome.
    Unknown,
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
    /// It said goodbye.
    Goodbye,
    /// It was agreed that it is gone, while this node still held it for present.
    Verdict,
}

/// Why this node is no member any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemovedCause {
    /// It was agreed that its life is gone. It goes on as a new life by itself.
    Verdict {
        /// In which view.
        view: View,
    },
    /// It must stop: a newer instance with this name is alive elsewhere.
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
            EventKind::Degraded { .. } => "member-degraded",
            EventKind::Up => "member-up",
            EventKind::Dead { .. } => "member-dead",
            EventKind::Left => "member-left",
            EventKind::Updated => "member-updated",
            EventKind::AppUp { .. } => "app-up",
            EventKind::AppDown { .. } => "app-down",
            EventKind::AppHealth { .. } => "app-health",
            EventKind::CoordinatorChanged => "coordinator-changed",
            EventKind::QuorumLost => "quorum-lost",
            EventKind::QuorumRegained { .. } => "quorum-regained",
            EventKind::SelfRemoved { .. } => "self-removed",
            EventKind::SelfReadmitted => "self-readmitted",
        }
    }
}
