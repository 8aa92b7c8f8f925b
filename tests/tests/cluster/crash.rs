//! Processes end without a word.

use muster_tests::{Cluster, Options};

use crate::SOON;

#[test]
fn a_killed_member_is_unreachable_to_all() {
    killed_and_noticed(&[17]);
}

#[test]
fn a_killed_third_is_unreachable_to_all_and_no_survivor_is_accused() {
    killed_and_noticed(&[3, 6, 9, 12, 15, 18, 21, 24, 27, 30]);
}

fn killed_and_noticed(victims: &[usize]) {
    let mut cluster = Cluster::formed(Options::default());
    let marks = cluster.marks();
    for &victim in victims {
        cluster.host_mut(victim).kill();
    }
    cluster.wait(
        SOON,
        "all survivors see the dead as unreachable",
        |cluster| {
            cluster.none_but(&marks, "member-unreachable", victims)?;
            cluster.others_see(victims, "unreachable")
        },
    );
    cluster.wait(SOON, "all survivors see each other", Cluster::all_see_all);
    for accusation in ["member-suspect", "member-unreachable"] {
        if let Err(accused) = cluster.none_but(&marks, accusation, victims) {
            cluster.fail(&accused);
        }
    }
}
