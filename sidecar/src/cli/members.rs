//! `muster members`.

use std::time::SystemTime;

use clap::Args;

use super::client::Client;
use super::output::{Format, ago, rtt, say_json, say_lines, tags, tone_of};
use super::table::{Cell, Look, Table, Tone};
use super::{Failure, OutputArgs};
use crate::api::model::{Member, STATES};

const EXAMPLES: &str = "\
Examples:
  muster members --state suspect,unreachable
  muster members --tag zone=a --tag role=db
  muster members --output json | jq -r '.members[] | select(.state == \"alive\") | .addr'";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct MembersArgs {
    /// Only members in one of these states, separated by commas
    #[arg(long, value_delimiter = ',', value_parser = STATES)]
    state: Vec<String>,

    /// Only the member with this name; given more than once, those with one of the names
    #[arg(long)]
    name: Vec<String>,

    /// Only members with this tag; with one of the values when a key is given more than once
    #[arg(long, value_name = "K=V", value_parser = super::tag::pair)]
    tag: Vec<(String, String)>,

    #[command(flatten)]
    output: OutputArgs,
}

pub(super) async fn run(client: &Client, args: &MembersArgs) -> Result<(), Failure> {
    let answer = client.members(&filter(args)).await?;
    match args.output.output {
        Format::Json => say_json(&answer),
        Format::Table => {
            let table = table(&answer.members, SystemTime::now());
            say_lines(&table.lines(Look::of_stdout()))
        }
    }
}

fn filter(args: &MembersArgs) -> Vec<(String, String)> {
    let mut query = Vec::new();
    if !args.state.is_empty() {
        query.push(("state".to_owned(), args.state.join(",")));
    }
    for name in &args.name {
        query.push(("name".to_owned(), name.clone()));
    }
    for (key, value) in &args.tag {
        query.push((format!("tag.{key}"), value.clone()));
    }
    query
}

/// The members as a table; also for a snapshot in a stream of events.
pub(super) fn table(members: &[Member], now: SystemTime) -> Table {
    let mut table = Table::new(&["NAME", "ADDR", "STATE", ">SINCE", ">RTT", "~TAGS"]);
    for member in members {
        let name = if member.is_self {
            format!("{} (self)", member.name)
        } else {
            member.name.clone()
        };
        table.row([
            Cell::new(name, Tone::Strong),
            Cell::plain(member.addr.to_string()),
            Cell::new(&member.state, tone_of(&member.state)),
            Cell::plain(ago(&member.since, now)),
            Cell::new(rtt(member.rtt_us), Tone::Faint),
            Cell::plain(tags(&member.tags)),
        ]);
    }
    table
}

#[cfg(test)]
mod tests;
