//! Nothing grows with time.

use std::collections::BTreeMap;

use muster_tests::{Cluster, Footprint, Options};

use crate::SOON;

/// Rounds until every buffer had a chance to be full.
const WARM_UP: usize = 4;
const ROUNDS: usize = 8;

/// An open stream here or there; a leak would be one per round at least.
const SPARE_DESCRIPTORS: usize = 4;

/// Below what a kilobyte lost per round and member would add up to in the allocator's pages.
const SPARE_KIB: u64 = 512;

#[test]
fn descriptors_and_memory_do_not_grow_while_members_come_and_go() {
    let mut cluster = Cluster::formed(Options {
        // Faster rounds, and a ring of events that is full early.
        arguments: ["--preset", "local", "--event-buffer", "32"]
            .map(str::to_owned)
            .to_vec(),
        // Those that come and go.
        non_voting: (21..=30).collect(),
        ..Options::default()
    });
    for round in 0..WARM_UP {
        churn(&mut cluster, round);
    }
    let before = footprints(&cluster);
    for round in WARM_UP..WARM_UP + ROUNDS {
        churn(&mut cluster, round);
    }
    let after = footprints(&cluster);
    for (name, after) in &after {
        let before = before[name];
        println!("{name}: {before:?} -> {after:?}");
        let descriptors = after.descriptors <= before.descriptors + SPARE_DESCRIPTORS;
        assert!(
            descriptors,
            "{name} gathers descriptors: {before:?}, later {after:?}"
        );
        let memory = after.resident_kib <= before.resident_kib + SPARE_KIB;
        assert!(memory, "{name} gathers memory: {before:?}, later {after:?}");
    }
}

/// Three members crash, are noticed and come back; which ones changes with the round. The first 20
/// stay.
fn churn(cluster: &mut Cluster, round: usize) {
    let victims: Vec<usize> = (0..3).map(|index| 21 + (round * 3 + index) % 10).collect();
    for &victim in &victims {
        cluster.host_mut(victim).kill();
    }
    cluster.wait(SOON, "the dead are removed", |cluster| {
        cluster.others_see(&victims, "dead")
    });
    for &victim in &victims {
        cluster.start(victim);
    }
    cluster.wait(SOON, "all see all again", Cluster::all_see_all);
    cluster.wait_all_agree();
}

fn footprints(cluster: &Cluster) -> BTreeMap<String, Footprint> {
    let stayers = (1..=20).map(|number| cluster.host(number));
    stayers
        .map(|host| (host.name().to_owned(), host.footprint()))
        .collect()
}
