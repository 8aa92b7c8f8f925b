//! One real sidecar beside the programs of those who operate it: a scraper, a fuzzer of its API, a
//! supervisor, and what checks manifests.
//!
//! `tests/run deploy` installs what these need, and says where Python's packages are
//! (`MUSTER_PYTHON`, a folder with programs).

mod agent;
mod api;
mod http;
mod manifests;
mod metrics;
mod supervisor;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

/// For what takes seconds on an idle machine.
const SOON: Duration = Duration::from_secs(60);

/// The root of the project.
fn root() -> PathBuf {
    let parent = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    parent.expect("the crate lies in the workspace").to_owned()
}

/// A program of a Python package.
fn python(program: &str) -> Command {
    let folder = std::env::var_os("MUSTER_PYTHON");
    let folder = folder.expect("MUSTER_PYTHON names the programs of Python: `tests/run deploy`");
    Command::new(Path::new(&folder).join(program))
}

/// Runs a command that must succeed; gives back what it printed.
fn succeed(command: &mut Command) -> String {
    let Output {
        status,
        stdout,
        stderr,
    } = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}; `tests/run deploy` installs it"));
    let text = [stdout, stderr].map(|part| String::from_utf8_lossy(&part).into_owned());
    assert!(
        status.success(),
        "{command:?} ended with {status}:\n{}",
        text.concat()
    );
    text.concat()
}
