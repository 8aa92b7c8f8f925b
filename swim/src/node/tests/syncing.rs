//! Comparing tables: when to pull, what is pulled and returned.

use super::driven::{Driven, identity};
use super::puppets::{Puppet, Wired, puppet};
use super::{fullest_tags, ms, name, secs};
use crate::config::Config;
use crate::coordinator::VoterId;
use crate::limits;
use crate::members::{self, Instance, Record, Status, fullest_apps};
use crate::node::{Action, StreamEnd, StreamId};
use crate::wire::{Entry, Frame, Message, Update};

/// A digest that no table of these tests has.
const OTHER: u64 = 0x5555_5555_5555_5555;

pub(super) fn held(record: Record, status: Status) -> Entry {
    Entry {
        record,
        status,
        lost_for_s: 0,
    }
}

pub(super) fn state(from: &str, buckets: Vec<u64>, members: Vec<Entry>) -> Frame {
    Frame::State {
        from: name(from),
        buckets,
        members,
        last: true,
    }
}

fn pull_of(puppet: &Puppet, buckets: Vec<u64>) -> Frame {
    Frame::Pull {
        cluster: name("test"),
        record: puppet.record(),
        buckets,
    }
}

fn names(entries: &[Entry]) -> Vec<&str> {
    entries
        .iter()
        .map(|entry| entry.record.name.as_str())
        .collect()
}

/// The members of all state frames on a stream since the last look.
fn told_on(node: &mut Driven, stream: StreamId) -> Vec<Entry> {
    let (frames, _) = node.frames(stream);
    let members = |frame| {
        let Frame::State { members, .. } = frame else {
            panic!("a state, not {frame:?}")
        };
        members
    };
    frames.into_iter().flat_map(members).collect()
}

/// A node that has met `count` members and has been still since.
pub(super) fn settled_among(count: u16) -> (Driven, Vec<Puppet>) {
    let mut node = Driven::new();
    let named = |n| puppet(Box::leak(format!("p{n}").into_boxed_str()), 10 + n);
    let puppets: Vec<Puppet> = (0..count).map(named).collect();
    let everybody: Vec<&Puppet> = puppets.iter().collect();
    node.meet(&everybody);
    node.wait_among(&everybody, secs(3));
    node.calm();
    (node, puppets)
}

/// The stream of the one pull that runs, connected, its request read.
pub(super) fn pulling(node: &mut Driven, from: &Puppet) -> (StreamId, Vec<u64>) {
    node.hear_digest(from, OTHER);
    let [(stream, to)] = node.connects()[..] else {
        panic!("one pull")
    };
    assert_eq!(to, from.addr);
    node.connected(stream);
    let (frames, _) = node.frames(stream);
    let [
        Frame::Pull {
            ref record,
            ref buckets,
            ..
        },
    ] = frames[..]
    else {
        panic!("a pull, not {frames:?}")
    };
    assert_eq!(record.name, name("me"));
    (stream, buckets.clone())
}

#[test]
fn an_equal_digest_pulls_nothing() {
    let (mut node, puppets) = settled_among(3);
    node.hear(&puppets[0], Message::Gossip, &[]);
    assert_eq!(node.connects(), []);
}

/// News on its way makes tables differ for a moment: gossip repairs that without a stream.
#[test]
fn a_difference_is_pulled_once_the_own_table_has_settled() {
    let (mut node, puppets) = settled_among(3);
    let news = Puppet {
        incarnation: 1,
        ..puppets[1].clone()
    };
    node.hear(&news, Message::Gossip, &[Update::Record(news.record())]);
    node.hear_digest(&puppets[0], OTHER);
    node.sleep(ms(50));
    node.hear_digest(&puppets[0], OTHER);
    assert_eq!(node.connects(), [], "its own table changed just now");
    let everybody: Vec<&Puppet> = puppets.iter().collect();
    node.wait_among(&everybody, node.node.config().gossip_interval * 11);
    node.hear_digest(&puppets[0], OTHER);
    assert_eq!(node.connects().len(), 1);
}

