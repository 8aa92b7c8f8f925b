//! More than a minority is removed with the voters' own witness only.

use super::court::{Condition, Court, at, ms, name, secs};
use crate::event::Silence;

/// Members from `first` on are cut off; all that see it report.
fn cut_off(court: &mut Court, gone: &[usize]) {
    for subject in gone {
        court.set(*subject, Condition::CutOff);
    }
    for (turn, subject) in gone.iter().enumerate() {
        let when = at(500 + turn as u64 * 13);
        court.buddies_report(when, *subject, Silence::CutOff, ms(40));
        // A random probe of one that is left finds it too.
        court.report(when + ms(100), 0, *subject, Silence::CutOff);
    }
}

#[test]
fn half_of_the_cluster_is_removed_while_three_of_five_voters_say_so() {
    let mut court = Court::new(20, 5);
    let gone: Vec<usize> = [3, 4].into_iter().chain(10..20).collect();
    cut_off(&mut court, &gone);
    court.run(at(20_000));
    let mut removed = court.gone();
    removed.sort_unstable();
    assert_eq!(removed, gone);
    let last = court.cuts.last().map(|(when, _)| *when);
    assert!(last <= Some(at(8_000)), "{last:?}");
}

#[test]
fn half_of_the_cluster_is_not_removed_by_two_of_five_voters() {
    let mut court = Court::new(20, 5);
    let gone: Vec<usize> = [2, 3, 4].into_iter().chain(11..20).collect();
    cut_off(&mut court, &gone);
    court.run(at(50_000));
    assert!(court.gone().len() <= 9, "a minority: {:?}", court.gone());
}

#[test]
fn large_clusters_lose_half_and_go_on() {
    let mut court = Court::new(200, 5);
    let gone: Vec<usize> = (0..200).filter(|at| at % 2 == 1).collect();
    cut_off(&mut court, &gone);
    court.run(at(20_000));
    let mut removed = court.gone();
    removed.sort_unstable();
    assert_eq!(removed, gone);
}

#[test]
fn a_minority_after_the_other_is_more_than_one() {
    // Four of nine at once are fine; a fifth within the minute is not.
    let mut court = Court::new(9, 3);
    cut_off(&mut court, &[5, 6, 7, 8]);
    court.run(at(10_000));
    assert_eq!(court.gone().len(), 4);
    // The voters say nothing, the others do.
    court.set(1, Condition::Mute);
    court.set(2, Condition::Mute);
    court.set(4, Condition::CutOff);
    court.report(at(11_000), 3, 4, Silence::CutOff);
    court.run(at(55_000));
    assert_eq!(court.gone().len(), 4, "{:?}", court.gone());
    assert!(court.docket.open_case(&name(4)).is_some(), "it is held");
    // A minute after the others it is a minority of its own.
    court.run(at(75_000));
    assert_eq!(court.gone().len(), 5);
}

#[test]
fn the_voters_are_asked_and_their_witness_frees_what_is_held() {
    let mut court = Court::new(9, 3);
    cut_off(&mut court, &[5, 6, 7, 8]);
    court.run(at(10_000));
    court.set(1, Condition::Mute);
    court.set(4, Condition::CutOff);
    court.report(at(11_000), 3, 4, Silence::CutOff);
    // Voter 2 and this coordinator are a majority.
    court.run(at(14_000));
    assert_eq!(court.gone().len(), 5);
}

#[test]
fn who_is_back_does_not_count_as_removed() {
    let mut court = Court::new(9, 3);
    cut_off(&mut court, &[5, 6, 7, 8]);
    court.run(at(10_000));
    for back in [5, 6, 7, 8] {
        court.docket.on_admitted(&name(back), court.now);
        court.set(back, Condition::Well);
    }
    court.set(1, Condition::Mute);
    court.set(2, Condition::Mute);
    court.set(4, Condition::CutOff);
    court.report(at(11_000), 3, 4, Silence::CutOff);
    court.run(at(14_000));
    assert_eq!(court.gone().len(), 5);
}

#[test]
fn a_deaf_coordinator_convicts_nobody() {
    let mut court = Court::new(20, 5);
    court.set(0, Condition::Deaf);
    for round in 0..60 {
        court.report(
            at(round * 1_000),
            0,
            1 + round as usize % 19,
            Silence::CutOff,
        );
    }
    court.run(at(120_000));
    assert!(court.cuts.is_empty(), "{:?}", court.cuts);
    // It asks about a few of them, more and more seldom.
    let asked = court.asked.len() as u64;
    let most = 8 * 14 * (secs(120).as_secs() / 4 + 4);
    assert!(asked <= most, "{asked} of {most}");
}

#[test]
fn a_coordinator_that_reaches_nobody_and_hears_the_others_convicts_nobody() {
    let mut court = Court::new(20, 5);
    court.set(0, Condition::Liar);
    for round in 0..60 {
        court.report(
            at(round * 1_000),
            0,
            1 + round as usize % 19,
            Silence::CutOff,
        );
    }
    court.run(at(120_000));
    assert!(court.cuts.is_empty(), "{:?}", court.cuts);
}
