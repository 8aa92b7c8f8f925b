//! Streams, sealed and opened.

use std::fmt;

use snow::params::{CipherChoice, DHChoice, HashChoice};
use snow::resolvers::{BoxedCryptoResolver, CryptoResolver, DefaultResolver};
use snow::types::{Cipher, Dh, Hash, Random};
use snow::{Builder, HandshakeState, TransportState};

use rand::rngs::StdRng;
use rand::{Rng as _, RngExt as _, SeedableRng as _};

use super::{Derived, KeyId, Seal};
use crate::wire::wiped::Wiped;
use crate::wire::{DropReason, VERSION};

const PATTERN: &str = "Noise_NNpsk0_25519_ChaChaPoly_BLAKE2s";

/// After version and key number: no plain frame is as long as that would say.
const MARK: [u8; 2] = [0xff, 0xff];

/// The beginning of a sealed stream.
const PREAMBLE_BYTES: usize = 4;

/// "I cannot open what you say": the only thing said without a seal where all is sealed. It is no
/// secret, nobody acts on it, and whoever got a key wrong can be told.
const CANNOT: [u8; PREAMBLE_BYTES] = [VERSION, 0, 0xfe, 0xff];

/// Of a message on a stream.
const LENGTH_BYTES: usize = 2;
const TAG_BYTES: usize = 16;

/// Either message of the handshake: an ephemeral key and a tag (Noise, section 7.5, NNpsk0).
const HANDSHAKE_BYTES: usize = 48;

/// Most bytes in one message: a stream holds no more than one that is not yet whole.
const CHUNK_BYTES: usize = 16 * 1024;

/// How a stream is read and written.
pub(crate) struct Channel {
    stage: Stage,
    /// What came and is no whole message yet.
    held: Vec<u8>,
    key: Option<KeyId>,
}

enum Stage {
    /// Somebody opened it; the first bytes tell whether it is sealed.
    Called,
    /// This node opened it, and waits for the answer to its handshake.
    Calling(Box<HandshakeState>),
    Sealed(Box<TransportState>),
    /// This node opened it, nothing is sealed, and no answer has come yet.
    Asking,
    Plain,
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = match self.stage {
            Stage::Called => "called",
            Stage::Calling(_) => "calling",
            Stage::Sealed(_) => "sealed",
            Stage::Asking => "asking",
            Stage::Plain => "plain",
        };
        f.debug_struct("Channel")
            .field("stage", &stage)
            .field("held", &self.held.len())
            .field("key", &self.key)
            .finish()
    }
}

/// What came of bytes that arrived.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    /// What they said, opened.
    pub(crate) plain: Wiped,
    /// What is to be sent at once.
    pub(crate) reply: Vec<u8>,
    /// This node opened the stream, and may say now what it opened it for.
    pub(crate) is_open: bool,
    /// Why the stream is of no use any more.
    pub(crate) fault: Option<Fault>,
}

/// Why a stream is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// What came is no part of a stream of ours.
    Dropped(DropReason),
    /// The other side says that it cannot open what this node said.
    Cannot,
}

impl Channel {
    /// A stream that somebody else opened.
    pub(crate) fn called() -> Channel {
        Channel::at(Stage::Called)
    }

    fn at(stage: Stage) -> Channel {
        Channel {
            stage,
            held: Vec::new(),
            key: None,
        }
    }

    /// A stream that this node opened, and what is to be sent on it first. What `insists` on a seal
    /// has one as soon as there is a key, also while nothing else is sealed.
    pub(crate) fn call(seal: &mut Seal, insists: bool) -> (Channel, Vec<u8>) {
        if !(seal.seals() || insists && seal.keys.is_some()) {
            return (Channel::at(Stage::Asking), Vec::new());
        }
        let rng = seal.rng.random();
        let begun = seal.primary().and_then(|key| {
            let mut handshake = begin(seal, key, rng, true)?;
            let mut first = vec![VERSION, key.id.number(), MARK[0], MARK[1]];
            append_handshake(&mut handshake, &mut first)?;
            Some((handshake, first, key.id))
        });
        match begun {
            Some((handshake, first, key)) => {
                let mut channel = Channel::at(Stage::Calling(Box::new(handshake)));
                channel.key = Some(key);
                (channel, first)
            }
            // Never opens; nothing is said on it.
            None => (Channel::called(), Vec::new()),
        }
    }

    /// Whether what was opened for can be said.
    pub(crate) fn is_open(&self) -> bool {
        match self.stage {
            Stage::Sealed(_) | Stage::Asking | Stage::Plain => true,
            Stage::Called | Stage::Calling(_) => false,
        }
    }

    /// The key under which it is sealed.
    pub(crate) fn key(&self) -> Option<KeyId> {
        self.key.filter(|_| self.is_open())
    }

    /// Bytes that are held and no whole message yet.
    #[cfg(test)]
    pub(crate) fn held(&self) -> usize {
        self.held.len()
    }

