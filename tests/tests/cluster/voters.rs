//! Voters go for good, lose their memory, and are killed again and again.

use std::collections::BTreeSet;
use std::fs;

use muster_tests::{Cluster, Options};

use crate::SOON;

/// Voters that are killed, one after the other.
const KILLS: usize = 20;

#[test]
fn a_voter_that_is_gone_for_good_is_replaced() {
    let mut cluster = Cluster::formed(Options::of(4));
    let voters = cluster.wait_voters(3);
    let old = cluster.coordinator();
    let gone = *voters
        .iter()
        .find(|&&voter| voter != old)
        .expect("there are three");
    cluster.host_mut(gone).kill();
    cluster.wait(SOON, "it is removed", |cluster| {
        cluster.others_agree(&[gone], "dead")
    });
    let now = cluster.wait_voters(3);
    assert!(!now.contains(&gone), "{now:?} after {voters:?}");
    for host in cluster.running() {
        assert_eq!(host.status().expect("it answers")["role"], "voter");
    }
}

#[test]
fn a_voter_that_lost_its_memory_is_taken_in_again() {
    let mut cluster = Cluster::formed(Options::of(3));
    cluster.wait_voters(3);
    let before = cluster.wait_all_agree();
    let wiped = cluster.coordinator() % 3 + 1;
    cluster.host_mut(wiped).kill();
    fs::remove_dir_all(cluster.host(wiped).data()).expect("it has a data directory");
    cluster.start(wiped);
    cluster.wait(SOON, "it votes again, as another voter", |cluster| {
        cluster.all_see_all()?;
        let agreed = cluster.all_agree()?;
        let name = cluster.host(wiped).name();
        let status = cluster.host(wiped).status()?;
        if agreed.up[name].0 > before.up[name].0 && status["role"] == "voter" {
            Ok(())
        } else {
            Err(format!("{agreed:?}, {status}"))
        }
    });
    cluster.wait_voters(3);
    cluster.one_history();
}

#[test]
fn voters_killed_again_and_again_never_cost_a_healthy_member() {
    let mut cluster = Cluster::formed(Options {
        non_voting: vec![5, 6],
        ..Options::of(6)
    });
    let marks = cluster.marks();
    cluster.wait_voters(3);
    let mut agreed = cluster.wait_all_agree();
    let mut killed: BTreeSet<(String, u64)> = BTreeSet::new();
    for round in 0..KILLS {
        let voters = cluster
            .voters(4)
            .expect("it is never killed, unless it votes");
        let voters: Vec<usize> = voters.into_iter().filter(|&voter| voter != 4).collect();
        let guest = 5 + round % 2;
        for number in [voters[round % voters.len()], guest] {
            if cluster.host(number).is_running() {
                let name = cluster.host(number).name().to_owned();
                killed.insert((name.clone(), agreed.up[&name].0));
                cluster.host_mut(number).kill();
            }
            // Guests stay away for two rounds.
            if number != guest || round % 4 > 1 {
                cluster.start(number);
            }
        }
        agreed = cluster.wait_all_agree();
        cluster.wait(SOON, "a majority votes", |cluster| {
            let voting = cluster
                .running()
                .filter(|host| host.status().is_ok_and(|status| status["role"] == "voter"));
            if voting.count() == 3 {
                Ok(())
            } else {
                Err("fewer than three".to_owned())
            }
        });
    }
    for host in cluster.running() {
        let number = host.name()[1..]
            .parse::<usize>()
            .expect("hosts are numbered");
        for line in host.events(marks[number - 1]) {
            if line.kind != "member-dead" {
                continue;
            }
            let life = (
                line.member.clone(),
                line.number("instance").expect("a life"),
            );
            if !killed.contains(&life) {
                cluster.fail(&format!(
                    "{} removed a healthy one: {}",
                    host.name(),
                    line.text
                ));
            }
        }
    }
    cluster.wait_all_see_all();
    cluster.one_history();
}
