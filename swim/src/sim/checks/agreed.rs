//! What must hold of the agreed views, of all processes together, at every step.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use super::{Findings, Property, Violation};
use crate::coordinator::{Epoch, Lineage, View};
use crate::event::{Event, EventKind};
use crate::members::{Instance, Name};
use crate::node::{Answer, Mark, Node, Ticket};
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
    /// What each process showed last.
    shown: BTreeMap<Pid, Mark>,
    /// The first and the last view that was shown of each epoch, whatever the generation.
    terms: BTreeMap<(u64, Epoch), (View, View)>,
    /// In which view a life was condemned.
    condemned: BTreeMap<(Lineage, Name, Instance), View>,
    /// When whoever decides last had a way to a voter.
    ways: BTreeMap<(Pid, Name), Time>,
    /// What had been shown when a view was asked for.
    asked: BTreeMap<(Pid, Ticket), BTreeMap<Lineage, View>>,
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
        open: impl Fn(SocketAddr) -> bool,
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
            self.compare(pid, mark, &mut report);
        }
        self.note_ways(pid, node, now, open);
        if !node.decides(read) {
            self.deciding.remove(&pid);
            return;
        }
        self.look_at_decider(pid, node, now, &mut report);
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

    /// Notes to which voters a voter has a way now: whoever asks for a lease asks at a step of
    /// its own.
    fn note_ways(&mut self, pid: Pid, node: &Node, now: Time, open: impl Fn(SocketAddr) -> bool) {
        let Some(electorate) = node.electorate() else {
            return;
        };
        let me = &node.identity().name;
        let votes = electorate.voters.iter().any(|voter| voter.name == *me);
        if !votes || electorate.voters.len() == 1 {
            return;
        }
        for voter in electorate.voters.iter().filter(|voter| voter.name != *me) {
            let addr = node.member(voter.name.as_str()).map(|member| member.addr);
            if addr.is_some_and(&open) {
                self.ways.insert((pid, voter.name.clone()), now);
            }
        }
    }

    fn look_at_decider(
        &self,
        pid: Pid,
        node: &Node,
        now: Time,
        report: &mut impl FnMut(Property, String),
    ) {
        let Some(mark) = self.shown.get(&pid) else {
            return;
        };
        let last = self.last.get(&mark.lineage).map(|(view, _)| *view);
        if last > Some(mark.view) {
            let text = format!("decides in view {}, others showed {last:?}", mark.view);
            report(Property::NothingForgotten, text);
        }
        let Some(electorate) = node.electorate() else {
            return;
        };
        // Of a clock that runs 1 % slow.
        let lease = node.config().lease * 102 / 100;
        let me = &node.identity().name;
        let near = electorate.voters.iter().filter(|voter| {
            let way = self.ways.get(&(pid, voter.name.clone()));
            voter.name == *me || way.is_some_and(|at| now.since(*at) <= lease)
        });
        if near.count() <= electorate.voters.len() / 2 {
            let text = format!("decides without a way to a majority of {electorate:?}");
            report(Property::NoBusyMinority, text);
        }
    }

    /// A process told something in a history.
    pub(in crate::sim) fn on_event(
        &mut self,
        lineage: Lineage,
        event: &Event,
        now: Time,
        at: &Name,
        found: &mut Findings,
    ) {
        let member = &event.member;
        let key = || (lineage, member.name.clone(), member.instance);
        match event.kind {
            EventKind::Dead { .. } | EventKind::Left => {
                self.condemned.entry(key()).or_insert(member.view);
            }
            EventKind::Up => {
                let condemned = self.condemned.get(&key());
                if condemned.is_some_and(|view| *view <= member.view) {
                    found.push(Violation {
                        property: Property::VerdictsAreFinal,
                        at: now,
                        process: at.to_string(),
                        text: format!("up after it was condemned in {condemned:?}: {event:?}"),
                    });
                }
            }
            EventKind::Reachable
            | EventKind::Suspect { .. }
            | EventKind::Unreachable { .. }
            | EventKind::Degraded { .. }
            | EventKind::Updated
            | EventKind::AppUp { .. }
            | EventKind::AppDown { .. }
            | EventKind::AppHealth { .. }
            | EventKind::CoordinatorChanged
            | EventKind::QuorumLost
            | EventKind::QuorumRegained { .. }
            | EventKind::SelfRemoved { .. }
            | EventKind::SelfReadmitted => {}
        }
    }

    /// A process asks which view is the last.
    pub(in crate::sim) fn on_asked(&mut self, pid: Pid, ticket: Ticket) {
        let last = self
            .last
            .iter()
            .map(|(lineage, (view, _))| (*lineage, *view));
        self.asked
            .entry((pid, ticket))
            .or_insert_with(|| last.collect());
    }

    /// It has its answer.
    pub(in crate::sim) fn on_answer(
        &mut self,
        pid: Pid,
        ticket: Ticket,
        answer: &Answer,
        node: &Node,
        now: Time,
        found: &mut Findings,
    ) {
        let Some(shown) = self.asked.remove(&(pid, ticket)) else {
            return;
        };
        let (Answer::Current(view), Some(mark)) = (answer, node.mark()) else {
            return;
        };
        let least = shown.get(&mark.lineage).copied().unwrap_or_default();
        if *view < least || mark.view < *view {
            found.push(Violation {
                property: Property::ReadsNeverGoBack,
                at: now,
                process: node.identity().name.to_string(),
                text: format!("is told {view:?} at {mark:?}; {least:?} was shown before"),
            });
        }
    }

    fn compare(&mut self, pid: Pid, mark: Mark, report: &mut impl FnMut(Property, String)) {
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
        let family = lineage.family;
        let term = self.terms.entry((family, epoch)).or_insert((view, view));
        *term = (term.0.min(view), term.1.max(view));
        let (first, last) = *term;
        let mut before = self.terms.range(..(family, epoch)).rev();
        let mut after = self.terms.range((family, epoch.next())..);
        let overlaps = before
            .next()
            .is_some_and(|((of, _), (_, end))| *of == family && *end >= first)
            || after
                .next()
                .is_some_and(|((of, _), (start, _))| *of == family && *start <= last);
        if overlaps {
            let text = format!("epoch {epoch} is in views {first} to {last}, between others");
            report(Property::EpochsNeverRepeat, text);
        }
        let last = self.last.entry(lineage).or_default();
        *last = (last.0.max(view), last.1.max(epoch));
    }

    /// The last view that anybody ever showed, of the lineage that has most.
    pub(in crate::sim) fn last_view(&self) -> View {
        let views = self.last.values().map(|(view, _)| *view);
        views.max().unwrap_or_default()
    }

    /// A process has ended: it decides nothing.
    pub(in crate::sim) fn on_end(&mut self, pid: Pid) {
        self.deciding.remove(&pid);
        self.shown.remove(&pid);
        self.ways.retain(|(of, _), _| *of != pid);
        self.asked.retain(|(of, _), _| *of != pid);
    }
}