    /// What is to be sent to say this. Nothing before the stream is open.
    pub(crate) fn seal(&mut self, plain: Wiped) -> Vec<u8> {
        let transport = match &mut self.stage {
            Stage::Asking | Stage::Plain => return plain.into_plain(),
            Stage::Called | Stage::Calling(_) => return Vec::new(),
            Stage::Sealed(transport) => transport,
        };
        let messages = plain.len().div_ceil(CHUNK_BYTES);
        let mut sealed = Vec::with_capacity(plain.len() + messages * (LENGTH_BYTES + TAG_BYTES));
        for chunk in plain.chunks(CHUNK_BYTES) {
            let start = sealed.len();
            let length = chunk.len() + TAG_BYTES;
            sealed.extend_from_slice(&length_of(length));
            sealed.resize(start + LENGTH_BYTES + length, 0);
            let place = &mut sealed[start + LENGTH_BYTES..];
            transport
                .write_message(chunk, place)
                .expect("a chunk has room, and 2^64 messages are never sent");
        }
        sealed
    }

    /// Takes bytes as they come. A stream ends with its key: whoever still holds one that was
    /// opened under a key which is gone is neither heard nor told anything.
    pub(crate) fn take(&mut self, seal: &mut Seal, data: &[u8]) -> Taken {
        let mut taken = Taken::default();
        if self.key.is_some_and(|key| !seal.has(key)) {
            taken.fault = Some(Fault::Dropped(DropReason::Key));
            return taken;
        }
        if let Stage::Plain = self.stage {
            taken.plain.extend_from_slice(data);
            return taken;
        }
        self.held.extend_from_slice(data);
        let mut at = 0;
        while taken.fault.is_none() {
            let rest = &self.held[at..];
            let step = match &mut self.stage {
                Stage::Called => Channel::on_call(seal, rest, &mut taken),
                Stage::Calling(handshake) => on_answer(handshake, rest, &mut taken),
                Stage::Sealed(transport) => on_message(transport, rest, &mut taken),
                Stage::Asking => on_plain_answer(rest, &mut taken),
                Stage::Plain => {
                    taken.plain.extend_from_slice(rest);
                    at = self.held.len();
                    break;
                }
            };
            match step {
                Step::Wait => break,
                Step::Used(count) => at += count,
                Step::Sealed(count, transport, key) => {
                    at += count;
                    self.key = key.or(self.key);
                    self.stage = Stage::Sealed(transport);
                }
                Step::Plain => self.stage = Stage::Plain,
                Step::Answered(count) => {
                    at += count;
                    let stage = std::mem::replace(&mut self.stage, Stage::Called);
                    match finished(stage) {
                        Some(transport) => {
                            self.stage = Stage::Sealed(transport);
                            taken.is_open = true;
                        }
                        None => taken.fault = Some(Fault::Dropped(DropReason::Forged)),
                    }
                }
            }
        }
        self.held.drain(..at);
        if self.held.is_empty() {
            // A link stands for long and says nothing.
            self.held = Vec::new();
        }
        taken
    }

    /// The first bytes of somebody who opened a stream.
    fn on_call(seal: &mut Seal, rest: &[u8], taken: &mut Taken) -> Step {
        let Some(preamble) = rest.first_chunk::<PREAMBLE_BYTES>() else {
            return Step::Wait;
        };
        let [version, number, mark @ ..] = *preamble;
        if mark != MARK {
            if seal.takes_plain() {
                return Step::Plain;
            }
            return refuse(taken, DropReason::Unsealed);
        }
        if version != VERSION {
            return refuse(taken, DropReason::Version);
        }
        if seal.numbered(number).next().is_none() {
            return refuse(taken, DropReason::Key);
        }
        let Some(first) = rest.get(PREAMBLE_BYTES..) else {
            return Step::Wait;
        };
        let Some((message, count)) = handshake_message(first, taken) else {
            return Step::Wait;
        };
        let rng: [u8; 32] = seal.rng.random();
        let mut answered = None;
        for key in seal.numbered(number) {
            answered = begin(seal, key, rng, false).and_then(|mut handshake| {
                handshake.read_message(message, &mut []).ok()?;
                let mut reply = Vec::with_capacity(LENGTH_BYTES + HANDSHAKE_BYTES);
                append_handshake(&mut handshake, &mut reply)?;
                let transport = handshake.into_transport_mode().ok()?;
                Some((reply, transport, key.id))
            });
            if answered.is_some() {
                break;
            }
        }
        let Some((reply, transport, id)) = answered else {
            return refuse(taken, DropReason::Forged);
        };
        taken.reply = reply;
        Step::Sealed(PREAMBLE_BYTES + count, Box::new(transport), Some(id))
    }
}

enum Step {
    /// More must come.
    Wait,
    /// So many bytes were taken.
    Used(usize),
    /// The same, and the stream is sealed now.
    Sealed(usize, Box<TransportState>, Option<KeyId>),
    /// The same, and the handshake that this node began is complete.
    Answered(usize),
    /// The stream is not sealed.
    Plain,
}

fn refuse(taken: &mut Taken, reason: DropReason) -> Step {
    taken.reply = CANNOT.to_vec();
    taken.fault = Some(Fault::Dropped(reason));
    Step::Wait
}

