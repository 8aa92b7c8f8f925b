//! One that hears nobody: it troubles nobody, and goes on when it is over.

use std::collections::BTreeSet;

use super::beating::among_thirty;
use super::driven::Driven;
use super::puppets::{Puppet, pinged, puppet};
use super::thrift::{following_among, reported};
use super::{ms, name, secs};
use crate::members::Name;
use crate::wire::Message;

#[test]
fn who_hears_nobody_reports_nobody_until_it_hears_somebody() {
    let puppets = ["a", "b", "c", "d"].map(|name| puppet(name, 11 + u16::from(name.as_bytes()[0])));
    let others: Vec<&Puppet> = puppets.iter().collect();
    let mut node = following_among(&others);
    node.wait(secs(5));
    assert_eq!(reported(&mut node), []);
    let suspects = others
        .iter()
        .map(|other| name(other.name))
        .filter(|other| node.state(other.as_str()) == "suspect");
    let suspects: Vec<Name> = suspects.collect();
    let asked = |node: &Driven| {
        let runs = |name: &&Name| node.node.probes.runs_for(name);
        suspects.iter().filter(runs).count()
    };
    while asked(&node) == suspects.len() {
        node.wait(ms(10));
    }
    // What it found is found anew.
    node.calm();
    node.hear(&puppets[0], Message::Gossip, &[]);
    assert!(
        !suspects.is_empty() && asked(&node) == suspects.len(),
        "{suspects:?}"
    );
    // Of those that answer it reports nothing; the other is reported.
    node.wait_answering(0, &others[..3], secs(5));
    let subjects: BTreeSet<String> = reported(&mut node).into_iter().map(|(of, _)| of).collect();
    assert_eq!(subjects, BTreeSet::from(["d".to_owned()]));
}

#[test]
fn who_hears_nobody_looks_no_further() {
    let (mut node, crowd, _) = among_thirty();
    let everybody: Vec<&Puppet> = crowd.iter().collect();
    node.wait_among(&everybody, secs(10));
    node.calm();
    node.wait(secs(12));
    let pings = node.sent().into_iter();
    let pings = pings.filter(|sent| pinged(&sent.message).is_some());
    let asked: BTreeSet<_> = pings.map(|sent| sent.to).collect();
    // Its buddies, and a random one each period.
    assert!(asked.len() <= 9, "it pings {} members", asked.len());
}
