//! Anything in any order: whatever others send and the caller does, the node keeps its invariants.

mod agreed;
mod steps;

use crate::coordinator::key_of;
use proptest::prelude::*;

use self::agreed::Shows;
use self::steps::{Answer, LAST_OPENED, NAMES, Step, any_step, member};
use super::driven::{Driven, address, identity};
use super::puppets::Puppet;
use super::{fullest_tags, ms};
use crate::config::Config;
use crate::coordinator::{Lineage, View};
use crate::event::State;
use crate::members::{Incarnation, Instance, Name};
use crate::node::{Action, Lifecycle, Memory, Node, StreamId};
use crate::wire::{self, Frame, Message, Update};

/// The node with what it sent last, which others may answer.
struct Monkey {
    driven: Driven,
    resolving: Vec<String>,
    /// Streams that the node asked for.
    opened: Vec<StreamId>,
}

impl Monkey {
    fn take(&mut self, step: &Step) {
        match step {
            Step::Hear {
                from,
                message,
                updates,
                digest,
                shows,
                fits,
                damage,
            } => {
                let from = member(*from);
                let (mut message, mut shows) = (message.clone(), *shows);
                if *fits && let Message::Errand(errand) = &mut message {
                    agreed::fit_errand(errand, from.name, &self.driven.node);
                    shows = Shows::OURS;
                }
                let shows = shows.outlook(&self.driven.node);
                let digest = digest.unwrap_or(self.driven.node.digest());
                let mut bytes = from.datagram_showing(shows, digest, &message, updates);
                damage.apply(&mut bytes);
                self.driven
                    .call(|node, now| node.handle_datagram(from.addr, &bytes, now));
            }
            Step::Answer {
                back,
                with,
                updates,
            } => self.answer(*back, *with, updates),
            Step::Accept => {
                let from = address(99);
                let _ = self
                    .driven
                    .call(|node, now| node.handle_stream_accepted(from, now));
            }
            Step::Read {
                stream,
                frame,
                shows,
                fits,
                damage,
            } => {
                let mut frame = frame.clone();
                if let Frame::Ack { outlook, .. } = &mut frame {
                    *outlook = shows.outlook(&self.driven.node);
                }
                if *fits {
                    agreed::fit_frame(&mut frame, &self.driven.node);
                }
                let mut bytes = wire::encode_frame(&frame).into_plain();
                damage.apply(&mut bytes);
                let stream = self.stream(*stream);
                self.driven
                    .call(|node, now| node.handle_stream_data(stream, &bytes, now));
            }
            Step::Connected { stream } => self.driven.connected(self.stream(*stream)),
            Step::Closed { stream, end } => self.driven.closed(self.stream(*stream), *end),
            Step::Resolved { addresses } => self.resolve(addresses),
            Step::Join { .. }
            | Step::Leave
            | Step::SetTag { .. }
            | Step::RemoveTag { .. }
            | Step::FillTags
            | Step::ConfirmView
            | Step::Remove { .. }
            | Step::Recover => self.command(step),
            Step::Live { millis } => {
                let members = [1, 2, 3, 4, 5].map(member);
                self.driven.wait_among(&members.each_ref(), ms(*millis));
            }
            Step::Wait { millis } => self.driven.wait(ms(*millis)),
            Step::Sleep { millis } => self.driven.sleep(ms(*millis)),
        }
    }

    fn stream(&self, number: u64) -> StreamId {
        let back = number.checked_sub(LAST_OPENED);
        let opened = |back| self.opened.iter().rev().nth(back).copied();
        let opened = back.and_then(|back| opened(usize::try_from(back).unwrap_or(usize::MAX)));
        opened.unwrap_or(StreamId(number))
    }

    fn command(&mut self, step: &Step) {
        self.driven.call(|node, now| match step {
            Step::Join { seed } => drop(node.join(&[(*seed).to_owned()], now)),
            Step::Leave => node.leave(now),
            Step::SetTag { key, value } => drop(node.set_tag(key, value, now)),
            Step::RemoveTag { key } => drop(node.remove_tag(key, now)),
            Step::FillTags => node.set_tags(fullest_tags(), now),
            Step::ConfirmView => drop(node.confirm_view(now)),
            Step::Remove { of, force } => drop(node.remove(of, *force, now)),
            Step::Recover => {
                let alive = node.members().filter(|held| held.state == State::Alive);
                let survivors: Vec<Name> = alive.map(|held| held.name).collect();
                drop(node.recover(&survivors, now));
            }
            Step::Hear { .. }
            | Step::Answer { .. }
            | Step::Accept
            | Step::Read { .. }
            | Step::Connected { .. }
            | Step::Closed { .. }
            | Step::Resolved { .. }
            | Step::Live { .. }
            | Step::Wait { .. }
            | Step::Sleep { .. } => unreachable!("not a command"),
        });
    }

