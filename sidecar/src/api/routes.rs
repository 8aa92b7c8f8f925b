//! The routes: from a request to its answer.

mod agreed;
mod apps;
mod bodies;
mod filter;
mod keys;
mod probes;
mod reading;
mod waiting;

use std::cell::Cell;
use std::ops::Deref;
use std::rc::Rc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Body, Bytes};
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use hyper::{Method, Request, Response, StatusCode};
use muster_swim::AskError;
use serde::Serialize;

use super::access::Access;
use super::door::{Caller, DoorName, Doors, Traffic};
use super::problem::{Kind, Problem};
use super::query::{decode, parameters};
use super::stream::{Answer, Stopping};
use crate::agent::{Command, CommandError, Handle, Outcome};

/// The description of this API, also served by it.
const DESCRIPTION: &str = include_str!("openapi.json");

const READ: &str = "GET, HEAD";

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    Status,
    Members,
    Member,
    Evidence,
    Ring,
    Coordinator,
    Events,
    Tag,
    Apps,
    App,
    AppHealth,
    Join,
    Leave,
    Recover,
    Keys,
    Key,
    PrimaryKey,
    Description,
    Metrics,
    Healthz,
    Readyz,
}

/// Every route: its path, where `{}` stands for one segment, and its methods.
pub(super) const ROUTES: [(&str, Endpoint, &str); 21] = [
    ("/v1/status", Endpoint::Status, READ),
    ("/v1/members", Endpoint::Members, READ),
    ("/v1/members/{name}", Endpoint::Member, "GET, HEAD, DELETE"),
    ("/v1/members/{name}/evidence", Endpoint::Evidence, READ),
    ("/v1/ring", Endpoint::Ring, READ),
    ("/v1/coordinator", Endpoint::Coordinator, READ),
    ("/v1/events", Endpoint::Events, READ),
    ("/v1/tags/{key}", Endpoint::Tag, "PUT, DELETE"),
    ("/v1/apps", Endpoint::Apps, READ),
    ("/v1/apps/{app}", Endpoint::App, "POST, DELETE"),
    ("/v1/apps/{app}/health", Endpoint::AppHealth, "PUT"),
    ("/v1/join", Endpoint::Join, "POST"),
    ("/v1/leave", Endpoint::Leave, "POST"),
    ("/v1/recover", Endpoint::Recover, "POST"),
    ("/v1/keys", Endpoint::Keys, "GET, HEAD, POST"),
    ("/v1/keys/{id}", Endpoint::Key, "PUT, DELETE"),
    ("/v1/keys/{id}/primary", Endpoint::PrimaryKey, "PUT"),
    ("/v1/openapi.json", Endpoint::Description, READ),
    ("/metrics", Endpoint::Metrics, READ),
    ("/healthz", Endpoint::Healthz, READ),
    ("/readyz", Endpoint::Readyz, READ),
];

/// What the routes of all doors work with.
pub(super) struct Shared {
    pub(super) handle: Handle,
    pub(super) access: Access,
    pub(super) started: muster_swim::Time,
    pub(super) stopping: Stopping,
    pub(super) doors: Doors,
}

/// What the routes work with that are behind one door.
pub(super) struct Context {
    pub(super) shared: Rc<Shared>,
    pub(super) door: DoorName,
    /// Names by which it may be asked.
    pub(super) hosts: Vec<String>,
    pub(super) keep_alive: Duration,
    pub(super) body_timeout: Duration,
    /// Requests that wait for something now.
    pub(super) waiting: Rc<Cell<usize>>,
    /// How many may.
    pub(super) waiting_most: usize,
}

pub(super) use self::keys::refused as keys_refused;
pub(super) use self::probes::why_not_ready;

type Result<T> = std::result::Result<T, Problem>;

impl Shared {
    pub(super) fn new(handle: Handle, access: Access) -> Shared {
        Shared {
            started: handle.clock().now(),
            handle,
            access,
            stopping: Rc::default(),
            doors: Doors::default(),
        }
    }
}

impl Deref for Context {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.shared
    }
}

impl Context {
    pub(super) fn traffic(&self) -> &Traffic {
        self.doors.traffic(self.door)
    }

