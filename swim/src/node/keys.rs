//! The keys of the cluster: which this node has, how a change reaches all, and who has which.
//!
//! A ring is changed by one member and offered to all that are present, each on a stream; each
//! keeps it before it says so. Who was away is told when it pulls: it opens the stream with a key
//! that is not the primary one any more, but still opens.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::agreement::{Answer, Ticket};
use super::outputs::Action;
use super::streams::{Purpose, StreamEnd, StreamId};
use super::{Node, Timer};
use crate::limits;
use crate::members::{Name, Status};
use crate::time::Time;
use crate::wire::Frame;
use crate::wire::sealing::{HeldKeys, Key, KeyError, KeyId, Keyring, Plaintext, WireKey};

/// The number of a ring that is to be kept; never used twice by one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyTicket(pub u64);

/// What is to be done to the keys of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyChange {
    /// Nothing: only to see who has which. Members that are behind are told all the same.
    Look,
    /// All are to have this key as well. When it is here already, those are told that lack it.
    Add(Key),
    /// All are to have this key, which is here already: those are told that lack it, also when
    /// their rings were changed as often in another way.
    Spread(KeyId),
    /// All are to seal with this key, which all must have. When this member does already, those
    /// are told that do not.
    Use(KeyId),
    /// All are to forget this key, which nobody may seal with.
    Remove {
        /// Which.
        id: KeyId,
        /// How long it still opens: for members that are away now.
        grace: Duration,
        /// Also when somebody does not answer, or seals with it.
        force: bool,
    },
}

/// A member, and the keys that it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyHolder {
    /// Who.
    pub name: Name,
    /// `None`: it did not answer, or could not open the question.
    pub held: Option<HeldKeys>,
}

impl KeyHolder {
    /// Its keys, the primary one first.
    pub fn ids(&self) -> Option<&[KeyId]> {
        self.held.as_ref().map(|held| &*held.ids)
    }
}

/// What came of a change, or of a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyReport {
    /// Who has which now, in order of their names.
    pub holders: Vec<KeyHolder>,
    /// Why nothing was changed.
    pub refused: Option<KeyRefusal>,
}

/// Why a change was not made, by anybody.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyRefusal {
    /// The ring of this member does not allow it.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// This member has no key.
    #[error(
        "this member has no key, so that there is nothing to change: its traffic is not sealed"
    )]
    NoKeys,
    /// Another change is under way here.
    #[error("another change of keys is under way here: try again when it is done")]
    Busy,
    /// It could not be kept here.
    #[error(
        "the key file could not be written: nothing was changed; the log of this agent says why"
    )]
    NotKept,
    /// These have not the key, or did not answer.
    #[error(
        "cannot open what is sealed with it, or did not answer: {}. Nothing was changed; add it \
         again, or wait until they answer", list(.0)
    )]
    Lacking(Vec<Name>),
    /// These seal with the key, or did not answer.
    #[error(
        "may need it still, for they seal with it or did not answer: {}. Nothing was changed; use \
         another key first, wait until they answer, or force it", list(.0)
    )]
    Needed(Vec<Name>),
}

fn list(names: &[Name]) -> String {
    let names: Vec<&str> = names.iter().map(Name::as_str).collect();
    names.join(", ")
}

/// One member is told of our keys.
#[derive(Debug)]
pub(super) struct Offer {
    to: Name,
}

/// What is under way.
#[derive(Debug, Default)]
pub(super) struct Keying {
    last: u64,
    /// Rings that the caller keeps, and what follows when it has.
    kept: BTreeMap<KeyTicket, (Keyring, Then)>,
    /// A question to all; one at a time.
    round: Option<Round>,
}

#[derive(Debug)]
enum Then {
    /// All others are told.
    Offer,
    /// Who offered it is answered.
    Answer(StreamId),
}

#[derive(Debug)]
struct Round {
    ticket: Ticket,
    change: KeyChange,
    waiting: BTreeSet<Name>,
    open: BTreeSet<Name>,
    heard: BTreeMap<Name, Option<HeldKeys>>,
}

impl Keying {
    /// Nothing is under way any more; gives who waits.
    pub(super) fn end(&mut self) -> Option<Ticket> {
        self.kept.clear();
        self.round.take().map(|round| round.ticket)
    }
}

impl Node {
    /// Takes these keys from now on, or none: at the start, and when the caller's file has changed.
    pub fn set_keys(&mut self, keyring: Option<Keyring>, plaintext: Plaintext, now: Time) {
        self.enter(now);
        self.take_ring(keyring, plaintext, now);
    }

