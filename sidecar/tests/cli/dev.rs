//! `muster dev` without a terminal.

use rustix::process::Signal;

use crate::harness::{Place, Running, muster, output, signal, stdout, wait_for};

/// A local cluster whose folder lies in a place of its own.
struct Dev {
    place: Place,
    running: Running,
    members: usize,
}

impl Dev {
    /// Starts it and waits until all see all.
    fn start(members: usize) -> Dev {
        let place = Place::new();
        let count = members.to_string();
        let mut command = muster(&["dev", "--members", &count]);
        let running = Running::start(command.env("TMPDIR", place.path()));
        let dev = Dev {
            place,
            running,
            members,
        };
        dev.wait_until_all_see_all();
        dev
    }

    /// The latest row of the table about a sidecar, in words.
    fn row(&self, name: &str) -> Vec<String> {
        let text = self.running.stdout.get();
        let row = text
            .lines()
            .rev()
            .find(|line| line.split_whitespace().next() == Some(name));
        row.unwrap_or_default()
            .split_whitespace()
            .map(str::to_owned)
            .collect()
    }

    fn pid(&self, name: &str) -> u32 {
        self.row(name)
            .get(1)
            .and_then(|pid| pid.parse().ok())
            .expect("the table shows the pid")
    }

    fn socket(&self, name: &str) -> String {
        self.row(name)
            .last()
            .cloned()
            .expect("the table shows the socket")
    }

    fn wait_for_row(&self, name: &str, what: &str, shown: &str) {
        let row = || self.row(name).join(" ");
        wait_for(
            what,
            || self.running.stdout.get(),
            || row().contains(shown).then_some(()),
        );
    }

    fn wait_until_all_see_all(&self) {
        for number in 1..=self.members {
            let all = format!("{0} of {0}", self.members);
            self.wait_for_row(&format!("n{number}"), "all that see all", &all);
        }
    }
}

#[test]
fn a_killed_sidecar_is_noticed_restarted_and_nothing_is_left_at_the_end() {
    let mut dev = Dev::start(3);
    // There is a verdict on the death of a member only.
    dev.running.stdout.line("it is one", |line| {
        line.contains("member-up") && line.contains("n3") && line.contains("seen by all")
    });
    let killed = dev.pid("n3");
    signal(killed, Signal::KILL);
    dev.running.stdout.line("all others noticing", |line| {
        line.contains("member-dead") && line.contains("n3") && line.contains("seen by all 2")
    });
    dev.wait_for_row(
        "n3",
        "a dead process that is declared dead",
        "killed (9) dead",
    );
    dev.wait_for_row("n1", "one that sees the others", "2 of 3");

    dev.running.type_line("restart n3");
    dev.wait_for_row("n3", "a restarted sidecar", "running alive 3 of 3");
    assert_ne!(dev.pid("n3"), killed);
    dev.wait_until_all_see_all();

    dev.running.type_line("quit");
    assert!(dev.running.wait().success());
    dev.place.wait_until_empty();
}

#[test]
fn each_sidecar_can_be_asked_at_the_socket_that_is_shown() {
    let dev = Dev::start(2);
    let json = stdout(&mut muster(&[
        "members",
        "--output",
        "json",
        "--socket",
        &dev.socket("n2"),
    ]));
    let members: serde_json::Value = serde_json::from_str(&json).expect("a document");
    assert_eq!(members["members"][0]["name"], "n1");
    assert_eq!(members["members"][1]["self"], true);
    let text = dev.running.stdout.get();
    assert!(
        text.contains("curl --unix-socket") && text.contains("kill -9 "),
        "{text}"
    );
    assert!(
        text.contains("muster dev: 2 sidecars") && text.contains("explain n2 --socket"),
        "{text}"
    );
    for name in ["n1", "n2"] {
        let store = dev.socket(name).replace(".sock", ".data/voter.redb");
        assert!(std::fs::exists(&store).is_ok_and(|there| there), "{store}");
    }
}

#[test]
fn when_it_is_killed_itself_nothing_is_left_not_even_a_paused_sidecar() {
    let mut dev = Dev::start(3);
    dev.running.type_line("pause n2");
    dev.wait_for_row("n2", "a paused sidecar", "paused");
    assert!(!dev.place.files().is_empty());
    // Three sidecars and the janitor.
    assert_eq!(dev.place.processes().len(), 4);
    signal(dev.running.pid(), Signal::KILL);
    dev.running.wait();
    dev.place.wait_until_empty();
}

#[test]
fn a_paused_sidecar_is_noticed_and_comes_back() {
    let mut dev = Dev::start(3);
    signal(dev.pid("n2"), Signal::STOP);
    dev.running.stdout.line("all others noticing", |line| {
        line.contains("member-unreachable  n2  seen by all 2; after the pause: ")
    });
    dev.wait_for_row(
        "n2",
        "a sidecar paused from elsewhere",
        "paused unreachable",
    );
    dev.running.type_line("resume n2");
    dev.wait_until_all_see_all();
    dev.wait_for_row("n2", "a sidecar that goes on", "running alive");
}

#[test]
fn one_may_leave_and_another_be_added() {
    let mut dev = Dev::start(2);
    dev.running.type_line("leave n2");
    dev.wait_for_row("n2", "a sidecar that left", "exited (0) left");
    dev.running.type_line("add");
    dev.wait_for_row("n3", "a third sidecar", "running alive 2 of 3");
    dev.running.type_line("explode n1");
    dev.running
        .stdout
        .line("a hint", |line| line.contains("`explode` is no command"));
}

#[test]
fn the_end_of_its_input_does_not_end_it_but_a_signal_does() {
    for ending in [Signal::TERM, Signal::INT, Signal::HUP] {
        let mut dev = Dev::start(1);
        dev.running.close_stdin();
        let pid = dev.pid("n1");
        signal(pid, Signal::KILL);
        dev.wait_for_row("n1", "news after the end of input", "killed (9)");
        signal(dev.running.pid(), ending);
        assert!(dev.running.wait().success());
        dev.place.wait_until_empty();
    }
}

#[test]
fn a_sidecar_that_cannot_start_is_an_error_that_shows_why() {
    let place = Place::new();
    let mut command = muster(&["dev", "--", "--period", "never"]);
    let output = output(command.env("TMPDIR", place.path()));
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(
        text.contains("the first sidecar") && text.contains("period"),
        "{text}"
    );
    place.wait_until_empty();
}
