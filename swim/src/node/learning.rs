//! Learning: what others say of members, what it changes here, and how it is passed on.

use std::net::SocketAddr;
use std::time::Duration;

use super::{Lifecycle, Node, Timer};
use crate::event::{EventKind, MemberInfo, State, UnreachableCause};
use crate::gossip::Urgency;
use crate::limits;
use crate::members::{Merge, Name, Rank, Record, Statement, Status};
use crate::time::Time;
use crate::wire::{self, Entry, Header, Message, Update};

impl Node {
    /// An update from a datagram.
    pub(super) fn learn(
        &mut self,
        update: Update,
        header: &Header<'_>,
        from: SocketAddr,
        now: Time,
    ) {
        let rank = update.rank();
        if *update.subject() == self.me.name {
            let addr = match &update {
                Update::Record(record) => Some(record.addr),
                Update::Claim { .. } => None,
            };
            return self.on_word_about_me(rank, addr, now);
        }
        match update {
            Update::Record(record) => {
                self.accept(
                    Statement {
                        record,
                        status: Status::Alive,
                    },
                    None,
                    now,
                );
            }
            Update::Claim {
                name, status, by, ..
            } => {
                if self.lacks_record(&name, rank) {
                    // Somebody knows a record that we missed, or that no datagram holds.
                    return self.pull_news(self.listens_at(header, from), now);
                }
                self.on_claim(&name, rank, status, by, now);
            }
        }
    }

    /// A member from another table, read whole over a stream.
    pub(super) fn learn_entry(&mut self, entry: Entry, by: &Name, now: Time) {
        let Entry {
            statement,
            lost_for_s,
        } = entry;
        let lost_for = Duration::from_secs(lost_for_s.into());
        let rank = statement.rank();
        let Statement { record, status } = statement;
        let name = record.name.clone();
        if name == self.me.name {
            return self.on_word_about_me(rank, Some(record.addr), now);
        }
        let held = self
            .table
            .get(name.as_str())
            .map(|member| member.statement.status);
        let present = matches!(held, Some(Status::Alive | Status::Suspect));
        match status {
            // Nothing to take back: a goodbye of somebody we never met.
            Status::Left if held.is_none() => {}
            // Forgotten here, and soon there.
            Status::Unreachable if self.forgotten.get(&name).is_some_and(|old| rank <= *old) => {}
            Status::Unreachable if held.is_none() && lost_for >= self.config.forget_after => {}
            Status::Unreachable if !present => {
                let cause = UnreachableCause::Told { by: by.clone() };
                self.accept(Statement { record, status }, Some(cause), now);
                self.on_lost_before(&name, rank, lost_for, now);
            }
            Status::Alive | Status::Suspect | Status::Unreachable | Status::Left => {
                // Of one version there may be two records, of two that began at one instant.
                if self.lacks_record(&name, rank) || status == Status::Alive {
                    self.accept(
                        Statement {
                            record,
                            status: Status::Alive,
                        },
                        None,
                        now,
                    );
                }
                self.on_claim(&name, rank, status, by.clone(), now);
            }
        }
    }

    /// A member that was lost long ago is forgotten so much earlier.
    fn on_lost_before(&mut self, name: &Name, rank: Rank, lost_for: Duration, now: Time) {
        let held = self.table.get_mut(name.as_str());
        let Some(member) = held.filter(|held| held.statement.rank() == rank) else {
            return;
        };
        // Others may have lost it before us: the earliest counts.
        member.lost_before = lost_for
            .saturating_sub(now.since(member.since))
            .max(member.lost_before);
        let since = now.since(member.since) + member.lost_before;
        let left = self.config.forget_after.saturating_sub(since);
        self.set_timer(Timer::Forget(name.clone()), now + left);
    }

    /// Whether `rank` speaks of a version that we do not have. A goodbye needs none.
    fn lacks_record(&self, name: &Name, rank: Rank) -> bool {
        let Some(held) = self
            .table
            .get(name.as_str())
            .map(|member| &member.statement.record)
        else {
            return rank.status != Status::Left;
        };
        rank.instance > held.instance
            || rank.instance == held.instance
                && rank.incarnation > held.incarnation
                && rank.status != Status::Left
    }

