use std::net::{IpAddr, TcpListener};

use super::{Connected, Path, look, size};

fn path(mtu: Option<u32>) -> Path {
    Path {
        connected: Connected::Refused,
        mtu,
        proved: false,
    }
}

#[test]
fn the_largest_datagram_and_its_headers_must_fit() {
    let (v4, v6): (IpAddr, IpAddr) = ([10, 0, 0, 2].into(), [0; 16].into());
    let fits = |to, mtu| size("n2", to, &path(Some(mtu))).is_none();
    assert!(fits(v4, 1228) && !fits(v4, 1227));
    assert!(fits(v6, 1248) && !fits(v6, 1247));
    assert_eq!(
        size("n2", v4, &path(None)),
        None,
        "what is not known is not told"
    );
    let found = size("n2", v4, &path(Some(1000))).expect("too small").found;
    assert!(
        found.contains("at most 1000 bytes") && found.contains("1228"),
        "{found}"
    );
}

#[test]
fn the_way_to_this_host_is_open_wide_and_proved() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let to = listener.local_addr().expect("it is bound");
    let found = look(to);
    assert!(
        matches!(found.connected, Connected::Yes { segment: Some(_) }),
        "{found:?}"
    );
    assert!(found.mtu.is_some_and(|mtu| mtu >= 1500), "{found:?}");
    drop(listener);
    assert_eq!(look(to).connected, Connected::Refused);
}
