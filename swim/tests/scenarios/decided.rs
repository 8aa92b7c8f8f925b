//! Verdicts under faults: who is faulty itself, what is lost at once, what stands still.

use muster_swim::sim::checks::accuracy;
use muster_swim::sim::{Cluster, Condition, Keeping, Launch, Pid};
use muster_swim::{Answer, Config, Quorum, State, Tags, Time};

use crate::support::*;
use crate::verdicts::{agreed, agreed_with, coordinator, quorum, view, voters};

/// How often any of `at` told that any of `of` was removed, each removal once.
fn removals(cluster: &Cluster, at: Pid, of: &[Pid], since: Time) -> usize {
    let each = of.iter().filter(|of| **of != at);
    each.map(|of| told(cluster, at, *of, "member-dead", since).len())
        .sum()
}

pub(crate) fn all_but(pids: &[Pid], without: &[Pid]) -> Vec<Pid> {
    let rest = pids.iter().filter(|pid| !without.contains(pid));
    rest.copied().collect()
}

pub(crate) fn voting(cluster: &Cluster, pids: &[Pid]) -> Vec<Pid> {
    let names = cluster
        .node(pids[0])
        .agreement(cluster.clock(pids[0]))
        .voters;
    let votes = |pid: &&Pid| names.contains(&cluster.launched(**pid).name);
    pids.iter().filter(votes).copied().collect()
}

#[test]
fn members_that_lose_all_they_should_receive_convict_nobody_else() {
    for seed in seeds(0..5) {
        let (mut cluster, pids) = agreed(seed, 30);
        let voting = voting(&cluster, &pids);
        let sick = all_but(&pids, &voting)[..3].to_vec();
        let well = all_but(&pids, &sick);
        let since = cluster.now();
        for _ in 0..3 {
            for pid in &sick {
                let host = cluster.host(*pid);
                cluster.network().lose(host, 1.0, 0.0);
            }
            cluster.run_for(secs(20));
            for pid in &sick {
                let host = cluster.host(*pid);
                cluster.network().lose(host, 0.0, 0.0);
            }
            cluster.run_for(secs(20));
        }
        assert_eq!(removals(&cluster, well[0], &well, since), 0);
        for pid in &sick {
            let times = removals(&cluster, well[0], &[*pid], since);
            assert!(times <= 2, "{pid:?} was removed {times} times");
        }
        must(
            &mut cluster,
            secs(200),
            "all are back",
            Cluster::is_unanimous,
        );
        cluster.check();
    }
}

#[test]
fn one_that_accuses_everybody_convicts_nobody() {
    for seed in seeds(0..8) {
        let (mut cluster, pids) = agreed(seed, 12);
        let voting = voting(&cluster, &pids);
        let deaf = all_but(&pids, &voting)[0];
        let others = all_but(&pids, &[deaf]);
        let since = cluster.now();
        let host = cluster.host(deaf);
        // It gets its word out, and hears nobody: it accuses all of its buddies.
        cluster.network().deafen(host);
        cluster.run_for(secs(60));
        assert!(!accusations_by(&cluster, deaf, since).is_empty());
        assert_eq!(accuracy(&cluster, &others, &others, since), []);
        cluster.network().heal();
        must(&mut cluster, secs(120), "all agree", Cluster::is_unanimous);
    }
}

#[test]
fn a_starved_member_convicts_nobody() {
    for seed in seeds(0..5) {
        let (mut cluster, pids) = agreed(seed, 12);
        let starved = pids[seed as usize];
        let others = all_but(&pids, &[starved]);
        let since = cluster.now();
        cluster.starve(starved, ms(0)..secs(2));
        cluster.run_for(secs(300));
        assert_eq!(accuracy(&cluster, &others, &others, since), []);
        cluster.starve(starved, ms(0)..ms(0));
        must(&mut cluster, secs(120), "all agree", Cluster::is_unanimous);
    }
}

