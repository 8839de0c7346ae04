//! The audit file: appended to, whole lines only, chained, patient while the disk is full.
//!
//! What could not be written waits in memory, up to a bound, and is tried again every second. A
//! line that was torn by a full disk is continued where it broke off, or written anew when the
//! file was replaced meanwhile. Lines are sealed when they are taken, so that none that is lost leaves
//! a hole in the chain: only its number is missing, and that is noted.

mod rotation;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use jiff::Timestamp;
use tokio::sync::watch;

use super::batch::Batch;
use super::keeper::Keeper;
use super::notes::Notes;
use super::opening::{self, Resumed};
use super::policy::{AuditFile, Fsync};
use crate::proof::{Chain, Head, Heads, Sealed, What, Why, segments};

/// Between two tries at a file that could not be written.
const RETRY: Duration = Duration::from_secs(1);
/// How many bytes may wait for the disk: about ten thousand records.
const PENDING_LIMIT: usize = 8 << 20;
/// So long after a write the file is brought to the disk: with the time that records are gathered for,
/// and that of the write itself, within 100 ms of their end.
const SYNC: Duration = Duration::from_millis(60);
/// Between two notes of how far the chain has come.
const CHECKPOINT: Duration = Duration::from_mins(1);
const FULL: &str = "too many waited for a disk that could not be written";
const BEHIND: &str = "the writer did not keep up";

#[derive(Debug)]
pub(super) struct FileSink {
    policy: AuditFile,
    group: Option<u32>,
    file: File,
    /// Whether it is a file at all: only one can be cut, synced or rotated.
    regular: bool,
    size: u64,
    /// When its first line may have been written.
    since: SystemTime,
    chain: Chain,
    /// The last line that is in the file.
    written: Option<Head>,
    /// Whole lines that are not in the file yet.
    pending: Vec<u8>,
    /// How many bytes of the first pending line are in the file.
    torn: usize,
    /// Why the next number is not the one that follows, if it is not.
    lost: &'static str,
    /// Set while writing fails.
    retry_at: Option<Instant>,
    /// When what is not on the disk yet was written.
    unsynced: Option<Instant>,
    /// It could not be brought there when that was last tried.
    unkept: bool,
    notes: Notes,
    noted: Option<Head>,
    checkpoint_at: Instant,
    /// Notes wait for the disk.
    notes_wait: bool,
    rotate_at: u64,
    /// Set while it is not known whether the name leads to our file.
    look_at: Option<Instant>,
    heads: Heads,
    /// The last line that may be shown to others: no loss of power takes it back.
    shown: watch::Sender<Option<Head>>,
    /// Why it cannot be written now.
    why: Option<String>,
    keeper: Option<Keeper>,
}

impl FileSink {
    /// Goes on with the chain of the file that is there.
    ///
    /// # Errors
    /// When it cannot be opened; the message names it.
    pub(super) fn open(
        policy: AuditFile,
        instance: Option<&str>,
        heads: Heads,
        now: Instant,
    ) -> io::Result<Self> {
        let path = policy.path.display().to_string();
        let opened = Self::try_open(policy, instance, heads, now);
        opened.map_err(|error| {
            let message = format!("cannot open the audit file {path}: {error}");
            io::Error::new(error.kind(), message)
        })
    }

