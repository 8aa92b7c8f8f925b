//! What makes a scenario one that cannot be run: everything at once.

mod step;

use std::time::Duration;

use self::step::StepCheck;
use super::arrivals::Arrivals;
use super::{Fault, Scenario, ScenarioError, Whom};
use crate::limits;

/// Longest measured part.
const DURATION_MAX: Duration = Duration::from_secs(366 * 24 * 3600);

/// Longest time from one start to the next, and of settling and quiet.
const START_MAX: Duration = Duration::from_secs(3600);

impl Scenario {
    /// Everything that is wrong, in the order of the fields. An empty list: it can be run.
    pub fn check(&self) -> Vec<ScenarioError> {
        let mut found = Findings(Vec::new());
        found.number("members", self.members, 1, limits::MEMBERS);
        let end = self.members_in_the_end();
        if self.members <= limits::MEMBERS && end > limits::MEMBERS {
            let given = format!("{} with those who join", end);
            let allowed = format!("allowed are {} with them", limits::MEMBERS);
            found.push("members", given, allowed);
        }
        for error in self.config.check() {
            let field = format!("settings.{}", error.setting);
            found.push(&field, error.given, format!("allowed is {}", error.allowed));
        }
        for error in self.network.check() {
            let field = format!("network.{}", error.field);
            found.push(&field, error.given, format!("allowed is {}", error.allowed));
        }
        let start = &self.start;
        let zero = Duration::ZERO;
        found.duration("start.head_start", start.head_start, zero, START_MAX);
        found.duration("start.spacing", start.spacing, zero, START_MAX);
        if let Some(settle) = &start.settle {
            found.duration("start.settle.within", settle.within, zero, START_MAX);
            found.duration("start.settle.quiet", settle.quiet, zero, START_MAX);
        }
        let second = Duration::from_secs(1);
        found.duration("duration", self.duration, second, DURATION_MAX);
        if let Some(within) = self.agree_within {
            found.duration("agree_within", within, second, DURATION_MAX);
        }
        let arrivals = Arrivals::of(self);
        for (number, step) in self.steps.iter().enumerate() {
            let prefix = format!("steps[{number}]");
            let mut check = StepCheck {
                scenario: self,
                arrivals: &arrivals,
                step,
                prefix,
                found: &mut found,
            };
            check.all();
        }
        self.check_overlaps("partition", &mut found, |fault| *fault == Fault::Partition);
        self.check_overlaps("change of the network", &mut found, |fault| {
            matches!(fault, Fault::Network(_))
        });
        found.0
    }

    /// Members that may be there in the end: those at the start and all that join, also when others
    /// leave.
    pub fn members_in_the_end(&self) -> usize {
        let joins = self.steps.iter().filter(|step| step.what == Fault::Join);
        let joining = joins.map(|step| match step.whom {
            Whom::Some(count) => {
                let times = usize::try_from(step.occurrences(self.duration)).unwrap_or(usize::MAX);
                count.saturating_mul(times)
            }
            Whom::All | Whom::Named(_) | Whom::Share(_) => 0,
        });
        joining.fold(self.members, usize::saturating_add)
    }

    /// There is one partition at a time, and one change of the network.
    fn check_overlaps(&self, noun: &str, found: &mut Findings, of: fn(&Fault) -> bool) {
        let steps = self.steps.iter().enumerate();
        let mut spans: Vec<(Duration, Duration, usize)> = steps
            .filter(|(_, step)| of(&step.what))
            .flat_map(|(number, step)| {
                let spans = step.spans(self.duration);
                spans.map(move |(from, until)| (from, until, number))
            })
            .collect();
        spans.sort();
        let pairs = spans.iter().zip(spans.iter().skip(1));
        let mut pairs = pairs.filter(|(one, next)| next.0 < one.1 && one.2 != next.2);
        if let Some((&(_, until, before), &(from, _, after))) = pairs.next() {
            let (until, before) = (written(until), before + 1);
            let allowed = format!(
                "when the {noun} of step {before}, until {until}, is not over: only one at a time"
            );
            found.push(&format!("steps[{after}].at"), written(from), allowed);
        }
    }
}

/// What is wrong so far.
struct Findings(Vec<ScenarioError>);

impl Findings {
    fn number(&mut self, field: &str, value: usize, low: usize, high: usize) {
        if !(low..=high).contains(&value) {
            let allowed = format!("allowed is {low} to {high}");
            self.push(field, value.to_string(), allowed);
        }
    }

    fn duration(&mut self, field: &str, value: Duration, low: Duration, high: Duration) {
        if !(low..=high).contains(&value) {
            let allowed = format!("allowed is {} to {}", written(low), written(high));
            self.push(field, written(value), allowed);
        }
    }

    fn push(&mut self, field: &str, given: String, allowed: String) {
        self.0.push(ScenarioError {
            field: field.to_owned(),
            given,
            allowed,
        });
    }
}

/// A duration for messages.
fn written(duration: Duration) -> String {
    format!("{duration:?}")
}

#[cfg(test)]
mod tests;
