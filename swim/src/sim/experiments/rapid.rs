//! E5 to E8 and E10: many members at once (Suresh et al., Rapid, USENIX ATC 2018, section 7).

use std::time::Duration;

use super::{Experiment, Result, Row, Scale, SetUp, Size, row, seconds};
use crate::config::Config;
use crate::sim::scenario::{Fault, Scenario, Settle, Spread, Start, Step, Whom};

const PAPER: &str = "Rapid, USENIX ATC 2018";

const MUSTER: &[Row] = &[row("Muster", Config::lan, false)];

/// How many of the members are hurt.
const HURT: usize = 10;

/// E5.
pub(super) static BOOTSTRAP: Experiment = Experiment {
    name: "e5",
    about: "one seed, 10 s later all others at once: until all know all",
    sizes: &[],
    source: PAPER,
    repetitions: 3,
    rows: &[
        Row {
            label: "Muster, 1000",
            config: Config::lan,
            threaded: false,
            takes: |set_up| set_up.key == 1000,
        },
        Row {
            label: "Muster, 1500",
            config: Config::lan,
            threaded: false,
            takes: |set_up| set_up.key == 1500,
        },
        Row {
            label: "Muster, 2000",
            config: Config::lan,
            threaded: false,
            takes: |set_up| set_up.key == 2000,
        },
        Row {
            label: "Muster, 100",
            config: Config::lan,
            threaded: false,
            takes: |set_up| set_up.key == 100,
        },
    ],
    set_ups: bootstraps,
    columns: &["MEDIAN", "WORST", "SIZES"],
    published: &[
        (
            "ZooKeeper published, 1000 / 1500 / 2000",
            &["33 / 81 / 165", "", "1000 / 1500 / 2000"],
        ),
        (
            "Memberlist published",
            &["46 / 69 / 98", "", "901 / 1383 / 1858"],
        ),
        ("Rapid published", &["30 / 40 / 54", "", "4 / 8 / 4"]),
        ("Muster's mark", &["< 30 / 40 / 54", "", "<= 10"]),
    ],
    figures: bootstrap_figures,
    notes: &[
        "Seconds from the start of the others; SIZES: different sizes of the membership that \
              anybody held when asked once a second. The paper's processes shared machines whose CPUs were the limit; here nothing is.",
    ],
};

/// E6 and E10.
pub(super) static CRASH: Experiment = Experiment {
    name: "e6",
    about: "10 of 1000 members crash at once (and e10: what that costs)",
    sizes: &[Size::Members("1000")],
    source: PAPER,
    repetitions: 3,
    rows: &[
        Row {
            label: "Muster, processes killed",
            config: Config::lan,
            threaded: false,
            takes: |set_up| set_up.key == 0,
        },
        Row {
            label: "Muster, hosts cut off",
            config: Config::lan,
            threaded: false,
            takes: |set_up| set_up.key == 1,
        },
    ],
    set_ups: crashes,
    columns: &[
        "MEDIAN", "WORST", "SIZES", "CHANGES", "KB/S IN", "MAX", "KB/S OUT", "MAX",
    ],
    published: &[
        (
            "ZooKeeper published",
            &["", "", "2", "1", "0.43", "", "0.01", ""],
        ),
        (
            "Memberlist published",
            &["12-14", "", "11", "10", "0.54", "7.4", "0.64", "8.0"],
        ),
        (
            "Rapid published",
            &["~22-24", "", "2", "1", "0.71", "9.6", "0.71", "11.4"],
        ),
        (
            "Muster's mark, killed",
            &["< 0.5", "", "<= 3", "<= 2", "< 0.3", "< 7", "< 0.3", "< 8"],
        ),
        (
            "Muster's mark, cut off",
            &["< 3", "", "<= 3", "<= 2", "< 0.3", "< 7", "< 0.3", "< 8"],
        ),
    ],
    figures: crash_figures,
    notes: &[
        "Seconds until all that were well told the death. CHANGES: moments at which one member \
              saw the membership change, median. KB/S (e10): of a member, mean, and most in any \
              second; bytes with IP, UDP and TCP headers and 41 bytes of sealing for each datagram.",
    ],
};

