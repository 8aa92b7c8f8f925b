//! What one node told of apps, held against what it holds.

use std::collections::BTreeMap;
use std::sync::Arc;

use hashbrown::HashMap;

use crate::event::{Event, EventKind, MemberInfo, State};
use crate::members::{App, Instance, Name};
use crate::node::{Lifecycle, Node};

/// The apps that run, by the events alone.
#[derive(Debug, Default)]
pub(super) struct AppsTold(HashMap<Name, Running>);

/// Those of one life of a member.
#[derive(Debug, Default, PartialEq, Eq)]
struct Running {
    instance: Option<Instance>,
    apps: BTreeMap<Arc<str>, App>,
}

impl AppsTold {
    /// What is wrong with an event: each life of an app is told once up and once down.
    pub(super) fn on_event(&mut self, event: &Event) -> Option<&'static str> {
        let told = || (event.member.name.clone(), event.member.instance);
        match &event.kind {
            EventKind::AppUp { app, as_was } => {
                let (name, instance) = told();
                let running = self.0.entry(name).or_default();
                if running.apps.is_empty() {
                    running.instance = Some(instance);
                }
                let of_another = running.instance != Some(instance);
                let before = running.apps.insert(Arc::clone(app), as_was.clone());
                if of_another {
                    return Some("an app is up while those of another life are");
                }
                before.map(|_| "an app that runs is up again")
            }
            EventKind::AppDown {
                app, attachment, ..
            } => {
                let (name, instance) = told();
                let running = self.0.get_mut(&name);
                let ended = running
                    .filter(|running| running.instance == Some(instance))
                    .and_then(|running| running.apps.remove(app))
                    .filter(|ended| ended.attachment == *attachment);
                ended
                    .is_none()
                    .then_some("an app that does not run is down")
            }
            EventKind::AppHealth { app, is_now } => {
                let (name, _) = told();
                let running = self.0.get_mut(&name);
                let held = running.and_then(|running| running.apps.get_mut(app));
                match held.filter(|held| held.attachment == is_now.attachment) {
                    Some(held) if held == is_now => Some("an app tells the same health again"),
                    Some(held) => {
                        *held = is_now.clone();
                        None
                    }
                    None => Some("an app that does not run tells its health"),
                }
            }
            EventKind::Reachable
            | EventKind::Suspect { .. }
            | EventKind::Unreachable { .. }
            | EventKind::Degraded { .. }
            | EventKind::Up
            | EventKind::Dead { .. }
            | EventKind::Left
            | EventKind::Updated
            | EventKind::CoordinatorChanged
            | EventKind::QuorumLost
            | EventKind::QuorumRegained { .. }
            | EventKind::SelfRemoved { .. }
            | EventKind::SelfReadmitted => None,
        }
    }

    /// Whether what was told of a member's apps is what the node holds.
    pub(super) fn tells(&mut self, node: &Node, member: &MemberInfo) -> bool {
        let over = matches!(member.state, State::Dead | State::Left)
            || member.is_self && node.lifecycle() == Lifecycle::Removed;
        let told = self
            .0
            .get(&member.name)
            .filter(|told| !told.apps.is_empty());
        let held = || {
            let apps = member.apps.running();
            apps.map(|(name, app)| (Arc::clone(name), app.clone()))
        };
        let same = match told {
            None => over || held().next().is_none(),
            Some(_) if over => false,
            Some(told) => {
                told.instance == Some(member.instance)
                    && held().collect::<BTreeMap<_, _>>() == told.apps
            }
        };
        if !same {
            // Told once.
            let instance = Some(member.instance);
            let apps = if over {
                BTreeMap::new()
            } else {
                held().collect()
            };
            self.0
                .insert(member.name.clone(), Running { instance, apps });
        }
        same
    }

    /// A member was forgotten, and its apps with it.
    pub(super) fn forget(&mut self, node: &Node) {
        self.0
            .retain(|name, _| node.member(name.as_str()).is_some());
    }
}
