//! The keys of the cluster: seen by their ids alone, changed at all members, refused with a reason.

use muster_swim::Plaintext;

use crate::api::model::Keys;
use crate::api::testing::client::{Connection, Reply, ask, get};
use crate::api::testing::openapi::check_answer;
use crate::api::testing::{World, key};

/// Two members that have the first of these keys, in a cluster where nothing is sealed yet.
fn world(keys: &[u8]) -> World {
    let world = World::new(100);
    world.add_peer(&[]);
    for number in 0..=1 {
        world.set_keys(number, keys, Plaintext::Send);
    }
    world
}

fn id(number: u8) -> String {
    key(number).id().to_string()
}

/// Each key as its state, who has it and who seals with it.
fn shown(keys: &Keys) -> Vec<String> {
    let words = |key: &crate::api::model::Key| {
        let (held, used) = (key.held_by.join(","), key.used_by.join(","));
        format!("{} {held}/{used}", key.state)
    };
    keys.keys.iter().map(words).collect()
}

fn refused(reply: &Reply) -> (u16, String, String) {
    let (kind, detail) = reply.problem();
    (reply.status, kind, detail)
}

#[test]
fn without_a_key_it_is_said_that_nothing_is_sealed_and_what_to_do() {
    let world = World::new(100);
    world.run(async |_| {
        let keys: Keys = get(&world.path, "/v1/keys").await.json();
        assert!(!keys.encrypted && keys.plaintext == "send" && keys.keys.is_empty());
        let reply = ask(&world.path, "POST", "/v1/keys", "", b"").await;
        let (status, kind, detail) = refused(&reply);
        assert_eq!((status, kind.as_str()), (409, "no-keys"));
        for word in ["--key-file", "plaintext = \"send\"", "accept"] {
            assert!(detail.contains(word), "{detail}");
        }
    });
}

#[test]
fn a_key_is_added_used_and_retired_at_all_members_and_never_shown() {
    let world = world(&[1]);
    let path = &world.path;
    world.run(async |_| {
        let text = format!("{}\n", *key(2).reveal());
        let mut answers = Vec::new();
        let reply = ask(path, "POST", "/v1/keys", "", text.as_bytes()).await;
        let keys: Keys = reply.json();
        answers.push(reply);
        assert_eq!(shown(&keys), ["primary n0,n1/", "new n0,n1/"]);
        assert_eq!((keys.keys[1].id.as_str(), keys.generation), (&*id(2), 2));
        assert_eq!(keys.unanswered, Vec::<String>::new());
        for number in 0..=1 {
            world.set_keys(number, &[1, 2], Plaintext::Accept);
        }
        let target = format!("/v1/keys/{}/primary", id(2));
        let reply = ask(path, "PUT", &target, "", b"").await;
        assert_eq!(shown(&reply.json()), ["primary n0,n1/n0,n1", "old n0,n1/"]);
        answers.push(reply);
        let target = format!("/v1/keys/{}?grace=12h", id(1));
        let reply = ask(path, "DELETE", &target, "", b"").await;
        let keys: Keys = reply.json();
        assert_eq!(shown(&keys)[1], "retired n0,n1/");
        assert!(keys.keys[1].until.is_some() && !keys.encrypted);
        answers.push(reply);
        let target = format!("/v1/keys/{}?grace=0s", id(1));
        let reply = ask(path, "DELETE", &target, "", b"").await;
        assert_eq!(shown(&reply.json()).len(), 1);
        answers.push(reply);
        // Drawn by the agent.
        let reply = ask(path, "POST", "/v1/keys", "", b"").await;
        assert_eq!(shown(&reply.json())[1], "new n0,n1/");
        answers.push(reply);
        let secrets = world.handle.read(|node| {
            let ring = node.keyring().expect("it has keys");
            ring.keys()
                .map(muster_swim::Key::reveal)
                .collect::<Vec<_>>()
        });
        assert_eq!(secrets.len(), 2);
        for reply in answers {
            let body = String::from_utf8(reply.body).expect("text");
            assert!(secrets.iter().all(|secret| !body.contains(secret.as_str())));
        }
    });
}

#[test]
fn a_member_without_the_key_is_named() {
    let world = World::new(100);
    world.add_peer(&[]);
    world.set_keys(0, &[1, 2], Plaintext::Send);
    world.run(async |_| {
        let keys: Keys = get(&world.path, "/v1/keys").await.json();
        assert_eq!(keys.unanswered, ["n1"]);
        assert_eq!(shown(&keys), ["primary n0/", "old n0/"]);
        let use_it = format!("/v1/keys/{}/primary", id(2));
        let (status, kind, detail) = refused(&ask(&world.path, "PUT", &use_it, "", b"").await);
        assert_eq!((status, kind.as_str()), (409, "key-lacking"));
        assert!(
            detail.contains("did not answer: n1. Nothing was changed"),
            "{detail}"
        );
        let remove = format!("/v1/keys/{}", id(2));
        let reply = ask(&world.path, "DELETE", &remove, "", b"").await;
        let (status, kind, detail) = refused(&reply);
        assert_eq!((status, kind.as_str()), (409, "key-needed"));
        assert!(
            detail.contains("n1") && detail.contains("`force=true`"),
            "{detail}"
        );
        let forced = format!("{remove}?force=true&grace=0s");
        assert_eq!(
            ask(&world.path, "DELETE", &forced, "", b"").await.status,
            200
        );
    });
}

