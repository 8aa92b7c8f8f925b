//! What is done to members, and how what lasts at once goes together.
//!
//! Of each member the faults that last are kept; how its process stands follows from all of them.
//! So any may begin and end while others last.

use std::time::Duration;

use super::Fault;
use super::run::{Due, Run};
use crate::sim::{Condition, Pid};

/// A fault that lasts, and the step it is of.
#[derive(Clone, Debug)]
pub(super) struct Lasting {
    step: usize,
    fault: Fault,
}

impl Lasting {
    pub(super) fn of(step: usize, fault: Fault) -> Lasting {
        Lasting { step, fault }
    }
}

/// How often it is looked whether one that says goodbye is gone, so that it can start again.
const GOODBYE: Duration = Duration::from_millis(100);

impl Run {
    pub(super) fn part_from(&mut self, step: usize, chosen: &[usize]) {
        let now = self.cluster.now();
        let lasts = self.scenario.steps[step].lasts;
        let pids: Vec<Pid> = chosen.iter().map(|at| self.members[*at]).collect();
        self.cluster.partition(&pids);
        for member in chosen {
            self.measure.hurt(*member, "partition", now);
            let fault = Fault::Partition;
            self.lasting[*member].push(Lasting { step, fault });
        }
        self.measure.part(chosen);
        if let (Some(lasts), Some(first)) = (lasts, chosen.first()) {
            self.plan(now + lasts, Due::End(step, *first));
        }
    }

    pub(super) fn begin_fault(&mut self, number: usize, member: usize) {
        let now = self.cluster.now();
        let step = &self.scenario.steps[number];
        let (fault, lasts) = (step.what.clone(), step.lasts);
        // Whoever is down cannot be hurt, and whoever is stopped cannot say goodbye.
        let goodbye = fault == Fault::Leave;
        if !self.is_up(member) || (goodbye && !self.is_running(member)) {
            return;
        }
        if !fault.is_harmless() {
            self.measure.hurt(member, fault.as_str(), now);
        }
        let pid = self.members[member];
        match &fault {
            Fault::ResetStreams => return self.cluster.reset_streams(pid),
            Fault::ClockJump(jump) => return self.cluster.jump_wall_clock(pid, *jump),
            Fault::Crash => self.cluster.crash(pid),
            Fault::CrashHost => self.cluster.crash_host(pid),
            Fault::Leave => self.cluster.leave(pid),
            Fault::Restart => {
                self.cluster.crash(pid);
                return self.restart(member);
            }
            Fault::Pause
            | Fault::Block
            | Fault::BlockProber
            | Fault::Starve(_)
            | Fault::Loss { .. }
            | Fault::ClockRate(_) => {}
            Fault::Partition
            | Fault::Cut(_)
            | Fault::PartialPartition(_)
            | Fault::Join
            | Fault::Network(_) => {
                unreachable!("these do not happen to one member: `occur` has done them")
            }
        }
        self.lasting[member].push(Lasting {
            step: number,
            fault,
        });
        self.shape(member);
        if let Some(lasts) = lasts {
            self.plan(now + lasts, Due::End(number, member));
        }
    }

    pub(super) fn end_fault(&mut self, number: usize, member: usize) {
        let now = self.cluster.now();
        match self.scenario.steps[number].what {
            Fault::Network(_) => *self.cluster.network().faults() = self.scenario.network.clone(),
            Fault::Partition => {
                self.cluster.network().partition(&[]);
                self.measure.unite(now);
                for member in 0..self.members.len() {
                    self.let_go(member, number);
                }
            }
            Fault::Cut(_) | Fault::PartialPartition(_) => self.mend(number),
            Fault::Leave if self.is_up(member) && self.has(member, number) => {
                // It still says goodbye.
                self.plan(now + GOODBYE, Due::End(number, member));
            }
            Fault::Crash
            | Fault::CrashHost
            | Fault::Leave
            | Fault::Pause
            | Fault::Block
            | Fault::BlockProber
            | Fault::Starve(_)
            | Fault::Loss { .. }
            | Fault::ResetStreams
            | Fault::ClockRate(_)
            | Fault::ClockJump(_)
            | Fault::Restart
            | Fault::Join => self.let_go(member, number),
        }
    }

