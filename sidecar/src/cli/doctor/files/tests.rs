use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;

use tempfile::TempDir;

use super::{config, socket};
use crate::cli::doctor::finding::Grade;

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("it is ours");
}

#[test]
fn a_socket_is_judged_by_its_folder_and_its_mode() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("s.sock");
    assert_eq!(
        socket(&path, false).grade,
        Grade::Ok,
        "an agent would make it"
    );
    let _listener = UnixListener::bind(&path).expect("a socket can be made");
    for (of_folder, of_socket, grade) in [
        (0o700, 0o660, Grade::Ok),
        (0o755, 0o660, Grade::Ok),
        (0o1777, 0o660, Grade::Ok),
        (0o777, 0o660, Grade::Fail),
        (0o755, 0o666, Grade::Warn),
        (0o755, 0o662, Grade::Warn),
    ] {
        set_mode(folder.path(), of_folder);
        set_mode(&path, of_socket);
        let found = socket(&path, true);
        assert_eq!(found.grade, grade, "{of_folder:o} {of_socket:o}: {found:?}");
        assert_eq!(found.advice.is_some(), grade != Grade::Ok);
    }
    set_mode(folder.path(), 0o777);
    let advice = socket(&path, true).advice.expect("it is open");
    assert_eq!(advice, format!("chmod o-w {}", folder.path().display()));
}

#[test]
fn what_is_no_socket_or_has_no_folder_is_told() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("s.sock");
    fs::write(&path, "").expect("it is ours");
    assert_eq!(socket(&path, false).grade, Grade::Fail);
    assert_eq!(
        socket(&folder.path().join("none/s.sock"), false).grade,
        Grade::Warn
    );
}

#[test]
fn a_file_of_settings_must_be_readable_right_and_closed_to_others() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("muster.toml");
    assert_eq!(config(None).grade, Grade::Ok);
    assert_eq!(config(Some(&path)).grade, Grade::Fail, "there is none");
    fs::write(&path, "name = \"n1\"\n").expect("it is ours");
    set_mode(&path, 0o644);
    assert_eq!(config(Some(&path)).grade, Grade::Ok);
    set_mode(&path, 0o666);
    assert_eq!(config(Some(&path)).grade, Grade::Warn);
    fs::write(&path, "nmae = \"n1\"\nperiod = \"1ns\"\n").expect("it is ours");
    let found = config(Some(&path));
    assert_eq!(found.grade, Grade::Fail);
    assert!(
        found.found.contains("did you mean \"name\"?; "),
        "{found:?}"
    );
    assert!(found.found.contains("period is"), "{found:?}");
}
