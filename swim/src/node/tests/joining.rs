//! Seeds: refused, tried again, found to be ourselves; joining past a former life.

use std::net::SocketAddr;
use std::time::Duration;

use super::driven::{Driven, address, identity};
use super::puppets::{Puppet, Wired, puppet};
use super::{ms, name, secs};
use crate::config::Config;
use crate::limits;
use crate::members::Instance;
use crate::node::{Lifecycle, Memory, NewError, SeedError, SeedInfo, StreamEnd};
use crate::time::Time;
use crate::wire::{Frame, Message, Refusal, Update};

fn join(node: &mut Driven, seeds: &[&str]) -> Result<(), SeedError> {
    let seeds: Vec<String> = seeds.iter().map(|seed| (*seed).to_owned()).collect();
    node.call(|node, now| node.join(&seeds, now))
}

fn resolved(node: &mut Driven, seed: &str, addresses: &[SocketAddr]) {
    node.call(|node, now| node.handle_resolved(seed, addresses, now));
}

fn seed(node: &Driven) -> SeedInfo {
    let [ref seed] = node.node.seeds()[..] else {
        panic!("one seed")
    };
    seed.clone()
}

#[test]
fn seeds_are_host_and_port() {
    let long = format!("{}:1", "h".repeat(limits::SEED_BYTES - 2));
    for text in [
        "n1:7946",
        "10.0.0.1:1",
        "[::1]:7946",
        "seed.example.com:65535",
        &long,
    ] {
        let mut node = Driven::new();
        assert_eq!(join(&mut node, &[text]), Ok(()), "{text}");
        assert_eq!(node.resolves(), [text]);
    }
    let longer = format!("h{long}");
    for text in [
        "", "n1", ":7946", "n1:", "n1:0", "n1:65536", "n1:x", "::1:7946", "a b:1", "a\n:1", &longer,
    ] {
        let mut node = Driven::new();
        assert_eq!(
            join(&mut node, &[text]),
            Err(SeedError::Malformed(text.to_owned()))
        );
        assert_eq!(node.node.lifecycle(), Lifecycle::Member, "{text}");
    }
}

#[test]
fn one_bad_seed_refuses_all() {
    let mut node = Driven::new();
    let refused = join(&mut node, &["n1:7946", "n2", "n3:7946"]);
    assert_eq!(refused, Err(SeedError::Malformed("n2".to_owned())));
    assert_eq!((node.node.seeds(), node.resolves()), (vec![], vec![]));
}

#[test]
fn seeds_have_a_number() {
    let mut node = Driven::new();
    let all: Vec<String> = (0..limits::SEEDS).map(|n| format!("n{n}:7946")).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    assert_eq!(join(&mut node, &all), Ok(()));
    assert_eq!(join(&mut node, &["more:7946"]), Err(SeedError::TooMany));
    assert_eq!(
        join(&mut node, &all[..3]),
        Ok(()),
        "known ones may be tried again"
    );
    assert_eq!(node.node.seeds().len(), limits::SEEDS);
}

#[test]
fn a_node_without_seeds_is_a_member_and_one_with_seeds_is_joining() {
    let mut node = Driven::new();
    assert_eq!(node.node.lifecycle(), Lifecycle::Member);
    assert_eq!(join(&mut node, &[]), Ok(()));
    assert_eq!(node.node.lifecycle(), Lifecycle::Member);
    assert_eq!(join(&mut node, &["n1:7946"]), Ok(()));
    assert_eq!(node.node.lifecycle(), Lifecycle::Joining);
}

/// The times between the tries of a seed whose every try fails as `fail` makes it.
fn pauses(fail: impl Fn(&mut Driven)) -> Vec<f64> {
    let mut node = Driven::new();
    join(&mut node, &["n1:7946"]).expect("a valid seed");
    let mut pauses = Vec::new();
    let mut tried = node.now;
    assert_eq!(node.resolves(), ["n1:7946"]);
    for _ in 0..8 {
        fail(&mut node);
        while node.resolves().is_empty() {
            node.now = node.deadline().expect("it tries for ever");
            node.call(|node, now| node.handle_timeout(now));
        }
        pauses.push(node.now.since(tried).as_secs_f64());
        tried = node.now;
    }
    pauses
}

