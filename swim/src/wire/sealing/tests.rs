//! What is sealed opens with its key alone, once, and whole.

use proptest::prelude::*;

use super::*;
use crate::limits;
use crate::members::{Instance, NameHash};
use crate::wire::wiped::zeroed_so_far;
use crate::wire::{DropReason, Frame, FrameReader, SEALED, VERSION, encode_frame};

fn seal_of(cluster: &str, entropy: u8, keys: &[u8], plaintext: Plaintext) -> Seal {
    let mut seal = Seal::new(Name::new(cluster).expect("a name"), [entropy; 32]);
    let keys: Vec<_> = keys
        .iter()
        .map(|key| (Key::new([*key; 32]), None))
        .collect();
    if !keys.is_empty() {
        seal.set(Some(Keyring::new(1, keys).expect("a ring")), plaintext);
    }
    seal
}

fn seal(entropy: u8, keys: &[u8]) -> Seal {
    seal_of("prod", entropy, keys, Plaintext::Refuse)
}

/// What `n1` says to `n2`.
fn sealed(seal: &mut Seal, body: &[u8]) -> Vec<u8> {
    let mut datagram = vec![VERSION];
    datagram.extend_from_slice(body);
    seal.seal_datagram("n1", NameHash::of("n2"), &mut datagram);
    datagram
}

fn opened(seal: &mut Seal, datagram: &[u8], from: &str) -> Result<Vec<u8>, DropReason> {
    opened_by("n2", seal, datagram, from)
}

fn opened_by(
    me: &str,
    seal: &mut Seal,
    datagram: &[u8],
    from: &str,
) -> Result<Vec<u8>, DropReason> {
    let mut plain = Vec::new();
    if let Some(origin) = seal.open_datagram(NameHash::of(me), datagram, &mut plain)? {
        seal.hear(origin, from, Instance(1), None)?;
    }
    Ok(plain.split_off(1))
}

/// Nobody else takes it, also with the key: it may have been recorded on its way.
#[test]
fn a_datagram_is_opened_by_the_one_it_was_sealed_for() {
    let mut sender = seal(1, &[1]);
    let datagram = sealed(&mut sender, b"words");
    let mut receiver = seal(2, &[1]);
    for other in ["n1", "n3", "N2", "n2 ", "prod", ""] {
        let opened = opened_by(other, &mut receiver, &datagram, "n1");
        assert_eq!(opened, Err(DropReason::Forged), "{other}");
    }
    let opened = opened_by("n2", &mut receiver, &datagram, "n1");
    assert_eq!(opened, Ok(b"words".to_vec()));
}

#[test]
fn a_datagram_is_opened_once_by_those_with_its_key() {
    let mut sender = seal(1, &[1]);
    let datagram = sealed(&mut sender, b"secret words");
    assert_eq!(datagram.len(), 13 + limits::SEAL_BYTES);
    assert_eq!(datagram[0], SEALED);
    assert!(!datagram.windows(6).any(|part| part == b"secret"));
    let mut receiver = seal(2, &[2, 1]);
    assert_eq!(
        opened(&mut receiver, &datagram, "n1"),
        Ok(b"secret words".to_vec())
    );
    assert_eq!(
        opened(&mut receiver, &datagram, "n1"),
        Err(DropReason::Replayed)
    );
    let mut fresh = seal(3, &[1]);
    assert_eq!(
        opened(&mut fresh, &datagram, "n2"),
        Err(DropReason::Forged),
        "from another"
    );
    assert_eq!(
        opened(&mut seal(4, &[3]), &datagram, "n1"),
        Err(DropReason::Key)
    );
    assert_eq!(
        opened(&mut seal(4, &[]), &datagram, "n1"),
        Err(DropReason::Key)
    );
    let mut other = seal_of("other", 4, &[1], Plaintext::Refuse);
    assert_eq!(opened(&mut other, &datagram, "n1"), Err(DropReason::Forged));
}

