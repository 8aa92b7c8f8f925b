//! Who reads and writes the key file beside the loop, one thing after the other: so neither a disk
//! that does not answer nor a reload in the middle of a change stops or confuses it.

use std::path::{Path, PathBuf};

use muster_swim::{KeyId, KeyTicket, Keyring, limits};
use smol::LocalExecutor;
use smol::channel::{Sender, unbounded};
use zeroize::Zeroizing;

use super::file::{clear_up, contents, replace};
use super::{KeyFileError, Parsed, parse};
use crate::agent::Clock;
use crate::agent::input::Input;
use crate::settings::Settings;

/// What is to be done with the key file.
pub(in crate::agent) enum Errand {
    /// The ring goes into the file.
    Keep(Keep),
    /// These settings are to be taken, with the ring of their key file.
    Load(Box<Settings>),
}

/// A ring on its way to its file.
pub(in crate::agent) struct Keep {
    pub(in crate::agent) ticket: KeyTicket,
    pub(in crate::agent) path: Option<PathBuf>,
    pub(in crate::agent) text: Zeroizing<String>,
    pub(in crate::agent) generation: u64,
    pub(in crate::agent) primary: KeyId,
    /// Which reading of the file the ring goes back to.
    pub(in crate::agent) reading: u64,
}

/// What was read.
#[derive(Debug)]
pub(in crate::agent) struct Taken {
    /// None without a key file.
    pub(in crate::agent) ring: Option<Keyring>,
    /// Counts how often something else stood in the file than the agent had written or read.
    pub(in crate::agent) reading: u64,
}

/// What was last read from the file, or written.
#[derive(Default)]
pub(in crate::agent) struct Keeper {
    known: Option<(PathBuf, Zeroizing<String>)>,
    reading: u64,
}

/// Why a ring was not written.
#[derive(Debug, thiserror::Error)]
enum NotKept {
    #[error("it was changed by somebody else and has not been read since")]
    Edited,
    #[error(transparent)]
    Unreadable(#[from] KeyFileError),
    #[error(transparent)]
    Unwritable(#[from] std::io::Error),
}

impl Keeper {
    /// Reads the ring of a key file, if there is one. Blocks.
    pub(in crate::agent) fn load(
        &mut self,
        path: Option<&Path>,
        clock: &Clock,
    ) -> Result<Taken, KeyFileError> {
        let Some(path) = path else {
            self.learn(None);
            let reading = self.reading;
            return Ok(Taken {
                ring: None,
                reading,
            });
        };
        clear_up(path);
        let text = contents(path)?;
        let Parsed { ring, generation } = parse(path, &text, clock)?;
        if generation > limits::KEY_CHANGES_AHEAD {
            tracing::warn!(
                path = %path.display(),
                generation,
                consequence = "no ring is changed so often: members whose own counts far less take \
                               none of the keys of this one",
                advice = "put the number of the other members behind `# generation` in the file \
                          (`muster keys list --output json` there), and have it read again \
                          (kill -HUP)",
                "key-file-doubtful"
            );
        }
        self.learn(Some((path.into(), text)));
        Ok(Taken {
            ring: Some(ring),
            reading: self.reading,
        })
    }

    /// How often something else was read than before.
    pub(in crate::agent) fn reading(&self) -> u64 {
        self.reading
    }

    fn learn(&mut self, found: Option<(PathBuf, Zeroizing<String>)>) {
        if self.known != found {
            self.known = found;
            self.reading += 1;
        }
    }

    /// Writes a ring, unless it would take away what somebody else wrote. Blocks.
    fn keep(&mut self, keep: &Keep) -> Result<(), NotKept> {
        let Some(path) = &keep.path else {
            return Ok(());
        };
        let known = self.known.as_ref().filter(|(of, _)| of == path);
        let (Some((_, known)), true) = (known, keep.reading == self.reading) else {
            // It was read again after the ring was made.
            return Err(NotKept::Edited);
        };
        match contents(path) {
            // Another agent that has the same file may have kept the same.
            Ok(found) if found != *known && !says_the_same(&found, &keep.text) => {
                return Err(NotKept::Edited);
            }
            Ok(_) => {}
            // Whoever took it away gets it back, whole.
            Err(error) if error.is_missing() => {}
            Err(error) => return Err(error.into()),
        }
        replace(path, &keep.text)?;
        self.known = Some((path.clone(), keep.text.clone()));
        Ok(())
    }

    /// Starts what runs errands, one after the other: the last ring is what stands in the file.
    pub(in crate::agent) fn start(
        self,
        executor: &LocalExecutor<'static>,
        inputs: Sender<Input>,
        clock: &Clock,
    ) -> Sender<Errand> {
        let (sender, errands) = unbounded::<Errand>();
        let (mut keeper, clock) = (self, clock.clone());
        let work = async move {
            while let Ok(errand) = errands.recv().await {
                let clock = clock.clone();
                let done = smol::unblock(move || {
                    let input = keeper.run(errand, &clock);
                    (keeper, input)
                });
                let input;
                (keeper, input) = done.await;
                let _ = inputs.send(input).await;
            }
        };
        executor.spawn(work).detach();
        sender
    }

    fn run(&mut self, errand: Errand, clock: &Clock) -> Input {
        match errand {
            Errand::Keep(keep) => {
                let done = self.keep(&keep);
                let is_kept = done.is_ok();
                tell(&keep, done);
                Input::KeysKept(keep.ticket, is_kept)
            }
            Errand::Load(settings) => {
                let taken = self.load(settings.key_file.as_deref(), clock);
                Input::Loaded(settings, taken)
            }
        }
    }
}

fn tell(keep: &Keep, done: Result<(), NotKept>) {
    let Some(path) = &keep.path else {
        return;
    };
    let (path, generation, primary) = (path.display(), keep.generation, keep.primary);
    let error = match done {
        Ok(()) => return tracing::info!(%path, generation, %primary, "keys-kept"),
        Err(error) => error,
    };
    let advice = match &error {
        NotKept::Edited => {
            "have the agent read the file (kill -HUP), then make the change again; nothing of what \
             stands in the file was overwritten"
        }
        NotKept::Unreadable(_) => "correct the file and have the agent read it (kill -HUP)",
        NotKept::Unwritable(_) => {
            "let this agent write the file and its folder; a file that is mounted by itself cannot \
             be replaced: mount its folder. `muster doctor` says more"
        }
    };
    tracing::error!(
        %path,
        %error,
        consequence = "this member goes on with the keys that it had and tells so",
        advice,
        "keys-not-kept"
    );
}

/// Whether two key files name the same keys and generation; each agent counts by its own clock
/// until when a key opens.
fn says_the_same(one: &str, other: &str) -> bool {
    fn words(line: &str) -> impl Iterator<Item = &str> {
        let words = line.split_whitespace();
        words.filter(|word| !word.starts_with("until="))
    }
    let mut pairs = one.lines().zip(other.lines());
    one.lines().count() == other.lines().count()
        && pairs.all(|(one, other)| words(one).eq(words(other)))
}

#[cfg(test)]
mod tests;
