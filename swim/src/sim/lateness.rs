//! How late a process comes to what it should do: a starved CPU.

use std::ops::Range;
use std::time::Duration;

use super::dice::Dice;
use crate::time::Time;

/// By how much wake-ups and inputs come too late. Empty ranges at zero: in time.
#[derive(Clone, Debug, Default)]
pub(super) struct Lateness {
    wakes: Range<Duration>,
    inputs: Range<Duration>,
    /// What was drawn for the present deadline: asking twice must not make it sooner.
    drawn: Option<(Time, Duration)>,
    /// When the last input is taken: none overtakes it.
    last_input: Time,
}

impl Lateness {
    pub(super) fn new(wakes: Range<Duration>, inputs: Range<Duration>, now: Time) -> Lateness {
        Lateness {
            wakes,
            inputs,
            drawn: None,
            last_input: now,
        }
    }

    /// Whether inputs are taken as they come.
    pub(super) fn spares_inputs(&self) -> bool {
        is_zero(&self.inputs)
    }

    /// How late the wake-up for a deadline comes.
    pub(super) fn of_wake(&mut self, deadline: Time, dice: &mut Dice) -> Duration {
        if is_zero(&self.wakes) {
            return Duration::ZERO;
        }
        match self.drawn {
            Some((at, late)) if at == deadline => late,
            Some(_) | None => {
                let late = dice.duration(&self.wakes);
                self.drawn = Some((deadline, late));
                late
            }
        }
    }

    /// When an input that arrives now is taken: now or later.
    pub(super) fn of_input(&mut self, now: Time, dice: &mut Dice) -> Time {
        let at = now + dice.duration(&self.inputs);
        self.last_input = self.last_input.max(at);
        self.last_input
    }
}

fn is_zero(range: &Range<Duration>) -> bool {
    range.start.is_zero() && range.end.is_zero()
}
