//! Datagrams that arrive: decoded whole, then one `on_<message>` each.

use std::net::SocketAddr;
use std::time::Duration;

use super::outputs::Outgoing;
use super::{Node, Timer};
use crate::config::Tell;
use crate::detector::{Answer, Purpose, Relay};
use crate::event::Silence;
use crate::limits;
use crate::members::{Incarnation, Instance, Name, NameHash, Rank, Status};
use crate::time::Time;
use crate::wire::sealing::Origin;
use crate::wire::{self, Datagram, DropReason, Errand, Header, Message, RelayTarget, Update};

impl Node {
    /// A datagram arrived from `from`. What is not a valid one of this cluster is dropped and
    /// counted in [`Stats::dropped`](crate::Stats).
    pub fn handle_datagram(&mut self, from: SocketAddr, datagram: &[u8], now: Time) {
        self.enter(now);
        if !self.is_active() {
            return;
        }
        let mut plain = std::mem::take(&mut self.opened);
        let me = NameHash::of(self.me.name.as_str());
        match self.seal.open_datagram(me, datagram, &mut plain) {
            Ok(origin) => self.on_datagram(from, origin, &plain, datagram.len(), now),
            Err(reason) => self.count_dropped(reason),
        }
        self.opened = plain;
    }

    /// The same, as it was before it was sealed, in `length` bytes.
    fn on_datagram(
        &mut self,
        from: SocketAddr,
        origin: Option<Origin>,
        plain: &[u8],
        length: usize,
        now: Time,
    ) {
        let Datagram {
            header,
            message,
            updates,
        } = match wire::decode(plain, self.cluster_id) {
            Ok(decoded) => decoded,
            Err(reason) => return self.count_dropped(reason),
        };
        let shown = Rank::new(header.instance, header.incarnation, Status::Alive);
        if shown.is_absurd(None) {
            // Before it is heard: what no life has been must keep no true one out.
            self.stats.dropped.absurd += 1;
            return;
        }
        if header.from == self.me.name.as_str() && header.instance == self.me.instance {
            // Our own: the address of a seed, or of a member that moved, led back here.
            self.stats.dropped.unexpected += 1;
            return;
        }
        if let Some(origin) = origin
            && let Err(reason) = self.hear(origin, &header)
        {
            return self.count_dropped(reason);
        }
        self.stats.datagrams_received += 1;
        self.stats.bytes_received += length as u64;
        self.hear_somebody(now);
        let is_past = self.is_past(&header);
        if !is_past {
            self.on_heard(header.from, now);
        }
        let known = self.table.ids(updates.iter().map(Update::subject));
        for (update, known) in updates.into_iter().zip(known) {
            self.learn(update, known, &header, from, now);
        }
        let brings_view = matches!(message, Message::Errand(Errand::Cut { .. }));
        if !brings_view {
            self.heed_header(&header, is_past, from, now);
        }
        if !self.is_active() {
            return;
        }
        match message {
            Message::Ping { seq, target } => {
                self.on_ping(seq, target, Message::Ack { seq }, &header, from);
            }
            Message::Beat { seq, target, .. } if is_past => {
                self.on_ping(seq, target, Message::Ack { seq }, &header, from);
            }
            Message::Beat { seq, target, ring } => {
                let next_ms = self.appoint(ring, &header, now);
                let ack = Message::BeatAck { seq, next_ms };
                self.on_ping(seq, target, ack, &header, from);
            }
            Message::Ack { seq } => self.on_ack(seq, &header, now),
            Message::BeatAck { seq, next_ms } => {
                self.keep_appointment(seq, header.from, next_ms, now);
                self.on_ack(seq, &header, now);
            }
            Message::Nack { seq } => self.on_nack(seq, &header, now),
            Message::PingRequest { .. } if is_past => {}
            Message::PingRequest { seq, target } => {
                let asker = (NameHash::of(header.from), from);
                self.on_ping_request(seq, target, asker, now);
            }
            Message::Gossip => {}
            Message::Wrong { seq } => self.on_wrong(seq, &header, from, now),
            Message::Errand(errand) if is_past && !is_letter(&errand) => {}
            Message::Errand(errand) => {
                let tag = header.outlook.lineage;
                self.on_errand(errand, header.from, tag, from, now);
            }
        }
        if brings_view {
            // Only now: what came along is not asked for.
            self.heed_header(&header, is_past, from, now);
        }
    }

