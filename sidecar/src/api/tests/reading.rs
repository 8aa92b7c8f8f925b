//! Routes that read.

use crate::api::model::{Member, Members, Rings, Status};
use crate::api::testing::World;
use crate::api::testing::client::{Connection, ask, get};

fn names(members: &Members) -> Vec<&str> {
    members
        .members
        .iter()
        .map(|member| member.name.as_str())
        .collect()
}

/// Five members of two zones; `n4` said goodbye.
fn five() -> World {
    let world = World::new(100);
    for zone in ["west", "east", "east", "west"] {
        world.add_peer(&[("zone", zone), ("role", "db,cache")]);
    }
    world.peer_leaves(4);
    world
}

#[test]
fn status_tells_who_and_how() {
    let world = five();
    world.run(async |_| {
        let status: Status = get(&world.path, "/v1/status").await.json();
        assert_eq!(
            (status.name.as_str(), status.cluster.as_str()),
            ("n0", "test")
        );
        assert_eq!(
            (status.lifecycle.as_ref(), status.quorum.as_ref()),
            ("member", "forming")
        );
        assert_eq!((status.members["alive"], status.members["left"]), (4, 1));
        assert_eq!(
            (status.members["suspect"], status.members["unreachable"]),
            (0, 0)
        );
        assert_eq!((status.members["degraded"], status.members["dead"]), (0, 0));
        assert!(!status.memory_failed && status.conflict.is_none());
        assert_eq!(status.pid, std::process::id());
        assert!(status.stats.streams_accepted > 0, "{status:?}");
    });
}

#[test]
fn members_are_sorted_and_come_with_the_cursor() {
    let world = five();
    world.run(async |_| {
        let members: Members = get(&world.path, "/v1/members").await.json();
        assert_eq!(names(&members), ["n0", "n1", "n2", "n3", "n4"]);
        assert_eq!(
            members.cursor,
            world.handle.log().borrow().cursor().to_string()
        );
        assert!(members.members[0].is_self && !members.members[1].is_self);
        assert_eq!(members.members[2].zone.as_deref(), Some("east"));
        assert_eq!(members.members[4].state, "left");
    });
}

#[test]
fn filters_pick_members() {
    let world = five();
    let cases: [(&str, &[&str]); 11] = [
        ("state=left", &["n4"]),
        ("state=alive,left", &["n0", "n1", "n2", "n3", "n4"]),
        ("state=suspect&state=left", &["n4"]),
        ("name=n1", &["n1"]),
        ("name=n1&name=n3&name=nobody", &["n1", "n3"]),
        ("tag.zone=west", &["n0", "n1", "n4"]),
        (
            "tag.zone=west&tag.zone=east&state=alive",
            &["n0", "n1", "n2", "n3"],
        ),
        ("tag.zone=west&tag.role=db%2Ccache", &["n1", "n4"]),
        ("tag.zone=west&state=alive", &["n0", "n1"]),
        ("tag.rack=1", &[]),
        ("&&", &["n0", "n1", "n2", "n3", "n4"]),
    ];
    world.run(async |_| {
        for (query, expected) in cases {
            let members: Members = get(&world.path, &format!("/v1/members?{query}"))
                .await
                .json();
            assert_eq!(names(&members), expected, "{query}");
        }
    });
}

#[test]
fn what_is_not_understood_is_named_with_what_would_be() {
    let world = World::new(100);
    let cases = [
        (
            "/v1/members?state=asleep",
            "alive, suspect, degraded, unreachable, left, dead",
        ),
        (
            "/v1/members?state=",
            "alive, suspect, degraded, unreachable, left, dead",
        ),
        (
            "/v1/members?stat=alive",
            "state, name, tag.KEY, app, at_least, consistent and timeout",
        ),
        ("/v1/members?tag.=x", "state, name, tag.KEY, app, at_least"),
        ("/v1/members?at_least=-1", "is no view"),
        ("/v1/members?consistent=yes", "true or false"),
        ("/v1/members?timeout=6m", "0s to 5m"),
        ("/v1/members?timeout=10", "0s to 5m"),
        ("/v1/coordinator?wait=1", "true or false"),
        ("/v1/coordinator?force=true", "wait and timeout"),
        ("/v1/members/n0/evidence?wait=true", "leave out \"wait\""),
        ("/v1/members?name=%zz", "%25"),
        ("/v1/members?name=%ff", "UTF-8"),
        ("/v1/members/%e2%28", "UTF-8"),
        ("/v1/status?verbose=1", "leave out \"verbose\""),
        (
            "/v1/events?types=member-sad",
            "member-suspect, member-unreachable",
        ),
        ("/v1/events?since=7", "two decimal numbers joined by a dot"),
        (
            "/v1/events?since=1.-1",
            "two decimal numbers joined by a dot",
        ),
        ("/v1/events?from=1.1", "since and types"),
    ];
    world.run(async |_| {
        for (path, expected) in cases {
            let reply = get(&world.path, path).await;
            let (kind, detail) = reply.problem();
            assert_eq!(
                (reply.status, kind.as_str()),
                (400, "invalid-request"),
                "{path}"
            );
            assert!(detail.contains(expected), "{path}: {detail}");
        }
    });
}

