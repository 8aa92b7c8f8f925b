//! Buddy links: one idle stream for each edge of a ring, whose end tells more than silence
//! (DESIGN 4.1; JGroups' FD_SOCK2 is a ring of such sockets).
//!
//! A member opens links to its successors, a voter also to the voters after it by name. Nothing is
//! sent on a link but its opening and its end, so a quiet one costs nothing. When a process dies
//! its kernel closes its links, and all buddies know within a round trip. They believe nothing
//! yet: they ask, by datagram and by a new stream at once. Links break for other reasons as well;
//! an answer ends the matter, and the link is opened again, later and later.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::streams::{Purpose, StreamEnd, StreamId};
use super::{Lifecycle, Node, Timer};
use crate::detector;
use crate::limits;
use crate::members::{Instance, Name, Status};
use crate::time::Time;
use crate::wire::{Frame, Refusal};

/// A link that broke or could not be opened is opened again after so long, and after twice as long
/// each time it breaks again.
const AGAIN: Duration = Duration::from_secs(1);

/// It is tried at least so often.
const AGAIN_MAX: Duration = Duration::from_secs(300);

/// A link that stood for so long had nothing against it: what was before is forgotten.
const STEADY: Duration = Duration::from_secs(600);

/// A link of somebody who is no member, as far as this node knows, is kept for so long: it may
/// have just joined.
const STRANGER: Duration = Duration::from_secs(10);

/// How far a link is that this node opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// It is being opened.
    Opening,
    /// It stands.
    Up,
    /// It does not; it is tried again then.
    Down {
        /// When.
        again: Time,
    },
}

/// A link, as its users see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkInfo {
    /// Who is at the other end.
    pub name: Name,
    /// Whether this node opens it.
    pub ours: bool,
    /// How far it is.
    pub state: LinkState,
    /// Since when.
    pub since: Time,
}

/// The links of a node, by who is at the other end.
#[derive(Debug, Default)]
pub(super) struct Links {
    /// Opened by this node.
    ours: BTreeMap<Name, Ours>,
    /// Opened by others, at most [`limits::LINKS`].
    theirs: BTreeMap<Name, Theirs>,
}

#[derive(Debug)]
struct Ours {
    instance: Instance,
    stage: Stage,
    since: Time,
    /// How often in a row it broke or could not be opened.
    breaks: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Opening(StreamId),
    Up(StreamId),
    Down(Time),
}

impl Ours {
    /// Whether nothing is to be done about it now.
    fn waits(&self, now: Time) -> bool {
        match self.stage {
            Stage::Opening(_) | Stage::Up(_) => true,
            Stage::Down(again) => again > now,
        }
    }
}

impl Stage {
    fn stream(self) -> Option<StreamId> {
        match self {
            Stage::Opening(stream) | Stage::Up(stream) => Some(stream),
            Stage::Down(_) => None,
        }
    }
}

#[derive(Debug)]
struct Theirs {
    instance: Instance,
    stream: StreamId,
    since: Time,
}

/// A life that is to have a link.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    instance: Instance,
    addr: SocketAddr,
}

impl Node {
    /// The links of this node, those that it opens first.
    pub fn links(&self) -> Vec<LinkInfo> {
        let ours = self.links.ours.iter().map(|(name, link)| LinkInfo {
            name: name.clone(),
            ours: true,
            state: match link.stage {
                Stage::Opening(_) => LinkState::Opening,
                Stage::Up(_) => LinkState::Up,
                Stage::Down(again) => LinkState::Down { again },
            },
            since: link.since,
        });
        let theirs = self.links.theirs.iter().map(|(name, link)| LinkInfo {
            name: name.clone(),
            ours: false,
            state: LinkState::Up,
            since: link.since,
        });
        ours.chain(theirs).collect()
    }

    /// With each probe of the period: links follow the rings, so that a crowd that joins or goes
    /// opens and closes few of them.
    pub(super) fn tend_links(&mut self, now: Time) {
        if !self.config.parts.links || self.links_are_as_wanted(now) {
            return;
        }
        let ours = self.links.ours.iter();
        let unwanted: Vec<Name> = ours
            .filter(|(name, link)| !self.wants_link(name, link.instance))
            .map(|(name, _)| name.clone())
            .collect();
        for name in unwanted {
            if let Some(link) = self.links.ours.remove(&name)
                && let Some(stream) = link.stage.stream()
            {
                self.unlink(stream, now);
            }
        }
        self.drop_strangers(now);
        let wanted: BTreeMap<Name, Wanted> = self
            .wanted_links()
            .map(|(name, wanted)| (name.clone(), wanted))
            .collect();
        for (name, wanted) in wanted {
            if !self
                .links
                .ours
                .get(&name)
                .is_some_and(|link| link.waits(now))
            {
                self.open_link(&name, wanted, now);
            }
        }
    }

