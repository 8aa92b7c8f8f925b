//! Whatever comes in, in whatever order: the docket stays whole and comes to rest.

use std::time::Duration;

use proptest::prelude::*;

use super::court::name;
use crate::config::Config;
use crate::coordinator::docket::{Docket, Order, Report, Ruling, Summons};
use crate::coordinator::{Finding, Testimony};
use crate::event::Silence;
use crate::members::{Instance, Name};
use crate::time::Time;

#[derive(Clone, Debug)]
enum Step {
    Report {
        subject: usize,
        life: u64,
        by: usize,
        silence: Silence,
        health: u8,
    },
    Summon {
        subject: usize,
        witnesses: Vec<usize>,
        voters: Vec<usize>,
        members: usize,
    },
    Testify {
        subject: usize,
        life: u64,
        by: usize,
        finding: Finding,
        health: u8,
    },
    /// The last so many questions are answered.
    Answer {
        many: usize,
        finding: Finding,
    },
    Refute {
        subject: usize,
    },
    Gone {
        subject: usize,
    },
    Removed {
        subject: usize,
        life: u64,
    },
    Admitted {
        subject: usize,
    },
    Degraded {
        subject: usize,
        life: u64,
    },
    Candidate {
        subject: usize,
        life: u64,
        removals: u8,
    },
    Wait {
        millis: u64,
    },
    /// Nobody wakes it for a while.
    Sleep {
        millis: u64,
    },
    /// It had no lease for a moment.
    HearAgain,
}

fn any_silence() -> impl Strategy<Value = Silence> {
    prop::sample::select(vec![
        Silence::Stalled,
        Silence::CutOff,
        Silence::Refused,
        Silence::Replaced,
    ])
}

fn any_finding() -> impl Strategy<Value = Finding> {
    prop_oneof![
        2 => Just(Finding::Reached),
        4 => any_silence().prop_map(Finding::Unreached),
        1 => Just(Finding::NoTestimony),
    ]
}

fn any_step() -> impl Strategy<Value = Step> {
    let who = || 0usize..12;
    let life = || 1u64..3;
    let some = || prop::collection::vec(0usize..30, 0..24);
    prop_oneof![
        8 => (who(), life(), who(), any_silence(), 0u8..12).prop_map(
            |(subject, life, by, silence, health)| Step::Report {
                subject,
                life,
                by,
                silence,
                health,
            }
        ),
        2 => (who(), some(), some(), 0usize..20).prop_map(
            |(subject, witnesses, voters, members)| Step::Summon {
                subject,
                witnesses,
                voters,
                members,
            }
        ),
        4 => (who(), life(), who(), any_finding(), 0u8..12).prop_map(
            |(subject, life, by, finding, health)| Step::Testify {
                subject,
                life,
                by,
                finding,
                health,
            }
        ),
        6 => (1usize..20, any_finding()).prop_map(|(many, finding)| Step::Answer { many, finding }),
        2 => who().prop_map(|subject| Step::Refute { subject }),
        1 => who().prop_map(|subject| Step::Gone { subject }),
        1 => (who(), life()).prop_map(|(subject, life)| Step::Removed { subject, life }),
        1 => who().prop_map(|subject| Step::Admitted { subject }),
        1 => (who(), life()).prop_map(|(subject, life)| Step::Degraded { subject, life }),
        1 => (who(), life(), any::<u8>()).prop_map(
            |(subject, life, removals)| Step::Candidate { subject, life, removals }
        ),
        6 => prop::sample::select(vec![0u64, 1, 49, 50, 300, 1_000, 1_300, 6_000, 70_000])
            .prop_map(|millis| Step::Wait { millis }),
        1 => prop::sample::select(vec![1u64, 1_000, 20_000])
            .prop_map(|millis| Step::Sleep { millis }),
        1 => Just(Step::HearAgain),
    ]
}

struct Monkey {
    docket: Docket,
    now: Time,
    asked: Vec<(usize, usize, Instance)>,
    /// Names the witnesses it is asked for.
    helpful: bool,
    /// Members of the view as the docket was last told.
    members: usize,
}

fn summons(of: &[usize], voters: &[usize], members: usize) -> Summons {
    Summons {
        witnesses: of.iter().copied().map(name).collect(),
        voters: voters.iter().copied().map(name).collect(),
        members,
    }
}

impl Monkey {
    fn summon(&mut self, subject: &Name, summons: Summons) {
        self.members = summons.members;
        self.docket.summon(subject, summons, self.now);
    }

    /// Names witnesses as an owner would.
    fn help(&mut self, subject: &Name) {
        self.summon(subject, summons(&[0, 1, 2, 3, 4, 5], &[0, 1, 2], 12));
    }

