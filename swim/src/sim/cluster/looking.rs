//! What a scenario can see of a cluster.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::Cluster;
use crate::coordinator::{Lineage, View, Voter};
use crate::event::{Event, MemberInfo, State};
use crate::members::Name;
use crate::node::{Answer, Node, Ticket};
use crate::sim::checks::Violation;
use crate::sim::process::{Condition, Pid, Process, Traffic};
use crate::time::Time;

impl Cluster {
    /// The last view that anybody ever showed.
    pub fn last_view(&self) -> View {
        self.ledger.last_view()
    }

    /// What a process was answered so far, by ticket.
    pub fn answers(&self, pid: Pid) -> &[(Ticket, Answer)] {
        &self.process(pid).answers
    }

    /// Whether all that are up hold the same view, in which just they are members, under a
    /// coordinator that decides.
    pub fn is_unanimous(&self) -> bool {
        if !self.holds_one_view() {
            return false;
        }
        let up = self.up();
        let names = up.iter().map(|pid| self.node(*pid).identity().name);
        let names: BTreeSet<Name> = names.collect();
        let decides = |pid: &&Pid| self.node(**pid).decides(self.clock(**pid));
        let known = up.first().is_none_or(|pid| {
            let node = self.node(*pid);
            node.standings().map(|held| &held.name).eq(&names)
        });
        known && up.iter().any(|pid| decides(&pid))
    }

    /// Whether all that are up hold the same view, whoever is in it: that is all that can be asked
    /// of a cluster [without a quorum](Cluster::has_quorum).
    pub fn holds_one_view(&self) -> bool {
        let up = self.up();
        let marks: Vec<_> = up.iter().map(|pid| self.node(*pid).mark()).collect();
        marks.windows(2).all(|pair| pair[0] == pair[1]) && marks.first().is_none_or(Option::is_some)
    }

    /// Whether a majority of those who vote in the last view that anybody who is up holds is up,
    /// each with the memory that it votes with. True while nobody holds any.
    pub fn has_quorum(&self) -> bool {
        let up = || self.processes.iter().filter(|process| process.counts());
        let view = |process: &&Process| process.node.mark().map(|mark| mark.view);
        let last = up().max_by_key(view);
        let Some(electorate) = last.and_then(|process| process.node.electorate()) else {
            return true;
        };
        let votes = |voter: &&Voter| {
            up().any(|process| {
                process.launch.name == voter.name && process.node.memory() == Some(voter.id)
            })
        };
        electorate.voters.iter().filter(votes).count() > electorate.voters.len() / 2
    }

    /// Those who vote in the last view of a lineage that anybody who is up knows (if nobody knows
    /// any: that anybody knew), and still have the memory that they vote with: in their process, or
    /// in a data directory that a restart finds. With how many vote.
    pub fn voter_memories(&self, lineage: Lineage) -> (Vec<Name>, usize) {
        let knows = |process: &&Process| {
            let mark = process.node.mark();
            mark.is_some_and(|mark| mark.lineage == lineage)
        };
        let know: Vec<&Process> = self.processes.iter().filter(knows).collect();
        let up = know.iter().any(|process| process.is_up());
        let last = know
            .into_iter()
            .filter(|process| process.is_up() == up)
            .max_by_key(|process| process.node.mark().map(|mark| mark.view));
        let Some(electorate) = last.and_then(|process| process.node.electorate()) else {
            return (Vec::new(), 0);
        };
        let voters = &electorate.voters;
        let remembers = |voter: &&Voter| {
            let mut up = self.processes.iter().filter(|process| process.counts());
            let process = up.find(|process| process.launch.name == voter.name);
            match process {
                Some(process) => process.node.memory() == Some(voter.id) && knows(&process),
                None => self.disks.holds(voter.name.as_str(), voter.id),
            }
        };
        let names = voters.iter().filter(remembers);
        (
            names.map(|voter| voter.name.clone()).collect(),
            voters.len(),
        )
    }

