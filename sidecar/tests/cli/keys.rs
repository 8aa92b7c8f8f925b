//! The keys of a cluster, by command.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use rustix::process::Signal;

use crate::harness::{Agent, Place, Running, muster, output, signal, stdout, wait_for};

const SECRET: &str = "q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k=";

fn generate(path: &str) {
    stdout(&mut muster(&["keys", "generate", path]));
}

/// An agent alone with a key file in a folder of its own, which may be taken away.
fn sealed(place: &Place) -> (Agent, String) {
    fs::create_dir(place.join("etc")).expect("a folder");
    let file = place.join("etc/keys");
    generate(&file);
    (Agent::start_with(place, "n1", &["--key-file", &file]), file)
}

fn list(agent: &Agent) -> Value {
    let text = stdout(&mut agent.ask(&["keys", "list", "--output", "json"]));
    serde_json::from_str(&text).expect("a document")
}

fn states(keys: &Value) -> Vec<String> {
    let keys = keys["keys"].as_array().expect("a list");
    keys.iter()
        .map(|key| key["state"].as_str().expect("a word").to_owned())
        .collect()
}

fn id(keys: &Value, at: usize) -> String {
    keys["keys"][at]["id"].as_str().expect("an id").to_owned()
}

fn refused(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{text}");
    text
}

fn with_input(command: &mut Command, text: &str) -> Output {
    let command = command.stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.stdout(Stdio::piped()).spawn().expect("it starts");
    let mut stdin = process.stdin.take().expect("it was asked for");
    stdin.write_all(text.as_bytes()).expect("it reads");
    drop(stdin);
    process.wait_with_output().expect("it ends")
}

#[test]
fn a_key_is_added_from_standard_input_used_and_removed_and_the_file_follows() {
    let place = Place::new();
    let (agent, file) = sealed(&place);
    let before = fs::read_to_string(&file).expect("a key file");
    let added = with_input(&mut agent.ask(&["keys", "add", "-"]), SECRET);
    let said = String::from_utf8_lossy(&added.stdout).into_owned();
    assert!(
        added.status.success() && said.contains("new      1 of 1"),
        "{added:?}"
    );
    let keys = list(&agent);
    assert_eq!(states(&keys), ["primary", "new"]);
    assert_eq!(keys["encrypted"], true);
    let (old, new) = (id(&keys, 0), id(&keys, 1));
    stdout(&mut agent.ask(&["keys", "use", &new]));
    let refusal = refused(&output(&mut agent.ask(&["keys", "remove", &new])));
    assert!(refusal.contains("is the primary one"), "{refusal}");
    stdout(&mut agent.ask(&["keys", "remove", &old, "--grace", "1h"]));
    assert_eq!(states(&list(&agent)), ["primary", "retired"]);
    let text = fs::read_to_string(&file).expect("a key file");
    assert!(text.contains(SECRET) && text.contains(before.trim()) && text.contains("until="));
    let mode = fs::metadata(&file).expect("it is there").mode() & 0o777;
    assert_eq!(mode, 0o600);
    stdout(&mut agent.ask(&["keys", "remove", &old, "--grace", "0s"]));
    let text = fs::read_to_string(&file).expect("a key file");
    assert!(text.contains(SECRET) && !text.contains(before.trim()));
    let listed = stdout(&mut muster(&["keys", "list", &file]));
    assert_eq!(listed, format!("{new}  seals and opens\n"));
    let log = agent.running.stdout.get() + &agent.running.stderr.get();
    assert!(
        !log.contains(SECRET) && !log.contains(before.trim()),
        "{log}"
    );
    assert!(log.contains("keys-kept") && log.contains(&new), "{log}");
}

