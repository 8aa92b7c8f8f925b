//! When removed members may be members again.

use super::court::{Condition, Court, LIFE, at, ms, name, secs};
use crate::coordinator::docket::readmit::wait;
use crate::coordinator::docket::{Report, removals_after};
use crate::event::Silence;
use crate::members::Instance;

#[test]
fn each_removal_makes_the_wait_longer() {
    let table = [
        (0, 5),
        (1, 5),
        (2, 30),
        (3, 120),
        (4, 300),
        (5, 300),
        (255, 300),
    ];
    for (removals, seconds) in table {
        assert_eq!(
            wait(secs(5), removals),
            secs(seconds),
            "{removals} removals"
        );
    }
}

#[test]
fn an_hour_of_calm_forgets_the_removals() {
    let table = [
        (0, 10, 1),
        (1, 10, 2),
        (2, 3_599, 3),
        (2, 3_600, 1),
        (255, 10, 255),
        (255, 9_999, 1),
    ];
    for (before, up_for, after) in table {
        assert_eq!(removals_after(before, secs(up_for)), after);
    }
}

#[test]
fn who_answers_all_the_time_is_readmitted_when_the_wait_is_over() {
    for (removals, seconds) in [(1, 5), (2, 30), (3, 120), (4, 300)] {
        let mut court = Court::new(50, 5);
        court.candidate(20, removals);
        court.run(at(seconds * 1_000 - 1));
        assert!(court.readmitted.is_empty(), "{removals} removals");
        court.run(at(seconds * 1_000 + 100));
        let readmitted: Vec<_> = court.readmitted.iter().map(|(_, name)| name).collect();
        assert_eq!(readmitted, [&name(20)], "{removals} removals");
        court.run(at(seconds * 3_000));
        assert_eq!(court.readmitted.len(), 1, "told once");
    }
}

#[test]
fn a_lapse_begins_the_wait_anew() {
    let mut court = Court::new(50, 5);
    court.candidate(20, 2);
    court.set_at(at(14_000), 20, Condition::Deaf);
    court.set_at(at(20_000), 20, Condition::Well);
    court.run(at(45_000));
    assert!(court.readmitted.is_empty());
    court.run(at(60_000));
    assert_eq!(court.readmitted.len(), 1);
}

#[test]
fn a_link_that_flaps_each_20_s_comes_back_once_only() {
    let mut court = Court::new(50, 5);
    let flaps: Vec<u64> = (0..20).collect();
    for flap in &flaps {
        court.set_at(at(flap * 40_000), 20, Condition::Deaf);
        court.set_at(at(flap * 40_000 + 20_000), 20, Condition::Well);
    }
    // It is out since its first lapse, and asks to be in all the time: what it sends arrives.
    let mut removals = 1;
    for second in 1..800 {
        court.run(at(second * 1_000));
        if court.readmitted.len() == usize::from(removals) {
            let back = court.now;
            court.docket.on_admitted(&name(20), back);
            // It is removed again in the next lapse.
            let next = (back.as_nanos() / 40_000_000_000 + 1) * 40_000 + 3_000;
            court.run(at(next));
            removals += 1;
        }
        court.candidate(20, removals);
    }
    assert_eq!(court.readmitted.len(), 1);
    assert!(court.readmitted[0].0 >= at(25_000) && court.readmitted[0].0 <= at(28_000));
}

#[test]
fn one_faulty_observer_keeps_nobody_out() {
    let mut court = Court::new(50, 5);
    court.set(19, Condition::Liar);
    court.candidate(20, 1);
    for half in 0..10 {
        court.run(at(half * 500 + 250));
        let report = Report {
            subject: name(20),
            instance: Instance(LIFE.0 + 1),
            by: name(19),
            silence: Silence::CutOff,
            health: 0,
        };
        assert!(
            !court.docket.on_report(report, court.now),
            "it opens no case"
        );
        court.candidate(20, 1);
    }
    // The last look begins when the wait is over, or the one before it ends.
    court.run(at(6_000));
    assert_eq!(court.readmitted.len(), 1);
}

#[test]
fn without_witnesses_a_report_begins_the_wait_anew() {
    let mut court = Court::new(50, 5);
    assert!(court.docket.on_candidate(&name(20), LIFE, 1, court.now));
    court.run(at(3_000));
    let report = Report {
        subject: name(20),
        instance: LIFE,
        by: name(19),
        silence: Silence::CutOff,
        health: 0,
    };
    court.docket.on_report(report, court.now);
    court.run(at(7_900));
    assert!(court.readmitted.is_empty());
    court.run(at(8_100));
    assert_eq!(court.readmitted.len(), 1);
}

#[test]
fn a_candidate_that_nobody_reaches_and_that_is_silent_is_forgotten() {
    let mut court = Court::new(50, 5);
    court.candidate(20, 1);
    court.set_at(at(1_500), 20, Condition::CutOff);
    court.run(at(40_000));
    assert_eq!(court.docket.poll_timeout(), None);
    assert!(court.readmitted.is_empty());
    // When it answers again it is a new one.
    court.set(20, Condition::Well);
    court.candidate(20, 1);
    court.run(at(45_100));
    assert_eq!(court.readmitted.len(), 1);
}

#[test]
fn a_candidate_that_nobody_tells_about_is_not_readmitted() {
    let mut court = Court::new(10, 3);
    for witness in 0..10 {
        court.set(witness, Condition::Mute);
    }
    court.candidate(5, 1);
    for second in 1..20 {
        court.run(at(second * 1_000));
        court.candidate(5, 1);
    }
    assert!(court.readmitted.is_empty());
}

#[test]
fn few_are_asked_about_a_candidate_and_seldom() {
    let mut court = Court::new(50, 5);
    court.candidate(20, 4);
    for second in 1..300 {
        court.run(at(second * 1_000));
        court.candidate(20, 4);
    }
    let asked = court.asked.len();
    assert!((60..=4 * 62).contains(&asked), "{asked}");
    court.run(at(300_000) + ms(10));
    assert_eq!(court.readmitted.len(), 1);
}

#[test]
fn a_newer_life_of_a_candidate_waits_from_its_own_beginning() {
    let mut court = Court::new(50, 5);
    court.candidate(20, 1);
    court.run(at(4_000));
    assert!(
        court
            .docket
            .on_candidate(&name(20), Instance(99), 1, court.now)
    );
    assert!(
        !court
            .docket
            .on_candidate(&name(20), Instance(98), 1, court.now)
    );
    court.summon(&name(20));
    court.run(at(8_900));
    assert!(court.readmitted.is_empty());
    court.run(at(9_100));
    assert_eq!(court.readmitted.len(), 1);
}
