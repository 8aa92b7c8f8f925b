//! One case: what is said about one life of one member, and how far the coordinator is with it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::weigh::{CORROBORATED, Patience, Tally};
use crate::coordinator::evidence::{Evidence, Finding, Reason, Testimony};
use crate::event::Silence;
use crate::limits;
use crate::members::{Instance, Name};
use crate::time::Time;

/// How far a case is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Its only accuser counts little: before others are asked this coordinator looks itself.
    Doubted { until: Time },
    /// Witnesses are asked.
    Hearing {
        /// When they were; `None` until the parent has named them.
        since: Option<Time>,
        /// When those that have not told are given up.
        until: Time,
        /// Whether refusals may decide without those that have not told yet.
        settled: bool,
    },
    /// Between two hearings.
    Recess { until: Time, cause: Cause },
    /// Found gone, and held for the others that are decided with it.
    Convicted {
        since: Time,
        /// When the voters' witness is given up and it is heard again.
        until: Time,
        patience: Patience,
        reason: Reason,
    },
    /// The ruling was handed out; it is in force once it is committed.
    Decided { until: Time },
}

/// Why a case is heard again later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// Some reach it and some do not: perhaps only for now.
    Disputed,
    /// Nobody else could tell; then others are asked.
    Unclear,
    /// The process does not answer: a pause, as long as it is not longer than that.
    Stalled,
    /// It is degraded.
    Degraded,
}

/// Since when a member counts as degraded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Degraded {
    pub(super) since: Time,
    /// When somebody last said so, or a hearing found it.
    pub(super) trouble: Time,
}

/// What an observer said last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) finding: Finding,
    pub(super) health: u8,
    asked: bool,
    at: Time,
    /// The how-manieth word of the case, for the order.
    turn: u32,
    /// In which hearing.
    hearing: u32,
    /// Whether the subject has spoken for itself since.
    void: bool,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Observer {
    /// Whether it is asked in this hearing.
    asked: bool,
    accuser: bool,
    word: Option<Word>,
}

impl Observer {
    /// Its word, if it was said in this hearing and still counts.
    fn fresh(&self, hearing: u32) -> Option<&Word> {
        let word = self.word.as_ref();
        word.filter(|word| word.hearing == hearing && !word.void)
    }

    /// What it last said, in this hearing or before.
    fn says_unreached(&self) -> bool {
        self.word.as_ref().is_some_and(Word::is_unreached)
    }
}

impl Word {
    fn is_unreached(&self) -> bool {
        match self.finding {
            Finding::Unreached(_) => true,
            Finding::Reached | Finding::NoTestimony => false,
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) instance: Instance,
    /// When its first report came.
    pub(super) opened: Time,
    pub(super) stage: Stage,
    /// At most [`limits::OBSERVERS`].
    observers: BTreeMap<Name, Observer>,
    turns: u32,
    /// The number of the present hearing, or the last one.
    hearing: u32,
    /// All voters but the subject.
    pub(super) voters: Vec<Name>,
    voters_asked: bool,
    /// When the present hearing began.
    pub(super) heard: Time,
    /// Whether the subject spoke for itself in the present hearing.
    pub(super) refuted: bool,
    /// Hearings in a row that found it disputed, or nothing.
    pub(super) disputes: u32,
    pub(super) unclear: u32,
    /// Until when patience with a stalled process lasts: all hearings since found it so, and it did
    /// not speak for itself.
    pub(super) patient_until: Option<Time>,
    pub(super) degraded: Option<Degraded>,
    /// Whether it is in flux, as it was when last looked at: others go by it.
    pub(super) in_flux: bool,
    /// Who accused it first, of what, and when: also when its word was replaced by a later one.
    first: Option<(Name, Finding, Time)>,
}

impl Case {
    pub(super) fn new(instance: Instance, stage: Stage, now: Time) -> Case {
        Case {
            instance,
            opened: now,
            stage,
            observers: BTreeMap::new(),
            turns: 0,
            hearing: 0,
            voters: Vec::new(),
            voters_asked: false,
            heard: now,
            refuted: false,
            disputes: 0,
            unclear: 0,
            patient_until: None,
            degraded: None,
            in_flux: false,
            first: None,
        }
    }

