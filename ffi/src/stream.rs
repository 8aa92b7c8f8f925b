//! The events of an agent as they come: one descriptor that stays the same, whatever happens to the
//! connections behind it.
//!
//! Nothing runs by itself: whoever asks for the next event also connects anew, when it is time. The
//! descriptor is an epoll of the connection, of a timer (when to connect again, when a silent agent
//! is given up) and of a bell that rings while events are here already.

use std::collections::VecDeque;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use muster_sidecar::cli::client::percent_encoded;
use muster_sidecar::cli::sse::{self, Message};
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::event::{EventfdFlags, eventfd};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

use crate::client::{is_no_such_route, refusal};
use crate::connection::{ANSWER_BYTES, Deadline, Exchange, Progress, Woken};
use crate::document::Event;
use crate::failure::{Failure, Status};
use crate::http::Request;
use crate::origin::Origin;

/// The rests between tries to connect: the first, and the longest.
const FIRST_REST: Duration = Duration::from_millis(50);
const LONGEST_REST: Duration = Duration::from_secs(2);

/// An agent says something every 15 s; one that is silent for longer is given up.
const SILENCE: Duration = Duration::from_secs(40);

/// A stream of events.
#[derive(Debug)]
pub struct Events {
    origin: Origin,
    epoll: OwnedFd,
    watch: Mutex<Watch>,
}

/// What changes.
#[derive(Debug)]
struct Watch {
    socket: PathBuf,
    types: Option<String>,
    timer: OwnedFd,
    bell: OwnedFd,
    rings: bool,
    link: Link,
    parser: sse::Parser,
    /// Events that came and were not taken.
    queue: VecDeque<Message>,
    /// Up to where all is in `queue` or was given: there the next connection goes on.
    heard: Option<String>,
    /// Up to where all was given.
    cursor: Option<String>,
    rest: Duration,
    /// Whether an agent ever answered: before, whatever fails is told.
    was_up: bool,
}

#[derive(Debug)]
enum Link {
    Down {
        again: Instant,
    },
    Up {
        exchange: Box<Exchange>,
        last: Instant,
    },
}

impl Events {
    /// Connects at once; an error when nobody is there.
    pub(crate) fn open(
        socket: PathBuf,
        since: Option<&str>,
        types: Option<&str>,
    ) -> Result<Events, Failure> {
        let system = |error| Failure::system("open what a stream of events needs", error);
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(system)?;
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags).map_err(system)?;
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map_err(system)?;
        for descriptor in [&timer, &bell] {
            let number = EventData::new_u64(0);
            epoll::add(&epoll, descriptor, number, EventFlags::IN).map_err(system)?;
        }
        let given = since.map(str::to_owned);
        let mut watch = Watch {
            socket,
            types: types.map(str::to_owned),
            timer,
            bell,
            rings: false,
            link: Link::Down {
                again: Instant::now(),
            },
            parser: sse::Parser::new(),
            queue: VecDeque::new(),
            heard: given.clone(),
            cursor: given,
            rest: FIRST_REST,
            was_up: false,
        };
        watch.connect(&epoll)?;
        Ok(Events {
            origin: Origin::here(),
            epoll,
            watch: Mutex::new(watch),
        })
    }

    pub(crate) fn descriptor(&self) -> i32 {
        if self.origin.is_here() {
            self.epoll.as_raw_fd()
        } else {
            -1
        }
    }

    /// The next event, if one is here.
    pub(crate) fn next(&self) -> Result<Event, Failure> {
        let mut watch = self.lock()?;
        watch.next(&self.epoll)
    }

    /// The next event; waits for it.
    pub(crate) fn wait(&self, timeout_ms: i64) -> Result<Event, Failure> {
        let mut watch = self.lock()?;
        let deadline = Deadline::after(timeout_ms);
        loop {
            match watch.next(&self.epoll) {
                Err(failure) if failure.status == Status::Again => {}
                done => return done,
            }
            match deadline.wait(self.epoll.as_fd())? {
                Woken::Readable => {}
                Woken::Late => return Err(Failure::timeout(deadline.waited())),
                Woken::Signal => return Err(Failure::interrupted()),
            }
        }
    }

    /// The cursor of the last event given, if there is any yet.
    pub(crate) fn cursor(&self) -> Result<Option<String>, Failure> {
        Ok(self.lock()?.cursor.clone())
    }

    /// Whether a connection stands on which the agent has answered.
    pub(crate) fn is_connected(&self) -> Result<bool, Failure> {
        let watch = self.lock()?;
        Ok(match &watch.link {
            Link::Up { exchange, .. } => exchange.decoder.head().is_some(),
            Link::Down { .. } => false,
        })
    }

    fn lock(&self) -> Result<MutexGuard<'_, Watch>, Failure> {
        self.origin.check("stream of events")?;
        self.watch
            .try_lock()
            .map_err(|_| Failure::busy("stream of events"))
    }
}

impl Watch {
    fn next(&mut self, epoll: &OwnedFd) -> Result<Event, Failure> {
        // Only when all that came was taken: who does not take events leaves them to the agent.
        let turned = if self.queue.is_empty() {
            self.turn(epoll)
        } else {
            Ok(())
        };
        let message = self.queue.pop_front();
        self.ring(!self.queue.is_empty());
        turned?;
        let Some(message) = message else {
            self.cursor.clone_from(&self.heard);
            return Err(Failure::again());
        };
        if message.id.is_some() {
            self.cursor.clone_from(&message.id);
        }
        Event::parse(&message).map_err(|reason| {
            Failure::other_version(&self.socket, "unknown", format!("an event has {reason}"))
        })
    }

