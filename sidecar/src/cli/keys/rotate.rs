//! `muster keys rotate`: three steps at all members, each once the one before is done everywhere.
//!
//! Nothing is remembered between two runs: the ring tells how far it is. A key that was added and
//! never used is the new one; without such a key, one that is neither primary nor retired is what
//! an earlier rotation left to be removed.
//!
//! Of rotations that several members begin at once one is gone through with, the others join it:
//! where a ring has several new keys the first one counts, and where two members have rings that
//! were changed as often the one insists, and the other finds its key gone.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use muster_swim::Key as Secret;
use smol::Timer;

use super::show::names;
use crate::api::model::{Key, KeyMember, Keys};
use crate::cli::Failure;
use crate::cli::client::{Client, ClientError};
use crate::cli::output::say;

/// Between two looks at all members.
const PAUSE: Duration = Duration::from_secs(1);

/// How long a rotation leaves it to another one, to a key with a smaller id, to be the one that all
/// have; then that one was given up.
const YIELD: Duration = Duration::from_secs(5);

const AGAIN: &str = "run `muster keys rotate` again: it goes on from here";

/// What is asked for.
pub(super) struct Rotation {
    /// The new key; `None`: the agent draws one.
    pub(super) key: Option<Secret>,
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
        // The others go with the old ones.
        [first, ..] => Ok(Start::With(first.to_owned())),
        // A ring that no command has changed was made by hand: then its order tells nothing.
        [] if !old.is_empty() && keys.generation > 0 => {
            let primary = of_state("primary").into_iter().next().unwrap_or_default();
            Ok(Start::With(primary.to_owned()))
        }
        [] => Ok(Start::Fresh),
    }
}

/// A step that all members take before the next one begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// All have the key.
    Add,
    /// All seal with it.
    Use,
    /// All know that the old ones go.
    Remove,
}

/// What came of waiting for a step.
enum Waited {
    /// It is done everywhere.
    Done(Keys),
    /// These are not so far, and the time is up.
    Late(Vec<Laggard>),
    /// Another rotation went past this one.
    Overtaken(Keys),
}

/// Whether another rotation has gone past the one to this key.
pub(super) fn is_overtaken(keys: &Keys, id: &str, step: Step) -> bool {
    let key = keys.keys.iter().find(|key| key.id == id);
    let is_kept = key.is_some_and(|key| matches!(&*key.state, "primary" | "new" | "old"));
    let is_primary = keys.keys.first().is_some_and(|key| key.id == id);
    match step {
        Step::Add => !is_kept,
        Step::Use | Step::Remove => !is_primary,
    }
}

/// Whether somebody changed the keys elsewhere at the same time, so that this member and others go
/// on with different rings until one of them says its own again.
pub(super) fn is_split(keys: &Keys, is_done: impl Fn(&KeyMember) -> bool) -> bool {
    let mut members = keys.members.iter();
    members.any(|member| !is_done(member) && member.generation >= keys.generation)
}

