//! Pings, relays, stream probes; what each kind of silence leads to.

use std::collections::BTreeSet;

use super::driven::{Driven, address};
use super::puppets::{Puppet, pinged, puppet, stream_ack};
use super::{ms, name, secs};
use crate::config::Config;
use crate::detector::Purpose;
use crate::limits;
use crate::members::{Instance, NameHash};
use crate::node::{Action, StreamEnd, StreamId};
use crate::wire::{Frame, Message, Refusal, RelayTarget};

/// The node pings `target` and hears nothing for as long as it waits. Gives the number of the round
/// and its stream.
fn unanswered(node: &mut Driven, target: &Puppet) -> (u32, StreamId) {
    let target_name = name(target.name);
    node.call(|node, now| node.probe(&target_name, Purpose::Watch, now));
    let seq = match node.messages_to(target.addr)[..] {
        [Message::Ping { seq, target: life }] if life == Instance(target.instance) => seq,
        ref other => panic!("one ping to the target, not {other:?}"),
    };
    node.actions();
    node.wait(ms(500));
    let connects = node.connects();
    let stream = connects
        .iter()
        .find(|(_, to)| *to == target.addr)
        .expect("a stream probe")
        .0;
    (seq, stream)
}

/// A node that has met five others of which nobody answers.
fn among_five() -> (Driven, [Puppet; 5]) {
    let puppets = [
        puppet("a", 11),
        puppet("b", 12),
        puppet("c", 13),
        puppet("d", 14),
        puppet("e", 15),
    ];
    let mut node = Driven::new();
    node.meet(&puppets.each_ref());
    (node, puppets)
}

/// What was told of the target; others that the node pings meanwhile do not answer either.
fn told_of_a(node: &mut Driven) -> Vec<String> {
    let told = node.events().into_iter();
    told.filter(|event| event.starts_with("a ")).collect()
}

/// Lets all relays that were asked in `seq` say that the target is silent.
fn nack_all(node: &mut Driven, puppets: &[Puppet], seq: u32) -> usize {
    let asked: Vec<_> = node
        .sent()
        .into_iter()
        .filter(|sent| matches!(sent.message, Message::PingRequest { seq: of, .. } if of == seq))
        .filter_map(|sent| puppets.iter().find(|puppet| puppet.addr == sent.to))
        .collect();
    for relay in &asked {
        node.hear(relay, Message::Nack { seq }, &[]);
    }
    asked.len()
}

#[test]
fn a_ping_is_acked_to_where_it_came_from() {
    let mut node = Driven::new();
    let a = puppet("a", 11);
    node.hear(
        &a,
        Message::Ping {
            seq: 9,
            target: Instance(100),
        },
        &[],
    );
    assert_eq!(node.messages_to(a.addr), [Message::Ack { seq: 9 }]);
}

#[test]
fn a_ping_for_another_life_is_answered_wrong() {
    let mut node = Driven::new();
    let a = puppet("a", 11);
    for life in [99, 101] {
        node.hear(
            &a,
            Message::Ping {
                seq: 9,
                target: Instance(life),
            },
            &[],
        );
        assert_eq!(
            node.messages_to(a.addr),
            [Message::Wrong { seq: 9 }],
            "life {life}"
        );
    }
}

#[test]
fn no_ack_in_time_asks_three_others_and_opens_a_stream() {
    let (mut node, puppets) = among_five();
    let target = &puppets[0];
    let (seq, _) = unanswered(&mut node, target);
    let mut asked = BTreeSet::new();
    for sent in node.sent() {
        if let Message::PingRequest {
            seq: of,
            target: RelayTarget { addr, instance, .. },
        } = sent.message
            && of == seq
        {
            assert_eq!((addr, instance), (target.addr, Instance(target.instance)));
            assert_ne!(sent.to, target.addr, "nobody is asked to relay to itself");
            asked.insert(sent.to);
        }
    }
    assert_eq!(asked.len(), 3);
    assert_eq!(node.state("a"), "alive", "nobody is accused yet");
}

