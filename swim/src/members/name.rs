//! Names of members and clusters.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::limits;

/// The unique name of a member: 1 to 128 bytes of printable UTF-8.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<str>);

/// Why a text is no name. Nothing was changed; the caller is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing was given.
    #[error("a name needs at least one character")]
    Empty,
    /// More than [`limits::NAME_BYTES`].
    #[error("a name has at most {max} bytes, this one has {0}", max = limits::NAME_BYTES)]
    TooLong(usize),
    /// A control character or white space at either end.
    #[error("a name has printable characters only and no space at its ends")]
    Unprintable,
}

impl Name {
    /// Checks and takes a name.
    pub fn new(text: &str) -> Result<Name, NameError> {
        check(text)?;
        Ok(Name(Arc::from(text)))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A name as it stands in a message: checked, and copied only when it is news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NameRef<'a>(&'a str);

impl<'a> NameRef<'a> {
    pub(crate) fn as_str(self) -> &'a str {
        self.0
    }

    pub(crate) fn to_name(self) -> Name {
        Name(Arc::from(self.0))
    }
}

/// A hash of a name, where the name itself is too long or must not be read. Members of one cluster
/// do not choose names against each other: whoever may have one has the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct NameHash([u8; 8]);

impl NameHash {
    pub(crate) fn of(name: &str) -> NameHash {
        NameHash(xxh3_64(name.as_bytes()).to_le_bytes())
    }

    pub(crate) fn bytes(self) -> [u8; 8] {
        self.0
    }
}

impl From<[u8; 8]> for NameHash {
    fn from(bytes: [u8; 8]) -> NameHash {
        NameHash(bytes)
    }
}

/// Whether `text` may be a name.
pub(crate) fn check(text: &str) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if text.len() > limits::NAME_BYTES {
        return Err(NameError::TooLong(text.len()));
    }
    // Most names are plain: then their ends tell the rest.
    let bytes = text.as_bytes();
    if bytes.iter().all(|byte| matches!(byte, b' '..=b'~')) {
        let spaced = bytes.first() == Some(&b' ') || bytes.last() == Some(&b' ');
        return if spaced {
            Err(NameError::Unprintable)
        } else {
            Ok(())
        };
    }
    // Line and paragraph separators break a listing as a control character does.
    let unprintable = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}');
    if text.chars().any(unprintable) || text.trim() != text {
        return Err(NameError::Unprintable);
    }
    Ok(())
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, formatter)
    }
}

impl Serialize for Name {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Name, D::Error> {
        NameRef::deserialize(deserializer).map(NameRef::to_name)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for NameRef<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<NameRef<'a>, D::Error> {
        let text = <&str>::deserialize(deserializer)?;
        check(text).map_err(serde::de::Error::custom)?;
        Ok(NameRef(text))
    }
}
