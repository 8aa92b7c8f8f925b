//! What no correct voter writes is refused, and nothing that anybody writes makes a voter panic.

use omnipaxos::ballot_leader_election::Ballot;
use omnipaxos::messages::ballot_leader_election::{HeartbeatMsg, HeartbeatReply, HeartbeatRequest};
use omnipaxos::messages::sequence_paxos::{
    AcceptDecide, AcceptSync, Accepted, Compaction, Decide, NotAccepted, PaxosMsg, Prepare,
    PrepareReq, Promise,
};
use omnipaxos::util::{LogSync, SequenceNumber};
use proptest::prelude::*;

use super::*;
use crate::limits;
use crate::wire::DropReason;

fn ballot() -> impl Strategy<Value = Ballot> {
    let near = (1..3u32, 0..5u32, 0..8u64);
    let far = (0..3u32, any::<u32>(), any::<u64>());
    prop_oneof![
        6 => near.prop_map(|(configuration, n, pid)| Ballot::with(configuration.min(1), n, 0, pid)),
        1 => far.prop_map(|(configuration, n, pid)| Ballot::with(configuration, n, n % 2, pid)),
        1 => Just(Ballot::default()),
    ]
}

fn index() -> impl Strategy<Value = usize> {
    prop_oneof![8 => 0..6usize, 1 => any::<usize>()]
}

fn cuts() -> impl Strategy<Value = Vec<Cut>> {
    let cut = prop_oneof![4 => (1..9u64).prop_map(cut), 1 => Just(last_cut(2, 3))];
    prop::collection::vec(cut, 0..4)
}

fn sync() -> impl Strategy<Value = LogSync<Cut>> {
    (cuts(), index()).prop_map(|(suffix, sync_idx)| LogSync {
        decided_snapshot: None,
        suffix,
        sync_idx,
        stopsign: None,
    })
}

fn sequence() -> impl Strategy<Value = SequenceNumber> {
    (0..4u64, 0..4u64).prop_map(|(session, counter)| SequenceNumber { session, counter })
}

fn of_the_log() -> impl Strategy<Value = PaxosMsg<Cut>> {
    let prepare =
        (ballot(), index(), ballot(), index()).prop_map(|(n, decided_idx, round, accepted_idx)| {
            PaxosMsg::Prepare(Prepare {
                n,
                decided_idx,
                n_accepted: round,
                accepted_idx,
            })
        });
    let promise = (
        ballot(),
        ballot(),
        index(),
        index(),
        prop::option::of(sync()),
    )
        .prop_map(|(n, n_accepted, decided_idx, accepted_idx, log_sync)| {
            PaxosMsg::Promise(Promise {
                n,
                n_accepted,
                decided_idx,
                accepted_idx,
                log_sync,
            })
        });
    let accept_sync =
        (ballot(), sequence(), index(), sync()).prop_map(|(n, seq_num, decided_idx, log_sync)| {
            PaxosMsg::AcceptSync(AcceptSync {
                n,
                seq_num,
                decided_idx,
                log_sync,
            })
        });
    let accept =
        (ballot(), sequence(), index(), cuts()).prop_map(|(n, seq_num, decided_idx, entries)| {
            PaxosMsg::AcceptDecide(AcceptDecide {
                n,
                seq_num,
                decided_idx,
                entries,
            })
        });
    let accepted = (ballot(), index())
        .prop_map(|(n, accepted_idx)| PaxosMsg::Accepted(Accepted { n, accepted_idx }));
    let decide = (ballot(), sequence(), index()).prop_map(|(n, seq_num, decided_idx)| {
        PaxosMsg::Decide(Decide {
            n,
            seq_num,
            decided_idx,
        })
    });
    prop_oneof![
        ballot().prop_map(|n| PaxosMsg::PrepareReq(PrepareReq { n })),
        prepare,
        promise,
        accept_sync,
        accept,
        accepted,
        ballot().prop_map(|n| PaxosMsg::NotAccepted(NotAccepted { n })),
        decide,
        cuts().prop_map(PaxosMsg::ProposalForward),
        index().prop_map(|at| PaxosMsg::Compaction(Compaction::Trim(at))),
    ]
}

