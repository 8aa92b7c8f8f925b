//! `muster doctor` on hosts where something was done wrong on purpose.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use muster_tests::{Cluster, Cut, Options, PORT};
use serde::Deserialize;

use crate::SOON;

#[derive(Debug, Deserialize)]
struct Report {
    grade: String,
    findings: Vec<Finding>,
}

#[derive(Debug, Deserialize)]
struct Finding {
    check: String,
    grade: String,
    found: String,
    advice: Option<String>,
}

/// What the doctor says on a host, and its exit status.
fn examined(cluster: &Cluster, number: usize) -> (Option<i32>, Report) {
    let host = cluster.host(number);
    let (status, text) = host.muster_inside(&["doctor", "--output", "json"]);
    let report = serde_json::from_str(&text);
    (
        status,
        report.unwrap_or_else(|error| panic!("{error}: {text}")),
    )
}

/// Waits until the doctor on a host says this of a check, in these words, with an advice.
fn wait_finding(cluster: &Cluster, number: usize, check: &str, grade: &str, words: &str) {
    let what = format!("the doctor on n{number} tells of {check}");
    cluster.wait(SOON, &what, |cluster| {
        let (status, report) = examined(cluster, number);
        let mut of_check = report.findings.iter().filter(|found| found.check == check);
        let wanted = of_check.any(|found| {
            let advised = found
                .advice
                .as_ref()
                .is_some_and(|advice| !advice.is_empty());
            found.grade == grade && found.found.contains(words) && advised
        });
        let fails = report.grade == "fail";
        assert_eq!(status, Some(i32::from(fails)), "{report:?}");
        if wanted {
            return Ok(());
        }
        Err(format!("{report:?}"))
    });
}

/// Waits until the doctor on each host finds nothing wrong.
fn wait_well(cluster: &Cluster) {
    cluster.wait(SOON, "the doctors find nothing wrong", |cluster| {
        for number in cluster.running_numbers() {
            let (status, report) = examined(cluster, number);
            if status != Some(0) || report.findings.iter().any(|found| found.grade != "ok") {
                let wrong = report.findings.iter().filter(|found| found.grade != "ok");
                return Err(format!("n{number}: {:?}", wrong.collect::<Vec<_>>()));
            }
        }
        Ok(())
    });
}

#[test]
fn each_fault_of_a_network_or_a_host_is_told_and_goes_with_it() {
    // Both are on all rings beside each other.
    let cluster = Cluster::formed(Options::of(2).with(&["--period", "1s"]));
    cluster.wait(SOON, "all links stand", Cluster::all_linked);
    wait_well(&cluster);

    let network = cluster.network();
    network.impose(&[Cut::Datagrams(vec![2], vec![1])]);
    wait_finding(
        &cluster,
        1,
        "udp",
        "fail",
        "those from 10.77.0.2:7946 to here are lost",
    );
    wait_finding(
        &cluster,
        2,
        "udp",
        "fail",
        "those from here to 10.77.0.1:7946 do not",
    );
    network.heal();
    wait_well(&cluster);

    network.impose(&[Cut::Streams(vec![2], vec![1], PORT)]);
    network.reset_streams(1, PORT);
    wait_finding(&cluster, 1, "tcp", "warn", "n2 has no link to this member");
    wait_finding(&cluster, 2, "tcp", "fail", "no stream can be opened to n1");
    network.heal();
    wait_well(&cluster);

    network.set_mtu(2, 1000);
    // Its own side knows at once, the other one by the segments that it is offered.
    wait_finding(&cluster, 2, "mtu", "warn", "have at most 1000 bytes");
    wait_finding(&cluster, 1, "mtu", "warn", "have at most 1000 bytes");
    network.set_mtu(2, 1500);
    wait_well(&cluster);

    cluster.host(1).limit_files(512);
    wait_finding(&cluster, 1, "files", "warn", "may open 512 files");
    cluster.host(1).limit_files(100);
    wait_finding(&cluster, 1, "files", "fail", "may open 100 files");
    cluster.host(1).limit_files(4096);

    let folder = cluster.host(1).socket().parent().expect("it has a folder");
    let set_mode = |mode| {
        let done = fs::set_permissions(folder, Permissions::from_mode(mode));
        done.expect("the folder is the test's");
    };
    set_mode(0o777);
    wait_finding(&cluster, 1, "socket", "fail", "all users may write there");
    set_mode(0o700);
    let data = cluster.host(1).data().to_owned();
    fs::set_permissions(&data, Permissions::from_mode(0o777)).expect("root may do that");
    wait_finding(&cluster, 1, "data", "fail", "others may write there");
    fs::set_permissions(&data, Permissions::from_mode(0o700)).expect("root may do that");
    wait_well(&cluster);
}

#[test]
fn seeds_of_another_cluster_or_without_an_address_and_a_missing_agent_are_told() {
    let mut cluster = Cluster::new(Options::of(3).with(&["--plaintext", "send"]));
    cluster.network().set_hosts_file(3, "127.0.0.1 localhost\n");
    for number in [1, 2] {
        let seed = cluster.address(1, false).to_string();
        cluster.start_with(number, &format!("n{number}"), false, &[seed]);
    }
    let (address, seed) = (cluster.address(3, false), cluster.address(1, false));
    let arguments = [
        "--name".to_owned(),
        "n3".to_owned(),
        "--cluster".to_owned(),
        "other".to_owned(),
        format!("--bind={address}"),
        format!("--join={seed}"),
        "--join=nowhere.muster.test:7946".to_owned(),
        "--plaintext=send".to_owned(),
    ];
    cluster.host_mut(3).start(&arguments);
    wait_finding(
        &cluster,
        3,
        "name",
        "fail",
        "another cluster answers at 10.77.0.1:7946",
    );
    wait_finding(
        &cluster,
        3,
        "seeds",
        "fail",
        "nowhere.muster.test:7946 does not resolve",
    );
    wait_finding(&cluster, 3, "cluster", "warn", "quorum forming");
    wait_finding(
        &cluster,
        1,
        "name",
        "warn",
        "messages of another cluster were refused",
    );
    cluster.host_mut(3).kill();
    wait_finding(&cluster, 3, "agent", "fail", "no agent answers");
}
