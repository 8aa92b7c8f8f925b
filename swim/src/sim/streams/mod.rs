//! Streams that behave like TCP between kernels: ordered, chunked at random, refused by a host
//! whose process is gone, silent while a path is cut.

mod link;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::agenda::Agenda;
use super::dice::Dice;
use super::drive::SimEvent;
use super::network::{Network, Packet, RETRANSMIT_FIRST, RETRANSMIT_MAX, RETRANSMIT_MIN};
use super::process::{Input, Pid};
use crate::node::StreamEnd;
use link::{Link, Segment};

/// The number of a connection in the whole simulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Connection(u64);

/// One of its ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Side {
    Caller,
    Callee,
}

/// What a packet of a connection does on arrival.
#[derive(Clone, Copy, Debug)]
pub(super) enum Arrival {
    /// The caller's SYN is at the callee's host.
    Knock(Connection),
    /// The callee's SYN-ACK (or RST) is at the caller's host.
    Answer(Connection, bool),
    /// The next segment of this side is at the other.
    Segment(Connection, Side),
}

/// What streams need of the world.
pub(super) struct Medium<'a> {
    pub(super) agenda: &'a mut Agenda<SimEvent>,
    pub(super) network: &'a mut Network,
    pub(super) dice: &'a mut Dice,
}

impl Medium<'_> {
    /// The delay of a segment with so many bytes.
    fn segment(&mut self, from: IpAddr, to: IpAddr, bytes: usize) -> Duration {
        self.send(from, to, bytes, RETRANSMIT_MIN)
    }

    /// The delay of a packet that opens a connection.
    fn opening(&mut self, from: IpAddr, to: IpAddr) -> Duration {
        self.send(from, to, 0, RETRANSMIT_FIRST)
    }

    fn send(&mut self, from: IpAddr, to: IpAddr, bytes: usize, wait: Duration) -> Duration {
        let at = self.agenda.now();
        let packet = Packet {
            from,
            to,
            bytes,
            at,
        };
        self.network.segment(packet, wait, self.dice)
    }
}

/// All connections.
#[derive(Debug, Default)]
pub(super) struct Streams {
    last: u64,
    links: BTreeMap<Connection, Link>,
}

/// Tries of Linux to open a connection (`tcp_syn_retries`): 127 s.
const KNOCKS: u32 = 7;

/// Tries to deliver a segment before a kernel gives a connection up (`tcp_retries2`).
const RETRANSMITS: u32 = 15;

/// The same when its process is gone (`tcp_orphan_retries`): what it had sent is at most a minute
/// old when it arrives.
const ORPHAN_RETRANSMITS: u32 = 8;

/// Most chunks into which what is sent at once is broken.
const CHUNKS: usize = 4;

impl Side {
    pub(super) fn other(self) -> Side {
        match self {
            Side::Caller => Side::Callee,
            Side::Callee => Side::Caller,
        }
    }

    fn index(self) -> usize {
        match self {
            Side::Caller => 0,
            Side::Callee => 1,
        }
    }
}

impl Streams {
    /// A process opens a stream.
    pub(super) fn connect(
        &mut self,
        pid: Pid,
        from: IpAddr,
        to: SocketAddr,
        medium: &mut Medium<'_>,
    ) -> Connection {
        self.last += 1;
        let id = Connection(self.last);
        // The ephemeral ports of Linux.
        let port = 32_768 + u16::try_from(self.last % 28_232).expect("28,232 fits in 16 bits");
        let link = Link::new(pid, SocketAddr::new(from, port), to);
        let delay = medium.opening(from, to.ip());
        medium
            .agenda
            .after(delay, SimEvent::Stream(Arrival::Knock(id)));
        self.links.insert(id, link);
        id
    }

