//! Catching up with the agreed views: who is behind pulls the missing cuts, or the whole roster,
//! from whoever shows that it is ahead (DESIGN 4.2).

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::agreement::Quorum;
use super::rates::Share;
use super::streams::{Purpose, StreamId};
use super::voting::encode_roster;
use super::{Node, Timer};
use crate::coordinator::{
    CatchUp, Cut, Lineage, Removal, Roster, RosterHead, Said, Signature, Signed, Standing, View,
    Voter, VoterId,
};
use crate::limits;
use crate::members::{Name, Status};
use crate::time::Time;
use crate::wire::wiped::Wiped;
use crate::wire::{Frame, LineageTag, Outlook, encode_frame};

/// When to catch up.
#[derive(Debug, Default)]
pub(super) struct Catching {
    stream: Option<StreamId>,
    last: Option<Time>,
    /// A later view than this node's that somebody showed, and who.
    shown: Option<(View, String)>,
    /// Who is asked for the view that it showed.
    asked: Option<Asked>,
    /// Who showed a view that it did not have: asked again only after a while, for the others are
    /// to have their turn.
    doubted: VecDeque<(String, Time)>,
    /// Whether a voter is asked, after somebody told a roster that no voter had signed.
    asks_voter: bool,
    /// Since when no majority of the known voters is there. Looked at with each period, so that
    /// nobody can keep it by a word now and then.
    pub(super) voters_missed: Option<Time>,
    /// Which history each one showed last, while this node is in none or alone in its own.
    tags: BTreeMap<Name, LineageTag>,
}

impl Catching {
    /// What was shown of another lineage says nothing about this one.
    pub(super) fn forget_shown(&mut self) {
        self.shown = None;
    }

    /// Whether somebody is being asked, or it is too soon to ask again.
    fn rests(&self, pause: Duration, now: Time) -> bool {
        let recent = self.last.is_some_and(|last| now.since(last) < pause);
        recent && (self.stream.is_some() || pause > PATIENCE)
    }

    /// Whether its word counts for nothing.
    fn doubts(&self, name: &str, now: Time) -> bool {
        let mut doubted = self.doubted.iter();
        doubted.any(|(known, until)| known == name && now < *until)
    }

    /// The exchange with whoever was asked is over, and led to this view.
    fn on_asked(&mut self, ours: View, now: Time) {
        let Some(asked) = self.asked.take() else {
            return;
        };
        if ours >= asked.view || ours > asked.ours {
            return;
        }
        if self
            .shown
            .as_ref()
            .is_some_and(|(_, name)| *name == asked.name)
        {
            self.shown = None;
        }
        self.doubted.retain(|(name, _)| *name != asked.name);
        self.doubted.push_back((asked.name, now + DOUBT));
        if self.doubted.len() > limits::DOUBTED {
            self.doubted.pop_front();
        }
    }

    /// Who knows a later view than this one.
    pub(super) fn ahead(&self, ours: View) -> Option<(&str, View)> {
        let (view, name) = self.shown.as_ref()?;
        (*view > ours).then_some((name, *view))
    }
}

/// Somebody is asked for a view.
#[derive(Debug)]
struct Asked {
    name: String,
    /// The one that it showed.
    view: View,
    /// This node's then.
    ours: View,
}

/// A roster on its way.
#[derive(Debug, Default)]
pub(super) struct Catch {
    head: Option<Box<RosterHead>>,
    standings: Vec<Standing>,
    removed: Vec<Removal>,
}

/// How long an exchange may take before another one is asked.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long somebody is not asked again who did not have what it showed. Short, for it may be that
/// it could not be reached.
const DOUBT: Duration = Duration::from_secs(3);

/// How long to rest between two exchanges with those of another history.
const REST: Duration = Duration::from_secs(2);

impl Node {
    /// Somebody shows what it knows of the views.
    pub(super) fn heed_outlook(&mut self, theirs: Outlook, from: &str, at: SocketAddr, now: Time) {
        if !self.config.parts.verdicts {
            return;
        }
        self.note_tag(theirs.lineage, from, now);
        if theirs.lineage.is_none() {
            return;
        }
        if theirs.lineage != self.agreed.tag() {
            let pause = if self.agreed.history.is_some() {
                REST
            } else {
                PATIENCE
            };
            self.catch_up(at, pause, now);
            return;
        }
        if theirs.quorum_age < u8::MAX {
            let age = limits::QUORUM_AGE_STEP * u32::from(theirs.quorum_age);
            let nanos = u64::try_from(age.as_nanos()).unwrap_or(u64::MAX);
            let heard = Time::from_nanos(now.as_nanos().saturating_sub(nanos));
            self.on_quorum_heard(heard, now);
        }
        self.heed_view(theirs.view, from, at, now);
    }

