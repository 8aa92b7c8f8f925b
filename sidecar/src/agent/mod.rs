//! The running sidecar: the core on real sockets.
//!
//! The way of a datagram: `sockets`, then `running` (`select`, `apply`), `Node::handle_datagram`,
//! `drain`, which sends, logs and publishes what the node has to say. `streams`, `input` and
//! `process` wait for everything else and tell the loop; `handle` is what the local socket sees.

mod advertise;
mod apps;
mod clock;
mod embedded;
mod handle;
mod hold;
mod input;
mod keys;
mod memory;
mod notify;
mod process;
mod report;
mod rest;
mod running;
mod sockets;
mod streams;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::path::{self, Path, PathBuf};
use std::rc::Rc;
use std::time::SystemTime;

use muster_swim::{Identity, Instance, Keyring, Memory, NewError, Node, Seed, SeedError, VoterKey};
use smol::channel::{Receiver, bounded};
use smol::{LocalExecutor, Timer};
use zeroize::Zeroizing;

pub use advertise::AdvertiseError;
pub use apps::{AppCommand, Attached};
pub use clock::Clock;
pub use embedded::{Orders, run_embedded};
pub(crate) use handle::Places;
#[cfg(test)]
pub(crate) use handle::outcome;
pub use handle::{Command, CommandError, Handle, Outcome, Request};
#[cfg(feature = "fuzz")]
pub(crate) use keys::render as render_keys;
pub use keys::{KeyCommand, KeyFileError};
pub(crate) use keys::{draw as draw_key, parse as parse_keys, read as read_keys};
pub use memory::MemoryError;
pub(crate) use memory::StoreFigures;
pub use sockets::SocketsError;

use crate::api::events::EventLog;
use crate::api::{self, HttpError, HttpListener, SocketError};
use crate::log::{Log, LogError};
use crate::settings::{self, Settings};
use hold::Held;
use keys::Keeper;
use memory::Store;
use process::Signal;
use rest::Rest;
use running::Running;
use sockets::Sockets;

