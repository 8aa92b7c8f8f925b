//! What others tell of the agreed state: followed where it can be true, refused where it cannot.

use std::sync::Arc;

use super::driven::{Driven, identity};
use super::puppets::{KNOWS_NO_VIEW, Puppet, puppet};
use super::{ms, name, secs};
use crate::config::Config;
use crate::coordinator::{
    Change, Cut, Epoch, Evidence, Lineage, Office, Reason, Removal, Roster, RosterHead, Said,
    Signed, Standing, Testimony, Verdict, View, Voter, Voters, key_of,
};
use crate::limits;
use crate::members::Instance;
use crate::node::cutting::weight;
use crate::node::voting::encode_roster;
use crate::node::{Memory, RecoverError, StreamId};
use crate::wire::{Errand, Frame, LineageTag, Message, Outlook, Update};

pub(super) const LINEAGE: Lineage = Lineage {
    family: 5,
    generation: 3,
};

/// The head of a roster at view 7, of which the stranger `a` decides.
pub(super) fn head(lineage: Lineage) -> RosterHead {
    RosterHead {
        lineage,
        view: View(7),
        office: Some(Office {
            epoch: Epoch(2),
            coordinator: name("a"),
            instance: Instance(1011),
        }),
        voters: voters(4),
        base: View(6),
        chain: 1,
    }
}

fn voters(configuration: u32) -> Voters {
    let a = Voter {
        name: name("a"),
        id: key_of("a").id(),
    };
    Voters {
        configuration,
        voters: vec![a],
    }
}

pub(super) fn standing(of: &str, instance: u64) -> Standing {
    Standing {
        name: name(of),
        instance: Instance(instance),
        since: View(1),
        degraded: false,
        removals: 0,
    }
}

pub(super) fn shows(lineage: Lineage, view: u64) -> Outlook {
    Outlook {
        lineage: LineageTag::of(lineage),
        view: View(view),
        quorum_age: u8::MAX,
    }
}

/// `from` says something and shows what it knows.
pub(super) fn hear(node: &mut Driven, from: &Puppet, outlook: Outlook, message: &Message) {
    let bytes = from.datagram_showing(outlook, node.node.digest(), message, &[]);
    node.call(|node, now| node.handle_datagram(from.addr, &bytes, now));
}

/// What the node asks of `from`, that shows this, on which stream.
pub(super) fn asks(node: &mut Driven, from: &Puppet, outlook: Outlook) -> (StreamId, Frame) {
    node.wait(secs(3));
    node.actions();
    hear(node, from, outlook, &Message::Gossip);
    let connects = node.connects();
    let to = |(stream, to)| (to == from.addr).then_some(stream);
    let stream = connects.into_iter().find_map(to).expect("it catches up");
    node.connected(stream);
    let asked = node.frames(stream).0.pop().expect("it asks");
    (stream, asked)
}

/// `from` tells a whole roster; true when the node holds it then.
pub(super) fn follows(
    node: &mut Driven,
    from: &Puppet,
    head: RosterHead,
    standings: Vec<Standing>,
) -> bool {
    follows_with(node, from, head, standings, Vec::new())
}

fn follows_with(
    node: &mut Driven,
    from: &Puppet,
    head: RosterHead,
    standings: Vec<Standing>,
    removed: Vec<Removal>,
) -> bool {
    let (stream, _) = asks(node, from, shows(head.lineage, head.view.0));
    let (lists, lineage, view) = (
        (standings.clone(), removed.clone()),
        head.lineage,
        head.view,
    );
    let roster = Roster::from_parts(head.clone(), lists.0, lists.1);
    let said = roster.map(|roster| Said::roster(lineage, view, &encode_roster(&roster)));
    let told = Frame::Roster {
        head: Box::new(head.clone()),
        standings,
        removed,
        last: true,
        signature: said.map(|said| key_of("a").sign(&said)),
    };
    node.read(stream, &told);
    let agreement = node.node.agreement(node.now);
    (agreement.lineage, agreement.view) == (Some(head.lineage), head.view)
}

/// One that follows the roster of `a`, and `a`.
pub(super) fn following() -> (Driven, Puppet) {
    let mut node = Driven::new();
    let a = puppet("a", 11);
    node.meet(&[&a]);
    let members = vec![standing("a", 1011), standing("me", 100)];
    assert!(follows(&mut node, &a, head(LINEAGE), members));
    (node, a)
}

/// `from` pushes the bytes of the next cut; the node's view then, and what it found malformed.
fn pushed(node: &mut Driven, from: &Puppet, cut: Vec<u8>) -> (u64, u64) {
    let view = node.node.agreement(node.now).view;
    let message = Message::Errand(Errand::Cut {
        view: view.next(),
        signature: key_of("a").sign(&Said::cut(LINEAGE, view.next(), &cut)),
        cut,
    });
    hear(node, from, shows(LINEAGE, view.0), &message);
    let view = node.node.agreement(node.now).view;
    (view.0, node.node.stats().dropped.malformed)
}

