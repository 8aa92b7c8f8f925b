//! What changes while the agent runs: settings that are read again, keys that are written.

use muster_swim::{KeyTicket, Keyring, Time};

use super::super::input::Input;
use super::super::{KeyFileError, keys};
use super::Running;
use crate::settings::{Settings, SettingsError};

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
        let tags = self.handle.read(|node| node.identity().tags.clone());
        match reloaded.changed_tags(&self.current, &tags) {
            Ok(changed) if changed != tags => {
                self.handle.change(|node| node.set_tags(changed, now));
                self.drain_once();
            }
            Ok(_) => {}
            Err(error) => return tracing::error!(problem = %error, "settings-refused"),
        }
        if let Err(error) = self.reload_keys(&reloaded, now) {
            return tracing::error!(problem = %error, "settings-refused");
        }
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

    /// Takes the keys of the file, which may have been changed by hand.
    fn reload_keys(&mut self, reloaded: &Settings, now: Time) -> Result<(), KeyFileError> {
        let path = reloaded.key_file.as_deref();
        let read = path.map(|path| keys::read(path, self.handle.clock()));
        let ring = read.transpose()?;
        let plaintext = reloaded.plaintext.unwrap_or_default();
        let primary = ring.as_ref().map(|ring| ring.primary().to_string());
        self.handle
            .change(|node| node.set_keys(ring, plaintext, now));
        if let Some(primary) = primary {
            tracing::info!(primary, ?plaintext, "keys-loaded");
        }
        Ok(())
    }

    /// Writes the key file beside the loop.
    pub(super) fn keep_keys(&mut self, ticket: KeyTicket, ring: &Keyring) {
        let path = self.current.key_file.clone();
        let text = keys::render(ring, self.handle.clock());
        let inputs = self.sender.clone();
        let keep = async move {
            let kept = match path {
                Some(path) => smol::unblock(move || keys::replace(&path, &text)).await,
                None => Ok(()),
            };
            let kept = kept.map_err(|error| error.to_string());
            let _ = inputs.send(Input::KeysKept(ticket, kept)).await;
        };
        self.executor.spawn(keep).detach();
    }
}
