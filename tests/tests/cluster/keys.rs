//! The key of a cluster is changed, and encryption is turned on, while all go on.

use std::fs;
use std::path::PathBuf;

use muster_tests::{Cluster, Options};
use serde_json::Value;

use crate::SOON;

/// The document of `muster keys list` at a host.
fn keys(cluster: &Cluster, number: usize) -> Result<Value, String> {
    let text = cluster
        .host(number)
        .muster(&["keys", "list", "--output", "json"])?;
    serde_json::from_str(&text).map_err(|error| format!("{error}: {text}"))
}

/// The keys of a host, each as its id and state.
fn ring(cluster: &Cluster, number: usize) -> Result<Vec<(String, String)>, String> {
    let keys = keys(cluster, number)?;
    let text = |key: &Value, field: &str| key[field].as_str().unwrap_or_default().to_owned();
    let keys = keys["keys"].as_array().cloned().unwrap_or_default();
    Ok(keys
        .iter()
        .map(|key| (text(key, "id"), text(key, "state")))
        .collect())
}

fn states(cluster: &Cluster, number: usize) -> Result<Vec<String>, String> {
    let ring = ring(cluster, number)?;
    Ok(ring.into_iter().map(|(_, state)| state).collect())
}

fn primary(cluster: &Cluster, number: usize) -> String {
    let ring = ring(cluster, number).unwrap_or_else(|why| cluster.fail(&why));
    ring.into_iter().next().expect("it has keys").0
}

fn is(found: bool, what: impl Into<String>) -> Result<(), String> {
    found.then_some(()).ok_or_else(|| what.into())
}

fn file(cluster: &Cluster, number: usize) -> String {
    fs::read_to_string(cluster.key_file(number)).expect("a key file")
}

/// The folder of a host's key file.
fn folder(cluster: &Cluster, number: usize) -> PathBuf {
    let file = PathBuf::from(cluster.key_file(number));
    file.parent().expect("it stands in a folder").to_owned()
}

fn goes_away(cluster: &mut Cluster, number: usize) {
    cluster.host_mut(number).kill();
    cluster.wait(SOON, "all agree that it is dead", |cluster| {
        cluster.others_agree(&[number], "dead")
    });
}

fn comes_back(cluster: &mut Cluster, number: usize) {
    cluster.start(number);
    cluster.wait_all_see_all();
    cluster.wait_all_agree();
}

#[test]
fn the_key_is_changed_while_all_go_on_and_who_was_away_gets_in_for_the_grace() {
    let mut cluster = Cluster::formed(Options::of(5));
    goes_away(&mut cluster, 5);
    let marks = cluster.marks();
    let first = primary(&cluster, 1);

    // One that cannot keep the new key is named, and nothing is used that it lacks.
    let (there, elsewhere) = (
        folder(&cluster, 4),
        folder(&cluster, 4).with_extension("away"),
    );
    fs::rename(&there, &elsewhere).expect("it can be moved");
    let refused = cluster
        .host(1)
        .muster(&["keys", "rotate", "--timeout", "1s"]);
    fs::rename(&elsewhere, &there).expect("it can be moved");
    let refused = refused.expect_err("not all have it");
    assert!(refused.contains("not taken by n4"), "{refused}");
    assert!(
        refused.contains("run `muster keys rotate` again"),
        "{refused}"
    );
    assert!(cluster.host(4).log_text().contains("keys-not-kept"));
    assert_eq!(primary(&cluster, 1), first);
    // It goes on with the same new key, at another member too.
    let done = cluster.host(2).muster(&["keys", "rotate", "--grace", "1h"]);
    let done = done.unwrap_or_else(|why| cluster.fail(&why));
    assert!(
        done.contains("is under way: it goes on") && done.contains("3/3 removed"),
        "{done}"
    );
    for number in 1..=4 {
        assert_eq!(
            states(&cluster, number),
            Ok(vec!["primary".into(), "retired".into()])
        );
        assert_ne!(primary(&cluster, number), first);
    }
    let told = ["member-dead", "member-unreachable", "member-left"];
    for kind in told {
        assert_eq!(cluster.none_but(&marks, kind, &[]), Ok(()));
    }

    // It was away, has the old key, and is given the ring.
    let old = file(&cluster, 5);
    comes_back(&mut cluster, 5);
    assert_eq!(primary(&cluster, 5), primary(&cluster, 1));
    let text = file(&cluster, 5);
    assert!(
        text != old && text.contains("until="),
        "its key file follows"
    );

    // Another rotation, with a grace that ends before it comes back.
    goes_away(&mut cluster, 5);
    let second = primary(&cluster, 1);
    let done = cluster.host(3).muster(&["keys", "rotate", "--grace", "2s"]);
    done.unwrap_or_else(|why| cluster.fail(&why));
    cluster.wait(SOON, "the old key is gone by itself", |cluster| {
        (1..=4).try_for_each(|number| {
            let ring = ring(cluster, number)?;
            let has = ring.iter().any(|(id, _)| *id == second);
            is(!has, format!("n{number} has it still: {ring:?}"))
        })
    });
    let marks = cluster.marks();
    cluster.start(5);
    cluster.wait(SOON, "both sides say why it does not get in", |cluster| {
        let status = cluster.host(5).status()?;
        let error = status["seeds"][0]["last_error"]
            .as_str()
            .unwrap_or_default();
        is(
            error.contains("away while the key changed"),
            status.to_string(),
        )?;
        let log = |number| cluster.host(number).log_text();
        is(log(5).contains("seed-failed"), "n5 logs nothing")?;
        let warned = (1..=3).any(|number| log(number).contains("stranger-refused"));
        is(warned, "no seed logs it")
    });
    assert_eq!(cluster.not_logged(&marks, "member-up", &[5]).len(), 4);
    // As it is told to do: with the file of another member it gets in.
    cluster.host_mut(5).kill();
    fs::copy(cluster.key_file(1), cluster.key_file(5)).expect("it can be written");
    comes_back(&mut cluster, 5);
}

