//! A scenario in TOML: every mistake with its line and column, all at once.

mod steps;
#[cfg(test)]
mod tests;
mod values;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use muster_swim::sim::scenario::{BuiltIn, Settle, Start, builtin};
use muster_swim::sim::{Bandwidth, Burst, Faults, Latency, Quantiles};
use toml::de::DeValue;

use self::steps::DraftStep;
pub(super) use self::values::short;
use self::values::{Fields, Reader};
use crate::settings::{self, Document, Layer, Place, Problem, Scope};

/// What a file says; what it does not say is the built-in's that it extends, or the default.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) extends: Option<&'static BuiltIn>,
    pub(super) about: Option<String>,
    pub(super) members: Option<usize>,
    pub(super) duration: Option<Duration>,
    pub(super) end_when_agreed: Option<bool>,
    /// `Some(None)`: that is not looked at.
    pub(super) agree_within: Option<Option<Duration>>,
    pub(super) settings: Layer,
    start: StartDraft,
    network: NetworkDraft,
    pub(super) steps: Vec<DraftStep>,
    /// Where the values stand, by their fields as [`Scenario::check`] names them.
    ///
    /// [`Scenario::check`]: muster_swim::sim::scenario::Scenario::check
    pub(super) origins: Origins,
}

/// Where values stand, and as what: by field, such as `steps[2].whom`.
pub(super) type Origins = BTreeMap<String, Origin>;

/// Where a value stands.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    pub(super) place: Place,
    /// As it is written there.
    pub(super) shown: String,
    /// Whether it was refused already, so that nothing more needs to be said.
    pub(super) refused: bool,
}

#[derive(Debug, Default)]
struct StartDraft {
    head_start: Option<Duration>,
    spacing: Option<Duration>,
    /// `Some(None)`: there is to be no settling.
    settle: Option<Option<SettleDraft>>,
}

#[derive(Debug, Default)]
struct SettleDraft {
    within: Option<Duration>,
    quiet: Option<Duration>,
}

/// Each key of `[network]` that is given.
#[derive(Clone, Debug, Default)]
struct NetworkDraft {
    latency: Option<Latency>,
    loss: Option<f64>,
    datagram_loss: Option<f64>,
    burst: Option<Burst>,
    duplicate: Option<f64>,
    reorder: Option<f64>,
    reorder_by: Option<Duration>,
    bandwidth: Option<Bandwidth>,
    mtu: Option<usize>,
}

/// Reads the scenario of a file; what cannot be taken goes to `problems`.
pub(super) fn read(path: &Path, problems: &mut Vec<Problem>) -> Draft {
    match settings::read_text(path) {
        Ok(text) => parse(path, &text, problems),
        Err(error) => {
            let (path, error) = (path.display().to_string(), error.to_string());
            problems.push(Problem::NoFile { path, error });
            Draft::default()
        }
    }
}

/// The same of a text.
pub(super) fn parse(path: &Path, text: &str, problems: &mut Vec<Problem>) -> Draft {
    let (document, table) = Document::parse(path, text, problems);
    let mut reader = Reader::new(&document, problems);
    let mut draft = Draft::default();
    let mut fields = Fields::new(&table);
    draft.top_level(&mut reader, &mut fields);
    reader.no_more(&fields);
    draft.origins = reader.origins;
    draft
}

impl Draft {
    /// A built-in as it is.
    pub(super) fn of(built_in: &'static BuiltIn) -> Draft {
        Draft {
            extends: Some(built_in),
            ..Draft::default()
        }
    }

    fn top_level(&mut self, reader: &mut Reader<'_>, fields: &mut Fields<'_>) {
        let words: Vec<&str> = builtin::ALL.iter().map(|one| one.name).collect();
        let extends = reader.word(fields, "extends", &words);
        self.extends = extends.and_then(|index| builtin::ALL.get(index));
        self.about = reader.text(fields, "about");
        self.members = reader.count(fields, "members", "a whole number from 1 on");
        self.duration = reader.duration(fields, "duration");
        self.end_when_agreed = reader.truth(fields, "end_when_agreed");
        let expected = "a duration such as \"2m\", or false for no such rule";
        self.agree_within = reader.get(fields, "agree_within", expected, |value| {
            let is_off = value.as_bool() == Some(false);
            let within = values::duration(value);
            (is_off || within.is_some()).then_some(within)
        });
        if let Some(mut table) = reader.table(fields, "start", "a table") {
            self.start = start(reader, &mut table);
        }
        if let Some(mut table) = reader.table(fields, "network", "a table") {
            self.network = network(reader, &mut table);
        }
        if let Some(table) = reader.table(fields, "settings", "a table") {
            let (document, problems) = reader.parts();
            let table = table.table();
            self.settings = settings::from_table(document, table, Scope::Protocol, problems);
        }
        let steps = reader.tables(fields, "step", "steps");
        self.steps = steps
            .into_iter()
            .map(|table| steps::step(reader, table))
            .collect();
    }

    /// How the members come together, where the file says nothing as `base` has it.
    pub(super) fn start_from(&self, base: Start) -> Start {
        let usual = Start::default().settle;
        let before = base.settle.clone().or(usual).unwrap_or(Settle {
            within: Duration::ZERO,
            quiet: Duration::ZERO,
        });
        let settle = match &self.start.settle {
            None => base.settle,
            Some(None) => None,
            Some(Some(draft)) => Some(Settle {
                within: draft.within.unwrap_or(before.within),
                quiet: draft.quiet.unwrap_or(before.quiet),
            }),
        };
        Start {
            head_start: self.start.head_start.unwrap_or(base.head_start),
            spacing: self.start.spacing.unwrap_or(base.spacing),
            settle,
        }
    }

