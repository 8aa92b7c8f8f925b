//! Apps: how they end is known everywhere at once.

use muster_swim::sim::{Cluster, Launch, Pid};
use muster_swim::{AppHealth, Ending, EventKind, Time};

use crate::support::*;

/// What `at` told of the apps of `of` since `since`: when, and in a word.
fn told_of_apps(cluster: &Cluster, at: Pid, of: Pid, since: Time) -> Vec<(Time, String)> {
    let name = &cluster.launched(of).name;
    let events = cluster.events(at).iter();
    events
        .filter(|event| event.time >= since && event.member.name == *name)
        .filter_map(|event| {
            let word = match &event.kind {
                EventKind::AppUp { app, .. } => format!("{app} up"),
                EventKind::AppDown { app, cause, .. } => format!("{app} {}", cause.as_str()),
                EventKind::AppHealth { app, is_now } => format!("{app} {:?}", is_now.state),
                EventKind::Reachable
                | EventKind::Suspect { .. }
                | EventKind::Unreachable { .. }
                | EventKind::Degraded { .. }
                | EventKind::Up
                | EventKind::Dead { .. }
                | EventKind::Left
                | EventKind::Updated
                | EventKind::CoordinatorChanged
                | EventKind::QuorumLost
                | EventKind::QuorumRegained { .. }
                | EventKind::SelfRemoved { .. }
                | EventKind::SelfReadmitted => return None,
            };
            Some((event.time, word))
        })
        .collect()
}

fn words(cluster: &Cluster, at: Pid, of: Pid, since: Time) -> Vec<String> {
    let told = told_of_apps(cluster, at, of, since);
    told.into_iter().map(|(_, word)| word).collect()
}

fn all_told_words(cluster: &Cluster, of: Pid, since: Time, expected: &[&str]) -> bool {
    let up = cluster.up();
    up.iter()
        .all(|at| words(cluster, *at, of, since) == expected)
}

#[test]
fn the_end_of_an_app_is_known_to_60_members_within_100_ms() {
    for seed in seeds(0..20) {
        let (mut cluster, pids) = settled(seed, 60);
        for busy in [false, true] {
            let since = cluster.now();
            cluster.attach(pids[7], "web").expect("it fits");
            must(&mut cluster, ms(100), "all know that it is up", |cluster| {
                all_told_words(cluster, pids[7], since, &["web up"])
            });
            cluster.run_for(secs(3));
            if busy {
                // All have something else to say, and have just begun to.
                for pid in &pids {
                    cluster.set_tag(*pid, "busy", "1").expect("it fits");
                    cluster.run_for(ms(2));
                }
            }
            let since = cluster.now();
            let exited = Ending::Exited { status: 3 };
            cluster.end_app(pids[7], "web", exited).expect("it runs");
            let took = must(&mut cluster, ms(100), "all know that it ended", |cluster| {
                all_told_words(cluster, pids[7], since, &["web exited"])
            });
            println!("seed {seed}, busy: {busy}: 60 members know the end after {took:?}");
        }
        must(&mut cluster, secs(20), "all are one", Cluster::agrees);
        cluster.check();
    }
}

/// A cluster with a quorum in which all know that `web` runs at one member.
fn with_app(seed: u64, count: usize) -> (Cluster, Vec<Pid>, Pid) {
    let (mut cluster, pids) = settled_with(seed, options(), count, Launch::numbered);
    let of = pids[count - 1];
    let since = cluster.now();
    cluster.attach(of, "web").expect("it fits");
    must(&mut cluster, ms(100), "all know that it is up", |cluster| {
        all_told_words(cluster, of, since, &["web up"])
    });
    (cluster, pids, of)
}

#[test]
fn every_end_of_an_app_is_told_as_it_was() {
    let endings = [
        (Ending::Exited { status: 3 }, "web exited"),
        (Ending::Signalled { signal: 9 }, "web signalled"),
        (Ending::Detached, "web detached"),
        (Ending::Lost, "web lost"),
    ];
    for seed in seeds(0..3) {
        let (mut cluster, _, of) = with_app(seed, 10);
        for (ending, word) in endings {
            let since = cluster.now();
            cluster.end_app(of, "web", ending).expect("it runs");
            cluster.run_for(ms(50));
            assert!(all_told_words(&cluster, of, since, &[word]));
            cluster.attach(of, "web").expect("it ended");
            cluster.run_for(ms(50));
            assert!(all_told_words(&cluster, of, since, &[word, "web up"]));
        }
        cluster.check();
    }
}

#[test]
fn a_dead_member_ends_its_apps_by_the_verdict() {
    for seed in seeds(0..5) {
        let (mut cluster, _, of) = with_app(seed, 10);
        let since = cluster.now();
        cluster.crash(of);
        let took = must(&mut cluster, secs(10), "all know", |cluster| {
            all_told_words(cluster, of, since, &["web member-dead"])
        });
        println!("seed {seed}: all know after {took:?}");
        let restarted = cluster.restart(of);
        must(&mut cluster, secs(30), "it is back", Cluster::agrees);
        assert!(cluster.node(restarted).apps().is_empty());
        cluster.check();
    }
}

