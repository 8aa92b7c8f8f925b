//! `muster status`.

use std::time::Duration;

use clap::Args;

use super::client::Client;
use super::output::{Format, rough, say_json, say_lines, tone_of};
use super::table::{Look, Tone, printable};
use super::{Failure, OutputArgs};
use crate::api::model::{Dropped, STATES, Seed, Status};

const EXAMPLES: &str = "\
Examples:
  muster status --output json | jq .members.alive
  muster status --quiet && ./serve       serve only beside a member of a cluster that can decide

Exit status with --quiet: 0 this is a member of the agreed view and the quorum is held; 1 it is not,
or no agent answers. Why not is told on standard error.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct StatusArgs {
    #[command(flatten)]
    output: OutputArgs,
    /// Print nothing: the exit status says whether this member is ready (GET /readyz)
    #[arg(long, conflicts_with = "output")]
    quiet: bool,
}

pub(super) async fn run(client: &Client, args: &StatusArgs) -> Result<(), Failure> {
    if args.quiet {
        return Ok(client.ready().await?);
    }
    let status = client.status().await?;
    match args.output.output {
        Format::Json => say_json(&status),
        Format::Table => say_lines(&card(&status, Look::of_stdout())),
    }
}

/// The status as a card: a title, then one fact a line.
fn card(status: &Status, look: Look) -> Vec<String> {
    let name = look.paint(&printable(&status.name), Tone::Strong);
    let title = format!(
        "{name} at {} in cluster {}",
        status.addr,
        printable(&status.cluster)
    );
    let mut lines = vec![title];
    let mut fact = |label: &str, text: String| {
        lines.push(format!(
            "  {}{text}",
            look.paint(&format!("{label:<12}"), Tone::Faint)
        ));
    };
    fact("phase", format!("{}, {}", status.lifecycle, status.role));
    if let Some(app) = &status.waits_for {
        let text = format!("for the app {app:?}: the member joins once it is attached");
        fact("waits", look.paint(&text, Tone::Warning));
    }
    fact("quorum", quorum(status, look));
    fact("coordinator", coordinator(status));
    fact("view", view(status));
    if let Some(conflict) = &status.conflict {
        let text =
            format!("a cluster of the same name was met and is kept apart, history {conflict}");
        fact("conflict", look.paint(&text, Tone::Bad));
    }
    if status.memory_failed {
        let text = "saving failed: this member votes no more until it is restarted; see its log";
        fact("memory", look.paint(text, Tone::Bad));
    }
    fact("members", counts(status, look));
    fact("health", health(status.health, look));
    let uptime = rough(Duration::from_millis(status.uptime_ms));
    fact(
        "agent",
        format!("muster {}, pid {}, up {uptime}", status.version, status.pid),
    );
    fact(
        "instance",
        format!("{}, incarnation {}", status.instance, status.incarnation),
    );
    fact("table", format!("digest {}", status.digest));
    for (position, seed) in status.seeds.iter().enumerate() {
        fact(
            if position == 0 { "seeds" } else { "" },
            seed_line(seed, look),
        );
    }
    let stats = &status.stats;
    fact(
        "received",
        traffic(stats.datagrams_received, stats.bytes_received),
    );
    fact("sent", traffic(stats.datagrams_sent, stats.bytes_sent));
    fact(
        "probes",
        format!(
            "{} answered, {} failed, {} void; {} suspicions of this member refuted",
            stats.probes_answered, stats.probes_failed, stats.probes_void, stats.refutations
        ),
    );
    fact("dropped", dropped(&stats.dropped));
    lines
}

fn quorum(status: &Status, look: Look) -> String {
    let tone = match &*status.quorum {
        "held" => Tone::Good,
        "lost" => Tone::Bad,
        _ => Tone::Warning,
    };
    let word = look.paint(&status.quorum, tone);
    match status.voters.len() {
        0 => format!("{word}, no voters known"),
        1 => format!("{word}, 1 voter: {}", printable(&status.voters[0])),
        count => format!(
            "{word}, {count} voters: {}",
            printable(&status.voters.join(", "))
        ),
    }
}

fn coordinator(status: &Status) -> String {
    match &status.coordinator {
        Some(name) => format!("{}, epoch {}", printable(name), status.epoch),
        None if status.epoch == 0 => "none yet".to_owned(),
        None => format!("none; the last epoch was {}", status.epoch),
    }
}

fn view(status: &Status) -> String {
    match &status.lineage {
        Some(lineage) => format!("{} of history {lineage}", status.view),
        None => "none yet".to_owned(),
    }
}

fn counts(status: &Status, look: Look) -> String {
    let total: u64 = status.members.values().sum();
    let count = |state: &str| status.members.get(state).copied().unwrap_or_default();
    let states = STATES.into_iter().filter(|state| count(state) > 0);
    let shown: Vec<String> = states
        .map(|state| look.paint(&format!("{} {state}", count(state)), tone_of(state)))
        .collect();
    format!("{total}: {}", shown.join(", "))
}

fn health(score: u8, look: Look) -> String {
    let (word, tone) = match score {
        0 => ("fine", Tone::Good),
        1..=3 => (
            "slow at times: it waits longer before it blames others",
            Tone::Warning,
        ),
        _ => (
            "starved or badly connected: it trusts itself little",
            Tone::Bad,
        ),
    };
    format!(
        "{score} of {}, {}",
        muster_swim::limits::HEALTH,
        look.paint(word, tone)
    )
}

fn seed_line(seed: &Seed, look: Look) -> String {
    let name = printable(&seed.seed);
    match (&seed.last_error, seed.joined) {
        (_, true) => format!("{name} {}", look.paint("joined", Tone::Good)),
        (Some(error), false) => {
            format!("{name} {}", look.paint(&printable(error), Tone::Warning))
        }
        (None, false) => format!("{name} not tried yet"),
    }
}

fn traffic(datagrams: u64, bytes: u64) -> String {
    format!("{datagrams} datagrams, {} kB", bytes / 1000)
}

fn dropped(dropped: &Dropped) -> String {
    let reasons = [
        (dropped.malformed, "malformed"),
        (dropped.version, "of another version"),
        (dropped.cluster, "of another cluster"),
        (dropped.too_long, "too long"),
        (dropped.unexpected, "unexpected"),
        (dropped.members, "beyond the member limit"),
        (dropped.busy, "while busy"),
        (dropped.stale, "from replaced instances"),
        (dropped.unsealed, "not sealed"),
        (dropped.key, "sealed with another key"),
        (dropped.forged, "forged or damaged"),
        (dropped.replayed, "heard before"),
        (dropped.rate, "asked too often"),
        (dropped.crowded, "beyond the members of one address"),
        (dropped.absurd, "absurd"),
    ];
    let shown: Vec<String> = reasons
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, reason)| format!("{count} {reason}"))
        .collect();
    if shown.is_empty() {
        "nothing".to_owned()
    } else {
        shown.join(", ")
    }
}

#[cfg(test)]
mod tests;
