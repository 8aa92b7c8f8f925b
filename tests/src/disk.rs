//! Disks of sidecars that can be full.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A disk that is full at will (`full_disk.c`).
#[derive(Debug)]
pub(crate) struct Disk {
    library: PathBuf,
    mark: PathBuf,
}

impl Disk {
    /// Panics without a C compiler.
    pub(crate) fn new(folder: &Path) -> Disk {
        fs::create_dir_all(folder).expect("the test's folder can be written");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/full_disk.c");
        let library = folder.join("full_disk.so");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-Wall", "-Werror", "-o"]);
        compiler.args([&library, &source]).arg("-ldl");
        let status = compiler.status().expect("`cc` is installed");
        assert!(status.success(), "{compiler:?}: {status}");
        Disk {
            library,
            mark: folder.join("full"),
        }
    }

    /// Gives this disk to a process that is about to start.
    pub(crate) fn give(&self, command: &mut Command) {
        command.env("LD_PRELOAD", &self.library);
        command.env("FULL_DISK", &self.mark);
    }

    /// From now on nothing can be written, until there is room again.
    pub(crate) fn fill(&self, full: bool) {
        if full {
            File::create(&self.mark).expect("the test's folder can be written");
        } else {
            fs::remove_file(&self.mark).expect("the disk was full");
        }
    }
}
