//! The running sidecar.

mod clock;
mod handle;

pub use clock::Clock;
pub use handle::{Command, CommandError, Handle, Request};

use crate::settings::Settings;

/// Why the agent ended.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {}

impl AgentError {
    /// The exit code for it.
    pub fn exit_code(&self) -> u8 {
        1
    }
}

/// Runs until it left or cannot go on.
pub fn run(_settings: Settings) -> Result<(), AgentError> {
    Ok(())
}
