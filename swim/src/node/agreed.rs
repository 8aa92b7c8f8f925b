//! What a node holds of the agreed state, and how it follows it: cuts and rosters are applied, told
//! to the users, and passed on.

use std::sync::Arc;
use std::time::Duration;

use super::agreement::{Memory, Quorum};
use super::asking::Asking;
use super::catching::Catching;
use super::founding::Founding;
use super::leaving::HandOver;
use super::office::InOffice;
use super::reporting::Reporting;
use super::stands::{Stand, state_under};
use super::voting::{Saves, Voting};
use super::{Lifecycle, Node, Timer};
use crate::coordinator::{
    Change, Cut, Epoch, History, Lineage, Office, Roster, Rosters, Signature, Signed, Turn,
    Verdict, View, VoterId, VoterKey,
};
use crate::event::{DeadCause, EventKind, MemberInfo, RemovedCause, State};
use crate::limits;
use crate::members::{Instance, MemberId, Name, Rank, Status};
use crate::time::Time;
use crate::wire::sealing::Windows;
use crate::wire::{Errand, LineageTag, Message, Outlook};

/// All that a node holds of the agreed state.
#[derive(Debug)]
pub(super) struct Agreed {
    /// Which memory this node votes with.
    pub(super) voter: VoterId,
    /// With what it signs.
    pub(super) key: Option<VoterKey>,
    /// Letters that it wrote, to go by datagram and by stream.
    pub(super) letters: [u64; 2],
    /// Which ones of the other voters it has read.
    pub(super) letters_heard: [Windows; 2],
    /// Since when it knows its history, or that there is one.
    pub(super) since: Time,
    pub(super) history: Option<History>,
    /// Where its rosters come from.
    pub(super) rosters: Rosters,
    /// This node's part in the present configuration, if it has one.
    pub(super) voting: Option<Voting>,
    pub(super) saves: Saves,
    /// What it does as the coordinator, while it is.
    pub(super) office: Option<InOffice>,
    pub(super) founding: Founding,
    pub(super) hand_over: Option<HandOver>,
    pub(super) catching: Catching,
    pub(super) reporting: Reporting,
    pub(super) asking: Asking,
    /// When the quorum was last known to be held.
    pub(super) quorum_heard: Option<Time>,
    /// Whether the users were told that it is lost.
    pub(super) told_lost: bool,
    /// In which epoch the users were told that this node decides, while it does.
    pub(super) told_deciding: Option<Epoch>,
    /// Another history of this cluster's name was met.
    pub(super) conflict: Option<Lineage>,
    /// The view in which a former life of this process was removed, until it is a member again.
    pub(super) removed_in: Option<View>,
    /// Members that an operator gave up to rebuild a quorum: removed when this node takes office.
    pub(super) given_up: Vec<Name>,
    /// The last history that this node voted in and gave up, with its log, and how far it was.
    pub(super) left: Option<(Lineage, View)>,
    /// The last life of this node that was a member, until its removal was told.
    member_as: Option<Instance>,
}

impl Agreed {
    pub(super) fn new(memory: &Memory, now: Time) -> Agreed {
        Agreed {
            voter: memory.id(),
            key: memory.key.clone(),
            letters: [0; 2],
            letters_heard: Default::default(),
            since: now,
            history: None,
            rosters: Rosters::default(),
            voting: None,
            saves: Saves::new(memory),
            office: None,
            founding: Founding::default(),
            hand_over: None,
            catching: Catching::default(),
            reporting: Reporting::default(),
            asking: Asking::default(),
            quorum_heard: None,
            told_lost: false,
            told_deciding: None,
            conflict: None,
            removed_in: None,
            given_up: Vec::new(),
            left: None,
            member_as: None,
        }
    }

    pub(super) fn check_invariants(&self) {
        if let Some(history) = &self.history {
            history.check_invariants();
        }
        if let Some(voting) = &self.voting {
            voting.consensus.check_invariants();
            let view = self.view();
            assert!(voting.reached() <= view, "what was committed is known");
        }
        if let Some(office) = &self.office {
            office.docket.check_invariants();
        }
    }

    pub(super) fn roster(&self) -> Option<&Roster> {
        self.history.as_ref().map(History::roster)
    }

    pub(super) fn view(&self) -> View {
        self.history.as_ref().map_or(View(0), History::view)
    }

    pub(super) fn tag(&self) -> LineageTag {
        let lineage = self.history.as_ref().map(History::lineage);
        lineage.map_or(LineageTag::NONE, LineageTag::of)
    }
}

