//! Where the rosters come from that histories hold.

#[cfg(feature = "sim")]
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
#[cfg(feature = "sim")]
use std::sync::{Mutex, PoisonError};

#[cfg(feature = "sim")]
use super::cut::VoterId;
use super::cut::{Cut, Lineage, View};
use super::history::Signed;
use super::roster::{Roster, Turn};
use super::signing::{Said, Signature, VoterKey};

/// Makes the next roster of one and a cut. Histories of one simulation may share it: then all that
/// apply the same cut to the same roster hold one and the same next one, and the cut is applied
/// once. Sameness is looked at, not taken from a number: a history that went astray stays alone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rosters {
    #[cfg(feature = "sim")]
    shared: Option<Arc<Mutex<Shared>>>,
}

/// Cuts as somebody told them: those that led to a view of this lineage and to the next ones.
pub(crate) type Told = (Lineage, View, Vec<Signed>);

#[cfg(feature = "sim")]
#[derive(Debug, Default)]
struct Shared {
    steps: VecDeque<Step>,
    /// What was told last, with its encoding.
    told: VecDeque<(Box<[u8]>, Told)>,
    /// Whoever signed something.
    keys: BTreeMap<VoterId, VoterKey>,
}

/// A cut that was applied, or a roster that came as a whole.
#[cfg(feature = "sim")]
#[derive(Debug)]
struct Step {
    applied: Option<Applied>,
    after: Arc<Roster>,
}

#[cfg(feature = "sim")]
#[derive(Debug)]
struct Applied {
    before: Arc<Roster>,
    cut: Arc<Cut>,
    bytes: Arc<[u8]>,
    turns: Arc<[Turn]>,
}

/// Steps that are remembered: as far as the slowest of a simulation is behind, as a rule.
#[cfg(feature = "sim")]
const STEPS: usize = 64;

/// So much of what was told is remembered: all that are behind ask for much the same.
#[cfg(feature = "sim")]
const TOLD: usize = 16;

impl Rosters {
    /// One that is shared by all its clones.
    #[cfg(feature = "sim")]
    pub(crate) fn shared() -> Rosters {
        Rosters {
            shared: Some(Arc::default()),
        }
    }

    /// What these bytes tell, by `decode`, unless it is known.
    pub(crate) fn told<E>(
        &self,
        bytes: &[u8],
        decode: impl FnOnce(&[u8]) -> Result<Told, E>,
    ) -> Result<Told, E> {
        #[cfg(feature = "sim")]
        if let Some(shared) = &self.shared {
            let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
            let mut known = shared.told.iter().rev();
            if let Some((_, told)) = known.find(|(known, _)| **known == *bytes) {
                return Ok(told.clone());
            }
            let mut told = decode(bytes)?;
            for (cut, _) in &mut told.2 {
                let mut applied = shared.steps.iter().filter_map(|step| step.applied.as_ref());
                if let Some(applied) = applied.find(|applied| applied.cut == *cut) {
                    *cut = Arc::clone(&applied.cut);
                }
            }
            if shared.told.len() >= TOLD {
                shared.told.pop_front();
            }
            shared.told.push_back((bytes.into(), told.clone()));
            return Ok(told);
        }
        decode(bytes)
    }

    /// A voter says something. In a simulation nothing is computed: that it said so is known.
    pub(crate) fn sign(&self, key: &VoterKey, said: Said) -> Signature {
        #[cfg(feature = "sim")]
        if let Some(shared) = &self.shared {
            let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
            shared.keys.entry(key.id()).or_insert_with(|| key.clone());
            return key.stand_in(&said);
        }
        key.sign(&said)
    }

    /// Whether a signature stands under this.
    pub(crate) fn holds(&self, signature: &Signature, said: Said) -> bool {
        #[cfg(feature = "sim")]
        if let Some(shared) = &self.shared {
            let shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
            let key = shared.keys.get(&signature.voter());
            if key.is_some_and(|key| key.stand_in(&said) == *signature) {
                return true;
            }
        }
        signature.holds(&said)
    }

    /// The encoding of a cut.
    pub(crate) fn encoding(&self, cut: &Arc<Cut>) -> Arc<[u8]> {
        #[cfg(feature = "sim")]
        if let Some(shared) = &self.shared {
            let shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
            let mut applied = shared
                .steps
                .iter()
                .rev()
                .filter_map(|step| step.applied.as_ref());
            if let Some(applied) = applied.find(|applied| Arc::ptr_eq(&applied.cut, cut)) {
                return Arc::clone(&applied.bytes);
            }
        }
        cut.encoded()
    }

    /// Applies the next cut, of which `bytes` is the encoding. Gives the cut that is to be kept.
    pub(crate) fn apply(
        &self,
        roster: &mut Arc<Roster>,
        cut: Arc<Cut>,
        bytes: &Arc<[u8]>,
    ) -> (Arc<Cut>, Arc<[Turn]>) {
        #[cfg(feature = "sim")]
        if let Some(shared) = &self.shared {
            // Nothing that holds the lock can panic half-way.
            let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
            return apply_once(&mut shared.steps, roster, cut, bytes);
        }
        let turns = Arc::make_mut(roster).apply_encoded(&cut, bytes);
        (cut, turns.into())
    }

    /// Takes the one that others hold, if one of them says the same.
    pub(crate) fn share(&self, roster: &mut Arc<Roster>) {
        #[cfg(feature = "sim")]
        if let Some(shared) = &self.shared {
            let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(known) = same(&shared.steps, roster) {
                *roster = known;
            } else {
                Arc::make_mut(roster).make_index();
                let after = Arc::clone(roster);
                let applied = None;
                remember(&mut shared.steps, Step { applied, after });
            }
        }
        #[cfg(not(feature = "sim"))]
        let _ = roster;
    }
}

#[cfg(feature = "sim")]
fn apply_once(
    steps: &mut VecDeque<Step>,
    roster: &mut Arc<Roster>,
    cut: Arc<Cut>,
    bytes: &Arc<[u8]>,
) -> (Arc<Cut>, Arc<[Turn]>) {
    let known = steps.iter().rev().find_map(|step| {
        let applied = step.applied.as_ref()?;
        let same_cut = Arc::ptr_eq(&applied.bytes, bytes) || applied.bytes == *bytes;
        let is_it = Arc::ptr_eq(&applied.before, roster) && same_cut;
        is_it.then_some((applied, &step.after))
    });
    if let Some((applied, after)) = known {
        *roster = Arc::clone(after);
        return (Arc::clone(&applied.cut), Arc::clone(&applied.turns));
    }
    let before = Arc::clone(roster);
    let turns: Arc<[Turn]> = Arc::make_mut(roster).apply_encoded(&cut, bytes).into();
    match same(steps, roster) {
        Some(known) => *roster = known,
        None => Arc::make_mut(roster).make_index(),
    }
    let step = Step {
        applied: Some(Applied {
            before,
            cut: Arc::clone(&cut),
            bytes: Arc::clone(bytes),
            turns: Arc::clone(&turns),
        }),
        after: Arc::clone(roster),
    };
    remember(steps, step);
    (cut, turns)
}

/// The roster of another history that says the same.
#[cfg(feature = "sim")]
fn same(steps: &VecDeque<Step>, roster: &Roster) -> Option<Arc<Roster>> {
    let mut known = steps.iter().rev().map(|step| &step.after);
    known.find(|known| ***known == *roster).cloned()
}

#[cfg(feature = "sim")]
fn remember(steps: &mut VecDeque<Step>, step: Step) {
    if steps.len() >= STEPS {
        steps.pop_front();
    }
    steps.push_back(step);
}
