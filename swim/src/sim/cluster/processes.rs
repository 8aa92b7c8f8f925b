//! Starting processes and telling their nodes what to do.

use std::time::Duration;

use super::Cluster;
use crate::members::{AppError, AppHealth, Attachment, Ending, Instance, Name, TagError};
use crate::node::{Identity, KeyChange, Node, RecoverError, Ticket};
use crate::sim::checks::Watch;
use crate::sim::clock::Clock;
use crate::sim::disks::Keeping;
use crate::sim::lateness::Lateness;
use crate::sim::process::{Condition, Launch, Pid, Process, Sockets, Traffic};
use crate::time::Time;
use crate::wire::sealing::{Keyring, Plaintext};

/// Microseconds of Unix time at the origin of virtual time: 2026-01-01.
const WALL_ORIGIN_US: u64 = 1_767_225_600_000_000;

impl Cluster {
    /// Starts a process, and its host if that was off.
    pub fn launch(&mut self, launch: Launch) -> Pid {
        let pid = Pid(u32::try_from(self.processes.len()).expect("fewer than 2^32 processes"));
        let now = self.now();
        let clock = Clock::new(launch.clock_ppm);
        let identity = Identity {
            cluster: launch.cluster.clone(),
            name: launch.name.clone(),
            addr: launch.addr,
            instance: self.instance_at(&launch, &clock),
            tags: launch.tags.clone(),
        };
        // A namesake that runs elsewhere has not the same directory.
        let mut others = self.processes.iter().filter(|process| process.counts());
        let taken = others.any(|process| process.launch.name == launch.name);
        let keeping = if taken && launch.keeping == Keeping::Disk {
            Keeping::Process
        } else {
            launch.keeping
        };
        let memory = self.memory_of(launch.name.as_str(), keeping);
        let mut node = Node::new(
            launch.config.clone(),
            identity,
            memory,
            self.dice.seed(),
            clock.read(now),
        )
        .expect("the scenario's settings are valid");
        node.set_keys(launch.keys.clone(), launch.plaintext, clock.read(now));
        node.share(self.records.clone(), self.rosters.clone());
        node.reserve(self.options.expected);
        self.network.set_down(launch.addr.ip(), false);
        let before = self.listeners.insert(launch.addr, pid);
        assert_eq!(before, None, "{} is free", launch.addr);
        self.trace
            .note(now, pid, "launch", launch.name.as_str().as_bytes(), || {
                &launch.name
            });
        self.circles.on_launch(pid, &launch);
        let instance = node.identity().instance;
        self.circles.on_life(pid, &launch.name, instance);
        let seeds = launch.seeds.clone();
        self.processes.push(Process {
            pid,
            first_life: node.identity().instance,
            watch: Watch::new(&node),
            launch,
            node,
            condition: Condition::Running,
            clock,
            late: Lateness::default(),
            wake: None,
            busy_until: Time::ZERO,
            gate: None,
            inbox: Default::default(),
            sockets: Sockets::default(),
            events: Vec::new(),
            answers: Vec::new(),
            traffic: Traffic::default(),
        });
        self.join(pid, &seeds);
        pid
    }

    /// Microseconds of Unix time as the wall clock of a host says.
    fn instance_at(&self, launch: &Launch, clock: &Clock) -> Instance {
        let us = |duration: Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let wall_us = WALL_ORIGIN_US + clock.read(self.now()).as_nanos() / 1000;
        let jumped_us = self.wall_jumps_us.get(&launch.addr.ip()).copied();
        let wall_us = wall_us.saturating_add_signed(jumped_us.unwrap_or(0));
        Instance(wall_us.saturating_sub(us(launch.clock_behind)))
    }

    /// Starts as many members as told, one after the other: each joins through the first.
    pub fn grow(&mut self, count: usize, launch: impl Fn(usize) -> Launch) -> Vec<Pid> {
        self.options.expected = self.options.expected.max(count);
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

    /// Starts the same again in a new process, after the old one has ended. What it saved in its
    /// data directory, if it has one, is all that is kept.
    pub fn restart(&mut self, pid: Pid) -> Pid {
        let launch = self.process(pid).launch.clone();
        self.launch(launch)
    }

    /// The life as which a process was started: older ones were lived by others before it.
    pub fn first_life(&self, pid: Pid) -> Instance {
        self.process(pid).first_life
    }

    /// How a process was started.
    pub fn launched(&self, pid: Pid) -> &Launch {
        &self.process(pid).launch
    }

    /// Tells a node to join through these seeds.
    pub fn join(&mut self, pid: Pid, seeds: &[String]) {
        self.command(pid, |node, now| {
            node.join(seeds, now)
                .expect("the scenario's seeds are valid")
        });
    }

    /// Has a node ask which view is the last.
    pub fn confirm_view(&mut self, pid: Pid) -> Ticket {
        let ticket = self.drive_with(pid, |node, now| node.confirm_view(now));
        // Before anything happens: this process may be the one that answers.
        self.ledger.on_asked(pid, ticket);
        self.drain(pid);
        ticket
    }

    /// Gives a node these keys from now on, as its operator would.
    pub fn set_keys(&mut self, pid: Pid, keys: Option<Keyring>, plaintext: Plaintext) {
        let launch = &mut self.processes[pid.0 as usize].launch;
        (launch.keys, launch.plaintext) = (keys.clone(), plaintext);
        self.circles.on_keys(pid, launch);
        self.command(pid, |node, now| node.set_keys(keys, plaintext, now));
    }

    /// Has a node change the keys of all.
    pub fn change_keys(&mut self, pid: Pid, change: KeyChange) -> Ticket {
        self.circles.on_change(pid, &change);
        self.command(pid, |node, now| node.change_keys(change, now))
    }

    /// Has a node ask for the removal of a member.
    pub fn remove(&mut self, pid: Pid, name: &str, force: bool) -> Ticket {
        self.command(pid, |node, now| node.remove(name, force, now))
    }

    /// Has a node rebuild a lost quorum.
    pub fn recover(&mut self, pid: Pid, survivors: &[Name]) -> Result<(), RecoverError> {
        self.command(pid, |node, now| node.recover(survivors, now))
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

    /// An app begins to live beside a node.
    pub fn attach(&mut self, pid: Pid, app: &str) -> Result<Attachment, AppError> {
        self.command(pid, |node, now| node.attach(app, now))
    }

    /// An app of a node reports its health.
    pub fn report_app(
        &mut self,
        pid: Pid,
        app: &str,
        health: AppHealth,
        note: &str,
    ) -> Result<(), AppError> {
        self.command(pid, |node, now| node.report_app(app, health, note, now))
    }

    /// An app of a node ends.
    pub fn end_app(&mut self, pid: Pid, app: &str, ending: Ending) -> Result<(), AppError> {
        self.command(pid, |node, now| node.end_app(app, None, ending, now))
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
}
