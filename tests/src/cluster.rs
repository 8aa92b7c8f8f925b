//! Many hosts, each with a sidecar of one cluster, and the questions that tests ask of all at once.

use std::fmt::Write as _;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use crate::host::Host;
use crate::log::Mark;
use crate::network::Network;
use crate::{keys, sweep, wait};

/// Where every sidecar listens.
pub const PORT: u16 = 7946;
const LOG_LINES: usize = 12;

/// Of one that has ended by itself: the message of a panic stands before its stack.
const LAST_LINES: usize = 60;

/// The addresses that a cluster uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// How a cluster is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// Hosts, from 1.
    pub hosts: usize,
    /// The addresses used.
    pub family: Family,
    /// How many must find each other to begin; more than half, so that only one history can begin,
    /// when nothing is said.
    pub expect: Option<usize>,
    /// Hosts whose sidecars never vote.
    pub non_voting: Vec<usize>,
    /// Whether those that may vote have a data directory.
    pub memory: bool,
    /// Whether every sidecar has a file of settings, in which its key file stands if it has one.
    pub settings: bool,
    /// Arguments of every `muster agent`, beside name, addresses, seeds, socket and data directory.
    pub arguments: Vec<String>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            hosts: 30,
            family: Family::V4,
            expect: None,
            non_voting: Vec::new(),
            memory: true,
            settings: false,
            arguments: Vec::new(),
        }
    }
}

impl Options {
    /// A small cluster.
    pub fn of(hosts: usize) -> Options {
        Options {
            hosts,
            ..Options::default()
        }
    }

    /// The same with these further arguments of every `muster agent`.
    #[must_use]
    pub fn with(mut self, arguments: &[&str]) -> Options {
        self.arguments
            .extend(arguments.iter().map(|&word| word.to_owned()));
        self
    }
}

fn key_file(folder: &Path, number: usize) -> PathBuf {
    folder.join(format!("n{number}.etc")).join("keys")
}

/// A network of hosts with sidecars. Hosts are numbered from 1 and called `n1`, `n2`…
#[derive(Debug)]
pub struct Cluster {
    options: Options,
    // Dropped in this order: processes first, then what they stand on.
    hosts: Vec<Host>,
    network: Network,
    folder: TempDir,
}

impl Cluster {
    /// The hosts without any sidecar.
    pub fn new(options: Options) -> Cluster {
        let prefix = sweep::owned("run-");
        let folder = tempfile::Builder::new().prefix(&prefix).tempdir();
        let folder = folder.expect("the temporary folder can be written");
        for number in 1..=options.hosts {
            let file = key_file(folder.path(), number);
            let etc = file.parent().expect("it stands in a folder");
            fs::create_dir(etc).expect("the temporary folder can be written");
            keys::write(&file);
        }
        let network = Network::new(options.hosts);
        let host = |number| {
            Host::new(
                format!("n{number}"),
                network.namespace(number),
                folder.path(),
            )
        };
        let hosts = (1..=options.hosts).map(host).collect();
        Cluster {
            options,
            hosts,
            network,
            folder,
        }
    }

    /// A cluster in which every sidecar runs and sees every other, and all agree on that.
    pub fn formed(options: Options) -> Cluster {
        let mut cluster = Cluster::new(options);
        for number in 1..=cluster.options.hosts {
            cluster.start(number);
        }
        cluster.wait_all_see_all();
        cluster.wait_all_agree();
        cluster
    }

    /// The network, to hurt it.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The numbers of the hosts whose sidecars run.
    pub fn running_numbers(&self) -> Vec<usize> {
        let numbers = 1..=self.options.hosts;
        numbers
            .filter(|&number| self.host(number).is_running())
            .collect()
    }

    pub(crate) fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// The number of a host.
    fn number(&self, host: &Host) -> usize {
        let at = self
            .hosts
            .iter()
            .position(|other| other.name() == host.name());
        at.expect("it is one of these hosts") + 1
    }

    /// One host.
    pub fn host(&self, number: usize) -> &Host {
        &self.hosts[number - 1]
    }

    /// One host, to hurt it.
    pub fn host_mut(&mut self, number: usize) -> &mut Host {
        &mut self.hosts[number - 1]
    }

    /// The hosts whose sidecars run.
    pub fn running(&self) -> impl Iterator<Item = &Host> {
        self.hosts.iter().filter(|host| host.is_running())
    }

    /// The address of a host's sidecar; `second` is the other one that the host has.
    pub fn address(&self, number: usize, second: bool) -> SocketAddr {
        let ip: IpAddr = match self.options.family {
            Family::V4 => Network::ipv4(number, second),
            Family::V6 => Network::ipv6(number, second),
        };
        SocketAddr::new(ip, PORT)
    }

    /// Starts the sidecar of a host under its usual name and address, with the first three hosts as
    /// seeds.
    pub fn start(&mut self, number: usize) {
        let name = format!("n{number}");
        self.start_as(number, &name, false);
    }

