//! Sealed clusters: only those with a key are in, keys change while all go on, and encryption is
//! turned on in a cluster that runs.

use muster_swim::sim::{Cluster, Launch, Pid};
use muster_swim::{
    Answer, Key, KeyChange, KeyRefusal, KeyReport, Keyring, Plaintext, SeedError, State, Ticket,
};

use crate::support::*;

fn key(number: u8) -> Key {
    Key::new([number; 32])
}

fn ring(keys: &[u8]) -> Keyring {
    let keys = keys.iter().map(|number| (key(*number), None)).collect();
    Keyring::new(1, keys).expect("a ring")
}

fn sealed(seed: u64, count: usize) -> (Cluster, Vec<Pid>) {
    let mut cluster = Cluster::new(seed, options());
    let pids = cluster.grow(count, |at| {
        Launch::numbered(at + 1).keys(ring(&[1]), Plaintext::Refuse)
    });
    must(&mut cluster, secs(30), "all agree", Cluster::is_unanimous);
    (cluster, pids)
}

fn report(cluster: &mut Cluster, at: Pid, ticket: Ticket) -> KeyReport {
    let answered = |cluster: &Cluster| {
        let mut answers = cluster.answers(at).iter();
        answers.any(|(of, _)| *of == ticket)
    };
    must(cluster, secs(10), "the keys are told", answered);
    let mut answers = cluster.answers(at).iter();
    match answers.find(|(of, _)| *of == ticket) {
        Some((_, Answer::Keys(report))) => report.clone(),
        other => panic!("{other:?}"),
    }
}

fn change(cluster: &mut Cluster, at: Pid, change: KeyChange) -> KeyReport {
    let ticket = cluster.change_keys(at, change);
    report(cluster, at, ticket)
}

fn nobody_is_doubted(cluster: &Cluster, since: muster_swim::Time) {
    for event in ["member-suspect", "member-unreachable", "member-dead"] {
        assert_eq!(all_told(cluster, event, since), [], "{event}");
    }
}

#[test]
fn a_sealed_cluster_finds_the_dead_and_drops_nothing_of_its_own() {
    for seed in seeds(0..5) {
        let (mut cluster, pids) = sealed(seed, 20);
        let (since, victim) = (cluster.now(), pids[7]);
        cluster.crash(victim);
        let up = cluster.up();
        must(&mut cluster, secs(5), "all know", |cluster| {
            up.iter()
                .all(|at| !told(cluster, *at, victim, "member-dead", since).is_empty())
        });
        for pid in cluster.up() {
            let dropped = &cluster.node(pid).stats().dropped;
            let refused = [
                dropped.malformed,
                dropped.unsealed,
                dropped.key,
                dropped.forged,
                dropped.replayed,
            ];
            assert_eq!(refused, [0; 5], "{dropped:?}");
        }
        cluster.check();
    }
}

#[test]
fn who_has_another_key_or_none_stays_outside_and_is_told_why() {
    for seed in seeds(0..3) {
        let (mut cluster, pids) = sealed(seed, 5);
        let first = cluster.launched(pids[0]).addr;
        let since = cluster.now();
        let strangers = [
            cluster.launch(
                Launch::numbered(10)
                    .keys(ring(&[2]), Plaintext::Refuse)
                    .seed(first),
            ),
            cluster.launch(Launch::numbered(11).seed(first)),
        ];
        cluster.run_for(secs(30));
        for stranger in strangers {
            let seeds = cluster.node(stranger).seeds();
            assert_eq!(seeds[0].last_error, Some(SeedError::OtherKey));
            for pid in &pids {
                assert_eq!(cluster.state(*pid, stranger), None);
                assert_eq!(cluster.state(stranger, *pid), None);
            }
        }
        let dropped = &cluster.node(pids[0]).stats().dropped;
        assert!(dropped.key > 0 && dropped.unsealed > 0, "{dropped:?}");
        nobody_is_doubted(&cluster, since);
    }
}

#[test]
fn another_cluster_with_the_same_key_stays_outside() {
    let (mut cluster, pids) = sealed(1, 5);
    let first = cluster.launched(pids[0]).addr;
    let mut launch = Launch::numbered(10).keys(ring(&[1]), Plaintext::Refuse);
    launch.cluster = muster_swim::Name::new("other").expect("a name");
    let stranger = cluster.launch(launch.seed(first));
    cluster.run_for(secs(20));
    assert_eq!(cluster.state(pids[0], stranger), None);
    assert!(cluster.node(pids[0]).stats().dropped.forged > 0);
}