    /// Somebody shows that it knows this view.
    fn heed_view(&mut self, view: View, from: &str, at: SocketAddr, now: Time) {
        let ours = self.agreed.view();
        if view.0 > self.last_view() {
            self.stats.dropped.absurd += 1;
            return;
        }
        self.note_heir(from, view, now);
        if view <= ours || self.agreed.catching.doubts(from, now) {
            return;
        }
        self.agreed.catching.shown = Some((view, from.to_owned()));
        if !self.agreed.catching.rests(PATIENCE, now)
            && self.may_ask(Share::Views(at.ip()), now)
            && self.catch_up(at, PATIENCE, now)
        {
            let name = from.to_owned();
            self.agreed.catching.asked = Some(Asked { name, view, ours });
        }
    }

    /// No cluster comes beyond that, nor without this node.
    fn last_view(&self) -> u64 {
        let ours = self.agreed.view();
        limits::VIEWS.min(ours.0.saturating_add(limits::VIEWS_AHEAD))
    }

    /// While a coordinator is alone in its history it admits only who showed to be in no other.
    fn note_tag(&mut self, tag: LineageTag, from: &str, now: Time) {
        let alone = self.agreed.roster().is_none_or(is_alone);
        let tags = &mut self.agreed.catching.tags;
        if !alone {
            tags.clear();
            return;
        }
        if tags.get(from) == Some(&tag) {
            return;
        }
        let room = tags.len() < limits::MEMBERS || tags.contains_key(from);
        if let Ok(name) = Name::new(from)
            && room
            && tags.insert(name.clone(), tag) != Some(tag)
        {
            self.note_for_office(&name, now);
        }
    }

    /// Whether a life that is no member may be of another history, to which it stays true.
    pub(super) fn may_be_of_another_history(&self, name: &Name) -> bool {
        let alone = self.agreed.roster().is_none_or(is_alone);
        let shown = self.agreed.catching.tags.get(name);
        let free = |tag: &LineageTag| tag.is_none() || *tag == self.agreed.tag();
        alone && *name != self.me.name && !shown.is_some_and(free)
    }

    /// Asks for what is missing, unless that is under way; whether it does.
    pub(super) fn catch_up(&mut self, from: SocketAddr, pause: Duration, now: Time) -> bool {
        if self.agreed.catching.rests(pause, now) {
            return false;
        }
        // Whoever was asked before did not answer in time.
        let ours = self.agreed.view();
        self.agreed.catching.on_asked(ours, now);
        self.agreed.catching.last = Some(now);
        self.agreed.catching.asks_voter = false;
        let purpose = Purpose::Catch(Box::default());
        self.agreed.catching.stream = self.open_stream(from, purpose, now);
        self.agreed.catching.stream.is_some()
    }

    pub(super) fn catch_frame(&self) -> Frame {
        Frame::Catch {
            cluster: self.cluster.clone(),
            lineage: self.agreed.history.as_ref().map(|held| held.lineage()),
            view: self.agreed.view(),
        }
    }

    /// Somebody is behind, or of another history.
    pub(super) fn on_catch(
        &mut self,
        stream: StreamId,
        cluster: &Name,
        lineage: Option<Lineage>,
        view: View,
        now: Time,
    ) {
        if *cluster != self.cluster {
            self.stats.dropped.cluster += 1;
            return self.send_frame(stream, &Frame::Refuse(crate::wire::Refusal::Cluster));
        }
        if !self.may_catch_up(stream, now) {
            return self.turn_away(stream, now);
        }
        self.tell_keys_if_behind(stream, now);
        let Some(history) = &self.agreed.history else {
            return self.send_frame(stream, &Frame::Refuse(crate::wire::Refusal::Instance));
        };
        let frames = match history.catch_up(lineage, view) {
            CatchUp::Nothing | CatchUp::Cuts(_) if lineage != Some(history.lineage()) => Vec::new(),
            CatchUp::Nothing => vec![cuts_frame(history.lineage(), view.next(), Vec::new())],
            CatchUp::Cuts(cuts) => vec![cuts_frame(history.lineage(), view.next(), cuts)],
            CatchUp::Roster => {
                let roster = history.roster();
                let view = history.view();
                let said = |lineage| Said::roster(lineage, view, &encode_roster(roster));
                // Who joins could not tell whose it is. Who voted once is known to those behind.
                let asked = lineage == Some(history.lineage());
                let signs = asked && self.agreed.voter != VoterId::NEVER;
                let signature = signs.then(|| self.sign(said)).flatten();
                roster_frames(roster, signature)
            }
        };
        self.send_bytes(stream, frames);
    }

