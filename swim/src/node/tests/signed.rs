//! Who has the key of the cluster can say anything, but not what only a voter can: views and
//! letters that no voter signed change nothing.

use std::sync::Arc;

use super::agreed::{VIEW, founder, outlook, voting};
use super::driven::Driven;
use super::hearsay::{LINEAGE, asks, following, head, hear, shows, signed, standing};
use super::puppets::{Puppet, puppet};
use super::{claim, name, secs};
use crate::Quorum;
use crate::coordinator::{
    Change, Cut, Lineage, Postmark, Roster, RosterHead, Said, Signature, View, VoterId, VoterKey,
    key_of,
};
use crate::limits;
use crate::members::{Incarnation, Instance, Record, Status};
use crate::node::StreamId;
use crate::node::voting::encode_roster;
use crate::wire::{Errand, Frame, LineageTag, Message, Outlook, Update};

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
        .filter_map(|message| {
            let Message::Errand(Errand::Cut { signature, .. }) = message else {
                return None;
            };
            Some(signature)
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

/// `a`, that votes, writes to one that votes with it and `b`: nothing that is a letter, so that it
/// is found malformed once it is read. What was found forged, replayed and malformed since.
struct Writing {
    node: Driven,
    a: Puppet,
}

impl Writing {
    const BYTES: [u8; 9] = [0xff; 9];

    fn new() -> Writing {
        let (a, b) = (puppet("a", 11), puppet("b", 12));
        let node = voting(&[&a, &b]);
        Writing { node, a }
    }

    fn said(configuration: u32, to: &str, postmark: Postmark) -> Said {
        let (lineage, to) = (super::agreed::LINEAGE, key_of(to).id());
        Said::letter(lineage, configuration, to, postmark, &Writing::BYTES)
    }

    fn write(&mut self, postmark: Postmark, signature: Signature) -> (u64, u64, u64) {
        let before = self.dropped();
        let letter = Message::Errand(Errand::Letter {
            configuration: 3,
            postmark,
            bytes: Writing::BYTES.to_vec(),
            signature,
        });
        let digest = self.node.node.digest();
        let datagram = self
            .a
            .datagram_showing(outlook(VIEW.0), digest, &letter, &[]);
        let from = self.a.addr;
        self.node
            .call(|node, now| node.handle_datagram(from, &datagram, now));
        let after = self.dropped();
        (after.0 - before.0, after.1 - before.1, after.2 - before.2)
    }

    fn dropped(&self) -> (u64, u64, u64) {
        let dropped = &self.node.node.stats().dropped;
        (dropped.forged, dropped.replayed, dropped.malformed)
    }
}

fn mark(instance: u64, number: u64) -> Postmark {
    Postmark {
        instance: Instance(instance),
        number,
        by_stream: false,
    }
}

#[test]
fn a_letter_that_its_voter_did_not_sign_is_not_read() {
    let mut writing = Writing::new();
    let mark = mark(1011, 1);
    let said = |configuration, to| Writing::said(configuration, to, mark);
    for (about, signature) in [
        ("nobody signed", Signature::made_up()),
        ("by another", key_of("b").sign(&said(3, "me"))),
        ("to another", key_of("a").sign(&said(3, "b"))),
        ("of before", key_of("a").sign(&said(2, "me"))),
    ] {
        assert_eq!(writing.write(mark, signature), (1, 0, 0), "{about}");
    }
    let signature = key_of("a").sign(&said(3, "me"));
    assert_eq!(writing.write(mark, signature), (0, 0, 1), "it is read");
}

/// Each letter is read once, whoever says it again, and none of a former life of its writer.
#[test]
fn a_letter_is_read_once() {
    let mut writing = Writing::new();
    let mut write = |mark: Postmark| {
        let signature = key_of("a").sign(&Writing::said(3, "me", mark));
        writing.write(mark, signature)
    };
    let (read, again) = ((0, 0, 1), (0, 1, 0));
    assert_eq!(write(mark(1011, 7)), read);
    assert_eq!(write(mark(1011, 7)), again);
    assert_eq!(write(mark(1011, 5)), read, "they may come in another order");
    assert_eq!(write(mark(1011, 5)), again);
    assert_eq!(write(mark(1012, 1)), read, "the next life counts anew");
    assert_eq!(write(mark(1010, 9)), again, "an older one is over");
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

/// Whether it asks this one now; with the stream.
fn asked_now(node: &mut Driven, whom: &Puppet) -> Option<StreamId> {
    let asked = node.connects();
    let (stream, _) = asked.into_iter().find(|(_, to)| *to == whom.addr)?;
    node.connected(stream);
    node.frames(stream);
    Some(stream)
}

/// It says so itself, whatever was said of it.
fn is_there(node: &mut Driven, puppet: &mut Puppet) {
    puppet.incarnation += 10;
    let record = Record {
        voter: key_of(puppet.name).id(),
        ..puppet.record()
    };
    node.hear(puppet, Message::Gossip, &[Update::Record(record)]);
}

#[test]
fn who_hears_of_a_quorum_takes_a_whole_roster_from_a_voter_only() {
    let (mut node, mut a) = following();
    let liar = puppet("b", 12);
    node.meet(&[&liar]);
    node.wait_among(&[&a, &liar], secs(60));
    for by in [None, Some(key_of("b"))] {
        let forged = node.node.stats().dropped.forged;
        is_there(&mut node, &mut a);
        let (stream, _) = asks(&mut node, &liar, far_ahead());
        assert_eq!(node.node.quorum(node.now), Quorum::Held);
        assert_eq!(tell_roster(&mut node, stream, by.as_ref()), View(7));
        assert_eq!(node.node.stats().dropped.forged, forged + 1);
        // It asks at once one that can sign, and no other when that one does not.
        let stream = asked_now(&mut node, &a).expect("it asks a voter");
        assert_eq!(tell_roster(&mut node, stream, None), View(7));
        assert_eq!(asked_now(&mut node, &a), None);
    }
    is_there(&mut node, &mut a);
    let (stream, _) = asks(&mut node, &liar, far_ahead());
    tell_roster(&mut node, stream, None);
    let stream = asked_now(&mut node, &a).expect("it asks a voter");
    let told = tell_roster(&mut node, stream, Some(&key_of("a")));
    assert_eq!(told, View(900));
}

/// As one that joins: it knows nobody whom it could ask. But who has just been started, or follows
/// since a moment ago, has not lost sight of anything.
#[test]
fn who_has_lost_sight_of_the_quorum_believes_whom_it_finds() {
    let (mut node, a) = following();
    assert_ne!(node.node.quorum(node.now), Quorum::Held);
    let (stream, _) = asks(&mut node, &a, shows(LINEAGE, 900));
    assert_eq!(tell_roster(&mut node, stream, None), View(7), "too soon");
    node.sleep(secs(60));
    let (stream, _) = asks(&mut node, &a, shows(LINEAGE, 900));
    assert_eq!(tell_roster(&mut node, stream, None), View(900));
}

/// All voters that it knew were replaced while it was away, and it hears of a quorum again.
#[test]
fn who_knows_no_voter_that_answers_believes_whom_it_finds() {
    let (mut node, a) = following();
    let b = puppet("b", 12);
    node.meet(&[&b]);
    node.sleep(secs(60));
    let gone = claim("a", a.instance, 0, Status::Left, "a");
    node.hear(&b, Message::Gossip, &[gone]);
    let (stream, _) = asks(&mut node, &b, far_ahead());
    assert_eq!(tell_roster(&mut node, stream, None), View(7), "too soon");
    node.wait_among(&[&b], secs(20));
    let (stream, _) = asks(&mut node, &b, far_ahead());
    assert_eq!(node.node.quorum(node.now), Quorum::Held);
    assert_eq!(tell_roster(&mut node, stream, None), View(900));
}

/// A voter has promised something to others: it follows nobody that none of them stands for.
#[test]
fn a_voter_believes_nobody_as_long_as_another_answers() {
    let mut a = puppet("a", 11);
    let mut node = voting(&[&a]);
    node.wait_among(&[&a], secs(60));
    is_there(&mut node, &mut a);
    assert_ne!(node.node.quorum(node.now), Quorum::Held);
    let roster = node.node.agreed.roster().expect("it has one").clone();
    let mut ahead = roster.clone();
    ahead.head.view = View(VIEW.0 + 900);
    node.call(|node, now| node.consider(ahead.clone(), None, now));
    assert_eq!(node.node.agreed.view(), VIEW);
    assert_eq!(node.node.stats().dropped.forged, 1);
    let said = Said::roster(ahead.head.lineage, ahead.head.view, &encode_roster(&ahead));
    let signature = key_of("a").sign(&said);
    node.call(|node, now| node.consider(ahead.clone(), Some(signature), now));
    assert_eq!(node.node.agreed.view(), ahead.head.view);
}

/// Those that are left may all be as far behind as it is: the others decided that others vote, and
/// are gone since.
#[test]
fn a_voter_believes_whom_it_finds_when_too_few_are_there_to_decide() {
    let (mut a, mut b, c) = (puppet("a", 11), puppet("b", 12), puppet("c", 13));
    let mut node = voting(&[&a, &b, &c]);
    node.wait_among(&[&a, &b, &c], secs(60));
    // The third one forgot what it had promised.
    is_there(&mut node, &mut a);
    is_there(&mut node, &mut b);
    let mut ahead = node.node.agreed.roster().expect("it has one").clone();
    ahead.head.view = View(VIEW.0 + 900);
    let considers = |node: &mut Driven| {
        node.call(|node, now| node.consider(ahead.clone(), None, now));
        node.node.agreed.view()
    };
    assert_eq!(considers(&mut node), VIEW);
    node.wait_among(&[&a, &b, &c], secs(20));
    assert_eq!(considers(&mut node), VIEW, "three of four are there");
    let gone = claim("b", b.instance, b.incarnation, Status::Left, "b");
    node.hear(&b, Message::Gossip, &[gone]);
    assert_eq!(considers(&mut node), VIEW, "too soon");
    node.wait_among(&[&a, &c], secs(20));
    assert!(node.node.agreed.voting.is_some());
    assert_eq!(considers(&mut node), View(VIEW.0 + 900));
    // What it was told may be made up, and others would believe its signature.
    assert!(node.node.agreed.voting.is_none(), "it votes no more");
    assert_eq!(node.node.agreed.voter, VoterId::NEVER);
    let me = node.node.table.get("me").expect("it knows itself");
    assert_eq!(me.statement.record.voter, VoterId::NEVER, "and says so");
}

/// Nobody else decides in its history: it was there when all of it was.
#[test]
fn who_votes_alone_believes_nobody() {
    let mut node = founder();
    node.sleep(secs(60));
    let mut ahead = node.node.agreed.roster().expect("it has one").clone();
    let view = ahead.head.view;
    ahead.head.view = View(view.0 + 900);
    node.call(|node, now| node.consider(ahead, None, now));
    assert_eq!(node.node.agreed.view(), view);
}

/// Nor does anybody go where no cluster comes.
#[test]
fn a_roster_too_far_ahead_is_absurd() {
    let (mut node, _) = following();
    node.sleep(secs(60));
    let mut ahead = node.node.agreed.roster().expect("it has one").clone();
    ahead.head.view = View(7 + limits::VIEWS_AHEAD + 1);
    let mut rebuilt = ahead.clone();
    rebuilt.head.lineage.generation += 1;
    for roster in [ahead, rebuilt] {
        node.call(|node, now| node.consider(roster, None, now));
    }
    assert_eq!(node.node.agreement(node.now).view, View(7));
    assert_eq!(node.node.stats().dropped.absurd, 2);
}

#[test]
fn who_can_signs_the_roster_that_it_tells_for_those_that_follow_it() {
    let whole = |node: &mut Driven, lineage: Option<Lineage>| {
        let stream = node.accept();
        let ask = Frame::Catch {
            cluster: name("test"),
            lineage,
            view: View(0),
        };
        node.read(stream, &ask);
        match node.frames(stream).0.pop() {
            Some(Frame::Roster { signature, .. }) => signature,
            other => panic!("no roster: {other:?}"),
        }
    };
    let (mut node, _) = following();
    assert_eq!(whole(&mut node, Some(LINEAGE)), None, "it never votes");
    let mut node = voting(&[&puppet("a", 11), &puppet("b", 12)]);
    assert_eq!(whole(&mut node, None), None, "who joins knows no voter");
    let lineage = Some(super::agreed::LINEAGE);
    let signature = whole(&mut node, lineage).expect("it votes");
    let roster = node.node.agreed.roster().expect("it has one");
    let said = Said::roster(roster.head.lineage, VIEW, &encode_roster(roster));
    assert_eq!(signature.voter(), key_of("me").id());
    assert!(signature.holds(&said));
}

/// Whoever has the key of the cluster can say of a voter that it has another number, its own.
#[test]
fn a_voter_keeps_its_number_in_the_life_in_which_it_was_named() {
    let a = puppet("a", 11);
    let mut node = voting(&[&a]);
    let mut roster = node.node.agreed.roster().expect("it has one").clone();
    roster.apply(&Cut {
        changes: vec![Change::Up {
            name: name("a"),
            instance: Instance(a.instance),
            removals: 0,
        }],
        ..Cut::default()
    });
    let since = roster.head.view;
    roster.apply(&Cut::default());
    let mut named = |base: View, instance: u64, incarnation: u32, says: VoterId| {
        let mut head = roster.head.clone();
        head.base = base;
        let standings = roster.standings().to_vec();
        let roster = Roster::from_parts(head, standings, Vec::new());
        node.node.agreed.history = None;
        node.node.begin_history(roster.expect("it fits together"));
        let record = Record {
            instance: Instance(instance),
            incarnation: Incarnation(incarnation),
            voter: says,
            ..a.record()
        };
        node.hear(&a, Message::Gossip, &[Update::Record(record)]);
        let candidates = node.node.voter_candidates(node.now);
        let found = candidates
            .into_iter()
            .find(|one| one.voter.name == name(a.name));
        found.map(|one| (one.voter.id, one.votes))
    };
    let (own, other) = (key_of("a").id(), key_of("liar").id());
    assert_eq!(named(since.next(), 1011, 1, other), Some((own, true)));
    assert_eq!(named(since.next(), 1011, 2, VoterId::NEVER), None);
    // A life that came after it was named has lost its memory, if it says so.
    assert_eq!(named(since, 1011, 3, other), Some((other, false)));
    assert_eq!(named(since.next(), 1012, 0, other), Some((other, false)));
}
