//! The keys of the cluster.

use std::time::Duration;

use http_body_util::Full;
use hyper::Method;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use muster_swim::Key;

use super::{Client, ClientError, request, with_query};
use crate::api::model;

/// All members are asked, and those that do not answer have a few seconds each; the agent gives up
/// earlier.
const PATIENCE: Duration = Duration::from_secs(65);

impl Client {
    /// `GET /v1/keys`.
    pub async fn keys(&self) -> Result<model::Keys, ClientError> {
        let patient = self.clone().with_patience(PATIENCE);
        patient.read("/v1/keys").await
    }

    /// `POST /v1/keys`; without a key the agent draws one.
    pub async fn add_key(&self, key: Option<&Key>) -> Result<model::Keys, ClientError> {
        let mut request = request(Method::POST, "/v1/keys");
        if let Some(key) = key {
            // Gone from memory with the request.
            let text = Bytes::from_owner(key.reveal());
            request = request.map(|_| Full::new(text));
            let text = HeaderValue::from_static("text/plain");
            request.headers_mut().insert(CONTENT_TYPE, text);
        }
        self.changed(request).await
    }

    /// `PUT /v1/keys/{id}`.
    pub async fn spread_key(&self, id: &str) -> Result<model::Keys, ClientError> {
        let path = format!("/v1/keys/{}", super::percent_encoded(id));
        self.changed(request(Method::PUT, &path)).await
    }

    /// `PUT /v1/keys/{id}/primary`.
    pub async fn use_key(&self, id: &str) -> Result<model::Keys, ClientError> {
        let path = format!("/v1/keys/{}/primary", super::percent_encoded(id));
        self.changed(request(Method::PUT, &path)).await
    }

    /// `DELETE /v1/keys/{id}`; with the agent's own grace where none is given.
    pub async fn remove_key(
        &self,
        id: &str,
        grace: Option<Duration>,
        force: bool,
    ) -> Result<model::Keys, ClientError> {
        let path = format!("/v1/keys/{}", super::percent_encoded(id));
        let grace = grace.map(|grace| humantime::format_duration(grace).to_string());
        let mut query: Vec<(String, String)> = Vec::new();
        query.extend(grace.map(|grace| ("grace".to_owned(), grace)));
        query.extend(force.then(|| ("force".to_owned(), "true".to_owned())));
        let path = with_query(&path, &query);
        self.changed(request(Method::DELETE, &path)).await
    }

    async fn changed(
        &self,
        request: hyper::Request<Full<Bytes>>,
    ) -> Result<model::Keys, ClientError> {
        let body = self.fetch(request, PATIENCE).await?;
        serde_json::from_slice(&body).map_err(|error| self.unreadable(error))
    }
}
