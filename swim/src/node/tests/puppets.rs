//! Others: puppets that say what a test has them say, and nodes wired together by hand.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use super::driven::{Driven, address, cluster};
use super::name;
use crate::coordinator::{View, VoterId};
use crate::members::{Apps, Incarnation, Instance, Record, Tags};
use crate::node::{Action, Node, StreamEnd, StreamId};
use crate::time::Time;
use crate::wire::{self, Frame, Header, LineageTag, Message, Outlook, Update};

/// What a member shows that is in no history.
pub(super) const KNOWS_NO_VIEW: Outlook = Outlook {
    lineage: LineageTag::NONE,
    view: View(0),
    quorum_age: u8::MAX,
};

/// The answer to a stream probe, of a member that is in no history.
pub(super) fn stream_ack(seq: u32, digest: u64) -> Frame {
    Frame::Ack {
        seq,
        digest,
        outlook: KNOWS_NO_VIEW,
    }
}

/// A member without a mind of its own.
#[derive(Clone, Debug)]
pub(super) struct Puppet {
    pub(super) name: &'static str,
    pub(super) addr: SocketAddr,
    pub(super) instance: u64,
    pub(super) incarnation: u32,
}

pub(super) fn puppet(name: &'static str, host: u16) -> Puppet {
    Puppet {
        name,
        addr: address(host),
        instance: 1000 + u64::from(host),
        incarnation: 0,
    }
}

impl Puppet {
    pub(super) fn record(&self) -> Record {
        Record {
            name: name(self.name),
            addr: self.addr,
            instance: Instance(self.instance),
            incarnation: Incarnation(self.incarnation),
            tags: Tags::default(),
            voter: VoterId::NEVER,
            returns: 0,
            apps: Apps::default(),
        }
    }

    pub(super) fn datagram(&self, digest: u64, message: &Message, updates: &[Update]) -> Vec<u8> {
        self.datagram_showing(KNOWS_NO_VIEW, digest, message, updates)
    }

    /// A datagram that shows what it knows of the views.
    pub(super) fn datagram_showing(
        &self,
        outlook: Outlook,
        digest: u64,
        message: &Message,
        updates: &[Update],
    ) -> Vec<u8> {
        let header = Header {
            cluster: cluster(),
            from: self.name,
            instance: Instance(self.instance),
            incarnation: Incarnation(self.incarnation),
            digest: digest.to_le_bytes(),
            outlook,
        };
        let mut bytes = Vec::new();
        wire::encode_head(&header, message, &mut bytes);
        updates
            .iter()
            .for_each(|update| wire::encode_update(update, &mut bytes));
        bytes
    }
}

impl Driven {
    /// `puppet` says something, and its table is as ours.
    pub(super) fn hear(&mut self, puppet: &Puppet, message: Message, updates: &[Update]) {
        let bytes = puppet.datagram(self.node.digest(), &message, updates);
        self.call(|node, now| node.handle_datagram(puppet.addr, &bytes, now));
    }

    /// `puppet` shows a table of this digest.
    pub(super) fn hear_digest(&mut self, puppet: &Puppet, digest: u64) {
        let bytes = puppet.datagram(digest, &Message::Gossip, &[]);
        self.call(|node, now| node.handle_datagram(puppet.addr, &bytes, now));
    }

    /// These become members, and everything about that is said and forgotten.
    pub(super) fn meet(&mut self, puppets: &[&Puppet]) {
        for puppet in puppets {
            self.hear(puppet, Message::Gossip, &[Update::Record(puppet.record())]);
        }
        self.calm();
    }

    /// Drops all that waits to be passed on, and what was given out.
    pub(super) fn calm(&mut self) {
        self.node.queue = crate::gossip::Queue::default();
        self.sent.clear();
        self.actions.clear();
        self.events.clear();
    }

    /// Time passes in which the puppets answer every ping, and relay none.
    pub(super) fn wait_among(&mut self, puppets: &[&Puppet], duration: Duration) {
        self.wait_answering(self.sent.len(), puppets, duration);
    }

