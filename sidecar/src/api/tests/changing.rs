//! Routes that change something, and who may use them.

use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;

use crate::api::access::Peer;
use crate::api::door::{Caller, DoorName};
use crate::api::model::{Member, Status};
use crate::api::routes::{Context, Shared};
use crate::api::testing::client::{Connection, Reply, Stream, ask, get, within};
use crate::api::testing::openapi::check_answer;
use crate::api::testing::{World, addr};

const JSON: &str = "Content-Type: application/json\r\n";
/// What `curl -d` says of everything it sends.
const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";

#[test]
fn a_tag_is_set_changed_and_removed() {
    let world = World::new(100);
    world.run(async |_| {
        for (headers, value) in [
            ("", "blue"),
            ("Content-Type: text/plain; charset=UTF-8\r\n", "grün"),
            (FORM, "a=b&c=%20"),
            ("", ""),
        ] {
            let path = "/v1/tags/my%20colour%2f1";
            let reply = ask(&world.path, "PUT", path, headers, value.as_bytes()).await;
            assert_eq!(reply.status, 204);
            let me: Member = get(&world.path, "/v1/members/n0").await.json();
            assert_eq!(me.tags["my colour/1"], value);
        }
        let path = "/v1/tags/my%20colour%2f1";
        assert_eq!(ask(&world.path, "DELETE", path, "", b"").await.status, 204);
        let me: Member = get(&world.path, "/v1/members/n0").await.json();
        assert!(!me.tags.contains_key("my colour/1"));
        let reply = ask(&world.path, "DELETE", path, "", b"").await;
        assert_eq!(
            (reply.status, reply.problem().0.as_str()),
            (404, "no-such-tag")
        );
    });
}

#[test]
fn tags_that_do_not_fit_are_refused() {
    let world = World::new(100);
    let long = "x".repeat(1024);
    let longer = "x".repeat(1025);
    let cases: [(&str, &str, &[u8], u16, &str); 8] = [
        ("/v1/tags/a%3Db", "", b"1", 400, "invalid-request"),
        ("/v1/tags/a", "", b"two\nlines", 400, "invalid-request"),
        ("/v1/tags/a", "", b"\xff", 400, "invalid-request"),
        ("/v1/tags/a?x=1", "", b"1", 400, "invalid-request"),
        ("/v1/tags/a", "", long.as_bytes(), 409, "tags-full"),
        ("/v1/tags/a", "", longer.as_bytes(), 413, "body-too-large"),
        ("/v1/tags/a", JSON, b"1", 415, "unsupported-media-type"),
        (
            "/v1/tags/a",
            "Content-Type: text/plain; charset=latin1\r\n",
            b"1",
            415,
            "unsupported-media-type",
        ),
    ];
    world.run(async |_| {
        for (path, headers, body, status, kind) in cases {
            let reply = ask(&world.path, "PUT", path, headers, body).await;
            assert_eq!(
                (reply.status, reply.problem().0.as_str()),
                (status, kind),
                "{path} {headers}"
            );
        }
        let me: Member = get(&world.path, "/v1/members/n0").await.json();
        assert_eq!(me.tags.len(), 1, "nothing but the zone from the start");
    });
}

#[test]
fn a_body_in_chunks_is_bounded_too() {
    let world = World::new(100);
    world.run(async |_| {
        let mut connection = Connection::open(&world.path).await;
        connection
            .ask("PUT", "/v1/tags/a", "Transfer-Encoding: chunked\r\n", b"")
            .await;
        for _ in 0..3 {
            connection
                .send(format!("200\r\n{}\r\n", "x".repeat(512)).as_bytes())
                .await;
        }
        let reply = connection.read_reply("PUT").await;
        assert_eq!(
            (reply.status, reply.problem().0.as_str()),
            (413, "body-too-large")
        );
    });
}

