//! Updates waiting to be passed on (SWIM section 4.1): the least sent first, each only so often.

use hashbrown::HashMap;
use smallvec::SmallVec;

use crate::members::MemberId;

/// What goes ahead of what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// A goodbye: its sender will soon be gone.
    First,
    /// All else.
    Normal,
}

/// The members of whom there is news: at most one update for each, made when it is sent, of what is
/// then held of the member.
#[derive(Clone, Debug, Default)]
pub(crate) struct Queue {
    waiting: HashMap<MemberId, Waiting>,
    urgent: Line,
    normal: Line,
    /// Tickets in the lines that no update holds any more.
    void: usize,
    last: u32,
}

/// An update in its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Waiting {
    serial: u32,
    sent: u32,
    urgency: Urgency,
}

/// Tickets by how often their updates were sent.
#[derive(Clone, Debug, Default)]
struct Line(Vec<Stack>);

/// Tickets of updates that were sent equally often, the newest on top.
#[derive(Clone, Debug, Default)]
struct Stack {
    tickets: Vec<Ticket>,
    /// Those that are not void.
    valid: usize,
}

/// A place in a line: void once its subject waits elsewhere.
#[derive(Clone, Copy, Debug)]
struct Ticket {
    subject: MemberId,
    serial: u32,
}

impl Queue {
    /// How many updates wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Queues an update about `subject`; a newer one takes the older one's place.
    pub(crate) fn put(&mut self, subject: MemberId, urgency: Urgency) {
        self.put_as_sent(subject, urgency, 0);
    }

    /// Queues an update about `subject` as one that was `sent` so often, behind those that were
    /// sent less. One that was sent no more than that waits already, and says what is new.
    pub(crate) fn put_behind(&mut self, subject: MemberId, sent: u32) {
        let waits = self.waiting.get(&subject);
        if waits.is_none_or(|waiting| waiting.sent > sent) {
            self.put_as_sent(subject, Urgency::Normal, sent);
        }
    }

    fn put_as_sent(&mut self, subject: MemberId, urgency: Urgency, sent: u32) {
        self.last = self.last.wrapping_add(1);
        let waiting = Waiting {
            serial: self.last,
            sent,
            urgency,
        };
        if let Some(old) = self.waiting.insert(subject, waiting) {
            self.make_void(old);
        }
        self.line(urgency).push(subject, waiting);
        self.tidy();
    }

    /// Drops the update about `subject`.
    pub(crate) fn remove(&mut self, subject: MemberId) {
        if let Some(old) = self.waiting.remove(&subject) {
            self.make_void(old);
            self.tidy();
        }
    }

    /// How many updates have been sent less than `times`.
    pub(crate) fn fresher_than(&self, times: u32) -> usize {
        let lines = [&self.urgent, &self.normal].into_iter();
        let stacks = lines.flat_map(|line| line.0.iter().take(times as usize));
        stacks.map(|stack| stack.valid).sum()
    }

    /// Appends updates to `buffer` as long as it has no more than `room` bytes: what there is to
    /// say of a member is looked up by `word` and appended by `write`. Each that was sent `limit`
    /// times is done. The update about `but` is left out: it was already said.
    pub(crate) fn fill<W>(
        &mut self,
        buffer: &mut Vec<u8>,
        room: usize,
        limit: u32,
        but: Option<MemberId>,
        word: impl Fn(MemberId) -> W,
        write: impl Fn(&W, &mut Vec<u8>),
    ) -> usize {
        if self.waiting.is_empty() {
            return 0;
        }
        let mut taken: SmallVec<[Ticket; 64]> = SmallVec::new();
        let mut misfits = 0;
        let is_full = |length, misfits| length + SMALLEST > room || misfits == MISFITS;
        for line in [&mut self.urgent, &mut self.normal] {
            for stack in &mut line.0 {
                let mut kept: SmallVec<[Ticket; 2 * AT_ONCE]> = SmallVec::new();
                while !is_full(buffer.len(), misfits) && !stack.tickets.is_empty() {
                    // Looked up together: most of the time is spent waiting for memory.
                    let rest = stack.tickets.len().saturating_sub(AT_ONCE);
                    let looked_up: SmallVec<[(Ticket, Option<W>); AT_ONCE]> = stack
                        .tickets
                        .drain(rest..)
                        .map(|ticket| (ticket, ticket.holds(&self.waiting)))
                        .map(|(ticket, holds)| (ticket, holds.then(|| word(ticket.subject))))
                        .collect();
                    for (ticket, word) in looked_up.into_iter().rev() {
                        let Some(word) = word else {
                            self.void -= 1;
                            continue;
                        };
                        if but == Some(ticket.subject) || is_full(buffer.len(), misfits) {
                            kept.push(ticket);
                            continue;
                        }
                        let before = buffer.len();
                        write(&word, buffer);
                        if buffer.len() > room {
                            buffer.truncate(before);
                            misfits += 1;
                            kept.push(ticket);
                            continue;
                        }
                        stack.valid -= 1;
                        taken.push(ticket);
                    }
                }
                stack.tickets.extend(kept.into_iter().rev());
                stack.tidy();
            }
        }
        for ticket in taken.iter().rev() {
            let waiting = self.waiting.get_mut(&ticket.subject);
            let waiting = waiting.expect("what was taken is still in the queue");
            waiting.sent += 1;
            let waiting = *waiting;
            if waiting.sent < limit {
                self.line(waiting.urgency).push(ticket.subject, waiting);
            } else {
                self.waiting.remove(&ticket.subject);
            }
        }
        self.tidy();
        taken.len()
    }

