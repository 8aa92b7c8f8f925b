//! Cuts between some, broken streams, wrong clocks.

use std::net::IpAddr;

use super::*;
use crate::sim::ClockJump;

fn named(names: &[&str]) -> Whom {
    Whom::Named(names.iter().map(|name| (*name).to_owned()).collect())
}

/// A run of ten after so many seconds of its measured part.
fn run_at(steps: Vec<Step>, seconds: u64) -> Run {
    let mut scenario = quiet(10);
    scenario.start.settle = Some(Settle {
        within: secs(60),
        quiet: Duration::ZERO,
    });
    scenario.steps = steps;
    let mut run = Run::new(&scenario, 1, RunOptions::default()).expect("it can be run");
    let mut began = None;
    while began.is_none_or(|began| run.cluster.now().since(began) < secs(seconds)) {
        assert!(run.advance(), "it is not over yet");
        if began.is_none() && run.measure.has_settled() {
            began = Some(run.cluster.now());
        }
    }
    run
}

fn host(run: &Run, member: usize) -> IpAddr {
    run.cluster.host(run.members[member])
}

/// Whether a packet gets from one member to another.
fn is_open(run: &mut Run, from: usize, to: usize) -> bool {
    let (from, to) = (host(run, from), host(run, to));
    run.cluster.network().is_open(from, to)
}

#[test]
fn a_cut_closes_one_way_until_it_ends() {
    let cut = |at, lasts| {
        let cut = Fault::Cut(named(&["n4"]));
        Step::once(secs(at), named(&["n3"]), cut).lasting(secs(lasts))
    };
    // The second one lasts when the first one ends.
    let steps = || vec![cut(5, 10), cut(10, 10)];
    for (seconds, open) in [(4, true), (7, false), (17, false), (21, true)] {
        let mut run = run_at(steps(), seconds);
        assert_eq!(is_open(&mut run, 3, 4), open, "after {seconds} s");
        assert!(is_open(&mut run, 4, 3) && is_open(&mut run, 3, 5));
    }
}

#[test]
fn a_partial_partition_closes_both_ways_and_leaves_a_way_round() {
    let apart = Fault::PartialPartition(Whom::Some(3));
    let step = Step::once(secs(5), named(&["n1", "n2"]), apart).lasting(secs(10));
    let mut run = run_at(vec![step.clone()], 10);
    let cut_off = |run: &mut Run| -> Vec<usize> {
        (0..10).filter(|other| !is_open(run, 1, *other)).collect()
    };
    let others = cut_off(&mut run);
    assert_eq!(others.len(), 3, "{others:?}");
    for other in others {
        for (from, to) in [(other, 1), (2, other), (other, 2)] {
            assert!(!is_open(&mut run, from, to), "from n{from} to n{to}");
        }
        assert!(is_open(&mut run, other, 0) && is_open(&mut run, 0, other));
    }
    assert_eq!(cut_off(&mut run_at(vec![step.clone()], 16)), [0; 0]);
    let outcome = outcome(&quiet(10).step(step), 1);
    assert_eq!(outcome.fates.len(), 5, "both sides are hurt");
    assert!(outcome.agreed_after.is_some());
    assert_eq!(outcome.violations, []);
}

#[test]
fn of_a_cut_from_all_others_only_one_side_is_hurt() {
    let cut = Fault::Cut(Whom::All);
    let scenario = quiet(10).step(Step::once(secs(5), named(&["n3"]), cut));
    let outcome = outcome(&scenario, 1);
    let hurt: Vec<&str> = outcome
        .fates
        .iter()
        .map(|fate| fate.name.as_str())
        .collect();
    assert_eq!(hurt, ["n3"]);
    assert!(outcome.fates[0].everywhere.is_some(), "it is not heard");
}

#[test]
fn what_comes_after_a_second_death_is_counted() {
    let deaf = Fault::Loss {
        incoming: 1.0,
        outgoing: 1.0,
    };
    let changes = |times: u32| {
        let step = Step::once(secs(1), named(&["n3"]), deaf.clone()).lasting(secs(30));
        let mut scenario = quiet(10).step(step.repeated(secs(60), Some(times)));
        // A verdict would keep it out: it is what each believes that flaps.
        scenario.config.parts.verdicts = false;
        scenario.duration = secs(60 * u64::from(times));
        outcome(&scenario, 1).changes_after_second_death
    };
    // Nine others see it come back, go a third time and come back again.
    assert_eq!([1, 2, 3].map(changes), [0, 9, 27]);
}

#[test]
fn clocks_may_be_off_by_a_hundredth_and_nobody_dies() {
    let fast = Step::once(secs(5), named(&["n3"]), Fault::ClockRate(10_000));
    let run = run_at(vec![fast.clone().lasting(secs(20))], 45);
    let ahead = run.cluster.clock(run.members[3]).since(run.cluster.now());
    assert_eq!(ahead, Duration::from_millis(200), "1 % of 20 s");
    let slow = Step::once(secs(5), Whom::Some(4), Fault::ClockRate(-10_000));
    let outcome = outcome(&quiet(10).step(fast).step(slow), 2);
    assert_eq!(outcome.fates, [], "nobody is hurt");
    assert_eq!((outcome.false_deaths, outcome.false_suspicions), (0, 0));
    assert_eq!(outcome.violations, []);
}

#[test]
fn an_instance_is_made_from_the_wall_clock_as_it_stands() {
    let instance = |jump: Option<ClockJump>| {
        let restart = Step::once(secs(10), named(&["n3"]), Fault::Restart);
        let jump = jump.map(|jump| Step::once(secs(5), named(&["n3"]), Fault::ClockJump(jump)));
        let run = run_at(jump.into_iter().chain([restart]).collect(), 20);
        let seen = run.cluster.node(run.members[5]).member("n3");
        seen.expect("it is there").instance.0
    };
    let hour_us = 3_600_000_000;
    let usual = instance(None);
    assert_eq!(
        instance(Some(ClockJump::Ahead(secs(3600)))),
        usual + hour_us
    );
    // Its former life stands in the way: it goes past that by a step.
    let back = instance(Some(ClockJump::Back(secs(3600))));
    assert!(
        back > usual - 30_000_000 && back < usual + hour_us,
        "{back} {usual}"
    );
}

#[test]
fn streams_that_are_reset_are_opened_again() {
    let mut scenario = quiet(20);
    scenario.start.settle = None;
    scenario.end_when_agreed = true;
    let reset = Step::once(secs(1), Whom::All, Fault::ResetStreams);
    let broken = scenario
        .clone()
        .step(reset.repeated(Duration::from_millis(10), Some(40)));
    let (usual, broken) = (outcome(&scenario, 1), outcome(&broken, 1));
    assert!(usual.settled_after.is_some_and(|after| after < secs(10)));
    let mended = broken.settled_after.is_some_and(|after| after < secs(20));
    assert!(mended, "{:?}", broken.settled_after);
    assert_eq!((broken.fates.len(), broken.violations.len()), (0, 0));
}
