//! Apps: what lives beside a member, how it is, and how what ended did.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::ser::SerializeSeq;
use serde::{Deserialize, Serialize};

use crate::limits;

/// The number of an attachment: counts up in the life of a process, so that "ended and attached
/// again" is seen by those who looked only before and after.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Attachment(pub u64);

/// What an app says of its own health.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum AppHealth {
    /// All is well; also of an app that reports nothing.
    #[default]
    Passing,
    /// It works, and somebody should look.
    Warning,
    /// It does not do its work.
    Failing,
}

/// How an app ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Ending {
    /// Its process ended by itself.
    Exited {
        /// The exit status.
        status: u8,
    },
    /// Its process was ended by a signal.
    Signalled {
        /// The number of the signal.
        signal: u8,
    },
    /// It said goodbye.
    Detached,
    /// It ended without a word.
    Lost,
}

/// Whether an app runs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AppState {
    /// It is attached.
    Up {
        /// As it reports it.
        health: AppHealth,
        /// A few words to it; may be empty.
        note: Arc<str>,
    },
    /// It was attached, and ended so.
    Down(Ending),
}

/// One app of a member: its last attachment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct App {
    /// Which one that is.
    pub attachment: Attachment,
    /// How it is.
    pub state: AppState,
}

/// The apps of a member by their names: those that run, and the last that ended.
///
/// At most [`limits::APPS`], in at most [`limits::APPS_BYTES`] of a message. Shared and never
/// changed in place, as [`Tags`](super::Tags) are.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Apps(Option<Arc<BTreeMap<Arc<str>, App>>>);

/// Why a change of an app was refused. The apps are as before; the caller is at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppError {
    /// An empty, overlong or unprintable name.
    #[error("an app's name has 1 to {max} bytes of printable characters without '='", max = limits::TAG_KEY_BYTES)]
    Name,
    /// An overlong or unprintable note.
    #[error("a note to an app's health has at most {max} bytes of printable characters", max = limits::APP_NOTE_BYTES)]
    Note,
    /// It runs already.
    #[error("{0:?} is attached already: end that one first, or take another name")]
    Attached(String),
    /// It does not run.
    #[error("{0:?} is not attached")]
    NotAttached(String),
    /// More than [`limits::APPS`] that run.
    #[error("a member has at most {max} apps at a time", max = limits::APPS)]
    TooMany,
    /// Names and notes of all that run need more than [`limits::APPS_BYTES`].
    #[error("the names and notes of a member's apps are too long together: shorten them")]
    TooLarge,
    /// The member says goodbye: nothing can be attached any more.
    #[error("this member is leaving: nothing can be attached to it any more")]
    Leaving,
}

/// What became of an app between two looks at its member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AppTurn {
    Up(Arc<str>, App),
    /// `None`: how it ended is not known any more.
    Down(Arc<str>, Attachment, Option<Ending>),
    Health(Arc<str>, App),
}

impl AppHealth {
    /// All of them, from best to worst.
    pub const ALL: [AppHealth; 3] = [AppHealth::Passing, AppHealth::Warning, AppHealth::Failing];

    /// The word used in listings and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            AppHealth::Passing => "passing",
            AppHealth::Warning => "warning",
            AppHealth::Failing => "failing",
        }
    }
}

impl fmt::Display for AppHealth {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl Ending {
    /// The word used in events and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Ending::Exited { .. } => "exited",
            Ending::Signalled { .. } => "signalled",
            Ending::Detached => "detached",
            Ending::Lost => "lost",
        }
    }
}

impl App {
    /// Whether `name` may be the name of an app.
    pub fn check_name(name: &str) -> Result<(), AppError> {
        check_name(name)
    }

    /// One that has just been attached.
    pub(crate) fn attached(attachment: Attachment) -> App {
        let (health, note) = (AppHealth::Passing, Arc::default());
        let state = AppState::Up { health, note };
        App { attachment, state }
    }

