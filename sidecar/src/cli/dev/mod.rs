//! `muster dev`: a local cluster of real sidecars to play with.
//!
//! One loop: it waits for an input (a typed line, a report of a watcher, a signal, the tick),
//! applies it to [`Cluster`], and shows what changed.

mod children;
mod cluster;
mod commands;
mod janitor;
mod plain;
mod screen;
mod signals;
mod story;
mod watchers;

use std::io::{self, BufRead, IsTerminal};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use clap::Args;
use crossterm::event::Event;
use smol::channel::{Receiver, Sender, bounded};
use smol::stream::StreamExt;
use smol::{LocalExecutor, Timer};
use tempfile::TempDir;

use self::children::Setup;
use self::cluster::Cluster;
use self::janitor::Janitor;
use self::plain::Plain;
use self::screen::{Screen, Typed};
use self::story::Story;
use self::watchers::{Report, Source};
use super::table::{Cell, Look, Table};

pub(super) use self::janitor::{JANITOR, JanitorArgs, clean_up};

/// Between two looks at what no watcher reports: stopped processes, a screen that must be redrawn.
const TICK: Duration = Duration::from_millis(100);

/// Inputs that may wait; watchers wait for a place.
const INPUTS: usize = 1024;

/// Longest path of a UNIX socket (unix(7)), less its final zero.
const SOCKET_PATH: usize = 107;

const EXAMPLES: &str = "\
Everything is on loopback and in one temporary folder, and all of it is gone when this ends,
also when it is ended by `kill -9`.

While it runs, type: kill n3, leave n3, pause n3, resume n3, restart n3, add, help, quit. Or use
another terminal: kill -9 a pid of the table, ask a socket of the table.

Examples:
  muster dev
  muster dev --members 9
  muster dev --preset lan               as slow and as thrifty as on real hosts
  muster dev -- --period 500ms --suspicion 200ms";

/// Arguments of `muster dev`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct DevArgs {
    /// How many sidecars to start
    #[arg(
        long, short = 'n', default_value_t = 5, value_name = "N",
        value_parser = clap::value_parser!(u16).range(1..=200)
    )]
    members: u16,

    /// What the settings of the protocol start from
    #[arg(long, default_value = "local", value_parser = ["lan", "wan", "local"])]
    preset: String,

    /// The cluster's name
    #[arg(long, default_value = "dev", value_name = "NAME")]
    cluster: String,

    /// Further arguments for every `muster agent`
    #[arg(last = true, value_name = "AGENT-ARGUMENTS")]
    agent_arguments: Vec<String>,
}

/// Why the local cluster could not be started or shown. Nothing of it is left.
#[derive(Debug, thiserror::Error)]
pub(super) enum DevError {
    /// No place for sockets and logs.
    #[error("cannot make a folder for the sockets in {}: {error}", .folder.display())]
    Folder {
        /// Where it should be made.
        folder: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// A process did not start.
    #[error("cannot start {what}: {error}")]
    Start {
        /// Which.
        what: String,
        /// Why not.
        error: io::Error,
    },
    /// Signals cannot be received.
    #[error("cannot receive signals: {0}")]
    Signals(io::Error),
    /// Standard output cannot be written.
    #[error("cannot write to standard output: {0}")]
    Output(io::Error),
}

/// What the loop waits for.
#[derive(Debug)]
enum Input {
    /// A whole line was typed.
    Line(String),
    /// A key was pressed, or the terminal has another size.
    Terminal(Event),
    /// A watcher reports.
    Report(Source, Report),
    /// Time for a look at what nobody reports.
    Tick,
    /// It shall end.
    Quit,
}

/// What is shown, whichever way.
#[derive(Debug)]
struct Picture<'a> {
    title: Vec<Cell>,
    table: Table,
    hints: Vec<Vec<Cell>>,
    story: &'a Story,
}

/// Runs a local cluster until it is told to stop.
pub(super) fn run(args: &DevArgs) -> Result<(), DevError> {
    let executor = Rc::new(LocalExecutor::new());
    // The sidecars are started on this thread, which lives until the end: see `Child::start`.
    smol::block_on(executor.run(play(&executor, args)))
}

async fn play(executor: &Rc<LocalExecutor<'static>>, args: &DevArgs) -> Result<(), DevError> {
    let program = std::env::current_exe().map_err(|error| DevError::Start {
        what: "a sidecar".to_owned(),
        error,
    })?;
    let (inputs, incoming) = bounded(INPUTS);
    signals::forward(executor, inputs.clone()).map_err(DevError::Signals)?;
    let folder = make_folder()?;
    let janitor = Janitor::start(&program, folder.path()).map_err(|error| DevError::Start {
        what: "the janitor".to_owned(),
        error,
    })?;
    let setup = Setup {
        program,
        folder: folder.path().to_owned(),
        arguments: agent_arguments(args),
    };
    let mut cluster = Cluster::new(setup, Rc::clone(executor), inputs.clone());
    let result = show_until_end(&mut cluster, usize::from(args.members), inputs, incoming).await;
    let count = cluster.stop();
    let place = folder.path().display().to_string();
    let removed = folder.close().map_err(|error| DevError::Folder {
        folder: place.into(),
        error,
    });
    janitor.dismiss();
    result.and(removed)?;
    let last_word = format!("Stopped {count} sidecars and removed their folder.");
    // It is all done by now, whether there is anybody left to read it or not.
    super::output::say(last_word).or(Ok(()))
}

