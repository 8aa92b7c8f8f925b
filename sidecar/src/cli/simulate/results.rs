//! What the table, the JSON document and the report are made from.

use muster_swim::Config;
use muster_swim::sim::scenario::{Outcome, Scenario, Summary};

use crate::settings::{self, Preset};

/// Runs of one scenario, with one set of settings or with two side by side.
#[derive(Clone, Copy, Debug)]
pub(super) struct Results<'a> {
    /// What was simulated; its own `config` does not count.
    pub(super) scenario: &'a Scenario,
    /// In the order of the runs; the same for every column.
    pub(super) seeds: &'a [u64],
    /// One, or two that are compared.
    pub(super) columns: &'a [Column<'a>],
}

/// What came of the runs with one set of settings.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column<'a> {
    /// What it is called: `default`, the name of a settings file.
    pub(super) name: &'a str,
    /// The settings.
    pub(super) config: &'a Config,
    /// All runs together.
    pub(super) summary: &'a Summary,
    /// Each run by itself, in the order of the seeds.
    pub(super) outcomes: &'a [Outcome],
}

impl Results<'_> {
    /// Who and what: `lossy: 100 members, 60s, seeds 1 to 10`.
    pub(super) fn title(&self) -> String {
        let (name, members) = (&self.scenario.name, self.scenario.members);
        let duration = humantime::format_duration(self.scenario.duration);
        let members = plural(members, "member");
        format!("{name}: {members}, {duration}, {}", seeds(self.seeds))
    }
}

/// `seed 7`, `seeds 1 to 10`, or how many.
fn seeds(seeds: &[u64]) -> String {
    match seeds {
        [] => "no seed".to_owned(),
        [one] => format!("seed {one}"),
        [first, .., last]
            if seeds
                .windows(2)
                .all(|pair| pair[0].checked_add(1) == Some(pair[1])) =>
        {
            format!("seeds {first} to {last}")
        }
        [_, ..] => plural(seeds.len(), "seed"),
    }
}

/// `1 member`, `5 members`.
pub(super) fn plural(count: usize, noun: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{ending}")
}

/// Settings as the preset that they are nearest to and what differs from it:
/// `preset lan with period 2s, rings 2`.
pub(super) fn described(config: &Config) -> String {
    let nearest = presets()
        .into_iter()
        .map(|(name, preset)| (differences(config, &preset), name))
        .min_by_key(|(differing, _)| differing.len());
    let (differing, name) = nearest.expect("there are presets");
    if differing.is_empty() {
        format!("preset {name}")
    } else {
        format!("preset {name} with {}", differing.join(", "))
    }
}

/// Those of agents, then those of the papers.
fn presets() -> Vec<(&'static str, Config)> {
    let all = Preset::ALL.into_iter().chain(Preset::PAPERS);
    all.map(|preset| (preset.as_str(), preset.config()))
        .collect()
}

/// The settings that `preset` has otherwise, each with its value.
fn differences(config: &Config, preset: &Config) -> Vec<String> {
    let (ours, theirs) = (settings::of_protocol(config), settings::of_protocol(preset));
    let mut differing: Vec<String> = ours
        .iter()
        .zip(&theirs)
        .filter(|(ours, theirs)| ours != theirs)
        .map(|((name, value), _)| format!("{name} {value}"))
        .collect();
    if config.parts != preset.parts {
        differing.push("other parts".to_owned());
    }
    differing
}

#[cfg(test)]
pub(in crate::cli::simulate) mod tests;
