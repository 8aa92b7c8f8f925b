use std::time::Duration;

use muster_swim::Config;
use unicode_width::UnicodeWidthStr;

use super::super::results::tests::{scenario, summary};
use super::super::results::{Column, Results};
use super::*;

/// The lines of a table with these columns.
fn lines_of(columns: &[(&str, &Summary)]) -> Vec<String> {
    let config = Config::lan();
    let columns: Vec<Column<'_>> = columns
        .iter()
        .map(|(name, summary)| Column {
            name,
            config: &config,
            summary,
            outcomes: &[],
        })
        .collect();
    let scenario = scenario(5);
    let results = Results {
        scenario: &scenario,
        seeds: &[1, 2, 3],
        columns: &columns,
    };
    lines(&results, Look::PLAIN)
}

/// What the line with this label says.
fn of<'a>(lines: &'a [String], label: &str) -> Vec<&'a str> {
    let rests = lines.iter().filter_map(|line| {
        let rest = line.trim().strip_prefix(label)?;
        rest.starts_with("  ").then_some(rest)
    });
    let rests: Vec<&str> = rests.collect();
    assert_eq!(rests.len(), 1, "{label} is there once");
    rests[0].split_whitespace().collect()
}

#[test]
fn every_number_has_its_line() {
    let lines = lines_of(&[("default", &summary())]);
    let expected = "\
nap: 5 members, 1m, seeds 1 to 3

                                              default
Start
  runs                                             10
  runs in which all found each other                9
  all knew all, median (s)                      1.200
  all knew all, worst (s)                       1.900

Detection of hurt members, from the onset
  times a member was hurt                           8
  noticed by at least one member                    4
  noticed by every member                           3
  first member, median (s)                      0.220
  first member, 99 % (s)                        0.290
  first member, worst (s)                       0.290
  every member, median (s)                      0.320
  every member, 99 % (s)                        0.390
  every member, worst (s)                       0.390

Mistakes, in all runs together
  false deaths                                     11
  false deaths told by healthy members             12
  false suspicions                                 14
  well members held unreachable by one             19
  deaths of hurt members that lived                13
  deaths of one hurt member, most                  15

Cost
  packets sent, per member and second            2.25
  bytes sent, per member and second               201
  bytes received, per member and second           203
  bytes a member sent in a second, most          2003
  bytes a member received in a second, most      2004
  messages sent, all members, per run            1900

What a member saw of others coming and going
  changes, median                                  17
  changes, most                                    18
  different sizes of the membership, most          16

At the end
  health score, mean (0 best, 8 worst)           0.37
  health score, worst                               7
  faults over until all agreed, median (s)      4.100
  faults over until all agreed, worst (s)       4.900
  runs in which they did not agree                  2
  runs left without a quorum                        1
  violations of what must hold                      3";
    assert_eq!(lines.join("\n"), expected);
}

#[test]
fn two_columns_have_a_ratio_of_the_second_to_the_first() {
    let mut faster = summary();
    faster.first = Spread::of([Duration::from_millis(110)]);
    faster.false_deaths = 0;
    faster.settling = Spread::default();
    let lines = lines_of(&[("default", &summary()), ("fast.toml", &faster)]);
    assert_eq!(
        lines[2].split_whitespace().collect::<Vec<_>>(),
        ["default", "fast.toml", "ratio"]
    );
    assert_eq!(
        of(&lines, "first member, median (s)"),
        ["0.220", "0.110", "0.50"]
    );
    assert_eq!(of(&lines, "false deaths"), ["11", "0", "0.00"]);
    assert_eq!(of(&lines, "all knew all, worst (s)"), ["1.900", "-", "-"]);
    let other_way = lines_of(&[("fast.toml", &faster), ("default", &summary())]);
    assert_eq!(of(&other_way, "false deaths"), ["0", "11", "-"]);
}

#[test]
fn one_in_a_thousand_is_told_of_a_thousand() {
    let times = |count: u64| Spread::of((1..=count).map(Duration::from_millis));
    let mut many = summary();
    many.first = times(1000);
    many.everywhere = times(999);
    let lines = lines_of(&[("default", &many)]);
    assert_eq!(of(&lines, "first member, 99.9 % (s)"), ["0.999"]);
    assert!(
        !lines
            .iter()
            .any(|line| line.contains("every member, 99.9 %"))
    );
    // Beside a column that has it, one that has not says so.
    let both = lines_of(&[("default", &summary()), ("many", &many)]);
    assert_eq!(of(&both, "first member, 99.9 % (s)"), ["-", "0.999", "-"]);
}

#[test]
fn where_nothing_happened_there_is_nothing_to_say() {
    let quiet = Summary {
        runs: 1,
        ..Summary::default()
    };
    let lines = lines_of(&[("default", &quiet)]);
    assert_eq!(of(&lines, "times a member was hurt"), ["0"]);
    for label in ["noticed by every member", "first member, median (s)"] {
        assert_eq!(of(&lines, label), ["-"]);
    }
    let none = lines_of(&[("default", &Summary::default())]);
    assert_eq!(of(&none, "false deaths"), ["-"]);
}

#[test]
fn two_columns_with_long_names_and_large_numbers_fit_80() {
    let mut large = summary();
    large.messages = 9_999_999_999.0;
    let name = "a-rather-long-name-of-a-settings-file.toml";
    for line in lines_of(&[(name, &large), (name, &large)]) {
        assert!(line.width() <= 80, "{} columns: {line}", line.width());
    }
}

#[test]
fn what_should_be_zero_and_is_not_stands_out() {
    let row = Row::wrong("false deaths", |summary| Some(summary.false_deaths as f64));
    let tones = |number| row.cells(&[Some(number)], false).remove(1);
    assert_eq!(tones(2.0), Cell::new("2", Tone::Bad));
    assert_eq!(tones(0.0), Cell::plain("0"));
}
