//! How many runs fit into memory.

use std::fs;
use std::path::Path;

/// What each member takes for each other one that it knows, in bytes.
///
/// This and the next two are from the largest `VmHWM` in `/proc/PID/status` of
/// `muster simulate SCENARIO --seeds 1 --jobs 1 --members N`, with `quiet`, `bootstrap` and
/// `mass-crash` and N from 1000 to 3000: 98 bytes and 48,000 when it is quiet, a third more when a
/// third of all hosts is switched off.
const BYTES_PER_PAIR: u64 = 120;

/// What a member takes by itself, packets on their way included, in bytes.
const BYTES_PER_MEMBER: u64 = 80_000;

/// What it takes to remember for each other member what was told of it, in bytes.
const BYTES_PER_WATCHED_PAIR: u64 = 250;

/// In larger runs it is not remembered: it would take twice as much as all the rest.
const WATCHED: u64 = 1000;

/// What fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fitting {
    /// Runs at once; 0: not even one.
    pub(super) threads: usize,
    /// Most members of a single run.
    pub(super) largest: usize,
}

/// How many runs of so many members fit into free memory at once, a tenth of it left free.
pub(super) fn fitting(members: usize) -> Fitting {
    // Where the system does not tell, nothing is known to be too much.
    let free = free(Path::new("/")).unwrap_or(u64::MAX);
    fitting_into(free / 10 * 9, members)
}

/// Bytes of memory that are free, where the system tells.
pub(super) fn free_bytes() -> Option<u64> {
    free(Path::new("/"))
}

fn fitting_into(bytes: u64, members: usize) -> Fitting {
    let runs = bytes / run_bytes(members as u64).max(1);
    // Largest n of a n² + b n <= bytes, by bisection: it is exact, and free of rounding.
    let (mut fits, mut too_large) = (0_u64, 1_u64 << 32);
    while too_large - fits > 1 {
        let middle = fits + (too_large - fits) / 2;
        if run_bytes(middle) <= bytes {
            fits = middle;
        } else {
            too_large = middle;
        }
    }
    Fitting {
        threads: usize::try_from(runs).unwrap_or(usize::MAX),
        largest: usize::try_from(fits).unwrap_or(usize::MAX),
    }
}

/// Whether each node of a run is held against what it told.
pub(super) fn is_watched(members: usize) -> bool {
    members as u64 <= WATCHED
}

/// What a run takes at its largest, in bytes. Never less than what a smaller one takes.
fn run_bytes(members: u64) -> u64 {
    let pairs = members.saturating_mul(members);
    let tables = pairs.saturating_mul(BYTES_PER_PAIR);
    let watched = members.min(WATCHED).pow(2) * BYTES_PER_WATCHED_PAIR;
    let single = members.saturating_mul(BYTES_PER_MEMBER);
    tables.saturating_add(single).saturating_add(watched)
}

/// Bytes that this process may still take: what the machine has, or what the limits of its control
/// groups leave if that is less. `root` is `/` except in tests.
fn free(root: &Path) -> Option<u64> {
    let machine = fs::read_to_string(root.join("proc/meminfo")).ok();
    let machine = machine.and_then(|text| {
        let kibibytes = number_after(&text, "MemAvailable:")?;
        kibibytes.checked_mul(1024)
    });
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let groups = groups.lines().flat_map(|line| group_rooms(root, line));
    machine.into_iter().chain(groups).min()
}

/// What is left in a control group and in those around it. `line` is of `/proc/self/cgroup`:
/// `0::/path` (version 2) or `4:memory:/path` (version 1).
fn group_rooms(root: &Path, line: &str) -> Vec<u64> {
    let mut fields = line.splitn(3, ':').skip(1);
    let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else {
        return Vec::new();
    };
    let (mount, files) = if controllers.is_empty() {
        ("sys/fs/cgroup", VERSION_2)
    } else if controllers.split(',').any(|name| name == "memory") {
        ("sys/fs/cgroup/memory", VERSION_1)
    } else {
        return Vec::new();
    };
    let mount = root.join(mount);
    // In a container the path may be one of the host, of which only the mount itself is seen.
    let path = mount.join(path.trim_start_matches('/'));
    path.ancestors()
        .take_while(|folder| folder.starts_with(&mount))
        .filter_map(|folder| files.room(folder))
        .collect()
}

/// The names that a version of control groups has.
struct GroupFiles {
    limit: &'static str,
    used: &'static str,
    /// In `memory.stat`: memory of files that the system gives up first.
    reclaimable: &'static str,
}

const VERSION_1: GroupFiles = GroupFiles {
    limit: "memory.limit_in_bytes",
    used: "memory.usage_in_bytes",
    reclaimable: "total_inactive_file",
};

const VERSION_2: GroupFiles = GroupFiles {
    limit: "memory.max",
    used: "memory.current",
    reclaimable: "inactive_file",
};

impl GroupFiles {
    /// `None`: there is no limit.
    fn room(&self, folder: &Path) -> Option<u64> {
        let number = |name| {
            let text = fs::read_to_string(folder.join(name)).ok()?;
            text.trim().parse::<u64>().ok()
        };
        let limit = number(self.limit)?;
        let stat = fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
        let reclaimable = number_after(&stat, self.reclaimable).unwrap_or(0);
        let used = number(self.used).unwrap_or(0).saturating_sub(reclaimable);
        Some(limit.saturating_sub(used))
    }
}

/// The number that follows the word at the start of a line.
fn number_after(text: &str, word: &str) -> Option<u64> {
    let mut lines = text.lines().map(str::split_whitespace);
    lines.find_map(|mut words| (words.next() == Some(word)).then(|| words.next()?.parse().ok())?)
}

#[cfg(test)]
mod tests;
