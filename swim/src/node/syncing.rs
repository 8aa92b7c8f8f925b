//! Comparing tables: who is behind pulls over a stream only what differs (DESIGN 4.2, 4.4).
//!
//! The puller sends its record and the digests of its buckets; the other side answers with its own
//! digests and its members in the buckets that differ; the puller returns what it knows better.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hashbrown::HashMap;
use smallvec::SmallVec;

use super::rates::Share;
use super::streams::{Purpose, StreamEnd, StreamId};
use super::{Node, SeedError, Timer};
use crate::limits;
use crate::members::{Member, MemberId, Name, Rank, Record, RecordRef, Status};
use crate::time::Time;
use crate::wire::wiped::Wiped;
use crate::wire::{Entry, Frame, Outlook, Refusal, encode_frame};

/// When to pull.
#[derive(Clone, Debug, Default)]
pub(super) struct Syncing {
    /// Since when no equal digest was seen.
    differs_since: Option<Time>,
    last_pull: Option<Time>,
    /// Who is ahead in the views and how its table was, until this node has caught up.
    put_off: Option<PutOff>,
    /// The one pull that is not for a seed.
    stream: Option<StreamId>,
}

/// Tables that are compared at the same view.
#[derive(Clone, Copy, Debug)]
struct PutOff {
    outlook: Outlook,
    digest: u64,
    from: SocketAddr,
}

/// A pull that this node started.
#[derive(Debug)]
pub(super) struct Pull {
    /// The seed it tries, if it does.
    pub(super) seed: Option<String>,
    /// Why the other side said no.
    pub(super) refused: Option<SeedError>,
    complete: bool,
    theirs: Vec<u64>,
    /// How many entries came.
    entries: usize,
    /// At which rank.
    received: HashMap<MemberId, Rank>,
}

impl Pull {
    /// The digests of the other side's buckets, in its first frame only.
    pub(super) fn on_buckets(&mut self, buckets: Vec<u64>) {
        if self.theirs.is_empty() {
            self.theirs = buckets;
        }
    }
}

/// An answer to somebody's pull.
#[derive(Debug)]
pub(super) struct Serve {
    /// Whence it was opened.
    from: IpAddr,
    puller: Option<Name>,
    told_views: bool,
}

impl Serve {
    pub(super) fn new(from: IpAddr) -> Serve {
        Serve {
            from,
            puller: None,
            told_views: false,
        }
    }

    /// Whether it asked, so that it may return what it knows better.
    pub(super) fn expects_state(&self) -> bool {
        self.puller.is_some()
    }

    /// Whether it may still be told of the views: once, an answer may be a whole roster.
    pub(super) fn may_tell_views(&self) -> bool {
        !self.expects_state() && !self.told_views
    }

    pub(super) fn on_views_told(&mut self) {
        self.told_views = true;
    }
}

impl Node {
    /// A digest arrived. A difference is repaired by gossip, as a rule; it is pulled when our own
    /// table has been still for a while, or when it lasts for a quarter of a period. Who is ahead
    /// in the views mostly differs by that alone: for half a period catching up goes first, which
    /// costs a tenth.
    pub(super) fn compare_digest(
        &mut self,
        theirs: u64,
        outlook: Outlook,
        from: SocketAddr,
        now: Time,
    ) {
        if self.config.parts.push_pull.is_some() {
            return;
        }
        if theirs == self.table.digest().total() {
            self.syncing.differs_since = None;
            return self.credit_gossip();
        }
        let since = *self.syncing.differs_since.get_or_insert(now);
        let settled = now.since(self.table.changed()) > self.config.gossip_interval * SETTLING;
        let lasts = now.since(since);
        let tag = self.agreed.tag();
        let ours = !tag.is_none() && outlook.lineage == tag;
        if ours && outlook.view > self.agreed.view() && lasts < self.config.period / 2 {
            if settled {
                self.put_off(outlook, theirs, from);
            }
            return;
        }
        if settled || lasts > self.config.period / 4 {
            self.pull_news(from, now);
        }
    }

