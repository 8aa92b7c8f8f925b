//! What happens in a run, and whether the outcome says so.

mod links;

use std::time::Duration;

use super::{Fault, Outcome, Run, RunOptions, Scenario, Settle, Start, Step, Summary, Whom};
use crate::config::Config;
use crate::sim::Property;

const fn secs(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn outcome(scenario: &Scenario, seed: u64) -> Outcome {
    let mut run = Run::new(scenario, seed, RunOptions::default()).expect("it can be run");
    let mut before = 0.0;
    while run.advance() {
        assert!((before..=1.0).contains(&run.progress()), "progress goes on");
        before = run.progress();
    }
    run.finish()
}

fn quiet(members: usize) -> Scenario {
    Scenario::quiet(members, Config::lan())
}

#[test]
fn the_same_seed_gives_the_same_outcome() {
    let scenario = quiet(10).step(Step::once(secs(1), Whom::Some(2), Fault::Crash));
    let one = outcome(&scenario, 7);
    assert_eq!(one, outcome(&scenario, 7));
    assert_ne!(one.trace_hash, outcome(&scenario, 8).trace_hash);
}

#[test]
fn nothing_happens_in_a_quiet_cluster() {
    let outcome = outcome(&quiet(20), 1);
    assert!(outcome.settled_after.is_some());
    assert_eq!(outcome.measured, secs(60));
    assert_eq!(outcome.fates, []);
    assert_eq!((outcome.false_deaths, outcome.false_suspicions), (0, 0));
    assert_eq!(
        outcome.sizes.into_iter().collect::<Vec<_>>(),
        [(20, 20 * 60)]
    );
    assert_eq!(outcome.sizes_at_end, [20; 3]);
    assert_eq!(outcome.changes, (0, 0));
    assert_eq!(outcome.violations, []);
    // A ping a second and its ack, and 12 packets of all voters together (DESIGN 4.1).
    let packets = outcome.traffic.packets_sent;
    assert!(
        (1.8..2.2 + 12.0 / 20.0).contains(&packets),
        "{packets} packets a second"
    );
    assert_eq!(outcome.traffic.each_second.len(), 60);
}

#[test]
fn a_crash_is_told_by_all() {
    let scenario = quiet(20).step(Step::once(secs(5), Whom::Some(3), Fault::CrashHost));
    let outcome = outcome(&scenario, 2);
    assert_eq!(outcome.fates.len(), 3);
    for fate in &outcome.fates {
        assert_eq!(
            (fate.fault, fate.onset, fate.deaths),
            ("crash-host", secs(5), 1)
        );
        let (first, everywhere) = (fate.first.expect("told"), fate.everywhere.expect("by all"));
        assert!(first > Duration::ZERO && first <= everywhere && everywhere < secs(30));
    }
    assert_eq!(outcome.false_deaths, 0);
    assert_eq!(outcome.sizes_at_end, [17; 3]);
    assert!(outcome.agreed_after.is_some());
}

/// Voters among them are exchanged as soon as they are gone, and meanwhile nobody decides: that
/// must not have all others heard from the beginning. The last to be found is one that lost all
/// that watched it.
#[test]
fn many_that_stall_or_are_cut_off_are_gone_in_time_with_voters_among_them() {
    let (incoming, outgoing) = (1.0, 1.0);
    let cut_off = Fault::Loss { incoming, outgoing };
    for (fault, half, longest) in [
        (Fault::Block, secs(8), secs(10)),
        (cut_off, secs(3), secs(5)),
    ] {
        let mut found: Vec<Duration> = Vec::new();
        let (mut decided, mut undecided) = (0, 0);
        for seed in 1.. {
            let step = Step::once(Duration::ZERO, Whom::Some(14), fault.clone());
            let mut scenario = quiet(40).step(step.lasting(secs(30)));
            scenario.duration = secs(30);
            let outcome = outcome(&scenario, seed);
            assert_eq!(outcome.fates.len(), 14);
            // With three of five voters among them nobody decides until they are back.
            if outcome.fates.iter().all(|fate| fate.everywhere.is_none()) {
                undecided += 1;
                assert!(undecided <= 4, "it is one run in five");
                continue;
            }
            for fate in &outcome.fates {
                let everywhere = fate.everywhere.expect("all know of it");
                assert!(everywhere < longest, "seed {seed}: {fate:?}");
                found.push(everywhere);
            }
            decided += 1;
            if decided == 10 {
                break;
            }
        }
        found.sort();
        assert!(found[found.len() / 2] < half, "{found:?}");
    }
}

#[test]
fn a_blocked_member_blames_others_and_is_blamed() {
    let step = Step::once(secs(1), Whom::Named(vec!["n4".to_owned()]), Fault::Block);
    let mut scenario = quiet(20).step(step.lasting(secs(40)));
    scenario.config = Config::swim();
    scenario.duration = secs(100);
    let outcome = outcome(&scenario, 3);
    let [fate] = &outcome.fates[..] else {
        panic!("one was hurt: {:?}", outcome.fates);
    };
    assert_eq!((fate.name.as_str(), fate.fault), ("n4", "block"));
    assert!(
        fate.everywhere
            .is_some_and(|everywhere| everywhere < secs(40))
    );
    assert_eq!(
        outcome.deaths_of_hurt, 19,
        "each of the others told it once"
    );
    assert!(outcome.false_deaths > 10, "it held most others for dead");
    assert_eq!(outcome.false_deaths_at_healthy, 0);
    assert_eq!(outcome.sizes_at_end, [20; 3], "it is back");
}

#[test]
fn a_prober_that_waits_blames_one_at_a_time() {
    let blocked = |fault: Fault| {
        let step = Step::once(secs(1), Whom::Named(vec!["n4".to_owned()]), fault);
        let mut scenario = quiet(20).step(step.lasting(secs(40)));
        scenario.config = Config::swim();
        outcome(&scenario, 3).false_deaths
    };
    assert!(blocked(Fault::BlockProber) <= 1);
    assert!(blocked(Fault::Block) > 10);
}

#[test]
fn those_whom_a_partition_keeps_apart_are_not_false_deaths() {
    let half = Whom::Named((5..10).map(|at| format!("n{at}")).collect());
    let step = Step::once(secs(1), half, Fault::Partition).lasting(secs(30));
    let mut scenario = quiet(10).step(step);
    scenario.duration = secs(180);
    let outcome = outcome(&scenario, 4);
    assert_eq!(outcome.fates.len(), 5);
    assert_eq!(outcome.false_deaths, 0);
    assert!(
        outcome.sizes.contains_key(&5),
        "each half held five: {:?}",
        outcome.sizes
    );
    assert_eq!(
        outcome.sizes_at_end, [10; 3],
        "healed while it was measured"
    );
}

#[test]
fn a_step_comes_again_for_the_same_members_or_for_others() {
    let mut step = Step::once(secs(1), Whom::Some(1), Fault::Pause).lasting(secs(1));
    step = step.repeated(secs(3), Some(6));
    let names = |step: &Step| {
        let outcome = outcome(&quiet(30).step(step.clone()), 5);
        assert_eq!(outcome.fates.len(), 6);
        let onsets: Vec<u64> = outcome
            .fates
            .iter()
            .map(|fate| fate.onset.as_secs())
            .collect();
        assert_eq!(onsets, [1, 4, 7, 10, 13, 16]);
        let names = outcome.fates.iter().map(|fate| fate.name.clone());
        names.collect::<std::collections::BTreeSet<String>>()
    };
    assert_eq!(names(&step).len(), 1);
    step.redraw = true;
    assert!(names(&step).len() > 1);
}

#[test]
fn members_come_and_go() {
    let leave = Step::once(secs(5), Whom::Some(2), Fault::Leave);
    let mut restart = Step::once(secs(10), Whom::All, Fault::Restart);
    restart.spacing = secs(1);
    let join = Step::once(secs(40), Whom::Some(3), Fault::Join);
    let scenario = quiet(8).step(leave).step(restart).step(join);
    let outcome = outcome(&scenario, 6);
    // Two left, and one that has left is not restarted.
    assert_eq!(outcome.sizes_at_end, [9; 3]);
    assert_eq!(outcome.fates, [], "none of that is a death");
    assert_eq!(outcome.false_deaths, 0);
}

/// Who was away hears later of what happened meanwhile, to lives that ended long ago.
#[test]
fn a_former_life_that_is_told_dead_late_is_no_false_death() {
    let crash = |whom: Whom, at: u64, lasts: u64| {
        Step::once(secs(at), whom, Fault::Crash).lasting(secs(lasts))
    };
    let voters = Whom::Named((0..10).map(|at| format!("n{at}")).collect());
    let mut scenario = quiet(30)
        .step(crash(Whom::Named(vec!["n20".to_owned()]), 1, 4))
        .step(crash(voters, 80, 4));
    scenario.duration = secs(120);
    assert_eq!(outcome(&scenario, 6).false_deaths, 0);
}

#[test]
fn a_crash_that_ends_is_a_restart() {
    let step = Step::once(secs(1), Whom::Some(2), Fault::Crash).lasting(secs(20));
    let outcome = outcome(&quiet(8).step(step), 6);
    assert_eq!(outcome.fates.len(), 2);
    assert!(outcome.fates.iter().all(|fate| fate.everywhere.is_some()));
    assert_eq!(outcome.sizes_at_end, [8; 3]);
}

#[test]
fn whoever_comes_later_need_not_know_who_was_gone_by_then() {
    let crash = Step::once(secs(1), Whom::Some(1), Fault::Crash);
    let join = Step::once(secs(2), Whom::Some(1), Fault::Join);
    let outcome = outcome(&quiet(8).step(crash).step(join), 6);
    assert!(outcome.fates[0].everywhere.is_some());
    assert_eq!(outcome.sizes_at_end, [8; 3]);
}

#[test]
fn members_that_do_not_agree_in_time_are_a_violation() {
    let half = Whom::Named(vec!["n1".to_owned(), "n2".to_owned()]);
    let step = Step::once(secs(1), half, Fault::Partition);
    let mut scenario = quiet(5).step(step);
    scenario.agree_within = Some(secs(1));
    let outcome = outcome(&scenario, 7);
    assert_eq!(outcome.agreed_after, None);
    let mut found = outcome
        .violations
        .iter()
        .map(|violation| violation.property);
    assert_eq!(found.next(), Some(Property::Healing));
    assert!(found.all(|property| property == Property::Refutation));
    assert!(Summary::of(&[outcome]).violated > 0);
}

#[test]
fn a_quiet_member_that_costs_too_much_is_a_violation() {
    // Tables that are compared every second stand for any traffic that should not be.
    let mut scenario = quiet(10);
    scenario.config.parts.push_pull = Some(secs(1));
    let outcome = outcome(&scenario, 7);
    let found = outcome
        .violations
        .iter()
        .map(|violation| violation.property);
    assert_eq!(found.collect::<Vec<_>>(), [Property::ConstantCost]);
}

#[test]
fn a_start_without_settling_is_measured_from_the_first_process() {
    let mut scenario = quiet(10);
    scenario.start = Start {
        head_start: secs(10),
        spacing: Duration::ZERO,
        settle: None,
    };
    scenario.end_when_agreed = true;
    let outcome = outcome(&scenario, 8);
    let settled = outcome.settled_after.expect("they find each other");
    assert!(
        settled < secs(5),
        "from the start of the others: {settled:?}"
    );
    assert!(outcome.measured >= secs(10) && outcome.measured < secs(20));
    assert_eq!(outcome.sizes_at_end, [10; 3]);
}

#[test]
fn whoever_does_not_settle_is_measured_all_the_same() {
    let mut scenario = quiet(5);
    scenario.network.loss = 1.0;
    scenario.start.settle = Some(Settle {
        within: secs(5),
        quiet: secs(1),
    });
    scenario.agree_within = None;
    let outcome = outcome(&scenario, 9);
    assert_eq!(outcome.settled_after, None);
    assert_eq!(outcome.sizes_at_end, [1; 3]);
}

#[test]
fn members_present_are_sampled_when_asked_for() {
    let scenario = quiet(4).step(Step::once(secs(30), Whom::Some(1), Fault::Crash));
    let options = RunOptions {
        series: true,
        ..RunOptions::default()
    };
    let mut run = Run::new(&scenario, 1, options).expect("it can be run");
    while run.advance() {}
    let series = run.finish().series.expect("it was asked for");
    assert_eq!(series.present.len(), 4);
    for (name, samples) in &series.present {
        assert_eq!(samples[0], Some(4), "{name}");
        assert!(matches!(samples.last(), Some(Some(3) | None)), "{name}");
    }
    let down = series
        .present
        .iter()
        .filter(|(_, samples)| samples.contains(&None));
    assert_eq!(down.count(), 1);
}

fn of_n1(what: Fault, at: u64, lasts: u64) -> Step {
    Step::once(secs(at), Whom::Named(vec!["n1".to_owned()]), what).lasting(secs(lasts))
}

fn loss(of: f64) -> Fault {
    Fault::Loss {
        incoming: of,
        outgoing: of,
    }
}

#[test]
fn faults_of_one_member_begin_and_end_while_others_last() {
    let blocks = [of_n1(Fault::Block, 5, 30), of_n1(Fault::BlockProber, 10, 5)];
    let cuts = [of_n1(loss(1.0), 5, 10), of_n1(loss(1.0), 10, 40)];
    let stops = [of_n1(Fault::Block, 5, 2), of_n1(Fault::Pause, 6, 40)];
    // Each pair is noticed as the longer of the two is alone.
    for (steps, fault) in [(blocks, "block"), (cuts, "loss"), (stops, "block")] {
        let mut scenario = quiet(10);
        scenario.steps.extend(steps.clone());
        scenario.duration = secs(90);
        let outcome = outcome(&scenario, 3);
        let [fate] = &outcome.fates[..] else {
            panic!("one fate: {:?}", outcome.fates);
        };
        assert_eq!(fate.fault, fault);
        assert!(fate.everywhere.is_some(), "{steps:?}");
        assert_eq!(outcome.sizes_at_end, [10; 3], "all ended: {steps:?}");
    }
}

#[test]
fn starvation_ends_also_while_the_member_is_stopped() {
    let starved = of_n1(Fault::Starve(secs(2)), 5, 10);
    let stopped = of_n1(Fault::Pause, 10, 6);
    let mut scenario = quiet(10).step(starved).step(stopped);
    scenario.duration = secs(180);
    let outcome = outcome(&scenario, 3);
    assert_eq!(outcome.false_deaths, 0);
    assert_eq!(outcome.health.1, 0, "nobody is late any more");
}

#[test]
fn a_stopped_member_can_be_killed_and_its_death_is_the_fate() {
    let crash = Step::once(secs(6), Whom::Named(vec!["n1".to_owned()]), Fault::Crash);
    let cut = Step::once(secs(7), Whom::Named(vec!["n1".to_owned()]), loss(1.0));
    let scenario = quiet(10)
        .step(of_n1(Fault::Pause, 5, 40))
        .step(crash)
        .step(cut);
    let outcome = outcome(&scenario, 3);
    let faults: Vec<&str> = outcome.fates.iter().map(|fate| fate.fault).collect();
    assert_eq!(faults, ["pause", "crash"]);
    assert!(outcome.fates[1].everywhere.is_some());
    assert_eq!(outcome.sizes_at_end, [9; 3]);
}

#[test]
fn whoever_leaves_for_a_moment_comes_back() {
    let cut = of_n1(loss(1.0), 5, 10);
    let scenario = quiet(10).step(cut).step(of_n1(Fault::Leave, 6, 1));
    assert_eq!(outcome(&scenario, 3).sizes_at_end, [10; 3]);
}

#[test]
fn the_dead_do_not_keep_a_run_from_ending() {
    let crash = Step::once(secs(5), Whom::Some(2), Fault::CrashHost);
    let mut scenario = quiet(10).step(crash);
    scenario.duration = secs(300);
    scenario.end_when_agreed = true;
    assert!(outcome(&scenario, 3).measured < secs(30));
}

#[test]
fn cost_is_of_those_who_were_up() {
    let crash = Step::once(secs(1), Whom::Some(8), Fault::CrashHost);
    let mut scenario = quiet(10).step(crash);
    scenario.duration = secs(300);
    // The one that votes is not hurt: who looks for a lost quorum pays for that.
    scenario.config.voters = 1;
    let packets = outcome(&scenario, 3).traffic.packets_sent;
    assert!((1.5..5.0).contains(&packets), "{packets} packets a second");
}

#[test]
fn one_that_is_wrong_in_a_clean_network_is_a_violation() {
    let mut scenario = quiet(20).step(of_n1(Fault::Block, 5, 40));
    scenario.config = Config::swim();
    scenario.config.suspicion = Duration::ZERO;
    let unwatched = RunOptions {
        watch: false,
        ..RunOptions::default()
    };
    let mut run = Run::new(&scenario, 1, unwatched).expect("it can be run");
    while run.advance() {}
    let outcome = run.finish();
    assert!(outcome.false_deaths_at_healthy > 0);
    assert_eq!(outcome.violations[0].property, Property::Accuracy);
}

#[test]
fn without_a_quorum_nobody_is_removed_and_that_is_no_violation() {
    for (crashed, without_quorum) in [(1, false), (8, true)] {
        let crash = Step::once(secs(1), Whom::Some(crashed), Fault::CrashHost);
        let mut scenario = quiet(10).step(crash);
        scenario.duration = secs(60);
        scenario.agree_within = Some(secs(120));
        let outcome = outcome(&scenario, 3);
        assert_eq!(outcome.without_quorum, without_quorum, "{crashed}");
        assert_eq!(outcome.violations, []);
        assert!(outcome.agreed_after.is_some(), "{crashed}");
        let told = outcome.fates.iter().filter(|fate| fate.first.is_some());
        assert_eq!(told.count(), if without_quorum { 0 } else { crashed });
    }
}
