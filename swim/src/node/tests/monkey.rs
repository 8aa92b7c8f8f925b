//! Anything in any order: whatever others send and the caller does, the node keeps its invariants.

use proptest::prelude::*;

use super::driven::{Driven, address, identity};
use super::puppets::{Puppet, puppet, stream_ack};
use super::{fullest_tags, ms, name};
use crate::config::Config;
use crate::coordinator::VoterId;
use crate::members::{Incarnation, Instance, Record, Status, Tags};
use crate::node::{Action, Lifecycle, Node, StreamEnd, StreamId};
use crate::wire::{self, Entry, Frame, Message, Refusal, RelayTarget, Update};

/// One thing that happens to the node.
#[derive(Clone, Debug)]
enum Step {
    /// A datagram of a member, perhaps damaged.
    Hear {
        from: u16,
        message: Message,
        updates: Vec<Update>,
        digest: Option<u64>,
        damage: Damage,
    },
    /// An answer to the ping sent so many datagrams ago.
    Answer {
        back: usize,
        with: Answer,
        updates: Vec<Update>,
    },
    Accept,
    /// Bytes on the stream of this number, perhaps damaged.
    Read {
        stream: u64,
        frame: Frame,
        damage: Damage,
    },
    /// The caller does what the node asked for, one way or another.
    Connected {
        stream: u64,
    },
    Closed {
        stream: u64,
        end: StreamEnd,
    },
    Resolved {
        addresses: Vec<u16>,
    },
    Join {
        seed: &'static str,
    },
    Leave,
    SetTag {
        key: &'static str,
        value: String,
    },
    RemoveTag {
        key: &'static str,
    },
    FillTags,
    /// Time passes with the node woken in time, and members `a` to `e` answering.
    Live {
        millis: u64,
    },
    /// Time passes with the node woken in time.
    Wait {
        millis: u64,
    },
    /// Time passes and nobody wakes it.
    Sleep {
        millis: u64,
    },
}

#[derive(Clone, Copy, Debug)]
enum Answer {
    Ack,
    Nack,
    Wrong,
}

#[derive(Clone, Copy, Debug)]
enum Damage {
    None,
    Byte { at: prop::sample::Index, change: u8 },
    Cut { to: prop::sample::Index },
}

impl Damage {
    fn apply(self, bytes: &mut Vec<u8>) {
        match self {
            Damage::None => {}
            Damage::Byte { at, change } => {
                let at = at.index(bytes.len());
                bytes[at] ^= change;
            }
            Damage::Cut { to } => bytes.truncate(to.index(bytes.len())),
        }
    }
}

/// Names that are heard of; the node's own among them.
const NAMES: [&str; 7] = ["me", "a", "b", "c", "d", "e", "x"];

fn member(at: u16) -> Puppet {
    puppet(NAMES[usize::from(at)], 10 + at)
}

fn any_of<T: Clone + std::fmt::Debug + 'static>(of: &[T]) -> prop::sample::Select<T> {
    prop::sample::select(of.to_vec())
}

fn any_status() -> impl Strategy<Value = Status> {
    any_of(&[
        Status::Alive,
        Status::Suspect,
        Status::Unreachable,
        Status::Left,
    ])
}

/// Lives around those that the members have.
fn any_instance() -> impl Strategy<Value = Instance> {
    any_of(&[0, 99, 100, 101, 1010, 1011, 1012, 1013, u64::MAX]).prop_map(Instance)
}

fn any_incarnation() -> impl Strategy<Value = Incarnation> {
    any_of(&[0, 1, 2, 3, u32::MAX - 1, u32::MAX]).prop_map(Incarnation)
}

prop_compose! {
    fn any_record(kinds: usize)(
        of in any_of(&NAMES),
        host in 1u16..20,
        instance in any_instance(),
        incarnation in any_incarnation(),
        tagged in 0..kinds,
    ) -> Record {
        let few = Tags::new([("zone", "b")]).expect("a valid tag");
        let tags = [Tags::default(), few, fullest_tags()][tagged].clone();
        let (voter, returns) = (VoterId(instance.0), u32::from(host % 2));
        Record { name: name(of), addr: address(host), instance, incarnation, tags, voter, returns }
    }
}

