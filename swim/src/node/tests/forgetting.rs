//! Lost members are remembered for a time, forgotten together, and welcome when they come back.

use std::time::Duration;

use super::driven::{Driven, identity};
use super::puppets::{Puppet, Wired, puppet};
use super::suspecting::lose;
use super::{ms, name, secs};
use crate::config::Config;
use crate::limits;
use crate::members::Status;
use crate::wire::{Entry, Frame, Message, Update};

fn forgetful(forget_after: Duration) -> Config {
    Config {
        forget_after,
        ..Config::lan()
    }
}

/// A node that forgets after ten minutes, with `x` just lost and `a` and `b` well.
fn with_a_lost_one() -> (Driven, Puppet, Puppet, Puppet) {
    let (a, b, x) = (puppet("a", 11), puppet("b", 12), puppet("x", 13));
    let mut node = Driven::with(forgetful(secs(600)), identity("me", 1, 100));
    node.meet(&[&a, &b, &x]);
    lose(&mut node, &[&x], &[&a, &b]);
    (node, a, b, x)
}

/// `from` returns its table, in which `of` is lost for so long.
fn hear_lost(node: &mut Driven, from: &Puppet, of: &Puppet, lost_for_s: u32) {
    let stream = node.accept();
    let buckets = vec![0x5555];
    let pull = Frame::Pull {
        cluster: name("test"),
        record: from.record(),
        buckets,
    };
    node.read(stream, &pull);
    let members = vec![Entry {
        record: of.record(),
        status: Status::Unreachable,
        lost_for_s,
    }];
    node.read(
        stream,
        &Frame::State {
            from: name(from.name),
            buckets: vec![],
            members,
            last: true,
        },
    );
}

#[test]
fn a_lost_member_is_forgotten_after_its_time() {
    let (mut node, a, b, _) = with_a_lost_one();
    node.wait_among(&[&a, &b], secs(590));
    assert_eq!(node.state("x"), "unreachable");
    node.wait_among(&[&a, &b], secs(10));
    assert_eq!(node.state("x"), "none");
}

#[test]
fn a_table_that_still_has_a_forgotten_member_does_not_bring_it_back() {
    let (mut node, a, b, x) = with_a_lost_one();
    node.wait_among(&[&a, &b], secs(600));
    node.events();
    hear_lost(&mut node, &a, &x, 590);
    assert_eq!((node.state("x"), node.events()), ("none", vec![]));
}

#[test]
fn a_forgotten_member_that_is_alive_comes_back() {
    let (mut node, a, b, x) = with_a_lost_one();
    node.wait_among(&[&a, &b], secs(600));
    node.events();
    node.hear(&x, Message::Gossip, &[Update::Record(x.record())]);
    assert_eq!(
        (node.state("x"), node.events()),
        ("alive", vec!["x reachable".to_owned()])
    );
    // And is lost like any other afterwards.
    lose(&mut node, &[&x], &[&a, &b]);
    node.wait_among(&[&a, &b], secs(590));
    assert_eq!(node.state("x"), "unreachable");
}

#[test]
fn whoever_hears_later_of_a_lost_member_forgets_it_at_the_same_time() {
    let (mut node, a, b, _) = with_a_lost_one();
    let old = puppet("old", 14);
    hear_lost(&mut node, &a, &old, 400);
    assert_eq!(node.events(), ["old unreachable, told by a"]);
    node.wait_among(&[&a, &b], secs(199));
    assert_eq!(node.state("old"), "unreachable");
    node.wait_among(&[&a, &b], secs(2));
    assert_eq!(node.state("old"), "none");
}

#[test]
fn a_member_lost_for_longer_than_it_is_remembered_is_no_news() {
    let (mut node, a, ..) = with_a_lost_one();
    hear_lost(&mut node, &a, &puppet("old", 14), 600);
    assert_eq!((node.state("old"), node.events()), ("none", vec![]));
}

