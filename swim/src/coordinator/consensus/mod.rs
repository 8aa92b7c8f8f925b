//! One voter's part in one configuration of voters: who leads, the lease, the log of cuts.
//!
//! The consensus itself is the crate `omnipaxos` (Ng, Haridi, Carbone, EuroSys 2023). Around it:
//! what is saved before it is said (`storage`), what is refused before it is read (`letter`), and
//! the lease on top of the ballot (`lease`).

mod lease;
mod letter;
mod outputs;
mod storage;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use omnipaxos::ballot_leader_election::Ballot;
use omnipaxos::messages::sequence_paxos::PaxosMsg;
use omnipaxos::{ClusterConfig, OmniPaxos, OmniPaxosConfig, ServerConfig};

pub(crate) use outputs::Output;
pub(crate) use storage::StoredError;

use super::cut::{Cut, Voter, Voters};
use crate::limits;
use crate::time::Time;
use crate::wire::DropReason;
use lease::Leases;
use letter::{Facts, Letter};
use storage::Log;

/// A voter of a configuration, by its place there, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct VoterNumber(u64);

impl VoterNumber {
    /// Of the voter at a place, from 0.
    pub(crate) fn at(place: usize) -> VoterNumber {
        VoterNumber(place as u64 + 1)
    }

    /// Its place, from 0.
    pub(crate) fn place(self) -> usize {
        usize::try_from(self.0 - 1).unwrap_or(usize::MAX)
    }
}

/// Settings of the consensus.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConsensusSettings {
    /// How long a lease lasts.
    pub(crate) lease: Duration,
    /// Whether the caller saves.
    pub(crate) durable: bool,
}

/// One voter's part in one configuration.
pub(crate) struct Consensus {
    facts: Facts,
    settings: ConsensusSettings,
    log: Log,
    /// `None` in a configuration of one.
    paxos: Option<Box<OmniPaxos<Cut, Log>>>,
    leases: Leases,
    /// With which ballot this voter leads and may decide, if it does.
    leading: Option<Ballot>,
    next_tick: Time,
    next_ask: Time,
    /// Election rounds in a row in which nothing was heard.
    unheard: u32,
    /// Since when this voter lacks something of the log of the one who leads.
    behind_since: Option<Time>,
    saves: VecDeque<Output>,
    /// Each with the save that it must wait for.
    held: VecDeque<(u64, Output)>,
    last_save: u64,
    saved: u64,
    /// How many cuts were put out.
    told: usize,
    /// How many of them were taken.
    given: usize,
    /// How many cuts this voter found in its log when it began to lead. Another one may have
    /// decided them, and shown them to others.
    found: usize,
    /// The last cut named other voters.
    finished: bool,
    failed: bool,
}

/// Election rounds in a lease.
const TICKS: u32 = 24;

/// After so many rounds in which nothing was heard they become rare.
const UNHEARD: u32 = 20;

/// How much rarer.
const RARE: u32 = 10;

/// Election rounds until a request of the log is sent again.
const RESEND_TICKS: u64 = 3;

/// A voter that is behind for so much of a lease asks for what it lacks.
const BEHIND: u32 = 16;

/// The part of a lease after which it is asked for again.
const RENEWALS: u32 = 3;