#[test]
fn keys_rotate_while_all_go_on_and_who_was_away_comes_in_with_the_old_one() {
    for seed in seeds(0..5) {
        let (mut cluster, pids) = sealed(seed, 12);
        let (old, new) = (key(1).id(), key(2).id());
        let (at, away) = (pids[3], pids[9]);
        // Whether it votes or not: it comes back as one that never has.
        cluster.crash(away);
        let gone = |cluster: &Cluster| cluster.state(at, away) == Some(State::Dead);
        must(&mut cluster, secs(10), "it is gone", gone);
        must(&mut cluster, secs(10), "all know", Cluster::is_unanimous);
        cluster.run_for(secs(2));
        let since = cluster.now();

        let too_early = change(&mut cluster, at, KeyChange::Use(new));
        assert!(
            matches!(too_early.refused, Some(KeyRefusal::Key(_))),
            "{too_early:?}"
        );
        let remove = |grace| KeyChange::Remove {
            id: old,
            grace,
            force: false,
        };
        let in_use = change(&mut cluster, at, remove(HOUR));
        assert!(
            matches!(in_use.refused, Some(KeyRefusal::Key(_))),
            "{in_use:?}"
        );

        let added = change(&mut cluster, at, KeyChange::Add(key(2)));
        assert_eq!(added.refused, None);
        assert_eq!(added.holders.len(), 11);
        assert!(
            added
                .holders
                .iter()
                .all(|one| one.ids() == Some(&[old, new])),
            "{added:?}"
        );
        let used = change(&mut cluster, at, KeyChange::Use(new));
        assert_eq!(used.refused, None);
        assert!(
            used.holders
                .iter()
                .all(|one| one.ids() == Some(&[new, old])),
            "{used:?}"
        );
        let removed = change(&mut cluster, at, remove(HOUR));
        assert_eq!(removed.refused, None);
        cluster.run_for(secs(20));
        nobody_is_doubted(&cluster, since);

        // It has the old ring on its disk.
        let back = cluster.restart(away);
        must(&mut cluster, secs(30), "it is back", Cluster::is_unanimous);
        let ring = cluster.node(back).keyring().expect("it has keys");
        assert_eq!(ring.primary(), new);

        cluster.run_for(HOUR + secs(60));
        let looked = change(&mut cluster, at, KeyChange::Look);
        assert!(
            looked.holders.iter().all(|one| one.ids() == Some(&[new])),
            "{looked:?}"
        );
        let late = Launch::numbered(30).keys(ring_of_old(), Plaintext::Refuse);
        let late = cluster.launch(late.seed(cluster.launched(at).addr));
        cluster.run_for(secs(20));
        assert_eq!(cluster.state(at, late), None, "the old key opens no more");
        cluster.check();
    }
}

fn ring_of_old() -> Keyring {
    ring(&[1])
}

#[test]
fn files_that_are_changed_by_hand_rotate_a_key_too() {
    for seed in seeds(0..5) {
        let (mut cluster, pids) = sealed(seed, 8);
        let away = pids[5];
        cluster.crash(away);
        let gone = |cluster: &Cluster| cluster.state(pids[0], away) == Some(State::Dead);
        must(&mut cluster, secs(10), "it is gone", gone);
        must(&mut cluster, secs(10), "all know", Cluster::is_unanimous);
        cluster.run_for(secs(2));
        let since = cluster.now();
        for step in [&[1, 2][..], &[2, 1]] {
            for pid in cluster.up() {
                cluster.set_keys(pid, Some(ring(step)), Plaintext::Refuse);
                cluster.run_for(secs(3));
            }
        }
        nobody_is_doubted(&cluster, since);
        for pid in cluster.up() {
            let held = cluster.node(pid).keyring().expect("it has keys");
            assert_eq!(held.primary(), key(2).id(), "nobody is set back");
        }
        let back = cluster.restart(away);
        must(&mut cluster, secs(30), "it is back", Cluster::is_unanimous);
        let held = cluster.node(back).keyring().expect("it has keys");
        assert_eq!(held.primary(), key(2).id());

        // An old file on one host: it is told better, and takes nothing from the others.
        let since = cluster.now();
        cluster.set_keys(pids[2], Some(ring(&[1])), Plaintext::Refuse);
        cluster.run_for(secs(60));
        for pid in cluster.up() {
            let held = cluster.node(pid).keyring().expect("it has keys");
            assert_eq!(held.primary(), key(2).id());
        }
        assert_eq!(all_told(&cluster, "member-dead", since), []);
        for pid in cluster.up() {
            cluster.set_keys(pid, Some(ring(&[2])), Plaintext::Refuse);
            cluster.run_for(secs(3));
        }
        assert_eq!(all_told(&cluster, "member-dead", since), []);
        cluster.check();
    }
}