#[test]
fn the_same_words_are_never_sealed_alike() {
    let mut sender = seal(1, &[1]);
    let first = sealed(&mut sender, b"words");
    let second = sealed(&mut sender, b"words");
    // Of another process of the same member, too.
    let third = sealed(&mut seal(2, &[1]), b"words");
    assert_ne!(first[2..26], second[2..26]);
    assert_ne!(first[2..26], third[2..26]);
    assert_ne!(first[26..], second[26..]);
}

#[test]
fn plain_is_taken_as_told() {
    let plain = [VERSION, 1, 2, 3];
    for (keys, plaintext, takes, seals) in [
        (&[][..], Plaintext::Refuse, true, false),
        (&[1][..], Plaintext::Refuse, false, true),
        (&[1][..], Plaintext::Accept, true, true),
        (&[1][..], Plaintext::Send, true, false),
    ] {
        let mut seal = seal_of("prod", 1, keys, plaintext);
        let expected = if takes {
            Ok(vec![1, 2, 3])
        } else {
            Err(DropReason::Unsealed)
        };
        assert_eq!(opened(&mut seal, &plain, "n1"), expected, "{plaintext:?}");
        assert_eq!(
            sealed(&mut seal, b"words")[0] == SEALED,
            seals,
            "{plaintext:?}"
        );
    }
}

/// Both ends of a stream, on which bytes come cut anyhow.
struct Pair {
    seals: [Seal; 2],
    ends: [Channel; 2],
}

impl Pair {
    fn new(caller: Seal, callee: Seal, cut: usize) -> Result<Pair, Fault> {
        let (mut caller, callee) = (caller, callee);
        let (call, first) = Channel::call(&mut caller, false);
        let mut pair = Pair {
            seals: [caller, callee],
            ends: [call, Channel::called()],
        };
        let (reply, _) = pair.carry(1, &first, cut)?;
        pair.carry(0, &reply, cut)?;
        Ok(pair)
    }

    fn carry(&mut self, to: usize, bytes: &[u8], cut: usize) -> Result<(Vec<u8>, Vec<u8>), Fault> {
        let (mut reply, mut plain) = (Vec::new(), Vec::new());
        for part in bytes.chunks(cut.max(1)) {
            let taken = self.ends[to].take(&mut self.seals[to], part);
            if let Some(fault) = taken.fault {
                if !taken.reply.is_empty() {
                    let answer = self.ends[1 - to].take(&mut self.seals[1 - to], &taken.reply);
                    assert_eq!(answer.fault, Some(Fault::Cannot), "the caller is told");
                }
                return Err(fault);
            }
            reply.extend(taken.reply);
            plain.extend_from_slice(&taken.plain);
        }
        Ok((reply, plain))
    }
}

#[test]
fn a_stream_says_what_was_said_however_it_is_cut() {
    let words: Vec<u8> = (0..100_000_u32)
        .map(|at| at.to_le_bytes()[0] ^ 0x5a)
        .collect();
    for cut in [1, 7, 48, 1000, usize::MAX] {
        let mut pair = Pair::new(seal(1, &[1]), seal(2, &[2, 1]), cut).expect("both have a key");
        for (from, to) in [(0, 1), (1, 0), (0, 1)] {
            let bytes = pair.ends[from].seal(words.clone().into());
            assert!(
                !bytes
                    .windows(64)
                    .any(|part| words.windows(64).take(9).any(|w| w == part))
            );
            let (_, heard) = pair.carry(to, &bytes, cut).expect("it opens");
            assert!(heard == words, "cut at {cut}");
            assert_eq!(pair.ends[to].held(), 0);
        }
        assert_eq!(pair.ends[1].key(), Some(Key::new([1; 32]).id()));
    }
}

