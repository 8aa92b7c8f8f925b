//! TCP streams: a task for each, which waits; the loop, which decides.
//!
//! Bounded on both sides. What comes in takes one of a few permits before it is read and gives it
//! back once the loop has applied it: a peer that sends much waits in its own kernel. What goes out
//! is counted: a peer that takes nothing loses its stream.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use muster_swim::{StreamEnd, StreamId};
use smol::channel::{Receiver, Sender, unbounded};
use smol::future::FutureExt;
use smol::lock::{Semaphore, SemaphoreGuardArc};
use smol::{Async, LocalExecutor, Task, Timer};
use socket2::{SockRef, TcpKeepalive};

use super::input::Input;

#[cfg(test)]
mod tests;

/// Most bytes taken from a stream at a time.
const CHUNK_BYTES: usize = 64 * 1024;

/// Chunks read and not yet applied, of all streams.
const CHUNKS: usize = 16;

/// Bytes that may wait to be sent on one stream: the state of a full table in most clusters. More
/// is only asked for when the peer takes nothing.
const STREAM_BYTES: usize = 32 * 1024 * 1024;

/// The same for all streams.
const ALL_BYTES: usize = 128 * 1024 * 1024;

/// How long a stream that the core has closed may take to send what waits. The core watches it no
/// longer.
const LINGER: Duration = Duration::from_secs(5);

/// A stream on which nothing came for so long is tried: two packets, so that idle links stay
/// within the budget of a quiet member.
const KEEPALIVE: Duration = Duration::from_secs(600);

/// Streams that may do so at a time; more are cut off.
const LINGERING: usize = 256;

/// What a stream's task has to say.
#[derive(Debug)]
pub(super) enum StreamInput {
    /// The connection was made.
    Connected,
    /// Bytes came.
    Data(Chunk),
    /// It is over.
    Closed(StreamEnd),
}

/// Bytes that came, with their permit.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) bytes: Vec<u8>,
    _permit: SemaphoreGuardArc,
}

/// The open streams.
pub(super) struct Streams {
    executor: Rc<LocalExecutor<'static>>,
    open: HashMap<StreamId, Open>,
    shared: Shared,
    /// Bytes that wait to be sent, on all streams.
    waiting: Rc<Cell<usize>>,
    lingering: Rc<Cell<usize>>,
}

struct Open {
    outgoing: Sender<Vec<u8>>,
    waiting: Rc<Waiting>,
    is_connected: Rc<Cell<bool>>,
    /// Who opened it, unless it was opened here.
    from: Option<SocketAddr>,
    task: Task<()>,
}

/// What all tasks use.
#[derive(Clone)]
struct Shared {
    inputs: Sender<Input>,
    permits: Arc<Semaphore>,
    /// Bytes are read into it and copied out at their true size.
    scratch: Rc<RefCell<Vec<u8>>>,
}

/// The bytes that wait on one stream, also counted among those of all.
struct Waiting {
    bytes: Cell<usize>,
    all: Rc<Cell<usize>>,
}

impl Waiting {
    fn add(&self, bytes: usize) {
        self.bytes.set(self.bytes.get() + bytes);
        self.all.set(self.all.get() + bytes);
    }

    fn remove(&self, bytes: usize) {
        self.bytes.set(self.bytes.get() - bytes);
        self.all.set(self.all.get() - bytes);
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.remove(self.bytes.get());
    }
}

impl Streams {
    /// No streams yet; their tasks run on `executor` and speak to the loop through `inputs`.
    pub(super) fn new(executor: Rc<LocalExecutor<'static>>, inputs: Sender<Input>) -> Streams {
        let shared = Shared {
            inputs,
            permits: Arc::new(Semaphore::new(CHUNKS)),
            scratch: Rc::new(RefCell::new(vec![0; CHUNK_BYTES])),
        };
        let (waiting, lingering) = (Rc::default(), Rc::default());
        Streams {
            executor,
            open: HashMap::new(),
            shared,
            waiting,
            lingering,
        }
    }

