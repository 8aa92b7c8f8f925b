//! What clients may not do to the server.

use std::time::Duration;

use crate::api::testing::World;
use crate::api::testing::client::{Connection, Stream, get, within};

/// The server answers others as before.
async fn assert_fine(world: &World) {
    assert_eq!(get(&world.path, "/v1/status").await.status, 200);
}

#[test]
fn nonsense_is_refused_and_hurts_nobody() {
    let world = World::new(100);
    let many = format!("GET /v1/status HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(1000));
    let long = format!(
        "GET /v1/status HTTP/1.1\r\na: {}\r\n\r\n",
        "b".repeat(1 << 20)
    );
    let path = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(1 << 20));
    let cases: [(&[u8], &[&str]); 12] = [
        (b"\r\n\r\n\r\n\r\nnonsense\r\n\r\n", &["400"]),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", &["400"]),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &["400", "505", ""]),
        (b"GET /v1/status\r\n\r\n", &["400"]),
        (b"GET /v1/status HTTP/9.9\r\n\r\n", &["400", "505"]),
        (b"GET /v1/sta\x00tus HTTP/1.1\r\n\r\n", &["400"]),
        (b"GET /v1/status HTTP/1.1\r\nno colon\r\n\r\n", &["400"]),
        (
            b"PUT /v1/tags/a HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
            &["400"],
        ),
        (
            b"PUT /v1/tags/a HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n12",
            &["400"],
        ),
        (many.as_bytes(), &["431"]),
        (long.as_bytes(), &["431"]),
        (path.as_bytes(), &["414", "431"]),
    ];
    world.run(async |_| {
        for (request, expected) in cases {
            let mut connection = Connection::open(&world.path).await;
            connection.send(request).await;
            let answer = connection.read_to_end().await;
            let status = answer.split(' ').nth(1).unwrap_or_default();
            assert!(
                expected.contains(&status),
                "{status} to {:?}",
                &request[..request.len().min(60)]
            );
            assert_fine(&world).await;
        }
    });
}

#[test]
fn any_half_of_a_request_is_harmless() {
    let world = World::new(100);
    let body = br#"{"seeds":["127.0.0.1:7001"]}"#;
    let request = [
        b"POST /v1/join HTTP/1.1\r\nHost: muster\r\nContent-Type: application/json\r\n".as_slice(),
        format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes(),
        body,
    ]
    .concat();
    world.run(async |_| {
        for cut in 0..request.len() {
            let mut connection = Connection::open(&world.path).await;
            connection.send(&request[..cut]).await;
            drop(connection);
        }
        assert_fine(&world).await;
        assert!(
            world.handle.read(|node| node.seeds().is_empty()),
            "no half of it did anything"
        );
    });
}

#[test]
fn every_changed_byte_of_a_request_is_harmless() {
    let world = World::new(100);
    let request =
        b"GET /v1/members?state=alive HTTP/1.1\r\nHost: muster\r\nConnection: close\r\n\r\n";
    world.run(async |_| {
        for place in 0..request.len() {
            for byte in [0, b'\n', b'%', b':', 0x7f, 0xff, request[place] ^ 1] {
                let mut changed = request.to_vec();
                changed[place] = byte;
                let mut connection = Connection::open(&world.path).await;
                connection.send(&changed).await;
                drop(connection);
            }
        }
        assert_fine(&world).await;
    });
}

#[test]
fn one_connection_takes_requests_in_a_row_also_when_sent_ahead() {
    let world = World::new(100);
    world.run(async |_| {
        let mut connection = Connection::open(&world.path).await;
        for _ in 0..3 {
            connection.ask("GET", "/v1/status", "", b"").await;
        }
        connection.ask("PUT", "/v1/tags/a", "", b"1").await;
        for expected in [200, 200, 200, 204] {
            let method = if expected == 204 { "PUT" } else { "GET" };
            assert_eq!(connection.read_reply(method).await.status, expected);
        }
    });
}

#[test]
fn who_connects_and_says_nothing_is_dropped() {
    let mut world = World::new(100);
    world.bounds.head_timeout = Duration::from_millis(50);
    world.run(async |_| {
        let silent = Connection::open(&world.path).await;
        let mut half = Connection::open(&world.path).await;
        half.send(b"GET /v1/status HTTP/1.1\r\n").await;
        let mut idle = Connection::open(&world.path).await;
        idle.ask("GET", "/v1/status", "", b"").await;
        assert_eq!(idle.read_reply("GET").await.status, 200);
        let mut stream = Stream::open(&world.path, "", "").await;
        assert_eq!(silent.read_to_end().await, "");
        assert!(!half.read_to_end().await.contains("200 OK"));
        assert_eq!(idle.read_to_end().await, "");
        stream.next_block().await.expect("a greeting");
        world.publish(1);
        assert!(stream.next().await.is_some(), "a stream is not idle");
    });
}

#[test]
fn a_body_that_does_not_come_is_not_waited_for() {
    let mut world = World::new(100);
    world.bounds.body_timeout = Duration::from_millis(50);
    world.run(async |_| {
        let mut connection = Connection::open(&world.path).await;
        connection
            .send(b"PUT /v1/tags/a HTTP/1.1\r\nContent-Length: 10\r\n\r\nblue")
            .await;
        let reply = connection.read_reply("PUT").await;
        assert_eq!(
            (reply.status, reply.problem().0.as_str()),
            (408, "body-timeout")
        );
        assert_fine(&world).await;
    });
}

#[test]
fn one_connection_too_many_is_told_so_and_a_place_is_free_again() {
    let world = World::new(100);
    world.run(async |_| {
        let mut streams = Vec::new();
        for _ in 0..world.bounds.connections {
            streams.push(Stream::open(&world.path, "", "").await);
        }
        // More than are refused at one time: the others wait their turn.
        let mut turned_away = Vec::new();
        for _ in 0..2 * world.bounds.refusals {
            turned_away.push(Connection::open(&world.path).await);
        }
        for connection in &mut turned_away {
            connection.ask("GET", "/v1/status", "", b"").await;
            let reply = connection.read_reply("GET").await;
            assert_eq!(reply.status, 503);
            let (kind, detail) = reply.problem();
            assert_eq!(kind, "too-many-connections");
            assert!(detail.contains("256 connections"), "{detail}");
        }
        drop(streams);
        within("a free place", async {
            while get(&world.path, "/v1/status").await.status != 200 {}
        })
        .await;
    });
}

#[test]
fn who_asks_for_much_and_reads_nothing_holds_nobody_up() {
    let world = World::new(100);
    for _ in 0..150 {
        world.add_peer(&[("note", &"x".repeat(900))]);
    }
    world.run(async |_| {
        let mut lazy = Vec::new();
        for _ in 0..20 {
            let mut connection = Connection::open(&world.path).await;
            for _ in 0..10 {
                connection.ask("GET", "/v1/members", "", b"").await;
            }
            lazy.push(connection);
        }
        assert_fine(&world).await;
        for connection in &mut lazy {
            for _ in 0..10 {
                assert_eq!(connection.read_reply("GET").await.status, 200);
            }
        }
    });
}
