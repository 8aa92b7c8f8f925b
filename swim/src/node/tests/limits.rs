//! Every maximum, when it is reached: counted, and everything else goes on.

use std::net::SocketAddr;

use super::driven::{Driven, Sent, address, identity};
use super::puppets::{Puppet, puppet};
use super::{claim, fullest_tags, ms, name, secs};
use crate::config::Config;
use crate::detector::Purpose;
use crate::limits;
use crate::members::{Instance, NameHash, Status};
use crate::wire::{Frame, Message, RelayTarget, Update};

fn crowd(count: usize) -> Vec<Puppet> {
    let named = |n: usize| {
        let of = Box::leak(format!("p{n}").into_boxed_str());
        puppet(of, u16::try_from(10 + n).expect("a host number"))
    };
    (0..count).map(named).collect()
}

/// The node still answers pings and learns.
fn is_well(node: &mut Driven) {
    let probe = puppet("well", 9);
    node.calm();
    node.hear(
        &probe,
        Message::Ping {
            seq: 77,
            target: Instance(100),
        },
        &[],
    );
    assert_eq!(node.messages_to(probe.addr), [Message::Ack { seq: 77 }]);
}

#[test]
fn streams_beyond_the_limit_are_not_taken() {
    let mut node = Driven::new();
    let a = puppet("a", 11);
    node.meet(&[&a]);
    let ping = Frame::Ping {
        cluster: name("test"),
        target: Instance(100),
        seq: 5,
    };
    let mut known = || {
        let stream = node.accept();
        node.read(stream, &ping);
        stream
    };
    let streams: Vec<_> = (0..limits::STREAMS).map(|_| known()).collect();
    node.calm();
    let one_more = node.call(|node, now| node.handle_stream_accepted(address(5), now));
    assert_eq!((one_more, node.node.stats().dropped.busy), (None, 1));
    is_well(&mut node);
    // Its own stream probe fails; relays and the timeout decide the round.
    node.call(|node, now| node.probe(&name("a"), Purpose::Watch, now));
    node.wait(ms(500));
    assert_eq!(node.connects(), []);
    assert!(node.node.stats().dropped.busy > 1);
    node.wait(secs(2));
    assert_eq!(node.state("a"), "suspect");
    node.closed(streams[0], crate::StreamEnd::Closed);
    node.accept();
}

#[test]
fn of_streams_that_show_nothing_the_oldest_gives_way() {
    let mut node = Driven::new();
    let streams: Vec<_> = (0..=limits::STRANGERS).map(|_| node.accept()).collect();
    assert_eq!(node.frames(streams[0]), (vec![], true));
    assert_eq!(node.frames(streams[1]), (vec![], false));
    assert_eq!(node.node.stats().dropped.busy, 1);
    is_well(&mut node);
}

#[test]
fn relays_beyond_the_limit_are_not_taken() {
    let mut node = Driven::new();
    let a = puppet("a", 11);
    node.meet(&[&a]);
    let target = RelayTarget {
        patience_ms: 60_000,
        addr: address(12),
        instance: Instance(1),
        name: NameHash::of("b"),
    };
    for seq in 0..limits::RELAYS as u32 {
        node.hear(&a, Message::PingRequest { seq, target }, &[]);
    }
    assert_eq!(node.sent().len(), limits::RELAYS);
    node.hear(
        &a,
        Message::PingRequest {
            seq: u32::MAX,
            target,
        },
        &[],
    );
    assert_eq!((node.sent().len(), node.node.stats().dropped.busy), (0, 1));
    is_well(&mut node);
    node.wait_among(&[&a], secs(50));
    node.sent();
    node.hear(&a, Message::PingRequest { seq: 5, target }, &[]);
    assert_eq!(
        node.messages_to(address(12)).len(),
        1,
        "their time makes room"
    );
}

#[test]
fn rounds_beyond_the_limit_are_not_begun() {
    let mut node = Driven::new();
    let crowd = crowd(limits::PROBES + 1);
    node.meet(&crowd.iter().collect::<Vec<_>>());
    for puppet in &crowd {
        let target = name(puppet.name);
        // At once for all, as nothing but a test does.
        node.node.probe(&target, Purpose::Watch, node.now);
    }
    node.call(|_, _| {});
    let pings = node
        .sent()
        .iter()
        .filter(|s| matches!(s.message, Message::Ping { .. }))
        .count();
    assert_eq!((pings, node.node.stats().dropped.busy), (limits::PROBES, 1));
    is_well(&mut node);
}

#[test]
fn datagrams_beyond_the_limit_are_not_queued() {
    let mut node = Driven::new();
    for seq in 0..=limits::TRANSMITS as u32 {
        let to = (NameHash::of("a"), address(9));
        node.node.send_plain(to, Message::Ack { seq });
    }
    node.call(|_, _| {});
    assert_eq!(node.sent().len(), limits::TRANSMITS);
    assert_eq!(node.node.stats().dropped.busy, 1);
    is_well(&mut node);
}

