//! A configuration of voters on a scripted network, with disks: each test says which letters
//! arrive, who is up, and when.

mod changing;
mod electing;
mod leasing;
mod letters;
mod storing;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::letter::Letter;
use super::{Consensus, ConsensusSettings, Output, VoterNumber};
use crate::coordinator::{Cut, Epoch, Office, Voter, VoterId, Voters};
use crate::members::{Instance, Name};
use crate::time::Time;

const LEASE: Duration = Duration::from_millis(2400);

/// How long a letter travels.
const WAY: Duration = Duration::from_millis(1);

/// What a test does with a letter before it travels: from, to, what.
type Censor = Box<dyn Fn(u64, u64, &Letter) -> bool>;

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn voter(number: u64) -> Voter {
    Voter {
        name: Name::new(&format!("v{number}")).expect("a valid name"),
        id: VoterId(number),
    }
}

fn voters(configuration: u32, count: u64) -> Voters {
    Voters {
        configuration,
        voters: (1..=count).map(voter).collect(),
    }
}

fn office(epoch: u64, number: u64) -> Office {
    Office {
        epoch: Epoch(epoch),
        coordinator: voter(number).name,
        instance: Instance(1),
    }
}

/// A cut that can be told from others.
fn cut(epoch: u64) -> Cut {
    Cut {
        office: Some(office(epoch, 1)),
        ..Cut::default()
    }
}

/// The last cut of a configuration.
fn last_cut(configuration: u32, count: u64) -> Cut {
    Cut {
        voters: Some(voters(configuration, count)),
        ..Cut::default()
    }
}

fn place(number: u64) -> usize {
    usize::try_from(number - 1).expect("a small number")
}

/// A voter, its disk, and what it put out.
struct Seat {
    consensus: Option<Consensus>,
    disk: BTreeMap<Vec<u8>, Vec<u8>>,
    lease: Duration,
    /// Its clock, in thousandths of the true one.
    rate: u64,
    committed: Vec<Cut>,
    /// Its disk takes nothing and answers nothing.
    hangs: bool,
}

struct Post {
    at: Time,
    from: u64,
    to: u64,
    letter: Vec<u8>,
}

/// All voters of one configuration.
struct Table {
    voters: Voters,
    now: Time,
    seats: Vec<Seat>,
    posts: Vec<Post>,
    /// Pairs between which nothing arrives, each way.
    apart: BTreeSet<(u64, u64)>,
    /// Whether a letter is lost.
    loses: Censor,
    /// Whether a letter stays on the way until it is let go.
    delays: Censor,
    late: Vec<Post>,
}

impl Table {
    fn new(count: u64) -> Table {
        Table::with(voters(1, count))
    }

    fn with(voters: Voters) -> Table {
        let seats = voters.voters.iter().map(|_| Seat {
            consensus: None,
            disk: BTreeMap::new(),
            lease: LEASE,
            rate: 1000,
            committed: Vec::new(),
            hangs: false,
        });
        let mut table = Table {
            seats: seats.collect(),
            voters,
            now: Time::from_nanos(1_000_000_000),
            posts: Vec::new(),
            apart: BTreeSet::new(),
            loses: Box::new(|_, _, _| false),
            delays: Box::new(|_, _, _| false),
            late: Vec::new(),
        };
        for number in table.numbers() {
            table.start(number, false);
        }
        table
    }

    fn numbers(&self) -> std::ops::RangeInclusive<u64> {
        1..=self.voters.voters.len() as u64
    }

    /// What a voter's clock shows.
    fn clock(&self, number: u64) -> Time {
        let rate = self.seats[place(number)].rate;
        Time::from_nanos(self.now.as_nanos() / 1000 * rate)
    }

    fn seat(&mut self, number: u64) -> &mut Seat {
        &mut self.seats[place(number)]
    }

    fn consensus(&mut self, number: u64) -> &mut Consensus {
        let consensus = self.seat(number).consensus.as_mut();
        consensus.expect("it is up")
    }

    /// A life of a voter begins with what is on its disk.
    fn start(&mut self, number: u64, restarted: bool) {
        let (voters, now) = (self.voters.clone(), self.clock(number));
        let seat = self.seat(number);
        let stored: Vec<_> = seat.disk.clone().into_iter().collect();
        let settings = ConsensusSettings {
            lease: seat.lease,
            durable: true,
        };
        let me = voter(number);
        let consensus = Consensus::new(&voters, &me, &stored, restarted, settings, now);
        seat.committed.clear();
        seat.consensus = Some(consensus.expect("what was stored can be read"));
        self.drain(number);
    }

    fn crash(&mut self, number: u64) {
        self.seat(number).consensus = None;
        self.posts.retain(|post| post.to != number);
    }

    fn restart(&mut self, number: u64) {
        self.crash(number);
        self.start(number, true);
    }

    fn separate(&mut self, one: &[u64], others: &[u64]) {
        for from in one {
            for to in others {
                self.apart.extend([(*from, *to), (*to, *from)]);
            }
        }
    }