    /// Takes an accuser's word; its earlier one is forgotten. False when there is no room.
    pub(super) fn accuse(&mut self, by: &Name, finding: Finding, health: u8, now: Time) -> bool {
        let accusers = self.observers.values().filter(|of| of.accuser).count();
        let room = limits::OBSERVERS - limits::WITNESSES - limits::VOTERS;
        let known = self.observers.contains_key(by);
        if !known && (accusers >= room || self.observers.len() >= limits::OBSERVERS) {
            return false;
        }
        self.observers.entry(by.clone()).or_default().accuser = true;
        self.first.get_or_insert_with(|| (by.clone(), finding, now));
        self.say(by, finding, health, false, now);
        true
    }

    /// Takes the word of one that was asked. False when it was not.
    pub(super) fn testify(&mut self, by: &Name, finding: Finding, health: u8, now: Time) -> bool {
        if !self.observers.get(by).is_some_and(|of| of.asked) {
            return false;
        }
        self.say(by, finding, health, true, now);
        true
    }

    fn say(&mut self, by: &Name, finding: Finding, health: u8, asked: bool, now: Time) {
        let Some(observer) = self.observers.get_mut(by) else {
            return;
        };
        if finding == Finding::NoTestimony && observer.fresh(self.hearing).is_some() {
            // That it cannot tell now takes nothing back.
            return;
        }
        self.turns = self.turns.saturating_add(1);
        observer.word = Some(Word {
            finding,
            health,
            asked,
            at: now,
            turn: self.turns,
            hearing: self.hearing,
            void: false,
        });
    }

    /// Has an observer asked, unless it has told already or there is no room. True when it must be.
    pub(super) fn ask(&mut self, witness: &Name) -> bool {
        let most = limits::WITNESSES + if self.voters_asked { limits::VOTERS } else { 0 };
        if self.asked().count() >= most {
            return false;
        }
        if !self.observers.contains_key(witness) && self.observers.len() >= limits::OBSERVERS {
            return false;
        }
        let hearing = self.hearing;
        let observer = self.observers.entry(witness.clone()).or_default();
        let again = observer.asked || observer.fresh(hearing).is_some();
        observer.asked = true;
        !again
    }

    /// Has all asked again that were, and the accusers as well while there is room.
    pub(super) fn ask_again(&mut self) -> Vec<Name> {
        let accusers: Vec<Name> = self.accusers().cloned().collect();
        for accuser in &accusers {
            self.ask(accuser);
        }
        self.asked().cloned().collect()
    }

    /// Has the voters asked as well, and tells which must be.
    pub(super) fn ask_voters(&mut self) -> Vec<Name> {
        if self.voters_asked {
            return Vec::new();
        }
        self.voters_asked = true;
        let voters = self.voters.clone();
        voters.into_iter().filter(|voter| self.ask(voter)).collect()
    }

    /// More are asked: they have until then.
    pub(super) fn postpone(&mut self, end: Time) {
        match &mut self.stage {
            Stage::Hearing { until, .. } | Stage::Convicted { until, .. } => {
                *until = (*until).max(end);
            }
            Stage::Doubted { .. } | Stage::Recess { .. } | Stage::Decided { .. } => {}
        }
    }

    pub(super) fn asked(&self) -> impl Iterator<Item = &Name> {
        self.observers
            .iter()
            .filter(|(_, of)| of.asked)
            .map(|(name, _)| name)
    }

    pub(super) fn accusers(&self) -> impl Iterator<Item = &Name> {
        self.observers
            .iter()
            .filter(|(_, of)| of.accuser)
            .map(|(name, _)| name)
    }

    pub(super) fn is_accused_by(&self, by: &Name) -> bool {
        self.observers.get(by).is_some_and(|of| of.accuser)
    }

    /// Accusers that said in this hearing what the others do not find.
    pub(super) fn stubborn(&self) -> impl Iterator<Item = &Name> {
        let now = |word: &Word| word.hearing == self.hearing && word.is_unreached();
        self.observers
            .iter()
            .filter(move |(_, of)| of.accuser && of.word.as_ref().is_some_and(now))
            .map(|(name, _)| name)
    }

    /// The subject spoke for itself: what was said so far does not count any more.
    pub(super) fn void(&mut self) {
        self.patient_until = None;
        self.refuted = true;
        for observer in self.observers.values_mut() {
            if let Some(word) = &mut observer.word {
                word.void = true;
            }
        }
    }

    /// A new hearing begins. With `anew`, of other witnesses; the accusers stay.
    pub(super) fn begin(&mut self, anew: bool, now: Time) {
        self.hearing = self.hearing.saturating_add(1);
        self.heard = now;
        self.refuted = false;
        if anew {
            self.dismiss();
        }
    }

