//! Who votes: how many, and which members (DESIGN 4.3). Pure.

use super::cut::{View, Voter};

/// A member that may vote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) voter: Voter,
    /// Its tag `zone`.
    pub(crate) zone: Option<String>,
    /// The view in which it became a member.
    pub(crate) since: View,
    /// Whether it votes now.
    pub(crate) votes: bool,
    /// Whether it answers, and has for a while: only then it is taken anew.
    pub(crate) steady: bool,
    /// Whether it is the coordinator that chooses.
    pub(crate) chooses: bool,
}

/// How many vote among so many members, if the settings leave it open.
pub(crate) fn suitable(members: usize) -> usize {
    match members {
        0..=2 => 1,
        3..=9 => 3,
        _ => 5,
    }
}

/// Chooses up to `target` voters, an odd number: those that vote now stay, others come from zones
/// that are not yet there, the longest members first. Where a swap makes the zones more even, it
/// is made. They stand in order of their names, the one that chooses last: at equal ballots the
/// highest number leads.
pub(crate) fn choose(target: usize, mut candidates: Vec<Candidate>) -> Vec<Voter> {
    candidates.sort_by(|one, other| order(one).cmp(&order(other)));
    let (mut chosen, mut rest): (Vec<Candidate>, Vec<Candidate>) = candidates
        .into_iter()
        .partition(|candidate| candidate.votes);
    if chosen.len() > target {
        chosen.truncate(target);
    }
    rest.retain(|candidate| candidate.steady);
    while chosen.len() < target {
        let among = |zone: &Option<String>| in_zone(&chosen, zone);
        let Some(next) = rest
            .iter()
            .enumerate()
            .min_by_key(|(at, candidate)| (among(&candidate.zone), *at))
            .map(|(at, _)| at)
        else {
            break;
        };
        chosen.push(rest.remove(next));
    }
    even_out(&mut chosen, &mut rest);
    if chosen.len().is_multiple_of(2) {
        let last = chosen.iter().rposition(|candidate| !candidate.chooses);
        if let Some(last) = last {
            chosen.remove(last);
        }
    }
    chosen.sort_by(|one, other| {
        let key = |candidate: &Candidate| (candidate.chooses, candidate.voter.clone());
        key(one).cmp(&key(other))
    });
    chosen.into_iter().map(|chosen| chosen.voter).collect()
}

/// Swaps a voter of a crowded zone for a member of one that has at least two voters fewer.
fn even_out(chosen: &mut [Candidate], rest: &mut Vec<Candidate>) {
    for _ in 0..chosen.len() {
        let swap = rest.iter().enumerate().find_map(|(new, candidate)| {
            let there = in_zone(chosen, &candidate.zone);
            let old = chosen
                .iter()
                .rposition(|voter| !voter.chooses && in_zone(chosen, &voter.zone) >= there + 2)?;
            Some((old, new))
        });
        let Some((old, new)) = swap else {
            return;
        };
        chosen[old] = rest.remove(new);
    }
}

fn in_zone(chosen: &[Candidate], zone: &Option<String>) -> usize {
    chosen.iter().filter(|voter| voter.zone == *zone).count()
}

/// The one that chooses first, then those that answer, the longest members first.
fn order(candidate: &Candidate) -> (bool, bool, View, &Voter) {
    (
        !candidate.chooses,
        !candidate.steady,
        candidate.since,
        &candidate.voter,
    )
}
