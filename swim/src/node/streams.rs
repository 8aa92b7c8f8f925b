//! Streams: opened for a probe or a pull, accepted for either, closed when they make no progress.

mod opening;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use super::catching::Catch;
use super::keys::Offer;
use super::letters::Letters;
use super::outputs::Action;
use super::syncing::{Pull, Serve};
use super::{Node, SeedError, Timer};
use crate::detector::StreamProbe;
use crate::event::Silence;
use crate::limits;
use crate::members::{Name, RecordRef};
use crate::time::Time;
use crate::wire::sealing::{Channel, Fault, KeyId};
use crate::wire::wiped::Wiped;
use crate::wire::{Frame, FrameReader, Refusal, encode_frame};

/// A stream's number, never used twice by one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub u64);

/// How a stream ended, as its caller saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamEnd {
    /// It was open, and the other side closed or reset it.
    Closed,
    /// The host refused it: nobody listens there.
    Refused,
    /// It could not be opened: unreachable, timed out, no descriptor left.
    Failed,
}

/// What a stream is for.
#[derive(Debug)]
pub(super) enum Purpose {
    /// To see whether a member answers on a stream.
    Probe {
        /// The round.
        seq: u32,
    },
    /// To compare tables.
    Pull(Box<Pull>),
    /// To catch up with the agreed views.
    Catch(Box<Catch>),
    /// To send one letter of the consensus, encoded.
    Letter(Wiped),
    /// A link that this node opens ([`links`](super::links)).
    Link {
        /// To whom.
        to: Name,
    },
    /// A link that somebody else opened.
    Linked {
        /// Who.
        by: Name,
    },
    /// To tell a member of our keys, and hear which it has.
    Keys(Offer),
    /// Somebody else opened it.
    Serve(Serve),
}

impl Purpose {
    /// How long it may take without a byte.
    fn patience(&self) -> Duration {
        match self {
            Purpose::Keys(_) => limits::KEY_PATIENCE,
            Purpose::Probe { .. }
            | Purpose::Pull(_)
            | Purpose::Catch(_)
            | Purpose::Letter(_)
            | Purpose::Link { .. }
            | Purpose::Linked { .. }
            | Purpose::Serve(_) => limits::STREAM_IDLE,
        }
    }

    /// Whether it stands for ever without a word.
    fn is_link(&self) -> bool {
        match self {
            Purpose::Link { .. } | Purpose::Linked { .. } => true,
            Purpose::Probe { .. }
            | Purpose::Pull(_)
            | Purpose::Catch(_)
            | Purpose::Letter(_)
            | Purpose::Keys(_)
            | Purpose::Serve(_) => false,
        }
    }
}

#[derive(Debug)]
struct Stream {
    purpose: Purpose,
    channel: Channel,
    reader: FrameReader,
}

/// The open streams.
#[derive(Debug, Default)]
pub(super) struct Streams {
    open: BTreeMap<StreamId, Stream>,
    /// Those from others that have shown nothing yet, oldest first.
    strangers: BTreeSet<StreamId>,
    last: u64,
    pub(super) letters: Letters,
}

impl Streams {
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    fn add(&mut self, purpose: Purpose) -> Option<StreamId> {
        if self.open.len() >= limits::STREAMS {
            return None;
        }
        self.last += 1;
        let id = StreamId(self.last);
        self.open.insert(
            id,
            Stream {
                purpose,
                // Until it is known how it is spoken on.
                channel: Channel::called(),
                reader: FrameReader::default(),
            },
        );
        Some(id)
    }

    /// Bytes of frames that have begun to arrive.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        let held = |open: &Stream| open.reader.held() + open.channel.held();
        self.open.values().map(held).sum()
    }

    /// The key under which a stream is sealed.
    pub(super) fn key(&self, stream: StreamId) -> Option<KeyId> {
        self.open.get(&stream)?.channel.key()
    }

    /// What a stream is for.
    pub(super) fn purpose(&self, stream: StreamId) -> Option<&Purpose> {
        Some(&self.open.get(&stream)?.purpose)
    }

    /// The same, to change it.
    pub(super) fn purpose_mut(&mut self, stream: StreamId) -> Option<&mut Purpose> {
        Some(&mut self.open.get_mut(&stream)?.purpose)
    }

    /// Takes all out.
    pub(super) fn drain(&mut self) -> Vec<StreamId> {
        self.strangers.clear();
        std::mem::take(&mut self.open).into_keys().collect()
    }
}

