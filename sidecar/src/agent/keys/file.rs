//! The key file on its disk: read without waiting for what never comes, and replaced whole.

use std::fs::{self, File, FileType, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use muster_swim::Keyring;
use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;
use rustix::process::geteuid;
use tempfile::NamedTempFile;
use zeroize::Zeroizing;

use super::{KeyFileError, Parsed, parse};
use crate::agent::Clock;

/// Longest key file: eight keys and some remarks.
pub(super) const FILE_BYTES: usize = 16 * 1024;

/// How the names of files begin that are about to take the place of a key file.
const UNFINISHED: &str = ".muster-keys-";

/// Reads the ring of a key file. May block as long as the file's disk does.
pub(crate) fn read(path: &Path, clock: &Clock) -> Result<Keyring, KeyFileError> {
    let text = contents(path)?;
    parse(path, &text, clock).map(|Parsed { ring, .. }| ring)
}

/// What stands in a key file that nobody else may read.
pub(super) fn contents(path: &Path) -> Result<Zeroizing<String>, KeyFileError> {
    let unreadable = |error| KeyFileError::Unreadable {
        path: path.into(),
        error,
    };
    // Only to open a device can do something; what is no file is not opened.
    check_kind(path, &fs::metadata(path).map_err(unreadable)?)?;
    let file = open(path).map_err(unreadable)?;
    let meta = file.metadata().map_err(unreadable)?;
    check_kind(path, &meta)?;
    let mode = meta.mode() & 0o777;
    // A group may read it: so secrets are mounted for a container's user.
    if mode & OF_OTHERS != 0 {
        return Err(KeyFileError::Open {
            path: path.into(),
            mode,
        });
    }
    // Grown while it is read, a text would be left behind in memory that was given back.
    let mut text = Zeroizing::new(String::with_capacity(FILE_BYTES + 2));
    let most = FILE_BYTES as u64 + 1;
    file.take(most)
        .read_to_string(&mut text)
        .map_err(unreadable)?;
    if text.len() > FILE_BYTES {
        return Err(KeyFileError::TooLong { path: path.into() });
    }
    Ok(text)
}

/// It may have become a pipe since it was looked at: to open one waits for whoever writes.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    options.read(true).custom_flags(flags.bits().cast_signed());
    options.open(path)
}

/// What only the owner may do, and what nobody else but a group that reads.
const OF_OTHERS: u32 = 0o027;

fn check_kind(path: &Path, meta: &Metadata) -> Result<(), KeyFileError> {
    if meta.is_file() {
        return Ok(());
    }
    let what = kind(meta.file_type());
    Err(KeyFileError::NoFile {
        path: path.into(),
        what,
    })
}

fn kind(kind: FileType) -> &'static str {
    if kind.is_dir() {
        "a directory"
    } else if kind.is_fifo() {
        "a named pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

/// The file behind a path, and the folder in which it can be replaced.
pub(crate) fn place(path: &Path) -> (PathBuf, PathBuf) {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.into());
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new(".")).to_owned();
    (path, folder)
}

/// Puts a key file in place of the one before, whole or not at all. Blocks.
pub(super) fn replace(path: &Path, text: &str) -> io::Result<()> {
    let (path, folder) = place(path);
    let mut file = unfinished(&folder)?;
    if let Ok(before) = fs::metadata(&path) {
        belong_as(file.as_file(), &before)?;
    }
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    let folder = File::open(folder);
    file.persist(&path)?;
    // From here on it has the new text, whatever a crash would leave of it.
    let _ = folder.and_then(|folder| folder.sync_all());
    Ok(())
}

/// A new file beside a key file, locked while it is written: what has no lock was left behind.
fn unfinished(folder: &Path) -> io::Result<NamedTempFile> {
    loop {
        let file = tempfile::Builder::new()
            .prefix(UNFINISHED)
            .permissions(fs::Permissions::from_mode(0o600))
            .tempfile_in(folder)?;
        // Another agent that clears up may have found it before it was locked. Where there are no
        // locks nobody clears up.
        let locked = flock(file.as_file(), FlockOperation::NonBlockingLockExclusive);
        if locked != Err(Errno::WOULDBLOCK) && file.as_file().metadata()?.nlink() > 0 {
            return Ok(file);
        }
    }
}

/// Gives a new file the owner, group and mode of the one before, as far as this process may.
fn belong_as(file: &File, before: &Metadata) -> io::Result<()> {
    let mut mode = before.mode() & 0o777 & !OF_OTHERS;
    if fchown(file, Some(before.uid()), Some(before.gid())).is_err()
        && fchown(file, None, Some(before.gid())).is_err()
        && file.metadata()?.gid() != before.gid()
    {
        // It was for another group than the one that would get it.
        mode &= 0o700;
    }
    if file.metadata()?.uid() != before.uid() {
        mode |= 0o600;
    }
    file.set_permissions(fs::Permissions::from_mode(mode))
}

/// Removes what was left behind when a process ended before it had written a file.
pub(super) fn clear_up(path: &Path) {
    let (_, folder) = place(path);
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let is_file = |meta: Metadata| meta.is_file() && meta.uid() == geteuid().as_raw();
        let is_named_so = entry.file_name().to_string_lossy().starts_with(UNFINISHED);
        if is_named_so && entry.metadata().is_ok_and(is_file) {
            // What cannot be removed stays.
            let _ = remove_unlocked(&entry.path());
        }
    }
}

fn remove_unlocked(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::NOFOLLOW;
    let file = options
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    fs::remove_file(path)
}

#[cfg(test)]
mod tests;
