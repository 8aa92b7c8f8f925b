//! What others show and write of the agreed views: lies cost little, and true news gets through.

use super::driven::{Driven, address, identity};
use super::puppets::{Puppet, puppet};
use super::{ms, name, secs};
use crate::Quorum;
use crate::config::Config;
use crate::coordinator::{
    Change, Cut, Lineage, Roster, Said, Signature, View, Voter, Voters, key_of,
};
use crate::event::EventKind;
use crate::limits;
use crate::members::{Instance, Status};
use crate::node::streams::Purpose;
use crate::node::voting::encode_roster;
use crate::node::{Memory, RecoverError, StreamEnd, StreamId};
use crate::wire::{Errand, Frame, LineageTag, Message, Outlook, Update};

pub(super) const LINEAGE: Lineage = Lineage {
    family: 7,
    generation: 0,
};

pub(super) const VIEW: View = View(20);

fn voter(of: &str) -> Voter {
    Voter {
        name: name(of),
        id: key_of(of).id(),
    }
}

/// A node that votes with others and knows a view.
pub(super) fn voting(with: &[&Puppet]) -> Driven {
    let memory = Memory::volatile(key_of("me"));
    let mut node = Driven::with_memory(Config::lan(), identity("me", 1, 100), memory);
    node.meet(with);
    let mut roster = Roster::genesis(LINEAGE, voter("me"));
    let others = with.iter().map(|puppet| voter(puppet.name));
    roster.head.voters = Voters {
        configuration: 3,
        voters: others.chain([voter("me")]).collect(),
    };
    (roster.head.view, roster.head.base) = (VIEW, VIEW);
    node.call(|node, now| node.adopt(roster, now));
    node.calm();
    node
}

pub(super) fn outlook(view: u64) -> Outlook {
    Outlook {
        lineage: LineageTag::of(LINEAGE),
        view: View(view),
        quorum_age: u8::MAX,
    }
}

impl Driven {
    /// A puppet shows that it knows a view.
    pub(super) fn show(&mut self, puppet: &Puppet, view: u64) {
        let digest = self.node.digest();
        let bytes = puppet.datagram_showing(outlook(view), digest, &Message::Gossip, &[]);
        self.call(|node, now| node.handle_datagram(puppet.addr, &bytes, now));
    }

    /// Whom it asks for views, since the last look.
    pub(super) fn asks(&mut self) -> Vec<(StreamId, std::net::SocketAddr)> {
        let asks = self.connects().into_iter();
        asks.filter(|(stream, _)| {
            let purpose = self.node.streams.purpose_mut(*stream);
            matches!(purpose, Some(Purpose::Catch(_)))
        })
        .collect()
    }

    fn view(&self) -> View {
        self.node.agreed.view()
    }
}

fn next_cut() -> Frame {
    let cut = Cut::default();
    let said = Said::cut(LINEAGE, VIEW.next(), &cut.encoded());
    Frame::Cuts {
        lineage: LINEAGE,
        first: VIEW.next(),
        cuts: vec![(cut.into(), key_of("me").sign(&said))],
    }
}

#[test]
fn a_view_that_no_cluster_comes_to_is_not_asked_for() {
    let (a, b) = (puppet("a", 11), puppet("b", 12));
    let mut node = voting(&[&a, &b]);
    let ahead = VIEW.0 + limits::VIEWS_AHEAD + 1;
    for view in [ahead, limits::VIEWS + 1, 1 << 63, u64::MAX] {
        node.show(&a, view);
        assert_eq!(node.asks(), []);
    }
    assert_eq!(node.node.stats().dropped.absurd, 4);
    node.show(&b, VIEW.0 + 1);
    assert_eq!(node.asks().len(), 1);
}

#[test]
fn one_that_shows_a_view_it_does_not_have_keeps_nobody_from_true_news() {
    let (liar, honest) = (puppet("a", 11), puppet("b", 12));
    for answers in [true, false] {
        let mut node = voting(&[&liar, &honest]);
        // It speaks a hundred times for each word of the other.
        let mut lies = 0;
        let mut asked = None;
        for round in 0..600 {
            node.show(&liar, VIEW.0 + 1_000_000);
            if round % 100 == 99 {
                node.show(&honest, VIEW.0 + 1);
            }
            for (stream, to) in node.asks() {
                if to == honest.addr {
                    asked = Some(stream);
                } else {
                    lies += 1;
                    node.connected(stream);
                    if answers {
                        let nothing = Frame::Cuts {
                            lineage: LINEAGE,
                            first: VIEW.next(),
                            cuts: vec![],
                        };
                        node.read(stream, &nothing);
                    }
                }
            }
            if asked.is_some() {
                break;
            }
            node.wait(ms(10));
        }
        let stream = asked.expect("the honest one is asked");
        assert!(lies >= 1);
        node.connected(stream);
        node.read(stream, &next_cut());
        assert_eq!(node.view(), VIEW.next());
    }
}

