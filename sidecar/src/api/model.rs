//! The JSON shapes of the local socket, for the server and for its clients.
//!
//! Fields may be added, never renamed; decoding ignores fields that it does not know. Words that
//! may grow (states, event types, causes) are text here, so that an older client reads a newer
//! server.

mod agreed;
mod apps;
mod events;
mod keys;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use muster_swim::{ContactInfo, LinkInfo, LinkState, MemberInfo, Node, RingPlace, SeedInfo};
use serde::{Deserialize, Serialize};

pub use agreed::{
    Case, Coordinator, Evidence, Recover, Removed, Suspicion, Testimony, lineage_word,
};
pub use apps::{
    App, Apps, Attach, AttachedLine, ENDINGS, Ended, HEALTHS, Health, SignalWord, signal_name,
};
pub use events::{Cursor, CursorError, Details, EVENT_TYPES, Event, Grounds, RESET, Reset};
pub use keys::{KEY_STATES, Key, KeyMember, Keys, PLAINTEXTS};

use crate::agent::Clock;

/// A word of the vocabulary: a state, an event type, a cause.
pub type Word = Cow<'static, str>;

/// The states a member can have, as `state` in JSON and as filter.
pub const STATES: [&str; 6] = [
    "alive",
    "suspect",
    "degraded",
    "unreachable",
    "left",
    "dead",
];

/// A member as this agent sees it now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Unique in the cluster.
    pub name: String,
    /// Where it listens.
    pub addr: SocketAddr,
    /// Its present life; below 2^53.
    pub instance: u64,
    /// Its version within that life.
    pub incarnation: u32,
    /// One of [`STATES`].
    pub state: Word,
    /// What was agreed about this life: `up`, `dead` or `left`; null before anything was.
    pub verdict: Option<Word>,
    /// The view in which that was agreed; 0 without a verdict.
    pub view: u64,
    /// Since when it has that state here; RFC 3339, UTC, milliseconds.
    pub since: String,
    /// Its tag `zone`.
    pub zone: Option<String>,
    /// What it publishes.
    pub tags: BTreeMap<String, String>,
    /// What lives beside it: apps that run, and the last that ended, by their names.
    #[serde(default)]
    pub apps: BTreeMap<String, App>,
    /// Whether it votes.
    pub voter: bool,
    /// Whether it is the member asked.
    #[serde(rename = "self")]
    pub is_self: bool,
    /// Smoothed round-trip time in microseconds, once measured.
    pub rtt_us: Option<u64>,
}

impl Member {
    /// The member as it stands in the table.
    pub fn new(info: &MemberInfo, clock: &Clock) -> Member {
        Member {
            name: info.name.to_string(),
            addr: info.addr,
            instance: info.instance.0,
            incarnation: info.incarnation.0,
            state: info.state.as_str().into(),
            verdict: info.verdict.map(|verdict| verdict.as_str().into()),
            view: info.view.0,
            since: rfc3339(clock.wall(info.since)),
            zone: info.tags.value("zone").map(str::to_owned),
            tags: info
                .tags
                .iter()
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect(),
            apps: App::all_of(info),
            voter: info.voter,
            is_self: info.is_self,
            rtt_us: info.rtt.map(micros),
        }
    }
}

/// Answer of `GET /v1/members`: members in the order of their names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Members {
    /// The agreed membership; 0 before there is one.
    pub view: u64,
    /// The coordinator's term; 0 before there is one.
    pub epoch: u64,
    /// The events after this cursor continue exactly from this list.
    pub cursor: String,
    /// The members that passed the filters.
    pub members: Vec<Member>,
}

