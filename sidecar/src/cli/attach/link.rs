//! The attachment to an agent that may go and come back.

use std::time::Duration;

use smol::Timer;

use crate::cli::client::{AttachedApp, Client, ClientError};

/// The pauses between two tries to attach again.
const RETRY_FIRST: Duration = Duration::from_millis(50);
const RETRY_LAST: Duration = Duration::from_secs(1);

/// An app and what attaches it, as long as there is an agent.
pub(super) struct Link {
    client: Client,
    app: String,
    held: Option<AttachedApp>,
    /// Grows while nobody attaches it.
    pause: Duration,
    /// What the agent last said against it, said once.
    refused: Option<String>,
}

impl Link {
    pub(super) fn new(client: Client, app: String, held: AttachedApp) -> Link {
        Link {
            client,
            app,
            held: Some(held),
            pause: RETRY_FIRST,
            refused: None,
        }
    }

    pub(super) fn app(&self) -> &str {
        &self.app
    }

    /// The present attachment, if there is one.
    pub(super) fn attachment(&self) -> Option<u64> {
        self.held.as_ref().map(AttachedApp::attachment)
    }

    /// Waits for the end of the attachment, or tries for another one. To be called for ever; it may
    /// be dropped in between.
    pub(super) async fn keep(&mut self) {
        match &mut self.held {
            Some(held) => {
                held.ended().await;
                self.held = None;
                self.pause = RETRY_FIRST;
                eprintln!(
                    "muster: the agent at {} holds {:?} no more; the command goes on, and is \
                     attached again as soon as possible",
                    self.client.socket().display(),
                    self.app
                );
            }
            None => {
                Timer::after(self.pause).await;
                self.pause = (self.pause * 2).min(RETRY_LAST);
                self.try_again().await;
            }
        }
    }

    async fn try_again(&mut self) {
        match self.client.attach(&self.app).await {
            Ok(held) => {
                self.held = Some(held);
                self.refused = None;
                eprintln!("muster: {:?} is attached again", self.app);
            }
            Err(error @ (ClientError::Refused(_) | ClientError::Unreadable { .. })) => {
                let text = error.to_string();
                if self.refused.as_ref() != Some(&text) {
                    eprintln!("muster: {text}; trying again");
                    self.refused = Some(text);
                }
            }
            Err(
                ClientError::NoAgent(_) | ClientError::Broken { .. } | ClientError::Silent { .. },
            ) => {}
        }
    }
}
