//! One host of the network and the sidecar on it.

use std::fs::{self, OpenOptions};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{
    Pid, Resource, Rlimit, Signal, WaitId, WaitIdOptions, getrlimit, kill_process, prlimit, waitid,
};
use serde_json::Value;

use crate::disk::Disk;
use crate::http::Asked;
use crate::log::{Line, Log, Mark};
use crate::view::{CoordinatorView, View};
use crate::{binary, http, wait};

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

/// What a process takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Footprint {
    /// Open file descriptors.
    pub descriptors: usize,
    /// Resident memory, in KiB.
    pub resident_kib: u64,
}

/// A host; its sidecar may run, be paused, or be gone.
#[derive(Debug)]
pub struct Host {
    name: String,
    namespace: String,
    socket: PathBuf,
    data: PathBuf,
    log: Log,
    disk: Option<Disk>,
    process: Option<Child>,
}

impl Host {
    pub(crate) fn new(name: String, namespace: &str, folder: &Path) -> Host {
        Host {
            socket: folder.join(format!("{name}.sock")),
            data: folder.join(format!("{name}.data")),
            log: Log::new(folder.join(format!("{name}.log"))),
            namespace: namespace.to_owned(),
            disk: None,
            process: None,
            name,
        }
    }

    /// The name of the host; its sidecar bears the same unless started otherwise.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where its sidecar listens for local clients.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// The data directory of its sidecars, one life after the other, if they vote.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Gives the sidecars of this host, from the next one on, a disk that can be full.
    pub fn give_disk(&mut self) {
        self.disk = Some(Disk::new(&self.data.with_extension("disk")));
    }

    /// Fills the disk of this host, or makes room on it.
    pub fn fill_disk(&self, full: bool) {
        let disk = self.disk.as_ref().expect("it was given one");
        disk.fill(full);
    }

    /// Whether a sidecar was started and not yet ended by [`Host::kill`] or [`Host::wait_exit`].
    pub fn is_running(&self) -> bool {
        self.process.is_some()
    }

    /// Starts a sidecar: `muster agent` with these arguments, in this host's namespace.
    pub fn start(&mut self, arguments: &[String]) {
        assert!(self.process.is_none(), "{} runs already", self.name);
        let mut file = OpenOptions::new();
        let file = file.create(true).append(true).open(self.log.path());
        let file = file.expect("the test's folder can be written");
        let copy = file.try_clone().expect("a file descriptor is to be had");
        let mut command = self.inside();
        command
            .arg("agent")
            // `ip netns exec` becomes the sidecar, so this process is its parent.
            .arg(format!("--exit-with-parent={}", std::process::id()))
            .arg("--socket")
            .arg(&self.socket)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(copy);
        if let Some(disk) = &self.disk {
            disk.give(&mut command);
        }
        self.process = Some(command.spawn().expect("`ip` of iproute2 is installed"));
    }

