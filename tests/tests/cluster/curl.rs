//! The local socket from a shell: `curl` and `jq` are a complete client.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use muster_tests::{Cluster, Host, Options};

use crate::SOON;

fn curl(host: &Host, path: &str) -> Command {
    let mut command = Command::new("curl");
    command.args([
        "--silent",
        "--show-error",
        "--no-buffer",
        "--max-time",
        "120",
    ]);
    command.arg("--unix-socket").arg(host.socket());
    command.arg(format!("http://muster{path}"));
    command
}

/// What a shell prints for `curl … | jq --raw-output FILTER`.
fn filtered(host: &Host, path: &str, filter: &str) -> String {
    let mut curl = curl(host, path);
    let mut child = curl
        .stdout(Stdio::piped())
        .spawn()
        .expect("curl is installed");
    let body = child.stdout.take().expect("standard output is a pipe");
    let jq = Command::new("jq")
        .args(["--raw-output", filter])
        .stdin(body)
        .output();
    let jq = jq.expect("jq is installed");
    assert!(
        child.wait().expect("it was started").success(),
        "curl {path}"
    );
    assert!(
        jq.status.success(),
        "{path}: {}",
        String::from_utf8_lossy(&jq.stderr)
    );
    String::from_utf8_lossy(&jq.stdout).trim().to_owned()
}

/// The lines of an event stream as they come, and the client to be ended.
pub(crate) fn follow(host: &Host, path: &str) -> (Child, Receiver<String>) {
    let mut child = curl(host, path)
        .stdout(Stdio::piped())
        .spawn()
        .expect("curl is installed");
    let stream = BufReader::new(child.stdout.take().expect("standard output is a pipe"));
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        // The channel is closed when the test is over: nobody wants the rest.
        stream
            .lines()
            .map_while(Result::ok)
            .try_for_each(|line| sender.send(line))
    });
    (child, lines)
}

#[test]
fn a_shell_reads_the_members_and_follows_a_crash() {
    let mut cluster = Cluster::formed(Options::default());
    let n1 = cluster.host(1);
    assert_eq!(filtered(n1, "/v1/members", ".members | length"), "30");
    assert_eq!(filtered(n1, "/v1/members", ".members[0].name"), "n1");
    let n9 = filtered(
        n1,
        "/v1/members/n9",
        "[.name, .addr, .state, .verdict] | join(\" \")",
    );
    assert_eq!(n9, format!("n9 {} alive up", cluster.address(9, false)));
    let cursor = filtered(n1, "/v1/members", ".cursor");

    let path = format!("/v1/events?since={cursor}&types=member-dead");
    let (mut client, lines) = follow(n1, &path);
    cluster.host_mut(9).kill();
    let mut seen: Vec<String> = Vec::new();
    cluster.wait(SOON, "curl shows the verdict", |_| {
        seen.extend(lines.try_iter());
        let kinds = seen.iter().filter_map(|line| line.strip_prefix("event: "));
        let ids = seen.iter().filter(|line| line.starts_with("id: ")).count();
        let data = seen.iter().filter_map(|line| line.strip_prefix("data: "));
        let about_n9 = data.filter(|data| data.contains("\"name\":\"n9\"")).count();
        if kinds.eq(["member-dead"]) && ids == 1 && about_n9 == 1 {
            Ok(())
        } else {
            Err(format!("only {seen:?}"))
        }
    });
    let reason = filtered(
        cluster.host(2),
        "/v1/members/n9/evidence",
        ".cases[0].reason",
    );
    assert_eq!(reason, "unreached", "everybody has the evidence");
    client.kill().expect("it follows until it is ended");
    client.wait().expect("it was started");
}