    /// Opens a stream to `to`.
    pub(super) fn connect(&mut self, id: StreamId, to: SocketAddr) {
        let shared = self.shared.clone();
        self.start(id, None, async move |outgoing, waiting, is_connected| {
            let end = match connect(to).await {
                Ok(stream) => {
                    is_connected.set(true);
                    shared.tell(id, StreamInput::Connected).await;
                    return carry(id, stream, outgoing, waiting, shared).await;
                }
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    StreamEnd::Refused
                }
                Err(error) => {
                    tracing::trace!(%to, %error, "stream-failed");
                    StreamEnd::Failed
                }
            };
            shared.tell(id, StreamInput::Closed(end)).await;
        });
    }

    /// Carries a stream that somebody else opened.
    pub(super) fn adopt(&mut self, id: StreamId, stream: Async<TcpStream>, from: SocketAddr) {
        let shared = self.shared.clone();
        self.start(id, Some(from), async move |outgoing, waiting, _| {
            carry(id, stream, outgoing, waiting, shared).await;
        });
    }

    /// Queues bytes in order. A stream on which too many wait is cut off.
    pub(super) fn send(&mut self, id: StreamId, bytes: Vec<u8>) {
        let Some(open) = self.open.get(&id) else {
            return;
        };
        let of_this = open.waiting.bytes.get() + bytes.len();
        if of_this > STREAM_BYTES || self.waiting.get() + bytes.len() > ALL_BYTES {
            tracing::debug!(stream = id.0, waiting = of_this, "stream-cut-off");
            self.open.remove(&id);
            let shared = self.shared.clone();
            let end = async move {
                shared
                    .tell(id, StreamInput::Closed(StreamEnd::Closed))
                    .await
            };
            return self.executor.spawn(end).detach();
        }
        open.waiting.add(bytes.len());
        if let Err(refused) = open.outgoing.try_send(bytes) {
            // The task is over and the loop will hear of it.
            open.waiting.remove(refused.into_inner().len());
        }
    }

    /// Ends a stream: one that is open once all is sent, one that is being opened at once.
    pub(super) fn close(&mut self, id: StreamId) {
        let Some(open) = self.open.remove(&id) else {
            return;
        };
        let lingers = open.is_connected.get() && !open.task.is_finished();
        if !lingers || self.lingering.get() >= LINGERING {
            return;
        }
        let lingering = Rc::clone(&self.lingering);
        lingering.set(lingering.get() + 1);
        let Open { outgoing, task, .. } = open;
        // Without a sender the task sends the rest and ends.
        drop(outgoing);
        let limited = async move {
            let limit = async {
                Timer::after(LINGER).await;
            };
            task.or(limit).await;
            lingering.set(lingering.get() - 1);
        };
        self.executor.spawn(limited).detach();
    }

    /// Streams that are open or being opened.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// Who opened a stream to here.
    pub(super) fn opener(&self, id: StreamId) -> Option<SocketAddr> {
        self.open.get(&id)?.from
    }

    fn start<F>(&mut self, id: StreamId, from: Option<SocketAddr>, work: F)
    where
        F: AsyncFnOnce(Receiver<Vec<u8>>, Rc<Waiting>, Rc<Cell<bool>>) + 'static,
    {
        // Without a bound of its own: `send` counts the bytes.
        let (outgoing, chunks) = unbounded();
        let all = Rc::clone(&self.waiting);
        let waiting = Rc::new(Waiting {
            bytes: Cell::new(0),
            all,
        });
        let is_connected = Rc::new(Cell::new(from.is_some()));
        let future = {
            let (waiting, is_connected) = (Rc::clone(&waiting), Rc::clone(&is_connected));
            async move { work(chunks, waiting, is_connected).await }
        };
        let task = self.executor.spawn(future);
        self.open.insert(
            id,
            Open {
                outgoing,
                waiting,
                is_connected,
                from,
                task,
            },
        );
    }
}

impl Shared {
    async fn tell(&self, id: StreamId, input: StreamInput) {
        // Nobody listens once the agent ends; then nothing is left to say.
        let _ = self.inputs.send(Input::Stream(id, input)).await;
    }
}

async fn connect(to: SocketAddr) -> io::Result<Async<TcpStream>> {
    let stream = Async::<TcpStream>::connect(to).await?;
    // On one host a connection to a port where nobody listens can, by chance, get that very port as
    // its own and meet itself (RFC 9293, simultaneous open).
    if stream.get_ref().local_addr()? == stream.get_ref().peer_addr()? {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    Ok(stream)
}

/// Carries bytes both ways until either side ends it.
async fn carry(
    id: StreamId,
    stream: Async<TcpStream>,
    outgoing: Receiver<Vec<u8>>,
    waiting: Rc<Waiting>,
    shared: Shared,
) {
    // Frames are small and each is waited for.
    let _ = stream.get_ref().set_nodelay(true);
    // A link to a host that went without a word, and came back under the same name, ends some time.
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE);
    let _ = SockRef::from(stream.get_ref()).set_tcp_keepalive(&keepalive);
    let reading = async {
        read_all(id, &stream, &shared).await;
        shared
            .tell(id, StreamInput::Closed(StreamEnd::Closed))
            .await;
        // What was to be sent still goes out; the loop closes the channel.
        std::future::pending().await
    };
    let writing = write_all(&stream, outgoing, &waiting);
    match writing.or(reading).await {
        Ok(()) => {
            // The peer sees the end of what was sent; were the socket dropped while bytes of the
            // peer are unread, a reset could take away what it has not yet read.
            let _ = stream.get_ref().shutdown(Shutdown::Write);
            discard(&stream, &shared).await;
        }
        Err(_) => {
            shared
                .tell(id, StreamInput::Closed(StreamEnd::Closed))
                .await
        }
    }
}

/// Hands over what comes until the peer ends it.
async fn read_all(id: StreamId, stream: &Async<TcpStream>, shared: &Shared) {
    while stream.readable().await.is_ok() {
        let permit = shared.permits.acquire_arc().await;
        let bytes = match read_some(stream, shared) {
            Ok(bytes) if bytes.is_empty() => return,
            Ok(bytes) => bytes,
            Err(error) if is_passing(&error) => continue,
            Err(_) => return,
        };
        shared
            .tell(
                id,
                StreamInput::Data(Chunk {
                    bytes,
                    _permit: permit,
                }),
            )
            .await;
    }
}

fn read_some(stream: &Async<TcpStream>, shared: &Shared) -> io::Result<Vec<u8>> {
    let mut scratch = shared.scratch.borrow_mut();
    let count = stream.get_ref().read(&mut scratch)?;
    Ok(scratch[..count].to_vec())
}

/// Sends until there is no more sender.
async fn write_all(
    stream: &Async<TcpStream>,
    outgoing: Receiver<Vec<u8>>,
    waiting: &Waiting,
) -> io::Result<()> {
    while let Ok(bytes) = outgoing.recv().await {
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            match stream.get_ref().write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    waiting.remove(count);
                    rest = &rest[count..];
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_passing(&error) => stream.writable().await?,
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

/// Takes and forgets what the peer still sends.
async fn discard(stream: &Async<TcpStream>, shared: &Shared) {
    while stream.readable().await.is_ok() {
        let count = stream.get_ref().read(&mut shared.scratch.borrow_mut());
        match count {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if is_passing(&error) => {}
            Err(_) => return,
        }
    }
}

fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}
