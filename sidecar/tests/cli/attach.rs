//! `muster attach`, and a member that requires its app.

use std::path::Path;
use std::process::Command;

use rustix::process::Signal;
use serde_json::Value;

use crate::harness::{Agent, Place, Running, muster, output, signal, stdout, wait_for};

impl Agent {
    /// `muster attach` of this agent, with these arguments.
    fn attach(&self, arguments: &[&str]) -> Command {
        attach(&self.socket, arguments)
    }

    /// The apps of this member.
    fn apps(&self) -> Value {
        let text = stdout(&mut self.ask(&["members", "--output", "json"]));
        let members: Value = serde_json::from_str(&text).expect("a document");
        members["members"][0]["apps"].clone()
    }

    /// Waits until an app is as this says.
    fn wait_for_app(&self, app: &str, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        wait_for(
            what,
            || self.apps().to_string(),
            || Some(self.apps()[app].clone()).filter(&holds),
        )
    }

    fn wait_until_up(&self, app: &str) -> Value {
        self.wait_for_app(app, "an app that is up", |app| app["state"] == "up")
    }
}

fn attach(socket: &Path, arguments: &[&str]) -> Command {
    let mut command = muster(&["attach"]);
    command.env("MUSTER_SOCKET", socket).args(arguments);
    command
}

/// A command that says that it runs, and goes on until it is told to end, or whoever started it is
/// gone: no test leaves it behind.
const GOES_ON: &str = "echo runs; while kill -0 $PPID 2>/dev/null; do sleep 0.05; done";

#[test]
fn the_status_of_the_command_is_told_and_given_back() {
    let place = Place::new();
    let agent = Agent::start(&place, "n1");
    let ended = output(&mut agent.attach(&["--name", "web", "--", "sh", "-c", "exit 3"]));
    assert_eq!(ended.status.code(), Some(3), "{ended:?}");
    assert_eq!(
        (ended.stdout.len(), ended.stderr.len()),
        (0, 0),
        "{ended:?}"
    );
    // It is told before the command line returns.
    let web = &agent.apps()["web"];
    assert_eq!(
        (&web["ended"], &web["status"]),
        (&"exited".into(), &3.into())
    );
    let ended = output(&mut agent.attach(&["--", "sh", "-c", "kill -KILL $$"]));
    assert_eq!(ended.status.code(), Some(128 + 9));
    let sh = &agent.apps()["sh"];
    assert_eq!(
        (&sh["ended"], &sh["signal"]),
        (&"signalled".into(), &"SIGKILL".into())
    );
    let listed = stdout(&mut agent.ask(&["members"]));
    assert!(
        listed.contains("sh (signalled SIGKILL), web (exited 3)"),
        "{listed}"
    );
}

#[test]
fn the_command_has_its_terminal_and_knows_its_agent() {
    let place = Place::new();
    let agent = Agent::start(&place, "n1");
    let says = "read line; echo \"$line of $MUSTER_APP at $MUSTER_SOCKET\"";
    let mut running = Running::start(&mut agent.attach(&["--name", "a b", "--", "sh", "-c", says]));
    running.type_line("input");
    assert!(running.wait().success());
    let expected = format!("input of a b at {}", agent.socket.display());
    running.stdout.line("the line", |line| line == expected);
}

#[test]
fn signals_go_to_the_command() {
    let place = Place::new();
    let agent = Agent::start(&place, "n1");
    let number = [
        (Signal::TERM, "TERM"),
        (Signal::HUP, "HUP"),
        (Signal::USR1, "USR1"),
    ];
    for (sent, word) in number {
        let traps = format!("trap 'exit 7' {word}; {GOES_ON}");
        let mut running = Running::start(&mut agent.attach(&["--", "sh", "-c", &traps]));
        running.stdout.line("a sign of it", |line| line == "runs");
        signal(running.pid(), sent);
        assert_eq!(running.wait().code(), Some(7), "{word}");
    }
}

#[test]
fn a_command_that_cannot_be_run_is_told_as_a_shell_does() {
    let place = Place::new();
    let agent = Agent::start(&place, "n1");
    let folder = place.path().display().to_string();
    for (command, code, words) in [
        ("no-such-command-here", 127, "there is no command"),
        (folder.as_str(), 126, "cannot be run"),
    ] {
        let ended = output(&mut agent.attach(&["--name", "web", "--", command]));
        let stderr = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(code), "{stderr}");
        assert!(stderr.contains(words), "{stderr}");
        assert_eq!(agent.apps()["web"]["status"], code);
    }
    let ended = output(&mut agent.attach(&["--name", "web"]));
    assert_eq!(ended.status.code(), Some(2), "a command is required");
}

#[test]
fn without_an_agent_nothing_is_started_unless_it_is_waited_for() {
    let place = Place::new();
    let (socket, trace) = (place.path().join("n1.sock"), place.join("trace"));
    let touch = format!("touch {trace}; exit 5");
    let ended = output(&mut attach(&socket, &["--", "sh", "-c", &touch]));
    let stderr = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(125), "{stderr}");
    assert!(stderr.contains("no agent answers"), "{stderr}");
    assert!(stderr.contains("the command was not started"), "{stderr}");
    assert!(!Path::new(&trace).exists());
    let waits = ["--wait", "60s", "--", "sh", "-c", &touch];
    let mut waiting = Running::start(&mut attach(&socket, &waits));
    let agent = Agent::start(&place, "n1");
    assert_eq!(waiting.wait().code(), Some(5));
    assert!(Path::new(&trace).exists());
    assert_eq!(agent.apps()["sh"]["status"], 5);
}

