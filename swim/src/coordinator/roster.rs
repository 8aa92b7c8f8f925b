//! The agreed membership after one view, and how a cut changes it. Pure: every member that applies
//! the same cuts holds the same roster.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::cut::{Change, Cut, Epoch, Lineage, Office, Verdict, View, Voter, Voters};
use super::index::Index;
use crate::limits;
use crate::members::{Instance, Name};

/// A member of the view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Its name.
    pub name: Name,
    /// The life that is a member.
    pub instance: Instance,
    /// The view in which it entered.
    pub since: View,
    /// Whether some reach it and some do not.
    pub degraded: bool,
    /// How often the name was removed since it was last calm.
    pub removals: u8,
}

/// A life that is a member no more; the last so many are remembered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Removal {
    pub(crate) name: Name,
    pub(crate) instance: Instance,
    /// In which view.
    pub(crate) view: View,
    /// `Dead` or `Left`.
    pub(crate) verdict: Verdict,
    pub(crate) removals: u8,
}

/// All of a roster but its lists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RosterHead {
    pub(crate) lineage: Lineage,
    pub(crate) view: View,
    /// Who was last in office; `None` before the first.
    pub(crate) office: Option<Office>,
    pub(crate) voters: Voters,
    /// The view with which the present configuration of voters began.
    pub(crate) base: View,
    /// Hash of all cuts so far: equal for equal histories.
    pub(crate) chain: u64,
}

impl RosterHead {
    /// Whether its numbers leave room to count on from, and do not contradict each other.
    fn is_possible(&self) -> bool {
        let epoch = self.office.as_ref().map_or(Epoch(0), |office| office.epoch);
        let highest = self.lineage.generation.max(self.voters.configuration);
        self.base <= self.view
            && self.view.0.max(epoch.0) <= limits::VIEWS
            && highest <= limits::CONFIGURATIONS
            && (1..=limits::VOTERS).contains(&self.voters.voters.len())
    }
}

/// The agreed membership after one view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Roster {
    pub(crate) head: RosterHead,
    /// In order of their names.
    standings: Vec<Standing>,
    removed: BTreeMap<Name, Removal>,
    /// The removed in the order in which they were, to forget the first.
    removed_order: BTreeSet<(View, Name)>,
    /// Gone with the next change.
    index: Index,
}

/// What a cut did to a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It is a member from now on.
    Up(Name, Instance),
    /// A newer life took its place.
    Replaced(Name, Instance),
    /// It is none any more.
    Gone(Name, Instance, Verdict),
    /// It is degraded now.
    Degraded(Name, Instance),
    /// It is degraded no more.
    Restored(Name, Instance),
}

impl Turn {
    /// Whose it is.
    pub(crate) fn name(&self) -> &Name {
        match self {
            Turn::Up(name, _)
            | Turn::Replaced(name, _)
            | Turn::Gone(name, ..)
            | Turn::Degraded(name, _)
            | Turn::Restored(name, _) => name,
        }
    }
}

impl Roster {
    /// Before the first view: nobody is a member, one votes.
    pub(crate) fn genesis(lineage: Lineage, founder: Voter) -> Roster {
        Roster {
            head: RosterHead {
                lineage,
                view: View(0),
                office: None,
                voters: Voters {
                    configuration: 1,
                    voters: vec![founder],
                },
                base: View(0),
                chain: lineage.family ^ u64::from(lineage.generation),
            },
            standings: Vec::new(),
            removed: BTreeMap::new(),
            removed_order: BTreeSet::new(),
            index: Index::default(),
        }
    }

    /// From what another member holds, or a disk. `None` when the lists contradict themselves.
    pub(crate) fn from_parts(
        head: RosterHead,
        standings: Vec<Standing>,
        removed: Vec<Removal>,
    ) -> Option<Roster> {
        let ordered = standings.windows(2).all(|pair| pair[0].name < pair[1].name);
        let few = standings.len() <= limits::MEMBERS && removed.len() <= limits::REMOVALS;
        let past = standings.iter().all(|held| held.since <= head.view);
        if !ordered || !few || !past || !head.is_possible() {
            return None;
        }
        let mut roster = Roster {
            head,
            standings,
            removed: BTreeMap::new(),
            removed_order: BTreeSet::new(),
            index: Index::default(),
        };
        for removal in removed {
            let again = roster.removed.contains_key(&removal.name);
            // A newer life of it may be a member.
            let standing = roster.standing(removal.name.as_str());
            let stays = again || standing.is_some_and(|held| held.instance <= removal.instance);
            if stays || removal.verdict == Verdict::Up || removal.view > roster.head.view {
                return None;
            }
            roster.remember(removal);
        }
        Some(roster)
    }

