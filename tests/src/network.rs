//! One switch and a cable to each host, all of it in network namespaces of this process.
//!
//! Faults are rules of the switch, so a host cannot notice them other than by what does not arrive.
//! There is no route to anywhere else: what the hosts send stays among them.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::process::{Command, Stdio};

use crate::sweep;

/// With more hosts than this their neighbours are written down: the kernel learns 1024 for all
/// namespaces together (arp(7), `gc_thresh3`), and drops what goes to any other.
const LEARNT_HOSTS: usize = 31;

/// The streams that were opened under a fault: both ends.
const FRESH: &str =
    "type ipv4_addr . inet_service . ipv4_addr . inet_service; flags dynamic; size 65535;";

/// Something wrong with the switch. Hosts are numbered from 1.
#[derive(Clone, Debug)]
pub enum Cut {
    /// Of all UDP datagrams this many percent are lost.
    UdpLoss(u8),
    /// Nothing reaches these hosts.
    Incoming(Vec<usize>),
    /// Nothing gets out of these hosts.
    Outgoing(Vec<usize>),
    /// Nothing passes between the two groups, either way.
    Between(Vec<usize>, Vec<usize>),
    /// No datagram passes from the first group to the second.
    Datagrams(Vec<usize>, Vec<usize>),
    /// No stream can be opened from the first group to this port of the second.
    Streams(Vec<usize>, Vec<usize>, u16),
    /// Of the streams to this port that stand no packet passes any more, as through a NAT that has
    /// forgotten them; new ones can be opened. For a [`Network`], and the last of its faults: what
    /// belongs to a new stream is let through at once.
    Forgotten(u16),
}

/// A switch with hosts. Removed when dropped.
#[derive(Debug)]
pub struct Network {
    switch: String,
    hosts: Vec<String>,
}

impl Network {
    /// A network with that many hosts, 1 to 250. Each has two IPv4 and two IPv6 addresses.
    ///
    /// Panics without the rights of root.
    pub fn new(hosts: usize) -> Network {
        assert!((1..=250).contains(&hosts), "1 to 250 hosts");
        assert!(
            rustix::process::geteuid().is_root(),
            "network namespaces need root: run this test as root"
        );
        sweep::sweep();
        let network = Network {
            switch: sweep::owned("switch"),
            hosts: (1..=hosts)
                .map(|host| sweep::owned(&format!("n{host}")))
                .collect(),
        };
        network.add_namespaces();
        network.add_switch();
        network.add_hosts();
        network
    }

    /// How many hosts there are.
    pub fn hosts(&self) -> usize {
        self.hosts.len()
    }

    /// The namespace of a host.
    pub fn namespace(&self, host: usize) -> &str {
        &self.hosts[host - 1]
    }

    /// The namespace of the switch.
    pub(crate) fn switch(&self) -> &str {
        &self.switch
    }

    /// The end of a host's cable at the switch.
    pub(crate) fn cable(host: usize) -> String {
        port(host)
    }

    /// The IPv4 address of a host; `second` is the other one that it has.
    pub fn ipv4(host: usize, second: bool) -> IpAddr {
        let host = u8::try_from(host).expect("at most 250 hosts");
        IpAddr::V4(Ipv4Addr::new(10, 77, u8::from(second), host))
    }

    /// The IPv6 address of a host; `second` is the other one that it has.
    pub fn ipv6(host: usize, second: bool) -> IpAddr {
        let host = u16::try_from(host).expect("at most 250 hosts");
        IpAddr::V6(Ipv6Addr::new(
            0xfd77,
            0,
            0,
            0,
            0,
            0,
            u16::from(second),
            host,
        ))
    }

    /// Replaces the faults of the switch by these.
    pub fn impose(&self, cuts: &[Cut]) {
        let rules: String = cuts.iter().map(|cut| cut.rules(from, to)).collect();
        let chain = "type filter hook forward priority 0; policy accept;";
        let script = format!(
            "flush ruleset\ntable bridge faults {{\n set fresh {{ {FRESH} }}\n chain forward {{\n {chain}\n\
             {rules} }}\n}}\n"
        );
        feed(
            Command::new("ip").args(["netns", "exec", &self.switch, "nft", "-f", "-"]),
            &script,
        );
    }

    /// Ends all faults.
    pub fn heal(&self) {
        self.impose(&[]);
    }

    /// Ends every connection of a host to the port of the sidecars, as a middlebox does that has
    /// forgotten them: both ends are reset, no process dies.
    pub fn reset_streams(&self, host: usize, port: u16) {
        let filter = format!("( sport = :{port} or dport = :{port} )");
        let namespace = self.namespace(host);
        // Its exit code also says that some were gone before their turn came.
        let ended = Command::new("ip")
            .args([
                "netns",
                "exec",
                namespace,
                "ss",
                "-K",
                "state",
                "established",
            ])
            .arg(filter)
            .output();
        ended.expect("`ip` and `ss` have worked before");
    }

    /// Sets how large the packets may be that go over the cable of a host.
    pub fn set_mtu(&self, host: usize, bytes: u32) {
        let script = format!("link set eth0 mtu {bytes}\n");
        let namespace = self.namespace(host);
        feed(
            Command::new("ip").args(["-n", namespace, "-batch", "-"]),
            &script,
        );
    }

    /// How many packets the present faults have swallowed.
    pub fn swallowed(&self) -> u64 {
        let mut command = Command::new("ip");
        let command = command.args(["netns", "exec", &self.switch, "nft", "list", "ruleset"]);
        let rules = command
            .output()
            .expect("`ip` and `nft` have worked before")
            .stdout;
        let rules = String::from_utf8_lossy(&rules).into_owned();
        let counts = rules.split("counter packets ").skip(1);
        let count = |text: &str| {
            text.split(' ')
                .next()
                .and_then(|number| number.parse::<u64>().ok())
        };
        counts.filter_map(count).sum()
    }

