//! From the request path to the sinks: records are queued, and numbered, sealed and written by one
//! thread.
//!
//! The request path never waits for a sink. When the queue is full a record is dropped, counted, and
//! complained of once a second; its number stays unused, so that the gap can be seen, and the file's
//! notes tell of it. Each sink has a chain of its own: what one loses is no hole in the other's.

mod batch;
mod console;
mod file;
mod keeper;
mod notes;
mod opening;
mod policy;
mod stdout;
#[cfg(test)]
mod tests;
mod throttle;
mod writer;

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use self::console::Console;
use self::file::FileSink;
use self::stdout::Stdout;
use self::throttle::Throttle;
use self::writer::Writer;
use super::outbox::{Cursors, Follow, Outbox, Spool, Store};
use super::readable::Style;
use super::receipt::{Owed, PATIENCE, Receipt};
use super::recent::Recent;
use super::standing::Standing;
use crate::proof::Heads;
use crate::telemetry::Metrics;

pub use self::console::Output;
pub(super) use self::opening::replace;
pub use self::policy::{AuditFile, Fsync};
pub(super) use self::writer::Message;

/// Lines that may wait for the writer: seconds of a busy sidecar's traffic, some MiB at most.
const QUEUE: usize = 8192;

/// Bytes of lines that may wait for the writer before records go without their content, which they are not
/// to be lost for.
const ROOM: usize = 8 << 20;

/// Where audit records go.
#[derive(Debug, Clone, Default)]
pub struct AuditSinks {
    pub stdout: bool,
    /// Lines for people, beside the records or in their place.
    pub readable: Option<Style>,
    /// What both of these take for stdout.
    pub output: Output,
    pub file: Option<AuditFile>,
    /// The names of those that are elsewhere.
    pub elsewhere: Vec<&'static str>,
    /// Whether requests are refused while no sink takes records; of a file it says so itself.
    pub required: bool,
    /// Told how far the chains have come.
    pub heads: Heads,
}

/// The request path's end of the queue.
#[derive(Debug)]
pub(super) struct Audit {
    queue: SyncSender<Message>,
    load: Arc<Load>,
    /// Whether requests are refused while records cannot be written.
    required: bool,
    /// Whether answers wait for their records.
    holds: bool,
    /// What waits for sinks elsewhere, where there is no file.
    spools: Vec<Arc<Spool>>,
    pub(super) recent: Arc<Recent>,
    pub(super) standing: Standing,
    complaints: Mutex<Throttle>,
    writer: Mutex<Option<JoinHandle<()>>>,
    metrics: Arc<Metrics>,
}

/// What both ends of the queue know.
#[derive(Debug, Default)]
struct Load {
    /// Records that were lost on the way, and have no number yet.
    lost: AtomicU64,
    /// Records on the way.
    waiting: AtomicUsize,
    /// And how many bytes they have.
    bytes: AtomicUsize,
    /// The file cannot be written.
    failing: AtomicBool,
    reopen: AtomicBool,
}

impl Audit {
    /// `instance` is whose records they are, as their heads are told. What waits for each sink elsewhere
    /// is for who sends it.
    pub(super) fn open(
        sinks: AuditSinks,
        instance: Option<&str>,
        metrics: Arc<Metrics>,
    ) -> io::Result<(Self, Vec<Outbox>)> {
        let AuditSinks {
            stdout,
            readable,
            output,
            file,
            elsewhere,
            required,
            heads,
        } = sinks;
        let (queue, lines) = mpsc::sync_channel(QUEUE);
        let mut audit = Self::queueing(queue, metrics);
        audit.required = required || file.as_ref().is_some_and(|file| file.required);
        audit.holds = file
            .as_ref()
            .is_some_and(|file| file.fsync == Fsync::Always);
        let open = |file| FileSink::open(file, instance, heads.clone(), Instant::now());
        let file = file.map(open).transpose()?;
        let outboxes = if let Some((path, shown)) = file.as_ref().and_then(FileSink::shown) {
            let cursors = Cursors::of(path);
            let follow = |name| {
                let follow = Follow::new(path, name, cursors.clone());
                let (sent, store) = (follow.sent(), Store::File(Box::new(follow)));
                Outbox::new(name, shown.clone(), sent, store)
            };
            elsewhere.into_iter().map(follow).collect()
        } else {
            let spool = |name: &&'static str| Arc::new(Spool::new(name, heads.clone()));
            audit.spools = elsewhere.iter().map(spool).collect();
            let outbox = |(name, spool): (&'static str, &Arc<Spool>)| {
                let store = Store::Memory(Arc::clone(spool));
                Outbox::new(name, spool.arrived(), None, store)
            };
            elsewhere
                .into_iter()
                .zip(&audit.spools)
                .map(outbox)
                .collect()
        };
        let writer = Writer {
            queue: lines,
            stdout: stdout.then(|| Stdout::new(output, heads)),
            console: readable.map(|style| Console::new(style, output)),
            last: file.as_ref().map_or(0, FileSink::last_seq),
            file,
            spools: audit.spools.clone(),
            recent: Arc::clone(&audit.recent),
            standing: audit.standing.clone(),
            load: Arc::clone(&audit.load),
            metrics: Arc::clone(&audit.metrics),
            complaints: Throttle::default(),
        };
        let thread = thread::Builder::new()
            .name("audit".into())
            .spawn(move || writer.run())?;
        audit.writer = Mutex::new(Some(thread));
        Ok((audit, outboxes))
    }

