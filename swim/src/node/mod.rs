//! The node: one member's whole protocol behind four kinds of method.
//!
//! A datagram takes this way: `handle_datagram` -> `wire::decode` -> `on_<message>` -> a
//! sub-machine returns what happened -> outputs are queued -> `poll_transmit`, `poll_action`,
//! `poll_event`,
//! `poll_timeout`.

mod agreed;
mod agreement;
mod apps;
mod asking;
mod beating;
mod catching;
mod contacts;
mod cutting;
mod datagrams;
mod founding;
mod hearing;
#[cfg(feature = "sim")]
mod held;
mod joining;
mod keys;
mod learning;
mod leaving;
mod letters;
mod links;
mod myself;
mod office;
mod outputs;
mod probing;
mod pushing;
mod rates;
mod recovering;
mod reporting;
mod stands;
mod streams;
mod suspecting;
mod syncing;
mod term;
mod timers;
mod voting;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

pub use agreement::{
    Agreement, Answer, AskError, CaseFile, Mark, Memory, NewError, Quorum, RecoverError, Role,
    SaveTicket, Ticket, Write,
};
pub use contacts::ContactInfo;
pub use joining::{SeedError, SeedInfo};
pub use keys::{KeyChange, KeyHolder, KeyRefusal, KeyReport, KeyTicket};
pub use links::{LinkInfo, LinkState};
pub use outputs::{Action, Deadline, Stop};
pub use streams::{StreamEnd, StreamId};

use hashbrown::HashMap;

use crate::config::{Config, ConfigError};
use crate::coordinator::VoterId;
use crate::detector::{Expected, Health, Probes, Relays};
use crate::event::{Event, MemberInfo};
use crate::gossip::Queue;
use crate::limits;
use crate::members::{
    Apps, Incarnation, Instance, Name, Rank, Record, Records, Statement, Status, Table, Tags,
};
use crate::rng::{Rng, Seed};
use crate::stats::Stats;
use crate::time::Time;
use crate::wire::sealing::Seal;
use crate::wire::{self, ClusterId};
use agreed::Agreed;
use apps::Attachments;
use contacts::Contacts;
use hearing::Hearing;
use joining::Seeds;
use keys::Keying;
use leaving::Goodbye;
use links::Links;
use myself::Namesake;
use outputs::Outgoing;
use pushing::Allowance;
use rates::Rates;
use streams::Streams;
use syncing::Syncing;
use timers::{Timer, Timers};

/// Who a node is. Fixed for its life, but for the instance, which can only grow, and the tags.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The cluster; traffic of another one is refused.
    pub cluster: Name,
    /// Unique in the cluster.
    pub name: Name,
    /// Where others reach it: never an unspecified address or port 0.
    pub addr: SocketAddr,
    /// Its life: microseconds of Unix time at its start.
    pub instance: Instance,
    /// What it publishes from the start.
    pub tags: Tags,
}

/// How far a node is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifecycle {
    /// It has seeds and none has answered yet.
    Joining,
    /// It takes part.
    Member,
    /// It says goodbye.
    Leaving,
    /// It said goodbye.
    Left,
    /// A newer instance has its name.
    Removed,
}

impl Lifecycle {
    /// The word used in listings and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Lifecycle::Joining => "joining",
            Lifecycle::Member => "member",
            Lifecycle::Leaving => "leaving",
            Lifecycle::Left => "left",
            Lifecycle::Removed => "removed",
        }
    }
}

/// The neighbours of this node on one ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RingPlace {
    /// Who pings this node.
    pub predecessor: Option<MemberInfo>,
    /// Whom this node pings.
    pub successor: Option<MemberInfo>,
}

