//! The cost of a quiet cluster: the same for every member, whatever its size.

use std::time::Duration;

use muster_swim::Config;
use muster_swim::sim::{Cluster, Launch, Options};

use crate::support::*;

/// IPv4 and UDP headers of a datagram.
const HEADER_BYTES: u64 = 28;

/// What sealing will add to a datagram.
const SEAL_BYTES: u64 = 41;

/// Packets and bytes on the wire that a member sends in a second.
fn cost(seed: u64, count: usize, measured: Duration) -> (f64, f64) {
    let options = Options {
        watch: count <= 200,
        ..options()
    };
    let mut cluster = Cluster::new(seed, options);
    // Fewer repetitions change nothing once all is said, and are sooner through.
    let config = Config {
        gossip_multiplier: 1,
        ..Config::default()
    };
    let pids = cluster.grow(count, |at| hinting(at).config(config.clone()));
    must(
        &mut cluster,
        secs(60),
        "the members find each other",
        Cluster::agrees,
    );
    cluster.run_for(secs(60 + count as u64 / 25));
    let before: Vec<_> = pids.iter().map(|pid| cluster.traffic(*pid)).collect();
    cluster.run_for(measured);
    assert!(cluster.agrees(), "quiet is quiet");
    let (mut packets, mut bytes) = (0, 0);
    let mut most = 0;
    for (pid, before) in pids.iter().zip(&before) {
        let traffic = cluster.traffic(*pid).since(before);
        let own = traffic.datagrams_sent;
        let on_wire = traffic.bytes_sent + own * (HEADER_BYTES + SEAL_BYTES);
        packets += own;
        bytes += on_wire;
        most = most.max(on_wire);
        assert_eq!(traffic.streams_opened, 0, "quiet members open no streams");
        assert_eq!(
            cluster.node(*pid).stats().datagrams_sent,
            cluster.traffic(*pid).datagrams_sent
        );
    }
    let share = count as f64 * measured.as_secs_f64();
    let (packets, bytes) = (packets as f64 / share, bytes as f64 / share);
    println!(
        "{count} members: each sends {packets:.3} packets/s and {bytes:.1} B/s, the busiest {:.1} B/s",
        most as f64 / measured.as_secs_f64()
    );
    (packets, bytes)
}

fn stays_within_budget(seed: u64, count: usize, measured: Duration) {
    let (packets, bytes) = cost(seed, count, measured);
    assert!(packets <= 2.1, "{packets} packets/s at {count} members");
    assert!(bytes <= 270.0, "{bytes} B/s at {count} members");
}

#[test]
fn a_quiet_member_costs_the_same_among_10_60_and_150() {
    for count in [10, 60, 150] {
        stays_within_budget(1, count, secs(120));
    }
}

#[test]
fn a_quiet_member_costs_the_same_among_a_thousand() {
    stays_within_budget(1, 1000, secs(20));
}

#[test]
fn names_of_usual_length_stay_within_the_budget() {
    let mut cluster = Cluster::new(1, options());
    let named = |at| {
        let mut launch = Launch::new(
            &format!("web-7d4b9c6f5-{at:05}.prod"),
            Launch::numbered(at).addr,
        );
        launch.tags = muster_swim::Tags::new([("zone", "eu-west-1a"), ("role", "web")])
            .expect("the tags fit");
        launch
    };
    let pids = cluster.grow(60, named);
    must(
        &mut cluster,
        secs(60),
        "the members find each other",
        Cluster::agrees,
    );
    cluster.run_for(secs(60));
    let before: Vec<_> = pids.iter().map(|pid| cluster.traffic(*pid)).collect();
    cluster.run_for(secs(120));
    let traffic = pids
        .iter()
        .zip(&before)
        .map(|(pid, before)| cluster.traffic(*pid).since(before));
    let bytes: u64 = traffic
        .map(|traffic| traffic.bytes_sent + traffic.datagrams_sent * (HEADER_BYTES + SEAL_BYTES))
        .sum();
    let each = bytes as f64 / 60.0 / 120.0;
    println!("names of 24 bytes: {each:.1} B/s");
    // What every member may cost, and its share of 12 packets a second of all voters together
    // (DESIGN 4.1), each of them with headers and sealing.
    let share = 12.0 * (HEADER_BYTES as f64 + SEAL_BYTES as f64 + 75.0) / 60.0;
    assert!(each <= 270.0 + share, "{each:.1} B/s");
}
