//! One configuration ends, the next begins.

use super::*;
use crate::wire::DropReason;

#[test]
fn the_last_cut_ends_a_configuration_for_all() {
    let mut table = Table::new(3);
    let leader = table.elect();
    table.commit(leader, cut(1), &[1, 2, 3]);
    let last = last_cut(2, 3);
    table.commit(leader, last.clone(), &[leader]);
    let now = table.now;
    assert!(
        !table.consensus(leader).leads(now),
        "its lease is of no use any more"
    );
    assert!(table.consensus(leader).propose(cut(2), now).is_err());
    table.until(ms(10_000), |table| {
        table
            .numbers()
            .all(|number| table.committed(number).last() == Some(&last))
    });
    table.run_for(ms(100));
    assert_eq!(table.next(), None, "they have nothing to say any more");
    assert_eq!(table.leader(), None);
}

#[test]
fn the_next_configuration_begins_with_an_empty_log_and_no_lease() {
    let mut table = Table::new(3);
    let leader = table.elect();
    table.commit(leader, last_cut(2, 5), &[leader]);
    let mut next = Table::with(voters(2, 5));
    next.now = table.now;
    let leader = next.elect();
    next.commit(leader, cut(1), &[1, 2, 3, 4, 5]);
    for number in next.numbers() {
        assert_eq!(next.committed(number), [cut(1)]);
    }
}

#[test]
fn letters_of_another_configuration_are_refused() {
    let mut table = Table::new(3);
    let mut next = Table::with(voters(2, 3));
    next.loses = Box::new(|_, _, letter| matches!(letter, Letter::Beat(_)));
    // Those of an election fit anywhere: what they carry is a ballot, in the answer.
    table.loses = Box::new(|_, _, letter| matches!(letter, Letter::Beat(_)));
    for table in [&mut table, &mut next] {
        table.campaign(3);
        table.run_for(ms(100));
    }
    let old = std::mem::take(&mut table.posts);
    assert!(old.is_empty(), "they have arrived");
    table.delays = Box::new(|_, _, _| true);
    table.campaign(3);
    table.run_for(LEASE);
    assert!(!table.late.is_empty());
    let now = next.now;
    for post in std::mem::take(&mut table.late) {
        let from = VoterNumber(post.from);
        let heard = next
            .consensus(post.to)
            .handle_letter(from, &post.letter, now);
        assert_eq!(heard, Err(DropReason::Malformed));
    }
}

#[test]
fn a_voter_that_restarts_in_a_configuration_that_has_ended_tells_of_it_and_no_more() {
    let mut table = Table::new(3);
    let leader = table.elect();
    let last = last_cut(2, 3);
    table.commit(leader, cut(1), &[1, 2, 3]);
    table.commit(leader, last.clone(), &[1, 2, 3]);
    table.run_for(ms(100));
    for number in table.numbers() {
        table.restart(number);
        assert_eq!(table.committed(number), [cut(1), last.clone()]);
    }
    // What a voter says before it has read its log is heard by nobody.
    table.run_for(ms(100));
    assert_eq!(table.next(), None);
}

#[test]
fn a_voter_of_an_older_configuration_brings_nobody_back_into_it() {
    let mut table = Table::new(3);
    let leader = table.elect();
    let last = last_cut(2, 3);
    // It was away when the last cut was decided, and restarts with what it had.
    let away = if leader == 1 { 2 } else { 1 };
    table.crash(away);
    table.commit(leader, last, &[leader]);
    table.run_for(ms(100));
    table.start(away, true);
    table.run_for(10 * LEASE);
    assert_eq!(table.committed(away), []);
    assert_eq!(table.leader(), None);
}

#[test]
fn one_that_votes_alone_commits_at_once_and_after_it_was_saved() {
    let mut table = Table::new(1);
    assert_eq!(table.leader(), Some(1));
    table.propose(1, cut(1));
    assert_eq!(table.committed(1), [cut(1)]);
    table.seat(1).hangs = true;
    table.propose(1, cut(2));
    assert_eq!(table.committed(1), [cut(1)], "its disk has not said so yet");
    table.seat(1).hangs = false;
    table.restart(1);
    assert_eq!(table.committed(1), [cut(1)]);
    assert_eq!(table.leader(), Some(1));
    table.propose(1, last_cut(2, 3));
    assert_eq!(table.leader(), None);
}