impl Node {
    /// A member as its users see it: what this node believes and what was agreed.
    pub(super) fn describe(&self, mut info: MemberInfo) -> MemberInfo {
        let Some(roster) = self.agreed.roster() else {
            return info;
        };
        let name = info.name.as_str();
        info.voter = roster.is_voter(name);
        let Some((verdict, view, degraded)) = roster.agreed_on(name, info.instance) else {
            return info;
        };
        (info.verdict, info.view) = (Some(verdict), view);
        info.state = state_under(verdict, degraded, info.state);
        info
    }

    /// A member of the table as its users see it.
    pub(super) fn info_of(&self, name: &str) -> Option<MemberInfo> {
        let member = self.table.get(name)?;
        Some(self.describe(self.table.info(member)))
    }

    /// What this node tells others of what it knows of the views.
    pub(super) fn outlook(&self, now: Time) -> Outlook {
        let age = self.quorum_heard(now).map(|heard| now.since(heard));
        let steps = age.map(|age| {
            age.as_nanos()
                .div_ceil(limits::QUORUM_AGE_STEP.as_nanos().max(1))
        });
        Outlook {
            lineage: self.agreed.tag(),
            view: self.agreed.view(),
            quorum_age: steps.map_or(u8::MAX, |steps| u8::try_from(steps).unwrap_or(u8::MAX)),
        }
    }

    /// How long a quorum is taken to be held after it was last heard of: word of it travels with
    /// pings, and reaches everybody in some periods' time.
    pub(super) fn quorum_patience(&self) -> Duration {
        2 * self.config.lease + self.config.period * 3 / 2
    }

    /// When the quorum was last known to be held. Who leads holds it.
    fn quorum_heard(&self, now: Time) -> Option<Time> {
        if self.leads(now) {
            return Some(now);
        }
        self.agreed.quorum_heard
    }

    pub(super) fn quorum(&self, now: Time) -> Quorum {
        if self.agreed.history.is_none() {
            return Quorum::Forming;
        }
        let patience = self.quorum_patience();
        match self.quorum_heard(now) {
            Some(heard) if now.since(heard) <= patience => Quorum::Held,
            Some(_) | None => Quorum::Lost,
        }
    }

    /// The quorum was held at `at`.
    pub(super) fn on_quorum_heard(&mut self, at: Time, now: Time) {
        if self.agreed.quorum_heard.is_some_and(|heard| heard >= at) {
            return;
        }
        self.agreed.quorum_heard = Some(at);
        if self.quorum(now) != Quorum::Held {
            return;
        }
        let ends = at + self.quorum_patience();
        self.set_timer(Timer::Quorum, ends + Duration::from_nanos(1));
        if std::mem::take(&mut self.agreed.told_lost) {
            let kind = EventKind::QuorumRegained { recovered: false };
            self.tell(self.me(), kind, now);
        }
    }

    pub(super) fn on_quorum_timeout(&mut self, now: Time) {
        if self.leads(now) {
            return self.on_quorum_heard(now, now);
        }
        if self.quorum(now) == Quorum::Lost && !self.agreed.told_lost {
            self.agreed.told_lost = true;
            self.tell(self.me(), EventKind::QuorumLost, now);
            self.push_suspects(now);
        }
    }

    /// Applies the next cut, which is signed, tells what it means, passes it on.
    pub(super) fn apply(&mut self, (cut, signature): &Signed, bytes: &Arc<[u8]>, now: Time) {
        let subjects = cut.changes.iter();
        let ids = self
            .table
            .ids(subjects.map(|change| change.subject().0.as_str()));
        let known = ids.iter().flatten();
        let before: Vec<Stand> = known.map(|id| self.stand(*id)).collect();
        let apps = self.app_stands(&before);
        let told = self.events.len();
        let Some(history) = &mut self.agreed.history else {
            return;
        };
        let turns = history.apply((Arc::clone(cut), *signature), bytes, now);
        self.events.reserve(before.len());
        // Turns come in the order of the changes.
        let mut subjects = cut.changes.iter().zip(ids).peekable();
        for turn in turns.iter() {
            let is_other = |(change, _): &(&Change, _)| change.subject().0 != turn.name();
            while subjects.next_if(is_other).is_some() {}
            let known = subjects.peek().and_then(|(_, known)| *known);
            self.on_turn(turn, known, Some(cut), now);
        }
        if cut.voters.is_some() {
            // Others are looked for now.
            self.agreed.catching.voters_missed = None;
        }
        if let Some(office) = &cut.office {
            self.on_office(office, now);
        }
        self.push_cut(bytes, *signature);
        self.tell_rest(before, told, now);
        self.tell_apps_after(apps, now);
        self.on_new_view(now);
    }

