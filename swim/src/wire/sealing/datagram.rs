//! Datagrams, sealed and opened.

use chacha20poly1305::{AeadInPlace, Tag, XNonce};

use super::Seal;
use crate::limits;
use crate::members::{Instance, NameHash};
use crate::wire::{DropReason, SEALED, VERSION};

const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;

/// Before what is sealed: version, key number, nonce.
const HEAD_BYTES: usize = 2 + NONCE_BYTES;

const _: () = assert!(
    HEAD_BYTES + TAG_BYTES == 1 + limits::SEAL_BYTES,
    "a plain datagram's version is not sealed"
);

/// Whence an opened datagram came, as far as its outside tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    sender: NameHash,
    life: [u8; 8],
    counter: u64,
}

impl Seal {
    /// Seals a plain datagram of the member `from` where it stands, if datagrams are sealed. Only
    /// the member `to` opens it.
    pub(crate) fn seal_datagram(&mut self, from: &str, to: NameHash, datagram: &mut Vec<u8>) {
        if !self.seals() {
            return;
        }
        self.counter += 1;
        let mut nonce = [0; NONCE_BYTES];
        nonce[..8].copy_from_slice(&NameHash::of(from).bytes());
        nonce[8..16].copy_from_slice(&self.life);
        nonce[16..].copy_from_slice(&self.counter.to_le_bytes());
        let Some(key) = self.primary() else { return };
        let length = datagram.len();
        datagram.resize(length - 1 + HEAD_BYTES, 0);
        datagram.copy_within(1..length, HEAD_BYTES);
        datagram[0] = SEALED;
        datagram[1] = key.id.number();
        datagram[2..HEAD_BYTES].copy_from_slice(&nonce);
        let associated = self.associated(key.id.number(), to);
        let (_, body) = datagram.split_at_mut(HEAD_BYTES);
        let tag = key
            .datagrams
            .encrypt_in_place_detached(XNonce::from_slice(&nonce), &associated, body)
            .expect("a datagram is shorter than the cipher allows");
        datagram.extend_from_slice(&tag);
    }

    /// Opens a datagram to the member `me` into `plain`, which is then as it was before it was
    /// sealed. Of a plain one, where those are understood, a copy.
    pub(crate) fn open_datagram(
        &self,
        me: NameHash,
        datagram: &[u8],
        plain: &mut Vec<u8>,
    ) -> Result<Option<Origin>, DropReason> {
        plain.clear();
        if datagram.len() > limits::DATAGRAM_BYTES {
            return Err(DropReason::TooLong);
        }
        let (&version, rest) = datagram.split_first().ok_or(DropReason::Malformed)?;
        if version != SEALED {
            if !self.takes_plain() {
                return Err(DropReason::Unsealed);
            }
            plain.extend_from_slice(datagram);
            return Ok(None);
        }
        let (&number, rest) = rest.split_first().ok_or(DropReason::Malformed)?;
        let (nonce, body) = rest
            .split_first_chunk::<NONCE_BYTES>()
            .ok_or(DropReason::Malformed)?;
        let (body, tag) = body
            .split_last_chunk::<TAG_BYTES>()
            .ok_or(DropReason::Malformed)?;
        let [sender, life, counter] = thirds(nonce);
        let (sender, counter) = (NameHash::from(sender), u64::from_le_bytes(counter));
        let mut keys = self.numbered(number).peekable();
        if keys.peek().is_none() {
            return Err(DropReason::Key);
        }
        if !self.windows.may_be_new(sender, life, counter) {
            return Err(DropReason::Replayed);
        }
        let associated = self.associated(number, me);
        for key in keys {
            plain.clear();
            plain.push(VERSION);
            plain.extend_from_slice(body);
            let (nonce, tag) = (XNonce::from_slice(nonce), Tag::from_slice(tag));
            let opened =
                key.datagrams
                    .decrypt_in_place_detached(nonce, &associated, &mut plain[1..], tag);
            if opened.is_ok() {
                return Ok(Some(Origin {
                    sender,
                    life,
                    counter,
                }));
            }
        }
        Err(DropReason::Forged)
    }

    /// An opened datagram says from whom it is: whether that is so, and it was not heard before.
    /// Nothing is taken of a process that was not heard yet and is in a life before `current`, the
    /// one that is known of its sender.
    pub(crate) fn hear(
        &mut self,
        origin: Origin,
        from: &str,
        instance: Instance,
        current: Option<Instance>,
    ) -> Result<(), DropReason> {
        if origin.sender != NameHash::of(from) {
            return Err(DropReason::Forged);
        }
        let Origin {
            sender,
            life,
            counter,
        } = origin;
        if self
            .windows
            .hear(sender, life, (instance, current), counter)
        {
            Ok(())
        } else {
            Err(DropReason::Replayed)
        }
    }

    /// What is sealed with a datagram to this member, and is not all sent: both sides know it.
    fn associated(&self, number: u8, to: NameHash) -> smallvec::SmallVec<[u8; 128]> {
        let mut bytes = smallvec::SmallVec::new();
        bytes.extend_from_slice(&[SEALED, number]);
        bytes.extend_from_slice(&to.bytes());
        bytes.extend_from_slice(self.cluster.as_str().as_bytes());
        bytes
    }
}

fn thirds(nonce: &[u8; NONCE_BYTES]) -> [[u8; 8]; 3] {
    let mut parts = [[0; 8]; 3];
    for (part, bytes) in parts.iter_mut().zip(nonce.chunks_exact(8)) {
        part.copy_from_slice(bytes);
    }
    parts
}
