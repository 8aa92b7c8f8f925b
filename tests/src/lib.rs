//! A cluster of real sidecars in network namespaces, as one value that a test can hurt and
//! question.
//!
//! [`Cluster`] owns everything: a [`Network`] (a switch with one cable per host), the [`Host`]s on
//! it, the sidecar processes, their sockets and logs. Dropping it, also in a panic, removes it all.

mod agreed;
mod attached;
mod binary;
mod cluster;
mod disk;
mod host;
mod http;
pub mod keys;
mod log;
mod loopback;
mod network;
mod outsider;
mod sweep;
mod view;
pub mod wait;

pub use attached::Attached;
pub use binary::muster_binary;
pub use cluster::{Cluster, Family, Options, PORT};
pub use host::{Exit, Footprint, Host};
pub use http::{Asked, members_at};
pub use log::{Line, Mark};
pub use loopback::Loopback;
pub use network::{Cut, Network};
pub use outsider::{Capture, inside, raise_file_limit, within};
pub use view::{Agreed, CoordinatorView, MemberView, View};
