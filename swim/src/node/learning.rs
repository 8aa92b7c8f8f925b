//! Learning: what others say of members, what it changes here, and how it is passed on.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::{Node, Timer};
#[cfg(feature = "sim")]
use crate::coordinator::Rosters;
use crate::coordinator::{Verdict, View};
use crate::event::{DeadCause, EventKind, MemberInfo, State, UnreachableCause};
use crate::gossip::Urgency;
use crate::limits;
#[cfg(feature = "sim")]
use crate::members::Records;
use crate::members::{MemberId, Merge, Name, NameRef, Rank, Record, RecordRef, Statement, Status};
use crate::time::Time;
use crate::wire::{Entry, Header, Update};

impl Node {
    /// Takes its records and rosters from the same sources as other nodes.
    #[cfg(feature = "sim")]
    pub(crate) fn share(&mut self, records: Records, rosters: Rosters) {
        self.records = records;
        if let Some(history) = &mut self.agreed.history {
            history.share(&rosters);
        }
        self.agreed.rosters = rosters;
    }

    /// Makes room for so many members, that are known to come.
    #[cfg(feature = "sim")]
    pub(crate) fn reserve(&mut self, members: usize) {
        self.table.reserve(members);
    }

    /// An update from a datagram. `known` is the number of its subject, if it had one just before.
    pub(super) fn learn(
        &mut self,
        update: Update<RecordRef<'_>, NameRef<'_>>,
        known: Option<MemberId>,
        header: &Header<'_>,
        from: SocketAddr,
        now: Time,
    ) {
        match update {
            Update::Record(record) => self.learn_record(&record, known, now),
            Update::Claim {
                name,
                instance,
                incarnation,
                status,
                by,
                refused,
            } => {
                let (name, rank) = (name.as_str(), Rank::new(instance, incarnation, status));
                if name == self.me.name.as_str() {
                    return self.on_word_about_me(rank, None, now);
                }
                if self.refuses_as_absurd(rank, known) {
                    return;
                }
                if self.lacks_record(name, rank) {
                    // Somebody knows a record that we missed, or that no datagram holds.
                    return self.pull_news(self.listens_at(header, from), now);
                }
                self.on_claim(name, rank, (by.as_str(), &refused), now);
                let by_itself = header.from == name && header.instance == instance;
                if by_itself && status == Status::Left {
                    self.on_own_goodbye(name, rank, from, now);
                }
            }
        }
    }

    /// Whether a word about another member is beyond belief; `known` is its number, if it has one.
    fn refuses_as_absurd(&mut self, rank: Rank, known: Option<MemberId>) -> bool {
        let held = known.map(|id| &self.table.member(id).statement.record);
        let absurd = rank.is_absurd(held.map(|held| (held.instance, held.incarnation)));
        self.stats.dropped.absurd += u64::from(absurd);
        absurd
    }

    /// A goodbye in a datagram of the member itself, not by hearsay: only such a one is as good as
    /// a verdict to the coordinator. With the key everybody can speak in its name, but not from
    /// where it is.
    fn on_own_goodbye(&mut self, name: &str, rank: Rank, from: SocketAddr, now: Time) {
        let Some(member) = self.table.get(name) else {
            return;
        };
        let held = &member.statement;
        if held.rank() != rank || held.record.addr != from {
            return;
        }
        let of = held.record.name.clone();
        if self.table.note_own_goodbye(name) {
            self.note_for_office(&of, now);
        }
    }

    /// What somebody else said first of a member is beyond belief, now that it speaks for itself:
    /// it is asked for its record anew.
    pub(super) fn unlearn(&mut self, name: &Name, from: SocketAddr, now: Time) {
        self.stats.dropped.absurd += 1;
        self.timers.cancel(&Timer::Suspicion(name.clone()));
        self.timers.cancel(&Timer::Forget(name.clone()));
        if let Some(id) = self.table.id(name.as_str()) {
            self.queue.remove(id);
        }
        self.table.forget(name, now);
        self.pull_news(from, now);
    }