    /// Ends the sidecar as a crash does (signal 9).
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.reap();
    }

    /// Asks the sidecar to leave (signal 15).
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Has the sidecar read its settings and keys again (signal 1).
    pub fn reload(&self) {
        self.signal(Signal::HUP);
    }

    /// Stops the sidecar without ending it.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets a paused sidecar go on.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Waits for the sidecar to end by itself.
    ///
    /// # Errors
    /// It runs still.
    pub fn wait_exit(&mut self, patience: Duration) -> Result<Exit, String> {
        let name = self.name.clone();
        let process = self.process.as_mut().expect("a sidecar was started");
        let mut status = None;
        wait::until(patience, || {
            status = process.try_wait().map_err(|error| error.to_string())?;
            status
                .map(|_| ())
                .ok_or_else(|| format!("{name} runs still"))
        })?;
        self.process = None;
        let status = status.expect("the wait ended with a status");
        Ok(match (status.code(), status.signal()) {
            (Some(code), _) => Exit::Code(code),
            (None, signal) => Exit::Signal(signal.unwrap_or(0)),
        })
    }

    /// Whether the sidecar has ended though nobody has asked for it or waited for it.
    pub(crate) fn has_ended(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let status = |process: &Child| waitid(WaitId::Pid(pid(process)), options);
        self.process
            .as_ref()
            .is_some_and(|process| !matches!(status(process), Ok(None)))
    }

    /// What the sidecar sees.
    ///
    /// # Errors
    /// Nobody answers on its socket, or not as agreed.
    pub fn view(&self) -> Result<View, String> {
        self.get("/v1/members")
    }

    /// What the sidecar says of itself.
    ///
    /// # Errors
    /// Nobody answers on its socket, or not as agreed.
    pub fn status(&self) -> Result<Value, String> {
        self.get("/v1/status")
    }

    /// Who decides, as the sidecar says.
    ///
    /// # Errors
    /// Nobody answers on its socket, or it knows of none.
    pub fn coordinator(&self) -> Result<CoordinatorView, String> {
        self.get("/v1/coordinator")
    }

    /// Runs a command of `muster` that asks this host's sidecar; gives what it prints.
    ///
    /// # Errors
    /// What it says when it fails.
    pub fn muster(&self, arguments: &[&str]) -> Result<String, String> {
        let mut command = Command::new(binary::muster_binary());
        let command = command.args(arguments).arg("--socket").arg(&self.socket);
        let output = command.stdin(Stdio::null()).output();
        let output = output.expect("the binary under test can be run");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() {
            Ok(text(&output.stdout))
        } else {
            Err(text(&output.stderr))
        }
    }

    /// Runs a command of `muster` on this host itself; gives its exit status and what it prints.
    pub fn muster_inside(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let mut command = self.inside();
        command.args(arguments).arg("--socket").arg(&self.socket);
        let output = command.stdin(Stdio::null()).output();
        let output = output.expect("`ip` of iproute2 is installed");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.code(), text)
    }

    /// `muster`, to be started in this host's namespace without settings of the surroundings.
    fn inside(&self) -> Command {
        let mut command = Command::new("ip");
        command
            .args(["netns", "exec", &self.namespace])
            .arg(binary::muster_binary());
        for (variable, _) in std::env::vars_os() {
            let name = variable.to_string_lossy();
            if name.starts_with("MUSTER_") && name != "MUSTER_BIN" {
                command.env_remove(&variable);
            }
        }
        command
    }

    /// Sets how many files the sidecar may have open, until that is set again.
    pub fn limit_files(&self, limit: u64) {
        let process = self.process.as_ref().expect("a sidecar was started");
        let limit = Rlimit {
            current: Some(limit),
            // It has inherited ours.
            ..getrlimit(Resource::Nofile)
        };
        let set = prlimit(Some(pid(process)), Resource::Nofile, limit);
        set.expect("the limits of a child can be lowered");
    }

    /// Sends a request whose answer is read later.
    ///
    /// # Errors
    /// Nobody listens on its socket.
    pub fn ask(&self, path: &str) -> Result<Asked, String> {
        http::send(&self.socket, "GET", path)
    }

    /// Sends a request without a body; gives back the body of the answer.
    ///
    /// # Errors
    /// Nobody answers on its socket, or it refuses.
    pub fn request(&self, method: &str, path: &str) -> Result<String, String> {
        let (status, body) = http::request(&self.socket, method, path)?;
        if (200..300).contains(&status) {
            Ok(body)
        } else {
            Err(format!("{status}: {body}"))
        }
    }

    /// What the sidecar answers to such a request, as JSON.
    ///
    /// # Errors
    /// Nobody answers on its socket, or it refuses, or not as agreed.
    pub fn get<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<T, String> {
        let body = self.request("GET", path)?;
        serde_json::from_str(&body).map_err(|error| format!("{path}: {error}: {body}"))
    }

    /// The present end of the log.
    pub fn mark(&self) -> Mark {
        self.log.mark()
    }

    /// The events that were logged since `mark`.
    pub fn events(&self, mark: Mark) -> Vec<Line> {
        self.log.events(mark)
    }

    /// The kinds of the events about the sidecar itself that it logged since `mark`, in order.
    pub fn kinds_about_itself(&self, mark: Mark) -> Vec<String> {
        let events = self.events(mark).into_iter();
        let own = events.filter(|line| line.kind.starts_with("self-"));
        own.map(|line| line.kind).collect()
    }

    /// All that this host's sidecars wrote.
    pub fn log_text(&self) -> String {
        self.log.text()
    }

    /// The last lines of [`Host::log_text`].
    pub fn log_tail(&self, lines: usize) -> String {
        self.log.tail(lines)
    }

    /// What the sidecar takes now.
    pub fn footprint(&self) -> Footprint {
        let process = self.process.as_ref().expect("a sidecar was started");
        let folder = PathBuf::from(format!("/proc/{}", process.id()));
        let status = fs::read_to_string(folder.join("status")).expect("the sidecar runs");
        let resident = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .and_then(|rest| rest.split_whitespace().next())
            .and_then(|number| number.parse().ok());
        Footprint {
            descriptors: fs::read_dir(folder.join("fd"))
                .expect("the sidecar runs")
                .count(),
            resident_kib: resident.expect("proc(5): VmRSS in KiB"),
        }
    }

    fn signal(&self, signal: Signal) {
        let process = self.process.as_ref().expect("a sidecar was started");
        kill_process(pid(process), signal)
            .expect("a child that was not waited for can be signalled");
    }

    fn reap(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.wait().expect("a child can be waited for once");
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Some(process) = self.process.as_mut() {
            // It may have ended by itself.
            let _ = process.kill();
            self.reap();
        }
    }
}

fn pid(process: &Child) -> Pid {
    let pid = i32::try_from(process.id()).ok().and_then(Pid::from_raw);
    pid.expect("a process id is a positive i32")
}
