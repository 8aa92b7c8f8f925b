use std::collections::BTreeSet;

use proptest::prelude::*;

use super::Rings;
use crate::members::Name;

#[test]
fn alone_on_a_ring_has_no_buddy() {
    let rings = rings_of("a", &["a"]);
    assert_eq!(rings.successor(0), None);
    assert_eq!(rings.predecessor(0), None);
    assert!(rings.buddies().is_empty());
}

#[test]
fn two_members_are_each_others_only_buddy() {
    let rings = rings_of("a", &["a", "b"]);
    assert_eq!(rings.successor(0), Some(&name("b")));
    assert_eq!(rings.predecessor(0), Some(&name("b")));
    let rings = rings_of("b", &["a", "b"]);
    assert_eq!(rings.buddies(), BTreeSet::from([name("a")]));
}

#[test]
fn rings_differ_from_each_other() {
    let names: Vec<String> = (0..50).map(|n| format!("n{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let order = |ring| walk(&names, ring, "n0");
    assert_ne!(order(0), order(1));
    assert_ne!(order(1), order(2));
}

/// Golden: another order would have members watch the wrong buddies during an upgrade.
#[test]
fn order_on_a_ring_is_fixed_for_all_versions() {
    let names = ["n1", "n2", "n3", "n4", "n5", "n6"];
    let orders: Vec<String> = (0..3)
        .map(|ring| walk(&names, ring, "n1").join(" "))
        .collect();
    assert_eq!(orders, GOLDEN_ORDERS);
}

const GOLDEN_ORDERS: [&str; 3] = [
    "n1 n4 n3 n6 n5 n2",
    "n1 n5 n3 n6 n4 n2",
    "n1 n6 n4 n3 n5 n2",
];

proptest! {
    /// Whatever the order of joining and leaving, the same members stand in the same order.
    #[test]
    fn neighbours_depend_on_the_members_alone(
        kept in prop::collection::btree_set("[a-z]{1,6}", 0..20),
        gone in prop::collection::vec("[A-Z]{1,2}", 0..20),
    ) {
        let me = name("0");
        let mut one = Rings::new(3, &me);
        let mut there: BTreeSet<Name> = BTreeSet::new();
        for text in kept.iter().chain(&gone) {
            if there.insert(name(text)) {
                one.insert(&name(text));
            }
        }
        for text in &gone {
            if there.remove(&name(text)) {
                one.remove(&name(text), there.iter());
            }
            one.check_invariants(there.iter());
        }
        let mut other = Rings::new(3, &me);
        for text in kept.iter().rev() {
            other.insert(&name(text));
        }
        for ring in 0..3 {
            prop_assert_eq!(one.successor(ring), other.successor(ring));
            prop_assert_eq!(one.predecessor(ring), other.predecessor(ring));
        }
    }

    /// Being a successor and being a predecessor are two names of one edge.
    #[test]
    fn edges_are_seen_the_same_from_both_ends(
        members in prop::collection::btree_set("[a-z]{1,6}", 2..30),
    ) {
        let members: Vec<&str> = members.iter().map(String::as_str).collect();
        for ring in 0..3 {
            for here in &members {
                let rings = rings_of(here, &members);
                let next = rings.successor(ring).expect("there is another member");
                let back = rings_of(next.as_str(), &members);
                prop_assert_eq!(back.predecessor(ring), Some(&name(here)));
            }
        }
    }

    /// Each ring is one: from anybody a walk of successors passes everybody.
    #[test]
    fn a_walk_passes_everybody_once(
        members in prop::collection::btree_set("[a-z]{1,6}", 1..20),
    ) {
        let members: Vec<&str> = members.iter().map(String::as_str).collect();
        for ring in 0..3 {
            let mut walked = walk(&members, ring, members[0]);
            walked.sort();
            prop_assert_eq!(&walked, &members);
        }
    }
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a valid name")
}

/// The rings of all `names` as `me` sees them.
fn rings_of(me: &str, names: &[&str]) -> Rings {
    let mut rings = Rings::new(3, &name(me));
    for other in names.iter().filter(|other| **other != me) {
        rings.insert(&name(other));
    }
    rings
}

/// Once round a ring, from `first`.
fn walk(names: &[&str], ring: usize, first: &str) -> Vec<String> {
    let mut walked = vec![first.to_owned()];
    let next = |here: &str| rings_of(here, names).successor(ring).map(Name::to_string);
    let mut here = next(first);
    while let Some(next_one) = here.filter(|here| here != first) {
        here = next(&next_one);
        walked.push(next_one);
        assert!(walked.len() <= names.len(), "the ring does not close");
    }
    walked
}
