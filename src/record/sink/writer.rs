//! The thread that writes: one wake and one write per sink for all that came within a moment.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};

use super::file::{FileSink, count};
use super::throttle::Throttle;
use crate::telemetry::Metrics;

/// How long lines are gathered: short against a person's patience, long against a write.
const GATHER: Duration = Duration::from_millis(20);
/// The most bytes in one write.
const BATCH_LIMIT: usize = 1 << 20;

/// What the request path tells the writer.
#[derive(Debug)]
pub(in crate::record) enum Message {
    /// One record, with its line feed.
    Line(Vec<u8>),
    /// Something beside the queue wants attention.
    Wake,
    /// Everything before this is to be written, nothing follows.
    Close,
}

pub(super) struct Writer {
    queue: Receiver<Message>,
    stdout: bool,
    file: Option<FileSink>,
    reopen: Arc<AtomicBool>,
    metrics: Arc<Metrics>,
    complaints: Throttle,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Queue {
    Open,
    Closed,
}

impl Writer {
    pub(super) fn new(
        queue: Receiver<Message>,
        stdout: bool,
        file: Option<FileSink>,
        reopen: Arc<AtomicBool>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            queue,
            stdout,
            file,
            reopen,
            metrics,
            complaints: Throttle::default(),
        }
    }

    /// Returns when it is told to close, or when nobody is left who could.
    pub(super) fn run(mut self) {
        let mut batch = Vec::new();
        loop {
            let state = self.gather(&mut batch);
            self.write(&batch);
            if state == Queue::Closed {
                break;
            }
            batch.clear();
            batch.shrink_to(BATCH_LIMIT);
        }
        if let Some(file) = self.file.take() {
            let lost = file.close(Instant::now());
            self.lost(lost, "the audit file cannot be written");
        }
    }

    /// Waits for a line, or for the file's next try; then gathers what comes within a moment.
    fn gather(&mut self, batch: &mut Vec<u8>) -> Queue {
        let retry_in = self
            .file
            .as_ref()
            .and_then(|file| file.retry_in(Instant::now()));
        match self.queue.recv_timeout(retry_in.unwrap_or(Duration::MAX)) {
            Ok(Message::Line(line)) => batch.extend_from_slice(&line),
            Ok(Message::Wake) | Err(RecvTimeoutError::Timeout) => return Queue::Open,
            Ok(Message::Close) | Err(RecvTimeoutError::Disconnected) => return Queue::Closed,
        }
        // A sleep, not a wait on the queue: that would wake once for every line.
        thread::sleep(GATHER);
        while batch.len() < BATCH_LIMIT {
            match self.queue.try_recv() {
                Ok(Message::Line(line)) => batch.extend_from_slice(&line),
                Ok(Message::Wake) => {}
                Ok(Message::Close) | Err(TryRecvError::Disconnected) => return Queue::Closed,
                Err(TryRecvError::Empty) => break,
            }
        }
        Queue::Open
    }

    fn write(&mut self, batch: &[u8]) {
        let now = Instant::now();
        if let Some(file) = &mut self.file {
            if self.reopen.swap(false, Ordering::AcqRel) {
                file.reopen();
            }
            let lost = file.write(batch, now);
            self.lost(lost, "too many wait for the audit file");
        }
        if self.stdout && !batch.is_empty() {
            let mut stdout = io::stdout().lock();
            // Nobody may be reading any more: that is no reason to stop the traffic.
            if stdout
                .write_all(batch)
                .and_then(|()| stdout.flush())
                .is_err()
            {
                self.lost(count(batch), "stdout cannot be written");
            }
        }
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
