//! What can go wrong, as stable numbers and texts that say what to do.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What came of a call. The numbers are stable: more may be added, none changes its meaning.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It is done.
    Ok = 0,
    /// Nothing is there now: wait until the descriptor is readable, then call again.
    Again = 1,
    /// Nothing came in the time given: call again, nothing is lost.
    Timeout = 2,
    /// A signal handler ran meanwhile: call again, nothing is lost.
    Interrupted = 3,
    /// An argument that must not be NULL is NULL.
    NullArgument = 10,
    /// A text is not UTF-8.
    NotUtf8 = 11,
    /// An argument cannot be taken: the message says which are.
    InvalidArgument = 12,
    /// A mistake inside of libmuster; the program goes on. Free the handle, and report it.
    Panic = 13,
    /// The handle was made before a `fork`, by the other process: make one here.
    WrongProcess = 14,
    /// Another thread is using the handle now: a handle is for one thread at a time.
    Busy = 15,
    /// No agent listens at that path, or at any of the usual ones: start one, or name another.
    NoAgent = 20,
    /// The system does not let this user connect to the socket.
    Denied = 21,
    /// Something listens there that is no Muster agent: name another socket.
    NotMuster = 22,
    /// The agent is older or newer than this library, and lacks or changed what was asked for.
    Version = 23,
    /// The connection ended before the answer was complete: did the agent just stop?
    Broken = 24,
    /// The agent took the connection and did not answer in time: is it stopped or overloaded?
    Silent = 25,
    /// The agent refused what was asked: `muster_error_problem` says why, by a stable id.
    Refused = 26,
    /// The system refuses what is needed, such as one more descriptor.
    System = 27,
    /// Settings of an embedded agent are wrong: the message lists all that are.
    Settings = 40,
    /// A newer member has taken the name of the embedded agent: do not start it again.
    NameTaken = 41,
    /// The embedded agent could not start, or had to end: the message says why.
    AgentFailed = 42,
    /// The embedded agent has ended.
    AgentEnded = 43,
}

/// What went wrong in one call.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) status: Status,
    pub(crate) message: String,
    /// What the agent said, when it refused.
    pub(crate) problem: Option<Problem>,
}

/// A problem document.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) kind: String,
    pub(crate) http_status: u16,
}

impl Failure {
    pub(crate) fn new(status: Status, message: impl fmt::Display) -> Failure {
        Failure {
            status,
            message: message.to_string(),
            problem: None,
        }
    }

    pub(crate) fn null(name: &str) -> Failure {
        let text = format!("the argument {name:?} is NULL and must not be");
        Failure::new(Status::NullArgument, text)
    }

    pub(crate) fn not_utf8(name: &str) -> Failure {
        let text = format!("the argument {name:?} is not UTF-8: convert it first");
        Failure::new(Status::NotUtf8, text)
    }

    pub(crate) fn invalid(text: impl fmt::Display) -> Failure {
        Failure::new(Status::InvalidArgument, text)
    }

    pub(crate) fn again() -> Failure {
        let text = "nothing is there now; wait until the descriptor is readable and call again";
        Failure::new(Status::Again, text)
    }

    pub(crate) fn timeout(waited: Duration) -> Failure {
        let text = format!("nothing came within {} ms", waited.as_millis());
        Failure::new(Status::Timeout, text)
    }

    pub(crate) fn interrupted() -> Failure {
        let text = "a signal came; call again to go on waiting, nothing is lost";
        Failure::new(Status::Interrupted, text)
    }

    pub(crate) fn busy(what: &str) -> Failure {
        let text = format!(
            "another thread uses this {what} now: give each thread one of its own, or take turns"
        );
        Failure::new(Status::Busy, text)
    }

    pub(crate) fn system(what: &str, error: impl fmt::Display) -> Failure {
        Failure::new(Status::System, format!("cannot {what}: {error}"))
    }

    pub(crate) fn broken(socket: &Path, reason: impl fmt::Display) -> Failure {
        let socket = socket.display();
        let text = format!("the connection to the agent at {socket} ended: {reason}; did it stop?");
        Failure::new(Status::Broken, text)
    }

    pub(crate) fn silent(socket: &Path, waited: Duration) -> Failure {
        let (socket, waited) = (socket.display(), waited.as_millis());
        let text = format!(
            "the agent at {socket} did not answer within {waited} ms; is it stopped or overloaded?"
        );
        Failure::new(Status::Silent, text)
    }

    pub(crate) fn not_muster(socket: &Path, reason: impl fmt::Display) -> Failure {
        let socket = socket.display();
        let text = format!(
            "what listens at {socket} is no Muster agent ({reason}): name the socket of one; \
             `muster status` shows which it uses"
        );
        Failure::new(Status::NotMuster, text)
    }

