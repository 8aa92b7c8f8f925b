//! One run of a scenario: its parts one after the other, its steps when they are due.

use std::collections::BTreeMap;
use std::time::Duration;

use super::cuts::{Severed, Sides};
use super::faults::Lasting;
use super::measure::Measure;
use super::{Fault, Outcome, Scenario, ScenarioError, Step, Whom};
use crate::sim::network::Faults;
use crate::sim::{Cluster, Condition, Launch, Options, Pid};
use crate::time::Time;

/// What a run keeps beside its outcome.
#[derive(Clone, Copy, Debug)]
pub struct RunOptions {
    /// Whether members present are sampled for [`Series`](super::Series).
    pub series: bool,
    /// Whether every node is held against what it tells. Costs memory: members squared.
    pub watch: bool,
    /// Lines of the trace kept.
    pub trace_lines: usize,
}

impl Default for RunOptions {
    fn default() -> RunOptions {
        RunOptions {
            series: false,
            watch: true,
            trace_lines: 0,
        }
    }
}

/// A run under way. Drive it with [`Run::advance`] until that gives false, then [`Run::finish`].
#[derive(Debug)]
pub struct Run {
    pub(super) scenario: Scenario,
    pub(super) cluster: Cluster,
    part: Part,
    /// What is still to be done, in order.
    plan: BTreeMap<(Time, u64), Due>,
    planned: u64,
    /// Members drawn for steps that keep theirs.
    drawn: Vec<Option<Sides>>,
    /// The process of each member, by number.
    pub(super) members: Vec<Pid>,
    /// What lasts now, by member, so that each fault is ended once.
    pub(super) lasting: Vec<Vec<Lasting>>,
    /// Who is cut off from whom now.
    pub(super) severed: Vec<Severed>,
    pub(super) measure: Measure,
}

/// The part of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Part {
    /// Members join; all must agree by then.
    Settling {
        until: Time,
    },
    /// They agree, or did not in time.
    Quiet {
        until: Time,
    },
    /// Steps happen.
    Measured {
        from: Time,
        until: Time,
    },
    /// The faults have ended.
    Afterwards {
        until: Time,
    },
    Over,
}

#[derive(Clone, Debug)]
pub(super) enum Due {
    /// Another member starts.
    Launch,
    /// The step with this number happens for the time with this number.
    Step(usize, u32),
    /// The step begins, or ends, for one member.
    Begin(usize, usize),
    End(usize, usize),
    /// A whole second has passed.
    Second,
    /// Members present are sampled.
    Sample,
}

/// Virtual time that passes in one call of [`Run::advance`].
const SLICE: Duration = Duration::from_millis(100);

/// How often it is looked whether all agree.
const LOOK: Duration = Duration::from_millis(10);

/// Samples of the members present.
const SAMPLES: u32 = 200;

impl Run {
    /// A run of `scenario` from `seed`. Refuses the first thing that is wrong
    /// ([`Scenario::check`] names all).
    pub fn new(scenario: &Scenario, seed: u64, options: RunOptions) -> Result<Run, ScenarioError> {
        if let Some(error) = scenario.check().into_iter().next() {
            return Err(error);
        }
        let cluster = Cluster::new(
            seed,
            Options {
                faults: scenario.network.clone(),
                watch: options.watch,
                fail_fast: false,
                every_step: false,
                expected: scenario.members,
                news: true,
                trace_lines: options.trace_lines,
            },
        );
        let mut run = Run {
            part: Part::Settling { until: Time::ZERO },
            cluster,
            plan: BTreeMap::new(),
            planned: 0,
            drawn: vec![None; scenario.steps.len()],
            members: Vec::new(),
            lasting: Vec::new(),
            severed: Vec::new(),
            measure: Measure::new(
                seed,
                options.series,
                is_clean(scenario),
                scenario.config.parts.verdicts,
            ),
            scenario: scenario.clone(),
        };
        run.begin();
        Ok(run)
    }

    /// Lets a little virtual time pass; false when the run is over.
    pub fn advance(&mut self) -> bool {
        let end = self.cluster.now() + SLICE;
        while self.part != Part::Over {
            let next = self.plan.first_key_value().map(|((at, _), _)| *at);
            let stop = next.map_or(end, |next| next.min(end)).min(self.part_end());
            self.cluster.run_for(stop - self.cluster.now());
            self.measure.read(&mut self.cluster);
            while let Some(entry) = self.plan.first_entry()
                && entry.key().0 <= stop
            {
                let due = entry.remove();
                self.happen(due);
            }
            self.turn_part();
            if stop == end {
                break;
            }
        }
        self.part != Part::Over
    }

