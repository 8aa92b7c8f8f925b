//! E1 to E3: slow members (Dadgar, Phillips, Currey: Lifeguard, arXiv 1707.00788v2, section V).

use std::time::Duration;

use super::{Experiment, Result, Row, Scale, SetUp, Size, row, seconds, thousands};
use crate::config::Config;
use crate::sim::network::Latency;
use crate::sim::scenario::{Fate, Fault, Scenario, Spread, Step, Whom};

const PAPER: &str = "Lifeguard, arXiv 1707.00788v2";

/// Members that are slow at once.
const SLOW: [usize; 9] = [1, 4, 8, 12, 16, 20, 24, 28, 32];

/// How long an anomaly lasts, in milliseconds.
const LASTS: [u64; 6] = [128, 512, 2048, 8192, 16384, 32768];

/// Time between two, in milliseconds.
const BETWEEN: [u64; 8] = [1, 4, 16, 64, 256, 1024, 4096, 16384];

/// Runs in the paper's interval experiment; sums are scaled to as many.
const INTERVAL_RUNS: f64 = (SLOW.len() * LASTS.len() * BETWEEN.len() * 10) as f64;

const ROWS: &[Row] = &[
    row("SWIM here", Config::swim, true),
    row("LHA-Probe here", Config::lha_probe, true),
    row("LHA-Suspicion here", Config::lha_suspicion, true),
    row("Buddy System here", Config::buddy_system, true),
    row("Lifeguard here", Config::lifeguard, true),
    row("Muster", Config::lan, false),
];

const TIMES: &[Row] = &[
    row("SWIM here", Config::swim, true),
    row("Lifeguard here", Config::lifeguard, true),
    row("Lifeguard tuned here", Config::lifeguard_tuned, true),
    row("Muster", Config::lan, false),
];

/// Anomalies that come again: who is blamed?
pub(super) static INTERVAL: Experiment = Experiment {
    name: "e1",
    about: "false deaths while C of 128 members stall again and again",
    sizes: &[Size::Members("128")],
    source: PAPER,
    repetitions: 10,
    rows: ROWS,
    set_ups: intervals,
    columns: &[
        "FP",
        "FP-",
        "MESSAGES/RUN",
        "DEATHS D=2S",
        "D=8S",
        "D=16S",
        "D=33S",
        "HINTS",
    ],
    published: &[
        (
            "SWIM published",
            &["339,002", "1,326", "100,771", "", "", "", "", ""],
        ),
        (
            "LHA-Probe published",
            &["229,574", "436", "99,218", "", "", "", "", ""],
        ),
        (
            "LHA-Suspicion published",
            &["10,174", "89", "112,164", "", "", "", "", ""],
        ),
        (
            "Buddy System published",
            &["318,935", "591", "100,838", "", "", "", "", ""],
        ),
        (
            "Lifeguard published",
            &["5,193", "25", "111,440", "", "", "", "", ""],
        ),
        (
            "Muster's mark",
            &["< 5,193", "0", "< 100,771", "", "", "", "", ""],
        ),
    ],
    figures: interval_figures,
    notes: &[
        "FP: deaths of members that were not stalled, at each member that tells one; FP-: those \
         told by one that was not stalled either. Sums are scaled to the paper's 4,320 runs.",
        "DEATHS: of stalled members, by the length of the stall; not false, but the price of quick \
         detection.",
        "HINTS: `unreachable` told of members that were well, which is no verdict; where there are no \
         verdicts, that is a death.",
        "In the rows marked `here` the prober is a thread that stops in a blocked send, as \
         memberlist's is; Muster's goes on, which is harder for it.",
    ],
};

/// One anomaly: when is it known?
pub(super) static THRESHOLD: Experiment = Experiment {
    name: "e2",
    about: "time until the death of a stalled member is known, C of 128 at once",
    sizes: &[Size::Members("128")],
    source: PAPER,
    repetitions: 10,
    rows: TIMES,
    set_ups: |scale| thresholds(scale, Fault::Block),
    columns: &[
        "FIRST 50%",
        "99%",
        "99.9%",
        "ALL 50%",
        "99%",
        "99.9%",
        "DETECTED",
        "FP-",
    ],
    published: &[
        (
            "SWIM published",
            &["12.44", "16.96", "19.40", "12.90", "16.93", "20.17", "", ""],
        ),
        (
            "Lifeguard published",
            &["12.45", "17.90", "21.20", "12.91", "18.05", "21.68", "", ""],
        ),
        (
            "Lifeguard tuned published",
            &[
                "6.61", "11.84", "14.76", "7.11", "12.37", "15.37", "", "413",
            ],
        ),
        (
            "Muster's mark",
            &["< 7", "< 9", "< 10", "< 7", "< 9", "< 10", "", "0"],
        ),
    ],
    figures: threshold_figures,
    notes: &[
        "Seconds from the start of the stall until the first member that was well, and until all of \
         them, told the death. Of the stalls that were detected at all: short ones should not be.",
    ],
};

