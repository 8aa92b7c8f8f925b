//! Keys and the ring that holds them.

use std::fmt;
use std::str::FromStr;

use base64ct::{Base64, Encoding};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::{Zeroize, Zeroizing};

use super::Plaintext;
use crate::bounded::at_most;
use crate::limits;
use crate::time::Time;

/// A key of a cluster: 32 random bytes, as text in base64. Never shown but by [`Key::reveal`], and
/// zeroed when it is dropped. It stays where it is: what is moved, and left behind in lists that
/// grow or close up, is where to find it.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(Box<[u8; KEY_BYTES]>);

const KEY_BYTES: usize = 32;

/// Names a key without telling anything of it: the first eight bytes of a keyed hash, as text
/// sixteen hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct KeyId([u8; 8]);

/// Why a key, or a change of a keyring, is refused. Nothing was changed; the caller is at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not 32 bytes in base64.
    #[error("a key is 32 bytes in base64, 44 characters; `muster keys generate` makes one")]
    Malformed,
    /// Not sixteen hexadecimal digits.
    #[error("a key's id is 16 hexadecimal digits; `muster keys list` shows those of this cluster")]
    MalformedId,
    /// A ring without a key.
    #[error("a keyring has at least one key")]
    Empty,
    /// More than [`limits::KEYS`].
    #[error("a keyring has at most {max} keys; remove one first", max = limits::KEYS)]
    TooMany,
    /// It is in the ring already.
    #[error("the key {0} is in the ring already")]
    Known(KeyId),
    /// It is not in the ring.
    #[error("no key {0} is in the ring; `muster keys list` shows those that are")]
    Unknown(KeyId),
    /// It seals what is sent.
    #[error("the key {0} is the primary one, which seals: use another one first")]
    IsPrimary(KeyId),
    /// It is the only one.
    #[error("the key {0} is the last one: add another one and use that first")]
    Last(KeyId),
}

impl Key {
    /// A key of these bytes, which must have been drawn at random.
    pub fn new(mut bytes: [u8; KEY_BYTES]) -> Key {
        let key = Key(Box::new(bytes));
        bytes.zeroize();
        key
    }

    /// Reads a key's text.
    pub fn parse(text: &str) -> Result<Key, KeyError> {
        let mut key = Key::new([0; KEY_BYTES]);
        let length = Base64::decode(text, &mut *key.0).map(<[u8]>::len);
        match length {
            Ok(KEY_BYTES) => Ok(key),
            Ok(_) | Err(_) => Err(KeyError::Malformed),
        }
    }

    /// The key's text, for its file alone.
    pub fn reveal(&self) -> Zeroizing<String> {
        Zeroizing::new(Base64::encode_string(&*self.0))
    }

    /// What names it.
    pub fn id(&self) -> KeyId {
        let hash = self.derive("muster key id");
        let mut id = [0; 8];
        id.copy_from_slice(&hash[..8]);
        KeyId(id)
    }

    pub(super) fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.id())
    }
}

impl KeyId {
    /// The byte that names the key on the wire. Two keys may share it.
    pub(crate) fn number(self) -> u8 {
        self.0[0]
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for KeyId {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<KeyId, KeyError> {
        let digits = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = digits.then(|| u64::from_str_radix(text, 16));
        match number {
            Some(Ok(number)) => Ok(KeyId(number.to_be_bytes())),
            Some(Err(_)) | None => Err(KeyError::MalformedId),
        }
    }
}

/// The keys of a cluster as one member has them, 1 to [`limits::KEYS`]. The first is the primary
/// one, which seals; all open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keyring {
    generation: u64,
    held: Vec<Held>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Held {
    key: Key,
    /// When it is forgotten. Never of the primary one.
    until: Option<Time>,
    /// It was added and nobody has sealed with it since. Never the primary one.
    is_new: bool,
}

/// A key of a ring, without the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyInfo {
    /// What names it.
    pub id: KeyId,
    /// When it is forgotten, if it is.
    pub until: Option<Time>,
    /// Whether it was added and has not been used since.
    pub is_new: bool,
}

/// Which keys a member has, and what it does with them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldKeys {
    /// How often its ring was changed.
    pub generation: u64,
    /// Its keys, the primary one first.
    #[serde(deserialize_with = "at_most::<{ limits::KEYS }, _, _>")]
    pub ids: Vec<KeyId>,
    /// Whether it seals, and what it does about what is not sealed.
    pub plaintext: Plaintext,
}

