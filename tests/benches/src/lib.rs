//! What the core costs, beside the crate `foca` doing the same work in the same run.
//!
//! Samples of the two take turns, so that whatever else the machine does meets both alike; no
//! benchmark framework does that, hence the small runner here. Time and memory are measured by two
//! binaries, because counting allocations costs time. Inputs are real datagrams, made by other
//! members outside the measured part.

pub mod case;
pub mod crowd;
pub mod getters;
pub mod join;
pub mod ours;
pub mod pair;
pub mod rows;
pub mod theirs;
