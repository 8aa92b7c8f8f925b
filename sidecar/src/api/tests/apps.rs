//! Apps: attached as long as a request or a process lives, told of with how they ended.

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::api::model::{Apps, Member, Members};
use crate::api::testing::World;
use crate::api::testing::client::{Connection, Message, Stream, ask, get, within};
use crate::api::testing::openapi::{check_answer, check_schema};

const JSON: &str = "Content-Type: application/json\r\n";

/// An app that is attached.
struct Held(Connection);

impl Held {
    async fn attach(world: &World, app: &str, body: &str) -> (Held, Value) {
        let path = format!("/v1/apps/{app}");
        let mut connection = Connection::open(&world.path).await;
        connection.ask("POST", &path, JSON, body.as_bytes()).await;
        let head = connection.read_head().await;
        assert_eq!(head.status, 200, "{head:?}");
        check_answer("POST", &path, &head);
        let mut held = Held(connection);
        let line = held.line().await.expect("the first line");
        (held, line)
    }

    /// The next line, checked against the description; none at the end.
    async fn line(&mut self) -> Option<Value> {
        loop {
            let chunk = within("a line", self.0.read_chunk()).await?;
            let text = String::from_utf8(chunk).expect("lines are text");
            assert!(text.ends_with('\n'), "{text:?}");
            if text.trim().is_empty() {
                continue;
            }
            let line: Value = serde_json::from_str(&text).expect("JSON");
            check_schema("AttachedLine", &line);
            return Some(line);
        }
    }
}

/// The next event of an app: its type, and what belongs to that.
async fn next(stream: &mut Stream) -> (String, Value) {
    let Message {
        event, mut data, ..
    } = stream.next().await.expect("an event");
    let fields = data.as_object_mut().expect("an object");
    for field in ["cursor", "time", "type", "view", "epoch", "member"] {
        fields.remove(field);
    }
    (event, data)
}

fn up(app: &str, attachment: u64) -> (String, Value) {
    let told = json!({"app": app, "attachment": attachment, "health": "passing"});
    ("app-up".to_owned(), told)
}

fn down(app: &str, attachment: u64, how: Value) -> (String, Value) {
    let mut told = json!({"app": app, "attachment": attachment});
    let fields = told.as_object_mut().expect("an object");
    fields.extend(how.as_object().expect("an object").clone());
    ("app-down".to_owned(), told)
}

async fn end(world: &World, app: &str, body: &str) -> u16 {
    let path = format!("/v1/apps/{app}");
    let reply = ask(&world.path, "DELETE", &path, JSON, body.as_bytes()).await;
    reply.status
}

#[test]
fn an_app_lives_as_long_as_its_request() {
    let world = World::new(100);
    world.run(async |_| {
        let mut stream = Stream::open(&world.path, "", "").await;
        stream.next_block().await;
        let (held, line) = Held::attach(&world, "my%20app", "").await;
        let attached = json!({"member": "n0", "name": "my app", "state": "up", "attachment": 1,
            "health": "passing"});
        assert_eq!(line, attached);
        assert_eq!(next(&mut stream).await, up("my app", 1));
        drop(held);
        let lost = down("my app", 1, json!({"cause": "lost"}));
        assert_eq!(next(&mut stream).await, lost);
        let me: Member = get(&world.path, "/v1/members/n0").await.json();
        let app = &me.apps["my app"];
        assert_eq!(
            (app.state.as_ref(), app.ended.as_deref()),
            ("down", Some("lost"))
        );
    });
}

