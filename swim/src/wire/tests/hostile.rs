//! Damaged, foreign and random bytes: refused with a reason, never a panic.

use proptest::prelude::*;

use super::*;
use crate::members::{NameHash, Status};

fn is_stream(file: &str) -> bool {
    file.starts_with("frame")
}

#[test]
fn no_truncation_of_a_message_is_taken_for_it() {
    for (file, bytes) in golden::all() {
        for length in 0..bytes.len() {
            let cut = &bytes[..length];
            if is_stream(&file) {
                assert_eq!(
                    frames(cut),
                    (Vec::new(), None),
                    "{file}, {length} bytes: it waits"
                );
            } else if let Ok(decoded) = decode(cut, cluster()) {
                // Cut between two updates, what remains is a whole datagram.
                let whole = decode(&bytes, cluster()).expect("a golden datagram");
                assert_eq!(decoded.message, whole.message, "{file}, {length} bytes");
                assert!(
                    decoded.updates.len() < whole.updates.len(),
                    "{file}, {length} bytes"
                );
            }
        }
    }
}

#[test]
fn no_change_of_one_byte_panics_or_passes_a_limit() {
    for (file, bytes) in golden::all() {
        let mut bytes = bytes;
        for place in 0..bytes.len() {
            let kept = bytes[place];
            for change in 1..=255u8 {
                bytes[place] = kept ^ change;
                if is_stream(&file) {
                    accept_stream(&bytes);
                } else {
                    let _ = accept_datagram(&bytes, cluster());
                }
            }
            bytes[place] = kept;
        }
    }
}

#[test]
fn another_version_is_its_own_reason() {
    for version in (0..=255).filter(|version| *version != crate::wire::VERSION) {
        let mut bytes = datagram(&HEADER(), &Message::Gossip, &[]);
        bytes[0] = version;
        assert_eq!(decode(&bytes, cluster()), Err(DropReason::Version));
        let mut bytes = encode_frame(&samples::catch());
        bytes[4] = version;
        assert_eq!(one_frame(&bytes), Err(DropReason::Version));
    }
}

#[test]
fn another_cluster_is_its_own_reason() {
    let bytes = datagram(&HEADER(), &Message::Gossip, &[]);
    let other = ClusterId::of(&name("muster2"));
    assert_eq!(decode(&bytes, other), Err(DropReason::Cluster));
}

#[test]
fn an_empty_datagram_is_malformed() {
    assert_eq!(decode(&[], cluster()), Err(DropReason::Malformed));
}

#[test]
fn a_datagram_beyond_the_limit_is_too_long_whatever_it_holds() {
    let mut bytes = datagram(&HEADER(), &Message::Gossip, &[]);
    bytes.resize(limits::DATAGRAM_BYTES + 1, 0);
    assert_eq!(decode(&bytes, cluster()), Err(DropReason::TooLong));
    bytes.resize(limits::DATAGRAM_BYTES, 0);
    assert_ne!(decode(&bytes, cluster()), Err(DropReason::TooLong));
}

#[test]
fn an_unknown_kind_of_message_update_or_frame_is_malformed() {
    let head = datagram(&HEADER(), &Message::Gossip, &[]);
    let mut bytes = head.clone();
    *bytes.last_mut().expect("gossip is one byte") = 7;
    assert_eq!(decode(&bytes, cluster()), Err(DropReason::Malformed));
    let mut bytes = head;
    bytes.push(2);
    assert_eq!(decode(&bytes, cluster()), Err(DropReason::Malformed));
    for kind in (0..=255).filter(|kind| !(1..=12).contains(kind)) {
        let head = [0, 0, 0, 0, crate::wire::VERSION, kind];
        assert_eq!(one_frame(&head), Err(DropReason::Malformed), "kind {kind}");
    }
}

