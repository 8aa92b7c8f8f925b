//! The command line: what can be asked for, and who does it.

pub mod client;
mod dev;
pub mod sse;
mod table;

mod attach;
mod coordinator;
mod doctor;
mod explain;
mod keys;
mod members;
mod output;
mod recover;
mod remove;
mod ring;
mod simulate;
mod status;
mod tag;
mod watch;
mod words;

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueHint};
use clap_complete::Shell;

use self::client::{Client, ClientError};
use self::output::{Format, say};
#[cfg(feature = "fuzz")]
pub(crate) use self::simulate::check_only;
use crate::{agent, settings};

const EXAMPLES: &str = "\
Examples:
  muster dev                             a cluster of five on this machine, to play with
  muster simulate crash                  how soon would everybody know of a killed process?
  muster agent --name n1                 one member, on loopback
  muster agent --name n2 --bind 10.0.0.2 --join 10.0.0.1:7946 --key-file keys
  muster members --state unreachable     who is gone
  muster explain n3                      why it is gone: who said so, and on what grounds
  muster attach -- ./server              tell all at once when and how it ends
  muster watch --exec 'notify-send \"$MUSTER_EVENT_TYPE $MUSTER_MEMBER_NAME\"'
  curl --unix-socket /run/muster/muster.sock http://muster/v1/members

Exit status: 0 done, 1 failed, 2 wrong usage or settings; of `attach` that of its command; of the
agent also 3 when a newer member took its name, 130 or 143 when a second signal (INT or TERM) ended
it.";

/// Who is here, and who is gone? A sidecar that watches the members of a cluster and tells local
/// processes over a UNIX socket.
#[derive(Debug, Parser)]
#[command(name = "muster", version, after_help = EXAMPLES, max_term_width = 100)]
struct Cli {
    /// Local socket of the agent [MUSTER_SOCKET; default: the usual places]
    // The name and type of the agent's own flag, which takes the place of this one there. The
    // variable is read by hand so that it does not look like a flag to the agent.
    #[arg(long, global = true, value_name = "PATH", value_hint = ValueHint::FilePath)]
    socket: Option<String>,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the sidecar: join the cluster, watch the others, serve the local socket
    #[command(after_help = AGENT_EXAMPLES)]
    Agent(settings::Flags),
    /// Run a local cluster of real sidecars to play with: see them find each other, kill one
    Dev(dev::DevArgs),
    /// Try settings and sizes on a virtual network: what would crashes, loss, partitions do?
    Simulate(Box<simulate::SimulateArgs>),
    /// Show the agent itself: who it is, how many it sees, how it fares
    Status(status::StatusArgs),
    /// List the members and what this agent believes of each
    Members(members::MembersArgs),
    /// Follow what happens to members, one line per event, or run a command for each
    Watch(watch::WatchArgs),
    /// Show who decides now, and in which epoch
    Coordinator(coordinator::CoordinatorArgs),
    /// Say why a member was suspected or removed: who accused it, who was asked, what they found
    Explain(explain::ExplainArgs),
    /// Show the neighbours on each ring: who watches this member and whom it watches
    Ring(ring::RingArgs),
    /// Check from here what operators get wrong, and say what to do about it
    Doctor(doctor::DoctorArgs),
    /// Make a key for a cluster, see who has which, and change the key of all without a pause
    Keys(keys::KeysArgs),
    /// Show or change the tags that this member publishes
    Tag(tag::TagArgs),
    /// Run a command as an app of this member: all are told at once when and how it ends
    Attach(attach::AttachArgs),
    /// Join a cluster through one or more of its members
    #[command(after_help = "Example:\n  muster join 10.0.0.1:7946 seed.example.org:7946")]
    Join(JoinArgs),
    /// Have the coordinator remove a member that is gone
    Remove(remove::RemoveArgs),
    /// Rebuild a quorum that is lost for good: the last resort
    Recover(recover::RecoverArgs),
    /// Say goodbye to the cluster and stop the agent; returns when the others know
    Leave,
    /// Print a completion script for a shell
    #[command(after_help = COMPLETION_EXAMPLES)]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Removes the folder of `dev` when standard input ends.
    #[command(hide = true, name = dev::JANITOR)]
    Janitor(dev::JanitorArgs),
}

const AGENT_EXAMPLES: &str = "\
Every setting has a flag, a variable and a name in the file: --probe-timeout-min,
MUSTER_PROBE_TIMEOUT_MIN, probe_timeout_min. A flag counts before a variable, a variable before the
file, the file before the preset.

Examples:
  muster agent                                     alone, on loopback, named after the host
  muster agent --name n2 --bind 10.0.0.2 --join 10.0.0.1:7946 --key-file keys --tag zone=a
  MUSTER_NAME=n3 muster agent --config /etc/muster/muster.toml

TERM and INT leave gracefully, a second one ends at once; HUP reloads log level, tags and keys.

Exit status: 0 it left, 1 failed, 2 wrong usage or settings, 3 a newer live member has its name (a
supervisor must not restart it then: the two would take the name from each other), 130 or 143 ended
by a second signal, INT or TERM.";

const COMPLETION_EXAMPLES: &str = "\
Examples:
  muster completions bash > /etc/bash_completion.d/muster
  muster completions zsh > \"${fpath[1]}/_muster\"
  muster completions fish > ~/.config/fish/completions/muster.fish";

#[derive(Debug, Args)]
struct JoinArgs {
    /// Members of the cluster, each HOST:PORT
    #[arg(required = true, value_name = "HOST:PORT", value_hint = ValueHint::Hostname)]
    seeds: Vec<String>,
}