#[test]
fn a_key_that_somebody_lacks_or_needs_is_not_used_or_removed() {
    let (mut cluster, pids) = sealed(3, 5);
    let (old, new) = (key(1).id(), key(2).id());
    // One that does not answer may lack it.
    assert_eq!(
        change(&mut cluster, pids[0], KeyChange::Add(key(2))).refused,
        None
    );
    cluster.pause(pids[4]);
    let used = change(&mut cluster, pids[0], KeyChange::Use(new));
    assert!(
        matches!(&used.refused, Some(KeyRefusal::Lacking(names)) if names.len() == 1),
        "{used:?}"
    );
    cluster.resume(pids[4]);
    cluster.run_for(secs(20));
    assert_eq!(
        change(&mut cluster, pids[0], KeyChange::Use(new)).refused,
        None
    );
    let grace = std::time::Duration::ZERO;
    let remove = |force| KeyChange::Remove {
        id: old,
        grace,
        force,
    };
    cluster.pause(pids[4]);
    let kept = change(&mut cluster, pids[0], remove(false));
    assert!(
        matches!(&kept.refused, Some(KeyRefusal::Needed(_))),
        "{kept:?}"
    );
    let forced = change(&mut cluster, pids[0], remove(true));
    assert_eq!(forced.refused, None);
    cluster.resume(pids[4]);
}

#[test]
fn encryption_is_turned_on_in_a_cluster_that_runs() {
    for seed in seeds(0..5) {
        let mut cluster = Cluster::new(seed, options());
        let pids = cluster.grow(10, |at| Launch::numbered(at + 1));
        must(&mut cluster, secs(30), "all agree", Cluster::is_unanimous);
        let since = cluster.now();
        for step in [Plaintext::Send, Plaintext::Accept, Plaintext::Refuse] {
            for pid in &pids {
                cluster.set_keys(*pid, Some(ring(&[1])), step);
                cluster.run_for(secs(2));
            }
        }
        cluster.run_for(secs(30));
        nobody_is_doubted(&cluster, since);
        let plain = cluster.launch(Launch::numbered(20).seed(cluster.launched(pids[0]).addr));
        cluster.run_for(secs(10));
        assert_eq!(
            cluster.state(pids[0], plain),
            None,
            "nothing plain is heard now"
        );
        let sealed = Launch::numbered(21).keys(ring(&[1]), Plaintext::Refuse);
        let sealed = cluster.launch(sealed.seed(cluster.launched(pids[0]).addr));
        must(&mut cluster, secs(20), "it joins", |cluster| {
            cluster.state(pids[0], sealed) == Some(State::Alive)
        });
    }
}

#[test]
fn a_ring_of_absurdly_many_changes_is_not_taken() {
    let (mut cluster, pids) = sealed(4, 4);
    let keys = vec![(key(1), None), (key(2), None)];
    let absurd = Keyring::new(1 << 40, keys).expect("a ring");
    cluster.set_keys(pids[3], Some(absurd), Plaintext::Refuse);
    let looked = change(&mut cluster, pids[3], KeyChange::Look);
    assert!(
        looked.holders[..3].iter().all(|one| one.held.is_none()),
        "{looked:?}"
    );
    for pid in &pids[..3] {
        let held = cluster.node(*pid).keyring().expect("it has keys");
        assert_eq!(held.infos().count(), 1);
        assert_eq!(cluster.node(*pid).stats().dropped.malformed, 1);
    }
}

/// Rotates from key 1 to key 2; the old one opens for another hour.
fn rotate(cluster: &mut Cluster, at: Pid) {
    let (old, new) = (key(1).id(), key(2).id());
    let retire = KeyChange::Remove {
        id: old,
        grace: HOUR,
        force: false,
    };
    for step in [KeyChange::Add(key(2)), KeyChange::Use(new), retire] {
        assert_eq!(change(cluster, at, step).refused, None);
    }
}

