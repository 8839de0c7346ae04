//! The state of a file, by which it is known without being read.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::SystemTime;

/// One state of a file. Two that are alike may still differ when both were written within a step of the
/// clock that the file's time goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    pub modified: Option<SystemTime>,
    length: u64,
    /// Behind a link that was swapped, as in a mounted `ConfigMap`, there is another file.
    file: u64,
}

impl Stamp {
    pub fn of(found: &Metadata) -> Self {
        Self {
            modified: found.modified().ok(),
            length: found.len(),
            file: found.ino(),
        }
    }

    /// Looks, which blocks. `None` where there is no file to be seen.
    pub fn at(path: &Path) -> Option<Self> {
        Some(Self::of(&fs::metadata(path).ok()?))
    }

    /// Whether it is another state of the same file, which was not replaced.
    pub fn is_rewritten(&self, before: &Self) -> bool {
        self.file == before.file && self != before
    }
}
