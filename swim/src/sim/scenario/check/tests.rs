use std::time::Duration;

use super::super::{Fault, Scenario, Step, Whom};
use crate::config::Config;
use crate::sim::cluster::ClockJump;
use crate::sim::network::{Burst, Faults, Latency};

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// Ten members for a minute.
fn ten() -> Scenario {
    Scenario::quiet(10, Config::lan())
}

fn once(whom: Whom, what: Fault) -> Step {
    Step::once(seconds(5), whom, what)
}

fn named(names: &[&str]) -> Whom {
    Whom::Named(names.iter().map(|name| (*name).to_owned()).collect())
}

fn found(scenario: &Scenario) -> Vec<String> {
    let errors = scenario.check();
    errors.iter().map(ToString::to_string).collect()
}

fn found_of(step: Step) -> Vec<String> {
    found(&ten().step(step))
}

#[test]
fn what_can_be_run_is_not_refused() {
    assert_eq!(found(&ten()), [""; 0]);
    let deaf = Fault::Loss {
        incoming: 1.0,
        outgoing: 0.0,
    };
    let steps = [
        once(Whom::Some(9), Fault::Crash),
        once(Whom::Share(0.9), Fault::Pause),
        once(Whom::Share(0.001), Fault::Partition).lasting(seconds(10)),
        once(named(&["n0", "n9"]), Fault::Leave).lasting(seconds(5)),
        once(Whom::All, deaf)
            .lasting(seconds(5))
            .repeated(seconds(5), None),
        once(Whom::Some(500), Fault::Join).repeated(seconds(20), Some(2)),
        // A member that joins later, but before.
        Step::once(seconds(40), named(&["n1009"]), Fault::Crash),
        Step::once(seconds(40), Whom::Some(1009), Fault::Crash),
        once(named(&["n1", "n2"]), Fault::Cut(named(&["n3"]))),
        once(Whom::Some(1), Fault::Cut(Whom::All)).lasting(seconds(5)),
        once(Whom::Some(4), Fault::PartialPartition(Whom::Some(5))),
        once(Whom::Some(7), Fault::PartialPartition(named(&["n3", "n4"]))),
        once(Whom::All, Fault::ClockRate(-10_000)),
        once(Whom::All, Fault::ResetStreams).repeated(seconds(5), None),
        once(
            Whom::Some(1),
            Fault::ClockJump(ClockJump::Back(seconds(3600))),
        ),
        Step {
            spacing: seconds(5),
            ..once(Whom::All, Fault::Restart)
        },
    ];
    let scenario = steps.into_iter().fold(ten(), Scenario::step);
    assert_eq!(found(&scenario), [""; 0]);
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let mut scenario = Scenario::quiet(0, Config::lan());
    scenario.config.rings = 9;
    scenario.network.loss = 1.5;
    scenario.start.spacing = seconds(5000);
    scenario.duration = Duration::ZERO;
    let fields: Vec<String> = scenario.check().into_iter().map(|e| e.field).collect();
    assert_eq!(
        fields,
        [
            "members",
            "settings.rings",
            "network.loss",
            "start.spacing",
            "duration"
        ]
    );
}

