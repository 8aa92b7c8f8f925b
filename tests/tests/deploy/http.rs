//! The TCP address of a real agent.

use std::fs;
use std::net::TcpListener;
use std::process::Command;

use muster_tests::{muster_binary, wait};

use crate::SOON;
use crate::agent::Agent;

/// The status of an answer to `curl` with these arguments.
fn status(agent: &Agent, path: &str, more: &[&str]) -> String {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--output", "/dev/null", "--max-time", "10"]);
    curl.args(["--write-out", "%{http_code}"]).args(more);
    let output = curl.arg(format!("http://{}{path}", agent.http)).output();
    String::from_utf8_lossy(&output.expect("curl is installed").stdout).into_owned()
}

#[test]
fn programs_read_and_pages_of_other_sites_do_not() {
    let agent = Agent::start();
    for path in ["/v1/status", "/metrics", "/healthz", "/readyz"] {
        assert_eq!(status(&agent, path, &[]), "200", "{path}");
        let rebound = status(&agent, path, &["--header", "Host: evil.example"]);
        assert_eq!(rebound, "421", "{path}");
        let foreign = status(&agent, path, &["--header", "Origin: http://evil.example"]);
        assert_eq!(foreign, "403", "{path}");
    }
    let change = ["--request", "PUT", "--data", "1"];
    assert_eq!(status(&agent, "/v1/tags/a", &change), "403");
    assert_eq!(status(&agent, "/v1/leave", &["--request", "POST"]), "403");
}

#[test]
fn an_address_on_the_network_is_told_as_a_warning() {
    let loopback = Agent::start();
    assert!(!loopback.log().contains("http-open-to-network"));
    let folder = tempfile::tempdir().expect("the temporary folder can be written");
    let log = fs::File::create(folder.path().join("log")).expect("a log can be written");
    let mut agent = Command::new(muster_binary())
        .args([
            "agent",
            "--name",
            "n1",
            "--bind",
            "127.0.0.1:0",
            "--http",
            "0.0.0.0:0",
        ])
        .arg("--socket")
        .arg(folder.path().join("s"))
        .stdout(log)
        .spawn()
        .expect("the binary can be started");
    let told = wait::until(SOON, || {
        let log = fs::read_to_string(folder.path().join("log")).unwrap_or_default();
        let line = log
            .lines()
            .find(|line| line.contains(" http-open-to-network "));
        match line {
            Some(line) if line.contains(" WARN ") => Ok(()),
            _ => Err(log),
        }
    });
    let _ = agent.kill();
    let _ = agent.wait();
    told.expect("the log warns of it");
}

#[test]
fn an_address_that_is_taken_is_an_error_that_says_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let addr = taken.local_addr().expect("it is bound").to_string();
    let folder = tempfile::tempdir().expect("the temporary folder can be written");
    let output = Command::new(muster_binary())
        .args([
            "agent",
            "--bind",
            "127.0.0.1:0",
            "--http",
            &addr,
            "--socket",
        ])
        .arg(folder.path().join("s"))
        .output()
        .expect("the binary can be started");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains(&addr) && told.contains("--http"), "{told}");
    assert!(!folder.path().join("s").exists(), "the socket file stays");
}
