//! `muster remove`.

use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use super::Failure;
use super::client::Client;
use super::output::say;
use super::table::printable;

const EXAMPLES: &str = "\
Members that are gone are removed by themselves; this is for those that nobody wants to wait for. It
goes through the coordinator and returns when it is decided. A removed member that is still alive
learns of it and comes back as a new life. The coordinator does not remove itself, --force or not:
run `muster leave` there, or stop it, and its successor decides.

Examples:
  muster remove n3
  muster remove n3 --force";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct RemoveArgs {
    /// The member
    #[arg(value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    name: String,

    /// Remove it although it answers; not the coordinator
    #[arg(long)]
    force: bool,
}

pub(super) async fn run(client: &Client, args: &RemoveArgs) -> Result<(), Failure> {
    let removed = client.remove(&args.name, args.force).await?;
    let name = printable(&removed.name);
    say(format!("{name} is removed: view {}.", removed.view))
}
