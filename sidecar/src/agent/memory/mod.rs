//! The data directory: what a voter must remember over a restart.
//!
//! One file, an embedded store (redb) with two tables: `header` says whose memory it is, `core`
//! holds what the core saves, which nobody but the core can read. `image` reads a file without
//! trusting it, `store` makes and opens it, `writer` saves on a thread of its own, `figures` tells
//! the metrics how that goes.

#![allow(
    clippy::result_large_err,
    reason = "redb's errors are large, rare, and go no further than this room"
)]

mod figures;
mod image;
mod store;
#[cfg(test)]
mod tests;
mod writer;

use std::io;
use std::path::PathBuf;

pub(crate) use figures::StoreFigures;
pub(super) use store::Store;
pub(super) use writer::Writer;

/// Why a data directory cannot be used. Nothing in it was changed.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// Something else has that name.
    #[error("the data directory {} is not a directory: name another one with --data-dir", .dir.display())]
    NotADirectory {
        /// As it was named.
        dir: PathBuf,
    },
    /// The system refused a step.
    #[error("the data directory {}: cannot {step}: {error}; {}", .dir.display(), advice(.error))]
    System {
        /// Which.
        dir: PathBuf,
        /// The step.
        step: &'static str,
        /// What the system says.
        error: io::Error,
    },
    /// There are no random numbers.
    #[error("cannot draw the key of a voter: {0}")]
    Random(io::Error),
    /// Another agent has it.
    #[error(
        "the data directory {} is in use by {holder}: every member needs one of its own, for two \
         with one memory could vote twice; name another one with --data-dir",
        .dir.display()
    )]
    InUse {
        /// Which.
        dir: PathBuf,
        /// Who, as far as can be seen.
        holder: String,
    },
    /// It is the memory of somebody else.
    #[error(
        "the data directory {} is that of {what} {found:?}, and this is {what} {wanted:?}: correct \
         --{flag}, or name another directory with --data-dir",
        .dir.display()
    )]
    OfAnother {
        /// Which.
        dir: PathBuf,
        /// `cluster` or `member`.
        what: &'static str,
        /// The flag that names it.
        flag: &'static str,
        /// Whose it is.
        found: String,
        /// Who would use it.
        wanted: String,
    },
    /// A later version of Muster wrote it.
    #[error(
        "{} has format {found}, and this version of Muster knows formats up to {known}: start the \
         version that wrote it, or a later one",
        .file.display()
    )]
    Newer {
        /// The file.
        file: PathBuf,
        /// Its format.
        found: u64,
        /// The last one known here.
        known: u64,
    },
    /// An earlier version of Muster wrote it.
    #[error(
        "{} has format {found}, of voters that could not sign, and its agents do not understand \
         these: stop all members, move the file away on each, and start them again; they begin a new \
         history",
        .file.display()
    )]
    Older {
        /// The file.
        file: PathBuf,
        /// Its format.
        found: u64,
    },
    /// It is not as it was written.
    #[error(
        "{} is damaged ({what}) and was left as it is: check the disk, move the file away and start \
         again; the member then comes back as a new voter and the others replace the old one. Never \
         put an older copy in its place: it would have forgotten votes",
        .file.display()
    )]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        what: String,
    },
}

/// What to do about an error of the system.
fn advice(error: &io::Error) -> &'static str {
    let full = "make room on the disk, or name another one with --data-dir";
    let known = [
        (
            io::ErrorKind::PermissionDenied,
            "let the agent's user write there, or name another one with --data-dir",
        ),
        (
            io::ErrorKind::ReadOnlyFilesystem,
            "a voter must write: mount the file system for writing, or name another one with \
             --data-dir",
        ),
        (io::ErrorKind::StorageFull, full),
        (io::ErrorKind::QuotaExceeded, full),
    ];
    let found = known.iter().find(|(kind, _)| *kind == error.kind());
    found.map_or(
        "see to that, or name another one with --data-dir",
        |(_, words)| words,
    )
}
