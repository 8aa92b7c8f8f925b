use std::cmp::Ordering;

use super::super::precedence;
use super::*;

/// Row against column: `>` when the row counts, `<` when the column does. `1.0` is incarnation 0 of
/// instance 1; A alive, S suspect, U unreachable, L left.
const TABLE: &str = "
          1.0      1.1      2.0      2.1
        A S U L  A S U L  A S U L  A S U L
 1.0 A  = < < <  < < < <  < < < <  < < < <
 1.0 S  > = < <  < < < <  < < < <  < < < <
 1.0 U  > > = <  < < < <  < < < <  < < < <
 1.0 L  > > > =  < < < <  < < < <  < < < <
 1.1 A  > > > >  = < < <  < < < <  < < < <
 1.1 S  > > > >  > = < <  < < < <  < < < <
 1.1 U  > > > >  > > = <  < < < <  < < < <
 1.1 L  > > > >  > > > =  < < < <  < < < <
 2.0 A  > > > >  > > > >  = < < <  < < < <
 2.0 S  > > > >  > > > >  > = < <  < < < <
 2.0 U  > > > >  > > > >  > > = <  < < < <
 2.0 L  > > > >  > > > >  > > > =  < < < <
 2.1 A  > > > >  > > > >  > > > >  = < < <
 2.1 S  > > > >  > > > >  > > > >  > = < <
 2.1 U  > > > >  > > > >  > > > >  > > = <
 2.1 L  > > > >  > > > >  > > > >  > > > =
";

/// All statements of the table in the order of its rows.
fn all() -> Vec<Statement> {
    let versions = [(1, 0), (1, 1), (2, 0), (2, 1)];
    let each = |(instance, incarnation)| {
        STATUSES.map(|status| statement("a", instance, incarnation, status))
    };
    versions.into_iter().flat_map(each).collect()
}

fn expected() -> Vec<Vec<Ordering>> {
    let sign = |sign: &str| match sign {
        "<" => Ordering::Less,
        "=" => Ordering::Equal,
        ">" => Ordering::Greater,
        other => panic!("{other} is no sign of the table"),
    };
    let row = |row: &str| row.split_whitespace().skip(2).map(sign).collect();
    TABLE.lines().skip(3).map(row).collect()
}

#[test]
fn every_pair_of_statements_has_the_winner_of_the_table() {
    let (all, expected) = (all(), expected());
    assert_eq!(expected.len(), all.len());
    for (row, one) in all.iter().enumerate() {
        assert_eq!(expected[row].len(), all.len());
        for (column, other) in all.iter().enumerate() {
            let expected = expected[row][column];
            assert_eq!(
                precedence(one, other),
                expected,
                "{one:?} against {other:?}"
            );
            assert_eq!(
                one.rank().cmp(&other.rank()),
                expected,
                "the rank alone decides here"
            );
        }
    }
}

#[test]
fn the_table_keeps_the_winner_in_whichever_order_they_come() {
    let (all, expected) = (all(), expected());
    for (row, one) in all.iter().enumerate() {
        for (column, other) in all.iter().enumerate() {
            let mut table = table();
            merge(&mut table, other.clone());
            let merged = merge(&mut table, one.clone());
            let wins = expected[row][column].is_gt();
            assert_eq!(
                matches!(merged, Merge::Changed(..)),
                wins,
                "{one:?} after {other:?}"
            );
            let held = &table.get("a").expect("it was merged").statement;
            assert_eq!(held, if wins { one } else { other });
            table.check_invariants();
        }
    }
}

/// Two lives of the same microsecond: somebody must win, and everywhere the same.
#[test]
fn equal_ranks_are_told_apart_by_address_tags_and_apps() {
    let one = statement("a", 1, 0, Status::Alive);
    let mut elsewhere = one.clone();
    Arc::make_mut(&mut elsewhere.record).addr = "192.0.2.2:7946".parse().expect("a valid address");
    let mut tagged = one.clone();
    Arc::make_mut(&mut tagged.record).tags = Tags::new([("a", "1")]).expect("a valid tag");
    let mut with_apps = one.clone();
    Arc::make_mut(&mut with_apps.record).apps = some_apps(1);
    for other in [elsewhere, tagged, with_apps] {
        assert_eq!(precedence(&one, &other), Ordering::Less);
        assert_eq!(precedence(&other, &one), Ordering::Greater);
    }
}

proptest! {
    #[test]
    fn precedence_is_a_total_order(
        a in any_statement("a"), b in any_statement("a"), c in any_statement("a"),
    ) {
        prop_assert_eq!(precedence(&a, &b), precedence(&b, &a).reverse());
        prop_assert_eq!(precedence(&a, &b).is_eq(), a == b);
        if precedence(&a, &b).is_le() && precedence(&b, &c).is_le() {
            prop_assert!(precedence(&a, &c).is_le());
        }
    }
}
