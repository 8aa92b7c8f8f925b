//! `muster simulate`: many members on a virtual network, before there is a real one.

mod args;
mod experiments;
mod file;
mod json;
mod memory;
mod plan;
mod pool;
mod progress;
mod replay;
mod results;
mod svg;
mod table;

use std::collections::BTreeSet;
use std::num::NonZero;
use std::path::Path;
use std::thread;
use std::time::Duration;

use muster_swim::sim::experiments::{self as papers, Experiment};
use muster_swim::sim::scenario::{Outcome, RunOptions, Scenario, Summary, builtin};
use muster_swim::sim::{Property, Violation};
use serde::Serialize;

use self::plan::{Plan, PlanError};
use self::pool::{Job, PoolError};
use self::results::{Column, Results};
use super::Failure;
use super::output::{Format, say_json, say_lines};
use super::table::{Cell, Look, Table, Tone};

pub(super) use self::args::SimulateArgs;

/// Violations that are told one by one.
const TOLD: usize = 5;

/// Why `muster simulate` did not end well.
#[derive(Debug, thiserror::Error)]
pub(super) enum SimulateError {
    /// It cannot be run.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// Options without a scenario.
    #[error("which scenario? `muster simulate` without options lists them")]
    NoScenario,
    /// An experiment has its own set-ups.
    #[error("{0} does not go with an experiment, whose set-ups are those of its paper")]
    Experiment(&'static str),
    /// A scenario has no rows.
    #[error("{0} is for experiments (e1 to e8), and {1:?} is none")]
    NoExperiment(&'static str, String),
    /// No row has this label.
    #[error("no row has {0:?} in its label; there are: {1}")]
    Row(String, String),
    /// A run did not come to its end.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// It was run, and printed, and something did not hold.
    #[error("{0}")]
    Violated(String),
}

impl SimulateError {
    /// What the process ends with.
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            SimulateError::Plan(_)
            | SimulateError::NoScenario
            | SimulateError::Experiment(_)
            | SimulateError::NoExperiment(..)
            | SimulateError::Row(..)
            | SimulateError::Pool(PoolError::Scenario(_)) => 2,
            SimulateError::Violated(_)
            | SimulateError::Pool(PoolError::BrokeOff { .. } | PoolError::Thread(_)) => 1,
        }
    }
}

/// Reads a scenario file and checks all of it; runs nothing. Gives all that is wrong with it.
#[cfg(feature = "fuzz")]
pub(crate) fn check_only(path: &str) -> Result<Scenario, Vec<crate::settings::Problem>> {
    match Plan::new(path, &SimulateArgs::default()) {
        Ok(plan) => Ok(plan.scenario),
        Err(PlanError::Refused(problems)) => Err(problems),
        Err(PlanError::NoSuchScenario { word, .. }) => unreachable!("{word} is a path"),
    }
}

/// Runs what was asked for and prints what came of it.
pub(super) fn run(args: &SimulateArgs) -> Result<(), Failure> {
    let Some(word) = &args.scenario else {
        if args.asks_for_runs() {
            return Err(SimulateError::NoScenario.into());
        }
        return list(args.output);
    };
    if let Some(experiment) = Experiment::named(word) {
        return experiments::run(args, experiment);
    }
    if let Some(option) = args.only_for_experiments() {
        return Err(SimulateError::NoExperiment(option, word.clone()).into());
    }
    let plan = Plan::new(word, args).map_err(SimulateError::Plan)?;
    if let Some(path) = &args.svg {
        svg::check_writable(path)?;
    }
    match args.replay {
        Some(seed) => replay_one(args, &plan, seed),
        None => run_many(args, &plan),
    }
}

fn run_many(args: &SimulateArgs, plan: &Plan) -> Result<(), Failure> {
    let seeds = args.seeds.clone().unwrap_or_default().0;
    let compared = plan.compared.as_ref().map(|(_, scenario)| scenario);
    let scenarios: Vec<_> = std::iter::once(&plan.scenario).chain(compared).collect();
    let jobs: Vec<Job<'_>> = scenarios
        .iter()
        .flat_map(|scenario| {
            let seeds = seeds.iter().enumerate();
            seeds.map(|(number, seed)| Job {
                scenario,
                seed: *seed,
                options: options(args, scenario, number == 0),
            })
        })
        .collect();
    let outcomes = pool::run_all(
        &jobs,
        threads(args, plan.scenario.members_in_the_end()),
        &plan.scenario.name,
    );
    let outcomes = outcomes.map_err(SimulateError::Pool)?;
    let columns: Vec<&[Outcome]> = outcomes.chunks(seeds.len()).collect();
    let summaries: Vec<Summary> = columns.iter().copied().map(Summary::of).collect();
    let ran = summaries.iter().zip(columns);
    let printed = show(args, plan, &seeds, ran, &[]);
    end(args, plan.scenario.duration, printed, &summaries)
}

fn replay_one(args: &SimulateArgs, plan: &Plan, seed: u64) -> Result<(), Failure> {
    let replay = replay::run(&plan.scenario, seed, options(args, &plan.scenario, true));
    let replay = replay.map_err(|error| SimulateError::Pool(error.into()))?;
    let outcomes = std::slice::from_ref(&replay.outcome);
    let summaries = [Summary::of(outcomes)];
    let story = replay.lines(&plan.scenario, Look::of_stdout());
    let ran = [(&summaries[0], outcomes)].into_iter();
    let printed = show(args, plan, &[seed], ran, &story);
    end(args, plan.scenario.duration, printed, &summaries)
}