#[test]
fn whom_must_be_somebody_and_not_more_than_there_are() {
    let cases = [
        (named(&[]), "[] nobody; allowed is at least one name"),
        (
            named(&["n3", "n10"]),
            "[1] \"n10\" there is no such member, allowed is n0 to n9",
        ),
        (
            named(&["n03"]),
            "[0] \"n03\" there is no such member, allowed is n0 to n9",
        ),
        (named(&["n3", "n3"]), "[1] \"n3\" it is listed already"),
        (Whom::Some(0), " 0 allowed is 1 to 9 (n0 is never drawn)"),
        (Whom::Some(10), " 10 allowed is 1 to 9 (n0 is never drawn)"),
        (
            Whom::Share(1.0),
            " 100% allowed is more than 0% to 90%, 9 members (n0 is never drawn)",
        ),
        (
            Whom::Share(0.0),
            " 0% allowed is more than 0% to 90%, 9 members (n0 is never drawn)",
        ),
        (
            Whom::Share(f64::NAN),
            " NaN% allowed is more than 0% to 90%, 9 members (n0 is never drawn)",
        ),
    ];
    for (whom, expected) in cases {
        let errors = ten().step(once(whom.clone(), Fault::Crash)).check();
        assert_eq!(errors.len(), 1, "{whom:?}: {errors:?}");
        let place = errors[0]
            .field
            .strip_prefix("steps[0].whom")
            .expect("of whom");
        let shown = format!("{place} {} {}", errors[0].given, errors[0].allowed);
        assert_eq!(shown.trim(), expected.trim(), "{whom:?}");
    }
    let alone = Scenario::quiet(1, Config::lan()).step(once(Whom::Some(1), Fault::Crash));
    assert_eq!(
        found(&alone),
        ["steps[0].whom is 1, but there is nobody but n0, which is never drawn; have more members"]
    );
}

#[test]
fn whom_a_step_names_is_there_when_it_happens() {
    let growing = || ten().step(Step::once(seconds(20), Whom::Some(5), Fault::Join));
    let of = |step: Step| found(&growing().step(step));
    for (step, expected) in [
        (
            once(named(&["n10"]), Fault::Crash),
            "whom[0] is \"n10\", which joins at 20s; allowed at 5s is n0 to n9",
        ),
        (
            Step::once(seconds(20), named(&["n14"]), Fault::Crash),
            "whom[0] is \"n14\", which joins at 20s; allowed at 20s is n0 to n9",
        ),
        (
            Step::once(seconds(30), named(&["n15"]), Fault::Crash),
            "whom[0] is \"n15\", there is no such member, allowed is n0 to n14",
        ),
        (
            once(Whom::Some(10), Fault::Crash),
            "whom is 10, allowed at 5s is 1 to 9 (n0 is never drawn)",
        ),
        (
            once(Whom::Share(0.95), Fault::Crash),
            "whom is 95%, allowed at 5s is more than 0% to 90%, 9 members (n0 is never drawn)",
        ),
        (
            once(Whom::Some(1), Fault::Cut(named(&["n11"]))),
            "others[0] is \"n11\", which joins at 20s; allowed at 5s is n0 to n9",
        ),
    ] {
        assert_eq!(of(step), [format!("steps[1].{expected}")]);
    }
    let all: Vec<String> = (0..10).map(|number| format!("n{number}")).collect();
    let errors = of(once(Whom::Named(all), Fault::Partition));
    assert!(
        errors.len() == 1 && errors[0].contains("nobody would be on the other side"),
        "of those who are there: {errors:?}"
    );
    let later = Step::once(seconds(21), named(&["n14"]), Fault::Crash);
    assert_eq!(of(later), [""; 0]);
}

#[test]
fn who_still_starts_is_not_there_yet() {
    let mut scenario = ten();
    scenario.start.settle = None;
    scenario.start.spacing = seconds(2);
    // n0 at 0 s, n1 after a second, n2 after three.
    let at = |second: u64, name: &str| Step::once(seconds(second), named(&[name]), Fault::Pause);
    assert_eq!(
        found(&scenario.clone().step(at(3, "n2"))),
        ["steps[0].whom[0] is \"n2\", which joins at 3s; allowed at 3s is n0 to n1"]
    );
    assert_eq!(found(&scenario.step(at(4, "n2"))), [""; 0]);
}

