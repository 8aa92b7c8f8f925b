//! The client of an agent's local socket: HTTP/1.1 over a UNIX socket, typed.

mod attached;
mod keys;

use std::fmt;
use std::fs;
use std::future::{Future, poll_fn};
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::pin::{Pin, pin};
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use serde::de::DeserializeOwned;
use smol::Async;
use smol_hyper::rt::FuturesIo;

pub use attached::AttachedApp;

use crate::api::model;
use crate::cli::{sse, words};
use crate::settings;

/// An agent that accepts a connection but does not answer for so long is taken for stopped.
const PATIENCE: Duration = Duration::from_secs(10);

/// A leave may take as long as its largest `leave_timeout`, and a little.
const LEAVE_PATIENCE: Duration = Duration::from_secs(65);

/// A decision of the coordinator may take as long as the agent waits for it, and a little.
const DECISION_PATIENCE: Duration = Duration::from_secs(65);

/// Largest answer read: 65,536 members with all their tags stay below.
const ANSWER_BYTES: usize = 256 * 1024 * 1024;

/// Why an agent could not be asked, or what it answered instead.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No agent listens at any of the usual places.
    #[error("{}", no_agent(.0))]
    NoAgent(Vec<Attempt>),
    /// The connection failed before the answer was complete.
    #[error(
        "the connection to the agent at {} failed: {reason}; did it just stop?",
        .socket.display()
    )]
    Broken {
        /// Where the agent listens.
        socket: PathBuf,
        /// What went wrong.
        reason: String,
    },
    /// It accepts connections but does not answer.
    #[error(
        "the agent at {} did not answer within {}; is it stopped or overloaded?",
        .socket.display(), humantime::format_duration(*.waited)
    )]
    Silent {
        /// Where the agent listens.
        socket: PathBuf,
        /// How long it was waited for.
        waited: Duration,
    },
    /// The agent refused the request and says why.
    #[error("{}", refusal(.0))]
    Refused(Box<model::Problem>),
    /// The answer is not what this version of the client expects.
    #[error("the agent at {} gave an answer that this `muster` cannot read: {reason}", .socket.display())]
    Unreadable {
        /// Where the agent listens.
        socket: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// What came of one place where an agent could listen.
#[derive(Debug)]
pub struct Attempt {
    /// The place.
    pub socket: PathBuf,
    /// Why nobody could be asked there.
    pub error: io::Error,
}

impl fmt::Display for Attempt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = [
            (io::ErrorKind::NotFound, "there is no such file"),
            (
                io::ErrorKind::ConnectionRefused,
                "the agent that made this socket no longer runs",
            ),
            (
                io::ErrorKind::PermissionDenied,
                "permission denied; run this as the agent's user or root, or start the agent with \
                 --socket-group",
            ),
        ];
        let known = why.iter().find(|(kind, _)| *kind == self.error.kind());
        write!(formatter, "{}: ", self.socket.display())?;
        let found = fs::metadata(&self.socket).map(|found| found.file_type());
        if found.is_ok_and(|found| !found.is_socket()) {
            return formatter.write_str("this is not a socket");
        }
        match known {
            Some((_, words)) => formatter.write_str(words),
            None => self.error.fmt(formatter),
        }
    }
}

fn no_agent(attempts: &[Attempt]) -> String {
    let mut text = String::from("no agent answers; looked at");
    for attempt in attempts {
        text.push_str(&format!("\n  {attempt}"));
    }
    text.push_str(
        "\nStart one with `muster agent`, try a whole cluster with `muster dev`, or name another \
         socket with --socket or MUSTER_SOCKET.",
    );
    text
}

fn refusal(problem: &model::Problem) -> String {
    match problem.detail.as_str() {
        "" => format!(
            "the agent refused: {} (HTTP status {})",
            problem.title, problem.status
        ),
        detail => format!("the agent refused: {}", words::of_commands(detail)),
    }
}

/// Asks one agent. Each request is a connection of its own.
#[derive(Clone, Debug)]
pub struct Client {
    socket: PathBuf,
    patience: Duration,
}

