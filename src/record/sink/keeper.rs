//! The old segments of an audit file: compressed beside the traffic, and removed when they are too old.
//!
//! A segment becomes a whole compressed file under another name, that file takes its name in one step,
//! and only then the plain one goes: a process that is killed at any point loses nothing, and the next
//! one goes on with it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, SyncSender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;

use super::notes::Notes;
use super::opening::{last_head, own};
use super::policy::AuditFile;
use crate::proof::{COMPRESSED, Segment, What, segments};

/// Between two looks at what has become too old.
const LOOK: Duration = Duration::from_hours(1);
/// How much is compressed in one go.
const PIECE: usize = 64 << 10;
/// And then as many times as long nothing is done: at most a fifth of a core is taken.
const REST: u32 = 4;

/// A thread that looks after segments. Dropped, it ends at its next step.
#[derive(Debug)]
pub(super) struct Keeper {
    wake: Option<SyncSender<()>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Work {
    policy: AuditFile,
    group: Option<u32>,
    notes: Notes,
    stop: Arc<AtomicBool>,
}

impl Keeper {
    pub(super) fn start(policy: AuditFile, group: Option<u32>, notes: Notes) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let (wake, woken) = mpsc::sync_channel(1);
        let work = Work {
            policy,
            group,
            notes,
            stop: Arc::clone(&stop),
        };
        let thread = thread::Builder::new()
            .name("audit-segments".into())
            .spawn(move || {
                loop {
                    work.look();
                    match woken.recv_timeout(LOOK) {
                        Ok(()) | Err(RecvTimeoutError::Timeout) => {}
                        Err(RecvTimeoutError::Disconnected) => break,
                    }
                }
            })?;
        Ok(Self {
            wake: Some(wake),
            stop,
            thread: Some(thread),
        })
    }

    /// There is one more segment.
    pub(super) fn wake(&self) {
        if let Some(wake) = &self.wake {
            // When it is full, it is about to look anyway.
            let _ = wake.try_send(());
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.wake = None;
        if let Some(thread) = self.thread.take() {
            // What it panicked of it has said itself.
            let _ = thread.join();
        }
    }
}

impl Work {
    fn look(&self) {
        let path = self.policy.path.display();
        if let Err(error) = self.compress_all() {
            tracing::error!(%path, %error, "an audit segment cannot be compressed");
        }
        if let Err(error) = self.remove_old(Timestamp::now()) {
            tracing::error!(%path, %error, "old audit segments cannot be looked for");
        }
        if let Err(error) = self.notes.prune() {
            tracing::warn!(%path, %error, "the heads of the audit file cannot be shortened");
        }
    }

    fn compress_all(&self) -> io::Result<()> {
        let all = segments(&self.policy.path)?;
        for segment in all.iter().filter(|it| !it.compressed) {
            if self.stop.load(Ordering::Acquire) {
                break;
            }
            let whole = more(&segment.path, COMPRESSED);
            if all.iter().any(|it| it.path == whole) {
                // It was compressed before, and there was no time to remove it.
                fs::remove_file(&segment.path)?;
            } else if self.policy.compress && self.compress(segment, &whole)? {
                fs::remove_file(&segment.path)?;
            }
        }
        Ok(())
    }

    /// Returns whether it came to its end.
    fn compress(&self, segment: &Segment, whole: &Path) -> io::Result<bool> {
        let part = more(whole, ".part");
        let done = self.compress_into(&part, segment);
        if !matches!(done, Ok(true)) {
            // Of a full disk it would take the room that records wait for.
            let _ = fs::remove_file(&part);
            return done;
        }
        fs::rename(&part, whole)?;
        sync_folder(whole);
        done
    }

    /// The same into a file that is nobody's yet.
    fn compress_into(&self, part: &Path, segment: &Segment) -> io::Result<bool> {
        let mut plain = File::open(&segment.path)?;
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o640);
        let file = options.open(part)?;
        own(&file, self.group)?;
        let mut encoder = GzEncoder::new(file, Compression::default());
        let mut piece = vec![0; PIECE];
        loop {
            if self.stop.load(Ordering::Acquire) {
                return Ok(false);
            }
            let began = Instant::now();
            let length = plain.read(&mut piece)?;
            if length == 0 {
                break;
            }
            encoder.write_all(&piece[..length])?;
            thread::sleep(began.elapsed() * REST);
        }
        let file = encoder.finish()?;
        file.set_modified(plain.metadata()?.modified()?)?;
        file.sync_all()?;
        Ok(true)
    }

    fn remove_old(&self, now: Timestamp) -> io::Result<()> {
        for segment in segments(&self.policy.path)? {
            let age = Duration::try_from(now.duration_since(segment.rotated)).unwrap_or_default();
            if age <= self.policy.retention {
                continue;
            }
            // One that is damaged stays, and keeps none of the others here.
            if let Err(error) = self.remove(&segment) {
                let path = segment.path.display();
                tracing::error!(%path, %error, "an old audit segment cannot be removed");
            }
        }
        Ok(())
    }

    fn remove(&self, segment: &Segment) -> io::Result<()> {
        // Noted first: what is gone without a word is taken for a theft.
        if let Some(head) = last_head(&segment.path)? {
            let name = segment.path.file_name().unwrap_or_default();
            self.notes.note(What::Removed {
                segment: name.to_string_lossy().into_owned(),
                seq: head.seq,
                hash: head.hash,
            });
            self.notes.flush();
        }
        fs::remove_file(&segment.path)
    }
}

/// A rename is on the disk once its folder is. What cannot be done about it is not told: not every file
/// system lets a folder be synced.
pub(super) fn sync_folder(path: &Path) {
    if let Some(folder) = path.parent() {
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
    }
}

fn more(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}
