//! Experiments of the papers: all their runs, and one table with the published rows beside.

use muster_swim::sim::experiments::{Cell, Experiment, Report, Result as Ran, Scale};
use muster_swim::sim::scenario::{Outcome, RunOptions, Summary};
use serde::Serialize;

use super::args::SimulateArgs;
use super::pool::{self, Job};
use super::results::{Column, Results};
use super::{SimulateError, svg, threads};
use crate::cli::Failure;
use crate::cli::output::{Format, say_json, say_lines};
use crate::cli::table::{self, Look, Table, Tone};

/// The seed of the first run; the others count on from there.
const FIRST_SEED: u64 = 1;

/// Runs an experiment and prints its table.
pub(super) fn run(args: &SimulateArgs, experiment: &Experiment) -> Result<(), Failure> {
    if let Some(option) = args.not_for_experiments() {
        return Err(SimulateError::Experiment(option).into());
    }
    let scale = if args.reduced {
        Scale::Reduced
    } else {
        Scale::Full
    };
    let repetitions = args.repetitions.unwrap_or(experiment.repetitions);
    let mut cells = experiment.cells(scale, repetitions, FIRST_SEED);
    if let Some(row) = &args.row {
        let wanted = |label: &str| label.to_lowercase().contains(&row.to_lowercase());
        cells.retain(|cell| wanted(cell.row));
        if cells.is_empty() {
            let rows: Vec<&str> = experiment.rows().collect();
            return Err(SimulateError::Row(row.clone(), rows.join(", ")).into());
        }
    }
    let outcomes = run_cells(args, experiment, &cells)?;
    if let Some(path) = &args.svg {
        draw(path, &cells, &outcomes)?;
    }
    let pairs = cells.iter().zip(&outcomes);
    let results: Vec<Ran<'_>> = pairs.map(|(cell, outcome)| Ran { cell, outcome }).collect();
    print(args.output, &experiment.report(&results))
}

fn run_cells(
    args: &SimulateArgs,
    experiment: &Experiment,
    cells: &[Cell],
) -> Result<Vec<Outcome>, Failure> {
    let firsts = first_of_rows(cells);
    let jobs: Vec<Job<'_>> = cells
        .iter()
        .enumerate()
        .map(|(at, cell)| Job {
            scenario: &cell.scenario,
            seed: cell.seed,
            options: RunOptions {
                series: args.svg.is_some() && firsts.contains(&at),
                watch: false,
                ..RunOptions::default()
            },
        })
        .collect();
    let members = cells.iter().map(|cell| cell.scenario.members).max();
    let threads = threads(args, members.unwrap_or(0));
    pool::run_all(&jobs, threads, experiment.name)
        .map_err(|error| SimulateError::Pool(error).into())
}

/// Where each row begins.
fn first_of_rows(cells: &[Cell]) -> Vec<usize> {
    let begins = |at: &usize| *at == 0 || cells[*at].row != cells[*at - 1].row;
    (0..cells.len()).filter(begins).collect()
}

/// The first row and the last, side by side.
fn draw(path: &std::path::Path, cells: &[Cell], outcomes: &[Outcome]) -> Result<(), Failure> {
    let begins = first_of_rows(cells);
    let ends = begins.iter().skip(1).copied().chain([cells.len()]);
    let rows: Vec<(usize, usize)> = begins.iter().copied().zip(ends).collect();
    let mut shown: Vec<(usize, usize)> = rows
        .first()
        .into_iter()
        .chain(rows.last())
        .copied()
        .collect();
    shown.dedup();
    let summaries: Vec<Summary> = shown
        .iter()
        .map(|(begin, end)| Summary::of(&outcomes[*begin..*end]))
        .collect();
    let columns: Vec<Column<'_>> = shown
        .iter()
        .zip(&summaries)
        .map(|((begin, end), summary)| Column {
            name: cells[*begin].row,
            config: &cells[*begin].scenario.config,
            summary,
            outcomes: &outcomes[*begin..*end],
        })
        .collect();
    let Some((begin, end)) = shown.first() else {
        return Ok(());
    };
    let seeds: Vec<u64> = cells[*begin..*end].iter().map(|cell| cell.seed).collect();
    let results = Results {
        scenario: &cells[*begin].scenario,
        seeds: &seeds,
        columns: &columns,
    };
    svg::write_svg(path, &results)
}

fn print(format: Format, report: &Report) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Row<'a> {
        label: &'a str,
        cells: &'a [String],
    }
    #[derive(Serialize)]
    struct Document<'a> {
        title: &'a str,
        columns: &'a [String],
        rows: Vec<Row<'a>>,
        notes: &'a [String],
    }
    if format == Format::Json {
        let row = |row: &'_ muster_swim::sim::experiments::ReportRow| {
            (row.label.clone(), row.cells.clone())
        };
        let rows: Vec<(String, Vec<String>)> = report.rows.iter().map(row).collect();
        return say_json(&Document {
            title: &report.title,
            columns: &report.columns,
            rows: rows
                .iter()
                .map(|(label, cells)| Row { label, cells })
                .collect(),
            notes: &report.notes,
        });
    }
    let headings = std::iter::once("").chain(report.columns.iter().map(String::as_str));
    let headings: Vec<&str> = headings.collect();
    let mut table = Table::new(&headings);
    for row in &report.rows {
        let label = table::Cell::new(&row.label, Tone::Strong);
        let cells = row.cells.iter().map(table::Cell::plain);
        table.row(std::iter::once(label).chain(cells));
    }
    let mut lines = vec![report.title.clone(), String::new()];
    lines.extend(table.lines(Look::of_stdout()));
    lines.push(String::new());
    lines.extend(report.notes.iter().cloned());
    say_lines(&lines)
}
