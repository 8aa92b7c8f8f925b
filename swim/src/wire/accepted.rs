//! What is taken for a message: within all limits, and it can be said again. For tests and fuzzing.

use super::{
    ClusterId, Datagram, DropReason, Entry, Errand, Frame, FrameReader, Header, Message, Update,
    decode, encode_frame, encode_head, encode_update,
};
use crate::coordinator::{Change, Cut, Rosters, Voters};
use crate::limits;
use crate::members::{NameRef, Record, RecordRef};

/// Whatever is accepted keeps the limits and can be said again.
pub(crate) fn accept_datagram(bytes: &[u8], cluster: ClusterId) -> Result<(), DropReason> {
    let decoded = decode(bytes, cluster)?;
    assert!(decoded.updates.len() <= limits::DATAGRAM_UPDATES);
    assert!(decoded.header.from.len() <= limits::NAME_BYTES);
    for update in &decoded.updates {
        match update {
            Update::Record(record) => assert_record_within_limits(&record.to_record()),
            Update::Claim { .. } => {}
        }
    }
    let updates = updates_of(&decoded);
    let again = datagram(&decoded.header, &decoded.message, &updates);
    let said = decode(&again, cluster).expect("it was accepted before");
    assert_eq!(
        (said.header, &said.message),
        (decoded.header, &decoded.message)
    );
    assert_eq!(updates_of(&said), updates);
    if let Message::Errand(Errand::Report { health, .. } | Errand::Testimony { health, .. }) =
        decoded.message
    {
        assert!(health <= limits::HEALTH);
    }
    Ok(())
}

/// The same of all frames of a stream; gives the error that ends it.
pub(crate) fn accept_stream(bytes: &[u8]) -> Option<DropReason> {
    let (accepted, error) = frames(bytes);
    for frame in accepted {
        assert_frame_within_limits(&frame);
        assert_eq!(frames(&encode_frame(&frame)), (vec![frame], None));
    }
    error
}

/// A datagram that says this.
pub(crate) fn datagram(header: &Header<'_>, message: &Message, updates: &[Update]) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_head(header, message, &mut bytes);
    for update in updates {
        encode_update(update, &mut bytes);
    }
    bytes
}

/// All frames of a stream that comes in one piece, and the error that ends it.
pub(crate) fn frames(bytes: &[u8]) -> (Vec<Frame>, Option<DropReason>) {
    frames_in_pieces(bytes, bytes.len().max(1))
}

/// The same of a stream that comes in pieces of so many bytes.
pub(crate) fn frames_in_pieces(bytes: &[u8], piece: usize) -> (Vec<Frame>, Option<DropReason>) {
    let mut reader = FrameReader::default();
    let mut frames = Vec::new();
    for piece in bytes.chunks(piece) {
        reader.push(piece);
        loop {
            match reader.next_of(&Rosters::default()) {
                Ok(Some(frame)) => frames.push(owned_frame(frame)),
                Ok(None) => break,
                Err(reason) => return (frames, Some(reason)),
            }
        }
    }
    (frames, None)
}

/// The updates of a datagram.
pub(crate) fn updates_of(datagram: &Datagram<'_>) -> Vec<Update> {
    datagram.updates.iter().map(owned_update).collect()
}

/// An update that was heard, as one that could be said.
pub(crate) fn owned_update(update: &Update<RecordRef<'_>, NameRef<'_>>) -> Update {
    match update {
        Update::Record(record) => Update::Record(record.to_record()),
        Update::Claim {
            name,
            instance,
            incarnation,
            status,
            by,
            refused,
        } => Update::Claim {
            name: name.to_name(),
            instance: *instance,
            incarnation: *incarnation,
            status: *status,
            by: by.to_name(),
            refused: refused.iter().map(|name| name.to_name()).collect(),
        },
    }
}

