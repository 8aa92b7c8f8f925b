//! Processes stand still: a long collection of garbage, a starved virtual machine.

use std::time::Duration;

use muster_tests::{Cluster, Options};

use crate::SOON;

#[test]
fn a_pause_of_a_second_is_harmless() {
    let cluster = Cluster::formed(Options::default());
    let marks = cluster.marks();
    let nobody_is_lost = |cluster: &Cluster| {
        cluster.none_but(&marks, "member-unreachable", &[])?;
        cluster.none_but(&marks, "member-dead", &[])
    };
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
fn a_long_pause_removes_and_its_end_brings_back_as_a_new_life() {
    let cluster = Cluster::formed(Options::default());
    let marks = cluster.marks();
    let instance = |number: usize| {
        let view = cluster.host(number).view().expect("a member answers");
        view.member("n11").expect("n11 is known").instance
    };
    let old = instance(1);
    cluster.host(11).pause();
    cluster.wait(
        SOON,
        "all agree that the paused member is dead",
        |cluster| {
            cluster.others_see(&[11], "dead")?;
            cluster.others_agree(&[11], "dead")?;
            cluster.others_were_warned(&marks, &[11])
        },
    );
    cluster.host(11).resume();
    cluster.wait(SOON, "all see all again", Cluster::all_see_all);
    cluster.wait_all_agree();
    for accusation in ["member-unreachable", "member-dead"] {
        if let Err(accused) = cluster.none_but(&marks, accusation, &[11]) {
            cluster.fail(&accused);
        }
    }
    let told = cluster.host(11).kinds_about_itself(marks[10]);
    assert_eq!(told, ["self-removed", "self-readmitted"]);
    assert!(instance(11) > old, "a verdict is final for a life");
    assert_eq!(instance(1), instance(11), "all know its new one");
}
