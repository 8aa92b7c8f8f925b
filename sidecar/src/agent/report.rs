//! What the agent says in its log.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;

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

/// Says that nothing can be saved any more. Told once: everything after it fails too.
pub(super) fn memory_failed(error: &str) {
    tracing::error!(
        error,
        consequence = "this member votes no more; it goes on watching and hears every verdict",
        advice = "make room on the disk or repair it, then restart this agent",
        "memory-failed"
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

/// Says of each kind of error once that datagrams cannot be sent.
#[derive(Debug, Default)]
pub(super) struct SendWatch(BTreeSet<io::ErrorKind>);

impl SendWatch {
    pub(super) fn failed(&mut self, to: SocketAddr, error: &io::Error) {
        if self.0.insert(error.kind()) {
            tracing::warn!(%to, %error, "send-failed");
        } else {
            tracing::trace!(%to, %error, "send-failed");
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
    fn datagrams_that_cannot_be_sent_are_told_once_for_each_kind_of_error() {
        let to = |port| SocketAddr::from(([10, 0, 0, 5], port));
        let mut watch = SendWatch::default();
        let lines = written(LevelFilter::TRACE, LogFormat::Text, || {
            for (port, kind) in [
                (1, io::ErrorKind::NetworkUnreachable),
                (2, io::ErrorKind::NetworkUnreachable),
                (3, io::ErrorKind::PermissionDenied),
                (4, io::ErrorKind::NetworkUnreachable),
            ] {
                watch.failed(to(port), &kind.into());
            }
        });
        let lines: Vec<&str> = lines.iter().map(|line| without_time(line)).collect();
        assert_eq!(
            lines,
            [
                "WARN send-failed to=10.0.0.5:1 error=\"network unreachable\"\n",
                "TRACE send-failed to=10.0.0.5:2 error=\"network unreachable\"\n",
                "WARN send-failed to=10.0.0.5:3 error=\"permission denied\"\n",
                "TRACE send-failed to=10.0.0.5:4 error=\"network unreachable\"\n",
            ]
        );
    }

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
