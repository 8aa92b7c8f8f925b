//! What the scenarios have in common.

use std::ops::Range;
use std::str::FromStr;
use std::time::Duration;

use muster_swim::sim::{Cluster, Keeping, Launch, Options, Pid};
use muster_swim::{EventKind, State, Time};

pub(crate) const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

pub(crate) const fn secs(count: u64) -> Duration {
    Duration::from_secs(count)
}

pub(crate) const HOUR: Duration = secs(3600);

/// The seeds to run: these, or the ones that were asked for.
pub(crate) fn seeds(range: Range<u64>) -> Vec<u64> {
    let asked = setting::<String>("MUSTER_SIM_SEED").map(|asked| {
        let (first, end) = asked.split_once("..").unwrap_or((&asked, ""));
        let first = first
            .parse()
            .expect("MUSTER_SIM_SEED is SEED or FIRST..END");
        first..end.parse().unwrap_or(first + 1)
    });
    asked.unwrap_or(range).collect()
}

pub(crate) fn options() -> Options {
    Options {
        trace_lines: setting("MUSTER_SIM_TRACE").unwrap_or(0),
        ..Options::default()
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "a failing test is replayed from outside"
)]
fn setting<T: FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok()?.parse().ok()
}

/// Member number `at` of a cluster in which nobody votes: what there is are hints, as without a
/// quorum.
pub(crate) fn hinting(at: usize) -> Launch {
    Launch {
        keeping: Keeping::Nothing,
        ..Launch::numbered(at)
    }
}

/// A cluster whose `count` members agree and have talked for a while. Nobody votes.
pub(crate) fn settled(seed: u64, count: usize) -> (Cluster, Vec<Pid>) {
    settled_with(seed, options(), count, hinting)
}

pub(crate) fn settled_with(
    seed: u64,
    options: Options,
    count: usize,
    launch: impl Fn(usize) -> Launch,
) -> (Cluster, Vec<Pid>) {
    let mut cluster = Cluster::new(seed, options);
    let pids = cluster.grow(count, launch);
    must(
        &mut cluster,
        secs(30),
        "the members find each other",
        Cluster::agrees,
    );
    cluster.run_for(secs(12));
    assert!(cluster.agrees(), "a calm cluster stays as it is");
    (cluster, pids)
}

/// Lets time pass until the condition holds, and gives how much did. Fails when that is more than
/// `limit`.
pub(crate) fn must(
    cluster: &mut Cluster,
    limit: Duration,
    what: &str,
    condition: impl Fn(&Cluster) -> bool,
) -> Duration {
    let took = cluster.run_until(limit, condition);
    took.unwrap_or_else(|| panic!("within {limit:?}: {what}"))
}

/// The times at which `at` told an event of this kind about `of`, since `since`.
pub(crate) fn told(cluster: &Cluster, at: Pid, of: Pid, kind: &str, since: Time) -> Vec<Time> {
    let name = &cluster.launched(of).name;
    let events = cluster.events(at).iter();
    events
        .filter(|event| event.time >= since)
        .filter(|event| event.member.name == *name && event.kind.as_str() == kind)
        .map(|event| event.time)
        .collect()
}

/// Whether everybody in `observers` holds every one of `subjects` for `state`.
pub(crate) fn all_hold(
    cluster: &Cluster,
    observers: &[Pid],
    subjects: &[Pid],
    state: State,
) -> bool {
    let mut pairs = observers
        .iter()
        .flat_map(|at| subjects.iter().map(move |of| (*at, *of)));
    pairs.all(|(at, of)| at == of || cluster.state(at, of) == Some(state))
}

/// All events of a kind since `since`, with the process that told them.
pub(crate) fn all_told(cluster: &Cluster, kind: &str, since: Time) -> Vec<(Pid, String)> {
    let up = cluster.up();
    let events = up
        .iter()
        .flat_map(|pid| cluster.events(*pid).iter().map(|event| (*pid, event)));
    events
        .filter(|(_, event)| event.time >= since && event.kind.as_str() == kind)
        .map(|(pid, event)| (pid, format!("{event:?}")))
        .collect()
}

/// Those of the suspicions told since `since` that `by` began.
pub(crate) fn accusations_by(cluster: &Cluster, by: Pid, since: Time) -> Vec<String> {
    let accuser = &cluster.launched(by).name;
    let up = cluster.up();
    let events = up.iter().flat_map(|pid| cluster.events(*pid).iter());
    events
        .filter(|event| event.time >= since)
        .filter(|event| matches!(&event.kind, EventKind::Suspect { by, .. } if by == accuser))
        .map(|event| format!("{event:?}"))
        .collect()
}
