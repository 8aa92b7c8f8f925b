use std::ffi::c_char;

use crate::attached::Attached;
use crate::client::Client;
use crate::guard::{Out, export};

export! {
    /// Attaches an app to the agent's member: every member is told that it is up, and at once when
    /// it is not. It lives as long as the handle, and no longer than the process. `body` is the
    /// JSON of `POST /v1/apps/{app}`, or NULL. Free it with `muster_attached_free`, which detaches.
    ///
    /// `POST`, `PUT` and `DELETE` of `/v1/apps/...` by `muster_client_request` say more of it: its
    /// health, and how it ended.
    fn muster_client_attach(
        client: Option<&Client>,
        app: *const c_char,
        body: *const c_char,
        timeout_ms: i64,
        attached: Out<'_, Attached>,
    ) -> Status {
        let (app, body) = (app.required()?, body.optional()?);
        attached.put(Attached::attach(client, app, body, timeout_ms)?);
        Ok(())
    }

    /// A descriptor that is readable when `muster_attached_check` is worth calling. It belongs to
    /// the handle: never read or close it. -1 in a child after `fork`.
    fn muster_attached_fd(attached: Option<&Attached>) -> i32 {
        attached.descriptor()
    }

    /// Whether the app still is attached; an error when it is not, as after a restart of the agent.
    /// Never waits. For one thread at a time: another one gets `MUSTER_STATUS_BUSY`.
    fn muster_attached_check(attached: Option<&Attached>) -> Status {
        attached.check()
    }

    /// Detaches the app and frees the handle. NULL is fine. In a child after `fork` it only frees:
    /// the app lives until both processes have.
    fn muster_attached_free(attached: Option<Box<Attached>>) -> () {
        drop(attached);
    }
}
