//! Whether each buddy is reached, and reaches this member, by datagram and by stream.
//!
//! The agent knows what came and what was not answered; a predecessor opens a link to this member
//! and a successor is opened one to. So most ways are told without asking anybody; the rest is
//! seen from the other end.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use super::finding::Finding;
use super::path::{Connected, Path};
use crate::api::model::{Contact, Link, Rings};
use crate::cli::output::ago;

/// A buddy, as far as the rings show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Buddy<'a> {
    pub(super) contact: &'a Contact,
    pub(super) addr: SocketAddr,
    /// Whether this member pings it, and opens a link to it.
    pub(super) watched: bool,
    /// Whether it pings this member, and opens a link.
    pub(super) watches: bool,
}

/// The buddies with their places.
pub(super) fn buddies(rings: &Rings) -> Vec<Buddy<'_>> {
    let stands = |contact: &Contact, successor: bool| {
        let places = rings.rings.iter().map(|ring| match successor {
            true => &ring.successor,
            false => &ring.predecessor,
        });
        let mut places = places.flatten();
        places.any(|neighbour| neighbour.name == contact.name)
    };
    let buddy = |contact| {
        Some(Buddy {
            contact,
            addr: contact.addr?,
            watched: stands(contact, true),
            watches: stands(contact, false),
        })
    };
    rings.contacts.iter().filter_map(buddy).collect()
}

/// How long a datagram that is sent each period may not have come: two may be lost.
fn patience(rings: &Rings) -> Duration {
    3 * Duration::from_millis(rings.period_ms) + Duration::from_secs(2)
}

/// Datagrams.
pub(super) fn datagrams(buddy: &Buddy<'_>, rings: &Rings, now: SystemTime) -> Option<Finding> {
    let Contact {
        name,
        heard,
        answered,
        unanswered_since,
        ..
    } = buddy.contact;
    let is_old = |time: &str| {
        let then = humantime::parse_rfc3339(time).ok();
        let age = then.and_then(|then| now.duration_since(then).ok());
        age.unwrap_or_default() > patience(rings)
    };
    let last = |time: &Option<String>| match time {
        Some(time) => format!("{} ago", ago(time, now)),
        None => "never".to_owned(),
    };
    let addr = buddy.addr;
    let hears = heard.as_deref().is_some_and(|heard| !is_old(heard));
    let asked = unanswered_since.as_deref().filter(|_| buddy.watched);
    match asked.filter(|asked| is_old(asked)) {
        Some(asked) if hears => Some(Finding::fail(
            "udp",
            format!(
                "{name} has answered no ping since {} ago, and its own datagrams arrive (the last \
                 {}): those from here to {addr} do not",
                ago(asked, now),
                last(heard)
            ),
            format!("let UDP pass from this host to {addr}: see the firewalls of both hosts"),
        )),
        Some(asked) => Some(Finding::fail(
            "udp",
            format!(
                "{name} has answered no ping since {} ago, and no datagram of it arrives (the last \
                 {}): those from {addr} to here are lost, and perhaps those to it",
                ago(asked, now),
                last(heard)
            ),
            format!(
                "let UDP pass from {addr} to this host, and back; `muster doctor` on {name} tells \
                 of the other way"
            ),
        )),
        None if buddy.watches && !hears => {
            let found = format!(
                "{name} pings this member, and no datagram of it arrives (the last {})",
                last(heard)
            );
            let advice = format!("let UDP pass from {addr} to this host");
            Some(match heard {
                Some(_) => Finding::fail("udp", found, advice),
                // It may have become a buddy just now.
                None => Finding::warn("udp", found, advice),
            })
        }
        None if answered.is_none() && heard.is_none() => Some(Finding::warn(
            "udp",
            format!("{name} is a buddy since a moment ago: nothing is known yet"),
            "ask again in a few seconds",
        )),
        None => None,
    }
}

/// Streams.
pub(super) fn streams(buddy: &Buddy<'_>, rings: &Rings, path: &Path) -> Option<Finding> {
    let name = &buddy.contact.name;
    let addr = buddy.addr;
    let link = |ours: bool| -> Option<&Link> {
        let mut links = rings.links.iter();
        links.find(|link| link.name == *name && link.ours == ours)
    };
    let to = format!("let TCP pass from this host to {addr}: see the firewalls of both hosts");
    match &path.connected {
        Connected::Refused => {
            let found = format!("{name} refuses a stream to {addr}");
            let advice = format!("see whether the agent of {name} runs there; {to}");
            return Some(Finding::fail("tcp", found, advice));
        }
        Connected::Failed(error) => {
            let found = format!("no stream can be opened to {name} at {addr}: {error}");
            return Some(Finding::fail("tcp", found, to));
        }
        Connected::Yes { .. } => {}
    }
    if let Some(down) = link(true).filter(|link| link.state == "down") {
        let found = format!(
            "the link to {name} is down since {}; a stream to {addr} can be opened now",
            down.since
        );
        let advice = "it is tried again by itself; when it breaks again and again, something on the \
                      way ends idle connections";
        return Some(Finding::warn("tcp", found, advice));
    }
    if buddy.watches && link(false).is_none() {
        let found = format!("{name} has no link to this member, which it should open");
        let advice = format!(
            "let TCP pass from {} to this host; a link that broke is opened again within 5 minutes",
            addr.ip()
        );
        return Some(Finding::warn("tcp", found, advice));
    }
    None
}

#[cfg(test)]
mod tests;
