//! `muster explain`.

use std::time::SystemTime;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use super::client::{Client, ClientError};
use super::output::{Format, ago, say_json, say_lines, tone_of};
use super::table::{Cell, Look, Table, Tone, printable};
use super::{Failure, OutputArgs};
use crate::api::model::{Case, Evidence, Member, Status, Suspicion, Testimony};

const EXAMPLES: &str = "\
Times are UTC. Those of others are what the coordinator saw, placed by the clock of the agent that
is asked. A weight of 1.00 is a full voice; one that was itself accused, ran late or was wrong
lately counts less.

Examples:
  muster explain n3
  muster explain n3 --output json | jq '.cases[0].testimonies[] | select(.finding == \"reached\")'";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ExplainArgs {
    /// The member; it may be forgotten otherwise
    #[arg(value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    name: String,

    #[command(flatten)]
    output: OutputArgs,
}

pub(super) async fn run(client: &Client, args: &ExplainArgs) -> Result<(), Failure> {
    let (evidence, member) = match client.evidence(&args.name).await {
        Ok(evidence) => (evidence, client.member(&args.name).await.ok()),
        // That nothing is known against it is an answer; that it is not known at all is none.
        Err(ClientError::Refused(problem)) if problem.kind.ends_with(":no-evidence") => {
            let nothing = Evidence {
                name: args.name.clone(),
                suspicion: None,
                cases: Vec::new(),
            };
            (nothing, Some(client.member(&args.name).await?))
        }
        Err(error) => return Err(error.into()),
    };
    match args.output.output {
        Format::Json => say_json(&evidence),
        Format::Table => {
            let (now, look) = (SystemTime::now(), Look::of_stdout());
            let mut lines = story(&evidence, member.as_ref(), now, look);
            if evidence.cases.is_empty() {
                lines.push(undecided(member.as_ref(), &client.status().await?));
            }
            say_lines(&lines)
        }
    }
}

/// What is known, the present first, then the cases from the newest to the oldest.
fn story(evidence: &Evidence, member: Option<&Member>, now: SystemTime, look: Look) -> Vec<String> {
    let name = printable(&evidence.name);
    let mut lines = vec![present(&name, member, now, look)];
    if let Some(suspicion) = &evidence.suspicion {
        lines.push(accused(suspicion, member));
    }
    for case in &evidence.cases {
        lines.push(String::new());
        lines.extend(told(&name, case, now, look));
    }
    lines
}

/// Why there is no case to tell.
fn undecided(member: Option<&Member>, status: &Status) -> String {
    let is_gone = member.is_some_and(|member| member.state == "unreachable");
    if is_gone && status.quorum == "lost" {
        return "No verdict: the quorum is lost, see `muster status`, `muster recover`.".to_owned();
    }
    let known = "No case about it was decided, as far as this agent remembers";
    match &status.coordinator {
        Some(name) if *name != status.name => {
            format!("{known}; ask the coordinator {}.", printable(name))
        }
        Some(_) if is_gone => format!(
            "{known}: fewer than two observers say that they do not reach it. If it is gone for \
             good, `muster remove` decides that on your word."
        ),
        Some(_) | None => format!("{known}."),
    }
}

/// `n3 is dead since 2026-01-02T03:04:05.678Z, 3m 12s ago; verdict dead in view 17.`
fn present(name: &str, member: Option<&Member>, now: SystemTime, look: Look) -> String {
    let strong = look.paint(name, Tone::Strong);
    let Some(member) = member else {
        return format!("{strong} is no longer known here.");
    };
    let state = look.paint(&member.state, tone_of(&member.state));
    let verdict = match &member.verdict {
        None => "no verdict on this life of it yet".to_owned(),
        Some(verdict) => format!("verdict {verdict} in view {}", member.view),
    };
    format!(
        "{strong} is {state} since {}, {} ago; {verdict}.",
        member.since,
        ago(&member.since, now)
    )
}

fn accused(suspicion: &Suspicion, member: Option<&Member>) -> String {
    let is_gone = member.is_some_and(|member| member.state == "unreachable");
    match suspicion.accusers.len() {
        0 if is_gone => "It was suspected and did not refute that in time; the event \
                         member-unreachable of this agent names who accused it."
            .to_owned(),
        0 => "Nobody is known here who accuses it now.".to_owned(),
        _ => format!(
            "Accused now by {}.",
            printable(&suspicion.accusers.join(", "))
        ),
    }
}

