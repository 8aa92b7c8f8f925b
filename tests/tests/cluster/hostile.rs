//! Attackers on the same network. Without the key they read nothing, move nobody, and cost little;
//! with it they can lie, and remove nobody by that.

use std::collections::BTreeSet;
use std::fs;
use std::fs::OpenOptions;
use std::io::Write;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use muster_swim::fuzz::{Liar, Person};
use muster_swim::members::{Incarnation, Name};
use muster_swim::{Instance, Key, Keyring, Lineage, View, limits};
use muster_tests::{Capture, Cluster, Network, Options, inside, raise_file_limit};
use tempfile::TempDir;

use crate::SOON;

/// What a sealed datagram begins with.
const SEALED: u8 = 0x81;

/// Numbers that are the same in each run (a linear congruential generator of Knuth's).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.below(256) as u8).collect()
    }
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("the temporary folder can be written")
}

/// What a member has dropped so far for one of these reasons.
fn dropped(cluster: &Cluster, number: usize, reasons: &[&str]) -> Result<u64, String> {
    let status = cluster.host(number).status()?;
    let counts = &status["stats"]["dropped"];
    let count = |reason: &&str| counts[*reason].as_u64().ok_or("it is counted".to_owned());
    reasons.iter().map(count).sum()
}

fn wait_dropped(cluster: &Cluster, number: usize, reasons: &[&str], least: u64) {
    let what = format!("{least} are dropped as {}", reasons.join(" or "));
    cluster.wait(SOON, &what, |cluster| {
        let count = dropped(cluster, number, reasons)?;
        let done = count >= least;
        done.then_some(()).ok_or_else(|| format!("{count}"))
    });
}

/// Sends datagrams as fast as that for so long; how many were sent.
fn flood(
    socket: &UdpSocket,
    to: SocketAddr,
    per_second: u32,
    span: Duration,
    datagrams: &[Vec<u8>],
) -> u32 {
    let start = Instant::now();
    let mut sent = 0;
    while start.elapsed() < span {
        let due = (start.elapsed().as_secs_f64() * f64::from(per_second)) as u32;
        if sent >= due {
            thread::yield_now();
        }
        while sent < due && start.elapsed() < span {
            let datagram = &datagrams[sent as usize % datagrams.len()];
            // A full queue is the attacker's loss.
            let _ = socket.send_to(datagram, to);
            sent += 1;
        }
    }
    sent
}

