//! What voters write to each other, and which of it is refused before anything acts on it.

use std::time::Duration;

use omnipaxos::ballot_leader_election::Ballot;
use omnipaxos::messages::Message;
use omnipaxos::messages::ballot_leader_election::{BLEMessage, HeartbeatMsg};
use omnipaxos::messages::sequence_paxos::{PaxosMessage, PaxosMsg};
use omnipaxos::util::LogSync;
use serde::{Deserialize, Serialize};

use super::storage::LONGEST;
use crate::coordinator::Cut;

/// A letter between two voters of one configuration.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Letter {
    /// Of the replicated log.
    Log(PaxosMsg<Cut>),
    /// Of the election.
    Beat(HeartbeatMsg),
    /// "Grant me the lease": from who leads with this ballot.
    Ask {
        ballot: Ballot,
        round: u32,
        /// Whether it holds a lease now.
        held: bool,
        /// How long its log is.
        accepted: u64,
        /// How much of it is decided.
        decided: u64,
    },
    /// "You have it": for so long from when the request came.
    Grant {
        ballot: Ballot,
        round: u32,
        lasts: Duration,
    },
    /// "I promised a higher one": to who asks with a ballot that is outbid.
    Outbid { ballot: Ballot, promised: Ballot },
}

/// What a letter is held against.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    pub(super) configuration: u32,
    pub(super) voters: u64,
    pub(super) me: u64,
    pub(super) from: u64,
    /// How long this voter's log is.
    pub(super) accepted: usize,
    /// How much of it is decided.
    pub(super) decided: usize,
}

/// No election comes that far; counting on from it must not overflow.
const LAST_BALLOT: u32 = 1 << 30;

impl Facts {
    /// Whether a ballot can be one of this configuration.
    fn is_ballot(&self, ballot: Ballot) -> bool {
        ballot.config_id == self.configuration
            && ballot.priority == 0
            && ballot.n <= LAST_BALLOT
            && (1..=self.voters).contains(&ballot.pid)
    }

    /// The same, or none yet.
    fn is_ballot_or_none(&self, ballot: Ballot) -> bool {
        ballot == Ballot::default() || self.is_ballot(ballot)
    }

    fn is_theirs(&self, ballot: Ballot) -> bool {
        self.is_ballot(ballot) && ballot.pid == self.from
    }

    fn is_mine(&self, ballot: Ballot) -> bool {
        self.is_ballot(ballot) && ballot.pid == self.me
    }

    /// Whether a part of a log fits onto ours: no gap, and nothing decided is replaced.
    fn fits(&self, sync: &LogSync<Cut>) -> bool {
        sync.decided_snapshot.is_none()
            && sync.stopsign.is_none()
            && (self.decided..=self.accepted).contains(&sync.sync_idx)
            && sync.sync_idx + sync.suffix.len() <= LONGEST
    }

    /// Whether a letter may be acted on. What no correct voter writes is refused: some of it would
    /// make the consensus panic or go beyond its own log.
    pub(super) fn allow(&self, letter: &Letter) -> bool {
        match letter {
            Letter::Log(message) => self.allows_log(message),
            Letter::Beat(HeartbeatMsg::Request(_)) => true,
            Letter::Beat(HeartbeatMsg::Reply(reply)) => {
                self.is_theirs(reply.ballot) && self.is_ballot_or_none(reply.leader)
            }
            Letter::Ask {
                ballot,
                accepted,
                decided,
                ..
            } => self.is_theirs(*ballot) && decided <= accepted,
            Letter::Grant { ballot, .. } => self.is_mine(*ballot),
            Letter::Outbid { ballot, promised } => {
                self.is_mine(*ballot) && self.is_ballot(*promised) && promised > ballot
            }
        }
    }

    fn allows_log(&self, message: &PaxosMsg<Cut>) -> bool {
        match message {
            PaxosMsg::PrepareReq(request) => self.is_ballot_or_none(request.n),
            PaxosMsg::Prepare(prepare) => {
                self.is_theirs(prepare.n)
                    && self.is_ballot_or_none(prepare.n_accepted)
                    && prepare.decided_idx <= prepare.accepted_idx
                    && prepare.accepted_idx <= LONGEST
            }
            PaxosMsg::Promise(promise) => {
                let longest = promise.log_sync.as_ref().map_or(self.accepted, |sync| {
                    sync.sync_idx.saturating_add(sync.suffix.len())
                });
                self.is_mine(promise.n)
                    && self.is_ballot_or_none(promise.n_accepted)
                    && promise.decided_idx <= promise.accepted_idx
                    && promise.accepted_idx <= LONGEST
                    && promise.decided_idx <= longest
                    && promise.log_sync.as_ref().is_none_or(|sync| self.fits(sync))
            }
            PaxosMsg::AcceptSync(sync) => {
                let longest = sync
                    .log_sync
                    .sync_idx
                    .saturating_add(sync.log_sync.suffix.len());
                self.is_theirs(sync.n) && self.fits(&sync.log_sync) && sync.decided_idx <= longest
            }
            PaxosMsg::AcceptDecide(accept) => {
                self.is_theirs(accept.n) && self.accepted + accept.entries.len() <= LONGEST
            }
            PaxosMsg::Accepted(accepted) => {
                self.is_mine(accepted.n) && accepted.accepted_idx <= self.accepted
            }
            PaxosMsg::NotAccepted(not) => self.is_ballot(not.n),
            PaxosMsg::Decide(decide) => self.is_theirs(decide.n),
            // Only who leads proposes, a cut ends a configuration, logs are not cut short.
            PaxosMsg::ProposalForward(_)
            | PaxosMsg::Compaction(_)
            | PaxosMsg::AcceptStopSign(_)
            | PaxosMsg::ForwardStopSign(_) => false,
        }
    }

    /// A message as the consensus takes it.
    pub(super) fn addressed_log(&self, msg: PaxosMsg<Cut>) -> Message<Cut> {
        Message::SequencePaxos(PaxosMessage {
            from: self.from,
            to: self.me,
            msg,
        })
    }

    /// A message as the election takes it.
    pub(super) fn addressed_beat(&self, msg: HeartbeatMsg) -> Message<Cut> {
        Message::BLE(BLEMessage {
            from: self.from,
            to: self.me,
            msg,
        })
    }
}
