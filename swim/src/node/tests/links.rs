//! Links: opened to successors, silent, and what their end leads to.

use std::time::Duration;

use super::driven::Driven;
use super::puppets::{Puppet, puppet};
use super::{ms, name, secs};
use crate::detector::Purpose;
use crate::limits;
use crate::members::Instance;
use crate::node::{LinkState, StreamEnd, StreamId};
use crate::wire::{Frame, Message, Refusal};

fn link_frame(from: &Puppet) -> Frame {
    Frame::Link {
        cluster: name("test"),
        from: name(from.name),
        instance: Instance(from.instance),
        target: Instance(100),
    }
}

/// A node with one other member, to which its link stands.
fn linked(with: &Puppet) -> (Driven, StreamId) {
    let mut node = Driven::new();
    node.meet(&[with]);
    node.calm();
    let stream = link_to(&mut node, with);
    node.sent();
    (node, stream)
}

/// Waits until a link is asked for, and lets it stand.
fn link_to(node: &mut Driven, with: &Puppet) -> StreamId {
    let (stream, to) = next_link(node, with);
    assert_eq!(to, with.addr);
    node.connected(stream);
    let (frames, closed) = node.frames(stream);
    assert!(!closed);
    let asked = Frame::Link {
        cluster: name("test"),
        from: name("me"),
        instance: Instance(100),
        target: Instance(with.instance),
    };
    assert_eq!(frames, [asked]);
    node.read(stream, &Frame::Linked);
    stream
}

fn next_link(node: &mut Driven, with: &Puppet) -> (StreamId, std::net::SocketAddr) {
    for _ in 0..400 * 4 {
        node.wait_among(&[with], ms(250));
        if let Some(link) = node.connects().first() {
            return *link;
        }
    }
    panic!("no link is opened");
}

fn states(node: &Driven) -> Vec<(bool, LinkState)> {
    let links = node.node.links();
    links.iter().map(|link| (link.ours, link.state)).collect()
}

fn pings(sent: &[Message]) -> Vec<u32> {
    let ping = |message: &Message| {
        if let Message::Ping { seq, .. } = message {
            return Some(*seq);
        }
        None
    };
    sent.iter().filter_map(ping).collect()
}

#[test]
fn a_link_stands_for_a_week_without_a_word() {
    let a = puppet("a", 11);
    let (mut node, stream) = linked(&a);
    for _ in 0..7 * 24 {
        node.wait_among(&[&a], secs(3600));
        assert_eq!(node.frames(stream), (vec![], false));
    }
    assert_eq!(states(&node), [(true, LinkState::Up)]);
}

#[test]
fn when_a_link_ends_its_member_is_asked_at_once_by_datagram_and_stream() {
    let a = puppet("a", 11);
    let (mut node, stream) = linked(&a);
    node.closed(stream, StreamEnd::Closed);
    let asked = pings(&node.messages_to(a.addr));
    assert_eq!(asked.len(), 1);
    let probe = node.connects();
    assert_eq!(
        probe.iter().map(|probe| probe.1).collect::<Vec<_>>(),
        [a.addr]
    );
    assert_eq!(node.events(), [""; 0], "nobody is suspected yet");
    node.hear(&a, Message::Ack { seq: asked[0] }, &[]);
    assert_eq!(node.state("a"), "alive");
    assert!(node.frames(probe[0].0).1, "it has answered");
    assert!(matches!(
        states(&node)[..],
        [(true, LinkState::Down { .. })]
    ));
}

#[test]
fn who_is_refused_by_stream_and_datagram_is_suspected_without_waiting() {
    let a = puppet("a", 11);
    for datagram_first in [true, false] {
        let (mut node, stream) = linked(&a);
        node.closed(stream, StreamEnd::Closed);
        let (probe, _) = node.connects()[0];
        if datagram_first {
            node.call(|node, now| node.handle_refused(a.addr, now));
            assert_eq!(node.state("a"), "alive", "one of two");
            node.closed(probe, StreamEnd::Refused);
        } else {
            node.closed(probe, StreamEnd::Refused);
            assert_eq!(node.state("a"), "alive", "one of two");
            node.call(|node, now| node.handle_refused(a.addr, now));
        }
        assert_eq!(node.events(), ["a suspect by me, refused"]);
    }
}