    /// Every link, where the file says nothing as `base` has it.
    pub(super) fn network_from(&self, base: Faults) -> Faults {
        self.network.clone().onto(base)
    }
}

impl NetworkDraft {
    fn onto(self, base: Faults) -> Faults {
        Faults {
            latency: self.latency.unwrap_or(base.latency),
            loss: self.loss.unwrap_or(base.loss),
            datagram_loss: self.datagram_loss.unwrap_or(base.datagram_loss),
            burst: self.burst.or(base.burst),
            duplicate: self.duplicate.unwrap_or(base.duplicate),
            reorder: self.reorder.unwrap_or(base.reorder),
            reorder_by: self.reorder_by.unwrap_or(base.reorder_by),
            bandwidth: self.bandwidth.or(base.bandwidth),
            mtu: self.mtu.or(base.mtu),
        }
    }
}

fn start(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> StartDraft {
    let head_start = reader.duration(fields, "head_start");
    let spacing = reader.duration(fields, "spacing");
    let expected = "a table of within and quiet, or false for none";
    let given = fields.value("settle").map(|value| value.get_ref());
    let settle = if given.and_then(DeValue::as_bool) == Some(false) {
        reader.truth(fields, "settle").map(|_| None)
    } else {
        let table = reader.table(fields, "settle", expected);
        table.map(|mut table| Some(settle(reader, &mut table)))
    };
    reader.no_more(fields);
    StartDraft {
        head_start,
        spacing,
        settle,
    }
}

fn settle(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> SettleDraft {
    let draft = SettleDraft {
        within: reader.duration(fields, "within"),
        quiet: reader.duration(fields, "quiet"),
    };
    reader.no_more(fields);
    draft
}

/// Reads `[network]`, and what a step `network` changes.
fn network(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> NetworkDraft {
    let draft = NetworkDraft {
        latency: latency(reader, fields),
        loss: reader.probability(fields, "loss"),
        datagram_loss: reader.probability(fields, "datagram_loss"),
        burst: reader
            .table(fields, "burst", "a table of loss, lasts and every")
            .and_then(|mut table| burst(reader, &mut table)),
        duplicate: reader.probability(fields, "duplicate"),
        reorder: reader.probability(fields, "reorder"),
        reorder_by: reader.duration(fields, "reorder_by"),
        bandwidth: reader
            .table(
                fields,
                "bandwidth",
                "a table of bytes_per_s and queue_bytes",
            )
            .and_then(|mut table| bandwidth(reader, &mut table)),
        mtu: reader.count(fields, "mtu", "68 to 65535 bytes"),
    };
    reader.no_more(fields);
    draft
}

fn latency(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> Option<Latency> {
    const EXPECTED: &str = "\"5ms\", \"1ms to 20ms\", or a table of min and max or of min, \
                            median, p90, p99 and max";
    let given = fields.value("latency").map(|value| value.get_ref());
    if given.is_some_and(DeValue::is_str) {
        return reader.get(fields, "latency", EXPECTED, |value| {
            uniform(value.as_str()?)
        });
    }
    let mut table = reader.table(fields, "latency", EXPECTED)?;
    let words = ["min", "median", "p90", "p99", "max"];
    let given = words.map(|key| {
        let value = reader.duration(&mut table, key);
        table.has(key).then_some(value)
    });
    reader.no_more(&table);
    match given {
        [Some(min), None, None, None, Some(max)] => Some(Latency::Uniform(min?..max?)),
        [Some(min), Some(median), Some(p90), Some(p99), Some(max)] => {
            Some(Latency::Quantiles(Quantiles {
                min: min?,
                median: median?,
                p90: p90?,
                p99: p99?,
                max: max?,
            }))
        }
        _ => {
            let text = format!("latency lacks quantiles, allowed is {EXPECTED}");
            reader.refuse(fields, "latency", text);
            None
        }
    }
}

/// `5ms`, or `1ms to 20ms`.
fn uniform(text: &str) -> Option<Latency> {
    let (min, max) = text.split_once(" to ").unwrap_or((text, text));
    let [min, max] = [min, max].map(|text| humantime::parse_duration(text.trim()).ok());
    Some(Latency::Uniform(min?..max?))
}

fn burst(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> Option<Burst> {
    let loss = reader.probability(fields, "loss");
    let lasts = reader.duration(fields, "lasts");
    let every = reader.duration(fields, "every");
    reader.no_more(fields);
    for (key, example) in [
        ("loss", "\"80%\""),
        ("lasts", "\"1s\""),
        ("every", "\"10s\""),
    ] {
        reader.unless_given(fields, "burst", key, example);
    }
    Some(Burst {
        loss: loss?,
        lasts: lasts?,
        every: every?,
    })
}

fn bandwidth(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> Option<Bandwidth> {
    let bytes_per_s = reader.count(fields, "bytes_per_s", "1000 to 100000000000 bytes");
    let queue_bytes = reader.count(fields, "queue_bytes", "1500 to 1073741824 bytes");
    reader.no_more(fields);
    for (key, example) in [("bytes_per_s", "12_500_000"), ("queue_bytes", "65_536")] {
        reader.unless_given(fields, "bandwidth", key, example);
    }
    Some(Bandwidth {
        bytes_per_s: bytes_per_s?,
        queue_bytes: queue_bytes?,
    })
}