#[test]
fn the_pause_after_a_failure_doubles_up_to_the_reconnect_interval() {
    let refuse = |node: &mut Driven| {
        resolved(node, "n1:7946", &[address(9)]);
        let [(stream, to)] = node.connects()[..] else {
            panic!("one stream")
        };
        assert_eq!(to, address(9));
        node.closed(stream, StreamEnd::Refused);
        assert_eq!(seed(node).last_error, Some(SeedError::Refused));
    };
    let unknown = |node: &mut Driven| {
        resolved(node, "n1:7946", &[]);
        assert_eq!(seed(node).last_error, Some(SeedError::Unresolved));
    };
    for pauses in [pauses(refuse), pauses(unknown)] {
        for (pause, expected) in pauses
            .iter()
            .zip([1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0])
        {
            let around = expected * 0.899..expected * 1.101;
            assert!(around.contains(pause), "{pauses:?}");
        }
    }
}

#[test]
fn a_seed_is_tried_again_though_nobody_ever_answers() {
    for pause in pauses(|_| {}) {
        assert_eq!(pause, (2 * limits::STREAM_IDLE).as_secs_f64());
    }
}

#[test]
fn the_own_address_among_seeds_is_left_out() {
    let mut node = Driven::new();
    join(&mut node, &["n1:7946"]).expect("a valid seed");
    resolved(&mut node, "n1:7946", &[address(1), address(9), address(1)]);
    let to: Vec<_> = node.connects().into_iter().map(|(_, to)| to).collect();
    assert_eq!(to, [address(9)]);
}

#[test]
fn a_node_that_is_its_only_seed_is_a_member() {
    let mut node = Driven::new();
    join(&mut node, &["n1:7946"]).expect("a valid seed");
    resolved(&mut node, "n1:7946", &[address(1)]);
    assert_eq!(node.node.lifecycle(), Lifecycle::Member);
    assert!(seed(&node).joined);
    assert_eq!(node.connects(), []);
}

/// Others may come to stand under the name: it is resolved again after growing pauses.
#[test]
fn a_seed_that_is_only_this_node_is_looked_at_again() {
    let mut node = Driven::new();
    join(&mut node, &["n1:7946"]).expect("a valid seed");
    node.resolves();
    resolved(&mut node, "n1:7946", &[address(1)]);
    node.wait(ms(1200));
    assert_eq!(node.resolves(), ["n1:7946"]);
    resolved(&mut node, "n1:7946", &[address(1), address(9)]);
    let to: Vec<_> = node.connects().into_iter().map(|(_, to)| to).collect();
    assert_eq!(to, [address(9)]);
}

/// Who found whom makes no difference.
#[test]
fn joining_ends_when_somebody_else_came() {
    let mut wired = Wired::default();
    let a = wired.add(Driven::with(Config::lan(), identity("a", 1, 100)), Some(9));
    assert_eq!(wired.nodes[a].node.lifecycle(), Lifecycle::Joining);
    wired.add(Driven::with(Config::lan(), identity("b", 2, 100)), Some(1));
    assert_eq!(wired.nodes[a].node.lifecycle(), Lifecycle::Member);
}

/// A name may stand for a whole cluster: a few of its addresses are enough.
#[test]
fn a_seed_with_many_addresses_is_tried_at_few() {
    let mut node = Driven::new();
    join(&mut node, &["all:7946"]).expect("a valid seed");
    let addresses: Vec<SocketAddr> = (10..200).map(address).collect();
    resolved(&mut node, "all:7946", &addresses);
    let streams = node.connects();
    assert_eq!(streams.len(), 2);
    node.closed(streams[0].0, StreamEnd::Refused);
    assert_eq!(
        node.node.lifecycle(),
        Lifecycle::Joining,
        "the other may still answer"
    );
    node.closed(streams[1].0, StreamEnd::Failed);
    assert_eq!(seed(&node).last_error, Some(SeedError::Unanswered));
}

