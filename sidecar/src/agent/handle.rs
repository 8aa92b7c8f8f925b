//! What the local socket may do with the running node: read it, and ask the loop for a change.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::path::PathBuf;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use muster_swim::{
    AppError, AskError, Epoch, KeyRefusal, KeyReport, Lifecycle, Name, Node, Quorum, RecoverError,
    SeedError, TagError, Time, View,
};
use smol::channel::{Receiver, Sender, bounded, unbounded};

use super::apps::{AppCommand, Attached, Lost};
use super::clock::Clock;
use super::keys::KeyCommand;
use super::memory::StoreFigures;
use crate::api::events::EventLog;

/// Commands that may wait for the loop; whoever sends one more waits for a place.
const COMMANDS: usize = 64;

/// How far the loop may be behind its deadline before it counts as stuck.
const STUCK: Duration = Duration::from_secs(10);

/// The running node as seen by the local socket. A cheap clone; stays on its thread.
#[derive(Clone)]
pub struct Handle(Rc<Shared>);

struct Shared {
    node: RefCell<Node>,
    log: Rc<RefCell<EventLog>>,
    clock: Clock,
    requests: Sender<Request>,
    /// One for each attachment, of which the core takes few at a time.
    lost: (Sender<Lost>, Receiver<Lost>),
    waiting: RefCell<Waiting>,
    /// The app that this member waits for before it joins.
    waits_for: RefCell<Option<String>>,
    /// What is known of the store; none without a data directory.
    store: OnceCell<StoreFigures>,
    places: RefCell<Places>,
}

/// Files that the agent works with; as absolute paths, since whoever is told may be elsewhere.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places {
    pub(crate) config: Option<PathBuf>,
    pub(crate) data_dir: Option<PathBuf>,
    pub(crate) key_file: Option<PathBuf>,
}

/// Who waits for the agreed state to change.
#[derive(Default)]
struct Waiting {
    wakers: BTreeMap<u64, Waker>,
    next: u64,
    /// What they saw last.
    seen: Option<Standing>,
}

/// What waiting requests wait for: when none of it changed, nobody need look again.
type Standing = (View, Epoch, Option<Name>, Quorum, Lifecycle);

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
    /// Ask the coordinator which view is the last, and wait for it.
    ConfirmView,
    /// Ask the coordinator to remove a member.
    Remove {
        /// Its name.
        name: String,
        /// Also when it answers.
        force: bool,
    },
    /// Change something about an app.
    App(AppCommand),
    /// Change the keys of the cluster, or see who has which.
    Keys(KeyCommand),
    /// Rebuild a lost quorum.
    Recover {
        /// All members that answer.
        survivors: Vec<Name>,
    },
}

/// What came of a command that was carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is done.
    Done,
    /// This view has it, and this member knows it.
    View(View),
    /// An app is attached, as long as this is held.
    Attached(Attached),
    /// These have these keys now.
    Keys(KeyReport),
}

