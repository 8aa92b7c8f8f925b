//! The document for programs.
//!
//! One object: `scenario` {`name`, `about`, `members`, `duration_ms`}, `seeds` (a list), and
//! `columns`, one for each set of settings: its `name`, its `settings` under their names in the
//! agent's file, the numbers of [`Summary`], and `each_run`: its `seed`, its `trace_hash` and the
//! `fates` of those that were hurt in it. Units come last in names. A spread of times is
//! {`median`, `p99`, `p999`, `worst`, `count`}; it is null where nothing was measured, and `p999`
//! is null below 1000 samples. `outcome.schema.json` beside this file says it in full.

use std::collections::BTreeMap;
use std::time::Duration;

use muster_swim::Time;
use muster_swim::sim::Violation;
use muster_swim::sim::scenario::{Fate, Outcome, Scenario, Spread, Summary};
use serde::Serialize;

use super::results::{Column, Results};
use super::table::many_quantile;
use crate::cli::Failure;
use crate::cli::output::say_json;
use crate::settings;

/// Writes the document to standard output.
pub(super) fn print_json(results: &Results<'_>) -> Result<(), Failure> {
    say_json(&Document::of(results))
}

#[derive(Serialize)]
struct Document<'a> {
    scenario: ScenarioPart<'a>,
    seeds: &'a [u64],
    columns: Vec<ColumnPart<'a>>,
}

#[derive(Serialize)]
struct ScenarioPart<'a> {
    name: &'a str,
    about: &'a str,
    members: usize,
    duration_ms: f64,
}

#[derive(Serialize)]
struct ColumnPart<'a> {
    name: &'a str,
    settings: BTreeMap<&'static str, String>,
    runs: usize,
    settled_runs: usize,
    settling_ms: Times,
    hurt: usize,
    first_ms: Times,
    everywhere_ms: Times,
    false_deaths: u64,
    false_deaths_at_healthy: u64,
    deaths_of_hurt: u64,
    deaths_of_one_hurt_worst: u32,
    false_suspicions: u64,
    false_hints: u64,
    changes: MedianAndWorst,
    sizes: usize,
    messages_per_run: f64,
    packets_sent_per_s: f64,
    bytes_sent_per_s: f64,
    bytes_received_per_s: f64,
    bytes_sent_worst_per_s: u64,
    bytes_received_worst_per_s: u64,
    health: MeanAndWorst,
    agreed_after_ms: Times,
    disagreeing_runs: usize,
    runs_without_quorum: usize,
    violated: usize,
    violations: Vec<ViolationPart<'a>>,
    each_run: Vec<RunPart<'a>>,
}

#[derive(Serialize)]
struct RunPart<'a> {
    seed: u64,
    /// In hexadecimal: a number of 64 bits is more than many readers of JSON take.
    trace_hash: String,
    settled_after_ms: Option<f64>,
    agreed_after_ms: Option<f64>,
    fates: Vec<FatePart<'a>>,
}

#[derive(Serialize)]
struct FatePart<'a> {
    name: &'a str,
    fault: &'static str,
    onset_ms: f64,
    first_ms: Option<f64>,
    everywhere_ms: Option<f64>,
    deaths: u32,
}

#[derive(Serialize)]
struct Times {
    median: Option<f64>,
    p99: Option<f64>,
    p999: Option<f64>,
    worst: Option<f64>,
    count: usize,
}

#[derive(Serialize)]
struct MedianAndWorst {
    median: u32,
    worst: u32,
}

#[derive(Serialize)]
struct MeanAndWorst {
    mean: f64,
    worst: u8,
}

#[derive(Serialize)]
struct ViolationPart<'a> {
    seed: u64,
    property: &'static str,
    at_ms: f64,
    process: &'a str,
    text: &'a str,
}

