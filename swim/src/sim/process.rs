//! One process: a node, what it holds of the outside, and what waits for it.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use super::checks::Watch;
use super::clock::Clock;
use super::disks::Keeping;
use super::gate::Gate;
use super::lateness::Lateness;
use super::streams::{Connection, Side};
use crate::config::Config;
use crate::event::Event;
use crate::members::{Instance, Name, Tags};
use crate::node::{Answer, KeyTicket, Node, SaveTicket, Stop, StreamEnd, StreamId, Ticket};
use crate::time::Time;
use crate::wire::sealing::{Keyring, Plaintext};

/// One life of one process. A restart under the same name is another process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pid(pub u32);

/// How a process is started. A restart ([`Cluster::restart`]) keeps that, and the data directory.
///
/// [`Cluster::restart`]: super::Cluster::restart
#[derive(Clone, Debug)]
pub struct Launch {
    /// The cluster it belongs to; "sim" until told otherwise.
    pub cluster: Name,
    /// Its name in the cluster.
    pub name: Name,
    /// Where it listens; the IP address is its host.
    pub addr: SocketAddr,
    /// `host:port` of members to join through.
    pub seeds: Vec<String>,
    /// What it publishes from the start.
    pub tags: Tags,
    /// The settings of its protocol.
    pub config: Config,
    /// How far its wall clock, from which its instance is made, is behind that of the others.
    pub clock_behind: Duration,
    /// What remembers over a restart what a voter must.
    pub keeping: Keeping,
    /// By how many millionths its clocks run too fast; negative: too slow. At most 10,000 (1 %).
    pub clock_ppm: i32,
    /// The keys that it starts with. What it keeps of them stands here as well.
    pub keys: Option<Keyring>,
    /// What it does about traffic that is not sealed.
    pub plaintext: Plaintext,
    /// It is not of those that the scenario is about: nobody need find it, or agree with it.
    pub stranger: bool,
}

impl Launch {
    /// A member without seeds and tags and with default settings.
    ///
    /// # Panics
    /// When `name` is no name: a mistake in the scenario.
    pub fn new(name: &str, addr: SocketAddr) -> Launch {
        Launch {
            cluster: Name::new("sim").expect("\"sim\" is a name"),
            name: Name::new(name).expect("the scenario names its members"),
            addr,
            seeds: Vec::new(),
            tags: Tags::default(),
            config: Config::default(),
            clock_behind: Duration::ZERO,
            clock_ppm: 0,
            keeping: Keeping::default(),
            keys: None,
            plaintext: Plaintext::default(),
            stranger: false,
        }
    }

    /// Member number `at`: `n7` on 10.0.0.7 for 7.
    pub fn numbered(at: usize) -> Launch {
        let number = u32::try_from(at).expect("fewer than 2^24 members");
        let host = std::net::Ipv4Addr::from_bits(0x0a00_0000 | number);
        Launch::new(&format!("n{at}"), SocketAddr::from((host, 7946)))
    }

    /// With these keys, and with this done about what is not sealed.
    #[must_use]
    pub fn keys(mut self, keys: Keyring, plaintext: Plaintext) -> Launch {
        (self.keys, self.plaintext) = (Some(keys), plaintext);
        self
    }

    /// With one more seed.
    #[must_use]
    pub fn seed(mut self, seed: impl ToString) -> Launch {
        self.seeds.push(seed.to_string());
        self
    }

    /// With these settings.
    #[must_use]
    pub fn config(mut self, config: Config) -> Launch {
        self.config = config;
        self
    }
}

/// Whether a process runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// It does.
    Running,
    /// It is stopped by a signal; its kernel goes on.
    Paused,
    /// It was killed, or its host was.
    Crashed,
    /// It ended by itself, at this time.
    Stopped(Stop, Time),
}

/// What a process sent and received, without IP, UDP and TCP headers and the sealing of datagrams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Datagrams handed to the network.
    pub datagrams_sent: u64,
    /// Their bytes.
    pub bytes_sent: u64,
    /// Datagrams that arrived.
    pub datagrams_received: u64,
    /// Their bytes.
    pub bytes_received: u64,
    /// Streams opened.
    pub streams_opened: u64,
    /// Messages handed to streams.
    pub stream_messages_sent: u64,
    /// Bytes handed to streams.
    pub stream_bytes_sent: u64,
    /// Bytes that arrived on streams.
    pub stream_bytes_received: u64,
    /// Wake-ups by the timer.
    pub wakes: u64,
}

impl Traffic {
    /// With what another one sent and received.
    pub fn add(&mut self, other: &Traffic) {
        self.datagrams_sent += other.datagrams_sent;
        self.bytes_sent += other.bytes_sent;
        self.datagrams_received += other.datagrams_received;
        self.bytes_received += other.bytes_received;
        self.streams_opened += other.streams_opened;
        self.stream_messages_sent += other.stream_messages_sent;
        self.stream_bytes_sent += other.stream_bytes_sent;
        self.stream_bytes_received += other.stream_bytes_received;
        self.wakes += other.wakes;
    }