/// One member's protocol, sans-IO: no clock, socket, thread or randomness of its own.
///
/// Four kinds of method only: getters, `handle_*` (network and time), commands (verbs), `poll_*`
/// (outputs). **The draining rule:** after any `handle_*` or command call [`Node::poll_transmit`],
/// [`Node::poll_action`] and [`Node::poll_event`] until each gives `None`, then re-arm the one
/// timer from [`Node::poll_timeout`]. Debug builds assert it.
///
/// `now` must not run backwards; the node measures by it how late it is woken.
#[derive(Debug)]
pub struct Node {
    config: Config,
    cluster: Name,
    cluster_id: ClusterId,
    /// What this node says of itself; the table holds the same.
    me: Record,
    lifecycle: Lifecycle,
    rng: Rng,
    timers: Timers,
    table: Table,
    records: Records,
    health: Health,
    probes: Probes,
    relays: Relays,
    expected: Expected,
    queue: Queue,
    streams: Streams,
    links: Links,
    contacts: Contacts,
    hearing: Hearing,
    seeds: Seeds,
    syncing: Syncing,
    rates: Rates,
    /// Lost members that were forgotten, and at which rank.
    forgotten: HashMap<Name, Rank>,
    goodbye: Option<Goodbye>,
    namesake: Option<Namesake>,
    attachments: Attachments,
    agreed: Agreed,
    seal: Seal,
    keying: Keying,
    /// Room for the datagram that was just opened.
    opened: Vec<u8>,
    /// When it was last called: what is sent now was true then.
    now: Time,
    /// Number of the last ping sent, whatever for.
    last_seq: u32,
    /// How long after the begin of a period its first beat is wanted.
    phase: Duration,
    last_push: Time,
    hurries: Allowance,
    beliefs: Allowance,
    #[cfg(feature = "sim")]
    prober: held::Prober,
    transmits: VecDeque<Outgoing>,
    actions: VecDeque<Action>,
    events: VecDeque<Event>,
    stats: Stats,
}

impl Node {
    /// A node that is a cluster of its own until it joins one. Refuses the first setting that is
    /// out of its range ([`Config::check`] names all).
    pub fn new(
        config: Config,
        identity: Identity,
        memory: Memory,
        seed: impl Into<Seed>,
        now: Time,
    ) -> Result<Node, NewError> {
        let seed = seed.into();
        if let Some(error) = config.check().into_iter().next() {
            return Err(error.into());
        }
        if !wire::is_reachable(identity.addr) {
            return Err(ConfigError {
                setting: "addr",
                given: identity.addr.to_string(),
                allowed: "an address and port that others can reach".to_owned(),
            }
            .into());
        }
        if identity.instance.0 > limits::INSTANCES {
            return Err(ConfigError {
                setting: "instance",
                given: identity.instance.to_string(),
                allowed: format!("at most {}: set the clock of this host", limits::INSTANCES),
            }
            .into());
        }
        let me = Record {
            name: identity.name,
            addr: identity.addr,
            instance: identity.instance,
            incarnation: Incarnation::default(),
            tags: identity.tags,
            voter: memory.id(),
            returns: 0,
            apps: Apps::default(),
        };
        let statement = Statement {
            record: Arc::new(me.clone()),
            status: Status::Alive,
        };
        let mut node = Node {
            seal: Seal::new(identity.cluster.clone(), seed.0),
            cluster_id: ClusterId::of(&identity.cluster),
            cluster: identity.cluster,
            table: Table::new(statement, config.rings, now),
            records: Records::default(),
            me,
            lifecycle: Lifecycle::Member,
            rng: Rng::new(seed.number()),
            timers: Timers::default(),
            health: Health::default(),
            probes: Probes::default(),
            relays: Relays::default(),
            expected: Expected::new(config.rings),
            queue: Queue::default(),
            streams: Streams::default(),
            links: Links::default(),
            contacts: Contacts::default(),
            hearing: Hearing::default(),
            seeds: Seeds::default(),
            syncing: Syncing::default(),
            rates: Rates::default(),
            forgotten: HashMap::new(),
            goodbye: None,
            namesake: None,
            attachments: Attachments::default(),
            agreed: Agreed::new(&memory, now),
            keying: Keying::default(),
            opened: Vec::new(),
            now,
            last_seq: 0,
            phase: Duration::ZERO,
            last_push: Time::ZERO,
            hurries: Allowance::of_hurries(),
            beliefs: Allowance::of_beliefs(),
            #[cfg(feature = "sim")]
            prober: held::Prober::default(),
            transmits: VecDeque::new(),
            actions: VecDeque::new(),
            events: VecDeque::new(),
            stats: Stats::default(),
            config,
        };
        let first_tick = now + node.rng.up_to(node.config.period);
        node.timers.set(Timer::Tick, first_tick);
        node.begin_beats(now);
        let first_reconnect = now + node.rng.up_to(node.config.reconnect_interval);
        node.timers.set(Timer::Reconnect, first_reconnect);
        if let Some(interval) = node.config.parts.push_pull {
            let first_exchange = now + node.rng.up_to(interval);
            node.timers.set(Timer::PushPull, first_exchange);
        }
        if node.config.parts.verdicts {
            node.remember(&memory, now)?;
            node.on_new_view(now);
            // What was stored may have condemned lives as new as this one: nobody knows of it yet.
            node.events.clear();
            if memory.id() != VoterId::NEVER {
                // Not before it was told of its seeds.
                node.timers.set(Timer::Found, now);
            }
        }
        Ok(node)
    }