    /// Whoever listens where the ping went answers it, as the life that was pinged.
    fn answer(&mut self, back: usize, with: Answer, updates: &[Update]) {
        let pings = self
            .driven
            .sent
            .iter()
            .rev()
            .filter_map(|sent| match sent.message {
                Message::Ping { seq, target } | Message::Beat { seq, target, .. } => {
                    Some((sent.to, seq, target))
                }
                Message::PingRequest { seq, target } => Some((sent.to, seq, target.instance)),
                Message::Ack { .. }
                | Message::Nack { .. }
                | Message::Gossip
                | Message::Wrong { .. }
                | Message::Errand(_)
                | Message::BeatAck { .. } => None,
            });
        let Some((to, seq, target)) = pings.clone().nth(back) else {
            return;
        };
        let known = self.driven.node.members().find(|member| member.addr == to);
        let Some(known) = known else { return };
        let of = NAMES.into_iter().find(|of| *of == known.name.as_str());
        let Some(of) = of else { return };
        let from = Puppet {
            name: of,
            addr: to,
            instance: target.0,
            incarnation: known.incarnation.0,
        };
        let message = match with {
            Answer::Ack => Message::Ack { seq },
            Answer::BeatAck { next_ms } => Message::BeatAck { seq, next_ms },
            Answer::Nack => Message::Nack { seq },
            Answer::Wrong => Message::Wrong { seq },
        };
        self.driven.hear(&from, message, updates);
    }

    fn resolve(&mut self, addresses: &[u16]) {
        let Some(seed) = self.resolving.pop() else {
            return;
        };
        let addresses: Vec<_> = addresses.iter().map(|host| address(*host)).collect();
        self.driven
            .call(|node, now| node.handle_resolved(&seed, &addresses, now));
    }

    /// What must hold after every step, beside the node's own invariants.
    fn check(&mut self, before: &Before) {
        let node = &self.driven.node;
        let me = node.me();
        let version = (me.instance, me.incarnation);
        assert!(
            version >= before.version,
            "a member's own version never runs back"
        );
        let (lineage, view) = history_of(node);
        assert!(
            lineage != before.history.0 || view >= before.history.1,
            "the views of one history never run back"
        );
        assert!(
            order(node.lifecycle()) >= before.lifecycle,
            "a life never runs back"
        );
        let stopped = self.driven.stop.is_some();
        assert_eq!(
            stopped,
            order(node.lifecycle()) == 2,
            "it stops when it is at its end"
        );
        assert_eq!(
            self.driven.deadline().is_none(),
            stopped,
            "a live node has a deadline"
        );
        for action in self.driven.actions() {
            match action {
                Action::Resolve { seed } => self.resolving.push(seed),
                Action::Connect { stream, .. } => self.opened.push(stream),
                Action::Send { .. }
                | Action::Close { .. }
                | Action::Save { .. }
                | Action::KeepKeys { .. }
                | Action::Answered { .. } => {}
                Action::Stopped(_) => unreachable!("it is kept apart"),
            }
        }
        if self.driven.sent.len() > 100 {
            self.driven.sent.drain(..50);
        }
    }
}

struct Before {
    version: (Instance, Incarnation),
    lifecycle: u8,
    history: (Option<Lineage>, View),
}

impl Before {
    fn of(node: &Node) -> Before {
        let me = node.me();
        let version = (me.instance, me.incarnation);
        Before {
            version,
            lifecycle: order(node.lifecycle()),
            history: history_of(node),
        }
    }
}

fn history_of(node: &Node) -> (Option<Lineage>, View) {
    let lineage = node.agreed.roster().map(|roster| roster.head.lineage);
    (lineage, node.agreed.view())
}

/// Whether a node takes part, is leaving, or is at its end.
fn order(lifecycle: Lifecycle) -> u8 {
    match lifecycle {
        Lifecycle::Joining | Lifecycle::Member => 0,
        Lifecycle::Leaving => 1,
        Lifecycle::Left | Lifecycle::Removed => 2,
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 150,
        max_shrink_iters: 4000,
        ..ProptestConfig::default()
    })]

    #[test]
    fn nothing_that_happens_breaks_a_node(
        steps in prop::collection::vec(any_step(), 1..150),
        known in 0u16..6,
        votes in any::<bool>(),
    ) {
        let me = identity("me", 1, 100);
        let memory = if votes {
            Memory::volatile(key_of("me"))
        } else {
            Memory::never_votes()
        };
        let driven = Driven::with_memory(Config::local(), me, memory);
        let mut monkey = Monkey { driven, resolving: Vec::new(), opened: Vec::new() };
        for at in 1..=known {
            monkey.driven.meet(&[&member(at)]);
        }
        for step in &steps {
            let before = Before::of(&monkey.driven.node);
            monkey.take(step);
            monkey.check(&before);
        }
    }
}
