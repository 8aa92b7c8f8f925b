//! `[[step]]`: what happens to whom and when.

use std::time::Duration;

use muster_swim::sim::scenario::{Fault, Step, Whom};
use muster_swim::sim::{ClockJump, Faults};
use toml::de::DeValue;

use super::values::{self, Fields, Reader, percentage, probability, whole};
use super::{NetworkDraft, network};

/// What may happen, in the order of the documentation.
pub(super) const WORDS: [&str; 17] = [
    "crash",
    "crash-host",
    "restart",
    "leave",
    "join",
    "pause",
    "block",
    "block-prober",
    "starve",
    "loss",
    "partition",
    "cut",
    "partial-partition",
    "reset-streams",
    "clock-rate",
    "clock-jump",
    "network",
];

/// How a step says whom it concerns.
const WHOM: &str = "\"all\", a list of names such as [\"n3\", \"n4\"], a number of members, \
                    or a part of them such as \"10%\"";

/// A step as a file gives it.
#[derive(Clone, Debug)]
pub(crate) struct DraftStep {
    step: Step,
    /// Of a step `network`: what it changes of the scenario's network.
    network: Option<NetworkDraft>,
}

impl DraftStep {
    /// The step in a scenario with this network.
    pub(crate) fn step(&self, usual: &Faults) -> Step {
        let mut step = self.step.clone();
        if let Some(network) = &self.network {
            step.what = Fault::Network(network.clone().onto(usual.clone()));
        }
        step
    }
}

/// Reads a step. What is refused in it has something in its place, so that the rest is judged.
pub(super) fn step(reader: &mut Reader<'_>, mut fields: Fields<'_>) -> DraftStep {
    let fields = &mut fields;
    let zero = Duration::ZERO;
    let at = reader.duration(fields, "at").unwrap_or(zero);
    let word = reader.word(fields, "what", &WORDS);
    let word = word.and_then(|index| WORDS.get(index).copied());
    let whom = reader.get(fields, "whom", WHOM, whom);
    reader.note_items(fields, "whom");
    let lasts = reader.duration(fields, "lasts");
    let every = reader.duration(fields, "every");
    let times = reader.count(fields, "times", "a whole number from 1 on");
    let redraw = reader.truth(fields, "redraw").unwrap_or(false);
    let spacing = reader.duration(fields, "spacing").unwrap_or(zero);
    let parameters = Parameters::read(reader, fields);
    reader.note_items(fields, "others");
    reader.no_more(fields);
    reader.unless_given(fields, "step", "at", "\"30s\"");
    reader.unless_given(fields, "step", "what", "\"crash\"");
    let concerns_all = word == Some("network");
    if !concerns_all {
        reader.unless_given(fields, "step", "whom", "\"10%\"");
    }
    let what = word.map_or(Fault::Crash, |word| parameters.fault(reader, fields, word));
    let network = parameters.network.filter(|_| concerns_all);
    DraftStep {
        step: Step {
            at,
            whom: whom.filter(|_| !concerns_all).unwrap_or(Whom::All),
            what,
            lasts,
            every,
            times,
            redraw,
            spacing,
        },
        network,
    }
}

fn whom(value: &DeValue<'_>) -> Option<Whom> {
    match value {
        DeValue::String(text) if text == "all" => Some(Whom::All),
        DeValue::String(text) => percentage(text).map(Whom::Share),
        DeValue::Integer(_) => usize::try_from(whole(value)?).ok().map(Whom::Some),
        // Between 0 and 1 only: whether 1.0 means one or all, nobody can know.
        DeValue::Float(_) => probability(value)
            .filter(|part| (0.0..1.0).contains(part))
            .map(Whom::Share),
        DeValue::Array(names) => {
            let names = names.iter().map(|name| name.get_ref().as_str());
            let names: Option<Vec<&str>> = names.collect();
            let names = names?.into_iter().map(str::to_owned).collect();
            Some(Whom::Named(names))
        }
        DeValue::Boolean(_) | DeValue::Datetime(_) | DeValue::Table(_) => None,
    }
}

/// What some kinds of steps need besides.
struct Parameters {
    incoming: Option<f64>,
    outgoing: Option<f64>,
    late: Option<Duration>,
    others: Option<Whom>,
    rate: Option<i32>,
    by: Option<ClockJump>,
    network: Option<NetworkDraft>,
}

