use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{Urgency, send_limit};
use crate::members::{MemberId, Name};

const ROOMY: usize = 10_000;
const OFTEN: u32 = 100;

#[test]
fn the_least_sent_goes_first_and_of_those_who_came_there_last() {
    let mut queue = Queue::default();
    queue.put(&name("a"), Urgency::Normal, update("a"));
    queue.put(&name("b"), Urgency::Normal, update("b"));
    assert_eq!(take(&mut queue, ONE), ["b"]);
    assert_eq!(take(&mut queue, ONE), ["a"]);
    queue.put(&name("c"), Urgency::Normal, update("c"));
    assert_eq!(take(&mut queue, 3 * ONE), ["c", "a", "b"]);
    assert_eq!(
        take(&mut queue, 3 * ONE),
        ["c", "a", "b"],
        "c was sent once, a and b twice"
    );
}

#[test]
fn a_goodbye_goes_ahead_however_often_it_was_sent() {
    let mut queue = Queue::default();
    queue.put(&name("a"), Urgency::First, update("a"));
    for _ in 0..5 {
        assert_eq!(take(&mut queue, ONE), ["a"]);
    }
    queue.put(&name("b"), Urgency::Normal, update("b"));
    assert_eq!(take(&mut queue, 2 * ONE), ["a", "b"]);
}

#[test]
fn an_update_is_sent_as_often_as_the_limit_says() {
    let mut queue = Queue::default();
    queue.put(&name("a"), Urgency::Normal, update("a"));
    let mut sent = 0;
    while fill(&mut queue, ROOMY, 7, None) == ["a"] {
        sent += 1;
        queue.check_invariants();
    }
    assert_eq!(sent, 7);
}

#[test]
fn what_others_are_known_to_hold_counts_as_sent() {
    let mut queue = Queue::default();
    queue.put(&name("a"), Urgency::First, update("a"));
    queue.put(&name("b"), Urgency::Normal, update("b"));
    queue.put(&name("c"), Urgency::Normal, update("c"));
    let c = queue.id(&name("c"));
    assert_eq!(fill(&mut queue, ROOMY, 7, None), ["a", "c", "b"]);
    queue.queue.credit(5, 2, 7, |id| id != c);
    assert_eq!(
        fill(&mut queue, ROOMY, 7, None),
        ["a", "c", "b"],
        "not pushed yet"
    );
    queue.queue.credit(4, 2, 7, |id| id != c);
    queue.check_invariants();
    assert_eq!(
        fill(&mut queue, ROOMY, 7, None),
        ["a", "c", "b"],
        "once more each"
    );
    queue.check_invariants();
    assert_eq!(
        fill(&mut queue, ROOMY, 7, None),
        ["c"],
        "which was not known to be held"
    );
    queue.queue.credit(5, 2, 7, |_| true);
    queue.check_invariants();
    assert!(fill(&mut queue, ROOMY, 7, None).is_empty());
}

/// A cluster that shrinks has a smaller limit: what was sent as often already goes once more at
/// most.
#[test]
fn a_limit_that_shrinks_ends_what_is_past_it() {
    let mut queue = Queue::default();
    queue.put(&name("a"), Urgency::Normal, update("a"));
    for _ in 0..5 {
        assert_eq!(fill(&mut queue, ROOMY, 9, None), ["a"]);
    }
    assert_eq!(fill(&mut queue, ROOMY, 3, None), ["a"]);
    assert!(fill(&mut queue, ROOMY, 3, None).is_empty());
}

#[test]
fn a_newer_update_takes_the_place_of_the_older_and_starts_anew() {
    let mut queue = Queue::default();
    queue.put(&name("a"), Urgency::First, b"old".to_vec());
    assert_eq!(fill(&mut queue, ROOMY, 2, None), ["old"]);
    queue.put(&name("a"), Urgency::Normal, b"new".to_vec());
    queue.check_invariants();
    assert_eq!(fill(&mut queue, ROOMY, 2, None), ["new"]);
    assert_eq!(fill(&mut queue, ROOMY, 2, None), ["new"]);
    assert!(fill(&mut queue, ROOMY, 2, None).is_empty());
}