    /// The members, in order of their names.
    pub(crate) fn standings(&self) -> &[Standing] {
        &self.standings
    }

    /// The last lives that were removed, in order of their names; a newer one of a name may be a
    /// member.
    pub(crate) fn removed(&self) -> impl Iterator<Item = &Removal> {
        self.removed.values()
    }

    pub(crate) fn epoch(&self) -> Epoch {
        self.head
            .office
            .as_ref()
            .map_or(Epoch::default(), |office| office.epoch)
    }

    /// A member by name.
    pub(crate) fn standing(&self, name: &str) -> Option<&Standing> {
        let at = self.index.place(name, &self.standings)?;
        Some(&self.standings[at])
    }

    /// Makes look-ups faster, until the next change: for one that many look into.
    #[cfg(feature = "sim")]
    pub(crate) fn make_index(&mut self) {
        self.index = Index::of(&self.standings);
    }

    /// The last life of this name that was removed, unless a newer one is a member.
    pub(crate) fn removal(&self, name: &str) -> Option<&Removal> {
        let removal = self.removed.get(name)?;
        self.standing(name).is_none().then_some(removal)
    }

    /// The verdict on one life of a member, and the view in which it fell.
    pub(crate) fn verdict(&self, name: &str, instance: Instance) -> Option<(Verdict, View)> {
        let (verdict, view, _) = self.agreed_on(name, instance)?;
        Some((verdict, view))
    }

    /// The verdict on one life, the view in which it fell, and whether it is degraded: all from one
    /// look, for that is asked of every member whenever anything is told of it.
    pub(crate) fn agreed_on(
        &self,
        name: &str,
        instance: Instance,
    ) -> Option<(Verdict, View, bool)> {
        let standing = self.standing(name);
        if let Some(standing) = standing
            && standing.instance == instance
        {
            return Some((Verdict::Up, standing.since, standing.degraded));
        }
        // A verdict is final: also when a newer life has become a member since.
        if let Some(removal) = self.removed.get(name)
            && removal.instance >= instance
        {
            return Some((removal.verdict, removal.view, false));
        }
        // An older life than the one that is a member.
        let standing = standing.filter(|standing| standing.instance > instance)?;
        Some((Verdict::Dead, standing.since, false))
    }

    /// Whether this life can never be a member any more.
    pub(crate) fn is_condemned(&self, name: &str, instance: Instance) -> bool {
        matches!(
            self.verdict(name, instance),
            Some((Verdict::Dead | Verdict::Left, _))
        )
    }

    /// Whether a member votes.
    pub(crate) fn is_voter(&self, name: &str) -> bool {
        let mut voters = self.head.voters.voters.iter();
        voters.any(|voter| voter.name.as_str() == name)
    }

    /// Applies the next cut: the view counts one up, whatever the cut says. What does not fit the
    /// roster (a life that is no member) changes nothing, for all alike.
    /// `bytes` is its encoding.
    pub(crate) fn apply_encoded(&mut self, cut: &Cut, bytes: &[u8]) -> Vec<Turn> {
        self.index = Index::default();
        self.head.view = self.head.view.next();
        self.head.chain = xxh3_64_with_seed(bytes, self.head.chain);
        if let Some(office) = &cut.office {
            self.head.office = Some(office.clone());
        }
        if let Some(voters) = &cut.voters {
            self.head.voters = voters.clone();
            self.head.base = self.head.view;
        }
        let mut turns = Vec::with_capacity(cut.changes.len());
        for change in &cut.changes {
            self.change(change, &mut turns);
        }
        turns
    }

    #[cfg(test)]
    pub(crate) fn apply(&mut self, cut: &Cut) -> Vec<Turn> {
        self.apply_encoded(cut, &cut.encoded())
    }

    /// Whether a cut that somebody tells can be the next one: the numbers of a coordinator's term
    /// and of a configuration of voters count up by one, so what jumps was never committed.
    pub(crate) fn can_follow(&self, cut: &Cut) -> bool {
        let next = self.head.voters.configuration.checked_add(1);
        let office = cut.office.as_ref();
        let voters = cut.voters.as_ref();
        office.is_none_or(|office| office.epoch <= self.epoch().next())
            && voters.is_none_or(|voters| Some(voters.configuration) == next)
    }