    pub(crate) fn other_version(socket: &Path, agent: &str, reason: impl fmt::Display) -> Failure {
        let (socket, own) = (socket.display(), env!("CARGO_PKG_VERSION"));
        let text = format!(
            "the agent at {socket} (version {agent}) and this libmuster (version {own}) do not \
             understand each other: {reason}; update the older of the two"
        );
        Failure::new(Status::Version, text)
    }

    /// Why one path could not be connected to.
    pub(crate) fn connect(socket: &Path, error: &io::Error) -> Failure {
        let path = socket.display();
        let is = |kind| error.kind() == kind;
        let (status, why) = if is(io::ErrorKind::NotFound) {
            let why = "there is no such file; start an agent with `muster agent`, or name another \
                       socket";
            (Status::NoAgent, why)
        } else if is(io::ErrorKind::ConnectionRefused) && !is_socket(socket) {
            (Status::NotMuster, "this is not a socket")
        } else if is(io::ErrorKind::ConnectionRefused) {
            let why = "the agent that made this socket no longer runs; start one with \
                       `muster agent`, or name another socket";
            (Status::NoAgent, why)
        } else if is(io::ErrorKind::PermissionDenied) {
            let why = "permission denied; run this as the agent's user, or start the agent with \
                       --socket-group";
            (Status::Denied, why)
        } else {
            return Failure::system(&format!("connect to {path}"), error);
        };
        Failure::new(status, format!("{path}: {why}"))
    }

    /// None of the usual places has an agent.
    pub(crate) fn nowhere(attempts: &[(PathBuf, Failure)]) -> Failure {
        let denied = attempts
            .iter()
            .any(|(_, failure)| failure.status == Status::Denied);
        let list: Vec<&str> = attempts
            .iter()
            .map(|(_, failure)| &*failure.message)
            .collect();
        let text = format!(
            "no agent answers at the usual places: {}. Start one with `muster agent`, or name a \
             socket, or set MUSTER_SOCKET",
            list.join("; ")
        );
        let status = if denied {
            Status::Denied
        } else {
            Status::NoAgent
        };
        Failure::new(status, text)
    }

    /// Whether it may be over by itself soon, so that a stream tries again without a word.
    pub(crate) fn is_passing(&self) -> bool {
        let is_full = |problem: &Problem| matches!(problem.http_status, 503 | 504 | 408);
        match self.status {
            Status::NoAgent | Status::Broken | Status::Silent => true,
            Status::Refused => self.problem.as_ref().is_some_and(is_full),
            Status::Ok
            | Status::Again
            | Status::Timeout
            | Status::Interrupted
            | Status::NullArgument
            | Status::NotUtf8
            | Status::InvalidArgument
            | Status::Panic
            | Status::WrongProcess
            | Status::Busy
            | Status::Denied
            | Status::NotMuster
            | Status::Version
            | Status::System
            | Status::Settings
            | Status::NameTaken
            | Status::AgentFailed
            | Status::AgentEnded => false,
        }
    }
}

fn is_socket(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    std::fs::metadata(path).is_ok_and(|found| found.file_type().is_socket())
}

impl Status {
    /// Every number that there is.
    pub(crate) const ALL: [Status; 22] = [
        Status::Ok,
        Status::Again,
        Status::Timeout,
        Status::Interrupted,
        Status::NullArgument,
        Status::NotUtf8,
        Status::InvalidArgument,
        Status::Panic,
        Status::WrongProcess,
        Status::Busy,
        Status::NoAgent,
        Status::Denied,
        Status::NotMuster,
        Status::Version,
        Status::Broken,
        Status::Silent,
        Status::Refused,
        Status::System,
        Status::Settings,
        Status::NameTaken,
        Status::AgentFailed,
        Status::AgentEnded,
    ];

    /// The number's name in a few words.
    pub(crate) fn words(self) -> &'static std::ffi::CStr {
        match self {
            Status::Ok => c"ok",
            Status::Again => c"nothing is there now",
            Status::Timeout => c"the time is over",
            Status::Interrupted => c"interrupted by a signal",
            Status::NullArgument => c"an argument is NULL",
            Status::NotUtf8 => c"a text is not UTF-8",
            Status::InvalidArgument => c"an argument cannot be taken",
            Status::Panic => c"a mistake inside of libmuster",
            Status::WrongProcess => c"the handle belongs to another process",
            Status::Busy => c"another thread uses the handle",
            Status::NoAgent => c"no agent listens there",
            Status::Denied => c"permission denied",
            Status::NotMuster => c"what listens there is no agent",
            Status::Version => c"the agent is of another version",
            Status::Broken => c"the connection ended",
            Status::Silent => c"the agent does not answer",
            Status::Refused => c"the agent refused",
            Status::System => c"the system refused",
            Status::Settings => c"the settings are wrong",
            Status::NameTaken => c"the member's name is taken",
            Status::AgentFailed => c"the embedded agent failed",
            Status::AgentEnded => c"the embedded agent has ended",
        }
    }
}
