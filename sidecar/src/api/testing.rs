//! A small cluster in memory behind a real socket: one node has the local socket, the others are
//! its peers. Stands in for the agent's loop.

pub(super) mod client;
pub(super) mod openapi;

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use muster_swim::{
    Action, Config, Epoch, Identity, Instance, Key, Keyring, Memory, Name, Node, Plaintext, State,
    Stop, StreamEnd, StreamId, Tags, Ticket, Time, View,
};
use smol::LocalExecutor;
use smol::channel::{Receiver, Sender, bounded};
use smol::future::{or, yield_now, zip};
use tempfile::TempDir;

use self::client::{Reply, within};
use super::access::Access;
use super::events::EventLog;
use super::http::{HttpListener, bind_http};
use super::model::Event;
use super::routes::Shared;
use super::server::{Bounds, run};
use crate::agent::{Clock, Command, CommandError, Handle, Outcome, Request, outcome};

/// The instance of the member with the socket: the origin of its cursors.
pub(super) const ORIGIN: u64 = 1_767_322_645_123_456;

/// A member with a local socket, and its peers.
pub(super) struct World {
    pub(super) handle: Handle,
    pub(super) path: PathBuf,
    pub(super) access: Access,
    pub(super) bounds: Bounds,
    http: RefCell<Option<HttpListener>>,
    net: RefCell<Net>,
    requests: Receiver<Request>,
    asked: RefCell<VecDeque<Request>>,
    /// Who waits to hear who has which key.
    keying: RefCell<BTreeMap<Ticket, Sender<Result<Outcome, CommandError>>>>,
    _folder: TempDir,
}

#[derive(Default)]
struct Net {
    /// Peers; the member with the socket is number 0 and not among them.
    peers: Vec<Node>,
    /// Streams by the end at hand, with the other end.
    links: BTreeMap<(usize, StreamId), (usize, StreamId)>,
    deliveries: VecDeque<Delivery>,
    stopped: bool,
}

enum Delivery {
    Datagram {
        from: usize,
        to: SocketAddr,
        bytes: Vec<u8>,
    },
    Action {
        of: usize,
        action: Action,
    },
}

/// A key that is known by its number.
pub(super) fn key(number: u8) -> Key {
    Key::new([number; 32])
}

