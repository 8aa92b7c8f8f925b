//! How often the core allocates and how much it keeps, beside `foca`.

use std::alloc::System;
use std::process::ExitCode;

use muster_benches::case::Case;
use muster_benches::crowd::{self, Crowd};
use muster_benches::join::Joining;
use muster_benches::rows::{Options, Row, each_row, median};
use muster_benches::theirs;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static COUNTING: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() -> ExitCode {
    let options = match Options::parse() {
        Ok(options) => options,
        Err(error) => {
            eprintln!("bench-memory: {error}");
            return ExitCode::FAILURE;
        }
    };
    let samples = if options.smoke { 3 } else { 21 };
    println!("allocations and allocated bytes per operation, median of {samples} samples");
    println!(
        "{:<27} {:>7} {:>9} {:>9} {:>7} {:>9} {:>9} {:>7}",
        "", "members", "muster", "foca", "ratio", "muster B", "foca B", "ratio"
    );
    each_row(&options, |mut row| println!("{}", line(&mut row, samples)));
    if options.wants(KEPT) {
        println!("\n{KEPT}");
        println!("{:<27} {:>7} {:>9} {:>9}", "", "members", "muster", "foca");
        options.sizes().into_iter().for_each(kept);
    }
    ExitCode::SUCCESS
}

fn line(row: &mut Row, samples: usize) -> String {
    let ours = samples_of(row.ours.as_mut(), samples);
    let theirs = row
        .theirs
        .as_mut()
        .map(|case| samples_of(case.as_mut(), samples));
    let column = |own: f64, other: Option<f64>| {
        let other = other.map_or_else(
            || format!("{:>9} {:>7}", "", ""),
            |other| format!("{other:>9.1} {:>7.2}", own / other),
        );
        format!("{own:>9.1} {other}")
    };
    let counts = column(ours.0, theirs.map(|theirs| theirs.0));
    let bytes = column(ours.1, theirs.map(|theirs| theirs.1));
    format!("{:<27} {:>7} {counts} {bytes}", row.name, row.members)
        .trim_end()
        .to_owned()
}

/// Allocations, and bytes of them, of one operation.
fn samples_of(case: &mut dyn Case, samples: usize) -> (f64, f64) {
    let (mut counts, mut bytes) = (Vec::new(), Vec::new());
    for _ in 0..samples {
        case.prepare();
        let region = Region::new(COUNTING);
        case.run();
        let change = region.change();
        let operations = case.operations() as f64;
        counts.push((change.allocations + change.reallocations) as f64 / operations);
        bytes.push(change.bytes_allocated as f64 / operations);
    }
    case.check();
    (median(counts), median(bytes))
}

const KEPT: &str = "bytes kept for each member";

/// What one more member costs as long as it stays.
fn kept(members: usize) {
    let crowd = Crowd::new(members);
    let alone = Region::new(COUNTING);
    let node = crowd::member(0, 0);
    let fixed = live(&alone);
    drop(node);
    let each = |bytes: f64| (bytes - fixed) / (members - 1) as f64;
    let line = |name: &str, ours: f64, theirs: Option<f64>| {
        let theirs = theirs.map(|theirs| format!("{:>9.0}", theirs / (members - 1) as f64));
        let ours = each(ours);
        println!(
            "{name:<27} {members:>7} {ours:>9.0} {}",
            theirs.unwrap_or_default()
        );
    };

    let region = Region::new(COUNTING);
    let protocol = theirs::insider(members, false);
    let theirs_quiet = live(&region);
    drop(protocol);
    let region = Region::new(COUNTING);
    let protocol = theirs::insider(members, true);
    let theirs_news = live(&region);
    drop(protocol);

    let region = Region::new(COUNTING);
    let mut node = crowd.insider(0, members, crowd::laconic());
    line("all of them still news", live(&region), Some(theirs_news));
    crowd.settle(&mut node);
    line("after the news, quiet", live(&region), Some(theirs_quiet));
    drop(node);

    let mut joining = Joining::new(members);
    joining.prepare();
    let region = Region::new(COUNTING);
    joining.run();
    let joined = live(&region) + fixed;
    crowd.settle(joining.joiner());
    line("joined over a stream", joined, None);
    line("joined, quiet", live(&region) + fixed, None);
}

fn live(region: &Region<'_, System>) -> f64 {
    let change = region.change();
    change.bytes_allocated as f64 - change.bytes_deallocated as f64
}
