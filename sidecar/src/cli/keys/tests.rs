//! How far a rotation is, who is behind, and how the keys are shown.

use super::rotate::{Laggard, Start, Step, is_overtaken, is_second, is_split, laggards, start};
use super::*;
use crate::api::model;

/// Keys as `STATE id`, and members as `name plaintext`.
fn keys(generation: u64, keys: &[&str], members: &[&str], unanswered: &[&str]) -> Keys {
    let names: Vec<String> = members
        .iter()
        .map(|member| member.split(' ').next().expect("a name").to_owned())
        .collect();
    let key = |text: &&str| {
        let (state, id) = text.split_once(' ').expect("state and id");
        let until = (state == "retired").then(|| "2020-01-02T03:04:05.000Z".to_owned());
        let used_by = match state {
            "primary" => names.clone(),
            _ => Vec::new(),
        };
        model::Key {
            id: id.to_owned(),
            state: state.to_owned().into(),
            until,
            held_by: names.clone(),
            used_by,
        }
    };
    let member = |text: &&str| {
        let (name, plaintext) = text.split_once(' ').unwrap_or((text, "refuse"));
        model::KeyMember {
            name: name.to_owned(),
            generation,
            plaintext: plaintext.to_owned().into(),
        }
    };
    Keys {
        name: "n1".to_owned(),
        encrypted: true,
        plaintext: "refuse".into(),
        generation,
        keys: keys.iter().map(key).collect(),
        members: members.iter().map(member).collect(),
        unanswered: unanswered.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn a_rotation_goes_on_where_the_ring_says_it_is() {
    let with = |id: &str| Ok(Start::With(id.to_owned()));
    for (generation, ring, given, expected) in [
        (0, &["primary a"][..], None, Ok(Start::Fresh)),
        (4, &["primary a", "retired b"], None, Ok(Start::Fresh)),
        // Added, then interrupted.
        (1, &["primary a", "new b"], None, with("b")),
        (5, &["primary a", "retired c", "new b"], None, with("b")),
        // Used, then interrupted.
        (2, &["primary b", "old a"], None, with("b")),
        // A file with two keys, made by hand: both go.
        (0, &["primary b", "old a"], None, Ok(Start::Fresh)),
        // With a key of one's own.
        (1, &["primary a"], Some("b"), Ok(Start::Fresh)),
        (1, &["primary a", "new b"], Some("b"), with("b")),
        (2, &["primary b", "old a"], Some("b"), with("b")),
        (2, &["primary a", "retired b"], Some("b"), Ok(Start::Fresh)),
    ] {
        let ring = keys(generation, ring, &["n1"], &[]);
        assert_eq!(start(&ring, given), expected, "{ring:?} {given:?}");
    }
    let other = start(&keys(1, &["primary a", "new c"], &["n1"], &[]), Some("b"));
    let text = other.expect_err("another one is under way");
    assert!(
        text.contains("rotation to key c") && text.contains("keys remove c"),
        "{text}"
    );
    // Begun at two members at once: all go on with the one that came first.
    let several = keys(1, &["primary a", "new c", "new b"], &["n1"], &[]);
    assert_eq!(start(&several, None), with("c"));
    assert!(start(&several, Some("b")).is_err());
}

#[test]
fn a_rotation_sees_when_another_one_goes_past_it() {
    for (ring, while_added, while_used) in [
        (&["primary a", "new b"][..], false, true),
        (&["primary b", "old a"], false, false),
        (&["primary c", "old b"], false, true),
        (&["primary c", "retired b"], true, true),
        (&["primary a", "new c", "elsewhere b"], true, true),
        (&["primary a", "new c"], true, true),
    ] {
        let ring = keys(2, ring, &["n1"], &[]);
        assert_eq!(is_overtaken(&ring, "b", Step::Add), while_added, "{ring:?}");
        assert_eq!(is_overtaken(&ring, "b", Step::Use), while_used, "{ring:?}");
    }
}

#[test]
fn of_two_rotations_at_once_one_insists_first() {
    let ring = |other: &str| keys(2, &["primary a", "new m", other], &["n1", "n2"], &[]);
    assert!(is_second(&ring("elsewhere b"), "m"));
    assert!(!is_second(&ring("elsewhere z"), "m"));
    let is_done = |member: &model::KeyMember| member.name == "n1";
    let mut split = ring("elsewhere b");
    assert!(is_split(&split, is_done));
    // Who is behind, as it could not write its file, gets nothing from being told again.
    split.members[1].generation = 1;
    assert!(!is_split(&split, is_done));
}

#[test]
fn who_is_behind_is_told_from_who_says_nothing() {
    let ring = keys(1, &["primary a"], &["n1", "n2"], &["n3"]);
    let behind = laggards(&ring, |member| member.name == "n1");
    assert_eq!(
        behind,
        [
            Laggard::Silent("n3".to_owned()),
            Laggard::Without("n2".to_owned())
        ]
    );
}

#[test]
fn keys_are_a_table_with_what_comes_next() {
    let mut ring = keys(
        7,
        &["primary aa", "retired bb", "new cc"],
        &["n1", "n2"],
        &["n3"],
    );
    ring.keys[2].held_by.pop();
    assert_eq!(
        show::lines(&ring, Look::PLAIN),
        [
            "KEY  STATE    HELD BY  SEALS AT  FORGOTTEN",
            "aa   primary  2 of 3   2 of 3    -",
            "bb   retired  2 of 3   -         in 0s",
            "cc   new      1 of 3   -         -",
            "",
            "No answer, or no key of these: n3.",
            "Without key cc: n2.",
            "All traffic between those that answered is sealed.",
        ]
    );
}

#[test]
fn while_encryption_is_turned_on_the_next_step_is_told() {
    let next = |members: &[&str], unanswered: &[&str]| {
        let ring = keys(0, &["primary a"], members, unanswered);
        show::lines(&ring, Look::PLAIN).pop().expect("a line")
    };
    let said = next(&["n1 send", "n2 send"], &["n3"]);
    assert!(
        said.contains("n1, n2. Next give the others the key"),
        "{said}"
    );
    let said = next(&["n1 send", "n2 accept"], &[]);
    assert!(
        said.contains("n1. All have the key: next") && said.contains("\"accept\""),
        "{said}"
    );
    let said = next(&["n1 refuse", "n2 accept"], &[]);
    assert!(
        said.contains("n2. All seal: next take plaintext out"),
        "{said}"
    );
    assert!(next(&["n1 accept"], &["n2"]).contains("Wait for those that do not answer"));
    assert!(next(&["n1", "n2"], &[]).starts_with("All traffic"));
    let none = show::lines(&keys(0, &[], &[], &[]), Look::PLAIN);
    assert!(
        none.len() == 1 && none[0].contains("--key-file"),
        "{none:?}"
    );
    let many: Vec<String> = (1..=10).map(|number| format!("n{number}")).collect();
    let many = show::names(many.iter().map(String::as_str));
    assert!(many.ends_with("n8 and 2 more"), "{many}");
}

#[test]
fn a_key_is_no_argument_and_is_not_said_again() {
    let secret = "q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k=";
    let with_slash = "./q83vASNFZ4mrze8BI0VniavN7w/jRWeJq83vASNFZ4k=";
    let mut errors: Vec<String> = [
        secret,
        "./q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k",
        with_slash,
    ]
    .into_iter()
    .chain([
        "/etc/q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k=",
        "././q83vASNFZ4mrze8BI0VniavN7w/jRWeJq83vASNFZ4k=",
    ])
    .map(|text| check_file(Path::new(text)).expect_err(text).to_string())
    .collect();
    errors.push(id(secret).expect_err("a key").to_string());
    for error in errors {
        assert!(
            !error.contains("q83v") && error.contains("others may have seen it"),
            "{error}"
        );
    }
    for name in ["keys", "./keys", "/etc/muster/keys", "-"] {
        assert!(check_file(Path::new(name)).is_ok());
    }
    assert!(id("0123456789abcdef").is_ok() && id("keys").is_err());
}
