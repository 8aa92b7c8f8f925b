//! The K rings: who watches whom.
//!
//! On ring r the members stand in the order of hash(r, name), so that every node computes the same
//! rings from the same members, and neighbours differ from ring to ring. Each ring is an ordered
//! set: O(log n) for a change or a neighbour.

use std::collections::BTreeSet;
use std::ops::Bound;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::members::Name;

#[cfg(test)]
mod tests;

/// Where a member stands on one ring. The name decides between equal hashes.
type Place = (u64, Name);

/// K pseudo-random orders of the same members.
#[derive(Clone, Debug)]
pub(crate) struct Rings {
    rings: Vec<BTreeSet<Place>>,
}

impl Rings {
    pub(crate) fn new(rings: usize) -> Rings {
        Rings {
            rings: vec![BTreeSet::new(); rings],
        }
    }

    /// How many rings there are.
    pub(crate) fn count(&self) -> usize {
        self.rings.len()
    }

    /// How many members stand on them.
    pub(crate) fn len(&self) -> usize {
        self.rings.first().map_or(0, BTreeSet::len)
    }

    pub(crate) fn insert(&mut self, name: &Name) {
        for (ring, places) in self.rings.iter_mut().enumerate() {
            places.insert(place(ring, name));
        }
    }

    pub(crate) fn remove(&mut self, name: &Name) {
        for (ring, places) in self.rings.iter_mut().enumerate() {
            places.remove(&place(ring, name));
        }
    }

    /// The next member after `name` on a ring; `None` when there is no other.
    pub(crate) fn successor(&self, ring: usize, name: &Name) -> Option<&Name> {
        let places = self.rings.get(ring)?;
        let here = place(ring, name);
        let after = places
            .range((Bound::Excluded(&here), Bound::Unbounded))
            .next();
        after
            .or_else(|| places.first())
            .map(|(_, other)| other)
            .filter(|other| *other != name)
    }

    /// The member before `name` on a ring; `None` when there is no other.
    pub(crate) fn predecessor(&self, ring: usize, name: &Name) -> Option<&Name> {
        let places = self.rings.get(ring)?;
        let before = places.range(..place(ring, name)).next_back();
        before
            .or_else(|| places.last())
            .map(|(_, other)| other)
            .filter(|other| *other != name)
    }

    /// The neighbours of `name` on either side of every ring, each once, in order of their names.
    pub(crate) fn buddies(&self, name: &Name) -> BTreeSet<Name> {
        (0..self.count())
            .flat_map(|ring| [self.successor(ring, name), self.predecessor(ring, name)])
            .flatten()
            .cloned()
            .collect()
    }
}

fn place(ring: usize, name: &Name) -> Place {
    (
        xxh3_64_with_seed(name.as_str().as_bytes(), ring as u64),
        name.clone(),
    )
}
