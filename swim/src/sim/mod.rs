//! A whole cluster on one thread: virtual time, a virtual network, and faults, all from one seed.
//!
//! The simulator drives the same few calls of [`Node`](crate::Node) as the sidecar does and is
//! sans-IO like it. All randomness comes from one generator and events at one instant come in the
//! order in which they were planned, so a seed replays byte for byte: see [`Cluster::trace_hash`].
//!
//! A packet takes this way: a node's `poll_transmit` -> [`Network`] decides its fate -> the agenda
//! holds it until it arrives -> `handle_datagram` of the process that then has the address.

mod agenda;
pub mod checks;
mod clock;
mod cluster;
mod dice;
mod disks;
mod drive;
pub mod experiments;
mod gate;
mod lateness;
mod network;
mod process;
pub mod scenario;
mod streams;
mod trace;

#[cfg(test)]
mod tests;

pub use checks::{Property, Violation};
pub use cluster::{ClockJump, Cluster, Options};
pub use dice::Dice;
pub use disks::Keeping;
pub use network::{Bandwidth, Burst, FaultError, Faults, Latency, Network, Quantiles};
pub use process::{Condition, Launch, Pid, Traffic};