/// A member crashes, and all know.
fn goes_away(cluster: &mut Cluster, at: Pid, away: Pid) {
    cluster.crash(away);
    let gone = |cluster: &Cluster| cluster.state(at, away) == Some(State::Dead);
    must(cluster, secs(10), "it is gone", gone);
    must(cluster, secs(10), "all know", Cluster::is_unanimous);
    cluster.run_for(secs(2));
}

#[test]
fn who_comes_back_gets_in_within_the_grace_and_is_given_the_ring() {
    for seed in seeds(0..5) {
        let (mut cluster, pids) = sealed(seed, 6);
        let (at, away) = (pids[0], pids[4]);
        goes_away(&mut cluster, at, away);
        rotate(&mut cluster, at);
        // The last minute of the grace.
        cluster.run_for(HOUR - secs(60));
        let back = cluster.restart(away);
        must(&mut cluster, secs(30), "it is back", Cluster::is_unanimous);
        let held = cluster.node(back).keyring().expect("it has keys");
        assert_eq!(held.primary(), key(2).id());
        // It forgets the old key when the others do.
        cluster.run_for(secs(61));
        for pid in cluster.up() {
            let held = cluster.node(pid).keyring().expect("it has keys");
            assert_eq!(held.infos().count(), 1);
        }
        cluster.check();
    }
}

#[test]
fn who_comes_back_after_the_grace_is_refused_and_both_sides_can_tell() {
    for seed in seeds(0..5) {
        let (mut cluster, pids) = sealed(seed, 6);
        let (at, away) = (pids[0], pids[4]);
        goes_away(&mut cluster, at, away);
        rotate(&mut cluster, at);
        cluster.run_for(HOUR + secs(60));
        let before = cluster.node(at).stats().dropped.key;
        let late = Launch::numbered(5).keys(ring(&[1]), Plaintext::Refuse);
        let late = cluster.launch(late.seed(cluster.launched(at).addr));
        cluster.run_for(secs(30));
        assert_ne!(cluster.state(at, late), Some(State::Alive));
        let error = cluster.node(late).seeds()[0].last_error.clone();
        assert_eq!(error, Some(SeedError::OtherKey));
        let text = error.expect("there is one").to_string();
        assert!(text.contains("away while the key changed"), "{text}");
        assert!(cluster.node(at).stats().dropped.key > before);
        cluster.check();
    }
}

#[test]
fn of_two_changes_at_once_the_one_that_is_said_again_counts() {
    for seed in seeds(0..5) {
        let (mut cluster, pids) = sealed(seed, 5);
        let ticket = cluster.change_keys(pids[0], KeyChange::Add(key(2)));
        let other = cluster.change_keys(pids[3], KeyChange::Add(key(3)));
        let reports = [(pids[0], ticket), (pids[3], other)];
        let reports = reports.map(|(at, ticket)| report(&mut cluster, at, ticket));
        let has_all = |report: &KeyReport, number| {
            let ids = report.holders.iter().map(|one| one.ids());
            let mut ids = ids.map(|ids| ids.expect("it answers"));
            ids.all(|ids| ids.contains(&key(number).id()))
        };
        if !has_all(&reports[0], 2) {
            let again = change(&mut cluster, pids[0], KeyChange::Add(key(2)));
            assert_eq!(again.refused, None);
            assert!(has_all(&again, 2), "{again:?}");
        }
        // Whoever says it once more changes nothing.
        let before = cluster.node(pids[0]).keyring().expect("keys").generation();
        change(&mut cluster, pids[0], KeyChange::Add(key(2)));
        let after = cluster.node(pids[0]).keyring().expect("keys").generation();
        assert_eq!(before, after);
        let other = change(&mut cluster, pids[3], KeyChange::Add(key(3)));
        assert!(has_all(&other, 2) && has_all(&other, 3), "{other:?}");
        cluster.check();
    }
}

#[test]
fn of_two_uses_at_once_the_one_that_is_said_again_counts() {
    for seed in seeds(0..5) {
        let (mut cluster, pids) = sealed(seed, 5);
        for number in [2, 3] {
            change(&mut cluster, pids[0], KeyChange::Add(key(number)));
        }
        let ticket = cluster.change_keys(pids[0], KeyChange::Use(key(2).id()));
        let other = cluster.change_keys(pids[3], KeyChange::Use(key(3).id()));
        for (at, ticket) in [(pids[0], ticket), (pids[3], other)] {
            assert_eq!(report(&mut cluster, at, ticket).refused, None);
        }
        let again = change(&mut cluster, pids[0], KeyChange::Use(key(2).id()));
        for holder in &again.holders {
            let ids = holder.ids().expect("it answers");
            assert_eq!(ids[0], key(2).id(), "{again:?}");
        }
        // It brings nobody a key that is not here.
        let unknown = change(&mut cluster, pids[0], KeyChange::Spread(key(9).id()));
        let error = muster_swim::KeyError::Unknown(key(9).id());
        assert_eq!(unknown.refused, Some(KeyRefusal::Key(error)));
        cluster.check();
    }
}