#[test]
fn where_only_streams_are_refused_the_ping_has_its_time() {
    let a = puppet("a", 11);
    for answers in [true, false] {
        let (mut node, stream) = linked(&a);
        node.closed(stream, StreamEnd::Closed);
        let asked = pings(&node.messages_to(a.addr));
        let (probe, _) = node.connects()[0];
        node.closed(probe, StreamEnd::Refused);
        node.wait(ms(10));
        if answers {
            node.hear(&a, Message::Ack { seq: asked[0] }, &[]);
        }
        node.wait(ms(500));
        let suspected = ["a suspect by me, refused"];
        let expected = if answers {
            &suspected[..0]
        } else {
            &suspected[..]
        };
        assert_eq!(node.events(), expected);
    }
}

#[test]
fn a_refused_ping_tries_a_stream_at_once_and_its_answer_counts() {
    let a = puppet("a", 11);
    let mut node = Driven::new();
    node.meet(&[&a]);
    node.calm();
    node.call(|node, now| node.probe(&name("a"), Purpose::Watch, now));
    let asked = pings(&node.messages_to(a.addr));
    assert_eq!(asked.len(), 1);
    node.actions();
    node.call(|node, now| node.handle_refused(a.addr, now));
    let (probe, to) = node.connects()[0];
    assert_eq!(to, a.addr);
    // Something between refuses datagrams; the process lives.
    node.connected(probe);
    let digest = node.node.digest();
    node.read(probe, &super::puppets::stream_ack(asked[0], digest));
    assert_eq!(node.events(), [""; 0]);
    assert_eq!(node.node.stats().refusals, 1);
    // A word about nobody.
    node.call(|node, now| node.handle_refused(super::driven::address(77), now));
    assert_eq!(node.connects(), []);
}

#[test]
fn a_link_that_breaks_again_and_again_is_opened_more_and_more_seldom() {
    let a = puppet("a", 11);
    let (mut node, mut stream) = linked(&a);
    let mut pauses: Vec<Duration> = Vec::new();
    for _ in 0..12 {
        let broke = node.now;
        node.closed(stream, StreamEnd::Closed);
        let asked = pings(&node.messages_to(a.addr));
        node.hear(&a, Message::Ack { seq: asked[0] }, &[]);
        node.actions();
        stream = link_to(&mut node, &a);
        pauses.push(node.now.since(broke));
        node.sent();
    }
    assert!(pauses[0] < secs(4), "{pauses:?}");
    assert!(pauses[5] > secs(20), "{pauses:?}");
    assert!(pauses.iter().all(|pause| *pause < secs(400)), "{pauses:?}");
    // One that stood for long had nothing against it.
    for _ in 0..11 * 60 {
        node.wait_among(&[&a], secs(1));
    }
    node.actions();
    node.sent();
    let broke = node.now;
    node.closed(stream, StreamEnd::Closed);
    let asked = pings(&node.messages_to(a.addr));
    node.hear(&a, Message::Ack { seq: asked[0] }, &[]);
    node.actions();
    link_to(&mut node, &a);
    assert!(node.now.since(broke) < secs(4));
    assert_eq!(node.node.stats().links_broken, 13);
    assert_eq!(node.state("a"), "alive");
}

#[test]
fn a_link_that_others_open_stands_and_its_end_makes_us_ask() {
    let a = puppet("a", 11);
    let (mut node, _) = linked(&a);
    let stream = node.accept();
    node.read(stream, &link_frame(&a));
    assert_eq!(node.frames(stream), (vec![Frame::Linked], false));
    node.wait_among(&[&a], secs(3600));
    assert_eq!(states(&node).len(), 2);
    node.sent();
    node.actions();
    node.closed(stream, StreamEnd::Closed);
    assert_eq!(pings(&node.messages_to(a.addr)).len(), 1);
    assert_eq!(node.connects().len(), 1);
}

