//! How long a cluster of real processes is without a coordinator after it was killed, and what a
//! coordinator costs in a quiet cluster. `tests/failover` runs it.

use std::env;
use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};

use muster_tests::{Cluster, Host, Mark, Options, wait};
use serde_json::Value;

/// Members of the cluster whose coordinator is killed.
const MEMBERS: usize = 5;

/// Each duration must be there by then.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long a quiet cluster is let alone before it is measured.
const SETTLE: Duration = Duration::from_secs(15);

fn main() -> ExitCode {
    let mut kills = 20;
    let mut sizes: Vec<usize> = vec![10, 50];
    let mut quiet = Duration::from_secs(60);
    let mut words = env::args().skip(1);
    while let Some(word) = words.next() {
        let value = words.next();
        let number = value
            .as_deref()
            .and_then(|value| value.parse::<usize>().ok());
        match (word.as_str(), value, number) {
            ("--kills", _, Some(number)) => kills = number,
            ("--seconds", _, Some(number)) => quiet = Duration::from_secs(number as u64),
            ("--members", Some(value), _) => {
                let numbers = value.split(',').map(|size| size.parse().ok());
                sizes = numbers.flatten().filter(|size| *size > 1).collect();
            }
            _ => {
                eprintln!("usage: failover [--kills N] [--members N,N] [--seconds N]");
                return ExitCode::from(2);
            }
        }
    }
    let mut reports: Vec<String> = (kills > 0).then(|| failover(kills)).into_iter().collect();
    reports.extend(sizes.into_iter().map(|size| quiet_cluster(size, quiet)));
    // The harness says what it waits for: the results come after all of that.
    println!("\n{}", reports.join("\n"));
    ExitCode::SUCCESS
}

/// Kills the coordinator again and again; after each time it comes back as a new life.
fn failover(kills: usize) -> String {
    let mut cluster = Cluster::formed(Options::of(MEMBERS));
    cluster.wait_voters(3);
    let (mut named, mut removed) = (Vec::new(), Vec::new());
    for _ in 0..kills {
        cluster.wait_voters(3);
        let old = cluster.coordinator();
        let before = cluster.wait_all_agree();
        let marks = cluster.marks();
        let killed = SystemTime::now();
        cluster.host_mut(old).kill();
        let name = cluster.host(old).name().to_owned();
        cluster.wait(
            PATIENCE,
            "another one decides and the old one is dead",
            |cluster| {
                let new = cluster.same_coordinator()?;
                if new.epoch <= before.epoch {
                    return Err(format!("{new:?}"));
                }
                cluster.others_agree(&[old], "dead")
            },
        );
        let logged = |host: &Host, kind: &str, is: &dyn Fn(&str) -> bool| {
            let events = host.events(mark_of(&marks, host));
            let line = events
                .into_iter()
                .find(|line| line.kind == kind && is(&line.member));
            line.and_then(|line| line.time())
                .map(|time| since(killed, time))
        };
        let others: Vec<&Host> = cluster.running().collect();
        let news = others
            .iter()
            .map(|host| logged(host, "coordinator-changed", &|_| true));
        let deaths = others
            .iter()
            .map(|host| logged(host, "member-dead", &|who| who == name));
        named.extend(news.flatten().min());
        removed.extend(deaths.flatten().max());
        cluster.start(old);
        cluster.wait_all_see_all();
    }
    cluster.one_history();
    let mut report = format!("{kills} coordinators of {MEMBERS} members killed, in seconds:\n");
    let _ = writeln!(
        report,
        "{:40} {:>7} {:>7} {:>7}",
        "", "min", "median", "max"
    );
    for (what, mut took) in [
        ("another one decides", named),
        ("all have the verdict", removed),
    ] {
        took.sort();
        let second = |at: usize| took.get(at).map_or(f64::NAN, Duration::as_secs_f64);
        let (median, last) = (second(took.len() / 2), second(took.len().saturating_sub(1)));
        let _ = writeln!(
            report,
            "{what:40} {:7.3} {median:7.3} {last:7.3}",
            second(0)
        );
    }
    report
}

fn mark_of(marks: &[Mark], host: &Host) -> Mark {
    let number: Option<usize> = host.name().get(1..).and_then(|digits| digits.parse().ok());
    marks[number.expect("hosts are called n1, n2…") - 1]
}

fn since(start: SystemTime, time: SystemTime) -> Duration {
    time.duration_since(start).unwrap_or_default()
}

/// What the coordinator, the other voters and the rest send and receive while nothing happens.
fn quiet_cluster(members: usize, span: Duration) -> String {
    let cluster = Cluster::formed(Options::of(members));
    cluster.wait_voters(if members < 10 { 3 } else { 5 });
    let quiet = || wait::throughout(SETTLE, || Ok(()));
    quiet().expect("waiting alone has no complaint");
    let coordinator = cluster.coordinator();
    let voters = cluster.voters(coordinator).expect("a coordinator answers");
    let counts = || -> Vec<[u64; 4]> {
        (1..=members)
            .map(|number| traffic(cluster.host(number)))
            .collect()
    };
    let (start, before) = (Instant::now(), counts());
    wait::throughout(span, || Ok(())).expect("waiting alone has no complaint");
    let (after, took) = (counts(), start.elapsed().as_secs_f64());
    let rate = |numbers: &[usize]| {
        let total = |at: usize| -> u64 {
            numbers
                .iter()
                .map(|number| after[number - 1][at] - before[number - 1][at])
                .sum()
        };
        let each = |at: usize| total(at) as f64 / took / numbers.len().max(1) as f64;
        format!(
            "{:9.2} {:9.2} {:9.0} {:9.0}",
            each(0),
            each(1),
            each(2),
            each(3)
        )
    };
    let others: Vec<usize> = voters
        .iter()
        .copied()
        .filter(|&voter| voter != coordinator)
        .collect();
    let rest: Vec<usize> = (1..=members)
        .filter(|number| !voters.contains(number))
        .collect();
    let mut report = format!("{members} members, quiet, per member and second:\n");
    let heads = ["sent", "received", "bytes out", "bytes in"];
    let _ = writeln!(
        report,
        "{:20} {:>9} {:>9} {:>9} {:>9}",
        "", heads[0], heads[1], heads[2], heads[3]
    );
    let rows = [
        ("coordinator", vec![coordinator]),
        ("other voters", others),
        ("non-voting", rest),
    ];
    for (who, numbers) in rows {
        let _ = writeln!(report, "{who:20} {}", rate(&numbers));
    }
    cluster.wait_all_agree();
    report
}

/// Datagrams sent and received, bytes sent and received.
fn traffic(host: &Host) -> [u64; 4] {
    let status = host.status().expect("a member of a quiet cluster answers");
    let fields = [
        "datagrams_sent",
        "datagrams_received",
        "bytes_sent",
        "bytes_received",
    ];
    fields.map(|field| {
        status["stats"][field]
            .as_u64()
            .unwrap_or_else(|| missing(field, &status))
    })
}

fn missing(field: &str, status: &Value) -> u64 {
    panic!("no {field} in {status}")
}
