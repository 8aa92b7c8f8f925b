//! What the agent tells systemd, and what systemd says of its unit.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;

use crate::agent::Agent;
use crate::{SOON, root, succeed};

/// The next word of the agent.
fn told(socket: &UnixDatagram) -> String {
    let mut buffer = [0; 256];
    let length = socket
        .recv(&mut buffer)
        .expect("the agent says something in time");
    String::from_utf8_lossy(&buffer[..length]).trim().to_owned()
}

#[test]
fn a_supervisor_hears_of_the_start_of_life_and_of_the_end() {
    let folder = tempfile::tempdir().expect("the temporary folder can be written");
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).expect("a socket can be bound");
    socket
        .set_read_timeout(Some(SOON))
        .expect("a timeout can be set");
    let mut agent = Agent::start_with(|command| {
        let interval = Duration::from_millis(400);
        command.env("NOTIFY_SOCKET", &path);
        command.env("WATCHDOG_USEC", interval.as_micros().to_string());
    });
    let mut words = vec![told(&socket)];
    while words.iter().filter(|word| *word == "WATCHDOG=1").count() < 3 {
        words.push(told(&socket));
    }
    assert_eq!(words[0], "READY=1", "{words:?}");
    // One that stands still says nothing: the supervisor ends it.
    agent.signal(Signal::STOP);
    socket
        .set_read_timeout(Some(Duration::from_secs(2)))
        .expect("a timeout can be set");
    let mut buffer = [0; 256];
    let until_silent = std::iter::from_fn(|| socket.recv(&mut buffer).ok()).count();
    assert!(
        until_silent < 10,
        "{until_silent} words of an agent that stands still"
    );
    agent.signal(Signal::CONT);
    socket
        .set_read_timeout(Some(SOON))
        .expect("a timeout can be set");
    assert_eq!(told(&socket), "WATCHDOG=1");
    agent.signal(Signal::TERM);
    while told(&socket) != "STOPPING=1" {}
    assert_eq!(agent.wait().code(), Some(0));
}

/// The unit, with a binary that is there.
fn unit() -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().expect("the temporary folder can be written");
    let binary = folder.path().join("muster");
    fs::write(&binary, "").expect("the folder can be written");
    fs::set_permissions(&binary, fs::Permissions::from_mode(0o755)).expect("it is ours");
    let shipped = fs::read_to_string(root().join("sidecar/deploy/systemd/muster.service"));
    let shipped = shipped.expect("there is a unit");
    let named = shipped.replace("/usr/bin/muster", &binary.display().to_string());
    assert_ne!(shipped, named, "the unit starts another binary");
    let unit = folder.path().join("muster.service");
    fs::write(&unit, named).expect("the folder can be written");
    (folder, unit)
}

#[test]
fn systemd_finds_nothing_wrong_with_the_unit() {
    let (_folder, unit) = unit();
    let mut verify = Command::new("systemd-analyze");
    let text = succeed(verify.args(["verify", "--man=no"]).arg(&unit));
    let own: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("muster"))
        .collect();
    assert!(own.is_empty(), "{own:?}");
}

#[test]
fn systemd_finds_little_exposed_by_the_unit() {
    let (_folder, unit) = unit();
    let mut security = Command::new("systemd-analyze");
    security.args(["security", "--offline=true", "--threshold=20", "--no-pager"]);
    let report = succeed(security.arg(&unit));
    let level = report
        .lines()
        .find(|line| line.contains("Overall exposure level"));
    println!("{}", level.unwrap_or_default().trim());
}

/// A setting that the agent does not know would keep the unit from starting.
#[test]
fn the_unit_starts_the_agent_with_flags_that_it_has() {
    let unit = fs::read_to_string(root().join("sidecar/deploy/systemd/muster.service"));
    let unit = unit.expect("there is a unit");
    let start = unit
        .lines()
        .find_map(|line| line.strip_prefix("ExecStart="));
    let help = succeed(Command::new(muster_tests::muster_binary()).args(["agent", "--help"]));
    let flags: Vec<&str> = start
        .expect("it starts something")
        .split(' ')
        .filter(|word| word.starts_with("--"))
        .collect();
    assert!(flags.len() > 2, "{flags:?}");
    for flag in flags {
        assert!(help.contains(&format!("{flag} <")), "{flag} is no flag");
    }
}
