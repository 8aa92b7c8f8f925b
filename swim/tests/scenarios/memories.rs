//! What members remember over a restart, and what they must not do without it.

use muster_swim::sim::{Cluster, Launch, Pid};
use muster_swim::{Quorum, State};

use crate::decided::{all_but, voting};
use crate::support::*;
use crate::verdicts::{agreed, agreed_with, quorum, view};

#[test]
fn those_that_never_voted_begin_no_other_history_without_the_voters() {
    for seed in seeds(0..10) {
        let (mut cluster, pids) = agreed_with(seed, 8, |at| {
            let mut launch = Launch::numbered(at);
            launch.config.expect = 3;
            launch.seed("10.0.0.0:7946").seed("10.0.0.3:7946")
        });
        let lineage = cluster.node(pids[0]).mark().expect("it knows").lineage;
        let voting = voting(&cluster, &pids);
        let others = all_but(&pids, &voting);
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

#[test]
fn a_lone_survivor_that_rebuilds_the_quorum_removes_those_given_up() {
    for seed in seeds(0..10) {
        let (mut cluster, pids) = agreed_with(seed, 3, Launch::numbered);
        let survivor = *cluster
            .dice()
            .sample(&pids, 1)
            .first()
            .expect("one of three");
        let gone: Vec<Pid> = pids.into_iter().filter(|pid| *pid != survivor).collect();
        for pid in &gone {
            if seed % 2 == 0 {
                cluster.crash(*pid);
            } else {
                cluster.crash_host(*pid);
            }
        }
        must(&mut cluster, secs(60), "the quorum is lost", |cluster| {
            all_hold(cluster, &[survivor], &gone, State::Unreachable)
                && quorum(cluster, survivor) == Quorum::Lost
        });
        let name = cluster.launched(survivor).name.clone();
        cluster.recover(survivor, &[name]).expect("it is lost");
        must(
            &mut cluster,
            secs(10),
            "the others are removed",
            |cluster| all_hold(cluster, &[survivor], &gone, State::Dead),
        );
        for pid in &gone {
            cluster.restart(*pid);
        }
        must(&mut cluster, secs(60), "all agree", Cluster::is_unanimous);
        cluster.check();
    }
}

/// Nobody is left whose signature it knows, and it lacks more cuts than anybody keeps: also when it
/// is started again in between, and finds the old roster in its data directory.
#[test]
fn who_was_away_while_all_voters_were_replaced_comes_back() {
    for seed in seeds(0..4) {
        let (mut cluster, pids) = agreed(seed, 9);
        let away = all_but(&pids, &voting(&cluster, &pids))[0];
        cluster.partition(&[away]);
        let before = view(&cluster, away);
        for voter in voting(&cluster, &pids) {
            cluster.crash(voter);
            must(&mut cluster, secs(120), "another one votes", |cluster| {
                let some = all_but(&cluster.up(), &[away])[0];
                let names = cluster.node(some).agreement(cluster.clock(some)).voters;
                names.len() == 3 && !names.contains(&cluster.launched(voter).name)
            });
        }
        let others = all_but(&cluster.up(), &[away]);
        let votes = voting(&cluster, &others);
        let mut busy = all_but(&others, &votes)[0];
        let some = votes[0];
        while view(&cluster, some).0 < before.0 + 300 {
            cluster.crash(busy);
            busy = cluster.restart(busy);
            must(&mut cluster, secs(60), "it is a member", |cluster| {
                quorum(cluster, busy) == Quorum::Held
            });
        }
        if seed % 2 == 0 {
            cluster.crash(away);
            cluster.restart(away);
        }
        cluster.network().heal();
        must(&mut cluster, secs(300), "all agree", Cluster::is_unanimous);
        cluster.check();
    }
}
