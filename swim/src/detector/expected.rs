//! Pings that should come: each predecessor on a ring pings this node once a period.

use std::time::Duration;

use crate::members::{Instance, Name};
use crate::time::Time;

/// What is expected of one ring.
#[derive(Clone, Debug)]
struct Expectation {
    name: Name,
    instance: Instance,
    /// When it last proved to be there, or became our predecessor.
    proved: Time,
}

/// The predecessors on all rings and when they were last heard of.
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

    /// A ping or an answer of `name` arrived.
    pub(crate) fn heard(&mut self, name: &str, now: Time) {
        let of_name = |expectation: &&mut Expectation| expectation.name.as_str() == name;
        for expectation in self.rings.iter_mut().flatten().filter(of_name) {
            expectation.proved = now;
        }
    }

    /// Whether the predecessor on `ring` owes a ping for longer than `patience`. It is then given
    /// as long again before it is named once more.
    pub(crate) fn overdue(
        &mut self,
        ring: usize,
        predecessor: Option<(&Name, Instance)>,
        patience: Duration,
        now: Time,
    ) -> bool {
        let Some((name, instance)) = predecessor else {
            self.rings[ring] = None;
            return false;
        };
        match &mut self.rings[ring] {
            Some(known) if known.name == *name && known.instance == instance => {
                let overdue = now.since(known.proved) > patience;
                if overdue {
                    known.proved = now;
                }
                overdue
            }
            other => {
                *other = Some(Expectation {
                    name: name.clone(),
                    instance,
                    proved: now,
                });
                false
            }
        }
    }

    /// Time in which this node could not listen does not count.
    pub(crate) fn postpone(&mut self, by: Duration) {
        for expectation in self.rings.iter_mut().flatten() {
            expectation.proved += by;
        }
    }
}
