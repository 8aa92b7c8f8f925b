//! The usual places of the local socket.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Places of the local socket when none is given, the best one first. The agent takes the first
/// in which it may write ([`default_socket`]); clients look in all of them in this order.
pub fn socket_candidates() -> Vec<PathBuf> {
    let mut candidates = Vec::new();
    if let Some(runtime) = runtime_directory() {
        candidates.push(runtime.join("muster.sock"));
    }
    candidates.push(PathBuf::from("/run/muster/muster.sock"));
    candidates.push(private_directory().join("muster.sock"));
    candidates
}

/// Where the agent puts its socket when none is given.
pub fn default_socket() -> PathBuf {
    let mut candidates = socket_candidates();
    let place = if runtime_directory().is_some() {
        0
    } else if rustix::process::geteuid().is_root() {
        candidates.len() - 2
    } else {
        candidates.len() - 1
    };
    candidates.swap_remove(place)
}

/// Makes the directory of a default socket. The one in `/tmp` must be the user's own and closed to
/// others: anyone could have made it first.
pub fn prepare_directory(socket: &Path) -> io::Result<()> {
    let Some(directory) = socket.parent() else {
        return Ok(());
    };
    if directory == private_directory() {
        return prepare_private(directory);
    }
    fs::create_dir_all(directory)
}

fn prepare_private(directory: &Path) -> io::Result<()> {
    match fs::DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => return made,
    }
    let found = fs::symlink_metadata(directory)?;
    let owner = rustix::process::geteuid().as_raw();
    if found.is_dir() && found.uid() == owner && found.mode() & 0o077 == 0 {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "{} is not a directory of user {owner} that is closed to others (mode 0700)",
        directory.display()
    )))
}

fn private_directory() -> PathBuf {
    PathBuf::from(format!(
        "/tmp/muster-{}",
        rustix::process::geteuid().as_raw()
    ))
}

fn runtime_directory() -> Option<PathBuf> {
    let path = PathBuf::from(std::env::var_os("XDG_RUNTIME_DIR")?);
    (path.is_absolute() && path.is_dir()).then_some(path)
}