/// What a run keeps; members present only where somebody will see them.
fn options(args: &SimulateArgs, scenario: &Scenario, is_first: bool) -> RunOptions {
    RunOptions {
        series: is_first && args.svg.is_some(),
        watch: memory::is_watched(scenario.members_in_the_end()),
        ..RunOptions::default()
    }
}

/// As many as asked for or as there are cores, and no more than fit into memory.
fn threads(args: &SimulateArgs, members: usize) -> usize {
    let cores = || thread::available_parallelism().map_or(1, NonZero::get);
    let wanted = args.jobs.unwrap_or_else(cores);
    wanted.min(memory::fitting(members).threads).max(1)
}

fn show<'a>(
    args: &SimulateArgs,
    plan: &'a Plan,
    seeds: &[u64],
    ran: impl Iterator<Item = (&'a Summary, &'a [Outcome])>,
    story: &[String],
) -> Result<(), Failure> {
    let compared = plan
        .compared
        .iter()
        .map(|(name, scenario)| (name, scenario));
    let names = std::iter::once((&plan.name, &plan.scenario)).chain(compared);
    let columns: Vec<Column<'_>> = names
        .zip(ran)
        .map(|((name, scenario), (summary, outcomes))| Column {
            name,
            config: &scenario.config,
            summary,
            outcomes,
        })
        .collect();
    let results = Results {
        scenario: &plan.scenario,
        seeds,
        columns: &columns,
    };
    // The file first: whoever closes standard output still gets it.
    if let Some(path) = &args.svg {
        svg::write_svg(path, &results)?;
    }
    match args.output {
        Format::Json => json::print_json(&results),
        Format::Table => {
            table::print_table(&results)?;
            say_lines(story)
        }
    }
}

/// A violation counts, also when nobody reads the table.
fn end(
    args: &SimulateArgs,
    duration: Duration,
    printed: Result<(), Failure>,
    summaries: &[Summary],
) -> Result<(), Failure> {
    let others = args.compare.as_deref();
    let columns = [None, others].into_iter().zip(summaries);
    let told: Vec<String> = columns
        .filter(|(_, summary)| summary.violated > 0)
        .map(|(compare, summary)| violated(args, duration, compare, summary))
        .collect();
    match printed {
        Ok(()) | Err(Failure::ReaderGone) if !told.is_empty() => {
            Err(SimulateError::Violated(told.join("\n")).into())
        }
        other => other,
    }
}

fn violated(
    args: &SimulateArgs,
    duration: Duration,
    compare: Option<&Path>,
    summary: &Summary,
) -> String {
    let mut lines = Vec::new();
    for (seed, violation) in summary.violations.iter().take(TOLD) {
        let seed = format!("seed {seed}: {}", described(violation));
        lines.push(seed);
    }
    let more = summary.violated.saturating_sub(lines.len());
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    let count = results::plural(summary.violated, "violation");
    let broken: BTreeSet<Property> = summary.violations.iter().map(|(_, v)| v.property).collect();
    for property in broken {
        lines.push(format!("{property} means: {}", property.about()));
    }
    let replay = summary.violations.first().filter(|_| args.replay.is_none());
    let replay = replay.map(|(seed, _)| {
        let command = args.replay_command(*seed, compare, duration);
        format!("\nwhat happened in the first: {command}")
    });
    let settings = compare.map(|path| format!(" with the settings of {}", path.display()));
    format!(
        "{count} of what must hold{}:\n  {}{}",
        settings.unwrap_or_default(),
        lines.join("\n  "),
        replay.unwrap_or_default()
    )
}

fn described(violation: &Violation) -> String {
    let Violation {
        property,
        at: _,
        process,
        text,
    } = violation;
    let place = if process.is_empty() {
        String::new()
    } else {
        format!(" at {process}")
    };
    format!("{property}{place}: {text}")
}

/// One that can be asked for.
#[derive(Serialize)]
struct Listed {
    name: &'static str,
    kind: &'static str,
    about: &'static str,
    /// Unless it is asked for otherwise; an experiment has several set-ups.
    members: Option<usize>,
}

/// What there is, with one sentence each.
fn list(format: Format) -> Result<(), Failure> {
    let scenarios = builtin::ALL.iter().map(|one| Listed {
        name: one.name,
        kind: "scenario",
        about: one.about,
        members: Some(one.members),
    });
    let experiments = papers::ALL.iter().map(|one| Listed {
        name: one.name,
        kind: "experiment",
        about: one.about,
        members: None,
    });
    if format == Format::Json {
        return say_json(&scenarios.chain(experiments).collect::<Vec<_>>());
    }
    let look = Look::of_stdout();
    let mut lines = listing(["SCENARIO", "~WHAT HAPPENS"], scenarios, look);
    lines.push(String::new());
    let headings = ["EXPERIMENT", "~WHAT IT MEASURES, AS A PAPER DID"];
    lines.extend(listing(headings, experiments, look));
    lines.push(String::new());
    lines.push("muster simulate crash runs one; --help has examples and all options.".to_owned());
    say_lines(&lines)
}

fn listing(headings: [&str; 2], listed: impl Iterator<Item = Listed>, look: Look) -> Vec<String> {
    let mut table = Table::new(&headings);
    for one in listed {
        table.row([Cell::new(one.name, Tone::Strong), Cell::plain(one.about)]);
    }
    table.lines(look)
}

#[cfg(test)]
mod tests;
