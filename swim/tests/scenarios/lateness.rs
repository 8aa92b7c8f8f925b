//! Pauses and slow timers: who is late accuses nobody, and comes back by itself.

use muster_swim::State;
use muster_swim::sim::{Cluster, Pid};

use crate::support::*;

fn others(pids: &[Pid], but: Pid) -> Vec<Pid> {
    pids.iter().copied().filter(|pid| *pid != but).collect()
}

#[test]
fn a_pause_of_a_second_harms_nobody() {
    for seed in seeds(0..40) {
        let (mut cluster, pids) = settled(seed, 10);
        let since = cluster.now();
        let paused = *cluster.dice().pick(&pids);
        cluster.pause(paused);
        cluster.run_for(secs(1));
        cluster.resume(paused);
        cluster.run_for(secs(20));
        assert_eq!(all_told(&cluster, "member-unreachable", since), []);
        assert_eq!(accusations_by(&cluster, paused, since), [""; 0]);
        must(&mut cluster, secs(5), "all is as before", Cluster::agrees);
    }
}

#[test]
fn after_a_pause_of_a_minute_a_member_comes_back_with_one_clean_pair_of_events() {
    for seed in seeds(0..20) {
        let (mut cluster, pids) = settled(seed, 10);
        let since = cluster.now();
        let paused = *cluster.dice().pick(&pids);
        let others = others(&pids, paused);
        cluster.pause(paused);
        must(&mut cluster, secs(20), "all miss it", |cluster| {
            all_hold(cluster, &others, &[paused], State::Unreachable)
        });
        let left = (since + secs(60)) - cluster.now();
        cluster.run_for(left);
        let resumed = cluster.now();
        cluster.resume(paused);
        let took = must(&mut cluster, secs(60), "it is back", Cluster::agrees);
        println!("seed {seed}: reachable again everywhere {took:?} after it went on");
        cluster.run_for(secs(30));
        for at in &others {
            let [_] = told(&cluster, *at, paused, "member-unreachable", since)[..] else {
                panic!("{at:?} told it lost once");
            };
            let [back] = told(&cluster, *at, paused, "member-reachable", since)[..] else {
                panic!("{at:?} told it back once");
            };
            assert!(back >= resumed);
        }
        assert_eq!(
            accusations_by(&cluster, paused, resumed),
            [""; 0],
            "it accuses nobody"
        );
        let lost = all_told(&cluster, "member-unreachable", resumed);
        assert_eq!(lost, [], "nobody is lost to it");
    }
}

#[test]
fn a_member_whose_every_timer_is_two_seconds_late_accuses_nobody() {
    for seed in seeds(0..8) {
        let (mut cluster, pids) = settled(seed, 20);
        let since = cluster.now();
        let slow = *cluster.dice().pick(&pids);
        cluster.slow_timers(slow, secs(2));
        cluster.run_for(secs(600));
        assert_eq!(accusations_by(&cluster, slow, since), [""; 0]);
        assert_eq!(all_told(&cluster, "member-unreachable", since), []);
        assert!(
            cluster.node(slow).stats().late > 0,
            "it knows that it is late"
        );
        assert!(cluster.node(slow).health() > 0, "and trusts itself less");
    }
}

#[test]
fn a_member_with_slow_timers_accuses_nobody_when_others_really_die() {
    for seed in seeds(0..8) {
        let (mut cluster, pids) = settled(seed, 20);
        cluster.slow_timers(pids[0], secs(2));
        cluster.run_for(secs(60));
        let since = cluster.now();
        cluster.crash(pids[7]);
        let others = cluster.up();
        must(
            &mut cluster,
            secs(20),
            "all know, the slow one too",
            |cluster| all_hold(cluster, &others, &pids[7..8], State::Unreachable),
        );
        let by_slow = accusations_by(&cluster, pids[0], since);
        let wrong: Vec<&String> = by_slow
            .iter()
            .filter(|event| !event.contains("name: \"n7\""))
            .collect();
        assert!(wrong.is_empty(), "{wrong:?}");
        cluster.run_for(secs(60));
        assert!(cluster.agrees());
    }
}

#[test]
fn everybody_a_little_late_harms_nobody() {
    for seed in seeds(0..4) {
        let (mut cluster, pids) = settled(seed, 20);
        let since = cluster.now();
        for pid in &pids {
            let lag = cluster.dice().duration(&(ms(0)..ms(90)));
            cluster.slow_timers(*pid, lag);
        }
        cluster.run_for(secs(600));
        assert_eq!(all_told(&cluster, "member-suspect", since), []);
    }
}

#[test]
fn half_of_the_members_paused_for_two_minutes_come_back() {
    // A host that suspends its machines suspends many at once.
    for seed in seeds(0..8) {
        let (mut cluster, pids) = settled(seed, 16);
        let half = cluster.dice().sample(&pids, 8);
        half.iter().for_each(|pid| cluster.pause(*pid));
        cluster.run_for(secs(120));
        half.iter().for_each(|pid| cluster.resume(*pid));
        let took = must(&mut cluster, secs(120), "all are back", Cluster::agrees);
        println!("seed {seed}: half of 16 is back {took:?} after it went on");
        cluster.check();
    }
}

#[test]
fn loss_of_a_quarter_for_a_minute_loses_nobody() {
    for seed in seeds(0..10) {
        let (mut cluster, _) = settled(seed, 30);
        let since = cluster.now();
        cluster.network().faults().loss = 0.25;
        cluster.run_for(secs(60));
        assert_eq!(all_told(&cluster, "member-unreachable", since), []);
        let suspected = all_told(&cluster, "member-suspect", since).len();
        println!("seed {seed}: {suspected} suspicions told");
        cluster.network().faults().loss = 0.0;
        must(&mut cluster, secs(20), "all is calm", Cluster::agrees);
        assert_eq!(all_told(&cluster, "member-unreachable", since), []);
    }
}