#[test]
fn encryption_is_turned_on_in_a_cluster_that_runs_as_the_commands_say() {
    let options = Options {
        settings: true,
        ..Options::of(4)
    };
    let mut cluster = Cluster::new(options);
    for number in 1..=4 {
        cluster.write_settings(number, "plaintext = \"send\"\n");
        cluster.start(number);
    }
    cluster.wait_all_see_all();
    cluster.wait_all_agree();
    let marks = cluster.marks();
    let listed = |cluster: &Cluster| cluster.host(1).muster(&["keys", "list"]);
    let says = |cluster: &Cluster, words: &str| {
        let text = listed(cluster)?;
        is(text.contains(words), text.clone())
    };
    assert!(says(&cluster, "give every member the same file with --key-file").is_ok());
    let give = |cluster: &Cluster, number: usize, plaintext: &str| {
        let file = cluster.key_file(number);
        cluster.write_settings(number, &format!("key_file = \"{file}\"\n{plaintext}"));
        cluster.host(number).reload();
    };
    for number in 1..=3 {
        give(&cluster, number, "plaintext = \"send\"\n");
    }
    cluster.wait(SOON, "who lacks the key is named", |cluster| {
        says(cluster, "No answer, or no key of these: n4.")
    });
    give(&cluster, 4, "plaintext = \"send\"\n");
    cluster.wait(SOON, "the next step is told", |cluster| {
        says(
            cluster,
            "All have the key: next give every member plaintext = \"accept\"",
        )
    });
    for number in 1..=4 {
        give(&cluster, number, "plaintext = \"accept\"\n");
    }
    cluster.wait(SOON, "the last step is told", |cluster| {
        says(cluster, "All seal: next take plaintext out")
    });
    for number in 1..=4 {
        give(&cluster, number, "");
    }
    cluster.wait(SOON, "all is sealed", |cluster| {
        says(
            cluster,
            "All traffic between those that answered is sealed.",
        )?;
        is(keys(cluster, 1)?["encrypted"] == true, "not yet")
    });
    // And the key that was known to whoever wrote the files is replaced.
    let done = cluster.host(1).muster(&["keys", "rotate", "--grace", "0s"]);
    done.unwrap_or_else(|why| cluster.fail(&why));
    assert_eq!(states(&cluster, 4), Ok(vec!["primary".into()]));
    for kind in ["member-dead", "member-unreachable", "member-suspect"] {
        assert_eq!(cluster.none_but(&marks, kind, &[]), Ok(()));
    }
    cluster.wait_all_agree();
}