impl Node {
    /// Somebody opened a stream to this node. `None` when there are too many: close it.
    pub fn handle_stream_accepted(&mut self, from: SocketAddr, now: Time) -> Option<StreamId> {
        self.enter(now);
        if !self.is_active() {
            return None;
        }
        let Some(stream) = self.streams.add(Purpose::Serve(Serve::new(from.ip()))) else {
            self.stats.dropped.busy += 1;
            return None;
        };
        self.stats.streams_accepted += 1;
        if self.streams.strangers.len() >= limits::STRANGERS
            && let Some(&oldest) = self.streams.strangers.first()
        {
            self.stats.dropped.busy += 1;
            self.end_stream(oldest, StreamEnd::Closed, true, now);
        }
        self.streams.strangers.insert(stream);
        self.set_timer(Timer::Stream(stream), now + limits::STRANGER);
        Some(stream)
    }

    /// Bytes of a stream, in order, cut anyhow.
    pub fn handle_stream_data(&mut self, stream: StreamId, data: &[u8], now: Time) {
        self.enter(now);
        let Some(open) = self.streams.open.get_mut(&stream) else {
            return;
        };
        let taken = open.channel.take(&mut self.seal, data);
        open.reader.push(&taken.plain);
        // Its frames are read where they stand; meanwhile nobody else needs the reader.
        let mut reader = std::mem::take(&mut open.reader);
        let rosters = self.agreed.rosters.clone();
        self.keep_stream(stream, now);
        if !taken.reply.is_empty() {
            let bytes = taken.reply;
            self.actions.push_back(Action::Send { stream, bytes });
        }
        if taken.is_open {
            self.on_stream_open(stream, now);
        }
        while self.streams.open.contains_key(&stream) {
            match reader.next_of(&rosters) {
                Ok(Some(frame)) => {
                    if self.streams.strangers.remove(&stream) {
                        self.keep_stream(stream, now);
                    }
                    self.on_frame(stream, frame, now);
                }
                Ok(None) => break,
                Err(reason) => {
                    self.count_dropped(reason);
                    self.end_stream(stream, StreamEnd::Closed, true, now);
                }
            }
        }
        reader.forget();
        self.on_begun(stream, &reader, now);
        if let Some(open) = self.streams.open.get_mut(&stream) {
            open.reader = reader;
        }
        if let Some(fault) = taken.fault {
            self.on_fault(stream, fault, now);
        }
    }

    /// Nothing more can be read on a stream.
    fn on_fault(&mut self, stream: StreamId, fault: Fault, now: Time) {
        let open = self.streams.open.get_mut(&stream);
        match (fault, open.map(|open| &mut open.purpose)) {
            (Fault::Dropped(reason), _) => self.count_dropped(reason),
            (Fault::Cannot, Some(Purpose::Pull(pull))) => pull.refused = Some(SeedError::OtherKey),
            (Fault::Cannot, _) => {}
        }
        self.end_stream(stream, StreamEnd::Closed, true, now);
    }

    /// A stream is over, or never came about.
    pub fn handle_stream_closed(&mut self, stream: StreamId, end: StreamEnd, now: Time) {
        self.enter(now);
        self.end_stream(stream, end, false, now);
    }

    pub(super) fn on_stream_timeout(&mut self, stream: StreamId, now: Time) {
        self.end_stream(stream, StreamEnd::Failed, true, now);
    }

