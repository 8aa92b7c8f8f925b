//! Everything that metrics read, taken at one moment.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use muster_swim::{Agreement, App, LinkState, Node, Stats, Time};

use super::process;
use crate::agent::StoreFigures;
use crate::api::door::{DoorName, Traffic};
use crate::api::model::{EVENT_TYPES, RESET, STATES};
use crate::api::routes::{Shared, why_not_ready};

/// One moment of the agent.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) cluster: String,
    pub(super) name: String,
    pub(super) zone: String,
    pub(super) instance: u64,
    pub(super) incarnation: u32,
    /// How many members have each state.
    pub(super) states: BTreeMap<&'static str, u64>,
    pub(super) agreement: Agreement,
    pub(super) is_coordinator: bool,
    pub(super) is_ready: bool,
    pub(super) is_stuck: bool,
    pub(super) health: u8,
    /// Smoothed round trips to all whose were measured, the shortest first.
    pub(super) round_trips: Vec<Duration>,
    pub(super) buddies: usize,
    pub(super) links: Vec<(&'static str, usize)>,
    pub(super) apps: usize,
    pub(super) seeds: usize,
    pub(super) failing_seeds: usize,
    pub(super) stats: Stats,
    pub(super) events: Vec<(&'static str, u64)>,
    pub(super) kept_events: usize,
    pub(super) kept_event_bytes: usize,
    pub(super) subscribers: usize,
    pub(super) doors: Vec<(DoorName, TrafficNow)>,
    pub(super) store: Option<StoreFigures>,
    pub(super) start: Duration,
    pub(super) processor_seconds: f64,
    pub(super) resident_bytes: Option<u64>,
    pub(super) open_descriptors: Option<u64>,
    pub(super) most_descriptors: Option<u64>,
}

/// What came through a door so far.
#[derive(Debug)]
pub(super) struct TrafficNow {
    pub(super) connections: usize,
    pub(super) refused: u64,
    pub(super) answers: Vec<(&'static str, u64)>,
}

impl Snapshot {
    pub(super) fn take(shared: &Shared) -> Snapshot {
        let clock = shared.handle.clock();
        let now = clock.now();
        let start = clock
            .wall(Time::ZERO)
            .duration_since(SystemTime::UNIX_EPOCH);
        let log = shared.handle.log().borrow();
        let (kept_events, kept_event_bytes) = log.kept();
        let kinds = EVENT_TYPES.into_iter().filter(|kind| *kind != RESET);
        let events = kinds.map(|kind| (kind, log.published(kind))).collect();
        let doors = DoorName::ALL.map(|name| (name, shared.doors.traffic(name).into()));
        let ready = shared.handle.waits_for().is_none();
        shared.handle.read(|node| Snapshot {
            is_ready: ready && why_not_ready(node, now).is_none(),
            is_stuck: shared.handle.is_stuck(),
            events,
            kept_events,
            kept_event_bytes,
            subscribers: log.readers(),
            doors: doors.into(),
            store: shared.handle.store().cloned(),
            start: start.unwrap_or_default(),
            processor_seconds: process::processor_seconds(),
            resident_bytes: process::resident_bytes(),
            open_descriptors: process::open_descriptors(),
            most_descriptors: process::most_descriptors(),
            ..Snapshot::of_node(node, now)
        })
    }

    /// What the node knows.
    fn of_node(node: &Node, now: Time) -> Snapshot {
        let me = node.me();
        let agreement = node.agreement(now);
        let mut states: BTreeMap<_, _> = STATES.into_iter().map(|state| (state, 0)).collect();
        let mut round_trips = Vec::new();
        for member in node.members() {
            *states.entry(member.state.as_str()).or_default() += 1;
            round_trips.extend(member.rtt);
        }
        round_trips.sort_unstable();
        Snapshot {
            cluster: node.identity().cluster.to_string(),
            name: me.name.to_string(),
            zone: me.tags.value("zone").unwrap_or_default().to_owned(),
            instance: me.instance.0,
            incarnation: me.incarnation.0,
            states,
            is_coordinator: agreement.lease_left.is_some(),
            agreement,
            is_ready: false,
            is_stuck: false,
            health: node.health(),
            round_trips,
            buddies: buddies(node),
            links: links(node),
            apps: node
                .apps()
                .iter()
                .filter(|(_, app)| App::is_up(app))
                .count(),
            seeds: node.seeds().len(),
            failing_seeds: node
                .seed_errors()
                .filter(|(_, error)| error.is_some())
                .count(),
            stats: node.stats().clone(),
            events: Vec::new(),
            kept_events: 0,
            kept_event_bytes: 0,
            subscribers: 0,
            doors: Vec::new(),
            store: None,
            start: Duration::ZERO,
            processor_seconds: 0.0,
            resident_bytes: None,
            open_descriptors: None,
            most_descriptors: None,
        }
    }

    /// The round trip that so large a part of the measured ones does not exceed.
    pub(super) fn round_trip(&self, part: f64) -> Option<Duration> {
        let last = self.round_trips.len().checked_sub(1)?;
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a part of a small whole number"
        )]
        let at = (last as f64 * part).round() as usize;
        self.round_trips.get(at).copied()
    }
}

fn buddies(node: &Node) -> usize {
    let places = node.rings();
    let neighbours = places
        .iter()
        .flat_map(|place| [&place.predecessor, &place.successor])
        .flatten();
    let mut names: Vec<_> = neighbours.map(|member| &member.name).collect();
    names.sort_unstable();
    names.dedup();
    names.len()
}

fn links(node: &Node) -> Vec<(&'static str, usize)> {
    let mut counts = [("opening", 0), ("up", 0), ("down", 0)];
    for link in node.links() {
        let [(_, opening), (_, up), (_, down)] = &mut counts;
        match link.state {
            LinkState::Opening => *opening += 1,
            LinkState::Up => *up += 1,
            LinkState::Down { .. } => *down += 1,
        }
    }
    counts.into()
}

impl From<&Traffic> for TrafficNow {
    fn from(traffic: &Traffic) -> TrafficNow {
        let counts = traffic.answers.iter().map(std::cell::Cell::get);
        TrafficNow {
            connections: traffic.connections.get(),
            refused: traffic.refused.get(),
            answers: Traffic::CLASSES.into_iter().zip(counts).collect(),
        }
    }
}
