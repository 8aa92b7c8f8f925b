//! Who leads, what is committed, what a restart leaves of it.

use super::*;
use crate::coordinator::consensus::StoredError;

/// Takes office in the epoch after the last one that it knows.
fn take_office(table: &mut Table, number: u64) -> Epoch {
    let last = table
        .committed(number)
        .last()
        .and_then(|cut| cut.office.as_ref());
    let epoch = last.map_or(0, |office| office.epoch.0) + 1;
    let cut = Cut {
        office: Some(office(epoch, number)),
        ..Cut::default()
    };
    let all: Vec<u64> = table.numbers().collect();
    let up = |number: &u64| table.seats[place(*number)].consensus.is_some();
    let up: Vec<u64> = all.into_iter().filter(up).collect();
    table.commit(number, cut, &up);
    Epoch(epoch)
}

#[test]
fn one_of_them_leads_and_all_commit_what_it_proposes() {
    for count in [3, 5, 7] {
        let mut table = Table::new(count);
        let leader = table.elect();
        let all: Vec<u64> = table.numbers().collect();
        for epoch in 1..=20 {
            table.commit(leader, cut(epoch), &all);
        }
        table.run_for(LEASE);
        assert_eq!(table.leader(), Some(leader));
        for number in all {
            let known = table.consensus(number).committed();
            assert_eq!(known, 20);
            assert!(table.consensus(number).is_idle());
            let now = table.now;
            assert_eq!(
                table.consensus(number).leader(now),
                Some(VoterNumber(leader))
            );
        }
    }
}

#[test]
fn each_that_leads_takes_office_in_an_epoch_of_its_own() {
    let mut table = Table::new(5);
    let mut epochs = BTreeSet::new();
    for _ in 0..8 {
        let leader = table.elect();
        assert!(epochs.insert(take_office(&mut table, leader)));
        table.crash(leader);
        table.until(ms(20_000), |table| {
            table.leader().is_some_and(|new| new != leader)
        });
        let next = table.leader().expect("one leads");
        assert!(epochs.insert(take_office(&mut table, next)));
        table.restart(leader);
        let known = table.committed(next).to_vec();
        table.until(ms(20_000), |table| table.committed(leader) == known);
    }
    assert_eq!(epochs.last(), Some(&Epoch(16)), "dense");
}

#[test]
fn a_minority_neither_leads_nor_commits() {
    let mut table = Table::new(5);
    let leader = table.elect();
    let others: Vec<u64> = table.numbers().filter(|number| *number != leader).collect();
    table.separate(&[leader, others[0]], &others[1..]);
    table.propose(leader, cut(1));
    table.until(ms(20_000), |table| {
        table.leader().is_some_and(|new| new != leader)
    });
    let now = table.now;
    assert!(table.consensus(leader).propose(cut(2), now).is_err());
    let new = table.leader().expect("one leads");
    table.commit(new, cut(3), &others[1..]);
    assert_eq!(table.committed(leader), []);
    assert_eq!(table.committed(others[0]), []);
    // What the minority had in its log and nobody else gives way.
    table.apart.clear();
    table.until(ms(20_000), |table| {
        table.numbers().all(|of| table.committed(of) == [cut(3)])
    });
}

#[test]
fn nothing_committed_is_lost_with_a_minority_of_the_disks() {
    for lost in [[1, 2], [4, 5], [2, 4]] {
        let mut table = Table::new(5);
        let leader = table.elect();
        let all: Vec<u64> = table.numbers().collect();
        table.commit(leader, cut(1), &all);
        table.commit(leader, cut(2), &[leader]);
        for number in &all {
            table.crash(*number);
        }
        // Those never come back: another voter would be one of another configuration.
        for number in all.iter().filter(|number| !lost.contains(number)) {
            table.start(*number, true);
        }
        let leader = table.elect();
        table.until(ms(5_000), |table| table.committed(leader).len() == 2);
        assert_eq!(table.committed(leader), [cut(1), cut(2)]);
    }
}

#[test]
fn what_is_not_saved_is_neither_said_nor_committed() {
    let mut table = Table::new(3);
    let leader = table.elect();
    for number in table.numbers() {
        table.seat(number).hangs = number != leader;
    }
    table.propose(leader, cut(1));
    table.run_for(ms(1_000));
    assert_eq!(table.committed(leader), [], "no other disk has it");
    let others: Vec<u64> = table.numbers().filter(|number| *number != leader).collect();
    for number in others {
        table.seat(number).hangs = false;
        table.restart(number);
    }
    table.crash(leader);
    let leader = table.elect();
    table.commit(leader, cut(2), &[leader]);
    assert_eq!(
        table.committed(leader),
        [cut(2)],
        "the first one was nowhere"
    );
}

#[test]
fn whoever_failed_to_save_is_silent_for_ever() {
    let mut table = Table::new(3);
    let leader = table.elect();
    table.consensus(leader).handle_save_failed();
    table.drain(leader);
    let now = table.now;
    assert!(!table.consensus(leader).leads(now));
    assert_eq!(table.consensus(leader).poll_timeout(), None);
    let sent = table.posts.len();
    table.drain(leader);
    assert_eq!(table.posts.len(), sent);
    table.until(ms(20_000), |table| table.leader().is_some());
    assert_ne!(table.leader(), Some(leader));
}

#[test]
fn a_voter_that_was_off_for_long_learns_what_it_missed() {
    let mut table = Table::new(3);
    let leader = table.elect();
    let off = table
        .numbers()
        .find(|number| *number != leader)
        .expect("one of three");
    let other = 6 - leader - off;
    table.commit(leader, cut(1), &[off]);
    table.crash(off);
    for epoch in 2..=100 {
        table.commit(leader, cut(epoch), &[leader, other]);
    }
    table.start(off, true);
    table.until(ms(10_000), |table| table.committed(off).len() == 100);
}

#[test]
fn a_voter_that_is_not_among_them_has_no_part() {
    let settings = ConsensusSettings {
        lease: LEASE,
        durable: true,
    };
    let stranger = Voter {
        id: VoterId(77),
        ..voter(1)
    };
    let refused = Consensus::new(&voters(1, 3), &stranger, &[], false, settings, Time::ZERO);
    assert_eq!(
        refused.err(),
        Some(StoredError),
        "the same name with another memory"
    );
}
