//! Suspicion: who is accused by whom, how it is confirmed, and how it ends (SWIM section 4.2,
//! Lifeguard section IV-B).

use std::sync::Arc;
use std::time::Duration;

use super::agreement::Quorum;
use super::{Node, Timer};
use crate::config::Tell;
use crate::detector::{Purpose, Suspicion};
use crate::event::{EventKind, Silence, UnreachableCause};
use crate::gossip::Urgency;
use crate::members::{Instance, Name, NameHash, Rank, Statement, Status};
use crate::time::Time;
use crate::wire::Message;

impl Node {
    /// Our own round for a member failed.
    pub(super) fn accuse(
        &mut self,
        target: &Name,
        instance: Instance,
        silence: Silence,
        now: Time,
    ) {
        let Some(member) = self.table.get(target.as_str()) else {
            return;
        };
        if member.statement.record.instance != instance {
            return;
        }
        let me = self.me.name.clone();
        let status = member.statement.status;
        self.report(target, instance, silence, now);
        match status {
            Status::Alive => {
                self.suspect(target, me.clone(), Some(silence), now);
                if silence == Silence::Refused {
                    self.refuse(target, &[me], now);
                }
            }
            Status::Suspect => {
                let refused = silence == Silence::Refused;
                let refused = if refused {
                    std::slice::from_ref(&me)
                } else {
                    &[]
                };
                self.confirm(target, &me, refused, now);
            }
            Status::Unreachable | Status::Left => return,
        }
        if self.config.parts.tell_suspects == Tell::Everything {
            // Tell the suspect directly; its ack brings the refutation.
            let seq = self.next_seq();
            self.ping(target, seq);
        }
    }

    /// Another member says that it could not reach this one.
    pub(super) fn on_suspect_claim(
        &mut self,
        name: &Name,
        rank: Rank,
        (by, refused): (Name, &[Name]),
        now: Time,
    ) {
        if self.is_condemned(name.as_str(), rank.instance) {
            // More than a suspicion is known of it.
            return;
        }
        let Some(status) = self.held_at(name, rank) else {
            return;
        };
        match status {
            Status::Alive => {
                self.suspect(name, by, None, now);
                self.refuse(name, refused, now);
            }
            Status::Suspect => self.confirm(name, &by, refused, now),
            Status::Unreachable | Status::Left => {}
        }
    }

    /// Another member holds this one for unreachable. When we thought it well until just now it
    /// gets the shortest time to refute that, however many say so: a healed partition must not
    /// bring down the other half. In an undivided cluster all have suspected it about as long.
    pub(super) fn on_unreachable_claim(
        &mut self,
        name: &Name,
        rank: Rank,
        (by, refused): (Name, &[Name]),
        now: Time,
    ) {
        let Some(status) = self.held_at(name, rank) else {
            return;
        };
        let suspicion = self
            .table
            .get(name.as_str())
            .and_then(|member| member.suspicion.as_ref());
        let ripe = suspicion.is_some_and(|suspicion| suspicion.is_ripe(now));
        match status {
            Status::Alive => {
                self.suspect(name, by, None, now);
                self.hasten(name);
                self.refuse(name, refused, now);
            }
            Status::Suspect if !ripe => {
                self.hasten(name);
                self.refuse(name, refused, now);
            }
            Status::Suspect => self.unreachable(name, UnreachableCause::Told { by }, now),
            Status::Unreachable | Status::Left => {}
        }
    }

    /// The status held of a member if we hold it at just this version; `None` when the claim is
    /// old.
    fn held_at(&self, name: &Name, rank: Rank) -> Option<Status> {
        let held = &self.table.get(name.as_str())?.statement;
        let record = &held.record;
        let same = (record.instance, record.incarnation) == (rank.instance, rank.incarnation);
        same.then_some(held.status)
    }

