//! Driving a node as the draining rule says: an input, then all outputs, then the one timer.

use std::net::SocketAddr;
use std::time::Duration;

use super::checks::Findings;
use super::cluster::Cluster;
use super::gate;
use super::network::Packet;
use super::process::{Condition, Input, Pid};
use super::streams::{Arrival, Medium, Side};
use crate::limits;
use crate::node::{Action, KeyTicket, Node, SaveTicket};
use crate::time::Time;
use crate::wire::SEALED;

/// What is planned.
#[derive(Debug)]
pub(super) enum SimEvent {
    /// A process is to be woken.
    Wake(Pid),
    /// A datagram arrives.
    Datagram {
        from: SocketAddr,
        to: SocketAddr,
        bytes: Vec<u8>,
    },
    /// A host's word that nobody listens at `at` arrives at whoever sent a datagram there.
    Refused { at: SocketAddr, to: SocketAddr },
    /// A packet of a stream arrives.
    Stream(Arrival),
    /// A process that is late comes to what has arrived.
    Turn(Pid),
    /// A write of a process to its disk is done.
    Saved { pid: Pid, ticket: SaveTicket },
    /// A ring of keys of a process is on its disk.
    KeysKept { pid: Pid, ticket: KeyTicket },
    /// A name was looked up for a process.
    Resolved { pid: Pid, seed: String },
}

/// How long a look-up of a name takes.
const LOOKUP: std::ops::Range<Duration> = Duration::from_micros(100)..Duration::from_millis(20);

/// How long a small file takes to be written.
const KEEPING: Duration = Duration::from_millis(5);

/// What an ICMP error carries: its head, and the head of the datagram that it is about.
const ICMP_BYTES: usize = 36;

/// Buffers that are kept for datagrams to come.
const SPARE: usize = 1024;

/// How long a process in a busy loop does nothing, so that time can pass.
const BUSY_PAUSE: Duration = Duration::from_millis(1);

impl Cluster {
    /// Something planned happens.
    pub(super) fn happen(&mut self, event: SimEvent) {
        match event {
            SimEvent::Wake(pid) => self.wake(pid),
            SimEvent::Datagram { from, to, bytes } => {
                if !self.network.is_open(to.ip(), to.ip()) {
                    return;
                }
                match self.listener(to) {
                    Some(pid) => self.deliver(pid, Input::Datagram { from, bytes }),
                    None => self.refuse(from, to),
                }
            }
            SimEvent::Refused { at, to } => {
                if let Some(pid) = self.listener(to)
                    && self.network.is_open(to.ip(), to.ip())
                {
                    self.deliver(pid, Input::Refused { at });
                }
            }
            SimEvent::Stream(arrival) => self.arrive(arrival),
            SimEvent::Turn(pid) => self.turn(pid),
            SimEvent::Saved { pid, ticket } => self.on_saved(pid, ticket),
            SimEvent::KeysKept { pid, ticket } => self.deliver(pid, Input::KeysKept { ticket }),
            SimEvent::Resolved { pid, seed } => {
                let addresses = self.look_up(&seed);
                self.deliver(pid, Input::Resolved { seed, addresses });
            }
        }
    }

    /// The kernel of a host where no process listens says so (ICMP port unreachable). Real ones
    /// say it a limited number of times in a second.
    fn refuse(&mut self, to: SocketAddr, at: SocketAddr) {
        let packet = Packet {
            from: at.ip(),
            to: to.ip(),
            bytes: ICMP_BYTES,
            at: self.agenda.now(),
        };
        for delay in self.network.datagram(packet, &mut self.dice) {
            self.agenda.after(delay, SimEvent::Refused { at, to });
        }
    }

    fn arrive(&mut self, arrival: Arrival) {
        let listener = match arrival {
            Arrival::Knock(id) => self.streams.callee(id).and_then(|addr| self.listener(addr)),
            Arrival::Answer(..) | Arrival::Segment(..) => None,
        };
        let mut medium = Medium {
            agenda: &mut self.agenda,
            network: &mut self.network,
            dice: &mut self.dice,
        };
        for (pid, input) in self.streams.arrive(arrival, listener, &mut medium) {
            self.deliver(pid, input);
        }
    }

    fn wake(&mut self, pid: Pid) {
        let now = self.agenda.now();
        let process = self.process_mut(pid);
        if process.wake != Some(now) {
            return;
        }
        process.wake = None;
        if process.condition != Condition::Running {
            return;
        }
        if self.wake_time(pid).is_some_and(|at| at <= now) {
            self.time_out(pid);
            self.take_all(pid);
        }
        self.arm(pid);
    }

