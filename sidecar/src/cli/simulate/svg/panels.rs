//! What the report's plots show, as plain data.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use muster_swim::sim::scenario::{Scenario, Series, Spread, Step, Whom};

use super::super::results::{Column, Results, plural};

/// Lines of members in one plot at most.
const LINES: usize = 200;

/// Points of a curve at most: more than a screen shows.
const POINTS: usize = 600;

/// Beginnings of steps that are marked at most: more hide the plot.
const MARKS: usize = 60;

/// A colour as red, green and blue.
pub(super) type Colour = (u8, u8, u8);

/// Dark and light of each column. Told apart by lightness and hue, also by those who see fewer hues
/// (Okabe and Ito's palette).
const COLOURS: [(Colour, Colour); 2] = [
    ((0, 114, 178), (86, 180, 233)),
    ((213, 94, 0), (230, 159, 0)),
];

/// Of what is not measured but done.
const GREY: Colour = (150, 150, 150);

/// One plot.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Panel {
    pub(super) title: String,
    /// One sentence below the title.
    pub(super) caption: String,
    pub(super) legend: Vec<(Colour, String)>,
    /// Names of the axes with their units.
    pub(super) axes: [&'static str; 2],
    pub(super) x: Range<f64>,
    pub(super) y: Range<f64>,
    /// Times at which something was done, as upright lines.
    pub(super) marks: Vec<f64>,
    pub(super) lines: Vec<Line>,
    /// Why there is nothing to see, when there is nothing.
    pub(super) nothing: Option<String>,
}

/// One line of a plot.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Line {
    pub(super) colour: Colour,
    /// 0 to 1.
    pub(super) opacity: f64,
    /// In pixels.
    pub(super) width: u32,
    pub(super) points: Vec<(f64, f64)>,
}

/// Members present over time, as each member saw it: a plot for each column, on the same axes.
pub(super) fn members(results: &Results<'_>) -> Vec<Panel> {
    let all_series = || {
        results
            .columns
            .iter()
            .filter_map(|c| c.summary.series.as_ref())
    };
    let longest = all_series().map(length).fold(0.0, f64::max);
    let x = 0.0..if longest > 0.0 { longest } else { 1.0 };
    let y = sizes(all_series());
    let columns = results.columns.iter().zip(COLOURS);
    columns
        .map(|(column, (colour, _))| members_of(results, column, colour, x.clone(), y.clone()))
        .collect()
}

fn members_of(
    results: &Results<'_>,
    column: &Column<'_>,
    colour: Colour,
    x: Range<f64>,
    y: Range<f64>,
) -> Panel {
    let (marks, legend) = marks(results.scenario, x.end);
    let mut panel = Panel {
        title: titled(results, "Members present, as each member saw it", column),
        caption: String::new(),
        legend,
        axes: ["time (s)", "members present"],
        x,
        y,
        marks,
        lines: Vec::new(),
        nothing: None,
    };
    let series = column.summary.series.as_ref();
    match series.filter(|series| !series.present.is_empty()) {
        Some(series) => {
            let courses = courses(series);
            let kept = courses.len().min(LINES);
            let whose = lines_of(series.present.len(), courses.len(), kept);
            panel.caption = format!("{whose}; {}.", first_run(results));
            for position in 0..kept {
                let (course, count) = courses[position * courses.len() / kept];
                let opacity = opacity(count, series.present.len());
                let strokes = strokes(course, series.step.as_secs_f64());
                panel.lines.extend(strokes.into_iter().map(|points| Line {
                    colour,
                    opacity,
                    width: 1,
                    points,
                }));
            }
        }
        None => panel.nothing = Some("No run kept what its members saw.".to_owned()),
    }
    panel
}

/// How long each hurt member was hurt before others noticed.
pub(super) fn detection(results: &Results<'_>) -> Panel {
    let spreads = results
        .columns
        .iter()
        .zip(COLOURS)
        .flat_map(|(column, (dark, light))| {
            let summary = column.summary;
            let name = prefix(results, column);
            [
                // The light one is wider, so that it is seen where the dark one lies upon it.
                (
                    &summary.first,
                    summary.hurt,
                    (light, 5),
                    format!("{name}first member"),
                ),
                (
                    &summary.everywhere,
                    summary.hurt,
                    (dark, 2),
                    format!("{name}every member"),
                ),
            ]
        });
    let spreads: Vec<_> = spreads.collect();
    let worst = spreads
        .iter()
        .filter_map(|(spread, ..)| spread.worst())
        .max();
    let right = worst.map_or(0.0, |worst| worst.as_secs_f64() * 1.05);
    let right = if right > 0.0 { right } else { 1.0 };
    let hurt: usize = results
        .columns
        .iter()
        .map(|column| column.summary.hurt)
        .sum();
    let nothing = match (hurt, worst) {
        (0, _) => Some("Nobody was hurt: there was nothing to notice.".to_owned()),
        (_, None) => Some(format!(
            "None of {} was noticed.",
            plural(hurt, "hurt member")
        )),
        (_, Some(_)) => None,
    };
    Panel {
        title: "From the onset of a fault until other members noticed".to_owned(),
        caption: "All hurt members of all runs; a curve that stays below 100 % leaves out those \
                  that were not noticed."
            .to_owned(),
        legend: spreads
            .iter()
            .filter(|(_, hurt, ..)| *hurt > 0)
            .map(|(spread, hurt, (colour, _), name)| {
                (*colour, format!("{name} ({} of {hurt})", spread.count()))
            })
            .collect(),
        axes: ["time since the onset (s)", "hurt members noticed (%)"],
        x: 0.0..right,
        y: 0.0..105.0,
        marks: Vec::new(),
        lines: spreads
            .iter()
            .filter(|(spread, ..)| spread.count() > 0)
            .map(|(spread, hurt, (colour, width), _)| Line {
                colour: *colour,
                opacity: 1.0,
                width: *width,
                points: distribution(spread, *hurt, right),
            })
            .collect(),
        nothing,
    }
}