#[test]
fn what_was_said_already_is_left_out_and_not_counted() {
    let mut queue = Queue::default();
    for text in ["a", "b"] {
        queue.put(&name(text), Urgency::Normal, update(text));
    }
    assert_eq!(fill(&mut queue, ROOMY, 1, Some(&name("a"))), ["b"]);
    assert_eq!(fill(&mut queue, ROOMY, 1, None), ["a"]);
}

#[test]
fn a_removed_update_is_not_sent() {
    let mut queue = Queue::default();
    queue.put(&name("a"), Urgency::Normal, update("a"));
    queue.remove(&name("a"));
    queue.remove(&name("b"));
    queue.check_invariants();
    assert!(fill(&mut queue, ROOMY, OFTEN, None).is_empty());
}

#[test]
fn a_smaller_update_fills_what_a_larger_one_leaves() {
    let mut queue = Queue::default();
    queue.put(&name("small"), Urgency::Normal, update("small"));
    queue.put(
        &name("large"),
        Urgency::Normal,
        format!("{:<500}", "large").into_bytes(),
    );
    assert_eq!(take(&mut queue, 100), ["small"]);
    assert_eq!(
        take(&mut queue, 600),
        ["large", "small"],
        "the large one had lost nothing"
    );
}

/// A datagram does not look through a queue of thousands for the one update that still fits.
#[test]
fn only_a_few_that_do_not_fit_are_tried() {
    let taken_behind = |misfits: usize| {
        let mut queue = Queue::default();
        queue.put(&name("small"), Urgency::Normal, update("small"));
        for n in 0..misfits {
            queue.put(
                &name(&format!("large{n}")),
                Urgency::Normal,
                vec![b'x'; 500],
            );
        }
        !take(&mut queue, 100).is_empty()
    };
    assert_eq!(
        [0, 7, 8, 5_000].map(taken_behind),
        [true, true, false, false]
    );
}

#[test]
fn fresher_means_sent_less_often_than_asked() {
    let mut queue = Queue::default();
    assert!(
        !queue.has_fresher_than(OFTEN),
        "an empty queue has nothing fresh"
    );
    queue.put(&name("a"), Urgency::First, update("a"));
    for times in 0..4 {
        assert!(!queue.has_fresher_than(times));
        assert!(queue.has_fresher_than(times + 1));
        assert_eq!(take(&mut queue, ONE), ["a"]);
    }
    queue.put(&name("b"), Urgency::Normal, update("b"));
    assert!(
        queue.has_fresher_than(1),
        "behind a goodbye that was sent often"
    );
}

#[test]
fn members_with_ever_new_news_leave_nothing_behind() {
    let mut queue = Queue::default();
    for turn in 0..10_000 {
        queue.put(
            &name(&format!("n{}", turn % 7)),
            Urgency::Normal,
            update("n"),
        );
        if turn % 3 == 0 {
            queue.remove(&name(&format!("n{}", turn % 5)));
        }
    }
    queue.check_invariants();
    assert!(queue.queue.tickets() < 200, "void tickets are dropped");
    while !take(&mut queue, ROOMY).is_empty() {}
    assert_eq!(queue.queue.tickets(), 0);
}

/// SWIM section 4.1: lambda log2(n), here of n + 1 and rounded up.
#[test]
fn updates_are_sent_a_logarithmic_number_of_times() {
    let table = [
        (0, 3),
        (1, 3),
        (2, 6),
        (3, 6),
        (4, 9),
        (7, 9),
        (8, 12),
        (1000, 30),
        (65_536, 51),
    ];
    for (members, times) in table {
        assert_eq!(send_limit(3, members), times, "{members} members");
    }
}

