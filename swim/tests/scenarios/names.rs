//! Names: a restart replaces the old life, and two lives of one name never stay.

use std::time::Duration;

use muster_swim::sim::{Cluster, Condition, Launch, Options, Pid};
use muster_swim::{EventKind, State, Stop, Time};

use crate::support::*;
use crate::verdicts::agreed_with;

/// Kills a member and starts it again after `pause`, changed by `change`.
fn restart(seed: u64, pause: Duration, change: impl Fn(&mut Launch)) -> Duration {
    let (mut cluster, pids) = settled(seed, 8);
    let first = cluster.launched(pids[0]).addr;
    let victim = pids[4];
    cluster.crash(victim);
    cluster.run_for(pause);
    let mut launch = cluster.launched(victim).clone().seed(first);
    change(&mut launch);
    let old = cluster.node(victim).me().instance;
    let again = cluster.launch(launch);
    let took = must(
        &mut cluster,
        secs(5),
        "the new life is known to all",
        Cluster::agrees,
    );
    assert!(
        cluster.node(again).me().instance > old,
        "a newer life has a larger instance"
    );
    cluster.run_for(secs(60));
    assert!(cluster.agrees(), "and stays");
    assert_eq!(cluster.node(again).me().addr, cluster.launched(again).addr);
    cluster.check();
    took
}

fn restarts(what: &str, change: impl Fn(&mut Launch)) {
    for pause in [ms(0), ms(100), secs(5), HOUR] {
        let took = seeds(0..10)
            .into_iter()
            .map(|seed| restart(seed, pause, &change))
            .max();
        println!("restart {what} after {pause:?}: known to all after at most {took:?}");
    }
}

#[test]
fn a_restart_at_the_same_address_replaces_the_old_life_at_once() {
    restarts("at the same address", |_| ());
}

#[test]
fn a_restart_at_another_address_replaces_the_old_life_at_once() {
    restarts("at another address", |launch| {
        launch.addr = Launch::numbered(77).addr
    });
}

#[test]
fn a_restart_under_a_clock_that_was_set_back_goes_past_the_old_life() {
    restarts("a day back", |launch| launch.clock_behind = 24 * HOUR);
    restarts("a day back elsewhere", |launch| {
        launch.clock_behind = 24 * HOUR;
        launch.addr = Launch::numbered(77).addr;
    });
}

#[test]
fn a_member_at_the_address_of_a_dead_one_is_not_taken_for_it() {
    for seed in seeds(0..10) {
        let (mut cluster, pids) = settled(seed, 8);
        cluster.crash(pids[4]);
        let mut launch = hinting(20).seed(Launch::numbered(0).addr);
        launch.addr = Launch::numbered(4).addr;
        let heir = cluster.launch(launch);
        let others = cluster.up();
        must(
            &mut cluster,
            secs(20),
            "the dead one is missed",
            |cluster| all_hold(cluster, &others, &pids[4..5], State::Unreachable),
        );
        must(&mut cluster, secs(10), "its heir is known", Cluster::agrees);
        assert!(all_hold(&cluster, &others, &[heir], State::Alive));
        cluster.run_for(secs(120));
        assert!(cluster.agrees());
    }
}

#[test]
fn two_members_that_swapped_addresses_are_told_apart() {
    for seed in seeds(0..10) {
        let (mut cluster, pids) = settled(seed, 8);
        cluster.crash(pids[2]);
        cluster.crash(pids[5]);
        let mut two = cluster.launched(pids[2]).clone();
        let mut five = cluster.launched(pids[5]).clone();
        std::mem::swap(&mut two.addr, &mut five.addr);
        cluster.launch(two);
        cluster.launch(five);
        must(
            &mut cluster,
            secs(10),
            "both are known where they are",
            Cluster::agrees,
        );
        cluster.run_for(secs(60));
        assert!(cluster.agrees());
    }
}