#[test]
fn half_of_the_cluster_lost_at_once_is_removed_while_a_quorum_lives() {
    for seed in seeds(0..5) {
        let (mut cluster, pids) = agreed(seed, 12);
        let voting = voting(&cluster, &pids);
        let mut gone = all_but(&pids, &voting)[..4].to_vec();
        let coordinator = coordinator(&cluster).expect("one decides");
        gone.extend(&all_but(&voting, &[coordinator])[..2]);
        for pid in &gone {
            cluster.crash_host(*pid);
        }
        let left = all_but(&pids, &gone);
        let took = must(&mut cluster, secs(60), "all are removed", |cluster| {
            all_hold(cluster, &left, &gone, State::Dead)
        });
        println!("half is removed after {took:?}");
        must(&mut cluster, secs(10), "they agree", Cluster::is_unanimous);
    }
}

#[test]
fn a_coordinator_that_was_paused_neither_decides_nor_answers_from_the_past() {
    for seed in seeds(0..10) {
        let (mut cluster, pids) = agreed(seed, 7);
        let old = coordinator(&cluster).expect("one decides");
        let epoch = cluster.node(old).agreement(cluster.clock(old)).epoch;
        cluster.pause(old);
        cluster.run_for(secs(30));
        let last = cluster.last_view();
        assert!(coordinator(&cluster).is_some_and(|new| new != old));
        cluster.resume(old);
        assert!(!cluster.node(old).decides(cluster.clock(old)));
        let ticket = cluster.confirm_view(old);
        cluster.run_for(secs(6));
        let answers = cluster.answers(old).iter();
        let mut answers = answers.filter(|(of, _)| *of == ticket);
        let (_, answer) = answers.next().expect("it is answered");
        match answer {
            Answer::Current(view) => assert!(*view >= last),
            Answer::Failed(_) => {}
            Answer::Removed(_) | Answer::Keys(_) => panic!("{answer:?}"),
        }
        must(&mut cluster, secs(60), "all agree", Cluster::is_unanimous);
        assert!(cluster.node(old).agreement(cluster.clock(old)).epoch > epoch);
        assert_eq!(cluster.up().len(), pids.len());
    }
}

#[test]
fn of_five_three_go_on_and_two_say_that_they_cannot() {
    for seed in seeds(0..10) {
        let (mut cluster, pids) = agreed_with(seed, 5, |at| {
            let mut launch = Launch::numbered(at);
            launch.config.voters = 5;
            launch
        });
        must(&mut cluster, secs(20), "all five vote", |cluster| {
            voters(cluster, pids[0]) == 5
        });
        let few = [pids[seed as usize % 5], pids[(seed as usize + 1) % 5]];
        let many = all_but(&pids, &few);
        cluster.partition(&few);
        must(
            &mut cluster,
            secs(60),
            "the three remove the two",
            |cluster| {
                all_hold(cluster, &many, &few, State::Dead)
                    && few.iter().all(|pid| quorum(cluster, *pid) == Quorum::Lost)
            },
        );
        assert!(
            many.iter()
                .all(|pid| quorum(&cluster, *pid) == Quorum::Held)
        );
        cluster.network().heal();
        must(&mut cluster, secs(120), "all agree", Cluster::is_unanimous);
        cluster.check();
    }
}

#[test]
fn members_restarted_one_by_one_keep_their_quorum() {
    for seed in seeds(0..5) {
        let (mut cluster, pids) = agreed(seed, 7);
        let since = cluster.now();
        for pid in &pids {
            cluster.leave(*pid);
            must(&mut cluster, secs(20), "it has left", |cluster| {
                matches!(cluster.condition(*pid), Condition::Stopped(..))
            });
            cluster.restart(*pid);
            must(&mut cluster, secs(30), "it is back", Cluster::is_unanimous);
        }
        assert_eq!(all_told(&cluster, "quorum-lost", since), []);
    }
}

