//! How badly a path treats its packets: plain data, checked before use.

use std::ops::Range;
use std::time::Duration;

use crate::sim::dice::Dice;

/// How badly a path treats its packets. What is off draws nothing and costs nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Faults {
    /// One-way delay, drawn for every packet: a wide range reorders.
    pub latency: Latency,
    /// Probability (0 to 1) that a packet is lost. Of a stream, a lost segment comes later.
    pub loss: f64,
    /// Probability (0 to 1) that a datagram is lost while streams pass, as behind a firewall. On
    /// top of `loss`.
    pub datagram_loss: f64,
    /// Loss that comes in bursts, on top of `loss`.
    pub burst: Option<Burst>,
    /// Probability (0 to 1) that a datagram arrives twice.
    pub duplicate: f64,
    /// Probability (0 to 1) that a datagram is held back, and so overtaken, by up to `reorder_by`.
    pub reorder: f64,
    /// How long it is held back at most.
    pub reorder_by: Duration,
    /// What a host can send: packets wait behind each other.
    pub bandwidth: Option<Bandwidth>,
    /// Largest packet in bytes, with its IPv4 and UDP headers (28 bytes). A larger datagram
    /// vanishes; streams are cut to fit.
    pub mtu: Option<usize>,
}

/// How a delay is distributed.
#[derive(Clone, Debug, PartialEq)]
pub enum Latency {
    /// All delays of a range are equally likely; of an empty range: always its start.
    Uniform(Range<Duration>),
    /// As measured: a long tail.
    Quantiles(Quantiles),
}

/// A distribution by its quantiles; what lies between two of them is equally likely.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quantiles {
    /// None is shorter.
    pub min: Duration,
    /// Half are shorter.
    pub median: Duration,
    /// 90 of 100 are shorter.
    pub p90: Duration,
    /// 99 of 100 are shorter.
    pub p99: Duration,
    /// None is longer.
    pub max: Duration,
}

/// Loss in bursts (Gilbert and Elliott), on each link in each direction by itself. Bursts and the
/// times between them are of exponentially distributed length.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Burst {
    /// Probability (0 to 1) that a packet is lost during a burst.
    pub loss: f64,
    /// Mean length of a burst.
    pub lasts: Duration,
    /// Mean time from the start of one burst to the start of the next.
    pub every: Duration,
}

/// What the uplink of a host carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bandwidth {
    /// Bytes that leave in a second, headers counted.
    pub bytes_per_s: u64,
    /// Bytes that may wait. A datagram that does not fit is dropped; a segment of a stream comes
    /// later.
    pub queue_bytes: u64,
}

/// A fault out of its range; its author is at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} is {given}, allowed is {allowed}")]
pub struct FaultError {
    /// The field, as in `burst.loss`.
    pub field: &'static str,
    /// The value it has.
    pub given: String,
    /// The values it may have.
    pub allowed: String,
}

impl Default for Faults {
    fn default() -> Faults {
        Faults {
            latency: Latency::default(),
            loss: 0.0,
            datagram_loss: 0.0,
            burst: None,
            duplicate: 0.0,
            reorder: 0.0,
            reorder_by: Duration::from_millis(20),
            bandwidth: None,
            mtu: None,
        }
    }
}

impl Default for Latency {
    /// Hosts in one data centre: 200 µs to 1 ms.
    fn default() -> Latency {
        Latency::Uniform(Duration::from_micros(200)..Duration::from_millis(1))
    }
}

impl From<Range<Duration>> for Latency {
    fn from(range: Range<Duration>) -> Latency {
        Latency::Uniform(range)
    }
}

impl Latency {
    /// One delay.
    pub(in crate::sim) fn draw(&self, dice: &mut Dice) -> Duration {
        match self {
            Latency::Uniform(range) => dice.duration(range),
            Latency::Quantiles(quantiles) => quantiles.at(dice.number(0..PARTS as usize) as u64),
        }
    }
}

/// The resolution of a draw from quantiles.
const PARTS: u64 = 1_000_000;

impl Quantiles {
    /// The inverse of the distribution at `part` of [`PARTS`]: linear between the quantiles, in
    /// whole numbers.
    fn at(&self, part: u64) -> Duration {
        let steps = [
            (0, self.min),
            (PARTS / 100 * 50, self.median),
            (PARTS / 100 * 90, self.p90),
            (PARTS / 100 * 99, self.p99),
            (PARTS, self.max),
        ];
        for pair in steps.windows(2) {
            let ((low, from), (high, to)) = (pair[0], pair[1]);
            if part < high {
                let width = to.saturating_sub(from).as_nanos();
                let into = width * u128::from(part - low) / u128::from(high - low);
                return from + Duration::from_nanos(u64::try_from(into).unwrap_or(u64::MAX));
            }
        }
        self.max
    }
}