proptest! {
    /// The room is kept, nothing is sent twice in a datagram, and nothing is lost before its limit.
    #[test]
    fn every_update_is_sent_its_number_of_times_and_none_beyond_the_room(
        lengths in prop::collection::btree_map("[a-z]{1,3}", 1usize..120, 1..30),
        urgent in "[a-m]",
        rooms in prop::collection::vec(130usize..400, 1..20),
        limit in 1u32..5,
    ) {
        let mut queue = Queue::default();
        for (text, length) in &lengths {
            let urgency = if *text < urgent { Urgency::First } else { Urgency::Normal };
            // The first byte of an update tells where it begins.
            let mut bytes = vec![0];
            bytes.resize(*length, 1);
            queue.put(&name(text), urgency, bytes);
        }
        let mut sent = 0;
        let mut bytes = 0;
        for room in rooms.iter().cycle() {
            let mut buffer = Vec::new();
            let count = queue.fill(&mut buffer, *room, limit, None);
            queue.check_invariants();
            prop_assert!(buffer.len() <= *room);
            prop_assert_eq!(buffer.iter().filter(|byte| **byte == 0).count(), count);
            if count == 0 {
                break;
            }
            sent += count;
            bytes += buffer.len();
        }
        prop_assert_eq!(sent, lengths.len() * limit as usize);
        prop_assert_eq!(bytes, lengths.values().sum::<usize>() * limit as usize);
    }

    /// Least sent first keeps all alike: no two differ by more than one while all fit alike.
    #[test]
    fn no_update_is_more_than_one_send_ahead(
        members in prop::collection::btree_set("[a-z]{1,3}", 1..30),
        turns in 1usize..60,
    ) {
        let mut queue = Queue::default();
        for text in &members {
            queue.put(&name(text), Urgency::Normal, update(text));
        }
        let mut sent: BTreeMap<String, usize> = BTreeMap::new();
        for _ in 0..turns {
            for text in take(&mut queue, 3 * ONE) {
                *sent.entry(text).or_default() += 1;
            }
        }
        let of = |text: &String| sent.get(text).copied().unwrap_or(0);
        let most = members.iter().map(of).max().expect("there is a member");
        let least = members.iter().map(of).min().expect("there is a member");
        prop_assert!(most - least <= 1, "{sent:?}");
    }
}

/// A queue whose members are known by names and whose updates are given.
#[derive(Default)]
struct Queue {
    queue: super::Queue,
    members: Vec<Name>,
    updates: BTreeMap<Name, Vec<u8>>,
}

impl Queue {
    fn id(&mut self, of: &Name) -> MemberId {
        let known = self.members.iter().position(|name| name == of);
        let place = known.unwrap_or_else(|| {
            self.members.push(of.clone());
            self.members.len() - 1
        });
        MemberId::numbered(place as u32)
    }

    fn put(&mut self, subject: &Name, urgency: Urgency, bytes: Vec<u8>) {
        let id = self.id(subject);
        self.updates.insert(subject.clone(), bytes);
        self.queue.put(id, urgency);
    }

    fn remove(&mut self, subject: &Name) {
        let id = self.id(subject);
        self.queue.remove(id);
    }

    fn fill(&mut self, buffer: &mut Vec<u8>, room: usize, limit: u32, but: Option<&Name>) -> usize {
        let but = but.map(|name| self.id(name));
        let Queue {
            queue,
            members,
            updates,
        } = self;
        let names = members.iter().enumerate();
        let names: BTreeMap<u32, &Name> = names.map(|(at, name)| (at as u32, name)).collect();
        let word = |id: MemberId| &updates[names[&id.number()]];
        let write = |bytes: &&Vec<u8>, buffer: &mut Vec<u8>| buffer.extend_from_slice(bytes);
        queue.fill(buffer, room, limit, but, word, write)
    }

    fn has_fresher_than(&self, times: u32) -> bool {
        self.queue.fresher_than(times) > 0
    }

    fn check_invariants(&self) {
        self.queue.check_invariants();
    }
}

/// The length of every `update`.
const ONE: usize = 10;

fn name(text: &str) -> Name {
    Name::new(text).expect("a valid name")
}

/// The text, padded to one length.
fn update(text: &str) -> Vec<u8> {
    format!("{text:<ONE$}").into_bytes()
}

/// The updates that go into a datagram with so much room, by their texts.
fn take(queue: &mut Queue, room: usize) -> Vec<String> {
    let mut buffer = Vec::new();
    let count = queue.fill(&mut buffer, room, OFTEN, None);
    queue.check_invariants();
    let text = String::from_utf8(buffer).expect("updates are texts here");
    let taken: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    assert_eq!(taken.len(), count);
    taken
}

fn fill(queue: &mut Queue, room: usize, limit: u32, but: Option<&Name>) -> Vec<String> {
    let mut buffer = Vec::new();
    let _ = queue.fill(&mut buffer, room, limit, but);
    let text = String::from_utf8(buffer).expect("updates are texts here");
    text.split_whitespace().map(str::to_owned).collect()
}
