//! Leaving: a goodbye to the buddies, who pass it on.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::outputs::{Outgoing, Stop};
use super::{Lifecycle, Node, Timer};
use crate::coordinator::View;
use crate::event::AppDownCause;
use crate::members::{Name, NameHash, Statement, Status};
use crate::time::Time;
use crate::wire::Message;

/// Who was told goodbye, and who acked it.
#[derive(Clone, Debug)]
pub(super) struct Goodbye {
    asked: BTreeSet<Name>,
    acked: BTreeSet<Name>,
    seq: u32,
    until: Time,
}

/// A vote that this node laid down while it leaves, and who knows of it.
#[derive(Debug)]
pub(super) struct HandOver {
    /// The view since which others vote.
    since: View,
    /// Those of them that showed it.
    aware: BTreeSet<Name>,
}

impl Node {
    /// Says goodbye to the buddies, once what became of an app just before is on its way to all;
    /// [`Action::Stopped`](super::Action) follows once they acked, and
    /// in any case after the leave timeout. Repeated calls are harmless.
    pub fn leave(&mut self, now: Time) {
        self.enter(now);
        match self.lifecycle {
            Lifecycle::Joining | Lifecycle::Member => {}
            Lifecycle::Leaving | Lifecycle::Left | Lifecycle::Removed => return,
        }
        self.lifecycle = Lifecycle::Leaving;
        // Whoever else has our name: it may have it now.
        self.namesake = None;
        self.timers.cancel(&Timer::Namesake);
        // A goodbye takes the place of the record in what is passed on.
        let known = self.apps_known_at().filter(|known| *known > now);
        match known {
            Some(known) => self.set_timer(Timer::Leave, known),
            None => self.begin_goodbye(now),
        }
    }

    fn begin_goodbye(&mut self, now: Time) {
        self.table.set_me(
            Statement {
                record: Arc::new(self.me.clone()),
                status: Status::Left,
            },
            now,
        );
        let name = self.me.name.clone();
        let me = self.me();
        self.tell_apps_gone(&me, AppDownCause::MemberLeft, now);
        self.gossip_member(&name, now);
        self.note_for_office(&name, now);
        let seq = self.next_seq();
        let until = now + self.config.leave_timeout;
        let (asked, acked) = (BTreeSet::new(), BTreeSet::new());
        self.goodbye = Some(Goodbye {
            asked,
            acked,
            seq,
            until,
        });
        self.tell_suspects(seq);
        self.tell_voters(seq);
        self.say_goodbye(now);
    }

    /// A goodbye counts as a verdict only with those that heard it from the leaver itself, and any
    /// voter may be the next to decide. Only the one that does is waited for.
    fn tell_voters(&mut self, seq: u32) {
        let waited_for = self.unaware_buddies(&BTreeSet::new());
        for voter in self.other_voters() {
            if !waited_for.contains(&voter) {
                self.ping_goodbye(&voter, seq);
            }
        }
    }

    /// Whether this node has a member's goodbye from the member itself.
    pub(super) fn left_by_itself(&self, name: &Name) -> bool {
        let held = self.table.get(name.as_str());
        let left = held.filter(|member| member.statement.status == Status::Left);
        left.is_some_and(|member| member.left_by_itself || *name == self.me.name)
    }

    /// Buddies that may be stalled find the goodbye when they go on; nobody waits for their acks.
    fn tell_suspects(&mut self, seq: u32) {
        for buddy in self.table.rings().buddies() {
            let member = self.table.get(buddy.as_str());
            if member.is_some_and(|member| member.statement.status == Status::Suspect) {
                self.ping_goodbye(&buddy, seq);
            }
        }
    }

    /// The buddies, and the coordinator, that do not know yet. When one of them says goodbye as
    /// well, others are buddies in its place: of many that leave together the last word must not be
    /// told to leavers only.
    fn unaware_buddies(&self, acked: &BTreeSet<Name>) -> BTreeSet<Name> {
        let waits = |name: &Name| {
            let member = self.table.get(name.as_str());
            let answers = member.is_some_and(|member| member.statement.status == Status::Alive);
            answers && !acked.contains(name)
        };
        let coordinator = self.office_holder();
        let others = coordinator.filter(|name| *name != self.me.name);
        let buddies = self.table.rings().buddies().into_iter();
        buddies.chain(others).filter(waits).collect()
    }

