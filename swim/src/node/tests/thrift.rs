//! What a new view and an accusation cost: nothing is asked, compared or said twice.

use super::agreed::founder;
use super::driven::Driven;
use super::hearsay::{LINEAGE, head, shows, signed, standing};
use super::puppets::{Puppet, puppet};
use super::suspecting::{claimed, said_of};
use super::{ms, name, secs};
use crate::coordinator::{Change, Cut, Epoch, Office, Roster, Said, View, key_of};
use crate::event::Silence;
use crate::members::{Instance, Status};
use crate::node::streams::Purpose;
use crate::node::{Node, StreamId};
use crate::time::Time;
use crate::wire::{Errand, Frame, Message, Update};

/// A digest that no table of these tests has.
const OTHER: u64 = 0x5555_5555_5555_5555;

/// One that follows the roster of `a` at view 7, which holds these and itself, and has been still.
pub(super) fn following_among(puppets: &[&Puppet]) -> Driven {
    let mut node = Driven::new();
    node.meet(puppets);
    let others = puppets
        .iter()
        .map(|puppet| standing(puppet.name, puppet.instance));
    let standings = others.chain([standing("me", 100)]).collect();
    let roster = Roster::from_parts(head(LINEAGE), standings, Vec::new()).expect("it can be");
    node.call(|node, now| node.adopt(roster, now));
    node.wait_among(puppets, secs(3));
    node.calm();
    node
}

/// `from` shows this view and this digest.
fn show(node: &mut Driven, from: &Puppet, view: u64, digest: u64, message: &Message) {
    let bytes = from.datagram_showing(shows(LINEAGE, view), digest, message, &[]);
    node.call(|node, now| node.handle_datagram(from.addr, &bytes, now));
}

/// The streams it opened since the last look: on which it asks for views, and on which it pulls.
fn opened(node: &mut Driven) -> (Vec<StreamId>, Vec<StreamId>) {
    let (mut catches, mut pulls) = (vec![], vec![]);
    for (stream, _) in node.connects() {
        match node.node.streams.purpose_mut(stream) {
            Some(Purpose::Catch(_)) => catches.push(stream),
            Some(Purpose::Pull(_)) => pulls.push(stream),
            Some(_) | None => {}
        }
    }
    (catches, pulls)
}

/// The cut that leads to view 8, as it is pushed.
fn next_cut() -> Message {
    let cut = Cut::default().encoded();
    Message::Errand(Errand::Cut {
        view: View(8),
        signature: key_of("a").sign(&Said::cut(LINEAGE, View(8), &cut)),
        cut: cut.to_vec(),
    })
}

#[test]
fn a_view_whose_cut_comes_along_is_not_asked_for() {
    let a = puppet("a", 11);
    let mut node = following_among(&[&a]);
    let digest = node.node.digest();
    show(&mut node, &a, 8, digest, &next_cut());
    assert_eq!(node.node.agreement(node.now).view, View(8));
    assert_eq!(opened(&mut node), (vec![], vec![]));
}

#[test]
fn who_is_behind_catches_up_and_compares_tables_at_the_same_view() {
    let a = puppet("a", 11);
    for same in [true, false] {
        let mut node = following_among(&[&a]);
        let theirs = if same { node.node.digest() } else { OTHER };
        show(&mut node, &a, 8, theirs, &Message::Errand(Errand::View));
        let (catches, pulls) = opened(&mut node);
        assert_eq!((catches.len(), pulls.len()), (1, 0));
        node.connected(catches[0]);
        let told = Frame::Cuts {
            lineage: LINEAGE,
            first: View(8),
            cuts: signed(8, &[Cut::default()]),
        };
        node.read(catches[0], &told);
        assert_eq!(node.node.agreement(node.now).view, View(8));
        let pulls = opened(&mut node).1.len();
        assert_eq!(pulls, usize::from(!same), "the same: {same}");
    }
}

