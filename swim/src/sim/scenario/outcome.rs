//! What came of a run.

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
    /// Verdicts `member-dead` on members that were well, counted at each member that told it;
    /// without verdicts, events `member-unreachable`. A member is well unless a step concerns it
    /// now or did in the last minute; members that a partition keeps apart do not count.
    pub false_deaths: u64,
    /// Those told by a member that was itself well.
    pub false_deaths_at_healthy: u64,
    /// The same of members that were hurt and yet alive.
    pub deaths_of_hurt: u64,
    /// With verdicts: events `member-unreachable` about members that were well.
    pub false_hints: u64,
    /// Changes of the membership that members which were well saw of a hurt one after they had told
    /// its death twice.
    pub changes_after_second_death: u64,
    /// Events `member-suspect` about members that were well, at each member that told it.
    pub false_suspicions: u64,
    /// Sizes of the membership that anybody held when it was looked at, once a second, and how
    /// often, over all members.
    pub sizes: BTreeMap<usize, u64>,
    /// Sizes of the membership held at the end: least, median, most.
    pub sizes_at_end: [usize; 3],
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
    /// Whether too few voters were left at the end to decide anything: then nobody is removed any
    /// more, and all that is asked for is that all hold the same.
    pub without_quorum: bool,
    /// Members present, as each member saw it over time; kept when asked for.
    pub series: Option<Series>,
    /// Properties that did not hold.
    pub violations: Vec<Violation>,
}

impl Outcome {
    /// Of a run that has not begun.
    pub(super) fn of_seed(seed: u64) -> Outcome {
        Outcome {
            seed,
            trace_hash: 0,
            settled_after: None,
            measured: Duration::ZERO,
            fates: Vec::new(),
            false_deaths: 0,
            false_deaths_at_healthy: 0,
            deaths_of_hurt: 0,
            false_hints: 0,
            changes_after_second_death: 0,
            false_suspicions: 0,
            sizes: BTreeMap::new(),
            sizes_at_end: [0; 3],
            changes: (0, 0),
            messages: 0,
            traffic: TrafficRates::default(),
            health: (0.0, 0),
            agreed_after: None,
            without_quorum: false,
            series: None,
            violations: Vec::new(),
        }
    }
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
    /// From then until the first well member told its death.
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