    fn take(&mut self, step: &Step) {
        let now = self.now;
        match step {
            Step::Report {
                subject,
                life,
                by,
                silence,
                health,
            } => {
                let report = Report {
                    subject: name(*subject),
                    instance: Instance(*life),
                    by: name(*by),
                    silence: *silence,
                    health: *health,
                };
                let opened = self.docket.on_report(report, now);
                assert!(!opened || *subject != 0 && subject != by);
                if opened && self.helpful {
                    self.help(&name(*subject));
                }
            }
            Step::Summon {
                subject,
                witnesses,
                voters,
                members,
            } => {
                let summons = summons(witnesses, voters, *members);
                self.summon(&name(*subject), summons);
            }
            Step::Testify {
                subject,
                life,
                by,
                finding,
                health,
            } => {
                let life = Instance(*life);
                (self.docket).on_testimony(
                    &name(*subject),
                    life,
                    &name(*by),
                    *finding,
                    *health,
                    now,
                );
            }
            Step::Answer { many, finding } => {
                let from = self.asked.len().saturating_sub(*many);
                for (by, subject, life) in self.asked.split_off(from) {
                    (self.docket).on_testimony(&name(subject), life, &name(by), *finding, 0, now);
                    self.drain();
                }
            }
            Step::Refute { subject } => self.docket.on_refutation(&name(*subject), now),
            Step::Gone { subject } => self.docket.on_gone(&name(*subject), now),
            Step::Removed { subject, life } => {
                self.docket
                    .on_removed(&name(*subject), Instance(*life), now);
            }
            Step::Admitted { subject } => self.docket.on_admitted(&name(*subject), now),
            Step::Degraded { subject, life } => {
                self.docket
                    .on_degraded(&name(*subject), Instance(*life), now);
            }
            Step::Candidate {
                subject,
                life,
                removals,
            } => {
                let life = Instance(*life);
                let _ = (self.docket).on_candidate(&name(*subject), life, *removals, now);
            }
            Step::Wait { millis } => self.wait(Duration::from_millis(*millis)),
            Step::HearAgain => self.docket.hear_again(&[name(0), name(1)], now),
            Step::Sleep { millis } => {
                self.now = now + Duration::from_millis(*millis);
                self.docket.handle_timeout(self.now);
            }
        }
        self.drain();
    }

    fn wait(&mut self, duration: Duration) {
        let until = self.now + duration;
        let mut steps = 0;
        while let Some(due) = self.docket.poll_timeout().filter(|due| *due <= until) {
            steps = if due > self.now { 0 } else { steps + 1 };
            assert!(steps < 100, "time goes on");
            self.now = self.now.max(due);
            self.docket.handle_timeout(self.now);
            self.drain();
        }
        self.now = until;
    }

    fn drain(&mut self) {
        while let Some(order) = self.docket.poll_order() {
            match order {
                Order::Ask {
                    witness,
                    subject,
                    instance,
                } => {
                    assert_ne!(witness, subject);
                    let number = super::court::number;
                    self.asked
                        .push((number(&witness), number(&subject), instance));
                }
                Order::Summon { subject, .. } if self.helpful => {
                    self.help(&subject);
                }
                Order::Summon { .. } | Order::Readmit { .. } => {}
                Order::Decide(rulings) => {
                    assert!(!rulings.is_empty());
                    for ruling in rulings {
                        self.check(&ruling);
                    }
                }
            }
        }
        self.docket.check_invariants();
    }

    /// A ruling says on what it rests.
    fn check(&self, ruling: &Ruling) {
        let (Ruling::Convict { name, evidence, .. } | Ruling::Degrade { name, evidence, .. }) =
            ruling
        else {
            return;
        };
        assert_ne!(*name, super::court::name(0), "nobody judges itself");
        let words = &evidence.testimonies;
        assert!(
            words
                .iter()
                .all(|word| word.by != *name && word.weight <= 100)
        );
        assert!(
            words
                .windows(2)
                .all(|pair| pair[0].after_ms <= pair[1].after_ms)
        );
        let unreached = |word: &&Testimony| matches!(word.finding, Finding::Unreached(_));
        let by = words.iter().filter(unreached).count();
        let convicts = matches!(ruling, Ruling::Convict { .. });
        assert!(
            !convicts || by >= 2 || self.members <= 2,
            "one observer convicts nobody: {evidence:?}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        max_shrink_iters: 4000,
        ..ProptestConfig::default()
    })]

    #[test]
    fn nothing_that_comes_in_breaks_a_docket(
        steps in prop::collection::vec(any_step(), 1..200),
        helpful in any::<bool>(),
    ) {
        let docket = Docket::new(&Config::lan(), &name(0), Time::ZERO);
        let (now, asked) = (Time::ZERO, Vec::new());
        let mut monkey = Monkey { docket, now, asked, helpful, members: 12 };
        for step in &steps {
            monkey.take(step);
        }
        // Two others do not reach a case that is never settled; all are reached now.
        for _ in 0..200 {
            monkey.take(&Step::Answer { many: usize::MAX, finding: Finding::Reached });
            monkey.take(&Step::Wait { millis: 400 });
            let open: Vec<usize> = (0..12)
                .filter(|at| monkey.docket.open_case(&name(*at)).is_some())
                .collect();
            for subject in open {
                let of = summons(&[1, 2, 3, 4], &[0, 1, 2], 12);
                monkey.summon(&name(subject), of);
                monkey.drain();
            }
        }
        for at in 0..12 {
            prop_assert!(monkey.docket.open_case(&name(at)).is_none(), "{at} is settled");
        }
    }
}
