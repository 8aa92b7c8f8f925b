use super::*;
use crate::coordinator::Standing;
use crate::limits;

/// A roster in words: members with their life, `!` when degraded, then who was removed and how.
fn words(roster: &Roster) -> String {
    let standing = |held: &Standing| {
        let mark = if held.degraded { "!" } else { "" };
        format!("{}{}{mark}", held.name, held.instance)
    };
    let removal = |gone: &Removal| format!("-{}{}{}", gone.name, gone.instance, gone.verdict);
    let here = roster.standings().iter().map(standing);
    let all: Vec<String> = here.chain(roster.removed().map(removal)).collect();
    all.join(" ")
}

/// What one change does to a roster of `a10`, the degraded `b10`, and `c10` that is dead.
fn after(change: Change) -> (String, Vec<Turn>) {
    let mut roster = roster_of(&["a", "b", "c"]);
    roster.apply(&cut(vec![degraded("b", 10), dead("c", 10)]));
    let turns = roster.apply(&cut(vec![change]));
    roster.check_invariants();
    assert_eq!(
        roster.head.view,
        View(3),
        "a cut is a view, whatever it says"
    );
    (words(&roster), turns)
}

#[test]
fn every_change_does_what_it_says_and_nothing_where_it_does_not_fit() {
    const SAME: &str = "a10 b10! -c10dead";
    let of = |of: &str, instance| (name(of), Instance(instance));
    let turned = |turn: fn(Name, Instance) -> Turn, at: (Name, Instance)| vec![turn(at.0, at.1)];
    let gone = |at: (Name, Instance), verdict| vec![Turn::Gone(at.0, at.1, verdict)];
    let cases = [
        (
            up("d", 1),
            "a10 b10! d1 -c10dead",
            turned(Turn::Up, of("d", 1)),
        ),
        (up("a", 10), SAME, vec![]),
        (up("a", 9), SAME, vec![]),
        (
            up("b", 11),
            "a10 b11 -c10dead",
            vec![
                Turn::Replaced(name("b"), Instance(10)),
                Turn::Up(name("b"), Instance(11)),
            ],
        ),
        (up("c", 10), SAME, vec![]),
        (up("c", 9), SAME, vec![]),
        (
            up("c", 11),
            "a10 b10! c11 -c10dead",
            turned(Turn::Up, of("c", 11)),
        ),
        (
            dead("a", 10),
            "b10! -a10dead -c10dead",
            gone(of("a", 10), Verdict::Dead),
        ),
        (dead("a", 9), SAME, vec![]),
        (dead("a", 11), SAME, vec![]),
        (dead("c", 10), SAME, vec![]),
        (dead("x", 10), SAME, vec![]),
        (
            left("b", 10),
            "a10 -b10left -c10dead",
            gone(of("b", 10), Verdict::Left),
        ),
        (left("b", 11), SAME, vec![]),
        (left("c", 10), SAME, vec![]),
        (
            degraded("a", 10),
            "a10! b10! -c10dead",
            turned(Turn::Degraded, of("a", 10)),
        ),
        (degraded("a", 11), SAME, vec![]),
        (degraded("b", 10), SAME, vec![]),
        (degraded("c", 10), SAME, vec![]),
        (
            restored("b", 10),
            "a10 b10 -c10dead",
            turned(Turn::Restored, of("b", 10)),
        ),
        (restored("b", 9), SAME, vec![]),
        (restored("a", 10), SAME, vec![]),
        (restored("x", 10), SAME, vec![]),
    ];
    for (change, expected, turns) in cases {
        let about = format!("{change:?}");
        assert_eq!(after(change), (expected.to_owned(), turns), "{about}");
    }
}

#[test]
fn an_empty_cut_is_a_view_all_the_same() {
    let mut roster = roster_of(&["a"]);
    let before = roster.clone();
    assert_eq!(roster.apply(&Cut::default()), []);
    assert_eq!(roster.head.view, View(2));
    assert_ne!(roster.head.chain, before.head.chain);
    assert_eq!(roster.standings(), before.standings());
}

