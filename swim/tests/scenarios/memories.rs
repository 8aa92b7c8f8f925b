//! What members remember over a restart, and what they must not do without it.

use muster_swim::Quorum;
use muster_swim::sim::{Cluster, Launch, Pid};

use crate::support::*;
use crate::verdicts::{agreed_with, quorum};

#[test]
fn those_that_never_voted_begin_no_other_history_without_the_voters() {
    for seed in seeds(0..10) {
        let (mut cluster, pids) = agreed_with(seed, 8, |at| {
            let mut launch = Launch::numbered(at);
            launch.config.expect = 3;
            launch.seed("10.0.0.0:7946").seed("10.0.0.3:7946")
        });
        let lineage = cluster.node(pids[0]).mark().expect("it knows").lineage;
        let known = cluster.node(pids[0]).agreement(cluster.clock(pids[0]));
        let votes = |pid: &&Pid| known.voters.contains(&cluster.launched(**pid).name);
        let (voting, others): (Vec<Pid>, Vec<Pid>) = pids.iter().partition(|pid| votes(pid));
        assert_eq!((voting.len(), others.len()), (3, 5));
        for pid in &pids {
            cluster.crash(*pid);
        }
        let again: Vec<Pid> = others.iter().map(|pid| cluster.restart(*pid)).collect();
        cluster.run_for(secs(30));
        for pid in &again {
            let mark = cluster.node(*pid).mark().expect("it remembers");
            assert_eq!(mark.lineage, lineage);
            assert_eq!(quorum(&cluster, *pid), Quorum::Lost);
        }
        for pid in &voting {
            cluster.restart(*pid);
        }
        must(&mut cluster, secs(60), "all agree", Cluster::is_unanimous);
        cluster.check();
    }
}
