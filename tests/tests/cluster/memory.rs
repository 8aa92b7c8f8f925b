//! What a voter remembers: kept over restarts, full, or not its own.

use std::fs;

use muster_tests::{Cluster, Exit, Options};

use crate::SOON;

#[test]
fn all_killed_at_once_go_on_at_new_addresses_with_the_same_history() {
    let mut cluster = Cluster::new(Options::of(5));
    let seed = "seed.muster.test:7946".to_owned();
    for second in [false, true] {
        let mut known = "127.0.0.1 localhost\n".to_owned();
        for number in 1..=3 {
            known += &format!(
                "{} seed.muster.test\n",
                cluster.address(number, second).ip()
            );
        }
        let before = second.then(|| {
            cluster.wait_voters(3);
            let before = (cluster.wait_all_agree(), cluster.lineages());
            (1..=5).for_each(|number| cluster.host_mut(number).kill());
            before
        });
        for number in 1..=5 {
            cluster.network().set_hosts_file(number, &known);
            cluster.start_with(
                number,
                &format!("n{number}"),
                second,
                std::slice::from_ref(&seed),
            );
        }
        cluster.wait_all_see_all();
        let after = cluster.wait_all_agree();
        if let Some((before, lineages)) = before {
            assert_eq!(cluster.lineages(), lineages, "one history goes on");
            assert!(after.view > before.view, "{after:?} after {before:?}");
            assert!(after.epoch > before.epoch, "{after:?} after {before:?}");
        }
    }
    for host in cluster.running() {
        let view = host.view().expect("a member answers");
        for number in 1..=5 {
            let member = view.member(&format!("n{number}")).expect("all see all");
            assert_eq!(member.addr, cluster.address(number, true).to_string());
        }
    }
    cluster.one_history();
}

/// Five members, four of which may vote, on disks that can be full; the fifth comes and goes.
fn on_disks() -> Cluster {
    let mut cluster = Cluster::new(Options {
        non_voting: vec![5],
        ..Options::of(5)
    });
    for number in 1..=5 {
        cluster.host_mut(number).give_disk();
        cluster.start(number);
    }
    cluster
}

/// The member says that it votes no more, to whoever asks and in its log.
fn wait_failed(cluster: &mut Cluster, victim: usize) {
    cluster.wait(SOON, "it says that it votes no more", |cluster| {
        let status = cluster.host(victim).status()?;
        let log = cluster.host(victim).log_text();
        let told = log
            .lines()
            .any(|line| line.contains(" ERROR memory-failed "));
        if status["memory_failed"] == true && told {
            Ok(())
        } else {
            Err(format!("told {told}; {status}"))
        }
    });
}

/// With room on its disk a member that is started again votes as before.
fn wait_well(cluster: &mut Cluster, victim: usize) {
    cluster.host(victim).fill_disk(false);
    cluster.host_mut(victim).kill();
    cluster.start(victim);
    cluster.wait_all_see_all();
    cluster.wait_all_agree();
    let status = cluster.host(victim).status().expect("it answers");
    assert_eq!(status["memory_failed"], false, "with room it is well again");
    cluster.one_history();
}

#[test]
fn a_voter_whose_disk_is_full_votes_no_more_and_the_others_go_on() {
    let mut cluster = on_disks();
    let voters = cluster.wait_voters(3);
    let before = cluster.wait_all_agree();
    let old = cluster.coordinator();
    let victim = *voters
        .iter()
        .find(|&&voter| voter != old)
        .expect("there are three");
    let marks = cluster.marks();
    cluster.host(victim).fill_disk(true);
    cluster.host_mut(5).kill();
    wait_failed(&mut cluster, victim);
    cluster.wait(SOON, "the others decide, and it hears of that", |cluster| {
        cluster.others_agree(&[5], "dead")?;
        cluster.others_logged(&marks, "member-dead", &[5])?;
        cluster.all_agree().map(|_| ())
    });
    cluster.start(5);
    cluster.wait_all_see_all();
    let after = cluster.wait_all_agree();
    assert_eq!(after.epoch, before.epoch, "the coordinator goes on");
    let name = cluster.host(victim).name();
    assert_eq!(after.up[name], before.up[name], "it is a member as before");
    wait_well(&mut cluster, victim);
}

#[test]
fn a_coordinator_whose_disk_is_full_makes_way_for_another() {
    let mut cluster = on_disks();
    cluster.wait_voters(3);
    let before = cluster.wait_all_agree();
    let victim = cluster.coordinator();
    cluster.host(victim).fill_disk(true);
    cluster.host_mut(5).kill();
    wait_failed(&mut cluster, victim);
    cluster.wait(SOON, "another one decides", |cluster| {
        cluster.others_agree(&[5], "dead")?;
        cluster.all_agree().map(|_| ())
    });
    let after = cluster.wait_all_agree();
    assert!(after.epoch > before.epoch, "{after:?} after {before:?}");
    assert_ne!(cluster.coordinator(), victim);
    let name = cluster.host(victim).name();
    assert_eq!(after.up[name], before.up[name], "it is a member as before");
    cluster.start(5);
    wait_well(&mut cluster, victim);
}

#[test]
fn the_memory_of_another_or_a_damaged_one_is_refused_with_a_clear_text() {
    let mut cluster = Cluster::formed(Options::of(3));
    let data = cluster.host(1).data().to_owned();
    cluster.host_mut(3).kill();
    let words = |name: &str, name_of_cluster: &str| {
        let data = data.display().to_string();
        let words = [
            "--name",
            name,
            "--cluster",
            name_of_cluster,
            "--data-dir",
            &data,
        ];
        words.map(str::to_owned).to_vec()
    };
    let own = words("n1", "muster");
    refused(&mut cluster, &own, &["is in use by"]);
    cluster.host_mut(1).kill();
    let file = data.join("voter.redb");
    let bytes = fs::read(&file).expect("a voter has saved");
    refused(
        &mut cluster,
        &words("n1", "other"),
        &["is that of cluster", "other"],
    );
    refused(
        &mut cluster,
        &words("n3", "muster"),
        &["is that of member", "n3"],
    );
    assert!(
        fs::read(&file).expect("it is there") == bytes,
        "the file was touched"
    );
    let mut damaged = bytes;
    for byte in damaged.iter_mut().skip(4096) {
        *byte ^= 0x55;
    }
    fs::write(&file, &damaged).expect("root may write");
    refused(&mut cluster, &own, &["is damaged", "was left as it is"]);
    assert!(
        fs::read(&file).expect("it is there") == damaged,
        "the file was touched"
    );
}

/// Starts a sidecar on the third host, which must end by itself with code 1 and these words.
fn refused(cluster: &mut Cluster, arguments: &[String], expected: &[&str]) {
    let host = cluster.host_mut(3);
    host.start(arguments);
    let ended = host.wait_exit(SOON);
    let text = host.log_tail(3);
    assert_eq!(ended, Ok(Exit::Code(1)), "{text}");
    for words in expected {
        assert!(text.contains(words), "{words:?} is not in:\n{text}");
    }
}