    /// Starts the sidecar of a host under any name, on one of its two addresses.
    pub fn start_as(&mut self, number: usize, name: &str, second: bool) {
        let seeds = self.seeds(false);
        self.start_with(number, name, second, &seeds);
    }

    /// The addresses of the first three hosts.
    pub fn seeds(&self, second: bool) -> Vec<String> {
        let seeds = 1..=self.options.hosts.min(3);
        seeds
            .map(|seed| self.address(seed, second).to_string())
            .collect()
    }

    /// The key file of a host; all begin with the same key.
    pub fn key_file(&self, number: usize) -> String {
        let path = key_file(self.folder.path(), number);
        path.display().to_string()
    }

    /// Writes the file of settings of a host.
    pub fn write_settings(&self, number: usize, text: &str) {
        fs::write(self.settings_file(number), text).expect("the test's folder can be written");
    }

    fn settings_file(&self, number: usize) -> PathBuf {
        self.folder.path().join(format!("n{number}.toml"))
    }

    /// Starts the sidecar of a host with these seeds.
    pub fn start_with(&mut self, number: usize, name: &str, second: bool, seeds: &[String]) {
        let mut arguments = vec!["--name".to_owned(), name.to_owned(), "--bind".to_owned()];
        arguments.push(self.address(number, second).to_string());
        for seed in seeds {
            arguments.extend(["--join".to_owned(), seed.clone()]);
        }
        let expect = self.options.expect.unwrap_or(self.options.hosts / 2 + 1);
        arguments.extend(["--expect".to_owned(), expect.to_string()]);
        if self.options.non_voting.contains(&number) {
            arguments.push("--non-voting".to_owned());
        } else if self.options.memory {
            let data = self.host(number).data().display().to_string();
            arguments.extend(["--data-dir".to_owned(), data]);
        }
        if self.options.settings {
            let path = self.settings_file(number).display().to_string();
            arguments.extend(["--config".to_owned(), path]);
        } else if !self
            .options
            .arguments
            .iter()
            .any(|word| word == "--plaintext")
        {
            arguments.extend(["--key-file".to_owned(), self.key_file(number)]);
        }
        arguments.extend(self.options.arguments.iter().cloned());
        self.host_mut(number).start(&arguments);
    }

    /// Waits until `check` is fine; panics with what everyone sees when it is not in time.
    pub fn wait(
        &self,
        patience: Duration,
        what: &str,
        mut check: impl FnMut(&Cluster) -> Result<(), String>,
    ) {
        match wait::until(patience, || self.alive().and_then(|()| check(self))) {
            Ok(took) => println!("{what}: after {took:.1?}"),
            Err(why) => self.fail(&format!("not within {patience:?}: {what}: {why}")),
        }
    }

    /// Checks again and again during all of `span`; panics with what everyone sees at the first
    /// complaint.
    pub fn hold(
        &self,
        span: Duration,
        what: &str,
        mut check: impl FnMut(&Cluster) -> Result<(), String>,
    ) {
        if let Err(why) = wait::throughout(span, || self.alive().and_then(|()| check(self))) {
            self.fail(&format!("{what}: {why}"));
        }
    }

    /// Waits until each running sidecar sees all running ones alive, and no host's sidecar that it
    /// does not.
    pub fn wait_all_see_all(&self) {
        self.wait(
            Duration::from_secs(120),
            "all see all alive",
            Cluster::all_see_all,
        );
    }

    /// Whether each running sidecar sees all running ones alive.
    ///
    /// # Errors
    /// Who does not see whom.
    pub fn all_see_all(&self) -> Result<(), String> {
        let names: Vec<&str> = self.running().map(Host::name).collect();
        self.running()
            .try_for_each(|host| sees(host, &names, "alive"))
    }

    /// Whether each running sidecar, these excepted, sees these in that state.
    ///
    /// # Errors
    /// Who sees whom otherwise.
    pub fn others_see(&self, numbers: &[usize], state: &str) -> Result<(), String> {
        let names: Vec<&str> = numbers
            .iter()
            .map(|&number| self.host(number).name())
            .collect();
        let mut others = self.running().filter(|host| !names.contains(&host.name()));
        others.try_for_each(|host| sees(host, &names, state))
    }

    /// The present ends of all logs.
    pub fn marks(&self) -> Vec<Mark> {
        self.hosts.iter().map(Host::mark).collect()
    }

    /// Whether each running sidecar, these excepted, has logged events of this kind about these.
    ///
    /// # Errors
    /// Who has not.
    pub fn others_logged(
        &self,
        marks: &[Mark],
        kind: &str,
        numbers: &[usize],
    ) -> Result<(), String> {
        match self.not_logged(marks, kind, numbers).first() {
            Some(lack) => Err(lack.clone()),
            None => Ok(()),
        }
    }

