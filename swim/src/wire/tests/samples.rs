//! Samples of what is agreed: one of each kind, and the largest that can be.

use std::sync::Arc;

use super::{address, longest_name, name};
use crate::coordinator::{
    Change, Cut, Epoch, Evidence, Finding, Lineage, Office, Postmark, Reason, Removal, RosterHead,
    Signature, Signed, Standing, Testimony, Verdict, View, Voter, VoterId, Voters,
};
use crate::event::Silence;
use crate::limits;
use crate::members::{Instance, Name};
use crate::wire::{Errand, Frame, LineageTag, Outlook, Question, Reply};

const LIFE: Instance = Instance(1_767_225_600_000_002);

pub(super) fn lineage() -> Lineage {
    Lineage {
        family: 0x0123_4567_89ab_cdef,
        generation: 1,
    }
}

pub(super) fn outlook() -> Outlook {
    Outlook {
        lineage: LineageTag::of(lineage()),
        view: View(300),
        quorum_age: 3,
    }
}

/// Every kind of errand once. A new one does not compile before it stands in this chain.
pub(super) fn errand_after(errand: &Errand) -> Option<Errand> {
    let (seq, subject, instance) = (70_000, name("n2"), LIFE);
    match errand {
        Errand::Report { .. } => Some(Errand::Reported { seq }),
        Errand::Reported { .. } => Some(Errand::Summon {
            subject,
            instance,
            addr: Some(address("192.0.2.2:7946")),
        }),
        Errand::Summon { .. } => Some(Errand::Testimony {
            subject,
            instance,
            finding: Finding::Reached,
            health: 0,
        }),
        Errand::Testimony { .. } => Some(Errand::Letter {
            configuration: 300,
            postmark: postmark(),
            bytes: vec![0, 1, 200, 255],
            signature: Signature::made_up(),
        }),
        Errand::Letter { .. } => Some(Errand::Cut {
            view: View(300),
            cut: postcard::to_stdvec(&cut()).expect("a cut serializes"),
            signature: Signature::made_up(),
        }),
        Errand::Cut { .. } => Some(Errand::Ask {
            seq,
            question: Question::Current,
        }),
        Errand::Ask { .. } => Some(Errand::Told {
            seq,
            reply: Reply::NotCoordinator,
        }),
        Errand::Told { .. } => Some(Errand::Found { seq }),
        Errand::Found { .. } => Some(Errand::Grant { seq }),
        Errand::Grant { .. } => Some(Errand::View),
        Errand::View => None,
    }
}

pub(super) fn first_errand() -> Errand {
    report(Silence::Stalled)
}

fn report(silence: Silence) -> Errand {
    Errand::Report {
        seq: 70_000,
        subject: name("n2"),
        instance: LIFE,
        silence,
        health: 2,
    }
}

/// Its kind, and what it can say.
pub(super) fn errand_samples(errand: &Errand) -> (&'static str, Vec<(String, Errand)>) {
    match errand {
        Errand::Report { .. } => {
            let all = silences().into_iter();
            ("report", all.map(|it| (word(it), report(it))).collect())
        }
        Errand::Reported { .. } => ("reported", plain(errand)),
        Errand::Summon {
            subject, instance, ..
        } => {
            let (subject, instance) = (subject.clone(), *instance);
            let anywhere = Errand::Summon {
                subject,
                instance,
                addr: None,
            };
            let somewhere = ("-addr".to_owned(), errand.clone());
            ("summon", vec![somewhere, ("-no-addr".to_owned(), anywhere)])
        }
        Errand::Testimony { .. } => {
            let all = findings().into_iter();
            ("testimony", all.map(testimony).collect())
        }
        Errand::Letter { .. } => ("letter", plain(errand)),
        Errand::Cut { .. } => ("cut", plain(errand)),
        Errand::Ask { seq, .. } => {
            let ask = |question: Question| Errand::Ask {
                seq: *seq,
                question,
            };
            let all = questions().into_iter();
            let all = all.map(|(word, question)| (format!("-{word}"), ask(question)));
            ("ask", all.collect())
        }
        Errand::Told { seq, .. } => {
            let told = |reply: Reply| Errand::Told { seq: *seq, reply };
            let all = replies().into_iter();
            let all = all.map(|(word, reply)| (format!("-{word}"), told(reply)));
            ("told", all.collect())
        }
        Errand::Found { .. } => ("found", plain(errand)),
        Errand::Grant { .. } => ("grant", plain(errand)),
        Errand::View => ("view", plain(errand)),
    }
}

fn plain(errand: &Errand) -> Vec<(String, Errand)> {
    vec![(String::new(), errand.clone())]
}

fn word(silence: Silence) -> String {
    format!("-{silence}")
}

fn testimony(finding: Finding) -> (String, Errand) {
    let word = match finding {
        Finding::Reached => "-reached".to_owned(),
        Finding::Unreached(silence) => word(silence),
        Finding::NoTestimony => "-none".to_owned(),
    };
    let errand = Errand::Testimony {
        subject: name("n2"),
        instance: LIFE,
        finding,
        health: limits::HEALTH,
    };
    (word, errand)
}

