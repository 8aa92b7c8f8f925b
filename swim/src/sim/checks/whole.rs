//! What must hold of a whole run. Each function looks at the cluster as it is now and gives what it
//! finds; the caller knows who was hurt, and says within which time a property must hold.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{Property, Violation};
use crate::coordinator::Verdict;
use crate::event::{DeadCause, EventKind, MemberInfo, State, UnreachableCause};
use crate::members::Name;
use crate::sim::cluster::Cluster;
use crate::sim::process::{Pid, Traffic};
use crate::time::Time;

/// A process that ended without a goodbye.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone {
    /// Which.
    pub pid: Pid,
    /// When it ended.
    pub since: Time,
}

/// What a quiet member may cost, in the mean of all.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Budget {
    /// Datagrams sent in a second.
    pub packets_per_s: f64,
    /// Bytes sent in a second in datagrams, with IP and UDP headers and sealing.
    pub bytes_per_s: f64,
    /// Streams opened in a second.
    pub streams_per_s: f64,
}

/// IPv4 and UDP headers and what sealing adds to a datagram.
const DATAGRAM_OVERHEAD: u64 = 28 + crate::limits::SEAL_BYTES as u64;

/// [`Property::Completeness`]: every observer holds everybody who is gone for longer than `within`
/// for gone, or has forgotten it.
pub fn completeness(
    cluster: &Cluster,
    observers: &[Pid],
    gone: &[Gone],
    within: Duration,
) -> Vec<Violation> {
    let now = cluster.now();
    let overdue = gone.iter().filter(|gone| gone.since + within <= now);
    let pairs = overdue.flat_map(|gone| observers.iter().map(move |at| (*at, gone)));
    let found = pairs.filter_map(|(at, gone)| {
        let member = held(cluster, at, gone.pid)?;
        let text = format!(
            "holds {} for {}, {:?} after it was gone (allowed: {within:?})",
            member.name,
            member.state,
            now - gone.since,
        );
        let present = match member.state {
            State::Alive | State::Suspect | State::Degraded => true,
            State::Unreachable | State::Left | State::Dead => false,
        };
        present.then(|| violation(cluster, Property::Completeness, Some(at), text))
    });
    found.collect()
}

/// [`Property::Completeness`], by verdict: in the view of no observer is a life that is gone for
/// longer than `within`. For times in which a quorum is held.
pub fn removed(
    cluster: &Cluster,
    observers: &[Pid],
    gone: &[Gone],
    within: Duration,
) -> Vec<Violation> {
    let now = cluster.now();
    let overdue = gone.iter().filter(|gone| gone.since + within <= now);
    let pairs = overdue.flat_map(|gone| observers.iter().map(move |at| (*at, gone)));
    let found = pairs.filter_map(|(at, gone)| {
        let life = cluster.node(gone.pid).me();
        let verdict = cluster.node(at).verdict_on(life.name.as_str(), life.instance);
        let (verdict, view) = verdict.filter(|(verdict, _)| *verdict == Verdict::Up)?;
        let text = format!(
            "holds {} for {verdict} since view {view}, {:?} after it was gone (allowed: {within:?})",
            life.name,
            now - gone.since,
        );
        Some(violation(cluster, Property::Completeness, Some(at), text))
    });
    found.collect()
}

/// [`Property::Accuracy`]: since `since` no observer told the death of any of `well`, which were
/// well all that time. Faulty members are not among the observers: what they believe is their own
/// affair as long as they convince nobody. Needs [`Options::watch`](crate::sim::Options).
pub fn accuracy(cluster: &Cluster, observers: &[Pid], well: &[Pid], since: Time) -> Vec<Violation> {
    let lives = |pid: &Pid| {
        let me = cluster.node(*pid).me();
        (me.name, me.instance)
    };
    let well: BTreeSet<_> = well.iter().map(lives).collect();
    let mut found = Vec::new();
    for at in observers {
        for event in cluster.events(*at) {
            if !tells_death(&event.kind) {
                continue;
            }
            let life = (event.member.name.clone(), event.member.instance);
            if event.time >= since && well.contains(&life) {
                let text = format!(
                    "told at {:?} the death of {}, which is well: {:?}",
                    event.time, life.0, event.kind
                );
                found.push(violation(cluster, Property::Accuracy, Some(*at), text));
            }
        }
    }
    found
}

