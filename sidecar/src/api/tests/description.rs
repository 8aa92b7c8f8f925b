//! The description of the API and the server say the same.

use std::collections::BTreeSet;

use muster_swim::{AppHealth, Plaintext, View};
use serde_json::Value;

use crate::agent::Outcome;
use crate::api::model::{ENDINGS, EVENT_TYPES, HEALTHS, KEY_STATES, PLAINTEXTS, STATES};
use crate::api::routes::ROUTES;
use crate::api::testing::client::{Connection, Stream, ask, get};
use crate::api::testing::openapi::{DESCRIPTION, check_answer, paths, seen};
use crate::api::testing::{World, addr, key};

#[test]
fn the_file_has_every_route_and_no_other() {
    let served: BTreeSet<(String, String)> = ROUTES
        .iter()
        .flat_map(|(path, _, methods)| {
            methods
                .split(", ")
                .map(|method| (path.to_string(), method.to_ascii_lowercase()))
        })
        .filter(|(_, method)| method != "head")
        .collect();
    let described: BTreeSet<(String, String)> = paths()
        .flat_map(|(path, item)| {
            let methods = item.as_object().expect("operations").keys();
            methods.map(move |method| (path.to_owned(), method.clone()))
        })
        .collect();
    assert_eq!(served, described);
}

#[test]
fn the_file_has_the_words_of_the_program() {
    let words = |pointer: &str| -> Vec<String> {
        let list = DESCRIPTION
            .pointer(pointer)
            .unwrap_or_else(|| panic!("no {pointer}"));
        list.as_array()
            .expect("a list")
            .iter()
            .map(|word| word.as_str().expect("text").into())
            .collect()
    };
    let schemas = "/components/schemas";
    assert_eq!(
        words(&format!("{schemas}/Member/properties/state/enum")),
        STATES
    );
    assert_eq!(
        words("/paths/~1v1~1members/get/parameters/0/schema/items/enum"),
        STATES
    );
    assert_eq!(
        words("/paths/~1v1~1events/get/parameters/1/schema/items/enum"),
        EVENT_TYPES
    );
    let data = words(&format!("{schemas}/Event/properties/type/enum"));
    assert_eq!(data, EVENT_TYPES[..EVENT_TYPES.len() - 1]);
    let state = words(&format!("{schemas}/Key/properties/state/enum"));
    assert_eq!(state, KEY_STATES);
    for schema in ["Keys", "KeyMember"] {
        let plaintext = words(&format!("{schemas}/{schema}/properties/plaintext/enum"));
        assert_eq!(plaintext, PLAINTEXTS);
    }
    let app = format!("{schemas}/App/properties");
    assert_eq!(words(&format!("{app}/health/enum")), HEALTHS);
    assert_eq!(words(&format!("{app}/ended/enum")), ENDINGS);
    let health = AppHealth::ALL.map(AppHealth::as_str);
    assert_eq!(health, HEALTHS);
}

#[test]
fn the_server_hands_out_the_file() {
    let world = World::new(100);
    world.run(async |_| {
        let served: Value = get(&world.path, "/v1/openapi.json").await.json();
        assert_eq!(served["paths"], DESCRIPTION["paths"]);
    });
}

/// A member that never votes, with peers like it, has no coordinator and no cases: the good answers
/// of these are held against the file where they are made (`model`).
const AGREED: [&str; 3] = ["/v1/coordinator", "/v1/members/{name}/evidence", "/readyz"];

/// Each answer is checked against its schema as it comes; at the end nothing was left out.
#[test]
fn every_operation_answers_as_described() {
    const JSON: &str = "Content-Type: application/json\r\n";
    let world = World::new(100);
    world.add_peer(&[("zone", "east")]);
    let path = &world.path;
    world.run(async |_| {
        for target in [
            "/v1/status",
            "/v1/members",
            "/v1/members?state=alive",
            "/v1/members/n1",
            "/v1/members/nobody",
            "/v1/members/n1/evidence",
            "/v1/ring",
            "/v1/apps",
            "/v1/members?app=web",
            "/v1/coordinator",
            "/v1/keys",
            "/v1/openapi.json",
            "/metrics",
            "/healthz",
            "/readyz",
        ] {
            get(path, target).await;
        }
        let mut stream = Stream::open(path, "?since=1.1", "").await;
        assert_eq!(stream.next().await.expect("a reset").event, "reset");
        ask(path, "PUT", "/v1/tags/a", "", b"1").await;
        assert_eq!(
            stream.next().await.expect("an event").event,
            "member-updated"
        );
        ask(path, "DELETE", "/v1/tags/a", "", b"").await;
        ask(path, "DELETE", "/v1/tags/a", "", b"").await;
        let mut attached = Connection::open(path).await;
        attached.ask("POST", "/v1/apps/web", "", b"").await;
        let head = attached.read_head().await;
        check_answer("POST", "/v1/apps/web", &head);
        let health = br#"{"health":"warning","note":"queue long"}"#;
        ask(path, "PUT", "/v1/apps/web/health", JSON, health).await;
        get(path, "/v1/apps").await;
        ask(path, "DELETE", "/v1/apps/web", JSON, br#"{"status":3}"#).await;
        for _ in 0..4 {
            // Checked as it comes.
            stream.next().await.expect("an event");
        }
        world.set_keys(0, &[1], Plaintext::Send);
        world.set_keys(1, &[1], Plaintext::Send);
        let text = key(2).reveal();
        ask(path, "POST", "/v1/keys", "", text.as_bytes()).await;
        get(path, "/v1/keys").await;
        let primary = format!("/v1/keys/{}/primary", key(2).id());
        ask(path, "PUT", &primary, "", b"").await;
        let spread = format!("/v1/keys/{}", key(2).id());
        ask(path, "PUT", &spread, "", b"").await;
        let old = format!("/v1/keys/{}", key(1).id());
        ask(path, "DELETE", &old, "", b"").await;
        let seeds = format!(r#"{{"seeds":["{}"]}}"#, addr(1));
        ask(path, "POST", "/v1/join", JSON, seeds.as_bytes()).await;
        let removed = ask(path, "DELETE", "/v1/members/n1", "", b"");
        let answer = Ok(Outcome::View(View(3)));
        world.answered(removed, answer).await;
        let body = br#"{"survivors":["n0","n1"]}"#;
        let recovered = ask(path, "POST", "/v1/recover", JSON, body);
        world.answered(recovered, Ok(Outcome::Done)).await;
        ask(path, "POST", "/v1/leave", "", b"").await;
    });
    let seen: BTreeSet<(String, String)> = seen()
        .into_iter()
        .filter(|(_, path, status)| *status < 300 || AGREED.contains(&path.as_str()))
        .map(|(method, path, _)| (path, method.to_ascii_lowercase()))
        .collect();
    for (path, item) in paths() {
        for method in item.as_object().expect("operations").keys() {
            assert!(
                seen.contains(&(path.to_owned(), method.clone())),
                "{method} {path} was not tried"
            );
        }
    }
}
