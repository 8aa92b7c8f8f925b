use std::os::unix::net::UnixListener;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::fs::{CWD, FileType as Kind, Mode, mknodat};
use rustix::process::getgroups;

use super::*;

/// Far longer than any read of a file takes.
const LONG: Duration = Duration::from_secs(20);

fn refused(path: &Path) -> String {
    let (sender, answers) = mpsc::channel();
    let named = path.to_owned();
    thread::spawn(move || sender.send(contents(&named).map(drop)));
    let answer = answers.recv_timeout(LONG).expect("nobody waits for it");
    let error = answer.expect_err("it is no file");
    error
        .to_string()
        .replace(&path.display().to_string(), "PATH")
}

#[test]
fn what_is_no_file_is_told_as_what_it_is_and_nobody_waits_for_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let rights = Mode::RUSR | Mode::WUSR;
    mknodat(CWD, path("pipe"), Kind::Fifo, rights, 0).expect("a pipe");
    let _socket = UnixListener::bind(path("socket")).expect("a socket");
    for (path, what) in [
        (path("pipe"), "PATH is a named pipe"),
        (path("socket"), "PATH is a socket"),
        (folder.path().into(), "PATH is a directory"),
        ("/dev/zero".into(), "PATH is a device"),
    ] {
        let said = refused(&path);
        assert!(
            said.contains(what) && said.contains("name a regular file"),
            "{said}"
        );
    }
    let long = path("long");
    fs::write(&long, "#".repeat(FILE_BYTES + 1)).expect("it is ours");
    fs::set_permissions(&long, fs::Permissions::from_mode(0o600)).expect("it is ours");
    assert!(refused(&long).contains("more than 16 KiB"));
}

#[test]
fn a_file_that_becomes_a_pipe_before_it_is_opened_is_not_waited_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("pipe");
    mknodat(CWD, &path, Kind::Fifo, Mode::RUSR, 0).expect("a pipe");
    let (sender, answers) = mpsc::channel();
    thread::spawn(move || sender.send(open(&path)));
    let opened = answers.recv_timeout(LONG).expect("nobody waits for it");
    let meta = opened.and_then(|file| file.metadata());
    assert!(!meta.expect("it is there").is_file());
}

#[test]
fn a_file_that_is_replaced_keeps_its_mode_and_its_group() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("keys");
    replace(&path, "one").expect("the folder is ours");
    let mode = |path: &Path| fs::metadata(path).expect("it is there").mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    let group = getgroups().expect("groups").into_iter().last();
    let group = group.map_or(fs::metadata(&path).expect("it is there").gid(), |group| {
        group.as_raw()
    });
    let file = File::open(&path).expect("it is ours");
    fchown(&file, None, Some(group)).expect("a group of this process");
    for (before, after) in [(0o640, 0o640), (0o400, 0o400), (0o666, 0o640)] {
        fs::set_permissions(&path, fs::Permissions::from_mode(before)).expect("it is ours");
        replace(&path, "two").expect("the folder is ours");
        let found = fs::metadata(&path).expect("it is there");
        assert_eq!((mode(&path), found.gid()), (after, group));
    }
}

#[test]
fn what_was_left_behind_is_removed_and_what_is_being_written_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let left = folder.path().join(".muster-keys-left");
    fs::write(&left, "a key").expect("it is ours");
    let written = unfinished(folder.path()).expect("the folder is ours");
    clear_up(&folder.path().join("keys"));
    assert!(!left.exists() && written.path().exists());
}
