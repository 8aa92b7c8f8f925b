//! `muster simulate`, as people and scripts use it.

use std::fs;
use std::path::Path;
use std::process::{Output, Stdio};

use crate::harness::{Place, muster, output, stdout};

/// A partition that lasts to the end, and no time to heal: it cannot hold.
const HOPELESS: &str = "\
members = 6
duration = \"30s\"
agree_within = \"1s\"

[settings]
reconnect_interval = \"1h\"

[[step]]
at = \"2s\"
whom = 2
what = \"partition\"
";

fn simulate(words: &[&str]) -> Output {
    output(&mut muster(&[&["simulate"], words].concat()))
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn alone_it_lists_every_scenario_with_a_sentence() {
    let text = stdout(&mut muster(&["simulate"]));
    for name in [
        "quiet",
        "bootstrap",
        "crash",
        "mass-crash",
        "partition",
        "flip-flop",
        "lossy",
        "slow-members",
        "rolling-restart",
        "churn",
    ] {
        let line = text
            .lines()
            .find(|line| line.starts_with(&format!("{name} ")));
        let width = line.map_or(0, |line| line.chars().count());
        assert!((name.len() + 10..=80).contains(&width), "{name}: {text}");
    }
    let json = stdout(&mut muster(&["simulate", "--output", "json"]));
    let json: serde_json::Value = serde_json::from_str(&json).expect("a document");
    assert!(json.as_array().is_some_and(|all| all.len() >= 10));
}

#[test]
fn a_run_gives_a_table_or_a_document_and_the_same_each_time() {
    let words = ["crash", "-n", "8", "--seeds", "2"];
    let first = simulate(&words);
    assert_eq!(first.status.code(), Some(0), "{}", stderr(&first));
    assert_eq!(stderr(&first), "", "no bar where there is no terminal");
    assert_eq!(
        first.stdout,
        simulate(&[&words[..], &["--jobs", "1"]].concat()).stdout
    );
    let json = simulate(&[&words[..], &["--output", "json"]].concat());
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).expect("a document");
    assert_eq!(json["scenario"]["name"], "crash");
    assert_eq!(json["scenario"]["members"], 8);
}

#[test]
fn variables_of_an_agent_do_not_count() {
    let plain = stdout(&mut muster(&[
        "simulate", "quiet", "-n", "3", "--seeds", "1",
    ]));
    let mut command = muster(&["simulate", "quiet", "-n", "3", "--seeds", "1"]);
    command
        .env("MUSTER_PERIOD", "1s")
        .env("MUSTER_CONFIG", "/nowhere.toml");
    assert_eq!(stdout(&mut command), plain);
}

#[test]
fn settings_are_compared_over_the_same_seeds() {
    let place = Place::new();
    let path = place.join("fast.toml");
    fs::write(&path, "name = \"db-1\"\nperiod = \"1s\"\n").expect("room for it");
    let text = stdout(&mut muster(&[
        "simulate",
        "quiet",
        "-n",
        "5",
        "--seeds",
        "1",
        "--compare",
        &path,
    ]));
    assert!(
        text.contains("default") && text.contains("fast.toml"),
        "{text}"
    );
    assert!(text.contains("ratio"), "{text}");
}

#[test]
fn a_violated_property_has_its_status_and_can_be_replayed() {
    let place = Place::new();
    let path = place.join("hopeless.toml");
    fs::write(&path, HOPELESS).expect("room for it");
    let failed = simulate(&[&path, "--seeds", "2"]);
    let text = stderr(&failed);
    assert_eq!(failed.status.code(), Some(1), "{text}");
    assert!(text.contains("seed 1: healing: "), "{text}");
    assert!(
        !failed.stdout.is_empty(),
        "the table is printed all the same"
    );
    let command = text
        .lines()
        .last()
        .and_then(|line| line.split("muster simulate ").nth(1));
    let command = command.expect("it tells how to replay");
    let again = simulate(&command.split(' ').collect::<Vec<_>>());
    let story = String::from_utf8_lossy(&again.stdout).into_owned();
    assert_eq!(again.status.code(), Some(1), "{story}");
    assert!(story.contains("violated: healing: "), "{story}");
    assert!(story.contains("partition at n"), "{story}");
    let (reader, writer) = std::io::pipe().expect("a pipe can be made");
    drop(reader);
    let mut unread = muster(&["simulate", &path, "--seeds", "1"]);
    let unread = output(unread.stdout(writer).stderr(Stdio::piped()));
    assert_eq!(
        unread.status.code(),
        Some(1),
        "also when nobody reads the table"
    );
}

#[test]
fn mistakes_are_told_before_anything_runs() {
    let place = Place::new();
    let path = place.join("bad.toml");
    fs::write(
        &path,
        "members = 5\n[[step]]\nat = \"1s\"\nwhom = \"all\"\nwhat = \"partition\"\n",
    )
    .expect("room for it");
    let bad = simulate(&[&path]);
    assert_eq!(bad.status.code(), Some(2));
    let expected = format!("{path}:4:8: whom is \"all\", nobody would be on the other side");
    assert!(stderr(&bad).contains(&expected), "{}", stderr(&bad));
    assert!(bad.stdout.is_empty());
    for (words, expected) in [
        (&["crsh"][..], "did you mean \"crash\"?"),
        (&["--members", "5"], "which scenario?"),
        (
            &["crash", "--period", "1us"],
            "--period: period is \"1us\", allowed is 100ms to 1m",
        ),
        (&["crash", "--rigns", "2"], "--rings"),
        (&["crash", "--seeds", "none"], "1 to 100000"),
        (&["crash", "--socket", "/x"], "asks no agent"),
    ] {
        let refused = simulate(words);
        let text = stderr(&refused);
        assert_eq!(refused.status.code(), Some(2), "{words:?}: {text}");
        assert!(text.contains(expected), "{words:?}: {text}");
        assert!(refused.stdout.is_empty(), "{words:?}");
    }
}

#[test]
fn a_reader_that_goes_away_is_not_an_error() {
    for words in [
        &["simulate"][..],
        &["simulate", "quiet", "-n", "3", "--seeds", "1"],
        &["simulate", "quiet", "-n", "3", "--replay", "1"],
    ] {
        let (reader, writer) = std::io::pipe().expect("a pipe can be made");
        drop(reader);
        let output = output(muster(words).stdout(writer).stderr(Stdio::piped()));
        assert!(output.status.success(), "{words:?}: {}", stderr(&output));
        assert_eq!(stderr(&output), "", "{words:?}");
    }
}

#[test]
fn every_example_of_a_scenario_runs_and_all_that_must_hold_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/scenarios");
    let entries = fs::read_dir(folder).expect("there are examples");
    let paths = entries.map(|entry| entry.expect("it can be read").path());
    let files: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|is| is == "toml"))
        .collect();
    assert!(files.len() >= 5, "{files:?}");
    for file in files {
        let path = file.display().to_string();
        let run = simulate(&[&path, "--seeds", "1"]);
        assert_eq!(run.status.code(), Some(0), "{path}: {}", stderr(&run));
    }
}

#[test]
fn the_example_of_the_readme_is_one_of_them() {
    let sidecar = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = |path| fs::read_to_string(sidecar.join(path)).expect("it is there");
    let example = text("examples/scenarios/our-network.toml");
    let (comment, example) = example.split_once('\n').expect("it has lines");
    assert!(comment.starts_with('#'));
    assert!(text("../README.md").contains(&format!("```toml\n{example}```")));
}
