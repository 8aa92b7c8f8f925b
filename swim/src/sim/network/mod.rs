//! What becomes of a packet: loss, delay, duplicates, queues, cuts, partitions.

mod burst;
mod faults;
#[cfg(test)]
mod tests;
mod uplink;

use std::net::IpAddr;
use std::time::Duration;

use hashbrown::{HashMap, HashSet};
use smallvec::SmallVec;

pub use faults::{Bandwidth, Burst, FaultError, Faults, Latency, Quantiles};

use super::dice::Dice;
use crate::time::Time;
use burst::Weather;
use uplink::Uplink;

/// Between hosts that are all connected until told otherwise. A host is an IP address.
///
/// Cuts are silent: nothing is refused, nothing closed. A loss of 1 is a cut.
#[derive(Clone, Debug, Default)]
pub struct Network {
    everywhere: Faults,
    /// The place of each host that is, or was, not like all others.
    places: HashMap<IpAddr, Place>,
    hosts: Vec<Host>,
    links: HashMap<(Place, Place), Faults>,
    cuts: HashSet<(Place, Place)>,
    weather: HashMap<(Place, Place), Weather>,
    /// Whether any link or host is not like all others: if not, a packet passes without a look.
    mixed: bool,
    /// Hosts that are switched off.
    down: usize,
}

/// Which of [`Network::hosts`].
type Place = u32;

/// What is special about one host.
#[derive(Clone, Debug, Default)]
struct Host {
    down: bool,
    deaf: bool,
    mute: bool,
    /// Losses of what it should receive and of what it sends.
    losses: (f64, f64),
    /// Its side of a partition; 0: that of all that were not named.
    side: usize,
    uplink: Uplink,
}

/// What a packet is made of, for its way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packet {
    pub(super) from: IpAddr,
    pub(super) to: IpAddr,
    /// Without headers.
    pub(super) bytes: usize,
    /// When it is sent.
    pub(super) at: Time,
}

/// Whether a packet is sent now or, if it is lost now, later.
#[derive(Clone, Copy, Debug)]
enum Try {
    First,
    Again,
}

impl Network {
    /// A network with these faults on every link.
    pub fn new(everywhere: Faults) -> Network {
        Network {
            everywhere,
            ..Network::default()
        }
    }

    /// The faults of all links that have none of their own.
    pub fn faults(&mut self) -> &mut Faults {
        &mut self.everywhere
    }

    /// The faults of one link in one direction: its own from now on.
    pub fn link(&mut self, from: IpAddr, to: IpAddr) -> &mut Faults {
        let link = (self.place(from), self.place(to));
        self.mixed = true;
        self.links
            .entry(link)
            .or_insert_with(|| self.everywhere.clone())
    }

    /// Nothing gets from one host to another; the other way stays open.
    pub fn cut(&mut self, from: IpAddr, to: IpAddr) {
        let link = (self.place(from), self.place(to));
        self.mixed = true;
        self.cuts.insert(link);
    }

    /// Nothing gets from one host to another nor back.
    pub fn cut_both_ways(&mut self, one: IpAddr, other: IpAddr) {
        self.cut(one, other);
        self.cut(other, one);
    }

    /// Nothing gets from the first to the second host of each of these pairs. Replaces all cuts
    /// before; none at all ends them.
    pub fn set_cuts(&mut self, pairs: impl IntoIterator<Item = (IpAddr, IpAddr)>) {
        self.cuts.clear();
        for (from, to) in pairs {
            self.cut(from, to);
        }
    }

    /// Ends the cut from one host to another and the faults of that link.
    pub fn mend(&mut self, from: IpAddr, to: IpAddr) {
        let link = (self.place(from), self.place(to));
        self.cuts.remove(&link);
        self.links.remove(&link);
    }

    /// Nothing gets from any of `these` to any of `those` nor back, while all others go on to reach
    /// both: a partial partition.
    pub fn separate(&mut self, these: &[IpAddr], those: &[IpAddr]) {
        for one in these {
            for other in those.iter().filter(|other| *other != one) {
                self.cut_both_ways(*one, *other);
            }
        }
    }

    /// Nothing reaches this host.
    pub fn deafen(&mut self, host: IpAddr) {
        self.host_mut(host).deaf = true;
    }

    /// Nothing leaves this host.
    pub fn mute(&mut self, host: IpAddr) {
        self.host_mut(host).mute = true;
    }

    /// What a host should receive, and what it sends, is lost with these probabilities (0 to 1), on
    /// top of all other losses; two zeros end it.
    pub fn lose(&mut self, host: IpAddr, incoming: f64, outgoing: f64) {
        self.host_mut(host).losses = (incoming, outgoing);
    }

