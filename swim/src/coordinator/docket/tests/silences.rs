//! Refused, cut off and stalled, each with its patience, and what a subject says for itself.

use super::court::{Condition, Court, LIFE, at, ms, name};
use crate::coordinator::docket::Ruling;
use crate::coordinator::{Finding, Reason};
use crate::event::Silence;
use crate::members::Instance;

#[test]
fn a_killed_process_is_convicted_within_two_round_trips() {
    for silence in [Silence::Refused, Silence::Replaced] {
        let mut court = Court::new(50, 5);
        court.set(20, Condition::Killed);
        court.buddies_report(at(0), 20, silence, ms(1));
        court.run(at(10_000));
        let convicted = court.convicted();
        assert_eq!(convicted.len(), 1);
        assert_eq!(convicted[0].1, 20);
        assert!(convicted[0].0 <= at(10), "{:?}", convicted[0].0);
    }
}

#[test]
fn a_killed_process_does_not_wait_for_a_mute_witness() {
    let mut court = Court::new(50, 5);
    court.set(20, Condition::Killed);
    court.set(21, Condition::Mute);
    court.report(at(0), 19, 20, Silence::Refused);
    court.run(at(10_000));
    let convicted = court.convicted();
    assert_eq!(convicted.len(), 1);
    assert!(convicted[0].0 <= at(60), "{:?}", convicted[0].0);
}

#[test]
fn the_file_says_who_found_what_and_when() {
    let mut court = Court::new(50, 5);
    court.set(20, Condition::Killed);
    court.set(23, Condition::Mute);
    court.report(at(1_000), 19, 20, Silence::Refused);
    court.run(at(1_002));
    let so_far = court.docket.open_case(&name(20)).expect("a case is open");
    assert_eq!(so_far.testimonies[0].by, name(19));
    court.run(at(5_000));
    let Some((_, rulings)) = court.cuts.first() else {
        panic!("it is convicted");
    };
    let [
        Ruling::Convict {
            name: of,
            instance,
            evidence,
        },
    ] = rulings.as_slice()
    else {
        panic!("it is convicted alone: {rulings:?}");
    };
    assert_eq!((of, *instance), (&name(20), LIFE));
    assert_eq!(evidence.reason, Reason::Unreached);
    let first = &evidence.testimonies[0];
    assert_eq!(
        (&first.by, first.asked, first.after_ms),
        (&name(19), false, 0)
    );
    assert_eq!(first.finding, Finding::Unreached(Silence::Refused));
    let witness = evidence.testimonies.iter().find(|word| word.by == name(21));
    let witness = witness.expect("a buddy was asked");
    assert_eq!(
        (witness.asked, witness.weight, witness.after_ms),
        (true, 100, 3)
    );
    let mute = evidence.testimonies.last().expect("there are some");
    assert_eq!(
        (&mute.by, mute.finding, mute.weight),
        (&name(23), Finding::NoTestimony, 0)
    );
    assert_eq!(evidence.took_ms, 50);
}

#[test]
fn a_cut_off_host_is_convicted_by_the_rounds_of_witnesses() {
    let mut court = Court::new(50, 5);
    court.set(20, Condition::CutOff);
    court.report(at(0), 19, 20, Silence::CutOff);
    court.report(at(10), 21, 20, Silence::CutOff);
    court.run(at(400));
    assert!(court.cuts.is_empty(), "the witnesses look first");
    court.run(at(10_000));
    let convicted = court.convicted();
    assert_eq!(convicted.len(), 1);
    assert!(convicted[0].0 <= at(500), "{:?}", convicted[0].0);
}

#[test]
fn witnesses_that_tell_nothing_are_given_up_and_others_named() {
    let mut court = Court::new(50, 5);
    court.set(30, Condition::CutOff);
    for witness in court.buddies(&name(30)) {
        court.set(super::court::number(&witness), Condition::CutOff);
    }
    // Only one that is no buddy noticed; all that are asked but few are gone as well.
    court.report(at(0), 10, 30, Silence::CutOff);
    court.run(at(20_000));
    assert!(
        court.gone().contains(&30),
        "completeness: {:?}",
        court.gone()
    );
}