    /// The timer fires.
    pub(super) fn time_out(&mut self, pid: Pid) {
        let now = self.agenda.now();
        let process = self.process_mut(pid);
        process.traffic.wakes += 1;
        let reason = process
            .node
            .poll_timeout()
            .map_or("none", |deadline| deadline.reason);
        self.trace
            .note(now, pid, "wake", reason.as_bytes(), || reason);
        self.drive(pid, |node, now| node.handle_timeout(now));
        let process = &mut self.processes[pid.0 as usize];
        if process.condition == Condition::Running {
            let read = process.clock.read(now);
            let watch = &mut process.watch;
            if !watch.on_wake(&process.node, now, read, &mut self.findings) {
                process.busy_until = now + BUSY_PAUSE;
            }
        }
    }

    /// Something arrives at a process, or waits for it.
    pub(super) fn deliver(&mut self, pid: Pid, input: Input) {
        let now = self.agenda.now();
        let process = &mut self.processes[pid.0 as usize];
        match process.condition {
            Condition::Running if process.late.spares_inputs() && process.inbox.is_empty() => {
                self.take(pid, input);
            }
            Condition::Running => {
                process.keep(input);
                if let Some(at) = process.late.next_turn(now, &mut self.dice) {
                    self.agenda.at(at, SimEvent::Turn(pid));
                }
            }
            Condition::Paused => process.keep(input),
            Condition::Crashed | Condition::Stopped(..) => {}
        }
    }

    /// A late process comes to what waits for it. A timer that is due goes ahead, so that the node
    /// learns how late it is before it judges.
    fn turn(&mut self, pid: Pid) {
        let now = self.agenda.now();
        let process = self.process(pid);
        if process.condition != Condition::Running || !process.late.is_turn(now) {
            return;
        }
        self.time_out_if_due(pid);
        self.take_all(pid);
        self.arm(pid);
    }

    /// The timer goes ahead of all that still waits, as the agent has it.
    pub(super) fn time_out_if_due(&mut self, pid: Pid) {
        let now = self.agenda.now();
        let process = self.process_mut(pid);
        if process.condition != Condition::Running {
            return;
        }
        let read = process.clock.read(now);
        let deadline = process.node.poll_timeout();
        if deadline.is_some_and(|deadline| deadline.at <= read) {
            self.time_out(pid);
        }
    }

    /// A process takes all that waits for it.
    pub(super) fn take_all(&mut self, pid: Pid) {
        self.process_mut(pid).late.end_turn();
        while self.process(pid).condition == Condition::Running {
            let Some(input) = self.process_mut(pid).inbox.pop_front() else {
                break;
            };
            self.take(pid, input);
        }
    }

    /// A running process takes an input, unless its messages are held.
    pub(super) fn take(&mut self, pid: Pid, input: Input) {
        if let Some(gate) = &mut self.process_mut(pid).gate
            && gate::is_message(&input)
        {
            return gate.hold_input(input);
        }
        self.apply(pid, input);
    }

    /// A running process takes an input.
    pub(super) fn apply(&mut self, pid: Pid, input: Input) {
        let now = self.agenda.now();
        self.process_mut(pid).watch.on_input();
        match input {
            Input::Datagram { from, bytes } => {
                let process = self.process_mut(pid);
                process.traffic.datagrams_received += 1;
                process.traffic.bytes_received += plain_length(&bytes);
                self.trace.note(now, pid, "datagram", &bytes, || from);
                self.drive(pid, |node, now| node.handle_datagram(from, &bytes, now));
                if self.spare.len() < SPARE {
                    self.spare.push(bytes);
                }
            }
            Input::Refused { at } => {
                self.trace.note(now, pid, "refused", b"", || at);
                self.drive(pid, |node, now| node.handle_refused(at, now));
            }
            Input::Opened { id, from } => {
                self.trace.note(now, pid, "accepted", b"", || from);
                let stream =
                    self.drive_with(pid, |node, now| node.handle_stream_accepted(from, now));
                match stream {
                    Some(stream) => self
                        .process_mut(pid)
                        .sockets
                        .insert(stream, id, Side::Callee),
                    None => self.with_streams(|streams, medium| {
                        streams.close(id, Side::Callee, medium);
                    }),
                }
                self.drain(pid);
            }
            Input::Connected { id } => {
                let Some(stream) = self.process(pid).sockets.stream(id, Side::Caller) else {
                    return;
                };
                self.trace.note(now, pid, "connected", b"", || stream.0);
                self.drive(pid, |node, now| node.handle_stream_connected(stream, now));
            }
            Input::Data { id, side, bytes } => {
                let Some(stream) = self.process(pid).sockets.stream(id, side) else {
                    return;
                };
                self.process_mut(pid).traffic.stream_bytes_received += bytes.len() as u64;
                self.trace.note(now, pid, "data", &bytes, || stream.0);
                self.drive(pid, |node, now| {
                    node.handle_stream_data(stream, &bytes, now)
                });
            }
            Input::Closed { id, side, end } => {
                let process = self.process_mut(pid);
                let Some(stream) = process.sockets.stream(id, side) else {
                    return;
                };
                process.sockets.remove(stream);
                self.trace
                    .note(now, pid, "closed", &[end as u8], || stream.0);
                self.drive(pid, |node, now| node.handle_stream_closed(stream, end, now));
            }
            Input::Saved { ticket, done } => {
                self.trace
                    .note(now, pid, "saved", &[u8::from(done)], || ticket.0);
                self.drive(pid, |node, now| node.handle_saved(ticket, done, now));
            }
            Input::KeysKept { ticket } => {
                self.trace.note(now, pid, "keys-kept", b"", || ticket.0);
                self.drive(pid, |node, now| node.handle_keys_kept(ticket, true, now));
            }
            Input::Resolved { seed, addresses } => {
                self.trace.note(now, pid, "resolved", seed.as_bytes(), || {
                    format!("{addresses:?}")
                });
                self.drive(pid, |node, now| {
                    node.handle_resolved(&seed, &addresses, now)
                });
            }
        }
    }

