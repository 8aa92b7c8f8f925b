use std::collections::BTreeSet;

use super::*;
use crate::coordinator::{Candidate, choose_voters, suitable_voters};

/// Candidates in words, one each: a name, its zone in brackets if it has one, the view since which
/// it is a member, then `v` when it votes, `*` when it chooses, `~` when it is not steady.
fn candidates(text: &str) -> Vec<Candidate> {
    text.split_whitespace().map(candidate).collect()
}

fn candidate(word: &str) -> Candidate {
    let since: String = word.chars().filter(char::is_ascii_digit).collect();
    let of = &word[..1];
    let zone = word
        .split_once('[')
        .and_then(|(_, rest)| rest.split_once(']'));
    Candidate {
        voter: voter(of, 1),
        zone: zone.map(|(zone, _)| zone.to_owned()),
        since: View(since.parse().expect("every candidate has a view")),
        votes: word.ends_with('v') || word.contains("v*") || word.contains("v~"),
        steady: !word.contains('~'),
        chooses: word.contains('*'),
    }
}

/// The one that chooses, which must stand last, then the others.
fn chosen(target: usize, text: &str) -> String {
    let mut voters = choose_voters(target, candidates(text));
    let all = candidates(text);
    let chooser = all.iter().find(|candidate| candidate.chooses);
    let place = chooser.and_then(|it| voters.iter().position(|voter| *voter == it.voter));
    if let Some(place) = place {
        assert_eq!(
            place + 1,
            voters.len(),
            "the highest number leads: {voters:?}"
        );
        voters.rotate_right(1);
    }
    voters.iter().map(|voter| voter.name.as_str()).collect()
}

#[test]
fn as_many_vote_as_suit_the_size() {
    let sizes = [(0, 1), (1, 1), (2, 1), (3, 3), (9, 3), (10, 5), (65_536, 5)];
    for (members, voters) in sizes {
        assert_eq!(suitable_voters(members), voters, "{members} members");
    }
}

#[test]
fn voters_are_chosen_as_the_table_says() {
    let cases = [
        // How many.
        (3, "", "", "nobody"),
        (1, "a1v*", "a", "alone"),
        (3, "a1v* b2 c3", "abc", "all of three"),
        (3, "a1v* b2", "a", "two decide no better than one"),
        (
            5,
            "a1v* b2 c3 d4",
            "abc",
            "four decide no better than three",
        ),
        (3, "a1v* b4 c3 d2", "acd", "the longest members"),
        (3, "a1v* c2 b2", "abc", "in order of their names"),
        // Those that vote stay, the one that chooses first of all.
        (
            3,
            "a1 b2 c3v d4v e5v*",
            "ecd",
            "longer members change nothing",
        ),
        (
            1,
            "a1v b2v c3v*",
            "c",
            "the coordinator is kept when fewer vote",
        ),
        (
            3,
            "a1v b2v c3v d4v e5v*",
            "eab",
            "and the longest members with it",
        ),
        (
            3,
            "a1v~ b2v c3v d4v e5v*",
            "ebc",
            "those that answer before others",
        ),
        (1, "a1v~ b2v~", "a", "without a coordinator, too"),
        // Only steady ones are taken anew; a voter that does not answer stays.
        (3, "a1v* b2~ c3 d4", "acd", "b has not been steady"),
        (3, "a1v* b2~ c3~ d4~", "a", "none has"),
        (3, "a1v* b2v~ c3v d4", "abc", "b votes and is not gone"),
        (3, "a1v* b2v~ c3~ d4", "abd", "d takes a free place"),
        // Zones.
        (
            3,
            "a[x]1v* b[x]2 c[x]3 d[y]4 e[z]5",
            "ade",
            "one of each zone",
        ),
        (
            3,
            "a[x]1v* b[x]2 c[y]3 d[y]4 e[y]5",
            "abc",
            "as even as can be",
        ),
        (3, "a[x]1v* b[y]2 c[x]3 d5", "abd", "no zone is a zone"),
        (
            5,
            "a[x]1v* b[x]2 c[x]3 d[x]4 e[y]5 f[y]6",
            "abcef",
            "two of the few",
        ),
        // A swap where it makes zones more even, and only there.
        (
            3,
            "a[x]1v* b[x]2v c[x]3v d[y]4",
            "abd",
            "the last of the crowded",
        ),
        (
            3,
            "a[x]1v* b[x]2v c[y]3v d[y]4",
            "abc",
            "two and one are even",
        ),
        (
            3,
            "a[x]1v* b[x]2v c[y]3v d[z]4",
            "acd",
            "now each has its own",
        ),
        (
            3,
            "a[x]1v* b[x]2v c[x]3v d[y]4 e[z]5",
            "ade",
            "until each has its own",
        ),
        (
            3,
            "a[x]1v* b[x]2v c[x]3v d[y]4~",
            "abc",
            "only for a steady one",
        ),
        (
            5,
            "a[x]1v* b[x]2v c[x]3v d[x]4v e[x]5v f[y]6 g[y]7",
            "abcfg",
            "twice",
        ),
        (
            3,
            "a[x]5v* b[x]2v c[x]3v d[y]4",
            "abd",
            "never the coordinator",
        ),
        (1, "a[x]1v* b[y]2", "a", "one is even in any zone"),
        // An even number comes of dead voters without successors.
        (3, "a1v* b2v", "a", "the last but not the coordinator goes"),
        (3, "a1v b2v*", "b", "whatever its name"),
        (5, "a1v b2v c3v* d4v", "cab", "four become three"),
    ];
    for (target, from, expected, why) in cases {
        assert_eq!(chosen(target, from), expected, "{target} of {from}: {why}");
    }
}

/// In whatever order the candidates come, the same are chosen, and the choice is at rest: those
/// that were chosen are chosen again.
#[test]
fn the_choice_does_not_depend_on_the_order_and_stays() {
    let text = "a[x]1v* b[x]2v c[x]3v d[y]4 e[y]5 f[z]6 g7 h[x]8~ i[y]9";
    for target in [1, 3, 5, 7] {
        let first = chosen(target, text);
        let mut words: Vec<&str> = text.split_whitespace().collect();
        for turn in 0..words.len() {
            words.rotate_left(1);
            assert_eq!(chosen(target, &words.join(" ")), first, "turned {turn}");
        }
        let again = candidates(text).into_iter().map(|candidate| Candidate {
            votes: first.contains(candidate.voter.name.as_str()),
            ..candidate
        });
        let again = choose_voters(target, again.collect());
        let again: BTreeSet<&str> = again.iter().map(|voter| voter.name.as_str()).collect();
        let first: BTreeSet<&str> = first.split("").filter(|name| !name.is_empty()).collect();
        assert_eq!(again, first, "of {target}");
    }
}
