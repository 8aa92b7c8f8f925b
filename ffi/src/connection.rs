//! One request over one connection to the local socket; nothing in here waits.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, recv,
    send, socket_with,
};

use crate::failure::Failure;
use crate::http::{Decoder, Request};

/// Bytes read in one go.
const READ_BYTES: usize = 64 * 1024;

/// Largest request: it fits the buffer of a fresh connection, so that sending never waits. Agents
/// take less.
pub(crate) const REQUEST_BYTES: usize = 128 * 1024;

/// Largest answer: 65,536 members with all their tags stay below.
pub(crate) const ANSWER_BYTES: usize = 256 * 1024 * 1024;

/// What came of looking once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Nothing is there now.
    Idle,
    /// Some of the answer came.
    More,
    /// The answer is whole.
    Done,
}

/// A request that was sent, and its answer as far as it has come.
#[derive(Debug)]
pub(crate) struct Exchange {
    path: PathBuf,
    socket: OwnedFd,
    pub(crate) decoder: Decoder,
    /// The body, until it is taken.
    pub(crate) body: Vec<u8>,
    buffer: Vec<u8>,
}

impl Exchange {
    /// Connects and sends. `None`: the agent's queue of connections is full now.
    pub(crate) fn begin(path: &Path, request: &Request<'_>) -> Result<Option<Exchange>, Failure> {
        let bytes = request.encode().map_err(Failure::invalid)?;
        if bytes.len() > REQUEST_BYTES {
            let length = bytes.len();
            return Err(Failure::invalid(format!(
                "the request has {length} bytes, at most {REQUEST_BYTES} can be sent"
            )));
        }
        let Some(socket) = open(path)? else {
            return Ok(None);
        };
        send_all(&socket, &bytes).map_err(|error| Failure::broken(path, error))?;
        Ok(Some(Exchange {
            path: path.to_owned(),
            socket,
            decoder: Decoder::new(),
            body: Vec::new(),
            buffer: vec![0; READ_BYTES],
        }))
    }

    /// Takes what is there, once.
    pub(crate) fn receive(&mut self) -> Result<Progress, Failure> {
        if self.decoder.is_done() {
            return Ok(Progress::Done);
        }
        let count = loop {
            match recv(&self.socket, &mut self.buffer[..], RecvFlags::empty()) {
                Ok((count, _)) => break count,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(Progress::Idle),
                Err(error) => return Err(Failure::broken(&self.path, io::Error::from(error))),
            }
        };
        if count == 0 {
            return match self.decoder.end() {
                true => Ok(Progress::Done),
                false => Err(Failure::broken(&self.path, "it closed in the middle")),
            };
        }
        let fresh = &self.buffer[..count];
        let pushed = self.decoder.push(fresh, &mut self.body);
        pushed.map_err(|error| Failure::not_muster(&self.path, error))?;
        if self.body.len() > ANSWER_BYTES {
            return Err(Failure::not_muster(&self.path, "its answer is too long"));
        }
        match self.decoder.is_done() {
            true => Ok(Progress::Done),
            false => Ok(Progress::More),
        }
    }
}

impl AsFd for Exchange {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// A connection that does not block. `None`: the listener's queue is full now.
pub(crate) fn open(path: &Path) -> Result<Option<OwnedFd>, Failure> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None);
    let socket = socket.map_err(|error| Failure::system("open a socket", error))?;
    let address = SocketAddrUnix::new(path).map_err(|_| {
        let path = path.display();
        Failure::invalid(format!(
            "the path {path} of the socket has more than 107 bytes"
        ))
    })?;
    match connect(&socket, &address) {
        Ok(()) => Ok(Some(socket)),
        Err(Errno::AGAIN) => Ok(None),
        Err(error) => Err(Failure::connect(path, &io::Error::from(error))),
    }
}

/// Sends all, without the signal that a peer which went away would cause.
fn send_all(socket: &OwnedFd, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match send(socket, bytes, SendFlags::NOSIGNAL) {
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// A point in time until which is waited, or none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    start: Instant,
    patience: Option<Duration>,
}

/// What ended a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    Readable,
    Late,
    Signal,
}

impl Deadline {
    /// So many milliseconds from now; never when negative.
    pub(crate) fn after(timeout_ms: i64) -> Deadline {
        Deadline {
            start: Instant::now(),
            patience: u64::try_from(timeout_ms).ok().map(Duration::from_millis),
        }
    }

    pub(crate) fn waited(&self) -> Duration {
        self.start.elapsed()
    }

    pub(crate) fn left(&self) -> Option<Duration> {
        self.patience
            .map(|patience| patience.saturating_sub(self.start.elapsed()))
    }

    pub(crate) fn is_over(&self) -> bool {
        self.left().is_some_and(|left| left.is_zero())
    }

    /// Waits until `descriptor` is readable.
    pub(crate) fn wait(&self, descriptor: BorrowedFd<'_>) -> Result<Woken, Failure> {
        let mut descriptors = [PollFd::from_borrowed_fd(descriptor, PollFlags::IN)];
        // What is too long for the system is as good as never.
        let left = self.left().and_then(|left| Timespec::try_from(left).ok());
        match poll(&mut descriptors, left.as_ref()) {
            Ok(0) => Ok(Woken::Late),
            Ok(_) => Ok(Woken::Readable),
            Err(Errno::INTR) => Ok(Woken::Signal),
            Err(error) => Err(Failure::system("wait for the agent", error)),
        }
    }
}