#[test]
fn a_cut_has_two_sides_and_nobody_is_on_both() {
    let cut = |whom: Whom, others: Whom| found_of(once(whom, Fault::Cut(others)));
    for (whom, others, expected) in [
        (
            Whom::All,
            Whom::Some(1),
            "whom is all, nobody would be on the other side; allowed is a part of all",
        ),
        (
            named(&["n1", "n2"]),
            named(&["n3", "n2"]),
            "others[1] is \"n2\", it is on the other side already, in whom",
        ),
        (
            Whom::Some(8),
            named(&["n3", "n4"]),
            "whom is 8, allowed is 1 to 7 (n0 is never drawn)",
        ),
        (
            Whom::Some(5),
            Whom::Some(5),
            "others is 5, allowed is 1 to 4 (n0 is never drawn)",
        ),
        (
            Whom::Some(1),
            named(&[]),
            "others is [], nobody; allowed is at least one name",
        ),
    ] {
        let errors = cut(whom, others);
        assert_eq!(
            errors.first(),
            Some(&format!("steps[0].{expected}")),
            "{errors:?}"
        );
    }
}

#[test]
fn a_partition_has_two_sides() {
    assert_eq!(
        found_of(once(Whom::All, Fault::Partition)),
        ["steps[0].whom is all, nobody would be on the other side; allowed is a part of all"]
    );
    let all: Vec<String> = (0..10).map(|number| format!("n{number}")).collect();
    let errors = found_of(once(Whom::Named(all), Fault::Partition));
    assert!(
        errors.len() == 1 && errors[0].contains("nobody would be on the other side"),
        "{errors:?}"
    );
}

#[test]
fn two_partitions_do_not_overlap() {
    let part = |at| Step::once(seconds(at), Whom::Some(1), Fault::Partition).lasting(seconds(10));
    let apart = ten().step(part(5)).step(part(15));
    assert_eq!(found(&apart), [""; 0]);
    let overlapping = ten().step(part(14)).step(part(5));
    assert_eq!(
        found(&overlapping),
        [
            "steps[0].at is 14s, when the partition of step 2, until 15s, is not over: only one at a \
          time"
        ]
    );
    let repeated = ten()
        .step(part(0).repeated(seconds(20), Some(2)))
        .step(part(25));
    assert_eq!(found(&repeated).len(), 1);
    let network = || once(Whom::All, Fault::Network(Faults::default()));
    let twice = ten().step(network()).step(network());
    assert_eq!(
        found(&twice).len(),
        1,
        "one without an end lasts to the end"
    );
}

#[test]
fn a_step_is_in_time() {
    let crash = || once(Whom::Some(1), Fault::Crash);
    let late = Step {
        at: seconds(60),
        ..crash()
    };
    assert_eq!(
        found_of(late),
        ["steps[0].at is 60s, allowed is before the end at 60s"]
    );
    let slow = Step {
        spacing: seconds(10),
        ..once(Whom::Some(9), Fault::Crash)
    };
    assert_eq!(
        found_of(slow),
        [
            "steps[0].spacing is 10s, and the last of 9 would come after the end at 60s; allowed is \
          up to 6.874s"
        ]
    );
    let allowed = Step {
        spacing: Duration::from_millis(6874),
        ..once(Whom::Some(9), Fault::Crash)
    };
    assert_eq!(found_of(allowed), [""; 0]);
}

#[test]
fn repetitions_do_not_run_into_each_other() {
    let pause = || once(Whom::Some(1), Fault::Pause).lasting(seconds(20));
    assert_eq!(
        found_of(pause().repeated(seconds(10), None)),
        ["steps[0].every is 10s, allowed is 20s or longer, for it lasts so long"]
    );
    assert_eq!(found_of(pause().repeated(seconds(20), None)), [""; 0]);
    let part = once(Whom::Some(1), Fault::Partition).lasting(seconds(20));
    assert_eq!(
        found_of(part.repeated(seconds(20), None)),
        ["steps[0].every is 20s, allowed is 20.01s or longer, for it lasts so long"]
    );
    let busy = once(Whom::Some(1), Fault::Restart).repeated(Duration::ZERO, Some(0));
    assert_eq!(
        found_of(busy),
        [
            "steps[0].times is 0, allowed is 1 or more",
            "steps[0].every is 0ns, allowed is 10ms or longer",
        ]
    );
    let single = Step {
        times: Some(3),
        redraw: true,
        ..pause()
    };
    assert_eq!(
        found_of(single),
        [
            "steps[0].times is 3, but says nothing without every, the time from one to the next",
            "steps[0].redraw is true, but says nothing without every: there is one draw",
        ]
    );
}

