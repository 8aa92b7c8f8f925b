//! Properties that are broken are seen to be.

use std::time::Duration;

use super::*;
use crate::coordinator::{Epoch, View};
use crate::event::{Event, EventKind, MemberInfo, State, UnreachableCause};
use crate::members::{Apps, Incarnation, Instance, Name, Tags};
use crate::node::KeyChange;
use crate::sim::{Cluster, Launch, Options, Pid};
use crate::wire::sealing::{Key, Keyring, Plaintext};

const SECOND: Duration = Duration::from_secs(1);

fn cluster(seed: u64, count: usize) -> (Cluster, Vec<Pid>) {
    let options = Options {
        fail_fast: false,
        ..Options::default()
    };
    let mut cluster = Cluster::new(seed, options);
    let pids = cluster.grow(count, Launch::numbered);
    let met = cluster.run_until(30 * SECOND, Cluster::agrees);
    assert!(met.is_some(), "the members find each other");
    cluster.run_for(10 * SECOND);
    (cluster, pids)
}

/// What a watch of `n0` finds when it is told these events, each at its own time.
fn told(events: &[Event]) -> Vec<(Property, String)> {
    let (cluster, pids) = cluster(1, 1);
    let mut watch = Watch::new(cluster.node(pids[0]));
    let mut found = Findings::new(false, false);
    for event in events {
        watch.on_event(event, event.time, event.time, &mut found);
    }
    let kept = found.kept().iter();
    kept.map(|violation| (violation.property, violation.process.clone()))
        .collect()
}

fn event(name: &str, kind: EventKind, state: State) -> Event {
    let name = Name::new(name).expect("it is a name");
    Event {
        time: Time::ZERO,
        member: MemberInfo {
            is_self: name.as_str() == "n0",
            name,
            addr: Launch::numbered(1).addr,
            instance: Instance(5),
            incarnation: Incarnation::default(),
            state,
            since: Time::ZERO,
            tags: Tags::default(),
            apps: Apps::default(),
            rtt: None,
            verdict: None,
            view: View(0),
            voter: false,
        },
        kind,
        view: View(0),
        epoch: Epoch(0),
    }
}

fn reachable(name: &str) -> Event {
    event(name, EventKind::Reachable, State::Alive)
}

#[test]
fn what_is_as_it_should_be_is_no_violation() {
    let cause = UnreachableCause::Told {
        by: Name::new("n2").expect("it is a name"),
    };
    let gone = EventKind::Unreachable { cause };
    let mut newer = reachable("n1");
    newer.member.instance = Instance(6);
    let events = [
        reachable("n1"),
        event("n1", gone, State::Unreachable),
        reachable("n1"),
        newer,
        event("n0", EventKind::Updated, State::Alive),
    ];
    assert_eq!(told(&events), []);
}

#[test]
fn each_rule_of_events_is_looked_at() {
    let one = |property| vec![(property, "n0".to_owned())];
    let twice = [reachable("n1"), reachable("n1")];
    assert_eq!(told(&twice), one(Property::NoNewsTwice));

    let itself = event("n0", EventKind::Reachable, State::Alive);
    assert_eq!(told(&[itself]), one(Property::NoSelfReport));
    let mut other = event("n1", EventKind::Updated, State::Alive);
    other.member.is_self = true;
    assert_eq!(told(&[other]), one(Property::NoSelfReport));

    let mut older = reachable("n1");
    older.member.instance = Instance(4);
    let back = [reachable("n1"), older];
    assert_eq!(told(&back), one(Property::InstanceNeverGoesBack));

    let unknown = event("n1", EventKind::Updated, State::Alive);
    assert_eq!(told(&[unknown]), one(Property::EventsTellTheTable));
    let wrong = event("n1", EventKind::Left, State::Alive);
    assert_eq!(told(&[wrong]), one(Property::EventsTellTheTable));
}