/// It may get no answer from us in which it would see that it is behind.
#[test]
fn who_is_ahead_compares_tables_with_one_that_is_behind() {
    let a = puppet("a", 11);
    let mut node = following_among(&[&a]);
    show(&mut node, &a, 6, OTHER, &Message::Gossip);
    let (catches, pulls) = opened(&mut node);
    assert_eq!((catches.len(), pulls.len()), (0, 1));
}

#[test]
fn what_a_view_tells_is_not_gossiped() {
    let (a, b) = (puppet("a", 11), puppet("b", 12));
    let mut node = founder();
    node.meet(&[&a, &b]);
    node.wait_among(&[&a, &b], secs(1));
    // It is on its way already when the verdict falls.
    node.hear(&b, Message::Gossip, &[claimed(&a, Status::Suspect, "b")]);
    node.sent();
    let left = Change::Left {
        name: name("a"),
        instance: Instance(a.instance),
    };
    node.decide(Cut {
        changes: vec![left],
        ..Cut::default()
    });
    let sent = &node.sent;
    let is_cut = |message: &Message| matches!(message, Message::Errand(Errand::Cut { .. }));
    assert!(sent.iter().any(|sent| is_cut(&sent.message)));
    node.wait_among(&[&b], secs(10));
    assert_eq!(said_of(&mut node, "a"), []);
}

/// Whether what is held of `a` is said in the next moments, and in pushes of its own.
fn said_and_pushed(node: &mut Driven, among: &[&Puppet]) -> (bool, bool) {
    node.wait_among(among, secs(3));
    let (mut said, mut pushed) = (false, false);
    for sent in node.sent() {
        let about = |update: &Update| match update {
            Update::Record(record) => record.name.as_str() == "a",
            Update::Claim { name, .. } => name.as_str() == "a",
        };
        let tells = sent.updates.iter().any(about);
        said |= tells;
        pushed |= tells && sent.message == Message::Gossip;
    }
    (said, pushed)
}

#[test]
fn beliefs_ride_along_while_somebody_decides() {
    let puppets = ["a", "b", "c"].map(|name| puppet(name, 11 + u16::from(name.as_bytes()[0])));
    let [a, b, c] = &puppets;
    let refuting = Puppet {
        incarnation: a.incarnation + 1,
        ..puppet("a", 11 + u16::from(b'a'))
    };
    let words = [
        (b, claimed(a, Status::Suspect, "b")),
        (c, claimed(a, Status::Suspect, "c")),
        (b, claimed(a, Status::Unreachable, "b")),
        (c, claimed(a, Status::Unreachable, "c")),
        (c, Update::Record(refuting.record())),
    ];
    for (decides, latest) in [true, false]
        .iter()
        .flat_map(|d| [0, 1, 4].map(|l| (*d, l)))
    {
        let mut node = if decides { founder() } else { Driven::new() };
        node.meet(&[a, b, c]);
        node.wait_among(&[a, b, c], secs(1));
        // It has pushed as much as it may already.
        while node.node.beliefs.take(node.now) {}
        for (by, word) in &words[..=latest] {
            // Those that were asked because of the word before have answered.
            node.wait_answering(0, &[a, b, c], ms(1));
            node.calm();
            node.hear(by, Message::Gossip, std::slice::from_ref(word));
        }
        let present = if latest == 4 { &refuting } else { a };
        let found = said_and_pushed(&mut node, &[present, b, c]);
        let word = &words[latest].1;
        assert_eq!(found, (true, !decides), "decides: {decides}, {word:?}");
    }
}

#[test]
fn what_is_believed_is_pushed_while_it_is_rare() {
    let puppets = ["a", "b", "c"].map(|name| puppet(name, 11 + u16::from(name.as_bytes()[0])));
    let [a, b, c] = &puppets;
    let mut node = founder();
    node.meet(&[a, b, c]);
    node.wait_among(&[a, b, c], secs(1));
    node.hear(b, Message::Gossip, &[claimed(a, Status::Suspect, "b")]);
    assert_eq!(said_and_pushed(&mut node, &[a, b, c]), (true, true));
}

