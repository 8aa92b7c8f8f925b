//! `muster members`.

use std::time::{Duration, SystemTime};

use clap::Args;

use super::client::Client;
use super::output::{Format, ago, apps, rtt, say_json, say_lines, tags, tone_of};
use super::table::{Cell, Look, Table, Tone};
use super::{Failure, OutputArgs};
use crate::api::model::{Member, STATES};

const EXAMPLES: &str = "\
Examples:
  muster members --state suspect,unreachable
  muster members --tag zone=a --tag role=db
  muster members --app web
  muster members --consistent
  muster members --at-least 17 --timeout 1m
  muster members --output json | jq -r '.members[] | select(.state == \"alive\") | .addr'";

/// How long the answer may take when the agent is as fresh as it is asked to be.
const PATIENCE: Duration = Duration::from_secs(10);

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

    /// Only members beside which this app runs; given more than once, one of these
    #[arg(long)]
    app: Vec<String>,

    /// Wait until the agent knows this view or a later one
    #[arg(long, value_name = "VIEW")]
    at_least: Option<u64>,

    /// Have the agent ask the coordinator first: all that was decided before is shown
    #[arg(long)]
    consistent: bool,

    /// How long --at-least and --consistent may take, up to 5m
    #[arg(
        long, default_value = "10s", value_name = "DURATION",
        value_parser = humantime::parse_duration
    )]
    timeout: Duration,

    #[command(flatten)]
    output: OutputArgs,
}

pub(super) async fn run(client: &Client, args: &MembersArgs) -> Result<(), Failure> {
    let waits = args.at_least.is_some() || args.consistent;
    let patient = client.clone().with_patience(PATIENCE + args.timeout);
    let client = if waits { &patient } else { client };
    let answer = client.members(&filter(args)).await?;
    match args.output.output {
        Format::Json => say_json(&answer),
        Format::Table => {
            let look = Look::of_stdout();
            say_lines(&table(&answer.members, SystemTime::now(), look).lines(look))
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
    for app in &args.app {
        query.push(("app".to_owned(), app.clone()));
    }
    if let Some(view) = args.at_least {
        query.push(("at_least".to_owned(), view.to_string()));
    }
    if args.consistent {
        query.push(("consistent".to_owned(), "true".to_owned()));
    }
    if args.at_least.is_some() || args.consistent {
        let timeout = humantime::format_duration(args.timeout).to_string();
        query.push(("timeout".to_owned(), timeout));
    }
    query
}

/// The members as a table, with what was agreed about them if that fits.
fn table(members: &[Member], now: SystemTime, look: Look) -> Table {
    let whole = table_with(members, now, true);
    if whole.fits(look) {
        return whole;
    }
    table_with(members, now, false)
}

fn table_with(members: &[Member], now: SystemTime, agreed: bool) -> Table {
    let headings: &[&str] = match agreed {
        true => &[
            "NAME", "ADDR", "STATE", "VERDICT", ">VIEW", ">SINCE", ">RTT", "~TAGS",
        ],
        false => &["NAME", "ADDR", "STATE", ">SINCE", ">RTT", "~TAGS"],
    };
    // A column of its own only where somebody has one.
    let with_apps = members.iter().any(|member| !member.apps.is_empty());
    let mut headings = headings.to_vec();
    if with_apps {
        headings.insert(headings.len() - 1, "APPS");
    }
    let mut table = Table::new(&headings);
    for member in members {
        let name = if member.is_self {
            format!("{} (self)", member.name)
        } else {
            member.name.clone()
        };
        let mut row = vec![
            Cell::new(name, Tone::Strong),
            Cell::plain(member.addr.to_string()),
            Cell::new(&member.state, tone_of(&member.state)),
        ];
        if agreed {
            let verdict = member.verdict.as_deref();
            let view = verdict.map_or_else(|| "-".to_owned(), |_| member.view.to_string());
            let tone = tone_of(verdict.unwrap_or_default());
            row.extend([Cell::new(verdict.unwrap_or("-"), tone), Cell::plain(view)]);
        }
        row.extend([
            Cell::plain(ago(&member.since, now)),
            Cell::new(rtt(member.rtt_us), Tone::Faint),
        ]);
        if with_apps {
            row.push(Cell::plain(apps(&member.apps)));
        }
        row.push(Cell::plain(tags(&member.tags)));
        table.row(row);
    }
    table
}

#[cfg(test)]
mod tests;