    /// Does what there is to do, without waiting.
    fn turn(&mut self, epoll: &OwnedFd) -> Result<(), Failure> {
        let mut expirations = [0_u8; 8];
        // Nothing to read: it has not fired.
        let fired = rustix::io::read(&self.timer, &mut expirations[..]).is_ok();
        let now = Instant::now();
        match &self.link {
            Link::Down { again } if *again <= now => {
                if let Err(failure) = self.connect(epoll) {
                    return self.on_failure(failure, epoll);
                }
            }
            Link::Down { again } => {
                let again = *again;
                return if fired { self.arm(again) } else { Ok(()) };
            }
            Link::Up { .. } => {}
        }
        match self.receive() {
            Ok(()) if fired => self.arm_for_silence(),
            Ok(()) => Ok(()),
            Err(failure) => self.on_failure(failure, epoll),
        }
    }

    fn connect(&mut self, epoll: &OwnedFd) -> Result<(), Failure> {
        let mut target = "/v1/events".to_owned();
        let since = self.heard.iter().map(|since| ("since", since));
        let types = self.types.iter().map(|types| ("types", types));
        for (sign, (name, value)) in ['?', '&'].into_iter().zip(since.chain(types)) {
            target.push_str(&format!("{sign}{name}={}", percent_encoded(value)));
        }
        let begun = Exchange::begin(&self.socket, &Request::get(&target))?;
        let exchange = begun.ok_or_else(|| Failure::silent(&self.socket, Duration::ZERO))?;
        let added = epoll::add(epoll, &exchange, EventData::new_u64(0), EventFlags::IN);
        added.map_err(|error| Failure::system("watch the connection", error))?;
        self.parser = sse::Parser::new();
        self.link = Link::Up {
            exchange: Box::new(exchange),
            last: Instant::now(),
        };
        self.arm_for_silence()
    }

    /// Reads until there are events, or nothing more to read.
    fn receive(&mut self) -> Result<(), Failure> {
        let Link::Up { exchange, last } = &mut self.link else {
            return Ok(());
        };
        while self.queue.is_empty() {
            let progress = exchange.receive()?;
            let Some(head) = exchange.decoder.head() else {
                break;
            };
            if head.status != 200 {
                match progress {
                    Progress::Done => {
                        let refused = refusal(&self.socket, head, &exchange.body);
                        return Err(versioned(&self.socket, refused));
                    }
                    Progress::More => continue,
                    Progress::Idle => break,
                }
            }
            if head.media_type != "text/event-stream" {
                return Err(Failure::not_muster(&self.socket, "it sends no events"));
            }
            self.was_up = true;
            self.rest = FIRST_REST;
            self.parser.push(&exchange.body);
            exchange.body.clear();
            self.queue.extend(std::iter::from_fn(|| self.parser.take()));
            if let Some(id) = self.parser.last_id() {
                self.heard = Some(id.to_owned());
            }
            if self.parser.pending() > ANSWER_BYTES {
                return Err(Failure::not_muster(&self.socket, "its event has no end"));
            }
            match progress {
                Progress::More => *last = Instant::now(),
                Progress::Idle => break,
                Progress::Done if self.queue.is_empty() => {
                    return Err(Failure::broken(&self.socket, "it ended the stream"));
                }
                Progress::Done => {}
            }
        }
        let silent = last.elapsed();
        match silent < SILENCE {
            true => Ok(()),
            false => Err(Failure::silent(&self.socket, silent)),
        }
    }

    /// The connection is gone. What passes is not told once an agent has answered.
    fn on_failure(&mut self, failure: Failure, epoll: &OwnedFd) -> Result<(), Failure> {
        let again = Instant::now() + self.rest;
        self.rest = (self.rest * 2).min(LONGEST_REST);
        if let Link::Up { exchange, .. } = &self.link {
            // It does not leave by itself when it is closed: a child may hold it as well.
            let _ = epoll::delete(epoll, exchange);
        }
        self.link = Link::Down { again };
        self.arm(again)?;
        match self.was_up && failure.is_passing() {
            true => Ok(()),
            false => Err(failure),
        }
    }

    fn arm_for_silence(&self) -> Result<(), Failure> {
        match &self.link {
            Link::Up { last, .. } => self.arm(*last + SILENCE),
            Link::Down { again } => self.arm(*again),
        }
    }

    /// Has the descriptor readable at that time.
    fn arm(&self, at: Instant) -> Result<(), Failure> {
        let ahead = at.saturating_duration_since(Instant::now());
        // Zero would disarm it.
        let ahead = ahead.max(Duration::from_millis(1));
        let zero = Timespec::default();
        let spec = Itimerspec {
            it_interval: zero,
            it_value: Timespec::try_from(ahead).unwrap_or(zero),
        };
        let set = timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &spec);
        set.map(drop)
            .map_err(|error| Failure::system("set a timer", error))
    }

    /// Keeps the descriptor readable while events are here.
    fn ring(&mut self, rings: bool) {
        if self.rings == rings {
            return;
        }
        self.rings = rings;
        // Neither can fail: a bell that rings is read, one that does not has room.
        if rings {
            let _ = rustix::io::write(&self.bell, &1_u64.to_ne_bytes());
        } else {
            let _ = rustix::io::read(&self.bell, &mut [0_u8; 8][..]);
        }
    }
}

fn versioned(socket: &std::path::Path, failure: Failure) -> Failure {
    match is_no_such_route(&failure) {
        true => Failure::other_version(socket, "unknown", &failure.message),
        false => failure,
    }
}