#[test]
fn one_member_is_found_by_its_encoded_name() {
    let world = five();
    world.run(async |_| {
        let member: Member = get(&world.path, "/v1/members/%6e%31").await.json();
        assert_eq!(member.name, "n1");
        let reply = get(&world.path, "/v1/members/n%2F9").await;
        let (kind, detail) = reply.problem();
        assert_eq!((reply.status, kind.as_str()), (404, "no-such-member"));
        assert!(
            detail.contains("\"n/9\"") && detail.contains("GET /v1/members"),
            "{detail}"
        );
    });
}

#[test]
fn the_ring_names_every_buddy_once() {
    let world = five();
    world.run(async |_| {
        let rings: Rings = get(&world.path, "/v1/ring").await.json();
        assert_eq!(rings.rings.len(), 3);
        assert!(rings.rings.iter().all(|ring| ring.successor.is_some()));
        assert!(!rings.buddies.is_empty() && rings.buddies.is_sorted());
        assert!(!rings.buddies.contains(&"n0".to_owned()));
    });
}

#[test]
fn alone_on_the_ring() {
    let world = World::new(100);
    world.run(async |_| {
        let rings: Rings = get(&world.path, "/v1/ring").await.json();
        assert!(rings.buddies.is_empty());
        assert!(rings.rings.iter().all(|ring| ring.successor.is_none()));
    });
}

#[test]
fn head_is_get_without_the_body() {
    let world = World::new(100);
    world.run(async |_| {
        let got = get(&world.path, "/v1/ring").await;
        let mut connection = Connection::open(&world.path).await;
        for path in [
            "/v1/ring",
            "/v1/members",
            "/v1/events",
            "/v1/members/nobody",
        ] {
            connection.ask("HEAD", path, "", b"").await;
            let reply = connection.read_head().await;
            let expected = if path.ends_with("nobody") { 404 } else { 200 };
            assert_eq!(reply.status, expected, "{path}");
            if path == "/v1/ring" {
                assert_eq!(reply.header("content-length"), got.body.len().to_string());
            }
        }
        // The connection still is in step: no body was sent in between.
        connection.ask("GET", "/v1/ring", "", b"").await;
        assert_eq!(connection.read_reply("GET").await.body, got.body);
    });
}

#[test]
fn other_paths_and_methods_are_refused() {
    let world = World::new(100);
    world.run(async |_| {
        for path in [
            "/",
            "/v1",
            "/v1/",
            "/v1/members/",
            "/v1/members/a/b",
            "/v2/status",
            "/v1/tags/",
        ] {
            let reply = get(&world.path, path).await;
            let (kind, detail) = reply.problem();
            assert_eq!(
                (reply.status, kind.as_str()),
                (404, "no-such-route"),
                "{path}"
            );
            assert!(detail.contains("/v1/members"), "{detail}");
        }
        for (method, path, allowed) in [
            ("POST", "/v1/status", "GET, HEAD"),
            ("PUT", "/v1/members/n0", "GET, HEAD, DELETE"),
            ("POST", "/v1/members/n0/evidence", "GET, HEAD"),
            ("GET", "/v1/recover", "POST"),
            ("OPTIONS", "/v1/events", "GET, HEAD"),
            ("GET", "/v1/tags/zone", "PUT, DELETE"),
            ("GET", "/v1/leave", "POST"),
            ("BREW", "/v1/join", "POST"),
        ] {
            let reply = ask(&world.path, method, path, "", b"").await;
            assert_eq!(reply.status, 405, "{method} {path}");
            assert_eq!(reply.header("allow"), allowed);
            assert_eq!(reply.problem().0, "method-not-allowed");
        }
    });
}

#[test]
fn a_long_list_comes_in_pieces_and_whole() {
    let world = World::new(100);
    for _ in 0..150 {
        world.add_peer(&[("note", &"x".repeat(900))]);
    }
    world.run(async |_| {
        let reply = get(&world.path, "/v1/members").await;
        assert_eq!(reply.header("transfer-encoding"), "chunked");
        let members: Members = reply.json();
        assert_eq!(members.members.len(), 151);
        assert!(
            members
                .members
                .is_sorted_by(|one, other| one.name < other.name)
        );
    });
}
