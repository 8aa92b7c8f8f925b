use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use muster_swim::{Memory, Name, SaveTicket, VoterKey, Write};
use smol::channel::{Receiver, bounded};
use tempfile::TempDir;

use super::image::{self, FORMAT, Header, Unreadable};
use super::{MemoryError, Store, Writer};
use crate::agent::input::Input;

fn name(text: &str) -> Name {
    Name::new(text).expect("a valid name")
}

fn open(dir: &Path) -> Result<(Store, Memory), MemoryError> {
    Store::open(dir, &name("prod"), &name("n1"))
}

fn opened(dir: &Path) -> (Store, Memory) {
    open(dir).unwrap_or_else(|error| panic!("{error}"))
}

fn write(key: &str, value: Option<&str>) -> Write {
    Write {
        key: key.into(),
        value: value.map(Into::into),
    }
}

fn rows(memory: &Memory) -> Vec<(&str, &str)> {
    let text = |bytes| std::str::from_utf8(bytes).expect("text was saved");
    let rows = memory.stored.iter();
    rows.map(|(key, value)| (text(key), text(value))).collect()
}

/// A folder, and the data directory that is to be in it.
fn place() -> (TempDir, PathBuf) {
    let folder = TempDir::new().expect("a temporary folder");
    let dir = folder.path().join("of/n1");
    (folder, dir)
}

/// A store with a few rows that nobody has open, and its file.
fn some_store() -> (TempDir, PathBuf, PathBuf) {
    let (folder, dir) = place();
    let (store, _) = opened(&dir);
    for number in 0..20 {
        let write = write(&format!("key {number:02}"), Some(&"x".repeat(3000)));
        store.save([write].iter()).expect("room for it");
    }
    drop(store);
    let file = dir.join("voter.redb");
    (folder, dir, file)
}

fn refused(dir: &Path) -> String {
    let error = open(dir).map(|_| ()).expect_err("it must be refused");
    error.to_string().replace(&*dir.to_string_lossy(), "DIR")
}

