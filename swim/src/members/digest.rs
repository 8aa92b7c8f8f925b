//! Digests of the table: equal tables have equal digests, and unequal ones tell where they differ.

use std::net::SocketAddr;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::{Name, Rank, Statement, Status};
use crate::limits::DIGEST_BUCKETS;

/// Sum (exclusive or) of the hashes of what is held of each member, kept by bucket of the name.
///
/// Suspicion is left out: it is meant to differ for a while, and ends by itself. The departed are
/// left out, so that tables stay equal while each forgets them at its own time.
#[derive(Clone, Debug)]
pub(crate) struct Digest {
    buckets: Vec<u64>,
    total: u64,
}

impl Digest {
    pub(crate) fn new() -> Digest {
        Digest {
            buckets: vec![0; DIGEST_BUCKETS],
            total: 0,
        }
    }

    /// Adds what is held of a member, or takes it out when it was in.
    pub(crate) fn toggle(&mut self, statement: &Statement) {
        if statement.status == Status::Left {
            return;
        }
        let name = &statement.record.name;
        let hash = entry_hash(name, statement.rank(), statement.record.addr);
        self.buckets[bucket(name, DIGEST_BUCKETS)] ^= hash;
        self.total ^= hash;
    }

    /// The digest of the whole table.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// The digests of `count` buckets, a power of two not above [`DIGEST_BUCKETS`].
    pub(crate) fn fold(&self, count: usize) -> Vec<u64> {
        debug_assert!(count.is_power_of_two() && count <= DIGEST_BUCKETS);
        let each = DIGEST_BUCKETS / count;
        self.buckets
            .chunks(each)
            .map(|chunk| chunk.iter().fold(0, |sum, hash| sum ^ hash))
            .collect()
    }
}

/// How many buckets a table of `members` is compared in: about four members each.
pub(crate) fn bucket_count(members: usize) -> usize {
    (members / 4).next_power_of_two().clamp(1, DIGEST_BUCKETS)
}

/// The bucket of a name when there are `count`, a power of two.
pub(crate) fn bucket(name: &Name, count: usize) -> usize {
    let hash = xxh3_64_with_seed(name.as_str().as_bytes(), SEED_BUCKET);
    // The top bits, so that halving the count joins neighbours.
    ((hash >> 32) as usize * count) >> 32
}

/// The address is in it for two that began at one instant: nothing else tells them apart.
fn entry_hash(name: &Name, rank: Rank, addr: SocketAddr) -> u64 {
    let ip = match addr {
        SocketAddr::V4(addr) => addr.ip().to_ipv6_mapped(),
        SocketAddr::V6(addr) => *addr.ip(),
    };
    let mut bytes = [0; 31];
    bytes[..8].copy_from_slice(&rank.instance.0.to_le_bytes());
    bytes[8..12].copy_from_slice(&rank.incarnation.0.to_le_bytes());
    bytes[12] = u8::from(rank.status == Status::Unreachable);
    bytes[13..29].copy_from_slice(&ip.octets());
    bytes[29..].copy_from_slice(&addr.port().to_le_bytes());
    let of_name = xxh3_64_with_seed(name.as_str().as_bytes(), SEED_ENTRY);
    xxh3_64_with_seed(&bytes, of_name)
}

// Any fixed numbers apart from the ring numbers; part of the wire format.
const SEED_BUCKET: u64 = 0x6275_636b;
const SEED_ENTRY: u64 = 0x656e_7472;