#[test]
fn the_voters_are_asked_when_all_witnesses_are_gone() {
    let mut court = Court::new(50, 5);
    for gone in 3..50 {
        court.set(gone, Condition::Mute);
    }
    court.set(30, Condition::CutOff);
    court.report(at(0), 0, 30, Silence::CutOff);
    court.run(at(1_400));
    assert!(court.gone().is_empty());
    court.run(at(5_000));
    assert_eq!(court.gone(), [30]);
}

#[test]
fn the_file_of_a_long_case_still_says_who_began_it() {
    let mut court = Court::new(50, 5);
    court.set(20, Condition::Stalled(at(1_000_000)));
    court.report(at(0), 19, 20, Silence::Stalled);
    // By the end it stands elsewhere and tells another time.
    court.report(at(4_000), 19, 20, Silence::CutOff);
    court.run(at(30_000));
    let rulings = court.cuts.iter().flat_map(|(_, rulings)| rulings);
    let evidence = rulings.filter_map(|ruling| match ruling {
        Ruling::Convict { evidence, .. } => Some(evidence),
        Ruling::Degrade { .. } | Ruling::Restore { .. } => None,
    });
    let evidence: Vec<_> = evidence.collect();
    let first = &evidence[0].testimonies[0];
    assert_eq!(
        (&first.by, first.asked, first.after_ms),
        (&name(19), false, 0)
    );
    assert_eq!(first.finding, Finding::Unreached(Silence::Stalled));
    assert!(evidence[0].took_ms > 5_000, "{}", evidence[0].took_ms);
}

#[test]
fn a_stalled_process_that_goes_on_is_acquitted() {
    for pause in [1_000, 3_000] {
        for refutes in [true, false] {
            let mut court = Court::new(50, 5);
            court.set(20, Condition::Stalled(at(pause)));
            court.buddies_report(at(0), 20, Silence::Stalled, ms(5));
            if refutes {
                court.refute(at(pause + 2), 20);
            }
            court.run(at(30_000));
            assert!(court.cuts.is_empty(), "{pause} {refutes}: {:?}", court.cuts);
            assert!(court.docket.open_case(&name(20)).is_none());
        }
    }
}

#[test]
fn a_refutation_ends_the_wait_for_a_stalled_process() {
    let mut court = Court::new(50, 5);
    court.set(20, Condition::Stalled(at(1_500)));
    court.buddies_report(at(0), 20, Silence::Stalled, ms(5));
    court.run(at(1_500));
    assert!(court.docket.open_case(&name(20)).is_some());
    court.refute(at(1_502), 20);
    court.run(at(1_600));
    assert!(court.docket.open_case(&name(20)).is_none());
}

#[test]
fn a_process_that_stays_stalled_is_convicted_by_second_answers() {
    let mut court = Court::new(50, 5);
    court.set(20, Condition::Stalled(at(1_000_000)));
    court.buddies_report(at(0), 20, Silence::Stalled, ms(5));
    court.run(at(30_000));
    let convicted = court.convicted();
    assert_eq!(convicted.len(), 1);
    // The ping that it did not answer went out a quarter of a second before the first report, at
    // least.
    assert!(convicted[0].0 >= at(5_750), "{:?}", convicted[0].0);
    assert!(convicted[0].0 <= at(6_350), "{:?}", convicted[0].0);
    let mut asked = court.asked.iter().filter(|(when, _, _)| *when >= at(5_750));
    assert!(asked.by_ref().count() >= 7, "all were asked again");
}

#[test]
fn patience_with_a_stalled_process_outlives_a_moment_without_a_lease() {
    let mut court = Court::new(50, 5);
    court.set(20, Condition::Stalled(at(1_000_000)));
    court.buddies_report(at(0), 20, Silence::Stalled, ms(5));
    court.run(at(5_000));
    court.hear_again(at(5_000));
    court.run(at(6_350));
    assert_eq!(court.gone(), [20]);
}

