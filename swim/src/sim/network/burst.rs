//! Bursts of loss on one link: a chain of two states (Gilbert 1960, Elliott 1963).

use super::faults::Burst;
use crate::sim::dice::Dice;
use crate::time::Time;

/// Whether a burst was going on when last looked. Only packets look, so a link without packets
/// costs nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Weather {
    looked: Option<(Time, bool)>,
}

impl Weather {
    /// The weather at `now`, drawn from what it was when last looked.
    ///
    /// The chain forgets at the rate `1/lasts + 1/gap`, whatever happened between.
    pub(super) fn look(&mut self, burst: &Burst, now: Time, dice: &mut Dice) -> bool {
        let gap = burst.every.saturating_sub(burst.lasts).as_secs_f64();
        let lasts = burst.lasts.as_secs_f64();
        let often = lasts / (lasts + gap);
        let probability = match self.looked {
            None => often,
            Some((before, stormy)) => {
                let passed = now.since(before).as_secs_f64();
                let remembers = e_to_minus(passed * (1.0 / lasts + 1.0 / gap));
                let was = if stormy { 1.0 } else { 0.0 };
                often + (was - often) * remembers
            }
        };
        let stormy = dice.chance(probability);
        let at = self.looked.map_or(now, |(before, _)| before.max(now));
        self.looked = Some((at, stormy));
        stormy
    }
}

/// e to the power of `-x` by basic arithmetic only, which is the same on every machine.
fn e_to_minus(x: f64) -> f64 {
    if x > 40.0 {
        return 0.0;
    }
    // (1 + x/2^16 + (x/2^16)^2/2) to the power of -2^16.
    let small = x / 65_536.0;
    let mut power = 1.0 / (1.0 + small + small * small / 2.0);
    for _ in 0..16 {
        power = power * power;
    }
    power
}

#[cfg(test)]
mod tests;