#[test]
fn a_new_office_and_new_voters_count_from_their_view() {
    let mut roster = roster_of(&["a", "b", "c"]);
    assert_eq!(roster.epoch(), Epoch(0));
    roster.apply(&Cut {
        office: Some(office(1, "b")),
        voters: Some(voters(2, &["a", "b", "c"])),
        changes: vec![],
    });
    assert_eq!((roster.epoch(), roster.head.base), (Epoch(1), View(2)));
    assert_eq!(roster.head.voters.configuration, 2);
    assert!(["a", "b", "c"].iter().all(|of| roster.is_voter(of)) && !roster.is_voter("d"));
    roster.apply(&cut(vec![dead("c", 10)]));
    assert_eq!(roster.head.base, View(2), "only new voters begin anew");
    assert!(roster.is_voter("c"), "voters are replaced, not dropped");
}

/// The last view of every life, newer and older ones included.
#[test]
fn the_verdict_on_a_life_is_that_of_its_last_view() {
    let mut roster = roster_of(&["a", "b", "c", "d"]);
    roster.apply(&cut(vec![up("b", 20), dead("c", 10), left("d", 10)]));
    let (up, dead, left) = (Verdict::Up, Verdict::Dead, Verdict::Left);
    let cases = [
        ("a", 9, Some((dead, 1))),
        ("a", 10, Some((up, 1))),
        ("a", 11, None),
        ("b", 10, Some((dead, 2))),
        ("b", 19, Some((dead, 2))),
        ("b", 20, Some((up, 2))),
        ("b", 21, None),
        ("c", 9, Some((dead, 2))),
        ("c", 10, Some((dead, 2))),
        ("c", 11, None),
        ("d", 10, Some((left, 2))),
        ("d", 11, None),
        ("x", 10, None),
    ];
    for (of, instance, expected) in cases {
        let life = Instance(instance);
        let expected = expected.map(|(verdict, view)| (verdict, View(view)));
        assert_eq!(roster.verdict(of, life), expected, "{of} {instance}");
        let condemned = matches!(expected, Some((Verdict::Dead | Verdict::Left, _)));
        assert_eq!(roster.is_condemned(of, life), condemned, "{of} {instance}");
    }
}

#[test]
fn only_so_many_removals_are_remembered_the_first_are_forgotten_first() {
    let mut roster = genesis();
    let most = limits::REMOVALS;
    let of = |at: usize| format!("n{at:05}");
    for at in 0..most + 3 {
        roster.apply(&cut(vec![up(&of(at), 10)]));
        roster.apply(&cut(vec![dead(&of(at), 10)]));
    }
    roster.check_invariants();
    assert_eq!(roster.removed().count(), most);
    let kept = |at: usize| roster.removal(&of(at)).is_some();
    assert_eq!((kept(2), kept(3), kept(most + 2)), (false, true, true));
}

#[test]
fn the_chain_is_equal_for_equal_histories_only() {
    let base = || vec![up("a", 10), up("b", 10)];
    let chain = |cuts: &[Cut]| {
        let mut roster = genesis();
        for cut in cuts {
            roster.apply(cut);
        }
        roster.head.chain
    };
    let first = cut(base());
    let history = [first.clone(), cut(vec![dead("b", 10)])];
    assert_eq!(chain(&history), chain(&history.clone()));
    let mut said_otherwise = dead("b", 10);
    if let Change::Dead { evidence: file, .. } = &mut said_otherwise {
        *file = evidence(1);
    }
    let others = [
        vec![],
        vec![first.clone()],
        // The same in the end, and not before.
        vec![cut(vec![up("b", 10)]), history[1].clone()],
        vec![history[1].clone(), first.clone()],
        vec![first.clone(), cut(vec![dead("a", 10)])],
        vec![first.clone(), cut(vec![left("b", 10)])],
        vec![first.clone(), cut(vec![said_otherwise])],
        vec![first.clone(), history[1].clone(), Cut::default()],
        // Without any effect, and still another history.
        vec![first.clone(), cut(vec![dead("b", 10), dead("x", 10)])],
    ];
    for other in others {
        assert_ne!(chain(&other), chain(&history), "{other:?}");
    }
    let elsewhere = Lineage {
        generation: 1,
        ..LINEAGE
    };
    let elsewhere = Roster::genesis(elsewhere, voter("a", 1)).head.chain;
    assert_ne!(elsewhere, genesis().head.chain);
}