    fn on_claim(&mut self, name: &Name, rank: Rank, status: Status, by: Name, now: Time) {
        match status {
            Status::Alive => {}
            Status::Suspect => self.on_suspect_claim(name, rank, by, now),
            Status::Unreachable => self.on_unreachable_claim(name, rank, by, now),
            Status::Left => {
                let Some(held) = self.table.get(name.as_str()) else {
                    return;
                };
                let record = held.statement.record.clone();
                if record.instance == rank.instance {
                    self.accept(Statement { record, status }, None, now);
                }
            }
        }
    }

    /// Merges a statement about another member; if it counts: events, timers, gossip.
    pub(super) fn accept(
        &mut self,
        statement: Statement,
        cause: Option<UnreachableCause>,
        now: Time,
    ) {
        debug_assert_ne!(
            statement.record.name, self.me.name,
            "only we speak for ourselves"
        );
        debug_assert_ne!(
            statement.status,
            Status::Suspect,
            "suspicion has its own way in"
        );
        let name = statement.record.name.clone();
        let status = statement.status;
        let before = match self.table.merge(statement, now) {
            Merge::Old => return,
            Merge::Full => {
                self.stats.dropped.members += 1;
                return;
            }
            Merge::New => {
                // Whoever found whom: it is not alone any more.
                self.end_joining();
                None
            }
            Merge::Changed(before) => Some(before),
        };
        self.forgotten.remove(&name);
        self.timers.cancel(&Timer::Suspicion(name.clone()));
        match status {
            Status::Alive | Status::Suspect => self.timers.cancel(&Timer::Forget(name.clone())),
            Status::Unreachable => {
                self.set_timer(Timer::Forget(name.clone()), now + self.config.forget_after);
            }
            Status::Left => self.set_timer(Timer::Forget(name.clone()), now + limits::TOMBSTONE),
        }
        self.announce(&name, before, cause, now);
        self.gossip_member(&name, now);
    }

    /// Tells what the change from `before` means.
    fn announce(
        &mut self,
        name: &Name,
        before: Option<Statement>,
        cause: Option<UnreachableCause>,
        now: Time,
    ) {
        let Some(member) = self.table.get(name.as_str()) else {
            return;
        };
        let (info, status) = (self.table.info(member), member.statement.status);
        let mut held = None;
        if let Some(before) = before {
            let same_life = before.record.instance == info.instance;
            let here = matches!(before.status, Status::Alive | Status::Suspect);
            if !same_life && here {
                let superseded = UnreachableCause::Superseded {
                    instance: info.instance,
                };
                let old = superseded_info(&before.record, now);
                self.tell(old, EventKind::Unreachable { cause: superseded }, now);
            }
            held = same_life.then_some(before);
        }
        let held_status = held.as_ref().map(|held| held.status);
        let unchanged =
            |held: &Statement| held.record.tags == info.tags && held.record.addr == info.addr;
        let updated = held.as_ref().is_some_and(|held| !unchanged(held));
        match status {
            Status::Alive => {
                if held_status != Some(Status::Alive) {
                    self.tell(info.clone(), EventKind::Reachable, now);
                }
                if updated {
                    self.tell(info, EventKind::Updated, now);
                }
            }
            Status::Unreachable if held_status == Some(Status::Unreachable) => {
                if updated {
                    self.tell(info, EventKind::Updated, now);
                }
            }
            Status::Unreachable => {
                let by = self.me.name.clone();
                let cause = cause.unwrap_or(UnreachableCause::Told { by });
                self.tell(info, EventKind::Unreachable { cause }, now);
            }
            Status::Left => self.tell(info, EventKind::Left, now),
            Status::Suspect => {}
        }
    }

