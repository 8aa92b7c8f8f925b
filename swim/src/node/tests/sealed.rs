//! A sealed node and what was recorded on its way: it takes what is for itself, once, of lives that
//! are not over.

use std::net::SocketAddr;
use std::time::Duration;

use super::agreed::{VIEW, outlook, voting};
use super::driven::{Driven, address};
use super::puppets::{KNOWS_NO_VIEW, Puppet, puppet};
use super::{name, secs};
use crate::Quorum;
use crate::members::{Instance, NameHash};
use crate::node::Node;
use crate::wire::sealing::{Key, Keyring, Plaintext, Seal};
use crate::wire::{Errand, Message, Outlook, Question, Update};

fn keys() -> Option<Keyring> {
    Some(Keyring::new(1, vec![(Key::new([1; 32]), None)]).expect("a ring"))
}

/// The process of a member.
struct Process {
    puppet: Puppet,
    seal: Seal,
}

impl Process {
    fn of(puppet: &Puppet) -> Process {
        let mut entropy = [7; 32];
        entropy[..8].copy_from_slice(&puppet.instance.to_le_bytes());
        let mut seal = Seal::new(name("test"), entropy);
        seal.set(keys(), Plaintext::Refuse);
        let puppet = puppet.clone();
        Process { puppet, seal }
    }

    /// What it says to a member.
    fn says(
        &mut self,
        to: &str,
        outlook: Outlook,
        message: &Message,
        updates: &[Update],
    ) -> Vec<u8> {
        let puppet = &self.puppet;
        let mut bytes = puppet.datagram_showing(outlook, 0, message, updates);
        self.seal
            .seal_datagram(puppet.name, NameHash::of(to), &mut bytes);
        bytes
    }

    fn pings(&mut self, to: &str) -> Vec<u8> {
        let (seq, target) = (1, Instance(100));
        self.says(to, KNOWS_NO_VIEW, &Message::Ping { seq, target }, &[])
    }

    /// It shows what it knows of the views, and that the quorum is held.
    fn shows(&mut self, to: &str, view: u64) -> Vec<u8> {
        let outlook = Outlook {
            quorum_age: 0,
            ..outlook(view)
        };
        self.says(to, outlook, &Message::Gossip, &[])
    }
}

/// A datagram comes from there; whereto the node then sends any.
fn takes(node: &mut Driven, from: SocketAddr, datagram: &[u8]) -> Vec<SocketAddr> {
    node.node.handle_datagram(from, datagram, node.now);
    drained(node)
}

fn drained(node: &mut Driven) -> Vec<SocketAddr> {
    let mut buffer = Vec::new();
    let sent = std::iter::from_fn(|| node.node.poll_transmit(&mut buffer)).collect();
    node.actions
        .extend(std::iter::from_fn(|| node.node.poll_action()));
    while node.node.poll_event().is_some() {}
    sent
}

/// From now on it seals.
fn seal(mut node: Driven) -> Driven {
    node.node.set_keys(keys(), Plaintext::Refuse, node.now);
    drained(&mut node);
    node.actions();
    node
}

/// Time passes, in which it is woken.
fn wait(node: &mut Driven, duration: Duration) {
    let until = node.now + duration;
    while let Some(at) = node.deadline().filter(|at| *at <= until) {
        node.now = node.now.max(at);
        Node::handle_timeout(&mut node.node, node.now);
        drained(node);
    }
    node.now = until;
}

const OUTSIDER: u16 = 99;

#[test]
fn what_was_sealed_for_another_member_is_refused_and_not_answered() {
    let a = puppet("a", 11);
    let mut node = Driven::new();
    node.meet(&[&a]);
    let mut node = seal(node);
    let mut process = Process::of(&a);
    let from = address(OUTSIDER);
    for count in 1..4 {
        let recorded = process.pings("b");
        assert_eq!(takes(&mut node, from, &recorded), []);
        let stats = node.node.stats();
        assert_eq!((stats.dropped.forged, stats.datagrams_received), (count, 1));
    }
    let own = process.pings("me");
    assert_eq!(takes(&mut node, a.addr, &own), [a.addr]);
    assert_eq!(takes(&mut node, from, &own), [], "and once");
    assert_eq!(node.node.stats().dropped.replayed, 1);
}

/// A member that is cut off must come to know it, whatever an outsider recorded elsewhere.
#[test]
fn what_was_recorded_for_another_keeps_no_quorum_held() {
    for (to, held) in [("me", Quorum::Held), ("b", Quorum::Lost)] {
        let (a, b) = (puppet("a", 11), puppet("b", 12));
        let mut node = seal(voting(&[&a, &b]));
        let mut process = Process::of(&a);
        let current = process.shows("me", VIEW.0);
        takes(&mut node, a.addr, &current);
        assert_eq!(node.node.quorum(node.now), Quorum::Held);
        for _ in 0..60 {
            wait(&mut node, secs(1));
            let datagram = process.shows(to, VIEW.0);
            takes(&mut node, address(OUTSIDER), &datagram);
        }
        assert_eq!(node.node.quorum(node.now), held, "sealed for {to}");
    }
}