/// Why the agent could not start, or had to end without having left.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The protocol's sockets cannot be opened. Nothing was started.
    #[error(transparent)]
    Sockets(#[from] SocketsError),
    /// No address that others could be told. Nothing was started.
    #[error(transparent)]
    Advertise(#[from] AdvertiseError),
    /// The local socket cannot be opened. Nothing was started.
    #[error(transparent)]
    LocalSocket(#[from] SocketError),
    /// The TCP address cannot be opened. Nothing was started.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The usual folder of the local socket cannot be used. Nothing was started.
    #[error("cannot use the usual folder of the local socket: {0}; choose a path with --socket")]
    Folder(io::Error),
    /// The key file cannot be used. Nothing was started.
    #[error(transparent)]
    Keys(#[from] KeyFileError),
    /// The data directory cannot be used. Nothing was started.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// The core refuses a setting, or what is stored. Nothing was started.
    #[error("{}{}", .0, advice(.0))]
    New(#[from] NewError),
    /// The core refuses a seed. Nothing was started.
    #[error("--join: {0}")]
    Seed(SeedError),
    /// There is no log. Nothing was started.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The system refuses what the agent needs. Nothing was started.
    #[error("cannot {what}: {error}")]
    System {
        /// For what.
        what: &'static str,
        /// What the system says.
        error: io::Error,
    },
    /// A newer instance with this name is in the cluster; this one gave way.
    #[error(
        "the name {name:?} is taken: a newer member with it (instance {instance}) is alive at {addr}; \
         stop that one, or give this one another name with --name"
    )]
    NameTaken {
        /// The name.
        name: String,
        /// Where the newer one listens.
        addr: SocketAddr,
        /// Its life.
        instance: Instance,
    },
    /// A second signal came while it was leaving.
    #[error("ended by a second signal ({signal}) before the others had heard the goodbye")]
    Interrupted {
        /// Its name.
        signal: &'static str,
        /// The exit code that belongs to it.
        code: u8,
    },
}

impl AgentError {
    /// The exit code: 2 for settings, 3 for a name that is taken, 128 and the number for a signal,
    /// else 1.
    pub fn exit_code(&self) -> u8 {
        match self {
            AgentError::New(NewError::Config(_)) | AgentError::Seed(_) => 2,
            AgentError::NameTaken { .. } => 3,
            AgentError::Interrupted { code, .. } => *code,
            AgentError::Sockets(_)
            | AgentError::Advertise(_)
            | AgentError::LocalSocket(_)
            | AgentError::Http(_)
            | AgentError::Folder(_)
            | AgentError::Log(_)
            | AgentError::Memory(_)
            | AgentError::Keys(_)
            | AgentError::New(NewError::Stored { .. })
            | AgentError::System { .. } => 1,
        }
    }
}

/// Runs a member until it has left or cannot go on. Blocks; call it once per process.
pub fn run(settings: Settings) -> Result<(), AgentError> {
    if let Some(parent) = settings.parent {
        process::end_with(parent).map_err(system("end with the parent"))?;
    }
    let log = Log::start(settings.log_level, settings.log_format)?;
    process::raise_descriptor_limit();
    let executor = Rc::new(LocalExecutor::new());
    let rest = Rest::new().map_err(system("wait for datagrams"))?;
    let life = async {
        let signals = process::signals(&executor).map_err(system("take signals"))?;
        let (log, executor) = (Some(log.clone()), Rc::clone(&executor));
        live(settings, executor, &rest, signals, log, drop).await
    };
    let result = rest.block_on(api::in_turns(&executor, life));
    log.flush();
    result
}

/// One life of a member, on an executor that runs meanwhile, on the thread that rests there.
/// `serving` is told the path of the local socket once the kernel takes connections to it. With a
/// `log` the process is the member's own: its supervisor is spoken to.
async fn live(
    settings: Settings,
    executor: Rc<LocalExecutor<'static>>,
    rest: &Rest,
    signals: Receiver<Signal>,
    log: Option<Log>,
    serving: impl FnOnce(PathBuf),
) -> Result<(), AgentError> {
    let clock = Clock::start();
    let sockets = Sockets::open(settings.bind, rest)?;
    let begun = async {
        let identity = identify(&settings, sockets.addr).await?;
        Ok((identity, read_keys_of(&settings, &clock).await?))
    };
    let Some(((identity, (keeper, ring)), missed)) = unless_ended(begun, &signals).await? else {
        tracing::info!("ended-before-start");
        return Ok(());
    };
    let socket = match &settings.socket {
        Some(path) => path.clone(),
        None => {
            let path = settings::default_socket();
            settings::prepare_directory(&path).map_err(AgentError::Folder)?;
            path
        }
    };
    let (memory, store) = remember(&settings)?;
    for doubt in settings.doubts() {
        tracing::warn!(doubt, "doubtful-settings");
    }
    let listener = api::bind(&socket, &settings.access)?;
    let http = open_http(&settings)?;
    let seed = draw_seed().map_err(system("draw random numbers"))?;
    let origin = identity.instance.0;
    let mut node = Node::new(settings.swim.clone(), identity, memory, seed, clock.now())?;
    node.set_keys(ring, settings.plaintext.unwrap_or_default(), clock.now());
    announce(&node, &sockets, &socket);
    if let Some(http) = &http {
        announce_http(http);
    }
    serving(socket);

    let events = EventLog::new(origin, settings.event_buffer);
    let (handle, requests) = Handle::new(node, Rc::new(events.into()), clock);
    handle.show_places(places(&settings));
    let (stop, stopped) = bounded::<()>(1);
    let until_stopped = async move {
        // Nothing is ever sent: the end of the channel is the message.
        let _ = stopped.recv().await;
    };
    let access = settings.access.clone();
    let api = executor.spawn(api::serve_until(
        listener,
        http,
        handle.clone(),
        access,
        until_stopped,
    ));
    let _watchdog = log.as_ref().and_then(|_| {
        notify::ready();
        notify::watchdog(&executor, &handle)
    });
    let (mut missed, mut early, mut sockets) = (missed, Vec::new(), sockets);
    if let Some(app) = &settings.require {
        let addr = sockets.addr;
        drop(sockets);
        match hold::until_attached(app, &handle, &requests, &signals).await {
            Held::Attached(actions, reload) => (early, missed) = (actions, missed.or(reload)),
            Held::Ended => {
                drop(stop);
                api.await;
                return Ok(());
            }
        }
        sockets = Sockets::open(addr, rest)?;
    }
    let running = Running::new(
        settings, handle, executor, sockets, store, requests, signals, log, keeper,
    )?;
    let result = running.run(missed, early).await;
    drop(stop);
    api.await;
    result
}

/// What came of the beginning, with a reload that was asked for meanwhile; `None`: a signal ended
/// the agent first. It is in no cluster yet, so there is nobody to say goodbye to.
async fn unless_ended<T>(
    begun: impl Future<Output = Result<T, AgentError>>,
    signals: &Receiver<Signal>,
) -> Result<Option<(T, Option<Signal>)>, AgentError> {
    let missed = Cell::new(None);
    let ended = async {
        loop {
            match signals.recv().await {
                Ok(Signal::Terminate | Signal::Interrupt | Signal::Leave) => return Ok(None),
                Ok(Signal::Reload) => missed.set(Some(Signal::Reload)),
                // Without a sender there will be no signal.
                Err(_) => std::future::pending().await,
            }
        }
    };
    let begun = async { begun.await.map(Some) };
    let begun = smol::future::or(ended, begun).await?;
    Ok(begun.map(|begun| (begun, missed.take())))
}

/// The ring of the key file, and who goes on with the file. Its disk may not answer.
async fn read_keys_of(
    settings: &Settings,
    clock: &Clock,
) -> Result<(Keeper, Option<Keyring>), KeyFileError> {
    let (path, clock, mut keeper) = (settings.key_file.clone(), clock.clone(), Keeper::default());
    smol::unblock(move || {
        let taken = keeper.load(path.as_deref(), &clock)?;
        Ok((keeper, taken.ring))
    })
    .await
}

async fn identify(settings: &Settings, bound: SocketAddr) -> Result<Identity, AdvertiseError> {
    let resolve = async |seed: &str| smol::net::resolve(seed).await;
    let (advertise, seeds) = (settings.advertise, &settings.seeds);
    let choose = || advertise::choose(advertise, bound, seeds, resolve, sockets::route_to);
    let rest = async |time| {
        Timer::after(time).await;
    };
    let addr = advertise::retry(choose, rest).await?;
    let since_epoch = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    Ok(Identity {
        cluster: settings.cluster.clone(),
        name: settings.name.clone(),
        addr,
        instance: Instance(u64::try_from(since_epoch.as_micros()).unwrap_or(u64::MAX)),
        tags: settings.tags.clone(),
    })
}

/// Randomness of the operating system.
pub(crate) fn draw_seed() -> io::Result<Seed> {
    let mut seed = Seed([0; 32]);
    draw(&mut seed.0)?;
    Ok(seed)
}

/// What makes a new memory of a voter its own.
fn draw_voter_key() -> io::Result<VoterKey> {
    let mut seed = Zeroizing::new([0; 32]);
    draw(&mut *seed)?;
    Ok(VoterKey::from_seed(&seed))
}

fn draw(bytes: &mut [u8]) -> io::Result<()> {
    let (mut drawn, flags) = (0, rustix::rand::GetRandomFlags::empty());
    while drawn < bytes.len() {
        drawn += rustix::rand::getrandom(&mut bytes[drawn..], flags)?;
    }
    Ok(())
}

/// What this member remembers, and where it goes on remembering.
fn remember(settings: &Settings) -> Result<(Memory, Option<Store>), MemoryError> {
    let Some(dir) = &settings.data_dir else {
        let memory = if settings.non_voting {
            Memory::never_votes()
        } else {
            Memory::volatile(draw_voter_key().map_err(MemoryError::Random)?)
        };
        return Ok((memory, None));
    };
    let (store, memory) = Store::open(dir, &settings.cluster, &settings.name)?;
    tracing::info!(dir = %dir.display(), voter = %format_args!("{:016x}", memory.id().0), "memory-opened");
    Ok((memory, Some(store)))
}

fn open_http(settings: &Settings) -> Result<Option<HttpListener>, HttpError> {
    let open = |addr| api::bind_http(addr, &settings.http_hosts);
    settings.http.map(open).transpose()
}

fn announce_http(http: &HttpListener) {
    let addr = http.addr();
    if addr.ip().is_loopback() {
        tracing::info!(%addr, "http-started");
    } else {
        tracing::warn!(
            %addr,
            consequence = "whoever reaches this address reads members, events and metrics, and \
                           nobody is asked who they are",
            advice = "let only a network that you trust reach it, or name a loopback address",
            "http-open-to-network"
        );
    }
}

/// The files of these settings.
fn places(settings: &Settings) -> Places {
    // What has no absolute form is told as it was given.
    let told = |path: &Path| path::absolute(path).unwrap_or_else(|_| path.into());
    Places {
        config: settings.config().map(told),
        data_dir: settings.data_dir.as_deref().map(told),
        key_file: settings.key_file.as_deref().map(told),
    }
}

fn announce(node: &Node, sockets: &Sockets, socket: &Path) {
    let identity = node.identity();
    tracing::info!(
        name = identity.name.as_str(),
        cluster = identity.cluster.as_str(),
        addr = %identity.addr,
        bind = %sockets.addr,
        instance = identity.instance.0,
        socket = %socket.display(),
        pid = std::process::id(),
        version = env!("CARGO_PKG_VERSION"),
        "agent-started"
    );
}

fn advice(error: &NewError) -> &'static str {
    match error {
        NewError::Config(_) => "",
        NewError::Stored { .. } => {
            "; it was left as it is: start the version that wrote it, or name an empty directory \
             with --data-dir, and this member becomes a new voter"
        }
    }
}

fn system(what: &'static str) -> impl Fn(io::Error) -> AgentError {
    move |error| AgentError::System { what, error }
}
