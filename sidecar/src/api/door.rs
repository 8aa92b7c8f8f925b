//! The ways in: the local socket, whose kernel tells who asks, and the TCP address.

use std::cell::Cell;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;

use hyper::StatusCode;
use hyper::http::request::Parts;
use smol::Async;
use smol::io::{AsyncRead, AsyncWrite};

use super::access::{Access, Peer};
use super::http::{self, HttpListener};
use super::problem::{Kind, Problem};
use super::socket::Listener;

/// What accepts connections.
pub(super) trait Door {
    /// A connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + 'static;

    /// What it is in metrics and in the log.
    const NAME: DoorName;

    /// Waits for the next connection.
    async fn accept(&self) -> io::Result<Self::Stream>;

    /// Who is at its other end.
    fn caller(stream: &Self::Stream) -> io::Result<Caller>;
}

/// Which door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DoorName {
    Socket,
    Http,
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caller {
    /// A process of this host.
    Local(Peer),
    /// Whoever reaches the TCP address.
    Remote(SocketAddr),
}

/// What came through one door so far.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    /// Connections open now.
    pub(super) connections: Cell<usize>,
    /// Connections refused, as too many were open.
    pub(super) refused: Cell<u64>,
    /// Answers with a status of 2xx, 4xx and 5xx.
    pub(super) answers: [Cell<u64>; 3],
}

/// What came through all doors.
#[derive(Debug, Default)]
pub(super) struct Doors {
    pub(super) socket: Traffic,
    pub(super) http: Traffic,
}

impl Door for Listener {
    type Stream = Async<UnixStream>;
    const NAME: DoorName = DoorName::Socket;

    async fn accept(&self) -> io::Result<Async<UnixStream>> {
        Ok(self.inner.accept().await?.0)
    }

    fn caller(stream: &Async<UnixStream>) -> io::Result<Caller> {
        Peer::of(stream).map(Caller::Local)
    }
}

impl Door for HttpListener {
    type Stream = Async<TcpStream>;
    const NAME: DoorName = DoorName::Http;

    async fn accept(&self) -> io::Result<Async<TcpStream>> {
        let (stream, _) = self.inner.accept().await?;
        // An answer goes out in one piece; it is not to wait for the other end's acknowledgement.
        stream.get_ref().set_nodelay(true)?;
        Ok(stream)
    }

    fn caller(stream: &Async<TcpStream>) -> io::Result<Caller> {
        stream.get_ref().peer_addr().map(Caller::Remote)
    }
}

impl DoorName {
    pub(super) const ALL: [DoorName; 2] = [DoorName::Socket, DoorName::Http];

    /// The word in metrics and in the log.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            DoorName::Socket => "socket",
            DoorName::Http => "http",
        }
    }
}

impl Caller {
    /// Refuses whoever may not even read.
    pub(super) fn admit(
        &self,
        head: &Parts,
        access: &Access,
        hosts: &[String],
    ) -> Result<(), Problem> {
        match self {
            Caller::Local(peer) if access.may_read(peer) => Ok(()),
            Caller::Local(peer) => Err(Problem::not_allowed(peer, false)),
            Caller::Remote(_) => http::check(head, hosts),
        }
    }

    /// Refuses whoever may not change things.
    pub(super) fn admit_change(&self, access: &Access) -> Result<(), Problem> {
        match self {
            Caller::Local(peer) if access.may_change(peer) => Ok(()),
            Caller::Local(peer) => Err(Problem::not_allowed(peer, true)),
            Caller::Remote(_) => Err(Problem::new(
                Kind::ReadOnly,
                "the TCP address only reads: ask for changes on the agent's UNIX socket",
            )),
        }
    }

    /// Refuses whoever may only read what everybody may know.
    pub(super) fn admit_secret(&self, access: &Access) -> Result<(), Problem> {
        match self {
            Caller::Local(_) => self.admit_change(access),
            Caller::Remote(_) => Err(Problem::new(
                Kind::ReadOnly,
                "the TCP address does not show keys: ask for them on the agent's UNIX socket",
            )),
        }
    }

    /// The process, for the log.
    pub(super) fn peer(&self) -> Option<&Peer> {
        match self {
            Caller::Local(peer) => Some(peer),
            Caller::Remote(_) => None,
        }
    }

    /// The address, for the log.
    pub(super) fn from(&self) -> Option<SocketAddr> {
        match self {
            Caller::Local(_) => None,
            Caller::Remote(from) => Some(*from),
        }
    }
}

impl Traffic {
    pub(super) const CLASSES: [&str; 3] = ["2xx", "4xx", "5xx"];

    pub(super) fn count(&self, status: StatusCode) {
        let [fine, refused, failed] = &self.answers;
        let counter = if status.is_server_error() {
            failed
        } else if status.is_client_error() {
            refused
        } else {
            fine
        };
        counter.set(counter.get() + 1);
    }
}

impl Doors {
    pub(super) fn traffic(&self, name: DoorName) -> &Traffic {
        match name {
            DoorName::Socket => &self.socket,
            DoorName::Http => &self.http,
        }
    }
}