    /// The cuts that were missing.
    pub(super) fn on_cuts(&mut self, lineage: Lineage, first: View, cuts: Vec<Signed>, now: Time) {
        let ours = self.agreed.history.as_ref().map(|held| held.lineage());
        if ours != Some(lineage) {
            return;
        }
        let mut leads_to = first;
        for signed in cuts {
            if leads_to == self.agreed.view().next() && !self.take_cut(&signed, now) {
                break;
            }
            leads_to = leads_to.next();
        }
        self.agree(now);
    }

    /// A part of a roster, the last one with what was signed; true with the last one.
    pub(super) fn on_roster(
        &mut self,
        stream: StreamId,
        head: Box<RosterHead>,
        standings: Vec<Standing>,
        removed: Vec<Removal>,
        last: Option<Option<Signature>>,
        now: Time,
    ) -> bool {
        let Some(catch) = self.catch_on(stream) else {
            return true;
        };
        let same = catch.head.as_ref().is_none_or(|known| *known == head);
        let few = catch.standings.len() + standings.len() <= limits::MEMBERS
            && catch.removed.len() + removed.len() <= limits::REMOVALS;
        if !same || !few {
            self.stats.dropped.unexpected += 1;
            return true;
        }
        catch.head = Some(head);
        catch.standings.extend(standings);
        catch.removed.extend(removed);
        let Some(signature) = last else {
            return false;
        };
        let Catch {
            head,
            standings,
            removed,
        } = std::mem::take(catch);
        let roster = head.and_then(|head| Roster::from_parts(*head, standings, removed));
        match roster {
            Some(roster) => self.consider(roster, signature, now),
            None => self.stats.dropped.malformed += 1,
        }
        true
    }

    /// Whether a roster that somebody sent takes the place of ours.
    pub(super) fn consider(&mut self, theirs: Roster, signature: Option<Signature>, now: Time) {
        let Some(ours) = self.agreed.roster() else {
            self.adopt(theirs, now);
            return self.agree(now);
        };
        let (our, their) = (ours.head.lineage, theirs.head.lineage);
        if our != their && !self.may_return_to(&theirs) {
            return;
        }
        if our.family == their.family && theirs.head.view.0 > self.last_view() {
            self.stats.dropped.absurd += 1;
            return;
        }
        let takes = if our == their {
            let later = theirs.head.view > ours.head.view;
            if later && !self.is_signed(&theirs, signature) {
                if !self.believes_strangers(now) {
                    self.stats.dropped.forged += 1;
                    return self.ask_voter(now);
                }
                self.give_up_vote(&theirs, now);
            }
            later
        } else if our.family == their.family {
            // Somebody rebuilt a quorum. Where one is held that was without need, and what was
            // decided here stays; nor do views ever go back. Who was just started follows at once:
            // two old voters that looked first would hold the old quorum again.
            let later = their > our;
            let gives_up = self.quorum(now) != Quorum::Held && theirs.head.view > ours.head.view;
            if later && !gives_up {
                self.agreed.conflict = Some(their);
            }
            later && gives_up
        } else {
            // A cluster of one gives up its history for another; of two such the younger does.
            let gives_up = is_alone(ours) && (!is_alone(&theirs) || their < our);
            if !gives_up && !is_alone(&theirs) {
                self.agreed.conflict = Some(their);
            }
            gives_up
        };
        if takes {
            self.adopt(theirs, now);
            self.agree(now);
        }
    }

