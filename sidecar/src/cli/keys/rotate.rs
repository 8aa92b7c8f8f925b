//! `muster keys rotate`: three steps at all members, each once the one before is done everywhere.
//!
//! Nothing is remembered between two runs: the ring tells how far it is. A key that was added and
//! never used is the new one; without such a key, one that is neither primary nor retired is what
//! an earlier rotation left to be removed.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use muster_swim::Key;
use smol::Timer;

use super::show::names;
use crate::api::model::{KeyMember, Keys};
use crate::cli::Failure;
use crate::cli::client::{Client, ClientError};
use crate::cli::output::say;

/// Between two looks at all members.
const PAUSE: Duration = Duration::from_secs(1);

const AGAIN: &str = "run `muster keys rotate` again: it goes on from here";

/// What is asked for.
pub(super) struct Rotation {
    /// The new key; `None`: the agent draws one.
    pub(super) key: Option<Key>,
    pub(super) grace: Option<Duration>,
    pub(super) timeout: Duration,
}

/// Where a rotation begins.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// With a key that is still to be added.
    Fresh,
    /// With this key, which is in the ring.
    With(String),
}

/// How far a ring is.
pub(super) fn start(keys: &Keys, given: Option<&str>) -> Result<Start, String> {
    let of_state = |state: &str| {
        let found = keys.keys.iter().filter(|key| key.state == state);
        found.map(|key| key.id.as_str()).collect::<Vec<_>>()
    };
    let (new, old) = (of_state("new"), of_state("old"));
    if let Some(given) = given {
        let is = |state: &str| of_state(state).contains(&given);
        return match new.iter().find(|id| **id != given) {
            Some(other) => Err(format!(
                "a rotation to key {other} is under way: finish it with `muster keys rotate` \
                 without a file, or give it up with `muster keys remove {other}`"
            )),
            None if is("new") || is("primary") => Ok(Start::With(given.to_owned())),
            None => Ok(Start::Fresh),
        };
    }
    match new[..] {
        [one] => Ok(Start::With(one.to_owned())),
        // A ring that no command has changed was made by hand: then its order tells nothing.
        [] if !old.is_empty() && keys.generation > 0 => {
            let primary = of_state("primary").into_iter().next().unwrap_or_default();
            Ok(Start::With(primary.to_owned()))
        }
        [] => Ok(Start::Fresh),
        [..] => Err(format!(
            "several keys were added and never used ({}): say which with `muster keys use ID`, or \
             remove the others with `muster keys remove ID`",
            new.join(", ")
        )),
    }
}

/// A member that is not as far as it should be, and what it said.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Laggard {
    /// It did not answer.
    Silent(String),
    /// It answered without the change.
    Without(String),
}

/// The members of which `is_done` does not hold.
pub(super) fn laggards(keys: &Keys, is_done: impl Fn(&KeyMember) -> bool) -> Vec<Laggard> {
    let silent = keys.unanswered.iter().cloned().map(Laggard::Silent);
    let without = keys.members.iter().filter(|member| !is_done(member));
    let without = without.map(|member| Laggard::Without(member.name.clone()));
    silent.chain(without).collect()
}

fn words(laggards: &[Laggard]) -> String {
    let of = |is_silent: bool| {
        let found = laggards.iter().filter_map(move |laggard| match laggard {
            Laggard::Silent(name) if is_silent => Some(name.as_str()),
            Laggard::Without(name) if !is_silent => Some(name.as_str()),
            Laggard::Silent(_) | Laggard::Without(_) => None,
        });
        names(found)
    };
    let (silent, without) = (of(true), of(false));
    let mut words = Vec::new();
    if !silent.is_empty() {
        words.push(format!("no answer from {silent}"));
    }
    if !without.is_empty() {
        words.push(format!(
            "not taken by {without} (the log there says why; can the key file be written?)"
        ));
    }
    words.join("; ")
}

fn holds(keys: &Keys, id: &str, name: &str) -> bool {
    let key = keys.keys.iter().find(|key| key.id == id);
    key.is_some_and(|key| key.held_by.iter().any(|holder| holder == name))
}

/// One that does not seal yet, as encryption is being turned on, uses what its ring says.
fn uses(keys: &Keys, id: &str, member: &KeyMember) -> bool {
    let key = keys.keys.iter().find(|key| key.id == id);
    let seals = key.is_some_and(|key| key.used_by.contains(&member.name));
    seals || member.plaintext == "send" && member.generation >= keys.generation
}

impl Rotation {
    pub(super) async fn run(&self, client: &Client) -> Result<(), Failure> {
        let keys = client.keys().await?;
        if keys.keys.is_empty() {
            return Err(Failure::Message(
                super::show::lines(&keys, crate::cli::table::Look::PLAIN).concat(),
            ));
        }
        let given = self.key.as_ref().map(|key| key.id().to_string());
        let id = match start(&keys, given.as_deref()).map_err(Failure::Message)? {
            Start::With(id) => {
                say(format!("A rotation to key {id} is under way: it goes on."))?;
                id
            }
            Start::Fresh => self.add(client, &keys).await?,
        };
        match self.roll_out(client, &id).await {
            Err(Failure::Client(error)) => Err(Failure::Message(format!(
                "{error}. What was done stays; {AGAIN}"
            ))),
            done => done,
        }
    }

