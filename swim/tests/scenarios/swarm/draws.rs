//! What a run is like from its start: settings and network.

use std::time::Duration;

use muster_swim::Config;
use muster_swim::sim::{Bandwidth, Burst, Dice, Faults, Keeping, Latency, Quantiles};

use crate::support::*;

/// The faults of every link. Each field is drawn whatever the others are, in this order.
pub(super) fn faults(dice: &mut Dice) -> Faults {
    let slowest = *dice.pick(&[ms(1), ms(5), ms(60), ms(300)]);
    let tail = dice.chance(0.25);
    let loss = *dice.pick(&[0.0, 0.0, 0.0, 0.05, 0.25, 0.5]);
    let datagram_loss = *dice.pick(&[0.0, 0.0, 0.0, 0.0, 0.3, 1.0]);
    let storms = *dice.pick(&[None, None, None, Some(0.8), Some(1.0)]);
    let lasts = dice.duration(&(ms(20)..secs(3)));
    let calm = dice.duration(&(secs(1)..secs(30)));
    let duplicate = *dice.pick(&[0.0, 0.0, 0.1]);
    let reorder = *dice.pick(&[0.0, 0.0, 0.2]);
    let bytes_per_s = *dice.pick(&[None, None, None, Some(20_000), Some(200_000)]);
    let queue_bytes = *dice.pick(&[3000, 20_000, 200_000]);
    let mtu = *dice.pick(&[None, None, None, Some(576), Some(300)]);
    Faults {
        latency: latency(slowest, tail),
        loss,
        datagram_loss,
        burst: storms.map(|loss| Burst {
            loss,
            lasts,
            every: lasts + calm,
        }),
        duplicate,
        reorder,
        reorder_by: ms(50),
        bandwidth: bytes_per_s.map(|bytes_per_s| Bandwidth {
            bytes_per_s,
            queue_bytes,
        }),
        mtu,
    }
}

fn latency(slowest: Duration, tail: bool) -> Latency {
    let fastest = Duration::from_micros(200);
    if !tail {
        return (fastest..slowest).into();
    }
    Latency::Quantiles(Quantiles {
        min: fastest,
        median: slowest / 2,
        p90: slowest,
        p99: slowest * 3,
        max: slowest * 10,
    })
}

/// The settings of all members.
pub(super) fn config(seed: u64, size: usize) -> Config {
    let mut dice = Dice::of_topic(seed, "settings");
    let presets = [Config::lan(), Config::lan(), Config::local(), Config::wan()];
    let mut config = dice.pick(&presets).clone();
    config.rings = *dice.pick(&[1, 3, 3, 5]);
    config.forget_after = *dice.pick(&[config.forget_after, secs(60)]);
    config.indirect_probes = *dice.pick(&[3, 3, 3, 0, 1, 8]);
    config.confirmations = *dice.pick(&[3, 3, 3, 0, 10]);
    config.gossip_fanout = *dice.pick(&[1, 1, 0, 4]);
    config.gossip_multiplier = *dice.pick(&[3, 3, 1]);
    // What the papers ran passes the checks, too, and heals where it contacts those it lost.
    let mut dice = Dice::of_topic(seed, "papers");
    if dice.chance(0.1) {
        config = dice.pick(&[Config::swim(), Config::lifeguard()]).clone();
        config.reconnect_interval = Config::lan().reconnect_interval;
    }
    let mut dice = Dice::of_topic(seed, "verdicts");
    config.voters = *dice.pick(&[0, 0, 0, 1, 3, 5, 7]);
    config.lease = *dice.pick(&[config.lease, config.lease, ms(500), secs(1), secs(5)]);
    config.readmission = *dice.pick(&[secs(5), secs(1), ms(500)]);
    config.stall_timeout = *dice.pick(&[config.stall_timeout, secs(1)]);
    // More than half of all: fewer could form two clusters.
    let most = size / 2 + 1;
    config.expect = *dice.pick(&[1, 1, most]);
    config
}

/// What each member has to remember what a voter must. More than half can vote, the first always.
pub(super) fn keeping(seed: u64, size: usize) -> Vec<Keeping> {
    let mut dice = Dice::of_topic(seed, "keeping");
    let all = *dice.pick(&[Some(Keeping::Disk), Some(Keeping::Process), None, None]);
    let mut never = size - (size / 2 + 1);
    let mut draw = |at: usize| {
        let kinds = [
            Keeping::Disk,
            Keeping::Disk,
            Keeping::Process,
            Keeping::Nothing,
        ];
        let drawn = *dice.pick(&kinds);
        if drawn == Keeping::Nothing && (at == 0 || never == 0) {
            return Keeping::Disk;
        }
        never -= usize::from(drawn == Keeping::Nothing);
        drawn
    };
    let drawn: Vec<Keeping> = (0..size).map(&mut draw).collect();
    drawn
        .into_iter()
        .map(|drawn| all.unwrap_or(drawn))
        .collect()
}