/// The answer to a handshake that this node began.
fn on_answer(handshake: &mut HandshakeState, rest: &[u8], taken: &mut Taken) -> Step {
    if rest.starts_with(&CANNOT) {
        taken.fault = Some(Fault::Cannot);
        return Step::Wait;
    }
    if CANNOT.starts_with(rest) {
        return Step::Wait;
    }
    let Some((message, count)) = handshake_message(rest, taken) else {
        return Step::Wait;
    };
    match handshake.read_message(message, &mut []) {
        Ok(_) => Step::Answered(count),
        Err(_) => {
            taken.fault = Some(Fault::Dropped(DropReason::Forged));
            Step::Wait
        }
    }
}

/// The answer where nothing is sealed: frames, unless the other side cannot read ours.
fn on_plain_answer(rest: &[u8], taken: &mut Taken) -> Step {
    if rest.starts_with(&CANNOT) {
        taken.fault = Some(Fault::Cannot);
        Step::Wait
    } else if CANNOT.starts_with(rest) {
        Step::Wait
    } else {
        Step::Plain
    }
}

fn finished(stage: Stage) -> Option<Box<TransportState>> {
    match stage {
        Stage::Calling(handshake) => handshake.into_transport_mode().ok().map(Box::new),
        Stage::Called | Stage::Sealed(_) | Stage::Asking | Stage::Plain => None,
    }
}

/// A message of a sealed stream.
fn on_message(transport: &mut TransportState, rest: &[u8], taken: &mut Taken) -> Step {
    let Some((length, body)) = rest.split_first_chunk::<LENGTH_BYTES>() else {
        return Step::Wait;
    };
    let length = usize::from(u16::from_le_bytes(*length));
    if !(TAG_BYTES..=CHUNK_BYTES + TAG_BYTES).contains(&length) {
        taken.fault = Some(Fault::Dropped(DropReason::Malformed));
        return Step::Wait;
    }
    let Some(message) = body.get(..length) else {
        return Step::Wait;
    };
    let start = taken.plain.len();
    taken.plain.extend_zeroed(length - TAG_BYTES);
    match transport.read_message(message, &mut taken.plain[start..]) {
        Ok(_) => Step::Used(LENGTH_BYTES + length),
        Err(_) => {
            taken.plain.truncate(start);
            taken.fault = Some(Fault::Dropped(DropReason::Forged));
            Step::Wait
        }
    }
}

/// A whole message of the handshake, and how many bytes it takes. Anything else than its one length
/// is refused before it is waited for.
fn handshake_message<'a>(rest: &'a [u8], taken: &mut Taken) -> Option<(&'a [u8], usize)> {
    let (length, body) = rest.split_first_chunk::<LENGTH_BYTES>()?;
    if usize::from(u16::from_le_bytes(*length)) != HANDSHAKE_BYTES {
        taken.fault = Some(Fault::Dropped(DropReason::Malformed));
        return None;
    }
    let message = body.get(..HANDSHAKE_BYTES)?;
    Some((message, LENGTH_BYTES + HANDSHAKE_BYTES))
}

fn append_handshake(handshake: &mut HandshakeState, bytes: &mut Vec<u8>) -> Option<()> {
    let mut message = [0; HANDSHAKE_BYTES];
    let length = handshake.write_message(&[], &mut message).ok()?;
    bytes.extend_from_slice(&length_of(length));
    bytes.extend_from_slice(message.get(..length)?);
    Some(())
}

fn length_of(length: usize) -> [u8; LENGTH_BYTES] {
    u16::try_from(length)
        .expect("messages are bounded by their chunks")
        .to_le_bytes()
}

/// A handshake at its beginning. `None` never happens: what it is made of are constants.
fn begin(seal: &Seal, key: &Derived, rng: [u8; 32], initiates: bool) -> Option<HandshakeState> {
    let params = PATTERN.parse().ok()?;
    let mut prologue = b"muster stream".to_vec();
    prologue.extend_from_slice(&[VERSION, key.id.number()]);
    prologue.extend_from_slice(seal.cluster.as_str().as_bytes());
    let resolver: BoxedCryptoResolver = Box::new(Resolver(rng));
    let builder = Builder::with_resolver(params, resolver);
    let builder = builder.prologue(&prologue).ok()?;
    let builder = builder.psk(0, &key.streams).ok()?;
    let handshake = if initiates {
        builder.build_initiator()
    } else {
        builder.build_responder()
    };
    handshake.ok()
}

/// snow's primitives, with the node's own randomness: the core asks no operating system.
struct Resolver([u8; 32]);

struct Drawn(StdRng);

impl Random for Drawn {
    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), snow::Error> {
        self.0.fill_bytes(dest);
        Ok(())
    }
}

impl CryptoResolver for Resolver {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(Drawn(StdRng::from_seed(self.0))))
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        DefaultResolver.resolve_dh(choice)
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        DefaultResolver.resolve_hash(choice)
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        DefaultResolver.resolve_cipher(choice)
    }
}
