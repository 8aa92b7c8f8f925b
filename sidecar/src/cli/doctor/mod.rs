//! `muster doctor`.

mod agent;
mod disk;
mod files;
mod finding;
mod host;
mod keys;
mod path;
mod reach;
mod seeds;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::SystemTime;

use clap::{Args, ValueHint};

use self::finding::{Finding, Grade, Report};
use self::host::Moment;
use self::reach::Buddy;
use super::client::{Client, ClientError};
use super::output::{Format, say_json, say_lines};
use super::table::Look;
use super::{Failure, OutputArgs};
use crate::api::model::{Rings, Status};
use crate::settings::{self, Flags, Settings};

const EXPLANATION: &str = "\
Looks from here: run it on the host of the agent (in its container), as root or as its user. What
comes from a buddy is told by what its datagrams and links have done; where that is not enough, run
it on the buddy too. It sends each buddy one packet and opens one stream, and changes nothing.

Exit status: 0 nothing failed (there may be warnings), 1 something failed, 2 wrong usage.

Examples:
  muster doctor
  muster doctor --config /etc/muster/muster.toml          before the first start
  muster doctor --output json | jq -r '.findings[] | select(.grade != \"ok\") | .advice'";

#[derive(Debug, Args)]
#[command(after_help = EXPLANATION)]
pub(super) struct DoctorArgs {
    /// The agent's file of settings, when no agent runs that tells it [env: MUSTER_CONFIG]
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    config: Option<PathBuf>,

    #[command(flatten)]
    output: OutputArgs,
}

/// An agent that answered.
struct Agent {
    socket: PathBuf,
    status: Status,
    rings: Rings,
}

pub(super) fn run(socket: Option<&Path>, args: &DoctorArgs) -> Result<(), Failure> {
    let began = Moment::now();
    let mut findings = match ask(socket) {
        Ok(agent) => of_agent(&agent),
        Err(error) => {
            let mut findings = vec![agent::silent(&error)];
            findings.extend(without_agent(socket, args.config.as_deref()));
            findings
        }
    };
    thread::sleep(began.left());
    findings.push(host::clock(began, Moment::now()));
    let report = Report::new(findings);
    match args.output.output {
        Format::Json => say_json(&report)?,
        Format::Table => say_lines(&report.lines(Look::of_stdout()))?,
    }
    match report.grade {
        Grade::Ok | Grade::Warn => Ok(()),
        Grade::Fail => Err(Failure::Ended(1)),
    }
}

fn ask(socket: Option<&Path>) -> Result<Agent, ClientError> {
    let client = Client::find(socket)?;
    smol::block_on(async {
        Ok(Agent {
            status: client.status().await?,
            rings: client.ring().await?,
            socket: client.socket().to_owned(),
        })
    })
}

fn of_agent(agent: &Agent) -> Vec<Finding> {
    let status = &agent.status;
    let mut findings = vec![
        agent::answers(status, &agent.socket.display().to_string()),
        agent::cluster(status),
        agent::timers(status),
    ];
    findings.extend(buddies(&agent.rings));
    findings.extend(agent::drops(status));
    let seeds = status.seeds.iter().map(|seed| seeds::Seed {
        name: seed.seed.clone(),
        joined: seed.joined,
        last_error: seed.last_error.clone(),
    });
    findings.extend(seeds::look(&seeds.collect::<Vec<_>>(), Some(status.addr)));
    findings.push(files::socket(&agent.socket, true));
    findings.push(files::config(status.config.as_deref().map(Path::new)));
    let of_disk = disk::Agent {
        votes: status.role == "voter",
        failed: status.memory_failed,
    };
    findings.extend(disk::look(
        status.data_dir.as_deref().map(Path::new),
        Some(of_disk),
    ));
    let path = status.key_file.as_deref().map(Path::new);
    findings.extend(keys::look(path, &keys::Agent::of(Some(status.pid))));
    findings.push(host::descriptors(Some(status)));
    findings
}

