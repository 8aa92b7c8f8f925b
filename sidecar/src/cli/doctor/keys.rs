//! The key file: whether it is one, and whether the agent can put another one in its place.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, StatVfsMountFlags, StatxAttributes, StatxFlags, statvfs, statx};

use super::files::rights;
use super::finding::Finding;
use crate::agent::{Clock, KeyFileError, read_keys};

const CHECK: &str = "key-file";

/// Links that are followed from one file to the next.
const LINKS: usize = 8;

/// What a change of keys meets where the file cannot be replaced.
const CONSEQUENCE: &str = "`muster keys rotate` and every change of keys fails here";

/// Where the file is, and who is to replace it: as the agent sees its disks, which a unit or a
/// container may show it otherwise than others.
#[derive(Clone, Debug)]
pub(super) struct Agent {
    root: PathBuf,
    user: u32,
    groups: Vec<u32>,
}

impl Agent {
    /// The agent that runs, if this process may look at it; else this process.
    pub(super) fn of(pid: Option<u32>) -> Agent {
        let found = pid.and_then(|pid| {
            let root = PathBuf::from(format!("/proc/{pid}/root"));
            // Only whoever may look at that process gets beyond.
            fs::metadata(root.join("proc")).ok()?;
            Agent::read(
                root,
                &fs::read_to_string(format!("/proc/{pid}/status")).ok()?,
            )
        });
        found.unwrap_or_else(|| {
            let own = fs::read_to_string("/proc/self/status").unwrap_or_default();
            Agent::read("/".into(), &own).unwrap_or(Agent {
                root: "/".into(),
                user: rustix::process::geteuid().as_raw(),
                groups: vec![rustix::process::getegid().as_raw()],
            })
        })
    }

    /// From proc_pid_status(5): `Uid:` and `Gid:` with the effective one second, `Groups:`.
    fn read(root: PathBuf, status: &str) -> Option<Agent> {
        let numbers = |name: &str| -> Option<Vec<u32>> {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace()
                .map(|word| word.parse().ok())
                .collect()
        };
        let user = *numbers("Uid:")?.get(1)?;
        let mut groups = numbers("Groups:")?;
        groups.push(*numbers("Gid:")?.get(1)?);
        Some(Agent { root, user, groups })
    }

    fn path(&self, path: &Path) -> PathBuf {
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// The file behind the links, not beyond the agent's own root.
    fn followed(&self, path: &Path) -> PathBuf {
        let mut path = path.to_owned();
        for _ in 0..LINKS {
            let Ok(target) = fs::read_link(self.path(&path)) else {
                break;
            };
            path = path.parent().unwrap_or(Path::new("/")).join(target);
        }
        path
    }

    fn may_write(&self, folder: &Metadata) -> bool {
        let mode = folder.mode();
        let wanted = if self.user == folder.uid() {
            0o300
        } else if self.groups.contains(&folder.gid()) {
            0o030
        } else {
            0o003
        };
        self.user == 0 || mode & wanted == wanted
    }
}

/// The key file of an agent that runs, or of one that would; nothing without one.
pub(super) fn look(path: Option<&Path>, agent: &Agent) -> Option<Finding> {
    let path = path?;
    let shown = path.display();
    Some(match read_keys(&agent.path(path), &Clock::start()) {
        Ok(ring) => {
            let found = format!("{shown} is right, its first key is {}", ring.primary());
            replaceable(path, agent, &found)
        }
        Err(KeyFileError::Unreadable { error, .. })
            if error.kind() == io::ErrorKind::PermissionDenied =>
        {
            let found = format!("{shown} cannot be read by this user");
            Finding::warn(CHECK, found, "run this as root or as the agent's user")
        }
        Err(error) => {
            let advice = "correct it: with it no agent starts, and one that runs keeps what it has";
            Finding::fail(CHECK, error.to_string(), advice)
        }
    })
}

/// A change of keys writes a new file beside the old one and gives it its name.
fn replaceable(path: &Path, agent: &Agent, found: &str) -> Finding {
    let file = agent.followed(path);
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    };
    let shown = folder.display();
    let cannot = |why: String, advice: &str| {
        Finding::warn(
            CHECK,
            format!("{found}; but {why}: {CONSEQUENCE}"),
            advice.to_owned(),
        )
    };
    let seen = agent.path(folder);
    let Ok(of_folder) = fs::metadata(&seen) else {
        let why = format!("its folder {shown} cannot be looked at");
        return cannot(why, "run this as root or as the agent's user");
    };
    if is_read_only(&seen) {
        return cannot(
            format!("its folder {shown} is read-only for the agent"),
            "name a file in a folder that the agent may write (with the unit of systemd below \
             /var/lib/muster); a secret that Kubernetes mounts is changed by writing the secret \
             and, once it has come to all members, having them read it (kill -HUP): first with the \
             new key as the second one, then as the first one",
        );
    }
    if is_mounted(&agent.path(&file)) {
        return cannot(
            "it is mounted by itself, and what is mounted cannot be replaced".to_owned(),
            "mount its folder in the place of the file",
        );
    }
    if !agent.may_write(&of_folder) {
        return cannot(
            format!(
                "the agent, user {}, may not write its folder {shown} ({})",
                agent.user,
                rights(&of_folder)
            ),
            "give the folder to the agent's user (chown), or name a file in one that is its own",
        );
    }
    Finding::ok(CHECK, format!("{found}; it can be replaced"))
}

fn is_read_only(folder: &Path) -> bool {
    statvfs(folder).is_ok_and(|found| found.f_flag.contains(StatVfsMountFlags::RDONLY))
}

fn is_mounted(file: &Path) -> bool {
    let found = statx(CWD, file, AtFlags::empty(), StatxFlags::BASIC_STATS);
    found.is_ok_and(|found| found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

#[cfg(test)]
mod tests;
