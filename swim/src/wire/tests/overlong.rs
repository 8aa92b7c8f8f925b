//! What is agreed, told by a peer that keeps no limits: lists that are too long, or claim to be.

use std::sync::Arc;

use serde::Serialize;

use super::*;
use crate::coordinator::{
    Evidence, Finding, Postmark, Reason, RosterHead, Signature, Testimony, View, Voter,
};
use crate::event::Silence;
use crate::wire::{Errand, LineageTag};

const POSTMARK: Postmark = Postmark {
    instance: Instance(1),
    number: 1,
    by_stream: false,
};

const CUTS: u8 = 7;
const ROSTER: u8 = 8;
const LETTER: u8 = 9;

/// A frame as another implementation would write it.
fn foreign(kind: u8, body: &impl Serialize) -> Result<Frame, DropReason> {
    foreign_bytes(kind, &postcard::to_stdvec(body).expect("it serializes"))
}

fn foreign_bytes(kind: u8, body: &[u8]) -> Result<Frame, DropReason> {
    let mut bytes = (body.len() as u32).to_le_bytes().to_vec();
    bytes.extend([crate::wire::VERSION, kind]);
    bytes.extend(body);
    one_frame(&bytes)
}

fn cuts(cuts: Vec<Cut>) -> Result<Frame, DropReason> {
    let signed = |cut: Cut| (cut, Signature::made_up());
    let cuts: Vec<_> = cuts.into_iter().map(signed).collect();
    foreign(CUTS, &(samples::lineage(), View(1), cuts))
}

fn roster(head: RosterHead) -> Result<Frame, DropReason> {
    let none: [u8; 0] = [];
    foreign(ROSTER, &(head, &none[..], &none[..], true, false))
}

fn of_changes(count: usize) -> Cut {
    let change = Change::Left {
        name: name("n"),
        instance: Instance(1),
    };
    Cut {
        changes: vec![change; count],
        ..Cut::default()
    }
}

fn of_testimonies(count: usize) -> Cut {
    let testimony = Testimony {
        by: name("n"),
        asked: true,
        finding: Finding::Reached,
        after_ms: 0,
        weight: 0,
    };
    let evidence = Evidence {
        reason: Reason::Unreached,
        testimonies: vec![testimony; count],
        took_ms: 0,
    };
    let change = Change::Dead {
        name: name("n"),
        instance: Instance(1),
        removals: 1,
        evidence: Arc::new(evidence),
    };
    Cut {
        changes: vec![change],
        ..Cut::default()
    }
}

fn of_voters(names: &[&str]) -> Voters {
    let voter = |of: &&str| Voter {
        name: name(of),
        id: VoterId(1),
    };
    Voters {
        configuration: 2,
        voters: names.iter().map(voter).collect(),
    }
}

#[test]
fn a_cut_of_more_changes_or_evidence_than_there_may_be_is_malformed() {
    assert!(cuts(vec![of_changes(limits::CUT_CHANGES)]).is_ok());
    let refused = Err(DropReason::Malformed);
    assert_eq!(cuts(vec![of_changes(limits::CUT_CHANGES + 1)]), refused);
    assert_eq!(cuts(vec![of_changes(50_000)]), refused);
    assert!(cuts(vec![of_testimonies(limits::TESTIMONIES)]).is_ok());
    assert_eq!(cuts(vec![of_testimonies(limits::TESTIMONIES + 1)]), refused);
}

#[test]
fn more_cuts_than_anybody_keeps_are_malformed() {
    assert!(cuts(vec![Cut::default(); limits::CUTS]).is_ok());
    let refused = Err(DropReason::Malformed);
    assert_eq!(cuts(vec![Cut::default(); limits::CUTS + 1]), refused);
    assert_eq!(cuts(vec![Cut::default(); 3000]), refused);
}

