//! Round-trip time of one member, estimated as TCP does it (RFC 6298 section 2).

use std::time::Duration;

use crate::config::Config;

/// Smoothed round-trip time and its variation, in microseconds; zero before the first sample.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RoundTrip {
    smoothed_us: u32,
    variation_us: u32,
}

impl RoundTrip {
    /// Takes one measured round trip.
    pub(crate) fn sample(&mut self, measured: Duration) {
        let us = u32::try_from(measured.as_micros())
            .unwrap_or(u32::MAX / 8)
            .clamp(1, u32::MAX / 8);
        if self.smoothed_us == 0 {
            self.smoothed_us = us;
            self.variation_us = us / 2;
        } else {
            // RFC 6298 (2.3): beta = 1/4, alpha = 1/8.
            let off = self.smoothed_us.abs_diff(us);
            self.variation_us = (3 * self.variation_us + off) / 4;
            self.smoothed_us =
                ((7 * u64::from(self.smoothed_us) + u64::from(us)) / 8).max(1) as u32;
        }
    }

    /// Asserts what must always hold.
    pub(crate) fn check_invariants(&self) {
        let longest = u32::MAX / 8;
        assert!(self.smoothed_us <= longest && self.variation_us <= longest);
        assert!(self.smoothed_us > 0 || self.variation_us == 0, "it varies");
    }

    /// The estimate, once there is one.
    pub(crate) fn estimate(&self) -> Option<Duration> {
        (self.smoothed_us > 0).then(|| Duration::from_micros(self.smoothed_us.into()))
    }

    /// How long to wait for an ack: SRTT + 4 RTTVAR within the configured bounds.
    pub(crate) fn timeout(&self, config: &Config) -> Duration {
        if self.smoothed_us == 0 {
            return config.probe_timeout_max;
        }
        let us = u64::from(self.smoothed_us) + 4 * u64::from(self.variation_us);
        Duration::from_micros(us).clamp(config.probe_timeout_min, config.probe_timeout_max)
    }

    /// How long relays and a stream have after that: a relay's own ping and its way back, and as
    /// much again for who is slow. A kernel answers a stream in one round trip.
    pub(crate) fn patience(&self, config: &Config) -> Duration {
        (self.timeout(config) * 4).min(config.probe_timeout_max)
    }
}