#[test]
fn a_quarter_of_all_datagrams_or_a_tenth_of_all_packets_lost_for_a_minute_removes_nobody() {
    for seed in seeds(0..10) {
        for (datagrams, all) in [(0.25, 0.0), (0.0, 0.1)] {
            let (mut cluster, _) = agreed(seed, 15);
            let since = cluster.now();
            cluster.network().faults().datagram_loss = datagrams;
            cluster.network().faults().loss = all;
            cluster.run_for(secs(60));
            cluster.network().faults().datagram_loss = 0.0;
            cluster.network().faults().loss = 0.0;
            cluster.run_for(secs(10));
            assert_eq!(all_told(&cluster, "member-dead", since), []);
        }
    }
}

#[test]
fn a_voter_whose_disk_is_full_is_replaced_and_stays_a_member() {
    for seed in seeds(0..10) {
        let (mut cluster, pids) = agreed(seed, 6);
        let voting = voting(&cluster, &pids);
        let full = voting[seed as usize % 3];
        cluster.fill_disk(full, true);
        // What is decided must be saved.
        cluster.crash(all_but(&pids, &voting)[0]);
        must(&mut cluster, secs(60), "another one votes", |cluster| {
            let some = all_but(&cluster.up(), &[full])[0];
            let names = cluster.node(some).agreement(cluster.clock(some)).voters;
            cluster.is_unanimous()
                && names.len() == 3
                && !names.contains(&cluster.launched(full).name)
        });
        let agreement = cluster.node(full).agreement(cluster.clock(full));
        assert!(agreement.memory_failed);
    }
}

#[test]
fn who_never_votes_is_a_member_like_all_others() {
    for seed in seeds(0..5) {
        let (mut cluster, pids) = agreed_with(seed, 8, |at| {
            let mut launch = Launch::numbered(at);
            if at >= 2 {
                launch.keeping = Keeping::Nothing;
            }
            launch
        });
        assert_eq!(
            voters(&cluster, pids[0]),
            1,
            "two that can vote are one voter"
        );
        let before = view(&cluster, pids[0]);
        cluster.crash(pids[7]);
        must(
            &mut cluster,
            secs(20),
            "it is removed",
            Cluster::is_unanimous,
        );
        assert!(view(&cluster, pids[0]) > before);
    }
}

#[test]
fn voters_are_spread_over_zones() {
    for seed in seeds(0..5) {
        let (mut cluster, pids) = agreed_with(seed, 9, |at| {
            let mut launch = Launch::numbered(at);
            // Most, and the first of them, are in one zone.
            let zone = ["a", "a", "a", "a", "a", "a", "a", "b", "c"][at];
            launch.tags = Tags::new([("zone", zone)]).expect("it fits");
            launch
        });
        must(
            &mut cluster,
            secs(20),
            "one of each zone votes",
            |cluster| {
                let voting = voting(cluster, &pids);
                voting.len() == 3 && voting.contains(&pids[7]) && voting.contains(&pids[8])
            },
        );
        // A zone lost as a whole leaves a quorum.
        cluster.crash_host(pids[8]);
        must(&mut cluster, secs(30), "it goes on", Cluster::is_unanimous);
    }
}

#[test]
fn five_that_start_at_once_and_expect_three_never_form_two_clusters() {
    for seed in seeds(0..200) {
        let mut cluster = Cluster::new(seed, options());
        let pids: Vec<Pid> = (0..5)
            .map(|at| {
                let mut launch = Launch::numbered(at);
                launch.config.expect = 3;
                let launch = (0..5).fold(launch, |launch, seed| {
                    launch.seed(Launch::numbered(seed).addr)
                });
                cluster.launch(launch)
            })
            .collect();
        must(&mut cluster, secs(30), "all agree", Cluster::is_unanimous);
        let lineage = |pid: &Pid| cluster.node(*pid).mark().map(|mark| mark.lineage);
        assert!(pids.iter().all(|pid| lineage(pid) == lineage(&pids[0])));
    }
}

