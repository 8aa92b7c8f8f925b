//! The cluster: processes that are started, hurt and watched by a scenario.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::agenda::Agenda;
use super::checks::Watch;
use super::dice::Dice;
use super::drive::SimEvent;
use super::network::{Faults, Network};
use super::process::{Condition, Launch, Pid, Process, Sockets, Traffic};
use super::streams::{Medium, Streams};
use super::trace::Trace;
use crate::event::{Event, MemberInfo, State};
use crate::members::{Instance, TagError};
use crate::node::{Identity, Node};
use crate::time::Time;

/// How a simulation runs.
#[derive(Clone, Debug)]
pub struct Options {
    /// The faults of every link at the start.
    pub faults: Faults,
    /// Whether events are kept and every node is held against them. Costs memory: members squared.
    pub watch: bool,
    /// Whether events are kept together for [`Cluster::take_news`].
    pub news: bool,
    /// Lines of the trace kept, and printed when a test fails.
    pub trace_lines: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            faults: Faults::default(),
            watch: true,
            news: false,
            trace_lines: 0,
        }
    }
}

/// Many nodes, one clock, one network, one seed.
///
/// Commands act at the present instant; [`Cluster::run_for`] and [`Cluster::run_until`] let time
/// pass. A mistake in a scenario, such as a process that is not there, panics; so does a node that
/// breaks a rule.
#[derive(Debug)]
pub struct Cluster {
    seed: u64,
    pub(super) options: Options,
    pub(super) dice: Dice,
    pub(super) agenda: Agenda<SimEvent>,
    pub(super) network: Network,
    pub(super) streams: Streams,
    pub(super) trace: Trace,
    pub(super) processes: Vec<Process>,
    /// Who listens where now.
    listeners: BTreeMap<SocketAddr, Pid>,
    names: BTreeMap<String, Vec<SocketAddr>>,
    /// Packets sent to an address, whoever listens there.
    pub(super) sent_to: BTreeMap<SocketAddr, u64>,
    pub(super) buffer: Vec<u8>,
    pub(super) news: Vec<(Pid, Event)>,
    /// Counts what may change the answer to a condition.
    pub(super) changes: u64,
}

/// Microseconds of Unix time at the origin of virtual time: 2026-01-01.
const WALL_ORIGIN_US: u64 = 1_767_225_600_000_000;

/// Conditions are looked at once in so much virtual time.
const GRAIN: Duration = Duration::from_millis(1);

impl Cluster {
    /// An empty cluster at [`Time::ZERO`].
    pub fn new(seed: u64, options: Options) -> Cluster {
        Cluster {
            seed,
            dice: Dice::new(seed),
            agenda: Agenda::new(),
            network: Network::new(options.faults.clone()),
            streams: Streams::default(),
            trace: Trace::new(options.trace_lines),
            processes: Vec::new(),
            listeners: BTreeMap::new(),
            names: BTreeMap::new(),
            sent_to: BTreeMap::new(),
            buffer: Vec::new(),
            news: Vec::new(),
            changes: 0,
            options,
        }
    }

    // Processes

    /// Starts a process, and its host if that was off.
    pub fn launch(&mut self, launch: Launch) -> Pid {
        let pid = Pid(u32::try_from(self.processes.len()).expect("fewer than 2^32 processes"));
        let now = self.now();
        let wall_us = WALL_ORIGIN_US + now.as_nanos() / 1000;
        let behind_us = u64::try_from(launch.clock_behind.as_micros()).unwrap_or(u64::MAX);
        let identity = Identity {
            cluster: launch.cluster.clone(),
            name: launch.name.clone(),
            addr: launch.addr,
            instance: Instance(wall_us.saturating_sub(behind_us)),
            tags: launch.tags.clone(),
        };
        let node = Node::new(launch.config.clone(), identity, self.dice.seed(), now)
            .expect("the scenario's settings are valid");
        self.network.set_down(launch.addr.ip(), false);
        let before = self.listeners.insert(launch.addr, pid);
        assert_eq!(before, None, "{} is free", launch.addr);
        self.trace
            .note(now, pid, "launch", launch.name.as_str().as_bytes(), || {
                &launch.name
            });
        let seeds = launch.seeds.clone();
        self.processes.push(Process {
            pid,
            watch: Watch::new(&node),
            launch,
            node,
            condition: Condition::Running,
            lag: Duration::ZERO,
            wake: None,
            gate: None,
            inbox: Default::default(),
            sockets: Sockets::default(),
            events: Vec::new(),
            traffic: Traffic::default(),
        });
        self.join(pid, &seeds);
        pid
    }

    /// Starts as many members as told, one after the other: each joins through the first.
    pub fn grow(&mut self, count: usize, launch: impl Fn(usize) -> Launch) -> Vec<Pid> {
        let first = launch(0).addr;
        let join = |at: usize| {
            if at == 0 {
                launch(0)
            } else {
                launch(at).seed(first)
            }
        };
        (0..count).map(|at| self.launch(join(at))).collect()
    }