/// A roster of another member, or from a disk, that contradicts itself is refused.
#[test]
fn a_roster_that_contradicts_itself_is_refused() {
    type Parts = (RosterHead, Vec<Standing>, Vec<Removal>);
    let mut roster = roster_of(&["a", "b", "c"]);
    roster.apply(&Cut {
        office: Some(office(1, "a")),
        voters: None,
        changes: vec![dead("c", 10)],
    });
    let parts = || -> Parts {
        let removed = roster.removed().cloned().collect();
        (roster.head.clone(), roster.standings().to_vec(), removed)
    };
    let taken = |(head, standings, removed): Parts| Roster::from_parts(head, standings, removed);
    assert_eq!(taken(parts()).as_ref(), Some(&roster));
    type Spoil = fn(&mut Parts);
    let spoils: [(&str, Spoil); 16] = [
        ("members out of order", |parts| parts.1.swap(0, 1)),
        ("a member twice", |parts| parts.1[1].name = name("a")),
        ("a member of the future", |parts| parts.1[1].since = View(3)),
        ("a member that was removed", |parts| {
            parts.2[0].name = name("b")
        }),
        ("one removed twice", |parts| {
            parts.2.push(parts.2[0].clone())
        }),
        ("removed and up", |parts| parts.2[0].verdict = Verdict::Up),
        ("removed in the future", |parts| parts.2[0].view = View(3)),
        ("voters of the future", |parts| parts.0.base = View(3)),
        ("no voter", |parts| parts.0.voters.voters.clear()),
        ("too many voters", |parts| {
            parts.0.voters.voters = vec![voter("a", 1); limits::VOTERS + 1];
        }),
        ("a view out of reach", |parts| parts.0.view = View(u64::MAX)),
        ("a view just out of reach", |parts| {
            parts.0.view = View(limits::VIEWS + 1);
        }),
        ("an epoch out of reach", |parts| {
            parts.0.office = Some(office(u64::MAX, "a"));
        }),
        ("a configuration out of reach", |parts| {
            parts.0.voters.configuration = u32::MAX;
        }),
        ("a generation out of reach", |parts| {
            parts.0.lineage.generation = u32::MAX;
        }),
        ("more removed than are remembered", |parts| {
            let gone = parts.2[0].clone();
            let of = |at: usize| Removal {
                name: name(&format!("x{at}")),
                ..gone.clone()
            };
            parts.2 = (0..=limits::REMOVALS).map(of).collect();
        }),
    ];
    for (what, spoil) in spoils {
        let mut parts = parts();
        spoil(&mut parts);
        assert_eq!(taken(parts), None, "{what}");
    }
    let mut far = parts();
    far.0.view = View(limits::VIEWS);
    assert!(taken(far).is_some(), "the last view that there can be");
}

#[test]
fn a_cut_whose_numbers_jump_cannot_follow() {
    let mut roster = roster_of(&["a"]);
    let with = |epoch: Option<u64>, configuration: Option<u32>| Cut {
        office: epoch.map(|epoch| office(epoch, "a")),
        voters: configuration.map(|number| voters(number, &["a"])),
        changes: vec![],
    };
    roster.apply(&with(Some(1), Some(2)));
    let cases = [
        (None, None, true),
        (Some(2), None, true),
        (Some(3), None, false),
        (Some(u64::MAX), None, false),
        (None, Some(3), true),
        (None, Some(2), false),
        (None, Some(4), false),
        (None, Some(u32::MAX), false),
        (Some(2), Some(3), true),
        (Some(2), Some(5), false),
        (Some(5), Some(3), false),
    ];
    for (epoch, configuration, follows) in cases {
        let cut = with(epoch, configuration);
        assert_eq!(
            roster.can_follow(&cut),
            follows,
            "{epoch:?} {configuration:?}"
        );
    }
    // At the end of the counter there is no next one.
    roster.head.voters.configuration = u32::MAX;
    assert!(!roster.can_follow(&with(None, Some(0))));
    assert!(!roster.can_follow(&with(None, Some(u32::MAX))));
}
