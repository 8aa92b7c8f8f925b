//! The pure rules.

use std::time::Duration;

use crate::coordinator::docket::weigh::{
    Doubts, Outcome, Patience, Tally, judge, needs_voters, voters_agree, weight,
};
use crate::event::Silence;

#[test]
fn a_word_counts_by_what_speaks_against_its_observer() {
    let secs = |secs| Some(Duration::from_secs(secs));
    let table = [
        // health, accused, refuted, weight
        (0, false, None, 100),
        (1, false, None, 90),
        (5, false, None, 50),
        (8, false, None, 20),
        (255, false, None, 20),
        (0, true, None, 20),
        (0, false, secs(0), 30),
        (0, false, secs(30), 65),
        (0, false, secs(60), 100),
        (0, false, secs(3600), 100),
        (5, true, None, 10),
        (0, true, secs(0), 6),
        (5, false, secs(0), 15),
        (8, true, secs(0), 1),
    ];
    for (health, accused, refuted, expected) in table {
        let doubts = Doubts {
            health,
            accused,
            refuted,
        };
        assert_eq!(weight(doubts), expected, "{doubts:?}");
    }
}

#[test]
fn an_observer_regains_its_weight_evenly() {
    let mut last = 0;
    for second in 0..=60 {
        let weight = weight(Doubts {
            refuted: Some(Duration::from_secs(second)),
            ..Doubts::default()
        });
        assert!(weight >= last && weight - last <= 30, "{second}: {weight}");
        last = weight;
    }
}

/// A tally of so much weight by so many that are cut off from it, and so much that reach it.
fn tally(unreached: u32, by: usize, reached: u32) -> Tally {
    Tally {
        cut_off: unreached,
        unreached_by: by,
        witnesses: by.min(1),
        reached,
        own: Some(reached > 0),
        ..Tally::default()
    }
}

#[test]
fn what_all_words_say() {
    let table = [
        // unreached, by, reached, outcome
        (0, 0, 0, Outcome::Unclear),
        (0, 0, 100, Outcome::Reached),
        (100, 1, 0, Outcome::Unclear),
        (100, 1, 10, Outcome::Unclear),
        (100, 1, 100, Outcome::Disputed),
        (100, 1, 399, Outcome::Disputed),
        (100, 1, 400, Outcome::Reached),
        (200, 2, 0, Outcome::Unreached),
        (800, 8, 200, Outcome::Unreached),
        (799, 8, 200, Outcome::Disputed),
        (201, 8, 800, Outcome::Disputed),
        (200, 8, 800, Outcome::Reached),
        (2, 2, 0, Outcome::Unreached),
    ];
    for (unreached, by, reached, expected) in table {
        let tally = tally(unreached, by, reached);
        assert_eq!(judge(&tally, 10), expected, "{tally:?}");
    }
}

#[test]
fn accusers_alone_do_not_find_a_host_cut_off() {
    let mut tally = tally(300, 3, 0);
    tally.witnesses = 0;
    assert_eq!(judge(&tally, 10), Outcome::Unclear);
    // A refusal is the host's own word.
    (tally.cut_off, tally.refused) = (0, 300);
    assert_eq!(judge(&tally, 10), Outcome::Unreached);
    (tally.refused, tally.stalled) = (0, 300);
    assert_eq!(judge(&tally, 10), Outcome::Unreached);
}

#[test]
fn among_two_the_own_finding_decides() {
    for members in [0, 1, 2] {
        let mut tally = tally(100, 1, 0);
        assert_eq!(judge(&tally, members), Outcome::Unreached);
        tally.own = Some(true);
        assert_eq!(judge(&tally, members), Outcome::Reached);
        tally.own = None;
        assert_eq!(judge(&tally, members), Outcome::Unclear);
    }
    assert_eq!(judge(&tally(100, 1, 0), 3), Outcome::Unclear);
}

#[test]
fn the_silence_that_most_say_and_the_more_patient_of_two() {
    let table = [
        // stalled, cut off, refused, patience
        (1, 0, 0, Patience::Stalled),
        (0, 1, 0, Patience::CutOff),
        (0, 0, 1, Patience::Refused),
        (100, 100, 0, Patience::Stalled),
        (100, 0, 100, Patience::Stalled),
        (0, 100, 100, Patience::CutOff),
        (100, 100, 100, Patience::Stalled),
        (100, 101, 0, Patience::CutOff),
        (100, 0, 101, Patience::Refused),
        (100, 100, 101, Patience::Refused),
        (100, 150, 149, Patience::CutOff),
    ];
    for (stalled, cut_off, refused, expected) in table {
        let tally = Tally {
            stalled,
            cut_off,
            refused,
            ..Tally::default()
        };
        assert_eq!(tally.patience(), expected, "{tally:?}");
    }
    assert_eq!(Patience::from(Silence::Replaced), Patience::Refused);
    assert_eq!(Patience::from(Silence::Refused), Patience::Refused);
    assert_eq!(Patience::from(Silence::CutOff), Patience::CutOff);
    assert_eq!(Patience::from(Silence::Stalled), Patience::Stalled);
}

#[test]
fn more_than_a_minority_needs_the_voters() {
    let table = [
        // removing, view, needs
        (1, 0, true),
        (1, 1, true),
        (1, 2, true),
        (1, 3, false),
        (2, 3, true),
        (1, 4, false),
        (2, 4, true),
        (2, 5, false),
        (3, 5, true),
        (499, 1000, false),
        (500, 1000, true),
    ];
    for (removing, view, needs) in table {
        assert_eq!(needs_voters(removing, view), needs, "{removing} of {view}");
    }
}

#[test]
fn a_majority_of_all_but_one_voter_is_a_majority_of_all() {
    for voters in [1usize, 3, 5, 7] {
        let majority = voters / 2 + 1;
        for others in [voters, voters - 1]
            .into_iter()
            .filter(|others| *others > 0)
        {
            for unreached in 0..=others {
                let agree = voters_agree(unreached, others);
                assert_eq!(agree, unreached >= majority, "{unreached} of {voters}");
            }
        }
    }
}