    fn try_open(
        policy: AuditFile,
        instance: Option<&str>,
        heads: Heads,
        now: Instant,
    ) -> io::Result<Self> {
        let group = policy.group.as_deref().map(opening::group_number);
        let group = group.transpose()?;
        let mut file = opening::open(&policy.path, group)?;
        let regular = file.metadata()?.is_file();
        let durable = regular && policy.fsync != Fsync::Never;
        let notes = Notes::new(&policy.path, instance, group, durable);
        let mut resumed = Resumed::default();
        if regular {
            opening::lock(&file)?;
            resumed = opening::resume(&mut file, &policy.path)?;
            // There is nothing to lose in an empty one, and a disk may take its time.
            if durable && file.metadata()?.len() > 0 {
                file.sync_data()?;
            }
        }
        let mut sink = Self {
            rotate_at: policy.rotate,
            group,
            size: file.metadata()?.len(),
            since: (file.metadata()?.created()).unwrap_or_else(|_| SystemTime::now()),
            file,
            regular,
            chain: resumed.chain,
            written: resumed.chain.head(),
            pending: Vec::new(),
            torn: 0,
            lost: BEHIND,
            retry_at: None,
            unsynced: None,
            unkept: false,
            notes,
            noted: None,
            checkpoint_at: now + CHECKPOINT,
            notes_wait: false,
            look_at: None,
            heads,
            shown: watch::Sender::new(resumed.chain.head()),
            why: None,
            keeper: None,
            policy,
        };
        for what in resumed.notes {
            tracing::warn!(path = %sink.policy.path.display(), %what, "the audit file was not left whole");
            sink.notes.note(what);
        }
        sink.note_head(Why::Start);
        if regular && !segments(&sink.policy.path)?.is_empty() {
            sink.keep();
        }
        Ok(sink)
    }

    /// The number of the last record.
    pub(super) fn last_seq(&self) -> u64 {
        self.chain.head().map_or(0, |head| head.seq)
    }

    pub(super) fn fsync(&self) -> Fsync {
        self.policy.fsync
    }

    /// Why records cannot be written now, if they cannot.
    pub(super) fn fails(&self) -> Option<&str> {
        self.why.as_deref().filter(|_| self.retry_at.is_some())
    }

    /// How far it may be read by who sends it on; nothing where it is no file that could be read.
    pub(super) fn shown(&self) -> Option<(&Path, watch::Receiver<Option<Head>>)> {
        let shown = || (self.policy.path.as_path(), self.shown.subscribe());
        self.regular.then(shown)
    }

    /// Takes records, as long as not too much waits already, and writes what may be written now.
    /// Returns how many were lost.
    pub(super) fn write(&mut self, batch: &Batch, now: Instant) -> u64 {
        if batch.count() > 0 {
            self.look(now);
        }
        if self.retry_at.is_some_and(|retry_at| retry_at <= now) {
            self.flush(now);
        }
        let mut lost = 0;
        for (seq, bare) in batch.numbered() {
            if self.pending.len() + bare.len() > PENDING_LIMIT {
                self.lost = FULL;
                lost += 1;
                continue;
            }
            self.take(seq, bare);
        }
        if self.retry_at.is_none() {
            self.flush(now);
        }
        let due = self.unsynced.map(|since| since + self.unsynced_for());
        if due.is_some_and(|due| due <= now) {
            self.sync(now);
        }
        let is_due = self.size >= self.rotate_at || self.is_old();
        if is_due && self.torn == 0 && self.pending.is_empty() {
            self.rotate(now);
        }
        if self.checkpoint_at <= now {
            self.checkpoint_at = now + CHECKPOINT;
            self.sync(now);
            self.note_head(Why::Checkpoint);
        }
        self.flush_notes();
        self.show();
        lost
    }

    /// How long until it wants to be asked to write again, though no line came.
    pub(super) fn wake_in(&self, now: Instant) -> Option<Duration> {
        let sync = match self.policy.fsync {
            Fsync::Interval => self.unsynced.map(|since| since + SYNC),
            Fsync::Always | Fsync::Never => None,
        };
        let checkpoint = (self.written != self.noted).then_some(self.checkpoint_at);
        let notes = self.notes_wait.then_some(now + RETRY);
        let wants = [self.retry_at, sync, checkpoint, notes];
        let first = wants.into_iter().flatten().min()?;
        Some(first.saturating_duration_since(now))
    }

    /// One last try; `last` is the number of the last record that there was. Returns how many lines were
    /// lost.
    pub(super) fn close(mut self, last: u64, now: Instant) -> u64 {
        self.flush(now);
        let after = self.last_seq();
        if last > after {
            self.notes.note(What::Gap {
                after,
                lost: last - after,
                why: self.lost.into(),
            });
        }
        self.sync(now);
        self.note_head(Why::Exit);
        self.flush_notes();
        self.show();
        count(&self.pending)
    }

