//! What becomes of packets, without nodes.

use std::net::IpAddr;
use std::ops::Range;

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

const MS: Duration = Duration::from_millis(1);

/// A network without chance: every packet takes a millisecond.
fn exact(faults: Faults) -> Network {
    Network::new(Faults {
        latency: (MS..MS).into(),
        ..faults
    })
}

/// How many of `count` datagrams sent at once arrive.
fn arrive(network: &mut Network, count: usize, from: u8, to: u8) -> usize {
    let mut dice = Dice::new(1);
    let mut once = || {
        let packet = packet(from, to, 100, Time::ZERO);
        network.datagram(packet, &mut dice).len()
    };
    (0..count).map(|_| once()).sum()
}

#[test]
fn faults_that_are_off_draw_nothing() {
    let mut dice = Dice::new(1);
    let mut network = exact(Faults::default());
    for _ in 0..10 {
        let delays = network.datagram(packet(1, 2, 100, Time::ZERO), &mut dice);
        assert_eq!(delays[..], [MS]);
        let delay = network.segment(packet(1, 2, 100, Time::ZERO), MS, &mut dice);
        assert_eq!(delay, MS);
    }
    assert_eq!(dice.seed(), Dice::new(1).seed());
}

#[test]
fn a_loss_of_datagrams_leaves_streams_alone() {
    let mut network = exact(Faults {
        datagram_loss: 1.0,
        ..Faults::default()
    });
    assert_eq!(arrive(&mut network, 100, 1, 2), 0);
    assert!(network.is_open(host(1), host(2)));
    let delay = network.segment(packet(1, 2, 100, Time::ZERO), MS, &mut Dice::new(1));
    assert_eq!(delay, MS);
}

#[test]
fn a_host_can_lose_what_it_hears_or_what_it_says() {
    let mut network = exact(Faults::default());
    network.lose(host(1), 0.5, 0.2);
    let counts = |network: &mut Network| {
        [(1, 2), (2, 1), (2, 3), (1, 1)].map(|(from, to)| arrive(network, 1000, from, to))
    };
    let ranges: [Range<usize>; 4] = [750..850, 450..550, 1000..1001, 1000..1001];
    let seen = counts(&mut network);
    for (seen, range) in seen.iter().zip(&ranges) {
        assert!(range.contains(seen), "{seen} of 1000 instead of {range:?}");
    }
    network.lose(host(1), 1.0, 0.0);
    assert_eq!(counts(&mut network), [1000, 0, 1000, 1000]);
    assert!(!network.is_open(host(2), host(1)), "nor do streams pass");
    network.lose(host(1), 0.0, 1.0);
    assert!(!network.is_open(host(1), host(2)));
    assert!(network.is_open(host(2), host(1)));
    network.lose(host(1), 0.0, 0.0);
    assert_eq!(counts(&mut network), [1000; 4]);
}

#[test]
fn two_that_are_separated_both_reach_a_third() {
    let mut network = Network::default();
    network.separate(&[host(1)], &[host(3), host(1)]);
    let open = |network: &Network| {
        [(1, 2), (2, 1), (2, 3), (3, 2), (1, 3), (3, 1)]
            .map(|(from, to)| network.is_open(host(from), host(to)))
    };
    assert_eq!(open(&network), [true, true, true, true, false, false]);
    assert!(network.is_open(host(1), host(1)), "a host reaches itself");
    network.mend(host(1), host(3));
    assert_eq!(open(&network), [true, true, true, true, true, false]);
    network.heal();
    assert_eq!(open(&network), [true; 6]);
}

#[test]
fn a_link_can_be_slower_than_all_others_and_is_mended() {
    let mut network = exact(Faults::default());
    network.link(host(1), host(2)).latency = (5 * MS..5 * MS).into();
    let delay = |network: &mut Network, from, to| {
        network.datagram(packet(from, to, 100, Time::ZERO), &mut Dice::new(1))[0]
    };
    assert_eq!(delay(&mut network, 1, 2), 5 * MS);
    assert_eq!(delay(&mut network, 2, 1), MS);
    network.mend(host(1), host(2));
    assert_eq!(delay(&mut network, 1, 2), MS);
}

