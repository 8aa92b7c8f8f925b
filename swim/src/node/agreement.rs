//! What a node tells of the agreed state, and what it is asked about it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::Node;
use super::keys::KeyReport;
use crate::config::ConfigError;
use crate::coordinator::{Epoch, Evidence, Lineage, Standing, View, VoterId, VoterKey};
use crate::event::EventKind;
use crate::members::{Instance, Name};
use crate::time::Time;

/// What a voter remembers over a restart, as its caller kept it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// What makes it its own: drawn when it was new. `None`: this member never votes.
    pub key: Option<VoterKey>,
    /// Whether it outlives the process. If not, no [`Action::Save`](super::Action) is asked for.
    pub durable: bool,
    /// All that was saved, in order of the keys.
    pub stored: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Memory {
    /// Of a member that votes, and forgets when its process ends.
    pub fn volatile(key: VoterKey) -> Memory {
        Memory {
            key: Some(key),
            durable: false,
            stored: Vec::new(),
        }
    }

    /// Of a member that never votes.
    pub fn never_votes() -> Memory {
        Memory::default()
    }

    /// Which memory it is.
    pub fn id(&self) -> VoterId {
        let key = self.key.as_ref();
        key.map_or(VoterId::NEVER, VoterKey::id)
    }
}

/// Why there is no node. The caller is at fault, or its disk.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NewError {
    /// A setting is out of its range.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// What was stored cannot be read: it is damaged, or of another version.
    #[error("what is stored of the voter's state cannot be read: {what}")]
    Stored {
        /// Which part.
        what: &'static str,
    },
}

/// One change of what is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// Under which key: at most 64 bytes.
    pub key: Vec<u8>,
    /// The new value; `None` removes it.
    pub value: Option<Vec<u8>>,
}

/// The number of a save; never used twice by one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SaveTicket(pub u64);

/// The number of a question whose answer comes later as [`Action::Answered`](super::Action).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// The answer to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The coordinator has committed this view, and this node now knows it or a later one.
    Current(View),
    /// The member was removed in this view, which this node now knows.
    Removed(View),
    /// Who has which keys, and whether they were changed.
    Keys(KeyReport),
    /// It could not be done.
    Failed(AskError),
}

/// Why a question has no answer, or a command was not carried out. Nothing was changed unless said.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// Nobody is known to decide.
    #[error(
        "there is no coordinator now: either no cluster has formed yet, or the quorum is lost; the \
         status tells which"
    )]
    NoCoordinator,
    /// The coordinator did not answer in time. Whether it did what it was asked is not known.
    #[error(
        "the coordinator did not answer in time: it may still do it; look before you try again"
    )]
    Unanswered,
    /// No such member.
    #[error("no member {0:?} is in the view")]
    NoSuchMember(String),
    /// It answers: it would come back by itself.
    #[error(
        "{0:?} answers: stop it first, or it comes back by itself; `force=true` removes it all the \
         same"
    )]
    StillAlive(String),
    /// It decides, and does not remove itself.
    #[error(
        "{0:?} is the coordinator, which does not remove itself: run `muster leave` there, or stop \
         it, and its successor decides"
    )]
    IsCoordinator(String),
    /// This node is leaving or has left.
    #[error("this member is leaving")]
    Stopped,
}

/// Why a lost quorum was not rebuilt. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecoverError {
    /// There is nothing to rebuild from.
    #[error("this member knows no agreed view: there is nothing to recover; start it with seeds")]
    NoHistory,
    /// The quorum is not lost.
    #[error("{}", quorum_held(*alive, *voters))]
    QuorumHeld {
        /// Voters that answer.
        alive: usize,
        /// All voters.
        voters: usize,
    },
    /// A named survivor does not answer.
    #[error("{0:?} was named as a survivor and does not answer here")]
    NoSuchSurvivor(String),
    /// A member that answers was not named.
    #[error("{0:?} answers and was not named: name every survivor")]
    Unnamed(String),
    /// Somebody knows a later view.
    #[error(
        "this member is behind: {name:?} knows view {view}; run it there, or wait until this one caught up"
    )]
    Behind {
        /// Who.
        name: String,
        /// What it knows.
        view: View,
    },
    /// This member never votes.
    #[error("this member never votes (--non-voting): run it on one that does")]
    NonVoting,
    /// This node is leaving or has left.
    #[error("this member is leaving")]
    Stopped,
}

