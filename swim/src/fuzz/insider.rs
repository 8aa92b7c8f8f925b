//! Somebody who has the keys of the cluster and says what it likes.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::script::Script;
use super::world::{Datagram, World, address, cluster, name};
use crate::limits;
use crate::members::{Incarnation, Instance, Name, NameHash};
use crate::node::{Node, StreamId};
use crate::wire::sealing::{Channel, Keyring, Plaintext, Seal};
use crate::wire::{self, ClusterId, Header, Outlook, VERSION};

/// The host of the insider, beyond those of nodes.
const HOST: usize = 8;

/// Streams that the insider keeps.
const STREAMS: usize = 8;

/// Whoever has a key and no manners.
#[derive(Debug)]
pub(super) struct Insider {
    seal: Seal,
    /// What members showed last of the agreed views.
    outlook: Outlook,
    /// Its streams, by host and stream, with what is to be sent.
    streams: BTreeMap<(usize, StreamId), (Channel, Vec<u8>)>,
    opened: Vec<u8>,
}

impl Insider {
    pub(super) fn new(keys: Option<Keyring>, plaintext: Plaintext) -> Insider {
        let mut seal = Seal::new(cluster(), [9; 32]);
        seal.set(keys, plaintext);
        Insider {
            seal,
            outlook: Outlook::default(),
            streams: BTreeMap::new(),
            opened: Vec::new(),
        }
    }

    /// A datagram goes by. What a node says others can take.
    pub(super) fn overhear(&mut self, datagram: &Datagram) {
        let (to, datagram) = (receiver(datagram.to), &datagram.bytes);
        let mut opened = std::mem::take(&mut self.opened);
        // A node may have other keys by now.
        if self.seal.open_datagram(to, datagram, &mut opened).is_ok() {
            let said = wire::decode(&opened, ClusterId::of(&cluster()));
            self.outlook = said.expect("a node says what others take").header.outlook;
        }
        self.opened = opened;
    }

    /// A node opened a stream to the insider.
    pub(super) fn called(&mut self, at: usize, stream: StreamId) {
        self.keep(at, stream, Channel::called(), Vec::new());
    }

    fn keep(&mut self, at: usize, stream: StreamId, channel: Channel, first: Vec<u8>) {
        if self.streams.len() == STREAMS {
            self.streams.pop_first();
        }
        self.streams.insert((at, stream), (channel, first));
    }

    /// A node sent something on one of the insider's streams.
    pub(super) fn hear(&mut self, at: usize, stream: StreamId, bytes: &[u8]) {
        if let Some((channel, reply)) = self.streams.get_mut(&(at, stream)) {
            let taken = channel.take(&mut self.seal, bytes);
            reply.extend(taken.reply);
        }
    }

    /// A node closed one of the insider's streams.
    pub(super) fn lose(&mut self, at: usize, stream: StreamId) {
        self.streams.remove(&(at, stream));
    }

    /// One of its streams.
    pub(super) fn stream(&self, script: &mut Script<'_>) -> Option<(usize, StreamId)> {
        let at = script.below(self.streams.len().max(1));
        self.streams.keys().rev().nth(at).copied()
    }

    /// Changes a datagram and seals it anew. `None`: it cannot be opened.
    pub(super) fn tamper(
        &mut self,
        datagram: &Datagram,
        script: &mut Script<'_>,
    ) -> Option<Vec<u8>> {
        let (to, mut plain) = (receiver(datagram.to), Vec::new());
        self.seal
            .open_datagram(to, &datagram.bytes, &mut plain)
            .ok()?;
        let at = script.below(plain.len().max(1));
        match script.below(4) {
            0 => plain.truncate(at.max(1)),
            1 => {
                let rest = script.bytes();
                plain.truncate(plain.len() - at);
                plain.extend_from_slice(rest);
            }
            _ => {
                let change = script.byte();
                let end = plain.len();
                if let Some(byte) = plain.get_mut(end.saturating_sub(at + 1)) {
                    *byte ^= change;
                }
            }
        }
        Some(self.sealed(plain, to))
    }

    fn sealed(&mut self, mut plain: Vec<u8>, to: NameHash) -> Vec<u8> {
        plain.truncate(limits::PLAIN_DATAGRAM_BYTES);
        let said = wire::decode(&plain, ClusterId::of(&cluster()));
        let from = said.map_or_else(|_| "x".to_owned(), |said| said.header.from.to_owned());
        self.seal.seal_datagram(&from, to, &mut plain);
        plain
    }
}