    /// Tables are to be compared when this node has caught up with that view. The first such
    /// counts: whoever shows a view that it does not have puts off nothing else.
    fn put_off(&mut self, outlook: Outlook, digest: u64, from: SocketAddr) {
        let (tag, view) = (self.agreed.tag(), self.agreed.view());
        let waits = |off: &PutOff| off.outlook.lineage == tag && off.outlook.view > view;
        let known = self.syncing.put_off.filter(waits);
        if known.is_none_or(|known| outlook.view < known.outlook.view) {
            self.syncing.put_off = Some(PutOff {
                outlook,
                digest,
                from,
            });
        }
    }

    /// The view is another one: what was put off until then is compared. Whoever was cut off is
    /// told of its removal first, and then that the others are there.
    pub(super) fn compare_put_off(&mut self, now: Time) {
        let (tag, view) = (self.agreed.tag(), self.agreed.view());
        let same = |off: &PutOff| off.outlook.lineage == tag && off.outlook.view == view;
        let Some(off) = self.syncing.put_off.filter(same) else {
            return;
        };
        self.syncing.put_off = None;
        if off.digest == self.table.digest().total() {
            self.syncing.differs_since = None;
        } else {
            self.pull_news(off.from, now);
        }
    }

    /// Whoever shows our digest knows all that we would tell it, but suspicions. After
    /// log2(members) such, what is left to send of an update that has been pushed is for nobody.
    fn credit_gossip(&mut self) {
        let (times, limit) = (self.config.gossip_multiplier, self.send_limit());
        let pushed = self.pushes();
        let table = &self.table;
        let suspected = |id| table.member(id).is_suspect();
        self.queue.credit(times, pushed, limit, |id| !suspected(id));
    }

    /// Pulls what differs from the member at `to`, unless a pull has just begun. One that hangs, on
    /// a stalled process perhaps, holds up the others for half a period only.
    pub(super) fn pull_news(&mut self, to: SocketAddr, now: Time) {
        let running = self.syncing.stream.is_some();
        let pause = if running {
            self.config.period / 2
        } else {
            self.config.period / 8
        };
        let recent = |last: Time| now.since(last) < pause;
        if self.syncing.last_pull.is_some_and(recent) {
            return;
        }
        self.syncing.last_pull = Some(now);
        self.syncing.stream = self.pull_from(to, None, now);
    }

    /// Compares tables with a random member, whether they differ or not.
    pub(super) fn on_push_pull(&mut self, now: Time) {
        let Some(interval) = self.config.parts.push_pull else {
            return;
        };
        let next = now + self.rng.around(interval);
        self.set_timer(Timer::PushPull, next);
        let partner = self.table.some_present(1, &mut self.rng, |_| true).pop();
        let member = partner.and_then(|partner| self.table.get(partner.as_str()));
        if let Some(addr) = member.map(|member| member.statement.record.addr) {
            self.pull_news(addr, now);
        }
    }

    /// Opens a stream to pull from `to`, on behalf of a seed or not.
    pub(super) fn pull_from(
        &mut self,
        to: SocketAddr,
        seed: Option<String>,
        now: Time,
    ) -> Option<StreamId> {
        let pull = Pull {
            seed,
            refused: None,
            complete: false,
            theirs: Vec::new(),
            entries: 0,
            received: HashMap::new(),
        };
        self.stats.pulls += 1;
        self.open_stream(to, Purpose::Pull(Box::new(pull)), now)
    }

    pub(super) fn pull_frame(&self) -> Frame<&Record> {
        Frame::Pull {
            cluster: self.cluster.clone(),
            record: &self.me,
            buckets: self.table.digest().fold(self.table.bucket_count()),
        }
    }

