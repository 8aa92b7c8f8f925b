//! Suspicion, its confirmation, its end; refutation.

use super::driven::{Driven, address};
use super::puppets::{Puppet, puppet};
use super::{claim, fullest_tags, ms, name, secs};
use crate::detector::Purpose;
use crate::members::{Incarnation, Instance, Status};
use crate::node::StreamEnd;
use crate::time::Time;
use crate::wire::{Message, Update};

/// A node among three: a, b and c, who have said nothing yet of each other.
fn among_three() -> (Driven, Puppet, Puppet, Puppet) {
    let (a, b, c) = (puppet("a", 11), puppet("b", 12), puppet("c", 13));
    let mut node = Driven::new();
    node.meet(&[&a, &b, &c]);
    (node, a, b, c)
}

fn suspicion_ends(node: &Driven, of: &str) -> Time {
    let member = node.node.table.get(of).expect("it is a member");
    member.suspicion.as_ref().expect("it is suspect").deadline()
}

/// What is said of `of` in datagrams to anybody since the last look.
pub(super) fn said_of(node: &mut Driven, of: &str) -> Vec<Update> {
    let sent = node.sent().into_iter().flat_map(|sent| sent.updates);
    sent.filter(|update| subject(update) == of).collect()
}

fn subject(update: &Update) -> &str {
    match update {
        Update::Record(record) => record.name.as_str(),
        Update::Claim { name, .. } => name.as_str(),
    }
}

/// Makes `node` hold members for lost, as `others` tell, and forget that it was told.
pub(super) fn lose(node: &mut Driven, lost: &[&Puppet], others: &[&Puppet]) {
    let teller = others[0];
    let told = |node: &mut Driven, status| {
        for of in lost {
            node.hear(teller, Message::Gossip, &[claimed(of, status, teller.name)]);
        }
    };
    let before = node.sent.len();
    told(node, Status::Suspect);
    node.wait_answering(before, others, secs(6));
    told(node, Status::Unreachable);
    assert!(lost.iter().all(|of| node.state(of.name) == "unreachable"));
    node.calm();
}

pub(super) fn claimed(of: &Puppet, status: Status, by: &str) -> Update {
    claim(of.name, of.instance, of.incarnation, status, by)
}

#[test]
fn a_suspicion_of_a_third_is_confirmed_once_by_each_accuser() {
    let (mut node, a, b, c) = among_three();
    node.hear(&b, Message::Gossip, &[claimed(&a, Status::Suspect, "b")]);
    assert_eq!(node.events(), ["a suspect by b"]);
    let unconfirmed = suspicion_ends(&node, "a");
    node.hear(&c, Message::Gossip, &[claimed(&a, Status::Suspect, "b")]);
    assert_eq!(
        suspicion_ends(&node, "a"),
        unconfirmed,
        "the first accuser again, through c"
    );
    node.hear(&c, Message::Gossip, &[claimed(&a, Status::Suspect, "c")]);
    let confirmed = suspicion_ends(&node, "a");
    assert!(confirmed < unconfirmed);
    node.calm();
    node.hear(&c, Message::Gossip, &[claimed(&a, Status::Suspect, "c")]);
    assert_eq!(suspicion_ends(&node, "a"), confirmed);
    assert_eq!(node.events(), [""; 0], "a confirmation is no new event");
}

/// Lifeguard section IV-B: a confirmation that is news here is news to others.
#[test]
fn a_confirmation_is_passed_on() {
    let (mut node, a, b, c) = among_three();
    node.hear(&b, Message::Gossip, &[claimed(&a, Status::Suspect, "b")]);
    node.calm();
    node.hear(&c, Message::Gossip, &[claimed(&a, Status::Suspect, "c")]);
    node.wait(ms(50));
    let said = said_of(&mut node, "a");
    assert!(
        said.contains(&claimed(&a, Status::Suspect, "c")),
        "{said:?}"
    );
    node.calm();
    node.hear(&c, Message::Gossip, &[claimed(&a, Status::Suspect, "c")]);
    node.wait(ms(50));
    assert!(!said_of(&mut node, "a").contains(&claimed(&a, Status::Suspect, "c")));
}

