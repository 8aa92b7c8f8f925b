//! What the simulated world does to processes, and what the core makes of it.

use std::time::Duration;

use muster_swim::sim::{ClockJump, Cluster, Condition, Launch, Pid};
use muster_swim::{State, Time};

use crate::support::*;

#[test]
fn a_starved_process_takes_what_arrives_late_and_in_one_turn() {
    for seed in seeds(0..5) {
        let (mut cluster, pids) = settled(seed, 3);
        cluster.starve(pids[0], ms(300)..ms(400));
        cluster.run_for(secs(2));
        cluster.set_tag(pids[1], "role", "web").expect("it fits");
        let sees = |cluster: &Cluster, at: Pid| {
            let member = cluster.node(at).member("n1").expect("it is known");
            member.tags.value("role") == Some("web")
        };
        let in_time = must(&mut cluster, secs(1), "n2 sees it", |cluster| {
            sees(cluster, pids[2])
        });
        assert!(in_time <= ms(250), "{in_time:?}");
        // A turn may be on its way already.
        must(&mut cluster, ms(410), "n0 sees it", |cluster| {
            sees(cluster, pids[0])
        });
        // One that comes out of the blue is late by at least the shortest lag.
        cluster.run_for(secs(1));
        let before = cluster.traffic(pids[0]);
        cluster.run_for(secs(60));
        let after = cluster.traffic(pids[0]).since(&before);
        assert!(after.datagrams_received > 60, "it goes on: {after:?}");
        cluster.starve(pids[0], ms(0)..ms(0));
        cluster.set_tag(pids[1], "role", "db").expect("it fits");
        cluster.run_for(ms(250));
        let member = cluster.node(pids[0]).member("n1").expect("it is known");
        assert_eq!(member.tags.value("role"), Some("db"), "it is fed again");
    }
}

#[test]
fn a_starved_process_hears_nothing_before_its_turn() {
    let (mut cluster, pids) = settled(1, 2);
    let before = cluster.traffic(pids[0]);
    cluster.starve(pids[0], secs(3)..secs(4));
    cluster.run_for(ms(2999));
    let after = cluster.traffic(pids[0]).since(&before);
    assert_eq!((after.datagrams_received, after.wakes), (0, 0));
    cluster.run_for(secs(6));
    let after = cluster.traffic(pids[0]).since(&before);
    assert!(after.datagrams_received > 0 && after.wakes > 0);
}

#[test]
fn a_starved_process_sees_to_its_timer_before_what_waits() {
    for seed in 0..10 {
        let options = muster_swim::sim::Options {
            trace_lines: 10_000,
            ..options()
        };
        let (mut cluster, pids) = settled_with(seed, options, 2, hinting);
        let before = cluster.traffic(pids[0]);
        let lines = cluster.last_lines().count();
        // Its next tick is due long before it comes to anything.
        cluster.starve(pids[0], secs(3)..secs(4));
        cluster.run_for(secs(9));
        let after = cluster.traffic(pids[0]).since(&before);
        assert!(after.datagrams_received > 0, "something waited");
        let own = cluster.last_lines().skip(lines);
        let inputs = ["wake", "datagram"];
        let first = own
            .filter(|line| line.contains(" #0 "))
            .find_map(|line| inputs.into_iter().find(|input| line.contains(input)));
        assert_eq!(first, Some("wake"), "seed {seed}");
    }
}

#[test]
fn a_starved_member_accuses_nobody() {
    for seed in seeds(0..8) {
        let (mut cluster, pids) = settled(seed, 20);
        let since = cluster.now();
        cluster.starve(pids[7], ms(0)..secs(2));
        cluster.run_for(secs(600));
        assert_eq!(accusations_by(&cluster, pids[7], since), [""; 0]);
        assert!(cluster.node(pids[7]).stats().late > 0, "it knows");
    }
}

