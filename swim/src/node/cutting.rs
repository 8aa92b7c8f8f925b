//! What a coordinator puts into the next cut, and who is to vote.

use std::time::Duration;

use super::office::InOffice;
use super::{Lifecycle, Node};
use crate::coordinator::{
    Candidate, Change, Cut, Reason, Ruling, View, Voter, VoterId, Voters, choose_voters,
    removals_after, suitable_voters,
};
use crate::limits;
use crate::members::{Instance, Name, Status};
use crate::time::Time;
use crate::wire::LineageTag;

/// How long a member must have been one before it is made a voter.
pub(super) const STEADY: Duration = Duration::from_millis(500);

/// How long voters that are too many stay, so that a small change of size changes nothing.
const SURPLUS: Duration = Duration::from_secs(60);

/// All but time that a choice of voters follows from: what is held of the members, and the view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Choice {
    table: u64,
    lineage: LineageTag,
    view: View,
    leaving: bool,
}

/// With whom no other voters were found to be due. Who decides asks at each letter, and must not
/// look at all members each time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Content {
    with: Option<Choice>,
    until: Option<Time>,
}

impl Content {
    fn holds(&self, with: Choice, now: Time) -> bool {
        self.with == Some(with) && self.until.is_none_or(|until| now < until)
    }
}

impl InOffice {
    /// When time alone may make another choice of voters.
    fn reconsider_at(&self, now: Time) -> Option<Time> {
        let steady = self.admitted.values().map(|at| *at + STEADY);
        let surplus = self.surplus_since.map(|since| since + SURPLUS);
        steady.chain(surplus).filter(|at| *at > now).min()
    }
}

/// What one cut can still hold.
struct Room {
    changes: usize,
    bytes: usize,
}

impl Room {
    fn new() -> Room {
        Room {
            changes: limits::CUT_CHANGES,
            bytes: limits::CUT_BYTES,
        }
    }

    fn takes(&mut self, change: &Change) -> bool {
        let bytes = weight(change);
        let fits = self.changes > 0 && self.bytes >= bytes;
        if fits {
            self.changes -= 1;
            self.bytes -= bytes;
        }
        fits
    }
}

/// An upper bound of a change's encoding.
pub(super) fn weight(change: &Change) -> usize {
    let evidence = match change {
        Change::Dead { evidence, .. } | Change::Degraded { evidence, .. } => {
            let operator = match &evidence.reason {
                Reason::Operator { at } => at.as_str().len() + 2,
                Reason::Unreached | Reason::Disputed | Reason::DegradedTooLong => 0,
            };
            let names = evidence.testimonies.iter();
            16 + operator + names.map(|said| said.by.as_str().len() + 12).sum::<usize>()
        }
        Change::Up { .. } | Change::Left { .. } | Change::Restored { .. } => 0,
    };
    change.subject().0.as_str().len() + 16 + evidence
}

impl Node {
    /// What is to be decided next, if anything.
    pub(super) fn next_cut(&mut self, now: Time) -> Option<Cut> {
        let changes = self.next_changes(now);
        if !changes.is_empty() {
            return Some(Cut {
                changes,
                ..Cut::default()
            });
        }
        let voters = self.next_voters(now)?;
        Some(Cut {
            voters: Some(voters),
            ..Cut::default()
        })
    }

    fn next_changes(&mut self, now: Time) -> Vec<Change> {
        let mut room = Room::new();
        let mut changes = self.urgent_changes(&mut room);
        self.ruled_changes(&mut changes, &mut room, now);
        self.admissions(&mut changes, &mut room, now);
        changes
    }

    /// Goodbyes, restarts, readmissions, removals on request.
    fn urgent_changes(&mut self, room: &mut Room) -> Vec<Change> {
        let mut changes = Vec::new();
        while let Some(office) = &mut self.agreed.office
            && let Some((name, change)) = office.urgent.pop_first()
        {
            if !self.still_holds(&change) {
                continue;
            }
            if !room.takes(&change) {
                if let Some(office) = &mut self.agreed.office {
                    office.urgent.insert(name, change);
                }
                break;
            }
            changes.push(change);
        }
        changes
    }

