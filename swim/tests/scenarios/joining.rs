//! Joining: in any order, through any seed, at any time.

use std::net::SocketAddr;

use muster_swim::sim::{Cluster, Launch, Pid};
use muster_swim::{Lifecycle, Name, SeedError, State, Tags};

use crate::support::*;

#[test]
fn members_that_start_in_any_order_through_any_seed_find_each_other() {
    for seed in seeds(0..30) {
        let mut cluster = Cluster::new(seed, options());
        let count = cluster.dice().number(2..25);
        let mut order: Vec<usize> = (0..count).collect();
        order = cluster.dice().sample(&order, count);
        for at in order {
            // The seed of a member is any smaller one, started or not: all hang together.
            let mut launch = hinting(at);
            if at > 0 {
                let seed = cluster.dice().number(0..at);
                launch = launch.seed(Launch::numbered(seed).addr);
            }
            cluster.launch(launch);
            let pause = cluster.dice().duration(&(ms(0)..secs(3)));
            cluster.run_for(pause);
        }
        must(
            &mut cluster,
            secs(40),
            "all find each other",
            Cluster::agrees,
        );
        cluster.check();
    }
}

#[test]
fn fifty_join_through_one_seed_at_one_instant() {
    for seed in seeds(0..5) {
        let mut cluster = Cluster::new(seed, options());
        cluster.grow(51, hinting);
        let took = must(&mut cluster, secs(5), "all know all", Cluster::agrees);
        println!("seed {seed}: 51 members know each other after {took:?}");
        let alarms = all_told(&cluster, "member-suspect", muster_swim::Time::ZERO);
        assert_eq!(alarms, [], "joining accuses nobody");
        cluster.check();
    }
}

#[test]
fn two_clusters_merge_when_one_member_names_a_seed_in_the_other() {
    for seed in seeds(0..10) {
        let mut cluster = Cluster::new(seed, options());
        let left = cluster.grow(7, hinting);
        let right = cluster.grow(5, |at| hinting(at + 100));
        cluster.run_for(secs(10));
        assert!(!cluster.agrees(), "nobody knows of the other side yet");
        let to_right = cluster.launched(right[0]).addr.to_string();
        let to_left = cluster.launched(left[3]).addr.to_string();
        cluster.join(left[1], &[to_right]);
        cluster.join(right[2], &[to_left]);
        must(
            &mut cluster,
            secs(5),
            "two clusters are one",
            Cluster::agrees,
        );
    }
}

#[test]
fn a_seed_name_is_resolved_again_at_every_try() {
    for seed in seeds(0..10) {
        let mut cluster = Cluster::new(seed, options());
        let name = "seed.example:7946";
        let joiner = cluster.launch(hinting(1).seed(name));
        cluster.run_for(secs(10));
        assert_eq!(seed_error(&cluster, joiner), Some(SeedError::Unresolved));
        // Now it has an address, but an old one where nobody is.
        cluster.set_name(name, &[Launch::numbered(99).addr]);
        cluster.run_for(secs(60));
        assert_eq!(cluster.node(joiner).lifecycle(), Lifecycle::Joining);
        let first = cluster.launch(hinting(0));
        cluster.set_name(name, &[cluster.launched(first).addr]);
        must(
            &mut cluster,
            secs(60),
            "the new address is found",
            Cluster::agrees,
        );
        assert_eq!(cluster.node(joiner).lifecycle(), Lifecycle::Member);
        assert_eq!(seed_error(&cluster, joiner), None);
    }
}

#[test]
fn a_name_that_lists_the_whole_cluster_and_oneself_is_a_good_seed() {
    for seed in seeds(0..10) {
        let mut cluster = Cluster::new(seed, options());
        let name = "all.example:7946";
        let everyone: Vec<SocketAddr> = (0..8).map(|at| Launch::numbered(at).addr).collect();
        cluster.set_name(name, &everyone);
        for at in 0..8 {
            cluster.launch(hinting(at).seed(name));
        }
        must(
            &mut cluster,
            secs(30),
            "eight equal members find each other",
            Cluster::agrees,
        );
    }
}

#[test]
fn a_member_whose_only_seed_is_itself_starts_alone() {
    let mut cluster = Cluster::new(1, options());
    let launch = hinting(0);
    let own = launch.addr;
    let pid = cluster.launch(launch.seed(own));
    must(&mut cluster, secs(1), "it waits for nobody", |cluster| {
        cluster.node(pid).lifecycle() == Lifecycle::Member
    });
    let traffic = cluster.traffic(pid);
    assert_eq!((traffic.streams_opened, traffic.datagrams_sent), (0, 0));
}

