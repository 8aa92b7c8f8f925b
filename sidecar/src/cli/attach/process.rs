//! The command that is attached: its start, its signals, its end.

use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;

use async_signal::{Signal as OsSignal, Signals};
use rustix::process::{Pid, Signal, getpgrp, kill_process};
use rustix::termios::tcgetpgrp;
use smol::process::{Child, Command};
use smol::stream::StreamExt;

/// What is passed on, and as what.
const PASSED_ON: [(OsSignal, Signal); 6] = [
    (OsSignal::Int, Signal::INT),
    (OsSignal::Term, Signal::TERM),
    (OsSignal::Hup, Signal::HUP),
    (OsSignal::Quit, Signal::QUIT),
    (OsSignal::Usr1, Signal::USR1),
    (OsSignal::Usr2, Signal::USR2),
];

/// What a terminal sends to all of its foreground by itself.
const OF_TERMINALS: [OsSignal; 2] = [OsSignal::Int, OsSignal::Quit];

/// The exit status of a shell for a command that is not there.
const NOT_FOUND: u8 = 127;

/// And for one that cannot be run.
const NOT_RUN: u8 = 126;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Exited(u8),
    Signalled(u8),
}

/// What the loop waits for.
pub(super) enum Input {
    Ended(End),
    Signal(OsSignal),
    Again,
}

/// Why it did not start.
pub(super) struct Problem {
    pub(super) text: String,
    pub(super) code: u8,
}

/// A command at work.
pub(super) struct Process {
    child: Child,
    signals: Signals,
}

impl End {
    fn of(status: ExitStatus) -> End {
        let byte = |number: i32| u8::try_from(number).unwrap_or(u8::MAX);
        match (status.code(), status.signal()) {
            (Some(code), _) => End::Exited(byte(code)),
            (None, Some(signal)) => End::Signalled(byte(signal)),
            // A process that was waited for has one of them.
            (None, None) => End::Exited(u8::MAX),
        }
    }

    /// As a shell reports it.
    pub(super) fn code(self) -> u8 {
        match self {
            End::Exited(code) => code,
            End::Signalled(signal) => signal.saturating_add(128),
        }
    }
}

impl Process {
    /// Starts the command, which finds the agent and its own name in its environment.
    pub(super) fn start(
        command: &[OsString],
        socket: &Path,
        app: &str,
    ) -> Result<Process, Problem> {
        let (program, arguments) = command.split_first().expect("clap requires a command");
        let shown = program.to_string_lossy();
        // Before the command runs, so that no signal to this process is missed.
        let signals = Signals::new(PASSED_ON.map(|(signal, _)| signal));
        let signals = signals.map_err(|error| Problem {
            text: format!("signals cannot be taken: {error}; {shown:?} was not started"),
            code: NOT_RUN,
        })?;
        let child = Command::new(program)
            .args(arguments)
            .env("MUSTER_SOCKET", socket)
            .env("MUSTER_APP", app)
            .spawn();
        let child = child.map_err(|error| refused(&shown, &error))?;
        Ok(Process { child, signals })
    }

    /// Waits for its end, or for a signal to this process.
    pub(super) async fn next(&mut self) -> Input {
        let (child, signals) = (&mut self.child, &mut self.signals);
        let ended = async {
            match child.status().await {
                Ok(status) => Input::Ended(End::of(status)),
                // It is our own child: nobody else can have waited for it.
                Err(_) => Input::Ended(End::Exited(u8::MAX)),
            }
        };
        let signalled = async {
            loop {
                match signals.next().await {
                    Some(Ok(signal)) => return Input::Signal(signal),
                    Some(Err(_)) => {}
                    None => std::future::pending().await,
                }
            }
        };
        smol::future::or(ended, signalled).await
    }

    /// Gives it a signal that this process got.
    pub(super) fn pass_on(&self, signal: OsSignal) {
        if OF_TERMINALS.contains(&signal) && is_in_foreground() {
            return;
        }
        let known = PASSED_ON.iter().find(|(os, _)| *os == signal);
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let (Some((_, signal)), Some(pid)) = (known, pid) {
            // It may have ended meanwhile.
            let _ = kill_process(pid, *signal);
        }
    }
}

/// Whether a terminal sends its signals to the command, too.
fn is_in_foreground() -> bool {
    tcgetpgrp(io::stdin()).is_ok_and(|group| group == getpgrp())
}

fn refused(program: &str, error: &io::Error) -> Problem {
    if error.kind() == ErrorKind::NotFound {
        return Problem {
            text: format!("there is no command {program:?}: correct it, or give its whole path"),
            code: NOT_FOUND,
        };
    }
    Problem {
        text: format!("{program:?} cannot be run: {error}"),
        code: NOT_RUN,
    }
}
