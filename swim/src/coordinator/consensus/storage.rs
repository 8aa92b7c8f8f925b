//! What a voter remembers of one configuration: in memory, with every change noted, so that the
//! caller can make it durable before anything that rests on it is said.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use omnipaxos::ballot_leader_election::Ballot;
use omnipaxos::storage::{Entry, NoSnapshot, StopSign, Storage, StorageOp, StorageResult};

use crate::coordinator::Cut;
use crate::limits;
use crate::node::Write;

impl Entry for Cut {
    type Snapshot = NoSnapshot;
}

/// The log of one configuration, shared between the consensus and its owner.
#[derive(Clone, Default)]
pub(super) struct Log(Arc<Mutex<Kept>>);

/// What is kept, and what of it changed.
#[derive(Debug, Default)]
pub(super) struct Kept {
    promise: Option<Ballot>,
    accepted: Option<Ballot>,
    decided: usize,
    /// For how long this voter grants a lease at most.
    lease: Duration,
    pub(super) cuts: Vec<Cut>,
    changed: Changed,
}

/// What must be saved.
#[derive(Debug, Default)]
struct Changed {
    promise: bool,
    accepted: bool,
    decided: bool,
    lease: bool,
    /// The first cut that is new.
    from: Option<usize>,
    /// How many cuts are stored.
    stored: usize,
}

/// What is stored cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StoredError;

const PROMISE: &[u8] = b"promise";
const ACCEPTED: &[u8] = b"accepted";
const DECIDED: &[u8] = b"decided";
const LEASE: &[u8] = b"lease";
const CUT: &[u8] = b"cut/";

fn cut_key(at: usize) -> Vec<u8> {
    let at = u32::try_from(at).unwrap_or(u32::MAX);
    [CUT, &at.to_be_bytes()].concat()
}

