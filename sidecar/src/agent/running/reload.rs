//! What changes while the agent runs: settings that are read again, keys that are written.

use muster_swim::{KeyTicket, Keyring, Plaintext, Time};

use super::super::keys::{self, Keep};
use super::Running;
use crate::settings::SettingsError;

impl Running {
    /// Takes log level, tags and keys from their files. A file with a mistake changes nothing.
    pub(super) fn reload(&mut self, now: Time) {
        let reloaded = match self.current.reload() {
            Ok(reloaded) => reloaded,
            Err(SettingsError(problems)) => {
                for problem in problems {
                    tracing::error!(%problem, "settings-refused");
                }
                return;
            }
        };
        let path = reloaded.key_file.as_deref();
        let ring = path.map(|path| keys::read(path, self.handle.clock()));
        let ring = match ring.transpose() {
            Ok(ring) => ring,
            Err(error) => return tracing::error!(problem = %error, "settings-refused"),
        };
        let tags = self.handle.read(|node| node.identity().tags.clone());
        match reloaded.changed_tags(&self.current, &tags) {
            Ok(changed) if changed != tags => {
                self.handle.change(|node| node.set_tags(changed, now));
                self.drain_once();
            }
            Ok(_) => {}
            Err(error) => return tracing::error!(problem = %error, "settings-refused"),
        }
        self.take_keys(ring, reloaded.plaintext.unwrap_or_default(), now);
        if let Some(log) = &self.log {
            log.set_level(reloaded.log_level);
        }
        tracing::info!(log_level = %reloaded.log_level, "settings-reloaded");
        let waiting = self.at_start.waiting_for_restart(&reloaded);
        if !waiting.is_empty() {
            tracing::warn!(settings = waiting.join(","), "restart-needed");
        }
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
        };
        // Its task lives as long as the loop, and the core has few of them under way.
        let _ = self.keeper.try_send(keep);
    }
}
