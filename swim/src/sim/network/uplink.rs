//! The one queue through which a host sends.

use std::time::Duration;

use super::faults::Bandwidth;
use crate::time::Time;

/// When what was handed over is out. Streams fill at most half of the queue, as Linux's small
/// queues have it: the rest waits in the kernels' socket buffers, so that datagrams find room.
#[derive(Clone, Debug, Default)]
pub(super) struct Uplink {
    /// When the queue is empty.
    queue: Time,
    /// When all is out, with what streams hold back.
    all: Time,
}

impl Uplink {
    /// How long a datagram of `bytes` takes to leave; `None`: it does not fit and is dropped.
    pub(super) fn datagram(
        &mut self,
        bytes: usize,
        bandwidth: &Bandwidth,
        now: Time,
    ) -> Option<Duration> {
        let held_back = self.all.since(now).min(bandwidth.queue_time() / 2);
        let waits = self.queue.since(now).max(held_back);
        let takes = bandwidth.time(bytes as u64);
        if waits + takes > bandwidth.queue_time() {
            return None;
        }
        self.queue = now + waits + takes;
        self.all = self.all.max(now) + takes;
        Some(waits + takes)
    }

    /// How long a segment of `bytes` takes to leave.
    pub(super) fn segment(&mut self, bytes: usize, bandwidth: &Bandwidth, now: Time) -> Duration {
        self.all = self.all.max(self.queue).max(now) + bandwidth.time(bytes as u64);
        let leaves = self.all.since(now);
        if leaves <= bandwidth.queue_time() / 2 {
            self.queue = self.all;
        }
        leaves
    }
}

impl Bandwidth {
    fn time(&self, bytes: u64) -> Duration {
        let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(self.bytes_per_s.max(1));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    fn queue_time(&self) -> Duration {
        self.time(self.queue_bytes)
    }
}