#[test]
fn a_member_that_leaves_ends_its_apps() {
    for seed in seeds(0..5) {
        let (mut cluster, _, of) = with_app(seed, 10);
        let since = cluster.now();
        cluster.leave(of);
        cluster.run_for(secs(15));
        assert!(all_told_words(&cluster, of, since, &["web member-left"]));
        assert_eq!(words(&cluster, of, of, since), ["web member-left"]);
        cluster.check();
    }
}

#[test]
fn the_end_of_an_app_is_known_also_when_its_member_leaves_at_once() {
    for seed in seeds(0..10) {
        let (mut cluster, _, of) = with_app(seed, 60);
        let since = cluster.now();
        let exited = Ending::Exited { status: 3 };
        cluster.end_app(of, "web", exited).expect("it runs");
        cluster.leave(of);
        cluster.run_for(secs(15));
        assert!(all_told_words(&cluster, of, since, &["web exited"]));
        cluster.check();
    }
}

#[test]
fn a_member_that_was_restarted_ends_the_apps_of_its_former_life_once() {
    for seed in seeds(0..10) {
        let (mut cluster, _, of) = with_app(seed, 10);
        let since = cluster.now();
        cluster.crash(of);
        let again = cluster.restart(of);
        cluster.attach(again, "web").expect("it fits");
        must(&mut cluster, secs(30), "it is back", Cluster::agrees);
        for at in cluster.up() {
            let told = words(&cluster, at, of, since);
            let ends = ["web member-replaced", "web member-dead"];
            let as_told = |end: &&str| told == [*end, "web up"];
            assert!(at == again || ends.iter().any(as_told), "{at:?}: {told:?}");
        }
        cluster.check();
    }
}

#[test]
fn what_runs_beside_a_member_that_was_removed_wrongly_runs_again_when_it_is_back() {
    for seed in seeds(0..3) {
        let (mut cluster, _, of) = with_app(seed, 10);
        let since = cluster.now();
        let host = cluster.host(of);
        cluster.network().deafen(host);
        cluster.network().mute(host);
        let others = cluster.up().into_iter().filter(|at| *at != of);
        let others: Vec<Pid> = others.collect();
        must(&mut cluster, secs(60), "it is removed", |cluster| {
            let told = |at: &Pid| words(cluster, *at, of, since) == ["web member-dead"];
            others.iter().all(told)
        });
        cluster.network().heal();
        must(
            &mut cluster,
            secs(120),
            "it is a member again",
            Cluster::is_unanimous,
        );
        cluster.run_for(secs(20));
        for at in cluster.up() {
            let told = words(&cluster, at, of, since);
            assert_eq!(told, ["web member-dead", "web up"], "{at:?}");
        }
        cluster.check();
    }
}

#[test]
fn one_that_joins_is_told_of_what_runs() {
    for seed in seeds(0..5) {
        let (mut cluster, _, of) = with_app(seed, 10);
        cluster.attach(of, "batch").expect("it fits");
        cluster.end_app(of, "batch", Ending::Lost).expect("it runs");
        let note = "queue long";
        let reported = cluster.report_app(of, "web", AppHealth::Warning, note);
        reported.expect("it runs");
        let new = cluster.launch(Launch::numbered(10).seed(Launch::numbered(0).addr));
        must(&mut cluster, secs(8), "it is one of them", Cluster::agrees);
        assert_eq!(words(&cluster, new, of, Time::ZERO), ["web up"]);
        let held = cluster.node(new).member(cluster.launched(of).name.as_str());
        let apps = held.expect("it is known").apps;
        assert_eq!(apps, *cluster.node(of).apps());
        cluster.check();
    }
}

#[test]
fn quick_changes_through_a_bad_network_come_to_one_end() {
    for seed in seeds(0..10) {
        let (mut cluster, pids) = settled(seed, 15);
        let faults = cluster.network().faults();
        (faults.loss, faults.reorder, faults.duplicate) = (0.2, 0.3, 0.1);
        for round in 0..50_u64 {
            let (pid, app) = (pids[9], ["a", "b", "c"][round as usize % 3]);
            if cluster.attach(pid, app).is_err() {
                cluster.end_app(pid, app, Ending::Lost).expect("it runs");
            }
            cluster.run_for(ms(7));
        }
        must(&mut cluster, secs(15), "all hold the same", |cluster| {
            let name = &cluster.launched(pids[9]).name;
            let held = |at: &Pid| {
                cluster
                    .node(*at)
                    .member(name.as_str())
                    .map(|held| held.apps)
            };
            let truth = cluster.node(pids[9]).apps();
            pids.iter().all(|at| held(at).as_ref() == Some(truth))
        });
        // And have told what they hold, each life once.
        cluster.check();
    }
}
