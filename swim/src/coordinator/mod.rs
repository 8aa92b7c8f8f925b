//! Agreed verdicts: who decides, what was decided, and what every member holds of it (DESIGN 4.2,
//! 4.3).
//!
//! A suspicion goes this way: a failed probe round -> report -> `Docket` of the coordinator, which
//! asks witnesses and weighs -> `Cut` -> `Consensus` among the voters -> committed, it is the next
//! view -> `History` of every member, pushed and repaired.

mod consensus;
mod cut;
mod docket;
mod evidence;
mod history;
mod index;
mod roster;
mod rosters;
mod signing;
mod voters;

#[cfg(test)]
mod tests;

pub(crate) use consensus::{Consensus, ConsensusSettings, Output, VoterNumber};
pub(crate) use cut::{Change, Cut, Office, Voter, Voters};
pub use cut::{Epoch, Lineage, Verdict, View, VoterId};
pub(crate) use docket::{Docket, Order, Report, Ruling, Summons, removals_after};
pub use evidence::{Evidence, Finding, Reason, Testimony};
pub(crate) use history::{CatchUp, History, Signed};
pub use roster::Standing;
pub(crate) use roster::{Removal, Roster, RosterHead, Turn};
pub(crate) use rosters::Rosters;
pub use signing::VoterKey;
#[cfg(test)]
pub(crate) use signing::key_of;
pub(crate) use signing::{Postmark, Said, Signature};
pub(crate) use voters::{Candidate, choose as choose_voters, suitable as suitable_voters};
