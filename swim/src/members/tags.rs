//! Tags: the small key/values of a member.

use std::collections::BTreeMap;
use std::collections::btree_map;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::limits;

/// The tags of a member, in the order of their keys; at most 64 tags and 1 KiB together.
///
/// Shared and never changed in place: a change makes a new value with a new incarnation.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tags(Option<Arc<BTreeMap<Box<str>, Box<str>>>>);

/// Why a tag was refused. The tags are as before; the caller is at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TagError {
    /// An empty, overlong or unprintable key.
    #[error("a tag's key has 1 to {max} bytes of printable characters without '='", max = limits::TAG_KEY_BYTES)]
    Key,
    /// A control character in a value.
    #[error("the value of tag {0:?} has a control character")]
    Value(String),
    /// More than [`limits::TAGS_BYTES`] together.
    #[error("the tags of a member have at most {max} bytes together, these would have {0}", max = limits::TAGS_BYTES)]
    TooLarge(usize),
    /// More than [`limits::TAGS`].
    #[error("a member has at most {max} tags", max = limits::TAGS)]
    TooMany,
}

impl Tags {
    /// Checks and takes pairs of key and value; of two values for a key the last one counts.
    pub fn new<K: AsRef<str>, V: AsRef<str>>(
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Tags, TagError> {
        let map: BTreeMap<Box<str>, Box<str>> = pairs
            .into_iter()
            .map(|(k, v)| (k.as_ref().into(), v.as_ref().into()))
            .collect();
        Tags::from_map(map)
    }

    fn from_map(map: BTreeMap<Box<str>, Box<str>>) -> Result<Tags, TagError> {
        if map.len() > limits::TAGS {
            return Err(TagError::TooMany);
        }
        for (key, value) in &map {
            check_tag(key, value)?;
        }
        let bytes = map.iter().map(|(key, value)| key.len() + value.len()).sum();
        if bytes > limits::TAGS_BYTES {
            return Err(TagError::TooLarge(bytes));
        }
        Ok(Tags((!map.is_empty()).then(|| Arc::new(map))))
    }

    /// These tags with `key` set to `value`.
    pub fn with(&self, key: &str, value: &str) -> Result<Tags, TagError> {
        let mut map = self.0.as_deref().cloned().unwrap_or_default();
        map.insert(key.into(), value.into());
        Tags::from_map(map)
    }

    /// These tags without `key`.
    #[must_use]
    pub fn without(&self, key: &str) -> Tags {
        let mut map = self.0.as_deref().cloned().unwrap_or_default();
        map.remove(key);
        Tags((!map.is_empty()).then(|| Arc::new(map)))
    }

    /// The value of `key`.
    pub fn value(&self, key: &str) -> Option<&str> {
        self.0.as_ref()?.get(key).map(AsRef::as_ref)
    }

    /// Keys and values in the order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let map: Option<btree_map::Iter<'_, _, _>> = self.0.as_ref().map(|map| map.iter());
        map.into_iter()
            .flatten()
            .map(|(key, value)| (&**key, &**value))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |map| map.len())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

fn check_tag(key: &str, value: &str) -> Result<(), TagError> {
    let key_fits = !key.is_empty() && key.len() <= limits::TAG_KEY_BYTES;
    if !key_fits || key.chars().any(|c| c.is_control() || c == '=') {
        return Err(TagError::Key);
    }
    if value.chars().any(char::is_control) {
        return Err(TagError::Value(key.to_string()));
    }
    Ok(())
}

/// Tags as they stand in a message: checked, and copied only when they are news.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TagsRef<'a>(SmallVec<[(&'a str, &'a str); 2]>);

impl TagsRef<'_> {
    /// Whether they are just these.
    pub(crate) fn are(&self, tags: &Tags) -> bool {
        self.0.len() == tags.len() && self.0.iter().copied().eq(tags.iter())
    }

    pub(crate) fn to_tags(&self) -> Tags {
        let pairs = self
            .0
            .iter()
            .map(|(key, value)| ((*key).into(), (*value).into()));
        Tags((!self.0.is_empty()).then(|| Arc::new(pairs.collect())))
    }
}

impl Serialize for Tags {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // With its length, which the wire format needs first.
        let mut map = serializer.serialize_map(Some(self.len()))?;
        for (key, value) in self.iter() {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Tags {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Tags, D::Error> {
        TagsRef::deserialize(deserializer).map(|tags| tags.to_tags())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for TagsRef<'a> {
    /// Refuses more than the limits allow before it stores anything beyond them.
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<TagsRef<'a>, D::Error> {
        struct Visitor<'a>(PhantomData<&'a ()>);
        impl<'de: 'a, 'a> serde::de::Visitor<'de> for Visitor<'a> {
            type Value = TagsRef<'a>;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("tags within their limits")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<TagsRef<'a>, A::Error> {
                let (mut pairs, mut bytes) = (SmallVec::new(), 0);
                while let Some((key, value)) = map.next_entry::<&str, &str>()? {
                    if pairs.len() == limits::TAGS {
                        return Err(serde::de::Error::custom(TagError::TooMany));
                    }
                    check_tag(key, value).map_err(serde::de::Error::custom)?;
                    bytes += key.len() + value.len();
                    pairs.push((key, value));
                }
                if bytes > limits::TAGS_BYTES {
                    return Err(serde::de::Error::custom(TagError::TooLarge(bytes)));
                }
                Ok(TagsRef(pairs))
            }
        }
        deserializer.deserialize_map(Visitor(PhantomData))
    }
}
