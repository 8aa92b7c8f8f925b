//! The member table: what this node holds of every member, itself included.

use std::time::Duration;

use hashbrown::HashMap;

use super::digest::{self, Digest};
use super::{Name, Statement, Status, precedence};
use crate::detector::{RoundTrip, Suspicion};
use crate::event::{MemberInfo, State};
use crate::limits;
use crate::ring::Rings;
use crate::rng::Rng;
use crate::time::Time;

/// One member and what this node keeps of it.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) statement: Statement,
    /// Since when it has its state here.
    pub(crate) since: Time,
    /// How long it had been lost when this node heard of it.
    pub(crate) lost_before: Duration,
    pub(crate) round_trip: RoundTrip,
    /// Present exactly while the status is `Suspect`.
    pub(crate) suspicion: Option<Box<Suspicion>>,
    /// Where it stands in the list of its kind.
    place: u32,
}

/// What merging a statement did.
#[derive(Debug)]
pub(crate) enum Merge {
    /// What was held counts more, or says the same.
    Old,
    /// There is no room for another member.
    Full,
    /// A member that was not known.
    New,
    /// What was held before.
    Changed(Statement),
}

/// All members by name, with rings, digest and lists kept in step.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    me: Name,
    slots: Vec<Option<Member>>,
    free: Vec<u32>,
    index: HashMap<Name, u32>,
    rings: Rings,
    digest: Digest,
    /// Others that are alive or suspect: on the rings and probed.
    present: Order,
    /// Others that are unreachable: contacted now and then.
    lost: Order,
    /// When the digest last changed.
    changed: Time,
}

impl Table {
    /// A table that holds only `me`.
    pub(crate) fn new(me: Statement, rings: usize, now: Time) -> Table {
        let mut table = Table {
            me: me.record.name.clone(),
            slots: Vec::new(),
            free: Vec::new(),
            index: HashMap::new(),
            rings: Rings::new(rings),
            digest: Digest::new(),
            present: Order::default(),
            lost: Order::default(),
            changed: now,
        };
        table.insert(me, now);
        table
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Member> {
        self.slots[*self.index.get(name)? as usize].as_ref()
    }

    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut Member> {
        self.slots[*self.index.get(name)? as usize].as_mut()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Member> {
        self.slots.iter().flatten()
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

    /// Members in the digest: all but the departed.
    pub(crate) fn counted(&self) -> usize {
        1 + self.present.ids.len() + self.lost.ids.len()
    }

    /// Members that are alive or suspect, this node included.
    pub(crate) fn present(&self) -> usize {
        1 + self.present.ids.len()
    }

    /// Takes a statement if it outranks what is held.
    pub(crate) fn merge(&mut self, statement: Statement, now: Time) -> Merge {
        let Some(&id) = self.index.get(&statement.record.name) else {
            if self.index.len() >= limits::MEMBERS {
                return Merge::Full;
            }
            self.insert(statement, now);
            return Merge::New;
        };
        let held = self.slots[id as usize]
            .as_ref()
            .expect("the index names filled slots only");
        if precedence(&statement, &held.statement).is_le() {
            return Merge::Old;
        }
        Merge::Changed(self.replace(id, statement, now))
    }

    /// Sets what this node says of itself, whatever was held.
    pub(crate) fn set_me(&mut self, statement: Statement, now: Time) {
        debug_assert_eq!(statement.record.name, self.me);
        self.replace(ME, statement, now);
    }

    fn insert(&mut self, statement: Statement, now: Time) {
        let name = statement.record.name.clone();
        let id = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            u32::try_from(self.slots.len() - 1).expect("the table is bounded by limits::MEMBERS")
        });
        self.digest.toggle(&statement);
        let status = statement.status;
        self.slots[id as usize] = Some(Member {
            statement,
            since: now,
            lost_before: Duration::ZERO,
            round_trip: RoundTrip::default(),
            suspicion: None,
            place: 0,
        });
        self.index.insert(name, id);
        self.changed = now;
        self.enlist(id, status);
    }

    fn replace(&mut self, id: u32, statement: Statement, now: Time) -> Statement {
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
            member.lost_before = Duration::ZERO;
        }
        if new_rank.status != Status::Suspect {
            member.suspicion = None;
        }
        let old = std::mem::replace(&mut member.statement, statement);
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
        let id = *self.index.get(name)?;
        if id == ME {
            return None;
        }
        let status = self.slots[id as usize].as_ref()?.statement.status;
        self.delist(id, status);
        let member = self.slots[id as usize].take()?;
        self.index.remove(name);
        self.free.push(id);
        self.digest.toggle(&member.statement);
        self.changed = now;
        Some(member.statement)
    }