#[test]
fn a_rotation_replaces_the_key_and_one_that_was_interrupted_goes_on() {
    let place = Place::new();
    let (agent, _) = sealed(&place);
    let first = id(&list(&agent), 0);
    let said = stdout(&mut agent.ask(&["keys", "rotate"]));
    for line in [
        "1/3 added: all 1",
        "2/3 used: all 1",
        "3/3 removed: members that are away now",
    ] {
        assert!(said.contains(line), "{said}");
    }
    let keys = list(&agent);
    assert_eq!(states(&keys), ["primary", "retired"]);
    let second = id(&keys, 0);
    assert_eq!(id(&keys, 1), first);
    // Interrupted after the first step, and again after the second one.
    with_input(&mut agent.ask(&["keys", "add", "-"]), SECRET);
    let third = id(&list(&agent), 1);
    let third = if third == first {
        id(&list(&agent), 2)
    } else {
        third
    };
    let said = stdout(&mut agent.ask(&["keys", "rotate", "--grace", "2h"]));
    assert!(
        said.starts_with(&format!("A rotation to key {third} is under way")),
        "{said}"
    );
    let keys = list(&agent);
    assert_eq!(id(&keys, 0), third);
    assert_eq!(states(&keys), ["primary", "retired", "retired"]);
    stdout(&mut agent.ask(&["keys", "use", &second]));
    let said = stdout(&mut agent.ask(&["keys", "rotate"]));
    assert!(
        said.starts_with(&format!("A rotation to key {second} is under way")),
        "{said}"
    );
    assert_eq!(states(&list(&agent)), ["primary", "retired", "retired"]);
}

/// Two agents that know each other, each with its own file of one key.
fn two_sealed(place: &Place) -> [Agent; 2] {
    let files = ["one", "two"].map(|name| {
        fs::create_dir(place.join(name)).expect("a folder");
        place.join(&format!("{name}/keys"))
    });
    generate(&files[0]);
    fs::copy(&files[0], &files[1]).expect("a folder of ours");
    let first = Agent::start_with(place, "n1", &["--key-file", &files[0]]);
    let status = stdout(&mut first.ask(&["status", "--output", "json"]));
    let status: Value = serde_json::from_str(&status).expect("a document");
    let seed = status["addr"].as_str().expect("an address");
    let more = ["--key-file", &files[1], "--join", seed];
    let second = Agent::start_with(place, "n2", &more);
    let both = || list(&first)["members"].as_array().map(Vec::len) == Some(2);
    wait_for("a cluster of two", String::new, || both().then_some(()));
    [first, second]
}

#[test]
fn of_two_rotations_at_once_one_is_gone_through_with_and_the_other_joins_it() {
    let place = Place::new();
    let agents = two_sealed(&place);
    for _ in 0..4 {
        let before = id(&list(&agents[0]), 0);
        let running = agents
            .each_ref()
            .map(|agent| Running::start(&mut agent.ask(&["keys", "rotate", "--grace", "0s"])));
        for mut rotation in running {
            let status = rotation.wait();
            let said = rotation.stdout.get() + &rotation.stderr.get();
            assert!(status.success() && said.contains("key"), "{said}");
        }
        let after = agents.each_ref().map(list);
        let ids = after.each_ref().map(|keys| id(keys, 0));
        assert!(ids[0] == ids[1] && ids[0] != before, "{after:?}");
        stdout(&mut agents[1].ask(&["keys", "rotate", "--grace", "0s"]));
        assert_eq!(states(&list(&agents[0])), ["primary"]);
    }
}

