//! Everything that can happen to the agent, and the tasks that wait for it.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use muster_swim::{KeyTicket, SaveTicket, StreamId};
use smol::channel::{Receiver, Sender};
use smol::stream::Stream;
use smol::{Async, LocalExecutor, Timer};

use super::apps::Lost;
use super::handle::Request;
use super::keys::{self, KeyFileError};
use super::process::Signal;
use super::sockets::plain;
use super::streams::StreamInput;
use crate::settings::Settings;

/// Inputs of tasks that may wait for the loop; a task with one more waits itself.
pub(super) const INPUTS: usize = 64;

/// How long accepting rests when the system has nothing left to accept with.
const ACCEPT_REST: Duration = Duration::from_millis(100);

/// One thing that happened.
#[derive(Debug)]
pub(super) enum Input {
    /// The core's deadline has come.
    Timeout,
    /// Datagrams may be there.
    Datagrams,
    /// The local socket asks for a change.
    Request(Request),
    /// Nobody holds an app any more.
    Lost(Lost),
    /// The process got a signal.
    Signal(Signal),
    /// Somebody opened a stream.
    Accepted(Async<TcpStream>, SocketAddr),
    /// Something about a stream.
    Stream(StreamId, StreamInput),
    /// A seed's addresses; none when its name has none.
    Resolved(String, Vec<SocketAddr>),
    /// The key file was replaced, or not.
    KeysKept(KeyTicket, bool),
    /// Settings that are to be taken, with what was read of the key file.
    Loaded(Box<Settings>, Result<keys::Taken, KeyFileError>),
    /// A save is on the disk, or failed for this reason.
    Saved(SaveTicket, Result<(), String>),
}

/// Accepts streams for ever.
pub(super) async fn accept(listener: Async<TcpListener>, inputs: Sender<Input>) {
    let mut was_refused = false;
    loop {
        match listener.accept().await {
            Ok((stream, from)) => {
                was_refused = false;
                if inputs
                    .send(Input::Accepted(stream, plain(from)))
                    .await
                    .is_err()
                {
                    return;
                }
            }
            Err(error) => {
                // Mostly no descriptor is left. Said once; tried again all the time.
                if !std::mem::replace(&mut was_refused, true) {
                    tracing::warn!(%error, "accept-failed");
                }
                Timer::after(ACCEPT_REST).await;
            }
        }
    }
}

/// Resolves names on the side.
pub(super) struct Resolver {
    executor: Rc<LocalExecutor<'static>>,
    inputs: Sender<Input>,
    under_way: BTreeSet<String>,
}

impl Resolver {
    pub(super) fn new(executor: Rc<LocalExecutor<'static>>, inputs: Sender<Input>) -> Resolver {
        Resolver {
            executor,
            inputs,
            under_way: BTreeSet::new(),
        }
    }

    /// Looks `seed` up, unless that is being done: name servers can be slower than the next try.
    pub(super) fn start(&mut self, seed: String) {
        if !self.under_way.insert(seed.clone()) {
            return;
        }
        let inputs = self.inputs.clone();
        let look_up = async move {
            let found = smol::net::resolve(&*seed).await;
            if let Err(error) = &found {
                tracing::debug!(seed, %error, "resolve-failed");
            }
            let addresses = found.unwrap_or_default().into_iter().map(plain).collect();
            // Nobody listens once the agent ends; then nothing is left to say.
            let _ = inputs.send(Input::Resolved(seed, addresses)).await;
        };
        self.executor.spawn(look_up).detach();
    }

    /// The answer for `seed` has been taken.
    pub(super) fn finish(&mut self, seed: &str) {
        self.under_way.remove(seed);
    }
}

/// The next message; a channel whose senders are gone stays silent.
pub(super) fn poll_channel<T>(
    channel: &mut Pin<Box<Receiver<T>>>,
    context: &mut Context<'_>,
) -> Poll<T> {
    match channel.as_mut().poll_next(context) {
        Poll::Ready(Some(message)) => Poll::Ready(message),
        Poll::Ready(None) | Poll::Pending => Poll::Pending,
    }
}
