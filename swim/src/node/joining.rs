//! Seeds: tried until they answer, looked at now and then for ever.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use super::agreement::Quorum;
use super::outputs::Action;
use super::{Lifecycle, Node, Timer};
use crate::limits;
use crate::time::Time;

/// A seed and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeedInfo {
    /// `host:port`.
    pub seed: String,
    /// Whether it answered once, or turned out to be this node.
    pub joined: bool,
    /// What its last try met, if it failed.
    pub last_error: Option<SeedError>,
}

/// Why a seed is refused or did not work. The node goes on; failed seeds are tried again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SeedError {
    /// Not `host:port`.
    #[error("{0:?} is not host:port; write for instance 10.0.0.1:7946 or [::1]:7946")]
    Malformed(String),
    /// More than [`limits::SEEDS`].
    #[error("at most {max} seeds are kept", max = limits::SEEDS)]
    TooMany,
    /// The node is leaving or has left.
    #[error("this member is leaving")]
    Stopped,
    /// Its name has no address.
    #[error("its name does not resolve")]
    Unresolved,
    /// Nobody listens there.
    #[error("it refuses connections: is a muster agent running there?")]
    Refused,
    /// No answer in time.
    #[error("it does not answer")]
    Unanswered,
    /// It belongs to another cluster.
    #[error("it belongs to another cluster")]
    OtherCluster,
    /// It cannot open what this node says, or all is sealed there and nothing here.
    #[error(
        "it has not the key of this member: compare `muster keys list` here and there, and whether \
         both have a --key-file; if this member was away while the key changed, and longer than \
         --key-grace, give it the key file of another member"
    )]
    OtherKey,
    /// It takes nobody in.
    #[error("its table is full or it is leaving")]
    Full,
}

#[derive(Clone, Debug, Default)]
struct Seed {
    joined: bool,
    /// It stands for this node alone.
    own: bool,
    /// Nobody named it: a voter was there when it was last saved.
    remembered: bool,
    failures: u32,
    /// Streams of the present try that are not over.
    trying: u32,
    last_error: Option<SeedError>,
}

/// The seeds by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Seeds {
    known: BTreeMap<String, Seed>,
}

impl Seeds {
    /// Those that somebody named.
    fn named(&self) -> impl Iterator<Item = (&String, &Seed)> {
        self.known.iter().filter(|(_, seed)| !seed.remembered)
    }
}

impl Node {
    /// Adds seeds (`host:port`) and tries them at once. All are checked before any is added. Each
    /// is tried, with growing pauses, until it has answered once; after that it is looked at now
    /// and then, so that a cluster that fell apart finds itself again.
    pub fn join(&mut self, seeds: &[String], now: Time) -> Result<(), SeedError> {
        self.enter(now);
        match self.lifecycle {
            Lifecycle::Joining | Lifecycle::Member => {}
            Lifecycle::Leaving | Lifecycle::Left | Lifecycle::Removed => {
                return Err(SeedError::Stopped);
            }
        }
        for seed in seeds {
            check_seed(seed)?;
        }
        let new: BTreeSet<&String> = seeds
            .iter()
            .filter(|seed| !self.seeds.named().any(|(known, _)| known == *seed))
            .collect();
        if self.seeds.named().count() + new.len() > limits::SEEDS {
            return Err(SeedError::TooMany);
        }
        if self.table.counted() == 1 && !new.is_empty() {
            self.lifecycle = Lifecycle::Joining;
        }
        for seed in seeds.iter().collect::<BTreeSet<_>>() {
            let known = self.seeds.known.entry(seed.clone()).or_default();
            known.joined = false;
            known.own = false;
            known.remembered = false;
            known.failures = 0;
            self.try_seed(seed, now);
        }
        Ok(())
    }

