//! Streams: what does not belong, what is damaged, what makes no progress.

use super::driven::Driven;
use super::puppets::{puppet, stream_ack};
use super::syncing::{held, pulling, settled_among, state};
use super::{ms, name};
use crate::limits;
use crate::members::{Instance, Status};
use crate::wire::{Frame, Refusal};

#[test]
fn frames_that_do_not_belong_end_their_stream() {
    let members = || vec![held(puppet("stranger", 77).record(), Status::Alive)];
    let wrong_on_serve = [
        stream_ack(1, 0),
        Frame::Refuse(Refusal::Full),
        state("p0", vec![], members()),
    ];
    for frame in wrong_on_serve {
        let (mut node, _) = settled_among(1);
        let stream = node.accept();
        node.read(stream, &frame);
        assert_eq!(node.frames(stream), (vec![], true), "{frame:?}");
        assert_eq!(node.node.stats().dropped.unexpected, 1);
        assert_eq!(node.state("stranger"), "none");
    }
    let (mut node, puppets) = settled_among(1);
    let (stream, _) = pulling(&mut node, &puppets[0]);
    node.read(stream, &stream_ack(1, 0));
    assert_eq!(node.frames(stream), (vec![], true));
}

#[test]
fn damaged_frames_end_their_stream_and_are_counted() {
    let heads: [(&[u8], [u64; 3]); 3] = [
        (&[0, 0, 0, 0, 9, 2], [0, 1, 0]),
        (&[0, 0, 0, 0, 1, 99], [1, 0, 0]),
        (&[255, 255, 255, 0, 1, 2], [0, 0, 1]),
    ];
    for (bytes, counted) in heads {
        let mut node = Driven::new();
        let stream = node.accept();
        node.call(|node, now| node.handle_stream_data(stream, bytes, now));
        assert_eq!(node.frames(stream), (vec![], true));
        let dropped = &node.node.stats().dropped;
        assert_eq!(
            [dropped.malformed, dropped.version, dropped.too_long],
            counted
        );
    }
}

#[test]
fn another_cluster_is_refused_on_streams() {
    let mut node = Driven::new();
    let stream = node.accept();
    let record = puppet("a", 11).record();
    node.read(
        stream,
        &Frame::Pull {
            cluster: name("other"),
            record,
            buckets: vec![0],
        },
    );
    assert_eq!(node.frames(stream).0, [Frame::Refuse(Refusal::Cluster)]);
    let target = Instance(100);
    node.read(
        stream,
        &Frame::Ping {
            cluster: name("other"),
            target,
            seq: 1,
        },
    );
    assert_eq!(node.frames(stream).0, [Frame::Refuse(Refusal::Cluster)]);
    assert_eq!(node.node.stats().dropped.cluster, 2);
    assert_eq!(node.state("a"), "none");
}

#[test]
fn a_stream_ping_is_answered_for_this_life_only() {
    let mut node = Driven::new();
    let stream = node.accept();
    let digest = node.node.digest();
    for (target, answer) in [
        (100, stream_ack(5, digest)),
        (101, Frame::Refuse(Refusal::Instance)),
    ] {
        let target = Instance(target);
        node.read(
            stream,
            &Frame::Ping {
                cluster: name("test"),
                target,
                seq: 5,
            },
        );
        assert_eq!(node.frames(stream).0, [answer]);
    }
}

#[test]
fn a_stream_without_progress_is_closed() {
    let mut node = Driven::new();
    let stranger = node.accept();
    node.wait(limits::STRANGER - ms(1));
    node.call(|node, now| node.handle_stream_data(stranger, &[0], now));
    assert_eq!(node.frames(stranger), (vec![], false));
    node.wait(ms(1));
    assert_eq!(
        node.frames(stranger),
        (vec![], true),
        "a byte shows nothing"
    );
    let stream = node.accept();
    let (cluster, target) = (name("test"), Instance(100));
    let ping = Frame::Ping {
        cluster,
        target,
        seq: 5,
    };
    node.read(stream, &ping);
    assert_eq!(node.frames(stream).0.len(), 1);
    node.wait(limits::STREAM_IDLE - ms(1));
    node.call(|node, now| node.handle_stream_data(stream, &[0], now));
    node.wait(limits::STREAM_IDLE - ms(1));
    assert_eq!(node.frames(stream), (vec![], false), "a byte is progress");
    node.wait(ms(1));
    assert_eq!(node.frames(stream), (vec![], true));
}
