//! The local socket: HTTP/1.1 and JSON on a UNIX socket, events as server-sent events.
//!
//! `socket` makes the file and `http` the TCP address, `door` tells who asks, `server` accepts and
//! bounds the connections, `routes` answers, `metrics` counts, `events` and `stream` carry the
//! events, `access` decides who may read and who may change things.

mod access;
mod attached;
mod door;
pub mod events;
#[cfg(feature = "fuzz")]
pub(crate) mod fuzz;
mod http;
mod listing;
mod metrics;
pub mod model;
mod problem;
mod query;
mod routes;
mod server;
mod socket;
mod stream;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod timer;

pub use access::{Access, UnknownName};
pub(crate) use access::{is_group, is_user};
pub use http::{HttpError, HttpListener, bind_http};
pub use server::in_turns;
pub use socket::{Listener, PATH_BYTES, SocketError, bind};

use crate::agent::Handle;

/// Serves the local socket until dropped; then the socket file is removed.
pub async fn serve(listener: Listener, handle: Handle, access: Access) {
    serve_until(listener, None, handle, access, std::future::pending()).await;
}

/// Serves the local socket, and the TCP address if there is one, until `stop` is ready. Then the
/// socket file is removed, the answers under way are finished (for a second at most), and streams
/// end after the last event.
pub async fn serve_until(
    listener: Listener,
    http: Option<HttpListener>,
    handle: Handle,
    access: Access,
    stop: impl Future<Output = ()>,
) {
    let shared = routes::Shared::new(handle, access);
    server::run(listener, http, shared, server::Bounds::default(), stop).await;
}
