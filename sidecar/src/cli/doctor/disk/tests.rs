use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use tempfile::TempDir;

use super::{Agent, look, pid_of};
use crate::cli::doctor::finding::{Finding, Grade};

const VOTER: Agent = Agent {
    votes: true,
    failed: false,
};

fn directory() -> TempDir {
    let folder = TempDir::new().expect("a folder");
    set_mode(folder.path(), 0o700);
    folder
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("it is ours");
}

fn grades(findings: &[Finding]) -> Vec<(&str, Grade)> {
    let each = findings.iter();
    each.map(|finding| (finding.check, finding.grade)).collect()
}

#[test]
fn a_voter_without_a_memory_is_doubtful_and_one_whose_memory_failed_fails() {
    assert_eq!(grades(&look(None, Some(VOTER))), [("data", Grade::Warn)]);
    let guest = Agent {
        votes: false,
        ..VOTER
    };
    assert_eq!(grades(&look(None, Some(guest))), [("data", Grade::Ok)]);
    assert_eq!(grades(&look(None, None)), [("data", Grade::Ok)]);
    let failed = Agent {
        failed: true,
        ..VOTER
    };
    let folder = directory();
    assert_eq!(
        grades(&look(Some(folder.path()), Some(failed))),
        [("data", Grade::Fail)]
    );
}

#[test]
fn a_directory_has_one_user_and_is_closed_to_others() {
    let folder = directory();
    let dir = Some(folder.path());
    let first = |agent| look(dir, agent).swap_remove(0).grade;
    assert_eq!(first(None), Grade::Ok, "free for an agent that starts");
    assert_eq!(
        first(Some(VOTER)),
        Grade::Warn,
        "the agent does not hold it"
    );
    let lock = File::create(folder.path().join("lock")).expect("it is ours");
    flock(&lock, FlockOperation::LockExclusive).expect("nobody else has it");
    assert_eq!(first(Some(VOTER)), Grade::Ok);
    assert_eq!(
        first(None),
        Grade::Fail,
        "somebody uses it who does not answer"
    );
    for mode in [0o720, 0o702, 0o777] {
        set_mode(folder.path(), mode);
        assert_eq!(first(Some(VOTER)), Grade::Fail, "{mode:o}");
    }
}

#[test]
fn its_disk_is_tried_and_nothing_stays_there() {
    let folder = directory();
    let found = look(Some(folder.path()), None);
    let checks: Vec<&str> = found.iter().map(|finding| finding.check).collect();
    assert_eq!(checks, ["data", "disk", "fsync"], "{found:?}");
    assert!(found[2].found.contains("a save takes"), "{found:?}");
    assert_eq!(fs::read_dir(folder.path()).expect("it is there").count(), 0);
}

#[test]
fn what_is_no_directory_fails_and_what_is_not_there_is_made_by_the_agent() {
    let folder = directory();
    let file = folder.path().join("file");
    let absent = Some(file.as_path());
    assert_eq!(grades(&look(absent, None)), [("data", Grade::Ok)]);
    assert_eq!(grades(&look(absent, Some(VOTER))), [("data", Grade::Warn)]);
    fs::write(&file, "").expect("it is ours");
    assert_eq!(grades(&look(absent, None)), [("data", Grade::Fail)]);
}

#[test]
fn the_holder_of_a_lock_is_read_from_the_list_of_the_kernel() {
    let line = "1: FLOCK  ADVISORY  WRITE 4711 fd:01:5243 0 EOF";
    assert_eq!(pid_of(line, "5243"), Some("4711"));
    assert_eq!(pid_of(line, "43"), None);
    assert_eq!(
        pid_of("1: -> FLOCK  ADVISORY  WRITE 7 fd:01:5243 0 EOF", "5243"),
        Some("7")
    );
    assert_eq!(
        pid_of("2: POSIX  ADVISORY  WRITE 7 fd:01:5243 0 EOF", "5243"),
        None
    );
    assert_eq!(pid_of("", "5243"), None);
}