    /// Nothing gets from one set of hosts to another; all that are in none make up one more set.
    /// Replaces the partition before; none at all ends it.
    pub fn partition(&mut self, sides: &[Vec<IpAddr>]) {
        for host in &mut self.hosts {
            host.side = 0;
        }
        for (side, hosts) in sides.iter().enumerate() {
            for host in hosts {
                self.host_mut(*host).side = side + 1;
            }
        }
    }

    /// Ends every cut and partition, and the faults of single links and hosts; hosts stay down.
    pub fn heal(&mut self) {
        self.links.clear();
        self.cuts.clear();
        self.weather.clear();
        for host in &mut self.hosts {
            *host = Host {
                down: host.down,
                uplink: host.uplink.clone(),
                ..Host::default()
            };
        }
        self.mixed = false;
    }

    /// A host is switched off, or on again.
    pub(super) fn set_down(&mut self, host: IpAddr, down: bool) {
        let place = self.place(host);
        let host = &mut self.hosts[place as usize];
        if host.down != down {
            host.down = down;
            self.down = if down { self.down + 1 } else { self.down - 1 };
        }
    }

    /// Whether a packet gets from one host to another, loss aside. A host always reaches itself.
    pub fn is_open(&self, from: IpAddr, to: IpAddr) -> bool {
        if !self.mixed && self.down == 0 {
            return from == to || self.everywhere.loss < 1.0;
        }
        let (sender, receiver) = (self.host(from), self.host(to));
        if sender.is_some_and(|host| host.down) || receiver.is_some_and(|host| host.down) {
            return false;
        }
        let side = |host: Option<&Host>| host.map_or(0, |host| host.side);
        from == to
            || (side(sender) == side(receiver)
                && sender.is_none_or(|host| !host.mute && host.losses.1 < 1.0)
                && receiver.is_none_or(|host| !host.deaf && host.losses.0 < 1.0)
                && self.faults_of(from, to).loss < 1.0
                && !self.is_cut(from, to))
    }

    /// The delays after which copies of a datagram arrive: none when it is lost.
    pub(super) fn datagram(&mut self, packet: Packet, dice: &mut Dice) -> SmallVec<[Duration; 2]> {
        let mut delays = SmallVec::new();
        let size = packet.bytes + UDP_HEADERS;
        let Some(sent) = self.send_datagram(packet, size) else {
            return delays;
        };
        if !self.is_open(packet.from, packet.to) {
            return delays;
        }
        let datagram_loss = self.faults_of(packet.from, packet.to).datagram_loss;
        if self.lost(packet, sent, Try::First, dice) || dice.chance(datagram_loss) {
            return delays;
        }
        let faults = self.faults_of(packet.from, packet.to);
        if faults.mtu.is_some_and(|mtu| size > mtu) {
            return delays;
        }
        let copies = if dice.chance(faults.duplicate) { 2 } else { 1 };
        for _ in 0..copies {
            let mut delay = sent + faults.latency.draw(dice);
            if dice.chance(faults.reorder) {
                delay += dice.duration(&(Duration::ZERO..faults.reorder_by));
            }
            delays.push(delay);
        }
        delays
    }

    /// The delay of a segment of a stream, with the retransmissions that its losses cost; the first
    /// of them comes after `wait`.
    pub(super) fn segment(
        &mut self,
        packet: Packet,
        mut wait: Duration,
        dice: &mut Dice,
    ) -> Duration {
        let mut sent = self.send_segment(packet);
        // A segment that waits for a path is retransmitted by the stream, not drawn here.
        let open = self.is_open(packet.from, packet.to);
        let mut attempt = Try::First;
        while open && wait < SEGMENT_WAIT && self.lost(packet, sent, attempt, dice) {
            sent += wait;
            wait *= 2;
            attempt = Try::Again;
        }
        sent + self.faults_of(packet.from, packet.to).latency.draw(dice)
    }

    /// The most bytes of a stream that go into one segment from one host to another; `None`: it
    /// does not matter.
    pub(super) fn segment_bytes(&self, from: IpAddr, to: IpAddr) -> Option<usize> {
        let faults = self.faults_of(from, to);
        let usual = faults.bandwidth.map(|_| USUAL_MTU);
        let mtu = faults.mtu.or(usual)?;
        Some(mtu.saturating_sub(TCP_HEADERS).max(1))
    }

    /// Whether what is sent waits for the uplink.
    pub(super) fn is_narrow(&self, from: IpAddr, to: IpAddr) -> bool {
        from != to && self.faults_of(from, to).bandwidth.is_some()
    }

