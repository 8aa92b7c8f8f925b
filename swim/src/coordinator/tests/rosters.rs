//! What histories of one simulation share, and what they never do.

use std::sync::Arc;

use super::{LINEAGE, cut, name, roster_of, up};
use crate::coordinator::cut::{Change, Cut, View};
use crate::coordinator::roster::Roster;
use crate::coordinator::rosters::{Rosters, Told};
use crate::coordinator::signing::{Said, Signature, key_of};

fn encoded(cut: &Cut) -> Arc<[u8]> {
    cut.encoded()
}

/// A history that applies what it was sent as bytes of its own.
fn apply(rosters: &Rosters, roster: &mut Arc<Roster>, cut: &Cut) {
    rosters.apply(roster, Arc::new(cut.clone()), &encoded(cut));
}

#[test]
fn those_that_apply_the_same_to_the_same_hold_one_roster() {
    let rosters = Rosters::shared();
    let mut first = Arc::new(roster_of(&["a", "b"]));
    let mut second = Arc::new(roster_of(&["a", "b"]));
    rosters.share(&mut first);
    rosters.share(&mut second);
    assert!(Arc::ptr_eq(&first, &second), "equal ones become one");
    let next = cut(vec![up("c", 10)]);
    apply(&rosters, &mut first, &next);
    apply(&rosters, &mut second, &next);
    assert!(Arc::ptr_eq(&first, &second));
    assert_eq!(
        *first,
        roster_with(&next),
        "as it is when nothing is shared"
    );
}

#[test]
fn one_that_went_astray_stays_alone() {
    let rosters = Rosters::shared();
    let mut first = Arc::new(roster_of(&["a", "b"]));
    let mut astray = Arc::new(roster_of(&["a", "z"]));
    rosters.share(&mut first);
    rosters.share(&mut astray);
    let next = cut(vec![up("c", 10)]);
    apply(&rosters, &mut first, &next);
    // The same cut, and a view of the same number.
    apply(&rosters, &mut astray, &next);
    assert_eq!(first.head.view, astray.head.view);
    assert!(first.standing("b").is_some() && first.standing("z").is_none());
    assert!(astray.standing("z").is_some() && astray.standing("b").is_none());
    // Another cut on the same roster.
    let mut other = Arc::new(roster_of(&["a", "b"]));
    rosters.share(&mut other);
    apply(&rosters, &mut other, &cut(vec![up("d", 10)]));
    assert!(other.standing("d").is_some() && other.standing("c").is_none());
    assert!(first.standing("d").is_none(), "nobody else's changes");
}

#[test]
fn what_was_told_before_is_not_decoded_again() {
    let rosters = Rosters::shared();
    let mut first = Arc::new(roster_of(&["a", "b"]));
    rosters.share(&mut first);
    let applied = Arc::new(cut(vec![up("c", 10)]));
    let bytes = rosters.encoding(&applied);
    assert_eq!(*bytes, *applied.encoded());
    rosters.apply(&mut first, Arc::clone(&applied), &bytes);
    assert!(
        Arc::ptr_eq(&rosters.encoding(&applied), &bytes),
        "what was applied is not encoded again"
    );
    let decode = |_: &[u8]| {
        let cut = Arc::new(cut(vec![up("c", 10)]));
        Ok((LINEAGE, View(1), vec![(cut, Signature::made_up())]))
    };
    let never = |_: &[u8]| -> Result<Told, &str> { Err("decoded") };
    let told = rosters.told(b"some", decode);
    let (_, _, cuts) = told.clone().expect("it decodes");
    assert!(
        Arc::ptr_eq(&cuts[0].0, &applied),
        "it is the cut that was applied"
    );
    assert_eq!(rosters.clone().told(b"some", never), told);
    assert_eq!(rosters.told(b"others", never), Err("decoded"));
    assert_eq!(
        rosters.told(b"others", never),
        Err("decoded"),
        "a failure is not remembered"
    );
    let alone = Rosters::default();
    assert_eq!(alone.told(b"some", decode), told);
    assert_eq!(alone.told(b"some", never), Err("decoded"));
}

#[test]
fn a_shared_roster_finds_just_its_members() {
    let rosters = Rosters::shared();
    let mut roster = Arc::new(roster_of(&["a", "b"]));
    rosters.share(&mut roster);
    roster.check_invariants();
    apply(&rosters, &mut roster, &cut(vec![up("c", 10)]));
    roster.check_invariants();
    assert!(roster.standing("d").is_none());
    let gone = Change::Left {
        name: name("a"),
        instance: roster.standing("a").expect("a member").instance,
    };
    apply(&rosters, &mut roster, &cut(vec![gone, up("d", 11)]));
    roster.check_invariants();
    assert!(roster.standing("a").is_none() && roster.standing("d").is_some());
}

fn roster_with(next: &Cut) -> Roster {
    let mut alone = Arc::new(roster_of(&["a", "b"]));
    apply(&Rosters::default(), &mut alone, next);
    Arc::unwrap_or_clone(alone)
}

#[test]
fn what_stands_for_a_signature_is_that_of_one_voter_under_one_thing() {
    let rosters = Rosters::shared();
    let (said, other) = (
        Said::cut(LINEAGE, View(7), b"cut"),
        Said::cut(LINEAGE, View(8), b"cut"),
    );
    let (writer, another) = (key_of("a"), key_of("b"));
    let signature = rosters.sign(&writer, said);
    assert_eq!(signature.voter(), writer.id());
    assert!(rosters.holds(&signature, said) && rosters.clone().holds(&signature, said));
    assert!(!rosters.holds(&signature, other));
    assert!(
        !rosters.holds(&another.stand_in(&said), said),
        "nobody signed with it"
    );
    rosters.sign(&another, other);
    assert!(!rosters.holds(&Signature::made_up(), said));
    // Nowhere else it stands for anything, and a true one holds everywhere.
    assert!(!Rosters::default().holds(&signature, said));
    assert!(rosters.holds(&writer.sign(&said), said));
    assert!(Rosters::default().holds(&Rosters::default().sign(&writer, said), said));
}
