//! Stream frames: a length, a version, a kind, a body, each checked against the limit of its kind
//! before anything is stored.

use serde::{Deserialize, Serialize};

use super::VERSION;
use super::datagram::{DropReason, append, reachable};
use super::kind::{
    ACK, CATCH, CUTS, FrameKind, KEYS, KEYS_HELD, LETTER, LINK, LINKED, PING, PULL, REFUSE, ROSTER,
    STATE, UNLINK, limit,
};
use super::message::{Entry, LineageTag, Outlook, Refusal};
use super::sealing::{HeldKeys, WireKey};
use super::wiped::Wiped;
use crate::bounded::at_most;
use crate::coordinator::{
    Lineage, Postmark, Removal, RosterHead, Rosters, Signature, Signed, Standing, View,
};
use crate::limits;
use crate::members::{Instance, Name, Record, RecordRef};

/// What a stream carries. Said with the records that the sender holds, heard with what stands in
/// the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Frame<R = Record> {
    /// Stream probe.
    Ping {
        cluster: Name,
        target: Instance,
        seq: u32,
    },
    /// Its answer, with the digest of the answerer's table and what it knows of the views.
    Ack {
        seq: u32,
        digest: u64,
        outlook: Outlook,
    },
    /// "Here are I and the digests of my buckets: what do you have that differs?"
    Pull {
        cluster: Name,
        record: R,
        buckets: Vec<u64>,
    },
    /// Members that differ, as `from` holds them. The first frame of an answer brings the
    /// answerer's digests.
    State {
        from: Name,
        buckets: Vec<u64>,
        members: Vec<Entry<R>>,
        last: bool,
    },
    /// No.
    Refuse(Refusal),
    /// "This view of that lineage is the last that I know: what came after it?"
    Catch {
        cluster: Name,
        lineage: Option<Lineage>,
        view: View,
    },
    /// The cuts that led to the view `first` and those after it.
    Cuts {
        lineage: Lineage,
        first: View,
        cuts: Vec<Signed>,
    },
    /// All of a roster, in parts; each has the same head. The last one is signed, if a voter sends
    /// it.
    Roster {
        head: Box<RosterHead>,
        standings: Vec<Standing>,
        removed: Vec<Removal>,
        last: bool,
        signature: Option<Signature>,
    },
    /// A letter of the consensus that fits no datagram.
    Letter {
        cluster: Name,
        from: Name,
        tag: LineageTag,
        configuration: u32,
        postmark: Postmark,
        bytes: Vec<u8>,
        signature: Signature,
    },
    /// "I, this life of `from`, am your buddy: let this stream stand, so that its end tells."
    Link {
        cluster: Name,
        from: Name,
        instance: Instance,
        target: Instance,
    },
    /// Yes.
    Linked,
    /// "This stream ends because it is not needed any more."
    Unlink,
    /// "These are the keys of the cluster, as I have them." Only where it is sealed.
    Keys {
        cluster: Name,
        generation: u64,
        keys: Vec<WireKey>,
    },
    /// "And these are mine", without the keys.
    KeysHeld(HeldKeys),
}

#[derive(Deserialize)]
struct PingBody {
    cluster: Name,
    target: Instance,
    seq: u32,
}

#[derive(Deserialize)]
struct PullBody<'a> {
    cluster: Name,
    #[serde(borrow)]
    record: RecordRef<'a>,
    buckets: Vec<u64>,
}

#[derive(Deserialize)]
struct StateBody<'a> {
    from: Name,
    last: bool,
    buckets: Vec<u64>,
    #[serde(borrow)]
    members: Vec<Entry<RecordRef<'a>>>,
}

#[derive(Deserialize)]
struct CutsBody {
    lineage: Lineage,
    first: View,
    #[serde(deserialize_with = "at_most::<{ limits::CUTS }, _, _>")]
    cuts: Vec<Signed>,
}

#[derive(Deserialize)]
struct RosterBody {
    head: Box<RosterHead>,
    #[serde(deserialize_with = "at_most::<{ limits::ROSTER_PART }, _, _>")]
    standings: Vec<Standing>,
    #[serde(deserialize_with = "at_most::<{ limits::ROSTER_PART }, _, _>")]
    removed: Vec<Removal>,
    last: bool,
    signature: Option<Signature>,
}

#[derive(Deserialize)]
struct KeysBody {
    cluster: Name,
    generation: u64,
    #[serde(deserialize_with = "at_most::<{ limits::KEYS }, _, _>")]
    keys: Vec<WireKey>,
}

#[derive(Deserialize)]
struct LetterBody<'a> {
    cluster: Name,
    from: Name,
    tag: LineageTag,
    configuration: u32,
    postmark: Postmark,
    bytes: &'a [u8],
    signature: Signature,
}