/// Why a quorum with so many voters that answer is not rebuilt.
fn quorum_held(alive: usize, voters: usize) -> String {
    if alive > voters / 2 {
        return format!(
            "the quorum is held: {alive} of {voters} voters answer; recover only a quorum that is \
             lost"
        );
    }
    format!(
        "the quorum is not known to be lost yet: {alive} of {voters} voters answer, and that a voter \
         died is noticed within some seconds; try again then"
    )
}

/// Whether a majority of the voters is known to work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quorum {
    /// No cluster has formed, or this member is in none yet.
    Forming,
    /// It does.
    Held,
    /// It is not known to.
    Lost,
}

impl Quorum {
    /// The word used in listings and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Quorum::Forming => "forming",
            Quorum::Held => "held",
            Quorum::Lost => "lost",
        }
    }
}

/// Whether a member votes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It does.
    Voter,
    /// It does not.
    NonVoting,
}

impl Role {
    /// The word used in listings and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Voter => "voter",
            Role::NonVoting => "non-voting",
        }
    }
}

/// The agreed state as this node knows it now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// Which history; `None` while this node is in none.
    pub lineage: Option<Lineage>,
    /// The last view.
    pub view: View,
    /// The coordinator's term in it.
    pub epoch: Epoch,
    /// The coordinator, while the quorum is held.
    pub coordinator: Option<Name>,
    /// Where it listens, if that is known.
    pub coordinator_addr: Option<SocketAddr>,
    /// How long the lease still lasts, if this node is the coordinator: it decides no longer than
    /// that without hearing from the voters.
    pub lease_left: Option<Duration>,
    /// Whether decisions can be made.
    pub quorum: Quorum,
    /// Whether this node votes.
    pub role: Role,
    /// Who votes, in order of their names.
    pub voters: Vec<Name>,
    /// Whether another history of a cluster with the same name was met, which is never merged.
    pub conflict: Option<Lineage>,
    /// Whether saving failed: then this node votes no more.
    pub memory_failed: bool,
}

/// The file of a decided case, copied out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseFile {
    /// The member it was about.
    pub name: Name,
    /// Which life of it.
    pub instance: Instance,
    /// The view that decided it.
    pub view: View,
    /// When this node learned of it.
    pub at: Time,
    /// Whether the member was removed; else it was found degraded.
    pub removed: bool,
    /// Who found what.
    pub evidence: Arc<Evidence>,
}

/// Which point of which history a node has reached: equal marks are equal histories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Which history.
    pub lineage: Lineage,
    /// The last view.
    pub view: View,
    /// The epoch in it.
    pub epoch: Epoch,
    /// The hash of all cuts so far.
    pub chain: u64,
    /// Who holds the epoch, and which life of it.
    pub coordinator: Option<(Name, Instance)>,
}

impl Node {
    /// Which point of which history this node has reached; `None` while it is in none.
    pub fn mark(&self) -> Option<Mark> {
        let roster = self.agreed.roster()?;
        let office = roster.head.office.as_ref();
        Some(Mark {
            lineage: roster.head.lineage,
            view: roster.head.view,
            epoch: roster.epoch(),
            chain: roster.head.chain,
            coordinator: office.map(|office| (office.coordinator.clone(), office.instance)),
        })
    }

    /// Who votes in the last view that this node knows, and with which memory each.
    #[cfg(feature = "sim")]
    pub(crate) fn electorate(&self) -> Option<&crate::coordinator::Voters> {
        let roster = self.agreed.roster()?;
        Some(&roster.head.voters)
    }

