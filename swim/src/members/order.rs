//! A list of members in random order.

use super::table::make_room;
use crate::rng::Rng;

/// Members in a random order that is shuffled as it is walked: each comes once in a round, and one
/// that joins comes at a random place (SWIM section 4.3).
#[derive(Clone, Debug, Default)]
pub(super) struct Order {
    ids: Vec<u32>,
    cursor: usize,
}

impl Order {
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    #[cfg(feature = "sim")]
    pub(super) fn reserve(&mut self, members: usize) {
        self.ids.reserve_exact(members);
    }

    /// Who stands at a place.
    pub(super) fn at(&self, place: usize) -> u32 {
        self.ids[place]
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = u32> + Clone {
        self.ids.iter().copied()
    }

    pub(super) fn push(&mut self, id: u32) -> u32 {
        make_room(&mut self.ids);
        self.ids.push(id);
        u32::try_from(self.ids.len() - 1).expect("the table is bounded by limits::MEMBERS")
    }

    /// Takes out what stands at `place`; returns the members that moved and where to.
    pub(super) fn remove(&mut self, place: u32) -> [Option<(u32, u32)>; 2] {
        let mut hole = place as usize;
        let mut moved = [None, None];
        if hole < self.cursor {
            // Keep the walked part in front: its last one fills the hole.
            self.cursor -= 1;
            if hole != self.cursor {
                self.ids[hole] = self.ids[self.cursor];
                moved[0] = Some((self.ids[hole], hole as u32));
                hole = self.cursor;
            }
        }
        self.ids.swap_remove(hole);
        if hole < self.ids.len() {
            moved[1] = Some((self.ids[hole], hole as u32));
        }
        moved
    }

    /// The next one, and where it and the one it changed places with now stand.
    pub(super) fn next(&mut self, rng: &mut Rng) -> Option<(u32, [(u32, u32); 2])> {
        if self.ids.is_empty() {
            return None;
        }
        if self.cursor >= self.ids.len() {
            self.cursor = 0;
        }
        let (here, there) = (
            self.cursor,
            self.cursor + rng.below(self.ids.len() - self.cursor),
        );
        self.ids.swap(here, there);
        self.cursor += 1;
        let id = self.ids[here];
        Some((id, [(id, here as u32), (self.ids[there], there as u32)]))
    }
}
