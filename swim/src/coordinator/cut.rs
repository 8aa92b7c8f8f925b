//! What is decided: a cut, and the numbers by which decisions are known.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use super::evidence::Evidence;
use crate::bounded::at_most;
use crate::limits;
use crate::members::{Instance, Name};

/// The number of a committed cut: dense, never reused, never going back. 0 is before the first.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct View(pub u64);

impl View {
    /// The one after it.
    #[must_use]
    pub fn next(self) -> View {
        View(self.0.saturating_add(1))
    }
}

impl fmt::Display for View {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// The number of a coordinator's term: a fencing token. It is committed itself, when a coordinator
/// takes office, so it is dense and no two coordinators ever have the same. 0 is before the first.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Epoch(pub u64);

impl Epoch {
    /// The one after it.
    #[must_use]
    pub fn next(self) -> Epoch {
        Epoch(self.0.saturating_add(1))
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Which history of views: two clusters that formed apart have different families, and an operator
/// who rebuilds a lost quorum begins a new generation of the same family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Lineage {
    /// Drawn when the cluster formed.
    pub family: u64,
    /// In the upper half how often a lost quorum was rebuilt; in the lower half by whom, as a place
    /// among the members: two that do so apart begin two generations.
    pub generation: u32,
}

impl Lineage {
    /// The generation that a member begins who rebuilds the quorum.
    pub(crate) fn recovered(self, place: u16) -> Lineage {
        let count = (self.generation >> 16).saturating_add(1);
        Lineage {
            generation: count << 16 | u32::from(place),
            ..self
        }
    }
}

/// The memory of a voter: its data directory, or its process when it has none. A voter that lost
/// its memory is another voter. A hash of the public key that belongs to the memory; 0 never votes.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct VoterId(pub u64);

impl VoterId {
    /// Of a member that does not vote, ever.
    pub const NEVER: VoterId = VoterId(0);
}

/// What was agreed about one life of a member. Final for that life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Verdict {
    /// It is a member.
    Up,
    /// It is gone.
    Dead,
    /// It said goodbye.
    Left,
}

impl Verdict {
    /// The word used in listings and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Up => "up",
            Verdict::Dead => "dead",
            Verdict::Left => "left",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// One thing that a cut says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Change {
    /// This life is a member; an older one of the same name is none any more.
    Up {
        name: Name,
        instance: Instance,
        /// How often the name was removed since it was last calm: readmission takes the longer.
        removals: u8,
    },
    /// This life is gone.
    Dead {
        name: Name,
        instance: Instance,
        removals: u8,
        evidence: Arc<Evidence>,
    },
    /// This life said goodbye.
    Left { name: Name, instance: Instance },
    /// Some reach it and some do not.
    Degraded {
        name: Name,
        instance: Instance,
        evidence: Arc<Evidence>,
    },
    /// It is degraded no more.
    Restored { name: Name, instance: Instance },
}

impl Change {
    /// The member it is about.
    pub(crate) fn subject(&self) -> (&Name, Instance) {
        match self {
            Change::Up { name, instance, .. }
            | Change::Dead { name, instance, .. }
            | Change::Left { name, instance }
            | Change::Degraded { name, instance, .. }
            | Change::Restored { name, instance } => (name, *instance),
        }
    }
}

/// A coordinator takes office.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Office {
    pub(crate) epoch: Epoch,
    pub(crate) coordinator: Name,
    /// Of which life: a coordinator that was restarted takes office anew.
    pub(crate) instance: Instance,
}

/// A member that votes, by its name and its memory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Voter {
    pub(crate) name: Name,
    pub(crate) id: VoterId,
}

/// Who votes, as one configuration of the consensus: a log of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Voters {
    /// Counts configurations from 1; never reused within a lineage.
    pub(crate) configuration: u32,
    /// 1, 3, 5 or 7, or fewer while no more are there. In the order of their numbers from 1.
    #[serde(deserialize_with = "voters")]
    pub(crate) voters: Vec<Voter>,
}

/// What is decided at once: committed, it is the next view.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cut {
    /// Who takes office.
    pub(crate) office: Option<Office>,
    /// Who votes from the next view on: the last cut of its configuration.
    pub(crate) voters: Option<Voters>,
    /// What happened to members.
    #[serde(deserialize_with = "at_most::<{ limits::CUT_CHANGES }, _, _>")]
    pub(crate) changes: Vec<Change>,
}

impl Cut {
    /// Its encoding: what is hashed, counted and sent.
    pub(crate) fn encoded(&self) -> Arc<[u8]> {
        let bytes = postcard::to_allocvec(self);
        bytes.expect("cuts serialize into memory").into()
    }

    /// The evidence for what it says of a member.
    pub(crate) fn evidence_of(&self, name: &Name) -> Option<Arc<Evidence>> {
        self.changes.iter().find_map(|change| match change {
            Change::Dead {
                name: subject,
                evidence,
                ..
            }
            | Change::Degraded {
                name: subject,
                evidence,
                ..
            } if subject == name => Some(Arc::clone(evidence)),
            Change::Dead { .. }
            | Change::Degraded { .. }
            | Change::Up { .. }
            | Change::Left { .. }
            | Change::Restored { .. } => None,
        })
    }
}

/// Voters as somebody else tells them: at least one, and none twice.
fn voters<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Voter>, D::Error> {
    let voters: Vec<Voter> = at_most::<{ limits::VOTERS }, _, _>(deserializer)?;
    let names: BTreeSet<&Name> = voters.iter().map(|voter| &voter.name).collect();
    if voters.is_empty() || names.len() < voters.len() {
        return Err(D::Error::custom("no voters, or one twice"));
    }
    Ok(voters)
}
