//! A member that has the key and lies, for tests among real processes.

use crate::coordinator::{Lineage, View};
use crate::lies::{Person, slander};
use crate::members::{Name, NameHash};
use crate::wire::sealing::{Keyring, Plaintext, Seal};
use crate::wire::{self, ClusterId, Header, LineageTag, Outlook};

/// Somebody who has the key.
#[derive(Debug)]
pub struct Liar {
    cluster: Name,
    seal: Seal,
}

impl Liar {
    /// With the keys of this cluster; `entropy` is drawn anew by each.
    pub fn new(cluster: Name, keys: Keyring, entropy: [u8; 32]) -> Liar {
        let mut seal = Seal::new(cluster.clone(), entropy);
        seal.set(Some(keys), Plaintext::Refuse);
        Liar { cluster, seal }
    }

    /// Everything that `liar` can say to the member `to` against `victim`, after this view of this
    /// history, as sealed datagrams.
    pub fn slander(
        &mut self,
        to: &Name,
        (liar, victim): (&Person, &Person),
        (lineage, view): (Lineage, View),
    ) -> Vec<Vec<u8>> {
        let words = slander(liar, victim, (lineage, view)).into_iter();
        words
            .map(|word| {
                let header = Header {
                    cluster: ClusterId::of(&self.cluster),
                    from: word.by.name.as_str(),
                    instance: word.by.instance,
                    incarnation: word.by.incarnation,
                    digest: [0; 8],
                    outlook: Outlook {
                        lineage: LineageTag::of(lineage),
                        view,
                        quorum_age: 0,
                    },
                };
                let mut bytes = Vec::new();
                wire::encode_head(&header, &word.message, &mut bytes);
                for update in &word.updates {
                    wire::encode_update(update, &mut bytes);
                }
                let to = NameHash::of(to.as_str());
                self.seal
                    .seal_datagram(word.by.name.as_str(), to, &mut bytes);
                bytes
            })
            .collect()
    }
}
