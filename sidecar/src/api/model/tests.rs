use std::sync::Arc;
use std::time::Duration;

use muster_swim::{
    Agreement, AppDownCause, Attachment, CaseFile, DeadCause, Ending, Epoch, EventKind,
    Evidence as CaseEvidence, Finding, Lineage, Name, Quorum, Reason, RemovedCause, Role, Silence,
    State, UnreachableCause, Verdict, View,
};
use serde_json::{Value, json};

use super::*;
use crate::api::testing::{World, addr};

fn name(text: &str) -> Name {
    Name::new(text).expect("a valid name")
}

fn testimony(by: &str, asked: bool, finding: Finding, after_ms: u32) -> muster_swim::Testimony {
    muster_swim::Testimony {
        by: name(by),
        asked,
        finding,
        after_ms,
        weight: 100,
    }
}

/// Three that do not reach it, one that does, one that says nothing.
fn evidence(reason: Reason) -> Arc<CaseEvidence> {
    let unreached = Finding::Unreached(Silence::CutOff);
    Arc::new(CaseEvidence {
        reason,
        testimonies: vec![
            testimony("n2", false, unreached, 0),
            testimony("n4", true, Finding::Reached, 130),
            testimony("n5", true, Finding::NoTestimony, 500),
            testimony("n1", true, Finding::Unreached(Silence::Refused), 500),
        ],
        took_ms: 512,
    })
}

fn grounds(reason: &str) -> Value {
    json!({
        "reason": reason, "unreached": ["n2", "n1"], "reached": ["n4"], "no_testimony": ["n5"],
        "took_ms": 512
    })
}

#[test]
fn cursors_are_two_plain_numbers() {
    let cursor = Cursor { origin: 7, seq: 12 };
    assert_eq!(cursor.to_string(), "7.12");
    assert_eq!("7.12".parse(), Ok(cursor));
    assert_eq!("0007.12".parse(), Ok(cursor));
    for text in [
        "",
        ".",
        "7",
        "7.",
        ".12",
        "+7.12",
        "7.-1",
        "7.12.1",
        " 7.12",
        "7,12",
        "x.1",
        "18446744073709551616.1",
    ] {
        assert_eq!(text.parse::<Cursor>(), Err(CursorError), "{text:?}");
    }
}

#[test]
fn times_are_rfc_3339_and_never_panic() {
    let second = Duration::from_secs(1);
    let at = |since_epoch| rfc3339(SystemTime::UNIX_EPOCH + since_epoch);
    assert_eq!(
        at(Duration::from_millis(1_767_322_645_678)),
        "2026-01-02T02:57:25.678Z"
    );
    assert_eq!(
        rfc3339(SystemTime::UNIX_EPOCH - second),
        "1970-01-01T00:00:00.000Z"
    );
    assert_eq!(at(second * u32::MAX * 100), "9999-12-31T23:59:59.999Z");
}

/// The end of an app, and what is told of it.
fn app_down(cause: AppDownCause, mut how: Value) -> (EventKind, &'static str, Value) {
    let fields = how.as_object_mut().expect("fields");
    fields.insert("app".to_owned(), json!("web"));
    fields.insert("attachment".to_owned(), json!(7));
    let word = fields["cause"].as_str().expect("a word");
    assert!(ENDINGS.contains(&word), "{word}");
    let kind = EventKind::AppDown {
        app: "web".into(),
        attachment: Attachment(7),
        cause,
    };
    (kind, "app-down", how)
}

#[test]
fn the_shape_of_a_member_keeps_its_order() {
    let event = World::new(1).some_event();
    let text = serde_json::to_string(&event.member).expect("JSON");
    let expected = [
        r#"{"name":"n0","addr":"127.0.0.1:7000","instance":1767322645123456,"incarnation":0,"#,
        r#""state":"alive","verdict":null,"view":0,"since":"SINCE","#,
        r#""zone":"west","tags":{"zone":"west"},"apps":{},"voter":false,"self":true,"rtt_us":null}"#,
    ];
    let expected = expected.concat().replace("SINCE", &event.member.since);
    assert_eq!(text, expected);
}

#[test]
fn what_a_newer_server_adds_is_read_over() {
    let event = World::new(1).some_event();
    let mut document = serde_json::to_value(&event).expect("JSON");
    document["new"] = json!({"a": [1]});
    document["member"]["new"] = json!(true);
    document["member"]["state"] = json!("dozing");
    document["type"] = json!("member-dozing");
    let decoded: Event = serde_json::from_value(document).expect("an event");
    assert_eq!(
        (decoded.kind.as_ref(), decoded.member.state.as_ref()),
        ("member-dozing", "dozing")
    );
    let stats: Stats = serde_json::from_value(json!({"pulls": 3, "new": 1})).expect("counters");
    assert_eq!(
        stats,
        Stats {
            pulls: 3,
            ..Stats::default()
        }
    );
}