/// Why a command was not carried out; nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// The tag is refused: the caller is at fault.
    #[error(transparent)]
    Tag(#[from] TagError),
    /// The change of an app is refused.
    #[error(transparent)]
    App(#[from] AppError),
    /// The seed is refused: the caller is at fault.
    #[error(transparent)]
    Seed(#[from] SeedError),
    /// There is no tag with this key.
    #[error("this member has no tag {0:?}")]
    NoSuchTag(String),
    /// The coordinator could not be asked, or refused.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// The keys were not changed.
    #[error(transparent)]
    Keys(#[from] KeyRefusal),
    /// The quorum was not rebuilt.
    #[error(transparent)]
    Recover(#[from] RecoverError),
    /// So many questions are open that no more are taken.
    #[error("too many questions wait for the coordinator already; try again in a moment")]
    Busy,
    /// The member waits for its app and has begun nothing yet.
    #[error(
        "this member waits for its app {0:?} before it joins: attach it first, with `muster attach \
         --name {0}`"
    )]
    WaitsForApp(String),
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
    pub answer: Sender<Result<Outcome, CommandError>>,
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
            lost: unbounded(),
            waiting: RefCell::default(),
            waits_for: RefCell::default(),
            store: OnceCell::new(),
            places: RefCell::default(),
        };
        (Handle(Rc::new(shared)), receiver)
    }

    /// Lends the node for reading. `f` must not call this handle again for a change.
    pub fn read<T>(&self, f: impl FnOnce(&Node) -> T) -> T {
        f(&self.0.node.borrow())
    }

    /// Has a command carried out by the loop; returns once it was, a leave once it is through.
    pub async fn command(&self, command: Command) -> Result<Outcome, CommandError> {
        let (answer, answered) = bounded(1);
        let request = Request { command, answer };
        self.0
            .requests
            .send(request)
            .await
            .map_err(|_| CommandError::Stopping)?;
        answered.recv().await.unwrap_or(Err(CommandError::Stopping))
    }

    /// The app that this member waits for before it joins, if it does.
    pub fn waits_for(&self) -> Option<String> {
        self.0.waits_for.borrow().clone()
    }

    /// The files that the agent works with.
    pub(crate) fn places(&self) -> Places {
        self.0.places.borrow().clone()
    }

    pub(super) fn show_places(&self, places: Places) {
        *self.0.places.borrow_mut() = places;
    }

    pub(super) fn show_key_file(&self, path: Option<PathBuf>) {
        self.0.places.borrow_mut().key_file = path;
    }

    pub(super) fn wait_for(&self, app: Option<String>) {
        *self.0.waits_for.borrow_mut() = app;
    }

    /// Whether the loop is far behind its own deadline: then nothing of the protocol gets on.
    pub fn is_stuck(&self) -> bool {
        let deadline = self.read(|node| node.poll_timeout()).map(|next| next.at);
        // Nothing of the protocol has begun while it waits for its app.
        is_far_behind(deadline, self.0.clock.now()) && self.waits_for().is_none()
    }

    /// What is known of the store.
    pub(crate) fn store(&self) -> Option<&StoreFigures> {
        self.0.store.get()
    }

    /// Shows what is known of the store, from the start of the loop on.
    pub(super) fn show_store(&self, figures: StoreFigures) {
        // There is one store in the life of an agent.
        let _ = self.0.store.set(figures);
    }

    /// The apps that nobody holds any more; whoever drains the node ends them.
    pub(crate) fn lost(&self) -> Receiver<Lost> {
        self.0.lost.1.clone()
    }

    pub(super) fn losing(&self) -> Sender<Lost> {
        self.0.lost.0.clone()
    }

    /// Waits until `look` gives something. It looks at once, and again whenever the agreed state
    /// changed or `Handle::wake` was called.
    pub async fn until<T>(&self, mut look: impl FnMut(&Node) -> Option<T>) -> T {
        let waiter = Waiter::new(self);
        poll_fn(|context| match self.read(&mut look) {
            Some(found) => Poll::Ready(found),
            None => {
                let mut waiting = self.0.waiting.borrow_mut();
                waiting.wakers.insert(waiter.id, context.waker().clone());
                Poll::Pending
            }
        })
        .await
    }

    /// Wakes who waits if the agreed state changed; for whoever drains the node.
    pub(crate) fn look_around(&self) {
        if self.0.waiting.borrow().wakers.is_empty() {
            return;
        }
        let standing = self.read(|node| {
            let agreement = node.agreement(self.0.clock.now());
            (
                agreement.view,
                agreement.epoch,
                agreement.coordinator,
                agreement.quorum,
                node.lifecycle(),
            )
        });
        if self.0.waiting.borrow().seen.as_ref() != Some(&standing) {
            self.0.waiting.borrow_mut().seen = Some(standing);
            self.wake();
        }
    }

    /// Has everybody who waits look again.
    pub(crate) fn wake(&self) {
        let wakers = std::mem::take(&mut self.0.waiting.borrow_mut().wakers);
        for waker in wakers.into_values() {
            waker.wake();
        }
    }

    /// How many wait.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.0.waiting.borrow().wakers.len()
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

fn is_far_behind(deadline: Option<Time>, now: Time) -> bool {
    deadline.is_some_and(|deadline| deadline + STUCK <= now)
}

/// What came of a question to the coordinator.
pub(crate) fn outcome(answer: muster_swim::Answer) -> Result<Outcome, CommandError> {
    match answer {
        muster_swim::Answer::Current(view) | muster_swim::Answer::Removed(view) => {
            Ok(Outcome::View(view))
        }
        muster_swim::Answer::Keys(report) => match report.refused {
            Some(refusal) => Err(refusal.into()),
            None => Ok(Outcome::Keys(report)),
        },
        muster_swim::Answer::Failed(error) => Err(error.into()),
    }
}

/// A place among those who wait, free again when it is dropped.
struct Waiter<'a> {
    handle: &'a Handle,
    id: u64,
}

impl Waiter<'_> {
    fn new(handle: &Handle) -> Waiter<'_> {
        let mut waiting = handle.0.waiting.borrow_mut();
        waiting.next += 1;
        let id = waiting.next;
        Waiter { handle, id }
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.handle.0.waiting.borrow_mut().wakers.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_is_stuck_when_it_is_far_behind_its_deadline() {
        let at = |seconds| Time::ZERO + Duration::from_secs(seconds);
        for (deadline, now, expected) in [
            (None, 1000, false),
            (Some(at(100)), 0, false),
            (Some(at(100)), 109, false),
            (Some(at(100)), 110, true),
            (Some(at(100)), 500, true),
        ] {
            let found = is_far_behind(deadline, at(now));
            assert_eq!(found, expected, "{deadline:?} at {now} s");
        }
    }
}