/// Cuts that led to this view and the next ones, signed by `a`.
pub(super) fn signed(first: u64, cuts: &[Cut]) -> Vec<Signed> {
    let numbered = cuts.iter().zip(0..);
    numbered
        .map(|(cut, number)| {
            let view = View(first.saturating_add(number));
            let said = Said::cut(LINEAGE, view, &cut.encoded());
            (Arc::new(cut.clone()), key_of("a").sign(&said))
        })
        .collect()
}

fn encoded(cut: &Cut) -> Vec<u8> {
    postcard::to_stdvec(cut).expect("it serializes")
}

#[test]
fn one_that_is_behind_asks_and_follows() {
    let (mut node, a) = following();
    assert_eq!(node.node.member("a").map(|a| a.voter), Some(true));
    let (stream, asked) = asks(&mut node, &a, shows(LINEAGE, 9));
    let expected = Frame::Catch {
        cluster: name("test"),
        lineage: Some(LINEAGE),
        view: View(7),
    };
    assert_eq!(asked, expected);
    let cuts = signed(8, &[Cut::default(), Cut::default()]);
    node.read(
        stream,
        &Frame::Cuts {
            lineage: LINEAGE,
            first: View(8),
            cuts,
        },
    );
    assert_eq!(node.node.agreement(node.now).view, View(9));
}

#[test]
fn cuts_that_lead_elsewhere_change_nothing() {
    for first in [0, 6, 9, u64::MAX - 1, u64::MAX] {
        let (mut node, a) = following();
        let (stream, _) = asks(&mut node, &a, shows(LINEAGE, limits::VIEWS_AHEAD));
        let cuts = signed(first, &[Cut::default(), Cut::default()]);
        node.read(
            stream,
            &Frame::Cuts {
                lineage: LINEAGE,
                first: View(first),
                cuts,
            },
        );
        // Of those that overlap what is known, none is the next one.
        assert_eq!(node.node.agreement(node.now).view, View(7), "{first}");
    }
}

#[test]
fn a_cut_that_cannot_be_the_next_one_is_malformed() {
    let office = |epoch| Cut {
        office: Some(Office {
            epoch: Epoch(epoch),
            coordinator: name("a"),
            instance: Instance(1011),
        }),
        ..Cut::default()
    };
    let voting = |configuration| Cut {
        voters: Some(voters(configuration)),
        ..Cut::default()
    };
    let trailing = |cut: &Cut| [encoded(cut), vec![0]].concat();
    let cases = [
        (encoded(&Cut::default()), true),
        (trailing(&Cut::default()), false),
        (encoded(&office(3)), true),
        (encoded(&office(4)), false),
        (encoded(&office(u64::MAX)), false),
        (encoded(&voting(5)), true),
        (encoded(&voting(4)), false),
        (encoded(&voting(6)), false),
        (encoded(&voting(u32::MAX)), false),
    ];
    for (bytes, fits) in cases {
        let (mut node, a) = following();
        let about = format!("{bytes:?}");
        let expected = if fits { (8, 0) } else { (7, 1) };
        assert_eq!(pushed(&mut node, &a, bytes), expected, "{about}");
    }
}

#[test]
fn a_roster_of_numbers_that_cannot_be_is_malformed() {
    let spoils: [fn(&mut RosterHead); 4] = [
        |head| head.view = View(u64::MAX),
        |head| head.lineage.generation = u32::MAX,
        |head| head.voters.configuration = u32::MAX,
        |head| head.base = View(8),
    ];
    for spoil in spoils {
        let (mut node, a) = following();
        let mut head = head(Lineage {
            generation: 4,
            ..LINEAGE
        });
        spoil(&mut head);
        assert!(
            !follows(&mut node, &a, head.clone(), Vec::new()),
            "{head:?}"
        );
        assert_eq!(node.node.stats().dropped.malformed, 1, "{head:?}");
        assert_eq!(node.node.agreement(node.now).view, View(7));
    }
}

/// An answer may be as large as the roster: who asks over and over on one stream is cut off.
#[test]
fn who_asks_for_views_twice_on_one_stream_is_told_once() {
    let (mut node, _) = following();
    let stream = node.accept();
    let ask = Frame::Catch {
        cluster: name("test"),
        lineage: None,
        view: View(0),
    };
    node.read(stream, &ask);
    let (frames, closed) = node.frames(stream);
    assert!(matches!(frames[..], [Frame::Roster { last: true, .. }]));
    assert!(!closed, "it may still come to pull");
    node.read(stream, &ask);
    assert_eq!(node.frames(stream), (vec![], true));
    assert_eq!(node.node.stats().dropped.unexpected, 1);
}

/// A whole roster may come long after the view in which it was removed.
#[test]
fn one_that_learns_late_of_its_removal_says_in_which_view_it_was() {
    let (mut node, a) = following();
    node.events();
    let removed = Removal {
        name: name("me"),
        instance: Instance(100),
        view: View(9),
        verdict: Verdict::Dead,
        removals: 1,
    };
    let later = RosterHead {
        view: View(600),
        base: View(599),
        ..head(LINEAGE)
    };
    let members = vec![standing("a", 1011)];
    assert!(follows_with(&mut node, &a, later, members, vec![removed]));
    let told = node.events();
    assert!(told.contains(&"me removed in 9".to_owned()), "{told:?}");
}

