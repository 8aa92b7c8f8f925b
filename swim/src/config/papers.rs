//! Presets that run what the papers ran. They share every line with Muster's own protocol.

use std::time::Duration;

use super::{Config, Parts, Tell};

impl Config {
    /// SWIM as memberlist ran it for the Lifeguard paper (section V): one random member a second,
    /// 500 ms for its ack and 500 ms for those of 3 relays and a stream, a fixed suspicion of
    /// 5 log10(n) s, gossip to 3 members each 200 ms, 12 sends of an update (4 log10(n), at 100 to
    /// 1,000 members), push-pull each 30 s.
    pub fn swim() -> Config {
        Config {
            period: Duration::from_secs(1),
            rings: 0,
            probe_timeout_min: Duration::from_millis(500),
            probe_timeout_max: Duration::from_millis(500),
            suspicion: Duration::from_secs(5),
            suspicion_max_factor: 1,
            confirmations: 0,
            gossip_interval: Duration::from_millis(200),
            gossip_fanout: 3,
            reconnect_interval: Duration::from_secs(3600),
            parts: Parts {
                verdicts: false,
                local_health: false,
                stretch_period: false,
                tell_suspects: Tell::Nothing,
                stream_probe: true,
                links: false,
                refusals: false,
                push_pull: Some(Duration::from_secs(30)),
                sends: Some(12),
                eager: false,
                pushes: 4,
            },
            ..Config::lan()
        }
    }

    /// SWIM with local-health-aware probing (Lifeguard section IV-A).
    pub fn lha_probe() -> Config {
        let mut config = Config::swim();
        config.parts.local_health = true;
        config.parts.stretch_period = true;
        config
    }

    /// SWIM with local-health-aware suspicion: six times as long, down to the fixed one with three
    /// independent confirmations (Lifeguard section IV-B).
    pub fn lha_suspicion() -> Config {
        Config {
            suspicion_max_factor: 6,
            confirmations: 3,
            ..Config::swim()
        }
    }

    /// SWIM with the buddy system (Lifeguard section IV-C).
    pub fn buddy_system() -> Config {
        let mut config = Config::swim();
        config.parts.tell_suspects = Tell::Pings;
        config
    }

    /// All three parts together: Lifeguard.
    pub fn lifeguard() -> Config {
        Config {
            parts: Parts {
                tell_suspects: Tell::Pings,
                ..Config::lha_probe().parts
            },
            ..Config::lha_suspicion()
        }
    }

    /// Lifeguard with its tuned parameters, alpha = 2 and beta = 2: suspicions of 2 log10(n) s up
    /// to twice that (section V-F).
    pub fn lifeguard_tuned() -> Config {
        Config {
            suspicion: Duration::from_secs(2),
            suspicion_max_factor: 2,
            ..Config::lifeguard()
        }
    }

    /// SWIM of 2002 (section 5): a period of 2 s, one relay, no stream beside it; `suspicion` 0 is
    /// the protocol without the suspicion mechanism. Updates travel with pings and acks only.
    pub fn swim_2002(suspicion: Duration) -> Config {
        Config {
            period: Duration::from_secs(2),
            indirect_probes: 1,
            suspicion,
            gossip_interval: Duration::from_secs(10),
            gossip_fanout: 0,
            parts: Parts {
                stream_probe: false,
                sends: None,
                ..Config::swim().parts
            },
            ..Config::swim()
        }
    }
}