#[test]
fn a_refused_stream_and_nacks_end_the_round_at_once() {
    let (mut node, puppets) = among_five();
    let (seq, stream) = unanswered(&mut node, &puppets[0]);
    let before = node.now;
    node.closed(stream, StreamEnd::Refused);
    assert_eq!(node.state("a"), "alive");
    assert_eq!(nack_all(&mut node, &puppets, seq), 3);
    assert_eq!(node.now, before, "no timeout was needed");
    assert_eq!(node.events(), ["a suspect by me, refused"]);
    assert_eq!(node.node.stats().probes_failed, 1);
    assert_eq!(node.node.health(), 0, "every relay answered");
}

#[test]
fn nobody_answers_and_no_stream_opens_cut_off() {
    let (mut node, puppets) = among_five();
    let (_, stream) = unanswered(&mut node, &puppets[0]);
    node.closed(stream, StreamEnd::Failed);
    node.wait(ms(500));
    assert_eq!(told_of_a(&mut node), ["a suspect by me, cut-off"]);
    assert_eq!(
        node.node.health(),
        3,
        "three relays that do not even nack speak against ourselves"
    );
}

#[test]
fn an_open_stream_without_an_answer_is_a_stall() {
    let (mut node, puppets) = among_five();
    let (seq, stream) = unanswered(&mut node, &puppets[0]);
    node.connected(stream);
    let ping = Frame::Ping {
        cluster: name("test"),
        target: Instance(1011),
        seq,
    };
    assert_eq!(node.frames(stream), (vec![ping], false));
    node.wait(ms(1000));
    assert_eq!(told_of_a(&mut node), ["a suspect by me, stalled"]);
    assert!(
        node.actions().contains(&Action::Close { stream }),
        "the round's stream ends with it"
    );
}

#[test]
fn an_answer_on_the_stream_clears_the_target() {
    let (mut node, puppets) = among_five();
    let (seq, stream) = unanswered(&mut node, &puppets[0]);
    node.connected(stream);
    node.read(stream, &stream_ack(seq, 0));
    assert_eq!(node.node.stats().probes_answered, 1);
    assert!(node.actions().contains(&Action::Close { stream }));
    node.calm();
    node.wait(ms(1000));
    assert!(!node.events().iter().any(|event| event.starts_with("a ")));
}

/// Where datagrams do not pass, streams alone must bring the news.
#[test]
fn an_answer_on_the_stream_shows_whether_tables_differ() {
    for differs in [false, true] {
        let (mut node, puppets) = among_five();
        let (seq, stream) = unanswered(&mut node, &puppets[0]);
        node.connected(stream);
        // Long enough for the table to have settled.
        node.wait(ms(100));
        node.connects();
        let digest = node.node.digest() ^ u64::from(differs);
        node.read(stream, &stream_ack(seq, digest));
        assert_eq!(node.connects().len(), usize::from(differs));
    }
}

#[test]
fn another_life_on_the_stream_has_replaced_the_target() {
    let (mut node, puppets) = among_five();
    let (_, stream) = unanswered(&mut node, &puppets[0]);
    node.connected(stream);
    node.read(stream, &Frame::Refuse(Refusal::Instance));
    assert_eq!(node.events(), ["a suspect by me, replaced"]);
}

#[test]
fn an_ack_through_a_relay_clears_the_target_but_measures_nothing() {
    let (mut node, puppets) = among_five();
    let (seq, stream) = unanswered(&mut node, &puppets[0]);
    let relay = node.sent().into_iter().find_map(|sent| {
        let asked = matches!(sent.message, Message::PingRequest { seq: of, .. } if of == seq);
        puppets
            .iter()
            .find(|puppet| asked && puppet.addr == sent.to)
    });
    let relay = relay.expect("somebody was asked");
    // Its nack first: the answer of the target may come late.
    node.hear(relay, Message::Nack { seq }, &[]);
    node.hear(relay, Message::Ack { seq }, &[]);
    assert_eq!(node.node.stats().probes_answered, 1);
    assert!(node.actions().contains(&Action::Close { stream }));
    assert_eq!(node.node.member("a").and_then(|member| member.rtt), None);
}