#[test]
fn who_could_not_be_reached_is_asked_again() {
    let a = puppet("a", 11);
    let mut node = voting(&[&a, &puppet("b", 12)]);
    node.show(&a, VIEW.0 + 1);
    let (stream, _) = node.asks()[0];
    node.closed(stream, StreamEnd::Failed);
    node.wait(secs(4));
    node.asks();
    node.show(&a, VIEW.0 + 1);
    let asks = node.asks();
    assert_eq!(asks.len(), 1);
    node.connected(asks[0].0);
    node.read(asks[0].0, &next_cut());
    assert_eq!(node.view(), VIEW.next());
}

#[test]
fn a_lost_quorum_is_rebuilt_though_one_shows_a_view_that_it_does_not_have() {
    let (liar, other) = (puppet("a", 11), puppet("b", 12));
    let mut node = voting(&[&liar, &other]);
    node.wait_among(&[&liar, &other], secs(1));
    node.asks();
    node.show(&liar, VIEW.0 + 5);
    let survivors = [name("me"), name("a"), name("b")];
    let refused = node.call(|node, now| node.recover(&survivors, now));
    assert!(
        matches!(refused, Err(RecoverError::Behind { .. })),
        "it may be so: {refused:?}"
    );
    let (stream, _) = node.asks()[0];
    node.closed(stream, StreamEnd::Closed);
    node.show(&liar, VIEW.0 + 5);
    let done = node.call(|node, now| node.recover(&survivors, now));
    assert_eq!(done, Ok(()));
    assert_eq!(node.node.quorum(node.now), Quorum::Held);
    assert!(
        node.events
            .iter()
            .any(|event| matches!(event.kind, EventKind::QuorumRegained { recovered: true }))
    );
}

impl Driven {
    /// Whether a member is in the view.
    fn holds(&self, of: &str) -> bool {
        let roster = self.node.agreed.roster();
        roster.is_some_and(|roster| roster.standing(of).is_some())
    }
}

/// A node that decides alone.
pub(super) fn founder() -> Driven {
    let memory = Memory::volatile(key_of("me"));
    let mut node = Driven::with_memory(Config::lan(), identity("me", 1, 100), memory);
    node.wait(secs(2));
    assert!(node.holds("me"), "it decides alone");
    node
}

/// A founder that is alone so far may have lost its memory: those it meets may be of its old
/// history, which it is to follow.
#[test]
fn a_lone_history_admits_only_who_is_in_no_other() {
    let mut node = founder();
    let (other, free) = (puppet("a", 11), puppet("b", 12));
    let record = Update::Record(other.record());
    let digest = node.node.digest();
    let bytes = other.datagram_showing(outlook(7), digest, &Message::Gossip, &[record]);
    node.call(|node, now| node.handle_datagram(other.addr, &bytes, now));
    node.wait(ms(300));
    assert_eq!(node.state("a"), "alive");
    assert!(!node.holds("a"), "it is of another history");
    node.meet(&[&free]);
    node.wait_among(&[&free], secs(1));
    assert!(node.holds("b"), "it is of none");
}

#[test]
fn who_was_heard_of_before_the_first_was_admitted_is_admitted_right_after_it() {
    let mut node = founder();
    let (first, hearsay) = (puppet("a", 11), puppet("b", 12));
    let records = [&first, &hearsay].map(|puppet| Update::Record(puppet.record()));
    node.hear(&first, Message::Gossip, &records);
    node.wait(ms(300));
    assert!(node.holds("a"));
    assert!(node.holds("b"), "it has not spoken yet, and need not");
}

impl Driven {
    /// Commits a cut, which it does alone.
    pub(super) fn decide(&mut self, cut: Cut) {
        self.call(|node, now| {
            let voting = node.agreed.voting.as_mut().expect("it votes");
            let proposed = voting.consensus.propose(cut, now);
            proposed.expect("it leads and nothing is under way");
            node.agree(now);
        });
    }
}

