//! Members of one cluster, and the datagrams in which they tell of themselves.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use muster_swim::{
    Action, Config, Identity, Instance, Memory, Name, Node, StreamEnd, StreamId, Tags, Time,
};

/// When everything happens: time stands still while a datagram is handled.
pub const NOW: Time = Time::from_nanos(1_000_000_000_000);

/// The members.
pub struct Crowd {
    members: Vec<Node>,
    hellos: Vec<Vec<u8>>,
    knock: Vec<u8>,
}

impl Crowd {
    /// So many members that do not know each other.
    pub fn new(count: usize) -> Crowd {
        let mut crowd = Crowd {
            members: Vec::new(),
            hellos: Vec::new(),
            knock: knock(),
        };
        while crowd.members.len() < count {
            crowd.add();
        }
        crowd
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// One more.
    pub fn add(&mut self) {
        self.members.push(member(self.members.len(), 0));
        self.hellos.push(Vec::new());
        self.raise(self.members.len() - 1);
    }

    /// A datagram in which a member tells of itself.
    pub fn hello(&self, index: usize) -> &[u8] {
        &self.hellos[index]
    }

    /// A ping to anybody, as of somebody that nobody knows.
    pub fn knock(&self) -> &[u8] {
        &self.knock
    }

    /// Raises a member's incarnation, as a refutation does: all else stays as it was.
    pub fn raise(&mut self, index: usize) {
        let hello = introduce(&mut self.members[index], &self.knock);
        self.hellos[index] = hello;
    }

    /// A member that knows all `count` first ones: itself at index `me`.
    pub fn insider(&self, me: usize, count: usize, config: Config) -> Node {
        let mut node = with_config(me, 0, config);
        introduce(&mut node, &self.knock);
        for (index, hello) in self.hellos.iter().enumerate().take(count) {
            if index != me {
                feed(&mut node, address(index), hello);
            }
        }
        assert_eq!(node.members().count(), count, "an insider knows everybody");
        node
    }

    /// Answers knocks until there is nothing left to pass on.
    pub fn settle(&self, node: &mut Node) {
        let identity = node.identity();
        let mut silent = Node::new(Config::lan(), identity, Memory::never_votes(), 1, NOW)
            .expect("the preset is valid");
        let bare = answer(&mut silent, &self.knock).len();
        while answer(node, &self.knock).len() > bare {}
    }
}

/// A member by its number. A later life has a larger instance.
pub fn member(index: usize, life: u64) -> Node {
    with_config(index, life, Config::lan())
}

fn with_config(index: usize, life: u64, config: Config) -> Node {
    let started = 1_760_000_000_000_000 + index as u64 * 1_000 + life;
    let identity = Identity {
        cluster: Name::new("bench").expect("a plain word is a name"),
        name: name(index),
        addr: address(index),
        instance: Instance(started),
        tags: Tags::default(),
    };
    Node::new(config, identity, Memory::never_votes(), index as u64, NOW)
        .expect("the configurations here are valid")
}

/// The name of a member.
pub fn name(index: usize) -> Name {
    Name::new(&format!("member-{index:05}")).expect("a plain word is a name")
}

/// The address of a member.
pub fn address(index: usize) -> SocketAddr {
    let [_, high, middle, low] = u32::try_from(index + 1)
        .expect("a crowd is small")
        .to_be_bytes();
    SocketAddr::from((Ipv4Addr::new(10, high, middle, low), 7946))
}

/// Raises a member's incarnation and returns the datagram that says so.
pub fn introduce(node: &mut Node, knock: &[u8]) -> Vec<u8> {
    node.set_tag("version", "1", NOW)
        .expect("a short tag is valid");
    discard(node);
    node.remove_tag("version", NOW);
    discard(node);
    answer(node, knock)
}

/// What a member answers to a datagram.
pub fn answer(node: &mut Node, datagram: &[u8]) -> Vec<u8> {
    node.handle_datagram(address(STRANGER), datagram, NOW);
    let mut buffer = Vec::new();
    let to = node.poll_transmit(&mut buffer);
    assert_eq!(to, Some(address(STRANGER)), "whoever pings gets an answer");
    discard(node);
    buffer
}

/// Hands in a datagram and ignores what comes of it.
pub fn feed(node: &mut Node, from: SocketAddr, datagram: &[u8]) {
    node.handle_datagram(from, datagram, NOW);
    discard(node);
}

/// Takes all outputs and forgets them; streams fail.
pub fn discard(node: &mut Node) {
    let mut buffer = Vec::new();
    loop {
        while node.poll_transmit(&mut buffer).is_some() {}
        while node.poll_event().is_some() {}
        let Some(action) = node.poll_action() else {
            return;
        };
        if let Action::Connect { stream, .. } = action {
            while node.poll_action().is_some() {}
            node.handle_stream_closed(stream, StreamEnd::Failed, NOW);
        }
    }
}

/// Number of the one that pings and that nobody knows.
const STRANGER: usize = 0xF0_0000;

/// A real ping, of a member that joined one other and then lost sight of it.
fn knock() -> Vec<u8> {
    let mut stranger = with_config(STRANGER, 0, laconic());
    let mut host = member(STRANGER + 1, 0);
    join(&mut stranger, &mut host);
    let mut buffer = Vec::new();
    loop {
        let deadline = stranger
            .poll_timeout()
            .expect("a member always has a next deadline");
        stranger.handle_timeout(deadline.at);
        let sent = stranger.poll_transmit(&mut buffer);
        discard(&mut stranger);
        if matches!(deadline.reason, "beat" | "tick") && sent.is_some() && updates(&buffer) == 0 {
            return buffer;
        }
    }
}

/// Joins one member to the cluster of another over a stream.
pub fn join(joiner: &mut Node, host: &mut Node) {
    let seed = "host:7946".to_owned();
    let at_host = host.me().addr;
    joiner
        .join(std::slice::from_ref(&seed), NOW)
        .expect("the seed is well formed");
    discard(joiner);
    joiner.handle_resolved(&seed, &[at_host], NOW);
    let Some(Action::Connect { stream, .. }) = joiner.poll_action() else {
        panic!("a resolved seed is connected to");
    };
    discard(joiner);
    let from = joiner.me().addr;
    let accepted = host
        .handle_stream_accepted(from, NOW)
        .expect("one stream is not too many");
    joiner.handle_stream_connected(stream, NOW);
    let mut to_host = sends(joiner);
    while !to_host.is_empty() {
        let to_joiner = pass(&mut to_host, host, accepted);
        let mut to_joiner = VecDeque::from(to_joiner);
        to_host = pass(&mut to_joiner, joiner, stream).into();
    }
}

fn pass(bytes: &mut VecDeque<Vec<u8>>, to: &mut Node, stream: StreamId) -> Vec<Vec<u8>> {
    let mut answers = Vec::new();
    for chunk in bytes.drain(..) {
        to.handle_stream_data(stream, &chunk, NOW);
        answers.extend(sends(to));
    }
    answers
}

/// What a member sends on its only stream; all else is forgotten.
fn sends(node: &mut Node) -> VecDeque<Vec<u8>> {
    let mut sent = VecDeque::new();
    let mut buffer = Vec::new();
    while node.poll_transmit(&mut buffer).is_some() {}
    while node.poll_event().is_some() {}
    while let Some(action) = node.poll_action() {
        match action {
            Action::Send { bytes, .. } => sent.push_back(bytes),
            Action::Connect { .. }
            | Action::Close { .. }
            | Action::Resolve { .. }
            | Action::Save { .. }
            | Action::KeepKeys { .. }
            | Action::Answered { .. }
            | Action::Stopped(_) => {}
        }
    }
    sent
}

/// How many members a datagram tells of.
pub fn updates(datagram: &[u8]) -> usize {
    let mut blank = member(BLANK, 0);
    feed(&mut blank, address(STRANGER), datagram);
    blank.members().count() - 1
}

/// Number of a member that nobody tells of.
const BLANK: usize = 0xE0_0000;

/// A configuration under which a member passes on its news at once and probes rarely.
pub fn talkative() -> Config {
    Config {
        period: Duration::from_secs(60),
        probe_timeout_max: Duration::from_secs(30),
        gossip_interval: Duration::from_millis(1),
        ..Config::lan()
    }
}

/// A configuration under which news is soon passed on often enough.
pub fn laconic() -> Config {
    Config {
        gossip_multiplier: 1,
        ..Config::lan()
    }
}
