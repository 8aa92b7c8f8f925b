//! Error answers: problem documents (RFC 9457) that say what to do.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use muster_swim::{AppError, AskError, RecoverError, SeedError, TagError};

use super::access::Peer;
use super::model;
use super::routes::keys_refused;
use crate::agent::CommandError;

/// The media type of a problem document.
pub(super) const MEDIA_TYPE: &str = "application/problem+json";

/// Why a request is not answered as wished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    kind: Kind,
    detail: String,
}

/// The kinds of problem. Their ids are part of the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A path, parameter or body that cannot be understood.
    InvalidRequest,
    /// The peer may not read, or not change.
    NotAllowed,
    /// The TCP address only reads.
    ReadOnly,
    /// The TCP address was asked by a name that it does not have.
    WrongHost,
    /// The page of another site had a browser ask.
    CrossSite,
    /// The member takes no part in a cluster that can decide.
    NotReady,
    /// The agent does not get on.
    Stuck,
    /// The API has no such path.
    NoSuchRoute,
    /// The cluster has no such member.
    NoSuchMember,
    /// This member has no such tag.
    NoSuchTag,
    /// This member has no such app that runs.
    NoSuchApp,
    /// An app of this name runs already.
    AppAttached,
    /// The apps of this member would be too many or too large.
    AppsFull,
    /// This member waits for an app before it joins.
    WaitsForApp,
    /// The path exists, the method does not; with the value of `Allow`.
    MethodNotAllowed(&'static str),
    /// The body did not come in time.
    BodyTimeout,
    /// The tags of this member would be too many or too large.
    TagsFull,
    /// This agent keeps no more seeds.
    SeedsFull,
    /// The body is longer than its limit.
    BodyTooLarge,
    /// The body is of a type that the route does not take.
    UnsupportedMediaType,
    /// No more connections are served now.
    TooManyConnections,
    /// No more requests may wait for something now.
    TooManyWaiting,
    /// The agent is about to end.
    Stopping,
    /// Nothing is known against a member, now or lately.
    NoEvidence,
    /// Nobody decides now.
    NoCoordinator,
    /// The coordinator did not answer in time.
    Unanswered,
    /// This member did not learn the view in time.
    ViewNotReached,
    /// The member that was to be removed answers.
    StillAlive,
    /// The member that was to be removed decides.
    IsCoordinator,
    /// There is no history to rebuild a quorum from.
    NoHistory,
    /// The quorum that was to be rebuilt is not lost.
    QuorumHeld,
    /// Somebody was named as a survivor and does not answer.
    NoSuchSurvivor,
    /// Somebody answers and was not named as a survivor.
    UnnamedSurvivor,
    /// Another member knows a later view.
    Behind,
    /// A member that never votes cannot rebuild a quorum.
    NonVoting,
    /// Nothing is sealed here: there are no keys to change.
    NoKeys,
    /// No key of this id is in the ring.
    NoSuchKey,
    /// The key seals, or somebody may seal with it.
    KeyNeeded,
    /// Somebody may lack the key that all are to use.
    KeyLacking,
    /// The ring has as many keys as it may.
    KeysFull,
    /// Another change of keys is under way.
    KeysBusy,
    /// The keys could not be drawn or written here.
    KeysNotKept,
}

impl Problem {
    pub(super) fn new(kind: Kind, detail: impl Into<String>) -> Problem {
        let detail = detail.into();
        Problem { kind, detail }
    }

    pub(super) fn invalid(detail: impl Into<String>) -> Problem {
        Problem::new(Kind::InvalidRequest, detail)
    }

    pub(super) fn is(&self, kind: Kind) -> bool {
        self.kind == kind
    }

    /// Says who asked and how to be allowed.
    pub(super) fn not_allowed(peer: &Peer, changes: bool) -> Problem {
        let own = rustix::process::geteuid().as_raw();
        let (what, setting) = match changes {
            true => ("changes, and a look at the keys, need", "allow"),
            false => ("reading needs", "read"),
        };
        Problem::new(
            Kind::NotAllowed,
            format!(
                "{what} the agent's user ({own}), root, or a user or group that it allows; \
                 asked by {peer}. Ask as one of those, or start the agent with \
                 `--{setting}-users {}` or `--{setting}-groups {}`",
                peer.uid, peer.gid
            ),
        )
    }

