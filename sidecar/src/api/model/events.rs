//! Events as JSON, and the cursors that say how far one has read.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use muster_swim::{
    AppDownCause, DeadCause, EventKind, Evidence, Finding, RemovedCause, UnreachableCause,
};
use serde::{Deserialize, Serialize};

use super::{App, Member, Word, apps, rfc3339};
use crate::agent::Clock;

/// The types of event that a stream can carry, as `type` in JSON and as filter: hints, verdicts,
/// what is told of the cluster and of this member.
pub const EVENT_TYPES: [&str; 17] = [
    "member-suspect",
    "member-unreachable",
    "member-reachable",
    "member-degraded",
    "member-up",
    "member-dead",
    "member-left",
    "member-updated",
    "app-up",
    "app-down",
    "app-health",
    "coordinator-changed",
    "quorum-lost",
    "quorum-regained",
    "self-removed",
    "self-readmitted",
    RESET,
];

/// The type of the event that announces a gap.
pub const RESET: &str = "reset";

/// Something that happened to a member: `data` of an event in `GET /v1/events`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Its place in the stream of this agent; empty until it is published.
    pub cursor: String,
    /// When this agent learnt of it; RFC 3339, UTC, milliseconds.
    pub time: String,
    /// One of [`EVENT_TYPES`] but `reset`.
    #[serde(rename = "type")]
    pub kind: Word,
    /// The agreed membership; 0 before there is one.
    pub view: u64,
    /// The coordinator's term; 0 before there is one.
    pub epoch: u64,
    /// The member it is about, as it was right after; this one where it is about the quorum.
    pub member: Member,
    /// What belongs to the type; in JSON beside the other fields.
    #[serde(flatten)]
    pub details: Details,
}

/// What belongs to the type of an event; absent where it does not apply.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    /// Who says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// What our own probe met: `stalled`, `cut-off`, `refused` or `replaced`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silence: Option<Word>,
    /// Which app it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// Which attachment of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attachment: Option<u64>,
    /// How the app is: of `app-up` and `app-health`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<Word>,
    /// Its own words to that, if it has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// With which status it exited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u8>,
    /// Which signal ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<Word>,
    /// Why: of `member-unreachable` `timeout`, `told`, `superseded`, `goodbye` or `verdict`; of
    /// `member-dead` `convicted`, `replaced` or `unknown`; of `self-removed` `verdict` or
    /// `name-taken`; of `app-down` one of [`ENDINGS`](super::ENDINGS).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Word>,
    /// Who suspected the member, first accuser first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accusers: Option<Vec<String>>,
    /// The instance that took the member's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<u64>,
    /// Where that instance listens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub addr: Option<SocketAddr>,
    /// On what grounds the coordinator decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grounds: Option<Grounds>,
    /// The view in which this member was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed_in: Option<u64>,
    /// Whether an operator rebuilt the quorum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovered: Option<bool>,
}

/// The evidence of a case in short; `GET /v1/members/{name}/evidence` has all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grounds {
    /// `unreached`, `disputed`, `degraded-too-long` or `operator`.
    pub reason: Word,
    /// Who did not reach the member.
    pub unreached: Vec<String>,
    /// Who reached it.
    pub reached: Vec<String>,
    /// Who was asked and did not tell.
    pub no_testimony: Vec<String>,
    /// How long the case took, in milliseconds.
    pub took_ms: u32,
}

impl Grounds {
    fn new(evidence: &Evidence) -> Grounds {
        let mut grounds = Grounds {
            reason: evidence.reason.as_str().into(),
            took_ms: evidence.took_ms,
            ..Grounds::default()
        };
        for testimony in &evidence.testimonies {
            let list = match testimony.finding {
                Finding::Reached => &mut grounds.reached,
                Finding::Unreached(_) => &mut grounds.unreached,
                Finding::NoTestimony => &mut grounds.no_testimony,
            };
            let name = testimony.by.to_string();
            // Whoever accused it first may have been asked again.
            if !list.contains(&name) {
                list.push(name);
            }
        }
        grounds
    }
}

impl Event {
    /// The event, still without a cursor.
    pub fn new(event: &muster_swim::Event, clock: &Clock) -> Event {
        Event {
            cursor: String::new(),
            time: rfc3339(clock.wall(event.time)),
            kind: event.kind.as_str().into(),
            view: event.view.0,
            epoch: event.epoch.0,
            member: Member::new(&event.member, clock),
            details: Details::new(&event.kind),
        }
    }
}

