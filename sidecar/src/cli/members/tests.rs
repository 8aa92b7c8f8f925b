use std::time::{Duration, SystemTime};

use clap::Parser;

use super::{MembersArgs, filter, table};
use crate::api::model::Member;
use crate::cli::table::Look;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    members: MembersArgs,
}

fn members() -> Vec<Member> {
    let json = r#"[
        {"name":"n1","addr":"127.0.0.1:7001","instance":1,"incarnation":0,"state":"alive",
         "verdict":null,"view":0,"since":"1970-01-01T00:00:00.000Z","zone":"a",
         "tags":{"zone":"a","role":"db"},"apps":{},"voter":false,"self":true,"rtt_us":null},
        {"name":"n2","addr":"[::1]:7002","instance":2,"incarnation":0,"state":"suspect",
         "verdict":"up","view":17,"since":"1970-01-01T00:01:00.000Z","zone":null,
         "tags":{},"voter":false,"self":false,"rtt_us":214}
    ]"#;
    serde_json::from_str(json).expect("members as the API gives them")
}

#[test]
fn members_are_a_table() {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(90);
    assert_eq!(
        table(&members(), now, Look::PLAIN).lines(Look::PLAIN),
        [
            "NAME       ADDR            STATE    VERDICT  VIEW   SINCE       RTT  TAGS",
            "n1 (self)  127.0.0.1:7001  alive    -           -  1m 30s         -  role=db zone=a",
            "n2         [::1]:7002      suspect  up         17     30s  0.214 ms  -",
        ]
    );
}

#[test]
fn apps_have_a_column_where_there_are_some() {
    let mut members = members();
    let app = |fields: &str| {
        let json = format!(r#"{{"attachment":1,{fields}}}"#);
        serde_json::from_str(&json).expect("an app as the API gives it")
    };
    let of_first = [
        ("web", r#""state":"up","health":"passing""#),
        (
            "db",
            r#""state":"up","health":"warning","note":"queue long""#,
        ),
        ("batch", r#""state":"down","ended":"exited","status":3"#),
        (
            "old",
            r#""state":"down","ended":"signalled","signal":"SIGKILL""#,
        ),
        ("gone", r#""state":"down","ended":"lost""#),
    ];
    for (name, fields) in of_first {
        members[0].apps.insert(name.to_owned(), app(fields));
    }
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(90);
    let lines = table(&members, now, Look::PLAIN).lines(Look::PLAIN);
    let apps =
        "batch (exited 3), db (warning: queue long), gone (lost), old (signalled SIGKILL), web";
    assert!(
        lines[0].contains("APPS") && lines[0].ends_with("TAGS"),
        "{lines:#?}"
    );
    assert!(lines[1].contains(apps), "{lines:#?}");
    assert!(lines[2].contains("-"), "{lines:#?}");
}

#[test]
fn what_was_agreed_is_left_out_where_it_does_not_fit() {
    let shown = |width| {
        let look = Look {
            width: Some(width),
            ..Look::PLAIN
        };
        table(&members(), SystemTime::UNIX_EPOCH, look).lines(look)
    };
    assert!(shown(80)[0].contains("VERDICT  VIEW"));
    let narrow = shown(65);
    assert!(!narrow[0].contains("VERDICT"), "{narrow:?}");
    assert!(narrow[0].ends_with("TAGS"), "{narrow:?}");
}

#[test]
fn filters_become_the_query_of_the_api() {
    let line = Line::try_parse_from([
        "members",
        "--state",
        "suspect,left",
        "--name",
        "n1",
        "--tag",
        "zone=a",
        "--tag",
        "k=v=w",
        "--app",
        "web",
        "--at-least",
        "17",
        "--consistent",
        "--timeout",
        "1m",
    ]);
    let pairs = filter(&line.expect("all are flags").members);
    let shown: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    assert_eq!(
        shown,
        [
            "state=suspect,left",
            "name=n1",
            "tag.zone=a",
            "tag.k=v=w",
            "app=web",
            "at_least=17",
            "consistent=true",
            "timeout=1m"
        ]
    );
    let line = Line::try_parse_from(["members"]).expect("nothing is required");
    assert_eq!(filter(&line.members), []);
}
