//! A member of a cluster of `foca`, with an identity of the same contents as a record of Muster.

use std::hint::black_box;
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use foca::{
    Codec, Config, Foca, Header, Identity, Member, Message, NoCustomBroadcast, Notification,
    PostcardCodec, Runtime, State, Timer,
};
use muster_swim::Name;
use muster_swim::limits::PLAIN_DATAGRAM_BYTES;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use serde::{Deserialize, Serialize};

use crate::case::{Input, Receiver};
use crate::crowd;

/// Name, address, instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Id {
    name: Name,
    addr: SocketAddr,
    instance: u64,
}

impl Id {
    /// The one that Muster's crowd has under the same number.
    pub fn new(index: usize, life: u64) -> Id {
        let identity = crowd::member(index, life).identity();
        Id {
            name: identity.name,
            addr: identity.addr,
            instance: identity.instance.0,
        }
    }
}

impl Identity for Id {
    type Addr = SocketAddr;

    fn renew(&self) -> Option<Id> {
        None
    }

    fn addr(&self) -> SocketAddr {
        self.addr
    }

    fn win_addr_conflict(&self, adversary: &Id) -> bool {
        self.instance > adversary.instance
    }
}

/// The whole protocol of one member.
pub type Protocol = Foca<Id, PostcardCodec, SmallRng, NoCustomBroadcast>;

/// A member of a cluster of so many.
pub fn protocol(index: usize, config: Config) -> Protocol {
    let rng = SmallRng::seed_from_u64(index as u64);
    Foca::new(Id::new(index, 0), config, rng, PostcardCodec)
}

/// Takes all outputs and forgets them; sent bytes are copied once, as a socket would.
#[derive(Default)]
struct Sink {
    sent: usize,
    buffer: Vec<u8>,
}

impl Runtime<Id> for &mut Sink {
    fn notify(&mut self, notification: Notification<'_, Id>) {
        black_box(notification);
    }

    fn send_to(&mut self, to: Id, data: &[u8]) {
        self.sent += 1;
        self.buffer.clear();
        self.buffer.extend_from_slice(data);
        black_box((to, &self.buffer));
    }

    fn submit_after(&mut self, event: Timer<Id>, after: Duration) {
        black_box((event, after));
    }
}

/// The receiver is number 0; number 1 talks to it.
pub struct Theirs {
    members: usize,
    known: usize,
    receiver: Protocol,
    sink: Sink,
    next: usize,
    incarnation: u16,
    lives: u64,
    number: u8,
    promise: Option<Member<Id>>,
}

impl Receiver for Theirs {
    fn new(members: usize) -> Theirs {
        Theirs {
            members,
            known: members,
            receiver: insider(members, false),
            sink: Sink::default(),
            next: 2,
            incarnation: 1,
            lives: 0,
            number: 0,
            promise: None,
        }
    }

    fn input(&mut self, input: Input) -> (Vec<Vec<u8>>, usize) {
        let alive = |index| Member::new(Id::new(index, 0), 0, State::Alive);
        match input {
            Input::Ping | Input::Asked => (vec![self.ping()], 0),
            Input::Known => {
                let (bytes, updates) = gossip((2..self.members).map(alive));
                (vec![bytes], updates)
            }
            Input::Newer => {
                let (bytes, updates) = self.newer();
                (vec![bytes], updates)
            }
            Input::Joiners => {
                let (bytes, updates) = gossip((self.known..).map(alive));
                self.known += updates;
                self.promise = Some(alive(self.known - 1));
                (vec![bytes], updates)
            }
            Input::ComeAndGo => (self.come_and_go(), 1),
        }
    }

    fn take(&mut self, datagram: &[u8]) {
        let taken = self.receiver.handle_data(datagram, &mut self.sink);
        taken.expect("the input is valid");
    }

    fn settle(&mut self) {
        let ping = self.ping();
        while self.receiver.updates_backlog() > 0 {
            self.take(&ping);
        }
    }

    fn renew(&mut self) {
        self.receiver = insider(self.members, false);
        self.promise = None;
    }

    fn check(&self) {
        if let Some(promise) = &self.promise {
            let held = self
                .receiver
                .iter_members()
                .find(|member| member.id() == promise.id());
            let held = held.expect("an update was taken");
            assert!(
                held.incarnation() >= promise.incarnation(),
                "the newest was taken"
            );
        }
    }
}

impl Theirs {
    fn ping(&mut self) -> Vec<u8> {
        self.number = self.number.wrapping_add(1);
        encode(Message::Ping(self.number), std::iter::empty()).0
    }

    /// Rotating through all members, each with the next incarnation in turn.
    fn newer(&mut self) -> (Vec<u8>, usize) {
        let from = self.next;
        let (members, incarnation) = (self.members, self.incarnation);
        let raised = (from..members).map(|index| (index, incarnation));
        let again = (2..from).map(|index| (index, incarnation + 1));
        let update =
            |(index, incarnation)| Member::new(Id::new(index, 0), incarnation, State::Alive);
        let (bytes, updates) = gossip(raised.chain(again).map(update));
        self.promise = Some(update((from, incarnation)));
        self.next += updates;
        if self.next >= members {
            self.next = 2 + (self.next - members);
            self.incarnation += 1;
        }
        (bytes, updates)
    }

    fn come_and_go(&mut self) -> Vec<Vec<u8>> {
        let index = self.next;
        self.next = if index + 1 < self.members {
            index + 1
        } else {
            2
        };
        self.lives += 1;
        let id = Id::new(index, self.lives);
        let told = |state| gossip(std::iter::once(Member::new(id.clone(), 0, state))).0;
        vec![told(State::Alive), told(State::Down)]
    }
}

/// A member that knows the `count` first ones and has to pass that on, or not.
pub fn insider(count: usize, news: bool) -> Protocol {
    let size = u32::try_from(count).ok().and_then(NonZeroU32::new);
    let config = Config {
        max_packet_size: NonZeroUsize::new(PLAIN_DATAGRAM_BYTES).expect("it is not zero"),
        ..Config::new_lan(size.expect("a cluster has members"))
    };
    let mut node = protocol(0, config);
    let others = (1..count).map(|index| Member::new(Id::new(index, 0), 0, State::Alive));
    let applied = node.apply_many(others, news, &mut Sink::default());
    applied.expect("members can be added");
    assert_eq!(node.num_members() + 1, count, "an insider knows everybody");
    node
}

fn gossip(updates: impl Iterator<Item = Member<Id>>) -> (Vec<u8>, usize) {
    encode(Message::Gossip, updates)
}

/// A datagram as the other side makes it, by its own codec: header, number of updates, updates.
fn encode(message: Message<Id>, updates: impl Iterator<Item = Member<Id>>) -> (Vec<u8>, usize) {
    let (src, dst) = (Id::new(1, 0), Id::new(0, 0));
    let header = Header {
        src,
        src_incarnation: 0,
        dst,
        message,
    };
    let mut bytes = Vec::new();
    PostcardCodec
        .encode_header(&header, &mut bytes)
        .expect("a header is encoded into memory");
    let at = bytes.len();
    bytes.extend([0, 0]);
    let mut count = 0_u16;
    for update in updates {
        let before = bytes.len();
        PostcardCodec
            .encode_member(&update, &mut bytes)
            .expect("so is a member");
        if bytes.len() > PLAIN_DATAGRAM_BYTES {
            bytes.truncate(before);
            break;
        }
        count += 1;
    }
    bytes[at..at + 2].copy_from_slice(&count.to_be_bytes());
    (bytes, count.into())
}
