//! What others may say of the agreed state, true or not, in numbers that there can be and cannot.

use std::sync::Arc;

use proptest::prelude::*;

use super::super::driven::address;
use super::super::name;
use super::super::puppets::KNOWS_NO_VIEW;
use super::steps::{NAMES, any_instance, any_of};
use crate::coordinator::{
    Change, Cut, Epoch, Evidence, Finding, Lineage, Office, Postmark, Reason, Removal, RosterHead,
    Said, Signature, Standing, Testimony, Verdict, View, Voter, VoterId, Voters, key_of,
};
use crate::event::Silence;
use crate::limits;
use crate::members::{Instance, Name};
use crate::node::Node;
use crate::wire::{Errand, Frame, LineageTag, Outlook, Question, Reply};

/// What somebody shows with a datagram or on a stream, made to fit the node when it is said.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shows {
    /// It is in no history.
    Nothing,
    /// The node's own history, so many views on.
    Ours { ahead: u64, quorum_age: u8 },
    /// Another one.
    Other { view: u64, quorum_age: u8 },
}

const OTHER: Lineage = Lineage {
    family: 9,
    generation: 1,
};

impl Shows {
    /// The node's own history as it knows it.
    pub(super) const OURS: Shows = Shows::Ours {
        ahead: 0,
        quorum_age: 0,
    };

    pub(super) fn outlook(self, node: &Node) -> Outlook {
        match self {
            Shows::Nothing => KNOWS_NO_VIEW,
            Shows::Ours { ahead, quorum_age } => Outlook {
                lineage: node.agreed.tag(),
                view: View(node.agreed.view().0.saturating_add(ahead)),
                quorum_age,
            },
            Shows::Other { view, quorum_age } => Outlook {
                lineage: LineageTag::of(OTHER),
                view: View(view),
                quorum_age,
            },
        }
    }
}

pub(super) fn any_shows() -> impl Strategy<Value = Shows> {
    let age = || any_of(&[0, 1, 40, u8::MAX]);
    prop_oneof![
        3 => Just(Shows::Nothing),
        6 => (any_of(&[0, 1, 2, 500, u64::MAX]), age())
            .prop_map(|(ahead, quorum_age)| Shows::Ours { ahead, quorum_age }),
        2 => (any_of(&[0, 1, u64::MAX]), age())
            .prop_map(|(view, quorum_age)| Shows::Other { view, quorum_age }),
    ]
}

fn any_name() -> impl Strategy<Value = Name> {
    any_of(&NAMES).prop_map(name)
}

fn any_silence() -> impl Strategy<Value = Silence> {
    any_of(&[
        Silence::Stalled,
        Silence::CutOff,
        Silence::Refused,
        Silence::Replaced,
    ])
}

fn any_finding() -> impl Strategy<Value = Finding> {
    prop_oneof![
        Just(Finding::Reached),
        Just(Finding::NoTestimony),
        any_silence().prop_map(Finding::Unreached),
    ]
}

fn any_view() -> impl Strategy<Value = View> {
    any_of(&[0, 1, 2, 3, limits::VIEWS, u64::MAX - 1, u64::MAX]).prop_map(View)
}

fn any_seq() -> impl Strategy<Value = u32> {
    any_of(&[0, 1, 2, 3, 4, 5, 6, 7, 8, u32::MAX])
}

fn any_count() -> impl Strategy<Value = u32> {
    any_of(&[0, 1, 2, 3, limits::CONFIGURATIONS, u32::MAX])
}

