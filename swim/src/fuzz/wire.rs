//! Bytes from the network: decoded, opened, and taken by a node.

use std::time::Duration;

use super::steps::ring;
use super::world::{Setup, World, address, cluster};
use crate::config::Config;
use crate::members::NameHash;
use crate::node::{Node, StreamId};
use crate::wire::ClusterId;
use crate::wire::accepted::{accept_datagram, accept_stream, frames, frames_in_pieces};
use crate::wire::sealing::{Channel, Plaintext, Seal};

/// A datagram, plain and sealed.
pub fn datagram(input: &[u8]) {
    let taken = accept_datagram(input, ClusterId::of(&cluster()));
    let mut sealed = input.to_vec();
    if taken.is_ok() {
        seal("n1").seal_datagram("n1", NameHash::of("n1"), &mut sealed);
    }
    // Members that seal are slow to come together.
    let seals = input.len().is_multiple_of(8);
    for keys in [false].into_iter().chain(seals.then_some(true)) {
        let mut world = pair(keys);
        for bytes in [input, &sealed] {
            world.call(0, |node, now| {
                node.handle_datagram(address(8), bytes, now);
            });
        }
        world.live(Duration::from_millis(20));
    }
    opens_only_as_it_was_sealed(input);
}

fn opens_only_as_it_was_sealed(input: &[u8]) {
    let mut sealed = b"\x01".to_vec();
    sealed.extend(input.iter().take(crate::limits::PLAIN_DATAGRAM_BYTES - 1));
    let (plain, mut opened) = (sealed.clone(), Vec::new());
    let to = NameHash::of("n2");
    seal("n1").seal_datagram("n1", to, &mut sealed);
    let other = seal("n2");
    let origin = other.open_datagram(NameHash::of("n3"), &sealed, &mut opened);
    assert!(origin.is_err(), "nor does it open to others");
    let origin = other.open_datagram(to, &sealed, &mut opened);
    assert!(origin.is_ok() && opened == plain, "it opens as it was");
    let place = usize::from(input.first().copied().unwrap_or_default()) % sealed.len();
    sealed[place] ^= 1 << (input.len() % 8);
    let origin = other.open_datagram(to, &sealed, &mut opened);
    assert!(origin.is_err(), "what was changed does not open");
}

/// The bytes of a stream: frames, however they are cut, on a stream of either side.
pub fn stream(input: &[u8]) {
    accept_stream(input);
    let whole = frames(input);
    assert_eq!(frames_in_pieces(input, 1), whole);
    assert_eq!(frames_in_pieces(input, 7), whole);
    let mut world = pair(false);
    let accepted = world.call(0, |node, now| node.handle_stream_accepted(address(8), now));
    if let Some(Some(stream)) = accepted {
        feed(&mut world, stream, input);
    }
    // Nobody is at this address: the answer is the input's.
    let seed = address(9).to_string();
    world.call(0, |node, now| drop(node.join(&[seed], now)));
    world.live(Duration::from_millis(5));
    if let Some((_, stream)) = world.insider.stream(&mut super::script::Script(&[])) {
        feed(&mut world, stream, input);
    }
    world.live(Duration::from_millis(20));
}

fn feed(world: &mut World, stream: StreamId, input: &[u8]) {
    let pieces = input.chunks(input.len() / 2 + 1);
    pieces.for_each(|piece| world.say(0, stream, piece));
}

/// Bytes on a sealed stream, from the first on: to either side before, in and after the handshake.
pub fn handshake(input: &[u8]) {
    for keys in [true, false] {
        let mut world = World::new(setup(keys), 1);
        world.intrude(0);
        if let Some((at, stream)) = world.insider.stream(&mut super::script::Script(&[])) {
            world.call(at, |node: &mut Node, now| {
                node.handle_stream_data(stream, input, now);
            });
            world.check();
        }
    }
    takes_anything(Channel::called, input);
    takes_anything(|| Channel::call(&mut seal("n1"), true).0, input);
    meddled(input);
}

fn seal(of: &str) -> Seal {
    let mut entropy = [3; 32];
    entropy[..of.len()].copy_from_slice(of.as_bytes());
    let mut seal = Seal::new(cluster(), entropy);
    seal.set(Some(ring()), Plaintext::Refuse);
    seal
}

/// Cut anyhow, the same comes of it, and nothing that was not sealed.
fn takes_anything(channel: impl Fn() -> Channel, input: &[u8]) {
    let mut whole_seal = seal("n2");
    let whole = channel().take(&mut whole_seal, input);
    assert!(whole.plain.is_empty(), "nobody sealed that");
    let (mut channel, mut seal) = (channel(), seal("n2"));
    let (mut reply, mut fault) = (Vec::new(), None);
    for byte in input.chunks(1) {
        let taken = channel.take(&mut seal, byte);
        assert!(taken.plain.is_empty(), "nobody sealed that");
        reply.extend(taken.reply);
        if taken.fault.is_some() {
            fault = taken.fault;
            break;
        }
    }
    assert_eq!((reply, fault), (whole.reply, whole.fault));
}

/// An honest handshake, in which one byte may be changed on its way, and then the input.
fn meddled(input: &[u8]) {
    let [where_to, place, change, rest @ ..] = input else {
        return;
    };
    let (mut ours, mut theirs) = (seal("n1"), seal("n2"));
    let (mut caller, mut first) = Channel::call(&mut ours, true);
    let mut called = Channel::called();
    let meddle = |bytes: &mut Vec<u8>| {
        let place = usize::from(*place) % bytes.len();
        bytes[place] ^= change;
    };
    if where_to % 3 == 0 {
        meddle(&mut first);
    }
    let mut answer = called.take(&mut theirs, &first).reply;
    if where_to % 3 == 1 && !answer.is_empty() {
        meddle(&mut answer);
    }
    let taken = caller.take(&mut ours, &answer);
    let honest = where_to % 3 == 2 || *change == 0;
    assert_eq!(taken.is_open, honest, "only an honest handshake opens");
    if !honest {
        return;
    }
    let mut sealed = caller.seal(rest.to_vec().into());
    assert_eq!(&*called.take(&mut theirs, &sealed).plain, rest);
    sealed = called.seal(rest.to_vec().into());
    assert_eq!(&*caller.take(&mut ours, &sealed).plain, rest);
    let forged = caller.take(&mut ours, rest);
    assert!(forged.plain.is_empty(), "nobody sealed that");
}

/// Two members that know each other, both with keys or both without.
fn pair(keys: bool) -> World {
    let mut world = World::new(setup(keys), 2);
    world.gather();
    world
}

fn setup(keys: bool) -> Setup {
    Setup {
        config: Config::local(),
        keys: keys.then(ring),
        plaintext: Plaintext::Refuse,
        votes: true,
    }
}
