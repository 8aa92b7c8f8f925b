//! Nothing grows without bound.

use super::court::{Condition, Court, LIFE, at, name};
use crate::coordinator::docket::{Order, Report, Summons};
use crate::event::Silence;
use crate::limits;
use crate::members::{Instance, Name};

fn report(by: usize, subject: usize) -> Report {
    Report {
        subject: name(subject),
        instance: LIFE,
        by: name(by),
        silence: Silence::CutOff,
        health: 0,
    }
}

#[test]
fn cases_have_a_maximum() {
    let mut court = Court::new(9_999, 5);
    let mut opened = 0;
    for turn in 0..limits::CASES + 100 {
        opened += usize::from(
            court
                .docket
                .on_report(report(5_000 + turn % 4_000, turn + 1), at(0)),
        );
    }
    assert!(opened > limits::CASES / 2);
    assert!(court.docket.take_dropped() >= 100);
    court.docket.check_invariants();
}

#[test]
fn witnesses_observers_and_testimonies_have_maxima() {
    let mut court = Court::new(500, 5);
    assert!(court.docket.on_report(report(1, 400), at(0)));
    let witnesses: Vec<Name> = (2..200).map(name).collect();
    let summons = Summons {
        witnesses,
        voters: (0..50).map(name).collect(),
        members: 500,
    };
    court.docket.summon(&name(400), summons, at(0));
    let mut asked = Vec::new();
    while let Some(order) = court.docket.poll_order() {
        if let Order::Ask { witness, .. } = order {
            asked.push(witness);
        }
    }
    assert_eq!(asked.len(), limits::WITNESSES);
    assert!(asked.contains(&name(0)), "this coordinator is always asked");
    for accuser in 201..400 {
        court.docket.on_report(report(accuser, 400), at(1));
        court.docket.check_invariants();
    }
    let file = court.docket.open_case(&name(400)).expect("it is open");
    assert_eq!(file.testimonies.len(), limits::TESTIMONIES);
    let accusers = file.testimonies.iter().filter(|word| !word.asked).count();
    let most = limits::OBSERVERS - limits::WITNESSES - limits::VOTERS;
    assert_eq!(accusers, most, "what is most telling is kept");
}

#[test]
fn a_large_cut_is_told_in_parts() {
    let mut court = Court::new(2_000, 5);
    for subject in 500..900 {
        court.set(subject, Condition::Killed);
    }
    for subject in 500..900 {
        court.report(at(0), 1_000 + subject, subject, Silence::Refused);
        court.report(at(0), subject - 450, subject, Silence::Refused);
    }
    court.run(at(5_000));
    assert_eq!(court.gone().len(), 400);
    let largest = court.cuts.iter().map(|(_, rulings)| rulings.len()).max();
    assert!(largest <= Some(limits::CUT_CHANGES));
}

#[test]
fn candidates_have_a_maximum() {
    let mut court = Court::new(10, 3);
    for turn in 0..limits::CANDIDATES + 100 {
        let news = (court.docket).on_candidate(&name(100 + turn), Instance(1), 1, at(0));
        assert_eq!(news, turn < limits::CANDIDATES);
    }
    court.docket.check_invariants();
}

#[test]
fn refuted_accusers_have_a_maximum() {
    let mut court = Court::new(10, 3);
    for accuser in 0..limits::REFUTED + 200 {
        let when = at(accuser as u64 * 10);
        court.report(when, 1_000 + accuser, 5, Silence::CutOff);
    }
    court.run(at(20_000));
    court.docket.check_invariants();
    assert!(court.cuts.is_empty());
}
