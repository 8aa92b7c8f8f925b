//! Spreading of news: to all, soon, and repaired when it got lost.

use muster_swim::Config;
use muster_swim::sim::{Cluster, Launch, Pid};

use crate::support::*;

fn sees(cluster: &Cluster, at: Pid, of: Pid, key: &str, value: Option<&str>) -> bool {
    let member = cluster.node(at).member(cluster.launched(of).name.as_str());
    member.is_some_and(|member| member.tags.value(key) == value)
}

fn all_see(cluster: &Cluster, of: Pid, key: &str, value: Option<&str>) -> bool {
    cluster
        .up()
        .iter()
        .all(|at| sees(cluster, *at, of, key, value))
}

#[test]
fn a_tag_reaches_all() {
    for seed in seeds(0..10) {
        let (mut cluster, pids) = settled(seed, 40);
        let since = cluster.now();
        cluster.set_tag(pids[3], "role", "web").expect("it fits");
        let took = must(&mut cluster, secs(1), "all see it", |cluster| {
            all_see(cluster, pids[3], "role", Some("web"))
        });
        println!("seed {seed}: 40 members see the tag after {took:?}");
        for at in pids.iter().filter(|at| **at != pids[3]) {
            assert_eq!(
                told(&cluster, *at, pids[3], "member-updated", since).len(),
                1
            );
        }
        assert!(cluster.remove_tag(pids[3], "role"));
        must(&mut cluster, secs(1), "all see it gone", |cluster| {
            all_see(cluster, pids[3], "role", None)
        });
        cluster.run_for(secs(10));
        assert!(cluster.agrees());
        cluster.check();
    }
}

#[test]
fn a_kibibyte_of_tags_reaches_all() {
    for seed in seeds(0..10) {
        let (mut cluster, pids) = settled(seed, 40);
        let value = "x".repeat(1024 - 3);
        cluster.set_tag(pids[3], "big", &value).expect("it fits");
        let took = must(&mut cluster, secs(8), "all see it", |cluster| {
            all_see(cluster, pids[3], "big", Some(&value))
        });
        println!("seed {seed}: 40 members see a kibibyte of tags after {took:?}");
        // And it comes to one that joins.
        cluster.launch(hinting(40).seed(Launch::numbered(0).addr));
        must(&mut cluster, secs(8), "the new one sees it", |cluster| {
            all_see(cluster, pids[3], "big", Some(&value))
        });
        must(&mut cluster, secs(8), "all are one", Cluster::agrees);
    }
}

#[test]
fn all_publish_a_kibibyte_of_tags_at_once() {
    for seed in seeds(0..3) {
        let (mut cluster, pids) = settled(seed, 20);
        let since = cluster.now();
        let value = "y".repeat(1000);
        for pid in &pids {
            cluster.set_tag(*pid, "big", &value).expect("it fits");
        }
        must(&mut cluster, secs(30), "all see all", |cluster| {
            pids.iter()
                .all(|of| all_see(cluster, *of, "big", Some(&value)))
        });
        must(&mut cluster, secs(8), "all are one", Cluster::agrees);
        assert_eq!(all_told(&cluster, "member-suspect", since), []);
    }
}

#[test]
fn the_last_of_many_quick_changes_stays() {
    for seed in seeds(0..10) {
        let (mut cluster, pids) = settled(seed, 15);
        let faults = cluster.network().faults();
        faults.loss = 0.1;
        faults.reorder = 0.3;
        faults.duplicate = 0.1;
        for count in 0..50 {
            cluster
                .set_tag(pids[9], "count", &count.to_string())
                .expect("it fits");
            cluster.run_for(ms(7));
        }
        must(&mut cluster, secs(8), "all see the last", |cluster| {
            all_see(cluster, pids[9], "count", Some("49"))
        });
        cluster.check();
    }
}

#[test]
fn lost_gossip_is_repaired_by_the_digest_within_two_periods() {
    // Updates are passed on so few times, and deafness is suffered so long, that nothing but the
    // digest is left when it ends; and nobody is accused meanwhile, which would make more news.
    let config = || Config {
        gossip_multiplier: 1,
        gossip_fanout: 0,
        probe_timeout_min: secs(10),
        probe_timeout_max: secs(10),
        ..Config::default()
    };
    for seed in seeds(0..10) {
        let launch = |at| hinting(at).config(config());
        let (mut cluster, pids) = settled_with(seed, options(), 30, launch);
        let deaf = cluster.dice().sample(&pids[1..], 5);
        for pid in &deaf {
            let host = cluster.host(*pid);
            cluster.network().deafen(host);
        }
        cluster.set_tag(pids[0], "role", "web").expect("it fits");
        cluster.run_for(secs(9));
        for pid in &deaf {
            assert!(
                !sees(&cluster, *pid, pids[0], "role", Some("web")),
                "it got lost"
            );
        }
        cluster.network().heal();
        let limit = 2 * config().period;
        let took = must(&mut cluster, limit, "all see it", |cluster| {
            all_see(cluster, pids[0], "role", Some("web"))
        });
        println!("seed {seed}: repaired after {took:?}");
        must(&mut cluster, secs(20), "all are one", Cluster::agrees);
        cluster.check();
    }
}

#[test]
fn changes_of_all_at_once_through_half_the_network_reach_all() {
    // Half of all datagrams are lost while everybody changes something.
    for seed in seeds(0..5) {
        let (mut cluster, pids) = settled(seed, 25);
        cluster.network().faults().loss = 0.5;
        for (at, pid) in pids.iter().enumerate() {
            cluster
                .set_tag(*pid, "at", &at.to_string())
                .expect("it fits");
        }
        cluster.run_for(secs(2));
        cluster.network().faults().loss = 0.0;
        must(&mut cluster, secs(15), "all are one", Cluster::agrees);
        cluster.check();
    }
}
