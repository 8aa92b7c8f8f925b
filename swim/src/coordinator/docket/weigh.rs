//! How much a word counts, and what all words together say. Pure.
//!
//! Service Fabric's arbitrator compares the suspicion that has gathered against the accuser with
//! that against the accused, and lets one that reports many count for less (Kakivaya et al.,
//! EuroSys 2018, section 4.2; `ArbitrationTable.cpp`). Here the same makes the weight of a word,
//! and others are asked as well: between two that accuse each other a third one knows.

use std::time::Duration;

use crate::event::Silence;
use crate::limits;

/// What a word of a trustworthy observer counts.
pub(super) const FULL: u32 = 100;

/// An observer that is itself found unreached by two counts a fifth.
const ACCUSED_PERCENT: u32 = 20;

/// An observer that was just refuted counts so much; it regains the rest evenly.
const REFUTED_PERCENT: u32 = 30;

/// How long a refutation is held against an observer.
pub(super) const REFUTED_FOR: Duration = Duration::from_secs(60);

/// From this share of the weight on a member counts as not reached.
const CONVICTED_PERCENT: u32 = 80;

/// Up to this share of the weight it counts as reached.
const ACQUITTED_PERCENT: u32 = 20;

/// How many observers must not reach a member before it is convicted: one faulty observer
/// convicts nobody (DESIGN 3, guarantee 5).
pub(super) const CORROBORATED: usize = 2;

/// What speaks against an observer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Doubts {
    /// Its local health, 0 (fine) to [`limits::HEALTH`].
    pub(super) health: u8,
    /// Two others do not reach it.
    pub(super) accused: bool,
    /// How long ago a member that it accused was found well.
    pub(super) refuted: Option<Duration>,
}

/// What a word counts, 1 to [`FULL`].
pub(super) fn weight(doubts: Doubts) -> u32 {
    let health = u32::from(doubts.health.min(limits::HEALTH));
    let mut weight = FULL * (10 - health) / 10;
    if doubts.accused {
        weight = weight * ACCUSED_PERCENT / 100;
    }
    if let Some(ago) = doubts.refuted {
        let regained = ago.min(REFUTED_FOR).as_millis() as u32 * (100 - REFUTED_PERCENT)
            / REFUTED_FOR.as_millis() as u32;
        weight = weight * (REFUTED_PERCENT + regained) / 100;
    }
    weight.max(1)
}

/// How patient the coordinator is with a silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Patience {
    /// The host lives, the process does not answer: it may just pause.
    Stalled,
    /// Nothing answers: the witnesses' own rounds must say so.
    CutOff,
    /// The host says itself that the process is gone.
    Refused,
}

impl From<Silence> for Patience {
    fn from(silence: Silence) -> Patience {
        match silence {
            Silence::Stalled => Patience::Stalled,
            Silence::CutOff => Patience::CutOff,
            Silence::Refused | Silence::Replaced => Patience::Refused,
        }
    }
}

/// All words of one hearing, added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Weight of those that reach the member.
    pub(super) reached: u32,
    /// Weight of those that do not, by [`Patience`].
    pub(super) stalled: u32,
    pub(super) cut_off: u32,
    pub(super) refused: u32,
    /// How many do not.
    pub(super) unreached_by: usize,
    /// How many of them probed because they were asked, the coordinator included.
    pub(super) witnesses: usize,
    /// What the coordinator found itself.
    pub(super) own: Option<bool>,
    /// Asked observers that may still tell.
    pub(super) waiting: usize,
}

impl Tally {
    pub(super) fn unreached(&self) -> u32 {
        self.stalled + self.cut_off + self.refused
    }

    /// The silence that most unreached weight says; the more patient one of two that weigh alike.
    pub(super) fn patience(&self) -> Patience {
        if self.stalled >= self.cut_off.max(self.refused) {
            Patience::Stalled
        } else if self.cut_off >= self.refused {
            Patience::CutOff
        } else {
            Patience::Refused
        }
    }
}

/// What a hearing finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// All or nearly all that told do not reach it, with whatever patience that asks for.
    Unreached,
    /// All or nearly all reach it.
    Reached,
    /// Some do and some do not.
    Disputed,
    /// Too few have told anything.
    Unclear,
}

/// Whether in a view of so many nobody but the coordinator can tell anything of a member.
pub(super) fn is_alone(members: usize) -> bool {
    members <= 2
}

/// What all words say about a member of a view with so many `members`.
pub(super) fn judge(tally: &Tally, members: usize) -> Outcome {
    if is_alone(members) {
        // Nobody else is there to corroborate it.
        return match tally.own {
            Some(true) => Outcome::Reached,
            Some(false) => Outcome::Unreached,
            None => Outcome::Unclear,
        };
    }
    let total = tally.unreached() + tally.reached;
    let percent = tally.unreached() * 100;
    if total == 0 {
        Outcome::Unclear
    } else if percent <= ACQUITTED_PERCENT * total {
        Outcome::Reached
    } else if percent < CONVICTED_PERCENT * total {
        Outcome::Disputed
    } else if tally.unreached_by < CORROBORATED {
        Outcome::Unclear
    } else if tally.patience() == Patience::CutOff && tally.witnesses == 0 {
        // The accusers may have been cut off together; somebody must look now.
        Outcome::Unclear
    } else {
        Outcome::Unreached
    }
}

/// Whether removing so many members is more than the coordinator may do without the voters' own
/// witness: more than a minority of the view (DESIGN 3, guarantee 5).
pub(super) fn needs_voters(removing: usize, view: usize) -> bool {
    removing > view.saturating_sub(1) / 2
}

/// Whether enough of the voters do not reach a member themselves. `others` are all voters but the
/// member, those that are dead as well included: of an odd number of voters, a majority of all is
/// a majority of all but one too.
pub(super) fn voters_agree(unreached: usize, others: usize) -> bool {
    unreached > others / 2
}