fn any_update() -> impl Strategy<Value = Update> {
    let parts = (
        any_of(&NAMES),
        any_instance(),
        any_incarnation(),
        any_status(),
        any_of(&NAMES),
    );
    let claim = parts.prop_map(|(of, instance, incarnation, status, by)| {
        super::claim(of, instance.0, incarnation.0, status, by)
    });
    // Others announce records that fit into a datagram only.
    prop_oneof![claim, any_record(2).prop_map(Update::Record)]
}

fn any_message() -> impl Strategy<Value = Message> {
    let seq = any_of(&[0u32, 1, 2, 3, 4, 5, u32::MAX]);
    let target =
        (any::<u16>(), 1u16..20, any_instance()).prop_map(|(patience_ms, host, instance)| {
            RelayTarget {
                patience_ms,
                addr: address(host),
                instance,
            }
        });
    prop_oneof![
        (seq.clone(), any_instance()).prop_map(|(seq, target)| Message::Ping { seq, target }),
        seq.clone().prop_map(|seq| Message::Ack { seq }),
        seq.clone().prop_map(|seq| Message::Nack { seq }),
        (seq.clone(), target).prop_map(|(seq, target)| Message::PingRequest { seq, target }),
        Just(Message::Gossip),
        seq.prop_map(|seq| Message::Wrong { seq }),
    ]
}

fn any_frame() -> impl Strategy<Value = Frame> {
    let cluster = || any_of(&["test", "test", "test", "other"]).prop_map(name);
    let buckets = || {
        any_of(&[1usize, 2, 4, 256])
            .prop_flat_map(|count| prop::collection::vec(any_of(&[0, 1, u64::MAX]), count))
    };
    let entry = (any_record(3), any_status(), any_of(&[0, 5, u32::MAX])).prop_map(
        |(record, status, lost_for_s)| Entry {
            record,
            status,
            lost_for_s,
        },
    );
    let members = prop::collection::vec(entry, 0..4);
    let state = (
        any_of(&NAMES),
        prop_oneof![Just(vec![]), buckets()],
        members,
        any::<bool>(),
    );
    let pull = (cluster(), any_record(3), buckets());
    prop_oneof![
        (cluster(), any_instance(), 0u32..5).prop_map(|(cluster, target, seq)| Frame::Ping {
            cluster,
            target,
            seq
        }),
        (0u32..5).prop_map(|seq| stream_ack(seq, 7)),
        pull.prop_map(|(cluster, record, buckets)| Frame::Pull {
            cluster,
            record,
            buckets
        }),
        state.prop_map(|(from, buckets, members, last)| Frame::State {
            from: name(from),
            buckets,
            members,
            last
        }),
        any_of(&[Refusal::Cluster, Refusal::Full, Refusal::Instance]).prop_map(Frame::Refuse),
    ]
}

fn any_damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        6 => Just(Damage::None),
        1 => (any::<prop::sample::Index>(), 1u8..)
            .prop_map(|(at, change)| Damage::Byte { at, change }),
        1 => any::<prop::sample::Index>().prop_map(|to| Damage::Cut { to }),
    ]
}

