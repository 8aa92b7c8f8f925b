//! Where the sidecar under test is.

use std::env;
use std::path::PathBuf;

/// The binary `muster` under test: `MUSTER_BIN`, else the one that cargo put beside this test.
///
/// Panics when there is none, saying how to build it.
pub fn muster_binary() -> PathBuf {
    if let Some(path) = env::var_os("MUSTER_BIN") {
        let path = PathBuf::from(path);
        assert!(
            path.is_file(),
            "MUSTER_BIN is {}, which is no file",
            path.display()
        );
        return path;
    }
    let test = env::current_exe().expect("the kernel knows the path of a running program");
    let beside = test
        .ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join("muster"))
        .find(|path| path.is_file());
    beside.unwrap_or_else(|| {
        panic!(
            "no `muster` near {}: build it with `cargo build -p muster`, or set MUSTER_BIN",
            test.display()
        )
    })
}