    /// Writes the hosts file that programs started later in this host's namespace see; in place, so
    /// that running ones see the change too.
    pub fn set_hosts_file(&self, host: usize, text: &str) {
        let folder = format!("/etc/netns/{}", self.namespace(host));
        fs::create_dir_all(&folder).expect("root may write to /etc/netns");
        fs::write(format!("{folder}/hosts"), text).expect("root may write to /etc/netns");
        // Without name servers a name that the file lacks fails at once.
        fs::write(format!("{folder}/resolv.conf"), "").expect("root may write to /etc/netns");
    }

    fn add_namespaces(&self) {
        let all = self.hosts.iter().chain([&self.switch]);
        let script: String = all.map(|name| format!("netns add {name}\n")).collect();
        feed(Command::new("ip").args(["-batch", "-"]), &script);
    }

    fn add_switch(&self) {
        let mut script = String::from(
            "link set lo up\nlink add br0 type bridge stp_state 0 mcast_snooping 0\nlink set br0 up\n",
        );
        for (index, namespace) in self.hosts.iter().enumerate() {
            let port = port(index + 1);
            let _ = writeln!(
                script,
                "link add {port} type veth peer name eth0 netns {namespace}"
            );
            let _ = writeln!(script, "link set {port} master br0 up");
        }
        feed(
            Command::new("ip").args(["-n", &self.switch, "-batch", "-"]),
            &script,
        );
    }

    fn add_hosts(&self) {
        for (index, namespace) in self.hosts.iter().enumerate() {
            let mut script = String::from("link set lo up\n");
            for second in [false, true] {
                let (v4, v6) = (Self::ipv4(index + 1, second), Self::ipv6(index + 1, second));
                let _ = writeln!(script, "addr add {v4}/16 dev eth0");
                let _ = writeln!(script, "addr add {v6}/64 dev eth0 nodad");
            }
            script.push_str("link set eth0 up\n");
            if self.hosts.len() > LEARNT_HOSTS {
                script.push_str(&self.neighbours_of(index + 1));
            }
            feed(
                Command::new("ip").args(["-n", namespace, "-batch", "-"]),
                &script,
            );
        }
    }
}

impl Network {
    /// Gives a host a known hardware address, and it those of all others.
    fn neighbours_of(&self, host: usize) -> String {
        let hardware = |host: usize| format!("02:00:00:00:00:{host:02x}");
        let mut script = format!("link set eth0 address {}\n", hardware(host));
        for other in (1..=self.hosts.len()).filter(|&other| other != host) {
            for second in [false, true] {
                for ip in [Self::ipv4(other, second), Self::ipv6(other, second)] {
                    let to = hardware(other);
                    let _ = writeln!(script, "neigh add {ip} lladdr {to} dev eth0 nud permanent");
                }
            }
        }
        script
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for namespace in self.hosts.iter().chain([&self.switch]) {
            sweep::remove(namespace);
        }
    }
}

fn port(host: usize) -> String {
    format!("v{host}")
}

fn ports(hosts: &[usize]) -> String {
    let names: Vec<String> = hosts
        .iter()
        .map(|&host| format!("\"{}\"", port(host)))
        .collect();
    format!("{{ {} }}", names.join(", "))
}

/// Packets from these, and packets to them, as rules of this switch say it.
fn from(hosts: &[usize]) -> String {
    format!("iifname {}", ports(hosts))
}

fn to(hosts: &[usize]) -> String {
    format!("oifname {}", ports(hosts))
}

impl Cut {
    /// The rules that drop what the cut swallows, where `from` and `to` select the packets of some.
    pub(crate) fn rules(
        &self,
        from: impl Fn(&[usize]) -> String,
        to: impl Fn(&[usize]) -> String,
    ) -> String {
        match self {
            Cut::UdpLoss(percent) => {
                format!("  meta l4proto udp numgen random mod 100 < {percent} counter drop\n")
            }
            Cut::Incoming(hosts) => format!("  {} counter drop\n", to(hosts)),
            Cut::Outgoing(hosts) => format!("  {} counter drop\n", from(hosts)),
            Cut::Between(left, right) => {
                let way = |left, right| format!("  {} {} counter drop\n", from(left), to(right));
                way(left, right) + &way(right, left)
            }
            Cut::Datagrams(left, right) => {
                let way = (from(left), to(right));
                format!("  {} {} meta l4proto udp counter drop\n", way.0, way.1)
            }
            Cut::Streams(left, right, port) => {
                let way = (from(left), to(right));
                format!("  {} {} tcp dport {port} counter drop\n", way.0, way.1)
            }
            Cut::Forgotten(port) => {
                let there = "ip saddr . tcp sport . ip daddr . tcp dport";
                let back = "ip daddr . tcp dport . ip saddr . tcp sport";
                format!(
                    "  tcp flags syn / syn,ack update @fresh {{ {there} }}\n  {there} @fresh accept\n  \
                     {back} @fresh accept\n  tcp dport {port} counter drop\n  tcp sport {port} counter drop\n"
                )
            }
        }
    }
}

/// Runs a command on a script; panics with its words when it fails.
pub(crate) fn feed(command: &mut Command, script: &str) {
    let piped = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap_or_else(|error| {
        panic!("{error}: {command:?} (needs the packages iproute2 and nftables)")
    });
    let mut stdin = child.stdin.take().expect("standard input is a pipe");
    // A command that ends early says why on its standard error.
    let _ = stdin.write_all(script.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("the child was started");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{command:?}: {}: {words}\n{script}",
        output.status
    );
}
