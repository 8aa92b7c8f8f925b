//! Beats: when they are sent, when they are wanted, and what follows when they do not come.

use std::collections::BTreeMap;
use std::time::Duration;

use super::driven::Driven;
use super::probing::crowd;
use super::puppets::{Puppet, pinged};
use super::{claim, ms, secs};
use crate::config::Config;
use crate::members::{Instance, Status};
use crate::node::RingPlace;
use crate::time::Time;
use crate::wire::Message;

/// A node among thirty, and its places on the rings.
pub(super) fn among_thirty() -> (Driven, Vec<Puppet>, Vec<RingPlace>) {
    let crowd = crowd(30);
    let mut node = Driven::new();
    node.meet(&crowd.iter().collect::<Vec<_>>());
    let rings = node.node.rings();
    (node, crowd, rings)
}

fn predecessor<'a>(crowd: &'a [Puppet], rings: &[RingPlace], ring: usize) -> &'a Puppet {
    let place = rings[ring].predecessor.as_ref().expect("there are others");
    let found = crowd.iter().find(|puppet| puppet.addr == place.addr);
    found.expect("all others are puppets")
}

/// A beat of `from` arrives. Gives when the next one is wanted.
fn beat(node: &mut Driven, from: &Puppet, ring: u8) -> u32 {
    let target = Instance(100);
    let beat = Message::Beat {
        seq: 9,
        target,
        ring,
    };
    node.sent();
    node.hear(from, beat, &[]);
    match node.messages_to(from.addr)[..] {
        [Message::BeatAck { seq: 9, next_ms }] => next_ms,
        ref other => panic!("one answer, not {other:?}"),
    }
}

/// DESIGN 4.1: a member's watchers do not ping it all at once.
#[test]
fn predecessors_are_told_to_come_one_after_the_other() {
    let (mut node, crowd, rings) = among_thirty();
    let period = Config::lan().period;
    // All of them come at once at first, and then when they were told to.
    let mut due: BTreeMap<usize, Time> = (0..3).map(|ring| (ring, node.now)).collect();
    let mut came: Vec<Time> = Vec::new();
    for _ in 0..9 {
        let (ring, at) = due.iter().min_by_key(|(_, at)| **at).expect("three rings");
        let (ring, at) = (*ring, *at);
        node.now = node.now.max(at);
        came.push(node.now);
        let from = predecessor(&crowd, &rings, ring);
        let next_ms = beat(&mut node, from, ring as u8);
        let wait = ms(next_ms.into());
        assert!(
            wait >= period / 2 - ms(1) && wait <= period * 3 / 2,
            "{wait:?}"
        );
        due.insert(ring, node.now + wait);
    }
    let gaps = came[3..].windows(2).map(|two| two[1].since(two[0]));
    for gap in gaps {
        let off = gap.abs_diff(period / 3);
        assert!(off <= ms(3), "{gap:?} from one beat to the next");
    }
}

#[test]
fn who_is_no_predecessor_on_that_ring_comes_as_it_likes() {
    let (mut node, crowd, rings) = among_thirty();
    let right = predecessor(&crowd, &rings, 1);
    let stranger = (crowd.iter())
        .find(|puppet| !(0..3).any(|ring| predecessor(&crowd, &rings, ring).addr == puppet.addr));
    let stranger = stranger.expect("most are strangers");
    assert!(beat(&mut node, right, 1) > 0);
    for ring in [0, 1, 2, 3, u8::MAX] {
        assert_eq!(beat(&mut node, stranger, ring), 0, "{ring}");
    }
}

/// The next beat on a ring after its successor has asked for it in `next_ms`.
fn next_beat(next_ms: u32, from_successor: bool) -> Duration {
    let (mut node, crowd, rings) = among_thirty();
    let successor = rings[0].successor.as_ref().expect("there are others");
    let others = crowd.iter().filter(|puppet| puppet.addr != successor.addr);
    let others: Vec<&Puppet> = others.collect();
    let beats = |node: &mut Driven| {
        let sent = node.sent().into_iter();
        let mut beats = sent.filter_map(|sent| {
            let Message::Beat { seq, ring: 0, .. } = sent.message else {
                return None;
            };
            assert_eq!(sent.to, successor.addr);
            Some(seq)
        });
        beats.next()
    };
    let seq = loop {
        let at = node.deadline().expect("beats go on for ever");
        node.wait_among(&others, at.since(node.now));
        if let Some(seq) = beats(&mut node) {
            break seq;
        }
    };
    let began = node.now;
    let other = crowd
        .iter()
        .find(|puppet| (puppet.addr == successor.addr) == from_successor);
    let ack = Message::BeatAck { seq, next_ms };
    node.hear(other.expect("there are both"), ack, &[]);
    loop {
        let at = node.deadline().expect("beats go on for ever");
        assert!(at.since(began) < secs(10), "no beat for ten seconds");
        node.wait_among(&others, at.since(node.now));
        if beats(&mut node).is_some() {
            return node.now.since(began);
        }
    }
}