/// Each parameter with the words that it belongs to.
const PARAMETERS: [(&str, &[&str]); 7] = [
    ("incoming", &["loss"]),
    ("outgoing", &["loss"]),
    ("late", &["starve"]),
    ("others", &["cut", "partial-partition"]),
    ("rate", &["clock-rate"]),
    ("by", &["clock-jump"]),
    ("network", &["network"]),
];

/// How far off a clock runs.
const RATE: &str = "\"-1%\" to \"+1%\", or a number from -0.01 to 0.01";

/// How far a wall clock jumps.
const JUMP: &str = "a duration such as \"1h\", or \"-1h\" for back";

impl Parameters {
    fn read(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> Parameters {
        let expected = "a table with keys of [network]";
        Parameters {
            incoming: reader.probability(fields, "incoming"),
            outgoing: reader.probability(fields, "outgoing"),
            late: reader.duration(fields, "late"),
            others: reader.get(fields, "others", WHOM, whom),
            rate: reader.get(fields, "rate", RATE, rate),
            by: reader.get(fields, "by", JUMP, jump),
            network: reader
                .table(fields, "network", expected)
                .map(|mut table| network(reader, &mut table)),
        }
    }

    fn fault(&self, reader: &mut Reader<'_>, fields: &Fields<'_>, word: &str) -> Fault {
        let elsewhere = |(_, owners): &&(&str, &[&str])| !owners.contains(&word);
        for (parameter, owners) in PARAMETERS.iter().filter(elsewhere) {
            let owners: Vec<String> = owners.iter().map(|owner| format!("{owner:?}")).collect();
            let owners = owners.join(" or ");
            let text = format!("{parameter} belongs to what = {owners}, not to {word:?}");
            reader.refuse(fields, parameter, text);
        }
        match word {
            "crash-host" => Fault::CrashHost,
            "pause" => Fault::Pause,
            "block" => Fault::Block,
            "block-prober" => Fault::BlockProber,
            "partition" => Fault::Partition,
            "cut" | "partial-partition" => {
                reader.unless_given(fields, "step", "others", "[\"n3\", \"n4\"]");
                let others = self.others.clone().unwrap_or(Whom::All);
                if word == "cut" {
                    Fault::Cut(others)
                } else {
                    Fault::PartialPartition(others)
                }
            }
            "reset-streams" => Fault::ResetStreams,
            "clock-rate" => {
                reader.unless_given(fields, "step", "rate", "\"+1%\"");
                Fault::ClockRate(self.rate.unwrap_or(0))
            }
            "clock-jump" => {
                reader.unless_given(fields, "step", "by", "\"-1h\"");
                let nowhere = ClockJump::Ahead(Duration::ZERO);
                Fault::ClockJump(self.by.unwrap_or(nowhere))
            }
            "leave" => Fault::Leave,
            "restart" => Fault::Restart,
            "join" => Fault::Join,
            "starve" => {
                reader.unless_given(fields, "step", "late", "\"500ms\"");
                Fault::Starve(self.late.unwrap_or(Duration::ZERO))
            }
            "loss" => {
                if !fields.has("outgoing") {
                    reader.unless_given(fields, "step", "incoming", "\"100%\"");
                }
                Fault::Loss {
                    incoming: self.incoming.unwrap_or(0.0),
                    outgoing: self.outgoing.unwrap_or(0.0),
                }
            }
            "network" => {
                reader.unless_given(fields, "step", "network", "{ loss = \"10%\" }");
                Fault::Network(Faults::default())
            }
            _ => Fault::Crash,
        }
    }
}

/// `"+1%"` or `-0.01`, in millionths.
fn rate(value: &DeValue<'_>) -> Option<i32> {
    let millionths = (probability(value)? * 1e6).round();
    // Far beyond what is allowed all are alike.
    (millionths.abs() <= 1e9).then_some(millionths as i32)
}

/// `"1h"`, `"+1h"` or `"-1h"`.
fn jump(value: &DeValue<'_>) -> Option<ClockJump> {
    let text = value.as_str()?;
    match text.strip_prefix('-') {
        Some(back) => values::duration_of(back).map(ClockJump::Back),
        None => values::duration_of(text.strip_prefix('+').unwrap_or(text)).map(ClockJump::Ahead),
    }
}