    fn show(&self) {
        let is_safe = self.unsynced.is_none() || self.policy.fsync == Fsync::Never;
        if is_safe && self.written != *self.shown.borrow() {
            self.shown.send_replace(self.written);
        }
    }

    fn flush_notes(&mut self) {
        // Beside a device there is no place for a file.
        self.notes_wait = self.regular && !self.notes.flush();
    }

    fn take(&mut self, seq: u64, bare: &[u8]) {
        let after = self.last_seq();
        if seq > after + 1 {
            self.notes.note(What::Gap {
                after,
                lost: seq - after - 1,
                why: self.lost.into(),
            });
            self.lost = BEHIND;
        }
        self.chain.seal(bare, seq, &mut self.pending);
    }

    fn flush(&mut self, now: Instant) {
        let mut written = self.torn;
        let result = loop {
            let rest = &self.pending[written..];
            if rest.is_empty() {
                break Ok(());
            }
            match self.file.write(rest) {
                Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
                Ok(more) => written += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        self.size += (written - self.torn) as u64;
        let whole = memchr::memrchr(b'\n', &self.pending[..written]).map_or(0, |end| end + 1);
        if let Some(end) = whole.checked_sub(1) {
            let start = memchr::memrchr(b'\n', &self.pending[..end]).map_or(0, |start| start + 1);
            let last = Sealed::read(&self.pending[start..end]);
            self.written = last.map(|last| last.head()).or(self.written);
            self.unsynced.get_or_insert(now);
        }
        self.pending.drain(..whole);
        self.torn = written - whole;
        self.settle(result, now);
    }

    /// Brings to the disk what is in the file.
    fn sync(&mut self, now: Instant) {
        if self.unsynced.take().is_none() || !self.regular || self.policy.fsync == Fsync::Never {
            return;
        }
        match self.file.sync_data() {
            Ok(()) => {
                if std::mem::take(&mut self.unkept) {
                    self.is_well();
                }
            }
            Err(error) => {
                self.unkept = true;
                // It is tried again together with a write.
                self.unsynced = Some(now + RETRY.saturating_sub(self.unsynced_for()));
                self.settle(Err(error), now);
            }
        }
    }

    /// How long what was written need not be on the disk.
    fn unsynced_for(&self) -> Duration {
        match self.policy.fsync {
            Fsync::Always => Duration::ZERO,
            Fsync::Interval | Fsync::Never => SYNC,
        }
    }

    fn settle(&mut self, result: io::Result<()>, now: Instant) {
        let path = self.policy.path.display();
        match result {
            Ok(()) => {
                // What is taken and not kept is as bad as before.
                if self.retry_at.take().is_some() && !self.unkept {
                    self.is_well();
                }
            }
            Err(error) => {
                let waiting = count(&self.pending);
                tracing::error!(%path, %error, waiting, "the audit file cannot be written");
                self.retry_at = Some(now + RETRY);
                self.why = Some(format!("{path} cannot be written: {error}"));
            }
        }
    }

    fn is_well(&self) {
        let path = self.policy.path.display();
        tracing::info!(%path, "the audit file can be written again");
    }

    /// Notes how far the chain in the file has come. What was written since the last sync must be on
    /// the disk: a head that a loss of power could outlive would look like a theft.
    fn note_head(&mut self, why: Why) {
        let Some(head) = self.written.filter(|_| self.unsynced.is_none()) else {
            return;
        };
        if self.noted == Some(head) && why == Why::Checkpoint {
            return;
        }
        self.noted = Some(head);
        self.notes.note(What::head(head, why));
        self.tell(head);
    }

    fn tell(&self, head: Head) {
        let name = self.policy.path.display().to_string();
        self.heads.tell(&name, head, Timestamp::now());
    }
}

/// How many lines these are.
fn count(lines: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', lines).count() as u64
}