impl Consensus {
    /// Takes part as `me`, one of `voters`. `stored` is what was saved in this configuration.
    /// `restarted`: this voter may have granted a lease in a former life.
    pub(crate) fn new(
        voters: &Voters,
        me: &Voter,
        stored: &[(Vec<u8>, Vec<u8>)],
        restarted: bool,
        settings: ConsensusSettings,
        now: Time,
    ) -> Result<Consensus, StoredError> {
        let log = Log::load(stored)?;
        let place = voters.voters.iter().position(|voter| voter == me);
        let me = VoterNumber::at(place.ok_or(StoredError)?).0;
        let count = voters.voters.len() as u64;
        let facts = Facts {
            configuration: voters.configuration,
            voters: count,
            me,
            from: me,
            accepted: 0,
            decided: 0,
        };
        let paxos = (count > 1).then(|| paxos(facts, log.clone()));
        if count > 1 {
            log.lock().allow_lease(settings.lease);
        }
        let silence = if restarted {
            log.lock().lease()
        } else {
            Duration::ZERO
        };
        let leases = Leases::new(settings.lease, voters.voters.len(), silence, now);
        let mut consensus = Consensus {
            facts,
            settings,
            log,
            paxos: paxos.transpose()?.map(Box::new),
            leases,
            leading: None,
            // One that was led by somebody until now may hear of it first.
            next_tick: now + settings.lease / TICKS * 3,
            next_ask: now,
            unheard: 0,
            behind_since: None,
            saves: VecDeque::new(),
            held: VecDeque::new(),
            last_save: 0,
            saved: 0,
            told: 0,
            given: 0,
            found: 0,
            finished: false,
            failed: false,
        };
        consensus.found = consensus.log.lock().decided();
        consensus.collect(now);
        Ok(consensus)
    }

    fn is_over(&self) -> bool {
        self.finished || self.failed
    }

    fn facts(&self, from: u64) -> Facts {
        let kept = self.log.lock();
        Facts {
            from,
            accepted: kept.cuts.len(),
            decided: kept.decided(),
            ..self.facts
        }
    }

    /// A letter of another voter. What cannot be acted on is dropped.
    pub(crate) fn handle_letter(
        &mut self,
        from: VoterNumber,
        bytes: &[u8],
        now: Time,
    ) -> Result<(), DropReason> {
        if bytes.len() > limits::LETTER_BYTES {
            return Err(DropReason::TooLong);
        }
        let letter: Letter = postcard::from_bytes(bytes).map_err(|_| DropReason::Malformed)?;
        let facts = self.facts(from.0);
        let stranger = from.0 == self.facts.me || from.0 > self.facts.voters;
        if stranger || !facts.allow(&letter) {
            return Err(DropReason::Malformed);
        }
        if self.is_over() {
            return Ok(());
        }
        self.leases.look(now);
        self.unheard = 0;
        let Some(paxos) = &mut self.paxos else {
            return Ok(());
        };
        match letter {
            Letter::Log(PaxosMsg::Prepare(prepare)) => {
                if self.leases.lets(prepare.n, paxos.get_promise(), now) {
                    paxos.handle_incoming(facts.addressed_log(PaxosMsg::Prepare(prepare)));
                }
            }
            Letter::Log(message) => paxos.handle_incoming(facts.addressed_log(message)),
            Letter::Beat(beat) => paxos.handle_incoming(facts.addressed_beat(beat)),
            Letter::Ask {
                ballot,
                round,
                held,
                accepted,
                decided,
            } => self.on_ask(ballot, (round, held), (accepted, decided), now),
            Letter::Grant {
                ballot,
                round,
                lasts,
            } => {
                if self.leading == Some(ballot) {
                    self.leases.on_grant(from.0, round, lasts);
                }
            }
            Letter::Outbid { ballot, .. } => {
                // One voter would never follow this ballot, and the others let nobody else lead:
                // go on with a higher one, which follows step by step.
                if self.leading == Some(ballot) {
                    paxos.try_become_leader();
                    self.next_tick = now + self.settings.lease / TICKS;
                }
            }
        }
        self.collect(now);
        Ok(())
    }