/// Whether an event says that a life is over without another one in its place: as a verdict, or as
/// what one member believes.
fn tells_death(kind: &EventKind) -> bool {
    match kind {
        EventKind::Unreachable { cause } => match cause {
            UnreachableCause::Timeout { .. } | UnreachableCause::Told { .. } => true,
            UnreachableCause::Superseded { .. }
            | UnreachableCause::Goodbye
            | UnreachableCause::Verdict => false,
        },
        EventKind::Dead { cause } => match cause {
            DeadCause::Convicted { .. } | DeadCause::Unknown => true,
            DeadCause::Replaced { .. } => false,
        },
        EventKind::Reachable
        | EventKind::Suspect { .. }
        | EventKind::Degraded { .. }
        | EventKind::Up
        | EventKind::Left
        | EventKind::Updated
        | EventKind::AppUp { .. }
        | EventKind::AppDown { .. }
        | EventKind::AppHealth { .. }
        | EventKind::CoordinatorChanged
        | EventKind::QuorumLost
        | EventKind::QuorumRegained { .. }
        | EventKind::SelfRemoved { .. }
        | EventKind::SelfReadmitted => false,
    }
}

/// [`Property::Refutation`]: once the faults have ended for longer than `within`, no observer holds
/// any of `alive` for unreachable.
pub fn refutation(
    cluster: &Cluster,
    observers: &[Pid],
    alive: &[Pid],
    faults_ended: Time,
    within: Duration,
) -> Vec<Violation> {
    if faults_ended + within > cluster.now() {
        return Vec::new();
    }
    let pairs = observers
        .iter()
        .flat_map(|at| alive.iter().map(move |of| (*at, *of)));
    let found = pairs.filter_map(|(at, of)| {
        let member = held(cluster, at, of)?;
        let wrong = matches!(member.state, State::Unreachable | State::Dead);
        let text = || {
            format!(
                "holds {} for {} since {:?}, which is alive",
                member.name,
                member.state,
                cluster.world_time(at, member.since)
            )
        };
        wrong.then(|| violation(cluster, Property::Refutation, Some(at), text()))
    });
    found.collect()
}

/// [`Property::Healing`]: once the faults have ended for longer than `within`, all that are up
/// agree on who is there.
pub fn healing(cluster: &Cluster, faults_ended: Time, within: Duration) -> Vec<Violation> {
    if faults_ended + within > cluster.now() || cluster.agrees() {
        return Vec::new();
    }
    let text = format!(
        "{:?} after the faults ended: {}",
        cluster.now() - faults_ended,
        disagreements(cluster, 5).join("; ")
    );
    vec![violation(cluster, Property::Healing, None, text)]
}

/// [`Property::Healing`] of verdicts: once the faults have ended for longer than `within`, all that
/// are up hold one and the same view, in which just they are members; without a quorum whatever
/// view it is.
pub fn one_view(cluster: &Cluster, faults_ended: Time, within: Duration) -> Vec<Violation> {
    if faults_ended + within > cluster.now() || cluster.is_unanimous() {
        return Vec::new();
    }
    if !cluster.has_quorum() && cluster.holds_one_view() {
        return Vec::new();
    }
    let held = cluster.up().into_iter().map(|pid| {
        let node = cluster.node(pid);
        let view = node.mark().map_or(0, |mark| mark.view.0);
        let name = &cluster.launched(pid).name;
        format!(
            "{name} holds view {view} of {} members",
            node.standings().count()
        )
    });
    let held: Vec<String> = held.take(5).collect();
    let text = format!(
        "{:?} after the faults ended: {}",
        cluster.now() - faults_ended,
        held.join("; ")
    );
    vec![violation(cluster, Property::Healing, None, text)]
}

/// [`Property::ConstantCost`]: what these processes sent since `since`, when they had sent what is
/// given here, is in the mean within the budget. For quiet times.
pub fn constant_cost(
    cluster: &Cluster,
    before: &[(Pid, Traffic)],
    since: Time,
    budget: &Budget,
) -> Vec<Violation> {
    let seconds = (cluster.now() - since).as_secs_f64();
    if before.is_empty() || seconds == 0.0 {
        return Vec::new();
    }
    let share = before.len() as f64 * seconds;
    let mut sum = Traffic::default();
    for (pid, before) in before {
        let sent = cluster.traffic(*pid).since(before);
        sum.datagrams_sent += sent.datagrams_sent;
        sum.bytes_sent += sent.bytes_sent + sent.datagrams_sent * DATAGRAM_OVERHEAD;
        sum.streams_opened += sent.streams_opened;
    }
    let costs = [
        ("packets", sum.datagrams_sent, budget.packets_per_s),
        ("bytes", sum.bytes_sent, budget.bytes_per_s),
        ("new streams", sum.streams_opened, budget.streams_per_s),
    ];
    let dear = costs.iter().filter_map(|(what, sum, most)| {
        let each = *sum as f64 / share;
        let text = format!("each sends {each:.3} {what} a second, allowed are {most}");
        (each > *most).then(|| violation(cluster, Property::ConstantCost, None, text))
    });
    dear.collect()
}