    /// Somebody pulls from us, perhaps to join.
    pub(super) fn on_pull(
        &mut self,
        stream: StreamId,
        cluster: &Name,
        record: RecordRef<'_>,
        theirs: &[u64],
        now: Time,
    ) {
        if *cluster != self.cluster {
            self.stats.dropped.cluster += 1;
            return self.send_frame(stream, &Frame::Refuse(Refusal::Cluster));
        }
        let Some(from) = self.serve_on(stream).map(|serve| serve.from) else {
            return;
        };
        let pulls = Share::pulls(record.name.as_str(), from);
        if !self.may_ask(Share::Requests(from), now) || !self.may_ask(pulls, now) {
            return self.turn_away(stream, now);
        }
        self.tell_keys_if_behind(stream, now);
        let puller = record.name.to_name();
        let leaving = self.lifecycle == super::Lifecycle::Leaving;
        let room = self.table.has_room_for(&puller, record.addr.ip());
        if leaving || !room {
            return self.turn_away(stream, now);
        }
        if let Some(serve) = self.serve_on(stream) {
            serve.puller = Some(puller.clone());
        }
        // Ours before we learn of the puller: both sides then compare what they had.
        let ours = self.table.digest().fold(theirs.len());
        // A goodbye is news only to those who have something in its bucket.
        let news = self
            .differing(&ours, theirs)
            .filter(|(_, member)| !has_left(member) || theirs[member.bucket(theirs.len())] != 0)
            .map(|(_, member)| entry(member, now));
        let frames = state_frames(&self.me.name, ours.clone(), news);
        self.send_bytes(stream, frames);
        let puller_itself = Entry {
            record,
            status: Status::Alive,
            lost_for_s: 0,
        };
        self.learn_entries(&[puller_itself], &puller, now);
    }

    /// Whether whoever opened this stream may ask for views once more.
    pub(super) fn may_catch_up(&mut self, stream: StreamId, now: Time) -> bool {
        let from = self.serve_on(stream).map(|serve| serve.from);
        from.is_some_and(|from| self.may_ask(Share::Requests(from), now))
    }

    /// Answers that there is no room, and waits for nothing more.
    pub(super) fn turn_away(&mut self, stream: StreamId, now: Time) {
        self.send_frame(stream, &Frame::Refuse(Refusal::Full));
        self.end_stream(stream, StreamEnd::Closed, true, now);
    }

