use std::net::SocketAddr;
use std::time::Duration;

use super::{Resolved, Seed, judge, judge_all, look};
use crate::cli::doctor::finding::{Finding, Grade};

fn seed(name: &str) -> Seed {
    Seed {
        name: name.to_owned(),
        joined: true,
        last_error: None,
    }
}

fn addr(last: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, last], 7946))
}

fn judged(seed: &Seed, outcome: Result<Vec<SocketAddr>, String>, took_ms: u64) -> Finding {
    let took = Duration::from_millis(took_ms);
    judge(seed, Some(&Resolved { outcome, took }), false)
}

#[test]
fn a_seed_that_resolves_soon_is_well_and_shown_with_its_addresses() {
    let finding = judged(&seed("db:7946"), Ok((1..=6).map(addr).collect()), 12);
    assert_eq!(finding.grade, Grade::Ok);
    assert_eq!(
        finding.found,
        "db:7946 is 10.0.0.1:7946, 10.0.0.2:7946, 10.0.0.3:7946, 10.0.0.4:7946 and 2 more, found in \
         12 ms"
    );
}

#[test]
fn one_that_does_not_resolve_fails() {
    let unknown = judged(&seed("db:1"), Err("no such name".to_owned()), 3);
    assert_eq!(unknown.grade, Grade::Fail);
    assert_eq!(unknown.found, "db:1 does not resolve: no such name");
    assert_eq!(judged(&seed("db:1"), Ok(Vec::new()), 3).grade, Grade::Fail);
    let late = judge(&seed("db:1"), None, false);
    assert_eq!(late.grade, Grade::Fail);
    assert!(late.found.contains("within 5s"), "{late:?}");
}

#[test]
fn one_that_is_slow_or_did_not_work_is_doubtful() {
    let slow = judged(&seed("db:1"), Ok(vec![addr(2)]), 1_001);
    assert_eq!(slow.grade, Grade::Warn);
    let failed = Seed {
        joined: false,
        last_error: Some("it does not answer".to_owned()),
        ..seed("db:1")
    };
    let failed = judged(&failed, Ok(vec![addr(2)]), 1);
    assert_eq!(failed.grade, Grade::Warn);
    assert!(
        failed.found.contains("at the last try: it does not answer"),
        "{failed:?}"
    );
}

#[test]
fn seeds_that_are_all_this_member_are_doubtful_and_one_among_others_is_not() {
    let answer = |addresses: &[u8]| {
        Some(Resolved {
            outcome: Ok(addresses.iter().copied().map(addr).collect()),
            took: Duration::ZERO,
        })
    };
    let seeds = [seed("a:1"), seed("b:1")];
    let grades = |answers: [Option<Resolved>; 2]| -> Vec<Grade> {
        let found = judge_all(&seeds, &answers, |of| *of == addr(1));
        found.iter().map(|finding| finding.grade).collect()
    };
    let (ok, warn, fail) = (Grade::Ok, Grade::Warn, Grade::Fail);
    assert_eq!(grades([answer(&[1]), answer(&[1, 1])]), [ok, ok, warn]);
    assert_eq!(grades([answer(&[1]), answer(&[1, 2])]), [ok, ok]);
    assert_eq!(grades([answer(&[1]), None]), [ok, fail]);
}

#[test]
fn names_are_looked_up() {
    let own = SocketAddr::from(([127, 0, 0, 1], 7946));
    let seeds = [
        "127.0.0.1:7946",
        "127.0.0.2:7946",
        "127.0.0.1:7947",
        "nowhere.invalid:1",
    ];
    let found = look(&seeds.map(seed), Some(own));
    let told: Vec<(Grade, bool)> = found
        .iter()
        .map(|finding| {
            (
                finding.grade,
                finding.found.ends_with(": this member itself"),
            )
        })
        .collect();
    let (ok, fail) = (Grade::Ok, Grade::Fail);
    assert_eq!(
        told,
        [(ok, true), (ok, true), (ok, false), (fail, false)],
        "{found:?}"
    );
    assert_eq!(
        look(&[seed("127.0.0.1:7946")], Some(own)).len(),
        2,
        "all are this member"
    );
    assert_eq!(look(&[], None).len(), 1, "none is told too");
}
