//! The beats of a period: one ping to the successor on each ring, at the moment that it asked for
//! (DESIGN 4.1: periods are spread).
//!
//! Whoever is watched knows all who watch it, so it says when each is to come next: the beats of
//! its predecessors arrive one after the other, a K-th of a period apart, and none of them is late
//! without being missed. The predecessors need not know of each other, nor agree on a clock.

use std::time::Duration;

use smallvec::SmallVec;

use super::{Lifecycle, Node, Timer};
use crate::detector::Purpose;
use crate::limits;
use crate::members::{Name, Status};
use crate::time::Time;
use crate::wire::{Header, Message};

impl Node {
    /// Random phases, so that members started together do not ping in step.
    pub(super) fn begin_beats(&mut self, now: Time) {
        if self.config.rings == 0 {
            return;
        }
        self.phase = self.rng.up_to(self.config.period);
        for ring in 0..self.config.rings {
            let first = now + self.rng.up_to(self.config.period);
            self.timers.set(Timer::Beat(ring), first);
        }
    }

    /// The successor on a ring is due.
    pub(super) fn on_beat(&mut self, ring: usize, now: Time) {
        self.set_timer(Timer::Beat(ring), now + self.config.period);
        if self.lifecycle == Lifecycle::Leaving {
            return;
        }
        if let (Some(target), Ok(number)) = (
            self.table.rings().successor(ring).cloned(),
            u8::try_from(ring),
        ) {
            self.begin_round(&target, Purpose::Watch, Some(number), now);
        }
        self.await_beats(now);
        self.tend_links(now);
    }

    /// On which rings this node watches a member.
    pub(super) fn watched_on(&self, name: &Name) -> SmallVec<[usize; limits::RINGS]> {
        let rings = self.table.rings();
        let watched = (0..rings.count()).filter(|ring| rings.successor(*ring) == Some(name));
        watched.collect()
    }

    /// A member is gone, after which this node watches another one on these rings: whoever lost all
    /// that watched it must not wait a whole period more. Not at once: many may be gone.
    pub(super) fn take_over(&mut self, rings: &[usize], now: Time) {
        for &ring in rings {
            let soon = now + self.rng.up_to(self.config.period / 4);
            if self.timers.is_set_after(&Timer::Beat(ring), soon) {
                self.set_timer(Timer::Beat(ring), soon);
            }
        }
    }

    /// A member is suspected: whoever comes after it on a ring may have lost all that watch it by
    /// now, and is looked at by the one before, long before the rings change. Who hears nobody
    /// would so come to suspect all.
    pub(super) fn look_past(&mut self, suspect: &Name, now: Time) {
        if self.is_deaf() {
            return;
        }
        for ring in self.watched_on(suspect) {
            let others = self.table.iter().filter(|member| {
                let alive = member.statement.status == Status::Alive;
                alive && member.statement.record.name != self.me.name
            });
            let names = others.map(|member| &member.statement.record.name);
            let next = self.table.rings().first_after(ring, names).cloned();
            if let Some(next) = next {
                self.probe(&next, Purpose::Watch, now);
            }
        }
    }

    /// Sends the beat of a round.
    pub(super) fn beat(&mut self, target: &Name, ring: u8, seq: u32) {
        let Some(member) = self.table.get(target.as_str()) else {
            return;
        };
        let record = &member.statement.record;
        let (to, instance) = (record.addr, record.instance);
        let message = Message::Beat {
            seq,
            target: instance,
            ring,
        };
        self.send_to_life(target, to, instance, message);
    }

    /// A beat arrived: says in how many milliseconds the next one is wanted, and expects it then.
    /// Zero to one who is not the predecessor on that ring: as it likes.
    pub(super) fn appoint(&mut self, ring: u8, header: &Header<'_>, now: Time) -> u32 {
        let (place, rings) = (usize::from(ring), self.table.rings());
        let predecessor = (place < rings.count()).then(|| rings.predecessor(place));
        let Some(name) = predecessor
            .flatten()
            .filter(|name| name.as_str() == header.from)
        else {
            return 0;
        };
        let (name, period) = (name.clone(), self.config.period);
        let slot = self.phase + period * u32::from(ring) / self.config.rings as u32;
        let wait = until_slot(slot, period, now);
        self.expected
            .appoint(place, &name, header.instance, now + wait);
        self.await_beats(now);
        u32::try_from(wait.as_millis()).unwrap_or(u32::MAX)
    }

    /// The successor on a ring says when the next beat is best sent.
    pub(super) fn keep_appointment(&mut self, seq: u32, from: &str, next_ms: u32, now: Time) {
        let Some(round) = self.probes.get(seq) else {
            return;
        };
        let (Some(ring), true) = (round.ring, round.target.as_str() == from && next_ms > 0) else {
            return;
        };
        let period = self.config.period;
        // Whatever it asks for: the cost is bounded, and so is the time without a look.
        let wait = Duration::from_millis(next_ms.into()).clamp(period / 2, period * 3 / 2);
        self.set_timer(Timer::Beat(ring.into()), now + wait);
    }

    /// Wakes when the first beat is overdue.
    fn await_beats(&mut self, now: Time) {
        let patience = self.config.period * 3 / 2;
        for ring in 0..self.config.rings {
            let name = self.table.rings().predecessor(ring);
            let member = name.and_then(|name| self.table.get(name.as_str()));
            let predecessor = member.map(|member| &member.statement.record);
            let predecessor = predecessor.map(|record| (&record.name, record.instance));
            self.expected.watch(ring, predecessor, now + patience);
        }
        match self.expected.first() {
            Some(due) => self.set_timer(Timer::Overdue, due + self.grace()),
            None => self.timers.cancel(&Timer::Overdue),
        }
    }

    /// A beat that does not come is evidence too: not yet to accuse, but to ask.
    pub(super) fn on_overdue(&mut self, now: Time) {
        let grace = self.grace();
        let again = now + self.config.period;
        for name in self.expected.overdue(grace, again, now) {
            self.probe(&name, Purpose::Watch, now);
        }
        self.await_beats(now);
    }

    /// How much later than asked for a beat may come: its way, and what the sender's timers are
    /// late on a busy host.
    fn grace(&self) -> Duration {
        self.health.stretch(self.config.probe_timeout_min * 2)
    }
}

/// How long until the moment of a period that is `slot` after its begin, as near as can be to one
/// period from now.
fn until_slot(slot: Duration, period: Duration, now: Time) -> Duration {
    let period_ns = u64::try_from(period.as_nanos()).unwrap_or(u64::MAX).max(1);
    let slot_ns = u64::try_from(slot.as_nanos()).unwrap_or(u64::MAX) % period_ns;
    let earliest = (now + period / 2).as_nanos() % period_ns;
    let further = (slot_ns + period_ns - earliest) % period_ns;
    period / 2 + Duration::from_nanos(further)
}