pub(super) fn any_errand() -> impl Strategy<Value = Errand> {
    let life = || (any_name(), any_instance());
    let health = || 0..=limits::HEALTH;
    let report = (any_seq(), life(), any_silence(), health());
    let report = report.prop_map(
        |(seq, (subject, instance), silence, health)| Errand::Report {
            seq,
            subject,
            instance,
            silence,
            health,
        },
    );
    let summon = (life(), prop::option::of(1u16..20));
    let summon = summon.prop_map(|((subject, instance), host)| Errand::Summon {
        subject,
        instance,
        addr: host.map(address),
    });
    let testimony = (life(), any_finding(), health());
    let testimony =
        testimony.prop_map(|((subject, instance), finding, health)| Errand::Testimony {
            subject,
            instance,
            finding,
            health,
        });
    let bytes = || prop::collection::vec(any::<u8>(), 0..40);
    let letter = (any_count(), bytes()).prop_map(|(configuration, bytes)| Errand::Letter {
        configuration,
        postmark: postmark(configuration),
        bytes,
        signature: Signature::made_up(),
    });
    let told = any_cut().prop_map(|cut| postcard::to_stdvec(&cut).expect("it serializes"));
    let cut = prop_oneof![4 => told, 1 => bytes()];
    let cut = (any_view(), cut).prop_map(|(view, cut)| Errand::Cut {
        view,
        cut,
        signature: Signature::made_up(),
    });
    let question = prop_oneof![
        Just(Question::Current),
        (any_name(), any::<bool>()).prop_map(|(name, force)| Question::Remove { name, force }),
    ];
    let reply = prop_oneof![
        any_view().prop_map(Reply::Current),
        any_view().prop_map(Reply::Removed),
        any_of(&[
            Reply::NoSuchMember,
            Reply::StillAlive,
            Reply::NotCoordinator
        ]),
    ];
    let others = prop_oneof![
        report,
        any_seq().prop_map(|seq| Errand::Reported { seq }),
        summon,
        testimony,
        letter,
        (any_seq(), question).prop_map(|(seq, question)| Errand::Ask { seq, question }),
        (any_seq(), reply).prop_map(|(seq, reply)| Errand::Told { seq, reply }),
        any_seq().prop_map(|seq| Errand::Found { seq }),
        any_seq().prop_map(|seq| Errand::Grant { seq }),
        Just(Errand::View),
    ];
    prop_oneof![others, cut]
}

fn any_evidence() -> impl Strategy<Value = Arc<Evidence>> {
    let reason = prop_oneof![
        any_of(&[Reason::Unreached, Reason::Disputed, Reason::DegradedTooLong]),
        any_name().prop_map(|at| Reason::Operator { at }),
    ];
    let testimony =
        (any_name(), any::<bool>(), any_finding()).prop_map(|(by, asked, finding)| Testimony {
            by,
            asked,
            finding,
            after_ms: u32::MAX,
            weight: u8::MAX,
        });
    let testimonies = prop::collection::vec(testimony, 0..3);
    (reason, testimonies).prop_map(|(reason, testimonies)| {
        Arc::new(Evidence {
            reason,
            testimonies,
            took_ms: u32::MAX,
        })
    })
}

fn any_change() -> impl Strategy<Value = Change> {
    let removals = any_of(&[0, 1, u8::MAX]);
    let parts = (any_name(), any_instance(), removals, any_evidence());
    (parts, 0u8..5).prop_map(|((name, instance, removals, evidence), kind)| match kind {
        0 => Change::Up {
            name,
            instance,
            removals,
        },
        1 => Change::Dead {
            name,
            instance,
            removals,
            evidence,
        },
        2 => Change::Left { name, instance },
        3 => Change::Degraded {
            name,
            instance,
            evidence,
        },
        _ => Change::Restored { name, instance },
    })
}

fn any_office() -> impl Strategy<Value = Office> {
    let epoch = any_of(&[0, 1, 2, limits::VIEWS, u64::MAX]).prop_map(Epoch);
    (epoch, any_name(), any_instance()).prop_map(|(epoch, coordinator, instance)| Office {
        epoch,
        coordinator,
        instance,
    })
}

fn any_voters() -> impl Strategy<Value = Voters> {
    // The node itself with the memory that it has, and with another one.
    let names = prop::sample::subsequence(NAMES.to_vec(), 1..=NAMES.len());
    (any_count(), names, any_of(&[0, 100, u64::MAX])).prop_map(|(configuration, names, id)| {
        let voter = |of| Voter {
            name: name(of),
            id: if id == 100 {
                key_of(of).id()
            } else {
                VoterId(id)
            },
        };
        Voters {
            configuration,
            voters: names.into_iter().map(voter).collect(),
        }
    })
}

