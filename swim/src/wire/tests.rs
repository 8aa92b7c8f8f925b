//! What is on the wire: fixed bytes, hostile bytes, the largest that can be.

mod golden;
mod hostile;
mod overlong;
mod samples;
mod sizes;

use std::net::SocketAddr;

use super::accepted::{accept_datagram, accept_stream, datagram, frames, owned_frame, updates_of};
use super::{
    ClusterId, DropReason, Entry, Frame, FrameReader, Header, Message, Update, decode,
    encode_frame, encode_update,
};
use crate::coordinator::{Change, Cut, VoterId, Voters};
use crate::limits;
use crate::members::{
    Apps, Incarnation, Instance, Name, Record, Status, Tags, fullest_apps, some_apps,
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

fn one_frame(bytes: &[u8]) -> Result<Frame, DropReason> {
    match frames(bytes) {
        (_, Some(reason)) => Err(reason),
        (mut frames, None) => frames.pop().ok_or(DropReason::Malformed),
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