    /// Answers one request of `caller`; a problem is an answer too.
    pub(super) async fn answer<B>(&self, caller: &Caller, request: Request<B>) -> Response<Answer>
    where
        B: Body<Data = Bytes, Error: std::error::Error + Send + Sync + 'static>,
    {
        let path = request.uri().path().to_owned();
        let method = request.method().clone();
        let changes = is_change(&method);
        let mut response = match self.dispatch(caller, request).await {
            Ok(response) => response,
            Err(problem) => problem.respond(keys::sayable(&path)).map(Answer::Whole),
        };
        self.traffic().count(response.status());
        if self.door == DoorName::Http {
            close_to_other_sites(response.headers_mut());
        }
        let status = response.status().as_u16();
        let (uid, pid) = (caller.peer().map(|p| p.uid), caller.peer().map(|p| p.pid));
        let from = caller.from().map(tracing::field::display);
        if changes {
            tracing::info!(%method, path, status, uid, pid, from, "api-change");
        } else {
            tracing::debug!(%method, path, status, uid, pid, from, "api-read");
        }
        response
    }

    async fn dispatch<B>(&self, caller: &Caller, request: Request<B>) -> Result<Response<Answer>>
    where
        B: Body<Data = Bytes, Error: std::error::Error + Send + Sync + 'static>,
    {
        let (head, body) = request.into_parts();
        caller.admit(&head, &self.access, &self.hosts)?;
        let (endpoint, argument) = find(head.uri.path(), &head.method)?;
        let query = parameters(head.uri.query().unwrap_or_default())
            .map_err(|error| Problem::invalid(format!("the query is no text: {error}")))?;
        if is_change(&head.method) {
            caller.admit_change(&self.access)?;
        } else if endpoint == Endpoint::Keys {
            caller.admit_secret(&self.access)?;
        }
        let deletes = head.method == Method::DELETE;
        let posts = head.method == Method::POST;
        let takes_none = match endpoint {
            Endpoint::Members | Endpoint::Events | Endpoint::Coordinator | Endpoint::Apps => false,
            Endpoint::Member | Endpoint::Key => !deletes,
            Endpoint::Status
            | Endpoint::Evidence
            | Endpoint::Ring
            | Endpoint::Tag
            | Endpoint::App
            | Endpoint::AppHealth
            | Endpoint::Join
            | Endpoint::Leave
            | Endpoint::Recover
            | Endpoint::Keys
            | Endpoint::PrimaryKey
            | Endpoint::Description
            | Endpoint::Metrics
            | Endpoint::Healthz
            | Endpoint::Readyz => true,
        };
        if takes_none {
            no_parameters(&query)?;
        }
        match endpoint {
            Endpoint::Status => self.status(StatusCode::OK),
            Endpoint::Members => self.members(&query).await,
            Endpoint::Member if deletes => self.remove(argument, &query).await,
            Endpoint::Member => self.member(&argument),
            Endpoint::Evidence => self.evidence(&argument),
            Endpoint::Ring => self.ring(),
            Endpoint::Coordinator => self.coordinator(&query).await,
            Endpoint::Events => self.events(&query, &head.headers),
            Endpoint::Tag if deletes => {
                self.command(Command::RemoveTag { key: argument }).await?;
                Ok(empty(StatusCode::NO_CONTENT))
            }
            Endpoint::Tag => {
                let value = self.tag_value(&head.headers, body).await?;
                self.command(Command::SetTag {
                    key: argument,
                    value,
                })
                .await?;
                Ok(empty(StatusCode::NO_CONTENT))
            }
            Endpoint::Apps => self.apps(&query),
            Endpoint::App if deletes => self.end_app(argument, &head.headers, body).await,
            Endpoint::App => self.attach(argument, &head.headers, body).await,
            Endpoint::AppHealth => self.report_app(argument, &head.headers, body).await,
            Endpoint::Join => {
                let seeds = self.seeds(&head.headers, body).await?;
                self.command(Command::Join { seeds }).await?;
                self.status(StatusCode::ACCEPTED)
            }
            Endpoint::Leave => {
                self.command(Command::Leave).await?;
                self.status(StatusCode::OK)
            }
            Endpoint::Recover => {
                let survivors = self.survivors(&head.headers, body).await?;
                self.command(Command::Recover { survivors }).await?;
                self.status(StatusCode::ACCEPTED)
            }
            Endpoint::Keys if posts => self.add_key(&head.headers, body).await,
            Endpoint::Keys => self.keys().await,
            Endpoint::Key if deletes => self.remove_key(&argument, &query).await,
            Endpoint::Key => self.spread_key(&argument).await,
            Endpoint::PrimaryKey => self.use_key(&argument).await,
            Endpoint::Description => Ok(whole(
                StatusCode::OK,
                "application/json",
                Bytes::from_static(DESCRIPTION.as_bytes()),
            )),
            Endpoint::Metrics => Ok(self.metrics(&head.headers)),
            Endpoint::Healthz => self.healthz(),
            Endpoint::Readyz => self.readyz(),
        }
    }