#[test]
fn what_was_decided_or_held_is_heard_again_after_a_moment_without_a_lease() {
    let mut court = Court::new(50, 5);
    court.commits = false;
    court.set(20, Condition::Killed);
    court.buddies_report(at(0), 20, Silence::Refused, ms(1));
    court.run(at(500));
    assert_eq!(court.gone(), [20]);
    // It was there again before that could be committed.
    court.set(20, Condition::Well);
    court.hear_again(at(600));
    court.run(at(3_000));
    assert_eq!(court.gone(), [20], "nothing more was decided");
    assert!(court.docket.open_case(&name(20)).is_none());
}

#[test]
fn who_was_given_up_before_a_moment_without_a_lease_is_not_waited_for_after_it() {
    let mut court = Court::new(50, 5);
    court.commits = false;
    court.set(20, Condition::CutOff);
    // It is gone as well, and nobody knows.
    court.set(21, Condition::Mute);
    court.report(at(0), 19, 20, Silence::CutOff);
    court.run(at(1_400));
    assert_eq!(court.convicted().len(), 1, "after all the time there is");
    court.hear_again(at(1_400));
    court.run(at(1_910));
    assert_eq!(court.convicted().len(), 2, "two rounds are enough");
}

#[test]
fn who_has_time_left_before_a_moment_without_a_lease_has_it_after_it() {
    let mut court = Court::new(50, 5);
    court.set(20, Condition::CutOff);
    court.set(21, Condition::Mute);
    court.report(at(0), 19, 20, Silence::CutOff);
    court.run(at(200));
    court.hear_again(at(200));
    court.run(at(1_250));
    assert_eq!(court.gone(), [], "one has not told");
    court.run(at(1_350));
    assert_eq!(court.gone(), [20]);
}

#[test]
fn words_are_told_in_the_order_in_which_they_came() {
    // Who is degraded is looked at before anybody accuses it.
    let mut court = Court::new(50, 5);
    court.set(21, Condition::Mute);
    court.degraded_in_view(20);
    court.report(at(100), 30, 20, Silence::Stalled);
    court.report(at(200), 30, 20, Silence::Stalled);
    court.run(at(300));
    let case = court.docket.open_case(&name(20)).expect("21 is waited for");
    let times: Vec<u32> = case.testimonies.iter().map(|word| word.after_ms).collect();
    assert!(
        times.is_sorted() && times.contains(&100) && times.contains(&200),
        "{times:?}"
    );
    assert!(times.iter().any(|time| *time < 100), "{times:?}");
}

#[test]
fn pauses_that_follow_each_other_are_none_long_one() {
    // 2 s of every 2.5 s; only the first refutation gets through.
    let mut court = Court::new(50, 5);
    court.set(20, Condition::Stalled(at(2_000)));
    for cycle in 1..20 {
        let begins = cycle * 2_500;
        court.set_at(at(begins), 20, Condition::Stalled(at(begins + 2_000)));
    }
    court.buddies_report(at(0), 20, Silence::Stalled, ms(5));
    court.refute(at(4_490), 20);
    court.run(at(8_000));
    assert!(court.gone().is_empty(), "{:?}", court.gone());
}

#[test]
fn a_stalled_process_that_is_killed_then_is_convicted_at_once() {
    let mut court = Court::new(50, 5);
    court.set(20, Condition::Stalled(at(1_000_000)));
    court.buddies_report(at(0), 20, Silence::Stalled, ms(5));
    court.set_at(at(2_000), 20, Condition::Killed);
    court.buddies_report(at(2_001), 20, Silence::Refused, ms(1));
    court.run(at(10_000));
    let convicted = court.convicted();
    assert_eq!(convicted.len(), 1);
    assert!(convicted[0].0 <= at(2_100), "{:?}", convicted[0].0);
}

#[test]
fn nobody_is_convicted_in_the_hearing_in_which_it_spoke_for_itself() {
    let mut court = Court::new(50, 5);
    court.set(20, Condition::CutOff);
    court.report(at(0), 19, 20, Silence::CutOff);
    court.refute(at(100), 20);
    court.run(at(1_000));
    assert!(court.gone().is_empty());
    // It is asked again, and found gone.
    court.run(at(3_000));
    assert_eq!(court.gone(), [20]);
}

