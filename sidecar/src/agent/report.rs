//! What the agent says in its log.

use std::collections::BTreeMap;

use muster_swim::{SeedError, SeedInfo};

use crate::api::model::Event;

/// Logs an event as one line.
pub(super) fn event(event: &Event) {
    let (member, details) = (&event.member, &event.details);
    let accusers = details.accusers.as_ref().map(|names| names.join(","));
    let tags: Vec<String> = member
        .tags
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    let tags = (event.kind == "member-updated").then(|| tags.join(","));
    tracing::info!(
        time = event.time.as_str(),
        member = member.name.as_str(),
        addr = %member.addr,
        instance = member.instance,
        incarnation = member.incarnation,
        by = details.by.as_deref(),
        silence = details.silence.as_deref(),
        cause = details.cause.as_deref(),
        accusers = accusers.as_deref(),
        new_instance = details.instance,
        new_addr = details.addr.map(tracing::field::display),
        tags = tags.as_deref(),
        "{}",
        event.kind
    );
}

/// Says once that a seed fails, and once that it works again.
#[derive(Debug, Default)]
pub(super) struct SeedWatch(BTreeMap<String, SeedError>);

impl SeedWatch {
    pub(super) fn look(&mut self, seeds: &[SeedInfo]) {
        for SeedInfo {
            seed,
            last_error,
            joined: _,
        } in seeds
        {
            match last_error {
                Some(error) if self.0.get(seed) == Some(error) => {}
                Some(error) => {
                    tracing::warn!(seed, %error, "seed-failed");
                    self.0.insert(seed.clone(), error.clone());
                }
                None => {
                    if self.0.remove(seed).is_some() {
                        tracing::info!(seed, "seed-works");
                    }
                }
            }
        }
    }
}
