//! What a running agent must not allocate. One test only: the counters are those of the process.

use std::alloc::System;
use std::io::{Read, Write};
use std::net::UdpSocket;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use clap::{Args as _, FromArgMatches as _};
use muster_sidecar::agent;
use muster_sidecar::settings::{Flags, Settings};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static COUNTING: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Nothing here takes nearly so long, also on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// Long enough for each member to ping each other one, several times.
const QUIET: Duration = Duration::from_secs(5);

/// Another member, in a process of its own.
struct Peer(Child);

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start_peer(name: &str, places: &[&str], folder: &Path) -> Peer {
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
    command.args(["agent", "--preset", "local", "--name", name]);
    command.arg("--key-file").arg(folder.join("keys"));
    command.args(places).arg("--socket").arg(folder.join(name));
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
    Peer(child.expect("the built program can be run"))
}

fn make_key(file: &Path) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
    let status = command.args(["keys", "generate"]).arg(file).status();
    assert!(status.is_ok_and(|status| status.success()), "a key is made");
}

/// The counts of members by state, as the agent shows them.
fn shown(socket: &Path) -> Option<String> {
    let mut stream = UnixStream::connect(socket).ok()?;
    let request = b"GET /v1/status HTTP/1.1\r\nhost: m\r\nconnection: close\r\n\r\n";
    stream.write_all(request).ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let body = text.lines().last()?;
    let status: serde_json::Value = serde_json::from_str(body).ok()?;
    Some(status["members"].to_string())
}

fn run_agent(arguments: Vec<String>) {
    let command = Flags::augment_args(clap::Command::new("agent").no_binary_name(true));
    let matches = command.try_get_matches_from(arguments);
    let flags = Flags::from_arg_matches(&matches.expect("flags that clap knows"));
    let settings = Settings::load_with(flags.expect("taken as they are"), |_| None);
    thread::spawn(|| agent::run(settings.expect("allowed")));
}

/// From the receiving of a datagram to the sending of its answer, with all timers: the time of the
/// allocator must not grow with what is quiet, and neither may the heap.
#[test]
fn a_quiet_member_allocates_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let free = UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
    let addr = free.expect("a free port").to_string();
    let socket = folder.path().join("own");
    let path = socket.display().to_string();
    let keys = folder.path().join("keys");
    make_key(&keys);
    // A vote is a letter now and then, which is written anew.
    let own = ["--preset", "local", "--name", "own", "--non-voting"];
    let own = own.map(str::to_owned).into_iter();
    let own = own.chain(["--key-file".to_owned(), keys.display().to_string()]);
    let places = ["--bind", "127.0.0.1:0", "--join", &addr, "--socket", &path].map(str::to_owned);
    run_agent(own.chain(places).collect());
    let others = ["--bind", "127.0.0.1:0", "--join", &addr];
    let _peers = [
        ("a", &["--bind", &addr][..]),
        ("b", &others),
        ("c", &others),
    ]
    .map(|(name, places)| start_peer(name, places, folder.path()));
    let start = Instant::now();
    let all_alive = |shown: &str| shown.starts_with(r#"{"alive":4,"#);
    loop {
        let before = shown(&socket);
        // The request itself is over, also for the agent, when the first pings come.
        thread::sleep(QUIET / 10);
        let region = Region::new(COUNTING);
        thread::sleep(QUIET);
        let change = region.change();
        let count = change.allocations + change.reallocations;
        let is_whole = before.as_deref().is_some_and(all_alive) && shown(&socket) == before;
        if count == 0 && is_whole {
            return;
        }
        let state = format!("{count} allocations in {QUIET:?}, members {before:?}");
        assert!(start.elapsed() < DEADLINE, "{state}");
        eprintln!("{state}");
    }
}
