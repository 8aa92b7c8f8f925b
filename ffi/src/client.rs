//! The client: finds an agent, asks it, and reads its answers.

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use muster_sidecar::settings::socket_candidates;
use serde_json::Value;

use crate::connection::{self, Deadline, Exchange, Progress, Woken};
use crate::failure::{Failure, Problem, Status};
use crate::http::{Head, Request};
use crate::origin::Origin;
use crate::text::Text;

/// How often it is looked for an agent that is not there yet, or whose queue is full.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// How long an agent is asked for its version, to tell that it is another.
const VERSION_MS: i64 = 2000;

/// The media type of a problem document.
const PROBLEM: &str = "application/problem+json";

/// What a newer agent calls a path that it does not have.
const NO_SUCH_ROUTE: &str = "urn:muster:problem:no-such-route";

/// A way to one agent. It holds no connection: any thread may use it, and a process after a fork.
#[derive(Debug)]
pub struct Client {
    pub(crate) socket: PathBuf,
    pub(crate) shown: Text,
}

/// A whole answer that is no refusal.
#[derive(Debug)]
pub struct Response {
    pub(crate) http_status: u16,
    pub(crate) media_type: Text,
    pub(crate) body: Text,
}

/// A request under way.
#[derive(Debug)]
pub struct Call {
    origin: Origin,
    socket: PathBuf,
    /// Empty once the answer was taken.
    exchange: Mutex<Option<Exchange>>,
    descriptor: std::os::fd::RawFd,
}

impl Client {
    /// The agent at `socket`, or at `MUSTER_SOCKET`, or at the first of the usual places where one
    /// listens.
    pub(crate) fn find(socket: Option<&str>, timeout_ms: i64) -> Result<Client, Failure> {
        let named = socket.map(PathBuf::from).or_else(|| {
            let variable = std::env::var_os("MUSTER_SOCKET");
            variable.filter(|path| !path.is_empty()).map(PathBuf::from)
        });
        let deadline = Deadline::after(timeout_ms);
        loop {
            let found = match &named {
                Some(path) => connection::open(path).map(|_| path.clone()),
                None => usual(),
            };
            match found {
                Ok(socket) => {
                    let shown = Text::new(socket.to_string_lossy().as_bytes());
                    return Ok(Client { socket, shown });
                }
                Err(failure) if !failure.is_passing() || deadline.is_over() => return Err(failure),
                Err(_) => thread::sleep(LOOK_AGAIN),
            }
        }
    }

    /// Asks, and waits for the answer. Signals do not end it.
    pub(crate) fn request(
        &self,
        request: &Request<'_>,
        timeout_ms: i64,
    ) -> Result<Response, Failure> {
        let deadline = Deadline::after(timeout_ms);
        let mut exchange = loop {
            match Exchange::begin(&self.socket, request)? {
                Some(exchange) => break exchange,
                None if deadline.is_over() => {
                    return Err(Failure::silent(&self.socket, deadline.waited()));
                }
                None => thread::sleep(LOOK_AGAIN),
            }
        };
        loop {
            match exchange.receive()? {
                Progress::Done => return answer(&self.socket, exchange),
                Progress::More => {}
                Progress::Idle => match deadline.wait(exchange.as_fd())? {
                    Woken::Readable | Woken::Signal => {}
                    Woken::Late => return Err(Failure::silent(&self.socket, deadline.waited())),
                },
            }
        }
    }

    /// Asks, and goes on. [`Status::Again`]: the agent's queue is full, try in a moment.
    pub(crate) fn call(&self, request: &Request<'_>) -> Result<Call, Failure> {
        use std::os::fd::AsRawFd;
        let begun = Exchange::begin(&self.socket, request)?;
        let exchange = begun.ok_or_else(Failure::again)?;
        Ok(Call {
            origin: Origin::here(),
            socket: self.socket.clone(),
            descriptor: exchange.as_fd().as_raw_fd(),
            exchange: Mutex::new(Some(exchange)),
        })
    }

    /// A document that this library reads, of a path that every agent of its version has.
    pub(crate) fn document(&self, target: &str, timeout_ms: i64) -> Result<Value, Failure> {
        let answered = self.request(&Request::get(target), timeout_ms);
        let response = answered.map_err(|failure| self.or_version(failure))?;
        self.read(&response)
    }