    /// What was decided as one stays one, as far as a cut can hold it.
    fn ruled_changes(&mut self, changes: &mut Vec<Change>, room: &mut Room, now: Time) {
        let office = self.agreed.office.as_mut();
        let rulings = office.and_then(|office| office.rulings.pop_front());
        let mut rest = Vec::new();
        for ruling in rulings.unwrap_or_default() {
            let change = self.change_for(&ruling, now);
            let Some(change) = change.filter(|change| self.still_holds(change)) else {
                continue;
            };
            if room.takes(&change) {
                changes.push(change);
            } else {
                rest.push(ruling);
            }
        }
        if !rest.is_empty()
            && let Some(office) = &mut self.agreed.office
        {
            office.rulings.push_front(rest);
        }
    }

    /// Newcomers, once their time to gather is over.
    fn admissions(&mut self, changes: &mut Vec<Change>, room: &mut Room, now: Time) {
        let window = self.agreed.office.as_ref().and_then(|office| office.window);
        if window.is_none_or(|window| window.until > now) {
            return;
        }
        while let Some(office) = &mut self.agreed.office {
            let Some((name, instance)) = office.newcomers.pop_first() else {
                office.window = None;
                break;
            };
            let change = Change::Up {
                name: name.clone(),
                instance,
                removals: 0,
            };
            if !self.still_holds(&change) {
                continue;
            }
            if !room.takes(&change) {
                if let Some(office) = &mut self.agreed.office {
                    office.newcomers.insert(name, instance);
                }
                break;
            }
            changes.push(change);
        }
    }

    fn change_for(&self, ruling: &Ruling, now: Time) -> Option<Change> {
        Some(match ruling {
            // Its goodbye came by hearsay, and the witnesses found that it is gone.
            Ruling::Convict { name, instance, .. } if self.said_to_have_left(name, *instance) => {
                Change::Left {
                    name: name.clone(),
                    instance: *instance,
                }
            }
            Ruling::Convict {
                name,
                instance,
                evidence,
            } => Change::Dead {
                name: name.clone(),
                instance: *instance,
                removals: self.removals_after(name, now),
                evidence: evidence.clone(),
            },
            Ruling::Degrade {
                name,
                instance,
                evidence,
            } => Change::Degraded {
                name: name.clone(),
                instance: *instance,
                evidence: evidence.clone(),
            },
            Ruling::Restore { name, instance } => Change::Restored {
                name: name.clone(),
                instance: *instance,
            },
        })
    }

    fn said_to_have_left(&self, name: &Name, instance: Instance) -> bool {
        let held = self.table.get(name.as_str());
        let held = held.map(|member| &member.statement);
        held.is_some_and(|held| held.status == Status::Left && held.record.instance == instance)
    }

    /// How often a member will have been removed since it was last calm.
    fn removals_after(&self, name: &Name, now: Time) -> u8 {
        let standing = self
            .agreed
            .roster()
            .and_then(|roster| roster.standing(name.as_str()));
        let before = standing.map_or(0, |standing| standing.removals);
        let office = self.agreed.office.as_ref();
        let since = office.map(|office| office.admitted.get(name).copied().unwrap_or(office.since));
        removals_after(
            before,
            since.map_or(Duration::ZERO, |since| now.since(since)),
        )
    }

    /// Whether a change would change anything, and what it is based on is still so.
    fn still_holds(&self, change: &Change) -> bool {
        let Some(roster) = self.agreed.roster() else {
            return false;
        };
        let (name, instance) = change.subject();
        let standing = roster.standing(name.as_str());
        let is_member = standing.is_some_and(|standing| standing.instance == instance);
        match change {
            Change::Up { .. } => {
                let held = self
                    .table
                    .get(name.as_str())
                    .map(|member| &member.statement);
                let present = held.is_some_and(|held| {
                    held.record.instance == instance
                        && matches!(held.status, Status::Alive | Status::Suspect)
                });
                present && !is_member && !roster.is_condemned(name.as_str(), instance)
            }
            Change::Dead { .. } | Change::Left { .. } => is_member,
            Change::Degraded { .. } => {
                standing.is_some_and(|standing| is_member && !standing.degraded)
            }
            Change::Restored { .. } => {
                standing.is_some_and(|standing| is_member && standing.degraded)
            }
        }
    }

    /// How many are to vote.
    fn voters_target(&self) -> usize {
        let members = self
            .agreed
            .roster()
            .map_or(0, |roster| roster.standings().len());
        match self.config.voters {
            0 => suitable_voters(members),
            fixed => fixed,
        }
    }

