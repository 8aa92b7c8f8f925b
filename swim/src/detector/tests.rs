use std::time::Duration;

use super::suspicion::{duration, shortest};
use super::{Health, RoundTrip, Suspicion};
use crate::config::Config;
use crate::members::Name;
use crate::time::Time;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Lifeguard section IV-B, every confirmation count of K = 3 between 2 s and 12 s.
#[test]
fn suspicion_shrinks_with_the_logarithm_of_confirmations() {
    let of = |confirmed| duration(ms(2000), ms(12_000), confirmed, 3);
    assert_eq!([of(0), of(1), of(2), of(3), of(4)], [12_000, 7_000, 4_075, 2_000, 2_000].map(ms));
}

#[test]
fn suspicion_without_anybody_to_confirm_is_as_short_as_it_gets() {
    assert_eq!(duration(ms(2000), ms(12_000), 0, 0), ms(2000));
    let suspicion = Suspicion::new(name("a"), 2, &Config::lan(), Time::ZERO);
    assert_eq!(suspicion.deadline(), Time::ZERO + Config::lan().suspicion);
}

#[test]
fn shortest_suspicion_grows_with_the_decimal_logarithm() {
    let table = [(1, 1000), (2, 1000), (10, 1000), (100, 2000), (150, 2176), (10_000, 4000)];
    for (members, millis) in table {
        assert_eq!(shortest(ms(1000), members), ms(millis), "{members} members");
    }
}

#[test]
fn an_accuser_counts_once_and_only_as_many_as_are_needed() {
    let mut suspicion = Suspicion::new(name("a"), 10, &Config::lan(), Time::ZERO);
    let unconfirmed = suspicion.deadline();
    assert!(!suspicion.confirm(&name("a")), "the first accuser is no confirmation");
    assert!(suspicion.confirm(&name("b")));
    assert!(!suspicion.confirm(&name("b")));
    assert!(suspicion.deadline() < unconfirmed);
    assert!(suspicion.confirm(&name("c")));
    assert!(suspicion.confirm(&name("d")));
    assert!(!suspicion.confirm(&name("e")), "three are enough");
    assert_eq!(suspicion.deadline(), Time::ZERO + Config::lan().suspicion);
}

#[test]
fn time_lost_by_the_accuser_does_not_count() {
    let mut suspicion = Suspicion::new(name("a"), 10, &Config::lan(), Time::ZERO);
    let before = suspicion.deadline();
    suspicion.postpone(ms(700));
    assert_eq!(suspicion.deadline(), before + ms(700));
}

#[test]
fn health_stays_between_zero_and_eight_and_stretches_linearly() {
    let mut health = Health::default();
    health.improve();
    assert_eq!((health.score(), health.stretch(ms(100))), (0, ms(100)));
    health.worsen(3);
    assert_eq!((health.score(), health.stretch(ms(100))), (3, ms(400)));
    health.worsen(200);
    assert_eq!((health.score(), health.stretch(ms(100))), (8, ms(900)));
    health.improve();
    assert_eq!(health.score(), 7);
}

#[test]
fn unknown_round_trip_waits_longest_and_a_known_one_within_bounds() {
    let config = Config::lan();
    let mut round_trip = RoundTrip::default();
    assert_eq!(round_trip.estimate(), None);
    assert_eq!(round_trip.timeout(&config), config.probe_timeout_max);
    round_trip.sample(ms(40));
    // RFC 6298 (2.2): RTTVAR = R/2, so RTO = R + 4 R/2.
    assert_eq!(round_trip.timeout(&config), ms(120));
    for _ in 0..100 {
        round_trip.sample(Duration::from_micros(200));
    }
    assert_eq!(round_trip.timeout(&config), config.probe_timeout_min);
    for _ in 0..100 {
        round_trip.sample(Duration::from_secs(20_000));
    }
    assert_eq!(round_trip.timeout(&config), config.probe_timeout_max);
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a valid name")
}