#[test]
fn of_two_keys_added_at_once_the_one_that_is_spread_is_had_by_all() {
    for seed in seeds(0..5) {
        let (mut cluster, pids) = sealed(seed, 5);
        let ticket = cluster.change_keys(pids[0], KeyChange::Add(key(2)));
        let other = cluster.change_keys(pids[3], KeyChange::Add(key(3)));
        for (at, ticket) in [(pids[0], ticket), (pids[3], other)] {
            report(&mut cluster, at, ticket);
        }
        // Whose ring lost at once has not its own key any more.
        let ids = |cluster: &Cluster, at| {
            let ring = cluster.node(at).keyring().expect("keys");
            ring.infos().map(|info| info.id).collect::<Vec<_>>()
        };
        let mine = ids(&cluster, pids[0])[1];
        let spread = change(&mut cluster, pids[0], KeyChange::Spread(mine));
        assert_eq!(spread.refused, None);
        let first = ids(&cluster, pids[0]);
        for pid in &pids {
            assert_eq!(ids(&cluster, *pid), first);
        }
        let before = cluster.node(pids[0]).keyring().expect("keys").generation();
        change(&mut cluster, pids[0], KeyChange::Spread(mine));
        let after = cluster.node(pids[0]).keyring().expect("keys").generation();
        assert_eq!(before, after, "nobody lacks it");
        cluster.check();
    }
}

#[test]
fn while_encryption_is_turned_on_it_is_seen_who_is_how_far() {
    let mut cluster = Cluster::new(7, options());
    let pids = cluster.grow(5, |at| Launch::numbered(at + 1));
    must(&mut cluster, secs(30), "all agree", Cluster::is_unanimous);
    let none = change(&mut cluster, pids[0], KeyChange::Look);
    assert_eq!(none.refused, Some(KeyRefusal::NoKeys));
    for pid in &pids[..4] {
        cluster.set_keys(*pid, Some(ring(&[1])), Plaintext::Send);
    }
    let how_far = |cluster: &mut Cluster| -> Vec<Option<Plaintext>> {
        let looked = change(cluster, pids[0], KeyChange::Look);
        let held = looked.holders.into_iter().map(|one| one.held);
        held.map(|held| held.map(|held| held.plaintext)).collect()
    };
    let (send, accept) = (Some(Plaintext::Send), Some(Plaintext::Accept));
    assert_eq!(how_far(&mut cluster), [send, send, send, send, None]);
    cluster.set_keys(pids[4], Some(ring(&[1])), Plaintext::Send);
    cluster.set_keys(pids[2], Some(ring(&[1])), Plaintext::Accept);
    assert_eq!(how_far(&mut cluster), [send, send, accept, send, send]);
    // What is secret is told under a seal, also to those who do not seal yet.
    let added = change(&mut cluster, pids[0], KeyChange::Add(key(2)));
    assert!(
        added
            .holders
            .iter()
            .all(|one| one.ids().map(<[_]>::len) == Some(2))
    );
}

#[test]
fn a_member_that_is_unreachable_and_not_removed_counts() {
    let (mut cluster, pids) = sealed(5, 5);
    assert_eq!(
        change(&mut cluster, pids[0], KeyChange::Add(key(2))).refused,
        None
    );
    // A partition, as this side sees it: nobody decides that they are gone.
    for pid in &pids[1..] {
        cluster.crash(*pid);
    }
    let hinted = |cluster: &Cluster| {
        let mut gone = pids[1..].iter();
        gone.all(|pid| cluster.state(pids[0], *pid) == Some(State::Unreachable))
    };
    must(&mut cluster, secs(60), "the hints come", hinted);
    let used = change(&mut cluster, pids[0], KeyChange::Use(key(2).id()));
    assert!(
        matches!(&used.refused, Some(KeyRefusal::Lacking(names)) if names.len() == 4),
        "{used:?}"
    );
}