/// An asker may claim any patience; a slot is held no longer than one in the worst health waits.
#[test]
fn a_relay_waits_no_longer_than_any_honest_asker() {
    let (mut node, puppets) = among_five();
    let target = RelayTarget {
        patience_ms: u16::MAX,
        addr: address(99),
        instance: Instance(1),
        name: NameHash::of("z"),
    };
    node.hear(&puppets[0], Message::PingRequest { seq: 77, target }, &[]);
    let longest = Config::lan().probe_timeout_max * 2 * (u32::from(limits::HEALTH) + 1);
    node.sent();
    node.sleep(longest * 4 / 5);
    node.call(|node, now| node.handle_timeout(now));
    let sent = node.messages_to(puppets[0].addr);
    assert!(sent.contains(&Message::Nack { seq: 77 }), "{sent:?}");
}

#[test]
fn a_direct_ack_measures_the_round_trip() {
    let (mut node, puppets) = among_five();
    let target = &puppets[0];
    node.call(|node, now| node.probe(&name("a"), Purpose::Watch, now));
    let [Message::Ping { seq, .. }] = node.messages_to(target.addr)[..] else {
        panic!("one ping to the target")
    };
    node.sleep(ms(3));
    node.hear(target, Message::Ack { seq }, &[]);
    assert_eq!(
        node.node.member("a").and_then(|member| member.rtt),
        Some(ms(3))
    );
}

/// An answer of somebody else at the target's address: the process is gone.
#[test]
fn another_member_at_the_address_has_replaced_the_target() {
    let (mut node, puppets) = among_five();
    node.call(|node, now| node.probe(&name("a"), Purpose::Watch, now));
    let [Message::Ping { seq, .. }] = node.messages_to(puppets[0].addr)[..] else {
        panic!("one ping to the target")
    };
    let stranger = Puppet {
        addr: puppets[0].addr,
        ..puppet("stranger", 77)
    };
    node.hear(&stranger, Message::Wrong { seq }, &[]);
    assert_eq!(node.events(), ["a suspect by me, replaced"]);
}

/// A restarted member answers for its new life: that is no failure, but news.
#[test]
fn a_new_life_of_the_target_accuses_nobody_and_is_pulled() {
    let (mut node, puppets) = among_five();
    node.call(|node, now| node.probe(&name("a"), Purpose::Watch, now));
    let [Message::Ping { seq, .. }] = node.messages_to(puppets[0].addr)[..] else {
        panic!("one ping to the target")
    };
    let restarted = Puppet {
        instance: 5000,
        ..puppets[0].clone()
    };
    node.hear(&restarted, Message::Wrong { seq }, &[]);
    assert_eq!(node.connects().len(), 1);
    node.wait(secs(2));
    assert!(
        !node
            .events()
            .iter()
            .any(|event| event.starts_with("a suspect"))
    );
}

/// A new life may listen elsewhere: the old address answers nothing any more.
#[test]
fn a_new_life_elsewhere_is_pulled_from_where_it_is() {
    let (mut node, puppets) = among_five();
    let moved = Puppet {
        instance: 5000,
        addr: address(66),
        ..puppets[0].clone()
    };
    node.hear(&moved, Message::Gossip, &[]);
    let to: Vec<_> = node.connects().into_iter().map(|(_, to)| to).collect();
    assert_eq!(to, [address(66)]);
}

