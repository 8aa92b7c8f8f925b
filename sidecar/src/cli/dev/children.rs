//! The sidecars of `muster dev`: real `muster agent` processes.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::net::SocketAddr;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child as Process, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};

/// Lines of a log that are shown when a sidecar ends at once.
const LAST_WORDS: usize = 4;

/// What all sidecars have in common.
#[derive(Clone, Debug)]
pub(super) struct Setup {
    /// The program to run: this one.
    pub(super) program: PathBuf,
    /// Where sockets and logs go.
    pub(super) folder: PathBuf,
    /// Further arguments of `muster agent`.
    pub(super) arguments: Vec<String>,
}

/// One sidecar through all its lives.
#[derive(Debug)]
pub(super) struct Child {
    /// Its name, kept through restarts.
    pub(super) name: String,
    /// Its local socket.
    pub(super) socket: PathBuf,
    /// Its log, of all lives.
    pub(super) log: PathBuf,
    /// What it remembers, through all lives.
    data: PathBuf,
    /// Where it listens, once it said so; kept through restarts.
    pub(super) addr: Option<SocketAddr>,
    /// Number of its present life, from 1; 0 before the first.
    pub(super) life: u32,
    /// Whether its process runs.
    pub(super) state: ProcessState,
    process: Option<Process>,
}

/// What is known of a sidecar's process, whatever the cluster believes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ProcessState {
    /// Not started yet: it waits for the address of the first.
    Waiting,
    /// Runs, but has not answered yet.
    Starting,
    /// Runs.
    Running,
    /// Stopped by a signal.
    Paused,
    /// Ended.
    Ended(ExitStatus),
}

impl ProcessState {
    /// Whether there is a process.
    pub(super) fn is_alive(self) -> bool {
        match self {
            ProcessState::Starting | ProcessState::Running | ProcessState::Paused => true,
            ProcessState::Waiting | ProcessState::Ended(_) => false,
        }
    }

    /// For people: `running`, `killed (9)`, `exited (1)`.
    pub(super) fn describe(self) -> String {
        match self {
            ProcessState::Waiting => "waiting".to_owned(),
            ProcessState::Starting => "starting".to_owned(),
            ProcessState::Running => "running".to_owned(),
            ProcessState::Paused => "paused".to_owned(),
            ProcessState::Ended(status) => match (status.signal(), status.code()) {
                (Some(signal), _) => format!("killed ({signal})"),
                (None, code) => format!("exited ({})", code.unwrap_or_default()),
            },
        }
    }
}

impl Child {
    /// A sidecar that was not started yet.
    pub(super) fn new(name: String, folder: &Path) -> Child {
        Child {
            socket: folder.join(format!("{name}.sock")),
            log: folder.join(format!("{name}.log")),
            data: folder.join(format!("{name}.data")),
            name,
            addr: None,
            life: 0,
            state: ProcessState::Waiting,
            process: None,
        }
    }

    /// Starts the next life, which joins through `seeds`. Must be called on the thread that lives
    /// as long as the program: the kernel ends the sidecar with the *thread* that started it.
    pub(super) fn start(&mut self, setup: &Setup, seeds: &[SocketAddr]) -> io::Result<()> {
        let log = File::options().create(true).append(true).open(&self.log)?;
        let bind = self
            .addr
            .map_or_else(|| "127.0.0.1:0".to_owned(), |addr| addr.to_string());
        let mut command = Command::new(&setup.program);
        command
            .arg("agent")
            .args(["--name", &self.name, "--bind", &bind])
            .arg("--socket")
            .arg(&self.socket)
            .arg(format!("--exit-with-parent={}", std::process::id()))
            .args(self.memory(setup))
            .args(&setup.arguments)
            .args(
                seeds
                    .iter()
                    .flat_map(|seed| ["--join".to_owned(), seed.to_string()]),
            )
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // A group of its own: Ctrl-C is for `muster dev` alone, which then stops the others.
            .process_group(0);
        let ours = std::env::vars_os().map(|(name, _)| name);
        for name in ours.filter(|name| name.to_string_lossy().starts_with("MUSTER_")) {
            command.env_remove(name);
        }
        self.process = Some(command.spawn()?);
        self.life += 1;
        self.state = ProcessState::Starting;
        Ok(())
    }

    /// A directory to remember in, unless the user's arguments say otherwise.
    fn memory(&self, setup: &Setup) -> Option<OsString> {
        let chosen = ["--non-voting", "--data-dir"];
        let is_chosen = |given: &String| chosen.iter().any(|flag| given.starts_with(flag));
        let mut flag = OsString::from("--data-dir=");
        flag.push(&self.data);
        (!setup.arguments.iter().any(is_chosen)).then_some(flag)
    }

    /// The id of its process; of the last one when it ended.
    pub(super) fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Process::id)
    }

    /// Sends a signal to its process, if it has one.
    pub(super) fn signal(&self, signal: Signal) -> io::Result<()> {
        // The id cannot be another's meanwhile: an ended process keeps it until `reap`.
        match self
            .pid()
            .filter(|_| self.state.is_alive())
            .and_then(as_pid)
        {
            Some(pid) => Ok(kill_process(pid, signal)?),
            None => Err(io::Error::other("it does not run")),
        }
    }

    /// Notices the end of its process.
    pub(super) fn reap(&mut self) -> Option<ExitStatus> {
        let status = self.process.as_mut()?.try_wait().ok()??;
        self.state = ProcessState::Ended(status);
        Some(status)
    }

    /// Whether the kernel says that its process is stopped (`T` in proc(5)).
    pub(super) fn is_stopped(&self) -> bool {
        let Some(pid) = self.pid() else { return false };
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // The command in parentheses may hold anything, also parentheses.
        stat.rsplit_once(") ")
            .is_some_and(|(_, rest)| rest.starts_with('T'))
    }

    /// The last lines of its log.
    pub(super) fn last_words(&self) -> Vec<String> {
        let log = fs::read(&self.log).unwrap_or_default();
        let tail = String::from_utf8_lossy(&log[log.len().saturating_sub(4096)..]).into_owned();
        let lines: Vec<&str> = tail
            .lines()
            .filter(|line| !line.trim().is_empty())
            .collect();
        lines[lines.len().saturating_sub(LAST_WORDS)..]
            .iter()
            .map(|line| (*line).to_owned())
            .collect()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process
            && self.state.is_alive()
        {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// The same id as the kernel's interfaces take it.
pub(super) fn as_pid(id: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(id).ok()?)
}