/// Answer of `GET /v1/status`, and of `POST /v1/join` and `POST /v1/leave`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// This member.
    pub name: String,
    /// Where it listens, as it tells others.
    pub addr: SocketAddr,
    /// Its present life.
    pub instance: u64,
    /// Its version within that life.
    pub incarnation: u32,
    /// Its cluster.
    pub cluster: String,
    /// Version of the program.
    pub version: Word,
    /// The agreed membership; 0 before there is one.
    pub view: u64,
    /// The coordinator's term; 0 before there is one.
    pub epoch: u64,
    /// The coordinator's name; null while there is none.
    pub coordinator: Option<String>,
    /// `forming`, `held` or `lost`.
    pub quorum: Word,
    /// `voter` or `non-voting`.
    pub role: Word,
    /// Who votes, in order of the names.
    #[serde(default)]
    pub voters: Vec<String>,
    /// Which history of views: hexadecimal digits, 16 for the cluster as it formed and the rest for
    /// how often its quorum was rebuilt; null while this member is in none.
    #[serde(default)]
    pub lineage: Option<String>,
    /// The history of another cluster of the same name that was met; the two never merge.
    #[serde(default)]
    pub conflict: Option<String>,
    /// Whether saving failed: then this member votes no more.
    #[serde(default)]
    pub memory_failed: bool,
    /// How many members have each state; every state is present.
    pub members: BTreeMap<Word, u64>,
    /// Local health score: 0 is fine, 8 is worst.
    pub health: u8,
    /// `joining`, `member`, `leaving`, `left` or `removed`.
    pub lifecycle: Word,
    /// The app that it waits for before it joins; null when it does not.
    #[serde(default)]
    pub waits_for: Option<String>,
    /// The file of settings that the agent read.
    #[serde(default)]
    pub config: Option<String>,
    /// Where it remembers how it voted.
    #[serde(default)]
    pub data_dir: Option<String>,
    /// The file with its keys.
    #[serde(default)]
    pub key_file: Option<String>,
    /// Process id of the agent.
    pub pid: u32,
    /// Milliseconds since the agent started to serve.
    pub uptime_ms: u64,
    /// Digest of the member table: 16 hexadecimal digits, equal where tables are equal.
    pub digest: String,
    /// What the agent joins through.
    pub seeds: Vec<Seed>,
    /// Counters since the start; they only grow.
    pub stats: Stats,
}

/// A seed and how it fares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seed {
    /// As it was given: `host:port`.
    pub seed: String,
    /// Whether the cluster was joined through it.
    pub joined: bool,
    /// What went wrong at the last try.
    pub last_error: Option<String>,
}

impl From<&SeedInfo> for Seed {
    fn from(info: &SeedInfo) -> Seed {
        Seed {
            seed: info.seed.clone(),
            joined: info.joined,
            last_error: info.last_error.as_ref().map(ToString::to_string),
        }
    }
}

/// Counters of the agent. Missing ones count as 0.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Stats {
    /// Datagrams accepted.
    pub datagrams_received: u64,
    /// Datagrams handed to the network.
    pub datagrams_sent: u64,
    /// Bytes of the datagrams accepted, without IP and UDP headers.
    pub bytes_received: u64,
    /// Bytes of the datagrams sent.
    pub bytes_sent: u64,
    /// Streams opened.
    pub streams_opened: u64,
    /// Streams accepted.
    pub streams_accepted: u64,
    /// Links that stood and ended without a word.
    pub links_broken: u64,
    /// Times a host said that nobody listens where a member should.
    pub refusals: u64,
    /// Probe rounds that ended with an answer.
    pub probes_answered: u64,
    /// Probe rounds that ended without one.
    pub probes_failed: u64,
    /// Probe rounds that count for nothing because this agent ran late.
    pub probes_void: u64,
    /// Suspicions about this member that it refuted.
    pub refutations: u64,
    /// Times that the agent's own timers ran late.
    pub late: u64,
    /// Tables compared with another member.
    pub pulls: u64,
    /// What was dropped or refused, by reason.
    pub dropped: Dropped,
}

