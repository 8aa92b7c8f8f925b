//! Spreading: what is passed on to whom, how often, and what differs between two tables.

mod queue;

#[cfg(test)]
mod tests;

pub(crate) use queue::{CROWD, Queue, Urgency, send_limit};
