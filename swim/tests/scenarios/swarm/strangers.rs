//! A swarm that is sealed, its keys, and who knocks at it without one of them.

use muster_swim::sim::{Cluster, Dice, Keeping, Launch, Pid};
use muster_swim::{
    Answer, Key, KeyChange, KeyHolder, KeyRefusal, KeyReport, Keyring, Name, Plaintext,
};

use super::Swarm;
use super::blows::victim;
use super::kept::KEPT;
use crate::support::*;

/// Numbers of keys: the first one is that of the cluster, until it has the second one instead.
const OLD: u8 = 1;
const NEW: u8 = 2;
const ANOTHER: u8 = 3;

fn key(number: u8) -> Key {
    Key::new([number; 32])
}

fn ring(number: u8) -> Keyring {
    Keyring::new(1, vec![(key(number), None)]).expect("it has a key")
}

/// With what a swarm is sealed: one in eight is. Seeds that found something stay as they were.
pub(super) fn keys(seed: u64) -> Option<Keyring> {
    let is_kept = KEPT.iter().any(|(kept, _)| *kept == seed);
    let is_sealed = Dice::of_topic(seed, "sealed").chance(0.125);
    (is_sealed && !is_kept).then(|| ring(OLD))
}

/// With the keys that the last process of this name left on its host, or those of the cluster.
pub(super) fn with_keys(swarm: &Swarm, launch: Launch) -> Launch {
    let Some(first) = &swarm.keys else {
        return launch;
    };
    let same_name = |pid: &Pid| {
        let before = swarm.cluster.launched(*pid);
        !before.stranger && before.name == launch.name
    };
    let last = swarm.cluster.processes().filter(same_name).last();
    let kept = last.and_then(|pid| swarm.cluster.launched(pid).keys.clone());
    launch.keys(kept.unwrap_or_else(|| first.clone()), Plaintext::Refuse)
}

pub(super) fn other_key(swarm: &mut Swarm, dice: &mut Dice) {
    knock(swarm, dice, |launch, _| {
        launch.keys(ring(ANOTHER), Plaintext::Refuse)
    });
}

pub(super) fn no_key(swarm: &mut Swarm, dice: &mut Dice) {
    knock(swarm, dice, |launch, _| launch);
}

/// It has the keys that a member has, for another cluster.
pub(super) fn other_cluster(swarm: &mut Swarm, dice: &mut Dice) {
    knock(swarm, dice, |mut launch, keys| {
        launch.cluster = Name::new("other").expect("it is a name");
        launch.keys(keys, Plaintext::Refuse)
    });
}

/// A stranger begins to ask a member to be let in, and goes on until the end of the run. Perhaps it
/// takes the name of one.
fn knock(swarm: &mut Swarm, dice: &mut Dice, dress: impl Fn(Launch, Keyring) -> Launch) {
    let (poses, of) = (dice.chance(0.5), dice.number(0..swarm.size));
    let Some((door, keys)) = door(swarm, dice) else {
        return;
    };
    let mut launch = Launch::numbered(of).config(swarm.config.clone());
    launch.addr = swarm.new_host();
    if !poses {
        launch.name = Launch::numbered(swarm.next_host).name;
    }
    // It has not the disk of the one whose name it takes.
    launch.keeping = Keeping::Process;
    launch.stranger = true;
    let seed = swarm.cluster.launched(door).addr;
    swarm.cluster.launch(dress(launch, keys).seed(seed));
}

/// A member of a sealed swarm that runs, and its keys.
fn door(swarm: &Swarm, dice: &mut Dice) -> Option<(Pid, Keyring)> {
    let pid = victim(swarm, dice)?;
    let keys = swarm.cluster.launched(pid).keys.clone();
    keys.map(|keys| (pid, keys))
}

pub(super) fn add_key(swarm: &mut Swarm, dice: &mut Dice) {
    change(swarm, dice, KeyChange::Add(key(NEW)));
}

pub(super) fn use_key(swarm: &mut Swarm, dice: &mut Dice) {
    change(swarm, dice, KeyChange::Use(key(NEW).id()));
}

/// The grace is longer than a run: who is away now comes in with the old one.
pub(super) fn remove_key(swarm: &mut Swarm, dice: &mut Dice) {
    change(swarm, dice, remove_old());
}

fn remove_old() -> KeyChange {
    KeyChange::Remove {
        id: key(OLD).id(),
        grace: HOUR,
        force: false,
    }
}

/// What an operator asks of a member. It may well be refused.
fn change(swarm: &mut Swarm, dice: &mut Dice, change: KeyChange) {
    if let Some((pid, _)) = door(swarm, dice) {
        swarm.cluster.change_keys(pid, change);
    }
}

/// Without faults a rotation goes through, however far another one came: all have the new key.
pub(super) fn rotate(swarm: &mut Swarm) {
    if swarm.keys.is_none() {
        return;
    }
    let up = swarm.cluster.up();
    let steps = [
        KeyChange::Add(key(NEW)),
        KeyChange::Use(key(NEW).id()),
        remove_old(),
    ];
    for step in steps {
        let removes = step == remove_old();
        let report = ask(swarm, up[0], step);
        // It was removed before.
        let is_gone = removes && matches!(&report.refused, Some(KeyRefusal::Key(_)));
        assert!(report.refused.is_none() || is_gone, "{report:?}");
    }
    let report = ask(swarm, up[0], KeyChange::Look);
    let seals_with = |held: &KeyHolder| held.ids().and_then(|ids| ids.first().copied());
    let new = Some(key(NEW).id());
    let have_it = report.holders.iter().filter(|held| seals_with(held) == new);
    assert_eq!(have_it.count(), up.len(), "{report:?}");
}

fn ask(swarm: &mut Swarm, at: Pid, change: KeyChange) -> KeyReport {
    let ticket = swarm.cluster.change_keys(at, change);
    let answer = |cluster: &Cluster| {
        let mut answers = cluster.answers(at).iter();
        let answer = answers.find(|(of, _)| *of == ticket);
        answer.map(|(_, answer)| answer.clone())
    };
    let is_answered = |cluster: &Cluster| answer(cluster).is_some();
    must(
        &mut swarm.cluster,
        secs(60),
        "the keys are told",
        is_answered,
    );
    match answer(&swarm.cluster) {
        Some(Answer::Keys(report)) => report,
        other => panic!("{other:?}"),
    }
}
