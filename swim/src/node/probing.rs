//! Probing: whom to ping when, and what an unanswered ping leads to.

use std::net::SocketAddr;

use super::outputs::Outgoing;
use super::streams::Purpose as StreamPurpose;
use super::{Lifecycle, Node, Timer};
use crate::config::Tell;
use crate::coordinator::Finding;
use crate::detector::{Answer, Purpose, Round, RoundTrip, Stage, StreamProbe};
use crate::event::Silence;
use crate::members::{Instance, Name, NameHash, Status};
use crate::time::Time;
use crate::wire::{Message, Outlook, RelayTarget};

impl Node {
    /// Once a period: a random member.
    pub(super) fn on_tick(&mut self, now: Time) {
        self.look_for_voters(now);
        let mut interval = self.config.period;
        if self.config.parts.stretch_period {
            interval = self.health.stretch(interval);
        }
        let next = now + self.rng.around(interval);
        self.set_timer(Timer::Tick, next);
        if self.lifecycle == Lifecycle::Leaving {
            return;
        }
        if let Some(target) = self.table.next_present(&mut self.rng) {
            self.probe(&target, Purpose::Watch, now);
        }
    }

    /// Pings a member, unless a round for it runs.
    pub(super) fn probe(&mut self, target: &Name, purpose: Purpose, now: Time) {
        self.begin_round(target, purpose, None, now);
    }

    /// Pings a member, on a ring or for another reason, unless a round for it runs.
    pub(super) fn begin_round(
        &mut self,
        target: &Name,
        purpose: Purpose,
        ring: Option<u8>,
        now: Time,
    ) {
        if *target == self.me.name || self.probes.runs_for(target) {
            return;
        }
        let Some(member) = self.table.get(target.as_str()) else {
            return;
        };
        let record = &member.statement.record;
        let mut round = Round::new(target, record.instance, record.addr, purpose, now);
        round.ring = ring;
        let timeout = self
            .health
            .stretch(self.round_trip_of(target).timeout(&self.config));
        let seq = self.next_seq();
        if !self.probes.start(seq, round) {
            self.stats.dropped.busy += 1;
            return;
        }
        self.on_asked(target.as_str(), now);
        match ring {
            Some(ring) => self.beat(target, ring, seq),
            None => self.ping(target, seq),
        }
        self.set_timer(Timer::Round(seq), now + timeout);
    }

    /// What is known of the way to a member; of one that was never measured: to the slowest of the
    /// successors.
    pub(super) fn round_trip_of(&self, name: &Name) -> RoundTrip {
        let measured = |name: &Name| {
            let member = self.table.get(name.as_str());
            let measured = member.map(|member| member.round_trip);
            measured.filter(|round_trip| round_trip.estimate().is_some())
        };
        let rings = self.table.rings();
        let successors = (0..rings.count()).filter_map(|ring| rings.successor(ring));
        measured(name)
            .or_else(|| {
                let known = successors.filter_map(measured);
                known.max_by_key(|round_trip| round_trip.timeout(&self.config))
            })
            .unwrap_or_default()
    }

    /// Sends a ping, telling the target first if it is suspected (Lifeguard's buddy system,
    /// section IV-C).
    pub(super) fn ping(&mut self, target: &Name, seq: u32) {
        let Some(member) = self.table.get(target.as_str()) else {
            return;
        };
        let record = &member.statement.record;
        self.ping_life(target, record.addr, record.instance, seq);
    }

    /// Sends a ping to one life of a member.
    pub(super) fn ping_life(
        &mut self,
        target: &Name,
        to: SocketAddr,
        instance: Instance,
        seq: u32,
    ) {
        let message = Message::Ping {
            seq,
            target: instance,
        };
        self.send_to_life(target, to, instance, message);
    }

    /// Sends a message to one life of a member, and first what it must hear of itself.
    pub(super) fn send_to_life(
        &mut self,
        target: &Name,
        to: SocketAddr,
        instance: Instance,
        message: Message,
    ) {
        let held = self.table.get(target.as_str());
        let held = held.map(|member| &member.statement.record);
        let told = self.config.parts.tell_suspects != Tell::Nothing;
        let first = held
            .filter(|record| told && record.instance == instance)
            .and_then(|record| self.word_for(target.as_str(), instance, record.incarnation));
        self.send(Outgoing {
            receiver: NameHash::of(target.as_str()),
            to,
            message,
            first,
        });
    }