#[test]
fn a_name_that_is_taken_is_an_error_before_the_command_is_started() {
    let place = Place::new();
    let agent = Agent::start(&place, "n1");
    let first = Running::start(&mut agent.attach(&["--name", "web", "--", "sh", "-c", GOES_ON]));
    first.stdout.line("a sign of it", |line| line == "runs");
    let ended = output(&mut agent.attach(&["--name", "web", "--", "sh", "-c", "echo started"]));
    let stderr = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(
        (ended.status.code(), ended.stdout.len()),
        (Some(125), 0),
        "{stderr}"
    );
    assert!(stderr.contains("\"web\" is attached already"), "{stderr}");
    agent.wait_until_up("web");
    // Nobody is left to say how it ended.
    signal(first.pid(), Signal::KILL);
    agent.wait_for_app("web", "a lost app", |app| app["ended"] == "lost");
}

#[test]
fn the_command_outlives_its_agent_and_is_attached_again() {
    let place = Place::new();
    let agent = Agent::start(&place, "n1");
    let goes_on = format!("trap 'exit 9' TERM; {GOES_ON}");
    let mut running =
        Running::start(&mut agent.attach(&["--name", "web", "--", "sh", "-c", &goes_on]));
    running.stdout.line("a sign of it", |line| line == "runs");
    signal(agent.running.pid(), Signal::KILL);
    drop(agent);
    running.stderr.line("a word about it", |line| {
        line.contains("holds \"web\" no more; the command goes on")
    });
    let agent = Agent::start(&place, "n1");
    running
        .stderr
        .line("a word about it", |line| line.contains("attached again"));
    agent.wait_until_up("web");
    let words = running.stderr.get();
    assert_eq!(words.lines().count(), 2, "each is said once: {words}");
    signal(running.pid(), Signal::TERM);
    assert_eq!(running.wait().code(), Some(9));
    assert_eq!(agent.apps()["web"]["status"], 9);
}

#[test]
fn an_app_without_an_agent_ends_with_its_own_status() {
    let place = Place::new();
    let agent = Agent::start(&place, "n1");
    let goes_on = format!("trap 'exit 9' TERM; {GOES_ON}");
    let mut running = Running::start(&mut agent.attach(&["--", "sh", "-c", &goes_on]));
    running.stdout.line("a sign of it", |line| line == "runs");
    drop(agent);
    running
        .stderr
        .line("a word about it", |line| line.contains("no more"));
    signal(running.pid(), Signal::TERM);
    assert_eq!(running.wait().code(), Some(9));
    running
        .stderr
        .line("a word about it", |line| line.contains("nobody is told"));
}

#[test]
fn the_member_leaves_with_its_app() {
    let place = Place::new();
    let mut agent = Agent::start(&place, "n1");
    let arguments = ["--leave-on-exit", "--", "sh", "-c", "exit 4"];
    let ended = output(&mut agent.attach(&arguments));
    assert_eq!(ended.status.code(), Some(4), "{ended:?}");
    assert!(agent.running.wait().success(), "it left");
    let log = agent.running.stdout.get();
    let (down, left) = (log.find("app-down"), log.find(" left"));
    assert!(down.is_some() && down < left, "{log}");
}

#[test]
fn a_member_takes_part_only_while_the_app_that_it_requires_runs() {
    let place = Place::new();
    let mut agent = Agent::start_with(&place, "n1", &["--require", "web"]);
    let status = stdout(&mut agent.ask(&["status"]));
    assert!(status.contains("for the app \"web\""), "{status}");
    let refused = output(&mut agent.ask(&["tag", "set", "a=b"]));
    let stderr = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(stderr.contains("muster attach --name web"), "{stderr}");
    // Another one does not do.
    let other = output(&mut agent.attach(&["--name", "db", "--", "true"]));
    assert!(other.status.success(), "{other:?}");
    let log = agent.running.stdout.clone();
    assert!(!log.get().contains("member-up"), "{}", log.get());
    let goes_on = format!("trap 'exit 3' TERM; {GOES_ON}");
    let mut web = Running::start(&mut agent.attach(&["--name", "web", "--", "sh", "-c", &goes_on]));
    log.line("a member", |line| line.contains("member-up"));
    let status = stdout(&mut agent.ask(&["status"]));
    assert!(!status.contains("for the app"), "{status}");
    signal(web.pid(), Signal::TERM);
    assert_eq!(web.wait().code(), Some(3));
    assert!(agent.running.wait().success(), "it left");
    let log = log.get();
    assert!(log.contains("leaving reason=app-down app=web"), "{log}");
    let down = log.find("cause=exited status=3");
    assert!(down.is_some() && down < log.find(" left"), "{log}");
}

#[test]
fn one_that_waits_for_its_app_ends_when_it_is_told_to() {
    let place = Place::new();
    for by_signal in [true, false] {
        let mut agent = Agent::start_with(&place, "n1", &["--require", "web"]);
        if by_signal {
            signal(agent.running.pid(), Signal::TERM);
        } else {
            stdout(&mut agent.ask(&["leave"]));
        }
        assert!(agent.running.wait().success());
    }
}