/// What a member sent over time.
pub(super) fn traffic(results: &Results<'_>) -> Panel {
    let seconds = |column: &Column<'_>| column.summary.traffic.each_second.len();
    let longest = results.columns.iter().map(seconds).max().unwrap_or(0);
    let pooled = longest.div_ceil(POINTS).max(1);
    let lines: Vec<Line> = results
        .columns
        .iter()
        .zip(COLOURS)
        .filter(|(column, _)| seconds(column) > 0)
        .map(|(column, (colour, _))| Line {
            colour,
            opacity: 0.9,
            width: 2,
            points: rates(
                &column.summary.traffic.each_second,
                results.scenario.members,
                pooled,
            ),
        })
        .collect();
    let values = lines
        .iter()
        .flat_map(|line| &line.points)
        .map(|point| point.1);
    let top = values.fold(0.0, f64::max) * 1.1;
    let (marks, mut legend) = marks(results.scenario, longest as f64);
    if results.columns.len() > 1 {
        let columns = results.columns.iter().zip(COLOURS);
        legend.splice(
            ..0,
            columns.map(|(column, (colour, _))| (colour, column.name.to_owned())),
        );
    }
    let over = match pooled {
        1 => "each second".to_owned(),
        pooled => format!("means of {pooled} s"),
    };
    Panel {
        title: "Traffic".to_owned(),
        caption: format!(
            "Bytes that all members sent, by the number of members; {over}; {}.",
            first_run(results)
        ),
        legend,
        axes: ["time (s)", "bytes per member and second"],
        x: 0.0..longest.max(1) as f64,
        y: 0.0..if top > 0.0 { top } else { 1.0 },
        marks,
        nothing: lines.is_empty().then(|| "Nothing was sent.".to_owned()),
        lines,
    }
}

fn first_run(results: &Results<'_>) -> String {
    match results.seeds.first() {
        Some(seed) => format!("the run of seed {seed}"),
        None => "no run".to_owned(),
    }
}

/// With the name of the column where there are two.
fn titled(results: &Results<'_>, title: &str, column: &Column<'_>) -> String {
    match results.columns.len() {
        0 | 1 => title.to_owned(),
        2.. => format!("{title}: {}", column.name),
    }
}

fn prefix(results: &Results<'_>, column: &Column<'_>) -> String {
    match results.columns.len() {
        0 | 1 => String::new(),
        2.. => format!("{}: ", column.name),
    }
}

/// When steps begin within so many seconds, and the legend for that.
fn marks(scenario: &Scenario, seconds: f64) -> (Vec<f64>, Vec<(Colour, String)>) {
    let begins = |step: &Step| {
        let at = step.at.as_secs_f64();
        let every = step.every.map(|every| every.as_secs_f64());
        let times = every.map_or(1, |_| step.times.unwrap_or(u32::MAX));
        let starts = (0..times).map(move |time| at + f64::from(time) * every.unwrap_or(0.0));
        let (spacing, members) = (step.spacing.as_secs_f64(), one_by_one(step, scenario));
        starts
            .take_while(move |start| *start <= seconds)
            .take(MARKS + 1)
            .flat_map(move |start| (0..members).map(move |place| start + place as f64 * spacing))
            .filter(move |at| *at <= seconds)
            .take(MARKS + 1)
    };
    let marks: Vec<f64> = scenario.steps.iter().flat_map(begins).collect();
    if marks.is_empty() || marks.len() > MARKS {
        return (Vec::new(), Vec::new());
    }
    let mut words: Vec<&str> = Vec::new();
    for step in &scenario.steps {
        let word = step.what.as_str();
        if !words.contains(&word) {
            words.push(word);
        }
    }
    (marks, vec![(GREY, format!("begins: {}", words.join(", ")))])
}

