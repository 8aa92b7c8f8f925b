//! The answer that lasts as long as an app is attached.

use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use smol::{Async, Timer};

use super::events::ReaderId;
use super::model::{App, AttachedLine};
use super::stream::Stopping;
use crate::agent::{Attached, Handle};

/// A body with a line at its start and one at its end. When it is dropped, because the client went
/// away, or when the process ends, the app is lost.
pub(super) struct AttachedBody {
    handle: Handle,
    member: String,
    name: String,
    attachment: u64,
    /// Given back when the process has ended.
    attached: Option<Attached>,
    process: Option<Async<OwnedFd>>,
    /// The next event may be the app's end.
    reader: ReaderId,
    greeted: bool,
    over: bool,
    keep_alive: Timer,
    keep_alive_interval: Duration,
    stopping: Stopping,
}

impl AttachedBody {
    pub(super) fn new(
        handle: &Handle,
        attached: Attached,
        process: Option<Async<OwnedFd>>,
        keep_alive_interval: Duration,
        stopping: Stopping,
    ) -> AttachedBody {
        AttachedBody {
            handle: handle.clone(),
            member: handle.read(|node| node.identity().name.to_string()),
            name: attached.app().to_owned(),
            attachment: attached.attachment().0,
            attached: Some(attached),
            process,
            reader: handle.log().borrow_mut().add_reader(),
            greeted: false,
            over: false,
            keep_alive: Timer::after(keep_alive_interval),
            keep_alive_interval,
            stopping,
        }
    }

    pub(super) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Vec<u8>>> {
        if self.over {
            return Poll::Ready(None);
        }
        let app = self.look();
        if !std::mem::replace(&mut self.greeted, true) {
            return Poll::Ready(Some(self.line(app)));
        }
        if app.state == "down" {
            self.over = true;
            return Poll::Ready(Some(self.line(app)));
        }
        if self.stopping.get() {
            return Poll::Ready(None);
        }
        self.handle
            .log()
            .borrow_mut()
            .wait(self.reader, context.waker());
        let ended = |process: &Async<OwnedFd>| process.poll_readable(context).is_ready();
        if self.process.as_ref().is_some_and(ended) {
            // The loop hears of it, and its event wakes this body for the last line.
            (self.process, self.attached) = (None, None);
        }
        ready!(Pin::new(&mut self.keep_alive).poll(context));
        self.keep_alive.set_after(self.keep_alive_interval);
        Poll::Ready(Some(b"\n".to_vec()))
    }

    /// The app as it is now.
    fn look(&self) -> App {
        let held = self.handle.read(|node| {
            let held = node.apps().get(&self.name);
            let held = held.filter(|held| held.attachment.0 == self.attachment);
            held.map(App::new)
        });
        held.unwrap_or_else(|| App {
            state: "down".into(),
            attachment: self.attachment,
            ended: Some("unknown".into()),
            ..App::default()
        })
    }

    fn line(&self, app: App) -> Vec<u8> {
        let line = AttachedLine {
            member: self.member.clone(),
            name: self.name.clone(),
            app,
        };
        let mut text = serde_json::to_vec(&line).expect("the shapes have only text as keys");
        text.push(b'\n');
        text
    }
}

impl Drop for AttachedBody {
    fn drop(&mut self) {
        self.handle.log().borrow_mut().remove_reader(self.reader);
    }
}
