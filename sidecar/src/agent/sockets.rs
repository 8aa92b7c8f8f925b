//! The sockets of the protocol: UDP and TCP on one address and port.

#[cfg(test)]
mod tests;

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::fd::{AsRawFd, RawFd};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

use muster_swim::limits;
use nix::libc;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, recvmsg, setsockopt,
    sockopt,
};
use smol::Async;
use socket2::{Domain, Protocol, Socket, Type};

use super::rest::{Post, Rest};

/// Received datagrams that the kernel may hold for us, in bytes, as far as it allows: those of a
/// pause, and of a cluster that answers all at once.
const RECEIVE_BUFFER: usize = 4 * 1024 * 1024;

/// The same for those that go out.
const SEND_BUFFER: usize = 1024 * 1024;

/// Datagrams that one call of the kernel brings.
pub(super) const BATCH: usize = 8;

/// One more byte than a datagram may have shows the core that one is too long.
const RECEIVED_BYTES: usize = limits::DATAGRAM_BYTES + 1;

/// Streams that may wait to be accepted.
const BACKLOG: i32 = 1024;

/// The protocol's sockets have descriptors from here on. A process that is killed closes the
/// largest first (Linux: `exit_files`, then `task_work_run` from the last to the first). So when
/// the end of a link makes others ask what became of the process, nobody listens any more and they
/// are refused; whoever was still let in would hear nothing for the time of a ping.
const FIRST_CLOSED: RawFd = 1000;

/// How often a port that is free for UDP is tried for TCP too, when any port will do.
const PORT_TRIES: usize = 64;

/// The open sockets.
#[derive(Debug)]
pub(super) struct Sockets {
    pub(super) datagrams: Datagrams,
    pub(super) listener: Async<TcpListener>,
    /// Where both listen, with the port that was chosen.
    pub(super) addr: SocketAddr,
}

/// The UDP socket; its callers see IPv4 addresses as such, whatever the socket's family.
#[derive(Debug)]
pub(super) struct Datagrams {
    post: Rc<Post>,
    is_dual: bool,
}

/// Room for datagrams that came together, and what it holds.
#[derive(Debug)]
pub(super) struct Batch {
    headers: MultiHeaders<SockaddrStorage>,
    buffers: Box<[[u8; RECEIVED_BYTES]; BATCH]>,
    /// How many bytes each has, and who sent it.
    marks: Vec<(usize, SocketAddr)>,
}

impl Batch {
    pub(super) fn new() -> Batch {
        Batch {
            headers: MultiHeaders::preallocate(BATCH, None),
            buffers: Box::new([[0; RECEIVED_BYTES]; BATCH]),
            marks: Vec::with_capacity(BATCH),
        }
    }

    /// How many it holds.
    pub(super) fn len(&self) -> usize {
        self.marks.len()
    }

    /// One of them, and who sent it.
    pub(super) fn get(&self, at: usize) -> Option<(&[u8], SocketAddr)> {
        let (bytes, from) = *self.marks.get(at)?;
        Some((self.buffers.get(at)?.get(..bytes)?, from))
    }
}

/// A socket that cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum SocketsError {
    /// Another process listens there.
    #[error(
        "{addr} ({protocol}) is in use: another agent may run there; choose another address or port \
         with --bind"
    )]
    InUse {
        /// Where.
        addr: SocketAddr,
        /// `UDP` or `TCP`.
        protocol: &'static str,
    },
    /// The address is not one of this host.
    #[error("{addr} is no address of this host; choose one that is with --bind")]
    NotOurs {
        /// The address.
        addr: SocketAddr,
    },
    /// Something else.
    #[error("cannot listen on {addr} ({protocol}): {error}; choose another address with --bind")]
    Other {
        /// Where.
        addr: SocketAddr,
        /// `UDP` or `TCP`.
        protocol: &'static str,
        /// What the system says.
        error: io::Error,
    },
}

impl Sockets {
    /// Opens both on `addr`. Port 0: on one that is free for both.
    pub(super) fn open(addr: SocketAddr, rest: &Rest) -> Result<Sockets, SocketsError> {
        let mut tries = if addr.port() == 0 { PORT_TRIES } else { 1 };
        loop {
            tries -= 1;
            match Sockets::open_once(addr, rest) {
                Err(SocketsError::InUse { protocol: TCP, .. }) if tries > 0 => {}
                result => return result,
            }
        }
    }

