use super::*;

fn rest() -> Rest {
    Rest::new().expect("descriptors are there")
}

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
    let sockets = Sockets::open(addr("127.0.0.1:0"), &rest()).expect("a free port");
    assert_ne!(sockets.addr.port(), 0);
    let tcp = sockets.listener.get_ref().local_addr().expect("bound");
    assert_eq!(tcp, sockets.addr);
    let again = Sockets::open(sockets.addr, &rest()).expect_err("in use");
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
    let error = Sockets::open(taken.local_addr().expect("bound"), &rest()).expect_err("in use");
    assert!(
        matches!(error, SocketsError::InUse { protocol: TCP, .. }),
        "{error}"
    );
}

#[test]
fn an_address_of_another_host_is_named() {
    let error = Sockets::open(addr("192.0.2.1:0"), &rest()).expect_err("not ours");
    assert_eq!(
        error.to_string(),
        "192.0.2.1:0 is no address of this host; choose one that is with --bind"
    );
}

/// Whom the error queue names, once it says anything.
fn refusal(rest: &Rest, datagrams: &Datagrams) -> Option<SocketAddr> {
    rest.block_on(std::future::poll_fn(|context| {
        // What was there before the notice is taken, so that the notice is waited for.
        let _ = datagrams.receive(&mut Batch::new());
        datagrams.poll_readable(context)
    }));
    assert!(datagrams.take_trouble(), "the error queue wakes");
    datagrams.take_refusal().expect("there is a word")
}

#[test]
fn a_port_where_nobody_listens_is_told_and_no_datagram_is_lost_for_it() {
    for ours in ["127.0.0.1:0", "[::1]:0", "[::]:0"] {
        let rest = rest();
        let sockets = Sockets::open(addr(ours), &rest).expect("a free port");
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
        assert_eq!(
            refusal(&rest, &sockets.datagrams),
            Some(gone),
            "from {ours}"
        );
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
    let rest = rest();
    let Ok(sockets) = Sockets::open(addr("[::]:0"), &rest) else {
        return assert!(
            UdpSocket::bind("[::1]:0").is_err(),
            "IPv6 works, dual sockets must"
        );
    };
    let peer = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let here = SocketAddr::from((Ipv4Addr::LOCALHOST, sockets.addr.port()));
    let count = BATCH + 2;
    for _ in 0..count {
        peer.send_to(b"ping", here).expect("sent");
    }
    let (mut batch, mut taken) = (Batch::new(), 0);
    while taken < count {
        let readable = std::future::poll_fn(|context| sockets.datagrams.poll_readable(context));
        rest.block_on(readable);
        sockets.datagrams.receive(&mut batch).expect("it is there");
        for at in 0..batch.len() {
            let from = peer.local_addr().expect("bound");
            assert_eq!(batch.get(at), Some((&b"ping"[..], from)));
        }
        taken += batch.len();
    }
    let from = peer.local_addr().expect("bound");
    sockets.datagrams.send(b"ack", from).expect("sent");
    let mut buffer = [0; 16];
    let (bytes, back) = peer.recv_from(&mut buffer).expect("answered");
    assert_eq!((&buffer[..bytes], back), (&b"ack"[..], here));
}
