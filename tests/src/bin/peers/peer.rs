//! The programs that are compared: how a member is started and what its log says.

use std::env;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use muster_tests::{Loopback, muster_binary};

const KINSHIP_AGENT: &str = include_str!("kinship_agent.py");

/// A program that keeps track of members.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Peer {
    Muster,
    Serf,
    Kinship,
    Foca,
}

/// What a member says of another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It is there.
    Known,
    /// It is a member, as all agree; a peer without agreement says both at once.
    Agreed,
    /// It does not answer, as this member believes.
    Hint,
    /// It is dead; a peer without agreement says both at once.
    Dead,
}

impl Peer {
    pub(crate) const ALL: [Peer; 4] = [Peer::Muster, Peer::Serf, Peer::Kinship, Peer::Foca];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Peer::Muster => "muster",
            Peer::Serf => "serf",
            Peer::Kinship => "kinship",
            Peer::Foca => "foca",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Peer> {
        Peer::ALL.into_iter().find(|peer| peer.name() == name)
    }

    /// What runs, and in which version, or why it cannot.
    pub(crate) fn version(self) -> Result<String, String> {
        let (program, arguments): (PathBuf, &[&str]) = match self {
            Peer::Muster => (muster_binary(), &["--version"]),
            Peer::Serf => ("serf".into(), &["version"]),
            Peer::Kinship => (
                variable("KINSHIP_PYTHON")?,
                &["-c", "import kinship; print(kinship.__version__)"],
            ),
            Peer::Foca => {
                let path = variable("FOCA_AGENT")?;
                return match path.is_file() {
                    true => Ok("1.0, over UDP by an agent of the tests".to_owned()),
                    false => Err(format!(
                        "{} is missing: build muster-benches",
                        path.display()
                    )),
                };
            }
        };
        let failed = |why: String| format!("{} cannot be run: {why}", program.display());
        let output = Command::new(&program).args(arguments).output();
        let output = output.map_err(|error| failed(error.to_string()))?;
        if !output.status.success() {
            return Err(failed(output.status.to_string()));
        }
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let line = text.lines().next().unwrap_or_default();
        Ok(line.trim_start_matches("muster ").to_owned())
    }

    /// The command of a member of a cluster of so many; the first one is everybody's seed.
    pub(crate) fn command(
        self,
        network: &Loopback,
        member: usize,
        members: usize,
        folder: &Path,
    ) -> Command {
        let mut command = network.command(member);
        let name = format!("n{member}");
        let bind = format!("{}:7946", Loopback::address(member));
        let seed = format!("{}:7946", Loopback::address(1));
        match self {
            Peer::Muster => {
                command.arg(muster_binary()).arg("agent");
                command.args(["--name", &name, "--bind", &bind, "--join", &seed]);
                command.arg("--socket").arg(socket(folder, member));
                command
                    .arg("--data-dir")
                    .arg(folder.join(format!("{name}.data")));
                let keys = folder.join(format!("{name}.keys"));
                muster_tests::keys::write(&keys);
                let owner = Some(Loopback::user(member));
                std::os::unix::fs::chown(&keys, owner, None).expect("root may");
                command.arg("--key-file").arg(keys);
            }
            Peer::Serf => {
                let rpc = format!("{}:7373", Loopback::address(member));
                command.args(["serf", "agent", "-node", &name, "-bind", &bind]);
                command.args(["-rpc-addr", &rpc]);
                // Its own pause before another try is half a minute: too long for a crowd's start.
                command.args(["-retry-join", &seed, "-retry-interval", "1s"]);
            }
            Peer::Kinship => {
                let script = folder.join("kinship_agent.py");
                // Once: a member that starts while it is written would run a part of it.
                if member == 1 {
                    fs::write(&script, KINSHIP_AGENT).expect("the run's folder can be written");
                }
                command.arg(variable("KINSHIP_PYTHON").expect("asked for before the run"));
                command.arg(script).args([&name, &bind, &seed]);
            }
            Peer::Foca => {
                command.arg(variable("FOCA_AGENT").expect("asked for before the run"));
                command.args([&name, &bind, &seed, &members.to_string()]);
            }
        }
        command
    }

    /// What a line of its log says, of whom, and in which view, where there are views.
    pub(crate) fn read(self, line: &str) -> Option<(&'static [Kind], usize, Option<u64>)> {
        let (kind, name) = match self {
            Peer::Serf => {
                let (_, event) = line.split_once("serf: Event")?;
                let (kind, rest) = event.split_once(": ")?;
                (kind, rest.split_whitespace().next()?)
            }
            Peer::Muster | Peer::Kinship | Peer::Foca => {
                let (before, after) = line.split_once(" member=")?;
                let name = after.split_whitespace().next()?;
                (before.rsplit(' ').next()?, name)
            }
        };
        let kinds: &[Kind] = match (self, kind) {
            (Peer::Muster, "member-reachable") => &[Kind::Known],
            (Peer::Muster, "member-up") => &[Kind::Agreed],
            (Peer::Muster, "member-unreachable") => &[Kind::Hint],
            (Peer::Muster, "member-dead") => &[Kind::Dead],
            (Peer::Serf, "MemberJoin")
            | (Peer::Kinship, "member-joined")
            | (Peer::Foca, "member-up") => &[Kind::Known, Kind::Agreed],
            (Peer::Serf, "MemberFailed") | (Peer::Kinship | Peer::Foca, "member-down") => {
                &[Kind::Hint, Kind::Dead]
            }
            _ => return None,
        };
        let number = name.trim_matches('"').strip_prefix('n')?.parse().ok()?;
        let view = line.split_once(" view=").map(|(_, after)| after);
        let view = view.and_then(|view| view.split_whitespace().next()?.parse().ok());
        Some((kinds, number, view))
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Where a member of Muster listens for local clients.
pub(crate) fn socket(folder: &Path, member: usize) -> PathBuf {
    folder.join(format!("n{member}.sock"))
}

fn variable(name: &str) -> Result<PathBuf, String> {
    let path = env::var_os(name).map(PathBuf::from);
    path.ok_or_else(|| format!("{name} is not set: run tests/peers"))
}

#[cfg(test)]
mod tests {
    use super::{Kind, Peer};

    #[test]
    fn lines_of_all_logs_are_understood() {
        let muster = "2026-01-02T03:04:05.678Z INFO member-dead member=n3 view=7 epoch=1";
        let serf = "    2026/01/02 03:04:05 [INFO] serf: EventMemberFailed: n12 127.1.0.12";
        let read = |peer: Peer, line| peer.read(line);
        assert_eq!(
            read(Peer::Muster, muster),
            Some((&[Kind::Dead][..], 3, Some(7)))
        );
        let gone = &[Kind::Hint, Kind::Dead][..];
        assert_eq!(read(Peer::Serf, serf), Some((gone, 12, None)));
        for peer in [Peer::Kinship, Peer::Foca] {
            assert_eq!(read(peer, "member-down member=n4"), Some((gone, 4, None)));
        }
        assert_eq!(read(Peer::Kinship, "member-suspect member=n4"), None);
        assert_eq!(read(Peer::Muster, "TIME INFO listening addr=1"), None);
    }
}