/// How many members a step concerns one after the other; 1: all at once.
fn one_by_one(step: &Step, scenario: &Scenario) -> usize {
    if step.spacing.is_zero() {
        return 1;
    }
    match &step.whom {
        Whom::All => scenario.members,
        Whom::Named(names) => names.len(),
        Whom::Some(count) => *count,
        Whom::Share(share) => (share * scenario.members as f64).ceil() as usize,
    }
}

fn lines_of(members: usize, courses: usize, kept: usize) -> String {
    let members = plural(members, "member");
    if kept < courses {
        format!("{kept} lines, drawn evenly from those of {members}; darker: of more members")
    } else {
        format!("A line for each of {members}; darker: more members saw the same")
    }
}

fn length(series: &Series) -> f64 {
    let samples = series
        .present
        .iter()
        .map(|(_, samples)| samples.len())
        .max();
    samples.unwrap_or(0).saturating_sub(1) as f64 * series.step.as_secs_f64()
}

/// From the smallest to the largest size that is there, with some room; from 0 when that is not
/// far.
fn sizes<'a>(all: impl Iterator<Item = &'a Series>) -> Range<f64> {
    let present = all.flat_map(|series| &series.present);
    let sizes = present.flat_map(|(_, samples)| samples.iter().flatten().copied());
    let (mut low, mut high) = (u32::MAX, 0);
    for size in sizes {
        (low, high) = (low.min(size), high.max(size));
    }
    let (low, high) = (f64::from(low.min(high)), f64::from(high));
    let room = (0.1 * (high - low)).max(1.0);
    let bottom = if low - room < high / 2.0 {
        0.0
    } else {
        low - room
    };
    bottom..high + room
}

/// The different courses of sizes and how many members saw each, in the order of the members.
fn courses(series: &Series) -> Vec<(&[Option<u32>], usize)> {
    let mut places: BTreeMap<&[Option<u32>], usize> = BTreeMap::new();
    let mut courses: Vec<(&[Option<u32>], usize)> = Vec::new();
    for (_, samples) in &series.present {
        let place = *places.entry(samples).or_insert(courses.len());
        match courses.get_mut(place) {
            Some((_, count)) => *count += 1,
            None => courses.push((samples, 1)),
        }
    }
    courses
}

/// That of as many thin lines upon each other; a single one can always be seen.
fn opacity(count: usize, members: usize) -> f64 {
    let one = (8.0 / members.max(1) as f64).clamp(0.02, 0.6);
    let through = (0..count.min(1000)).fold(1.0, |through, _| through * (1.0 - one));
    let opacity: f64 = (1.0 - through).max(0.25);
    (opacity * 100.0).round() / 100.0
}

/// Steps from sample to sample; a gap where there is none.
fn strokes(course: &[Option<u32>], step: f64) -> Vec<Vec<(f64, f64)>> {
    let mut strokes: Vec<Vec<(f64, f64)>> = Vec::new();
    let mut before = None;
    for (index, size) in course.iter().enumerate() {
        let at = index as f64 * step;
        let y = size.map(f64::from);
        if before != y {
            // The size before held until now.
            if let (Some(last), Some(stroke)) = (before, strokes.last_mut()) {
                stroke.push((at, last));
            }
            match (y, strokes.last_mut()) {
                (Some(y), Some(stroke)) if before.is_some() => stroke.push((at, y)),
                (Some(y), _) => strokes.push(vec![(at, y)]),
                (None, _) => {}
            }
        }
        before = y;
    }
    if let (Some(last), Some(stroke)) = (before, strokes.last_mut()) {
        stroke.push((course.len().saturating_sub(1) as f64 * step, last));
    }
    strokes
}

/// Which part (in per cent) of `hurt` was noticed by each time, as steps up to `right`.
fn distribution(spread: &Spread, hurt: usize, right: f64) -> Vec<(f64, f64)> {
    let sorted = spread.sorted();
    let percent = |count: usize| 100.0 * count as f64 / hurt.max(1) as f64;
    let stride = sorted.len().div_ceil(POINTS).max(1);
    let mut points = vec![(0.0, 0.0)];
    let mut known = 0;
    let last = sorted.len().saturating_sub(1);
    for (index, time) in sorted.iter().map(Duration::as_secs_f64).enumerate() {
        if index % stride == 0 || index == last {
            points.push((time, percent(known)));
            known = index + 1;
            points.push((time, percent(known)));
        }
    }
    points.push((right, percent(known)));
    points
}

/// Bytes of a member in a second, as steps of `pooled` seconds.
fn rates(each_second: &[u64], members: usize, pooled: usize) -> Vec<(f64, f64)> {
    let mut points = Vec::new();
    for (index, seconds) in each_second.chunks(pooled).enumerate() {
        let rate = seconds.iter().sum::<u64>() as f64 / (seconds.len() * members.max(1)) as f64;
        let from = (index * pooled) as f64;
        points.push((from, rate));
        points.push((from + seconds.len() as f64, rate));
    }
    points
}
