//! Links between buddies: a process that dies is known at once, and a link that breaks costs
//! nobody its life.

use muster_swim::LinkState;
use muster_swim::sim::{Cluster, Pid};

use crate::support::*;
use crate::verdicts::{agreed, coordinator};

/// Whether every link that is to stand does.
fn all_stand(cluster: &Cluster) -> bool {
    cluster.up().iter().all(|pid| {
        let links = cluster.node(*pid).links();
        let ours = links.iter().filter(|link| link.ours);
        let mut ours = ours.peekable();
        ours.peek().is_some() && ours.all(|link| link.state == LinkState::Up)
    })
}

fn linked(seed: u64, count: usize) -> (Cluster, Vec<Pid>) {
    let (mut cluster, pids) = agreed(seed, count);
    must(&mut cluster, secs(10), "all links stand", all_stand);
    (cluster, pids)
}

#[test]
fn killed_processes_are_removed_everywhere_within_a_tenth_of_a_second() {
    let mut all = Vec::new();
    for (count, seeds) in [(20, seeds(0..20)), (60, seeds(0..10)), (200, seeds(0..3))] {
        let mut times = Vec::new();
        for seed in seeds {
            let (mut cluster, mut pids) = linked(seed, count);
            let decides = coordinator(&cluster).expect("somebody decides");
            pids.retain(|pid| *pid != decides);
            // Most voters live: without a quorum there are hints only.
            let votes = |pid: &Pid| cluster.node(*pid).me().voter;
            let (voters, others): (Vec<Pid>, Vec<Pid>) = pids.into_iter().partition(votes);
            let mut victims = cluster.dice().sample(&voters, 1);
            victims.extend(cluster.dice().sample(&others, 2));
            let since = cluster.now();
            for victim in &victims {
                cluster.crash(*victim);
            }
            let up = cluster.up();
            must(&mut cluster, secs(5), "all know", |cluster| {
                let told =
                    |at: &Pid, of: &Pid| !told(cluster, *at, *of, "member-dead", since).is_empty();
                up.iter().all(|at| victims.iter().all(|of| told(at, of)))
            });
            let last = up.iter().flat_map(|at| {
                let of = victims.iter();
                let all = of.flat_map(|of| told(&cluster, *at, *of, "member-dead", since));
                all.collect::<Vec<_>>()
            });
            times.push(last.max().expect("all told") - since);
            cluster.check();
        }
        times.sort();
        let (median, worst) = (times[times.len() / 2], times[times.len() - 1]);
        println!("3 of {count} killed: the last knows after {median:?} (median) {worst:?} (worst)");
        all.push(worst);
    }
    assert!(all.iter().all(|worst| *worst <= ms(250)), "{all:?}");
}

/// All at once: 190 links of 60 members, and more than a thousand of 350.
#[test]
fn a_reset_of_every_connection_costs_nobody_its_life() {
    let few = seeds(0..4).into_iter().map(|seed| (seed, 60, 180));
    let many = seeds(0..1).into_iter().map(|seed| (seed, 350, 1000));
    for (seed, count, least) in few.chain(many) {
        let (mut cluster, pids) = linked(seed, count);
        for _ in 0..3 {
            let ours = |pid: &Pid| {
                let links = cluster.node(*pid).links();
                links.iter().filter(|link| link.ours).count()
            };
            let links: usize = pids.iter().map(ours).sum();
            assert!(links >= least, "{links} links of {count}");
            let since = cluster.now();
            for pid in &pids {
                cluster.reset_streams(*pid);
            }
            cluster.run_for(secs(5));
            for event in ["member-suspect", "member-unreachable", "member-dead"] {
                assert_eq!(all_told(&cluster, event, since), [], "{event}");
            }
            must(&mut cluster, secs(30), "all links stand again", all_stand);
        }
        cluster.check();
    }
}

#[test]
fn links_that_stand_cost_nothing() {
    let (mut cluster, pids) = linked(1, 40);
    cluster.run_for(secs(60));
    let opened = |cluster: &Cluster| -> u64 {
        let of = |pid: &Pid| cluster.traffic(*pid).streams_opened;
        pids.iter().map(of).sum()
    };
    let before = opened(&cluster);
    cluster.run_for(secs(600));
    assert_eq!(opened(&cluster), before);
    assert!(all_stand(&cluster));
}

#[test]
fn links_follow_the_rings() {
    for seed in seeds(0..5) {
        let (mut cluster, pids) = linked(seed, 20);
        for victim in &pids[15..] {
            cluster.crash(*victim);
        }
        cluster.run_for(secs(5));
        must(&mut cluster, secs(60), "all links stand", all_stand);
        for pid in cluster.up() {
            let node = cluster.node(pid);
            let successors = node.rings().into_iter().filter_map(|place| place.successor);
            let mut wanted: Vec<_> = successors.map(|info| info.name).collect();
            wanted.sort();
            wanted.dedup();
            let links = node.links();
            let to = |name| links.iter().any(|link| link.ours && link.name == name);
            assert!(wanted.into_iter().all(to), "{links:?}");
            // And of those that are gone nothing is left.
            let gone = |name| {
                cluster
                    .up()
                    .iter()
                    .all(|up| cluster.launched(*up).name != name)
            };
            assert!(!links.into_iter().any(|link| gone(link.name)));
        }
        cluster.check();
    }
}

#[test]
fn a_process_that_is_back_within_a_tenth_of_a_second_is_a_new_life_and_hurts_nobody() {
    for seed in seeds(0..10) {
        let (mut cluster, pids) = linked(seed, 20);
        let decides = coordinator(&cluster).expect("somebody decides");
        let victim = *pids.iter().rfind(|pid| **pid != decides).expect("others");
        let since = cluster.now();
        cluster.crash(victim);
        cluster.run_for(ms(80));
        cluster.restart(victim);
        must(&mut cluster, secs(20), "all agree", Cluster::is_unanimous);
        cluster.run_for(secs(5));
        let name = cluster.launched(victim).name.clone();
        for (_, event) in all_told(&cluster, "member-dead", since) {
            assert!(event.contains(&format!("{name:?}")), "{event}");
        }
        cluster.check();
    }
}
