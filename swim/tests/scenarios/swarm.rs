//! Anything may happen, drawn from a seed; then the faults end and all must agree.

use std::net::IpAddr;
use std::time::Duration;

use muster_swim::sim::{Cluster, Condition, Faults, Launch, Pid};
use muster_swim::{Config, Name};

use crate::support::*;

/// A cluster that is hurt at random.
pub(crate) struct Swarm {
    pub(crate) cluster: Cluster,
    size: usize,
    config: Config,
    /// Hosts that were not used yet, beyond one for each name.
    next_host: usize,
}

/// Names of members that are never down for good: the seeds of all.
const ANCHORS: usize = 2;

impl Swarm {
    pub(crate) fn new(seed: u64) -> Swarm {
        let mut cluster = Cluster::new(seed, options());
        let size = cluster.dice().number(2..24);
        *cluster.network().faults() = draw_faults(&mut cluster);
        let config = draw_config(&mut cluster);
        let mut swarm = Swarm {
            cluster,
            size,
            config,
            next_host: 200,
        };
        for at in 0..size {
            let launch = swarm.member(at);
            swarm.cluster.launch(launch);
            let pause = swarm.cluster.dice().duration(&(ms(0)..ms(200)));
            swarm.cluster.run_for(pause);
        }
        swarm
    }

    fn member(&self, at: usize) -> Launch {
        let launch = Launch::numbered(at).config(self.config.clone());
        (0..ANCHORS).fold(launch, |launch, seed| {
            launch.seed(Launch::numbered(seed).addr)
        })
    }

    /// The safety phase: whatever happens, every step must pass the checks.
    pub(crate) fn hurt(&mut self) {
        for _ in 0..self.cluster.dice().number(5..25) {
            self.hurt_once();
            let longest = *self.cluster.dice().pick(&[ms(50), secs(2), secs(20)]);
            let pause = self.cluster.dice().duration(&(ms(0)..longest));
            self.cluster.run_for(pause);
        }
        self.cluster.check();
    }

    fn hurt_once(&mut self) {
        let running = self.with_condition(&Condition::Running);
        let Some(victim) = self.one_of(&running) else {
            return self.start_some();
        };
        let host = self.cluster.host(victim);
        match self.cluster.dice().number(0..14) {
            0 => self.cluster.crash(victim),
            1 => self.cluster.crash_host(victim),
            2 | 3 => self.start_some(),
            4 => self.cluster.pause(victim),
            5 => self.resume_some(),
            6 => {
                let lag = self.cluster.dice().duration(&(ms(0)..secs(3)));
                self.cluster.slow_timers(victim, lag);
            }
            7 => {
                let count = self.cluster.dice().number(0..running.len());
                let side = self.cluster.dice().sample(&running, count);
                self.cluster.partition(&side);
            }
            8 => self.cluster.network().heal(),
            9 => *self.cluster.network().faults() = draw_faults(&mut self.cluster),
            10 => self.cut_some(host, &running),
            11 => {
                let length = *self.cluster.dice().pick(&[1, 3, 300, 1000]);
                let digit = self.cluster.dice().number(0..10).to_string();
                let value = digit.repeat(length);
                self.cluster
                    .set_tag(victim, "tag", &value)
                    .expect("it fits");
            }
            12 => self.start_namesake(victim),
            _ => self.leave_one(victim),
        }
    }

    fn cut_some(&mut self, host: IpAddr, running: &[Pid]) {
        let other = *self.cluster.dice().pick(running);
        let other = self.cluster.host(other);
        match self.cluster.dice().number(0..4) {
            0 => self.cluster.network().deafen(host),
            1 => self.cluster.network().mute(host),
            2 => self.cluster.network().cut(host, other),
            _ => self.cluster.network().link(host, other).loss = 0.9,
        }
    }

    fn leave_one(&mut self, pid: Pid) {
        if *self.cluster.condition(pid) == Condition::Running {
            self.cluster.leave(pid);
        }
    }

    /// Starts a member that is down, perhaps elsewhere or under a clock that was set back.
    fn start_some(&mut self) {
        let down: Vec<usize> = (0..self.size).filter(|at| !self.is_up(*at)).collect();
        let Some(at) = self.one_of(&down) else { return };
        let mut launch = self.member(at);
        if self.cluster.dice().chance(0.3) {
            launch.clock_behind = HOUR;
        }
        if at >= ANCHORS && self.cluster.dice().chance(0.3) {
            launch.addr = self.new_host();
        }
        self.cluster.launch(launch);
    }

    /// Starts another member with the name of one that is up.
    fn start_namesake(&mut self, of: Pid) {
        let mut launch = self.cluster.launched(of).clone();
        let anchor = (0..ANCHORS).any(|at| launch.name == Launch::numbered(at).name);
        if anchor {
            return;
        }
        launch.addr = self.new_host();
        self.cluster.launch(launch);
    }

