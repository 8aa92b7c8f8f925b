//! Watching: how long to wait for whom, what silence means, and when a suspicion ends.

mod expected;
mod health;
mod probe;
mod relay;
mod rtt;
mod suspicion;

#[cfg(test)]
mod tests;

pub(crate) use expected::Expected;
pub(crate) use health::Health;
pub(crate) use probe::{Answer, Probes, Purpose, Round, Stage, StreamProbe};
pub(crate) use relay::{Relay, Relays};
pub(crate) use rtt::RoundTrip;
pub(crate) use suspicion::Suspicion;