/// Whether another rotation has the better right to be the one that all join.
pub(super) fn is_second(keys: &Keys, id: &str) -> bool {
    let is_used = |key: &Key| key.state != "primary" && !key.used_by.is_empty();
    let mut rivals = keys.keys.iter().filter(|key| key.id.as_str() < id);
    rivals.any(|key| key.state == "elsewhere" || is_used(key))
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
        let given = given.as_deref();
        let mut id = match start(&keys, given).map_err(Failure::Message)? {
            Start::With(id) => {
                say(format!("A rotation to key {id} is under way: it goes on."))?;
                id
            }
            Start::Fresh => self.add(client, &keys, given).await?,
        };
        loop {
            let overtaken = match self.roll_out(client, &id).await {
                Err(Failure::Client(error)) => {
                    return Err(Failure::Message(format!(
                        "{error}. What was done stays; {AGAIN}"
                    )));
                }
                Err(error) => return Err(error),
                Ok(None) => return Ok(()),
                Ok(Some(keys)) => keys,
            };
            match join(&overtaken, &id, given)? {
                Some(other) => id = other,
                None => return Ok(()),
            }
        }
    }

    /// Adds a key; gives the id of the one that all go on with.
    async fn add(
        &self,
        client: &Client,
        before: &Keys,
        given: Option<&str>,
    ) -> Result<String, Failure> {
        let added = self.patiently(async || client.add_key(self.key.as_ref()).await);
        let keys = added.await?;
        let is_added = |id: &str| !before.keys.iter().any(|key| key.id == id);
        match start(&keys, given).map_err(Failure::Message)? {
            Start::With(id) => {
                let mut new = keys.keys.iter().filter(|key| key.state == "new");
                if given.is_none() && new.any(|key| key.id != id && is_added(&key.id)) {
                    say(format!(
                        "A rotation to key {id} was begun elsewhere at the same time: this one \
                         joins it."
                    ))?;
                }
                Ok(id)
            }
            Start::Fresh => Err(Failure::Message(format!(
                "the new key was not kept, for somebody else changed the keys meanwhile; look with \
                 `muster keys list`, then {AGAIN}"
            ))),
        }
    }

    /// The three steps; gives the keys when another rotation went past this one.
    async fn roll_out(&self, client: &Client, id: &str) -> Result<Option<Keys>, Failure> {
        let keys = match self.wait(client, id, Step::Add, 0).await? {
            Waited::Overtaken(keys) => return Ok(Some(keys)),
            Waited::Done(keys) => keys,
            Waited::Late(who) => {
                return Err(Failure::Message(format!(
                    "not all members have the new key {id}: {}. Nobody seals with it yet, and all \
                     go on with the one before. When they answer, or are removed with `muster \
                     remove NAME`, {AGAIN}",
                    words(&who)
                )));
            }
        };
        let count = keys.members.len();
        say(format!(
            "1/3 added: all {count} members can open with key {id}."
        ))?;
        if keys.keys.first().is_none_or(|key| key.id != id) {
            let used = self.patiently(async || client.use_key(id).await).await;
            if let Err(error) = used {
                // Somebody may have been faster.
                let keys = client.keys().await?;
                let is_over = is_overtaken(&keys, id, Step::Add);
                return is_over.then_some(Some(keys)).ok_or(error.into());
            }
        }
        let keys = match self.wait(client, id, Step::Use, 0).await? {
            Waited::Overtaken(keys) => return Ok(Some(keys)),
            Waited::Done(keys) => keys,
            Waited::Late(who) => {
                return Err(Failure::Message(format!(
                    "not all members seal with the new key {id}: {}. All can open it, and what \
                     they seal with is not removed. When they answer, or are removed with `muster \
                     remove NAME`, {AGAIN}",
                    words(&who)
                )));
            }
        };
        let count = keys.members.len();
        say(format!("2/3 used: all {count} members seal with it."))?;
        self.retire(client, id, keys).await
    }

    async fn retire(
        &self,
        client: &Client,
        id: &str,
        mut keys: Keys,
    ) -> Result<Option<Keys>, Failure> {
        let is_left = |key: &&Key| key.id != id && matches!(&*key.state, "old" | "new");
        let left = keys.keys.iter().filter(is_left);
        let left: Vec<String> = left.map(|key| key.id.clone()).collect();
        for old in &left {
            // Who joined this rotation elsewhere may have done so meanwhile.
            if !keys.keys.iter().any(|key| key.id == *old && is_left(&key)) {
                continue;
            }
            let removed = self.patiently(async || client.remove_key(old, self.grace, false).await);
            keys = match removed.await {
                Ok(keys) => keys,
                Err(error) if is_refused(&error, "no-such-key") => client.keys().await?,
                Err(error) => return Err(error.into()),
            };
        }
        let keys = match self.wait(client, id, Step::Remove, keys.generation).await? {
            Waited::Overtaken(keys) => return Ok(Some(keys)),
            Waited::Done(keys) => keys,
            Waited::Late(who) => {
                return Err(Failure::Message(format!(
                    "all seal with the new key {id}, but not all have heard that the old one goes: \
                     {}. They hear of it when they answer; `muster keys list` shows who has which",
                    words(&who)
                )));
            }
        };
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
        })?;
        Ok(None)
    }

    /// Looks until all have taken a step, another rotation goes past this one, or the time is up.
    async fn wait(
        &self,
        client: &Client,
        id: &str,
        step: Step,
        generation: u64,
    ) -> Result<Waited, Failure> {
        let (begun, mut line) = (Instant::now(), Line::default());
        loop {
            match client.keys().await {
                Ok(keys) => {
                    if is_overtaken(&keys, id, step) {
                        return Ok(Waited::Overtaken(keys));
                    }
                    let is_done = |member: &KeyMember| match step {
                        Step::Add => holds(&keys, id, &member.name),
                        Step::Use => uses(&keys, id, member),
                        Step::Remove => member.generation >= generation,
                    };
                    let who = laggards(&keys, is_done);
                    if who.is_empty() {
                        return Ok(Waited::Done(keys));
                    }
                    if begun.elapsed() >= self.timeout {
                        return Ok(Waited::Late(who));
                    }
                    line.show(&format!("waiting: {}", words(&who)));
                    let may_insist = begun.elapsed() >= YIELD || !is_second(&keys, id);
                    if may_insist && is_split(&keys, is_done) {
                        insist(client, id, step).await?;
                    }
                }
                Err(error) if is_busy(&error) && begun.elapsed() < self.timeout => {}
                Err(error) => return Err(error.into()),
            }
            Timer::after(PAUSE).await;
        }
    }

    /// Makes a change, once no other one is under way at this agent.
    async fn patiently(
        &self,
        change: impl AsyncFn() -> Result<Keys, ClientError>,
    ) -> Result<Keys, ClientError> {
        let begun = Instant::now();
        loop {
            match change().await {
                Err(error) if is_busy(&error) && begun.elapsed() < self.timeout => {
                    Timer::after(PAUSE).await;
                }
                done => return done,
            }
        }
    }
}

