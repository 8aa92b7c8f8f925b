//! Anything may happen, drawn from a seed; then the faults end and all must agree.
//!
//! Every topic draws from dice of its own ([`Dice::of_topic`]), in the order of the code, so that a
//! topic that is added later changes nothing in what the others draw, and a seed goes on to mean
//! what it meant. Within a topic: add draws after all others.

mod blows;
mod draws;
mod kept;
mod strangers;

use std::net::SocketAddr;
use std::time::Duration;

use muster_swim::sim::checks::{Budget, constant_cost, disagreements};
use muster_swim::sim::{Cluster, Condition, Dice, Faults, Keeping, Launch, Options, Pid};
use muster_swim::{Config, Keyring, Lineage, Name, View};

use crate::support::*;
use blows::{Blow, draw_blows};
use kept::KEPT;

/// A cluster that is hurt at random.
pub(crate) struct Swarm {
    pub(crate) cluster: Cluster,
    seed: u64,
    size: usize,
    config: Config,
    /// What will happen, in order of time.
    blows: Vec<Blow>,
    /// How long it is hurt.
    length: Duration,
    /// By how many millionths the clocks of a process that is started are off.
    drift: Dice,
    /// Hosts that were not used yet, beyond one for each name.
    next_host: usize,
    /// What each member has to remember what a voter must.
    keeping: Vec<Keeping>,
    /// Whether the first member is told of no seeds whenever it starts, or only at first.
    seedless: bool,
    /// Whether the first member was started.
    begun: bool,
    /// Whether some lose their data directory.
    forgets: bool,
    /// Where those are that go on with the history of the cluster, besides the anchors.
    known: Vec<SocketAddr>,
    /// With what it is sealed, if it is.
    keys: Option<Keyring>,
}

/// Of so many seeds one has the invariants of every node looked at each time that it was driven,
/// the others now and then.
const EVERY_STEP: u64 = 10;

/// Names of members that are never down for good: the seeds of all.
const ANCHORS: usize = 2;

impl Swarm {
    pub(crate) fn new(seed: u64) -> Swarm {
        let topic = |word| Dice::of_topic(seed, word);
        let size = topic("size").number(2..24);
        let faults = draws::faults(&mut topic("network"));
        let config = draws::config(seed, size);
        let length = *topic("length").pick(&[secs(5), secs(40), secs(120)]);
        let cluster = Cluster::new(
            seed,
            Options {
                faults,
                every_step: seed.is_multiple_of(EVERY_STEP),
                ..options()
            },
        );
        let mut swarm = Swarm {
            cluster,
            seed,
            size,
            config,
            blows: draw_blows(seed, length),
            length,
            drift: topic("drift"),
            next_host: 200,
            keeping: draws::keeping(seed, size),
            seedless: topic("seedless").chance(0.4),
            begun: false,
            forgets: false,
            known: Vec::new(),
            keys: strangers::keys(seed),
        };
        swarm.forgets = swarm.blows.iter().any(|blow| blow.word() == "forget");
        let mut spacing = topic("spacing");
        for at in 0..size {
            let launch = swarm.member(at);
            swarm.cluster.launch(launch);
            swarm.cluster.run_for(spacing.duration(&(ms(0)..ms(200))));
        }
        if topic("forming").chance(0.75) {
            // Most are hurt when they have something to lose.
            swarm.cluster.run_until(secs(30), Cluster::is_unanimous);
        }
        swarm
    }

    /// What was drawn, in a line.
    fn drawn(&mut self) -> String {
        let words: Vec<&str> = self.blows.iter().map(Blow::word).collect();
        format!(
            "seed {}: {} members{} keeping {:?}, hurt for {:?} by {words:?}, {:?}, {:?}",
            self.seed,
            self.size,
            self.keys.as_ref().map_or("", |_| ", sealed,"),
            self.keeping,
            self.length,
            self.cluster.network().faults(),
            self.config,
        )
    }

    fn member(&mut self, at: usize) -> Launch {
        let mut launch = Launch::numbered(at).config(self.config.clone());
        launch.clock_ppm = *self.drift.pick(&[0, 0, 50, -50, 10_000, -10_000]);
        launch.keeping = self.keeping[at];
        let launch = strangers::with_keys(self, launch);
        let first = at == 0 && self.config.expect == 1;
        if first && (self.seedless || !std::mem::replace(&mut self.begun, true)) {
            return launch;
        }
        let anchors = (0..ANCHORS).map(|seed| Launch::numbered(seed).addr);
        let seeds = anchors.chain(self.known.iter().copied());
        seeds.fold(launch, |launch, seed| launch.seed(seed))
    }

