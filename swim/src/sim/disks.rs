//! The data directories of processes: what a voter saved, and what a restart finds.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::time::Duration;

use super::cluster::Cluster;
use super::drive::SimEvent;
use super::process::{Input, Pid};
use crate::coordinator::{VoterId, VoterKey};
use crate::node::{Memory, SaveTicket, Write};
use crate::time::Time;

/// What a process has to remember what a voter must.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keeping {
    /// A data directory, which a restart finds again.
    #[default]
    Disk,
    /// Its process only.
    Process,
    /// Nothing: it never votes.
    Nothing,
}

/// The data directories, by the name of the member.
#[derive(Debug, Default)]
pub(super) struct Disks {
    disks: BTreeMap<String, Disk>,
    /// Which number the next new directory gets.
    last: u64,
}

#[derive(Debug, Default)]
struct Disk {
    key: Option<VoterKey>,
    stored: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Nothing can be written any more.
    full: bool,
    /// Written in order, one after the other.
    under_way: VecDeque<(Pid, SaveTicket, Vec<Write>)>,
    busy_until: Time,
}

/// How long a durable write takes.
const FSYNC: Range<Duration> = Duration::from_micros(100)..Duration::from_millis(4);

/// The key of the so many-th memory of a simulation.
fn new_key(number: u64) -> VoterKey {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&number.to_le_bytes());
    VoterKey::from_seed(&seed)
}

impl Cluster {
    /// What a process that starts under a name finds.
    pub(super) fn memory_of(&mut self, name: &str, keeping: Keeping) -> Memory {
        self.disks.last += 1;
        let new = new_key(self.disks.last);
        match keeping {
            Keeping::Disk => {
                let disk = self.disks.disks.entry(name.to_owned()).or_default();
                Memory {
                    key: Some(disk.key.get_or_insert(new).clone()),
                    durable: true,
                    stored: disk.stored.clone().into_iter().collect(),
                }
            }
            Keeping::Process => Memory {
                key: Some(new),
                durable: false,
                stored: Vec::new(),
            },
            Keeping::Nothing => Memory::never_votes(),
        }
    }

    /// The data directory of a process is lost; the next one that starts under its name finds an
    /// empty one.
    pub fn wipe_disk(&mut self, pid: Pid) {
        let name = self.process(pid).launch.name.to_string();
        self.disks.disks.remove(&name);
    }

    /// From now on nothing can be written to the data directory of a process.
    pub fn fill_disk(&mut self, pid: Pid, full: bool) {
        let name = self.process(pid).launch.name.to_string();
        self.disks.disks.entry(name).or_default().full = full;
    }

    /// A process saves something.
    pub(super) fn save(&mut self, pid: Pid, ticket: SaveTicket, writes: Vec<Write>) {
        let now = self.now();
        let took = self.dice.duration(&FSYNC);
        let name = self.process(pid).launch.name.to_string();
        let disk = self.disks.disks.entry(name).or_default();
        let done = now.max(disk.busy_until) + took;
        disk.busy_until = done;
        disk.under_way.push_back((pid, ticket, writes));
        self.agenda.at(done, SimEvent::Saved { pid, ticket });
    }

    /// A write is on the disk, or could not be.
    pub(super) fn on_saved(&mut self, pid: Pid, ticket: SaveTicket) {
        let name = self.process(pid).launch.name.to_string();
        let Some(disk) = self.disks.disks.get_mut(&name) else {
            return;
        };
        if disk
            .under_way
            .front()
            .map(|(pid, ticket, _)| (*pid, *ticket))
            != Some((pid, ticket))
        {
            return;
        }
        let full = disk.full;
        if let Some((_, _, writes)) = disk.under_way.pop_front()
            && !full
        {
            disk.apply(writes);
        }
        let done = !full;
        self.deliver(pid, Input::Saved { ticket, done });
    }

    /// A process has ended: of what it was writing a part may be on the disk, in order.
    pub(super) fn settle_disk(&mut self, pid: Pid) {
        let name = self.process(pid).launch.name.to_string();
        let Some(disk) = self.disks.disks.get_mut(&name) else {
            return;
        };
        let written = disk.under_way.len();
        if written == 0 {
            return;
        }
        let kept = self.dice.number(0..written + 1);
        let Some(disk) = self.disks.disks.get_mut(&name) else {
            return;
        };
        for (_, _, writes) in std::mem::take(&mut disk.under_way).into_iter().take(kept) {
            if !disk.full {
                disk.apply(writes);
            }
        }
    }
}

impl Disks {
    /// Whether the data directory of a name holds this memory, and anything in it.
    pub(super) fn holds(&self, name: &str, memory: VoterId) -> bool {
        let disk = self.disks.get(name);
        disk.is_some_and(|disk| {
            let id = disk.key.as_ref().map(VoterKey::id);
            id == Some(memory) && !disk.stored.is_empty()
        })
    }
}

impl Disk {
    fn apply(&mut self, writes: Vec<Write>) {
        for Write { key, value } in writes {
            match value {
                Some(value) => self.stored.insert(key, value),
                None => self.stored.remove(&key),
            };
        }
    }
}
