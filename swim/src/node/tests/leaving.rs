//! Leaving, and what a node that left still does: nothing.

use super::driven::{Driven, address, identity};
use super::puppets::{Puppet, Wired, pinged, puppet};
use super::{claim, ms, secs};
use crate::config::Config;
use crate::members::{Instance, Status, Tags};
use crate::node::{Lifecycle, Node, SeedError, Stop};
use crate::wire::{Message, Update};

/// The number of the pings that say goodbye, and to whom they went, since the last look.
fn goodbyes(node: &mut Driven) -> (Vec<u32>, Vec<std::net::SocketAddr>) {
    let goodbye = claim("me", 100, 0, Status::Left, "me");
    let sent = node.sent();
    let pings = sent.iter().filter_map(|sent| {
        let (seq, _) = pinged(&sent.message)?;
        assert_eq!(
            sent.updates.first(),
            Some(&goodbye),
            "the goodbye comes first"
        );
        Some((seq, sent.to))
    });
    pings.unzip()
}

fn among_two() -> (Driven, Puppet, Puppet) {
    let (a, b) = (puppet("a", 11), puppet("b", 12));
    let mut node = Driven::new();
    node.meet(&[&a, &b]);
    (node, a, b)
}

#[test]
fn a_node_alone_leaves_at_once() {
    let mut node = Driven::new();
    node.call(Node::leave);
    assert_eq!(
        (node.node.lifecycle(), &node.stop),
        (Lifecycle::Left, &Some(Stop::Left))
    );
    assert_eq!(node.deadline(), None);
}

/// Found by fuzzing: the datagram that ended a goodbye also showed a table that differed.
#[test]
fn a_node_that_left_opens_no_stream_and_waits_for_nothing() {
    let mut node = Driven::new();
    node.call(Node::leave);
    node.actions();
    node.call(|node, now| node.pull_news(address(11), now));
    assert_eq!((node.actions(), node.deadline()), (vec![], None));
}

/// A stalled buddy finds the goodbye when it goes on; nobody waits for it.
#[test]
fn a_suspected_buddy_is_told_and_not_waited_for() {
    let (mut node, a, b) = among_two();
    node.hear(
        &a,
        Message::Gossip,
        &[claim("b", 1012, 0, Status::Suspect, "a")],
    );
    assert_eq!(node.state("b"), "suspect");
    node.sent();
    node.call(Node::leave);
    let (seqs, mut to) = goodbyes(&mut node);
    to.sort();
    assert_eq!(to, [a.addr, b.addr]);
    node.hear(&a, Message::Ack { seq: seqs[0] }, &[]);
    assert_eq!(node.stop, Some(Stop::Left));
}

#[test]
fn leaving_ends_when_every_buddy_has_acked() {
    let (mut node, a, b) = among_two();
    node.call(Node::leave);
    assert_eq!(node.node.lifecycle(), Lifecycle::Leaving);
    let (seqs, mut to) = goodbyes(&mut node);
    to.sort();
    assert_eq!(to, [a.addr, b.addr]);
    node.hear(&a, Message::Ack { seq: seqs[0] }, &[]);
    assert_eq!(node.stop, None);
    node.hear(&b, Message::Ack { seq: seqs[0] }, &[]);
    assert_eq!(node.stop, Some(Stop::Left));
    assert_eq!(
        (node.node.lifecycle(), node.state("me")),
        (Lifecycle::Left, "left")
    );
    assert_eq!(node.deadline(), None);
}

#[test]
fn leaving_ends_at_its_timeout_and_says_goodbye_again_until_then() {
    let (mut node, a, b) = among_two();
    node.call(Node::leave);
    let (seqs, _) = goodbyes(&mut node);
    node.hear(&a, Message::Ack { seq: seqs[0] }, &[]);
    let timeout = node.node.config().leave_timeout;
    node.wait(timeout - ms(1));
    let (_, to) = goodbyes(&mut node);
    assert!(to.len() > 5 && to.iter().all(|to| *to == b.addr), "{to:?}");
    assert_eq!(node.stop, None);
    node.wait(ms(1));
    assert_eq!(node.stop, Some(Stop::Left));
}

#[test]
fn an_ack_of_something_else_is_no_ack_of_the_goodbye() {
    let (mut node, a, b) = among_two();
    node.call(Node::leave);
    let (seqs, _) = goodbyes(&mut node);
    for other in [&a, &b, &puppet("stranger", 77)] {
        node.hear(other, Message::Ack { seq: seqs[0] + 1 }, &[]);
    }
    node.hear(&puppet("stranger", 77), Message::Ack { seq: seqs[0] }, &[]);
    assert_eq!(node.stop, None);
}

