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
        digest.toggle(&statement);
    }
    assert_eq!(digest.total(), 17_400_459_321_976_036_744);
    let buckets = [
        1_449_780_234_324_006_513,
        4_363_860_734_778_209_855,
        9_422_137_305_463_825_777,
        6_569_015_985_420_736_695,
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
        digest.toggle(&statement);
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

/// Or a twin, begun at the same instant elsewhere, would never be found.
#[test]
fn the_digest_tells_addresses_apart() {
    let total = |addr: &str| {
        let mut digest = Digest::new();
        let mut statement = statement("a", 1, 0, Status::Alive);
        Arc::make_mut(&mut statement.record).addr = addr.parse().expect("an address");
        digest.toggle(&statement);
        digest.total()
    };
    let all = ["10.0.0.1:1", "10.0.0.2:1", "10.0.0.1:2", "[::1]:1"].map(total);
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