    pub(crate) fn read(&self, response: &Response) -> Result<Value, Failure> {
        let json = response.media_type.as_str() == "application/json";
        let parsed = serde_json::from_str(response.body.as_str());
        parsed.map_err(|error| match json {
            true => self.unreadable(error),
            false => Failure::not_muster(&self.socket, "its answer is no JSON"),
        })
    }

    /// The answer is not what this version expects.
    pub(crate) fn unreadable(&self, reason: impl std::fmt::Display) -> Failure {
        let version = self.agent_version();
        Failure::other_version(&self.socket, &version, reason)
    }

    /// A path that the agent lacks is a matter of versions where this library chose it.
    pub(crate) fn or_version(&self, failure: Failure) -> Failure {
        match is_no_such_route(&failure) {
            true => self.unreadable(&failure.message),
            false => failure,
        }
    }

    /// What the agent says of itself.
    fn agent_version(&self) -> String {
        let status = self.request(&Request::get("/v1/status"), VERSION_MS);
        let status = status.ok().and_then(|status| {
            serde_json::from_str::<Value>(status.body.as_str()).ok()?["version"]
                .as_str()
                .map(str::to_owned)
        });
        status.unwrap_or_else(|| "unknown".to_owned())
    }
}

impl Call {
    pub(crate) fn descriptor(&self) -> i32 {
        if self.origin.is_here() {
            self.descriptor
        } else {
            -1
        }
    }

    /// The answer, once it is whole.
    pub(crate) fn take(&self) -> Result<Response, Failure> {
        self.origin.check("call")?;
        let lock = self.exchange.try_lock();
        let mut exchange = lock.map_err(|_| Failure::busy("call"))?;
        loop {
            let Some(under_way) = exchange.as_mut() else {
                return Err(Failure::invalid(
                    "the answer of this call was taken already: free it, and make another",
                ));
            };
            match under_way.receive() {
                Ok(Progress::Idle) => return Err(Failure::again()),
                Ok(Progress::More) => {}
                Ok(Progress::Done) => {
                    let whole = exchange.take();
                    let whole = whole.ok_or_else(Failure::again)?;
                    return answer(&self.socket, whole);
                }
                Err(failure) => {
                    *exchange = None;
                    return Err(failure);
                }
            }
        }
    }
}

pub(crate) fn is_no_such_route(failure: &Failure) -> bool {
    let problem = failure.problem.as_ref();
    problem.is_some_and(|problem| problem.kind == NO_SUCH_ROUTE)
}

/// The first of the usual places where somebody listens.
fn usual() -> Result<PathBuf, Failure> {
    let mut attempts = Vec::new();
    for path in socket_candidates() {
        match connection::open(&path) {
            Ok(_) => return Ok(path),
            Err(failure) => attempts.push((path, failure)),
        }
    }
    Err(Failure::nowhere(&attempts))
}

fn answer(socket: &Path, exchange: Exchange) -> Result<Response, Failure> {
    let head = exchange.decoder.head().cloned();
    let head = head.ok_or_else(|| Failure::broken(socket, "there was no answer"))?;
    if !(200..300).contains(&head.status) {
        return Err(refusal(socket, &head, &exchange.body));
    }
    Ok(Response {
        http_status: head.status,
        media_type: Text::new(head.media_type),
        body: Text::new(exchange.body),
    })
}

/// What an answer that is none says.
pub(crate) fn refusal(socket: &Path, head: &Head, body: &[u8]) -> Failure {
    let document: Option<Value> = serde_json::from_slice(body).ok();
    let document = document.filter(|_| head.media_type == PROBLEM);
    let Some(document) = document else {
        let reason = format!("HTTP status {} without a problem document", head.status);
        return Failure::not_muster(socket, reason);
    };
    let text = |name: &str| document[name].as_str().unwrap_or_default().to_owned();
    let detail = match &*text("detail") {
        "" => text("title"),
        detail => detail.to_owned(),
    };
    Failure {
        status: Status::Refused,
        message: format!("the agent refused: {detail}"),
        problem: Some(Problem {
            kind: text("type"),
            http_status: head.status,
        }),
    }
}