#[test]
fn a_stream_under_another_key_name_or_none_is_refused() {
    let dropped = |result: Result<Pair, Fault>| match result {
        Ok(_) => panic!("it is open"),
        Err(fault) => fault,
    };
    let refuse = Plaintext::Refuse;
    assert_eq!(
        dropped(Pair::new(seal(1, &[1]), seal(2, &[2]), 9)),
        Fault::Dropped(DropReason::Key)
    );
    assert_eq!(
        dropped(Pair::new(seal(1, &[1]), seal(2, &[]), 9)),
        Fault::Dropped(DropReason::Key)
    );
    let other = seal_of("other", 2, &[1], refuse);
    assert_eq!(
        dropped(Pair::new(seal(1, &[1]), other, 9)),
        Fault::Dropped(DropReason::Forged)
    );
}

#[test]
fn an_ended_or_changed_message_of_a_stream_ends_it() {
    let mut pair = Pair::new(seal(1, &[1]), seal(2, &[1]), 9).expect("both have a key");
    let mut bytes = pair.ends[0].seal(b"words".to_vec().into());
    bytes[4] ^= 1;
    let fault = pair.carry(1, &bytes, 100).expect_err("it does not open");
    assert_eq!(fault, Fault::Dropped(DropReason::Forged));
    let mut pair = Pair::new(seal(1, &[1]), seal(2, &[1]), 9).expect("both have a key");
    let bytes = pair.ends[0].seal(b"words".to_vec().into());
    pair.carry(1, &bytes, 100).expect("it opens");
    assert!(pair.carry(1, &bytes, 100).is_err(), "said again");
}

#[test]
fn a_stream_ends_with_its_key() {
    let mut pair = Pair::new(seal(1, &[1]), seal(2, &[2, 1]), 9).expect("both have a key");
    let ring = |keys: &[u8]| {
        let keys = keys.iter().map(|key| (Key::new([*key; 32]), None));
        Some(Keyring::new(2, keys.collect()).expect("a ring"))
    };
    pair.seals[1].set(ring(&[3, 1]), Plaintext::Refuse);
    let words = pair.ends[0].seal(b"words".to_vec().into());
    let (_, heard) = pair.carry(1, &words, 100).expect("the key is still there");
    assert_eq!(heard, b"words");
    for removed in [ring(&[3, 2]), None] {
        pair.seals[1].set(removed, Plaintext::Accept);
        let words = pair.ends[0].seal(b"words".to_vec().into());
        let fault = pair.carry(1, &words, 100).expect_err("it is closed");
        assert_eq!(fault, Fault::Dropped(DropReason::Key));
    }
}

#[test]
fn a_key_is_shown_only_when_asked_and_read_back() {
    let key = Key::new([7; 32]);
    let text = key.reveal();
    assert_eq!(Key::parse(&text), Ok(key.clone()));
    assert!(!format!("{key:?} {:?}", seal(1, &[7])).contains(&text[..8]));
    assert_eq!(key.id().to_string().parse(), Ok(key.id()));
    for wrong in [
        "",
        "AAAA",
        &text[..43],
        &format!("{}!", &text[..43]),
        &format!("{}A", &*text),
    ] {
        assert_eq!(Key::parse(wrong), Err(KeyError::Malformed), "{wrong:?}");
    }
    assert_eq!("0123".parse::<KeyId>(), Err(KeyError::MalformedId));
}

#[test]
fn a_ring_takes_changes_and_refuses_wrong_ones() {
    let key = |number| Key::new([number; 32]);
    let ring = Keyring::new(1, vec![(key(1), None)]).expect("a ring");
    assert_eq!(ring.with(key(1)), Err(KeyError::Known(key(1).id())));
    let two = ring.with(key(2)).expect("another key");
    assert!(two.outranks(&ring) && !ring.outranks(&two));
    assert_eq!(
        two.without(key(1).id(), None),
        Err(KeyError::IsPrimary(key(1).id()))
    );
    assert_eq!(
        two.with_primary(key(3).id()),
        Err(KeyError::Unknown(key(3).id()))
    );
    let used = two.with_primary(key(2).id()).expect("it is there");
    assert_eq!(used.primary(), key(2).id());
    let now = Time::from_nanos(5);
    let retired = used
        .without(key(1).id(), Some(now))
        .expect("it is not the primary");
    assert_eq!(retired.expired(Time::ZERO), None);
    let expired = retired.expired(now).expect("its time is over");
    assert_eq!(expired.infos().count(), 1);
    let mut full = ring;
    for number in 2..=8 {
        full = full.with(key(number)).expect("room for eight");
    }
    assert_eq!(full.with(key(9)), Err(KeyError::TooMany));
    assert_eq!(Keyring::new(1, vec![]), Err(KeyError::Empty));
}

