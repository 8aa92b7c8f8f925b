//! What is known of the store from outside.

use std::fs;
use std::path::PathBuf;

use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};

/// How long saves took, and how large the file is. Clones show the same.
#[derive(Clone, Debug)]
pub(crate) struct StoreFigures {
    file: PathBuf,
    /// Seconds that each save took until it was on the disk.
    pub(crate) saves: Histogram,
}

impl StoreFigures {
    pub(super) fn of(file: PathBuf) -> StoreFigures {
        // From half a millisecond to 8 s: from a fast disk to one that hangs.
        let saves = Histogram::new(exponential_buckets(0.0005, 4.0, 8));
        StoreFigures { file, saves }
    }

    /// Bytes of the file; 0 when it cannot be looked at.
    pub(crate) fn bytes(&self) -> u64 {
        fs::metadata(&self.file).map_or(0, |found| found.len())
    }
}
