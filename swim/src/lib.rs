//! The membership protocol of Muster: SWIM with ring buddies, sans-IO.
//!
//! [`Node`] is one member's whole protocol. It has no clock, socket, thread or randomness of its
//! own: the caller hands in time, datagrams and streams, and carries out what the node asks for.
//! The sidecar, the embedded agent and the simulator drive the same few calls.

#![cfg_attr(
    test,
    allow(
        clippy::disallowed_macros,
        reason = "a test counts on its thread what is zeroed: memory that was given back is gone"
    )
)]

mod bounded;
pub mod config;
mod coordinator;
mod detector;
pub mod event;
#[cfg(feature = "fuzz")]
pub mod fuzz;
mod gossip;
#[cfg(any(all(test, feature = "sim"), feature = "fuzz"))]
mod lies;
pub mod limits;
pub mod members;
pub mod node;
mod ring;
mod rng;
#[cfg(feature = "sim")]
pub mod sim;
pub mod stats;
pub mod time;
mod wire;

pub use config::{Config, ConfigError, Parts, Tell};
pub use coordinator::{
    Epoch, Evidence, Finding, Lineage, Reason, Standing, Testimony, Verdict, View, VoterId,
    VoterKey,
};
pub use event::{
    AppDownCause, DeadCause, Event, EventKind, MemberInfo, RemovedCause, Silence, State,
    UnreachableCause,
};
pub use members::{
    App, AppError, AppHealth, AppState, Apps, Attachment, Ending, Incarnation, Instance, Name,
    NameError, Record, Statement, Status, TagError, Tags,
};
pub use node::{
    Action, Agreement, Answer, AskError, CaseFile, ContactInfo, Deadline, Identity, KeyChange,
    KeyHolder, KeyRefusal, KeyReport, KeyTicket, Lifecycle, LinkInfo, LinkState, Mark, Memory,
    NewError, Node, Quorum, RecoverError, RingPlace, Role, SaveTicket, SeedError, SeedInfo, Stop,
    StreamEnd, StreamId, Ticket, Write,
};
pub use rng::Seed;
pub use stats::{Dropped, Stats};
pub use time::Time;
pub use wire::sealing::{HeldKeys, Key, KeyError, KeyId, KeyInfo, Keyring, Plaintext};
