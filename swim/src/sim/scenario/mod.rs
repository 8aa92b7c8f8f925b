//! Scenarios: who is there, what happens to whom and when, and what comes of it.
//!
//! A [`Scenario`] is plain data. [`Run::new`] gives one run of it from one seed; [`Summary`] brings
//! the [`Outcome`]s of many runs together.

mod arrivals;
pub mod builtin;
mod check;
mod cuts;
mod faults;
mod measure;
mod outcome;
mod run;
mod summary;
#[cfg(test)]
mod tests;
mod traffic;

use std::time::Duration;

pub use builtin::BuiltIn;
pub use outcome::{Fate, Outcome, Series, TrafficRates};
pub use run::{Run, RunOptions};
pub use summary::{Spread, Summary};

use super::cluster::ClockJump;
use super::network::Faults;
use crate::config::Config;

/// What is simulated.
///
/// A run has three parts. *Start*: the members join. *Measured*: the steps happen; everything in an
/// [`Outcome`] is of this part. *Afterwards*: what must hold when the faults have ended is looked
/// at.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// The word for it.
    pub name: String,
    /// One sentence for listings.
    pub about: String,
    /// Members at the start, `n0` to the last; `n0` is the seed of all others.
    pub members: usize,
    /// The settings of every agent.
    pub config: Config,
    /// Every link, from the start.
    pub network: Faults,
    /// How the members come together.
    pub start: Start,
    /// How long the measured part is.
    pub duration: Duration,
    /// Whether the measured part ends as soon as every step is over and all agree.
    pub end_when_agreed: bool,
    /// How long the members may take to agree once all faults have ended, after the measured part;
    /// `None`: that is not looked at.
    pub agree_within: Option<Duration>,
    /// What happens in the measured part, in any order.
    pub steps: Vec<Step>,
}

/// How the members come together.
#[derive(Clone, Debug, PartialEq)]
pub struct Start {
    /// Time from the seed to the first other.
    pub head_start: Duration,
    /// Time between one start and the next; zero: all others together.
    pub spacing: Duration,
    /// How long all may take to find each other before the measured part begins, and how long it is
    /// quiet after that; `None`: it begins with the first start.
    pub settle: Option<Settle>,
}

/// From the last start to the measured part.
#[derive(Clone, Debug, PartialEq)]
pub struct Settle {
    /// All must agree within this time.
    pub within: Duration,
    /// Then it is quiet for so long.
    pub quiet: Duration,
}

/// Something that happens to some members.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// When, from the start of the measured part.
    pub at: Duration,
    /// To whom.
    pub whom: Whom,
    /// What.
    pub what: Fault,
    /// How long it lasts; `None`: to the end. A crash that ends is a restart.
    pub lasts: Option<Duration>,
    /// Time from one start to the next; `None`: it happens once.
    pub every: Option<Duration>,
    /// How often it happens at most; `None`: to the end of the measured part.
    pub times: Option<u32>,
    /// Whether `whom` is drawn anew each time. Otherwise it is the same members.
    pub redraw: bool,
    /// Time from one member to the next within one occurrence; zero: all at once.
    pub spacing: Duration,
}

/// Whom a step concerns.
#[derive(Clone, Debug, PartialEq)]
pub enum Whom {
    /// Everybody.
    All,
    /// These, by name.
    Named(Vec<String>),
    /// So many, drawn from the seed; never `n0`, through which others join.
    Some(usize),
    /// Such a part of all (0 to 1), rounded up; never `n0`.
    Share(f64),
}

/// What happens to a member.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// The process is killed.
    Crash,
    /// The host is switched off.
    CrashHost,
    /// The process is stopped, as by SIGSTOP.
    Pause,
    /// Its messages are held before they are sent and after they are received; its timers run.
    Block,
    /// The same, and its prober waits until its ping is out (as a thread of memberlist's does).
    BlockProber,
    /// Its wake-ups and what arrives are late by a draw up to this.
    Starve(Duration),
    /// Packets from and to its host are lost with these probabilities; 1 is a cut.
    Loss {
        /// Of what it should receive.
        incoming: f64,
        /// Of what it sends.
        outgoing: f64,
    },
    /// Nothing gets from these members to all others or back.
    Partition,
    /// Nothing gets from these members to others; the other way stays open.
    Cut(Whom),
    /// Nothing gets between these members and others, while everybody else reaches both.
    PartialPartition(Whom),
    /// A middlebox on the way forgets their streams: all that stand are reset.
    ResetStreams,
    /// Their clocks run so many millionths too fast; negative: too slow. At most 1 % either way.
    ClockRate(i32),
    /// The wall clock of the host jumps; the next process that starts there makes its instance
    /// from it.
    ClockJump(ClockJump),
    /// It says goodbye and ends.
    Leave,
    /// It is killed and starts again at once.
    Restart,
    /// Another member joins: `whom` says how many; names go on after the last.
    Join,
    /// Everybody's links (`whom` does not matter) are like this.
    Network(Faults),
}

