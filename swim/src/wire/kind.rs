//! The kinds of stream frames: their numbers on the wire, and the largest body of each.

use crate::limits;

/// What a frame carries, as its head says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameKind {
    Ping,
    Ack,
    Pull,
    State,
    Refuse,
    Catch,
    Cuts,
    Roster,
    Letter,
    Link,
    Linked,
    Unlink,
    Keys,
    KeysHeld,
}

impl FrameKind {
    pub(super) fn of(kind: u8) -> Option<FrameKind> {
        Some(match kind {
            PING => FrameKind::Ping,
            ACK => FrameKind::Ack,
            PULL => FrameKind::Pull,
            STATE => FrameKind::State,
            REFUSE => FrameKind::Refuse,
            CATCH => FrameKind::Catch,
            CUTS => FrameKind::Cuts,
            ROSTER => FrameKind::Roster,
            LETTER => FrameKind::Letter,
            LINK => FrameKind::Link,
            LINKED => FrameKind::Linked,
            UNLINK => FrameKind::Unlink,
            KEYS => FrameKind::Keys,
            KEYS_HELD => FrameKind::KeysHeld,
            _ => return None,
        })
    }
}

pub(super) const PING: u8 = 1;
pub(super) const ACK: u8 = 2;
pub(super) const PULL: u8 = 3;
pub(super) const STATE: u8 = 4;
pub(super) const REFUSE: u8 = 5;
pub(super) const CATCH: u8 = 6;
pub(super) const CUTS: u8 = 7;
pub(super) const ROSTER: u8 = 8;
pub(super) const LETTER: u8 = 9;
pub(super) const LINK: u8 = 10;
pub(super) const LINKED: u8 = 11;
pub(super) const UNLINK: u8 = 12;
pub(super) const KEYS: u8 = 13;
pub(super) const KEYS_HELD: u8 = 14;

/// The largest body of a kind; `None` for a kind that does not exist.
pub(super) fn limit(kind: u8) -> Option<usize> {
    match kind {
        PING | ACK | REFUSE | CATCH | LINK | LINKED | UNLINK | KEYS | KEYS_HELD => {
            Some(limits::FRAME_SMALL_BYTES)
        }
        PULL => Some(limits::FRAME_PULL_BYTES),
        STATE | ROSTER => Some(limits::FRAME_STATE_BYTES),
        CUTS => Some(limits::FRAME_CUTS_BYTES),
        LETTER => Some(limits::FRAME_LETTER_BYTES),
        _ => None,
    }
}
