//! How long a suspicion lasts (Lifeguard section IV-B).

use std::time::Duration;

use smallvec::SmallVec;

use crate::config::Config;
use crate::limits;
use crate::members::Name;
use crate::time::Time;

/// One suspicion: who holds it and when it ends unless it is refuted.
#[derive(Clone, Debug)]
pub(crate) struct Suspicion {
    accusers: SmallVec<[Name; 4]>,
    /// To whom the host itself said that the process is gone.
    refused: SmallVec<[Name; limits::REFUSED]>,
    /// When the second of them was heard of.
    settles: Option<Time>,
    /// When it was first heard of.
    heard: Time,
    /// From when its time counts: what this node lost is added.
    started: Time,
    min: Duration,
    max: Duration,
    confirmations: u32,
    /// How long one that is there has to answer two refusals.
    settling: Duration,
}

impl Suspicion {
    /// Starts one in a cluster of `members`, this node and the suspect included.
    pub(crate) fn new(by: Name, members: usize, config: &Config, now: Time) -> Suspicion {
        let min = shortest(config.suspicion, members);
        // Nobody else can confirm in a cluster of two: then there is nothing to wait for.
        let others = u32::try_from(members.saturating_sub(2)).unwrap_or(u32::MAX);
        Suspicion {
            accusers: SmallVec::from_iter([by]),
            refused: SmallVec::new(),
            settles: None,
            heard: now,
            started: now,
            min,
            max: min * config.suspicion_max_factor,
            confirmations: config.confirmations.min(others),
            settling: config.probe_timeout_min,
        }
    }

    /// Counts another accuser; false when it is no news.
    pub(crate) fn confirm(&mut self, by: &Name) -> bool {
        let full = self.accusers.len() > self.confirmations as usize;
        if full || self.accusers.contains(by) {
            return false;
        }
        self.accusers.push(by.clone());
        true
    }

    /// Counts those to whom the host itself said that the process is gone; false when that is no
    /// news. One alone may be told so by a firewall; two end it as soon as anybody who is there
    /// would have answered.
    pub(crate) fn refuse(&mut self, by: &[Name], now: Time) -> bool {
        let before = self.refused.len();
        for name in by {
            if self.refused.len() < limits::REFUSED && !self.refused.contains(name) {
                self.refused.push(name.clone());
            }
        }
        let news = self.refused.len() > before;
        if news && self.refused.len() == limits::REFUSED {
            self.settles = Some(now + self.settling);
        }
        news
    }

    pub(crate) fn refused(&self) -> &[Name] {
        &self.refused
    }

    /// Takes it as confirmed as can be: somebody's suspicion has already ended.
    pub(crate) fn shorten(&mut self) {
        self.max = self.min;
    }

    /// Whether it was heard of half its shortest time ago: long enough to have been refuted by
    /// anybody who is there. Whoever always runs late never ends a suspicion by itself; then the
    /// word of others must do.
    pub(crate) fn is_ripe(&self, now: Time) -> bool {
        now.since(self.heard) >= self.min / 2
    }

    /// Adds time that this node lost and that must not count against the suspect.
    pub(crate) fn postpone(&mut self, by: Duration) {
        self.started += by;
        self.settles = self.settles.map(|settles| settles + by);
    }

    pub(crate) fn accusers(&self) -> &[Name] {
        &self.accusers
    }

    /// Asserts what must always hold.
    pub(crate) fn check_invariants(&self) {
        let accusers = &self.accusers;
        assert!(!accusers.is_empty(), "somebody holds it");
        assert!(accusers.len() <= self.confirmations as usize + 1);
        let once = |names: &[Name]| (1..names.len()).all(|at| !names[..at].contains(&names[at]));
        assert!(once(accusers) && once(&self.refused), "each counts once");
        assert!(self.refused.len() <= limits::REFUSED);
        assert_eq!(
            self.settles.is_some(),
            self.refused.len() == limits::REFUSED,
            "two refusals settle it"
        );
        assert!(self.min <= self.max && self.heard <= self.started);
        assert!(self.deadline() <= self.started + self.max, "it ends");
    }

    /// When it ends in `unreachable`.
    pub(crate) fn deadline(&self) -> Time {
        let confirmed = self.accusers.len() as u32 - 1;
        let ends = self.started + duration(self.min, self.max, confirmed, self.confirmations);
        self.settles.map_or(ends, |settles| settles.min(ends))
    }
}

/// The time of a suspicion with every confirmation: `base` up to 10 members, then by log10.
///
/// In whole milliseconds, so that the last digit of a logarithm does not tell machines apart.
pub(crate) fn shortest(base: Duration, members: usize) -> Duration {
    let scaled = base.as_secs_f64() * (members.max(1) as f64).log10().max(1.0);
    Duration::from_millis((scaled * 1000.0).round() as u64)
}

/// max(min, max - (max - min) log(c + 1) / log(k + 1)) for c of k confirmations (Lifeguard IV-B).
pub(crate) fn duration(min: Duration, max: Duration, confirmed: u32, needed: u32) -> Duration {
    if confirmed >= needed || max <= min {
        return min;
    }
    let fraction = f64::from(confirmed + 1).ln() / f64::from(needed + 1).ln();
    let cut = (max - min).as_secs_f64() * fraction;
    let left = max.as_secs_f64() - cut;
    Duration::from_millis((left * 1000.0).round() as u64).max(min)
}
