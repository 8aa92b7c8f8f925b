use std::time::SystemTime;

use serde_json::json;

use super::{buddies, datagrams, streams};
use crate::api::model::Rings;
use crate::cli::doctor::finding::{Finding, Grade};
use crate::cli::doctor::path::{Connected, Path};

/// Sixty seconds past the hour: as many after `ago`.
fn at(ago: Option<u64>) -> Option<String> {
    Some(format!("2026-01-01T00:00:{:02}.000Z", 60 - ago?))
}

fn now() -> SystemTime {
    humantime::parse_rfc3339("2026-01-01T00:01:00Z").expect("a time")
}

/// A ring with the buddy `n2` at these places; what came of datagrams, by how many seconds ago.
fn rings(places: [bool; 2], contact: [Option<u64>; 3], links: &[(bool, &str)]) -> Rings {
    let neighbour =
        json!({"name": "n2", "addr": "10.0.0.2:7946", "state": "alive", "rtt_us": null});
    let at_place = |is_there: bool| is_there.then(|| neighbour.clone());
    let link = |(ours, state): &(bool, &str)| json!({"name": "n2", "ours": ours, "state": state, "since": at(Some(9)), "again": null});
    serde_json::from_value(json!({
        "rings": [{"ring": 0, "successor": at_place(places[0]), "predecessor": at_place(places[1])}],
        "buddies": ["n2"],
        "links": links.iter().map(link).collect::<Vec<_>>(),
        "contacts": [{"name": "n2", "addr": "10.0.0.2:7946", "heard": at(contact[0]),
            "answered": at(contact[1]), "unanswered_since": at(contact[2])}],
        "period_ms": 4000
    }))
    .expect("rings as the API gives them")
}

const BOTH: [bool; 2] = [true, true];
const SUCCESSOR: [bool; 2] = [true, false];
const PREDECESSOR: [bool; 2] = [false, true];

fn udp(places: [bool; 2], contact: [Option<u64>; 3]) -> Option<Finding> {
    let rings = rings(places, contact, &[]);
    datagrams(&buddies(&rings)[0], &rings, now())
}

#[test]
fn a_buddy_that_answers_or_whose_pings_come_is_reached() {
    for places in [BOTH, SUCCESSOR, PREDECESSOR] {
        assert_eq!(udp(places, [Some(1), Some(3), None]), None);
        // One ping that was lost, or is on its way.
        assert_eq!(udp(places, [Some(1), Some(9), Some(5)]), None);
    }
    // A random ping that was lost counts until the next one, which may take long.
    assert_eq!(udp(PREDECESSOR, [Some(1), None, Some(50)]), None);
}

#[test]
fn the_way_that_is_closed_is_named() {
    let there = udp(BOTH, [Some(1), Some(50), Some(45)]).expect("something");
    assert_eq!(there.grade, Grade::Fail);
    assert!(
        there
            .found
            .contains("those from here to 10.0.0.2:7946 do not"),
        "{there:?}"
    );
    let back = udp(BOTH, [Some(50), Some(50), Some(45)]).expect("something");
    assert_eq!(back.grade, Grade::Fail);
    assert!(
        back.found
            .contains("those from 10.0.0.2:7946 to here are lost"),
        "{back:?}"
    );
    let never = udp(SUCCESSOR, [None, None, Some(45)]).expect("something");
    assert!(never.found.contains("the last never"), "{never:?}");
}

#[test]
fn a_predecessor_that_is_silent_fails_and_one_not_yet_heard_is_doubtful() {
    let silent = udp(PREDECESSOR, [Some(40), None, None]).expect("something");
    assert_eq!(silent.grade, Grade::Fail);
    assert!(silent.found.contains("the last 40s ago"), "{silent:?}");
    let new = udp(PREDECESSOR, [None, None, None]).expect("something");
    assert_eq!(new.grade, Grade::Warn);
    let new = udp(SUCCESSOR, [None, None, None]).expect("something");
    assert_eq!(new.grade, Grade::Warn);
}

fn tcp(places: [bool; 2], links: &[(bool, &str)], connected: Connected) -> Option<Finding> {
    let rings = rings(places, [None; 3], links);
    let path = Path {
        connected,
        mtu: None,
        proved: false,
    };
    streams(&buddies(&rings)[0], &rings, &path)
}

#[test]
fn streams_are_well_when_one_can_be_opened_and_the_links_stand() {
    let yes = Connected::Yes { segment: None };
    let (ours, theirs) = ((true, "up"), (false, "up"));
    assert_eq!(tcp(BOTH, &[ours, theirs], yes.clone()), None);
    assert_eq!(tcp(SUCCESSOR, &[ours], yes.clone()), None);
    assert_eq!(tcp(PREDECESSOR, &[theirs], yes.clone()), None);
    let back = tcp(PREDECESSOR, &[], yes.clone()).expect("something");
    assert_eq!(back.grade, Grade::Warn);
    assert!(
        back.found.contains("n2 has no link to this member"),
        "{back:?}"
    );
    let down = tcp(SUCCESSOR, &[(true, "down")], yes).expect("something");
    assert_eq!(down.grade, Grade::Warn);
    assert!(down.found.contains("is down since"), "{down:?}");
}

#[test]
fn a_stream_that_cannot_be_opened_fails_with_the_reason() {
    let refused = tcp(BOTH, &[(false, "up")], Connected::Refused).expect("something");
    assert_eq!(refused.grade, Grade::Fail);
    assert!(
        refused
            .found
            .contains("n2 refuses a stream to 10.0.0.2:7946"),
        "{refused:?}"
    );
    let lost = Connected::Failed("connection timed out".to_owned());
    let lost = tcp(BOTH, &[], lost).expect("something");
    assert_eq!(lost.grade, Grade::Fail);
    assert!(lost.found.contains("connection timed out"), "{lost:?}");
}
