//! Records on their way to collectors, for as long as the process lives, and a little longer.

use std::io;
use std::sync::Arc;

use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::Console;
use super::life::LAST_WORDS;
use crate::collect::{self, Collector};
use crate::config::AuditConfig;
use crate::proof::Heads;
use crate::record::{AuditSinks, Records};
use crate::snapshot::{Identity, Snapshot};
use crate::tasks::Tasks;
use crate::telemetry::Metrics;
use crate::upstream::Clients;

/// Opens what keeps records. Who `follows` a central document goes on where the file that it names cannot be
/// opened: it is the centre's to mend, and to end would be to end each time, in every sidecar.
///
/// # Errors
/// When the audit file cannot be opened; the message names it.
pub(super) fn records(
    audit: &AuditConfig,
    console: Console,
    snapshot: &Snapshot,
    metrics: &Arc<Metrics>,
    heads: &Heads,
    follows: bool,
) -> io::Result<Records> {
    let open = |sinks| Records::new(snapshot.identity.clone(), Arc::clone(metrics), sinks);
    // Lines for people take the place of records that are on stdout for want of a better one.
    let is_readable = console.readable.is_some() && audit.unsaid;
    let sinks = AuditSinks {
        stdout: audit.stdout && !is_readable,
        readable: console.readable.filter(|_| audit.unsaid || !audit.stdout),
        output: console.output,
        file: audit.file.clone(),
        elsewhere: audit.collectors.iter().map(|it| it.kind.name()).collect(),
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
        collectors: &[Collector],
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
