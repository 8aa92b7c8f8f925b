//! A member that has the key and lies, or asks without end: it costs little and moves nobody.

use std::net::SocketAddr;

use super::agreed::{VIEW, outlook, voting};
use super::driven::{Driven, address, identity};
use super::puppets::{Puppet, puppet};
use super::{claim, ms, secs};
use crate::config::Config;
use crate::coordinator::View;
use crate::limits;
use crate::members::{Incarnation, Instance, Status};
use crate::node::{Memory, Node, StreamEnd, StreamId};
use crate::time::Time;
use crate::wire::{Errand, Frame, Message, Question, Refusal, Update};

fn open(node: &mut Driven, from: SocketAddr) -> StreamId {
    let stream = node.call(|node, now| node.handle_stream_accepted(from, now));
    stream.expect("there is room")
}

/// How `from` is answered when it sends this on a new stream, and whether that stream was ended.
fn asked(node: &mut Driven, from: SocketAddr, frame: &Frame) -> (Vec<Frame>, bool) {
    node.actions();
    let stream = open(node, from);
    node.read(stream, frame);
    let answer = node.frames(stream);
    if !answer.1 {
        node.closed(stream, StreamEnd::Closed);
    }
    node.calm();
    answer
}

fn pull(by: &Puppet) -> Frame {
    Frame::Pull {
        cluster: super::name("test"),
        record: by.record(),
        buckets: vec![0; 16],
    }
}

fn is_refused(answer: &(Vec<Frame>, bool)) -> bool {
    let refused = matches!(answer.0[..], [Frame::Refuse(Refusal::Full)]);
    assert_eq!(
        refused, answer.1,
        "who is refused is not waited for: {answer:?}"
    );
    refused
}

#[test]
fn one_that_pulls_without_end_is_refused_and_nobody_else_is() {
    let (liar, other) = (puppet("liar", 11), puppet("other", 12));
    let mut node = Driven::new();
    node.meet(&[&liar, &other]);
    let (burst, per_second) = limits::PULLS;
    for n in 0..burst + 100 {
        let answer = asked(&mut node, liar.addr, &pull(&liar));
        assert_eq!(is_refused(&answer), n >= burst, "{n}");
    }
    assert_eq!(node.node.stats().dropped.rate, 100);
    for (from, by) in [
        (other.addr, &other),
        (liar.addr, &other),
        (other.addr, &liar),
    ] {
        let answer = asked(&mut node, from, &pull(by));
        assert!(!is_refused(&answer), "{by:?} from {from}");
    }
    node.sleep(secs(1));
    for n in 0..per_second + 5 {
        let answer = asked(&mut node, liar.addr, &pull(&liar));
        assert_eq!(is_refused(&answer), n >= per_second, "{n}, a second later");
    }
}

/// Under a new name each time, and it answers at once that it has nothing.
#[test]
fn one_that_shows_views_it_does_not_have_is_asked_so_often_and_no_more() {
    let liar = puppet("a", 11);
    let mut node = voting(&[&liar]);
    let (burst, per_second) = limits::SHOWN_VIEWS;
    let mut asked = 0;
    for n in 0..10 * burst {
        let name: &'static str = Box::leak(format!("a{n}").into_boxed_str());
        let alias = Puppet {
            name,
            ..liar.clone()
        };
        node.show(&alias, VIEW.0 + 1000);
        for (stream, to) in node.asks() {
            assert_eq!(to, liar.addr);
            asked += 1;
            node.closed(stream, StreamEnd::Refused);
        }
        node.sleep(ms(1));
    }
    assert!((burst..=burst + per_second).contains(&asked), "{asked}");
    assert!(node.node.stats().dropped.rate > 8 * u64::from(burst));
}

/// Each answer of a coordinator costs a datagram.
#[test]
fn one_that_asks_the_coordinator_without_end_gets_so_many_answers() {
    let (liar, other) = (puppet("a", 11), puppet("b", 12));
    let mut node = voting(&[&liar, &other]);
    let ask = |node: &mut Driven, by: &Puppet, seq| {
        let question = Question::Current;
        let message = Message::Errand(Errand::Ask { seq, question });
        let bytes = by.datagram_showing(outlook(VIEW.0), node.node.digest(), &message, &[]);
        node.call(|node, now| node.handle_datagram(by.addr, &bytes, now));
        let told = |message: &Message| matches!(message, Message::Errand(Errand::Told { .. }));
        node.messages_to(by.addr).iter().any(told)
    };
    let (burst, _) = limits::CALLS;
    for seq in 0..burst {
        assert!(ask(&mut node, &liar, seq), "{seq}");
    }
    assert!(!ask(&mut node, &liar, burst));
    assert_eq!(node.node.stats().dropped.rate, 1);
    assert!(ask(&mut node, &other, 1), "others have their own share");
}