    /// Whether a voter that this node knows told this later roster of its history.
    fn is_signed(&self, theirs: &Roster, signature: Option<Signature>) -> bool {
        let Some(ours) = self.agreed.roster() else {
            return true;
        };
        let (lineage, view) = (theirs.head.lineage, theirs.head.view);
        let said = || Said::roster(lineage, view, &encode_roster(theirs));
        let known = signature.filter(|signature| signature.is_of(&ours.head.voters.voters));
        known.is_some_and(|signature| self.agreed.rosters.holds(&signature, said()))
    }

    /// Whether a later roster of this history is taken from anybody, as by one that joins: when too
    /// few of the voters that this node knows are there to decide anything, or when it does not
    /// vote itself and lost sight of the quorum; but not before it had time to find others, nor
    /// while it knows who holds the lease.
    fn believes_strangers(&mut self, now: Time) -> bool {
        let voting = self.agreed.voting.as_ref();
        if voting.is_some_and(|voting| voting.consensus.leader(now).is_some()) {
            return false;
        }
        let blind = self.agreed.voting.is_none() && self.quorum(now) != Quorum::Held;
        self.look_for_voters(now);
        let missed = self.agreed.catching.voters_missed;
        let gone = missed.is_some_and(|since| now.since(since) > self.quorum_patience());
        self.has_looked(now) && (blind || gone)
    }

    /// What a stranger told may be made up, and the others know this node's key as that of a voter:
    /// whoever votes, or would vote then, ends to for this life before it follows, so that it signs
    /// nothing of what may be made up.
    fn give_up_vote(&mut self, theirs: &Roster, now: Time) {
        let voters = &theirs.head.voters.voters;
        let named = voters.iter().any(|voter| voter.id == self.agreed.voter);
        if self.agreed.voting.is_some() || named {
            self.agreed.voter = VoterId::NEVER;
            self.agreed.office = None;
            self.agreed.voting = None;
            self.timers.cancel(&Timer::Voting);
            self.vote_no_more(now);
        }
    }

    /// Takes note of since when no majority of the voters that this node knows is there: what they
    /// decided last may have been to have others vote, and those that are left, this node among
    /// them, may be as far behind as it is. Nobody else decides in the history of one that votes
    /// alone.
    pub(super) fn look_for_voters(&mut self, now: Time) {
        let others = self.others_that_vote();
        let (others, there) = others.fold((0, 0), |(all, there), voter| {
            (all + 1, there + usize::from(self.is_there(voter)))
        });
        // The only voter that it knows may be itself, in a life or with a memory that is gone.
        let own = usize::from(self.votes());
        let missed = 2 * (there + own) <= others + own;
        let since = self.agreed.catching.voters_missed.unwrap_or(now);
        self.agreed.catching.voters_missed = missed.then_some(since);
    }

    fn others_that_vote(&self) -> impl Iterator<Item = &Voter> {
        let roster = self.agreed.roster().into_iter();
        let voters = roster.flat_map(|roster| &roster.head.voters.voters);
        voters.filter(|voter| voter.name != self.me.name)
    }

    /// Whether a voter is there, with the memory with which it votes.
    fn is_there(&self, voter: &Voter) -> bool {
        let member = self.table.get(voter.name.as_str());
        member.is_some_and(|member| {
            let held = &member.statement;
            let answers = match held.status {
                Status::Alive | Status::Suspect => true,
                Status::Unreachable | Status::Left => false,
            };
            answers && held.record.voter == voter.id
        })
    }

    /// Whether this node has known its history for long enough to have heard of a quorum, if there
    /// is one.
    fn has_looked(&self, now: Time) -> bool {
        now.since(self.agreed.since) > self.quorum_patience()
    }

    /// Asks a voter at once, who can sign what it tells; unless that was one that could not.
    fn ask_voter(&mut self, now: Time) {
        if self.agreed.catching.asks_voter {
            return;
        }
        let there = self.others_that_vote().filter(|voter| self.is_there(voter));
        let mut voters: Vec<Name> = there.map(|voter| voter.name.clone()).collect();
        if voters.is_empty() {
            return;
        }
        let name = voters.swap_remove(self.rng.below(voters.len()));
        if let Some(member) = self.table.get(name.as_str()) {
            let addr = member.statement.record.addr;
            self.agreed.catching.stream = None;
            self.catch_up(addr, Duration::ZERO, now);
            self.agreed.catching.asks_voter = true;
        }
    }

