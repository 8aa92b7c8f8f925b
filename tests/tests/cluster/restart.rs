//! One name, several lives.

use muster_tests::{Cluster, Exit, Options};

use crate::SOON;

#[test]
fn a_restart_replaces_the_old_life_at_once() {
    restarted(false);
}

#[test]
fn a_restart_on_another_address_replaces_the_old_life_at_once() {
    restarted(true);
}

fn restarted(elsewhere: bool) {
    let mut cluster = Cluster::formed(Options::default());
    let old = instance(&cluster, 1, "n20").expect("n20 is known");
    let marks = cluster.marks();
    cluster.host_mut(20).kill();
    cluster.start_as(20, "n20", elsewhere);
    let address = cluster.address(20, elsewhere).to_string();
    cluster.wait(SOON, "all see the new life", |cluster| {
        cluster.all_see_all()?;
        for host in cluster.running() {
            let view = host.view()?;
            let member = view.member("n20").expect("it was seen alive just now");
            if member.instance <= old || member.addr != address {
                return Err(format!(
                    "{} sees {member:?}, before it was {old}",
                    host.name()
                ));
            }
        }
        Ok(())
    });
    cluster.wait_all_agree();
    cluster.wait(SOON, "both verdicts are logged by all", |cluster| {
        cluster.others_logged(&marks, "member-dead", &[20])?;
        cluster.others_logged(&marks, "member-up", &[20])
    });
    for accusation in ["member-unreachable", "member-dead"] {
        if let Err(accused) = cluster.none_but(&marks, accusation, &[20]) {
            cluster.fail(&accused);
        }
    }
}

#[test]
fn of_two_live_members_with_one_name_the_newer_stays() {
    let mut cluster = Cluster::new(Options {
        hosts: 31,
        ..Options::default()
    });
    for number in 1..=30 {
        cluster.start(number);
    }
    cluster.wait_all_see_all();
    let old = instance(&cluster, 1, "n5").expect("n5 is known");
    let marks = cluster.marks();
    cluster.start_as(31, "n5", false);
    let ended = cluster.host_mut(5).wait_exit(SOON);
    if ended != Ok(Exit::Code(3)) {
        cluster.fail(&format!("the older n5 was to end with code 3: {ended:?}"));
    }
    let log = cluster.host(5).log_text();
    let newer = cluster.address(31, false).to_string();
    let removed = cluster.host(5).events(marks[4]);
    let removed = removed.iter().any(|line| line.kind == "self-removed");
    assert!(removed, "its log tells that it was removed:\n{log}");
    let error = cluster.host(5).log_tail(3);
    let clear = error.contains("n5") && error.contains(&newer);
    assert!(
        clear,
        "the error names the name and the other's address, {newer}:\n{error}"
    );
    cluster.wait(SOON, "all see the newer n5", |cluster| {
        for host in cluster.running() {
            let view = host.view()?;
            let member = view.member("n5").filter(|member| member.state == "alive");
            if !member.is_some_and(|member| member.instance > old && member.addr == newer) {
                return Err(format!("{} sees {member:?}", host.name()));
            }
        }
        Ok(())
    });
    cluster.wait_all_agree();
}

fn instance(cluster: &Cluster, observer: usize, name: &str) -> Option<u64> {
    let view = cluster.host(observer).view().expect("a member answers");
    view.member(name).map(|member| member.instance)
}