/// E7.
pub(super) static DEAF: Experiment = Experiment {
    name: "e7",
    about: "10 of 1000 members receive nothing for 20 s of every 40 s, for 900 s",
    sizes: &[Size::Members("1000"), Size::Duration("900 s")],
    source: PAPER,
    repetitions: 1,
    rows: MUSTER,
    set_ups: |scale| {
        let step = Step::once(Duration::ZERO, Whom::Some(HURT), loss(1.0, 0.0));
        let step = step.lasting(Duration::from_secs(20));
        vec![lossy(
            scale,
            900,
            step.repeated(Duration::from_secs(40), None),
        )]
    },
    columns: FLAPPING,
    published: &[
        ("ZooKeeper published", &["never", "0", "", "0", "", ""]),
        (
            "Memberlist published",
            &["never for good", "", "", "", "", "flaps to the end"],
        ),
        ("Rapid published", &["one step", "1", "0", "0", "", ""]),
        ("Muster's mark", &["< 5 s", "<= 2", "0", "0", "", ""]),
    ],
    figures: flapping_figures,
    notes: FLAPPING_NOTES,
};

/// E8.
pub(super) static MUTE: Experiment = Experiment {
    name: "e8",
    about: "10 of 1000 members lose 80 % of what they send",
    sizes: &[Size::Members("1000")],
    source: PAPER,
    repetitions: 1,
    rows: MUSTER,
    set_ups: |scale| {
        let step = Step::once(Duration::ZERO, Whom::Some(HURT), loss(0.0, 0.8));
        vec![lossy(scale, 300, step)]
    },
    columns: FLAPPING,
    published: &[
        ("ZooKeeper published", &["oscillates", "", "", "", "", ""]),
        ("Memberlist published", &["never all", "", "", "", "", ""]),
        ("Rapid published", &["~60 s", "1", "0", "0", "", ""]),
        ("Muster's mark", &["< 30 s", "<= 2", "", "0", "", ""]),
    ],
    figures: flapping_figures,
    notes: FLAPPING_NOTES,
};

const FLAPPING: &[&str] = &[
    "ALL OUT",
    "DEATHS",
    "AFTER 2ND",
    "OTHERS",
    "OUT ONCE",
    "CHANGES",
];

const FLAPPING_NOTES: &[&str] = &[
    "ALL OUT: seconds from the first onset until every member that was well held all hurt ones for \
     gone. DEATHS: of one hurt member told by one that was well, most. AFTER 2ND: changes of the membership that \
     well members saw of hurt ones after they had told their death twice. OTHERS: deaths of well \
     members told by well ones. OUT ONCE: hurt ones gone everywhere after the first onset. CHANGES: \
     moments at which one member saw the membership change, median and most.",
];

fn loss(incoming: f64, outgoing: f64) -> Fault {
    Fault::Loss { incoming, outgoing }
}

fn bootstraps(scale: Scale) -> Vec<SetUp> {
    let sizes: &[usize] = match scale {
        Scale::Full => &[1000, 1500, 2000],
        Scale::Reduced => &[100],
    };
    let set_up = |members: &usize| {
        let mut scenario = Scenario::quiet(*members, Config::lan());
        scenario.start = Start {
            head_start: Duration::from_secs(10),
            spacing: Duration::ZERO,
            settle: None,
        };
        scenario.duration = Duration::from_secs(300);
        scenario.end_when_agreed = true;
        scenario.agree_within = None;
        SetUp {
            key: *members as u64,
            scenario,
        }
    };
    sizes.iter().map(set_up).collect()
}

/// A thousand members that have been left alone for long enough to forget their joining.
fn settled(scale: Scale, seconds: u64) -> Scenario {
    let members = match scale {
        Scale::Full => 1000,
        Scale::Reduced => 60,
    };
    let mut scenario = Scenario::quiet(members, Config::lan());
    scenario.start.settle = Some(Settle {
        within: Duration::from_secs(120),
        quiet: Duration::from_secs(60),
    });
    scenario.duration = Duration::from_secs(seconds);
    scenario.agree_within = None;
    scenario
}

