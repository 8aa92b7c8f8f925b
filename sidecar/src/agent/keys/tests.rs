use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use super::file::replace;
use super::*;

fn ring() -> Keyring {
    let key = |number| Key::new([number; 32]);
    let later = Time::from_nanos(3_600_000_000_000);
    let keys = vec![(key(1), None), (key(2), Some(later)), (key(3), None)];
    let ring = Keyring::new(7, keys).expect("a ring");
    ring.with_new(&[key(3).id()])
}

#[test]
fn a_ring_is_read_back_as_it_was_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, clock) = (folder.path().join("keys"), Clock::start());
    replace(&path, &render(&ring(), &clock)).expect("it is written");
    let mode = fs::metadata(&path).expect("it is there").mode() & 0o777;
    assert_eq!(mode, 0o600);
    let read = read(&path, &clock).expect("it is read");
    assert_eq!((read.generation(), read.primary()), (7, ring().primary()));
    let new: Vec<_> = read.infos().map(|info| info.is_new).collect();
    assert_eq!(new, [false, false, true]);
    let until: Vec<_> = read.infos().map(|info| info.until).collect();
    let seconds = until[1].expect("it ends").as_nanos() / 1_000_000_000;
    assert!(
        until[0].is_none() && (3590..=3600).contains(&seconds),
        "{until:?}"
    );
    let left: Vec<_> = fs::read_dir(folder.path()).expect("a folder").collect();
    assert_eq!(left.len(), 1, "no part of a file stays behind");
}

#[test]
fn what_is_no_key_file_is_refused_without_telling_what_stands_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, clock) = (folder.path().join("keys"), Clock::start());
    let said = |text: &str, mode| {
        fs::write(&path, text).expect("it is written");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("it is ours");
        let error = read(&path, &clock).expect_err("it is refused");
        error
            .to_string()
            .replace(&path.display().to_string(), "FILE")
    };
    let good = Key::new([1; 32]).reveal().to_string();
    assert!(said(&good, 0o644).starts_with("the key file FILE can be read by everybody"));
    assert!(said("", 0o600).starts_with("FILE:0: a keyring has at least one key"));
    let wrong = said("# ours\nsecret-but-wrong\n", 0o600);
    assert!(
        wrong.starts_with("FILE:2: a key is 32 bytes in base64"),
        "{wrong}"
    );
    assert!(!wrong.contains("secret-but"));
    for more in [
        "until=x",
        "old",
        "new until=1",
        "until=99999999999999999999",
        "until=1 new",
    ] {
        let said = said(&format!("{good} {more}"), 0o600);
        assert!(said.contains("FILE:1: behind a key"), "{more}: {said}");
    }
    for number in ["x", "-1", "99999999999999999999", "", "7 8"] {
        let said = said(&format!("# generation {number}\n{good}"), 0o600);
        let expected = "FILE:1: behind `# generation` stands a whole number";
        assert!(said.starts_with(expected), "{number}: {said}");
    }
    // However it is written by hand, and once.
    for line in ["#generation x", "# Generation: y", "# GENERATION = -1"] {
        let said = said(&format!("{line}\n{good}"), 0o600);
        assert!(
            said.starts_with("FILE:1: behind `# generation`"),
            "{line}: {said}"
        );
    }
    let twice = said(&format!("# generation 1\n# generation: 2\n{good}"), 0o600);
    assert!(
        twice.starts_with("FILE:2: behind `# generation`"),
        "{twice}"
    );
    assert!(said(&format!("{good}\n{good}"), 0o600).contains("is in the ring already"));
    fs::remove_file(&path).expect("it was there");
    let missing = read(&path, &clock).expect_err("nothing is there");
    assert!(
        missing.to_string().contains("muster keys generate"),
        "{missing}"
    );
}