fn any_cut() -> impl Strategy<Value = Cut> {
    (
        prop::option::weighted(0.3, any_office()),
        prop::option::weighted(0.3, any_voters()),
        prop::collection::vec(any_change(), 0..6),
    )
        .prop_map(|(office, voters, changes)| Cut {
            office,
            voters,
            changes,
        })
}

fn any_lineage() -> impl Strategy<Value = Lineage> {
    (any_of(&[0, 9, u64::MAX]), any_count())
        .prop_map(|(family, generation)| Lineage { family, generation })
}

fn any_head() -> impl Strategy<Value = RosterHead> {
    let office = prop::option::of(any_office());
    (any_lineage(), any_view(), office, any_voters(), any_view()).prop_map(
        |(lineage, view, office, voters, base)| RosterHead {
            lineage,
            view,
            office,
            voters,
            base: base.min(view),
            chain: 1,
        },
    )
}

fn any_roster() -> impl Strategy<Value = Frame> {
    let of = || prop::sample::subsequence(NAMES.to_vec(), 0..=NAMES.len());
    let life = || prop::collection::vec(any_instance(), NAMES.len());
    let parts = (any_head(), of(), life(), of(), life(), any::<bool>());
    let last = prop::bool::weighted(0.8);
    (parts, last).prop_map(|((head, here, lives, gone, ends, degraded), last)| {
        let mut here: Vec<Standing> = here
            .into_iter()
            .zip(lives)
            .map(|(of, instance)| Standing {
                name: name(of),
                instance,
                since: View(0),
                degraded,
                removals: u8::MAX,
            })
            .collect();
        here.sort_by(|one, other| one.name.cmp(&other.name));
        let gone = gone.into_iter().zip(ends).map(|(of, instance)| Removal {
            name: name(of),
            instance,
            view: View(0),
            verdict: if degraded {
                Verdict::Dead
            } else {
                Verdict::Left
            },
            removals: u8::MAX,
        });
        // A member and removed, now and then: then all of it is refused.
        let removed: Vec<Removal> = gone
            .filter(|gone| last || here.iter().all(|held| held.name != gone.name))
            .collect();
        Frame::Roster {
            head: Box::new(head),
            standings: here,
            removed,
            last,
            signature: last.then(Signature::made_up),
        }
    })
}

pub(super) fn any_frame() -> impl Strategy<Value = Frame> {
    let cluster = || any_of(&["test", "test", "test", "other"]).prop_map(name);
    let catch = (cluster(), prop::option::of(any_lineage()), any_view());
    let signed = any_cut().prop_map(|cut| (Arc::new(cut), Signature::made_up()));
    let cuts = prop::collection::vec(signed, 0..4);
    let bytes = prop::collection::vec(any::<u8>(), 0..2000);
    prop_oneof![
        catch.prop_map(|(cluster, lineage, view)| Frame::Catch {
            cluster,
            lineage,
            view
        }),
        (any_lineage(), any_view(), cuts).prop_map(|(lineage, first, cuts)| Frame::Cuts {
            lineage,
            first,
            cuts
        }),
        any_roster(),
        (cluster(), any_name(), any_count(), bytes).prop_map(
            |(cluster, from, configuration, bytes)| Frame::Letter {
                cluster,
                from,
                tag: LineageTag::of(OTHER),
                configuration,
                postmark: postmark(configuration),
                bytes,
                signature: Signature::made_up(),
            }
        ),
    ]
}

/// Of one life, and as many as there are numbers.
fn postmark(number: u32) -> Postmark {
    Postmark {
        instance: Instance(7),
        number: number.into(),
        by_stream: number % 2 == 1,
    }
}

/// A voter of the node's roster signs this, if there is one whose key is known.
fn sign(node: &Node, said: impl Fn(Lineage) -> Said) -> Signature {
    let head = node.agreed.roster().map(|roster| &roster.head);
    let signed = head.and_then(|head| {
        let mut voters = head.voters.voters.iter();
        let voter = voters.find(|voter| voter.id == key_of(voter.name.as_str()).id())?;
        Some(key_of(voter.name.as_str()).sign(&said(head.lineage)))
    });
    signed.unwrap_or(Signature::made_up())
}

