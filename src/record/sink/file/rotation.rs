//! When another file takes the name: ours is full or old, or somebody else has renamed it, taken it away or
//! put another one in its place.

use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use jiff::Timestamp;

use super::super::keeper::{Keeper, sync_folder};
use super::super::opening;
use super::{FileSink, RETRY};
use crate::proof::{Segment, What, Why};
use crate::record::sink::policy::Fsync;

/// A file is rotated at the latest after this part of its retention, so that no record becomes much
/// older than that.
const AGES: u32 = 10;

impl FileSink {
    /// Goes on in the file that bears the name now. When there is none to be had, goes on in the
    /// old one: a record in a renamed file is better than none.
    pub(in crate::record::sink) fn reopen(&mut self, now: Instant) {
        match self.reopened() {
            // It was not renamed.
            Ok(None) => {}
            Ok(Some(file)) => {
                let path = self.policy.path.display();
                if is_unlinked(&self.file) {
                    tracing::error!(%path, "the audit file was taken away with all its records: the chain goes on in another one");
                } else {
                    tracing::info!(%path, "the audit file was renamed: the chain goes on in another one");
                }
                self.sync(now);
                self.note_head(Why::Reopen);
                self.replace(file);
                self.torn = 0;
            }
            Err(error) => {
                let path = self.policy.path.display();
                tracing::error!(%path, %error, "the audit file cannot be reopened");
                self.look_at = Some(now + RETRY);
            }
        }
    }

    /// Looks whether the name still leads to our file, and that to its end: what is written to one that
    /// somebody has removed is gone when we are.
    pub(super) fn look(&mut self, now: Instant) {
        if !self.regular || self.look_at.is_some_and(|look_at| now < look_at) {
            return;
        }
        self.look_at = None;
        let ours = self.file.metadata();
        let is_ours = |there: &Metadata| ours.as_ref().is_ok_and(|ours| is_same(there, ours));
        match fs::metadata(&self.policy.path) {
            Ok(there) if is_ours(&there) => {
                if there.len() < self.size {
                    self.go_on_in_what_is_left();
                }
            }
            Ok(_) => self.reopen(now),
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.reopen(now),
            // Nothing is known, so nothing is done.
            Err(_) => self.look_at = Some(now + RETRY),
        }
    }

    /// Somebody else has cut our file, as rotations do that copy it first. What is left of a line there
    /// is no beginning for the next one.
    fn go_on_in_what_is_left(&mut self) {
        let path = self.policy.path.display();
        tracing::error!(%path, "the audit file was cut by somebody else: the chain goes on");
        match opening::cut_torn(&mut self.file) {
            Ok(size) => self.size = size,
            Err(error) => tracing::error!(%path, %error, "the audit file cannot be read"),
        }
        self.torn = 0;
    }

    /// Whether the file is to go although it is not full: what is never full would be kept for ever.
    pub(super) fn is_old(&self) -> bool {
        let age = self.since.elapsed().unwrap_or_default();
        self.size > 0 && age > self.policy.retention / AGES
    }

    /// The full file becomes a segment. When that cannot be, it grows on, and it is tried again after
    /// some more of it.
    pub(super) fn rotate(&mut self, now: Instant) {
        let Some(head) = self.written.filter(|_| self.regular) else {
            return;
        };
        self.sync(now);
        if self.unsynced.is_some() {
            return;
        }
        self.rotate_at = self.size + self.policy.rotate / 8;
        self.since = SystemTime::now();
        let segment = Segment::name(&self.policy.path, Timestamp::now(), head.seq);
        match self.make_segment(&segment) {
            Ok(file) => {
                self.replace(file);
                let name = segment.file_name().unwrap_or_default();
                self.noted = Some(head);
                self.notes.note(What::Head {
                    seq: head.seq,
                    hash: head.hash,
                    why: Why::Rotation,
                    segment: Some(name.to_string_lossy().into_owned()),
                });
                self.tell(head);
                self.keep();
            }
            Err(error) => {
                let path = self.policy.path.display();
                tracing::error!(%path, %error, "the audit file cannot be rotated");
            }
        }
    }

    /// The next file is there before the full one goes: at any point in between, a start finds the
    /// chain's end in the file, or no line there and the end in the newest segment.
    fn make_segment(&self, segment: &Path) -> io::Result<File> {
        let mut next = PathBuf::from(self.policy.path.as_os_str());
        next.as_mut_os_string().push(".next");
        let _ = fs::remove_file(&next);
        let file = opening::open(&next, self.group)?;
        opening::lock(&file)?;
        fs::rename(&self.policy.path, segment)?;
        fs::rename(&next, &self.policy.path)?;
        if self.policy.fsync != Fsync::Never {
            sync_folder(segment);
        }
        Ok(file)
    }

    /// The file that bears the name now, if it is another one.
    fn reopened(&self) -> io::Result<Option<File>> {
        let mut file = opening::open(&self.policy.path, self.group)?;
        let there = file.metadata()?;
        if is_same(&there, &self.file.metadata()?) {
            return Ok(None);
        }
        if there.is_file() {
            opening::lock(&file)?;
            opening::cut_torn(&mut file)?;
        }
        Ok(Some(file))
    }

    fn replace(&mut self, file: File) {
        let meta = file.metadata();
        self.regular = meta.as_ref().is_ok_and(Metadata::is_file);
        self.size = meta.map_or(0, |meta| meta.len());
        self.since = SystemTime::now();
        self.rotate_at = self.policy.rotate;
        self.file = file;
    }

    pub(super) fn keep(&mut self) {
        match &self.keeper {
            Some(keeper) => keeper.wake(),
            None => match Keeper::start(self.policy.clone(), self.group, self.notes.clone()) {
                Ok(keeper) => self.keeper = Some(keeper),
                Err(error) => tracing::error!(%error, "nobody looks after old audit segments"),
            },
        }
    }
}

#[cfg(unix)]
fn is_same(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(not(unix))]
fn is_same(_: &Metadata, _: &Metadata) -> bool {
    // Nothing can be known, and an open file cannot be renamed there.
    true
}

#[cfg(unix)]
fn is_unlinked(file: &File) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    file.metadata().is_ok_and(|file| file.nlink() == 0)
}

#[cfg(not(unix))]
fn is_unlinked(_: &File) -> bool {
    false
}
