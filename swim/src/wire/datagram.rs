//! Datagrams to bytes and back.

use std::net::SocketAddr;

use postcard::ser_flavors::Flavor;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::message::{Header, Message, Update};
use super::wiped::Buffer;
use super::{ClusterId, Errand, VERSION};
use crate::limits;
use crate::members::{self, NameRef, RecordRef};

/// A decoded datagram; the header borrows from its bytes.
#[derive(Debug, PartialEq)]
pub(crate) struct Datagram<'a> {
    pub(crate) header: Header<'a>,
    pub(crate) message: Message,
    pub(crate) updates: SmallVec<[Update<RecordRef<'a>, NameRef<'a>>; 2]>,
}

/// Why input was dropped. Nothing was changed; the sender is at fault, or of another kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DropReason {
    Malformed,
    Version,
    Cluster,
    TooLong,
    /// Not sealed, where all must be.
    Unsealed,
    /// Sealed with a key that this node does not have.
    Key,
    /// It does not open: damaged, forged, for another member, or of another cluster with the same
    /// key.
    Forged,
    /// Heard before, too old to tell, or of a former life of its sender.
    Replayed,
}

/// Starts a datagram: everything but the updates, which are appended as they are.
pub(crate) fn encode_head(header: &Header<'_>, message: &Message, buffer: &mut Vec<u8>) {
    buffer.clear();
    buffer.push(VERSION);
    append(header, buffer);
    append(message, buffer);
}

/// Appends an update as it stands in a datagram.
pub(crate) fn encode_update<R: Serialize, N: Serialize>(
    update: &Update<R, N>,
    buffer: &mut Vec<u8>,
) {
    append(update, buffer);
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
    check(&message)?;
    let mut updates = SmallVec::new();
    while !bytes.is_empty() {
        if updates.len() == limits::DATAGRAM_UPDATES {
            return Err(DropReason::TooLong);
        }
        let (update, rest): (Update<RecordRef<'_>, NameRef<'_>>, _) = take(bytes)?;
        if let Update::Record(record) = &update {
            reachable(record.addr)?;
        }
        if updates.is_empty() {
            // The others are about as long.
            updates.reserve(bytes.len() / (bytes.len() - rest.len()).max(1));
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

/// What the types alone do not refuse of a message.
fn check(message: &Message) -> Result<(), DropReason> {
    match message {
        Message::PingRequest { target, .. } => reachable(target.addr),
        Message::Ping { .. }
        | Message::Ack { .. }
        | Message::Nack { .. }
        | Message::Gossip
        | Message::Wrong { .. }
        | Message::Beat { .. }
        | Message::BeatAck { .. } => Ok(()),
        Message::Errand(errand) => check_errand(errand),
    }
}

fn check_errand(errand: &Errand) -> Result<(), DropReason> {
    match errand {
        Errand::Summon { addr, .. } => addr.map_or(Ok(()), reachable),
        Errand::Report { health, .. } | Errand::Testimony { health, .. } => {
            if *health <= limits::HEALTH {
                Ok(())
            } else {
                Err(DropReason::Malformed)
            }
        }
        Errand::Reported { .. }
        | Errand::Letter { .. }
        | Errand::Cut { .. }
        | Errand::Ask { .. }
        | Errand::Told { .. }
        | Errand::Found { .. }
        | Errand::Grant { .. }
        | Errand::View => Ok(()),
    }
}

/// What the types alone do not refuse of a record.
pub(super) fn reachable(addr: SocketAddr) -> Result<(), DropReason> {
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

pub(super) fn append<T: Serialize>(value: &T, buffer: &mut impl Buffer) {
    struct Sink<'a, B>(&'a mut B);
    impl<B: Buffer> Flavor for Sink<'_, B> {
        type Output = ();

        fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
            self.0.add(byte);
            Ok(())
        }

        fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
            self.0.add_all(bytes);
            Ok(())
        }

        fn finalize(self) -> postcard::Result<()> {
            Ok(())
        }
    }
    postcard::serialize_with_flavor(value, Sink(buffer))
        .expect("our own messages serialize into memory");
}

fn take<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<(T, &'a [u8]), DropReason> {
    postcard::take_from_bytes(bytes).map_err(|_| DropReason::Malformed)
}