#[test]
fn joining_is_retried_for_ever_with_growing_pauses() {
    let mut cluster = Cluster::new(1, options());
    let first = Launch::numbered(0).addr;
    let joiner = cluster.launch(hinting(1).seed(first));
    // The seed's host is there, and refuses.
    cluster.run_for(secs(60));
    let at_first = cluster.traffic(joiner).streams_opened;
    assert!(
        (4..=12).contains(&at_first),
        "{at_first} tries in the first minute"
    );
    cluster.run_for(48 * HOUR);
    let before = cluster.traffic(joiner).streams_opened;
    cluster.run_for(HOUR);
    let hourly = cluster.traffic(joiner).streams_opened - before;
    assert!(
        (100..=150).contains(&hourly),
        "{hourly} tries in an hour two days later"
    );
    assert_eq!(seed_error(&cluster, joiner), Some(SeedError::Refused));
    cluster.launch(hinting(0));
    must(
        &mut cluster,
        secs(40),
        "the seed appears at last",
        Cluster::agrees,
    );
}

#[test]
fn a_seed_behind_a_dead_path_is_tried_again_without_any_answer() {
    let mut cluster = Cluster::new(1, options());
    let seed = cluster.launch(hinting(0));
    let host = cluster.host(seed);
    cluster.network().deafen(host);
    let joiner = cluster.launch(hinting(1).seed(Launch::numbered(0).addr));
    cluster.run_for(HOUR);
    assert_eq!(seed_error(&cluster, joiner), Some(SeedError::Unanswered));
    cluster.network().heal();
    must(&mut cluster, secs(60), "the path is back", Cluster::agrees);
}

#[test]
fn the_traffic_of_another_cluster_is_refused() {
    let (mut cluster, pids) = settled(1, 3);
    let mut stranger = hinting(50).seed(Launch::numbered(0).addr);
    stranger.cluster = Name::new("another").expect("a name");
    let stranger = cluster.launch(stranger);
    cluster.run_for(secs(30));
    assert_eq!(
        seed_error(&cluster, stranger),
        Some(SeedError::OtherCluster)
    );
    assert_eq!(cluster.node(stranger).lifecycle(), Lifecycle::Joining);
    assert!(
        cluster.node(pids[0]).stats().dropped.cluster > 0,
        "it is counted"
    );
    // A stranger that inherited the address of a member hears that member's pings.
    cluster.crash(pids[2]);
    let mut heir = hinting(2);
    heir.cluster = Name::new("another").expect("a name");
    let heir = cluster.launch(heir);
    must(&mut cluster, secs(30), "the member is gone", |cluster| {
        all_hold(cluster, &pids[..2], &pids[2..], State::Unreachable)
    });
    for pid in [stranger, heir] {
        assert_eq!(
            cluster.node(pid).members().count(),
            1,
            "strangers learn nothing"
        );
    }
    assert!(
        cluster.node(heir).stats().dropped.cluster > 0,
        "it is counted"
    );
}

#[test]
fn joining_works_through_a_bad_network() {
    for seed in seeds(0..10) {
        let mut options = options();
        options.faults.loss = 0.2;
        options.faults.duplicate = 0.1;
        options.faults.reorder = 0.1;
        let mut cluster = Cluster::new(seed, options);
        cluster.grow(20, hinting);
        must(&mut cluster, secs(60), "all know all", Cluster::agrees);
        cluster.check();
    }
}

#[test]
fn a_table_of_many_frames_is_handed_to_a_joiner_whole() {
    let mut cluster = Cluster::new(1, options());
    let value = "z".repeat(1000);
    let laden = |at| {
        let mut launch = hinting(at);
        launch.tags = Tags::new([("big", &value)]).expect("it fits");
        launch
    };
    let pids = cluster.grow(150, laden);
    must(&mut cluster, secs(30), "all know all", Cluster::agrees);
    cluster.run_for(secs(30));
    let joiner = cluster.launch(laden(150).seed(Launch::numbered(70).addr));
    let took = must(&mut cluster, secs(1), "it got the whole table", |cluster| {
        all_hold(cluster, &[joiner], &pids, State::Alive)
    });
    println!("150 KiB of table reach a joiner after {took:?}");
    must(&mut cluster, secs(10), "and all got it", Cluster::agrees);
    cluster.check();
}

fn seed_error(cluster: &Cluster, pid: Pid) -> Option<SeedError> {
    cluster
        .node(pid)
        .seeds()
        .into_iter()
        .find_map(|seed| seed.last_error)
}