#[test]
fn a_suspicion_that_is_not_refuted_ends_in_unreachable() {
    let (mut node, a, b, c) = among_three();
    let answering = [&b, &c];
    node.hear(&b, Message::Gossip, &[claimed(&a, Status::Suspect, "b")]);
    node.hear(&c, Message::Gossip, &[claimed(&a, Status::Suspect, "c")]);
    node.events();
    // Its own round for a buddy fails meanwhile: the third accuser.
    node.wait_among(&answering, ms(1600));
    let left = suspicion_ends(&node, "a").since(node.now);
    node.wait_among(&answering, left - ms(1));
    assert_eq!(node.state("a"), "suspect");
    node.wait_among(&answering, ms(1));
    assert_eq!(node.state("a"), "unreachable");
    let events = node.events();
    assert!(
        events.contains(&"a unreachable, accused by b c me".to_owned()),
        "{events:?}"
    );
    let said = said_of(&mut node, "a");
    assert!(
        said.contains(&claimed(&a, Status::Unreachable, "me")),
        "{said:?}"
    );
    let on_rings = |member: &crate::MemberInfo| member.name.as_str() == "a";
    let rings = node.node.rings();
    assert!(
        !rings
            .iter()
            .any(|ring| ring.successor.as_ref().is_some_and(on_rings))
    );
}

#[test]
fn a_newer_incarnation_refutes_a_suspicion() {
    let (mut node, a, b, _) = among_three();
    node.hear(&b, Message::Gossip, &[claimed(&a, Status::Suspect, "b")]);
    node.events();
    let same = Update::Record(a.record());
    node.hear(&b, Message::Gossip, &[same]);
    assert_eq!(
        node.state("a"),
        "suspect",
        "what was said before the suspicion refutes nothing"
    );
    let newer = Puppet {
        incarnation: 1,
        ..a
    };
    node.hear(&b, Message::Gossip, &[Update::Record(newer.record())]);
    assert_eq!(node.events(), ["a reachable"]);
    assert_eq!(node.state("a"), "alive");
}

#[test]
fn a_suspicion_of_an_older_version_is_no_news() {
    let (mut node, a, b, _) = among_three();
    let newer = Puppet {
        incarnation: 5,
        ..a
    };
    node.meet(&[&newer]);
    for old in [4, 0] {
        let claim = claim("a", newer.instance, old, Status::Suspect, "b");
        node.hear(&b, Message::Gossip, &[claim]);
    }
    let former = claim("a", newer.instance - 1, 9, Status::Unreachable, "b");
    node.hear(&b, Message::Gossip, &[former]);
    assert_eq!((node.state("a"), node.events()), ("alive", vec![]));
}

/// A claim tells that there is a record; the record itself is to be had from who told.
#[test]
fn a_claim_about_an_unknown_record_is_pulled() {
    for (of, instance, incarnation) in [("unknown", 1, 0), ("a", 1011, 1), ("a", 1012, 0)] {
        let (mut node, _, b, _) = among_three();
        let claim = claim(of, instance, incarnation, Status::Suspect, "c");
        node.hear(&b, Message::Gossip, &[claim]);
        let to: Vec<_> = node.connects().into_iter().map(|(_, to)| to).collect();
        assert_eq!(to, [b.addr], "{of} {instance} {incarnation}");
        assert_eq!(node.events(), [""; 0]);
    }
}

#[test]
fn whoever_is_suspected_is_told_at_once_and_with_every_ping() {
    let (mut node, a, ..) = among_three();
    let suspected = claimed(&a, Status::Suspect, "me");
    node.call(|node, now| node.probe(&name("a"), Purpose::Watch, now));
    node.wait_among(&[], ms(500));
    node.wait_among(&[], ms(1000));
    assert_eq!(node.state("a"), "suspect");
    let told = node
        .sent()
        .into_iter()
        .find(|sent| sent.to == a.addr && sent.updates.first() == Some(&suspected));
    assert!(matches!(
        told.expect("a ping that tells").message,
        Message::Ping { .. }
    ));
    node.calm();
    node.call(|node, now| node.probe(&name("a"), Purpose::Watch, now));
    let [ref ping] = node.sent()[..] else {
        panic!("one ping")
    };
    assert_eq!(ping.updates, [suspected]);
}