impl Scenario {
    /// So many members that find each other and are then left alone.
    pub fn quiet(members: usize, config: Config) -> Scenario {
        Scenario {
            name: "quiet".to_owned(),
            about: "nothing happens: what does watching cost?".to_owned(),
            members,
            config,
            network: Faults::default(),
            start: Start::default(),
            duration: Duration::from_secs(60),
            end_when_agreed: false,
            agree_within: Some(Duration::from_secs(120)),
            steps: Vec::new(),
        }
    }

    /// With one more step.
    #[must_use]
    pub fn step(mut self, step: Step) -> Scenario {
        self.steps.push(step);
        self
    }
}

impl Default for Start {
    /// The seed, all others together 1 s later; up to two minutes until all agree, then 15 s of
    /// quiet (Lifeguard section V).
    fn default() -> Start {
        Start {
            head_start: Duration::from_secs(1),
            spacing: Duration::ZERO,
            settle: Some(Settle {
                within: Duration::from_secs(120),
                quiet: Duration::from_secs(15),
            }),
        }
    }
}

impl Step {
    /// Something that happens once and does not end.
    pub fn once(at: Duration, whom: Whom, what: Fault) -> Step {
        Step {
            at,
            whom,
            what,
            lasts: None,
            every: None,
            times: None,
            redraw: false,
            spacing: Duration::ZERO,
        }
    }

    /// That ends.
    #[must_use]
    pub fn lasting(mut self, lasts: Duration) -> Step {
        self.lasts = Some(lasts);
        self
    }

    /// That comes again.
    #[must_use]
    pub fn repeated(mut self, every: Duration, times: Option<u32>) -> Step {
        self.every = Some(every);
        self.times = times;
        self
    }
}

impl Fault {
    /// Whether it is over at once: it cannot last.
    pub(super) fn is_over_at_once(&self) -> bool {
        matches!(
            self,
            Fault::Restart | Fault::Join | Fault::ResetStreams | Fault::ClockJump(_)
        )
    }

    /// Whether it happens to all of them together, not to one after the other.
    pub(super) fn is_of_all_at_once(&self) -> bool {
        self.others().is_some() || matches!(self, Fault::Partition | Fault::Network(_))
    }

    /// The other side of a fault between two.
    pub(super) fn others(&self) -> Option<&Whom> {
        match self {
            Fault::Cut(others) | Fault::PartialPartition(others) => Some(others),
            Fault::Crash
            | Fault::CrashHost
            | Fault::Pause
            | Fault::Block
            | Fault::BlockProber
            | Fault::Starve(_)
            | Fault::Loss { .. }
            | Fault::Partition
            | Fault::ResetStreams
            | Fault::ClockRate(_)
            | Fault::ClockJump(_)
            | Fault::Leave
            | Fault::Restart
            | Fault::Join
            | Fault::Network(_) => None,
        }
    }

    /// Whether a member to which it happens is still well: clocks may be off by so much (guarantee
    /// 1), and a stream may break without anybody's fault.
    pub(super) fn is_harmless(&self) -> bool {
        matches!(
            self,
            Fault::ResetStreams | Fault::ClockRate(_) | Fault::ClockJump(_)
        )
    }

    /// The word of scenario files and reports.
    pub fn as_str(&self) -> &'static str {
        match self {
            Fault::Crash => "crash",
            Fault::CrashHost => "crash-host",
            Fault::Pause => "pause",
            Fault::Block => "block",
            Fault::BlockProber => "block-prober",
            Fault::Starve(_) => "starve",
            Fault::Loss { .. } => "loss",
            Fault::Partition => "partition",
            Fault::Cut(_) => "cut",
            Fault::PartialPartition(_) => "partial-partition",
            Fault::ResetStreams => "reset-streams",
            Fault::ClockRate(_) => "clock-rate",
            Fault::ClockJump(_) => "clock-jump",
            Fault::Leave => "leave",
            Fault::Restart => "restart",
            Fault::Join => "join",
            Fault::Network(_) => "network",
        }
    }
}

/// Why a scenario cannot be run. Nothing was run; its author is at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} is {given}, {allowed}")]
pub struct ScenarioError {
    /// Where, as in a scenario file: `members`, `steps[2].whom`.
    pub field: String,
    /// What is there.
    pub given: String,
    /// What could be there, with the nearest valid value where there is one.
    pub allowed: String,
}
