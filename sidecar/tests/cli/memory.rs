//! The data directory of a real agent.

use std::fs;
use std::process::Output;

use rustix::process::Signal;

use crate::harness::{Agent, Place, muster, output, signal, stdout};

/// What an agent that cannot start says, with its data in `data`.
fn refused(place: &Place, cluster: &str, name: &str, more: &[&str]) -> (Output, String) {
    let (socket, data) = (place.join("other.sock"), place.join("data"));
    let arguments = [
        "agent",
        "--cluster",
        cluster,
        "--name",
        name,
        "--bind",
        "127.0.0.1:0",
        "--socket",
        &socket,
        "--data-dir",
        &data,
    ];
    let output = output(muster(&arguments).args(more));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    (output, text)
}

/// An agent `n1` with its data in `data`.
fn started(place: &Place) -> Agent {
    Agent::start_with(place, "n1", &["--data-dir", &place.join("data")])
}

#[test]
fn two_processes_never_have_one_directory_and_the_first_one_goes_on() {
    let place = Place::new();
    let mut one = started(&place);
    let (output, text) = refused(&place, "muster", "n1", &[]);
    assert_eq!(output.status.code(), Some(1), "{text}");
    let holder = format!("is in use by another agent (process {})", one.running.pid());
    assert!(text.contains(&holder), "{text}");
    assert!(text.contains("--data-dir"), "{text}");
    assert!(stdout(&mut one.ask(&["status"])).contains("n1 at "));
    // The lock ends with the process, however that ends.
    signal(one.running.pid(), Signal::KILL);
    one.running.wait();
    drop(started(&place));
}

#[test]
fn a_voter_comes_back_as_the_same_one() {
    let place = Place::new();
    let voter = || {
        let agent = started(&place);
        let line = agent
            .running
            .stdout
            .line("the voter", |line| line.contains("memory-opened"));
        let (_, voter) = line.split_once("voter=").expect("the voter's id");
        voter.to_owned()
    };
    assert_eq!(voter(), voter());
}

#[test]
fn the_directory_of_another_ends_the_agent_with_what_to_do() {
    let place = Place::new();
    drop(started(&place));
    for ((cluster, name), expected) in [
        (
            ("prod", "n1"),
            "that of cluster \"muster\", and this is cluster \"prod\"",
        ),
        (
            ("muster", "n2"),
            "that of member \"n1\", and this is member \"n2\"",
        ),
    ] {
        let (output, text) = refused(&place, cluster, name, &[]);
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn a_damaged_file_ends_the_agent_without_a_panic_and_stays_as_it_is() {
    let place = Place::new();
    drop(started(&place));
    let file = place.path().join("data/voter.redb");
    let whole = fs::read(&file).expect("the store is there");
    let damaged = [
        whole[..whole.len() / 3].to_vec(),
        b"garbage".to_vec(),
        Vec::new(),
    ];
    for bytes in damaged {
        fs::write(&file, &bytes).expect("written");
        let (output, text) = refused(&place, "muster", "n1", &[]);
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains("voter.redb is damaged ("), "{text}");
        assert!(!text.contains("panicked"), "{text}");
        assert_eq!(fs::read(&file).expect("still there"), bytes);
    }
}

#[test]
fn a_member_that_never_votes_takes_no_directory() {
    let place = Place::new();
    let (output, text) = refused(&place, "muster", "n1", &["--non-voting"]);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("contradict"), "{text}");
    assert!(!place.path().join("data").exists());
    let agent = Agent::start_with(&place, "n1", &["--non-voting"]);
    assert!(stdout(&mut agent.ask(&["status"])).contains("non-voting"));
}
