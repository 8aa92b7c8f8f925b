//! What must hold, as named properties: of every process at every step, and of a whole run.
//!
//! The first kind is looked at by the cluster itself while [`Options::watch`](super::Options) is
//! on. The second kind are functions over a [`Cluster`](super::Cluster); who runs a scenario knows
//! who was hurt and when, and hands that in with the times within which a property must hold.

mod agreed;
mod apps;
mod closed;
#[cfg(test)]
mod tests;
mod watch;
mod whole;

use std::fmt;

use crate::time::Time;

pub(super) use agreed::Ledger;
pub(super) use closed::Circles;
pub(super) use watch::Watch;
pub use whole::{
    Budget, Gone, accuracy, completeness, constant_cost, disagreements, healing, one_view,
    refutation, removed,
};

/// A rule that can be seen to be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Property {
    /// Guarantee 1, of all processes at every step.
    OneDecider,
    /// Guarantee 2, of all processes at every step.
    AgreedOrder,
    /// Guarantee 1, of all processes at every step.
    EpochsNeverRepeat,
    /// Guarantee 2, of all processes at every step.
    NothingForgotten,
    /// Guarantee 2, of all processes at every event.
    VerdictsAreFinal,
    /// Guarantee 3, of whoever decides, at every step.
    NoBusyMinority,
    /// Guarantee 6, at every step.
    SelfRemoved,
    /// Guarantee 9, at every answer.
    ReadsNeverGoBack,
    /// Guarantee 9, at every step.
    EventsTellTheTable,
    /// Guarantee 9, at every step.
    NoNewsTwice,
    /// Guarantee 2, at every step.
    InstanceNeverGoesBack,
    /// Guarantee 6, at every step.
    NoSelfReport,
    /// Guarantee 10, of all processes at every event.
    Closed,
    /// At every wake-up.
    NoBusyLoop,
    /// At every wake-up and event.
    NothingInThePast,
    /// Guarantee 4, of a whole run.
    Completeness,
    /// Guarantee 5, of a whole run.
    Accuracy,
    /// Guarantee 6, of a whole run.
    Refutation,
    /// Guarantee 7, of a whole run.
    Healing,
    /// Guarantee 8, of a whole run.
    ConstantCost,
}

impl Property {
    /// All of them, in the order of this list.
    pub const ALL: [Property; 20] = [
        Property::OneDecider,
        Property::AgreedOrder,
        Property::EpochsNeverRepeat,
        Property::NothingForgotten,
        Property::VerdictsAreFinal,
        Property::NoBusyMinority,
        Property::SelfRemoved,
        Property::ReadsNeverGoBack,
        Property::EventsTellTheTable,
        Property::NoNewsTwice,
        Property::InstanceNeverGoesBack,
        Property::NoSelfReport,
        Property::Closed,
        Property::NoBusyLoop,
        Property::NothingInThePast,
        Property::Completeness,
        Property::Accuracy,
        Property::Refutation,
        Property::Healing,
        Property::ConstantCost,
    ];

