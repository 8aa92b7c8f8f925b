//! Cuts and partitions: they heal by themselves, however long they lasted.

use std::time::Duration;

use muster_swim::sim::{Cluster, Launch, Pid};
use muster_swim::{Config, State};

use crate::support::*;

#[test]
fn halves_that_were_apart_for_seconds_find_each_other() {
    for seed in seeds(0..10) {
        let (mut cluster, pids) = settled(seed, 20);
        let pause = cluster.dice().duration(&(ms(100)..secs(30)));
        let half = cluster.dice().sample(&pids, 10);
        cluster.partition(&half);
        cluster.run_for(pause);
        let healed = cluster.now();
        cluster.network().heal();
        let took = must(&mut cluster, secs(90), "all are one again", Cluster::agrees);
        println!("seed {seed}: apart for {pause:?}, together after {took:?}");
        for at in &pids {
            for of in pids
                .iter()
                .filter(|of| half.contains(at) == half.contains(of))
            {
                let lost = told(&cluster, *at, *of, "member-unreachable", healed);
                assert!(
                    lost.is_empty(),
                    "{at:?} lost {of:?} of its own side by the healing"
                );
            }
        }
        cluster.check();
    }
}

/// Settings with which a week passes quickly.
fn slow(at: usize) -> Launch {
    hinting(at).config(Config {
        period: secs(60),
        reconnect_interval: secs(300),
        ..Config::default()
    })
}

#[test]
fn halves_that_were_apart_for_a_week_find_each_other() {
    for seed in seeds(0..2) {
        let mut cluster = Cluster::new(seed, options());
        let pids = cluster.grow(8, slow);
        must(
            &mut cluster,
            secs(120),
            "the members find each other",
            Cluster::agrees,
        );
        cluster.run_for(HOUR);
        let (here, there) = pids.split_at(4);
        cluster.partition(here);
        must(
            &mut cluster,
            secs(600),
            "each side misses the other",
            |cluster| {
                all_hold(cluster, here, there, State::Unreachable)
                    && all_hold(cluster, there, here, State::Unreachable)
            },
        );
        cluster.run_for(HOUR);
        let first_hours = rate(&mut cluster, &pids, 4 * HOUR);
        cluster.run_for(7 * 24 * HOUR);
        let last_hours = rate(&mut cluster, &pids, 4 * HOUR);
        println!("seed {seed}: {first_hours:.4} and after a week {last_hours:.4} packets/s each");
        let change = (last_hours / first_hours - 1.0).abs();
        assert!(change < 0.02, "{first_hours} packets/s became {last_hours}");
        cluster.network().heal();
        let took = must(&mut cluster, HOUR, "all are one again", Cluster::agrees);
        println!("seed {seed}: together {took:?} after a week apart");
        cluster.check();
    }
}

/// Packets that each member sends in a second, datagrams and openings of streams.
fn rate(cluster: &mut Cluster, pids: &[Pid], duration: Duration) -> f64 {
    let sent = |cluster: &Cluster| -> u64 {
        let traffic = pids.iter().map(|pid| cluster.traffic(*pid));
        traffic
            .map(|traffic| traffic.datagrams_sent + traffic.streams_opened)
            .sum()
    };
    let before = sent(cluster);
    cluster.run_for(duration);
    (sent(cluster) - before) as f64 / pids.len() as f64 / duration.as_secs_f64()
}

#[test]
fn with_default_settings_the_rate_stays_the_same_over_hours_of_partition() {
    let (mut cluster, pids) = settled(5, 6);
    cluster.partition(&pids[..3]);
    cluster.run_for(secs(60));
    let first = rate(&mut cluster, &pids, HOUR);
    cluster.run_for(12 * HOUR);
    let last = rate(&mut cluster, &pids, HOUR);
    println!("{first:.3} packets/s each in the first hour, {last:.3} twelve hours later");
    assert!((last / first - 1.0).abs() < 0.02);
    cluster.network().heal();
    must(
        &mut cluster,
        secs(120),
        "all are one again",
        Cluster::agrees,
    );
}

#[test]
fn lost_members_are_contacted_at_one_rate_however_many_they_are() {
    let expected = HOUR.as_secs_f64() / Config::default().reconnect_interval.as_secs_f64();
    for lost in [1, 10, 40] {
        let (mut cluster, pids) = settled(7, 50);
        let (survivors, victims) = pids.split_at(50 - lost);
        victims.iter().for_each(|pid| cluster.crash_host(*pid));
        must(&mut cluster, secs(60), "all others know", Cluster::agrees);
        cluster.run_for(secs(60));
        let sent = |cluster: &Cluster| victims.iter().map(|pid| cluster.sent_to(*pid)).sum::<u64>();
        let before = sent(&cluster);
        cluster.run_for(HOUR);
        let hourly = (sent(&cluster) - before) as f64 / survivors.len() as f64;
        println!("{lost} lost: each survivor sends them {hourly:.1} packets an hour");
        assert!(
            (hourly / expected - 1.0).abs() < 0.05,
            "{hourly} instead of {expected}"
        );
    }
}