    /// Whether it runs.
    pub fn is_up(&self) -> bool {
        self.ending().is_none()
    }

    /// How it ended, if it did.
    pub fn ending(&self) -> Option<Ending> {
        match &self.state {
            AppState::Up { .. } => None,
            AppState::Down(ending) => Some(*ending),
        }
    }
}

impl Apps {
    /// The app of this name.
    pub fn get(&self, name: &str) -> Option<&App> {
        self.0.as_ref()?.get(name)
    }

    /// Names and apps in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &App)> {
        self.0.iter().flat_map(|map| map.iter())
    }

    /// Those that run.
    pub fn running(&self) -> impl Iterator<Item = (&Arc<str>, &App)> {
        self.iter().filter(|(_, app)| app.is_up())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |map| map.len())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// These apps with `name` as `app`, when they keep their limits.
    pub(crate) fn with(&self, name: &str, app: App) -> Result<Apps, AppError> {
        check_name(name)?;
        if let AppState::Up { note, .. } = &app.state {
            check_note(note)?;
        }
        let mut map = self.0.as_deref().cloned().unwrap_or_default();
        map.insert(name.into(), app);
        if map.len() > limits::APPS {
            return Err(AppError::TooMany);
        }
        let weights = map.iter().map(|(name, app)| weight(name, app.note()));
        if weights.sum::<usize>() > limits::APPS_BYTES - 1 {
            return Err(AppError::TooLarge);
        }
        Ok(Apps(Some(Arc::new(map))))
    }

    /// These apps without `name`.
    pub(crate) fn without(&self, name: &str) -> Apps {
        let mut map = self.0.as_deref().cloned().unwrap_or_default();
        map.remove(name);
        Apps((!map.is_empty()).then(|| Arc::new(map)))
    }

    /// No fewer bytes than they need in a message.
    pub(crate) fn longest(&self) -> usize {
        let weights = self.iter().map(|(name, app)| weight(name, app.note()));
        1 + weights.sum::<usize>()
    }

    /// What became of each app of one life of a member between `self` and `now`, in the order of
    /// the names: every attachment that can be told apart is up once and down once.
    pub(crate) fn turns(&self, now: &Apps) -> Vec<AppTurn> {
        if self == now {
            return Vec::new();
        }
        let (old, new) = (self.iter(), now.iter());
        let names: std::collections::BTreeSet<&Arc<str>> =
            old.chain(new).map(|(name, _)| name).collect();
        let mut turns = Vec::new();
        for name in names {
            turns_of(name, self.get(name), now.get(name), &mut turns);
        }
        turns
    }
}

fn turns_of(name: &Arc<str>, old: Option<&App>, new: Option<&App>, turns: &mut Vec<AppTurn>) {
    let same_life = old.map(|app| app.attachment) == new.map(|app| app.attachment);
    let ended = |app: &App| AppTurn::Down(Arc::clone(name), app.attachment, app.ending());
    if let Some(old) = old.filter(|app| app.is_up() && !same_life) {
        // Whatever it was, something else has taken its place since.
        turns.push(ended(old));
    }
    let Some(new) = new else { return };
    if !same_life {
        let attached = App {
            state: match &new.state {
                AppState::Up { .. } => new.state.clone(),
                AppState::Down(_) => App::attached(new.attachment).state,
            },
            ..new.clone()
        };
        turns.push(AppTurn::Up(Arc::clone(name), attached));
    }
    match &new.state {
        AppState::Up { .. } if same_life && old != Some(new) => {
            turns.push(AppTurn::Health(Arc::clone(name), new.clone()));
        }
        AppState::Up { .. } => {}
        AppState::Down(_) if same_life && old.is_some_and(|old| !old.is_up()) => {}
        AppState::Down(_) => turns.push(ended(new)),
    }
}

impl App {
    fn note(&self) -> &str {
        match &self.state {
            AppState::Up { note, .. } => note,
            AppState::Down(_) => "",
        }
    }
}