#[test]
fn clocks_that_run_one_percent_apart_harm_nobody() {
    for seed in seeds(0..4) {
        let launch = |at: usize| {
            let mut launch = hinting(at);
            launch.clock_ppm = [10_000, -10_000, 0][at % 3];
            launch
        };
        let (mut cluster, pids) = settled_with(seed, options(), 15, launch);
        let since = cluster.now();
        cluster.run_for(HOUR);
        assert_eq!(all_told(&cluster, "member-suspect", since), []);
        assert!(cluster.agrees());
        // Fast clocks ping more often, slow ones less; beats go by the clock of who gets them.
        let sent = |pid: Pid| cluster.traffic(pid).wakes as f64;
        let fast: f64 = pids.iter().step_by(3).map(|pid| sent(*pid)).sum();
        let slow: f64 = pids.iter().skip(1).step_by(3).map(|pid| sent(*pid)).sum();
        let apart = fast / slow;
        assert!((1.001..1.02).contains(&apart), "{apart}");
        let ahead = cluster.clock(pids[0]).since(Time::ZERO).as_secs_f64();
        let now = cluster.now().since(Time::ZERO).as_secs_f64();
        assert!((ahead / now - 1.01).abs() < 1e-6);
        cluster.check();
    }
}

#[test]
fn events_of_a_process_with_a_fast_clock_bear_the_time_of_the_world() {
    let mut fast = hinting(1).seed(Launch::numbered(0).addr);
    fast.clock_ppm = 10_000;
    let mut cluster = Cluster::new(1, options());
    let first = cluster.launch(hinting(0));
    cluster.run_for(secs(1000));
    let fast = cluster.launch(fast);
    let began = cluster.now();
    must(&mut cluster, secs(10), "they meet", Cluster::agrees);
    let told = told(&cluster, fast, first, "member-reachable", began);
    assert_eq!(told.len(), 1);
    assert!(told[0] <= cluster.now(), "{told:?}");
}

#[test]
fn a_restart_after_the_wall_clock_was_set_back_takes_the_place_of_the_old_life() {
    for jump in [ClockJump::Back(24 * HOUR), ClockJump::Ahead(24 * HOUR)] {
        for seed in seeds(0..5) {
            let (mut cluster, pids) = settled(seed, 8);
            let old = cluster.node(pids[3]).me().instance;
            cluster.jump_wall_clock(pids[3], jump);
            cluster.run_for(secs(20));
            assert!(cluster.agrees(), "a running node does not look at it");
            assert_eq!(cluster.node(pids[3]).me().instance, old);
            cluster.crash(pids[3]);
            let again = cluster.restart(pids[3]);
            let new = cluster.node(again).me().instance;
            assert_eq!(new < old, jump == ClockJump::Back(24 * HOUR));
            must(&mut cluster, secs(30), "it is a member", Cluster::agrees);
            assert!(cluster.node(again).me().instance > old);
            cluster.check();
        }
    }
}

#[test]
fn a_reset_of_all_streams_harms_nobody() {
    for seed in seeds(0..5) {
        let mut cluster = Cluster::new(seed, options());
        let pids = cluster.grow(30, hinting);
        // Joins are under way; n0 hands out the table.
        for _ in 0..20 {
            cluster.run_for(ms(1));
            cluster.reset_streams(pids[0]);
        }
        must(&mut cluster, secs(30), "all know all", Cluster::agrees);
        cluster.check();
    }
}

#[test]
fn resets_are_heard_by_nodes() {
    let mut cluster = Cluster::new(1, options());
    let first = cluster.launch(hinting(0));
    // A slow path keeps the stream of the join open.
    cluster.network().faults().latency = (ms(100)..ms(100)).into();
    let second = cluster.launch(hinting(1).seed(Launch::numbered(0).addr));
    cluster.run_for(ms(250));
    let opened = cluster.traffic(second).streams_opened;
    cluster.reset_streams(first);
    let seed = cluster.node(second).seeds().remove(0);
    assert!(seed.last_error.is_some(), "{seed:?}");
    must(&mut cluster, secs(30), "it tries again", Cluster::agrees);
    assert!(cluster.traffic(second).streams_opened > opened);
}

#[test]
fn members_that_cannot_reach_each_other_but_others_live_on_together() {
    // A-B and B-C are open, A-C is cut: relays tell A and C that the other lives.
    for seed in seeds(0..5) {
        let (mut cluster, pids) = settled(seed, 12);
        let since = cluster.now();
        cluster.separate(&pids[..2], &pids[10..]);
        cluster.run_for(secs(600));
        assert_eq!(all_told(&cluster, "member-unreachable", since), []);
        assert!(cluster.agrees());
        cluster.network().heal();
        cluster.run_for(secs(10));
        assert!(cluster.agrees());
    }
}

