//! The key file: read at the start and when a reload is asked for, replaced when the keys of the
//! cluster change.
//!
//! One key in each line, in base64, the one that seals first; `until=SECONDS` behind a key is the
//! Unix time at which it is forgotten. A line that begins with `#` says nothing, but `# generation
//! N`, which counts the changes.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use muster_swim::{Key, KeyError, Keyring, Time};
use zeroize::Zeroizing;

use super::Clock;

/// Longest key file: eight keys and some remarks.
const FILE_BYTES: u64 = 16 * 1024;

const GENERATION: &str = "# generation ";

/// A key file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It cannot be read.
    #[error("cannot read the key file {path}: {error}; `muster keys generate` makes a key")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Others can read it.
    #[error(
        "the key file {path} can be read by everybody or changed by others (mode {mode:04o}): run \
         `chmod 600` on it, and make new keys if anybody may have read it"
    )]
    Open {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// What stands in it is no ring. Never says what.
    #[error("{path}:{line}: {error}")]
    Line {
        /// The file.
        path: PathBuf,
        /// From 1; 0: the whole.
        line: usize,
        /// Why.
        error: KeyError,
    },
    /// What stands behind a key.
    #[error("{path}:{line}: behind a key stands nothing but `until=SECONDS`, a Unix time")]
    Words {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
    },
}

/// Reads the ring of a key file.
pub(crate) fn read(path: &Path, clock: &Clock) -> Result<Keyring, KeyFileError> {
    let unreadable = |error| KeyFileError::Unreadable {
        path: path.into(),
        error,
    };
    let file = File::open(path).map_err(unreadable)?;
    let meta = file.metadata().map_err(unreadable)?;
    let mode = meta.mode() & 0o777;
    // A group may read it: so secrets are mounted for a container's user.
    if mode & 0o027 != 0 {
        return Err(KeyFileError::Open {
            path: path.into(),
            mode,
        });
    }
    // Grown while it is read, a text would be left behind in memory that was given back.
    let mut text = Zeroizing::new(String::with_capacity(FILE_BYTES as usize + 1));
    let length = file.take(FILE_BYTES).read_to_string(&mut text);
    length.map_err(unreadable)?;
    parse(path, &text, clock)
}

fn parse(path: &Path, text: &str, clock: &Clock) -> Result<Keyring, KeyFileError> {
    let (mut generation, mut keys) = (0, Vec::new());
    for (at, line) in text.lines().enumerate() {
        let (line, at) = (line.trim(), at + 1);
        if let Some(number) = line.strip_prefix(GENERATION) {
            generation = number.trim().parse().unwrap_or(0);
        }
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let mut words = line.split_whitespace();
        let key = Key::parse(words.next().unwrap_or_default());
        let key = key.map_err(|error| KeyFileError::Line {
            path: path.into(),
            line: at,
            error,
        })?;
        let until = words.next().map(|word| {
            let seconds = word.strip_prefix("until=").and_then(|s| s.parse().ok());
            seconds.map(|seconds| on_clock(Duration::from_secs(seconds), clock))
        });
        let until = match (until, words.next()) {
            (None, _) => None,
            (Some(Some(until)), None) => Some(until),
            (Some(_), _) => {
                return Err(KeyFileError::Words {
                    path: path.into(),
                    line: at,
                });
            }
        };
        keys.push((key, until));
    }
    Keyring::new(generation, keys).map_err(|error| KeyFileError::Line {
        path: path.into(),
        line: 0,
        error,
    })
}

/// A Unix time on the clock of the node; what has passed is now.
fn on_clock(unix: Duration, clock: &Clock) -> Time {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    clock.now() + unix.saturating_sub(now.unwrap_or_default())
}