    /// Whether more voters are to be found than vote now.
    pub(super) fn voters_wanted(&self) -> bool {
        let Some(roster) = self.agreed.roster() else {
            return false;
        };
        let can_vote = |standing: &crate::coordinator::Standing| {
            let held = self.table.get(standing.name.as_str());
            held.is_some_and(|held| held.statement.record.voter != VoterId::NEVER)
        };
        let able = roster.standings().iter().filter(|held| can_vote(held));
        let (now, target) = (roster.head.voters.voters.len(), self.voters_target());
        now < target && now < able.take(target).count()
    }

    /// The next configuration, if another one is due: other voters, or the log is long enough.
    fn next_voters(&mut self, now: Time) -> Option<Voters> {
        let long = self
            .agreed
            .voting
            .as_ref()
            .is_some_and(|voting| voting.is_long());
        let choice = self.choice();
        let office = self.agreed.office.as_ref();
        if !long && office.is_some_and(|office| office.content.holds(choice, now)) {
            return None;
        }
        let target = self.voters_target();
        let roster = self.agreed.roster()?;
        let present = roster.head.voters.clone();
        let next = choose_voters(self.kept_target(target, now), self.voter_candidates(now));
        let mut old: Vec<&Voter> = present.voters.iter().collect();
        let mut new: Vec<&Voter> = next.iter().collect();
        old.sort();
        new.sort();
        let changes = !next.is_empty() && old != new;
        if !changes && !long {
            if let Some(office) = &mut self.agreed.office {
                office.content = Content {
                    with: Some(choice),
                    until: office.reconsider_at(now),
                };
            }
            return None;
        }
        Some(Voters {
            configuration: present.configuration.checked_add(1)?,
            voters: if next.is_empty() {
                present.voters
            } else {
                next
            },
        })
    }

    fn choice(&self) -> Choice {
        Choice {
            table: self.table.revision(),
            lineage: self.agreed.tag(),
            view: self.agreed.view(),
            leaving: self.lifecycle == Lifecycle::Leaving,
        }
    }

    /// As many as are to vote; more for a while when there are more.
    fn kept_target(&mut self, target: usize, now: Time) -> usize {
        let voters = self
            .agreed
            .roster()
            .map_or(0, |roster| roster.head.voters.voters.len());
        let Some(office) = &mut self.agreed.office else {
            return target;
        };
        if voters <= target {
            office.surplus_since = None;
            return target;
        }
        let since = *office.surplus_since.get_or_insert(now);
        if now.since(since) < SURPLUS {
            voters
        } else {
            target
        }
    }

    pub(super) fn voter_candidates(&self, now: Time) -> Vec<Candidate> {
        let Some(roster) = self.agreed.roster() else {
            return Vec::new();
        };
        let leaving = self.lifecycle == Lifecycle::Leaving;
        let voters = &roster.head.voters.voters;
        let office = self.agreed.office.as_ref();
        let candidate = |standing: &crate::coordinator::Standing| {
            let is_me = standing.name == self.me.name;
            let held = &self.table.get(standing.name.as_str())?.statement;
            // Anybody can say of a voter that it is another one. In the life in which it was named
            // it can only end to vote.
            let same_life = held.record.instance == standing.instance;
            let named = same_life && standing.since < roster.head.base;
            let ends = held.record.voter == VoterId::NEVER;
            let known = voters.iter().find(|voter| voter.name == standing.name);
            let known = known.filter(|_| named && !ends);
            let voter = Voter {
                name: standing.name.clone(),
                id: known.map_or(held.record.voter, |voter| voter.id),
            };
            let left = self.left_by_itself(&standing.name);
            if voter.id == VoterId::NEVER || left || is_me && leaving {
                return None;
            }
            let admitted = office.and_then(|office| office.admitted.get(&standing.name));
            let long = admitted.is_none_or(|at| now.since(*at) >= STEADY);
            Some(Candidate {
                votes: voters.contains(&voter),
                zone: held.record.tags.value("zone").map(str::to_owned),
                since: standing.since,
                steady: same_life && held.status == Status::Alive && long,
                chooses: is_me,
                voter,
            })
        };
        roster.standings().iter().filter_map(candidate).collect()
    }
}
