//! Who has no key of a cluster is outside: nobody there is told of it, and it is told of nobody.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use super::{Findings, Property, Violation};
use crate::event::Event;
use crate::members::{Instance, Name};
use crate::node::Node;
use crate::sim::process::Launch;
use crate::time::Time;
use crate::wire::sealing::{KeyId, Plaintext};

/// A way in which two processes can understand each other: they are of one cluster and both ever
/// had this key, or both ever took plaintext.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Way {
    cluster: Name,
    /// `None`: plaintext.
    key: Option<KeyId>,
}

/// Who can know of whom, by what all processes were ever given. News go on from one to the next,
/// and so do keys: a circle is all that are joined by ways of any of them.
#[derive(Debug, Default)]
pub(in crate::sim) struct Circles {
    /// The circle of each way.
    ways: BTreeMap<Way, usize>,
    /// A way of each process that ever lived a life: as a rule there is one.
    lives: HashMap<(Name, Instance), Vec<Way>>,
    /// Whether there is more than one circle, so that somebody is outside.
    several: bool,
}

impl Circles {
    /// A process has the keys of `now`, and had those of `before`; at its start both are the same.
    pub(in crate::sim) fn on_keys(&mut self, before: &Launch, now: &Launch) {
        let fresh = self.ways.len();
        let of_it: Vec<Way> = ways_of(before).chain(ways_of(now)).collect();
        let known = of_it.iter().filter_map(|way| self.ways.get(way).copied());
        let joined: Vec<usize> = known.collect();
        let first = joined.iter().copied().min().unwrap_or(fresh);
        for circle in self.ways.values_mut() {
            if joined.contains(circle) {
                *circle = first;
            }
        }
        self.ways.extend(of_it.into_iter().map(|way| (way, first)));
        let mut circles = self.ways.values();
        let one = circles.next();
        self.several = circles.any(|circle| Some(circle) != one);
    }

    /// A process goes on as this life from now on.
    pub(in crate::sim) fn on_life(&mut self, launch: &Launch, instance: Instance) {
        let lived = self.lives.entry((launch.name.clone(), instance));
        lived.or_default().extend(ways_of(launch).next());
    }

    /// A process told something.
    pub(in crate::sim) fn on_event(
        &self,
        launch: &Launch,
        event: &Event,
        now: Time,
        found: &mut Findings,
    ) {
        let member = &event.member;
        // What it is itself is noted at the end of a step.
        if member.is_self || !self.is_looked_at(launch) {
            return;
        }
        if !self.includes(launch, &member.name, member.instance) {
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
        launch: &Launch,
        node: &Node,
        now: Time,
        found: &mut Findings,
    ) {
        if !self.is_looked_at(launch) {
            return;
        }
        let outside = |name: &Name, instance| !self.includes(launch, name, instance);
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
    fn includes(&self, launch: &Launch, name: &Name, instance: Instance) -> bool {
        let circle = |way: &Way| self.ways.get(way).copied();
        let here = ways_of(launch).next().and_then(|way| circle(&way));
        let lived = self.lives.get(&(name.clone(), instance));
        lived.is_some_and(|ways| ways.iter().any(|way| circle(way) == here))
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