#[test]
fn a_refutation_takes_back_a_conviction_that_is_held() {
    let mut court = Court::new(50, 5);
    // Another one in flux holds it: its witnesses take their time.
    court.set(40, Condition::CutOff);
    court.report(at(0), 39, 40, Silence::CutOff);
    court.report(at(0), 41, 40, Silence::CutOff);
    court.set(20, Condition::Killed);
    court.report(at(100), 19, 20, Silence::Refused);
    court.set_at(at(150), 20, Condition::Well);
    court.refute(at(200), 20);
    court.run(at(5_000));
    assert_eq!(court.gone(), [40]);
}

#[test]
fn an_accuser_is_refuted_by_the_subject_without_witnesses() {
    let mut court = Court::new(50, 5);
    for witness in 0..50 {
        court.set(witness, Condition::Mute);
    }
    court.report(at(0), 7, 20, Silence::CutOff);
    court.refute(at(10), 20);
    court.run(at(20_000));
    assert!(court.cuts.is_empty());
}

#[test]
fn a_newer_life_and_a_goodbye_end_a_case() {
    let mut court = Court::new(50, 5);
    for witness in 0..50 {
        court.set(witness, Condition::Mute);
    }
    court.report(at(0), 19, 20, Silence::CutOff);
    court.report(at(0), 19, 21, Silence::CutOff);
    court.run(at(10));
    court.docket.on_admitted(&name(20), court.now);
    court.docket.on_gone(&name(21), court.now);
    assert!(court.docket.open_case(&name(20)).is_none());
    assert!(court.docket.open_case(&name(21)).is_none());
    assert_eq!(court.docket.poll_timeout(), None);
}

#[test]
fn what_is_said_of_another_life_does_not_count() {
    let mut court = Court::new(10, 3);
    court.set(4, Condition::Mute);
    court.report(at(0), 3, 4, Silence::Refused);
    court.run(at(0));
    let before = court
        .docket
        .open_case(&name(4))
        .map(|file| file.testimonies);
    let other = Instance(9);
    let refused = Finding::Unreached(Silence::Refused);
    (court.docket).on_testimony(&name(4), other, &name(5), refused, 0, court.now);
    let after = court
        .docket
        .open_case(&name(4))
        .map(|file| file.testimonies);
    assert_eq!(before, after);
    // Nor of a life that was removed.
    court.docket.on_removed(&name(4), LIFE, court.now);
    court.report(at(10), 3, 4, Silence::Refused);
    court.run(at(20));
    assert!(court.docket.open_case(&name(4)).is_none());
}

#[test]
fn a_witness_that_is_gone_is_not_waited_for() {
    let mut court = Court::new(50, 5);
    court.set(20, Condition::CutOff);
    court.set(21, Condition::Mute);
    court.report(at(0), 19, 20, Silence::CutOff);
    court.run(at(100));
    court.docket.on_gone(&name(21), court.now);
    court.run(at(600));
    assert_eq!(court.gone(), [20]);
}

#[test]
fn a_ruling_that_is_never_committed_is_looked_at_again() {
    let mut court = Court::new(50, 5);
    court.commits = false;
    court.set(20, Condition::Killed);
    court.buddies_report(at(0), 20, Silence::Refused, ms(1));
    court.run(at(9_900));
    assert_eq!(court.gone(), [20]);
    court.run(at(10_200));
    assert_eq!(court.gone(), [20, 20]);
    // It may have come back.
    court.set(20, Condition::Well);
    court.run(at(60_000));
    assert_eq!(court.gone(), [20, 20]);
}

#[test]
fn among_two_members_the_own_finding_decides() {
    let mut court = Court::new(2, 1);
    court.set(1, Condition::Killed);
    court.report(at(0), 0, 1, Silence::Refused);
    court.run(at(2_000));
    assert_eq!(court.gone(), [1]);
    // A stalled one has its time here too.
    let mut court = Court::new(2, 1);
    court.set(1, Condition::Stalled(at(4_000)));
    court.report(at(0), 0, 1, Silence::Stalled);
    court.run(at(20_000));
    assert!(court.cuts.is_empty());
}