    /// A lost or departed member is forgotten. That it was lost is remembered for a while longer:
    /// others forget it at their own time, and must not bring it back meanwhile.
    pub(super) fn on_forget_timeout(&mut self, name: &Name, now: Time) {
        if self.forgotten.remove(name).is_some() {
            return;
        }
        self.queue.remove(name);
        let Some(statement) = self.table.forget(name, now) else {
            return;
        };
        if statement.status == Status::Unreachable && self.forgotten.len() < limits::MEMBERS {
            self.forgotten.insert(name.clone(), statement.rank());
            self.set_timer(Timer::Forget(name.clone()), now + limits::TOMBSTONE);
        }
    }

    /// Passes on what is held of a member.
    pub(super) fn gossip_member(&mut self, name: &Name, now: Time) {
        let Some(member) = self.table.get(name.as_str()) else {
            return;
        };
        let statement = &member.statement;
        let (update, urgency) = match statement.status {
            Status::Alive => (Update::Record(statement.record.clone()), Urgency::Normal),
            Status::Suspect | Status::Unreachable => (self.claim_of(statement), Urgency::Normal),
            Status::Left => (self.claim_of(statement), Urgency::First),
        };
        self.gossip(name, urgency, update, now);
    }

    pub(super) fn gossip_suspicion(&mut self, name: &Name, by: &Name, now: Time) {
        let Some(member) = self.table.get(name.as_str()) else {
            return;
        };
        let Record {
            instance,
            incarnation,
            ..
        } = member.statement.record;
        let (by, status) = (by.clone(), Status::Suspect);
        let update = Update::Claim {
            name: name.clone(),
            instance,
            incarnation,
            status,
            by,
        };
        self.gossip(name, Urgency::Normal, update, now);
    }

    fn gossip(&mut self, subject: &Name, urgency: Urgency, update: Update, now: Time) {
        let bytes = self.encode_fitting(update);
        self.queue.put(subject, urgency, bytes);
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

    /// What this node holds of a member, without its record.
    pub(super) fn claim_of(&self, statement: &Statement) -> Update {
        let record = &statement.record;
        Update::Claim {
            name: record.name.clone(),
            instance: record.instance,
            incarnation: record.incarnation,
            status: statement.status,
            by: self.me.name.clone(),
        }
    }

    /// An update's bytes. A record too long for a datagram is announced by a claim; whoever lacks
    /// it pulls it over a stream.
    pub(super) fn encode_fitting(&self, update: Update) -> Vec<u8> {
        let bytes = wire::encode_update(&update);
        match update {
            Update::Record(record) if bytes.len() > limits::UPDATE_BYTES => {
                let statement = Statement {
                    record,
                    status: Status::Alive,
                };
                wire::encode_update(&self.claim_of(&statement))
            }
            Update::Record(_) | Update::Claim { .. } => bytes,
        }
    }

    /// Eager push: who first hears of something passes it on at once to its successors, which
    /// alone reach everybody, and to random members (DESIGN 4.4).
    pub(super) fn on_push(&mut self, now: Time) {
        let targets = (self.config.rings + self.config.gossip_fanout) as u32;
        let sends = targets * self.config.parts.pushes;
        if !self.queue.has_fresher_than(sends) {
            return;
        }
        self.last_push = now;
        let rings = self.table.rings();
        let successors =
            (0..rings.count()).filter_map(|ring| rings.successor(ring, &self.me.name).cloned());
        let mut targets: Vec<Name> = successors.collect();
        let random = self
            .table
            .some_present(self.config.gossip_fanout, &mut self.rng, |_| true);
        targets.extend(random);
        targets.sort();
        targets.dedup();
        if targets.is_empty() {
            return;
        }
        for target in targets {
            let member = self.table.get(target.as_str());
            let to = member
                .expect("targets were drawn from the table")
                .statement
                .record
                .addr;
            self.send_plain(to, Message::Gossip);
        }
        if self.lifecycle != Lifecycle::Left {
            self.set_timer(Timer::Push, now + self.config.gossip_interval);
        }
    }
}

fn superseded_info(record: &Record, now: Time) -> MemberInfo {
    MemberInfo {
        name: record.name.clone(),
        addr: record.addr,
        instance: record.instance,
        incarnation: record.incarnation,
        state: State::Unreachable,
        since: now,
        tags: record.tags.clone(),
        is_self: false,
        rtt: None,
    }
}
