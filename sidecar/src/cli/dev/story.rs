//! The merged stream: what all sidecars saw, each event once, with who saw it and when.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, SystemTime};

use super::super::output::tone_of;
use super::super::table::{Cell, Tone};
use super::super::watch::details;
use crate::api::model::Event;

/// Entries kept.
const ENTRIES: usize = 1000;

/// The same event seen by others within this time is one entry.
const SAME: Duration = Duration::from_secs(30);

/// An event this long after what was done to the member is not a consequence of it any more.
const CONSEQUENCE: Duration = Duration::from_secs(60);

/// What was done to a sidecar's process, by whomever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// It was started.
    Started,
    /// It ended.
    Ended,
    /// It was stopped by a signal.
    Paused,
    /// It was let go on.
    Resumed,
}

impl Deed {
    fn words(self) -> &'static str {
        match self {
            Deed::Started => "after its start",
            Deed::Ended => "after its end",
            Deed::Paused => "after the pause",
            Deed::Resumed => "after it went on",
        }
    }

    /// Whether events of this type follow from it.
    fn explains(self, kind: &str) -> bool {
        match self {
            Deed::Started | Deed::Resumed => {
                matches!(kind, "member-reachable" | "member-up" | "self-readmitted")
            }
            Deed::Ended => matches!(
                kind,
                "member-suspect" | "member-unreachable" | "member-dead" | "member-left"
            ),
            Deed::Paused => matches!(
                kind,
                "member-suspect" | "member-unreachable" | "member-degraded" | "member-dead"
            ),
        }
    }
}

/// All that happened, oldest first.
#[derive(Debug)]
pub(super) struct Story {
    start: SystemTime,
    entries: VecDeque<Entry>,
    deeds: BTreeMap<String, (Deed, SystemTime)>,
    news: Vec<Vec<Cell>>,
}

#[derive(Debug)]
enum Entry {
    Note {
        at: SystemTime,
        text: String,
        tone: Tone,
    },
    Happening(Happening),
}

/// One event as seen by one or more sidecars.
#[derive(Debug)]
struct Happening {
    kind: String,
    member: String,
    instance: u64,
    /// ` view 7` or the like, where it was agreed.
    agreed: String,
    details: String,
    cause: Option<(Deed, SystemTime)>,
    sightings: Vec<(String, SystemTime)>,
    seen_by_all: bool,
}

impl Story {
    /// An empty story that begins now.
    pub(super) fn new(start: SystemTime) -> Story {
        Story {
            start,
            entries: VecDeque::new(),
            deeds: BTreeMap::new(),
            news: Vec::new(),
        }
    }

    /// Adds a line of our own.
    pub(super) fn note(&mut self, at: SystemTime, text: impl Into<String>, tone: Tone) {
        self.push(Entry::Note {
            at,
            text: text.into(),
            tone,
        });
    }

    /// Remembers what was done to a sidecar: events that follow from it are timed from there.
    pub(super) fn deed(&mut self, member: &str, deed: Deed, at: SystemTime) {
        self.deeds.insert(member.to_owned(), (deed, at));
    }

    /// Adds what `observer` saw. `awake` are the sidecars that could see it too.
    pub(super) fn sighting(&mut self, observer: &str, event: &Event, awake: &BTreeSet<String>) {
        let at = humantime::parse_rfc3339(&event.time).unwrap_or_else(|_| SystemTime::now());
        let sighting = (observer.to_owned(), at);
        let known = self
            .entries
            .iter()
            .rposition(|entry| entry.is(observer, event, at));
        let position = match known {
            Some(position) => position,
            None => {
                let cause = self.cause(observer, event, at);
                self.push(Entry::Happening(Happening::new(
                    event,
                    cause,
                    sighting.clone(),
                )));
                self.entries.len() - 1
            }
        };
        let Some(Entry::Happening(happening)) = self.entries.get_mut(position) else {
            return;
        };
        if known.is_some() {
            happening.sightings.push(sighting);
        }
        if let Some(line) = happening.completed(awake) {
            let time = self.time(at);
            self.news.push([vec![time], line].concat());
        }
    }

    /// The last `count` entries as lines, each as it stands now.
    pub(super) fn last(&self, count: usize) -> impl Iterator<Item = Vec<Cell>> + '_ {
        let skipped = self.entries.len().saturating_sub(count);
        self.entries
            .iter()
            .skip(skipped)
            .map(|entry| self.line(entry))
    }

    /// What came since the last call, as lines that stand for good.
    pub(super) fn news(&mut self) -> Vec<Vec<Cell>> {
        std::mem::take(&mut self.news)
    }

    /// What was done to the member that explains the event. An observer that itself started or went
    /// on since then saw it late for that reason alone.
    fn cause(&self, observer: &str, event: &Event, at: SystemTime) -> Option<(Deed, SystemTime)> {
        let (deed, since) = self.deeds.get(&event.member.name).copied()?;
        let observed = self
            .deeds
            .get(observer)
            .is_none_or(|(_, awake)| *awake <= since);
        let recent = at.duration_since(since).unwrap_or_default() < CONSEQUENCE;
        (deed.explains(&event.kind) && observed && recent).then_some((deed, since))
    }

    fn push(&mut self, entry: Entry) {
        let line = self.line(&entry);
        self.news.push(line);
        if self.news.len() > ENTRIES {
            self.news.remove(0);
        }
        if self.entries.len() == ENTRIES {
            self.entries.pop_front();
        }
        self.entries.push_back(entry);
    }

    fn line(&self, entry: &Entry) -> Vec<Cell> {
        match entry {
            Entry::Note { at, text, tone } => vec![self.time(*at), Cell::new(text, *tone)],
            Entry::Happening(happening) => {
                let first = happening
                    .sightings
                    .first()
                    .map_or(self.start, |(_, at)| *at);
                [vec![self.time(first)], happening.line()].concat()
            }
        }
    }

    /// Seconds since the start, right-aligned.
    fn time(&self, at: SystemTime) -> Cell {
        let since = at.duration_since(self.start).unwrap_or_default();
        Cell::new(
            format!("{:>4}.{:03}  ", since.as_secs(), since.subsec_millis()),
            Tone::Faint,
        )
    }
}