    /// What was added since `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Traffic) -> Traffic {
        Traffic {
            datagrams_sent: self.datagrams_sent - earlier.datagrams_sent,
            bytes_sent: self.bytes_sent - earlier.bytes_sent,
            datagrams_received: self.datagrams_received - earlier.datagrams_received,
            bytes_received: self.bytes_received - earlier.bytes_received,
            streams_opened: self.streams_opened - earlier.streams_opened,
            stream_messages_sent: self.stream_messages_sent - earlier.stream_messages_sent,
            stream_bytes_sent: self.stream_bytes_sent - earlier.stream_bytes_sent,
            stream_bytes_received: self.stream_bytes_received - earlier.stream_bytes_received,
            wakes: self.wakes - earlier.wakes,
        }
    }
}

/// Something arrives at a process.
#[derive(Clone, Debug)]
pub(super) enum Input {
    Datagram {
        from: SocketAddr,
        bytes: Vec<u8>,
    },
    Refused {
        at: SocketAddr,
    },
    Opened {
        id: Connection,
        from: SocketAddr,
    },
    Connected {
        id: Connection,
    },
    Data {
        id: Connection,
        side: Side,
        bytes: Vec<u8>,
    },
    Closed {
        id: Connection,
        side: Side,
        end: StreamEnd,
    },
    Resolved {
        seed: String,
        addresses: Vec<SocketAddr>,
    },
    KeysKept {
        ticket: KeyTicket,
    },
    Saved {
        ticket: SaveTicket,
        done: bool,
    },
}

/// What one process holds.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) pid: Pid,
    pub(super) launch: Launch,
    pub(super) node: Node,
    /// The first life that it told of.
    pub(super) first_life: Instance,
    pub(super) condition: Condition,
    /// The clock by which its node lives.
    pub(super) clock: Clock,
    /// How late it comes to what it should do.
    pub(super) late: Lateness,
    /// The earliest wake-up on the agenda; any other one there is stale.
    pub(super) wake: Option<Time>,
    /// It is not woken before: it was in a busy loop.
    pub(super) busy_until: Time,
    /// What it would send and receive while its messages are held.
    pub(super) gate: Option<Gate>,
    /// What arrived and was not taken yet.
    pub(super) inbox: VecDeque<Input>,
    pub(super) sockets: Sockets,
    pub(super) events: Vec<Event>,
    pub(super) answers: Vec<(Ticket, Answer)>,
    pub(super) traffic: Traffic,
    pub(super) watch: Watch,
}

impl Process {
    pub(super) fn is_up(&self) -> bool {
        match self.condition {
            Condition::Running | Condition::Paused => true,
            Condition::Crashed | Condition::Stopped(..) => false,
        }
    }

    /// Whether it is up, and no stranger.
    pub(super) fn counts(&self) -> bool {
        self.is_up() && !self.launch.stranger
    }

    /// Something waits until the process takes it; a kernel keeps only so many datagrams.
    pub(super) fn keep(&mut self, input: Input) {
        let is_datagram = |input: &Input| matches!(input, Input::Datagram { .. });
        let waiting = self.inbox.iter().filter(|input| is_datagram(input));
        if is_datagram(&input) && waiting.count() >= SOCKET_BUFFER {
            return;
        }
        self.inbox.push_back(input);
    }

    /// Whether its messages were let go while it was paused.
    pub(super) fn gate_opens_later(&self) -> bool {
        self.gate.as_ref().is_some_and(|gate| gate.opens_later)
    }
}

/// Datagrams that a socket's buffer holds: Linux's default of 208 KiB, counted as full pages.
const SOCKET_BUFFER: usize = 100;

/// Which stream of the node is which connection.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    streams: BTreeMap<StreamId, (Connection, Side)>,
    ends: BTreeMap<(Connection, Side), StreamId>,
}

impl Sockets {
    pub(super) fn insert(&mut self, stream: StreamId, id: Connection, side: Side) {
        let before = self.streams.insert(stream, (id, side));
        assert!(before.is_none(), "{stream:?} is new");
        self.ends.insert((id, side), stream);
    }

    pub(super) fn end(&self, stream: StreamId) -> Option<(Connection, Side)> {
        self.streams.get(&stream).copied()
    }

    pub(super) fn stream(&self, id: Connection, side: Side) -> Option<StreamId> {
        self.ends.get(&(id, side)).copied()
    }

    pub(super) fn remove(&mut self, stream: StreamId) -> Option<(Connection, Side)> {
        let end = self.streams.remove(&stream)?;
        self.ends.remove(&end);
        Some(end)
    }
}
