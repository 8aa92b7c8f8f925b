//! What can be asked of `muster simulate`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueHint};

use crate::cli::output::Format;
use crate::settings::{ProtocolFlags, human};

const EXAMPLES: &str = "\
Nothing is sent and no time is waited: many members run on a virtual network on virtual time, with
the same code that an agent runs. The same seed gives the same run on every machine.

Flags count before --config, --config before the [settings] of a scenario file, those before their
preset. The MUSTER_* variables of an agent do not count here. With --compare, FILE stands in the
place of --config and of the flags in the second column.

Examples:
  muster simulate                        the built-in scenarios
  muster simulate crash                  how soon does everybody know of a killed process?
  muster simulate lossy --members 200 --config /etc/muster/muster.toml
  muster simulate crash --compare new.toml --svg report.svg
  muster simulate flip-flop --preset lifeguard
  muster simulate partition --replay 7   seed 7 alone, and what happened when
  muster simulate ./our-network.toml --seeds 100
  muster simulate e6                     an experiment of a paper, its published rows beside

The format of scenario files: sidecar/examples/scenarios/README.md in the source.

Exit status: 0 all properties held, 1 one was violated (which, and how to replay it, is told) or
failed otherwise, 2 wrong usage, scenario or settings.";

/// Arguments of `muster simulate`.
#[derive(Debug, Default, Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct SimulateArgs {
    /// A built-in scenario or experiment, or a file of a scenario: a path with a `/` or that ends
    /// in .toml
    #[arg(value_hint = ValueHint::FilePath)]
    pub(super) scenario: Option<String>,

    /// How many members there are [default: as the scenario says]
    #[arg(long, short = 'n', value_name = "N", value_parser = count)]
    pub(super) members: Option<usize>,

    /// How many runs, from seed 1 on, or which seeds (END is not among them) [default: 10]
    #[arg(long, value_name = "COUNT|FIRST..END", value_parser = seeds)]
    pub(super) seeds: Option<Seeds>,

    /// How long the measured part of a run is [default: as the scenario says]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(super) duration: Option<Duration>,

    /// Run this seed alone, and tell what happened when
    #[arg(long, value_name = "SEED", value_parser = seed, conflicts_with_all = ["seeds", "compare"])]
    pub(super) replay: Option<u64>,

    /// An agent's file of settings: those of the protocol are taken from it
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) config: Option<PathBuf>,

    /// Another such file: the same seeds with its settings, side by side
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) compare: Option<PathBuf>,

    /// Write a report with charts there
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) svg: Option<PathBuf>,

    /// How to print: for people or for programs
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(super) output: Format,

    /// Runs at the same time [default: as many as there are cores, fewer when memory is short]
    #[arg(long, short = 'j', value_name = "N", value_parser = count)]
    pub(super) jobs: Option<usize>,

    /// Of an experiment: how often each set-up is run [default: as often as in the paper]
    #[arg(long, value_name = "N", value_parser = repetitions)]
    pub(super) repetitions: Option<u32>,

    /// Of an experiment: only rows whose label has this in it
    #[arg(long, value_name = "TEXT")]
    pub(super) row: Option<String>,

    /// Of an experiment: few set-ups and small clusters, to see that it works
    #[arg(long)]
    pub(super) reduced: bool,

    #[command(flatten)]
    pub(super) settings: ProtocolFlags,
}

/// Which seeds to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seeds(pub(super) Vec<u64>);

impl Default for Seeds {
    fn default() -> Seeds {
        Seeds((1..=10).collect())
    }
}

/// Most runs of one command.
const RUNS: u64 = 100_000;

impl SimulateArgs {
    /// Whether anything was asked for that needs a scenario.
    pub(super) fn asks_for_runs(&self) -> bool {
        let SimulateArgs {
            scenario: _,
            members,
            seeds,
            duration,
            replay,
            config,
            compare,
            svg,
            output: _,
            jobs,
            repetitions: _,
            row: _,
            reduced: _,
            settings,
        } = self;
        let numbers = members.is_some() || jobs.is_some() || replay.is_some();
        let files = config.is_some() || compare.is_some() || svg.is_some();
        let others = seeds.is_some() || duration.is_some() || !settings.is_empty();
        numbers || files || others || self.only_for_experiments().is_some()
    }

    /// The first option given that only experiments have.
    pub(super) fn only_for_experiments(&self) -> Option<&'static str> {
        let given = [
            ("--repetitions", self.repetitions.is_some()),
            ("--row", self.row.is_some()),
            ("--reduced", self.reduced),
        ];
        given
            .into_iter()
            .find(|(_, given)| *given)
            .map(|(name, _)| name)
    }

    /// The first option given that an experiment settles itself.
    pub(super) fn not_for_experiments(&self) -> Option<&'static str> {
        let given = [
            ("--members", self.members.is_some()),
            ("--seeds", self.seeds.is_some()),
            ("--duration", self.duration.is_some()),
            ("--replay", self.replay.is_some()),
            ("--config", self.config.is_some()),
            ("--compare", self.compare.is_some()),
            ("a setting of the agent", !self.settings.is_empty()),
        ];
        given
            .into_iter()
            .find(|(_, given)| *given)
            .map(|(name, _)| name)
    }

    /// The command that shows a run of this seed again, with the settings of `compare` instead of
    /// the usual ones where they were the ones. Side by side, runs take the longer of two
    /// durations: `duration` is what they took.
    pub(super) fn replay_command(
        &self,
        seed: u64,
        compare: Option<&Path>,
        duration: Duration,
    ) -> String {
        let mut words = vec!["muster".to_owned(), "simulate".to_owned()];
        words.extend(self.scenario.clone());
        let mut option = |name: &str, value: Option<String>| {
            words.extend(value.map(|value| format!("--{name}={value}")));
        };
        let path = |path: &Path| path.display().to_string();
        option("members", self.members.map(|members| members.to_string()));
        let longer = self.compare.is_some().then_some(duration);
        option("duration", self.duration.or(longer).map(human));
        option("config", compare.or(self.config.as_deref()).map(path));
        if compare.is_none() {
            words.extend(self.settings.arguments());
        }
        words.push(format!("--replay={seed}"));
        let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
        words.join(" ")
    }
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_=./:+,@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

fn count(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "allowed is a whole number from 1 on".to_owned())
}

fn repetitions(text: &str) -> Result<u32, String> {
    let number = text
        .parse()
        .ok()
        .filter(|number| (1..=1000).contains(number));
    number.ok_or_else(|| "allowed is a whole number from 1 to 1000".to_owned())
}

fn seed(text: &str) -> Result<u64, String> {
    let allowed = || format!("allowed is a whole number from 0 to {}", u64::MAX);
    text.parse().map_err(|_| allowed())
}

fn duration(text: &str) -> Result<Duration, String> {
    let allowed = "allowed is a duration, written like 90s or 1m30s";
    humantime::parse_duration(text).map_err(|_| allowed.to_owned())
}

fn seeds(text: &str) -> Result<Seeds, String> {
    let range = match text.split_once("..") {
        Some((first, end)) => first.parse().ok().zip(end.parse().ok()),
        None => text
            .parse()
            .ok()
            .and_then(|count: u64| Some((1, count.checked_add(1)?))),
    };
    let range = range.filter(|(first, end)| *first < *end && end - first <= RUNS);
    let range = range.ok_or_else(|| {
        format!(
            "allowed is how many, 1 to {RUNS}, or a range such as 1..101 (its end is not in it)"
        )
    });
    range.map(|(first, end)| Seeds((first..end).collect()))
}

#[cfg(test)]
mod tests;
