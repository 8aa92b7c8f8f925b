//! What the core costs, beside the crate `foca` doing the same work in the same run.
//!
//! Samples of the two take turns, so that whatever else the machine does meets both alike; neither
//! divan nor criterion can do that, hence the small runner here. Time and memory are measured by
//! two binaries, because counting allocations costs time. Inputs are real datagrams, made by other
//! nodes outside the measured part.

pub mod case;
pub mod crowd;
pub mod peer;
pub mod quiet;
pub mod rows;
pub mod sample;
pub mod script;
pub mod stream;
pub mod theirs;