/// Of two processes with one name exactly one is left; gives the one that stopped.
fn one_stops(cluster: &mut Cluster, pids: [Pid; 2], limit: Duration) -> Pid {
    let stopped = |cluster: &Cluster| {
        pids.iter()
            .copied()
            .find(|pid| *cluster.condition(*pid) != Condition::Running)
    };
    must(cluster, limit, "one of the two stops", |cluster| {
        stopped(cluster).is_some()
    });
    let gone = stopped(cluster).expect("one has stopped");
    let stays = if pids[0] == gone { pids[1] } else { pids[0] };
    let stayer = cluster.node(stays).me();
    let Condition::Stopped(Stop::NameTaken { addr, instance }, _) = *cluster.condition(gone) else {
        panic!("{gone:?} is {:?}", cluster.condition(gone));
    };
    assert_eq!(
        (addr, instance),
        (stayer.addr, stayer.instance),
        "it says to whom"
    );
    assert!(
        instance > cluster.node(gone).me().instance,
        "the newer one stays"
    );
    let removed = |kind: &EventKind| matches!(kind, EventKind::SelfRemoved { .. });
    let last = cluster.events(gone).last().expect("it told something");
    assert!(
        removed(&last.kind),
        "its last event tells that it was removed: {last:?}"
    );
    gone
}

#[test]
fn of_two_live_members_with_one_name_the_newer_stays() {
    for seed in seeds(0..20) {
        let (mut cluster, pids) = settled(seed, 9);
        let mut launch = hinting(4).seed(Launch::numbered(0).addr);
        launch.addr = Launch::numbered(44).addr;
        let newer = cluster.launch(launch);
        let gone = one_stops(&mut cluster, [pids[4], newer], secs(20));
        assert_eq!(gone, pids[4]);
        must(
            &mut cluster,
            secs(10),
            "all hold the newer one",
            Cluster::agrees,
        );
        cluster.run_for(secs(60));
        assert!(cluster.agrees());
        cluster.check();
    }
}

/// A member may be in the cluster without any seed of its own ever having answered.
#[test]
fn a_member_whose_own_seed_is_dead_gives_way_to_a_newer_one_all_the_same() {
    for seed in seeds(0..20) {
        let mut cluster = Cluster::new(seed, Options::default());
        let dead = Launch::numbered(99).addr;
        let older = cluster.launch(hinting(4).seed(dead));
        let other = hinting(0).seed(Launch::numbered(4).addr);
        let from = other.addr;
        cluster.launch(other);
        must(
            &mut cluster,
            secs(10),
            "two know each other",
            Cluster::agrees,
        );
        let mut launch = hinting(4).seed(from);
        launch.addr = Launch::numbered(44).addr;
        let newer = cluster.launch(launch);
        assert_eq!(one_stops(&mut cluster, [older, newer], secs(20)), older);
        cluster.check();
    }
}

#[test]
fn of_two_live_members_with_one_name_one_stays_also_when_the_clock_of_one_is_behind() {
    for seed in seeds(0..20) {
        let (mut cluster, pids) = settled(seed, 9);
        let mut launch = hinting(4).seed(Launch::numbered(0).addr);
        launch.addr = Launch::numbered(44).addr;
        launch.clock_behind = HOUR;
        let second = cluster.launch(launch);
        one_stops(&mut cluster, [pids[4], second], secs(20));
        must(
            &mut cluster,
            secs(10),
            "all hold the one that stays",
            Cluster::agrees,
        );
        cluster.run_for(secs(60));
        assert!(cluster.agrees());
        cluster.check();
    }
}

#[test]
fn two_that_go_past_the_same_former_life_do_not_become_the_same_one() {
    for seed in seeds(0..20) {
        let (mut cluster, pids) = settled(seed, 9);
        cluster.crash(pids[4]);
        let twins = [44, 55].map(|host| {
            let mut launch = hinting(4).seed(Launch::numbered(0).addr);
            launch.addr = Launch::numbered(host).addr;
            launch.clock_behind = HOUR;
            cluster.launch(launch)
        });
        one_stops(&mut cluster, twins, secs(20));
        must(
            &mut cluster,
            secs(10),
            "all hold the one that stays",
            Cluster::agrees,
        );
        cluster.check();
    }
}

