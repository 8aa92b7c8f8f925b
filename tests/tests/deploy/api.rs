//! Schemathesis holds a running agent against the description of its API.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use muster_tests::muster_binary;

use crate::agent::Agent;
use crate::{python, root, succeed};

/// Streams without an end, and what ends the agent: the tests of the crate hold these against the
/// description.
const LEFT_OUT: [&str; 3] = ["events", "attach_app", "leave"];

/// Cases for each operation and phase: `MUSTER_FUZZ` for more than the short form.
fn cases() -> String {
    std::env::var("MUSTER_FUZZ").unwrap_or_else(|_| "25".to_owned())
}

/// What the cases are drawn from: `MUSTER_FUZZ_SEED` for others than usual.
fn seed() -> String {
    std::env::var("MUSTER_FUZZ_SEED").unwrap_or_else(|_| "1".to_owned())
}

fn schemathesis(url: &str) -> Command {
    let mut command = python("schemathesis");
    let settings = root().join("tests/tests/deploy/schemathesis.toml");
    command.arg("--config-file").arg(settings).arg("run");
    command.arg(root().join("sidecar/src/api/openapi.json"));
    command.args(["--url", url, "--seed", &seed()]);
    command.args(["--max-examples", &cases()]);
    command.args(["--checks", "all", "--exclude-checks", "ignored_auth"]);
    for operation in LEFT_OUT {
        command.args(["--exclude-operation-id", operation]);
    }
    command.args(["--request-timeout", "10", "--warnings", "off", "--no-color"]);
    command
}

/// How many cases it says that it tried.
fn tried(report: &str) -> u32 {
    let line = report.lines().find(|line| line.contains(" generated, "));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.unwrap_or_else(|| panic!("no number of cases in\n{report}"))
}

/// Somebody who speaks only TCP reaches the socket through this, as long as the test runs.
fn bridge(socket: PathBuf) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let addr = listener.local_addr().expect("it is bound");
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            // Whoever finds no agent sees a closed connection.
            let _ = join(stream, &socket);
        }
    });
    addr
}

fn join(outer: TcpStream, socket: &Path) -> io::Result<()> {
    let inner = UnixStream::connect(socket)?;
    let (mut from_outer, mut to_inner) = (outer.try_clone()?, inner.try_clone()?);
    thread::spawn(move || {
        let _ = io::copy(&mut from_outer, &mut to_inner);
        let _ = to_inner.shutdown(Shutdown::Write);
    });
    let (mut from_inner, mut to_outer) = (inner, outer);
    thread::spawn(move || {
        let _ = io::copy(&mut from_inner, &mut to_outer);
        let _ = to_outer.shutdown(Shutdown::Both);
    });
    Ok(())
}

#[test]
fn the_socket_answers_as_described_whatever_it_is_asked() {
    let folder = tempfile::tempdir().expect("the temporary folder can be written");
    let keys = folder.path().join("keys");
    let mut generate = Command::new(muster_binary());
    succeed(generate.args(["keys", "generate"]).arg(&keys));
    let agent = Agent::start_with(|command| {
        command.arg("--key-file").arg(&keys);
    });
    let addr = bridge(agent.socket());
    let mut command = schemathesis(&format!("http://{addr}"));
    let report = succeed(command.current_dir(agent.folder.path()));
    assert!(tried(&report) > 500, "{report}");
    println!("{} cases on the socket", tried(&report));
    succeed(&mut agent.command(&["status"]));
}

#[test]
fn the_tcp_address_answers_as_described_whatever_it_is_asked() {
    let agent = Agent::start();
    let mut command = schemathesis(&format!("http://{}", agent.http));
    let report = succeed(command.current_dir(agent.folder.path()));
    assert!(tried(&report) > 500, "{report}");
    println!("{} cases on the TCP address", tried(&report));
    let status = succeed(&mut agent.command(&["tag", "list"]));
    assert!(status.contains("n1 has no tags"), "set over TCP: {status}");
}