#[test]
fn of_two_rings_the_one_that_was_changed_more_counts_or_the_one_that_has_more() {
    let ring = |generation, keys: &[u8]| {
        let keys = keys.iter().map(|key| (Key::new([*key; 32]), None));
        Keyring::new(generation, keys.collect()).expect("a ring")
    };
    let outranks = |a: (u64, &[u8]), b: (u64, &[u8])| ring(a.0, a.1).outranks(&ring(b.0, b.1));
    assert!(outranks((2, &[1]), (1, &[2, 1])) && !outranks((1, &[2, 1]), (2, &[1])));
    assert!(outranks((1, &[2, 1]), (1, &[1])) && !outranks((1, &[1]), (1, &[2, 1])));
    for (a, b) in [
        (&[1, 2][..], &[2, 1][..]),
        (&[1, 2], &[1, 3]),
        (&[2, 3], &[1]),
    ] {
        assert!(
            !outranks((1, a), (1, b)) && !outranks((1, b), (1, a)),
            "{a:?} {b:?}"
        );
    }
    // Nothing is beyond the last generation, and nobody panics there.
    let last = ring(u64::MAX, &[1]);
    assert_eq!(last.generation(), limits::KEY_CHANGES);
    let next = last.with(Key::new([2; 32])).expect("another key");
    assert_eq!(next.generation(), limits::KEY_CHANGES);
    assert!(next.outranks(&last));
}

proptest! {
    #[test]
    fn a_changed_bit_anywhere_is_noticed(at in 0usize..60, bit in 0u8..8) {
        let mut datagram = sealed(&mut seal(1, &[1]), b"some words to change");
        let at = at % datagram.len();
        datagram[at] ^= 1 << bit;
        prop_assert!(opened(&mut seal(2, &[1]), &datagram, "n1").is_err());
    }

    #[test]
    fn anything_at_all_is_taken_without_a_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..300),
            cut in 1usize..100,
        ) {
        let mut receiver = seal(2, &[1]);
        let _ = opened(&mut receiver, &bytes, "n1");
        let mut framed = vec![VERSION, Key::new([1; 32]).id().number(), 0xff, 0xff, 48, 0];
        framed.extend_from_slice(&bytes);
        for bytes in [bytes, framed] {
            let mut channel = Channel::called();
            for part in bytes.chunks(cut) {
                if channel.take(&mut receiver, part).fault.is_some() {
                    break;
                }
            }
            prop_assert!(channel.held() <= 300);
        }
    }
}

#[test]
fn keys_that_are_told_stay_in_no_buffer_of_either_side() {
    let mut pair = Pair::new(seal(1, &[1]), seal(2, &[1]), 9).expect("both have a key");
    let ring = pair.seals[0].keyring().expect("it has keys").clone();
    let frame: Frame = Frame::Keys {
        cluster: Name::new("prod").expect("a name"),
        generation: 1,
        keys: ring.to_wire(crate::time::Time::ZERO),
    };
    let plain = encode_frame(&frame);
    let (length, mut before) = (plain.len(), zeroed_so_far());
    let bytes = pair.ends[0].seal(plain);
    assert_eq!(zeroed_so_far() - before, length, "what was sealed");
    before = zeroed_so_far();
    let mut reader = FrameReader::default();
    let taken = pair.ends[1].take(&mut pair.seals[1], &bytes);
    reader.push(&taken.plain);
    drop(taken);
    assert!(matches!(reader.next(), Ok(Some(Frame::Keys { .. }))));
    reader.forget();
    assert_eq!(zeroed_so_far() - before, 2 * length, "what was read");
    assert_eq!(reader.held(), 0);
}
