//! The way to a buddy: whether a stream can be opened, and how large packets may be.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use muster_swim::limits;
use nix::sys::socket::{getsockopt, sockopt};
use rustix::net::sockopt::{
    Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery, ip_mtu, ipv6_mtu, set_ip_mtu_discover,
    set_ipv6_mtu_discover,
};

use super::finding::Finding;

/// A buddy on another continent answers in less.
const PATIENCE: Duration = Duration::from_secs(2);

/// For what routers and hosts say about one large packet.
const WORD: Duration = Duration::from_millis(300);

/// Where nobody listens (RFC 863, discard): a host says so, which proves that the packet came.
const NOBODY: u16 = 9;

/// What a UDP datagram takes beside its body.
const UDP_HEADER: u32 = 8;

/// What a segment takes beside its body: TCP's header with a timestamp.
const TCP_HEADER: u32 = 20 + 12;

/// What came of opening a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Connected {
    /// It is open; segments on it have at most so many bytes.
    Yes { segment: Option<u32> },
    /// The host said that nobody listens.
    Refused,
    /// It was not, and why.
    Failed(String),
}

/// What is known of the way to a buddy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path {
    pub(super) connected: Connected,
    /// Largest packet in bytes, headers included, as far as this host knows.
    pub(super) mtu: Option<u32>,
    /// Whether one of the largest datagrams came through in one piece for sure.
    pub(super) proved: bool,
}

impl Path {
    /// Nothing is known.
    pub(super) fn unknown() -> Path {
        Path {
            connected: Connected::Failed("it was not tried".to_owned()),
            mtu: None,
            proved: false,
        }
    }
}

/// Looks at the way to an address; takes at most [`PATIENCE`] and [`WORD`].
pub(super) fn look(to: SocketAddr) -> Path {
    let connected = connect(to);
    let (known, proved) = discover(to.ip()).unwrap_or((None, false));
    let of_segments = match connected {
        Connected::Yes { segment } => segment.map(|bytes| bytes + TCP_HEADER + ip_header(to.ip())),
        Connected::Refused | Connected::Failed(_) => None,
    };
    Path {
        connected,
        mtu: [known, of_segments].into_iter().flatten().min(),
        proved,
    }
}

fn connect(to: SocketAddr) -> Connected {
    match TcpStream::connect_timeout(&to, PATIENCE) {
        Ok(stream) => Connected::Yes {
            segment: getsockopt(&stream, sockopt::TcpMaxSeg).ok(),
        },
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Connected::Refused,
        Err(error) => Connected::Failed(error.to_string()),
    }
}

/// Has the kernel find out how large packets may be: sends one that must not be cut into pieces, as
/// large as those of Muster get. Gives the size known then, and whether the packet arrived.
fn discover(to: IpAddr) -> io::Result<(Option<u32>, bool)> {
    let any: IpAddr = match to {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0))?;
    match to {
        IpAddr::V4(_) => set_ip_mtu_discover(&socket, Ipv4PathMtuDiscovery::DO)?,
        IpAddr::V6(_) => set_ipv6_mtu_discover(&socket, Ipv6PathMtuDiscovery::DO)?,
    }
    socket.connect((to, NOBODY))?;
    socket.set_read_timeout(Some(WORD))?;
    // What does not fit is told by the size below.
    let sent = socket.send(&[0; limits::DATAGRAM_BYTES]);
    let heard = socket.recv(&mut [0]);
    let proved =
        sent.is_ok() && heard.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
    let known = match to {
        IpAddr::V4(_) => ip_mtu(&socket),
        IpAddr::V6(_) => ipv6_mtu(&socket),
    };
    Ok((known.ok(), proved))
}

/// What a packet to `to` takes that carries the largest datagram.
fn needed(to: IpAddr) -> u32 {
    let body = u32::try_from(limits::DATAGRAM_BYTES).unwrap_or(u32::MAX);
    body + UDP_HEADER + ip_header(to)
}

fn ip_header(of: IpAddr) -> u32 {
    match of {
        IpAddr::V4(_) => 20,
        IpAddr::V6(_) => 40,
    }
}

/// Whether the largest datagrams fit.
pub(super) fn size(name: &str, to: IpAddr, path: &Path) -> Option<Finding> {
    let needed = needed(to);
    let too_small = path.mtu.filter(|mtu| *mtu < needed)?;
    Some(Finding::warn(
        "mtu",
        format!(
            "{name}: packets on the way to {to} have at most {too_small} bytes, the largest of \
             Muster's {needed}: they are cut into pieces, which many firewalls drop"
        ),
        "raise the MTU of the interface or tunnel on the way (ip link show; ip route get) to at \
         least what is needed",
    ))
}

#[cfg(test)]
mod tests;