    /// The seeds and what became of them, in order of their names.
    pub fn seeds(&self) -> Vec<SeedInfo> {
        let info = |(name, seed): (&String, &Seed)| SeedInfo {
            seed: name.clone(),
            joined: seed.joined || seed.own,
            last_error: seed.last_error.clone(),
        };
        self.seeds.named().map(info).collect()
    }

    /// What the last try of each seed met, if it failed. Copies nothing: one can look often.
    pub fn seed_errors(&self) -> impl Iterator<Item = (&str, Option<&SeedError>)> {
        let named = self.seeds.named();
        named.map(|(name, seed)| (name.as_str(), seed.last_error.as_ref()))
    }

    /// Tries the addresses at which voters were when they were last saved, as it does seeds: so
    /// voters that start again find each other when no seed answers.
    pub(super) fn try_remembered(
        &mut self,
        addresses: impl Iterator<Item = SocketAddr>,
        now: Time,
    ) {
        for addr in addresses.take(limits::VOTERS) {
            let seed = addr.to_string();
            let known = Seed {
                remembered: true,
                ..Seed::default()
            };
            self.seeds.known.insert(seed.clone(), known);
            self.set_timer(Timer::Seed(seed), now);
        }
    }

    fn try_seed(&mut self, seed: &str, now: Time) {
        self.actions.push_back(Action::Resolve {
            seed: seed.to_owned(),
        });
        // Should no answer come at all, it is tried again all the same.
        self.set_timer(Timer::Seed(seed.to_owned()), now + 2 * limits::STREAM_IDLE);
    }

    pub(super) fn on_seed_timeout(&mut self, seed: &str, now: Time) {
        let known = self.seeds.known.get(seed);
        let Some(known) = known.filter(|known| !known.joined) else {
            return;
        };
        if known.remembered && self.quorum(now) == Quorum::Held {
            // The voters have found each other, wherever they are now.
            self.seeds.known.remove(seed);
        } else {
            self.try_seed(seed, now);
        }
    }

    /// The addresses of a seed that was to be resolved; none when its name has none.
    pub fn handle_resolved(&mut self, seed: &str, addresses: &[SocketAddr], now: Time) {
        self.enter(now);
        if !self.is_active() || self.lifecycle == Lifecycle::Leaving {
            return;
        }
        let Some(known) = self.seeds.known.get_mut(seed) else {
            return;
        };
        let joined = known.joined;
        if addresses.is_empty() {
            if !joined {
                self.on_seed_tried(seed, Err(SeedError::Unresolved), now);
            }
            return;
        }
        let mut others: Vec<SocketAddr> = addresses.to_vec();
        others.truncate(limits::SEED_ADDRESSES);
        others.sort();
        others.dedup();
        others.retain(|addr| *addr != self.me.addr);
        // Members that answer need no stream to be found.
        let present: BTreeSet<SocketAddr> = self.present_addresses(&others);
        if others.is_empty() {
            return self.on_own_seed(seed, now);
        }
        if let Some(known) = self.seeds.known.get_mut(seed) {
            known.own = false;
        }
        if !present.is_empty() && !joined {
            return self.on_seed_tried(seed, Ok(()), now);
        }
        others.retain(|addr| !present.contains(addr));
        let tries = if joined { 1 } else { SEED_STREAMS };
        for _ in 0..tries.min(others.len()) {
            let to = others.swap_remove(self.rng.below(others.len()));
            if self.pull_from(to, Some(seed.to_owned()), now).is_some()
                && let Some(known) = self.seeds.known.get_mut(seed)
            {
                known.trying += 1;
            }
        }
    }

    /// Those of the addresses at which a present member listens.
    fn present_addresses(&self, addresses: &[SocketAddr]) -> BTreeSet<SocketAddr> {
        self.table
            .iter()
            .filter(|member| member.statement.status == crate::members::Status::Alive)
            .map(|member| member.statement.record.addr)
            .filter(|addr| addresses.contains(addr))
            .collect()
    }

