//! `muster attach`: runs a command and ties it to the member.
//!
//! The app is attached before its command is started, so that a name that is taken or an agent that
//! is missing is an error with nothing to undo. From then on the command is what counts: it goes on
//! while the agent is away, and is attached again when that is back.

mod link;
mod process;

use std::ffi::OsString;
use std::path::Path;
use std::time::{Duration, Instant};

use clap::Args;
use humantime::parse_duration;
use smol::Timer;

use self::link::Link;
use self::process::{End, Input, Process};
use super::Failure;
use super::client::{Client, ClientError};
use crate::api::model;

/// The exit status when `attach` itself failed, as of `timeout` and `env`.
const OWN_FAILURE: u8 = 125;

/// The pause between two looks for an agent that is waited for.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// How long telling the end of the command may take.
const LAST_WORD: Duration = Duration::from_secs(2);

const EXAMPLES: &str = "\
All members are told that the app is up, and how it ended as soon as it does. Signals to this
process (INT, TERM, HUP, QUIT, USR1, USR2) go to the command, which finds MUSTER_SOCKET and
MUSTER_APP in its environment. An agent that stops or restarts does not stop the command: it is
attached again.

Examples:
  muster attach -- /usr/sbin/nginx -g 'daemon off;'
  muster attach --name web --leave-on-exit --wait 30s -- ./server --port 80
  muster members --app web                 where it runs
  muster watch --types app-up,app-down     when and how it ends

Exit status: that of the command, 128 and the number of the signal that ended it, 126 when it cannot
be run, 127 when there is no such command, 125 when no agent attaches it: then it was not started.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct AttachArgs {
    /// Name of the app; the file name of the command when not given
    #[arg(long, value_name = "APP")]
    name: Option<String>,

    /// Have the member leave the cluster, and its agent end, when the command has ended
    #[arg(long)]
    leave_on_exit: bool,

    /// How long to wait for an agent before the command is started
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = parse_duration)]
    wait: Duration,

    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<OsString>,
}

impl AttachArgs {
    fn app(&self) -> String {
        let file = self.command.first().map(Path::new);
        let file = file.and_then(Path::file_name).unwrap_or_default();
        let name = self.name.clone();
        name.unwrap_or_else(|| file.to_string_lossy().into_owned())
    }
}

pub(super) fn run(socket: Option<&Path>, args: &AttachArgs) -> Result<(), Failure> {
    match smol::block_on(attach(socket, args)) {
        Ok(0) => Ok(()),
        Ok(code) => Err(Failure::Ended(code)),
        Err(failure) => {
            eprintln!("muster: {failure}; the command was not started");
            Err(Failure::Ended(OWN_FAILURE))
        }
    }
}

/// The exit status of the command.
async fn attach(socket: Option<&Path>, args: &AttachArgs) -> Result<u8, Failure> {
    let app = args.app();
    let (client, held) = begin(socket, &app, args.wait).await?;
    let mut link = Link::new(client.clone(), app.clone(), held);
    let started = Process::start(&args.command, client.socket(), &app);
    let end = match started {
        Ok(mut process) => follow(&mut process, &mut link).await,
        Err(problem) => {
            eprintln!("muster: {}", problem.text);
            End::Exited(problem.code)
        }
    };
    tell(&client, &link, end).await;
    if args.leave_on_exit
        && let Err(error) = client.leave().await
    {
        eprintln!("muster: the member does not leave: {error}");
    }
    Ok(end.code())
}

/// Attaches the app, once an agent answers.
async fn begin(
    socket: Option<&Path>,
    app: &str,
    wait: Duration,
) -> Result<(Client, super::client::AttachedApp), ClientError> {
    let since = Instant::now();
    loop {
        let tried = async {
            let client = Client::find(socket)?;
            let held = client.attach(app).await?;
            Ok((client, held))
        };
        match tried.await {
            Err(
                ClientError::NoAgent(_) | ClientError::Broken { .. } | ClientError::Silent { .. },
            ) if since.elapsed() < wait => {}
            other => return other,
        }
        Timer::after(LOOK_AGAIN).await;
    }
}

/// Waits for the end of the process, passes signals on to it and keeps it attached.
async fn follow(process: &mut Process, link: &mut Link) -> End {
    loop {
        let kept = async {
            link.keep().await;
            Input::Again
        };
        match smol::future::or(process.next(), kept).await {
            Input::Ended(end) => return end,
            Input::Signal(signal) => process.pass_on(signal),
            Input::Again => {}
        }
    }
}

/// Says how it ended, while the app is attached.
async fn tell(client: &Client, link: &Link, end: End) {
    let Some(attachment) = link.attachment() else {
        let socket = client.socket().display();
        eprintln!("muster: the agent at {socket} is away: nobody is told how the command ended");
        return;
    };
    let (status, signal) = match end {
        End::Exited(status) => (Some(status), None),
        End::Signalled(signal) => (None, Some(model::SignalWord::Number(signal))),
    };
    let ended = model::Ended {
        status,
        signal,
        attachment: Some(attachment),
    };
    let patient = client.clone().with_patience(LAST_WORD);
    if let Err(error) = patient.end_app(link.app(), &ended).await {
        eprintln!("muster: nobody is told how the command ended: {error}");
    }
}
