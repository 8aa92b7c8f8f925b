//! Probe rounds: a ping, then relays and a stream at once (SWIM section 3.1, Lifeguard IV-A).

use std::collections::BTreeMap;
use std::net::SocketAddr;

use hashbrown::HashMap;
use smallvec::SmallVec;

use crate::event::Silence;
use crate::limits;
use crate::members::{Instance, Name, NameHash};
use crate::time::Time;

/// Why a member is probed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To learn whether it is there: a failure accuses it.
    Watch,
    /// To hear whether a lost one is back: a failure is no news.
    Reconnect,
    /// The coordinator asked, or is this node: by itself, without relays, and either way is told.
    Witness {
        /// Whom to tell, and where that one is; `None`: this node itself.
        asker: Option<(NameHash, SocketAddr)>,
    },
}

impl Purpose {
    fn is_witness(self) -> bool {
        match self {
            Purpose::Witness { .. } => true,
            Purpose::Watch | Purpose::Reconnect => false,
        }
    }
}

/// How far a round got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The ping is out.
    Direct,
    /// Relays and a stream were asked.
    Indirect,
}

/// What became of the stream probe of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StreamProbe {
    /// Not tried yet.
    Untried,
    /// Still connecting.
    Pending,
    /// The kernel accepted it.
    Accepted,
    /// The host refused it.
    Refused,
    /// It could not be opened.
    Failed,
}

/// One attempt to reach a member.
#[derive(Clone, Debug)]
pub(crate) struct Round {
    pub(crate) target: Name,
    pub(crate) instance: Instance,
    /// Where the target listens.
    pub(crate) addr: SocketAddr,
    pub(crate) purpose: Purpose,
    /// The ring whose beat it is, if it is one.
    pub(crate) ring: Option<u8>,
    pub(crate) sent: Time,
    pub(crate) stage: Stage,
    pub(crate) stream: StreamProbe,
    /// Whether the host said that nobody listens where the ping went.
    pub(crate) port_refused: bool,
    /// Relays asked, and whether each answered with a nack.
    relays: SmallVec<[(Name, bool); 3]>,
}

/// What an ack or nack did.
#[derive(Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "every ack ends a round: a box for it would be allocated each time"
)]
pub(crate) enum Answer {
    /// The round ended well. `direct` when the target itself answered.
    Reached { round: Round, direct: bool },
    /// Nothing is left that could still answer.
    Exhausted,
    /// Noted.
    Noted,
    /// No such round, or not from one who was asked.
    Unknown,
}

impl Round {
    /// A ping goes out now.
    pub(crate) fn new(
        target: &Name,
        instance: Instance,
        addr: SocketAddr,
        purpose: Purpose,
        now: Time,
    ) -> Round {
        Round {
            target: target.clone(),
            instance,
            addr,
            purpose,
            ring: None,
            sent: now,
            stage: Stage::Direct,
            stream: StreamProbe::Untried,
            port_refused: false,
            relays: SmallVec::new(),
        }
    }

    /// Relays that answered neither ack nor nack: the silence may be our own fault.
    pub(crate) fn silent_relays(&self) -> usize {
        self.relays.iter().filter(|(_, nacked)| !nacked).count()
    }

    /// Whether nothing is left that could still answer: the host refused datagram and stream
    /// alike, or all that were asked gave up.
    fn exhausted(&self) -> bool {
        let stream_over = matches!(self.stream, StreamProbe::Refused | StreamProbe::Failed);
        let relays_over = self.stage == Stage::Indirect && self.silent_relays() == 0;
        let gone = self.port_refused && self.stream == StreamProbe::Refused;
        gone || relays_over && stream_over
    }

    /// What kind of silence the round met (DESIGN 4.1).
    pub(crate) fn silence(&self) -> Silence {
        match self.stream {
            StreamProbe::Refused => Silence::Refused,
            StreamProbe::Accepted => Silence::Stalled,
            // A host speaks for itself even where no stream passes.
            StreamProbe::Untried | StreamProbe::Pending | StreamProbe::Failed
                if self.port_refused =>
            {
                Silence::Refused
            }
            StreamProbe::Untried | StreamProbe::Pending | StreamProbe::Failed => Silence::CutOff,
        }
    }
}

/// The rounds under way: for each member at most one of this node's own and one as a witness.
#[derive(Clone, Debug, Default)]
pub(crate) struct Probes {
    rounds: BTreeMap<u32, Round>,
    by_target: HashMap<Name, u32>,
    as_witness: HashMap<Name, u32>,
}