    /// The answer to a request for `path`.
    pub(super) fn respond(&self, path: Option<&str>) -> Response<Full<Bytes>> {
        let (status, (id, title)) = (self.kind.status(), self.kind.words());
        let document = model::Problem {
            kind: format!("urn:muster:problem:{id}").into(),
            title: title.into(),
            status: status.as_u16(),
            detail: self.detail.clone(),
            instance: path.map(str::to_owned),
        };
        let text = serde_json::to_vec(&document).expect("the shapes have only text as keys");
        let mut response = Response::new(Full::from(text));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if let Kind::MethodNotAllowed(allowed) = self.kind {
            headers.insert(ALLOW, HeaderValue::from_static(allowed));
        }
        response
    }
}

impl Kind {
    fn status(self) -> StatusCode {
        match self {
            Kind::InvalidRequest => StatusCode::BAD_REQUEST,
            Kind::NotAllowed | Kind::ReadOnly | Kind::CrossSite => StatusCode::FORBIDDEN,
            Kind::WrongHost => StatusCode::MISDIRECTED_REQUEST,
            Kind::NoSuchRoute
            | Kind::NoSuchMember
            | Kind::NoSuchTag
            | Kind::NoSuchApp
            | Kind::NoSuchKey
            | Kind::NoEvidence => StatusCode::NOT_FOUND,
            Kind::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Kind::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Kind::TagsFull
            | Kind::SeedsFull
            | Kind::AppAttached
            | Kind::AppsFull
            | Kind::StillAlive
            | Kind::IsCoordinator
            | Kind::NoHistory
            | Kind::QuorumHeld
            | Kind::NoSuchSurvivor
            | Kind::UnnamedSurvivor
            | Kind::Behind
            | Kind::NonVoting
            | Kind::NoKeys
            | Kind::KeyNeeded
            | Kind::KeyLacking
            | Kind::KeysFull
            | Kind::KeysBusy => StatusCode::CONFLICT,
            Kind::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Kind::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Kind::NoCoordinator
            | Kind::TooManyWaiting
            | Kind::TooManyConnections
            | Kind::WaitsForApp
            | Kind::NotReady
            | Kind::Stuck
            | Kind::KeysNotKept
            | Kind::Stopping => StatusCode::SERVICE_UNAVAILABLE,
            Kind::Unanswered | Kind::ViewNotReached => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// Id and title.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Kind::InvalidRequest => ("invalid-request", "The request is not understood"),
            Kind::NotAllowed => ("not-allowed", "You may not do this"),
            Kind::ReadOnly => ("read-only", "This address only reads"),
            Kind::WrongHost => ("wrong-host", "This is not the host that was asked"),
            Kind::CrossSite => ("cross-site", "Pages of other sites may not ask"),
            Kind::NotReady => ("not-ready", "The member is not ready"),
            Kind::Stuck => ("stuck", "The agent does not get on"),
            Kind::NoSuchRoute => ("no-such-route", "No such path"),
            Kind::NoSuchMember => ("no-such-member", "No such member"),
            Kind::NoSuchTag => ("no-such-tag", "No such tag"),
            Kind::NoSuchApp => ("no-such-app", "No such app"),
            Kind::AppAttached => ("app-attached", "The app is attached already"),
            Kind::AppsFull => ("apps-full", "No room for this app"),
            Kind::WaitsForApp => ("waits-for-app", "The member waits for its app"),
            Kind::NoEvidence => ("no-evidence", "Nothing is known against it"),
            Kind::MethodNotAllowed(_) => {
                ("method-not-allowed", "The path does not have this method")
            }
            Kind::BodyTimeout => ("body-timeout", "The body did not come in time"),
            Kind::TagsFull => ("tags-full", "No room for this tag"),
            Kind::SeedsFull => ("seeds-full", "No room for these seeds"),
            Kind::BodyTooLarge => ("body-too-large", "The body is too long"),
            Kind::UnsupportedMediaType => ("unsupported-media-type", "The body is of another type"),
            Kind::TooManyConnections => ("too-many-connections", "Too many connections"),
            Kind::TooManyWaiting => ("too-many-waiting", "Too many requests wait"),
            Kind::Stopping => ("stopping", "The agent is stopping"),
            Kind::NoCoordinator => ("no-coordinator", "There is no coordinator"),
            Kind::Unanswered => ("unanswered", "The coordinator did not answer"),
            Kind::ViewNotReached => ("view-not-reached", "The view is not known here yet"),
            Kind::StillAlive => ("still-alive", "The member answers"),
            Kind::IsCoordinator => ("is-coordinator", "The member is the coordinator"),
            Kind::NoHistory => ("no-history", "There is nothing to recover"),
            Kind::QuorumHeld => ("quorum-held", "The quorum is not lost"),
            Kind::NoSuchSurvivor => ("no-such-survivor", "A named survivor does not answer"),
            Kind::UnnamedSurvivor => ("unnamed-survivor", "A member that answers is not named"),
            Kind::Behind => ("behind", "Another member knows more"),
            Kind::NonVoting => ("non-voting", "This member never votes"),
            Kind::NoKeys => ("no-keys", "This member has no key"),
            Kind::NoSuchKey => ("no-such-key", "No such key"),
            Kind::KeyNeeded => ("key-needed", "The key is needed"),
            Kind::KeyLacking => ("key-lacking", "Not everybody has the key"),
            Kind::KeysFull => ("keys-full", "No room for this key"),
            Kind::KeysBusy => ("keys-busy", "Keys are being changed"),
            Kind::KeysNotKept => ("keys-not-kept", "The keys could not be kept"),
        }
    }
}

