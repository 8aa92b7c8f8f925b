//! What came of datagrams from and to each buddy, way by way.
//!
//! The protocol does not decide by it: a round that a relay or a stream has saved is a good round.
//! It is for those who look for what is wrong with their network, where one way may be closed.

use super::Node;
use crate::limits;
use crate::members::Name;
use crate::time::Time;

/// What is known of the datagrams between this node and one of its buddies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactInfo {
    /// The buddy.
    pub name: Name,
    /// When a datagram of it came last, whatever for: the way from it to this node is open.
    pub heard: Option<Time>,
    /// When it last answered a ping without a relay: both ways are open.
    pub answered: Option<Time>,
    /// When the first ping left that it has not answered so since.
    pub unanswered: Option<Time>,
}

/// A buddy, or one that was.
#[derive(Debug)]
struct Contact {
    name: Name,
    heard: Option<Time>,
    answered: Option<Time>,
    unanswered: Option<Time>,
}

/// The buddies of a node, at most [`limits::CONTACTS`].
#[derive(Debug, Default)]
pub(super) struct Contacts(Vec<Contact>);

impl Contacts {
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Asserts what must always hold.
    pub(super) fn check_invariants(&self) {
        assert!(self.0.len() <= limits::CONTACTS);
        let mut names: Vec<&Name> = self.0.iter().map(|contact| &contact.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), self.0.len(), "each buddy is kept once");
    }
}

impl Node {
    /// What is known of the datagrams between this node and its buddies, in order of their names.
    pub fn contacts(&self) -> Vec<ContactInfo> {
        let buddies = self.table.rings().buddies().into_iter();
        let info = |name: Name| {
            let known = self.contacts.0.iter().find(|known| known.name == name);
            ContactInfo {
                heard: known.and_then(|known| known.heard),
                answered: known.and_then(|known| known.answered),
                unanswered: known.and_then(|known| known.unanswered),
                name,
            }
        };
        buddies.map(info).collect()
    }

    /// A datagram of `from` came.
    pub(super) fn on_heard(&mut self, from: &str, now: Time) {
        if let Some(contact) = self.contact(from) {
            contact.heard = Some(now);
        }
    }

    /// A ping leaves for `to`.
    pub(super) fn on_asked(&mut self, to: &str, now: Time) {
        if let Some(contact) = self.contact(to) {
            contact.unanswered.get_or_insert(now);
        }
    }

    /// `from` has answered a ping itself.
    pub(super) fn on_answered(&mut self, from: &str, now: Time) {
        if let Some(contact) = self.contact(from) {
            (contact.answered, contact.unanswered) = (Some(now), None);
        }
    }

    /// What is kept of a buddy; `None` of anybody else.
    fn contact(&mut self, name: &str) -> Option<&mut Contact> {
        let rings = self.table.rings();
        let places =
            (0..rings.count()).flat_map(|ring| [rings.successor(ring), rings.predecessor(ring)]);
        let mut buddies = places.flatten();
        let buddy = buddies.find(|buddy| buddy.as_str() == name)?;
        let known = &mut self.contacts.0;
        if let Some(at) = known.iter().position(|known| known.name == *buddy) {
            return known.get_mut(at);
        }
        let new = Contact {
            name: buddy.clone(),
            heard: None,
            answered: None,
            unanswered: None,
        };
        if known.len() >= limits::CONTACTS {
            let buddies = rings.buddies();
            known.retain(|known| buddies.contains(&known.name));
        }
        known.push(new);
        known.last_mut()
    }
}
