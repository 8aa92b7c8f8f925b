//! Two with one name: the newer stays, the older stops, never both.

use std::net::SocketAddr;

use super::driven::{Driven, address, identity};
use super::puppets::{Puppet, Wired, puppet};
use super::{claim, secs};
use crate::config::Config;
use crate::limits;
use crate::members::{Incarnation, Instance, Status};
use crate::node::{Lifecycle, Stop};
use crate::wire::{Message, Update};

/// A node that heard of a newer one with its name, and the number under which it asks that one.
fn asking() -> (Driven, Puppet, u32) {
    let (mut node, a) = (Driven::new(), puppet("a", 11));
    let namesake = Puppet {
        instance: 900,
        ..puppet("me", 44)
    };
    node.meet(&[&a]);
    node.hear(&a, Message::Gossip, &[Update::Record(namesake.record())]);
    let asked = node
        .sent()
        .into_iter()
        .find(|sent| sent.to == namesake.addr);
    let Some(Message::Ping {
        seq,
        target: Instance(900),
    }) = asked.map(|sent| sent.message)
    else {
        panic!("the namesake is asked for its life")
    };
    (node, namesake, seq)
}

#[test]
fn of_two_live_members_with_one_name_the_newer_stays() {
    let mut wired = Wired::default();
    let a = wired.add(Driven::with(Config::lan(), identity("a", 1, 100)), None);
    let old = wired.add(
        Driven::with(Config::lan(), identity("twin", 2, 500)),
        Some(1),
    );
    wired.wait(secs(10));
    let new = wired.add(
        Driven::with(Config::lan(), identity("twin", 3, 600)),
        Some(1),
    );
    wired.wait(secs(20));
    let taken = Stop::NameTaken {
        addr: address(3),
        instance: Instance(600),
    };
    assert_eq!(wired.nodes[old].stop, Some(taken));
    assert_eq!(wired.nodes[old].node.lifecycle(), Lifecycle::Removed);
    let events = wired.nodes[old].events();
    let removed = "twin removed, name taken by 600 at 192.0.2.3:7946".to_owned();
    assert_eq!(
        events.iter().filter(|event| **event == removed).count(),
        1,
        "{events:?}"
    );
    assert_eq!(wired.nodes[new].stop, None);
    assert_eq!(wired.nodes[new].node.identity().instance, Instance(600));
    let known = wired.nodes[a].node.member("twin").expect("it is a member");
    assert_eq!((known.addr, known.state.as_str()), (address(3), "alive"));
}

#[test]
fn the_namesake_that_answers_has_the_name() {
    let (mut node, namesake, seq) = asking();
    node.hear(&namesake, Message::Ack { seq }, &[]);
    let taken = Stop::NameTaken {
        addr: namesake.addr,
        instance: Instance(900),
    };
    assert_eq!(node.stop, Some(taken));
    assert_eq!(node.deadline(), None);
}

/// An ack of anything else proves nothing.
#[test]
fn only_the_answer_to_the_question_counts() {
    let (mut node, namesake, seq) = asking();
    node.hear(&namesake, Message::Ack { seq: seq + 1 }, &[]);
    let other_life = Puppet {
        instance: 899,
        ..namesake
    };
    node.hear(&other_life, Message::Ack { seq }, &[]);
    assert_eq!(
        (node.stop.clone(), node.node.lifecycle()),
        (None, Lifecycle::Member)
    );
}

#[test]
fn a_namesake_that_never_answers_is_gone_past() {
    let (mut node, namesake, _) = asking();
    let asked = |node: &mut Driven, to: SocketAddr| node.messages_to(to).len();
    node.wait(secs(1));
    assert_eq!(
        node.node.identity().instance,
        Instance(100),
        "it is asked again first"
    );
    assert_eq!(asked(&mut node, namesake.addr), 2);
    node.wait(secs(1));
    assert!(node.node.identity().instance > Instance(900));
    assert_eq!((node.stop.clone(), node.state("me")), (None, "alive"));
}

#[test]
fn somebody_else_at_the_namesakes_address_proves_it_gone() {
    let (mut node, namesake, seq) = asking();
    let stranger = Puppet {
        addr: namesake.addr,
        ..puppet("stranger", 44)
    };
    node.hear(&stranger, Message::Wrong { seq }, &[]);
    let new = node.node.identity().instance;
    assert!(new > Instance(900), "{new}");
    node.wait(secs(10));
    assert_eq!(node.node.identity().instance, new, "once");
}

/// The former life left under a clock that ran ahead: its goodbye cannot be taken back.
#[test]
fn a_goodbye_of_a_newer_life_is_gone_past() {
    let (mut node, a) = (Driven::new(), puppet("a", 11));
    node.meet(&[&a]);
    let goodbye = claim("me", 700, 3, Status::Left, "me");
    node.hear(&a, Message::Gossip, &[goodbye]);
    assert!(node.node.identity().instance > Instance(700));
    assert_eq!(node.node.me().incarnation, Incarnation(0));
    assert_eq!(node.state("me"), "alive");
}

/// It did not say that goodbye: one word takes it back, in the same life.
#[test]
fn a_goodbye_that_it_did_not_say_is_refuted() {
    let (mut node, a) = (Driven::new(), puppet("a", 11));
    node.meet(&[&a]);
    for said in [0, 7, 7 + limits::INCARNATIONS_AHEAD] {
        let forged = claim("me", 100, said, Status::Left, "me");
        node.hear(&a, Message::Gossip, &[forged]);
        let me = node.node.me();
        let expected = (Instance(100), Incarnation(said + 1));
        assert_eq!((me.instance, me.incarnation), expected);
        assert_eq!(node.state("me"), "alive");
    }
    assert_eq!(node.node.stats().refutations, 3);
    assert_eq!(node.node.health(), 0, "that speaks against nobody's health");
}