#[test]
fn a_new_directory_is_made_closed_to_others_and_remembers_what_is_saved() {
    let (_folder, dir) = place();
    let (store, memory) = opened(&dir);
    assert!(memory.durable && memory.stored.is_empty());
    assert!(memory.key.is_some());
    let mode = fs::metadata(&dir)
        .expect("it is there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
    let first = [
        write("b", Some("1")),
        write("a", Some("2")),
        write("c", Some("3")),
    ];
    store.save(first.iter()).expect("room for it");
    let second = [write("c", None), write("b", Some("4")), write("d", None)];
    store.save(second.iter()).expect("room for it");
    drop(store);
    let (_store, again) = opened(&dir);
    assert_eq!(again.id(), memory.id());
    assert_eq!(rows(&again), [("a", "2"), ("b", "4")]);
}

#[test]
fn two_directories_have_two_ids() {
    let ((_a, one), (_b, other)) = (place(), place());
    assert_ne!(opened(&one).1.id(), opened(&other).1.id());
}

#[test]
fn what_was_saved_is_there_after_an_end_without_a_word() {
    let (_folder, dir, file) = some_store();
    let (store, _) = opened(&dir);
    store
        .save([write("last", Some("1"))].iter())
        .expect("room for it");
    // What `kill -9` leaves: the file as it is while the store is open.
    let bytes = fs::read(&file).expect("the file is there");
    drop(store);
    fs::write(&file, bytes).expect("written");
    assert_eq!(rows(&opened(&dir).1).len(), 21);
}

#[test]
fn the_directory_of_another_is_refused_and_left_alone() {
    let (_folder, dir, file) = some_store();
    let before = fs::read(&file).expect("the file is there");
    for (cluster, member, expected) in [
        (
            "test",
            "n1",
            "that of cluster \"prod\", and this is cluster \"test\": correct --cluster",
        ),
        (
            "prod",
            "n2",
            "that of member \"n1\", and this is member \"n2\": correct --name",
        ),
    ] {
        let error = Store::open(&dir, &name(cluster), &name(member)).map(|_| ());
        let text = error.expect_err("of another").to_string();
        assert!(text.contains(expected), "{text}");
        assert!(text.contains("--data-dir"), "{text}");
    }
    assert_eq!(fs::read(&file).expect("still there"), before);
}

#[test]
fn two_agents_never_have_one_directory() {
    let (_folder, dir) = place();
    let (store, memory) = opened(&dir);
    let pid = std::process::id();
    let text = refused(&dir);
    let expected = format!("DIR is in use by another agent (process {pid})");
    assert!(text.contains(&expected), "{text}");
    drop(store);
    assert_eq!(opened(&dir).1.id(), memory.id());
}

#[test]
fn what_is_no_directory_is_refused() {
    let (folder, _) = place();
    let file = folder.path().join("file");
    fs::write(&file, "x").expect("written");
    let expected = "the data directory DIR is not a directory: name another one with --data-dir";
    assert_eq!(refused(&file), expected);
    assert_eq!(refused(&file.join("below")), expected);
}

#[test]
fn files_that_were_cut_off_or_never_were_stores_are_refused_and_left_as_they_are() {
    let (_folder, dir, file) = some_store();
    let whole = fs::read(&file).expect("the file is there");
    let lengths = [0, 1, 9, 10, 64, 319, 320, 4095, 4096, 4097, 8192, 12_288];
    let more = [
        whole.len() / 2,
        whole.len() - 4096,
        whole.len() - 1,
        whole.len() + 1,
    ];
    let mut cases: Vec<Vec<u8>> = lengths
        .into_iter()
        .chain(more)
        .map(|length| {
            let mut bytes = whole.clone();
            bytes.resize(length, 0xa5);
            bytes
        })
        .collect();
    cases.push(b"not a store at all\n".repeat(1000));
    cases.push(vec![0; whole.len()]);
    for bytes in cases {
        fs::write(&file, &bytes).expect("written");
        let text = refused(&dir);
        assert!(text.starts_with("DIR/voter.redb is damaged ("), "{text}");
        assert!(
            text.contains("move the file away and start again"),
            "{text}"
        );
        assert!(
            fs::read(&file).expect("still there") == bytes,
            "it was changed"
        );
    }
}

/// Where the file says which of its two commits is the last: alone in having no second witness.
const GOD_BYTE: usize = 9;

#[test]
fn no_flipped_bit_goes_unnoticed_or_panics() {
    let (_folder, _, file) = some_store();
    let whole = fs::read(&file).expect("the file is there");
    let contents = image::read(whole.clone()).expect("it is whole");
    let used: Vec<usize> = (0..whole.len()).filter(|at| whole[*at] != 0).collect();
    // Every byte that frames the rest, and some of all others that hold anything.
    let head = (0..64).chain((64..320).step_by(3));
    let others = used.iter().copied().filter(|at| *at >= 320).step_by(1999);
    let mut noticed = 0;
    for at in head.chain(others).filter(|at| *at != GOD_BYTE) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        match image::read(bytes) {
            Ok(found) => assert_eq!(found, contents, "byte {at}"),
            Err(Unreadable::Damaged(_)) => noticed += 1,
            Err(Unreadable::Newer(format) | Unreadable::Older(format)) => {
                panic!("byte {at}: format {format}")
            }
        }
    }
    assert!(noticed > 100, "only {noticed} were noticed");
    for bit in 0..8 {
        let mut bytes = whole.clone();
        bytes[GOD_BYTE] ^= 1 << bit;
        drop(image::read(bytes));
    }
}

#[test]
fn random_damage_is_reported_and_never_a_panic() {
    let (_folder, _, file) = some_store();
    let whole = fs::read(&file).expect("the file is there");
    let contents = image::read(whole.clone()).expect("it is whole");
    // Any sequence will do, as long as it is the same each time.
    let mut state = 7_u64;
    let mut draw = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as usize % below
    };
    for _ in 0..150 {
        let mut bytes = whole.clone();
        let (at, length) = (4096 + draw(whole.len() - 4096), 1 + draw(5000));
        let end = (at + length).min(whole.len());
        bytes[at..end]
            .iter_mut()
            .for_each(|byte| *byte = draw(256) as u8);
        match image::read(bytes) {
            Ok(found) => assert_eq!(found, contents, "{length} bytes at {at}"),
            Err(Unreadable::Damaged(_)) => {}
            Err(Unreadable::Newer(format) | Unreadable::Older(format)) => {
                panic!("format {format}")
            }
        }
    }
}

