//! `muster watch`.

use std::io::{Read, Write};
use std::os::unix::net::UnixListener;

use rustix::process::Signal;

use crate::harness::{Agent, Place, Running, muster, signal, stdout, wait_for};

#[test]
fn events_are_lines_for_people_or_documents() {
    let place = Place::new();
    let agent = Agent::start(&place, "n1");
    let cursor = cursor(&agent);
    let watch = |arguments: &[&str]| {
        let since = ["watch", "--since", &cursor];
        Running::start(&mut agent.ask(&[&since, arguments].concat()))
    };
    let (text, json) = (watch(&[]), watch(&["--output", "json"]));
    let other = watch(&["--types", "member-left"]);
    stdout(&mut agent.ask(&["tag", "set", "zone=a"]));
    text.stdout.line("an event", |line| {
        line.contains("member-updated      n1 127.0.0.1:")
    });
    let line = json
        .stdout
        .line("an event", |line| line.contains("member-updated"));
    let event: serde_json::Value = serde_json::from_str(&line).expect("one document a line");
    assert_eq!(event["member"]["tags"]["zone"], "a");
    assert_eq!(other.stdout.get(), "");
}

#[test]
fn without_a_cursor_it_starts_with_what_comes_next() {
    let place = Place::new();
    let agent = Agent::start(&place, "n1");
    stdout(&mut agent.ask(&["tag", "set", "before=1"]));
    let watch = Running::start(&mut agent.ask(&["watch", "--output", "json"]));
    // Nobody can tell when it is connected: what comes next is repeated until it is seen.
    let mut number = 0;
    let state = || watch.stderr.get();
    wait_for("an event", state, || {
        number += 1;
        stdout(&mut agent.ask(&["tag", "set", &format!("after={number}")]));
        (!watch.stdout.get().is_empty()).then_some(())
    });
    let first = watch.stdout.get().lines().next().map(str::to_owned);
    assert!(first.is_some_and(|first| first.contains("\"after\"")));
}

#[test]
fn it_goes_on_after_a_restart_of_the_agent_and_says_what_was_lost() {
    let place = Place::new();
    let agent = Agent::start(&place, "n1");
    let watch = Running::start(&mut agent.ask(&["watch", "--since", &cursor(&agent)]));
    stdout(&mut agent.ask(&["tag", "set", "zone=a"]));
    watch
        .stdout
        .line("an event", |line| line.contains("member-updated"));
    signal(agent.running.pid(), Signal::KILL);
    watch.stderr.line("a word about it", |line| {
        line.contains("waiting for it to come back")
    });
    let agent = Agent::start(&place, "n1");
    watch
        .stderr
        .line("a word about it", |line| line.contains("connected again"));
    watch.stdout.line("the gap", |line| {
        line.contains("reset") && line.contains("other-origin")
    });
    watch
        .stdout
        .line("the snapshot", |line| line.starts_with("  n1 127.0.0.1:"));
    stdout(&mut agent.ask(&["tag", "set", "zone=b"]));
    watch
        .stdout
        .line("the next event", |line| line.contains("member-updated"));
}

#[test]
fn it_asks_again_for_what_comes_after_the_last_event() {
    let place = Place::new();
    let socket = place.join("a.sock");
    let listener = UnixListener::bind(&socket).expect("a socket can be bound");
    let watch = Running::start(&mut muster(&[
        "watch", "--since", "7.0", "--socket", &socket,
    ]));
    let asked = |answer: &str| {
        loop {
            let (mut stream, _) = listener.accept().expect("it connects");
            let mut request = [0; 4096];
            let count = stream.read(&mut request).expect("it asks");
            // A connection without a request only finds out whether somebody listens.
            if count > 0 {
                stream.write_all(answer.as_bytes()).expect("it reads");
                return String::from_utf8_lossy(&request[..count]).into_owned();
            }
        }
    };
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
    let first = asked(&format!(
        "{head}id: 7.1\nevent: member-left\ndata: {{}}\n\n"
    ));
    assert!(first.starts_with("GET /v1/events?since=7.0 "), "{first}");
    let second = asked(head);
    assert!(second.starts_with("GET /v1/events?since=7.1 "), "{second}");
    watch
        .stdout
        .line("the event", |line| line == "member-left {}");
}

#[test]
fn a_command_runs_for_each_event_in_order() {
    let place = Place::new();
    let agent = Agent::start(&place, "n1");
    let cursor = cursor(&agent);
    for number in 0..5 {
        stdout(&mut agent.ask(&["tag", "set", &format!("number={number}")]));
    }
    let command = "echo $MUSTER_EVENT_TYPE $MUSTER_MEMBER_NAME $MUSTER_MEMBER_ADDR \
                   $MUSTER_CURSOR $(sed 's/.*\"number\":\"\\(.\\)\".*/number \\1/'); exit 3";
    let watch = Running::start(&mut agent.ask(&["watch", "--since", &cursor, "--exec", command]));
    watch
        .stdout
        .line("the last event", |line| line.ends_with("number 4"));
    let text = watch.stdout.get();
    let numbers: Vec<&str> = text
        .lines()
        .filter_map(|line| line.split(' ').next_back())
        .collect();
    assert_eq!(numbers, ["0", "1", "2", "3", "4"], "{text}");
    assert!(
        text.lines()
            .all(|line| line.starts_with("member-updated n1 127.0.0.1:")),
        "{text}"
    );
    watch
        .stderr
        .line("the exit status", |line| line.contains("exit status: 3"));
}

#[test]
fn a_cursor_that_is_none_is_refused() {
    let place = Place::new();
    let agent = Agent::start(&place, "n1");
    let mut watch = Running::start(&mut agent.ask(&["watch", "--since", "yesterday"]));
    assert_eq!(watch.wait().code(), Some(1));
    watch
        .stderr
        .line("the reason", |line| line.contains("cursor"));
}

/// The cursor of now.
fn cursor(agent: &Agent) -> String {
    let json = stdout(&mut agent.ask(&["members", "--output", "json"]));
    let members: serde_json::Value = serde_json::from_str(&json).expect("a document");
    members["cursor"].as_str().expect("a cursor").to_owned()
}
