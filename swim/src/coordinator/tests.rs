//! What is decided: how a cut changes the roster, what is kept of it for those behind, who votes.

mod history;
mod roster;
#[cfg(feature = "sim")]
mod rosters;
mod sequences;
mod voters;

use std::sync::Arc;

use super::cut::{Change, Cut, Epoch, Lineage, Office, Verdict, View, Voter, VoterId, Voters};
use super::evidence::{Evidence, Reason};
use super::roster::{Removal, Roster, RosterHead, Turn};
use crate::members::{Instance, Name};

const LINEAGE: Lineage = Lineage {
    family: 77,
    generation: 0,
};

fn name(text: &str) -> Name {
    Name::new(text).expect("a valid name")
}

fn voter(of: &str, id: u64) -> Voter {
    Voter {
        name: name(of),
        id: VoterId(id),
    }
}

/// Before the first view, with one voter `a`.
fn genesis() -> Roster {
    Roster::genesis(LINEAGE, voter("a", 1))
}

/// Of these members, each in its life 10.
fn roster_of(names: &[&str]) -> Roster {
    let mut roster = genesis();
    let changes = names.iter().map(|of| up(of, 10)).collect();
    roster.apply(&cut(changes));
    roster
}

fn cut(changes: Vec<Change>) -> Cut {
    Cut {
        changes,
        ..Cut::default()
    }
}

fn up(of: &str, instance: u64) -> Change {
    Change::Up {
        name: name(of),
        instance: Instance(instance),
        removals: 0,
    }
}

fn dead(of: &str, instance: u64) -> Change {
    Change::Dead {
        name: name(of),
        instance: Instance(instance),
        removals: 1,
        evidence: evidence(0),
    }
}

fn left(of: &str, instance: u64) -> Change {
    Change::Left {
        name: name(of),
        instance: Instance(instance),
    }
}

fn degraded(of: &str, instance: u64) -> Change {
    Change::Degraded {
        name: name(of),
        instance: Instance(instance),
        evidence: evidence(0),
    }
}

fn restored(of: &str, instance: u64) -> Change {
    Change::Restored {
        name: name(of),
        instance: Instance(instance),
    }
}

fn evidence(took_ms: u32) -> Arc<Evidence> {
    Arc::new(Evidence {
        reason: Reason::Unreached,
        testimonies: Vec::new(),
        took_ms,
    })
}

fn office(epoch: u64, coordinator: &str) -> Office {
    Office {
        epoch: Epoch(epoch),
        coordinator: name(coordinator),
        instance: Instance(10),
    }
}

fn voters(configuration: u32, names: &[&str]) -> Voters {
    Voters {
        configuration,
        voters: names.iter().map(|of| voter(of, 1)).collect(),
    }
}

/// What another member holds that adopts this roster as it travels.
fn adopted(roster: &Roster) -> Option<Roster> {
    let removed = roster.removed().cloned().collect();
    Roster::from_parts(roster.head.clone(), roster.standings().to_vec(), removed)
}
