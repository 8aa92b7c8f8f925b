//! The streams by themselves, between two hosts without nodes.

mod lying;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::agenda::Agenda;
use super::dice::Dice;
use super::drive::SimEvent;
use super::network::{Bandwidth, Faults, Network};
use super::process::{Input, Pid};
use super::streams::{Arrival, Connection, Medium, Side, Streams};
use crate::time::Time;

const CALLER: Pid = Pid(1);
const CALLEE: Pid = Pid(2);

/// Two hosts and the streams between them, without nodes.
struct Wire {
    agenda: Agenda<SimEvent>,
    network: Network,
    dice: Dice,
    streams: Streams,
    listens: bool,
    heard: Vec<(Time, Pid, Input)>,
}

fn host(number: u8) -> IpAddr {
    IpAddr::from([10, 0, 0, number])
}

impl Wire {
    fn new(seed: u64) -> Wire {
        Wire {
            agenda: Agenda::new(),
            network: Network::new(Faults::default()),
            dice: Dice::new(seed),
            streams: Streams::default(),
            listens: true,
            heard: Vec::new(),
        }
    }

    fn with<T>(&mut self, call: impl FnOnce(&mut Streams, &mut Medium<'_>) -> T) -> T {
        let mut medium = Medium {
            agenda: &mut self.agenda,
            network: &mut self.network,
            dice: &mut self.dice,
        };
        call(&mut self.streams, &mut medium)
    }

    fn connect(&mut self) -> Connection {
        let to = SocketAddr::new(host(2), 7946);
        self.with(|streams, medium| streams.connect(CALLER, host(1), to, medium))
    }

    fn send(&mut self, id: Connection, side: Side, bytes: &[u8]) {
        self.with(|streams, medium| streams.send(id, side, bytes, medium));
    }

    fn run(&mut self, duration: Duration) {
        let end = self.agenda.now() + duration;
        while let Some(event) = self.agenda.next_until(end) {
            let SimEvent::Stream(arrival) = event else {
                panic!("only streams here: {event:?}")
            };
            let knocks = matches!(arrival, Arrival::Knock(_));
            let listener = (knocks && self.listens).then_some(CALLEE);
            let inputs = self.with(|streams, medium| streams.arrive(arrival, listener, medium));
            let now = self.agenda.now();
            self.heard
                .extend(inputs.into_iter().map(|(pid, input)| (now, pid, input)));
        }
    }

    /// What a process heard, in words; data joined.
    fn words(&self, of: Pid) -> Vec<String> {
        let mut words = Vec::new();
        let mut joined = Vec::new();
        for (_, _, input) in self.heard.iter().filter(|(_, pid, _)| *pid == of) {
            match input {
                Input::Data { bytes, .. } => {
                    joined.extend_from_slice(bytes);
                    continue;
                }
                Input::Opened { .. } => words.push("opened".to_owned()),
                Input::Connected { .. } => words.push("connected".to_owned()),
                Input::Closed { end, .. } => {
                    words.push(String::from_utf8_lossy(&joined).into_owned());
                    words.push(format!("{end:?}"));
                    joined.clear();
                }
                Input::Datagram { .. }
                | Input::Refused { .. }
                | Input::Resolved { .. }
                | Input::KeysKept { .. }
                | Input::Saved { .. } => {
                    panic!("{input:?}")
                }
            }
        }
        if !joined.is_empty() {
            words.push(String::from_utf8_lossy(&joined).into_owned());
        }
        words
    }

    fn opened(seed: u64) -> (Wire, Connection) {
        let mut wire = Wire::new(seed);
        let id = wire.connect();
        wire.run(Duration::from_secs(1));
        assert_eq!(wire.words(CALLER), ["connected"]);
        assert_eq!(wire.words(CALLEE), ["opened"]);
        (wire, id)
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn data_arrives_in_order_in_random_chunks_before_the_close() {
    let mut chunkings = Vec::new();
    for seed in 0..20 {
        let (mut wire, id) = Wire::opened(seed);
        for part in ["one ", "two ", "three ", "four"] {
            wire.send(id, Side::Caller, part.as_bytes());
        }
        wire.with(|streams, medium| streams.close(id, Side::Caller, medium));
        wire.run(SECOND);
        assert_eq!(
            wire.words(CALLEE),
            ["opened", "one two three four", "Closed"]
        );
        chunkings.push(wire.heard.len());
    }
    chunkings.sort_unstable();
    chunkings.dedup();
    assert!(
        chunkings.len() > 3,
        "the seed decides where it is cut: {chunkings:?}"
    );
}

#[test]
fn what_is_sent_before_the_stream_stands_arrives_when_it_does() {
    let mut wire = Wire::new(1);
    let id = wire.connect();
    wire.send(id, Side::Caller, b"early");
    wire.run(SECOND);
    assert_eq!(wire.words(CALLEE), ["opened", "early"]);
}

#[test]
fn a_host_without_the_process_refuses() {
    let mut wire = Wire::new(1);
    wire.listens = false;
    wire.connect();
    wire.run(SECOND);
    assert_eq!(wire.words(CALLER), ["", "Refused"]);
}

#[test]
fn a_dead_process_closes_its_streams_and_a_dead_host_does_not() {
    let (mut wire, _) = Wire::opened(1);
    wire.with(|streams, medium| streams.end_process(CALLEE, medium));
    wire.run(Duration::from_millis(2));
    assert_eq!(wire.words(CALLER), ["connected", "", "Closed"]);

    let (mut wire, id) = Wire::opened(1);
    wire.network.set_down(host(2), true);
    wire.streams.end_host(host(2));
    wire.send(id, Side::Caller, b"hello?");
    wire.run(60 * SECOND);
    assert_eq!(wire.words(CALLER), ["connected"], "silence");
    // The host is back and knows nothing of the stream.
    wire.network.set_down(host(2), false);
    wire.run(200 * SECOND);
    assert_eq!(wire.words(CALLER), ["connected", "", "Closed"]);
    assert_eq!(wire.words(CALLEE), ["opened"]);
}

#[test]
fn a_cut_is_silent_and_data_comes_when_it_heals() {
    for way in [(host(1), host(2)), (host(2), host(1))] {
        let mut wire = Wire::new(1);
        wire.network.cut(way.0, way.1);
        wire.connect();
        wire.run(20 * SECOND);
        assert!(wire.heard.is_empty(), "it takes both ways to open a stream");
        wire.network.heal();
        wire.run(60 * SECOND);
        assert_eq!(wire.words(CALLER), ["connected"]);
    }
    let (mut wire, id) = Wire::opened(1);
    wire.network.cut_both_ways(host(1), host(2));
    wire.send(id, Side::Callee, b"late");
    wire.run(10 * SECOND);
    assert_eq!(wire.words(CALLER), ["connected"]);
    wire.network.heal();
    wire.run(20 * SECOND);
    assert_eq!(wire.words(CALLER), ["connected", "late"]);
}

#[test]
fn kernels_give_up_at_last() {
    let mut wire = Wire::new(1);
    wire.network.cut(host(1), host(2));
    wire.connect();
    wire.run(300 * SECOND);
    assert_eq!(wire.words(CALLER), ["", "Failed"]);

    let (mut wire, id) = Wire::opened(1);
    wire.network.cut(host(1), host(2));
    wire.send(id, Side::Caller, b"x");
    wire.run(3600 * SECOND);
    assert_eq!(wire.words(CALLER), ["connected", "", "Closed"]);
}

#[test]
fn events_of_one_instant_come_in_the_order_they_were_planned() {
    let mut agenda = Agenda::new();
    agenda.after(2 * SECOND, 'c');
    agenda.after(SECOND, 'a');
    agenda.after(SECOND, 'b');
    let end = Time::ZERO + 3 * SECOND;
    let order: Vec<char> = std::iter::from_fn(|| agenda.next_until(end)).collect();
    assert_eq!(order, ['a', 'b', 'c']);
    assert_eq!(agenda.now(), end);
}

#[test]
fn streams_are_cut_to_the_mtu_and_pass() {
    let mut wire = Wire::new(1);
    wire.network.faults().mtu = Some(140);
    let id = wire.connect();
    let text = "a hundred bytes and no more ".repeat(50);
    wire.send(id, Side::Caller, text.as_bytes());
    wire.run(SECOND);
    assert_eq!(wire.words(CALLEE), ["opened", &text]);
    let longest = wire.heard.iter().filter_map(|(_, _, input)| match input {
        Input::Data { bytes, .. } => Some(bytes.len()),
        Input::Datagram { .. }
        | Input::Refused { .. }
        | Input::Opened { .. }
        | Input::Connected { .. }
        | Input::Closed { .. }
        | Input::Resolved { .. }
        | Input::KeysKept { .. }
        | Input::Saved { .. } => None,
    });
    assert_eq!(longest.max(), Some(100));
}

#[test]
fn a_stream_takes_its_time_through_a_narrow_uplink() {
    for seed in 0..20 {
        let (mut wire, id) = Wire::opened(seed);
        wire.network.faults().bandwidth = Some(Bandwidth {
            bytes_per_s: 100_000,
            queue_bytes: 10_000,
        });
        let began = wire.agenda.now();
        let text = "x".repeat(50_000);
        wire.send(id, Side::Caller, text.as_bytes());
        wire.run(5 * SECOND);
        assert_eq!(wire.words(CALLEE), ["opened", &text]);
        let took = wire.heard.last().expect("it arrived").0 - began;
        // With the headers of its segments.
        let expected = Duration::from_millis(500)..Duration::from_millis(530);
        assert!(expected.contains(&took), "{took:?}");
    }
}

#[test]
fn a_middlebox_resets_streams_at_both_ends() {
    let (mut wire, id) = Wire::opened(1);
    wire.send(id, Side::Caller, b"lost on the way");
    let told = wire.streams.reset(CALLEE);
    let told: Vec<(Pid, bool)> = told
        .into_iter()
        .map(|(pid, input)| (pid, matches!(input, Input::Closed { .. })))
        .collect();
    assert_eq!(told, [(CALLER, true), (CALLEE, true)]);
    wire.run(SECOND);
    assert_eq!(wire.words(CALLEE), ["opened"], "nothing comes after it");
    assert_eq!(wire.streams.reset(CALLEE).len(), 0);
    // What is not open yet is not reset.
    wire.connect();
    assert_eq!(wire.streams.reset(CALLER).len(), 0);
    wire.run(SECOND);
    assert_eq!(wire.words(CALLER), ["connected", "connected"]);
}

#[test]
fn a_narrow_uplink_is_as_narrow_for_many_small_pieces() {
    for seed in 0..20 {
        let (mut wire, id) = Wire::opened(seed);
        wire.network.faults().bandwidth = Some(Bandwidth {
            bytes_per_s: 100_000,
            queue_bytes: 10_000,
        });
        let began = wire.agenda.now();
        for _ in 0..500 {
            wire.send(id, Side::Caller, &[b'x'; 100]);
        }
        wire.run(10 * SECOND);
        let took = wire.heard.last().expect("it arrived").0 - began;
        assert!(took >= Duration::from_millis(500), "{took:?}");
    }
}

#[test]
fn to_open_a_connection_takes_a_second_more_for_each_loss() {
    let mut slow = 0;
    for seed in 0..50 {
        let mut wire = Wire::new(seed);
        wire.network.faults().loss = 0.3;
        wire.connect();
        wire.run(20 * SECOND);
        let (at, _, input) = &wire.heard[0];
        assert!(matches!(input, Input::Connected { .. }), "{input:?}");
        let took = at.since(Time::ZERO);
        assert!(took < SECOND / 100 || took >= SECOND, "{took:?}");
        slow += usize::from(took >= SECOND);
    }
    assert!((10..40).contains(&slow), "{slow} of 50");
}

#[test]
fn the_kernel_of_a_dead_process_gives_up_within_a_minute() {
    for (cut_for, arrives) in [(20, true), (60, false)] {
        let (mut wire, id) = Wire::opened(1);
        wire.network.cut(host(1), host(2));
        wire.send(id, Side::Caller, b"last words");
        wire.with(|streams, medium| streams.end_process(CALLER, medium));
        wire.run(cut_for * SECOND);
        wire.network.heal();
        wire.run(600 * SECOND);
        let heard = wire.words(CALLEE).concat().contains("last words");
        assert_eq!(heard, arrives, "cut for {cut_for} s");
    }
}