    fn open_once(wanted: SocketAddr, rest: &Rest) -> Result<Sockets, SocketsError> {
        let socket = open_udp(wanted).map_err(|error| fault(wanted, UDP, error))?;
        let addr = socket
            .local_addr()
            .map_err(|error| fault(wanted, UDP, error))?;
        let listener = open_tcp(addr).map_err(|error| fault(addr, TCP, error))?;
        let post = rest.watch(socket);
        let datagrams = Datagrams {
            post: post.map_err(|error| fault(addr, UDP, error))?,
            is_dual: is_dual(addr.ip()),
        };
        Ok(Sockets {
            datagrams,
            listener,
            addr,
        })
    }
}

impl Datagrams {
    /// Takes datagrams that are there, as many as the batch has room for; `WouldBlock` when there
    /// is none. Fewer: there were no more.
    pub(super) fn receive(&self, batch: &mut Batch) -> io::Result<()> {
        batch.marks.clear();
        let received = self.receive_into(batch);
        let is_all = match &received {
            Ok(()) => batch.len() < BATCH,
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
        };
        if is_all {
            self.post.is_read();
        }
        received
    }

    fn receive_into(&self, batch: &mut Batch) -> io::Result<()> {
        let mut slices = batch
            .buffers
            .each_mut()
            .map(|buffer| [IoSliceMut::new(buffer)]);
        let (socket, flags) = (self.post.socket().as_raw_fd(), MsgFlags::MSG_DONTWAIT);
        let received = recvmmsg(socket, &mut batch.headers, &mut slices, flags, None)?;
        for datagram in received {
            let from = datagram.address.as_ref().and_then(socket_addr);
            // The kernel names the sender of every datagram; without one it is of no use.
            let from = from.map_or((Ipv4Addr::UNSPECIFIED, 0).into(), plain);
            batch.marks.push((datagram.bytes, from));
        }
        Ok(())
    }

    /// Hands a datagram to the kernel. Never waits.
    pub(super) fn send(&self, datagram: &[u8], to: SocketAddr) -> io::Result<()> {
        let to = if self.is_dual { mapped(to) } else { to };
        let send = || self.post.socket().send_to(datagram, to).map(drop);
        match send() {
            // Said of an earlier datagram, and once; the error queue says of which. What concerns
            // this one is said again.
            Err(error) if is_of_another(&error) => send(),
            result => result,
        }
    }

    /// Takes the next word of the error queue; `WouldBlock` when there is none. An address: a host
    /// says that nobody listens there, where a datagram of ours went (ip(7), `IP_RECVERR`).
    pub(super) fn take_refusal(&self) -> io::Result<Option<SocketAddr>> {
        let mut head = [0; 16];
        let mut datagram = [IoSliceMut::new(&mut head)];
        let mut control = nix::cmsg_space!([u8; CONTROL_BYTES]);
        let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
        let socket = self.post.socket().as_raw_fd();
        let word = recvmsg::<SockaddrStorage>(socket, &mut datagram, Some(&mut control), flags)?;
        let refused = word.cmsgs()?.any(|message| {
            matches!(
                message,
                ControlMessageOwned::Ipv4RecvErr(error, _)
                | ControlMessageOwned::Ipv6RecvErr(error, _)
                    if is_refusal(&error)
            )
        });
        let to = word.address.as_ref().and_then(socket_addr);
        Ok(to.filter(|_| refused).map(plain))
    }

    /// Whether the error queue may hold a word; true once for each notice.
    pub(super) fn take_trouble(&self) -> bool {
        self.post.take_trouble()
    }

    /// Ready when there may be datagrams or words in the error queue. Pending: the task is woken
    /// then, and when the deadline comes.
    pub(super) fn poll_readable(&self, context: &Context<'_>) -> Poll<()> {
        self.post.poll(context)
    }

    /// When to wake the task that polls, whatever comes.
    pub(super) fn set_deadline(&self, deadline: Option<Instant>) {
        self.post.set_deadline(deadline);
    }
}

/// Room for what the error queue says beside the head of a datagram: `sock_extended_err` and the
/// address of who said it.
const CONTROL_BYTES: usize = 128;

