//! The data directory: whether it is there, whose it is, and how fast its disk is.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use super::files::rights;
use super::finding::Finding;

/// Its lock is held by the agent that uses the directory (`agent/memory/store.rs`).
const LOCK: &str = "lock";

/// A store and its copies take less than this.
const LITTLE: u64 = 256 * 1024 * 1024;
const TOO_LITTLE: u64 = 16 * 1024 * 1024;

/// A vote waits for the disk; a coordinator's lease lasts 3 s.
const SLOW: Duration = Duration::from_millis(100);
const TOO_SLOW: Duration = Duration::from_secs(1);

/// Writes that are timed; the median counts.
const WRITES: usize = 5;

/// What the checks need to know of the agent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Agent {
    pub(super) votes: bool,
    pub(super) failed: bool,
}

/// The data directory of an agent that runs, or of one that would.
pub(super) fn look(dir: Option<&Path>, agent: Option<Agent>) -> Vec<Finding> {
    let Some(dir) = dir else {
        return vec![match agent {
            Some(Agent { votes: true, .. }) => Finding::warn(
                "data",
                "no data directory: when this voter restarts it has forgotten its votes and is \
                 replaced",
                "start it with --data-dir DIR, or with --non-voting",
            ),
            Some(Agent { votes: false, .. }) | None => Finding::ok("data", "no data directory"),
        }];
    };
    if agent.is_some_and(|agent| agent.failed) {
        let found = format!(
            "{}: saving failed, this member votes no more",
            dir.display()
        );
        let advice = "make room on the disk or repair it (see the agent's log), then restart it";
        return vec![Finding::fail("data", found, advice)];
    }
    let directory = directory(dir, agent.is_some());
    let is_there = dir.is_dir();
    let mut findings = vec![directory];
    if is_there {
        findings.extend([room(dir), speed(dir)].into_iter().flatten());
    }
    findings
}

fn directory(dir: &Path, is_used: bool) -> Finding {
    let shown = dir.display();
    let found = match fs::metadata(dir) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound && !is_used => {
            return Finding::ok("data", format!("{shown} is not there; the agent makes it"));
        }
        Err(error) => {
            let found = format!("{shown} cannot be looked at: {error}");
            let advice = "run this as root or as the agent's user, where the agent's disks are";
            return Finding::warn("data", found, advice);
        }
    };
    if !found.is_dir() {
        let advice = "name a directory with --data-dir";
        return Finding::fail("data", format!("{shown} is not a directory"), advice);
    }
    let text = format!("{shown}: {}", rights(&found));
    if found.mode() & 0o022 != 0 {
        let found = format!("{text}: others may write there, and with that forge votes");
        return Finding::fail("data", found, format!("chmod 0700 {shown}"));
    }
    let lock = dir.join(LOCK);
    let hidden = |error: io::Error| error.kind() == io::ErrorKind::PermissionDenied;
    if fs::metadata(&lock).is_err_and(hidden) {
        let found = format!("{text}; this user may not look into it");
        return Finding::warn("data", found, "run this as root or as the agent's user");
    }
    match (holder(&lock), is_used) {
        (Some(holder), false) => Finding::fail(
            "data",
            format!("{text}; {holder} uses it, and answers at no socket that was looked at"),
            "name the socket of that agent with --socket, or stop it before another one starts",
        ),
        (None, true) => Finding::warn(
            "data",
            format!("{text}; nobody holds its lock"),
            "if the agent runs in a container, run this there; else somebody has removed or \
             replaced the directory: restart the agent",
        ),
        (Some(holder), true) => Finding::ok("data", format!("{text}; used by {holder}")),
        (None, false) => Finding::ok("data", format!("{text}; free")),
    }
}

/// Who has a lock on a file, as proc_locks(5) tells it, without taking it.
fn holder(file: &Path) -> Option<String> {
    let inode = fs::metadata(file).ok()?.ino().to_string();
    let locks = fs::read_to_string("/proc/locks").ok()?;
    let pid = locks.lines().find_map(|line| pid_of(line, &inode))?;
    Some(format!("process {pid}"))
}

/// `1: FLOCK  ADVISORY  WRITE 4711 fd:01:5243 0 EOF`: the process, when it is of this inode.
fn pid_of<'a>(line: &'a str, inode: &str) -> Option<&'a str> {
    let mut words = line.split_whitespace().skip_while(|word| *word != "FLOCK");
    let (pid, of) = (words.nth(3)?, words.next()?);
    (of.rsplit(':').next()? == inode).then_some(pid)
}

fn room(dir: &Path) -> Option<Finding> {
    let found = rustix::fs::statvfs(dir).ok()?;
    let free = found.f_bavail.saturating_mul(found.f_frsize);
    let text = format!("{} MiB are free at {}", free / 1024 / 1024, dir.display());
    let advice = "make room: a voter that cannot save votes no more";
    Some(match free {
        TOO_LITTLE.. if free >= LITTLE => Finding::ok("disk", text),
        TOO_LITTLE.. => Finding::warn("disk", text, advice),
        _ => Finding::fail("disk", text, advice),
    })
}

/// How long it takes until something is on the disk; nothing when this process may not write.
fn speed(dir: &Path) -> Option<Finding> {
    let path = dir.join(format!("doctor.{}", std::process::id()));
    let mut options = OpenOptions::new();
    let opened = options.write(true).create_new(true).mode(0o600).open(&path);
    let timed = opened.and_then(|file| time(&file));
    // What was not made need not be removed.
    let _ = fs::remove_file(&path);
    let took = match timed {
        Ok(took) => took,
        Err(error) => {
            let found = format!(
                "{} cannot be written to by this user: {error}",
                dir.display()
            );
            let advice = "run this as the agent's user: if it fails then too, correct the rights or \
                          the disk";
            return Some(Finding::warn("fsync", found, advice));
        }
    };
    let micros = took.as_micros();
    let text = format!("a save takes {}.{:03} ms", micros / 1000, micros % 1000);
    let advice = "use a faster disk for --data-dir, or one that others use less: every decision \
                  waits for the disks of a majority of the voters";
    Some(match took {
        took if took >= TOO_SLOW => Finding::fail("fsync", text, advice),
        took if took >= SLOW => Finding::warn("fsync", text, advice),
        _ => Finding::ok("fsync", text),
    })
}

fn time(mut file: &File) -> io::Result<Duration> {
    let mut times = Vec::new();
    for _ in 0..WRITES {
        let began = Instant::now();
        file.write_all(&[0; 4096])?;
        file.sync_all()?;
        times.push(began.elapsed());
    }
    times.sort();
    Ok(times[WRITES / 2])
}

#[cfg(test)]
mod tests;