    /// The settings.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Who this node is now: its instance and tags may have changed since it was made.
    pub fn identity(&self) -> Identity {
        Identity {
            cluster: self.cluster.clone(),
            name: self.me.name.clone(),
            addr: self.me.addr,
            instance: self.me.instance,
            tags: self.me.tags.clone(),
        }
    }

    /// This node as a member.
    pub fn me(&self) -> MemberInfo {
        self.member(self.me.name.as_str())
            .expect("the table always holds this node")
    }

    /// All members that are remembered, this node included, in no particular order.
    pub fn members(&self) -> impl Iterator<Item = MemberInfo> + '_ {
        let infos = self.table.iter().map(|member| self.table.info(member));
        infos.map(|info| self.describe(info))
    }

    /// How many members are remembered, this node included.
    pub fn remembered(&self) -> usize {
        self.table.len()
    }

    /// One member.
    pub fn member(&self, name: &str) -> Option<MemberInfo> {
        self.info_of(name)
    }

    /// Who suspects a member, or did until that ended in `unreachable`, first accuser first, as far
    /// as this node knows.
    pub fn accusers(&self, name: &str) -> Vec<Name> {
        let suspicion = self
            .table
            .get(name)
            .and_then(|member| member.suspicion.as_ref());
        suspicion.map_or_else(Vec::new, |suspicion| suspicion.accusers().to_vec())
    }

    /// How many members it holds for present, alive or suspect, this node included.
    pub fn present(&self) -> usize {
        self.table.present()
    }

    /// The neighbours on every ring.
    pub fn rings(&self) -> Vec<RingPlace> {
        let rings = self.table.rings();
        let info = |name: Option<&Name>| name.and_then(|name| self.member(name.as_str()));
        (0..rings.count())
            .map(|ring| RingPlace {
                predecessor: info(rings.predecessor(ring)),
                successor: info(rings.successor(ring)),
            })
            .collect()
    }

    /// The local health score (Lifeguard section IV-A): 0 is fine, [`limits::HEALTH`] is worst.
    pub fn health(&self) -> u8 {
        self.health.score()
    }

    /// The digest of the table: equal for equal tables.
    pub fn digest(&self) -> u64 {
        self.table.digest().total()
    }

    /// The counters.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// How far this node is in its life.
    pub fn lifecycle(&self) -> Lifecycle {
        self.lifecycle
    }

    /// Time has passed: does all that is due. Early, late and repeated calls are harmless.
    pub fn handle_timeout(&mut self, now: Time) {
        self.enter(now);
        // What fires may set new timers, but none for this very instant in a circle.
        while let Some(timer) = self.timers.take_due(now) {
            #[cfg(feature = "sim")]
            if self.prober_waits(&timer) {
                continue;
            }
            self.on_timer(timer, now);
        }
    }

    fn on_timer(&mut self, timer: Timer, now: Time) {
        match timer {
            Timer::Tick => self.on_tick(now),
            Timer::Beat(ring) => self.on_beat(ring, now),
            Timer::Overdue => self.on_overdue(now),
            Timer::Round(seq) => self.on_round_timeout(seq, now),
            Timer::Relay(seq) => self.on_relay_timeout(seq, now),
            Timer::Suspicion(name) => self.on_suspicion_timeout(&name, now),
            Timer::Push => self.on_push(now),
            Timer::PushPull => self.on_push_pull(now),
            Timer::Stream(stream) => self.on_stream_timeout(stream, now),
            Timer::Seed(seed) => self.on_seed_timeout(&seed, now),
            Timer::Reconnect => self.on_reconnect(now),
            Timer::Leave => self.on_leave_timeout(now),
            Timer::Namesake => self.on_namesake_timeout(now),
            Timer::Forget(name) => self.on_forget_timeout(&name, now),
            Timer::Voting => self.on_voting_timeout(now),
            Timer::Govern => self.on_govern_timeout(now),
            Timer::Reports => self.send_reports(now),
            Timer::Ask => self.on_ask_timeout(now),
            Timer::Found => self.on_found_timeout(now),
            Timer::Quorum => self.on_quorum_timeout(now),
            Timer::Keys => self.on_keys_timeout(now),
        }
    }

    /// Every `handle_*` and command begins here: the draining rule, and the measure of lateness.
    fn enter(&mut self, now: Time) {
        self.now = now;
        self.notice_lapse(now);
        debug_assert!(
            self.transmits.is_empty() && self.actions.is_empty() && self.events.is_empty(),
            "the draining rule: poll_transmit, poll_action and poll_event until None after each call"
        );
        if let Some((due, _)) = self.timers.first() {
            let late = now.since(due);
            if late > self.late_limit() {
                self.on_late(late, now);
            }
        }
    }

    /// This node was not woken in time: what it failed to hear meanwhile speaks against nobody
    /// (Lifeguard section IV-A; DESIGN 4.1).
    fn on_late(&mut self, late: Duration, now: Time) {
        self.stats.late += 1;
        self.doubt_self(1);
        for seq in self.probes.void() {
            self.stats.probes_void += 1;
            self.clear_round(seq);
        }
        self.expected.postpone(late);
        self.postpone_suspicions(late);
        self.timers.catch_up(now);
    }

    /// Wake-ups that come later than this count as late: well above a busy host's scheduling,
    /// well below the time in which an answer is due.
    fn late_limit(&self) -> Duration {
        self.config
            .probe_timeout_min
            .max(self.config.probe_timeout_max / 5)
    }

    /// Something speaks against this node's own judgement.
    fn doubt_self(&mut self, by: u8) {
        if self.config.parts.local_health {
            self.health.worsen(by);
        }
    }

    fn next_seq(&mut self) -> u32 {
        self.last_seq = self.last_seq.wrapping_add(1);
        self.last_seq
    }

    /// Whether this node still speaks to others.
    fn is_active(&self) -> bool {
        match self.lifecycle {
            Lifecycle::Joining | Lifecycle::Member | Lifecycle::Leaving => true,
            Lifecycle::Left | Lifecycle::Removed => false,
        }
    }

    /// Asserts what must always hold. Slow: for the simulator and tests.
    pub fn check_invariants(&self) {
        self.table.check_invariants();
        self.queue.check_invariants();
        self.timers.check_invariants();
        let held = self
            .table
            .get(self.me.name.as_str())
            .expect("the table holds this node");
        assert_eq!(
            *held.statement.record, self.me,
            "the table says of this node what it says itself"
        );
        assert!(self.streams.len() <= limits::STREAMS);
        self.check_links();
        self.agreed.check_invariants();
        self.expected
            .check_invariants(&self.me.name, self.config.rings);
        self.contacts.check_invariants();
        self.rates.check_invariants();
        if let Some(ring) = self.seal.keyring() {
            ring.check_invariants();
        }
        if !self.is_active() {
            assert!(self.timers.first().is_none(), "its timers end with it");
            assert_eq!(self.streams.len(), 0, "its streams end with it");
            return;
        }
        self.probes.check_invariants(|seq| {
            let timer = Timer::Round(seq);
            #[cfg(feature = "sim")]
            if self.prober.holds(&timer) {
                return true;
            }
            self.timers.is_set(&timer)
        });
        for member in self.table.iter().filter(|member| member.is_suspect()) {
            let name = &member.statement.record.name;
            assert!(
                self.timers.is_set(&Timer::Suspicion(name.clone())),
                "the suspicion of {name} ends some time"
            );
        }
    }
}