#[test]
fn an_address_nobody_can_listen_at_is_malformed() {
    for text in [
        "0.0.0.0:7946",
        "192.0.2.1:0",
        "224.0.0.1:7946",
        "[::]:7946",
        "[ff02::1]:7946",
    ] {
        let record = Record {
            addr: address(text),
            ..longest_record()
        };
        let record = Record {
            tags: Tags::default(),
            ..record
        };
        let bytes = datagram(
            &HEADER(),
            &Message::Gossip,
            &[Update::Record(record.clone())],
        );
        assert_eq!(
            decode(&bytes, cluster()),
            Err(DropReason::Malformed),
            "record at {text}"
        );
        let target = crate::wire::RelayTarget {
            patience_ms: 1,
            addr: record.addr,
            instance: record.instance,
            name: NameHash::of(record.name.as_str()),
        };
        let bytes = datagram(&HEADER(), &Message::PingRequest { seq: 1, target }, &[]);
        assert_eq!(
            decode(&bytes, cluster()),
            Err(DropReason::Malformed),
            "relay to {text}"
        );
        let pull = Frame::Pull {
            cluster: name("c"),
            record: record.clone(),
            buckets: vec![0],
        };
        assert_eq!(
            one_frame(&encode_frame(&pull)),
            Err(DropReason::Malformed),
            "pull by {text}"
        );
        let members = vec![entry(record, Status::Alive)];
        let state = Frame::State {
            from: name("n"),
            buckets: vec![],
            members,
            last: true,
        };
        assert_eq!(
            one_frame(&encode_frame(&state)),
            Err(DropReason::Malformed),
            "state {text}"
        );
    }
}

/// Bytes as another implementation would write them: limits are the reader's own business.
#[test]
fn names_and_tags_beyond_their_limits_are_malformed() {
    type Tag = (String, String);
    #[derive(serde::Serialize)]
    struct Foreign<'a> {
        kind: u8,
        name: &'a str,
        addr: SocketAddr,
        instance: u64,
        incarnation: u32,
        tags: std::collections::BTreeMap<String, String>,
        voter: u64,
        returns: u32,
        apps: Apps,
    }
    let decoded = |name: &str, tags: Vec<Tag>| {
        let addr = address("192.0.2.1:1");
        let tags = tags.into_iter().collect();
        let foreign = Foreign {
            kind: 0,
            name,
            addr,
            instance: 1,
            incarnation: 0,
            tags,
            voter: 0,
            returns: 0,
            apps: Apps::default(),
        };
        let mut bytes = datagram(&HEADER(), &Message::Gossip, &[]);
        bytes.extend(postcard::to_stdvec(&foreign).expect("it serializes"));
        if bytes.len() > limits::DATAGRAM_BYTES {
            Ok(0)
        } else {
            decode(&bytes, cluster()).map(|d| d.updates.len())
        }
    };
    let tag = |key: usize, value: usize| ("k".repeat(key), "v".repeat(value));
    let many = |count: usize| (0..count).map(|n| (n.to_string(), String::new())).collect();
    let refused = Err(DropReason::Malformed);
    assert_eq!(decoded("a", vec![tag(1, 1)]), Ok(1));
    assert_eq!(decoded(&"a".repeat(limits::NAME_BYTES), vec![]), Ok(1));
    assert_eq!(
        decoded(&"a".repeat(limits::NAME_BYTES + 1), vec![]),
        refused
    );
    assert_eq!(decoded("", vec![]), refused);
    assert_eq!(decoded("a\n", vec![]), refused);
    assert_eq!(decoded("a", vec![tag(limits::TAG_KEY_BYTES, 1)]), Ok(1));
    assert_eq!(
        decoded("a", vec![tag(limits::TAG_KEY_BYTES + 1, 1)]),
        refused
    );
    assert_eq!(decoded("a", vec![tag(0, 1)]), refused);
    assert_eq!(decoded("a", vec![tag(1, limits::TAGS_BYTES - 1)]), Ok(1));
    assert_eq!(decoded("a", vec![tag(1, limits::TAGS_BYTES)]), refused);
    assert_eq!(
        decoded("a", vec![("k".to_owned(), "\u{7}".to_owned())]),
        refused
    );
    assert_eq!(decoded("a", many(limits::TAGS)), Ok(1));
    assert_eq!(decoded("a", many(limits::TAGS + 1)), refused);
}

#[test]
fn digests_in_other_numbers_than_a_power_of_two_are_malformed() {
    let pull = |count: usize| {
        let record = Record {
            tags: Tags::default(),
            ..longest_record()
        };
        let buckets = vec![1; count];
        one_frame(&encode_frame(&Frame::Pull {
            cluster: name("c"),
            record,
            buckets,
        }))
        .is_ok()
    };
    let accepted: Vec<usize> = (0..=300).filter(|count| pull(*count)).collect();
    assert_eq!(accepted, [1, 2, 4, 8, 16, 32, 64, 128, 256]);
}