/// Names cost nothing: what an address asks for is bounded beside what each name does.
#[test]
fn an_address_that_asks_under_many_names_is_refused() {
    let liar = puppet("liar", 11);
    let mut node = Driven::new();
    let catch = Frame::Catch {
        cluster: super::name("test"),
        lineage: None,
        view: View(0),
    };
    let (burst, _) = limits::REQUESTS;
    for _ in 0..burst {
        let (frames, _) = asked(&mut node, liar.addr, &catch);
        assert_eq!(
            frames,
            [Frame::Refuse(Refusal::Instance)],
            "it has no views"
        );
    }
    assert!(is_refused(&asked(&mut node, liar.addr, &catch)));
    assert!(is_refused(&asked(&mut node, liar.addr, &pull(&liar))));
    let elsewhere = puppet("liar", 12);
    assert!(!is_refused(&asked(
        &mut node,
        elsewhere.addr,
        &pull(&elsewhere)
    )));
    assert_eq!(node.node.stats().dropped.rate, 2);
}

#[test]
fn names_invented_at_one_address_do_not_fill_the_table() {
    let (liar, honest) = (puppet("liar", 11), puppet("honest", 12));
    let mut node = Driven::new();
    node.meet(&[&liar]);
    // Not looked at after each of them: that takes its time.
    let hear = |node: &mut Node, now: Time, numbers: std::ops::Range<usize>| {
        let invented = numbers.map(|n| {
            let mut record = liar.record();
            record.name = super::name(&format!("invented-{n}"));
            record.addr.set_port(1 + n as u16);
            Update::Record(record)
        });
        let updates: Vec<Update> = invented.collect();
        let bytes = liar.datagram(node.digest(), &Message::Gossip, &updates);
        node.handle_datagram(liar.addr, &bytes, now);
        let mut buffer = Vec::new();
        while node.poll_transmit(&mut buffer).is_some() {}
        while node.poll_action().is_some() {}
        while node.poll_event().is_some() {}
    };
    for n in (0..20_000).step_by(10) {
        hear(&mut node.node, node.now, n..n + 10);
    }
    node.node.check_invariants();
    // The liar itself is at that address, too.
    let most = limits::MEMBERS_AT_ADDRESS;
    assert_eq!(node.node.members().count(), 1 + most);
    let refused = 20_000 - (most - 1);
    assert_eq!(node.node.stats().dropped.crowded, refused as u64);
    node.meet(&[&honest]);
    assert_eq!(node.state("honest"), "alive");
    let newcomer = puppet("newcomer", 11);
    assert!(is_refused(&asked(&mut node, liar.addr, &pull(&newcomer))));
}

#[test]
fn what_is_absurd_of_another_is_counted_and_not_believed() {
    let ahead = limits::INCARNATIONS_AHEAD;
    let cases = [
        (1012, ahead + 1),
        (1012, u32::MAX),
        (1013, ahead + 1),
        (limits::INSTANCES + 1, 0),
        (u64::MAX, u32::MAX),
    ];
    for (instance, incarnation) in cases {
        let (liar, victim) = (puppet("liar", 11), puppet("victim", 12));
        let mut node = Driven::new();
        node.meet(&[&liar, &victim]);
        let of = |status| claim("victim", instance, incarnation, status, "liar");
        let moved = Puppet {
            instance,
            incarnation,
            ..puppet("victim", 66)
        };
        let said = [
            Update::Record(moved.record()),
            of(Status::Alive),
            of(Status::Suspect),
            of(Status::Unreachable),
            of(Status::Left),
        ];
        node.hear(&liar, Message::Gossip, &said);
        let held = node.node.member("victim").expect("it is known");
        let about = format!("{instance}.{incarnation}: {held:?}");
        assert_eq!(
            (held.addr, held.state),
            (victim.addr, crate::State::Alive),
            "{about}"
        );
        assert_eq!(
            node.node.stats().dropped.absurd,
            said.len() as u64,
            "{about}"
        );
        assert_eq!(node.connects(), [], "nothing is pulled for it: {about}");
    }
}

#[test]
fn a_sender_that_shows_an_absurd_instance_is_not_heard() {
    let mut node = Driven::new();
    let liar = Puppet {
        instance: limits::INSTANCES + 1,
        ..puppet("liar", 11)
    };
    node.hear(
        &liar,
        Message::Ping {
            seq: 1,
            target: Instance(100),
        },
        &[],
    );
    assert_eq!((node.sent(), node.node.stats().dropped.absurd), (vec![], 1));
}

/// One that was lied to first believes it, until it hears the member itself.
#[test]
fn a_first_word_that_is_absurd_gives_way_to_the_member_itself() {
    let (liar, victim) = (puppet("liar", 11), puppet("victim", 12));
    let forged = Puppet {
        incarnation: u32::MAX,
        ..puppet("victim", 66)
    };
    let mut node = Driven::new();
    node.meet(&[&liar]);
    node.hear(&liar, Message::Gossip, &[Update::Record(forged.record())]);
    let held = |node: &Driven| node.node.member("victim").map(|held| held.addr);
    assert_eq!(held(&node), Some(forged.addr), "nothing better is known");
    node.actions();
    node.hear(&victim, Message::Gossip, &[]);
    assert_eq!(held(&node), None);
    let pulls: Vec<SocketAddr> = node.connects().into_iter().map(|(_, to)| to).collect();
    assert_eq!(pulls, [victim.addr]);
    node.hear(&victim, Message::Gossip, &[Update::Record(victim.record())]);
    assert_eq!(held(&node), Some(victim.addr));
}

