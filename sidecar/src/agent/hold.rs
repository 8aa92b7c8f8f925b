//! Waiting for the app that the member requires, before anything of the protocol begins.
//!
//! The local socket is served and the apps are attached; the member's own sockets are closed, so
//! that those who knew its former life meet a host that refuses.

use muster_swim::{Action, App, Node};
use smol::channel::{Receiver, Sender};
use smol::future::or;

use super::apps::Lost;
use super::handle::{Command, CommandError, Handle, Outcome, Request};
use super::process::Signal;
use super::report;
use crate::api::model;

/// What ended the waiting.
pub(super) enum Held {
    /// The app is attached. What the node wanted done meanwhile, and whether settings are to be
    /// read again.
    Attached(Vec<Action>, Option<Signal>),
    /// The agent is to end: it is in no cluster, so there is nobody to say goodbye to.
    Ended,
}

enum Input {
    Request(Request),
    Lost(Lost),
    Signal(Signal),
}

/// Whether the app runs beside this node.
pub(super) fn runs(node: &Node, app: &str) -> bool {
    node.apps().get(app).is_some_and(App::is_up)
}

/// Waits until `app` is attached.
pub(super) async fn until_attached(
    app: &str,
    handle: &Handle,
    requests: &Receiver<Request>,
    signals: &Receiver<Signal>,
) -> Held {
    tracing::info!(app, "waiting-for-app");
    handle.wait_for(Some(app.to_owned()));
    let lost = handle.lost();
    let (mut actions, mut reload) = (Vec::new(), None);
    loop {
        drain(handle, &mut actions);
        if handle.read(|node| runs(node, app)) {
            tracing::info!(app, "app-attached");
            handle.wait_for(None);
            return Held::Attached(actions, reload);
        }
        match next(requests, &lost, signals).await {
            Input::Request(Request { command, answer }) => {
                let result = apply(command, app, handle);
                let ends = matches!(result, Ok(Ended::Yes));
                let result = result.map(|done| match done {
                    Ended::Yes => Outcome::Done,
                    Ended::No(outcome) => outcome,
                });
                // Whoever asked may have gone.
                let _ = answer.try_send(result);
                if ends {
                    tracing::info!(reason = "command", "ended-before-app");
                    return end(requests);
                }
            }
            Input::Lost(lost) => lost.apply(handle, handle.clock().now()),
            Input::Signal(Signal::Reload) => reload = Some(Signal::Reload),
            Input::Signal(signal @ (Signal::Terminate | Signal::Interrupt)) => {
                tracing::info!(reason = signal.as_str(), "ended-before-app");
                return end(requests);
            }
        }
    }
}

async fn next(
    requests: &Receiver<Request>,
    lost: &Receiver<Lost>,
    signals: &Receiver<Signal>,
) -> Input {
    let request = async { received(requests).await.map(Input::Request) };
    let lost = async { received(lost).await.map(Input::Lost) };
    let signal = async { received(signals).await.map(Input::Signal) };
    match or(signal, or(lost, request)).await {
        Some(input) => input,
        None => std::future::pending().await,
    }
}

/// The next message; a channel whose senders are gone stays silent.
async fn received<T>(channel: &Receiver<T>) -> Option<T> {
    match channel.recv().await {
        Ok(message) => Some(message),
        Err(_) => std::future::pending().await,
    }
}

enum Ended {
    Yes,
    No(Outcome),
}

fn apply(command: Command, app: &str, handle: &Handle) -> Result<Ended, CommandError> {
    match command {
        Command::App(command) => command.apply(handle, handle.clock().now()).map(Ended::No),
        Command::Leave => Ok(Ended::Yes),
        Command::SetTag { .. }
        | Command::RemoveTag { .. }
        | Command::Keys(_)
        | Command::Join { .. }
        | Command::ConfirmView
        | Command::Remove { .. }
        | Command::Recover { .. } => Err(CommandError::WaitsForApp(app.to_owned())),
    }
}

fn end(requests: &Receiver<Request>) -> Held {
    requests.close();
    while let Ok(request) = requests.try_recv() {
        refuse(&request.answer);
    }
    Held::Ended
}

fn refuse(answer: &Sender<Result<Outcome, CommandError>>) {
    let _ = answer.try_send(Err(CommandError::Stopping));
}

/// Events are told as ever. Nobody is known yet to whom anything could be sent.
fn drain(handle: &Handle, actions: &mut Vec<Action>) {
    let mut buffer = Vec::new();
    while handle
        .change(|node| node.poll_transmit(&mut buffer))
        .is_some()
    {}
    while let Some(action) = handle.change(|node| node.poll_action()) {
        actions.push(action);
    }
    while let Some(event) = handle.change(|node| node.poll_event()) {
        let event = model::Event::new(&event, handle.clock());
        report::event(handle.log().borrow_mut().publish(event));
    }
    handle.look_around();
}
