//! Most voters are out of reach, for a while or for good.

use muster_tests::{Cluster, Cut, Host, Options};

use crate::{PATIENT, SOON};

#[test]
fn two_of_five_voters_decide_nothing_and_are_removed_by_the_three() {
    let cluster = Cluster::formed(Options::of(5).with(&["--voters", "5"]));
    cluster.wait_voters(5);
    let before = cluster.wait_all_agree();
    let old = cluster.coordinator();
    let two = vec![old, old % 5 + 1];
    let three: Vec<usize> = (1..=5).filter(|number| !two.contains(number)).collect();
    let marks = cluster.marks();
    cluster
        .network()
        .impose(&[Cut::Between(two.clone(), three.clone())]);
    cluster.wait(PATIENT, "the three have removed the two", |cluster| {
        frozen(cluster, &two, before.view)?;
        for host in cluster.others(&two) {
            let epoch = host.coordinator()?.epoch;
            if epoch <= before.epoch {
                return Err(format!("{} is in epoch {epoch}", host.name()));
            }
        }
        cluster.others_see(&two, "dead")?;
        cluster.others_agree(&two, "dead")
    });
    cluster.wait(PATIENT, "the two know that they cannot decide", |cluster| {
        frozen(cluster, &two, before.view)?;
        for host in cluster.others(&three) {
            has_lost(host)?;
        }
        // Hints go on, and are no verdicts.
        cluster.others_see(&three, "unreachable")?;
        cluster.others_agree(&three, "up")
    });
    cluster.network().heal();
    cluster.wait(PATIENT, "all see all and agree", |cluster| {
        cluster.all_see_all()?;
        cluster.all_agree().map(|_| ())
    });
    for &number in &two {
        let told = cluster.host(number).kinds_about_itself(marks[number - 1]);
        assert_eq!(told, ["self-removed", "self-readmitted"], "n{number}");
    }
    let after = cluster.wait_all_agree();
    for (number, name) in (1..=5).map(|number| (number, format!("n{number}"))) {
        let is_same = after.up[&name].0 == before.up[&name].0;
        assert_eq!(is_same, three.contains(&number), "the life of {name}");
    }
    cluster.one_history();
}

/// Complains at once when one of these has gone on deciding.
fn frozen(cluster: &Cluster, numbers: &[usize], view: u64) -> Result<(), String> {
    for &number in numbers {
        let seen = cluster.host(number).view()?;
        if seen.view != view {
            cluster.fail(&format!(
                "n{number} had view {view} and goes on alone: {seen}"
            ));
        }
    }
    Ok(())
}

fn has_lost(host: &Host) -> Result<(), String> {
    let status = host.status()?;
    if status["quorum"] == "lost" && status["coordinator"].is_null() {
        Ok(())
    } else {
        Err(format!("{} says {status}", host.name()))
    }
}

#[test]
fn a_lost_majority_is_recovered_by_an_operator_and_not_while_it_lives() {
    let mut cluster = Cluster::formed(Options::of(4));
    let voters = cluster.wait_voters(3);
    let before = cluster.wait_all_agree();
    let old = cluster.coordinator();
    let all = recover(cluster.host(1), &["n1", "n2", "n3", "n4"]);
    let refused = all.expect_err("the majority lives");
    assert!(refused.contains("quorum is held"), "{refused}");

    let survivor = *voters
        .iter()
        .find(|&&voter| voter != old)
        .expect("there are three");
    let lost: Vec<usize> = voters
        .iter()
        .copied()
        .filter(|&voter| voter != survivor)
        .collect();
    for &number in &lost {
        cluster.host_mut(number).kill();
    }
    cluster.wait(
        SOON,
        "the survivors know that nothing can be decided",
        |cluster| {
            cluster.running().try_for_each(has_lost)?;
            cluster.others_see(&lost, "unreachable")
        },
    );
    let marks = cluster.marks();
    let names: Vec<String> = cluster
        .running()
        .map(|host| host.name().to_owned())
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let lineage = lineage(cluster.host(survivor));
    let host = cluster.host(survivor);
    let refused = recover(host, &[host.name()]).expect_err("another one lives");
    assert!(refused.contains("name every survivor"), "{refused}");
    let done = recover(host, &names).unwrap_or_else(|error| cluster.fail(&error));
    assert!(done.contains(&format!("{} decides", host.name())), "{done}");

    cluster.wait(SOON, "the survivors have removed the lost", |cluster| {
        cluster.others_agree(&lost, "dead")?;
        cluster.all_agree().map(|_| ())
    });
    let after = cluster.wait_all_agree();
    assert!(
        after.view > before.view && after.epoch > before.epoch,
        "{after:?}"
    );
    for number in cluster.running_numbers() {
        let events = cluster.host(number).events(marks[number - 1]);
        let audit = events.iter().find(|line| line.kind == "quorum-regained");
        let audit = audit.unwrap_or_else(|| cluster.fail(&format!("n{number} did not tell")));
        assert!(audit.text.contains("recovered=true"), "{}", audit.text);
        let now = self::lineage(cluster.host(number));
        assert!(
            now != lineage && now[..16] == lineage[..16],
            "{now} after {lineage}"
        );
    }
    for &number in &lost {
        cluster.start(number);
    }
    cluster.wait_all_see_all();
    cluster.wait_all_agree();
    cluster.one_history();
}

fn lineage(host: &Host) -> String {
    let status = host.status().expect("a member answers");
    status["lineage"]
        .as_str()
        .expect("it is in a history")
        .to_owned()
}

fn recover(host: &Host, survivors: &[&str]) -> Result<String, String> {
    host.muster(&["recover", "--yes", "--survivors", &survivors.join(",")])
}
