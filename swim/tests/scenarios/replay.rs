//! The simulator itself: a seed says everything.

use crate::support::*;
use crate::swarm::Swarm;

#[test]
fn the_same_seed_gives_the_same_trace_byte_for_byte() {
    let mut hashes = Vec::new();
    for seed in seeds(1000..1006) {
        let run = || {
            let mut swarm = Swarm::new(seed);
            swarm.hurt();
            swarm.recover();
            swarm.cluster.trace_hash()
        };
        let hash = run();
        assert_eq!(hash, run(), "seed {seed} runs the same twice");
        assert!(!hashes.contains(&hash), "another seed runs otherwise");
        hashes.push(hash);
    }
}

#[test]
fn faults_that_are_off_draw_nothing() {
    let plain = settled(5, 5).0.trace_hash();
    let mut options = options();
    options.faults.reorder_by = secs(1);
    let same = settled_with(5, options, 5, muster_swim::sim::Launch::numbered)
        .0
        .trace_hash();
    assert_eq!(plain, same);
}