/// Why a command failed; shown after `muster: `.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Agent(#[from] agent::AgentError),
    #[error(transparent)]
    Settings(#[from] settings::SettingsError),
    #[error(transparent)]
    Dev(dev::DevError),
    #[error(transparent)]
    Simulate(#[from] simulate::SimulateError),
    #[error("{0}")]
    Message(String),
    /// The reader of standard output went away, as `head` does: not an error.
    #[error("standard output was closed")]
    ReaderGone,
    #[error("cannot write to standard output: {0}")]
    Output(io::Error),
    /// All was said: this is the exit status.
    #[error("ended with {0}")]
    Ended(u8),
}

impl From<io::Error> for Failure {
    /// Of writing to standard output.
    fn from(error: io::Error) -> Failure {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Failure::ReaderGone
        } else {
            Failure::Output(error)
        }
    }
}

impl From<dev::DevError> for Failure {
    fn from(error: dev::DevError) -> Failure {
        match error {
            dev::DevError::Output(error) => error.into(),
            other @ (dev::DevError::Folder { .. }
            | dev::DevError::Start { .. }
            | dev::DevError::Signals(_)) => Failure::Dev(other),
        }
    }
}

/// Runs the command given on the command line.
pub fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) | Err(Failure::ReaderGone) => ExitCode::SUCCESS,
        Err(Failure::Ended(code)) => ExitCode::from(code),
        Err(failure) => {
            eprintln!("muster: {failure}");
            match failure {
                Failure::Settings(_) => ExitCode::from(2),
                Failure::Agent(error) => ExitCode::from(error.exit_code()),
                Failure::Simulate(error) => ExitCode::from(error.exit_code()),
                Failure::Client(_)
                | Failure::Dev(_)
                | Failure::Message(_)
                | Failure::ReaderGone
                | Failure::Ended(_)
                | Failure::Output(_) => ExitCode::FAILURE,
            }
        }
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    let is_simulation = matches!(cli.command, Command::Simulate(_));
    if let (true, Some(_)) = (
        is_simulation || matches!(cli.command, Command::Dev(_)),
        &cli.socket,
    ) {
        let text = if is_simulation {
            "`muster simulate` asks no agent; --socket is for commands that ask one"
        } else {
            "`muster dev` makes its own sockets; --socket is for commands that ask one agent"
        };
        Cli::command()
            .error(ErrorKind::ArgumentConflict, text)
            .exit();
    }
    let variable = std::env::var_os("MUSTER_SOCKET").filter(|path| !path.is_empty());
    let socket = cli
        .socket
        .map(PathBuf::from)
        .or(variable.map(PathBuf::from));
    let socket = socket.as_deref();
    match cli.command {
        Command::Agent(args) => Ok(agent::run(settings::Settings::load(args)?)?),
        Command::Dev(args) => Ok(dev::run(&args)?),
        Command::Simulate(args) => simulate::run(&args),
        Command::Janitor(args) => {
            dev::clean_up(&args);
            Ok(())
        }
        Command::Completions { shell } => completions(shell),
        Command::Status(args) => ask(socket, async |client| status::run(client, &args).await),
        Command::Members(args) => ask(socket, async |client| members::run(client, &args).await),
        Command::Watch(args) => ask(socket, async |client| watch::run(client, &args).await),
        Command::Coordinator(args) => {
            ask(socket, async |client| coordinator::run(client, &args).await)
        }
        Command::Explain(args) => ask(socket, async |client| explain::run(client, &args).await),
        Command::Remove(args) => ask(socket, async |client| remove::run(client, &args).await),
        Command::Recover(args) => ask(socket, async |client| recover::run(client, &args).await),
        Command::Ring(args) => ask(socket, async |client| ring::run(client, &args).await),
        Command::Doctor(args) => doctor::run(socket, &args),
        Command::Keys(args) => keys::run(socket, &args),
        Command::Tag(args) => ask(socket, async |client| tag::run(client, &args).await),
        Command::Attach(args) => attach::run(socket, &args),
        Command::Join(args) => ask(socket, async |client| join(client, &args.seeds).await),
        Command::Leave => ask(socket, async |client| leave(client).await),
    }
}

fn ask(
    socket: Option<&Path>,
    work: impl AsyncFnOnce(&Client) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let client = Client::find(socket)?;
    smol::block_on(work(&client))
}

async fn join(client: &Client, seeds: &[String]) -> Result<(), Failure> {
    client.join(seeds).await?;
    say(format!(
        "Joining through {}; `muster members` shows who is there.",
        seeds.join(", ")
    ))
}

async fn leave(client: &Client) -> Result<(), Failure> {
    let name = client.status().await?.name;
    client.leave().await?;
    say(format!("{name} has left the cluster and stops."))
}

fn completions(shell: Shell) -> Result<(), Failure> {
    // The generators also offer what is hidden.
    let whole = Cli::command();
    let shown = whole
        .get_subcommands()
        .filter(|command| !command.is_hide_set());
    let mut command = clap::Command::new("muster")
        .version(env!("CARGO_PKG_VERSION"))
        .args(whole.get_arguments().cloned())
        .subcommands(shown.cloned());
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "muster", &mut script);
    Ok(io::Write::write_all(&mut io::stdout(), &script)?)
}

/// The choice of every listing.
#[derive(Debug, Args)]
struct OutputArgs {
    /// How to print: for people, or the API's document
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
}

#[cfg(test)]
mod tests;
