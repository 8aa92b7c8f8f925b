//! What becomes of a packet: loss, delay, duplicates, cuts, partitions.

mod faults;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use smallvec::SmallVec;

pub use faults::{Bandwidth, Burst, FaultError, Faults, Latency, Quantiles};

use super::dice::Dice;

/// Between hosts that are all connected until told otherwise. A host is an IP address.
///
/// Cuts are silent: nothing is refused, nothing closed.
#[derive(Clone, Debug, Default)]
pub struct Network {
    everywhere: Faults,
    links: BTreeMap<(IpAddr, IpAddr), Faults>,
    cuts: BTreeSet<(IpAddr, IpAddr)>,
    deaf: BTreeSet<IpAddr>,
    mute: BTreeSet<IpAddr>,
    /// What a host loses of what it should receive and of what it sends, streams included.
    losing: BTreeMap<IpAddr, (f64, f64)>,
    sides: BTreeMap<IpAddr, usize>,
    down: BTreeSet<IpAddr>,
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
        self.links
            .entry((from, to))
            .or_insert_with(|| self.everywhere.clone())
    }

    /// Nothing gets from one host to another; the other way stays open.
    pub fn cut(&mut self, from: IpAddr, to: IpAddr) {
        self.cuts.insert((from, to));
    }

    /// Nothing gets from one host to another nor back.
    pub fn cut_both_ways(&mut self, one: IpAddr, other: IpAddr) {
        self.cut(one, other);
        self.cut(other, one);
    }

    /// Nothing reaches this host.
    pub fn deafen(&mut self, host: IpAddr) {
        self.deaf.insert(host);
    }

    /// Nothing leaves this host.
    pub fn mute(&mut self, host: IpAddr) {
        self.mute.insert(host);
    }

    /// This host loses packets with these probabilities, whomever it talks to: of what it should
    /// receive and of what it sends. 1 is a cut, and 0 and 0 end it.
    pub fn lose(&mut self, host: IpAddr, incoming: f64, outgoing: f64) {
        self.deaf.remove(&host);
        self.mute.remove(&host);
        self.losing.remove(&host);
        if incoming >= 1.0 {
            self.deaf.insert(host);
        }
        if outgoing >= 1.0 {
            self.mute.insert(host);
        }
        let partly = |loss: f64| if loss < 1.0 { loss } else { 0.0 };
        let losses = (partly(incoming), partly(outgoing));
        if losses != (0.0, 0.0) {
            self.losing.insert(host, losses);
        }
    }

    /// Nothing gets from one set of hosts to another; all that are in none make up one more set.
    pub fn partition(&mut self, sides: &[Vec<IpAddr>]) {
        self.sides.clear();
        for (side, hosts) in sides.iter().enumerate() {
            self.sides
                .extend(hosts.iter().map(|host| (*host, side + 1)));
        }
    }

    /// Ends every cut and partition, and the faults of single links; hosts stay down.
    pub fn heal(&mut self) {
        self.links.clear();
        self.cuts.clear();
        self.deaf.clear();
        self.mute.clear();
        self.losing.clear();
        self.sides.clear();
    }

    /// A host is switched off, or on again.
    pub(super) fn set_down(&mut self, host: IpAddr, down: bool) {
        if down {
            self.down.insert(host);
        } else {
            self.down.remove(&host);
        }
    }

    /// Whether a packet gets from one host to another, loss aside. A host always reaches itself.
    pub fn is_open(&self, from: IpAddr, to: IpAddr) -> bool {
        if self.down.contains(&from) || self.down.contains(&to) {
            return false;
        }
        let side = |host| self.sides.get(&host).copied().unwrap_or(0);
        from == to
            || (side(from) == side(to)
                && !self.mute.contains(&from)
                && !self.deaf.contains(&to)
                && !self.cuts.contains(&(from, to)))
    }

    /// The delays after which copies of a datagram arrive: none when it is lost.
    pub(super) fn datagram(
        &self,
        from: IpAddr,
        to: IpAddr,
        dice: &mut Dice,
    ) -> SmallVec<[Duration; 2]> {
        let mut delays = SmallVec::new();
        let faults = self.faults_of(from, to);
        if !self.is_open(from, to)
            || dice.chance(faults.loss)
            || dice.chance(faults.datagram_loss)
            || dice.chance(self.host_loss(from, to))
        {
            return delays;
        }
        let copies = if dice.chance(faults.duplicate) { 2 } else { 1 };
        for _ in 0..copies {
            let mut delay = faults.latency.draw(dice);
            if dice.chance(faults.reorder) {
                delay += dice.duration(&(Duration::ZERO..faults.reorder_by));
            }
            delays.push(delay);
        }
        delays
    }

    /// The delay of a segment of a stream, with the retransmissions that its losses cost.
    pub(super) fn segment(&self, from: IpAddr, to: IpAddr, dice: &mut Dice) -> Duration {
        let faults = self.faults_of(from, to);
        let mut delay = faults.latency.draw(dice);
        let mut wait = RETRANSMIT_MIN;
        let hosts = self.host_loss(from, to);
        while wait < SEGMENT_WAIT && (dice.chance(faults.loss) || dice.chance(hosts)) {
            delay += wait;
            wait *= 2;
        }
        delay
    }

    /// What the hosts at both ends lose together.
    fn host_loss(&self, from: IpAddr, to: IpAddr) -> f64 {
        if self.losing.is_empty() || from == to {
            return 0.0;
        }
        let (_, sent) = self.losing.get(&from).copied().unwrap_or_default();
        let (received, _) = self.losing.get(&to).copied().unwrap_or_default();
        1.0 - (1.0 - sent) * (1.0 - received)
    }

    fn faults_of(&self, from: IpAddr, to: IpAddr) -> &Faults {
        self.links.get(&(from, to)).unwrap_or(&self.everywhere)
    }
}

/// A segment is lost no more once it waits so long: its fifth loss.
const SEGMENT_WAIT: Duration = Duration::from_secs(6);

/// Shortest retransmission timeout of Linux's TCP.
pub(super) const RETRANSMIT_MIN: Duration = Duration::from_millis(200);

/// Longest retransmission timeout of Linux's TCP.
pub(super) const RETRANSMIT_MAX: Duration = Duration::from_secs(120);