impl Details {
    fn new(kind: &EventKind) -> Details {
        let none = Details::default();
        match kind {
            EventKind::Reachable
            | EventKind::Up
            | EventKind::Left
            | EventKind::Updated
            | EventKind::CoordinatorChanged
            | EventKind::QuorumLost
            | EventKind::SelfReadmitted => none,
            EventKind::AppUp { app, as_was } => Details::of_app(app, as_was),
            EventKind::AppHealth { app, is_now } => Details::of_app(app, is_now),
            EventKind::AppDown {
                app,
                attachment,
                cause,
            } => Details {
                app: Some(app.to_string()),
                attachment: Some(attachment.0),
                ..Details::of_end(*cause)
            },
            EventKind::Degraded { evidence } => Details {
                grounds: evidence.as_deref().map(Grounds::new),
                ..none
            },
            EventKind::Dead { cause } => Details::of_death(cause),
            EventKind::QuorumRegained { recovered } => Details {
                recovered: Some(*recovered),
                ..none
            },
            EventKind::Suspect { by, silence } => Details {
                by: Some(by.to_string()),
                silence: silence.map(|silence| silence.as_str().into()),
                ..none
            },
            EventKind::Unreachable { cause } => Details::of_silence(cause),
            EventKind::SelfRemoved { cause } => match cause {
                RemovedCause::Verdict { view } => Details {
                    cause: Some("verdict".into()),
                    removed_in: Some(view.0),
                    ..none
                },
                RemovedCause::NameTaken { addr, instance } => Details {
                    cause: Some("name-taken".into()),
                    addr: Some(*addr),
                    instance: Some(instance.0),
                    ..none
                },
            },
        }
    }
}

impl Details {
    fn caused(word: &'static str) -> Details {
        Details {
            cause: Some(word.into()),
            ..Details::default()
        }
    }

    fn of_app(name: &str, app: &muster_swim::App) -> Details {
        let App { health, note, .. } = App::new(app);
        Details {
            app: Some(name.to_owned()),
            attachment: Some(app.attachment.0),
            health,
            note,
            ..Details::default()
        }
    }

    fn of_end(cause: AppDownCause) -> Details {
        let caused = Details::caused(cause.as_str());
        match cause {
            AppDownCause::Ended(ending) => Details {
                status: apps::status_of(ending),
                signal: apps::signal_of(ending),
                ..caused
            },
            AppDownCause::MemberReplaced { instance } => Details {
                instance: Some(instance.0),
                ..caused
            },
            AppDownCause::Unknown | AppDownCause::MemberDead | AppDownCause::MemberLeft => caused,
        }
    }

    fn of_silence(cause: &UnreachableCause) -> Details {
        match cause {
            UnreachableCause::Timeout { accusers } => Details {
                accusers: Some(accusers.iter().map(ToString::to_string).collect()),
                ..Details::caused("timeout")
            },
            UnreachableCause::Told { by } => Details {
                by: Some(by.to_string()),
                ..Details::caused("told")
            },
            UnreachableCause::Superseded { instance } => Details {
                instance: Some(instance.0),
                ..Details::caused("superseded")
            },
            UnreachableCause::Goodbye => Details::caused("goodbye"),
            UnreachableCause::Verdict => Details::caused("verdict"),
        }
    }

    fn of_death(cause: &DeadCause) -> Details {
        match cause {
            DeadCause::Convicted { evidence } => Details {
                grounds: Some(Grounds::new(evidence)),
                ..Details::caused("convicted")
            },
            DeadCause::Replaced { instance } => Details {
                instance: Some(instance.0),
                ..Details::caused("replaced")
            },
            DeadCause::Unknown => Details::caused("unknown"),
        }
    }
}

/// Announces a gap in the stream, with all members as they are now: `data` of the event `reset`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reset {
    /// The stream goes on right after this cursor.
    pub cursor: String,
    /// When the snapshot was taken; RFC 3339, UTC, milliseconds.
    pub time: String,
    /// Always `reset`.
    #[serde(rename = "type")]
    pub kind: Word,
    /// The agreed membership; 0 before there is one.
    pub view: u64,
    /// The coordinator's term; 0 before there is one.
    pub epoch: u64,
    /// `other-origin` (another agent or another start of this one), `too-old` (no longer kept) or
    /// `unknown` (never given out).
    pub reason: Word,
    /// All members in the order of their names.
    pub members: Vec<Member>,
}

/// A place in one agent's stream of events: `ORIGIN.SEQ` in JSON and URLs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cursor {
    /// Instance of the agent at its start.
    pub origin: u64,
    /// Number of the last event seen, from 1; 0 is before the first.
    pub seq: u64,
}

impl fmt::Display for Cursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.origin, self.seq)
    }
}

/// A text that is no cursor. The caller is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a cursor is two decimal numbers joined by a dot, as an event's id is")]
pub struct CursorError;

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Cursor, CursorError> {
        let (origin, seq) = text.split_once('.').ok_or(CursorError)?;
        // `parse` alone would take a sign.
        let number = |digits: &str| {
            let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            plain
                .then(|| digits.parse().ok())
                .flatten()
                .ok_or(CursorError)
        };
        Ok(Cursor {
            origin: number(origin)?,
            seq: number(seq)?,
        })
    }
}
