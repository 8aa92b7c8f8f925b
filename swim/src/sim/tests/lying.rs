//! A member that has the key and lies, among others that do not.

use std::net::SocketAddr;
use std::time::Duration;

use crate::coordinator::{View, VoterId};
use crate::event::{EventKind, MemberInfo};
use crate::lies::{self, Person};
use crate::limits;
use crate::members::{Apps, Incarnation, Instance, Name, Record};
use crate::sim::process::Input;
use crate::sim::{Cluster, Launch, Options, Pid};
use crate::time::Time;
use crate::wire::{self, ClusterId, Header, LineageTag, Message, Outlook, Update};

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A cluster whose members agree and have talked for a while.
fn settled(seed: u64, count: usize) -> (Cluster, Vec<Pid>) {
    let mut cluster = Cluster::new(seed, Options::default());
    let pids = cluster.grow(count, Launch::numbered);
    let agreed = cluster.run_until(secs(60), |cluster| {
        cluster.is_unanimous() && cluster.agrees()
    });
    assert!(agreed.is_some(), "the members find each other");
    cluster.run_for(secs(10));
    (cluster, pids)
}

fn me(cluster: &Cluster, pid: Pid) -> MemberInfo {
    cluster.node(pid).me()
}

/// What a member says, or somebody in its name.
struct Word<'a> {
    by: &'a MemberInfo,
    /// From where it is sent.
    from: SocketAddr,
    /// Views beyond the one that all know.
    views_ahead: u64,
    message: Message,
    updates: Vec<Update>,
}

fn tell(cluster: &mut Cluster, at: Pid, word: &Word<'_>) {
    let mark = cluster.node(at).mark().expect("it belongs to a history");
    let header = Header {
        cluster: ClusterId::of(&Name::new("sim").expect("it is a name")),
        from: word.by.name.as_str(),
        instance: word.by.instance,
        incarnation: word.by.incarnation,
        digest: cluster.node(at).digest().to_le_bytes(),
        outlook: Outlook {
            lineage: LineageTag::of(mark.lineage),
            view: View(mark.view.0 + word.views_ahead),
            quorum_age: 0,
        },
    };
    let mut bytes = Vec::new();
    wire::encode_head(&header, &word.message, &mut bytes);
    for update in &word.updates {
        wire::encode_update(update, &mut bytes);
    }
    assert!(bytes.len() <= limits::DATAGRAM_BYTES);
    let from = word.from;
    cluster.apply(at, Input::Datagram { from, bytes });
}

fn person(of: &MemberInfo) -> Person {
    Person {
        name: of.name.clone(),
        instance: of.instance,
        incarnation: of.incarnation,
    }
}

/// It says everything that it can against another: by itself and in the other's name.
fn slander(cluster: &mut Cluster, liar: Pid, at: Pid, victim: Pid) {
    let (liar, victim) = (me(cluster, liar), me(cluster, victim));
    let (speaker, subject) = (person(&liar), person(&victim));
    let mark = cluster.node(at).mark().expect("it belongs to a history");
    let views_ahead = cluster.dice().number(0..1 << 40) as u64;
    for said in lies::slander(&speaker, &subject, (mark.lineage, mark.view)) {
        let by = if *said.by == subject { &victim } else { &liar };
        let word = Word {
            by,
            from: liar.addr,
            views_ahead,
            message: said.message,
            updates: said.updates,
        };
        tell(cluster, at, &word);
    }
}

/// Verdicts that were told since then, and of whom.
fn verdicts(cluster: &Cluster, pids: &[Pid], since: Time) -> Vec<String> {
    let mut found = Vec::new();
    for pid in pids {
        for event in cluster.events(*pid) {
            let verdict = matches!(
                event.kind,
                EventKind::Dead { .. } | EventKind::Left | EventKind::SelfRemoved { .. }
            );
            if verdict && event.time >= since {
                found.push(format!("{pid:?}: {} {:?}", event.member.name, event.kind));
            }
        }
    }
    found
}

