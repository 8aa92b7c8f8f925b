use super::*;
use crate::coordinator::{CatchUp, History, Signature};
use crate::limits;
use crate::time::Time;

fn history() -> History {
    History::new(genesis())
}

fn apply(history: &mut History, cut: Cut) {
    let bytes = cut.encoded();
    history.apply((Arc::new(cut), Signature::made_up()), &bytes, Time::ZERO);
    history.check_invariants();
}

/// A cut that can be told from others.
fn numbered(at: u64) -> Cut {
    cut(vec![up(&format!("n{at}"), at + 1)])
}

/// What is told to one that is at `view`: how many cuts and the life that the first one names.
fn told(history: &History, view: u64) -> String {
    match history.catch_up(Some(LINEAGE), View(view)) {
        CatchUp::Nothing => "nothing".to_owned(),
        CatchUp::Roster => "roster".to_owned(),
        CatchUp::Cuts(cuts) => {
            let first = cuts.first().expect("who is behind lacks something");
            let (_, instance) = first.0.changes[0].subject();
            format!("{} from {instance}", cuts.len())
        }
    }
}

#[test]
fn who_is_behind_is_told_just_what_is_missing() {
    let mut history = history();
    assert_eq!(told(&history, 0), "nothing");
    let most = limits::CUTS as u64;
    for at in 0..most + 10 {
        apply(&mut history, numbered(at));
    }
    let view = history.view().0;
    assert_eq!(view, most + 10);
    for behind in 1..=most {
        let first = view - behind + 1;
        assert_eq!(
            told(&history, view - behind),
            format!("{behind} from {first}"),
            "{behind} views behind"
        );
    }
    for too_far in [most + 1, most + 10] {
        assert_eq!(told(&history, view - too_far), "roster");
    }
    // Ahead of us: nothing that we could tell.
    for ahead in [view, view + 1, u64::MAX] {
        assert_eq!(told(&history, ahead), "nothing");
    }
}

#[test]
fn one_of_another_lineage_is_told_all() {
    let mut history = history();
    apply(&mut history, numbered(0));
    let newer = Lineage {
        generation: 1,
        ..LINEAGE
    };
    let other = Lineage {
        family: 78,
        ..LINEAGE
    };
    for lineage in [None, Some(newer), Some(other)] {
        for view in [0, 1, 2, u64::MAX] {
            let told = history.catch_up(lineage, View(view));
            assert!(matches!(told, CatchUp::Roster), "{lineage:?} at {view}");
        }
    }
}

/// The cuts that are told lead from one roster to the other.
#[test]
fn what_is_told_leads_to_the_same_roster() {
    let mut history = history();
    let mut behind = genesis();
    for at in 0..5 {
        apply(&mut history, numbered(at));
    }
    for at in 0..2 {
        behind.apply(&numbered(at));
    }
    let CatchUp::Cuts(cuts) = history.catch_up(Some(LINEAGE), behind.head.view) else {
        panic!("three cuts are missing");
    };
    for (cut, _) in cuts {
        behind.apply(&cut);
    }
    assert_eq!(behind, *history.roster());
}

#[test]
fn large_cuts_are_kept_within_so_many_bytes() {
    let mut history = history();
    let large = |at: u64| {
        let name = |n: usize| format!("{at:0>60}-{n:0>60}");
        cut((0..300).map(|n| up(&name(n), at + 1)).collect())
    };
    let bytes = postcard::to_stdvec(&large(0)).expect("it serializes").len();
    let fit = limits::CUTS_BYTES / bytes;
    assert!(fit < limits::CUTS / 2, "the cuts are large");
    for at in 0..2 * fit as u64 {
        apply(&mut history, large(at));
    }
    let view = history.view().0;
    let first = view - fit as u64 + 1;
    assert_eq!(told(&history, first - 1), format!("{fit} from {first}"));
    assert_eq!(told(&history, first - 2), "roster");
}

#[test]
fn a_cut_larger_than_all_that_is_kept_is_not_kept() {
    let mut history = history();
    apply(&mut history, numbered(0));
    let name = |n: usize| format!("{n:0>128}");
    let huge = cut((0..2200).map(|n| up(&name(n), 1)).collect());
    apply(&mut history, huge);
    assert_eq!(told(&history, 1), "roster");
    apply(&mut history, numbered(2));
    assert_eq!(told(&history, 2), "1 from 3");
    assert_eq!(told(&history, 1), "roster");
}

#[test]
fn a_roster_in_place_of_ours_has_no_cuts_before_it() {
    let mut history = history();
    for at in 0..3 {
        apply(&mut history, numbered(at));
    }
    let mut ahead = history.roster().clone();
    ahead.apply(&numbered(3));
    history.replace(ahead);
    history.check_invariants();
    assert_eq!(told(&history, 3), "roster");
    apply(&mut history, numbered(4));
    assert_eq!(told(&history, 4), "1 from 5");
}

/// The files of a member, newest first: view, life, whether it was removed, and the evidence.
fn files(history: &History, of: &str) -> Vec<(u64, u64, bool, u32)> {
    let files = history.files(of);
    files
        .map(|file| {
            let took = file.evidence.took_ms;
            (file.view.0, file.instance.0, file.removed, took)
        })
        .collect()
}

fn convicted(of: &str, took_ms: u32) -> Change {
    Change::Dead {
        name: name(of),
        instance: Instance(10),
        removals: 1,
        evidence: evidence(took_ms),
    }
}

#[test]
fn every_case_leaves_a_file_that_outlives_its_member() {
    let mut history = history();
    apply(&mut history, cut(vec![up("a", 10), up("b", 10)]));
    apply(&mut history, cut(vec![degraded("b", 10), left("a", 10)]));
    let at = Time::from_nanos(5);
    let cut = cut(vec![convicted("b", 7)]);
    let signed = (Arc::new(cut.clone()), Signature::made_up());
    history.apply(signed, &cut.encoded(), at);
    assert_eq!(files(&history, "a"), [], "a goodbye is no case");
    let both = [(3, 10, true, 7), (2, 10, false, 0)];
    assert_eq!(files(&history, "b"), both);
    assert_eq!(history.files("b").next().map(|file| file.at), Some(at));
    history.replace(genesis());
    assert_eq!(files(&history, "b"), both, "a roster brings no files");
}

#[test]
fn only_so_many_files_are_kept_the_last_ones() {
    let mut history = history();
    let most = limits::FILES as u32;
    for at in 0..=most {
        apply(&mut history, cut(vec![convicted("b", at)]));
    }
    let kept = files(&history, "b");
    assert_eq!(kept.len(), limits::FILES);
    assert_eq!(kept.first().map(|file| file.3), Some(most));
    assert_eq!(kept.last().map(|file| file.3), Some(1));
}