#[test]
fn a_relay_passes_the_answer_on_under_the_askers_number() {
    let mut node = Driven::new();
    let (asker, target) = (puppet("a", 11), puppet("b", 12));
    let request = RelayTarget {
        patience_ms: 1000,
        addr: target.addr,
        instance: Instance(target.instance),
        name: NameHash::of(target.name),
    };
    node.hear(
        &asker,
        Message::PingRequest {
            seq: 70,
            target: request,
        },
        &[],
    );
    let [Message::Ping { seq, target: life }] = node.messages_to(target.addr)[..] else {
        panic!("one ping to the target")
    };
    assert_eq!(life, Instance(target.instance));
    node.hear(&target, Message::Ack { seq }, &[]);
    assert_eq!(node.messages_to(asker.addr), [Message::Ack { seq: 70 }]);
    node.wait(secs(2));
    assert!(
        !node
            .messages_to(asker.addr)
            .contains(&Message::Nack { seq: 70 })
    );
}

/// Lifeguard section IV-A: at 80 % of the time in which the asker waits.
#[test]
fn a_relay_nacks_before_the_asker_gives_up_and_passes_on_a_late_answer() {
    let mut node = Driven::new();
    let (asker, target) = (puppet("a", 11), puppet("b", 12));
    let request = RelayTarget {
        patience_ms: 1000,
        addr: target.addr,
        instance: Instance(target.instance),
        name: NameHash::of(target.name),
    };
    node.hear(
        &asker,
        Message::PingRequest {
            seq: 70,
            target: request,
        },
        &[],
    );
    let [Message::Ping { seq, .. }] = node.messages_to(target.addr)[..] else {
        panic!("one ping to the target")
    };
    node.wait(ms(799));
    assert_eq!(node.messages_to(asker.addr), []);
    node.wait(ms(1));
    assert_eq!(node.messages_to(asker.addr), [Message::Nack { seq: 70 }]);
    node.hear(&target, Message::Ack { seq }, &[]);
    assert_eq!(node.messages_to(asker.addr), [Message::Ack { seq: 70 }]);
}

pub(super) fn crowd(count: u16) -> Vec<Puppet> {
    (0..count)
        .map(|n| puppet(Box::leak(format!("p{n}").into_boxed_str()), 10 + n))
        .collect()
}

/// DESIGN 4.1: K successors and one random member each period, however many there are.
#[test]
fn pings_of_a_period_do_not_grow_with_the_cluster() {
    for count in [5, 50, 400] {
        let crowd = crowd(count);
        let crowd: Vec<&Puppet> = crowd.iter().collect();
        let mut node = Driven::new();
        node.meet(&crowd);
        let period = node.node.config().period;
        let mut pings = 0;
        for _ in 0..10 {
            // Nobody is missed for so long.
            node.node.expected.postpone(period);
            node.wait_among(&crowd, period);
            let sent = node.sent();
            pings += sent.iter().filter(|s| pinged(&s.message).is_some()).count();
        }
        assert!(
            (36..=44).contains(&pings),
            "{pings} pings in ten periods among {count}"
        );
    }
}

#[test]
fn every_successor_is_pinged_once_a_period_and_in_time_everybody() {
    let crowd = crowd(20);
    let crowd: Vec<&Puppet> = crowd.iter().collect();
    let mut node = Driven::new();
    node.meet(&crowd);
    let rings = node.node.rings();
    let successors: Vec<_> = rings
        .iter()
        .filter_map(|ring| ring.successor.as_ref())
        .map(|member| member.addr)
        .collect();
    let pinged = |node: &mut Driven| -> BTreeSet<_> {
        let sent = node.sent();
        let pings = sent.iter().filter(|sent| pinged(&sent.message).is_some());
        pings.map(|sent| sent.to).collect()
    };
    let period = node.node.config().period;
    node.wait_among(&crowd, period * 12 / 10);
    let mut all = pinged(&mut node);
    assert!(successors.iter().all(|successor| all.contains(successor)));
    node.wait_among(&crowd, period * 22);
    all.extend(pinged(&mut node));
    assert_eq!(all.len(), crowd.len(), "a round of random ones visits each");
}

