//! How often one peer may ask for something that costs more to answer than to ask.
//!
//! A bucket of tokens for each peer, kept as the one time at which it is full again (the generic
//! cell rate algorithm): a bucket that is full need not be kept.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use xxhash_rust::xxh3::xxh3_64;

use super::Node;
use crate::limits;
use crate::time::Time;

/// Who asks for what. A name counts with the address from which it is used, so that nobody else can
/// use up what a member may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Share {
    /// Everything that an address asks on streams: to join, to pull, to catch up.
    Requests(IpAddr),
    /// The table, by a hash of who asks.
    Pulls(IpAddr, u64),
    /// The coordinator's answers, by a hash of who asks.
    Calls(IpAddr, u64),
    /// The views that an address shows: what is asked of it for them.
    Views(IpAddr),
}

impl Share {
    pub(super) fn pulls(of: &str, at: IpAddr) -> Share {
        Share::Pulls(at, xxh3_64(of.as_bytes()))
    }

    pub(super) fn calls(of: &str, at: IpAddr) -> Share {
        Share::Calls(at, xxh3_64(of.as_bytes()))
    }

    /// How many at once, and how many in a second.
    fn bounds(self) -> (u32, u32) {
        match self {
            Share::Requests(_) => limits::REQUESTS,
            Share::Pulls(..) => limits::PULLS,
            Share::Calls(..) => limits::CALLS,
            Share::Views(_) => limits::SHOWN_VIEWS,
        }
    }
}

/// The buckets that are not full, at most [`limits::SHARES`].
#[derive(Debug, Default)]
pub(super) struct Rates {
    full_at: BTreeMap<Share, Time>,
    /// With so many it is looked which are full again.
    tidy_at: usize,
}

impl Rates {
    /// Takes a token; false when there is none.
    fn take(&mut self, share: Share, now: Time) -> bool {
        let (burst, per_second) = share.bounds();
        let token = Duration::from_secs(1) / per_second;
        let full_at = self.full_at.get(&share).map_or(now, |at| (*at).max(now));
        if full_at.since(now) > token * (burst - 1) {
            return false;
        }
        if self.full_at.insert(share, full_at + token).is_none() {
            self.tidy(now);
        }
        true
    }

    fn tidy(&mut self, now: Time) {
        if self.full_at.len() <= self.tidy_at.max(TIDY) {
            return;
        }
        self.full_at.retain(|_, at| *at > now);
        while self.full_at.len() > limits::SHARES {
            // The one that is full first loses least.
            let first = self.full_at.iter().min_by_key(|(_, at)| **at);
            let Some(share) = first.map(|(share, _)| *share) else {
                return;
            };
            self.full_at.remove(&share);
        }
        self.tidy_at = (2 * self.full_at.len()).min(limits::SHARES);
    }

    /// Asserts what must always hold.
    pub(super) fn check_invariants(&self) {
        assert!(self.full_at.len() <= limits::SHARES);
        assert!(self.tidy_at <= limits::SHARES, "it will be tidied");
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.full_at.len()
    }
}

/// Fewer buckets are not tidied.
const TIDY: usize = 16;

impl Node {
    /// Whether whoever has this share may ask once more; counts it when not.
    pub(super) fn may_ask(&mut self, share: Share, now: Time) -> bool {
        let may = self.rates.take(share, now);
        self.stats.dropped.rate += u64::from(!may);
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Time {
        Time::ZERO + Duration::from_millis(millis)
    }

    fn address(number: u32) -> IpAddr {
        std::net::Ipv4Addr::from_bits(number).into()
    }

    /// How many of so many are let through.
    fn taken(rates: &mut Rates, share: Share, tries: u32, now: Time) -> u32 {
        (0..tries).map(|_| u32::from(rates.take(share, now))).sum()
    }

    #[test]
    fn a_burst_is_let_through_and_then_so_many_in_a_second() {
        for share in [
            Share::Requests(address(1)),
            Share::pulls("a", address(1)),
            Share::calls("a", address(1)),
            Share::Views(address(1)),
        ] {
            let (burst, per_second) = share.bounds();
            let mut rates = Rates::default();
            assert_eq!(taken(&mut rates, share, 2 * burst, at(0)), burst);
            let later = taken(&mut rates, share, 2 * burst, at(1000));
            assert_eq!(later, per_second.min(burst), "{share:?}");
            assert_eq!(taken(&mut rates, share, 1, at(1000)), 0);
            assert_eq!(taken(&mut rates, share, 1, at(3_600_000)), 1);
        }
    }

    #[test]
    fn nobody_uses_up_the_share_of_another() {
        let mut rates = Rates::default();
        let spent = Share::pulls("a", address(1));
        taken(&mut rates, spent, 10_000, at(0));
        assert!(!rates.take(spent, at(0)));
        for other in [
            Share::pulls("b", address(1)),
            Share::pulls("a", address(2)),
            Share::calls("a", address(1)),
            Share::Requests(address(1)),
        ] {
            assert!(rates.take(other, at(0)), "{other:?}");
        }
    }

    #[test]
    fn it_remembers_no_more_than_it_may_and_nothing_for_long() {
        let mut rates = Rates::default();
        let spent = Share::Requests(address(0));
        taken(&mut rates, spent, 10_000, at(0));
        for number in 1..=100_000 {
            assert!(rates.take(Share::Requests(address(number)), at(0)));
            assert!(rates.len() <= limits::SHARES + 1, "{number}");
        }
        assert!(!rates.take(spent, at(0)), "the one that asked most is kept");
        for number in 0..100 {
            rates.take(Share::Views(address(number)), at(3_600_000));
        }
        assert!(rates.len() <= 100, "those that are full are forgotten");
    }
}
