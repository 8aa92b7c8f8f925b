//! What is on the wire: fixed bytes, hostile bytes, the largest that can be.

mod golden;
mod hostile;
mod sizes;

use std::net::SocketAddr;

use super::{
    ClusterId, DropReason, Entry, Frame, FrameReader, Header, Message, Update, decode,
    encode_frame, encode_head, encode_update,
};
use crate::limits;
use crate::members::{Incarnation, Instance, Name, Record, Statement, Status, Tags};

/// A header as a member of the cluster `muster` sends it.
const HEADER: fn() -> Header<'static> = || Header {
    cluster: cluster(),
    from: "n1",
    instance: Instance(1_767_225_600_000_001),
    incarnation: Incarnation(7),
    digest: 0x0123_4567_89ab_cdef_u64.to_le_bytes(),
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
        bytes.extend(encode_update(update));
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
            Ok(Some(frame)) => frames.push(frame),
            Ok(None) => return (frames, None),
            Err(reason) => return (frames, Some(reason)),
        }
    }
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

fn assert_frame_within_limits(frame: &Frame) {
    match frame {
        Frame::Ping { .. } | Frame::Ack { .. } | Frame::Refuse(_) => {}
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
                assert_record_within_limits(&member.statement.record);
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
    let statement = Statement { record, status };
    Entry {
        statement,
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
    }
}