    /// Who leads asks for the lease, and shows how long its log is.
    fn on_ask(
        &mut self,
        ballot: Ballot,
        (round, held): (u32, bool),
        (accepted, decided): (u64, u64),
        now: Time,
    ) {
        let Some(paxos) = &mut self.paxos else {
            return;
        };
        let promised = paxos.get_promise();
        if promised > ballot {
            let outbid = Letter::Outbid { ballot, promised };
            return self.write(ballot.pid, &outbid);
        }
        let kept = self.log.lock();
        let ours = (kept.cuts.len() as u64, kept.decided() as u64);
        drop(kept);
        let promised = promised == ballot;
        if promised && self.leases.on_ask(ballot, held, now) {
            let lasts = self.leases.lasts();
            let grant = Letter::Grant {
                ballot,
                round,
                lasts,
            };
            self.write(ballot.pid, &grant);
        }
        // Of what is not decided a word of one of them may be lost.
        if promised && ours == (accepted, decided) && accepted == decided {
            self.behind_since = None;
            return;
        }
        let since = *self.behind_since.get_or_insert(now);
        if now.since(since) >= self.settings.lease / BEHIND {
            self.behind_since = Some(now);
            if let Some(paxos) = &mut self.paxos {
                paxos.reconnected(ballot.pid);
            }
        }
    }

    /// Time has passed.
    pub(crate) fn handle_timeout(&mut self, now: Time) {
        if self.is_over() || self.paxos.is_none() {
            return;
        }
        self.leases.look(now);
        if self.may_ask(now) && self.next_ask <= now {
            self.ask(now);
        }
        if self.may_elect(now) && self.next_tick <= now {
            self.unheard = self.unheard.saturating_add(1);
            let mut pause = self.settings.lease / TICKS;
            if self.unheard > UNHEARD {
                pause *= RARE;
            }
            self.next_tick = now + pause;
            if let Some(paxos) = &mut self.paxos {
                paxos.tick();
            }
        }
        self.collect(now);
    }

    /// When [`Consensus::handle_timeout`] must be called at the latest.
    pub(crate) fn poll_timeout(&self) -> Option<Time> {
        if self.is_over() || self.paxos.is_none() {
            return None;
        }
        let silent = self.leases.silent_until();
        let granted = self.leases.granted_until(self.facts.me);
        let elects = self.next_tick.max(silent).max(granted.unwrap_or(silent));
        if self.leading.is_none() {
            return Some(elects);
        }
        let rests = self.leases.rests_until(Time::ZERO);
        let asks = self.next_ask.max(silent).max(rests.unwrap_or(silent));
        // While it holds the lease there is no election.
        let ends = self.leases.held_until().unwrap_or(elects);
        Some(asks.min(ends))
    }

    fn may_elect(&self, now: Time) -> bool {
        !self.leases.is_silent(now)
            && !self.leases.granted_to_other(self.facts.me, now)
            && self.leases.left(now).is_none()
    }

    fn may_ask(&self, now: Time) -> bool {
        self.leading.is_some()
            && !self.leases.is_silent(now)
            && self.leases.rests_until(now).is_none()
    }

    fn ask(&mut self, now: Time) {
        let Some(ballot) = self.leading else {
            return;
        };
        let held = self.leases.left(now).is_some();
        let round = self.leases.ask(self.facts.me, ballot, now);
        let kept = self.log.lock();
        let (accepted, decided) = (kept.cuts.len(), kept.decided());
        drop(kept);
        let ask = Letter::Ask {
            ballot,
            round,
            held,
            accepted: accepted as u64,
            decided: decided as u64,
        };
        for voter in 1..=self.facts.voters {
            if voter != self.facts.me {
                self.write(voter, &ask);
            }
        }
        let busy = !held || accepted != decided;
        let pause = if busy {
            self.settings.lease / BEHIND
        } else {
            self.leases.length() / RENEWALS
        };
        self.next_ask = now + pause;
    }

    /// A save is durable, and with it all before it.
    pub(crate) fn handle_saved(&mut self, ticket: u64, now: Time) {
        self.saved = self.saved.max(ticket);
        self.collect(now);
    }

    /// A save failed: this voter is silent for the rest of its life.
    pub(crate) fn handle_save_failed(&mut self) {
        self.failed = true;
        self.leading = None;
        self.leases.forget_own();
        self.saves.clear();
        self.held.clear();
    }

