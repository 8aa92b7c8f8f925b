//! `muster tag`.

use clap::{Args, Subcommand};

use super::client::Client;
use super::output::{Format, say, say_json, say_lines};
use super::table::{Cell, Look, Table, Tone};
use super::{Failure, OutputArgs};
use crate::api::model::Member;

const EXAMPLES: &str = "\
Tags are small key/values (64 of them, 1 KiB together) that all members see in `muster members`.

Examples:
  muster tag set zone=a role=db
  muster tag remove role
  muster tag list";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct TagArgs {
    #[command(subcommand)]
    command: TagCommand,
}

#[derive(Debug, Subcommand)]
enum TagCommand {
    /// List the tags of this member
    List(OutputArgs),
    /// Set one or more tags
    Set {
        /// Key and value; the value may be empty
        #[arg(required = true, value_name = "K=V", value_parser = pair)]
        tags: Vec<(String, String)>,
    },
    /// Remove one or more tags
    Remove {
        /// The keys
        #[arg(required = true, value_name = "K")]
        keys: Vec<String>,
    },
}

/// `key=value`, split at the first `=`.
pub(super) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("a tag is given as KEY=VALUE".to_owned()),
    }
}

pub(super) async fn run(client: &Client, args: &TagArgs) -> Result<(), Failure> {
    match &args.command {
        TagCommand::List(output) => list(&client.myself().await?, output.output),
        TagCommand::Set { tags } => {
            for (key, value) in tags {
                client.set_tag(key, value).await?;
            }
            Ok(())
        }
        TagCommand::Remove { keys } => {
            for key in keys {
                client.remove_tag(key).await?;
            }
            Ok(())
        }
    }
}

fn list(member: &Member, format: Format) -> Result<(), Failure> {
    if format == Format::Json {
        return say_json(&member.tags);
    }
    if member.tags.is_empty() {
        return say(format!(
            "{} has no tags; set one with `muster tag set K=V`.",
            member.name
        ));
    }
    let mut table = Table::new(&["KEY", "VALUE"]);
    for (key, value) in &member.tags {
        table.row([Cell::new(key, Tone::Strong), Cell::plain(value)]);
    }
    say_lines(&table.lines(Look::of_stdout()))
}
