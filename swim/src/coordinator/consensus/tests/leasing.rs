//! The leases of two never overlap: the table checks it at every step, these bring it about.

use omnipaxos::ballot_leader_election::Ballot;
use omnipaxos::messages::sequence_paxos::PaxosMsg;

use super::*;
use crate::coordinator::consensus::lease::Leases;

fn is_prepare(letter: &Letter) -> bool {
    matches!(letter, Letter::Log(PaxosMsg::Prepare(_)))
}

fn ballot(n: u32, pid: u64) -> Ballot {
    Ballot::with(1, n, 0, pid)
}

/// One goes for it as soon as it may, until it decides.
fn campaign(table: &mut Table, number: u64) {
    let end = table.now + 2 * LEASE;
    while table.leader() != Some(number) {
        assert!(table.now < end, "{number} is not let");
        table.campaign(number);
        // Two exchanges: the promises, and the grants.
        let next = table.now + 6 * WAY;
        while table.next().is_some_and(|at| at <= next) {
            table.step();
        }
        table.now = next;
        table.check();
    }
}

#[test]
fn a_grant_keeps_others_away_until_it_ends() {
    let now = Time::from_nanos(1_000_000_000);
    let (end, promised) = (now + LEASE, ballot(5, 2));
    let mut leases = Leases::new(LEASE, 3, Duration::ZERO, now);
    assert!(
        leases.lets(ballot(6, 3), promised, now),
        "nothing is granted"
    );
    assert!(leases.on_ask(promised, true, now));
    let last = Time::from_nanos(end.as_nanos() - 1);
    assert!(!leases.lets(ballot(6, 3), promised, last), "another one's");
    assert!(
        leases.lets(ballot(6, 2), promised, last),
        "a higher one of the same"
    );
    assert!(leases.lets(promised, promised, last), "the same");
    assert_eq!(leases.holder(last), Some(2));
    assert!(leases.granted_to_other(1, last) && !leases.granted_to_other(2, last));
    assert!(leases.lets(ballot(6, 3), promised, end), "it has ended");
    assert_eq!(leases.holder(end), None);
}

#[test]
fn whoever_may_have_granted_in_a_former_life_keeps_quiet() {
    let now = Time::from_nanos(1_000_000_000);
    let promised = ballot(5, 2);
    let mut leases = Leases::new(LEASE, 3, LEASE, now);
    let last = Time::from_nanos((now + LEASE).as_nanos() - 1);
    assert!(!leases.on_ask(promised, true, last));
    assert!(!leases.lets(ballot(6, 3), promised, last));
    assert!(
        leases.lets(promised, promised, last),
        "that was promised before"
    );
    assert!(leases.on_ask(promised, true, now + LEASE));
}

#[test]
fn a_lease_counts_from_when_it_was_asked_for_and_lasts_as_long_as_the_shortest_grant() {
    let now = Time::from_nanos(1_000_000_000);
    let mut leases = Leases::new(LEASE, 5, Duration::ZERO, now);
    let round = leases.ask(1, ballot(5, 1), now);
    let later = now + ms(500);
    leases.on_grant(2, round, LEASE);
    leases.on_grant(2, round, LEASE);
    assert_eq!(leases.left(later), None, "two of five, one of them twice");
    leases.on_grant(3, round, LEASE / 2);
    let end = now + LEASE / 2 / 100 * 98;
    assert_eq!(leases.left(later), Some(end.since(later)));
    assert_eq!(leases.left(end), None);
    leases.on_grant(4, round.wrapping_add(1), LEASE);
    assert_eq!(leases.left(end), None, "no such round");
    leases.forget_own();
    assert_eq!(leases.left(later), None);
}

/// The promise is what keeps two apart when the letters of an election are old.
#[test]
fn a_voter_promises_nothing_while_its_grant_to_another_one_lasts() {
    let mut table = Table::new(3);
    // 1 goes for it; its letters to 2 stay on the way, and 3 does not hear of it at all.
    table.separate(&[1], &[3]);
    table.delays = Box::new(|from, _, letter| from == 1 && is_prepare(letter));
    for _ in 0..3 {
        table.campaign(1);
        table.run_for(ms(200));
    }
    assert!(!table.late.is_empty());
    table.separate(&[1], &[2]);
    // 3 leads with a lower ballot, by the grant of 2.
    table.until(ms(20_000), |table| table.leader() == Some(3));
    table.apart.clear();
    table.separate(&[1], &[3]);
    table.let_go();
    table.run_for(LEASE / 2);
    assert_eq!(table.leader(), Some(3));
}

#[test]
fn clocks_that_differ_by_one_percent_do_not_let_two_decide() {
    // Whoever leads is slow, the others are fast, and go for it at once.
    for after in 0..40 {
        let mut table = Table::new(3);
        assert_eq!(table.elect(), 3, "the highest number");
        table.seat(3).rate = 990;
        table.seat(1).rate = 1010;
        table.seat(2).rate = 1010;
        table.run_for(3 * LEASE + ms(after * 20));
        table.until(ms(20_000), |table| table.leader().is_some());
        let old = table.leader().expect("one leads");
        let others: Vec<u64> = table.numbers().filter(|number| *number != old).collect();
        table.separate(&[old], &others);
        campaign(&mut table, others[0]);
    }
}