/// The same with hosts that are cut off.
pub(super) static CUT_OFF: Experiment = Experiment {
    name: "e3",
    about: "the same as e2 with the hosts cut off instead of stalled",
    sizes: &[],
    source: PAPER,
    repetitions: 10,
    rows: TIMES,
    set_ups: |scale| {
        let (incoming, outgoing) = (1.0, 1.0);
        thresholds(scale, Fault::Loss { incoming, outgoing })
    },
    columns: THRESHOLD.columns,
    published: &[(
        "Muster's mark",
        &["< 2", "< 4", "< 6", "< 2", "< 4", "< 6", "", "0"],
    )],
    figures: threshold_figures,
    notes: &["The paper has no such row."],
};

fn base(slow: usize, lasts: Duration, fault: Fault) -> Scenario {
    let mut scenario = Scenario::quiet(128, Config::lan());
    scenario.network.latency = Latency::Uniform(Duration::ZERO..Duration::from_millis(1));
    scenario.agree_within = None;
    let step = Step::once(Duration::ZERO, Whom::Some(slow), fault);
    scenario.step(step.lasting(lasts))
}

fn intervals(scale: Scale) -> Vec<SetUp> {
    let (slow, lasts, between): (&[usize], &[u64], &[u64]) = match scale {
        Scale::Full => (&SLOW, &LASTS, &BETWEEN),
        Scale::Reduced => (&[8], &[2048, 16384], &[1024]),
    };
    let mut set_ups = Vec::new();
    for (slow, lasts) in slow
        .iter()
        .flat_map(|s| lasts.iter().map(move |l| (*s, *l)))
    {
        for between in between {
            // At least 120 s, to the end of the anomaly that goes on then.
            let cycle = lasts + between;
            let cycles = 120_000_u64.saturating_sub(lasts).div_ceil(cycle);
            let mut scenario = base(slow, Duration::from_millis(lasts), Fault::Block);
            scenario.duration = Duration::from_millis(cycles * cycle + lasts + 1);
            scenario.steps[0].every = Some(Duration::from_millis(cycle));
            set_ups.push(SetUp {
                key: lasts,
                scenario,
            });
        }
    }
    set_ups
}

fn thresholds(scale: Scale, fault: Fault) -> Vec<SetUp> {
    let (slow, lasts): (&[usize], &[u64]) = match scale {
        Scale::Full => (&SLOW, &LASTS),
        Scale::Reduced => (&[4], &[16384]),
    };
    let each = slow
        .iter()
        .flat_map(|s| lasts.iter().map(move |l| (*s, *l)));
    each.map(|(slow, lasts)| {
        let mut scenario = base(slow, Duration::from_millis(lasts), fault.clone());
        scenario.duration = Duration::from_secs(120);
        scenario.end_when_agreed = true;
        SetUp {
            key: lasts,
            scenario,
        }
    })
    .collect()
}

fn interval_figures(results: &[Result<'_>]) -> Vec<String> {
    let runs = results.len() as f64;
    let scaled = |sum: u64| thousands(sum as f64 * INTERVAL_RUNS / runs);
    let sum = |of: fn(&Result<'_>) -> u64| scaled(results.iter().map(of).sum());
    let messages: u64 = results.iter().map(|result| result.outcome.messages).sum();
    let mut figures = vec![
        sum(|result| result.outcome.false_deaths),
        sum(|result| result.outcome.false_deaths_at_healthy),
        thousands(messages as f64 / runs),
    ];
    for lasts in &LASTS[2..] {
        let of_key = results.iter().filter(|result| result.cell.key == *lasts);
        figures.push(scaled(
            of_key.map(|result| result.outcome.deaths_of_hurt).sum(),
        ));
    }
    figures.push(sum(|result| result.outcome.false_hints));
    figures
}

fn threshold_figures(results: &[Result<'_>]) -> Vec<String> {
    let fates = || results.iter().flat_map(|result| &result.outcome.fates);
    let first = Spread::of(fates().filter_map(|fate: &Fate| fate.first));
    let everywhere = Spread::of(fates().filter_map(|fate: &Fate| fate.everywhere));
    let mut figures = Vec::new();
    for spread in [&first, &everywhere] {
        figures.extend([0.5, 0.99, 0.999].map(|part| seconds(spread.quantile(part))));
    }
    figures.push(format!("{} of {}", first.count(), fates().count()));
    let false_deaths = results
        .iter()
        .map(|result| result.outcome.false_deaths_at_healthy);
    figures.push(false_deaths.sum::<u64>().to_string());
    figures
}
