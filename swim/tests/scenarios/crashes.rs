//! Crashes of processes and hosts: known to all in bounded time.

use std::time::Duration;

use muster_swim::sim::{Cluster, Launch, Pid};
use muster_swim::{EventKind, Silence, State};

use crate::support::*;

/// How long until the first and until the last survivor told that the victim is unreachable.
fn detection(
    seed: u64,
    count: usize,
    limit: Duration,
    kill: impl Fn(&mut Cluster, Pid),
) -> (Duration, Duration) {
    let (mut cluster, mut pids) = settled(seed, count);
    let victim = pids.remove(cluster.dice().number(0..count));
    let since = cluster.now();
    kill(&mut cluster, victim);
    must(&mut cluster, limit, "all survivors know", |cluster| {
        all_hold(cluster, &pids, &[victim], State::Unreachable)
    });
    cluster.run_for(secs(30));
    assert!(cluster.agrees(), "nobody else is lost");
    cluster.check();
    let mut times = Vec::new();
    for pid in &pids {
        let told = told(&cluster, *pid, victim, "member-unreachable", since);
        assert_eq!(told.len(), 1, "{pid:?} tells it once");
        times.push(told[0] - since);
    }
    times.sort();
    (times[0], times[times.len() - 1])
}

fn measure(what: &str, count: usize, limit: Duration, kill: impl Fn(&mut Cluster, Pid)) {
    let mut firsts = Vec::new();
    let mut lasts = Vec::new();
    for seed in seeds(0..if count > 50 { 4 } else { 20 }) {
        let (first, last) = detection(seed, count, limit, &kill);
        firsts.push(first);
        lasts.push(last);
    }
    firsts.sort();
    lasts.sort();
    println!(
        "{what} of {count}: first knows after {:?} (median) {:?} (worst), all know after {:?}, {:?}",
        firsts[firsts.len() / 2],
        firsts[firsts.len() - 1],
        lasts[lasts.len() / 2],
        lasts[lasts.len() - 1]
    );
}

/// Without a coordinator: two observers whom the host refused are enough for the hint. Of two
/// members one is left, and of three the other may be no buddy yet.
#[test]
fn a_killed_process_is_known_to_all() {
    for (count, limit) in [(2, secs(10)), (3, secs(10)), (5, ms(250)), (30, ms(250))] {
        measure("a process", count, limit, Cluster::crash);
    }
}

#[test]
fn a_killed_process_is_known_to_a_hundred() {
    measure("a process", 100, ms(250), Cluster::crash);
}

#[test]
fn a_dead_host_is_known_to_all() {
    for count in [2, 3, 5, 30] {
        measure("a host", count, secs(10), Cluster::crash_host);
    }
}

#[test]
fn a_dead_host_is_known_to_a_hundred() {
    measure("a host", 100, secs(10), Cluster::crash_host);
}

#[test]
fn the_death_of_a_third_at_once_is_known_to_all_others() {
    for seed in seeds(0..4) {
        for host in [false, true] {
            let (mut cluster, pids) = settled(seed, 60);
            let victims = cluster.dice().sample(&pids, 20);
            let since = cluster.now();
            for victim in &victims {
                if host {
                    cluster.crash_host(*victim);
                } else {
                    cluster.crash(*victim);
                }
            }
            let survivors = cluster.up();
            let took = must(
                &mut cluster,
                secs(20),
                "all survivors know all victims",
                |cluster| all_hold(cluster, &survivors, &victims, State::Unreachable),
            );
            println!("seed {seed}: 20 of 60 (hosts: {host}) are known to all after {took:?}");
            cluster.run_for(secs(30));
            assert!(cluster.agrees(), "and nobody else is lost");
            for (at, event) in all_told(&cluster, "member-unreachable", since) {
                let names = victims.iter().map(|pid| &cluster.launched(*pid).name);
                let about_victim = names
                    .clone()
                    .any(|name| event.contains(&format!("{name:?}")));
                assert!(about_victim, "{at:?} told {event}");
            }
            cluster.check();
        }
    }
}

#[test]
fn the_last_survivor_knows_that_it_is_alone() {
    for seed in seeds(0..5) {
        let (mut cluster, pids) = settled(seed, 12);
        for victim in &pids[1..] {
            cluster.crash(*victim);
        }
        must(&mut cluster, secs(40), "one is left", Cluster::agrees);
    }
}

#[test]
fn the_kind_of_silence_is_told() {
    let kinds = [
        (Silence::Refused, Cluster::crash as fn(&mut Cluster, Pid)),
        (Silence::CutOff, Cluster::crash_host),
        (Silence::Stalled, Cluster::pause),
    ];
    for (expected, kill) in kinds {
        let (mut cluster, pids) = settled(3, 10);
        let since = cluster.now();
        kill(&mut cluster, pids[4]);
        cluster.run_for(secs(10));
        let mut seen = Vec::new();
        for pid in pids.iter().filter(|pid| **pid != pids[4]) {
            let events = cluster
                .events(*pid)
                .iter()
                .filter(|event| event.time >= since);
            seen.extend(events.filter_map(|event| {
                if let EventKind::Suspect { silence, .. } = &event.kind {
                    *silence
                } else {
                    None
                }
            }));
        }
        assert!(!seen.is_empty(), "somebody met {expected:?} itself");
        assert!(
            seen.iter().all(|silence| *silence == expected),
            "{expected:?}, not {seen:?}"
        );
    }
}

#[test]
fn a_member_that_crashes_while_it_joins_is_known_to_all_or_none() {
    for seed in seeds(0..30) {
        let (mut cluster, _) = settled(seed, 8);
        let joiner = cluster.launch(hinting(8).seed(Launch::numbered(0).addr));
        let pause = cluster.dice().duration(&(ms(0)..ms(60)));
        cluster.run_for(pause);
        cluster.crash(joiner);
        cluster.run_for(secs(20));
        assert!(cluster.agrees());
        cluster.check();
    }
}
