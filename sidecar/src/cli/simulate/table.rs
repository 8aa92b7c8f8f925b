//! The table for people: one number a line, with one column or with two and their ratio.

use std::time::Duration;

use muster_swim::sim::scenario::{Spread, Summary};

use crate::cli::Failure;
use crate::cli::output::say_lines;
use crate::cli::table::{Cell, Look, Table, Tone, shorten};

use super::results::Results;

/// From so many samples on, one in a thousand means something.
const MANY: usize = 1000;

/// A name of a column is cut at this width, so that two columns and a ratio fit 80.
const NAME_WIDTH: usize = 12;

/// Writes the table to standard output.
pub(super) fn print_table(results: &Results<'_>) -> Result<(), Failure> {
    say_lines(&lines(results, Look::of_stdout()))
}

/// The 99.9 % of a spread that has enough samples for it.
pub(super) fn many_quantile(spread: &Spread) -> Option<Duration> {
    let many = spread.count() >= MANY;
    many.then(|| spread.quantile(0.999)).flatten()
}

fn lines(results: &Results<'_>, look: Look) -> Vec<String> {
    let compared = results.columns.len() == 2;
    let mut headings = vec![String::new()];
    let names = results.columns.iter().map(|column| column.name);
    headings.extend(names.map(|name| format!(">{}", shorten(name, NAME_WIDTH))));
    if compared {
        headings.push(">ratio".to_owned());
    }
    let headings: Vec<&str> = headings.iter().map(String::as_str).collect();
    let mut table = Table::new(&headings);
    for (position, (title, rows)) in GROUPS.iter().enumerate() {
        if position > 0 {
            table.row([]);
        }
        table.row([Cell::new(title, Tone::Strong)]);
        for row in *rows {
            let summaries = results.columns.iter().map(|column| column.summary);
            let numbers: Vec<Option<f64>> = summaries.map(row.number).collect();
            if row.only_if_known && numbers.iter().all(Option::is_none) {
                continue;
            }
            table.row(row.cells(&numbers, compared));
        }
    }
    let title = look.paint(
        &shorten(&results.title(), look.width.unwrap_or(usize::MAX)),
        Tone::Strong,
    );
    [title, String::new()]
        .into_iter()
        .chain(table.lines(look))
        .collect()
}

/// One line.
struct Row {
    /// With the unit in brackets, where there is one.
    label: &'static str,
    /// `None`: there is nothing to say.
    number: fn(&Summary) -> Option<f64>,
    /// Digits after the point.
    decimals: usize,
    /// Whether it should be 0.
    wrong: bool,
    /// Whether it is left out where there is nothing to say.
    only_if_known: bool,
}

impl Row {
    const fn new(label: &'static str, decimals: usize, number: fn(&Summary) -> Option<f64>) -> Row {
        Row {
            label,
            number,
            decimals,
            wrong: false,
            only_if_known: false,
        }
    }

    /// A number of things that are counted.
    const fn count(label: &'static str, number: fn(&Summary) -> Option<f64>) -> Row {
        Row::new(label, 0, number)
    }

    /// A time in seconds.
    const fn time(label: &'static str, number: fn(&Summary) -> Option<f64>) -> Row {
        Row::new(label, 3, number)
    }

    /// A number of things that should not be.
    const fn wrong(label: &'static str, number: fn(&Summary) -> Option<f64>) -> Row {
        Row {
            wrong: true,
            ..Row::count(label, number)
        }
    }

    /// A time that only many samples tell.
    const fn rare(label: &'static str, number: fn(&Summary) -> Option<f64>) -> Row {
        Row {
            only_if_known: true,
            ..Row::time(label, number)
        }
    }

    fn cells(&self, numbers: &[Option<f64>], compared: bool) -> Vec<Cell> {
        let mut cells = vec![Cell::plain(format!("  {}", self.label))];
        for number in numbers {
            let tone = match number {
                None => Tone::Faint,
                Some(number) if self.wrong && *number > 0.0 => Tone::Bad,
                Some(_) => Tone::Plain,
            };
            cells.push(Cell::new(shown(*number, self.decimals), tone));
        }
        if let (true, [before, after]) = (compared, numbers) {
            cells.push(Cell::plain(ratio(*before, *after)));
        }
        cells
    }
}

fn shown(number: Option<f64>, decimals: usize) -> String {
    match number {
        Some(number) => format!("{number:.decimals$}"),
        None => "-".to_owned(),
    }
}

/// How many times as large the second one is.
fn ratio(before: Option<f64>, after: Option<f64>) -> String {
    match (before, after) {
        (Some(before), Some(after)) if before > 0.0 => format!("{:.2}", after / before),
        (Some(_) | None, Some(_) | None) => "-".to_owned(),
    }
}

fn seconds(duration: Option<Duration>) -> Option<f64> {
    duration.map(|duration| duration.as_secs_f64())
}