    /// The same, and they answer what was sent since then, too.
    pub(super) fn wait_answering(
        &mut self,
        mut answered: usize,
        puppets: &[&Puppet],
        duration: Duration,
    ) {
        let until = self.now + duration;
        loop {
            while let Some(sent) = self.sent.get(answered).cloned() {
                answered += 1;
                let asked = puppets.iter().find(|puppet| puppet.addr == sent.to);
                let Some(puppet) = asked else {
                    continue;
                };
                if let Some((seq, _)) = pinged(&sent.message) {
                    self.hear(puppet, Message::Ack { seq }, &[]);
                } else if let Message::PingRequest { seq, .. } = sent.message {
                    self.hear(puppet, Message::Nack { seq }, &[]);
                }
            }
            let Some(at) = self.deadline().filter(|at| *at <= until) else {
                break;
            };
            self.now = self.now.max(at);
            self.call(Node::handle_timeout);
        }
        self.now = until;
    }

    /// Frames of another member arrive.
    pub(super) fn read(&mut self, stream: StreamId, frame: &Frame) {
        let bytes = wire::encode_frame(frame);
        self.call(|node, now| node.handle_stream_data(stream, &bytes, now));
    }

    /// Somebody opens a stream.
    pub(super) fn accept(&mut self) -> StreamId {
        let from = address(99);
        self.call(|node, now| node.handle_stream_accepted(from, now))
            .expect("there is room")
    }

    /// A stream that the node asked for is open.
    pub(super) fn connected(&mut self, stream: StreamId) {
        self.call(|node, now| node.handle_stream_connected(stream, now));
    }

    pub(super) fn closed(&mut self, stream: StreamId, end: StreamEnd) {
        self.call(|node, now| node.handle_stream_closed(stream, end, now));
    }
}

/// The number of a ping or beat, and which life it is for.
pub(super) fn pinged(message: &Message) -> Option<(u32, Instance)> {
    match message {
        Message::Ping { seq, target } | Message::Beat { seq, target, .. } => Some((*seq, *target)),
        Message::Ack { .. }
        | Message::Nack { .. }
        | Message::PingRequest { .. }
        | Message::Gossip
        | Message::Wrong { .. }
        | Message::Errand(_)
        | Message::BeatAck { .. } => None,
    }
}

/// Nodes whose datagrams and streams are carried at once.
#[derive(Default)]
pub(super) struct Wired {
    pub(super) nodes: Vec<Driven>,
    /// Both ends of every stream: node and number there.
    streams: BTreeMap<(usize, StreamId), (usize, StreamId)>,
    /// Hosts that hear and say nothing.
    pub(super) cut: Vec<SocketAddr>,
    /// Nodes whose process is gone; their hosts refuse streams.
    pub(super) dead: Vec<usize>,
    /// Stream bytes carried so far.
    pub(super) carried: usize,
}

impl Wired {
    /// Adds a node that joins through `seed`, a host number.
    pub(super) fn add(&mut self, node: Driven, seed: Option<u16>) -> usize {
        self.nodes.push(node);
        let at = self.nodes.len() - 1;
        let now = self.nodes[0].now;
        self.nodes[at].now = now;
        if let Some(seed) = seed {
            let seeds = [address(seed).to_string()];
            self.nodes[at]
                .call(|node, now| node.join(&seeds, now))
                .expect("a valid seed");
        }
        self.carry();
        at
    }

    /// Carries everything until all is quiet.
    pub(super) fn carry(&mut self) {
        let mut due: VecDeque<usize> = (0..self.nodes.len()).collect();
        let mut turns = 0;
        while let Some(at) = due.pop_front() {
            turns += 1;
            assert!(turns < 100_000, "the nodes never come to rest");
            for sent in self.nodes[at].sent() {
                self.carry_datagram(at, sent.to, &sent.bytes);
            }
            for action in self.nodes[at].actions() {
                self.carry_action(at, action);
            }
            let busy = |node: &Driven| !node.sent.is_empty() || !node.actions.is_empty();
            due.extend((0..self.nodes.len()).filter(|at| busy(&self.nodes[*at])));
        }
    }

