//! What the agent asks of its process: signals, descriptors, an end together with its parent.

use std::io;

use async_signal::{Signal as OsSignal, Signals};
use rustix::process::{
    Resource, Signal as DeathSignal, getppid, getrlimit, set_parent_process_death_signal, setrlimit,
};
use smol::LocalExecutor;
use smol::channel::{Receiver, bounded};
use smol::stream::StreamExt;

use crate::settings::Parent;

/// Signals that may wait for the loop.
const SIGNALS: usize = 8;

/// A signal that means something to the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    /// TERM: leave; the second one: end.
    Terminate,
    /// INT: the same.
    Interrupt,
    /// HUP: read the settings again.
    Reload,
    /// Of no process: leave, by whoever holds an embedded member; said again, it changes nothing.
    Leave,
}

impl Signal {
    const OF_SYSTEM: [(OsSignal, Signal); 3] = [
        (OsSignal::Term, Signal::Terminate),
        (OsSignal::Int, Signal::Interrupt),
        (OsSignal::Hup, Signal::Reload),
    ];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Signal::Terminate => "TERM",
            Signal::Interrupt => "INT",
            Signal::Reload => "HUP",
            Signal::Leave => "LEAVE",
        }
    }

    /// As a shell reports a process that the signal ended.
    pub(super) fn exit_code(self) -> u8 {
        match self {
            Signal::Reload => 129,
            Signal::Interrupt => 130,
            Signal::Terminate | Signal::Leave => 143,
        }
    }
}

/// Takes the signals of this process from now on.
pub(super) fn signals(executor: &LocalExecutor<'static>) -> io::Result<Receiver<Signal>> {
    let mut arriving = Signals::new(Signal::OF_SYSTEM.map(|(signal, _)| signal))?;
    let (sender, receiver) = bounded(SIGNALS);
    let forward = async move {
        while let Some(Ok(signal)) = arriving.next().await {
            let mut known = Signal::OF_SYSTEM.into_iter();
            let Some((_, signal)) = known.find(|(known, _)| *known == signal) else {
                continue;
            };
            if sender.send(signal).await.is_err() {
                return;
            }
        }
    };
    executor.spawn(forward).detach();
    Ok(receiver)
}

/// Has the kernel kill this process when its parent ends. An error: the parent ended already.
pub(super) fn end_with(parent: Parent) -> io::Result<()> {
    let id = || getppid().map(|pid| pid.as_raw_nonzero().get().unsigned_abs());
    let expected = parent.pid.or_else(id);
    set_parent_process_death_signal(Some(DeathSignal::KILL))?;
    // It may have ended before the kernel was asked; then another process is the parent now.
    if expected.is_none() || id() != expected {
        return Err(io::Error::other(
            "the process to end with has ended already",
        ));
    }
    Ok(())
}

/// Allows as many descriptors as the system lets us: each stream and each client takes one.
pub(super) fn raise_descriptor_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::debug!(%error, "descriptor-limit-kept");
    }
}
