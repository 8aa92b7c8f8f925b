//! Running `muster` and waiting for what it does.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// Nothing here takes nearly so long, also on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// The program without settings of the surroundings.
pub(crate) fn muster(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("MUSTER_") {
            command.env_remove(name);
        }
    }
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Runs a command to its end.
pub(crate) fn output(command: &mut Command) -> Output {
    command.output().expect("the built program can be run")
}

/// Standard output of a command that must succeed.
pub(crate) fn stdout(command: &mut Command) -> String {
    let output = output(command);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{command:?} ended with {}: {stderr}",
        output.status
    );
    String::from_utf8(output.stdout).expect("output is UTF-8")
}

/// Waits until `condition` gives something; `state` is told when it does not in time.
pub(crate) fn wait_for<T>(
    what: &str,
    state: impl Fn() -> String,
    mut condition: impl FnMut() -> Option<T>,
) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(
            start.elapsed() < DEADLINE,
            "waited in vain for {what}; so far:\n{}",
            state()
        );
        thread::sleep(Duration::from_millis(20));
    }
}

/// Sends a signal to a process that a test started.
pub(crate) fn signal(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid)
        .ok()
        .and_then(Pid::from_raw)
        .expect("a process id");
    kill_process(pid, signal).expect("the process runs");
}

/// The text that a process wrote so far, collected by a thread.
#[derive(Clone, Default)]
pub(crate) struct Text(Arc<Mutex<String>>);

impl Text {
    fn collect(from: impl Read + Send + 'static) -> Text {
        let text = Text::default();
        let collected = text.clone();
        thread::spawn(move || {
            for line in BufReader::new(from).lines().map_while(Result::ok) {
                let mut text = collected.0.lock().expect("no holder panics");
                text.push_str(&line);
                text.push('\n');
            }
        });
        text
    }

    pub(crate) fn get(&self) -> String {
        self.0.lock().expect("no holder panics").clone()
    }

    /// Waits until a line satisfies `condition` and gives the last such line.
    pub(crate) fn line(&self, what: &str, condition: impl Fn(&str) -> bool) -> String {
        wait_for(
            what,
            || self.get(),
            || {
                self.get()
                    .lines()
                    .rev()
                    .find(|line| condition(line))
                    .map(str::to_owned)
            },
        )
    }
}

/// A running `muster`, killed when it is dropped.
pub(crate) struct Running {
    process: Child,
    pub(crate) stdout: Text,
    pub(crate) stderr: Text,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Running {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut process = command.spawn().expect("the built program can be started");
        let stdout = Text::collect(process.stdout.take().expect("it was asked for"));
        let stderr = Text::collect(process.stderr.take().expect("it was asked for"));
        Running {
            process,
            stdout,
            stderr,
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Ends it without a word.
    pub(crate) fn kill(&mut self) {
        self.process.kill().expect("it is our child");
    }

    pub(crate) fn type_line(&mut self, line: &str) {
        let stdin = self.process.stdin.as_mut().expect("standard input is open");
        writeln!(stdin, "{line}").expect("it reads its standard input");
    }

    pub(crate) fn close_stdin(&mut self) {
        self.process.stdin = None;
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        let (stdout, stderr) = (self.stdout.clone(), self.stderr.clone());
        let state = || format!("{}{}", stdout.get(), stderr.get());
        wait_for("the end of the process", state, || {
            self.process.try_wait().expect("it is our child")
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A folder in which to find out what is left behind.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Place {
        Place(tempfile::tempdir().expect("a folder can be made"))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn join(&self, name: &str) -> String {
        self.path().join(name).display().to_string()
    }

    /// Waits until no file is left here and no process that has to do with this folder.
    pub(crate) fn wait_until_empty(&self) {
        let leftovers = || [self.files(), self.processes()].concat();
        let shown = || leftovers().join("\n");
        wait_for("an empty folder", shown, || {
            leftovers().is_empty().then_some(())
        });
    }

    pub(crate) fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path()).expect("the folder is there");
        entries
            .flatten()
            .map(|entry| entry.path().display().to_string())
            .collect()
    }

    /// Processes that name the folder in their command line.
    pub(crate) fn processes(&self) -> Vec<String> {
        let folder = self.path().display().to_string();
        let processes = fs::read_dir("/proc").expect("a Linux system").flatten();
        processes
            .filter_map(|process| fs::read(process.path().join("cmdline")).ok())
            .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
            .filter(|line| line.contains(&folder))
            .collect()
    }
}

/// One agent alone, with its socket in a place of its own.
pub(crate) struct Agent {
    pub(crate) running: Running,
    pub(crate) socket: PathBuf,
}

impl Agent {
    pub(crate) fn start(place: &Place, name: &str) -> Agent {
        Agent::start_with(place, name, &[])
    }

    /// The same with further arguments.
    pub(crate) fn start_with(place: &Place, name: &str, more: &[&str]) -> Agent {
        let socket = place.path().join(format!("{name}.sock"));
        let path = socket.display().to_string();
        let arguments = [
            "agent",
            "--name",
            name,
            "--bind",
            "127.0.0.1:0",
            "--socket",
            &path,
        ];
        let running = Running::start(muster(&arguments).args(["--preset", "local"]).args(more));
        let agent = Agent { running, socket };
        let log = (agent.running.stdout.clone(), agent.running.stderr.clone());
        wait_for(
            "an agent that answers",
            || log.0.get() + &log.1.get(),
            || {
                output(&mut agent.ask(&["status"]))
                    .status
                    .success()
                    .then_some(())
            },
        );
        agent
    }

    /// A command that asks this agent.
    pub(crate) fn ask(&self, arguments: &[&str]) -> Command {
        let mut command = muster(arguments);
        command.arg("--socket").arg(&self.socket);
        command
    }
}