    /// A process sends; what is sent before the stream stands waits for it.
    pub(super) fn send(
        &mut self,
        id: Connection,
        side: Side,
        bytes: &[u8],
        medium: &mut Medium<'_>,
    ) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let mut rest = bytes;
        let chunks = medium.dice.number(1..CHUNKS + 1);
        for chunk in 1..=chunks {
            let last = chunk == chunks;
            let length = if last {
                rest.len()
            } else {
                medium.dice.number(0..rest.len() + 1)
            };
            let (head, tail) = rest.split_at(length);
            rest = tail;
            link.push_data(side, head, medium);
        }
        link.start(id, side, medium);
    }

    /// A process closes its end; the other end hears of it after what was sent.
    pub(super) fn close(&mut self, id: Connection, side: Side, medium: &mut Medium<'_>) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        link.ends[side.index()].held = false;
        if side == Side::Caller && !link.established {
            self.links.remove(&id);
            return;
        }
        link.push_close(side, medium);
        link.start(id, side, medium);
    }

    /// The process is gone: its kernel closes all it held.
    pub(super) fn end_process(&mut self, pid: Pid, medium: &mut Medium<'_>) {
        for (id, side) in self.held_by(|link, side| link.ends[side.index()].pid == Some(pid)) {
            self.close(id, side, medium);
        }
    }

    /// What stands of a process's streams is reset on the way; gives what both ends hear.
    pub(super) fn reset(&mut self, pid: Pid) -> Vec<(Pid, Input)> {
        let standing =
            |link: &Link, side: Side| link.established && link.ends[side.index()].pid == Some(pid);
        let mut told = Vec::new();
        for (id, _) in self.held_by(standing) {
            if let Some(mut link) = self.links.remove(&id) {
                let both = [Side::Caller, Side::Callee];
                told.extend(both.map(|side| link.told(id, side, StreamEnd::Closed)));
            }
        }
        told.into_iter().flatten().collect()
    }

    /// The host is gone, and with it what it had not sent yet.
    pub(super) fn end_host(&mut self, host: IpAddr) {
        for (id, side) in self.held_by(|link, side| link.host(side) == host) {
            let Some(link) = self.links.get_mut(&id) else {
                continue;
            };
            link.ends[side.index()].held = false;
            link.ways[side.index()].segments.clear();
            if side == Side::Caller && !link.established {
                self.links.remove(&id);
            }
        }
    }

    fn held_by(&self, of: impl Fn(&Link, Side) -> bool) -> Vec<(Connection, Side)> {
        let both = [Side::Caller, Side::Callee];
        let ends = self
            .links
            .iter()
            .flat_map(|(id, link)| both.map(|side| (*id, link, side)));
        ends.filter(|(_, link, side)| link.ends[side.index()].held && of(link, *side))
            .map(|(id, _, side)| (id, side))
            .collect()
    }

    /// Where a connection goes.
    pub(super) fn callee(&self, id: Connection) -> Option<SocketAddr> {
        self.links.get(&id).map(|link| link.callee)
    }

    /// A packet arrives; gives what processes get of it. `listener` is the process that now has the
    /// callee's address.
    pub(super) fn arrive(
        &mut self,
        arrival: Arrival,
        listener: Option<Pid>,
        medium: &mut Medium<'_>,
    ) -> Vec<(Pid, Input)> {
        match arrival {
            Arrival::Knock(id) => self.knock(id, listener, medium),
            Arrival::Answer(id, accepted) => self.answer(id, accepted, medium),
            Arrival::Segment(id, side) => self.segment(id, side, medium),
        }
    }

    fn knock(
        &mut self,
        id: Connection,
        listener: Option<Pid>,
        medium: &mut Medium<'_>,
    ) -> Vec<(Pid, Input)> {
        let Some(link) = self.links.get_mut(&id) else {
            return Vec::new();
        };
        let (from, to) = (link.host(Side::Caller), link.host(Side::Callee));
        if !medium.network.is_open(from, to) {
            return self.knock_again(id, medium);
        }
        link.ends[Side::Callee.index()].pid = listener;
        let delay = medium.opening(to, from);
        let answer = Arrival::Answer(id, listener.is_some());
        medium.agenda.after(delay, SimEvent::Stream(answer));
        Vec::new()
    }

    fn knock_again(&mut self, id: Connection, medium: &mut Medium<'_>) -> Vec<(Pid, Input)> {
        let Some(link) = self.links.get_mut(&id) else {
            return Vec::new();
        };
        link.attempts += 1;
        if link.attempts < KNOCKS {
            let wait = Duration::from_secs(1 << (link.attempts - 1));
            medium
                .agenda
                .after(wait, SimEvent::Stream(Arrival::Knock(id)));
            return Vec::new();
        }
        let told = link.told(id, Side::Caller, StreamEnd::Failed);
        self.links.remove(&id);
        told.into_iter().collect()
    }

    fn answer(
        &mut self,
        id: Connection,
        accepted: bool,
        medium: &mut Medium<'_>,
    ) -> Vec<(Pid, Input)> {
        let Some(link) = self.links.get_mut(&id) else {
            return Vec::new();
        };
        if !medium
            .network
            .is_open(link.host(Side::Callee), link.host(Side::Caller))
        {
            return self.knock_again(id, medium);
        }
        if !accepted {
            let told = link.told(id, Side::Caller, StreamEnd::Refused);
            self.links.remove(&id);
            return told.into_iter().collect();
        }
        link.established = true;
        let now = medium.agenda.now();
        let delay = medium.segment(link.host(Side::Caller), link.host(Side::Callee), 0);
        let way = &mut link.ways[Side::Caller.index()];
        for (ready, _) in &mut way.segments {
            *ready = (*ready).max(now + delay);
        }
        way.segments.push_front((now + delay, Segment::Open));
        link.start(id, Side::Caller, medium);
        link.start(id, Side::Callee, medium);
        let caller = link.ends[Side::Caller.index()].pid;
        caller
            .map(|pid| (pid, Input::Connected { id }))
            .into_iter()
            .collect()
    }

    fn segment(
        &mut self,
        id: Connection,
        side: Side,
        medium: &mut Medium<'_>,
    ) -> Vec<(Pid, Input)> {
        let Some(link) = self.links.get_mut(&id) else {
            return Vec::new();
        };
        let (from, to) = (link.host(side), link.host(side.other()));
        let way = &mut link.ways[side.index()];
        way.moving = false;
        if !medium.network.is_open(from, to) && !way.segments.is_empty() {
            return self.retransmit(id, side, medium);
        }
        way.attempts = 0;
        let Some((_, segment)) = way.segments.pop_front() else {
            return Vec::new();
        };
        let input = link.receive(id, side.other(), segment, medium);
        link.start(id, side, medium);
        if link.is_over() {
            self.links.remove(&id);
        }
        input.into_iter().collect()
    }

    fn retransmit(
        &mut self,
        id: Connection,
        side: Side,
        medium: &mut Medium<'_>,
    ) -> Vec<(Pid, Input)> {
        let Some(link) = self.links.get_mut(&id) else {
            return Vec::new();
        };
        let held = link.ends[side.index()].held;
        let most = if held {
            RETRANSMITS
        } else {
            ORPHAN_RETRANSMITS
        };
        let way = &mut link.ways[side.index()];
        way.attempts += 1;
        if way.attempts < most {
            let wait = (RETRANSMIT_MIN * (1 << (way.attempts - 1))).min(RETRANSMIT_MAX);
            way.moving = true;
            medium
                .agenda
                .after(wait, SimEvent::Stream(Arrival::Segment(id, side)));
            return Vec::new();
        }
        let both = [Side::Caller, Side::Callee];
        let told = both
            .iter()
            .filter_map(|side| link.told(id, *side, StreamEnd::Closed))
            .collect();
        self.links.remove(&id);
        told
    }
}