#[test]
fn details_stand_beside_the_other_fields_of_an_event() {
    let instance = muster_swim::Instance(5);
    let unreachable = |cause| EventKind::Unreachable { cause };
    let cases = [
        (EventKind::Reachable, "member-reachable", json!({})),
        (EventKind::Left, "member-left", json!({})),
        (EventKind::Up, "member-up", json!({})),
        (
            EventKind::CoordinatorChanged,
            "coordinator-changed",
            json!({}),
        ),
        (EventKind::QuorumLost, "quorum-lost", json!({})),
        (EventKind::SelfReadmitted, "self-readmitted", json!({})),
        (
            EventKind::QuorumRegained { recovered: true },
            "quorum-regained",
            json!({"recovered": true}),
        ),
        (
            EventKind::Degraded {
                evidence: Some(evidence(Reason::Disputed)),
            },
            "member-degraded",
            json!({"grounds": grounds("disputed")}),
        ),
        (
            EventKind::Dead {
                cause: DeadCause::Convicted {
                    evidence: evidence(Reason::Unreached),
                },
            },
            "member-dead",
            json!({"cause": "convicted", "grounds": grounds("unreached")}),
        ),
        (
            EventKind::Dead {
                cause: DeadCause::Replaced { instance },
            },
            "member-dead",
            json!({"cause": "replaced", "instance": 5}),
        ),
        (
            EventKind::Dead {
                cause: DeadCause::Unknown,
            },
            "member-dead",
            json!({"cause": "unknown"}),
        ),
        (
            unreachable(UnreachableCause::Goodbye),
            "member-unreachable",
            json!({"cause": "goodbye"}),
        ),
        (
            unreachable(UnreachableCause::Verdict),
            "member-unreachable",
            json!({"cause": "verdict"}),
        ),
        (
            EventKind::SelfRemoved {
                cause: RemovedCause::Verdict { view: View(9) },
            },
            "self-removed",
            json!({"cause": "verdict", "removed_in": 9}),
        ),
        (EventKind::Updated, "member-updated", json!({})),
        app_down(
            AppDownCause::Ended(Ending::Exited { status: 3 }),
            json!({"cause": "exited", "status": 3}),
        ),
        app_down(
            AppDownCause::Ended(Ending::Signalled { signal: 11 }),
            json!({"cause": "signalled", "signal": "SIGSEGV"}),
        ),
        app_down(
            AppDownCause::Ended(Ending::Detached),
            json!({"cause": "detached"}),
        ),
        app_down(AppDownCause::Ended(Ending::Lost), json!({"cause": "lost"})),
        app_down(AppDownCause::Unknown, json!({"cause": "unknown"})),
        app_down(AppDownCause::MemberDead, json!({"cause": "member-dead"})),
        app_down(AppDownCause::MemberLeft, json!({"cause": "member-left"})),
        app_down(
            AppDownCause::MemberReplaced { instance },
            json!({"cause": "member-replaced", "instance": 5}),
        ),
        (
            EventKind::Suspect {
                by: name("n2"),
                silence: Some(Silence::CutOff),
            },
            "member-suspect",
            json!({"by": "n2", "silence": "cut-off"}),
        ),
        (
            EventKind::Suspect {
                by: name("n2"),
                silence: None,
            },
            "member-suspect",
            json!({"by": "n2"}),
        ),
        (
            unreachable(UnreachableCause::Timeout {
                accusers: vec![name("n3"), name("n2")],
            }),
            "member-unreachable",
            json!({"cause": "timeout", "accusers": ["n3", "n2"]}),
        ),
        (
            unreachable(UnreachableCause::Told { by: name("n2") }),
            "member-unreachable",
            json!({"cause": "told", "by": "n2"}),
        ),
        (
            unreachable(UnreachableCause::Superseded { instance }),
            "member-unreachable",
            json!({"cause": "superseded", "instance": 5}),
        ),
        (
            EventKind::SelfRemoved {
                cause: RemovedCause::NameTaken {
                    addr: addr(3),
                    instance,
                },
            },
            "self-removed",
            json!({"cause": "name-taken", "addr": "127.0.0.1:7003", "instance": 5}),
        ),
    ];
    let world = World::new(1);
    let clock = world.handle.clock();
    for (kind, word, details) in cases {
        let member = world.handle.read(muster_swim::Node::me);
        let event = Event::new(
            &muster_swim::Event {
                view: View(17),
                epoch: Epoch(2),
                time: clock.now(),
                member,
                kind,
            },
            clock,
        );
        let document = serde_json::to_value(&event).expect("JSON");
        assert_eq!(document["type"], word);
        assert_eq!(
            (&document["view"], &document["epoch"]),
            (&json!(17), &json!(2))
        );
        assert!(EVENT_TYPES.contains(&word));
        for (field, value) in details.as_object().expect("fields") {
            assert_eq!(document[field], *value, "{document}");
        }
        let fields = document.as_object().map_or(0, serde_json::Map::len);
        assert_eq!(
            fields,
            6 + details.as_object().map_or(0, serde_json::Map::len),
            "{document}"
        );
        let mut published = document.clone();
        published["cursor"] = Value::from("1.1");
        crate::api::testing::openapi::check_data(&published);
        assert_eq!(
            serde_json::from_value::<Event>(document).expect("an event"),
            event
        );
    }
}