    /// What the other side of our pull has in the buckets that differ.
    pub(super) fn on_pulled_state(
        &mut self,
        stream: StreamId,
        from: &Name,
        entries: &[Entry<RecordRef<'_>>],
        last: bool,
        now: Time,
    ) {
        let Some(pull) = self.pull_on(stream) else {
            return;
        };
        pull.entries += entries.len();
        if pull.entries > limits::MEMBERS {
            // No table is so large: it would go on for ever.
            self.stats.dropped.too_long += 1;
            return self.end_stream(stream, StreamEnd::Closed, true, now);
        }
        let mut received = std::mem::take(&mut pull.received);
        let known = self.learn_entries(entries, from, now);
        let ranks = entries.iter().map(Entry::rank);
        received.reserve(entries.len());
        received.extend(
            known
                .into_iter()
                .zip(ranks)
                .filter_map(|(id, rank)| Some((id?, rank))),
        );
        if let Some(pull) = self.pull_on(stream) {
            pull.received = received;
        }
        if last && self.is_active() {
            self.return_state(stream, now);
            let held = self.table.get(from.as_str());
            if self.agreed.history.is_none()
                && self.config.parts.verdicts
                && let Some(addr) = held.map(|member| member.statement.record.addr)
            {
                self.catch_up(addr, Duration::ZERO, now);
            }
        }
    }

    /// Learns members from another table and gives the numbers of those that are then known.
    fn learn_entries(
        &mut self,
        entries: &[Entry<RecordRef<'_>>],
        by: &Name,
        now: Time,
    ) -> SmallVec<[Option<MemberId>; 64]> {
        let names = entries.iter().map(|entry| entry.record.name.as_str());
        let mut known = self.table.ids(names.clone());
        let news = known.iter().filter(|known| known.is_none()).count();
        self.events.reserve(news);
        for ((entry, name), known) in entries.iter().zip(names).zip(&mut known) {
            self.learn_entry(entry, *known, by, now);
            *known = known.or_else(|| self.table.id(name));
        }
        known
    }

    /// Ends our pull by sending back what we know better.
    fn return_state(&mut self, stream: StreamId, now: Time) {
        let Some(pull) = self.pull_on(stream) else {
            return;
        };
        pull.complete = true;
        let (theirs, received) = (
            std::mem::take(&mut pull.theirs),
            std::mem::take(&mut pull.received),
        );
        if !theirs.is_empty() {
            let ours = self.table.digest().fold(theirs.len());
            let mut better = self
                .differing(&ours, &theirs)
                .filter(|(id, member)| match received.get(id) {
                    Some(rank) => member.statement.rank() > *rank,
                    None => !has_left(member),
                })
                .map(|(_, member)| entry(member, now))
                .peekable();
            if better.peek().is_some() {
                let frames = state_frames(&self.me.name, Vec::new(), better);
                self.send_bytes(stream, frames);
            }
        }
        self.end_stream(stream, StreamEnd::Closed, true, now);
    }

    /// What the puller knows better.
    pub(super) fn on_returned_state(
        &mut self,
        stream: StreamId,
        entries: &[Entry<RecordRef<'_>>],
        last: bool,
        now: Time,
    ) {
        let Some(puller) = self.serve_on(stream).and_then(|serve| serve.puller.clone()) else {
            return;
        };
        self.learn_entries(entries, &puller, now);
        if last {
            self.end_stream(stream, StreamEnd::Closed, true, now);
        }
    }

    /// Our pull is over, well or not.
    pub(super) fn on_pull_over(&mut self, stream: StreamId, pull: Pull, end: StreamEnd, now: Time) {
        if self.syncing.stream == Some(stream) {
            self.syncing.stream = None;
        }
        let Some(seed) = pull.seed else { return };
        let outcome = match (pull.complete, pull.refused, end) {
            (true, _, _) => Ok(()),
            (_, Some(refused), _) => Err(refused),
            (_, None, StreamEnd::Refused) => Err(SeedError::Refused),
            (_, None, StreamEnd::Failed | StreamEnd::Closed) => Err(SeedError::Unanswered),
        };
        self.on_seed_tried(&seed, outcome, now);
    }

    /// The members in buckets whose digests differ. Suspicions are passed on as such, so that a
    /// joiner counts them too.
    fn differing(&self, ours: &[u64], theirs: &[u64]) -> impl Iterator<Item = (MemberId, &Member)> {
        let differs: Vec<bool> = ours.iter().zip(theirs).map(|(a, b)| a != b).collect();
        // To a joiner all is new: then nobody's bucket matters.
        let all = !differs.contains(&false);
        self.table
            .with_ids()
            .filter(move |(_, member)| all || differs[member.bucket(differs.len())])
    }
}

impl From<Refusal> for SeedError {
    fn from(refusal: Refusal) -> SeedError {
        match refusal {
            Refusal::Cluster => SeedError::OtherCluster,
            Refusal::Full | Refusal::Instance => SeedError::Full,
        }
    }
}

/// Members in frames that each keep their limit.
fn state_frames<'a>(
    from: &Name,
    buckets: Vec<u64>,
    entries: impl Iterator<Item = Entry<&'a Record>>,
) -> Vec<Wiped> {
    let mut frames = Vec::new();
    let mut bytes = buckets.len() * 10;
    let (mut buckets, mut members) = (buckets, Vec::new());
    let mut end = |members: &mut Vec<_>, last| {
        let frame = Frame::State {
            from: from.clone(),
            buckets: std::mem::take(&mut buckets),
            members: std::mem::take(members),
            last,
        };
        frames.push(encode_frame(&frame));
    };
    for entry in entries {
        bytes += longest(&entry);
        members.push(entry);
        if bytes > limits::FRAME_STATE_FILL {
            end(&mut members, false);
            bytes = 0;
        }
    }
    end(&mut members, true);
    frames
}

/// How long a table must have been still before a difference is more than gossip on its way, in
/// gossip intervals.
const SETTLING: u32 = 10;

fn has_left(member: &Member) -> bool {
    member.statement.status == Status::Left
}

/// A member as it is told to others.
fn entry(member: &Member, now: Time) -> Entry<&Record> {
    let lost_for = match member.statement.status {
        Status::Unreachable => member.lost_for(now),
        Status::Alive | Status::Suspect | Status::Left => Duration::ZERO,
    };
    Entry {
        record: &member.statement.record,
        status: member.statement.status,
        lost_for_s: u32::try_from(lost_for.as_secs()).unwrap_or(u32::MAX),
    }
}

/// An upper bound of an entry's encoding.
fn longest(entry: &Entry<&Record>) -> usize {
    let tags = entry.record.tags.iter();
    let tags: usize = tags.map(|(key, value)| key.len() + value.len() + 4).sum();
    entry.record.name.as_str().len() + tags + entry.record.apps.longest() + 48
}