/// Whether an error may be what ICMP told of an earlier datagram (`icmp_err_convert` in Linux, and
/// addresses that no neighbour has).
fn is_of_another(error: &io::Error) -> bool {
    let told = [
        libc::ECONNREFUSED,
        libc::EHOSTUNREACH,
        libc::ENETUNREACH,
        libc::EHOSTDOWN,
        libc::ENONET,
        libc::ENOPROTOOPT,
        libc::EOPNOTSUPP,
        libc::EPROTO,
        libc::EMSGSIZE,
        libc::EACCES,
    ];
    error
        .raw_os_error()
        .is_some_and(|code| told.contains(&code))
}

fn is_refusal(error: &libc::sock_extended_err) -> bool {
    let by_host = [libc::SO_EE_ORIGIN_ICMP, libc::SO_EE_ORIGIN_ICMP6].contains(&error.ee_origin);
    by_host && i32::try_from(error.ee_errno) == Ok(libc::ECONNREFUSED)
}

fn socket_addr(storage: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = storage
        .as_sockaddr_in()
        .map(|addr| SocketAddr::from((addr.ip(), addr.port())));
    v4.or_else(|| {
        let addr = storage.as_sockaddr_in6()?;
        Some(SocketAddr::from((addr.ip(), addr.port())))
    })
}

const UDP: &str = "UDP";
const TCP: &str = "TCP";

fn open_udp(addr: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))?;
    set_family(&socket, addr)?;
    // Both are wishes: the kernel gives less where its own limits are lower.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    let _ = socket.set_send_buffer_size(SEND_BUFFER);
    // Also a wish: without it a dead process is found by silence. A dual socket hears of both.
    if addr.is_ipv6() {
        let _ = setsockopt(&socket, sockopt::Ipv6RecvErr, &true);
    }
    if addr.is_ipv4() || is_dual(addr.ip()) {
        let _ = setsockopt(&socket, sockopt::Ipv4RecvErr, &true);
    }
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    Ok(closed_first(socket).into())
}

fn open_tcp(addr: SocketAddr) -> io::Result<Async<TcpListener>> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    set_family(&socket, addr)?;
    // A restart must not wait for the old connections to fade. A live listener still excludes us.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    Async::new_nonblocking(closed_first(socket).into())
}

/// The same under a large descriptor, if there may be one.
fn closed_first(socket: Socket) -> Socket {
    let moved = rustix::io::fcntl_dupfd_cloexec(&socket, FIRST_CLOSED);
    moved.map_or(socket, Socket::from)
}

fn set_family(socket: &Socket, addr: SocketAddr) -> io::Result<()> {
    if addr.is_ipv6() {
        socket.set_only_v6(!is_dual(addr.ip()))?;
    }
    Ok(())
}

/// Bound to `[::]` a socket serves IPv4 too.
fn is_dual(ip: IpAddr) -> bool {
    ip == IpAddr::V6(Ipv6Addr::UNSPECIFIED)
}

fn fault(addr: SocketAddr, protocol: &'static str, error: io::Error) -> SocketsError {
    if error.kind() == io::ErrorKind::AddrInUse {
        return SocketsError::InUse { addr, protocol };
    }
    if error.kind() == io::ErrorKind::AddrNotAvailable {
        return SocketsError::NotOurs { addr };
    }
    SocketsError::Other {
        addr,
        protocol,
        error,
    }
}

/// An IPv4 address that came as a mapped IPv6 one, as what it is.
pub(super) fn plain(addr: SocketAddr) -> SocketAddr {
    match addr.ip().to_canonical() {
        IpAddr::V4(ip) => SocketAddr::from((ip, addr.port())),
        IpAddr::V6(_) => addr,
    }
}

/// The address as a dual socket wants it.
fn mapped(addr: SocketAddr) -> SocketAddr {
    match addr {
        SocketAddr::V4(v4) => SocketAddr::from((v4.ip().to_ipv6_mapped(), v4.port())),
        SocketAddr::V6(_) => addr,
    }
}

/// The address from which this host would send to `to`. Sends nothing.
pub(super) fn route_to(to: SocketAddr) -> io::Result<IpAddr> {
    let any: IpAddr = match to {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(to)?;
    Ok(socket.local_addr()?.ip().to_canonical())
}