    fn enlist(&mut self, id: u32, status: Status) {
        let member = self.slots[id as usize]
            .as_mut()
            .expect("only filled slots are listed");
        let order = match kind(status) {
            Kind::Present => {
                self.rings.insert(&member.statement.record.name);
                &mut self.present
            }
            Kind::Lost => &mut self.lost,
            Kind::Departed => return,
        };
        if id != ME {
            member.place = order.push(id);
        }
    }

    fn delist(&mut self, id: u32, status: Status) {
        let member = self.slots[id as usize]
            .as_ref()
            .expect("only filled slots are listed");
        let place = member.place;
        let order = match kind(status) {
            Kind::Present => {
                self.rings.remove(&member.statement.record.name);
                &mut self.present
            }
            Kind::Lost => &mut self.lost,
            Kind::Departed => return,
        };
        if id == ME {
            return;
        }
        for (moved, place) in order.remove(place).into_iter().flatten() {
            self.slots[moved as usize]
                .as_mut()
                .expect("lists name filled slots only")
                .place = place;
        }
    }

    /// The next one of the shuffled round of present members (SWIM section 4.3).
    pub(crate) fn next_present(&mut self, rng: &mut Rng) -> Option<Name> {
        let (id, swapped) = self.present.next(rng)?;
        for (moved, place) in swapped {
            self.slots[moved as usize]
                .as_mut()
                .expect("lists name filled slots only")
                .place = place;
        }
        Some(self.name_of(id).clone())
    }