    /// The safety phase: whatever happens, every step must pass the checks.
    pub(crate) fn hurt(&mut self) {
        let began = self.cluster.now();
        for mut blow in std::mem::take(&mut self.blows) {
            let at = began + blow.at;
            self.cluster.run_for(at - self.cluster.now());
            blow.strike(self);
        }
        let end = began + self.length;
        self.cluster.run_for(end - self.cluster.now());
        self.cluster.check();
    }

    fn new_host(&mut self) -> SocketAddr {
        self.next_host += 1;
        Launch::numbered(self.next_host).addr
    }

    fn is_up(&self, at: usize) -> bool {
        let name: &Name = &Launch::numbered(at).name;
        let mut up = self.cluster.up().into_iter();
        up.any(|pid| self.cluster.launched(pid).name == *name)
    }

    fn with_condition(&self, condition: &Condition) -> Vec<Pid> {
        let up = self.cluster.up().into_iter();
        up.filter(|pid| self.cluster.condition(*pid) == condition)
            .collect()
    }

    /// The liveness phase: without faults all that are up agree, one of each name. Clocks stay as
    /// wrong as they are.
    pub(crate) fn recover(&mut self) {
        self.end_faults();
        // Leavers are through soon; then the anchors are needed.
        self.cluster.run_for(secs(6));
        self.start_those(|at| at < ANCHORS);
        if self.config.parts.verdicts {
            // Who is started to regain a quorum may know yet another history.
            for _ in 0..2 {
                self.end_conflicts();
                self.regain_quorum();
            }
        }
        self.converge(secs(300), "all agree when the faults end");
        if self.config.parts.verdicts {
            self.decide();
        }
        self.cluster.run_for(secs(120));
        // Some forget the dead a little sooner than others.
        self.converge(secs(60), "and go on to agree");
        if self.config.parts.verdicts {
            assert!(self.cluster.is_unanimous(), "and go on to be unanimous");
        }
        self.check_quiet();
        strangers::rotate(self);
        self.cluster.check();
    }

    fn start_those(&mut self, which: impl Fn(usize) -> bool) {
        for at in (0..self.size).filter(|at| which(*at)) {
            if !self.is_up(at) {
                let launch = self.member(at);
                self.cluster.launch(launch);
            }
        }
    }

    fn number_of(name: &Name) -> usize {
        let digits = name.as_str().trim_start_matches('n');
        digits.parse().expect("members are numbered")
    }

    /// The history that the cluster goes on with: the last generation of the one that most know.
    fn lineage(&self) -> Option<Lineage> {
        let mut known: std::collections::BTreeMap<u64, (usize, Lineage)> = Default::default();
        let up = self.cluster.up();
        let knows = |pid: &Pid| self.cluster.node(*pid).mark().is_some();
        let ours = |pid: &Pid| !self.cluster.launched(*pid).stranger;
        let all: Vec<Pid> = self.cluster.processes().filter(ours).collect();
        let of = if up.iter().any(knows) { up } else { all };
        for mark in of.iter().filter_map(|pid| self.cluster.node(*pid).mark()) {
            let entry = known.entry(mark.lineage.family);
            let (count, last) = entry.or_insert((0, mark.lineage));
            *count += 1;
            *last = (*last).max(mark.lineage);
        }
        known.into_values().max().map(|(_, lineage)| lineage)
    }

    /// The first member, told of no seeds, may have begun a history of its own after it lost its
    /// memory, and others joined it there: that an operator must end.
    fn end_conflicts(&mut self) {
        self.cluster.run_for(secs(60));
        let Some(lineage) = self.lineage() else {
            return;
        };
        for pid in self.with_condition(&Condition::Running) {
            let other = self.cluster.node(pid).mark();
            let other = other.is_some_and(|mark| mark.lineage.family != lineage.family);
            if other {
                let kept = self.keeping.iter().all(|keeping| *keeping == Keeping::Disk);
                assert!(
                    self.seedless || self.forgets || !kept,
                    "another history begins only where memories are lost"
                );
                println!("seed {}: {pid:?} is of another history", self.seed);
                self.cluster.crash(pid);
                self.cluster.wipe_disk(pid);
            }
        }
        self.seedless = false;
        // Without a memory they must be told of those that have one, lest they begin anew.
        let up = self.cluster.up();
        self.known = up
            .iter()
            .map(|pid| self.cluster.launched(*pid).addr)
            .collect();
        self.start_those(|at| at < ANCHORS);
    }

