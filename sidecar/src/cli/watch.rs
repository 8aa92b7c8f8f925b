//! `muster watch`.

use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use clap::Args;
use smol::Timer;

use super::Failure;
use super::client::{Client, ClientError, EventStream};
use super::output::{Format, say, say_lines, tone_of};
use super::sse::Message;
use super::table::{Look, Tone, printable};
use crate::api::model::{Details, EVENT_TYPES, Event, RESET, Reset, Word};

const EXAMPLES: &str = "\
The stream survives a restart of the agent: it goes on after the last cursor, and when events were
lost on the way it shows `reset` with the members as they are now.

A command of --exec runs through `sh -c`, one at a time and in order, with the event as JSON on
standard input and MUSTER_EVENT_TYPE, MUSTER_MEMBER_NAME, MUSTER_MEMBER_ADDR, MUSTER_VIEW,
MUSTER_EPOCH, MUSTER_CURSOR and MUSTER_SOCKET in its environment (no member, view and epoch for
`reset`).

Examples:
  muster watch
  muster watch --types member-dead,member-left --output json
  muster watch --since 1767323045678901.42
  muster watch --exec 'echo \"$MUSTER_MEMBER_NAME: $MUSTER_EVENT_TYPE\" >> /var/log/members'";

/// The first pause before another try to reach an agent that went away; the pauses grow.
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_LAST: Duration = Duration::from_secs(2);

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct WatchArgs {
    /// Start after this cursor instead of now
    #[arg(long, value_name = "CURSOR")]
    since: Option<String>,

    /// Only events of these types, separated by commas; `reset` always comes
    #[arg(long, value_delimiter = ',', value_parser = EVENT_TYPES)]
    types: Vec<String>,

    /// Run this shell command for each event instead of printing it
    #[arg(long, value_name = "CMD", conflicts_with = "output")]
    exec: Option<String>,

    /// How to print: a line for people, or one JSON document a line
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
}

pub(super) async fn run(client: &Client, args: &WatchArgs) -> Result<(), Failure> {
    // A cursor from the start: without it, events between a loss of the connection before the
    // first event and the next connection would be lost without a word.
    let mut cursor = match &args.since {
        Some(since) => since.clone(),
        None => client.cursor().await?,
    };
    let mut stream = client.events(Some(&cursor), &args.types).await?;
    loop {
        match stream.next().await {
            Some(Ok(message)) => {
                deliver(&message, client.socket(), args)?;
                if let Some(id) = message.id {
                    cursor = id;
                }
            }
            end => {
                let why = end.and_then(Result::err).map_or_else(
                    || {
                        format!(
                            "the agent at {} ended the stream",
                            client.socket().display()
                        )
                    },
                    |error| error.to_string(),
                );
                eprintln!("muster: {why}; waiting for it to come back");
                stream = reconnect(client, &cursor, &args.types).await?;
                eprintln!("muster: connected again, going on after cursor {cursor}");
            }
        }
    }
}

async fn reconnect(
    client: &Client,
    cursor: &str,
    types: &[String],
) -> Result<EventStream, ClientError> {
    let mut pause = RETRY_FIRST;
    loop {
        Timer::after(pause).await;
        pause = (pause * 2).min(RETRY_LAST);
        match client.events(Some(cursor), types).await {
            Ok(stream) => return Ok(stream),
            Err(error @ (ClientError::Refused(_) | ClientError::Unreadable { .. })) => {
                return Err(error);
            }
            Err(
                ClientError::NoAgent(_) | ClientError::Broken { .. } | ClientError::Silent { .. },
            ) => {}
        }
    }
}

fn deliver(message: &Message, socket: &Path, args: &WatchArgs) -> Result<(), Failure> {
    match (&args.exec, args.output) {
        (Some(command), _) => execute(command, message, socket),
        (None, Format::Json) => say(&message.data),
        (None, Format::Table) => say_lines(&lines(message, Look::of_stdout())),
    }
}

/// An event in one line; a `reset` has one more for each member.
fn lines(message: &Message, look: Look) -> Vec<String> {
    if message.event == RESET {
        if let Ok(reset) = serde_json::from_str::<Reset>(&message.data) {
            return reset_lines(&reset, look);
        }
    } else if let Ok(event) = serde_json::from_str::<Event>(&message.data) {
        return vec![event_line(&event, look)];
    }
    // An event of a later version, without a member: better shown raw than not at all.
    vec![format!(
        "{} {}",
        printable(&message.event),
        printable(&message.data)
    )]
}