impl HeldKeys {
    pub(crate) fn lacks(&self, id: KeyId) -> bool {
        !self.ids.contains(&id)
    }

    pub(crate) fn seals_with(&self, id: KeyId) -> bool {
        self.ids.first() == Some(&id)
    }
}

/// A key on its way to another member, sealed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WireKey {
    #[serde(serialize_with = "write_key", deserialize_with = "read_key")]
    key: Key,
    /// In how many seconds it is forgotten, if it is.
    left_s: Option<u32>,
    is_new: bool,
}

impl fmt::Debug for WireKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WireKey({})", self.key.id())
    }
}

fn write_key<S: Serializer>(key: &Key, serializer: S) -> Result<S::Ok, S::Error> {
    key.0.serialize(serializer)
}

fn read_key<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Key, D::Error> {
    let bytes = Zeroizing::new(<[u8; KEY_BYTES]>::deserialize(deserializer)?);
    Ok(Key::new(*bytes))
}

impl Keyring {
    /// A ring of these keys, the primary one first; each with the time when it is forgotten. No
    /// generation is beyond [`limits::KEY_CHANGES`].
    pub fn new(generation: u64, keys: Vec<(Key, Option<Time>)>) -> Result<Keyring, KeyError> {
        if keys.is_empty() {
            return Err(KeyError::Empty);
        }
        if keys.len() > limits::KEYS {
            return Err(KeyError::TooMany);
        }
        let mut held: Vec<Held> = Vec::with_capacity(keys.len());
        for (key, until) in keys {
            if held.iter().any(|other| other.key == key) {
                return Err(KeyError::Known(key.id()));
            }
            let (until, is_new) = (until.filter(|_| !held.is_empty()), false);
            held.push(Held { key, until, is_new });
        }
        let generation = generation.min(limits::KEY_CHANGES);
        Ok(Keyring { generation, held })
    }

    /// The same, where those were added and have not been used since.
    #[must_use]
    pub fn with_new(mut self, ids: &[KeyId]) -> Keyring {
        for held in self.held.iter_mut().skip(1) {
            held.is_new = held.until.is_none() && ids.contains(&held.key.id());
        }
        self
    }

    /// Asserts what must always hold.
    pub(crate) fn check_invariants(&self) {
        assert!((1..=limits::KEYS).contains(&self.held.len()));
        assert!(self.generation <= limits::KEY_CHANGES);
        for (at, held) in self.held.iter().enumerate() {
            let mut before = self.held[..at].iter();
            assert!(before.all(|other| other.key != held.key), "each is one");
            let is_primary = at == 0;
            assert!(!is_primary || held.until.is_none(), "the primary one stays");
            assert!(!held.is_new || !is_primary && held.until.is_none());
        }
    }

