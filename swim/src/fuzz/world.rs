//! A few nodes on a network in memory, of which every packet can be had.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use super::insider::Insider;
use crate::config::Config;
use crate::coordinator::VoterKey;
use crate::limits;
use crate::members::{Instance, Name, Tags};
use crate::node::{
    Action, Identity, KeyTicket, Lifecycle, Memory, Node, SaveTicket, StreamEnd, StreamId,
};
use crate::time::Time;
use crate::wire::sealing::{Keyring, Plaintext};

/// Datagrams in flight; of one more, the oldest is lost.
const FLYING: usize = 512;

/// How long a packet is under way while nobody meddles.
const DELAY: Duration = Duration::from_micros(200);

/// Calls of nodes that one input may cause.
const CALLS: u32 = 20_000;

/// How all nodes are started.
#[derive(Clone, Debug)]
pub(super) struct Setup {
    pub(super) config: Config,
    pub(super) keys: Option<Keyring>,
    pub(super) plaintext: Plaintext,
    pub(super) votes: bool,
}

/// A process with its node.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) node: Node,
    pub(super) addr: SocketAddr,
    pub(super) runs: bool,
    /// Whether it was called since it was last looked at.
    unchecked: bool,
    saves: VecDeque<SaveTicket>,
    kept: VecDeque<KeyTicket>,
    pub(super) resolving: VecDeque<String>,
    ends: BTreeMap<StreamId, End>,
}

/// One end of a connection, and which end it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct End {
    pub(super) connection: usize,
    pub(super) called: bool,
}

impl End {
    fn other(self) -> End {
        End {
            connection: self.connection,
            called: !self.called,
        }
    }
}

/// A datagram under way.
#[derive(Clone, Debug)]
pub(super) struct Datagram {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) bytes: Vec<u8>,
}

/// What happens on a stream.
#[derive(Debug)]
pub(super) enum Segment {
    Knock { to: SocketAddr, from: usize },
    Connected,
    Data(Vec<u8>),
    Closed(StreamEnd),
}

impl Host {
    fn check(&self) {
        let node = &self.node;
        node.check_invariants();
        let ended = match node.lifecycle() {
            Lifecycle::Joining | Lifecycle::Member | Lifecycle::Leaving => false,
            Lifecycle::Left | Lifecycle::Removed => true,
        };
        assert_eq!(node.poll_timeout().is_none(), ended, "it has a deadline");
        assert!(!ended || !self.runs, "it stops at its end");
    }
}

/// The nodes, and all that is between them.
#[derive(Debug)]
pub(super) struct World {
    pub(super) now: Time,
    pub(super) setup: Setup,
    pub(super) hosts: Vec<Host>,
    pub(super) datagrams: VecDeque<Datagram>,
    pub(super) segments: VecDeque<(End, Segment)>,
    /// Who holds which end, by host and stream.
    owners: BTreeMap<End, (usize, StreamId)>,
    connections: usize,
    /// Pairs of hosts that do not reach each other, as bits.
    pub(super) cut: u8,
    /// Whether disks and key files can be written.
    pub(super) writes: bool,
    pub(super) insider: Insider,
    calls: u32,
    buffer: Vec<u8>,
}

pub(super) fn address(host: usize) -> SocketAddr {
    let last = u8::try_from(host + 1).expect("few hosts");
    SocketAddr::from(([192, 0, 2, last], 7946))
}

pub(super) fn cluster() -> Name {
    Name::new("muster").expect("a valid name")
}

/// `n1` on the first host, and so on.
pub(super) fn name(host: usize) -> Name {
    Name::new(&format!("n{}", host + 1)).expect("a valid name")
}

impl World {
    pub(super) fn new(setup: Setup, hosts: usize) -> World {
        let mut world = World {
            now: Time::from_nanos(1_000_000_000),
            insider: Insider::new(setup.keys.clone(), setup.plaintext),
            setup,
            hosts: Vec::new(),
            datagrams: VecDeque::new(),
            segments: VecDeque::new(),
            owners: BTreeMap::new(),
            connections: 0,
            cut: 0,
            writes: true,
            calls: 0,
            buffer: Vec::new(),
        };
        for at in 0..hosts {
            let host = world.start(at, 100 + at as u64);
            world.hosts.push(host);
            world.drain(at);
        }
        world
    }

