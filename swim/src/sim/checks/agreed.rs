//! What must hold of the agreed views, of all processes together, at every step.

use std::collections::{BTreeMap, BTreeSet};

use super::{Findings, Property, Violation};
use crate::coordinator::{Epoch, Lineage, View, Voters};
use crate::members::{Instance, Name};
use crate::node::{Mark, Node};
use crate::sim::process::Pid;
use crate::time::Time;

/// Everything that was ever committed, as far as anybody showed it.
#[derive(Debug, Default)]
pub(in crate::sim) struct Ledger {
    /// The hash of all cuts up to a view.
    chains: BTreeMap<(Lineage, View), u64>,
    /// Who held which epoch.
    offices: BTreeMap<(Lineage, Epoch), (Name, Instance)>,
    /// The last of each lineage.
    last: BTreeMap<Lineage, (View, Epoch)>,
    /// Who votes after the last view of each lineage.
    electorates: BTreeMap<Lineage, (View, Voters)>,
    /// What each process showed last.
    shown: BTreeMap<Pid, Mark>,
    /// Who decided when it was last looked at.
    deciding: BTreeSet<Pid>,
}

impl Ledger {
    /// A process was driven. `decides` tells whether another process decides at this instant.
    pub(in crate::sim) fn on_step(
        &mut self,
        pid: Pid,
        node: &Node,
        (now, read): (Time, Time),
        decides: impl Fn(Pid) -> bool,
        found: &mut Findings,
    ) {
        let mut report = |property, text| {
            found.push(Violation {
                property,
                at: now,
                process: node.identity().name.to_string(),
                text,
            });
        };
        if let Some(mark) = node.mark() {
            self.compare(pid, node, mark, &mut report);
        }
        if !node.decides(read) {
            self.deciding.remove(&pid);
            return;
        }
        for other in self.deciding.clone() {
            let lineage = |pid| self.shown.get(pid).map(|mark| mark.lineage);
            if other == pid || lineage(&other) != lineage(&pid) {
                continue;
            }
            if decides(other) {
                let text = format!("decides while {other:?} does");
                report(Property::OneDecider, text);
            } else {
                self.deciding.remove(&other);
            }
        }
        self.deciding.insert(pid);
    }

    fn compare(
        &mut self,
        pid: Pid,
        node: &Node,
        mark: Mark,
        report: &mut impl FnMut(Property, String),
    ) {
        let before = self.shown.insert(pid, mark.clone());
        if before.as_ref() == Some(&mark) {
            return;
        }
        let Mark {
            lineage,
            view,
            epoch,
            chain,
            ref coordinator,
        } = mark;
        if let Some(before) = before.filter(|before| before.lineage == lineage)
            && (before.view > view || before.epoch > epoch)
        {
            let text = format!("went back from {before:?} to {mark:?}");
            report(Property::AgreedOrder, text);
        }
        let known = *self.chains.entry((lineage, view)).or_insert(chain);
        if known != chain {
            let text = format!("holds {mark:?}, others held {known:016x} under that number");
            report(Property::AgreedOrder, text);
        }
        if let Some(holder) = coordinator {
            let known = self.offices.entry((lineage, epoch));
            let known = known.or_insert_with(|| holder.clone());
            if known != holder {
                let text = format!("epoch {epoch} is of {holder:?}, and of {known:?}");
                report(Property::OneDecider, text);
            }
        }
        let last = self.last.entry(lineage).or_default();
        *last = (last.0.max(view), last.1.max(epoch));
        if let Some(voters) = node.electorate() {
            let known = self.electorates.entry(lineage);
            let known = known.or_insert_with(|| (view, voters.clone()));
            if known.0 < view {
                *known = (view, voters.clone());
            }
        }
    }

    /// The last view that anybody ever showed, of the lineage that has most.
    pub(in crate::sim) fn last_view(&self) -> View {
        let views = self.last.values().map(|(view, _)| *view);
        views.max().unwrap_or_default()
    }

    /// Who votes after the last view that anybody showed of this lineage.
    pub(in crate::sim) fn electorate(&self, lineage: Lineage) -> Option<&Voters> {
        self.electorates.get(&lineage).map(|(_, voters)| voters)
    }

    /// A process has ended: it decides nothing.
    pub(in crate::sim) fn on_end(&mut self, pid: Pid) {
        self.deciding.remove(&pid);
        self.shown.remove(&pid);
    }
}
