use std::time::{Duration, SystemTime};

use super::{story, undecided};
use crate::api::model::{Evidence, Member, Status};
use crate::cli::table::Look;

fn now() -> SystemTime {
    humantime::parse_rfc3339("2026-01-02T03:07:17.678Z").expect("a time")
}

fn member(state: &str, verdict: &str) -> Member {
    let json = format!(
        r#"{{"name":"n3","addr":"127.0.0.1:7003","instance":5,"incarnation":0,
        "state":"{state}","verdict":{verdict},"view":17,"since":"2026-01-02T03:04:05.678Z",
        "zone":null,"tags":{{}},"voter":true,"self":false,"rtt_us":null}}"#
    );
    serde_json::from_str(&json).expect("a member as the API gives it")
}

fn testimony(by: &str, asked: bool, finding: &str, silence: &str, after_ms: u32) -> String {
    let weight = if finding == "no-testimony" { 0 } else { 75 };
    format!(
        r#"{{"by":"{by}","asked":{asked},"finding":"{finding}","silence":{silence},
        "at":"2026-01-02T03:04:05.{after_ms:03}Z","after_ms":{after_ms},"weight":{weight}}}"#
    )
}

/// A case with these testimonies.
fn case(reason: &str, removed: bool, testimonies: &[String]) -> String {
    format!(
        r#"{{"instance":5,"view":17,"at":"2026-01-02T03:04:05.678Z","removed":{removed},
        "reason":"{reason}","asked_at":null,"took_ms":678,"testimonies":[{}]}}"#,
        testimonies.join(",")
    )
}

fn evidence(suspicion: &str, cases: &[String]) -> Evidence {
    let json = format!(
        r#"{{"name":"n3","suspicion":{suspicion},"cases":[{}]}}"#,
        cases.join(",")
    );
    serde_json::from_str(&json).expect("evidence as the API gives it")
}

fn status() -> Status {
    let json = r#"{"name":"n1","addr":"127.0.0.1:7946","instance":17,"incarnation":2,
        "cluster":"dev","version":"0.1.0","view":17,"epoch":3,"coordinator":"n2","quorum":"held",
        "role":"voter","members":{},"health":0,"lifecycle":"member","pid":99,"uptime_ms":192000,
        "digest":"00000000000000ab","seeds":[],"stats":{}}"#;
    serde_json::from_str(json).expect("a status as the API gives it")
}

#[test]
fn a_removal_is_told_as_a_timeline() {
    let testimonies = [
        testimony("n2", false, "unreached", "\"refused\"", 0),
        testimony("n4", true, "reached", "null", 130),
        testimony("n5", true, "no-testimony", "null", 500),
        testimony("n1", true, "unreached", "\"cut-off\"", 512),
    ];
    let known = evidence("null", &[case("unreached", true, &testimonies)]);
    let member = member("dead", "\"dead\"");
    assert_eq!(
        story(&known, Some(&member), now(), Look::PLAIN),
        [
            "n3 is dead since 2026-01-02T03:04:05.678Z, 3m 12s ago; verdict dead in view 17.",
            "",
            "REMOVED n3 in view 17, heard here at 2026-01-02T03:04:05.678Z, 3m 12s ago",
            "  why: all or nearly all who looked did not reach it",
            "  against it 2 (weight 1.50), for it 1 (weight 0.75), silent 1",
            "  678 ms from the first report to the verdict; instance 5",
            "  TIME           AFTER  WHO           FOUND                               WEIGHT",
            "  03:04:05.000    0 ms  n2 (accuser)  refused: host up, process gone        0.75",
            "  03:04:05.130  130 ms  n4 (asked)    reached it                            0.75",
            "  03:04:05.500  500 ms  n5 (asked)    did not tell                             -",
            "  03:04:05.512  512 ms  n1 (asked)    cut off: not even the host answers    0.75",
            "  03:04:05.678  678 ms  coordinator   verdict: dead, view 17",
        ]
    );
}

