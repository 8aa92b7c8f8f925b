use tempfile::TempDir;

use super::*;

/// A system of files with these contents.
fn system(files: &[(&str, &str)]) -> TempDir {
    let root = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        let path = root.path().join(name);
        fs::create_dir_all(path.parent().expect("below the root")).expect("made");
        fs::write(path, text).expect("written");
    }
    root
}

fn free_in(files: &[(&str, &str)]) -> Option<u64> {
    free(system(files).path())
}

const MEMINFO: (&str, &str) = (
    "proc/meminfo",
    "MemTotal:       24000 kB\nMemFree:          100 kB\nMemAvailable:    8000 kB\n",
);

#[test]
fn what_the_machine_has_available_counts() {
    assert_eq!(free_in(&[MEMINFO]), Some(8_192_000));
    assert_eq!(free_in(&[]), None);
    assert_eq!(free_in(&[("proc/meminfo", "MemAvailable: many kB")]), None);
}

#[test]
fn limits_of_control_groups_count_when_they_leave_less() {
    let groups = ("proc/self/cgroup", "0::/system/muster\n");
    let own = [
        ("sys/fs/cgroup/system/muster/memory.max", "5000000\n"),
        ("sys/fs/cgroup/system/muster/memory.current", "3000000\n"),
        (
            "sys/fs/cgroup/system/muster/memory.stat",
            "anon 1\ninactive_file 500000\n",
        ),
    ];
    assert_eq!(free_in(&[MEMINFO, groups, own[0], own[1]]), Some(2_000_000));
    // Cached files are given up when memory is needed.
    let cached = [MEMINFO, groups, own[0], own[1], own[2]];
    assert_eq!(free_in(&cached), Some(2_500_000));
    let above = ("sys/fs/cgroup/system/memory.max", "700000");
    assert_eq!(free_in(&[&cached[..], &[above]].concat()), Some(700_000));
    let unlimited = ("sys/fs/cgroup/system/muster/memory.max", "max\n");
    assert_eq!(
        free_in(&[MEMINFO, groups, unlimited, own[1]]),
        Some(8_192_000)
    );
    let overdrawn = ("sys/fs/cgroup/system/muster/memory.max", "1000");
    assert_eq!(free_in(&[MEMINFO, groups, overdrawn, own[1]]), Some(0));
}

#[test]
fn in_a_container_the_root_of_the_groups_counts() {
    let groups = ("proc/self/cgroup", "0::/../../of/the/host\n");
    let limit = ("sys/fs/cgroup/memory.max", "1000000");
    assert_eq!(free_in(&[MEMINFO, groups, limit]), Some(1_000_000));
}

#[test]
fn the_first_version_of_control_groups_counts_too() {
    let groups = (
        "proc/self/cgroup",
        "12:cpu,cpuacct:/a\n5:memory:/docker/x\n0::/\nnonsense\n",
    );
    let own = [
        (
            "sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes",
            "4000000",
        ),
        (
            "sys/fs/cgroup/memory/docker/x/memory.usage_in_bytes",
            "1000000",
        ),
        (
            "sys/fs/cgroup/memory/docker/x/memory.stat",
            "total_inactive_file 200000",
        ),
        (
            "sys/fs/cgroup/memory/memory.limit_in_bytes",
            "9223372036854771712",
        ),
    ];
    let files = [&[MEMINFO, groups], &own[..]].concat();
    assert_eq!(free_in(&files), Some(3_200_000));
}

#[test]
fn as_many_runs_fit_as_memory_allows_and_the_largest_is_exact() {
    for members in [1, 50, 1000, 10_000] {
        let one = run_bytes(members);
        let fitting = |bytes| fitting_into(bytes, members as usize);
        assert_eq!(fitting(one).threads, 1);
        assert_eq!(fitting(one).largest, members as usize);
        assert_eq!(fitting(one - 1).threads, 0);
        assert_eq!(fitting(one - 1).largest, members as usize - 1);
        assert_eq!(fitting(7 * one + 1).threads, 7);
    }
}

#[test]
fn a_larger_run_never_takes_less() {
    assert!(is_watched(1000) && !is_watched(1001));
    assert!(run_bytes(1001) > run_bytes(1000));
    let gibibytes = run_bytes(10_000) as f64 / f64::from(1 << 30);
    assert!(gibibytes < 12.5, "10,000 members take {gibibytes:.1} GiB");
}

#[test]
fn the_extremes_do_not_overflow() {
    assert_eq!(fitting_into(0, 5).threads, 0);
    assert_eq!(fitting_into(0, 5).largest, 0);
    assert_eq!(fitting_into(u64::MAX / 2, usize::MAX).threads, 0);
    assert!(fitting_into(u64::MAX, 0).threads > 1000);
    assert!(fitting(1).threads > 0, "this machine holds one member");
}