impl Client {
    /// The agent at `socket`, or else the first that listens at one of the usual places.
    pub fn find(socket: Option<&Path>) -> Result<Client, ClientError> {
        let candidates = match socket {
            Some(socket) => vec![socket.to_owned()],
            None => settings::socket_candidates(),
        };
        let mut attempts = Vec::new();
        for socket in candidates {
            match UnixStream::connect(&socket) {
                Ok(_) => return Ok(Client::at(socket)),
                Err(error) => attempts.push(Attempt { socket, error }),
            }
        }
        Err(ClientError::NoAgent(attempts))
    }

    /// The agent at this socket, whether it listens yet or not.
    pub fn at(socket: PathBuf) -> Client {
        Client {
            socket,
            patience: PATIENCE,
        }
    }

    /// Waits at most this long for each answer.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Client {
        Client { patience, ..self }
    }

    /// Where the agent listens.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// `GET /v1/status`.
    pub async fn status(&self) -> Result<model::Status, ClientError> {
        self.read("/v1/status").await
    }

    /// `GET /readyz`: an error says why this member is not ready.
    pub async fn ready(&self) -> Result<(), ClientError> {
        self.read::<model::Probe>("/readyz").await.map(drop)
    }

    /// `GET /v1/members`, with the query parameters given.
    pub async fn members(
        &self,
        filter: &[(String, String)],
    ) -> Result<model::Members, ClientError> {
        self.read(&with_query("/v1/members", filter)).await
    }

    /// `GET /v1/members/{name}`.
    pub async fn member(&self, name: &str) -> Result<model::Member, ClientError> {
        self.read(&format!("/v1/members/{}", percent_encoded(name)))
            .await
    }

    /// The agent's own member.
    pub async fn myself(&self) -> Result<model::Member, ClientError> {
        let name = self.status().await?.name;
        self.member(&name).await
    }

    /// `GET /v1/members/{name}/evidence`.
    pub async fn evidence(&self, name: &str) -> Result<model::Evidence, ClientError> {
        let path = format!("/v1/members/{}/evidence", percent_encoded(name));
        self.read(&path).await
    }

    /// `GET /v1/coordinator`; waits for one as long as that.
    pub async fn coordinator(
        &self,
        wait: Option<Duration>,
    ) -> Result<model::Coordinator, ClientError> {
        let mut query = Vec::new();
        if let Some(wait) = wait {
            let timeout = humantime::format_duration(wait).to_string();
            query.push(("wait".to_owned(), "true".to_owned()));
            query.push(("timeout".to_owned(), timeout));
        }
        let longer = self.patience + wait.unwrap_or_default();
        let patient = self.clone().with_patience(longer);
        patient.read(&with_query("/v1/coordinator", &query)).await
    }

    /// `DELETE /v1/members/{name}`: returns once it is decided.
    pub async fn remove(&self, name: &str, force: bool) -> Result<model::Removed, ClientError> {
        let path = format!("/v1/members/{}", percent_encoded(name));
        let force = [("force".to_owned(), "true".to_owned())][..usize::from(force)].to_vec();
        let request = request(Method::DELETE, &with_query(&path, &force));
        let body = self.fetch(request, DECISION_PATIENCE).await?;
        serde_json::from_slice(&body).map_err(|error| self.unreadable(error))
    }

    /// `POST /v1/recover`.
    pub async fn recover(&self, survivors: &[String]) -> Result<(), ClientError> {
        let body = model::Recover {
            survivors: survivors.to_vec(),
        };
        let body = serde_json::to_string(&body).map_err(|error| self.unreadable(error))?;
        let request = request_with(Method::POST, "/v1/recover", "application/json", body);
        self.fetch(request, self.patience).await.map(|_| ())
    }

    /// The end of the agent's stream of events as it is now.
    pub async fn cursor(&self) -> Result<String, ClientError> {
        // One member of possibly many: only the cursor is wanted.
        let name = self.status().await?.name;
        Ok(self.members(&[("name".to_owned(), name)]).await?.cursor)
    }

    /// `GET /v1/ring`.
    pub async fn ring(&self) -> Result<model::Rings, ClientError> {
        self.read("/v1/ring").await
    }

    /// `PUT /v1/tags/{key}`.
    pub async fn set_tag(&self, key: &str, value: &str) -> Result<(), ClientError> {
        let path = format!("/v1/tags/{}", percent_encoded(key));
        let request = request_with(Method::PUT, &path, "text/plain", value.to_owned());
        self.fetch(request, self.patience).await.map(|_| ())
    }

    /// `DELETE /v1/tags/{key}`.
    pub async fn remove_tag(&self, key: &str) -> Result<(), ClientError> {
        let path = format!("/v1/tags/{}", percent_encoded(key));
        let request = request(Method::DELETE, &path);
        self.fetch(request, self.patience).await.map(|_| ())
    }

    /// `POST /v1/join`.
    pub async fn join(&self, seeds: &[String]) -> Result<(), ClientError> {
        let body = model::Join {
            seeds: seeds.to_vec(),
        };
        let body = serde_json::to_string(&body).map_err(|error| self.unreadable(error))?;
        let request = request_with(Method::POST, "/v1/join", "application/json", body);
        self.fetch(request, self.patience).await.map(|_| ())
    }

    /// `POST /v1/leave`: returns once the goodbye is through.
    pub async fn leave(&self) -> Result<(), ClientError> {
        let request = request(Method::POST, "/v1/leave");
        self.fetch(request, LEAVE_PATIENCE).await.map(|_| ())
    }

    /// `GET /v1/events` after the cursor `since`, or what comes next; of these types, or of all.
    pub async fn events(
        &self,
        since: Option<&str>,
        types: &[String],
    ) -> Result<EventStream, ClientError> {
        let mut query = Vec::new();
        if let Some(since) = since {
            query.push(("since".to_owned(), since.to_owned()));
        }
        if !types.is_empty() {
            query.push(("types".to_owned(), types.join(",")));
        }
        let request = request(Method::GET, &with_query("/v1/events", &query));
        let (connection, body) = self.lasting(request).await?;
        Ok(EventStream {
            socket: self.socket.clone(),
            connection,
            body,
            parser: sse::Parser::new(),
        })
    }

    /// Asks for an answer that lasts: its body is still to come.
    async fn lasting(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<(Connection, Incoming), ClientError> {
        let mut connection = self.connect().await?;
        let asked = connection.ask(request);
        let response = self.in_time(self.patience, asked).await?;
        if response.status() != StatusCode::OK {
            let status = response.status();
            let body = self
                .in_time(self.patience, connection.body(response))
                .await?;
            return Err(self.refusal(status, &body));
        }
        Ok((connection, response.into_body()))
    }

    async fn read<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        let body = self
            .fetch(request(Method::GET, path), self.patience)
            .await?;
        serde_json::from_slice(&body).map_err(|error| self.unreadable(error))
    }

    async fn fetch(
        &self,
        request: Request<Full<Bytes>>,
        patience: Duration,
    ) -> Result<Bytes, ClientError> {
        let mut connection = self.connect().await?;
        let exchange = async {
            let response = connection.ask(request).await?;
            let status = response.status();
            Ok((status, connection.body(response).await?))
        };
        let (status, body) = self.in_time(patience, exchange).await?;
        if status.is_success() {
            Ok(body)
        } else {
            Err(self.refusal(status, &body))
        }
    }

    async fn connect(&self) -> Result<Connection, ClientError> {
        let opened = Async::<UnixStream>::connect(&self.socket)
            .await
            .map_err(|error| {
                let socket = self.socket.clone();
                ClientError::NoAgent(vec![Attempt { socket, error }])
            })?;
        let shaken = http1::handshake(FuturesIo::new(opened)).await;
        let (sender, driver) = shaken.map_err(|error| self.broken(&error))?;
        let driver: Driver = Box::pin(async move {
            // Its end shows as the end or error of the request that runs on it.
            let _ = driver.await;
        });
        Ok(Connection {
            sender,
            driver: Some(driver),
        })
    }

    async fn in_time<T>(
        &self,
        patience: Duration,
        work: impl Future<Output = Result<T, BoxedError>>,
    ) -> Result<T, ClientError> {
        let silent = async {
            smol::Timer::after(patience).await;
            let socket = self.socket.clone();
            Err(ClientError::Silent {
                socket,
                waited: patience,
            })
        };
        let answer = async { work.await.map_err(|error| self.broken(&*error)) };
        smol::future::or(answer, silent).await
    }

    fn refusal(&self, status: StatusCode, body: &[u8]) -> ClientError {
        match serde_json::from_slice(body) {
            Ok(problem) => ClientError::Refused(Box::new(problem)),
            Err(_) => self.unreadable(format!("HTTP status {status} without a problem document")),
        }
    }

    fn broken(&self, error: &(dyn std::error::Error + 'static)) -> ClientError {
        ClientError::Broken {
            socket: self.socket.clone(),
            reason: error.to_string(),
        }
    }

    fn unreadable(&self, reason: impl fmt::Display) -> ClientError {
        ClientError::Unreadable {
            socket: self.socket.clone(),
            reason: reason.to_string(),
        }
    }
}