    /// One input or command, then the draining rule.
    pub(super) fn drive(&mut self, pid: Pid, call: impl FnOnce(&mut Node, Time)) {
        self.drive_with(pid, call);
        self.drain(pid);
    }

    /// One input or command; the caller must drain.
    pub(super) fn drive_with<T>(&mut self, pid: Pid, call: impl FnOnce(&mut Node, Time) -> T) -> T {
        let now = self.agenda.now();
        let process = self.process_mut(pid);
        let read = process.clock.read(now);
        process.watch.before_step(&process.node, read);
        call(&mut process.node, read)
    }

    /// Takes all outputs of a node and re-arms its timer.
    pub(super) fn drain(&mut self, pid: Pid) {
        let mut buffer = std::mem::take(&mut self.buffer);
        while let Some(to) = self.process_mut(pid).node.poll_transmit(&mut buffer) {
            self.transmit(pid, to, &buffer);
        }
        self.buffer = buffer;
        while let Some(action) = self.process_mut(pid).node.poll_action() {
            self.act(pid, action);
        }
        let now = self.agenda.now();
        let process = &mut self.processes[pid.0 as usize];
        let read = process.clock.read(now);
        let mark = process.node.mark();
        let lineage = mark.map(|mark| mark.lineage);
        process
            .watch
            .on_history(lineage.map(|lineage| lineage.family));
        while let Some(mut event) = process.node.poll_event() {
            self.trace.event(now, pid, &event);
            self.changes += 1;
            if self.options.watch {
                let watch = &mut process.watch;
                watch.on_event(&event, now, read, &mut self.findings);
                let (circles, launch) = (&self.circles, &process.launch);
                circles.on_event((pid, launch), &event, now, &mut self.findings);
                if let Some(lineage) = lineage {
                    let (at, found) = (&process.launch.name, &mut self.findings);
                    self.ledger.on_event(lineage, &event, now, at, found);
                }
            }
            // Who looks from outside has one clock only.
            event.member.since = process.clock.world(event.member.since);
            event.time = now;
            if self.options.news {
                self.news.push((pid, event.clone()));
            }
            if self.options.watch {
                process.events.push(event);
            }
        }
        if self.options.watch {
            let watch = &mut process.watch;
            let life = watch.instance();
            let is_compared = watch.on_step(&process.node, now, read, &mut self.findings);
            let (circles, launch) = (&mut self.circles, &process.launch);
            if watch.instance() != life {
                circles.on_life(pid, &launch.name, watch.instance());
            }
            if is_compared {
                circles.look((pid, launch), &process.node, now, &mut self.findings);
            }
            let mut ledger = std::mem::take(&mut self.ledger);
            let mut found = std::mem::replace(&mut self.findings, Findings::new(true, false));
            let processes = &self.processes;
            let decides = |other: Pid| {
                let other = &processes[other.0 as usize];
                other.node.decides(other.clock.read(now))
            };
            let process = &self.processes[pid.0 as usize];
            let host = process.launch.addr.ip();
            let open =
                |to: SocketAddr| self.listener(to).is_some() && self.network.is_open(host, to.ip());
            ledger.on_step(pid, &process.node, (now, read), decides, open, &mut found);
            self.findings = found;
            self.ledger = ledger;
        }
        self.arm(pid);
    }

