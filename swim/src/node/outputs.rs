//! What a node wants done: datagrams, actions, events, one deadline.

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::agreement::{Answer, SaveTicket, Ticket, Write};
use super::keys::KeyTicket;
use super::streams::StreamId;
use super::{Node, Timer};
use crate::event::{Event, EventKind, MemberInfo};
use crate::limits;
use crate::members::{Instance, Member, Name, NameHash, Record, Statement, Status};
use crate::time::Time;
use crate::wire::sealing::Keyring;
use crate::wire::{self, Header, Message, Update};

/// Something the caller is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Open a stream; answer with `handle_stream_connected` or `handle_stream_closed`.
    Connect {
        /// Its number from now on.
        stream: StreamId,
        /// Whereto.
        to: SocketAddr,
    },
    /// Send these bytes after what was sent before.
    Send {
        /// On which stream.
        stream: StreamId,
        /// What.
        bytes: Vec<u8>,
    },
    /// Flush, close and forget a stream, also one that is still connecting.
    Close {
        /// Which.
        stream: StreamId,
    },
    /// Look up all addresses of a seed; answer with `handle_resolved`.
    Resolve {
        /// `host:port`.
        seed: String,
    },
    /// Make these changes to what is stored, all or none, durably, in the order of the tickets;
    /// answer with `handle_saved`.
    Save {
        /// Its number.
        ticket: SaveTicket,
        /// What.
        writes: Vec<Write>,
    },
    /// Keep this ring of keys in place of the one before, durably; answer with `handle_keys_kept`.
    KeepKeys {
        /// Its number.
        ticket: KeyTicket,
        /// What.
        ring: Keyring,
    },
    /// A question was answered.
    Answered {
        /// Which.
        ticket: Ticket,
        /// How.
        answer: Answer,
    },
    /// This node is done; nothing will come from it any more.
    Stopped(Stop),
}

/// Why a node is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It was told to leave, and did.
    Left,
    /// A newer instance with its name is alive elsewhere.
    NameTaken {
        /// Where that listens.
        addr: SocketAddr,
        /// Its life.
        instance: Instance,
    },
}

/// When the node must be woken, and what for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// When.
    pub at: Time,
    /// A word for logs and traces.
    pub reason: &'static str,
}

/// A datagram that is encoded when the caller takes it, with what is then freshest.
#[derive(Clone, Debug)]
pub(super) struct Outgoing {
    /// Who is to read it. Sealed, nobody else can.
    pub(super) receiver: NameHash,
    pub(super) to: SocketAddr,
    pub(super) message: Message,
    /// Said first: what its receiver must hear about itself.
    pub(super) first: Option<(Name, Vec<u8>)>,
}

impl Node {
    /// The next datagram: clears `buffer`, fills it and gives the address it goes to.
    #[must_use]
    pub fn poll_transmit(&mut self, buffer: &mut Vec<u8>) -> Option<SocketAddr> {
        loop {
            let outgoing = pop(&mut self.transmits)?;
            let header = Header {
                cluster: self.cluster_id,
                from: self.me.name.as_str(),
                instance: self.me.instance,
                incarnation: self.me.incarnation,
                digest: self.table.digest().total().to_le_bytes(),
                outlook: self.outlook(self.now),
            };
            wire::encode_head(&header, &outgoing.message, buffer);
            let said = outgoing.first.as_ref().and_then(|(subject, bytes)| {
                buffer.extend_from_slice(bytes);
                self.table.id(subject.as_str())
            });
            let limit = self.send_limit();
            let (me, table) = (&self.me.name, &self.table);
            let word = |id| word(me, table.member(id));
            let write = |update: &Update<_, _>, buffer: &mut Vec<u8>| {
                encode_fitting(update, me, buffer);
            };
            let room = limits::PLAIN_DATAGRAM_BYTES;
            let filled = self.queue.fill(buffer, room, limit, said, word, write);
            let bare = filled == 0 && outgoing.first.is_none();
            if outgoing.message == Message::Gossip && bare {
                continue;
            }
            debug_assert!(
                buffer.len() <= limits::PLAIN_DATAGRAM_BYTES,
                "room is left for sealing"
            );
            let from = self.me.name.as_str();
            self.seal.seal_datagram(from, outgoing.receiver, buffer);
            self.stats.datagrams_sent += 1;
            self.stats.bytes_sent += buffer.len() as u64;
            return Some(outgoing.to);
        }
    }