/// Nobody who knows it believes such a word, and it need not follow.
#[test]
fn what_is_absurd_of_this_member_is_counted_and_moves_nothing() {
    let ahead = limits::INCARNATIONS_AHEAD;
    let cases = [
        (100, ahead + 1),
        (100, u32::MAX),
        (101, ahead + 1),
        (limits::INSTANCES, u32::MAX),
        (limits::INSTANCES + 1, 0),
        (u64::MAX, 0),
    ];
    for (instance, incarnation) in cases {
        for status in [
            Status::Alive,
            Status::Suspect,
            Status::Unreachable,
            Status::Left,
        ] {
            let (mut node, a) = (Driven::new(), puppet("a", 11));
            node.meet(&[&a]);
            let said = claim("me", instance, incarnation, status, "a");
            node.hear(&a, Message::Gossip, &[said]);
            let me = node.node.me();
            let about = format!("{instance}.{incarnation} {status:?}");
            let unmoved = (Instance(100), Incarnation(0));
            assert_eq!((me.instance, me.incarnation), unmoved, "{about}");
            assert_eq!(node.node.stats().dropped.absurd, 1, "{about}");
            assert_eq!(node.sent(), vec![], "{about}");
        }
    }
}

/// Somebody took the last life there can be in its name: it takes that over.
#[test]
fn in_the_last_life_it_outranks_whoever_claims_it() {
    let (mut node, a) = (Driven::new(), puppet("a", 11));
    node.meet(&[&a]);
    for (host, incarnation) in [(1, 0), (44, 5), (0, 9), (44, 10)] {
        let forged = Puppet {
            instance: limits::INSTANCES,
            incarnation,
            ..puppet("me", host)
        };
        node.hear(&a, Message::Gossip, &[Update::Record(forged.record())]);
        let me = node.node.me();
        assert_eq!(me.instance, Instance(limits::INSTANCES));
        let rank = (me.incarnation, me.addr);
        assert!(
            rank > (Incarnation(incarnation), forged.addr) || host == 1,
            "{rank:?}"
        );
    }
    assert_eq!(node.stop, None);
}

#[test]
fn a_word_about_an_older_life_is_no_news() {
    let (mut node, a) = (Driven::new(), puppet("a", 11));
    node.meet(&[&a]);
    for status in [
        Status::Alive,
        Status::Suspect,
        Status::Unreachable,
        Status::Left,
    ] {
        node.hear(&a, Message::Gossip, &[claim("me", 99, 7, status, "a")]);
    }
    let me = node.node.me();
    assert_eq!(
        (me.instance, me.incarnation),
        (Instance(100), Incarnation(0))
    );
    assert_eq!(node.node.stats().refutations, 0);
}

/// Has a member refute what is as far ahead as anything is believed, until the last of it.
fn hear_up_to(node: &mut Driven, by: &Puppet, last: u32) {
    while node.node.me().incarnation.0 < last {
        let held = node.node.me().incarnation.0;
        let said = held.saturating_add(limits::INCARNATIONS_AHEAD).min(last);
        let accused = claim("me", 100, said, Status::Suspect, by.name);
        node.hear(by, Message::Gossip, &[accused]);
        if node.node.me().instance != Instance(100) {
            return;
        }
    }
}

/// The counter is at its end: a refutation there needs a new life.
#[test]
fn past_the_last_incarnation_a_new_life_begins() {
    let (mut node, a) = (Driven::new(), puppet("a", 11));
    node.meet(&[&a]);
    hear_up_to(&mut node, &a, u32::MAX);
    let me = node.node.me();
    assert_eq!(
        (me.instance, me.incarnation),
        (Instance(101), Incarnation(0))
    );
    assert_eq!(node.state("me"), "alive");
    node.hear(
        &a,
        Message::Ping {
            seq: 1,
            target: Instance(100),
        },
        &[],
    );
    assert!(
        node.sent()
            .iter()
            .any(|sent| sent.message == Message::Wrong { seq: 1 })
    );
}

#[test]
fn tags_past_the_last_incarnation_begin_a_new_life_too() {
    let (mut node, a) = (Driven::new(), puppet("a", 11));
    node.meet(&[&a]);
    hear_up_to(&mut node, &a, u32::MAX - 1);
    assert_eq!(node.node.me().incarnation, Incarnation(u32::MAX));
    assert_eq!(
        node.call(|node, now| node.set_tag("zone", "b", now)),
        Ok(())
    );
    let me = node.node.me();
    assert_eq!(
        (me.instance, me.incarnation),
        (Instance(101), Incarnation(0))
    );
    assert_eq!(me.tags.value("zone"), Some("b"));
}

/// Both have the same instance: only one of them may go past it.
#[test]
fn of_two_that_began_at_one_instant_the_one_that_counts_less_goes_past() {
    for (host, goes) in [(44, true), (0, false)] {
        let (mut node, a) = (Driven::new(), puppet("a", 11));
        let twin = Puppet {
            instance: 100,
            ..puppet("me", host)
        };
        node.meet(&[&a]);
        node.hear(&a, Message::Gossip, &[Update::Record(twin.record())]);
        assert_eq!(node.node.identity().instance > Instance(100), goes);
        assert_eq!(node.stop, None);
    }
}
