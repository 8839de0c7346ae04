//! A file, or what a `ConfigMap` is mounted as.
//!
//! It is asked, and does not tell: a `ConfigMap`'s files are links into a folder that is replaced as
//! a whole, so that whoever watches the file hears of its end and of nothing more
//! (<https://github.com/kubernetes/kubernetes/issues/112677>, read 2026-11). A look at the file's
//! state is enough to know that nothing has changed; what may have is read, on a thread aside.

use std::fs::{self, File, Metadata};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use bytes::Bytes;

use super::seen::{LONGEST_SIGNATURE, Seen, format, too_long};
use super::{Document, Fetched, Fetching, LARGEST, Source, SourceError};
use crate::stamp::Stamp;

/// A file that was written this shortly before it was read may be written again without a trace:
/// its time counts in steps.
const STEP: Duration = Duration::from_secs(2);

pub(super) struct MountedFile {
    path: PathBuf,
    /// Where its signature is, if one is asked for.
    signature: Option<PathBuf>,
    /// The state of both when they were read.
    stamps: Option<Stamps>,
    seen: Seen,
}

/// Of the document, and of its signature where there is one.
type Stamps = (Stamp, Option<Stamp>);

/// What was read, and the files' state if that is enough to know it by.
struct Reading {
    document: Document,
    stamps: Option<Stamps>,
}

impl MountedFile {
    pub(super) fn new(path: PathBuf, signed: bool) -> Self {
        let mut signature = path.clone().into_os_string();
        signature.push(".sig");
        Self {
            path,
            signature: signed.then(|| signature.into()),
            stamps: None,
            seen: Seen::default(),
        }
    }

    async fn look(&mut self) -> Result<Fetched, SourceError> {
        let (path, signature, known) = (self.path.clone(), self.signature.clone(), self.stamps);
        let looking = tokio::task::spawn_blocking(move || look(&path, signature.as_deref(), known));
        let stopped = |_| SourceError::Away {
            why: "cannot be read: the process ends".into(),
            again: None,
        };
        match looking.await.map_err(stopped)?? {
            None => Ok(Fetched::Same),
            Some(reading) => {
                self.stamps = reading.stamps;
                Ok(self.seen.give(reading.document))
            }
        }
    }
}

impl Source for MountedFile {
    fn fetch(&mut self, _: Duration) -> Fetching<'_> {
        Box::pin(self.look())
    }

    fn watches(&self) -> bool {
        false
    }
}

/// What is there, unless its state is the known one.
fn look(
    path: &Path,
    signature: Option<&Path>,
    known: Option<Stamps>,
) -> Result<Option<Reading>, SourceError> {
    let found = fs::metadata(path).map_err(|error| problem(&error))?;
    // Opening a pipe that nobody writes to would wait for ever.
    if !found.is_file() {
        return Err(SourceError::Unusable("it is no file".into()));
    }
    let beside = signature.and_then(|path| fs::metadata(path).ok());
    let stamps = (Stamp::of(&found), beside.as_ref().map(Stamp::of));
    if known == Some(stamps) {
        return Ok(None);
    }
    let now = SystemTime::now();
    let text = read(path, LARGEST)?.ok_or_else(too_long)?;
    let signature = match signature {
        Some(path) => match read(path, LONGEST_SIGNATURE) {
            Ok(signature) => signature,
            Err(SourceError::Missing) => None,
            Err(error) => return Err(error),
        },
        None => None,
    };
    let settled = [Some(&found), beside.as_ref()]
        .into_iter()
        .flatten()
        .all(|it| is_settled(it, now));
    Ok(Some(Reading {
        document: Document {
            format: format(&path.to_string_lossy(), None),
            text,
            signature,
        },
        stamps: settled.then_some(stamps),
    }))
}

/// `None` for what is longer.
fn read(path: &Path, limit: usize) -> Result<Option<Bytes>, SourceError> {
    let file = File::open(path).map_err(|error| problem(&error))?;
    let mut bytes = Vec::new();
    file.take(limit as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| problem(&error))?;
    Ok((bytes.len() <= limit).then(|| bytes.into()))
}

fn is_settled(found: &Metadata, now: SystemTime) -> bool {
    let modified = found.modified().ok();
    modified.is_some_and(|at| now.duration_since(at).is_ok_and(|age| age >= STEP))
}

fn problem(error: &io::Error) -> SourceError {
    match error.kind() {
        io::ErrorKind::NotFound => SourceError::Missing,
        io::ErrorKind::PermissionDenied => SourceError::Refused(error.kind().to_string()),
        kind => SourceError::Away {
            why: format!("cannot be read: {kind}"),
            again: None,
        },
    }
}
