//! The set-ups are those of the papers; every one of them can be run.

use super::{ALL, Experiment, Report, Result, Scale, thousands};
use crate::sim::scenario::{Outcome, Run, RunOptions};

fn run(experiment: &Experiment) -> Report {
    let cells = experiment.cells(Scale::Reduced, 1, 1);
    let options = RunOptions {
        watch: false,
        ..RunOptions::default()
    };
    let outcome = |cell: &super::Cell| -> Outcome {
        let mut run = Run::new(&cell.scenario, cell.seed, options).expect("set-ups can be run");
        while run.advance() {}
        run.finish()
    };
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
        let measured = report.rows.iter().filter(|row| row.label.contains("runs"));
        assert!(measured.count() > 0, "{}", experiment.name);
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
