//! The agreed state as JSON: who decides, what was decided and why.

use std::net::SocketAddr;

use muster_swim::{Agreement, CaseFile, Finding, Lineage, MemberInfo, Name, Reason, State};
use serde::{Deserialize, Serialize};

use super::{Word, millis, rfc3339};
use crate::agent::Clock;

/// Answer of `GET /v1/coordinator`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coordinator {
    /// Its name.
    pub name: String,
    /// Where it listens; null while that is not known here.
    pub addr: Option<SocketAddr>,
    /// Its term: a fencing token.
    pub epoch: u64,
    /// How long it decides without hearing from the voters, in milliseconds; only it knows.
    pub lease_ms: Option<u64>,
    /// Whether it is the member asked.
    #[serde(rename = "self")]
    pub is_self: bool,
}

impl Coordinator {
    /// The coordinator, while there is one; `me` is the member asked.
    pub fn new(agreement: &Agreement, me: &Name) -> Option<Coordinator> {
        let name = agreement.coordinator.as_ref()?;
        Some(Coordinator {
            name: name.to_string(),
            addr: agreement.coordinator_addr,
            epoch: agreement.epoch.0,
            lease_ms: agreement.lease_left.map(millis),
            is_self: name == me,
        })
    }
}

/// A history's word: the digits of the family, then how often its quorum was rebuilt.
pub fn lineage_word(lineage: Lineage) -> String {
    format!("{:016x}{:04x}", lineage.family, lineage.generation)
}

/// Answer of `DELETE /v1/members/{name}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removed {
    /// Whom.
    pub name: String,
    /// The view in which it is removed, which this member knows.
    pub view: u64,
}

/// Body of `POST /v1/recover`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recover {
    /// The names of all members that answer, the one asked included.
    pub survivors: Vec<String>,
}

/// Answer of `GET /v1/members/{name}/evidence`: what is known against a member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The member's name; it may be forgotten otherwise.
    pub name: String,
    /// What is held against it now, undecided.
    pub suspicion: Option<Suspicion>,
    /// The last cases about it that were decided, newest first.
    pub cases: Vec<Case>,
}

/// What one sidecar holds against a member now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspicion {
    /// `suspect`, `degraded` or `unreachable`.
    pub state: Word,
    /// Since when it has that state here; RFC 3339, UTC, milliseconds.
    pub since: String,
    /// Who suspects it, first accuser first, as far as known here.
    pub accusers: Vec<String>,
}

/// The file of a case that was decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// The life it was about.
    pub instance: u64,
    /// The view that decided it.
    pub view: u64,
    /// When the member asked learned of the decision; RFC 3339, UTC, milliseconds.
    pub at: String,
    /// Whether the member was removed; otherwise it was found degraded.
    pub removed: bool,
    /// `unreached`, `disputed`, `degraded-too-long` or `operator`.
    pub reason: Word,
    /// The member at which an operator asked for it.
    pub asked_at: Option<String>,
    /// From the first report to the decision, in milliseconds.
    pub took_ms: u32,
    /// Who found what, in the order in which it came.
    pub testimonies: Vec<Testimony>,
}

/// One observer's word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Testimony {
    /// Who.
    pub by: String,
    /// Whether it was asked; otherwise it came by itself.
    pub asked: bool,
    /// `reached`, `unreached` or `no-testimony`.
    pub finding: Word,
    /// What its probe met, when it did not reach the member.
    pub silence: Option<Word>,
    /// When, as far as the member asked can tell; RFC 3339, UTC, milliseconds.
    pub at: String,
    /// How long after the first report, in milliseconds.
    pub after_ms: u32,
    /// How much it counted, in hundredths.
    pub weight: u8,
}

impl Evidence {
    /// What is known against a member, if anything is.
    pub fn new(
        name: &str,
        member: Option<&MemberInfo>,
        accusers: &[Name],
        files: &[CaseFile],
        clock: &Clock,
    ) -> Option<Evidence> {
        let evidence = Evidence {
            name: name.to_owned(),
            suspicion: member.and_then(|member| Suspicion::new(member, accusers, clock)),
            cases: files.iter().map(|file| Case::new(file, clock)).collect(),
        };
        (evidence.suspicion.is_some() || !evidence.cases.is_empty()).then_some(evidence)
    }
}

impl Suspicion {
    fn new(member: &MemberInfo, accusers: &[Name], clock: &Clock) -> Option<Suspicion> {
        match member.state {
            State::Suspect | State::Degraded | State::Unreachable => Some(Suspicion {
                state: member.state.as_str().into(),
                since: rfc3339(clock.wall(member.since)),
                accusers: accusers.iter().map(ToString::to_string).collect(),
            }),
            State::Alive | State::Left | State::Dead => None,
        }
    }
}

impl Case {
    fn new(file: &CaseFile, clock: &Clock) -> Case {
        let evidence = &*file.evidence;
        let at = clock.wall(file.at);
        let begun = at - std::time::Duration::from_millis(evidence.took_ms.into());
        let testimony = |testimony: &muster_swim::Testimony| {
            let after = std::time::Duration::from_millis(testimony.after_ms.into());
            let (finding, silence) = match testimony.finding {
                Finding::Reached => ("reached", None),
                Finding::Unreached(silence) => ("unreached", Some(silence.as_str().into())),
                Finding::NoTestimony => ("no-testimony", None),
            };
            Testimony {
                by: testimony.by.to_string(),
                asked: testimony.asked,
                finding: finding.into(),
                silence,
                at: rfc3339(begun + after),
                after_ms: testimony.after_ms,
                weight: testimony.weight,
            }
        };
        Case {
            instance: file.instance.0,
            view: file.view.0,
            at: rfc3339(at),
            removed: file.removed,
            reason: evidence.reason.as_str().into(),
            asked_at: match &evidence.reason {
                Reason::Operator { at } => Some(at.to_string()),
                Reason::Unreached | Reason::Disputed | Reason::DegradedTooLong => None,
            },
            took_ms: evidence.took_ms,
            testimonies: evidence.testimonies.iter().map(testimony).collect(),
        }
    }
}