    fn on_frame(&mut self, stream: StreamId, frame: Frame<RecordRef<'_>>, now: Time) {
        self.hear_somebody(now);
        let Some(open) = self.streams.open.get_mut(&stream) else {
            return;
        };
        match (&mut open.purpose, frame) {
            (
                Purpose::Serve(_),
                Frame::Ping {
                    cluster,
                    target,
                    seq,
                },
            ) => {
                let answer: Frame = if cluster != self.cluster {
                    self.stats.dropped.cluster += 1;
                    Frame::Refuse(Refusal::Cluster)
                } else if target != self.me.instance {
                    Frame::Refuse(Refusal::Instance)
                } else {
                    Frame::Ack {
                        seq,
                        digest: self.table.digest().total(),
                        outlook: self.outlook(now),
                    }
                };
                self.send_frame(stream, &answer);
            }
            // Once on a stream: an answer may be as large as the table.
            (
                Purpose::Serve(serve),
                Frame::Pull {
                    cluster,
                    record,
                    buckets,
                },
            ) if !serve.expects_state() => {
                self.on_pull(stream, &cluster, record, &buckets, now);
            }
            (Purpose::Serve(serve), Frame::State { members, last, .. })
                if serve.expects_state() =>
            {
                self.on_returned_state(stream, &members, last, now);
            }
            (
                Purpose::Pull(pull),
                Frame::State {
                    from,
                    buckets,
                    members,
                    last,
                },
            ) => {
                pull.on_buckets(buckets);
                self.on_pulled_state(stream, &from, &members, last, now);
            }
            (Purpose::Pull(pull), Frame::Refuse(refusal)) => {
                pull.refused = Some(refusal.into());
                self.end_stream(stream, StreamEnd::Closed, true, now);
            }
            (
                Purpose::Probe { seq },
                Frame::Ack {
                    seq: acked,
                    digest,
                    outlook,
                },
            ) if *seq == acked => self.on_stream_ack(acked, digest, outlook, now),
            (
                Purpose::Serve(serve),
                Frame::Catch {
                    cluster,
                    lineage,
                    view,
                },
            ) if serve.may_tell_views() => {
                serve.on_views_told();
                self.on_catch(stream, &cluster, lineage, view, now);
            }
            (
                Purpose::Serve(_),
                Frame::Letter {
                    cluster,
                    from,
                    tag,
                    configuration,
                    postmark,
                    bytes,
                    signature,
                },
            ) => {
                if cluster == self.cluster {
                    let letter = (postmark, &*bytes, &signature);
                    self.on_letter(from.as_str(), tag, configuration, letter, now);
                } else {
                    self.stats.dropped.cluster += 1;
                }
                self.end_stream(stream, StreamEnd::Closed, true, now);
            }
            (
                Purpose::Catch(_),
                Frame::Cuts {
                    lineage,
                    first,
                    cuts,
                },
            ) => {
                self.on_cuts(lineage, first, cuts, now);
                self.end_stream(stream, StreamEnd::Closed, true, now);
            }
            (
                Purpose::Catch(_),
                Frame::Roster {
                    head,
                    standings,
                    removed,
                    last,
                    signature,
                },
            ) => {
                let end = last.then_some(signature);
                if self.on_roster(stream, head, standings, removed, end, now) {
                    self.end_stream(stream, StreamEnd::Closed, true, now);
                }
            }
            (Purpose::Catch(_), Frame::Refuse(_)) => {
                self.end_stream(stream, StreamEnd::Closed, true, now);
            }
            (
                Purpose::Serve(_),
                Frame::Link {
                    cluster,
                    from,
                    instance,
                    target,
                },
            ) => self.on_link(stream, &cluster, (from, instance), target, now),
            (Purpose::Link { to }, Frame::Linked) => {
                let to = to.clone();
                self.on_linked(stream, &to, now);
            }
            (Purpose::Link { to: with } | Purpose::Linked { by: with }, Frame::Unlink) => {
                let with = with.clone();
                self.on_unlink(stream, &with, now);
            }
            (Purpose::Link { to }, Frame::Refuse(refusal)) => {
                let to = to.clone();
                self.on_link_refused(stream, &to, refusal, now);
            }
            (Purpose::Probe { seq }, Frame::Refuse(_)) => {
                let seq = *seq;
                self.on_round_failed(seq, Some(Silence::Replaced), now);
            }
            (
                Purpose::Serve(_) | Purpose::Pull(_) | Purpose::Catch(_) | Purpose::Keys(_),
                Frame::Keys {
                    cluster,
                    generation,
                    keys,
                },
            ) => self.on_keys(stream, &cluster, generation, &keys, now),
            (Purpose::Keys(_), Frame::KeysHeld(held)) => self.on_keys_held(stream, held, now),
            (
                Purpose::Serve(_)
                | Purpose::Pull(_)
                | Purpose::Probe { .. }
                | Purpose::Catch(_)
                | Purpose::Letter(_)
                | Purpose::Link { .. }
                | Purpose::Linked { .. }
                | Purpose::Keys(_),
                _,
            ) => {
                self.stats.dropped.unexpected += 1;
                self.end_stream(stream, StreamEnd::Closed, true, now);
            }
        }
    }

    /// Opens a stream; `None` when there are too many, or this node is done: the word that ended it
    /// may have been the first half of what a datagram says.
    pub(super) fn open_stream(
        &mut self,
        to: SocketAddr,
        purpose: Purpose,
        now: Time,
    ) -> Option<StreamId> {
        if !self.is_active() {
            return None;
        }
        let Some(stream) = self.streams.add(purpose) else {
            self.stats.dropped.busy += 1;
            return None;
        };
        self.stats.streams_opened += 1;
        self.actions.push_back(Action::Connect { stream, to });
        let patience = self.streams.purpose(stream).map(Purpose::patience);
        self.set_timer(
            Timer::Stream(stream),
            now + patience.unwrap_or(limits::STREAM_IDLE),
        );
        Some(stream)
    }