    /// Of all voters those whose word counts: not the subject's; the coordinator's in any case.
    pub(super) fn name_voters(&mut self, voters: &[Name], subject: &Name, me: &Name) {
        let others = voters.iter();
        let others = others.filter(|voter| *voter != subject && *voter != me);
        let others = others.take(limits::VOTERS - 1).cloned();
        self.voters = others.chain([me.clone()]).collect();
    }

    /// Others vote now. If the former voters were asked as such, these have to be.
    pub(super) fn exchange_voters(&mut self, voters: &[Name], subject: &Name, me: &Name) {
        if std::mem::take(&mut self.voters_asked) {
            for voter in self.voters.iter().filter(|voter| *voter != me) {
                if let Some(observer) = self.observers.get_mut(voter) {
                    observer.asked = false;
                }
            }
            // Witnesses that were asked where voters had room.
            let surplus = self.asked().count().saturating_sub(limits::WITNESSES);
            let others = self.observers.iter_mut();
            let others = others.filter(|(name, of)| of.asked && *name != me);
            for (_, observer) in others.take(surplus) {
                observer.asked = false;
            }
        }
        if !self.voters.is_empty() {
            self.name_voters(voters, subject, me);
        }
    }

    /// Nobody is asked any more; who has told is remembered.
    fn dismiss(&mut self) {
        self.voters_asked = false;
        for observer in self.observers.values_mut() {
            observer.asked = false;
        }
        self.observers
            .retain(|_, of| of.accuser || of.word.is_some());
    }

    /// A hearing ends: what was said in an earlier one and not repeated is forgotten.
    pub(super) fn end(&mut self) {
        let hearing = self.hearing;
        for observer in self.observers.values_mut() {
            if observer.fresh(hearing).is_none() {
                observer.word = None;
            }
        }
        self.observers.retain(|_, of| of.asked || of.word.is_some());
    }

    /// An observer is gone and tells nothing any more; what it told stays. True when it was
    /// waited for.
    pub(super) fn strike(&mut self, name: &Name) -> bool {
        let Some(observer) = self.observers.get(name) else {
            return false;
        };
        let waited = observer.asked && observer.fresh(self.hearing).is_none();
        if waited {
            self.observers.remove(name);
        }
        waited
    }

    /// How many last said that they do not reach it, in this hearing or before.
    pub(super) fn unreached_by(&self) -> usize {
        self.observers
            .values()
            .filter(|of| of.says_unreached())
            .count()
    }

    /// Whether it may be about to be decided (Rapid, section 4.2: more than L reports): two do not
    /// reach it.
    pub(super) fn is_in_flux(&self) -> bool {
        match self.stage {
            Stage::Doubted { .. } => false,
            Stage::Hearing { .. }
            | Stage::Recess { .. }
            | Stage::Convicted { .. }
            | Stage::Decided { .. } => self.unreached_by() >= CORROBORATED,
        }
    }

    /// Whether it is open because the member is degraded, and not about to be removed.
    pub(super) fn is_only_degraded(&self) -> bool {
        match self.stage {
            Stage::Doubted { .. } | Stage::Hearing { .. } | Stage::Recess { .. } => {
                self.degraded.is_some()
            }
            Stage::Convicted { .. } | Stage::Decided { .. } => false,
        }
    }

    /// Whether it was accused with the host's own word, by anybody.
    pub(super) fn is_refused(&self) -> bool {
        self.observers
            .values()
            .filter_map(|of| of.word.as_ref())
            .any(|word| match word.finding {
                Finding::Unreached(silence) => Patience::from(silence) == Patience::Refused,
                Finding::Reached | Finding::NoTestimony => false,
            })
    }

    /// Whether an observer does not reach it, by its own word of this hearing.
    pub(super) fn unreached_for(&self, name: &Name) -> bool {
        let fresh = self.observers.get(name);
        let fresh = fresh.and_then(|of| of.fresh(self.hearing));
        fresh.is_some_and(Word::is_unreached)
    }

    /// A hearing found it stalled: until when it may be. It did not answer a ping since this
    /// hearing began, or, if it is the first and began with such a report, since a round before
    /// that.
    pub(super) fn note_stalled(&mut self, patience: Duration, round: Duration) -> Time {
        let stalled = Finding::Unreached(Silence::Stalled);
        let first = self.first.as_ref().is_some_and(|(_, said, at)| {
            self.hearing == 0 && !self.refuted && *said == stalled && *at == self.opened
        });
        let until = if first {
            self.opened + patience.saturating_sub(round)
        } else {
            self.heard + patience
        };
        *self.patient_until.get_or_insert(until)
    }