    /// The present instant.
    pub fn now(&self) -> Time {
        self.agenda.now()
    }

    /// The last lines of the trace, as many as [`Options::trace_lines`](super::Options) says.
    pub fn last_lines(&self) -> impl Iterator<Item = &str> {
        self.trace.last()
    }

    /// The fingerprint of everything that happened so far.
    pub fn trace_hash(&self) -> u64 {
        self.trace.hash()
    }

    /// A process's node; of an ended process as it was last.
    pub fn node(&self, pid: Pid) -> &Node {
        &self.process(pid).node
    }

    /// Whether a process runs.
    pub fn condition(&self, pid: Pid) -> &Condition {
        &self.process(pid).condition
    }

    /// What a process's own clock reads now.
    pub fn clock(&self, pid: Pid) -> Time {
        self.process(pid).clock.read(self.now())
    }

    /// A point of a process's own clock as the world's time.
    pub fn world_time(&self, pid: Pid, read: Time) -> Time {
        self.process(pid).clock.world(read)
    }

    /// All that a process told so far. `time` and `since` of these events are the world's time.
    pub fn events(&self, pid: Pid) -> &[Event] {
        &self.process(pid).events
    }

    /// All that was told since it was last asked for, with who told it, in order. Their times are
    /// the world's.
    pub fn take_news(&mut self) -> Vec<(Pid, Event)> {
        std::mem::take(&mut self.news)
    }

    /// What a process sent and received so far.
    pub fn traffic(&self, pid: Pid) -> Traffic {
        self.process(pid).traffic
    }

    /// The datagrams and openings of streams that anybody has sent to where a process listens, or
    /// listened.
    pub fn sent_to(&self, pid: Pid) -> u64 {
        self.sent_to
            .get(&self.process(pid).launch.addr)
            .copied()
            .unwrap_or(0)
    }

    /// The host of a process.
    pub fn host(&self, pid: Pid) -> IpAddr {
        self.process(pid).launch.addr.ip()
    }

    /// All processes that were ever started, in the order of their start.
    pub fn processes(&self) -> impl Iterator<Item = Pid> {
        self.processes.iter().map(|process| process.pid)
    }

    /// All processes that have not ended, without strangers, in the order of their start.
    pub fn up(&self) -> Vec<Pid> {
        self.processes
            .iter()
            .filter(|process| process.counts())
            .map(|process| process.pid)
            .collect()
    }

    /// The state that one process holds of another, at the other's life or a newer one.
    pub fn state(&self, at: Pid, of: Pid) -> Option<State> {
        let MemberInfo {
            state, instance, ..
        } = self.node(at).member(self.launched(of).name.as_str())?;
        (instance >= self.node(of).me().instance).then_some(state)
    }

    /// Whether every process that is up holds exactly those that are up for alive, and all hold the
    /// same.
    pub fn agrees(&self) -> bool {
        let up = self.up();
        let Some(first) = up.first() else { return true };
        let digest = self.node(*first).digest();
        if up.iter().any(|pid| self.node(*pid).digest() != digest) {
            return false;
        }
        let alive = self
            .node(*first)
            .members()
            .filter(|member| member.state == State::Alive);
        alive.count() == up.len()
            && up
                .iter()
                .all(|pid| self.state(*first, *pid) == Some(State::Alive))
    }

    /// Holds every node against what it told.
    pub fn check(&mut self) {
        if self.options.watch {
            let now = self.agenda.now();
            for process in &mut self.processes {
                let watch = &mut process.watch;
                watch.compare(&process.node, now, &mut self.findings);
                let (circles, launch) = (&self.circles, &process.launch);
                let at = (process.pid, launch);
                circles.look(at, &process.node, now, &mut self.findings);
            }
        }
    }

    /// What did not hold so far, of what is looked at at every step: the first thousand. See
    /// [`Options::fail_fast`](super::Options).
    pub fn violations(&self) -> &[Violation] {
        self.findings.kept()
    }
}
