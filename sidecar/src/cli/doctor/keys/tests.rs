use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, symlink};

use muster_swim::Key;
use tempfile::TempDir;

use super::*;
use crate::cli::doctor::finding::Grade;

struct Place {
    folder: TempDir,
    agent: Agent,
}

impl Place {
    fn new() -> Place {
        let folder = TempDir::new().expect("a folder");
        let file = folder.path().join("keys");
        fs::write(&file, &*Key::new([1; 32]).reveal()).expect("it is ours");
        fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("it is ours");
        let agent = Agent {
            user: fs::metadata(&file).expect("it is there").uid(),
            ..Agent::of(None)
        };
        Place { folder, agent }
    }

    fn look(&self, name: &str) -> Finding {
        let path = self.folder.path().join(name);
        look(Some(&path), &self.agent).expect("there is one")
    }
}

#[test]
fn a_file_that_can_be_replaced_is_right() {
    let place = Place::new();
    let found = place.look("keys");
    assert_eq!(found.grade, Grade::Ok, "{found:?}");
    assert!(found.found.ends_with("it can be replaced"), "{found:?}");
    assert_eq!(look(None, &place.agent), None);
    // What cannot be seen of another process is told of this one.
    assert_eq!(Agent::of(Some(u32::MAX)).root, Path::new("/"));
    let own = Agent::of(Some(std::process::id()));
    let path = place.folder.path().join("keys");
    let found = look(Some(&path), &own).expect("there is one");
    assert_eq!(found.grade, Grade::Ok, "{found:?}");
}

#[test]
fn a_folder_that_the_agent_may_not_write_is_told_with_what_to_do() {
    let mut place = Place::new();
    fs::set_permissions(place.folder.path(), Permissions::from_mode(0o755)).expect("it is ours");
    (place.agent.user, place.agent.groups) = (4711, vec![4711]);
    let found = place.look("keys");
    assert_eq!(found.grade, Grade::Warn);
    assert!(
        found.found.contains("user 4711, may not write") && found.found.contains("rotate"),
        "{found:?}"
    );
    // As with a secret of Kubernetes, the folder is that of the file behind the link.
    symlink("/proc/keys-are-not-here", place.folder.path().join("link")).expect("it is ours");
    let followed = place.agent.followed(&place.folder.path().join("link"));
    assert_eq!(followed, Path::new("/proc/keys-are-not-here"));
    let group = place.folder.path().metadata().expect("it is there").gid();
    place.agent.groups = vec![group];
    fs::set_permissions(place.folder.path(), Permissions::from_mode(0o775)).expect("it is ours");
    assert_eq!(place.look("keys").grade, Grade::Ok);
}

#[test]
fn what_is_no_key_file_fails() {
    let place = Place::new();
    fs::create_dir(place.folder.path().join("folder")).expect("it is ours");
    let found = place.look("folder");
    assert_eq!(found.grade, Grade::Fail);
    assert!(found.found.contains("is a directory"), "{found:?}");
    assert_eq!(place.look("missing").grade, Grade::Fail);
}

#[test]
fn mounts_are_seen_as_what_they_are() {
    assert!(is_mounted(Path::new("/proc")) && !is_mounted(Path::new("/proc/self/status")));
    let place = Place::new();
    assert!(!is_read_only(place.folder.path()));
    let read_only = fs::read_to_string("/proc/self/mounts").expect("it is told");
    let mut read_only = read_only.lines().filter_map(|line| {
        let words: Vec<&str> = line.split(' ').collect();
        let is_so = words[3].split(',').any(|word| word == "ro");
        is_so.then(|| words[1].to_owned())
    });
    if let Some(path) = read_only.find(|path| statvfs(path.as_str()).is_ok()) {
        assert!(is_read_only(Path::new(&path)), "{path}");
    }
}