#[test]
fn who_suspects_somebody_tells_those_that_watch_it() {
    let puppets = ["a", "b", "c"].map(|name| puppet(name, 11 + u16::from(name.as_bytes()[0])));
    let [a, b, c] = &puppets;
    let mut node = founder();
    node.meet(&[a, b, c]);
    node.wait_among(&[a, b, c], secs(1));
    while node.node.beliefs.take(node.now) {}
    node.calm();
    while node.state("a") == "alive" {
        node.wait_among(&[b, c], ms(100));
        assert!(node.now < Time::from_nanos(20_000_000_000), "it is pinged");
    }
    for other in [b, c] {
        let told = node.sent.iter().any(|sent| {
            let says = sent.updates.contains(&claimed(a, Status::Suspect, "me"));
            sent.to == other.addr && sent.message == Message::Gossip && says
        });
        assert!(told, "{} watches it", other.name);
    }
}

/// Of whom it reports since the last look, and under which numbers.
pub(super) fn reported(node: &mut Driven) -> Vec<(String, u32)> {
    let reports = node.sent().into_iter().filter_map(|sent| {
        let Message::Errand(Errand::Report { subject, seq, .. }) = sent.message else {
            return None;
        };
        Some((subject.to_string(), seq))
    });
    reports.collect()
}

/// One that has accused b, c and d, one after the other, and got no answer for long.
fn unheard() -> (Driven, [Puppet; 4]) {
    let puppets = ["a", "b", "c", "d"].map(|name| puppet(name, 11 + u16::from(name.as_bytes()[0])));
    let others: Vec<&Puppet> = puppets.iter().collect();
    let mut node = following_among(&others);
    for accused in &puppets[1..] {
        let (subject, instance) = (name(accused.name), Instance(accused.instance));
        let accuse = |node: &mut Node, now| node.report(&subject, instance, Silence::CutOff, now);
        node.call(accuse);
        let first = reported(&mut node);
        assert_eq!(first.len(), 1, "only the new one: {first:?}");
        assert_eq!(first[0].0, accused.name);
        node.sleep(ms(10));
    }
    node.wait_among(&others, secs(4));
    let subjects = |reports: Vec<(String, u32)>| {
        let mut subjects: Vec<String> = reports.into_iter().map(|report| report.0).collect();
        subjects.sort();
        subjects.dedup();
        subjects
    };
    assert_eq!(
        subjects(reported(&mut node)),
        ["b", "c", "d"],
        "at first all are repeated"
    );
    node.wait_among(&others, secs(4));
    assert_eq!(
        subjects(reported(&mut node)),
        ["b"],
        "then the oldest asks for all"
    );
    (node, puppets)
}

#[test]
fn who_is_not_heard_repeats_one_report_and_the_others_when_that_is_confirmed() {
    let (mut node, puppets) = unheard();
    node.wait_among(&puppets.iter().collect::<Vec<_>>(), secs(2));
    let mut confirmed = reported(&mut node).pop().expect("it is repeated");
    for next in ["c", "d"] {
        let seq = confirmed.1;
        let told = Message::Errand(Errand::Reported { seq });
        show(&mut node, &puppets[0], 7, 0, &told);
        node.wait(ms(1));
        let reports = reported(&mut node);
        assert_eq!(reports.len(), 1, "{reports:?}");
        assert_eq!(reports[0].0, next);
        confirmed = reports[0].clone();
    }
}

#[test]
fn who_takes_office_is_told_at_once_what_nobody_confirmed() {
    let (mut node, [a, ..]) = unheard();
    let office = Office {
        epoch: Epoch(3),
        coordinator: name("a"),
        instance: Instance(a.instance),
    };
    let cut = Cut {
        office: Some(office),
        ..Cut::default()
    };
    node.call(|node, now| node.apply_unsigned(cut, now));
    node.wait(ms(1));
    let reports = reported(&mut node);
    assert_eq!(reports[0].0, "b", "{reports:?}");
}
