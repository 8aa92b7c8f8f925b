//! Members that some reach and some do not.

use super::court::{Condition, Court, LIFE, at, ms, name};
use crate::coordinator::Reason;
use crate::event::Silence;
use crate::time::Time;

/// Half of the members do not reach 20 for a while, and those of its buddies say so every 4 s.
fn gray(court: &mut Court, until_ms: u64) {
    court.set(20, Condition::Gray);
    court.set_at(at(until_ms), 20, Condition::Well);
    for round in 0..until_ms.div_ceil(4_000) {
        for (turn, by) in [17, 19, 21, 23].into_iter().enumerate() {
            let when = round * 4_000 + turn as u64 * 900;
            if when < until_ms {
                court.report(at(when), by, 20, Silence::CutOff);
            }
        }
    }
}

#[test]
fn a_member_that_half_of_them_reach_is_degraded_and_then_removed_once() {
    let mut court = Court::new(50, 5);
    gray(&mut court, 60_000);
    court.run(at(90_000));
    let degraded = court.degraded();
    assert_eq!(degraded.len(), 1, "told once");
    let (since, _) = degraded[0];
    assert!(since >= at(1_000) && since <= at(2_500), "{since:?}");
    let convicted = court.convicted();
    assert_eq!(convicted.len(), 1, "removed once");
    let (removed, subject, reason) = &convicted[0];
    assert_eq!((*subject, reason), (20, &Reason::DegradedTooLong));
    let lasted = removed.since(since);
    assert!(lasted >= ms(15_000) && lasted <= ms(18_000), "{lasted:?}");
    assert!(court.restored().is_empty());
}

#[test]
fn a_member_that_was_degraded_for_a_while_is_restored_when_it_is_calm() {
    let mut court = Court::new(50, 5);
    gray(&mut court, 5_000);
    court.run(at(60_000));
    assert_eq!(court.degraded().len(), 1);
    assert!(court.gone().is_empty());
    let restored = court.restored();
    assert_eq!(restored.len(), 1);
    let (when, _) = restored[0];
    assert!(when >= at(14_500) && when <= at(18_000), "{when:?}");
    assert!(court.docket.open_case(&name(20)).is_none());
}

#[test]
fn a_dispute_of_a_moment_is_none() {
    let mut court = Court::new(50, 5);
    gray(&mut court, 700);
    court.run(at(60_000));
    assert!(court.cuts.is_empty(), "{:?}", court.cuts);
}

#[test]
fn a_broken_link_between_two_of_three_removes_nobody() {
    // 0 reaches both, 1 and 2 do not reach each other.
    let mut court = Court::new(3, 3);
    court.set(2, Condition::Gray);
    for round in 0..30 {
        court.report(at(round * 4_000), 1, 2, Silence::CutOff);
    }
    court.run(at(120_000));
    assert_eq!(court.degraded().len(), 1);
    assert!(court.gone().is_empty());
}

#[test]
fn a_degraded_member_that_dies_is_convicted_without_waiting() {
    let mut court = Court::new(50, 5);
    gray(&mut court, 5_000);
    court.set_at(at(5_001), 20, Condition::Killed);
    court.buddies_report(at(5_002), 20, Silence::Refused, ms(1));
    court.run(at(30_000));
    let convicted = court.convicted();
    assert_eq!(convicted.len(), 1);
    assert_eq!(convicted[0].2, Reason::Unreached);
    assert!(convicted[0].0 <= at(6_200), "{:?}", convicted[0].0);
}

#[test]
fn a_degraded_member_that_pauses_is_not_convicted_for_that() {
    let mut court = Court::new(50, 5);
    gray(&mut court, 4_000);
    court.set_at(at(9_000), 20, Condition::Stalled(at(11_500)));
    court.run(at(60_000));
    assert!(court.gone().is_empty(), "{:?}", court.convicted());
    assert_eq!(court.restored().len(), 1);
}

#[test]
fn refutations_do_not_hide_that_half_of_them_do_not_reach_it() {
    let mut court = Court::new(50, 5);
    gray(&mut court, 60_000);
    for round in 0..60 {
        court.refute(at(300 + round * 1_000), 20);
    }
    court.run(at(60_000));
    assert_eq!(court.degraded().len(), 1);
    assert_eq!(court.gone(), [20]);
    assert!(court.convicted()[0].0 <= at(30_000));
}

#[test]
fn a_degraded_member_is_asked_about_at_a_bounded_rate() {
    let mut court = Court::new(50, 5);
    court.set(20, Condition::Gray);
    for report in 0..2_000 {
        court.report(
            at(report * 5),
            17 + (report as usize % 2) * 2,
            20,
            Silence::CutOff,
        );
    }
    court.run(at(10_000));
    let asked = court
        .asked
        .iter()
        .filter(|(_, witness, _)| *witness == name(0));
    let hearings = asked.count();
    assert!((4..=11).contains(&hearings), "{hearings}");
}

#[test]
fn who_took_over_restores_what_was_degraded_before() {
    let mut court = Court::new(50, 5);
    court.degraded_in_view(20);
    court.degraded_in_view(20);
    assert_eq!(court.summoned.len(), 1, "it is taken up once");
    court.run(at(9_900));
    assert!(court.cuts.is_empty());
    court.run(at(13_000));
    assert_eq!(court.restored().len(), 1);
}

#[test]
fn what_was_ruled_in_one_term_and_committed_in_the_next_is_taken_back() {
    // The new term began before the view said so, and has a case of its own or not.
    for accusers in 0..3 {
        let mut court = Court::new(50, 5);
        for by in 0..accusers {
            court.report(at(0), 18 + 4 * by, 20, Silence::CutOff);
        }
        court.run(at(1));
        court.degraded_in_view(20);
        court.run(at(60_000));
        assert_eq!(court.restored().len(), 1, "{accusers} accuse it");
        assert!(court.docket.open_case(&name(20)).is_none());
        assert!(court.gone().is_empty());
    }
}

#[test]
fn what_the_view_says_is_restored_is_looked_at_no_more() {
    let mut court = Court::new(50, 5);
    court.degraded_in_view(20);
    court.run(at(3_000));
    court.docket.on_restored(&name(20), LIFE, court.now);
    assert!(court.docket.open_case(&name(20)).is_none());
    court.run(at(60_000));
    assert!(court.restored().is_empty(), "it was restored before");
}

#[test]
fn that_a_member_is_degraded_outlives_a_moment_without_a_lease() {
    let begin = || {
        let mut court = Court::new(50, 5);
        court.set(20, Condition::Gray);
        court.set(19, Condition::Mute);
        court.report(at(0), 21, 20, Silence::CutOff);
        court
    };
    let mut other = begin();
    other.run(at(10_000));
    let (when, _) = other.degraded()[0];
    // The hearing ends when 19 is given up; before that is handed out, there is no lease.
    let mut court = begin();
    court.run(at(when.since(Time::ZERO).as_millis() as u64 - 1));
    assert_eq!(court.degraded(), []);
    court.docket.handle_timeout(when);
    court.hear_again(when);
    court.run(when + ms(1_000));
    assert_eq!(court.degraded().len(), 1, "{:?}", court.cuts);
}