/// Pausing the process is our own fault: rounds, suspicions and expectations wait with it.
#[test]
fn a_node_that_ran_late_accuses_nobody() {
    let (mut node, puppets) = among_five();
    let (_, stream) = unanswered(&mut node, &puppets[0]);
    // Not for so long that the stream would end by itself.
    node.sleep(secs(3));
    node.call(|node, now| node.handle_timeout(now));
    assert_eq!(node.node.stats().late, 1);
    assert!(node.node.stats().probes_void >= 1);
    assert!(
        node.actions().contains(&Action::Close { stream }),
        "a void round keeps no stream"
    );
    assert_eq!(node.events(), [""; 0]);
    assert_eq!(node.node.health(), 1);
}

#[test]
fn a_suspicion_does_not_run_while_this_node_sleeps() {
    let (mut node, puppets) = among_five();
    let (seq, stream) = unanswered(&mut node, &puppets[0]);
    node.closed(stream, StreamEnd::Refused);
    nack_all(&mut node, &puppets, seq);
    assert_eq!(node.state("a"), "suspect");
    let left = |node: &Driven| {
        let member = node.node.table.get("a").expect("it is a member");
        member
            .suspicion
            .as_ref()
            .expect("it is suspect")
            .deadline()
            .since(node.now)
    };
    let before = left(&node);
    node.sleep(secs(60));
    node.hear(&puppets[1], Message::Gossip, &[]);
    assert_eq!(node.state("a"), "suspect");
    assert!(
        left(&node) + secs(2) > before,
        "{:?} were left and now {:?}",
        before,
        left(&node)
    );
    assert!(node.node.health() > 0);
}

/// DESIGN 4.2: corroboration at once. A kernel answers a stream however busy its processes are.
#[test]
fn a_witness_pings_and_opens_a_stream_at_once() {
    let (mut node, puppets) = among_five();
    let subject = &puppets[0];
    let asker = (NameHash::of(puppets[1].name), puppets[1].addr);
    let instance = Instance(subject.instance);
    node.call(|node, now| node.witness(&name("a"), instance, None, Some(asker), now));
    let to: Vec<_> = node.connects().into_iter().map(|(_, to)| to).collect();
    assert_eq!(to, [subject.addr]);
    assert_eq!(node.messages_to(subject.addr).len(), 2, "two pings");
}

/// A network whose round trips are known needs no half second for a member that nobody measured.
#[test]
fn one_that_was_never_measured_has_the_time_of_the_slowest_successor() {
    let crowd = crowd(20);
    let mut node = Driven::new();
    node.meet(&crowd.iter().collect::<Vec<_>>());
    let places = node.node.rings();
    let successors = places.iter().filter_map(|place| place.successor.as_ref());
    let successors: BTreeSet<_> = successors.map(|member| member.addr).collect();
    let (near, far): (Vec<_>, Vec<_>) = crowd
        .iter()
        .partition(|puppet| successors.contains(&puppet.addr));
    let round_trip = |node: &Driven| node.node.round_trip_of(&name(far[0].name));
    assert_eq!(round_trip(&node).estimate(), None, "nothing is known yet");
    for (at, puppet) in near.iter().enumerate() {
        let of = name(puppet.name);
        node.sent();
        node.call(|node, now| node.probe(&of, Purpose::Watch, now));
        let pings = node.messages_to(puppet.addr);
        let (seq, _) = pings.iter().find_map(pinged).expect("a ping");
        node.sleep(ms(20 + at as u64));
        node.hear(puppet, Message::Ack { seq }, &[]);
    }
    let slowest = ms(20 + near.len() as u64 - 1);
    assert_eq!(round_trip(&node).estimate(), Some(slowest));
}
