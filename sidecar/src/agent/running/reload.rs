//! What changes while the agent runs: settings that are read again, keys that are written.

use muster_swim::{KeyTicket, Keyring, Plaintext, Time};

use super::super::keys::{self, Errand, Keep, Keeper, KeyFileError, Taken};
use super::super::places;
use super::Running;
use crate::settings::{Settings, SettingsError};

/// How far the settings are on their way.
pub(super) struct Reload {
    /// The reading of the key file from which the node has its keys.
    reading: u64,
    /// The key file is being read.
    is_under_way: bool,
    /// It was asked for once more meanwhile.
    is_due: bool,
}

impl Reload {
    /// None is under way, and the node has what the keeper has read.
    pub(super) fn new(keeper: &Keeper) -> Reload {
        Reload {
            reading: keeper.reading(),
            is_under_way: false,
            is_due: false,
        }
    }
}

impl Running {
    /// Reads the settings again, and has the key file read beside the loop: its disk may be dead.
    pub(super) fn reload(&mut self) {
        if self.reload.is_under_way {
            self.reload.is_due = true;
            return tracing::warn!(
                consequence = "the settings are read again when the reload before this one is done",
                advice = "if that is not soon: does the disk of the key file answer?",
                "reload-under-way"
            );
        }
        let reloaded = match self.current.reload() {
            Ok(reloaded) => reloaded,
            Err(SettingsError(problems)) => {
                for problem in problems {
                    tracing::error!(%problem, "settings-refused");
                }
                return;
            }
        };
        self.reload.is_under_way = true;
        // Its task lives as long as the loop.
        let _ = self.keeper.try_send(Errand::Load(Box::new(reloaded)));
    }

    /// The key file was read too.
    pub(super) fn on_loaded(
        &mut self,
        settings: Settings,
        taken: Result<Taken, KeyFileError>,
        now: Time,
    ) {
        self.reload.is_under_way = false;
        match taken {
            Ok(taken) => self.take(settings, taken, now),
            Err(error) => tracing::error!(problem = %error, "settings-refused"),
        }
        if std::mem::take(&mut self.reload.is_due) {
            self.reload();
        }
    }

    /// Takes log level, tags and keys from their files. A file with a mistake changes nothing.
    fn take(&mut self, reloaded: Settings, Taken { ring, reading }: Taken, now: Time) {
        let tags = self.handle.read(|node| node.identity().tags.clone());
        match reloaded.changed_tags(&self.current, &tags) {
            Ok(changed) if changed != tags => {
                self.handle.change(|node| node.set_tags(changed, now));
                self.drain_once();
            }
            Ok(_) => {}
            Err(error) => return tracing::error!(problem = %error, "settings-refused"),
        }
        self.reload.reading = reading;
        self.take_keys(ring, reloaded.plaintext.unwrap_or_default(), now);
        if let Some(log) = &self.log {
            log.set_level(reloaded.log_level);
        }
        tracing::info!(log_level = %reloaded.log_level, "settings-reloaded");
        let waiting = self.at_start.waiting_for_restart(&reloaded);
        if !waiting.is_empty() {
            tracing::warn!(settings = waiting.join(","), "restart-needed");
        }
        // Of what is told of places only that of the keys can have changed.
        let key_file = places(&reloaded).key_file;
        self.handle.show_key_file(key_file);
        self.current = reloaded;
    }

    fn take_keys(&mut self, ring: Option<Keyring>, plaintext: Plaintext, now: Time) {
        if let Some(ring) = &ring {
            tracing::info!(primary = %ring.primary(), ?plaintext, "keys-loaded");
        }
        self.handle
            .change(|node| node.set_keys(ring, plaintext, now));
    }

    /// Has the key file written beside the loop, one ring after the other.
    pub(super) fn keep_keys(&mut self, ticket: KeyTicket, ring: &Keyring) {
        let keep = Keep {
            ticket,
            path: self.current.key_file.clone(),
            text: keys::render(ring, self.handle.clock()),
            generation: ring.generation(),
            primary: ring.primary(),
            reading: self.reload.reading,
        };
        // Its task lives as long as the loop, and the core has few of them under way.
        let _ = self.keeper.try_send(Errand::Keep(keep));
    }
}
