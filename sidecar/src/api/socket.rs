//! The socket file: made so that two agents never share one path and no live socket is ever lost.

use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{self, Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, Mode, flock};
use rustix::io::Errno;
use rustix::net;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use smol::Async;

use super::access::{Access, Peer, UnknownName, group_id};

/// Longest path of a socket: `sun_path` has 108 bytes, the last one is zero.
pub const PATH_BYTES: usize = 107;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 128;

/// How long another starter may take to look at the same folder.
const LOCK_WAIT: Duration = Duration::from_secs(2);

/// The bound socket. Dropping it removes the file, if it still is ours.
#[derive(Debug)]
pub struct Listener {
    // Dropped first: while we still listen nobody takes the file for stale and replaces it.
    _file: SocketFile,
    pub(super) inner: Async<UnixListener>,
}

/// Why there is no socket. Unless said otherwise nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// The path does not fit the kernel's address of a socket.
    #[error(
        "socket path {path:?} has {bytes} bytes, at most {PATH_BYTES} are possible: choose a shorter \
         one with --socket"
    )]
    TooLong {
        /// The path.
        path: PathBuf,
        /// Its length.
        bytes: usize,
    },
    /// The folder of the socket cannot be used.
    #[error(
        "the folder {folder:?} of the socket cannot be opened: {error}; make it, or choose another path with --socket"
    )]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Another starter holds the lock of the folder and does not let go.
    #[error(
        "another process holds a lock on the folder {folder:?} of the socket: see who with `fuser -v {folder:?}`, or choose another path with --socket"
    )]
    Locked {
        /// The folder.
        folder: PathBuf,
    },
    /// A live process listens there.
    #[error(
        "socket {path:?} is in use by {holder}: stop that one first, or choose another path with --socket"
    )]
    InUse {
        /// The path.
        path: PathBuf,
        /// Who holds it, as far as can be seen.
        holder: String,
    },
    /// Something else is in the way. It is never deleted.
    #[error(
        "{path:?} exists and is {what}, not a socket: move it away, or choose another path with --socket"
    )]
    NotASocket {
        /// The path.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// A user or group of the settings does not exist.
    #[error(transparent)]
    UnknownName(#[from] UnknownName),
    /// The system refused a step. A file of ours that was made is removed again.
    #[error("socket {path:?}: cannot {step}: {error}")]
    System {
        /// The path.
        path: PathBuf,
        /// The step.
        step: &'static str,
        /// What the system says.
        error: io::Error,
    },
}

/// Makes the socket file and listens on it. A stale file is replaced; one in use is an error that
/// names its holder; what is no socket is left alone.
///
/// Two starters must not both find the same file stale and the later one delete the socket that the
/// earlier one just made: the whole step is done under a lock (`flock`) of the *folder*. A lock
/// file of its own would have to stay for ever, since removing one brings the race back, and
/// renaming a socket over the path lets the later one win over a live one. The kernel refuses
/// connections until
/// `listen`, so that mode and group are set before anybody gets in.
pub fn bind(path: &Path, access: &Access) -> Result<Listener, SocketError> {
    access.check()?;
    let bytes = path.as_os_str().as_bytes().len();
    if bytes > PATH_BYTES {
        return Err(SocketError::TooLong {
            path: path.to_owned(),
            bytes,
        });
    }
    let _lock = lock_folder(path)?;
    clear(path)?;
    let system = |step| move |error: io::Error| system(path, step, error);
    let socket = unbound().map_err(system("make a socket"))?;
    // Nobody gets more than the mode allows, not even between the next calls.
    rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR)
        .map_err(|error| system("set its mode")(error.into()))?;
    let address =
        SocketAddrUnix::new(path).map_err(|error| system("use this path")(error.into()))?;
    net::bind(&socket, &address).map_err(|error| system("bind")(error.into()))?;
    let file = SocketFile::new(path).map_err(system("find it again"))?;
    open_to(path, access)?;
    net::listen(&socket, BACKLOG).map_err(|error| system("listen")(error.into()))?;
    let inner = Async::new(UnixListener::from(socket)).map_err(system("watch it"))?;
    Ok(Listener { _file: file, inner })
}

