//! The sockets of the protocol: UDP and TCP on one address and port.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::fd::AsRawFd;

use nix::libc;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt,
};
use smol::Async;
use socket2::{Domain, Protocol, Socket, Type};

/// Received datagrams that the kernel may hold for us, in bytes, as far as it allows: those of a
/// pause, and of a cluster that answers all at once.
const RECEIVE_BUFFER: usize = 4 * 1024 * 1024;

/// The same for those that go out.
const SEND_BUFFER: usize = 1024 * 1024;

/// Streams that may wait to be accepted.
const BACKLOG: i32 = 1024;

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
    socket: Async<UdpSocket>,
    is_dual: bool,
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
    pub(super) fn open(addr: SocketAddr) -> Result<Sockets, SocketsError> {
        let mut tries = if addr.port() == 0 { PORT_TRIES } else { 1 };
        loop {
            tries -= 1;
            match Sockets::open_once(addr) {
                Err(SocketsError::InUse { protocol: TCP, .. }) if tries > 0 => {}
                result => return result,
            }
        }
    }

    fn open_once(wanted: SocketAddr) -> Result<Sockets, SocketsError> {
        let socket = open_udp(wanted).map_err(|error| fault(wanted, UDP, error))?;
        let addr = socket
            .get_ref()
            .local_addr()
            .map_err(|error| fault(wanted, UDP, error))?;
        let listener = open_tcp(addr).map_err(|error| fault(addr, TCP, error))?;
        let datagrams = Datagrams {
            socket,
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
    /// Takes the next datagram that is there; `WouldBlock` when there is none.
    pub(super) fn receive(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let (bytes, from) = self.socket.get_ref().recv_from(buffer)?;
        Ok((bytes, plain(from)))
    }

    /// Hands a datagram to the kernel. Never waits.
    pub(super) fn send(&self, datagram: &[u8], to: SocketAddr) -> io::Result<()> {
        let to = if self.is_dual { mapped(to) } else { to };
        let send = || self.socket.get_ref().send_to(datagram, to).map(drop);
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
        let socket = self.socket.get_ref().as_raw_fd();
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

    /// Ready when there may be one more datagram.
    pub(super) fn poll_readable(
        &self,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        self.socket.poll_readable(context)
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

fn open_udp(addr: SocketAddr) -> io::Result<Async<UdpSocket>> {
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
    Async::new_nonblocking(socket.into())
}

fn open_tcp(addr: SocketAddr) -> io::Result<Async<TcpListener>> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    set_family(&socket, addr)?;
    // A restart must not wait for the old connections to fade. A live listener still excludes us.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    Async::new_nonblocking(socket.into())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn addresses_cross_a_dual_socket_and_come_back() {
        for (core, kernel) in [
            ("10.0.0.5:7946", "[::ffff:10.0.0.5]:7946"),
            ("[2001:db8::5]:7946", "[2001:db8::5]:7946"),
            ("[::1]:7946", "[::1]:7946"),
        ] {
            assert_eq!(mapped(addr(core)), addr(kernel));
            assert_eq!(plain(addr(kernel)), addr(core));
            assert_eq!(plain(addr(core)), addr(core));
        }
    }

    #[test]
    fn a_free_port_is_the_same_for_both_and_then_taken() {
        let sockets = Sockets::open(addr("127.0.0.1:0")).expect("a free port");
        assert_ne!(sockets.addr.port(), 0);
        let tcp = sockets.listener.get_ref().local_addr().expect("bound");
        assert_eq!(tcp, sockets.addr);
        let again = Sockets::open(sockets.addr).expect_err("in use");
        let expected = format!(
            "{} (UDP) is in use: another agent may run there; choose another address or port with \
             --bind",
            sockets.addr
        );
        assert_eq!(again.to_string(), expected);
    }

    #[test]
    fn a_port_whose_tcp_half_is_taken_is_refused() {
        let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let error = Sockets::open(taken.local_addr().expect("bound")).expect_err("in use");
        assert!(
            matches!(error, SocketsError::InUse { protocol: TCP, .. }),
            "{error}"
        );
    }

    #[test]
    fn an_address_of_another_host_is_named() {
        let error = Sockets::open(addr("192.0.2.1:0")).expect_err("not ours");
        assert_eq!(
            error.to_string(),
            "192.0.2.1:0 is no address of this host; choose one that is with --bind"
        );
    }

    /// Whom the error queue names, once it says anything.
    fn refusal(datagrams: &Datagrams) -> Option<SocketAddr> {
        let readable = std::future::poll_fn(|context| datagrams.poll_readable(context));
        smol::block_on(readable).expect("the error queue wakes");
        datagrams.take_refusal().expect("there is a word")
    }

    #[test]
    fn a_port_where_nobody_listens_is_told_and_no_datagram_is_lost_for_it() {
        for ours in ["127.0.0.1:0", "[::1]:0", "[::]:0"] {
            let sockets = Sockets::open(addr(ours)).expect("a free port");
            let peer = UdpSocket::bind(match ours {
                "[::1]:0" => "[::1]:0",
                _ => "127.0.0.1:0",
            })
            .expect("a free port");
            let gone = {
                let socket = UdpSocket::bind((peer.local_addr().expect("bound").ip(), 0));
                socket.expect("a free port").local_addr().expect("bound")
            };
            sockets.datagrams.send(b"ping", gone).expect("sent");
            assert_eq!(refusal(&sockets.datagrams), Some(gone), "from {ours}");
            let none = sockets.datagrams.take_refusal().expect_err("said once");
            assert_eq!(none.kind(), io::ErrorKind::WouldBlock);
            // The kernel fails the next call for what the last datagram met.
            sockets.datagrams.send(b"ping", gone).expect("sent");
            let to = peer.local_addr().expect("bound");
            sockets
                .datagrams
                .send(b"ack", to)
                .expect("sent all the same");
            let mut buffer = [0; 16];
            assert_eq!(peer.recv_from(&mut buffer).expect("it came").0, 3);
        }
    }

    #[test]
    fn a_dual_socket_hears_and_answers_ipv4() {
        let Ok(sockets) = Sockets::open(addr("[::]:0")) else {
            return assert!(
                UdpSocket::bind("[::1]:0").is_err(),
                "IPv6 works, dual sockets must"
            );
        };
        let peer = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        let here = SocketAddr::from((Ipv4Addr::LOCALHOST, sockets.addr.port()));
        peer.send_to(b"ping", here).expect("sent");
        let mut buffer = [0; 16];
        let readable = std::future::poll_fn(|context| sockets.datagrams.poll_readable(context));
        smol::block_on(readable).expect("readable");
        let (bytes, from) = sockets.datagrams.receive(&mut buffer).expect("it is there");
        assert_eq!(
            (&buffer[..bytes], from),
            (&b"ping"[..], peer.local_addr().expect("bound"))
        );
        sockets.datagrams.send(b"ack", from).expect("sent");
        let (bytes, back) = peer.recv_from(&mut buffer).expect("answered");
        assert_eq!((&buffer[..bytes], back), (&b"ack"[..], here));
    }
}