    pub(super) fn count_dropped(&mut self, reason: DropReason) {
        let dropped = &mut self.stats.dropped;
        match reason {
            DropReason::Malformed => dropped.malformed += 1,
            DropReason::Version => dropped.version += 1,
            DropReason::Cluster => dropped.cluster += 1,
            DropReason::TooLong => dropped.too_long += 1,
            DropReason::Unsealed => dropped.unsealed += 1,
            DropReason::Key => dropped.key += 1,
            DropReason::Forged => dropped.forged += 1,
            DropReason::Replayed => dropped.replayed += 1,
        }
    }

    /// Whether a sealed datagram is heard, which says that it is of this sender. Of its own name a
    /// member hears older lives too: it is how they learn that the name is taken.
    fn hear(&mut self, origin: Origin, header: &Header<'_>) -> Result<(), DropReason> {
        let is_mine = header.from == self.me.name.as_str();
        let current = self.known_life(header).filter(|_| !is_mine);
        self.seal
            .hear(origin, header.from, header.instance, current)
    }

    /// The life that this node knows of a datagram's sender, if what it knows can be true.
    fn known_life(&self, header: &Header<'_>) -> Option<Instance> {
        let held = &self.table.get(header.from)?.statement;
        let shown = (header.instance, header.incarnation);
        (!held.rank().is_absurd(Some(shown))).then_some(held.record.instance)
    }

    /// Whether its sender has begun a newer life since, as far as this node knows: then nothing
    /// that it shows is so any more. It is answered, and hears of that life; its own answers are of
    /// one life anyway. And letters are of a voter: one that leaves hands on its vote, also while
    /// its successor is there already.
    fn is_past(&self, header: &Header<'_>) -> bool {
        let known = self.known_life(header);
        known.is_some_and(|known| known > header.instance)
    }

    /// What the sender says of itself by sending.
    fn heed_header(&mut self, header: &Header<'_>, is_past: bool, from: SocketAddr, now: Time) {
        let rank = Rank::new(header.instance, header.incarnation, Status::Alive);
        if header.from == self.me.name.as_str() {
            return self.on_word_about_me(rank, Some(from), now);
        }
        if let Some(member) = self.table.get(header.from) {
            let held = &member.statement.record;
            let shown = (header.instance, header.incarnation);
            let newer = shown > (held.instance, held.incarnation);
            if member.statement.rank().is_absurd(Some(shown)) {
                let name = held.name.clone();
                self.unlearn(&name, from, now);
            } else if newer && self.config.parts.push_pull.is_none() {
                self.pull_news(self.listens_at(header, from), now);
            } else if header.instance != held.instance {
                self.stats.dropped.stale += 1;
            }
        }
        if is_past {
            return;
        }
        let at = self.listens_at(header, from);
        self.heed_outlook(header.outlook, header.from, at, now);
        let digest = u64::from_le_bytes(header.digest);
        self.compare_digest(digest, header.outlook, from, now);
    }

    /// Where the sender of a datagram takes streams: where it says, while it is in the life that we
    /// know; a new life may have moved.
    pub(super) fn listens_at(&self, header: &Header<'_>, from: SocketAddr) -> SocketAddr {
        let known = self
            .table
            .get(header.from)
            .map(|member| &member.statement.record);
        let same_life = known.filter(|record| record.instance == header.instance);
        same_life.map_or(from, |record| record.addr)
    }

    fn on_ping(
        &mut self,
        seq: u32,
        target: Instance,
        ack: Message,
        header: &Header<'_>,
        from: SocketAddr,
    ) {
        let message = if target == self.me.instance {
            ack
        } else {
            Message::Wrong { seq }
        };
        let told = self.config.parts.tell_suspects == Tell::Everything;
        let first = told
            .then(|| self.word_for(header.from, header.instance, header.incarnation))
            .flatten();
        self.send(Outgoing {
            receiver: NameHash::of(header.from),
            to: from,
            message,
            first,
        });
    }