/// What can be said of an agent that does not run.
fn without_agent(socket: Option<&Path>, config: Option<&Path>) -> Vec<Finding> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let config = config
        .map(Path::to_owned)
        .or_else(|| variable("MUSTER_CONFIG").map(PathBuf::from));
    let mut findings = vec![files::config(config.as_deref())];
    let is_right = findings.iter().all(|finding| finding.grade != Grade::Fail);
    let flags = config.map(Flags::of_file).unwrap_or_default();
    match Settings::load(flags) {
        Ok(settings) => {
            let place = settings
                .socket
                .clone()
                .unwrap_or_else(settings::default_socket);
            findings.push(files::socket(socket.unwrap_or(&place), false));
            let seeds = settings.seeds.iter().map(|seed| seeds::Seed {
                name: seed.clone(),
                joined: false,
                last_error: None,
            });
            let own = settings.advertise.map_or(settings.bind, |told| {
                SocketAddr::new(told.ip, told.port.unwrap_or(settings.bind.port()))
            });
            findings.extend(seeds::look(&seeds.collect::<Vec<_>>(), Some(own)));
            findings.extend(disk::look(settings.data_dir.as_deref(), None));
            let path = settings.key_file.as_deref();
            findings.extend(keys::look(path, &keys::Agent::of(None)));
        }
        // What is wrong with the file was told.
        Err(_) if !is_right => {}
        Err(error) => {
            let advice = "correct them: an agent would not start with these";
            findings.push(Finding::fail("settings", files::problems(&error), advice));
        }
    }
    findings.push(host::descriptors(None));
    findings
}

/// Datagrams, streams and packet sizes: what is wrong with each buddy, and one line for all with
/// which nothing is.
fn buddies(rings: &Rings) -> Vec<Finding> {
    let buddies = reach::buddies(rings);
    if buddies.is_empty() {
        let found = "this member is alone, or knows no other yet: no buddies to reach";
        return vec![Finding::ok("buddies", found)];
    }
    let paths: Vec<path::Path> = thread::scope(|scope| {
        let looks = buddies.iter().map(|buddy| {
            let addr = buddy.addr;
            scope.spawn(move || path::look(addr))
        });
        let looks: Vec<_> = looks.collect();
        let looked = looks.into_iter().map(|look| look.join());
        looked
            .map(|path| path.unwrap_or_else(|_| path::Path::unknown()))
            .collect()
    });
    let now = SystemTime::now();
    let pairs = || buddies.iter().zip(&paths);
    let datagrams = pairs().map(|(buddy, _)| (buddy, reach::datagrams(buddy, rings, now)));
    let streams = pairs().map(|(buddy, path)| (buddy, reach::streams(buddy, rings, path)));
    let sizes = pairs().map(|(buddy, path)| {
        (
            buddy,
            path::size(&buddy.contact.name, buddy.addr.ip(), path),
        )
    });
    let proved = paths.iter().filter(|path| path.proved).count();
    let mut findings = together("udp", datagrams, "datagrams come and are answered");
    findings.extend(together(
        "tcp",
        streams,
        "streams can be opened, and links stand",
    ));
    let fit = format!("the largest datagrams fit into a packet (seen to arrive: {proved})");
    findings.extend(together("mtu", sizes, &fit));
    findings
}

/// The findings, and one for all that have none.
fn together<'a>(
    check: &'static str,
    each: impl Iterator<Item = (&'a Buddy<'a>, Option<Finding>)>,
    well: &str,
) -> Vec<Finding> {
    let (mut names, mut findings) = (Vec::new(), Vec::new());
    for (buddy, finding) in each {
        match finding {
            Some(finding) => findings.push(finding),
            None => names.push(buddy.contact.name.as_str()),
        }
    }
    if !names.is_empty() {
        findings.insert(
            0,
            Finding::ok(check, format!("{}: {well}", names.join(", "))),
        );
    }
    findings
}

#[cfg(test)]
mod tests;