    /// Adds up this hearing's words. `weight` says how much a word counts, `absent` who is not
    /// waited for.
    pub(super) fn tally(
        &self,
        me: &Name,
        weight: impl Fn(&Name, &Word) -> u32,
        absent: impl Fn(&Name) -> bool,
    ) -> Tally {
        let mut tally = Tally::default();
        for (name, observer) in &self.observers {
            let Some(word) = observer.fresh(self.hearing) else {
                tally.waiting += usize::from(observer.asked && !absent(name));
                continue;
            };
            let weight = weight(name, word);
            let reached = match word.finding {
                Finding::NoTestimony => continue,
                Finding::Reached => {
                    tally.reached += weight;
                    true
                }
                Finding::Unreached(silence) => {
                    match Patience::from(silence) {
                        Patience::Stalled => tally.stalled += weight,
                        Patience::CutOff => tally.cut_off += weight,
                        Patience::Refused => tally.refused += weight,
                    }
                    tally.unreached_by += 1;
                    tally.witnesses += usize::from(word.asked || name == me);
                    false
                }
            };
            if name == me {
                tally.own = Some(reached);
            }
        }
        tally
    }

    /// The file of the case as it is now.
    pub(super) fn evidence(
        &self,
        reason: Reason,
        weight: impl Fn(&Name, &Word) -> u32,
        now: Time,
    ) -> Evidence {
        let mut words: Vec<(u32, Testimony)> = Vec::with_capacity(self.observers.len());
        for (name, observer) in &self.observers {
            let said = observer.fresh(self.hearing).map(|word| {
                let weight = match word.finding {
                    Finding::Reached | Finding::Unreached(_) => weight(name, word),
                    Finding::NoTestimony => 0,
                };
                let weight = u8::try_from(weight).unwrap_or(u8::MAX);
                (word.turn, word.finding, word.asked, word.at, weight)
            });
            let (turn, finding, asked, at, weight) = match said {
                Some(said) => said,
                None if observer.asked => (u32::MAX, Finding::NoTestimony, true, now, 0),
                None => continue,
            };
            let testimony = Testimony {
                by: name.clone(),
                asked,
                finding,
                after_ms: millis(at.since(self.opened)),
                weight,
            };
            words.push((turn, testimony));
        }
        if let Some((by, finding, at)) = &self.first {
            let after_ms = millis(at.since(self.opened));
            let known = |(_, word): &(u32, Testimony)| word.by == *by && word.after_ms == after_ms;
            if !words.iter().any(known) {
                // It is how the case began; it counts no more.
                let first = Testimony {
                    by: by.clone(),
                    asked: false,
                    finding: *finding,
                    after_ms,
                    weight: 0,
                };
                words.push((0, first));
            }
        }
        if words.len() > limits::TESTIMONIES {
            words.sort_by_key(|(turn, word)| (telling(word.finding), u8::MAX - word.weight, *turn));
            words.truncate(limits::TESTIMONIES);
        }
        words.sort_by_key(|(turn, word)| (word.after_ms, *turn));
        Evidence {
            reason,
            testimonies: words.into_iter().map(|(_, word)| word).collect(),
            took_ms: millis(now.since(self.opened)),
        }
    }

    pub(super) fn check_invariants(&self, name: &Name, me: &Name) {
        assert!(self.observers.len() <= limits::OBSERVERS);
        let most = limits::WITNESSES + if self.voters_asked { limits::VOTERS } else { 0 };
        assert!(self.asked().count() <= most, "few are asked about {name}");
        assert!(
            !self.observers.contains_key(name),
            "{name} is no witness of its own case"
        );
        assert_ne!(name, me, "this coordinator does not judge itself");
        assert!(self.voters.len() <= limits::VOTERS);
        assert_eq!(self.in_flux, self.is_in_flux(), "{name} is known as it is");
        match &self.stage {
            Stage::Doubted { .. } => assert!(self.degraded.is_none()),
            Stage::Recess { cause, .. } => assert!(
                *cause != Cause::Degraded || self.degraded.is_some(),
                "only a degraded member is heard again as such"
            ),
            Stage::Hearing { .. } | Stage::Convicted { .. } | Stage::Decided { .. } => {}
        }
    }
}

/// What is left out last when there are too many testimonies.
fn telling(finding: Finding) -> u8 {
    match finding {
        Finding::Unreached(_) => 0,
        Finding::Reached => 1,
        Finding::NoTestimony => 2,
    }
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}
