//! An app on the client's side.

use http_body_util::BodyExt;
use hyper::Method;
use hyper::body::Incoming;

use super::{Client, ClientError, Connection, alongside, percent_encoded, request, request_with};
use crate::api::model;

/// Longest line about an app that is attached: far more than any has.
const LINE_BYTES: usize = 64 * 1024;

impl Client {
    /// `POST /v1/apps/{app}`: attached as long as the answer is held.
    pub async fn attach(&self, app: &str) -> Result<AttachedApp, ClientError> {
        let path = format!("/v1/apps/{}", percent_encoded(app));
        let (connection, body) = self.lasting(request(Method::POST, &path)).await?;
        let mut attached = AttachedApp {
            connection,
            body,
            read: Vec::new(),
            attachment: 0,
        };
        let first = self
            .in_time(self.patience, async { Ok(attached.line().await) })
            .await?;
        let line = first.ok_or_else(|| self.unreadable("no line that says it is attached"))?;
        attached.attachment = line.app.attachment;
        Ok(attached)
    }

    /// `DELETE /v1/apps/{app}`.
    pub async fn end_app(&self, app: &str, ended: &model::Ended) -> Result<(), ClientError> {
        let path = format!("/v1/apps/{}", percent_encoded(app));
        let body = serde_json::to_string(ended).map_err(|error| self.unreadable(error))?;
        let request = request_with(Method::DELETE, &path, "application/json", body);
        self.fetch(request, self.patience).await.map(|_| ())
    }
}

/// An app that is attached as long as this is held.
pub struct AttachedApp {
    connection: Connection,
    body: Incoming,
    read: Vec<u8>,
    attachment: u64,
}

impl AttachedApp {
    /// Which attachment it is.
    pub fn attachment(&self) -> u64 {
        self.attachment
    }

    /// Returns once the agent holds it no more. May be dropped and called again.
    pub async fn ended(&mut self) {
        while let Some(line) = self.line().await {
            if line.app.state == "down" {
                return;
            }
        }
    }

    /// The next line; none at the end, whatever that is. What is no line is passed over.
    async fn line(&mut self) -> Option<model::AttachedLine> {
        loop {
            while let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.read.drain(..=end).collect();
                if let Ok(line) = serde_json::from_slice(&line) {
                    return Some(line);
                }
            }
            let next = alongside(&mut self.connection.driver, self.body.frame()).await;
            let frame = next?.ok()?;
            self.read
                .extend_from_slice(frame.data_ref().map_or(&[], |data| &data[..]));
            if self.read.len() > LINE_BYTES {
                return None;
            }
        }
    }
}