async fn show_until_end(
    cluster: &mut Cluster,
    members: usize,
    inputs: Sender<Input>,
    incoming: Receiver<Input>,
) -> Result<(), DevError> {
    let mut shown = Shown::begin(inputs).map_err(DevError::Output)?;
    for _ in 0..members {
        cluster.add();
    }
    cluster.start_waiting()?;
    let mut ticks = Timer::interval(TICK);
    loop {
        shown.refresh(cluster).map_err(DevError::Output)?;
        // The tick first: however much is reported, it comes.
        let tick = async { Ok(ticks.next().await.map_or(Input::Quit, |_| Input::Tick)) };
        let first = smol::future::or(tick, incoming.recv()).await;
        let mut next = first.ok();
        // All that waits is applied before anything is drawn.
        while let Some(input) = next {
            if shown.apply(input, cluster)? {
                return shown.refresh(cluster).map_err(DevError::Output);
            }
            next = incoming.try_recv().ok();
        }
    }
}

/// How the cluster is shown: on a terminal or as plain lines.
enum Shown {
    Screen(Screen),
    Plain(Plain),
}

impl Shown {
    fn begin(inputs: Sender<Input>) -> io::Result<Shown> {
        if io::stdin().is_terminal() && io::stdout().is_terminal() {
            let screen = Screen::take()?;
            std::thread::spawn(move || read_terminal(&inputs));
            return Ok(Shown::Screen(screen));
        }
        std::thread::spawn(move || read_lines(&inputs));
        Ok(Shown::Plain(Plain::new()))
    }

    fn refresh(&mut self, cluster: &mut Cluster) -> io::Result<()> {
        let news: Vec<String> = cluster
            .story
            .news()
            .iter()
            .map(|line| Look::PLAIN.line(line))
            .collect();
        match self {
            Shown::Screen(screen) => screen.draw(&cluster.picture()),
            Shown::Plain(plain) => plain.show(&cluster.picture(), &news),
        }
    }

    /// Whether it shall end.
    fn apply(&mut self, input: Input, cluster: &mut Cluster) -> Result<bool, DevError> {
        match input {
            Input::Quit => return Ok(true),
            Input::Line(line) => return Ok(cluster.obey(&line)),
            Input::Report(source, report) => cluster.report(source, report)?,
            Input::Tick => cluster.look_around()?,
            Input::Terminal(event) => {
                let Shown::Screen(screen) = self else {
                    return Ok(false);
                };
                match screen.handle(&event) {
                    Typed::Nothing => {}
                    Typed::Quit => return Ok(true),
                    Typed::Line(line) => return Ok(cluster.obey(&line)),
                }
            }
        }
        Ok(false)
    }
}

fn read_terminal(inputs: &Sender<Input>) {
    while let Ok(event) = crossterm::event::read() {
        if inputs.send_blocking(Input::Terminal(event)).is_err() {
            return;
        }
    }
    // No terminal any more.
    let _ = inputs.send_blocking(Input::Quit);
}

/// The end of standard input does not end the cluster: it may run in the background of a script.
fn read_lines(inputs: &Sender<Input>) {
    for line in io::stdin().lock().lines().map_while(Result::ok) {
        if inputs.send_blocking(Input::Line(line)).is_err() {
            return;
        }
    }
}

fn agent_arguments(args: &DevArgs) -> Vec<String> {
    let mut arguments = vec![
        format!("--cluster={}", args.cluster),
        format!("--preset={}", args.preset),
    ];
    arguments.extend(args.agent_arguments.iter().cloned());
    arguments
}

/// A folder of our own whose sockets have paths that the kernel accepts.
fn make_folder() -> Result<TempDir, DevError> {
    let wanted = std::env::temp_dir();
    let longest = "/muster-dev-123456/n9999.sock".len();
    let fits = wanted.as_os_str().len() + longest <= SOCKET_PATH;
    let place = if fits {
        wanted.as_path()
    } else {
        Path::new("/tmp")
    };
    tempfile::Builder::new()
        .prefix("muster-dev-")
        .tempdir_in(place)
        .map_err(|error| DevError::Folder {
            folder: place.to_owned(),
            error,
        })
}
