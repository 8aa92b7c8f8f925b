use std::time::Duration;

use super::{Moment, WANTED, clock, judge_clock, judge_limit, limit_in, parts_per_million};
use crate::cli::doctor::finding::Grade;

#[test]
fn a_clock_may_be_steered_by_as_much_as_a_lease_allows_for() {
    let (ok, warn, fail) = (Grade::Ok, Grade::Warn, Grade::Fail);
    for (rate, grade) in [
        (0, ok),
        (-1_000, ok),
        (1_001, warn),
        (-10_000, warn),
        (10_001, fail),
        (-50_000, fail),
        (i64::MIN + 1, fail),
    ] {
        assert_eq!(judge_clock(rate).grade, grade, "{rate}");
    }
    let second = Duration::from_secs(1);
    let faster = Duration::from_micros(1_010_000);
    assert_eq!(parts_per_million(faster, second), 10_000);
    assert_eq!(parts_per_million(second, faster), -9_900);
    assert!(
        parts_per_million(second, Duration::ZERO) > 1_000_000,
        "it never divides by nothing"
    );
}

#[test]
fn the_clock_of_this_host_is_watched() {
    let began = Moment::now();
    assert!(began.left() <= super::SPAN);
    let finding = clock(began, Moment::now());
    assert!(finding.found.contains("millionths"), "{finding:?}");
}

#[test]
fn too_few_files_fail_and_fewer_than_all_streams_are_doubtful() {
    let of = |limit, open| judge_limit(limit, open, "the agent may open").grade;
    assert_eq!(of(None, None), Grade::Ok);
    assert_eq!(of(Some(WANTED), Some(40)), Grade::Ok);
    assert_eq!(of(Some(WANTED - 1), Some(40)), Grade::Warn);
    assert_eq!(of(Some(1024), None), Grade::Warn);
    assert_eq!(of(Some(191), None), Grade::Fail);
    assert_eq!(
        of(Some(10_000), Some(9_000)),
        Grade::Fail,
        "nearly all are used"
    );
}

#[test]
fn the_limit_of_a_process_is_read() {
    let text = "Limit          Soft Limit  Hard Limit  Units\n\
                Max processes  63434       63434       processes\n\
                Max open files 1024        524288      files\n";
    assert_eq!(limit_in(text), Some(Some(1024)));
    assert_eq!(
        limit_in("Max open files unlimited unlimited files"),
        Some(None)
    );
    assert_eq!(limit_in("Max open files"), None);
    assert_eq!(limit_in(""), None);
}
