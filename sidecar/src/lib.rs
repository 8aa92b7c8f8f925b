//! The sidecar `muster`: the protocol of `muster_swim` on real sockets, a local API, a command
//! line.
//!
//! This is the only crate that touches sockets, files and the clock. It decides nothing about
//! members: that is the core's.

pub mod agent;
pub mod api;
pub mod cli;
#[cfg(feature = "fuzz")]
pub mod fuzz;
pub mod log;
pub mod settings;
