//! Processes stand still: a long collection of garbage, a starved virtual machine.

use std::time::Duration;

use muster_tests::{Cluster, Options};

use crate::SOON;

#[test]
fn a_pause_of_a_second_is_harmless() {
    let cluster = Cluster::formed(Options::default());
    let marks = cluster.marks();
    let nobody_is_lost = |cluster: &Cluster| cluster.none_but(&marks, "member-unreachable", &[]);
    cluster.host(11).pause();
    cluster.hold(
        Duration::from_secs(1),
        "while a member is paused",
        nobody_is_lost,
    );
    cluster.host(11).resume();
    // Suspicions that the pause left behind would end in this time.
    cluster.hold(Duration::from_secs(15), "after the pause", nobody_is_lost);
    cluster.wait(SOON, "all see all again", Cluster::all_see_all);
}

#[test]
fn a_long_pause_makes_unreachable_and_its_end_reachable_again() {
    let cluster = Cluster::formed(Options::default());
    let marks = cluster.marks();
    cluster.host(11).pause();
    cluster.wait(
        SOON,
        "all see the paused member as unreachable",
        |cluster| cluster.others_see(&[11], "unreachable"),
    );
    cluster.host(11).resume();
    cluster.wait(SOON, "all see all again", Cluster::all_see_all);
    if let Err(accused) = cluster.none_but(&marks, "member-unreachable", &[11]) {
        cluster.fail(&accused);
    }
    let instance = |number: usize| {
        let view = cluster.host(number).view().expect("a member answers");
        view.member("n11").expect("n11 is known").instance
    };
    assert_eq!(instance(1), instance(11), "it came back as the same life");
}
