//! Names of network namespaces and temporary folders, and the removal of those whose owner is gone.
//!
//! Each is called `muster-PID-START-WHAT`: the process that made it and when that started, so that
//! a recycled process id is not taken for the owner.

use std::env;
use std::fs;
use std::path::Path;
use std::process::{self, Command};

const PREFIX: &str = "muster";

/// A name that says that something belongs to this process.
pub(crate) fn owned(what: &str) -> String {
    let pid = process::id();
    let start = start_time(pid).expect("a running process has a start time");
    format!("{PREFIX}-{pid}-{start}-{what}")
}

/// Removes what runs that were killed have left: namespaces, the processes in them, and folders.
pub(crate) fn sweep() {
    for name in orphans(Path::new("/run/netns")) {
        remove(&name);
    }
    let folders = env::temp_dir();
    for name in orphans(&folders) {
        // Another run may be sweeping it too.
        let _ = fs::remove_dir_all(folders.join(name));
    }
}

fn orphans(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| is_orphan(name)).collect()
}

/// Ends what runs in a namespace and removes it; no error when it is gone already.
pub(crate) fn remove(name: &str) {
    let pids = Command::new("ip").args(["netns", "pids", name]).output();
    let pids = pids.map(|output| output.stdout).unwrap_or_default();
    for pid in String::from_utf8_lossy(&pids).split_whitespace() {
        if let Some(pid) = pid.parse().ok().and_then(rustix::process::Pid::from_raw) {
            // It may have ended since: that is what we want.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
    let _ = Command::new("ip").args(["netns", "del", name]).output();
    let _ = fs::remove_dir_all(format!("/etc/netns/{name}"));
}

fn is_orphan(name: &str) -> bool {
    let mut parts = name.splitn(4, '-');
    if parts.next() != Some(PREFIX) {
        return false;
    }
    let pid = parts.next().and_then(|pid| pid.parse().ok());
    let start = parts.next().and_then(|start| start.parse().ok());
    match (pid, start) {
        (Some(pid), Some(start)) => start_time(pid) != Some(start),
        _ => false,
    }
}

/// When a process started, in clock ticks since boot (proc(5): field 22 of `stat`).
fn start_time(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let after_name = stat.rsplit_once(')')?.1;
    after_name.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{is_orphan, owned};

    #[test]
    fn only_namespaces_of_dead_owners_are_orphans() {
        assert!(!is_orphan(&owned("n1")), "we live");
        assert!(
            is_orphan("muster-4194305-77-n1"),
            "no process id is that large"
        );
        assert!(
            is_orphan("muster-1-1-n1"),
            "process 1 did not start at tick 1"
        );
        assert!(!is_orphan("cni-4194305-77-n1"));
        assert!(!is_orphan("muster-web"));
    }
}
