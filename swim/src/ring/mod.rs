//! The K rings: who watches whom.
//!
//! On ring r the members stand in the order of hash(r, name), so that every node computes the same
//! rings from the same members, and neighbours differ from ring to ring. A node needs its own
//! neighbours only, and those it keeps: a member that comes costs a comparison on each ring. One
//! that goes is, one time in n/2K, a neighbour; then the next one is looked for among all n, so
//! that a change costs O(K) in the mean, and nothing is kept of anybody else.

use std::collections::BTreeSet;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::members::Name;

#[cfg(test)]
mod tests;

/// Where a member stands on one ring. The name decides between equal hashes.
type Place = (u64, Name);

/// The neighbours of one member on K pseudo-random orders of all.
#[derive(Clone, Debug)]
pub(crate) struct Rings {
    me: Name,
    rings: Vec<Ring>,
}

/// One of the orders, closed to a ring.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Ring {
    here: u64,
    successor: Option<Place>,
    predecessor: Option<Place>,
}

impl Rings {
    /// As seen by `me`, who may stand on them or not.
    pub(crate) fn new(rings: usize, me: &Name) -> Rings {
        let ring = |ring| Ring {
            here: hash(ring, me),
            successor: None,
            predecessor: None,
        };
        Rings {
            me: me.clone(),
            rings: (0..rings).map(ring).collect(),
        }
    }

    /// How many rings there are.
    pub(crate) fn count(&self) -> usize {
        self.rings.len()
    }

    /// Another member stands on them.
    pub(crate) fn insert(&mut self, name: &Name) {
        for (number, ring) in self.rings.iter_mut().enumerate() {
            ring.insert(&self.me, hash(number, name), name);
        }
    }

    /// Another member stands on them no more; `rest` are all others that do.
    pub(crate) fn remove<'a>(&mut self, name: &Name, rest: impl Iterator<Item = &'a Name> + Clone) {
        for (number, ring) in self.rings.iter_mut().enumerate() {
            if !ring.has_neighbour(name) {
                continue;
            }
            (ring.successor, ring.predecessor) = (None, None);
            for other in rest.clone() {
                ring.insert(&self.me, hash(number, other), other);
            }
        }
    }

    /// The next member on a ring; `None` when there is no other.
    pub(crate) fn successor(&self, ring: usize) -> Option<&Name> {
        let (_, name) = self.rings.get(ring)?.successor.as_ref()?;
        Some(name)
    }

    /// The member before on a ring; `None` when there is no other.
    pub(crate) fn predecessor(&self, ring: usize) -> Option<&Name> {
        let (_, name) = self.rings.get(ring)?.predecessor.as_ref()?;
        Some(name)
    }

    /// The first of `others` after this one on a ring.
    pub(crate) fn first_after<'a>(
        &self,
        ring: usize,
        others: impl Iterator<Item = &'a Name>,
    ) -> Option<&'a Name> {
        let here = (self.rings.get(ring)?.here, &self.me);
        others.min_by_key(|other| way(here, (hash(ring, other), other)))
    }

    /// The neighbours on either side of every ring, each once, in order of their names.
    pub(crate) fn buddies(&self) -> BTreeSet<Name> {
        (0..self.count())
            .flat_map(|ring| [self.successor(ring), self.predecessor(ring)])
            .flatten()
            .cloned()
            .collect()
    }

    /// Whether the neighbours are those among `others`, all members but this one.
    pub(crate) fn check_invariants<'a>(&self, others: impl Iterator<Item = &'a Name>) {
        let mut anew = Rings::new(self.count(), &self.me);
        for other in others {
            anew.insert(other);
        }
        assert_eq!(self.rings, anew.rings, "the neighbours are the nearest");
    }
}

impl Ring {
    fn insert(&mut self, me: &Name, hash: u64, name: &Name) {
        let here = (self.here, me);
        let new = way(here, (hash, name));
        let nearest = |(hash, known): &Place| new < way(here, (*hash, known));
        if self.successor.as_ref().is_none_or(nearest) {
            self.successor = Some((hash, name.clone()));
        }
        let farthest = |(hash, known): &Place| new > way(here, (*hash, known));
        if self.predecessor.as_ref().is_none_or(farthest) {
            self.predecessor = Some((hash, name.clone()));
        }
    }

    fn has_neighbour(&self, name: &Name) -> bool {
        let both = [&self.successor, &self.predecessor];
        both.into_iter().flatten().any(|(_, known)| known == name)
    }
}

/// How far round it is from `here`: first come those that stand behind, then, past the end of the
/// order, those that stand before.
fn way<'a>(here: (u64, &Name), to: (u64, &'a Name)) -> (bool, (u64, &'a Name)) {
    (to < here, to)
}

fn hash(ring: usize, name: &Name) -> u64 {
    xxh3_64_with_seed(name.as_str().as_bytes(), ring as u64)
}