    /// Up to `count` different present members that `fits`, at random.
    pub(crate) fn some_present(
        &self,
        count: usize,
        rng: &mut Rng,
        fits: impl Fn(&Member) -> bool,
    ) -> Vec<Name> {
        let ids = &self.present.ids;
        let mut chosen: Vec<Name> = Vec::with_capacity(count.min(ids.len()));
        if ids.is_empty() || count == 0 {
            return chosen;
        }
        // From a random start in random steps; a small list is walked whole.
        let tries = if ids.len() <= 4 * count {
            ids.len()
        } else {
            4 * count
        };
        let start = rng.below(ids.len());
        for turn in 0..tries {
            let walk = ids.len() <= 4 * count;
            let at = if walk {
                (start + turn) % ids.len()
            } else {
                rng.below(ids.len())
            };
            let member = self.slots[ids[at] as usize].as_ref();
            let member = member.expect("lists name filled slots only");
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

    /// Some unreachable member, at random.
    pub(crate) fn some_lost(&self, rng: &mut Rng) -> Option<Name> {
        if self.lost.ids.is_empty() {
            return None;
        }
        Some(
            self.name_of(self.lost.ids[rng.below(self.lost.ids.len())])
                .clone(),
        )
    }

    fn name_of(&self, id: u32) -> &Name {
        let member = self.slots[id as usize]
            .as_ref()
            .expect("lists name filled slots only");
        &member.statement.record.name
    }

    /// Copies a member out.
    pub(crate) fn info(&self, member: &Member) -> MemberInfo {
        let record = &member.statement.record;
        MemberInfo {
            name: record.name.clone(),
            addr: record.addr,
            instance: record.instance,
            incarnation: record.incarnation,
            state: state(member.statement.status),
            since: member.since,
            tags: record.tags.clone(),
            is_self: record.name == self.me,
            rtt: member.round_trip.estimate(),
        }
    }

    /// Whether index, lists, rings and digest say the same. Slow: for the simulator and tests.
    pub(crate) fn check_invariants(&self) {
        let mut digest = Digest::new();
        let (mut present, mut lost) = (0, 0);
        for (id, slot) in self.slots.iter().enumerate() {
            let Some(member) = slot else {
                assert!(self.free.contains(&(id as u32)), "an empty slot is free");
                continue;
            };
            let name = &member.statement.record.name;
            let status = member.statement.status;
            assert_eq!(
                self.index.get(name),
                Some(&(id as u32)),
                "the index names {name}"
            );
            digest.toggle(&member.statement);
            assert_eq!(
                member.suspicion.is_some(),
                status == Status::Suspect,
                "{name} has a suspicion exactly while it is suspect"
            );
            if id as u32 == ME {
                assert_eq!(*name, self.me, "this node stands first");
                continue;
            }
            let list = match kind(status) {
                Kind::Present => &self.present,
                Kind::Lost => &self.lost,
                Kind::Departed => continue,
            };
            assert_eq!(
                list.ids[member.place as usize], id as u32,
                "{name} is in its list"
            );
            present += usize::from(kind(status) == Kind::Present);
            lost += usize::from(kind(status) == Kind::Lost);
        }
        assert_eq!(
            (present, lost),
            (self.present.ids.len(), self.lost.ids.len())
        );
        assert_eq!(
            digest.total(),
            self.digest.total(),
            "the digest is that of the members"
        );
        assert_eq!(
            digest.fold(16),
            self.digest.fold(16),
            "and so are its buckets"
        );
        let me_on_rings = usize::from(
            kind(
                self.slots[0]
                    .as_ref()
                    .map_or(Status::Left, |me| me.statement.status),
            ) == Kind::Present,
        );
        let on_rings = if self.rings.count() == 0 {
            0
        } else {
            present + me_on_rings
        };
        assert_eq!(
            self.rings.len(),
            on_rings,
            "the rings, if there are any, hold all that are present"
        );
        assert!(self.index.len() <= limits::MEMBERS);
    }

    /// The number of buckets in which this table is compared.
    pub(crate) fn bucket_count(&self) -> usize {
        digest::bucket_count(self.counted())
    }
}

/// This node's own slot.
const ME: u32 = 0;

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

/// Members in a random order that is shuffled as it is walked: each comes once in a round, and one
/// that joins comes at a random place (SWIM section 4.3).
#[derive(Clone, Debug, Default)]
struct Order {
    ids: Vec<u32>,
    cursor: usize,
}

impl Order {
    fn push(&mut self, id: u32) -> u32 {
        self.ids.push(id);
        u32::try_from(self.ids.len() - 1).expect("the table is bounded by limits::MEMBERS")
    }

    /// Takes out what stands at `place`; returns the members that moved and where to.
    fn remove(&mut self, place: u32) -> [Option<(u32, u32)>; 2] {
        let mut hole = place as usize;
        let mut moved = [None, None];
        if hole < self.cursor {
            // Keep the walked part in front: its last one fills the hole.
            self.cursor -= 1;
            if hole != self.cursor {
                self.ids[hole] = self.ids[self.cursor];
                moved[0] = Some((self.ids[hole], hole as u32));
                hole = self.cursor;
            }
        }
        self.ids.swap_remove(hole);
        if hole < self.ids.len() {
            moved[1] = Some((self.ids[hole], hole as u32));
        }
        moved
    }

    /// The next one, and where it and the one it changed places with now stand.
    fn next(&mut self, rng: &mut Rng) -> Option<(u32, [(u32, u32); 2])> {
        if self.ids.is_empty() {
            return None;
        }
        if self.cursor >= self.ids.len() {
            self.cursor = 0;
        }
        let (here, there) = (
            self.cursor,
            self.cursor + rng.below(self.ids.len() - self.cursor),
        );
        self.ids.swap(here, there);
        self.cursor += 1;
        let id = self.ids[here];
        Some((id, [(id, here as u32), (self.ids[there], there as u32)]))
    }
}