#[test]
fn events_happen_now_and_nobody_is_woken_over_and_over() {
    let (cluster, pids) = cluster(1, 1);
    let node = cluster.node(pids[0]);
    let now = cluster.now();
    let mut watch = Watch::new(node);
    let mut found = Findings::new(false, false);
    watch.on_event(&reachable("n1"), now, now, &mut found);
    for count in 1..=65 {
        let goes_on = watch.on_wake(node, now, now, &mut found);
        assert_eq!(goes_on, count <= 64);
    }
    assert!(watch.on_wake(node, now + SECOND, now, &mut found));
    watch.on_wake(node, now, now + 100 * SECOND, &mut found);
    let properties: Vec<Property> = found.kept().iter().map(|seen| seen.property).collect();
    let [past, busy] = [Property::NothingInThePast, Property::NoBusyLoop];
    assert_eq!(properties, [past, busy, past]);
}

#[test]
fn who_decides_tells_it_and_tells_it_again_after_a_lapse() {
    let (cluster, pids) = cluster(1, 1);
    let node = cluster.node(pids[0]);
    let now = cluster.now();
    assert!(node.decides(now));
    let mut watch = Watch::new(node);
    let mut found = Findings::new(false, false);
    watch.on_step(node, now, now, &mut found);
    let mut begins = event("n0", EventKind::CoordinatorChanged, State::Alive);
    (begins.member.is_self, begins.time) = (true, now);
    watch.on_event(&begins, now, now, &mut found);
    watch.on_step(node, now, now, &mut found);
    let properties: Vec<Property> = found.kept().iter().map(|seen| seen.property).collect();
    assert_eq!(properties, [Property::EventsTellTheTable]);
}

#[test]
fn a_table_that_was_not_told_is_a_violation_once() {
    let (cluster, pids) = cluster(1, 3);
    let node = cluster.node(pids[0]);
    let mut watch = Watch::new(node);
    let mut found = Findings::new(false, false);
    watch.compare(node, cluster.now(), &mut found);
    watch.compare(node, cluster.now(), &mut found);
    let properties: Vec<Property> = found.kept().iter().map(|seen| seen.property).collect();
    assert_eq!(properties, [Property::EventsTellTheTable; 2]);
}

#[test]
fn a_table_that_differs_from_what_was_told_is_a_violation() {
    let (cluster, pids) = cluster(1, 2);
    let node = cluster.node(pids[0]);
    let mut watch = Watch::new(node);
    let mut found = Findings::new(false, false);
    watch.on_event(&reachable("n1"), Time::ZERO, Time::ZERO, &mut found);
    watch.compare(node, cluster.now(), &mut found);
    watch.compare(node, cluster.now(), &mut found);
    assert_eq!(found.kept().len(), 1, "then it is known");
    assert!(found.kept()[0].text.contains("and told Some(Seen"));
}

#[test]
fn a_process_in_a_busy_loop_is_reported_and_lets_time_pass() {
    let (mut cluster, pids) = cluster(1, 1);
    for _ in 0..65 {
        cluster.time_out(pids[0]);
    }
    let [violation] = cluster.violations() else {
        panic!("one: {:?}", cluster.violations());
    };
    assert_eq!(violation.property, Property::NoBusyLoop);
    let now = cluster.now();
    assert!(cluster.process(pids[0]).busy_until > now);
}

#[test]
fn a_member_that_is_forgotten_too_early_is_a_violation() {
    let mut found = Findings::new(false, false);
    let (cluster, pids) = cluster(1, 2);
    let node = cluster.node(pids[0]);
    let mut watch = Watch::new(node);
    watch.on_event(&reachable("n9"), Time::ZERO, Time::ZERO, &mut found);
    assert_eq!(found.kept(), []);
    watch.compare(node, cluster.now(), &mut found);
    let texts: Vec<&str> = found.kept().iter().map(|seen| seen.text.as_str()).collect();
    assert!(texts[1].starts_with("forgot n9"), "{texts:?}");
}

