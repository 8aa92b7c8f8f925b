use std::time::Duration;

use muster_swim::{Name, Silence};
use serde_json::{Value, json};

use super::*;
use crate::api::testing::{World, addr};

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

#[test]
fn the_shape_of_a_member_keeps_its_order() {
    let event = World::new(1).some_event();
    let text = serde_json::to_string(&event.member).expect("JSON");
    let expected = [
        r#"{"name":"n0","addr":"127.0.0.1:7000","instance":1767322645123456,"incarnation":0,"#,
        r#""state":"alive","verdict":null,"view":0,"since":"SINCE","#,
        r#""zone":"west","tags":{"zone":"west"},"voter":false,"self":true,"rtt_us":null}"#,
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
    document["member"]["state"] = json!("degraded");
    document["type"] = json!("member-degraded");
    let decoded: Event = serde_json::from_value(document).expect("an event");
    assert_eq!(
        (decoded.kind.as_ref(), decoded.member.state.as_ref()),
        ("member-degraded", "degraded")
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
    let name = |text| Name::new(text).expect("a valid name");
    let instance = muster_swim::Instance(5);
    let unreachable = |cause| EventKind::Unreachable { cause };
    let cases = [
        (EventKind::Reachable, "member-reachable", json!({})),
        (EventKind::Left, "member-left", json!({})),
        (EventKind::Updated, "member-updated", json!({})),
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
                view: muster_swim::View(0),
                epoch: muster_swim::Epoch(0),
                time: clock.now(),
                member,
                kind,
            },
            clock,
        );
        let document = serde_json::to_value(&event).expect("JSON");
        assert_eq!(document["type"], word);
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