    /// A member is alive, by its own word.
    fn learn_record(&mut self, record: &RecordRef<'_>, known: Option<MemberId>, now: Time) {
        let (name, rank) = (record.name.as_str(), rank_of(record, Status::Alive));
        if name == self.me.name.as_str() {
            return self.on_word_about_me(rank, Some(record.addr), now);
        }
        if self.refuses_as_absurd(rank, known) {
            return;
        }
        let held = known.map(|id| &self.table.member(id).statement);
        // Of one version there may be two records, of two that began at one instant.
        if held.is_some_and(|held| rank < held.rank() || record.says(&held.record)) {
            return;
        }
        let status = self.status_under_verdict(name, rank);
        let record = self.records.of(record);
        self.accept(Statement { record, status }, None, now);
    }

    /// A member from another table, read over a stream.
    pub(super) fn learn_entry(
        &mut self,
        entry: &Entry<RecordRef<'_>>,
        known: Option<MemberId>,
        by: &Name,
        now: Time,
    ) {
        let (record, status, rank) = (&entry.record, entry.status, entry.rank());
        if status == Status::Alive {
            return self.learn_record(record, known, now);
        }
        let name = record.name.as_str();
        if name == self.me.name.as_str() {
            return self.on_word_about_me(rank, Some(record.addr), now);
        }
        let lost_for = Duration::from_secs(entry.lost_for_s.into());
        let held = self.table.get(name).map(|member| member.statement.status);
        let present = matches!(held, Some(Status::Alive | Status::Suspect));
        match status {
            // Nothing to take back: a goodbye of somebody we never met.
            Status::Left if held.is_none() => {}
            Status::Suspect | Status::Unreachable | Status::Left
                if self.refuses_as_absurd(rank, known) => {}
            // Forgotten here, and soon there.
            Status::Unreachable if self.forgotten.get(name).is_some_and(|old| rank <= *old) => {}
            Status::Unreachable if held.is_none() && lost_for >= self.config.forget_after => {}
            Status::Unreachable if !present => {
                let cause = UnreachableCause::Told { by: by.clone() };
                let record = self.records.of(record);
                let name = record.name.clone();
                self.accept(Statement { record, status }, Some(cause), now);
                self.on_lost_before(&name, rank, lost_for, now);
            }
            Status::Alive | Status::Suspect | Status::Unreachable | Status::Left => {
                if self.lacks_record(name, rank) {
                    self.learn_record(record, known, now);
                }
                self.on_claim(name, rank, (by.as_str(), &[]), now);
            }
        }
    }

    /// A member that was lost long ago is forgotten so much earlier.
    fn on_lost_before(&mut self, name: &Name, rank: Rank, lost_for: Duration, now: Time) {
        let held = self.table.get_mut(name.as_str());
        let Some(member) = held.filter(|held| held.statement.rank() == rank) else {
            return;
        };
        member.lost_before(lost_for.saturating_sub(now.since(member.since)));
        let left = self
            .config
            .forget_after
            .saturating_sub(member.lost_for(now));
        self.set_timer(Timer::Forget(name.clone()), now + left);
    }

    /// Whether `rank` speaks of a version that we do not have. A goodbye needs none.
    fn lacks_record(&self, name: &str, rank: Rank) -> bool {
        let held = self.table.get(name);
        let Some(held) = held.map(|member| &member.statement.record) else {
            return rank.status != Status::Left;
        };
        rank.instance > held.instance
            || rank.instance == held.instance
                && rank.incarnation > held.incarnation
                && rank.status != Status::Left
    }

