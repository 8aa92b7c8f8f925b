//! Indirect probes run for others (SWIM section 3.1), with a nack when the target is silent
//! (Lifeguard section IV-A).

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::limits;
use crate::members::{Instance, NameHash};

/// A ping sent for somebody else.
#[derive(Clone, Debug)]
pub(crate) struct Relay {
    /// Who asked, and where that one is.
    pub(crate) asker: (NameHash, SocketAddr),
    /// The number of its round.
    pub(crate) asker_seq: u32,
    /// The life that must answer.
    pub(crate) instance: Instance,
    /// Whether the asker was told that the target is silent.
    pub(crate) nacked: bool,
}

/// The relayed pings under way, by their own numbers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Relays {
    relays: BTreeMap<u32, Relay>,
}

impl Relays {
    /// Notes one; false when there are too many.
    pub(crate) fn start(&mut self, seq: u32, relay: Relay) -> bool {
        if self.relays.len() >= limits::RELAYS {
            return false;
        }
        self.relays.insert(seq, relay);
        true
    }

    /// The target answered: whom to tell.
    pub(crate) fn acked(&mut self, seq: u32, instance: Instance) -> Option<Relay> {
        if self.relays.get(&seq)?.instance != instance {
            return None;
        }
        self.relays.remove(&seq)
    }

    /// Time passed: first a nack is due (whom to tell), the second time it is forgotten.
    pub(crate) fn timed_out(&mut self, seq: u32) -> Option<&Relay> {
        let relay = self.relays.get_mut(&seq)?;
        if relay.nacked {
            self.relays.remove(&seq);
            return None;
        }
        relay.nacked = true;
        self.relays.get(&seq)
    }
}
