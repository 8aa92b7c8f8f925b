//! Golden vectors: the bytes of every message, kept as files. A change here is a change of
//! protocol.

use std::fmt::Write;
use std::path::PathBuf;

use super::*;
use crate::coordinator::VoterId;
use crate::members::{NameHash, Status};
use crate::time::Time;
use crate::wire::sealing::{HeldKeys, Key, Keyring, Plaintext};
use crate::wire::{Entry, Refusal, RelayTarget};

/// A message and the file that holds its bytes.
struct Vector {
    file: String,
    about: String,
    bytes: Vec<u8>,
}

/// All of them. The chains below make sure that every kind has one.
fn vectors() -> Vec<Vector> {
    let mut vectors = Vec::new();
    for message in chain(
        Message::Ping {
            seq: 1,
            target: Instance(0),
        },
        message_after,
    ) {
        let (file, messages) = message_samples(&message);
        for (suffix, message) in messages {
            vectors.push(Vector {
                file: format!("datagram-{file}{suffix}"),
                about: format!("a datagram: {message:?}"),
                bytes: datagram(&HEADER(), &message, &[]),
            });
        }
    }
    for update in updates() {
        let bytes = datagram(&HEADER(), &Message::Gossip, std::slice::from_ref(&update));
        let about = format!("a datagram that carries {update:?}");
        vectors.push(Vector {
            file: format!("update-{}", update_file(&update)),
            about,
            bytes,
        });
    }
    let all = updates();
    let bytes = datagram(&HEADER(), &Message::Ack { seq: 300 }, &all);
    let about = "an ack that carries every kind of update".to_owned();
    vectors.push(Vector {
        file: "datagram-ack-with-updates".to_owned(),
        about,
        bytes,
    });
    for frame in chain(
        Frame::Ack {
            seq: 300,
            digest: 0x0123_4567_89ab_cdef,
            outlook: samples::outlook(),
        },
        frame_after,
    ) {
        for (file, frame) in frame_samples(&frame) {
            let bytes = encode_frame(&frame).into_plain();
            let about = format!("a frame: {frame:?}");
            vectors.push(Vector {
                file: format!("frame-{file}"),
                about,
                bytes,
            });
        }
    }
    vectors
}

pub(super) fn chain<T>(first: T, after: impl Fn(&T) -> Option<T>) -> Vec<T> {
    let mut all = vec![first];
    while let Some(next) = after(all.last().expect("it begins with one")) {
        all.push(next);
    }
    all
}

/// Every kind of message once. A new one does not compile before it stands in this chain.
fn message_after(message: &Message) -> Option<Message> {
    let target = RelayTarget {
        patience_ms: 550,
        addr: address("192.0.2.7:7946"),
        instance: Instance(1_767_225_600_000_007),
        name: NameHash::of("n7"),
    };
    match message {
        Message::Ping { .. } => Some(Message::Ack { seq: 0 }),
        Message::Ack { .. } => Some(Message::Nack { seq: 0 }),
        Message::Nack { .. } => Some(Message::PingRequest { seq: 0, target }),
        Message::PingRequest { .. } => Some(Message::Gossip),
        Message::Gossip => Some(Message::Wrong { seq: 0 }),
        Message::Wrong { .. } => Some(Message::Errand(samples::first_errand())),
        Message::Errand(errand) => {
            let errand = samples::errand_after(errand).map(Message::Errand);
            errand.or(Some(Message::Beat {
                seq: 0,
                target: Instance(0),
                ring: 0,
            }))
        }
        Message::Beat { .. } => Some(Message::BeatAck { seq: 0, next_ms: 0 }),
        Message::BeatAck { .. } => None,
    }
}