/// Makes an errand of somebody such that it is about the node's present view.
pub(super) fn fit_errand(errand: &mut Errand, from: &str, node: &Node) {
    match errand {
        Errand::Cut {
            view,
            cut,
            signature,
        } => {
            *view = node.agreed.view().next();
            if let Ok(mut told) = postcard::from_bytes::<Cut>(cut) {
                fit_cut(&mut told, node);
                *cut = postcard::to_stdvec(&told).expect("it serializes");
            }
            *signature = sign(node, |lineage| Said::cut(lineage, *view, cut));
        }
        Errand::Letter {
            configuration,
            postmark,
            bytes,
            signature,
        } => {
            if let Some(roster) = node.agreed.roster() {
                *configuration = roster.head.voters.configuration;
                let (lineage, to) = (roster.head.lineage, node.agreed.voter);
                let said = Said::letter(lineage, *configuration, to, *postmark, bytes);
                *signature = key_of(from).sign(&said);
            }
        }
        Errand::Report { .. }
        | Errand::Reported { .. }
        | Errand::Summon { .. }
        | Errand::Testimony { .. }
        | Errand::Ask { .. }
        | Errand::Told { .. }
        | Errand::Found { .. }
        | Errand::Grant { .. }
        | Errand::View => {}
    }
}

fn fit_cut(cut: &mut Cut, node: &Node) {
    let Some(roster) = node.agreed.roster() else {
        return;
    };
    if let Some(office) = &mut cut.office {
        office.epoch = roster.epoch().next();
    }
    if let Some(voters) = &mut cut.voters {
        voters.configuration = roster.head.voters.configuration.saturating_add(1);
    }
    for change in &mut cut.changes {
        let held = node.table.get(change.subject().0.as_str());
        let present = held.map(|member| member.statement.record.instance);
        match change {
            Change::Up { name, instance, .. } => {
                // A life that was removed already stays what was drawn.
                let present = present.filter(|life| !roster.is_condemned(name.as_str(), *life));
                *instance = present.unwrap_or(*instance);
            }
            Change::Dead { name, instance, .. }
            | Change::Left { name, instance }
            | Change::Degraded { name, instance, .. }
            | Change::Restored { name, instance } => {
                let standing = roster.standing(name.as_str());
                *instance = standing.map_or(*instance, |standing| standing.instance);
            }
        }
    }
}

/// Makes a frame such that it goes on from the node's own history.
pub(super) fn fit_frame(frame: &mut Frame, node: &Node) {
    let Some(roster) = node.agreed.roster() else {
        return;
    };
    let ours = &roster.head;
    match frame {
        Frame::Catch { lineage, view, .. } => {
            *lineage = Some(ours.lineage);
            *view = View(view.0.min(ours.view.0));
        }
        Frame::Cuts {
            lineage,
            first,
            cuts,
        } => {
            (*lineage, *first) = (ours.lineage, ours.view.next());
            if let Some((cut, signature)) = cuts.first_mut() {
                fit_cut(Arc::make_mut(cut), node);
                let (first, bytes) = (*first, cut.encoded());
                *signature = sign(node, |lineage| Said::cut(lineage, first, &bytes));
            }
        }
        Frame::Roster { head, .. } => {
            (head.lineage, head.base) = (ours.lineage, ours.base);
            head.view = View(ours.view.0.saturating_add(1));
            head.voters.configuration = ours.voters.configuration.saturating_add(1);
            if let Some(office) = &mut head.office {
                office.epoch = roster.epoch().next();
            }
        }
        Frame::Letter {
            from,
            tag,
            configuration,
            postmark,
            bytes,
            signature,
            ..
        } => {
            *tag = LineageTag::of(ours.lineage);
            *configuration = ours.voters.configuration;
            let to = node.agreed.voter;
            let said = Said::letter(ours.lineage, *configuration, to, *postmark, bytes);
            *signature = key_of(from.as_str()).sign(&said);
        }
        Frame::Ping { .. }
        | Frame::Ack { .. }
        | Frame::Pull { .. }
        | Frame::State { .. }
        | Frame::Refuse(_)
        | Frame::Link { .. }
        | Frame::Linked
        | Frame::Unlink
        | Frame::Keys { .. }
        | Frame::KeysHeld(_) => {}
    }
}
