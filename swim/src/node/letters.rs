//! What may arrive on a stream is known before it is stored: only voters' letters are large, and
//! they are held of a few at a time.

use std::collections::{BTreeMap, VecDeque};

use super::Node;
use super::streams::{Purpose, StreamEnd, StreamId};
use crate::limits;
use crate::time::Time;
use crate::wire::{FrameKind, FrameReader, LetterHead};

/// Streams on which a letter has begun to arrive, by the number of the voter that writes it,
/// oldest first.
#[derive(Debug, Default)]
pub(super) struct Letters(BTreeMap<usize, VecDeque<StreamId>>);

impl Letters {
    /// A letter of this voter has begun to arrive. Gives the one that makes room for it: the
    /// oldest, for its voter has written others since, or it does not get on.
    fn on_begun(&mut self, voter: usize, stream: StreamId) -> Option<StreamId> {
        let streams = self.0.entry(voter).or_default();
        if streams.contains(&stream) {
            return None;
        }
        streams.push_back(stream);
        (streams.len() > limits::LETTERS_OF_ONE)
            .then(|| streams.pop_front())
            .flatten()
    }

    pub(super) fn forget(&mut self, stream: StreamId) {
        for streams in self.0.values_mut() {
            streams.retain(|known| *known != stream);
        }
        self.0.retain(|_, streams| !streams.is_empty());
    }
}

impl Purpose {
    /// Whether a frame of this kind may come on such a stream.
    fn expects(&self, kind: FrameKind) -> bool {
        match kind {
            FrameKind::Ping
            | FrameKind::Pull
            | FrameKind::Catch
            | FrameKind::Letter
            | FrameKind::Link => matches!(self, Purpose::Serve(_)),
            FrameKind::Linked => matches!(self, Purpose::Link { .. }),
            FrameKind::Unlink => matches!(self, Purpose::Link { .. } | Purpose::Linked { .. }),
            FrameKind::Ack => matches!(self, Purpose::Probe { .. }),
            FrameKind::State => match self {
                Purpose::Serve(serve) => serve.expects_state(),
                Purpose::Pull(_) => true,
                Purpose::Probe { .. }
                | Purpose::Catch(_)
                | Purpose::Letter(_)
                | Purpose::Link { .. }
                | Purpose::Linked { .. }
                | Purpose::Keys(_) => false,
            },
            FrameKind::Keys => match self {
                Purpose::Serve(_) | Purpose::Pull(_) | Purpose::Catch(_) | Purpose::Keys(_) => true,
                Purpose::Probe { .. }
                | Purpose::Letter(_)
                | Purpose::Link { .. }
                | Purpose::Linked { .. } => false,
            },
            FrameKind::KeysHeld => matches!(self, Purpose::Keys(_)),
            FrameKind::Cuts | FrameKind::Roster => matches!(self, Purpose::Catch(_)),
            FrameKind::Refuse => match self {
                Purpose::Probe { .. }
                | Purpose::Pull(_)
                | Purpose::Catch(_)
                | Purpose::Link { .. } => true,
                Purpose::Serve(_)
                | Purpose::Letter(_)
                | Purpose::Keys(_)
                | Purpose::Linked { .. } => false,
            },
        }
    }
}

impl Node {
    /// A frame has begun to arrive and is not whole yet: the stream ends if it is not wanted.
    pub(super) fn on_begun(&mut self, stream: StreamId, reader: &FrameReader, now: Time) {
        let (Some(kind), Some(purpose)) = (reader.begun(), self.streams.purpose_mut(stream)) else {
            return;
        };
        if !purpose.expects(kind) {
            self.stats.dropped.unexpected += 1;
            return self.end_stream(stream, StreamEnd::Closed, true, now);
        }
        if kind != FrameKind::Letter {
            return;
        }
        match reader.letter_head() {
            None => {}
            Some(Ok(head)) => self.on_letter_begun(stream, &head, now),
            Some(Err(reason)) => {
                self.count_dropped(reason);
                self.end_stream(stream, StreamEnd::Closed, true, now);
            }
        }
    }

    fn on_letter_begun(&mut self, stream: StreamId, head: &LetterHead, now: Time) {
        let tag = self.agreed.tag();
        let voting = self.agreed.voting.as_ref().filter(|voting| {
            let fits = head.tag == tag && head.configuration == voting.configuration;
            fits && head.cluster == self.cluster && head.from != self.me.name
        });
        let number = voting.and_then(|voting| voting.number_of(head.from.as_str()));
        let Some(number) = number else {
            self.stats.dropped.unexpected += 1;
            return self.end_stream(stream, StreamEnd::Closed, true, now);
        };
        if let Some(oldest) = self.streams.letters.on_begun(number.place(), stream) {
            self.stats.dropped.busy += 1;
            self.end_stream(oldest, StreamEnd::Closed, true, now);
        }
    }
}