    fn on_ack(&mut self, seq: u32, header: &Header<'_>, now: Time) {
        if let Some(relay) = self.relays.acked(seq, header.instance) {
            self.timers.cancel(&Timer::Relay(seq));
            let seq = relay.asker_seq;
            return self.send_plain(relay.asker, Message::Ack { seq });
        }
        if self.on_namesake_answer(seq, header.instance, now) {
            return;
        }
        self.on_goodbye_ack(seq, header.from, now);
        match self.probes.acked(seq, header.from, header.instance) {
            Answer::Reached { round, direct } => self.on_reached(seq, &round, direct, now),
            Answer::Exhausted | Answer::Noted | Answer::Unknown => {}
        }
    }

    fn on_nack(&mut self, seq: u32, header: &Header<'_>, now: Time) {
        match self.probes.nacked(seq, header.from) {
            Answer::Exhausted => self.on_round_failed(seq, None, now),
            Answer::Reached { .. } | Answer::Noted | Answer::Unknown => {}
        }
    }

    fn on_ping_request(
        &mut self,
        asker_seq: u32,
        target: RelayTarget,
        asker: (NameHash, SocketAddr),
        now: Time,
    ) {
        let seq = self.next_seq();
        let instance = target.instance;
        if !self.relays.start(
            seq,
            Relay {
                asker,
                asker_seq,
                instance,
                nacked: false,
            },
        ) {
            self.stats.dropped.busy += 1;
            return;
        }
        let ping = Message::Ping {
            seq,
            target: instance,
        };
        self.send_plain((target.name, target.addr), ping);
        // Lifeguard section IV-A: a nack at 80 % of the time in which the asker waits.
        // No asker waits longer than one in the worst health; a slot is not held for more.
        let longest = self.config.probe_timeout_max * 2 * (u32::from(limits::HEALTH) + 1);
        let patience = Duration::from_millis(target.patience_ms.into()).min(longest);
        self.set_timer(Timer::Relay(seq), now + patience * 4 / 5);
    }

    pub(super) fn on_relay_timeout(&mut self, seq: u32, now: Time) {
        let Some(relay) = self.relays.timed_out(seq) else {
            return;
        };
        let (asker, asker_seq) = (relay.asker, relay.asker_seq);
        if self.config.parts.local_health {
            self.send_plain(asker, Message::Nack { seq: asker_seq });
        }
        // A late ack is still passed on.
        self.set_timer(Timer::Relay(seq), now + self.config.probe_timeout_max);
    }

    /// The life we pinged is not at its address any more.
    fn on_wrong(&mut self, seq: u32, header: &Header<'_>, from: SocketAddr, now: Time) {
        if self.on_namesake_gone(seq, now) {
            return;
        }
        let Some(round) = self.probes.get(seq) else {
            return;
        };
        let watches = round.purpose == Purpose::Watch;
        if watches && round.target.as_str() == header.from {
            // It was restarted: its own new record supersedes the old life.
            self.end_round(seq);
            self.pull_news(from, now);
        } else {
            self.on_round_failed(seq, Some(Silence::Replaced), now);
        }
    }

    /// What the member `name`, which claims this life and version, must hear about itself.
    pub(super) fn word_for(
        &self,
        name: &str,
        instance: Instance,
        incarnation: Incarnation,
    ) -> Option<(Name, Vec<u8>)> {
        let statement = &self.table.get(name)?.statement;
        if statement.rank() <= Rank::new(instance, incarnation, Status::Alive) {
            return None;
        }
        let newer_life = statement.record.instance > instance;
        let name = statement.record.name.clone();
        Some((name, self.said(statement, newer_life)))
    }
}

fn is_letter(errand: &Errand) -> bool {
    matches!(errand, Errand::Letter { .. })
}
