//! From the request path to the sinks: lines are numbered, queued, and written by one thread.
//!
//! The request path never waits for a sink. When the queue is full a line is dropped, counted, and
//! complained of once a second; its number stays unused, so that the gap can be seen.

mod file;
mod throttle;
mod writer;

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use self::file::FileSink;
use self::throttle::Throttle;
use self::writer::Writer;
use crate::telemetry::Metrics;

pub(super) use self::writer::Message;

/// Lines that may wait for the writer: seconds of a busy sidecar's traffic, some MiB at most.
const QUEUE: usize = 8192;

/// Where audit records go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditSinks {
    pub stdout: bool,
    /// Appended to, and made when it is missing; its folder must exist.
    pub file: Option<PathBuf>,
}

/// The request path's end of the queue.
#[derive(Debug)]
pub(super) struct Audit {
    queue: SyncSender<Message>,
    /// Held from a line's number to its place in the queue, so that lines are in order.
    numbering: Mutex<Numbering>,
    reopen: Arc<AtomicBool>,
    writer: Mutex<Option<JoinHandle<()>>>,
    metrics: Arc<Metrics>,
}

#[derive(Debug, Default)]
struct Numbering {
    last: u64,
    complaints: Throttle,
}

impl Audit {
    pub(super) fn open(sinks: AuditSinks, metrics: Arc<Metrics>) -> io::Result<Self> {
        let file = sinks.file.map(FileSink::open).transpose()?;
        let (queue, lines) = mpsc::sync_channel(QUEUE);
        let mut audit = Self::queueing(queue, metrics);
        let writer = Writer::new(
            lines,
            sinks.stdout,
            file,
            Arc::clone(&audit.reopen),
            Arc::clone(&audit.metrics),
        );
        let thread = thread::Builder::new()
            .name("audit".into())
            .spawn(move || writer.run())?;
        audit.writer = Mutex::new(Some(thread));
        Ok(audit)
    }

    pub(super) fn queueing(queue: SyncSender<Message>, metrics: Arc<Metrics>) -> Self {
        Self {
            queue,
            numbering: Mutex::default(),
            reopen: Arc::default(),
            writer: Mutex::default(),
            metrics,
        }
    }

    /// Queues the line that `write` makes of its number.
    pub(super) fn append(&self, write: impl FnOnce(u64) -> serde_json::Result<Vec<u8>>) {
        self.metrics.audit_records.inc();
        let mut numbering = lock(&self.numbering);
        numbering.last += 1;
        let lost: &dyn std::fmt::Display = match write(numbering.last) {
            Ok(line) => match self.queue.try_send(Message::Line(line)) {
                Ok(()) => return,
                Err(mpsc::TrySendError::Full(_)) => &"the writer does not keep up",
                Err(mpsc::TrySendError::Disconnected(_)) => &"the writer has ended",
            },
            Err(error) => &error.to_string(),
        };
        self.metrics.audit_dropped.inc();
        if numbering.complaints.may_speak(Instant::now()) {
            tracing::error!(why = %lost, "an audit record was lost");
        }
    }

    pub(super) fn reopen(&self) {
        self.reopen.store(true, Ordering::Release);
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
