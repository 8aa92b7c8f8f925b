//! What becomes of packets, without nodes.

use std::net::IpAddr;

use super::*;

fn host(number: u8) -> IpAddr {
    IpAddr::from([10, 0, 0, number])
}

fn packet(from: u8, to: u8, bytes: usize, at: Time) -> Packet {
    Packet {
        from: host(from),
        to: host(to),
        bytes,
        at,
    }
}

#[test]
fn datagrams_meet_the_faults_of_their_link() {
    let mut dice = Dice::new(1);
    let mut network = Network::default();
    let count = |network: &mut Network, dice: &mut Dice, from, to| {
        (0..1000)
            .map(|_| {
                network
                    .datagram(packet(from, to, 100, Time::ZERO), dice)
                    .len()
            })
            .sum::<usize>()
    };
    assert_eq!(count(&mut network, &mut dice, 1, 2), 1000);
    network.link(host(1), host(2)).loss = 0.25;
    let arrived = count(&mut network, &mut dice, 1, 2);
    assert!(
        (700..800).contains(&arrived),
        "{arrived} of 1000 at a loss of a quarter"
    );
    assert_eq!(
        count(&mut network, &mut dice, 2, 1),
        1000,
        "the other way is as it was"
    );
    network.heal();
    network.faults().duplicate = 0.5;
    let arrived = count(&mut network, &mut dice, 1, 2);
    assert!(
        (1400..1600).contains(&arrived),
        "{arrived} of 1000 with half of them doubled"
    );
}

#[test]
fn cuts_deafness_muteness_and_partitions_close_paths() {
    let mut network = Network::default();
    let open = |network: &Network| {
        [(1, 2), (2, 1), (1, 3), (3, 1), (2, 3), (3, 2)]
            .map(|(from, to)| network.is_open(host(from), host(to)))
    };
    assert_eq!(open(&network), [true; 6]);
    network.cut(host(1), host(2));
    assert_eq!(open(&network), [false, true, true, true, true, true]);
    network.heal();
    network.deafen(host(1));
    assert_eq!(open(&network), [true, false, true, false, true, true]);
    network.heal();
    network.mute(host(1));
    assert_eq!(open(&network), [false, true, false, true, true, true]);
    network.heal();
    network.partition(&[vec![host(3)]]);
    assert_eq!(open(&network), [true, true, false, false, false, false]);
    network.heal();
    network.set_down(host(2), true);
    assert_eq!(open(&network), [false, false, true, true, false, false]);
    network.heal();
    assert!(
        !network.is_open(host(1), host(2)),
        "healing switches no host on"
    );
}
