//! Every core is busy with something else.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use muster_tests::{Cluster, Options};

use crate::SOON;

/// Busy processes for each core.
const EACH: usize = 2;

/// Processes that do nothing but take time. They end when this is dropped.
struct Load(Vec<Child>);

impl Load {
    fn start() -> Load {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let busy = |_| {
            // Its own limit ends it should this process be killed.
            let child = Command::new("sh")
                .args(["-c", "ulimit -t 120; while :; do :; done"])
                .stdin(Stdio::null())
                .spawn();
            child.expect("there is a shell")
        };
        Load((0..cores * EACH).map(busy).collect())
    }

    /// The processor time that each has had, in clock ticks (proc(5): field 14 of `stat`).
    fn ticks(&self) -> Vec<u64> {
        let of = |child: &Child| {
            let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).ok()?;
            let after_name = stat.rsplit_once(')')?.1;
            after_name.split_whitespace().nth(11)?.parse().ok()
        };
        let all = self.0.iter().map(of);
        all.map(|ticks| ticks.expect("it runs until it is ended"))
            .collect()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // It may have reached its limit.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[test]
fn two_busy_processes_for_each_core_cost_nobody_its_life_and_hide_no_death() {
    let mut cluster = Cluster::formed(Options::of(20));
    cluster.wait_voters(5);
    let victim = cluster.coordinator() % 20 + 1;
    let marks = cluster.marks();
    let lost_is_only = |cluster: &Cluster, expected: &[usize]| {
        cluster.none_but(&marks, "member-unreachable", expected)?;
        cluster.none_but(&marks, "member-dead", expected)
    };
    let load = Load::start();
    cluster.hold(Duration::from_secs(15), "under load", |cluster| {
        lost_is_only(cluster, &[])
    });
    cluster.host_mut(victim).kill();
    cluster.wait(SOON, "all have the verdict on the killed one", |cluster| {
        lost_is_only(cluster, &[victim])?;
        cluster.others_logged(&marks, "member-dead", &[victim])
    });
    cluster.hold(Duration::from_secs(15), "under load still", |cluster| {
        lost_is_only(cluster, &[victim])
    });
    let ticks = load.ticks();
    println!("processor time of the others, in ticks: {ticks:?}");
    assert!(ticks.iter().all(|ticks| *ticks >= 100), "{ticks:?}");
    drop(load);
    cluster.wait(SOON, "all see all afterwards", Cluster::all_see_all);
    cluster.wait_all_agree();
}
