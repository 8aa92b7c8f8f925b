//! Verdicts: who decides, and what is decided when members come, go, and are cut off.

use std::time::Duration;

use muster_swim::sim::{Cluster, Condition, Keeping, Launch, Pid};
use muster_swim::{Answer, AskError, Lineage, Quorum, State, Time, View};

use crate::support::*;

/// The process that decides now.
pub(crate) fn coordinator(cluster: &Cluster) -> Option<Pid> {
    let mut up = cluster.up().into_iter();
    up.find(|pid| {
        *cluster.condition(*pid) == Condition::Running
            && cluster.node(*pid).decides(cluster.clock(*pid))
    })
}

pub(crate) fn view(cluster: &Cluster, pid: Pid) -> View {
    cluster.node(pid).agreement(cluster.clock(pid)).view
}

pub(crate) fn quorum(cluster: &Cluster, pid: Pid) -> Quorum {
    cluster.node(pid).agreement(cluster.clock(pid)).quorum
}

pub(crate) fn voters(cluster: &Cluster, pid: Pid) -> usize {
    cluster.node(pid).agreement(cluster.clock(pid)).voters.len()
}

/// A cluster whose members are all in the view.
pub(crate) fn agreed(seed: u64, count: usize) -> (Cluster, Vec<Pid>) {
    agreed_with(seed, count, Launch::numbered)
}

pub(crate) fn agreed_with(
    seed: u64,
    count: usize,
    launch: impl Fn(usize) -> Launch,
) -> (Cluster, Vec<Pid>) {
    let mut cluster = Cluster::new(seed, options());
    let pids = cluster.grow(count, launch);
    must(
        &mut cluster,
        secs(30),
        "all are in the view",
        Cluster::is_unanimous,
    );
    cluster.run_for(secs(12));
    assert!(cluster.is_unanimous(), "a calm cluster stays as it is");
    (cluster, pids)
}

fn removed(cluster: &Cluster, at: Pid, of: Pid, since: Time) -> Vec<Time> {
    told(cluster, at, of, "member-dead", since)
}

#[test]
fn a_member_without_seeds_is_a_cluster_of_one_that_decides() {
    let mut cluster = Cluster::new(1, options());
    let pid = cluster.launch(Launch::numbered(0));
    let took = must(&mut cluster, secs(2), "it decides", Cluster::is_unanimous);
    assert!(took < ms(200), "{took:?}");
    let agreement = cluster.node(pid).agreement(cluster.clock(pid));
    assert_eq!((agreement.epoch.0, agreement.view), (1, View(2)));
    assert_eq!(agreement.quorum, Quorum::Held);
    let up = cluster.events(pid).iter().map(|event| event.kind.as_str());
    assert_eq!(up.collect::<Vec<_>>(), ["coordinator-changed", "member-up"]);
}

#[test]
fn a_member_with_seeds_forms_no_cluster_of_its_own() {
    let mut cluster = Cluster::new(1, options());
    let lone = Launch::numbered(1).seed(Launch::numbered(0).addr);
    let pid = cluster.launch(lone);
    cluster.run_for(secs(60));
    assert_eq!(quorum(&cluster, pid), Quorum::Forming);
    cluster.launch(Launch::numbered(0));
    must(&mut cluster, secs(40), "both agree", Cluster::is_unanimous);
}

#[test]
fn members_that_join_are_admitted_in_few_views_and_voters_are_added() {
    for seed in seeds(0..6) {
        for (count, votes) in [(2, 1), (3, 3), (9, 3), (10, 5), (40, 5)] {
            let mut cluster = Cluster::new(seed, options());
            let pids = cluster.grow(count, Launch::numbered);
            let took = must(
                &mut cluster,
                secs(10),
                "all are in the view",
                Cluster::is_unanimous,
            );
            let limit = secs(10);
            must(&mut cluster, limit, "as many vote as suit", |cluster| {
                cluster.is_unanimous() && voters(cluster, pids[0]) == votes
            });
            println!("{count}: {took:?}, {:?}", view(&cluster, pids[0]));
            assert!(took < secs(3));
            assert!(view(&cluster, pids[0]) <= View(12));
            for pid in &pids {
                let lost = told(&cluster, *pid, *pid, "quorum-lost", Time::ZERO);
                assert_eq!(lost, []);
            }
        }
    }
}

