//! Whole clusters in virtual time. Each file is a theme, each test a behaviour.
//!
//! `MUSTER_SIM_SEED=7` runs one seed only (`7..900` many), `MUSTER_SIM_TRACE=1000` prints the last
//! lines of the trace of a test that fails.

#![allow(clippy::disallowed_macros, reason = "tests print what they measure")]

mod apps;
mod cost;
mod crashes;
mod decided;
mod gossip;
mod joining;
mod keys;
mod lateness;
mod leaving;
mod links;
mod memories;
mod names;
mod partitions;
mod replay;
mod sealed;
mod support;
mod swarm;
mod verdicts;
mod world;