impl Log {
    /// From what was saved.
    pub(super) fn load(stored: &[(Vec<u8>, Vec<u8>)]) -> Result<Log, StoredError> {
        let mut kept = Kept::default();
        for (key, value) in stored {
            match key.as_slice() {
                PROMISE => kept.promise = Some(decode(value)?),
                ACCEPTED => kept.accepted = Some(decode(value)?),
                DECIDED => kept.decided = decode(value)?,
                LEASE => kept.lease = decode(value)?,
                key if *key == cut_key(kept.cuts.len()) => kept.cuts.push(decode(value)?),
                _ => return Err(StoredError),
            }
        }
        if kept.decided > kept.cuts.len() {
            return Err(StoredError);
        }
        kept.changed.stored = kept.cuts.len();
        Ok(Log(Arc::new(Mutex::new(kept))))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Kept> {
        // Nothing that holds the lock can panic half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn decode<'a, T: serde::Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, StoredError> {
    postcard::from_bytes(bytes).map_err(|_| StoredError)
}

fn encode(value: &impl serde::Serialize) -> Option<Vec<u8>> {
    Some(postcard::to_allocvec(value).expect("what is kept serializes into memory"))
}

impl Kept {
    pub(super) fn decided(&self) -> usize {
        self.decided.min(self.cuts.len())
    }

    /// For how long a former life may have granted a lease.
    pub(super) fn lease(&self) -> Duration {
        self.lease
    }

    /// This voter may grant leases of this length. In one configuration it never gets shorter: a
    /// life that keeps quiet may be followed by another one before it is through with that.
    pub(super) fn allow_lease(&mut self, lasts: Duration) {
        self.changed.lease |= lasts > self.lease;
        self.lease = self.lease.max(lasts);
    }

    /// Appends a cut that is decided by that alone: of a configuration of one voter.
    pub(super) fn decide_alone(&mut self, cut: Cut) {
        self.append(vec![cut]);
        self.set_decided(self.cuts.len());
    }

    /// Takes what must be saved.
    pub(super) fn take_writes(&mut self) -> Vec<Write> {
        let changed = std::mem::take(&mut self.changed);
        let mut writes = Vec::new();
        let mut write = |key: &[u8], value| {
            let key = key.to_vec();
            writes.push(Write { key, value });
        };
        if changed.promise {
            write(PROMISE, self.promise.as_ref().and_then(encode));
        }
        if changed.accepted {
            write(ACCEPTED, self.accepted.as_ref().and_then(encode));
        }
        if let Some(from) = changed.from {
            for at in from..self.cuts.len() {
                write(&cut_key(at), encode(&self.cuts[at]));
            }
            for at in self.cuts.len()..changed.stored {
                write(&cut_key(at), None);
            }
        }
        if changed.decided {
            write(DECIDED, encode(&self.decided));
        }
        if changed.lease {
            write(LEASE, encode(&self.lease));
        }
        self.changed.stored = self.cuts.len();
        writes
    }

    fn append(&mut self, cuts: Vec<Cut>) {
        self.put_from(self.cuts.len(), cuts);
    }

    fn put_from(&mut self, from: usize, cuts: Vec<Cut>) {
        debug_assert!(from <= self.cuts.len(), "letters were checked before");
        let from = from.min(self.cuts.len());
        if from == self.cuts.len() && cuts.is_empty() {
            return;
        }
        self.cuts.truncate(from);
        self.cuts.extend(cuts);
        let first = self.changed.from.map_or(from, |first| first.min(from));
        self.changed.from = Some(first);
    }

    fn set_decided(&mut self, decided: usize) {
        self.changed.decided |= decided != self.decided;
        self.decided = decided;
    }

    fn set_promise(&mut self, promise: Ballot) {
        self.changed.promise |= self.promise != Some(promise);
        self.promise = Some(promise);
    }

    fn set_accepted(&mut self, accepted: Ballot) {
        self.changed.accepted |= self.accepted != Some(accepted);
        self.accepted = Some(accepted);
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lock().fmt(formatter)
    }
}

impl Storage<Cut> for Log {
    fn write_atomically(&mut self, ops: Vec<StorageOp<Cut>>) -> StorageResult<()> {
        let mut kept = self.lock();
        for op in ops {
            match op {
                StorageOp::AppendEntry(cut) => kept.append(vec![cut]),
                StorageOp::AppendEntries(cuts) => kept.append(cuts),
                StorageOp::AppendOnPrefix(from, cuts) => kept.put_from(from, cuts),
                StorageOp::SetPromise(promise) => kept.set_promise(promise),
                StorageOp::SetDecidedIndex(decided) => kept.set_decided(decided),
                StorageOp::SetAcceptedRound(accepted) => kept.set_accepted(accepted),
                // Configurations end with a cut, and their logs are short: none of it is used.
                StorageOp::SetCompactedIdx(_)
                | StorageOp::Trim(_)
                | StorageOp::SetStopsign(_)
                | StorageOp::SetSnapshot(_) => {}
            }
        }
        Ok(())
    }

    fn append_entry(&mut self, cut: Cut) -> StorageResult<()> {
        self.lock().append(vec![cut]);
        Ok(())
    }

    fn append_entries(&mut self, cuts: Vec<Cut>) -> StorageResult<()> {
        self.lock().append(cuts);
        Ok(())
    }

    fn append_on_prefix(&mut self, from: usize, cuts: Vec<Cut>) -> StorageResult<()> {
        self.lock().put_from(from, cuts);
        Ok(())
    }

    fn set_promise(&mut self, promise: Ballot) -> StorageResult<()> {
        self.lock().set_promise(promise);
        Ok(())
    }

    fn set_decided_idx(&mut self, decided: usize) -> StorageResult<()> {
        self.lock().set_decided(decided);
        Ok(())
    }

    fn get_decided_idx(&self) -> StorageResult<usize> {
        Ok(self.lock().decided)
    }

    fn set_accepted_round(&mut self, accepted: Ballot) -> StorageResult<()> {
        self.lock().set_accepted(accepted);
        Ok(())
    }

    fn get_accepted_round(&self) -> StorageResult<Option<Ballot>> {
        Ok(self.lock().accepted)
    }

    fn get_entries(&self, from: usize, to: usize) -> StorageResult<Vec<Cut>> {
        let kept = self.lock();
        Ok(kept
            .cuts
            .get(from..to)
            .map(<[Cut]>::to_vec)
            .unwrap_or_default())
    }

    fn get_log_len(&self) -> StorageResult<usize> {
        Ok(self.lock().cuts.len())
    }

    fn get_suffix(&self, from: usize) -> StorageResult<Vec<Cut>> {
        let kept = self.lock();
        Ok(kept
            .cuts
            .get(from..)
            .map(<[Cut]>::to_vec)
            .unwrap_or_default())
    }

    fn get_promise(&self) -> StorageResult<Option<Ballot>> {
        Ok(self.lock().promise)
    }

    fn set_stopsign(&mut self, _stop: Option<StopSign>) -> StorageResult<()> {
        Ok(())
    }

    fn get_stopsign(&self) -> StorageResult<Option<StopSign>> {
        Ok(None)
    }

    fn trim(&mut self, _to: usize) -> StorageResult<()> {
        Ok(())
    }

    fn set_compacted_idx(&mut self, _to: usize) -> StorageResult<()> {
        Ok(())
    }

    fn get_compacted_idx(&self) -> StorageResult<usize> {
        Ok(0)
    }

    fn set_snapshot(&mut self, _snapshot: Option<NoSnapshot>) -> StorageResult<()> {
        Ok(())
    }

    fn get_snapshot(&self) -> StorageResult<Option<NoSnapshot>> {
        Ok(None)
    }
}

/// The longest log that can be: a configuration ends after so many cuts; but a coordinator that
/// took office may fall before it could end it, again and again.
pub(super) const LONGEST: usize = 2 * limits::LOG_CUTS;
