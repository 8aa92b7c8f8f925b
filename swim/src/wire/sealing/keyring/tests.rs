//! What becomes of a ring when it is changed, and which of two counts.

use std::time::Duration;

use super::*;

fn key(number: u8) -> Key {
    Key::new([number; 32])
}

fn ring(generation: u64, keys: &[u8]) -> Keyring {
    let keys = keys.iter().map(|number| (key(*number), None)).collect();
    Keyring::new(generation, keys).expect("a ring")
}

fn at(seconds: u64) -> Time {
    Time::ZERO + Duration::from_secs(seconds)
}

/// Each key as its number, with `+` when it is new and the second at which it is forgotten.
fn shown(ring: &Keyring) -> Vec<String> {
    let number = |id| (0..=u8::MAX).find(|number| key(*number).id() == id);
    let infos = ring.infos().map(|info| {
        let number = number(info.id).expect("one of ours");
        let new = if info.is_new { "+" } else { "" };
        let until = info.until.map(|until| until.as_nanos() / 1_000_000_000);
        until.map_or(format!("{number}{new}"), |until| {
            format!("{number}{new}@{until}")
        })
    });
    infos.collect()
}

#[test]
fn a_rotation_tells_the_new_key_from_the_old_one_at_each_step() {
    let first = ring(4, &[1]);
    let added = first.with(key(2)).expect("there is room");
    assert_eq!(shown(&added), ["1", "2+"]);
    let used = added.with_primary(key(2).id()).expect("it is there");
    assert_eq!(shown(&used), ["2", "1"]);
    let retired = used.without(key(1).id(), Some(at(60))).expect("it may go");
    assert_eq!(shown(&retired), ["2", "1@60"]);
    assert_eq!(retired.generation(), 7);
    let gone = retired.expired(at(60)).expect("its time is over");
    assert_eq!((shown(&gone), gone.generation()), (vec!["2".to_owned()], 7));
    assert_eq!(retired.expired(at(59)), None);
    // It travels as it is.
    let told = Keyring::from_wire(7, &added.to_wire(at(0)), at(0)).expect("a ring");
    assert_eq!(shown(&told), ["1", "2+"]);
    let told = Keyring::from_wire(7, &retired.to_wire(at(10)), at(1010)).expect("a ring");
    assert_eq!(shown(&told), ["2", "1@1060"]);
}

#[test]
fn a_retired_key_that_is_added_or_used_again_stays() {
    let retired = ring(1, &[1, 2]).without(key(2).id(), Some(at(60)));
    let retired = retired.expect("it may go");
    let again = retired.with(key(2)).expect("it comes back");
    assert_eq!(shown(&again), ["1", "2+"]);
    assert_eq!(again.with(key(2)), Err(KeyError::Known(key(2).id())));
    let used = retired.with_primary(key(2).id()).expect("it is there");
    assert_eq!(shown(&used), ["2", "1"]);
}

#[test]
fn what_cannot_be_done_is_refused_with_the_reason() {
    let (one, two) = (key(1).id(), key(2).id());
    let only = ring(1, &[1]);
    assert_eq!(only.without(one, None), Err(KeyError::Last(one)));
    assert_eq!(only.without(two, None), Err(KeyError::Unknown(two)));
    assert_eq!(only.with_primary(two), Err(KeyError::Unknown(two)));
    let both = ring(1, &[1, 2]);
    assert_eq!(both.without(one, None), Err(KeyError::IsPrimary(one)));
    let full = ring(1, &[1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(full.with(key(9)), Err(KeyError::TooMany));
    let full = full.without(two, Some(at(9))).expect("it may go");
    // No ninth place is needed for one that is there.
    assert!(full.with(key(2)).is_ok());
}

#[test]
fn of_equally_many_changes_the_ring_with_more_lasting_keys_counts() {
    let retired = |ring: Keyring, number| ring.without(key(number).id(), Some(at(60)));
    let old = retired(ring(1, &[1, 2]), 2).expect("it may go");
    let cases = [
        (ring(2, &[1]), ring(1, &[1, 2]), true),
        (ring(1, &[1]), ring(2, &[1]), false),
        (ring(2, &[1, 2]), ring(2, &[1]), true),
        (ring(2, &[1]), ring(2, &[1]), false),
        (ring(2, &[1, 2]), ring(2, &[1, 3]), false),
        (ring(2, &[2, 3]), ring(2, &[1]), false),
        // One that is about to be forgotten is brought back to nobody.
        (old.clone(), ring(2, &[1]), false),
        (ring(2, &[1]), old, false),
    ];
    for (ours, theirs, expected) in cases {
        let found = ours.outranks(&theirs);
        assert_eq!(found, expected, "{:?} {:?}", shown(&ours), shown(&theirs));
    }
}
