//! E4: SWIM's own measurements (Das, Gupta, Motivala, DSN 2002, section 5).

use std::time::Duration;

use super::{Experiment, Result, Scale, SetUp, Size, row};
use crate::config::Config;
use crate::sim::scenario::{Fault, Scenario, Settle, Spread, Start, Step, Whom};

const PAPER: &str = "SWIM, DSN 2002";

/// The protocol period of the paper.
const PERIOD: Duration = Duration::from_secs(2);

/// How long a suspicion lasts: three periods for the sizes here.
const SUSPICION: Duration = Duration::from_secs(6);

/// Cost and detection by size.
pub(super) static PERIODS: Experiment = Experiment {
    name: "e4",
    about: "cost, detection and dissemination in protocol periods, 8 to 56 members",
    sizes: &[Size::Members("8 to 56")],
    source: PAPER,
    repetitions: 20,
    rows: &[
        row("SWIM here", || Config::swim_2002(Duration::ZERO), false),
        row("Muster", Config::lan, false),
    ],
    set_ups: periods,
    columns: &["MESSAGES", "FIRST, MEAN", "SPREAD, MEDIAN"],
    published: &[("SWIM published", &["2.0", "1.58", "1 to 3"])],
    figures: period_figures,
    notes: &[
        "MESSAGES: sent by a member in a period. FIRST: periods from the crash until the first \
         member knew. SPREAD: from the first to the last. A period is 2 s in every row. The paper counts whole periods: SWIM declares at the end of \
         one, here after half of one.",
    ],
};

/// Joining under loss.
pub(super) static JOINING: Experiment = Experiment {
    name: "e4-joining",
    about: "17 members join 5 s apart under 10 % loss: how many stay?",
    sizes: &[Size::Members("17")],
    source: PAPER,
    repetitions: 20,
    rows: &[
        row(
            "SWIM with infection here",
            || Config::swim_2002(Duration::ZERO),
            false,
        ),
        row(
            "SWIM with suspicion here",
            || Config::swim_2002(SUSPICION),
            false,
        ),
        row("Muster", Config::lan, false),
    ],
    set_ups: joining,
    columns: &["MEMBERS", "LEAST", "MESSAGES"],
    published: &[
        ("basic SWIM published", &["2", "", ""]),
        ("SWIM with infection published", &["4", "", ""]),
        ("SWIM with suspicion published", &["12", "", ""]),
        ("Muster's mark", &["17", "17", "the same load"]),
    ],
    figures: joining_figures,
    notes: &[
        "MEMBERS: held at the end, median of all members and runs; LEAST: by any. MESSAGES: sent by \
         a member in 2 s. Basic SWIM (updates by multicast) is not run. In the rows marked `here` members that were \
         declared failed refute that when they hear of it; in the paper a failed member stays out.",
    ],
};

fn periods(scale: Scale) -> Vec<SetUp> {
    let sizes: &[usize] = match scale {
        Scale::Full => &[8, 16, 24, 32, 40, 48, 56],
        Scale::Reduced => &[16],
    };
    let set_up = |members: &usize| {
        let mut scenario = Scenario::quiet(*members, Config::lan());
        scenario.agree_within = None;
        scenario.duration = Duration::from_secs(60);
        let at = Duration::from_secs(30);
        SetUp {
            key: *members as u64,
            scenario: scenario.step(Step::once(at, Whom::Some(1), Fault::CrashHost)),
        }
    };
    sizes.iter().map(set_up).collect()
}

fn period_figures(results: &[Result<'_>]) -> Vec<String> {
    let in_periods = |duration: Duration| duration.as_secs_f64() / PERIOD.as_secs_f64();
    let fates = || results.iter().flat_map(|result| &result.outcome.fates);
    let first: Vec<f64> = fates()
        .filter_map(|fate| fate.first)
        .map(in_periods)
        .collect();
    let spread = Spread::of(fates().filter_map(|fate| Some(fate.everywhere? - fate.first?)));
    let mean = first.iter().sum::<f64>() / (first.len() as f64).max(1.0);
    let median = spread.median().map(in_periods);
    vec![
        messages(results),
        format!("{mean:.2}"),
        median.map_or_else(super::dash, |median| format!("{median:.2}")),
    ]
}

/// Messages that a member sends in a period, mean.
fn messages(results: &[Result<'_>]) -> String {
    let each = results.iter().map(|result| {
        let members = result.cell.scenario.members as f64;
        let periods = result.outcome.measured.as_secs_f64() / PERIOD.as_secs_f64();
        result.outcome.messages as f64 / members / periods
    });
    format!("{:.2}", each.sum::<f64>() / results.len() as f64)
}

fn joining(_scale: Scale) -> Vec<SetUp> {
    let spacing = Duration::from_secs(5);
    let mut scenario = Scenario::quiet(17, Config::lan());
    scenario.network.loss = 0.1;
    scenario.agree_within = None;
    scenario.start = Start {
        head_start: spacing,
        spacing,
        settle: Some(Settle {
            within: Duration::ZERO,
            quiet: Duration::from_secs(60),
        }),
    };
    scenario.duration = Duration::from_secs(120);
    vec![SetUp { key: 0, scenario }]
}

fn joining_figures(results: &[Result<'_>]) -> Vec<String> {
    let sizes = || results.iter().map(|result| result.outcome.sizes_at_end);
    let mut medians: Vec<usize> = sizes().map(|[_, median, _]| median).collect();
    medians.sort_unstable();
    let least = sizes().map(|[least, ..]| least).min().unwrap_or(0);
    vec![
        medians[medians.len() / 2].to_string(),
        least.to_string(),
        messages(results),
    ]
}
