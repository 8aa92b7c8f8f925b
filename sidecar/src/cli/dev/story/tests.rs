use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use super::{Deed, Story};
use crate::api::model::{Event, rfc3339};
use crate::cli::table::{Look, Tone};

fn at(millis: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_000 + millis)
}

fn event(kind: &str, member: &str, millis: u64) -> Event {
    let json = format!(
        r#"{{"cursor":"1.1","time":"{}","type":"{kind}","view":0,"epoch":0,"by":"n1",
        "member":{{"name":"{member}","addr":"127.0.0.1:7003","instance":3,"incarnation":0,
        "state":"unreachable","verdict":null,"view":0,"since":"2026-01-02T03:04:05.678Z",
        "zone":null,"tags":{{}},"voter":false,"self":false,"rtt_us":null}}}}"#,
        rfc3339(at(millis))
    );
    serde_json::from_str(&json).expect("an event as the API gives it")
}

/// The same, agreed.
fn verdict(kind: &str, member: &str, millis: u64, view: u64) -> Event {
    let mut event = event(kind, member, millis);
    (event.view, event.epoch) = (view, 2);
    event.details.by = None;
    event
}

fn awake() -> BTreeSet<String> {
    ["n1", "n2", "n4"].map(str::to_owned).into()
}

fn text(lines: impl IntoIterator<Item = Vec<crate::cli::table::Cell>>) -> Vec<String> {
    lines
        .into_iter()
        .map(|line| Look::PLAIN.line(&line))
        .collect()
}

#[test]
fn an_event_seen_by_several_is_one_entry_with_the_time_since_its_cause() {
    let mut story = Story::new(at(0));
    story.deed("n3", Deed::Ended, at(1000));
    for (observer, millis) in [("n2", 1052), ("n1", 1050), ("n4", 1060)] {
        story.sighting(
            observer,
            &event("member-unreachable", "n3", millis),
            &awake(),
        );
    }
    assert_eq!(
        text(story.last(10)),
        ["   1.052  member-unreachable  n3  after its end: n1 50, n2 52, n4 60 ms  by=n1"]
    );
    assert_eq!(
        text(story.news()),
        [
            "   1.052  member-unreachable  n3  after its end: n2 52 ms  by=n1",
            "   1.060  member-unreachable  n3  seen by all 3; after its end: n1 50, n2 52, n4 60 ms",
        ]
    );
    assert!(story.news().is_empty());
}

#[test]
fn without_a_cause_times_count_from_who_saw_it_first() {
    let mut story = Story::new(at(0));
    for (observer, millis) in [("n1", 10), ("n2", 10), ("n4", 13)] {
        story.sighting(observer, &event("member-updated", "n3", millis), &awake());
    }
    let shown = text(story.last(1));
    assert_eq!(
        shown,
        ["   0.010  member-updated      n3  seen by n1, n2, n4 +3 ms  by=n1"]
    );
}

#[test]
fn the_same_observer_again_is_another_event() {
    let mut story = Story::new(at(0));
    for millis in [10, 500] {
        story.sighting("n1", &event("member-suspect", "n3", millis), &awake());
    }
    story.sighting("n2", &event("member-reachable", "n3", 510), &awake());
    assert_eq!(story.last(10).count(), 3);
}

#[test]
fn what_was_done_explains_only_what_follows_from_it() {
    let mut story = Story::new(at(0));
    story.deed("n3", Deed::Started, at(0));
    story.sighting("n1", &event("member-suspect", "n3", 20), &awake());
    story.sighting("n1", &event("member-reachable", "n3", 30), &awake());
    let shown = text(story.last(10));
    assert!(shown[0].ends_with("seen by n1  by=n1"), "{shown:?}");
    assert!(
        shown[1].ends_with("after its start: n1 30 ms  by=n1"),
        "{shown:?}"
    );
}

#[test]
fn the_newest_entries_are_shown_and_old_ones_forgotten() {
    let mut story = Story::new(at(0));
    for number in 0..super::ENTRIES + 5 {
        story.note(at(0), format!("note {number}"), Tone::Plain);
    }
    let last = text(story.last(2));
    assert_eq!(last, ["   0.000  note 1003", "   0.000  note 1004"]);
    assert_eq!(story.last(usize::MAX).count(), super::ENTRIES);
    assert_eq!(story.news().len(), super::ENTRIES);
}

#[test]
fn a_verdict_is_told_with_its_view_and_the_time_since_its_cause() {
    let mut story = Story::new(at(0));
    story.deed("n3", Deed::Ended, at(1000));
    for (observer, millis) in [("n1", 1500), ("n2", 1502)] {
        story.sighting(observer, &verdict("member-dead", "n3", millis, 7), &awake());
    }
    story.sighting("n1", &verdict("member-dead", "n3", 1600, 9), &awake());
    let shown = text(story.last(10));
    assert_eq!(
        shown,
        [
            "   1.500  member-dead         n3 view 7  after its end: n1 500, n2 502 ms ",
            "   1.600  member-dead         n3 view 9  after its end: n1 600 ms ",
        ]
    );
}

#[test]
fn what_each_tells_of_the_quorum_is_one_happening() {
    let mut story = Story::new(at(0));
    for (observer, millis) in [("n1", 10), ("n2", 13)] {
        story.sighting(
            observer,
            &verdict("quorum-lost", observer, millis, 7),
            &awake(),
        );
    }
    story.sighting("n1", &verdict("coordinator-changed", "n2", 20, 8), &awake());
    assert_eq!(
        text(story.last(10)),
        [
            "   0.010  quorum-lost           seen by n1, n2 +3 ms ",
            "   0.020  coordinator-changed n2 epoch 2  seen by n1 ",
        ]
    );
}
