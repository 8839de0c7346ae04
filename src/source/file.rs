//! A file, or what a `ConfigMap` is mounted as.
//!
//! It is asked, and does not tell: a `ConfigMap`'s files are links into a folder that is replaced as
//! a whole, so that whoever watches the file hears of its end and of nothing more
//! (<https://github.com/kubernetes/kubernetes/issues/112677>, read 2026-11). A look at the file's
//! state is enough to know that nothing has changed; what may have is read, on a thread aside.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use tokio::time::sleep;

use super::answer;
use super::seen::{LONGEST_SIGNATURE, Seen, format, too_long};
use super::{Document, Fetched, Fetching, LARGEST, Source, SourceError};
use crate::stamp::Stamp;

/// A file that was written this shortly before it was read may be written again without a trace:
/// its time counts in steps. One that is written in place is not read before it has rested for as long:
/// half of it may be a document, too. That is a guess; only one that is replaced by a rename is whole.
const STEP: Duration = Duration::from_secs(3);
/// Files' times may be a step of the system's clock behind.
const TICK: Duration = Duration::from_millis(20);

pub(super) struct MountedFile {
    path: PathBuf,
    /// Where its signature is, if one is asked for.
    signature: Option<PathBuf>,
    known: Option<Known>,
    seen: Seen,
}

/// Both as they were when they were read.
#[derive(Clone, Copy)]
struct Known {
    stamps: Stamps,
    /// Whether the same state is the same text.
    settled: bool,
}

/// Of the document, and of its signature where there is one.
type Stamps = (Stamp, Option<Stamp>);

/// What a look finds.
enum Look {
    Same,
    /// One of them is being written; it may have rested after this.
    Restless(Duration),
    Read(Document, Known),
}

impl MountedFile {
    pub(super) fn new(path: PathBuf, signed: bool) -> Self {
        let mut signature = path.clone().into_os_string();
        signature.push(".sig");
        Self {
            path,
            signature: signed.then(|| signature.into()),
            known: None,
            seen: Seen::default(),
        }
    }

    async fn fetch(&mut self) -> Result<Fetched, SourceError> {
        let mut found = self.look().await?;
        if let Look::Restless(rest) = found {
            sleep(rest).await;
            found = self.look().await?;
        }
        match found {
            Look::Same => Ok(Fetched::Same),
            Look::Restless(_) => Err(answer::away("is being written")),
            Look::Read(document, known) => {
                self.known = Some(known);
                Ok(self.seen.give(document))
            }
        }
    }

    async fn look(&self) -> Result<Look, SourceError> {
        let (path, signature, known) = (self.path.clone(), self.signature.clone(), self.known);
        let looking = tokio::task::spawn_blocking(move || look(&path, signature.as_deref(), known));
        let stopped = |_| answer::away("cannot be read: the process ends");
        looking.await.map_err(stopped)?
    }
}

impl Source for MountedFile {
    fn fetch(&mut self, _: Duration) -> Fetching<'_> {
        Box::pin(self.fetch())
    }

    fn watches(&self) -> bool {
        false
    }
}

/// What is there, unless its state is the known one.
fn look(path: &Path, signature: Option<&Path>, known: Option<Known>) -> Result<Look, SourceError> {
    let stamps = stamps(path, signature)?;
    let now = SystemTime::now();
    let rest = restless(&stamps, now);
    if let Some(known) = known {
        let is_same = known.stamps == stamps;
        if is_same && (known.settled || rest.is_some()) {
            return Ok(Look::Same);
        }
        if let Some(rest) = rest.filter(|_| is_rewritten(&stamps, &known.stamps)) {
            return Ok(Look::Restless(rest));
        }
    }
    let text = read(path, LARGEST)?.ok_or_else(too_long)?;
    let beside = match signature {
        Some(path) => match read(path, LONGEST_SIGNATURE) {
            Ok(signature) => signature,
            Err(SourceError::Missing) => None,
            Err(error) => return Err(error),
        },
        None => None,
    };
    if self::stamps(path, signature)? != stamps {
        return Ok(Look::Restless(STEP + TICK));
    }
    let document = Document {
        format: format(&path.to_string_lossy(), None),
        text,
        signature: beside,
    };
    let settled = is_settled(&stamps.0, now) && stamps.1.is_none_or(|it| is_settled(&it, now));
    Ok(Look::Read(document, Known { stamps, settled }))
}

fn stamps(path: &Path, signature: Option<&Path>) -> Result<Stamps, SourceError> {
    let found = fs::metadata(path).map_err(|error| problem(&error))?;
    // Opening a pipe that nobody writes to would wait for ever.
    if !found.is_file() {
        return Err(SourceError::Unusable("it is no file".into()));
    }
    Ok((Stamp::of(&found), signature.and_then(Stamp::at)))
}

/// Whether one of them is the same file as before, with something else in it.
fn is_rewritten(stamps: &Stamps, before: &Stamps) -> bool {
    let beside = stamps.1.zip(before.1);
    stamps.0.is_rewritten(&before.0)
        || beside.is_some_and(|(now, before)| now.is_rewritten(&before))
}

/// How long both have yet to rest. `None` when they have; a time that is far ahead tells nothing.
fn restless((document, signature): &Stamps, now: SystemTime) -> Option<Duration> {
    let rest = |stamp: &Stamp| {
        let rested = match now.duration_since(stamp.modified?) {
            Ok(age) => age,
            Err(ahead) if ahead.duration() >= STEP => return None,
            Err(_) => Duration::ZERO,
        };
        let rest = STEP.checked_sub(rested).filter(|it| !it.is_zero())?;
        Some(rest + TICK)
    };
    rest(document).max(signature.as_ref().and_then(rest))
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

fn is_settled(stamp: &Stamp, now: SystemTime) -> bool {
    let age = |at| now.duration_since(at);
    stamp
        .modified
        .is_some_and(|at| age(at).is_ok_and(|age| age >= STEP))
}

fn problem(error: &io::Error) -> SourceError {
    match error.kind() {
        io::ErrorKind::NotFound => SourceError::Missing,
        io::ErrorKind::PermissionDenied => SourceError::Refused(error.kind().to_string()),
        kind => answer::away(format!("cannot be read: {kind}")),
    }
}
