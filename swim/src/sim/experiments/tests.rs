//! The set-ups are those of the papers; every one of them can be run.

use std::time::Duration;

use super::{ALL, Cell, Experiment, Report, Result, Scale, thousands};
use crate::sim::scenario::{Outcome, Run, RunOptions, Scenario, Spread, Whom};

fn outcome(cell: &Cell) -> Outcome {
    let options = RunOptions {
        watch: false,
        ..RunOptions::default()
    };
    let mut run = Run::new(&cell.scenario, cell.seed, options).expect("set-ups can be run");
    while run.advance() {}
    run.finish()
}

fn run(experiment: &Experiment) -> Report {
    let cells = experiment.cells(Scale::Reduced, 1, 1);
    let outcomes: Vec<Outcome> = cells.iter().map(outcome).collect();
    let pairs = cells.iter().zip(&outcomes);
    let results: Vec<Result<'_>> = pairs
        .map(|(cell, outcome)| Result { cell, outcome })
        .collect();
    experiment.report(&results)
}

#[test]
fn the_grid_of_the_interval_experiment_is_that_of_the_paper() {
    let e1 = Experiment::named("e1").expect("it exists");
    let cells = e1.cells(Scale::Full, 10, 0);
    let swim = cells.iter().filter(|cell| cell.row == "SWIM here");
    assert_eq!(swim.count(), 4320);
    for cell in &cells {
        let step = &cell.scenario.steps[0];
        let lasts = step.lasts.expect("an anomaly ends");
        assert!(cell.scenario.duration >= std::time::Duration::from_secs(120));
        // To the end of the next anomaly: less than one more cycle.
        let cycle = step.every.expect("it comes again");
        assert!(cell.scenario.duration < std::time::Duration::from_secs(121) + cycle + lasts);
    }
}

#[test]
fn every_set_up_can_be_run() {
    for experiment in ALL {
        for cell in experiment.cells(Scale::Full, 1, 0) {
            assert_eq!(cell.scenario.check(), [], "{}: {cell:?}", experiment.name);
        }
    }
}

#[test]
fn every_report_has_a_figure_in_every_column() {
    for experiment in ALL {
        let report = run(experiment);
        for row in &report.rows {
            let (figures, columns) = (row.cells.len(), report.columns.len());
            assert_eq!(figures, columns, "{}: {}", experiment.name, row.label);
        }
        let measured = report.rows.iter().filter(|row| row.label.contains(" run"));
        assert!(measured.count() > 0, "{}", experiment.name);
    }
}

#[test]
fn a_title_names_the_sizes_that_ran() {
    let title = |name: &str, scale: Scale| {
        let experiment = Experiment::named(name).expect("it exists");
        let cells = experiment.cells(scale, 1, 1);
        let crash = Scenario::quiet(2, crate::Config::lan());
        let outcome = Run::new(&crash, 1, RunOptions::default()).expect("it can be run");
        let outcome = outcome.finish();
        let results = cells.iter().map(|cell| Result {
            cell,
            outcome: &outcome,
        });
        let results: Vec<Result<'_>> = results.collect();
        experiment.report(&results).title
    };
    for experiment in ALL {
        let full = title(experiment.name, Scale::Full);
        assert!(full.contains(experiment.about), "{full}");
    }
    for (name, expected) in [
        ("e1", "e1: false deaths while C of 128 members stall"),
        ("e4", "in protocol periods, 16 members (SWIM"),
        ("e6", "e6: 10 of 60 members crash at once"),
        (
            "e7",
            "e7: 10 of 60 members receive nothing for 20 s of every 40 s, for 90 s",
        ),
    ] {
        let title = title(name, Scale::Reduced);
        assert!(title.contains(expected), "{title}");
    }
}

#[test]
fn thousands_are_separated() {
    for (number, text) in [
        (0.0, "0"),
        (999.4, "999"),
        (1000.0, "1,000"),
        (1234567.0, "1,234,567"),
    ] {
        assert_eq!(thousands(number), text);
    }
}

/// The cells of an experiment that fit, each run so often.
fn some(name: &str, row: &str, times: u32, fits: impl Fn(&Cell) -> bool) -> Vec<Outcome> {
    let experiment = Experiment::named(name).expect("it exists");
    let cells = experiment.cells(Scale::Full, times, 1);
    let chosen = cells.iter().filter(|cell| cell.row == row && fits(cell));
    let outcomes: Vec<Outcome> = chosen.map(outcome).collect();
    assert!(!outcomes.is_empty(), "{name}: {row}");
    outcomes
}

/// Members that are slow at once, and for how long.
fn stall(cell: &Cell) -> (Whom, Duration) {
    let step = &cell.scenario.steps[0];
    (step.whom.clone(), step.lasts.expect("a stall ends"))
}

#[test]
fn swim_and_lifeguard_are_as_quick_as_published() {
    let long = |cell: &Cell| {
        let (whom, lasts) = stall(cell);
        whom == Whom::Some(12) && lasts >= Duration::from_secs(16)
    };
    // Medians of Lifeguard's table of latencies: first detection, and everywhere.
    let published = [
        ("SWIM here", 12.44, 12.90),
        ("Lifeguard here", 12.45, 12.91),
        ("Lifeguard tuned here", 6.61, 7.11),
    ];
    for (row, first, everywhere) in published {
        // Medians of a dozen alone are too far apart.
        let outcomes = some("e2", row, 3, long);
        let fates = || outcomes.iter().flat_map(|outcome| &outcome.fates);
        for (published, spread) in [
            (first, Spread::of(fates().filter_map(|fate| fate.first))),
            (
                everywhere,
                Spread::of(fates().filter_map(|fate| fate.everywhere)),
            ),
        ] {
            let median = spread.median().expect("it was detected").as_secs_f64();
            let ratio = median / published;
            assert!(
                (0.9..1.1).contains(&ratio),
                "{row}: {median} s for {published} s"
            );
        }
    }
}

#[test]
fn the_five_protocols_stand_in_the_published_order() {
    let worst = |cell: &Cell| {
        let (whom, lasts) = stall(cell);
        let between = cell.scenario.steps[0].every.expect("it comes again") - lasts;
        whom == Whom::Some(20)
            && lasts == Duration::from_millis(16_384)
            && between <= Duration::from_millis(64)
    };
    let deaths = |row: &str| -> u64 {
        let outcomes = some("e1", row, 1, worst);
        outcomes.iter().map(|outcome| outcome.false_deaths).sum()
    };
    let rows = [
        "SWIM here",
        "Buddy System here",
        "LHA-Probe here",
        "LHA-Suspicion here",
        "Lifeguard here",
    ];
    let deaths = rows.map(deaths);
    let [swim, buddy, probe, suspicion, lifeguard] = deaths;
    assert!(swim > buddy && buddy > probe, "{rows:?}: {deaths:?}");
    // Of the last two so few runs show next to none: what is between them the whole grid shows.
    assert!(
        probe > 100 * suspicion.max(lifeguard),
        "{rows:?}: {deaths:?}"
    );
}