/// Two that share a key, one that has another, and one that has none.
fn sealed_and_strangers() -> (Cluster, [Pid; 4]) {
    let options = Options {
        fail_fast: false,
        ..Options::default()
    };
    let ring = |number| {
        let key = Key::new([number; 32]);
        Keyring::new(1, vec![(key, None)]).expect("it has a key")
    };
    let mut cluster = Cluster::new(1, options);
    let door = Launch::numbered(0).addr;
    let [one, two, other] = [(0, 1), (1, 1), (2, 2)].map(|(at, number)| {
        let launch = Launch::numbered(at).keys(ring(number), Plaintext::Refuse);
        cluster.launch(launch.seed(door))
    });
    let plain = cluster.launch(Launch::numbered(3).seed(door));
    cluster.run_for(30 * SECOND);
    assert_eq!(cluster.state(one, two), Some(State::Alive));
    assert_eq!(cluster.violations(), []);
    (cluster, [one, two, other, plain])
}

#[test]
fn who_is_told_of_one_without_its_key_is_not_closed() {
    let (cluster, [one, two, other, plain]) = sealed_and_strangers();
    let told = |at: Pid, of: Pid, instance: Option<Instance>| {
        let me = cluster.node(of).me();
        let mut event = reachable(me.name.as_str());
        event.member.instance = instance.unwrap_or(me.instance);
        event.member.is_self = false;
        let (launch, mut found) = (cluster.launched(at), Findings::new(false, false));
        let circles = &cluster.circles;
        circles.on_event((at, launch), &event, cluster.now(), &mut found);
        let kept = found.kept().iter();
        kept.map(|seen| (seen.property, seen.process.clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(told(one, two, None), []);
    for (at, of, word) in [
        (one, other, "n0"),
        (two, plain, "n1"),
        (other, one, "n2"),
        (plain, one, "n3"),
    ] {
        assert_eq!(told(at, of, None), [(Property::Closed, word.to_owned())]);
    }
    let invented = told(one, two, Some(Instance(5)));
    assert_eq!(invented.len(), 1, "nobody ever lived it");
}

#[test]
fn a_table_with_one_of_another_circle_is_not_closed() {
    let (cluster, [one, two, other, _]) = sealed_and_strangers();
    let look = |at: Pid, as_of: Pid| {
        let mut found = Findings::new(false, false);
        let (launch, node) = (cluster.launched(as_of), cluster.node(at));
        let circles = &cluster.circles;
        circles.look((as_of, launch), node, cluster.now(), &mut found);
        found.kept().to_vec()
    };
    assert_eq!(look(one, two), []);
    let seen = look(one, other);
    assert!(seen.iter().all(|seen| seen.property == Property::Closed));
    let texts: Vec<&str> = seen.iter().map(|seen| &seen.text[..17]).collect();
    assert!(texts.contains(&"holds an outsider"), "{texts:?}");
    assert!(texts.contains(&"has an outsider i"), "{texts:?}");
}

#[test]
fn a_circle_is_all_that_ever_had_a_way_to_each_other() {
    let launch = |name: &str, keys: &[u8], plaintext| {
        let keys = keys.iter().map(|number| (Key::new([*number; 32]), None));
        let keys: Vec<_> = keys.collect();
        let ring = (!keys.is_empty()).then(|| Keyring::new(1, keys).expect("it has a key"));
        let mut launch = Launch::new(name, Launch::numbered(1).addr);
        (launch.keys, launch.plaintext) = (ring, plaintext);
        launch
    };
    let refuse = Plaintext::Refuse;
    let launches = [
        launch("one", &[1], refuse),
        launch("two", &[2], refuse),
        launch("both", &[1, 2], refuse),
        launch("elsewhere", &[1], refuse),
        launch("plain", &[], refuse),
        launch("three", &[3], refuse),
    ];
    let [one, two, both, elsewhere, plain, three] = [0, 1, 2, 3, 4, 5].map(Pid);
    let mut launches = launches.to_vec();
    launches[3].cluster = Name::new("other").expect("it is a name");
    let starts = |circles: &mut Circles, pid: Pid| {
        let launch = &launches[pid.0 as usize];
        circles.on_launch(pid, launch);
        circles.on_life(pid, &launch.name, Instance(1));
    };
    let knows = |circles: &Circles, at: Pid, of: Pid| {
        let mut found = Findings::new(false, false);
        let [at_launch, of_launch] = [at, of].map(|pid| &launches[pid.0 as usize]);
        let mut event = reachable(of_launch.name.as_str());
        event.member.instance = Instance(1);
        circles.on_event((at, at_launch), &event, Time::ZERO, &mut found);
        found.kept().is_empty()
    };
    let mut circles = Circles::default();
    starts(&mut circles, one);
    starts(&mut circles, two);
    assert!(!knows(&circles, one, two));
    // Who has both brings news from the one to the other.
    starts(&mut circles, both);
    assert!(knows(&circles, one, two) && knows(&circles, two, both));
    starts(&mut circles, elsewhere);
    assert!(!knows(&circles, one, elsewhere) && !knows(&circles, elsewhere, one));
    starts(&mut circles, plain);
    assert!(!knows(&circles, one, plain) && !knows(&circles, plain, one));
    // It is known for good when somebody took plaintext once.
    circles.on_keys(both, &launch("both", &[1, 2], Plaintext::Accept));
    circles.on_keys(both, &launch("both", &[1, 2], refuse));
    assert!(knows(&circles, one, plain) && knows(&circles, plain, one));
    starts(&mut circles, three);
    assert!(!knows(&circles, one, three));
    circles.on_change(two, &KeyChange::Add(Key::new([3; 32])));
    assert!(knows(&circles, one, three) && knows(&circles, three, two));
    assert!(!knows(&circles, one, elsewhere));
}

#[test]
#[should_panic(expected = "no-news-twice does not hold at 0.000000000s at n0")]
fn the_first_violation_is_a_panic_where_tests_ask_for_it() {
    let (cluster, pids) = cluster(1, 1);
    let mut watch = Watch::new(cluster.node(pids[0]));
    let mut found = Findings::new(true, false);
    for _ in 0..2 {
        watch.on_event(&reachable("n1"), Time::ZERO, Time::ZERO, &mut found);
    }
}

#[test]
fn who_is_gone_must_be_missed_in_time() {
    let (mut cluster, pids) = cluster(1, 4);
    let gone = [Gone {
        pid: pids[3],
        since: cluster.now(),
    }];
    cluster.crash_host(pids[3]);
    let seen = completeness(&cluster, &pids[..3], &gone, Duration::ZERO);
    assert_eq!(seen.len(), 3, "nobody knows yet");
    assert!(seen[0].text.contains("holds n3 for alive"), "{}", seen[0]);
    let later = completeness(&cluster, &pids[..3], &gone, 10 * SECOND);
    assert_eq!(later, [], "there is time");
    cluster.run_for(30 * SECOND);
    assert_eq!(completeness(&cluster, &pids[..3], &gone, 10 * SECOND), []);
    // Another life of it is not gone.
    cluster.restart(pids[3]);
    cluster.run_for(5 * SECOND);
    assert_eq!(completeness(&cluster, &pids[..3], &gone, 10 * SECOND), []);
}

#[test]
fn a_death_of_one_that_is_well_is_inaccurate() {
    let (mut cluster, pids) = cluster(1, 5);
    let since = cluster.now();
    let host = cluster.host(pids[4]);
    cluster.network().deafen(host);
    cluster.run_for(30 * SECOND);
    let others = &pids[..4];
    assert_eq!(accuracy(&cluster, others, others, since), []);
    let told = accuracy(&cluster, others, &pids[4..], since);
    assert_eq!(told.len(), 4, "{told:?}");
    let now = cluster.now();
    assert_eq!(
        accuracy(&cluster, others, &pids[4..], now),
        [],
        "that was before"
    );
    // A life that is replaced by another has not died wrongly.
    cluster.network().heal();
    cluster.run_for(60 * SECOND);
    let since = cluster.now();
    cluster.crash(pids[4]);
    cluster.restart(pids[4]);
    cluster.run_for(5 * SECOND);
    assert_eq!(accuracy(&cluster, others, &pids, since), []);
}

#[test]
fn who_lives_must_be_held_alive_again_in_time() {
    let (mut cluster, pids) = cluster(1, 5);
    cluster.pause(pids[4]);
    cluster.run_for(30 * SECOND);
    let ended = cluster.now();
    cluster.resume(pids[4]);
    let seen = refutation(&cluster, &pids[..4], &pids, ended, Duration::ZERO);
    assert_eq!(seen.len(), 4);
    let soon = refutation(&cluster, &pids, &pids, ended, SECOND);
    assert_eq!(soon, [], "there is time");
    cluster.run_for(60 * SECOND);
    assert_eq!(refutation(&cluster, &pids, &pids, ended, 60 * SECOND), []);
}

#[test]
fn who_does_not_agree_is_told_with_what_is_held_of_whom() {
    let (mut cluster, pids) = cluster(1, 4);
    assert_eq!(disagreements(&cluster, 5), [""; 0]);
    cluster.partition(&pids[..1]);
    cluster.run_for(30 * SECOND);
    let ended = cluster.now();
    let words = disagreements(&cluster, 2);
    let expected = [
        "n0 holds n1 for unreachable, which is up",
        "n0 holds n2 for unreachable, which is up",
    ];
    assert_eq!(words, expected);
    let seen = healing(&cluster, ended, Duration::ZERO);
    assert_eq!(seen.len(), 1);
    assert!(seen[0].text.contains(expected[1]), "{}", seen[0]);
    assert_eq!(healing(&cluster, ended, SECOND), [], "there is time");
    cluster.network().heal();
    cluster.run_for(90 * SECOND);
    assert_eq!(healing(&cluster, ended, 90 * SECOND), []);
    assert_eq!(cluster.violations(), []);
}

#[test]
fn disagreements_know_ghosts_strangers_and_differing_tables() {
    let (mut cluster, pids) = cluster(1, 3);
    cluster.crash(pids[2]);
    let words = disagreements(&cluster, 5);
    assert_eq!(
        words,
        [
            "n0 holds n2 for alive, which is not up",
            "n1 holds n2 for alive, which is not up"
        ]
    );
    cluster.launch(Launch::numbered(7));
    let words = disagreements(&cluster, 9).join("\n");
    assert!(
        words.contains("n0 does not know n7, which is up"),
        "{words}"
    );
    let (mut cluster, pids) = self::cluster(2, 2);
    cluster.set_tag(pids[1], "role", "web").expect("it fits");
    let words = disagreements(&cluster, 9);
    assert_eq!(words.len(), 1);
    assert!(words[0].starts_with("of n1 n0 holds alive"), "{words:?}");
    assert!(words[0].contains("web"), "{words:?}");
}

#[test]
fn what_costs_too_much_is_told() {
    let (mut cluster, pids) = cluster(1, 4);
    let since = cluster.now();
    let before: Vec<_> = pids
        .iter()
        .map(|pid| (*pid, cluster.traffic(*pid)))
        .collect();
    cluster.run_for(60 * SECOND);
    let mut budget = Budget {
        // Three voters, of four members; each of their letters is signed.
        packets_per_s: 2.2 + 5.2 / 4.0,
        bytes_per_s: 500.0,
        streams_per_s: 0.0,
    };
    assert_eq!(constant_cost(&cluster, &before, since, &budget), []);
    budget.packets_per_s = 1.0;
    budget.bytes_per_s = 100.0;
    let seen = constant_cost(&cluster, &before, since, &budget);
    assert_eq!(seen.len(), 2);
    assert!(seen[1].text.contains("bytes a second, allowed are 100"));
}

#[test]
fn properties_have_names_of_their_own_and_a_sentence() {
    let mut names: Vec<&str> = Property::ALL
        .iter()
        .map(|property| property.name())
        .collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Property::ALL.len());
    for property in Property::ALL {
        assert!(property.about().ends_with('.'), "{property}");
        assert!(
            property
                .guarantee()
                .is_none_or(|number| (1..=10).contains(&number))
        );
    }
}
