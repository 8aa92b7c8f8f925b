//! One node among puppets, and a few nodes wired together by hand; larger clusters live in `sim`.

mod agreed;
mod apps;
mod beating;
mod contacts;
mod driven;
mod forgetting;
mod hearing;
mod hearsay;
mod hostile;
mod joining;
mod leaving;
mod letters;
mod limits;
mod links;
mod monkey;
mod namesake;
mod probing;
mod puppets;
mod sealed;
mod signed;
mod streams;
mod suspecting;
mod syncing;
mod thrift;

use std::time::Duration;

use crate::members::{Incarnation, Instance, Name, Status, Tags};
use crate::wire::Update;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a valid name")
}

fn claim(of: &str, instance: u64, incarnation: u32, status: Status, by: &str) -> Update {
    Update::Claim {
        name: name(of),
        instance: Instance(instance),
        incarnation: Incarnation(incarnation),
        status,
        by: name(by),
        refused: Vec::new(),
    }
}

/// As many and as long tags as a member may have: their record fits into no datagram.
fn fullest_tags() -> Tags {
    let each = crate::limits::TAGS_BYTES / crate::limits::TAGS;
    let value = "v".repeat(each - 2);
    let tags = Tags::new((0..crate::limits::TAGS).map(|n| (format!("{n:02}"), &value)));
    tags.expect("tags at their limits are within them")
}