    fn suspect(&mut self, name: &Name, by: Name, silence: Option<Silence>, now: Time) {
        let members = self.table.present();
        let Some(member) = self.table.get(name.as_str()) else {
            return;
        };
        let record = member.statement.record.clone();
        let suspicion = Suspicion::new(by.clone(), members, &self.config, now);
        let deadline = suspicion.deadline();
        self.table.merge(
            Statement {
                record,
                status: Status::Suspect,
            },
            now,
        );
        let Some(member) = self.table.get_mut(name.as_str()) else {
            return;
        };
        member.suspicion = Some(Box::new(suspicion));
        let info = self.info_of(name.as_str()).expect("it was just changed");
        self.set_timer(Timer::Suspicion(name.clone()), deadline);
        self.tell(
            info,
            EventKind::Suspect {
                by: by.clone(),
                silence,
            },
            now,
        );
        self.note_for_office(name, now);
        let pushed = self.gossip_belief(name, now);
        if by == self.me.name && !pushed {
            self.tell_buddies(name);
        }
        if by != self.me.name && self.is_buddy(name) {
            // Its buddies corroborate at once instead of at the next period.
            self.probe(name, Purpose::Watch, now);
        }
        self.look_past(name, now);
    }

    fn confirm(&mut self, name: &Name, by: &Name, refused: &[Name], now: Time) {
        let Some(member) = self.table.get_mut(name.as_str()) else {
            return;
        };
        let Some(suspicion) = &mut member.suspicion else {
            return;
        };
        let confirmed = suspicion.confirm(by);
        let news_of_refusal = suspicion.refuse(refused, now);
        if !news_of_refusal && !confirmed {
            return;
        }
        let deadline = suspicion.deadline();
        self.set_timer(Timer::Suspicion(name.clone()), deadline);
        // Lifeguard section IV-B: the first K confirmations are passed on as well. Where somebody
        // decides, it does before they count.
        if news_of_refusal {
            self.gossip_belief(name, now);
        } else if self.is_decided_soon(now) {
            self.gossip_along(name);
        } else {
            self.gossip_member(name, now);
        }
    }

    /// Passes on what is believed of a member: that it is suspected, and by whom, or not any more.
    /// Where somebody decides, this is pushed as long as there is little of it. Of more, the
    /// accused and whoever decides are told directly, and a verdict is pushed before what others
    /// believe counts. True when it is pushed.
    pub(super) fn gossip_belief(&mut self, name: &Name, now: Time) -> bool {
        let pushed = !self.is_decided_soon(now) || self.beliefs.take(now);
        if pushed {
            self.gossip_member(name, now);
        } else {
            self.gossip_along(name);
        }
        pushed
    }

    /// Where word of a suspicion of our own rides along: whoever watches the suspect corroborates
    /// at once, and looks past it.
    fn tell_buddies(&mut self, suspect: &Name) {
        if self.is_deaf() {
            return;
        }
        let Some(id) = self.table.id(suspect.as_str()) else {
            return;
        };
        self.queue.put(id, Urgency::Normal);
        for buddy in self.table.buddies_of(suspect) {
            let held = self.table.get(buddy.as_str());
            let held = held.map(|member| (member.statement.status, member.statement.record.addr));
            if let Some((Status::Alive, addr)) = held.filter(|_| buddy != self.me.name) {
                self.send_plain((NameHash::of(buddy.as_str()), addr), Message::Gossip);
            }
        }
    }

    /// Whether a verdict on a suspect is to be expected: the coordinator is there, and not long ago
    /// it had its quorum.
    fn is_decided_soon(&self, now: Time) -> bool {
        let Some(decider) = self.decider().filter(|_| self.quorum(now) == Quorum::Held) else {
            return false;
        };
        let held = self.table.get(decider.as_str());
        let well = held.is_some_and(|member| member.statement.status == Status::Alive);
        if decider == self.me.name {
            self.in_office(now)
        } else {
            well
        }
    }

    /// Nobody decides any more: what rode along is pushed.
    pub(super) fn push_suspects(&mut self, now: Time) {
        for name in self.suspects() {
            self.gossip_member(&name, now);
        }
    }