/// A table that never rests must not keep a node from the one member that it lacks.
#[test]
fn a_difference_that_lasts_is_pulled_from_a_table_in_motion() {
    let (mut node, puppets) = settled_among(3);
    let mut pulled_after = None;
    for step in 0..60u32 {
        let news = Puppet {
            incarnation: 1 + step,
            ..puppets[1].clone()
        };
        let update = Update::Record(news.record());
        let bytes = news.datagram(OTHER, &Message::Gossip, &[update]);
        node.call(|node, now| node.handle_datagram(news.addr, &bytes, now));
        if node.node.stats().pulls > 0 {
            pulled_after = Some(ms(100) * step);
            break;
        }
        // Nobody answers its pings: an equal digest in an ack would end the difference.
        node.wait(ms(100));
    }
    let after = pulled_after.expect("it was pulled");
    assert!(after >= node.node.config().period / 4, "{after:?}");
}

#[test]
fn one_pull_at_a_time_and_not_again_at_once() {
    let (mut node, puppets) = settled_among(3);
    let (stream, _) = pulling(&mut node, &puppets[0]);
    node.hear_digest(&puppets[1], OTHER);
    assert_eq!(node.connects(), [], "one runs");
    node.closed(stream, StreamEnd::Closed);
    node.hear_digest(&puppets[1], OTHER);
    assert_eq!(node.connects(), [], "one has just run");
    node.sleep(node.node.config().period / 8);
    node.call(|node, now| node.handle_timeout(now));
    node.actions();
    node.hear_digest(&puppets[1], OTHER);
    assert_eq!(node.connects().len(), 1);
}

/// A stalled process must not keep a refutation away for as long as its stream lives.
#[test]
fn a_pull_that_hangs_holds_up_others_for_half_a_period_only() {
    let (mut node, puppets) = settled_among(3);
    pulling(&mut node, &puppets[0]);
    let half = node.node.config().period / 2;
    node.sleep(half - ms(1));
    node.call(|node, now| node.handle_timeout(now));
    node.actions();
    node.hear_digest(&puppets[1], OTHER);
    assert_eq!(node.connects(), [], "it may still answer");
    node.sleep(ms(1));
    node.hear_digest(&puppets[1], OTHER);
    assert_eq!(node.connects().len(), 1);
}

#[test]
fn only_the_buckets_that_differ_are_told() {
    let (mut node, puppets) = settled_among(60);
    let count = node.node.table.bucket_count();
    assert!(count >= 8, "{count} buckets");
    let mut buckets = node.node.table.digest().fold(count);
    buckets[3] ^= 1;
    let stream = node.accept();
    node.read(stream, &pull_of(&puppets[0], buckets));
    let told = told_on(&mut node, stream);
    let in_bucket = |of: &str| members::bucket(&name(of), count) == 3;
    let mut expected: Vec<&str> = puppets
        .iter()
        .map(|puppet| puppet.name)
        .chain(["me"])
        .filter(|of| in_bucket(of))
        .collect();
    let mut told = names(&told);
    expected.sort_unstable();
    told.sort_unstable();
    assert_eq!(told, expected);
    assert!(!told.is_empty() && told.len() < 60);
}

#[test]
fn an_equal_table_is_told_nothing() {
    let (mut node, puppets) = settled_among(60);
    let buckets = node.node.table.digest().fold(16);
    let stream = node.accept();
    node.read(stream, &pull_of(&puppets[0], buckets));
    assert_eq!(told_on(&mut node, stream), []);
}

#[test]
fn the_puller_returns_what_it_knows_better_and_closes() {
    let (mut node, puppets) = settled_among(2);
    let (stream, buckets) = pulling(&mut node, &puppets[0]);
    assert_eq!(buckets.len(), 1);
    let [p0, p1] = &puppets[..] else {
        panic!("two puppets")
    };
    let newer = Puppet {
        incarnation: 3,
        ..p0.clone()
    };
    let stranger = puppet("stranger", 77);
    let theirs = vec![
        held(newer.record(), Status::Alive),
        held(stranger.record(), Status::Alive),
    ];
    node.read(stream, &state("p0", vec![OTHER], theirs));
    let (frames, closed) = node.frames(stream);
    let [
        Frame::State {
            ref members,
            last: true,
            ..
        },
    ] = frames[..]
    else {
        panic!("one state, not {frames:?}")
    };
    let mut returned = names(members);
    returned.sort_unstable();
    assert_eq!(
        returned,
        ["me", p1.name],
        "what the other side did not have"
    );
    assert!(closed);
    assert_eq!(node.state("stranger"), "alive");
    assert_eq!(
        node.node.member("p0").map(|member| member.incarnation.0),
        Some(3)
    );
}