#[test]
fn one_that_lies_about_all_others_convicts_nobody() {
    for seed in 0..6 {
        let (mut cluster, pids) = settled(seed, 12);
        let since = cluster.now();
        let lives = |cluster: &Cluster| -> Vec<Instance> {
            let each = pids.iter();
            each.map(|pid| me(cluster, *pid).instance).collect()
        };
        let before = lives(&cluster);
        let mut others = pids.clone();
        let liar = others.remove(cluster.dice().number(0..pids.len()));
        for _ in 0..200 {
            for &at in &others {
                let victim = others[cluster.dice().number(0..others.len())];
                slander(&mut cluster, liar, at, victim);
            }
            cluster.run_for(Duration::from_millis(100));
        }
        cluster.run_for(secs(30));
        assert_eq!(
            verdicts(&cluster, &pids, since),
            Vec::<String>::new(),
            "seed {seed}"
        );
        assert_eq!(lives(&cluster), before, "nobody had to begin a new life");
        assert!(cluster.agrees() && cluster.is_unanimous(), "seed {seed}");
        for pid in &others {
            let stats = cluster.node(*pid).stats();
            assert!(stats.dropped.absurd >= 200, "{stats:?}");
            assert!(stats.refutations > 0, "{stats:?}");
            assert_eq!(cluster.node(*pid).members().count(), pids.len());
        }
    }
}

/// It answers nobody under the names that it invents.
#[test]
fn one_that_invents_members_costs_no_member_its_place() {
    for seed in 0..3 {
        let (mut cluster, pids) = settled(seed, 8);
        let since = cluster.now();
        let liar = me(&cluster, pids[7]);
        let known: Vec<Name> = pids.iter().map(|pid| me(&cluster, *pid).name).collect();
        for n in 0..200 {
            let mut record = Record {
                name: Name::new(&format!("invented-{n}")).expect("it is a name"),
                addr: liar.addr,
                instance: Instance(liar.instance.0 + n),
                incarnation: Incarnation(0),
                tags: liar.tags.clone(),
                voter: VoterId(1 + n),
                returns: 0,
                apps: Apps::default(),
            };
            record.addr.set_port(1 + n as u16);
            let at = pids[cluster.dice().number(0..7)];
            let word = Word {
                by: &liar,
                from: liar.addr,
                views_ahead: 0,
                message: Message::Gossip,
                updates: vec![Update::Record(record)],
            };
            tell(&mut cluster, at, &word);
            cluster.run_for(Duration::from_millis(50));
        }
        cluster.run_for(secs(120));
        let honest = verdicts(&cluster, &pids, since);
        let honest = honest.into_iter().filter(|text| !text.contains("invented"));
        assert_eq!(honest.collect::<Vec<_>>(), Vec::<String>::new(), "{seed}");
        for pid in &pids {
            let node = cluster.node(*pid);
            let standings: Vec<&Name> = node.standings().map(|held| &held.name).collect();
            for name in &known {
                assert!(standings.contains(&name), "seed {seed}: {name} is a member");
            }
        }
    }
}

/// A goodbye is agreed as such, also where the coordinator cannot hear it from the leaver itself.
#[test]
fn a_leaver_is_agreed_to_have_left_however_the_coordinator_hears_of_it() {
    for seed in 0..6 {
        for cut in [false, true] {
            let (mut cluster, pids) = settled(seed, 9);
            let decides = |pid: &&Pid| cluster.node(**pid).decides(cluster.clock(**pid));
            let coordinator = *pids.iter().find(decides).expect("one decides");
            let but = |one: Pid| -> Vec<Pid> {
                let others = pids.iter().copied();
                others.filter(|pid| *pid != one).collect()
            };
            let others = but(coordinator);
            let leaver = others[cluster.dice().number(0..others.len())];
            let since = cluster.now();
            if cut {
                let (from, to) = (cluster.host(leaver), cluster.host(coordinator));
                cluster.network().cut(from, to);
            }
            cluster.leave(leaver);
            let (rest, name) = (but(leaver), me(&cluster, leaver).name);
            let told = |cluster: &Cluster| {
                rest.iter().all(|pid| {
                    let mut events = cluster.events(*pid).iter();
                    events.any(|event| {
                        let left = matches!(event.kind, EventKind::Left);
                        left && event.member.name == name && event.time >= since
                    })
                })
            };
            let within = if cut { secs(20) } else { secs(1) };
            let took = cluster.run_until(within, told);
            assert!(took.is_some(), "seed {seed}, cut {cut}: all are told");
        }
    }
}
