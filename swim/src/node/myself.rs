//! This node about itself: its tags, its refutations, and another one with its name.

use std::net::SocketAddr;
use std::sync::Arc;

use super::outputs::Stop;
use super::{Lifecycle, Node, Timer};
use crate::coordinator::VoterId;
use crate::event::{AppDownCause, EventKind, RemovedCause};
use crate::members::{Incarnation, Instance, NameHash, Rank, Statement, Status, TagError, Tags};
use crate::time::Time;
use crate::wire::Message;

/// A newer instance with our name, asked whether it is alive.
#[derive(Clone, Debug)]
pub(super) struct Namesake {
    addr: SocketAddr,
    instance: Instance,
    seq: u32,
    tries: u32,
}

/// Pings to a namesake before it counts as gone.
const NAMESAKE_TRIES: u32 = 3;

/// A new life is up to so many microseconds after the one that it goes past.
const LIFE_STEP_US: usize = 1_000_000;

impl Node {
    /// Sets a tag. An error changes nothing.
    pub fn set_tag(&mut self, key: &str, value: &str, now: Time) -> Result<(), TagError> {
        let tags = self.me.tags.with(key, value)?;
        self.set_tags(tags, now);
        Ok(())
    }

    /// Removes a tag; false when there was none.
    pub fn remove_tag(&mut self, key: &str, now: Time) -> bool {
        let present = self.me.tags.value(key).is_some();
        self.set_tags(self.me.tags.without(key), now);
        present
    }

    /// Replaces all tags. Changes nothing once the node is leaving: its last word stands.
    pub fn set_tags(&mut self, tags: Tags, now: Time) {
        self.enter(now);
        let stays = match self.lifecycle {
            Lifecycle::Joining | Lifecycle::Member => true,
            Lifecycle::Leaving | Lifecycle::Left | Lifecycle::Removed => false,
        };
        if !stays || self.me.tags == tags {
            return;
        }
        self.me.tags = tags;
        self.publish(self.me.incarnation.next(), now);
        let me = self.me();
        self.tell(me, EventKind::Updated, now);
    }

    /// Somebody says something about a member with our name.
    pub(super) fn on_word_about_me(&mut self, rank: Rank, addr: Option<SocketAddr>, now: Time) {
        match self.lifecycle {
            Lifecycle::Joining | Lifecycle::Member => {}
            Lifecycle::Leaving | Lifecycle::Left | Lifecycle::Removed => return,
        }
        if rank.is_absurd(Some((self.me.instance, self.me.incarnation))) {
            // Nobody who knows this member believes that, so nothing need be said against it.
            self.stats.dropped.absurd += 1;
            return;
        }
        let is_last = self.me.instance.next() == self.me.instance;
        let twin =
            rank.instance == self.me.instance && addr.is_some_and(|addr| addr > self.me.addr);
        if rank.instance > self.me.instance {
            self.on_newer_namesake(rank, addr, now);
        } else if twin && !is_last {
            // Two began at one instant, and the other's record outranks ours everywhere.
            self.begin_life_after(rank.instance, now);
        } else if twin && rank.incarnation >= self.me.incarnation {
            // Nothing comes after this life: no clock got so far, and it is no other member's.
            self.publish(rank.incarnation.next(), now);
        } else if rank.instance == self.me.instance {
            self.on_word_about_this_life(rank, now);
        }
    }

    fn on_word_about_this_life(&mut self, rank: Rank, now: Time) {
        match rank.status {
            // This member did not say so: whoever does is mistaken, or lies.
            Status::Left if rank.incarnation >= self.me.incarnation => {
                self.stats.refutations += 1;
                self.publish(rank.incarnation.next(), now);
            }
            Status::Suspect | Status::Unreachable if rank.incarnation >= self.me.incarnation => {
                // SWIM section 4.2: only we may raise our incarnation; Lifeguard IV-A: having to
                // refute speaks against our own health.
                self.stats.refutations += 1;
                self.doubt_self(1);
                self.publish(rank.incarnation.next(), now);
            }
            Status::Alive if rank.incarnation > self.me.incarnation => {
                self.publish(rank.incarnation.next(), now);
            }
            Status::Alive | Status::Suspect | Status::Unreachable | Status::Left => {}
        }
    }

