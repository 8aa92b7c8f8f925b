//! Leaving: a goodbye to the buddies, who pass it on.

use std::collections::BTreeSet;

use super::outputs::{Outgoing, Stop};
use super::{Lifecycle, Node, Timer};
use crate::members::{Name, Statement, Status};
use crate::time::Time;
use crate::wire::Message;

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
        // Whoever else has our name: it may have it now.
        self.namesake = None;
        self.timers.cancel(&Timer::Namesake);
        self.table.set_me(Statement { record: self.me.clone(), status: Status::Left }, now);
        let name = self.me.name.clone();
        self.gossip_member(&name, now);
        let seq = self.next_seq();
        self.goodbye = Some(Goodbye { waiting, seq, until: now + self.config.leave_timeout });
        self.say_goodbye(now);
    }

    /// Each ping begins with the goodbye, so that its ack says that it was heard.
    fn say_goodbye(&mut self, now: Time) {
        let Some(goodbye) = &self.goodbye else { return };
        if goodbye.waiting.is_empty() || now >= goodbye.until {
            self.goodbye = None;
            self.lifecycle = Lifecycle::Left;
            return self.stop(Stop::Left);
        }
        let Goodbye { waiting, seq, until } = goodbye.clone();
        let me = Statement { record: self.me.clone(), status: Status::Left };
        let goodbye = self.encode_fitting(self.claim_of(&me));
        let waiting: Vec<_> = waiting
            .iter()
            .filter_map(|buddy| self.table.get(buddy.as_str()))
            .map(|buddy| (buddy.statement.record.addr, buddy.statement.record.instance))
            .collect();
        for (to, target) in waiting {
            let message = Message::Ping { seq, target };
            let first = Some((self.me.name.clone(), goodbye.clone()));
            self.send(Outgoing { to, message, first });
        }
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