/// To those that are no coordinator a goodbye by hearsay is a hint, which its subject takes back.
#[test]
fn a_forged_goodbye_is_taken_back_by_one_word_of_its_subject() {
    let (liar, victim) = (puppet("liar", 11), puppet("victim", 12));
    let mut node = Driven::new();
    node.meet(&[&liar, &victim]);
    for said in [0, 9] {
        let forged = claim("victim", 1012, said, Status::Left, "victim");
        node.hear(&liar, Message::Gossip, &[forged]);
        assert_eq!(node.state("victim"), "left");
        let again = Puppet {
            incarnation: said + 1,
            ..victim.clone()
        };
        node.hear(&again, Message::Gossip, &[Update::Record(again.record())]);
        assert_eq!(node.state("victim"), "alive");
        let held = node.node.member("victim").expect("it is known");
        let life = (held.instance, held.incarnation);
        assert_eq!(life, (Instance(1012), Incarnation(said + 1)));
    }
    let told = [
        "victim unreachable, goodbye",
        "victim reachable",
        "victim unreachable, goodbye",
        "victim reachable",
    ];
    assert_eq!(node.events(), told);
}

/// It said goodbye at a version that is not known here; its older record comes late.
#[test]
fn a_goodbye_is_not_undone_by_what_was_said_before_it() {
    let (a, leaver) = (puppet("a", 11), puppet("leaver", 12));
    let mut node = Driven::new();
    node.meet(&[&a, &leaver]);
    let goodbye = claim("leaver", 1012, 5, Status::Left, "leaver");
    node.hear(&a, Message::Gossip, &[goodbye]);
    for incarnation in 0..=5 {
        let late = Puppet {
            incarnation,
            ..leaver.clone()
        };
        node.hear(&a, Message::Gossip, &[Update::Record(late.record())]);
        assert_eq!(node.state("leaver"), "left", "{incarnation}");
    }
    assert_eq!(node.events(), ["leaver unreachable, goodbye"]);
}

/// Whose word a goodbye is: of the member itself only in its own datagram, from where it is.
#[test]
fn only_a_goodbye_from_its_own_address_is_its_own() {
    let (liar, victim) = (puppet("liar", 11), puppet("victim", 12));
    let name = super::name("victim");
    let forged = claim("victim", 1012, 0, Status::Left, "victim");
    let elsewhere = Puppet {
        addr: liar.addr,
        ..victim.clone()
    };
    let other_life = Puppet {
        instance: 1011,
        ..victim.clone()
    };
    for (from, own) in [
        (&liar, false),
        (&elsewhere, false),
        (&other_life, false),
        (&victim, true),
    ] {
        let mut node = Driven::new();
        node.meet(&[&liar, &victim]);
        node.hear(from, Message::Gossip, std::slice::from_ref(&forged));
        assert_eq!(node.state("victim"), "left");
        assert_eq!(node.node.left_by_itself(&name), own, "{from:?}");
        // And that is over when it speaks again.
        let again = Puppet {
            incarnation: 1,
            ..victim.clone()
        };
        node.hear(&again, Message::Gossip, &[Update::Record(again.record())]);
        assert!(!node.node.left_by_itself(&name));
        let anew = claim("victim", 1012, 1, Status::Left, "victim");
        node.hear(&liar, Message::Gossip, &[anew]);
        assert!(!node.node.left_by_itself(&name), "{from:?}");
    }
}

#[test]
fn a_member_whose_clock_shows_more_than_there_may_be_does_not_start() {
    let start = |instance| {
        let identity = identity("me", 1, instance);
        Node::new(
            Config::lan(),
            identity,
            Memory::never_votes(),
            1,
            Time::ZERO,
        )
    };
    assert!(start(limits::INSTANCES).is_ok());
    let error = start(limits::INSTANCES + 1).expect_err("it is refused");
    assert!(error.to_string().contains("set the clock"), "{error}");
}

/// The next life of one whose clock is at the end is no later than the last.
#[test]
fn no_life_is_later_than_the_last() {
    let (mut node, a) = (Driven::new(), puppet("a", 11));
    node.meet(&[&a]);
    let goodbye = claim("me", limits::INSTANCES - 1, 0, Status::Left, "me");
    node.hear(&a, Message::Gossip, &[goodbye]);
    assert_eq!(node.node.identity().instance, Instance(limits::INSTANCES));
    node.wait(ms(100));
    assert_eq!(address(1), node.node.identity().addr);
}
