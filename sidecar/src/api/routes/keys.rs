//! Routes of the keys: who has which, and what an operator changes. None of them ever tells a key,
//! and none is open to readers: the question goes to all members.

use std::time::Duration;

use hyper::body::{Body, Bytes};
use hyper::header::HeaderMap;
use hyper::{Response, StatusCode};
use muster_swim::{Key, KeyId, KeyRefusal, KeyReport};

use super::waiting::switch;
use super::{Context, Result, json, unknown_parameter};
use crate::agent::{Command, KeyCommand, Outcome, draw_key};
use crate::api::model;
use crate::api::problem::{Kind, Problem};
use crate::api::stream::Answer;
use crate::settings::key_grace;

/// How long a change may take. Who does not answer is waited for three seconds, 32 at a time.
const CHANGE: Duration = Duration::from_secs(60);

impl Context {
    /// The ring, and who has which key.
    pub(super) async fn keys(&self) -> Result<Response<Answer>> {
        let has_none = self.handle.read(|node| node.keyring().is_none());
        if has_none {
            return self.show_keys(&[]);
        }
        self.change_keys(KeyCommand::Look).await
    }

    /// All are to have the key of the body; without one this agent draws it, and nobody sees it.
    pub(super) async fn add_key<B>(&self, headers: &HeaderMap, body: B) -> Result<Response<Answer>>
    where
        B: Body<Data = Bytes, Error: std::error::Error + Send + Sync + 'static>,
    {
        let secret = self.secret(headers, body).await?;
        let key = match secret.as_str() {
            "" => draw_key().map_err(|error| {
                let detail = format!("no key could be drawn: {error}; try again");
                Problem::new(Kind::KeysNotKept, detail)
            })?,
            text => {
                // As it stands in a file.
                let key = Key::parse(text.strip_suffix('\n').unwrap_or(text));
                key.map_err(|error| Problem::invalid(error.to_string()))?
            }
        };
        self.change_keys(KeyCommand::Add(key)).await
    }

    /// All are to have this key, which is here.
    pub(super) async fn spread_key(&self, id: &str) -> Result<Response<Answer>> {
        self.change_keys(KeyCommand::Spread(key_id(id)?)).await
    }

    /// All are to seal with this key.
    pub(super) async fn use_key(&self, id: &str) -> Result<Response<Answer>> {
        self.change_keys(KeyCommand::Use(key_id(id)?)).await
    }

    /// All are to forget this key.
    pub(super) async fn remove_key(
        &self,
        id: &str,
        query: &[(String, String)],
    ) -> Result<Response<Answer>> {
        let (id, mut grace, mut force) = (key_id(id)?, None, false);
        for (key, value) in query {
            match key.as_str() {
                "grace" => grace = Some(how_long(value)?),
                "force" => force = switch(key, value)?,
                _ => return Err(unknown_parameter(key, "grace and force")),
            }
        }
        self.change_keys(KeyCommand::Remove { id, grace, force })
            .await
    }

    async fn change_keys(&self, command: KeyCommand) -> Result<Response<Answer>> {
        let late = || {
            let detail = "not all members said in time which keys they have: look with GET \
                          /v1/keys before you try again";
            Problem::new(Kind::Unanswered, detail)
        };
        let change = self.command(Command::Keys(command));
        match self.wait(CHANGE, change, late).await? {
            Outcome::Keys(KeyReport { holders, .. }) => self.show_keys(&holders),
            Outcome::Done | Outcome::View(_) | Outcome::Attached(_) => {
                unreachable!("a change of keys is answered with who has which")
            }
        }
    }

    fn show_keys(&self, holders: &[muster_swim::KeyHolder]) -> Result<Response<Answer>> {
        let clock = self.handle.clock();
        let keys = |node: &muster_swim::Node| model::Keys::new(node, holders, clock);
        json(StatusCode::OK, &self.handle.read(keys))
    }
}

/// Says why the keys were not changed, and what to do.
pub(in crate::api) fn refused(refusal: &KeyRefusal) -> Problem {
    use muster_swim::KeyError;
    let text = refusal.to_string();
    let (kind, advice) = match refusal {
        KeyRefusal::NoKeys => (
            Kind::NoKeys,
            ". To seal it, give every member the same file with --key-file and `plaintext = \
             \"send\"`, and have all read their settings again; then `accept`; then leave \
             `plaintext` out: nobody is restarted",
        ),
        KeyRefusal::Busy => (Kind::KeysBusy, ""),
        KeyRefusal::NotKept => (Kind::KeysNotKept, ""),
        KeyRefusal::Lacking(_) => (Kind::KeyLacking, ""),
        KeyRefusal::Needed(_) => (Kind::KeyNeeded, " with `force=true`"),
        KeyRefusal::Key(error) => match error {
            KeyError::Malformed | KeyError::MalformedId | KeyError::Empty | KeyError::Known(_) => {
                (Kind::InvalidRequest, "")
            }
            KeyError::TooMany => (
                Kind::KeysFull,
                ": DELETE /v1/keys/ID?grace=0s frees its place at once",
            ),
            KeyError::Unknown(_) => (Kind::NoSuchKey, ""),
            KeyError::IsPrimary(_) | KeyError::Last(_) => (Kind::KeyNeeded, ""),
        },
    };
    Problem::new(kind, format!("{text}{advice}"))
}

/// A path, unless a key may stand in it where an id belongs: that is not said again.
pub(super) fn sayable(path: &str) -> Option<&str> {
    let id = path.strip_prefix("/v1/keys/");
    let id = id.map(|id| id.strip_suffix("/primary").unwrap_or(id));
    id.is_none_or(|id| key_id(id).is_ok()).then_some(path)
}

fn key_id(text: &str) -> Result<KeyId> {
    text.parse()
        .map_err(|error: muster_swim::KeyError| Problem::invalid(error.to_string()))
}

fn how_long(text: &str) -> Result<Duration> {
    key_grace(text).ok_or_else(|| {
        let allowed = "allowed is 0s to 30d, written like 12h or 1d";
        Problem::invalid(format!("grace is {text:?}, {allowed}"))
    })
}
