#![allow(unused, missing_docs)]
use super::cut::*;
use crate::time::Time;
use crate::wire::DropReason;
use std::time::Duration;
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct VoterNumber(u8);
impl VoterNumber {
    pub(crate) fn at(place: usize) -> VoterNumber {
        VoterNumber(place as u8 + 1)
    }
    pub(crate) fn place(self) -> usize {
        self.0 as usize - 1
    }
}
pub(crate) struct ConsensusSettings {
    pub lease: Duration,
    pub durable: bool,
}
#[derive(Debug)]
pub(crate) struct StoredError;
#[derive(Debug)]
pub(crate) struct Consensus;
pub(crate) enum Output {
    Save {
        ticket: u64,
        writes: Vec<crate::node::Write>,
    },
    Letter {
        to: VoterNumber,
        bytes: Vec<u8>,
    },
    Committed(Cut),
}
impl Consensus {
    pub(crate) fn new(
        voters: &Voters,
        me: &Voter,
        stored: &[(Vec<u8>, Vec<u8>)],
        restarted: bool,
        settings: ConsensusSettings,
        now: Time,
    ) -> Result<Consensus, StoredError> {
        Ok(Consensus)
    }
    pub(crate) fn handle_letter(
        &mut self,
        from: VoterNumber,
        bytes: &[u8],
        now: Time,
    ) -> Result<(), DropReason> {
        Ok(())
    }
    pub(crate) fn handle_timeout(&mut self, now: Time) {}
    pub(crate) fn poll_timeout(&self) -> Option<Time> {
        None
    }
    pub(crate) fn handle_saved(&mut self, ticket: u64, now: Time) {}
    pub(crate) fn handle_save_failed(&mut self) {}
    pub(crate) fn propose(&mut self, cut: Cut, now: Time) -> Result<(), Cut> {
        Err(cut)
    }
    pub(crate) fn leads(&self, now: Time) -> bool {
        false
    }
    pub(crate) fn is_idle(&self) -> bool {
        true
    }
    pub(crate) fn lease_left(&self, now: Time) -> Option<Duration> {
        None
    }
    pub(crate) fn leader(&self, now: Time) -> Option<VoterNumber> {
        None
    }
    pub(crate) fn campaign(&mut self, now: Time) {}
    pub(crate) fn committed(&self) -> u64 {
        0
    }
    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        None
    }
    pub(crate) fn check_invariants(&self) {}
}
