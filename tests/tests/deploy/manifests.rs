//! The manifests of Kubernetes are valid, ask for no rights, and name settings that there are.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use muster_tests::muster_binary;

use crate::{python, root, succeed};

/// Kubernetes of the year in which native sidecars became usual, and a later one.
const VERSIONS: [&str; 2] = ["1.29", "1.34"];

fn manifests() -> Vec<PathBuf> {
    let folder = fs::read_dir(root().join("sidecar/deploy/kubernetes")).expect("a folder");
    let paths: Vec<PathBuf> = folder.flatten().map(|entry| entry.path()).collect();
    assert_eq!(paths.len(), 2, "{paths:?}");
    paths
}

#[test]
fn kubernetes_takes_the_manifests() {
    for version in VERSIONS {
        let mut validate = python("kubernetes-validate");
        validate.args(["--strict", "--version", version]);
        succeed(validate.args(manifests()));
    }
}

#[test]
fn the_manifests_ask_for_no_rights() {
    for path in manifests() {
        let text = fs::read_to_string(&path).expect("it can be read");
        for wanted in [
            "automountServiceAccountToken: false",
            "allowPrivilegeEscalation: false",
            "readOnlyRootFilesystem: true",
            "capabilities: { drop: [ALL] }",
            "livenessProbe:",
        ] {
            assert!(text.contains(wanted), "{}: no {wanted:?}", path.display());
        }
        for unwanted in ["kind: Role", "serviceAccountName", "privileged: true"] {
            assert!(!text.contains(unwanted), "{}: {unwanted:?}", path.display());
        }
    }
}

/// Every variable `MUSTER_…` of a text.
fn variables(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_uppercase() && c != '_');
    let named = words.filter(|word| word.starts_with("MUSTER_"));
    named.map(str::to_owned).collect()
}

#[test]
fn manifests_and_compose_name_settings_that_there_are() {
    let help = succeed(Command::new(muster_binary()).args(["agent", "--help"]));
    let known = variables(&help);
    // What the compose file and the commands take beside the settings.
    let others = ["MUSTER_IMAGE", "MUSTER_SOCKET"];
    let compose = root().join("sidecar/deploy/compose/compose.yaml");
    for path in manifests().into_iter().chain([compose]) {
        let text = fs::read_to_string(&path).expect("it can be read");
        let named = variables(&text);
        assert!(named.len() > 5, "{named:?}");
        let unknown: Vec<_> = named
            .difference(&known)
            .filter(|name| !others.contains(&name.as_str()))
            .collect();
        assert!(unknown.is_empty(), "{}: {unknown:?}", path.display());
    }
}
