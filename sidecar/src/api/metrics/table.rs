//! The table of metrics.

use std::time::Duration;

use muster_swim::{Dropped, Quorum, Role, Stats};
use prometheus_client::registry::Unit;

use super::snapshot::{Snapshot, TrafficNow};
use super::{Kind, Metric, Samples};
use crate::agent::StoreFigures;

const QUORUMS: [Quorum; 3] = [Quorum::Forming, Quorum::Held, Quorum::Lost];

macro_rules! metric {
    ($kind:ident $name:literal [$labels:literal] $help:literal, $read:expr) => {
        metric!(@ $name, $kind, None, $labels, $help, $read)
    };
    ($kind:ident $name:literal in $unit:ident [$labels:literal] $help:literal, $read:expr) => {
        metric!(@ $name, $kind, Some(Unit::$unit), $labels, $help, $read)
    };
    (@ $name:literal, $kind:ident, $unit:expr, $labels:literal, $help:literal, $read:expr) => {
        Metric {
            name: $name,
            kind: Kind::$kind,
            unit: $unit,
            labels: $labels,
            help: concat!($help, "."),
            read: $read,
        }
    };
}

/// Every metric, in the order of the page.
pub(super) static TABLE: &[Metric] = &[
    metric!(
        Info "muster_build" ["version"]
        "Version of the agent",
        |_| Samples::Info(vec![("version", env!("CARGO_PKG_VERSION").to_owned())])
    ),
    metric!(
        Info "muster_member" ["cluster, name, zone"]
        "Which member this is; joins these words to the other metrics of an agent",
        |s| Samples::Info(vec![("cluster", s.cluster.clone()), ("name", s.name.clone()), ("zone", s.zone.clone())])
    ),
    metric!(
        Gauge "muster_instance" [""]
        "Present life of this member: a newer start has a larger number",
        |s| whole(s.instance)
    ),
    metric!(
        Gauge "muster_incarnation" [""]
        "Version of this member within its life: grows with refuted suspicions and new tags",
        |s| whole(u64::from(s.incarnation))
    ),
    metric!(
        Gauge "muster_members" ["state: alive, suspect, degraded, unreachable, left, dead"]
        "Members by what this agent believes of them",
        |s| each("state", s.states.iter().map(|(state, count)| (*state, *count)))
    ),
    metric!(
        Gauge "muster_view" [""]
        "Number of the last agreed membership that this agent knows",
        |s| whole(s.agreement.view.0)
    ),
    metric!(
        Gauge "muster_epoch" [""]
        "Term of the coordinator in that view",
        |s| whole(s.agreement.epoch.0)
    ),
    metric!(
        Gauge "muster_quorum" ["state: forming, held, lost"]
        "1 for the state of the quorum as seen from here, 0 for the others",
        |s| each("state", QUORUMS.map(|quorum| (quorum.as_str(), flag(quorum == s.agreement.quorum))))
    ),
    metric!(
        Gauge "muster_coordinator_known" [""]
        "1 while this agent knows who decides",
        |s| whole(flag(s.agreement.coordinator.is_some()))
    ),
    metric!(
        Gauge "muster_coordinator" [""]
        "1 while this member is the coordinator; the sum over all agents is to be 1",
        |s| whole(flag(s.is_coordinator))
    ),
    metric!(
        Gauge "muster_voter" [""]
        "1 while this member votes",
        |s| whole(flag(s.agreement.role == Role::Voter))
    ),
    metric!(
        Gauge "muster_voters" [""]
        "Members that vote, as this agent knows",
        |s| count(s.agreement.voters.len())
    ),
    metric!(
        Gauge "muster_conflict" [""]
        "1 after another cluster of the same name was met, which is kept apart",
        |s| whole(flag(s.agreement.conflict.is_some()))
    ),
    metric!(
        Gauge "muster_ready" [""]
        "1 while GET /readyz is answered well: a member of a cluster that can decide",
        |s| whole(flag(s.is_ready))
    ),
    metric!(
        Gauge "muster_stuck" [""]
        "1 while GET /healthz is answered badly: the loop is far behind its own deadline",
        |s| whole(flag(s.is_stuck))
    ),
    metric!(
        Gauge "muster_health_score" [""]
        "Local health: 0 is fine, 8 is worst; it stretches the timeouts of this member",
        |s| whole(u64::from(s.health))
    ),
    metric!(
        Gauge "muster_round_trips_measured" [""]
        "Members whose round-trip time is known here",
        |s| count(s.round_trips.len())
    ),
    metric!(
        Gauge "muster_round_trip_median" in Seconds [""]
        "Median of the smoothed round-trip times to members",
        |s| seconds(s.round_trip(0.5))
    ),
    metric!(
        Gauge "muster_round_trip_p90" in Seconds [""]
        "Smoothed round-trip time that nine of ten members do not exceed",
        |s| seconds(s.round_trip(0.9))
    ),
    metric!(
        Gauge "muster_round_trip_longest" in Seconds [""]
        "Longest of the smoothed round-trip times to members",
        |s| seconds(s.round_trip(1.0))
    ),
    metric!(
        Gauge "muster_buddies" [""]
        "Members next to this one on its rings, each counted once",
        |s| count(s.buddies)
    ),
    metric!(
        Gauge "muster_links" ["state: opening, up, down"]
        "Idle streams to buddies, and between voters",
        |s| each("state", s.links.iter().map(|(state, links)| (*state, wide(*links))))
    ),
    metric!(
        Gauge "muster_apps" [""]
        "Apps that run beside this member",
        |s| count(s.apps)
    ),
    metric!(
        Gauge "muster_seeds" [""]
        "Seeds that this agent joins through",
        |s| count(s.seeds)
    ),
    metric!(
        Gauge "muster_seeds_failing" [""]
        "Seeds whose last try failed",
        |s| count(s.failing_seeds)
    ),
    metric!(
        Counter "muster_datagrams_received" [""]
        "Datagrams accepted",
        |s| whole(s.stats.datagrams_received)
    ),
    metric!(
        Counter "muster_datagrams_sent" [""]
        "Datagrams handed to the network",
        |s| whole(s.stats.datagrams_sent)
    ),
    metric!(
        Counter "muster_datagrams_received" in Bytes [""]
        "Bytes of the datagrams accepted, without the headers of IP and UDP",
        |s| whole(s.stats.bytes_received)
    ),
    metric!(
        Counter "muster_datagrams_sent" in Bytes [""]
        "Bytes of the datagrams sent, without the headers of IP and UDP",
        |s| whole(s.stats.bytes_sent)
    ),
    metric!(
        Counter "muster_streams_opened" [""]
        "Streams opened to other members",
        |s| whole(s.stats.streams_opened)
    ),
    metric!(
        Counter "muster_streams_accepted" [""]
        "Streams accepted from other members",
        |s| whole(s.stats.streams_accepted)
    ),
    metric!(
        Counter "muster_links_broken" [""]
        "Links that stood and ended without a word",
        |s| whole(s.stats.links_broken)
    ),
    metric!(
        Counter "muster_refusals" [""]
        "Times a host said that nobody listens where a member should",
        |s| whole(s.stats.refusals)
    ),
    metric!(
        Counter "muster_probes" ["outcome: answered, failed, void"]
        "Rounds of probing; those are void in which this agent itself ran late",
        |s| probes(&s.stats)
    ),
    metric!(
        Counter "muster_refutations" [""]
        "Suspicions of this member that it refuted",
        |s| whole(s.stats.refutations)
    ),
    metric!(
        Counter "muster_late" [""]
        "Times that the agent's own timers ran late: the host is overloaded, or was paused",
        |s| whole(s.stats.late)
    ),
    metric!(
        Counter "muster_pulls" [""]
        "Member tables compared with another member",
        |s| whole(s.stats.pulls)
    ),
    metric!(
        Counter "muster_dropped" ["reason: malformed, version, cluster, too_long, unexpected, members, busy, stale, \
             unsealed, key, forged, replayed, rate, crowded, absurd"]
        "What was dropped or refused, by reason",
        |s| dropped(&s.stats)
    ),
    metric!(
        Counter "muster_events" ["type: a type of event"]
        "Events published, by type",
        |s| each("type", s.events.iter().copied())
    ),
    metric!(
        Gauge "muster_events_kept" [""]
        "Events kept for clients that come back",
        |s| count(s.kept_events)
    ),
    metric!(
        Gauge "muster_events_kept" in Bytes [""]
        "Bytes of these events",
        |s| count(s.kept_event_bytes)
    ),
    metric!(
        Gauge "muster_subscribers" [""]
        "Streams of events that are open",
        |s| count(s.subscribers)
    ),
    metric!(
        Gauge "muster_connections" ["door: socket, http"]
        "Connections open to the local socket and to the TCP address",
        |s| doors(s, |door| wide(door.connections))
    ),
    metric!(
        Counter "muster_connections_refused" ["door: socket, http"]
        "Connections refused because too many were open",
        |s| doors(s, |door| door.refused)
    ),
    metric!(
        Counter "muster_answers" ["status: 2xx, 4xx, 5xx"]
        "Answers given on both doors, by their status",
        |s| answers(s)
    ),
    metric!(
        Gauge "muster_memory_failed" [""]
        "1 after saving failed: this member votes no more until it is restarted",
        |s| whole(flag(s.agreement.memory_failed))
    ),
    metric!(
        Histogram "muster_store_save" in Seconds [""]
        "Time that saves took until they were on the disk; only with a data directory",
        |s| s.store.as_ref().map_or(Samples::None, |store| Samples::Histogram(store.saves.clone()))
    ),
    metric!(
        Gauge "muster_store" in Bytes [""]
        "Size of the file in the data directory; only with one",
        |s| optional(s.store.as_ref().map(StoreFigures::bytes))
    ),
    metric!(
        Gauge "process_start_time" in Seconds [""]
        "When the agent started, in seconds since 1970",
        |s| Samples::One(s.start.as_secs_f64())
    ),
    metric!(
        Counter "process_cpu" in Seconds [""]
        "Processor time so far",
        |s| Samples::One(s.processor_seconds)
    ),
    metric!(
        Gauge "process_resident_memory" in Bytes [""]
        "Memory in use",
        |s| optional(s.resident_bytes)
    ),
    metric!(
        Gauge "process_open_fds" [""]
        "Descriptors that are open",
        |s| optional(s.open_descriptors)
    ),
    metric!(
        Gauge "process_max_fds" [""]
        "Descriptors that may be open",
        |s| optional(s.most_descriptors)
    ),
];

