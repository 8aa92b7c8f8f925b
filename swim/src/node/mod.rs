//! The node: one member's whole protocol behind four kinds of method.

use std::net::SocketAddr;

use crate::members::{Instance, Name, Tags};

/// Who a node is. Fixed for its life, but for the instance, which can only grow.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The cluster; traffic of another one is refused.
    pub cluster: Name,
    /// Unique in the cluster.
    pub name: Name,
    /// Where others reach it: never an unspecified address or port 0.
    pub addr: SocketAddr,
    /// Its life: microseconds of Unix time at its start.
    pub instance: Instance,
    /// What it publishes from the start.
    pub tags: Tags,
}