    fn on_claim(
        &mut self,
        name: &str,
        rank: Rank,
        (by, refused): (&str, &[NameRef<'_>]),
        now: Time,
    ) {
        let Some(held) = self.table.get(name).map(|member| &member.statement) else {
            return;
        };
        // Of an older life or version it says nothing any more.
        if rank.instance != held.record.instance || rank < held.rank() {
            return;
        }
        let (record, status) = (Arc::clone(&held.record), rank.status);
        let by = || Name::new(by).expect("names are checked when they are decoded");
        let refused: Vec<Name> = refused.iter().map(|name| name.to_name()).collect();
        match status {
            Status::Alive => {}
            Status::Suspect => {
                self.on_suspect_claim(&record.name, rank, (by(), &refused), now);
            }
            Status::Unreachable => {
                self.on_unreachable_claim(&record.name, rank, (by(), &refused), now);
            }
            Status::Left => {
                let record = at_version(record, rank);
                self.accept(Statement { record, status }, None, now);
            }
        }
    }

    /// Merges a statement about another member; if it counts: events, timers, gossip.
    pub(super) fn accept(
        &mut self,
        statement: Statement,
        cause: Option<UnreachableCause>,
        now: Time,
    ) {
        debug_assert_ne!(
            statement.record.name, self.me.name,
            "only we speak for ourselves"
        );
        debug_assert_ne!(
            statement.status,
            Status::Suspect,
            "suspicion has its own way in"
        );
        let name = statement.record.name.clone();
        let status = statement.status;
        let watched = self.watched_on(&name);
        let (id, before) = match self.table.merge(statement, now) {
            Merge::Old => return,
            Merge::Full => {
                self.stats.dropped.members += 1;
                return;
            }
            Merge::Crowded => {
                self.stats.dropped.crowded += 1;
                return;
            }
            Merge::New(id) => {
                // Whoever found whom: it is not alone any more.
                self.end_joining();
                (id, None)
            }
            Merge::Changed(id, before) => (id, Some(before)),
        };
        let newcomer = before.is_none();
        self.tell_office(&name, before.as_ref(), id, now);
        match before.as_ref().map(|before| before.status) {
            None => {
                if self.forgotten.remove(&name).is_some() {
                    self.timers.cancel(&Timer::Forget(name.clone()));
                }
            }
            Some(Status::Alive) => {}
            Some(Status::Suspect) => self.timers.cancel(&Timer::Suspicion(name.clone())),
            Some(Status::Unreachable | Status::Left) => {
                self.timers.cancel(&Timer::Forget(name.clone()));
            }
        }
        let forget_after = match status {
            Status::Alive | Status::Suspect => None,
            Status::Unreachable => Some(self.config.forget_after),
            Status::Left => Some(limits::TOMBSTONE),
        };
        if let Some(after) = forget_after {
            self.take_over(&watched, now);
            self.set_timer(Timer::Forget(name), now + after);
        }
        let held = &self.table.member(id).statement;
        let other_apps = before
            .as_ref()
            .is_some_and(|before| before.record.apps != held.record.apps);
        let only_belief = before
            .as_ref()
            .is_some_and(|before| held.is_only_belief(before));
        let name = held.record.name.clone();
        self.announce(id, before, cause, now);
        if other_apps {
            self.gossip(id, Urgency::First, now);
            self.hurry(now);
        } else if only_belief {
            self.gossip_belief(&name, now);
        } else if !(newcomer && self.is_crowded(self.queue.fresher_than(self.pushes()))) {
            self.gossip(id, self.urgency_of(id), now);
        }
    }

    /// Tells what the change from `before` means.
    fn announce(
        &mut self,
        id: MemberId,
        before: Option<Statement>,
        cause: Option<UnreachableCause>,
        now: Time,
    ) {
        let member = self.table.member(id);
        let status = member.statement.status;
        let info = self.describe(self.table.info(member));
        let mut held = None;
        if let Some(before) = before {
            let same_life = before.record.instance == info.instance;
            let here = matches!(before.status, Status::Alive | Status::Suspect);
            if !same_life && here {
                let superseded = UnreachableCause::Superseded {
                    instance: info.instance,
                };
                let old = self.describe(superseded_info(&before.record, now));
                if old.state == State::Unreachable {
                    self.tell(old, EventKind::Unreachable { cause: superseded }, now);
                }
            }
            if !same_life && before.status != Status::Left {
                let old = self.describe(superseded_info(&before.record, now));
                self.tell_apps_replaced(&old, info.instance, now);
            }
            held = same_life.then_some(before);
        }
        let held_status = held.as_ref().map(|held| held.status);
        let unchanged =
            |held: &Statement| held.record.tags == info.tags && held.record.addr == info.addr;
        let updated = held.as_ref().is_some_and(|held| !unchanged(held));
        match status {
            Status::Alive => {
                if held_status != Some(Status::Alive) {
                    self.tell(info.clone(), EventKind::Reachable, now);
                }
                if updated {
                    self.tell(info.clone(), EventKind::Updated, now);
                }
            }
            Status::Unreachable if held_status == Some(Status::Unreachable) => {
                if updated {
                    self.tell(info.clone(), EventKind::Updated, now);
                }
            }
            Status::Unreachable if info.verdict == Some(Verdict::Dead) => {
                let cause = DeadCause::Unknown;
                self.tell(info.clone(), EventKind::Dead { cause }, now);
            }
            Status::Unreachable if info.verdict == Some(Verdict::Left) => {
                self.tell(info.clone(), EventKind::Left, now);
            }
            Status::Unreachable => {
                let by = self.me.name.clone();
                let cause = cause.unwrap_or(UnreachableCause::Told { by });
                self.tell(info.clone(), EventKind::Unreachable { cause }, now);
            }
            // The verdict was told when it fell, of a life that was known then.
            Status::Left
                if held.is_some()
                    && matches!(info.verdict, Some(Verdict::Left | Verdict::Dead)) => {}
            Status::Left if info.verdict == Some(Verdict::Left) => {
                self.tell(info.clone(), EventKind::Left, now);
            }
            Status::Left if info.verdict == Some(Verdict::Dead) => {
                let cause = DeadCause::Unknown;
                self.tell(info.clone(), EventKind::Dead { cause }, now);
            }
            Status::Left => {
                let cause = UnreachableCause::Goodbye;
                self.tell(info.clone(), EventKind::Unreachable { cause }, now);
            }
            Status::Suspect => {}
        }
        if held.is_none() {
            self.tell_agreed(&info, now);
        }
        let gone = matches!(info.verdict, Some(Verdict::Dead | Verdict::Left));
        let over = |held: &Statement| gone || held.status == Status::Left;
        let held = held.as_ref().map(|held| (&*held.record, over(held)));
        self.tell_apps(held, &info, now);
    }

    /// What was agreed about a life before its record came. The first cut of a voter that restarted
    /// may say that it takes office, the next one that it is a member.
    fn tell_agreed(&mut self, info: &MemberInfo, now: Time) {
        if info.verdict == Some(Verdict::Up) {
            self.tell(info.clone(), EventKind::Up, now);
        }
        if self.decider().as_ref() == Some(&info.name) {
            self.tell(info.clone(), EventKind::CoordinatorChanged, now);
        }
    }

    /// A coordinator hears of what changed about a member, and of its refutations.
    fn tell_office(&mut self, name: &Name, before: Option<&Statement>, id: MemberId, now: Time) {
        if self.agreed.office.is_none() {
            return;
        }
        let held = &self.table.member(id).statement;
        let refuted = before.is_some_and(|before| {
            let same_life = before.record.instance == held.record.instance;
            same_life
                && held.record.incarnation > before.record.incarnation
                && held.status == Status::Alive
        });
        if refuted {
            self.note_refutation(name, now);
        }
        self.note_for_office(name, now);
    }

    /// A lost or departed member is forgotten. That it was lost is remembered for a while longer:
    /// others forget it at their own time, and must not bring it back meanwhile.
    pub(super) fn on_forget_timeout(&mut self, name: &Name, now: Time) {
        if self.forgotten.remove(name).is_some() {
            return;
        }
        let held = self
            .table
            .get(name.as_str())
            .map(|member| &member.statement);
        if let Some(held) = held
            && self.succeeds_a_member(name.as_str(), held.record.instance)
        {
            // Members of the view are not forgotten, however long nobody can decide about them. Nor
            // are lives that came after them and went: the older one would count again.
            return self.set_timer(Timer::Forget(name.clone()), now + self.config.forget_after);
        }
        if let Some(id) = self.table.id(name.as_str()) {
            self.queue.remove(id);
        }
        let Some(statement) = self.table.forget(name, now) else {
            return;
        };
        if statement.status == Status::Unreachable && self.forgotten.len() < limits::MEMBERS {
            self.forgotten.insert(name.clone(), statement.rank());
            self.set_timer(Timer::Forget(name.clone()), now + limits::TOMBSTONE);
        }
    }
}

/// The record that a goodbye goes with. When it was said of a later version than is known, what
/// else that one said is of no use any more, but its number is.
fn at_version(held: Arc<Record>, rank: Rank) -> Arc<Record> {
    if held.incarnation == rank.incarnation {
        return held;
    }
    let mut record = Record::clone(&held);
    record.incarnation = rank.incarnation;
    Arc::new(record)
}

fn rank_of(record: &RecordRef<'_>, status: Status) -> Rank {
    Rank::new(record.instance, record.incarnation, status)
}

fn superseded_info(record: &Record, now: Time) -> MemberInfo {
    MemberInfo {
        name: record.name.clone(),
        addr: record.addr,
        instance: record.instance,
        incarnation: record.incarnation,
        state: State::Unreachable,
        since: now,
        tags: record.tags.clone(),
        apps: record.apps.clone(),
        is_self: false,
        rtt: None,
        verdict: None,
        view: View(0),
        voter: false,
    }
}
