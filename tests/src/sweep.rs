//! Names of network namespaces, and the removal of those whose owner is gone.
//!
//! A namespace is called `muster-PID-START-WHAT`: the process that made it and when that started, so that a
//! recycled process id is not taken for the owner.

use std::fs;
use std::process::{self, Command};

const PREFIX: &str = "muster";

/// The name of a namespace of this process.
pub(crate) fn namespace(what: &str) -> String {
    let pid = process::id();
    let start = start_time(pid).expect("a running process has a start time");
    format!("{PREFIX}-{pid}-{start}-{what}")
}

/// Removes what runs that were killed have left: their namespaces and the processes in them.
pub(crate) fn sweep() {
    let Ok(entries) = fs::read_dir("/run/netns") else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if is_orphan(&name) {
            remove(&name);
        }
    }
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
    use super::{is_orphan, namespace};

    #[test]
    fn only_namespaces_of_dead_owners_are_orphans() {
        assert!(!is_orphan(&namespace("n1")), "we live");
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
