//! Routes of the apps that live beside this member.

use std::os::fd::OwnedFd;

use hyper::body::{Body, Bytes};
use hyper::header::{CACHE_CONTROL, HeaderMap, HeaderValue};
use hyper::{Response, StatusCode};
use muster_swim::Attachment;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use smol::Async;

use super::{Context, Result, empty, json, unknown_parameter, with_type};
use crate::agent::{AppCommand, Command, Outcome};
use crate::api::attached::AttachedBody;
use crate::api::model::{self, HEALTHS};
use crate::api::problem::Problem;
use crate::api::stream::Answer;

/// Longest body of these routes: a note with every character escaped, and room around it.
const APP_BYTES: usize = 1024;

/// The media type of an answer of lines.
const LINES: &str = "application/x-ndjson";

impl Context {
    /// The apps of this member, of these names or all.
    pub(super) fn apps(&self, query: &[(String, String)]) -> Result<Response<Answer>> {
        if let Some((key, _)) = query.iter().find(|(key, _)| key != "name") {
            return Err(unknown_parameter(key, "name"));
        }
        let me = self.handle.read(muster_swim::Node::me);
        let mut apps = model::App::all_of(&me);
        let wanted = |app: &str| query.is_empty() || query.iter().any(|(_, name)| name == app);
        apps.retain(|name, _| wanted(name));
        let name = me.name.to_string();
        json(StatusCode::OK, &model::Apps { name, apps })
    }

    /// The app lives as long as the answer.
    pub(super) async fn attach<B>(
        &self,
        app: String,
        headers: &HeaderMap,
        body: B,
    ) -> Result<Response<Answer>>
    where
        B: Body<Data = Bytes, Error: std::error::Error + Send + Sync + 'static>,
    {
        let example = r#"{"pid":4711}, or empty"#;
        let attach: model::Attach = self
            .document_if_any(headers, body, APP_BYTES, example)
            .await?;
        let process = attach.pid.map(process).transpose()?;
        let command = Command::App(AppCommand::Attach { app });
        let Outcome::Attached(attached) = self.command(command).await? else {
            unreachable!("an app that was attached has an attachment")
        };
        let (keep_alive, stopping) = (self.keep_alive, self.stopping.clone());
        let body = AttachedBody::new(&self.handle, attached, process, keep_alive, stopping);
        let body = Answer::Attached(Box::new(body));
        let mut response = with_type(StatusCode::OK, LINES, body);
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Ok(response)
    }

    /// Its parent, or itself, says how it ended.
    pub(super) async fn end_app<B>(
        &self,
        app: String,
        headers: &HeaderMap,
        body: B,
    ) -> Result<Response<Answer>>
    where
        B: Body<Data = Bytes, Error: std::error::Error + Send + Sync + 'static>,
    {
        let example = r#"{"status":3}, {"signal":"SIGKILL"}, or empty"#;
        let ended: model::Ended = self
            .document_if_any(headers, body, APP_BYTES, example)
            .await?;
        let ending = ended.ending().map_err(Problem::invalid)?;
        let attachment = ended.attachment.map(Attachment);
        self.command(Command::App(AppCommand::End {
            app,
            attachment,
            ending,
        }))
        .await?;
        Ok(empty(StatusCode::NO_CONTENT))
    }

    /// It says how it is.
    pub(super) async fn report_app<B>(
        &self,
        app: String,
        headers: &HeaderMap,
        body: B,
    ) -> Result<Response<Answer>>
    where
        B: Body<Data = Bytes, Error: std::error::Error + Send + Sync + 'static>,
    {
        let example = r#"{"health":"warning","note":"queue long"}"#;
        let said: model::Health = self.document(headers, body, APP_BYTES, example).await?;
        let Some(health) = said.word() else {
            let (given, known) = (said.health, HEALTHS.join(", "));
            let detail = format!("{given:?} is no health: choose among {known}");
            return Err(Problem::invalid(detail));
        };
        let note = said.note;
        self.command(Command::App(AppCommand::Report { app, health, note }))
            .await?;
        Ok(empty(StatusCode::NO_CONTENT))
    }
}

/// What tells of the end of a process, whoever started it.
fn process(pid: i32) -> Result<Async<OwnedFd>> {
    let refused = |why: String| {
        Problem::invalid(format!(
            "process {pid} cannot be watched: {why}. Give its number as the agent sees it, or \
             leave `pid` out: then the app lives as long as this request"
        ))
    };
    let known = Pid::from_raw(pid).filter(|_| pid > 0);
    let known = known.ok_or_else(|| refused("that is no process".to_owned()))?;
    let watched = pidfd_open(known, PidfdFlags::empty());
    let watched = watched.map_err(|error| refused(error.to_string()))?;
    // Nothing is ever read from it, so it need not be told not to block.
    Async::new_nonblocking(watched).map_err(|error| refused(error.to_string()))
}
