use std::collections::BTreeSet;

use super::*;
use crate::rng::Rng;

#[derive(Clone, Debug)]
enum Operation {
    Merge(Statement),
    Forget(String),
    Next,
}

fn any_operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        4 => any_statement("[a-h]").prop_map(Operation::Merge),
        1 => "[a-h]".prop_map(Operation::Forget),
        4 => Just(Operation::Next),
    ]
}

fn names_at(table: &Table, statuses: &[Status]) -> BTreeSet<String> {
    let fits = |member: &&super::super::table::Member| statuses.contains(&member.statement.status);
    let names = table
        .iter()
        .filter(fits)
        .map(|member| member.statement.record.name.to_string());
    names.filter(|name| name != "me").collect()
}

fn present(table: &Table) -> BTreeSet<String> {
    names_at(table, &[Status::Alive, Status::Suspect])
}

proptest! {
    /// Whoever comes and goes meanwhile: nobody is visited twice in a round, nobody left out.
    #[test]
    fn a_round_visits_each_present_member_once(
        operations in prop::collection::vec(any_operation(), 0..120),
        seed in any::<u64>(),
    ) {
        let (mut table, mut rng) = (table(), Rng::new(seed));
        let mut due: BTreeSet<String> = BTreeSet::new();
        for operation in operations {
            let before = present(&table);
            match operation {
                Operation::Merge(statement) => {
                    merge(&mut table, statement);
                }
                Operation::Forget(of) => {
                    table.forget(&name(&of), Time::ZERO);
                }
                Operation::Next => {
                    if due.is_empty() {
                        due.clone_from(&before);
                    }
                    let visited = table.next_present(&mut rng).map(|name| name.to_string());
                    match visited {
                        Some(visited) => prop_assert!(due.remove(&visited), "{visited} twice"),
                        None => prop_assert!(before.is_empty()),
                    }
                }
            }
            table.check_invariants();
            let after = present(&table);
            due.extend(after.difference(&before).cloned());
            due.retain(|name| after.contains(name));
            prop_assert_eq!(table.present(), 1 + after.len());
            let counted = names_at(&table, &[Status::Alive, Status::Suspect, Status::Unreachable]);
            prop_assert_eq!(table.counted(), 1 + counted.len());
        }
    }

    #[test]
    fn random_members_are_different_present_and_fitting(
        statements in prop::collection::vec(any_statement("[a-z]"), 0..60),
        count in 0usize..6,
        seed in any::<u64>(),
    ) {
        let (mut table, mut rng) = (table(), Rng::new(seed));
        for statement in statements {
            merge(&mut table, statement);
        }
        let fits = |member: &super::super::table::Member| {
            member.statement.status == Status::Alive
        };
        let chosen = table.some_present(count, &mut rng, fits);
        let different: BTreeSet<String> = chosen.iter().map(Name::to_string).collect();
        prop_assert_eq!(different.len(), chosen.len());
        prop_assert!(chosen.len() <= count);
        let fitting = names_at(&table, &[Status::Alive]);
        prop_assert!(different.is_subset(&fitting));
        if present(&table).len() <= 4 * count {
            prop_assert_eq!(chosen.len(), count.min(fitting.len()), "few members: all are tried");
        }
    }

    #[test]
    fn a_lost_member_is_some_unreachable_one(
        statements in prop::collection::vec(any_statement("[a-e]"), 0..20),
        seed in any::<u64>(),
        last in any::<bool>(),
    ) {
        let (mut table, mut rng) = (table(), Rng::new(seed));
        for statement in statements {
            merge(&mut table, statement);
        }
        let lost = names_at(&table, &[Status::Unreachable]);
        match table.some_lost(last, &mut rng) {
            Some(name) => prop_assert!(lost.contains(name.as_str())),
            None => prop_assert!(lost.is_empty()),
        }
    }
}

/// Each of many is drawn in the long run: no member is never asked to relay.
#[test]
fn every_present_member_is_drawn_some_time() {
    let (mut table, mut rng) = (table(), Rng::new(1));
    for n in 0..40 {
        merge(&mut table, statement(&format!("n{n}"), 1, 0, Status::Alive));
    }
    let draw = |_| table.some_present(3, &mut rng, |_| true);
    let drawn: BTreeSet<Name> = (0..400).flat_map(draw).collect();
    assert_eq!(drawn.len(), 40);
}
