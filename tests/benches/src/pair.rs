//! Two members that have no news for each other: what one exchange of ping and ack costs at both
//! ends together, timers included.

use std::collections::{BTreeMap, VecDeque};
use std::hint::black_box;
use std::time::Duration;

use foca::{Config, Member, Notification, Runtime, Timer};
use muster_swim::{Action, Node, StreamEnd, StreamId, Time};

use crate::case::Case;
use crate::crowd::{self, Crowd};
use crate::theirs::{self, Id, Protocol};

/// Exchanges in one run.
const BATCH: usize = 64;

/// Exchanges after which the last news has been passed on and every buffer has its size.
const CALM: usize = 2_000;

/// Datagrams under way, in buffers that are used again.
#[derive(Default)]
struct Mail {
    sent: VecDeque<(usize, Vec<u8>)>,
    spare: Vec<Vec<u8>>,
}

impl Mail {
    fn buffer(&mut self) -> Vec<u8> {
        self.spare.pop().unwrap_or_else(|| Vec::with_capacity(2048))
    }
}

/// Two members of Muster.
pub struct OurPair {
    nodes: [Node; 2],
    mail: Mail,
    /// What each calls a stream, and what the other calls it: their links stand.
    streams: BTreeMap<(usize, StreamId), StreamId>,
    actions: VecDeque<(usize, Action)>,
}

impl OurPair {
    /// After their first news.
    pub fn new() -> OurPair {
        // Without seeds: each now and then looks at one, and that allocates.
        let crowd = Crowd::new(2);
        let nodes = [0, 1].map(|index| crowd.insider(index, 2, muster_swim::Config::lan()));
        let mut pair = OurPair {
            nodes,
            mail: Mail::default(),
            streams: BTreeMap::new(),
            actions: VecDeque::new(),
        };
        pair.exchange(CALM);
        pair
    }

    fn answered(&self) -> usize {
        let answered: u64 = self
            .nodes
            .iter()
            .map(|node| node.stats().probes_answered)
            .sum();
        usize::try_from(answered).expect("a bench does not run that long")
    }

    fn exchange(&mut self, count: usize) {
        let enough = self.answered() + count;
        while self.answered() < enough {
            let deadlines = [0, 1].map(|index: usize| self.nodes[index].poll_timeout());
            let [first, second] =
                deadlines.map(|deadline| deadline.expect("a member has a next deadline").at);
            let (index, now) = if first <= second {
                (0, first)
            } else {
                (1, second)
            };
            self.nodes[index].handle_timeout(now);
            self.drain(index);
            while let Some((to, bytes)) = self.mail.sent.pop_front() {
                let from = crowd::address(1 - to);
                self.nodes[to].handle_datagram(from, &bytes, now);
                self.mail.spare.push(bytes);
                self.drain(to);
            }
            while let Some((of, action)) = self.actions.pop_front() {
                self.act(of, action, now);
            }
        }
    }

    /// Carries a stream at once.
    fn act(&mut self, of: usize, action: Action, now: Time) {
        let other = 1 - of;
        match action {
            Action::Connect { stream, .. } => {
                let from = crowd::address(of);
                let accepted = self.nodes[other].handle_stream_accepted(from, now);
                let accepted = accepted.expect("there is room for a stream");
                self.streams.insert((of, stream), accepted);
                self.streams.insert((other, accepted), stream);
                self.drain(other);
                self.nodes[of].handle_stream_connected(stream, now);
                self.drain(of);
            }
            Action::Send { stream, bytes } => {
                if let Some(theirs) = self.streams.get(&(of, stream)) {
                    self.nodes[other].handle_stream_data(*theirs, &bytes, now);
                    self.drain(other);
                }
            }
            Action::Close { stream } => {
                if let Some(theirs) = self.streams.remove(&(of, stream)) {
                    self.streams.remove(&(other, theirs));
                    self.nodes[other].handle_stream_closed(theirs, StreamEnd::Closed, now);
                    self.drain(other);
                }
            }
            Action::Resolve { .. }
            | Action::Save { .. }
            | Action::KeepKeys { .. }
            | Action::Answered { .. }
            | Action::Stopped(_) => {}
        }
    }

