//! A client goes from sidecar to sidecar.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use muster_tests::{Cluster, Cut, Options, View};

use crate::SOON;

const ROUNDS: usize = 4;

#[test]
fn a_client_that_names_its_view_never_sees_an_older_one_elsewhere() {
    let mut cluster = Cluster::formed(Options {
        non_voting: vec![5],
        ..Options::of(5)
    });
    let sockets: Vec<_> = (1..=4)
        .map(|number| cluster.host(number).socket().to_owned())
        .collect();
    let over = AtomicBool::new(false);
    let (asked, first, last) = thread::scope(|scope| {
        let client = scope.spawn(|| {
            let (mut asked, mut first, mut view) = (0, 0, 0);
            for socket in sockets.iter().cycle() {
                if over.load(Ordering::Relaxed) {
                    break;
                }
                let path = format!("/v1/members?at_least={view}&timeout=4s");
                let seen = muster_tests::members_at(socket, &path).expect("every one gets there");
                assert!(
                    seen.view >= view,
                    "{view} was seen, then at {socket:?}: {seen}"
                );
                if first == 0 {
                    first = seen.view;
                }
                (asked, view) = (asked + 1, seen.view);
            }
            (asked, first, view)
        });
        for _ in 0..ROUNDS {
            cluster.host_mut(5).kill();
            cluster.wait(SOON, "it is removed", |cluster| {
                cluster.others_agree(&[5], "dead")
            });
            cluster.start(5);
            cluster.wait_all_agree();
        }
        over.store(true, Ordering::Relaxed);
        client.join().expect("the client saw no older view")
    });
    println!("{asked} answers, from view {first} to view {last}");
    assert!(
        last >= first + 2 * ROUNDS as u64,
        "the client went along with all changes"
    );
}

/// The client above rarely meets a sidecar that is behind; this one is.
#[test]
fn a_sidecar_that_is_behind_waits_until_it_has_the_view_that_is_asked_for() {
    let mut cluster = Cluster::formed(Options {
        non_voting: vec![4, 5],
        ..Options::of(5)
    });
    // After that nothing more is decided by itself.
    cluster.wait_voters(3);
    let before = cluster.wait_all_agree().view;
    let behind = 4;
    cluster.network().impose(&[Cut::Incoming(vec![behind])]);
    cluster.host_mut(5).kill();
    let mut after = 0;
    cluster.wait(SOON, "the others have a later view", |cluster| {
        for host in cluster.others(&[behind]) {
            after = host.view()?.view;
            if after <= before {
                return Err(format!("{} has view {after}", host.name()));
            }
        }
        Ok(())
    });
    let host = cluster.host(behind);
    let known = host.view().expect("it answers").view;
    assert_eq!(known, before, "it hears nothing");
    let path = |timeout: &str| format!("/v1/members?at_least={after}&timeout={timeout}");
    let late = host
        .request("GET", &path("300ms"))
        .expect_err("it is behind");
    assert!(late.starts_with("504"), "{late}");
    cluster.network().heal();
    cluster.wait(SOON, "it has caught up", |cluster| {
        let seen: View = cluster.host(behind).get(&path("3s"))?;
        assert!(seen.view >= after, "{after} was asked for: {seen}");
        Ok(())
    });
}
