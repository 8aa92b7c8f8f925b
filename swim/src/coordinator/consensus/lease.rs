//! Leases: while the one who leads holds its lease, no voter of a majority lets another one lead
//! (DESIGN 4.3; Gray and Cheriton, SOSP 1989). Measured on monotonic clocks whose rates differ by
//! at most 1 %.
//!
//! Why the leases of two never overlap. A lease rests on the grants of a majority, the election of
//! another one on the promises of a majority: some voter gave both. It promises nothing while its
//! grant runs (and grants nothing but what it promised), and its grant outlives the lease, which
//! counts from when it was asked for. A ballot of the same voter it may promise: that is the same
//! process, and gives up its lease as soon as it has the new ballot; one life of it has ended
//! before the next begins. What is granted is not saved: whoever was restarted keeps quiet for as
//! long as its former life may have granted for. Voters that are set to leases of different length
//! grant theirs, and say so. Of two configurations the older one holds no lease any more once its
//! last cut is decided: who decided it has ended, and who leads later finds that cut in its log
//! and does not decide before it was put out (`Consensus::lease_left`).

use std::collections::VecDeque;
use std::time::Duration;

use omnipaxos::ballot_leader_election::Ballot;

use crate::time::Time;

/// A voter's own lease, if it leads, and the one that it has granted.
#[derive(Clone, Debug)]
pub(super) struct Leases {
    lasts: Duration,
    voters: usize,
    /// To which ballot this voter lets nobody be preferred, until when, and whether that one said
    /// that it holds a lease.
    granted: Option<Granted>,
    /// Until when this voter grants and promises nothing: it may have in a former life.
    silent_until: Time,
    /// Requests under way, oldest first.
    rounds: VecDeque<Round>,
    last_round: u32,
    /// For how long the last majority granted.
    length: Duration,
    /// Until when this voter holds the lease as the one who leads.
    held_until: Option<Time>,
    /// It lost its lease and asks for none until then, so that the others may choose another one.
    rests_until: Option<Time>,
}

#[derive(Clone, Copy, Debug)]
struct Granted {
    ballot: Ballot,
    until: Time,
    held: bool,
}

#[derive(Clone, Debug)]
struct Round {
    number: u32,
    asked: Time,
    /// By number of the voter.
    grants: u8,
    /// The shortest time for which one of them granted it.
    shortest: Duration,
}

/// Requests whose grants still count.
const ROUNDS: usize = 8;

impl Leases {
    /// A voter that grants for so long. `silence`: for how long a former life may have granted.
    pub(super) fn new(lasts: Duration, voters: usize, silence: Duration, now: Time) -> Leases {
        Leases {
            lasts,
            voters,
            granted: None,
            silent_until: now + silence,
            rounds: VecDeque::new(),
            last_round: 0,
            length: lasts,
            held_until: None,
            rests_until: None,
        }
    }

    /// Whether this voter must keep quiet after its restart.
    pub(super) fn is_silent(&self, now: Time) -> bool {
        now < self.silent_until
    }

    /// For how long this voter grants.
    pub(super) fn lasts(&self) -> Duration {
        self.lasts
    }

    /// For how long the others grant, as far as they said.
    pub(super) fn length(&self) -> Duration {
        self.length
    }

    fn grant(&self, now: Time) -> Option<&Granted> {
        self.granted.as_ref().filter(|granted| now < granted.until)
    }

    /// Whether this voter may promise a ballot.
    pub(super) fn lets(&self, ballot: Ballot, promised: Ballot, now: Time) -> bool {
        if ballot == promised {
            return true;
        }
        // Who holds it may go on with a higher ballot: it is still the same one.
        let free = self
            .grant(now)
            .is_none_or(|granted| granted.ballot.pid == ballot.pid);
        free && !self.is_silent(now)
    }

    /// Whether another voter than `me` has this one's grant.
    pub(super) fn granted_to_other(&self, me: u64, now: Time) -> bool {
        self.granted_until(me).is_some_and(|until| now < until)
    }

    /// Until when another voter than `me` has this one's grant, or had.
    pub(super) fn granted_until(&self, me: u64) -> Option<Time> {
        let granted = self.granted.as_ref()?;
        (granted.ballot.pid != me).then_some(granted.until)
    }

    /// Who said that it holds a lease that this voter has granted.
    pub(super) fn holder(&self, now: Time) -> Option<u64> {
        let granted = self.grant(now)?;
        granted.held.then_some(granted.ballot.pid)
    }

    /// Somebody whom this voter has promised asks; whether it is granted.
    pub(super) fn on_ask(&mut self, ballot: Ballot, held: bool, now: Time) -> bool {
        if self.is_silent(now) {
            return false;
        }
        let until = now + self.lasts;
        self.granted = Some(Granted {
            ballot,
            until,
            held,
        });
        true
    }

    /// This voter, who leads, asks the others. It grants the lease to itself, too.
    pub(super) fn ask(&mut self, me: u64, ballot: Ballot, now: Time) -> u32 {
        self.last_round = self.last_round.wrapping_add(1);
        self.rounds.push_back(Round {
            number: self.last_round,
            asked: now,
            grants: 1 << me,
            shortest: self.lasts,
        });
        if self.rounds.len() > ROUNDS {
            self.rounds.pop_front();
        }
        self.granted = Some(Granted {
            ballot,
            until: now + self.lasts,
            held: true,
        });
        self.last_round
    }

    /// Another voter grants what was asked in that round, for so long.
    pub(super) fn on_grant(&mut self, from: u64, round: u32, lasts: Duration) {
        let voters = self.voters;
        let Some(round) = self.rounds.iter_mut().find(|known| known.number == round) else {
            return;
        };
        round.grants |= 1 << from;
        round.shortest = round.shortest.min(lasts);
        if round.grants.count_ones() as usize > voters / 2 {
            // From when it was asked, by a clock that may run 1 % slow, against clocks that may
            // run 1 % fast.
            let until = round.asked + round.shortest / 100 * 98;
            self.length = round.shortest;
            self.held_until = Some(self.held_until.map_or(until, |held| held.max(until)));
            self.rests_until = None;
        }
    }

    /// How long this voter, who leads, still holds the lease.
    pub(super) fn left(&self, now: Time) -> Option<Duration> {
        let until = self.held_until.filter(|until| now < *until)?;
        Some(until.since(now))
    }

    /// Notices that the lease was lost.
    pub(super) fn look(&mut self, now: Time) {
        if self.held_until.is_some_and(|until| until <= now) {
            self.held_until = None;
            self.rests_until = Some(now + self.lasts);
        }
    }

    /// When this voter, who leads, may ask again after it has lost its lease.
    pub(super) fn rests_until(&self, now: Time) -> Option<Time> {
        self.rests_until.filter(|until| now < *until)
    }

    /// When the lease of this voter, who leads, ends if nothing is granted.
    pub(super) fn held_until(&self) -> Option<Time> {
        self.held_until
    }

    /// This voter leads no more, or with another ballot: what was granted to the old one is void.
    pub(super) fn forget_own(&mut self) {
        self.rounds.clear();
        self.held_until = None;
        self.rests_until = None;
    }

    /// When silence after a restart ends.
    pub(super) fn silent_until(&self) -> Time {
        self.silent_until
    }
}
