//! Scenarios with names: what an operator wants to know before anything else.

use std::time::Duration;

use super::{Fault, Scenario, Start, Step, Whom};
use crate::config::Config;
use crate::sim::network::{Burst, Faults};

/// A scenario that is made for any number of members and any settings.
#[derive(Debug)]
pub struct BuiltIn {
    /// The word for it.
    pub name: &'static str,
    /// One sentence for listings, without a full stop.
    pub about: &'static str,
    /// Members when nothing else is asked for.
    pub members: usize,
    /// Fewer members have no such scenario.
    pub least: usize,
    build: fn(&Surroundings<'_>) -> Plan,
}

/// What one is made for.
struct Surroundings<'a> {
    members: usize,
    config: &'a Config,
    network: &'a Faults,
}

/// What makes one differ from [`Scenario::quiet`].
struct Plan {
    duration: Duration,
    steps: Vec<Step>,
}

/// All of them, in the order of listings.
pub static ALL: [BuiltIn; 10] = [
    BuiltIn {
        name: "quiet",
        about: "Nothing happens: what does watching cost?",
        members: 50,
        least: 1,
        build: |_| Plan::of(SECOND * 60, []),
    },
    BuiltIn {
        name: "bootstrap",
        about: "One seed, 10 s later all others at once: when do all know all?",
        members: 100,
        least: 2,
        build: |_| Plan::of(SECOND * 120, []),
    },
    BuiltIn {
        name: "crash",
        about: "Three processes are killed, 5 s apart",
        members: 50,
        least: 2,
        build: crash,
    },
    BuiltIn {
        name: "mass-crash",
        about: "A third of all hosts is switched off at once",
        members: 60,
        least: 2,
        build: mass_crash,
    },
    BuiltIn {
        name: "partition",
        about: "Half cannot reach the other half for 60 s",
        members: 50,
        least: 2,
        build: partition,
    },
    BuiltIn {
        name: "flip-flop",
        about: "A tenth receives nothing for 20 s of every 40 s",
        members: 50,
        least: 2,
        build: flip_flop,
    },
    BuiltIn {
        name: "lossy",
        about: "60 s without 25 % of all datagrams, then 60 s of loss in bursts",
        members: 50,
        least: 2,
        build: lossy,
    },
    BuiltIn {
        name: "slow-members",
        about: "A tenth runs late, a tenth is stopped 2 s of every 2.5 s",
        members: 50,
        least: 2,
        build: slow_members,
    },
    BuiltIn {
        name: "rolling-restart",
        about: "Everybody is restarted once, one by one, within two minutes",
        members: 50,
        least: 2,
        build: rolling_restart,
    },
    BuiltIn {
        name: "churn",
        about: "Members join, leave, crash and come back for three minutes",
        members: 50,
        least: 2,
        build: churn,
    },
];

const SECOND: Duration = Duration::from_secs(1);

/// When the first thing happens.
const ONSET: Duration = Duration::from_secs(5);

impl BuiltIn {
    /// The one with this name.
    pub fn named(name: &str) -> Option<&'static BuiltIn> {
        ALL.iter().find(|built_in| built_in.name == name)
    }

    /// The scenario for so many members with these settings on such a network.
    pub fn scenario(&self, members: usize, config: &Config, network: &Faults) -> Scenario {
        let Plan { duration, steps } = (self.build)(&Surroundings {
            members,
            config,
            network,
        });
        let is_bootstrap = self.name == "bootstrap";
        let start = Start {
            head_start: SECOND * 10,
            spacing: Duration::ZERO,
            settle: None,
        };
        Scenario {
            name: self.name.to_owned(),
            about: self.about.to_owned(),
            start: if is_bootstrap {
                start
            } else {
                Start::default()
            },
            network: network.clone(),
            duration,
            end_when_agreed: is_bootstrap,
            agree_within: Some(time_to_agree(members, config)),
            steps,
            ..Scenario::quiet(members, config.clone())
        }
    }
}

impl Plan {
    fn of(duration: Duration, steps: impl IntoIterator<Item = Step>) -> Plan {
        Plan {
            duration,
            steps: steps.into_iter().collect(),
        }
    }
}

fn crash(around: &Surroundings<'_>) -> Plan {
    let some = Whom::Some(around.members.saturating_sub(1).clamp(1, 3));
    let killed = Step {
        spacing: SECOND * 5,
        ..Step::once(ONSET, some, Fault::Crash)
    };
    Plan::of(SECOND * 15 + around.patience(), [killed])
}

fn mass_crash(around: &Surroundings<'_>) -> Plan {
    let off = Step::once(ONSET, Whom::Share(1.0 / 3.0), Fault::CrashHost);
    Plan::of(ONSET + around.patience(), [off])
}