#[test]
fn a_killed_process_is_removed_in_one_view() {
    let mut took = Vec::new();
    for seed in seeds(0..10) {
        let (mut cluster, pids) = agreed(seed, 20);
        let since = cluster.now();
        let before = view(&cluster, pids[0]);
        cluster.crash(pids[13]);
        let all = pids.iter().filter(|pid| **pid != pids[13]).copied();
        let all: Vec<Pid> = all.collect();
        took.push(must(&mut cluster, secs(10), "it is removed", |cluster| {
            let dead = |pid: &Pid| !removed(cluster, *pid, pids[13], since).is_empty();
            all.iter().all(dead)
        }));
        assert!(all_hold(&cluster, &all, &[pids[13]], State::Dead));
        cluster.run_for(secs(5));
        let after = view(&cluster, all[0]);
        // One for the member, and one for its vote if it had one.
        assert!(after.0 <= before.0 + 2, "{before} {after}");
    }
    took.sort();
    println!("known everywhere after {took:?}");
    assert!(took[took.len() / 2] < secs(6));
}

#[test]
fn a_killed_coordinator_has_a_successor_that_removes_it() {
    let mut took = Vec::new();
    for seed in seeds(0..20) {
        let (mut cluster, pids) = agreed(seed, 7);
        let old = coordinator(&cluster).expect("one decides");
        let epoch = cluster.node(old).agreement(cluster.clock(old)).epoch;
        let since = cluster.now();
        cluster.crash(old);
        took.push(must(&mut cluster, secs(15), "it is removed", |cluster| {
            let others = pids.iter().filter(|pid| **pid != old);
            let mut dead = others.map(|pid| !removed(cluster, *pid, old, since).is_empty());
            dead.all(|dead| dead)
        }));
        let new = coordinator(&cluster).expect("another one decides");
        assert!(cluster.node(new).agreement(cluster.clock(new)).epoch > epoch);
        must(&mut cluster, secs(5), "all agree", Cluster::is_unanimous);
    }
    took.sort();
    println!("the old coordinator is removed after {took:?}");
    assert!(took[took.len() / 2] < secs(7));
}

#[test]
fn a_minority_decides_nothing_and_says_so_and_the_majority_goes_on() {
    for seed in seeds(0..10) {
        let (mut cluster, pids) = agreed_with(seed, 10, |at| {
            let mut launch = Launch::numbered(at);
            // All five voters are among the first five.
            if at >= 5 {
                launch.keeping = Keeping::Nothing;
            }
            launch
        });
        assert_eq!(voters(&cluster, pids[0]), 5);
        let few = [pids[0], pids[1], pids[5], pids[6]];
        let before = view(&cluster, pids[0]);
        cluster.partition(&few);
        must(&mut cluster, secs(30), "the few say so", |cluster| {
            few.iter().all(|pid| quorum(cluster, *pid) == Quorum::Lost)
        });
        let others = [pids[2], pids[3], pids[4], pids[7], pids[8], pids[9]];
        must(&mut cluster, secs(60), "the many remove them", |cluster| {
            all_hold(cluster, &others, &few, State::Dead)
        });
        cluster.run_for(secs(60));
        let frozen = few.map(|pid| view(&cluster, pid));
        assert!(
            frozen.iter().all(|view| view.0 <= before.0 + 1),
            "{frozen:?} {before}"
        );
        cluster.network().heal();
        must(&mut cluster, secs(120), "all agree", Cluster::is_unanimous);
        for pid in few {
            let told = told(&cluster, pid, pid, "self-removed", Time::ZERO);
            assert_eq!(told.len(), 1);
        }
        cluster.check();
    }
}

#[test]
fn all_processes_at_once_come_back_from_their_disks() {
    for seed in seeds(0..10) {
        let (mut cluster, pids) = agreed(seed, 6);
        let before = view(&cluster, pids[0]);
        for pid in &pids {
            cluster.crash(*pid);
        }
        cluster.run_for(secs(3));
        let again: Vec<Pid> = pids.iter().map(|pid| cluster.restart(*pid)).collect();
        must(&mut cluster, secs(60), "all agree", Cluster::is_unanimous);
        assert!(view(&cluster, again[0]) > before);
    }
}

