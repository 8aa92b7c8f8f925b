//! The member table: what this node holds of every member, itself included.

mod invariants;

use std::collections::BTreeSet;
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::time::Duration;

use hashbrown::{DefaultHashBuilder, HashTable};
use smallvec::SmallVec;

use super::addresses::Addresses;
use super::digest::{self, Digest};
use super::order::Order;
use super::{Name, Statement, Status, precedence};
use crate::coordinator::View;
use crate::detector::{RoundTrip, Suspicion};
use crate::event::{MemberInfo, State};
use crate::limits;
use crate::ring::Rings;
use crate::rng::Rng;
use crate::time::Time;

/// The number of a member in the table: its own as long as it is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct MemberId(pub(super) u32);

#[cfg(test)]
impl MemberId {
    pub(crate) fn numbered(number: u32) -> MemberId {
        MemberId(number)
    }

    pub(crate) fn number(self) -> u32 {
        self.0
    }
}

/// One member and what this node keeps of it.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) statement: Statement,
    /// Since when it has its state here.
    pub(crate) since: Time,
    pub(crate) round_trip: RoundTrip,
    /// Present while the status is `Suspect`, and kept while the suspicion's end is what is held.
    pub(crate) suspicion: Option<Box<Suspicion>>,
    /// Whether it said its goodbye to this node itself.
    pub(crate) left_by_itself: bool,
    /// How many seconds it had been lost when this node heard of it.
    lost_before_s: u32,
    /// Where it stands in the list of its kind: below [`limits::MEMBERS`].
    place: u16,
    /// Its bucket of all [`limits::DIGEST_BUCKETS`], so that no pull has to hash its name.
    bucket: u8,
}

/// What merging a statement did.
#[derive(Debug)]
pub(crate) enum Merge {
    /// What was held counts more, or says the same.
    Old,
    /// There is no room for another member.
    Full,
    /// There is no room for another member at its address.
    Crowded,
    /// A member that was not known.
    New(MemberId),
    /// What was held before.
    Changed(MemberId, Statement),
}

/// A member by the hash of its name, which is kept: a growing index asks for all of them.
#[derive(Clone, Copy, Debug)]
struct Indexed {
    hash: u32,
    id: u32,
}

/// All members by name, with rings, digest and lists kept in step.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    me: Name,
    slots: Vec<Option<Member>>,
    free: Vec<u32>,
    index: HashTable<Indexed>,
    hasher: DefaultHashBuilder,
    rings: Rings,
    digest: Digest,
    /// Others that are alive or suspect: on the rings and probed.
    present: Order,
    /// Others that are unreachable: contacted now and then.
    lost: Order,
    /// Where the others are.
    addresses: Addresses,
    /// When the digest last changed.
    changed: Time,
    /// How often anything that is held of anybody changed.
    revision: u64,
}

impl Member {
    /// Whether it is suspect: it may still refute that.
    pub(crate) fn is_suspect(&self) -> bool {
        self.statement.status == Status::Suspect
    }

    /// To whom its host said that its process is gone.
    pub(crate) fn refused(&self) -> &[Name] {
        let suspicion = self.suspicion.as_ref();
        suspicion.map_or(&[], |suspicion| suspicion.refused())
    }

    /// What its holder believes of it.
    pub(crate) fn state(&self) -> State {
        state(self.statement.status)
    }

    /// Its bucket when there are `count`, a power of two.
    pub(crate) fn bucket(&self, count: usize) -> usize {
        usize::from(self.bucket) * count / limits::DIGEST_BUCKETS
    }

    /// How long it has been lost by `now`, here and elsewhere.
    pub(crate) fn lost_for(&self, now: Time) -> Duration {
        now.since(self.since) + Duration::from_secs(self.lost_before_s.into())
    }

    /// Others had lost it so long before this node did: the earliest counts.
    pub(crate) fn lost_before(&mut self, before: Duration) {
        let seconds = u32::try_from(before.as_secs()).unwrap_or(u32::MAX);
        self.lost_before_s = self.lost_before_s.max(seconds);
    }
}

impl Table {
    /// A table that holds only `me`.
    pub(crate) fn new(me: Statement, rings: usize, now: Time) -> Table {
        let mut table = Table {
            rings: Rings::new(rings, &me.record.name),
            me: me.record.name.clone(),
            slots: Vec::new(),
            free: Vec::new(),
            index: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            digest: Digest::new(),
            present: Order::default(),
            lost: Order::default(),
            addresses: Addresses::default(),
            changed: now,
            revision: 0,
        };
        table.insert(me, now);
        table
    }