#[test]
fn a_link_that_ends_in_peace_makes_nobody_ask() {
    let a = puppet("a", 11);
    let (mut node, ours) = linked(&a);
    let theirs = node.accept();
    node.read(theirs, &link_frame(&a));
    node.actions();
    for stream in [ours, theirs] {
        node.read(stream, &Frame::Unlink);
        assert!(node.frames(stream).1);
    }
    assert_eq!(pings(&node.messages_to(a.addr)), []);
    assert_eq!(node.node.stats().links_broken, 0);
}

#[test]
fn links_are_taken_of_this_cluster_to_this_life_only() {
    let a = puppet("a", 11);
    let (cluster, from) = (name("test"), name("a"));
    let (instance, target) = (Instance(a.instance), Instance(100));
    let other = |cluster: &str, from: &str, target| Frame::Link {
        cluster: name(cluster),
        from: name(from),
        instance,
        target: Instance(target),
    };
    for (frame, refusal) in [
        (other("else", "a", 100), Refusal::Cluster),
        (other("test", "a", 99), Refusal::Instance),
        (other("test", "me", 100), Refusal::Instance),
    ] {
        let (mut node, _) = linked(&a);
        let stream = node.accept();
        node.read(stream, &frame);
        assert_eq!(node.frames(stream), (vec![Frame::Refuse(refusal)], true));
    }
    let (mut node, _) = linked(&a);
    let first = node.accept();
    let life = |instance: u64| Frame::Link {
        cluster: cluster.clone(),
        from: from.clone(),
        instance: Instance(instance),
        target,
    };
    node.read(first, &life(instance.0));
    node.actions();
    // The same again takes the place of the first; an older life does not.
    let second = node.accept();
    node.read(second, &life(instance.0));
    assert!(node.frames(first).1);
    let third = node.accept();
    node.read(third, &life(instance.0 - 1));
    let refused = Frame::Refuse(Refusal::Instance);
    assert_eq!(node.frames(third), (vec![refused], true));
    assert_eq!(states(&node).len(), 2);
    assert_eq!(pings(&node.messages_to(a.addr)), [], "nothing broke");
}

#[test]
fn links_of_strangers_are_few_and_end() {
    let a = puppet("a", 11);
    let (mut node, _) = linked(&a);
    let mut last = None;
    for at in 0..=limits::LINKS {
        let stream = node.accept();
        let link = Frame::Link {
            cluster: name("test"),
            from: name(&format!("stranger-{at}")),
            instance: Instance(7),
            target: Instance(100),
        };
        node.read(stream, &link);
        last = Some(node.frames(stream));
    }
    let refused = (vec![Frame::Refuse(Refusal::Full)], true);
    assert_eq!(last, Some(refused));
    assert_eq!(states(&node).len(), limits::LINKS + 1);
    node.wait_among(&[&a], secs(12));
    assert_eq!(states(&node), [(true, LinkState::Up)]);
}

#[test]
fn where_no_stream_passes_probes_watch_alone() {
    let a = puppet("a", 11);
    let mut node = Driven::new();
    node.meet(&[&a]);
    node.calm();
    for _ in 0..5 {
        let (stream, _) = next_link(&mut node, &a);
        node.closed(stream, StreamEnd::Failed);
        assert!(matches!(
            states(&node)[..],
            [(true, LinkState::Down { .. })]
        ));
        assert_eq!(node.connects(), [], "nothing speaks against it");
    }
    assert_eq!(node.events(), [""; 0]);
    assert_eq!(node.state("a"), "alive");
}

#[test]
fn a_node_that_leaves_ends_its_links_in_peace() {
    let a = puppet("a", 11);
    let (mut node, stream) = linked(&a);
    node.call(|node, now| node.leave(now));
    node.actions.retain(|_| false);
    node.wait(secs(30));
    let (frames, closed) = node.frames(stream);
    assert_eq!((&frames[..], closed), (&[Frame::Unlink][..], true));
    assert!(node.stop.is_some());
}
