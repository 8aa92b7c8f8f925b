//! The keys of a cluster as a table, with what is still to be done.

use std::time::SystemTime;

use crate::api::model::{Key, Keys};
use crate::cli::output::rough;
use crate::cli::table::{Cell, Look, Table, Tone, printable};

/// Names that are shown of many.
const NAMES: usize = 8;

const OFF: &str = "Nothing is sealed here: this member has no key, and neither has the cluster, as a \
                   rule. To seal it while it runs, give every member the same file with --key-file \
                   and plaintext = \"send\" and have all read their settings again (kill -HUP); \
                   then `muster keys list` shows how far all are, and what comes next.";

/// Names, of very many only the first.
pub(super) fn names<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.into_iter().map(printable).collect();
    let shown = names[..names.len().min(NAMES)].join(", ");
    match names.len().saturating_sub(NAMES) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// The table, and what follows from it.
pub(super) fn lines(keys: &Keys, look: Look) -> Vec<String> {
    if keys.keys.is_empty() {
        return vec![OFF.to_owned()];
    }
    let mut table = Table::new(&["KEY", "STATE", "HELD BY", "SEALS AT", "FORGOTTEN"]);
    for key in &keys.keys {
        table.row([
            Cell::new(&key.id, Tone::Strong),
            Cell::new(&key.state, tone_of(key)),
            share(key.held_by.len(), keys),
            share(key.used_by.len(), keys),
            Cell::plain(forgotten(key)),
        ]);
    }
    let mut lines = table.lines(look);
    lines.push(String::new());
    lines.extend(lacking(keys));
    lines.push(next(keys));
    lines
}

fn tone_of(key: &Key) -> Tone {
    match &*key.state {
        "primary" => Tone::Good,
        "new" | "elsewhere" => Tone::Warning,
        "retired" => Tone::Faint,
        _ => Tone::Plain,
    }
}

fn share(some: usize, keys: &Keys) -> Cell {
    let all = keys.members.len() + keys.unanswered.len();
    match some {
        0 => Cell::plain("-"),
        some => Cell::plain(format!("{some} of {all}")),
    }
}

fn forgotten(key: &Key) -> String {
    let Some(until) = &key.until else {
        return "-".to_owned();
    };
    let left = humantime::parse_rfc3339(until).ok();
    let left = left.and_then(|until| until.duration_since(SystemTime::now()).ok());
    format!("in {}", rough(left.unwrap_or_default()))
}

/// Who did not answer, and who lacks a key that is not about to go.
fn lacking(keys: &Keys) -> Vec<String> {
    let mut lines = Vec::new();
    if !keys.unanswered.is_empty() {
        let who = names(keys.unanswered.iter().map(String::as_str));
        lines.push(format!("No answer, or no key of these: {who}."));
    }
    for key in keys.keys.iter().filter(|key| key.state != "retired") {
        let who = keys.members.iter().map(|member| member.name.as_str());
        let who: Vec<&str> = who
            .filter(|name| !key.held_by.iter().any(|holder| holder == name))
            .collect();
        if !who.is_empty() {
            lines.push(format!("Without key {}: {}.", key.id, names(who)));
        }
    }
    lines
}

/// How it stands with encryption, and what comes next.
fn next(keys: &Keys) -> String {
    let with = |word: &str| {
        let with = keys.members.iter();
        let with: Vec<&str> = with
            .filter(|member| member.plaintext == word)
            .map(|member| member.name.as_str())
            .collect();
        with
    };
    let (sending, accepting) = (with("send"), with("accept"));
    let all = keys.members.len() + keys.unanswered.len();
    let has_all = keys.keys.first().map(|key| key.held_by.len()) == Some(all);
    if !sending.is_empty() {
        let who = names(sending);
        let next = if has_all {
            "All have the key: next give every member plaintext = \"accept\" and have it read its \
             settings again."
        } else {
            "Next give the others the key, too, with plaintext = \"send\"."
        };
        return format!("Not sealed yet (plaintext = \"send\"): {who}. {next}");
    }
    if !accepting.is_empty() {
        let who = names(accepting);
        let next = if has_all {
            "All seal: next take plaintext out of the settings of every member and have it read \
             them again."
        } else {
            "Wait for those that do not answer before you go on."
        };
        return format!("Sealed, and plain traffic is still taken at: {who}. {next}");
    }
    "All traffic between those that answered is sealed.".to_owned()
}
