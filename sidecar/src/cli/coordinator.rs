//! `muster coordinator`.

use std::time::Duration;

use clap::Args;

use super::client::Client;
use super::output::{Format, say_json, say_lines};
use super::table::{Cell, Look, Table, Tone};
use super::{Failure, OutputArgs};
use crate::api::model::Coordinator;

const EXAMPLES: &str = "\
The epoch is a fencing token: it only grows, and no two coordinators ever have the same. Store it
with what you write, and refuse to write where a larger one is stored. Take it once, when the one
you act for says that it is the coordinator itself, and keep it until that ends: who reads it again
before each write has no fence. Only `muster recover` makes two histories, each with its epochs.

Examples:
  muster coordinator
  muster coordinator --wait --timeout 1m
  muster coordinator --output json | jq .epoch";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct CoordinatorArgs {
    /// Wait until there is one
    #[arg(long)]
    wait: bool,

    /// How long to wait at most, up to 5m
    #[arg(
        long, requires = "wait", default_value = "30s", value_name = "DURATION",
        value_parser = humantime::parse_duration
    )]
    timeout: Duration,

    #[command(flatten)]
    output: OutputArgs,
}

pub(super) async fn run(client: &Client, args: &CoordinatorArgs) -> Result<(), Failure> {
    let wait = args.wait.then_some(args.timeout);
    let coordinator = client.coordinator(wait).await?;
    match args.output.output {
        Format::Json => say_json(&coordinator),
        Format::Table => say_lines(&table(&coordinator).lines(Look::of_stdout())),
    }
}

fn table(coordinator: &Coordinator) -> Table {
    let mut table = Table::new(&["NAME", "ADDR", ">EPOCH", ">LEASE"]);
    let mark = if coordinator.is_self { " (self)" } else { "" };
    let dash = || "-".to_owned();
    table.row([
        Cell::new(format!("{}{mark}", coordinator.name), Tone::Strong),
        Cell::plain(coordinator.addr.map_or_else(dash, |addr| addr.to_string())),
        Cell::plain(coordinator.epoch.to_string()),
        Cell::plain(
            coordinator
                .lease_ms
                .map_or_else(dash, |lease| format!("{lease} ms")),
        ),
    ]);
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_coordinator_is_a_table_with_its_epoch() {
        let told = |json| serde_json::from_str(json).expect("a coordinator as the API gives it");
        let itself =
            told(r#"{"name":"n1","addr":"127.0.0.1:7001","epoch":3,"lease_ms":2100,"self":true}"#);
        assert_eq!(
            table(&itself).lines(Look::PLAIN),
            [
                "NAME       ADDR            EPOCH    LEASE",
                "n1 (self)  127.0.0.1:7001      3  2100 ms",
            ]
        );
        let other = told(r#"{"name":"n1","addr":null,"epoch":3,"lease_ms":null,"self":false}"#);
        assert_eq!(
            table(&other).lines(Look::PLAIN)[1],
            "n1    -         3      -"
        );
    }
}
