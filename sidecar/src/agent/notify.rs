//! What the agent tells its supervisor, if that wants to hear it (sd_notify): that it serves, that
//! it gets on, that it stops. Without `NOTIFY_SOCKET` in its environment all of this does nothing.

use sd_notify::NotifyState;
use smol::{LocalExecutor, Task, Timer};

use super::handle::Handle;

/// The local socket is served: what stands behind this agent may start.
pub(super) fn ready() {
    tell(NotifyState::Ready);
}

/// It says goodbye, which takes a moment.
pub(super) fn stopping() {
    tell(NotifyState::Stopping);
}

/// Shows signs of life twice in the time that the supervisor gives, as long as the loop gets on.
/// They end with what is returned.
pub(super) fn watchdog(executor: &LocalExecutor<'static>, handle: &Handle) -> Option<Task<()>> {
    let interval = sd_notify::watchdog_enabled()? / 2;
    let handle = handle.clone();
    Some(executor.spawn(async move {
        loop {
            if !handle.is_stuck() {
                tell(NotifyState::Watchdog);
            }
            Timer::after(interval).await;
        }
    }))
}

/// A supervisor that is not there any more is none.
fn tell(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::debug!(%error, "supervisor-not-told");
    }
}
