use std::collections::BTreeSet;
use std::sync::{Barrier, Mutex};
use std::time::Duration;

use muster_swim::Config;
use muster_swim::sim::scenario::Start;

use super::*;

/// A made-up run: so many slices, then its number.
struct Slices {
    number: u64,
    left: u32,
    all: u32,
}

impl Work for Slices {
    type Made = u64;

    fn advance(&mut self) -> bool {
        assert!(self.number != 13, "an unlucky number");
        self.left = self.left.saturating_sub(1);
        self.left > 0
    }

    fn progress(&self) -> f64 {
        1.0 - f64::from(self.left) / f64::from(self.all)
    }

    fn finish(self) -> u64 {
        self.number
    }
}

impl Numbered for u64 {
    fn number(&self) -> u64 {
        *self
    }
}

fn slices(number: &u64, all: u32) -> Slices {
    Slices {
        number: *number,
        left: all,
        all,
    }
}

fn quiet(members: usize) -> Scenario {
    Scenario {
        duration: Duration::from_secs(2),
        start: Start {
            settle: None,
            ..Start::default()
        },
        ..Scenario::quiet(members, Config::lan())
    }
}

#[test]
fn outcomes_come_in_the_order_of_the_jobs() {
    let jobs: Vec<u64> = (20..60).collect();
    for threads in [0, 1, 3, 100] {
        let progress = Progress::on_terminal("try", jobs.len());
        // Early jobs take longer than late ones.
        let made = work_off(&jobs, threads, &progress, |job| {
            Ok(slices(job, 60 - *job as u32))
        });
        assert_eq!(made.expect("all went well"), jobs, "{threads} threads");
    }
    let progress = Progress::on_terminal("try", 0);
    let made = work_off(&[], 2, &progress, |job| Ok(slices(job, 1)));
    assert_eq!(made.expect("nothing to do"), [0; 0]);
}

#[test]
fn jobs_run_beside_each_other_and_under_their_numbers() {
    let both = Barrier::new(2);
    let names = Mutex::new(BTreeSet::new());
    let progress = Progress::on_terminal("try", 2);
    let made = work_off(&[1, 2], 2, &progress, |job: &u64| {
        // Neither goes on until the other is there.
        both.wait();
        let name = thread::current().name().map(str::to_owned);
        names.lock().expect("nobody panicked").insert(name);
        Ok(slices(job, 1))
    });
    assert_eq!(made.expect("all went well"), [1, 2]);
    let names = names.into_inner().expect("nobody panicked");
    let expected = ["seed 1", "seed 2"].map(|name| Some(name.to_owned()));
    assert_eq!(names, BTreeSet::from(expected));
}

#[test]
fn a_run_that_panics_is_told_by_its_seed_and_ends_the_others() {
    let jobs = [1, 13, 2];
    let progress = Progress::on_terminal("try", jobs.len());
    let failed = work_off(&jobs, 2, &progress, |job| {
        // Those beside it would go on for hours.
        Ok(slices(job, u32::MAX))
    });
    let error = failed.expect_err("one of them panicked");
    assert!(matches!(error, PoolError::BrokeOff { seed: 13 }), "{error}");
    assert!(error.to_string().contains("--replay 13"), "{error}");
}

#[test]
fn a_scenario_that_cannot_run_is_told_as_it_is() {
    let none = quiet(0);
    let options = RunOptions::default();
    let job = |scenario, seed| Job {
        scenario,
        seed,
        options,
    };
    let few = quiet(3);
    let failed = run_all(&[job(&few, 1), job(&none, 2)], 2, "try");
    let error = failed.expect_err("nobody is there");
    let expected = none.check().remove(0);
    assert!(
        matches!(&error, PoolError::Scenario(found) if *found == expected),
        "{error}"
    );
}

#[test]
fn the_number_of_threads_changes_no_outcome() {
    let scenario = quiet(4);
    let jobs: Vec<Job<'_>> = (1..=6)
        .map(|seed| Job {
            scenario: &scenario,
            seed,
            options: RunOptions::default(),
        })
        .collect();
    let alone = run_all(&jobs, 1, "try").expect("run");
    let seeds: Vec<u64> = alone.iter().map(|outcome| outcome.seed).collect();
    assert_eq!(seeds, [1, 2, 3, 4, 5, 6]);
    assert_eq!(run_all(&jobs, 3, "try").expect("run"), alone);
}
