use clap::Parser;
use muster_swim::Time;
use muster_swim::sim::Property;
use muster_swim::sim::scenario::ScenarioError;

use super::*;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    args: SimulateArgs,
}

fn args(line: &str) -> SimulateArgs {
    let words = ["simulate"].into_iter().chain(line.split_whitespace());
    Line::try_parse_from(words).expect("all are known").args
}

fn summary(violations: usize) -> Summary {
    let violation = Violation {
        property: Property::Healing,
        at: Time::ZERO,
        process: "n3".to_owned(),
        text: "it does not agree".to_owned(),
    };
    let each = (1..).map(|seed| (seed, violation.clone()));
    Summary {
        violations: each.take(violations).collect(),
        violated: violations,
        ..Summary::default()
    }
}

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn violations_are_told_with_their_seeds_and_how_to_see_the_first_again() {
    let failure = end(&args("crash -n 5"), MINUTE, Ok(()), &[summary(7)]).expect_err("seven");
    assert_eq!(
        failure.to_string(),
        "7 violations of what must hold:\n  \
         seed 1: healing at n3: it does not agree\n  \
         seed 2: healing at n3: it does not agree\n  \
         seed 3: healing at n3: it does not agree\n  \
         seed 4: healing at n3: it does not agree\n  \
         seed 5: healing at n3: it does not agree\n  \
         and 2 more\n  \
         healing means: All that are up agree on who is there in bounded time after the faults \
         end.\n\
         what happened in the first: muster simulate crash --members=5 --replay=1"
    );
    let args = args("crash --rings 2 --compare b.toml");
    let failure = end(&args, MINUTE, Ok(()), &[summary(0), summary(1)]).expect_err("one");
    assert_eq!(
        failure.to_string(),
        "1 violation of what must hold with the settings of b.toml:\n  \
         seed 1: healing at n3: it does not agree\n  \
         healing means: All that are up agree on who is there in bounded time after the faults \
         end.\n\
         what happened in the first: muster simulate crash --duration=1m --config=b.toml \
         --replay=1"
    );
}

#[test]
fn a_violation_counts_also_when_nobody_reads_the_table() {
    let args = args("crash --replay 1");
    let failure = end(&args, MINUTE, Err(Failure::ReaderGone), &[summary(1)]).expect_err("one");
    assert!(matches!(
        failure,
        Failure::Simulate(SimulateError::Violated(_))
    ));
    let failure =
        end(&args, MINUTE, Err(Failure::ReaderGone), &[summary(0)]).expect_err("as it was");
    assert!(matches!(failure, Failure::ReaderGone));
    assert!(end(&args, MINUTE, Ok(()), &[summary(0)]).is_ok());
}

#[test]
fn the_exit_status_tells_usage_from_violation() {
    let refused = ScenarioError {
        field: "members".to_owned(),
        given: "0".to_owned(),
        allowed: "allowed is 1 to 9".to_owned(),
    };
    for (error, code) in [
        (SimulateError::NoScenario, 2),
        (SimulateError::Plan(PlanError::Refused(Vec::new())), 2),
        (SimulateError::Pool(PoolError::Scenario(refused)), 2),
        (SimulateError::Pool(PoolError::BrokeOff { seed: 1 }), 1),
        (SimulateError::Violated(String::new()), 1),
    ] {
        assert_eq!(error.exit_code(), code, "{error:?}");
    }
}
