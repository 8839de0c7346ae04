//! The thread that writes: one wake and one write per sink for all that came within a moment.
//!
//! Records are numbered here, in the order in which they come. Where an answer waits for its record
//! nothing is gathered: all that comes while one group is brought to the disk is the next group.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};

use super::batch::Batch;
use super::console::Console;
use super::file::FileSink;
use super::policy::Fsync;
use super::stdout::Stdout;
use super::throttle::Throttle;
use super::{Load, QUEUE};
use crate::record::outbox::Spool;
use crate::record::receipt::Owed;
use crate::record::recent::Recent;
use crate::record::standing::Standing;
use crate::telemetry::Metrics;

/// How long lines are gathered: short against a person's patience, long against a write.
const GATHER: Duration = Duration::from_millis(20);

/// What the request path tells the writer.
#[derive(Debug)]
pub(in crate::record) enum Message {
    /// One record, a JSON object without its seal, and who waits for it.
    Line(Vec<u8>, Option<Owed>),
    /// Something beside the queue wants attention.
    Wake,
    /// Everything before this is to be written, nothing follows.
    Close,
}

pub(super) struct Writer {
    pub(super) queue: Receiver<Message>,
    pub(super) stdout: Option<Stdout>,
    pub(super) console: Option<Console>,
    pub(super) file: Option<FileSink>,
    /// What waits for sinks elsewhere, where there is no file.
    pub(super) spools: Vec<Arc<Spool>>,
    pub(super) recent: Arc<Recent>,
    pub(super) standing: Standing,
    pub(super) load: Arc<Load>,
    pub(super) metrics: Arc<Metrics>,
    /// The number of the last record.
    pub(super) last: u64,
    pub(super) complaints: Throttle,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Queue {
    Open,
    Closed,
}

/// What came within a moment.
#[derive(Default)]
struct Gathered {
    bare: Vec<Vec<u8>>,
    owed: Vec<Owed>,
}

impl Gathered {
    fn take(&mut self, line: Vec<u8>, owed: Option<Owed>) {
        self.bare.push(line);
        self.owed.extend(owed);
    }
}

impl Writer {
    /// Returns when it is told to close, or when nobody is left who could.
    pub(super) fn run(mut self) {
        loop {
            let mut gathered = Gathered::default();
            let state = self.gather(&mut gathered);
            self.write(gathered);
            if state == Queue::Closed {
                break;
            }
        }
        self.last += self.load.lost.swap(0, Ordering::AcqRel);
        if let Some(file) = self.file.take() {
            let lost = file.close(self.last, Instant::now());
            self.lost(lost, "the audit file cannot be written");
        }
    }

    /// Waits for a line, or for what the file wants; then gathers what comes within a moment.
    fn gather(&mut self, gathered: &mut Gathered) -> Queue {
        let wake_in = self
            .file
            .as_ref()
            .and_then(|file| file.wake_in(Instant::now()));
        match self.queue.recv_timeout(wake_in.unwrap_or(Duration::MAX)) {
            Ok(Message::Line(line, owed)) => gathered.take(line, owed),
            Ok(Message::Wake) | Err(RecvTimeoutError::Timeout) => return Queue::Open,
            Ok(Message::Close) | Err(RecvTimeoutError::Disconnected) => return Queue::Closed,
        }
        let holds_answers = |file: &FileSink| file.fsync() == Fsync::Always;
        if !self.file.as_ref().is_some_and(holds_answers) {
            // A sleep, not a wait on the queue: that would wake once for every line.
            thread::sleep(GATHER);
        }
        while gathered.bare.len() < QUEUE / 4 {
            match self.queue.try_recv() {
                Ok(Message::Line(line, owed)) => gathered.take(line, owed),
                Ok(Message::Wake) => {}
                Ok(Message::Close) | Err(TryRecvError::Disconnected) => return Queue::Closed,
                Err(TryRecvError::Empty) => break,
            }
        }
        Queue::Open
    }

    fn write(&mut self, Gathered { bare, owed }: Gathered) {
        let now = Instant::now();
        let batch = Batch {
            first: self.last + 1,
            bare,
        };
        self.last += batch.count();
        // Those that found the queue full came behind these. They have numbers too: that they are
        // missing is to be seen.
        self.last += self.load.lost.swap(0, Ordering::AcqRel);
        if let Some(file) = &mut self.file {
            if self.load.reopen.swap(false, Ordering::AcqRel) {
                file.reopen(now);
            }
            let lost = file.write(&batch, now);
            let fails = file.fails();
            self.load.failing.store(fails.is_some(), Ordering::Release);
            self.standing.tell("file", fails);
            self.lost(lost, "too many wait for the audit file");
        }
        let bytes = batch.bare.iter().map(Vec::len).sum();
        self.load.bytes.fetch_sub(bytes, Ordering::AcqRel);
        self.load
            .waiting
            .fetch_sub(batch.bare.len(), Ordering::AcqRel);
        owed.into_iter().for_each(Owed::settle);
        if let Some(stdout) = &mut self.stdout {
            let lost = stdout.write(&batch);
            let why = (lost > 0).then_some("stdout cannot be written");
            if batch.count() > 0 {
                self.standing.tell("stdout", why);
            }
            self.lost(lost, "stdout cannot be written");
        }
        if let Some(console) = &self.console {
            console.write(&batch);
        }
        let spools = self.spools.iter();
        let lost = spools.map(|spool| spool.put(batch.numbered())).sum();
        self.lost(lost, "too many wait for a sink that does not take them");
        self.recent.put(batch.bare);
    }

    fn lost(&mut self, lines: u64, why: &str) {
        if lines == 0 {
            return;
        }
        self.metrics.audit_dropped.inc_by(lines);
        if self.complaints.may_speak(Instant::now()) {
            tracing::error!(lines, why, "audit records were lost");
        }
    }
}
