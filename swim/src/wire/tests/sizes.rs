//! The largest that can be: every bound in `limits` that one encoder promises another holds.

use std::sync::Arc;

use super::*;
use crate::coordinator::{CatchUp, Cut, History, Postmark, Roster, Signature, View, Voter};
use crate::members::{NameHash, Status};
use crate::time::Time;
use crate::wire::{Errand, LineageTag, Outlook, Refusal, RelayTarget};

fn longest_outlook() -> Outlook {
    Outlook {
        lineage: LineageTag::of(samples::lineage()),
        view: View(u64::MAX),
        quorum_age: u8::MAX,
    }
}

fn longest_head(message: &Message) -> usize {
    let from = longest_name();
    let header = Header {
        from: from.as_str(),
        instance: Instance(u64::MAX),
        incarnation: Incarnation(u32::MAX),
        digest: [255; 8],
        outlook: longest_outlook(),
        ..HEADER()
    };
    datagram(&header, message, &[]).len()
}

fn encoded(update: &Update) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_update(update, &mut bytes);
    bytes
}

fn longest_claim() -> Update {
    Update::Claim {
        name: longest_name(),
        instance: Instance(u64::MAX),
        incarnation: Incarnation(u32::MAX),
        status: Status::Left,
        by: longest_name(),
        refused: vec![longest_name(); limits::REFUSED],
    }
}

#[test]
fn the_longest_head_is_what_the_limit_says() {
    let target = RelayTarget {
        patience_ms: u16::MAX,
        addr: longest_record().addr,
        instance: Instance(u64::MAX),
        name: NameHash::of("n7"),
    };
    let request = longest_head(&Message::PingRequest {
        seq: u32::MAX,
        target,
    });
    assert_eq!(request, limits::DATAGRAM_HEAD_BYTES);
    for message in [
        Message::Ping {
            seq: u32::MAX,
            target: Instance(u64::MAX),
        },
        Message::Ack { seq: u32::MAX },
        Message::Nack { seq: u32::MAX },
        Message::Wrong { seq: u32::MAX },
        Message::Gossip,
        Message::Beat {
            seq: u32::MAX,
            target: Instance(u64::MAX),
            ring: u8::MAX,
        },
        Message::BeatAck {
            seq: u32::MAX,
            next_ms: u32::MAX,
        },
    ] {
        assert!(
            longest_head(&message) <= limits::DATAGRAM_HEAD_BYTES,
            "{message:?}"
        );
    }
}

/// A claim stands in for a record that is too long, so that a claim must always fit.
#[test]
fn the_longest_claim_fits_into_any_datagram_and_the_longest_record_does_not() {
    assert!(encoded(&longest_claim()).len() <= limits::UPDATE_BYTES);
    assert!(encoded(&Update::Record(longest_record())).len() > limits::UPDATE_BYTES);
}

#[test]
fn sealing_has_its_room() {
    assert_eq!(
        limits::DATAGRAM_HEAD_BYTES + limits::UPDATE_BYTES,
        limits::PLAIN_DATAGRAM_BYTES
    );
    assert_eq!(
        limits::PLAIN_DATAGRAM_BYTES + limits::SEAL_BYTES,
        limits::DATAGRAM_BYTES
    );
}

/// What a sender can fill a datagram with, a receiver must take.
#[test]
fn a_datagram_full_of_the_smallest_updates_is_accepted() {
    let smallest = Update::Claim {
        name: name("a"),
        instance: Instance(1),
        incarnation: Incarnation(0),
        status: Status::Suspect,
        by: name("b"),
        refused: Vec::new(),
    };
    let header = Header {
        from: "c",
        instance: Instance(1),
        outlook: Outlook::default(),
        ..HEADER()
    };
    let mut bytes = datagram(&header, &Message::Gossip, &[]);
    let update = encoded(&smallest);
    let mut count = 0;
    while bytes.len() + update.len() <= limits::PLAIN_DATAGRAM_BYTES {
        bytes.extend(&update);
        count += 1;
    }
    let decoded = decode(&bytes, cluster()).expect("a datagram of a peer");
    assert_eq!(decoded.updates.len(), count);
}

#[test]
fn the_largest_frames_keep_the_limits_of_their_kinds() {
    const HEAD: usize = 6;
    let cluster = longest_name();
    let buckets = vec![u64::MAX; limits::DIGEST_BUCKETS];
    let pull = Frame::Pull {
        cluster: cluster.clone(),
        record: longest_record(),
        buckets,
    };
    assert!(encode_frame(&pull).len() <= HEAD + limits::FRAME_PULL_BYTES);
    for frame in [
        Frame::<Record>::Ping {
            cluster,
            target: Instance(u64::MAX),
            seq: u32::MAX,
        },
        Frame::Ack {
            seq: u32::MAX,
            digest: u64::MAX,
            outlook: longest_outlook(),
        },
        Frame::Catch {
            cluster: longest_name(),
            lineage: Some(samples::longest_head().lineage),
            view: View(u64::MAX),
        },
        Frame::Refuse(Refusal::Instance),
    ] {
        assert!(
            encode_frame(&frame).len() <= HEAD + limits::FRAME_SMALL_BYTES,
            "{frame:?}"
        );
    }
}

