//! Sealed datagrams name their receiver: who has another name than was thought does not open them,
//! and is found all the same.

use muster_swim::sim::{Cluster, Condition, Launch, Pid};
use muster_swim::{Key, Keyring, Plaintext, State, Stop};

use crate::support::*;

fn sealed(launch: Launch) -> Launch {
    let ring = Keyring::new(1, vec![(Key::new([1; 32]), None)]).expect("a ring");
    launch.keys(ring, Plaintext::Refuse)
}

fn hinting_sealed(at: usize) -> Launch {
    sealed(hinting(at))
}

fn forged(cluster: &Cluster) -> u64 {
    let dropped = |pid: Pid| cluster.node(pid).stats().dropped.forged;
    cluster.up().into_iter().map(dropped).sum()
}

/// A seed is an address, and nobody need know whose.
#[test]
fn a_newcomer_joins_through_the_address_of_whomever() {
    for seed in seeds(0..5) {
        let (mut cluster, pids) = settled_with(seed, options(), 5, hinting_sealed);
        let late = hinting_sealed(9).seed(cluster.launched(pids[3]).addr);
        let late = cluster.launch(late);
        must(&mut cluster, secs(5), "it joins", Cluster::agrees);
        assert_eq!(cluster.state(late, pids[0]), Some(State::Alive));
        assert_eq!(forged(&cluster), 0);
        cluster.check();
    }
}

#[test]
fn a_member_under_another_name_at_the_address_of_a_dead_one_is_told_from_it() {
    for seed in seeds(0..10) {
        let (mut cluster, pids) = settled_with(seed, options(), 8, hinting_sealed);
        cluster.crash(pids[4]);
        let mut launch = hinting_sealed(20).seed(cluster.launched(pids[0]).addr);
        launch.addr = cluster.launched(pids[4]).addr;
        let heir = cluster.launch(launch);
        let others = cluster.up();
        must(
            &mut cluster,
            secs(20),
            "the dead one is missed",
            |cluster| all_hold(cluster, &others, &pids[4..5], State::Unreachable),
        );
        must(&mut cluster, secs(10), "its heir is known", Cluster::agrees);
        assert!(all_hold(&cluster, &others, &[heir], State::Alive));
        assert!(forged(&cluster) > 0, "it was taken for the dead one");
        cluster.run_for(secs(120));
        assert!(cluster.agrees());
    }
}

/// DESIGN guarantee 7. It knows nobody: the others look at their seeds.
#[test]
fn one_without_seeds_at_the_address_of_a_seed_is_found_by_those_that_have_it() {
    for seed in seeds(0..10) {
        let (mut cluster, pids) = settled_with(seed, options(), 5, hinting_sealed);
        let gone = pids[0];
        cluster.crash(gone);
        let others = cluster.up();
        must(
            &mut cluster,
            secs(20),
            "the dead one is missed",
            |cluster| all_hold(cluster, &others, &[gone], State::Unreachable),
        );
        let mut launch = hinting_sealed(20);
        launch.addr = cluster.launched(gone).addr;
        let heir = cluster.launch(launch);
        must(&mut cluster, secs(120), "its heir is known", |cluster| {
            cluster.agrees() && all_hold(cluster, &others, &[heir], State::Alive)
        });
        cluster.check();
    }
}

/// The ways between two are closed: relays ping for them, each under its own seal.
#[test]
fn relays_reach_whom_their_asker_does_not() {
    for seed in seeds(0..5) {
        let (mut cluster, pids) = settled_with(seed, options(), 6, hinting_sealed);
        let [one, other] = [pids[1], pids[4]].map(|pid| cluster.launched(pid).addr.ip());
        let since = cluster.now();
        cluster.network().cut_both_ways(one, other);
        cluster.run_for(secs(60));
        for kind in ["member-suspect", "member-unreachable"] {
            assert_eq!(all_told(&cluster, kind, since), [], "{kind}");
        }
        assert_eq!(forged(&cluster), 0);
    }
}

/// Also where most were started after the older one had fallen silent to them.
#[test]
fn of_two_live_members_with_one_name_the_newer_stays() {
    for (seed, meets) in seeds(0..20)
        .into_iter()
        .zip([false, true].into_iter().cycle())
    {
        let (mut cluster, pids) = settled_with(seed, options(), 9, hinting_sealed);
        let older = pids[4];
        if !meets {
            cluster.partition(&[older]);
            cluster.run_for(secs(30));
        }
        let mut launch = hinting_sealed(4).seed(cluster.launched(pids[0]).addr);
        launch.addr = Launch::numbered(44).addr;
        let newer = cluster.launch(launch);
        if !meets {
            // To those that begin now the older one has never spoken.
            for pid in [
                pids[1], pids[2], pids[3], pids[5], pids[6], pids[7], pids[8],
            ] {
                cluster.crash(pid);
                cluster.restart(pid);
                cluster.run_for(secs(5));
            }
            cluster.network().heal();
        }
        must(&mut cluster, secs(120), "the older one stops", |cluster| {
            let stopped = cluster.condition(older);
            matches!(stopped, Condition::Stopped(Stop::NameTaken { .. }, _))
        });
        must(
            &mut cluster,
            secs(60),
            "all hold the newer",
            Cluster::agrees,
        );
        assert_eq!(*cluster.condition(newer), Condition::Running);
        cluster.check();
    }
}
