//! Who may change things: decided by the credentials that the kernel keeps of a connection.

use std::fmt;
use std::fs;
use std::io;
use std::os::fd::AsFd;

use nix::sys::socket::{getsockopt, sockopt};

/// Who may use the local socket. Both reading and changing need access to its file; changing needs
/// the agent's user, root or an entry of the allow-list, reading an entry of another one if it has
/// any. Whoever may change may read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Permission bits of the socket file, as in `0o660`.
    pub mode: u32,
    /// Group of the socket file, by name or number; else the one that new files get.
    pub group: Option<String>,
    /// Users that may read, by name or number. Without any, and without `read_groups`: everybody.
    pub read_users: Vec<String>,
    /// Groups whose members may read, by name or number.
    pub read_groups: Vec<String>,
    /// Users that may change things beside root and the agent's own, by name or number.
    pub allow_users: Vec<String>,
    /// Groups whose members may change things, by name or number.
    pub allow_groups: Vec<String>,
}

impl Default for Access {
    fn default() -> Access {
        Access {
            mode: 0o660,
            group: None,
            read_users: Vec::new(),
            read_groups: Vec::new(),
            allow_users: Vec::new(),
            allow_groups: Vec::new(),
        }
    }
}

/// A name that neither is a number nor stands in the list of users or groups.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no {kind} {name:?} in {file}: correct the name, or give the number")]
pub struct UnknownName {
    kind: &'static str,
    name: String,
    file: &'static str,
}

impl Access {
    /// Whether every name in the lists is known, so that a typing error shows at the start.
    pub(super) fn check(&self) -> Result<(), UnknownName> {
        self.allow_users
            .iter()
            .chain(&self.read_users)
            .try_for_each(|user| user_id(user).map(drop))?;
        self.allow_groups
            .iter()
            .chain(&self.read_groups)
            .chain(&self.group)
            .try_for_each(|group| group_id(group).map(drop))
    }

    /// Whether the process at the other end may read.
    pub(super) fn may_read(&self, peer: &Peer) -> bool {
        let open = self.read_users.is_empty() && self.read_groups.is_empty();
        open || self.may_change(peer) || peer.is_among(&self.read_users, &self.read_groups)
    }

    /// Whether the process at the other end may change things.
    pub(super) fn may_change(&self, peer: &Peer) -> bool {
        let own = rustix::process::geteuid().as_raw();
        let always = peer.uid == 0 || peer.uid == own;
        always || peer.is_among(&self.allow_users, &self.allow_groups)
    }
}

/// The process at the other end of a connection, as it was when it connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Peer {
    /// 0 when it lives where this process cannot see it: in another PID namespace.
    pub(super) pid: i32,
    pub(super) uid: u32,
    pub(super) gid: u32,
}

impl Peer {
    /// Asks the kernel (SO_PEERCRED). By way of `nix`, since `rustix` takes the process id for
    /// non-zero and reports an error without one for a peer in another container.
    pub(super) fn of(socket: &impl AsFd) -> io::Result<Peer> {
        let credentials = getsockopt(&socket.as_fd(), sockopt::PeerCredentials)?;
        Ok(Peer {
            pid: credentials.pid(),
            uid: credentials.uid(),
            gid: credentials.gid(),
        })
    }

    /// Whether it is one of these users or in one of these groups. Names are looked up each time: a
    /// user added meanwhile counts.
    fn is_among(&self, users: &[String], groups: &[String]) -> bool {
        users.iter().any(|user| user_id(user) == Ok(self.uid))
            || groups
                .iter()
                .filter_map(|group| group_id(group).ok())
                .any(|group| self.gid == group || self.groups().contains(&group))
    }

    /// The name of the program, while the process lives and can be seen.
    pub(super) fn command(&self) -> Option<String> {
        let name = fs::read_to_string(format!("/proc/{}/comm", self.pid)).ok()?;
        (self.pid > 0).then(|| name.trim_end().to_owned())
    }

    /// Its supplementary groups; none when it ended or cannot be seen.
    fn groups(&self) -> Vec<u32> {
        if self.pid <= 0 {
            return Vec::new();
        }
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap_or_default();
        groups_in(&status, self.uid).unwrap_or_default()
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "user {}, group {}", self.uid, self.gid)?;
        match self.command() {
            Some(command) => write!(formatter, ", process {} ({command:?})", self.pid),
            None if self.pid > 0 => write!(formatter, ", process {}", self.pid),
            None => formatter.write_str(", a process in another PID namespace"),
        }
    }
}

/// The groups in `/proc/PID/status`, if the process there still is one of user `uid`: the number
/// may have passed to another process since the connection was made.
fn groups_in(status: &str, uid: u32) -> Option<Vec<u32>> {
    let numbers = |key: &str| -> Option<Vec<u32>> {
        let line = status.lines().find_map(|line| line.strip_prefix(key))?;
        line.split_whitespace()
            .map(|word| word.parse().ok())
            .collect()
    };
    numbers("Uid:")?
        .contains(&uid)
        .then(|| numbers("Groups:"))?
}

/// Whether there is such a user; every number counts as one.
pub(crate) fn is_user(user: &str) -> bool {
    user_id(user).is_ok()
}

/// Whether there is such a group; every number counts as one.
pub(crate) fn is_group(group: &str) -> bool {
    group_id(group).is_ok()
}

/// The number of a user given by name or number.
fn user_id(user: &str) -> Result<u32, UnknownName> {
    id_in("user", user, "/etc/passwd")
}

/// The number of a group given by name or number.
pub(super) fn group_id(group: &str) -> Result<u32, UnknownName> {
    id_in("group", group, "/etc/group")
}

fn id_in(kind: &'static str, name: &str, file: &'static str) -> Result<u32, UnknownName> {
    if let Ok(number) = name.parse() {
        return Ok(number);
    }
    let list = fs::read_to_string(file).unwrap_or_default();
    id_of(name, &list).ok_or_else(|| UnknownName {
        kind,
        name: name.to_owned(),
        file,
    })
}

/// The third field of the line whose first field is `name`: so in both files.
fn id_of(name: &str, list: &str) -> Option<u32> {
    list.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == name).then(|| fields.nth(1)?.parse().ok())?
    })
}

#[cfg(test)]
mod tests;
