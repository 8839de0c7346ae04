//! Records and spans on their way to collectors, for as long as the process lives, and a little longer.

use std::io;
use std::sync::Arc;

use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::life::LAST_WORDS;
use crate::collect::{self, Collector, Kind, Spans};
use crate::config::{AuditConfig, TracesConfig};
use crate::proof::Heads;
use crate::record::{AuditSinks, Records};
use crate::snapshot::{Identity, Snapshot};
use crate::tasks::Tasks;
use crate::telemetry::Metrics;
use crate::trace::Tracer;
use crate::upstream::Clients;

/// Opens what keeps records. Who `follows` a central document goes on where the file that it names cannot be
/// opened: it is the centre's to mend, and to end would be to end each time, in every sidecar.
///
/// # Errors
/// When the audit file cannot be opened; the message names it.
pub(super) fn records(
    audit: &AuditConfig,
    snapshot: &Snapshot,
    metrics: &Arc<Metrics>,
    heads: &Heads,
    follows: bool,
    tracer: Option<&Tracer>,
) -> io::Result<Records> {
    let open = |sinks| {
        let (identity, metrics) = (snapshot.identity.clone(), Arc::clone(metrics));
        Records::new(identity, metrics, sinks, tracer.cloned())
    };
    let sinks = AuditSinks {
        stdout: audit.stdout,
        file: audit.file.clone(),
        elsewhere: (audit.collectors.iter().map(|(kind, _)| kind.name())).collect(),
        required: audit.required,
        heads: heads.clone(),
    };
    match open(sinks.clone()) {
        Err(error) if follows && !audit.required => {
            tracing::error!(%error, "the audit file that the central document names cannot be opened: records go to stdout");
            open(AuditSinks {
                stdout: true,
                file: None,
                ..sinks
            })
        }
        opened => opened,
    }
}

/// The tasks that send.
pub(super) struct Sending {
    tasks: Tasks,
    end: CancellationToken,
}

impl Sending {
    /// # Errors
    /// What in the configuration of a collector cannot work, for the operator.
    pub(super) fn start(
        collectors: &[(Kind, Collector)],
        records: &Records,
        identity: &Identity,
        clients: &Clients,
    ) -> Result<Self, &'static str> {
        let (tasks, end) = (Tasks::default(), CancellationToken::new());
        let (outboxes, standing) = (records.take_outboxes(), records.standing());
        for delivery in collect::deliveries(collectors, outboxes, identity, &standing, clients) {
            tasks.spawn(delivery?.run(end.clone()));
        }
        Ok(Self { tasks, end })
    }

    /// What is left is sent, as far as that can be until then. All records must have been written.
    pub(super) async fn end(self, until: Instant) {
        self.end.cancel();
        let until = until.max(Instant::now() + LAST_WORDS);
        if timeout_at(until, self.tasks.idle()).await.is_err() {
            tracing::error!("some audit records could not be sent before the end");
        }
    }
}

/// What tells spans, where they are told.
#[derive(Default)]
pub(super) struct Tracing {
    pub(super) tracer: Option<Tracer>,
    tasks: Tasks,
    end: CancellationToken,
}

impl Tracing {
    /// # Errors
    /// What in the configuration of the collector cannot work, for the operator.
    pub(super) fn start(
        traces: Option<&TracesConfig>,
        identity: &Identity,
        metrics: &Metrics,
        clients: &Clients,
    ) -> Result<Self, &'static str> {
        let mut tracing = Self::default();
        if let Some(TracesConfig { collector, sample }) = traces {
            let counted = metrics.spans();
            let (tracer, waiting) = Tracer::new(*sample, counted.clone());
            let rng = fastrand::Rng::new();
            let spans = Spans::new(collector, waiting, identity, counted, clients, rng)?;
            tracing.tasks.spawn(spans.run(tracing.end.clone()));
            tracing.tracer = Some(tracer);
        }
        Ok(tracing)
    }

    /// What waits is sent, where that is soon done. All requests must be over.
    pub(super) async fn end(self) {
        self.end.cancel();
        if timeout(LAST_WORDS, self.tasks.idle()).await.is_err() {
            tracing::warn!("some spans could not be sent before the end");
        }
    }
}
