//! The keys of the cluster as JSON: which there are, who has which, and never a key.

use std::collections::BTreeMap;

use muster_swim::{HeldKeys, KeyHolder, KeyInfo, Node, Plaintext};
use serde::{Deserialize, Serialize};

use super::{Word, rfc3339};
use crate::agent::Clock;

/// What a key can be in the ring of the member asked, as `state` in JSON.
pub const KEY_STATES: [&str; 5] = ["primary", "new", "old", "retired", "elsewhere"];

/// What is done about traffic that is not sealed, as `plaintext` in JSON.
pub const PLAINTEXTS: [&str; 3] = ["send", "accept", "refuse"];

/// Answer of the routes below `/v1/keys`: the ring of the member asked, and who has which key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keys {
    /// The member asked.
    pub name: String,
    /// Whether what it sends is sealed and nothing else is taken.
    pub encrypted: bool,
    /// One of [`PLAINTEXTS`].
    pub plaintext: Word,
    /// How often its ring was changed; 0 without a key, and in a file that was never changed.
    pub generation: u64,
    /// Its keys, the primary one first, then those that only others have.
    pub keys: Vec<Key>,
    /// The members that answered, itself included, in order of their names.
    pub members: Vec<KeyMember>,
    /// Members that did not answer, or could not open the question, in order of their names.
    pub unanswered: Vec<String>,
}

/// A key, by what names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// Sixteen hexadecimal digits, which tell nothing of the key.
    pub id: String,
    /// One of [`KEY_STATES`].
    pub state: Word,
    /// When the member asked forgets it; RFC 3339. Only of a `retired` one.
    pub until: Option<String>,
    /// Who has it, in order of the names.
    pub held_by: Vec<String>,
    /// Who seals with it, in order of the names.
    pub used_by: Vec<String>,
}

/// A member that said which keys it has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyMember {
    /// Its name.
    pub name: String,
    /// How often its ring was changed.
    pub generation: u64,
    /// One of [`PLAINTEXTS`].
    pub plaintext: Word,
}

impl Keys {
    /// What this node and `holders` have.
    pub fn new(node: &Node, holders: &[KeyHolder], clock: &Clock) -> Keys {
        let ring = node.keyring();
        let plaintext = match ring {
            Some(_) => node.plaintext(),
            None => Plaintext::Send,
        };
        let mut keys: Vec<Key> = ring
            .into_iter()
            .flat_map(|ring| ring.infos().enumerate())
            .map(|(at, info)| Key::of(at == 0, &info, clock))
            .collect();
        let (mut members, mut unanswered) = (Vec::new(), Vec::new());
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        for (at, key) in keys.iter().enumerate() {
            places.insert(key.id.clone(), at);
        }
        for holder in holders {
            let name = holder.name.to_string();
            let Some(held) = &holder.held else {
                unanswered.push(name);
                continue;
            };
            for (at, id) in held.ids.iter().enumerate() {
                let id = id.to_string();
                let place = *places.entry(id.clone()).or_insert_with(|| {
                    keys.push(Key::elsewhere(id));
                    keys.len() - 1
                });
                keys[place].held_by.push(name.clone());
                if at == 0 && seals(held) {
                    keys[place].used_by.push(name.clone());
                }
            }
            members.push(KeyMember {
                name,
                generation: held.generation,
                plaintext: held.plaintext.as_str().into(),
            });
        }
        Keys {
            name: node.identity().name.to_string(),
            encrypted: plaintext == Plaintext::Refuse,
            plaintext: plaintext.as_str().into(),
            generation: ring.map_or(0, muster_swim::Keyring::generation),
            keys,
            members,
            unanswered,
        }
    }
}

fn seals(held: &HeldKeys) -> bool {
    match held.plaintext {
        Plaintext::Refuse | Plaintext::Accept => true,
        Plaintext::Send => false,
    }
}

impl Key {
    fn of(is_primary: bool, info: &KeyInfo, clock: &Clock) -> Key {
        let state = match (is_primary, info.until, info.is_new) {
            (true, _, _) => "primary",
            (false, Some(_), _) => "retired",
            (false, None, true) => "new",
            (false, None, false) => "old",
        };
        Key {
            state: state.into(),
            until: info.until.map(|until| rfc3339(clock.wall(until))),
            ..Key::elsewhere(info.id.to_string())
        }
    }

    fn elsewhere(id: String) -> Key {
        Key {
            id,
            state: "elsewhere".into(),
            until: None,
            held_by: Vec::new(),
            used_by: Vec::new(),
        }
    }
}
