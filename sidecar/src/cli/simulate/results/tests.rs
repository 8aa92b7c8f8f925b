use std::time::Duration;

use muster_swim::Time;
use muster_swim::sim::scenario::{Fault, Series, Spread, Step, TrafficRates, Whom};
use muster_swim::sim::{Property, Violation};

use super::*;

/// So many members, of which one is hurt after 2 s.
pub(in crate::cli::simulate) fn scenario(members: usize) -> Scenario {
    let (at, lasts) = (Duration::from_secs(2), Duration::from_secs(20));
    let step = Step::once(at, Whom::Some(1), Fault::Pause).lasting(lasts);
    Scenario {
        name: "nap".to_owned(),
        about: "One is <stopped> & goes on".to_owned(),
        ..Scenario::quiet(members, Config::lan()).step(step)
    }
}

/// Ten runs; every number differs from all others.
pub(in crate::cli::simulate) fn summary() -> Summary {
    let spread = |millis: &[u64]| Spread::of(millis.iter().copied().map(Duration::from_millis));
    Summary {
        runs: 10,
        settled: 9,
        settling: spread(&[1100, 1200, 1900]),
        hurt: 8,
        first: spread(&[210, 220, 230, 290]),
        everywhere: spread(&[310, 320, 390]),
        false_deaths: 11,
        false_deaths_at_healthy: 12,
        deaths_of_hurt: 13,
        false_suspicions: 14,
        false_hints: 19,
        deaths_worst: 15,
        sizes: 16,
        changes: (17, 18),
        messages: 1900.4,
        traffic: TrafficRates {
            packets_sent: 2.25,
            bytes_sent: 201.2,
            bytes_received: 202.7,
            bytes_sent_max: 2003,
            bytes_received_max: 2004,
            each_second: vec![1000, 3000, 2000],
        },
        health: (0.37, 7),
        agreed_after: spread(&[4100, 4900]),
        disagreeing: 2,
        without_quorum: 1,
        series: Some(series(&[&[5, 5, 4, 5], &[5, 4, 4, 5]])),
        violations: vec![(42, violation())],
        violated: 3,
    }
}

/// What members saw, sampled each second.
pub(in crate::cli::simulate) fn series(members: &[&[u32]]) -> Series {
    let names = (0..).map(|number| format!("n{number}"));
    let samples = |sizes: &&[u32]| sizes.iter().copied().map(Some).collect();
    Series {
        step: Duration::from_secs(1),
        present: names.zip(members.iter().map(samples)).collect(),
    }
}

/// One whose text is hard on every format.
pub(in crate::cli::simulate) fn violation() -> Violation {
    Violation {
        property: Property::Healing,
        at: Time::from_nanos(12_345_678_900),
        process: "n3".to_owned(),
        text: "\"n1\" & <n2>\u{1b}".to_owned(),
    }
}

#[test]
fn the_title_says_who_and_what() {
    let title = |seeds: &[u64]| {
        let results = Results {
            scenario: &scenario(5),
            seeds,
            columns: &[],
        };
        results.title()
    };
    assert_eq!(title(&[1, 2, 3]), "nap: 5 members, 1m, seeds 1 to 3");
    assert_eq!(title(&[7]), "nap: 5 members, 1m, seed 7");
    assert_eq!(title(&[1, 3]), "nap: 5 members, 1m, 2 seeds");
    assert_eq!(title(&[u64::MAX, 0]), "nap: 5 members, 1m, 2 seeds");
}

#[test]
fn settings_are_described_by_the_nearest_preset() {
    for (name, preset) in presets() {
        assert_eq!(described(&preset), format!("preset {name}"));
    }
    let changed = Config {
        period: Duration::from_millis(2500),
        rings: 2,
        ..Config::wan()
    };
    assert_eq!(
        described(&changed),
        "preset wan with period 2500ms, rings 2"
    );
    let mut lifeguard = Config::lifeguard();
    lifeguard.parts.pushes += 1;
    let text = described(&lifeguard);
    assert!(text.ends_with("with other parts"), "{text}");
}
