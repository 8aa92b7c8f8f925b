//! Rules of the sources.

use std::collections::HashMap;

use crate::files::{self, File};

const FILE_LINES: usize = 600;
const LINE_COLUMNS: usize = 100;

/// The lines of a file that hold any of the needles, as complaints.
fn lines_with(file: &File, text: &str, needles: &[String]) -> Vec<String> {
    let hits = text.lines().enumerate().filter(|(_, line)| {
        let code = line.split("//").next().unwrap_or_default();
        needles.iter().any(|needle| code.contains(needle.as_str()))
    });
    hits.map(|(index, line)| format!("{}:{}: {}", file.path, index + 1, line.trim()))
        .collect()
}

/// Needles written in two halves, so that this file is not a hit itself.
fn needles(halves: &[(&str, &str)]) -> Vec<String> {
    halves
        .iter()
        .map(|(left, right)| format!("{left}{right}"))
        .collect()
}

/// A source file without the module of its tests, which stands last.
fn shipped(file: &File) -> &str {
    let end = file
        .text
        .find("#[cfg(test)]\nmod tests {")
        .unwrap_or(file.text.len());
    &file.text[..end]
}

#[test]
fn rust_files_are_short_enough_to_read() {
    let long = |file: &&File| file.is(".rs") && file.text.lines().count() > FILE_LINES;
    let complaints: Vec<String> = files::all()
        .iter()
        .filter(long)
        .map(|file| format!("{}: {} lines", file.path, file.text.lines().count()))
        .collect();
    files::none(
        &format!("files of more than {FILE_LINES} lines: split them"),
        &complaints,
    );
}

/// Whether a line is too wide. One with literal text may be: a message is to be found in one piece.
fn is_wide(line: &str) -> bool {
    let literal = line.contains('"') || line.ends_with('\\');
    !literal && line.chars().count() > LINE_COLUMNS
}

#[test]
fn lines_fit_the_width() {
    let mut complaints = Vec::new();
    for file in files::all().iter().filter(|file| file.is(".rs")) {
        for (index, _) in file
            .text
            .lines()
            .enumerate()
            .filter(|(_, line)| is_wide(line))
        {
            complaints.push(format!("{}:{}", file.path, index + 1));
        }
    }
    files::none(
        &format!("lines of more than {LINE_COLUMNS} columns"),
        &complaints,
    );
}

#[test]
fn no_test_is_switched_off() {
    let needles = needles(&[("#[ign", "ore"), ("#![ign", "ore")]);
    let complaints: Vec<String> = files::all()
        .iter()
        .filter(|file| file.is(".rs"))
        .flat_map(|file| lines_with(file, &file.text, &needles))
        .collect();
    files::none("ignored tests: repair or remove them", &complaints);
}

fn opens_example(line: &str) -> bool {
    let line = line.trim_start();
    let doc = ["///", "//!"]
        .iter()
        .find_map(|kind| line.strip_prefix(kind));
    doc.is_some_and(|doc| doc.trim_start().starts_with("```"))
}

/// Nothing runs them: to build all crates once more for that took two minutes.
#[test]
fn examples_are_tests() {
    let complaints: Vec<String> = files::all()
        .iter()
        .filter(|file| file.is(".rs") && file.text.lines().any(opens_example))
        .map(|file| file.path.clone())
        .collect();
    files::none("examples in comments: show it in a test", &complaints);
}

#[test]
fn shipped_code_neither_unwraps_nor_waits_to_be_written() {
    let needles = needles(&[
        (".unw", "rap()"),
        ("to", "do!("),
        ("unimpl", "emented!("),
        ("db", "g!("),
    ]);
    let complaints: Vec<String> = files::all()
        .iter()
        .filter(|file| file.is(".rs") && !file.is_rust_test())
        .flat_map(|file| lines_with(file, shipped(file), &needles))
        .collect();
    files::none(
        "an `expect` that states its invariant, or an error, belongs there",
        &complaints,
    );
}

