//! Sidecars find each other.

use std::collections::BTreeSet;

use muster_tests::{Cluster, Family, Options};

use crate::SOON;

#[test]
fn thirty_members_over_ipv4_all_see_all() {
    let cluster = Cluster::formed(Options::default());
    every_address_is_its_own(&cluster);
}

#[test]
fn thirty_members_over_ipv6_all_see_all() {
    let cluster = Cluster::formed(Options {
        family: Family::V6,
        ..Options::default()
    });
    every_address_is_its_own(&cluster);
}

fn every_address_is_its_own(cluster: &Cluster) {
    let expected: BTreeSet<String> = (1..=30)
        .map(|number| cluster.address(number, false).to_string())
        .collect();
    for host in cluster.running() {
        let view = host.view().expect("a member of a formed cluster answers");
        let seen: BTreeSet<String> = view
            .members
            .iter()
            .map(|member| member.addr.clone())
            .collect();
        assert_eq!(seen, expected, "as {} sees it", host.name());
    }
}

#[test]
fn a_seed_may_be_a_name_that_resolves_only_later() {
    let mut cluster = Cluster::new(Options::default());
    let first = cluster.address(1, false);
    let nowhere = "127.0.0.1 localhost\n";
    let resolving = format!("{nowhere}{} seed.muster.test\n", first.ip());
    cluster.start_with(1, "n1", false, &[]);
    for number in 2..=30 {
        let known = if number <= 15 { &resolving } else { nowhere };
        cluster.network().set_hosts_file(number, known);
        let seed = format!("seed.muster.test:{}", first.port());
        cluster.start_with(number, &format!("n{number}"), false, &[seed]);
    }
    let early: Vec<usize> = (2..=15).collect();
    cluster.wait(SOON, "those whose name resolves have joined", |cluster| {
        let view = cluster.host(1).view()?;
        let missing = early
            .iter()
            .find(|&number| view.state(cluster.host(*number).name()) != "alive");
        missing.map_or(Ok(()), |number| {
            Err(format!("n{number} is missing; n1 sees {view}"))
        })
    });
    cluster.wait(SOON, "the others know why they are alone", |cluster| {
        for number in 16..=30 {
            let status = cluster.host(number).status()?;
            if status["seeds"][0]["last_error"].is_null() || status["members"]["alive"] != 1 {
                return Err(format!("n{number} says {status}"));
            }
        }
        Ok(())
    });
    for number in 16..=30 {
        cluster.network().set_hosts_file(number, &resolving);
    }
    cluster.wait_all_see_all();
    cluster.wait_all_agree();
}
