//! One seed alone, and what happened when.

use std::collections::BTreeMap;
use std::time::Duration;

use muster_swim::sim::ClockJump;
use muster_swim::sim::scenario::{
    Fate, Fault, Outcome, Run, RunOptions, Scenario, ScenarioError, Step, Whom,
};

use super::described;
use super::progress::Progress;
use super::results::plural;
use crate::cli::table::{Cell, Look, Tone};
use crate::settings::human;

/// Lines of the trace that are shown when something did not hold.
const TRACE_LINES: usize = 20;

/// Members that are named when something happens to many at once.
const NAMED: usize = 4;

/// Lines that are shown at most, and occurrences of a step that are looked at.
const LINES: usize = 200;

/// What is known of one run.
pub(super) struct Replay {
    pub(super) outcome: Outcome,
    /// The last things that happened in it.
    trace: Vec<String>,
}

/// Runs one seed on this thread, with a bar on a terminal's standard error.
pub(super) fn run(
    scenario: &Scenario,
    seed: u64,
    options: RunOptions,
) -> Result<Replay, ScenarioError> {
    let options = RunOptions {
        trace_lines: TRACE_LINES,
        ..options
    };
    let progress = Progress::on_terminal(&scenario.name, 1);
    let mut run = Run::new(scenario, seed, options)?;
    let mut share = progress.share();
    while run.advance() {
        share.reached(run.progress());
    }
    share.finished();
    let trace = run.trace().map(str::to_owned).collect();
    Ok(Replay {
        outcome: run.finish(),
        trace,
    })
}

/// One line of the story.
struct Line {
    at: Duration,
    text: String,
    tone: Tone,
}

impl Replay {
    /// The story, with an empty line before each part of it.
    pub(super) fn lines(&self, scenario: &Scenario, look: Look) -> Vec<String> {
        let mut story = Vec::new();
        for (number, step) in scenario.steps.iter().enumerate() {
            self.tell_step(number, step, &mut story);
        }
        self.tell_fates(&mut story);
        let end = match scenario.agree_within {
            Some(_) => "the end: whatever is still wrong is made well",
            None => "the end",
        };
        story.push(Line::new(self.outcome.measured, end, Tone::Faint));
        if let Some(after) = self.outcome.agreed_after {
            let text = format!("all agree (+{})", seconds(after));
            story.push(Line::new(self.outcome.measured + after, text, Tone::Good));
        }
        story.sort_by_key(|line| line.at);
        let heading = "What happened, in seconds from the start of the measured part";
        let mut lines = vec![
            String::new(),
            look.paint(heading, Tone::Strong),
            String::new(),
        ];
        lines.extend(story.iter().take(LINES).map(|line| line.shown(look)));
        if story.len() > LINES {
            lines.push(format!("and {} lines more", story.len() - LINES));
        }
        for violation in &self.outcome.violations {
            let text = format!("violated: {}", described(violation));
            lines.push(look.line(&[Cell::new(text, Tone::Bad)]));
        }
        if !self.outcome.violations.is_empty() {
            let heading = "The last lines of the trace, in time from the first start";
            lines.extend([
                String::new(),
                look.paint(heading, Tone::Strong),
                String::new(),
            ]);
            let shown = self
                .trace
                .iter()
                .map(|line| look.line(&[Cell::plain(line)]));
            lines.extend(shown);
        }
        lines.push(String::new());
        let hash = self.outcome.trace_hash;
        lines.push(format!(
            "Trace hash {hash:016x}: equal hashes are equal runs, on any machine."
        ));
        lines
    }

    fn tell_step(&self, number: usize, step: &Step, story: &mut Vec<Line>) {
        let end = self.outcome.measured;
        let most = step.times.map_or(LINES, |times| LINES.min(times as usize));
        let most = if step.every.is_none() { 1 } else { most };
        let every = step.every.unwrap_or(Duration::ZERO);
        let starts = (0..most as u32).map(|time| step.at + every.saturating_mul(time));
        for at in starts.take_while(|at| *at <= end) {
            let text = format!("step {}: {}", number + 1, step_in_words(step));
            story.push(Line::new(at, text, Tone::Strong));
            let over = step.lasts.map(|lasts| at.saturating_add(lasts));
            if let Some(over) = over.filter(|over| *over <= end && step.spacing.is_zero()) {
                let text = format!("step {}: {} is over", number + 1, step.what.as_str());
                story.push(Line::new(over, text, Tone::Faint));
            }
        }
    }