    fn change(&mut self, change: &Change, turns: &mut Vec<Turn>) {
        match change {
            Change::Up {
                name,
                instance,
                removals,
            } => self.admit(name, *instance, *removals, turns),
            Change::Dead {
                name,
                instance,
                removals,
                ..
            } => self.remove(name, *instance, Verdict::Dead, *removals, turns),
            Change::Left { name, instance } => {
                self.remove(name, *instance, Verdict::Left, 0, turns);
            }
            Change::Degraded { name, instance, .. } => {
                if self.set_degraded(name, *instance, true) {
                    turns.push(Turn::Degraded(name.clone(), *instance));
                }
            }
            Change::Restored { name, instance } => {
                if self.set_degraded(name, *instance, false) {
                    turns.push(Turn::Restored(name.clone(), *instance));
                }
            }
        }
    }

    fn admit(&mut self, name: &Name, instance: Instance, removals: u8, turns: &mut Vec<Turn>) {
        if self.verdict(name.as_str(), instance).is_some() {
            return;
        }
        let standing = Standing {
            name: name.clone(),
            instance,
            since: self.head.view,
            degraded: false,
            removals,
        };
        match self.place(name.as_str()) {
            Ok(at) => {
                let old = std::mem::replace(&mut self.standings[at], standing);
                turns.push(Turn::Replaced(old.name, old.instance));
            }
            Err(_) if self.standings.len() >= limits::MEMBERS => return,
            Err(at) => self.standings.insert(at, standing),
        }
        turns.push(Turn::Up(name.clone(), instance));
    }

    fn remove(
        &mut self,
        name: &Name,
        instance: Instance,
        verdict: Verdict,
        removals: u8,
        turns: &mut Vec<Turn>,
    ) {
        let Ok(at) = self.place(name.as_str()) else {
            return;
        };
        if self.standings[at].instance != instance {
            return;
        }
        self.standings.remove(at);
        self.remember(Removal {
            name: name.clone(),
            instance,
            view: self.head.view,
            verdict,
            removals,
        });
        turns.push(Turn::Gone(name.clone(), instance, verdict));
    }

    fn remember(&mut self, removal: Removal) {
        let (name, view) = (removal.name.clone(), removal.view);
        if let Some(old) = self.removed.insert(name.clone(), removal) {
            self.removed_order.remove(&(old.view, name.clone()));
        }
        self.removed_order.insert((view, name));
        if self.removed.len() > limits::REMOVALS
            && let Some((_, first)) = self.removed_order.pop_first()
        {
            self.removed.remove(&first);
        }
    }

    fn set_degraded(&mut self, name: &Name, instance: Instance, degraded: bool) -> bool {
        let Ok(at) = self.place(name.as_str()) else {
            return false;
        };
        let standing = &mut self.standings[at];
        if standing.instance != instance || standing.degraded == degraded {
            return false;
        }
        standing.degraded = degraded;
        true
    }

    fn place(&self, name: &str) -> Result<usize, usize> {
        self.standings
            .binary_search_by(|standing| standing.name.as_str().cmp(name))
    }

    /// Whether the lists contradict each other. For the simulator and tests.
    pub(crate) fn check_invariants(&self) {
        let names = self.standings.windows(2);
        assert!(
            names.into_iter().all(|pair| pair[0].name < pair[1].name),
            "standings are in order of their names"
        );
        for (at, standing) in self.standings.iter().enumerate() {
            let found = self.standing(standing.name.as_str());
            assert!(
                found.is_some_and(|found| std::ptr::eq(found, &self.standings[at])),
                "{} is found",
                standing.name
            );
        }
        assert_eq!(self.removed.len(), self.removed_order.len());
        for removal in self.removed.values() {
            assert!(
                self.removed_order
                    .contains(&(removal.view, removal.name.clone())),
                "the removed stand in order once"
            );
            let newer = |standing: &Standing| standing.instance > removal.instance;
            assert!(
                self.standing(removal.name.as_str()).is_none_or(newer),
                "what was removed of {} is no member",
                removal.name
            );
        }
        assert!(self.removed.len() <= limits::REMOVALS);
        assert!(self.head.base <= self.head.view);
    }
}
