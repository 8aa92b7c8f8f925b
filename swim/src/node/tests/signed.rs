//! Who has the key of the cluster can say anything, but not what only a voter can: views and
//! letters that no voter signed change nothing.

use std::sync::Arc;

use super::agreed::{VIEW, outlook, voting};
use super::driven::Driven;
use super::hearsay::{LINEAGE, asks, following, head, hear, shows, signed, standing};
use super::puppets::{Puppet, puppet};
use super::{name, secs};
use crate::Quorum;
use crate::coordinator::{
    Change, Cut, Lineage, Roster, RosterHead, Said, Signature, View, VoterKey, key_of,
};
use crate::members::Instance;
use crate::node::StreamId;
use crate::node::voting::encode_roster;
use crate::wire::{Errand, Frame, LineageTag, Message, Outlook};

/// What a liar would have others believe.
fn removal_of(of: &str, instance: u64) -> Cut {
    Cut {
        changes: vec![Change::Left {
            name: name(of),
            instance: Instance(instance),
        }],
        ..Cut::default()
    }
}

fn push(node: &mut Driven, from: &Puppet, cut: &Cut, signature: Signature) -> View {
    let errand = Errand::Cut {
        view: View(8),
        cut: cut.encoded().to_vec(),
        signature,
    };
    hear(node, from, shows(LINEAGE, 7), &Message::Errand(errand));
    node.node.agreement(node.now).view
}

#[test]
fn a_view_that_no_voter_signed_is_none() {
    let (mut node, a) = following();
    let liar = puppet("b", 12);
    node.meet(&[&liar]);
    let cut = removal_of("a", 1011);
    let said = Said::cut(LINEAGE, View(8), &cut.encoded());
    let other_history = Lineage {
        generation: LINEAGE.generation + 1,
        ..LINEAGE
    };
    let wrong = [
        Signature::made_up(),
        // By a member that does not vote.
        key_of("b").sign(&said),
        // By a voter, and of something else.
        key_of("a").sign(&Said::cut(LINEAGE, View(9), &cut.encoded())),
        key_of("a").sign(&Said::cut(other_history, View(8), &cut.encoded())),
        key_of("a").sign(&Said::cut(LINEAGE, View(8), &Cut::default().encoded())),
        key_of("a").sign(&Said::roster(LINEAGE, View(8), &cut.encoded())),
    ];
    node.events();
    for (at, signature) in wrong.into_iter().enumerate() {
        // Whoever says it, a voter by its name as well.
        let from = if at % 2 == 0 { &liar } else { &a };
        assert_eq!(push(&mut node, from, &cut, signature), View(7), "{at}");
    }
    assert_eq!(node.node.stats().dropped.forged, 6);
    assert_eq!(node.events(), [] as [String; 0]);
    // The same by stream, the first of two right ones before it.
    let (stream, _) = asks(&mut node, &liar, shows(LINEAGE, 10));
    let mut cuts = signed(8, &[Cut::default(), cut.clone(), Cut::default()]);
    cuts[1].1 = wrong[1];
    let first = View(8);
    let lineage = LINEAGE;
    node.read(
        stream,
        &Frame::Cuts {
            lineage,
            first,
            cuts,
        },
    );
    assert_eq!(node.node.agreement(node.now).view, View(8));
    assert_eq!(node.node.stats().dropped.forged, 7);
}

/// Whoever passes a view on passes on whose word it is.
#[test]
fn a_signature_travels_with_its_view() {
    let (mut node, a) = following();
    let b = puppet("b", 12);
    node.meet(&[&b]);
    let cut = removal_of("x", 5);
    let signature = key_of("a").sign(&Said::cut(LINEAGE, View(8), &cut.encoded()));
    assert_eq!(push(&mut node, &a, &cut, signature), View(8));
    let passed_on: Vec<_> = node
        .messages_to(b.addr)
        .into_iter()
        .filter_map(|message| match message {
            Message::Errand(Errand::Cut { signature, .. }) => Some(signature),
            _ => None,
        })
        .collect();
    assert_eq!(passed_on, [signature]);
    let stream = node.accept();
    let ask = Frame::Catch {
        cluster: name("test"),
        lineage: Some(LINEAGE),
        view: View(7),
    };
    node.read(stream, &ask);
    let told = Frame::Cuts {
        lineage: LINEAGE,
        first: View(8),
        cuts: vec![(Arc::new(cut), signature)],
    };
    assert_eq!(node.frames(stream).0, [told]);
}

