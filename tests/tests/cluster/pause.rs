//! Processes stand still: a long collection of garbage, a starved virtual machine.

use std::time::{Duration, Instant, SystemTime};

use muster_tests::{Cluster, Mark, Options};

use crate::SOON;
use crate::curl::follow;

/// What a member that stalls on a live host is given by default.
const STALL_TIMEOUT: Duration = Duration::from_secs(6);

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

/// The coordinator stands still for a second, another member for three, a third one for thirty.
#[test]
fn pauses_within_stall_timeout_cost_nothing_and_one_beyond_it_costs_a_life() {
    let cluster = Cluster::formed(Options::of(10));
    cluster.wait_voters(5);
    let brief = cluster.coordinator();
    let (middle, long) = (brief % 10 + 1, (brief + 4) % 10 + 1);
    let before = cluster.wait_all_agree();
    let marks = cluster.marks();
    let path = "/v1/events?types=self-removed,self-readmitted";
    let (mut client, lines) = follow(cluster.host(long), path);
    let greeted = |_: &Cluster| lines.try_recv().map(drop).map_err(|none| none.to_string());
    cluster.wait(SOON, "its client listens", greeted);

    let (began, since) = (SystemTime::now(), Instant::now());
    for number in [brief, middle, long] {
        cluster.host(number).pause();
    }
    for (number, seconds) in [(brief, 1), (middle, 3)] {
        let left = Duration::from_secs(seconds).saturating_sub(since.elapsed());
        cluster.hold(left, "during the pauses", |cluster| {
            cluster.none_but(&marks, "member-dead", &[])
        });
        cluster.host(number).resume();
    }
    cluster.wait(SOON, "all agree on the third one", |cluster| {
        cluster.none_but(&marks, "member-dead", &[long])?;
        cluster.others_agree(&[long], "dead")?;
        cluster.others_logged(&marks, "member-dead", &[long])
    });
    assert_patience(&cluster, &marks, began);
    let name = cluster.host(long).name();
    for host in cluster.others(&[long]) {
        let told = host.muster(&["explain", name]);
        let told = told.unwrap_or_else(|error| cluster.fail(&error));
        assert!(told.contains("stalled: host up, process silent"), "{told}");
    }
    let left = Duration::from_secs(30).saturating_sub(since.elapsed());
    cluster.hold(left, "until its end", |cluster| {
        cluster.none_but(&marks, "member-dead", &[long])
    });
    cluster.host(long).resume();
    cluster.wait(SOON, "all see all again", Cluster::all_see_all);
    let after = cluster.wait_all_agree();
    for (name, life) in &before.up {
        let is_new = name == cluster.host(long).name();
        assert_eq!(after.up[name].0 > life.0, is_new, "the life of {name}");
    }
    let all_told = ["self-removed", "self-readmitted"];
    let told = cluster.host(long).kinds_about_itself(marks[long - 1]);
    assert_eq!(told, all_told, "its log");
    let mut told: Vec<String> = Vec::new();
    cluster.wait(SOON, "its client was told", |_| {
        told.extend(lines.try_iter());
        let kinds = told.iter().filter_map(|line| line.strip_prefix("event: "));
        let is_told = kinds.eq(all_told);
        is_told.then_some(()).ok_or_else(|| format!("{told:?}"))
    });
    client.kill().expect("it follows until it is ended");
    client.wait().expect("it was started");
    // A hint may come sooner than a verdict, and was taken back.
    let accused = [
        ("member-unreachable", vec![middle, long]),
        ("member-dead", vec![long]),
    ];
    for (accusation, expected) in accused {
        if let Err(accused) = cluster.none_but(&marks, accusation, &expected) {
            cluster.fail(&accused);
        }
    }
}

/// Nobody has told a death earlier than it may.
fn assert_patience(cluster: &Cluster, marks: &[Mark], began: SystemTime) {
    for (host, mark) in (1..=10).map(|number| (cluster.host(number), marks[number - 1])) {
        for line in host.events(mark) {
            let after = line.time().and_then(|time| time.duration_since(began).ok());
            if line.kind == "member-dead" && after.is_none_or(|after| after < STALL_TIMEOUT) {
                cluster.fail(&format!("after {after:?}: {}", line.text));
            }
        }
    }
}
