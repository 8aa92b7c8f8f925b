use std::ffi::c_char;

use crate::agent::Agent;
use crate::guard::{Out, export};

export! {
    /// Starts a member inside of this process, on threads of its own: it takes no signals and
    /// writes no log. `settings` is TOML with the names of the agent's settings (see
    /// `muster agent --help`), or NULL; variables and files do not count. Returns once its local
    /// socket can be connected to, within `timeout_ms` (negative: as long as it takes).
    ///
    /// It serves the local socket as a sidecar does: use it by a client, and so can `muster
    /// members`. Any thread may use the handle, any number at once. After `fork` only the parent
    /// has the member; a child that does not exec keeps its descriptors open.
    fn muster_agent_start(
        settings: *const c_char,
        timeout_ms: i64,
        agent: Out<'_, Agent>,
    ) -> Status {
        agent.put(Agent::start(settings.optional()?.unwrap_or_default(), timeout_ms)?);
        Ok(())
    }

    /// The path of its local socket. It belongs to the agent.
    fn muster_agent_socket(agent: Option<&Agent>) -> *const c_char {
        agent.socket.as_ptr()
    }

    /// Whether it runs. Else it is an error that says how it ended: `MUSTER_STATUS_AGENT_ENDED`
    /// after a leave, `MUSTER_STATUS_NAME_TAKEN`, ...
    fn muster_agent_check(agent: Option<&Agent>) -> Status {
        agent.check()
    }

    /// Has it say goodbye and end, and waits for that, at most `timeout_ms` (negative: as long as
    /// it takes). Said again after `MUSTER_STATUS_TIMEOUT`, it ends at once.
    fn muster_agent_stop(agent: Option<&Agent>, timeout_ms: i64) -> Status {
        agent.stop(timeout_ms)
    }

    /// Frees an agent. One that was not stopped ends at once, without a goodbye, and the others
    /// find it dead. NULL is fine.
    fn muster_agent_free(agent: Option<Box<Agent>>) -> () {
        drop(agent);
    }
}
