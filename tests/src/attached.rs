//! A command that `muster attach` runs beside a host's sidecar.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::{Host, binary, wait};

/// The longest that starting a command may take.
const START: Duration = Duration::from_secs(60);

/// `muster attach` and its command, which does nothing. Both end when this is dropped.
#[derive(Debug)]
pub struct Attached {
    attach: Child,
    /// Where the command says its number.
    note: PathBuf,
}

impl Attached {
    /// Attaches a command to the sidecar of a host, with these further arguments.
    pub fn start(host: &Host, app: &str, arguments: &[&str]) -> Attached {
        let note = host.socket().with_extension(format!("{app}.pid"));
        let _ = fs::remove_file(&note);
        let says = format!("echo $$ > {}; exec sleep 3600", note.display());
        let attach = Command::new(binary::muster_binary())
            .args(["attach", "--name", app])
            .args(arguments)
            .arg("--socket")
            .arg(host.socket())
            .args(["--", "sh", "-c", &says])
            .stdin(Stdio::null())
            .spawn();
        let attach = attach.expect("the binary under test can be run");
        let attached = Attached { attach, note };
        let running = wait::until(START, || match attached.command() {
            Some(_) => Ok(()),
            None => Err("the command has not started".to_owned()),
        });
        running.expect("the command starts");
        attached
    }

    /// Sends a signal to the command itself.
    pub fn signal(&self, signal: Signal) {
        let command = self.command().expect("it has started");
        kill_process(command, signal).expect("it runs");
    }

    /// The exit status of `muster attach`, once its command has ended.
    ///
    /// # Errors
    /// It runs still.
    pub fn wait_exit(&mut self, patience: Duration) -> Result<Option<i32>, String> {
        let mut ended = None;
        wait::until(patience, || {
            ended = self.attach.try_wait().map_err(|error| error.to_string())?;
            ended.map(drop).ok_or_else(|| "it runs still".to_owned())
        })?;
        Ok(ended.and_then(|status| status.code()))
    }

    fn command(&self) -> Option<Pid> {
        let text = fs::read_to_string(&self.note).ok()?;
        Pid::from_raw(text.trim().parse().ok()?)
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        if matches!(self.attach.try_wait(), Ok(None)) {
            // Its number is its own as long as its parent has not waited for it.
            if let Some(command) = self.command() {
                let _ = kill_process(command, Signal::KILL);
            }
            let _ = self.attach.kill();
        }
        let _ = self.attach.wait();
    }
}