#[test]
fn no_gossip_brings_a_condemned_life_back() {
    let mut node = founder();
    let mut gone = puppet("a", 11);
    node.meet(&[&gone]);
    node.wait(ms(300));
    assert!(node.holds("a"));
    let left = Change::Left {
        name: name("a"),
        instance: Instance(gone.instance),
    };
    node.decide(Cut {
        changes: vec![left],
        ..Cut::default()
    });
    let status = |node: &Driven| {
        let held = node.node.table.get("a").expect("it is remembered");
        held.statement.status
    };
    assert_eq!(status(&node), Status::Unreachable);
    node.events();
    gone.incarnation = 5;
    node.hear(&gone, Message::Gossip, &[Update::Record(gone.record())]);
    node.wait(ms(300));
    assert_eq!(status(&node), Status::Unreachable);
    assert_eq!(node.state("a"), "left");
    assert!(!node.events().contains(&"a reachable".to_owned()));
    assert!(!node.holds("a"));
    // Its next life is another matter.
    gone.instance += 1;
    node.hear(&gone, Message::Gossip, &[Update::Record(gone.record())]);
    node.wait(ms(300));
    assert!(node.holds("a"));
}

#[test]
fn a_life_between_two_that_one_cut_names_is_told_of_once() {
    let held = puppet("a", 11);
    let mut node = voting(&[&held, &puppet("b", 12)]);
    let up = |instance: u64| Change::Up {
        name: name("a"),
        instance: Instance(instance),
        removals: 0,
    };
    let (before, after) = (Instance(held.instance - 1), held.instance + 1);
    let mut apply = |changes: Vec<Change>| {
        let cut = Cut {
            changes,
            ..Cut::default()
        };
        node.call(|node, now| node.apply_unsigned(cut, now));
        node.events()
    };
    apply(vec![up(before.0)]);
    let left = Change::Left {
        name: name("a"),
        instance: before,
    };
    let told = apply(vec![left, up(after)]);
    let of_held = told.iter().filter(|event| event.contains("replaced by"));
    assert_eq!(of_held.count(), 1, "{told:?}");
}

#[test]
fn the_removal_of_a_life_that_was_just_gone_past_is_told() {
    let mut node = voting(&[&puppet("a", 11), &puppet("b", 12)]);
    let mut apply = |instance: u64, past: Option<u64>| {
        let up = Change::Up {
            name: name("me"),
            instance: Instance(instance),
            removals: 0,
        };
        let cut = Cut {
            changes: vec![up],
            ..Cut::default()
        };
        node.call(|node, now| {
            if let Some(past) = past {
                node.begin_life_after(Instance(past), now);
            }
            node.apply_unsigned(cut, now);
        });
        let of_itself = |event: &crate::Event| {
            matches!(event.kind, EventKind::SelfRemoved { .. }).then_some(event.member.instance)
        };
        let told: Vec<Instance> = node.events.iter().filter_map(of_itself).collect();
        node.events();
        told
    };
    assert_eq!(apply(100, None), []);
    // A former life of its name, from before its clock was set back, is taken for the newer one.
    assert_eq!(apply(140, Some(140)), [Instance(100)]);
    // Once, and never of a life that was no member.
    assert_eq!(apply(145, Some(1_000_000)), []);
}

#[test]
fn a_configuration_ends_by_the_bytes_of_its_cuts_too() {
    let mut node = founder();
    let configuration = |node: &Driven| {
        let roster = node.node.agreed.roster().expect("it has a history");
        roster.head.voters.configuration
    };
    let first = configuration(&node);
    // Of members that it never had.
    let left = |number: usize| Change::Left {
        name: name(&format!("{number:0>128}")),
        instance: Instance(1),
    };
    let cut = Cut {
        changes: (0..300).map(left).collect(),
        ..Cut::default()
    };
    let bytes = postcard::to_allocvec(&cut).map_or(0, |bytes| bytes.len());
    assert!(bytes <= limits::CUT_BYTES);
    for count in 1..20 {
        node.decide(cut.clone());
        let due = count * bytes >= limits::LOG_BYTES;
        assert_eq!(configuration(&node) > first, due, "after {count} cuts");
    }
}

