//! What histories of one simulation share, and what they never do.

use std::sync::Arc;

use super::{cut, roster_of, up};
use crate::coordinator::cut::Cut;
use crate::coordinator::roster::Roster;
use crate::coordinator::rosters::Rosters;

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

fn roster_with(next: &Cut) -> Roster {
    let mut alone = Arc::new(roster_of(&["a", "b"]));
    apply(&Rosters::default(), &mut alone, next);
    Arc::unwrap_or_clone(alone)
}