impl<'a> Document<'a> {
    fn of(results: &Results<'a>) -> Document<'a> {
        Document {
            scenario: ScenarioPart::of(results.scenario),
            seeds: results.seeds,
            columns: results.columns.iter().map(ColumnPart::of).collect(),
        }
    }
}

impl<'a> ScenarioPart<'a> {
    fn of(scenario: &'a Scenario) -> ScenarioPart<'a> {
        ScenarioPart {
            name: &scenario.name,
            about: &scenario.about,
            members: scenario.members,
            duration_ms: millis(scenario.duration),
        }
    }
}

impl<'a> ColumnPart<'a> {
    fn of(column: &Column<'a>) -> ColumnPart<'a> {
        let summary: &'a Summary = column.summary;
        let (changes, health, traffic) = (summary.changes, summary.health, &summary.traffic);
        ColumnPart {
            name: column.name,
            settings: settings::of_protocol(column.config).into_iter().collect(),
            runs: summary.runs,
            settled_runs: summary.settled,
            settling_ms: Times::of(&summary.settling),
            hurt: summary.hurt,
            first_ms: Times::of(&summary.first),
            everywhere_ms: Times::of(&summary.everywhere),
            false_deaths: summary.false_deaths,
            false_deaths_at_healthy: summary.false_deaths_at_healthy,
            deaths_of_hurt: summary.deaths_of_hurt,
            deaths_of_one_hurt_worst: summary.deaths_worst,
            false_suspicions: summary.false_suspicions,
            false_hints: summary.false_hints,
            changes: MedianAndWorst {
                median: changes.0,
                worst: changes.1,
            },
            sizes: summary.sizes,
            messages_per_run: summary.messages,
            packets_sent_per_s: traffic.packets_sent,
            bytes_sent_per_s: traffic.bytes_sent,
            bytes_received_per_s: traffic.bytes_received,
            bytes_sent_worst_per_s: traffic.bytes_sent_max,
            bytes_received_worst_per_s: traffic.bytes_received_max,
            health: MeanAndWorst {
                mean: health.0,
                worst: health.1,
            },
            agreed_after_ms: Times::of(&summary.agreed_after),
            disagreeing_runs: summary.disagreeing,
            runs_without_quorum: summary.without_quorum,
            violated: summary.violated,
            violations: summary.violations.iter().map(ViolationPart::of).collect(),
            each_run: column.outcomes.iter().map(RunPart::of).collect(),
        }
    }
}

impl<'a> RunPart<'a> {
    fn of(outcome: &'a Outcome) -> RunPart<'a> {
        RunPart {
            seed: outcome.seed,
            trace_hash: format!("{:016x}", outcome.trace_hash),
            settled_after_ms: outcome.settled_after.map(millis),
            agreed_after_ms: outcome.agreed_after.map(millis),
            fates: outcome.fates.iter().map(FatePart::of).collect(),
        }
    }
}

impl<'a> FatePart<'a> {
    fn of(fate: &'a Fate) -> FatePart<'a> {
        FatePart {
            name: &fate.name,
            fault: fate.fault,
            onset_ms: millis(fate.onset),
            first_ms: fate.first.map(millis),
            everywhere_ms: fate.everywhere.map(millis),
            deaths: fate.deaths,
        }
    }
}

impl Times {
    fn of(spread: &Spread) -> Times {
        Times {
            median: spread.median().map(millis),
            p99: spread.quantile(0.99).map(millis),
            p999: many_quantile(spread).map(millis),
            worst: spread.worst().map(millis),
            count: spread.count(),
        }
    }
}

impl<'a> ViolationPart<'a> {
    fn of((seed, violation): &'a (u64, Violation)) -> ViolationPart<'a> {
        ViolationPart {
            seed: *seed,
            property: violation.property.name(),
            at_ms: millis(violation.at.since(Time::ZERO)),
            process: &violation.process,
            text: &violation.text,
        }
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_nanos() as f64 / 1e6
}

#[cfg(test)]
mod tests;