#[test]
fn two_clusters_that_meet_stay_two_and_say_so() {
    for seed in seeds(0..5) {
        let mut cluster = Cluster::new(seed, options());
        let mut pids: Vec<Pid> = Vec::new();
        for first in [0, 10] {
            for at in first..first + 3 {
                let mut launch = Launch::numbered(at);
                if at > first {
                    launch = launch.seed(Launch::numbered(first).addr);
                }
                pids.push(cluster.launch(launch));
            }
            cluster.run_for(secs(10));
        }
        let lineage =
            |cluster: &Cluster, pid: Pid| cluster.node(pid).mark().expect("it is in one").lineage;
        let (one, two) = (lineage(&cluster, pids[0]), lineage(&cluster, pids[3]));
        assert_ne!(one, two);
        cluster.join(pids[4], &[Launch::numbered(1).addr.to_string()]);
        cluster.run_for(secs(60));
        for (at, pid) in pids.iter().enumerate() {
            assert_eq!(lineage(&cluster, *pid), if at < 3 { one } else { two });
        }
        // Nor do they take each other's cuts, which bear the same numbers.
        cluster.crash(pids[5]);
        cluster.run_for(secs(20));
        assert_eq!(cluster.state(pids[3], pids[5]), Some(State::Dead));
        pids.pop();
        let shown = |pid: &Pid| cluster.node(*pid).agreement(cluster.clock(*pid)).conflict;
        assert!(pids.iter().any(|pid| shown(pid).is_some()));
        assert!(
            pids.iter()
                .all(|pid| quorum(&cluster, *pid) == Quorum::Held)
        );
    }
}

#[test]
fn a_lone_member_that_lost_its_memory_admits_nobody_of_its_old_cluster() {
    for seed in seeds(0..10) {
        let (mut cluster, pids) = agreed(seed, 5);
        let lineage = cluster.node(pids[1]).mark().map(|mark| mark.lineage);
        // It hears of them sooner than it learns their history.
        cluster.network().faults().latency = (ms(40)..ms(50)).into();
        cluster.crash(pids[0]);
        cluster.wipe_disk(pids[0]);
        cluster.run_for(ms(100));
        let again = cluster.restart(pids[0]);
        must(&mut cluster, secs(90), "all agree", Cluster::is_unanimous);
        let mark = cluster.node(again).mark();
        assert_eq!(mark.map(|mark| mark.lineage), lineage);
    }
}

#[test]
fn a_cluster_of_one_holds_its_quorum_when_nothing_happens() {
    for seed in seeds(0..3) {
        for count in [1, 2] {
            let (mut cluster, pids) = agreed(seed, count);
            cluster.run_for(HOUR);
            assert_eq!(all_told(&cluster, "quorum-lost", Time::ZERO), []);
            assert!(
                pids.iter()
                    .all(|pid| quorum(&cluster, *pid) == Quorum::Held)
            );
        }
    }
}

/// Packets that the coordinator sends in a second, and all members together.
fn packets(count: usize, verdicts: bool, measured: std::time::Duration) -> (f64, f64) {
    let mut config = Config::default();
    config.parts.verdicts = verdicts;
    let mut cluster = Cluster::new(
        1,
        muster_swim::sim::Options {
            watch: count <= 200,
            ..options()
        },
    );
    let pids = cluster.grow(count, |at| Launch::numbered(at).config(config.clone()));
    let ready = if verdicts {
        Cluster::is_unanimous
    } else {
        Cluster::agrees
    };
    must(&mut cluster, secs(60), "all are there", ready);
    cluster.run_for(secs(60));
    let one = coordinator(&cluster).unwrap_or(pids[0]);
    let before: Vec<_> = pids.iter().map(|pid| cluster.traffic(*pid)).collect();
    let (mut own, mut all) = (0, 0);
    cluster.run_for(measured);
    for (pid, before) in pids.iter().zip(&before) {
        let sent = cluster.traffic(*pid).since(before).datagrams_sent;
        all += sent;
        own += if *pid == one { sent } else { 0 };
    }
    let per_s = |sent: u64| sent as f64 / measured.as_secs_f64();
    (per_s(own), per_s(all))
}