impl From<CommandError> for Problem {
    fn from(error: CommandError) -> Problem {
        let text = error.to_string();
        match error {
            CommandError::Tag(TagError::Key | TagError::Value(_)) => Problem::invalid(text),
            CommandError::Tag(TagError::TooLarge(_) | TagError::TooMany) => {
                let detail = format!("{text}: remove a tag first with DELETE /v1/tags/KEY");
                Problem::new(Kind::TagsFull, detail)
            }
            CommandError::App(error) => from_app_error(&error),
            CommandError::Seed(error) => from_seed_error(&error),
            CommandError::NoSuchTag(_) => {
                let detail = format!("{text}: GET /v1/status and its member show which it has");
                Problem::new(Kind::NoSuchTag, detail)
            }
            CommandError::Ask(error) => Problem::new(kind_of_ask(&error), text),
            CommandError::Recover(error) => Problem::new(kind_of_recover(&error), text),
            CommandError::Keys(refusal) => keys_refused(&refusal),
            CommandError::Busy => Problem::new(Kind::TooManyWaiting, text),
            CommandError::WaitsForApp(_) => Problem::new(Kind::WaitsForApp, text),
            CommandError::Stopping => Problem::new(Kind::Stopping, text),
        }
    }
}

fn from_app_error(error: &AppError) -> Problem {
    let text = error.to_string();
    match error {
        AppError::Name | AppError::Note => Problem::invalid(text),
        AppError::Attached(_) => Problem::new(Kind::AppAttached, text),
        AppError::NotAttached(_) => {
            let detail = format!("{text} here: GET /v1/apps lists those that are");
            Problem::new(Kind::NoSuchApp, detail)
        }
        AppError::TooMany | AppError::TooLarge => {
            let detail = format!("{text}; end one first with DELETE /v1/apps/APP");
            Problem::new(Kind::AppsFull, detail)
        }
        AppError::Leaving => Problem::new(Kind::Stopping, text),
    }
}

fn kind_of_ask(error: &AskError) -> Kind {
    match error {
        AskError::NoCoordinator => Kind::NoCoordinator,
        AskError::Unanswered => Kind::Unanswered,
        AskError::NoSuchMember(_) => Kind::NoSuchMember,
        AskError::StillAlive(_) => Kind::StillAlive,
        AskError::IsCoordinator(_) => Kind::IsCoordinator,
        AskError::Stopped => Kind::Stopping,
    }
}

fn kind_of_recover(error: &RecoverError) -> Kind {
    match error {
        RecoverError::NoHistory => Kind::NoHistory,
        RecoverError::QuorumHeld { .. } => Kind::QuorumHeld,
        RecoverError::NoSuchSurvivor(_) => Kind::NoSuchSurvivor,
        RecoverError::Unnamed(_) => Kind::UnnamedSurvivor,
        RecoverError::Behind { .. } => Kind::Behind,
        RecoverError::NonVoting => Kind::NonVoting,
        RecoverError::Stopped => Kind::Stopping,
    }
}

/// Only the first three come from a command: the others are what a later try may meet.
fn from_seed_error(error: &SeedError) -> Problem {
    match error {
        SeedError::Stopped => Problem::new(Kind::Stopping, error.to_string()),
        SeedError::TooMany => {
            let detail = format!("{error}: those that it has are in GET /v1/status");
            Problem::new(Kind::SeedsFull, detail)
        }
        SeedError::Malformed(_)
        | SeedError::Unresolved
        | SeedError::Refused
        | SeedError::Unanswered
        | SeedError::OtherCluster
        | SeedError::OtherKey
        | SeedError::Full => Problem::invalid(error.to_string()),
    }
}
