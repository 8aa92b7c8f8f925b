use std::collections::BTreeSet;

use proptest::prelude::*;

use super::Rings;
use crate::members::Name;

#[test]
fn alone_on_a_ring_has_no_buddy() {
    let rings = rings_of(&["a"]);
    assert_eq!(rings.successor(0, &name("a")), None);
    assert_eq!(rings.predecessor(0, &name("a")), None);
    assert!(rings.buddies(&name("a")).is_empty());
}

#[test]
fn two_members_are_each_others_only_buddy() {
    let rings = rings_of(&["a", "b"]);
    assert_eq!(rings.successor(0, &name("a")), Some(&name("b")));
    assert_eq!(rings.predecessor(0, &name("a")), Some(&name("b")));
    assert_eq!(rings.buddies(&name("b")), BTreeSet::from([name("a")]));
}

#[test]
fn rings_differ_from_each_other() {
    let names: Vec<String> = (0..50).map(|n| format!("n{n}")).collect();
    let rings = rings_of(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let order = |ring| walk(&rings, ring, &name("n0"));
    assert_ne!(order(0), order(1));
    assert_ne!(order(1), order(2));
}

/// Golden: another order would have members watch the wrong buddies during an upgrade.
#[test]
fn order_on_a_ring_is_fixed_for_all_versions() {
    let rings = rings_of(&["n1", "n2", "n3", "n4", "n5", "n6"]);
    let orders: Vec<String> = (0..3)
        .map(|ring| {
            let walked = walk(&rings, ring, &name("n1"));
            walked
                .iter()
                .map(Name::as_str)
                .collect::<Vec<_>>()
                .join(" ")
        })
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
    fn order_depends_on_the_members_alone(
        kept in prop::collection::btree_set("[a-z]{1,6}", 1..20),
        gone in prop::collection::btree_set("[A-Z]{1,6}", 0..20),
    ) {
        let mut one = Rings::new(3);
        for text in kept.iter().chain(&gone) {
            one.insert(&name(text));
        }
        for text in &gone {
            one.remove(&name(text));
        }
        let mut other = Rings::new(3);
        for text in kept.iter().rev() {
            other.insert(&name(text));
        }
        let first = name(kept.first().expect("at least one is kept"));
        for ring in 0..3 {
            let walked = walk(&one, ring, &first);
            prop_assert_eq!(walked.len(), kept.len());
            prop_assert_eq!(walked, walk(&other, ring, &first));
        }
    }

    /// Being a successor and being a predecessor are two names of one edge.
    #[test]
    fn edges_are_seen_the_same_from_both_ends(
        members in prop::collection::btree_set("[a-z]{1,6}", 2..30),
    ) {
        let members: Vec<&str> = members.iter().map(String::as_str).collect();
        let rings = rings_of(&members);
        for ring in 0..3 {
            for text in &members {
                let here = name(text);
                let next = rings.successor(ring, &here).expect("there is another member");
                prop_assert_eq!(rings.predecessor(ring, next), Some(&here));
            }
        }
    }
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a valid name")
}

fn rings_of(names: &[&str]) -> Rings {
    let mut rings = Rings::new(3);
    for text in names {
        rings.insert(&name(text));
    }
    rings
}

/// Once round a ring, from `first`.
fn walk(rings: &Rings, ring: usize, first: &Name) -> Vec<Name> {
    let mut walked = vec![first.clone()];
    let mut here = first;
    while let Some(next) = rings.successor(ring, here).filter(|next| *next != first) {
        walked.push(next.clone());
        here = next;
        assert!(walked.len() <= rings.len(), "the ring does not close");
    }
    walked
}