#[test]
fn how_long_a_member_was_lost_is_passed_on() {
    let (mut node, a, b, _) = with_a_lost_one();
    hear_lost(&mut node, &a, &puppet("old", 14), 400);
    node.wait_among(&[&a, &b], secs(50));
    node.calm();
    let stream = node.accept();
    let pull = Frame::Pull {
        cluster: name("test"),
        record: b.record(),
        buckets: vec![0x5555],
    };
    node.read(stream, &pull);
    let (frames, _) = node.frames(stream);
    let [Frame::State { ref members, .. }] = frames[..] else {
        panic!("one state")
    };
    let lost_for = |of: &str| {
        let told = members
            .iter()
            .find(|entry| entry.record.name.as_str() == of);
        told.map(|entry| entry.lost_for_s)
    };
    assert_eq!([lost_for("old"), lost_for("a")], [Some(450), Some(0)]);
    assert!(
        matches!(lost_for("x"), Some(50..=56)),
        "{:?}",
        lost_for("x")
    );
}

/// Members that came at different times agree on who is forgotten, and compare no tables meanwhile.
#[test]
fn a_joiner_does_not_keep_a_lost_member_alive() {
    let mut wired = Wired::default();
    let config = || forgetful(secs(600));
    for (host, of) in [(1, "a"), (2, "b"), (3, "x")] {
        let node = Driven::with(config(), identity(of, host, 100));
        wired.add(node, (host > 1).then_some(1));
    }
    wired.wait(secs(10));
    wired.cut.push(wired.nodes[2].node.identity().addr);
    wired.dead.push(2);
    wired.wait(secs(500));
    wired.add(Driven::with(config(), identity("late", 4, 100)), Some(1));
    assert_eq!(wired.nodes[3].state("x"), "unreachable");
    wired.wait(secs(130));
    let pulls = |wired: &Wired| -> u64 {
        [0, 1, 3]
            .map(|at: usize| wired.nodes[at].node.stats().pulls)
            .iter()
            .sum()
    };
    let before = pulls(&wired);
    wired.wait(limits::TOMBSTONE / 24);
    for at in [0, 1, 3] {
        assert_eq!(wired.nodes[at].state("x"), "none", "at {at}");
        assert_eq!(wired.nodes[at].node.members().count(), 3);
    }
    let mine = pulls(&wired) - before;
    // Seeds are looked at now and then, without a stream while they answer.
    assert!(
        mine <= 2,
        "{mine} pulls in an hour in which nothing changed"
    );
}

#[test]
fn a_departed_member_is_remembered_for_a_day() {
    let (mut node, a, b, _) = with_a_lost_one();
    let gone = super::claim("b", b.instance, b.incarnation, Status::Left, "b");
    node.hear(&b, Message::Gossip, &[gone]);
    assert_eq!(node.events(), ["b unreachable, goodbye"]);
    node.hear(&a, Message::Gossip, &[Update::Record(b.record())]);
    assert_eq!(node.state("b"), "left", "old news do not bring it back");
    node.wait_among(&[&a], limits::TOMBSTONE - ms(1));
    assert_eq!(node.state("b"), "left");
    node.wait_among(&[&a], ms(1));
    assert_eq!(node.state("b"), "none");
}

/// It may have been started again, and its seeds may be gone.
#[test]
fn who_was_lost_last_is_contacted_every_other_time() {
    let names = ["a", "u", "v", "w", "x", "y", "z"];
    let puppets = names.map(|name| puppet(name, 11 + u16::from(name.as_bytes()[0])));
    let others: Vec<&Puppet> = puppets.iter().collect();
    let mut node = Driven::with(forgetful(secs(100_000)), identity("me", 1, 100));
    node.meet(&others);
    for lost in 1..others.len() {
        let well = [&others[..1], &others[lost + 1..]].concat();
        lose(&mut node, &[others[lost]], &well);
    }
    node.wait_among(&others[..1], secs(20_000));
    let sent = node.sent();
    let contacts = |of: &Puppet| sent.iter().filter(|sent| sent.to == of.addr).count();
    let all: usize = others[1..].iter().map(|of| contacts(of)).sum();
    assert!(all > 400, "{all} in all");
    let last = contacts(&puppets[6]) * 100 / all;
    assert!((45..75).contains(&last), "{last} % to the last");
    for before in &others[1..6] {
        let share = contacts(before) * 100 / all;
        assert!((4..15).contains(&share), "{share} % to {}", before.name);
    }
}