#[test]
fn replays_flipped_bits_and_floods_cost_no_member_its_place() {
    const MEMBERS: usize = 5;
    const ATTACKER: usize = 6;
    let folder = folder();
    let mut cluster = Cluster::new(Options::of(ATTACKER));
    let capture = Capture::begin(cluster.network(), 1, folder.path());
    (1..=MEMBERS).for_each(|number| cluster.start(number));
    cluster.wait_all_see_all();
    cluster.wait_all_agree();
    let to = cluster.address(1, false);
    let mut caught = Vec::new();
    cluster.wait(SOON, "enough datagrams are caught", |_| {
        caught = capture.datagrams_to(to.ip());
        let enough = caught.len() >= 60;
        enough
            .then_some(())
            .ok_or_else(|| format!("{}", caught.len()))
    });
    drop(capture);
    assert!(caught.iter().all(|datagram| datagram[0] == SEALED));
    let marks = cluster.marks();
    let mut before = cluster.network().traffic(ATTACKER);
    // Nothing is worth more bytes of answers than it has itself.
    let mut compare = |what: &str, cluster: &Cluster| {
        let after = cluster.network().traffic(ATTACKER);
        let (out, back) = (after.0 - before.0, after.1 - before.1);
        println!("{what}: {out} bytes were sent, {back} came back");
        assert!(back < out, "{back} bytes for {out}: {what}");
        before = after;
    };
    let from = SocketAddr::new(Network::ipv4(ATTACKER, false), 7946);
    let bind = || UdpSocket::bind(from).expect("the port is free");
    let socket = cluster.network().inside(ATTACKER, bind);

    // What was heard is not heard again.
    let known = dropped(&cluster, 1, &["replayed"]).expect("it answers");
    for datagram in &caught {
        socket.send_to(datagram, to).expect("it can be sent");
    }
    wait_dropped(&cluster, 1, &["replayed"], known + caught.len() as u64);

    // Nor by another member, which has not heard it: it was not for that one.
    let known = dropped(&cluster, 2, &["forged"]).expect("it answers");
    for datagram in &caught {
        let other = cluster.address(2, false);
        socket.send_to(datagram, other).expect("it can be sent");
    }
    wait_dropped(&cluster, 2, &["forged"], known + caught.len() as u64);
    let patience = Some(Duration::from_millis(100));
    socket.set_read_timeout(patience).expect("it is not zero");
    assert!(socket.recv(&mut [0; 1500]).is_err(), "nobody answers");

    // Nor is what was changed on its way.
    let reasons = [
        "forged",
        "key",
        "unsealed",
        "malformed",
        "version",
        "replayed",
    ];
    let known = dropped(&cluster, 1, &reasons).expect("it answers");
    let mut numbers = Numbers(1);
    let flips = 10 * caught.len();
    for n in 0..flips {
        let mut flipped = caught[n % caught.len()].clone();
        let bit = numbers.below(8 * flipped.len());
        flipped[bit / 8] ^= 1 << (bit % 8);
        socket.send_to(&flipped, to).expect("it can be sent");
        if n % 100 == 99 {
            wait_dropped(&cluster, 1, &reasons, known + n as u64 + 1);
        }
    }

    compare("replays and flipped bits", &cluster);

    // Floods: of nothing that could be meant, and of what costs most, to be found out as forged.
    let garbage: Vec<Vec<u8>> = (0..64)
        .map(|_| {
            let length = 1 + numbers.below(1200);
            numbers.bytes(length)
        })
        .collect();
    let key = caught[0][1];
    let mut heads: Vec<Vec<u8>> = (0..64).map(|_| numbers.bytes(1200)).collect();
    for head in &mut heads {
        head[..2].copy_from_slice(&[SEALED, key]);
    }
    let host = cluster.host(1);
    for (kind, datagrams) in [("garbage", garbage), ("sealed heads", heads)] {
        let known = dropped(&cluster, 1, &reasons).expect("it answers");
        let (memory, time) = (host.footprint(), host.processor_time());
        let span = Duration::from_secs(4);
        let start = Instant::now();
        let sent = flood(&socket, to, 50_000, span, &datagrams);
        let share = (host.processor_time() - time).as_secs_f64() / start.elapsed().as_secs_f64();
        let count = dropped(&cluster, 1, &reasons).expect("it answers") - known;
        let after = host.footprint();
        println!(
            "{kind}: {:.0} datagrams/s sent, {count} of {sent} looked at, {:.0} % of a core, \
             resident {} KiB before, {} KiB after",
            f64::from(sent) / span.as_secs_f64(),
            100.0 * share,
            memory.resident_kib,
            after.resident_kib,
        );
        let spare = 4096;
        assert!(
            after.resident_kib <= memory.resident_kib + spare,
            "a flood is not remembered"
        );
        assert!(count > 0, "it arrives");
        compare(kind, &cluster);
    }

    // Streams that mean nothing are not worth an answer either.
    for n in 0..100 {
        let bytes = numbers.bytes(200);
        cluster.network().inside(ATTACKER, || {
            let mut stream = TcpStream::connect(to).expect("it listens");
            let begun = if n % 2 == 0 { 0 } else { 4 };
            let _ = stream.write_all(&[1, key, 0xff, 0xff][..begun]);
            let _ = stream.write_all(&bytes);
        });
    }
    compare("streams", &cluster);
    cluster.hold(Duration::from_secs(8), "after the attack", |cluster| {
        for kind in ["member-unreachable", "member-dead", "member-left"] {
            cluster.none_but(&marks, kind, &[])?;
        }
        Ok(())
    });
    cluster.wait(SOON, "all see all", Cluster::all_see_all);
    cluster.wait_all_agree();
}