    /// Carries out what a voter says, and checks what must always hold.
    fn drain(&mut self, number: u64) {
        let now = self.clock(number);
        while let Some(consensus) = &mut self.seat(number).consensus {
            let Some(output) = consensus.poll_output() else {
                break;
            };
            match output {
                Output::Save { ticket, writes } => {
                    if self.seat(number).hangs {
                        continue;
                    }
                    for write in writes {
                        match write.value {
                            Some(value) => self.seat(number).disk.insert(write.key, value),
                            None => self.seat(number).disk.remove(&write.key),
                        };
                    }
                    self.consensus(number).handle_saved(ticket, now);
                }
                Output::Letter { to, bytes } => self.post(number, to.0, bytes),
                Output::Committed(cut) => self.seat(number).committed.push(cut),
            }
        }
        self.check();
    }

    fn post(&mut self, from: u64, to: u64, letter: Vec<u8>) {
        let read: Letter = postcard::from_bytes(&letter).expect("voters write what can be read");
        let post = Post {
            at: self.now + WAY,
            from,
            to,
            letter,
        };
        if self.apart.contains(&(from, to)) || (self.loses)(from, to, &read) {
            return;
        }
        if (self.delays)(from, to, &read) {
            self.late.push(post);
        } else {
            self.posts.push(post);
        }
    }

    /// What stayed on the way arrives next.
    fn let_go(&mut self) {
        self.delays = Box::new(|_, _, _| false);
        let at = self.now + WAY;
        let late = std::mem::take(&mut self.late).into_iter();
        self.posts.extend(late.map(|post| Post { at, ..post }));
    }

    /// When something happens next.
    fn next(&self) -> Option<Time> {
        let posts = self.posts.iter().map(|post| post.at);
        let seats = self.seats.iter();
        let timers = seats.filter_map(|seat| {
            let at = seat.consensus.as_ref()?.poll_timeout()?;
            Some(Time::from_nanos(at.as_nanos().div_ceil(seat.rate) * 1000))
        });
        posts.chain(timers).min()
    }

    fn step(&mut self) {
        let now = self.next().map_or(self.now, |at| at.max(self.now));
        self.now = now;
        for number in self.numbers() {
            let clock = self.clock(number);
            let seat = self.seat(number).consensus.as_mut();
            if let Some(consensus) = seat
                && consensus.poll_timeout().is_some_and(|at| at <= clock)
            {
                consensus.handle_timeout(clock);
                self.drain(number);
            }
        }
        let (due, rest) = std::mem::take(&mut self.posts)
            .into_iter()
            .partition(|post| post.at <= now);
        self.posts = rest;
        for post in due {
            self.deliver(&post);
        }
    }

    fn deliver(&mut self, post: &Post) {
        let now = self.clock(post.to);
        if let Some(consensus) = &mut self.seat(post.to).consensus {
            let number = VoterNumber(post.from);
            let heard = consensus.handle_letter(number, &post.letter, now);
            heard.expect("what voters write is allowed");
            self.drain(post.to);
        }
    }

    fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        while self.next().is_some_and(|at| at <= end) {
            self.step();
        }
        self.now = end;
        self.check();
    }

    /// Runs until something holds.
    fn until(&mut self, time: Duration, holds: impl Fn(&Table) -> bool) {
        let end = self.now + time;
        while !holds(self) {
            assert!(self.now <= end, "not within {time:?}");
            self.step();
        }
    }

    /// Who leads and may decide.
    fn leader(&self) -> Option<u64> {
        let mut leads = self.numbers().filter(|number| self.leads(*number));
        let first = leads.next();
        assert_eq!(leads.next(), None, "nobody leads beside {first:?}");
        first
    }

    fn leads(&self, number: u64) -> bool {
        let consensus = self.seats[place(number)].consensus.as_ref();
        consensus.is_some_and(|consensus| consensus.leads(self.clock(number)))
    }

    /// Waits for one that leads.
    fn elect(&mut self) -> u64 {
        self.until(ms(20_000), |table| table.leader().is_some());
        self.leader().expect("one leads")
    }

    /// A voter goes for it, if it may.
    fn campaign(&mut self, number: u64) {
        let now = self.clock(number);
        if let Some(consensus) = &mut self.seat(number).consensus {
            consensus.campaign(now);
        }
        self.drain(number);
    }

    /// Puts a cut to the vote.
    fn propose(&mut self, number: u64, cut: Cut) {
        let now = self.clock(number);
        let proposed = self.consensus(number).propose(cut, now);
        proposed.expect("it leads and nothing is under way");
        self.drain(number);
    }

    fn committed(&self, number: u64) -> &[Cut] {
        &self.seats[place(number)].committed
    }

    /// Proposes, and waits until the others know.
    fn commit(&mut self, number: u64, cut: Cut, at: &[u64]) {
        self.propose(number, cut.clone());
        let know = |table: &Table| {
            let mut at = at.iter();
            at.all(|number| table.committed(*number).last() == Some(&cut))
        };
        self.until(ms(10_000), know);
    }

    /// One leads at most, and all committed the same.
    fn check(&self) {
        self.leader();
        let longest = self.seats.iter().max_by_key(|seat| seat.committed.len());
        let longest = longest.map_or(&[][..], |seat| &seat.committed);
        for seat in &self.seats {
            assert!(longest.starts_with(&seat.committed), "one order");
            if let Some(consensus) = &seat.consensus {
                consensus.check_invariants();
            }
        }
    }
}