    fn at(&self, addr: SocketAddr) -> Option<usize> {
        // The last one: it took the address over from those before it.
        let listens = |at: &usize| self.nodes[*at].node.identity().addr == addr;
        (0..self.nodes.len())
            .rev()
            .filter(|at| !self.dead.contains(at))
            .find(listens)
    }

    fn carry_datagram(&mut self, from: usize, to: SocketAddr, bytes: &[u8]) {
        let from = self.nodes[from].node.identity().addr;
        if self.cut.contains(&from) || self.cut.contains(&to) {
            return;
        }
        if let Some(at) = self.at(to) {
            self.nodes[at].call(|node, now| node.handle_datagram(from, bytes, now));
        }
    }

    fn carry_action(&mut self, at: usize, action: Action) {
        match action {
            Action::Connect { stream, to } => self.carry_connect(at, stream, to),
            Action::Send { stream, bytes } => {
                self.carried += bytes.len();
                if let Some(&(other, theirs)) = self.streams.get(&(at, stream)) {
                    for chunk in bytes.chunks(1000) {
                        let read = |node: &mut Node, now| {
                            node.handle_stream_data(theirs, chunk, now);
                        };
                        self.nodes[other].call(read);
                    }
                }
            }
            Action::Close { stream } => {
                if let Some((other, theirs)) = self.streams.remove(&(at, stream)) {
                    self.streams.remove(&(other, theirs));
                    self.nodes[other].closed(theirs, StreamEnd::Closed);
                }
            }
            Action::Resolve { seed } => {
                let addresses: Vec<SocketAddr> = seed.parse().into_iter().collect();
                let resolved = |node: &mut Node, now| node.handle_resolved(&seed, &addresses, now);
                self.nodes[at].call(resolved);
            }
            Action::Save { ticket, .. } => {
                self.nodes[at].call(|node, now| node.handle_saved(ticket, true, now));
            }
            Action::KeepKeys { ticket, .. } => {
                self.nodes[at].call(|node, now| node.handle_keys_kept(ticket, true, now));
            }
            Action::Answered { .. } | Action::Stopped(_) => {}
        }
    }

    fn carry_connect(&mut self, at: usize, stream: StreamId, to: SocketAddr) {
        let from = self.nodes[at].node.identity().addr;
        if self.cut.contains(&from) || self.cut.contains(&to) {
            return;
        }
        let accepted = self.at(to).and_then(|other| {
            let accept = |node: &mut Node, now| node.handle_stream_accepted(from, now);
            self.nodes[other].call(accept).map(|theirs| (other, theirs))
        });
        let Some((other, theirs)) = accepted else {
            return self.nodes[at].closed(stream, StreamEnd::Refused);
        };
        self.streams.insert((at, stream), (other, theirs));
        self.streams.insert((other, theirs), (at, stream));
        self.nodes[at].connected(stream);
    }

    /// Time passes for all.
    pub(super) fn wait(&mut self, duration: Duration) {
        let until = self.nodes[0].now + duration;
        let alive = |wired: &Wired| -> Vec<usize> {
            (0..wired.nodes.len())
                .filter(|at| !wired.dead.contains(at))
                .collect()
        };
        let first = |wired: &Wired| {
            alive(wired)
                .iter()
                .filter_map(|at| wired.nodes[*at].deadline())
                .min()
        };
        while let Some(due) = first(self).filter(|due| *due <= until) {
            self.pass(due);
            for at in alive(self) {
                if self.nodes[at].deadline().is_some_and(|at| at <= due) {
                    self.nodes[at].call(Node::handle_timeout);
                }
            }
            self.carry();
        }
        self.pass(until);
    }

    fn pass(&mut self, to: Time) {
        for node in &mut self.nodes {
            node.now = node.now.max(to);
        }
    }
}
