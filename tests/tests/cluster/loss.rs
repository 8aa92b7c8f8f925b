//! Datagrams get lost.

use std::time::Duration;

use muster_tests::{Cluster, Cut, Options};

use crate::SOON;

#[test]
fn a_minute_without_a_quarter_of_all_datagrams_makes_nobody_unreachable() {
    let cluster = Cluster::formed(Options::default());
    let marks = cluster.marks();
    cluster.network().impose(&[Cut::UdpLoss(25)]);
    cluster.hold(Duration::from_secs(60), "under loss", |cluster| {
        cluster.none_but(&marks, "member-unreachable", &[])?;
        cluster.none_but(&marks, "member-dead", &[])
    });
    let swallowed = cluster.network().swallowed();
    println!("{swallowed} datagrams were lost");
    assert!(
        swallowed > 30,
        "each member sends a datagram a second: {swallowed} were lost"
    );
    cluster.network().heal();
    cluster.wait(SOON, "all see all afterwards", Cluster::all_see_all);
    cluster.wait_all_agree();
}