    /// Two that are alone may each give up their own history for that of the other, and find it
    /// without a voter. Who decided alone in a history goes back to it, once it is shown all that
    /// was decided; one of several voters does not, for it forgot what it had promised them.
    fn may_return_to(&self, theirs: &Roster) -> bool {
        let known = self
            .agreed
            .left
            .filter(|(left, _)| *left == theirs.head.lineage);
        let Some((_, view)) = known else {
            return true;
        };
        let voters = &theirs.head.voters.voters;
        let votes = voters.iter().any(|voter| voter.id == self.agreed.voter);
        !votes || voters.len() == 1 && theirs.head.view >= view
    }

    /// The catching up that runs on this stream.
    fn catch_on(&mut self, stream: StreamId) -> Option<&mut Catch> {
        match self.streams.purpose_mut(stream)? {
            Purpose::Catch(catch) => Some(catch),
            Purpose::Probe { .. }
            | Purpose::Pull(_)
            | Purpose::Serve(_)
            | Purpose::Letter(_)
            | Purpose::Link { .. }
            | Purpose::Linked { .. }
            | Purpose::Keys(_) => None,
        }
    }

    /// An exchange is over, well or not.
    pub(super) fn on_catch_over(&mut self, stream: StreamId, now: Time) {
        if self.agreed.catching.stream == Some(stream) {
            self.agreed.catching.stream = None;
            let ours = self.agreed.view();
            self.agreed.catching.on_asked(ours, now);
        }
    }

    /// A cut, pushed. Where it is not the next one the header tells what to ask for.
    pub(super) fn on_cut(
        &mut self,
        tag: LineageTag,
        view: View,
        (bytes, signature): (&[u8], Signature),
        now: Time,
    ) {
        if tag != self.agreed.tag() || view != self.agreed.view().next() {
            return;
        }
        match postcard::take_from_bytes::<Cut>(bytes) {
            Ok((cut, [])) => {
                self.take_cut(&(Arc::new(cut), signature), now);
                self.agree(now);
            }
            Ok(_) | Err(_) => self.stats.dropped.malformed += 1,
        }
    }

    /// Applies the next cut as somebody told it; false when it cannot be the next one, or no voter
    /// says that it is.
    fn take_cut(&mut self, signed: &Signed, now: Time) -> bool {
        let (cut, signature) = signed;
        let Some(roster) = self.agreed.roster().filter(|roster| roster.can_follow(cut)) else {
            self.stats.dropped.malformed += 1;
            return false;
        };
        let (lineage, view) = (roster.head.lineage, roster.head.view.next());
        let bytes = self.agreed.rosters.encoding(cut);
        let is_voters = signature.is_of(&roster.head.voters.voters);
        let said = Said::cut(lineage, view, &bytes);
        if !is_voters || !self.agreed.rosters.holds(signature, said) {
            self.stats.dropped.forged += 1;
            return false;
        }
        self.apply(signed, &bytes, now);
        true
    }
}

/// Whether there is at most one member.
fn is_alone(roster: &Roster) -> bool {
    roster.standings().len() <= 1
}

fn cuts_frame(lineage: Lineage, first: View, cuts: Vec<Signed>) -> Wiped {
    let frame: Frame = Frame::Cuts {
        lineage,
        first,
        cuts,
    };
    encode_frame(&frame)
}

/// A roster in frames that each keep their limit.
fn roster_frames(roster: &Roster, signature: Option<Signature>) -> Vec<Wiped> {
    let removed: Vec<Removal> = roster.removed().cloned().collect();
    let mut parts: Vec<(Vec<Standing>, Vec<Removal>)> = roster
        .standings()
        .chunks(limits::ROSTER_PART)
        .map(|part| (part.to_vec(), Vec::new()))
        .collect();
    parts.extend(
        removed
            .chunks(limits::ROSTER_PART)
            .map(|part| (Vec::new(), part.to_vec())),
    );
    if parts.is_empty() {
        parts.push(Default::default());
    }
    let count = parts.len();
    let frames = parts.into_iter().enumerate();
    frames
        .map(|(at, (standings, removed))| {
            let frame: Frame = Frame::Roster {
                head: Box::new(roster.head.clone()),
                standings,
                removed,
                last: at + 1 == count,
                signature: signature.filter(|_| at + 1 == count),
            };
            encode_frame(&frame)
        })
        .collect()
}
