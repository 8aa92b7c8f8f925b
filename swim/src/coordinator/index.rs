//! Where the members of a roster stand, by the hashes of their names.

#[cfg(feature = "sim")]
use std::hash::BuildHasher;

#[cfg(feature = "sim")]
use hashbrown::{DefaultHashBuilder, HashTable};

use super::roster::Standing;

/// The places of all in a list that is in order of the names, if they were looked up. They have to
/// be for every list anew, so it pays for one that many look into: a roster that a node has for
/// itself goes without.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    #[cfg(feature = "sim")]
    places: Option<(HashTable<u32>, DefaultHashBuilder)>,
}

impl Index {
    #[cfg(feature = "sim")]
    pub(super) fn of(standings: &[Standing]) -> Index {
        let hasher = DefaultHashBuilder::default();
        let mut places = HashTable::with_capacity(standings.len());
        let hash = |at: &u32| hasher.hash_one(standings[*at as usize].name.as_str());
        for at in (0..).take(standings.len()) {
            places.insert_unique(hash(&at), at, hash);
        }
        Index {
            places: Some((places, hasher)),
        }
    }

    /// Where a member stands in the list of which this is the index.
    pub(super) fn place(&self, name: &str, standings: &[Standing]) -> Option<usize> {
        #[cfg(feature = "sim")]
        if let Some((places, hasher)) = &self.places {
            let is_it = |at: &u32| standings[*at as usize].name.as_str() == name;
            let at = places.find(hasher.hash_one(name), is_it)?;
            return Some(*at as usize);
        }
        let found = standings.binary_search_by(|standing| standing.name.as_str().cmp(name));
        found.ok()
    }
}

/// It says nothing that the list does not say.
impl PartialEq for Index {
    fn eq(&self, _: &Index) -> bool {
        true
    }
}

impl Eq for Index {}