fn silences() -> Vec<Silence> {
    super::golden::chain(Silence::Stalled, |silence| match silence {
        Silence::Stalled => Some(Silence::CutOff),
        Silence::CutOff => Some(Silence::Refused),
        Silence::Refused => Some(Silence::Replaced),
        Silence::Replaced => None,
    })
}

fn findings() -> Vec<Finding> {
    super::golden::chain(Finding::Reached, |finding| match finding {
        Finding::Reached => Some(Finding::NoTestimony),
        Finding::NoTestimony => Some(Finding::Unreached(Silence::Refused)),
        Finding::Unreached(_) => None,
    })
}

fn questions() -> Vec<(&'static str, Question)> {
    let all = super::golden::chain(Question::Current, |question| match question {
        Question::Current => Some(Question::Remove {
            name: name("n2"),
            force: true,
        }),
        Question::Remove { .. } => None,
    });
    ["current", "remove"].into_iter().zip(all).collect()
}

fn replies() -> Vec<(&'static str, Reply)> {
    let all = super::golden::chain(Reply::Current(View(300)), |reply| match reply {
        Reply::Current(_) => Some(Reply::Removed(View(301))),
        Reply::Removed(_) => Some(Reply::NoSuchMember),
        Reply::NoSuchMember => Some(Reply::StillAlive),
        Reply::StillAlive => Some(Reply::NotCoordinator),
        Reply::NotCoordinator => None,
    });
    let words = [
        "current",
        "removed",
        "no-such-member",
        "still-alive",
        "not-coordinator",
    ];
    words.into_iter().zip(all).collect()
}

pub(super) fn office() -> Office {
    Office {
        epoch: Epoch(4),
        coordinator: name("n1"),
        instance: LIFE,
    }
}

pub(super) fn voters() -> Voters {
    let voter = |of: &str, id| Voter {
        name: name(of),
        id: VoterId(id),
    };
    Voters {
        configuration: 2,
        voters: vec![voter("n1", 5), voter("n2", 6), voter("n3", u64::MAX)],
    }
}

/// A cut with every kind of change.
pub(super) fn cut() -> Cut {
    Cut {
        office: Some(office()),
        voters: Some(voters()),
        changes: changes(),
    }
}

/// Every kind of change once. A new one does not compile before it stands in this chain.
fn changes() -> Vec<Change> {
    let first = Change::Up {
        name: name("n4"),
        instance: LIFE,
        removals: 2,
    };
    super::golden::chain(first, |change| match change {
        Change::Up { .. } => Some(Change::Dead {
            name: name("n2"),
            instance: LIFE,
            removals: 1,
            evidence: Arc::new(evidence(Reason::Unreached)),
        }),
        Change::Dead { .. } => Some(Change::Left {
            name: name("n3"),
            instance: LIFE,
        }),
        Change::Left { .. } => Some(Change::Degraded {
            name: name("n5"),
            instance: LIFE,
            evidence: Arc::new(evidence(Reason::Disputed)),
        }),
        Change::Degraded { .. } => Some(Change::Restored {
            name: name("n6"),
            instance: LIFE,
        }),
        Change::Restored { .. } => None,
    })
}

/// Every reason once.
fn reasons() -> Vec<Reason> {
    super::golden::chain(Reason::Unreached, |reason| match reason {
        Reason::Unreached => Some(Reason::Disputed),
        Reason::Disputed => Some(Reason::DegradedTooLong),
        Reason::DegradedTooLong => Some(Reason::Operator { at: name("n9") }),
        Reason::Operator { .. } => None,
    })
}

fn evidence(reason: Reason) -> Evidence {
    let testimony = |finding| Testimony {
        by: name("n7"),
        asked: finding != Finding::NoTestimony,
        finding,
        after_ms: 300,
        weight: 100,
    };
    Evidence {
        reason,
        testimonies: findings().into_iter().map(testimony).collect(),
        took_ms: 900,
    }
}

/// Cuts as they follow each other: whatever a cut can say, and a cut that says nothing.
fn cuts() -> Vec<Signed> {
    let degraded = |reason| Change::Degraded {
        name: name("n5"),
        instance: LIFE,
        evidence: Arc::new(evidence(reason)),
    };
    let each_reason = Cut {
        changes: reasons().into_iter().map(degraded).collect(),
        ..Cut::default()
    };
    [cut(), each_reason, Cut::default()]
        .map(|cut| (Arc::new(cut), Signature::made_up()))
        .to_vec()
}

pub(super) fn head() -> RosterHead {
    RosterHead {
        lineage: lineage(),
        view: View(300),
        office: Some(office()),
        voters: voters(),
        base: View(200),
        chain: 0xfedc_ba98_7654_3210,
    }
}

fn standing(of: &str, degraded: bool) -> Standing {
    Standing {
        name: name(of),
        instance: LIFE,
        since: View(7),
        degraded,
        removals: 1,
    }
}

