//! A member inside of another program: it takes no signals of the process, writes no log, and
//! leaves the limits of the process alone.

use std::path::PathBuf;
use std::rc::Rc;

use smol::LocalExecutor;
use smol::channel::{Receiver, Sender, bounded};

use super::process::Signal;
use super::rest::Rest;
use super::{AgentError, live, system};
use crate::api;
use crate::settings::Settings;

/// Orders that may wait: to leave, and to hurry.
const ORDERS: usize = 2;

/// How the program tells its member to leave, or to end. A cheap clone, for any thread.
#[derive(Clone, Debug)]
pub struct Orders {
    signals: Sender<Signal>,
    arriving: Receiver<Signal>,
    end: Sender<()>,
    ended: Receiver<()>,
}

impl Default for Orders {
    fn default() -> Orders {
        let (signals, arriving) = bounded(ORDERS);
        let (end, ended) = bounded(1);
        Orders {
            signals,
            arriving,
            end,
            ended,
        }
    }
}

impl Orders {
    /// Has the member say goodbye and end; said a second time, it ends at once.
    pub fn leave(&self) {
        // Full: it was told to hurry already.
        let _ = self.signals.try_send(Signal::Terminate);
    }

    /// Has the member end as a process that is killed does: without a goodbye.
    pub fn end(&self) {
        // Full: it was told already.
        let _ = self.end.try_send(());
    }
}

/// Runs a member on this thread until it has left or cannot go on. `serving` is told the path of
/// its local socket once that can be connected to.
pub fn run_embedded(
    settings: Settings,
    orders: &Orders,
    serving: impl FnOnce(PathBuf),
) -> Result<(), AgentError> {
    let executor = Rc::new(LocalExecutor::new());
    let rest = Rest::new().map_err(system("wait for datagrams"))?;
    let signals = orders.arriving.clone();
    let life = live(
        settings,
        Rc::clone(&executor),
        &rest,
        signals,
        None,
        serving,
    );
    let ended = async {
        // Its sender is in `orders`, so it comes or never does.
        let _ = orders.ended.recv().await;
        Err(AgentError::Interrupted {
            signal: "KILL",
            code: 137,
        })
    };
    rest.block_on(api::in_turns(&executor, smol::future::or(ended, life)))
}
