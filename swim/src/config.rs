//! Settings of the protocol.

use std::time::Duration;

use crate::limits;

mod papers;

/// Settings of the protocol, each with unit, range and why.
///
/// Start from a preset and change what must be changed; [`Config::check`] names what is out of
/// range.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// A member pings each of its successors and one random member once in this time.
    /// 100 ms to 60 s. Shorter finds failures sooner and costs more packets.
    pub period: Duration,
    /// Pseudo-random rings over all members. 0 to 8. Each adds two buddies to every member; with
    /// none there are random probes only (SWIM section 3.1).
    pub rings: usize,
    /// Shortest wait for an ack, however fast the member usually answers. 1 ms to 10 s.
    pub probe_timeout_min: Duration,
    /// Longest wait for an ack, and the wait while no round-trip time is known. Up to 30 s.
    pub probe_timeout_max: Duration,
    /// Relays asked when an ack does not come. 0 to 16 (SWIM section 3.1).
    pub indirect_probes: usize,
    /// A suspicion that enough members confirm lasts this long in a cluster of 10, and
    /// log10(members) times as long in a larger one. 0 to 5 min (Lifeguard section IV-B); with 0
    /// a member whose round failed is unreachable at once (SWIM section 3).
    pub suspicion: Duration,
    /// An unconfirmed suspicion lasts so many times as long. 1 to 20 (Lifeguard's beta).
    pub suspicion_max_factor: u32,
    /// Independent confirmations that bring a suspicion down to its shortest time. 0 to 16
    /// (Lifeguard's K).
    pub confirmations: u32,
    /// Time between two pushes of fresh updates; the first one goes at once. 1 ms to 10 s.
    pub gossip_interval: Duration,
    /// Random members that a push goes to, beside the successors. 0 to 16.
    pub gossip_fanout: usize,
    /// An update is passed on this many times log2(members). 1 to 16 (SWIM section 4.1: lambda).
    pub gossip_multiplier: u32,
    /// Time between two contacts to lost members or seeds. 1 s to 1 h.
    pub reconnect_interval: Duration,
    /// How long a leaving member waits for its buddies to hear of it. 100 ms to 60 s.
    pub leave_timeout: Duration,
    /// How long an unreachable member is remembered and contacted. 1 min to 1 year.
    pub forget_after: Duration,
    /// A fresh cluster forms when so many members have found each other. 1 to 1000; with 1 a
    /// member without seeds forms one alone (Consul's bootstrap-expect).
    pub expect: usize,
    /// How many members vote: 1, 3, 5 or 7; 0 for as many as suit the size of the cluster.
    pub voters: usize,
    /// How long a voter that confirmed the coordinator grants no other one. 500 ms to 60 s.
    /// Shorter replaces a dead coordinator sooner and costs more packets.
    pub lease: Duration,
    /// How long a process may not answer while its host does before it is convicted. 100 ms to
    /// 10 min.
    pub stall_timeout: Duration,
    /// How long a removed member must be reachable until it is a member again, the first time;
    /// 6, 24 and 60 times as long the next times. 100 ms to 10 min.
    pub readmission: Duration,
    /// The parts of the protocol that can be taken away, to compare with those who lack them.
    pub parts: Parts,
}

/// What distinguishes Muster's watching and gossip from SWIM's, each part on its own.
///
/// Agents have all of it; the simulator takes parts away to run what the papers ran
/// ([`Config::swim`], [`Config::lifeguard`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts {
    /// Suspicions are escalated to a coordinator and members are removed by its verdicts; without,
    /// every member has opinions only.
    pub verdicts: bool,
    /// Local health stretches this node's timeouts, and relays answer with nacks (Lifeguard
    /// section IV-A).
    pub local_health: bool,
    /// Local health stretches the period as well, as Lifeguard does. Muster's buddies count on
    /// being pinged.
    pub stretch_period: bool,
    /// What tells a suspect that it is suspected.
    pub tell_suspects: Tell,
    /// A stream is tried beside the relays.
    pub stream_probe: bool,
    /// Buddies hold idle streams, whose end makes them look at once.
    pub links: bool,
    /// What a host says of a datagram to a port where nobody listens is heard.
    pub refusals: bool,
    /// Tables are compared with a random member once in this time instead of whenever a ping or
    /// ack shows another digest (memberlist's push-pull).
    pub push_pull: Option<Duration>,
    /// How often an update is passed on, whatever the number of members, instead of
    /// [`Config::gossip_multiplier`].
    pub sends: Option<u32>,
    /// The first push of an update goes at once instead of with the next beat of
    /// [`Config::gossip_interval`].
    pub eager: bool,
    /// How often in a row an update is pushed before it waits for pings and acks to carry it.
    pub pushes: u32,
}

/// Which messages first tell their receiver that it is suspected, if it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tell {
    /// None: it hears of it by gossip (SWIM section 4.2).
    Nothing,
    /// Pings (Lifeguard section IV-C: the buddy system).
    Pings,
    /// Pings, acks, and a ping of its own when a round has failed.
    Everything,
}

