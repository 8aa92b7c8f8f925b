//! Leaving: said first to the buddies, known to all, never an alarm.

use std::time::Duration;

use muster_swim::sim::{Cluster, Condition, Pid};
use muster_swim::{Config, State, Stop};

use crate::support::*;

fn leave_takes(cluster: &mut Cluster, pid: Pid) -> Duration {
    let since = cluster.now();
    cluster.leave(pid);
    must(cluster, secs(6), "the leaver is through", |cluster| {
        *cluster.condition(pid) != Condition::Running
    });
    let Condition::Stopped(Stop::Left, at) = cluster.condition(pid) else {
        panic!("{pid:?} left and is {:?}", cluster.condition(pid));
    };
    *at - since
}

#[test]
fn a_leaver_is_through_within_a_round_trip_and_known_to_all_without_an_alarm() {
    for seed in seeds(0..20) {
        for count in [2, 3, 10, 40] {
            let (mut cluster, mut pids) = settled(seed, count);
            let since = cluster.now();
            let leaver = pids.remove(cluster.dice().number(0..count));
            let took = leave_takes(&mut cluster, leaver);
            assert!(
                took <= ms(2),
                "its buddies acked within a round trip, not {took:?}"
            );
            must(&mut cluster, secs(1), "all know that it left", |cluster| {
                all_hold(cluster, &pids, &[leaver], State::Left)
            });
            cluster.run_for(secs(30));
            assert!(cluster.agrees());
            assert_eq!(all_told(&cluster, "member-suspect", since), []);
            // Without a quorum there is no verdict `left`; the hint says that it was a goodbye.
            let told = all_told(&cluster, "member-unreachable", since);
            assert_eq!(told.len(), pids.len());
            let goodbye = |(_, event): &(Pid, String)| event.contains("cause: Goodbye");
            assert!(told.iter().all(goodbye), "{told:?}");
            cluster.check();
        }
    }
}

#[test]
fn a_lone_member_leaves_at_once() {
    let mut cluster = Cluster::new(1, options());
    let pid = cluster.launch(hinting(0));
    assert_eq!(leave_takes(&mut cluster, pid), ms(0));
}

#[test]
fn a_leaver_whose_buddies_are_all_gone_waits_for_the_leave_timeout_and_no_longer() {
    for seed in seeds(0..10) {
        let (mut cluster, pids) = settled(seed, 8);
        for other in &pids[1..] {
            cluster.crash_host(*other);
        }
        let took = leave_takes(&mut cluster, pids[0]);
        assert_eq!(took, Config::default().leave_timeout);
    }
}

#[test]
fn a_goodbye_is_heard_through_heavy_loss() {
    for seed in seeds(0..20) {
        let (mut cluster, mut pids) = settled(seed, 12);
        cluster.network().faults().loss = 0.4;
        let leaver = pids.remove(5);
        leave_takes(&mut cluster, leaver);
        must(&mut cluster, secs(20), "all know that it left", |cluster| {
            all_hold(cluster, &pids, &[leaver], State::Left)
        });
    }
}

#[test]
fn all_but_one_leave_at_once() {
    for seed in seeds(0..10) {
        let (mut cluster, pids) = settled(seed, 12);
        let since = cluster.now();
        pids[1..].iter().for_each(|pid| cluster.leave(*pid));
        cluster.run_for(secs(6));
        assert_eq!(cluster.up(), [pids[0]]);
        must(&mut cluster, secs(30), "the last one knows", |cluster| {
            all_hold(cluster, &pids[..1], &pids[1..], State::Left)
        });
        let lost = all_told(&cluster, "member-unreachable", since);
        println!(
            "seed {seed}: {} were missed before their goodbye was heard",
            lost.len()
        );
    }
}

#[test]
fn a_member_that_left_may_come_back() {
    for seed in seeds(0..10) {
        let (mut cluster, pids) = settled(seed, 6);
        leave_takes(&mut cluster, pids[3]);
        let pause = cluster.dice().duration(&(ms(0)..secs(100)));
        cluster.run_for(pause);
        let mut launch = cluster.launched(pids[3]).clone();
        launch.clock_behind = secs(3600);
        cluster.launch(launch);
        must(
            &mut cluster,
            secs(10),
            "it is back as a new life",
            Cluster::agrees,
        );
        cluster.check();
    }
}