impl Probes {
    /// Starts a round under the number `seq`; false when one for its target runs or there are too
    /// many.
    pub(crate) fn start(&mut self, seq: u32, round: Round) -> bool {
        let running = if round.purpose.is_witness() {
            &mut self.as_witness
        } else {
            &mut self.by_target
        };
        if self.rounds.len() >= limits::PROBES || running.contains_key(&round.target) {
            return false;
        }
        running.insert(round.target.clone(), seq);
        self.rounds.insert(seq, round);
        true
    }

    /// The ping was not answered in time: `relays` are asked.
    pub(crate) fn widen(&mut self, seq: u32, relays: impl IntoIterator<Item = Name>) {
        if let Some(round) = self.rounds.get_mut(&seq) {
            round.stage = Stage::Indirect;
            round
                .relays
                .extend(relays.into_iter().map(|relay| (relay, false)));
        }
    }

    /// `from` says that it, or the one it asked for us, is there.
    pub(crate) fn acked(&mut self, seq: u32, from: &str, instance: Instance) -> Answer {
        let Some(round) = self.rounds.get(&seq) else {
            return Answer::Unknown;
        };
        let direct = round.target.as_str() == from && round.instance == instance;
        // Also after its nack: the target's answer may come late.
        let relayed = round.relays.iter().any(|(relay, _)| relay.as_str() == from);
        if !direct && !relayed {
            return Answer::Unknown;
        }
        match self.end(seq) {
            Some(round) => Answer::Reached { round, direct },
            None => Answer::Unknown,
        }
    }

    /// The relay `from` is there but got no answer.
    pub(crate) fn nacked(&mut self, seq: u32, from: &str) -> Answer {
        let Some(round) = self.rounds.get_mut(&seq) else {
            return Answer::Unknown;
        };
        for (_, nacked) in round
            .relays
            .iter_mut()
            .filter(|(relay, _)| relay.as_str() == from)
        {
            *nacked = true;
        }
        if round.exhausted() {
            Answer::Exhausted
        } else {
            Answer::Noted
        }
    }

    /// The stream probe got so far.
    pub(crate) fn streamed(&mut self, seq: u32, stream: StreamProbe) -> Answer {
        let Some(round) = self.rounds.get_mut(&seq) else {
            return Answer::Unknown;
        };
        round.stream = stream;
        if round.exhausted() {
            Answer::Exhausted
        } else {
            Answer::Noted
        }
    }

    /// The host says that nobody listens at `addr`: the rounds whose pings went there.
    pub(crate) fn refused_at(&mut self, addr: SocketAddr) -> Vec<u32> {
        let rounds = self.rounds.iter_mut();
        let there = rounds.filter(|(_, round)| round.addr == addr);
        there
            .map(|(seq, round)| {
                round.port_refused = true;
                *seq
            })
            .collect()
    }

    /// Asserts what must always hold; each round goes on when something happens.
    pub(crate) fn check_invariants(&self, goes_on: impl Fn(u32) -> bool) {
        assert!(self.rounds.len() <= limits::PROBES);
        assert_eq!(
            self.rounds.len(),
            self.by_target.len() + self.as_witness.len(),
            "each round is found by its target"
        );
        for (seq, round) in &self.rounds {
            let target = &round.target;
            let running = match round.purpose.is_witness() {
                true => &self.as_witness,
                false => &self.by_target,
            };
            assert_eq!(running.get(target), Some(seq), "that for {target}");
            assert!(goes_on(*seq), "the round for {target} ends some time");
            let asked = round.stage == Stage::Indirect;
            assert!(asked || round.relays.is_empty(), "nobody relays it yet");
        }
    }

    pub(crate) fn get(&self, seq: u32) -> Option<&Round> {
        self.rounds.get(&seq)
    }

    /// Whether a round of this node's own for this member is under way.
    pub(crate) fn runs_for(&self, target: &Name) -> bool {
        self.by_target.contains_key(target)
    }

    /// The number of that round.
    pub(crate) fn number_for(&self, target: &Name) -> Option<u32> {
        self.by_target.get(target).copied()
    }

    /// Takes a round out, however it ended.
    pub(crate) fn end(&mut self, seq: u32) -> Option<Round> {
        let round = self.rounds.remove(&seq)?;
        let running = if round.purpose.is_witness() {
            &mut self.as_witness
        } else {
            &mut self.by_target
        };
        running.remove(&round.target);
        Some(round)
    }

    /// Takes all rounds out: this node ran late and must not judge by them.
    pub(crate) fn void(&mut self) -> Vec<u32> {
        self.by_target.clear();
        self.as_witness.clear();
        std::mem::take(&mut self.rounds).into_keys().collect()
    }
}
