//! An app that lives as long as a handle: the request that attaches it stays open.

use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::sync::Mutex;

use muster_sidecar::cli::client::percent_encoded;

use crate::client::{Client, refusal};
use crate::connection::{Deadline, Exchange, Progress, Woken};
use crate::failure::Failure;
use crate::http::Request;
use crate::origin::Origin;

/// An app of the agent's member, up as long as this lives.
#[derive(Debug)]
pub struct Attached {
    origin: Origin,
    exchange: Mutex<Exchange>,
    descriptor: RawFd,
}

impl Attached {
    /// Attaches the app; returns once all is agreed with the agent.
    pub(crate) fn attach(
        client: &Client,
        app: &str,
        body: Option<&str>,
        timeout_ms: i64,
    ) -> Result<Attached, Failure> {
        let target = format!("/v1/apps/{}", percent_encoded(app));
        let request = Request {
            method: "POST",
            target: &target,
            body: body.map(|body| ("application/json", body.as_bytes())),
        };
        let deadline = Deadline::after(timeout_ms);
        let begun = Exchange::begin(&client.socket, &request)?;
        let silent = || Failure::silent(&client.socket, deadline.waited());
        let mut exchange = begun.ok_or_else(silent)?;
        loop {
            let progress = exchange.receive()?;
            let refused = exchange
                .decoder
                .head()
                .is_some_and(|head| head.status != 200);
            if !refused && exchange.body.contains(&b'\n') {
                break;
            }
            match progress {
                Progress::More => {}
                Progress::Done => {
                    let head = exchange.decoder.head().filter(|_| refused);
                    let ended = || Failure::broken(&client.socket, "it did not keep the app");
                    let head = head.ok_or_else(ended)?;
                    let failure = refusal(&client.socket, head, &exchange.body);
                    return Err(client.or_version(failure));
                }
                Progress::Idle => match deadline.wait(exchange.as_fd())? {
                    Woken::Readable | Woken::Signal => {}
                    Woken::Late => return Err(silent()),
                },
            }
        }
        Ok(Attached {
            origin: Origin::here(),
            descriptor: exchange.as_fd().as_raw_fd(),
            exchange: Mutex::new(exchange),
        })
    }

    pub(crate) fn descriptor(&self) -> i32 {
        if self.origin.is_here() {
            self.descriptor
        } else {
            -1
        }
    }

    /// Nothing while the app is up; else why it no longer is.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        self.origin.check("attached app")?;
        let mut exchange = self.exchange.try_lock().map_err(|_| Failure::busy("app"))?;
        loop {
            let progress = exchange.receive()?;
            exchange.body.clear();
            match progress {
                Progress::Idle => return Ok(()),
                Progress::More => {}
                Progress::Done => {
                    let text = "the agent ended it: attach it again";
                    return Err(Failure::new(crate::failure::Status::Broken, text));
                }
            }
        }
    }
}