    #[cfg(test)]
    pub(super) fn apply_unsigned(&mut self, cut: Cut, now: Time) {
        let bytes = cut.encoded();
        self.apply(&(Arc::new(cut), Signature::made_up()), &bytes, now);
    }

    /// The first roster that this node holds.
    pub(super) fn begin_history(&mut self, roster: Roster) {
        let mut history = History::new(roster);
        history.share(&self.agreed.rosters);
        self.agreed.history = Some(history);
    }

    /// A whole roster takes the place of what was known.
    pub(super) fn adopt(&mut self, roster: Roster, now: Time) {
        let recovered = self.agreed.history.as_ref().is_some_and(|history| {
            history.lineage().family == roster.head.lineage.family
                && history.lineage().generation < roster.head.lineage.generation
        });
        let members = self.table.with_ids();
        let stands: Vec<Stand> = members.map(|(id, _)| self.stand(id)).collect();
        let apps = self.app_stands(&stands);
        let told = self.events.len();
        let before = self.agreed.history.as_ref().map(History::kept);
        let new_lineage = before.as_ref().map(|old| old.head.lineage) != Some(roster.head.lineage);
        if new_lineage {
            // Letters and leases of another history mean nothing in this one.
            if let (Some(_), Some(old)) = (self.agreed.voting.take(), &before) {
                self.agreed.left = Some((old.head.lineage, old.head.view));
            }
            self.agreed.office = None;
            self.agreed.quorum_heard = None;
            self.agreed.since = now;
            self.agreed.conflict = None;
            self.agreed.given_up.clear();
            self.agreed.catching.forget_shown();
        }
        match &mut self.agreed.history {
            Some(history) => history.replace(roster),
            None => self.begin_history(roster),
        }
        self.agreed.catching.voters_missed = None;
        self.stop_founding();
        if recovered {
            self.agreed.told_lost = false;
            let kind = EventKind::QuorumRegained { recovered: true };
            self.tell(self.me(), kind, now);
        }
        let turns = self.turns_since(before.as_deref());
        self.events.reserve(stands.len().min(turns.len()));
        for turn in turns {
            self.on_turn(&turn, None, None, now);
        }
        let office = self.agreed.roster().and_then(|new| new.head.office.clone());
        let old_office = before.and_then(|old| old.head.office.clone());
        if let Some(office) = office.filter(|office| Some(office) != old_office.as_ref()) {
            self.on_office(&office, now);
        }
        self.tell_rest(stands, told, now);
        self.tell_apps_after(apps, now);
        self.on_new_view(now);
        if new_lineage {
            self.keep_history();
        }
    }

    /// What happened between an older roster and the present one.
    fn turns_since(&self, before: Option<&Roster>) -> Vec<Turn> {
        let Some(roster) = self.agreed.roster() else {
            return Vec::new();
        };
        let same_family =
            before.is_some_and(|old| old.head.lineage.family == roster.head.lineage.family);
        let mut turns = Vec::new();
        for old in before.into_iter().flat_map(Roster::standings) {
            let (name, instance) = (&old.name, old.instance);
            match roster.standing(name.as_str()) {
                Some(new) if new.instance == instance => {
                    if new.degraded != old.degraded {
                        let turn = if new.degraded {
                            Turn::Degraded
                        } else {
                            Turn::Restored
                        };
                        turns.push(turn(name.clone(), instance));
                    }
                }
                Some(new) if new.instance < instance => {}
                new => {
                    let verdict = roster.verdict(name.as_str(), instance);
                    let verdict = verdict.map(|(verdict, _)| verdict);
                    let turn = match (verdict, new) {
                        (Some(Verdict::Left), _) => {
                            Turn::Gone(name.clone(), instance, Verdict::Left)
                        }
                        (Some(Verdict::Dead | Verdict::Up) | None, Some(_)) => {
                            Turn::Replaced(name.clone(), instance)
                        }
                        (Some(verdict), None) => Turn::Gone(name.clone(), instance, verdict),
                        // Of a life that is no member in another history nothing was agreed.
                        (None, None) if !same_family => continue,
                        (None, None) => Turn::Gone(name.clone(), instance, Verdict::Dead),
                    };
                    turns.push(turn);
                }
            }
        }
        for removal in roster.removed() {
            let known = before.and_then(|old| old.verdict(removal.name.as_str(), removal.instance));
            // Who comes back was removed once; whoever learns both at once never met that life.
            let held = self.table.get(removal.name.as_str());
            let newer = held.is_some_and(|held| {
                removal.name != self.me.name && held.statement.record.instance > removal.instance
            });
            if known.is_none() && !newer {
                let (name, instance) = (removal.name.clone(), removal.instance);
                turns.push(Turn::Gone(name, instance, removal.verdict));
            }
        }
        for new in roster.standings() {
            let old = before.and_then(|old| old.standing(new.name.as_str()));
            if old.is_none_or(|old| old.instance != new.instance) {
                turns.push(Turn::Up(new.name.clone(), new.instance));
            }
        }
        turns
    }

