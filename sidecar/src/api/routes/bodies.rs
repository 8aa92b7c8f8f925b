//! Bodies of requests: their types, their lengths and what they say.

use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Bytes};
use hyper::header::{CONTENT_TYPE, HeaderMap};
use muster_swim::{Name, limits};
use serde::de::DeserializeOwned;
use smol::Timer;
use zeroize::Zeroizing;

use super::{Context, Result};
use crate::api::model;
use crate::api::problem::{Kind, Problem};

/// Longest body of `POST /v1/join`: all seeds at their longest, and room for the JSON around them.
const JOIN_BYTES: usize = 2 * limits::SEEDS * limits::SEED_BYTES;

/// Longest body of `POST /v1/recover`: the names of as many members as there can be, at half of
/// their longest.
const SURVIVORS_BYTES: usize = limits::MEMBERS * limits::NAME_BYTES / 2;

/// Longest body with a key: its text, and an end of line.
const KEY_BYTES: usize = 64;

impl Context {
    pub(super) async fn tag_value<B>(&self, headers: &HeaderMap, body: B) -> Result<String>
    where
        B: Body<Data = Bytes, Error: std::error::Error + Send + Sync + 'static>,
    {
        expect_type(headers, &TEXT_TYPES)?;
        let bytes = self.read(body, limits::TAGS_BYTES).await?;
        String::from_utf8(bytes.into())
            .map_err(|_| Problem::invalid("the value of a tag is text: send it as UTF-8"))
    }

    /// The text of a key, or nothing. What is wrong with it is never said with the text itself.
    pub(super) async fn secret<B>(&self, headers: &HeaderMap, body: B) -> Result<Zeroizing<String>>
    where
        B: Body<Data = Bytes, Error: std::error::Error + Send + Sync + 'static>,
    {
        expect_type(headers, &TEXT_TYPES)?;
        let bytes = self.read(body, KEY_BYTES).await?;
        let text = std::str::from_utf8(&bytes).map(|text| Zeroizing::new(text.to_owned()));
        text.map_err(|_| Problem::invalid("a key is text: 44 characters of base64"))
    }

    pub(super) async fn seeds<B>(&self, headers: &HeaderMap, body: B) -> Result<Vec<String>>
    where
        B: Body<Data = Bytes, Error: std::error::Error + Send + Sync + 'static>,
    {
        let join: model::Join = self
            .document(headers, body, JOIN_BYTES, r#"{"seeds":["10.0.0.1:7946"]}"#)
            .await?;
        if !(1..=limits::SEEDS).contains(&join.seeds.len()) {
            let most = limits::SEEDS;
            return Err(Problem::invalid(format!(
                "name at least one seed and at most {most}, each as host:port"
            )));
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

    /// The names of all who answer.
    pub(super) async fn survivors<B>(&self, headers: &HeaderMap, body: B) -> Result<Vec<Name>>
    where
        B: Body<Data = Bytes, Error: std::error::Error + Send + Sync + 'static>,
    {
        let recover: model::Recover = self
            .document(
                headers,
                body,
                SURVIVORS_BYTES,
                r#"{"survivors":["n1","n2"]}"#,
            )
            .await?;
        if recover.survivors.is_empty() {
            return Err(Problem::invalid("name every member that answers"));
        }
        let name = |text: &String| {
            let problem = |error| Problem::invalid(format!("{text:?} is no name: {error}"));
            Name::new(text).map_err(problem)
        };
        recover.survivors.iter().map(name).collect()
    }

    /// The same; an empty body leaves all out.
    pub(super) async fn document_if_any<T, B>(
        &self,
        headers: &HeaderMap,
        body: B,
        limit: usize,
        example: &str,
    ) -> Result<T>
    where
        T: DeserializeOwned + Default,
        B: Body<Data = Bytes, Error: std::error::Error + Send + Sync + 'static>,
    {
        let bytes = self.read(body, limit).await?;
        if bytes.is_empty() {
            return Ok(T::default());
        }
        expect_type(headers, &JSON_TYPES)?;
        parsed(&bytes, example)
    }

    /// A body of JSON like the example.
    pub(super) async fn document<T, B>(
        &self,
        headers: &HeaderMap,
        body: B,
        limit: usize,
        example: &str,
    ) -> Result<T>
    where
        T: DeserializeOwned,
        B: Body<Data = Bytes, Error: std::error::Error + Send + Sync + 'static>,
    {
        expect_type(headers, &JSON_TYPES)?;
        let bytes = self.read(body, limit).await?;
        parsed(&bytes, example)
    }
}

/// `curl -d VALUE` calls what it sends a form: the value is taken as it comes.
const TEXT_TYPES: [&str; 3] = [
    "text/plain",
    "application/octet-stream",
    "application/x-www-form-urlencoded",
];

/// `curl -d '{...}'` calls what it sends a form, whatever it is.
const JSON_TYPES: [&str; 2] = ["application/json", "application/x-www-form-urlencoded"];

fn parsed<T: DeserializeOwned>(bytes: &[u8], example: &str) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|error| {
        Problem::invalid(format!("the body is not of the form {example}: {error}"))
    })
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
