//! What can happen to a node: the steps, and how they are drawn.

use proptest::prelude::*;

use super::super::driven::address;
use super::super::puppets::{Puppet, puppet, stream_ack};
use super::super::{claim, fullest_tags, name};
use super::agreed::{self, Shows, any_shows};
use crate::coordinator::VoterId;
use crate::limits;
use crate::members::{Incarnation, Instance, NameHash, Record, Status, Tags, some_apps};
use crate::node::StreamEnd;
use crate::wire::{Entry, Frame, Message, Refusal, RelayTarget, Update};

/// Stands for the stream that the node asked for last; one more for the one before it.
pub(super) const LAST_OPENED: u64 = 100;

/// One thing that happens to the node.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// A datagram of a member, perhaps damaged.
    Hear {
        from: u16,
        message: Message,
        updates: Vec<Update>,
        digest: Option<u64>,
        shows: Shows,
        /// Whether what it says of views goes on from the node's own.
        fits: bool,
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
        shows: Shows,
        fits: bool,
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
    ConfirmView,
    Remove {
        of: &'static str,
        force: bool,
    },
    /// An operator rebuilds the quorum of all that answer.
    Recover,
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
pub(super) enum Answer {
    Ack,
    BeatAck { next_ms: u32 },
    Nack,
    Wrong,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Damage {
    None,
    Byte { at: prop::sample::Index, change: u8 },
    Cut { to: prop::sample::Index },
}

impl Damage {
    pub(super) fn apply(self, bytes: &mut Vec<u8>) {
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
pub(super) const NAMES: [&str; 7] = ["me", "a", "b", "c", "d", "e", "x"];

pub(super) fn member(at: u16) -> Puppet {
    puppet(NAMES[usize::from(at)], 10 + at)
}

pub(super) fn any_of<T: Clone + std::fmt::Debug + 'static>(of: &[T]) -> prop::sample::Select<T> {
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
pub(super) fn any_instance() -> impl Strategy<Value = Instance> {
    any_of(&[
        0,
        99,
        100,
        101,
        1010,
        1011,
        1012,
        1013,
        limits::INSTANCES,
        u64::MAX,
    ])
    .prop_map(Instance)
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
        let (name, addr, apps) = (name(of), address(host), some_apps(tagged));
        Record { name, addr, instance, incarnation, tags, voter, returns, apps }
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
        claim(of, instance.0, incarnation.0, status, by)
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
                name: NameHash::of("a"),
            }
        });
    let plain = prop_oneof![
        (seq.clone(), any_instance()).prop_map(|(seq, target)| Message::Ping { seq, target }),
        seq.clone().prop_map(|seq| Message::Ack { seq }),
        seq.clone().prop_map(|seq| Message::Nack { seq }),
        (seq.clone(), target).prop_map(|(seq, target)| Message::PingRequest { seq, target }),
        Just(Message::Gossip),
        seq.clone().prop_map(|seq| Message::Wrong { seq }),
        (seq.clone(), any_instance(), 0u8..5).prop_map(|(seq, target, ring)| Message::Beat {
            seq,
            target,
            ring
        }),
        (seq, any::<u32>()).prop_map(|(seq, next_ms)| Message::BeatAck { seq, next_ms }),
    ];
    prop_oneof![plain, agreed::any_errand().prop_map(Message::Errand)]
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
    let plain = prop_oneof![
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
    ];
    prop_oneof![plain, agreed::any_frame()]
}

fn any_damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        6 => Just(Damage::None),
        1 => (any::<prop::sample::Index>(), 1u8..)
            .prop_map(|(at, change)| Damage::Byte { at, change }),
        1 => any::<prop::sample::Index>().prop_map(|to| Damage::Cut { to }),
    ]
}

pub(super) fn any_step() -> impl Strategy<Value = Step> {
    let updates = || prop::collection::vec(any_update(), 0..4);
    let digest = prop_oneof![2 => Just(None), 1 => any_of(&[0, 1, u64::MAX]).prop_map(Some)];
    let hear = (
        0..NAMES.len() as u16,
        any_message(),
        updates(),
        digest,
        any_shows(),
        prop::bool::weighted(0.8),
        any_damage(),
    )
        .prop_map(
            |(from, message, updates, digest, shows, fits, damage)| Step::Hear {
                from,
                message,
                updates,
                digest,
                shows,
                fits,
                damage,
            },
        );
    let answer = any_of(&[
        Answer::Ack,
        Answer::BeatAck { next_ms: 1 },
        Answer::BeatAck { next_ms: 4_000 },
        Answer::BeatAck { next_ms: u32::MAX },
        Answer::Nack,
        Answer::Wrong,
    ]);
    let end = any_of(&[StreamEnd::Closed, StreamEnd::Refused, StreamEnd::Failed]);
    // Those of the first numbers, and those that were opened last.
    let stream = || {
        prop_oneof![
            1u64..12,
            Just(LAST_OPENED),
            Just(LAST_OPENED),
            Just(LAST_OPENED + 1)
        ]
    };
    let millis = any_of(&[0u64, 1, 60, 300, 1000, 5000, 60_000]);
    prop_oneof![
        8 => hear,
        6 => (0usize..6, answer, updates())
            .prop_map(|(back, with, updates)| Step::Answer { back, with, updates }),
        2 => Just(Step::Accept),
        6 => (stream(), any_frame(), any_shows(), prop::bool::weighted(0.8), any_damage()).prop_map(
            |(stream, frame, shows, fits, damage)| {
                Step::Read { stream, frame, shows, fits, damage }
            },
        ),
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
        1 => Just(Step::ConfirmView),
        1 => (any_of(&NAMES), any::<bool>())
            .prop_map(|(of, force)| Step::Remove { of, force }),
        1 => Just(Step::Recover),
        8 => millis.clone().prop_map(|millis| Step::Live { millis }),
        3 => millis.clone().prop_map(|millis| Step::Wait { millis }),
        1 => millis.prop_map(|millis| Step::Sleep { millis }),
    ]
}