fn message_samples(message: &Message) -> (&'static str, Vec<(String, Message)>) {
    let seq = 70_000;
    let plain = |message| vec![(String::new(), message)];
    match message {
        Message::Ping { .. } => {
            let target = Instance(1_767_225_600_000_002);
            ("ping", plain(Message::Ping { seq, target }))
        }
        Message::Ack { .. } => ("ack", plain(Message::Ack { seq })),
        Message::Nack { .. } => ("nack", plain(Message::Nack { seq })),
        Message::PingRequest { target, .. } => {
            let over_ipv6 = RelayTarget {
                addr: address("[2001:db8::7]:7946"),
                ..*target
            };
            let ipv4 = Message::PingRequest {
                seq,
                target: *target,
            };
            let ipv6 = Message::PingRequest {
                seq,
                target: over_ipv6,
            };
            let both = [("-ipv4", ipv4), ("-ipv6", ipv6)];
            let both = both.map(|(suffix, message)| (suffix.to_owned(), message));
            ("ping-request", both.to_vec())
        }
        Message::Gossip => ("gossip", plain(Message::Gossip)),
        Message::Wrong { .. } => ("wrong", plain(Message::Wrong { seq })),
        Message::Errand(errand) => {
            let (file, errands) = samples::errand_samples(errand);
            let errands = errands.into_iter();
            let messages = errands.map(|(suffix, errand)| (suffix, Message::Errand(errand)));
            (file, messages.collect())
        }
        Message::Beat { .. } => {
            let target = Instance(1_767_225_600_000_002);
            let ring = 2;
            ("beat", plain(Message::Beat { seq, target, ring }))
        }
        Message::BeatAck { .. } => {
            let next_ms = 4_400;
            ("beat-ack", plain(Message::BeatAck { seq, next_ms }))
        }
    }
}

fn record_ipv4() -> Record {
    Record {
        name: name("n2"),
        addr: address("192.0.2.2:7946"),
        instance: Instance(1_767_225_600_000_002),
        incarnation: Incarnation(3),
        tags: Tags::default(),
        voter: VoterId::NEVER,
        returns: 0,
        apps: Apps::default(),
    }
}

fn record_ipv6() -> Record {
    Record {
        name: name("knoten-\u{e4}"),
        addr: address("[2001:db8::2]:7946"),
        instance: Instance(1_767_225_600_000_003),
        incarnation: Incarnation(200),
        tags: Tags::new([("zone", "b"), ("role", "db")]).expect("two valid tags"),
        voter: VoterId(0x0123_4567_89ab_cdef),
        returns: 300,
        apps: some_apps(2),
    }
}

fn claim(status: Status) -> Update {
    Update::Claim {
        name: name("n3"),
        instance: Instance(1_767_225_600_000_003),
        incarnation: Incarnation(0),
        status,
        by: name("n4"),
        refused: match status {
            Status::Suspect => vec![name("n4"), name("n5")],
            Status::Unreachable => vec![name("n5")],
            Status::Alive | Status::Left => Vec::new(),
        },
    }
}

/// Every status once. A new one does not compile before it stands in this chain.
fn status_after(status: &Status) -> Option<Status> {
    match status {
        Status::Alive => Some(Status::Suspect),
        Status::Suspect => Some(Status::Unreachable),
        Status::Unreachable => Some(Status::Left),
        Status::Left => None,
    }
}

fn updates() -> Vec<Update> {
    let mut updates = vec![Update::Record(record_ipv4()), Update::Record(record_ipv6())];
    updates.extend(chain(Status::Alive, status_after).into_iter().map(claim));
    updates
}

/// A new kind of update does not compile before it has a file.
fn update_file(update: &Update) -> String {
    match update {
        Update::Record(record) if record.addr.is_ipv4() => "record-ipv4".to_owned(),
        Update::Record(_) => "record-ipv6-with-tags".to_owned(),
        Update::Claim { status, .. } => format!("claim-{status:?}").to_lowercase(),
    }
}

