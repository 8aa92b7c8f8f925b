//! The messages. The order of variants and fields is the wire format: append, never reorder.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::errand::Errand;
use crate::bounded::at_most;
use crate::coordinator::{Lineage, View};
use crate::limits;
use crate::members::{
    Incarnation, Instance, Name, NameHash, NameRef, Rank, Record, RecordRef, Status,
};

/// The cluster's name on a datagram: its hash, so that a long name costs nothing. Streams carry
/// the name itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ClusterId([u8; 8]);

impl ClusterId {
    pub(crate) fn of(cluster: &Name) -> ClusterId {
        ClusterId(xxh3_64(cluster.as_str().as_bytes()).to_le_bytes())
    }
}

/// Who sends, and the digest of the sender's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Header<'a> {
    pub(crate) cluster: ClusterId,
    pub(crate) from: &'a str,
    pub(crate) instance: Instance,
    pub(crate) incarnation: Incarnation,
    /// Fixed width: a hash as a varint would take ten bytes.
    pub(crate) digest: [u8; 8],
    pub(crate) outlook: Outlook,
}

/// What the sender knows of the agreed views. The epoch follows from the view, in which it was
/// committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Outlook {
    pub(crate) lineage: LineageTag,
    pub(crate) view: View,
    /// How long ago the quorum was last known to be held, in steps of
    /// [`limits::QUORUM_AGE_STEP`], rounded up; 255: too long.
    pub(crate) quorum_age: u8,
}

impl Default for Outlook {
    /// Of one that is in no history.
    fn default() -> Outlook {
        Outlook {
            lineage: LineageTag::default(),
            view: View(0),
            quorum_age: u8::MAX,
        }
    }
}

/// A lineage on a datagram: a short hash of it, zeros while there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LineageTag([u8; 4]);

impl LineageTag {
    /// Of a member that is in no history.
    pub(crate) const NONE: LineageTag = LineageTag([0; 4]);

    pub(crate) fn of(lineage: Lineage) -> LineageTag {
        let mut bytes = [0; 12];
        bytes[..8].copy_from_slice(&lineage.family.to_le_bytes());
        bytes[8..].copy_from_slice(&lineage.generation.to_le_bytes());
        let [a, b, c, d, ..] = xxh3_64(&bytes).to_le_bytes();
        // Never the tag of none.
        LineageTag([a | 1, b, c, d])
    }

    pub(crate) fn is_none(self) -> bool {
        self == LineageTag::NONE
    }
}

/// What a datagram is for. Any of them may carry updates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Message {
    /// "Are you there?", to one life of a member.
    Ping { seq: u32, target: Instance },
    /// "I am", to the sender of the ping, or from a relay for the target.
    Ack { seq: u32 },
    /// From a relay: "I am here, but your target did not answer me."
    Nack { seq: u32 },
    /// "Ping this one for me."
    PingRequest { seq: u32, target: RelayTarget },
    /// Updates only.
    Gossip,
    /// "The life that you pinged is not here; I am."
    Wrong { seq: u32 },
    /// Something between members and their coordinator.
    Errand(Errand),
    /// The ping of a period, from the predecessor on a ring to its successor.
    Beat {
        seq: u32,
        target: Instance,
        ring: u8,
    },
    /// "I am", and when the next beat is best sent.
    BeatAck { seq: u32, next_ms: u32 },
}

/// Whom a relay is to ping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RelayTarget {
    /// How long the asker waits, in milliseconds.
    pub(crate) patience_ms: u16,
    pub(crate) addr: SocketAddr,
    pub(crate) instance: Instance,
    /// For whom the relay is to seal the ping.
    pub(crate) name: NameHash,
}

/// Something about a member, passed on from node to node. Said with what the sender holds, heard
/// with what stands in the datagram.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Update<R = Record, N = Name> {
    /// The member is alive, and says this of itself.
    Record(R),
    /// Somebody holds this of a record that others are known to have.
    Claim {
        name: N,
        instance: Instance,
        incarnation: Incarnation,
        status: Status,
        /// Who says so.
        by: N,
        /// To whom the host itself said that the process is gone.
        #[serde(deserialize_with = "at_most::<{ limits::REFUSED }, _, _>")]
        refused: Vec<N>,
    },
}

/// A member as it stands in the sender's table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry<R = Record> {
    pub(crate) record: R,
    pub(crate) status: Status,
    /// How long it has been lost, in seconds: all forget it at about the same time, also those that
    /// hear of it later. Zero for others.
    pub(crate) lost_for_s: u32,
}

impl<'a> Update<RecordRef<'a>, NameRef<'a>> {
    /// The member it is about.
    pub(crate) fn subject(&self) -> &'a str {
        match self {
            Update::Record(record) => record.name.as_str(),
            Update::Claim { name, .. } => name.as_str(),
        }
    }
}

impl Entry<RecordRef<'_>> {
    pub(crate) fn rank(&self) -> Rank {
        Rank::new(self.record.instance, self.record.incarnation, self.status)
    }
}

/// Why a stream is refused, in words that the other side can act on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Refusal {
    /// Not this cluster.
    Cluster,
    /// The table is full.
    Full,
    /// The life that was asked for is not here.
    Instance,
}