#[test]
fn join_tries_more_seeds() {
    let world = World::new(100);
    world.add_peer(&[]);
    world.run(async |_| {
        let body = format!(r#"{{"seeds":["{}"],"later":1}}"#, addr(1));
        for headers in [JSON, FORM, ""] {
            let reply = ask(&world.path, "POST", "/v1/join", headers, body.as_bytes()).await;
            assert_eq!(reply.status, 202, "{headers}");
            let status: Status = reply.json();
            assert_eq!(status.seeds.len(), 1);
            assert_eq!(status.seeds[0].seed, addr(1).to_string());
        }
        for (headers, body, expected, detail) in [
            (JSON, "{}", 400, "missing field `seeds`"),
            (FORM, "seeds=a:1", 400, "is not of the form"),
            (JSON, r#"{"seeds":[]}"#, 400, "at least one seed"),
            (JSON, r#"{"seeds":["nowhere"]}"#, 400, "host:port"),
            (JSON, r#"{"seeds":["a:1"]"#, 400, "EOF"),
            (
                "Content-Type: text/plain\r\n",
                "a:1",
                415,
                "application/json",
            ),
        ] {
            let reply = ask(&world.path, "POST", "/v1/join", headers, body.as_bytes()).await;
            assert_eq!(reply.status, expected, "{body}");
            assert!(reply.problem().1.contains(detail), "{reply:?}");
        }
        let huge = vec![b' '; 100_000];
        let reply = ask(&world.path, "POST", "/v1/join", JSON, &huge).await;
        assert_eq!(reply.status, 413);
    });
}

#[test]
fn leave_answers_once_the_goodbye_is_through() {
    let world = World::new(100);
    world.add_peer(&[]);
    world.run(async |_| {
        let reply = ask(&world.path, "POST", "/v1/leave", "", b"").await;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.json::<Status>().lifecycle, "left");
        let reply = ask(&world.path, "POST", "/v1/leave", "", b"").await;
        assert_eq!(
            (reply.status, reply.problem().0.as_str()),
            (503, "stopping")
        );
    });
}

#[test]
fn a_change_is_seen_by_readers_and_streams_alike() {
    let world = World::new(100);
    world.run(async |_| {
        let mut stream = Stream::open(&world.path, "", "").await;
        assert_eq!(
            ask(&world.path, "PUT", "/v1/tags/a", "", b"1").await.status,
            204
        );
        let event = stream.next().await.expect("an event");
        assert_eq!(event.event, "member-updated");
        assert_eq!(event.data["member"]["tags"]["a"], "1");
    });
}

/// Has `peer` ask, without a socket.
async fn ask_as(world: &World, peer: Peer, method: &str, path: &str) -> Reply {
    let context = Context {
        shared: Shared::new(world.handle.clone(), world.access.clone()).into(),
        door: DoorName::Socket,
        hosts: Vec::new(),
        keep_alive: world.bounds.keep_alive,
        body_timeout: world.bounds.body_timeout,
        waiting: Default::default(),
        waiting_most: world.bounds.waiting,
    };
    let request = Request::builder().method(method).uri(path);
    let request = request
        .body(Full::<Bytes>::default())
        .expect("a valid request");
    let answer = within("an answer", context.answer(&Caller::Local(peer), request)).await;
    let (head, body) = answer.into_parts();
    let headers = head
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().expect("text").to_owned()));
    let reply = Reply {
        status: head.status.as_u16(),
        headers: headers.collect(),
        body: body.collect().await.expect("a body").to_bytes().into(),
    };
    check_answer(method, path, &reply);
    reply
}

#[test]
fn strangers_read_and_do_not_change() {
    let own = rustix::process::geteuid().as_raw();
    let stranger = Peer {
        pid: 0,
        uid: own + 1000,
        gid: 4242,
    };
    let world = World::new(100);
    smol::block_on(async {
        assert_eq!(
            ask_as(&world, stranger, "GET", "/v1/status").await.status,
            200
        );
        for (method, path) in [
            ("PUT", "/v1/tags/a"),
            ("DELETE", "/v1/tags/zone"),
            ("POST", "/v1/join"),
            ("POST", "/v1/leave"),
            ("POST", "/v1/recover"),
            ("DELETE", "/v1/members/n1"),
            ("GET", "/v1/keys"),
            ("POST", "/v1/keys"),
            ("PUT", "/v1/keys/0123456789abcdef/primary"),
            ("DELETE", "/v1/keys/0123456789abcdef"),
        ] {
            let reply = ask_as(&world, stranger, method, path).await;
            let (kind, detail) = reply.problem();
            assert_eq!(
                (reply.status, kind.as_str()),
                (403, "not-allowed"),
                "{method} {path}"
            );
            assert!(
                detail.contains(&format!("user {}, group 4242", own + 1000)),
                "{detail}"
            );
            assert!(detail.contains("--allow-groups 4242"), "{detail}");
        }
    });
    let mut world = World::new(100);
    world.access.allow_groups.push("4242".to_owned());
    world.run(async |_| {
        let reply = ask_as(&world, stranger, "PUT", "/v1/tags/a").await;
        assert_eq!(reply.status, 204);
    });
}

#[test]
fn readers_may_be_listed() {
    let own = rustix::process::geteuid().as_raw();
    let of = |uid, gid| Peer { pid: 0, uid, gid };
    let (reader, stranger) = (of(own + 1000, 4242), of(own + 2000, 1));
    let mut world = World::new(100);
    world.access.read_groups.push("4242".to_owned());
    world.access.allow_users.push((own + 3000).to_string());
    world.run(async |_| {
        for (peer, reads, changes) in [
            (reader, 200, 403),
            (stranger, 403, 403),
            (of(own + 3000, 1), 200, 204),
            (of(own, 1), 200, 204),
            (of(0, 1), 200, 204),
        ] {
            for path in ["/v1/status", "/v1/members", "/metrics", "/healthz"] {
                let status = ask_as(&world, peer, "GET", path).await.status;
                assert_eq!(status, reads, "{peer:?} {path}");
            }
            let status = ask_as(&world, peer, "PUT", "/v1/tags/a").await.status;
            assert_eq!(status, changes, "{peer:?}");
        }
        let refused = ask_as(&world, stranger, "GET", "/v1/members").await;
        let (kind, detail) = refused.problem();
        assert_eq!(kind, "not-allowed");
        assert!(
            detail.contains("reading needs") && detail.contains("--read-groups 1"),
            "{detail}"
        );
    });
}