type BoxedError = Box<dyn std::error::Error + Send + Sync>;
type Driver = Pin<Box<dyn Future<Output = ()>>>;

/// A connection and the future that moves its bytes, which runs while something is awaited on it.
struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    driver: Option<Driver>,
}

impl Connection {
    async fn ask(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, BoxedError> {
        let answer = self.sender.send_request(request);
        Ok(alongside(&mut self.driver, answer).await?)
    }

    async fn body(&mut self, response: Response<Incoming>) -> Result<Bytes, BoxedError> {
        let body = Limited::new(response.into_body(), ANSWER_BYTES);
        Ok(alongside(&mut self.driver, body.collect())
            .await?
            .to_bytes())
    }
}

/// Awaits `work` and drives the connection meanwhile.
async fn alongside<T>(driver: &mut Option<Driver>, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    poll_fn(|context| {
        if driver
            .as_mut()
            .is_some_and(|driver| driver.as_mut().poll(context).is_ready())
        {
            *driver = None;
        }
        work.as_mut().poll(context)
    })
    .await
}

/// The events of an agent as they come.
pub struct EventStream {
    socket: PathBuf,
    connection: Connection,
    body: Incoming,
    parser: sse::Parser,
}

impl EventStream {
    /// The next event; waits as long as it takes. `None` when the agent ended the stream.
    pub async fn next(&mut self) -> Option<Result<sse::Message, ClientError>> {
        loop {
            if let Some(message) = self.parser.take() {
                return Some(Ok(message));
            }
            let frame = alongside(&mut self.connection.driver, self.body.frame()).await?;
            match frame {
                Ok(frame) => self
                    .parser
                    .push(frame.data_ref().map_or(&[], |data| &data[..])),
                Err(error) => {
                    let reason = error.to_string();
                    return Some(Err(ClientError::Broken {
                        socket: self.socket.clone(),
                        reason,
                    }));
                }
            }
        }
    }
}

fn request(method: Method, path: &str) -> Request<Full<Bytes>> {
    Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, "muster")
        .body(Full::default())
        .expect("paths are percent-encoded and headers are constants")
}

fn request_with(
    method: Method,
    path: &str,
    media_type: &'static str,
    body: String,
) -> Request<Full<Bytes>> {
    let mut request = request(method, path).map(|_| Full::new(body.into()));
    request
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    request
}

fn with_query(path: &str, parameters: &[(String, String)]) -> String {
    let mut target = path.to_owned();
    for (position, (name, value)) in parameters.iter().enumerate() {
        let sign = if position == 0 { '?' } else { '&' };
        target.push_str(&format!(
            "{sign}{}={}",
            percent_encoded(name),
            percent_encoded(value)
        ));
    }
    target
}

/// `text` as it may stand in a path segment or a query (RFC 3986: all but the unreserved bytes).
pub fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests;
