use std::collections::BTreeMap;

use super::super::precedence;
use super::*;
use crate::limits;

type Held = (BTreeMap<String, Statement>, u64, Vec<u64>);

/// What a table holds, whatever the order in which it came.
fn held(table: &Table) -> Held {
    let by_name = |member: &super::super::table::Member| {
        (
            member.statement.record.name.to_string(),
            member.statement.clone(),
        )
    };
    let members = table.iter().map(by_name).collect();
    (members, table.digest().total(), table.digest().fold(16))
}

fn merged(statements: &[Statement]) -> Held {
    let mut table = table();
    for statement in statements {
        merge(&mut table, statement.clone());
    }
    table.check_invariants();
    held(&table)
}

fn better(one: &Statement, other: &Statement) -> Statement {
    if precedence(one, other).is_ge() {
        one.clone()
    } else {
        other.clone()
    }
}

proptest! {
    #[test]
    fn merging_two_statements_is_commutative_associative_and_idempotent(
        a in any_statement("a"), b in any_statement("a"), c in any_statement("a"),
    ) {
        prop_assert_eq!(better(&a, &b), better(&b, &a));
        prop_assert_eq!(better(&better(&a, &b), &c), better(&a, &better(&b, &c)));
        prop_assert_eq!(better(&a, &a), a);
    }

    /// Any order and repetition of the same statements makes the same table and digest.
    #[test]
    fn a_table_depends_on_what_it_heard_and_not_on_the_order(
        statements in prop::collection::vec(any_statement("[a-e]"), 0..30),
        again in prop::collection::vec(any::<prop::sample::Index>(), 0..30),
        seed in any::<u64>(),
    ) {
        let once = merged(&statements);
        let mut shuffled = statements.clone();
        if !statements.is_empty() {
            shuffled.extend(again.iter().map(|index| index.get(&statements).clone()));
        }
        let mut rng = crate::rng::Rng::new(seed);
        for last in (1..shuffled.len()).rev() {
            shuffled.swap(last, rng.below(last + 1));
        }
        prop_assert_eq!(merged(&shuffled), once);
    }

    /// Forgetting somebody is as if nothing had been heard.
    #[test]
    fn forgetting_leaves_no_trace(
        kept in prop::collection::vec(any_statement("[a-e]"), 0..20),
        gone in prop::collection::vec(any_statement("[v-z]"), 0..20),
    ) {
        let mut table = table();
        for statement in kept.iter().chain(&gone) {
            merge(&mut table, statement.clone());
        }
        for statement in &gone {
            table.forget(&statement.record.name, Time::ZERO);
            table.check_invariants();
        }
        prop_assert_eq!(held(&table), merged(&kept));
    }
}

#[test]
fn this_node_is_never_forgotten() {
    let mut table = table();
    assert!(table.forget(&name("me"), Time::ZERO).is_none());
    assert!(table.get("me").is_some());
}

#[test]
fn a_full_table_takes_nobody_new_but_still_changes() {
    let mut table = table();
    for n in 1..limits::MEMBERS {
        let mut one = statement(&n.to_string(), 1, 0, Status::Alive);
        Arc::make_mut(&mut one.record).addr = at(n);
        assert!(matches!(table.merge(one, Time::ZERO), Merge::New(_)));
    }
    let refused = table.merge(statement("one more", 1, 0, Status::Alive), Time::ZERO);
    assert!(matches!(refused, Merge::Full));
    let changed = table.merge(statement("7", 1, 1, Status::Alive), Time::ZERO);
    assert!(matches!(changed, Merge::Changed(..)));
    table.forget(&name("7"), Time::ZERO);
    table.check_invariants();
    let taken = table.merge(statement("one more", 1, 0, Status::Alive), Time::ZERO);
    assert!(matches!(taken, Merge::New(_)));
}

/// A state has lasted since it began, not since it was last confirmed.
#[test]
fn since_is_when_the_state_or_the_life_began() {
    let at = |seconds: u64| Time::from_nanos(seconds * 1_000_000_000);
    let mut table = table();
    let steps = [
        (1, statement("a", 1, 0, Status::Alive), 1),
        (2, statement("a", 1, 1, Status::Alive), 1),
        (3, statement("a", 1, 1, Status::Unreachable), 3),
        (4, statement("a", 1, 2, Status::Alive), 4),
        (5, statement("a", 2, 0, Status::Alive), 5),
        (6, statement("a", 1, 9, Status::Left), 5),
    ];
    for (now, statement, since) in steps {
        table.merge(statement, at(now));
        assert_eq!(
            table.get("a").expect("it was merged").since,
            at(since),
            "after {now} s"
        );
    }
}

/// Another life may run on another host: nothing measured of the old one holds.
#[test]
fn a_round_trip_is_that_of_one_life() {
    let mut table = table();
    table.merge(statement("a", 1, 0, Status::Alive), Time::ZERO);
    let measured = std::time::Duration::from_millis(3);
    table
        .get_mut("a")
        .expect("it was merged")
        .round_trip
        .sample(measured);
    table.merge(statement("a", 1, 1, Status::Alive), Time::ZERO);
    assert_eq!(
        table.get("a").expect("it is there").round_trip.estimate(),
        Some(measured)
    );
    table.merge(statement("a", 2, 0, Status::Alive), Time::ZERO);
    assert_eq!(
        table.get("a").expect("it is there").round_trip.estimate(),
        None
    );
}

/// Addresses of which every sixteen differ in the last byte.
fn at(number: usize) -> std::net::SocketAddr {
    let host = std::net::Ipv4Addr::from_bits(0x0a00_0000 + number as u32);
    (host, 7946).into()
}

/// Whole clusters run behind one address, and yet it cannot fill the table.
#[test]
fn one_address_takes_no_more_than_its_share_of_the_table() {
    let mut table = table();
    let here = |n: usize| {
        let mut one = statement(&format!("n{n}"), 1, 0, Status::Alive);
        let port = u16::try_from(1 + n % 60_000).expect("it is below 60,000");
        Arc::make_mut(&mut one.record).addr.set_port(port);
        one
    };
    for n in 0..limits::MEMBERS_AT_ADDRESS {
        assert!(matches!(table.merge(here(n), Time::ZERO), Merge::New(_)));
    }
    for n in limits::MEMBERS_AT_ADDRESS..100_000 {
        assert!(matches!(table.merge(here(n), Time::ZERO), Merge::Crowded));
    }
    assert_eq!(table.counted(), 1 + limits::MEMBERS_AT_ADDRESS);
    let addr = here(0).record.addr.ip();
    assert!(!table.has_room_for(&name("another"), addr));
    assert!(table.has_room_for(&name("n0"), addr), "it is known");
    for n in 0..1000 {
        let mut one = statement(&format!("m{n}"), 1, 0, Status::Alive);
        Arc::make_mut(&mut one.record).addr = at(n);
        let taken = matches!(table.merge(one, Time::ZERO), Merge::New(_));
        assert!(taken, "{n}: others are not crowded out");
    }
    // Who moves away or is forgotten makes room.
    let mut moved = statement("n1", 1, 1, Status::Alive);
    Arc::make_mut(&mut moved.record).addr = at(5000);
    table.merge(moved, Time::ZERO);
    table.forget(&name("n2"), Time::ZERO);
    for n in 100_000..100_002 {
        assert!(matches!(table.merge(here(n), Time::ZERO), Merge::New(_)));
    }
    assert!(matches!(
        table.merge(here(100_002), Time::ZERO),
        Merge::Crowded
    ));
    table.check_invariants();
}
