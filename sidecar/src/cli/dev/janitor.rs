//! The janitor: a process of its own that tidies up after `muster dev`, also when that was killed.
//!
//! It sits in its own session, so that no signal of the terminal reaches it, and reads a socket
//! whose other end only `muster dev` holds. When that process ends, however it does, the kernel
//! closes that end and the janitor removes the folder and gives the terminal back.

use std::fs;
use std::io::{self, IsTerminal, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use clap::Args;
use crossterm::{cursor, execute, terminal};
use rustix::termios::{self, OptionalActions, OutputModes, Termios};

/// The hidden command that runs it.
pub(in crate::cli) const JANITOR: &str = "dev-janitor";

/// Sidecars end a moment after `muster dev` and may still write to the folder until then.
const TRIES_FOR: Duration = Duration::from_secs(10);

/// What it says once it watches.
const READY: &[u8] = b"r";

#[derive(Debug, Args)]
pub(in crate::cli) struct JanitorArgs {
    /// The folder to remove
    folder: PathBuf,
}

/// Runs as the janitor: waits for the end of standard input, then cleans up.
pub(in crate::cli) fn clean_up(args: &JanitorArgs) {
    // Fails only for the leader of a group, which a child of `muster dev` is not.
    let _ = rustix::process::setsid();
    let terminal = Terminal::remember();
    let _ = rustix::io::write(io::stdin(), READY);
    // Whatever ends the reading means the same.
    let _ = io::copy(&mut io::stdin(), &mut io::sink());
    if !args.folder.exists() {
        return;
    }
    if let Some(terminal) = terminal {
        terminal.give_back();
    }
    let until = Instant::now() + TRIES_FOR;
    while remove(&args.folder).is_err() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Removes the folder; fails while somebody still adds files to it.
fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The terminal as it was before `muster dev` drew on it.
struct Terminal(Termios);

impl Terminal {
    fn remember() -> Option<Terminal> {
        let out = io::stdout();
        if out.is_terminal() {
            termios::tcgetattr(&out).ok().map(Terminal)
        } else {
            None
        }
    }

    /// Only while it still is as the screen of `muster dev` left it: a shell that was quicker to
    /// set it as it likes it is left alone.
    fn give_back(self) {
        let mut out = io::stdout();
        let raw = termios::tcgetattr(&out)
            .is_ok_and(|now| !now.output_modes.contains(OutputModes::OPOST));
        if raw {
            let _ = execute!(out, terminal::LeaveAlternateScreen, cursor::Show);
            let _ = termios::tcsetattr(&out, OptionalActions::Now, &self.0);
        }
    }
}

/// The janitor as `muster dev` holds it.
#[derive(Debug)]
pub(super) struct Janitor {
    process: Child,
    alive: UnixStream,
}

impl Janitor {
    /// Starts it for this folder and waits until it is ready: it has to see the terminal before
    /// anything is drawn there. `program` is this program.
    pub(super) fn start(program: &Path, folder: &Path) -> io::Result<Janitor> {
        let (mut alive, its) = UnixStream::pair()?;
        let out = if io::stdout().is_terminal() {
            Stdio::inherit()
        } else {
            Stdio::null()
        };
        let process = Command::new(program)
            .arg(JANITOR)
            .arg(folder)
            .stdin(OwnedFd::from(its))
            .stdout(out)
            .current_dir("/")
            .spawn()?;
        alive.read_exact(&mut [0; READY.len()])?;
        Ok(Janitor { process, alive })
    }

    /// Lets it end; call this once the folder is gone.
    pub(super) fn dismiss(mut self) {
        drop(self.alive);
        let _ = self.process.wait();
    }
}