    /// A newer instance of our name. When it has our address it is our own former life under a
    /// clock that ran ahead: go past it. Otherwise ask it, also while joining: whether it was
    /// started before us or after us, its answer says that it lives.
    fn on_newer_namesake(&mut self, rank: Rank, addr: Option<SocketAddr>, now: Time) {
        if addr == Some(self.me.addr) {
            return self.begin_life_after(rank.instance, now);
        }
        if rank.status == Status::Left {
            // While this life is a member no later one was: whoever says that it left lies.
            if !self.succeeds_a_member(self.me.name.as_str(), self.me.instance) {
                self.begin_life_after(rank.instance, now);
            }
            return;
        }
        // Without an address it cannot be asked; its record comes with the next pull.
        let Some(addr) = addr else { return };
        if self
            .namesake
            .as_ref()
            .is_some_and(|known| known.instance >= rank.instance)
        {
            return;
        }
        let seq = self.next_seq();
        self.namesake = Some(Namesake {
            addr,
            instance: rank.instance,
            seq,
            tries: 0,
        });
        self.ask_namesake(now);
    }

    fn ask_namesake(&mut self, now: Time) {
        let Some(namesake) = &mut self.namesake else {
            return;
        };
        namesake.tries += 1;
        let message = Message::Ping {
            seq: namesake.seq,
            target: namesake.instance,
        };
        let to = (NameHash::of(self.me.name.as_str()), namesake.addr);
        self.send_plain(to, message);
        let timeout = self.health.stretch(self.config.probe_timeout_max);
        self.set_timer(Timer::Namesake, now + timeout);
    }

    pub(super) fn on_namesake_timeout(&mut self, now: Time) {
        match &self.namesake {
            Some(namesake) if namesake.tries < NAMESAKE_TRIES => self.ask_namesake(now),
            Some(namesake) => {
                let instance = namesake.instance;
                self.namesake = None;
                self.begin_life_after(instance, now);
            }
            None => {}
        }
    }

    /// The namesake is alive: the newer instance stays, and that is not us.
    pub(super) fn on_namesake_answer(&mut self, seq: u32, instance: Instance, now: Time) -> bool {
        let answers = |namesake: &Namesake| namesake.seq == seq && namesake.instance == instance;
        let Some(Namesake { addr, instance, .. }) = self.namesake.take_if(|known| answers(known))
        else {
            return false;
        };
        self.lifecycle = Lifecycle::Removed;
        let (me, cause) = (self.me(), RemovedCause::NameTaken { addr, instance });
        self.tell(me.clone(), EventKind::SelfRemoved { cause }, now);
        self.tell_apps_gone(&me, AppDownCause::MemberReplaced { instance }, now);
        self.stop(Stop::NameTaken { addr, instance });
        true
    }

    /// Somebody else answers at the namesake's address: it is gone.
    pub(super) fn on_namesake_gone(&mut self, seq: u32, now: Time) -> bool {
        let Some(namesake) = self.namesake.take_if(|known| known.seq == seq) else {
            return false;
        };
        self.timers.cancel(&Timer::Namesake);
        self.begin_life_after(namesake.instance, now);
        true
    }

    /// Goes past an instance of our name that cannot be taken back. By a random step: two that go
    /// past the same one at a time must not become the same instance.
    pub(super) fn begin_life_after(&mut self, instance: Instance, now: Time) {
        if instance.next() <= self.me.instance {
            return;
        }
        let step = self.rng.below(LIFE_STEP_US) as u64;
        self.me.instance = instance.next().later_by(step);
        self.publish(Some(Incarnation::default()), now);
        let me = self.me();
        self.tell(me, EventKind::Updated, now);
    }

    /// Says that this node votes no more, unless nobody is to hear of it.
    pub(super) fn vote_no_more(&mut self, now: Time) {
        match self.lifecycle {
            Lifecycle::Joining | Lifecycle::Member => {
                self.me.voter = VoterId::NEVER;
                self.publish(self.me.incarnation.next(), now);
            }
            Lifecycle::Leaving | Lifecycle::Left | Lifecycle::Removed => {}
        }
    }

    /// Says of ourselves what is now true. At the end of the counter a new life begins.
    pub(super) fn publish(&mut self, incarnation: Option<Incarnation>, now: Time) {
        let before = self.me();
        match incarnation {
            Some(incarnation) => self.me.incarnation = incarnation,
            // At the end of both counters nothing newer can be said.
            None if self.me.instance.next() == self.me.instance => {}
            None => {
                self.me.instance = self.me.instance.next();
                self.me.incarnation = Incarnation::default();
            }
        }
        self.table.set_me(
            Statement {
                record: Arc::new(self.me.clone()),
                status: Status::Alive,
            },
            now,
        );
        self.tell_own_apps(&before, now);
        let name = self.me.name.clone();
        if before.apps == self.me.apps {
            self.gossip_member(&name, now);
        } else {
            self.gossip_urgently(&name, now);
        }
    }
}