fn agreement() -> Agreement {
    Agreement {
        lineage: None,
        view: View(17),
        epoch: Epoch(2),
        coordinator: Some(name("n1")),
        coordinator_addr: Some(addr(1)),
        lease_left: Some(Duration::from_millis(1234)),
        quorum: Quorum::Held,
        role: Role::Voter,
        voters: vec![name("n1")],
        conflict: None,
        memory_failed: false,
    }
}

#[test]
fn the_coordinator_is_told_with_its_lease_by_itself_alone() {
    let told = |agreement: &Agreement, me: &str| {
        let coordinator = Coordinator::new(agreement, &name(me));
        serde_json::to_value(coordinator).expect("JSON")
    };
    let itself = agreement();
    let expected = json!({
        "name": "n1", "addr": "127.0.0.1:7001", "epoch": 2, "lease_ms": 1234, "self": true
    });
    assert_eq!(told(&itself, "n1"), expected);
    crate::api::testing::openapi::check_schema("Coordinator", &expected);
    let other = Agreement {
        lease_left: None,
        coordinator_addr: None,
        ..itself.clone()
    };
    let expected = json!({"name": "n1", "addr": null, "epoch": 2, "lease_ms": null, "self": false});
    assert_eq!(told(&other, "n2"), expected);
    crate::api::testing::openapi::check_schema("Coordinator", &expected);
    let nobody = Agreement {
        coordinator: None,
        ..itself
    };
    assert_eq!(told(&nobody, "n1"), Value::Null);
}

#[test]
fn a_lineage_has_sixteen_digits_and_how_often_it_was_rebuilt() {
    let word = |family, generation| lineage_word(Lineage { family, generation });
    assert_eq!(word(0xab, 0), "00000000000000ab0000");
    assert_eq!(word(u64::MAX, u32::MAX), "ffffffffffffffffffffffff");
}

#[test]
fn a_verdict_is_told_with_its_view() {
    let world = World::new(1);
    let info = muster_swim::MemberInfo {
        state: State::Dead,
        verdict: Some(Verdict::Dead),
        view: View(7),
        voter: true,
        ..world.handle.read(muster_swim::Node::me)
    };
    let member = Member::new(&info, world.handle.clock());
    assert_eq!(member.verdict.as_deref(), Some("dead"));
    assert_eq!(
        (member.view, member.voter, member.state.as_ref()),
        (7, true, "dead")
    );
    let document = serde_json::to_value(member).expect("JSON");
    crate::api::testing::openapi::check_schema("Member", &document);
}

#[test]
fn the_evidence_holds_the_suspicion_and_every_case_with_its_times() {
    let world = World::new(1);
    let clock = world.handle.clock();
    let now = clock.now();
    let file = |reason: Reason, removed| CaseFile {
        name: name("n3"),
        instance: muster_swim::Instance(5),
        view: View(17),
        at: now,
        removed,
        evidence: evidence(reason),
    };
    let files = [
        file(Reason::Unreached, true),
        file(Reason::Operator { at: name("n4") }, false),
    ];
    let info = muster_swim::MemberInfo {
        state: State::Unreachable,
        ..world.handle.read(muster_swim::Node::me)
    };
    let accusers = [name("n2"), name("n4")];
    let told = Evidence::new("n3", Some(&info), &accusers, &files, clock).expect("a lot");
    let suspicion = told.suspicion.as_ref().expect("it is unreachable");
    assert_eq!(suspicion.accusers, ["n2", "n4"]);
    let case = &told.cases[0];
    assert_eq!(
        (case.view, case.removed, case.reason.as_ref()),
        (17, true, "unreached")
    );
    assert_eq!(case.at, rfc3339(clock.wall(now)));
    let words: Vec<_> = case
        .testimonies
        .iter()
        .map(|word| {
            (
                word.by.as_str(),
                word.finding.as_ref(),
                word.silence.as_deref(),
            )
        })
        .collect();
    let expected = [
        ("n2", "unreached", Some("cut-off")),
        ("n4", "reached", None),
        ("n5", "no-testimony", None),
        ("n1", "unreached", Some("refused")),
    ];
    assert_eq!(words, expected);
    let begun = clock.wall(now) - Duration::from_millis(512);
    assert_eq!(case.testimonies[0].at, rfc3339(begun));
    assert_eq!(
        case.testimonies[1].at,
        rfc3339(begun + Duration::from_millis(130))
    );
    assert_eq!(told.cases[1].asked_at.as_deref(), Some("n4"));
    let document = serde_json::to_value(&told).expect("JSON");
    crate::api::testing::openapi::check_schema("Evidence", &document);

    let healthy = world.handle.read(muster_swim::Node::me);
    assert_eq!(Evidence::new("n0", Some(&healthy), &[], &[], clock), None);
    assert!(Evidence::new("n3", None, &[], &files, clock).is_some());
}
