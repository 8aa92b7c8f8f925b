//! What can be said about a member, and which of two statements counts.

use std::cmp::Ordering;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::apps::AppsRef;
use super::name::NameRef;
use super::tags::TagsRef;
use super::{Apps, Name, Tags};
use crate::coordinator::VoterId;
use crate::limits;

/// One life of a member: newer start, larger number. The sidecar takes microseconds of Unix time,
/// which a JSON number holds exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Instance(pub u64);

impl Instance {
    /// The next larger instance: of a member that finds its own name taken by a newer one. After
    /// the [last](limits::INSTANCES) there is none.
    #[must_use]
    pub fn next(self) -> Instance {
        self.later_by(1)
    }

    /// So many microseconds later, but never after the last.
    pub(crate) fn later_by(self, us: u64) -> Instance {
        Instance(self.0.saturating_add(us).min(limits::INSTANCES))
    }
}

impl fmt::Display for Instance {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Counter within an instance, raised by its owner alone: to refute a suspicion, to publish tags
/// and apps.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Incarnation(pub u32);

impl Incarnation {
    /// The next one, or `None` at the end of the counter: then a new instance is due.
    pub fn next(self) -> Option<Incarnation> {
        self.0.checked_add(1).map(Incarnation)
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// What a member says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Unique in the cluster.
    pub name: Name,
    /// Where its datagrams and streams go.
    pub addr: SocketAddr,
    /// Its present life.
    pub instance: Instance,
    /// Its version within that life.
    pub incarnation: Incarnation,
    /// What it publishes.
    pub tags: Tags,
    /// Which memory it votes with, if it may.
    pub voter: VoterId,
    /// How often this process was removed and came back as a new life: it waits to be a member
    /// again, one that was restarted does not.
    pub returns: u32,
    /// What lives beside it.
    pub apps: Apps,
}

/// A record as it stands in a message: checked, and copied only when it is news.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct RecordRef<'a> {
    #[serde(borrow)]
    pub(crate) name: NameRef<'a>,
    pub(crate) addr: SocketAddr,
    pub(crate) instance: Instance,
    pub(crate) incarnation: Incarnation,
    #[serde(borrow)]
    pub(crate) tags: TagsRef<'a>,
    pub(crate) voter: VoterId,
    pub(crate) returns: u32,
    #[serde(borrow)]
    pub(crate) apps: AppsRef<'a>,
}

impl RecordRef<'_> {
    /// Whether it says the same as a record of the same name.
    pub(crate) fn says(&self, record: &Record) -> bool {
        debug_assert_eq!(self.name.as_str(), record.name.as_str());
        (self.instance, self.incarnation) == (record.instance, record.incarnation)
            && self.addr == record.addr
            && self.tags.are(&record.tags)
            && self.apps.are(&record.apps)
    }

    pub(crate) fn to_record(&self) -> Record {
        Record {
            name: self.name.to_name(),
            addr: self.addr,
            instance: self.instance,
            incarnation: self.incarnation,
            tags: self.tags.to_tags(),
            voter: self.voter,
            returns: self.returns,
            apps: self.apps.to_apps(),
        }
    }
}

/// What is held of a member at one incarnation, from weakest to strongest (SWIM section 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Status {
    /// It answers.
    Alive,
    /// Somebody could not reach it.
    Suspect,
    /// It did not refute the suspicion in time. A hint: it may still come back.
    Unreachable,
    /// It said goodbye. Only it can take that back, which it does when somebody else said it.
    Left,
}

/// A record and what is held of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The member's own word.
    pub record: Arc<Record>,
    /// What is held of it.
    pub status: Status,
}

/// The rank of a statement about a member of one name. The larger rank counts.
///
/// Within one instance a newer incarnation outranks every status of an older one, which is how a
/// suspicion is refuted (SWIM section 4.2), and a goodbye that was forged. Whoever did say goodbye
/// says nothing newer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    /// First the life.
    pub instance: Instance,
    /// Then the version.
    pub incarnation: Incarnation,
    /// Then the status.
    pub status: Status,
}

impl Rank {
    /// The rank of `status` held of `instance` at `incarnation`.
    pub fn new(instance: Instance, incarnation: Incarnation, status: Status) -> Rank {
        Rank {
            instance,
            incarnation,
            status,
        }
    }

    /// Whether it cannot be true of a member of whom this version is known: later than any clock
    /// shows, or further ahead than a member gets unheard.
    pub(crate) fn is_absurd(&self, known: Option<(Instance, Incarnation)>) -> bool {
        let ahead_of = |(instance, incarnation): (Instance, Incarnation)| {
            let since = match self.instance.cmp(&instance) {
                Ordering::Less => return false,
                Ordering::Equal => incarnation.0,
                Ordering::Greater => 0,
            };
            self.incarnation.0.saturating_sub(since) > limits::INCARNATIONS_AHEAD
        };
        self.instance.0 > limits::INSTANCES || known.is_some_and(ahead_of)
    }
}

impl Statement {
    /// The rank by which this statement is compared.
    pub fn rank(&self) -> Rank {
        Rank::new(self.record.instance, self.record.incarnation, self.status)
    }

    /// Whether only what is believed of the member is other than `before`: it says of itself what
    /// it said, and no goodbye.
    pub(crate) fn is_only_belief(&self, before: &Statement) -> bool {
        let (said, word) = (&before.record, &self.record);
        let believed = self.status != Status::Left && before.status != Status::Left;
        believed
            && **word
                == Record {
                    incarnation: word.incarnation,
                    ..(**said).clone()
                }
    }
}

/// Which of two statements about the *same name* counts: the greater one.
///
/// A total order, so that merging is commutative, associative and idempotent. Two lives that began
/// in the same microsecond are told apart by address, tags and apps; which one wins matters less
/// than that everybody picks the same.
pub fn precedence(one: &Statement, other: &Statement) -> Ordering {
    debug_assert_eq!(
        one.record.name, other.record.name,
        "statements about different members"
    );
    one.rank()
        .cmp(&other.rank())
        .then_with(|| one.record.addr.cmp(&other.record.addr))
        .then_with(|| one.record.tags.cmp(&other.record.tags))
        .then_with(|| one.record.apps.cmp(&other.record.apps))
}