/// A frame that was heard, as one that could be said.
pub(crate) fn owned_frame(frame: Frame<RecordRef<'_>>) -> Frame {
    match frame {
        Frame::Ping {
            cluster,
            target,
            seq,
        } => Frame::Ping {
            cluster,
            target,
            seq,
        },
        Frame::Ack {
            seq,
            digest,
            outlook,
        } => Frame::Ack {
            seq,
            digest,
            outlook,
        },
        Frame::Pull {
            cluster,
            record,
            buckets,
        } => Frame::Pull {
            cluster,
            record: record.to_record(),
            buckets,
        },
        Frame::State {
            from,
            buckets,
            members,
            last,
        } => {
            let owned = |entry: Entry<RecordRef<'_>>| Entry {
                record: entry.record.to_record(),
                status: entry.status,
                lost_for_s: entry.lost_for_s,
            };
            Frame::State {
                from,
                buckets,
                members: members.into_iter().map(owned).collect(),
                last,
            }
        }
        Frame::Refuse(refusal) => Frame::Refuse(refusal),
        Frame::Link {
            cluster,
            from,
            instance,
            target,
        } => Frame::Link {
            cluster,
            from,
            instance,
            target,
        },
        Frame::Linked => Frame::Linked,
        Frame::Unlink => Frame::Unlink,
        Frame::Keys {
            cluster,
            generation,
            keys,
        } => Frame::Keys {
            cluster,
            generation,
            keys,
        },
        Frame::KeysHeld(held) => Frame::KeysHeld(held),
        Frame::Catch {
            cluster,
            lineage,
            view,
        } => Frame::Catch {
            cluster,
            lineage,
            view,
        },
        Frame::Cuts {
            lineage,
            first,
            cuts,
        } => Frame::Cuts {
            lineage,
            first,
            cuts,
        },
        Frame::Roster {
            head,
            standings,
            removed,
            last,
            signature,
        } => Frame::Roster {
            head,
            standings,
            removed,
            last,
            signature,
        },
        Frame::Letter {
            cluster,
            from,
            tag,
            configuration,
            postmark,
            bytes,
            signature,
        } => Frame::Letter {
            cluster,
            from,
            tag,
            configuration,
            postmark,
            bytes,
            signature,
        },
    }
}

fn assert_record_within_limits(record: &Record) {
    assert!(record.name.as_str().len() <= limits::NAME_BYTES);
    assert!(super::is_reachable(record.addr), "{record:?}");
    let tags: Vec<_> = record.tags.iter().collect();
    assert!(tags.len() <= limits::TAGS);
    let bytes: usize = tags
        .iter()
        .map(|(key, value)| key.len() + value.len())
        .sum();
    assert!(bytes <= limits::TAGS_BYTES);
}

fn assert_voters_within_limits(voters: &Voters) {
    assert!((1..=limits::VOTERS).contains(&voters.voters.len()));
}

fn assert_cut_within_limits(cut: &Cut) {
    assert!(cut.changes.len() <= limits::CUT_CHANGES);
    cut.voters.iter().for_each(assert_voters_within_limits);
    for change in &cut.changes {
        match change {
            Change::Dead { evidence, .. } | Change::Degraded { evidence, .. } => {
                assert!(evidence.testimonies.len() <= limits::TESTIMONIES);
            }
            Change::Up { .. } | Change::Left { .. } | Change::Restored { .. } => {}
        }
    }
}

fn assert_frame_within_limits(frame: &Frame) {
    match frame {
        Frame::Ping { .. }
        | Frame::Ack { .. }
        | Frame::Refuse(_)
        | Frame::Catch { .. }
        | Frame::Link { .. }
        | Frame::Linked
        | Frame::Unlink
        | Frame::Keys { .. }
        | Frame::KeysHeld(_) => {}
        Frame::Cuts { cuts, .. } => {
            assert!(cuts.len() <= limits::CUTS);
            cuts.iter()
                .for_each(|(cut, _)| assert_cut_within_limits(cut));
        }
        Frame::Roster {
            head,
            standings,
            removed,
            ..
        } => {
            assert_voters_within_limits(&head.voters);
            assert!(standings.len() <= limits::ROSTER_PART);
            assert!(removed.len() <= limits::ROSTER_PART);
        }
        Frame::Letter { bytes, .. } => assert!(bytes.len() <= limits::FRAME_LETTER_BYTES),
        Frame::Pull {
            record, buckets, ..
        } => {
            assert_record_within_limits(record);
            assert!(buckets.len() <= limits::DIGEST_BUCKETS);
        }
        Frame::State {
            buckets, members, ..
        } => {
            assert!(buckets.len() <= limits::DIGEST_BUCKETS);
            for member in members {
                assert_record_within_limits(&member.record);
            }
        }
    }
}
