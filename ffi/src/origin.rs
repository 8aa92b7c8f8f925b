//! Which process a handle is of: after a `fork` both have it, and what it holds is shared.

use crate::failure::{Failure, Status};

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

    pub(crate) fn check(self, what: &str) -> Result<(), Failure> {
        if self.is_here() {
            return Ok(());
        }
        let (made, here) = (self.0, std::process::id());
        let text = format!(
            "this {what} was made by process {made} and is used in process {here}, after a fork: \
             make one here, and use that"
        );
        Err(Failure::new(Status::WrongProcess, text))
    }
}
