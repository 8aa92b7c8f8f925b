//! A member of a cluster of `foca` over UDP: `foca-agent NAME BIND SEED MEMBERS`. It prints a line
//! for each member that comes or goes; `tests/peers` runs it.
//!
//! Settings are the crate's own for a local network of so many members.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::env;
use std::error::Error;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, UdpSocket};
use std::num::NonZeroU32;
use std::process;
use std::time::{Duration, Instant};

use foca::{
    AccumulatingRuntime, Config, Foca, Identity, NoCustomBroadcast, OwnedNotification,
    PostcardCodec, Timer,
};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use serde::{Deserialize, Serialize};

/// While it is alone a member asks its seed so often: the seed may start later.
const ANNOUNCE_INTERVAL: Duration = Duration::from_secs(1);

/// A member: `life` grows with each return after it was held for dead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Id {
    name: String,
    addr: SocketAddr,
    life: u16,
}

impl Identity for Id {
    type Addr = SocketAddr;

    fn renew(&self) -> Option<Id> {
        let life = self.life.wrapping_add(1);
        Some(Id {
            life,
            ..self.clone()
        })
    }

    fn addr(&self) -> SocketAddr {
        self.addr
    }

    fn win_addr_conflict(&self, adversary: &Id) -> bool {
        self.life > adversary.life
    }
}

struct Agent {
    socket: UdpSocket,
    foca: Foca<Id, PostcardCodec, SmallRng, NoCustomBroadcast>,
    outputs: AccumulatingRuntime<Id>,
    timers: BinaryHeap<Reverse<(Instant, Timer<Id>)>>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = env::args().skip(1).collect();
    let [name, bind, seed, members] = words.as_slice() else {
        return Err("usage: foca-agent NAME BIND SEED MEMBERS".into());
    };
    let id = |name: &str, addr: &str| -> Result<Id, Box<dyn Error>> {
        Ok(Id {
            name: name.to_owned(),
            addr: addr.parse()?,
            life: 0,
        })
    };
    let (own, seed) = (id(name, bind)?, id("n1", seed)?);
    let config = Config::new_lan(members.parse::<NonZeroU32>()?);
    let rng = SmallRng::seed_from_u64(u64::from(process::id()));
    let mut agent = Agent {
        socket: UdpSocket::bind(own.addr)?,
        foca: Foca::new(own, config, rng, PostcardCodec),
        outputs: AccumulatingRuntime::new(),
        timers: BinaryHeap::new(),
    };
    agent.run(&seed)
}

impl Agent {
    fn run(&mut self, seed: &Id) -> Result<(), Box<dyn Error>> {
        let mut buffer = [0; 2048];
        let mut announce = Instant::now();
        loop {
            let now = Instant::now();
            if announce <= now && self.foca.num_members() == 0 {
                if seed.addr != self.foca.identity().addr {
                    self.foca.announce(seed.clone(), &mut self.outputs)?;
                }
                announce = now + ANNOUNCE_INTERVAL;
            }
            while let Some(Reverse((due, _))) = self.timers.peek() {
                if *due > now {
                    break;
                }
                if let Some(Reverse((_, timer))) = self.timers.pop() {
                    // What it complains about is a timer that has lost its meaning.
                    let _ = self.foca.handle_timer(timer, &mut self.outputs);
                }
            }
            self.drain();
            let due = self.timers.peek().map(|Reverse((due, _))| *due);
            let alone = (self.foca.num_members() == 0).then_some(announce);
            let next = due.into_iter().chain(alone).min();
            let wait = next.map(|next| next.saturating_duration_since(Instant::now()));
            let wait = wait.map(|wait| wait.max(Duration::from_millis(1)));
            self.socket.set_read_timeout(wait)?;
            match self.socket.recv(&mut buffer) {
                // A datagram that it refuses is lost, as on any network.
                Ok(size) => drop(self.foca.handle_data(&buffer[..size], &mut self.outputs)),
                Err(error) if is_harmless(&error) => {}
                Err(error) => return Err(error.into()),
            }
            self.drain();
        }
    }

    fn drain(&mut self) {
        while let Some((to, data)) = self.outputs.to_send() {
            // A send that fails is a datagram lost.
            let _ = self.socket.send_to(&data, to.addr);
        }
        let now = Instant::now();
        while let Some((after, timer)) = self.outputs.to_schedule() {
            self.timers.push(Reverse((now + after, timer)));
        }
        while let Some(told) = self.outputs.to_notify() {
            match told {
                OwnedNotification::MemberUp(id) => println!("member-up member={}", id.name),
                OwnedNotification::MemberDown(id) => println!("member-down member={}", id.name),
                OwnedNotification::Rename(..)
                | OwnedNotification::Active
                | OwnedNotification::Idle
                | OwnedNotification::Defunct
                | OwnedNotification::Rejoin(_) => {}
            }
        }
    }
}

fn is_harmless(error: &io::Error) -> bool {
    let kinds = [
        ErrorKind::WouldBlock,
        ErrorKind::TimedOut,
        ErrorKind::Interrupted,
        ErrorKind::ConnectionRefused,
    ];
    kinds.contains(&error.kind())
}
