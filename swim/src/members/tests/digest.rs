use super::super::digest::{Digest, bucket, bucket_count};
use super::*;
use crate::limits::DIGEST_BUCKETS;

fn powers() -> impl Iterator<Item = usize> {
    (0..)
        .map(|exponent| 1 << exponent)
        .take_while(|count| *count <= DIGEST_BUCKETS)
}

/// Golden: other numbers would have two versions pull from each other for ever.
#[test]
fn digests_are_the_same_for_all_versions() {
    let mut digest = Digest::new();
    for n in 0..20 {
        let statement = statement(
            &format!("n{n}"),
            1_767_225_600_000_000 + n,
            3,
            Status::Alive,
        );
        digest.toggle(&statement.record.name, statement.rank());
    }
    assert_eq!(digest.total(), 2_097_467_574_773_423_332);
    let buckets = [
        11_535_473_231_209_715_402,
        16_013_785_403_021_608_256,
        2_875_862_965_228_129_517,
        4_960_981_860_653_122_435,
    ];
    assert_eq!(digest.fold(4), buckets);
}

#[test]
fn suspicion_and_the_departed_are_not_in_the_digest() {
    let total = |status| {
        let mut table = table();
        merge(&mut table, statement("a", 1, 0, status));
        table.digest().total()
    };
    let without = table().digest().total();
    assert_eq!(total(Status::Suspect), total(Status::Alive));
    assert_eq!(total(Status::Left), without);
    assert_ne!(total(Status::Alive), without);
    assert_ne!(total(Status::Unreachable), without);
    assert_ne!(total(Status::Unreachable), total(Status::Alive));
}

#[test]
fn the_digest_tells_lives_and_versions_apart() {
    let total = |of, instance, incarnation| {
        let mut digest = Digest::new();
        let statement = statement(of, instance, incarnation, Status::Alive);
        digest.toggle(&statement.record.name, statement.rank());
        digest.total()
    };
    let all = [
        total("a", 1, 0),
        total("a", 2, 0),
        total("a", 1, 1),
        total("b", 1, 0),
    ];
    let different: std::collections::BTreeSet<u64> = all.into_iter().collect();
    assert_eq!(different.len(), all.len());
}

#[test]
fn a_table_is_compared_in_about_four_members_a_bucket() {
    let table = [
        (1, 1),
        (7, 1),
        (8, 2),
        (100, 32),
        (1000, 256),
        (65_536, 256),
    ];
    for (members, buckets) in table {
        assert_eq!(bucket_count(members), buckets, "{members} members");
    }
}

proptest! {
    /// Two nodes may compare in different numbers of buckets: halving joins neighbours.
    #[test]
    fn every_number_of_buckets_says_the_same(
        statements in prop::collection::vec(any_statement("[a-z]{1,3}"), 0..40),
    ) {
        let mut table = table();
        for statement in statements {
            merge(&mut table, statement);
        }
        let digest = table.digest();
        let of_buckets = |count| digest.fold(count).into_iter().fold(0, |sum, hash| sum ^ hash);
        for count in powers() {
            prop_assert_eq!(digest.fold(count).len(), count);
            prop_assert_eq!(of_buckets(count), digest.total());
        }
        for (half, whole) in powers().zip(powers().skip(1)) {
            let joined: Vec<u64> =
                digest.fold(whole).chunks(2).map(|pair| pair[0] ^ pair[1]).collect();
            prop_assert_eq!(digest.fold(half), joined);
        }
    }

    #[test]
    fn a_member_changes_its_own_bucket_only(
        others in prop::collection::vec(any_statement("[a-y]{1,3}"), 0..40),
        of in "\\PC{1,20}",
    ) {
        prop_assume!(Name::new(&of).is_ok());
        let mut table = table();
        for statement in others {
            merge(&mut table, statement);
        }
        let before = table.digest().clone();
        prop_assume!(table.get(&of).is_none());
        merge(&mut table, statement(&of, 1, 0, Status::Alive));
        for count in powers() {
            let (before, after) = (before.fold(count), table.digest().fold(count));
            let changed: Vec<usize> = (0..count).filter(|at| before[*at] != after[*at]).collect();
            prop_assert_eq!(changed, vec![bucket(&name(&of), count)]);
        }
    }
}