#[test]
fn voters_that_restart_find_each_other_where_they_were_without_a_seed() {
    for seed in seeds(0..10) {
        let (mut cluster, pids) = agreed(seed, 5);
        let known = cluster.node(pids[0]).agreement(cluster.clock(pids[0]));
        let votes = |pid: &&Pid| known.voters.contains(&cluster.launched(**pid).name);
        let voting: Vec<Pid> = pids.iter().filter(votes).copied().collect();
        assert_eq!(voting.len(), 3);
        for pid in &pids {
            cluster.crash(*pid);
        }
        cluster.run_for(secs(3));
        let again = voting.iter().map(|pid| {
            let launch = cluster.launched(*pid).clone();
            cluster.launch(Launch {
                seeds: Vec::new(),
                ..launch
            })
        });
        let again: Vec<Pid> = again.collect();
        must(&mut cluster, secs(30), "a quorum is held", |cluster| {
            let mut again = again.iter();
            again.all(|pid| quorum(cluster, *pid) == Quorum::Held)
        });
        assert!(
            again
                .iter()
                .all(|pid| cluster.node(*pid).seeds().is_empty())
        );
        cluster.check();
    }
}

#[test]
fn a_voter_that_lost_its_memory_is_replaced() {
    for seed in seeds(0..10) {
        let (mut cluster, pids) = agreed(seed, 5);
        let name = |pid: Pid| cluster.launched(pid).name.clone();
        let who = cluster
            .node(pids[0])
            .agreement(cluster.clock(pids[0]))
            .voters;
        let voter = *pids
            .iter()
            .find(|pid| who.contains(&name(**pid)))
            .expect("one votes");
        cluster.crash(voter);
        cluster.wipe_disk(voter);
        cluster.run_for(ms(500));
        cluster.restart(voter);
        must(
            &mut cluster,
            secs(60),
            "three vote, and all agree",
            |cluster| {
                let some = cluster.up()[0];
                cluster.is_unanimous() && voters(cluster, some) == 3
            },
        );
    }
}

#[test]
fn a_coordinator_that_leaves_hands_over_first() {
    let mut took = Vec::new();
    for seed in seeds(0..10) {
        for count in [2, 3, 7] {
            let (mut cluster, _) = agreed(seed, count);
            let old = coordinator(&cluster).expect("one decides");
            let since = cluster.now();
            cluster.leave(old);
            took.push(must(&mut cluster, secs(15), "others agree", |cluster| {
                !cluster.up().contains(&old) && cluster.is_unanimous()
            }));
            let others = cluster.up();
            for pid in others {
                assert_eq!(told(&cluster, pid, old, "member-left", since).len(), 1);
                assert_eq!(removed(&cluster, pid, old, since), []);
                assert_eq!(told(&cluster, pid, pid, "quorum-lost", since), []);
            }
        }
    }
    took.sort();
    println!("others agree without it after {took:?}");
    assert!(took[took.len() / 2] < secs(3));
}

#[test]
fn a_lone_voter_that_leaves_unheard_for_a_while_stays_until_its_heirs_know() {
    for seed in seeds(0..20) {
        let (mut cluster, _) = agreed_with(seed, 5, |at| {
            let mut launch = Launch::numbered(at);
            launch.config.voters = 1;
            launch
        });
        let old = coordinator(&cluster).expect("one decides");
        let host = cluster.host(old);
        cluster.network().mute(host);
        cluster.leave(old);
        // Alone it decides at once who votes in its place, and nobody hears of it.
        cluster.run_for(ms(1_500));
        cluster.network().heal();
        must(&mut cluster, secs(30), "others agree", |cluster| {
            !cluster.up().contains(&old) && cluster.is_unanimous()
        });
    }
}

#[test]
fn so_many_as_expected_form_one_cluster() {
    for seed in seeds(0..20) {
        let mut cluster = Cluster::new(seed, options());
        let launch = |at: usize| {
            let mut launch = Launch::numbered(at);
            launch.config.expect = 3;
            (0..3).fold(launch, |launch, seed| {
                launch.seed(Launch::numbered(seed).addr)
            })
        };
        let first = cluster.launch(launch(0));
        cluster.launch(launch(1));
        cluster.run_for(secs(20));
        assert_eq!(quorum(&cluster, first), Quorum::Forming);
        cluster.launch(launch(2));
        cluster.launch(launch(3));
        cluster.launch(launch(4));
        must(&mut cluster, secs(30), "all agree", Cluster::is_unanimous);
    }
}

#[test]
fn two_clusters_of_one_become_one() {
    for seed in seeds(0..10) {
        let mut cluster = Cluster::new(seed, options());
        cluster.launch(Launch::numbered(0));
        cluster.run_for(secs(5));
        let second = cluster.launch(Launch::numbered(1));
        cluster.run_for(secs(5));
        cluster.join(second, &[Launch::numbered(0).addr.to_string()]);
        must(&mut cluster, secs(20), "they agree", Cluster::is_unanimous);
        assert_eq!(cluster.up().len(), 2);
    }
}