/// A configuration without voters, or with one that counts twice, could never decide.
#[test]
fn voters_are_some_but_few_and_none_is_there_twice() {
    let seven = ["a", "b", "c", "d", "e", "f", "g"];
    let eight = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let cases: [(&[&str], bool); 5] = [
        (&[], false),
        (&["a"], true),
        (&seven, true),
        (&eight, false),
        (&["a", "b", "a"], false),
    ];
    for (names, fits) in cases {
        let voters = of_voters(names);
        let cut = Cut {
            voters: Some(voters.clone()),
            ..Cut::default()
        };
        assert_eq!(cuts(vec![cut]).is_ok(), fits, "a cut to {names:?}");
        let head = RosterHead {
            voters,
            ..samples::head()
        };
        assert_eq!(roster(head).is_ok(), fits, "a roster of {names:?}");
    }
    let many: Vec<String> = (0..300).map(|at| at.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let head = RosterHead {
        voters: of_voters(&many),
        ..samples::head()
    };
    assert_eq!(roster(head), Err(DropReason::Malformed));
}

#[test]
fn a_part_of_a_roster_of_more_members_than_it_may_have_is_malformed() {
    let part = |standings: usize, removed: usize| {
        let standings: Vec<_> = (0..standings).map(short_standing).collect();
        let removed: Vec<_> = (0..removed).map(short_removal).collect();
        foreign(ROSTER, &(samples::head(), standings, removed, true, false)).is_ok()
    };
    let most = limits::ROSTER_PART;
    assert!(part(most, most));
    assert!(!part(most + 1, 0));
    assert!(!part(0, most + 1));
}

fn short_standing(at: usize) -> crate::coordinator::Standing {
    crate::coordinator::Standing {
        name: name(&at.to_string()),
        ..samples::longest_standing(at)
    }
}

fn short_removal(at: usize) -> crate::coordinator::Removal {
    crate::coordinator::Removal {
        name: name(&at.to_string()),
        ..samples::longest_removal(at)
    }
}

/// A list that claims what its bytes cannot hold ends in an error, and no room was made for it.
#[test]
fn a_list_that_claims_to_be_huge_is_malformed() {
    for claimed in [300, 100_000, u64::from(u32::MAX), u64::MAX] {
        let claim = postcard::to_stdvec(&claimed).expect("it serializes");
        for (kind, before) in [
            (CUTS, to_bytes(&(samples::lineage(), View(1)))),
            // One cut, without office and voters, of so many changes.
            (
                CUTS,
                to_bytes(&(samples::lineage(), View(1), 1u8, 0u8, 0u8)),
            ),
            (ROSTER, to_bytes(&samples::head())),
            (ROSTER, to_bytes(&(samples::head(), 0u8))),
            (LETTER, letter_head()),
        ] {
            for rest in [0, 2, 400] {
                let body = [&before[..], &claim, &vec![0; rest]].concat();
                let refused = Err(DropReason::Malformed);
                // A letter of so many bytes as are there is one.
                let whole = kind == LETTER && claimed == rest as u64;
                assert_eq!(foreign_bytes(kind, &body), refused, "{kind}: {claimed}");
                assert!(!whole);
            }
        }
        for errand in [
            Errand::Letter {
                configuration: 1,
                postmark: POSTMARK,
                bytes: Vec::new(),
                signature: Signature::made_up(),
            },
            Errand::Cut {
                view: View(1),
                cut: Vec::new(),
                signature: Signature::made_up(),
            },
        ] {
            let mut bytes = datagram(&HEADER(), &Message::Errand(errand), &[]);
            bytes.truncate(bytes.len() - limits::SIGNATURE_BYTES);
            assert_eq!(
                bytes.pop(),
                Some(0),
                "the length stands before the signature"
            );
            bytes.extend(&claim);
            assert_eq!(decode(&bytes, cluster()), Err(DropReason::Malformed));
        }
    }
}

fn to_bytes(value: &impl Serialize) -> Vec<u8> {
    postcard::to_stdvec(value).expect("it serializes")
}

fn letter_head() -> Vec<u8> {
    let tag = LineageTag::of(samples::lineage());
    to_bytes(&(name("muster"), name("n1"), tag, 2u32, POSTMARK))
}

#[test]
fn health_beyond_the_worst_is_malformed() {
    for health in 0..=u8::MAX {
        let report = Errand::Report {
            seq: 1,
            subject: name("n"),
            instance: Instance(1),
            silence: Silence::Stalled,
            health,
        };
        let testimony = Errand::Testimony {
            subject: name("n"),
            instance: Instance(1),
            finding: Finding::Reached,
            health,
        };
        for errand in [report, testimony] {
            let bytes = datagram(&HEADER(), &Message::Errand(errand), &[]);
            let fits = decode(&bytes, cluster()).is_ok();
            assert_eq!(fits, health <= limits::HEALTH, "{health}");
        }
    }
}

#[test]
fn nobody_is_summoned_to_an_address_where_none_can_listen() {
    for (text, fits) in [
        ("192.0.2.1:7946", true),
        ("0.0.0.0:7946", false),
        ("192.0.2.1:0", false),
        ("224.0.0.1:7946", false),
        ("[ff02::1]:7946", false),
    ] {
        let errand = Errand::Summon {
            subject: name("n"),
            instance: Instance(1),
            addr: Some(address(text)),
        };
        let bytes = datagram(&HEADER(), &Message::Errand(errand), &[]);
        assert_eq!(decode(&bytes, cluster()).is_ok(), fits, "{text}");
    }
}