    pub(super) fn on_round_timeout(&mut self, seq: u32, now: Time) {
        let Some(round) = self.probes.get(seq) else {
            return;
        };
        let refused = round.stream == StreamProbe::Refused;
        match (round.stage, round.purpose) {
            // The host says itself that the process is gone; what could relays add?
            (Stage::Direct, Purpose::Watch | Purpose::Witness { .. }) if refused => {
                self.on_round_failed(seq, None, now);
            }
            (Stage::Direct, Purpose::Watch) => self.widen_round(seq, now),
            (Stage::Indirect, Purpose::Watch) => self.on_round_failed(seq, None, now),
            (Stage::Direct | Stage::Indirect, Purpose::Reconnect) => {
                self.end_round(seq);
            }
            (Stage::Direct | Stage::Indirect, Purpose::Witness { .. }) => {
                self.on_round_failed(seq, None, now);
            }
        }
    }

    /// No ack in time: relays and a stream at once, in the same round.
    pub(super) fn widen_round(&mut self, seq: u32, now: Time) {
        let Some(round) = self.probes.get(seq) else {
            return;
        };
        let target = round.target.clone();
        let Some(member) = self.table.get(target.as_str()) else {
            return self.end_round(seq);
        };
        let record = &member.statement.record;
        let (addr, instance) = (record.addr, record.instance);
        let patience = self.round_trip_of(&target).patience(&self.config);
        let patience = self.health.stretch(patience);
        let relays = self
            .table
            .some_present(self.config.indirect_probes, &mut self.rng, |other| {
                other.statement.status == Status::Alive && other.statement.record.name != target
            });
        let patience_ms = u16::try_from(patience.as_millis()).unwrap_or(u16::MAX);
        let name = NameHash::of(target.as_str());
        for relay in &relays {
            let relay = self
                .table
                .get(relay.as_str())
                .expect("relays were drawn from the table");
            let relay = &relay.statement.record;
            let to = (NameHash::of(relay.name.as_str()), relay.addr);
            let target = RelayTarget {
                patience_ms,
                addr,
                instance,
                name,
            };
            self.send_plain(to, Message::PingRequest { seq, target });
        }
        self.probes.widen(seq, relays);
        self.stream_beside(seq, now);
        self.set_timer(Timer::Round(seq), now + patience);
    }

    /// Opens the stream of a round, unless it has been tried.
    pub(super) fn stream_beside(&mut self, seq: u32, now: Time) {
        let Some(round) = self.probes.get(seq) else {
            return;
        };
        if round.stream != StreamProbe::Untried {
            return;
        }
        let (addr, purpose) = (round.addr, StreamPurpose::Probe { seq });
        let opens =
            self.config.parts.stream_probe && self.open_stream(addr, purpose, now).is_some();
        self.probes.streamed(
            seq,
            if opens {
                StreamProbe::Pending
            } else {
                StreamProbe::Failed
            },
        );
    }

    /// The host at `at` says that nobody listens on that port (ICMP port unreachable, RFC 1122
    /// section 3.2.2.1): whoever was pinged there is gone, or something between says so. A stream
    /// is tried at once; when that is refused as well the round is over.
    pub fn handle_refused(&mut self, at: SocketAddr, now: Time) {
        self.enter(now);
        if !self.config.parts.refusals || !self.is_active() {
            return;
        }
        self.stats.refusals += 1;
        for seq in self.probes.refused_at(at) {
            let Some(round) = self.probes.get(seq) else {
                continue;
            };
            match (round.purpose, round.stream) {
                (Purpose::Reconnect, _) => self.end_round(seq),
                (Purpose::Watch | Purpose::Witness { .. }, StreamProbe::Untried) => {
                    self.stream_beside(seq, now);
                }
                (Purpose::Watch | Purpose::Witness { .. }, StreamProbe::Refused) => {
                    self.on_round_failed(seq, None, now);
                }
                (
                    Purpose::Watch | Purpose::Witness { .. },
                    StreamProbe::Pending | StreamProbe::Accepted | StreamProbe::Failed,
                ) => {}
            }
        }
    }