#[test]
fn another_format_is_refused_by_its_number() {
    let file_of = |format| {
        let (folder, dir, file) = some_store();
        let header = Header {
            format,
            cluster: "prod".to_owned(),
            member: "n1".to_owned(),
            key: VoterKey::from_seed(&[5; 32]),
        };
        fs::write(&file, image::fresh(&header).expect("made in memory")).expect("written");
        (folder, refused(&dir))
    };
    let (_folder, later) = file_of(FORMAT + 1);
    let expected = "DIR/voter.redb has format 3, and this version of Muster knows formats up to 2";
    assert!(later.starts_with(expected), "{later}");
    let (_folder, earlier) = file_of(FORMAT - 1);
    let expected = "DIR/voter.redb has format 1, of voters that could not sign, and its agents";
    assert!(earlier.starts_with(expected), "{earlier}");
}

#[test]
fn a_new_store_is_small_and_grows_past_one_region() {
    let (_folder, dir) = place();
    let (store, _) = opened(&dir);
    let file = dir.join("voter.redb");
    let length = || fs::metadata(&file).expect("it is there").len();
    assert!(length() <= 256 * 1024, "{} bytes", length());
    let value = "x".repeat(6 << 20);
    for number in 0..12 {
        let write = write(&format!("key {number:02}"), Some(&value));
        store.save([write].iter()).expect("room for it");
    }
    assert!(length() > 72 << 20, "it has a second region");
    drop(store);
    let (store, memory) = opened(&dir);
    assert_eq!(rows(&memory).len(), 12);
    assert!(rows(&memory).iter().all(|(_, found)| *found == value));
    drop(store);
}

#[test]
fn a_store_with_the_large_regions_of_earlier_versions_is_used_on() {
    let (_folder, dir, file) = some_store();
    fs::remove_file(&file).expect("removed");
    let header = Header {
        format: FORMAT,
        cluster: "prod".to_owned(),
        member: "n1".to_owned(),
        key: VoterKey::from_seed(&[5; 32]),
    };
    let database = image::builder().create(&file).expect("made by redb alone");
    image::write_header(&database, &header).expect("written");
    drop(database);
    let (store, memory) = opened(&dir);
    let id = VoterKey::from_seed(&[5; 32]).id();
    assert_eq!((memory.id(), memory.stored.len()), (id, 0));
    let write = write("key", Some("value"));
    store.save([write].iter()).expect("room for it");
    drop(store);
    assert_eq!(rows(&opened(&dir).1), [("key", "value")]);
}

#[test]
fn what_an_interrupted_start_left_is_in_nobodys_way() {
    let (_folder, dir) = place();
    fs::create_dir_all(&dir).expect("made");
    fs::write(dir.join("voter.redb.new"), "half of it").expect("written");
    opened(&dir);
    assert!(!dir.join("voter.redb.new").exists());
}

/// The answers to all saves, in their order.
fn outcomes(answers: &Receiver<Input>, count: u64) -> Vec<Result<(), String>> {
    let answer = |number| match answers.recv_blocking() {
        Ok(Input::Saved(ticket, outcome)) => {
            assert_eq!(ticket, SaveTicket(number));
            outcome
        }
        other => panic!("{other:?} is no answer to save {number}"),
    };
    (0..count).map(answer).collect()
}

#[test]
fn saves_are_answered_in_order_and_are_on_the_disk_when_the_writer_is_closed() {
    let (_folder, dir) = place();
    let (inputs, answers) = bounded(2000);
    let writer = Writer::start(opened(&dir).0, inputs).expect("a thread");
    for number in 0..500 {
        let key = format!("{number:03}");
        let writes = vec![write(&key, Some("1")), write("last", Some(&key))];
        assert!(writer.save(SaveTicket(number), writes));
    }
    smol::block_on(writer.close());
    assert!(outcomes(&answers, 500).iter().all(Result::is_ok));
    let (_store, memory) = opened(&dir);
    assert_eq!(memory.stored.len(), 501);
    assert_eq!(rows(&memory)[500], ("last", "499"));
}

#[test]
fn an_agent_that_takes_no_more_answers_does_not_hold_up_the_last_saves() {
    let (_folder, dir) = place();
    let (inputs, answers) = bounded(1);
    let writer = Writer::start(opened(&dir).0, inputs).expect("a thread");
    for number in 0..100 {
        assert!(writer.save(
            SaveTicket(number),
            vec![write(&number.to_string(), Some("1"))]
        ));
    }
    answers.close();
    smol::block_on(writer.close());
    assert_eq!(opened(&dir).1.stored.len(), 100);
}