#[test]
fn a_client_reads_what_was_committed_before_it_asked() {
    for seed in seeds(0..10) {
        let (mut cluster, pids) = agreed(seed, 7);
        let far = *pids
            .iter()
            .find(|pid| Some(**pid) != coordinator(&cluster))
            .expect("another");
        cluster.crash(pids[6]);
        for _ in 0..100 {
            cluster.run_for(ms(100));
            let last = cluster.last_view();
            let ticket = cluster.confirm_view(far);
            must(&mut cluster, secs(6), "it is answered", |cluster| {
                cluster
                    .answers(far)
                    .iter()
                    .any(|(known, _)| *known == ticket)
            });
            let answers = cluster.answers(far);
            let (_, answer) = answers.last().expect("an answer");
            match answer {
                Answer::Current(view) => assert!(*view >= last, "{view} {last}"),
                Answer::Failed(AskError::Unanswered | AskError::NoCoordinator) => {}
                Answer::Removed(_) | Answer::Keys(_) | Answer::Failed(_) => panic!("{answer:?}"),
            }
        }
    }
}

#[test]
fn a_member_that_was_cut_off_comes_back_by_itself_and_later_each_time() {
    for seed in seeds(0..5) {
        let (mut cluster, pids) = agreed(seed, 12);
        let victim = pids[8];
        let mut waits: Vec<Duration> = Vec::new();
        for _ in 0..3 {
            cluster.partition(&[victim]);
            must(&mut cluster, secs(30), "it is removed", |cluster| {
                cluster.state(pids[0], victim) == Some(State::Dead)
            });
            cluster.network().heal();
            waits.push(must(
                &mut cluster,
                secs(400),
                "it is back",
                Cluster::is_unanimous,
            ));
        }
        println!("{waits:?}");
        assert!(waits[0] > secs(5) && waits[0] < secs(60), "{waits:?}");
        assert!(waits[1] > secs(30) && waits[2] > secs(120), "{waits:?}");
        let told = |kind| told(&cluster, victim, victim, kind, Time::ZERO).len();
        assert_eq!((told("self-removed"), told("self-readmitted")), (3, 3));
        cluster.check();
    }
}

#[test]
fn who_comes_back_and_is_reached_by_few_at_first_is_not_given_up() {
    for seed in seeds(0..10) {
        let (mut cluster, pids) = agreed(seed, 5);
        let old = coordinator(&cluster).expect("one decides");
        let victim = *pids
            .iter()
            .rfind(|pid| **pid != old)
            .expect("there are more");
        let others: Vec<Pid> = pids.iter().copied().filter(|pid| *pid != victim).collect();
        cluster.partition(&[victim]);
        must(&mut cluster, secs(60), "it is removed", |cluster| {
            all_hold(cluster, &others, &[victim], State::Dead)
        });
        cluster.network().heal();
        for pid in others.iter().filter(|pid| **pid != old) {
            let (one, other) = (cluster.host(victim), cluster.host(*pid));
            cluster.network().cut_both_ways(one, other);
        }
        // It answers through the coordinator, and no witness reaches it.
        cluster.run_for(secs(90));
        cluster.network().heal();
        must(
            &mut cluster,
            secs(60),
            "it is a member again",
            Cluster::is_unanimous,
        );
    }
}

#[test]
fn a_lost_majority_is_rebuilt_by_hand() {
    for seed in seeds(0..5) {
        let (mut cluster, pids) = agreed(seed, 5);
        let name = |cluster: &Cluster, pid: Pid| cluster.launched(pid).name.clone();
        let agreement = cluster.node(pids[0]).agreement(cluster.clock(pids[0]));
        let votes = |pid: &Pid| agreement.voters.contains(&name(&cluster, *pid));
        let (mut gone, mut left): (Vec<Pid>, Vec<Pid>) = pids.iter().partition(|pid| votes(pid));
        left.extend(gone.pop());
        for pid in &gone {
            cluster.crash(*pid);
            cluster.wipe_disk(*pid);
        }
        let survivors: Vec<_> = left.iter().map(|pid| name(&cluster, *pid)).collect();
        assert!(
            cluster.recover(left[0], &survivors).is_err(),
            "it is not lost yet"
        );
        must(
            &mut cluster,
            secs(60),
            "it is lost, and hints say who is gone",
            |cluster| {
                all_hold(cluster, &left, &gone, State::Unreachable)
                    && left.iter().all(|pid| quorum(cluster, *pid) == Quorum::Lost)
            },
        );
        assert!(
            cluster.recover(left[0], &survivors[1..]).is_err(),
            "one is not named"
        );
        cluster.recover(left[0], &survivors).expect("it is lost");
        must(
            &mut cluster,
            secs(60),
            "the survivors agree",
            Cluster::is_unanimous,
        );
        let after = cluster.node(left[1]).agreement(cluster.clock(left[1]));
        assert!(after.epoch.0 > agreement.epoch.0 + 999 && after.view.0 > agreement.view.0 + 999);
        assert_eq!(
            told(&cluster, left[1], left[1], "quorum-regained", Time::ZERO).len(),
            1
        );
    }
}

