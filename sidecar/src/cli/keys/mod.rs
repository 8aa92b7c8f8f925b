//! `muster keys`: make a key, see who has which, and change those of a cluster that runs.

mod rotate;
mod show;
#[cfg(test)]
mod tests;

use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand, ValueHint};
use muster_swim::{Key, KeyId};
use serde::Serialize;
use zeroize::Zeroizing;

use super::client::Client;
use super::output::{Format, say, say_json, say_lines};
use super::table::Look;
use super::{Failure, OutputArgs, ask};
use crate::agent::{self, Clock};
use crate::api::model::Keys;
use crate::settings;

const EXAMPLES: &str = "\
Examples:
  muster keys generate /etc/muster/keys      a new key, in a new file that nobody else can read
  muster keys list                           the keys of the cluster: who has which, who seals
  muster keys list /etc/muster/keys          those of a file; the first one seals
  muster keys rotate                         another key for the whole cluster, without a pause

`rotate` does three steps at all members, each once the one before is done everywhere: add the new
key, use it, remove the old one, which still opens for --key-grace, so that members that are away
now get in when they come back. Interrupted or refused, it goes on where it was when run again.
`add`, `use` and `remove` are the same steps by hand.

A key is never an argument: `add` and `rotate` read it from a file, or from standard input with `-`.
Keys are shown by their ids, which tell nothing of them. Each agent writes the new keys into its own
key file, which it must be able to replace.";

/// Longest key file that is read.
const FILE_BYTES: u64 = 16 * 1024;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct KeysArgs {
    #[command(subcommand)]
    command: KeysCommand,
}

