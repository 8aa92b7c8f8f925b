//! What came of datagrams from and to each buddy.

use super::driven::Driven;
use super::puppets::puppet;
use super::{ms, name};
use crate::detector::Purpose;
use crate::limits;
use crate::members::Instance;
use crate::node::ContactInfo;
use crate::time::Time;
use crate::wire::Message;

fn kept(node: &Driven) -> [Option<Time>; 3] {
    match &node.node.contacts()[..] {
        [
            ContactInfo {
                heard,
                answered,
                unanswered,
                ..
            },
        ] => [*heard, *answered, *unanswered],
        other => panic!("one buddy, not {other:?}"),
    }
}

fn ping(node: &mut Driven) -> u32 {
    node.sent();
    node.call(|node, now| node.probe(&name("a"), Purpose::Watch, now));
    match node.messages_to(puppet("a", 11).addr)[..] {
        [Message::Ping { seq, .. }] => seq,
        ref other => panic!("one ping, not {other:?}"),
    }
}

#[test]
fn each_way_of_datagrams_is_known_by_what_came_and_what_was_not_answered() {
    let (mut node, a, relay) = (Driven::new(), puppet("a", 11), puppet("b", 12));
    node.meet(&[&a]);
    node.calm();
    let before = kept(&node);
    node.sleep(ms(5));
    let seq = ping(&mut node);
    let asked = node.now;
    assert_eq!(kept(&node), [before[0], before[1], Some(asked)]);
    node.sleep(ms(5));
    node.hear(
        &a,
        Message::Ping {
            seq: 1,
            target: Instance(100),
        },
        &[],
    );
    let heard = node.now;
    assert_eq!(
        kept(&node),
        [Some(heard), before[1], Some(asked)],
        "one way is open"
    );
    node.sleep(ms(5));
    node.hear(&relay, Message::Ack { seq }, &[]);
    assert_eq!(
        kept(&node),
        [Some(heard), before[1], Some(asked)],
        "that was another"
    );
    node.hear(&a, Message::Ack { seq }, &[]);
    assert_eq!(kept(&node), [Some(node.now), Some(node.now), None]);
}

#[test]
fn of_a_second_ping_without_an_answer_the_first_one_counts() {
    let (mut node, a) = (Driven::new(), puppet("a", 11));
    node.meet(&[&a]);
    node.calm();
    ping(&mut node);
    let first = node.now;
    node.call(|node, _| node.probes.void());
    node.sleep(ms(700));
    ping(&mut node);
    assert_eq!(kept(&node)[2], Some(first));
}

#[test]
fn nothing_is_kept_of_others_and_little_of_those_who_were_buddies() {
    let mut node = Driven::new();
    node.call(|node, now| node.on_heard("stranger", now));
    assert_eq!(node.node.contacts.len(), 0);
    // A crowd comes, and each newcomer may push another one from its place.
    for host in 0..2_000 {
        let name: &'static str = Box::leak(format!("m{host}").into_boxed_str());
        node.meet(&[&puppet(name, 11 + host)]);
        node.call(|node, now| node.on_heard(name, now));
        assert!(node.node.contacts.len() <= limits::CONTACTS);
    }
    let kept = node.node.contacts();
    assert_eq!(kept.len(), node.node.table.rings().buddies().len());
    assert!(
        kept.iter().all(|contact| contact.heard.is_some()),
        "{kept:?}"
    );
}
