//! Standard output, and how values are shown on it.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::{Duration, SystemTime};

use serde::Serialize;

use super::Failure;
use super::table::Tone;
use crate::api::model::App;

/// How a listing is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// For people
    #[default]
    Table,
    /// For programs
    Json,
}

/// Writes one or more lines.
pub(super) fn say(text: impl AsRef<str>) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_ref().as_bytes())?;
    out.write_all(b"\n")?;
    Ok(out.flush()?)
}

/// Writes lines, all at once.
pub(super) fn say_lines(lines: &[String]) -> Result<(), Failure> {
    if lines.is_empty() {
        Ok(())
    } else {
        say(lines.join("\n"))
    }
}

/// Writes a document of the API, indented.
pub(super) fn say_json(document: &impl Serialize) -> Result<(), Failure> {
    let json = serde_json::to_string_pretty(document)
        .map_err(|error| Failure::Message(format!("cannot write the answer as JSON: {error}")))?;
    say(json)
}

/// The tone of a state's or verdict's word, or of an event's less `member-`.
pub(super) fn tone_of(state: &str) -> Tone {
    match state {
        "alive" | "reachable" | "up" | "app-up" | "quorum-regained" | "self-readmitted" => {
            Tone::Good
        }
        "suspect" | "degraded" | "app-down" | "coordinator-changed" => Tone::Warning,
        "unreachable" | "dead" | "quorum-lost" | "self-removed" => Tone::Bad,
        "left" => Tone::Faint,
        _ => Tone::Plain,
    }
}

/// A round-trip time with three digits at least: `0.214 ms`, `12.3 ms`.
pub(super) fn rtt(micros: Option<u64>) -> String {
    match micros {
        None => "-".to_owned(),
        Some(micros) if micros < 10_000 => format!("{}.{:03} ms", micros / 1000, micros % 1000),
        Some(micros) => format!("{}.{} ms", micros / 1000, micros % 1000 / 100),
    }
}

/// How long ago an RFC 3339 time was, in its two largest units; the text itself when it is none.
pub(super) fn ago(time: &str, now: SystemTime) -> String {
    match humantime::parse_rfc3339(time) {
        Ok(then) => rough(now.duration_since(then).unwrap_or_default()),
        Err(_) => time.to_owned(),
    }
}

/// A duration in its two largest units, from seconds on: `4s`, `3m 12s`, `2d 5h`.
pub(super) fn rough(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let units = [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)];
    let largest = units
        .iter()
        .position(|(_, size)| seconds >= *size)
        .unwrap_or(units.len() - 1);
    let mut rest = seconds;
    let mut parts = Vec::new();
    for (unit, size) in units.iter().skip(largest).take(2) {
        if rest / size > 0 || parts.is_empty() {
            parts.push(format!("{}{unit}", rest / size));
        }
        rest %= size;
    }
    parts.join(" ")
}

/// Apps by name, each with what is not as it should be: its health, or how it ended; none is `-`.
pub(super) fn apps(apps: &BTreeMap<String, App>) -> String {
    let shown: Vec<String> = apps
        .iter()
        .map(|(name, app)| match remark(app) {
            Some(remark) => format!("{name} ({remark})"),
            None => name.clone(),
        })
        .collect();
    if shown.is_empty() {
        "-".to_owned()
    } else {
        shown.join(", ")
    }
}

fn remark(app: &App) -> Option<String> {
    let Some(ended) = &app.ended else {
        let health = app.health.as_deref()?;
        return match (health, &app.note) {
            ("passing", None) => None,
            (health, None) => Some(health.to_owned()),
            (health, Some(note)) => Some(format!("{health}: {note}")),
        };
    };
    Some(match (app.status, &app.signal) {
        (Some(status), _) => format!("{ended} {status}"),
        (None, Some(signal)) => format!("{ended} {signal}"),
        (None, None) => ended.to_string(),
    })
}

/// Tags as `key=value`, separated by spaces; none is `-`.
pub(super) fn tags<'a>(tags: impl IntoIterator<Item = (&'a String, &'a String)>) -> String {
    let shown: Vec<String> = tags
        .into_iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    if shown.is_empty() {
        "-".to_owned()
    } else {
        shown.join(" ")
    }
}

#[cfg(test)]
mod tests;
