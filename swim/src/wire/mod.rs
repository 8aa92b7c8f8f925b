//! What travels: messages, their bytes, and the checks on what arrives.
//!
//! A datagram is `[version][header][message][update]*`, a stream frame `[length u32][version][kind]
//! [body]`; headers, messages and bodies are `postcard`. [`sealing`] is around the plain datagram
//! and the bytes of a stream.

#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod accepted;
mod datagram;
mod errand;
mod frame;
mod kind;
mod message;
pub(crate) mod sealing;
pub(crate) mod wiped;

#[cfg(test)]
mod tests;

pub(crate) use datagram::{Datagram, DropReason, decode, encode_head, encode_update, is_reachable};
pub(crate) use errand::{Errand, Question, Reply};
pub(crate) use frame::{Frame, FrameReader, LetterHead, encode_frame};
pub(crate) use kind::FrameKind;
pub(crate) use message::{
    ClusterId, Entry, Header, LineageTag, Message, Outlook, Refusal, RelayTarget, Update,
};

/// The protocol version, first byte of every datagram and of every frame's payload.
pub(crate) const VERSION: u8 = 1;

/// The first byte of a sealed datagram.
pub(crate) const SEALED: u8 = VERSION | 0x80;
