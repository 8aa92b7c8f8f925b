//! The image, and the compose file with three sidecars and an app beside each, in a Docker of its
//! own: killed, restarted elsewhere, paused, cut off and ended. The apps see it all through the
//! volume that they share with their sidecars.
//!
//! `tests/run container` installs Docker and builds the static binary (`MUSTER_STATIC`).

mod docker;

use std::time::{Duration, Instant};

use docker::Docker;
use muster_tests::wait;
use serde_json::Value;

/// For what takes seconds on an idle machine.
const SOON: Duration = Duration::from_secs(60);

/// For readmission, and for health checks that must fail a few times.
const PATIENT: Duration = Duration::from_secs(120);

/// The image must stay below this.
const IMAGE_BYTES: u64 = 15_000_000;

/// What app `number` sees of a member: its state, verdict and address.
fn seen(docker: &Docker, number: usize, member: &str) -> Result<(String, String, String), String> {
    let shown = docker.exec(number, &["members", "--output", "json"])?;
    let view: Value = serde_json::from_str(&shown).map_err(|error| error.to_string())?;
    let members = view["members"].as_array().cloned().unwrap_or_default();
    let found = members.iter().find(|found| found["name"] == member);
    let found = found.ok_or_else(|| format!("app{number} sees no {member}: {shown}"))?;
    let word = |key: &str| found[key].as_str().unwrap_or_default().to_owned();
    Ok((word("state"), word("verdict"), word("addr")))
}

/// Waits until these apps see this of a member.
fn all_see(docker: &Docker, apps: &[usize], member: &str, state: &str, verdict: &str) {
    let what = format!("{apps:?} see {member} {state} and {verdict}");
    docker.wait(PATIENT, &what, || {
        for app in apps {
            let (found, decided, _) = seen(docker, *app, member)?;
            if (found.as_str(), decided.as_str()) != (state, verdict) {
                return Err(format!("app{app} sees {member} {found} and {decided}"));
            }
        }
        Ok(())
    });
}

/// Waits until the app was told this of a member as often as that, through its stream of events.
fn is_told(docker: &Docker, app: usize, event: &str, member: &str, times: usize) {
    docker.wait(
        SOON,
        &format!("app{app} is told {event} of {member}"),
        || {
            let log = docker.logs(&format!("app{app}"));
            let of = |line: &&str| {
                let words: Vec<&str> = line.split_whitespace().collect();
                words.contains(&event) && words.contains(&member)
            };
            let found = log.lines().filter(of).count();
            (found >= times)
                .then_some(())
                .ok_or_else(|| format!("{found} times so far:\n{log}"))
        },
    );
}

#[test]
fn the_image_is_small_and_holds_nothing_but_the_program() {
    let docker = Docker::start();
    let image = docker.inspect("image", docker::IMAGE);
    let bytes = image["Size"].as_u64().expect("an image has a size");
    println!("the image has {bytes} bytes");
    assert!(bytes < IMAGE_BYTES, "{bytes} bytes");
    assert_eq!(image["Config"]["User"], "65532:65532");
    assert!(image["Config"]["Healthcheck"]["Test"].is_array(), "{image}");
    let files = docker.files();
    let programs: Vec<&String> = files
        .iter()
        .filter(|path| path.contains("bin/") && !path.ends_with('/'))
        .collect();
    assert_eq!(programs, ["usr/bin/muster"]);
    assert!(
        !files
            .iter()
            .any(|path| path.contains("lib/ld") || path.contains(".so"))
    );
    let version = docker.docker(&[
        "run",
        "--rm",
        "--network",
        "none",
        docker::IMAGE,
        "--version",
    ]);
    assert!(version.starts_with("muster "), "{version}");
}

#[test]
fn apps_see_through_the_shared_socket_what_happens_to_containers() {
    let docker = Docker::start();
    docker.up();
    the_cluster_forms(&docker);
    one_is_killed_and_comes_back_elsewhere(&docker);
    one_is_paused(&docker);
    one_is_cut_off_and_comes_back(&docker);
    one_is_stopped(&docker);
}

fn the_cluster_forms(docker: &Docker) {
    for number in 1..=3 {
        docker.wait(SOON, "healthy sidecars", || {
            match docker.health(&format!("muster{number}")).as_str() {
                "healthy" => Ok(()),
                other => Err(format!("muster{number} is {other}")),
            }
        });
        all_see(
            docker,
            &[1, 2, 3],
            &format!("muster{number}"),
            "alive",
            "up",
        );
    }
    // Nothing but the volumes can be written, and nobody is root.
    let container = docker.inspect("container", "muster1");
    assert_eq!(container["HostConfig"]["ReadonlyRootfs"], true);
    assert_eq!(container["Config"]["User"], "65532:65532");
    let metrics = docker.http("muster1", "/metrics");
    assert!(metrics.contains("\nmuster_ready 1.0\n"), "{metrics}");
}

fn one_is_killed_and_comes_back_elsewhere(docker: &Docker) {
    docker.docker(&["kill", &docker.name("muster3")]);
    is_told(docker, 1, "member-dead", "muster3", 1);
    is_told(docker, 2, "member-dead", "muster3", 1);
    all_see(docker, &[1, 2], "muster3", "dead", "dead");

    docker.disconnect("muster3");
    docker.connect("muster3", 33);
    docker.docker(&["start", &docker.name("muster3")]);
    all_see(docker, &[1, 2, 3], "muster3", "alive", "up");
    let (_, _, addr) = seen(docker, 1, "muster3").expect("it was seen just now");
    assert_eq!(addr, format!("{}:7946", docker::address(33)));
    is_told(docker, 1, "member-up", "muster3", 1);
}