#[test]
fn others_hear_that_it_left_and_do_not_accuse_it() {
    let mut wired = Wired::default();
    for (host, of) in [(1, "a"), (2, "b"), (3, "c")] {
        let node = Driven::with(Config::lan(), identity(of, host, 100));
        wired.add(node, (host > 1).then_some(1));
    }
    wired.wait(secs(5));
    wired.nodes.iter_mut().for_each(|node| node.events.clear());
    wired.nodes[2].call(Node::leave);
    wired.carry();
    assert_eq!(wired.nodes[2].stop, Some(Stop::Left), "no time passed");
    wired.wait(secs(60));
    for at in [0, 1] {
        assert_eq!(wired.nodes[at].events(), ["c unreachable, goodbye"]);
        assert_eq!(wired.nodes[at].node.stats().probes_failed, 0);
    }
}

/// What a member set last before it left is not its business any more: its goodbye stands.
#[test]
fn nothing_said_while_leaving_takes_the_goodbye_back() {
    let (mut node, a, b) = among_two();
    node.call(Node::leave);
    let tags = Tags::new([("zone", "b")]).expect("a valid tag");
    node.call(|node, now| node.set_tags(tags, now));
    assert_eq!(
        node.call(|node, now| node.set_tag("zone", "c", now)),
        Ok(())
    );
    node.hear(
        &a,
        Message::Gossip,
        &[claim("me", 100, 5, Status::Suspect, "b")],
    );
    node.hear(
        &b,
        Message::Gossip,
        &[claim("me", 300, 0, Status::Alive, "b")],
    );
    node.call(Node::leave);
    assert_eq!(
        (node.state("me"), node.node.lifecycle()),
        ("left", Lifecycle::Leaving)
    );
    assert_eq!(node.node.identity().instance, Instance(100));
    node.wait(secs(1));
    let of_me = |sent: &super::driven::Sent| {
        sent.updates.iter().any(|update| match update {
            Update::Record(record) => record.name.as_str() == "me",
            Update::Claim { name, status, .. } => name.as_str() == "me" && *status != Status::Left,
        })
    };
    assert!(!node.sent().iter().any(of_me));
    let refused = node.call(|node, now| node.join(&["n1:7946".to_owned()], now));
    assert_eq!(refused, Err(SeedError::Stopped));
}

/// A namesake was being asked whether it lives: whoever leaves need not know.
#[test]
fn leaving_ends_the_question_for_a_namesake() {
    let (mut node, a, _) = among_two();
    let namesake = Puppet {
        instance: 900,
        ..puppet("me", 44)
    };
    node.hear(&a, Message::Gossip, &[Update::Record(namesake.record())]);
    let asked = node.sent().into_iter().find(|sent| sent.to == address(44));
    let Some(Message::Ping { seq, .. }) = asked.map(|sent| sent.message) else {
        panic!("the namesake is asked")
    };
    node.call(Node::leave);
    node.hear(&namesake, Message::Ack { seq }, &[]);
    node.wait(secs(4));
    assert_eq!(
        (node.state("me"), node.node.lifecycle()),
        ("left", Lifecycle::Leaving)
    );
    node.wait(secs(2));
    assert_eq!(node.stop, Some(Stop::Left));
}

#[test]
fn a_node_that_left_answers_nothing_and_no_call_harms_it() {
    let (mut node, a, _) = among_two();
    node.call(Node::leave);
    node.wait(secs(6));
    assert_eq!(node.stop, Some(Stop::Left));
    let me = node.node.me();
    node.calm();
    node.hear(
        &a,
        Message::Ping {
            seq: 1,
            target: Instance(100),
        },
        &[],
    );
    node.hear(
        &a,
        Message::Gossip,
        &[Update::Record(puppet("new", 66).record())],
    );
    assert_eq!(
        node.call(|node, now| node.handle_stream_accepted(a.addr, now)),
        None
    );
    node.call(|node, now| node.handle_stream_data(crate::StreamId(1), b"anything", now));
    node.call(|node, now| node.handle_resolved("n1:7946", &[a.addr], now));
    assert_eq!(node.call(|node, now| node.set_tag("a", "b", now)), Ok(()));
    node.call(|node, now| node.remove_tag("a", now));
    node.call(Node::leave);
    node.call(Node::handle_timeout);
    assert_eq!(
        node.call(|node, now| node.join(&[], now)),
        Err(SeedError::Stopped)
    );
    assert_eq!(
        (node.sent(), node.actions(), node.events()),
        (vec![], vec![], vec![])
    );
    assert_eq!((node.node.me(), node.deadline()), (me, None));
}

/// Mass leave: the goodbye of each is part of its own pings, however many others wait to be told.
#[test]
fn a_goodbye_among_hundreds_is_in_its_own_ping() {
    let (mut node, a, _) = among_two();
    for n in 0..300 {
        let gone = puppet(Box::leak(format!("p{n}").into_boxed_str()), 100 + n);
        let goodbye = claim(gone.name, gone.instance, 0, Status::Left, gone.name);
        node.hear(
            &a,
            Message::Gossip,
            &[Update::Record(gone.record()), goodbye],
        );
    }
    node.sent();
    node.call(Node::leave);
    let (_, to) = goodbyes(&mut node);
    assert_eq!(to.len(), 2, "each ping was seen to begin with the goodbye");
}