#[test]
fn a_seed_says_why_it_takes_nobody_in() {
    let errors = [
        (Refusal::Cluster, SeedError::OtherCluster),
        (Refusal::Full, SeedError::Full),
    ];
    for (refusal, error) in errors {
        let mut node = Driven::new();
        join(&mut node, &["n1:7946"]).expect("a valid seed");
        resolved(&mut node, "n1:7946", &[address(9)]);
        let [(stream, _)] = node.connects()[..] else {
            panic!("one stream")
        };
        node.connected(stream);
        node.read(stream, &Frame::Refuse(refusal));
        assert_eq!(seed(&node).last_error, Some(error));
        assert_eq!(node.node.lifecycle(), Lifecycle::Joining);
    }
}

#[test]
fn joining_makes_both_members_of_one_cluster() {
    let mut wired = Wired::default();
    let a = wired.add(Driven::with(Config::lan(), identity("a", 1, 100)), None);
    let b = wired.add(Driven::with(Config::lan(), identity("b", 2, 100)), Some(1));
    assert_eq!(wired.nodes[b].node.lifecycle(), Lifecycle::Member);
    assert!(seed(&wired.nodes[b]).joined);
    assert_eq!(wired.nodes[a].events(), ["b reachable"]);
    assert_eq!(wired.nodes[b].events(), ["a reachable"]);
    assert_eq!(wired.nodes[a].node.digest(), wired.nodes[b].node.digest());
}

#[test]
fn a_third_is_known_to_all_at_once() {
    let mut wired = Wired::default();
    for (host, of) in [(1, "a"), (2, "b"), (3, "c")] {
        let node = Driven::with(Config::lan(), identity(of, host, 100));
        wired.add(node, (host > 1).then_some(1));
    }
    wired.wait(ms(200));
    for node in &wired.nodes {
        assert_eq!(
            node.node.members().count(),
            3,
            "at {}",
            node.node.identity().name
        );
    }
}

/// However many seeds there are: looked at one at a time, for ever (DESIGN guarantee 7).
#[test]
fn seeds_that_answered_are_looked_at_at_a_constant_rate() {
    for count in [1, 40] {
        let mut node = Driven::new();
        let seeds: Vec<String> = (0..count).map(|n| format!("n{n}:7946")).collect();
        let seeds: Vec<&str> = seeds.iter().map(String::as_str).collect();
        join(&mut node, &seeds).expect("valid seeds");
        let a = puppet("a", 11);
        node.meet(&[&a]);
        for seed in &seeds {
            resolved(&mut node, seed, &[a.addr]);
        }
        node.actions();
        node.wait(secs(30) * 20);
        let looks = node.resolves().len();
        assert!(
            (18..=22).contains(&looks),
            "{looks} looks at {count} seeds in twenty intervals"
        );
    }
}

/// DESIGN 4.4: a member that answers needs no stream to be found.
#[test]
fn a_look_at_a_seed_pulls_only_from_who_is_not_a_member() {
    let mut node = Driven::new();
    let a = puppet("a", 11);
    node.meet(&[&a]);
    join(&mut node, &["all:7946"]).expect("a valid seed");
    resolved(&mut node, "all:7946", &[a.addr]);
    assert_eq!((seed(&node).joined, node.connects()), (true, vec![]));
    resolved(&mut node, "all:7946", &[a.addr, address(77)]);
    let to: Vec<_> = node.connects().into_iter().map(|(_, to)| to).collect();
    assert_eq!(to, [address(77)], "an address that nobody here has");
}