fn event_line(event: &Event, look: Look) -> String {
    let kind = format!("{:<19}", event.kind);
    let agreed = match event.view {
        0 => String::new(),
        view => format!(" view={view} epoch={}", event.epoch),
    };
    format!(
        "{} {} {} {}{agreed}{} {}",
        look.paint(&event.time, Tone::Faint),
        look.paint(&kind, tone_of(event.kind.trim_start_matches("member-"))),
        look.paint(&printable(&event.member.name), Tone::Strong),
        event.member.addr,
        details(&event.details),
        look.paint(&format!("cursor={}", event.cursor), Tone::Faint),
    )
}

fn reset_lines(reset: &Reset, look: Look) -> Vec<String> {
    let mut lines = vec![format!(
        "{} {} events were lost ({}); {} members now: {}",
        look.paint(&reset.time, Tone::Faint),
        look.paint(&format!("{RESET:<19}"), Tone::Warning),
        reset.reason,
        reset.members.len(),
        look.paint(&format!("cursor={}", reset.cursor), Tone::Faint),
    )];
    lines.extend(reset.members.iter().map(|member| {
        let state = look.paint(&member.state, tone_of(&member.state));
        format!("  {} {} {state}", printable(&member.name), member.addr)
    }));
    lines
}

/// What belongs to an event's type as ` key=value`, in the order of the API.
pub(super) fn details(details: &Details) -> String {
    let grounds = details.grounds.as_ref();
    let names = |list: Option<&Vec<String>>| {
        let list = list.filter(|list| !list.is_empty());
        list.map(|list| list.join(","))
    };
    let number = |number: Option<u64>| number.map(|number| number.to_string());
    let word = |word: &Option<Word>| word.as_deref().map(str::to_owned);
    let pairs = [
        ("app", details.app.clone()),
        ("attachment", number(details.attachment)),
        ("health", word(&details.health)),
        ("note", details.note.clone()),
        ("cause", details.cause.as_deref().map(str::to_owned)),
        ("status", number(details.status.map(u64::from))),
        ("signal", word(&details.signal)),
        ("by", details.by.clone()),
        ("silence", details.silence.as_deref().map(str::to_owned)),
        ("accusers", names(details.accusers.as_ref())),
        (
            "instance",
            details.instance.map(|instance| instance.to_string()),
        ),
        ("addr", details.addr.map(|addr| addr.to_string())),
        (
            "removed_in",
            details.removed_in.map(|view| view.to_string()),
        ),
        ("recovered", details.recovered.map(|yes| yes.to_string())),
        ("reason", grounds.map(|grounds| grounds.reason.to_string())),
        (
            "unreached",
            names(grounds.map(|grounds| &grounds.unreached)),
        ),
        ("reached", names(grounds.map(|grounds| &grounds.reached))),
    ];
    let shown = pairs
        .iter()
        .filter_map(|(key, value)| Some((key, value.as_ref()?)));
    shown
        .map(|(key, value)| format!(" {key}={}", printable(value)))
        .collect()
}

fn execute(command: &str, message: &Message, socket: &Path) -> Result<(), Failure> {
    let cannot_run = |error: io::Error| Failure::Message(format!("cannot run `sh -c`: {error}"));
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(command).stdin(Stdio::piped());
    for (name, value) in variables(message) {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    let mut child = shell
        .env("MUSTER_SOCKET", socket)
        .spawn()
        .map_err(cannot_run)?;
    if let Some(mut input) = child.stdin.take() {
        // A command need not read its input: a closed pipe is none of our business.
        let _ = writeln!(input, "{}", message.data);
    }
    let status = child.wait().map_err(cannot_run)?;
    if !status.success() {
        let cursor = message.id.as_deref().unwrap_or("-");
        eprintln!("muster: the command ended with {status} for the event at cursor {cursor}");
    }
    Ok(())
}

fn variables(message: &Message) -> [(&'static str, Option<String>); 7] {
    let event: Option<Event> = serde_json::from_str(&message.data).ok();
    [
        ("MUSTER_EVENT_TYPE", Some(message.event.clone())),
        ("MUSTER_CURSOR", message.id.clone()),
        (
            "MUSTER_VIEW",
            event.as_ref().map(|event| event.view.to_string()),
        ),
        (
            "MUSTER_EPOCH",
            event.as_ref().map(|event| event.epoch.to_string()),
        ),
        (
            "MUSTER_MEMBER_NAME",
            event.as_ref().map(|event| event.member.name.clone()),
        ),
        (
            "MUSTER_MEMBER_ADDR",
            event.as_ref().map(|event| event.member.addr.to_string()),
        ),
        (
            "MUSTER_APP",
            event.as_ref().and_then(|event| event.details.app.clone()),
        ),
    ]
}

#[cfg(test)]
mod tests;
