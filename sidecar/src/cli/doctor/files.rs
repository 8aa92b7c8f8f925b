//! The local socket and the file of settings: who may use and change them.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use super::finding::Finding;
use crate::settings::{Flags, Settings, SettingsError};

const WRITE_OF_OTHERS: u32 = 0o002;
const WRITE_OF_GROUP: u32 = 0o020;
const STICKY: u32 = 0o1000;

/// The local socket, which an agent serves or would make.
pub(super) fn socket(path: &Path, is_served: bool) -> Finding {
    let shown = path.display();
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    };
    let of_folder = match fs::metadata(folder) {
        Ok(found) => found,
        Err(error) => {
            let found = format!("{shown}: its folder cannot be looked at: {error}");
            let advice = format!(
                "make {} for the agent's user, or see --socket",
                folder.display()
            );
            return Finding::warn("socket", found, advice);
        }
    };
    let file = match fs::symlink_metadata(path) {
        Ok(file) => Some(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => {
            let found = format!("{shown} cannot be looked at: {error}");
            return Finding::warn("socket", found, "run this as root or as the agent's user");
        }
    };
    if let Some(finding) = folder_open_to_others(folder, &of_folder, file.as_ref()) {
        return finding;
    }
    let Some(file) = file else {
        let found = format!(
            "{shown} is not there; its folder is: {}",
            rights(&of_folder)
        );
        return Finding::ok("socket", found);
    };
    if !file.file_type().is_socket() {
        let found = format!("{shown} is no socket");
        return Finding::fail(
            "socket",
            found,
            "move it away, or choose another path (--socket)",
        );
    }
    let found = format!("{shown}: {}", rights(&file));
    if !is_served {
        let found = format!("{found}; the agent that made it no longer runs");
        return Finding::ok("socket", found);
    }
    match file.mode() & 0o006 {
        0 => Finding::ok("socket", found),
        _ => Finding::warn(
            "socket",
            format!("{found}: every user of this host may read"),
            "if that is not meant: --socket-mode 0660, with --socket-group for those who may",
        ),
    }
}

/// Whoever may write to the folder may put another socket in the place of the agent's.
fn folder_open_to_others(
    folder: &Path,
    found: &Metadata,
    socket: Option<&Metadata>,
) -> Option<Finding> {
    let (shown, mode) = (folder.display(), found.mode());
    let is_sticky = mode & STICKY != 0;
    let text = format!("its folder {shown} is open: {}", rights(found));
    let takes = "and may put a socket of their own in the place of the agent's";
    if mode & WRITE_OF_OTHERS != 0 && !is_sticky {
        let found = format!("{text}; all users may write there {takes}");
        let advice = format!("chmod o-w {shown}");
        return Some(Finding::fail("socket", found, advice));
    }
    if mode & WRITE_OF_GROUP != 0 && !is_sticky && found.gid() != 0 {
        let found = format!(
            "{text}; the members of group {} may write there {takes}",
            found.gid()
        );
        let advice = format!("chmod g-w {shown}, unless all of that group are to be trusted");
        return Some(Finding::warn("socket", found, advice));
    }
    let owners = [Some(0), socket.map(MetadataExt::uid)];
    if socket.is_some() && !owners.contains(&Some(found.uid())) {
        let found = format!(
            "{text}; it belongs to user {}, who may {takes}",
            found.uid()
        );
        let advice = format!("give {shown} to the agent's user or to root (chown)");
        return Some(Finding::warn("socket", found, advice));
    }
    None
}

/// `mode 0660, user 0, group 0`.
pub(super) fn rights(found: &Metadata) -> String {
    format!(
        "mode {:04o}, user {}, group {}",
        found.mode() & 0o7777,
        found.uid(),
        found.gid()
    )
}

/// All that is wrong with settings, in one line.
pub(super) fn problems(error: &SettingsError) -> String {
    let each: Vec<String> = error.0.iter().map(ToString::to_string).collect();
    each.join("; ").replace('\n', " ")
}

/// The file of settings, if there is one.
pub(super) fn config(path: Option<&Path>) -> Finding {
    let Some(path) = path else {
        return Finding::ok("config", "no file of settings (--config, MUSTER_CONFIG)");
    };
    let shown = path.display();
    let opened = fs::File::open(path);
    if opened.is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied) {
        let found = format!("{shown} cannot be read by this user");
        let advice = "run this as the agent's user: if it fails then too, let that user read it";
        return Finding::warn("config", found, advice);
    }
    let read = Settings::load_with(Flags::of_file(path.to_owned()), |_| None);
    if let Err(error) = read {
        let advice = "correct the file: with it no agent starts";
        return Finding::fail("config", problems(&error), advice);
    }
    match fs::metadata(path) {
        Ok(found) if found.mode() & WRITE_OF_OTHERS != 0 => Finding::warn(
            "config",
            format!("{shown}: all users may change it ({})", rights(&found)),
            format!("chmod o-w {shown}"),
        ),
        Ok(_) | Err(_) => Finding::ok("config", format!("{shown} can be read and is right")),
    }
}

#[cfg(test)]
mod tests;