/// A number of a run, which there is not without a run.
fn of_runs(summary: &Summary, number: impl Into<f64>) -> Option<f64> {
    (summary.runs > 0).then(|| number.into())
}

/// A number of those that were hurt.
fn of_hurt(summary: &Summary, number: impl Into<f64>) -> Option<f64> {
    (summary.hurt > 0).then(|| number.into())
}

const GROUPS: &[(&str, &[Row])] = &[
    ("Start", START),
    ("Detection of hurt members, from the onset", DETECTION),
    ("Mistakes, in all runs together", MISTAKES),
    ("Cost", COST),
    ("What a member saw of others coming and going", VIEWS),
    ("At the end", END),
];

const START: &[Row] = &[
    Row::count("runs", |s| Some(s.runs as f64)),
    Row::count("runs in which all found each other", |s| {
        of_runs(s, s.settled as f64)
    }),
    Row::time("all knew all, median (s)", |s| seconds(s.settling.median())),
    Row::time("all knew all, worst (s)", |s| seconds(s.settling.worst())),
];

const DETECTION: &[Row] = &[
    Row::count("times a member was hurt", |s| of_runs(s, s.hurt as f64)),
    Row::count("noticed by at least one member", |s| {
        of_hurt(s, s.first.count() as f64)
    }),
    Row::count("noticed by every member", |s| {
        of_hurt(s, s.everywhere.count() as f64)
    }),
    Row::time("first member, median (s)", |s| seconds(s.first.median())),
    Row::time("first member, 99 % (s)", |s| {
        seconds(s.first.quantile(0.99))
    }),
    Row::rare("first member, 99.9 % (s)", |s| {
        seconds(many_quantile(&s.first))
    }),
    Row::time("first member, worst (s)", |s| seconds(s.first.worst())),
    Row::time("every member, median (s)", |s| {
        seconds(s.everywhere.median())
    }),
    Row::time("every member, 99 % (s)", |s| {
        seconds(s.everywhere.quantile(0.99))
    }),
    Row::rare("every member, 99.9 % (s)", |s| {
        seconds(many_quantile(&s.everywhere))
    }),
    Row::time("every member, worst (s)", |s| seconds(s.everywhere.worst())),
];

const MISTAKES: &[Row] = &[
    Row::wrong("false deaths", |s| of_runs(s, s.false_deaths as f64)),
    Row::wrong("false deaths told by healthy members", |s| {
        of_runs(s, s.false_deaths_at_healthy as f64)
    }),
    Row::count("false suspicions", |s| {
        of_runs(s, s.false_suspicions as f64)
    }),
    Row::count("well members held unreachable by one", |s| {
        of_runs(s, s.false_hints as f64)
    }),
    Row::count("deaths of hurt members that lived", |s| {
        of_runs(s, s.deaths_of_hurt as f64)
    }),
    Row::count("deaths of one hurt member, most", |s| {
        of_hurt(s, s.deaths_worst)
    }),
];

const COST: &[Row] = &[
    Row::new("packets sent, per member and second", 2, |s| {
        of_runs(s, s.traffic.packets_sent)
    }),
    Row::new("bytes sent, per member and second", 0, |s| {
        of_runs(s, s.traffic.bytes_sent)
    }),
    Row::new("bytes received, per member and second", 0, |s| {
        of_runs(s, s.traffic.bytes_received)
    }),
    Row::count("bytes a member sent in a second, most", |s| {
        of_runs(s, s.traffic.bytes_sent_max as f64)
    }),
    Row::count("bytes a member received in a second, most", |s| {
        of_runs(s, s.traffic.bytes_received_max as f64)
    }),
    Row::count("messages sent, all members, per run", |s| {
        of_runs(s, s.messages)
    }),
];

const VIEWS: &[Row] = &[
    Row::count("changes, median", |s| of_runs(s, s.changes.0)),
    Row::count("changes, most", |s| of_runs(s, s.changes.1)),
    Row::count("different sizes of the membership, most", |s| {
        of_runs(s, s.sizes as f64)
    }),
];

const END: &[Row] = &[
    Row::new("health score, mean (0 best, 8 worst)", 2, |s| {
        of_runs(s, s.health.0)
    }),
    Row::count("health score, worst", |s| of_runs(s, s.health.1)),
    Row::time("faults over until all agreed, median (s)", |s| {
        seconds(s.agreed_after.median())
    }),
    Row::time("faults over until all agreed, worst (s)", |s| {
        seconds(s.agreed_after.worst())
    }),
    Row::wrong("runs in which they did not agree", |s| {
        of_runs(s, s.disagreeing as f64)
    }),
    Row::count("runs left without a quorum", |s| {
        of_runs(s, s.without_quorum as f64)
    }),
    Row::wrong("violations of what must hold", |s| {
        of_runs(s, s.violated as f64)
    }),
];

#[cfg(test)]
mod tests;