#[test]
fn a_member_that_hears_nothing_is_lost_and_comes_back() {
    one_way(|cluster, pid| {
        let host = cluster.host(pid);
        cluster.network().deafen(host);
    });
}

#[test]
fn a_member_whom_nobody_hears_is_lost_and_comes_back() {
    one_way(|cluster, pid| {
        let host = cluster.host(pid);
        cluster.network().mute(host);
    });
}

fn one_way(cut: impl Fn(&mut Cluster, Pid)) {
    for seed in seeds(0..10) {
        let (mut cluster, mut pids) = settled(seed, 15);
        let since = cluster.now();
        let victim = pids.remove(4);
        cut(&mut cluster, victim);
        must(&mut cluster, secs(15), "all others know", |cluster| {
            all_hold(cluster, &pids, &[victim], State::Unreachable)
        });
        cluster.run_for(secs(60));
        assert!(
            all_hold(&cluster, &pids, &pids, State::Alive),
            "the others lose nobody else"
        );
        for at in &pids {
            for of in &pids {
                let lost = told(&cluster, *at, *of, "member-unreachable", since);
                assert!(
                    at == of || lost.is_empty(),
                    "{at:?} lost {of:?} for a while"
                );
            }
        }
        cluster.network().heal();
        let took = must(
            &mut cluster,
            secs(120),
            "all are one again",
            Cluster::agrees,
        );
        println!("seed {seed}: together after {took:?}");
        cluster.check();
    }
}

#[test]
fn two_members_that_cannot_reach_each_other_ask_others_and_suspect_nobody() {
    for seed in seeds(0..10) {
        let (mut cluster, pids) = settled(seed, 12);
        let since = cluster.now();
        let (one, other) = (cluster.host(pids[3]), cluster.host(pids[8]));
        cluster.network().cut_both_ways(one, other);
        cluster.run_for(secs(300));
        assert_eq!(all_told(&cluster, "member-suspect", since), []);
    }
}

#[test]
fn three_sides_become_one() {
    for seed in seeds(0..6) {
        let (mut cluster, pids) = settled(seed, 18);
        let hosts = |cluster: &Cluster, pids: &[Pid]| {
            pids.iter()
                .map(|pid| cluster.host(*pid))
                .collect::<Vec<_>>()
        };
        let sides = [hosts(&cluster, &pids[..6]), hosts(&cluster, &pids[6..9])];
        cluster.network().partition(&sides);
        cluster.run_for(secs(300));
        cluster.network().heal();
        must(
            &mut cluster,
            secs(120),
            "all are one again",
            Cluster::agrees,
        );
        cluster.check();
    }
}

#[test]
fn the_last_word_of_a_lost_member_reaches_the_other_side() {
    for seed in seeds(0..5) {
        let (mut cluster, pids) = settled(seed, 10);
        cluster.partition(&pids[..3]);
        cluster.run_for(secs(30));
        cluster.set_tag(pids[0], "role", "web").expect("it fits");
        cluster.run_for(secs(1));
        cluster.crash(pids[0]);
        cluster.run_for(secs(30));
        let healed = cluster.now();
        cluster.network().heal();
        must(&mut cluster, secs(90), "all are one again", Cluster::agrees);
        for at in &pids[3..] {
            let lost = cluster.node(*at).member("n0").expect("it is remembered");
            assert_eq!(lost.state, State::Unreachable);
            assert_eq!(lost.tags.value("role"), Some("web"));
            assert_eq!(
                told(&cluster, *at, pids[0], "member-updated", healed).len(),
                1
            );
            assert!(told(&cluster, *at, pids[0], "member-reachable", healed).is_empty());
        }
        cluster.check();
    }
}

#[test]
fn sides_that_forgot_each_other_meet_through_seeds() {
    let forgetful = |at| {
        let config = Config {
            forget_after: secs(600),
            ..Config::default()
        };
        let launch = hinting(at).config(config);
        // Everybody knows two seeds, one on either side.
        launch
            .seed(Launch::numbered(0).addr)
            .seed(Launch::numbered(1).addr)
    };
    for seed in seeds(0..4) {
        let mut cluster = Cluster::new(seed, options());
        let pids: Vec<Pid> = (0..8).map(|at| cluster.launch(forgetful(at))).collect();
        must(
            &mut cluster,
            secs(60),
            "the members find each other",
            Cluster::agrees,
        );
        let even: Vec<Pid> = pids.iter().copied().step_by(2).collect();
        cluster.partition(&even);
        cluster.run_for(2 * HOUR);
        for pid in &pids {
            assert_eq!(
                cluster.node(*pid).members().count(),
                4,
                "the other side is forgotten"
            );
        }
        cluster.network().heal();
        must(
            &mut cluster,
            secs(300),
            "all are one again",
            Cluster::agrees,
        );
        cluster.check();
    }
}
