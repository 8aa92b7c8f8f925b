//! Processes end without a word.

use muster_tests::{Cluster, Options};

use crate::SOON;

#[test]
fn a_killed_member_is_hinted_at_and_then_dead_to_all() {
    let cluster = Cluster::formed(Options::default());
    killed_and_noticed(cluster, &[17]);
}

#[test]
fn a_killed_third_is_dead_to_all_and_no_survivor_is_accused() {
    let cluster = Cluster::formed(Options::default());
    let voters = cluster.wait_voters(5);
    // A majority of the voters lives.
    let (some, others): (Vec<usize>, Vec<usize>) =
        (1..=30).rev().partition(|number| voters.contains(number));
    let victims: Vec<usize> = some
        .into_iter()
        .take(2)
        .chain(others.into_iter().take(8))
        .collect();
    killed_and_noticed(cluster, &victims);
}

fn killed_and_noticed(mut cluster: Cluster, victims: &[usize]) {
    let marks = cluster.marks();
    for &victim in victims {
        cluster.host_mut(victim).kill();
    }
    cluster.wait(
        SOON,
        "all survivors have the verdict on the dead",
        |cluster| {
            cluster.none_but(&marks, "member-unreachable", victims)?;
            cluster.others_agree(victims, "dead")?;
            cluster.others_see(victims, "dead")
        },
    );
    // Mostly the verdict is there before the hint has reached all.
    cluster.wait(SOON, "the verdict is logged by all", |cluster| {
        cluster.others_logged(&marks, "member-dead", victims)
    });
    cluster.wait(SOON, "all survivors see each other", Cluster::all_see_all);
    cluster.wait_all_agree();
    for accusation in ["member-suspect", "member-unreachable", "member-dead"] {
        if let Err(accused) = cluster.none_but(&marks, accusation, victims) {
            cluster.fail(&accused);
        }
    }
}
