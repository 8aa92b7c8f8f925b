//! The stream of events.

use std::time::Duration;

use crate::api::model::Members;
use crate::api::testing::client::{Connection, Stream, get, within};
use crate::api::testing::{ORIGIN, World, stopper};

fn cursor(seq: u64) -> String {
    format!("{ORIGIN}.{seq}")
}

#[test]
fn without_a_cursor_a_stream_starts_with_what_comes_next() {
    let world = World::new(100);
    world.publish(3);
    world.run(async |_| {
        let mut stream = Stream::open(&world.path, "", "").await;
        let greeting = stream.next_block().await.expect("a greeting");
        assert_eq!((greeting.id, greeting.event.as_str()), (cursor(3), ""));
        world.publish(2);
        assert_eq!(stream.next().await.expect("an event").id, cursor(4));
        assert_eq!(stream.next().await.expect("an event").id, cursor(5));
    });
}

#[test]
fn a_cursor_replays_what_came_after_it() {
    let world = World::new(100);
    world.publish(5);
    world.run(async |_| {
        for (query, headers, first) in [
            (format!("?since={}", cursor(0)), String::new(), 1),
            (format!("?since={}", cursor(3)), String::new(), 4),
            (
                String::new(),
                format!("Last-Event-ID: {}\r\n", cursor(4)),
                5,
            ),
            // A client that reconnects repeats its URL and tells in the header where it is.
            (
                format!("?since={}", cursor(0)),
                format!("Last-Event-ID: {}\r\n", cursor(2)),
                3,
            ),
            (
                format!("?since={}", cursor(2)),
                "Last-Event-ID: \r\n".to_owned(),
                3,
            ),
        ] {
            let mut stream = Stream::open(&world.path, &query, &headers).await;
            for seq in first..=5 {
                assert_eq!(
                    stream.next().await.expect("an event").id,
                    cursor(seq),
                    "{query}"
                );
            }
        }
    });
}

#[test]
fn a_list_and_the_events_after_its_cursor_leave_nothing_out() {
    let world = World::new(100);
    world.run(async |_| {
        world.add_peer(&[]);
        let members: Members = get(&world.path, "/v1/members").await.json();
        assert_eq!(members.members.len(), 2);
        world.add_peer(&[]);
        world.peer_leaves(1);
        let mut stream = Stream::open(&world.path, &format!("?since={}", members.cursor), "").await;
        let mut known: Vec<(String, String)> = Vec::new();
        while known
            .last()
            .is_none_or(|(kind, _)| kind != "member-unreachable")
        {
            let event = stream.next().await.expect("an event");
            known.push((
                event.event,
                event.data["member"]["name"].as_str().expect("text").into(),
            ));
        }
        let known: Vec<(&str, &str)> = known
            .iter()
            .map(|(k, n)| (k.as_str(), n.as_str()))
            .collect();
        assert_eq!(
            known,
            [("member-reachable", "n2"), ("member-unreachable", "n1")]
        );
    });
}

#[test]
fn a_gap_starts_with_a_snapshot_and_goes_on_right_after_it() {
    let world = World::new(10);
    world.add_peer(&[]);
    world.publish(50);
    let last = world.handle.log().borrow().cursor().seq;
    let (oldest, newest) = (cursor(last - 10), cursor(last));
    world.run(async |_| {
        for (since, reason) in [
            (format!("{}.1", ORIGIN - 1), "other-origin"),
            (cursor(0), "too-old"),
            (cursor(last - 11), "too-old"),
            (cursor(last + 1), "unknown"),
            (format!("{ORIGIN}.{}", u64::MAX), "unknown"),
        ] {
            let path = format!("?since={since}&types=member-left");
            let mut stream = Stream::open(&world.path, &path, "").await;
            let reset = stream.next().await.expect("a reset");
            assert_eq!(
                (reset.event.as_str(), reset.id.as_str()),
                ("reset", newest.as_str())
            );
            assert_eq!(reset.data["reason"], reason, "{since}");
            assert_eq!(reset.data["members"][1]["name"], "n1");
        }
        let mut stream = Stream::open(&world.path, &format!("?since={oldest}"), "").await;
        assert_eq!(
            stream.next().await.expect("an event").event,
            "member-updated",
            "just kept"
        );
        let mut stream = Stream::open(&world.path, "?since=1.1", "").await;
        assert_eq!(stream.next().await.expect("a reset").event, "reset");
        world.publish(1);
        assert_eq!(stream.next().await.expect("an event").id, cursor(last + 1));
    });
}