/// Longest delay that a path may have, and that a datagram may be held back.
const DELAY_MAX: Duration = Duration::from_secs(60);

/// Longest mean time from burst to burst.
const BURST_EVERY_MAX: Duration = Duration::from_secs(24 * 3600);

/// The smallest packet that every IPv4 link carries (RFC 791), and the largest there is.
const MTU: Range<u64> = 68..65_536;

/// The slowest and the fastest uplink: a kilobyte to 100 gigabytes a second.
const BYTES_PER_S: Range<u64> = 1000..100_000_000_001;

/// The shortest queue holds one full packet, the longest one gibibyte.
const QUEUE_BYTES: Range<u64> = 1500..(1 << 30) + 1;

impl Faults {
    /// The same links when they lose, repeat and reorder nothing.
    #[must_use]
    pub fn without_loss(&self) -> Faults {
        Faults {
            loss: 0.0,
            datagram_loss: 0.0,
            burst: None,
            duplicate: 0.0,
            reorder: 0.0,
            ..self.clone()
        }
    }

    /// Every value that is out of its range, in the order of the fields.
    pub fn check(&self) -> Vec<FaultError> {
        let mut found = Findings::default();
        match &self.latency {
            Latency::Uniform(range) => {
                found.duration("latency.min", range.start, Duration::ZERO, DELAY_MAX);
                found.duration("latency.max", range.end, range.start, DELAY_MAX);
            }
            Latency::Quantiles(quantiles) => quantiles.check(&mut found),
        }
        found.probability("loss", self.loss);
        found.probability("datagram_loss", self.datagram_loss);
        if let Some(burst) = &self.burst {
            burst.check(&mut found);
        }
        found.probability("duplicate", self.duplicate);
        found.probability("reorder", self.reorder);
        found.duration("reorder_by", self.reorder_by, Duration::ZERO, DELAY_MAX);
        if let Some(bandwidth) = &self.bandwidth {
            found.number("bandwidth.bytes_per_s", bandwidth.bytes_per_s, BYTES_PER_S);
            found.number("bandwidth.queue_bytes", bandwidth.queue_bytes, QUEUE_BYTES);
        }
        if let Some(mtu) = self.mtu {
            found.number("mtu", mtu as u64, MTU);
        }
        found.0
    }
}

impl Quantiles {
    fn check(&self, found: &mut Findings) {
        found.duration("latency.min", self.min, Duration::ZERO, DELAY_MAX);
        found.duration("latency.median", self.median, self.min, DELAY_MAX);
        found.duration("latency.p90", self.p90, self.median, DELAY_MAX);
        found.duration("latency.p99", self.p99, self.p90, DELAY_MAX);
        found.duration("latency.max", self.max, self.p99, DELAY_MAX);
    }
}

impl Burst {
    fn check(&self, found: &mut Findings) {
        let millisecond = Duration::from_millis(1);
        found.probability("burst.loss", self.loss);
        found.duration("burst.lasts", self.lasts, millisecond, BURST_EVERY_MAX / 2);
        let least = (self.lasts + millisecond).min(BURST_EVERY_MAX);
        found.duration("burst.every", self.every, least, BURST_EVERY_MAX);
    }
}

/// What is out of range so far.
#[derive(Default)]
struct Findings(Vec<FaultError>);

impl Findings {
    fn probability(&mut self, field: &'static str, value: f64) {
        // What is no number is in no range.
        if !(0.0..=1.0).contains(&value) {
            self.push(field, value.to_string(), "0 to 1".to_owned());
        }
    }

    fn duration(&mut self, field: &'static str, value: Duration, low: Duration, high: Duration) {
        if value < low || value > high {
            self.push(field, format!("{value:?}"), format!("{low:?} to {high:?}"));
        }
    }

    fn number(&mut self, field: &'static str, value: u64, range: Range<u64>) {
        if !range.contains(&value) {
            let allowed = format!("{} to {}", range.start, range.end - 1);
            self.push(field, value.to_string(), allowed);
        }
    }

    fn push(&mut self, field: &'static str, given: String, allowed: String) {
        self.0.push(FaultError {
            field,
            given,
            allowed,
        });
    }
}
