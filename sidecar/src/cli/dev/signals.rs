//! The signals that end `muster dev`.

use std::io;

use async_signal::{Signal, Signals};
use smol::LocalExecutor;
use smol::channel::Sender;
use smol::stream::StreamExt;

use super::Input;

/// Sends [`Input::Quit`] for each INT, TERM and HUP from now on.
pub(super) fn forward(executor: &LocalExecutor<'static>, inputs: Sender<Input>) -> io::Result<()> {
    let mut signals = Signals::new([Signal::Int, Signal::Term, Signal::Hup])?;
    let forwarding = async move {
        while let Some(Ok(_)) = signals.next().await {
            if inputs.send(Input::Quit).await.is_err() {
                return;
            }
        }
    };
    executor.spawn(forwarding).detach();
    Ok(())
}
