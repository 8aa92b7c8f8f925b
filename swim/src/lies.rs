//! What somebody who has the key of a cluster can say against one of its members, for tests of what
//! becomes of it.

use crate::coordinator::{Change, Cut, Finding, Lineage, Said, View, VoterKey};
use crate::event::Silence;
use crate::members::{Incarnation, Instance, Name, Status};
use crate::wire::{Errand, Message, Update};

/// A life of a member, as others know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Its name.
    pub name: Name,
    /// Its life.
    pub instance: Instance,
    /// How often it refuted something.
    pub incarnation: Incarnation,
}

/// Something that is said, by somebody or in its name.
#[derive(Clone, Debug)]
pub(crate) struct Word<'a> {
    pub(crate) by: &'a Person,
    pub(crate) message: Message,
    pub(crate) updates: Vec<Update>,
}

fn claim(of: &Person, incarnation: Incarnation, status: Status, by: &Name) -> Update {
    Update::Claim {
        name: of.name.clone(),
        instance: of.instance,
        incarnation,
        status,
        by: by.clone(),
        refused: vec![by.clone()],
    }
}

/// Everything that it can say against another: by itself and in the other's name, and as a view
/// that removes it, after this one of this history.
pub(crate) fn slander<'a>(
    liar: &'a Person,
    victim: &'a Person,
    (lineage, view): (Lineage, View),
) -> Vec<Word<'a>> {
    let now = victim.incarnation;
    let next = Incarnation(now.0.saturating_add(1));
    let mut updates = Vec::new();
    for incarnation in [now, next, Incarnation(u32::MAX)] {
        for status in [Status::Suspect, Status::Unreachable, Status::Left] {
            updates.push(claim(victim, incarnation, status, &liar.name));
        }
    }
    let (subject, instance) = (victim.name.clone(), victim.instance);
    let report = Errand::Report {
        seq: 1,
        subject: subject.clone(),
        instance,
        silence: Silence::Refused,
        health: 0,
    };
    let testimony = Errand::Testimony {
        subject: subject.clone(),
        instance,
        finding: Finding::Unreached(Silence::CutOff),
        health: 0,
    };
    let goodbye = claim(victim, now, Status::Left, &victim.name);
    let removal = Cut {
        changes: vec![Change::Left {
            name: subject,
            instance,
        }],
        ..Cut::default()
    };
    // Signed as well as it can.
    let (view, cut) = (view.next(), removal.encoded().to_vec());
    let signature = VoterKey::from_seed(&[66; 32]).sign(&Said::cut(lineage, view, &cut));
    let cut = Errand::Cut {
        view,
        cut,
        signature,
    };
    let says = |by, message, updates| Word {
        by,
        message,
        updates,
    };
    vec![
        says(liar, Message::Gossip, updates),
        says(liar, Message::Errand(report), Vec::new()),
        says(liar, Message::Errand(testimony), Vec::new()),
        says(victim, Message::Gossip, vec![goodbye]),
        says(liar, Message::Errand(cut.clone()), Vec::new()),
        says(victim, Message::Errand(cut), Vec::new()),
    ]
}
