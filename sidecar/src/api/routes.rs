//! The routes: from a request to its answer.

use std::time::Duration;

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body, Bytes};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use muster_swim::{MemberInfo, Node, State, limits};
use serde::Serialize;
use smol::Timer;

use super::access::{Access, Peer};
use super::events::Types;
use super::listing::Listing;
use super::model::{self, Cursor, EVENT_TYPES, STATES};
use super::problem::{Kind, Problem};
use super::query::{decode, parameters};
use super::stream::{Answer, EventStream, Pieces, Stopping};
use crate::agent::{Clock, Command, Handle, Outcome};

/// Longest body of `POST /v1/join`: all seeds at their longest, and room for the JSON around them.
const JOIN_BYTES: usize = 2 * limits::SEEDS * limits::SEED_BYTES;

/// The description of this API, also served by it.
const DESCRIPTION: &str = include_str!("openapi.json");

const READ: &str = "GET, HEAD";

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    Status,
    Members,
    Member,
    Ring,
    Events,
    Tag,
    Join,
    Leave,
    Description,
}

/// Every route: its path, where `{}` stands for one segment, and its methods.
pub(super) const ROUTES: [(&str, Endpoint, &str); 9] = [
    ("/v1/status", Endpoint::Status, READ),
    ("/v1/members", Endpoint::Members, READ),
    ("/v1/members/{name}", Endpoint::Member, READ),
    ("/v1/ring", Endpoint::Ring, READ),
    ("/v1/events", Endpoint::Events, READ),
    ("/v1/tags/{key}", Endpoint::Tag, "PUT, DELETE"),
    ("/v1/join", Endpoint::Join, "POST"),
    ("/v1/leave", Endpoint::Leave, "POST"),
    ("/v1/openapi.json", Endpoint::Description, READ),
];

/// What the routes work with.
pub(super) struct Context {
    pub(super) handle: Handle,
    pub(super) access: Access,
    pub(super) started: muster_swim::Time,
    pub(super) keep_alive: Duration,
    pub(super) body_timeout: Duration,
    pub(super) stopping: Stopping,
}

type Result<T> = std::result::Result<T, Problem>;

impl Context {
    /// Answers one request of `peer`; a problem is an answer too.
    pub(super) async fn answer<B>(&self, peer: &Peer, request: Request<B>) -> Response<Answer>
    where
        B: Body<Data = Bytes, Error: std::error::Error + Send + Sync + 'static>,
    {
        let path = request.uri().path().to_owned();
        let method = request.method().clone();
        let changes = is_change(&method);
        let response = match self.dispatch(peer, request).await {
            Ok(response) => response,
            Err(problem) => problem.respond(Some(&path)).map(Answer::Whole),
        };
        let status = response.status().as_u16();
        if changes {
            tracing::info!(%method, path, status, uid = peer.uid, pid = peer.pid, "api-change");
        } else {
            tracing::debug!(%method, path, status, uid = peer.uid, pid = peer.pid, "api-read");
        }
        response
    }