#[test]
fn what_is_returned_is_learned_and_ends_the_stream() {
    let (mut node, puppets) = settled_among(2);
    let stream = node.accept();
    node.read(stream, &pull_of(&puppets[0], vec![OTHER]));
    assert_eq!(told_on(&mut node, stream).len(), 3);
    let members = vec![held(puppet("stranger", 77).record(), Status::Alive)];
    node.read(stream, &state("p0", vec![], members));
    assert_eq!(node.state("stranger"), "alive");
    assert!(node.actions().contains(&Action::Close { stream }));
}

/// Whose word a suspicion is: never ours, who have not probed.
#[test]
fn a_suspicion_read_from_a_table_is_that_of_its_owner() {
    let (mut node, puppets) = settled_among(3);
    let (stream, _) = pulling(&mut node, &puppets[0]);
    let members = vec![held(puppets[1].record(), Status::Suspect)];
    node.read(stream, &state("p0", vec![OTHER], members));
    assert_eq!(node.events(), ["p1 suspect by p0"]);
    let lost = vec![held(puppet("lost", 77).record(), Status::Unreachable)];
    let stream = node.accept();
    node.read(stream, &pull_of(&puppets[2], vec![OTHER]));
    node.read(stream, &state("p2", vec![], lost));
    assert_eq!(node.events(), ["lost unreachable, told by p2"]);
}

/// An answer may be as large as the table: asked once on a stream it cannot be multiplied.
#[test]
fn a_second_pull_on_a_stream_is_refused() {
    let (mut node, puppets) = settled_among(3);
    let stream = node.accept();
    for _ in 0..2 {
        node.read(stream, &pull_of(&puppets[0], vec![OTHER]));
    }
    let (frames, closed) = node.frames(stream);
    assert_eq!((frames.len(), closed), (1, true));
    assert_eq!(node.node.stats().dropped.unexpected, 1);
}

/// A whole table in frames of which each keeps its limit, in the worst case.
#[test]
fn a_large_table_is_told_in_frames_within_their_limit() {
    let mut node = Driven::new();
    let longest = |n: u64| Record {
        name: name(&format!("{n:0>128}")),
        addr: "[2001:db8:ffff:ffff:ffff:ffff:ffff:ffff]:65535"
            .parse()
            .expect("an address"),
        instance: Instance(crate::limits::INSTANCES - n),
        incarnation: crate::Incarnation(u32::MAX),
        tags: fullest_tags(),
        voter: VoterId(u64::MAX),
        returns: u32::MAX,
        apps: fullest_apps(),
    };
    for n in 0..200 {
        let stream = node.accept();
        let buckets = node.node.table.digest().fold(1);
        let record = longest(n);
        node.read(
            stream,
            &Frame::Pull {
                cluster: name("test"),
                record,
                buckets,
            },
        );
        node.closed(stream, StreamEnd::Closed);
    }
    node.calm();
    let stream = node.accept();
    // As a joiner with as many buckets as there may be.
    let buckets = vec![OTHER; limits::DIGEST_BUCKETS];
    node.read(stream, &pull_of(&puppet("joiner", 99), buckets));
    let sizes: Vec<usize> = node
        .actions
        .iter()
        .filter_map(|action| match action {
            Action::Send { bytes, .. } => Some(bytes.len() - 6),
            Action::Connect { .. }
            | Action::Close { .. }
            | Action::Resolve { .. }
            | Action::Save { .. }
            | Action::KeepKeys { .. }
            | Action::Answered { .. }
            | Action::Stopped(_) => None,
        })
        .collect();
    assert!(sizes.len() > 3, "{sizes:?}");
    assert!(
        sizes.iter().all(|size| *size <= limits::FRAME_STATE_BYTES),
        "{sizes:?}"
    );
    let (frames, _) = node.frames(stream);
    let parts = |frame: &Frame| {
        let Frame::State {
            buckets,
            members,
            last,
            ..
        } = frame
        else {
            panic!("a state, not {frame:?}")
        };
        (buckets.len(), members.len(), *last)
    };
    let parts: Vec<(usize, usize, bool)> = frames.iter().map(parts).collect();
    let last: Vec<bool> = parts.iter().map(|(.., last)| *last).collect();
    assert_eq!(last.iter().position(|last| *last), Some(frames.len() - 1));
    let digests: Vec<usize> = parts.iter().map(|(buckets, ..)| *buckets).collect();
    assert_eq!(
        digests[0],
        limits::DIGEST_BUCKETS,
        "they come first, and once"
    );
    assert_eq!(digests.iter().sum::<usize>(), limits::DIGEST_BUCKETS);
    assert_eq!(
        parts.iter().map(|(_, members, _)| members).sum::<usize>(),
        201
    );
}