#[test]
fn what_is_undecided_comes_first() {
    let suspicion =
        r#"{"state":"suspect","since":"2026-01-02T03:07:05.678Z","accusers":["n1","n2"]}"#;
    let disputed = case(
        "disputed",
        false,
        &[testimony("n4", true, "reached", "null", 5)],
    );
    let known = evidence(suspicion, &[disputed]);
    let lines = story(
        &known,
        Some(&member("suspect", "\"up\"")),
        now(),
        Look::PLAIN,
    );
    assert_eq!(
        lines[..5],
        [
            "n3 is suspect since 2026-01-02T03:04:05.678Z, 3m 12s ago; verdict up in view 17.",
            "Accused now by n1, n2.",
            "",
            "DEGRADED n3 in view 17, heard here at 2026-01-02T03:04:05.678Z, 3m 12s ago",
            "  why: some reach it and some do not",
        ]
    );
    assert!(
        lines[5].starts_with("  against it nobody, for it 1 (weight 0.75)"),
        "{lines:?}"
    );
}

#[test]
fn of_whom_nothing_is_known_that_is_said() {
    let known = evidence("null", &[]);
    assert_eq!(
        story(&known, Some(&member("alive", "null")), now(), Look::PLAIN),
        [
            "n3 is alive since 2026-01-02T03:04:05.678Z, 3m 12s ago; no verdict on this life of it \
             yet.",
        ]
    );
}

#[test]
fn without_a_case_it_is_said_whom_to_ask_or_why_there_is_none() {
    let told = |state, quorum: &str, coordinator: Option<&str>| {
        let mut status = status();
        status.quorum = quorum.to_owned().into();
        status.coordinator = coordinator.map(str::to_owned);
        undecided(Some(&member(state, "\"up\"")), &status)
    };
    let known = "No case about it was decided, as far as this agent remembers";
    assert_eq!(
        told("unreachable", "lost", None),
        "No verdict: the quorum is lost, see `muster status`, `muster recover`."
    );
    let asked = format!("{known}; ask the coordinator n2.");
    assert_eq!(told("unreachable", "held", Some("n2")), asked);
    let itself = format!("{known}.");
    assert_eq!(told("alive", "held", Some("n1")), itself);
    assert_eq!(told("alive", "lost", None), itself);
}

#[test]
fn who_was_removed_by_an_operator_was_not_judged() {
    let operator = case("operator", true, &[]).replace("\"asked_at\":null", "\"asked_at\":\"n1\"");
    let known = evidence("null", &[operator]);
    let lines = story(&known, None, now(), Look::PLAIN);
    assert_eq!(
        lines[2..],
        [
            "REMOVED n3 in view 17, heard here at 2026-01-02T03:04:05.678Z, 3m 12s ago",
            "  why: an operator asked for it, at n1",
            "  instance 5",
        ]
    );
}

#[test]
fn a_forgotten_member_is_explained_too() {
    let known = evidence("null", &[case("degraded-too-long", true, &[])]);
    let lines = story(&known, None, now() + Duration::from_secs(60), Look::PLAIN);
    assert_eq!(lines[0], "n3 is no longer known here.");
    assert!(lines[3].contains("for too long"), "{lines:?}");
}

#[test]
fn colours_are_for_terminals_alone_and_lines_fit_them() {
    let testimonies = [testimony("n2", false, "unreached", "\"refused\"", 0)];
    let known = evidence("null", &[case("unreached", true, &testimonies)]);
    let look = Look {
        colour: true,
        width: Some(60),
    };
    let lines = story(&known, None, now(), look);
    assert!(
        lines.concat().contains("\x1b[31mREMOVED\x1b[0m"),
        "{lines:?}"
    );
    let row = lines
        .iter()
        .find(|line| line.contains("accuser"))
        .expect("a row");
    assert!(row.contains('…'), "{row}");
}