    pub(crate) fn id(&self, name: &str) -> Option<MemberId> {
        let hash = self.hash(name);
        let is_it =
            |known: &Indexed| known.hash == hash && named(&self.slots, known.id).as_str() == name;
        let known = self.index.find(spread(hash), is_it)?;
        Some(MemberId(known.id))
    }

    fn hash(&self, name: &str) -> u32 {
        (self.hasher.hash_one(name) >> 32) as u32
    }

    /// The numbers of several members. Faster than one after the other: most of the time is spent
    /// waiting for memory, so each round asks for one thing of all of them, not for all of one.
    pub(crate) fn ids<'a>(
        &self,
        names: impl Iterator<Item = &'a str> + Clone,
    ) -> SmallVec<[Option<MemberId>; 64]> {
        let hashes: SmallVec<[u32; 64]> = names.clone().map(|name| self.hash(name)).collect();
        let likely = |hash: &u32| {
            let known = self
                .index
                .find(spread(*hash), |known| known.hash == *hash)?;
            Some(known.id)
        };
        let likely: SmallVec<[Option<u32>; 64]> = hashes.iter().map(likely).collect();
        let sure = |(name, id): (&str, Option<u32>)| {
            let id = id?;
            // Two names of one hash: rare, and then the first one found need not be the right one.
            let is_it = named(&self.slots, id).as_str() == name;
            if is_it {
                Some(MemberId(id))
            } else {
                self.id(name)
            }
        };
        names.zip(likely).map(sure).collect()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Member> {
        Some(self.member(self.id(name)?))
    }

    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut Member> {
        let MemberId(id) = self.id(name)?;
        self.slots[id as usize].as_mut()
    }

    /// A member by a number that this table has given and that it has not forgotten since.
    /// Makes room for so many members at once instead of little by little.
    #[cfg(feature = "sim")]
    pub(crate) fn reserve(&mut self, members: usize) {
        self.slots.reserve_exact(members);
        self.index.reserve(members, |known| spread(known.hash));
        self.present.reserve(members);
    }

    pub(crate) fn member(&self, id: MemberId) -> &Member {
        filled(&self.slots, id.0)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Member> {
        self.slots.iter().flatten()
    }

    pub(crate) fn with_ids(&self) -> impl Iterator<Item = (MemberId, &Member)> {
        let numbered = (0..).map(MemberId).zip(&self.slots);
        numbered.filter_map(|(id, slot)| Some((id, slot.as_ref()?)))
    }

    pub(crate) fn rings(&self) -> &Rings {
        &self.rings
    }

    pub(crate) fn digest(&self) -> &Digest {
        &self.digest
    }

    /// When the digest last changed.
    pub(crate) fn changed(&self) -> Time {
        self.changed
    }

    /// Another number for each change of what is held: while it stays, so does all that follows
    /// from the table.
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    /// Members in the digest: all but the departed.
    pub(crate) fn counted(&self) -> usize {
        1 + self.present.len() + self.lost.len()
    }

    /// Members that are remembered, the departed as well.
    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    /// Members that are alive or suspect, this node included.
    pub(crate) fn present(&self) -> usize {
        1 + self.present.len()
    }

    /// Whether a member is known, or may become so.
    pub(crate) fn has_room_for(&self, name: &Name, at: IpAddr) -> bool {
        let room = self.index.len() < limits::MEMBERS && !self.is_crowded(at);
        room || self.id(name.as_str()).is_some()
    }

    fn is_crowded(&self, at: IpAddr) -> bool {
        self.addresses.at_most(at) >= limits::MEMBERS_AT_ADDRESS
    }

    /// Takes a statement if it outranks what is held.
    pub(crate) fn merge(&mut self, statement: Statement, now: Time) -> Merge {
        let Some(id) = self.id(statement.record.name.as_str()) else {
            if self.index.len() >= limits::MEMBERS {
                return Merge::Full;
            }
            if self.is_crowded(statement.record.addr.ip()) {
                return Merge::Crowded;
            }
            return Merge::New(self.insert(statement, now));
        };
        if precedence(&statement, &self.member(id).statement).is_le() {
            return Merge::Old;
        }
        Merge::Changed(id, self.replace(id.0, statement, now))
    }

    /// Sets what this node says of itself, whatever was held.
    pub(crate) fn set_me(&mut self, statement: Statement, now: Time) {
        debug_assert_eq!(statement.record.name, self.me);
        self.replace(ME, statement, now);
    }

    /// A goodbye that is held came from the member itself. False when that was known.
    pub(crate) fn note_own_goodbye(&mut self, name: &str) -> bool {
        let Some(member) = self.get_mut(name) else {
            return false;
        };
        let known = std::mem::replace(&mut member.left_by_itself, true);
        self.revision += 1;
        !known
    }

    fn insert(&mut self, statement: Statement, now: Time) -> MemberId {
        self.revision += 1;
        self.digest.toggle(&statement);
        let status = statement.status;
        let hash = self.hash(statement.record.name.as_str());
        let bucket = digest::bucket(&statement.record.name, limits::DIGEST_BUCKETS);
        let member = Some(Member {
            statement,
            since: now,
            round_trip: RoundTrip::default(),
            suspicion: None,
            left_by_itself: false,
            lost_before_s: 0,
            place: 0,
            bucket: u8::try_from(bucket).expect("256 buckets have numbers of one byte"),
        });
        let id = match self.free.pop() {
            Some(id) => {
                self.slots[id as usize] = member;
                id
            }
            None => {
                make_room(&mut self.slots);
                self.slots.push(member);
                u32::try_from(self.slots.len() - 1)
                    .expect("the table is bounded by limits::MEMBERS")
            }
        };
        let indexed = Indexed { hash, id };
        self.index
            .insert_unique(spread(hash), indexed, |known| spread(known.hash));
        self.changed = now;
        if id != ME {
            let held = filled(&self.slots, id);
            self.addresses.add(held.statement.record.addr.ip());
        }
        self.enlist(id, status);
        MemberId(id)
    }

    fn replace(&mut self, id: u32, statement: Statement, now: Time) -> Statement {
        self.revision += 1;
        let before = self.digest.total();
        let member = self.slots[id as usize]
            .as_mut()
            .expect("only filled slots are replaced");
        let (old_rank, new_rank) = (member.statement.rank(), statement.rank());
        if old_rank.instance != new_rank.instance {
            member.round_trip = RoundTrip::default();
        }
        if old_rank.status != new_rank.status || old_rank.instance != new_rank.instance {
            member.since = now;
            member.lost_before_s = 0;
        }
        if new_rank.status != Status::Left || old_rank.instance != new_rank.instance {
            member.left_by_itself = false;
        }
        let same =
            (old_rank.instance, old_rank.incarnation) == (new_rank.instance, new_rank.incarnation);
        if !same || !matches!(new_rank.status, Status::Suspect | Status::Unreachable) {
            member.suspicion = None;
        }
        let old = std::mem::replace(&mut member.statement, statement);
        let (from, to) = (old.record.addr.ip(), member.statement.record.addr.ip());
        if id != ME && from != to {
            self.addresses.remove(from);
            self.addresses.add(to);
        }
        self.digest.toggle(&old);
        self.digest.toggle(&member.statement);
        if self.digest.total() != before {
            self.changed = now;
        }
        if kind(old_rank.status) != kind(new_rank.status) {
            self.delist(id, old_rank.status);
            self.enlist(id, new_rank.status);
        }
        old
    }

    /// Forgets a member. This node itself is never forgotten.
    pub(crate) fn forget(&mut self, name: &Name, now: Time) -> Option<Statement> {
        let MemberId(id) = self.id(name.as_str())?;
        if id == ME {
            return None;
        }
        self.revision += 1;
        let status = self.slots[id as usize].as_ref()?.statement.status;
        self.delist(id, status);
        let hash = spread(self.hash(name.as_str()));
        if let Ok(entry) = self.index.find_entry(hash, |known| known.id == id) {
            entry.remove();
        }
        let member = self.slots[id as usize].take()?;
        self.free.push(id);
        self.addresses.remove(member.statement.record.addr.ip());
        self.digest.toggle(&member.statement);
        self.changed = now;
        Some(member.statement)
    }

    fn enlist(&mut self, id: u32, status: Status) {
        if id == ME {
            return;
        }
        let order = match kind(status) {
            Kind::Present => {
                self.rings.insert(named(&self.slots, id));
                &mut self.present
            }
            Kind::Lost => &mut self.lost,
            Kind::Departed => return,
        };
        let place = order.push(id);
        self.set_places([(id, place)]);
    }

    fn delist(&mut self, id: u32, status: Status) {
        if id == ME {
            return;
        }
        let place = u32::from(filled(&self.slots, id).place);
        let moved = match kind(status) {
            Kind::Present => self.present.remove(place),
            Kind::Lost => self.lost.remove(place),
            Kind::Departed => return,
        };
        self.set_places(moved.into_iter().flatten());
        if kind(status) == Kind::Present {
            let slots = &self.slots;
            let rest = self.present.iter().map(|other| named(slots, other));
            self.rings.remove(named(slots, id), rest);
        }
    }

    fn set_places(&mut self, places: impl IntoIterator<Item = (u32, u32)>) {
        for (id, place) in places {
            let member = self.slots[id as usize].as_mut();
            let place = u16::try_from(place).expect("a list is no longer than the table");
            member.expect("lists name filled slots only").place = place;
        }
    }

    /// The next one of the shuffled round of present members (SWIM section 4.3).
    pub(crate) fn next_present(&mut self, rng: &mut Rng) -> Option<Name> {
        let (id, swapped) = self.present.next(rng)?;
        self.set_places(swapped);
        Some(named(&self.slots, id).clone())
    }

    /// Up to `count` different present members that `fits`, at random.
    pub(crate) fn some_present(
        &self,
        count: usize,
        rng: &mut Rng,
        fits: impl Fn(&Member) -> bool,
    ) -> Vec<Name> {
        let among = self.present.len();
        let mut chosen: Vec<Name> = Vec::with_capacity(count.min(among));
        if among == 0 || count == 0 {
            return chosen;
        }
        // From a random start in random steps; a small list is walked whole.
        let walk = among <= 4 * count;
        let tries = if walk { among } else { 4 * count };
        let start = rng.below(among);
        for turn in 0..tries {
            let at = if walk {
                (start + turn) % among
            } else {
                rng.below(among)
            };
            let member = filled(&self.slots, self.present.at(at));
            let name = &member.statement.record.name;
            if fits(member) && !chosen.contains(name) {
                chosen.push(name.clone());
            }
            if chosen.len() == count {
                break;
            }
        }
        chosen
    }

    /// The members next to `name` on every ring, as all that hold the same table see it. Looks at
    /// every member: for a few cases.
    pub(crate) fn buddies_of(&self, name: &Name) -> BTreeSet<Name> {
        let mut rings = Rings::new(self.rings.count(), name);
        let others = self.present.iter().map(|id| named(&self.slots, id));
        for other in others.chain([&self.me]).filter(|other| *other != name) {
            rings.insert(other);
        }
        rings.buddies()
    }

    /// Some unreachable member at random, or the one that was `last` lost.
    pub(crate) fn some_lost(&self, last: bool, rng: &mut Rng) -> Option<Name> {
        if self.lost.len() == 0 {
            return None;
        }
        let since = |id: &u32| filled(&self.slots, *id).since;
        let mut choice: SmallVec<[u32; 16]> = self.lost.iter().collect();
        if last {
            let last = choice.iter().map(since).max();
            choice.retain(|id| Some(since(id)) == last);
        }
        let id = choice[rng.below(choice.len())];
        Some(named(&self.slots, id).clone())
    }

    /// Copies a member out.
    pub(crate) fn info(&self, member: &Member) -> MemberInfo {
        let record = &member.statement.record;
        MemberInfo {
            name: record.name.clone(),
            addr: record.addr,
            instance: record.instance,
            incarnation: record.incarnation,
            state: member.state(),
            since: member.since,
            tags: record.tags.clone(),
            apps: record.apps.clone(),
            is_self: record.name == self.me,
            rtt: member.round_trip.estimate(),
            verdict: None,
            view: View(0),
            voter: false,
        }
    }

    /// The number of buckets in which this table is compared.
    pub(crate) fn bucket_count(&self) -> usize {
        digest::bucket_count(self.counted())
    }
}

/// This node's own slot.
const ME: u32 = 0;

/// A hash of 32 bits as one of 64, of which the index uses both ends.
fn spread(hash: u32) -> u64 {
    // The golden ratio: any large odd number would do.
    u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn filled(slots: &[Option<Member>], id: u32) -> &Member {
    slots[id as usize]
        .as_ref()
        .expect("index and lists name filled slots only")
}

fn named(slots: &[Option<Member>], id: u32) -> &Name {
    &filled(slots, id).statement.record.name
}

/// Room for one more, by a quarter of what there is: most tables have their last size for long, and
/// doubling would leave a third of it unused in the mean.
pub(super) fn make_room<T>(things: &mut Vec<T>) {
    if things.len() == things.capacity() {
        things.reserve_exact((things.len() / 4).max(4));
    }
}

/// Which list a member stands in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Present,
    Lost,
    Departed,
}

fn kind(status: Status) -> Kind {
    match status {
        Status::Alive | Status::Suspect => Kind::Present,
        Status::Unreachable => Kind::Lost,
        Status::Left => Kind::Departed,
    }
}

fn state(status: Status) -> State {
    match status {
        Status::Alive => State::Alive,
        Status::Suspect => State::Suspect,
        Status::Unreachable => State::Unreachable,
        Status::Left => State::Left,
    }
}