/// Says a step again to those whose rings were changed as often in another way. What is refused the
/// next look explains.
async fn insist(client: &Client, id: &str, step: Step) -> Result<(), ClientError> {
    let said = match step {
        Step::Add => client.spread_key(id).await,
        Step::Use => client.use_key(id).await,
        Step::Remove => return Ok(()),
    };
    match said {
        Ok(_) | Err(ClientError::Refused(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// The key of the rotation that went past the one to `id`; `None` when that one is through.
fn join(keys: &Keys, id: &str, given: Option<&str>) -> Result<Option<String>, Failure> {
    let other = match start(keys, None).map_err(Failure::Message)? {
        Start::With(other) => Some(other),
        Start::Fresh => None,
    };
    let primary = keys.keys.first().map_or("", |key| key.id.as_str());
    let to = other.as_deref().unwrap_or(primary);
    if given.is_some() {
        return Err(Failure::Message(format!(
            "a rotation to key {to} was begun elsewhere at the same time, and went past this one \
             to key {id}: finish it with `muster keys rotate` without a file, then run this again"
        )));
    }
    say(match &other {
        Some(_) => format!(
            "A rotation to key {to}, begun elsewhere at the same time, went past this one to key \
             {id}: this one joins it."
        ),
        None => format!(
            "A rotation to key {to}, begun elsewhere at the same time, is through: nothing is left \
             to be done for this one to key {id}."
        ),
    })?;
    Ok(other)
}

/// Another change is under way at this agent: an earlier run that was interrupted, as a rule.
fn is_busy(error: &ClientError) -> bool {
    is_refused(error, "keys-busy")
}

fn is_refused(error: &ClientError, why: &str) -> bool {
    if let ClientError::Refused(problem) = error {
        return problem.kind.strip_prefix("urn:muster:problem:") == Some(why);
    }
    false
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