/// Set in the process that a test starts on a small disk of its own.
const DISK: &str = "MUSTER_TEST_DISK";

/// Runs this very test again, with a disk of its own at a folder that it finds in [`DISK`].
fn on_a_disk_of_its_own(test: &str, options: &str, prepare: &str) {
    let folder = TempDir::new().expect("a temporary folder");
    let script = format!(
        "mount -t tmpfs -o {options} tmpfs \"$0\" && {prepare} && exec \"$1\" --exact --nocapture \"$2\""
    );
    // Whoever is not root becomes it in a user namespace.
    let root = rustix::process::geteuid().is_root();
    let output = Command::new("unshare")
        .args(if root {
            &["--mount"][..]
        } else {
            &["--mount", "--map-root-user"]
        })
        .args(["sh", "-c", &script])
        .arg(folder.path())
        .arg(std::env::current_exe().expect("this program"))
        .arg(format!("agent::memory::tests::{test}"))
        .env(DISK, folder.path())
        .output()
        .expect("`unshare` of util-linux is there");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}{errors}");
    assert!(text.contains("1 passed"), "{text}{errors}");
}

#[test]
fn a_full_disk_fails_the_save_and_all_later_ones_and_keeps_what_was_saved() {
    let Some(disk) = std::env::var_os(DISK) else {
        let test = "a_full_disk_fails_the_save_and_all_later_ones_and_keeps_what_was_saved";
        return on_a_disk_of_its_own(test, "size=4m", "true");
    };
    let dir = Path::new(&disk).join("data");
    let (inputs, answers) = bounded(200);
    let writer = Writer::start(opened(&dir).0, inputs).expect("a thread");
    let mut saved = 0;
    let error = (0..100)
        .find_map(|number| {
            let writes = vec![write(&format!("{number:03}"), Some(&"x".repeat(100_000)))];
            assert!(writer.save(SaveTicket(number), writes));
            let Ok(Input::Saved(_, outcome)) = answers.recv_blocking() else {
                panic!("every save is answered");
            };
            saved += usize::from(outcome.is_ok());
            outcome.err()
        })
        .expect("10 MB do not fit on 4 MB");
    assert!(saved > 3, "{saved}");
    assert!(
        error.contains("data: ") && error.contains("No space left"),
        "{error}"
    );
    assert!(writer.save(SaveTicket(100), vec![write("one more", None)]));
    let Ok(Input::Saved(SaveTicket(100), Err(again))) = answers.recv_blocking() else {
        panic!("a store that failed is not tried again");
    };
    assert_eq!(again, error);
    smol::block_on(writer.close());

    // Somebody makes room: all that was answered is there.
    let grown = Command::new("mount")
        .args(["-o", "remount,size=20m"])
        .arg(&disk)
        .status();
    assert!(grown.expect("`mount` is there").success());
    let (store, memory) = opened(&dir);
    assert_eq!(memory.stored.len(), saved);
    store
        .save([write("after", Some("1"))].iter())
        .expect("there is room again");
}

#[test]
fn a_disk_without_room_for_a_new_store_is_told() {
    let Some(disk) = std::env::var_os(DISK) else {
        let test = "a_disk_without_room_for_a_new_store_is_told";
        return on_a_disk_of_its_own(test, "size=64k", "true");
    };
    let dir = Path::new(&disk).join("data");
    let text = refused(&dir);
    let expected = "the data directory DIR: cannot make its file: No space left on device";
    assert!(
        text.starts_with(expected) && text.contains("make room on the disk"),
        "{text}"
    );
    assert!(!dir.join("voter.redb").exists() && !dir.join("voter.redb.new").exists());
}

#[test]
fn a_disk_that_is_read_only_is_told() {
    let Some(disk) = std::env::var_os(DISK) else {
        let test = "a_disk_that_is_read_only_is_told";
        let prepare = "mkdir \"$0/old\" && mount -o remount,ro \"$0\"";
        return on_a_disk_of_its_own(test, "size=4m", prepare);
    };
    for (dir, step) in [("old", "open its lock"), ("new", "make it")] {
        let text = refused(&Path::new(&disk).join(dir));
        let expected = format!("the data directory DIR: cannot {step}: Read-only file system");
        assert!(text.starts_with(&expected), "{text}");
        assert!(text.contains("mount the file system for writing"), "{text}");
    }
}