    pub(super) fn transmit(&mut self, pid: Pid, to: SocketAddr, bytes: &[u8]) {
        assert!(
            bytes.len() <= limits::DATAGRAM_BYTES,
            "a datagram of {} bytes",
            bytes.len()
        );
        let process = &mut self.processes[pid.0 as usize];
        if let Some(gate) = &mut process.gate {
            return gate.hold_datagram(to, bytes);
        }
        process.traffic.datagrams_sent += 1;
        process.traffic.bytes_sent += plain_length(bytes);
        let from = process.launch.addr;
        self.trace
            .note(self.agenda.now(), pid, "transmit", bytes, || to);
        *self.sent_to.entry(to).or_default() += 1;
        let packet = Packet {
            from: from.ip(),
            to: to.ip(),
            bytes: bytes.len(),
            at: self.agenda.now(),
        };
        for delay in self.network.datagram(packet, &mut self.dice) {
            let mut copy = self.spare.pop().unwrap_or_default();
            copy.clear();
            copy.extend_from_slice(bytes);
            let bytes = copy;
            self.agenda
                .after(delay, SimEvent::Datagram { from, to, bytes });
        }
    }

    pub(super) fn act(&mut self, pid: Pid, action: Action) {
        let now = self.agenda.now();
        if let Some(gate) = &mut self.process_mut(pid).gate
            && gate::sends(&action)
        {
            return gate.hold_action(action);
        }
        match action {
            Action::Connect { stream, to } => {
                self.trace.note(now, pid, "connect", b"", || to);
                let from = self.process(pid).launch.addr.ip();
                let id =
                    self.with_streams(|streams, medium| streams.connect(pid, from, to, medium));
                *self.sent_to.entry(to).or_default() += 1;
                let process = self.process_mut(pid);
                process.traffic.streams_opened += 1;
                process.sockets.insert(stream, id, Side::Caller);
            }
            Action::Send { stream, bytes } => {
                self.trace.note(now, pid, "send", &bytes, || stream.0);
                let process = self.process_mut(pid);
                process.traffic.stream_messages_sent += 1;
                process.traffic.stream_bytes_sent += bytes.len() as u64;
                if let Some((id, side)) = process.sockets.end(stream) {
                    self.with_streams(|streams, medium| streams.send(id, side, &bytes, medium));
                }
            }
            Action::Close { stream } => {
                self.trace.note(now, pid, "close", b"", || stream.0);
                if let Some((id, side)) = self.process_mut(pid).sockets.remove(stream) {
                    self.with_streams(|streams, medium| streams.close(id, side, medium));
                }
            }
            Action::Resolve { seed } => {
                self.trace
                    .note(now, pid, "resolve", seed.as_bytes(), || &seed);
                let delay = self.dice.duration(&LOOKUP);
                self.agenda.after(delay, SimEvent::Resolved { pid, seed });
            }
            Action::Save { ticket, writes } => {
                self.trace.note(now, pid, "save", b"", || ticket.0);
                self.save(pid, ticket, writes);
            }
            Action::KeepKeys { ticket, ring } => {
                self.trace.note(now, pid, "keep-keys", b"", || ticket.0);
                self.process_mut(pid).launch.keys = Some(ring);
                self.agenda
                    .after(KEEPING, SimEvent::KeysKept { pid, ticket });
            }
            Action::Answered { ticket, answer } => {
                self.trace
                    .note(now, pid, "answered", b"", || format!("{answer:?}"));
                self.changes += 1;
                let process = &mut self.processes[pid.0 as usize];
                let (node, found) = (&process.node, &mut self.findings);
                self.ledger
                    .on_answer(pid, ticket, &answer, node, now, found);
                process.answers.push((ticket, answer));
            }
            Action::Stopped(stop) => {
                self.trace
                    .note(now, pid, "stopped", b"", || format!("{stop:?}"));
                self.end(pid, Condition::Stopped(stop, now));
            }
        }
    }

    /// Plans the next wake-up, unless an earlier one is planned already.
    pub(super) fn arm(&mut self, pid: Pid) {
        let now = self.agenda.now();
        if self.process(pid).condition != Condition::Running {
            return;
        }
        let Some(at) = self.wake_time(pid) else {
            return;
        };
        let process = &mut self.processes[pid.0 as usize];
        let at = at.max(now).max(process.busy_until);
        if process.wake.is_none_or(|wake| at < wake) {
            process.wake = Some(at);
            self.agenda.at(at, SimEvent::Wake(pid));
        }
    }

    /// When a process is woken for what its node waits for next, late as it may be.
    fn wake_time(&mut self, pid: Pid) -> Option<Time> {
        let process = &mut self.processes[pid.0 as usize];
        let deadline = process.node.poll_timeout()?.at;
        let late = process.late.of_wake(deadline, &mut self.dice);
        Some(process.clock.world(deadline) + late)
    }
}

/// The length of a datagram without what sealing added: whoever reports traffic counts that for
/// every datagram, sealed or not.
fn plain_length(datagram: &[u8]) -> u64 {
    let is_sealed = datagram.first() == Some(&SEALED);
    let sealing = if is_sealed { limits::SEAL_BYTES } else { 0 };
    datagram.len().saturating_sub(sealing) as u64
}