    /// Kills a process; its kernel closes its streams.
    pub fn crash(&mut self, pid: Pid) {
        let now = self.now();
        self.trace.note(now, pid, "crash", b"", || "");
        self.end(pid, Condition::Crashed);
    }

    /// Switches the host of a process off, with all that runs there. Nobody is told.
    pub fn crash_host(&mut self, pid: Pid) {
        let host = self.host(pid);
        let now = self.now();
        self.network.set_down(host, true);
        self.streams.end_host(host);
        let here = |process: &&Process| process.is_up() && process.launch.addr.ip() == host;
        let pids: Vec<Pid> = self
            .processes
            .iter()
            .filter(here)
            .map(|process| process.pid)
            .collect();
        for pid in pids {
            self.trace.note(now, pid, "crash host", b"", || "");
            self.end(pid, Condition::Crashed);
        }
    }

    /// Starts the same again in a new process, after the old one has ended.
    pub fn restart(&mut self, pid: Pid) -> Pid {
        let launch = self.process(pid).launch.clone();
        self.launch(launch)
    }

    /// How a process was started.
    pub fn launched(&self, pid: Pid) -> &Launch {
        &self.process(pid).launch
    }

    /// Stops a process as a signal does: it neither reads nor wakes.
    pub fn pause(&mut self, pid: Pid) {
        let process = self.process_mut(pid);
        assert_eq!(
            process.condition,
            Condition::Running,
            "only a running process is paused"
        );
        process.condition = Condition::Paused;
    }

    /// Lets a paused process go on: what arrived meanwhile comes now, its timers come late, in
    /// either order.
    pub fn resume(&mut self, pid: Pid) {
        let now = self.now();
        let timer_first = self.dice.chance(0.5);
        let process = self.process_mut(pid);
        assert_eq!(
            process.condition,
            Condition::Paused,
            "only a paused process goes on"
        );
        process.condition = Condition::Running;
        if timer_first
            && process
                .node
                .poll_timeout()
                .is_some_and(|deadline| deadline.at <= now)
        {
            self.time_out(pid);
        }
        while self.process(pid).condition == Condition::Running {
            let Some(input) = self.process_mut(pid).inbox.pop_front() else {
                break;
            };
            self.apply(pid, input);
        }
        self.arm(pid);
    }

    /// From now on every wake-up of a process comes too late by so much.
    pub fn slow_timers(&mut self, pid: Pid, lag: Duration) {
        self.process_mut(pid).lag = lag;
    }

    /// Takes a process out of the world.
    pub(super) fn end(&mut self, pid: Pid, condition: Condition) {
        self.changes += 1;
        let process = self.process_mut(pid);
        assert!(
            process.is_up(),
            "{} has not ended before",
            process.launch.name
        );
        process.condition = condition;
        process.inbox.clear();
        process.gate = None;
        let addr = process.launch.addr;
        self.listeners.remove(&addr);
        self.with_streams(|streams, medium| streams.end_process(pid, medium));
    }

    // Commands of a node

    /// Tells a node to join through these seeds.
    pub fn join(&mut self, pid: Pid, seeds: &[String]) {
        self.command(pid, |node, now| {
            node.join(seeds, now)
                .expect("the scenario's seeds are valid")
        });
    }

    /// Tells a node to leave.
    pub fn leave(&mut self, pid: Pid) {
        self.command(pid, |node, now| node.leave(now));
    }

    /// Sets a tag of a node.
    pub fn set_tag(&mut self, pid: Pid, key: &str, value: &str) -> Result<(), TagError> {
        self.command(pid, |node, now| node.set_tag(key, value, now))
    }

    /// Removes a tag of a node; false when there was none.
    pub fn remove_tag(&mut self, pid: Pid, key: &str) -> bool {
        self.command(pid, |node, now| node.remove_tag(key, now))
    }

    fn command<T>(&mut self, pid: Pid, call: impl FnOnce(&mut Node, Time) -> T) -> T {
        assert_eq!(
            self.process(pid).condition,
            Condition::Running,
            "commands need a process"
        );
        let result = self.drive_with(pid, call);
        self.drain(pid);
        result
    }

    // The world

    /// What the names of seeds stand for, from the next look-up on; none: they do not resolve.
    pub fn set_name(&mut self, seed: &str, addresses: &[SocketAddr]) {
        self.names.insert(seed.to_owned(), addresses.to_vec());
    }

    pub(super) fn look_up(&self, seed: &str) -> Vec<SocketAddr> {
        let literal = || seed.parse().ok().into_iter().collect();
        self.names.get(seed).cloned().unwrap_or_else(literal)
    }

    /// The network, to be hurt.
    pub fn network(&mut self) -> &mut Network {
        &mut self.network
    }

    /// The dice, for scenarios that draw their faults.
    pub fn dice(&mut self) -> &mut Dice {
        &mut self.dice
    }

    /// Splits the hosts of these processes from all others.
    pub fn partition(&mut self, pids: &[Pid]) {
        let hosts = pids.iter().map(|pid| self.host(*pid)).collect();
        self.network.partition(&[hosts]);
    }