/// Of a sender that is in the table no process needs to have been heard.
#[test]
fn a_life_before_the_one_that_is_known_is_not_taken() {
    let a = puppet("a", 11);
    let mut node = Driven::new();
    node.meet(&[&a]);
    let mut node = seal(node);
    let old = Puppet {
        instance: a.instance - 1,
        ..a.clone()
    };
    let recorded = Process::of(&old).pings("me");
    assert_eq!(takes(&mut node, address(OUTSIDER), &recorded), []);
    assert_eq!(node.node.stats().dropped.replayed, 1);
    let now = Process::of(&a).pings("me");
    assert_eq!(takes(&mut node, a.addr, &now), [a.addr]);
    let next = Puppet {
        instance: a.instance + 1,
        ..a
    };
    let restarted = Process::of(&next).pings("me");
    assert_eq!(takes(&mut node, a.addr, &restarted), [a.addr]);
}

/// It asks whether the newer one lives, and must hear that it does.
#[test]
fn an_older_member_of_its_own_name_is_answered() {
    let old = Puppet {
        instance: 50,
        ..puppet("me", 44)
    };
    let mut node = seal(Driven::new());
    let asked = Process::of(&old).pings("me");
    assert_eq!(takes(&mut node, old.addr, &asked), [old.addr]);
}

/// What no life has been must keep no true one out.
#[test]
fn an_absurd_life_takes_nobodys_place() {
    let a = puppet("a", 11);
    let mut node = seal(Driven::new());
    let absurd = Puppet {
        instance: u64::MAX,
        ..a.clone()
    };
    let lie = Process::of(&absurd).pings("me");
    assert_eq!(takes(&mut node, a.addr, &lie), []);
    assert_eq!(node.node.stats().dropped.absurd, 1);
    let word = Process::of(&a).pings("me");
    assert_eq!(takes(&mut node, a.addr, &word), [a.addr]);
}

/// Two with one name: the older one may still be heard, and hears of the newer one, but what it
/// shows was so in a life that is over.
#[test]
fn what_an_older_life_shows_is_not_heeded() {
    let (a, b) = (puppet("a", 11), puppet("b", 12));
    let newer = Puppet {
        instance: a.instance + 1,
        ..puppet("a", 44)
    };
    let newer = Update::Record(newer.record());
    for (told, heeded) in [(vec![], true), (vec![newer], false)] {
        let mut node = voting(&[&a, &b]);
        node.wait(secs(60));
        node.hear(&b, Message::Gossip, &told);
        assert_eq!(node.node.quorum(node.now), Quorum::Lost);
        node.asks();
        node.sent();
        let (seq, target) = (1, Instance(100));
        let shown = Outlook {
            quorum_age: 0,
            ..outlook(VIEW.0 + 1)
        };
        let ping = Message::Ping { seq, target };
        let bytes = a.datagram_showing(shown, node.node.digest(), &ping, &[]);
        node.call(|node, now| node.handle_datagram(a.addr, &bytes, now));
        let held = node.node.quorum(node.now) == Quorum::Held;
        assert_eq!((held, node.asks().len() == 1), (heeded, heeded));
        assert_eq!(node.node.stats().dropped.stale, u64::from(!heeded));
        let sent = node.sent();
        let answer = sent.iter().find(|sent| sent.to == a.addr);
        let answer = answer.expect("it is answered");
        assert_eq!(answer.message, Message::Ack { seq });
        assert!(heeded || answer.updates == told, "and hears why");
    }
}

/// The errands of a life that is over are as old as what it shows; the letters of a voter are not.
#[test]
fn what_an_older_life_asks_for_is_not_done() {
    let (a, b) = (puppet("a", 11), puppet("b", 12));
    let newer = Puppet {
        instance: a.instance + 1,
        ..puppet("a", 44)
    };
    let mut node = voting(&[&a, &b]);
    node.hear(&b, Message::Gossip, &[Update::Record(newer.record())]);
    node.sent();
    let (seq, question) = (1, Question::Current);
    let asked = Message::Errand(Errand::Ask { seq, question });
    for (by, answers) in [(&a, 0), (&newer, 1)] {
        let bytes = by.datagram_showing(outlook(VIEW.0), node.node.digest(), &asked, &[]);
        node.call(|node, now| node.handle_datagram(by.addr, &bytes, now));
        let told = |message: &Message| matches!(message, Message::Errand(Errand::Told { .. }));
        let sent = node.messages_to(by.addr);
        assert_eq!(sent.iter().filter(|message| told(message)).count(), answers);
    }
}
