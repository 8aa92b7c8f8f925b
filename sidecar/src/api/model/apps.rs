//! Apps as JSON: how they are, how they ended, and what is said of them.

use std::collections::BTreeMap;

use muster_swim::{AppHealth, AppState, Ending, MemberInfo, State};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use super::Word;

/// The health that an app may report.
pub const HEALTHS: [&str; 3] = ["passing", "warning", "failing"];

/// How an app can have ended: `ended` of an app, `cause` of `app-down`.
pub const ENDINGS: [&str; 8] = [
    "exited",
    "signalled",
    "detached",
    "lost",
    "unknown",
    "member-dead",
    "member-left",
    "member-replaced",
];

/// Names of signals by their numbers, from 1, as most machines with Linux number them.
const SIGNALS: [&str; 31] = [
    "SIGHUP",
    "SIGINT",
    "SIGQUIT",
    "SIGILL",
    "SIGTRAP",
    "SIGABRT",
    "SIGBUS",
    "SIGFPE",
    "SIGKILL",
    "SIGUSR1",
    "SIGSEGV",
    "SIGUSR2",
    "SIGPIPE",
    "SIGALRM",
    "SIGTERM",
    "SIGSTKFLT",
    "SIGCHLD",
    "SIGCONT",
    "SIGSTOP",
    "SIGTSTP",
    "SIGTTIN",
    "SIGTTOU",
    "SIGURG",
    "SIGXCPU",
    "SIGXFSZ",
    "SIGVTALRM",
    "SIGPROF",
    "SIGWINCH",
    "SIGIO",
    "SIGPWR",
    "SIGSYS",
];

/// Highest number of a signal.
const LAST_SIGNAL: u8 = 64;

/// One app of a member: its last attachment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct App {
    /// `up` or `down`.
    pub state: Word,
    /// Counts up with each attachment to one start of an agent.
    pub attachment: u64,
    /// While it is up: one of [`HEALTHS`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<Word>,
    /// While it is up: its own words to that, if it has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// While it is down: one of [`ENDINGS`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Word>,
    /// Its exit status (`exited`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u8>,
    /// The signal that ended it (`signalled`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<Word>,
}

/// Answer of `GET /v1/apps`: the apps of the member asked, by their names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Apps {
    /// The member.
    pub name: String,
    /// Those that run, and the last that ended.
    pub apps: BTreeMap<String, App>,
}

/// A line of the answer of `POST /v1/apps/{app}`: the first when the app is attached, the last when
/// it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachedLine {
    /// The member that it lives beside.
    pub member: String,
    /// Its name.
    pub name: String,
    /// How it is.
    #[serde(flatten)]
    pub app: App,
}

/// Body of `POST /v1/apps/{app}`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Attach {
    /// The process whose end is the app's, as the agent sees its number.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "whole")]
    pub pid: Option<i32>,
}

/// Body of `DELETE /v1/apps/{app}`: how it ended. Nothing at all: it says goodbye.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ended {
    /// Its exit status.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "whole")]
    pub status: Option<u8>,
    /// The signal that ended it, by name or number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal: Option<SignalWord>,
    /// Which attachment ended; else whichever runs.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "whole")]
    pub attachment: Option<u64>,
}

/// A signal as it may be given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SignalWord {
    /// By its number.
    Number(#[serde(deserialize_with = "number")] u8),
    /// By its name, such as `SIGKILL`.
    Name(String),
}

/// Body of `PUT /v1/apps/{app}/health`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// One of [`HEALTHS`].
    pub health: Word,
    /// A few words to it.
    #[serde(default)]
    pub note: String,
}