/// An endless answer would fill the memory: no table is so large.
#[test]
fn an_answer_longer_than_any_table_is_cut_off() {
    let (mut node, puppets) = settled_among(1);
    let (stream, _) = pulling(&mut node, &puppets[0]);
    let each = 1000;
    let mut frames = 0;
    while !node.actions.contains(&Action::Close { stream }) {
        assert!(frames * each <= limits::MEMBERS, "it goes on for ever");
        // The departed, so that the table need not take them.
        let gone = |n: usize| {
            let record = Record {
                name: name(&format!("x{n}")),
                ..puppet("x", 5).record()
            };
            held(record, Status::Left)
        };
        let members = (frames * each..(frames + 1) * each).map(gone).collect();
        let frame = Frame::State {
            from: name("p0"),
            buckets: vec![],
            members,
            last: false,
        };
        let bytes = crate::wire::encode_frame(&frame);
        node.node.handle_stream_data(stream, &bytes, node.now);
        while let Some(action) = node.node.poll_action() {
            node.actions.push(action);
        }
        frames += 1;
    }
    assert_eq!(node.node.stats().dropped.too_long, 1);
}

/// Two nodes, one in hundreds of members ahead: the stream carries what differs, no more.
#[test]
fn two_tables_become_equal_and_cost_what_differs() {
    let mut wired = Wired::default();
    wired.add(Driven::with(Config::lan(), identity("a", 1, 100)), None);
    wired.add(Driven::with(Config::lan(), identity("b", 2, 100)), Some(1));
    for n in 0..400 {
        let crowd = puppet(Box::leak(format!("p{n}").into_boxed_str()), 10 + n);
        for node in &mut wired.nodes {
            node.hear(&crowd, Message::Gossip, &[Update::Record(crowd.record())]);
        }
    }
    wired.nodes.iter_mut().for_each(Driven::calm);
    let only = [puppet("only-a", 900), puppet("only-b", 901)];
    for (node, only) in wired.nodes.iter_mut().zip(&only) {
        node.hear(only, Message::Gossip, &[Update::Record(only.record())]);
        node.calm();
    }
    wired.carried = 0;
    let to = wired.nodes[1].node.identity().addr;
    wired.nodes[0].call(|node, now| node.pull_from(to, None, now));
    wired.carry();
    assert_eq!(wired.nodes[0].node.digest(), wired.nodes[1].node.digest());
    for node in &wired.nodes {
        assert_eq!(
            (node.state("only-a"), node.state("only-b")),
            ("alive", "alive")
        );
    }
    // Two lists of 128 digests of up to ten bytes, and a handful of members of about thirty.
    assert!(
        wired.carried < 4000,
        "{} bytes for two members",
        wired.carried
    );
}

/// The record fits into no datagram: it is announced, and pulled from whoever announces it.
#[test]
fn tags_too_long_for_a_datagram_reach_everybody() {
    let mut wired = Wired::default();
    for (at, of) in ["a", "b", "c"].into_iter().enumerate() {
        let node = Driven::with(Config::lan(), identity(of, 1 + at as u16, 100));
        wired.add(node, (at > 0).then_some(1));
    }
    wired.wait(secs(5));
    wired.nodes[0].call(|node, now| node.set_tags(fullest_tags(), now));
    wired.carry();
    wired.wait(secs(5));
    for node in &wired.nodes {
        let member = node.node.member("a").expect("it is a member");
        assert_eq!(
            member.tags,
            fullest_tags(),
            "at {}",
            node.node.identity().name
        );
    }
}