    /// Starts what remembers, and rebuilds by hand a quorum of which too little does.
    fn regain_quorum(&mut self) {
        let Some(mut lineage) = self.lineage() else {
            return self.begin_anew();
        };
        // Who learned only now of a newer configuration may change who votes.
        for _ in 0..3 {
            let (names, _) = self.cluster.voter_memories(lineage);
            self.start_those(|at| names.contains(&Launch::numbered(at).name));
            self.cluster.run_for(secs(3));
            lineage = self.lineage().unwrap_or(lineage);
        }
        let (names, voters) = self.cluster.voter_memories(lineage);
        if names.len() > voters / 2 {
            return;
        }
        println!(
            "seed {}: {} of {voters} voters remember",
            self.seed,
            names.len()
        );
        for _ in 0..200 {
            // The last one that knows may yet be ended, by a namesake that knows nothing.
            let up = self.cluster.up().into_iter();
            if up.filter_map(|pid| self.cluster.node(pid).mark()).count() == 0 {
                return self.begin_anew();
            }
            if self.rebuild() {
                return;
            }
            self.cluster.run_for(secs(1));
        }
        for pid in self.with_condition(&Condition::Running) {
            let survivors = [self.cluster.launched(pid).name.clone()];
            let now = self.cluster.clock(pid);
            println!(
                "  {survivors:?}: {:?}",
                self.cluster.node(pid).agreement(now)
            );
            println!("    {:?}", self.cluster.recover(pid, &survivors));
        }
        panic!("a quorum of which {names:?} of {voters} are left is not rebuilt by hand");
    }

    /// As an operator does who asks the one that knows most.
    fn rebuild(&mut self) -> bool {
        let up = self.with_condition(&Condition::Running);
        let survivors: Vec<Name> = up
            .iter()
            .map(|pid| self.cluster.launched(*pid).name.clone())
            .collect();
        let mark = |pid: &Pid| self.cluster.node(*pid).mark();
        let mut able: Vec<(Lineage, View, Pid)> = up
            .iter()
            .filter_map(|pid| mark(pid).map(|mark| (mark.lineage, mark.view, *pid)))
            .collect();
        able.sort();
        able.reverse();
        let mut able = able.into_iter();
        able.any(|(_, _, pid)| self.cluster.recover(pid, &survivors).is_ok())
    }

    /// Nobody knows any history: the first one is started as at first.
    fn begin_anew(&mut self) {
        if self.config.expect > 1 {
            let keeping = self.keeping.clone();
            return self.start_those(|at| keeping[at] != Keeping::Nothing);
        }
        let first = Launch::numbered(0);
        let up = self.cluster.up();
        for pid in up {
            if self.cluster.launched(pid).name == first.name {
                self.cluster.crash(pid);
            }
        }
        self.begun = false;
        self.start_those(|at| at == 0);
    }

    /// All come to hold the same view, however long some must wait until they are let back in.
    fn decide(&mut self) {
        let wait = self.config.readmission * 61 + secs(120);
        if self
            .cluster
            .run_until(wait, Cluster::is_unanimous)
            .is_some()
        {
            return;
        }
        for pid in self.cluster.up() {
            let now = self.cluster.clock(pid);
            let node = self.cluster.node(pid);
            println!(
                "  {}: {:?}",
                self.cluster.launched(pid).name,
                node.agreement(now)
            );
            let standings: Vec<_> = node.standings().collect();
            println!("    {standings:?}");
            let absent = standings
                .iter()
                .filter(|held| !self.is_up(Self::number_of(&held.name)));
            for held in absent {
                println!("    ABSENT {held:?} {:?}", node.member(held.name.as_str()));
            }
        }
        panic!("within {wait:?}: all are unanimous when the faults end");
    }

    fn end_faults(&mut self) {
        self.cluster.network().heal();
        *self.cluster.network().faults() = Faults::default();
        for pid in self.cluster.processes().collect::<Vec<_>>() {
            self.cluster.fill_disk(pid, false);
        }
        for pid in self.cluster.up() {
            self.cluster.unblock(pid);
            if *self.cluster.condition(pid) == Condition::Paused {
                self.cluster.resume(pid);
            }
        }
        // To go on may mean to end.
        for pid in self.with_condition(&Condition::Running) {
            self.cluster.starve(pid, ms(0)..ms(0));
        }
        for pid in self.with_condition(&Condition::Running) {
            let now = self.cluster.clock(pid);
            if self.cluster.node(pid).agreement(now).memory_failed {
                // Whose disk was full votes again when it is started again.
                self.cluster.crash(pid);
                self.cluster.restart(pid);
            }
        }
    }

