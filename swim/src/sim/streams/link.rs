//! One connection: its ends, and what is on its way.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use super::{Arrival, Connection, Medium, Side};
use crate::node::StreamEnd;
use crate::sim::drive::SimEvent;
use crate::sim::process::{Input, Pid};
use crate::time::Time;

#[derive(Debug)]
pub(super) struct Link {
    pub(super) caller: SocketAddr,
    pub(super) callee: SocketAddr,
    pub(super) established: bool,
    pub(super) attempts: u32,
    pub(super) ends: [End; 2],
    pub(super) ways: [Way; 2],
}

#[derive(Debug)]
pub(super) struct End {
    pub(super) pid: Option<Pid>,
    /// Whether its process still holds it.
    pub(super) held: bool,
}

/// Segments under way from one side to the other.
#[derive(Debug, Default)]
pub(super) struct Way {
    pub(super) segments: VecDeque<(Time, Segment)>,
    pub(super) moving: bool,
    pub(super) closed: bool,
    pub(super) attempts: u32,
}

#[derive(Debug)]
pub(super) enum Segment {
    Open,
    Data(Vec<u8>),
    Close,
}

/// What a shell reads at most at once.
const READ_BYTES: usize = 64 * 1024;

impl Link {
    /// A connection that `pid` opens.
    pub(super) fn new(pid: Pid, caller: SocketAddr, callee: SocketAddr) -> Link {
        let end = |pid| End { pid, held: true };
        Link {
            caller,
            callee,
            established: false,
            attempts: 0,
            ends: [end(Some(pid)), end(None)],
            ways: [Way::default(), Way::default()],
        }
    }

    pub(super) fn host(&self, side: Side) -> IpAddr {
        match side {
            Side::Caller => self.caller.ip(),
            Side::Callee => self.callee.ip(),
        }
    }

    /// What the process at `side` hears of the end, if it still holds its own.
    pub(super) fn told(
        &mut self,
        id: Connection,
        side: Side,
        end: StreamEnd,
    ) -> Option<(Pid, Input)> {
        let own = &mut self.ends[side.index()];
        let held = std::mem::replace(&mut own.held, false);
        let pid = own.pid.filter(|_| held)?;
        Some((pid, Input::Closed { id, side, end }))
    }

    pub(super) fn push_data(&mut self, side: Side, bytes: &[u8], medium: &mut Medium<'_>) {
        if bytes.is_empty() || self.ways[side.index()].closed {
            return;
        }
        let (from, to) = (self.host(side), self.host(side.other()));
        let most = medium.network.segment_bytes(from, to).unwrap_or(READ_BYTES);
        // Bytes that still wait for delivery may come together with the ones before them.
        let way = &mut self.ways[side.index()];
        if let Some((ready, Segment::Data(waiting))) = way.segments.back_mut()
            && waiting.len() + bytes.len() <= most
            && medium.dice.chance(0.5)
        {
            waiting.extend_from_slice(bytes);
            if medium.network.is_narrow(from, to) {
                let delay = medium.segment(from, to, bytes.len());
                *ready = (*ready).max(medium.agenda.now() + delay);
            }
            return;
        }
        for piece in bytes.chunks(most) {
            self.push(side, Segment::Data(piece.to_vec()), medium);
        }
    }

    pub(super) fn push_close(&mut self, side: Side, medium: &mut Medium<'_>) {
        if !self.ways[side.index()].closed {
            self.ways[side.index()].closed = true;
            self.push(side, Segment::Close, medium);
        }
    }

    fn push(&mut self, side: Side, segment: Segment, medium: &mut Medium<'_>) {
        let (from, to) = (self.host(side), self.host(side.other()));
        let bytes = match &segment {
            Segment::Data(bytes) => bytes.len(),
            Segment::Open | Segment::Close => 0,
        };
        let ready = medium.agenda.now() + medium.segment(from, to, bytes);
        let way = &mut self.ways[side.index()];
        let after = way.segments.back().map_or(Time::ZERO, |(ready, _)| *ready);
        way.segments.push_back((ready.max(after), segment));
    }

    /// Sets the segments of a side in motion.
    pub(super) fn start(&mut self, id: Connection, side: Side, medium: &mut Medium<'_>) {
        let way = &mut self.ways[side.index()];
        if !self.established || way.moving {
            return;
        }
        if let Some((ready, _)) = way.segments.front() {
            way.moving = true;
            medium
                .agenda
                .at(*ready, SimEvent::Stream(Arrival::Segment(id, side)));
        }
    }

    /// A segment is at the kernel of `side`.
    pub(super) fn receive(
        &mut self,
        id: Connection,
        side: Side,
        segment: Segment,
        medium: &mut Medium<'_>,
    ) -> Option<(Pid, Input)> {
        let own = &self.ends[side.index()];
        let Some(pid) = own.pid.filter(|_| own.held) else {
            // Nobody there any more: reset, unless that is on its way.
            if !matches!(segment, Segment::Close) && self.ends[side.other().index()].held {
                self.push_close(side, medium);
                self.start(id, side, medium);
            }
            return None;
        };
        match segment {
            Segment::Open => Some((
                pid,
                Input::Opened {
                    id,
                    from: self.caller,
                },
            )),
            Segment::Data(bytes) => Some((pid, Input::Data { id, side, bytes })),
            Segment::Close => self.told(id, side, StreamEnd::Closed),
        }
    }

    pub(super) fn is_over(&self) -> bool {
        let still = self.ends.iter().any(|end| end.held);
        !still && self.ways.iter().all(|way| way.segments.is_empty())
    }
}