impl Entry {
    /// Whether it is the same event, not seen by this observer yet.
    fn is(&self, observer: &str, event: &Event, at: SystemTime) -> bool {
        let Entry::Happening(happening) = self else {
            return false;
        };
        let (member, instance) = subject(event);
        let same = happening.kind == event.kind
            && happening.member == member
            && happening.instance == instance
            && happening.agreed == agreed(event);
        let near =
            |(other, then): &(String, SystemTime)| other != observer && apart(*then, at) < SAME;
        same && happening.sightings.iter().all(near)
    }
}

impl Happening {
    fn new(
        event: &Event,
        cause: Option<(Deed, SystemTime)>,
        sighting: (String, SystemTime),
    ) -> Happening {
        let (member, instance) = subject(event);
        Happening {
            kind: event.kind.to_string(),
            member: member.to_owned(),
            instance,
            agreed: agreed(event),
            details: details(&event.details),
            cause,
            sightings: vec![sighting],
            seen_by_all: false,
        }
    }

    /// `member-unreachable n3  after its end: n1 52 ms, n2 53 ms  cause=timeout`.
    fn line(&self) -> Vec<Cell> {
        let mut line = self.what();
        line.push(Cell::plain(format!("  {}", self.seen())));
        line.push(Cell::new(format!(" {}", self.details), Tone::Faint));
        line
    }

    fn what(&self) -> Vec<Cell> {
        let tone = tone_of(self.kind.trim_start_matches("member-"));
        vec![
            Cell::new(format!("{:<19} ", self.kind), tone),
            Cell::new(&self.member, Tone::Strong),
            Cell::plain(&self.agreed),
        ]
    }

    /// Who saw it, and when: after what caused it, or else after the one who saw it first.
    fn seen(&self) -> String {
        let mut sightings: Vec<&(String, SystemTime)> = self.sightings.iter().collect();
        sightings.sort_by_key(|(_, at)| *at);
        let millis =
            |at: SystemTime, since| at.duration_since(since).unwrap_or_default().as_millis();
        let Some((deed, since)) = self.cause else {
            let first = sightings
                .first()
                .map_or(SystemTime::UNIX_EPOCH, |(_, at)| *at);
            let shown = sightings
                .iter()
                .map(|(observer, at)| match millis(*at, first) {
                    0 => observer.clone(),
                    late => format!("{observer} +{late} ms"),
                });
            return format!("seen by {}", shown.collect::<Vec<_>>().join(", "));
        };
        let shown = sightings
            .iter()
            .map(|(observer, at)| format!("{observer} {}", millis(*at, since)));
        format!(
            "{}: {} ms",
            deed.words(),
            shown.collect::<Vec<_>>().join(", ")
        )
    }

    /// A line for the moment at which the last of those who can see it saw it.
    fn completed(&mut self, awake: &BTreeSet<String>) -> Option<Vec<Cell>> {
        let seen = |name: &&String| self.sightings.iter().any(|(observer, _)| observer == *name);
        let missing = awake
            .iter()
            .filter(|name| **name != self.member)
            .find(|name| !seen(name));
        if missing.is_some() || self.seen_by_all || self.sightings.len() < 2 {
            return None;
        }
        self.seen_by_all = true;
        let mut line = self.what();
        let count = self.sightings.len();
        line.push(Cell::plain(format!(
            "  seen by all {count}; {}",
            self.seen()
        )));
        Some(line)
    }
}

/// Whom it is about. What is told of the quorum, each tells of itself: that is one happening.
fn subject(event: &Event) -> (&str, u64) {
    match event.kind.starts_with("quorum-") {
        true => ("", 0),
        false => (&event.member.name, event.member.instance),
    }
}

/// The numbers under which it was agreed; nothing for hints.
fn agreed(event: &Event) -> String {
    match &*event.kind {
        "member-up" | "member-dead" | "member-left" | "member-degraded" if event.view > 0 => {
            format!(" view {}", event.view)
        }
        "coordinator-changed" => format!(" epoch {}", event.epoch),
        _ => String::new(),
    }
}

fn apart(one: SystemTime, other: SystemTime) -> Duration {
    one.duration_since(other)
        .unwrap_or_else(|error| error.duration())
}

#[cfg(test)]
mod tests;
