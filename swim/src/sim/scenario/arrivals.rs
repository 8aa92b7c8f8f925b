//! Who is there when: what a step says of members must be so when it happens.

use std::time::Duration;

use super::{Fault, Scenario, Step, Whom};
use crate::limits;

/// When members start, from the start of the measured part.
#[derive(Debug)]
pub(super) struct Arrivals {
    /// Those that are there before it begins.
    before: usize,
    /// The starts of all others, in order; names go by it.
    starts: Vec<Duration>,
}

impl Arrivals {
    /// Of a scenario, as far as its steps are in their ranges.
    pub(super) fn of(scenario: &Scenario) -> Arrivals {
        let others = scenario.members.saturating_sub(1).min(limits::MEMBERS);
        let start = &scenario.start;
        let mut starts: Vec<Duration> = Vec::new();
        let before = if start.settle.is_some() {
            scenario.members
        } else {
            let nth = |other: usize| start.head_start + start.spacing.saturating_mul(other as u32);
            starts.extend((0..others).map(nth));
            1
        };
        for step in &scenario.steps {
            let (Fault::Join, Whom::Some(count)) = (&step.what, &step.whom) else {
                continue;
            };
            let count = u32::try_from(*count).unwrap_or(u32::MAX);
            let each = step.spans(scenario.duration).flat_map(|(from, _)| {
                let spacing = step.spacing;
                let nth = move |place| from.saturating_add(spacing.saturating_mul(place));
                // All that follow one that comes too late do so as well: nobody counts to four
                // billion.
                (0..count).map(nth).take_while(|at| *at < scenario.duration)
            });
            let room = limits::MEMBERS.saturating_sub(starts.len());
            starts.extend(each.take(room));
        }
        starts.sort_unstable();
        Arrivals { before, starts }
    }

    /// How many there are at last.
    pub(super) fn all(&self) -> usize {
        self.before + self.starts.len()
    }

    /// How many are there when something happens at `at`.
    pub(super) fn at(&self, at: Duration) -> usize {
        self.before + self.starts.partition_point(|start| *start < at)
    }

    /// When the member with this number starts, if that is in the measured part.
    pub(super) fn start_of(&self, number: usize) -> Option<Duration> {
        self.starts.get(number.checked_sub(self.before)?).copied()
    }
}

/// Occurrences of a step that are looked at before it is run.
const OCCURRENCES: u32 = 10_000;

impl Step {
    /// How often it begins in a measured part of this length.
    pub(super) fn occurrences(&self, duration: Duration) -> u128 {
        let Some(every) = self.every.filter(|every| !every.is_zero()) else {
            return 1;
        };
        let room = duration.saturating_sub(self.at).as_nanos();
        let fitting = room.div_ceil(every.as_nanos()).max(1);
        self.times
            .map_or(fitting, |times| fitting.min(u128::from(times)))
    }

    /// From when until when it lasts, each time.
    pub(super) fn spans(&self, duration: Duration) -> impl Iterator<Item = (Duration, Duration)> {
        let times = self.occurrences(duration).min(u128::from(OCCURRENCES)) as u32;
        let every = self.every.unwrap_or(Duration::ZERO);
        (0..times).map(move |time| {
            let from = self.at.saturating_add(every.saturating_mul(time));
            let until = self
                .lasts
                .map_or(duration, |lasts| from.saturating_add(lasts));
            (from, until)
        })
    }
}
