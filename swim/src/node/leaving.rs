//! Leaving: a goodbye to the buddies, who pass it on.

use std::collections::BTreeSet;

use super::outputs::Stop;
use super::{Lifecycle, Node, Timer};
use crate::members::{Name, Statement, Status};
use crate::time::Time;

/// Buddies that have not yet acked the goodbye.
#[derive(Clone, Debug)]
pub(super) struct Goodbye {
    waiting: BTreeSet<Name>,
    seq: u32,
    until: Time,
}

impl Node {
    /// Says goodbye to the buddies; [`Action::Stopped`](super::Action) follows once they acked, and
    /// in any case after the leave timeout. Repeated calls are harmless.
    pub fn leave(&mut self, now: Time) {
        self.enter(now);
        match self.lifecycle {
            Lifecycle::Joining | Lifecycle::Member => {}
            Lifecycle::Leaving | Lifecycle::Left | Lifecycle::Removed => return,
        }
        let buddies = self.table.rings().buddies(&self.me.name);
        let answers = |name: &Name| {
            let member = self.table.get(name.as_str());
            member.is_some_and(|member| member.statement.status == Status::Alive)
        };
        let waiting = buddies.into_iter().filter(answers).collect();
        self.lifecycle = Lifecycle::Leaving;
        self.table.set_me(Statement { record: self.me.clone(), status: Status::Left }, now);
        let name = self.me.name.clone();
        self.gossip_member(&name, now);
        let seq = self.next_seq();
        self.goodbye = Some(Goodbye { waiting, seq, until: now + self.config.leave_timeout });
        self.say_goodbye(now);
    }

    /// The goodbye is the most urgent update, so that it rides on these pings; their acks say that
    /// it was heard.
    fn say_goodbye(&mut self, now: Time) {
        let Some(goodbye) = &self.goodbye else { return };
        if goodbye.waiting.is_empty() || now >= goodbye.until {
            self.goodbye = None;
            self.lifecycle = Lifecycle::Left;
            return self.stop(Stop::Left);
        }
        let (seq, until) = (goodbye.seq, goodbye.until);
        let name = self.me.name.clone();
        for buddy in goodbye.waiting.clone() {
            self.ping(&buddy, seq);
        }
        // Said again to each that did not ack, however often it was passed on already.
        self.gossip_member(&name, now);
        let again = now + self.config.probe_timeout_max / 2;
        self.set_timer(Timer::Leave, again.min(until));
    }

    pub(super) fn on_leave_timeout(&mut self, now: Time) {
        self.say_goodbye(now);
    }

    pub(super) fn on_goodbye_ack(&mut self, seq: u32, from: &str, now: Time) {
        let Some(goodbye) = &mut self.goodbye else { return };
        if goodbye.seq == seq {
            goodbye.waiting.remove(from);
            if goodbye.waiting.is_empty() {
                self.say_goodbye(now);
            }
        }
    }
}