#[test]
fn a_letter_that_its_voter_did_not_sign_is_not_read() {
    let (a, b) = (puppet("a", 11), puppet("b", 12));
    let mut node = voting(&[&a, &b]);
    let lineage = super::agreed::LINEAGE;
    // No letter at all: it is found malformed once it is read.
    let bytes = vec![0xff; 9];
    let said = |configuration, to| Said::letter(lineage, configuration, to, &bytes);
    let (me, of_b) = (key_of("me").id(), key_of("b").id());
    let mut write = |signature: Signature| {
        let letter = Message::Errand(Errand::Letter {
            configuration: 3,
            bytes: bytes.clone(),
            signature,
        });
        let datagram = a.datagram_showing(outlook(VIEW.0), node.node.digest(), &letter, &[]);
        node.call(|node, now| node.handle_datagram(a.addr, &datagram, now));
        let dropped = &node.node.stats().dropped;
        (dropped.forged, dropped.malformed)
    };
    assert_eq!(write(Signature::made_up()), (1, 0));
    assert_eq!(write(key_of("b").sign(&said(3, me))), (2, 0), "by another");
    assert_eq!(
        write(key_of("a").sign(&said(3, of_b))),
        (3, 0),
        "to another"
    );
    assert_eq!(write(key_of("a").sign(&said(2, me))), (4, 0), "of before");
    assert_eq!(write(key_of("a").sign(&said(3, me))), (4, 1), "it is read");
}

/// A roster that is far ahead of the node's, in one frame; the view that it holds then.
fn tell_roster(node: &mut Driven, stream: StreamId, by: Option<&VoterKey>) -> View {
    let head = RosterHead {
        view: View(900),
        base: View(899),
        ..head(LINEAGE)
    };
    let standings = vec![standing("a", 1011), standing("me", 100)];
    let roster = Roster::from_parts(head.clone(), standings.clone(), Vec::new());
    let bytes = encode_roster(&roster.expect("it fits together"));
    let said = Said::roster(LINEAGE, View(900), &bytes);
    let frame = Frame::Roster {
        head: Box::new(head),
        standings,
        removed: Vec::new(),
        last: true,
        signature: by.map(|key| key.sign(&said)),
    };
    node.read(stream, &frame);
    node.node.agreement(node.now).view
}

/// Shows a view far ahead, and that a quorum was held just now.
fn far_ahead() -> Outlook {
    Outlook {
        lineage: LineageTag::of(LINEAGE),
        view: View(900),
        quorum_age: 0,
    }
}

#[test]
fn who_hears_of_a_quorum_takes_a_whole_roster_from_a_voter_only() {
    let (mut node, a) = following();
    let liar = puppet("b", 12);
    node.meet(&[&liar]);
    for by in [None, Some(key_of("b"))] {
        let forged = node.node.stats().dropped.forged;
        let (stream, _) = asks(&mut node, &liar, far_ahead());
        assert_eq!(node.node.quorum(node.now), Quorum::Held);
        assert_eq!(tell_roster(&mut node, stream, by.as_ref()), View(7));
        assert_eq!(node.node.stats().dropped.forged, forged + 1);
    }
    // It asks one that can sign, when it has not just asked.
    let (stream, _) = asks(&mut node, &liar, far_ahead());
    node.sleep(secs(2));
    tell_roster(&mut node, stream, None);
    let asked = node.connects();
    let to_voter = asked.iter().find(|(_, to)| *to == a.addr);
    let (stream, _) = to_voter.expect("it asks the voter");
    node.connected(*stream);
    assert_eq!(
        tell_roster(&mut node, *stream, Some(&key_of("a"))),
        View(900)
    );
}

/// As one that joins: it knows nobody whom it could ask.
#[test]
fn who_has_lost_sight_of_the_quorum_believes_whom_it_finds() {
    let (mut node, a) = following();
    assert_ne!(node.node.quorum(node.now), Quorum::Held);
    let (stream, _) = asks(&mut node, &a, shows(LINEAGE, 900));
    assert_eq!(tell_roster(&mut node, stream, None), View(900));
}

#[test]
fn only_a_voter_signs_the_roster_that_it_tells() {
    let whole = |node: &mut Driven| {
        let stream = node.accept();
        let ask = Frame::Catch {
            cluster: name("test"),
            lineage: None,
            view: View(0),
        };
        node.read(stream, &ask);
        match node.frames(stream).0.pop() {
            Some(Frame::Roster { signature, .. }) => signature,
            other => panic!("no roster: {other:?}"),
        }
    };
    let (mut node, _) = following();
    assert_eq!(whole(&mut node), None);
    let mut node = voting(&[&puppet("a", 11), &puppet("b", 12)]);
    let signature = whole(&mut node).expect("it votes");
    let roster = node.node.agreed.roster().expect("it has one");
    let said = Said::roster(roster.head.lineage, VIEW, &encode_roster(roster));
    assert_eq!(signature.voter(), key_of("me").id());
    assert!(signature.holds(&said));
}
