//! Records and spans on their way to collectors, for as long as the process lives, and a little longer.

use std::io;
use std::sync::Arc;

use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::life::LAST_WORDS;
use super::{Console, StartError};
use crate::collect::{self, Spans};
use crate::config::{AuditConfig, Process, TracesConfig};
use crate::proof::Heads;
use crate::record::{AuditSinks, Records};
use crate::snapshot::{Identity, Snapshot};
use crate::tasks::Tasks;
use crate::telemetry::Metrics;
use crate::trace::Tracer;
use crate::upstream::Clients;

/// The tasks that send.
pub(super) struct Sending {
    records: Tasks,
    spans: Tasks,
    end: CancellationToken,
}

impl Sending {
    /// Opens what keeps records, and begins to send them and the spans. Who `follows` a central document goes on
    /// where the audit file that it names cannot be opened: it is the centre's to mend, and to end would be to
    /// end each time, in every sidecar.
    ///
    /// # Errors
    /// What in the configuration of a collector cannot work, or that the audit file cannot be opened.
    pub(super) fn start(
        process: &Process,
        console: Console,
        snapshot: &Snapshot,
        metrics: &Arc<Metrics>,
        heads: &Heads,
        follows: bool,
        clients: &Clients,
    ) -> Result<(Records, Self), StartError> {
        let sending = Self {
            records: Tasks::default(),
            spans: Tasks::default(),
            end: CancellationToken::new(),
        };
        let (Process { audit, traces, .. }, identity) = (process, &snapshot.identity);
        let tracer = match traces {
            Some(traces) => Some(
                sending
                    .trace(traces, identity, metrics, clients)
                    .map_err(StartError::Traces)?,
            ),
            None => None,
        };
        let open = |sinks| {
            let (identity, metrics) = (identity.clone(), Arc::clone(metrics));
            Records::new(identity, metrics, sinks, tracer.clone())
        };
        let records = opened(audit, console, heads, follows, open).map_err(StartError::Audit)?;
        let (outboxes, standing) = (records.take_outboxes(), records.standing());
        let collectors = &audit.collectors;
        for delivery in collect::deliveries(collectors, outboxes, identity, &standing, clients) {
            let delivery = delivery.map_err(StartError::Collector)?;
            sending.records.spawn(delivery.run(sending.end.clone()));
        }
        Ok((records, sending))
    }

    /// Where requests leave their spans from now on.
    fn trace(
        &self,
        config: &TracesConfig,
        identity: &Identity,
        metrics: &Metrics,
        clients: &Clients,
    ) -> Result<Tracer, &'static str> {
        let TracesConfig { collector, sample } = config;
        let counted = metrics.spans();
        let (tracer, waiting) = Tracer::new(*sample, counted.clone());
        let rng = fastrand::Rng::new();
        let spans = Spans::new(collector, waiting, identity, counted, clients, rng)?;
        self.spans.spawn(spans.run(self.end.clone()));
        Ok(tracer)
    }

    /// What is left is sent, as far as that can be until then; spans only if that is soon done. All records must
    /// have been written.
    pub(super) async fn end(self, until: Instant) {
        self.end.cancel();
        let soon = Instant::now() + LAST_WORDS;
        let records = timeout_at(until.max(soon), self.records.idle());
        let spans = timeout_at(soon, self.spans.idle());
        let (records, spans) = tokio::join!(records, spans);
        if records.is_err() {
            tracing::error!("some audit records could not be sent before the end");
        }
        if spans.is_err() {
            tracing::warn!("some spans could not be sent before the end");
        }
    }
}

fn opened(
    audit: &AuditConfig,
    console: Console,
    heads: &Heads,
    follows: bool,
    open: impl Fn(AuditSinks) -> io::Result<Records>,
) -> io::Result<Records> {
    // Lines for people take the place of records that are on stdout for want of a better one.
    let is_readable = console.readable.is_some() && audit.unsaid;
    let sinks = AuditSinks {
        stdout: audit.stdout && !is_readable,
        readable: console.readable.filter(|_| audit.unsaid || !audit.stdout),
        output: console.output,
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