/// Why the cluster does not agree, in at most so many sentences: who holds what of whom. Empty
/// when it does.
pub fn disagreements(cluster: &Cluster, most: usize) -> Vec<String> {
    if cluster.agrees() {
        return Vec::new();
    }
    let up = cluster.up();
    let mut lives: BTreeMap<Name, Vec<Pid>> = BTreeMap::new();
    for pid in &up {
        let name = cluster.launched(*pid).name.clone();
        lives.entry(name).or_default().push(*pid);
    }
    let twins = lives.iter().filter(|(_, pids)| pids.len() > 1);
    let twins = twins.map(|(name, pids)| format!("{} processes are up as {name}", pids.len()));
    let wrong = up.iter().flat_map(|at| wrong_at(cluster, *at, &lives));
    let mut reasons: Vec<String> = twins.chain(wrong).take(most).collect();
    if reasons.is_empty() {
        reasons.extend(differing_tables(cluster, &up).into_iter().take(most));
    }
    if reasons.is_empty() {
        reasons.push("the digests differ where the tables do not".to_owned());
    }
    reasons
}

/// Where what one process holds differs from what is there.
fn wrong_at<'a>(
    cluster: &'a Cluster,
    at: Pid,
    lives: &'a BTreeMap<Name, Vec<Pid>>,
) -> impl Iterator<Item = String> + 'a {
    let me = &cluster.launched(at).name;
    let node = cluster.node(at);
    let held_wrongly = lives.iter().filter_map(move |(name, pids)| {
        let (name, newest) = (name.as_str(), pids.last()?);
        let instance = cluster.node(*newest).me().instance;
        match node.member(name) {
            None => Some(format!("{me} does not know {name}, which is up")),
            Some(member) if member.instance != instance => Some(format!(
                "{me} holds another life of {name} ({:?} instead of {instance:?}) for {}",
                member.instance, member.state
            )),
            Some(member) if member.state != State::Alive => Some(format!(
                "{me} holds {name} for {}, which is up",
                member.state
            )),
            Some(_) => None,
        }
    });
    let mut ghosts: Vec<MemberInfo> = node
        .members()
        .filter(|member| member.state == State::Alive && !lives.contains_key(&member.name))
        .collect();
    ghosts.sort_by(|one, other| one.name.cmp(&other.name));
    let ghosts = ghosts
        .into_iter()
        .map(move |member| format!("{me} holds {} for alive, which is not up", member.name));
    held_wrongly.chain(ghosts)
}

/// Who holds what otherwise than the first process does.
fn differing_tables(cluster: &Cluster, up: &[Pid]) -> Vec<String> {
    let table = |pid: Pid| -> BTreeMap<Name, MemberInfo> {
        let members = cluster.node(pid).members();
        members
            .map(|member| (member.name.clone(), member))
            .collect()
    };
    let words = |member: Option<&MemberInfo>| match member {
        None => "nothing".to_owned(),
        Some(member) => format!(
            "{} {:?} {:?} at {} with {:?} and {:?}",
            member.state,
            member.instance,
            member.incarnation,
            member.addr,
            member.tags,
            member.apps
        ),
    };
    let Some((first, others)) = up.split_first() else {
        return Vec::new();
    };
    let theirs = table(*first);
    let mut found = Vec::new();
    for other in others {
        let ours = table(*other);
        let names: BTreeSet<&Name> = theirs.keys().chain(ours.keys()).collect();
        for name in names {
            let (one, two) = (words(theirs.get(name)), words(ours.get(name)));
            if one != two {
                let (first, other) = (cluster.launched(*first), cluster.launched(*other));
                found.push(format!(
                    "of {name} {} holds {one}, {} {two}",
                    first.name, other.name
                ));
            }
        }
    }
    found
}

/// What one process holds of exactly this life of another.
fn held(cluster: &Cluster, at: Pid, of: Pid) -> Option<MemberInfo> {
    let me = cluster.node(of).me();
    let member = cluster.node(at).member(me.name.as_str())?;
    (at != of && member.instance == me.instance).then_some(member)
}

fn violation(cluster: &Cluster, property: Property, at: Option<Pid>, text: String) -> Violation {
    let process = at.map(|pid| cluster.launched(pid).name.to_string());
    Violation {
        property,
        at: cluster.now(),
        process: process.unwrap_or_default(),
        text,
    }
}
