//! Records on their way to collectors, for as long as the process lives, and a little longer.

use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::life::LAST_WORDS;
use crate::collect::{self, Collector};
use crate::config::AuditConfig;
use crate::proof::Heads;
use crate::record::{AuditSinks, Records};
use crate::snapshot::Identity;
use crate::tasks::Tasks;
use crate::upstream::Clients;

/// Where records go, as the configuration says it.
pub(super) fn sinks(audit: &AuditConfig, heads: &Heads) -> AuditSinks {
    AuditSinks {
        stdout: audit.stdout,
        file: audit.file.clone(),
        elsewhere: audit.collectors.iter().map(|it| it.kind.name()).collect(),
        required: audit.required,
        heads: heads.clone(),
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