    async fn command(&self, command: Command) -> Result<Outcome> {
        match self.handle.command(command).await {
            // The core does not say why, and how to go on depends on it.
            Err(CommandError::Ask(AskError::NoCoordinator)) => Err(self.no_coordinator(None)),
            other => Ok(other?),
        }
    }
}

/// A browser neither shows these answers on pages of other sites nor guesses what they are.
fn close_to_other_sites(headers: &mut HeaderMap) {
    headers.insert(
        "cross-origin-resource-policy",
        HeaderValue::from_static("same-origin"),
    );
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

fn is_change(method: &Method) -> bool {
    *method != Method::GET && *method != Method::HEAD
}

/// The endpoint of a path, with the segment that stands for its parameter.
fn find(path: &str, method: &Method) -> Result<(Endpoint, String)> {
    let Some((endpoint, methods, argument)) =
        ROUTES.iter().find_map(|(pattern, endpoint, methods)| {
            Some((*endpoint, *methods, matches(pattern, path)?))
        })
    else {
        let paths: Vec<&str> = ROUTES.iter().map(|(pattern, ..)| *pattern).collect();
        let detail = format!("there is no {path:?} here, there are {}", paths.join(", "));
        return Err(Problem::new(Kind::NoSuchRoute, detail));
    };
    if !methods
        .split(", ")
        .any(|allowed| allowed == method.as_str())
    {
        let detail = format!("{path} takes {methods}, not {method}");
        return Err(Problem::new(Kind::MethodNotAllowed(methods), detail));
    }
    let argument = decode(argument)
        .map_err(|error| Problem::invalid(format!("{path:?} is no text: {error}")))?;
    Ok((endpoint, argument))
}

/// The segment that stands for the parameter of `pattern`; an empty text when it has none.
fn matches<'a>(pattern: &str, path: &'a str) -> Option<&'a str> {
    let parts = pattern
        .split_once('{')
        .and_then(|(before, rest)| Some((before, rest.split_once('}')?.1)));
    let Some((before, after)) = parts else {
        return (pattern == path).then_some("");
    };
    path.strip_prefix(before)
        .and_then(|rest| rest.strip_suffix(after))
        .filter(|segment| !segment.is_empty() && !segment.contains('/'))
}

fn unknown_parameter(key: &str, known: &str) -> Problem {
    Problem::invalid(format!(
        "there is no parameter {key:?} here, there are {known}"
    ))
}

fn no_parameters(query: &[(String, String)]) -> Result<()> {
    match query.first() {
        None => Ok(()),
        Some((key, _)) => {
            let detail = format!("this path takes no parameters: leave out {key:?}");
            Err(Problem::invalid(detail))
        }
    }
}

fn json(code: StatusCode, document: &impl Serialize) -> Result<Response<Answer>> {
    let text = serde_json::to_vec(document).expect("the shapes have only text as keys");
    Ok(whole(code, "application/json", text.into()))
}

fn whole(code: StatusCode, media_type: &'static str, text: Bytes) -> Response<Answer> {
    with_type(code, media_type, Answer::Whole(Full::new(text)))
}

fn with_type(code: StatusCode, media_type: &'static str, body: Answer) -> Response<Answer> {
    let mut response = Response::new(body);
    *response.status_mut() = code;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

fn empty(code: StatusCode) -> Response<Answer> {
    let mut response = Response::new(Answer::Whole(Full::default()));
    *response.status_mut() = code;
    response
}