fn partition(around: &Surroundings<'_>) -> Plan {
    let apart = Step::once(ONSET, Whom::Share(0.5), Fault::Partition).lasting(SECOND * 60);
    let healing = around.config.reconnect_interval.saturating_mul(2);
    let duration = healing.saturating_add(SECOND * 65 + around.patience());
    Plan::of(duration, [apart])
}

/// Rapid (USENIX ATC 2018, section 7.2): iptables rules for INPUT that come and go.
fn flip_flop(around: &Surroundings<'_>) -> Plan {
    let deaf = Fault::Loss {
        incoming: 1.0,
        outgoing: 0.0,
    };
    let step = Step::once(ONSET, Whom::Share(0.1), deaf)
        .lasting(SECOND * 20)
        .repeated(SECOND * 40, Some(6));
    Plan::of(SECOND * 245 + around.patience(), [step])
}

fn lossy(around: &Surroundings<'_>) -> Plan {
    let datagrams = Faults {
        datagram_loss: 0.25,
        ..around.network.clone()
    };
    let bursts = Faults {
        burst: Some(Burst {
            loss: 0.8,
            lasts: SECOND,
            every: SECOND * 10,
        }),
        ..around.network.clone()
    };
    let steps = [(ONSET, datagrams), (SECOND * 70, bursts)]
        .map(|(at, faults)| Step::once(at, Whom::All, Fault::Network(faults)).lasting(SECOND * 60));
    Plan::of(SECOND * 130 + around.patience(), steps)
}

fn slow_members(around: &Surroundings<'_>) -> Plan {
    let tenth = || Whom::Share(0.1);
    let starved = Step::once(ONSET, tenth(), Fault::Starve(SECOND / 2)).lasting(SECOND * 60);
    let stopped = Step::once(ONSET, tenth(), Fault::Pause)
        .lasting(SECOND * 2)
        .repeated(SECOND * 5 / 2, Some(24));
    Plan::of(SECOND * 65 + around.patience(), [starved, stopped])
}

/// Two minutes for all, whatever their number: that is how often something restarts.
fn rolling_restart(around: &Surroundings<'_>) -> Plan {
    let count = u32::try_from(around.members.max(1)).unwrap_or(u32::MAX);
    let restarts = Step {
        spacing: SECOND * 120 / count,
        ..Step::once(ONSET, Whom::All, Fault::Restart)
    };
    Plan::of(SECOND * 125 + around.patience(), [restarts])
}

fn churn(around: &Surroundings<'_>) -> Plan {
    let some = || Whom::Some((around.members / 50).max(1));
    let each_time = |at: u32, what: Fault| Step {
        redraw: true,
        ..Step::once(SECOND * at, some(), what).repeated(SECOND * 20, Some(9))
    };
    let steps = [
        each_time(5, Fault::Join),
        each_time(10, Fault::Crash).lasting(SECOND * 10),
        each_time(15, Fault::Leave),
    ];
    Plan::of(SECOND * 180 + around.patience(), steps)
}

impl Surroundings<'_> {
    fn patience(&self) -> Duration {
        patience(self.members, self.config)
    }
}

/// How long members with these settings may take to agree once nothing is wrong any more: lost
/// ones are contacted now and then, and those that are gone are noticed. At least two minutes.
pub fn time_to_agree(members: usize, config: &Config) -> Duration {
    let contacts = config.reconnect_interval.saturating_mul(4);
    let all = contacts.saturating_add(patience(members, config));
    all.clamp(SECOND * 120, PATIENCE_MAX)
}

/// Long enough for all to learn of a host that says nothing any more: a probe to it comes, fails,
/// is repeated through relays, and the suspicion that follows runs to its end.
fn patience(members: usize, config: &Config) -> Duration {
    // More than log10(members), by which suspicions grow, and the same on every machine.
    let digits = members.max(10).to_string().len() as u32;
    let suspicion = config.suspicion;
    let suspicion = suspicion.saturating_mul(config.suspicion_max_factor.max(1));
    let rounds = config.period.saturating_mul(3);
    let all = rounds
        .saturating_add(config.probe_timeout_max.saturating_mul(2))
        .saturating_add(suspicion.saturating_mul(digits))
        .min(PATIENCE_MAX);
    // Whole seconds read better in a report.
    Duration::from_secs(all.as_secs()) + ONSET * 2
}

/// Longer than any settings in their ranges ask for.
const PATIENCE_MAX: Duration = Duration::from_secs(365 * 24 * 3600);

#[cfg(test)]
mod tests;
