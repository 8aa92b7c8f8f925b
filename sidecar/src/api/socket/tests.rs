use std::os::unix::net::{UnixDatagram, UnixStream};
use std::sync::Barrier;

use tempfile::TempDir;

use super::*;

fn folder() -> (TempDir, PathBuf) {
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().join("s.sock");
    (folder, path)
}

fn bind_default(path: &Path) -> Result<Listener, SocketError> {
    bind(path, &Access::default())
}

#[test]
fn the_file_has_its_mode_and_goes_with_the_listener() {
    let (_folder, path) = folder();
    for mode in [0o660, 0o600, 0o666] {
        let listener = bind(
            &path,
            &Access {
                mode,
                ..Access::default()
            },
        )
        .expect("free");
        let metadata = fs::symlink_metadata(&path).expect("made");
        assert_eq!(metadata.mode() & 0o777, mode);
        UnixStream::connect(&path).expect("it listens");
        drop(listener);
        assert!(!path.exists());
    }
}

#[test]
fn the_group_is_set() {
    let (_folder, path) = folder();
    let own = rustix::process::getegid().as_raw();
    let access = Access {
        group: Some(own.to_string()),
        ..Access::default()
    };
    let _listener = bind(&path, &access).expect("free");
    assert_eq!(fs::symlink_metadata(&path).expect("made").gid(), own);
    let access = Access {
        group: Some("no such group".to_owned()),
        ..Access::default()
    };
    let error = bind(&path, &access).expect_err("unknown").to_string();
    assert!(error.contains("no such group"), "{error}");
}

#[test]
fn a_stale_file_is_replaced() {
    let (_folder, path) = folder();
    drop(std::os::unix::net::UnixListener::bind(&path).expect("free"));
    assert!(path.exists(), "nobody removed it");
    let _listener = bind_default(&path).expect("stale");
    UnixStream::connect(&path).expect("it listens");
}

#[test]
fn one_in_use_names_its_holder() {
    let (_folder, path) = folder();
    let _listener = bind_default(&path).expect("free");
    let error = bind_default(&path).expect_err("in use").to_string();
    let comm = fs::read_to_string("/proc/self/comm").expect("a name");
    let holder = format!(
        "in use by process {} ({})",
        std::process::id(),
        comm.trim_end()
    );
    assert!(error.contains(&holder), "{error}");
    UnixStream::connect(&path).expect("it still listens");
}

#[test]
fn one_that_is_too_busy_to_accept_is_in_use() {
    let (_folder, path) = folder();
    let socket = unbound().expect("a socket");
    net::bind(&socket, &SocketAddrUnix::new(&path).expect("short")).expect("free");
    net::listen(&socket, 0).expect("it listens");
    let _waiting = UnixStream::connect(&path).expect("one place");
    let error = bind_default(&path).expect_err("in use");
    assert!(matches!(error, SocketError::InUse { .. }), "{error}");
    let (_folder, path) = folder();
    let _datagrams = UnixDatagram::bind(&path).expect("free");
    let error = bind_default(&path).expect_err("in use");
    assert!(matches!(error, SocketError::InUse { .. }), "{error}");
}

#[test]
fn what_is_no_socket_is_left_alone() {
    let (folder, path) = folder();
    fs::write(&path, "precious").expect("written");
    let error = bind_default(&path).expect_err("a file").to_string();
    assert!(error.contains("is a file, not a socket"), "{error}");
    assert_eq!(fs::read_to_string(&path).expect("still there"), "precious");
    let error = bind_default(folder.path())
        .expect_err("a folder")
        .to_string();
    assert!(error.contains("is a folder"), "{error}");
    let link = folder.path().join("link.sock");
    std::os::unix::fs::symlink(folder.path().join("elsewhere"), &link).expect("a link");
    let error = bind_default(&link).expect_err("a link").to_string();
    assert!(error.contains("symbolic link"), "{error}");
}

#[test]
fn paths_have_a_length_and_a_folder() {
    let (folder, _) = folder();
    let room = PATH_BYTES - folder.path().as_os_str().len() - 1;
    drop(bind_default(&folder.path().join("x".repeat(room))).expect("just fits"));
    let error = bind_default(&folder.path().join("x".repeat(room + 1))).expect_err("too long");
    assert!(
        error.to_string().contains("has 108 bytes, at most 107"),
        "{error}"
    );
    let error = bind_default(&folder.path().join("no/s.sock"))
        .expect_err("no folder")
        .to_string();
    assert!(
        error.contains("No such file") && error.contains("--socket"),
        "{error}"
    );
}

#[test]
fn the_file_of_a_successor_stays() {
    let (_folder, path) = folder();
    let listener = bind_default(&path).expect("free");
    fs::remove_file(&path).expect("an operator cleans up");
    let successor = bind_default(&path).expect("free");
    drop(listener);
    UnixStream::connect(&path).expect("the successor listens");
    drop(successor);
    assert!(!path.exists());
}

#[test]
fn of_many_starters_exactly_one_wins() {
    for _ in 0..20 {
        let (_folder, path) = folder();
        drop(std::os::unix::net::UnixListener::bind(&path).expect("a stale one to fight for"));
        let barrier = Barrier::new(8);
        let results: Vec<Result<Listener, SocketError>> = thread::scope(|scope| {
            let start = || {
                barrier.wait();
                bind_default(&path)
            };
            let starters: Vec<_> = (0..8).map(|_| scope.spawn(start)).collect();
            starters
                .into_iter()
                .map(|starter| starter.join().expect("no panic"))
                .collect()
        });
        let (won, lost): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
        assert_eq!(won.len(), 1);
        for error in lost.into_iter().filter_map(Result::err) {
            assert!(matches!(error, SocketError::InUse { .. }), "{error}");
        }
        UnixStream::connect(&path).expect("the winner listens");
    }
}

#[test]
fn a_lock_that_is_not_released_is_named() {
    let (folder, path) = folder();
    let lock = File::open(folder.path()).expect("a folder");
    flock(&lock, FlockOperation::LockExclusive).expect("free");
    let error = bind_default(&path).expect_err("locked").to_string();
    assert!(error.contains("fuser"), "{error}");
    drop(lock);
    bind_default(&path).expect("free again");
}