    /// Gives the id of the key that was added.
    async fn add(&self, client: &Client, before: &Keys) -> Result<String, Failure> {
        let keys = client.add_key(self.key.as_ref()).await?;
        if let Some(key) = &self.key {
            return Ok(key.id().to_string());
        }
        let is_new = |id: &str| !before.keys.iter().any(|key| key.id == id);
        let mut new = keys.keys.iter().filter(|key| key.state == "new");
        match new.find(|key| is_new(&key.id)) {
            Some(key) => Ok(key.id.clone()),
            None => Err(Failure::Message(format!(
                "the new key was not kept, for somebody else changed the keys meanwhile; look with \
                 `muster keys list`, then {AGAIN}"
            ))),
        }
    }

    async fn roll_out(&self, client: &Client, id: &str) -> Result<(), Failure> {
        let added = self.wait(client, |keys| laggards(keys, |m| holds(keys, id, &m.name)));
        let keys = added.await?.map_err(|who| {
            Failure::Message(format!(
                "not all members have the new key {id}: {}. Nobody seals with it yet, and all go \
                 on with the one before. When they answer, or are removed with `muster remove \
                 NAME`, {AGAIN}",
                words(&who)
            ))
        })?;
        let count = keys.members.len();
        say(format!(
            "1/3 added: all {count} members can open with key {id}."
        ))?;
        if keys.keys.first().is_none_or(|key| key.id != id) {
            client.use_key(id).await?;
        }
        let used = self.wait(client, |keys| laggards(keys, |m| uses(keys, id, m)));
        let keys = used.await?.map_err(|who| {
            Failure::Message(format!(
                "not all members seal with the new key {id}: {}. All can open it, and what they \
                 seal with is not removed. When they answer, or are removed with `muster remove \
                 NAME`, {AGAIN}",
                words(&who)
            ))
        })?;
        let count = keys.members.len();
        say(format!("2/3 used: all {count} members seal with it."))?;
        self.retire(client, id, keys).await
    }

    async fn retire(&self, client: &Client, id: &str, mut keys: Keys) -> Result<(), Failure> {
        let is_left = |state: &str| matches!(state, "old" | "new");
        let left = keys
            .keys
            .iter()
            .filter(|key| key.id != id && is_left(&key.state));
        let left: Vec<String> = left.map(|key| key.id.clone()).collect();
        for old in &left {
            keys = client.remove_key(old, self.grace, false).await?;
        }
        let generation = keys.generation;
        let taken = self.wait(client, |keys| {
            laggards(keys, |member| member.generation >= generation)
        });
        let keys = taken.await?.map_err(|who| {
            Failure::Message(format!(
                "all seal with the new key {id}, but not all have heard that the old one goes: {}. \
                 They hear of it when they answer; `muster keys list` shows who has which",
                words(&who)
            ))
        })?;
        let ends = keys.keys.iter().filter(|key| left.contains(&key.id));
        let ends: Vec<String> = ends
            .filter_map(|key| Some(format!("{} until {}", key.id, key.until.as_ref()?)))
            .collect();
        say(match (left.is_empty(), ends.is_empty()) {
            (true, _) => "3/3 removed: there was nothing left to remove.".to_owned(),
            (false, true) => format!("3/3 removed: {}.", left.join(", ")),
            (false, false) => format!(
                "3/3 removed: members that are away now still get in with key {}.",
                ends.join(", ")
            ),
        })
    }

    /// Looks until nobody is behind; else who is when the time is up.
    async fn wait(
        &self,
        client: &Client,
        behind: impl Fn(&Keys) -> Vec<Laggard>,
    ) -> Result<Result<Keys, Vec<Laggard>>, Failure> {
        let (begun, mut line) = (Instant::now(), Line::default());
        loop {
            match client.keys().await {
                Ok(keys) => {
                    let who = behind(&keys);
                    if who.is_empty() {
                        return Ok(Ok(keys));
                    }
                    if begun.elapsed() >= self.timeout {
                        return Ok(Err(who));
                    }
                    line.show(&format!("waiting: {}", words(&who)));
                }
                Err(error) if is_busy(&error) && begun.elapsed() < self.timeout => {}
                Err(error) => return Err(error.into()),
            }
            Timer::after(PAUSE).await;
        }
    }
}

/// Another change is under way at this agent: an earlier run that was interrupted, as a rule.
fn is_busy(error: &ClientError) -> bool {
    matches!(error, ClientError::Refused(problem) if problem.kind == "urn:muster:problem:keys-busy")
}

/// What is waited for, on a line of the terminal that goes when it is over.
#[derive(Default)]
struct Line {
    is_shown: bool,
}

impl Line {
    fn show(&mut self, text: &str) {
        let mut terminal = io::stderr().lock();
        if terminal.is_terminal() {
            let width = crossterm::terminal::size().map_or(80, |(columns, _)| columns.into());
            let text: String = text.chars().take(width).collect();
            self.is_shown = write!(terminal, "\r\x1b[2K{text}").is_ok();
            let _ = terminal.flush();
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if self.is_shown {
            let _ = write!(io::stderr(), "\r\x1b[2K");
        }
    }
}
