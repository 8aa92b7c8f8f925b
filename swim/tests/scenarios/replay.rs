//! The simulator itself: a seed says everything.

use std::time::Duration;

use muster_swim::sim::{
    Bandwidth, Burst, ClockJump, Cluster, Dice, Faults, Latency, Launch, Options, Pid, Quantiles,
};

use crate::support::*;
use crate::swarm::Swarm;

#[test]
fn the_same_seed_gives_the_same_trace_byte_for_byte() {
    let mut hashes = Vec::new();
    for seed in seeds(1000..1006) {
        let run = || {
            let mut swarm = Swarm::new(seed);
            swarm.hurt();
            swarm.recover();
            swarm.cluster.trace_hash()
        };
        let hash = run();
        assert_eq!(hash, run(), "seed {seed} runs the same twice");
        assert!(!hashes.contains(&hash), "another seed runs otherwise");
        hashes.push(hash);
    }
}

#[test]
fn faults_that_are_off_draw_nothing() {
    let plain = settled(5, 5).0.trace_hash();
    let mut options = options();
    options.faults.reorder_by = secs(1);
    let same = settled_with(5, options, 5, hinting).0.trace_hash();
    assert_eq!(plain, same);
}

/// Every fault of a link at once.
fn all_faults() -> Faults {
    Faults {
        latency: Latency::Quantiles(Quantiles {
            min: ms(1),
            median: ms(5),
            p90: ms(20),
            p99: ms(100),
            max: ms(800),
        }),
        loss: 0.05,
        datagram_loss: 0.05,
        burst: Some(Burst {
            loss: 0.9,
            lasts: ms(200),
            every: secs(5),
        }),
        duplicate: 0.1,
        reorder: 0.1,
        reorder_by: ms(50),
        bandwidth: Some(Bandwidth {
            bytes_per_s: 50_000,
            queue_bytes: 20_000,
        }),
        mtu: Some(500),
    }
}

/// A run in which everything happens that can be done to a cluster. `pass` lets time pass.
fn everything(seed: u64, pass: &mut dyn FnMut(&mut Cluster, Duration)) -> u64 {
    let mut cluster = Cluster::new(
        seed,
        Options {
            faults: all_faults(),
            ..options()
        },
    );
    let launch = |at: usize| {
        let mut launch = Launch::numbered(at);
        launch.clock_ppm = at as i32 * 1000 - 5000;
        launch
    };
    let pids: Vec<Pid> = cluster.grow(10, launch);
    pass(&mut cluster, secs(10));
    let host = |cluster: &Cluster, at: usize| cluster.host(pids[at]);
    cluster.starve(pids[1], ms(0)..secs(1));
    cluster.slow_timers(pids[2], ms(700));
    cluster.block(pids[3], true);
    cluster.pause(pids[4]);
    cluster.jump_wall_clock(pids[5], ClockJump::Back(HOUR));
    cluster.crash(pids[5]);
    cluster.crash_host(pids[6]);
    let (one, other) = (host(&cluster, 7), host(&cluster, 8));
    *cluster.network().link(one, other) = Faults::default();
    cluster.network().lose(other, 0.3, 0.2);
    pass(&mut cluster, secs(7));
    cluster.separate(&pids[7..8], &pids[9..]);
    cluster.reset_streams(pids[0]);
    cluster.unblock(pids[3]);
    cluster.resume(pids[4]);
    pass(&mut cluster, ms(12_345));
    cluster.restart(pids[5]);
    cluster.restart(pids[6]);
    cluster.partition(&pids[..2]);
    cluster.leave(pids[8]);
    cluster
        .set_tag(pids[9], "big", &"x".repeat(900))
        .expect("it fits");
    pass(&mut cluster, secs(20));
    cluster.network().heal();
    pass(&mut cluster, secs(20));
    cluster.check();
    cluster.trace_hash()
}

#[test]
fn a_run_with_every_fault_is_the_same_twice() {
    for seed in 0..4 {
        let at_once = &mut |cluster: &mut Cluster, duration| cluster.run_for(duration);
        let hash = everything(seed, at_once);
        assert_eq!(hash, everything(seed, at_once), "seed {seed}");
        assert_ne!(hash, everything(seed + 4, at_once), "another seed");
    }
}

#[test]
fn in_which_steps_time_passes_changes_nothing() {
    for seed in 0..4 {
        let hash = everything(seed, &mut |cluster, duration| cluster.run_for(duration));
        let mut dice = Dice::new(seed);
        let stepped = everything(seed, &mut |cluster, duration| {
            let end = cluster.now() + duration;
            while cluster.now() < end {
                let longest = *dice.pick(&[Duration::from_nanos(2), ms(1), ms(70), secs(3)]);
                let step = dice.duration(&(Duration::ZERO..longest));
                cluster.run_for(step.min(end - cluster.now()));
            }
        });
        assert_eq!(hash, stepped, "seed {seed}");
        // Nor does who looks on.
        let watched = everything(seed, &mut |cluster, duration| {
            let never = cluster.run_until(duration, |cluster| cluster.up().is_empty());
            assert_eq!(never, None);
        });
        assert_eq!(hash, watched, "seed {seed}");
    }
}

#[test]
fn every_fault_changes_the_trace() {
    let run = |faults: Faults| {
        let mut cluster = Cluster::new(
            1,
            Options {
                faults,
                ..options()
            },
        );
        cluster.grow(6, Launch::numbered);
        cluster.run_for(secs(60));
        cluster.trace_hash()
    };
    let plain = run(Faults::default());
    let all = all_faults();
    let faults = |change: &dyn Fn(&mut Faults)| {
        let mut faults = Faults::default();
        change(&mut faults);
        faults
    };
    let each = [
        faults(&|faults| faults.latency = all.latency.clone()),
        faults(&|faults| faults.loss = all.loss),
        faults(&|faults| faults.datagram_loss = all.datagram_loss),
        faults(&|faults| faults.burst = all.burst),
        faults(&|faults| faults.duplicate = all.duplicate),
        faults(&|faults| faults.reorder = all.reorder),
        faults(&|faults| faults.bandwidth = all.bandwidth),
        faults(&|faults| faults.mtu = Some(100)),
    ];
    for faults in each {
        assert_ne!(run(faults.clone()), plain, "{faults:?}");
    }
}