    /// The keys that this node has.
    pub fn keyring(&self) -> Option<&Keyring> {
        self.seal.keyring()
    }

    /// What it does about traffic that is not sealed.
    pub fn plaintext(&self) -> Plaintext {
        self.seal.plaintext()
    }

    /// Changes the keys of all members that are present, or in the view. Answered by
    /// [`Action::Answered`](super::Action) with an [`Answer::Keys`].
    pub fn change_keys(&mut self, change: KeyChange, now: Time) -> Ticket {
        self.enter(now);
        let ticket = self.next_ticket();
        let refused = if self.seal.keyring().is_none() {
            Some(KeyRefusal::NoKeys)
        } else if self.keying.round.is_some() {
            Some(KeyRefusal::Busy)
        } else {
            // What cannot be is said before anybody is asked.
            self.changed_ring(&change, false, now)
                .err()
                .map(KeyRefusal::Key)
        };
        if let Some(refused) = refused {
            let holders = Vec::new();
            let refused = Some(refused);
            self.answer(ticket, Answer::Keys(KeyReport { holders, refused }));
            return ticket;
        }
        self.keying.round = Some(Round {
            ticket,
            change,
            waiting: BTreeSet::new(),
            open: BTreeSet::new(),
            heard: BTreeMap::new(),
        });
        self.begin_offering(now);
        ticket
    }

    /// The caller kept a ring, or could not.
    pub fn handle_keys_kept(&mut self, ticket: KeyTicket, done: bool, now: Time) {
        self.enter(now);
        let Some((ring, then)) = self.keying.kept.remove(&ticket) else {
            return;
        };
        let outranks = |held: &Keyring| ring.outranks(held);
        let is_news = done && self.seal.keyring().is_some_and(outranks);
        if is_news {
            self.take_ring(Some(ring), self.seal.plaintext(), now);
        }
        match then {
            Then::Answer(stream) => {
                self.say_keys(stream);
                self.look_again(now);
            }
            Then::Offer if done => self.begin_offering(now),
            Then::Offer => self.end_round_of_keys(Some(KeyRefusal::NotKept)),
        }
    }

    fn take_ring(&mut self, ring: Option<Keyring>, plaintext: Plaintext, now: Time) {
        if ring.is_some() && self.seal.keyring().is_none() {
            // An old answer, said again, must not fit a ping of this life.
            self.last_seq = self.seal.draw();
        }
        self.seal.set(ring, plaintext);
        self.seal.expire(now);
        self.arm_keys();
    }

    fn arm_keys(&mut self) {
        match self.seal.keyring().and_then(Keyring::next_expiry) {
            Some(at) => self.set_timer(Timer::Keys, at),
            None => {
                self.timers.cancel(&Timer::Keys);
            }
        }
    }

    /// The time of a key is over.
    pub(super) fn on_keys_timeout(&mut self, now: Time) {
        if self.seal.expire(now)
            && let Some(ring) = self.seal.keyring().cloned()
        {
            let ticket = self.next_key_ticket();
            self.actions.push_back(Action::KeepKeys { ticket, ring });
        }
        self.arm_keys();
    }

    fn next_key_ticket(&mut self) -> KeyTicket {
        self.keying.last += 1;
        KeyTicket(self.keying.last)
    }

    fn keep(&mut self, ring: Keyring, then: Then) {
        let ticket = self.next_key_ticket();
        self.keying.kept.insert(ticket, (ring.clone(), then));
        self.actions.push_back(Action::KeepKeys { ticket, ring });
    }

    /// The ring after a change; `None`: it is as it should be. `is_lacked`: somebody who answered
    /// has not what this change is to bring, for its ring was changed as often in another way.
    fn changed_ring(
        &self,
        change: &KeyChange,
        is_lacked: bool,
        now: Time,
    ) -> Result<Option<Keyring>, KeyError> {
        let Some(ring) = self.seal.keyring() else {
            return Ok(None);
        };
        match change {
            KeyChange::Look => Ok(None),
            KeyChange::Add(key) if ring.keeps(key.id()) => Ok(is_lacked.then(|| ring.renewed())),
            KeyChange::Add(key) => ring.with(key.clone()).map(Some),
            KeyChange::Spread(id) if ring.keeps(*id) => Ok(is_lacked.then(|| ring.renewed())),
            KeyChange::Spread(id) => Err(KeyError::Unknown(*id)),
            KeyChange::Use(id) if ring.primary() == *id => Ok(is_lacked.then(|| ring.renewed())),
            KeyChange::Use(id) => ring.with_primary(*id).map(Some),
            KeyChange::Remove { id, grace, .. } => {
                let until = (!grace.is_zero()).then(|| now + *grace);
                ring.without(*id, until).map(Some)
            }
        }
    }

