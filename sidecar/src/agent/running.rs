//! The loop: wait for one thing, apply it, drain what the node has to say.

mod reload;

use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use muster_swim::{
    Action, Lifecycle, Name, Node, SaveTicket, Stop, StreamId, Ticket, Time, Write, limits,
};
use smol::channel::{Receiver, Sender, bounded};
use smol::{LocalExecutor, Task};

use super::apps::Lost;
use super::handle::{Command, CommandError, Handle, Outcome, Request, outcome};
use super::input::{self, INPUTS, Input, Resolver, poll_channel};
use super::keys::{Errand, Keeper};
use super::memory::{Store, Writer};
use super::process::Signal;
use super::report::{self, SeedWatch, SendWatch, StrangerWatch};
use super::sockets::{BATCH, Batch, Datagrams, Sockets};
use super::streams::{StreamInput, Streams};
use super::{AgentError, hold};
use crate::api::model;
use crate::log::Log;
use crate::settings::Settings;
use reload::Reload;

/// Datagrams taken in one turn before everything else is looked at again.
const DATAGRAMS: usize = 64;

/// Questions to the coordinator that may be open; the core answers each within seconds.
const QUESTIONS: usize = 256;

/// The sources that `select` looks at, beside the timer.
const SOURCES: usize = 5;

type Answer = Sender<Result<Outcome, CommandError>>;

/// The agent at work.
pub(super) struct Running {
    handle: Handle,
    datagrams: Datagrams,
    received: Batch,
    transmit: Vec<u8>,
    streams: Streams,
    resolver: Resolver,
    seeds: SeedWatch,
    sending: SendWatch,
    strangers: StrangerWatch,
    requests: Pin<Box<Receiver<Request>>>,
    lost: Pin<Box<Receiver<Lost>>>,
    signals: Pin<Box<Receiver<Signal>>>,
    inputs: Pin<Box<Receiver<Input>>>,
    /// The source that is looked at first, so that none starves.
    first_source: usize,
    deadline: Option<Time>,
    last_was_timeout: bool,
    /// What saves; none without a data directory.
    memory: Option<Writer>,
    memory_failed: bool,
    /// Reads and writes the key file.
    keeper: Sender<Errand>,
    reload: Reload,
    /// Saves that found no room on their way to the disk.
    unsaved: VecDeque<SaveTicket>,
    /// Who waits for an answer of the core.
    asked: BTreeMap<Ticket, Answer>,
    /// Who waits for the goodbye to be through.
    leaving: Vec<Answer>,
    stop: Option<Stop>,
    second_signal: Option<Signal>,
    at_start: Settings,
    current: Settings,
    log: Option<Log>,
    _accepting: Task<()>,
}