#[test]
fn a_file_that_an_operator_edits_is_not_overwritten() {
    let place = Place::new();
    let (agent, file) = sealed(&place);
    let edited = fs::read_to_string(&file).expect("a key file") + SECRET;
    fs::write(&file, &edited).expect("it is ours");
    let refusal = refused(&output(&mut agent.ask(&["keys", "rotate"])));
    assert!(refusal.contains("could not be written"), "{refusal}");
    let line = |word: &str| {
        let log = &agent.running.stdout;
        log.line("its log", |line| line.contains(word))
    };
    assert!(line("keys-not-kept").contains("kill -HUP"));
    assert_eq!(fs::read_to_string(&file).expect("a key file"), edited);
    signal(agent.running.pid(), Signal::HUP);
    line("settings-reloaded");
    assert_eq!(states(&list(&agent)), ["primary", "old"]);
    stdout(&mut agent.ask(&["keys", "rotate"]));
    let text = fs::read_to_string(&file).expect("a key file");
    assert!(text.contains(SECRET), "it still opens");
    // A pipe in its place is told as one, and stops nobody.
    fs::remove_file(&file).expect("it is ours");
    let rights = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    let pipe = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, &file, pipe, rights, 0).expect("a pipe");
    signal(agent.running.pid(), Signal::HUP);
    assert!(line("settings-refused").contains("is a named pipe"));
    stdout(&mut agent.ask(&["keys", "list"]));
}

#[test]
fn an_agent_that_cannot_write_its_key_file_says_so_and_changes_nothing() {
    let place = Place::new();
    let (agent, file) = sealed(&place);
    let before = list(&agent);
    fs::rename(place.join("etc"), place.join("elsewhere")).expect("it can be moved");
    let refusal = refused(&output(&mut agent.ask(&["keys", "rotate"])));
    assert!(
        refusal.contains("the key file could not be written"),
        "{refusal}"
    );
    assert_eq!(list(&agent), before);
    let line = agent
        .running
        .stdout
        .line("its log", |line| line.contains("keys-not-kept"));
    assert!(
        line.contains(&file) && line.contains("let this agent write the file"),
        "{line}"
    );
    fs::rename(place.join("elsewhere"), place.join("etc")).expect("it can be moved");
    stdout(&mut agent.ask(&["keys", "rotate"]));
}

#[test]
fn a_cluster_without_keys_is_told_how_to_get_some() {
    let place = Place::new();
    let agent = Agent::start(&place, "n1");
    assert!(stdout(&mut agent.ask(&["keys", "list"])).contains("plaintext = \"send\""));
    assert_eq!(list(&agent)["keys"], serde_json::json!([]));
    let refusal = refused(&output(&mut agent.ask(&["keys", "rotate"])));
    assert!(refusal.contains("Nothing is sealed here"), "{refusal}");
    let refusal = refused(&with_input(&mut agent.ask(&["keys", "add", "-"]), SECRET));
    assert!(
        refusal.contains("has no key") && !refusal.contains(SECRET),
        "{refusal}"
    );
}

#[test]
fn keys_in_arguments_and_in_wrong_files_are_refused_and_not_said_again() {
    let place = Place::new();
    for line in [
        "keys generate",
        "keys add",
        "keys rotate",
        "keys list",
        "keys use",
        "keys remove",
        "agent --key-file",
    ] {
        let mut arguments: Vec<&str> = line.split(' ').collect();
        arguments.push(SECRET);
        let text = refused(&output(&mut muster(&arguments)));
        assert!(
            text.contains("others") && !text.contains(SECRET),
            "{line}: {text}"
        );
    }
    let open = place.join("open");
    fs::write(&open, SECRET).expect("it can be written");
    fs::set_permissions(&open, fs::Permissions::from_mode(0o644)).expect("it is ours");
    let text = refused(&output(&mut muster(&["keys", "add", &open])));
    assert!(
        text.contains("chmod 600") && !text.contains(SECRET),
        "{text}"
    );
    let (one, two) = (place.join("one"), place.join("two"));
    generate(&one);
    let both = fs::read_to_string(&one).expect("a key") + SECRET;
    fs::write(&two, both).expect("it can be written");
    fs::set_permissions(&two, fs::Permissions::from_mode(0o600)).expect("it is ours");
    let text = refused(&output(&mut muster(&["keys", "rotate", &two])));
    assert!(text.contains("has 2 keys"), "{text}");
}