    /// There is a new view, however it came.
    pub(super) fn on_new_view(&mut self, now: Time) {
        let lives = match self.lifecycle {
            Lifecycle::Joining | Lifecycle::Member => true,
            Lifecycle::Leaving | Lifecycle::Left | Lifecycle::Removed => false,
        };
        // A clock that was set back may have given this life a number that was condemned before.
        if lives
            && self.is_condemned(self.me.name.as_str(), self.me.instance)
            && let Some(last) = self.last_condemned()
        {
            self.begin_life_after(last, now);
        }
        self.reconfigure(now);
        self.answer_waiting(now);
        self.compare_put_off(now);
    }

    /// The newest life of this node's name that is a member or was removed.
    fn last_condemned(&self) -> Option<Instance> {
        let roster = self.agreed.roster()?;
        let name = self.me.name.as_str();
        let standing = roster.standing(name).map(|standing| standing.instance);
        let removed = roster
            .removed()
            .find(|removal| removal.name == self.me.name);
        standing.max(removed.map(|removal| removal.instance))
    }

    /// Somebody took office: what nobody confirmed goes there at once.
    ///
    /// Of a life whose record is still on its way that record will tell; that one held an office
    /// whose life is over is news to nobody. Of its own office a node tells when it decides.
    fn on_office(&mut self, office: &Office, now: Time) {
        self.on_decider_heard(now);
        let info = self.info_of(office.coordinator.as_str());
        let is_new = |info: &MemberInfo| info.instance == office.instance && !info.is_self;
        if let Some(info) = info.filter(is_new) {
            self.tell(info, EventKind::CoordinatorChanged, now);
        }
    }

    /// `known` is the number of its member, if that was looked up.
    fn on_turn(&mut self, turn: &Turn, known: Option<MemberId>, cut: Option<&Arc<Cut>>, now: Time) {
        self.record_turn(turn, now);
        match turn {
            Turn::Up(name, instance) => self.on_up(name, *instance, known, now),
            Turn::Replaced(name, instance) => {
                let newer = self.agreed.roster().and_then(|roster| {
                    let standing = roster.standing(name.as_str())?;
                    Some(standing.instance)
                });
                let cause = newer.map_or(DeadCause::Unknown, |instance| DeadCause::Replaced {
                    instance,
                });
                self.on_gone(name, *instance, EventKind::Dead { cause }, now);
            }
            Turn::Gone(name, instance, Verdict::Left) => {
                self.on_gone(name, *instance, EventKind::Left, now);
            }
            Turn::Gone(name, instance, Verdict::Dead | Verdict::Up) => {
                let evidence = cut.and_then(|cut| cut.evidence_of(name));
                let cause = evidence.map_or(DeadCause::Unknown, |evidence| DeadCause::Convicted {
                    evidence,
                });
                self.on_gone(name, *instance, EventKind::Dead { cause }, now);
            }
            Turn::Degraded(name, instance) => {
                let evidence = cut.and_then(|cut| cut.evidence_of(name));
                let held = self.info_of(name.as_str());
                if let Some(info) = held.filter(|held| held.instance == *instance)
                    && info.state == State::Degraded
                    && !info.is_self
                {
                    self.tell(info, EventKind::Degraded { evidence }, now);
                }
            }
            Turn::Restored(name, instance) => {
                let held = self.info_of(name.as_str());
                if let Some(info) = held.filter(|held| held.instance == *instance)
                    && info.state == State::Alive
                    && !info.is_self
                {
                    self.tell(info, EventKind::Reachable, now);
                }
            }
        }
    }