    fn has(&self, member: usize, step: usize) -> bool {
        self.lasting[member]
            .iter()
            .any(|lasting| lasting.step == step)
    }

    /// The fault of this step is over for a member, if it had it.
    pub(super) fn let_go(&mut self, member: usize, step: usize) {
        if !self.has(member, step) {
            return;
        }
        self.lasting[member].retain(|lasting| lasting.step != step);
        if ends(&self.scenario.steps[step].what) && !self.is_up(member) {
            return self.restart(member);
        }
        self.shape(member);
        if !self.scenario.steps[step].what.is_harmless() {
            self.if_well(member);
        }
    }

    fn restart(&mut self, member: usize) {
        let now = self.cluster.now();
        let pid = self.cluster.restart(self.members[member]);
        self.members[member] = pid;
        self.measure.restarted(member, pid, now);
        // What was done to the process ended with it; what was done to its host goes on.
        self.lasting[member].retain(|lasting| {
            let fault = &lasting.fault;
            let of_process = matches!(fault, Fault::Pause | Fault::Block | Fault::BlockProber);
            !of_process && !ends(fault)
        });
        self.shape(member);
        self.if_well(member);
    }

    fn if_well(&mut self, member: usize) {
        let mut lasting = self.lasting[member].iter();
        if lasting.all(|lasting| lasting.fault.is_harmless()) {
            self.measure.well(member, self.cluster.now());
        }
    }

    /// Ends all that lasts, but that the dead stay dead.
    pub(super) fn end_all(&mut self) {
        for member in 0..self.members.len() {
            self.lasting[member].retain(|lasting| ends(&lasting.fault));
            self.shape(member);
        }
        self.severed.clear();
        self.cluster.network().heal();
        let links = self.scenario.network.without_loss();
        *self.cluster.network().faults() = links;
    }

    /// Whether nothing lasts but death, and what does no harm.
    pub(super) fn is_calm(&self) -> bool {
        let mut lasting = self.lasting.iter().flatten();
        lasting.all(|lasting| ends(&lasting.fault) || lasting.fault.is_harmless())
    }

    /// Makes a process stand as all that lasts says.
    fn shape(&mut self, member: usize) {
        if !self.is_up(member) {
            return;
        }
        let pid = self.members[member];
        let faults = || self.lasting[member].iter().map(|lasting| &lasting.fault);
        let paused = faults().any(|fault| *fault == Fault::Pause);
        let prober = faults().any(|fault| *fault == Fault::BlockProber);
        let blocked = prober || faults().any(|fault| *fault == Fault::Block);
        let late = faults().filter_map(|fault| {
            let Fault::Starve(late) = fault else {
                return None;
            };
            Some(*late)
        });
        let late = late.max().unwrap_or_default();
        let losses = faults().filter_map(|fault| {
            let Fault::Loss { incoming, outgoing } = fault else {
                return None;
            };
            Some((*incoming, *outgoing))
        });
        let worse = |one: (f64, f64), other: (f64, f64)| (one.0.max(other.0), one.1.max(other.1));
        let (incoming, outgoing) = losses.fold((0.0, 0.0), worse);
        let rates = faults().filter_map(|fault| {
            let Fault::ClockRate(ppm) = fault else {
                return None;
            };
            Some(*ppm)
        });
        let ppm = rates.max_by_key(|ppm| ppm.abs()).unwrap_or_default();
        self.cluster.set_clock_rate(pid, ppm);
        let host = self.cluster.host(pid);
        self.cluster.network().lose(host, incoming, outgoing);
        self.cluster.starve(pid, Duration::ZERO..late);
        let is_paused = *self.cluster.condition(pid) == Condition::Paused;
        if is_paused && !paused {
            self.cluster.resume(pid);
        }
        if !blocked {
            self.cluster.unblock(pid);
        } else if !self.cluster.is_blocked(pid) && self.is_running(member) {
            self.cluster.block(pid, prober);
        }
        if paused && self.is_running(member) {
            self.cluster.pause(pid);
        }
    }
}

/// Whether the process is gone while it lasts.
fn ends(fault: &Fault) -> bool {
    matches!(fault, Fault::Crash | Fault::CrashHost | Fault::Leave)
}