/// Whether a line of a test is part of waiting for something: it stands in a loop that asks again,
/// or is what a wait is given up with.
fn waits_for_something(lines: &[&str], index: usize) -> bool {
    let depth = |line: &str| line.len() - line.trim_start().len();
    let mut inner = depth(lines[index]);
    for line in lines[..index]
        .iter()
        .rev()
        .filter(|line| !line.trim().is_empty())
    {
        if depth(line) < inner {
            inner = depth(line);
            let opener = line.trim_start();
            if opener.starts_with("loop {") || opener.starts_with("while ") {
                return true;
            }
        }
    }
    lines
        .get(index + 1)
        .is_some_and(|next| next.contains("panic!"))
}

#[test]
fn tests_wait_for_conditions_not_for_time() {
    let needles = needles(&[
        ("thread::sl", "eep"),
        ("Timer::af", "ter"),
        ("Timer::inter", "val"),
        ("time.sl", "eep("),
    ]);
    let mut complaints = Vec::new();
    for file in files::all()
        .iter()
        .filter(|file| file.is(".rs") || file.is(".py"))
    {
        let text = match file.is_rust_test() || file.path.starts_with("tests/") {
            true => &file.text,
            false => &file.text[shipped(file).len()..],
        };
        let lines: Vec<&str> = text.lines().collect();
        let sleeps = |line: &str| needles.iter().any(|needle| line.contains(needle.as_str()));
        for (index, line) in lines.iter().enumerate().filter(|(_, line)| sleeps(line)) {
            if !waits_for_something(&lines, index) {
                complaints.push(format!("{}: {}", file.path, line.trim()));
            }
        }
    }
    files::none(
        "sleeps: wait for a condition with a deadline instead",
        &complaints,
    );
}

#[test]
fn a_sleep_is_told_from_a_wait() {
    let verdict = |text: &str| {
        let lines: Vec<&str> = text.lines().collect();
        let index = lines.iter().position(|line| line.contains("nap()"));
        waits_for_something(&lines, index.expect("each sample has a nap"))
    };
    assert!(!verdict(
        "fn a() {\n    start();\n    nap();\n    check();\n}"
    ));
    assert!(!verdict(
        "fn a() {\n    for _ in 0..3 {\n        nap();\n    }\n}"
    ));
    assert!(!verdict(
        "fn a() {\n    loop {\n        b();\n    }\n}\nfn c() {\n    nap();\n}"
    ));
    assert!(verdict(
        "fn a() {\n    loop {\n        check();\n        nap();\n    }\n}"
    ));
    assert!(verdict(
        "fn a() {\n    while !done() {\n        nap();\n    }\n}"
    ));
    assert!(verdict(
        "let late = async {\n    nap();\n    panic!(\"late\")\n};"
    ));
}

#[test]
fn every_limit_is_kept_somewhere() {
    let files = files::all();
    let limits = files.iter().find(|file| file.path == "swim/src/limits.rs");
    let limits = limits.expect("all limits stand in swim/src/limits.rs");
    let names: Vec<&str> = limits
        .text
        .lines()
        .filter_map(|line| line.strip_prefix("pub const "))
        .filter_map(|rest| rest.split(':').next())
        .collect();
    assert!(names.len() > 5, "limits.rs was read wrongly: {names:?}");
    let mut counts: HashMap<&str, usize> = names.iter().map(|&name| (name, 0)).collect();
    let shipped_files = files
        .iter()
        .filter(|file| file.is(".rs") && !file.is_rust_test());
    for word in shipped_files.flat_map(|file| words(shipped(file))) {
        counts.entry(word).and_modify(|count| *count += 1);
    }
    // Once where it is defined, and once more at least.
    let used = |name: &str| counts[name] > 1;
    let complaints: Vec<String> = names
        .iter()
        .filter(|name| !used(name))
        .map(|name| (*name).to_owned())
        .collect();
    files::none("limits that nothing keeps", &complaints);
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    let code = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default());
    code.flat_map(|line| line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_'))
}