impl Default for Parts {
    fn default() -> Parts {
        Parts {
            verdicts: true,
            local_health: true,
            stretch_period: false,
            tell_suspects: Tell::Everything,
            stream_probe: true,
            links: true,
            refusals: true,
            push_pull: None,
            sends: None,
            eager: true,
            pushes: 1,
        }
    }
}

/// A setting out of its range. The caller is at fault; no node was made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting} is {given}, allowed is {allowed}")]
pub struct ConfigError {
    /// The name of the field.
    pub setting: &'static str,
    /// The value it has.
    pub given: String,
    /// The values it may have.
    pub allowed: String,
}

impl Default for Config {
    fn default() -> Config {
        Config::lan()
    }
}

impl Config {
    /// Hosts in one data centre.
    pub fn lan() -> Config {
        Config {
            period: Duration::from_millis(4400),
            rings: 3,
            probe_timeout_min: Duration::from_millis(50),
            probe_timeout_max: Duration::from_millis(500),
            indirect_probes: 3,
            suspicion: Duration::from_secs(2),
            suspicion_max_factor: 4,
            confirmations: 3,
            gossip_interval: Duration::from_millis(50),
            gossip_fanout: 1,
            gossip_multiplier: 3,
            reconnect_interval: Duration::from_secs(30),
            leave_timeout: Duration::from_secs(5),
            forget_after: Duration::from_secs(14 * 24 * 3600),
            expect: 1,
            voters: 0,
            lease: Duration::from_millis(2400),
            stall_timeout: Duration::from_secs(6),
            readmission: Duration::from_secs(5),
            parts: Parts::default(),
        }
    }

    /// Hosts far apart: longer round trips, more patience.
    pub fn wan() -> Config {
        Config {
            period: Duration::from_secs(10),
            probe_timeout_min: Duration::from_millis(250),
            probe_timeout_max: Duration::from_secs(3),
            suspicion: Duration::from_secs(6),
            gossip_interval: Duration::from_millis(200),
            lease: Duration::from_secs(8),
            stall_timeout: Duration::from_secs(15),
            ..Config::lan()
        }
    }

    /// Processes on one host.
    pub fn local() -> Config {
        Config {
            period: Duration::from_secs(1),
            probe_timeout_min: Duration::from_millis(20),
            probe_timeout_max: Duration::from_millis(200),
            suspicion: Duration::from_millis(500),
            gossip_interval: Duration::from_millis(10),
            reconnect_interval: Duration::from_secs(10),
            ..Config::lan()
        }
    }

    /// Every setting that is out of its range, in the order of the fields.
    pub fn check(&self) -> Vec<ConfigError> {
        let mut errors = Vec::new();
        let mut range = |setting, value: Duration, low: Duration, high: Duration| {
            if value < low || value > high {
                errors.push(ConfigError {
                    setting,
                    given: format!("{value:?}"),
                    allowed: format!("{low:?} to {high:?}"),
                });
            }
        };
        let (ms, s) = (Duration::from_millis, Duration::from_secs);
        range("period", self.period, ms(100), s(60));
        range("probe_timeout_min", self.probe_timeout_min, ms(1), s(10));
        range(
            "probe_timeout_max",
            self.probe_timeout_max,
            self.probe_timeout_min,
            s(30),
        );
        // Only what papers lack can do without rings and suspicion.
        let is_whole = self.parts == Parts::default();
        let suspicion_min = if is_whole { ms(50) } else { ms(0) };
        range("suspicion", self.suspicion, suspicion_min, s(300));
        range("gossip_interval", self.gossip_interval, ms(1), s(10));
        range("reconnect_interval", self.reconnect_interval, s(1), s(3600));
        range("leave_timeout", self.leave_timeout, ms(100), s(60));
        range("forget_after", self.forget_after, s(60), s(366 * 24 * 3600));
        range("lease", self.lease, ms(500), s(60));
        range("stall_timeout", self.stall_timeout, ms(100), s(600));
        range("readmission", self.readmission, ms(100), s(600));
        let mut count = |setting, value: usize, low: usize, high: usize| {
            if value < low || value > high {
                errors.push(ConfigError {
                    setting,
                    given: value.to_string(),
                    allowed: format!("{low} to {high}"),
                });
            }
        };
        count("rings", self.rings, usize::from(is_whole), limits::RINGS);
        count("indirect_probes", self.indirect_probes, 0, 16);
        count(
            "suspicion_max_factor",
            self.suspicion_max_factor as usize,
            1,
            20,
        );
        count("confirmations", self.confirmations as usize, 0, 16);
        count("gossip_fanout", self.gossip_fanout, 0, 16);
        count("gossip_multiplier", self.gossip_multiplier as usize, 1, 16);
        count("expect", self.expect, 1, 1000);
        if !matches!(self.voters, 0 | 1 | 3 | 5 | 7) {
            errors.push(ConfigError {
                setting: "voters",
                given: self.voters.to_string(),
                allowed: "0 (as suits the cluster), 1, 3, 5 or 7".to_owned(),
            });
        }
        errors
    }
}