    fn converge(&mut self, limit: Duration, what: &str) {
        if self.cluster.run_until(limit, Cluster::agrees).is_none() {
            let pending = disagreements(&self.cluster, 5).join("\n  ");
            panic!("within {limit:?}: {what}; pending:\n  {pending}");
        }
    }

    /// What was suffered leaves nothing behind: the cost is that of a cluster without a past.
    fn check_quiet(&mut self) {
        let up = self.cluster.up();
        let before: Vec<_> = up
            .iter()
            .map(|pid| (*pid, self.cluster.traffic(*pid)))
            .collect();
        let since = self.cluster.now();
        let measured = secs(60);
        self.cluster.run_for(measured);
        // Each ping has an ack; lost members are contacted now and then.
        let pings = (self.config.rings as f64 + 1.0) / self.config.period.as_secs_f64();
        let contacts = 1.0 / self.config.reconnect_interval.as_secs_f64();
        let pulls = self.config.parts.push_pull;
        // A lease is asked of each voter, and granted by it, three times while it lasts.
        let voters = self
            .cluster
            .node(up[0])
            .agreement(self.cluster.clock(up[0]))
            .voters
            .len();
        let leases = 2.0 * voters.saturating_sub(1) as f64 * 3.0 / self.config.lease.as_secs_f64();
        let leases = (leases * 1.05 + 2.0) / up.len() as f64;
        let budget = Budget {
            packets_per_s: 2.0 * pings * 1.05 + contacts + leases + 4.0 / measured.as_secs_f64(),
            bytes_per_s: f64::INFINITY,
            streams_per_s: pulls.map_or(0.0, |interval| {
                1.1 / interval.as_secs_f64() + 1.0 / measured.as_secs_f64()
            }),
        };
        let dear = constant_cost(&self.cluster, &before, since, &budget);
        if !dear.is_empty() {
            for (pid, before) in &before {
                println!("{pid:?} {:?}", self.cluster.traffic(*pid).since(before));
            }
        }
        assert_eq!(dear, [], "quiet is cheap");
    }
}

impl Drop for Swarm {
    /// A run that fails tells what was drawn.
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.blows = draw_blows(self.seed, self.length);
            eprintln!("swarm: {}", self.drawn());
        }
    }
}

fn run(seed: u64) {
    let mut swarm = Swarm::new(seed);
    swarm.hurt();
    swarm.recover();
}

fn swarm(range: std::ops::Range<u64>) {
    seeds(range).into_iter().for_each(run);
}

#[test]
fn seeds_that_found_something_stay_green() {
    for (seed, found) in KEPT {
        println!("seed {seed}: {found}");
        run(*seed);
    }
}

// In parts, so that they run side by side. `tests/swarm` runs more of them.

#[test]
fn seeds_0_to_99() {
    swarm(0..100);
}

#[test]
fn seeds_100_to_199() {
    swarm(100..200);
}

#[test]
fn seeds_200_to_299() {
    swarm(200..300);
}

#[test]
fn seeds_300_to_399() {
    swarm(300..400);
}

#[test]
fn seeds_400_to_499() {
    swarm(400..500);
}

#[test]
fn seeds_500_to_599() {
    swarm(500..600);
}

#[test]
fn seeds_600_to_699() {
    swarm(600..700);
}

#[test]
fn seeds_700_to_799() {
    swarm(700..800);
}

#[test]
fn seeds_800_to_899() {
    swarm(800..900);
}

#[test]
fn seeds_900_to_999() {
    swarm(900..1000);
}

#[test]
fn seeds_1000_to_1099() {
    swarm(1000..1100);
}

#[test]
fn seeds_1100_to_1199() {
    swarm(1100..1200);
}

#[test]
fn seeds_1200_to_1299() {
    swarm(1200..1300);
}

#[test]
fn seeds_1300_to_1399() {
    swarm(1300..1400);
}

#[test]
fn seeds_1400_to_1499() {
    swarm(1400..1500);
}

#[test]
fn seeds_1500_to_1599() {
    swarm(1500..1600);
}

#[test]
fn seeds_1600_to_1699() {
    swarm(1600..1700);
}

#[test]
fn seeds_1700_to_1799() {
    swarm(1700..1800);
}

#[test]
fn seeds_1800_to_1899() {
    swarm(1800..1900);
}

#[test]
fn seeds_1900_to_1999() {
    swarm(1900..2000);
}
