//! The key of test clusters.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Writes a key file, the same for all; any key will do.
pub fn write(path: &Path) {
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(path);
    let mut file = file.expect("the temporary folder can be written");
    writeln!(file, "{}=", "A".repeat(43)).expect("the key file can be written");
}