/// Whose letter it is, which stands before the letter.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct LetterHead {
    pub(crate) cluster: Name,
    pub(crate) from: Name,
    pub(crate) tag: LineageTag,
    pub(crate) configuration: u32,
}

/// As many bytes of a letter's frame hold all of its [`LetterHead`].
const LETTER_HEAD_BYTES: usize = 2 * (NAME_LENGTH_BYTES + limits::NAME_BYTES) + 4 + 5;

/// Longest length of a name on the wire, in bytes.
const NAME_LENGTH_BYTES: usize = 2;

/// Length (little-endian, of the body), version, kind.
const HEAD: usize = 6;

/// A frame's bytes: the body's fields in the order in which the bodies above are read.
pub(crate) fn encode_frame<R: Serialize>(frame: &Frame<R>) -> Wiped {
    let mut bytes = Wiped::from(vec![0; HEAD]);
    let kind = match frame {
        Frame::Ping {
            cluster,
            target,
            seq,
        } => {
            append(&(cluster, target, seq), &mut bytes);
            PING
        }
        Frame::Ack {
            seq,
            digest,
            outlook,
        } => {
            append(&(seq, digest, outlook), &mut bytes);
            ACK
        }
        Frame::Pull {
            cluster,
            record,
            buckets,
        } => {
            append(&(cluster, record, buckets), &mut bytes);
            PULL
        }
        Frame::State {
            from,
            buckets,
            members,
            last,
        } => {
            append(&(from, last, buckets, members), &mut bytes);
            STATE
        }
        Frame::Refuse(refusal) => {
            append(refusal, &mut bytes);
            REFUSE
        }
        Frame::Catch {
            cluster,
            lineage,
            view,
        } => {
            append(&(cluster, lineage, view), &mut bytes);
            CATCH
        }
        Frame::Cuts {
            lineage,
            first,
            cuts,
        } => {
            append(&(lineage, first, cuts), &mut bytes);
            CUTS
        }
        Frame::Roster {
            head,
            standings,
            removed,
            last,
            signature,
        } => {
            append(&(head, standings, removed, last, signature), &mut bytes);
            ROSTER
        }
        Frame::Letter {
            cluster,
            from,
            tag,
            configuration,
            postmark,
            bytes: letter,
            signature,
        } => {
            let body = (
                cluster,
                from,
                tag,
                configuration,
                postmark,
                letter,
                signature,
            );
            append(&body, &mut bytes);
            LETTER
        }
        Frame::Link {
            cluster,
            from,
            instance,
            target,
        } => {
            append(&(cluster, from, instance, target), &mut bytes);
            LINK
        }
        Frame::Linked => LINKED,
        Frame::Unlink => UNLINK,
        Frame::Keys {
            cluster,
            generation,
            keys,
        } => {
            append(&(cluster, generation, keys), &mut bytes);
            KEYS
        }
        Frame::KeysHeld(held) => {
            append(held, &mut bytes);
            KEYS_HELD
        }
    };
    let body = bytes.len() - HEAD;
    debug_assert!(
        limit(kind).is_some_and(|limit| body <= limit),
        "a frame keeps its own limit"
    );
    let length = u32::try_from(body).expect("bodies are bounded by their limits");
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    bytes[4] = VERSION;
    bytes[5] = kind;
    bytes
}

/// Takes a stream's bytes as they come and gives frames. Holds at most one frame and what came
/// with it.
#[derive(Clone, Debug, Default)]
pub(crate) struct FrameReader {
    buffer: Wiped,
    start: usize,
}

