//! One connection whose bytes are the input: all that the server does for one is done for it.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context as Poller, Poll, Wake, Waker};

use muster_swim::{
    AskError, Config, Identity, Instance, KeyRefusal, Memory, Name, Node, Tags, View, VoterKey,
};
use smol::channel::{Receiver, bounded};
use smol::io::{AsyncRead, AsyncWrite};

use super::access::{Access, Peer};
use super::door::{Caller, Door, DoorName};
use super::events::EventLog;
use super::model::Event;
use super::routes::{Context, Shared};
use super::server::{Bounds, serve};
use crate::agent::{Clock, Command, CommandError, Handle, KeyCommand, Outcome, Request};

/// Events that the log keeps: few, so that cursors point before them too.
const EVENTS: usize = 4;

/// Turns of one connection.
const TURNS: usize = 2_000;

/// Users of the tests: one may change things, one only reads, one may not even read.
const CHANGES: u32 = 1001;
const READS: u32 = 1002;
const NEITHER: u32 = 1003;

/// What the first byte of an input says: who asks.
fn caller(byte: u8) -> (Caller, DoorName) {
    let uid = match byte % 4 {
        0 => CHANGES,
        1 => READS,
        2 => NEITHER,
        _ => {
            let from = SocketAddr::from((Ipv4Addr::LOCALHOST, 4711));
            return (Caller::Remote(from), DoorName::Http);
        }
    };
    let (pid, gid) = (0, uid);
    (Caller::Local(Peer { pid, uid, gid }), DoorName::Socket)
}

/// A member alone, which is a cluster by itself.
struct Member {
    handle: Handle,
    requests: Receiver<Request>,
}

/// Serves one connection: its first byte says who asks, the second in which pieces the rest comes.
pub(crate) fn connection(input: &[u8]) {
    let [who, piece, rest @ ..] = input else {
        return;
    };
    let (caller, door) = caller(*who);
    let member = Member::new();
    let context = Rc::new(member.context(door));
    let line = Line {
        caller,
        input: rest.to_vec(),
        piece: usize::from(*piece).max(1),
        state: Rc::default(),
    };
    let state = line.state.clone();
    let (_keep, stopped) = bounded(1);
    let serving = serve::<Hatch>(line, context.clone(), Bounds::default(), stopped);
    let asked = member.run(serving, &state);
    let output = state.output.borrow();
    assert!(!output.starts_with(b"HTTP/1.1 500"), "nobody fails");
    let [fine, ..] = &context.traffic().answers;
    let uid = caller.peer().map(|peer| peer.uid);
    if uid != Some(CHANGES) {
        assert!(!asked.changed, "{caller:?} may not change things");
    }
    if uid == Some(NEITHER) {
        assert_eq!(fine.get(), 0, "{caller:?} may not read");
    }
}

/// What the loop was asked for.
#[derive(Default)]
struct Asked {
    changed: bool,
}

impl Member {
    fn new() -> Member {
        let clock = Clock::start();
        let name = |text| Name::new(text).expect("a valid name");
        let identity = Identity {
            cluster: name("muster"),
            name: name("n0"),
            addr: SocketAddr::from((Ipv4Addr::LOCALHOST, 7946)),
            instance: Instance(1_767_322_645_123_456),
            tags: Tags::new([("zone", "west")]).expect("a valid tag"),
        };
        let log = Rc::new(RefCell::new(EventLog::new(identity.instance.0, EVENTS)));
        let memory = Memory::volatile(VoterKey::from_seed(&[1; 32]));
        let node = Node::new(Config::local(), identity, memory, 1, clock.now());
        let node = node.expect("settings within their ranges");
        let (handle, requests) = Handle::new(node, log, clock);
        let member = Member { handle, requests };
        for number in 0..2 * EVENTS {
            let now = member.handle.clock().now();
            let value = number.to_string();
            let set = |node: &mut Node| node.set_tag("n", &value, now);
            member.handle.change(set).expect("a valid tag");
            member.drain();
            member.handle.change(|node| node.handle_timeout(now));
            member.drain();
        }
        member
    }

    fn context(&self, door: DoorName) -> Context {
        let access = Access {
            allow_users: vec![CHANGES.to_string()],
            read_users: vec![READS.to_string()],
            ..Access::default()
        };
        let bounds = Bounds::default();
        Context {
            shared: Rc::new(Shared::new(self.handle.clone(), access)),
            door,
            hosts: vec!["muster.example".to_owned()],
            keep_alive: bounds.keep_alive,
            body_timeout: bounds.body_timeout,
            waiting: Rc::default(),
            waiting_most: bounds.waiting,
        }
    }

