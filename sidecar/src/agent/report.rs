//! What the agent says in its log.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use muster_swim::{Dropped, SeedError, Time};

use super::notify;
use crate::api::model::Event;

/// The line of an event; its level must be a constant.
macro_rules! log_event {
    ($level:expr, $event:expr) => {{
        let (event, member, details) = ($event, &$event.member, &$event.details);
        let names = |list: Option<&Vec<String>>| {
            let list = list.filter(|names| !names.is_empty());
            list.map(|names| names.join(","))
        };
        let grounds = details.grounds.as_ref();
        let tags = member.tags.iter().map(|(key, value)| format!("{key}={value}"));
        let tags = (event.kind == "member-updated").then(|| tags.collect::<Vec<_>>().join(","));
        tracing::event!(
            $level,
            time = event.time.as_str(),
            member = member.name.as_str(),
            view = event.view,
            epoch = event.epoch,
            addr = %member.addr,
            instance = member.instance,
            incarnation = member.incarnation,
            app = details.app.as_deref(),
            attachment = details.attachment,
            health = details.health.as_deref(),
            note = details.note.as_deref(),
            by = details.by.as_deref(),
            silence = details.silence.as_deref(),
            cause = details.cause.as_deref(),
            status = details.status,
            signal = details.signal.as_deref(),
            accusers = names(details.accusers.as_ref()),
            new_instance = details.instance,
            new_addr = details.addr.map(tracing::field::display),
            removed_in = details.removed_in,
            recovered = details.recovered,
            reason = grounds.map(|grounds| &*grounds.reason),
            unreached = names(grounds.map(|grounds| &grounds.unreached)),
            reached = names(grounds.map(|grounds| &grounds.reached)),
            no_testimony = names(grounds.map(|grounds| &grounds.no_testimony)),
            took_ms = grounds.map(|grounds| grounds.took_ms),
            tags = tags,
            "{}",
            event.kind
        )
    }};
}

/// Logs an event as one line.
pub(super) fn event(event: &Event) {
    match &*event.kind {
        // Whoever looks for what went wrong begins with these.
        "quorum-lost" | "self-removed" => log_event!(tracing::Level::WARN, event),
        // An operator gave up what only the lost voters knew.
        "quorum-regained" if event.details.recovered == Some(true) => {
            log_event!(tracing::Level::WARN, event);
        }
        _ => log_event!(tracing::Level::INFO, event),
    }
}

