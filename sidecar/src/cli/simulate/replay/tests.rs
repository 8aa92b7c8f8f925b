use muster_swim::Config;
use muster_swim::sim::Faults;
use muster_swim::sim::scenario::BuiltIn;

use super::*;

fn scenario(name: &str, members: usize) -> Scenario {
    let built_in = BuiltIn::named(name).expect("there is one");
    built_in.scenario(members, &Config::lan(), &Faults::default())
}

fn story(scenario: &Scenario, seed: u64) -> Vec<String> {
    let replay = run(scenario, seed, RunOptions::default()).expect("it can be run");
    replay.lines(scenario, Look::PLAIN)
}

#[test]
fn a_seed_gives_the_same_story_and_another_seed_another_one() {
    let crash = scenario("crash", 8);
    assert_eq!(story(&crash, 3), story(&crash, 3));
    let hash = |seed| story(&crash, seed).pop();
    assert_ne!(hash(3), hash(4));
}

#[test]
fn who_was_hurt_and_who_knew_when_is_told_in_order() {
    let lines = story(&scenario("crash", 8), 1);
    let text = lines.join("\n");
    assert!(
        text.contains("    5.000  step 1: crash of 3 members, one each 5s"),
        "{text}"
    );
    for needle in [
        "crash at n",
        "the first knows that n",
        "everybody knows that n",
    ] {
        assert_eq!(text.matches(needle).count(), 3, "{needle}: {text}");
    }
    let times: Vec<f64> = lines
        .iter()
        .filter_map(|line| line.split_whitespace().next()?.parse().ok())
        .collect();
    assert!(times.is_sorted(), "{text}");
    assert!(
        text.contains("Trace hash ") && !text.contains("trace,"),
        "{text}"
    );
}

#[test]
fn what_happens_to_many_at_once_is_told_in_one_line() {
    // A seed that leaves most voters.
    let lines = story(&scenario("mass-crash", 30), 2);
    let crashes: Vec<&String> = lines
        .iter()
        .filter(|line| line.contains("crash-host at"))
        .collect();
    assert_eq!(crashes.len(), 1, "{lines:?}");
    assert!(crashes[0].ends_with("and 6 more"), "{crashes:?}");
    assert!(
        lines
            .iter()
            .any(|line| line.contains("everybody knows of all 10 (+")),
        "{lines:?}"
    );
}

#[test]
fn a_violation_is_told_with_the_end_of_the_trace() {
    let mut parted = scenario("partition", 6);
    parted.steps[0].lasts = None;
    parted.agree_within = Some(Duration::from_secs(1));
    let text = story(&parted, 1).join("\n");
    assert!(text.contains("\nviolated: healing: "), "{text}");
    assert!(text.contains("The last lines of the trace"), "{text}");
}

#[test]
fn a_story_has_an_end() {
    let mut busy = scenario("quiet", 3);
    let pause = Step::once(Duration::from_secs(1), Whom::Some(1), Fault::Pause);
    let every = Duration::from_millis(20);
    busy.steps = vec![
        pause
            .lasting(Duration::from_millis(10))
            .repeated(every, None),
    ];
    let lines = story(&busy, 1);
    assert!(lines.len() < LINES + 20, "{} lines", lines.len());
    assert!(
        lines.iter().any(|line| line.ends_with("lines more")),
        "{lines:?}"
    );
}
