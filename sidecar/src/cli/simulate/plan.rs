//! What to simulate: the scenario from all that was given, or all that is wrong with it.

use std::path::{Path, PathBuf};

use muster_swim::Config;
use muster_swim::sim::Faults;
use muster_swim::sim::scenario::{BuiltIn, Scenario, ScenarioError, builtin};

use super::args::SimulateArgs;
use super::file::{self, Draft, short};
use super::memory::{Fitting, fitting, free_bytes};
use crate::settings::{
    self, Layer, Place, Problem, merge_protocol, protocol_of_file, protocol_of_flags, tidy_range,
};

/// Members of a scenario that says nothing else.
const MEMBERS: usize = 50;

/// What to simulate.
#[derive(Debug)]
pub(super) struct Plan {
    /// With the settings of the first column.
    pub(super) scenario: Scenario,
    /// Name of the first column.
    pub(super) name: String,
    /// Another column: its name, and the same scenario with other settings.
    pub(super) compared: Option<(String, Scenario)>,
}

/// Why there is none. Nothing was run.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum PlanError {
    /// There is no such scenario.
    #[error(
        "there is no scenario {word:?}{}; `muster simulate` lists them, and a file is a path with \
         a / or that ends in .toml",
        likely(.nearest)
    )]
    NoSuchScenario {
        word: String,
        nearest: Option<&'static str>,
    },
    /// Everything that is wrong, in order.
    #[error("this cannot be simulated:{}", listed(.0))]
    Refused(Vec<Problem>),
}

/// Where the scenario comes from.
enum Source {
    BuiltIn(&'static BuiltIn),
    File(PathBuf),
}

impl Source {
    fn of(word: &str) -> Result<Source, PlanError> {
        if word.contains('/') || word.ends_with(".toml") {
            return Ok(Source::File(word.into()));
        }
        let names = builtin::ALL.iter().map(|one| one.name);
        BuiltIn::named(word)
            .map(Source::BuiltIn)
            .ok_or_else(|| PlanError::NoSuchScenario {
                word: word.to_owned(),
                nearest: settings::nearest(word, names, '-'),
            })
    }
}

impl Plan {
    /// Everything that was asked for, checked.
    pub(super) fn new(word: &str, args: &SimulateArgs) -> Result<Plan, PlanError> {
        let source = Source::of(word)?;
        let mut problems = Vec::new();
        let draft = match &source {
            Source::BuiltIn(built_in) => Draft::of(built_in),
            Source::File(path) => file::read(path, &mut problems),
        };
        let maker = Maker {
            name: match &source {
                Source::BuiltIn(built_in) => built_in.name.to_owned(),
                Source::File(path) => stem(path),
            },
            draft,
            args,
        };
        let plan = maker.plan(&mut problems);
        // One file after the other, each in the order of its lines.
        problems.sort_by_cached_key(|problem| {
            let file = problem.file().map(Path::to_owned);
            (file.is_none(), file, problem.position())
        });
        if problems.is_empty() {
            Ok(plan)
        } else {
            Err(PlanError::Refused(problems))
        }
    }
}

struct Maker<'a> {
    name: String,
    draft: Draft,
    args: &'a SimulateArgs,
}

