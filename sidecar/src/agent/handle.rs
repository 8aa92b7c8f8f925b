//! What the local socket may do with the running node: read it, and ask the loop for a change.

use std::cell::RefCell;
use std::rc::Rc;

use muster_swim::{Node, SeedError, TagError};
use smol::channel::{Receiver, Sender, bounded};

use super::clock::Clock;
use crate::api::events::EventLog;

/// Commands that may wait for the loop; whoever sends one more waits for a place.
const COMMANDS: usize = 64;

/// The running node as seen by the local socket. A cheap clone; stays on its thread.
#[derive(Clone)]
pub struct Handle(Rc<Shared>);

struct Shared {
    node: RefCell<Node>,
    log: Rc<RefCell<EventLog>>,
    clock: Clock,
    requests: Sender<Request>,
}

/// A change that the loop is asked to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Publish a tag.
    SetTag {
        /// Its key.
        key: String,
        /// Its new value.
        value: String,
    },
    /// Publish a tag no longer.
    RemoveTag {
        /// Its key.
        key: String,
    },
    /// Add seeds and try them at once.
    Join {
        /// Each `host:port`.
        seeds: Vec<String>,
    },
    /// Say goodbye and stop.
    Leave,
}

/// Why a command was not carried out; nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// The tag is refused: the caller is at fault.
    #[error(transparent)]
    Tag(#[from] TagError),
    /// The seed is refused: the caller is at fault.
    #[error(transparent)]
    Seed(#[from] SeedError),
    /// There is no tag with this key.
    #[error("this member has no tag {0:?}")]
    NoSuchTag(String),
    /// The agent is about to end.
    #[error("this agent is stopping and takes no more commands")]
    Stopping,
}

/// A command on its way to the loop, with the place its answer goes to.
#[derive(Debug)]
pub struct Request {
    /// What to do.
    pub command: Command,
    /// Takes exactly one answer without waiting.
    pub answer: Sender<Result<(), CommandError>>,
}

impl Handle {
    /// Wraps a node; who holds the receiver carries out the commands.
    pub fn new(
        node: Node,
        log: Rc<RefCell<EventLog>>,
        clock: Clock,
    ) -> (Handle, Receiver<Request>) {
        let (requests, receiver) = bounded(COMMANDS);
        let shared = Shared {
            node: RefCell::new(node),
            log,
            clock,
            requests,
        };
        (Handle(Rc::new(shared)), receiver)
    }

    /// Lends the node for reading. `f` must not call this handle again for a change.
    pub fn read<T>(&self, f: impl FnOnce(&Node) -> T) -> T {
        f(&self.0.node.borrow())
    }

    /// Has a command carried out by the loop; returns once it was, a leave once it is through.
    pub async fn command(&self, command: Command) -> Result<(), CommandError> {
        let (answer, answered) = bounded(1);
        let request = Request { command, answer };
        self.0
            .requests
            .send(request)
            .await
            .map_err(|_| CommandError::Stopping)?;
        answered.recv().await.unwrap_or(Err(CommandError::Stopping))
    }

    /// The events so far; the loop publishes into it.
    pub fn log(&self) -> &Rc<RefCell<EventLog>> {
        &self.0.log
    }

    /// The clock of the node's times.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Lends the node for a change: for the loop, and for tests that stand in for it.
    pub(crate) fn change<T>(&self, f: impl FnOnce(&mut Node) -> T) -> T {
        f(&mut self.0.node.borrow_mut())
    }
}
