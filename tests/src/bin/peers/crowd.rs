//! The members of one peer's cluster, each a process, and what they say.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use muster_tests::{Loopback, wait};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::peer::{Kind, Peer};

/// Something that a member said, stamped when it was read: some logs tell whole seconds only.
#[derive(Clone, Copy, Debug)]
struct Said {
    at: Instant,
    kind: Kind,
    about: usize,
    view: Option<u64>,
}

struct Member {
    number: usize,
    process: Child,
    said: Arc<Mutex<Vec<Said>>>,
}

/// Counters of the interface and the processes at one time.
pub(crate) struct Counters {
    at: Instant,
    packets: u64,
    bytes: u64,
    cpu_ns: u64,
}

/// What a member costs in a second: packets, bytes, milliseconds of processor time.
pub(crate) struct Cost {
    pub(crate) packets: f64,
    pub(crate) bytes: f64,
    pub(crate) cpu_ms: f64,
}

/// A cluster of one peer. Members are numbered from 1.
pub(crate) struct Crowd {
    members: Vec<Member>,
    pub(crate) network: Loopback,
    folder: TempDir,
    started: Instant,
}

impl Crowd {
    /// Starts all members at once.
    pub(crate) fn start(peer: Peer, size: usize) -> Crowd {
        let network = Loopback::new(size);
        let folder = network.folder();
        let started = Instant::now();
        let members = (1..=size).map(|number| {
            let mut command = peer.command(&network, number, size, folder.path());
            let piped = command.stdin(Stdio::null()).stdout(Stdio::piped());
            let complaints = File::create(complaints(folder.path(), number));
            let mut process = piped
                .stderr(complaints.expect("the run's folder can be written"))
                .spawn()
                .expect("`ip` of iproute2 is installed");
            let said = Arc::new(Mutex::new(Vec::new()));
            let (output, heard) = (process.stdout.take(), Arc::clone(&said));
            let output = BufReader::new(output.expect("standard output is a pipe"));
            thread::spawn(move || {
                // Whatever the bytes are: a reader that gives up would end the member.
                for line in output.split(b'\n').map_while(Result::ok) {
                    let (at, line) = (Instant::now(), String::from_utf8_lossy(&line));
                    let Some((kinds, about, view)) = peer.read(&line) else {
                        continue;
                    };
                    let all = kinds.iter().map(|&kind| Said {
                        at,
                        kind,
                        about,
                        view,
                    });
                    lock(&heard).extend(all);
                }
            });
            Member {
                number,
                process,
                said,
            }
        });
        Crowd {
            members: members.collect(),
            network,
            folder,
            started,
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn process_id(&self, number: usize) -> u32 {
        self.members[number - 1].process.id()
    }

    /// Seconds from the start until each has said this of every other one; infinite when some have
    /// not within the patience.
    pub(crate) fn all_said(&self, kind: Kind, patience: Duration) -> f64 {
        let everybody: Vec<usize> = (1..=self.members.len()).collect();
        self.last_said(self.started, kind, &everybody, patience)
    }

    /// Seconds since `start` until the last of the members that run has said this of each of
    /// `about`.
    pub(crate) fn others_said(
        &self,
        start: Instant,
        kind: Kind,
        about: &[usize],
        patience: Duration,
    ) -> f64 {
        self.last_said(start, kind, about, patience)
    }

    fn last_said(&self, start: Instant, kind: Kind, about: &[usize], patience: Duration) -> f64 {
        let all = about.len() == self.members.len();
        let mut last = f64::INFINITY;
        let left = patience.saturating_sub(start.elapsed());
        let waited = wait::until(left, || {
            let mut latest = start;
            for member in &self.members {
                if !all && about.contains(&member.number) {
                    continue;
                }
                let said = lock(&member.said);
                for &other in about.iter().filter(|&&other| other != member.number) {
                    let first = said.iter().find(|said| {
                        said.at >= start && said.about == other && tells(said.kind, kind)
                    });
                    let first = first.ok_or_else(|| {
                        format!("n{} has not said {kind:?} of n{other}", member.number)
                    })?;
                    latest = latest.max(first.at);
                }
            }
            last = (latest - start).as_secs_f64();
            Ok(())
        });
        if let Err(why) = waited {
            eprintln!("  {why}, and perhaps others");
        }
        last
    }

    /// How often members outside `excluded` have said this since `start` of members that `about`
    /// picks.
    pub(crate) fn count(
        &self,
        start: Instant,
        kind: Kind,
        excluded: &[usize],
        about: impl Fn(usize) -> bool,
    ) -> usize {
        let speakers = self
            .members
            .iter()
            .filter(|member| !excluded.contains(&member.number));
        speakers
            .map(|member| {
                let said = lock(&member.said);
                said.iter()
                    .filter(|said| said.at >= start && said.kind == kind && about(said.about))
                    .count()
            })
            .sum()
    }

    /// How many members outside `excluded` lack a verdict of some view, since `start`, that another
    /// of them told.
    pub(crate) fn lacking(&self, start: Instant, excluded: &[usize]) -> usize {
        // The last of them may be on its way.
        let end = Instant::now() - Duration::from_secs(1);
        let verdicts = |member: &Member| -> BTreeSet<(u64, usize, bool)> {
            let said = lock(&member.said);
            let told = said.iter().filter(|said| start <= said.at && said.at < end);
            let verdict = |said: &Said| match said.kind {
                Kind::Agreed => Some((said.view?, said.about, true)),
                Kind::Dead => Some((said.view?, said.about, false)),
                Kind::Known | Kind::Hint => None,
            };
            told.filter_map(verdict).collect()
        };
        let members = self.members.iter();
        let told: Vec<_> = members
            .filter(|member| !excluded.contains(&member.number))
            .map(verdicts)
            .collect();
        let all: BTreeSet<_> = told.iter().flatten().collect();
        told.iter().filter(|told| told.len() < all.len()).count()
    }

    /// Sends a signal to these members.
    pub(crate) fn signal(&self, numbers: &[usize], signal: Signal) {
        for &number in numbers {
            let pid = i32::try_from(self.process_id(number)).ok();
            let pid = pid.and_then(Pid::from_raw).expect("a process id");
            kill_process(pid, signal).expect("a child that was not waited for can be signalled");
        }
    }

    /// The members that have ended by themselves, with the last that each complained of.
    pub(crate) fn ended(&mut self) -> Vec<String> {
        let folder = self.folder.path();
        let ended = |member: &mut Member| {
            member
                .process
                .try_wait()
                .is_ok_and(|status| status.is_some())
        };
        let gone = self.members.iter_mut().filter_map(|member| {
            let number = member.number;
            ended(member).then(|| {
                let text = fs::read_to_string(complaints(folder, number)).unwrap_or_default();
                format!(
                    "n{number} has ended: {}",
                    text.lines().last().unwrap_or("silently")
                )
            })
        });
        gone.collect()
    }

    pub(crate) fn counters(&self) -> Counters {
        let text = self.proc(1, "net/dev");
        let line = text
            .lines()
            .find_map(|line| line.trim().strip_prefix("lo:"));
        let words = line.unwrap_or_default().split_whitespace();
        let numbers: Vec<u64> = words.filter_map(|word| word.parse().ok()).collect();
        Counters {
            at: Instant::now(),
            bytes: numbers.first().copied().unwrap_or(0),
            packets: numbers.get(1).copied().unwrap_or(0),
            cpu_ns: self.members.iter().map(|member| self.cpu_ns(member)).sum(),
        }
    }

    /// What a member cost in each second since then.
    pub(crate) fn cost_since(&self, before: &Counters) -> Cost {
        let after = self.counters();
        let seconds = (after.at - before.at).as_secs_f64();
        let rate = |count: u64| count as f64 / seconds / self.members.len() as f64;
        Cost {
            packets: rate(after.packets - before.packets),
            bytes: rate(after.bytes - before.bytes),
            cpu_ms: rate(after.cpu_ns.saturating_sub(before.cpu_ns)) / 1e6,
        }
    }

    /// Resident and proportional memory of a member in MB, in the mean.
    pub(crate) fn memory(&self) -> (f64, f64) {
        let sum = |field: &str| -> f64 {
            let each = self.members.iter().map(|member| {
                let text = self.proc(member.number, "smaps_rollup");
                let line = text.lines().find_map(|line| line.strip_prefix(field));
                let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
                kib.unwrap_or(0.0)
            });
            each.sum::<f64>() * 1024.0 / 1e6 / self.members.len() as f64
        };
        (sum("Rss:"), sum("Pss:"))
    }

    /// Processor time of a member's threads. Its `stat` counts hundredths of a second, of which a
    /// quiet member begins none for many seconds.
    fn cpu_ns(&self, member: &Member) -> u64 {
        let folder = format!("/proc/{}/task", self.process_id(member.number));
        let tasks = fs::read_dir(folder).into_iter().flatten().flatten();
        let time = |task: fs::DirEntry| {
            let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
            text.split_whitespace().next()?.parse::<u64>().ok()
        };
        tasks.filter_map(time).sum()
    }

    fn proc(&self, number: usize, file: &str) -> String {
        let path = format!("/proc/{}/{file}", self.process_id(number));
        fs::read_to_string(path).unwrap_or_default()
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        for member in &mut self.members {
            // It may have ended by itself.
            let _ = member.process.kill();
        }
        for member in &mut self.members {
            let _ = member.process.wait();
        }
    }
}

/// Where a member's standard error goes.
fn complaints(folder: &Path, number: usize) -> PathBuf {
    folder.join(format!("n{number}.err"))
}

/// Whether what was said answers the question: a verdict that comes first is a hint too.
fn tells(said: Kind, asked: Kind) -> bool {
    said == asked || (asked == Kind::Hint && said == Kind::Dead)
}

fn lock(said: &Mutex<Vec<Said>>) -> std::sync::MutexGuard<'_, Vec<Said>> {
    said.lock().unwrap_or_else(PoisonError::into_inner)
}