#[test]
fn a_pushed_view_far_ahead_is_a_word_like_any_other() {
    let (liar, honest) = (puppet("a", 11), puppet("b", 12));
    let mut node = voting(&[&liar, &honest]);
    let push = Message::Errand(Errand::Cut {
        view: View(VIEW.0 + 9),
        cut: vec![],
        signature: Signature::made_up(),
    });
    let bytes = liar.datagram_showing(outlook(VIEW.0 + 9), node.node.digest(), &push, &[]);
    node.call(|node, now| node.handle_datagram(liar.addr, &bytes, now));
    let asks = node.asks();
    assert_eq!(
        asks.iter().map(|ask| ask.1).collect::<Vec<_>>(),
        [liar.addr]
    );
    node.closed(asks[0].0, StreamEnd::Closed);
    node.call(|node, now| node.handle_datagram(liar.addr, &bytes, now));
    assert_eq!(node.asks(), []);
    node.show(&honest, VIEW.0 + 1);
    assert_eq!(node.asks()[0].1, honest.addr);
    assert_eq!(address(12), honest.addr);
}

/// The roster of another history that `founder` began, and these are members of.
fn of_another_history(family: u64, founder: &str, members: &[&Puppet]) -> Roster {
    let lineage = Lineage {
        family,
        generation: 0,
    };
    let mut roster = Roster::genesis(lineage, voter(founder));
    let ups = members.iter().map(|puppet| Change::Up {
        name: name(puppet.name),
        instance: Instance(puppet.instance),
        removals: 0,
    });
    roster.apply(&Cut {
        changes: ups.collect(),
        ..Cut::default()
    });
    roster
}

/// A node that decided alone, gave that history up for one that seemed larger, and meets those who
/// went over to its own.
fn came_over() -> (Driven, Roster) {
    let mut node = founder();
    let own = node.node.agreed.roster().expect("it founded one").clone();
    let (a, b) = (puppet("a", 11), puppet("b", 12));
    let larger = of_another_history(u64::MAX, "a", &[&a, &b]);
    node.call(|node, now| node.consider(larger.clone(), None, now));
    let mut alone = larger;
    alone.apply(&Cut {
        changes: vec![Change::Left {
            name: name("b"),
            instance: Instance(b.instance),
        }],
        ..Cut::default()
    });
    let said = Said::roster(alone.head.lineage, alone.head.view, &encode_roster(&alone));
    let signature = Some(key_of("a").sign(&said));
    node.call(|node, now| node.consider(alone, signature, now));
    assert!(node.node.agreed.voting.is_none(), "it votes there no more");
    assert_ne!(node.node.agreed.tag(), LineageTag::of(own.head.lineage));
    (node, own)
}

#[test]
fn who_decided_alone_comes_back_and_goes_on_after_what_was_decided() {
    let (mut node, own) = came_over();
    let view = own.head.view;
    node.call(|node, now| node.consider(own, None, now));
    assert_eq!(node.view(), view);
    node.wait(secs(3));
    let before = node.view();
    let c = puppet("c", 13);
    node.meet(&[&c]);
    node.wait_among(&[&c], secs(1));
    assert!(node.holds("c"), "its decisions count again");
    assert!(node.view() > before);
    let voting = node.node.agreed.voting.as_ref().expect("it votes");
    assert_eq!(voting.reached(), node.view());
}

#[test]
fn who_lacks_what_it_decided_or_promised_does_not_come_back() {
    let (mut node, own) = came_over();
    let tag = node.node.agreed.tag();
    let mut older = own.clone();
    older.head.view = View(own.head.view.0 - 1);
    let mut shared = own;
    shared.head.voters.voters.push(voter("x"));
    for roster in [older, shared] {
        node.call(|node, now| node.consider(roster, None, now));
        assert_eq!(node.node.agreed.tag(), tag);
    }
}

/// Its users never met the life that ended: to them nothing happened.
#[test]
fn a_newcomer_tells_no_end_of_lives_that_were_over_before_it_came() {
    let mut node = Driven::new();
    let (a, b) = (puppet("a", 11), puppet("b", 12));
    node.meet(&[&a, &b]);
    let mut former = a.clone();
    former.instance -= 1;
    let mut roster = of_another_history(9, "b", &[&former, &b]);
    let changes = vec![Change::Left {
        name: name("a"),
        instance: Instance(former.instance),
    }];
    roster.apply(&Cut {
        changes,
        ..Cut::default()
    });
    roster.apply(&Cut {
        changes: vec![Change::Up {
            name: name("a"),
            instance: Instance(a.instance),
            removals: 0,
        }],
        ..Cut::default()
    });
    node.call(|node, now| node.adopt(roster, now));
    let told = node.events();
    let of_a: Vec<_> = told.iter().filter(|told| told.starts_with("a ")).collect();
    assert_eq!(of_a, ["a up in 3"], "{told:?}");
}