#[test]
fn whoever_pings_while_suspected_hears_it_with_the_ack() {
    let (mut node, a, b, c) = among_three();
    let hears = |node: &mut Driven, status| {
        node.calm();
        node.hear(
            &a,
            Message::Ping {
                seq: 7,
                target: Instance(100),
            },
            &[],
        );
        let [ref ack] = node.sent()[..] else {
            panic!("one ack")
        };
        assert_eq!(ack.message, Message::Ack { seq: 7 });
        assert_eq!(ack.updates, [claimed(&a, status, "me")]);
    };
    node.hear(&b, Message::Gossip, &[claimed(&a, Status::Suspect, "b")]);
    hears(&mut node, Status::Suspect);
    lose(&mut node, &[&a], &[&b, &c]);
    hears(&mut node, Status::Unreachable);
}

#[test]
fn a_refutation_goes_past_the_claim_and_rides_on_the_ack() {
    for status in [Status::Suspect, Status::Unreachable] {
        for (claimed, refuted) in [(0, 1), (7, 8)] {
            let (mut node, a, ..) = among_three();
            let claim = claim("me", 100, claimed, status, "a");
            node.hear(
                &a,
                Message::Ping {
                    seq: 7,
                    target: Instance(100),
                },
                &[claim],
            );
            let [ref ack] = node.sent()[..] else {
                panic!("one ack")
            };
            assert_eq!(ack.incarnation, Incarnation(refuted));
            let Some(Update::Record(record)) = ack.updates.first() else {
                panic!("the ack carries the record, not {:?}", ack.updates)
            };
            assert_eq!(
                (record.name.as_str(), record.incarnation),
                ("me", Incarnation(refuted))
            );
            assert_eq!((node.node.stats().refutations, node.node.health()), (1, 1));
        }
    }
}

/// No datagram holds this record: the ack says that there is a newer one, to be pulled.
#[test]
fn a_refutation_too_long_for_a_datagram_is_announced() {
    let (mut node, a, ..) = among_three();
    node.call(|node, now| node.set_tags(fullest_tags(), now));
    node.calm();
    let suspect = claim("me", 100, 1, Status::Suspect, "a");
    node.hear(
        &a,
        Message::Ping {
            seq: 7,
            target: Instance(100),
        },
        &[suspect],
    );
    let [ref ack] = node.sent()[..] else {
        panic!("one ack")
    };
    assert_eq!(ack.updates, [claim("me", 100, 2, Status::Alive, "me")]);
}

#[test]
fn a_claim_that_was_refuted_already_is_not_refuted_again() {
    let (mut node, a, ..) = among_three();
    let old = claim("me", 100, 0, Status::Suspect, "a");
    for _ in 0..3 {
        node.hear(&a, Message::Gossip, std::slice::from_ref(&old));
    }
    assert_eq!(node.node.me().incarnation, Incarnation(1));
    assert_eq!(node.node.stats().refutations, 1);
}

/// Whoever ended its own suspicion first tells the others, for whom the shortest time counts as
/// well.
#[test]
fn a_claim_of_unreachable_leaves_the_shortest_time_to_refute_it() {
    let (mut node, a, b, c) = among_three();
    node.hear(&b, Message::Gossip, &[claimed(&a, Status::Suspect, "b")]);
    let began = node.now;
    node.wait_among(&[&b, &c], ms(500));
    for teller in [&c, &b] {
        node.hear(
            teller,
            Message::Gossip,
            &[claimed(&a, Status::Unreachable, "c")],
        );
        assert_eq!(node.state("a"), "suspect");
        assert_eq!(
            suspicion_ends(&node, "a"),
            began + node.node.config().suspicion
        );
    }
}

#[test]
fn a_claim_of_unreachable_after_the_shortest_time_ends_the_suspicion() {
    let (mut node, a, b, c) = among_three();
    node.hear(&b, Message::Gossip, &[claimed(&a, Status::Suspect, "b")]);
    node.wait_among(&[&b, &c], secs(3));
    assert_eq!(node.state("a"), "suspect");
    node.events();
    node.hear(
        &c,
        Message::Gossip,
        &[claimed(&a, Status::Unreachable, "c")],
    );
    assert_eq!(node.events(), ["a unreachable, told by c"]);
}

