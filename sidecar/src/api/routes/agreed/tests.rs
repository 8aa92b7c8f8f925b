use std::time::Duration;

use muster_swim::{Agreement, Epoch, Name, Quorum, Role, View};

use super::without_coordinator;

fn told(quorum: Quorum, waited: Option<Duration>) -> String {
    let known = |name| Name::new(name).expect("a name");
    let agreement = Agreement {
        lineage: None,
        view: View(9),
        epoch: Epoch(4),
        coordinator: None,
        coordinator_addr: None,
        lease_left: None,
        quorum,
        role: Role::Voter,
        voters: vec![known("n1"), known("n2"), known("n3")],
        conflict: None,
        memory_failed: false,
    };
    without_coordinator(&agreement, waited)
}

#[test]
fn while_the_quorum_is_held_another_coordinator_is_soon_elected() {
    assert_eq!(
        told(Quorum::Held, None),
        "there is no coordinator now (quorum: held): the last one (epoch 4) does not decide any \
         more, and another one is usually elected within 3 s; `GET /v1/coordinator?wait=true` waits for one"
    );
}

#[test]
fn when_the_quorum_is_lost_the_voters_and_the_way_out_are_named() {
    let text = told(Quorum::Lost, None);
    assert!(text.contains("(quorum: lost)"), "{text}");
    assert!(text.contains("that vote (n1, n2, n3)"), "{text}");
    assert!(text.contains("`muster recover`"), "{text}");
    assert!(!told(Quorum::Forming, None).contains("recover"));
}

#[test]
fn who_waited_in_vain_is_told_how_long() {
    let text = told(Quorum::Forming, Some(Duration::from_secs(1)));
    assert!(text.contains("none came within 1s"), "{text}");
    assert!(text.ends_with("wait longer with `timeout`"), "{text}");
    assert!(!text.contains("wait=true"), "{text}");
    let text = told(Quorum::Held, Some(Duration::ZERO));
    assert!(text.contains("none came within 0s"), "{text}");
}