    fn start(&self, at: usize, instance: u64) -> Host {
        let instance = Instance(instance);
        let identity = Identity {
            cluster: cluster(),
            name: name(at),
            addr: address(at),
            instance,
            tags: Tags::default(),
        };
        let memory = match self.setup.votes {
            true => Memory {
                durable: true,
                ..Memory::volatile(VoterKey::from_seed(&[at as u8; 32]))
            },
            false => Memory::never_votes(),
        };
        let config = self.setup.config.clone();
        let mut node = Node::new(config, identity, memory, 7 + instance.0, self.now)
            .expect("settings within their ranges");
        while node.poll_event().is_some() {}
        node.set_keys(self.setup.keys.clone(), self.setup.plaintext, self.now);
        Host {
            node,
            addr: address(at),
            runs: true,
            unchecked: false,
            saves: VecDeque::new(),
            kept: VecDeque::new(),
            resolving: VecDeque::new(),
            ends: BTreeMap::new(),
        }
    }

    /// A process ends without a word, and another one begins in its place.
    pub(super) fn restart(&mut self, at: usize) {
        self.end(at);
        let instance = self.hosts[at].node.identity().instance.0;
        self.hosts[at] = self.start(at, instance.saturating_add(10));
        self.drain(at);
        let seed = address((at + 1) % self.hosts.len()).to_string();
        self.call(at, |node, now| drop(node.join(&[seed], now)));
    }

    /// Its kernel closes what it had open.
    pub(super) fn end(&mut self, at: usize) {
        self.hosts[at].runs = false;
        for (_, end) in std::mem::take(&mut self.hosts[at].ends) {
            self.owners.remove(&end);
            self.tell(end.other(), Segment::Closed(StreamEnd::Closed));
        }
    }

    /// Whether nothing more is to be done for this input.
    pub(super) fn is_spent(&self) -> bool {
        self.calls >= CALLS
    }

    /// Calls a node, if it runs, and takes what it gives out, as the draining rule says.
    pub(super) fn call<T>(
        &mut self,
        at: usize,
        act: impl FnOnce(&mut Node, Time) -> T,
    ) -> Option<T> {
        self.calls += 1;
        let host = self.hosts.get_mut(at).filter(|host| host.runs)?;
        let version = |node: &Node| (node.me().instance, node.me().incarnation);
        let before = version(&host.node);
        let result = act(&mut host.node, self.now);
        assert!(version(&host.node) >= before, "a version never runs back");
        self.drain(at);
        self.hosts[at].unchecked = true;
        Some(result)
    }

    fn drain(&mut self, at: usize) {
        let mut buffer = std::mem::take(&mut self.buffer);
        while let Some(to) = self.hosts[at].node.poll_transmit(&mut buffer) {
            assert!(buffer.len() <= limits::DATAGRAM_BYTES, "a long datagram");
            let datagram = Datagram {
                from: self.hosts[at].addr,
                to,
                bytes: buffer.clone(),
            };
            self.insider.overhear(&datagram);
            if self.datagrams.len() == FLYING {
                self.datagrams.pop_front();
            }
            self.datagrams.push_back(datagram);
        }
        self.buffer = buffer;
        while let Some(action) = self.hosts[at].node.poll_action() {
            self.act(at, action);
        }
        while self.hosts[at].node.poll_event().is_some() {}
    }

    /// Looks at those that were called since the last look.
    pub(super) fn check(&mut self) {
        for host in &mut self.hosts {
            if std::mem::take(&mut host.unchecked) {
                host.check();
            }
        }
    }