    /// Which memory this node votes with, while it can.
    #[cfg(feature = "sim")]
    pub(crate) fn memory(&self) -> Option<VoterId> {
        let fails = self.agreed.saves.failed || self.agreed.voter == VoterId::NEVER;
        (!fails).then_some(self.agreed.voter)
    }

    /// What was agreed about a life, and in which view, as far as this node knows.
    #[cfg(feature = "sim")]
    pub(crate) fn verdict_on(
        &self,
        name: &str,
        instance: Instance,
    ) -> Option<(crate::coordinator::Verdict, View)> {
        self.agreed.roster()?.verdict(name, instance)
    }

    /// The members of the view, in order of their names.
    pub fn standings(&self) -> impl Iterator<Item = &Standing> {
        let roster = self.agreed.roster();
        roster.into_iter().flat_map(|roster| roster.standings())
    }

    /// Whether this node is the coordinator and holds its lease now.
    pub fn decides(&self, now: Time) -> bool {
        self.in_office(now)
    }

    /// The agreed state as this node knows it now.
    pub fn agreement(&self, now: Time) -> Agreement {
        let agreed = &self.agreed;
        let quorum = self.quorum(now);
        let roster = agreed.roster();
        let holder = self.decider().filter(|_| quorum == Quorum::Held);
        // A coordinator that lost its lease must not say that it is one.
        let coordinator = holder.filter(|name| *name != self.me.name || self.in_office(now));
        let held = coordinator
            .as_ref()
            .and_then(|name| self.table.get(name.as_str()));
        let voters = roster.map(|roster| roster.head.voters.voters.iter());
        let mut voters: Vec<Name> = voters
            .into_iter()
            .flatten()
            .map(|voter| voter.name.clone())
            .collect();
        voters.sort();
        let lease = agreed.voting.as_ref();
        let lease = lease.filter(|_| self.in_office(now));
        Agreement {
            lineage: roster.map(|roster| roster.head.lineage),
            view: agreed.view(),
            epoch: self.epoch(),
            coordinator_addr: held.map(|member| member.statement.record.addr),
            coordinator,
            lease_left: lease.and_then(|voting| voting.consensus.lease_left(now)),
            quorum,
            role: if self.votes() {
                Role::Voter
            } else {
                Role::NonVoting
            },
            voters,
            conflict: agreed.conflict,
            memory_failed: agreed.saves.failed,
        }
    }

    /// Tells the users that this node decides, each time that it begins to: who asked in between,
    /// while it had no lease, was refused and waits for that.
    pub(super) fn tell_deciding(&mut self, now: Time) {
        let epoch = self.in_office(now).then(|| self.epoch());
        if epoch.is_some() && self.agreed.told_deciding != epoch {
            self.tell(self.me(), EventKind::CoordinatorChanged, now);
        }
        self.agreed.told_deciding = epoch;
    }

    /// A lease that ran out while nothing happened here was missed by who asked.
    pub(super) fn notice_lapse(&mut self, now: Time) {
        if self.agreed.told_deciding.is_some() && !self.in_office(now) {
            self.agreed.told_deciding = None;
        }
    }

    /// What is known so far in an open case about a member; only the coordinator has it.
    pub fn open_case(&self, name: &str) -> Option<Evidence> {
        let office = self.agreed.office.as_ref()?;
        office.docket.open_case(&Name::new(name).ok()?)
    }

    /// The last files of cases about a member, newest first, also when it is forgotten.
    pub fn case_files(&self, name: &str) -> Vec<CaseFile> {
        let history = self.agreed.history.as_ref();
        let files = history.into_iter().flat_map(|history| history.files(name));
        files
            .map(|file| CaseFile {
                name: file.name.clone(),
                instance: file.instance,
                view: file.view,
                at: file.at,
                removed: file.removed,
                evidence: Arc::clone(&file.evidence),
            })
            .collect()
    }
}
