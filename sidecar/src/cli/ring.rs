//! `muster ring`.

use clap::Args;

use super::client::Client;
use super::output::{Format, rtt, say_json, say_lines, tone_of};
use super::table::{Cell, Look, Table, Tone};
use super::{Failure, OutputArgs};
use crate::api::model::{Link, Neighbour, Rings};

const EXPLANATION: &str = "\
On each ring this member probes its successor and is probed by its predecessor; an exchange proves
both alive. All neighbours together are its buddies. Links are idle streams whose end tells at once
that a process may be gone; where one is down, probes alone watch.

Example:
  muster ring --output json | jq -r '.buddies[]'";

#[derive(Debug, Args)]
#[command(after_help = EXPLANATION)]
pub(super) struct RingArgs {
    #[command(flatten)]
    output: OutputArgs,
}

pub(super) async fn run(client: &Client, args: &RingArgs) -> Result<(), Failure> {
    let rings = client.ring().await?;
    match args.output.output {
        Format::Json => say_json(&rings),
        Format::Table => {
            let mut lines = table(&rings).lines(Look::of_stdout());
            lines.push(String::new());
            lines.push(match rings.buddies.len() {
                0 => "No buddies: this member is alone.".to_owned(),
                count => format!("{count} buddies: {}", rings.buddies.join(", ")),
            });
            if !rings.links.is_empty() {
                lines.push(String::new());
                lines.extend(links(&rings.links).lines(Look::of_stdout()));
            }
            say_lines(&lines)
        }
    }
}

fn table(rings: &Rings) -> Table {
    let mut table = Table::new(&["RING", "NEIGHBOUR", "NAME", "~ADDR", "STATE", ">RTT"]);
    for ring in &rings.rings {
        for (role, neighbour) in [
            ("predecessor", &ring.predecessor),
            ("successor", &ring.successor),
        ] {
            table.row(row(ring.ring, role, neighbour.as_ref()));
        }
    }
    table
}

fn links(links: &[Link]) -> Table {
    let mut table = Table::new(&["LINK", "OPENED BY", "STATE", "~SINCE", "~AGAIN"]);
    for link in links {
        let tone = match link.state.as_ref() {
            "up" => Tone::Good,
            "down" => Tone::Warning,
            _ => Tone::Plain,
        };
        table.row(vec![
            Cell::new(&link.name, Tone::Strong),
            Cell::plain(if link.ours {
                "this member"
            } else {
                "the other"
            }),
            Cell::new(&link.state, tone),
            Cell::plain(&link.since),
            Cell::plain(link.again.as_deref().unwrap_or("-")),
        ]);
    }
    table
}

fn row(ring: usize, role: &str, neighbour: Option<&Neighbour>) -> Vec<Cell> {
    let mut cells = vec![Cell::plain(ring.to_string()), Cell::plain(role)];
    match neighbour {
        None => cells.extend(["-"; 4].map(Cell::plain)),
        Some(neighbour) => cells.extend([
            Cell::new(&neighbour.name, Tone::Strong),
            Cell::plain(neighbour.addr.to_string()),
            Cell::new(&neighbour.state, tone_of(&neighbour.state)),
            Cell::new(rtt(neighbour.rtt_us), Tone::Faint),
        ]),
    }
    cells
}

#[cfg(test)]
mod tests;
