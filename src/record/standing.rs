//! How the sinks of records stand, for probes and metrics. It changes nothing of what they do.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::telemetry::Metrics;
use crate::telemetry::names;

/// How each sink stands. Clones are one.
#[derive(Debug, Clone)]
pub struct Standing(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    sinks: Mutex<Vec<(&'static str, Option<Failing>)>>,
    metrics: Arc<Metrics>,
}

/// A sink that does not take records.
#[derive(Debug, Clone)]
pub struct Failing {
    /// It holds no secret.
    pub why: String,
    pub since: Instant,
}

impl Standing {
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        Self(Arc::new(Shared {
            sinks: Mutex::default(),
            metrics,
        }))
    }

    /// A sink fails, and why, or does not.
    pub fn tell(&self, sink: &'static str, why: Option<&str>) {
        let mut sinks = self.sinks();
        let known = sinks.iter().position(|(known, _)| *known == sink);
        let at = known.unwrap_or_else(|| {
            sinks.push((sink, None));
            sinks.len() - 1
        });
        let Some((_, failing)) = sinks.get_mut(at) else {
            return;
        };
        let was_up = known.map(|_| failing.is_none());
        match (why, failing.as_mut()) {
            (None, _) => *failing = None,
            (Some(why), Some(failing)) if failing.why == why => {}
            (Some(why), Some(failing)) => why.clone_into(&mut failing.why),
            (Some(why), None) => {
                *failing = Some(Failing {
                    why: why.to_owned(),
                    since: Instant::now(),
                });
            }
        }
        if was_up != Some(why.is_none()) {
            let sink = [(names::SINK, sink.into())];
            let up = self.0.metrics.audit_sink_up.get_or_create(&sink);
            up.set(why.is_none().into());
        }
    }

    /// So many records wait for a sink.
    pub fn waits(&self, sink: &'static str, records: u64) {
        let sink = [(names::SINK, sink.into())];
        let waiting = self.0.metrics.audit_waiting.get_or_create(&sink);
        waiting.set(i64::try_from(records).unwrap_or(i64::MAX));
    }

    /// A sink has taken so many.
    pub fn sent(&self, sink: &'static str, records: u64) {
        let sink = [(names::SINK, sink.into())];
        let sent = self.0.metrics.audit_sent.get_or_create(&sink);
        sent.inc_by(records);
    }

    /// A sink will not take so many: they are lost to it.
    pub fn lost(&self, records: u64) {
        self.0.metrics.audit_dropped.inc_by(records);
    }

    /// Those that fail.
    pub fn failing(&self) -> Vec<(&'static str, Failing)> {
        let sinks = self.sinks();
        let failing = sinks
            .iter()
            .filter_map(|(sink, failing)| Some((*sink, failing.clone()?)));
        failing.collect()
    }

    fn sinks(&self) -> MutexGuard<'_, Vec<(&'static str, Option<Failing>)>> {
        self.0.sinks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
