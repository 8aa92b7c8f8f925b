//! A client goes from sidecar to sidecar.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use muster_tests::{Cluster, Options};

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
