//! The functions of `muster.h`, and nothing but what leads to the modules that do the work.

#![allow(unsafe_code, reason = "what C calls is unsafe by nature")]

mod agent;
mod attached;
mod client;
mod error;
mod events;
mod members;

use crate::agent::Agent;
use crate::attached::Attached;
use crate::client::{Call, Client, Response};
use crate::document::{Coordinator, Event, EventKind, Member, Members, State, Verdict};
use crate::failure::Status;
use crate::guard::{Error, Nothing, Opaque};
use crate::stream::Events;

impl Opaque for Agent {}
impl Opaque for Attached {}
impl Opaque for Call {}
impl Opaque for Client {}
impl Opaque for Coordinator {}
impl Opaque for Error {}
impl Opaque for Event {}
impl Opaque for Events {}
impl Opaque for Member {}
impl Opaque for Members {}
impl Opaque for Response {}

impl Nothing for Status {
    const NOTHING: Status = Status::NullArgument;
}

impl Nothing for EventKind {
    const NOTHING: EventKind = EventKind::Other;
}

impl Nothing for State {
    const NOTHING: State = State::Other;
}

impl Nothing for Verdict {
    const NOTHING: Verdict = Verdict::None;
}