/// A healed partition: the other half held us for lost. Who is well here gets the time to say so.
#[test]
fn a_member_thought_well_is_not_lost_on_hearsay() {
    let (mut node, a, b, _) = among_three();
    let said = claimed(&a, Status::Unreachable, "b");
    node.hear(&b, Message::Gossip, std::slice::from_ref(&said));
    assert_eq!(node.events(), ["a suspect by b"]);
    let left = suspicion_ends(&node, "a").since(node.now);
    assert_eq!(left, node.node.config().suspicion, "the shortest time");
}

/// A buddy corroborates at once instead of at its next turn.
#[test]
fn a_buddy_of_the_suspect_probes_it_at_once() {
    let (mut node, a, b, _) = among_three();
    node.hear(&b, Message::Gossip, &[claimed(&a, Status::Suspect, "b")]);
    let messages = node.messages_to(a.addr);
    assert!(
        matches!(messages[..], [Message::Ping { .. }]),
        "{messages:?}"
    );
}

#[test]
fn a_lost_member_that_answers_is_reachable_again() {
    let (mut node, a, b, c) = among_three();
    lose(&mut node, &[&a], &[&b, &c]);
    let back = Puppet {
        incarnation: 1,
        ..a
    };
    node.hear(&back, Message::Gossip, &[Update::Record(back.record())]);
    assert_eq!(node.events(), ["a reachable"]);
    assert!(
        node.node
            .rings()
            .iter()
            .any(|ring| ring.successor.is_some())
    );
}

#[test]
fn a_restart_at_another_address_replaces_the_old_life_at_once() {
    let (mut node, a, b, _) = among_three();
    let restarted = Puppet {
        instance: a.instance + 1,
        addr: address(44),
        ..a
    };
    node.hear(&b, Message::Gossip, &[Update::Record(restarted.record())]);
    assert_eq!(
        node.events(),
        ["a unreachable, superseded by 1012", "a reachable"]
    );
    let member = node.node.member("a").expect("it is a member");
    assert_eq!((member.addr, member.state.as_str()), (address(44), "alive"));
    // The old life hears that it is over, and from now on counts as stale.
    let old = puppet("a", 11);
    node.calm();
    node.hear(
        &old,
        Message::Ping {
            seq: 1,
            target: Instance(100),
        },
        &[],
    );
    let [ref ack] = node.sent()[..] else {
        panic!("one ack")
    };
    assert_eq!(ack.updates, [Update::Record(restarted.record())]);
    assert_eq!(node.node.stats().dropped.stale, 1);
}

/// A constant low rate, however many are lost (DESIGN guarantee 7).
#[test]
fn lost_members_are_contacted_one_at_a_time() {
    let puppets: Vec<Puppet> = (0..40)
        .map(|n| puppet(Box::leak(format!("p{n}").into_boxed_str()), 10 + n))
        .collect();
    let everybody: Vec<&Puppet> = puppets.iter().collect();
    let mut node = Driven::new();
    node.meet(&everybody);
    lose(&mut node, &everybody[1..], &everybody[..1]);
    node.wait_among(&everybody[..1], secs(20));
    node.sent();
    let mut contacts = 0;
    for _ in 0..30 {
        node.wait_among(&[&puppets[0]], secs(30));
        let pings = node.sent();
        contacts += pings
            .iter()
            .filter(|sent| matches!(sent.message, Message::Ping { .. }))
            .filter(|sent| sent.to != puppets[0].addr)
            .count();
    }
    assert!(
        (26..=34).contains(&contacts),
        "{contacts} contacts in thirty intervals"
    );
}

/// `by` holds it for gone, and its host has told these so.
fn refused(of: &Puppet, status: Status, by: &str, whom: &[&str]) -> Update {
    let mut update = claimed(of, status, by);
    if let Update::Claim { refused, .. } = &mut update {
        *refused = whom.iter().map(|whom| name(whom)).collect();
    }
    update
}

