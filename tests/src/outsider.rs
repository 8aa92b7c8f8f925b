//! Somebody on the network who has no key: sockets on a host without a sidecar, and what passes by.

use std::fs::{self, File};
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::network::Network;
use crate::wait;

impl Network {
    /// Does this on a host ([`inside`]).
    pub fn inside<T: Send>(&self, host: usize, act: impl FnOnce() -> T + Send) -> T {
        inside(self.namespace(host), act)
    }

    /// The bytes that a host has sent and got so far, with all headers.
    pub fn traffic(&self, host: usize) -> (u64, u64) {
        let count = |what: &str| {
            let path = format!("/sys/class/net/eth0/statistics/{what}_bytes");
            let arguments = ["netns", "exec", self.namespace(host), "cat", &path];
            let output = Command::new("ip").args(arguments).output();
            let output = output.expect("`ip` has worked before").stdout;
            let text = String::from_utf8_lossy(&output).into_owned();
            text.trim().parse().expect("it is a number")
        };
        (count("tx"), count("rx"))
    }
}

/// Does this in a namespace of the network: sockets that are opened meanwhile stay there.
pub fn inside<T: Send>(namespace: &str, act: impl FnOnce() -> T + Send) -> T {
    // `ip netns` keeps its namespaces there.
    within(&Path::new("/var/run/netns").join(namespace), act)
}

/// Does this in the namespace that this file stands for ([`inside`]).
pub fn within<T: Send>(namespace: &Path, act: impl FnOnce() -> T + Send) -> T {
    let enter = || {
        let namespace = File::open(namespace).expect("there is such a namespace");
        let kind = Some(LinkNameSpaceType::Network);
        move_into_link_name_space(namespace.as_fd(), kind).expect("root may go anywhere");
        act()
    };
    // Only this thread goes there, and ends.
    thread::scope(|scope| scope.spawn(enter).join()).expect("what is done there succeeds")
}

/// Lets this process have as many files open as it may.
pub fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    setrlimit(Resource::Nofile, raised).expect("up to the maximum everybody may");
}

/// Everything that goes over the cable of a host, written to a file. Ended when it is dropped.
#[derive(Debug)]
pub struct Capture {
    process: Child,
    file: PathBuf,
}

/// The head of a file of packets, and of each packet in it (pcap-savefile(5)).
const FILE_HEAD: usize = 24;
const PACKET_HEAD: usize = 16;
const ETHERNET_HEAD: usize = 14;
const UDP_HEAD: usize = 8;

impl Capture {
    /// Begins; what passes after this call is caught.
    pub fn begin(network: &Network, host: usize, folder: &Path) -> Capture {
        let file = folder.join(format!("{host}.pcap"));
        let mut command = Command::new("ip");
        command
            .args(["netns", "exec", network.switch(), "tcpdump"])
            .args(["-i", &Network::cable(host), "-Z", "root"])
            .args(["--immediate-mode", "-U", "-w"])
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let process = command.spawn().expect("`ip` has worked before");
        let capture = Capture { process, file };
        let begun = wait::until(Duration::from_secs(30), || {
            let length = capture.bytes().len();
            let begun = length >= FILE_HEAD;
            begun.then_some(()).ok_or_else(|| format!("{length} bytes"))
        });
        begun.expect("tcpdump is installed (`tests/run cluster`) and writes");
        capture
    }

    /// Ends it; all that was caught.
    pub fn end(mut self) -> Vec<u8> {
        self.stop();
        self.bytes()
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(&self.file).unwrap_or_default()
    }

    fn stop(&mut self) {
        let pid = i32::try_from(self.process.id())
            .ok()
            .and_then(Pid::from_raw);
        if let Some(pid) = pid
            && matches!(self.process.try_wait(), Ok(None))
        {
            // It may end at this moment.
            let _ = kill_process(pid, Signal::INT);
        }
        let _ = self.process.wait();
    }

    /// The datagrams that went to this address so far.
    pub fn datagrams_to(&self, to: IpAddr) -> Vec<Vec<u8>> {
        let bytes = self.bytes();
        let mut rest = bytes.get(FILE_HEAD..).unwrap_or_default();
        let mut found = Vec::new();
        while let Some((head, after)) = rest.split_at_checked(PACKET_HEAD) {
            let length = u32::from_le_bytes([head[8], head[9], head[10], head[11]]);
            // The last one may not be whole yet.
            let Some((packet, next)) = after.split_at_checked(length as usize) else {
                break;
            };
            found.extend(datagram_to(packet, to));
            rest = next;
        }
        found
    }
}

/// What a packet carries, if it is a datagram over IPv4 to this address.
fn datagram_to(packet: &[u8], to: IpAddr) -> Option<Vec<u8>> {
    let ip = packet.get(ETHERNET_HEAD..)?;
    let is_ipv4 = packet[12..ETHERNET_HEAD] == [0x08, 0x00];
    let is_udp = *ip.get(9)? == 17;
    let IpAddr::V4(to) = to else { return None };
    let is_to = *ip.get(16..20)? == to.octets();
    let head = usize::from(ip[0] & 0x0f) * 4 + UDP_HEAD;
    (is_ipv4 && is_udp && is_to).then(|| ip.get(head..).map(<[u8]>::to_vec))?
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.stop();
    }
}