    /// Others vote in this node's place from this view on. Until most of them know, the memory of
    /// this node may be the only one that tells who votes: it must not leave before.
    pub(super) fn hand_over(&mut self, since: View) {
        self.agreed.hand_over = Some(HandOver {
            since,
            aware: BTreeSet::new(),
        });
    }

    /// A member of this history shows which view it knows.
    pub(super) fn note_heir(&mut self, from: &str, view: View, now: Time) {
        let Some(hand_over) = &mut self.agreed.hand_over else {
            return;
        };
        let Ok(name) = Name::new(from) else {
            return;
        };
        let voters = self.agreed.history.as_ref().map(|held| held.roster());
        let votes = voters.is_some_and(|roster| roster.is_voter(from));
        if votes && view >= hand_over.since && hand_over.aware.insert(name) {
            self.go_on_leaving(now);
        }
    }

    /// Those that vote in the place of this one and may not know it, unless most do.
    fn unaware_heirs(&self) -> BTreeSet<Name> {
        let (Some(hand_over), Some(roster)) = (&self.agreed.hand_over, self.agreed.roster()) else {
            return BTreeSet::new();
        };
        let heirs = &roster.head.voters.voters;
        if hand_over.aware.len() > heirs.len() / 2 {
            return BTreeSet::new();
        }
        let names = heirs.iter().map(|voter| &voter.name);
        names
            .filter(|name| **name != self.me.name && !hand_over.aware.contains(*name))
            .cloned()
            .collect()
    }

    fn say_goodbye(&mut self, now: Time) {
        let Some(goodbye) = &mut self.goodbye else {
            return;
        };
        goodbye.asked.clear();
        let until = goodbye.until;
        let again = now + self.config.probe_timeout_max / 2;
        self.set_timer(Timer::Leave, again.min(until));
        self.go_on_leaving(now);
    }

    /// Tells those that were not told yet, or ends when all know.
    fn go_on_leaving(&mut self, now: Time) {
        let Some(goodbye) = self.goodbye.clone() else {
            return;
        };
        let mut waiting = self.unaware_buddies(&goodbye.acked);
        let heirs = self.unaware_heirs();
        let done = waiting.is_empty() && heirs.is_empty() && !self.leaves_as_voter();
        waiting.extend(heirs);
        if done || now >= goodbye.until {
            self.goodbye = None;
            self.lifecycle = Lifecycle::Left;
            return self.stop(Stop::Left);
        }
        for buddy in waiting.difference(&goodbye.asked) {
            self.ping_goodbye(buddy, goodbye.seq);
        }
        if let Some(goodbye) = &mut self.goodbye {
            goodbye.asked.extend(waiting);
        }
    }

    /// The ping begins with the goodbye, so that its ack says that it was heard.
    fn ping_goodbye(&mut self, buddy: &Name, seq: u32) {
        let Some(member) = self.table.get(buddy.as_str()) else {
            return;
        };
        let (to, target) = (
            member.statement.record.addr,
            member.statement.record.instance,
        );
        let me = Statement {
            record: Arc::new(self.me.clone()),
            status: Status::Left,
        };
        let first = Some((self.me.name.clone(), self.said(&me, false)));
        self.send(Outgoing {
            receiver: NameHash::of(buddy.as_str()),
            to,
            message: Message::Ping { seq, target },
            first,
        });
    }

    pub(super) fn on_leave_timeout(&mut self, now: Time) {
        match &self.goodbye {
            Some(_) => self.say_goodbye(now),
            None => self.begin_goodbye(now),
        }
    }

    pub(super) fn on_goodbye_ack(&mut self, seq: u32, from: &str, now: Time) {
        let Some(member) = self.table.get(from) else {
            return;
        };
        let name = member.statement.record.name.clone();
        if let Some(goodbye) = self.goodbye.as_mut().filter(|goodbye| goodbye.seq == seq) {
            goodbye.acked.insert(name);
            self.go_on_leaving(now);
        }
    }
}
