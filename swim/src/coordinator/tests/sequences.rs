use proptest::prelude::*;

use super::*;
use crate::coordinator::Signature;
use crate::coordinator::{CatchUp, History};
use crate::limits;
use crate::time::Time;

/// Few names and lives, so that changes meet each other.
fn any_change() -> impl Strategy<Value = Change> {
    let of = prop::sample::select(vec!["a", "b", "c", "d", "e", "f"]);
    (of, 0u64..4, 0u8..5).prop_map(|(of, instance, kind)| match kind {
        0 => up(of, instance),
        1 => dead(of, instance),
        2 => left(of, instance),
        3 => degraded(of, instance),
        _ => restored(of, instance),
    })
}

fn any_cut() -> impl Strategy<Value = Cut> {
    let office = prop::option::weighted(0.2, (0u64..5).prop_map(|epoch| office(epoch, "a")));
    let names = prop::sample::subsequence(vec!["a", "b", "c", "d"], 1..4);
    let voters = (0u32..5, names).prop_map(|(configuration, of)| voters(configuration, &of));
    let voters = prop::option::weighted(0.2, voters);
    let changes = prop::collection::vec(any_change(), 0..6);
    (office, voters, changes).prop_map(|(office, voters, changes)| Cut {
        office,
        voters,
        changes,
    })
}

/// Whether a turn tells what the roster then holds.
fn assert_told(roster: &Roster, turn: &Turn) {
    match turn {
        Turn::Up(of, _) | Turn::Degraded(of, _) | Turn::Restored(of, _) => {
            // Later changes of the same cut may already have taken it back.
            assert!(
                roster.standing(of.as_str()).is_some() || roster.removal(of.as_str()).is_some()
            );
        }
        Turn::Replaced(of, life) | Turn::Gone(of, life, _) => {
            assert!(roster.is_condemned(of.as_str(), *life), "{turn:?}");
        }
    }
}

proptest! {
    /// Who applies the cuts one by one, who adopts the roster half-way and goes on, and who adopts
    /// the last one all hold the same, whatever the cuts say.
    #[test]
    fn any_cuts_lead_all_members_to_the_same_roster(
        cuts in prop::collection::vec(any_cut(), 1..40),
        half_way in any::<prop::sample::Index>(),
    ) {
        let half_way = half_way.index(cuts.len());
        let mut roster = genesis();
        let mut latecomer = None;
        for (at, cut) in cuts.iter().enumerate() {
            if at == half_way {
                latecomer = adopted(&roster);
            }
            let before = roster.clone();
            let turns = roster.apply(cut);
            roster.check_invariants();
            prop_assert_eq!(roster.head.view, before.head.view.next());
            turns.iter().for_each(|turn| assert_told(&roster, turn));
            if turns.is_empty() {
                prop_assert_eq!(roster.standings(), before.standings(), "what changes is told");
            }
            if let Some(latecomer) = &mut latecomer {
                latecomer.apply(cut);
            }
            // What was final stays final while it is remembered.
            for gone in before.removed() {
                prop_assert!(roster.is_condemned(gone.name.as_str(), gone.instance));
            }
        }
        prop_assert_eq!(latecomer.as_ref(), Some(&roster));
        prop_assert_eq!(adopted(&roster), Some(roster));
    }

    /// From wherever one is behind, what it is told leads it to the same roster.
    #[test]
    fn catching_up_from_anywhere_leads_to_the_same_roster(
        cuts in prop::collection::vec(any_cut(), 1..40),
        from in any::<prop::sample::Index>(),
    ) {
        let from = from.index(cuts.len() + 1);
        let mut history = History::new(genesis());
        let mut behind = genesis();
        for (at, cut) in cuts.iter().enumerate() {
            let signed = (Arc::new(cut.clone()), Signature::made_up());
            history.apply(signed, &cut.encoded(), Time::ZERO);
            history.check_invariants();
            if at < from {
                behind.apply(cut);
            }
        }
        match history.catch_up(Some(LINEAGE), behind.head.view) {
            CatchUp::Nothing => prop_assert_eq!(from, cuts.len()),
            CatchUp::Cuts(missing) => {
                prop_assert_eq!(missing.len(), cuts.len() - from);
                missing.iter().for_each(|(cut, _)| drop(behind.apply(cut)));
            }
            CatchUp::Roster => panic!("so few cuts are kept, of {}", limits::CUTS),
        }
        prop_assert_eq!(&behind, history.roster());
    }
}