    pub(super) fn queueing(queue: SyncSender<Message>, metrics: Arc<Metrics>) -> Self {
        Self {
            queue,
            load: Arc::default(),
            required: false,
            holds: false,
            spools: Vec::new(),
            recent: Arc::default(),
            standing: Standing::new(Arc::clone(&metrics)),
            complaints: Mutex::default(),
            writer: Mutex::default(),
            metrics,
        }
    }

    /// Queues a record; `owed` is told when it is written.
    pub(super) fn append(&self, line: serde_json::Result<Vec<u8>>, owed: Option<Owed>) {
        self.metrics.audit_records.inc();
        if let Some(owed) = &owed {
            owed.recorded();
        }
        let lost: &dyn std::fmt::Display = match line {
            Ok(line) => {
                let bytes = line.len();
                self.load.waiting.fetch_add(1, Ordering::AcqRel);
                self.load.bytes.fetch_add(bytes, Ordering::AcqRel);
                let sent = self.queue.try_send(Message::Line(line, owed));
                let Err(error) = sent else { return };
                self.load.waiting.fetch_sub(1, Ordering::AcqRel);
                self.load.bytes.fetch_sub(bytes, Ordering::AcqRel);
                match error {
                    mpsc::TrySendError::Full(_) => &"the writer does not keep up",
                    mpsc::TrySendError::Disconnected(_) => &"the writer has ended",
                }
            }
            Err(error) => &error.to_string(),
        };
        self.load.lost.fetch_add(1, Ordering::AcqRel);
        self.metrics.audit_dropped.inc();
        if lock(&self.complaints).may_speak(Instant::now()) {
            tracing::error!(why = %lost, "an audit record was lost");
        }
    }

    /// What an answer waits for with, if answers are to wait for their records.
    pub(super) fn receipt(&self) -> Option<(Owed, Receipt)> {
        let patience = (!self.required).then_some(PATIENCE);
        self.holds.then(|| Receipt::new(patience))
    }

    /// Whether requests are to be refused: their records could not be written. Half of the queue is
    /// kept for those that run.
    pub(super) fn refuses(&self) -> bool {
        let are_crowded = || {
            let mut spools = self.spools.iter();
            !self.spools.is_empty() && spools.all(|spool| spool.is_crowded())
        };
        self.required
            && (self.load.failing.load(Ordering::Acquire)
                || self.load.waiting.load(Ordering::Acquire) > QUEUE / 2
                || are_crowded())
    }

    /// Whether a record may be as long as it likes: no sink makes records wait for so long that long ones would
    /// take the place of others.
    pub(super) fn has_room(&self) -> bool {
        !self.load.failing.load(Ordering::Acquire)
            && self.load.bytes.load(Ordering::Acquire) < ROOM
            && !self.spools.iter().any(|spool| spool.is_crowded())
    }

    pub(super) fn reopen(&self) {
        self.load.reopen.store(true, Ordering::Release);
        // When the queue is full the writer is awake anyway.
        let _ = self.queue.try_send(Message::Wake);
    }

    pub(super) fn close(&self) {
        let Some(writer) = lock(&self.writer).take() else {
            return;
        };
        // It fails only when the writer has ended already.
        let _ = self.queue.send(Message::Close);
        if writer.join().is_err() {
            tracing::error!("the audit writer has panicked; records were lost");
        }
    }
}

/// What these locks guard stays whole when a holder panics.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
