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

#[cfg(test)]
mod tests {
    use tracing::level_filters::LevelFilter;

    use super::*;
    use crate::log::tests::{without_time, written};
    use crate::settings::LogFormat;

    #[test]
    fn a_seed_is_told_once_when_it_fails_and_once_when_it_works_again() {
        let seed = |last_error| {
            let seed = "db1:7946".to_owned();
            [SeedInfo {
                seed,
                joined: false,
                last_error,
            }]
        };
        let mut watch = SeedWatch::default();
        let lines = written(LevelFilter::INFO, LogFormat::Text, || {
            watch.look(&seed(None));
            watch.look(&seed(Some(SeedError::Unresolved)));
            watch.look(&seed(Some(SeedError::Unresolved)));
            watch.look(&seed(Some(SeedError::Unanswered)));
            watch.look(&seed(None));
            watch.look(&seed(None));
        });
        let lines: Vec<&str> = lines.iter().map(|line| without_time(line)).collect();
        assert_eq!(
            lines,
            [
                "WARN seed-failed seed=db1:7946 error=\"its name does not resolve\"\n",
                "WARN seed-failed seed=db1:7946 error=\"it does not answer\"\n",
                "INFO seed-works seed=db1:7946\n",
            ]
        );
    }
}