    /// Members to which the same happened at the same time are told together.
    fn tell_fates(&self, story: &mut Vec<Line>) {
        let mut groups: BTreeMap<(Duration, &str), Vec<&Fate>> = BTreeMap::new();
        for fate in &self.outcome.fates {
            groups
                .entry((fate.onset, fate.fault))
                .or_default()
                .push(fate);
        }
        for ((onset, fault), fates) in groups {
            let who = names(&fates);
            let noticed = fates.iter().filter_map(|fate| fate.first).min();
            let never = if noticed.is_none() {
                ": nobody holds it for gone"
            } else {
                ""
            };
            let text = format!("{fault} at {who}{never}");
            story.push(Line::new(onset, text, Tone::Warning));
            if let Some(first) = noticed {
                let text = match fates.len() {
                    1 => format!("the first knows that {who} is gone (+{})", seconds(first)),
                    count => format!(
                        "the first knows of one of the {count} (+{})",
                        seconds(first)
                    ),
                };
                story.push(Line::new(onset + first, text, Tone::Plain));
            }
            let everywhere: Vec<Duration> =
                fates.iter().filter_map(|fate| fate.everywhere).collect();
            if let Some(last) = everywhere.iter().max() {
                let text = match (fates.len(), everywhere.len()) {
                    (1, _) => format!("everybody knows that {who} is gone (+{})", seconds(*last)),
                    (all, known) if all == known => {
                        format!("everybody knows of all {all} (+{})", seconds(*last))
                    }
                    (all, known) => {
                        format!(
                            "everybody knows of {known} of the {all} (+{})",
                            seconds(*last)
                        )
                    }
                };
                story.push(Line::new(onset + *last, text, Tone::Plain));
            }
        }
    }
}

impl Line {
    fn new(at: Duration, text: impl Into<String>, tone: Tone) -> Line {
        let text = text.into();
        Line { at, text, tone }
    }

    fn shown(&self, look: Look) -> String {
        let at = Cell::new(format!("{:>9.3}  ", self.at.as_secs_f64()), Tone::Faint);
        look.line(&[at, Cell::new(&self.text, self.tone)])
    }
}

fn names(fates: &[&Fate]) -> String {
    let named: Vec<&str> = fates.iter().take(NAMED).map(|fate| &*fate.name).collect();
    match fates.len().saturating_sub(named.len()) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

/// `crash of 3 members, one each 5s, for 10s`.
fn step_in_words(step: &Step) -> String {
    let whom = whom_in_words(&step.whom);
    let mut text = match &step.what {
        Fault::Network(_) => "the network is another one".to_owned(),
        Fault::Starve(late) => format!("starve {whom} by up to {}", human(*late)),
        Fault::Loss { incoming, outgoing } => format!(
            "{whom} lose {}% of what comes in and {}% of what goes out",
            incoming * 100.0,
            outgoing * 100.0
        ),
        Fault::Partition => format!("partition between {whom} and the rest"),
        Fault::Cut(Whom::All) => format!("nothing gets from {whom} to anybody"),
        Fault::Cut(others) => format!("nothing gets from {whom} to {}", whom_in_words(others)),
        Fault::PartialPartition(Whom::All) => format!("nothing gets between {whom} and anybody"),
        Fault::PartialPartition(others) => {
            format!("nothing gets between {whom} and {}", whom_in_words(others))
        }
        Fault::ResetStreams => format!("the streams of {whom} are reset"),
        Fault::ClockRate(ppm) => {
            let percent = f64::from(ppm.abs()) / 10_000.0;
            let way = if *ppm < 0 { "slow" } else { "fast" };
            format!("the clocks of {whom} run {percent}% {way}")
        }
        Fault::ClockJump(ClockJump::Ahead(by)) => {
            format!("the wall clocks of {whom} jump {} ahead", human(*by))
        }
        Fault::ClockJump(ClockJump::Back(by)) => {
            format!("the wall clocks of {whom} jump {} back", human(*by))
        }
        what @ (Fault::Crash
        | Fault::CrashHost
        | Fault::Pause
        | Fault::Block
        | Fault::BlockProber
        | Fault::Leave
        | Fault::Restart
        | Fault::Join) => format!("{} of {whom}", what.as_str()),
    };
    if !step.spacing.is_zero() {
        text.push_str(&format!(", one each {}", human(step.spacing)));
    }
    if let Some(lasts) = step.lasts {
        text.push_str(&format!(", for {}", human(lasts)));
    }
    text
}

fn whom_in_words(whom: &Whom) -> String {
    match whom {
        Whom::All => "all".to_owned(),
        Whom::Named(names) => names.join(", "),
        Whom::Some(count) => plural(*count, "member"),
        Whom::Share(part) => format!("{}% of all", (part * 1000.0).round() / 10.0),
    }
}

fn seconds(duration: Duration) -> String {
    format!("{:.3}", duration.as_secs_f64())
}

#[cfg(test)]
mod tests;
