//! The commands that ask one agent.

use std::process::Stdio;

use crate::harness::{Agent, Place, muster, output, stdout, wait_for};

#[test]
fn without_an_agent_every_command_says_where_it_looked() {
    let place = Place::new();
    let nowhere = place.join("nobody.sock");
    for line in [
        "members",
        "status",
        "ring",
        "watch",
        "leave",
        "join a:1",
        "tag list",
        "coordinator",
        "explain n1",
        "remove n1",
        "recover --survivors n1 --yes",
        "keys list",
        "keys use 0123456789abcdef",
        "keys remove 0123456789abcdef",
        "keys rotate",
    ] {
        let arguments: Vec<&str> = line.split_whitespace().collect();
        let output = output(muster(&arguments).env("MUSTER_SOCKET", &nowhere));
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{line}: {text}");
        assert!(
            text.contains(&format!("{nowhere}: there is no such file")),
            "{line}: {text}"
        );
        assert!(text.contains("muster agent"), "{line}: {text}");
    }
}

#[test]
fn the_doctor_also_works_without_an_agent_and_ends_as_it_found() {
    let place = Place::new();
    let socket = place.join("n1.sock");
    let missing = output(&mut muster(&["doctor", "--socket", &socket]));
    let text = String::from_utf8_lossy(&missing.stdout);
    assert_eq!(missing.status.code(), Some(1), "{text}");
    assert!(
        text.starts_with("fail  agent      no agent answers; looked at "),
        "{text}"
    );
    assert!(text.contains("-> start one with `muster agent`"), "{text}");
    assert!(
        text.contains("\nok    clock ") && text.ends_with(" fail\n"),
        "{text}"
    );

    let data = place.join("data");
    let agent = Agent::start_with(&place, "n1", &["--data-dir", &data]);
    stdout(&mut agent.ask(&["coordinator", "--wait"]));
    let report = stdout(&mut agent.ask(&["doctor", "--output", "json"]));
    let report: serde_json::Value = serde_json::from_str(&report).expect("a document");
    assert_ne!(report["grade"], "fail", "{report}");
    let findings = report["findings"].as_array().expect("a list");
    let of = |check: &str| findings.iter().find(|found| found["check"] == check);
    let found = of("data").expect("it remembers")["found"]
        .as_str()
        .expect("text");
    assert!(
        found.starts_with(&data) && found.contains("used by process"),
        "{found}"
    );
    assert_eq!(of("agent").expect("it answers")["grade"], "ok");

    let config = place.join("muster.toml");
    std::fs::write(&config, "perod = \"1s\"\n").expect("it is ours");
    let wrong = output(&mut muster(&[
        "doctor", "--socket", &socket, "--config", &config,
    ]));
    let text = String::from_utf8_lossy(&wrong.stdout);
    assert!(
        wrong.status.success() && !text.contains("perod"),
        "the agent's own counts: {text}"
    );
    drop(agent);
    let wrong = output(&mut muster(&[
        "doctor", "--socket", &socket, "--config", &config,
    ]));
    let text = String::from_utf8_lossy(&wrong.stdout);
    assert!(text.contains("did you mean \"period\"?"), "{text}");
}

#[test]
fn a_reader_that_goes_away_is_not_an_error() {
    let place = Place::new();
    let agent = Agent::start(&place, "n1");
    for mut command in [agent.ask(&["members"]), agent.ask(&["status"]), {
        muster(&["completions", "bash"])
    }] {
        let (reader, writer) = std::io::pipe().expect("a pipe can be made");
        drop(reader);
        let output = output(command.stdout(writer).stderr(Stdio::piped()));
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command:?}: {text}");
        assert_eq!(text, "", "{command:?}");
    }
}