#[derive(Debug, Subcommand)]
enum KeysCommand {
    /// Make a key for a cluster
    Generate {
        /// A new file for it; printed when there is none
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: Option<PathBuf>,
    },
    /// List the keys of the cluster, or of a file, by their ids
    List {
        /// A key file; without one the agent is asked
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: Option<PathBuf>,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Have all members open with one more key, with which nobody seals yet
    Add {
        /// A file with one key; `-` reads it from standard input
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
    /// Have all members seal with a key that all have
    Use {
        /// The key's id, as `muster keys list` shows it
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Have all members forget a key with which nobody seals
    Remove {
        /// The key's id, as `muster keys list` shows it
        #[arg(value_name = "ID")]
        id: String,
        #[command(flatten)]
        grace: Grace,
        /// Also when a member may need it, or does not answer
        #[arg(long)]
        force: bool,
    },
    /// Give the whole cluster another key: add, use, and remove the old one; goes on where it was
    Rotate {
        /// A file with the new key, `-` for standard input; without one the agent draws it, and
        /// nobody ever sees it
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: Option<PathBuf>,
        #[command(flatten)]
        grace: Grace,
        /// How long each step waits for all members
        #[arg(
            long, default_value = "1m", value_name = "DURATION",
            value_parser = humantime::parse_duration
        )]
        timeout: Duration,
    },
}

#[derive(Debug, Args)]
struct Grace {
    /// How long a removed key still opens, up to 30d; the agent's --key-grace when nothing is said
    #[arg(long, value_name = "DURATION", value_parser = how_long)]
    grace: Option<Duration>,
}

#[derive(Serialize)]
struct Listed {
    id: String,
    primary: bool,
    forgotten_in_s: Option<u64>,
}

pub(super) fn run(socket: Option<&Path>, args: &KeysArgs) -> Result<(), Failure> {
    match &args.command {
        KeysCommand::Generate { file } => generate(file.as_ref()),
        KeysCommand::List {
            file: Some(file),
            output,
        } => list_file(file, output.output),
        KeysCommand::List { file: None, output } => {
            ask(socket, async |client| list(client, output.output).await)
        }
        KeysCommand::Add { file } => {
            let key = read_one(file)?;
            ask(socket, async |client| add(client, &key).await)
        }
        KeysCommand::Use { id: given } => {
            let id = id(given)?;
            ask(socket, async |client| {
                show(&client.use_key(&id).await?, Format::Table)
            })
        }
        KeysCommand::Remove {
            id: given,
            grace,
            force,
        } => {
            let id = id(given)?;
            ask(socket, async |client| {
                let keys = client.remove_key(&id, grace.grace, *force).await?;
                show(&keys, Format::Table)
            })
        }
        KeysCommand::Rotate {
            file,
            grace,
            timeout,
        } => {
            let key = file.as_deref().map(read_one).transpose()?;
            let rotation = rotate::Rotation {
                key,
                grace: grace.grace,
                timeout: *timeout,
            };
            ask(socket, async |client| rotation.run(client).await)
        }
    }
}

/// Refuses a key where something else belongs: it stands in the list of processes now. That is not
/// left to the parser of arguments, which would say it once more.
fn check_no_secret(text: &str, what: &str) -> Result<(), Failure> {
    if !settings::is_secret(text) {
        return Ok(());
    }
    Err(Failure::Message(format!(
        "this is a key and not {what}, and others may have seen it in the list of processes: do not \
         use it (any more), and make another one with `muster keys generate FILE`"
    )))
}

fn check_file(path: &Path) -> Result<(), Failure> {
    check_no_secret(&path.to_string_lossy(), "the name of a file")
}

fn id(text: &str) -> Result<String, Failure> {
    check_no_secret(text, "the id of one")?;
    let id: Result<KeyId, _> = text.parse();
    id.map(|id| id.to_string())
        .map_err(|error| Failure::Message(error.to_string()))
}

fn how_long(text: &str) -> Result<Duration, String> {
    let grace = settings::key_grace(text);
    grace.ok_or_else(|| "allowed is 0s to 30d, written like 12h or 1d".to_owned())
}

fn generate(file: Option<&PathBuf>) -> Result<(), Failure> {
    file.map_or(Ok(()), |path| check_file(path))?;
    let key = agent::draw_key()
        .map_err(|error| Failure::Message(format!("cannot draw a key: {error}")))?;
    let Some(path) = file else {
        return say(key.reveal().as_str());
    };
    let text = Zeroizing::new(format!("{}\n", *key.reveal()));
    let mut options = std::fs::OpenOptions::new();
    let opened = options.write(true).create_new(true).mode(0o600).open(path);
    let written = opened.and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.map_err(|error| {
        let path = path.display();
        Failure::Message(format!(
            "cannot make {path}: {error}; a file that is there stays as it is"
        ))
    })?;
    say(format!("key {} is in {}", key.id(), path.display()))
}

/// The one key of a file, or of standard input.
fn read_one(path: &Path) -> Result<Key, Failure> {
    check_file(path)?;
    let clock = Clock::start();
    let ring = if path == Path::new("-") {
        let mut text = Zeroizing::new(String::with_capacity(FILE_BYTES as usize + 1));
        let read = std::io::stdin().take(FILE_BYTES).read_to_string(&mut text);
        read.map_err(|error| Failure::Message(format!("cannot read standard input: {error}")))?;
        agent::parse_keys(Path::new("standard input"), &text, &clock).map(|parsed| parsed.ring)
    } else {
        agent::read_keys(path, &clock)
    };
    let ring = ring.map_err(|error| Failure::Message(error.to_string()))?;
    let mut keys = ring.keys();
    match (keys.next(), keys.count()) {
        (Some(key), 0) => Ok(key.clone()),
        (_, more) => Err(Failure::Message(format!(
            "{} has {} keys: name a file with the one that is meant",
            path.display(),
            more + 1
        ))),
    }
}

async fn list(client: &Client, format: Format) -> Result<(), Failure> {
    show(&client.keys().await?, format)
}

async fn add(client: &Client, key: &Key) -> Result<(), Failure> {
    let keys = client.add_key(Some(key)).await?;
    show(&keys, Format::Table)
}

fn show(keys: &Keys, format: Format) -> Result<(), Failure> {
    match format {
        Format::Json => say_json(keys),
        Format::Table => say_lines(&show::lines(keys, Look::of_stdout())),
    }
}

fn list_file(path: &Path, format: Format) -> Result<(), Failure> {
    check_file(path)?;
    let clock = Clock::start();
    let ring =
        agent::read_keys(path, &clock).map_err(|error| Failure::Message(error.to_string()))?;
    let listed: Vec<Listed> = ring
        .infos()
        .enumerate()
        .map(|(at, info)| Listed {
            id: info.id.to_string(),
            primary: at == 0,
            forgotten_in_s: info.until.map(|until| until.since(clock.now()).as_secs()),
        })
        .collect();
    if format == Format::Json {
        return say_json(&listed);
    }
    let lines = listed.iter().map(|key| {
        let word = if key.primary {
            "seals and opens"
        } else {
            "opens"
        };
        match key.forgotten_in_s {
            Some(left) => format!("{}  {word}, for {left} s more", key.id),
            None => format!("{}  {word}", key.id),
        }
    });
    say(lines.collect::<Vec<_>>().join("\n"))
}
