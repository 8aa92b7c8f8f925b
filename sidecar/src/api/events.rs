//! The log of recent events: one ring buffer that every stream reads at its own pace.

use std::collections::{BTreeMap, VecDeque};
use std::task::Waker;

use super::model::{Cursor, EVENT_TYPES, Event, RESET, Word};

/// Most bytes of rendered events kept, whatever the capacity: 65,536 events of the usual 500 bytes
/// fit twice, those of a cluster whose members have all the tags they may have push older ones out.
pub const LOG_BYTES: usize = 64 * 1024 * 1024;

/// Most events looked at in one step of a stream, so that a narrow filter does not hold the thread.
const SCAN: usize = 4096;

/// The recent events of this agent, each rendered once for all streams.
///
/// Streams hold a cursor and nothing else: one that reads slowly costs nobody anything, and one
/// that falls out of the buffer is told so.
#[derive(Debug)]
pub struct EventLog {
    origin: u64,
    capacity: usize,
    max_bytes: usize,
    entries: VecDeque<Entry>,
    bytes: usize,
    last_seq: u64,
    last: Option<Event>,
    /// How many of each type were published.
    published: BTreeMap<Word, u64>,
    waiting: BTreeMap<ReaderId, Waker>,
    next_reader: u64,
    readers: usize,
}

#[derive(Debug)]
struct Entry {
    kind: Word,
    frame: Box<[u8]>,
}

/// A stream that may wait for the next event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ReaderId(u64);

/// Why a stream cannot go on after a cursor: it starts anew from a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gap {
    /// The cursor is of another agent, or of another start of this one.
    OtherOrigin,
    /// What came next is no longer kept.
    TooOld,
    /// This agent has not come that far.
    Unknown,
}

/// The types of event that a stream carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Types(Option<Vec<&'static str>>);

impl EventLog {
    /// An empty log that keeps the last `capacity` events (at least one, and at most
    /// [`LOG_BYTES`]). `origin` is the instance of the agent at its start.
    pub fn new(origin: u64, capacity: usize) -> EventLog {
        EventLog {
            origin,
            capacity: capacity.max(1),
            max_bytes: LOG_BYTES,
            entries: VecDeque::new(),
            bytes: 0,
            last_seq: 0,
            last: None,
            published: BTreeMap::new(),
            waiting: BTreeMap::new(),
            next_reader: 0,
            readers: 0,
        }
    }

    /// Gives the event its cursor, keeps it and wakes the streams. Returns it as published.
    pub fn publish(&mut self, mut event: Event) -> &Event {
        self.last_seq += 1;
        *self.published.entry(event.kind.clone()).or_default() += 1;
        event.cursor = self.cursor().to_string();
        let frame = frame(&event.cursor, &event.kind, &event).into_boxed_slice();
        self.bytes += frame.len();
        self.entries.push_back(Entry {
            kind: event.kind.clone(),
            frame,
        });
        while self.entries.len() > self.capacity || self.bytes > self.max_bytes {
            let Some(oldest) = self.entries.pop_front() else {
                break;
            };
            self.bytes -= oldest.frame.len();
        }
        self.wake();
        self.last.insert(event)
    }

    /// The cursor of the last event published.
    pub fn cursor(&self) -> Cursor {
        Cursor {
            origin: self.origin,
            seq: self.last_seq,
        }
    }

    /// Where a stream that saw everything up to `cursor` goes on.
    pub(super) fn resume(&self, cursor: Cursor) -> Result<u64, Gap> {
        if cursor.origin != self.origin {
            return Err(Gap::OtherOrigin);
        }
        self.index_after(cursor.seq).map(|_| cursor.seq)
    }

    /// Appends the frames after event `seq` that `types` wants, until `chunk` has `limit` bytes or
    /// enough were looked at. Returns the last event looked at.
    pub(super) fn copy_after(
        &self,
        seq: u64,
        types: &Types,
        chunk: &mut Vec<u8>,
        limit: usize,
    ) -> Result<u64, Gap> {
        let start = self.index_after(seq)?;
        let mut seen = seq;
        for entry in self.entries.range(start..).take(SCAN) {
            if chunk.len() >= limit {
                break;
            }
            seen += 1;
            if types.wants(&entry.kind) {
                chunk.extend_from_slice(&entry.frame);
            }
        }
        Ok(seen)
    }

    /// A new stream.
    pub(super) fn add_reader(&mut self) -> ReaderId {
        self.next_reader += 1;
        self.readers += 1;
        ReaderId(self.next_reader)
    }

    /// Has `waker` woken by the next event.
    pub(super) fn wait(&mut self, reader: ReaderId, waker: &Waker) {
        self.waiting.insert(reader, waker.clone());
    }

    /// Forgets a stream.
    pub(super) fn remove_reader(&mut self, reader: ReaderId) {
        self.readers -= 1;
        self.waiting.remove(&reader);
    }

    /// Wakes all waiting streams.
    pub(super) fn wake(&mut self) {
        while let Some((_, waker)) = self.waiting.pop_first() {
            waker.wake();
        }
    }

    /// Streams that are open.
    pub(super) fn readers(&self) -> usize {
        self.readers
    }

    /// How many events of a type were published.
    pub(super) fn published(&self, kind: &str) -> u64 {
        self.published.get(kind).copied().unwrap_or_default()
    }

    /// Events that are kept, and their bytes.
    pub(super) fn kept(&self) -> (usize, usize) {
        (self.entries.len(), self.bytes)
    }

    /// Streams that wait for the next event.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// The index of the entry after event `seq`.
    fn index_after(&self, seq: u64) -> Result<usize, Gap> {
        let behind = self.last_seq.checked_sub(seq).ok_or(Gap::Unknown)?;
        let behind = usize::try_from(behind).map_err(|_| Gap::TooOld)?;
        self.entries.len().checked_sub(behind).ok_or(Gap::TooOld)
    }
}

impl Gap {
    /// The word in `reset`.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Gap::OtherOrigin => "other-origin",
            Gap::TooOld => "too-old",
            Gap::Unknown => "unknown",
        }
    }
}

impl Types {
    /// Every type.
    pub(super) fn all() -> Types {
        Types(None)
    }

    /// The types named in a comma list, or the first name that is none. `reset` is always carried.
    pub(super) fn parse(list: &str) -> Result<Types, String> {
        let known = |word: &str| EVENT_TYPES.into_iter().find(|known| *known == word);
        let words = list.split(',').map(str::trim);
        words
            .map(|word| known(word).ok_or_else(|| word.to_owned()))
            .collect::<Result<Vec<_>, _>>()
            .map(|types| Types(Some(types)))
    }

    fn wants(&self, kind: &str) -> bool {
        self.0
            .as_ref()
            .is_none_or(|types| kind == RESET || types.contains(&kind))
    }
}

/// Ends the data and the event.
pub(super) const FRAME_END: &[u8] = b"\n\n";

/// An event as it goes over the wire: its cursor, its type, and its data as one line of JSON.
pub(super) fn frame(cursor: &str, kind: &str, data: &impl serde::Serialize) -> Vec<u8> {
    let mut frame = format!("id: {cursor}\nevent: {kind}\ndata: ").into_bytes();
    serde_json::to_writer(&mut frame, data).expect("the shapes have only text as keys");
    frame.extend_from_slice(FRAME_END);
    frame
}

#[cfg(test)]
mod tests;