#[test]
fn the_cost_of_verdicts_does_not_depend_on_the_size() {
    let (_, without) = packets(10, false, secs(120));
    let (small, with) = packets(10, true, secs(120));
    let (large, _) = packets(100, true, secs(120));
    println!(
        "coordinator of 10: {small:.2}, of 100: {large:.2} packets/s; 10 in all: {with:.2}, without {without:.2}"
    );
    assert!((small - large).abs() < 0.5);
    assert!(with - without <= 12.0);
}

#[test]
fn voters_that_restart_keep_quiet_while_the_old_lease_lasts() {
    for seed in seeds(0..10) {
        let (mut cluster, pids) = agreed_with(seed, 3, |at| {
            let mut launch = Launch::numbered(at);
            launch.config.lease = secs(5);
            // Addresses are not stored: who restarts finds the others by its seeds.
            (1..3).fold(launch, |launch, seed| match at {
                0 => launch,
                _ => launch.seed(Launch::numbered(seed).addr),
            })
        });
        let old = coordinator(&cluster).expect("one decides");
        if old != pids[0] {
            continue;
        }
        let others = all_but(&pids, &[old]);
        cluster.partition(&[old]);
        for pid in &others {
            cluster.crash(*pid);
        }
        let again: Vec<Pid> = others.iter().map(|pid| cluster.restart(*pid)).collect();
        cluster.partition(&[old]);
        // That no two decide at once is looked at at every step.
        let took = must(&mut cluster, secs(60), "another one decides", |cluster| {
            coordinator(cluster).is_some_and(|new| again.contains(&new))
        });
        assert!(took > secs(4), "{took:?}");
        cluster.check();
    }
}

#[test]
fn a_coordinator_that_is_cut_off_answers_nothing_from_the_past() {
    for seed in seeds(0..10) {
        let (mut cluster, _) = agreed(seed, 7);
        let old = coordinator(&cluster).expect("one decides");
        cluster.partition(&[old]);
        // It may take the quorum for held for a while; an older view than others saw is no answer.
        for _ in 0..40 {
            cluster.run_for(ms(500));
            cluster.confirm_view(old);
        }
        cluster.network().heal();
        must(&mut cluster, secs(60), "all agree", Cluster::is_unanimous);
    }
}

#[test]
fn the_word_of_one_convicts_nobody_when_nobody_else_can_tell() {
    for seed in seeds(0..10) {
        let (mut cluster, pids) = agreed_with(seed, 3, |at| {
            let mut launch = Launch::numbered(at);
            launch.config.voters = 1;
            launch
        });
        let since = cluster.now();
        let alone = coordinator(&cluster).expect("one decides");
        let others = all_but(&pids, &[alone]);
        cluster.separate(&[alone], &others[..1]);
        cluster.pause(others[1]);
        cluster.run_for(secs(30));
        assert_eq!(removals(&cluster, alone, &pids, since), 0);
        cluster.network().heal();
        cluster.resume(others[1]);
        must(&mut cluster, secs(30), "all agree", Cluster::is_unanimous);
    }
}

#[test]
fn what_was_proposed_under_loss_is_decided() {
    for seed in seeds(0..20) {
        let (mut cluster, mut pids) = agreed(seed, 5);
        for round in 0..6 {
            cluster.network().faults().loss = 0.4;
            let newcomer = Launch::numbered(10 + round).seed(Launch::numbered(0).addr);
            pids.push(cluster.launch(newcomer));
            cluster.run_for(secs(3));
            cluster.network().faults().loss = 0.0;
            must(
                &mut cluster,
                secs(60),
                "it is decided",
                Cluster::is_unanimous,
            );
        }
    }
}
