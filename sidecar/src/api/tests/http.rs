//! The TCP address: reads what the socket does, changes nothing, and is closed to other sites.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;

use crate::api::model::Status;
use crate::api::routes::ROUTES;
use crate::api::testing::client::{Connection, Reply, Stream, get, within};
use crate::api::testing::openapi::check_answer;
use crate::api::testing::{World, stopper};

/// Asks with these fields, and holds the answer against the description.
async fn ask(addr: SocketAddr, method: &str, path: &str, fields: &str) -> Reply {
    let mut connection = Connection::open_tcp(addr).await;
    let head = format!("{method} {path} HTTP/1.1\r\n{fields}\r\n");
    connection.send(head.as_bytes()).await;
    let reply = connection.read_reply(method).await;
    check_answer(method, path, &reply);
    reply
}

async fn read(addr: SocketAddr, path: &str) -> Reply {
    ask(addr, "GET", path, &format!("Host: {addr}\r\n")).await
}

#[test]
fn the_tcp_address_reads_what_the_socket_does() {
    let world = World::new(100);
    world.add_peer(&[]);
    let addr = world.open_http(&[]);
    world.run(async |_| {
        for path in [
            "/v1/members",
            "/v1/members/n1",
            "/v1/ring",
            "/v1/openapi.json",
        ] {
            let (over_tcp, locally) = (read(addr, path).await, get(&world.path, path).await);
            assert_eq!(over_tcp.status, 200, "{path}");
            assert_eq!(over_tcp.body, locally.body, "{path}");
        }
        let status: Status = read(addr, "/v1/status").await.json();
        assert_eq!(status.name, "n0");
        let mut events = Connection::open_tcp(addr).await;
        events
            .send(format!("GET /v1/events HTTP/1.1\r\nHost: {addr}\r\n\r\n").as_bytes())
            .await;
        assert_eq!(events.read_head().await.status, 200);
        events.read_chunk().await.expect("a greeting");
        world.publish(1);
        let chunk = events.read_chunk().await.expect("an event");
        let text = String::from_utf8(chunk).expect("text");
        assert!(text.contains("event: member-updated"), "{text}");
    });
}

#[test]
fn nothing_is_changed_over_tcp() {
    let world = World::new(100);
    let addr = world.open_http(&[]);
    world.run(async |_| {
        for (path, _, methods) in ROUTES {
            let changing = methods.split(", ").filter(|m| *m != "GET" && *m != "HEAD");
            for method in changing {
                let path = path.replace("{name}", "n0").replace("{key}", "zone");
                let path = path.replace("{app}", "web");
                let fields = format!("Host: {addr}\r\nContent-Length: 0\r\n");
                let reply = ask(addr, method, &path, &fields).await;
                let (kind, detail) = reply.problem();
                let found = (reply.status, kind.as_str());
                assert_eq!(found, (403, "read-only"), "{method} {path}");
                assert!(detail.contains("UNIX socket"), "{detail}");
            }
        }
        let me: Value = get(&world.path, "/v1/members/n0").await.json();
        assert_eq!(me["tags"]["zone"], "west");
    });
}

#[test]
fn pages_of_other_sites_learn_nothing() {
    let world = World::new(100);
    let addr = world.open_http(&["muster.example"]);
    world.run(async |_| {
        let port = addr.port();
        for (fields, expected) in [
            ("Host: evil.example\r\n".to_owned(), (421, "wrong-host")),
            (
                format!("Host: evil.example:{port}\r\n"),
                (421, "wrong-host"),
            ),
            (
                format!("Host: {addr}\r\nOrigin: http://evil.example\r\n"),
                (403, "cross-site"),
            ),
            (
                format!("Host: {addr}\r\nSec-Fetch-Site: cross-site\r\n"),
                (403, "cross-site"),
            ),
            (String::new(), (400, "invalid-request")),
        ] {
            for (path, ..) in ROUTES
                .iter()
                .filter(|(_, _, methods)| methods.contains("GET"))
            {
                let reply = ask(addr, "GET", &path.replace("{name}", "n0"), &fields).await;
                let (kind, _) = reply.problem();
                assert_eq!((reply.status, kind.as_str()), expected, "{path} {fields:?}");
            }
        }
        // A preflight of a browser is refused as well, and no answer ever opens the door.
        let fields = format!(
            "Host: {addr}\r\nOrigin: http://evil.example\r\nAccess-Control-Request-Method: PUT\r\n"
        );
        let mut connection = Connection::open_tcp(addr).await;
        connection
            .send(format!("OPTIONS /v1/tags/a HTTP/1.1\r\n{fields}\r\n").as_bytes())
            .await;
        let preflight = connection.read_reply("OPTIONS").await;
        assert_eq!(preflight.status, 403);
        let own =
            format!("Host: muster.example:{port}\r\nOrigin: http://muster.example:{port}\r\n");
        let fine = ask(addr, "GET", "/v1/status", &own).await;
        assert_eq!(fine.status, 200);
        for reply in [preflight, fine] {
            let opens = |name: &String| name.starts_with("access-control-");
            assert!(!reply.headers.keys().any(opens), "{reply:?}");
            assert_eq!(reply.header("cross-origin-resource-policy"), "same-origin");
            assert_eq!(reply.header("x-content-type-options"), "nosniff");
        }
    });
}

#[test]
fn connections_over_tcp_are_bounded_and_leave_the_socket_room() {
    let mut world = World::new(100);
    world.bounds.connections = 8;
    let addr = world.open_http(&[]);
    world.run(async |_| {
        let mut streams = Vec::new();
        for _ in 0..2 {
            let mut connection = Connection::open_tcp(addr).await;
            let request = format!("GET /v1/events HTTP/1.1\r\nHost: {addr}\r\n\r\n");
            connection.send(request.as_bytes()).await;
            assert_eq!(connection.read_head().await.status, 200);
            streams.push(connection);
        }
        let (kind, detail) = read(addr, "/v1/status").await.problem();
        assert_eq!(kind, "too-many-connections", "{detail}");
        let local = Stream::open(&world.path, "", "").await;
        let page = get(&world.path, "/metrics").await;
        let text = String::from_utf8(page.body).expect("text");
        for line in [
            "muster_connections{door=\"socket\"} 2",
            "muster_connections{door=\"http\"} 2",
            "muster_connections_refused_total{door=\"http\"} 1",
            "muster_connections_refused_total{door=\"socket\"} 0",
            "muster_subscribers 3",
        ] {
            assert!(text.contains(line), "no {line:?} in\n{text}");
        }
        drop((local, streams));
        // Free again as soon as the server saw their ends.
        within("a free place", async {
            while read(addr, "/v1/status").await.status != 200 {}
        })
        .await;
    });
}

#[test]
fn the_tcp_address_closes_with_the_socket() {
    let mut world = World::new(100);
    world.bounds.stop_timeout = Duration::from_secs(60);
    let addr = world.open_http(&[]);
    let (stop, stopped) = stopper();
    world.run_until(
        async |_| {
            let mut idle = Connection::open_tcp(addr).await;
            let request = format!("GET /v1/events HTTP/1.1\r\nHost: {addr}\r\n\r\n");
            idle.send(request.as_bytes()).await;
            assert_eq!(idle.read_head().await.status, 200);
            stop.send(()).await.expect("the server runs");
            while idle.read_chunk().await.is_some() {}
            within("a closed port", async {
                while std::net::TcpStream::connect(addr).is_ok() {
                    smol::future::yield_now().await;
                }
            })
            .await;
        },
        stopped,
    );
}