#[test]
fn what_cannot_be_done_to_a_ring_is_refused_with_the_reason() {
    let world = world(&[1]);
    let (first, second) = (id(1), id(2));
    let cases = [
        (
            "PUT",
            format!("/v1/keys/{second}/primary"),
            404,
            "no-such-key",
            "no key",
        ),
        (
            "DELETE",
            format!("/v1/keys/{second}"),
            404,
            "no-such-key",
            "no key",
        ),
        (
            "DELETE",
            format!("/v1/keys/{first}"),
            409,
            "key-needed",
            "is the last one",
        ),
        (
            "DELETE",
            "/v1/keys/12".to_owned(),
            400,
            "invalid-request",
            "16 hexadecimal digits",
        ),
        (
            "DELETE",
            format!("/v1/keys/{first}?grace=31d"),
            400,
            "invalid-request",
            "0s to 30d",
        ),
        (
            "DELETE",
            format!("/v1/keys/{first}?force=yes"),
            400,
            "invalid-request",
            "true or false",
        ),
        (
            "DELETE",
            format!("/v1/keys/{first}?at=1"),
            400,
            "invalid-request",
            "grace and force",
        ),
    ];
    world.run(async |_| {
        for (method, target, status, kind, words) in cases {
            let reply = ask(&world.path, method, &target, "", b"").await;
            let (found, found_kind, detail) = refused(&reply);
            assert_eq!(
                (found, found_kind.as_str()),
                (status, kind),
                "{method} {target}"
            );
            assert!(detail.contains(words), "{detail}");
        }
        for _ in 0..7 {
            assert_eq!(
                ask(&world.path, "POST", "/v1/keys", "", b"").await.status,
                200
            );
        }
        let (status, kind, detail) = refused(&ask(&world.path, "POST", "/v1/keys", "", b"").await);
        assert_eq!((status, kind.as_str()), (409, "keys-full"));
        assert!(detail.contains("at most 8 keys"), "{detail}");
        let reply = ask(&world.path, "DELETE", &format!("/v1/keys/{first}"), "", b"").await;
        assert!(refused(&reply).2.contains("is the primary one"));
    });
}

#[test]
fn a_body_that_is_no_key_is_refused_and_not_said_again() {
    let world = world(&[1]);
    let good = key(2).reveal();
    let long = "A".repeat(65);
    world.run(async |_| {
        for (body, status, kind) in [
            (b"secret-but-wrong".as_slice(), 400, "invalid-request"),
            (b"\n", 400, "invalid-request"),
            (b" ", 400, "invalid-request"),
            (b"secret\xff", 400, "invalid-request"),
            (&good.as_bytes()[..43], 400, "invalid-request"),
            (long.as_bytes(), 413, "body-too-large"),
        ] {
            let reply = ask(&world.path, "POST", "/v1/keys", "", body).await;
            let (found, found_kind, detail) = refused(&reply);
            assert_eq!((found, found_kind.as_str()), (status, kind), "{body:?}");
            assert!(
                !detail.contains("secret") && !detail.contains(&good[..20]),
                "{detail}"
            );
        }
        for end in ["", "/primary"] {
            let method = if end.is_empty() { "DELETE" } else { "PUT" };
            let target = format!("/v1/keys/{}{end}", *good);
            let reply = ask(&world.path, method, &target, "", b"").await;
            let text = String::from_utf8_lossy(&reply.body);
            assert!(!text.contains(&good[..20]), "{text}");
        }
        let json = "Content-Type: application/json\r\n";
        let reply = ask(&world.path, "POST", "/v1/keys", json, b"{}").await;
        assert_eq!(reply.status, 415);
    });
}

#[test]
fn keys_are_neither_shown_nor_changed_over_tcp() {
    let world = world(&[1]);
    let addr = world.open_http(&[]);
    let one = format!("/v1/keys/{}", id(1));
    world.run(async |_| {
        for (method, target) in [
            ("GET", "/v1/keys"),
            ("HEAD", "/v1/keys"),
            ("POST", "/v1/keys"),
            ("DELETE", one.as_str()),
            ("PUT", &format!("{one}/primary")),
        ] {
            let mut connection = Connection::open_tcp(addr).await;
            let head = format!("{method} {target} HTTP/1.1\r\nHost: {addr}\r\n\r\n");
            connection.send(head.as_bytes()).await;
            let reply = connection.read_reply(method).await;
            check_answer(method, target, &reply);
            assert_eq!(reply.status, 403, "{method} {target}");
            if method == "GET" {
                let (kind, detail) = reply.problem();
                assert_eq!(kind, "read-only");
                assert!(detail.contains("UNIX socket"), "{detail}");
            }
        }
    });
}
