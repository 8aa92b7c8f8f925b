//! One step: whom it concerns, what it needs, how often it happens.

use std::collections::BTreeSet;
use std::time::Duration;

use super::super::arrivals::Arrivals;
use super::super::{Fault, Scenario, Step, Whom};
use super::{Findings, written};
use crate::limits;
use crate::sim::clock::PPM_MAX;
use crate::sim::cluster::ClockJump;

/// Shortest time from one occurrence of a step to the next.
const EVERY_MIN: Duration = Duration::from_millis(10);

/// Longest that a starved process is late.
const LATE_MAX: Duration = Duration::from_secs(60);

/// The shortest and the longest jump of a wall clock.
const JUMP_MIN: Duration = Duration::from_millis(1);
const JUMP_MAX: Duration = Duration::from_secs(366 * 24 * 3600);

/// One step under examination.
pub(super) struct StepCheck<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) arrivals: &'a Arrivals,
    pub(super) step: &'a Step,
    pub(super) prefix: String,
    pub(super) found: &'a mut Findings,
}

impl StepCheck<'_> {
    pub(super) fn all(&mut self) {
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
                let allowed = "allowed is how many join, a number";
                self.push("whom", given, allowed.to_owned());
            }
            (Whom::All, what) if *what == Fault::Partition || what.others().is_some() => {
                let allowed = "nobody would be on the other side; allowed is a part of all";
                self.push("whom", "all".to_owned(), allowed.to_owned());
            }
            (whom, what) => {
                self.some_of_all("whom", whom, 0);
                if *what == Fault::Partition {
                    self.partition(whom);
                }
            }
        }
        if let Some(others) = self.step.what.others() {
            self.others(others);
        }
    }

    /// Members of whom something is said, while so many are spoken for.
    fn some_of_all(&mut self, field: &str, whom: &Whom, taken: usize) {
        match whom {
            Whom::All => {}
            Whom::Named(names) => self.named(field, names),
            Whom::Some(count) => self.some(field, *count, taken),
            Whom::Share(part) => self.share(field, *part, taken),
        }
    }

    /// The other side of a cut: somebody, and nobody who is on this side.
    fn others(&mut self, others: &Whom) {
        let whom = &self.step.whom;
        match (whom, others) {
            (Whom::Named(names), Whom::Named(others)) => {
                self.named("others", others);
                for (place, name) in others.iter().enumerate() {
                    if names.contains(name) {
                        let field = format!("others[{place}]");
                        let allowed = "it is on the other side already, in whom";
                        self.push(&field, format!("{name:?}"), allowed.to_owned());
                    }
                }
            }
            (Whom::Some(_) | Whom::Share(_), Whom::Named(names)) => {
                self.named("others", names);
                self.some_of_all("whom", whom, names.len());
            }
            (whom, others) => self.some_of_all("others", others, self.count(whom)),
        }
    }

    /// How many there are when the step happens first.
    fn there(&self) -> usize {
        self.arrivals.at(self.step.at)
    }

    /// How many it is about.
    fn count(&self, whom: &Whom) -> usize {
        let there = self.there();
        match whom {
            Whom::All => there,
            Whom::Named(names) => names.len(),
            Whom::Some(count) => *count,
            Whom::Share(part) => (part * there as f64).ceil() as usize,
        }
    }

    /// ` at 5s` where it matters when it is: others join later.
    fn when(&self) -> String {
        if self.there() < self.arrivals.all() {
            format!(" at {}", written(self.step.at))
        } else {
            String::new()
        }
    }

    fn named(&mut self, list: &str, names: &[String]) {
        let there = self.there();
        let (last, when) = (there.saturating_sub(1), self.when());
        for (place, name) in names.iter().enumerate() {
            let number = number_of(name).filter(|number| *number < self.arrivals.all());
            let start = number.and_then(|number| self.arrivals.start_of(number));
            let wrong = if number.is_none() {
                format!("there is no such member, allowed{when} is n0 to n{last}")
            } else if let Some(start) = start.filter(|start| *start >= self.step.at) {
                let start = written(start);
                format!("which joins at {start}; allowed{when} is n0 to n{last}")
            } else if names[..place].contains(name) {
                "it is listed already".to_owned()
            } else {
                continue;
            };
            self.push(&format!("{list}[{place}]"), format!("{name:?}"), wrong);
        }
        if names.is_empty() {
            let allowed = "nobody; allowed is at least one name";
            self.push(list, format!("{names:?}"), allowed.to_owned());
        }
    }

    /// A partition by name leaves somebody out of those who are there.
    fn partition(&mut self, whom: &Whom) {
        let Whom::Named(names) = whom else {
            return;
        };
        let listed: BTreeSet<usize> = names.iter().filter_map(|name| number_of(name)).collect();
        if !names.is_empty() && (0..self.there()).all(|number| listed.contains(&number)) {
            let allowed = "nobody would be on the other side; leave somebody out";
            self.push("whom", whom.written(), allowed.to_owned());
        }
    }

    fn some(&mut self, field: &str, count: usize, taken: usize) {
        let drawable = self.there().saturating_sub(1 + taken);
        if drawable == 0 {
            self.nobody_to_draw(field, count.to_string());
        } else if count == 0 || count > drawable {
            let when = self.when();
            let allowed = format!("allowed{when} is 1 to {drawable} (n0 is never drawn)");
            self.push(field, count.to_string(), allowed);
        }
    }

    fn share(&mut self, field: &str, part: f64, taken: usize) {
        let there = self.there();
        let drawable = there.saturating_sub(1 + taken);
        let given = Whom::Share(part).written();
        if drawable == 0 {
            self.nobody_to_draw(field, given);
        } else if !(part > 0.0 && (part * there as f64).ceil() <= drawable as f64) {
            let most = drawable as f64 / there as f64;
            // Rounded down, so that what is said is allowed.
            let percent = (most * 1000.0).floor() / 10.0;
            let when = self.when();
            let allowed = format!(
                "allowed{when} is more than 0% to {percent}%, {drawable} members (n0 is never drawn)"
            );
            self.push(field, given, allowed);
        }
    }

    fn nobody_to_draw(&mut self, field: &str, given: String) {
        let when = self.when();
        let allowed =
            format!("but there is nobody{when} but n0, which is never drawn; have more members");
        self.push(field, given, allowed);
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
            Fault::ClockRate(ppm) => {
                if *ppm == 0 || ppm.unsigned_abs() > PPM_MAX.unsigned_abs() {
                    let given = format!("{}%", f64::from(*ppm) / 10_000.0);
                    let allowed = "allowed is \"-1%\" to \"+1%\", but not 0";
                    self.push("rate", given, allowed.to_owned());
                }
            }
            Fault::ClockJump(jump) => {
                let (ClockJump::Ahead(by) | ClockJump::Back(by)) = jump;
                if *by < JUMP_MIN || *by > JUMP_MAX {
                    let (least, most) = (written(JUMP_MIN), written(JUMP_MAX));
                    let allowed = format!("allowed is {least} to {most}");
                    self.push("by", written(*by), allowed);
                }
            }
            Fault::Crash
            | Fault::CrashHost
            | Fault::Pause
            | Fault::Block
            | Fault::BlockProber
            | Fault::Partition
            | Fault::Cut(_)
            | Fault::PartialPartition(_)
            | Fault::ResetStreams
            | Fault::Leave
            | Fault::Restart
            | Fault::Join => {}
        }
    }

    fn lasts(&mut self) {
        let Some(lasts) = self.step.lasts else {
            return;
        };
        if self.step.what.is_over_at_once() {
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
        if step.what.is_of_all_at_once() {
            let allowed = format!("but a {} is of all at once; leave it out", self.word());
            self.push("spacing", written(spacing), allowed);
            return;
        }
        let count = self.count(&step.whom);
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

/// The number of a member by its name: 7 of `n7`.
fn number_of(name: &str) -> Option<usize> {
    let number: usize = name.strip_prefix('n')?.parse().ok()?;
    (name == format!("n{number}")).then_some(number)
}
