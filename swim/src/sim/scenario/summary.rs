//! What came of many runs.

use std::time::Duration;

use super::outcome::{Outcome, Series, TrafficRates};
use crate::sim::checks::Violation;

/// Violations that a [`Summary`] keeps whole; all are counted.
const VIOLATIONS_KEPT: usize = 100;

/// Median, high percentiles and worst of durations.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spread {
    /// All of them, sorted.
    sorted: Vec<Duration>,
}

impl Spread {
    /// Of these.
    pub fn of(durations: impl IntoIterator<Item = Duration>) -> Spread {
        let mut sorted: Vec<Duration> = durations.into_iter().collect();
        sorted.sort();
        Spread { sorted }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.sorted.len()
    }

    /// The smallest that at least this part (0 to 1) does not exceed (nearest rank).
    pub fn quantile(&self, part: f64) -> Option<Duration> {
        let rank = (part * self.sorted.len() as f64).ceil() as usize;
        self.sorted
            .get(rank.clamp(1, self.sorted.len().max(1)) - 1)
            .copied()
    }

    /// The median.
    pub fn median(&self) -> Option<Duration> {
        self.quantile(0.5)
    }

    /// The worst.
    pub fn worst(&self) -> Option<Duration> {
        self.sorted.last().copied()
    }

    /// All of them, shortest first.
    pub fn sorted(&self) -> &[Duration] {
        &self.sorted
    }
}

/// Many runs of one scenario together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// How many runs.
    pub runs: usize,
    /// Runs in which all found each other before the measured part.
    pub settled: usize,
    /// How long that took.
    pub settling: Spread,
    /// How many members were hurt, over all runs.
    pub hurt: usize,
    /// From onset to the first that knew.
    pub first: Spread,
    /// From onset to the last that knew.
    pub everywhere: Spread,
    /// Sums over all runs.
    pub false_deaths: u64,
    /// Sums over all runs.
    pub false_deaths_at_healthy: u64,
    /// Sums over all runs.
    pub deaths_of_hurt: u64,
    /// Sums over all runs.
    pub false_suspicions: u64,
    /// Sums over all runs.
    pub false_hints: u64,
    /// Most deaths of one hurt member told by one well member.
    pub deaths_worst: u32,
    /// Different sizes of the membership that anybody saw; worst of all runs.
    pub sizes: usize,
    /// Changes that one member saw: median of the medians, and worst.
    pub changes: (u32, u32),
    /// Messages in a run, mean.
    pub messages: f64,
    /// Means over the runs; worst of the maxima. Each second: of the first run.
    pub traffic: TrafficRates,
    /// Mean of the means, and worst.
    pub health: (f64, u8),
    /// Until all agreed after the faults ended.
    pub agreed_after: Spread,
    /// Runs that did not come to agree.
    pub disagreeing: usize,
    /// Runs that were left without a quorum.
    pub without_quorum: usize,
    /// Of the first run that kept one.
    pub series: Option<Series>,
    /// Seed and property of each violation, at most a hundred; `violated` has the number.
    pub violations: Vec<(u64, Violation)>,
    /// Violations of all runs.
    pub violated: usize,
}

impl Summary {
    /// Of these, in their order.
    pub fn of(outcomes: &[Outcome]) -> Summary {
        let fates = || outcomes.iter().flat_map(|outcome| &outcome.fates);
        let sum = |number: fn(&Outcome) -> u64| outcomes.iter().map(number).sum::<u64>();
        let violations = || {
            outcomes.iter().flat_map(|outcome| {
                let seed = outcome.seed;
                outcome.violations.iter().map(move |found| (seed, found))
            })
        };
        Summary {
            runs: outcomes.len(),
            settled: outcomes.iter().flat_map(|o| o.settled_after).count(),
            settling: Spread::of(outcomes.iter().flat_map(|o| o.settled_after)),
            hurt: fates().count(),
            first: Spread::of(fates().flat_map(|fate| fate.first)),
            everywhere: Spread::of(fates().flat_map(|fate| fate.everywhere)),
            false_deaths: sum(|o| o.false_deaths),
            false_deaths_at_healthy: sum(|o| o.false_deaths_at_healthy),
            deaths_of_hurt: sum(|o| o.deaths_of_hurt),
            false_suspicions: sum(|o| o.false_suspicions),
            false_hints: sum(|o| o.false_hints),
            deaths_worst: fates().map(|fate| fate.deaths).max().unwrap_or(0),
            sizes: outcomes.iter().map(|o| o.sizes.len()).max().unwrap_or(0),
            changes: (
                median(outcomes.iter().map(|o| o.changes.0)),
                outcomes.iter().map(|o| o.changes.1).max().unwrap_or(0),
            ),
            messages: mean(outcomes, |o| o.messages as f64),
            traffic: traffic(outcomes),
            health: (
                mean(outcomes, |o| o.health.0),
                outcomes.iter().map(|o| o.health.1).max().unwrap_or(0),
            ),
            agreed_after: Spread::of(outcomes.iter().flat_map(|o| o.agreed_after)),
            disagreeing: outcomes.iter().filter(|o| o.agreed_after.is_none()).count(),
            without_quorum: outcomes.iter().filter(|o| o.without_quorum).count(),
            series: outcomes.iter().find_map(|o| o.series.clone()),
            violations: violations()
                .take(VIOLATIONS_KEPT)
                .map(|(seed, found)| (seed, found.clone()))
                .collect(),
            violated: violations().count(),
        }
    }
}

fn traffic(outcomes: &[Outcome]) -> TrafficRates {
    let worst = |number: fn(&TrafficRates) -> u64| {
        let numbers = outcomes.iter().map(|outcome| number(&outcome.traffic));
        numbers.max().unwrap_or(0)
    };
    TrafficRates {
        packets_sent: mean(outcomes, |o| o.traffic.packets_sent),
        bytes_sent: mean(outcomes, |o| o.traffic.bytes_sent),
        bytes_received: mean(outcomes, |o| o.traffic.bytes_received),
        bytes_sent_max: worst(|traffic| traffic.bytes_sent_max),
        bytes_received_max: worst(|traffic| traffic.bytes_received_max),
        each_second: outcomes
            .first()
            .map(|outcome| outcome.traffic.each_second.clone())
            .unwrap_or_default(),
    }
}

/// The mean over the runs; of no run 0.
fn mean(outcomes: &[Outcome], number: fn(&Outcome) -> f64) -> f64 {
    outcomes.iter().map(number).sum::<f64>() / outcomes.len().max(1) as f64
}

/// The lower of the middle ones; of none 0.
fn median(numbers: impl Iterator<Item = u32>) -> u32 {
    let mut sorted: Vec<u32> = numbers.collect();
    sorted.sort_unstable();
    let middle = sorted.len().saturating_sub(1) / 2;
    sorted.get(middle).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests;