#[test]
fn bursts_lose_packets_in_a_row_on_each_link_by_itself() {
    let mut network = exact(Faults {
        burst: Some(Burst {
            loss: 1.0,
            lasts: 100 * MS,
            every: 1000 * MS,
        }),
        ..Faults::default()
    });
    let mut dice = Dice::new(5);
    let mut lost = [Vec::new(), Vec::new()];
    for at in 0..200_000 {
        for (way, lost) in [(1, 2), (2, 1)].iter().zip(&mut lost) {
            let packet = packet(way.0, way.1, 100, Time::ZERO + at * MS);
            lost.push(network.datagram(packet, &mut dice).is_empty());
        }
    }
    let share =
        |lost: &[bool]| lost.iter().filter(|lost| **lost).count() as f64 / lost.len() as f64;
    for lost in &lost {
        assert!((0.08..0.12).contains(&share(lost)), "{}", share(lost));
        let after_a_loss: Vec<bool> = lost
            .windows(2)
            .filter(|pair| pair[0])
            .map(|pair| pair[1])
            .collect();
        let goes_on = share(&after_a_loss);
        assert!(goes_on > 0.97, "a burst goes on: {goes_on}");
    }
    let both: Vec<bool> = lost[0]
        .iter()
        .zip(&lost[1])
        .map(|(a, b)| *a && *b)
        .collect();
    assert!(
        share(&both) < 0.03,
        "the ways are hurt apart: {}",
        share(&both)
    );
}

#[test]
fn what_a_segment_meets_later_is_not_todays_weather() {
    for seed in 0..200 {
        let mut network = exact(Faults {
            burst: Some(Burst {
                loss: 1.0,
                lasts: 1000 * MS,
                every: 3000 * MS,
            }),
            ..Faults::default()
        });
        let mut dice = Dice::new(seed);
        let packet = packet(1, 2, 100, Time::ZERO);
        let today = network.datagram(packet, &mut dice).is_empty();
        network.segment(packet, RETRANSMIT_MIN, &mut dice);
        assert_eq!(network.datagram(packet, &mut dice).is_empty(), today);
    }
}

/// 1,000 packets of 1,000 bytes in a second, and five of them may wait.
const NARROW: Bandwidth = Bandwidth {
    bytes_per_s: 1_000_000,
    queue_bytes: 5000,
};

fn narrow() -> Network {
    exact(Faults {
        bandwidth: Some(NARROW),
        ..Faults::default()
    })
}

#[test]
fn datagrams_wait_behind_each_other_and_what_does_not_fit_is_dropped() {
    let mut network = narrow();
    let mut dice = Dice::new(1);
    let mut send = |at: Duration, from, to| {
        let packet = packet(from, to, 1000 - UDP_HEADERS, Time::ZERO + at);
        network.datagram(packet, &mut dice).first().copied()
    };
    // Whomever they go to, they leave through one uplink.
    let delays: Vec<_> = (0..7).map(|to| send(Duration::ZERO, 1, 2 + to)).collect();
    let fits: Vec<_> = (2..7).map(|ms| Some(ms * MS)).collect();
    assert_eq!(delays[..5], fits[..]);
    assert_eq!(delays[5..], [None, None]);
    assert_eq!(send(Duration::ZERO, 3, 1), Some(2 * MS), "another host");
    assert_eq!(send(Duration::ZERO, 1, 1), Some(MS), "itself");
    assert_eq!(send(MS, 1, 2), Some(6 * MS), "one has left");
    assert_eq!(send(20 * MS, 1, 2), Some(2 * MS), "all have left");
}

#[test]
fn segments_wait_without_end_and_leave_room_for_datagrams() {
    let mut network = narrow();
    let mut dice = Dice::new(1);
    let segment = |network: &mut Network, dice: &mut Dice| {
        let packet = packet(1, 2, 1000 - TCP_HEADERS, Time::ZERO);
        network.segment(packet, MS, dice)
    };
    for count in 1..=20 {
        assert_eq!(segment(&mut network, &mut dice), (count + 1) * MS);
    }
    // Half of the queue is theirs: 2.5 packets.
    let datagram = packet(1, 2, 1000 - UDP_HEADERS, Time::ZERO);
    let mut delays = || network.datagram(datagram, &mut dice).first().copied();
    let half = Duration::from_micros(2500);
    assert_eq!(delays(), Some(half + 2 * MS));
    assert_eq!(delays(), Some(half + 3 * MS));
    assert_eq!(delays(), None);
    // Nothing is sent twice as fast: what came between is paid for.
    assert_eq!(segment(&mut network, &mut dice), (20 + 2 + 1 + 1) * MS);
}