fn letter() -> impl Strategy<Value = Letter> {
    let beat =
        (0..9u32, ballot(), ballot(), any::<bool>()).prop_map(|(round, ballot, leader, happy)| {
            Letter::Beat(HeartbeatMsg::Reply(HeartbeatReply {
                round,
                ballot,
                leader,
                happy,
            }))
        });
    let ask = (ballot(), 0..5u32, any::<bool>(), index(), index()).prop_map(
        |(ballot, round, held, accepted, decided)| Letter::Ask {
            ballot,
            round,
            held,
            accepted: accepted as u64,
            decided: decided as u64,
        },
    );
    let grant =
        (ballot(), 0..5u32, any::<Duration>()).prop_map(|(ballot, round, lasts)| Letter::Grant {
            ballot,
            round,
            lasts,
        });
    let request = any::<u32>()
        .prop_map(|round| Letter::Beat(HeartbeatMsg::Request(HeartbeatRequest { round })));
    let outbid =
        (ballot(), ballot()).prop_map(|(ballot, promised)| Letter::Outbid { ballot, promised });
    prop_oneof![
        8 => of_the_log().prop_map(Letter::Log),
        1 => request,
        1 => beat,
        1 => ask,
        1 => grant,
        1 => outbid,
    ]
}

/// What a voter does once it has heard something, until it is heard no more.
fn drain(consensus: &mut Consensus, now: Time) {
    while let Some(output) = consensus.poll_output() {
        if let Output::Save { ticket, .. } = output {
            consensus.handle_saved(ticket, now);
        }
    }
    consensus.check_invariants();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn whatever_a_voter_is_told_it_does_not_panic(
        at in 1..4u64,
        letters in prop::collection::vec((0..5u64, letter(), 0..900u64), 1..60),
    ) {
        let mut table = Table::new(3);
        let leader = table.elect();
        table.commit(leader, cut(1), &[1, 2, 3]);
        let mut now = table.now;
        let consensus = table.consensus(at);
        for (from, letter, later) in letters {
            now += ms(later);
            consensus.handle_timeout(now);
            let bytes = postcard::to_allocvec(&letter).expect("it serializes");
            if from > 0 {
                let _ = consensus.handle_letter(VoterNumber(from), &bytes, now);
            }
            drain(consensus, now);
        }
        let first = consensus.log.lock().cuts.first().cloned();
        prop_assert_eq!(first, Some(cut(1)), "decided for good");
    }

    #[test]
    fn garbage_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut table = Table::new(3);
        let now = table.now;
        let _ = table.consensus(1).handle_letter(VoterNumber(2), &bytes, now);
        drain(table.consensus(1), now);
    }
}

#[test]
fn what_no_correct_voter_writes_is_refused() {
    let mut table = Table::new(3);
    let now = table.now;
    let mine = Ballot::with(1, 2, 0, 1);
    let theirs = Ballot::with(1, 2, 0, 2);
    let ask = |ballot| Letter::Ask {
        ballot,
        round: 1,
        held: false,
        accepted: 0,
        decided: 0,
    };
    let wrong = [
        // Of another configuration, of a third one, with a rank, too far, of nobody.
        ask(Ballot {
            config_id: 2,
            ..theirs
        }),
        ask(Ballot { pid: 3, ..theirs }),
        ask(Ballot {
            priority: 1,
            ..theirs
        }),
        ask(Ballot {
            n: u32::MAX,
            ..theirs
        }),
        ask(Ballot::default()),
        Letter::Grant {
            ballot: theirs,
            round: 1,
            lasts: LEASE,
        },
        Letter::Outbid {
            ballot: mine,
            promised: mine,
        },
        Letter::Log(PaxosMsg::ProposalForward(vec![cut(1)])),
        Letter::Log(PaxosMsg::Compaction(Compaction::Trim(1))),
        Letter::Log(PaxosMsg::Accepted(Accepted {
            n: mine,
            accepted_idx: 1,
        })),
        Letter::Log(PaxosMsg::AcceptSync(AcceptSync {
            n: theirs,
            seq_num: SequenceNumber::default(),
            decided_idx: 0,
            log_sync: LogSync {
                decided_snapshot: None,
                suffix: vec![cut(1)],
                sync_idx: 1,
                stopsign: None,
            },
        })),
    ];
    for letter in &wrong {
        let bytes = postcard::to_allocvec(letter).expect("it serializes");
        let heard = table
            .consensus(1)
            .handle_letter(VoterNumber(2), &bytes, now);
        assert_eq!(heard, Err(DropReason::Malformed), "{letter:?}");
    }
    let right = postcard::to_allocvec(&ask(theirs)).expect("it serializes");
    let consensus = table.consensus(1);
    assert_eq!(consensus.handle_letter(VoterNumber(2), &right, now), Ok(()));
    let myself = postcard::to_allocvec(&ask(mine)).expect("it serializes");
    let heard = consensus.handle_letter(VoterNumber(1), &myself, now);
    assert_eq!(heard, Err(DropReason::Malformed), "from this voter itself");
    let heard = consensus.handle_letter(VoterNumber(2), &right[..right.len() - 1], now);
    assert_eq!(heard, Err(DropReason::Malformed), "cut short");
    let long = vec![0; limits::LETTER_BYTES + 1];
    let heard = consensus.handle_letter(VoterNumber(2), &long, now);
    assert_eq!(heard, Err(DropReason::TooLong));
}