    pub(super) fn send_frame(&mut self, stream: StreamId, frame: &Frame) {
        self.send_bytes(stream, [encode_frame(frame)]);
    }

    /// Sends encoded frames. On a stream that cannot be spoken on yet nothing is said.
    pub(super) fn send_bytes(&mut self, stream: StreamId, frames: impl IntoIterator<Item = Wiped>) {
        let Some(open) = self.streams.open.get_mut(&stream) else {
            return;
        };
        let sends = frames.into_iter().map(|frame| open.channel.seal(frame));
        let sends = sends.filter(|bytes| !bytes.is_empty());
        let sends = sends.map(|bytes| Action::Send { stream, bytes });
        self.actions.extend(sends);
    }

    /// A stream made progress: it may live on as long again. A link does anyhow, and a stranger has
    /// its time.
    fn keep_stream(&mut self, stream: StreamId, now: Time) {
        let open = self.streams.open.get(&stream);
        let is_known = !self.streams.strangers.contains(&stream);
        let purpose = open.map(|open| &open.purpose);
        if is_known && let Some(purpose) = purpose.filter(|purpose| !purpose.is_link()) {
            let patience = purpose.patience();
            self.set_timer(Timer::Stream(stream), now + patience);
        }
    }

    /// Takes a stream out and tells whoever used it. `close` when the caller still has it open.
    pub(super) fn end_stream(&mut self, stream: StreamId, end: StreamEnd, close: bool, now: Time) {
        let Some(open) = self.streams.open.remove(&stream) else {
            return;
        };
        self.streams.letters.forget(stream);
        self.streams.strangers.remove(&stream);
        self.timers.cancel(&Timer::Stream(stream));
        if close {
            self.actions.push_back(Action::Close { stream });
        }
        match open.purpose {
            Purpose::Probe { seq } => match end {
                StreamEnd::Refused => self.on_stream_probe(seq, StreamProbe::Refused, now),
                StreamEnd::Failed => self.on_stream_probe(seq, StreamProbe::Failed, now),
                // It was accepted; that the process never answered is for the round to find.
                StreamEnd::Closed => {}
            },
            Purpose::Pull(pull) => self.on_pull_over(stream, *pull, end, now),
            Purpose::Catch(_) => self.on_catch_over(stream, now),
            Purpose::Link { to } => self.on_our_link_over(stream, &to, end, now),
            Purpose::Linked { by } => self.on_their_link_over(stream, &by, now),
            Purpose::Keys(offer) => self.on_offer_over(offer, now),
            Purpose::Letter(_) | Purpose::Serve(_) => {}
        }
    }

    /// The pull that runs on this stream.
    pub(super) fn pull_on(&mut self, stream: StreamId) -> Option<&mut Pull> {
        match self.streams.purpose_mut(stream)? {
            Purpose::Pull(pull) => Some(pull),
            Purpose::Probe { .. }
            | Purpose::Serve(_)
            | Purpose::Catch(_)
            | Purpose::Letter(_)
            | Purpose::Link { .. }
            | Purpose::Linked { .. }
            | Purpose::Keys(_) => None,
        }
    }

    /// The answer that runs on this stream.
    pub(super) fn serve_on(&mut self, stream: StreamId) -> Option<&mut Serve> {
        match self.streams.purpose_mut(stream)? {
            Purpose::Serve(serve) => Some(serve),
            Purpose::Probe { .. }
            | Purpose::Pull(_)
            | Purpose::Catch(_)
            | Purpose::Letter(_)
            | Purpose::Link { .. }
            | Purpose::Linked { .. }
            | Purpose::Keys(_) => None,
        }
    }

    /// Closes the stream of a round that is over.
    pub(super) fn close_stream_of_round(&mut self, round: u32) {
        let of_round = |stream: &Stream| match stream.purpose {
            Purpose::Probe { seq } => seq == round,
            Purpose::Pull(_)
            | Purpose::Serve(_)
            | Purpose::Catch(_)
            | Purpose::Letter(_)
            | Purpose::Link { .. }
            | Purpose::Linked { .. }
            | Purpose::Keys(_) => false,
        };
        let found = self
            .streams
            .open
            .iter()
            .find(|(_, stream)| of_round(stream));
        if let Some((&stream, _)) = found {
            self.streams.open.remove(&stream);
            self.timers.cancel(&Timer::Stream(stream));
            self.actions.push_back(Action::Close { stream });
        }
    }
}
