//! Whoever decides ends, or stands still.

use std::time::{Duration, Instant};

use muster_tests::{Cluster, CoordinatorView, Options, View};

use crate::SOON;

/// A lease of the preset `lan`, an election, and as much again for a busy machine.
const LEASE_AND_ELECTION: Duration = Duration::from_secs(8);

#[test]
fn a_killed_coordinator_has_a_successor_who_removes_it() {
    let mut cluster = Cluster::formed(Options::of(5));
    cluster.wait_voters(3);
    let before = cluster.wait_all_agree();
    let old = cluster.coordinator();
    let marks = cluster.marks();
    let start = Instant::now();
    cluster.host_mut(old).kill();
    cluster.wait(
        LEASE_AND_ELECTION,
        "all others name another one",
        |cluster| {
            let new = cluster.same_coordinator()?;
            if new.epoch > before.epoch && new.name != cluster.host(old).name() {
                Ok(())
            } else {
                Err(format!("{new:?}"))
            }
        },
    );
    cluster.wait(
        SOON,
        "all others have the verdict on the old one",
        |cluster| {
            cluster.others_agree(&[old], "dead")?;
            cluster.others_were_warned(&marks, &[old])
        },
    );
    println!(
        "killed coordinator: verdict on it everywhere after {:.1?}",
        start.elapsed()
    );
    let after = cluster.wait_all_agree();
    assert!(after.epoch > before.epoch, "{after:?} after {before:?}");
    cluster.one_history();
}

/// What is asked of a process that stands still is in its queue when it goes on: it must not answer
/// from before its sleep.
#[test]
fn a_paused_coordinator_never_says_that_it_decides_after_another_does() {
    let cluster = Cluster::formed(Options::of(5));
    cluster.wait_voters(3);
    let before = cluster.wait_all_agree();
    let old = cluster.coordinator();
    cluster.host(old).pause();
    let mut committed = 0;
    cluster.wait(
        LEASE_AND_ELECTION,
        "all others name another one",
        |cluster| {
            for host in cluster.others(&[old]) {
                let (coordinator, view) = (host.coordinator()?, host.view()?);
                if coordinator.epoch <= before.epoch || view.epoch < coordinator.epoch {
                    return Err(format!("{} says {coordinator:?}", host.name()));
                }
                committed = committed.max(view.view);
            }
            Ok(())
        },
    );
    let paths = ["/v1/coordinator", "/v1/members?consistent=true&timeout=3s"];
    let ask = |path: &str| {
        cluster
            .host(old)
            .ask(path)
            .expect("it listens, paused or not")
    };
    let asked: Vec<_> = (0..10).map(|_| paths.map(ask)).collect();
    cluster.host(old).resume();
    for [coordinator, members] in asked {
        if let (200, body) = coordinator.answer().expect("it answers when it goes on") {
            let told: CoordinatorView = serde_json::from_str(&body).expect("a coordinator");
            assert!(told.epoch > before.epoch, "a deposed one says {told:?}");
        }
        if let (200, body) = members.answer().expect("it answers when it goes on") {
            let told: View = serde_json::from_str(&body).expect("members");
            assert!(
                told.view >= committed,
                "view {committed} was there, it says {told}"
            );
        }
    }
    cluster.wait(SOON, "it agrees with the others", |cluster| {
        if let Ok(told) = cluster.host(old).coordinator()
            && told.epoch <= before.epoch
        {
            cluster.fail(&format!("a deposed one says {told:?}"));
        }
        cluster.all_see_all()?;
        cluster.all_agree().map(|_| ())
    });
    cluster.one_history();
}