#[test]
fn types_filter_and_the_cursor_moves_on_all_the_same() {
    let mut world = World::new(20_000);
    world.bounds.keep_alive = Duration::from_millis(20);
    world.run(async |_| {
        let query = "?types=member-left,member-reachable";
        let mut stream = Stream::open(&world.path, query, "").await;
        // More than one step looks at.
        world.publish(10_000);
        world.add_peer(&[]);
        let event = stream.next().await.expect("an event");
        assert_eq!(event.event, "member-reachable");
        world.publish(7);
        let last = world.handle.log().borrow().cursor().to_string();
        let mut block = stream.next_block().await.expect("a sign of life");
        while block.id != last {
            assert_eq!(
                (block.comment.as_str(), block.event.as_str()),
                ("keep-alive", "")
            );
            block = stream.next_block().await.expect("a sign of life");
        }
    });
}

#[test]
fn a_reader_that_falls_behind_costs_others_nothing_and_is_told() {
    const EVENTS: usize = 200_000;
    let world = World::new(1000);
    world.run(async |executor| {
        let mut slow = Stream::open(&world.path, "", "").await;
        let mut fast = Stream::open(&world.path, "", "").await;
        assert_eq!(slow.next_block().await.expect("a greeting").id, cursor(0));
        assert_eq!(fast.next_block().await.expect("a greeting").id, cursor(0));
        let reader = executor.spawn(async move {
            let mut got = 0;
            while got < EVENTS {
                let block = fast.next_block().await.expect("an event");
                got += 1;
                assert_eq!(block.id, cursor(got as u64), "in order, each once");
            }
            fast
        });
        let mut published = 0;
        while published < EVENTS {
            world.publish(500);
            published += 500;
            // As the agent does: the others run between two turns of the loop. The fast reader
            // never is a whole buffer behind.
            while waiting_after(&world, published) < 1 {
                smol::future::yield_now().await;
            }
        }
        within("the fast reader", reader).await;
        let mut seen = 0;
        let reset = loop {
            let message = slow.next().await.expect("an event");
            if message.event == "reset" {
                break message;
            }
            seen += 1;
            assert_eq!(message.id, cursor(seen));
        };
        assert!(
            seen < EVENTS as u64 / 10,
            "what lay in the kernel's buffer came first: {seen}"
        );
        assert_eq!(reset.data["reason"], "too-old");
        assert_eq!(reset.id, cursor(EVENTS as u64));
        world.publish(1);
        assert_eq!(
            slow.next().await.expect("an event").id,
            cursor(EVENTS as u64 + 1)
        );
    });
}

/// Streams that have seen everything.
fn waiting_after(world: &World, published: usize) -> usize {
    let log = world.handle.log().borrow();
    assert_eq!(log.cursor().seq, published as u64);
    log.waiting()
}

#[test]
fn a_stream_that_ends_leaves_nothing_behind() {
    let world = World::new(100);
    world.run(async |_| {
        for _ in 0..20 {
            let mut stream = Stream::open(&world.path, "", "").await;
            stream.next_block().await.expect("a greeting");
            within("waiting", async {
                while world.handle.log().borrow().waiting() == 0 {
                    smol::future::yield_now().await;
                }
            })
            .await;
            drop(stream);
            within("the end of the stream", async {
                while world.handle.log().borrow().waiting() > 0 {
                    smol::future::yield_now().await;
                }
            })
            .await;
        }
    });
}

#[test]
fn a_server_that_stops_ends_streams_after_their_last_event() {
    let world = World::new(100);
    let (stop, stopped) = stopper();
    world.run_until(
        async |_| {
            let mut stream = Stream::open(&world.path, "", "").await;
            let mut idle = Connection::open(&world.path).await;
            idle.ask("GET", "/v1/status", "", b"").await;
            idle.read_reply("GET").await;
            stream.next_block().await.expect("a greeting");
            world.publish(3);
            stop.send(()).await.expect("the server waits for it");
            for seq in 1..=3 {
                assert_eq!(stream.next().await.expect("an event").id, cursor(seq));
            }
            assert_eq!(stream.next().await, None);
            assert_eq!(idle.read_to_end().await, "");
            within("the file goes", async {
                while world.path.exists() {
                    smol::future::yield_now().await;
                }
            })
            .await;
        },
        stopped,
    );
}