#[test]
fn what_is_refused_is_told_in_the_words_of_the_commands() {
    let place = Place::new();
    let voter = Agent::start(&place, "n1");
    stdout(&mut voter.ask(&["coordinator", "--wait"]));
    let refused = |agent: &Agent, arguments: &[&str]| {
        let output = output(agent.ask(arguments).stderr(Stdio::piped()));
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    for line in [&["remove", "n1"][..], &["remove", "n1", "--force"]] {
        let text = refused(&voter, line);
        assert!(
            text.contains("\"n1\" is the coordinator, which does not remove itself"),
            "{text}"
        );
        assert!(text.contains("`muster leave`"), "{text}");
    }
    let text = refused(
        &voter,
        &["members", "--at-least", "999", "--timeout", "50ms"],
    );
    assert!(
        text.contains("within 50ms") && text.contains("`--timeout`"),
        "{text}"
    );
    let alone = Agent::start_with(&place, "n2", &["--non-voting"]);
    let text = refused(&alone, &["coordinator"]);
    assert!(
        text.contains("`muster coordinator --wait` waits for one"),
        "{text}"
    );
    let text = refused(&alone, &["coordinator", "--wait", "--timeout", "50ms"]);
    assert!(text.contains("none came within 50ms"), "{text}");
    assert!(!text.contains("/v1/"), "{text}");
}

#[test]
fn output_that_is_not_for_a_terminal_has_neither_colour_nor_cuts() {
    let place = Place::new();
    let agent = Agent::start(&place, "n1");
    let long = format!("long={}", "x".repeat(300));
    stdout(&mut agent.ask(&["tag", "set", &long]));
    let text = stdout(&mut agent.ask(&["members"]));
    assert!(text.contains(&long) && !text.contains('\x1b'), "{text}");
}

#[test]
fn tags_are_set_listed_and_removed() {
    let place = Place::new();
    let agent = Agent::start(&place, "n1");
    stdout(&mut agent.ask(&["tag", "set", "zone=a", "a b/ü=x=y", "empty="]));
    assert_eq!(
        stdout(&mut agent.ask(&["tag", "list", "--output", "json"]))
            .replace(char::is_whitespace, ""),
        r#"{"ab/ü":"x=y","empty":"","zone":"a"}"#
    );
    stdout(&mut agent.ask(&["tag", "remove", "a b/ü", "empty"]));
    assert_eq!(
        stdout(&mut agent.ask(&["tag", "list"])),
        "KEY   VALUE\nzone  a\n"
    );
    let missing = output(&mut agent.ask(&["tag", "remove", "none"]));
    assert_eq!(missing.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("none"));
}

#[test]
fn members_are_filtered_by_the_agent() {
    let place = Place::new();
    let agent = Agent::start(&place, "n1");
    stdout(&mut agent.ask(&["tag", "set", "zone=a"]));
    let count = |filter: &[&str]| {
        let text = stdout(&mut agent.ask(&[&["members"], filter].concat()));
        text.lines().count() - 1
    };
    assert_eq!(count(&[]), 1);
    assert_eq!(
        count(&[
            "--state",
            "alive,suspect",
            "--name",
            "n1",
            "--tag",
            "zone=a"
        ]),
        1
    );
    assert_eq!(count(&["--tag", "zone=b"]), 0);
    assert_eq!(count(&["--state", "unreachable"]), 0);
    assert_eq!(count(&["--name", "n2"]), 0);
}

#[test]
fn two_agents_join_show_each_other_and_leave() {
    let place = Place::new();
    let (one, mut two) = (Agent::start(&place, "n1"), Agent::start(&place, "n2"));
    let status = stdout(&mut one.ask(&["status", "--output", "json"]));
    let status: serde_json::Value = serde_json::from_str(&status).expect("a document");
    let seed = status["addr"].as_str().expect("an address").to_owned();
    stdout(&mut two.ask(&["join", &seed]));
    crate::harness::wait_for("two members", String::new, || {
        stdout(&mut one.ask(&["members", "--state", "alive"]))
            .contains("n2")
            .then_some(())
    });
    let rings = stdout(&mut one.ask(&["ring"]));
    assert!(rings.contains("1 buddies: n2"), "{rings}");
    assert!(stdout(&mut one.ask(&["status"])).contains("2: 2 alive"));
    stdout(&mut two.ask(&["leave"]));
    assert!(two.running.wait().success());
    crate::harness::wait_for("a member that left", String::new, || {
        stdout(&mut one.ask(&["members", "--state", "left"]))
            .contains("n2")
            .then_some(())
    });
    let refused = output(&mut one.ask(&["join", "no-port"]));
    let text = String::from_utf8_lossy(&refused.stderr);
    assert!(
        !refused.status.success() && text.contains("no-port"),
        "{text}"
    );
}

#[test]
fn completions_offer_the_commands_and_nothing_hidden() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = stdout(&mut muster(&["completions", shell]));
        assert!(
            script.contains("members") && script.contains("socket"),
            "{shell}"
        );
        assert!(!script.contains("janitor"), "{shell}");
    }
}

#[test]
fn a_quiet_status_says_by_its_exit_whether_the_member_is_ready() {
    let place = Place::new();
    let quiet = ["status", "--quiet"];
    let agent = Agent::start(&place, "ready");
    wait_for("a member", String::new, || {
        let asked = output(&mut agent.ask(&quiet));
        asked.status.success().then_some(())
    });
    assert_eq!(stdout(&mut agent.ask(&quiet)), "");

    let alone = Agent::start_with(&place, "alone", &["--expect", "3"]);
    let asked = output(&mut alone.ask(&quiet));
    let told = String::from_utf8_lossy(&asked.stderr);
    assert_eq!(asked.status.code(), Some(1), "{told}");
    assert!(
        asked.stdout.is_empty() && told.contains("no cluster has formed"),
        "{told}"
    );

    let nobody = place.join("nobody.sock");
    let asked = output(&mut muster(&["status", "--quiet", "--socket", &nobody]));
    assert_eq!(asked.status.code(), Some(1));
    let both = output(&mut agent.ask(&["status", "--quiet", "--output", "json"]));
    assert_eq!(both.status.code(), Some(2));
}
