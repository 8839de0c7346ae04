//! The last good documents on disk: what a start without the source goes on with.
//!
//! Two generations, each a file of its own: a line of JSON about the document, then its bytes as they
//! came. A write that is cut short leaves what was there: the new file is whole on disk before it
//! takes the name. Of two processes with one folder the second writes when the first is done, so that
//! the one before is the one before. What is damaged, or of another source, is as if it were not there.
//! Never here: a secret. A document names them, and one that held a password was not taken.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::digest::Digest;
use crate::config::Format;
use crate::source::{Document, LARGEST, SourceUrl};

const NEWEST: &str = "central.copy";
const PREVIOUS: &str = "central.copy.previous";
/// Followed by what no other writer has.
const UNFINISHED: &str = "central.copy.unfinished";
/// Who has it locked writes.
const LOCK: &str = "central.copy.lock";
/// The line before the document: a signature and a few names.
const LONGEST_HEAD: usize = 16 << 10;

/// The folder `cache_dir`, as far as documents of one source are kept there.
#[derive(Debug, Clone)]
pub(super) struct Copies {
    folder: PathBuf,
    /// Whose documents they are: its address without what may be secret, and the digest of all of it but
    /// a password. Another query is another document.
    source: String,
}

/// A document that was live here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Copy {
    pub(super) name: String,
    pub(super) document: Document,
    pub(super) version: Option<u64>,
    /// When the source had it last, to the second.
    pub(super) confirmed: SystemTime,
}

#[derive(Serialize, Deserialize)]
struct Head {
    source: String,
    format: String,
    version: Option<u64>,
    signature: Option<String>,
    /// When the source had it last, in seconds since 1970.
    confirmed: u64,
    digest: String,
}

impl Copies {
    pub(super) fn new(folder: PathBuf, url: &SourceUrl) -> Self {
        let source = format!("{url} {}", Digest::of(url.without_user().as_bytes()));
        Self { folder, source }
    }

    /// Those that are whole, the newest first; beside them, why another is of no use. Blocks.
    pub(super) fn read(&self) -> (Vec<Copy>, Vec<String>) {
        let mut copies = Vec::new();
        let mut problems = Vec::new();
        for name in [NEWEST, PREVIOUS] {
            let path = self.folder.join(name);
            match self.read_one(&path) {
                Ok(copy) => copies.push(copy),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => problems.push(format!("{}: {error}", path.display())),
            }
        }
        (copies, problems)
    }

    fn read_one(&self, path: &Path) -> io::Result<Copy> {
        let mut bytes = Vec::new();
        File::open(path)?
            .take((LONGEST_HEAD + LARGEST + 1) as u64)
            .read_to_end(&mut bytes)?;
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, "it is damaged");
        let end = memchr::memchr(b'\n', &bytes).ok_or_else(damaged)?;
        let head: Head = serde_json::from_slice(&bytes[..end]).map_err(|_| damaged())?;
        let text = Bytes::from(bytes).slice(end + 1..);
        let format = Format::of(Path::new(&format!("central.{}", head.format)));
        let format = format.ok_or_else(damaged)?;
        if Digest::of(&text).to_string() != head.digest {
            return Err(damaged());
        }
        if head.source != self.source {
            return Err(io::Error::other(format!("it is of {}", head.source)));
        }
        Ok(Copy {
            name: path.display().to_string(),
            document: Document {
                text,
                format,
                signature: head.signature.map(Bytes::from),
            },
            version: head.version,
            confirmed: UNIX_EPOCH
                .checked_add(Duration::from_secs(head.confirmed))
                .ok_or_else(damaged)?,
        })
    }

    /// Keeps `document`, which the source had at `confirmed`, and the one before it. Blocks until both
    /// are on disk.
    ///
    /// # Errors
    /// It could not be written, and what was there is there still; `WouldBlock` while another process
    /// writes there.
    pub(super) fn keep(
        &self,
        document: &Document,
        version: Option<u64>,
        confirmed: SystemTime,
    ) -> io::Result<()> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.folder)?;
        let writing = self.lock()?;
        let newest = self.folder.join(NEWEST);
        let known = self.read_one(&newest).ok();
        let is_as_good = |known: &Copy| {
            let ahead = confirmed.duration_since(known.confirmed);
            let is_later = ahead.is_ok_and(|by| by >= Duration::from_secs(1));
            known.document == *document && !is_later
        };
        if known.as_ref().is_some_and(is_as_good) {
            return Ok(());
        }
        let confirmed = confirmed.duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut head = serde_json::to_vec(&Head {
            source: self.source.clone(),
            format: extension(document.format).to_owned(),
            version,
            signature: (document.signature.as_ref())
                .and_then(|signature| String::from_utf8(signature.to_vec()).ok()),
            confirmed: confirmed.as_secs(),
            digest: Digest::of(&document.text).to_string(),
        })?;
        head.push(b'\n');
        if writing.is_some() {
            self.clear();
        }
        let unfinished = format!("{UNFINISHED}.{:016x}", fastrand::u64(..));
        let unfinished = self.folder.join(unfinished);
        let written = write(&unfinished, &[&head, &document.text]);
        if written.is_err() {
            // On a full disk it would only be in the way.
            let _ = fs::remove_file(&unfinished);
        }
        written?;
        // What was only signed anew is the same generation, and one that is damaged is none. Between
        // the two names, a start finds the previous one.
        if known.is_some_and(|known| known.document.text != document.text) {
            fs::rename(&newest, self.folder.join(PREVIOUS))?;
        }
        fs::rename(&unfinished, &newest)?;
        File::open(&self.folder)?.sync_all()
    }

    /// Held for as long as it is not dropped. `None` on a mount that knows no locks: there a writer's
    /// file is its own all the same, and whole when it takes the name.
    fn lock(&self) -> io::Result<Option<File>> {
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(self.folder.join(LOCK))?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(lock)),
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(_)) => Ok(None),
        }
    }

    /// Takes away what processes have left that ended while they wrote. For who has the lock.
    fn clear(&self) {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let left = entries.filter(|entry| {
            let name = entry.file_name();
            name.to_str()
                .is_some_and(|name| name.starts_with(UNFINISHED))
        });
        for entry in left {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn write(path: &Path, pieces: &[&[u8]]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    for piece in pieces {
        file.write_all(piece)?;
    }
    file.sync_all()
}

fn extension(format: Format) -> &'static str {
    match format {
        Format::Yaml => "yaml",
        Format::Toml => "toml",
        Format::Json => "json",
    }
}

#[cfg(test)]
mod tests;