/// Every kind of frame once. A new one does not compile before it stands in this chain.
fn frame_after(frame: &Frame) -> Option<Frame> {
    let (cluster, target) = (name("muster"), Instance(1_767_225_600_000_002));
    match frame {
        Frame::Ack { .. } => Some(Frame::Ping {
            cluster,
            target,
            seq: 70_000,
        }),
        Frame::Ping { .. } => Some(Frame::Pull {
            cluster,
            record: record_ipv4(),
            buckets: vec![u64::MAX],
        }),
        Frame::Pull { .. } => Some(Frame::State {
            from: name("n1"),
            buckets: Vec::new(),
            members: Vec::new(),
            last: true,
        }),
        Frame::State { .. } => Some(Frame::Refuse(Refusal::Cluster)),
        Frame::Refuse(_) => Some(samples::catch()),
        Frame::Catch { .. } => Some(samples::cuts_frame()),
        Frame::Cuts { .. } => Some(samples::roster()),
        Frame::Roster { .. } => Some(samples::letter()),
        Frame::Letter { .. } => Some(Frame::Link {
            cluster,
            from: name("n1"),
            instance: Instance(1_767_225_600_000_001),
            target,
        }),
        Frame::Link { .. } => Some(Frame::Linked),
        Frame::Linked => Some(Frame::Unlink),
        Frame::Unlink => Some(keys_frame()),
        Frame::Keys { .. } => Some(Frame::KeysHeld(HeldKeys {
            generation: 3,
            ids: vec![Key::new([7; 32]).id()],
            plaintext: Plaintext::Accept,
        })),
        Frame::KeysHeld(_) => None,
    }
}

fn refusal_after(refusal: &Refusal) -> Option<Refusal> {
    match refusal {
        Refusal::Cluster => Some(Refusal::Full),
        Refusal::Full => Some(Refusal::Instance),
        Refusal::Instance => None,
    }
}

fn frame_samples(frame: &Frame) -> Vec<(String, Frame)> {
    match frame {
        Frame::Ack { .. } => vec![("ack".to_owned(), frame.clone())],
        Frame::Ping { .. } => vec![("ping".to_owned(), frame.clone())],
        Frame::Pull { cluster, .. } => {
            let (cluster, record) = (cluster.clone(), record_ipv6());
            let buckets = vec![0, 1, 0x0123_4567_89ab_cdef, u64::MAX];
            let ipv6 = Frame::Pull {
                cluster,
                record,
                buckets,
            };
            vec![
                ("pull-ipv4".to_owned(), frame.clone()),
                ("pull-ipv6".to_owned(), ipv6),
            ]
        }
        Frame::State { from, .. } => {
            let statuses = chain(Status::Alive, status_after).into_iter();
            let members = statuses.zip([record_ipv4, record_ipv6].into_iter().cycle());
            let members = members.map(|(status, record)| Entry {
                lost_for_s: if status == Status::Unreachable {
                    700
                } else {
                    0
                },
                ..entry(record(), status)
            });
            let (from, members) = (from.clone(), members.collect());
            let full = Frame::State {
                from,
                buckets: vec![5, 0],
                members,
                last: false,
            };
            vec![
                ("state-empty".to_owned(), frame.clone()),
                ("state".to_owned(), full),
            ]
        }
        Frame::Refuse(_) => chain(Refusal::Cluster, refusal_after)
            .into_iter()
            .map(|why| (format!("refuse-{why:?}").to_lowercase(), Frame::Refuse(why)))
            .collect(),
        Frame::Link { .. } => vec![("link".to_owned(), frame.clone())],
        Frame::Linked => vec![("linked".to_owned(), frame.clone())],
        Frame::Unlink => vec![("unlink".to_owned(), frame.clone())],
        Frame::Keys { .. } => vec![("keys".to_owned(), frame.clone())],
        Frame::KeysHeld(_) => vec![("keys-held".to_owned(), frame.clone())],
        Frame::Catch { .. } | Frame::Cuts { .. } | Frame::Roster { .. } | Frame::Letter { .. } => {
            samples::frame_samples(frame)
        }
    }
}

#[test]
fn every_message_has_the_bytes_of_its_file() {
    for Vector { file, about, bytes } in vectors() {
        let path = folder().join(format!("{file}.hex"));
        if blessing() {
            let text = as_text(&about, &bytes);
            std::fs::write(&path, &text).expect("the golden folder can be written");
        }
        assert_eq!(
            kept(&file),
            bytes,
            "{file}: MUSTER_BLESS=1 accepts the new bytes"
        );
    }
}

