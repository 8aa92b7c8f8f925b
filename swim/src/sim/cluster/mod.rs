//! The cluster: processes that are started, hurt and watched by a scenario.

mod hurting;
mod looking;
mod processes;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hashbrown::HashMap;

pub use hurting::ClockJump;

use super::agenda::Agenda;
use super::checks::{Circles, Findings, Ledger};
use super::dice::Dice;
use super::disks::Disks;
use super::drive::SimEvent;
use super::network::{Faults, Network};
use super::process::{Pid, Process};
use super::streams::{Medium, Streams};
use super::trace::Trace;
use crate::coordinator::Rosters;
use crate::event::Event;
use crate::members::Records;

/// How a simulation runs.
#[derive(Clone, Debug)]
pub struct Options {
    /// The faults of every link at the start.
    pub faults: Faults,
    /// Whether events are kept and every node is held against them. Costs memory: members squared.
    pub watch: bool,
    /// Whether the first property that does not hold is a panic, as tests want it. Otherwise see
    /// [`Cluster::violations`].
    pub fail_fast: bool,
    /// Whether the invariants of a node are looked at each time that it was driven, and not only
    /// now and then: a step then costs the more the more members there are.
    pub every_step: bool,
    /// How many members every node has room for from its start: thousands of tables that grow
    /// little by little spend much time on it.
    pub expected: usize,
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
            fail_fast: true,
            every_step: false,
            expected: 0,
            news: false,
            trace_lines: 0,
        }
    }
}

/// Many nodes, one clock, one network, one seed.
///
/// Commands act at the present instant; [`Cluster::run_for`] and [`Cluster::run_until`] let time
/// pass. A mistake in a scenario, such as a process that is not there, panics.
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
    listeners: HashMap<SocketAddr, Pid>,
    /// What the tables of all nodes are made of.
    records: Records,
    /// And their histories.
    rosters: Rosters,
    names: BTreeMap<String, Vec<SocketAddr>>,
    /// Packets sent to an address, whoever listens there.
    pub(super) sent_to: HashMap<SocketAddr, u64>,
    pub(super) buffer: Vec<u8>,
    /// Buffers of datagrams that have arrived, for those to come.
    pub(super) spare: Vec<Vec<u8>>,
    pub(super) news: Vec<(Pid, Event)>,
    pub(super) findings: Findings,
    pub(super) disks: Disks,
    pub(super) ledger: Ledger,
    pub(super) circles: Circles,
    /// How far the wall clock of a host has jumped.
    wall_jumps_us: BTreeMap<IpAddr, i64>,
    /// Counts what may change the answer to a condition.
    pub(super) changes: u64,
}

/// Conditions are looked at once in so much virtual time.
const GRAIN: Duration = Duration::from_millis(1);

impl Cluster {
    /// An empty cluster at [`Time::ZERO`](crate::Time::ZERO).
    pub fn new(seed: u64, options: Options) -> Cluster {
        Cluster {
            seed,
            dice: Dice::new(seed),
            agenda: Agenda::new(),
            network: Network::new(options.faults.clone()),
            streams: Streams::default(),
            trace: Trace::new(options.trace_lines),
            processes: Vec::new(),
            listeners: HashMap::new(),
            records: Records::shared(),
            rosters: Rosters::shared(),
            names: BTreeMap::new(),
            sent_to: HashMap::new(),
            buffer: Vec::new(),
            spare: Vec::new(),
            news: Vec::new(),
            findings: Findings::new(options.fail_fast, options.every_step),
            disks: Disks::default(),
            ledger: Ledger::default(),
            circles: Circles::default(),
            wall_jumps_us: BTreeMap::new(),
            changes: 0,
            options,
        }
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

    /// Cuts the hosts of some processes off from those of others, both ways, while all else goes on
    /// to reach both: a partial partition.
    pub fn separate(&mut self, these: &[Pid], those: &[Pid]) {
        let hosts =
            |pids: &[Pid]| -> Vec<IpAddr> { pids.iter().map(|pid| self.host(*pid)).collect() };
        let (these, those) = (hosts(these), hosts(those));
        self.network.separate(&these, &those);
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
            network: &mut self.network,
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