    /// The word of reports and listings.
    pub fn name(self) -> &'static str {
        match self {
            Property::OneDecider => "one-decider",
            Property::AgreedOrder => "agreed-order",
            Property::EpochsNeverRepeat => "epochs-never-repeat",
            Property::NothingForgotten => "nothing-forgotten",
            Property::VerdictsAreFinal => "verdicts-are-final",
            Property::NoBusyMinority => "no-busy-minority",
            Property::SelfRemoved => "self-removed",
            Property::ReadsNeverGoBack => "reads-never-go-back",
            Property::EventsTellTheTable => "events-tell-the-table",
            Property::NoNewsTwice => "no-news-twice",
            Property::InstanceNeverGoesBack => "instance-never-goes-back",
            Property::NoSelfReport => "no-self-report",
            Property::Closed => "closed",
            Property::NoBusyLoop => "no-busy-loop",
            Property::NothingInThePast => "nothing-in-the-past",
            Property::Completeness => "completeness",
            Property::Accuracy => "accuracy",
            Property::Refutation => "refutation",
            Property::Healing => "healing",
            Property::ConstantCost => "constant-cost",
        }
    }

    /// The guarantee of the design that it belongs to; `None`: it is one of good manners.
    pub fn guarantee(self) -> Option<u8> {
        match self {
            Property::OneDecider | Property::EpochsNeverRepeat => Some(1),
            Property::AgreedOrder
            | Property::NothingForgotten
            | Property::VerdictsAreFinal
            | Property::InstanceNeverGoesBack => Some(2),
            Property::NoBusyMinority => Some(3),
            Property::Completeness => Some(4),
            Property::Accuracy => Some(5),
            Property::NoSelfReport | Property::Refutation | Property::SelfRemoved => Some(6),
            Property::Healing => Some(7),
            Property::ConstantCost => Some(8),
            Property::EventsTellTheTable | Property::NoNewsTwice | Property::ReadsNeverGoBack => {
                Some(9)
            }
            Property::Closed => Some(10),
            Property::NoBusyLoop | Property::NothingInThePast => None,
        }
    }

    /// What it says, in a sentence.
    pub fn about(self) -> &'static str {
        match self {
            Property::OneDecider => {
                "At every instant at most one process decides, and an epoch has one coordinator."
            }
            Property::AgreedOrder => {
                "All hold the same views under the same numbers, which never go back."
            }
            Property::EpochsNeverRepeat => {
                "An epoch holds for an unbroken row of views, and later views have no older one."
            }
            Property::NothingForgotten => {
                "Whoever decides knows every view that anybody ever showed."
            }
            Property::VerdictsAreFinal => "A life that was dead or left is never up again.",
            Property::NoBusyMinority => {
                "Whoever decides had a way to a majority of its voters within the last lease."
            }
            Property::SelfRemoved => {
                "A live process tells that it was removed just when it learns that its life was."
            }
            Property::ReadsNeverGoBack => {
                "A confirmed view is no older than any that was shown before it was asked for."
            }
            Property::EventsTellTheTable => {
                "Who follows the events of a node knows at every step what its table says, and \
                 whether it decides."
            }
            Property::NoNewsTwice => "An event tells something that was not told before.",
            Property::InstanceNeverGoesBack => {
                "What is told of a member never returns to an older life or incarnation of it."
            }
            Property::NoSelfReport => {
                "No node tells of itself that it is suspect, unreachable or back."
            }
            Property::Closed => {
                "Who has no key of a cluster is told of to nobody there, and told of nobody there."
            }
            Property::NoBusyLoop => "No node wants to be woken over and over at one instant.",
            Property::NothingInThePast => {
                "No node wants to be woken in the past, and its events happen now."
            }
            Property::Completeness => {
                "A member that is gone is held for gone by all others in bounded time."
            }
            Property::Accuracy => {
                "One faulty observer convicts nobody: others tell no death of a member that is well."
            }
            Property::Refutation => {
                "A live member that is wrongly held unreachable is held alive again in bounded \
                 time after the faults end."
            }
            Property::Healing => {
                "All that are up agree on who is there in bounded time after the faults end."
            }
            Property::ConstantCost => {
                "A quiet member's packets and bytes stay within a budget that does not depend on \
                 the size of the cluster."
            }
        }
    }
}

impl fmt::Display for Property {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// A property that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub property: Property,
    /// When it was seen.
    pub at: Time,
    /// The name of the process at which it was seen; of the whole cluster: empty.
    pub process: String,
    /// What was seen.
    pub text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Violation {
            property,
            at,
            process,
            text,
        } = self;
        write!(formatter, "{property} does not hold at {at:?}")?;
        if !process.is_empty() {
            write!(formatter, " at {process}")?;
        }
        write!(formatter, ": {text}")
    }
}

/// Takes violations: the first is a panic, or the first so many are kept.
#[derive(Debug)]
pub(super) struct Findings {
    fail_fast: bool,
    every_step: bool,
    kept: Vec<Violation>,
}

/// Violations that a cluster keeps; what comes after the first ones mostly follows from them.
const VIOLATIONS_KEPT: usize = 1000;

impl Findings {
    pub(super) fn new(fail_fast: bool, every_step: bool) -> Findings {
        Findings {
            fail_fast,
            every_step,
            kept: Vec::new(),
        }
    }

    pub(super) fn fail_fast(&self) -> bool {
        self.fail_fast
    }

    /// Whether the invariants of a node are looked at each time that it was driven.
    pub(super) fn every_step(&self) -> bool {
        self.every_step
    }

    pub(super) fn kept(&self) -> &[Violation] {
        &self.kept
    }

    pub(super) fn push(&mut self, violation: Violation) {
        assert!(!self.fail_fast, "{violation}");
        if self.kept.len() < VIOLATIONS_KEPT {
            self.kept.push(violation);
        }
    }
}
