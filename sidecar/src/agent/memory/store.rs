//! One agent's hold on its data directory.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use muster_swim::{Memory, Name, Write};
use redb::Database;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::super::draw_voter_key;
use super::MemoryError;
use super::image::{self, CORE, FILE_BYTES, FORMAT, Header, Unreadable};

/// The store.
const FILE: &str = "voter.redb";

/// A store that is being made. A start that was interrupted may leave one.
const NEW_FILE: &str = "voter.redb.new";

/// Its lock is held as long as an agent uses the directory. The file stays for ever: removing it
/// would let two agents lock two files of the same name.
const LOCK_FILE: &str = "lock";

/// An open data directory.
#[derive(Debug)]
pub(in crate::agent) struct Store {
    dir: PathBuf,
    database: Database,
    /// Dropped last: until then nobody else may open the file.
    _lock: File,
}

impl Store {
    /// Opens the directory for one member of one cluster, and makes it when it is not there. Gives
    /// all that is remembered.
    pub(in crate::agent) fn open(
        dir: &Path,
        cluster: &Name,
        member: &Name,
    ) -> Result<(Store, Memory), MemoryError> {
        make_directory(dir)?;
        let lock = lock(dir)?;
        let path = dir.join(FILE);
        if !path.try_exists().map_err(system(dir, "look into it"))? {
            create(dir, cluster, member)?;
        }
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&path)
            .map_err(system(dir, "open its file"))?;
        let bytes = read(dir, &mut file)?;
        let unreadable = |why| match why {
            Unreadable::Newer(found) => MemoryError::Newer {
                file: path.clone(),
                found,
                known: FORMAT,
            },
            Unreadable::Older(found) => MemoryError::Older {
                file: path.clone(),
                found,
            },
            Unreadable::Damaged(what) => MemoryError::Damaged {
                file: path.clone(),
                what,
            },
        };
        let contents = image::read(bytes).map_err(unreadable)?;
        check_owner(dir, &contents.header, cluster, member)?;
        let opened = image::builder().create_file(file);
        let opened = opened.map_err(Unreadable::damaged).map_err(unreadable)?;
        let store = Store {
            dir: dir.to_owned(),
            database: opened,
            _lock: lock,
        };
        if image::contents(&store.database).as_ref() != Ok(&contents) {
            let what = "it reads otherwise the second time";
            return Err(unreadable(Unreadable::damaged(what)));
        }
        let memory = Memory {
            key: Some(contents.header.key),
            durable: true,
            stored: contents.rows,
        };
        Ok((store, memory))
    }

    /// Which directory it is.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Its file.
    pub(super) fn file(&self) -> PathBuf {
        self.dir.join(FILE)
    }

    /// Makes all changes or none; when it returns they are on the disk.
    pub(super) fn save<'a>(
        &self,
        writes: impl Iterator<Item = &'a Write>,
    ) -> Result<(), redb::Error> {
        let transaction = image::begin(&self.database)?;
        {
            let mut table = transaction.open_table(CORE)?;
            for Write { key, value } in writes {
                match value {
                    Some(value) => drop(table.insert(&**key, &**value)?),
                    None => drop(table.remove(&**key)?),
                }
            }
        }
        Ok(transaction.commit()?)
    }
}

fn make_directory(dir: &Path) -> Result<(), MemoryError> {
    match fs::metadata(dir) {
        Ok(found) if found.is_dir() => return Ok(()),
        Ok(_) => return Err(MemoryError::NotADirectory { dir: dir.into() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            return Err(MemoryError::NotADirectory { dir: dir.into() });
        }
        Err(error) => return Err(system(dir, "look for it")(error)),
    }
    let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(system(dir, "make it"))
}

/// The lock that lasts as long as the file is open, also through a crash.
fn lock(dir: &Path) -> Result<File, MemoryError> {
    let open = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(dir.join(LOCK_FILE));
    let mut file = open.map_err(system(dir, "open its lock"))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => {
            let mut pid = String::new();
            // What cannot be read is not told.
            let _ = file.take(20).read_to_string(&mut pid);
            let holder = match pid.trim() {
                "" => "another agent".to_owned(),
                pid => format!("another agent (process {pid})"),
            };
            let dir = dir.to_owned();
            return Err(MemoryError::InUse { dir, holder });
        }
        Err(error) => return Err(system(dir, "lock it")(error.into())),
    }
    // For people only: a full disk is told when something is saved.
    let _ = file.set_len(0);
    let _ = writeln!(file, "{}", std::process::id());
    Ok(file)
}

/// Makes a new store, whole or not at all.
fn create(dir: &Path, cluster: &Name, member: &Name) -> Result<(), MemoryError> {
    let header = Header {
        format: FORMAT,
        cluster: cluster.to_string(),
        member: member.to_string(),
        key: draw_voter_key().map_err(system(dir, "draw its key"))?,
    };
    let bytes = image::fresh(&header).map_err(|error| MemoryError::System {
        dir: dir.to_owned(),
        step: "make its file",
        error: io::Error::other(error),
    })?;
    let (new, path) = (dir.join(NEW_FILE), dir.join(FILE));
    let write = || {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(&new)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&new, &path)?;
        File::open(dir)?.sync_all()
    };
    write().map_err(|error| {
        // What is left of it would be overwritten the next time.
        let _ = fs::remove_file(&new);
        system(dir, "make its file")(error)
    })
}

fn read(dir: &Path, file: &mut File) -> Result<Vec<u8>, MemoryError> {
    // Room for the whole at once: what grows step by step leaves gaps in the heap.
    let length = file.metadata().map_or(0, |found| found.len());
    let room = usize::try_from(length.min(FILE_BYTES) + 1).unwrap_or(0);
    let mut bytes = Vec::with_capacity(room);
    let count = file.take(FILE_BYTES + 1).read_to_end(&mut bytes);
    let count = count.map_err(system(dir, "read its file"))? as u64;
    if count > FILE_BYTES {
        return Err(MemoryError::Damaged {
            file: dir.join(FILE),
            what: format!("it has more than {FILE_BYTES} bytes"),
        });
    }
    Ok(bytes)
}

fn check_owner(
    dir: &Path,
    header: &Header,
    cluster: &Name,
    member: &Name,
) -> Result<(), MemoryError> {
    for (what, flag, found, wanted) in [
        ("cluster", "cluster", &header.cluster, cluster),
        ("member", "name", &header.member, member),
    ] {
        if found != wanted.as_str() {
            return Err(MemoryError::OfAnother {
                dir: dir.to_owned(),
                what,
                flag,
                found: found.clone(),
                wanted: wanted.to_string(),
            });
        }
    }
    Ok(())
}

fn system(dir: &Path, step: &'static str) -> impl Fn(io::Error) -> MemoryError {
    move |error| MemoryError::System {
        dir: dir.to_owned(),
        step,
        error,
    }
}
