use super::{Message, lines, variables};
use crate::cli::table::Look;

const MEMBER: &str = r#"{"name":"n3","addr":"127.0.0.1:7003","instance":3,"incarnation":0,
    "state":"unreachable","verdict":null,"view":0,"since":"2026-01-02T03:04:05.678Z","zone":null,
    "tags":{},"voter":false,"self":false,"rtt_us":null}"#;

fn message(event: &str, data: String) -> Message {
    Message {
        id: Some("1.7".to_owned()),
        event: event.to_owned(),
        data,
    }
}

fn unreachable() -> Message {
    message(
        "member-unreachable",
        format!(
            r#"{{"cursor":"1.7","time":"2026-01-02T03:04:05.678Z","type":"member-unreachable",
            "view":0,"epoch":0,"member":{MEMBER},"cause":"timeout","accusers":["n1","n2"]}}"#
        ),
    )
}

fn dead() -> Message {
    message(
        "member-dead",
        format!(
            r#"{{"cursor":"1.8","time":"2026-01-02T03:04:05.678Z","type":"member-dead",
            "view":17,"epoch":2,"member":{MEMBER},"cause":"convicted","grounds":{{
            "reason":"unreached","unreached":["n1","n2"],"reached":[],"no_testimony":["n5"],
            "took_ms":512}}}}"#
        ),
    )
}

fn reset() -> Message {
    message(
        "reset",
        format!(
            r#"{{"cursor":"2.7","time":"2026-01-02T03:04:05.678Z","type":"reset","view":0,
            "epoch":0,"reason":"other-origin","members":[{MEMBER}]}}"#
        ),
    )
}

#[test]
fn an_event_is_one_line_with_its_details() {
    assert_eq!(
        lines(&unreachable(), Look::PLAIN),
        [
            "2026-01-02T03:04:05.678Z member-unreachable  n3 127.0.0.1:7003 cause=timeout \
          accusers=n1,n2 cursor=1.7"
        ]
    );
}

#[test]
fn a_verdict_is_one_line_with_its_view_and_its_grounds() {
    assert_eq!(
        lines(&dead(), Look::PLAIN),
        [
            "2026-01-02T03:04:05.678Z member-dead         n3 127.0.0.1:7003 view=17 epoch=2 \
          cause=convicted reason=unreached unreached=n1,n2 cursor=1.8"
        ]
    );
}

#[test]
fn a_reset_shows_all_members() {
    assert_eq!(
        lines(&reset(), Look::PLAIN),
        [
            "2026-01-02T03:04:05.678Z reset               events were lost (other-origin); \
             1 members now: cursor=2.7",
            "  n3 127.0.0.1:7003 unreachable",
        ]
    );
}

#[test]
fn an_event_of_a_later_version_is_shown_as_it_is() {
    let later = message("disk-lost", r#"{"cursor":"1.8"}"#.to_owned());
    assert_eq!(
        lines(&later, Look::PLAIN),
        [r#"disk-lost {"cursor":"1.8"}"#]
    );
}

#[test]
fn a_command_gets_the_event_in_its_environment() {
    let text = |value: &str| Some(value.to_owned());
    assert_eq!(
        variables(&unreachable()),
        [
            ("MUSTER_EVENT_TYPE", text("member-unreachable")),
            ("MUSTER_CURSOR", text("1.7")),
            ("MUSTER_VIEW", text("0")),
            ("MUSTER_EPOCH", text("0")),
            ("MUSTER_MEMBER_NAME", text("n3")),
            ("MUSTER_MEMBER_ADDR", text("127.0.0.1:7003")),
            ("MUSTER_APP", None),
        ]
    );
    assert_eq!(variables(&dead())[2], ("MUSTER_VIEW", text("17")));
    assert_eq!(variables(&reset())[4], ("MUSTER_MEMBER_NAME", None));
}
