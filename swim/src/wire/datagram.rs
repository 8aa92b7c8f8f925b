//! Datagrams to bytes and back.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::message::{Header, Message, Update};
use super::{ClusterId, VERSION};
use crate::limits;
use crate::members::{self, Record};

/// A decoded datagram; the header borrows from its bytes.
#[derive(Debug, PartialEq)]
pub(crate) struct Datagram<'a> {
    pub(crate) header: Header<'a>,
    pub(crate) message: Message,
    pub(crate) updates: SmallVec<[Update; 2]>,
}

/// Why input was dropped. Nothing was changed; the sender is at fault, or of another kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DropReason {
    Malformed,
    Version,
    Cluster,
    TooLong,
}

/// Starts a datagram: everything but the updates, which are appended as they are.
pub(crate) fn encode_head(header: &Header<'_>, message: &Message, buffer: &mut Vec<u8>) {
    buffer.clear();
    buffer.push(VERSION);
    append(header, buffer);
    append(message, buffer);
}

/// One update as it stands in a datagram.
pub(crate) fn encode_update(update: &Update) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(64);
    append(update, &mut bytes);
    bytes
}

/// Decodes and checks a datagram of `cluster` fully before anybody acts on it.
pub(crate) fn decode(bytes: &[u8], cluster: ClusterId) -> Result<Datagram<'_>, DropReason> {
    if bytes.len() > limits::DATAGRAM_BYTES {
        return Err(DropReason::TooLong);
    }
    let (version, bytes) = bytes.split_first().ok_or(DropReason::Malformed)?;
    if *version != VERSION {
        return Err(DropReason::Version);
    }
    let (header, bytes): (Header<'_>, _) = take(bytes)?;
    if header.cluster != cluster {
        return Err(DropReason::Cluster);
    }
    members::check_name(header.from).map_err(|_| DropReason::Malformed)?;
    let (message, mut bytes): (Message, _) = take(bytes)?;
    if let Message::PingRequest { target, .. } = &message {
        reachable(target.addr)?;
    }
    let mut updates = SmallVec::new();
    while !bytes.is_empty() {
        if updates.len() == limits::DATAGRAM_UPDATES {
            return Err(DropReason::TooLong);
        }
        let (update, rest): (Update, _) = take(bytes)?;
        if let Update::Record(record) = &update {
            check_record(record)?;
        }
        updates.push(update);
        bytes = rest;
    }
    Ok(Datagram {
        header,
        message,
        updates,
    })
}

/// What the types alone do not refuse.
pub(crate) fn check_record(record: &Record) -> Result<(), DropReason> {
    reachable(record.addr)
}

fn reachable(addr: SocketAddr) -> Result<(), DropReason> {
    if is_reachable(addr) {
        Ok(())
    } else {
        Err(DropReason::Malformed)
    }
}

/// Whether one member may listen there: other addresses would make others send into the void.
pub(crate) fn is_reachable(addr: SocketAddr) -> bool {
    addr.port() != 0 && !addr.ip().is_unspecified() && !addr.ip().is_multicast()
}

pub(super) fn append<T: Serialize>(value: &T, buffer: &mut Vec<u8>) {
    struct Sink<'a>(&'a mut Vec<u8>);
    impl Extend<u8> for Sink<'_> {
        fn extend<I: IntoIterator<Item = u8>>(&mut self, bytes: I) {
            self.0.extend(bytes);
        }
    }
    postcard::to_extend(value, Sink(buffer)).expect("our own messages serialize into memory");
}

fn take<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<(T, &'a [u8]), DropReason> {
    postcard::take_from_bytes(bytes).map_err(|_| DropReason::Malformed)
}
