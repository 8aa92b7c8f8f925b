//! What the pages claim must be so.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use muster_tests::muster_binary;

use crate::files::{self, File};

/// The text without fenced code.
fn prose(text: &str) -> String {
    let mut fenced = false;
    let mut kept = Vec::new();
    for line in text.lines() {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        if !fenced && !fence {
            kept.push(line);
        }
    }
    kept.join("\n")
}

/// The targets of `[text](target)`.
fn links(text: &str) -> Vec<String> {
    let target = |rest: &str| rest.split([')', ' ']).next().unwrap_or_default().to_owned();
    prose(text).split("](").skip(1).map(target).collect()
}

/// How a heading is addressed: lower case, spaces to dashes, punctuation dropped.
fn anchors(text: &str) -> BTreeSet<String> {
    let prose = prose(text);
    let headings = prose.lines().filter(|line| line.starts_with('#'));
    let slug = |heading: &str| {
        let heading = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = heading
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(slug).collect()
}

fn broken(page: &File, target: &str) -> Option<String> {
    let elsewhere = ["http://", "https://", "mailto:"]
        .iter()
        .any(|kind| target.starts_with(kind));
    if elsewhere {
        return None;
    }
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let here = files::root().join(&page.path);
    let file = match path {
        "" => here,
        _ => here.parent().unwrap_or(Path::new("/")).join(path),
    };
    if !file.exists() {
        return Some(format!("{}: {target}: no such file", page.path));
    }
    let lost = || !anchors(&std::fs::read_to_string(&file).unwrap_or_default()).contains(anchor);
    let lost = !anchor.is_empty() && file.extension().is_some_and(|is| is == "md") && lost();
    lost.then(|| format!("{}: {target}: no such heading", page.path))
}

#[test]
fn links_between_pages_lead_somewhere() {
    let mut complaints = Vec::new();
    for page in files::all().iter().filter(|file| file.is(".md")) {
        complaints.extend(
            links(&page.text)
                .iter()
                .filter_map(|target| broken(page, target)),
        );
    }
    files::none("broken links", &complaints);
}

/// The names in the first column of README's table of commands: `muster NAME …`.
fn commands_of_readme(text: &str) -> BTreeSet<String> {
    let rows = text
        .lines()
        .filter_map(|line| line.strip_prefix("| `muster "));
    let name = |row: &str| row.split([' ', '`']).next().unwrap_or_default().to_owned();
    rows.map(name).collect()
}

fn commands_of_help() -> BTreeSet<String> {
    let output = Command::new(muster_binary()).arg("--help").output();
    let output = output.expect("the binary under test can be run");
    let help = String::from_utf8_lossy(&output.stdout).into_owned();
    let section = help
        .split("Commands:\n")
        .nth(1)
        .expect("`muster --help` lists its commands");
    section
        .lines()
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

#[test]
fn readme_names_exactly_the_commands_that_there_are() {
    let files = files::all();
    let readme = files
        .iter()
        .find(|file| file.path == "README.md")
        .expect("there is a README.md");
    let (readme, help) = (commands_of_readme(&readme.text), commands_of_help());
    assert!(
        help.contains("agent"),
        "`muster --help` was read wrongly: {help:?}"
    );
    assert_eq!(
        readme, help,
        "README's table (rows that begin with \"| `muster \") and --help"
    );
}