/// A whole number, also one that is written `3.0`: JSON has one kind of number, and there are
/// programs that write every number so (JSON Schema 2020-12, section 4.2.3).
fn whole<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<i128>,
{
    let Some(number) = Option::<serde_json::Number>::deserialize(deserializer)? else {
        return Ok(None);
    };
    let exact = number.as_i128().or_else(|| {
        let real = number.as_f64().filter(|real| real.fract() == 0.0)?;
        // So far every whole number is exact.
        (real.abs() < 9e15).then_some(real as i128)
    });
    match exact.and_then(|exact| T::try_from(exact).ok()) {
        Some(whole) => Ok(Some(whole)),
        None => Err(D::Error::custom(format!("{number} is not in the range"))),
    }
}

fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    whole(deserializer)?.ok_or_else(|| D::Error::custom("there is no number"))
}

impl App {
    /// An app as the core has it.
    pub fn new(app: &muster_swim::App) -> App {
        let attachment = app.attachment.0;
        match &app.state {
            AppState::Up { health, note } => App {
                state: "up".into(),
                attachment,
                health: Some(health.as_str().into()),
                note: (!note.is_empty()).then(|| note.to_string()),
                ..App::default()
            },
            AppState::Down(ending) => App {
                state: "down".into(),
                attachment,
                ended: Some(ending.as_str().into()),
                status: status_of(*ending),
                signal: signal_of(*ending),
                ..App::default()
            },
        }
    }

    /// The apps of a member: what ran beside a life that is over runs no more.
    pub fn all_of(info: &MemberInfo) -> BTreeMap<String, App> {
        let ended = match info.state {
            State::Dead => Some("member-dead"),
            State::Left => Some("member-left"),
            State::Alive | State::Suspect | State::Degraded | State::Unreachable => None,
        };
        let app = |app: &muster_swim::App| match ended {
            Some(ended) if app.is_up() => App {
                state: "down".into(),
                attachment: app.attachment.0,
                ended: Some(ended.into()),
                ..App::default()
            },
            Some(_) | None => App::new(app),
        };
        let apps = info.apps.iter();
        apps.map(|(name, held)| (name.to_string(), app(held)))
            .collect()
    }
}

/// The exit status, where there is one.
pub(super) fn status_of(ending: Ending) -> Option<u8> {
    match ending {
        Ending::Exited { status } => Some(status),
        Ending::Signalled { .. } | Ending::Detached | Ending::Lost => None,
    }
}

/// The signal, where there is one.
pub(super) fn signal_of(ending: Ending) -> Option<Word> {
    match ending {
        Ending::Signalled { signal } => Some(signal_name(signal)),
        Ending::Exited { .. } | Ending::Detached | Ending::Lost => None,
    }
}

/// The name of a signal; one without is `SIG` and its number.
pub fn signal_name(number: u8) -> Word {
    let place = usize::from(number).checked_sub(1);
    match place.and_then(|place| SIGNALS.get(place)) {
        Some(name) => (*name).into(),
        None => format!("SIG{number}").into(),
    }
}

/// The number of a signal by its name.
fn signal_number(name: &str) -> Option<u8> {
    (1..=LAST_SIGNAL).find(|number| signal_name(*number) == name)
}

impl Ended {
    /// As the core says it; else what is wrong with it.
    pub fn ending(&self) -> Result<Ending, String> {
        let signal = match &self.signal {
            None => None,
            Some(SignalWord::Number(number)) => Some((*number, number.to_string())),
            Some(SignalWord::Name(name)) => Some((signal_number(name).unwrap_or(0), name.clone())),
        };
        match (self.status, signal) {
            (None, None) => Ok(Ending::Detached),
            (Some(status), None) => Ok(Ending::Exited { status }),
            (None, Some((signal @ 1..=LAST_SIGNAL, _))) => Ok(Ending::Signalled { signal }),
            (None, Some((_, given))) => Err(format!(
                "{given:?} is no signal: give a name such as SIGKILL, or a number up to 64"
            )),
            (Some(_), Some(_)) => Err("give `status` or `signal`, not both".to_owned()),
        }
    }
}

impl Health {
    /// The word as the core has it.
    pub fn word(&self) -> Option<AppHealth> {
        let mut all = AppHealth::ALL.into_iter();
        all.find(|health| health.as_str() == self.health)
    }
}
