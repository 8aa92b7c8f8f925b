//! A fingerprint of everything that happened, and its last lines in words.

use std::collections::VecDeque;
use std::fmt::Display;

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::process::Pid;
use crate::event::Event;
use crate::limits;
use crate::time::Time;

/// Runs over every input, output and event of every process.
#[derive(Debug)]
pub(super) struct Trace {
    hash: u64,
    entries: u64,
    keep: usize,
    last: VecDeque<String>,
}

impl Trace {
    /// Keeps the last `keep` entries as text.
    pub(super) fn new(keep: usize) -> Trace {
        Trace {
            hash: 0,
            entries: 0,
            keep,
            last: VecDeque::new(),
        }
    }

    pub(super) fn hash(&self) -> u64 {
        self.hash
    }

    /// How much happened.
    pub(super) fn entries(&self) -> u64 {
        self.entries
    }

    pub(super) fn last(&self) -> impl Iterator<Item = &str> {
        self.last.iter().map(String::as_str)
    }

    /// Something happened to `pid`; `words` are made only when lines are kept.
    pub(super) fn note<W: Display>(
        &mut self,
        now: Time,
        pid: Pid,
        what: &'static str,
        bytes: &[u8],
        words: impl FnOnce() -> W,
    ) {
        self.entries += 1;
        // The bytes by themselves: a seed makes hashing many of them slow.
        let mut facts: Facts<64> = Facts::new();
        facts.add(&now.as_nanos().to_le_bytes());
        facts.add(&pid.0.to_le_bytes());
        facts.add(&xxh3_64(bytes).to_le_bytes());
        facts.add(what.as_bytes());
        self.hash = xxh3_64_with_seed(facts.bytes(), self.hash);
        if self.keep == 0 {
            return;
        }
        if self.last.len() == self.keep {
            self.last.pop_front();
        }
        self.last
            .push_back(format!("{now:?} #{} {what} {}", pid.0, words()));
    }

    /// A process told something.
    pub(super) fn event(&mut self, now: Time, pid: Pid, event: &Event) {
        let member = &event.member;
        let mut facts: Facts<{ 64 + limits::NAME_BYTES }> = Facts::new();
        facts.add(&member.instance.0.to_le_bytes());
        facts.add(&member.incarnation.0.to_le_bytes());
        facts.add(event.kind.as_str().as_bytes());
        facts.add(member.name.as_str().as_bytes());
        self.note(now, pid, "event", facts.bytes(), || {
            format!("{} {event:?}", event.kind.as_str())
        });
    }
}

/// Bytes one after the other, of which there are at most so many.
struct Facts<const MOST: usize> {
    bytes: [u8; MOST],
    length: usize,
}

impl<const MOST: usize> Facts<MOST> {
    fn new() -> Facts<MOST> {
        Facts {
            bytes: [0; MOST],
            length: 0,
        }
    }

    fn add(&mut self, more: &[u8]) {
        let end = self.length + more.len();
        self.bytes[self.length..end].copy_from_slice(more);
        self.length = end;
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}
