//! What happened: one record per request, written exactly once.
//!
//! [`Records::begin`] opens a [`Recorder`] when a request arrives; the request path tells it facts
//! as they become known; [`Recorder::finish`] takes it by value. A recorder that is dropped
//! unfinished is the caller having hung up: that is an outcome too, and is recorded with what was
//! seen so far. The metrics of a request are counted from its record, in one place.
//! The record holds names, numbers and classes; content only where a route has it recorded, and then masked:
//! that is a type of its own, which `privacy` alone can make.

mod content;
mod ending;
mod facts;
mod id;
mod kept;
mod line;
mod meter;
mod outbox;
mod readable;
mod receipt;
mod recent;
mod recorder;
mod running;
mod sink;
mod spans;
mod spent;
mod standing;
mod used;

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use self::facts::Facts;
use self::receipt::Owed;
use self::running::Running;
use self::sink::Audit;
use crate::snapshot::Identity;
use crate::telemetry::Metrics;
use crate::trace::Tracer;

pub use self::content::{Content, Transcribing};
pub use self::ending::{Ended, Ending};
pub use self::facts::{Arrival, AttemptLog, End};
pub use self::kept::Kept;
pub use self::outbox::{Line, Outbox, Parcel, Unfetched};
pub use self::readable::Style;
pub use self::receipt::Receipt;
pub use self::recorder::Recorder;
pub use self::running::Seen;
pub use self::sink::{AuditFile, AuditSinks, Fsync, Output};
pub use self::standing::{Failing, Standing};

/// Where records are begun. Clones are one.
#[derive(Debug, Clone)]
pub struct Records {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    identity: Identity,
    metrics: Arc<Metrics>,
    audit: Audit,
    running: Arc<Running>,
    /// For who sends them, once.
    outboxes: Mutex<Vec<Outbox>>,
    /// Where the spans of requests are left, where they are told.
    tracer: Option<Tracer>,
}

impl Records {
    /// Opens the sinks and starts the thread that writes to them.
    ///
    /// # Errors
    /// When the audit file cannot be opened; the message names it.
    pub fn new(
        identity: Identity,
        metrics: Arc<Metrics>,
        sinks: AuditSinks,
        tracer: Option<Tracer>,
    ) -> io::Result<Self> {
        let instance = identity.instance.as_deref();
        let (audit, outboxes) = Audit::open(sinks, instance, Arc::clone(&metrics))?;
        Ok(Self::writing_to(audit, outboxes, identity, metrics, tracer))
    }

    /// Records that go to no sink: they are kept for whoever holds [`Kept`].
    pub fn kept(identity: Identity, metrics: Arc<Metrics>) -> (Self, Kept) {
        let (queue, kept) = Kept::new();
        let audit = Audit::queueing(queue, Arc::clone(&metrics));
        let records = Self::writing_to(audit, Vec::new(), identity, metrics, None);
        (records, kept)
    }

    /// A request has arrived.
    pub fn begin(&self, arrival: Arrival) -> Recorder {
        Recorder::new(self.clone(), arrival)
    }

    /// Whether requests are to be refused because their records could not be written.
    pub fn unavailable(&self) -> bool {
        self.shared.audit.refuses()
    }

    /// Writes what follows to a newly opened file: the old one was renamed by a log rotation.
    pub fn reopen(&self) {
        self.shared.audit.reopen();
    }

    /// Returns once everything recorded is written, or given up when a sink refuses it even now.
    /// Blocks; whatever is recorded afterwards is lost and counted as such.
    pub fn close(&self) {
        self.shared.audit.close();
    }

    /// What waits for each sink elsewhere: the first who asks is to send it.
    pub fn take_outboxes(&self) -> Vec<Outbox> {
        let outboxes = self.shared.outboxes.lock();
        std::mem::take(&mut *outboxes.unwrap_or_else(PoisonError::into_inner))
    }

    /// How the sinks stand. Clones are one.
    pub fn standing(&self) -> Standing {
        self.shared.audit.standing.clone()
    }

    /// The newest records, the newest first, as JSON without their seals.
    pub fn recent(&self) -> Vec<Arc<[u8]>> {
        self.shared.audit.recent.all()
    }

    /// How many records there have been, and the newest of those behind the first `seen` of them, as
    /// [`recent`](Self::recent) has them.
    pub fn recent_since(&self, seen: u64) -> (u64, Vec<Arc<[u8]>>) {
        self.shared.audit.recent.since(seen)
    }

    /// How many requests run on a route, and the newest `most` of them, the newest first.
    pub fn running(&self, most: usize, now: Instant) -> (usize, Vec<Seen>) {
        self.shared.running.newest(most, now)
    }

    fn writing_to(
        audit: Audit,
        outboxes: Vec<Outbox>,
        identity: Identity,
        metrics: Arc<Metrics>,
        tracer: Option<Tracer>,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                identity,
                metrics,
                audit,
                running: Arc::default(),
                outboxes: Mutex::new(outboxes),
                tracer,
            }),
        }
    }

    fn write(&self, facts: &mut Facts, end: End<'_>, ending: Option<&Ending>, owed: Option<Owed>) {
        let Shared {
            identity,
            metrics,
            audit,
            tracer,
            ..
        } = &*self.shared;
        let now = Instant::now();
        let mut verdict = facts.end(end, now);
        if let Some(ending) = ending {
            ending.set(end, facts.began());
            if let Some(left) = ending.left() {
                // The answer was no longer this caller's. What the attempts came to stays.
                verdict = facts.end(left, now);
            }
        }
        meter::count(metrics, facts, &verdict);
        if let Some(tracer) = tracer
            && let Some(bundle) = spans::write(facts, &verdict, identity)
        {
            tracer.leave(bundle);
        }
        if facts.content.is_some() && !audit.has_room() {
            facts.content = None;
        }
        audit.append(line::write(facts, &verdict, identity), owed);
    }
}

#[cfg(test)]
mod tests;