    /// Whether there is nothing to do, as mostly: found without allocating anything.
    fn links_are_as_wanted(&self, now: Time) -> bool {
        let mut wanted = self.wanted_links();
        let all_wait = wanted.all(|(name, wanted)| {
            let link = self.links.ours.get(name);
            link.is_some_and(|link| link.instance == wanted.instance && link.waits(now))
        });
        let mut ours = self.links.ours.iter();
        let mut theirs = self.links.theirs.iter();
        all_wait
            && ours.all(|(name, link)| self.wants_link(name, link.instance))
            && theirs.all(|(name, link)| !self.is_stranger(name, link, now))
    }

    fn wants_link(&self, name: &Name, instance: Instance) -> bool {
        self.wanted_links()
            .any(|(wanted, life)| wanted == name && life.instance == instance)
    }

    /// This node's successors, and of voters those that have the other half of all pairs; some
    /// more than once.
    fn wanted_links(&self) -> impl Iterator<Item = (&Name, Wanted)> {
        let rings = self.table.rings();
        let successors = (0..rings.count()).filter_map(|ring| rings.successor(ring));
        let roster = self.agreed.roster().filter(|_| self.votes());
        let voters = roster.map(|roster| roster.head.voters.voters.iter());
        let voters = voters.into_iter().flatten().map(|voter| &voter.name);
        let voters = voters.filter(|name| **name > self.me.name);
        successors.chain(voters).filter_map(|name| {
            let held = &self.table.get(name.as_str())?.statement;
            let (instance, addr) = (held.record.instance, held.record.addr);
            is_present(held.status).then_some((name, Wanted { instance, addr }))
        })
    }

    fn open_link(&mut self, name: &Name, wanted: Wanted, now: Time) {
        let to = name.clone();
        let Some(stream) = self.open_stream(wanted.addr, Purpose::Link { to }, now) else {
            return;
        };
        let breaks = self.links.ours.get(name).map_or(0, |link| link.breaks);
        let link = Ours {
            instance: wanted.instance,
            stage: Stage::Opening(stream),
            since: now,
            breaks,
        };
        self.links.ours.insert(name.clone(), link);
    }

    /// The stream of a link that this node opens is there.
    pub(super) fn introduce(&mut self, stream: StreamId, to: &Name) {
        let Some(link) = self.links.ours.get(to) else {
            return;
        };
        let frame = Frame::Link {
            cluster: self.cluster.clone(),
            from: self.me.name.clone(),
            instance: self.me.instance,
            target: link.instance,
        };
        self.send_frame(stream, &frame);
    }

    /// The other side let it stand.
    pub(super) fn on_linked(&mut self, stream: StreamId, to: &Name, now: Time) {
        if let Some(link) = self.links.ours.get_mut(to)
            && link.stage == Stage::Opening(stream)
        {
            (link.stage, link.since) = (Stage::Up(stream), now);
            self.timers.cancel(&Timer::Stream(stream));
        }
    }

    /// Somebody wants this stream to stand as a link.
    pub(super) fn on_link(
        &mut self,
        stream: StreamId,
        cluster: &Name,
        (from, instance): (Name, Instance),
        target: Instance,
        now: Time,
    ) {
        let links = &self.links.theirs;
        let known = links.get(&from).map(|link| (link.instance, link.stream));
        let refusal = if *cluster != self.cluster {
            self.stats.dropped.cluster += 1;
            Some(Refusal::Cluster)
        } else if target != self.me.instance || from == self.me.name {
            Some(Refusal::Instance)
        } else if known.is_some_and(|(known, _)| known > instance) {
            self.stats.dropped.stale += 1;
            Some(Refusal::Instance)
        } else if known.is_none() && links.len() >= limits::LINKS || !self.config.parts.links {
            self.stats.dropped.busy += 1;
            Some(Refusal::Full)
        } else {
            None
        };
        if let Some(refusal) = refusal {
            self.send_frame(stream, &Frame::Refuse(refusal));
            return self.end_stream(stream, StreamEnd::Closed, true, now);
        }
        if let Some((_, old)) = known {
            self.links.theirs.remove(&from);
            self.end_stream(old, StreamEnd::Closed, true, now);
        }
        if let Some(purpose) = self.streams.purpose_mut(stream) {
            *purpose = Purpose::Linked { by: from.clone() };
        }
        self.timers.cancel(&Timer::Stream(stream));
        let since = now;
        let link = Theirs {
            instance,
            stream,
            since,
        };
        self.links.theirs.insert(from, link);
        self.send_frame(stream, &Frame::Linked);
    }

    /// The other side ends the link in peace.
    pub(super) fn on_unlink(&mut self, stream: StreamId, with: &Name, now: Time) {
        if let Some(link) = self.links.ours.get_mut(with)
            && link.stage.stream() == Some(stream)
        {
            (link.stage, link.since) = (Stage::Down(now + AGAIN), now);
        }
        self.forget_theirs(with, stream);
        self.end_stream(stream, StreamEnd::Closed, true, now);
    }

    /// The other side does not let it stand.
    pub(super) fn on_link_refused(
        &mut self,
        stream: StreamId,
        to: &Name,
        refusal: Refusal,
        now: Time,
    ) {
        // Another life answers there: what became of this one is a question for a probe.
        let end = match refusal {
            Refusal::Instance => StreamEnd::Refused,
            Refusal::Cluster | Refusal::Full => StreamEnd::Failed,
        };
        self.on_our_link_over(stream, to, end, now);
        self.end_stream(stream, StreamEnd::Closed, true, now);
    }