/// DESIGN 4.1: a refusal is strong evidence, and one observer's alone may be a firewall's.
#[test]
fn two_that_were_refused_end_a_suspicion_at_once() {
    let (mut node, a, b, c) = among_three();
    let answering = [&b, &c];
    let one = refused(&a, Status::Suspect, "b", &["b"]);
    node.hear(&b, Message::Gossip, &[claimed(&a, Status::Suspect, "b")]);
    node.hear(&b, Message::Gossip, std::slice::from_ref(&one));
    node.hear(&c, Message::Gossip, &[one]);
    let left = suspicion_ends(&node, "a").since(node.now);
    assert!(left > secs(2), "one, said twice");
    node.calm();
    let other = refused(&a, Status::Suspect, "c", &["c"]);
    node.hear(&c, Message::Gossip, &[other]);
    assert_eq!(suspicion_ends(&node, "a").since(node.now), ms(50));
    node.wait_among(&answering, ms(49));
    assert_eq!(node.state("a"), "suspect");
    let both = refused(&a, Status::Suspect, "c", &["b", "c"]);
    assert!(said_of(&mut node, "a").contains(&both), "it is passed on");
    node.wait_among(&answering, ms(1));
    assert_eq!(node.state("a"), "unreachable");
}

/// Who heard of it late, as of something that is over, need not wait for as long as without.
#[test]
fn what_two_met_is_told_of_an_unreachable_one_too() {
    let (mut node, a, b, _) = among_three();
    let over = refused(&a, Status::Unreachable, "b", &["b", "c"]);
    node.hear(&b, Message::Gossip, &[over]);
    assert_eq!(node.state("a"), "suspect", "it may refute");
    assert_eq!(suspicion_ends(&node, "a").since(node.now), ms(50));
}

#[test]
fn whoever_is_there_refutes_two_refusals() {
    let (mut node, mut a, b, c) = among_three();
    for by in [&b, &c] {
        let one = refused(&a, Status::Suspect, by.name, &[by.name]);
        node.hear(by, Message::Gossip, &[one]);
    }
    node.wait_among(&[&b, &c], ms(40));
    a.incarnation += 1;
    node.hear(&a, Message::Gossip, &[Update::Record(a.record())]);
    assert_eq!(node.state("a"), "alive");
    node.wait_among(&[&a, &b, &c], secs(5));
    let told = node.events();
    assert!(
        !told.iter().any(|told| told.starts_with("a unreachable")),
        "{told:?}"
    );
}

/// What a node met itself counts like what others met.
#[test]
fn its_own_refusal_is_told_as_one() {
    let (mut node, a, b, c) = among_three();
    node.hear(
        &b,
        Message::Gossip,
        &[refused(&a, Status::Suspect, "b", &["b"])],
    );
    node.calm();
    // A buddy's round for it may have begun with that.
    node.call(|node, now| node.probe(&name("a"), Purpose::Watch, now));
    node.call(|node, now| node.handle_refused(a.addr, now));
    let stream = node.connects().first().expect("a stream is tried").0;
    node.closed(stream, StreamEnd::Refused);
    assert!(suspicion_ends(&node, "a").since(node.now) <= ms(50));
    node.wait_among(&[&b, &c], ms(20));
    let both = refused(&a, Status::Suspect, "me", &["b", "me"]);
    assert!(said_of(&mut node, "a").contains(&both));
}

/// Whoever asks later why it is gone hears who said so.
#[test]
fn who_accused_an_unreachable_member_is_remembered_until_it_is_back() {
    let (mut node, mut a, b, c) = among_three();
    for by in [&b, &c] {
        let one = refused(&a, Status::Suspect, by.name, &[by.name]);
        node.hear(by, Message::Gossip, &[one]);
    }
    node.wait_among(&[&b, &c], ms(60));
    assert_eq!(node.state("a"), "unreachable");
    assert_eq!(node.node.accusers("a"), [name("b"), name("c")]);
    let over = refused(&a, Status::Unreachable, "me", &["b", "c"]);
    assert!(
        said_of(&mut node, "a").contains(&over),
        "it is told with the reason"
    );
    a.incarnation += 1;
    node.hear(&a, Message::Gossip, &[Update::Record(a.record())]);
    assert_eq!(node.state("a"), "alive");
    assert_eq!(node.node.accusers("a"), []);
}
