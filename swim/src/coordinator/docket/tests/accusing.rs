//! Who is believed how much, and what a bad accuser costs.

use super::court::{Condition, Court, at, ms, name, number};
use crate::event::Silence;

#[test]
fn one_that_reports_everybody_convicts_nobody_and_costs_little() {
    let mut court = Court::new(50, 5);
    for round in 0..600 {
        court.report(
            at(round * 100),
            7,
            8 + (round as usize * 5) % 41,
            Silence::CutOff,
        );
    }
    court.run(at(60_000));
    assert!(court.cuts.is_empty(), "{:?}", court.cuts);
    let (mine, others): (Vec<_>, Vec<_>) =
        (court.asked.iter()).partition(|(_, witness, _)| number(witness) == 0);
    assert!(others.len() <= 9, "one case by its word: {}", others.len());
    assert!(mine.len() <= 4 * 60 + 2, "looked itself: {}", mine.len());
    assert!(mine.len() >= 60, "and it did look: {}", mine.len());
}

#[test]
fn a_burst_of_one_accuser_opens_few_cases() {
    let mut court = Court::new(100, 5);
    // They tell nothing for a while, so that nothing is acquitted meanwhile.
    for number in 0..100 {
        court.set(number, Condition::Mute);
    }
    for subject in 1..90 {
        court.report(at(0), 95, subject, Silence::Refused);
    }
    court.run(at(10));
    let asked = court.asked.iter();
    let others = asked.filter(|(_, witness, _)| number(witness) != 0).count();
    assert!(others <= 8 * 8, "{others} were asked");
    court.run(at(30_000));
    assert!(court.gone().is_empty());
}

#[test]
fn one_faulty_observer_convicts_nobody_however_heavy() {
    let mut court = Court::new(10, 3);
    // Nobody else can tell.
    for number in 0..10 {
        court.set(number, Condition::Mute);
    }
    for round in 0..30 {
        court.report(at(round * 1000), 4, 5, Silence::Refused);
    }
    court.run(at(60_000));
    assert!(court.cuts.is_empty());
}

#[test]
fn a_starved_accuser_among_three_counts_little() {
    // 20 of 120: nearly all reach it.
    let mut court = Court::new(3, 3);
    court.report_in_health(at(0), 1, 2, Silence::CutOff, 8);
    court.run(at(5_000));
    assert!(court.cuts.is_empty());
    assert!(court.docket.open_case(&name(2)).is_none());
    // In good health it is half of the weight. It may look as well, but still finds nothing.
    let mut court = Court::new(3, 3);
    court.set(1, Condition::Liar);
    court.report(at(0), 1, 2, Silence::CutOff);
    court.run(at(5_000));
    assert_eq!(court.degraded().len(), 1);
    assert!(court.gone().is_empty());
}

#[test]
fn one_that_hears_nothing_accuses_its_buddies_and_is_removed_alone() {
    for spread in [0, 20, 300, 1000] {
        let mut court = Court::new(12, 3);
        court.set(6, Condition::Deaf);
        for (turn, buddy) in court.buddies(&name(6)).iter().enumerate() {
            let when = at(100 + turn as u64 * spread);
            court.report(when, 6, number(buddy), Silence::CutOff);
            court.report(when + ms(7), number(buddy), 6, Silence::CutOff);
        }
        court.run(at(30_000));
        assert_eq!(court.gone(), [6], "spread {spread}");
        assert!(court.degraded().is_empty(), "spread {spread}");
    }
}

#[test]
fn three_deaf_among_ten_take_nobody_with_them() {
    let mut court = Court::new(10, 3);
    for deaf in [4, 6, 8] {
        court.set(deaf, Condition::Deaf);
    }
    for deaf in [4, 6, 8] {
        for (turn, buddy) in court.buddies(&name(deaf)).iter().enumerate() {
            let when = at(100 + turn as u64 * 150 + deaf as u64 * 11);
            court.report(when, deaf, number(buddy), Silence::CutOff);
            if ![4, 6, 8].contains(&number(buddy)) {
                court.report(when + ms(60), number(buddy), deaf, Silence::CutOff);
            }
        }
    }
    court.run(at(40_000));
    let mut gone = court.gone();
    gone.sort_unstable();
    assert_eq!(gone, [4, 6, 8]);
}

#[test]
fn a_refuted_accuser_is_heard_when_this_coordinator_finds_the_same() {
    let mut court = Court::new(50, 5);
    court.report(at(0), 7, 20, Silence::CutOff);
    court.run(at(1_000));
    assert!(court.docket.open_case(&name(20)).is_none(), "acquitted");
    court.set(30, Condition::Killed);
    court.report(at(2_000), 7, 30, Silence::Refused);
    court.run(at(3_000));
    assert_eq!(court.gone(), [30]);
}

#[test]
fn a_refuted_accuser_is_heard_when_another_one_joins() {
    let mut court = Court::new(50, 5);
    court.report(at(0), 7, 20, Silence::CutOff);
    court.run(at(1_000));
    let before = court.asked.len();
    // This coordinator tells nothing for once.
    court.set(0, Condition::Mute);
    court.set(30, Condition::Killed);
    court.report(at(2_000), 7, 30, Silence::Refused);
    court.run(at(2_100));
    assert_eq!(
        court.asked.len(),
        before + 1,
        "only this coordinator is asked"
    );
    court.report(at(2_200), 31, 30, Silence::Refused);
    court.run(at(3_000));
    assert_eq!(court.gone(), [30]);
}

#[test]
fn a_refuted_accuser_is_trusted_again_after_a_minute() {
    let asked_after = |wait: u64| {
        let mut court = Court::new(50, 5);
        court.report(at(0), 7, 20, Silence::CutOff);
        court.report(at(wait), 7, 21, Silence::CutOff);
        court.run(at(wait - 1));
        let before = court.asked.len();
        court.run(at(wait + 100));
        court.asked.len() - before
    };
    assert_eq!(asked_after(50_000), 1);
    assert!(asked_after(61_000) >= 7);
}

#[test]
fn those_that_tell_the_truth_of_a_pause_are_not_refuted() {
    let mut court = Court::new(50, 5);
    court.set(20, Condition::Stalled(at(2_000)));
    court.buddies_report(at(0), 20, Silence::Stalled, ms(5));
    court.refute(at(2_001), 20);
    court.run(at(3_000));
    assert!(court.docket.open_case(&name(20)).is_none(), "acquitted");
    // One of them still opens a case alone.
    let before = court.asked.len();
    court.report(at(4_000), 19, 25, Silence::CutOff);
    court.run(at(4_100));
    assert!(court.asked.len() >= before + 7);
}

#[test]
fn nobody_is_judged_by_its_own_word_and_this_coordinator_by_none() {
    let mut court = Court::new(10, 3);
    court.report(at(0), 4, 4, Silence::Refused);
    court.report(at(0), 4, 0, Silence::Refused);
    court.report(at(0), 5, 0, Silence::Refused);
    court.run(at(10_000));
    assert!(court.asked.is_empty() && court.cuts.is_empty());
}
