//! What members and their coordinator, and voters among each other, say in datagrams. The order of
//! variants and fields is the wire format: append, never reorder.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::bounded;
use crate::coordinator::{Finding, Postmark, Signature, View};
use crate::event::Silence;
use crate::members::{Instance, Name};

/// A message about what is to be agreed, or was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Errand {
    /// "I could not reach this one", to the coordinator.
    Report {
        seq: u32,
        subject: Name,
        instance: Instance,
        silence: Silence,
        /// The accuser's health score.
        health: u8,
    },
    /// "I have your report", from a coordinator in office.
    Reported { seq: u32 },
    /// "Probe this one yourself now, and tell me."
    Summon {
        subject: Name,
        instance: Instance,
        /// Where it listens, as the coordinator knows it.
        addr: Option<SocketAddr>,
    },
    /// What a witness found.
    Testimony {
        subject: Name,
        instance: Instance,
        finding: Finding,
        health: u8,
    },
    /// Between voters: of the consensus, which reads it.
    Letter {
        configuration: u32,
        postmark: Postmark,
        #[serde(with = "bounded::bytes")]
        bytes: Vec<u8>,
        signature: Signature,
    },
    /// The cut that led to this view.
    Cut {
        view: View,
        #[serde(with = "bounded::bytes")]
        cut: Vec<u8>,
        signature: Signature,
    },
    /// A question to the coordinator.
    Ask { seq: u32, question: Question },
    /// Its answer.
    Told { seq: u32, reply: Reply },
    /// "Let me form the cluster": from the first by name of those that expect each other.
    Found { seq: u32 },
    /// "Do. I let no other one form it for a while."
    Grant { seq: u32 },
    /// "There is a new view", as the header shows; its cut fits no datagram and is to be pulled.
    View,
}

/// What a coordinator is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Question {
    /// Which view is the last?
    Current,
    /// Remove this member; one that answers only with force.
    Remove { name: Name, force: bool },
}

/// What it answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Reply {
    /// This is the last view.
    Current(View),
    /// It is removed in this view.
    Removed(View),
    /// No such member is in the view.
    NoSuchMember,
    /// It answers.
    StillAlive,
    /// Not in office.
    NotCoordinator,
}
