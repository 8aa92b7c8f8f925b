//! Who has no key of a cluster is outside: nobody there is told of it, and it is told of nobody.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use super::{Findings, Property, Violation};
use crate::event::Event;
use crate::members::{Instance, Name};
use crate::node::{KeyChange, Node};
use crate::sim::process::{Launch, Pid};
use crate::time::Time;
use crate::wire::sealing::{KeyId, Plaintext};

/// A way in which two processes can understand each other: they are of one cluster and both ever
/// were given this key, or both ever took plaintext.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Way {
    cluster: Name,
    /// `None`: plaintext.
    key: Option<KeyId>,
}

/// Who can know of whom, by the keys that all processes were started with or given by hand. News go
/// on from one to the next: a circle is all that are joined by ways of any of them. A ring that one
/// process hands to another joins nobody, for who gets in without a key is given the ring as well.
#[derive(Debug, Default)]
pub(in crate::sim) struct Circles {
    /// The circle of each way.
    ways: BTreeMap<Way, usize>,
    /// A way of each process: all of one process are in one circle.
    homes: BTreeMap<Pid, Way>,
    /// Who ever lived a life: as a rule one process.
    lives: HashMap<(Name, Instance), Vec<Pid>>,
    /// Whether there is more than one circle, so that somebody is outside.
    several: bool,
}

impl Circles {
    /// A process starts.
    pub(in crate::sim) fn on_launch(&mut self, pid: Pid, launch: &Launch) {
        self.join(ways_of(launch).collect());
        self.homes
            .extend(ways_of(launch).next().map(|way| (pid, way)));
    }

    /// A process is given other keys by hand.
    pub(in crate::sim) fn on_keys(&mut self, pid: Pid, launch: &Launch) {
        let home = self.homes.get(&pid).cloned();
        self.join(home.into_iter().chain(ways_of(launch)).collect());
    }

    /// A process is to change the keys of all.
    pub(in crate::sim) fn on_change(&mut self, pid: Pid, change: &KeyChange) {
        let home = self.homes.get(&pid).cloned();
        match change {
            KeyChange::Add(key) => {
                let added = home.clone().map(|home| Way {
                    key: Some(key.id()),
                    ..home
                });
                self.join(home.into_iter().chain(added).collect());
            }
            KeyChange::Look
            | KeyChange::Spread(_)
            | KeyChange::Use(_)
            | KeyChange::Remove { .. } => {}
        }
    }

    /// These ways are of one circle from now on.
    fn join(&mut self, of_one: Vec<Way>) {
        let fresh = self.ways.len();
        let known = of_one.iter().filter_map(|way| self.ways.get(way).copied());
        let joined: Vec<usize> = known.collect();
        let first = joined.iter().copied().min().unwrap_or(fresh);
        for circle in self.ways.values_mut() {
            if joined.contains(circle) {
                *circle = first;
            }
        }
        self.ways.extend(of_one.into_iter().map(|way| (way, first)));
        let mut circles = self.ways.values();
        let one = circles.next();
        self.several = circles.any(|circle| Some(circle) != one);
    }

    /// A process goes on as this life from now on.
    pub(in crate::sim) fn on_life(&mut self, pid: Pid, name: &Name, instance: Instance) {
        let lived = self.lives.entry((name.clone(), instance));
        lived.or_default().push(pid);
    }

    /// A process told something.
    pub(in crate::sim) fn on_event(
        &self,
        (pid, launch): (Pid, &Launch),
        event: &Event,
        now: Time,
        found: &mut Findings,
    ) {
        let member = &event.member;
        // What it is itself is noted at the end of a step.
        if member.is_self || !self.is_looked_at(launch) {
            return;
        }
        if !self.includes(pid, &member.name, member.instance) {
            report(
                launch,
                now,
                format!("tells of an outsider: {event:?}"),
                found,
            );
        }
    }

    /// Looks at all that a node holds.
    pub(in crate::sim) fn look(
        &self,
        (pid, launch): (Pid, &Launch),
        node: &Node,
        now: Time,
        found: &mut Findings,
    ) {
        if !self.is_looked_at(launch) {
            return;
        }
        let outside = |name: &Name, instance| !self.includes(pid, name, instance);
        let members = node.members();
        for member in members.filter(|member| outside(&member.name, member.instance)) {
            report(launch, now, format!("holds an outsider: {member:?}"), found);
        }
        let standings = node.standings();
        for held in standings.filter(|held| outside(&held.name, held.instance)) {
            let text = format!("has an outsider in its view: {held:?}");
            report(launch, now, text, found);
        }
    }

    /// Where nobody is outside only those with keys are worth a look: they must not be told of
    /// lives that nobody lived.
    fn is_looked_at(&self, launch: &Launch) -> bool {
        self.several || launch.keys.is_some() && launch.plaintext == Plaintext::Refuse
    }

    /// Whether a life is, or was, lived in the circle of a process.
    fn includes(&self, pid: Pid, name: &Name, instance: Instance) -> bool {
        let circle = |pid| self.homes.get(pid).and_then(|home| self.ways.get(home));
        let lived = self.lives.get(&(name.clone(), instance));
        lived.is_some_and(|pids| pids.iter().any(|of| circle(of) == circle(&pid)))
    }
}

/// The ways of a process with these keys: those that are over count as well.
fn ways_of(launch: &Launch) -> impl Iterator<Item = Way> + '_ {
    let keys = launch.keys.iter().flat_map(|ring| ring.infos());
    let keys = keys.map(|info| Some(info.id));
    let takes_plaintext = match launch.plaintext {
        Plaintext::Refuse => launch.keys.is_none(),
        Plaintext::Accept | Plaintext::Send => true,
    };
    let ways = keys.chain(takes_plaintext.then_some(None));
    ways.map(|key| Way {
        cluster: launch.cluster.clone(),
        key,
    })
}

fn report(launch: &Launch, at: Time, text: String, found: &mut Findings) {
    found.push(Violation {
        property: Property::Closed,
        at,
        process: launch.name.to_string(),
        text,
    });
}