    fn new_host(&mut self) -> std::net::SocketAddr {
        self.next_host += 1;
        Launch::numbered(self.next_host).addr
    }

    fn is_up(&self, at: usize) -> bool {
        let name: &Name = &Launch::numbered(at).name;
        self.cluster
            .up()
            .iter()
            .any(|pid| self.cluster.launched(*pid).name == *name)
    }

    fn resume_some(&mut self) {
        let paused = self.with_condition(&Condition::Paused);
        if let Some(pid) = self.one_of(&paused) {
            self.cluster.resume(pid);
        }
    }

    fn with_condition(&self, condition: &Condition) -> Vec<Pid> {
        let up = self.cluster.up().into_iter();
        up.filter(|pid| self.cluster.condition(*pid) == condition)
            .collect()
    }

    fn one_of<T: Copy>(&mut self, things: &[T]) -> Option<T> {
        (!things.is_empty()).then(|| *self.cluster.dice().pick(things))
    }

    /// The liveness phase: without faults all that are up agree, one of each name.
    pub(crate) fn recover(&mut self) {
        self.cluster.network().heal();
        *self.cluster.network().faults() = Faults::default();
        for pid in self.with_condition(&Condition::Paused) {
            self.cluster.resume(pid);
        }
        for pid in self.with_condition(&Condition::Running) {
            self.cluster.slow_timers(pid, ms(0));
        }
        // Leavers are through soon; then the anchors are needed.
        self.cluster.run_for(secs(6));
        for at in (0..ANCHORS.min(self.size))
            .filter(|at| !self.is_up(*at))
            .collect::<Vec<_>>()
        {
            let launch = self.member(at);
            self.cluster.launch(launch);
        }
        must(
            &mut self.cluster,
            secs(300),
            "all agree when the faults end",
            Cluster::agrees,
        );
        self.cluster.run_for(secs(120));
        // Some forget the dead a little sooner than others.
        must(
            &mut self.cluster,
            secs(60),
            "and go on to agree",
            Cluster::agrees,
        );
        self.check_quiet();
        self.cluster.check();
    }

    /// What was suffered leaves nothing behind: the cost is that of a cluster without a past.
    fn check_quiet(&mut self) {
        let up = self.cluster.up();
        let before: Vec<_> = up.iter().map(|pid| self.cluster.traffic(*pid)).collect();
        let measured = secs(60);
        self.cluster.run_for(measured);
        let traffic = up.iter().zip(&before);
        let traffic: Vec<_> = traffic
            .map(|(pid, before)| self.cluster.traffic(*pid).since(before))
            .collect();
        let opened: u64 = traffic.iter().map(|traffic| traffic.streams_opened).sum();
        assert_eq!(opened, 0, "nobody opens streams");
        let sent: u64 = traffic.iter().map(|traffic| traffic.datagrams_sent).sum();
        // Each ping has an ack; lost members are contacted now and then.
        let pings = (self.config.rings as f64 + 1.0) / self.config.period.as_secs_f64();
        let contacts = 1.0 / self.config.reconnect_interval.as_secs_f64();
        let budget = (2.0 * pings * 1.05 + contacts) * measured.as_secs_f64() + 4.0;
        let each = sent as f64 / up.len() as f64;
        assert!(each <= budget, "{each} packets each instead of {budget}");
    }
}

fn draw_faults(cluster: &mut Cluster) -> Faults {
    let dice = cluster.dice();
    let slowest = *dice.pick(&[ms(1), ms(5), ms(60), ms(300)]);
    Faults {
        latency: (Duration::from_micros(200)..slowest).into(),
        loss: *dice.pick(&[0.0, 0.0, 0.05, 0.25, 0.5]),
        duplicate: *dice.pick(&[0.0, 0.0, 0.1]),
        reorder: *dice.pick(&[0.0, 0.0, 0.2]),
        reorder_by: ms(50),
        ..Faults::default()
    }
}

fn draw_config(cluster: &mut Cluster) -> Config {
    let presets = [Config::lan(), Config::lan(), Config::local(), Config::wan()];
    let dice = cluster.dice();
    let mut config = dice.pick(&presets).clone();
    config.rings = *dice.pick(&[1, 3, 3, 5]);
    config.forget_after = *dice.pick(&[config.forget_after, secs(60)]);
    config
}

fn swarm(range: std::ops::Range<u64>) {
    for seed in seeds(range) {
        let mut swarm = Swarm::new(seed);
        swarm.hurt();
        swarm.recover();
    }
}

#[test]
fn seeds_0_to_49() {
    swarm(0..50);
}

#[test]
fn seeds_50_to_99() {
    swarm(50..100);
}

#[test]
fn seeds_100_to_149() {
    swarm(100..150);
}

#[test]
fn seeds_150_to_199() {
    swarm(150..200);
}