/// Where member `number` listens.
pub(super) fn addr(number: usize) -> SocketAddr {
    let port = 7000 + u16::try_from(number).expect("few members");
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

fn node(number: usize, tags: &[(&str, &str)], now: Time) -> Node {
    let identity = Identity {
        cluster: Name::new("test").expect("a valid name"),
        name: Name::new(&format!("n{number}")).expect("a valid name"),
        addr: addr(number),
        instance: Instance(ORIGIN + number as u64),
        tags: Tags::new(tags.iter().copied()).expect("valid tags"),
    };
    Node::new(
        Config::local(),
        identity,
        Memory::never_votes(),
        number as u64,
        now,
    )
    .expect("a valid preset")
}

impl World {
    /// A member `n0` alone, whose log keeps `capacity` events.
    pub(super) fn new(capacity: usize) -> World {
        let clock = Clock::start();
        let folder = TempDir::new().expect("a temporary folder");
        let log = Rc::new(RefCell::new(EventLog::new(ORIGIN, capacity)));
        let node = node(0, &[("zone", "west")], clock.now());
        let (handle, requests) = Handle::new(node, log, clock);
        let world = World {
            handle,
            path: folder.path().join("s.sock"),
            access: Access::default(),
            bounds: Bounds::default(),
            http: RefCell::default(),
            net: RefCell::default(),
            requests,
            asked: RefCell::default(),
            keying: RefCell::default(),
            _folder: folder,
        };
        world.drain(0);
        world
    }

    /// Serves a TCP address too, from the next run on.
    pub(super) fn open_http(&self, hosts: &[&str]) -> SocketAddr {
        let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
        let listener = bind_http((Ipv4Addr::LOCALHOST, 0).into(), &hosts).expect("a free port");
        let addr = listener.addr();
        *self.http.borrow_mut() = Some(listener);
        addr
    }

    /// Adds the next member, `n1` and so on, which joins through `n0`.
    pub(super) fn add_peer(&self, tags: &[(&str, &str)]) {
        let now = self.handle.clock().now();
        let number = self.net.borrow().peers.len() + 1;
        self.net.borrow_mut().peers.push(node(number, tags, now));
        self.call(number, |node, now| {
            node.join(&[addr(0).to_string()], now)
                .expect("a valid seed");
        });
        self.settle();
    }

    /// Gives these keys to the member with the socket (0) or to a peer; they are known by numbers.
    pub(super) fn set_keys(&self, number: usize, keys: &[u8], plaintext: Plaintext) {
        let keys = keys.iter().map(|number| (key(*number), None)).collect();
        let ring = Keyring::new(1, keys).expect("a ring");
        self.call(number, |node, now| {
            node.set_keys(Some(ring), plaintext, now)
        });
        self.settle();
    }

    /// Has a peer say goodbye, which waits for what it has just said of its apps.
    pub(super) fn peer_leaves(&self, number: usize) {
        let name = format!("n{number}");
        let has_left = |node: &Node| {
            let member = node.member(&name);
            member.is_none_or(|member| member.state == State::Left)
        };
        self.call(number, |node, now| node.leave(now));
        self.settle();
        let began = self.handle.clock().now();
        while !self.handle.read(has_left) {
            let waited = self.handle.clock().now().since(began);
            assert!(waited < Duration::from_secs(10), "{name} says no goodbye");
            std::thread::yield_now();
            self.call(number, |node, now| node.handle_timeout(now));
            self.settle();
        }
    }

    /// An app begins to live beside a peer.
    pub(super) fn peer_attaches(&self, number: usize, app: &str) {
        let attached = self.call(number, |node, now| node.attach(app, now));
        attached.expect("there is room");
        self.call(number, |node, now| node.handle_timeout(now));
        self.settle();
    }

    /// Publishes `count` events that happened to nobody but `n0`.
    pub(super) fn publish(&self, count: usize) {
        let event = self.some_event();
        for _ in 0..count {
            self.handle.log().borrow_mut().publish(event.clone());
        }
    }

    /// An event about `n0`.
    pub(super) fn some_event(&self) -> Event {
        let clock = self.handle.clock();
        let event = muster_swim::Event {
            time: clock.now(),
            member: self.handle.read(Node::me),
            kind: muster_swim::EventKind::Updated,
            view: View(0),
            epoch: Epoch(0),
        };
        Event::new(&event, clock)
    }

    /// Serves the socket and carries out commands while `client` runs, all on this thread.
    pub(super) fn run<T>(&self, client: impl AsyncFnOnce(&LocalExecutor<'_>) -> T) -> T {
        let (_keep, stop) = bounded::<()>(1);
        self.run_until(client, stop)
    }

    /// The same; the server stops when `stop` is closed or gets something.
    pub(super) fn run_until<T>(
        &self,
        client: impl AsyncFnOnce(&LocalExecutor<'_>) -> T,
        stop: Receiver<()>,
    ) -> T {
        let listener = super::bind(&self.path, &self.access).expect("a free path");
        let shared = Shared::new(self.handle.clone(), self.access.clone());
        let http = self.http.borrow_mut().take();
        let executor = LocalExecutor::new();
        let server = async {
            let stopped = async {
                let _sent_or_closed = stop.recv().await;
            };
            run(listener, http, shared, self.bounds, stopped).await;
            std::future::pending().await
        };
        let commands = async { or(self.carry_out(), self.lose()).await };
        let client = async { client(&executor).await };
        smol::block_on(executor.run(or(or(client, server), commands)))
    }

    /// What the agent's loop does with commands.
    async fn carry_out<T>(&self) -> T {
        while let Ok(request) = self.requests.recv().await {
            if is_question(&request.command) {
                self.asked.borrow_mut().push_back(request);
                continue;
            }
            if let Command::Keys(command) = request.command {
                let change = command.with_grace(Duration::from_secs(3600));
                let ticket = self.call(0, |node, now| node.change_keys(change, now));
                self.keying.borrow_mut().insert(ticket, request.answer);
                self.settle();
                continue;
            }
            let result = self.apply(request.command);
            self.settle();
            // Nobody waits any longer when the client went away.
            let _ = request.answer.try_send(result);
        }
        std::future::pending().await
    }

    /// What it does with apps that nobody holds any more.
    async fn lose<T>(&self) -> T {
        let lost = self.handle.lost();
        while let Ok(lost) = lost.recv().await {
            lost.apply(&self.handle, self.handle.clock().now());
            self.drain(0);
            self.settle();
        }
        std::future::pending().await
    }

    fn apply(&self, command: Command) -> Result<Outcome, CommandError> {
        if self.net.borrow().stopped {
            return Err(CommandError::Stopping);
        }
        match command {
            Command::SetTag { key, value } => {
                self.call(0, |node, now| node.set_tag(&key, &value, now))?;
            }
            Command::RemoveTag { key } => {
                if !self.call(0, |node, now| node.remove_tag(&key, now)) {
                    return Err(CommandError::NoSuchTag(key));
                }
            }
            Command::App(command) => {
                let outcome = command.apply(&self.handle, self.handle.clock().now());
                self.drain(0);
                return outcome;
            }
            Command::Join { seeds } => self.call(0, |node, now| node.join(&seeds, now))?,
            Command::Leave => {
                self.call(0, |node, now| node.leave(now));
                self.settle();
                // It waits for what it has just said of its apps.
                let began = self.handle.clock().now();
                while !self.net.borrow().stopped {
                    let waited = self.handle.clock().now().since(began);
                    assert!(waited < Duration::from_secs(10), "it says no goodbye");
                    std::thread::yield_now();
                    self.call(0, |node, now| node.handle_timeout(now));
                    self.settle();
                }
            }
            Command::ConfirmView
            | Command::Remove { .. }
            | Command::Recover { .. }
            | Command::Keys(_) => {
                unreachable!("they are answered later, some by the test")
            }
        }
        Ok(Outcome::Done)
    }

    /// The next question to the coordinator, once one came; the test answers it.
    pub(super) async fn question(&self) -> Request {
        within("a question", async {
            loop {
                if let Some(request) = self.asked.borrow_mut().pop_front() {
                    return request;
                }
                yield_now().await;
            }
        })
        .await
    }

    /// What came of a request that asks the coordinator, which gives this answer; and what it was
    /// asked.
    pub(super) async fn answered(
        &self,
        request: impl Future<Output = Reply>,
        answer: Result<Outcome, CommandError>,
    ) -> (Reply, Command) {
        let coordinator = async {
            let Request {
                command,
                answer: place,
            } = self.question().await;
            place.try_send(answer).expect("somebody waits for it");
            command
        };
        zip(request, coordinator).await
    }

    /// Calls member `number` and drains it.
    fn call<T>(&self, number: usize, f: impl FnOnce(&mut Node, Time) -> T) -> T {
        let now = self.handle.clock().now();
        let result = match number.checked_sub(1) {
            None => self.handle.change(|node| f(node, now)),
            Some(peer) => f(&mut self.net.borrow_mut().peers[peer], now),
        };
        self.drain(number);
        result
    }

    fn drain(&self, number: usize) {
        let mut net = self.net.borrow_mut();
        let Net {
            peers, deliveries, ..
        } = &mut *net;
        let mut drain = |node: &mut Node| {
            let mut bytes = Vec::new();
            while let Some(to) = node.poll_transmit(&mut bytes) {
                deliveries.push_back(Delivery::Datagram {
                    from: number,
                    to,
                    bytes: bytes.clone(),
                });
            }
            while let Some(action) = node.poll_action() {
                deliveries.push_back(Delivery::Action { of: number, action });
            }
            while let Some(event) = node.poll_event() {
                if number == 0 {
                    let event = Event::new(&event, self.handle.clock());
                    self.handle.log().borrow_mut().publish(event);
                }
            }
        };
        match number.checked_sub(1) {
            None => {
                self.handle.change(drain);
                self.handle.look_around();
            }
            Some(peer) => drain(&mut peers[peer]),
        }
    }

    /// Delivers until nothing is under way.
    fn settle(&self) {
        loop {
            let Some(delivery) = self.net.borrow_mut().deliveries.pop_front() else {
                return;
            };
            match delivery {
                Delivery::Datagram { from, to, bytes } => {
                    if let Some(to) = self.number_at(to) {
                        self.call(to, |node, now| {
                            node.handle_datagram(addr(from), &bytes, now)
                        });
                    }
                }
                Delivery::Action { of, action } => self.act(of, action),
            }
        }
    }

    fn act(&self, of: usize, action: Action) {
        let other_end = |stream| self.net.borrow().links.get(&(of, stream)).copied();
        match action {
            Action::Connect { stream, to } => {
                let accepted = self.number_at(to).and_then(|to| {
                    let accept = |node: &mut Node, now| node.handle_stream_accepted(addr(of), now);
                    Some((to, self.call(to, accept)?))
                });
                let Some(other) = accepted else {
                    let refuse = |node: &mut Node, now| {
                        node.handle_stream_closed(stream, StreamEnd::Refused, now);
                    };
                    return self.call(of, refuse);
                };
                let ends = [((of, stream), other), (other, (of, stream))];
                self.net.borrow_mut().links.extend(ends);
                self.call(of, |node, now| node.handle_stream_connected(stream, now));
            }
            Action::Send { stream, bytes } => {
                if let Some((to, stream)) = other_end(stream) {
                    self.call(to, |node, now| node.handle_stream_data(stream, &bytes, now));
                }
            }
            Action::Close { stream } => {
                if let Some((to, other)) = other_end(stream) {
                    self.net.borrow_mut().links.remove(&(of, stream));
                    let close = |node: &mut Node, now| {
                        node.handle_stream_closed(other, StreamEnd::Closed, now);
                    };
                    self.call(to, close);
                }
            }
            Action::Resolve { seed } => {
                let addresses: Vec<SocketAddr> = seed.parse().into_iter().collect();
                self.call(of, |node, now| node.handle_resolved(&seed, &addresses, now));
            }
            Action::KeepKeys { ticket, .. } => {
                self.call(of, |node, now| node.handle_keys_kept(ticket, true, now));
            }
            Action::Answered { ticket, answer } => {
                if let Some(place) = self.keying.borrow_mut().remove(&ticket) {
                    place.try_send(outcome(answer)).expect("somebody waits");
                }
            }
            Action::Save { .. } => {}
            Action::Stopped(Stop::Left | Stop::NameTaken { .. }) => {
                self.net.borrow_mut().stopped |= of == 0;
            }
        }
    }

    fn number_at(&self, to: SocketAddr) -> Option<usize> {
        (0..=self.net.borrow().peers.len()).find(|number| addr(*number) == to)
    }
}

/// Whether the coordinator answers it.
fn is_question(command: &Command) -> bool {
    match command {
        Command::ConfirmView | Command::Remove { .. } | Command::Recover { .. } => true,
        Command::SetTag { .. }
        | Command::RemoveTag { .. }
        | Command::App(_)
        | Command::Keys(_)
        | Command::Join { .. }
        | Command::Leave => false,
    }
}

/// A switch that stops a server.
pub(super) fn stopper() -> (Sender<()>, Receiver<()>) {
    bounded(1)
}
