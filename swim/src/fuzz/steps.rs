//! Anything in any order, to two or three nodes: what their network, their callers and somebody
//! with a key can do to them.

use std::time::Duration;

use super::script::Script;
use super::world::{Datagram, Setup, World, address, name};
use crate::config::Config;
use crate::event::State;
use crate::members::{AppHealth, Ending, Name};
use crate::node::{KeyChange, Node, StreamEnd, StreamId};
use crate::time::Time;
use crate::wire::sealing::{Key, Keyring, Plaintext};

/// Does to a few nodes what the input says, and looks at each after every step.
pub fn node(input: &[u8]) {
    let mut script = Script(input);
    let mut world = begin(&mut script);
    while !script.is_over() && !world.is_spent() {
        step(&mut world, &mut script);
        world.check();
    }
    world.live(Duration::from_millis(20));
    (0..world.hosts.len()).for_each(|at| look(&world, at));
}

/// What the insider knows.
pub(super) fn key(number: u8) -> Key {
    Key::new([number; 32])
}

pub(super) fn ring() -> Keyring {
    Keyring::new(1, vec![(key(1), None), (key(2), None)]).expect("a ring of two keys")
}

fn begin(script: &mut Script<'_>) -> World {
    let flags = script.byte();
    let plaintext = [
        Plaintext::Refuse,
        Plaintext::Refuse,
        Plaintext::Accept,
        Plaintext::Send,
    ];
    let setup = Setup {
        config: Config {
            expect: 1 + usize::from(flags >> 3 & 1),
            ..Config::local()
        },
        keys: (flags & 1 == 1).then(ring),
        plaintext: plaintext[usize::from(flags >> 1 & 3)],
        votes: flags >> 4 & 1 == 0,
    };
    let hosts = 2 + usize::from(flags >> 5 & 1);
    let mut world = World::new(setup, hosts);
    if flags >> 6 & 1 == 0 {
        world.gather();
    }
    world
}

fn step(world: &mut World, script: &mut Script<'_>) {
    match script.byte() % 32 {
        0..3 => world.live(script.duration()),
        3 => world.wait(script.duration()),
        4 => world.now += script.duration(),
        5 => world.wake(),
        6..8 => {
            if let Some(datagram) = one_of(world, script) {
                world.deliver(&datagram);
            }
        }
        8 => drop(one_of(world, script)),
        9 => {
            if let Some(datagram) = one_of(world, script) {
                world.deliver(&datagram);
                world.datagrams.push_front(datagram);
            }
        }
        10..13 => {
            if let Some(datagram) = one_of(world, script)
                && let Some(bytes) = world.insider.tamper(&datagram, script)
            {
                world.deliver(&Datagram { bytes, ..datagram });
            }
        }
        13..17 => {
            let datagram = world.forge(script);
            world.deliver(&datagram);
        }
        17 => {
            let (at, bytes) = (script.below(world.hosts.len()), script.bytes());
            let from = address(script.below(9));
            world.call(at, |node, now| node.handle_datagram(from, bytes, now));
        }
        18 => world.intrude(script.below(world.hosts.len())),
        19..22 => world.forge_frame(script),
        22 => {
            if let Some((at, stream)) = world.insider.stream(script) {
                world.shake_hands(at, stream);
                world.say(at, stream, script.bytes());
            }
        }
        23 => close(world, script),
        24 => (0..=script.below(16)).for_each(|_| world.deliver_segment()),
        25 => (0..world.hosts.len()).for_each(|at| world.answer(at)),
        26 => mishap(world, script),
        _ => command(world, script),
    }
}

/// Takes a datagram out of those under way.
fn one_of(world: &mut World, script: &mut Script<'_>) -> Option<Datagram> {
    let at = script.below(world.datagrams.len().max(1));
    world.datagrams.remove(at)
}

/// A stream ends, whichever it is.
fn close(world: &mut World, script: &mut Script<'_>) {
    let at = script.below(world.hosts.len());
    let stream = StreamId(u64::from(script.byte()));
    let end = script.choose(&[StreamEnd::Closed, StreamEnd::Refused, StreamEnd::Failed]);
    world.call(at, |node, now| node.handle_stream_closed(stream, end, now));
}

fn mishap(world: &mut World, script: &mut Script<'_>) {
    let at = script.below(world.hosts.len());
    match script.below(6) {
        0 => world.cut = script.byte(),
        1 => world.cut = 0,
        2 => world.end(at),
        3 => world.restart(at),
        4 => world.writes = script.flag(),
        _ => {
            let addr = address(script.below(9));
            world.call(at, |node, now| node.handle_refused(addr, now));
        }
    }
}

/// What the caller of a node may ask of it.
fn command(world: &mut World, script: &mut Script<'_>) {
    let at = script.below(world.hosts.len());
    let kind = script.byte() % 16;
    if kind == 0 {
        return look(world, at);
    }
    if kind == 1 {
        let seed = world.hosts[at].resolving.pop_front().unwrap_or_default();
        let addresses: Vec<_> = (0..script.below(4))
            .map(|_| address(script.below(9)))
            .collect();
        world.call(at, |node, now| node.handle_resolved(&seed, &addresses, now));
        return;
    }
    world.call(at, |node, now| match kind {
        2 => drop(node.join(&[script.text()], now)),
        3 => node.leave(now),
        4 => drop(node.set_tag(&script.text(), &script.text(), now)),
        5 => drop(node.remove_tag(&script.text(), now)),
        6 => drop(node.attach(&script.text(), now)),
        7 => {
            let health = [AppHealth::Passing, AppHealth::Warning, AppHealth::Failing];
            let (app, health) = (script.text(), script.choose(&health));
            drop(node.report_app(&app, health, &script.text(), now));
        }
        8 => {
            let status = script.byte();
            let endings = [Ending::Exited { status }, Ending::Detached, Ending::Lost];
            let ending = script.choose(&endings);
            drop(node.end_app(&script.text(), None, ending, now));
        }
        9 => drop(node.confirm_view(now)),
        10..12 => drop(node.remove(name(script.below(4)).as_str(), script.flag(), now)),
        12 => recover(node, now),
        13 => node.set_keys(script.flag().then(ring), Plaintext::Accept, now),
        _ => drop(node.change_keys(change(script), now)),
    });
}

fn recover(node: &mut Node, now: Time) {
    let alive = node.members().filter(|held| held.state == State::Alive);
    let survivors: Vec<Name> = alive.map(|held| held.name).collect();
    drop(node.recover(&survivors, now));
}

fn change(script: &mut Script<'_>) -> KeyChange {
    let key = key(1 + script.byte() % 10);
    match script.below(4) {
        0 => KeyChange::Look,
        1 => KeyChange::Add(key),
        2 => KeyChange::Use(key.id()),
        _ => KeyChange::Remove {
            id: key.id(),
            grace: script.duration(),
            force: script.flag(),
        },
    }
}

/// All that a node tells of itself.
fn look(world: &World, at: usize) {
    let node = &world.hosts[at].node;
    let members = node.members().count();
    assert!(node.present() <= members, "who is present is known");
    assert_eq!(node.rings().len(), node.config().rings);
    let _ = (node.agreement(world.now), node.mark(), node.links());
    let _ = (node.contacts(), node.seeds(), node.apps(), node.stats());
    for member in node.members() {
        let name = member.name.as_str();
        assert_eq!(
            node.member(name).map(|held| held.instance),
            Some(member.instance)
        );
        let _ = (node.case_files(name), node.open_case(name));
        let _ = node.accusers(name);
    }
}
