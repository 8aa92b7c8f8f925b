//! The set-ups of published experiments, run by Muster's core: as the papers' protocols first, then
//! with Muster's own settings.
//!
//! An [`Experiment`] gives [`Cell`]s (a row of its table, a scenario, a seed); whoever runs them
//! hands the outcomes back for a [`Report`], the table with the published rows beside.

mod lifeguard;
mod rapid;
mod swim;

#[cfg(test)]
mod tests;

use std::time::Duration;

use super::scenario::{Outcome, Scenario};
use crate::config::Config;

/// One experiment of a paper.
#[derive(Debug)]
pub struct Experiment {
    /// The word for it.
    pub name: &'static str,
    /// One sentence for listings, without a full stop.
    pub about: &'static str,
    /// What that sentence says of a full run, and of a reduced one otherwise.
    sizes: &'static [Size],
    /// Paper and section.
    pub source: &'static str,
    /// How often the paper repeated each set-up.
    pub repetitions: u32,
    rows: &'static [Row],
    set_ups: fn(Scale) -> Vec<SetUp>,
    columns: &'static [&'static str],
    published: &'static [(&'static str, &'static [&'static str])],
    figures: fn(&[Result<'_>]) -> Vec<String>,
    notes: &'static [&'static str],
}

/// How much of an experiment is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// As the paper did.
    Full,
    /// Few set-ups and small clusters, to see that it works.
    Reduced,
}

/// A size as the sentence about an experiment has it.
#[derive(Clone, Copy, Debug)]
enum Size {
    /// Members at the start.
    Members(&'static str),
    /// Length of the measured part.
    Duration(&'static str),
}

/// One of the protocols that are compared.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Its name.
    pub label: &'static str,
    config: fn() -> Config,
    /// Whether its prober is a thread that stops in a blocked send.
    threaded: bool,
    /// Whether the row belongs to the set-up.
    takes: fn(&SetUp) -> bool,
}

/// One point of an experiment's grid, for every row.
#[derive(Clone, Debug)]
pub struct SetUp {
    /// What distinguishes it, for the report.
    key: u64,
    /// Blocking steps are for a prober in the event loop; [`Row::threaded`] changes them.
    scenario: Scenario,
}

/// One run to be made.
#[derive(Clone, Debug)]
pub struct Cell {
    /// The row it counts for.
    pub row: &'static str,
    /// What to run.
    pub scenario: Scenario,
    /// From which seed.
    pub seed: u64,
    key: u64,
}

/// A cell and what came of it.
#[derive(Clone, Copy, Debug)]
pub struct Result<'a> {
    /// The cell.
    pub cell: &'a Cell,
    /// What came of it.
    pub outcome: &'a Outcome,
}

/// A table with what was measured and what was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What it shows.
    pub title: String,
    /// Headings, without that of the labels.
    pub columns: Vec<String>,
    /// Labels and figures, published rows first.
    pub rows: Vec<ReportRow>,
    /// What to know when reading it.
    pub notes: Vec<String>,
}

/// A row of a [`Report`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportRow {
    /// Whose figures these are.
    pub label: String,
    /// One for each column.
    pub cells: Vec<String>,
}

/// All experiments, in the order of their names.
pub static ALL: [&Experiment; 9] = [
    &lifeguard::INTERVAL,
    &lifeguard::THRESHOLD,
    &lifeguard::CUT_OFF,
    &swim::PERIODS,
    &swim::JOINING,
    &rapid::BOOTSTRAP,
    &rapid::CRASH,
    &rapid::DEAF,
    &rapid::MUTE,
];

