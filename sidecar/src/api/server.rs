//! Accepts connections and keeps them within their bounds.

use std::convert::Infallible;
use std::io;
use std::os::unix::net::UnixStream;
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
use smol::lock::Semaphore;
use smol::{Async, LocalExecutor, Timer};
use smol_hyper::rt::FuturesIo;

use super::access::{Access, Peer};
use super::problem::{Kind, Problem};
use super::routes::Context;
use super::socket::Listener;
use super::stream::Answer;
use super::timer::SmolTimer;
use crate::agent::Handle;

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
    listener: Listener,
    handle: Handle,
    access: Access,
    bounds: Bounds,
    stop: impl Future<Output = ()>,
) {
    let started = handle.clock().now();
    let context = Rc::new(Context {
        handle,
        access,
        started,
        keep_alive: bounds.keep_alive,
        body_timeout: bounds.body_timeout,
        stopping: Rc::default(),
        waiting: Rc::default(),
        waiting_most: bounds.waiting,
    });
    let executor = LocalExecutor::new();
    // Closed when the server stops; the other one when the last connection ended.
    let (stop_sender, stopped) = bounded(1);
    let (alive, ended) = bounded::<Infallible>(1);
    let server = Server {
        context: context.clone(),
        bounds,
        stopped,
        alive,
    };
    let serving = async {
        or(server.accept(&executor, &listener), stop).await;
        drop((listener, server, stop_sender));
        context.stopping.set(true);
        context.handle.log().borrow_mut().wake();
        context.handle.wake();
        let finished = async {
            let _all_ended = ended.recv().await;
        };
        or(finished, wait(bounds.stop_timeout)).await;
    };
    in_turns(&executor, serving).await;
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

struct Server {
    context: Rc<Context>,
    bounds: Bounds,
    stopped: Receiver<Infallible>,
    alive: Sender<Infallible>,
}

impl Server {
    /// Accepts for ever.
    async fn accept<'a>(&self, executor: &LocalExecutor<'a>, listener: &Listener) {
        let served = Arc::new(Semaphore::new(self.bounds.connections));
        let refused = Arc::new(Semaphore::new(self.bounds.refusals));
        loop {
            // A place to at least say no, before one more connection is taken from the queue.
            let place = refused.acquire_arc().await;
            let stream = match listener.inner.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    on_accept_error(&error).await;
                    continue;
                }
            };
            let (stopped, alive) = (self.stopped.clone(), self.alive.clone());
            match served.try_acquire_arc() {
                Some(permit) => {
                    let (context, bounds) = (self.context.clone(), self.bounds);
                    let task = async move {
                        serve(stream, context, bounds, stopped).await;
                        drop((permit, alive));
                    };
                    executor.spawn(task).detach();
                }
                None => {
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
async fn on_accept_error(error: &io::Error) {
    if error.kind() == io::ErrorKind::ConnectionAborted {
        return;
    }
    tracing::warn!(%error, "the local socket cannot accept a connection; trying again");
    wait(ACCEPT_PAUSE).await;
}

/// Serves one connection to its end.
async fn serve(
    stream: Async<UnixStream>,
    context: Rc<Context>,
    bounds: Bounds,
    stopped: Receiver<Infallible>,
) {
    let peer = match Peer::of(&stream) {
        Ok(peer) => peer,
        Err(error) => {
            tracing::warn!(%error, "a connection without credentials is closed");
            return;
        }
    };
    let service = service_fn(|request: Request<Incoming>| {
        let context = context.clone();
        async move { Ok::<_, Infallible>(context.answer(&peer, request).await) }
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
        tracing::debug!(%error, uid = peer.uid, pid = peer.pid, "a connection broke");
    }
}

/// Answers whatever is asked with a problem, and closes.
async fn refuse(stream: Async<UnixStream>, bound: usize) {
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
