//! How long the core takes, beside `foca`.

use std::process::ExitCode;
use std::time::Instant;

use muster_benches::case::Case;
use muster_benches::rows::{Options, Row, each_row, median};

fn main() -> ExitCode {
    let options = match Options::parse() {
        Ok(options) => options,
        Err(error) => {
            eprintln!("bench-time: {error}");
            return ExitCode::FAILURE;
        }
    };
    let samples = if options.smoke { 5 } else { 101 };
    println!("nanoseconds per operation, median of {samples} samples that take turns");
    println!(
        "{:<27} {:>7} {:>7} {:>10} {:>10} {:>7}",
        "", "members", "updates", "muster", "foca", "ratio"
    );
    each_row(&options, |mut row| println!("{}", line(&mut row, samples)));
    ExitCode::SUCCESS
}

fn line(row: &mut Row, samples: usize) -> String {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    // The first rounds fill caches and buffers.
    for round in 0..samples + WARM_UP {
        let own = sample(row.ours.as_mut());
        let other = row.theirs.as_mut().map(|case| sample(case.as_mut()));
        if round >= WARM_UP {
            ours.push(own);
            theirs.extend(other);
        }
    }
    row.ours.check();
    let ours = median(ours);
    let updates = match row.ours.updates() {
        0 => String::new(),
        updates => updates.to_string(),
    };
    let compared = row.theirs.as_ref().map_or_else(String::new, |case| {
        case.check();
        let theirs = median(theirs);
        format!(" {theirs:>10.1} {:>7.2}", ours / theirs)
    });
    format!(
        "{:<27} {:>7} {updates:>7} {ours:>10.1}{compared}",
        row.name, row.members
    )
}

const WARM_UP: usize = 2;

/// Nanoseconds that one operation takes.
fn sample(case: &mut dyn Case) -> f64 {
    case.prepare();
    let start = Instant::now();
    case.run();
    start.elapsed().as_nanos() as f64 / case.operations() as f64
}