    /// How much of the run is done, 0 to 1: virtual time of its longest course.
    pub fn progress(&self) -> f64 {
        let start = &self.scenario.start;
        let others = self.scenario.members.saturating_sub(1) as u32;
        let joining = start.head_start + start.spacing * others;
        let quiet = start.settle.as_ref().map_or(Duration::ZERO, |s| s.quiet);
        let whole = (joining + quiet + self.scenario.duration).as_secs_f64();
        let done = match self.part {
            Part::Settling { .. } | Part::Quiet { .. } => {
                self.cluster.now().since(Time::ZERO).min(joining + quiet)
            }
            Part::Measured { from, .. } => joining + quiet + self.cluster.now().since(from),
            Part::Afterwards { .. } | Part::Over => return 1.0,
        };
        (done.as_secs_f64() / whole.max(1e-9)).min(1.0)
    }

    /// What came of it; of a run that is not over, what came so far.
    pub fn finish(self) -> Outcome {
        self.measure.finish(&self.cluster)
    }

    /// The last lines of the trace.
    pub fn trace(&self) -> impl Iterator<Item = &str> {
        self.cluster.last_lines()
    }

    // Parts

    fn begin(&mut self) {
        let start = self.scenario.start.clone();
        self.launch();
        let first = Time::ZERO + start.head_start;
        let mut last = Time::ZERO;
        for other in 1..self.scenario.members {
            last = first + start.spacing * (other as u32 - 1);
            self.plan(last, Due::Launch);
        }
        self.measure.others_start(first);
        match start.settle {
            Some(settle) => {
                let until = last + settle.within;
                self.part = Part::Settling { until };
            }
            None => self.begin_measured(),
        }
    }

    fn part_end(&self) -> Time {
        let look = self.cluster.now() + LOOK;
        match self.part {
            Part::Settling { until } | Part::Afterwards { until } => until.min(look),
            Part::Measured { until, .. } if self.scenario.end_when_agreed => until.min(look),
            Part::Quiet { until } | Part::Measured { until, .. } => until,
            Part::Over => self.cluster.now(),
        }
    }

    fn turn_part(&mut self) {
        let now = self.cluster.now();
        match self.part {
            Part::Settling { until } => {
                let all = self.members.len() == self.scenario.members;
                let agreed = all && self.agrees();
                if agreed {
                    self.measure.settled(now);
                }
                if agreed || now >= until {
                    let settle = self.scenario.start.settle.as_ref();
                    let quiet = settle.map_or(Duration::ZERO, |settle| settle.quiet);
                    self.part = Part::Quiet { until: now + quiet };
                }
            }
            Part::Quiet { until } if now >= until => self.begin_measured(),
            Part::Measured { until, .. } => {
                if self.scenario.start.settle.is_none()
                    && self.members.len() == self.scenario.members
                    && !self.measure.has_settled()
                    && self.agrees()
                {
                    self.measure.settled(now);
                }
                let over = self.scenario.end_when_agreed && self.steps_are_over() && self.agrees();
                if over || now >= until {
                    self.end_measured();
                }
            }
            Part::Afterwards { until } => {
                let agreed = self.agrees();
                if agreed || now >= until {
                    self.measure.afterwards(agreed, &self.cluster);
                    self.part = Part::Over;
                }
            }
            Part::Quiet { .. } | Part::Over => {}
        }
    }

    /// Whether all that are up hold each other for present, and no other; with verdicts, in one
    /// and the same view. Without a quorum that view stays what it was.
    fn agrees(&self) -> bool {
        let one_view = || {
            if self.cluster.has_quorum() {
                self.cluster.is_unanimous()
            } else {
                self.cluster.holds_one_view()
            }
        };
        (!self.scenario.config.parts.verdicts || one_view()) && self.cluster.agrees()
    }

    fn begin_measured(&mut self) {
        let from = self.cluster.now();
        let until = from + self.scenario.duration;
        self.part = Part::Measured { from, until };
        self.measure.begin(&self.cluster);
        for step in 0..self.scenario.steps.len() {
            let at = from + self.scenario.steps[step].at;
            self.plan(at, Due::Step(step, 0));
        }
        self.plan(from + Duration::from_secs(1), Due::Second);
        self.plan(from, Due::Sample);
    }

    fn steps_are_over(&self) -> bool {
        let still = |due: &Due| !matches!(due, Due::Second | Due::Sample);
        !self.plan.values().any(still) && self.is_calm()
    }

    fn end_measured(&mut self) {
        self.plan.clear();
        self.measure.end(&self.cluster);
        let Some(within) = self.scenario.agree_within else {
            self.part = Part::Over;
            return;
        };
        self.end_all();
        let until = self.cluster.now() + within;
        self.part = Part::Afterwards { until };
    }

    // What is due

