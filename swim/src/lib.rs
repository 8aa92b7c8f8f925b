//! The membership protocol of Muster, sans-IO.

pub mod config;
pub mod event;
pub mod limits;
pub mod members;
pub mod node;
pub mod stats;
pub mod time;

pub use config::{Config, ConfigError};
pub use event::{Event, EventKind, MemberInfo, RemovedCause, Silence, State, UnreachableCause};
pub use members::{
    Incarnation, Instance, Name, NameError, Record, Statement, Status, TagError, Tags,
};
pub use node::Identity;
pub use stats::{Dropped, Stats};
pub use time::Time;
