//! One namespace in which all members live, each on a loopback address of its own.
//!
//! Whatever they send passes one interface, whose counters see each packet once. Members are told
//! apart by user id as well: a connection that a program opens without naming its own address comes
//! from that user's, so a rule against a member meets its streams too.

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::process::Command;

use tempfile::TempDir;

use crate::network::{Cut, feed};
use crate::sweep;

/// User ids of members count up from here.
const FIRST_USER: usize = 20_000;

/// Routing tables of members count up from here.
const FIRST_TABLE: usize = 1_000;

/// A namespace with a loopback interface and nothing else. Removed when dropped, with all that runs
/// in it.
#[derive(Debug)]
pub struct Loopback {
    namespace: String,
}

impl Loopback {
    /// A namespace for that many members, 1 to 250, numbered from 1.
    ///
    /// Panics without the rights of root.
    pub fn new(members: usize) -> Loopback {
        assert!((1..=250).contains(&members), "1 to 250 members");
        assert!(
            rustix::process::geteuid().is_root(),
            "network namespaces need root: run this as root"
        );
        sweep::sweep();
        let namespace = sweep::owned("loopback");
        let add = format!("netns add {namespace}\n");
        feed(Command::new("ip").args(["-batch", "-"]), &add);
        let network = Loopback { namespace };
        // The table of local addresses is asked last: it would name 127.0.0.1 as everybody's own.
        let mut script = String::from(
            "link set lo up\nrule add pref 30000 lookup local\nrule del pref 0 lookup local\n",
        );
        for member in 1..=members {
            let (user, table) = (FIRST_USER + member, FIRST_TABLE + member);
            let own = Self::address(member);
            let _ = writeln!(
                script,
                "rule add pref 100 uidrange {user}-{user} lookup {table}\n\
                 route add local 127.0.0.0/8 dev lo src {own} table {table}"
            );
        }
        feed(
            Command::new("ip").args(["-n", &network.namespace, "-batch", "-"]),
            &script,
        );
        network
    }

    /// A folder for what its members keep; a later run removes it when this one is killed.
    pub fn folder(&self) -> TempDir {
        let prefix = sweep::owned("run-");
        let folder = tempfile::Builder::new().prefix(&prefix).tempdir();
        folder.expect("the temporary folder can be written")
    }

    /// The address of a member.
    pub fn address(member: usize) -> Ipv4Addr {
        Ipv4Addr::new(
            127,
            1,
            0,
            u8::try_from(member).expect("at most 250 members"),
        )
    }

    /// The user that a member runs as.
    pub fn user(member: usize) -> u32 {
        u32::try_from(FIRST_USER + member).expect("at most 250 members")
    }

    /// A command that will run as that member, ends with this thread, and may read all files.
    pub fn command(&self, member: usize) -> Command {
        let mut command = Command::new("ip");
        command
            .args(["netns", "exec", &self.namespace, "setpriv", "--reuid"])
            .arg(Self::user(member).to_string())
            .args(["--clear-groups", "--pdeathsig", "KILL"])
            .args([
                "--inh-caps=+dac_override",
                "--ambient-caps=+dac_override",
                "--",
            ]);
        command
    }

    /// Replaces the faults by these. Packets vanish after they were sent: nobody is told.
    pub fn impose(&self, cuts: &[Cut]) {
        let rules: String = cuts.iter().map(|cut| cut.rules(from, to)).collect();
        let chain = "type filter hook prerouting priority 0; policy accept;";
        let script = format!(
            "flush ruleset\ntable ip faults {{\n chain arriving {{\n {chain}\n{rules} }}\n}}\n"
        );
        self.load(&script);
    }

    /// Loses so many percent of what these members send.
    pub fn lose_outgoing(&self, percent: u8, members: &[usize]) {
        let from = addresses(members);
        self.load(&format!(
            "flush ruleset\ntable ip faults {{\n chain arriving {{\n \
             type filter hook prerouting priority 0; policy accept;\n \
             ip saddr {from} numgen random mod 100 < {percent} counter drop\n }}\n}}\n"
        ));
    }

    fn load(&self, script: &str) {
        feed(
            Command::new("ip").args(["netns", "exec", &self.namespace, "nft", "-f", "-"]),
            script,
        );
    }
}

impl Drop for Loopback {
    fn drop(&mut self) {
        sweep::remove(&self.namespace);
    }
}

fn addresses(members: &[usize]) -> String {
    let all: Vec<String> = members
        .iter()
        .map(|&member| Loopback::address(member).to_string())
        .collect();
    format!("{{ {} }}", all.join(", "))
}

fn from(members: &[usize]) -> String {
    format!("ip saddr {}", addresses(members))
}

fn to(members: &[usize]) -> String {
    format!("ip daddr {}", addresses(members))
}