/// The text of a ring, for its file.
pub(crate) fn render(ring: &Keyring, clock: &Clock) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(FILE_BYTES as usize));
    text.push_str("# Keys of the cluster; the first one seals. Written by muster.\n");
    text.push_str(&format!("{GENERATION}{}\n", ring.generation()));
    for (key, info) in ring.keys().zip(ring.infos()) {
        text.push_str(&key.reveal());
        if let Some(until) = info.until {
            let wall = clock.wall(until).duration_since(UNIX_EPOCH);
            let seconds = wall.unwrap_or_default().as_secs();
            text.push_str(&format!(" until={seconds}"));
        }
        text.push('\n');
    }
    text
}

/// Puts a key file in place of the one before, whole or not at all. Blocks.
pub(super) fn replace(path: &Path, text: &str) -> io::Result<()> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.into());
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new()
        .prefix(".muster-keys-")
        .permissions(fs::Permissions::from_mode(0o600))
        .tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(&path)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring() -> Keyring {
        let key = |number| Key::new([number; 32]);
        let later = Time::from_nanos(3_600_000_000_000);
        Keyring::new(7, vec![(key(1), None), (key(2), Some(later))]).expect("a ring")
    }

    #[test]
    fn a_ring_is_read_back_as_it_was_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, clock) = (folder.path().join("keys"), Clock::start());
        replace(&path, &render(&ring(), &clock)).expect("it is written");
        let mode = fs::metadata(&path).expect("it is there").mode() & 0o777;
        assert_eq!(mode, 0o600);
        let read = read(&path, &clock).expect("it is read");
        assert_eq!((read.generation(), read.primary()), (7, ring().primary()));
        let until: Vec<_> = read.infos().map(|info| info.until).collect();
        let seconds = until[1].expect("it ends").as_nanos() / 1_000_000_000;
        assert!(
            until[0].is_none() && (3590..=3600).contains(&seconds),
            "{until:?}"
        );
        let left: Vec<_> = fs::read_dir(folder.path()).expect("a folder").collect();
        assert_eq!(left.len(), 1, "no part of a file stays behind");
    }

    #[test]
    fn no_time_behind_a_key_is_too_late_or_too_early() {
        let clock = Clock::start();
        let key = |number| Key::new([number; 32]).reveal().to_string();
        for (seconds, earliest) in [(0, clock.now()), (u64::MAX, Time::from_nanos(u64::MAX))] {
            let text = format!("{}\n{} until={seconds}\n", key(1), key(2));
            let ring = parse(Path::new("keys"), &text, &clock).expect("a ring");
            let until = ring.infos().nth(1).and_then(|info| info.until);
            assert!(until.is_some_and(|until| until >= earliest), "{until:?}");
            let again = parse(Path::new("keys"), &render(&ring, &clock), &clock);
            assert_eq!(again.expect("a ring").primary(), ring.primary());
        }
    }

    #[test]
    fn what_is_no_key_file_is_refused_without_telling_what_stands_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, clock) = (folder.path().join("keys"), Clock::start());
        let said = |text: &str, mode| {
            fs::write(&path, text).expect("it is written");
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("it is ours");
            let error = read(&path, &clock).expect_err("it is refused");
            error
                .to_string()
                .replace(&path.display().to_string(), "FILE")
        };
        let good = Key::new([1; 32]).reveal().to_string();
        assert!(said(&good, 0o644).starts_with("the key file FILE can be read by everybody"));
        assert!(said("", 0o600).starts_with("FILE:0: a keyring has at least one key"));
        let wrong = said("# ours\nsecret-but-wrong\n", 0o600);
        assert!(
            wrong.starts_with("FILE:2: a key is 32 bytes in base64"),
            "{wrong}"
        );
        assert!(!wrong.contains("secret-but"));
        assert!(said(&format!("{good} until=x"), 0o600).contains("FILE:1: behind a key"));
        assert!(said(&format!("{good}\n{good}"), 0o600).contains("is in the ring already"));
        fs::remove_file(&path).expect("it was there");
        let missing = read(&path, &clock).expect_err("nothing is there");
        assert!(
            missing.to_string().contains("muster keys generate"),
            "{missing}"
        );
    }
}
