//! Every committed input of the fuzz targets (`tests/fuzz`), once each and without a fuzzer: what
//! was found stays repaired, and the inputs still lead where they did.

use std::fs;
use std::path::PathBuf;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/fuzz")
}

/// The input at work, told when it fails.
struct Told(PathBuf);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the input is {}", self.0.display());
        }
    }
}

fn replay(target: &str, run: fn(&[u8])) {
    let corpus = folder().join("corpus").join(target);
    let entries = fs::read_dir(&corpus).expect("each target has a corpus");
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("the corpus can be read").path())
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "{} is empty", corpus.display());
    for path in paths {
        let input = fs::read(&path).expect("the corpus can be read");
        let _told = Told(path);
        run(&input);
    }
}

/// A test for each target, and the list of all.
macro_rules! targets {
    ($($target:ident: $run:path,)*) => {
        const TARGETS: &[&str] = &[$(stringify!($target)),*];
        $(
            #[test]
            fn $target() {
                replay(stringify!($target), $run);
            }
        )*
    };
}

targets! {
    datagram: muster_swim::fuzz::datagram,
    stream: muster_swim::fuzz::stream,
    handshake: muster_swim::fuzz::handshake,
    node: muster_swim::fuzz::node,
    http: muster_sidecar::fuzz::http,
    scenario: muster_sidecar::fuzz::scenario,
    settings: muster_sidecar::fuzz::settings,
    key_file: muster_sidecar::fuzz::key_file,
}

#[test]
fn no_target_is_left_out() {
    let manifest = fs::read_to_string(folder().join("Cargo.toml")).expect("there is a manifest");
    let bins = manifest.split("[[bin]]").skip(1);
    let names: Vec<&str> = bins.filter_map(|bin| bin.split('"').nth(1)).collect();
    assert_eq!(names, TARGETS);
}
