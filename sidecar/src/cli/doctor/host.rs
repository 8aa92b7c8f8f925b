//! The host: whether its clock runs at the right rate, and how many files the agent may open.

use std::fs;
use std::time::Duration;

use muster_swim::limits;
use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

use super::finding::Finding;
use crate::api::model::Status;

/// The clock must be watched for so long.
pub(super) const SPAN: Duration = Duration::from_secs(1);

/// What a lease allows for between two voters (DESIGN guarantee 1), in parts per million.
const ALLOWED: i64 = 10_000;

/// Twice what NTP corrects a clock by at most.
const DOUBTFUL: i64 = 1_000;

/// Streams to members at their maximum, and 128 local clients.
const WANTED: u64 = limits::STREAMS as u64 + 128 + OTHERS;

/// Sockets, timers, the store, the log, closing streams.
const OTHERS: u64 = 64;

/// A member among many: six buddies, links both ways, a pull now and then, a few clients.
const LEAST: u64 = 64 + limits::LINKS as u64 + OTHERS;

/// Two clocks at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    /// The one that Muster uses, steered by NTP.
    steered: Duration,
    /// The one of the hardware.
    raw: Duration,
}

impl Moment {
    pub(super) fn now() -> Moment {
        let read = |clock| {
            let time = clock_gettime(clock);
            let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
            let nanos = u32::try_from(time.tv_nsec).unwrap_or_default();
            Duration::new(seconds, nanos)
        };
        Moment {
            steered: read(ClockId::Monotonic),
            raw: read(ClockId::MonotonicRaw),
        }
    }

    /// What is missing until the clock was watched long enough.
    pub(super) fn left(&self) -> Duration {
        SPAN.saturating_sub(Moment::now().raw.saturating_sub(self.raw))
    }
}

/// The rate of the clock since an earlier moment.
pub(super) fn clock(since: Moment, now: Moment) -> Finding {
    let steered = now.steered.saturating_sub(since.steered);
    let raw = now.raw.saturating_sub(since.raw);
    judge_clock(parts_per_million(steered, raw))
}

/// How much faster the first ran than the second.
fn parts_per_million(steered: Duration, raw: Duration) -> i64 {
    let nanos = |time: Duration| i64::try_from(time.as_nanos()).unwrap_or(i64::MAX);
    let (steered, raw) = (nanos(steered), nanos(raw).max(1));
    (steered - raw).saturating_mul(1_000_000) / raw
}

fn judge_clock(rate: i64) -> Finding {
    let found = format!("the clock is steered by {rate} millionths of its rate");
    let advice = "see the time service (chronyc tracking, timedatectl): two voters whose clocks \
                  differ by more than 1 % in rate may both believe to decide";
    match rate.abs() {
        0..=DOUBTFUL => Finding::ok("clock", found),
        rate if rate <= ALLOWED => Finding::warn("clock", found, advice),
        _ => Finding::fail("clock", found, advice),
    }
}

/// How many files the agent may open, or one that this user would start.
pub(super) fn descriptors(agent: Option<&Status>) -> Finding {
    let of_agent = agent.and_then(|agent| limit_of(agent.pid));
    let Some(limit) = of_agent else {
        // The agent raises its limit as far as it may.
        let own = getrlimit(Resource::Nofile).maximum;
        return judge_limit(own, None, "this user's limit is");
    };
    let open = agent.and_then(|agent| fs::read_dir(format!("/proc/{}/fd", agent.pid)).ok());
    let open = open.map(|files| files.count() as u64);
    judge_limit(limit, open, "the agent may open")
}

/// The limit of an agent, if it is a process that this one sees; `None` in one: no limit.
fn limit_of(pid: u32) -> Option<Option<u64>> {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    if name.trim_end() != "muster" {
        return None;
    }
    limit_in(&fs::read_to_string(format!("/proc/{pid}/limits")).ok()?)
}

/// The soft limit in proc_pid_limits(5): `Max open files  1024  4096  files`.
fn limit_in(text: &str) -> Option<Option<u64>> {
    let mut lines = text.lines();
    let values = lines.find_map(|line| line.strip_prefix("Max open files"))?;
    match values.split_whitespace().next()? {
        "unlimited" => Some(None),
        number => number.parse().ok().map(Some),
    }
}

fn judge_limit(limit: Option<u64>, open: Option<u64>, whose: &str) -> Finding {
    let Some(limit) = limit else {
        return Finding::ok("files", format!("{whose} any number of files"));
    };
    let used = open.map_or(String::new(), |open| format!(", {open} are open"));
    let found = format!(
        "{whose} {limit} files{used}; streams at their most and 128 local clients take {WANTED}"
    );
    let advice = format!("start it with a limit of {WANTED} or more (ulimit -Hn, LimitNOFILE=)");
    let is_nearly_used =
        open.is_some_and(|open| open.saturating_mul(10) >= limit.saturating_mul(9));
    match limit {
        limit if limit < LEAST || is_nearly_used => Finding::fail("files", found, advice),
        limit if limit < WANTED => Finding::warn("files", found, advice),
        _ => Finding::ok("files", found),
    }
}

#[cfg(test)]
mod tests;