fn any_step() -> impl Strategy<Value = Step> {
    let updates = || prop::collection::vec(any_update(), 0..4);
    let digest = prop_oneof![2 => Just(None), 1 => any_of(&[0, 1, u64::MAX]).prop_map(Some)];
    let hear = (
        0..NAMES.len() as u16,
        any_message(),
        updates(),
        digest,
        any_damage(),
    )
        .prop_map(|(from, message, updates, digest, damage)| Step::Hear {
            from,
            message,
            updates,
            digest,
            damage,
        });
    let answer = any_of(&[Answer::Ack, Answer::Ack, Answer::Nack, Answer::Wrong]);
    let end = any_of(&[StreamEnd::Closed, StreamEnd::Refused, StreamEnd::Failed]);
    let stream = || 1u64..12;
    let millis = any_of(&[0u64, 1, 60, 300, 1000, 5000, 60_000]);
    prop_oneof![
        8 => hear,
        6 => (0usize..6, answer, updates())
            .prop_map(|(back, with, updates)| Step::Answer { back, with, updates }),
        2 => Just(Step::Accept),
        6 => (stream(), any_frame(), any_damage())
            .prop_map(|(stream, frame, damage)| Step::Read { stream, frame, damage }),
        4 => stream().prop_map(|stream| Step::Connected { stream }),
        2 => (stream(), end).prop_map(|(stream, end)| Step::Closed { stream, end }),
        2 => prop::collection::vec(1u16..20, 0..4)
            .prop_map(|addresses| Step::Resolved { addresses }),
        1 => any_of(&["n1:7946", "n2:7946", "", "n1"]).prop_map(|seed| Step::Join { seed }),
        1 => prop_oneof![9 => Just(Step::Wait { millis: 1 }), 1 => Just(Step::Leave)],
        1 => (any_of(&["a", "", "b="]), "[a-z]{0,4}")
            .prop_map(|(key, value)| Step::SetTag { key, value }),
        1 => any_of(&["a", "zone"]).prop_map(|key| Step::RemoveTag { key }),
        1 => Just(Step::FillTags),
        8 => millis.clone().prop_map(|millis| Step::Live { millis }),
        3 => millis.clone().prop_map(|millis| Step::Wait { millis }),
        1 => millis.prop_map(|millis| Step::Sleep { millis }),
    ]
}

/// The node with what it sent last, which others may answer.
struct Monkey {
    driven: Driven,
    resolving: Vec<String>,
}

impl Monkey {
    fn take(&mut self, step: &Step) {
        match step {
            Step::Hear {
                from,
                message,
                updates,
                digest,
                damage,
            } => {
                let from = member(*from);
                let digest = digest.unwrap_or(self.driven.node.digest());
                let mut bytes = from.datagram(digest, message, updates);
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
                damage,
            } => {
                let mut bytes = wire::encode_frame(frame);
                damage.apply(&mut bytes);
                let stream = StreamId(*stream);
                self.driven
                    .call(|node, now| node.handle_stream_data(stream, &bytes, now));
            }
            Step::Connected { stream } => self.driven.connected(StreamId(*stream)),
            Step::Closed { stream, end } => self.driven.closed(StreamId(*stream), *end),
            Step::Resolved { addresses } => self.resolve(addresses),
            Step::Join { .. }
            | Step::Leave
            | Step::SetTag { .. }
            | Step::RemoveTag { .. }
            | Step::FillTags => self.command(step),
            Step::Live { millis } => {
                let members = [1, 2, 3, 4, 5].map(member);
                self.driven.wait_among(&members.each_ref(), ms(*millis));
            }
            Step::Wait { millis } => self.driven.wait(ms(*millis)),
            Step::Sleep { millis } => self.driven.sleep(ms(*millis)),
        }
    }

    fn command(&mut self, step: &Step) {
        self.driven.call(|node, now| match step {
            Step::Join { seed } => drop(node.join(&[(*seed).to_owned()], now)),
            Step::Leave => node.leave(now),
            Step::SetTag { key, value } => drop(node.set_tag(key, value, now)),
            Step::RemoveTag { key } => drop(node.remove_tag(key, now)),
            Step::FillTags => node.set_tags(fullest_tags(), now),
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
                Message::Ping { seq, target } => Some((sent.to, seq, target)),
                Message::PingRequest { seq, target } => Some((sent.to, seq, target.instance)),
                Message::Ack { .. }
                | Message::Nack { .. }
                | Message::Gossip
                | Message::Wrong { .. }
                | Message::Errand(_) => None,
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
                Action::Connect { .. }
                | Action::Send { .. }
                | Action::Close { .. }
                | Action::Save { .. }
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
}

impl Before {
    fn of(node: &Node) -> Before {
        let me = node.me();
        let version = (me.instance, me.incarnation);
        Before {
            version,
            lifecycle: order(node.lifecycle()),
        }
    }
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
    ) {
        let driven = Driven::with(Config::local(), identity("me", 1, 100));
        let mut monkey = Monkey { driven, resolving: Vec::new() };
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