    pub(super) fn plan(&mut self, at: Time, due: Due) {
        self.planned += 1;
        self.plan.insert((at, self.planned), due);
    }

    fn happen(&mut self, due: Due) {
        let now = self.cluster.now();
        match due {
            Due::Launch => self.launch(),
            Due::Step(step, time) => self.occur(step, time),
            Due::Begin(step, member) => self.begin_fault(step, member),
            Due::End(step, member) => self.end_fault(step, member),
            Due::Second => {
                self.measure.second(&self.cluster);
                self.plan(now + Duration::from_secs(1), Due::Second);
            }
            Due::Sample => {
                // Its end is open: it may be over long before.
                let open = self.scenario.end_when_agreed;
                let samples = if open { SAMPLES * 20 } else { SAMPLES };
                let step = (self.scenario.duration / samples).max(SLICE);
                if self.measure.sample(&self.cluster, step) {
                    self.plan(now + step, Due::Sample);
                }
            }
        }
    }

    fn launch(&mut self) {
        let number = self.members.len();
        let mut launch = Launch::numbered(number).config(self.scenario.config.clone());
        if number > 0 {
            launch = launch.seed(Launch::numbered(0).addr);
        }
        let name = launch.name.clone();
        let pid = self.cluster.launch(launch);
        self.members.push(pid);
        self.lasting.push(Vec::new());
        self.measure.member(name.as_str(), pid, self.cluster.now());
    }

    /// A step happens: to whom, and when again.
    fn occur(&mut self, number: usize, time: u32) {
        let now = self.cluster.now();
        let step = self.scenario.steps[number].clone();
        if let Fault::Network(faults) = &step.what {
            *self.cluster.network().faults() = faults.clone();
            if let Some(lasts) = step.lasts {
                self.plan(now + lasts, Due::End(number, 0));
            }
        } else if step.what == Fault::Join {
            let count = match step.whom {
                Whom::Some(count) => count,
                Whom::All | Whom::Named(_) | Whom::Share(_) => self.chosen(&step.whom, &[]).len(),
            };
            for place in 0..count {
                self.plan(now + step.spacing * place as u32, Due::Launch);
            }
        } else {
            let sides = match self.drawn[number].take().filter(|_| !step.redraw) {
                Some(sides) => sides,
                None => self.sides(&step.whom, step.what.others()),
            };
            if step.what == Fault::Partition {
                self.part_from(number, &sides.these);
            } else if step.what.others().is_some() {
                self.sever(number, &sides, step.lasts);
            } else {
                for (place, member) in sides.these.iter().enumerate() {
                    self.plan(
                        now + step.spacing * place as u32,
                        Due::Begin(number, *member),
                    );
                }
            }
            self.drawn[number] = Some(sides);
        }
        let next = time + 1;
        if let Some(every) = step.every
            && step.times.is_none_or(|times| next < times)
        {
            self.plan(now + every, Due::Step(number, next));
        }
    }

    /// The members a step concerns but those, drawn from the seed where that is asked for.
    pub(super) fn chosen(&mut self, whom: &Whom, but: &[usize]) -> Vec<usize> {
        let all = self.members.len();
        let fits = |at: &usize| !but.contains(at);
        // Not the seed of all, and only those that can be hurt now.
        let able = (1..all).filter(|at| self.is_running(*at) && fits(at));
        match whom {
            Whom::All => (0..all).filter(fits).collect(),
            Whom::Named(names) => {
                let number = |name: &String| name.strip_prefix('n')?.parse().ok();
                let numbers = names.iter().filter_map(number);
                numbers.filter(|at| *at < all && fits(at)).collect()
            }
            Whom::Some(count) => {
                let able: Vec<usize> = able.collect();
                self.cluster.dice().sample(&able, *count)
            }
            Whom::Share(part) => {
                let able: Vec<usize> = able.collect();
                let count = (part * all as f64).ceil() as usize;
                self.cluster.dice().sample(&able, count)
            }
        }
    }

    /// Whether its process has not ended; it may be paused.
    pub(super) fn is_up(&self, member: usize) -> bool {
        match self.cluster.condition(self.members[member]) {
            Condition::Running | Condition::Paused => true,
            Condition::Crashed | Condition::Stopped(..) => false,
        }
    }

    pub(super) fn is_running(&self, member: usize) -> bool {
        *self.cluster.condition(self.members[member]) == Condition::Running
    }
}

/// Whether the network never does anything but delay.
fn is_clean(scenario: &Scenario) -> bool {
    let clean = Faults {
        latency: scenario.network.latency.clone(),
        ..Faults::default()
    };
    let hurts = |step: &Step| step.what.is_of_all_at_once();
    scenario.network == clean && !scenario.steps.iter().any(hurts)
}