#[test]
fn who_knows_how_an_app_ended_says_it() {
    let world = World::new(100);
    world.run(async |_| {
        let mut stream = Stream::open(&world.path, "", "").await;
        stream.next_block().await;
        let rows = [
            (r#"{"status":3}"#, json!({"cause": "exited", "status": 3})),
            (
                r#"{"status":0,"attachment":2}"#,
                json!({"cause": "exited", "status": 0}),
            ),
            (
                r#"{"signal":"SIGKILL"}"#,
                json!({"cause": "signalled", "signal": "SIGKILL"}),
            ),
            (
                r#"{"signal":15}"#,
                json!({"cause": "signalled", "signal": "SIGTERM"}),
            ),
            (
                r#"{"signal":"SIG40"}"#,
                json!({"cause": "signalled", "signal": "SIG40"}),
            ),
            ("{}", json!({"cause": "detached"})),
            ("", json!({"cause": "detached"})),
        ];
        for ((body, how), attachment) in rows.into_iter().zip(1..) {
            let (mut held, _) = Held::attach(&world, "web", "{}").await;
            assert_eq!(next(&mut stream).await, up("web", attachment));
            assert_eq!(end(&world, "web", body).await, 204, "{body}");
            assert_eq!(
                next(&mut stream).await,
                down("web", attachment, how.clone())
            );
            let last = held.line().await.expect("the last line");
            assert_eq!(
                (&last["state"], &last["ended"]),
                (&json!("down"), &how["cause"])
            );
            assert_eq!(held.line().await, None, "the answer ends with the app");
        }
        // What was said already is not told again when the connection ends.
        ask(&world.path, "PUT", "/v1/tags/a", "", b"1").await;
        assert_eq!(
            stream.next().await.expect("an event").event,
            "member-updated"
        );
    });
}

#[test]
fn an_app_ends_with_its_process() {
    let world = World::new(100);
    world.run(async |_| {
        let mut stream = Stream::open(&world.path, "", "").await;
        stream.next_block().await;
        let mut child = Command::new("sleep")
            .arg("60")
            .stdout(Stdio::null())
            .spawn()
            .expect("a process");
        let body = format!(r#"{{"pid":{}}}"#, child.id());
        let (mut held, _) = Held::attach(&world, "web", &body).await;
        assert_eq!(next(&mut stream).await, up("web", 1));
        child.kill().expect("it runs");
        assert_eq!(
            next(&mut stream).await,
            down("web", 1, json!({"cause": "lost"}))
        );
        let last = held.line().await.expect("the last line");
        assert_eq!(last["ended"], "lost");
        assert_eq!(held.line().await, None);
        child.wait().expect("it ended");
        let gone = format!(r#"{{"pid":{}}}"#, child.id());
        let reply = ask(&world.path, "POST", "/v1/apps/web", JSON, gone.as_bytes()).await;
        let (kind, detail) = reply.problem();
        assert_eq!((reply.status, kind.as_str()), (400, "invalid-request"));
        assert!(detail.contains("cannot be watched"), "{detail}");
    });
}

#[test]
fn an_app_reports_its_health() {
    let world = World::new(100);
    world.run(async |_| {
        let mut stream = Stream::open(&world.path, "", "").await;
        stream.next_block().await;
        let (_held, _) = Held::attach(&world, "web", "").await;
        next(&mut stream).await;
        let put = async |body: &str| {
            let path = "/v1/apps/web/health";
            ask(&world.path, "PUT", path, JSON, body.as_bytes()).await
        };
        let warning = r#"{"health":"warning","note":"queue long"}"#;
        for _ in 0..2 {
            assert_eq!(put(warning).await.status, 204);
        }
        assert_eq!(put(r#"{"health":"failing"}"#).await.status, 204);
        let told =
            json!({"app": "web", "attachment": 1, "health": "warning", "note": "queue long"});
        assert_eq!(next(&mut stream).await, ("app-health".to_owned(), told));
        let told = json!({"app": "web", "attachment": 1, "health": "failing"});
        assert_eq!(
            next(&mut stream).await,
            ("app-health".to_owned(), told),
            "told once each"
        );
        let apps: Apps = get(&world.path, "/v1/apps").await.json();
        assert_eq!(apps.apps["web"].health.as_deref(), Some("failing"));
        let long = format!(r#"{{"health":"failing","note":"{}"}}"#, "n".repeat(129));
        for body in [r#"{"health":"well"}"#, "{}", "", "failing", &long] {
            let reply = put(body).await;
            let kind = reply.problem().0;
            assert_eq!(
                (reply.status, kind.as_str()),
                (400, "invalid-request"),
                "{body}"
            );
        }
        let path = "/v1/apps/db/health";
        let reply = ask(&world.path, "PUT", path, JSON, warning.as_bytes()).await;
        assert_eq!(
            (reply.status, reply.problem().0.as_str()),
            (404, "no-such-app")
        );
    });
}

#[test]
fn what_cannot_be_attached_or_ended_is_refused() {
    let world = World::new(100);
    world.run(async |_| {
        let (_held, _) = Held::attach(&world, "web", "").await;
        let rows = [
            ("POST", "/v1/apps/web", "", 409, "app-attached"),
            ("POST", "/v1/apps/a%3Db", "", 400, "invalid-request"),
            (
                "POST",
                "/v1/apps/db",
                r#"{"pid":0}"#,
                400,
                "invalid-request",
            ),
            (
                "POST",
                "/v1/apps/db",
                r#"{"pid":"x"}"#,
                400,
                "invalid-request",
            ),
            ("POST", "/v1/apps/db?a=b", "", 400, "invalid-request"),
            ("DELETE", "/v1/apps/db", "", 404, "no-such-app"),
            (
                "DELETE",
                "/v1/apps/web",
                r#"{"attachment":7}"#,
                404,
                "no-such-app",
            ),
            (
                "DELETE",
                "/v1/apps/web",
                r#"{"status":256}"#,
                400,
                "invalid-request",
            ),
            (
                "DELETE",
                "/v1/apps/web",
                r#"{"signal":"SIGNAL"}"#,
                400,
                "invalid-request",
            ),
            (
                "DELETE",
                "/v1/apps/web",
                r#"{"signal":65}"#,
                400,
                "invalid-request",
            ),
            (
                "DELETE",
                "/v1/apps/web",
                r#"{"signal":9,"status":1}"#,
                400,
                "invalid-request",
            ),
        ];
        for (method, path, body, status, kind) in rows {
            let reply = ask(&world.path, method, path, JSON, body.as_bytes()).await;
            let given = reply.problem().0;
            assert_eq!(
                (reply.status, given.as_str()),
                (status, kind),
                "{method} {path} {body}"
            );
        }
        let apps: Apps = get(&world.path, "/v1/apps").await.json();
        assert_eq!(
            (apps.apps.len(), apps.apps["web"].state.as_ref()),
            (1, "up")
        );
        let text = "Content-Type: text/plain\r\n";
        let reply = ask(&world.path, "DELETE", "/v1/apps/web", text, b"{}").await;
        assert_eq!(reply.status, 415);
        let long = vec![b' '; 2000];
        let reply = ask(&world.path, "POST", "/v1/apps/db", JSON, &long).await;
        assert_eq!(reply.status, 413);
    });
}

#[test]
fn a_member_has_so_many_apps_and_no_more() {
    let world = World::new(100);
    world.run(async |_| {
        let mut held = Vec::new();
        for n in 0..muster_swim::limits::APPS {
            held.push(Held::attach(&world, &format!("app{n}"), "").await);
        }
        let reply = ask(&world.path, "POST", "/v1/apps/more", "", b"").await;
        assert_eq!(
            (reply.status, reply.problem().0.as_str()),
            (409, "apps-full")
        );
        let mut stream = Stream::open(&world.path, "?types=app-down", "").await;
        stream.next_block().await;
        held.remove(3);
        assert_eq!(
            next(&mut stream).await,
            down("app3", 4, json!({"cause": "lost"}))
        );
        held.push(Held::attach(&world, "more", "").await);
        let names: Apps = get(&world.path, "/v1/apps?name=more&name=app0&name=x")
            .await
            .json();
        assert_eq!(names.apps.keys().collect::<Vec<_>>(), ["app0", "more"]);
        assert_eq!(get(&world.path, "/v1/apps?x=1").await.status, 400);
    });
}

#[test]
fn who_goes_away_before_the_answer_leaves_nothing_behind() {
    let world = World::new(100);
    world.run(async |_| {
        for _ in 0..20 {
            let mut connection = Connection::open(&world.path).await;
            connection.ask("POST", "/v1/apps/web", "", b"").await;
            drop(connection);
        }
        within("the name to be free", async {
            loop {
                let apps: Apps = get(&world.path, "/v1/apps").await.json();
                if apps.apps.get("web").is_none_or(|app| app.state == "down") {
                    return;
                }
            }
        })
        .await;
    });
}

#[test]
fn the_apps_of_others_are_with_their_members_and_end_with_them() {
    let world = World::new(100);
    world.add_peer(&[]);
    world.add_peer(&[]);
    world.peer_attaches(1, "web");
    world.run(async |_| {
        let running = async |app: &str| {
            let path = format!("/v1/members?app={app}");
            let members: Members = get(&world.path, &path).await.json();
            let names = members.members.into_iter().map(|member| member.name);
            names.collect::<Vec<_>>()
        };
        assert_eq!(running("web").await, ["n1"]);
        assert_eq!(running("db").await, Vec::<String>::new());
        let mut stream = Stream::open(&world.path, "?types=app-down", "").await;
        stream.next_block().await;
        world.peer_leaves(1);
        let told = stream.next().await.expect("an event").data;
        assert_eq!(
            (&told["cause"], &told["member"]["name"]),
            (&json!("member-left"), &json!("n1"))
        );
        let app = &told["member"]["apps"]["web"];
        assert_eq!(
            (&app["state"], &app["ended"]),
            (&json!("down"), &json!("member-left"))
        );
        assert_eq!(running("web").await, Vec::<String>::new());
    });
}

#[test]
fn whole_numbers_may_be_written_with_a_point() {
    const JSON: &str = "Content-Type: application/json\r\n";
    let world = World::new(100);
    let path = &world.path;
    world.run(async |_| {
        for (body, status) in [
            (r#"{"status":3.0,"attachment":7.0}"#, 404),
            (r#"{"signal":9.0}"#, 404),
            (r#"{"status":3.5}"#, 400),
            (r#"{"status":256}"#, 400),
            (r#"{"status":-1.0}"#, 400),
            (r#"{"signal":9.5}"#, 400),
            (r#"{"attachment":1e300}"#, 400),
        ] {
            let reply = ask(path, "DELETE", "/v1/apps/web", JSON, body.as_bytes()).await;
            assert_eq!(reply.status, status, "{body}: {reply:?}");
        }
    });
}
