//! What is on the wire: fixed bytes, hostile bytes, the largest that can be.

mod golden;
mod hostile;
mod overlong;
mod samples;
mod sizes;

use std::net::SocketAddr;

use super::{
    ClusterId, Datagram, DropReason, Entry, Frame, FrameReader, Header, Message, Update, decode,
    encode_frame, encode_head, encode_update,
};
use crate::coordinator::{Change, Cut, VoterId, Voters};
use crate::limits;
use crate::members::{
    Apps, Incarnation, Instance, Name, NameRef, Record, RecordRef, Status, Tags, fullest_apps,
    some_apps,
};

/// A header as a member of the cluster `muster` sends it.
const HEADER: fn() -> Header<'static> = || Header {
    cluster: cluster(),
    from: "n1",
    instance: Instance(1_767_225_600_000_001),
    incarnation: Incarnation(7),
    digest: 0x0123_4567_89ab_cdef_u64.to_le_bytes(),
    outlook: samples::outlook(),
};

fn cluster() -> ClusterId {
    ClusterId::of(&name("muster"))
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a valid name")
}

fn address(text: &str) -> SocketAddr {
    text.parse().expect("a valid address")
}

fn datagram(header: &Header<'_>, message: &Message, updates: &[Update]) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_head(header, message, &mut bytes);
    for update in updates {
        encode_update(update, &mut bytes);
    }
    bytes
}

/// All frames of a stream that comes in one piece, and the error that ends it.
fn frames(bytes: &[u8]) -> (Vec<Frame>, Option<DropReason>) {
    let mut reader = FrameReader::default();
    reader.push(bytes);
    let mut frames = Vec::new();
    loop {
        match reader.next() {
            Ok(Some(frame)) => frames.push(owned_frame(frame)),
            Ok(None) => return (frames, None),
            Err(reason) => return (frames, Some(reason)),
        }
    }
}

/// An update that was heard, as one that could be said.
pub(crate) fn owned_update(update: &Update<RecordRef<'_>, NameRef<'_>>) -> Update {
    match update {
        Update::Record(record) => Update::Record(record.to_record()),
        Update::Claim {
            name,
            instance,
            incarnation,
            status,
            by,
            refused,
        } => Update::Claim {
            name: name.to_name(),
            instance: *instance,
            incarnation: *incarnation,
            status: *status,
            by: by.to_name(),
            refused: refused.iter().map(|name| name.to_name()).collect(),
        },
    }
}

pub(crate) fn owned_frame(frame: Frame<RecordRef<'_>>) -> Frame {
    match frame {
        Frame::Ping {
            cluster,
            target,
            seq,
        } => Frame::Ping {
            cluster,
            target,
            seq,
        },
        Frame::Ack {
            seq,
            digest,
            outlook,
        } => Frame::Ack {
            seq,
            digest,
            outlook,
        },
        Frame::Pull {
            cluster,
            record,
            buckets,
        } => Frame::Pull {
            cluster,
            record: record.to_record(),
            buckets,
        },
        Frame::State {
            from,
            buckets,
            members,
            last,
        } => {
            let owned = |entry: Entry<RecordRef<'_>>| Entry {
                record: entry.record.to_record(),
                status: entry.status,
                lost_for_s: entry.lost_for_s,
            };
            Frame::State {
                from,
                buckets,
                members: members.into_iter().map(owned).collect(),
                last,
            }
        }
        Frame::Refuse(refusal) => Frame::Refuse(refusal),
        Frame::Link {
            cluster,
            from,
            instance,
            target,
        } => Frame::Link {
            cluster,
            from,
            instance,
            target,
        },
        Frame::Linked => Frame::Linked,
        Frame::Unlink => Frame::Unlink,
        Frame::Keys {
            cluster,
            generation,
            keys,
        } => Frame::Keys {
            cluster,
            generation,
            keys,
        },
        Frame::KeysHeld(held) => Frame::KeysHeld(held),
        Frame::Catch {
            cluster,
            lineage,
            view,
        } => Frame::Catch {
            cluster,
            lineage,
            view,
        },
        Frame::Cuts {
            lineage,
            first,
            cuts,
        } => Frame::Cuts {
            lineage,
            first,
            cuts,
        },
        Frame::Roster {
            head,
            standings,
            removed,
            last,
        } => Frame::Roster {
            head,
            standings,
            removed,
            last,
        },
        Frame::Letter {
            cluster,
            from,
            tag,
            configuration,
            bytes,
        } => Frame::Letter {
            cluster,
            from,
            tag,
            configuration,
            bytes,
        },
    }
}