    /// What this node holds of a member, as bytes, without its record unless that is `whole`.
    pub(super) fn said(&self, statement: &Statement, whole: bool) -> Vec<u8> {
        let me = &self.me.name;
        let update = if whole {
            Update::Record(&*statement.record)
        } else {
            claim(statement, me, &[])
        };
        let mut bytes = Vec::with_capacity(64);
        encode_fitting(&update, me, &mut bytes);
        bytes
    }

    /// The next thing the caller is to do.
    #[must_use]
    pub fn poll_action(&mut self) -> Option<Action> {
        pop(&mut self.actions)
    }

    /// The next thing to tell the users.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Event> {
        pop(&mut self.events)
    }

    /// When `handle_timeout` must be called at the latest. `None` once the node is done.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Deadline> {
        let (at, timer) = self.timers.first()?;
        Some(Deadline {
            at,
            reason: timer.reason(),
        })
    }

    /// Queues a datagram; drops it, counted, when too many wait.
    pub(super) fn send(&mut self, outgoing: Outgoing) {
        if self.transmits.len() >= limits::TRANSMITS {
            self.stats.dropped.busy += 1;
            return;
        }
        self.transmits.push_back(outgoing);
    }

    /// Queues a message without anything that must be said first, to a member and where that is.
    pub(super) fn send_plain(&mut self, (receiver, to): (NameHash, SocketAddr), message: Message) {
        self.send(Outgoing {
            receiver,
            to,
            message,
            first: None,
        });
    }

    pub(super) fn tell(&mut self, member: MemberInfo, kind: EventKind, now: Time) {
        self.events.push_back(Event {
            time: now,
            member,
            kind,
            view: self.agreed.view(),
            epoch: self.epoch(),
        });
    }

    /// Ends all activity but what is already queued.
    pub(super) fn stop(&mut self, stop: Stop) {
        self.timers.clear();
        self.fail_questions();
        self.agreed.voting = None;
        self.agreed.office = None;
        self.unlink_all(self.now);
        for stream in self.streams.drain() {
            self.actions.push_back(Action::Close { stream });
        }
        self.actions.push_back(Action::Stopped(stop));
    }

    /// Of a node that is done nothing more is to be waited for.
    pub(super) fn set_timer(&mut self, timer: Timer, at: Time) {
        if self.is_active() {
            self.timers.set(timer, at);
        }
    }
}

/// The next of a queue; an empty one gives back what a burst needed.
fn pop<T>(queue: &mut VecDeque<T>) -> Option<T> {
    let next = queue.pop_front();
    if next.is_none() && queue.capacity() > KEPT {
        *queue = VecDeque::new();
    }
    next
}

/// An empty queue keeps the room for so many.
const KEPT: usize = 16;

/// What is passed on of a member: what it says of itself, or what is held of it. Of a suspicion,
/// who confirmed it last and who was refused.
fn word<'a>(me: &'a Name, member: &'a Member) -> Update<&'a Record, &'a Name> {
    let statement = &member.statement;
    let suspicion = member.suspicion.as_ref();
    let accuser = suspicion.and_then(|suspicion| suspicion.accusers().last());
    match statement.status {
        Status::Alive => Update::Record(&statement.record),
        Status::Suspect => claim(statement, accuser.unwrap_or(me), member.refused()),
        Status::Unreachable | Status::Left => claim(statement, me, member.refused()),
    }
}

/// What is held of a member, without its record.
fn claim<'a>(
    statement: &'a Statement,
    by: &'a Name,
    refused: &'a [Name],
) -> Update<&'a Record, &'a Name> {
    let record = &statement.record;
    Update::Claim {
        name: &record.name,
        instance: record.instance,
        incarnation: record.incarnation,
        status: statement.status,
        by,
        refused: refused.iter().collect(),
    }
}

/// Appends an update. A record too long for a datagram is announced by a claim; whoever lacks it
/// pulls it over a stream.
fn encode_fitting(update: &Update<&Record, &Name>, me: &Name, buffer: &mut Vec<u8>) {
    let before = buffer.len();
    wire::encode_update(update, buffer);
    if buffer.len() - before > limits::UPDATE_BYTES
        && let Update::Record(record) = update
    {
        buffer.truncate(before);
        let announced: Update<&Record, &Name> = Update::Claim {
            name: &record.name,
            instance: record.instance,
            incarnation: record.incarnation,
            status: Status::Alive,
            by: me,
            refused: Vec::new(),
        };
        wire::encode_update(&announced, buffer);
    }
}