#[test]
fn of_two_with_one_name_that_start_at_one_instant_one_stays() {
    for seed in seeds(0..20) {
        let (mut cluster, _) = settled(seed, 9);
        let twins = [44, 55].map(|host| {
            let mut launch = hinting(9).seed(Launch::numbered(0).addr);
            launch.addr = Launch::numbered(host).addr;
            cluster.launch(launch)
        });
        one_stops(&mut cluster, twins, secs(20));
        must(
            &mut cluster,
            secs(10),
            "all hold the one that stays",
            Cluster::agrees,
        );
        cluster.check();
    }
}

#[test]
fn two_members_with_one_name_that_meet_when_a_partition_heals_become_one() {
    for seed in seeds(0..20) {
        let (mut cluster, pids) = settled(seed, 10);
        cluster.partition(&pids[..5]);
        cluster.run_for(secs(30));
        // Number 2 is alive on the other side.
        let mut launch = hinting(2).seed(Launch::numbered(7).addr);
        launch.addr = Launch::numbered(22).addr;
        let newer = cluster.launch(launch);
        cluster.run_for(secs(60));
        assert_eq!(
            *cluster.condition(pids[2]),
            Condition::Running,
            "they have not met"
        );
        cluster.network().heal();
        let gone = one_stops(&mut cluster, [pids[2], newer], secs(120));
        assert_eq!(gone, pids[2]);
        must(
            &mut cluster,
            secs(120),
            "all hold the newer one",
            Cluster::agrees,
        );
        cluster.check();
    }
}

#[test]
fn two_clusters_that_merge_keep_one_member_of_each_name() {
    for seed in seeds(0..10) {
        let mut cluster = Cluster::new(seed, options());
        let left = cluster.grow(6, hinting);
        cluster.run_for(secs(10));
        let right = cluster.grow(5, |at| {
            let mut launch = hinting(at);
            launch.addr = Launch::numbered(at + 50).addr;
            launch
        });
        cluster.run_for(secs(10));
        let seed = cluster.launched(right[0]).addr.to_string();
        // The last one of the left has no namesake on the right.
        cluster.join(left[5], &[seed]);
        must(&mut cluster, secs(60), "six are left", |cluster| {
            cluster.up().len() == 6
        });
        must(&mut cluster, secs(60), "and agree", Cluster::agrees);
        assert!(
            right.iter().all(|pid| cluster.up().contains(pid)),
            "the newer ones"
        );
        cluster.check();
    }
}

#[test]
fn a_life_that_was_superseded_is_no_news_when_its_successor_is_long_gone() {
    for seed in seeds(0..10) {
        let (mut cluster, pids) = agreed_with(seed, 8, |at| {
            let mut launch = Launch::numbered(at);
            launch.config.forget_after = secs(60);
            launch
        });
        let agreement = cluster.node(pids[0]).agreement(cluster.clock(pids[0]));
        let name = |cluster: &Cluster, pid: &Pid| cluster.launched(*pid).name.clone();
        let (voting, others): (Vec<Pid>, Vec<Pid>) = pids
            .iter()
            .partition(|pid| agreement.voters.contains(&name(&cluster, pid)));
        let old = others[0];
        // Nobody decides while two of the three voters are gone.
        for voter in &voting[1..] {
            cluster.crash_host(*voter);
        }
        cluster.partition(&[old]);
        let mut launch = cluster.launched(old).clone();
        launch.addr = Launch::numbered(77).addr;
        launch = launch.seed(cluster.launched(others[1]).addr);
        let new = cluster.launch(launch);
        must(
            &mut cluster,
            secs(30),
            "the newer life is known",
            |cluster| cluster.state(others[1], new) == Some(State::Alive),
        );
        cluster.crash_host(new);
        cluster.run_for(secs(180));
        cluster.network().heal();
        cluster.run_for(secs(120));
        for voter in &voting[1..] {
            cluster.restart(*voter);
        }
        must(&mut cluster, secs(120), "all agree", Cluster::is_unanimous);
        let ups = told(&cluster, others[1], old, "member-up", Time::ZERO);
        assert_eq!(ups.len(), 1, "the life that was first");
        cluster.check();
    }
}
