//! How late a process comes to what it should do: a starved CPU.

use std::ops::Range;
use std::time::Duration;

use super::dice::Dice;
use crate::time::Time;

/// By how much wake-ups and inputs come too late. Ranges that end at zero: in time.
#[derive(Clone, Debug, Default)]
pub(super) struct Lateness {
    wakes: Range<Duration>,
    inputs: Range<Duration>,
    /// What was drawn for the present deadline: asking twice must not make it sooner.
    drawn: Option<(Time, Duration)>,
    /// When the process takes what has arrived; `None`: nothing waits.
    turn: Option<Time>,
}

impl Lateness {
    pub(super) fn new(wakes: Range<Duration>, inputs: Range<Duration>) -> Lateness {
        Lateness {
            wakes,
            inputs,
            drawn: None,
            turn: None,
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

    /// Something arrives: when it is taken, if that was not clear before. What arrives meanwhile is
    /// taken in the same turn.
    pub(super) fn next_turn(&mut self, now: Time, dice: &mut Dice) -> Option<Time> {
        if self.turn.is_some() {
            return None;
        }
        self.turn = Some(now + dice.duration(&self.inputs));
        self.turn
    }

    /// Whether it is the process's turn.
    pub(super) fn is_turn(&self, now: Time) -> bool {
        self.turn == Some(now)
    }

    /// The process has taken all that waited.
    pub(super) fn end_turn(&mut self) {
        self.turn = None;
    }
}

fn is_zero(range: &Range<Duration>) -> bool {
    range.start.is_zero() && range.end.is_zero()
}

#[cfg(test)]
mod tests;
