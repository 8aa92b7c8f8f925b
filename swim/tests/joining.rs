//! Joining: in any order, through any seed, at any time.

use std::time::Duration;

use muster_swim::sim::{Cluster, Launch, Options};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn members_that_join_through_one_seed_know_each_other() {
    for seed in 0..20 {
        let mut cluster = Cluster::new(
            seed,
            Options {
                trace_lines: 200,
                ..Options::default()
            },
        );
        cluster.grow(10, Launch::numbered);
        let took = cluster.run_until(10 * SECOND, Cluster::agrees);
        assert!(took.is_some());
        cluster.run_for(10 * SECOND);
        cluster.check();
    }
}
