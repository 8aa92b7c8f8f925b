use super::{answers, cluster, drops, silent, timers};
use crate::api::model::{Seed, Status};
use crate::cli::client::{Attempt, ClientError};
use crate::cli::doctor::finding::{Finding, Grade};

fn status() -> Status {
    let text = r#"{"name":"n1","addr":"127.0.0.1:7946","instance":17,"incarnation":2,"cluster":"dev",
        "version":"0.1.0","view":17,"epoch":3,"coordinator":"n2","quorum":"held","role":"voter",
        "members":{"alive":4,"suspect":1,"dead":2},"health":0,"lifecycle":"member","pid":99,
        "uptime_ms":192000,"digest":"00000000000000ab","seeds":[],"stats":{"late":3}}"#;
    serde_json::from_str(text).expect("a status as the API gives it")
}

fn grades(findings: &[Finding]) -> Vec<(&str, Grade)> {
    let each = findings.iter();
    each.map(|finding| (finding.check, finding.grade)).collect()
}

#[test]
fn an_agent_of_another_version_is_told() {
    assert_eq!(answers(&status(), "/s").grade, Grade::Ok);
    let other = Status {
        version: "0.0.9".into(),
        ..status()
    };
    let finding = answers(&other, "/s");
    assert_eq!(finding.grade, Grade::Warn);
    assert!(finding.found.contains("0.0.9"), "{finding:?}");
}

#[test]
fn without_an_agent_it_says_where_it_looked_and_how_to_start_one() {
    let nobody = ClientError::NoAgent(vec![Attempt {
        socket: "/nowhere/muster.sock".into(),
        error: std::io::ErrorKind::NotFound.into(),
    }]);
    let finding = silent(&nobody);
    assert_eq!(finding.grade, Grade::Fail);
    assert_eq!(
        finding.found,
        "no agent answers; looked at /nowhere/muster.sock: there is no such file"
    );
    assert!(finding.advice.expect("some").contains("`muster agent`"));
    let hangs = ClientError::Silent {
        socket: "/s".into(),
        waited: std::time::Duration::from_secs(10),
    };
    assert!(silent(&hangs).found.contains("did not answer within 10s"));
}

#[test]
fn a_lost_quorum_fails_one_that_forms_is_doubtful_and_another_history_fails() {
    let of = |quorum: &'static str, conflict: Option<&str>| {
        cluster(&Status {
            quorum: quorum.into(),
            conflict: conflict.map(str::to_owned),
            ..status()
        })
    };
    assert_eq!(of("held", None).grade, Grade::Ok);
    assert!(
        of("held", None)
            .found
            .contains("4 of 7 known members alive")
    );
    assert_eq!(of("forming", None).grade, Grade::Warn);
    assert_eq!(of("lost", None).grade, Grade::Fail);
    assert_eq!(of("held", Some("00ab")).grade, Grade::Fail);
}

#[test]
fn late_timers_are_doubtful_and_starved_ones_fail() {
    let of = |health| timers(&Status { health, ..status() }).grade;
    let grades: Vec<Grade> = [0, 1, 3, 4, 8].into_iter().map(of).collect();
    let (ok, warn, fail) = (Grade::Ok, Grade::Warn, Grade::Fail);
    assert_eq!(grades, [ok, warn, warn, fail, fail]);
    assert!(timers(&status()).found.contains("ran late 3 times"));
}

#[test]
fn what_was_dropped_is_told_by_its_reason() {
    let well = [
        ("name", Grade::Ok),
        ("version", Grade::Ok),
        ("strangers", Grade::Ok),
        ("key", Grade::Ok),
    ];
    assert_eq!(grades(&drops(&status())), well);
    let mut bad = status();
    bad.stats.dropped.cluster = 5;
    bad.stats.dropped.version = 6;
    bad.stats.dropped.malformed = 7;
    bad.stats.dropped.key = 3;
    bad.stats.dropped.unsealed = 3;
    bad.stats.dropped.forged = 2;
    // The network may say things twice: nobody has to do anything about that.
    bad.stats.dropped.replayed = 100;
    let found = drops(&bad);
    let doubtful = [
        ("name", Grade::Warn),
        ("version", Grade::Warn),
        ("strangers", Grade::Warn),
        ("key", Grade::Warn),
    ];
    assert_eq!(grades(&found), doubtful);
    for (finding, count) in found.iter().zip(["5 ", "6 ", "7 ", "8 "]) {
        assert!(finding.found.contains(count), "{finding:?}");
    }
}

#[test]
fn a_seed_of_another_cluster_fails_by_its_name() {
    let seed = |joined| Seed {
        seed: "db1:7946".to_owned(),
        joined,
        last_error: Some("it belongs to another cluster".to_owned()),
    };
    let of = |joined| {
        drops(&Status {
            seeds: vec![seed(joined)],
            ..status()
        })
    };
    assert_eq!(of(false)[0].grade, Grade::Fail);
    assert!(
        of(false)[0]
            .found
            .contains("another cluster answers at db1:7946")
    );
    assert_eq!(
        of(true)[0].grade,
        Grade::Ok,
        "that was before it was joined"
    );
}
