//! Why something was decided: who said what, when, and how much it counted.

use serde::{Deserialize, Serialize};

use crate::bounded::at_most;
use crate::event::Silence;
use crate::limits;
use crate::members::Name;

/// What an observer found when it probed the subject by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Finding {
    /// It answered.
    Reached,
    /// It did not.
    Unreached(Silence),
    /// The observer was asked and did not tell.
    NoTestimony,
}

/// Why the coordinator looked at a member, or decided without looking.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reason {
    /// Nearly all that looked do not reach it.
    Unreached,
    /// Some reach it and some do not.
    Disputed,
    /// It was so for too long.
    DegradedTooLong,
    /// An operator asked for it, at this member.
    Operator {
        /// The member at which it was asked.
        at: Name,
    },
}

impl Reason {
    /// The word used in listings and JSON.
    pub fn as_str(&self) -> &'static str {
        match self {
            Reason::Unreached => "unreached",
            Reason::Disputed => "disputed",
            Reason::DegradedTooLong => "degraded-too-long",
            Reason::Operator { .. } => "operator",
        }
    }
}

/// One observer's word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Testimony {
    /// Who.
    pub by: Name,
    /// Whether it came by itself (an accuser) or was asked (a witness).
    pub asked: bool,
    /// What it found.
    pub finding: Finding,
    /// How long after the first report, in milliseconds.
    pub after_ms: u32,
    /// How much it counted, in hundredths.
    pub weight: u8,
}

/// The file of a case, as it was when it was decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Why it was decided so.
    pub reason: Reason,
    /// In the order in which they came; at most [`limits::TESTIMONIES`](crate::limits).
    #[serde(deserialize_with = "at_most::<{ limits::TESTIMONIES }, _, _>")]
    pub testimonies: Vec<Testimony>,
    /// How long the case took, in milliseconds.
    pub took_ms: u32,
}
