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

fn validate(version: &str) -> Command {
    let mut validate = python("kubernetes-validate");
    validate.args(["--strict", "--kubernetes-version", version]);
    validate
}

#[test]
fn kubernetes_takes_the_manifests() {
    for version in VERSIONS {
        let verdicts = succeed(validate(version).args(manifests()));
        for resource in [
            "service/muster",
            "statefulset/app",
            "service/muster-nodes",
            "daemonset/muster-nodes",
        ] {
            let passed = format!("passed for resource {resource} against version {version}");
            assert!(verdicts.contains(&passed), "no {passed:?} in {verdicts}");
        }
    }
}

#[test]
fn a_manifest_with_a_mistake_would_be_found() {
    let folder = tempfile::tempdir().expect("the temporary folder can be written");
    let path = folder.path().join("mistake.yaml");
    for (right, wrong) in [
        ("livenessProbe:", "livenesProbe:"),
        ("periodSeconds: 10", "periodSeconds: ten"),
    ] {
        let good = fs::read_to_string(&manifests()[0]).expect("it can be read");
        let bad = good.replace(right, wrong);
        assert_ne!(good, bad);
        fs::write(&path, bad).expect("the folder can be written");
        let output = validate(VERSIONS[0]).arg(&path).output();
        assert!(
            !output.expect("it is installed").status.success(),
            "{wrong}"
        );
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