    fn drain(&mut self, index: usize) {
        let node = &mut self.nodes[index];
        loop {
            let mut buffer = self.mail.buffer();
            if node.poll_transmit(&mut buffer).is_none() {
                self.mail.spare.push(buffer);
                break;
            }
            self.mail.sent.push_back((1 - index, buffer));
        }
        while let Some(action) = node.poll_action() {
            self.actions.push_back((index, action));
        }
        while let Some(event) = node.poll_event() {
            black_box(event);
        }
    }
}

impl Default for OurPair {
    fn default() -> OurPair {
        OurPair::new()
    }
}

impl Case for OurPair {
    fn prepare(&mut self) {}

    fn run(&mut self) {
        self.exchange(BATCH);
    }

    fn operations(&self) -> usize {
        BATCH
    }

    fn check(&self) {
        for node in &self.nodes {
            assert_eq!(node.stats().probes_failed, 0, "every ping was answered");
        }
    }
}

/// What one of two members of `foca` wants, gathered for the other.
struct Gather<'a> {
    to: usize,
    now: Duration,
    mail: &'a mut Mail,
    timers: &'a mut Vec<(Duration, usize, Timer<Id>)>,
}

impl Runtime<Id> for Gather<'_> {
    fn notify(&mut self, notification: Notification<'_, Id>) {
        black_box(notification);
    }

    fn send_to(&mut self, _to: Id, data: &[u8]) {
        let mut buffer = self.mail.buffer();
        buffer.clear();
        buffer.extend_from_slice(data);
        self.mail.sent.push_back((self.to, buffer));
    }

    fn submit_after(&mut self, event: Timer<Id>, after: Duration) {
        self.timers.push((self.now + after, 1 - self.to, event));
    }
}

/// Two members of a cluster of `foca`.
pub struct TheirPair {
    nodes: [Protocol; 2],
    mail: Mail,
    timers: Vec<(Duration, usize, Timer<Id>)>,
}

impl TheirPair {
    /// After their first news.
    pub fn new() -> TheirPair {
        let nodes = [0, 1].map(|index| theirs::protocol(index, Config::simple()));
        let mut pair = TheirPair {
            nodes,
            mail: Mail::default(),
            timers: Vec::new(),
        };
        for index in [0, 1] {
            let (node, mut gather) = pair.turn(index, Duration::ZERO);
            let other = std::iter::once(Member::alive(Id::new(1 - index, 0)));
            node.apply_many(other, false, &mut gather)
                .expect("a member can be added");
        }
        pair.exchange(CALM);
        pair
    }

    fn turn(&mut self, index: usize, now: Duration) -> (&mut Protocol, Gather<'_>) {
        let TheirPair {
            nodes,
            mail,
            timers,
        } = self;
        (
            &mut nodes[index],
            Gather {
                to: 1 - index,
                now,
                mail,
                timers,
            },
        )
    }

    fn exchange(&mut self, count: usize) {
        let mut begun = 0;
        while begun < count {
            let places = 0..self.timers.len();
            let first = places.min_by_key(|place| &self.timers[*place]);
            let (now, index, timer) = self
                .timers
                .swap_remove(first.expect("a member has a next deadline"));
            begun += usize::from(matches!(timer, Timer::ProbeRandomMember(_)));
            let (node, mut gather) = self.turn(index, now);
            node.handle_timer(timer, &mut gather)
                .expect("the timers come in order");
            while let Some((to, bytes)) = self.mail.sent.pop_front() {
                let (node, mut gather) = self.turn(to, now);
                node.handle_data(&bytes, &mut gather)
                    .expect("the input is valid");
                self.mail.spare.push(bytes);
            }
        }
    }
}

impl Default for TheirPair {
    fn default() -> TheirPair {
        TheirPair::new()
    }
}

impl Case for TheirPair {
    fn prepare(&mut self) {}

    fn run(&mut self) {
        self.exchange(BATCH);
    }

    fn operations(&self) -> usize {
        BATCH
    }

    fn check(&self) {
        for node in &self.nodes {
            let alive = node
                .iter_members()
                .all(|other| other.state() == foca::State::Alive);
            assert!(alive && node.num_members() == 1, "every ping was answered");
        }
    }
}
