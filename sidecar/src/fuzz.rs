//! What the fuzz targets call (`tests/fuzz` of the source): any bytes are taken, and what must hold
//! of every input is asserted.

use std::fs::{File, Permissions};
use std::io::Write as _;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;

use muster_swim::{KeyId, KeyInfo, Keyring};
use rustix::fs::{MemfdFlags, memfd_create};

use crate::agent::{Clock, KeyFileError, read_keys, render_keys};
use crate::settings::{Flags, Problem, Settings, SettingsError};
use crate::{api, cli};

/// A connection of the local socket or of the TCP address: the first byte says who asks, the second
/// in which pieces the rest comes.
pub fn http(input: &[u8]) {
    api::fuzz::connection(input);
}

/// A scenario file: read and checked, not run.
pub fn scenario(input: &[u8]) {
    let file = Text::new(input);
    match cli::check_only(&file.path) {
        Ok(scenario) => assert_eq!(scenario.check(), [], "it was taken"),
        Err(problems) => can_be_found(&problems, input),
    }
}

/// The settings file of an agent.
pub fn settings(input: &[u8]) {
    let file = Text::new(input);
    match Settings::load_with(Flags::of_file((&file.path).into()), |_| None) {
        Ok(settings) => {
            assert_eq!(settings.swim.check(), [], "they were taken");
            settings.doubts();
            let again = settings.reload().expect("the file is the same");
            assert_eq!(format!("{again:?}"), format!("{settings:?}"));
        }
        Err(SettingsError(problems)) => can_be_found(&problems, input),
    }
}

/// A key file.
pub fn key_file(input: &[u8]) {
    let (file, clock) = (Text::new(input), Clock::start());
    match read_keys(file.path.as_ref(), &clock) {
        Ok(ring) => {
            let text = render_keys(&ring, &clock);
            let file = Text::new(text.as_bytes());
            let again = read_keys(file.path.as_ref(), &clock).expect("what is written can be read");
            assert_eq!(outline(&again), outline(&ring));
        }
        Err(
            KeyFileError::Line { line, .. }
            | KeyFileError::Generation { line, .. }
            | KeyFileError::Words { line, .. },
        ) => {
            assert!(line <= input.split(|byte| *byte == b'\n').count());
        }
        Err(KeyFileError::TooLong { .. }) => assert!(input.len() > 16 * 1024),
        Err(
            error @ (KeyFileError::Unreadable { .. }
            | KeyFileError::NoFile { .. }
            | KeyFileError::Open { .. }),
        ) => {
            let is_text = std::str::from_utf8(input).is_ok();
            assert!(!is_text, "a text can be read: {error}");
        }
    }
}

/// A ring but for the times, which are read off a clock that goes on.
fn outline(ring: &Keyring) -> (u64, Vec<(KeyId, bool, bool)>) {
    let key = |info: KeyInfo| (info.id, info.until.is_some(), info.is_new);
    let keys = ring.infos().map(key);
    (ring.generation(), keys.collect())
}

/// There is something wrong, and every place that is named is in the file.
fn can_be_found(problems: &[Problem], input: &[u8]) {
    let lines = input.split(|byte| *byte == b'\n').count();
    assert!(!problems.is_empty(), "it was refused for nothing");
    for problem in problems {
        let (line, _) = problem.position();
        assert!(line <= lines || line == usize::MAX, "{problem}");
        assert!(!problem.to_string().is_empty());
    }
}

/// A file that is nowhere but in memory.
struct Text {
    path: String,
    _file: File,
}

impl Text {
    fn new(text: &[u8]) -> Text {
        let file = memfd_create("fuzz", MemfdFlags::CLOEXEC).expect("memory for a file");
        let mut file = File::from(file);
        file.write_all(text).expect("memory for a file");
        file.set_permissions(Permissions::from_mode(0o600))
            .expect("it is ours");
        Text {
            path: format!("/proc/self/fd/{}", file.as_raw_fd()),
            _file: file,
        }
    }
}
