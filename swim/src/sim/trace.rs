//! A fingerprint of everything that happened, and its last lines in words.

use std::collections::VecDeque;
use std::fmt::Display;

use smallvec::SmallVec;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::process::Pid;
use crate::event::Event;
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
        let mut facts: SmallVec<[u8; 64]> = SmallVec::new();
        facts.extend_from_slice(&now.as_nanos().to_le_bytes());
        facts.extend_from_slice(&pid.0.to_le_bytes());
        facts.extend_from_slice(&xxh3_64(bytes).to_le_bytes());
        facts.extend_from_slice(what.as_bytes());
        self.hash = xxh3_64_with_seed(&facts, self.hash);
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
        let mut facts: SmallVec<[u8; 128]> = SmallVec::new();
        facts.extend_from_slice(&member.instance.0.to_le_bytes());
        facts.extend_from_slice(&member.incarnation.0.to_le_bytes());
        facts.extend_from_slice(event.kind.as_str().as_bytes());
        facts.extend_from_slice(member.name.as_str().as_bytes());
        self.note(now, pid, "event", &facts, || {
            format!("{} {event:?}", event.kind.as_str())
        });
    }
}
