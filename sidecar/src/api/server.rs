//! Accepts connections and keeps them within their bounds.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use smol::channel::{Receiver, Sender, bounded};
use smol::future::{or, yield_now};
use smol::io::{AsyncRead, AsyncWrite};
use smol::lock::Semaphore;
use smol::{LocalExecutor, Timer};
use smol_hyper::rt::FuturesIo;

use super::door::{Door, DoorName};
use super::http::HttpListener;
use super::problem::{Kind, Problem};
use super::routes::{Context, Shared};
use super::socket::Listener;
use super::stream::Answer;
use super::timer::SmolTimer;

/// How much the server takes on. Each bound has a test.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Connections served at one time; one more is told so.
    pub(super) connections: usize,
    /// Connections being told so at one time; more wait in the kernel's queue.
    pub(super) refusals: usize,
    /// How long a connection may be idle, and how long the head of a request may take.
    pub(super) head_timeout: Duration,
    /// How long the body of a request may take.
    pub(super) body_timeout: Duration,
    /// Silence on a stream of events after which a sign of life goes out.
    pub(super) keep_alive: Duration,
    /// Requests that may wait at one time for what is yet to happen; the other connections stay for
    /// those that do not.
    pub(super) waiting: usize,
    /// How long answers under way may take once the server stops.
    pub(super) stop_timeout: Duration,
}

/// Largest head of a request in bytes, and what is written ahead of a slow client.
const HEAD_BYTES: usize = 16 * 1024;

/// Most header fields of a request.
const HEADERS: usize = 64;

/// How long a connection beyond the bound is talked to.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(2);

/// Pause after the system could not give another connection, for want of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds {
            connections: 256,
            refusals: 16,
            head_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(10),
            keep_alive: Duration::from_secs(15),
            waiting: 128,
            stop_timeout: Duration::from_secs(1),
        }
    }
}

/// Serves until `stop` is ready, then finishes what is under way.
pub(super) async fn run(
    socket: Listener,
    http: Option<HttpListener>,
    shared: Shared,
    bounds: Bounds,
    stop: impl Future<Output = ()>,
) {
    let (handle, stopping) = (shared.handle.clone(), shared.stopping.clone());
    let shared = Rc::new(shared);
    let executor = LocalExecutor::new();
    // Closed when the server stops; the other one when the last connection ended.
    let (stop_sender, stopped) = bounded(1);
    let (alive, ended) = bounded::<Infallible>(1);
    let server = |name, hosts, bounds| {
        Server::new(&shared, name, hosts, bounds, stopped.clone(), alive.clone())
    };
    let local = server(DoorName::Socket, Vec::new(), bounds);
    let hosts = http.as_ref().map(|http| http.hosts.clone());
    let remote = server(DoorName::Http, hosts.unwrap_or_default(), bounds.of_http());
    drop((stopped, alive));
    let serving = async {
        let local_door = local.accept(&executor, &socket);
        let remote_door = async {
            match &http {
                Some(http) => remote.accept(&executor, http).await,
                None => std::future::pending().await,
            }
        };
        or(or(local_door, remote_door), stop).await;
        drop((socket, http, local, remote, stop_sender));
        stopping.set(true);
        handle.log().borrow_mut().wake();
        handle.wake();
        let finished = async {
            let _all_ended = ended.recv().await;
        };
        or(finished, wait(bounds.stop_timeout)).await;
    };
    in_turns(&executor, serving).await;
}

impl Bounds {
    /// Fewer over the network: whoever reaches the TCP address must leave the local clients room.
    fn of_http(self) -> Bounds {
        Bounds {
            connections: self.connections.div_ceil(4),
            waiting: self.waiting.div_ceil(4),
            ..self
        }
    }
}

/// Runs `main` and one task of the executor after the other, and lets the rest of the thread run
/// between any two of them. `LocalExecutor::run` would take 200 steps before it does: time enough
/// to render megabytes for greedy clients while the protocol waits.
pub async fn in_turns<T>(executor: &LocalExecutor<'_>, main: impl Future<Output = T>) -> T {
    let tasks = async {
        loop {
            executor.tick().await;
            yield_now().await;
        }
    };
    or(main, tasks).await
}

/// One door and what lies behind it.
struct Server {
    context: Rc<Context>,
    bounds: Bounds,
    stopped: Receiver<Infallible>,
    alive: Sender<Infallible>,
}

