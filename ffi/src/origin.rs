//! Which process a handle is of: after a `fork` both have it, and what it holds is shared.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::failure::{Failure, Status};

/// The first process that started an agent, 0 before. Its runtime has one thread that waits for all
/// agents and stays; a process that is forked from it has what that thread served, and no thread.
static AGENTS: AtomicU32 = AtomicU32::new(0);

/// What to do where a handle is another process's, and one can be made.
pub(crate) const MAKE_ONE: &str = "make one here, and use that";

/// The process that made a handle.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin(u32);

impl Origin {
    pub(crate) fn here() -> Origin {
        Origin(std::process::id())
    }

    pub(crate) fn is_here(self) -> bool {
        self.0 == std::process::id()
    }

    /// Of the agents of this process: an error where they cannot live.
    pub(crate) fn of_agents() -> Result<Origin, Failure> {
        let here = Origin::here();
        match AGENTS.compare_exchange(0, here.0, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => Ok(here),
            Err(first) if first == here.0 => Ok(here),
            Err(first) => {
                let text = format!(
                    "this process was forked from one that had an agent (process {first}), and can \
                     have none: exec first, as posix_spawn and Python's multiprocessing \"spawn\" do"
                );
                Err(Failure::new(Status::WrongProcess, text))
            }
        }
    }

    /// An error in another process, which says what to do there next.
    pub(crate) fn check(self, what: &str, next: &str) -> Result<(), Failure> {
        if self.is_here() {
            return Ok(());
        }
        let (made, here) = (self.0, std::process::id());
        let text = format!(
            "this {what} was made by process {made} and is used in process {here}, after a fork: \
             {next}"
        );
        Err(Failure::new(Status::WrongProcess, text))
    }
}
