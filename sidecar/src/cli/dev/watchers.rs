//! What tells `muster dev` of its sidecars: tasks that wait and report, and decide nothing.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use rustix::process::{PidfdFlags, pidfd_open};
use smol::channel::Sender;
use smol::{Async, LocalExecutor, Task, Timer};

use super::super::client::Client;
use super::super::sse::Message;
use super::Input;
use super::children::{Child, as_pid};
use crate::api::model::{Cursor, Members};

/// Between two looks at the members that one sidecar sees, in a small cluster.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The same for each sidecar in a large one: together they are asked 40 times a second at most.
const LOOK_SHARE: Duration = Duration::from_millis(25);

/// A sidecar on the same host that does not answer for so long is not well.
const PATIENCE: Duration = Duration::from_secs(1);

/// Between two tries to reach a sidecar that is just starting.
const RETRY: Duration = Duration::from_millis(20);

/// Where a report comes from: which sidecar, and which of its lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Source {
    /// Its place in the table.
    pub(super) child: usize,
    /// Its life; reports of earlier lives are stale.
    pub(super) life: u32,
}

/// What a watcher saw.
#[derive(Debug)]
pub(super) enum Report {
    /// The process ended.
    Ended(SystemTime),
    /// What it sees now; none when it did not answer.
    Sees(Option<Box<Sight>>),
    /// A message of its event stream.
    Event(Box<Message>),
}

/// What a sidecar sees.
#[derive(Debug)]
pub(super) struct Sight {
    /// The members, with the view and the epoch.
    pub(super) members: Members,
    /// Who decides, if anybody does.
    pub(super) coordinator: Option<String>,
}

/// Watches one life of a sidecar for as long as the tasks are kept.
pub(super) fn watch(
    executor: &Rc<LocalExecutor<'static>>,
    source: Source,
    child: &Child,
    count: usize,
    inputs: &Sender<Input>,
) -> Vec<Task<()>> {
    let client = |patience| Client::at(child.socket.clone()).with_patience(patience);
    let every = LOOK_EVERY.max(LOOK_SHARE * u32::try_from(count).unwrap_or(u32::MAX));
    vec![
        executor.spawn(await_end(source, child.pid(), inputs.clone())),
        executor.spawn(look(source, client(PATIENCE), every, inputs.clone())),
        executor.spawn(follow(source, child.socket.clone(), inputs.clone())),
    ]
}

async fn await_end(source: Source, pid: Option<u32>, inputs: Sender<Input>) {
    let pidfd = pid
        .and_then(as_pid)
        .and_then(|pid| pidfd_open(pid, PidfdFlags::NONBLOCK).ok());
    // Where the kernel has no such descriptors, the regular look at all processes finds its end.
    let Some(ended) = pidfd.and_then(|pidfd: OwnedFd| Async::new_nonblocking(pidfd).ok()) else {
        return;
    };
    if ended.readable().await.is_ok() {
        let _ = inputs
            .send(Input::Report(source, Report::Ended(SystemTime::now())))
            .await;
    }
}

async fn look(source: Source, client: Client, every: Duration, inputs: Sender<Input>) {
    let mut answered = false;
    loop {
        let sight = see(&client).await.map(Box::new);
        // Until its first answer it is starting, which is no news.
        answered |= sight.is_some();
        if answered
            && inputs
                .send(Input::Report(source, Report::Sees(sight)))
                .await
                .is_err()
        {
            return;
        }
        Timer::after(if answered { every } else { RETRY }).await;
    }
}

async fn see(client: &Client) -> Option<Sight> {
    let members = client.members(&[]).await.ok()?;
    let coordinator = client.coordinator(None).await;
    Some(Sight {
        members,
        coordinator: coordinator.ok().map(|coordinator| coordinator.name),
    })
}

async fn follow(source: Source, socket: PathBuf, inputs: Sender<Input>) {
    let client = Client::at(socket);
    let mut cursor = None;
    loop {
        if let Some(cursor) = cursor.as_mut() {
            follow_once(source, &client, cursor, &inputs).await;
        } else if let Some(now) = client.cursor().await.ok().and_then(|now| now.parse().ok()) {
            // From the very first event of this life.
            cursor = Some(Cursor { seq: 0, ..now }.to_string());
            continue;
        }
        Timer::after(RETRY).await;
    }
}

async fn follow_once(source: Source, client: &Client, cursor: &mut String, inputs: &Sender<Input>) {
    let Ok(mut stream) = client.events(Some(cursor), &[]).await else {
        return;
    };
    while let Some(Ok(message)) = stream.next().await {
        if let Some(id) = &message.id {
            cursor.clone_from(id);
        }
        let report = Report::Event(Box::new(message));
        if inputs.send(Input::Report(source, report)).await.is_err() {
            return;
        }
    }
}