/// Input dropped and work refused, by reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Dropped {
    /// Not a datagram or frame of Muster.
    pub malformed: u64,
    /// Another protocol version.
    pub version: u64,
    /// Another cluster.
    pub cluster: u64,
    /// Longer than its limit.
    pub too_long: u64,
    /// A frame that does not belong there.
    pub unexpected: u64,
    /// A member beyond the table's maximum.
    pub members: u64,
    /// A stream, probe, relay or datagram beyond its maximum.
    pub busy: u64,
    /// From an instance that a newer one replaced.
    pub stale: u64,
    /// Not sealed, where all must be.
    pub unsealed: u64,
    /// Sealed with a key that this member does not have.
    pub key: u64,
    /// Sealed, and does not open: damaged, forged, for another member, or of another cluster with
    /// the same key. Or what only a voter can say, without its signature.
    pub forged: u64,
    /// Sealed, and heard before, or of a former life of its sender.
    pub replayed: u64,
    /// Asked more often than one peer may.
    pub rate: u64,
    /// A member beyond those that may be at one address.
    pub crowded: u64,
    /// An instance, incarnation or view that no member gets to.
    pub absurd: u64,
}

impl From<&muster_swim::Stats> for Stats {
    fn from(stats: &muster_swim::Stats) -> Stats {
        Stats {
            datagrams_received: stats.datagrams_received,
            datagrams_sent: stats.datagrams_sent,
            bytes_received: stats.bytes_received,
            bytes_sent: stats.bytes_sent,
            streams_opened: stats.streams_opened,
            streams_accepted: stats.streams_accepted,
            links_broken: stats.links_broken,
            refusals: stats.refusals,
            probes_answered: stats.probes_answered,
            probes_failed: stats.probes_failed,
            probes_void: stats.probes_void,
            refutations: stats.refutations,
            late: stats.late,
            pulls: stats.pulls,
            dropped: Dropped {
                malformed: stats.dropped.malformed,
                version: stats.dropped.version,
                cluster: stats.dropped.cluster,
                too_long: stats.dropped.too_long,
                unexpected: stats.dropped.unexpected,
                members: stats.dropped.members,
                busy: stats.dropped.busy,
                stale: stats.dropped.stale,
                unsealed: stats.dropped.unsealed,
                key: stats.dropped.key,
                forged: stats.dropped.forged,
                replayed: stats.dropped.replayed,
                rate: stats.dropped.rate,
                crowded: stats.dropped.crowded,
                absurd: stats.dropped.absurd,
            },
        }
    }
}

/// Answer of `GET /v1/ring`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rings {
    /// One place per ring, in the order of the rings.
    pub rings: Vec<Ring>,
    /// Names of all neighbours, each once, in the order of the names.
    pub buddies: Vec<String>,
    /// The links to and from them and, between voters, to voters.
    pub links: Vec<Link>,
    /// What came of datagrams from and to each of them, in the order of the names.
    #[serde(default)]
    pub contacts: Vec<Contact>,
    /// Milliseconds in which this member pings each successor once, and each predecessor it.
    #[serde(default)]
    pub period_ms: u64,
}

/// What is known of the datagrams between this member and a buddy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// The buddy.
    pub name: String,
    /// Where it listens.
    pub addr: Option<SocketAddr>,
    /// When a datagram of it came last, whatever for: the way from it is open.
    pub heard: Option<String>,
    /// When it last answered a ping without a relay: both ways are open.
    pub answered: Option<String>,
    /// When the first ping left that it has not answered so since.
    pub unanswered_since: Option<String>,
}

/// An idle stream to another member, whose end tells that its process may be gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Who is at the other end.
    pub name: String,
    /// Whether this member opens it.
    pub ours: bool,
    /// `up`, `opening`, or `down`: then the other is watched by probes only.
    pub state: Word,
    /// Since when.
    pub since: String,
    /// When one that is down is tried again.
    pub again: Option<String>,
}

