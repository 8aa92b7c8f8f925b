//! `muster keys`: make a key, and see which keys a file has.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};
use muster_swim::Key;
use serde::Serialize;
use zeroize::Zeroizing;

use super::output::{Format, say, say_json};
use super::{Failure, OutputArgs};
use crate::agent::{self, Clock};

const EXAMPLES: &str = "\
Examples:
  muster keys generate /etc/muster/keys      a new key, in a new file that nobody else can read
  muster keys list /etc/muster/keys          which keys it has, by their ids; the first one seals

A cluster changes its key in three steps, each on all members before the next: add the new key as
the last line of their files, move it to the first line, remove the old one. After each step tell
the agents to reload (kill -HUP, or systemctl reload).";

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
    /// List the keys of a file by their ids, which tell nothing of the keys
    List {
        /// The file
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: PathBuf,
        #[command(flatten)]
        output: OutputArgs,
    },
}

#[derive(Serialize)]
struct Listed {
    id: String,
    primary: bool,
    forgotten_in_s: Option<u64>,
}

pub(super) fn run(args: &KeysArgs) -> Result<(), Failure> {
    match &args.command {
        KeysCommand::Generate { file } => generate(file.as_ref()),
        KeysCommand::List { file, output } => list(file, output.output),
    }
}

fn generate(file: Option<&PathBuf>) -> Result<(), Failure> {
    let seed = agent::draw_seed()
        .map_err(|error| Failure::Message(format!("cannot draw a key: {error}")))?;
    let key = Key::new(seed.0);
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

fn list(path: &std::path::Path, format: Format) -> Result<(), Failure> {
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
