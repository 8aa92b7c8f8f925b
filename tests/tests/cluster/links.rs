//! Links between buddies, and what their end means.

use std::time::Duration;

use muster_tests::{Cluster, Cut, Options, PORT};

use crate::SOON;

#[test]
fn a_reset_of_every_connection_costs_nobody_its_life() {
    let cluster = Cluster::formed(Options::default());
    cluster.wait(SOON, "all links stand", Cluster::all_linked);
    let marks = cluster.marks();
    let broken = |host: &muster_tests::Host| {
        let status = host.status().expect("it answers");
        status["stats"]["links_broken"].as_u64().expect("a count")
    };
    let all_broken = || cluster.running().map(broken).sum::<u64>();
    for _ in 0..3 {
        let (ends, before) = (cluster.link_ends(), all_broken());
        for host in 1..=cluster.network().hosts() {
            cluster.network().reset_streams(host, PORT);
        }
        cluster.wait(SOON, "nearly all links broke, at both ends", |_| {
            let broken = all_broken() - before;
            let enough = broken * 10 >= ends * 9;
            enough
                .then_some(())
                .ok_or_else(|| format!("{broken} of {ends}"))
        });
        cluster.hold(Duration::from_secs(3), "nobody is lost", |cluster| {
            cluster.none_but(&marks, "member-unreachable", &[])?;
            cluster.none_but(&marks, "member-dead", &[])
        });
        cluster.wait(SOON, "all links stand again", Cluster::all_linked);
        cluster.all_see_all().expect("no suspicion lasts");
    }
}

#[test]
fn a_killed_process_is_told_by_refusals_and_explained_so() {
    let mut cluster = Cluster::formed(Options::of(10));
    cluster.wait(SOON, "all links stand", Cluster::all_linked);
    let marks = cluster.marks();
    cluster.host_mut(7).kill();
    cluster.wait(SOON, "all have the verdict", |cluster| {
        cluster.others_logged(&marks, "member-dead", &[7])
    });
    let told = cluster.host(1).muster(&["explain", "n7"]);
    let told = told.expect("it explains");
    assert!(told.contains("refused: host up, process gone"), "{told}");
    cluster.wait(SOON, "links follow the rings", Cluster::all_linked);
}

/// A link that stands says nothing for hours: what is on the way may forget it, and says nothing
/// either.
#[test]
fn links_that_are_swallowed_on_the_way_cost_nobody_its_life_and_hide_no_death() {
    let mut cluster = Cluster::formed(Options::of(10));
    cluster.wait(SOON, "all links stand", Cluster::all_linked);
    let marks = cluster.marks();
    cluster.network().impose(&[Cut::Forgotten(PORT)]);
    cluster.hold(Duration::from_secs(10), "nobody is lost", |cluster| {
        cluster.none_but(&marks, "member-unreachable", &[])?;
        cluster.none_but(&marks, "member-dead", &[])
    });
    cluster.host_mut(7).kill();
    cluster.wait(SOON, "all have the verdict", |cluster| {
        cluster.others_logged(&marks, "member-dead", &[7])
    });
    assert!(cluster.network().swallowed() > 0, "ends of links are lost");
    cluster.hold(Duration::from_secs(3), "nobody else is lost", |cluster| {
        cluster.none_but(&marks, "member-dead", &[7])
    });
    cluster.wait(SOON, "links follow the rings", Cluster::all_linked);
}
