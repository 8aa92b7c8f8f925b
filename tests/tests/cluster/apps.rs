//! Apps: how they end is known to every member, whatever ended them.

use std::time::Duration;

use muster_tests::{Attached, Cluster, Exit, Host, Line, Mark, Options};
use rustix::process::Signal;

use crate::SOON;

/// The lines of a host about an app, since a mark.
fn about(host: &Host, mark: Mark, kind: &str, app: &str) -> Vec<Line> {
    let named = format!(" app={app} ");
    let mut lines = host.events(mark);
    lines.retain(|line| line.kind == kind && line.text.contains(&named));
    lines
}

/// Whether each of these has told just this once, of an app of `of`, with these words.
fn told<'a>(
    mut hosts: impl Iterator<Item = (&'a Host, Mark)>,
    kind: &str,
    of: &str,
    words: &str,
) -> Result<(), String> {
    hosts.try_for_each(|(host, mark)| {
        let lines = about(host, mark, kind, "web");
        match lines.as_slice() {
            [line] if line.member == of && line.text.contains(words) => Ok(()),
            lines => Err(format!("{} logged of {kind}: {lines:#?}", host.name())),
        }
    })
}

fn running<'a>(cluster: &'a Cluster, marks: &'a [Mark]) -> impl Iterator<Item = (&'a Host, Mark)> {
    let numbers = cluster.running_numbers().into_iter();
    numbers.map(|number| (cluster.host(number), marks[number - 1]))
}

#[test]
fn the_end_of_an_app_is_known_to_all_whatever_ended_it() {
    let mut cluster = Cluster::formed(Options::of(10));
    cluster.wait(SOON, "all links stand", Cluster::all_linked);
    let marks = cluster.marks();
    let mut web = Attached::start(cluster.host(4), "web", &[]);
    cluster.wait(SOON, "all know that it is up", |cluster| {
        told(running(cluster, &marks), "app-up", "n4", "health=passing")
    });
    // The app is killed: its parent knows by which signal.
    web.signal(Signal::KILL);
    assert_eq!(web.wait_exit(SOON), Ok(Some(128 + 9)));
    cluster.wait(SOON, "all know how it ended", |cluster| {
        told(
            running(cluster, &marks),
            "app-down",
            "n4",
            "cause=signalled",
        )?;
        told(running(cluster, &marks), "app-down", "n4", "signal=SIGKILL")
    });
    let lines =
        running(&cluster, &marks).flat_map(|(host, mark)| about(host, mark, "app-down", "web"));
    let times: Vec<_> = lines.filter_map(|line| line.time()).collect();
    let (first, last) = (times.iter().min(), times.iter().max());
    let took = last
        .zip(first)
        .and_then(|(last, first)| last.duration_since(*first).ok());
    println!("from the first to the last that knew: {took:?}");
    // Its sidecar is killed: the verdict ends the app, though its process goes on.
    let marks = cluster.marks();
    let web = Attached::start(cluster.host(4), "web", &[]);
    cluster.wait(SOON, "all know that it is up again", |cluster| {
        told(running(cluster, &marks), "app-up", "n4", "attachment=2")
    });
    cluster.host_mut(4).kill();
    cluster.wait(SOON, "all know that it is gone", |cluster| {
        told(
            running(cluster, &marks),
            "app-down",
            "n4",
            "cause=member-dead",
        )
    });
    // A new sidecar is attached to it by itself.
    let marks = cluster.marks();
    cluster.start(4);
    cluster.wait(SOON, "all know that it is back", |cluster| {
        told(running(cluster, &marks), "app-up", "n4", "attachment=1")
    });
    cluster.wait_all_see_all();
    for (host, mark) in running(&cluster, &marks) {
        let downs = about(host, mark, "app-down", "web");
        assert!(downs.is_empty(), "{} logged {downs:#?}", host.name());
    }
    drop(web);
}

#[test]
fn a_member_is_tied_to_the_app_that_it_requires_or_that_takes_it_along() {
    let mut cluster = Cluster::new(Options::of(6));
    for number in 1..=5 {
        cluster.start(number);
    }
    cluster.wait_all_see_all();
    cluster.wait_all_agree();
    let marks = cluster.marks();
    let address = cluster.address(6, false).to_string();
    let keys = cluster.key_file(6);
    let mut arguments = vec!["--name", "n6", "--bind", &address, "--require", "web"];
    arguments.extend(["--key-file", &keys]);
    let seeds = cluster.seeds(false);
    for seed in &seeds {
        arguments.extend(["--join", seed]);
    }
    let arguments: Vec<String> = arguments.into_iter().map(str::to_owned).collect();
    cluster.host_mut(6).start(&arguments);
    cluster.wait(SOON, "it waits for its app", |cluster| {
        let status = cluster.host(6).status()?;
        let waits = status["waits_for"] == "web";
        waits.then_some(()).ok_or_else(|| status.to_string())
    });
    cluster.hold(Duration::from_secs(3), "nobody knows of it", |cluster| {
        let view = cluster.host(1).view()?;
        match view.state("n6") {
            "unknown" => Ok(()),
            state => Err(format!("n1 sees it {state}")),
        }
    });
    let mut web = Attached::start(cluster.host(6), "web", &[]);
    cluster.wait_all_see_all();
    cluster.wait_all_agree();
    cluster.wait(SOON, "all know that it is up", |cluster| {
        told(running(cluster, &marks), "app-up", "n6", "health=passing")
    });
    web.signal(Signal::TERM);
    assert_eq!(web.wait_exit(SOON), Ok(Some(128 + 15)));
    assert_eq!(cluster.host_mut(6).wait_exit(SOON), Ok(Exit::Code(0)));
    cluster.wait(SOON, "all know how it ended, and that it left", |cluster| {
        told(running(cluster, &marks), "app-down", "n6", "signal=SIGTERM")?;
        cluster.others_logged(&marks, "member-left", &[6])
    });
    // One that does not require its app goes with it when that is asked for.
    let marks = cluster.marks();
    let mut web = Attached::start(cluster.host(2), "web", &["--leave-on-exit"]);
    web.signal(Signal::KILL);
    assert_eq!(web.wait_exit(SOON), Ok(Some(128 + 9)));
    assert_eq!(cluster.host_mut(2).wait_exit(SOON), Ok(Exit::Code(0)));
    cluster.wait(SOON, "all know how it ended, and that it left", |cluster| {
        told(running(cluster, &marks), "app-down", "n2", "signal=SIGKILL")?;
        cluster.others_logged(&marks, "member-left", &[2])
    });
    assert_eq!(cluster.none_but(&marks, "member-dead", &[]), Ok(()));
}