fn removal(of: &str, verdict: Verdict) -> Removal {
    Removal {
        name: name(of),
        instance: LIFE,
        view: View(8),
        verdict,
        removals: 3,
    }
}

/// Every kind of frame about what is agreed, once, with its file.
pub(super) fn frame_samples(frame: &Frame) -> Vec<(String, Frame)> {
    match frame {
        Frame::Catch { cluster, .. } => {
            let newcomer = Frame::Catch {
                cluster: cluster.clone(),
                lineage: None,
                view: View(0),
            };
            vec![file("catch", frame), file("catch-newcomer", &newcomer)]
        }
        Frame::Cuts { lineage, first, .. } => {
            let none = Frame::Cuts {
                lineage: *lineage,
                first: *first,
                cuts: Vec::new(),
            };
            vec![file("cuts", frame), file("cuts-none", &none)]
        }
        Frame::Roster { head, .. } => {
            let genesis = Frame::Roster {
                head: Box::new(RosterHead {
                    office: None,
                    ..(**head).clone()
                }),
                standings: Vec::new(),
                removed: Vec::new(),
                last: false,
                signature: None,
            };
            vec![file("roster", frame), file("roster-empty", &genesis)]
        }
        Frame::Letter { .. } => vec![file("letter", frame)],
        Frame::Ping { .. }
        | Frame::Ack { .. }
        | Frame::Pull { .. }
        | Frame::State { .. }
        | Frame::Refuse(_)
        | Frame::Link { .. }
        | Frame::Linked
        | Frame::Unlink
        | Frame::Keys { .. }
        | Frame::KeysHeld(_) => Vec::new(),
    }
}

fn file(file: &str, frame: &Frame) -> (String, Frame) {
    (file.to_owned(), frame.clone())
}

pub(super) fn catch() -> Frame {
    Frame::Catch {
        cluster: name("muster"),
        lineage: Some(lineage()),
        view: View(299),
    }
}

pub(super) fn cuts_frame() -> Frame {
    Frame::Cuts {
        lineage: lineage(),
        first: View(298),
        cuts: cuts(),
    }
}

pub(super) fn roster() -> Frame {
    Frame::Roster {
        head: Box::new(head()),
        standings: vec![standing("n1", false), standing("n4", true)],
        removed: vec![removal("n2", Verdict::Dead), removal("n3", Verdict::Left)],
        last: true,
        signature: Some(Signature::made_up()),
    }
}

fn postmark() -> Postmark {
    Postmark {
        instance: LIFE,
        number: 300,
        by_stream: true,
    }
}

pub(super) fn letter() -> Frame {
    Frame::Letter {
        cluster: name("muster"),
        from: name("n1"),
        tag: LineageTag::of(lineage()),
        configuration: 2,
        postmark: postmark(),
        bytes: (0..=255).collect(),
        signature: Signature::made_up(),
    }
}

/// The head that takes most bytes.
pub(super) fn longest_head() -> RosterHead {
    let voter = |number: usize| Voter {
        name: numbered(number),
        id: VoterId(u64::MAX),
    };
    RosterHead {
        lineage: Lineage {
            family: u64::MAX,
            generation: u32::MAX,
        },
        view: View(u64::MAX),
        office: Some(Office {
            epoch: Epoch(u64::MAX),
            coordinator: longest_name(),
            instance: Instance(u64::MAX),
        }),
        voters: Voters {
            configuration: u32::MAX,
            voters: (0..limits::VOTERS).map(voter).collect(),
        },
        base: View(u64::MAX),
        chain: u64::MAX,
    }
}

/// A name of the longest kind, another one for each number.
pub(super) fn numbered(number: usize) -> Name {
    name(&format!("{number:0>width$}", width = limits::NAME_BYTES))
}

pub(super) fn longest_standing(number: usize) -> Standing {
    Standing {
        name: numbered(number),
        instance: Instance(u64::MAX),
        since: View(u64::MAX),
        degraded: true,
        removals: u8::MAX,
    }
}

pub(super) fn longest_removal(number: usize) -> Removal {
    Removal {
        name: numbered(number),
        instance: Instance(u64::MAX),
        view: View(u64::MAX),
        verdict: Verdict::Left,
        removals: u8::MAX,
    }
}

/// The change that takes most bytes, with so many testimonies.
pub(super) fn longest_change(number: usize, testimonies: usize) -> Change {
    let testimony = Testimony {
        by: longest_name(),
        asked: true,
        finding: Finding::Unreached(Silence::Replaced),
        after_ms: u32::MAX,
        weight: u8::MAX,
    };
    Change::Dead {
        name: numbered(number),
        instance: Instance(u64::MAX),
        removals: u8::MAX,
        evidence: Arc::new(Evidence {
            reason: Reason::Operator { at: longest_name() },
            testimonies: vec![testimony; testimonies],
            took_ms: u32::MAX,
        }),
    }
}