    async fn dispatch<B>(&self, peer: &Peer, request: Request<B>) -> Result<Response<Answer>>
    where
        B: Body<Data = Bytes, Error: std::error::Error + Send + Sync + 'static>,
    {
        let (head, body) = request.into_parts();
        let (endpoint, argument) = find(head.uri.path(), &head.method)?;
        let query = parameters(head.uri.query().unwrap_or_default())
            .map_err(|error| Problem::invalid(format!("the query is no text: {error}")))?;
        if is_change(&head.method) && !self.access.may_change(peer) {
            return Err(Problem::not_allowed(peer));
        }
        if !matches!(endpoint, Endpoint::Members | Endpoint::Events) {
            no_parameters(&query)?;
        }
        match endpoint {
            Endpoint::Status => self.status(StatusCode::OK),
            Endpoint::Members => self.members(&query),
            Endpoint::Member => self.member(&argument),
            Endpoint::Ring => json(StatusCode::OK, &self.handle.read(rings)),
            Endpoint::Events => self.events(&query, &head.headers),
            Endpoint::Tag if head.method == Method::DELETE => {
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
            Endpoint::Join => {
                let seeds = self.seeds(&head.headers, body).await?;
                self.command(Command::Join { seeds }).await?;
                self.status(StatusCode::ACCEPTED)
            }
            Endpoint::Leave => {
                self.command(Command::Leave).await?;
                self.status(StatusCode::OK)
            }
            Endpoint::Description => Ok(whole(
                StatusCode::OK,
                "application/json",
                Bytes::from_static(DESCRIPTION.as_bytes()),
            )),
        }
    }

    fn status(&self, code: StatusCode) -> Result<Response<Answer>> {
        let clock = self.handle.clock();
        json(
            code,
            &self.handle.read(|node| status(node, clock, self.started)),
        )
    }

    fn members(&self, query: &[(String, String)]) -> Result<Response<Answer>> {
        let filter = Filter::new(query)?;
        let mut listing = Listing::members(&self.handle, |info| filter.passes(info));
        let first = listing.next_piece().unwrap_or_default();
        if listing.is_done() {
            return Ok(whole(StatusCode::OK, "application/json", first.into()));
        }
        let body = Answer::Pieces(Pieces::new(first, listing));
        Ok(with_type(StatusCode::OK, "application/json", body))
    }

    fn member(&self, name: &str) -> Result<Response<Answer>> {
        let Some(info) = self.handle.read(|node| node.member(name)) else {
            let detail = format!(
                "no member {name:?} is known here: GET /v1/members lists those that are. Names are \
                 case-sensitive, and special characters in a path are percent-encoded"
            );
            return Err(Problem::new(Kind::NoSuchMember, detail));
        };
        json(
            StatusCode::OK,
            &model::Member::new(&info, self.handle.clock()),
        )
    }

    fn events(&self, query: &[(String, String)], headers: &HeaderMap) -> Result<Response<Answer>> {
        let mut since = None;
        let mut types = Types::all();
        for (key, value) in query {
            match key.as_str() {
                "since" => since = Some(cursor("since", value)?),
                "types" => types = Types::parse(value).map_err(|word| unknown_type(&word))?,
                _ => return Err(unknown_parameter(key, "since and types")),
            }
        }
        // A browser repeats the URL it was given and tells in the header where it is by now.
        if let Some(id) = headers.get("last-event-id").filter(|id| !id.is_empty()) {
            since = Some(cursor("Last-Event-ID", id.to_str().unwrap_or_default())?);
        }
        let stopping = self.stopping.clone();
        let stream = EventStream::new(&self.handle, since, types, self.keep_alive, stopping);
        let body = Answer::Events(Box::new(stream));
        let mut response = with_type(StatusCode::OK, "text/event-stream", body);
        response
            .headers_mut()
            .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Ok(response)
    }

    async fn command(&self, command: Command) -> Result<Outcome> {
        Ok(self.handle.command(command).await?)
    }

    async fn tag_value<B>(&self, headers: &HeaderMap, body: B) -> Result<String>
    where
        B: Body<Data = Bytes, Error: std::error::Error + Send + Sync + 'static>,
    {
        // `curl -d VALUE` calls what it sends a form: the value is taken as it comes.
        let types = [
            "text/plain",
            "application/octet-stream",
            "application/x-www-form-urlencoded",
        ];
        expect_type(headers, &types)?;
        let bytes = self.read(body, limits::TAGS_BYTES).await?;
        String::from_utf8(bytes.into())
            .map_err(|_| Problem::invalid("the value of a tag is text: send it as UTF-8"))
    }

    async fn seeds<B>(&self, headers: &HeaderMap, body: B) -> Result<Vec<String>>
    where
        B: Body<Data = Bytes, Error: std::error::Error + Send + Sync + 'static>,
    {
        // `curl -d '{...}'` calls what it sends a form, whatever it is.
        let types = ["application/json", "application/x-www-form-urlencoded"];
        expect_type(headers, &types)?;
        let bytes = self.read(body, JOIN_BYTES).await?;
        let join: model::Join = serde_json::from_slice(&bytes).map_err(|error| {
            let example = r#"{"seeds":["10.0.0.1:7946"]}"#;
            Problem::invalid(format!("the body is not of the form {example}: {error}"))
        })?;
        if join.seeds.is_empty() {
            return Err(Problem::invalid(
                "name at least one seed, each as host:port",
            ));
        }
        Ok(join.seeds)
    }

    /// The whole body, if it comes in time and has at most `limit` bytes.
    async fn read<B>(&self, body: B, limit: usize) -> Result<Bytes>
    where
        B: Body<Data = Bytes, Error: std::error::Error + Send + Sync + 'static>,
    {
        let too_large = || {
            Problem::new(
                Kind::BodyTooLarge,
                format!("the body may have at most {limit} bytes here"),
            )
        };
        if body.size_hint().lower() > limit as u64 {
            return Err(too_large());
        }
        let whole = async { Some(Limited::new(body, limit).collect().await) };
        let late = async {
            Timer::after(self.body_timeout).await;
            None
        };
        match smol::future::or(whole, late).await {
            Some(Ok(body)) => Ok(body.to_bytes()),
            Some(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
            Some(Err(error)) => Err(Problem::invalid(format!("the body broke off: {error}"))),
            None => {
                let detail = format!("send the whole body within {:?}", self.body_timeout);
                Err(Problem::new(Kind::BodyTimeout, detail))
            }
        }
    }
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
    let Some((before, _)) = pattern.split_once('{') else {
        return (pattern == path).then_some("");
    };
    path.strip_prefix(before)
        .filter(|segment| !segment.is_empty() && !segment.contains('/'))
}

/// Which members a listing shows. Within one parameter any value will do, between two both count.
#[derive(Debug, Default)]
struct Filter {
    states: Vec<String>,
    names: Vec<String>,
    tags: Vec<(String, Vec<String>)>,
}

impl Filter {
    fn new(query: &[(String, String)]) -> Result<Filter> {
        let mut filter = Filter::default();
        for (key, value) in query {
            match (key.as_str(), key.strip_prefix("tag.")) {
                ("state", _) => filter.add_states(value)?,
                ("name", _) => filter.names.push(value.clone()),
                (_, Some(tag)) if !tag.is_empty() => filter.add_tag(tag, value),
                _ => return Err(unknown_parameter(key, "state, name and tag.KEY")),
            }
        }
        Ok(filter)
    }

    fn add_states(&mut self, list: &str) -> Result<()> {
        for word in list.split(',').map(str::trim) {
            if !STATES.contains(&word) {
                let known = STATES.join(", ");
                let detail = format!("{word:?} is no state: choose among {known}");
                return Err(Problem::invalid(detail));
            }
            self.states.push(word.to_owned());
        }
        Ok(())
    }

    fn add_tag(&mut self, key: &str, value: &str) {
        match self.tags.iter_mut().find(|(known, _)| known == key) {
            Some((_, values)) => values.push(value.to_owned()),
            None => self.tags.push((key.to_owned(), vec![value.to_owned()])),
        }
    }

    fn passes(&self, info: &MemberInfo) -> bool {
        let any = |wanted: &[String], found: &str| wanted.iter().any(|value| value == found);
        (self.states.is_empty() || any(&self.states, info.state.as_str()))
            && (self.names.is_empty() || any(&self.names, info.name.as_str()))
            && self
                .tags
                .iter()
                .all(|(key, values)| info.tags.value(key).is_some_and(|value| any(values, value)))
    }
}

fn rings(node: &Node) -> model::Rings {
    model::Rings::new(&node.rings())
}

fn status(node: &Node, clock: &Clock, started: muster_swim::Time) -> model::Status {
    let me = node.me();
    let states = [
        State::Alive,
        State::Suspect,
        State::Unreachable,
        State::Left,
    ];
    let mut members: std::collections::BTreeMap<model::Word, u64> = states
        .iter()
        .map(|state| (state.as_str().into(), 0))
        .collect();
    for member in node.members() {
        *members.entry(member.state.as_str().into()).or_default() += 1;
    }
    let uptime = clock.now().since(started).as_millis();
    model::Status {
        name: me.name.to_string(),
        addr: me.addr,
        instance: me.instance.0,
        incarnation: me.incarnation.0,
        cluster: node.identity().cluster.to_string(),
        version: env!("CARGO_PKG_VERSION").into(),
        view: 0,
        epoch: 0,
        coordinator: None,
        quorum: "forming".into(),
        role: "non-voting".into(),
        members,
        health: node.health(),
        lifecycle: node.lifecycle().as_str().into(),
        pid: std::process::id(),
        uptime_ms: u64::try_from(uptime).unwrap_or(u64::MAX),
        digest: format!("{:016x}", node.digest()),
        seeds: node.seeds().iter().map(model::Seed::from).collect(),
        stats: node.stats().into(),
    }
}

fn cursor(source: &str, text: &str) -> Result<Cursor> {
    text.parse().map_err(|error| {
        let advice = "take it from the id of an event or from `cursor` in GET /v1/members, or leave \
                      it out to start with what comes next";
        Problem::invalid(format!("{source} {text:?} is no cursor: {error}; {advice}"))
    })
}

fn unknown_type(word: &str) -> Problem {
    let known = EVENT_TYPES.join(", ");
    Problem::invalid(format!(
        "{word:?} is no type of event: choose among {known}"
    ))
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

/// Checks the type of a body; one that says nothing is taken for the right one.
fn expect_type(headers: &HeaderMap, accepted: &[&str]) -> Result<()> {
    let Some(given) = headers.get(CONTENT_TYPE) else {
        return Ok(());
    };
    let given = given.to_str().unwrap_or_default();
    let mut parts = given.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    let fits = accepted
        .iter()
        .any(|accepted| essence.eq_ignore_ascii_case(accepted));
    let utf8 = parts.all(|parameter| match parameter.split_once('=') {
        Some((key, value)) if key.eq_ignore_ascii_case("charset") => ["utf-8", "utf8", "us-ascii"]
            .iter()
            .any(|ok| value.trim_matches('"').eq_ignore_ascii_case(ok)),
        _ => true,
    });
    if fits && utf8 {
        return Ok(());
    }
    let detail = format!(
        "{given:?} is not taken here: send `Content-Type: {}` in UTF-8",
        accepted[0]
    );
    Err(Problem::new(Kind::UnsupportedMediaType, detail))
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
