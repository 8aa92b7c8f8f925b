use std::time::Duration;

use super::suspicion::{duration, shortest};
use super::{
    Answer, Expected, Health, Probes, Purpose, Relay, Relays, Round, RoundTrip, StreamProbe,
    Suspicion,
};
use crate::config::Config;
use crate::event::Silence;
use crate::limits;
use crate::members::{Instance, Name, NameHash};
use crate::time::Time;

fn round(target: &str, instance: u64) -> Round {
    let addr = "192.0.2.7:7946".parse().expect("an address");
    let instance = Instance(instance);
    Round::new(&name(target), instance, addr, Purpose::Watch, Time::ZERO)
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Lifeguard section IV-B, every confirmation count of K = 3 between 2 s and 12 s.
#[test]
fn suspicion_shrinks_with_the_logarithm_of_confirmations() {
    let of = |confirmed| duration(ms(2000), ms(12_000), confirmed, 3);
    assert_eq!(
        [of(0), of(1), of(2), of(3), of(4)],
        [12_000, 7_000, 4_075, 2_000, 2_000].map(ms)
    );
}

#[test]
fn suspicion_without_anybody_to_confirm_is_as_short_as_it_gets() {
    assert_eq!(duration(ms(2000), ms(12_000), 0, 0), ms(2000));
    let suspicion = Suspicion::new(name("a"), 2, &Config::lan(), Time::ZERO);
    assert_eq!(suspicion.deadline(), Time::ZERO + Config::lan().suspicion);
}

#[test]
fn shortest_suspicion_grows_with_the_decimal_logarithm() {
    let table = [
        (1, 1000),
        (2, 1000),
        (10, 1000),
        (100, 2000),
        (150, 2176),
        (10_000, 4000),
    ];
    for (members, millis) in table {
        assert_eq!(shortest(ms(1000), members), ms(millis), "{members} members");
    }
}

#[test]
fn an_accuser_counts_once_and_only_as_many_as_are_needed() {
    let mut suspicion = Suspicion::new(name("a"), 10, &Config::lan(), Time::ZERO);
    let unconfirmed = suspicion.deadline();
    assert!(
        !suspicion.confirm(&name("a")),
        "the first accuser is no confirmation"
    );
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
    assert_eq!(round_trip.patience(&config), config.probe_timeout_max);
    round_trip.sample(ms(40));
    // RFC 6298 (2.2): RTTVAR = R/2, so RTO = R + 4 R/2.
    assert_eq!(round_trip.timeout(&config), ms(120));
    for _ in 0..100 {
        round_trip.sample(Duration::from_micros(200));
    }
    assert_eq!(round_trip.timeout(&config), config.probe_timeout_min);
    assert_eq!(round_trip.patience(&config), config.probe_timeout_min * 4);
    for _ in 0..100 {
        round_trip.sample(Duration::from_secs(20_000));
    }
    assert_eq!(round_trip.timeout(&config), config.probe_timeout_max);
}

/// A round for `target` number 1, widened to the relays r1 and r2.
fn widened() -> Probes {
    let mut probes = Probes::default();
    assert!(probes.start(1, round("target", 5)));
    probes.widen(1, [name("r1"), name("r2")]);
    probes
}

fn silence_of(probes: &Probes) -> Silence {
    probes.get(1).expect("the round runs").silence()
}

#[test]
fn a_member_has_one_round_at_a_time() {
    let mut probes = Probes::default();
    let start = |probes: &mut Probes, seq| probes.start(seq, round("target", 5));
    assert!(start(&mut probes, 1));
    assert!(!start(&mut probes, 2));
    assert!(probes.runs_for(&name("target")));
    assert!(probes.end(1).is_some());
    assert!(!probes.runs_for(&name("target")));
    assert!(start(&mut probes, 3));
}

#[test]
fn rounds_have_a_number() {
    let mut probes = Probes::default();
    let start = |probes: &mut Probes, seq: u32| {
        let target = name(&format!("n{seq}"));
        probes.start(seq, round(target.as_str(), 1))
    };
    for seq in 0..limits::PROBES as u32 {
        assert!(start(&mut probes, seq));
    }
    assert!(!start(&mut probes, u32::MAX));
    assert_eq!(probes.void().len(), limits::PROBES);
    assert!(start(&mut probes, u32::MAX), "void rounds make room");
    assert!(!probes.runs_for(&name("n0")));
}

#[test]
fn only_the_life_that_was_pinged_and_the_relays_asked_can_answer() {
    let answer = |from: &str, instance| widened().acked(1, from, Instance(instance));
    assert!(matches!(
        answer("target", 5),
        Answer::Reached { direct: true, .. }
    ));
    assert!(matches!(answer("target", 6), Answer::Unknown));
    assert!(matches!(
        answer("r2", 9),
        Answer::Reached { direct: false, .. }
    ));
    assert!(matches!(answer("stranger", 5), Answer::Unknown));
    assert!(matches!(
        widened().acked(2, "target", Instance(5)),
        Answer::Unknown
    ));
}

/// A relay passes on an answer that comes after its nack: it must count.
#[test]
fn a_relay_that_nacked_may_still_bring_the_answer() {
    let mut probes = widened();
    assert!(matches!(probes.nacked(1, "r1"), Answer::Noted));
    assert!(matches!(
        probes.acked(1, "r1", Instance(9)),
        Answer::Reached { direct: false, .. }
    ));
    assert!(
        matches!(probes.acked(1, "r1", Instance(9)), Answer::Unknown),
        "the round is over"
    );
}

#[test]
fn a_round_ends_early_when_every_relay_nacked_and_the_stream_failed() {
    for (over, silence) in [
        (StreamProbe::Refused, Silence::Refused),
        (StreamProbe::Failed, Silence::CutOff),
    ] {
        let mut probes = widened();
        assert!(matches!(probes.streamed(1, over), Answer::Noted));
        assert!(matches!(probes.nacked(1, "r1"), Answer::Noted));
        assert!(
            matches!(probes.nacked(1, "r1"), Answer::Noted),
            "twice is once"
        );
        assert_eq!(probes.get(1).map(Round::silent_relays), Some(1));
        assert!(matches!(probes.nacked(1, "stranger"), Answer::Noted));
        assert!(matches!(probes.nacked(1, "r2"), Answer::Exhausted));
        assert_eq!(silence_of(&probes), silence);
    }
}

#[test]
fn a_stream_that_is_open_may_still_answer() {
    let mut probes = widened();
    assert_eq!(silence_of(&probes), Silence::CutOff);
    assert!(matches!(
        probes.streamed(1, StreamProbe::Accepted),
        Answer::Noted
    ));
    assert!(matches!(probes.nacked(1, "r1"), Answer::Noted));
    assert!(matches!(probes.nacked(1, "r2"), Answer::Noted));
    assert_eq!(silence_of(&probes), Silence::Stalled);
}

#[test]
fn a_round_is_not_over_before_relays_were_asked() {
    let mut probes = Probes::default();
    assert!(probes.start(1, round("target", 5)));
    assert!(matches!(
        probes.streamed(1, StreamProbe::Refused),
        Answer::Noted
    ));
    assert!(matches!(probes.nacked(1, "r1"), Answer::Noted));
    assert!(
        matches!(probes.acked(1, "r1", Instance(9)), Answer::Unknown),
        "it was not asked"
    );
}

fn relay(instance: u64) -> Relay {
    let at = "192.0.2.1:7946".parse().expect("a valid address");
    let asker = (NameHash::of("a"), at);
    Relay {
        asker,
        asker_seq: 7,
        instance: Instance(instance),
        nacked: false,
    }
}

#[test]
fn a_relay_nacks_once_and_still_passes_on_a_late_answer() {
    let mut relays = Relays::default();
    assert!(relays.start(1, relay(5)));
    assert!(
        relays.acked(1, Instance(6)).is_none(),
        "another life answered"
    );
    assert_eq!(relays.timed_out(1).map(|relay| relay.asker_seq), Some(7));
    assert_eq!(
        relays.acked(1, Instance(5)).map(|relay| relay.asker_seq),
        Some(7)
    );
    assert!(relays.timed_out(1).is_none());
    assert!(relays.start(2, relay(5)));
    assert!(relays.timed_out(2).is_some());
    assert!(relays.timed_out(2).is_none());
    assert!(relays.acked(2, Instance(5)).is_none(), "it is forgotten");
}

#[test]
fn relays_have_a_number() {
    let mut relays = Relays::default();
    for seq in 0..limits::RELAYS as u32 {
        assert!(relays.start(seq, relay(5)));
    }
    assert!(!relays.start(u32::MAX, relay(5)));
    assert!(relays.acked(0, Instance(5)).is_some());
    assert!(relays.start(u32::MAX, relay(5)));
}

const GRACE: Duration = ms(100);

const fn at(millis: u64) -> Time {
    Time::from_nanos(millis * 1_000_000)
}

#[test]
fn a_beat_that_does_not_come_is_overdue_after_its_grace_and_named_once_for_each() {
    let a = name("a");
    let mut expected = Expected::new(1);
    assert_eq!(expected.first(), None);
    expected.watch(0, Some((&a, Instance(1))), at(1000));
    assert_eq!(expected.first(), Some(at(1000)));
    let seen = [1000, 1099, 1100, 2099, 3100]
        .map(|millis| expected.overdue(GRACE, at(3000), at(millis)).len());
    assert_eq!(seen, [0, 0, 1, 0, 1]);
}

#[test]
fn whoever_was_told_when_to_come_is_expected_then() {
    let a = name("a");
    let mut expected = Expected::new(2);
    for ring in 0..2 {
        expected.watch(ring, Some((&a, Instance(1))), at(1000));
    }
    expected.appoint(1, &a, Instance(1), at(4000));
    // A look at the same predecessor changes nothing.
    expected.watch(1, Some((&a, Instance(1))), at(9000));
    assert_eq!(expected.first(), Some(at(1000)));
    assert_eq!(
        expected.overdue(GRACE, at(6000), at(3000)),
        std::slice::from_ref(&a)
    );
    assert_eq!(expected.first(), Some(at(4000)));
    assert_eq!(expected.overdue(GRACE, at(8000), at(6100)), [a.clone(), a]);
}

#[test]
fn another_predecessor_and_another_life_begin_anew() {
    let (a, b) = (name("a"), name("b"));
    let mut expected = Expected::new(1);
    let steps = [
        (0, Some((&a, Instance(1))), 0),
        (2000, Some((&b, Instance(1))), 0),
        (4000, Some((&b, Instance(2))), 0),
        (6000, None, 0),
        (8000, Some((&b, Instance(2))), 0),
        (9000, Some((&b, Instance(2))), 0),
        (9100, Some((&b, Instance(2))), 1),
    ];
    for (millis, predecessor, overdue) in steps {
        expected.watch(0, predecessor, at(millis + 1000));
        let named = expected.overdue(GRACE, at(millis + 1000), at(millis));
        assert_eq!(named.len(), overdue, "{millis}");
    }
}

#[test]
fn time_in_which_this_node_slept_is_nobodys_silence() {
    let a = name("a");
    let mut expected = Expected::new(1);
    expected.watch(0, Some((&a, Instance(1))), at(1000));
    expected.postpone(ms(5000));
    assert!(expected.overdue(GRACE, at(9000), at(6099)).is_empty());
    assert_eq!(expected.overdue(GRACE, at(9000), at(6100)), [a]);
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a valid name")
}
