//! Apps: how they end is known everywhere at once.

use muster_swim::sim::{Cluster, Pid};
use muster_swim::{Ending, EventKind, Time};

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
                _ => return None,
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
    up.iter().all(|at| words(cluster, *at, of, since) == expected)
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
