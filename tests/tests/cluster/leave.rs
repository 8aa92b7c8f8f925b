//! Members say goodbye.

use muster_tests::{Cluster, Exit, Options};

use crate::SOON;

#[test]
fn members_that_leave_have_left_and_are_not_lost() {
    let mut cluster = Cluster::formed(Options::default());
    let marks = cluster.marks();
    // One that all know as a seed, one alone, and two at once.
    for leavers in [vec![2], vec![13], vec![22, 23]] {
        for &leaver in &leavers {
            cluster.host(leaver).terminate();
        }
        for &leaver in &leavers {
            let ended = cluster.host_mut(leaver).wait_exit(SOON);
            if ended != Ok(Exit::Code(0)) {
                cluster.fail(&format!("n{leaver} was to end with code 0: {ended:?}"));
            }
        }
        cluster.wait(SOON, "all see that they left", |cluster| {
            cluster.others_see(&leavers, "left")
        });
        cluster.wait(SOON, "all agree that they left", |cluster| {
            cluster.others_agree(&leavers, "left")?;
            cluster.others_logged(&marks, "member-left", &leavers)
        });
    }
    // Who hears of the view before the goodbye tells the verdict alone. The goodbye is pushed
    // first, so that these are few.
    let lacks = cluster.not_logged(&marks, "member-unreachable", &[2, 13, 22, 23]);
    if lacks.len() > 10 {
        cluster.fail(&format!(
            "of 104 hints that somebody left these lack: {lacks:?}"
        ));
    }
    cluster.wait(SOON, "the others see each other", Cluster::all_see_all);
    cluster.wait_all_agree();
    for accusation in ["member-suspect", "member-dead"] {
        if let Err(lost) = cluster.none_but(&marks, accusation, &[]) {
            cluster.fail(&lost);
        }
    }
    for number in cluster.running_numbers() {
        let host = cluster.host(number);
        let events = host.events(marks[number - 1]);
        let mut lost = events
            .iter()
            .filter(|line| line.kind == "member-unreachable");
        let lost = lost.find(|line| !line.text.contains(" cause=goodbye"));
        if let Some(line) = lost {
            cluster.fail(&format!("{} logged: {}", host.name(), line.text));
        }
    }
}