/// The smallest frame claims a body of any length: refused by its head alone.
#[test]
fn a_frame_longer_than_its_kind_is_refused_before_its_body() {
    let (small, pull, state) = (
        limits::FRAME_SMALL_BYTES,
        limits::FRAME_PULL_BYTES,
        limits::FRAME_STATE_BYTES,
    );
    let (cuts, letter) = (limits::FRAME_CUTS_BYTES, limits::FRAME_LETTER_BYTES);
    let limits = [small, small, pull, state, small, small, cuts, state, letter];
    for (kind, limit) in (1..).zip(limits) {
        for length in [limit + 1, u32::MAX as usize] {
            let mut head = (length as u32).to_le_bytes().to_vec();
            head.extend([crate::wire::VERSION, kind]);
            assert_eq!(
                frames(&head),
                (vec![], Some(DropReason::TooLong)),
                "kind {kind}"
            );
        }
        let mut head = (limit as u32).to_le_bytes().to_vec();
        head.extend([crate::wire::VERSION, kind]);
        assert_eq!(
            frames(&head),
            (vec![], None),
            "kind {kind}: the longest is waited for"
        );
    }
}

#[test]
fn a_reader_holds_no_more_than_a_frame_and_one_read() {
    const READ: usize = 64 * 1024;
    let most = limits::FRAME_STATE_BYTES + 6 + READ;
    let member = entry(longest_record(), Status::Alive);
    let members = vec![member; limits::FRAME_STATE_FILL / 1900];
    let state = Frame::State {
        from: longest_name(),
        buckets: vec![],
        members,
        last: false,
    };
    let stream = encode_frame(&state).repeat(20);
    let mut reader = FrameReader::default();
    let (mut read, mut largest) = (0, 0);
    for chunk in stream.chunks(READ) {
        reader.push(chunk);
        largest = largest.max(reader.held());
        while let Some(frame) = reader.next().expect("our own frames") {
            assert_eq!(owned_frame(frame), state);
            read += 1;
        }
    }
    assert_eq!(read, 20);
    assert!(largest <= most, "{largest} bytes");
}

proptest! {
    #[test]
    fn random_bytes_are_no_datagram_beyond_limits(
        bytes in prop::collection::vec(any::<u8>(), 0..1300),
    ) {
        let _ = accept_datagram(&bytes, cluster());
    }

    /// Behind a good header most random bytes reach the decoding of messages and updates.
    #[test]
    fn random_updates_behind_a_header_stay_within_limits(
        bytes in prop::collection::vec(any::<u8>(), 0..400),
        gossip in any::<bool>(),
    ) {
        let header = Header { from: "n", ..HEADER() };
        let mut whole = datagram(&header, &Message::Gossip, &[]);
        if !gossip {
            whole.pop();
        }
        whole.extend(bytes);
        let _ = accept_datagram(&whole, cluster());
    }

    #[test]
    fn random_bodies_of_every_kind_of_frame_stay_within_limits(
        kind in 0u8..15,
        body in prop::collection::vec(any::<u8>(), 0..600),
    ) {
        let mut bytes = (body.len() as u32).to_le_bytes().to_vec();
        bytes.extend([crate::wire::VERSION, kind]);
        bytes.extend(body);
        accept_stream(&bytes);
    }

    /// However the network cuts a stream, its frames are the same.
    #[test]
    fn a_stream_cut_anyhow_gives_the_same_frames(
        order in prop::collection::vec(any::<prop::sample::Index>(), 1..12),
        cuts in prop::collection::vec(1usize..60, 1..200),
    ) {
        let all: Vec<Vec<u8>> =
            golden::all().into_iter().filter(|(f, _)| is_stream(f)).map(|(_, b)| b).collect();
        let stream: Vec<u8> = order.iter().flat_map(|index| index.get(&all).clone()).collect();
        let mut reader = FrameReader::default();
        let (mut rest, mut read) = (&stream[..], Vec::new());
        for cut in cuts.iter().cycle() {
            let (chunk, later) = rest.split_at((*cut).min(rest.len()));
            reader.push(chunk);
            while let Some(frame) = reader.next().expect("golden frames") {
                read.push(owned_frame(frame));
            }
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!((read, None), frames(&stream));
    }
}