    /// Somebody is known to hold what these updates say: as if they had been sent `times` more
    /// often. Those that were sent less than `pushed` times, or of whom `covered` says no, stay as
    /// they are.
    pub(crate) fn credit(
        &mut self,
        times: u32,
        pushed: u32,
        limit: u32,
        covered: impl Fn(MemberId) -> bool,
    ) {
        if self.waiting.is_empty() {
            return;
        }
        let stay = pushed.min(limit) as usize;
        for urgency in [Urgency::First, Urgency::Normal] {
            let line = &mut self.line(urgency).0;
            let stacks = line.split_off(stay.min(line.len()));
            for ticket in stacks.into_iter().flat_map(|stack| stack.tickets) {
                if !ticket.holds(&self.waiting) {
                    self.void -= 1;
                    continue;
                }
                let waiting = self.waiting.get_mut(&ticket.subject);
                let waiting = waiting.expect("a ticket that holds has an update");
                if waiting.sent >= pushed && covered(ticket.subject) {
                    waiting.sent += times;
                }
                let waiting = *waiting;
                if waiting.sent < limit {
                    self.line(urgency).push(ticket.subject, waiting);
                } else {
                    self.waiting.remove(&ticket.subject);
                }
            }
        }
        self.tidy();
    }

    fn line(&mut self, urgency: Urgency) -> &mut Line {
        match urgency {
            Urgency::First => &mut self.urgent,
            Urgency::Normal => &mut self.normal,
        }
    }

    fn make_void(&mut self, old: Waiting) {
        self.line(old.urgency).0[old.sent as usize].valid -= 1;
        self.void += 1;
    }

    /// Gives back what a burst of news needed, and drops void tickets once they are the most.
    fn tidy(&mut self) {
        if self.waiting.is_empty() {
            let last = self.last;
            *self = Queue {
                last,
                ..Queue::default()
            };
            return;
        }
        if self.waiting.capacity() > 64 && self.waiting.len() < self.waiting.capacity() / 8 {
            self.waiting.shrink_to(2 * self.waiting.len());
        }
        if self.void <= 64 + self.waiting.len() {
            return;
        }
        let waiting = &self.waiting;
        for stack in self.urgent.0.iter_mut().chain(&mut self.normal.0) {
            stack.tickets.retain(|ticket| ticket.holds(waiting));
        }
        self.void = 0;
    }

    /// How much the lines hold, valid or void.
    #[cfg(test)]
    pub(super) fn tickets(&self) -> usize {
        let stacks = self.urgent.0.iter().chain(&self.normal.0);
        stacks.map(|stack| stack.tickets.len()).sum()
    }

    /// Whether lines and entries say the same.
    pub(crate) fn check_invariants(&self) {
        let (mut valid, mut void) = (0, 0);
        for (urgency, line) in [
            (Urgency::First, &self.urgent),
            (Urgency::Normal, &self.normal),
        ] {
            for (sent, stack) in line.0.iter().enumerate() {
                let holds = |ticket: &&Ticket| {
                    let waiting = Waiting {
                        serial: ticket.serial,
                        sent: sent as u32,
                        urgency,
                    };
                    self.waiting.get(&ticket.subject) == Some(&waiting)
                };
                let held = stack.tickets.iter().filter(holds).count();
                assert_eq!(held, stack.valid, "each stack knows its updates");
                valid += held;
                void += stack.tickets.len() - held;
            }
        }
        assert_eq!(valid, self.waiting.len(), "every update is in line once");
        assert_eq!(void, self.void, "void tickets are counted");
    }
}

impl Line {
    fn push(&mut self, subject: MemberId, waiting: Waiting) {
        let sent = waiting.sent as usize;
        if self.0.len() <= sent {
            self.0.resize_with(sent + 1, Stack::default);
        }
        let serial = waiting.serial;
        self.0[sent].tickets.push(Ticket { subject, serial });
        self.0[sent].valid += 1;
    }
}

impl Ticket {
    /// Whether its subject still waits where it stands.
    fn holds(&self, waiting: &HashMap<MemberId, Waiting>) -> bool {
        let known = waiting.get(&self.subject);
        known.is_some_and(|known| known.serial == self.serial)
    }
}

impl Stack {
    /// Gives back what a burst of news needed.
    fn tidy(&mut self) {
        if self.tickets.capacity() > 64 && self.tickets.len() < self.tickets.capacity() / 4 {
            self.tickets.shrink_to(2 * self.tickets.len());
        }
    }
}

/// So many updates are a crowd: one push to all its targets holds about half of them.
pub(crate) const CROWD: usize = 256;

/// Updates that are looked up together.
const AT_ONCE: usize = 16;

/// No update is shorter: a claim with names of one byte and numbers of one.
const SMALLEST: usize = 8;

/// Updates that are tried and do not fit before a datagram counts as full.
const MISFITS: usize = 8;

/// How often an update is passed on among `members`: `multiplier` log2(n + 1), rounded up
/// (SWIM section 4.1).
pub(crate) fn send_limit(multiplier: u32, members: usize) -> u32 {
    let log2 = usize::BITS - members.leading_zeros();
    multiplier * log2.max(1)
}