/// Whether `name` may be the name of an app: the rule for keys of tags.
pub(crate) fn check_name(name: &str) -> Result<(), AppError> {
    let fits = !name.is_empty() && name.len() <= limits::TAG_KEY_BYTES;
    if !fits || name.chars().any(|c| c.is_control() || c == '=') {
        return Err(AppError::Name);
    }
    Ok(())
}

fn check_note(note: &str) -> Result<(), AppError> {
    if note.len() > limits::APP_NOTE_BYTES || note.chars().any(char::is_control) {
        return Err(AppError::Note);
    }
    Ok(())
}

/// No fewer bytes than an app needs in a message: two lengths of two bytes, a number of ten, two
/// words of one. One that ended has a number of one byte in the place of its note.
fn weight(name: &str, note: &str) -> usize {
    name.len() + note.len() + 16
}

/// An app as it stands in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct AppRef<'a> {
    name: &'a str,
    attachment: Attachment,
    #[serde(borrow)]
    state: StateRef<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum StateRef<'a> {
    Up { health: AppHealth, note: &'a str },
    Down(Ending),
}

impl<'a> AppRef<'a> {
    fn of(name: &'a str, app: &'a App) -> AppRef<'a> {
        let attachment = app.attachment;
        let state = match &app.state {
            AppState::Up { health, note } => {
                let health = *health;
                StateRef::Up { health, note }
            }
            AppState::Down(ending) => StateRef::Down(*ending),
        };
        AppRef {
            name,
            attachment,
            state,
        }
    }

    fn to_app(self) -> App {
        let attachment = self.attachment;
        let state = match self.state {
            StateRef::Up { health, note } => {
                let note = note.into();
                AppState::Up { health, note }
            }
            StateRef::Down(ending) => AppState::Down(ending),
        };
        App { attachment, state }
    }

    fn note(&self) -> &str {
        match self.state {
            StateRef::Up { note, .. } => note,
            StateRef::Down(_) => "",
        }
    }
}

/// Apps as they stand in a message: checked, and copied only when they are news.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AppsRef<'a>(Vec<AppRef<'a>>);

impl AppsRef<'_> {
    /// Whether they are just these.
    pub(crate) fn are(&self, apps: &Apps) -> bool {
        let held = apps.iter().map(|(name, app)| AppRef::of(name, app));
        self.0.len() == apps.len() && self.0.iter().copied().eq(held)
    }

    pub(crate) fn to_apps(&self) -> Apps {
        let apps = self.0.iter().map(|app| (app.name.into(), app.to_app()));
        Apps((!self.0.is_empty()).then(|| Arc::new(apps.collect())))
    }
}

impl Serialize for Apps {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.len()))?;
        for (name, app) in self.iter() {
            list.serialize_element(&AppRef::of(name, app))?;
        }
        list.end()
    }
}

impl<'de> Deserialize<'de> for Apps {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Apps, D::Error> {
        AppsRef::deserialize(deserializer).map(|apps| apps.to_apps())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for AppsRef<'a> {
    /// Refuses more than the limits allow, and all but the order of the names.
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<AppsRef<'a>, D::Error> {
        use serde::de::Error;
        let apps: Vec<AppRef<'a>> =
            crate::bounded::at_most::<{ limits::APPS }, _, _>(deserializer)?;
        let mut bytes = 1;
        for app in &apps {
            check_name(app.name).map_err(Error::custom)?;
            check_note(app.note()).map_err(Error::custom)?;
            bytes += weight(app.name, app.note());
        }
        if bytes > limits::APPS_BYTES {
            return Err(Error::custom(AppError::TooLarge));
        }
        if !apps.is_sorted_by(|one, next| one.name < next.name) {
            return Err(Error::custom(
                "apps stand in the order of their names, each once",
            ));
        }
        Ok(AppsRef(apps))
    }
}