    /// The stream of a link that this node opened is over, if it still was its stream.
    pub(super) fn on_our_link_over(
        &mut self,
        stream: StreamId,
        to: &Name,
        end: StreamEnd,
        now: Time,
    ) {
        let Some(link) = self.links.ours.get_mut(to) else {
            return;
        };
        let stood = match link.stage {
            Stage::Up(of) if of == stream => true,
            Stage::Opening(of) if of == stream => false,
            Stage::Up(_) | Stage::Opening(_) | Stage::Down(_) => return,
        };
        if stood && now.since(link.since) >= STEADY {
            link.breaks = 0;
        }
        let pause = (AGAIN * 2u32.pow(link.breaks.min(16))).min(AGAIN_MAX);
        link.breaks = link.breaks.saturating_add(1);
        (link.stage, link.since) = (Stage::Down(now + self.rng.around(pause)), now);
        let instance = link.instance;
        if stood || end == StreamEnd::Refused {
            self.stats.links_broken += u64::from(stood);
            self.challenge(to, instance, now);
        }
    }

    /// The stream of a link that another one opened is over, if it still was its stream.
    pub(super) fn on_their_link_over(&mut self, stream: StreamId, by: &Name, now: Time) {
        if let Some(link) = self.forget_theirs(by, stream) {
            self.stats.links_broken += 1;
            self.challenge(by, link.instance, now);
        }
    }

    fn forget_theirs(&mut self, by: &Name, stream: StreamId) -> Option<Theirs> {
        let of_it = self.links.theirs.get(by);
        of_it.filter(|link| link.stream == stream)?;
        self.links.theirs.remove(by)
    }

    /// The kernel ended a stream of this life, or refused one: is its process there? It is asked
    /// by datagram and by stream at once.
    fn challenge(&mut self, name: &Name, instance: Instance, now: Time) {
        let held = self
            .table
            .get(name.as_str())
            .map(|member| &member.statement);
        let concerns =
            held.is_some_and(|held| held.record.instance == instance && is_present(held.status));
        if !concerns || !self.is_active() || self.lifecycle == Lifecycle::Leaving {
            return;
        }
        self.probe(name, detector::Purpose::Watch, now);
        if let Some(seq) = self.probes.number_for(name) {
            self.stream_beside(seq, now);
        }
    }

    /// Links of lives that are gone, and of those that never came.
    fn drop_strangers(&mut self, now: Time) {
        let theirs = self.links.theirs.iter();
        let strangers: Vec<(Name, StreamId)> = theirs
            .filter(|(name, link)| self.is_stranger(name, link, now))
            .map(|(name, link)| (name.clone(), link.stream))
            .collect();
        for (name, stream) in strangers {
            self.links.theirs.remove(&name);
            self.unlink(stream, now);
        }
    }

    fn is_stranger(&self, name: &Name, link: &Theirs, now: Time) -> bool {
        let held = self.table.get(name.as_str());
        let present = held.is_some_and(|member| {
            let held = &member.statement;
            held.record.instance == link.instance && is_present(held.status)
        });
        !present && now.since(link.since) >= STRANGER
    }

    /// Says that a link ends because it is not needed, and ends it.
    fn unlink(&mut self, stream: StreamId, now: Time) {
        self.send_frame(stream, &Frame::Unlink);
        self.end_stream(stream, StreamEnd::Closed, true, now);
    }

    /// This node is done: nobody is to wonder about its links.
    pub(super) fn unlink_all(&mut self, now: Time) {
        let links = std::mem::take(&mut self.links);
        let ours = links.ours.into_values();
        let ours = ours.filter_map(|link| link.stage.stream());
        let theirs = links.theirs.into_values().map(|link| link.stream);
        for stream in ours.chain(theirs) {
            self.unlink(stream, now);
        }
    }

    pub(super) fn check_links(&self) {
        assert!(self.links.theirs.len() <= limits::LINKS);
        for (name, link) in &self.links.ours {
            let Some(stream) = link.stage.stream() else {
                continue;
            };
            let purpose = self.streams.purpose(stream);
            assert!(
                matches!(purpose, Some(Purpose::Link { to }) if to == name),
                "the link to {name} has a stream"
            );
            let waits = self.timers.is_set(&Timer::Stream(stream));
            let opening = matches!(link.stage, Stage::Opening(_));
            assert_eq!(
                waits, opening,
                "only a link to {name} that opens may time out"
            );
        }
        for (name, link) in &self.links.theirs {
            let purpose = self.streams.purpose(link.stream);
            assert!(
                matches!(purpose, Some(Purpose::Linked { by }) if by == name),
                "the link of {name} has a stream"
            );
        }
    }
}

fn is_present(status: Status) -> bool {
    match status {
        Status::Alive | Status::Suspect => true,
        Status::Unreachable | Status::Left => false,
    }
}
