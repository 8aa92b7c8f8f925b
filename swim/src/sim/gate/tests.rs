use std::time::Duration;

use crate::sim::{Cluster, Launch, Options};

#[test]
fn what_was_held_is_taken_one_after_the_other_with_timers_between() {
    let mut cluster = Cluster::new(
        1,
        Options {
            trace_lines: 1000,
            ..Options::default()
        },
    );
    let pids = cluster.grow(5, Launch::numbered);
    cluster
        .run_until(Duration::from_secs(30), Cluster::agrees)
        .expect("they find each other");
    cluster.run_for(Duration::from_secs(30));
    cluster.block(pids[2], false);
    for (pid, key) in [(pids[0], "a"), (pids[1], "b")] {
        cluster.set_tag(pid, key, "1").expect("a tag");
        cluster.run_for(Duration::from_millis(500));
    }
    cluster.unblock(pids[2]);
    let now = format!("{:?} #2 ", cluster.now());
    let lines: Vec<&str> = cluster
        .last_lines()
        .filter_map(|line| line.strip_prefix(&now))
        .collect();
    let push = lines.iter().position(|line| line.starts_with("wake push"));
    let last = lines.iter().rposition(|line| line.starts_with("datagram"));
    assert!(
        push.is_some() && push < last,
        "the first news is passed on before the last arrives: {lines:?}"
    );
}
