//! What lies where.

use crate::files;

/// What may lie in the root; names that begin with a dot besides.
const ROOT: [&str; 15] = [
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "SECURITY.md",
    "bindings",
    "clippy.toml",
    "deny.toml",
    "ffi",
    "sidecar",
    "swim",
    "tests",
];

/// Made by tools, never part of the project.
const BUILT: [&str; 1] = ["target"];

#[test]
fn the_root_holds_only_what_belongs_there() {
    let allowed = |name: &str| {
        let lints = name == "rustfmt.toml";
        lints || name.starts_with('.') || ROOT.contains(&name) || BUILT.contains(&name)
    };
    let complaints: Vec<String> = files::root_names()
        .into_iter()
        .filter(|name| !allowed(name))
        .collect();
    files::none("these do not belong in the root", &complaints);
}

#[test]
fn the_root_tells_what_a_reader_looks_for() {
    let names = files::root_names();
    let wanted = [
        "README.md",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "LICENSE-APACHE",
        "LICENSE-MIT",
    ];
    let missing = |name: &&str| !names.iter().any(|present| present == name);
    let complaints: Vec<String> = wanted
        .into_iter()
        .filter(missing)
        .map(str::to_owned)
        .collect();
    files::none("missing from the root", &complaints);
}

/// Packages are named, never the host that serves them: that is for each machine to say.
#[test]
fn no_file_names_the_host_of_a_registry() {
    let hosts = [
        ["index.crates", "io"],
        ["static.crates", "io"],
        ["pypi", "org"],
        ["pythonhosted", "org"],
        ["registry.npmjs", "org"],
        ["deb.debian", "org"],
        ["proxy.golang", "org"],
    ]
    .map(|parts| parts.join("."));
    let mut complaints = Vec::new();
    for file in files::all() {
        let named = hosts.iter().find(|host| file.text.contains(host.as_str()));
        complaints.extend(named.map(|host| format!("{}: {host}", file.path)));
    }
    files::none("hosts of registries", &complaints);
}

/// Only the crate that an agent is built from decides; it must not see what a replay cannot.
#[test]
fn the_core_depends_on_nothing_that_touches_the_world() {
    let files = files::all();
    let manifest = files.iter().find(|file| file.path == "swim/Cargo.toml");
    let manifest = &manifest.expect("the core has a manifest").text;
    let start = manifest
        .find("\n[dependencies]")
        .expect("the core has dependencies");
    let section = manifest[start + 1..]
        .split("\n[")
        .next()
        .unwrap_or_default();
    let banned = [
        "smol",
        "socket2",
        "rustix",
        "libc",
        "tokio",
        "mio",
        "getrandom",
        "chrono",
    ];
    let complaints: Vec<String> = section
        .lines()
        .filter(|line| {
            banned
                .iter()
                .any(|name| line.split([' ', '.', '=']).next() == Some(name))
        })
        .map(str::to_owned)
        .collect();
    files::none("dependencies that the core must not have", &complaints);
}
