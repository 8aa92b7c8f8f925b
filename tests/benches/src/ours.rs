//! A member of Muster and whoever talks to it.

use std::hint::black_box;
use std::net::SocketAddr;

use muster_swim::{Action, Incarnation, Node};

use crate::case::{Input, Receiver};
use crate::crowd::{self, Crowd, NOW};

/// The receiver is the crowd's first; its predecessor on the first ring talks to it.
pub struct Ours {
    crowd: Crowd,
    members: usize,
    receiver: Node,
    source: Node,
    source_index: usize,
    buffer: Vec<u8>,
    /// The next member whose incarnation is raised, or that comes and goes.
    next: usize,
    lives: u64,
    /// What the receiver must hold in the end: a member and its least incarnation.
    promise: Option<(usize, Incarnation)>,
    news: Option<(Vec<u8>, usize)>,
    ping: Option<Vec<u8>>,
    /// Pings that were handed out, each to be answered.
    pings: u64,
}

/// More updates about members than any datagram holds.
const NEWS: usize = 45;

impl Receiver for Ours {
    fn new(members: usize) -> Ours {
        let crowd = Crowd::new(members);
        let receiver = crowd.insider(0, members, crowd::laconic());
        let predecessor = receiver.rings()[0].predecessor.clone();
        let name = predecessor.expect("there are other members").name;
        let source_index = (0..members)
            .find(|index| crowd::name(*index) == name)
            .expect("the predecessor is one of the crowd");
        let source = crowd.insider(source_index, members, crowd::talkative());
        Ours {
            crowd,
            members,
            receiver,
            source,
            source_index,
            buffer: Vec::with_capacity(2048),
            next: 1,
            lives: 0,
            promise: None,
            news: None,
            ping: None,
            pings: 0,
        }
    }

    fn input(&mut self, input: Input) -> (Vec<Vec<u8>>, usize) {
        match input {
            Input::Ping | Input::Asked => (vec![self.ping()], 0),
            Input::Known => {
                let (bytes, updates) = self.known();
                (vec![bytes], updates)
            }
            Input::Newer => {
                let (bytes, updates) = self.newer();
                (vec![bytes], updates)
            }
            Input::Joiners => {
                let (bytes, updates) = self.joiners();
                (vec![bytes], updates)
            }
            Input::ComeAndGo => (self.come_and_go(), 1),
        }
    }

    fn take(&mut self, datagram: &[u8]) {
        self.receiver
            .handle_datagram(self.source_address(), datagram, NOW);
        while let Some(to) = self.receiver.poll_transmit(&mut self.buffer) {
            black_box((to, &self.buffer));
        }
        while let Some(action) = self.receiver.poll_action() {
            assert!(
                !matches!(action, Action::Stopped(_)),
                "nobody stops the receiver"
            );
        }
        while let Some(event) = self.receiver.poll_event() {
            black_box(event);
        }
        black_box(self.receiver.poll_timeout());
    }

    fn settle(&mut self) {
        self.crowd.settle(&mut self.receiver);
    }

    fn renew(&mut self) {
        self.receiver = self.crowd.insider(0, self.members, crowd::laconic());
        self.promise = None;
    }

    fn check(&self) {
        let stats = self.receiver.stats();
        assert_eq!(
            stats.dropped,
            muster_swim::Dropped::default(),
            "nothing was dropped"
        );
        assert_eq!(stats.streams_opened, 0, "no datagram led to a pull");
        assert!(
            stats.datagrams_sent >= self.pings,
            "every ping was answered"
        );
        if let Some((index, incarnation)) = self.promise {
            let held = self.receiver.member(crowd::name(index).as_str());
            let held = held.expect("an update was taken").incarnation;
            assert!(held >= incarnation, "the newest incarnation was taken");
        }
    }
}

impl Ours {
    fn source_address(&self) -> SocketAddr {
        crowd::address(self.source_index)
    }

    /// The ping of a predecessor that has no news.
    fn ping(&mut self) -> Vec<u8> {
        if self.ping.is_none() {
            self.crowd.settle(&mut self.source);
            let ping = self.push(&["beat", "tick"], Some(crowd::address(0)));
            assert_eq!(crowd::updates(&ping), 0, "the pinger has no news");
            self.ping = Some(ping);
        }
        self.pings += 1;
        self.ping.clone().expect("it was just made")
    }

    /// The first push of a member that heard of everybody.
    fn known(&mut self) -> (Vec<u8>, usize) {
        if self.news.is_none() {
            let push = self.push(&["push"], None);
            let updates = crowd::updates(&push);
            self.news = Some((push, updates));
        }
        self.news.clone().expect("it was just made")
    }

    fn newer(&mut self) -> (Vec<u8>, usize) {
        let mut raised = 0;
        while raised < NEWS.min(self.members - 2) {
            let index = self.next;
            self.next = self.next % (self.members - 1) + 1;
            if index == self.source_index {
                continue;
            }
            self.crowd.raise(index);
            crowd::feed(
                &mut self.source,
                crowd::address(index),
                self.crowd.hello(index),
            );
            raised += 1;
            let held = self.source.member(crowd::name(index).as_str());
            self.promise = held.map(|held| (index, held.incarnation));
        }
        let push = self.push(&["push"], None);
        let updates = crowd::updates(&push);
        (push, updates)
    }

    /// Told by one that has nothing else to tell: of a crowd it would leave some to the comparison
    /// of tables.
    fn joiners(&mut self) -> (Vec<u8>, usize) {
        self.crowd.settle(&mut self.source);
        for _ in 0..NEWS {
            let index = self.crowd.len();
            self.crowd.add();
            crowd::feed(
                &mut self.source,
                crowd::address(index),
                self.crowd.hello(index),
            );
            self.promise = Some((index, Incarnation::default()));
        }
        let push = self.push(&["push"], None);
        let updates = crowd::updates(&push);
        (push, updates)
    }

    fn come_and_go(&mut self) -> Vec<Vec<u8>> {
        let index = self.next;
        self.next = self.next % (self.members - 1) + 1;
        self.lives += 1;
        let mut member = crowd::member(index, self.lives);
        let hello = crowd::introduce(&mut member, self.crowd.knock());
        crowd::feed(&mut member, crowd::address(0), self.crowd.hello(0));
        member.leave(NOW);
        let mut goodbye = Vec::new();
        let to = member.poll_transmit(&mut goodbye);
        assert_eq!(
            to,
            Some(crowd::address(0)),
            "its only buddy hears the goodbye"
        );
        vec![hello, goodbye]
    }

    /// The next datagram that the source sends for one of these reasons, to somebody or to anybody.
    fn push(&mut self, reasons: &[&str], to: Option<SocketAddr>) -> Vec<u8> {
        loop {
            let deadline = self
                .source
                .poll_timeout()
                .expect("a member has a next deadline");
            self.source.handle_timeout(deadline.at);
            let sent = self.source.poll_transmit(&mut self.buffer);
            crowd::discard(&mut self.source);
            if reasons.contains(&deadline.reason) && sent.is_some() && (to.is_none() || sent == to)
            {
                return self.buffer.clone();
            }
        }
    }
}
