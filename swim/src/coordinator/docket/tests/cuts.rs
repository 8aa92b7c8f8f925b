//! What belongs together is decided as one cut, and nothing waits for long.

use super::court::{Condition, Court, at, ms};
use crate::event::Silence;

#[test]
fn ten_killed_at_once_are_one_or_two_cuts_within_half_a_second() {
    for (members, step) in [(1000, 1), (100, 1), (60, 3), (60, 20)] {
        let mut court = Court::new(members, 5);
        let killed: Vec<usize> = (0..10).map(|at| 8 + at * (members / 11)).collect();
        for subject in &killed {
            court.set(*subject, Condition::Killed);
        }
        for (turn, subject) in killed.iter().enumerate() {
            court.buddies_report(at(turn as u64 / 4), *subject, Silence::Refused, ms(step));
        }
        court.run(at(5_000));
        let mut gone = court.gone();
        gone.sort_unstable();
        assert_eq!(gone, killed);
        assert!(
            court.cuts.len() <= 2,
            "{members} {step}: {}",
            court.cuts.len()
        );
        let last = court.cuts.last().map(|(when, _)| *when);
        assert!(last <= Some(at(500)), "{members} {step}: {last:?}");
    }
}

#[test]
fn ten_that_stood_side_by_side_and_were_killed_are_few_cuts_too() {
    let mut court = Court::new(100, 5);
    for subject in 40..50 {
        court.set(subject, Condition::Killed);
    }
    for subject in 40..50 {
        court.buddies_report(at(0), subject, Silence::Refused, ms(1));
        court.report(at(3), 60 + subject % 7, subject, Silence::Refused);
    }
    court.run(at(5_000));
    assert_eq!(court.gone().len(), 10);
    assert!(court.cuts.len() <= 2, "{}", court.cuts.len());
    assert!(court.cuts.last().map(|(when, _)| *when) <= Some(at(500)));
}

#[test]
fn ten_cut_off_hosts_are_one_or_two_cuts_within_three_seconds() {
    for step in [10, 100, 250] {
        let mut court = Court::new(1000, 5);
        for turn in 0..10 {
            court.set(50 + turn * 90, Condition::CutOff);
        }
        for turn in 0..10 {
            // The first round that fails ends at another time for each.
            let first = at(500 + turn as u64 * 37);
            court.buddies_report(first, 50 + turn * 90, Silence::CutOff, ms(step));
        }
        court.run(at(10_000));
        assert_eq!(court.gone().len(), 10, "step {step}");
        assert!(court.cuts.len() <= 2, "step {step}: {}", court.cuts.len());
        let last = court.cuts.last().map(|(when, _)| *when);
        assert!(last <= Some(at(3_000)), "step {step}: {last:?}");
    }
}

#[test]
fn a_lone_conviction_leaves_at_once() {
    let mut court = Court::new(50, 5);
    court.set(20, Condition::Killed);
    court.report(at(0), 19, 20, Silence::Refused);
    // Another case rests on one word: nothing is in flux.
    court.report(at(0), 33, 30, Silence::CutOff);
    court.set(31, Condition::Mute);
    court.run(at(10));
    assert_eq!(court.gone(), [20]);
}

#[test]
fn a_lone_cut_off_host_waits_for_nobody() {
    let mut court = Court::new(50, 5);
    court.set(20, Condition::CutOff);
    court.report(at(0), 19, 20, Silence::CutOff);
    // Its last witness has told after a round, on the way there and back.
    court.run(at(455));
    assert_eq!(court.gone(), [20]);
}

#[test]
fn a_cut_off_host_waits_for_a_hearing_that_rests_on_one_word() {
    let mut court = Court::new(50, 5);
    for (subject, when) in [(20, at(0)), (40, at(400))] {
        court.set(subject, Condition::CutOff);
        court.report(when, subject - 1, subject, Silence::CutOff);
    }
    court.run(at(2_000));
    assert_eq!(court.gone(), [20, 40]);
    assert_eq!(court.cuts.len(), 1);
}

#[test]
fn after_a_first_removal_the_next_hearing_is_waited_for() {
    let mut court = Court::new(50, 5);
    // The first is decided after 452 ms; the others are found one after the other, and the next
    // hearing begins when that of the one before is over.
    for (turn, subject) in [10, 20, 30].into_iter().enumerate() {
        court.set(subject, Condition::CutOff);
        let when = at(600 * turn as u64);
        court.report(when, subject - 1, subject, Silence::CutOff);
    }
    court.run(at(1_300));
    assert_eq!(court.gone(), [10], "the second one is held");
    court.run(at(5_000));
    assert_eq!(court.gone(), [10, 20, 30]);
    assert_eq!(court.cuts.len(), 2);
    // One that goes when others went long ago is decided at once.
    court.set(40, Condition::CutOff);
    court.report(at(5_000), 39, 40, Silence::CutOff);
    court.run(at(5_455));
    assert_eq!(court.cuts.len(), 3);
}

#[test]
fn what_was_heard_for_long_is_held_no_longer_than_two_seconds_after_its_first_report() {
    let mut court = Court::new(50, 5);
    for (subject, when) in [(30, at(0)), (10, at(1_200))] {
        court.set(subject, Condition::CutOff);
        // A witness takes all the time there is.
        court.set(subject + 2, Condition::Mute);
        court.report(when, subject - 1, subject, Silence::CutOff);
    }
    court.run(at(1_990));
    assert!(court.cuts.is_empty(), "it is held");
    court.run(at(2_010));
    assert_eq!(court.gone(), [30]);
}

#[test]
fn refusals_wait_no_longer_than_300_ms_for_others() {
    let mut court = Court::new(50, 5);
    court.set(30, Condition::CutOff);
    court.report(at(0), 29, 30, Silence::CutOff);
    court.report(at(1), 31, 30, Silence::CutOff);
    // A witness of it takes all the time there is.
    court.set(32, Condition::Mute);
    court.set(10, Condition::Killed);
    court.report(at(5), 9, 10, Silence::Refused);
    court.run(at(290));
    assert!(court.cuts.is_empty(), "it is held");
    court.run(at(320));
    assert_eq!(court.gone(), [10]);
    court.run(at(2_000));
    assert_eq!(court.gone(), [10, 30]);
}

#[test]
fn what_is_cut_off_waits_no_longer_than_a_second_for_others() {
    let mut court = Court::new(50, 5);
    court.set(30, Condition::CutOff);
    court.report(at(0), 29, 30, Silence::CutOff);
    // Others follow, each in flux when the last one is decided, for ever.
    for turn in 0..6 {
        let subject = 5 + turn * 4;
        court.set(subject, Condition::CutOff);
        let when = at(100 + turn as u64 * 350);
        court.report(when, subject - 1, subject, Silence::CutOff);
        court.report(when, subject + 1, subject, Silence::CutOff);
    }
    court.run(at(1_400));
    assert!(court.cuts.is_empty(), "it is held");
    court.run(at(1_500));
    assert!(court.gone().contains(&30), "{:?}", court.gone());
    court.run(at(6_000));
    assert_eq!(court.gone().len(), 7);
    assert!(court.cuts.len() <= 3, "{}", court.cuts.len());
}

#[test]
fn two_that_are_killed_together_leave_together() {
    let mut court = Court::new(50, 5);
    court.set(20, Condition::Killed);
    court.set(40, Condition::Killed);
    court.report(at(0), 19, 20, Silence::Refused);
    court.report(at(2), 39, 40, Silence::Refused);
    court.run(at(1_000));
    assert_eq!(court.gone(), [20, 40]);
    assert_eq!(court.cuts.len(), 1);
}