/// Opens and locks the folder of `path`, so that one starter at a time looks at its sockets.
fn lock_folder(path: &Path) -> Result<File, SocketError> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    };
    let failed = |error| SocketError::Folder {
        folder: folder.to_owned(),
        error,
    };
    let file = File::open(folder).map_err(failed)?;
    let deadline = Instant::now() + LOCK_WAIT;
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(file),
            Err(Errno::WOULDBLOCK) if Instant::now() < deadline => {
                thread::sleep(Duration::from_millis(10));
            }
            Err(Errno::WOULDBLOCK) => {
                return Err(SocketError::Locked {
                    folder: folder.to_owned(),
                });
            }
            Err(error) => return Err(failed(error.into())),
        }
    }
}

/// Makes sure that nothing is at `path`: removes a socket on which nobody listens.
fn clear(path: &Path) -> Result<(), SocketError> {
    let kind = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata.file_type(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(system(path, "look at it", error)),
    };
    if !kind.is_socket() {
        let what = if kind.is_dir() {
            "a folder"
        } else if kind.is_symlink() {
            "a symbolic link"
        } else {
            "a file"
        };
        return Err(SocketError::NotASocket {
            path: path.to_owned(),
            what,
        });
    }
    let in_use = |holder| {
        Err(SocketError::InUse {
            path: path.to_owned(),
            holder,
        })
    };
    let probe = unbound().map_err(|error| system(path, "make a socket", error))?;
    let address = SocketAddrUnix::new(path).map_err(|e| system(path, "use this path", e.into()))?;
    match net::connect(&probe, &address) {
        Ok(()) => in_use(holder(&probe)),
        Err(Errno::CONNREFUSED) => {
            fs::remove_file(path).map_err(|error| system(path, "remove the stale file", error))
        }
        // Its queue is full: somebody listens, however slowly.
        Err(Errno::AGAIN) => in_use("a process that does not accept connections now".to_owned()),
        Err(Errno::PROTOTYPE) => in_use("a process that speaks another protocol".to_owned()),
        Err(error) => Err(system(
            path,
            "find out whether somebody listens on it",
            error.into(),
        )),
    }
}

/// Who listens at the other end of a fresh connection.
fn holder(connection: &OwnedFd) -> String {
    match Peer::of(connection) {
        Ok(Peer { pid, .. }) if pid <= 0 => "a process in another PID namespace".to_owned(),
        Ok(peer) => match peer.command() {
            Some(command) => format!("process {} ({command})", peer.pid),
            None => format!("process {}", peer.pid),
        },
        Err(_) => "a live process".to_owned(),
    }
}

/// Sets group and mode of the fresh file. The group first: who may open it must not be widened
/// before it is the right one.
fn open_to(path: &Path, access: &Access) -> Result<(), SocketError> {
    if let Some(group) = &access.group {
        let id = rustix::process::Gid::from_raw(group_id(group)?);
        let step = "give it to the group of `socket_group` (the agent must be a member of it)";
        rustix::fs::chown(path, None, Some(id)).map_err(|e| system(path, step, e.into()))?;
    }
    let mode = fs::Permissions::from_mode(access.mode & 0o777);
    fs::set_permissions(path, mode).map_err(|error| system(path, "set its mode", error))
}

fn unbound() -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    Ok(net::socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        flags,
        None,
    )?)
}

fn system(path: &Path, step: &'static str, error: io::Error) -> SocketError {
    SocketError::System {
        path: path.to_owned(),
        step,
        error,
    }
}

/// The file of a bound socket, removed when dropped unless another file took its place. The kernel
/// keeps the number of the file from being used again as long as the socket is open.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl SocketFile {
    fn new(path: &Path) -> io::Result<SocketFile> {
        let metadata = fs::symlink_metadata(path)?;
        // The process may change its folder before the file is removed.
        let path = path::absolute(path)?;
        let (device, inode) = (metadata.dev(), metadata.ino());
        Ok(SocketFile {
            path,
            device,
            inode,
        })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|found| (found.dev(), found.ino()) == (self.device, self.inode));
        if ours {
            // A file that stays is stale: the next start replaces it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests;
