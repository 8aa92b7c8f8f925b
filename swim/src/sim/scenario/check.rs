//! What makes a scenario one that cannot be run: everything at once.

use std::time::Duration;

use super::{Fault, Scenario, ScenarioError, Step, Whom};
use crate::limits;

/// Longest measured part.
const DURATION_MAX: Duration = Duration::from_secs(366 * 24 * 3600);

/// Longest time from one start to the next, and of settling and quiet.
const START_MAX: Duration = Duration::from_secs(3600);

/// Shortest time from one occurrence of a step to the next.
const EVERY_MIN: Duration = Duration::from_millis(10);

/// Longest that a starved process is late.
const LATE_MAX: Duration = Duration::from_secs(60);

/// Occurrences of a step that are compared with others.
const OCCURRENCES: u32 = 10_000;

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
        for (number, step) in self.steps.iter().enumerate() {
            let prefix = format!("steps[{number}]");
            let mut check = StepCheck {
                scenario: self,
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

impl Step {
    /// How often it begins in a measured part of this length.
    fn occurrences(&self, duration: Duration) -> u128 {
        let Some(every) = self.every.filter(|every| !every.is_zero()) else {
            return 1;
        };
        let room = duration.saturating_sub(self.at).as_nanos();
        let fitting = room.div_ceil(every.as_nanos()).max(1);
        self.times
            .map_or(fitting, |times| fitting.min(u128::from(times)))
    }

    /// From when until when it lasts, each time.
    fn spans(&self, duration: Duration) -> impl Iterator<Item = (Duration, Duration)> {
        let times = self.occurrences(duration).min(u128::from(OCCURRENCES)) as u32;
        let every = self.every.unwrap_or(Duration::ZERO);
        (0..times).map(move |time| {
            let from = self.at.saturating_add(every.saturating_mul(time));
            let until = self
                .lasts
                .map_or(duration, |lasts| from.saturating_add(lasts));
            (from, until)
        })
    }
}

/// One step under examination.
struct StepCheck<'a> {
    scenario: &'a Scenario,
    step: &'a Step,
    prefix: String,
    found: &'a mut Findings,
}

impl StepCheck<'_> {
    fn all(&mut self) {
        let step = self.step;
        let end = self.scenario.duration;
        if step.at >= end {
            let allowed = format!("allowed is before the end at {}", written(end));
            self.push("at", written(step.at), allowed);
        }
        self.whom();
        self.what();
        self.lasts();
        self.every();
        self.spacing();
    }

    fn whom(&mut self) {
        let members = self.scenario.members;
        match (&self.step.whom, &self.step.what) {
            (_, Fault::Network(_)) => {}
            (Whom::Some(count), Fault::Join) => {
                let most = limits::MEMBERS.saturating_sub(members).max(1);
                self.number("whom", *count, 1, most);
            }
            (Whom::All | Whom::Named(_) | Whom::Share(_), Fault::Join) => {
                let given = self.step.whom.written();
                self.push(
                    "whom",
                    given,
                    "allowed is how many join, a number".to_owned(),
                );
            }
            (Whom::All, Fault::Partition) => {
                let allowed = "nobody would be on the other side; allowed is a part of all";
                self.push("whom", "all".to_owned(), allowed.to_owned());
            }
            (Whom::All, _) => {}
            (Whom::Named(names), what) => self.named(names, *what == Fault::Partition),
            (Whom::Some(count), _) => self.some(*count),
            (Whom::Share(part), _) => self.share(*part),
        }
    }

    fn named(&mut self, names: &[String], is_partition: bool) {
        let most = self.scenario.members_in_the_end();
        let last = most.saturating_sub(1);
        let number = |name: &str| {
            let number: usize = name.strip_prefix('n')?.parse().ok()?;
            (number < most && name == format!("n{number}")).then_some(number)
        };
        for (place, name) in names.iter().enumerate() {
            let field = format!("whom[{place}]");
            if number(name).is_none() {
                let allowed = format!("there is no such member, allowed is n0 to n{last}");
                self.push(&field, format!("{name:?}"), allowed);
            } else if names[..place].contains(name) {
                self.push(
                    &field,
                    format!("{name:?}"),
                    "it is listed already".to_owned(),
                );
            }
        }
        let given = self.step.whom.written();
        if names.is_empty() {
            self.push(
                "whom",
                given,
                "nobody; allowed is at least one name".to_owned(),
            );
        } else if is_partition
            && (0..most).all(|n| names.iter().any(|name| number(name) == Some(n)))
        {
            let allowed = "nobody would be on the other side; leave somebody out";
            self.push("whom", given, allowed.to_owned());
        }
    }

    fn some(&mut self, count: usize) {
        let drawable = self.scenario.members_in_the_end().saturating_sub(1);
        if drawable == 0 {
            self.nobody_to_draw(count.to_string());
        } else if count == 0 || count > drawable {
            let allowed = format!("allowed is 1 to {drawable} (n0 is never drawn)");
            self.push("whom", count.to_string(), allowed);
        }
    }

    fn share(&mut self, part: f64) {
        let members = self.scenario.members;
        let drawable = members.saturating_sub(1);
        let given = self.step.whom.written();
        if drawable == 0 {
            self.nobody_to_draw(given);
        } else if !(part > 0.0 && (part * members as f64).ceil() <= drawable as f64) {
            let most = drawable as f64 / members as f64;
            // Rounded down, so that what is said is allowed.
            let percent = (most * 1000.0).floor() / 10.0;
            let allowed = format!(
                "allowed is more than 0% to {percent}%, {drawable} members (n0 is never drawn)"
            );
            self.push("whom", given, allowed);
        }
    }

    fn nobody_to_draw(&mut self, given: String) {
        let allowed = "but there is nobody but n0, which is never drawn; have more members";
        self.push("whom", given, allowed.to_owned());
    }

    fn what(&mut self) {
        match &self.step.what {
            Fault::Starve(late) => {
                let millisecond = Duration::from_millis(1);
                self.duration("late", *late, millisecond, LATE_MAX);
            }
            Fault::Loss { incoming, outgoing } => {
                for (field, part) in [("incoming", *incoming), ("outgoing", *outgoing)] {
                    if !(0.0..=1.0).contains(&part) {
                        self.push(field, part.to_string(), "allowed is 0 to 1".to_owned());
                    }
                }
                if *incoming == 0.0 && *outgoing == 0.0 {
                    let allowed = "and so is outgoing: nothing would be lost";
                    self.push("incoming", "0".to_owned(), allowed.to_owned());
                }
            }
            Fault::Network(faults) => {
                for error in faults.check() {
                    let allowed = format!("allowed is {}", error.allowed);
                    self.push(&format!("network.{}", error.field), error.given, allowed);
                }
            }
            Fault::Crash
            | Fault::CrashHost
            | Fault::Pause
            | Fault::Block
            | Fault::BlockProber
            | Fault::Partition
            | Fault::Leave
            | Fault::Restart
            | Fault::Join => {}
        }
    }

    fn lasts(&mut self) {
        let Some(lasts) = self.step.lasts else {
            return;
        };
        if matches!(self.step.what, Fault::Restart | Fault::Join) {
            let allowed = format!("but a {} is over at once; leave it out", self.word());
            self.push("lasts", written(lasts), allowed);
        } else if lasts.is_zero() {
            let allowed = "allowed is longer than 0s, or leave it out: to the end";
            self.push("lasts", written(lasts), allowed.to_owned());
        }
    }

    fn every(&mut self) {
        let Some(every) = self.step.every else {
            if let Some(times) = self.step.times.filter(|times| *times != 1) {
                let allowed = "but says nothing without every, the time from one to the next";
                self.push("times", times.to_string(), allowed.to_owned());
            }
            if self.step.redraw {
                let allowed = "but says nothing without every: there is one draw";
                self.push("redraw", "true".to_owned(), allowed.to_owned());
            }
            return;
        };
        if self.step.times == Some(0) {
            self.push("times", "0".to_owned(), "allowed is 1 or more".to_owned());
        }
        // What everybody shares cannot end and begin anew at one instant.
        let is_shared = matches!(self.step.what, Fault::Partition | Fault::Network(_));
        let lasts = self.step.lasts.unwrap_or(Duration::ZERO);
        let least = if is_shared && !lasts.is_zero() {
            lasts.saturating_add(EVERY_MIN)
        } else {
            lasts.max(EVERY_MIN)
        };
        if every < least {
            let why = if lasts.is_zero() {
                ""
            } else {
                ", for it lasts so long"
            };
            let allowed = format!("allowed is {} or longer{why}", written(least));
            self.push("every", written(every), allowed);
        }
    }

    fn spacing(&mut self) {
        let (step, spacing) = (self.step, self.step.spacing);
        if spacing.is_zero() {
            return;
        }
        if matches!(step.what, Fault::Partition | Fault::Network(_)) {
            let allowed = format!("but a {} is of all at once; leave it out", self.word());
            self.push("spacing", written(spacing), allowed);
            return;
        }
        let members = self.scenario.members;
        let count = match &step.whom {
            Whom::All => members,
            Whom::Named(names) => names.len(),
            Whom::Some(count) => *count,
            Whom::Share(part) => (part * members as f64).ceil() as usize,
        };
        let steps = u32::try_from(count.saturating_sub(1)).unwrap_or(u32::MAX);
        let room = self.scenario.duration.saturating_sub(step.at);
        if steps > 0 && !room.is_zero() && spacing.saturating_mul(steps) >= room {
            // Whole milliseconds below it, so that the last one is before the end.
            let most = Duration::from_millis(((room / steps).as_millis() as u64).saturating_sub(1));
            let allowed = format!(
                "and the last of {count} would come after the end at {}; allowed is up to {}",
                written(self.scenario.duration),
                written(most)
            );
            self.push("spacing", written(spacing), allowed);
        }
    }

    fn word(&self) -> &'static str {
        self.step.what.as_str()
    }

    fn number(&mut self, field: &str, value: usize, low: usize, high: usize) {
        let field = format!("{}.{field}", self.prefix);
        self.found.number(&field, value, low, high);
    }

    fn duration(&mut self, field: &str, value: Duration, low: Duration, high: Duration) {
        let field = format!("{}.{field}", self.prefix);
        self.found.duration(&field, value, low, high);
    }

    fn push(&mut self, field: &str, given: String, allowed: String) {
        let field = format!("{}.{field}", self.prefix);
        self.found.push(&field, given, allowed);
    }
}

impl Whom {
    /// As a scenario file has it.
    fn written(&self) -> String {
        match self {
            Whom::All => "all".to_owned(),
            Whom::Named(names) => format!("{names:?}"),
            Whom::Some(count) => count.to_string(),
            Whom::Share(part) => format!("{}%", part * 100.0),
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