/// Who is at an address.
fn receiver(at: SocketAddr) -> NameHash {
    let mut hosts = 0..=HOST;
    let host = hosts.find(|host| address(*host) == at).unwrap_or(HOST);
    NameHash::of(name(host).as_str())
}

impl World {
    /// A datagram with a good head, of whomever, and behind it anything.
    pub(super) fn forge(&mut self, script: &mut Script<'_>) -> Datagram {
        let (to, from) = (script.below(self.hosts.len()), script.below(HOST + 1));
        let target = &self.hosts[to].node;
        let (name, addr) = self.whoever(from);
        let known = target.member(name.as_str());
        let instance = known.as_ref().map_or(Instance(500), |known| known.instance);
        let incarnation = known.map_or(0, |known| known.incarnation.0);
        let instance = match script.below(8) {
            0 => Instance(instance.0.saturating_add(1)),
            1 => Instance(u64::MAX),
            2 => Instance(0),
            _ => instance,
        };
        let incarnation = match script.below(8) {
            0 => incarnation.saturating_add(1),
            1 => u32::MAX,
            _ => incarnation,
        };
        let digest = match script.below(4) {
            0 => u64::from(script.byte()),
            _ => target.digest(),
        };
        let mut outlook = self.insider.outlook;
        match script.below(8) {
            0 => outlook = Outlook::default(),
            1 => outlook.view.0 = outlook.view.0.saturating_add(script.byte().into()),
            2 => outlook.view.0 = limits::VIEWS - 1,
            3 => outlook.quorum_age = script.byte(),
            _ => {}
        }
        let header = Header {
            cluster: ClusterId::of(&cluster()),
            from: name.as_str(),
            instance,
            incarnation: Incarnation(incarnation),
            digest: digest.to_le_bytes(),
            outlook,
        };
        let mut plain = Vec::new();
        wire::encode_head(&header, &wire::Message::Gossip, &mut plain);
        // Instead of the message, which is one byte.
        plain.pop();
        plain.extend_from_slice(script.bytes());
        Datagram {
            from: addr,
            to: address(to),
            bytes: self.insider.sealed(plain, receiver(address(to))),
        }
    }

    fn whoever(&self, at: usize) -> (Name, SocketAddr) {
        let known = at < self.hosts.len();
        let at = if known { at } else { HOST };
        (name(at), address(at))
    }

    /// The insider opens a stream to a node.
    pub(super) fn intrude(&mut self, at: usize) {
        let from = address(HOST);
        let stream = self.call(at, |node, now| node.handle_stream_accepted(from, now));
        if let Some(Some(stream)) = stream {
            let (channel, first) = Channel::call(&mut self.insider.seal, false);
            self.insider.keep(at, stream, channel, first);
        }
    }

    /// The insider says a frame with a good head, and in it anything.
    pub(super) fn forge_frame(&mut self, script: &mut Script<'_>) {
        let Some((at, stream)) = self.insider.stream(script) else {
            return;
        };
        self.shake_hands(at, stream);
        let (kind, body) = (script.byte() % 16, script.bytes());
        let length = u32::try_from(body.len()).expect("an input is short");
        let mut frame = length.to_le_bytes().to_vec();
        frame.extend_from_slice(&[VERSION, kind]);
        frame.extend_from_slice(body);
        let Some((channel, _)) = self.insider.streams.get_mut(&(at, stream)) else {
            return;
        };
        let bytes = channel.seal(frame.into());
        self.say(at, stream, &bytes);
    }

    /// The insider sends what it is to send first, until there is no more of it.
    pub(super) fn shake_hands(&mut self, at: usize, stream: StreamId) {
        while let Some((_, reply)) = self.insider.streams.get_mut(&(at, stream))
            && !reply.is_empty()
        {
            let bytes = std::mem::take(reply);
            self.say(at, stream, &bytes);
        }
    }

    /// These bytes come on a stream of a node.
    pub(super) fn say(&mut self, at: usize, stream: StreamId, bytes: &[u8]) {
        self.call(at, |node: &mut Node, now| {
            node.handle_stream_data(stream, bytes, now);
        });
    }
}