fn crashes(scale: Scale) -> Vec<SetUp> {
    let faults = [Fault::Crash, loss(1.0, 1.0)];
    let set_up = |(key, fault): (usize, &Fault)| {
        let step = Step::once(Duration::from_secs(1), Whom::Some(HURT), fault.clone());
        SetUp {
            key: key as u64,
            scenario: settled(scale, 30).step(step),
        }
    };
    faults.iter().enumerate().map(set_up).collect()
}

fn lossy(scale: Scale, full: u64, step: Step) -> SetUp {
    let seconds = match scale {
        Scale::Full => full,
        Scale::Reduced => 90,
    };
    SetUp {
        key: 0,
        scenario: settled(scale, seconds).step(step),
    }
}

fn bootstrap_figures(results: &[Result<'_>]) -> Vec<String> {
    let spread = Spread::of(
        results
            .iter()
            .filter_map(|result| result.outcome.settled_after),
    );
    let sizes = results
        .iter()
        .map(|result| result.outcome.sizes.len())
        .max();
    vec![
        seconds(spread.median()),
        seconds(spread.worst()),
        sizes.unwrap_or(0).to_string(),
    ]
}

fn crash_figures(results: &[Result<'_>]) -> Vec<String> {
    let outcomes = || results.iter().map(|result| result.outcome);
    let fates = outcomes().flat_map(|outcome| &outcome.fates);
    let everywhere = Spread::of(fates.filter_map(|fate| fate.everywhere));
    // Those that were cut off see everybody else go; only sizes near the whole count.
    let sizes = outcomes().map(|outcome| {
        let whole = outcome.sizes.keys().max().copied().unwrap_or(0);
        let near = outcome.sizes.keys().filter(|size| **size + HURT >= whole);
        near.count()
    });
    let changes = outcomes().map(|outcome| outcome.changes.0).max();
    let runs = results.len() as f64;
    let kilobytes = |bytes: f64| format!("{:.2}", bytes / 1000.0);
    let mean = |of: fn(&Result<'_>) -> f64| results.iter().map(of).sum::<f64>() / runs;
    let most = |of: fn(&Result<'_>) -> u64| results.iter().map(of).max().unwrap_or(0) as f64;
    vec![
        seconds(everywhere.median()),
        seconds(everywhere.worst()),
        sizes.max().unwrap_or(0).to_string(),
        changes.unwrap_or(0).to_string(),
        kilobytes(mean(|result| result.outcome.traffic.bytes_received)),
        kilobytes(most(|result| result.outcome.traffic.bytes_received_max)),
        kilobytes(mean(|result| result.outcome.traffic.bytes_sent)),
        kilobytes(most(|result| result.outcome.traffic.bytes_sent_max)),
    ]
}

fn flapping_figures(results: &[Result<'_>]) -> Vec<String> {
    let outcomes = || results.iter().map(|result| result.outcome);
    let first_time = || outcomes().flat_map(|outcome| outcome.fates.iter().take(HURT));
    let everywhere: Vec<_> = first_time().filter_map(|fate| fate.everywhere).collect();
    let all = everywhere.len() == first_time().count();
    let worst = everywhere.iter().max().copied().filter(|_| all);
    let deaths = outcomes().flat_map(|outcome| outcome.fates.iter().map(|fate| fate.deaths));
    let later = outcomes().map(|outcome| outcome.changes_after_second_death);
    let false_deaths = outcomes().map(|outcome| outcome.false_deaths_at_healthy);
    let medians = outcomes().map(|outcome| outcome.changes.0).max();
    let most = outcomes().map(|outcome| outcome.changes.1).max();
    vec![
        worst.map_or_else(|| "not all".to_owned(), |worst| seconds(Some(worst))),
        deaths.max().unwrap_or(0).to_string(),
        super::thousands(later.sum::<u64>() as f64),
        false_deaths.sum::<u64>().to_string(),
        format!("{} of {}", everywhere.len(), first_time().count()),
        format!("{} / {}", medians.unwrap_or(0), most.unwrap_or(0)),
    ]
}