/// The parts of a cluster that is cut in two, each with what it knows; the first has no quorum.
fn cut_in_two(seed: u64) -> (Cluster, Vec<Pid>, Vec<Pid>) {
    let (mut cluster, pids) = agreed(seed, 5);
    let agreement = cluster.node(pids[0]).agreement(cluster.clock(pids[0]));
    let votes = |pid: &Pid| agreement.voters.contains(&cluster.launched(*pid).name);
    let (mut few, mut most): (Vec<Pid>, Vec<Pid>) = pids.iter().partition(|pid| !votes(pid));
    assert_eq!((few.len(), most.len()), (2, 3));
    cluster.partition(&few);
    must(
        &mut cluster,
        secs(60),
        "one part has lost the quorum, the other removed it",
        |cluster| {
            few.iter().all(|pid| quorum(cluster, *pid) == Quorum::Lost)
                && all_hold(cluster, &few, &most, State::Unreachable)
                && all_hold(cluster, &most, &few, State::Dead)
        },
    );
    few.sort();
    most.sort();
    (cluster, few, most)
}

fn rebuild(cluster: &mut Cluster, part: &[Pid]) {
    let names = part.iter().map(|pid| cluster.launched(*pid).name.clone());
    let names: Vec<_> = names.collect();
    cluster.recover(part[0], &names).expect("it is lost");
}

fn lineage(cluster: &Cluster, pid: Pid) -> Option<Lineage> {
    cluster.node(pid).mark().map(|mark| mark.lineage)
}

#[test]
fn a_quorum_that_is_rebuilt_without_need_takes_nothing_from_those_that_hold_one() {
    for seed in seeds(0..5) {
        let (mut cluster, few, most) = cut_in_two(seed);
        let kept = lineage(&cluster, most[0]);
        rebuild(&mut cluster, &few);
        cluster.run_for(secs(10));
        let since = cluster.now();
        cluster.network().heal();
        must(&mut cluster, secs(60), "who held one is told", |cluster| {
            most.iter().all(|pid| {
                let agreement = cluster.node(*pid).agreement(cluster.clock(*pid));
                agreement.conflict == lineage(cluster, few[0])
            })
        });
        cluster.run_for(secs(60));
        for pid in &most {
            assert_eq!(lineage(&cluster, *pid), kept, "its history goes on");
            assert!(told(&cluster, *pid, *pid, "self-removed", since).is_empty());
        }
        cluster.check();
    }
}

#[test]
fn two_that_rebuild_apart_begin_two_histories_with_epochs_of_their_own() {
    for seed in seeds(0..5) {
        let (mut cluster, few, most) = cut_in_two(seed);
        // Of those that hold the quorum too many end.
        cluster.crash(most[2]);
        cluster.crash(most[1]);
        for pid in &most[1..] {
            cluster.wipe_disk(*pid);
        }
        must(&mut cluster, secs(60), "it is lost there too", |cluster| {
            quorum(cluster, most[0]) == Quorum::Lost
                && all_hold(cluster, &most[..1], &most[1..], State::Unreachable)
        });
        rebuild(&mut cluster, &few);
        rebuild(&mut cluster, &most[..1]);
        must(&mut cluster, secs(60), "both decide", |cluster| {
            let decides = |pid: Pid| cluster.node(pid).decides(cluster.clock(pid));
            decides(few[0]) && decides(most[0])
        });
        let epoch = |pid: Pid| cluster.node(pid).mark().map(|mark| mark.epoch);
        assert_ne!(epoch(few[0]), epoch(most[0]));
        assert_ne!(lineage(&cluster, few[0]), lineage(&cluster, most[0]));
        cluster.network().heal();
        must(
            &mut cluster,
            secs(60),
            "the earlier one is told",
            |cluster| {
                [few[0], most[0]].iter().any(|pid| {
                    let agreement = cluster.node(*pid).agreement(cluster.clock(*pid));
                    agreement.conflict.is_some()
                })
            },
        );
        cluster.run_for(secs(60));
        cluster.check();
    }
}
