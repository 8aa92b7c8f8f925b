//! What the consensus hands to its caller: saves at once, and what rests on them once they are
//! durable.

use omnipaxos::messages::Message;

use super::letter::Letter;
use super::{Consensus, VoterNumber};
use crate::coordinator::Cut;
use crate::limits;
use crate::node::Write;
use crate::time::Time;

/// What the caller is to do.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Output {
    /// Save this durably, then call [`Consensus::handle_saved`].
    Save { ticket: u64, writes: Vec<Write> },
    /// Send this.
    Letter { to: VoterNumber, bytes: Vec<u8> },
    /// The next cut of this configuration, in order.
    Committed(Cut),
}

impl Consensus {
    /// The next thing to do.
    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        if let Some(save) = self.saves.pop_front() {
            return Some(save);
        }
        let (after, _) = self.held.front()?;
        if *after > self.saved {
            return None;
        }
        let (_, output) = self.held.pop_front()?;
        if let Output::Committed(_) = output {
            self.given += 1;
        }
        Some(output)
    }

    /// Takes what the consensus has to say and what it changed.
    pub(super) fn collect(&mut self, now: Time) {
        if self.is_over() {
            return;
        }
        let mut messages = Vec::new();
        if let Some(paxos) = &mut self.paxos {
            paxos.take_outgoing_messages(&mut messages);
        }
        let writes = self.log.lock().take_writes();
        if self.settings.durable && !writes.is_empty() {
            self.last_save += 1;
            let ticket = self.last_save;
            self.saves.push_back(Output::Save { ticket, writes });
        }
        for message in messages {
            let (to, letter) = match message {
                Message::SequencePaxos(message) => (message.to, Letter::Log(message.msg)),
                Message::BLE(message) => (message.to, Letter::Beat(message.msg)),
            };
            self.write(to, &letter);
        }
        self.look_who_leads(now);
        loop {
            let kept = self.log.lock();
            if self.told >= kept.decided() {
                break;
            }
            let cut = kept.cuts[self.told].clone();
            drop(kept);
            self.told += 1;
            // What follows in the log of a configuration that has ended was never decided.
            self.finished = cut.voters.is_some();
            self.hold(Output::Committed(cut));
            if self.finished {
                break;
            }
        }
    }

    fn look_who_leads(&mut self, now: Time) {
        let Some(paxos) = &self.paxos else {
            return;
        };
        let leads = paxos.get_current_leader() == Some((self.facts.me, true));
        let ballot = leads.then(|| paxos.get_promise());
        if ballot != self.leading {
            self.leading = ballot;
            self.found = self.log.lock().cuts.len();
            self.leases.forget_own();
            self.next_ask = now;
            self.behind_since = None;
            if ballot.is_some() && !self.leases.is_silent(now) {
                self.ask(now);
            }
        }
    }

    pub(super) fn write(&mut self, to: u64, letter: &Letter) {
        let bytes = postcard::to_allocvec(letter).expect("letters serialize into memory");
        if bytes.len() <= limits::LETTER_BYTES {
            let to = VoterNumber(to);
            self.hold(Output::Letter { to, bytes });
        }
    }

    fn hold(&mut self, output: Output) {
        self.held.push_back((self.last_save, output));
    }
}