#[test]
fn datagrams_of_others_are_counted_by_reason() {
    let mut node = Driven::new();
    let a = puppet("a", 11);
    let good = a.datagram(0, &Message::Gossip, &[]);
    let mut other_cluster = good.clone();
    other_cluster[1] ^= 1;
    let mut other_version = good.clone();
    other_version[0] += 1;
    let truncated = &good[..good.len() - 1];
    let long = vec![1; limits::DATAGRAM_BYTES + 1];
    let me = Puppet {
        instance: 100,
        ..puppet("me", 1)
    };
    let own = me.datagram(0, &Message::Gossip, &[]);
    for datagram in [&other_cluster, &other_version, truncated, &long, &own] {
        node.call(|node, now| node.handle_datagram(a.addr, datagram, now));
    }
    let stats = node.node.stats();
    let dropped = &stats.dropped;
    let counted = [
        dropped.cluster,
        dropped.version,
        dropped.malformed,
        dropped.too_long,
        dropped.unexpected,
        stats.datagrams_received,
    ];
    assert_eq!(counted, [1, 1, 1, 1, 1, 0]);
    assert_eq!((node.sent(), node.events()), (vec![], vec![]));
}

/// Settings are refused one by one, and an address that nobody can reach with them.
#[test]
fn a_node_at_no_address_is_refused() {
    for text in ["0.0.0.0:7946", "192.0.2.1:0", "[::]:1", "224.0.0.1:1"] {
        let mut identity = identity("me", 1, 100);
        identity.addr = text.parse().expect("an address");
        let made = crate::Node::new(
            Config::lan(),
            identity,
            Memory::never_votes(),
            1,
            Time::ZERO,
        );
        assert_eq!(refused(made), "addr");
    }
    let config = Config {
        period: Duration::ZERO,
        ..Config::lan()
    };
    let made = crate::Node::new(
        config,
        identity("me", 1, 100),
        Memory::never_votes(),
        1,
        Time::ZERO,
    );
    assert_eq!(refused(made), "period");
}

/// The setting for which there is no node.
fn refused(made: Result<crate::Node, NewError>) -> &'static str {
    match made {
        Err(NewError::Config(error)) => error.setting,
        Err(NewError::Stored { what }) => what,
        Ok(_) => "none",
    }
}

/// The cluster remembers a newer life of this name: the clock ran back, the instance must not.
#[test]
fn a_restart_with_a_clock_that_ran_back_goes_past_its_former_life() {
    for host in [2, 3] {
        let mut wired = Wired::default();
        let a = wired.add(Driven::with(Config::lan(), identity("a", 1, 100)), None);
        wired.add(Driven::with(Config::lan(), identity("b", 2, 500)), Some(1));
        wired.dead.push(1);
        wired.nodes[a].events();
        let b = wired.add(
            Driven::with(Config::lan(), identity("b", host, 200)),
            Some(1),
        );
        // At another address the former life is asked first, and does not answer.
        wired.wait(secs(2));
        let new = wired.nodes[b].node.identity().instance;
        assert!(new > Instance(500), "{new}");
        let known = wired.nodes[a].node.member("b").expect("it is a member");
        assert_eq!((known.instance, known.addr), (new, address(host)));
        assert_eq!(known.state.as_str(), "alive");
        assert_eq!(wired.nodes[b].stop, None);
        wired.wait(secs(20));
        assert_eq!(wired.nodes[a].state("b"), "alive");
    }
}

/// Gossip about the former life may be the first that a node at its old address hears.
#[test]
fn news_of_a_former_life_at_the_own_address_is_gone_past_without_asking() {
    let (mut node, a) = (Driven::new(), puppet("a", 11));
    let former = Puppet {
        instance: 700,
        ..puppet("me", 1)
    };
    node.meet(&[&a]);
    node.hear(&a, Message::Gossip, &[Update::Record(former.record())]);
    assert!(node.node.identity().instance > Instance(700));
    assert_eq!(node.events(), ["me updated"]);
    assert_eq!(name("me"), node.node.identity().name);
}
