//! What a member holds of the agreed views: the roster now, and the last cuts for those behind.

use std::collections::VecDeque;
use std::sync::Arc;

use super::cut::{Change, Cut, Lineage, View};
use super::evidence::Evidence;
use super::roster::{Roster, Turn};
use super::rosters::Rosters;
use super::signing::Signature;
use crate::limits;
use crate::members::{Instance, Name};
use crate::time::Time;

/// The agreed views as one member knows them.
#[derive(Clone, Debug)]
pub(crate) struct History {
    roster: Arc<Roster>,
    rosters: Rosters,
    /// The last cuts, oldest first, with their sizes; the last one led to the roster.
    cuts: VecDeque<(Signed, usize)>,
    bytes: usize,
    /// The last files of cases, oldest first: also of members that are forgotten.
    files: VecDeque<File>,
}

/// The file of a decided case.
#[derive(Clone, Debug)]
pub(crate) struct File {
    pub(crate) name: Name,
    pub(crate) instance: Instance,
    pub(crate) view: View,
    /// When this member learned of it.
    pub(crate) at: Time,
    pub(crate) removed: bool,
    pub(crate) evidence: Arc<Evidence>,
}

/// A committed cut, and the signature of a voter that says so.
pub(crate) type Signed = (Arc<Cut>, Signature);

/// What somebody who is behind needs.
#[derive(Clone, Debug)]
pub(crate) enum CatchUp {
    /// Nothing: it is not behind.
    Nothing,
    /// These cuts, the first of them leading to the view after its own.
    Cuts(Vec<Signed>),
    /// All: it is too far behind, or of another lineage.
    Roster,
}

impl History {
    pub(crate) fn new(roster: Roster) -> History {
        History {
            roster: Arc::new(roster),
            rosters: Rosters::default(),
            cuts: VecDeque::new(),
            bytes: 0,
            files: VecDeque::new(),
        }
    }

    /// Takes its rosters from the same source as other histories.
    pub(crate) fn share(&mut self, rosters: &Rosters) {
        self.rosters = rosters.clone();
        self.rosters.share(&mut self.roster);
    }

    /// A whole roster takes the place of what was known; files of cases are kept.
    pub(crate) fn replace(&mut self, roster: Roster) {
        self.roster = Arc::new(roster);
        self.rosters.share(&mut self.roster);
        self.cuts.clear();
        self.bytes = 0;
    }

    pub(crate) fn roster(&self) -> &Roster {
        &self.roster
    }

    pub(crate) fn lineage(&self) -> Lineage {
        self.roster.head.lineage
    }

    pub(crate) fn view(&self) -> View {
        self.roster.head.view
    }

    /// The last files about a member, newest first.
    pub(crate) fn files<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a File> {
        let files = self.files.iter().rev();
        files.filter(move |file| file.name.as_str() == name)
    }

    /// The roster as it is now, to be looked at when it is another one.
    pub(crate) fn kept(&self) -> Arc<Roster> {
        Arc::clone(&self.roster)
    }

    /// Applies the next cut, of which `bytes` is the encoding.
    pub(crate) fn apply(
        &mut self,
        (cut, signature): Signed,
        bytes: &Arc<[u8]>,
        now: Time,
    ) -> Arc<[Turn]> {
        let (cut, turns) = self.rosters.apply(&mut self.roster, cut, bytes);
        let view = self.view();
        for change in &cut.changes {
            let (evidence, removed) = match change {
                Change::Dead { evidence, .. } => (evidence, true),
                Change::Degraded { evidence, .. } => (evidence, false),
                Change::Up { .. } | Change::Left { .. } | Change::Restored { .. } => continue,
            };
            let (name, instance) = change.subject();
            self.files.push_back(File {
                name: name.clone(),
                instance,
                view,
                at: now,
                removed,
                evidence: Arc::clone(evidence),
            });
            if self.files.len() > limits::FILES {
                self.files.pop_front();
            }
        }
        self.bytes += bytes.len();
        self.cuts.push_back(((cut, signature), bytes.len()));
        while self.cuts.len() > limits::CUTS || self.bytes > limits::CUTS_BYTES {
            let Some((_, bytes)) = self.cuts.pop_front() else {
                break;
            };
            self.bytes -= bytes;
        }
        turns
    }

    /// What somebody needs who holds this view of that lineage.
    pub(crate) fn catch_up(&self, lineage: Option<Lineage>, view: View) -> CatchUp {
        if lineage != Some(self.lineage()) {
            return CatchUp::Roster;
        }
        let behind = self.view().0.saturating_sub(view.0);
        let Ok(behind) = usize::try_from(behind) else {
            return CatchUp::Roster;
        };
        match behind {
            0 => CatchUp::Nothing,
            _ if behind > self.cuts.len() => CatchUp::Roster,
            _ => {
                let first = self.cuts.len() - behind;
                let missing = self.cuts.iter().skip(first);
                CatchUp::Cuts(missing.map(|(signed, _)| signed.clone()).collect())
            }
        }
    }

    pub(crate) fn check_invariants(&self) {
        self.roster.check_invariants();
        let bytes: usize = self.cuts.iter().map(|(_, bytes)| bytes).sum();
        assert_eq!(bytes, self.bytes, "the bytes of the kept cuts are counted");
        assert!(self.cuts.len() <= limits::CUTS && self.files.len() <= limits::FILES);
    }
}