    /// Offers our ring to all that are present, and asks which they have. Who is only unreachable
    /// from here, and is a member still, is asked too: it may go on elsewhere with the key it has.
    fn begin_offering(&mut self, now: Time) {
        let others = self.table.iter().filter(|member| {
            let record = &member.statement.record;
            let present = match member.statement.status {
                Status::Alive | Status::Suspect => true,
                Status::Unreachable => {
                    self.succeeds_a_member(record.name.as_str(), record.instance)
                }
                Status::Left => false,
            };
            present && record.name != self.me.name
        });
        let waiting = others.map(|member| member.statement.record.name.clone());
        let waiting = waiting.collect();
        let Some(round) = &mut self.keying.round else {
            return;
        };
        round.waiting = waiting;
        round.heard.clear();
        self.go_on_offering(now);
    }

    fn go_on_offering(&mut self, now: Time) {
        loop {
            let Some(round) = &mut self.keying.round else {
                return;
            };
            if round.open.len() >= limits::KEY_STREAMS {
                return;
            }
            let Some(name) = round.waiting.pop_first() else {
                break;
            };
            let member = self.table.get(name.as_str());
            let Some(to) = member.map(|member| member.statement.record.addr) else {
                continue;
            };
            let offer = Purpose::Keys(Offer { to: name.clone() });
            let stream = self.open_stream(to, offer, now);
            let Some(round) = &mut self.keying.round else {
                return;
            };
            match stream {
                Some(_) => drop(round.open.insert(name)),
                None => drop(round.heard.insert(name, None)),
            }
        }
        let done = |round: &Round| round.open.is_empty() && round.waiting.is_empty();
        if self.keying.round.as_ref().is_some_and(done) {
            self.on_round_heard(now);
        }
    }

    /// A change of somebody else's was kept, for which our own has waited.
    fn look_again(&mut self, now: Time) {
        let round = self.keying.round.as_ref();
        let is_heard = round.is_some_and(|round| round.open.is_empty() && round.waiting.is_empty());
        if is_heard && self.keying.kept.is_empty() {
            self.begin_offering(now);
        }
    }

    /// All have answered, or had their time: the change is made, or told.
    fn on_round_heard(&mut self, now: Time) {
        if !self.keying.kept.is_empty() {
            // A newer ring is on its way to the disk: a change of ours begins with that one.
            return;
        }
        let Some(round) = &self.keying.round else {
            return;
        };
        let (change, heard) = (round.change.clone(), &round.heard);
        let who = |is_meant: &dyn Fn(&HeldKeys) -> bool| -> Vec<Name> {
            let found = heard.iter();
            let found = found.filter(|(_, held)| held.as_ref().is_none_or(is_meant));
            found.map(|(name, _)| name.clone()).collect()
        };
        let is_lacked = |id| heard.values().flatten().any(|held| held.lacks(id));
        let (refused, is_lacked) = match &change {
            KeyChange::Look | KeyChange::Remove { force: true, .. } => (None, false),
            KeyChange::Add(key) => (None, is_lacked(key.id())),
            KeyChange::Spread(id) => (None, is_lacked(*id)),
            KeyChange::Use(id) => {
                let lacking = who(&|held| held.lacks(*id));
                let refused = (!lacking.is_empty()).then_some(KeyRefusal::Lacking(lacking));
                let is_unused = heard.values().flatten().any(|held| !held.seals_with(*id));
                (refused, is_unused)
            }
            KeyChange::Remove { id, .. } => {
                let needing = who(&|held| held.seals_with(*id));
                let refused = (!needing.is_empty()).then_some(KeyRefusal::Needed(needing));
                (refused, false)
            }
        };
        if refused.is_some() {
            return self.end_round_of_keys(refused);
        }
        match self.changed_ring(&change, is_lacked, now) {
            Ok(Some(ring)) => {
                // Only to tell all and hear of it: the change is made once.
                if let Some(round) = &mut self.keying.round {
                    round.change = KeyChange::Look;
                }
                self.keep(ring, Then::Offer);
            }
            Ok(None) => self.end_round_of_keys(None),
            Err(error) => self.end_round_of_keys(Some(error.into())),
        }
    }