/// This member's place on one ring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ring {
    /// Number of the ring, from 0.
    pub ring: usize,
    /// Who probes this member; null when it is alone.
    pub predecessor: Option<Neighbour>,
    /// Whom this member probes; null when it is alone.
    pub successor: Option<Neighbour>,
}

/// A neighbour on a ring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Neighbour {
    /// Its name.
    pub name: String,
    /// Where it listens.
    pub addr: SocketAddr,
    /// One of [`STATES`].
    pub state: Word,
    /// Smoothed round-trip time in microseconds, once measured.
    pub rtt_us: Option<u64>,
}

impl Rings {
    /// The rings as the node stands on them.
    pub fn new(node: &Node, clock: &Clock) -> Rings {
        let places: Vec<RingPlace> = node.rings();
        let rings: Vec<Ring> = places
            .iter()
            .enumerate()
            .map(|(ring, place)| Ring {
                ring,
                predecessor: place.predecessor.as_ref().map(Neighbour::new),
                successor: place.successor.as_ref().map(Neighbour::new),
            })
            .collect();
        let mut buddies: Vec<String> = rings
            .iter()
            .flat_map(|ring| [&ring.predecessor, &ring.successor])
            .flatten()
            .map(|neighbour| neighbour.name.clone())
            .collect();
        buddies.sort();
        buddies.dedup();
        let (links, contacts) = (node.links(), node.contacts());
        let contact = |info: &ContactInfo| {
            let member = node.member(info.name.as_str());
            Contact::new(info, member.map(|member| member.addr), clock)
        };
        Rings {
            rings,
            buddies,
            links: links.iter().map(|link| Link::new(link, clock)).collect(),
            contacts: contacts.iter().map(contact).collect(),
            period_ms: millis(node.config().period),
        }
    }
}

impl Contact {
    fn new(info: &ContactInfo, addr: Option<SocketAddr>, clock: &Clock) -> Contact {
        let told = |time: Option<muster_swim::Time>| time.map(|time| rfc3339(clock.wall(time)));
        Contact {
            name: info.name.to_string(),
            addr,
            heard: told(info.heard),
            answered: told(info.answered),
            unanswered_since: told(info.unanswered),
        }
    }
}

impl Link {
    fn new(info: &LinkInfo, clock: &Clock) -> Link {
        let (state, again) = match info.state {
            LinkState::Opening => ("opening", None),
            LinkState::Up => ("up", None),
            LinkState::Down { again } => ("down", Some(again)),
        };
        Link {
            name: info.name.to_string(),
            ours: info.ours,
            state: state.into(),
            since: rfc3339(clock.wall(info.since)),
            again: again.map(|again| rfc3339(clock.wall(again))),
        }
    }
}

impl Neighbour {
    fn new(info: &MemberInfo) -> Neighbour {
        Neighbour {
            name: info.name.to_string(),
            addr: info.addr,
            state: info.state.as_str().into(),
            rtt_us: info.rtt.map(micros),
        }
    }
}

/// Body of `POST /v1/join`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Join {
    /// `host:port` each.
    pub seeds: Vec<String>,
}

/// Answer of `GET /healthz` and `GET /readyz` when all is well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// `ok`.
    pub status: Word,
}

impl Probe {
    /// All is well.
    pub fn fine() -> Probe {
        Probe {
            status: "ok".into(),
        }
    }
}

/// An error answer (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Stable id of the kind of problem, a URN.
    #[serde(rename = "type")]
    pub kind: Word,
    /// The kind in a few words.
    pub title: Word,
    /// The HTTP status.
    pub status: u16,
    /// What happened here, and what to do.
    pub detail: String,
    /// The path that was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
}

/// A time as RFC 3339 in UTC with milliseconds, clamped to the years 1970 to 9999.
pub fn rfc3339(time: SystemTime) -> String {
    let last = SystemTime::UNIX_EPOCH + Duration::from_millis(253_402_300_799_999);
    humantime::format_rfc3339_millis(time.clamp(SystemTime::UNIX_EPOCH, last)).to_string()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