impl FrameReader {
    /// More bytes of the stream, at most as many as one read of the caller.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.forget();
        self.buffer.extend_from_slice(bytes);
    }

    /// Gives up what was given out.
    pub(crate) fn forget(&mut self) {
        self.buffer.remove_front(std::mem::take(&mut self.start));
    }

    /// Bytes held and not yet given out.
    #[cfg(test)]
    pub(crate) fn held(&self) -> usize {
        self.buffer.len()
    }

    /// What the frame is that has begun to arrive. `None` before its head has, or when it is none.
    pub(crate) fn begun(&self) -> Option<FrameKind> {
        FrameKind::of(*self.buffer.get(self.start + HEAD - 1)?)
    }

    /// Whose letter has begun to arrive. `None` until enough of it is there to tell.
    pub(crate) fn letter_head(&self) -> Option<Result<LetterHead, DropReason>> {
        let body = self.buffer.get(self.start + HEAD..)?;
        match postcard::take_from_bytes(body) {
            Ok((head, _)) => Some(Ok(head)),
            Err(_) if body.len() < LETTER_HEAD_BYTES => None,
            Err(_) => Some(Err(DropReason::Malformed)),
        }
    }

    /// The next whole frame when nothing is shared.
    #[cfg(test)]
    pub(crate) fn next(&mut self) -> Result<Option<Frame<RecordRef<'_>>>, DropReason> {
        self.next_of(&Rosters::default())
    }

    /// The next whole frame; `Ok(None)` until there is one. After an error the stream is useless.
    /// Cuts that `rosters` know are not decoded again.
    pub(crate) fn next_of(
        &mut self,
        rosters: &Rosters,
    ) -> Result<Option<Frame<RecordRef<'_>>>, DropReason> {
        let bytes = &self.buffer[self.start..];
        let Some((head, rest)) = bytes.split_first_chunk::<HEAD>() else {
            return Ok(None);
        };
        let [l0, l1, l2, l3, version, kind] = *head;
        if version != VERSION {
            return Err(DropReason::Version);
        }
        let limit = limit(kind).ok_or(DropReason::Malformed)?;
        let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        if length > limit {
            return Err(DropReason::TooLong);
        }
        let Some(body) = rest.get(..length) else {
            return Ok(None);
        };
        let frame = decode_body(kind, body, rosters)?;
        self.start += HEAD + length;
        Ok(Some(frame))
    }
}

fn decode_body<'a>(
    kind: u8,
    body: &'a [u8],
    rosters: &Rosters,
) -> Result<Frame<RecordRef<'a>>, DropReason> {
    match kind {
        PING => {
            let PingBody {
                cluster,
                target,
                seq,
            } = whole(body)?;
            Ok(Frame::Ping {
                cluster,
                target,
                seq,
            })
        }
        ACK => {
            let (seq, digest, outlook) = whole(body)?;
            Ok(Frame::Ack {
                seq,
                digest,
                outlook,
            })
        }
        PULL => {
            let PullBody {
                cluster,
                record,
                buckets,
            } = whole(body)?;
            reachable(record.addr)?;
            check_buckets(&buckets)?;
            Ok(Frame::Pull {
                cluster,
                record,
                buckets,
            })
        }
        STATE => {
            let StateBody {
                from,
                last,
                buckets,
                members,
            } = whole(body)?;
            if !buckets.is_empty() {
                check_buckets(&buckets)?;
            }
            for member in &members {
                reachable(member.record.addr)?;
            }
            Ok(Frame::State {
                from,
                buckets,
                members,
                last,
            })
        }
        REFUSE => Ok(Frame::Refuse(whole(body)?)),
        CATCH => {
            let (cluster, lineage, view) = whole(body)?;
            Ok(Frame::Catch {
                cluster,
                lineage,
                view,
            })
        }
        CUTS => {
            let (lineage, first, cuts) = rosters.told(body, |body| {
                let CutsBody {
                    lineage,
                    first,
                    cuts,
                } = whole(body)?;
                Ok((lineage, first, cuts))
            })?;
            Ok(Frame::Cuts {
                lineage,
                first,
                cuts,
            })
        }
        ROSTER => {
            let RosterBody {
                head,
                standings,
                removed,
                last,
                signature,
            } = whole(body)?;
            Ok(Frame::Roster {
                head,
                standings,
                removed,
                last,
                signature,
            })
        }
        LETTER => {
            let LetterBody {
                cluster,
                from,
                tag,
                configuration,
                postmark,
                bytes,
                signature,
            } = whole(body)?;
            Ok(Frame::Letter {
                cluster,
                from,
                tag,
                configuration,
                postmark,
                bytes: bytes.to_vec(),
                signature,
            })
        }
        LINK => {
            let (cluster, from, instance, target) = whole(body)?;
            Ok(Frame::Link {
                cluster,
                from,
                instance,
                target,
            })
        }
        LINKED => whole(body).map(|()| Frame::Linked),
        UNLINK => whole(body).map(|()| Frame::Unlink),
        KEYS => {
            let KeysBody {
                cluster,
                generation,
                keys,
            } = whole(body)?;
            Ok(Frame::Keys {
                cluster,
                generation,
                keys,
            })
        }
        KEYS_HELD => whole(body).map(Frame::KeysHeld),
        _ => Err(DropReason::Malformed),
    }
}

fn check_buckets(buckets: &[u64]) -> Result<(), DropReason> {
    let fits = buckets.len().is_power_of_two() && buckets.len() <= limits::DIGEST_BUCKETS;
    if fits {
        Ok(())
    } else {
        Err(DropReason::Malformed)
    }
}

fn whole<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, DropReason> {
    let (value, rest) = postcard::take_from_bytes(body).map_err(|_| DropReason::Malformed)?;
    if rest.is_empty() {
        Ok(value)
    } else {
        Err(DropReason::Malformed)
    }
}