    fn act(&mut self, at: usize, action: Action) {
        match action {
            Action::Connect { stream, to } => {
                let end = self.connect(at, stream);
                self.segments
                    .push_back((end.other(), Segment::Knock { to, from: at }));
            }
            Action::Send { stream, bytes } => {
                if let Some(end) = self.hosts[at].ends.get(&stream).copied() {
                    self.tell(end.other(), Segment::Data(bytes));
                } else {
                    self.insider.hear(at, stream, &bytes);
                }
            }
            Action::Close { stream } => {
                if let Some(end) = self.hosts[at].ends.remove(&stream) {
                    self.owners.remove(&end);
                    self.tell(end.other(), Segment::Closed(StreamEnd::Closed));
                } else {
                    self.insider.lose(at, stream);
                }
            }
            Action::Resolve { seed } => self.hosts[at].resolving.push_back(seed),
            Action::Save { ticket, .. } => self.hosts[at].saves.push_back(ticket),
            Action::KeepKeys { ticket, .. } => self.hosts[at].kept.push_back(ticket),
            Action::Answered { .. } => {}
            Action::Stopped(_) => self.end(at),
        }
    }

    fn connect(&mut self, at: usize, stream: StreamId) -> End {
        self.connections += 1;
        let end = End {
            connection: self.connections,
            called: false,
        };
        self.hold(at, stream, end);
        end
    }

    fn hold(&mut self, at: usize, stream: StreamId, end: End) {
        self.hosts[at].ends.insert(stream, end);
        self.owners.insert(end, (at, stream));
    }

    fn tell(&mut self, end: End, segment: Segment) {
        self.segments.push_back((end, segment));
    }

    /// Whether packets pass between two hosts.
    fn reaches(&self, one: SocketAddr, other: SocketAddr) -> bool {
        let host = |addr| self.hosts.iter().position(|host| host.addr == addr);
        match (host(one), host(other)) {
            // 0 and 1, 0 and 2, 1 and 2: their sums less one.
            (Some(one), Some(other)) if one != other => self.cut >> (one + other - 1) & 1 == 0,
            _ => true,
        }
    }

    /// A datagram comes to whoever listens there; where nobody does, the host says so.
    pub(super) fn deliver(&mut self, datagram: &Datagram) {
        if !self.reaches(datagram.from, datagram.to) {
            return;
        }
        let listens = |host: &Host| host.addr == datagram.to;
        let Some(at) = self.hosts.iter().position(listens) else {
            return;
        };
        if self.hosts[at].runs {
            let (from, bytes) = (datagram.from, &datagram.bytes);
            self.call(at, |node, now| node.handle_datagram(from, bytes, now));
        } else if let Some(sender) = self.hosts.iter().position(|h| h.addr == datagram.from) {
            self.call(sender, |node, now| node.handle_refused(datagram.to, now));
        }
    }

    /// The next thing that happens on a stream.
    pub(super) fn deliver_segment(&mut self) {
        let Some((end, segment)) = self.segments.pop_front() else {
            return;
        };
        let owner = self.owners.get(&end).copied();
        match (segment, owner) {
            (Segment::Knock { to, from }, _) => self.knock(end, from, to),
            (Segment::Connected, Some((at, stream))) => {
                self.call(at, |node, now| node.handle_stream_connected(stream, now));
            }
            (Segment::Data(bytes), Some((at, stream))) => {
                self.call(at, |node, now| node.handle_stream_data(stream, &bytes, now));
            }
            (Segment::Closed(how), Some((at, stream))) => {
                self.owners.remove(&end);
                self.hosts[at].ends.remove(&stream);
                self.call(at, |node, now| node.handle_stream_closed(stream, how, now));
            }
            (Segment::Connected | Segment::Data(_) | Segment::Closed(_), None) => {}
        }
    }

