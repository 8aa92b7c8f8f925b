//! What came of a run, and of many.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::sim::checks::Violation;

/// What came of one run. Times are from the start of the measured part unless said otherwise.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The seed it replays from.
    pub seed: u64,
    /// The fingerprint of everything that happened.
    pub trace_hash: u64,
    /// How long it took from the first start of all others until all knew all; `None`: they did not
    /// in the time they had.
    pub settled_after: Option<Duration>,
    /// How long the measured part was.
    pub measured: Duration,
    /// One for each time that a member was hurt, in order.
    pub fates: Vec<Fate>,
    /// Events `member-unreachable` about members that were well, counted at each member that told
    /// it. A member is well unless a step concerns it now or did in the last minute; members
    /// that a partition keeps apart do not count.
    pub false_deaths: u64,
    /// Those told by a member that was itself well.
    pub false_deaths_at_healthy: u64,
    /// Events `member-unreachable` about members that were hurt and yet alive.
    pub deaths_of_hurt: u64,
    /// Events `member-suspect` about members that were well, at each member that told it.
    pub false_suspicions: u64,
    /// How often each member held each size of the membership at a change, over all members.
    pub sizes: BTreeMap<usize, u64>,
    /// Changes of the membership (members coming and going) that one member saw: median and worst.
    pub changes: (u32, u32),
    /// Datagrams and stream messages sent by all together.
    pub messages: u64,
    /// What a member sent and received.
    pub traffic: TrafficRates,
    /// Local health scores at the end: mean and worst.
    pub health: (f64, u8),
    /// After the measured part with all faults ended: how long until all that were up agreed;
    /// `None`: they did not within the time allowed, or a fault could not be ended.
    pub agreed_after: Option<Duration>,
    /// Members present, as each member saw it over time; kept when asked for.
    pub series: Option<Series>,
    /// Properties that did not hold.
    pub violations: Vec<Violation>,
}

/// What became of a member that was hurt.
#[derive(Clone, Debug, PartialEq)]
pub struct Fate {
    /// Its name.
    pub name: String,
    /// What was done to it: [`Fault::as_str`](super::Fault::as_str).
    pub fault: &'static str,
    /// When.
    pub onset: Duration,
    /// From then until the first well member told `member-unreachable` about it.
    pub first: Option<Duration>,
    /// Until the last well member had; `None`: not all did before it was well again, or the end.
    pub everywhere: Option<Duration>,
    /// How often the well member that did so most told its death.
    pub deaths: u32,
}

/// What a member sends and receives in a second, headers and sealing counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TrafficRates {
    /// Datagrams and segments of streams sent, mean of all members.
    pub packets_sent: f64,
    /// Bytes sent, mean of all members.
    pub bytes_sent: f64,
    /// Bytes received, mean of all members.
    pub bytes_received: f64,
    /// Most bytes that any member sent in any second.
    pub bytes_sent_max: u64,
    /// Most bytes that any member received in any second.
    pub bytes_received_max: u64,
    /// Bytes sent by all in each second.
    pub each_second: Vec<u64>,
}

/// How many members each member held for present, sampled.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// Time between samples.
    pub step: Duration,
    /// For each member, by name: a number for each sample; `None` while it is not up.
    pub present: Vec<(String, Vec<Option<u32>>)>,
}

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
    /// Of the first run that kept one.
    pub series: Option<Series>,
    /// Seed and property of each violation, at most a hundred; `violated` has the number.
    pub violations: Vec<(u64, Violation)>,
    /// Violations of all runs.
    pub violated: usize,
}