impl Running {
    #[allow(
        clippy::too_many_arguments,
        reason = "each is made elsewhere, and a struct for one call would say no more"
    )]
    pub(super) fn new(
        settings: Settings,
        handle: Handle,
        executor: Rc<LocalExecutor<'static>>,
        sockets: Sockets,
        store: Option<Store>,
        requests: Receiver<Request>,
        signals: Receiver<Signal>,
        log: Option<Log>,
        keeper: Keeper,
    ) -> Result<Running, AgentError> {
        let (sender, inputs) = bounded(INPUTS);
        let memory = store.map(|store| Writer::start(store, sender.clone()));
        let memory = memory.transpose().map_err(|error| AgentError::System {
            what: "start the thread that saves",
            error,
        })?;
        if let Some(memory) = &memory {
            handle.show_store(memory.figures());
        }
        let lost = handle.lost();
        let reload = Reload::new(&keeper);
        let keeper = keeper.start(&executor, sender.clone(), handle.clock());
        let accepting = executor.spawn(input::accept(sockets.listener, sender.clone()));
        Ok(Running {
            handle,
            datagrams: sockets.datagrams,
            received: Batch::new(),
            transmit: Vec::with_capacity(limits::DATAGRAM_BYTES),
            streams: Streams::new(Rc::clone(&executor), sender.clone()),
            resolver: Resolver::new(Rc::clone(&executor), sender.clone()),
            seeds: SeedWatch::default(),
            sending: SendWatch::default(),
            strangers: StrangerWatch::default(),
            keeper,
            reload,
            requests: Box::pin(requests),
            lost: Box::pin(lost),
            signals: Box::pin(signals),
            inputs: Box::pin(inputs),
            first_source: 0,
            deadline: None,
            last_was_timeout: false,
            memory,
            memory_failed: false,
            unsaved: VecDeque::new(),
            asked: BTreeMap::new(),
            leaving: Vec::new(),
            stop: None,
            second_signal: None,
            at_start: settings.clone(),
            current: settings,
            log,
            _accepting: accepting,
        })
    }

    /// Runs until the node has stopped or a second signal came, and all is saved. `missed` is a
    /// signal that came before there was a node, `early` what the node wanted done before it joins.
    pub(super) async fn run(
        mut self,
        missed: Option<Signal>,
        early: Vec<Action>,
    ) -> Result<(), AgentError> {
        let result = self.run_until_end(missed, early).await;
        // Nobody takes them any more, and the thread that saves must not wait for it.
        self.inputs.close();
        if let Some(memory) = self.memory.take() {
            memory.close().await;
        }
        result
    }

    async fn run_until_end(
        &mut self,
        missed: Option<Signal>,
        early: Vec<Action>,
    ) -> Result<(), AgentError> {
        for action in early {
            self.execute(action);
        }
        // A voter may have something to save or to tell as soon as it remembers.
        self.drain();
        let (seeds, now) = (self.at_start.seeds.clone(), self.handle.clock().now());
        let joined = self.handle.change(|node| node.join(&seeds, now));
        joined.map_err(AgentError::Seed)?;
        self.drain();
        if let Some(signal) = missed {
            self.apply(Input::Signal(signal));
            self.drain();
        }
        loop {
            if let Some(stop) = self.stop.take() {
                return self.end(stop);
            }
            if let Some(signal) = self.second_signal {
                let (signal, code) = (signal.as_str(), signal.exit_code());
                return Err(AgentError::Interrupted { signal, code });
            }
            let input = self.select().await;
            self.apply(input);
            self.drain();
        }
    }

    /// Waits for whatever comes first. All waiting of the agent is here.
    ///
    /// A timer that is due goes ahead of what queued up meanwhile: after a pause the node must
    /// learn how late it is before it judges by what others sent. Never twice in a row, though,
    /// while anything else waits.
    async fn select(&mut self) -> Input {
        let input = poll_fn(|context| {
            let is_due = self.is_due();
            if is_due && !self.last_was_timeout {
                return Poll::Ready(Input::Timeout);
            }
            for step in 0..SOURCES {
                let source = (self.first_source + step) % SOURCES;
                if let Poll::Ready(input) = self.poll_source(source, context) {
                    self.first_source = source + 1;
                    return Poll::Ready(input);
                }
            }
            if is_due {
                Poll::Ready(Input::Timeout)
            } else {
                Poll::Pending
            }
        })
        .await;
        self.last_was_timeout = matches!(input, Input::Timeout);
        input
    }

    /// Whether the deadline has come; else it wakes us.
    fn is_due(&self) -> bool {
        let deadline = self.deadline;
        deadline.is_some_and(|deadline| self.handle.clock().now() >= deadline)
    }

    fn poll_source(&mut self, source: usize, context: &mut Context<'_>) -> Poll<Input> {
        match source {
            0 => self
                .datagrams
                .poll_readable(context)
                .map(|()| Input::Datagrams),
            1 => poll_channel(&mut self.inputs, context),
            2 => poll_channel(&mut self.requests, context).map(Input::Request),
            3 => poll_channel(&mut self.lost, context).map(Input::Lost),
            _ => poll_channel(&mut self.signals, context).map(Input::Signal),
        }
    }

    /// Applies one input to the node. All changes of the agent are here.
    fn apply(&mut self, input: Input) {
        let now = self.handle.clock().now();
        match input {
            Input::Timeout => {
                // It has fired: whatever the next deadline is, the timer is to be set for it.
                self.deadline = None;
                self.handle.change(|node| node.handle_timeout(now));
                self.watch_seeds();
            }
            Input::Datagrams => self.receive(),
            Input::Request(request) => self.on_request(request, now),
            Input::Lost(lost) => lost.apply(&self.handle, now),
            Input::Signal(signal) => self.on_signal(signal, now),
            Input::Accepted(stream, from) => {
                let id = self
                    .handle
                    .change(|node| node.handle_stream_accepted(from, now));
                if let Some(id) = id {
                    self.streams.adopt(id, stream, from);
                }
            }
            Input::Stream(id, input) => self.on_stream(id, input, now),
            Input::Resolved(seed, addresses) => {
                self.resolver.finish(&seed);
                self.handle
                    .change(|node| node.handle_resolved(&seed, &addresses, now));
                self.watch_seeds();
            }
            Input::Saved(ticket, outcome) => self.on_saved(ticket, outcome, now),
            Input::KeysKept(ticket, done) => self
                .handle
                .change(|node| node.handle_keys_kept(ticket, done, now)),
            Input::Loaded(settings, taken) => self.on_loaded(*settings, taken, now),
        }
    }

    fn on_saved(&mut self, ticket: SaveTicket, outcome: Result<(), String>, now: Time) {
        let done = outcome.is_ok();
        if let Err(error) = outcome
            && !std::mem::replace(&mut self.memory_failed, true)
        {
            report::memory_failed(&error);
        }
        self.handle
            .change(|node| node.handle_saved(ticket, done, now));
    }

    /// Takes what is there, up to a bound, each with the time at which it is handled.
    fn receive(&mut self) {
        if self.datagrams.take_trouble() {
            self.take_refusals();
        }
        for _ in 0..DATAGRAMS / BATCH {
            match self.datagrams.receive(&mut self.received) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // The kernel reports what earlier datagrams met; the next one is not concerned.
                Err(error) => tracing::trace!(%error, "receive-failed"),
            }
            for at in 0..self.received.len() {
                let now = self.handle.clock().now();
                if let Some((datagram, from)) = self.received.get(at) {
                    self.handle
                        .change(|node| node.handle_datagram(from, datagram, now));
                    self.watch_strangers(Some(from), now);
                }
                self.drain();
            }
            if (1..BATCH).contains(&self.received.len()) {
                return;
            }
        }
    }

    /// The socket stays readable until its error queue is empty.
    fn take_refusals(&mut self) {
        for _ in 0..DATAGRAMS {
            match self.datagrams.take_refusal() {
                Ok(Some(at)) => {
                    let now = self.handle.clock().now();
                    self.handle.change(|node| node.handle_refused(at, now));
                    self.drain();
                }
                Ok(None) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
    }

    fn on_stream(&mut self, id: StreamId, input: StreamInput, now: Time) {
        match input {
            StreamInput::Connected => {
                self.handle
                    .change(|node| node.handle_stream_connected(id, now));
            }
            StreamInput::Data(chunk) => {
                self.handle
                    .change(|node| node.handle_stream_data(id, &chunk.bytes, now));
                self.watch_strangers(self.streams.opener(id), now);
            }
            StreamInput::Closed(end) => {
                self.streams.close(id);
                self.handle
                    .change(|node| node.handle_stream_closed(id, end, now));
                self.watch_seeds();
            }
        }
    }

    fn on_request(&mut self, Request { command, answer }: Request, now: Time) {
        let result = match self.handle.read(|node| node.lifecycle()) {
            Lifecycle::Joining | Lifecycle::Member => match command {
                Command::Leave => return self.leave(answer, now),
                Command::ConfirmView => {
                    return self.ask(answer, |node| node.confirm_view(now));
                }
                Command::Remove { name, force } => {
                    return self.ask(answer, |node| node.remove(&name, force, now));
                }
                Command::Keys(command) => {
                    let change = command.with_grace(self.current.key_grace);
                    return self.ask(answer, |node| node.change_keys(change, now));
                }
                Command::App(command) => {
                    // Whoever asks may have just let go of the same name.
                    while let Ok(lost) = self.lost.try_recv() {
                        lost.apply(&self.handle, now);
                        self.drain_once();
                    }
                    return reply(&answer, command.apply(&self.handle, now));
                }
                Command::SetTag { key, value } => self
                    .handle
                    .change(|node| node.set_tag(&key, &value, now))
                    .map_err(CommandError::Tag),
                Command::RemoveTag { key } => {
                    let removed = self.handle.change(|node| node.remove_tag(&key, now));
                    if removed {
                        Ok(())
                    } else {
                        Err(CommandError::NoSuchTag(key))
                    }
                }
                Command::Join { seeds } => self
                    .handle
                    .change(|node| node.join(&seeds, now))
                    .map_err(CommandError::Seed),
                Command::Recover { survivors } => self.recover(&survivors, now),
            },
            Lifecycle::Leaving if command == Command::Leave => return self.leaving.push(answer),
            Lifecycle::Leaving | Lifecycle::Left | Lifecycle::Removed => {
                Err(CommandError::Stopping)
            }
        };
        reply(&answer, result.map(|()| Outcome::Done));
    }

    /// Asks the core what it answers later.
    fn ask(&mut self, answer: Answer, question: impl FnOnce(&mut Node) -> Ticket) {
        if self.asked.len() >= QUESTIONS {
            return reply(&answer, Err(CommandError::Busy));
        }
        let ticket = self.handle.change(question);
        self.asked.insert(ticket, answer);
    }

    /// Loud: what a minority decides by itself must be found in the logs of whoever looks later.
    fn recover(&mut self, survivors: &[Name], now: Time) -> Result<(), CommandError> {
        let names: Vec<&str> = survivors.iter().map(Name::as_str).collect();
        let survivors_text = names.join(",");
        let recovered = self.handle.change(|node| node.recover(survivors, now));
        match &recovered {
            Ok(()) => tracing::warn!(survivors = survivors_text, "quorum-recovered-by-operator"),
            Err(error) => tracing::warn!(survivors = survivors_text, %error, "recover-refused"),
        }
        Ok(recovered?)
    }

    fn leave(&mut self, answer: Answer, now: Time) {
        report::leaving("command", None, self.log.is_some());
        self.leaving.push(answer);
        self.handle.change(|node| node.leave(now));
    }

    fn on_signal(&mut self, signal: Signal, now: Time) {
        match signal {
            Signal::Reload => self.reload(),
            Signal::Terminate | Signal::Interrupt | Signal::Leave => {
                match self.handle.read(|node| node.lifecycle()) {
                    Lifecycle::Joining | Lifecycle::Member => {
                        report::leaving(signal.as_str(), None, self.log.is_some());
                        self.handle.change(|node| node.leave(now));
                    }
                    Lifecycle::Leaving | Lifecycle::Left if signal == Signal::Leave => {}
                    Lifecycle::Leaving | Lifecycle::Left | Lifecycle::Removed => {
                        self.second_signal = Some(signal);
                    }
                }
            }
        }
    }

    fn watch_strangers(&mut self, from: Option<SocketAddr>, now: Time) {
        let strangers = &mut self.strangers;
        self.handle
            .read(|node| strangers.look(&node.stats().dropped, from, now));
    }

    fn watch_seeds(&mut self) {
        self.handle.read(|node| self.seeds.look(node.seed_errors()));
    }

    /// Takes everything the node has to say: the draining rule of [`muster_swim::Node`].
    fn drain(&mut self) {
        self.drain_once();
        while let Some(ticket) = self.unsaved.pop_front() {
            let now = self.handle.clock().now();
            let why = "the disk did not keep up: too many saves wait for it".to_owned();
            self.on_saved(ticket, Err(why), now);
            self.drain_once();
        }
        self.leave_with_app();
        self.handle.look_around();
        self.arm();
    }

    /// The member leaves when the app that it requires has ended.
    fn leave_with_app(&mut self) {
        let Some(app) = &self.at_start.require else {
            return;
        };
        let stays = self.handle.read(|node| match node.lifecycle() {
            Lifecycle::Joining | Lifecycle::Member => hold::runs(node, app),
            Lifecycle::Leaving | Lifecycle::Left | Lifecycle::Removed => true,
        });
        if !stays {
            report::leaving("app-down", Some(app), self.log.is_some());
            let now = self.handle.clock().now();
            self.handle.change(|node| node.leave(now));
            self.drain_once();
        }
    }

    fn drain_once(&mut self) {
        while let Some(to) = self
            .handle
            .change(|node| node.poll_transmit(&mut self.transmit))
        {
            // A datagram may be lost anywhere: to the node the first place makes no difference.
            if let Err(error) = self.datagrams.send(&self.transmit, to) {
                self.sending.failed(to, &error);
            }
        }
        while let Some(action) = self.handle.change(|node| node.poll_action()) {
            self.execute(action);
        }
        while let Some(event) = self.handle.change(|node| node.poll_event()) {
            let event = model::Event::new(&event, self.handle.clock());
            report::event(self.handle.log().borrow_mut().publish(event));
        }
    }

    fn execute(&mut self, action: Action) {
        match action {
            Action::Connect { stream, to } => self.streams.connect(stream, to),
            Action::Send { stream, bytes } => self.streams.send(stream, bytes),
            Action::Close { stream } => self.streams.close(stream),
            Action::Resolve { seed } => self.resolver.start(seed),
            Action::Save { ticket, writes } => self.save(ticket, writes),
            Action::KeepKeys { ticket, ring } => self.keep_keys(ticket, &ring),
            Action::Answered { ticket, answer } => {
                if let Some(waiting) = self.asked.remove(&ticket) {
                    reply(&waiting, outcome(answer));
                }
            }
            Action::Stopped(stop) => self.stop = Some(stop),
        }
    }

    /// Never answers at once: the node is still being drained.
    fn save(&mut self, ticket: SaveTicket, writes: Vec<Write>) {
        let memory = self.memory.as_ref();
        if !memory.is_some_and(|memory| memory.save(ticket, writes)) {
            self.unsaved.push_back(ticket);
        }
    }

    fn arm(&mut self) {
        let deadline = self
            .handle
            .read(|node| node.poll_timeout())
            .map(|deadline| deadline.at);
        if deadline == self.deadline {
            return;
        }
        self.deadline = deadline;
        let instant = deadline.and_then(|at| self.handle.clock().instant(at));
        self.datagrams.set_deadline(instant);
    }

    /// Answers everybody who still waits.
    fn end(&mut self, stop: Stop) -> Result<(), AgentError> {
        self.requests.close();
        let (answer, result) = match stop {
            Stop::Left => {
                tracing::info!("left");
                (Ok(Outcome::Done), Ok(()))
            }
            Stop::NameTaken { addr, instance } => {
                let name = self.handle.read(|node| node.identity().name.to_string());
                tracing::error!(name, %addr, %instance, "name-taken");
                let error = AgentError::NameTaken {
                    name,
                    addr,
                    instance,
                };
                (Err(CommandError::Stopping), Err(error))
            }
        };
        for waiting in self.leaving.drain(..) {
            reply(&waiting, answer.clone());
        }
        while let Some((_, waiting)) = self.asked.pop_first() {
            reply(&waiting, Err(CommandError::Stopping));
        }
        while let Ok(request) = self.requests.try_recv() {
            reply(&request.answer, Err(CommandError::Stopping));
        }
        result
    }
}

/// The place for the one answer is free; whoever asked may have gone.
fn reply(answer: &Answer, result: Result<Outcome, CommandError>) {
    let _ = answer.try_send(result);
}