    /// How long a datagram waits for its host's uplink; `None`: it is dropped there.
    fn send_datagram(&mut self, packet: Packet, size: usize) -> Option<Duration> {
        let Some(bandwidth) = self.bandwidth(packet) else {
            return Some(Duration::ZERO);
        };
        let uplink = &mut self.host_at(packet.from).uplink;
        uplink.datagram(size, &bandwidth, packet.at)
    }

    /// How long a segment waits for its host's uplink.
    fn send_segment(&mut self, packet: Packet) -> Duration {
        let Some(bandwidth) = self.bandwidth(packet) else {
            return Duration::ZERO;
        };
        let uplink = &mut self.host_at(packet.from).uplink;
        uplink.segment(packet.bytes + TCP_HEADERS, &bandwidth, packet.at)
    }

    /// What the uplink of a packet carries; a packet to its own host needs none.
    fn bandwidth(&self, packet: Packet) -> Option<Bandwidth> {
        let faults = self.faults_of(packet.from, packet.to);
        let uses = packet.from != packet.to;
        faults.bandwidth.filter(|_| uses)
    }

    /// Whether a packet is lost that was sent `after` it was handed over.
    fn lost(&mut self, packet: Packet, after: Duration, attempt: Try, dice: &mut Dice) -> bool {
        let faults = self.faults_of(packet.from, packet.to);
        let (loss, burst) = (faults.loss, faults.burst);
        if dice.chance(loss) {
            return true;
        }
        if self.mixed && packet.from != packet.to {
            let outgoing = self.host(packet.from).map_or(0.0, |host| host.losses.1);
            let incoming = self.host(packet.to).map_or(0.0, |host| host.losses.0);
            if dice.chance(outgoing) || dice.chance(incoming) {
                return true;
            }
        }
        let Some(burst) = burst else { return false };
        let link = (self.place(packet.from), self.place(packet.to));
        let present = self.weather.entry(link).or_default();
        // The weather of a retransmission is the future's: others must not meet it today.
        let mut future = *present;
        let weather = match attempt {
            Try::First => present,
            Try::Again => &mut future,
        };
        weather.look(&burst, packet.at + after, dice) && dice.chance(burst.loss)
    }

    fn faults_of(&self, from: IpAddr, to: IpAddr) -> &Faults {
        if self.links.is_empty() {
            return &self.everywhere;
        }
        self.link_of(from, to)
            .and_then(|link| self.links.get(&link))
            .unwrap_or(&self.everywhere)
    }

    fn is_cut(&self, from: IpAddr, to: IpAddr) -> bool {
        let link = || self.link_of(from, to);
        !self.cuts.is_empty() && link().is_some_and(|link| self.cuts.contains(&link))
    }

    fn link_of(&self, from: IpAddr, to: IpAddr) -> Option<(Place, Place)> {
        Some((*self.places.get(&from)?, *self.places.get(&to)?))
    }

    fn host(&self, host: IpAddr) -> Option<&Host> {
        let place = self.places.get(&host)?;
        self.hosts.get(*place as usize)
    }

    /// A host that is about to be hurt.
    fn host_mut(&mut self, host: IpAddr) -> &mut Host {
        self.mixed = true;
        self.host_at(host)
    }

    fn host_at(&mut self, host: IpAddr) -> &mut Host {
        let place = self.place(host);
        &mut self.hosts[place as usize]
    }

    fn place(&mut self, host: IpAddr) -> Place {
        let next = Place::try_from(self.hosts.len()).expect("fewer than 2^32 hosts");
        let place = *self.places.entry(host).or_insert(next);
        if place == next {
            self.hosts.push(Host::default());
        }
        place
    }
}

/// Headers of IPv4 and UDP.
const UDP_HEADERS: usize = 28;

/// Headers of IPv4 and TCP.
const TCP_HEADERS: usize = 40;

/// The largest packet of Ethernet.
const USUAL_MTU: usize = 1500;

/// A segment is lost no more once it waits so long: its fifth loss, or its third while a
/// connection is opened.
const SEGMENT_WAIT: Duration = Duration::from_secs(6);

/// Shortest retransmission timeout of Linux's TCP.
pub(super) const RETRANSMIT_MIN: Duration = Duration::from_millis(200);

/// The same while a connection is opened, when no round-trip time is known (RFC 6298).
pub(super) const RETRANSMIT_FIRST: Duration = Duration::from_secs(1);

/// Longest retransmission timeout of Linux's TCP.
pub(super) const RETRANSMIT_MAX: Duration = Duration::from_secs(120);