    /// Puts a cut to the vote. Gives it back when this voter may not, or another one is under way.
    pub(crate) fn propose(&mut self, cut: Cut, now: Time) -> Result<(), Box<Cut>> {
        if !self.leads(now) || !self.is_idle() {
            return Err(Box::new(cut));
        }
        match &mut self.paxos {
            None => self.log.lock().decide_alone(cut),
            Some(paxos) => {
                if let Err(error) = paxos.append(cut) {
                    debug_assert!(false, "no configuration is stopped: {error:?}");
                    return Ok(());
                }
                let soon = now + self.settings.lease / BEHIND;
                self.next_ask = self.next_ask.min(soon);
            }
        }
        self.collect(now);
        Ok(())
    }

    /// As many places of the log count as taken, of a configuration of one voter: what stood there
    /// is known.
    pub(crate) fn skip(&mut self, places: u64, now: Time) {
        debug_assert!(
            self.paxos.is_none(),
            "only who decides alone knows what was decided"
        );
        for _ in 0..places.min(limits::LOG_CUTS as u64) {
            self.log.lock().decide_alone(Cut::default());
        }
        if places > 0 {
            self.collect(now);
        }
    }

    /// Whether this voter leads, holds the lease now, and may decide.
    pub(crate) fn leads(&self, now: Time) -> bool {
        self.lease_left(now).is_some()
    }

    /// How long it may decide without hearing from the others. Not at all before all that it found
    /// was taken: until then it knows neither the last view nor whether this configuration has
    /// ended, and another one may have decided since.
    pub(crate) fn lease_left(&self, now: Time) -> Option<Duration> {
        if self.is_over() || self.given < self.found {
            return None;
        }
        if self.paxos.is_none() {
            return Some(self.settings.lease);
        }
        self.leading?;
        self.leases.left(now)
    }

    /// Whether everything in the log is decided and was put out.
    pub(crate) fn is_idle(&self) -> bool {
        let kept = self.log.lock();
        kept.decided() == kept.cuts.len() && self.told == kept.cuts.len()
    }

    /// Who holds the lease, as far as this voter knows: it said so when it was granted.
    pub(crate) fn leader(&self, now: Time) -> Option<VoterNumber> {
        if self.is_over() {
            return None;
        }
        if self.leads(now) {
            return Some(VoterNumber(self.facts.me));
        }
        let holder = self.leases.holder(now)?;
        (holder != self.facts.me).then_some(VoterNumber(holder))
    }

    /// Tries to lead at once, without an election.
    pub(crate) fn campaign(&mut self, now: Time) {
        if !self.may_elect(now) || self.is_over() {
            return;
        }
        if let Some(paxos) = &mut self.paxos {
            paxos.try_become_leader();
            self.next_tick = now + self.settings.lease / TICKS;
        }
        self.collect(now);
    }

    /// Cuts that were committed and put out.
    pub(crate) fn committed(&self) -> u64 {
        self.told as u64
    }

    /// Asserts what must always hold. For the simulator and tests.
    pub(crate) fn check_invariants(&self) {
        let kept = self.log.lock();
        assert!(self.told <= kept.cuts.len(), "only what is kept is told");
        assert!(self.given <= self.told, "only what is told is taken");
        assert!(
            self.saved <= self.last_save,
            "only what was asked for is saved"
        );
    }
}

fn paxos(facts: Facts, log: Log) -> Result<OmniPaxos<Cut, Log>, StoredError> {
    let config = OmniPaxosConfig {
        cluster_config: ClusterConfig {
            configuration_id: facts.configuration,
            nodes: (1..=facts.voters).collect(),
            flexible_quorum: None,
        },
        server_config: ServerConfig {
            pid: facts.me,
            election_tick_timeout: 1,
            resend_message_tick_timeout: RESEND_TICKS,
            buffer_size: 16,
            batch_size: 1,
            ..ServerConfig::default()
        },
    };
    config.build(log).map_err(|_| StoredError)
}

impl fmt::Debug for Consensus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Consensus")
            .field("facts", &self.facts)
            .field("log", &self.log)
            .field("leases", &self.leases)
            .field("leading", &self.leading)
            .field("told", &self.told)
            .field("finished", &self.finished)
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}
