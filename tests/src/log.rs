//! The sidecar's log: one line per event, `TIME LEVEL KIND key=value…`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A place in a log; what comes after it is news.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mark(usize);

/// One event of a log.
#[derive(Clone, Debug)]
pub struct Line {
    /// For instance `member-unreachable`.
    pub kind: String,
    /// Whom it is about.
    pub member: String,
    /// The whole line.
    pub text: String,
}

impl Line {
    /// When it was logged, to the millisecond.
    pub fn time(&self) -> Option<SystemTime> {
        humantime::parse_rfc3339(self.text.split_whitespace().next()?).ok()
    }

    /// The value of a field that is a number.
    pub fn number(&self, field: &str) -> Option<u64> {
        let words = self.text.split_whitespace();
        let mut pairs = words.filter_map(|word| word.split_once('='));
        pairs.find(|(key, _)| *key == field)?.1.parse().ok()
    }
}

/// Standard output and standard error of one host's sidecars, one life after the other.
#[derive(Debug)]
pub(crate) struct Log(PathBuf);

impl Log {
    pub(crate) fn new(path: PathBuf) -> Log {
        Log(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn text(&self) -> String {
        fs::read(&self.0)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    pub(crate) fn mark(&self) -> Mark {
        Mark(self.text().lines().count())
    }

    /// The events since `mark`.
    pub(crate) fn events(&self, mark: Mark) -> Vec<Line> {
        self.text().lines().skip(mark.0).filter_map(event).collect()
    }

    pub(crate) fn tail(&self, lines: usize) -> String {
        let text = self.text();
        let all: Vec<&str> = text.lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }
}

fn event(text: &str) -> Option<Line> {
    let mut words = text.split_whitespace();
    let kind = words.nth(2)?;
    let member = words.find_map(|word| word.strip_prefix("member="))?;
    Some(Line {
        kind: kind.to_owned(),
        member: member.trim_matches('"').to_owned(),
        text: text.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::event;

    #[test]
    fn an_event_is_told_from_other_lines() {
        let line = event("2026-01-02T03:04:05.678Z INFO member-left member=n3 addr=10.0.0.1:7946")
            .expect("this is an event");
        assert_eq!(
            (line.kind.as_str(), line.member.as_str()),
            ("member-left", "n3")
        );
        let dead = event("2026-01-02T03:04:05.678Z INFO member-dead member=n3 view=7 epoch=x");
        let dead = dead.expect("this is an event");
        assert_eq!((dead.number("view"), dead.number("epoch")), (Some(7), None));
        assert!(event("2026-01-02T03:04:05.678Z INFO listening addr=10.0.0.1:7946").is_none());
        assert!(event("").is_none());
    }
}