    /// Somebody is heard again: what was found until then is found anew.
    pub(super) fn recheck_suspects(&mut self, now: Time) {
        for name in self.suspects() {
            let member = self.table.get(name.as_str());
            let suspicion = member.and_then(|member| member.suspicion.as_ref());
            let accused = suspicion.is_some_and(|of| of.accusers().contains(&self.me.name));
            if accused || self.is_buddy(&name) {
                self.probe(&name, Purpose::Watch, now);
            }
        }
    }

    fn suspects(&self) -> Vec<Name> {
        let suspects = self.table.iter().filter(|member| member.is_suspect());
        suspects
            .map(|member| member.statement.record.name.clone())
            .collect()
    }

    /// The host itself said to these that the process is gone.
    fn refuse(&mut self, name: &Name, refused: &[Name], now: Time) {
        let Some(member) = self.table.get_mut(name.as_str()) else {
            return;
        };
        let Some(suspicion) = &mut member.suspicion else {
            return;
        };
        if suspicion.refuse(refused, now) {
            let deadline = suspicion.deadline();
            self.set_timer(Timer::Suspicion(name.clone()), deadline);
            self.gossip_belief(name, now);
        }
    }

    fn hasten(&mut self, name: &Name) {
        let Some(member) = self.table.get_mut(name.as_str()) else {
            return;
        };
        let Some(suspicion) = &mut member.suspicion else {
            return;
        };
        suspicion.shorten();
        let deadline = suspicion.deadline();
        self.set_timer(Timer::Suspicion(name.clone()), deadline);
    }

    fn is_buddy(&self, name: &Name) -> bool {
        let rings = self.table.rings();
        (0..rings.count()).any(|ring| {
            rings.successor(ring) == Some(name) || rings.predecessor(ring) == Some(name)
        })
    }

    /// It did not refute in time.
    pub(super) fn on_suspicion_timeout(&mut self, name: &Name, now: Time) {
        let Some(member) = self.table.get(name.as_str()) else {
            return;
        };
        let Some(suspicion) = member.suspicion.as_ref().filter(|_| member.is_suspect()) else {
            return;
        };
        let accusers = suspicion.accusers().to_vec();
        self.unreachable(name, UnreachableCause::Timeout { accusers }, now);
    }

    fn unreachable(&mut self, name: &Name, cause: UnreachableCause, now: Time) {
        let Some(member) = self.table.get(name.as_str()) else {
            return;
        };
        let record = member.statement.record.clone();
        self.accept(
            Statement {
                record,
                status: Status::Unreachable,
            },
            Some(cause),
            now,
        );
    }

    /// Time that this node lost does not count against those it suspects.
    pub(super) fn postpone_suspicions(&mut self, by: Duration) {
        for name in self.suspects() {
            let Some(member) = self.table.get_mut(name.as_str()) else {
                continue;
            };
            let Some(suspicion) = &mut member.suspicion else {
                continue;
            };
            suspicion.postpone(by);
            let deadline = suspicion.deadline();
            self.set_timer(Timer::Suspicion(name), deadline);
        }
    }

    /// Holds a condemned life for unreachable, and passes that on to no one: the view tells it to
    /// all.
    pub(super) fn bury(&mut self, name: &Name, now: Time) {
        let Some(id) = self.table.id(name.as_str()) else {
            return;
        };
        self.queue.remove(id);
        let member = self.table.member(id);
        let was = member.statement.status;
        let record = Arc::clone(&member.statement.record);
        if was == Status::Suspect {
            self.timers.cancel(&Timer::Suspicion(name.clone()));
        }
        if was == Status::Alive || was == Status::Suspect {
            let watched = self.watched_on(name);
            let status = Status::Unreachable;
            self.table.merge(Statement { record, status }, now);
            self.take_over(&watched, now);
            self.set_timer(Timer::Forget(name.clone()), now + self.config.forget_after);
        }
    }
}
