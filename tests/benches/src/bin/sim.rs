//! How long simulated clusters take and what they keep, against their limits.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use muster_benches::rows::Options;
use muster_swim::Role;
use muster_swim::sim::{self, Cluster, Launch, Pid};

fn main() -> ExitCode {
    let options = match Options::parse() {
        Ok(options) => options,
        Err(error) => {
            eprintln!("bench-sim: {error}");
            return ExitCode::FAILURE;
        }
    };
    println!("simulated clusters on one core: wall time and memory, each with its limit");
    println!(
        "{:<27} {:>7} {:>9} {:>7} {:>10} {:>10} {:>9} {:>8} {:>7}",
        "", "members", "seconds", "limit", "datagrams", "each s", "peak MiB", "limit", "B/pair"
    );
    let scale = if options.smoke { 50 } else { 1 };
    for bench in Bench::ALL {
        let members = match bench {
            Bench::Datagrams => 128,
            Bench::Quiet => 1_000 / scale,
            Bench::Bootstrap => options.only_members().unwrap_or(10_000 / scale),
        };
        if options.wants(bench.as_str()) {
            println!("{}", bench.run(members, 100_000 / scale as u64).line());
        }
    }
    if options.wants("coordinator")
        && let Err(problem) = coordinator(&options)
    {
        eprintln!("bench-sim: {problem}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// Sizes at which a coordinator's packets are counted.
const COORDINATED: [usize; 4] = [10, 100, 1_000, 5_000];

/// The most that a coordinator's packets may differ between two sizes: random probes make a few
/// percent.
const SPREAD: f64 = 1.25;

/// What a coordinator sends and receives while nothing happens, which must not depend on the size
/// of the cluster.
fn coordinator(options: &Options) -> Result<(), String> {
    println!();
    println!(
        "what the coordinator of a quiet cluster sends and receives, in a minute of virtual time"
    );
    println!(
        "{:<27} {:>7} {:>14} {:>14} {:>10} {:>12}",
        "", "members", "sends, each s", "gets, each s", "sends, B/s", "others send"
    );
    let largest = if options.smoke { 100 } else { usize::MAX };
    let sizes = COORDINATED.into_iter().filter(|size| *size <= largest);
    let only = options.only_members();
    let mut all = Vec::new();
    for members in sizes.filter(|size| only.is_none_or(|only| only == *size)) {
        let load = Load::of_coordinator(members)?;
        println!(
            "{:<27} {members:>7} {:>14.2} {:>14.2} {:>10.0} {:>12.2}",
            "coordinator", load.sent, load.received, load.bytes, load.others
        );
        all.push(load);
    }
    for (what, figure) in [
        ("sends", (|load| load.sent) as fn(&Load) -> f64),
        ("gets", |load| load.received),
    ] {
        let least = all.iter().map(figure).fold(f64::INFINITY, f64::min);
        let most = all.iter().map(figure).fold(0.0, f64::max);
        if most > least * SPREAD {
            return Err(format!(
                "a coordinator {what} {least:.2} to {most:.2} packets/s: that depends on the size"
            ));
        }
    }
    Ok(())
}

/// Packets and bytes of a second.
struct Load {
    sent: f64,
    received: f64,
    bytes: f64,
    /// Sent by a member that does not vote, in the mean.
    others: f64,
}

impl Load {
    fn of_coordinator(members: usize) -> Result<Load, String> {
        let options = sim::Options {
            watch: false,
            ..sim::Options::default()
        };
        let mut cluster = Cluster::new(1, options);
        let mut progress = Progress::new();
        let pids = cluster.grow(members, Launch::numbered);
        join(&mut cluster, &pids, &mut progress);
        // Until the voters are found and the news of all that joined has died down.
        cluster.run_for(Duration::from_secs(30));
        settle(&mut cluster, &pids);
        progress.end();
        let decides = |pid: &Pid| cluster.node(*pid).decides(cluster.clock(*pid));
        let coordinator = pids.iter().copied().find(decides);
        let coordinator = coordinator.ok_or(format!("{members} members have no coordinator"))?;
        let view = cluster.node(coordinator).mark().map(|mark| mark.view);
        let before: Vec<_> = pids.iter().map(|pid| cluster.traffic(*pid)).collect();
        cluster.run_for(QUIET);
        let after = cluster.node(coordinator).mark().map(|mark| mark.view);
        if !cluster
            .node(coordinator)
            .decides(cluster.clock(coordinator))
            || view != after
        {
            return Err(format!("{members} members were not quiet"));
        }
        let seconds = QUIET.as_secs_f64();
        let (mut load, mut others) = (None, (0, 0));
        for (pid, before) in pids.iter().zip(&before) {
            let traffic = cluster.traffic(*pid).since(before);
            if *pid == coordinator {
                load = Some(traffic);
            } else if cluster.node(*pid).agreement(cluster.clock(*pid)).role == Role::NonVoting {
                others = (others.0 + 1, others.1 + traffic.datagrams_sent);
            }
        }
        let load = load.ok_or("the coordinator is one of all")?;
        Ok(Load {
            sent: load.datagrams_sent as f64 / seconds,
            received: load.datagrams_received as f64 / seconds,
            bytes: load.bytes_sent as f64 / seconds,
            others: others.1 as f64 / f64::from(others.0.max(1)) / seconds,
        })
    }
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bench {
    /// One run that sends so many datagrams.
    Datagrams,
    /// A minute in which nothing happens.
    Quiet,
    /// All join through one seed at one instant, then a quiet minute.
    Bootstrap,
}

/// What a run took.
struct Cost {
    name: &'static str,
    members: usize,
    wall: Duration,
    limit: Duration,
    datagrams: u64,
    peak_bytes: u64,
    limit_gib: Option<u64>,
}

const QUIET: Duration = Duration::from_secs(60);

impl Bench {
    const ALL: [Bench; 3] = [Bench::Datagrams, Bench::Quiet, Bench::Bootstrap];

    fn as_str(self) -> &'static str {
        match self {
            Bench::Datagrams => "run of 100,000 datagrams",
            Bench::Quiet => "quiet minute",
            Bench::Bootstrap => "bootstrap and quiet minute",
        }
    }

    fn run(self, members: usize, datagrams: u64) -> Cost {
        let mut cluster = Cluster::new(
            1,
            sim::Options {
                watch: false,
                ..sim::Options::default()
            },
        );
        let mut progress = Progress::new();
        if self == Bench::Quiet {
            let pids = cluster.grow(members, Launch::numbered);
            bootstrap(&mut cluster, &pids, &mut progress);
            settle(&mut cluster, &pids);
        }
        let earlier = sent(&cluster);
        let start = Instant::now();
        let (limit, limit_gib) = match self {
            Bench::Datagrams => {
                cluster.grow(members, Launch::numbered);
                while sent(&cluster) < datagrams {
                    cluster.run_for(Duration::from_millis(100));
                }
                (Duration::from_millis(500), None)
            }
            Bench::Quiet => {
                cluster.run_for(QUIET);
                (Duration::from_secs(2), None)
            }
            Bench::Bootstrap => {
                let pids = cluster.grow(members, Launch::numbered);
                bootstrap(&mut cluster, &pids, &mut progress);
                let end = cluster.now() + QUIET;
                while cluster.now() < end {
                    cluster.run_for(Duration::from_secs(1));
                    progress.show(&cluster, "quiet");
                }
                (Duration::from_secs(180), Some(12))
            }
        };
        let wall = start.elapsed();
        progress.end();
        Cost {
            name: self.as_str(),
            members,
            wall,
            limit,
            datagrams: sent(&cluster) - earlier,
            peak_bytes: peak_bytes(),
            limit_gib,
        }
    }
}

impl Cost {
    fn line(&self) -> String {
        let seconds = self.wall.as_secs_f64();
        let pairs = (self.members * self.members) as f64;
        let line = format!(
            "{:<27} {:>7} {seconds:>9.2} {:>7.1} {:>10} {:>10.0} {:>9.1}",
            self.name,
            self.members,
            self.limit.as_secs_f64(),
            self.datagrams,
            self.datagrams as f64 / seconds,
            self.peak_bytes as f64 / (1 << 20) as f64,
        );
        let Some(limit) = self.limit_gib else {
            return line;
        };
        let each = self.peak_bytes as f64 / pairs;
        format!("{line} {:>8} {each:>7.1}", limit << 10)
    }
}

/// Lets time pass until all know all.
fn join(cluster: &mut Cluster, pids: &[Pid], progress: &mut Progress) {
    while !cluster.agrees() {
        assert!(
            cluster.now().as_nanos() < 600_000_000_000,
            "{} members find each other",
            pids.len()
        );
        cluster.run_for(Duration::from_millis(100));
        progress.show(cluster, "joining");
    }
}

/// The same, and says when it was.
fn bootstrap(cluster: &mut Cluster, pids: &[Pid], progress: &mut Progress) {
    join(cluster, pids, progress);
    progress.agreed(cluster);
}

/// Lets time pass until nobody has news to pass on: until that no longer makes datagrams shorter.
fn settle(cluster: &mut Cluster, pids: &[Pid]) {
    let bytes = |cluster: &Cluster| -> u64 {
        pids.iter()
            .map(|pid| cluster.traffic(*pid).bytes_sent)
            .sum()
    };
    let mut last = u64::MAX;
    loop {
        let before = bytes(cluster);
        cluster.run_for(Duration::from_secs(5));
        let stretch = bytes(cluster) - before;
        if stretch >= last / 20 * 19 {
            return;
        }
        last = stretch;
    }
}

fn sent(cluster: &Cluster) -> u64 {
    let up = cluster.up();
    up.iter()
        .map(|pid| cluster.traffic(*pid).datagrams_sent)
        .sum()
}

/// The most memory that this process had at any time (Linux: VmHWM).
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

/// A line on the terminal, where there is one.
struct Progress {
    start: Instant,
    shown: Option<Instant>,
    terminal: bool,
}

impl Progress {
    fn new() -> Progress {
        Progress {
            start: Instant::now(),
            shown: None,
            terminal: std::io::stderr().is_terminal(),
        }
    }

    fn show(&mut self, cluster: &Cluster, doing: &str) {
        let recent = |shown: Instant| shown.elapsed() < Duration::from_millis(200);
        if !self.terminal || self.shown.is_some_and(recent) {
            return;
        }
        self.shown = Some(Instant::now());
        eprint!(
            "\r\x1b[K{doing}: {:.1} s of virtual time in {:.0} s",
            cluster.now().as_nanos() as f64 / 1e9,
            self.start.elapsed().as_secs_f64()
        );
        // A line that is not shown is not missed.
        let _ = std::io::stderr().flush();
    }

    fn agreed(&mut self, cluster: &Cluster) {
        self.end();
        let up = cluster.up();
        let bytes: u64 = up
            .iter()
            .map(|pid| cluster.traffic(*pid))
            .map(|traffic| traffic.bytes_sent + traffic.stream_bytes_sent)
            .sum();
        println!(
            "{} members know each other after {:.1} s of virtual time, {:.2} s of wall time; \
             {:.0} KiB sent by each",
            up.len(),
            cluster.now().as_nanos() as f64 / 1e9,
            self.start.elapsed().as_secs_f64(),
            bytes as f64 / 1024.0 / up.len() as f64,
        );
    }

    fn end(&mut self) {
        if self.shown.take().is_some() {
            eprint!("\r\x1b[K");
        }
    }
}