    /// One stream to a seed is over, or there was nobody to open one to.
    pub(super) fn on_seed_tried(&mut self, seed: &str, outcome: Result<(), SeedError>, now: Time) {
        let Some(known) = self.seeds.known.get_mut(seed) else {
            return;
        };
        known.trying = known.trying.saturating_sub(1);
        match outcome {
            Ok(()) if known.remembered => {
                self.seeds.known.remove(seed);
                self.timers.cancel(&Timer::Seed(seed.to_owned()));
                self.end_joining();
            }
            Ok(()) => {
                known.joined = true;
                known.failures = 0;
                known.last_error = None;
                self.timers.cancel(&Timer::Seed(seed.to_owned()));
                self.end_joining();
            }
            Err(error) => {
                known.last_error = Some(error);
                if known.joined || known.trying > 0 {
                    return;
                }
                known.failures += 1;
                let pause = backoff(known.failures, self.config.reconnect_interval);
                let again = now + self.rng.around(pause);
                self.set_timer(Timer::Seed(seed.to_owned()), again);
            }
        }
    }

    /// A seed that is only this node so far: others may come to stand under its name.
    fn on_own_seed(&mut self, seed: &str, now: Time) {
        let Some(known) = self.seeds.known.get_mut(seed) else {
            return;
        };
        if known.joined {
            return;
        }
        known.own = true;
        known.last_error = None;
        known.failures += 1;
        let pause = backoff(known.failures, self.config.reconnect_interval);
        let again = now + self.rng.around(pause);
        self.set_timer(Timer::Seed(seed.to_owned()), again);
        self.end_joining();
        if self.agreed.history.is_none() && self.config.parts.verdicts {
            self.set_timer(Timer::Found, now);
        }
    }

    /// Joining ends with the first other member, however they met. A node whose every seed is
    /// itself has nobody to wait for either.
    pub(super) fn end_joining(&mut self) {
        let alone = self.table.counted() == 1;
        let mut named = self.seeds.named();
        let all_joined = named.all(|(_, seed)| seed.joined || seed.own);
        if self.lifecycle == Lifecycle::Joining && (!alone || all_joined) {
            self.lifecycle = Lifecycle::Member;
        }
    }

    /// Whether it was given no seed but such as stand for this node alone.
    pub(super) fn has_only_own_seeds(&self) -> bool {
        self.seeds.named().all(|(_, seed)| seed.own)
    }

    /// Looks at one of the seeds that answered before: the cluster may have forgotten it.
    pub(super) fn check_some_seed(&mut self) {
        let joined: Vec<&String> = self
            .seeds
            .known
            .iter()
            .filter(|(_, seed)| seed.joined && seed.trying == 0)
            .map(|(name, _)| name)
            .collect();
        if !joined.is_empty() {
            let seed = joined[self.rng.below(joined.len())].clone();
            self.actions.push_back(Action::Resolve { seed });
        }
    }
}

/// Addresses of one seed that are tried at a time: a name may stand for a whole cluster.
const SEED_STREAMS: usize = 2;

/// The pause after so many failures: from one second, doubled, to the longest.
fn backoff(failures: u32, longest: Duration) -> Duration {
    let doubled = Duration::from_secs(1) * 2u32.pow(failures.saturating_sub(1).min(16));
    doubled.min(longest)
}

fn check_seed(seed: &str) -> Result<(), SeedError> {
    let malformed = || SeedError::Malformed(seed.to_owned());
    let (host, port) = seed.rsplit_once(':').ok_or_else(malformed)?;
    let bracketed = host.starts_with('[') && host.ends_with(']');
    let host_fits = !host.is_empty() && (bracketed || !host.contains(':'));
    let port_fits = port.parse::<u16>().is_ok_and(|port| port > 0);
    let printable = !seed.chars().any(|c| c.is_control() || c.is_whitespace());
    if host_fits && port_fits && printable && seed.len() <= limits::SEED_BYTES {
        Ok(())
    } else {
        Err(malformed())
    }
}
