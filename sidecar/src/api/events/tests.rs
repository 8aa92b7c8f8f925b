use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

use super::*;
use crate::api::testing::{ORIGIN, World};

fn log(capacity: usize, published: usize) -> EventLog {
    let event = World::new(1).some_event();
    let mut log = EventLog::new(ORIGIN, capacity);
    for _ in 0..published {
        log.publish(event.clone());
    }
    log
}

fn text_after(log: &EventLog, seq: u64, types: &Types, limit: usize) -> Result<(String, u64), Gap> {
    let mut chunk = Vec::new();
    let seen = log.copy_after(seq, types, &mut chunk, limit)?;
    Ok((String::from_utf8(chunk).expect("text"), seen))
}

#[test]
fn cursors_are_dense_from_one() {
    let event = World::new(1).some_event();
    let mut log = log(10, 0);
    assert_eq!(log.cursor().to_string(), format!("{ORIGIN}.0"));
    for seq in 1..=3 {
        assert_eq!(log.publish(event.clone()).cursor, format!("{ORIGIN}.{seq}"));
    }
}

#[test]
fn a_frame_is_one_message_with_one_line_of_data() {
    let mut event = World::new(1).some_event();
    event.member.tags.insert("a".into(), "two\nlines\r".into());
    let mut log = EventLog::new(ORIGIN, 10);
    log.publish(event);
    let (text, _) = text_after(&log, 0, &Types::all(), usize::MAX).expect("kept");
    let lines: Vec<&str> = text.split('\n').collect();
    assert_eq!(lines.len(), 5);
    assert_eq!(lines[0], format!("id: {ORIGIN}.1"));
    assert_eq!(lines[1], "event: member-updated");
    let data = lines[2].strip_prefix("data: ").expect("data");
    let decoded: Event = serde_json::from_str(data).expect("an event");
    assert_eq!(Some(&decoded), log.last.as_ref());
    assert_eq!(lines[3..], ["", ""]);
}

#[test]
fn where_a_stream_may_go_on() {
    let log = log(10, 25);
    let resume = |origin, seq| log.resume(Cursor { origin, seq });
    assert_eq!(resume(ORIGIN, 25), Ok(25));
    assert_eq!(resume(ORIGIN, 15), Ok(15));
    assert_eq!(resume(ORIGIN, 14), Err(Gap::TooOld));
    assert_eq!(resume(ORIGIN, 0), Err(Gap::TooOld));
    assert_eq!(resume(ORIGIN, 26), Err(Gap::Unknown));
    assert_eq!(resume(ORIGIN + 1, 25), Err(Gap::OtherOrigin));
}

#[test]
fn a_chunk_ends_at_its_limit_and_the_next_goes_on() {
    let log = log(10, 10);
    let (all, seen) = text_after(&log, 0, &Types::all(), usize::MAX).expect("kept");
    assert_eq!(seen, 10);
    let (mut joined, mut seq, mut chunks) = (String::new(), 0, 0);
    while seq < 10 {
        let (text, seen) = text_after(&log, seq, &Types::all(), 1000).expect("kept");
        joined.push_str(&text);
        seq = seen;
        chunks += 1;
    }
    assert_eq!(joined, all);
    assert!(chunks > 2, "{chunks}");
}

#[test]
fn types_let_through_what_they_name_and_resets() {
    let types = Types::parse("member-left, member-suspect").expect("known");
    assert!(types.wants("member-left") && types.wants("member-suspect") && types.wants(RESET));
    assert!(!types.wants("member-updated"));
    assert!(Types::all().wants("member-updated"));
    assert_eq!(Types::parse("member-left,"), Err(String::new()));
    assert_eq!(Types::parse("member-lost"), Err("member-lost".to_owned()));
    let log = log(10, 5);
    assert_eq!(
        text_after(&log, 2, &types, usize::MAX),
        Ok((String::new(), 5))
    );
}

#[test]
fn the_log_is_bounded_in_events_and_bytes() {
    let log = log(100, 1000);
    assert_eq!(log.entries.len(), 100);
    assert_eq!(
        log.bytes,
        log.entries
            .iter()
            .map(|entry| entry.frame.len())
            .sum::<usize>()
    );
    let event = World::new(1).some_event();
    let mut log = EventLog::new(ORIGIN, 65_536);
    assert_eq!(log.max_bytes, LOG_BYTES);
    log.max_bytes = 10_000;
    for _ in 0..40 {
        log.publish(event.clone());
        assert!(log.bytes <= 10_000);
    }
    assert!(log.entries.len() > 10);
    let first = Cursor {
        origin: ORIGIN,
        seq: 0,
    };
    assert_eq!(log.resume(first), Err(Gap::TooOld));
}

#[test]
fn an_event_wakes_each_waiting_stream_once() {
    struct Count(AtomicUsize);
    impl Wake for Count {
        fn wake(self: Arc<Count>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let count = Arc::new(Count(AtomicUsize::new(0)));
    let waker = Waker::from(count.clone());
    let mut log = log(10, 0);
    let (one, other, gone) = (log.add_reader(), log.add_reader(), log.add_reader());
    for reader in [one, one, one, other, gone] {
        log.wait(reader, &waker);
    }
    log.remove_reader(gone);
    assert_eq!(log.waiting(), 2);
    let event = World::new(1).some_event();
    log.publish(event.clone());
    log.publish(event);
    assert_eq!(count.0.load(Ordering::Relaxed), 2);
    assert_eq!(log.waiting(), 0);
}