/// The beginnings of a thousand streams, held open and opened again until this is dropped.
struct Knocking<'a> {
    over: &'a AtomicBool,
}

impl Drop for Knocking<'_> {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

fn knock(to: SocketAddr, over: &AtomicBool) {
    let patience = Duration::from_secs(1);
    let open = |n: usize| {
        let mut stream = TcpStream::connect_timeout(&to, patience).ok()?;
        // Half of them begin a handshake.
        let _ = stream.write_all(if n.is_multiple_of(2) {
            b""
        } else {
            b"\x01\x00\xff\xff\x00"
        });
        stream.set_nonblocking(true).ok()?;
        Some(stream)
    };
    let is_open = |stream: &TcpStream| match stream.peek(&mut [0]) {
        Ok(_) => false,
        Err(error) => error.kind() == std::io::ErrorKind::WouldBlock,
    };
    let mut streams: Vec<TcpStream> = Vec::new();
    while !over.load(Ordering::Relaxed) {
        streams.retain(is_open);
        let missing = 1000 - streams.len();
        streams.extend((0..missing.min(100)).filter_map(open));
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_thousand_half_open_streams_keep_no_newcomer_out() {
    const ATTACKER: usize = 6;
    /// At any time: strangers, streams that linger (sidecar/src/agent/streams.rs), and its own.
    const MOST: usize = limits::STRANGERS + 256 + 64;
    raise_file_limit();
    let mut cluster = Cluster::new(Options {
        expect: Some(3),
        ..Options::of(ATTACKER)
    });
    (1..=3).for_each(|number| cluster.start(number));
    cluster.wait_all_see_all();
    let seed = cluster.address(1, false);
    let join = |cluster: &mut Cluster, number: usize| {
        let start = Instant::now();
        cluster.start_with(number, &format!("n{number}"), false, &[seed.to_string()]);
        cluster.wait(SOON, "it is a member to all", |cluster| {
            cluster.all_see_all()?;
            cluster.all_agree().map(|_| ())
        });
        start.elapsed()
    };
    let usual = join(&mut cluster, 4);
    let before = cluster.host(1).footprint();
    let over = AtomicBool::new(false);
    let attacker = cluster.network().namespace(ATTACKER).to_owned();
    thread::scope(|scope| {
        let _knocking = Knocking { over: &over };
        scope.spawn(|| inside(&attacker, || knock(seed, &over)));
        cluster.wait(SOON, "strangers have all the places", |cluster| {
            let open = cluster.host(1).footprint().descriptors;
            let full = open >= before.descriptors + 400;
            full.then_some(())
                .ok_or_else(|| format!("{open} descriptors"))
        });
        let during = join(&mut cluster, 5);
        // As many as may be strangers, its own, and those that are being closed, of which there are
        // more or fewer from moment to moment.
        cluster.wait(SOON, "no more are kept than may be strangers", |cluster| {
            let open = cluster.host(1).footprint().descriptors;
            assert!(open <= before.descriptors + MOST, "{open} descriptors");
            let few = open <= before.descriptors + 600;
            few.then_some(())
                .ok_or_else(|| format!("{open} descriptors"))
        });
        let open = cluster.host(1).footprint();
        println!("a member joins in {usual:?}, beside a thousand streams in {during:?}");
        println!("{before:?}, then {open:?}");
        assert!(
            open.resident_kib <= before.resident_kib + 16 * 1024,
            "{open:?}"
        );
    });
    cluster.wait(SOON, "they are all closed", |cluster| {
        let open = cluster.host(1).footprint().descriptors;
        let few = open <= before.descriptors + 16;
        few.then_some(())
            .ok_or_else(|| format!("{open} descriptors"))
    });
}

/// How often these bytes stand in those.
fn count(bytes: &[u8], word: &str) -> usize {
    let windows = bytes.windows(word.len());
    windows.filter(|window| *window == word.as_bytes()).count()
}

/// What can be read on the cable of a member, of three with long names, while they form a cluster
/// and one leaves.
fn overheard(folder: &Path, arguments: &[&str]) -> Vec<u8> {
    let common = [
        "--cluster",
        "confidential-cluster",
        "--tag",
        "confidential-key=confidential-value",
    ];
    let arguments = [&common, arguments].concat();
    let mut cluster = Cluster::new(Options::of(3).with(&arguments));
    let capture = Capture::begin(cluster.network(), 1, folder);
    let seeds = cluster.seeds(false);
    for number in 1..=3 {
        cluster.start_with(number, &format!("confidential-{number}"), false, &seeds);
    }
    let names: BTreeSet<String> = (1..=3).map(|n| format!("confidential-{n}")).collect();
    let see = |expected: &BTreeSet<String>, cluster: &Cluster| {
        cluster.running().try_for_each(|host| {
            let view = host.view()?;
            let alive = view.members.iter().filter(|member| member.state == "alive");
            let seen: BTreeSet<String> = alive.map(|member| member.name.clone()).collect();
            let same = seen == *expected;
            same.then_some(()).ok_or_else(|| format!("{seen:?}"))
        })
    };
    cluster.wait(SOON, "they see each other", |cluster| see(&names, cluster));
    cluster.host(3).terminate();
    let _ = cluster.host_mut(3).wait_exit(SOON);
    let rest: BTreeSet<String> = names.into_iter().take(2).collect();
    cluster.wait(SOON, "one has left", |cluster| see(&rest, cluster));
    capture.end()
}

#[test]
fn nothing_of_a_sealed_cluster_can_be_read_on_its_cables() {
    let (sealed, plain) = (folder(), folder());
    let bytes = overheard(sealed.path(), &[]);
    assert!(bytes.len() > 4000, "{} bytes were caught", bytes.len());
    assert_eq!(count(&bytes, "confidential"), 0);
    // The same words are found where they are not sealed.
    let bytes = overheard(plain.path(), &["--plaintext", "send"]);
    for word in [
        "confidential-1",
        "confidential-3",
        "confidential-key",
        "confidential-value",
        "confidential-cluster",
    ] {
        assert!(count(&bytes, word) > 0, "{word}");
    }
}

#[test]
fn another_key_and_another_cluster_of_the_same_key_stay_outside() {
    let mut cluster = Cluster::new(Options {
        expect: Some(3),
        ..Options::of(5)
    });
    (1..=3).for_each(|number| cluster.start(number));
    cluster.wait_all_see_all();
    let folder = folder();
    let other = folder.path().join("keys");
    let mut options = OpenOptions::new();
    let file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&other);
    let mut file = file.expect("the temporary folder can be written");
    writeln!(file, "{}A=", "B".repeat(42)).expect("the key file can be written");
    let other = other.display().to_string();
    let common = cluster.key_file(1);
    for (number, key, of) in [(4, &other, "muster"), (5, &common, "another")] {
        let bind = cluster.address(number, false).to_string();
        let seed = cluster.address(1, false).to_string();
        let name = format!("n{number}");
        let arguments = [
            "--name",
            &name,
            "--cluster",
            of,
            "--bind",
            &bind,
            "--join",
            &seed,
            "--key-file",
            key,
            "--expect",
            "1",
        ];
        let arguments: Vec<String> = arguments.map(str::to_owned).to_vec();
        cluster.host_mut(number).start(&arguments);
    }
    for number in [4, 5] {
        cluster.wait(SOON, "it says why it does not join", |cluster| {
            let status = cluster.host(number).status()?;
            let error = status["seeds"][0]["last_error"]
                .as_str()
                .unwrap_or_default();
            let told = error.contains("key") || error.contains("cluster");
            told.then_some(()).ok_or_else(|| status.to_string())
        });
    }
    cluster.hold(Duration::from_secs(5), "nobody came in", |cluster| {
        for number in 1..=3 {
            let view = cluster.host(number).view()?;
            let names: Vec<&str> = view.members.iter().map(|one| one.name.as_str()).collect();
            if names != ["n1", "n2", "n3"] {
                return Err(format!("n{number} sees {names:?}"));
            }
        }
        Ok(())
    });
}

/// A life of a member, as everybody with the key knows it.
fn person(cluster: &Cluster, number: usize) -> Result<Person, String> {
    let host = cluster.host(number);
    let status = host.status()?;
    let field = |name: &str| status[name].as_u64().ok_or(format!("no {name}"));
    Ok(Person {
        name: Name::new(host.name()).expect("a member has it"),
        instance: Instance(field("instance")?),
        incarnation: Incarnation(u32::try_from(field("incarnation")?).unwrap_or(u32::MAX)),
    })
}

/// The history that all are in, and its last view.
fn history(cluster: &Cluster) -> Result<(Lineage, View), String> {
    let status = cluster.host(1).status()?;
    let word = status["lineage"].as_str().ok_or("no lineage")?;
    let number = |digits: Option<&str>| {
        let digits = digits.ok_or("a short lineage")?;
        u64::from_str_radix(digits, 16).map_err(|error| error.to_string())
    };
    let generation = number(word.get(16..))?;
    let lineage = Lineage {
        family: number(word.get(..16))?,
        generation: u32::try_from(generation).map_err(|error| error.to_string())?,
    };
    let view = status["view"].as_u64().ok_or("no view")?;
    Ok((lineage, View(view)))
}

/// Somebody on another host has the key, and says in the name of a member, and in that of whom it
/// is about, all that can be said against one after the other: suspicions, goodbyes, reports,
/// testimonies, and views that remove it.
#[test]
fn whoever_has_the_key_and_lies_removes_nobody() {
    let mut cluster = Cluster::new(Options {
        expect: Some(5),
        ..Options::of(6)
    });
    (1..=5).for_each(|number| cluster.start(number));
    cluster.wait_all_see_all();
    cluster.wait_voters(3);
    let text = fs::read_to_string(cluster.key_file(1)).expect("the key file can be read");
    let key = text.lines().next().expect("it has a key").trim();
    let key = Key::parse(key).expect("it is one");
    let keys = Keyring::new(0, vec![(key, None)]).expect("one is enough");
    let cluster_name = Name::new("muster").expect("it is the default");
    let mut liar = Liar::new(cluster_name, keys, [7; 32]);
    let marks = cluster.marks();
    let before = cluster.wait_all_agree();
    let socket = cluster
        .network()
        .inside(6, || UdpSocket::bind(("0.0.0.0", 0)))
        .expect("an address is free");
    let start = Instant::now();
    let mut said = 0;
    while start.elapsed() < Duration::from_secs(10) {
        let history = history(&cluster).expect("the first member answers");
        for victim in 1..=5 {
            let by = person(&cluster, victim % 5 + 1).expect("it answers");
            let about = person(&cluster, victim).expect("it answers");
            for to in 1..=5 {
                let name = Name::new(cluster.host(to).name()).expect("a member has it");
                for word in liar.slander(&name, (&by, &about), history) {
                    let to = cluster.address(to, false);
                    socket.send_to(&word, to).expect("the host can be reached");
                    said += 1;
                }
            }
        }
    }
    assert!(said > 1000, "only {said} lies were told");
    for number in 1..=5 {
        // Views that no voter signed.
        wait_dropped(&cluster, number, &["forged"], 10);
    }
    cluster.wait(SOON, "all see all again", |cluster| cluster.all_see_all());
    for kind in ["member-dead", "member-left", "self-removed"] {
        if let Err(line) = cluster.none_but(&marks, kind, &[]) {
            cluster.fail(&line);
        }
    }
    // Some may have been looked into, and found degraded for a moment.
    assert_eq!(cluster.wait_all_agree().up, before.up);
    cluster.one_history();
    println!("{said} lies in {:?}", start.elapsed());
}