#[test]
fn no_file_is_without_its_message() {
    let files = std::fs::read_dir(folder()).expect("the golden folder is there");
    let mut kept: Vec<String> = files
        .map(|entry| entry.expect("the golden folder can be read").file_name())
        .map(|file| file.to_string_lossy().into_owned())
        .collect();
    let mut made: Vec<String> = vectors()
        .into_iter()
        .map(|vector| format!("{}.hex", vector.file))
        .collect();
    kept.sort();
    made.sort();
    assert_eq!(kept, made);
}

/// From the files, so that a peer which wrote them is understood.
#[test]
fn every_file_is_understood() {
    for message in chain(
        Message::Ping {
            seq: 1,
            target: Instance(0),
        },
        message_after,
    ) {
        let (file, messages) = message_samples(&message);
        for (suffix, message) in messages {
            let bytes = kept(&format!("datagram-{file}{suffix}"));
            let decoded = decode(&bytes, cluster()).expect("a golden datagram");
            assert_eq!((decoded.header, decoded.message), (HEADER(), message));
            assert!(decoded.updates.is_empty());
        }
    }
    for update in updates() {
        let bytes = kept(&format!("update-{}", update_file(&update)));
        let decoded = decode(&bytes, cluster()).expect("a golden datagram");
        assert_eq!(updates_of(&decoded), [update]);
    }
    let bytes = kept("datagram-ack-with-updates");
    let decoded = decode(&bytes, cluster()).expect("a golden datagram");
    assert_eq!(updates_of(&decoded), updates());
    for frame in chain(
        Frame::Ack {
            seq: 300,
            digest: 0x0123_4567_89ab_cdef,
            outlook: samples::outlook(),
        },
        frame_after,
    ) {
        for (file, frame) in frame_samples(&frame) {
            assert_eq!(frames(&kept(&format!("frame-{file}"))), (vec![frame], None));
        }
    }
}

/// The bytes of all vectors, for those who damage them.
pub(super) fn all() -> Vec<(String, Vec<u8>)> {
    vectors()
        .into_iter()
        .map(|vector| (vector.file, vector.bytes))
        .collect()
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/wire")
}

#[expect(
    clippy::disallowed_methods,
    reason = "a switch of the test, not of the core"
)]
fn blessing() -> bool {
    std::env::var_os("MUSTER_BLESS").is_some()
}

/// Lines that say what it is, then rows of sixteen bytes.
fn as_text(about: &str, bytes: &[u8]) -> String {
    let mut text = String::from("#");
    let mut column = 1;
    for word in about.split(' ') {
        if column + 1 + word.len() > 100 {
            text.push_str("\n#");
            column = 1;
        }
        write!(text, " {word}").expect("a string takes any text");
        column += 1 + word.len();
    }
    text.push('\n');
    for row in bytes.chunks(16) {
        let row: Vec<String> = row.iter().map(|byte| format!("{byte:02x}")).collect();
        writeln!(text, "{}", row.join(" ")).expect("a string takes any text");
    }
    text
}

fn kept(file: &str) -> Vec<u8> {
    let path = folder().join(format!("{file}.hex"));
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; MUSTER_BLESS=1 writes it", path.display()));
    let rows = text.lines().filter(|line| !line.starts_with('#'));
    rows.flat_map(str::split_whitespace)
        .map(|byte| u8::from_str_radix(byte, 16).expect("two hexadecimal digits"))
        .collect()
}

/// Three keys, of which one is forgotten in an hour and one is new.
fn keys_frame() -> Frame {
    let later = Time::from_nanos(3_600_000_000_000);
    let keys = [(7, None), (8, Some(later)), (9, None)];
    let keys = keys.map(|(number, until)| (Key::new([number; 32]), until));
    let ring = Keyring::new(3, keys.to_vec()).expect("a ring");
    let ring = ring.with_new(&[Key::new([9; 32]).id()]);
    Frame::Keys {
        cluster: name("prod"),
        generation: ring.generation(),
        keys: ring.to_wire(Time::ZERO),
    }
}