/// A state frame is closed at its fill mark: the longest entry must still fit behind it.
#[test]
fn one_more_member_fits_behind_the_fill_mark_of_a_state_frame() {
    let member = entry(longest_record(), Status::Left);
    let entry = postcard::to_stdvec(&member).expect("it serializes").len();
    assert!(
        limits::FRAME_STATE_FILL + entry <= limits::FRAME_STATE_BYTES,
        "{entry} bytes"
    );
}

/// What voters and coordinators put into a datagram fits beside the longest name, and is taken.
#[test]
fn the_largest_letter_and_cut_of_a_datagram_fit() {
    for errand in [
        Errand::Letter {
            configuration: u32::MAX,
            postmark: Postmark {
                instance: Instance(u64::MAX),
                number: u64::MAX,
                by_stream: true,
            },
            bytes: vec![255; limits::DATAGRAM_LETTER_BYTES],
            signature: Signature::made_up(),
        },
        Errand::Cut {
            view: View(u64::MAX),
            cut: vec![255; limits::DATAGRAM_CUT_BYTES],
            signature: Signature::made_up(),
        },
        Errand::Report {
            seq: u32::MAX,
            subject: longest_name(),
            instance: Instance(u64::MAX),
            silence: crate::event::Silence::Replaced,
            health: limits::HEALTH,
        },
        Errand::Summon {
            subject: longest_name(),
            instance: Instance(u64::MAX),
            addr: Some(longest_record().addr),
        },
    ] {
        let message = Message::Errand(errand);
        let from = longest_name();
        let header = Header {
            from: from.as_str(),
            instance: Instance(u64::MAX),
            incarnation: Incarnation(u32::MAX),
            outlook: longest_outlook(),
            ..HEADER()
        };
        let bytes = datagram(&header, &message, &[]);
        assert!(
            bytes.len() <= limits::PLAIN_DATAGRAM_BYTES,
            "{} bytes",
            bytes.len()
        );
        let decoded = decode(&bytes, cluster()).expect("a datagram of a peer");
        assert_eq!(decoded.message, message);
    }
}

/// The head is repeated in every part; names are as long as they may be.
#[test]
fn the_largest_part_of_a_roster_keeps_its_limit() {
    let standings: Vec<_> = (0..limits::ROSTER_PART)
        .map(samples::longest_standing)
        .collect();
    let removed: Vec<_> = (0..limits::ROSTER_PART)
        .map(samples::longest_removal)
        .collect();
    let part = |standings, removed| Frame::Roster {
        head: Box::new(samples::longest_head()),
        standings,
        removed,
        last: true,
        signature: Some(Signature::made_up()),
    };
    for frame in [part(standings, Vec::new()), part(Vec::new(), removed)] {
        let bytes = encode_frame(&frame);
        assert!(bytes.len() <= 6 + limits::FRAME_STATE_BYTES);
        assert_eq!(one_frame(&bytes), Ok(frame));
    }
}

/// Whatever a member keeps of the cuts, it can tell all of it to one that is as far behind.
#[test]
fn all_cuts_that_are_kept_fit_into_one_frame() {
    let founder = Voter {
        name: name("n1"),
        id: VoterId(1),
    };
    let mut history = History::new(Roster::genesis(samples::lineage(), founder));
    // About as many bytes each as lets the most cuts of the most bytes be kept.
    let testimonies = [limits::TESTIMONIES, 0];
    let mut largest = 0;
    for at in 0..2 * limits::CUTS {
        let changes = testimonies.map(|count| samples::longest_change(at, count));
        let count = if at % 3 == 0 { 1 } else { 2 };
        let changes = changes.into_iter().cycle().take(count % 2 + 1).collect();
        let cut = Cut {
            changes,
            ..Cut::default()
        };
        let bytes = cut.encoded();
        history.apply((Arc::new(cut), Signature::made_up()), &bytes, Time::ZERO);
        let kept = (1..=limits::CUTS as u64).rev().find_map(|behind| {
            let view = View(history.view().0.checked_sub(behind)?);
            match history.catch_up(Some(samples::lineage()), view) {
                CatchUp::Cuts(cuts) => Some((view, cuts)),
                CatchUp::Nothing | CatchUp::Roster => None,
            }
        });
        let (view, cuts) = kept.expect("the last cuts are kept");
        let frame = Frame::Cuts {
            lineage: samples::lineage(),
            first: view.next(),
            cuts,
        };
        let bytes = encode_frame(&frame);
        assert!(bytes.len() <= 6 + limits::FRAME_CUTS_BYTES);
        largest = largest.max(bytes.len());
        if at % 64 == 0 {
            assert_eq!(one_frame(&bytes), Ok(frame));
        }
    }
    assert!(largest > limits::CUTS_BYTES - 8 * 1024, "{largest} bytes");
}