impl Server {
    fn new(
        shared: &Rc<Shared>,
        door: DoorName,
        hosts: Vec<String>,
        bounds: Bounds,
        stopped: Receiver<Infallible>,
        alive: Sender<Infallible>,
    ) -> Server {
        let context = Context {
            shared: shared.clone(),
            door,
            hosts,
            keep_alive: bounds.keep_alive,
            body_timeout: bounds.body_timeout,
            waiting: Rc::default(),
            waiting_most: bounds.waiting,
        };
        Server {
            context: Rc::new(context),
            bounds,
            stopped,
            alive,
        }
    }

    /// Accepts for ever.
    async fn accept<'a, D: Door>(&self, executor: &LocalExecutor<'a>, door: &D) {
        let served = Arc::new(Semaphore::new(self.bounds.connections));
        let refused = Arc::new(Semaphore::new(self.bounds.refusals));
        loop {
            // A place to at least say no, before one more connection is taken from the queue.
            let place = refused.acquire_arc().await;
            let stream = match door.accept().await {
                Ok(stream) => stream,
                Err(error) => {
                    on_accept_error(D::NAME, &error).await;
                    continue;
                }
            };
            let (stopped, alive) = (self.stopped.clone(), self.alive.clone());
            match served.try_acquire_arc() {
                Some(permit) => {
                    let (context, bounds) = (self.context.clone(), self.bounds);
                    let task = async move {
                        serve::<D>(stream, context, bounds, stopped).await;
                        drop((permit, alive));
                    };
                    executor.spawn(task).detach();
                }
                None => {
                    let refused = &self.context.traffic().refused;
                    refused.set(refused.get() + 1);
                    let bound = self.bounds.connections;
                    let task = async move {
                        refuse(stream, bound).await;
                        drop((place, alive));
                    };
                    executor.spawn(task).detach();
                }
            }
        }
    }
}

/// Goes on at once when only that client gave up.
async fn on_accept_error(door: DoorName, error: &io::Error) {
    let gave_up = [
        io::ErrorKind::ConnectionAborted,
        io::ErrorKind::ConnectionReset,
        io::ErrorKind::InvalidInput,
    ];
    if gave_up.contains(&error.kind()) {
        return;
    }
    let door = door.as_str();
    tracing::warn!(door, %error, "no connection can be accepted now; trying again");
    wait(ACCEPT_PAUSE).await;
}

/// Serves one connection to its end.
pub(super) async fn serve<D: Door>(
    stream: D::Stream,
    context: Rc<Context>,
    bounds: Bounds,
    stopped: Receiver<Infallible>,
) {
    let caller = match D::caller(&stream) {
        Ok(caller) => caller,
        // Whoever connected over the network may be gone again.
        Err(error) => {
            tracing::debug!(%error, "a connection whose other end is unknown is closed");
            return;
        }
    };
    let _open = Open::new(&context);
    let service = service_fn(|request: Request<Incoming>| {
        let context = context.clone();
        async move { Ok::<_, Infallible>(context.answer(&caller, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(SmolTimer)
        .header_read_timeout(bounds.head_timeout)
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEADERS)
        .serve_connection(FuturesIo::new(stream), service);
    let mut connection = pin!(connection);
    let until_end = async { Some(connection.as_mut().await) };
    let until_stop = async {
        let _closed = stopped.recv().await;
        None
    };
    let result = match or(until_end, until_stop).await {
        Some(result) => result,
        None => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        let pid = caller.peer().map(|peer| peer.pid);
        let from = caller.from().map(tracing::field::display);
        tracing::debug!(%error, pid, from, "a connection broke");
    }
}

/// Counts a connection as open while it is held.
struct Open<'a>(&'a Context);

impl Open<'_> {
    fn new(context: &Context) -> Open<'_> {
        let open = &context.traffic().connections;
        open.set(open.get() + 1);
        Open(context)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let open = &self.0.traffic().connections;
        open.set(open.get() - 1);
    }
}

/// Answers whatever is asked with a problem, and closes.
async fn refuse(stream: impl AsyncRead + AsyncWrite + Unpin, bound: usize) {
    let service = service_fn(|request: Request<Incoming>| async move {
        let detail = format!(
            "{bound} connections are open already: close some (each stream of events is one), and \
             try again"
        );
        let problem = Problem::new(Kind::TooManyConnections, detail);
        let response: Response<Answer> = problem
            .respond(Some(request.uri().path()))
            .map(Answer::Whole);
        Ok::<_, Infallible>(response)
    });
    let connection = http1::Builder::new()
        .timer(SmolTimer)
        .keep_alive(false)
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEADERS)
        .serve_connection(FuturesIo::new(stream), service);
    let talk = async { drop(connection.await) };
    or(talk, wait(REFUSAL_TIMEOUT)).await;
}

async fn wait(duration: Duration) {
    Timer::after(duration).await;
}