    fn knock(&mut self, end: End, from: usize, to: SocketAddr) {
        let Some((caller, stream)) = self.owners.get(&end.other()).copied() else {
            return;
        };
        let addr = self.hosts[from].addr;
        let Some(at) = self.hosts.iter().position(|host| host.addr == to) else {
            // Nobody is there but the insider.
            self.owners.remove(&end.other());
            self.hosts[caller].ends.remove(&stream);
            self.insider.called(caller, stream);
            self.call(caller, |node, now| {
                node.handle_stream_connected(stream, now)
            });
            return;
        };
        let accepted = match self.reaches(addr, to) {
            true => self.call(at, |node, now| node.handle_stream_accepted(addr, now)),
            false => return self.tell(end.other(), Segment::Closed(StreamEnd::Failed)),
        };
        match accepted {
            Some(Some(accepted)) => {
                self.hold(at, accepted, end);
                self.tell(end.other(), Segment::Connected);
            }
            Some(None) => self.tell(end.other(), Segment::Closed(StreamEnd::Closed)),
            None => self.tell(end.other(), Segment::Closed(StreamEnd::Refused)),
        }
    }

    /// Disks and name servers answer.
    pub(super) fn answer(&mut self, at: usize) {
        let done = self.writes;
        if let Some(ticket) = self.hosts[at].saves.pop_front() {
            self.call(at, |node, now| node.handle_saved(ticket, done, now));
        }
        if let Some(ticket) = self.hosts[at].kept.pop_front() {
            self.call(at, |node, now| node.handle_keys_kept(ticket, done, now));
        }
        if let Some(seed) = self.hosts[at].resolving.pop_front() {
            let addresses: Vec<SocketAddr> = seed.parse().into_iter().collect();
            self.call(at, |node, now| node.handle_resolved(&seed, &addresses, now));
        }
    }

    fn answers_wait(&self, at: usize) -> bool {
        let host = &self.hosts[at];
        host.runs && !(host.saves.is_empty() && host.kept.is_empty() && host.resolving.is_empty())
    }

    /// Time passes, and all that is under way arrives.
    pub(super) fn live(&mut self, duration: Duration) {
        let until = self.now + duration;
        while !self.is_spent() {
            for _ in 0..self.segments.len() {
                self.deliver_segment();
            }
            for datagram in std::mem::take(&mut self.datagrams) {
                self.deliver(&datagram);
            }
            for at in 0..self.hosts.len() {
                self.answer(at);
            }
            self.check();
            let busy = !self.segments.is_empty()
                || !self.datagrams.is_empty()
                || (0..self.hosts.len()).any(|at| self.answers_wait(at));
            let soon = busy.then(|| self.now + DELAY);
            let next = self.next_deadline().into_iter().chain(soon).min();
            let Some(next) = next.filter(|next| *next <= until) else {
                break;
            };
            self.now = self.now.max(next);
            self.wake();
        }
        self.now = self.now.max(until);
        self.check();
    }

    /// All join the first one, and time passes until all know all, or for a while.
    pub(super) fn gather(&mut self) {
        let seed = address(0).to_string();
        for at in 1..self.hosts.len() {
            let seeds = [seed.clone()];
            self.call(at, |node, now| drop(node.join(&seeds, now)));
        }
        for _ in 0..20 {
            let all = self.hosts.len();
            if self.hosts.iter().all(|host| host.node.present() == all) {
                break;
            }
            self.live(Duration::from_millis(5));
        }
    }

    /// Time passes with all nodes woken, and nothing arrives.
    pub(super) fn wait(&mut self, duration: Duration) {
        let until = self.now + duration;
        while let Some(next) = self.next_deadline().filter(|next| *next <= until)
            && !self.is_spent()
        {
            self.now = self.now.max(next);
            self.wake();
        }
        self.now = self.now.max(until);
    }

    fn next_deadline(&self) -> Option<Time> {
        let running = self.hosts.iter().filter(|host| host.runs);
        let deadlines = running.filter_map(|host| host.node.poll_timeout());
        deadlines.map(|deadline| deadline.at).min()
    }

    /// Wakes whoever is to be woken now.
    pub(super) fn wake(&mut self) {
        for at in 0..self.hosts.len() {
            let deadline = self.hosts[at].node.poll_timeout();
            if deadline.is_some_and(|deadline| deadline.at <= self.now) {
                self.call(at, Node::handle_timeout);
            }
        }
    }
}
