//! What is saved is all that there is to know.

use omnipaxos::ballot_leader_election::Ballot;
use omnipaxos::storage::{Storage, StorageOp};
use proptest::prelude::*;

use super::*;
use crate::coordinator::consensus::StoredError;
use crate::coordinator::consensus::storage::Log;
use crate::node::Write;

type Disk = BTreeMap<Vec<u8>, Vec<u8>>;

fn save(disk: &mut Disk, writes: Vec<Write>) {
    for write in writes {
        match write.value {
            Some(value) => disk.insert(write.key, value),
            None => disk.remove(&write.key),
        };
    }
}

fn load(disk: &Disk) -> Result<Log, StoredError> {
    let stored: Vec<_> = disk.clone().into_iter().collect();
    Log::load(&stored)
}

/// All that the consensus reads of a log.
fn read(log: &Log) -> (Option<Ballot>, Option<Ballot>, usize, Vec<Cut>, Duration) {
    (
        log.get_promise().expect("in memory"),
        log.get_accepted_round().expect("in memory"),
        log.get_decided_idx().expect("in memory"),
        log.get_suffix(0).expect("in memory"),
        log.lock().lease(),
    )
}

#[derive(Clone, Debug)]
enum Step {
    Promise(u32),
    Accepted(u32),
    Append(usize),
    /// From so much of the log on, so many.
    Replace(usize, usize),
    Decide(usize),
    /// As a leader's log is taken over, in one go.
    Sync(u32, usize, usize),
    Lease(u64),
    Trim,
    /// What was noted until now is saved.
    Save,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (1..9u32).prop_map(Step::Promise),
        (1..9u32).prop_map(Step::Accepted),
        (0..4usize).prop_map(Step::Append),
        (0..9usize, 0..4usize).prop_map(|(from, count)| Step::Replace(from, count)),
        (0..9usize).prop_map(Step::Decide),
        (1..9u32, 0..9usize, 0..4usize).prop_map(|(n, from, count)| Step::Sync(n, from, count)),
        (1..9u64).prop_map(Step::Lease),
        Just(Step::Trim),
        Just(Step::Save),
    ]
}

fn take(log: &mut Log, step: &Step, next: &mut u64) {
    let ballot = |n: u32| Ballot::with(1, n, 0, 1);
    let mut fresh = |count: usize| {
        (0..count)
            .map(|_| {
                *next += 1;
                cut(*next)
            })
            .collect::<Vec<Cut>>()
    };
    let decided = log.get_decided_idx().expect("in memory");
    let length = log.get_log_len().expect("in memory");
    let done = match *step {
        Step::Promise(n) => log.set_promise(ballot(n)),
        Step::Accepted(n) => log.set_accepted_round(ballot(n)),
        Step::Append(count) => log.append_entries(fresh(count)),
        Step::Replace(from, count) => {
            log.append_on_prefix(from.clamp(decided, length), fresh(count))
        }
        Step::Decide(at) => log.set_decided_idx(at.clamp(decided, length)),
        Step::Sync(n, from, count) => log.write_atomically(vec![
            StorageOp::SetAcceptedRound(ballot(n)),
            StorageOp::SetDecidedIndex(decided),
            StorageOp::AppendOnPrefix(from.clamp(decided, length), fresh(count)),
        ]),
        Step::Lease(millis) => {
            log.lock().allow_lease(ms(millis));
            Ok(())
        }
        Step::Trim => log.trim(decided).and(log.set_snapshot(None)),
        Step::Save => Ok(()),
    };
    done.expect("in memory");
}

proptest! {
    #[test]
    fn what_was_noted_and_saved_gives_the_same_log(steps in prop::collection::vec(step(), 1..60)) {
        let (mut log, mut disk, mut next) = (Log::default(), Disk::new(), 0);
        for step in &steps {
            take(&mut log, step, &mut next);
            if matches!(step, Step::Save) {
                save(&mut disk, log.lock().take_writes());
                let stored = load(&disk);
                prop_assert_eq!(read(&stored.expect("it is whole")), read(&log));
            }
        }
        save(&mut disk, log.lock().take_writes());
        // A life that begins with what is stored notes its changes as well.
        let mut stored = load(&disk).expect("it is whole");
        for step in &steps {
            take(&mut stored, step, &mut next);
        }
        save(&mut disk, stored.lock().take_writes());
        prop_assert_eq!(read(&load(&disk).expect("it is whole")), read(&stored));
        prop_assert!(stored.lock().take_writes().is_empty());
    }

    #[test]
    fn what_is_damaged_is_an_error_and_no_panic(
        key in prop::collection::vec(any::<u8>(), 0..12),
        value in prop::collection::vec(any::<u8>(), 0..40),
        known in 0..6usize,
    ) {
        let keys: [&[u8]; 6] = [b"promise", b"accepted", b"decided", b"lease", b"cut/\0\0\0\0", b""];
        let key = if keys[known].is_empty() { key } else { keys[known].to_vec() };
        if let Ok(log) = load(&Disk::from([(key, value)])) {
            let kept = log.lock();
            prop_assert!(kept.decided() <= kept.cuts.len());
        }
    }
}

#[test]
fn a_log_with_a_gap_or_more_decided_than_there_is_is_refused() {
    let mut log = Log::default();
    log.append_entries(vec![cut(1), cut(2)]).expect("in memory");
    log.set_decided_idx(2).expect("in memory");
    let mut disk = Disk::new();
    save(&mut disk, log.lock().take_writes());
    assert!(load(&disk).is_ok());
    for missing in [&b"cut/\0\0\0\0"[..], b"cut/\0\0\0\x01"] {
        let mut less = disk.clone();
        assert!(less.remove(missing).is_some());
        assert!(load(&less).is_err());
    }
}
