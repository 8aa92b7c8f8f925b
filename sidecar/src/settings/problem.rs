//! What can be wrong with settings, and how it is said.

use std::fmt;
use std::path::{Path, PathBuf};

use muster_swim::NameError;

use super::layer::Given;
use super::table::Setting;

/// Every problem of the given settings, at least one. Nothing was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsError(pub Vec<Problem>);

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A value that cannot be taken.
    #[error("{place}: {name} is {given}, allowed is {allowed}")]
    Value {
        /// Where it was given.
        place: Place,
        /// The setting's name.
        name: String,
        /// The value as it was written.
        given: String,
        /// What it may be.
        allowed: String,
    },
    /// A key of the file that there is not.
    #[error("{place}: unknown {what} {key:?}{}", hint(.nearest.as_deref()))]
    Unknown {
        /// Where it was given.
        place: Place,
        /// What it would be: `setting`.
        what: &'static str,
        /// The key.
        key: String,
        /// What was probably meant.
        nearest: Option<String>,
    },
    /// A setting of an agent where only those of the protocol count.
    #[error("{place}: {key} is a setting of one agent; only those of the protocol can be here")]
    OfAgent {
        /// Where it was given.
        place: Place,
        /// The setting.
        key: String,
    },
    /// What is wrong in words of its own.
    #[error("{place}: {text}")]
    Other {
        /// Where.
        place: Place,
        /// What, and what could be there.
        text: String,
    },
    /// Text that is not TOML.
    #[error("{place}: {message}")]
    Syntax {
        /// Where.
        place: Place,
        /// What the parser says.
        message: String,
    },
    /// A file that cannot be read.
    #[error("cannot read the settings in {path}: {error}; check --config and MUSTER_CONFIG")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system says.
        error: String,
    },
    /// A file, named on the command line, that cannot be read.
    #[error("cannot read {path}: {error}")]
    NoFile {
        /// The file.
        path: String,
        /// What the system says.
        error: String,
    },
    /// There is no name, and the host's does not do.
    #[error("the host name is no name for a member ({0}); give --name")]
    HostName(NameError),
}

/// Where a value was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A flag, by its name with the dashes.
    Flag(String),
    /// An environment variable.
    Variable(String),
    /// A file.
    File {
        /// As it was named.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// In characters, from 1.
        column: usize,
    },
    /// Nowhere: it is the preset's.
    Preset(&'static str),
    /// Nowhere: it is a built-in scenario's.
    BuiltIn(String),
}

impl Problem {
    pub(super) fn value(given: &Given, setting: &Setting) -> Problem {
        Problem::Value {
            place: given.place.clone(),
            name: given.name.clone(),
            given: given.shown.clone(),
            allowed: setting.allowed_with_form(),
        }
    }

    /// The file that it is about, if it is about one.
    pub(crate) fn file(&self) -> Option<&Path> {
        let place = match self {
            Problem::Value { place, .. }
            | Problem::Unknown { place, .. }
            | Problem::OfAgent { place, .. }
            | Problem::Other { place, .. }
            | Problem::Syntax { place, .. } => place,
            Problem::Unreadable { path, .. } | Problem::NoFile { path, .. } => {
                return Some(Path::new(path));
            }
            Problem::HostName(_) => return None,
        };
        match place {
            Place::File { path, .. } => Some(path),
            Place::Variable(_) | Place::Flag(_) | Place::Preset(_) | Place::BuiltIn(_) => None,
        }
    }

    /// For sorting: what stands in a file by its line and column, then the rest.
    pub(crate) fn position(&self) -> (usize, usize) {
        let place = match self {
            Problem::Value { place, .. }
            | Problem::Unknown { place, .. }
            | Problem::OfAgent { place, .. }
            | Problem::Other { place, .. }
            | Problem::Syntax { place, .. } => place,
            Problem::Unreadable { .. } | Problem::NoFile { .. } => return (0, 0),
            Problem::HostName(_) => return (usize::MAX, 0),
        };
        match place {
            Place::File { line, column, .. } => (*line, *column),
            Place::Variable(_) | Place::Flag(_) | Place::Preset(_) | Place::BuiltIn(_) => {
                (usize::MAX, 0)
            }
        }
    }
}

/// An error of all problems, if there are any: the file's in the order of its lines, then the rest.
pub(super) fn none_of(mut problems: Vec<Problem>) -> Result<(), SettingsError> {
    problems.sort_by_key(Problem::position);
    if problems.is_empty() {
        Ok(())
    } else {
        Err(SettingsError(problems))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Flag(name) | Place::Variable(name) => formatter.write_str(name),
            Place::File { path, line, column } => {
                write!(formatter, "{}:{line}:{column}", path.display())
            }
            Place::Preset(name) => write!(formatter, "preset {name}"),
            Place::BuiltIn(name) => write!(formatter, "scenario {name}"),
        }
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the settings are refused:")?;
        for problem in &self.0 {
            write!(formatter, "\n  {problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for SettingsError {}

fn hint(nearest: Option<&str>) -> String {
    nearest
        .map(|name| format!(", did you mean {name:?}?"))
        .unwrap_or_default()
}
