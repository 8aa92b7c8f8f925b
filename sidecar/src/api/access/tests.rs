use std::os::unix::net::UnixStream;

use super::*;

const PASSWD: &str =
    "root:x:0:0:root:/root:/bin/sh\n# note\nbad\n:x:7:7::/:\nann:x:1001:100::/home/ann:\n";

#[test]
fn names_are_found_in_the_lists_of_the_system() {
    for (name, expected) in [
        ("root", Some(0)),
        ("ann", Some(1001)),
        ("an", None),
        ("bad", None),
        ("# note", None),
    ] {
        assert_eq!(id_of(name, PASSWD), expected, "{name}");
    }
    assert_eq!(user_id("root"), Ok(0));
    assert_eq!(group_id("4242"), Ok(4242));
    let error = group_id("no such group")
        .expect_err("not there")
        .to_string();
    assert_eq!(
        error,
        "there is no group \"no such group\" in /etc/group: correct the name, or give the number"
    );
}

#[test]
fn groups_are_read_only_of_a_process_of_the_same_user() {
    let status = "Name:\tx\nUid:\t1001\t1001\t1001\t1001\nGid:\t100\nGroups:\t4 27 4242 \n";
    assert_eq!(groups_in(status, 1001), Some(vec![4, 27, 4242]));
    assert_eq!(
        groups_in(status, 1002),
        None,
        "the number passed to another process"
    );
    assert_eq!(groups_in("Uid:\t1\t1\t1\t1\nGroups:\t \n", 1), Some(vec![]));
    assert_eq!(groups_in("", 1), None);
}

#[test]
fn the_kernel_tells_who_is_at_the_other_end() {
    let (one, _other) = UnixStream::pair().expect("a pair");
    let peer = Peer::of(&one).expect("credentials");
    assert_eq!(peer.pid, rustix::process::getpid().as_raw_nonzero().get());
    assert_eq!(peer.uid, rustix::process::geteuid().as_raw());
    assert_eq!(peer.gid, rustix::process::getegid().as_raw());
    assert!(peer.command().is_some_and(|command| !command.is_empty()));
    assert!(
        peer.to_string()
            .contains(&format!("process {} (", peer.pid))
    );
}

#[test]
fn who_may_change() {
    let own = rustix::process::geteuid().as_raw();
    let (pid, uid, gid) = (0, own + 1000, 4242);
    let peer = Peer { pid, uid, gid };
    let allow = |users: &[&str], groups: &[&str]| Access {
        allow_users: users.iter().map(ToString::to_string).collect(),
        allow_groups: groups.iter().map(ToString::to_string).collect(),
        ..Access::default()
    };
    let uid_text = uid.to_string();
    let cases = [
        (peer, allow(&[], &[]), false),
        (Peer { uid: 0, ..peer }, allow(&[], &[]), true),
        (Peer { uid: own, ..peer }, allow(&[], &[]), true),
        (peer, allow(&["root", &uid_text], &[]), true),
        (peer, allow(&["4242"], &[]), false),
        (peer, allow(&[], &["4242"]), true),
        (peer, allow(&[], &[&uid_text]), false),
        (peer, allow(&["gone"], &["gone"]), false),
    ];
    for (peer, access, expected) in cases {
        assert_eq!(access.may_change(&peer), expected, "{peer:?} {access:?}");
    }
}

#[test]
fn supplementary_groups_count() {
    // This process as a stranger's would be seen: its own groups, asked of /proc.
    let peer = Peer::of(&UnixStream::pair().expect("a pair").0).expect("credentials");
    let groups = rustix::process::getgroups().expect("groups");
    let groups: Vec<u32> = groups.into_iter().map(|group| group.as_raw()).collect();
    let mut found = peer.groups();
    found.sort_unstable();
    let mut groups = groups;
    groups.sort_unstable();
    assert_eq!(found, groups);
    assert!(Peer { pid: 0, ..peer }.groups().is_empty());
}

#[test]
fn unknown_names_are_found_at_the_start() {
    assert_eq!(Access::default().check(), Ok(()));
    let unknown = Some("no such".to_owned());
    assert!(
        Access {
            group: unknown.clone(),
            ..Access::default()
        }
        .check()
        .is_err()
    );
    let list: Vec<String> = unknown.into_iter().collect();
    assert!(
        Access {
            allow_users: list.clone(),
            ..Access::default()
        }
        .check()
        .is_err()
    );
    assert!(
        Access {
            allow_groups: list,
            ..Access::default()
        }
        .check()
        .is_err()
    );
}