fn flag(is_so: bool) -> u64 {
    u64::from(is_so)
}

fn wide(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// Whole numbers are exact below 2^53, which takes centuries to count to.
#[allow(clippy::cast_precision_loss, reason = "see above")]
fn real(number: u64) -> f64 {
    number as f64
}

fn whole(number: u64) -> Samples {
    Samples::One(real(number))
}

fn count(number: usize) -> Samples {
    whole(wide(number))
}

fn optional(number: Option<u64>) -> Samples {
    number.map_or(Samples::None, whole)
}

fn seconds(duration: Option<Duration>) -> Samples {
    duration.map_or(Samples::None, |duration| {
        Samples::One(duration.as_secs_f64())
    })
}

fn each<'a>(label: &'static str, list: impl IntoIterator<Item = (&'a str, u64)>) -> Samples {
    let samples = list.into_iter();
    let samples = samples.map(|(word, number)| (word.to_owned(), real(number)));
    Samples::Each(label, samples.collect())
}

fn probes(stats: &Stats) -> Samples {
    let outcomes = [
        ("answered", stats.probes_answered),
        ("failed", stats.probes_failed),
        ("void", stats.probes_void),
    ];
    each("outcome", outcomes)
}

/// Every field is named, so that a new reason cannot be forgotten here.
fn dropped(stats: &Stats) -> Samples {
    let Dropped {
        malformed,
        version,
        cluster,
        too_long,
        unexpected,
        members,
        busy,
        stale,
        unsealed,
        key,
        forged,
        replayed,
        rate,
        crowded,
        absurd,
    } = stats.dropped;
    let reasons = [
        ("malformed", malformed),
        ("version", version),
        ("cluster", cluster),
        ("too_long", too_long),
        ("unexpected", unexpected),
        ("members", members),
        ("busy", busy),
        ("stale", stale),
        ("unsealed", unsealed),
        ("key", key),
        ("forged", forged),
        ("replayed", replayed),
        ("rate", rate),
        ("crowded", crowded),
        ("absurd", absurd),
    ];
    each("reason", reasons)
}

fn doors(snapshot: &Snapshot, read: fn(&TrafficNow) -> u64) -> Samples {
    let doors = snapshot.doors.iter();
    each(
        "door",
        doors.map(|(name, door)| (name.as_str(), read(door))),
    )
}

fn answers(snapshot: &Snapshot) -> Samples {
    let mut sums: Vec<(&str, u64)> = Vec::new();
    for (class, number) in snapshot.doors.iter().flat_map(|(_, door)| &door.answers) {
        match sums.iter_mut().find(|(known, _)| known == class) {
            Some((_, sum)) => *sum += number,
            None => sums.push((class, *number)),
        }
    }
    each("status", sums)
}
