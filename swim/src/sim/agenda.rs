//! Virtual time: what happens when, in a total order.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::time::Duration;

use crate::time::Time;

/// The clock, and all that is planned: earliest first, and in the order of planning at one instant.
#[derive(Debug)]
pub(super) struct Agenda<E> {
    now: Time,
    planned: u64,
    heap: BinaryHeap<Reverse<Entry<E>>>,
}

#[derive(Debug)]
struct Entry<E> {
    at: Time,
    sequence: u64,
    event: E,
}

impl<E> Agenda<E> {
    pub(super) fn new() -> Agenda<E> {
        Agenda {
            now: Time::ZERO,
            planned: 0,
            heap: BinaryHeap::new(),
        }
    }

    pub(super) fn now(&self) -> Time {
        self.now
    }

    /// Plans an event; what is planned for the past happens now.
    pub(super) fn at(&mut self, at: Time, event: E) {
        self.planned += 1;
        let entry = Entry {
            at: at.max(self.now),
            sequence: self.planned,
            event,
        };
        self.heap.push(Reverse(entry));
    }

    pub(super) fn after(&mut self, delay: Duration, event: E) {
        self.at(self.now + delay, event);
    }

    /// The next event up to `limit`; moves the clock to it, or to `limit` when there is none.
    pub(super) fn next_until(&mut self, limit: Time) -> Option<E> {
        let due = self
            .heap
            .peek()
            .is_some_and(|Reverse(entry)| entry.at <= limit);
        if !due {
            self.now = self.now.max(limit);
            return None;
        }
        let Reverse(entry) = self.heap.pop()?;
        self.now = entry.at;
        Some(entry.event)
    }
}

impl<E> Ord for Entry<E> {
    fn cmp(&self, other: &Entry<E>) -> Ordering {
        (self.at, self.sequence).cmp(&(other.at, other.sequence))
    }
}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Entry<E>) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Entry<E>) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<E> Eq for Entry<E> {}