#[test]
fn datagrams_larger_than_the_mtu_vanish() {
    let mut network = exact(Faults {
        mtu: Some(600),
        ..Faults::default()
    });
    let mut dice = Dice::new(1);
    let mut arrives = |bytes| {
        let packet = packet(1, 2, bytes, Time::ZERO);
        !network.datagram(packet, &mut dice).is_empty()
    };
    assert!(arrives(600 - UDP_HEADERS));
    assert!(!arrives(600 - UDP_HEADERS + 1));
    assert_eq!(network.segment_bytes(host(1), host(2)), Some(560));
    network.link(host(1), host(2)).mtu = None;
    assert_eq!(network.segment_bytes(host(1), host(2)), None);
}

#[test]
fn lost_packets_that_open_a_connection_cost_a_second() {
    let mut network = exact(Faults {
        loss: 0.5,
        ..Faults::default()
    });
    let mut dice = Dice::new(1);
    let mut delays: Vec<Duration> = (0..200)
        .map(|_| network.segment(packet(1, 2, 0, Time::ZERO), RETRANSMIT_FIRST, &mut dice))
        .collect();
    delays.sort();
    delays.dedup();
    let lost = [0, 1, 3, 7].map(|seconds| Duration::from_secs(seconds) + MS);
    assert_eq!(delays, lost);
}

#[test]
fn quantiles_are_met() {
    let quantiles = Quantiles {
        min: 2 * MS,
        median: 10 * MS,
        p90: 50 * MS,
        p99: 200 * MS,
        max: 1000 * MS,
    };
    let latency = Latency::Quantiles(quantiles);
    let mut dice = Dice::new(1);
    let mut drawn: Vec<Duration> = (0..100_000).map(|_| latency.draw(&mut dice)).collect();
    drawn.sort();
    let expected = [
        (0, 2.0),
        (25_000, 6.0),
        (50_000, 10.0),
        (70_000, 30.0),
        (90_000, 50.0),
        (99_000, 200.0),
        (99_999, 1000.0),
    ];
    for (rank, ms) in expected {
        let seen = drawn[rank].as_secs_f64() * 1000.0;
        assert!(
            (seen / ms - 1.0).abs() < 0.05,
            "{seen} ms at {rank}, not {ms}"
        );
    }
    assert!(drawn[0] >= 2 * MS && drawn[99_999] < 1000 * MS);
}

#[test]
fn every_fault_out_of_its_range_is_named() {
    assert_eq!(Faults::default().check(), []);
    let good = Faults {
        latency: Latency::Quantiles(Quantiles {
            min: MS,
            median: MS,
            p90: MS,
            p99: MS,
            max: MS,
        }),
        burst: Some(Burst {
            loss: 1.0,
            lasts: MS,
            every: 2 * MS,
        }),
        bandwidth: Some(NARROW),
        mtu: Some(576),
        ..Faults::default()
    };
    assert_eq!(good.check(), []);
    let bad = Faults {
        latency: (2 * MS..MS).into(),
        loss: -0.1,
        datagram_loss: f64::NAN,
        burst: Some(Burst {
            loss: 1.5,
            lasts: 10 * MS,
            every: 10 * MS,
        }),
        duplicate: 2.0,
        reorder: f64::INFINITY,
        reorder_by: 100_000 * MS,
        bandwidth: Some(Bandwidth {
            bytes_per_s: 0,
            queue_bytes: 1,
        }),
        mtu: Some(67),
    };
    let words: Vec<String> = bad.check().iter().map(FaultError::to_string).collect();
    assert_eq!(
        words,
        [
            "latency.max is 1ms, allowed is 2ms to 60s",
            "loss is -0.1, allowed is 0 to 1",
            "datagram_loss is NaN, allowed is 0 to 1",
            "burst.loss is 1.5, allowed is 0 to 1",
            "burst.every is 10ms, allowed is 11ms to 86400s",
            "duplicate is 2, allowed is 0 to 1",
            "reorder is inf, allowed is 0 to 1",
            "reorder_by is 100s, allowed is 0ns to 60s",
            "bandwidth.bytes_per_s is 0, allowed is 1000 to 100000000000",
            "bandwidth.queue_bytes is 1, allowed is 1500 to 1073741824",
            "mtu is 67, allowed is 68 to 65535",
        ]
    );
    let unsorted = Faults {
        latency: Latency::Quantiles(Quantiles {
            min: MS,
            median: 3 * MS,
            p90: 2 * MS,
            p99: 4 * MS,
            max: 4 * MS,
        }),
        ..Faults::default()
    };
    let words: Vec<String> = unsorted.check().iter().map(FaultError::to_string).collect();
    assert_eq!(words, ["latency.p90 is 2ms, allowed is 3ms to 60s"]);
}