#[test]
fn the_next_beat_goes_when_the_successor_asked_for_it() {
    let period = Config::lan().period;
    assert_eq!(next_beat(3_000, true), ms(3_000));
    assert_eq!(next_beat(5_500, true), ms(5_500));
    // Whatever it asks for, it is neither flooded nor left alone.
    assert_eq!(next_beat(1, true), period / 2);
    assert_eq!(next_beat(u32::MAX, true), period * 3 / 2);
    // It has no wish, or it was not asked.
    assert_eq!(next_beat(0, true), period);
    assert_eq!(next_beat(3_000, false), period);
}

/// Of many that are gone together some have lost all that watched them.
#[test]
fn whoever_is_watched_now_in_place_of_one_that_is_gone_is_asked_soon() {
    let quarter = Config::lan().period / 4;
    for at in 0..20 {
        let (mut node, crowd, rings) = among_thirty();
        let all: Vec<&Puppet> = crowd.iter().collect();
        node.wait_among(&all, ms(50 * at));
        let successor = rings[1].successor.clone().expect("there are others");
        let gone = crowd.iter().find(|puppet| puppet.addr == successor.addr);
        let gone = gone.expect("all others are puppets");
        let goodbye = claim(
            gone.name,
            gone.instance,
            gone.incarnation,
            Status::Left,
            gone.name,
        );
        node.hear(gone, Message::Gossip, &[goodbye]);
        let next = node.node.rings()[1].successor.clone();
        let next = next.expect("there are others").addr;
        assert_ne!(next, successor.addr);
        node.sent();
        node.wait_among(&all, quarter);
        let beats = node.messages_to(next).into_iter();
        let beats = beats.filter(|message| matches!(message, Message::Beat { ring: 1, .. }));
        assert_eq!(beats.count(), 1, "{at}");
    }
}

/// The beat that does not come is evidence too: one exchange proves both ends alive.
#[test]
fn whoever_comes_after_a_suspect_is_asked_at_once() {
    let (mut node, crowd, rings) = among_thirty();
    let everybody: Vec<&Puppet> = crowd.iter().collect();
    node.wait_among(&everybody, secs(10));
    let successor = |rings: &[RingPlace]| {
        let place = rings[0].successor.as_ref().expect("there are others");
        let found = crowd.iter().find(|puppet| puppet.addr == place.addr);
        found.expect("all others are puppets")
    };
    let suspect = successor(&rings);
    let accuser = crowd.iter().find(|puppet| puppet.addr != suspect.addr);
    let accuser = accuser.expect("there are thirty");
    let (of, instance) = (suspect.name, suspect.instance);
    let told = |status| claim(of, instance, suspect.incarnation, status, accuser.name);
    node.calm();
    node.hear(accuser, Message::Gossip, &[told(Status::Suspect)]);
    let asked: Vec<_> = node.sent().into_iter().map(|sent| sent.to).collect();
    // Who it is shows when the suspect is on no ring any more.
    let others: Vec<&Puppet> = crowd
        .iter()
        .filter(|puppet| puppet.addr != suspect.addr)
        .collect();
    node.wait_among(&others, secs(6));
    node.hear(accuser, Message::Gossip, &[told(Status::Unreachable)]);
    assert_eq!(node.state(of), "unreachable");
    let next = successor(&node.node.rings());
    assert!(asked.contains(&next.addr), "{asked:?} and {}", next.addr);
}

#[test]
fn a_predecessor_that_does_not_come_is_asked_right_after() {
    let (mut node, crowd, rings) = among_thirty();
    let (late, punctual) = (
        predecessor(&crowd, &rings, 0),
        predecessor(&crowd, &rings, 1),
    );
    assert_ne!(late.addr, punctual.addr);
    let wanted = [(late, 0), (punctual, 1)].map(|(puppet, ring)| {
        let next_ms = beat(&mut node, puppet, ring);
        node.now + ms(next_ms.into())
    });
    let all: Vec<&Puppet> = crowd.iter().collect();
    let grace = Config::lan().probe_timeout_min * 2;
    let asked = |node: &mut Driven, whom: &Puppet, until: Time| {
        node.sent();
        let wait = until.since(node.now);
        node.wait_among(&all, wait);
        let sent = node.sent();
        let mut sent = sent.iter().filter(|sent| sent.to == whom.addr);
        sent.any(|sent| {
            matches!(sent.message, Message::Ping { .. }) && pinged(&sent.message).is_some()
        })
    };
    let mut looks = [(wanted[0], late, true), (wanted[1], punctual, false)];
    looks.sort_by_key(|(at, ..)| *at);
    for (at, whom, is_late) in looks {
        assert!(!asked(&mut node, whom, at + grace / 2), "not before");
        if !is_late {
            beat(&mut node, whom, 1);
        }
        assert_eq!(asked(&mut node, whom, at + grace + ms(2)), is_late);
    }
}
