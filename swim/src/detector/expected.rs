//! Beats that should come: each predecessor on a ring pings this node once a period.

use std::time::Duration;

use crate::members::{Instance, Name};
use crate::time::Time;

/// What is expected of one ring.
#[derive(Clone, Debug)]
struct Expectation {
    name: Name,
    instance: Instance,
    /// When its next beat should come.
    due: Time,
}

/// The predecessors on all rings and when they are to be heard of next.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    rings: Vec<Option<Expectation>>,
}

impl Expected {
    pub(crate) fn new(rings: usize) -> Expected {
        Expected {
            rings: vec![None; rings],
        }
    }

    /// The life that precedes this node on a ring now. Of a new one nothing is expected before
    /// `due`.
    pub(crate) fn watch(&mut self, ring: usize, predecessor: Option<(&Name, Instance)>, due: Time) {
        let known = self.rings[ring].as_ref();
        let known = known.map(|known| (&known.name, known.instance));
        if known != predecessor {
            self.rings[ring] = predecessor.map(|(name, instance)| Expectation {
                name: name.clone(),
                instance,
                due,
            });
        }
    }

    /// The predecessor on a ring was told when to come next.
    pub(crate) fn appoint(&mut self, ring: usize, name: &Name, instance: Instance, due: Time) {
        self.watch(ring, Some((name, instance)), due);
        if let Some(known) = &mut self.rings[ring] {
            known.due = due;
        }
    }

    /// When the first beat should come.
    pub(crate) fn first(&self) -> Option<Time> {
        self.rings.iter().flatten().map(|known| known.due).min()
    }

    /// Whose beats have not come, `grace` after they should have. Each is expected `again` before
    /// it is named once more.
    pub(crate) fn overdue(&mut self, grace: Duration, again: Time, now: Time) -> Vec<Name> {
        let known = self.rings.iter_mut().flatten();
        let overdue = known.filter(|known| now >= known.due + grace);
        overdue
            .map(|known| {
                known.due = again;
                known.name.clone()
            })
            .collect()
    }

    /// Asserts what must always hold of the node with this name.
    pub(crate) fn check_invariants(&self, me: &Name, rings: usize) {
        assert_eq!(self.rings.len(), rings);
        let known = self.rings.iter().flatten();
        let mut names = known.map(|known| &known.name);
        assert!(names.all(|name| name != me), "nobody precedes itself");
    }

    /// Time in which this node could not listen does not count.
    pub(crate) fn postpone(&mut self, by: Duration) {
        for known in self.rings.iter_mut().flatten() {
            known.due += by;
        }
    }
}