#[test]
fn where_only_streams_pass_members_stay() {
    for seed in seeds(0..4) {
        let (mut cluster, _) = settled(seed, 12);
        let since = cluster.now();
        cluster.network().faults().datagram_loss = 1.0;
        cluster.run_for(secs(120));
        assert_eq!(all_told(&cluster, "member-unreachable", since), []);
        cluster.network().faults().datagram_loss = 0.0;
        must(&mut cluster, secs(30), "all is calm", Cluster::agrees);
        assert_eq!(all_told(&cluster, "member-unreachable", since), []);
    }
}

#[test]
fn tables_become_equal_where_large_datagrams_vanish() {
    for seed in seeds(0..4) {
        let (mut cluster, pids) = settled(seed, 10);
        cluster.network().faults().mtu = Some(400);
        let value = "v".repeat(600);
        cluster.set_tag(pids[4], "big", &value).expect("it fits");
        must(&mut cluster, secs(30), "all see it", Cluster::agrees);
        let sees = |pid: &Pid| {
            let member = cluster.node(*pid).member("n4").expect("it is known");
            member.tags.value("big") == Some(value.as_str())
        };
        assert!(pids.iter().all(sees));
        cluster.check();
    }
}

#[test]
fn blocked_and_paused_at_once_a_process_comes_back_in_either_order() {
    for resume_first in [false, true] {
        let (mut cluster, pids) = settled(2, 8);
        let victim = pids[5];
        cluster.block(victim, true);
        cluster.run_for(secs(1));
        cluster.pause(victim);
        cluster.run_for(secs(1));
        if resume_first {
            cluster.resume(victim);
            assert!(cluster.is_blocked(victim));
            cluster.unblock(victim);
        } else {
            cluster.unblock(victim);
            assert!(cluster.is_blocked(victim), "it cannot speak yet");
            cluster.resume(victim);
        }
        assert!(!cluster.is_blocked(victim));
        must(&mut cluster, secs(60), "all is as before", Cluster::agrees);
        assert_eq!(*cluster.condition(victim), Condition::Running);
        cluster.check();
    }
}

#[test]
fn a_burst_of_loss_now_and_then_loses_nobody() {
    for seed in seeds(0..6) {
        let (mut cluster, pids) = settled(seed, 20);
        let since = cluster.now();
        cluster.network().faults().burst = Some(muster_swim::sim::Burst {
            loss: 1.0,
            lasts: ms(300),
            every: secs(10),
        });
        cluster.run_for(secs(300));
        assert_eq!(all_told(&cluster, "member-unreachable", since), []);
        cluster.network().faults().burst = None;
        must(&mut cluster, secs(20), "all is calm", |cluster| {
            all_hold(cluster, &pids, &pids, State::Alive)
        });
    }
}

#[test]
fn a_narrow_uplink_delays_a_large_table_and_loses_nobody() {
    let narrow = muster_swim::sim::Bandwidth {
        bytes_per_s: 100_000,
        queue_bytes: 64_000,
    };
    let laden = |at| {
        let mut launch = hinting(at);
        let value = "z".repeat(1000);
        launch.tags = muster_swim::Tags::new([("big", &value)]).expect("it fits");
        launch
    };
    let mut took = Vec::new();
    for bandwidth in [None, Some(narrow)] {
        let mut cluster = Cluster::new(3, options());
        let pids = cluster.grow(100, laden);
        must(&mut cluster, secs(60), "all know all", Cluster::agrees);
        cluster.run_for(secs(60));
        cluster.network().faults().bandwidth = bandwidth;
        let since = cluster.now();
        let joiner = cluster.launch(laden(100).seed(Launch::numbered(7).addr));
        took.push(must(&mut cluster, secs(30), "it has it", |cluster| {
            all_hold(cluster, &[joiner], &pids, State::Alive)
        }));
        must(&mut cluster, secs(30), "all have it", Cluster::agrees);
        cluster.run_for(secs(30));
        assert_eq!(all_told(&cluster, "member-unreachable", since), []);
    }
    println!("100 KiB of table take {took:?}");
    assert!(took[0] < ms(100) && took[1] >= Duration::from_secs(1));
}