    /// What the agent does after each call of the node.
    fn drain(&self) {
        let mut buffer = Vec::new();
        self.handle.change(|node| {
            while node.poll_transmit(&mut buffer).is_some() {}
            while node.poll_action().is_some() {}
        });
        while let Some(event) = self.handle.change(Node::poll_event) {
            let event = Event::new(&event, self.handle.clock());
            self.handle.log().borrow_mut().publish(event);
        }
        self.handle.look_around();
    }

    /// Has the connection served until nothing more comes of it, then the other end is gone.
    fn run(&self, serving: impl Future<Output = ()>, state: &State) -> Asked {
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        let waker = Waker::from(woken.clone());
        let mut poller = Poller::from_waker(&waker);
        let (mut serving, mut asked) = (pin!(serving), Asked::default());
        for _ in 0..TURNS {
            let moved = state.moved();
            if serving.as_mut().poll(&mut poller).is_ready() {
                break;
            }
            let carried_out = self.carry_out(&mut asked);
            let goes_on = woken.0.swap(false, Ordering::Relaxed) || state.moved() != moved;
            if !carried_out && !goes_on && state.ended.replace(true) {
                break;
            }
        }
        asked
    }

    /// What the agent's loop does with commands, as far as one member can; whether there were any.
    fn carry_out(&self, asked: &mut Asked) -> bool {
        let mut any = false;
        while let Ok(Request { command, answer }) = self.requests.try_recv() {
            any = true;
            let reads = [Command::ConfirmView, Command::Keys(KeyCommand::Look)];
            asked.changed |= !reads.contains(&command);
            let _ = answer.try_send(self.apply(command));
            self.drain();
        }
        while let Ok(lost) = self.handle.lost().try_recv() {
            lost.apply(&self.handle, self.handle.clock().now());
            self.drain();
        }
        any
    }

    fn apply(&self, command: Command) -> Result<Outcome, CommandError> {
        let (handle, now) = (&self.handle, self.handle.clock().now());
        match command {
            Command::SetTag { key, value } => {
                handle.change(|node| node.set_tag(&key, &value, now))?;
            }
            Command::RemoveTag { key } => {
                if !handle.change(|node| node.remove_tag(&key, now)) {
                    return Err(CommandError::NoSuchTag(key));
                }
            }
            Command::Join { seeds } => handle.change(|node| node.join(&seeds, now))?,
            Command::App(command) => return command.apply(handle, now),
            Command::Recover { survivors } => {
                handle.change(|node| node.recover(&survivors, now))?;
            }
            Command::ConfirmView => return Ok(Outcome::View(View(1))),
            Command::Remove { name, .. } => return Err(AskError::NoSuchMember(name).into()),
            Command::Keys(_) => return Err(KeyRefusal::NoKeys.into()),
            Command::Leave => return Err(CommandError::Stopping),
        }
        Ok(Outcome::Done)
    }
}

/// Tells whether a future wants to be polled again.
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Woken>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Nobody knocks here: its connections are made.
struct Hatch;

/// A connection in memory.
pub(super) struct Line {
    caller: Caller,
    input: Vec<u8>,
    piece: usize,
    state: Rc<State>,
}

/// How far it is.
#[derive(Default)]
struct State {
    read: Cell<usize>,
    output: RefCell<Vec<u8>>,
    /// Whether nothing more is to come.
    ended: Cell<bool>,
}

impl State {
    fn moved(&self) -> (usize, usize) {
        (self.read.get(), self.output.borrow().len())
    }
}

impl Door for Hatch {
    type Stream = Line;
    const NAME: DoorName = DoorName::Socket;

    async fn accept(&self) -> io::Result<Line> {
        std::future::pending().await
    }

    fn caller(stream: &Line) -> io::Result<Caller> {
        Ok(stream.caller)
    }
}

impl AsyncRead for Line {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Poller<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let rest = &self.input[self.state.read.get()..];
        let count = rest.len().min(self.piece).min(buffer.len());
        if count == 0 && !self.state.ended.get() {
            return Poll::Pending;
        }
        buffer[..count].copy_from_slice(&rest[..count]);
        self.state.read.set(self.state.read.get() + count);
        Poll::Ready(Ok(count))
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Poller<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.state.output.borrow_mut().extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Poller<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Poller<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