impl Maker<'_> {
    fn plan(&self, problems: &mut Vec<Problem>) -> Plan {
        let own = &self.draft.settings;
        let flags = protocol_of_flags(&self.args.settings);
        let config = self.args.config.as_deref();
        let config = config.map_or_else(Layer::default, |path| protocol_of_file(path, problems));
        let mut scenario = self.scenario(&merge_protocol(&[own, &config, &flags], problems));
        let compared = self.args.compare.as_deref().map(|path| {
            let other = protocol_of_file(path, problems);
            // What both have in common has been judged.
            let mut found = Vec::new();
            let config = merge_protocol(&[own, &other], &mut found);
            let is_new = |problem: &Problem| !problems.contains(problem);
            found.retain(is_new);
            problems.append(&mut found);
            let other = self.scenario(&config);
            // The same work for both, as long as the more patient settings need.
            scenario.duration = scenario.duration.max(other.duration);
            scenario.agree_within = scenario.agree_within.max(other.agree_within);
            let other = Scenario {
                config,
                ..scenario.clone()
            };
            (name_of(path), other)
        });
        self.check(&scenario, problems);
        Plan {
            scenario,
            name: self.column_name(),
            compared,
        }
    }

    fn column_name(&self) -> String {
        let flags = !self.args.settings.is_empty();
        match &self.args.config {
            Some(path) if flags => format!("{}, flags", name_of(path)),
            Some(path) => name_of(path),
            None if flags => "flags".to_owned(),
            None if !self.draft.settings.is_empty() => self.name.clone(),
            None => "default".to_owned(),
        }
    }

    fn members(&self) -> usize {
        let usual = self.draft.extends.map_or(MEMBERS, |base| base.members);
        self.args.members.or(self.draft.members).unwrap_or(usual)
    }

    fn scenario(&self, config: &Config) -> Scenario {
        let members = self.members();
        let network = self.draft.network_from(Faults::default());
        let mut scenario = match self.draft.extends {
            Some(base) => base.scenario(members, config, &network),
            None => Scenario {
                about: String::new(),
                network: network.clone(),
                agree_within: Some(builtin::time_to_agree(members, config)),
                ..Scenario::quiet(members, config.clone())
            },
        };
        scenario.name.clone_from(&self.name);
        if let Some(about) = &self.draft.about {
            scenario.about.clone_from(about);
        }
        let duration = self.args.duration.or(self.draft.duration);
        scenario.duration = duration.unwrap_or(scenario.duration);
        let agree_within = self.draft.agree_within;
        scenario.agree_within = agree_within.unwrap_or(scenario.agree_within);
        let early = self.draft.end_when_agreed;
        scenario.end_when_agreed = early.unwrap_or(scenario.end_when_agreed);
        scenario.start = self.draft.start_from(scenario.start);
        let steps = self.draft.steps.iter().map(|step| step.step(&network));
        scenario.steps.extend(steps);
        scenario
    }

    fn check(&self, scenario: &Scenario, problems: &mut Vec<Problem>) {
        if let Some(base) = self.draft.extends
            && scenario.members < base.least
        {
            let (place, _) = self.origin("members");
            let (members, name, least) = (scenario.members, base.name, base.least);
            let text = format!("members is {members}, {name} is for at least {least}");
            problems.push(Problem::Other { place, text });
            return;
        }
        let errors = scenario.check();
        let before = scenario.steps.len() - self.draft.steps.len();
        problems.extend(errors.iter().filter_map(|error| self.told(error, before)));
        if problems.is_empty()
            && let most = scenario.members_in_the_end()
            && let Some(text) = too_many(most, fitting(most), free_bytes())
        {
            let (place, _) = self.origin("members");
            problems.push(Problem::Other { place, text });
        }
    }

    /// A problem for people; `before` steps are the built-in's. `None`: it was told already.
    fn told(&self, error: &ScenarioError, before: usize) -> Option<Problem> {
        if error.field.starts_with("settings.") {
            return None;
        }
        let (mut field, mut name) = (error.field.clone(), short(&error.field).to_owned());
        if let Some((number, rest)) = step_of(&error.field) {
            match number.checked_sub(before) {
                Some(number) => field = format!("steps[{number}]{rest}"),
                None => {
                    let rest = rest.trim_start_matches('.');
                    (field, name) = (String::new(), format!("{rest} of step {}", number + 1));
                }
            }
            if !self.is_own(&field, rest) {
                return None;
            }
        }
        if self.is_refused(&field) {
            return None;
        }
        let (place, shown) = self.origin(&field);
        let given = shown.unwrap_or_else(|| tidy_range(&error.given));
        let allowed = tidy_range(&error.allowed);
        let text = format!("{name} is {given}, {allowed}");
        Some(Problem::Other { place, text })
    }

    /// A step `network` has what it does not name from the scenario's network, which is judged
    /// there.
    fn is_own(&self, field: &str, rest: &str) -> bool {
        let Some(key) = rest.strip_prefix(".network.") else {
            return true;
        };
        let more = key.find('.').map_or(0, |dot| key.len() - dot);
        let whole = &field[..field.len().saturating_sub(more)];
        self.draft.origins.contains_key(whole)
    }

    /// Whether what is there was refused when it was read.
    fn is_refused(&self, field: &str) -> bool {
        let origins = &self.draft.origins;
        enclosing(field).any(|field| origins.get(field).is_some_and(|origin| origin.refused))
    }

    /// Where a field stands, and how it is written there if just this field is.
    fn origin(&self, field: &str) -> (Place, Option<String>) {
        let is_flag = match field {
            "members" => self.args.members.is_some(),
            "duration" => self.args.duration.is_some(),
            _ => false,
        };
        if is_flag {
            return (Place::Flag(format!("--{field}")), None);
        }
        let known = |name: &str| self.draft.origins.get(name);
        match enclosing(field).find_map(|name| Some((name, known(name)?))) {
            Some((name, origin)) => {
                let shown = (name == field).then(|| origin.shown.clone());
                (origin.place.clone(), shown)
            }
            None => (Place::BuiltIn(self.name.clone()), None),
        }
    }
}

/// What is said when not even one run fits into memory, of which so many bytes are free.
fn too_many(members: usize, fitting: Fitting, free: Option<u64>) -> Option<String> {
    let free = free.map(|bytes| format!(" ({:.1} GiB)", bytes as f64 / f64::from(1 << 30)));
    (fitting.threads == 0).then(|| {
        format!(
            "members is {members}, at most {} fit into the memory that is free{}",
            fitting.largest,
            free.unwrap_or_default()
        )
    })
}

/// The number of a step, and what follows: `steps[2].whom` is `(2, ".whom")`.
fn step_of(field: &str) -> Option<(usize, &str)> {
    let (number, rest) = field.strip_prefix("steps[")?.split_once(']')?;
    Some((number.parse().ok()?, rest))
}

/// A field and all that contain it: `a.b[1]`, `a.b`, `a`.
fn enclosing(field: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(field), |field| {
        let end = field.rfind(['.', '['])?;
        Some(&field[..end])
    })
}

/// `our-network` of `/home/me/our-network.toml`.
fn stem(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or(path.as_os_str());
    stem.to_string_lossy().into_owned()
}

fn name_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}

fn likely(nearest: &Option<&'static str>) -> String {
    let hint = nearest.map(|name| format!(", did you mean {name:?}?"));
    hint.unwrap_or_default()
}

fn listed(problems: &[Problem]) -> String {
    problems
        .iter()
        .map(|problem| format!("\n  {problem}"))
        .collect()
}

#[cfg(test)]
mod tests;