    /// Counts the changes.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The keys, the primary one first.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.held.iter().map(|held| &held.key)
    }

    /// The keys without the keys, the primary one first.
    pub fn infos(&self) -> impl Iterator<Item = KeyInfo> + '_ {
        self.held.iter().map(|held| KeyInfo {
            id: held.key.id(),
            until: held.until,
            is_new: held.is_new,
        })
    }

    /// What names the key that seals.
    pub fn primary(&self) -> KeyId {
        // A ring is never empty.
        self.held
            .first()
            .map_or(KeyId([0; 8]), |held| held.key.id())
    }

    /// The same with one more key, which opens and does not seal. One that was about to be
    /// forgotten stays.
    pub fn with(&self, key: Key) -> Result<Keyring, KeyError> {
        let mut held = self.held.clone();
        if let Some(at) = held.iter().position(|held| held.key == key) {
            if held.remove(at).until.is_none() {
                return Err(KeyError::Known(key.id()));
            }
        } else if held.len() >= limits::KEYS {
            return Err(KeyError::TooMany);
        }
        let (until, is_new) = (None, true);
        held.push(Held { key, until, is_new });
        Ok(self.changed(held))
    }

    /// The same with this key as the primary one.
    pub fn with_primary(&self, id: KeyId) -> Result<Keyring, KeyError> {
        let at = self.place_of(id)?;
        let mut held = self.held.clone();
        let mut chosen = held.remove(at);
        (chosen.until, chosen.is_new) = (None, false);
        held.insert(0, chosen);
        Ok(self.changed(held))
    }

    /// The same without this key, at once or from `until`.
    pub fn without(&self, id: KeyId, until: Option<Time>) -> Result<Keyring, KeyError> {
        let at = self.place_of(id)?;
        if self.held.len() == 1 {
            return Err(KeyError::Last(id));
        }
        if at == 0 {
            return Err(KeyError::IsPrimary(id));
        }
        let mut held = self.held.clone();
        match until {
            Some(_) => (held[at].until, held[at].is_new) = (until, false),
            None => drop(held.remove(at)),
        }
        Ok(self.changed(held))
    }

    /// The same keys as one more change: they count before what others have under this generation.
    pub(crate) fn renewed(&self) -> Keyring {
        self.changed(self.held.clone())
    }

    /// Whether it has this key, and keeps it.
    pub(crate) fn keeps(&self, id: KeyId) -> bool {
        let mut infos = self.infos();
        infos.any(|info| info.id == id && info.until.is_none())
    }

    fn changed(&self, held: Vec<Held>) -> Keyring {
        let generation = (self.generation + 1).min(limits::KEY_CHANGES);
        Keyring { generation, held }
    }

    fn place_of(&self, id: KeyId) -> Result<usize, KeyError> {
        let at = self.held.iter().position(|held| held.key.id() == id);
        at.ok_or(KeyError::Unknown(id))
    }

    /// The same without the keys whose time is over; `None` when there are none. Everybody does
    /// that by itself, so that it is no change of the cluster's.
    pub(crate) fn expired(&self, now: Time) -> Option<Keyring> {
        let is_over = |held: &Held| held.until.is_some_and(|until| until <= now);
        self.held.iter().any(is_over).then(|| Keyring {
            generation: self.generation,
            held: self
                .held
                .iter()
                .filter(|held| !is_over(held))
                .cloned()
                .collect(),
        })
    }

    /// When the next key is forgotten.
    pub(crate) fn next_expiry(&self) -> Option<Time> {
        self.held.iter().filter_map(|held| held.until).min()
    }

    /// Whether it counts before another one: it was changed more often, or as often and has all of
    /// the other's keys and more. So a file that was changed by hand counts for its own member, and
    /// gives others what they lack, but takes nothing from them. Keys that are about to be
    /// forgotten count for nothing: nobody gets them back from one whose clock is behind.
    pub(crate) fn outranks(&self, other: &Keyring) -> bool {
        let has = |key: &Key| self.lasting().any(|ours| ours == key);
        let is_more = self.lasting().count() > other.lasting().count() && other.lasting().all(has);
        self.generation > other.generation || self.generation == other.generation && is_more
    }

    fn lasting(&self) -> impl Iterator<Item = &Key> {
        let lasting = self.held.iter().filter(|held| held.until.is_none());
        lasting.map(|held| &held.key)
    }

    /// What it looks like on a stream.
    pub(crate) fn to_wire(&self, now: Time) -> Vec<WireKey> {
        let left = |until: Time| u32::try_from(until.since(now).as_secs()).unwrap_or(u32::MAX);
        let wire = |held: &Held| WireKey {
            key: held.key.clone(),
            left_s: held.until.map(left),
            is_new: held.is_new,
        };
        self.held.iter().map(wire).collect()
    }

    /// Reads one from a stream.
    pub(crate) fn from_wire(
        generation: u64,
        keys: &[WireKey],
        now: Time,
    ) -> Result<Keyring, KeyError> {
        let until = |left: u32| now + std::time::Duration::from_secs(left.into());
        let read = |key: &WireKey| (key.key.clone(), key.left_s.map(until));
        let ring = Keyring::new(generation, keys.iter().map(read).collect())?;
        let new = keys.iter().filter(|key| key.is_new);
        let new: Vec<KeyId> = new.map(|key| key.key.id()).collect();
        Ok(ring.with_new(&new))
    }
}

#[cfg(test)]
mod tests;