/// Says that this member says goodbye, to the supervisor too if the process is its own.
pub(super) fn leaving(reason: &str, app: Option<&str>, is_own: bool) {
    tracing::info!(reason, app, "leaving");
    if is_own {
        notify::stopping();
    }
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
    pub(super) fn look<'a>(
        &mut self,
        seeds: impl Iterator<Item = (&'a str, Option<&'a SeedError>)>,
    ) {
        for (seed, last_error) in seeds {
            match last_error {
                Some(error) if self.0.get(seed) == Some(error) => {}
                Some(error) => {
                    tracing::warn!(seed, %error, "seed-failed");
                    self.0.insert(seed.to_owned(), error.clone());
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

/// How often it is told that strangers speak to this member.
const STRANGERS: Duration = Duration::from_secs(60);

/// Says that what somebody says cannot be opened here: otherwise only that one would know.
#[derive(Debug, Default)]
pub(super) struct StrangerWatch {
    /// Of what came under an unknown key, and of what came without a seal.
    seen: [u64; 2],
    told: [Option<Time>; 2],
}

impl StrangerWatch {
    /// Looks at the counters after something came `from` there.
    pub(super) fn look(&mut self, dropped: &Dropped, from: Option<SocketAddr>, now: Time) {
        let counted = [dropped.key, dropped.unsealed];
        let why = [
            "it is sealed with a key that this member has not, or no more",
            "it is not sealed",
        ];
        for (kind, why) in why.into_iter().enumerate() {
            let is_due = self.told[kind].is_none_or(|told| told + STRANGERS <= now);
            let new = counted[kind].saturating_sub(self.seen[kind]);
            if new == 0 || !is_due {
                continue;
            }
            (self.seen[kind], self.told[kind]) = (counted[kind], Some(now));
            tracing::warn!(
                from = from.map(tracing::field::display),
                why,
                times = new,
                advice = "if it is a member of this cluster, give it the key file of another \
                          member: it has none, or was away for longer than --key-grace while the \
                          key changed",
                "stranger-refused"
            );
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

    /// An event with what belongs to its type, and its line after level and time.
    fn line(kind: &str, details: serde_json::Value) -> String {
        let mut document = serde_json::json!({
            "cursor": "1.1", "time": "2026-01-02T03:04:05.678Z", "type": kind, "view": 17,
            "epoch": 2, "member": {
                "name": "n3", "addr": "127.0.0.1:7003", "instance": 3, "incarnation": 1,
                "state": "dead", "verdict": "dead", "view": 17,
                "since": "2026-01-02T03:04:05.678Z", "zone": null, "tags": {"role": "db"},
                "voter": false, "self": false, "rtt_us": null
            }
        });
        let fields = document.as_object_mut().expect("an object");
        fields.extend(details.as_object().expect("an object").clone());
        let told: Event = serde_json::from_value(document).expect("an event");
        let lines = written(LevelFilter::INFO, LogFormat::Text, || event(&told));
        without_time(&lines.concat()).to_owned()
    }

    #[test]
    fn a_verdict_is_a_line_with_its_view_and_its_grounds() {
        let grounds = serde_json::json!({"cause": "convicted", "grounds": {
            "reason": "unreached", "unreached": ["n1", "n2"], "reached": [],
            "no_testimony": ["n5"], "took_ms": 512
        }});
        assert_eq!(
            line("member-dead", grounds),
            "INFO member-dead member=n3 view=17 epoch=2 addr=127.0.0.1:7003 instance=3 \
             incarnation=1 cause=convicted reason=unreached unreached=n1,n2 \
             no_testimony=n5 took_ms=512\n"
        );
        let updated = line("member-updated", serde_json::json!({}));
        assert!(
            updated.ends_with("incarnation=1 tags=\"role=db\"\n"),
            "{updated}"
        );
    }

    #[test]
    fn what_went_wrong_stands_out() {
        let none = || serde_json::json!({});
        assert!(line("quorum-lost", none()).starts_with("WARN quorum-lost member=n3 view=17"));
        let regained = |recovered| {
            line(
                "quorum-regained",
                serde_json::json!({"recovered": recovered}),
            )
        };
        assert!(regained(false).starts_with("INFO "));
        assert!(regained(true).starts_with("WARN "));
        let removed = serde_json::json!({"cause": "verdict", "removed_in": 9});
        let text = line("self-removed", removed);
        assert!(
            text.starts_with("WARN ") && text.ends_with("cause=verdict removed_in=9\n"),
            "{text}"
        );
    }

    #[test]
    fn a_failed_memory_is_told_with_what_follows_and_what_to_do() {
        let lines = written(LevelFilter::INFO, LogFormat::Text, || {
            memory_failed("/d: full")
        });
        let text = lines.concat();
        let line = without_time(&text);
        assert!(
            line.starts_with("ERROR memory-failed error=\"/d: full\""),
            "{line}"
        );
        assert!(
            line.contains("votes no more") && line.contains("make room"),
            "{line}"
        );
    }

    #[test]
    fn strangers_are_told_once_a_minute_with_what_to_do() {
        let mut watch = StrangerWatch::default();
        let mut look = |key, unsealed, seconds| {
            let dropped = Dropped {
                key,
                unsealed,
                ..Dropped::default()
            };
            let from = SocketAddr::from(([10, 0, 0, 5], 7946));
            let now = Time::ZERO + Duration::from_secs(seconds);
            watch.look(&dropped, Some(from), now);
        };
        let lines = written(LevelFilter::INFO, LogFormat::Text, || {
            look(0, 0, 1);
            look(1, 0, 2);
            look(7, 0, 61);
            look(8, 1, 62);
            look(8, 1, 500);
        });
        let said: Vec<String> = lines
            .iter()
            .map(|line| {
                without_time(line)
                    .split(" advice=")
                    .next()
                    .unwrap_or_default()
                    .to_owned()
            })
            .collect();
        let unknown = "why=\"it is sealed with a key that this member has not, or no more\"";
        assert_eq!(
            said,
            [
                format!("WARN stranger-refused from=10.0.0.5:7946 {unknown} times=1"),
                format!("WARN stranger-refused from=10.0.0.5:7946 {unknown} times=7"),
                "WARN stranger-refused from=10.0.0.5:7946 why=\"it is not sealed\" times=1".into(),
            ]
        );
        assert!(lines[0].contains("give it the key file of another member"));
    }

    #[test]
    fn a_seed_is_told_once_when_it_fails_and_once_when_it_works_again() {
        let mut watch = SeedWatch::default();
        let mut look = |error: Option<SeedError>| {
            watch.look([("db1:7946", error.as_ref())].into_iter());
        };
        let lines = written(LevelFilter::INFO, LogFormat::Text, || {
            look(None);
            look(Some(SeedError::Unresolved));
            look(Some(SeedError::Unresolved));
            look(Some(SeedError::Unanswered));
            look(None);
            look(None);
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
