//! The key file: read at the start and when a reload is asked for, replaced when the keys of the
//! cluster change.
//!
//! One key in each line, in base64, the one that seals first; `until=SECONDS` behind a key is the
//! Unix time at which it is forgotten, `new` says that it was added and nobody has sealed with it.
//! A line that begins with `#` says nothing, but `# generation N`, which counts the changes.

mod file;
mod keeper;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use muster_swim::{Key, KeyChange, KeyError, KeyId, Keyring, Time};
use zeroize::Zeroizing;

pub(crate) use self::file::read;
pub(super) use self::keeper::{Errand, Keep, Keeper, Taken};
use super::Clock;

/// What an operator wants done to the keys of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyCommand {
    /// See who has which.
    Look,
    /// Have all have this one too.
    Add(Key),
    /// Have all have this one too, which is here.
    Spread(KeyId),
    /// Have all seal with this one.
    Use(KeyId),
    /// Have all forget this one.
    Remove {
        /// Which.
        id: KeyId,
        /// For how long it still opens; `None`: as the setting says.
        grace: Option<Duration>,
        /// Also when somebody may need it.
        force: bool,
    },
}

impl KeyCommand {
    /// The change, where nothing is said about how long with this grace.
    pub(crate) fn with_grace(self, usual: Duration) -> KeyChange {
        match self {
            KeyCommand::Look => KeyChange::Look,
            KeyCommand::Add(key) => KeyChange::Add(key),
            KeyCommand::Spread(id) => KeyChange::Spread(id),
            KeyCommand::Use(id) => KeyChange::Use(id),
            KeyCommand::Remove { id, grace, force } => KeyChange::Remove {
                id,
                grace: grace.unwrap_or(usual),
                force,
            },
        }
    }
}

const GENERATION: &str = "generation";

/// A key file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It cannot be read.
    #[error("cannot read the key file {path}: {error}; {}", advice(.error))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// It is something else than a file.
    #[error(
        "the key file {path} is {what}: name a regular file, which is read again and replaced when \
         the keys change; `muster keys generate FILE` makes one"
    )]
    NoFile {
        /// What was named.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// It is longer than any ring.
    #[error("the key file {path} has more than {} KiB: it is no key file", file::FILE_BYTES / 1024)]
    TooLong {
        /// The file.
        path: PathBuf,
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
    /// What should be the number of the changes. Taken for none, the ring of the others would count
    /// before this one, and its keys be lost.
    #[error(
        "{path}:{line}: behind `# generation` stands a whole number, which counts the changes: put \
         it back as it was; or take the line out, then the ring of the other members counts before \
         this one"
    )]
    Generation {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
    },
    /// What stands behind a key.
    #[error(
        "{path}:{line}: behind a key stands nothing but `new`, or `until=SECONDS`, a Unix time"
    )]
    Words {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
    },
}

/// What to do about a file that cannot be read. A new key is no way out where there is one.
fn advice(error: &io::Error) -> &'static str {
    let known = [
        (
            io::ErrorKind::NotFound,
            "`muster keys generate` makes a key",
        ),
        (
            io::ErrorKind::PermissionDenied,
            "give it to the user of the agent, with mode 0600",
        ),
    ];
    let found = known.iter().find(|(kind, _)| *kind == error.kind());
    found.map_or(
        "see to that, or name another one with --key-file",
        |(_, words)| words,
    )
}

impl KeyFileError {
    /// Nothing is there.
    fn is_missing(&self) -> bool {
        if let KeyFileError::Unreadable { error, .. } = self {
            return error.kind() == io::ErrorKind::NotFound;
        }
        false
    }
}

/// A key that nobody can guess.
pub(crate) fn draw() -> io::Result<Key> {
    let mut bytes = Zeroizing::new([0; 32]);
    super::draw(&mut *bytes)?;
    Ok(Key::new(*bytes))
}

/// What stands in a key file.
pub(crate) struct Parsed {
    pub(crate) ring: Keyring,
    /// As it is written there; the ring's own has a bound.
    pub(crate) generation: u64,
}

/// Reads a ring from a text that stands at `path`.
pub(crate) fn parse(path: &Path, text: &str, clock: &Clock) -> Result<Parsed, KeyFileError> {
    let (mut generation, mut keys, mut new) = (None, Vec::new(), Vec::new());
    for (at, line) in text.lines().enumerate() {
        let (line, at) = (line.trim(), at + 1);
        if let Some(number) = generation_in(line) {
            let number = number.parse().ok().filter(|_| generation.is_none());
            generation = Some(number.ok_or_else(|| KeyFileError::Generation {
                path: path.into(),
                line: at,
            })?);
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
        let until = match (words.next(), words.next()) {
            (None, _) => None,
            (Some("new"), None) => {
                new.push(key.id());
                None
            }
            (Some(word), more) => {
                let until = until(word, clock).filter(|_| more.is_none());
                Some(until.ok_or_else(|| KeyFileError::Words {
                    path: path.into(),
                    line: at,
                })?)
            }
        };
        keys.push((key, until));
    }
    let generation = generation.unwrap_or(0);
    let ring = Keyring::new(generation, keys).map_err(|error| KeyFileError::Line {
        path: path.into(),
        line: 0,
        error,
    })?;
    let ring = ring.with_new(&new);
    Ok(Parsed { ring, generation })
}

/// What stands behind `# generation`, in whatever way that is written by hand.
fn generation_in(line: &str) -> Option<&str> {
    let rest = line.strip_prefix('#')?.trim_start();
    let (word, rest) = rest.split_at_checked(GENERATION.len())?;
    let is_apart = !rest.starts_with(|next: char| next.is_alphanumeric());
    let is_it = word.eq_ignore_ascii_case(GENERATION) && is_apart;
    is_it.then(|| rest.trim_matches([' ', '\t', ':', '=']))
}

fn until(word: &str, clock: &Clock) -> Option<Time> {
    let seconds = word.strip_prefix("until=")?.parse().ok()?;
    // A time that no clock can tell is no time.
    let wall = UNIX_EPOCH.checked_add(Duration::from_secs(seconds))?;
    Some(on_clock(wall, clock))
}

/// A wall time on the clock of the node; what has passed is now.
fn on_clock(wall: SystemTime, clock: &Clock) -> Time {
    let left = wall.duration_since(SystemTime::now()).unwrap_or_default();
    clock.now() + left
}

/// The text of a ring, for its file.
pub(crate) fn render(ring: &Keyring, clock: &Clock) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(file::FILE_BYTES));
    text.push_str("# Keys of the cluster; the first one seals. Written by muster.\n");
    text.push_str(&format!("# {GENERATION} {}\n", ring.generation()));
    for (key, info) in ring.keys().zip(ring.infos()) {
        text.push_str(&key.reveal());
        if let Some(until) = info.until {
            let wall = clock.wall(until).duration_since(UNIX_EPOCH);
            let seconds = wall.unwrap_or_default().as_secs();
            text.push_str(&format!(" until={seconds}"));
        }
        if info.is_new {
            text.push_str(" new");
        }
        text.push('\n');
    }
    text
}
