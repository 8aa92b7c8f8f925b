//! One agent on loopback with a TCP address, ended when it is dropped.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};

use muster_tests::{muster_binary, wait};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::SOON;

/// A running agent and its folder.
pub(crate) struct Agent {
    process: Child,
    pub(crate) folder: TempDir,
    pub(crate) http: SocketAddr,
}

impl Agent {
    /// An agent that votes alone and has a data directory.
    pub(crate) fn start() -> Agent {
        Agent::start_with(|_| {})
    }

    /// The same, after `prepare` had a look at its command.
    pub(crate) fn start_with(prepare: impl FnOnce(&mut Command)) -> Agent {
        let folder = tempfile::tempdir().expect("the temporary folder can be written");
        let log = File::create(folder.path().join("log")).expect("a log can be written");
        let mut command = Command::new(muster_binary());
        command
            .args(["agent", "--name", "n1", "--preset", "local"])
            .args(["--bind", "127.0.0.1:0", "--http", "127.0.0.1:0"])
            .arg("--socket")
            .arg(folder.path().join("s.sock"))
            .arg("--data-dir")
            .arg(folder.path().join("data"))
            .stdin(Stdio::null())
            .stderr(log.try_clone().expect("a descriptor is free"))
            .stdout(log);
        prepare(&mut command);
        let process = command.spawn().expect("the binary can be started");
        let mut agent = Agent {
            process,
            folder,
            http: SocketAddr::from(([127, 0, 0, 1], 0)),
        };
        let ready = wait::until(SOON, || match agent.told_http() {
            Some(http) => {
                agent.http = http;
                let ready = agent.command(&["status", "--quiet"]).output();
                let ready = ready.map_err(|error| error.to_string())?;
                let why = String::from_utf8_lossy(&ready.stderr).into_owned();
                ready.status.success().then_some(()).ok_or(why)
            }
            None => Err("the log names no TCP address".to_owned()),
        });
        ready.unwrap_or_else(|why| panic!("{why}\n{}", agent.log()));
        agent
    }

    fn told_http(&self) -> Option<SocketAddr> {
        let log = self.log();
        let line = log.lines().find(|line| line.contains(" http-started "))?;
        let (_, addr) = line.split_once("addr=")?;
        addr.trim().parse().ok()
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("s.sock")
    }

    /// A command that asks it.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(muster_binary());
        command.args(arguments).arg("--socket").arg(self.socket());
        command
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.process.id())
            .ok()
            .and_then(Pid::from_raw);
        kill_process(pid.expect("a process id"), signal).expect("it runs");
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let mut end = None;
        let ended = wait::until(SOON, || {
            end = self.process.try_wait().expect("it is our child");
            end.map(drop).ok_or_else(|| "it goes on".to_owned())
        });
        ended.unwrap_or_else(|why| panic!("{why}:\n{}", self.log()));
        end.expect("it has ended")
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
