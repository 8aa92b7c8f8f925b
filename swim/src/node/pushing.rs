//! Passing on what was learned: pushed at once, then with what is sent anyhow (DESIGN 4.4).

use std::net::SocketAddr;
use std::time::Duration;

use super::{Lifecycle, Node, Timer};
use crate::gossip::{CROWD, Urgency, send_limit};
use crate::limits;
use crate::members::{MemberId, Name, NameHash, Record, Status};
use crate::time::Time;
use crate::wire::Message;

/// What may be done only so often in a time.
#[derive(Debug)]
pub(super) struct Allowance {
    most: u32,
    within: Duration,
    since: Time,
    count: u32,
}

impl Allowance {
    /// Pushes that do not wait for the beat of gossip.
    pub(super) fn of_hurries() -> Allowance {
        Allowance::new(limits::HURRIED_PUSHES, Duration::from_secs(1))
    }

    /// Pushes of what is believed of others, where somebody decides.
    pub(super) fn of_beliefs() -> Allowance {
        Allowance::new(limits::PUSHED_BELIEFS, Duration::from_secs(30))
    }

    fn new(most: u32, within: Duration) -> Allowance {
        let (since, count) = (Time::default(), 0);
        Allowance {
            most,
            within,
            since,
            count,
        }
    }

    /// Whether it may be done once more.
    pub(super) fn take(&mut self, now: Time) -> bool {
        if now.since(self.since) >= self.within {
            (self.since, self.count) = (now, 0);
        }
        self.count = self.count.saturating_add(1);
        self.count <= self.most
    }
}

impl Node {
    /// Passes on what is held of a member.
    pub(super) fn gossip_member(&mut self, name: &Name, now: Time) {
        if let Some(id) = self.table.id(name.as_str()) {
            self.gossip(id, self.urgency_of(id), now);
        }
    }

    /// The same with what is sent anyway.
    pub(super) fn gossip_along(&mut self, name: &Name) {
        if let Some(id) = self.table.id(name.as_str()) {
            let sent = self.pushes().min(self.send_limit().saturating_sub(1));
            self.queue.put_behind(id, sent);
        }
    }

    /// The same, ahead of all that waits, and without waiting for the next beat.
    pub(super) fn gossip_urgently(&mut self, name: &Name, now: Time) {
        if let Some(id) = self.table.id(name.as_str()) {
            self.gossip(id, Urgency::First, now);
            self.hurry(now);
        }
    }

    pub(super) fn urgency_of(&self, id: MemberId) -> Urgency {
        match self.table.member(id).statement.status {
            Status::Alive | Status::Suspect | Status::Unreachable => Urgency::Normal,
            Status::Left => Urgency::First,
        }
    }

    pub(super) fn gossip(&mut self, id: MemberId, urgency: Urgency, now: Time) {
        self.queue.put(id, urgency);
        if !self.timers.is_set(&Timer::Push) {
            let interval = self.config.gossip_interval;
            let at = if self.config.parts.eager {
                // At once after a calm, otherwise in step: many changes share a datagram.
                now.max(self.last_push + interval)
            } else {
                now + self.rng.up_to(interval)
            };
            self.set_timer(Timer::Push, at);
        }
    }

    /// Pushes at once, as verdicts are. What changes too often goes with the beat all the same.
    pub(super) fn hurry(&mut self, now: Time) {
        let waits = self.timers.is_set_after(&Timer::Push, now);
        if waits && self.config.parts.eager && self.hurries.take(now) {
            self.set_timer(Timer::Push, now);
        }
    }

    /// How often the eager push alone sends an update.
    pub(super) fn pushes(&self) -> u32 {
        let targets = (self.config.rings + self.config.gossip_fanout) as u32;
        targets * self.config.parts.pushes
    }

    /// How often an update is passed on.
    pub(super) fn send_limit(&self) -> u32 {
        let enough = self
            .config
            .parts
            .sends
            .unwrap_or_else(|| send_limit(self.config.gossip_multiplier, self.table.present()));
        if self.is_crowded(self.queue.len()) {
            enough.min(self.pushes())
        } else {
            enough
        }
    }

    /// Whether so many updates are more than can be passed on soon, as when a crowd joins. Then
    /// newcomers are not passed on, and all else no more often than it is pushed: comparing tables
    /// brings the rest, many to a stream, for less.
    pub(super) fn is_crowded(&self, updates: usize) -> bool {
        updates >= CROWD && self.config.parts.push_pull.is_none()
    }

    /// Eager push: who first hears of something passes it on at once to its successors, which
    /// alone reach everybody, and to random members (DESIGN 4.4).
    pub(super) fn on_push(&mut self, now: Time) {
        if self.queue.fresher_than(self.pushes()) == 0 {
            return;
        }
        self.last_push = now;
        let targets = self.push_targets(self.config.gossip_fanout);
        if targets.is_empty() {
            return;
        }
        for to in targets {
            self.send_plain(to, Message::Gossip);
        }
        if self.lifecycle != Lifecycle::Left {
            self.set_timer(Timer::Push, now + self.config.gossip_interval);
        }
    }

    /// To whom news goes at once, and where they are: to the successors and so many others, at
    /// random.
    pub(super) fn push_targets(&mut self, fanout: usize) -> Vec<(NameHash, SocketAddr)> {
        let rings = self.table.rings();
        let successors = (0..rings.count()).filter_map(|ring| rings.successor(ring).cloned());
        let mut targets: Vec<Name> = successors.collect();
        let random = self.table.some_present(fanout, &mut self.rng, |other| {
            !targets.contains(&other.statement.record.name)
        });
        targets.extend(random);
        targets.sort();
        targets.dedup();
        let members = targets
            .iter()
            .filter_map(|name| self.table.get(name.as_str()));
        let place = |record: &Record| (NameHash::of(record.name.as_str()), record.addr);
        members
            .map(|member| place(&member.statement.record))
            .collect()
    }
}
