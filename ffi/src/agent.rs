//! A member inside of the calling program, on threads of its own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use muster_sidecar::agent::{AgentError, Orders, run_embedded};
use muster_sidecar::settings::Settings;
use nix::sys::signal::SigSet;

use crate::connection::Deadline;
use crate::failure::{Failure, Status};
use crate::origin::Origin;
use crate::text::Text;

/// What settings are called in messages: `settings:3:1`.
const SETTINGS: &str = "settings";

/// A member that runs until it is told to leave.
#[derive(Debug)]
pub struct Agent {
    origin: Origin,
    orders: Orders,
    life: Arc<Life>,
    thread: Mutex<Option<JoinHandle<()>>>,
    pub(crate) socket: Text,
}

/// How the member ended, once it has.
#[derive(Debug, Default)]
struct Life {
    end: Mutex<Option<Result<(), Failure>>>,
    ended: Condvar,
}

impl Agent {
    /// Starts a member with the settings of a TOML text; returns once its local socket can be
    /// connected to.
    pub(crate) fn start(settings: &str, timeout_ms: i64) -> Result<Agent, Failure> {
        let settings = Settings::of_text(Path::new(SETTINGS), settings);
        let settings = settings.map_err(|error| Failure::new(Status::Settings, error))?;
        let (orders, life) = (Orders::default(), Arc::new(Life::default()));
        let (serving, socket) = channel();
        let (told, lived) = (orders.clone(), Arc::clone(&life));
        let run = move || lived.end_with(&live(settings, &told, serving));
        let thread = thread::Builder::new()
            .name("muster-agent".to_owned())
            .spawn(run);
        let thread = thread.map_err(|error| Failure::system("start a thread", error))?;
        let mut agent = Agent {
            origin: Origin::here(),
            orders,
            life,
            thread: Mutex::new(Some(thread)),
            socket: Text::default(),
        };
        let deadline = Deadline::after(timeout_ms);
        let served = match deadline.left() {
            Some(left) => socket.recv_timeout(left),
            None => socket.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match served {
            Ok(path) => {
                agent.socket = path;
                Ok(agent)
            }
            Err(RecvTimeoutError::Timeout) => {
                let text = format!(
                    "the agent did not come up within {} ms: it waits for an address that others \
                     can reach, so give it `advertise`, or a `join` whose name resolves",
                    deadline.waited().as_millis()
                );
                Err(Failure::new(Status::Timeout, text))
            }
            // It ended, and says how in a moment.
            Err(RecvTimeoutError::Disconnected) => {
                let ended = || Failure::new(Status::AgentEnded, "the agent ended at its start");
                agent.await_end(Deadline::after(-1)).and(Err(ended()))
            }
        }
    }

    /// Whether it runs; else how it ended.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        self.origin.check("agent")?;
        match &*self.life.lock() {
            None => Ok(()),
            Some(Ok(())) => Err(Failure::new(
                Status::AgentEnded,
                "the agent has left and ended",
            )),
            Some(Err(failure)) => Err(failure.clone()),
        }
    }

    /// Says goodbye and ends; returns once it has. What it ended with otherwise is an error.
    pub(crate) fn stop(&self, timeout_ms: i64) -> Result<(), Failure> {
        self.origin.check("agent")?;
        if self.life.lock().is_none() {
            self.orders.leave();
        }
        self.await_end(Deadline::after(timeout_ms))
    }

    fn await_end(&self, deadline: Deadline) -> Result<(), Failure> {
        let mut end = self.life.lock();
        loop {
            match (&*end, deadline.left()) {
                (Some(end), _) => return end.clone(),
                (None, Some(left)) if left.is_zero() => {
                    return Err(Failure::timeout(deadline.waited()));
                }
                (None, left) => {
                    let left = left.unwrap_or(Duration::from_secs(3600));
                    let waited = self.life.ended.wait_timeout(end, left);
                    end = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
            }
        }
    }
}

impl Drop for Agent {
    /// Ends at once, without a goodbye, what was not stopped before.
    fn drop(&mut self) {
        if !self.origin.is_here() {
            // After a fork its threads are the other process's.
            return;
        }
        self.orders.end();
        let thread = self
            .thread
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = thread.take() {
            // What it ended with was for whoever asked.
            let _ = thread.join();
        }
    }
}

impl Life {
    fn lock(&self) -> MutexGuard<'_, Option<Result<(), Failure>>> {
        self.end.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end_with(&self, end: &Result<(), Failure>) {
        *self.lock() = Some(end.clone());
        self.ended.notify_all();
    }
}

/// The member's life. Signals are the program's: they are blocked here, and in all threads that are
/// started from here, as is the one that a peer's end causes.
fn live(settings: Settings, orders: &Orders, serving: Sender<Text>) -> Result<(), Failure> {
    let blocked = SigSet::all().thread_block();
    blocked.map_err(|error| Failure::system("block signals", error))?;
    let told = move |path: std::path::PathBuf| {
        // Nobody waits any more: then it is about to be told to leave.
        let _ = serving.send(Text::new(path.to_string_lossy().as_bytes()));
    };
    let run = AssertUnwindSafe(|| run_embedded(settings, orders, told));
    match catch_unwind(run) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(failed(&error)),
        Err(_) => Err(Failure::new(
            Status::Panic,
            "the agent ended by a mistake of its own: please report it",
        )),
    }
}

fn failed(error: &AgentError) -> Failure {
    let status = match (error, error.exit_code()) {
        (AgentError::NameTaken { .. }, _) => Status::NameTaken,
        (_, 2) => Status::Settings,
        _ => Status::AgentFailed,
    };
    Failure::new(status, error)
}
