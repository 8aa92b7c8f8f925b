use super::*;
use crate::sim::checks::Property;
use crate::sim::scenario::Fate;
use crate::time::Time;

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn fate(first: Option<u64>, everywhere: Option<u64>, deaths: u32) -> Fate {
    Fate {
        name: "n7".to_owned(),
        fault: "crash",
        onset: ms(1000),
        first: first.map(ms),
        everywhere: everywhere.map(ms),
        deaths,
    }
}

fn violation(property: Property) -> Violation {
    Violation {
        property,
        at: Time::ZERO,
        process: "n1".to_owned(),
        text: "seen".to_owned(),
    }
}

/// Every number differs from all others, so that none can stand for another.
fn outcome(seed: u64) -> Outcome {
    Outcome {
        seed,
        trace_hash: 0,
        settled_after: Some(ms(2000 + seed)),
        measured: ms(60_000),
        fates: vec![fate(Some(100 * seed), Some(200 * seed), seed as u32)],
        false_deaths: 10 + seed,
        false_deaths_at_healthy: 20 + seed,
        deaths_of_hurt: 30 + seed,
        changes_after_second_death: 0,
        false_suspicions: 40 + seed,
        false_hints: 50 + seed,
        sizes: (0..seed as usize).map(|size| (size, 1)).collect(),
        sizes_at_end: [0; 3],
        changes: (50 + seed as u32, 60 + seed as u32),
        messages: 70 + seed,
        traffic: TrafficRates {
            packets_sent: 80.0 + seed as f64,
            bytes_sent: 90.0 + seed as f64,
            bytes_received: 100.0 + seed as f64,
            bytes_sent_max: 110 + seed,
            bytes_received_max: 120 + seed,
            each_second: vec![seed],
        },
        health: (seed as f64 / 10.0, seed as u8),
        agreed_after: Some(ms(3000 + seed)),
        without_quorum: false,
        series: None,
        violations: Vec::new(),
    }
}

#[test]
fn sums_means_and_worst_of_three_runs() {
    let summary = Summary::of(&[outcome(1), outcome(4), outcome(2)]);
    assert_eq!((summary.runs, summary.settled, summary.hurt), (3, 3, 3));
    assert_eq!(summary.settling.sorted(), [ms(2001), ms(2002), ms(2004)]);
    assert_eq!(summary.first.sorted(), [ms(100), ms(200), ms(400)]);
    assert_eq!(summary.everywhere.sorted(), [ms(200), ms(400), ms(800)]);
    assert_eq!(
        (summary.false_deaths, summary.false_deaths_at_healthy),
        (37, 67)
    );
    assert_eq!(
        (summary.deaths_of_hurt, summary.false_suspicions),
        (97, 127)
    );
    assert_eq!((summary.deaths_worst, summary.sizes), (4, 4));
    assert_eq!(summary.changes, (52, 64));
    assert_eq!(summary.messages, 217.0 / 3.0);
    assert_eq!(
        summary.traffic,
        TrafficRates {
            packets_sent: 247.0 / 3.0,
            bytes_sent: 277.0 / 3.0,
            bytes_received: 307.0 / 3.0,
            bytes_sent_max: 114,
            bytes_received_max: 124,
            each_second: vec![1],
        }
    );
    assert!((summary.health.0 - 0.7 / 3.0).abs() < 1e-9);
    assert_eq!(summary.health.1, 4);
    assert_eq!(
        summary.agreed_after.sorted(),
        [ms(3001), ms(3002), ms(3004)]
    );
    assert_eq!((summary.disagreeing, summary.violated), (0, 0));
    assert_eq!(summary.without_quorum, 0);
}

#[test]
fn what_did_not_happen_is_counted_and_in_no_spread() {
    let mut unsettled = outcome(1);
    unsettled.settled_after = None;
    unsettled.agreed_after = None;
    unsettled.fates = vec![fate(None, None, 0), fate(Some(5), None, 3)];
    let summary = Summary::of(&[unsettled, outcome(2)]);
    assert_eq!((summary.runs, summary.settled), (2, 1));
    assert_eq!(summary.settling.count(), 1);
    assert_eq!(summary.agreed_after.count(), 1);
    assert_eq!(summary.disagreeing, 1);
    assert_eq!(
        (
            summary.hurt,
            summary.first.count(),
            summary.everywhere.count()
        ),
        (3, 2, 1)
    );
    assert_eq!(summary.deaths_worst, 3);
}

#[test]
fn nothing_of_no_runs() {
    assert_eq!(Summary::of(&[]), Summary::default());
}

#[test]
fn the_first_series_is_kept() {
    let series = |size| {
        Some(Series {
            step: ms(500),
            present: vec![("n0".to_owned(), vec![Some(size)])],
        })
    };
    let mut runs = [outcome(1), outcome(2), outcome(3)];
    runs[1].series = series(2);
    runs[2].series = series(3);
    assert_eq!(Summary::of(&runs).series, series(2));
}

#[test]
fn violations_are_kept_with_their_seeds_and_all_are_counted() {
    let mut runs: Vec<Outcome> = (1..=60).map(outcome).collect();
    for run in &mut runs {
        run.violations = vec![violation(Property::Healing), violation(Property::Accuracy)];
    }
    let summary = Summary::of(&runs);
    assert_eq!(summary.violated, 120);
    assert_eq!(summary.violations.len(), 100);
    assert_eq!(summary.violations[2], (2, violation(Property::Healing)));
    assert_eq!(summary.violations[99], (50, violation(Property::Accuracy)));
}

#[test]
fn quantiles_are_nearest_ranks() {
    let spread = Spread::of((1..=1000).rev().map(ms));
    let quantiles = [0.0, 0.001, 0.5, 0.99, 0.999, 1.0].map(|part| spread.quantile(part));
    assert_eq!(
        quantiles,
        [1, 1, 500, 990, 999, 1000].map(|millis| Some(ms(millis)))
    );
    assert_eq!(spread.worst(), Some(ms(1000)));
    let three = Spread::of([1, 2, 3].map(ms));
    assert_eq!(
        (three.median(), three.quantile(0.99)),
        (Some(ms(2)), Some(ms(3)))
    );
    assert_eq!(Spread::default().quantile(0.5), None);
}

#[test]
fn a_median_of_runs_is_one_of_them() {
    let of = |numbers: &[u32]| median(numbers.iter().copied());
    assert_eq!(
        (of(&[]), of(&[9]), of(&[9, 1]), of(&[5, 9, 1])),
        (0, 9, 1, 5)
    );
}