/// The updates of a datagram.
fn updates_of(datagram: &Datagram<'_>) -> Vec<Update> {
    datagram.updates.iter().map(owned_update).collect()
}

fn one_frame(bytes: &[u8]) -> Result<Frame, DropReason> {
    match frames(bytes) {
        (_, Some(reason)) => Err(reason),
        (mut frames, None) => frames.pop().ok_or(DropReason::Malformed),
    }
}

fn assert_record_within_limits(record: &Record) {
    assert!(record.name.as_str().len() <= limits::NAME_BYTES);
    assert!(super::is_reachable(record.addr), "{record:?}");
    let tags: Vec<_> = record.tags.iter().collect();
    assert!(tags.len() <= limits::TAGS);
    let bytes: usize = tags
        .iter()
        .map(|(key, value)| key.len() + value.len())
        .sum();
    assert!(bytes <= limits::TAGS_BYTES);
}

fn assert_voters_within_limits(voters: &Voters) {
    assert!((1..=limits::VOTERS).contains(&voters.voters.len()));
}

fn assert_cut_within_limits(cut: &Cut) {
    assert!(cut.changes.len() <= limits::CUT_CHANGES);
    cut.voters.iter().for_each(assert_voters_within_limits);
    for change in &cut.changes {
        match change {
            Change::Dead { evidence, .. } | Change::Degraded { evidence, .. } => {
                assert!(evidence.testimonies.len() <= limits::TESTIMONIES);
            }
            Change::Up { .. } | Change::Left { .. } | Change::Restored { .. } => {}
        }
    }
}

fn assert_frame_within_limits(frame: &Frame) {
    match frame {
        Frame::Ping { .. }
        | Frame::Ack { .. }
        | Frame::Refuse(_)
        | Frame::Catch { .. }
        | Frame::Link { .. }
        | Frame::Linked
        | Frame::Unlink
        | Frame::Keys { .. }
        | Frame::KeysHeld(_) => {}
        Frame::Cuts { cuts, .. } => {
            assert!(cuts.len() <= limits::CUTS);
            cuts.iter().for_each(|cut| assert_cut_within_limits(cut));
        }
        Frame::Roster {
            head,
            standings,
            removed,
            ..
        } => {
            assert_voters_within_limits(&head.voters);
            assert!(standings.len() <= limits::ROSTER_PART);
            assert!(removed.len() <= limits::ROSTER_PART);
        }
        Frame::Letter { bytes, .. } => assert!(bytes.len() <= limits::FRAME_LETTER_BYTES),
        Frame::Pull {
            record, buckets, ..
        } => {
            assert_record_within_limits(record);
            assert!(buckets.len() <= limits::DIGEST_BUCKETS);
        }
        Frame::State {
            buckets, members, ..
        } => {
            assert!(buckets.len() <= limits::DIGEST_BUCKETS);
            for member in members {
                assert_record_within_limits(&member.record);
            }
        }
    }
}

/// The tags that take most bytes: as many as there may be, and as long together.
fn fullest_tags() -> Tags {
    let each = limits::TAGS_BYTES / limits::TAGS;
    let tags = Tags::new((0..limits::TAGS).map(|n| (format!("{n:02}"), "v".repeat(each - 2))));
    tags.expect("tags at their limits are within them")
}

/// A member as a state frame tells it, lost for as long as a number holds.
fn entry(record: Record, status: Status) -> Entry {
    Entry {
        record,
        status,
        lost_for_s: u32::MAX,
    }
}

fn longest_name() -> Name {
    name(&"n".repeat(limits::NAME_BYTES))
}

/// The record that takes most bytes.
fn longest_record() -> Record {
    Record {
        name: longest_name(),
        addr: address("[2001:db8:ffff:ffff:ffff:ffff:ffff:ffff]:65535"),
        instance: Instance(u64::MAX),
        incarnation: Incarnation(u32::MAX),
        tags: fullest_tags(),
        voter: VoterId(u64::MAX),
        returns: u32::MAX,
        apps: fullest_apps(),
    }
}