/// Its life is the last that there can be: it learns of its removal and stays what it is.
#[test]
fn one_that_is_removed_in_its_last_life_stays_as_it_is() {
    let me = identity("me", 1, limits::INSTANCES);
    let mut node = Driven::with(Config::lan(), me);
    let a = puppet("a", 11);
    node.meet(&[&a]);
    let members = vec![standing("a", 1011), standing("me", limits::INSTANCES)];
    assert!(follows(&mut node, &a, head(LINEAGE), members));
    node.events();
    let gone = Change::Left {
        name: name("me"),
        instance: Instance(limits::INSTANCES),
    };
    let cut = Cut {
        changes: vec![gone],
        ..Cut::default()
    };
    assert_eq!(pushed(&mut node, &a, encoded(&cut)), (8, 0));
    assert_eq!(node.events(), ["me removed in 8"]);
    assert_eq!(node.node.me().instance, Instance(limits::INSTANCES));
}

/// What somebody knew of another history says nothing about the one that took its place.
#[test]
fn a_view_shown_in_an_older_history_does_not_hinder_recovery() {
    let me = identity("me", 1, 100);
    let memory = Memory::volatile(key_of("me"));
    let mut node = Driven::with_memory(Config::lan(), me, memory);
    // It has a seed that it never finds, so that it begins no history of its own.
    node.call(|node, now| node.join(&["n1:7946".to_owned()], now))
        .expect("a valid seed");
    let a = puppet("a", 11);
    node.meet(&[&a]);
    assert!(follows(&mut node, &a, head(LINEAGE), Vec::new()));
    hear(&mut node, &a, shows(LINEAGE, 900), &Message::Gossip);
    let recover = |node: &mut Driven| {
        let alive = node.node.members();
        let alive = alive.filter(|member| member.state == crate::State::Alive);
        let survivors: Vec<_> = alive.map(|member| member.name).collect();
        node.call(|node, now| node.recover(&survivors, now))
    };
    let behind = RecoverError::Behind {
        name: "a".to_owned(),
        view: View(900),
    };
    assert_eq!(recover(&mut node), Err(behind));
    let newer = Lineage {
        generation: 4,
        ..LINEAGE
    };
    let later = RosterHead {
        view: View(1007),
        base: View(1006),
        ..head(newer)
    };
    node.sleep(secs(60));
    assert!(follows(&mut node, &a, later, Vec::new()));
    node.hear(&a, Message::Gossip, &[Update::Record(a.record())]);
    assert_eq!(recover(&mut node), Ok(()));
    let agreement = node.node.agreement(node.now);
    // It took office and is a member of its own view.
    assert_eq!(agreement.view, View(2009));
    let generation = agreement.lineage.map(|held| held.generation);
    assert_eq!(generation, Some(1 << 16), "the first among no members");
}

#[test]
fn a_member_in_no_history_is_not_asked() {
    let (mut node, a) = following();
    node.wait(secs(3));
    node.actions();
    hear(&mut node, &a, KNOWS_NO_VIEW, &Message::Gossip);
    assert_eq!(node.connects(), []);
}

/// The room that a coordinator counts for a change is at least what it takes.
#[test]
fn no_change_takes_more_than_its_weight() {
    let longest = || name(&"n".repeat(limits::NAME_BYTES));
    for by in [name("b"), longest()] {
        for count in [0, 1, limits::TESTIMONIES] {
            for reason in [Reason::DegradedTooLong, Reason::Operator { at: by.clone() }] {
                let testimony = Testimony {
                    by: by.clone(),
                    asked: true,
                    finding: crate::coordinator::Finding::Unreached(crate::Silence::Replaced),
                    after_ms: u32::MAX,
                    weight: 100,
                };
                let change = Change::Dead {
                    name: by.clone(),
                    instance: Instance(u64::MAX),
                    removals: 1,
                    evidence: Arc::new(Evidence {
                        reason,
                        testimonies: vec![testimony; count],
                        took_ms: u32::MAX,
                    }),
                };
                let bytes = postcard::to_stdvec(&change).expect("it serializes").len();
                assert!(bytes <= weight(&change), "{bytes} bytes: {change:?}");
            }
        }
    }
}

/// A node that never votes has nothing to look for: it wakes for nothing.
#[test]
fn who_never_votes_does_not_look_whether_to_form_a_cluster() {
    let mut node = Driven::new();
    node.wait(ms(1));
    let reason = |node: &Driven| node.node.poll_timeout().map(|deadline| deadline.reason);
    for _ in 0..20 {
        assert_ne!(reason(&node), Some("found"));
        let at = node.deadline().expect("a live node has a deadline");
        node.wait(at - node.now);
    }
}