fn one_is_paused(docker: &Docker) {
    docker.docker(&["pause", &docker.name("muster2")]);
    is_told(docker, 1, "member-dead", "muster2", 1);
    is_told(docker, 3, "member-dead", "muster2", 1);
    docker.docker(&["unpause", &docker.name("muster2")]);
    // It comes back by itself, once it was reached for a while.
    all_see(docker, &[1, 2, 3], "muster2", "alive", "up");
    is_told(docker, 2, "self-readmitted", "muster2", 1);
}

fn one_is_cut_off_and_comes_back(docker: &Docker) {
    let before = docker.address_of("muster2");
    docker.disconnect("muster2");
    is_told(docker, 1, "member-dead", "muster2", 2);
    // Its app hears that nothing is decided there, and the health check says so.
    is_told(docker, 2, "quorum-lost", "muster2", 1);
    docker.wait(PATIENT, "a health check that fails", || {
        match docker.health("muster2").as_str() {
            "unhealthy" => Ok(()),
            other => Err(format!("muster2 is {other}")),
        }
    });
    let refused = docker.exec(2, &["status", "--quiet"]);
    let why = refused.expect_err("no quorum is reached from there");
    assert!(why.contains("the quorum is lost"), "{why}");

    docker.connect("muster2", before);
    is_told(docker, 2, "quorum-regained", "muster2", 1);
    all_see(docker, &[1, 2, 3], "muster2", "alive", "up");
    docker.wait(PATIENT, "a health check that is fine again", || {
        docker.exec(2, &["status", "--quiet"]).map(drop)
    });
}

fn one_is_stopped(docker: &Docker) {
    let start = Instant::now();
    docker.docker(&["stop", "--time", "20", &docker.name("muster3")]);
    let took = start.elapsed();
    assert!(took < Duration::from_secs(15), "the goodbye took {took:?}");
    let state = docker.inspect("container", "muster3");
    assert_eq!(state["State"]["ExitCode"], 0, "{}", state["State"]);
    is_told(docker, 1, "member-left", "muster3", 1);
    all_see(docker, &[1, 2], "muster3", "left", "left");
}

/// The sidecar in the image runs alone too, with nothing that it may write but its folders.
#[test]
fn the_image_needs_nothing_but_a_place_for_its_socket() {
    let docker = Docker::start();
    let run = [
        "run",
        "--detach",
        "--name",
        "alone",
        "--read-only",
        "--network",
        "none",
    ];
    let rights = [
        "--cap-drop",
        "ALL",
        "--volume",
        "alone:/run/muster",
        docker::IMAGE,
    ];
    docker.docker(&[&run[..], &rights[..]].concat());
    let ready = wait::until(SOON, || {
        docker
            .try_docker(&["exec", "alone", "/usr/bin/muster", "status", "--quiet"])
            .map(drop)
    });
    ready.expect("it forms a cluster of one");
    docker.docker(&["stop", "alone"]);
    let left = docker.docker(&["logs", "alone"]);
    assert!(left.contains(" left"), "{left}");
}

/// As the DaemonSet runs it: root without any capability, on a folder of the host that is root's.
/// Those of the socket's group may open it; who of them reads and who changes things, the lists
/// say.
#[test]
fn on_a_folder_of_the_host_the_lists_say_who_reads_and_who_changes() {
    let docker = Docker::start();
    let folder = docker.host_folder();
    let volume = format!("{folder}:/run/muster");
    let node = [
        "run",
        "--detach",
        "--name",
        "node",
        "--read-only",
        "--network",
        "none",
        "--cap-drop",
        "ALL",
        "--user",
        "0:0",
        "--group-add",
        "65532",
        "--env",
        "MUSTER_SOCKET_GROUP=65532",
        "--env",
        "MUSTER_ALLOW_USERS=4000",
        "--env",
        "MUSTER_READ_USERS=1000",
        "--volume",
        &volume,
        docker::IMAGE,
    ];
    docker.docker(&node);
    let volume = format!("{folder}:/run/muster:ro");
    let pod = |user: &str, arguments: &[&str]| {
        let run = [
            "run",
            "--rm",
            "--network",
            "none",
            "--read-only",
            "--user",
            user,
        ];
        let image = ["--volume", &volume, docker::IMAGE];
        docker.try_docker(&[&run[..], &image[..], arguments].concat())
    };
    let ready = wait::until(SOON, || pod("1000:65532", &["status", "--quiet"]).map(drop));
    ready.expect("a user of the list reads");
    let unlisted = pod("2000:65532", &["members"]).expect_err("it is not on the list");
    assert!(unlisted.contains("reading needs"), "{unlisted}");
    let refused = pod("1000:65532", &["tag", "set", "a=1"]).expect_err("it may not change");
    assert!(refused.contains("user 1000, group 65532"), "{refused}");
    pod("4000:65532", &["tag", "set", "a=1"]).expect("this user is on the list");
    let stranger = pod("1000:1000", &["members"]).expect_err("it may not open the socket");
    assert!(stranger.contains("ermission denied"), "{stranger}");
}