#[test]
fn parameters_belong_to_what_happens_and_are_in_their_ranges() {
    let some = || Whom::Some(1);
    let loss = |incoming, outgoing| Fault::Loss { incoming, outgoing };
    let network = Faults {
        latency: Latency::Uniform(seconds(2)..seconds(1)),
        burst: Some(Burst {
            loss: 0.5,
            lasts: seconds(2),
            every: seconds(1),
        }),
        ..Faults::default()
    };
    let cases = [
        (
            once(some(), Fault::Restart).lasting(seconds(1)),
            "lasts is 1s, but a restart is over at once; leave it out",
        ),
        (
            once(some(), Fault::Pause).lasting(Duration::ZERO),
            "lasts is 0ns, allowed is longer than 0s, or leave it out: to the end",
        ),
        (
            once(Whom::Share(0.5), Fault::Join),
            "whom is 50%, allowed is how many join, a number",
        ),
        (
            once(some(), Fault::Starve(Duration::ZERO)),
            "late is 0ns, allowed is 1ms to 60s",
        ),
        (
            once(some(), loss(2.0, 0.0)),
            "incoming is 2, allowed is 0 to 1",
        ),
        (
            once(some(), loss(0.0, 0.0)),
            "incoming is 0, and so is outgoing: nothing would be lost",
        ),
        (
            Step {
                spacing: seconds(1),
                ..once(some(), Fault::Partition)
            },
            "spacing is 1s, but a partition is of all at once; leave it out",
        ),
    ];
    let clocks = [
        (
            once(Whom::All, Fault::ClockRate(0)),
            "rate is 0%, allowed is \"-1%\" to \"+1%\", but not 0",
        ),
        (
            once(Whom::All, Fault::ClockRate(-10_001)),
            "rate is -1.0001%, allowed is \"-1%\" to \"+1%\", but not 0",
        ),
        (
            once(
                Whom::All,
                Fault::ClockJump(ClockJump::Ahead(Duration::ZERO)),
            ),
            "by is 0ns, allowed is 1ms to 31622400s",
        ),
        (
            once(Whom::All, Fault::ResetStreams).lasting(seconds(5)),
            "lasts is 5s, but a reset-streams is over at once; leave it out",
        ),
    ];
    for (step, expected) in cases.into_iter().chain(clocks) {
        assert_eq!(found_of(step), [format!("steps[0].{expected}")]);
    }
    assert_eq!(
        found_of(once(Whom::All, Fault::Network(network))),
        [
            "steps[0].network.latency.max is 1s, allowed is 2s to 60s",
            "steps[0].network.burst.every is 1s, allowed is 2.001s to 86400s",
        ]
    );
}

#[test]
fn numbers_beyond_all_measure_are_refused_and_nothing_overflows() {
    let mut scenario = Scenario::quiet(usize::MAX, Config::lan());
    scenario.duration = Duration::MAX;
    let step = Step {
        at: Duration::MAX,
        whom: Whom::Some(usize::MAX),
        what: Fault::Join,
        lasts: Some(Duration::MAX),
        every: Some(Duration::from_nanos(1)),
        times: None,
        redraw: true,
        spacing: Duration::MAX,
    };
    let part = Step {
        what: Fault::Partition,
        ..step.clone()
    };
    let errors = scenario.step(step).step(part).check();
    assert!(errors.len() >= 6, "{errors:?}");
}
