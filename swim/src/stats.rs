//! Counters of a node.

/// Counters since the node was made; they only grow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Datagrams accepted.
    pub datagrams_received: u64,
    /// Datagrams handed to the caller.
    pub datagrams_sent: u64,
    /// Bytes of the datagrams accepted, without IP and UDP headers.
    pub bytes_received: u64,
    /// Bytes of the datagrams handed out.
    pub bytes_sent: u64,
    /// Streams opened by this node.
    pub streams_opened: u64,
    /// Streams accepted from others.
    pub streams_accepted: u64,
    /// Links that stood and ended without a word.
    pub links_broken: u64,
    /// Times a host said that nobody listens where a member should.
    pub refusals: u64,
    /// Probe rounds that ended with an answer.
    pub probes_answered: u64,
    /// Probe rounds that ended without one.
    pub probes_failed: u64,
    /// Probe rounds that count for nothing because this node ran late.
    pub probes_void: u64,
    /// Suspicions about this node that it refuted.
    pub refutations: u64,
    /// Times this node's own timers ran late.
    pub late: u64,
    /// Tables compared with another member.
    pub pulls: u64,
    /// What was dropped, by reason.
    pub dropped: Dropped,
}

/// Input that was dropped, and work that was refused because a maximum was reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Not a datagram or frame of ours.
    pub malformed: u64,
    /// Another protocol version.
    pub version: u64,
    /// Another cluster.
    pub cluster: u64,
    /// Longer than its limit.
    pub too_long: u64,
    /// A frame that does not belong there.
    pub unexpected: u64,
    /// A member beyond the table's maximum.
    pub members: u64,
    /// A stream, probe, relay or datagram beyond its maximum.
    pub busy: u64,
    /// From an instance that a newer one replaced.
    pub stale: u64,
    /// Not sealed, where all must be.
    pub unsealed: u64,
    /// Sealed with a key that this node does not have.
    pub key: u64,
    /// Sealed, and does not open: damaged, forged, for another member, or of another cluster with
    /// the same key. Or what only a voter can say, without its signature.
    pub forged: u64,
    /// Sealed, and heard before, or of a former life of its sender.
    pub replayed: u64,
    /// Asked more often than one peer may.
    pub rate: u64,
    /// A member beyond those that may be at one address.
    pub crowded: u64,
    /// An instance, incarnation or view that no member gets to.
    pub absurd: u64,
}
