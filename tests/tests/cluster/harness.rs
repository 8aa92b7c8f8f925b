//! The harness leaves nothing behind.

use std::panic;
use std::process::{self, Command};

use muster_tests::Network;

fn namespaces() -> Vec<String> {
    let output = Command::new("ip").args(["netns", "list"]).output();
    let output = output.expect("`ip` of iproute2 is installed").stdout;
    let text = String::from_utf8_lossy(&output).into_owned();
    text.split_whitespace()
        .filter(|name| name.starts_with("muster-"))
        .map(str::to_owned)
        .collect()
}

fn own() -> usize {
    let prefix = format!("muster-{}-", process::id());
    namespaces()
        .iter()
        .filter(|name| name.starts_with(&prefix))
        .count()
}

#[test]
fn a_network_is_removed_also_after_a_panic() {
    let outcome = panic::catch_unwind(|| {
        let _network = Network::new(2);
        assert_eq!(own(), 3, "two hosts and a switch");
        panic!("as a failing test does");
    });
    let words = outcome.expect_err("it panicked");
    assert_eq!(words.downcast_ref(), Some(&"as a failing test does"));
    assert_eq!(own(), 0, "still there: {:?}", namespaces());
}

#[test]
fn what_a_killed_run_left_is_swept_and_nothing_else() {
    // No process has an id that large.
    let (orphan, stranger) = ("muster-4194305-77-n1", "muster-own-lab");
    for name in [orphan, stranger] {
        let added = Command::new("ip").args(["netns", "add", name]).output();
        assert!(
            added
                .expect("`ip` of iproute2 is installed")
                .status
                .success(),
            "{name}"
        );
    }
    let network = Network::new(1);
    let present = namespaces();
    drop(network);
    let removed = Command::new("ip").args(["netns", "del", stranger]).output();
    assert!(
        removed
            .expect("`ip` of iproute2 is installed")
            .status
            .success()
    );
    assert!(
        !present.iter().any(|name| name == orphan),
        "an orphan stayed: {present:?}"
    );
    assert!(
        present.iter().any(|name| name == stranger),
        "a stranger was swept: {present:?}"
    );
}
