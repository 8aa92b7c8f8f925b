//! The files of the project, and how a test reports what it found in them.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders that hold what is built or fetched.
const SKIPPED: [&str; 5] = [".git", "target", "node_modules", "__pycache__", ".venv"];

/// One text file.
pub(crate) struct File {
    /// Its path from the root of the project, with `/`.
    pub(crate) path: String,
    /// What it holds.
    pub(crate) text: String,
}

impl File {
    /// Whether its name ends so.
    pub(crate) fn is(&self, ending: &str) -> bool {
        self.path.ends_with(ending)
    }

    /// Whether it holds Rust that only tests run.
    pub(crate) fn is_rust_test(&self) -> bool {
        let in_folder = |folder: &str| self.path.split('/').any(|part| part == folder);
        self.is(".rs") && (in_folder("tests") || in_folder("benches") || self.is("/tests.rs"))
    }
}

/// The root of the project.
pub(crate) fn root() -> PathBuf {
    let parent = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    parent
        .expect("the crate of the tests lies in the workspace")
        .to_owned()
}

/// Every text file of the project, in the order of their paths.
pub(crate) fn all() -> Vec<File> {
    let mut files = Vec::new();
    collect(&root(), "", &mut files);
    assert!(
        files.len() > 20,
        "this walked past the project: {} files",
        files.len()
    );
    files
}

/// The names in the root folder.
pub(crate) fn root_names() -> Vec<String> {
    let entries = fs::read_dir(root()).expect("the root can be read");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("the root can be read").file_name())
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// Fails with the whole list when there is any complaint.
pub(crate) fn none(what: &str, complaints: &[String]) {
    let list = complaints.join("\n  ");
    assert!(complaints.is_empty(), "{what}:\n  {list}");
}

fn collect(folder: &Path, prefix: &str, files: &mut Vec<File>) {
    let entries = fs::read_dir(folder).expect("the project can be read");
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("the project can be read").path())
        .collect();
    paths.sort();
    for path in paths {
        let name = path
            .file_name()
            .expect("an entry of a folder has a name")
            .to_string_lossy();
        let relative = format!("{prefix}{name}");
        if path.is_symlink() || SKIPPED.contains(&name.as_ref()) {
            continue;
        }
        if path.is_dir() {
            collect(&path, &format!("{relative}/"), files);
        } else if let Ok(text) = fs::read_to_string(&path) {
            files.push(File {
                path: relative,
                text,
            });
        }
    }
}