#[test]
fn voters_that_restart_let_an_old_lease_run_out() {
    for after in 0..40 {
        let mut table = Table::new(5);
        let old = table.elect();
        table.run_for(2 * LEASE + ms(after * 20));
        let others: Vec<u64> = table.numbers().filter(|number| *number != old).collect();
        table.separate(&[old], &others);
        for number in &others {
            // Also when they are set to shorter leases now, and restart once more.
            table.seat(*number).lease = LEASE / 4;
            table.restart(*number);
            table.restart(*number);
        }
        campaign(&mut table, others[0]);
    }
}

#[test]
fn voters_that_are_set_to_leases_of_different_length_let_nobody_decide_beside_another() {
    for after in 0..40 {
        let mut table = Table::new(3);
        for number in [1, 2] {
            table.crash(number);
            table.seat(number).lease = LEASE / 4;
            table.start(number, false);
        }
        assert_eq!(table.elect(), 3);
        let end = table.now + 2 * LEASE + ms(after * 20);
        while table.now < end {
            table.step();
            assert_eq!(table.leader(), Some(3), "it asks as often as theirs need");
        }
        table.separate(&[3], &[1, 2]);
        campaign(&mut table, 1);
    }
}

/// 2 decides something that 1 has in its log and 3 has not heard of, and is not heard any more.
/// Then 3 leads again with the help of 1.
fn led_again(cut: &Cut) -> Table {
    let mut table = Table::new(3);
    assert_eq!(table.elect(), 3, "the highest number");
    table.separate(&[3], &[1, 2]);
    table.until(ms(20_000), |table| {
        table.leader().is_some_and(|new| new != 3)
    });
    let new = table.leader().expect("one leads");
    table.loses = Box::new(|_, _, letter| matches!(letter, Letter::Log(PaxosMsg::Decide(_))));
    table.commit(new, cut.clone(), &[new]);
    table.crash(new);
    table.apart.clear();
    // What 3 finds cannot be decided.
    table.loses = Box::new(|_, _, letter| matches!(letter, Letter::Log(PaxosMsg::Accepted(_))));
    table
}

#[test]
fn what_another_one_may_have_decided_is_taken_before_the_next_one_decides() {
    // The last cut of a configuration, too: those of the next one may be led by somebody already.
    for cut in [cut(9), last_cut(2, 3)] {
        let mut table = led_again(&cut);
        let old = table
            .seats
            .iter()
            .position(|seat| !seat.committed.is_empty());
        let old = old.expect("one committed it") as u64 + 1;
        let end = table.now + 6 * LEASE;
        let mut held = false;
        while table.now < end {
            table.step();
            for number in table.numbers().filter(|number| *number != old) {
                let now = table.now;
                let consensus = table.consensus(number);
                held |= consensus.leases.left(now).is_some();
                assert!(!consensus.leads(now), "{number} decides without {cut:?}");
            }
        }
        assert!(held, "one of them had the lease meanwhile");
        table.loses = Box::new(|_, _, _| false);
        table.until(ms(20_000), |table| {
            let others = table.numbers().filter(|number| *number != old);
            others
                .into_iter()
                .all(|number| table.committed(number) == [cut.clone()])
        });
    }
}

#[test]
fn what_waits_for_the_disk_is_not_known_yet() {
    let mut table = led_again(&cut(9));
    let up: Vec<u64> = table
        .numbers()
        .filter(|number| table.seats[place(*number)].consensus.is_some())
        .filter(|number| table.seats[place(*number)].committed.is_empty())
        .collect();
    let held = |table: &Table| {
        let mut up = up
            .iter()
            .filter_map(|number| table.seats[place(*number)].consensus.as_ref());
        up.any(|consensus| consensus.leases.left(table.now).is_some())
    };
    table.until(ms(20_000), held);
    for number in &up {
        let now = table.now;
        let leads = table.consensus(*number).leases.left(now).is_some();
        table.seat(*number).hangs = leads;
    }
    table.loses = Box::new(|_, _, _| false);
    table.run_for(LEASE / 2);
    assert_eq!(table.leader(), None);
    assert!(held(&table));
}

#[test]
fn one_that_is_outbid_by_a_voter_goes_on_with_a_higher_ballot() {
    let mut table = Table::new(3);
    assert_eq!(table.elect(), 3);
    table.run_for(LEASE);
    // 1 was away, and went for it again and again; nobody followed.
    table.separate(&[1], &[2, 3]);
    table.until(ms(20_000), |table| {
        let consensus = table.seats[0].consensus.as_ref();
        let leases = consensus.map(|consensus| &consensus.leases);
        leases.is_some_and(|leases| !leases.granted_to_other(1, table.now))
    });
    for _ in 0..3 {
        table.campaign(1);
        table.run_for(ms(10));
        let now = table.now;
        let paxos = table.consensus(1).paxos.as_mut().expect("of three");
        paxos.try_become_leader();
        table.consensus(1).collect(now);
        table.drain(1);
    }
    assert_eq!(table.leader(), Some(3));
    table.apart.clear();
    // Step by step, for nobody else is let by 2.
    table.until(ms(20_000), |table| {
        let consensus = table.seats[0].consensus.as_ref();
        let paxos = consensus.and_then(|consensus| consensus.paxos.as_ref());
        let follows = paxos.is_some_and(|paxos| paxos.get_promise().pid == 3);
        assert!(table.leader().is_none_or(|leader| leader == 3));
        follows && table.leader() == Some(3)
    });
    table.commit(3, cut(1), &[1, 2, 3]);
}