/// Names, numbers and addresses as long as they get, and more to say than fits: `Driven` holds
/// every datagram against the limit.
#[test]
fn the_longest_of_everything_fits_into_every_datagram() {
    let ipv6 = |host: u16| {
        let segments = [0x2001, 0xdb8, 0, 0, 0xffff, 0xffff, 0xffff, host];
        SocketAddr::from((segments, 65_535))
    };
    let long = |n: u16| -> &'static str { Box::leak(format!("{n:0>128}").into_boxed_str()) };
    let longest = |n: u16| Puppet {
        name: long(n),
        addr: ipv6(n),
        instance: limits::INSTANCES - u64::from(n),
        incarnation: u32::MAX,
    };
    let mut identity = identity(long(999), 1, limits::INSTANCES - 1);
    (identity.addr, identity.tags) = (ipv6(999), fullest_tags());
    let mut node = Driven::with(Config::lan(), identity);
    let crowd: Vec<Puppet> = (0..40).map(longest).collect();
    for puppet in &crowd {
        node.hear(puppet, Message::Gossip, &[Update::Record(puppet.record())]);
    }
    let teller = &crowd[0];
    for of in &crowd[1..20] {
        let said = claim(
            of.name,
            of.instance,
            of.incarnation,
            Status::Suspect,
            teller.name,
        );
        node.hear(teller, Message::Gossip, &[said]);
        node.hear(
            of,
            Message::Ping {
                seq: u32::MAX,
                target: Instance(limits::INSTANCES - 1),
            },
            &[],
        );
        node.hear(
            of,
            Message::Ping {
                seq: u32::MAX,
                target: Instance(0),
            },
            &[],
        );
    }
    node.wait(secs(3));
    let me = claim(
        long(999),
        limits::INSTANCES - 1,
        5,
        Status::Suspect,
        teller.name,
    );
    node.hear(
        teller,
        Message::Ping {
            seq: 1,
            target: Instance(0),
        },
        &[me],
    );
    let target = RelayTarget {
        patience_ms: u16::MAX,
        addr: crowd[1].addr,
        instance: Instance(crowd[1].instance),
        name: NameHash::of(crowd[1].name),
    };
    node.hear(
        teller,
        Message::PingRequest {
            seq: u32::MAX,
            target,
        },
        &[],
    );
    node.call(crate::Node::leave);
    node.wait(secs(6));
    let sent = node.sent();
    let kind = |sent: &Sent| std::mem::discriminant(&sent.message);
    let mut kinds: Vec<_> = Vec::new();
    for sent in &sent {
        if !kinds.contains(&kind(sent)) {
            kinds.push(kind(sent));
        }
    }
    assert!(
        kinds.len() >= 5,
        "acks, pings, requests, gossip and wrong were sent"
    );
    let fullest = sent
        .iter()
        .map(|sent| sent.bytes.len())
        .max()
        .expect("something was sent");
    assert!(
        fullest + 278 > limits::PLAIN_DATAGRAM_BYTES,
        "{fullest} bytes: there was more to say"
    );
}

#[test]
fn calls_that_come_early_late_or_twice_are_harmless() {
    let mut node = Driven::new();
    let a = puppet("a", 11);
    node.meet(&[&a]);
    // The push that was due is over: what comes next is a probe.
    node.wait(ms(1));
    let due = node.deadline().expect("a node has a next tick");
    for _ in 0..3 {
        node.call(|node, now| node.handle_timeout(now));
    }
    assert_eq!(
        (node.sent().len(), node.deadline()),
        (0, Some(due)),
        "too early"
    );
    node.now = due;
    for _ in 0..3 {
        node.call(|node, now| node.handle_timeout(now));
    }
    assert_eq!(node.messages_to(a.addr).len(), 1, "once");
    assert_eq!(node.actions().len(), 1, "one link is opened");
    // Streams that do not exist, or no more.
    for end in [
        crate::StreamEnd::Closed,
        crate::StreamEnd::Refused,
        crate::StreamEnd::Failed,
    ] {
        node.closed(crate::StreamId(99), end);
    }
    node.connected(crate::StreamId(99));
    node.call(|node, now| node.handle_stream_data(crate::StreamId(99), &[1, 2, 3], now));
    node.call(|node, now| node.handle_resolved("nobody:1", &[address(3)], now));
    assert_eq!((node.sent(), node.actions()), (vec![], vec![]));
}

/// The draining rule: what one call gave out is taken before the next.
#[test]
#[cfg(debug_assertions)]
#[should_panic(expected = "the draining rule")]
fn a_call_before_the_last_one_was_drained_is_a_mistake_of_the_caller() {
    let mut node = Driven::new();
    let a = puppet("a", 11);
    let ping = a.datagram(
        0,
        &Message::Ping {
            seq: 1,
            target: Instance(100),
        },
        &[],
    );
    node.node.handle_datagram(a.addr, &ping, node.now);
    node.node.handle_datagram(a.addr, &ping, node.now);
}
