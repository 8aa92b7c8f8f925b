//! A small file system that can be full.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Written at once while the disk is filled.
const BLOCK: [u8; 4096] = [0; 4096];

/// A file system in memory, mounted on a folder. Unmounted when dropped.
#[derive(Debug)]
pub struct Disk {
    folder: PathBuf,
}

impl Disk {
    /// Mounts it on this folder, which is made. Panics without the rights of root.
    pub fn new(folder: &Path, kib: u32) -> Disk {
        fs::create_dir_all(folder).expect("the test's folder can be written");
        let mut command = Command::new("mount");
        let size = format!("size={kib}k,mode=700");
        command
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(folder);
        let status = command.status().expect("`mount` is installed");
        assert!(status.success(), "{command:?}: {status}");
        Disk {
            folder: folder.to_owned(),
        }
    }

    /// Leaves no byte free, not even those that files have taken in advance and never written.
    pub fn fill(&self) {
        for entry in fs::read_dir(&self.folder).expect("it is mounted").flatten() {
            let mut command = Command::new("fallocate");
            let status = command.arg("--dig-holes").arg(entry.path()).status();
            assert!(
                status.expect("`fallocate` is installed").success(),
                "{command:?}"
            );
        }
        let mut file = File::create(self.filler()).expect("a file can be made on an empty disk");
        while file.write_all(&BLOCK).is_ok() {}
    }

    /// Makes room again.
    pub fn free(&self) {
        fs::remove_file(self.filler()).expect("the disk was filled");
    }

    fn filler(&self) -> PathBuf {
        self.folder.join("filler")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        unmount(&self.folder);
    }
}

/// Takes a file system off its folder, also while it is in use.
pub(crate) fn unmount(folder: &Path) {
    // It may be gone already: that is what we want.
    let _ = Command::new("umount").arg("--lazy").arg(folder).output();
}
