//! One name, several lives.

use std::time::{Duration, Instant, SystemTime};

use muster_tests::{Cluster, Exit, Line, Options};

use crate::SOON;

#[test]
fn a_restart_replaces_the_old_life_at_once() {
    restarted(&Options::default(), false);
}

#[test]
fn a_restart_on_another_address_replaces_the_old_life_at_once() {
    restarted(&Options::default(), true);
}

#[test]
fn a_restart_without_a_data_directory_replaces_the_old_life_at_once() {
    let options = Options {
        memory: false,
        ..Options::of(20)
    };
    restarted(&options, false);
}

/// One that was readmitted would have waited for this long.
const STABLE: Duration = Duration::from_secs(5);

/// A voter is killed and started again at once.
fn restarted(options: &Options, elsewhere: bool) {
    let mut cluster = Cluster::formed(options.clone());
    let voters = cluster.wait_voters(5);
    let decides = cluster.coordinator();
    let mut others = voters.into_iter().filter(|&voter| voter != decides);
    let victim = others.next().expect("there are five");
    let name = cluster.host(victim).name().to_owned();
    let old = instance(&cluster, decides, &name).expect("it votes");
    let marks = cluster.marks();
    let (began, since) = (SystemTime::now(), Instant::now());
    cluster.host_mut(victim).kill();
    cluster.start_as(victim, &name, elsewhere);
    let away = since.elapsed();
    assert!(away < Duration::from_millis(100), "started after {away:?}");
    let address = cluster.address(victim, elsewhere).to_string();
    cluster.wait(SOON, "all see the new life", |cluster| {
        cluster.all_see_all()?;
        for host in cluster.running() {
            let view = host.view()?;
            let member = view.member(&name).expect("it was seen alive just now");
            if member.instance <= old || member.addr != address {
                return Err(format!(
                    "{} sees {member:?}, before it was {old}",
                    host.name()
                ));
            }
        }
        Ok(())
    });
    let new = cluster.wait_all_agree().up[&name].0;
    cluster.wait(SOON, "both verdicts are logged by all", |cluster| {
        cluster.others_logged(&marks, "member-dead", &[victim])?;
        cluster.others_logged(&marks, "member-up", &[victim])
    });
    for number in cluster.running_numbers() {
        let events = cluster.host(number).events(marks[number - 1]);
        let of = |kind: &str| -> Vec<&Line> {
            let about = |line: &&Line| line.kind == kind && line.member == name;
            events.iter().filter(about).collect()
        };
        let lives = |kind| {
            of(kind)
                .iter()
                .map(|line| line.number("instance"))
                .collect()
        };
        let (ups, deaths): (Vec<_>, Vec<_>) = (lives("member-up"), lives("member-dead"));
        let came = of("member-up").first().and_then(|line| line.time());
        let came = came.and_then(|time| time.duration_since(began).ok());
        let once = ups == [Some(new)] && deaths == [Some(old)];
        let at_once = came.is_some_and(|came| came < STABLE);
        if number != victim && !(once && at_once) {
            cluster.fail(&format!(
                "n{number} told ends of {deaths:?} and a beginning of {ups:?} after {came:?}; the \
                 lives were {old} and {new}"
            ));
        }
    }
    for accusation in ["member-suspect", "member-unreachable", "member-dead"] {
        if let Err(accused) = cluster.none_but(&marks, accusation, &[victim]) {
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