impl Experiment {
    /// The experiment with this name. What E6 costs is E10.
    pub fn named(name: &str) -> Option<&'static Experiment> {
        let name = if name == "e10" { "e6" } else { name };
        ALL.into_iter().find(|experiment| experiment.name == name)
    }

    /// The labels of its rows.
    pub fn rows(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.rows.iter().map(|row| row.label)
    }

    /// All runs, row by row, each set-up so often. Seeds are counted up from `seed`, the same for
    /// every row.
    pub fn cells(&self, scale: Scale, repetitions: u32, seed: u64) -> Vec<Cell> {
        let set_ups = (self.set_ups)(scale);
        let mut cells = Vec::new();
        for row in self.rows {
            let mut next = seed;
            for _ in 0..repetitions {
                for set_up in &set_ups {
                    if (row.takes)(set_up) {
                        cells.push(row.cell(set_up, next));
                    }
                    next += 1;
                }
            }
        }
        cells
    }

    /// The sentence about it with the sizes of these results.
    fn about_these(&self, results: &[Result<'_>]) -> String {
        let mut about = self.about.to_owned();
        for size in self.sizes {
            let (full, ran) = size.words(results);
            debug_assert!(about.contains(full), "{full:?} is a part of {about:?}");
            if let Some(ran) = ran {
                about = about.replacen(full, &ran, 1);
            }
        }
        about
    }

    /// The table of these results, which may be a part of all.
    pub fn report(&self, results: &[Result<'_>]) -> Report {
        let row = |label: &str, cells: &[&str]| ReportRow {
            label: label.to_owned(),
            cells: cells.iter().map(|cell| (*cell).to_owned()).collect(),
        };
        let mut rows: Vec<ReportRow> = self
            .published
            .iter()
            .map(|(label, cells)| row(label, cells))
            .collect();
        for label in self.rows() {
            let of_row = results.iter().filter(|result| result.cell.row == label);
            let of_row: Vec<Result<'_>> = of_row.copied().collect();
            if of_row.is_empty() {
                continue;
            }
            rows.push(ReportRow {
                label: format!("{label}, {}", runs(of_row.len())),
                cells: (self.figures)(&of_row),
            });
        }
        Report {
            title: format!(
                "{}: {} ({})",
                self.name,
                self.about_these(results),
                self.source
            ),
            columns: self
                .columns
                .iter()
                .map(|column| (*column).to_owned())
                .collect(),
            rows,
            notes: self.notes.iter().map(|note| (*note).to_owned()).collect(),
        }
    }
}

impl Size {
    /// The words of the full size, and those of what was run.
    fn words(self, results: &[Result<'_>]) -> (&'static str, Option<String>) {
        let scenarios = || results.iter().map(|result| &result.cell.scenario);
        match self {
            Size::Members(full) => {
                let members = || scenarios().map(|scenario| scenario.members);
                let (least, most) = (members().min(), members().max());
                let span = least.zip(most).map(|(least, most)| {
                    if least == most {
                        least.to_string()
                    } else {
                        format!("{least} to {most}")
                    }
                });
                (full, span)
            }
            Size::Duration(full) => {
                let longest = scenarios().map(|scenario| scenario.duration).max();
                (
                    full,
                    longest.map(|longest| format!("{} s", longest.as_secs())),
                )
            }
        }
    }
}

impl Row {
    fn cell(&self, set_up: &SetUp, seed: u64) -> Cell {
        use super::scenario::Fault;
        let mut scenario = set_up.scenario.clone();
        scenario.config = (self.config)();
        for step in &mut scenario.steps {
            if step.what == Fault::Block && self.threaded {
                step.what = Fault::BlockProber;
            }
        }
        Cell {
            row: self.label,
            scenario,
            seed,
            key: set_up.key,
        }
    }
}

/// A row that takes every set-up.
const fn row(label: &'static str, config: fn() -> Config, threaded: bool) -> Row {
    Row {
        label,
        config,
        threaded,
        takes: |_| true,
    }
}

fn runs(count: usize) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} run{ending}")
}

/// Seconds with two digits behind the point; a dash for none.
fn seconds(duration: Option<Duration>) -> String {
    duration.map_or_else(dash, |duration| format!("{:.2}", duration.as_secs_f64()))
}

fn dash() -> String {
    "-".to_owned()
}

/// A number with separated thousands.
fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
