//! The key file: read at the start and when a reload is asked for, replaced when the keys of the
//! cluster change.
//!
//! One key in each line, in base64, the one that seals first; `until=SECONDS` behind a key is the
//! Unix time at which it is forgotten, `new` says that it was added and nobody has sealed with it.
//! A line that begins with `#` says nothing, but `# generation N`, which counts the changes.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use muster_swim::{Key, KeyChange, KeyError, KeyId, KeyTicket, Keyring, Time};
use smol::LocalExecutor;
use smol::channel::{Sender, unbounded};
use zeroize::Zeroizing;

use super::Clock;
use super::input::Input;

/// What an operator wants done to the keys of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyCommand {
    /// See who has which.
    Look,
    /// Have all have this one too.
    Add(Key),
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
            KeyCommand::Use(id) => KeyChange::Use(id),
            KeyCommand::Remove { id, grace, force } => KeyChange::Remove {
                id,
                grace: grace.unwrap_or(usual),
                force,
            },
        }
    }
}

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

/// A key that nobody can guess.
pub(crate) fn draw() -> io::Result<Key> {
    let mut bytes = Zeroizing::new([0; 32]);
    super::draw(&mut *bytes)?;
    Ok(Key::new(*bytes))
}

/// Reads a ring from a text that stands at `path`.
pub(crate) fn parse(path: &Path, text: &str, clock: &Clock) -> Result<Keyring, KeyFileError> {
    let (mut generation, mut keys, mut new) = (0, Vec::new(), Vec::new());
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
    let ring = Keyring::new(generation, keys).map_err(|error| KeyFileError::Line {
        path: path.into(),
        line: 0,
        error,
    })?;
    Ok(ring.with_new(&new))
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
        if info.is_new {
            text.push_str(" new");
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

/// A ring on its way to its file.
pub(super) struct Keep {
    pub(super) ticket: KeyTicket,
    pub(super) path: Option<PathBuf>,
    pub(super) text: Zeroizing<String>,
    pub(super) generation: u64,
    pub(super) primary: KeyId,
}

/// Starts what writes rings, one after the other: the last one is what stands in the file.
pub(super) fn keeper(executor: &LocalExecutor<'static>, inputs: Sender<Input>) -> Sender<Keep> {
    let (sender, rings) = unbounded::<Keep>();
    let keep = async move {
        while let Ok(keep) = rings.recv().await {
            let ticket = keep.ticket;
            let done = keep.write().await;
            let _ = inputs.send(Input::KeysKept(ticket, done)).await;
        }
    };
    executor.spawn(keep).detach();
    sender
}

impl Keep {
    /// Whether it was written.
    async fn write(self) -> bool {
        let (generation, primary) = (self.generation, self.primary);
        let (Some(path), text) = (self.path, self.text) else {
            return true;
        };
        let shown = path.display().to_string();
        match smol::unblock(move || replace(&path, &text)).await {
            Ok(()) => tracing::info!(path = shown, generation, %primary, "keys-kept"),
            Err(error) => {
                tracing::error!(
                    path = shown,
                    %error,
                    consequence = "this member goes on with the keys that it had and tells so",
                    advice = "let this agent write the file and its folder; a file that is \
                              mounted by itself cannot be replaced: mount its folder",
                    "keys-not-kept"
                );
                return false;
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring() -> Keyring {
        let key = |number| Key::new([number; 32]);
        let later = Time::from_nanos(3_600_000_000_000);
        let keys = vec![(key(1), None), (key(2), Some(later)), (key(3), None)];
        let ring = Keyring::new(7, keys).expect("a ring");
        ring.with_new(&[key(3).id()])
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
        let new: Vec<_> = read.infos().map(|info| info.is_new).collect();
        assert_eq!(new, [false, false, true]);
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
        for more in [
            "until=x",
            "old",
            "new until=1",
            "until=99999999999999999999",
            "until=1 new",
        ] {
            let said = said(&format!("{good} {more}"), 0o600);
            assert!(said.contains("FILE:1: behind a key"), "{more}: {said}");
        }
        assert!(said(&format!("{good}\n{good}"), 0o600).contains("is in the ring already"));
        fs::remove_file(&path).expect("it was there");
        let missing = read(&path, &clock).expect_err("nothing is there");
        assert!(
            missing.to_string().contains("muster keys generate"),
            "{missing}"
        );
    }
}
