//! Rules of the sources.

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

#[test]
fn lines_fit_the_width() {
    let mut complaints = Vec::new();
    for file in files::all().iter().filter(|file| file.is(".rs")) {
        let wide = |(_, line): &(usize, &str)| line.chars().count() > LINE_COLUMNS;
        for (index, _) in file.text.lines().enumerate().filter(wide) {
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

#[test]
fn tests_wait_for_conditions_not_for_time() {
    let needles = needles(&[
        ("thread::sl", "eep"),
        ("Timer::af", "ter"),
        ("Timer::inter", "val"),
        ("time.sl", "eep("),
    ]);
    let mut complaints = Vec::new();
    for file in files::all() {
        let text = match file.is_rust_test() || file.path.starts_with("tests/") {
            true => &file.text,
            false => &file.text[shipped(&file).len()..],
        };
        if (file.is(".rs") || file.is(".py")) && !file.is("/wait.rs") {
            complaints.extend(lines_with(&file, text, &needles));
        }
    }
    files::none(
        "sleeps: wait for a condition with a deadline (module `wait`)",
        &complaints,
    );
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
    let used = |name: &str| {
        let shipped_files = files
            .iter()
            .filter(|file| file.is(".rs") && !file.is_rust_test());
        let named = shipped_files
            .flat_map(|file| words(shipped(file)))
            .filter(|word| *word == name);
        named.count() > 1
    };
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