    fn end_round_of_keys(&mut self, refused: Option<KeyRefusal>) {
        let Some(mut round) = self.keying.round.take() else {
            return;
        };
        round.heard.insert(self.me.name.clone(), self.held_keys());
        let holders = round.heard.into_iter();
        let holders = holders.map(|(name, held)| KeyHolder { name, held });
        let holders = holders.collect();
        self.answer(round.ticket, Answer::Keys(KeyReport { holders, refused }));
    }

    fn held_keys(&self) -> Option<HeldKeys> {
        self.seal.keyring().map(|ring| HeldKeys {
            generation: ring.generation(),
            ids: ring.infos().map(|info| info.id).collect(),
            plaintext: self.seal.plaintext(),
        })
    }

    fn keys_frame(&self, now: Time) -> Option<Frame> {
        let ring = self.seal.keyring()?;
        Some(Frame::Keys {
            cluster: self.cluster.clone(),
            generation: ring.generation(),
            keys: ring.to_wire(now),
        })
    }

    /// Keys are told on sealed streams only.
    fn tell_keys(&mut self, stream: StreamId, now: Time) {
        if self.streams.key(stream).is_some()
            && let Some(frame) = self.keys_frame(now)
        {
            self.send_frame(stream, &frame);
        }
    }

    /// Who opens a stream under a key that is not the primary one may have been away.
    pub(super) fn tell_keys_if_behind(&mut self, stream: StreamId, now: Time) {
        let primary = self.seal.keyring().map(Keyring::primary);
        if self
            .streams
            .key(stream)
            .is_some_and(|key| Some(key) != primary)
        {
            self.tell_keys(stream, now);
        }
    }

    /// The stream of an offer can be spoken on.
    pub(super) fn offer_keys(&mut self, stream: StreamId, now: Time) {
        if self.streams.key(stream).is_some() {
            self.tell_keys(stream, now);
        } else {
            // There are no keys any more.
            self.end_stream(stream, StreamEnd::Closed, true, now);
        }
    }

    /// Somebody tells of its keys.
    pub(super) fn on_keys(
        &mut self,
        stream: StreamId,
        cluster: &Name,
        generation: u64,
        keys: &[WireKey],
        now: Time,
    ) {
        let ring = Keyring::from_wire(generation, keys, now).ok();
        let believable = |ours: &Keyring| {
            generation.saturating_sub(ours.generation()) <= limits::KEY_CHANGES_AHEAD
        };
        let ours = self.seal.keyring().filter(|ours| believable(ours));
        let (Some(ours), Some(ring)) = (ours, ring) else {
            self.stats.dropped.malformed += 1;
            return self.end_stream(stream, StreamEnd::Closed, true, now);
        };
        if self.streams.key(stream).is_none() || *cluster != self.cluster {
            self.stats.dropped.unsealed += 1;
            return self.end_stream(stream, StreamEnd::Closed, true, now);
        }
        // What is being kept was taken already: nothing older is kept after it.
        let mut kept = self.keying.kept.values();
        let is_late = kept.any(|(kept, _)| !ring.outranks(kept));
        let (is_news, is_old) = (ring.outranks(ours) && !is_late, ours.outranks(&ring));
        if is_news && self.keying.kept.len() < limits::KEY_STREAMS {
            self.keep(ring, Then::Answer(stream));
        } else {
            if is_old {
                self.tell_keys(stream, now);
            }
            self.say_keys(stream);
        }
    }

    /// Answers an offer.
    fn say_keys(&mut self, stream: StreamId) {
        let serves = matches!(self.streams.purpose(stream), Some(Purpose::Serve(_)));
        if let Some(held) = self.held_keys().filter(|_| serves) {
            self.send_frame(stream, &Frame::KeysHeld(held));
        }
    }

    /// A member says which keys it has.
    pub(super) fn on_keys_held(&mut self, stream: StreamId, held: HeldKeys, now: Time) {
        if let (Some(Purpose::Keys(offer)), Some(round)) =
            (self.streams.purpose(stream), &mut self.keying.round)
        {
            round.heard.insert(offer.to.clone(), Some(held));
        }
        self.end_stream(stream, StreamEnd::Closed, true, now);
    }

    /// A stream on which keys were offered is over.
    pub(super) fn on_offer_over(&mut self, offer: Offer, now: Time) {
        if let Some(round) = &mut self.keying.round {
            round.open.remove(&offer.to);
            round.heard.entry(offer.to).or_insert(None);
            self.go_on_offering(now);
        }
    }
}