    /// Lets time pass.
    pub fn run_for(&mut self, duration: Duration) {
        let end = self.now() + duration;
        while let Some(event) = self.agenda.next_until(end) {
            self.happen(event);
        }
    }

    /// Lets time pass until the condition holds; `None` when it did not within `limit`.
    pub fn run_until(
        &mut self,
        limit: Duration,
        condition: impl Fn(&Cluster) -> bool,
    ) -> Option<Duration> {
        let start = self.now();
        let mut looked_at = None;
        loop {
            if looked_at != Some(self.trace.entries()) {
                looked_at = Some(self.trace.entries());
                if condition(self) {
                    return Some(self.now() - start);
                }
            }
            if self.now() >= start + limit {
                return None;
            }
            self.run_for(GRAIN.min(start + limit - self.now()));
        }
    }

    // Looking

    /// The present instant.
    pub fn now(&self) -> Time {
        self.agenda.now()
    }

    /// The last lines of the trace, as many as [`Options::trace_lines`] says.
    pub fn last_lines(&self) -> impl Iterator<Item = &str> {
        self.trace.last()
    }

    /// The fingerprint of everything that happened so far.
    pub fn trace_hash(&self) -> u64 {
        self.trace.hash()
    }

    /// A process's node; of an ended process as it was last.
    pub fn node(&self, pid: Pid) -> &Node {
        &self.process(pid).node
    }

    /// Whether a process runs.
    pub fn condition(&self, pid: Pid) -> &Condition {
        &self.process(pid).condition
    }

    /// All that a process told so far.
    pub fn events(&self, pid: Pid) -> &[Event] {
        &self.process(pid).events
    }

    /// All that was told since it was last asked for, with who told it, in order.
    pub fn take_news(&mut self) -> Vec<(Pid, Event)> {
        std::mem::take(&mut self.news)
    }

    /// What a process sent and received so far.
    pub fn traffic(&self, pid: Pid) -> Traffic {
        self.process(pid).traffic
    }

    /// The datagrams and openings of streams that anybody has sent to where a process listens, or
    /// listened.
    pub fn sent_to(&self, pid: Pid) -> u64 {
        self.sent_to
            .get(&self.process(pid).launch.addr)
            .copied()
            .unwrap_or(0)
    }

    /// The host of a process.
    pub fn host(&self, pid: Pid) -> IpAddr {
        self.process(pid).launch.addr.ip()
    }

    /// All processes that have not ended, in the order of their start.
    pub fn up(&self) -> Vec<Pid> {
        self.processes
            .iter()
            .filter(|process| process.is_up())
            .map(|process| process.pid)
            .collect()
    }

    /// The state that one process holds of another, at the other's life or a newer one.
    pub fn state(&self, at: Pid, of: Pid) -> Option<State> {
        let MemberInfo {
            state, instance, ..
        } = self.node(at).member(self.launched(of).name.as_str())?;
        (instance >= self.node(of).me().instance).then_some(state)
    }

    /// Whether every process that is up holds exactly those that are up for alive, and all hold the
    /// same.
    pub fn agrees(&self) -> bool {
        let up = self.up();
        let Some(first) = up.first() else { return true };
        let digest = self.node(*first).digest();
        if up.iter().any(|pid| self.node(*pid).digest() != digest) {
            return false;
        }
        let alive = self
            .node(*first)
            .members()
            .filter(|member| member.state == State::Alive);
        alive.count() == up.len()
            && up
                .iter()
                .all(|pid| self.state(*first, *pid) == Some(State::Alive))
    }

    /// Holds every node against what it told.
    pub fn check(&mut self) {
        if self.options.watch {
            for process in &mut self.processes {
                process.watch.compare(&process.node);
            }
        }
    }

    // Inside

    pub(super) fn process(&self, pid: Pid) -> &Process {
        &self.processes[pid.0 as usize]
    }

    pub(super) fn process_mut(&mut self, pid: Pid) -> &mut Process {
        &mut self.processes[pid.0 as usize]
    }

    pub(super) fn listener(&self, addr: SocketAddr) -> Option<Pid> {
        self.listeners.get(&addr).copied()
    }

    pub(super) fn with_streams<T>(
        &mut self,
        call: impl FnOnce(&mut Streams, &mut Medium<'_>) -> T,
    ) -> T {
        let mut medium = Medium {
            agenda: &mut self.agenda,
            network: &self.network,
            dice: &mut self.dice,
        };
        call(&mut self.streams, &mut medium)
    }
}

impl Drop for Cluster {
    /// A test that fails tells how to see it again.
    #[allow(
        clippy::disallowed_macros,
        reason = "a failing test has no other way to say it"
    )]
    fn drop(&mut self) {
        if std::thread::panicking() {
            for line in self.trace.last() {
                eprintln!("{line}");
            }
            eprintln!(
                "simulation: seed {seed} failed at {:?}, trace {:016x}; this seed alone, with the \
                 last lines of its trace: MUSTER_SIM_SEED={seed} MUSTER_SIM_TRACE=1000",
                self.now(),
                self.trace_hash(),
                seed = self.seed,
            );
        }
    }
}