    /// A life is a member. If its record is still on its way, that will tell.
    fn on_up(&mut self, name: &Name, instance: Instance, known: Option<MemberId>, now: Time) {
        if *name == self.me.name && instance == self.me.instance {
            self.agreed.member_as = Some(instance);
            if self.agreed.removed_in.take().is_some() {
                self.tell(self.me(), EventKind::SelfReadmitted, now);
            }
            return self.tell(self.me(), EventKind::Up, now);
        }
        self.note_for_office(name, now);
        let Some(id) = known.or_else(|| self.table.id(name.as_str())) else {
            return;
        };
        let member = self.table.member(id);
        if member.statement.record.instance == instance {
            let info = self.describe(self.table.info(member));
            self.tell(info, EventKind::Up, now);
        }
    }

    /// A life is a member no more: `kind` tells why.
    fn on_gone(&mut self, name: &Name, instance: Instance, kind: EventKind, now: Time) {
        self.forget_report(name, instance);
        self.note_for_office(name, now);
        if *name == self.me.name {
            return self.on_own_removal(instance, now);
        }
        let Some(member) = self.table.get(name.as_str()) else {
            return;
        };
        let held = &member.statement;
        if held.record.instance == instance {
            if held.status != Status::Left {
                self.bury(name, now);
            }
            if let Some(info) = self.info_of(name.as_str()) {
                self.tell(info, kind, now);
            }
        } else if held.record.instance > instance {
            let mut info = self.table.info(member);
            (info.instance, info.rtt) = (instance, None);
            let info = self.describe(info);
            self.tell(info, kind, now);
        }
    }

    /// It was agreed that a life of this name is gone.
    fn on_own_removal(&mut self, instance: Instance, now: Time) {
        let lives = match self.lifecycle {
            Lifecycle::Joining | Lifecycle::Member => true,
            Lifecycle::Leaving | Lifecycle::Left | Lifecycle::Removed => false,
        };
        // It may have gone past that life a moment before, whose removal is news all the same.
        let was = self.agreed.member_as == Some(instance);
        if !lives || instance != self.me.instance && !was {
            return;
        }
        self.agreed.member_as = None;
        // A whole roster may tell of a removal long after the view in which it fell.
        let roster = self.agreed.roster();
        let fell = roster.and_then(|roster| roster.verdict(self.me.name.as_str(), instance));
        let view = fell.map_or(self.agreed.view(), |(_, view)| view);
        self.agreed.removed_in = Some(view);
        let cause = RemovedCause::Verdict { view };
        let mut info = self.me();
        info.instance = instance;
        let info = self.describe(info);
        self.tell(info, EventKind::SelfRemoved { cause }, now);
        if instance != self.me.instance || instance.next() == instance {
            // It has begun a newer life already, or there is none at the end of the counter.
            return;
        }
        self.me.returns = self.me.returns.saturating_add(1);
        self.begin_life_after(instance, now);
    }

    /// Whether this life can never be a member any more.
    pub(super) fn is_condemned(&self, name: &str, instance: Instance) -> bool {
        let roster = self.agreed.roster();
        roster.is_some_and(|roster| roster.is_condemned(name, instance))
    }

    /// Whether this life is a member of the view, or came after one that still is.
    pub(super) fn succeeds_a_member(&self, name: &str, instance: Instance) -> bool {
        let roster = self.agreed.roster();
        let standing = roster.and_then(|roster| roster.standing(name));
        standing.is_some_and(|standing| standing.instance <= instance)
    }

    /// The status in which a record counts: what is condemned is unreachable, whatever it says.
    pub(super) fn status_under_verdict(&self, name: &str, rank: Rank) -> Status {
        let present = matches!(rank.status, Status::Alive | Status::Suspect);
        if present && self.is_condemned(name, rank.instance) {
            Status::Unreachable
        } else {
            rank.status
        }
    }

    /// Who first hears of a cut passes it on at once, to its successors, which alone reach
    /// everybody, and to random members (DESIGN 4.2). One that does not fit is asked for by
    /// whom the header shows that it is behind.
    fn push_cut(&mut self, bytes: &[u8], signature: Signature) {
        let errand = if bytes.len() <= limits::DATAGRAM_CUT_BYTES {
            Errand::Cut {
                view: self.agreed.view(),
                cut: bytes.to_vec(),
                signature,
            }
        } else {
            Errand::View
        };
        for to in self.push_targets(self.config.gossip_fanout.max(1)) {
            self.send_plain(to, Message::Errand(errand.clone()));
        }
    }
}
