//! `muster recover`.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use clap::Args;

use super::client::{Client, ClientError};
use super::output::{say, say_lines, tone_of};
use super::table::{Cell, Look, Table, Tone, printable};
use super::{Failure, words};
use crate::api::model::{Member, Status};

const EXAMPLES: &str = "\
For when most voters are gone for good: their disks are lost and they never come back. The member
that is asked votes alone at first, and the cluster goes on from the last view that it knows. If
the other voters live elsewhere, cut off, there will be two clusters of one name, each with its
coordinator.

It is refused while the quorum is held, when a named survivor does not answer, when a member that
answers is not named, and when another one knows a later view.

Example:
  muster recover --survivors n1,n2";

/// How long the new coordinator may take.
const TAKES_OFFICE: Duration = Duration::from_secs(30);

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct RecoverArgs {
    /// All members that answer, the one asked included, separated by commas
    #[arg(long, required = true, value_delimiter = ',', value_name = "NAMES")]
    survivors: Vec<String>,

    /// Do it without asking
    #[arg(long)]
    yes: bool,
}

pub(super) async fn run(client: &Client, args: &RecoverArgs) -> Result<(), Failure> {
    let status = client.status().await?;
    let members = client.members(&[]).await?.members;
    say_lines(&plan(&status, &members, &args.survivors, Look::of_stdout()))?;
    if !args.yes {
        confirm(&status.cluster)?;
    }
    client.recover(&args.survivors).await?;
    match client.coordinator(Some(TAKES_OFFICE)).await {
        Ok(coordinator) => say(format!(
            "The quorum is rebuilt: {} decides, epoch {}.",
            printable(&coordinator.name),
            coordinator.epoch
        )),
        Err(ClientError::Refused(problem)) => say(format!(
            "The quorum is being rebuilt, but nobody took office yet ({}); look with `muster status`.",
            printable(&words::of_commands(&problem.detail))
        )),
        Err(error) => Err(error.into()),
    }
}

/// What would be done, to whom, and what speaks against it.
fn plan(status: &Status, members: &[Member], survivors: &[String], look: Look) -> Vec<String> {
    let (name, cluster) = (printable(&status.name), printable(&status.cluster));
    let title = format!("RECOVER A LOST QUORUM of cluster {cluster}, at {name}");
    let voters = match status.voters.len() {
        0 => "nobody is known to vote".to_owned(),
        _ => format!("until now {} vote", printable(&status.voters.join(", "))),
    };
    let mut lines = vec![
        look.paint(&title, Tone::Bad),
        format!(
            "The quorum is {}, at view {} and epoch {}; {voters}.",
            status.quorum, status.view, status.epoch
        ),
        format!("{name} would vote alone at first; who is given up is removed once it decides."),
        String::new(),
    ];
    let mut table = Table::new(&["NAME", "ADDR", "STATE", "VERDICT", "WOULD BE"]);
    let is_removed = |member: &&Member| matches!(member.verdict.as_deref(), Some("dead" | "left"));
    for member in members.iter().filter(|member| !is_removed(member)) {
        let named = survivors.contains(&member.name);
        let answers = matches!(&*member.state, "alive" | "suspect" | "degraded");
        let (word, tone) = match (named, answers) {
            (true, true) => ("a survivor", Tone::Good),
            (true, false) => ("a survivor, but does not answer: refused", Tone::Bad),
            (false, true) => ("given up, but answers: refused", Tone::Bad),
            (false, false) => ("given up", Tone::Warning),
        };
        table.row([
            Cell::new(&member.name, Tone::Strong),
            Cell::plain(member.addr.to_string()),
            Cell::new(&member.state, tone_of(&member.state)),
            Cell::plain(member.verdict.as_deref().unwrap_or("-")),
            Cell::new(word, tone),
        ]);
    }
    lines.extend(table.lines(look));
    let is_known = |name: &&String| members.iter().any(|member| member.name == **name);
    for name in survivors.iter().filter(|name| !is_known(name)) {
        let text = format!(
            "{} is not known here: it would be refused.",
            printable(name)
        );
        lines.push(look.paint(&text, Tone::Bad));
    }
    lines.push(String::new());
    lines
}

/// Has the operator type the cluster's name: a `y` is typed too fast.
fn confirm(cluster: &str) -> Result<(), Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::Message(
            "nothing was done: without a terminal to ask on, --yes must say that the others are \
             gone for good"
                .to_owned(),
        ));
    }
    let mut out = io::stdout().lock();
    write!(
        out,
        "If the others live elsewhere, there will be two clusters. Type {} to go on: ",
        printable(cluster)
    )?;
    out.flush()?;
    let mut line = String::new();
    let read = io::stdin().read_line(&mut line);
    read.map_err(|error| Failure::Message(format!("cannot read the answer: {error}")))?;
    if line.trim() == cluster {
        return Ok(());
    }
    Err(Failure::Message("nothing was done".to_owned()))
}

#[cfg(test)]
mod tests;