/// One case as a timeline.
fn told(name: &str, case: &Case, now: SystemTime, look: Look) -> Vec<String> {
    let (what, tone) = match case.removed {
        true => ("REMOVED", Tone::Bad),
        false => ("DEGRADED", Tone::Warning),
    };
    let silent = case.testimonies.iter();
    let silent = silent.filter(|testimony| testimony.finding == "no-testimony");
    let mut lines = vec![
        format!(
            "{} {name} in view {}, heard here at {}, {} ago",
            look.paint(what, tone),
            case.view,
            case.at,
            ago(&case.at, now)
        ),
        format!("  why: {}", reason(case)),
    ];
    if case.reason == "operator" {
        // Nobody was heard.
        lines.push(format!("  instance {}", case.instance));
        return lines;
    }
    lines.extend([
        format!(
            "  against it {}, for it {}, silent {}",
            voices(case, "unreached"),
            voices(case, "reached"),
            silent.count()
        ),
        format!(
            "  {} ms from the first report to the verdict; instance {}",
            case.took_ms, case.instance
        ),
    ]);
    let table = timeline(case);
    let indented = look.width.map(|width| width.saturating_sub(2));
    let look = Look {
        width: indented,
        ..look
    };
    lines.extend(table.lines(look).iter().map(|line| format!("  {line}")));
    lines
}

fn timeline(case: &Case) -> Table {
    let mut table = Table::new(&["TIME", ">AFTER", "WHO", "~FOUND", ">WEIGHT"]);
    for testimony in &case.testimonies {
        let (words, tone) = finding(testimony);
        let role = match testimony.asked {
            true => "asked",
            false => "accuser",
        };
        table.row([
            Cell::new(time_of_day(&testimony.at), Tone::Faint),
            Cell::plain(format!("{} ms", testimony.after_ms)),
            Cell::new(format!("{} ({role})", testimony.by), Tone::Strong),
            Cell::new(words, tone),
            Cell::plain(match &*testimony.finding {
                "no-testimony" => "-".to_owned(),
                _ => hundredths(testimony.weight.into()),
            }),
        ]);
    }
    let (verdict, tone) = match case.removed {
        true => (format!("verdict: dead, view {}", case.view), Tone::Bad),
        false => (format!("degraded, view {}", case.view), Tone::Warning),
    };
    table.row([
        Cell::new(time_of_day(&case.at), Tone::Faint),
        Cell::plain(format!("{} ms", case.took_ms)),
        Cell::new("coordinator", Tone::Strong),
        Cell::new(verdict, tone),
    ]);
    table
}

/// How many found this, and how much they counted together.
fn voices(case: &Case, finding: &str) -> String {
    let with = case.testimonies.iter();
    let with = with.filter(|testimony| testimony.finding == finding);
    let (count, weight) = with.fold((0, 0), |(count, weight), testimony| {
        (count + 1, weight + u32::from(testimony.weight))
    });
    match count {
        0 => "nobody".to_owned(),
        _ => format!("{count} (weight {})", hundredths(weight)),
    }
}

fn hundredths(weight: u32) -> String {
    format!("{}.{:02}", weight / 100, weight % 100)
}

fn finding(testimony: &Testimony) -> (String, Tone) {
    let met = match testimony.silence.as_deref() {
        Some("stalled") => "stalled: host up, process silent",
        Some("cut-off") => "cut off: not even the host answers",
        Some("refused") => "refused: host up, process gone",
        Some("replaced") => "replaced: another process is there",
        Some(other) => other,
        None => "did not reach it",
    };
    match &*testimony.finding {
        "reached" => ("reached it".to_owned(), Tone::Good),
        "unreached" => (met.to_owned(), Tone::Bad),
        "no-testimony" => ("did not tell".to_owned(), Tone::Faint),
        other => (other.to_owned(), Tone::Plain),
    }
}

fn reason(case: &Case) -> String {
    match (&*case.reason, &case.asked_at) {
        ("unreached", _) => "all or nearly all who looked did not reach it".to_owned(),
        ("disputed", _) => "some reach it and some do not".to_owned(),
        ("degraded-too-long", _) => {
            "some reached it and some did not, for too long to go on like that".to_owned()
        }
        ("operator", Some(at)) => format!("an operator asked for it, at {}", printable(at)),
        (other, _) => printable(other),
    }
}

/// `03:04:05.678` of an RFC 3339 time.
fn time_of_day(time: &str) -> &str {
    let day = time.split_once('T').map_or(time, |(_, rest)| rest);
    day.trim_end_matches('Z')
}

#[cfg(test)]
mod tests;
