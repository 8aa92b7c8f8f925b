//! Letters of voters that come by stream: large ones from voters only, and few at a time.

use super::agreed::{LINEAGE, voting};
use super::driven::Driven;
use super::name;
use super::puppets::puppet;
use crate::coordinator::{Postmark, Said, key_of};
use crate::limits;
use crate::members::Instance;
use crate::node::{Action, StreamEnd, StreamId};
use crate::wire::{Frame, LineageTag, encode_frame};

const POSTMARK: Postmark = Postmark {
    instance: Instance(2000),
    number: 1,
    by_stream: true,
};

/// The frame of a letter of this length, which says nothing that a voter would.
fn letter(from: &str, configuration: u32, bytes: usize) -> Vec<u8> {
    let frame: Frame = Frame::Letter {
        cluster: name("test"),
        from: name(from),
        tag: LineageTag::of(LINEAGE),
        signature: key_of(from).sign(&Said::letter(
            LINEAGE,
            configuration,
            key_of("me").id(),
            POSTMARK,
            &vec![0xff; bytes],
        )),
        configuration,
        postmark: POSTMARK,
        bytes: vec![0xff; bytes],
    };
    encode_frame(&frame).into_plain()
}

impl Driven {
    /// Somebody opens a stream and sends this. Whether it is still open.
    fn receives(&mut self, bytes: &[u8]) -> (StreamId, bool) {
        let stream = self.accept();
        self.call(|node, now| node.handle_stream_data(stream, bytes, now));
        let closed =
            |action: Action| matches!(action, Action::Close { stream: of } if of == stream);
        let open = !self.actions().into_iter().any(closed);
        (stream, open)
    }
}

#[test]
fn only_voters_letters_may_be_large() {
    let (a, b, stranger) = (puppet("a", 11), puppet("b", 12), puppet("c", 13));
    let mut node = voting(&[&a, &b]);
    node.meet(&[&stranger]);
    let most = limits::LETTER_BYTES;
    let begun = |frame: &[u8]| frame[..1000].to_vec();
    assert!(node.receives(&begun(&letter("a", 3, most))).1);
    for wrong in [
        letter("c", 3, most),
        letter("me", 3, most),
        letter("a", 2, most),
    ] {
        let before = node.node.stats().dropped.unexpected;
        assert!(!node.receives(&begun(&wrong)).1);
        assert_eq!(node.node.stats().dropped.unexpected, before + 1);
    }
    // What nobody who opens a stream may send is not waited for either.
    let roster = letter("a", 3, most);
    for kind in [2, 4, 7, 8] {
        let mut begun = begun(&roster);
        begun[..4].copy_from_slice(&60_000u32.to_le_bytes());
        begun[5] = kind;
        let length = if kind == 2 { 900u32 } else { 60_000 };
        begun[..4].copy_from_slice(&length.to_le_bytes());
        begun.truncate(600);
        assert!(!node.receives(&begun).1, "kind {kind}");
    }
    // A whole one is read, and found to be no letter.
    let malformed = node.node.stats().dropped.malformed;
    assert!(
        !node.receives(&letter("b", 3, most)).1,
        "it was the only one"
    );
    assert_eq!(node.node.stats().dropped.malformed, malformed + 1);
}

#[test]
fn letters_under_way_are_held_of_a_few_at_a_time() {
    let (a, b) = (puppet("a", 11), puppet("b", 12));
    let mut node = voting(&[&a, &b]);
    let part = 64 * 1024;
    let mut open = Vec::new();
    for count in 0..200 {
        let from = if count % 2 == 0 { "a" } else { "b" };
        let frame = letter(from, 3, limits::LETTER_BYTES);
        let (stream, stays) = node.receives(&frame[..part]);
        assert!(stays, "the newest is let in");
        open.push(stream);
    }
    let held: usize = node.node.streams.held();
    let most = 2 * limits::LETTERS_OF_ONE * part;
    assert!(held <= most, "{held} of {most}");
    let alive = open.iter().rev().take(2 * limits::LETTERS_OF_ONE);
    for stream in alive {
        assert!(node.node.streams.purpose_mut(*stream).is_some());
    }
    let busy = node.node.stats().dropped.busy;
    assert_eq!(busy, 200 - 2 * limits::LETTERS_OF_ONE as u64);
    // One that is whole makes room.
    let last = open[199];
    node.call(|node, now| node.handle_stream_closed(last, StreamEnd::Closed, now));
    let frame = letter("b", 3, limits::LETTER_BYTES);
    node.receives(&frame[..part]);
    assert_eq!(node.node.stats().dropped.busy, busy);
}

#[test]
fn a_letter_whose_sender_is_not_told_yet_is_waited_for() {
    let (a, b) = (puppet("a", 11), puppet("b", 12));
    let mut node = voting(&[&a, &b]);
    let frame = letter("a", 3, limits::LETTER_BYTES);
    let (stream, _) = node.receives(&frame[..7]);
    for at in 7..40 {
        let byte = &frame[at..=at];
        node.call(|node, now| node.handle_stream_data(stream, byte, now));
        assert!(node.node.streams.purpose_mut(stream).is_some());
    }
    let endless = letter("x", 3, limits::LETTER_BYTES);
    let mut garbage = endless[..6].to_vec();
    garbage.resize(600, 0xff);
    assert!(!node.receives(&garbage).1, "it never names anybody");
}