    /// Who of the running sidecars, these excepted, has not logged an event of this kind about
    /// which of these.
    pub fn not_logged(&self, marks: &[Mark], kind: &str, numbers: &[usize]) -> Vec<String> {
        let mut lacks = Vec::new();
        for host in self.others(numbers) {
            let events = host.events(marks[self.number(host) - 1]);
            for &number in numbers {
                let name = self.host(number).name();
                let mut events = events.iter();
                if !events.any(|line| line.kind == kind && line.member == name) {
                    lacks.push(format!("{} has not logged {kind} of {name}", host.name()));
                }
            }
        }
        lacks
    }

    /// Whether each running sidecar, these excepted, has logged since `marks` first a hint against
    /// each of these and then the verdict `dead`.
    ///
    /// # Errors
    /// Who has not.
    pub fn others_were_warned(&self, marks: &[Mark], numbers: &[usize]) -> Result<(), String> {
        let hints = ["member-suspect", "member-unreachable"];
        for host in self.others(numbers) {
            let events = host.events(marks[self.number(host) - 1]);
            for &number in numbers {
                let name = self.host(number).name();
                let kinds = events.iter().filter(|line| line.member == name);
                let mut kinds = kinds.map(|line| line.kind.as_str());
                let hint = kinds.any(|kind| hints.contains(&kind));
                if !hint || !kinds.any(|kind| kind == "member-dead") {
                    let host = host.name();
                    return Err(format!(
                        "{host} has not logged a hint against {name} and a verdict"
                    ));
                }
            }
        }
        Ok(())
    }

    /// Whether all links that running sidecars open stand.
    ///
    /// # Errors
    /// Whose does not.
    pub fn all_linked(&self) -> Result<(), String> {
        for host in self.running() {
            let ring = host.get::<serde_json::Value>("/v1/ring")?;
            let links = ring["links"].as_array().into_iter().flatten();
            let mut ours = links.filter(|link| link["ours"] == true).peekable();
            if ours.peek().is_none() {
                return Err(format!("{} has no links", host.name()));
            }
            if let Some(link) = ours.find(|link| link["state"] != "up") {
                return Err(format!("{} has the link {link}", host.name()));
            }
        }
        Ok(())
    }

    /// How many ends of links stand, at all running sidecars together.
    ///
    /// Panics when one does not answer.
    pub fn link_ends(&self) -> u64 {
        let of = |host: &Host| {
            let ring: serde_json::Value = host.get("/v1/ring").expect("it answers");
            let links = ring["links"].as_array().into_iter().flatten();
            links.filter(|link| link["state"] == "up").count() as u64
        };
        self.running().map(of).sum()
    }

    /// Complains about each event of this kind since `marks`, in any log of a running sidecar, that
    /// is about someone else than `expected`.
    ///
    /// # Errors
    /// The first such line.
    pub fn none_but(&self, marks: &[Mark], kind: &str, expected: &[usize]) -> Result<(), String> {
        let expected: Vec<&str> = expected
            .iter()
            .map(|&number| self.host(number).name())
            .collect();
        for (host, &mark) in self.hosts.iter().zip(marks) {
            if !host.is_running() || expected.contains(&host.name()) {
                continue;
            }
            let of_kind = |line: &&crate::Line| line.kind == kind;
            let events = host.events(mark);
            let mut wrong = events.iter().filter(of_kind);
            if let Some(line) = wrong.find(|line| !expected.contains(&line.member.as_str())) {
                return Err(format!("{} logged: {}", host.name(), line.text));
            }
        }
        Ok(())
    }

    /// Panics when a sidecar has ended by itself: no wait would help.
    fn alive(&self) -> Result<(), String> {
        match self.running().find(|host| host.has_ended()) {
            None => Ok(()),
            Some(host) => self.fail(&format!(
                "the sidecar of {} has ended by itself",
                host.name()
            )),
        }
    }

    /// Panics with what everyone sees and has logged.
    pub fn fail(&self, why: &str) -> ! {
        let mut report = String::new();
        for host in &self.hosts {
            let (seen, lines) = if !host.is_running() {
                ("not running".to_owned(), LOG_LINES)
            } else if host.has_ended() {
                ("ended".to_owned(), LAST_LINES)
            } else {
                let view = host.view();
                (
                    view.map_or_else(|error| error, |view| view.to_string()),
                    LOG_LINES,
                )
            };
            let _ = writeln!(
                report,
                "{} sees: {seen}\n{}",
                host.name(),
                host.log_tail(lines)
            );
        }
        panic!("{why}\n\n{report}\nThe reason again: {why}");
    }
}

fn sees(host: &Host, names: &[&str], state: &str) -> Result<(), String> {
    let view = host.view()?;
    match names.iter().find(|name| view.state(name) != state) {
        None => Ok(()),
        Some(name) => Err(format!(
            "{} sees {name} {} where {state} was expected; all it sees: {view}",
            host.name(),
            view.state(name)
        )),
    }
}
