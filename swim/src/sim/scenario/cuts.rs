//! Cuts between some members and some others, of which several may last at once.

use std::net::IpAddr;
use std::time::Duration;

use super::faults::Lasting;
use super::run::{Due, Run};
use super::{Fault, Whom};

/// What a step keeps apart.
#[derive(Clone, Debug)]
pub(super) struct Severed {
    step: usize,
    these: Vec<usize>,
    others: Vec<usize>,
    both_ways: bool,
}

/// Whom a step concerns, and the other side where it has one.
#[derive(Clone, Debug, Default)]
pub(super) struct Sides {
    pub(super) these: Vec<usize>,
    pub(super) others: Vec<usize>,
}

impl Run {
    /// Draws both sides; nobody is on both. Names go first: they are meant as they stand.
    pub(super) fn sides(&mut self, whom: &Whom, others: Option<&Whom>) -> Sides {
        let Some(others) = others else {
            let these = self.chosen(whom, &[]);
            return Sides {
                these,
                others: Vec::new(),
            };
        };
        if let Whom::Named(_) = others {
            let others = self.chosen(others, &[]);
            let these = self.chosen(whom, &others);
            return Sides { these, others };
        }
        let these = self.chosen(whom, &[]);
        let others = self.chosen(others, &these);
        Sides { these, others }
    }

    /// The step cuts its sides off from each other.
    pub(super) fn sever(&mut self, step: usize, sides: &Sides, lasts: Option<Duration>) {
        let now = self.cluster.now();
        let fault = self.scenario.steps[step].what.clone();
        // Between some and all others nothing is wrong with the others.
        let all = fault.others() == Some(&Whom::All);
        let others = sides.others.iter().filter(|_| !all);
        for member in sides.these.iter().chain(others) {
            self.measure.hurt(*member, fault.as_str(), now);
            self.lasting[*member].push(Lasting::of(step, fault.clone()));
        }
        self.severed.push(Severed {
            step,
            these: sides.these.clone(),
            others: sides.others.clone(),
            both_ways: matches!(fault, Fault::PartialPartition(_)),
        });
        self.cut_as_severed();
        if let Some(lasts) = lasts {
            self.plan(now + lasts, Due::End(step, 0));
        }
    }

    /// What the step kept apart is so no more.
    pub(super) fn mend(&mut self, step: usize) {
        self.severed.retain(|severed| severed.step != step);
        self.cut_as_severed();
        for member in 0..self.members.len() {
            self.let_go(member, step);
        }
    }

    fn cut_as_severed(&mut self) {
        let host = |member: &usize| self.cluster.host(self.members[*member]);
        let mut pairs: Vec<(IpAddr, IpAddr)> = Vec::new();
        for severed in &self.severed {
            for one in severed.these.iter().map(host) {
                for other in severed.others.iter().map(host) {
                    pairs.push((one, other));
                    if severed.both_ways {
                        pairs.push((other, one));
                    }
                }
            }
        }
        self.cluster.network().set_cuts(pairs);
    }
}