    /// The stream probe of a round got further.
    pub(super) fn on_stream_probe(&mut self, seq: u32, got: StreamProbe, now: Time) {
        match self.probes.streamed(seq, got) {
            Answer::Exhausted => self.on_round_failed(seq, None, now),
            Answer::Reached { .. } | Answer::Noted | Answer::Unknown => {}
        }
    }

    /// A round ended with an answer.
    pub(super) fn on_reached(&mut self, seq: u32, round: &Round, direct: bool, now: Time) {
        self.clear_round(seq);
        self.stats.probes_answered += 1;
        self.health.improve();
        if let Purpose::Witness { asker } = round.purpose {
            let (target, instance) = (round.target.clone(), round.instance);
            self.testify(&target, instance, Finding::Reached, asker, now);
        }
        if direct {
            self.on_answered(round.target.as_str(), now);
        }
        if direct && let Some(member) = self.table.get_mut(round.target.as_str()) {
            member.round_trip.sample(now.since(round.sent));
        }
    }

    /// The target answered on the stream of the round. Where no datagram passes, the digest that
    /// comes with it is the only news.
    pub(super) fn on_stream_ack(&mut self, seq: u32, digest: u64, outlook: Outlook, now: Time) {
        let Some(round) = self.probes.end(seq) else {
            return;
        };
        self.on_reached(seq, &round, false, now);
        if let Some(member) = self.table.get(round.target.as_str()) {
            let addr = member.statement.record.addr;
            self.heed_outlook(outlook, round.target.as_str(), addr, now);
            self.compare_digest(digest, outlook, addr, now);
        }
    }

    /// A round ended without an answer. `silence` when it is known better than from the round.
    pub(super) fn on_round_failed(&mut self, seq: u32, silence: Option<Silence>, now: Time) {
        let Some(round) = self.probes.end(seq) else {
            return;
        };
        self.clear_round(seq);
        let silence_found = silence.unwrap_or_else(|| round.silence());
        match round.purpose {
            Purpose::Watch => {}
            Purpose::Reconnect => return,
            Purpose::Witness { asker } => {
                let (target, instance) = (round.target.clone(), round.instance);
                let finding = Finding::Unreached(silence_found);
                return self.testify(&target, instance, finding, asker, now);
            }
        }
        if silence_found != Silence::Refused && self.is_out_of_deafness(&round) {
            self.stats.probes_void += 1;
            return self.probe(&round.target, Purpose::Watch, now);
        }
        self.stats.probes_failed += 1;
        self.listen_after(&round, silence_found, now);
        // Lifeguard section IV-A: relays that did not even nack speak against ourselves.
        let silent = u8::try_from(round.silent_relays()).unwrap_or(u8::MAX);
        self.doubt_self(if round.stage == Stage::Direct {
            0
        } else {
            silent
        });
        self.accuse(&round.target, round.instance, silence_found, now);
    }

    /// Ends a round that proves nothing.
    pub(super) fn end_round(&mut self, seq: u32) {
        self.probes.end(seq);
        self.clear_round(seq);
    }

    pub(super) fn clear_round(&mut self, seq: u32) {
        self.timers.cancel(&Timer::Round(seq));
        self.close_stream_of_round(seq);
    }

    /// Every other time the member that was lost last, which may have been started again.
    fn some_lost(&mut self) -> Option<Name> {
        let last = self.config.parts.verdicts && self.rng.below(2) == 0;
        self.table.some_lost(last, &mut self.rng)
    }

    /// At a constant low rate, for ever: one lost member and one seed (DESIGN guarantee 7).
    pub(super) fn on_reconnect(&mut self, now: Time) {
        let next = now + self.rng.around(self.config.reconnect_interval);
        self.set_timer(Timer::Reconnect, next);
        if self.lifecycle == Lifecycle::Leaving {
            return;
        }
        if let Some(lost) = self.some_lost() {
            self.probe(&lost, Purpose::Reconnect, now);
        }
        self.check_some_seed();
    }
}
