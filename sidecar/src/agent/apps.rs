//! Apps: what the local socket asks for, and what becomes of one that nobody holds any more.

use std::fmt;
use std::sync::Arc;

use muster_swim::{AppHealth, Attachment, Ending, Time};
use smol::channel::Sender;

use super::handle::{CommandError, Handle, Outcome};

/// A change of an app of this member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppCommand {
    /// It begins to live beside this member.
    Attach {
        /// Its name.
        app: String,
    },
    /// It ended.
    End {
        /// Its name.
        app: String,
        /// Which attachment; else whichever runs.
        attachment: Option<Attachment>,
        /// How.
        ending: Ending,
    },
    /// It reports its health.
    Report {
        /// Its name.
        app: String,
        /// How it is.
        health: AppHealth,
        /// A few words to it.
        note: String,
    },
}

/// An attachment: when the last clone is dropped and nobody said how the app ended, it is lost.
#[derive(Clone)]
pub struct Attached(Arc<Hold>);

struct Hold {
    app: String,
    attachment: Attachment,
    lost: Sender<Lost>,
}

/// An app that nobody holds any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lost {
    app: String,
    attachment: Attachment,
}

impl Attached {
    /// The name of the app.
    pub fn app(&self) -> &str {
        &self.0.app
    }

    /// Which attachment of it.
    pub fn attachment(&self) -> Attachment {
        self.0.attachment
    }
}

impl PartialEq for Attached {
    fn eq(&self, other: &Attached) -> bool {
        (self.app(), self.attachment()) == (other.app(), other.attachment())
    }
}

impl Eq for Attached {}

impl fmt::Debug for Attached {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?} as {:?}", self.app(), self.attachment())
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let (app, attachment) = (std::mem::take(&mut self.app), self.attachment);
        // Nobody listens once the agent ends; then the goodbye says it.
        let _ = self.lost.try_send(Lost { app, attachment });
    }
}

impl AppCommand {
    /// Has the node do it.
    pub(crate) fn apply(self, handle: &Handle, now: Time) -> Result<Outcome, CommandError> {
        match self {
            AppCommand::Attach { app } => {
                let attachment = handle.change(|node| node.attach(&app, now))?;
                let lost = handle.losing();
                Ok(Outcome::Attached(Attached(Arc::new(Hold {
                    app,
                    attachment,
                    lost,
                }))))
            }
            AppCommand::End {
                app,
                attachment,
                ending,
            } => {
                handle.change(|node| node.end_app(&app, attachment, ending, now))?;
                Ok(Outcome::Done)
            }
            AppCommand::Report { app, health, note } => {
                handle.change(|node| node.report_app(&app, health, &note, now))?;
                Ok(Outcome::Done)
            }
        }
    }
}

impl Lost {
    /// Has the node tell it, unless it ended already.
    pub(crate) fn apply(&self, handle: &Handle, now: Time) {
        let ended = Some(self.attachment);
        // What ended already was told when it did.
        let _ = handle.change(|node| node.end_app(&self.app, ended, Ending::Lost, now));
    }
}
