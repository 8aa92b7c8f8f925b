//! Updates waiting to be passed on (SWIM section 4.1): the least sent first, each only so often.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use hashbrown::HashMap;

use crate::members::Name;

/// What goes ahead of what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Urgency {
    /// A goodbye: its sender will soon be gone.
    First,
    /// All else.
    Normal,
}

/// Urgent ones first, then the least sent, then the newest.
type Key = (Urgency, u32, Reverse<u64>, Name);

#[derive(Clone, Debug)]
struct Entry {
    bytes: Vec<u8>,
    urgency: Urgency,
    sent: u32,
    serial: u64,
}

/// At most one update for each member: a newer one takes the older one's place.
#[derive(Clone, Debug, Default)]
pub(crate) struct Queue {
    entries: HashMap<Name, Entry>,
    order: BTreeSet<Key>,
    serial: u64,
}

impl Queue {
    /// Queues the encoded update about `subject`.
    pub(crate) fn put(&mut self, subject: &Name, urgency: Urgency, bytes: Vec<u8>) {
        self.remove(subject);
        self.serial += 1;
        let entry = Entry {
            bytes,
            urgency,
            sent: 0,
            serial: self.serial,
        };
        self.order.insert(key(subject, &entry));
        self.entries.insert(subject.clone(), entry);
    }

    /// Drops the update about `subject`.
    pub(crate) fn remove(&mut self, subject: &Name) {
        if let Some(entry) = self.entries.remove(subject) {
            self.order.remove(&key(subject, &entry));
        }
    }

    /// Whether an update has been sent less than `times`.
    pub(crate) fn has_fresher_than(&self, times: u32) -> bool {
        let least_of = |urgency| {
            let from: Key = (urgency, 0, Reverse(u64::MAX), self.order.first()?.3.clone());
            let first = self.order.range(from..).next()?;
            (first.0 == urgency).then_some(first.1)
        };
        let least = [Urgency::First, Urgency::Normal]
            .into_iter()
            .filter_map(least_of)
            .min();
        least.is_some_and(|sent| sent < times)
    }

    /// Appends updates that fit until `buffer` has `room` bytes; each that was sent `limit` times
    /// is done. The update about `but` is left out: it was already said.
    pub(crate) fn fill(
        &mut self,
        buffer: &mut Vec<u8>,
        room: usize,
        limit: u32,
        but: Option<&Name>,
    ) -> usize {
        let mut taken: Vec<Key> = Vec::new();
        let mut misfits = 0;
        for place in &self.order {
            if buffer.len() + SMALLEST > room || misfits == MISFITS {
                break;
            }
            let entry = self
                .entries
                .get(&place.3)
                .expect("the order names queued updates only");
            if but == Some(&place.3) {
                continue;
            }
            if buffer.len() + entry.bytes.len() > room {
                misfits += 1;
                continue;
            }
            buffer.extend_from_slice(&entry.bytes);
            taken.push(place.clone());
        }
        let count = taken.len();
        for place in taken {
            self.order.remove(&place);
            let entry = self.entries.get_mut(&place.3);
            let entry = entry.expect("the order names queued updates only");
            entry.sent += 1;
            if entry.sent < limit {
                self.order.insert(key(&place.3, entry));
            } else {
                self.entries.remove(&place.3);
            }
        }
        count
    }

    /// Whether order and entries say the same.
    pub(crate) fn check_invariants(&self) {
        assert_eq!(
            self.order.len(),
            self.entries.len(),
            "every update is in the order once"
        );
        for (name, entry) in &self.entries {
            assert!(
                self.order.contains(&key(name, entry)),
                "{name} is in the order"
            );
        }
    }
}

/// No update is shorter: a claim with names of one byte and numbers of one.
const SMALLEST: usize = 8;

/// Updates that are tried and do not fit before a datagram counts as full.
const MISFITS: usize = 8;

fn key(subject: &Name, entry: &Entry) -> Key {
    (
        entry.urgency,
        entry.sent,
        Reverse(entry.serial),
        subject.clone(),
    )
}

/// How often an update is passed on among `members`: `multiplier` log2(n + 1), rounded up
/// (SWIM section 4.1).
pub(crate) fn send_limit(multiplier: u32, members: usize) -> u32 {
    let log2 = usize::BITS - members.leading_zeros();
    multiplier * log2.max(1)
}
